//! Variables: what a text means depends on how those in it come about, so that belongs to the text wherever it is compared.

use super::handlers::Context;
use super::http::block;
use super::syntax::Directive;
use super::words;
use crate::formats::code::digest;
use crate::text::escape;
use std::collections::{BTreeMap, BTreeSet};

/// How each variable comes about that some directive of a configuration sets: two conditions on it are the same only if that
/// is the same as well.
pub(super) fn definitions<'d>(list: impl Iterator<Item = &'d Directive>) -> BTreeMap<Vec<u8>, String> {
    let mut out: BTreeMap<Vec<u8>, Vec<String>> = BTreeMap::new();
    let mut stack: Vec<(&Directive, String)> = list.map(|directive| (directive, String::new())).collect();
    while let Some((directive, around)) = stack.pop() {
        let names: Vec<&[u8]> = match &directive.name[..] {
            b"set" | b"js_set" | b"perl_set" | b"set_by_lua" | b"set_by_lua_block" | b"set_by_lua_file"
            | b"set_random" => vec![directive.first()],
            b"map" | b"geo" | b"split_clients" | b"keyval" | b"geoip_country" => {
                directive.words.iter().rev().take(1).map(|word| &word.text[..]).collect()
            }
            _ => Vec::new(),
        };
        for name in names {
            let Some(name) = name.strip_prefix(b"$") else { continue };
            let inner: Vec<String> =
                block(directive).iter().map(|d| format!("{} {}", escape(&d.name), d.said())).collect();
            let text = format!("{around}{} {} {}", escape(&directive.name), directive.said(), inner.join("; "));
            out.entry(name.to_vec()).or_default().push(text.trim_end().to_owned());
        }
        if !directive.is("map") && !directive.is("geo") && !directive.is("split_clients") {
            let around = if directive.is("if") { format!("{around}if {}: ", directive.said()) } else { around };
            stack.extend(block(directive).iter().map(|inner| (inner, around.clone())));
        }
    }
    out.into_iter()
        .map(|(name, mut texts)| {
            texts.sort();
            (name, texts.join("; "))
        })
        .collect()
}

/// What another path leads to: it depends on all that the server says, which so belongs to the text.
pub(super) fn anew(path: &str, cx: &Context<'_>) -> String {
    let names = variables(path, cx);
    format!("{path}{names} in the same server ({})", digest(cx.all.as_bytes()))
}

/// A variable, and how it comes about.
pub(super) fn known(variable: &[u8], cx: &Context<'_>) -> String {
    let shown = escape(variable);
    let names = variables(&shown, cx);
    format!("{shown}{names}")
}

/// How the variables in a text come about, where that is said.
pub(super) fn variables(text: &str, cx: &Context<'_>) -> String {
    defined(text, cx.definitions)
}

/// The same, by how each variable comes about.
pub(super) fn defined(text: &str, definitions: &BTreeMap<Vec<u8>, String>) -> String {
    let (mut out, mut pending, mut seen) = (String::new(), vec![text.to_owned()], BTreeSet::new());
    while let Some(text) = pending.pop() {
        for part in text.split('$').skip(1) {
            let part = part.trim_start_matches('{');
            let name: String = part.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
            if let Some(definition) = definitions.get(name.as_bytes()).filter(|_| seen.insert(name)) {
                out.push_str(&format!(" ({definition})"));
                pending.push(definition.clone());
            }
        }
    }
    out
}

/// Everything that a block says, in one text.
pub(super) fn everything(list: &[Directive], out: &mut String) {
    for directive in list {
        if words::inert(&directive.name).is_some() && !directive.is("set") {
            continue;
        }
        out.push_str(&escape(&directive.name));
        out.push(' ');
        out.push_str(&directive.said());
        if let Some(block) = &directive.block {
            out.push('{');
            everything(block, out);
            out.push('}');
        }
        out.push(';');
    }
}
