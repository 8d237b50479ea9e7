//! Zones that limits count in: by what and how fast those count is said where the zone is defined, and belongs to each
//! directive that names it (`ngx_http_limit_req_module`, `ngx_http_limit_conn_module`, `ngx_stream_limit_conn_module`).

use super::syntax::{Directive, Word};
use crate::text::SourceId;
use std::collections::BTreeMap;

/// Directives that count, those that define what they count in, and how the zone is named.
const LIMITS: &[(&str, &str, Named)] =
    &[("limit_req", "limit_req_zone", Named::Zone), ("limit_conn", "limit_conn_zone", Named::First)];

#[derive(Clone, Copy)]
enum Named {
    /// `zone=name`
    Zone,
    /// The first word.
    First,
}

/// A zone: whether it is one of `stream`, what defines it, its name.
type Key = (bool, &'static str, Vec<u8>);

/// Adds what defines a zone to the directives that count in it, by which those are told apart.
pub(super) fn attach(lists: &mut [(SourceId, Vec<Directive>)]) {
    let mut known = BTreeMap::new();
    for (_, list) in &*lists {
        define(list, false, &mut known);
    }
    for (_, list) in lists {
        add(list, false, &known);
    }
}

fn define(list: &[Directive], of_stream: bool, known: &mut BTreeMap<Key, String>) {
    for directive in list {
        if let Some((_, definer, _)) = LIMITS.iter().find(|(_, definer, _)| directive.is(definer))
            && let Some(name) = named(directive, Named::Zone)
        {
            known.insert((of_stream, *definer, name), directive.said());
        }
        define(directive.block.as_deref().unwrap_or_default(), of_stream || directive.is("stream"), known);
    }
}

fn add(list: &mut [Directive], of_stream: bool, known: &BTreeMap<Key, String>) {
    for directive in list {
        if let Some((_, definer, how)) = LIMITS.iter().find(|(limit, _, _)| directive.is(limit))
            && let Some(said) = named(directive, *how).and_then(|name| known.get(&(of_stream, *definer, name)))
        {
            directive.words.push(Word { text: format!("(of {said})").into_bytes(), span: directive.head });
        }
        let of_stream = of_stream || directive.is("stream");
        add(directive.block.as_deref_mut().unwrap_or_default(), of_stream, known);
    }
}

/// The name of the zone, without its size.
fn named(directive: &Directive, how: Named) -> Option<Vec<u8>> {
    let text = match how {
        Named::First => directive.first(),
        Named::Zone => directive.words.iter().find_map(|word| word.text.strip_prefix(b"zone="))?,
    };
    Some(text.split(|byte| *byte == b':').next().unwrap_or(text).to_vec())
}
