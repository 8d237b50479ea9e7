//! What directives say that decides nothing that is modelled, and can matter to requests all the same: how a server is asked,
//! pages of errors, from whom addresses are believed. It is compared as it reads: each in its server and location, in order
//! where order counts.

use super::http::block;
use super::syntax::{Directive, called};
use super::variables::{Definitions, defined};
use super::words::{is_pass, is_setting};
use crate::text::escape;

/// The settings of a server, or of what stands around servers; empty if there are none.
pub(super) fn of(list: &[Directive], pages: &[&[u8]], definitions: &Definitions<'_>) -> String {
    let text = inside(list, pages);
    let (names, _) = defined(&text, definitions, "");
    format!("{text}{names}")
}

/// The locations that pages of errors lead to by name, which no request of a client asks for.
pub(super) fn pages(list: &[Directive]) -> Vec<&[u8]> {
    let own = called(list, "error_page").filter_map(|d| d.words.last()).map(|word| &word.text[..]);
    let mut out: Vec<&[u8]> = own.filter(|name| name.starts_with(b"@")).collect();
    for directive in list {
        out.extend(pages(block(directive)));
    }
    out
}

fn inside(list: &[Directive], pages: &[&[u8]]) -> String {
    // The order of directives of different names does not count, nor does that of locations.
    let mut parts: Vec<(&[u8], String)> = Vec::new();
    for directive in list {
        let name = &directive.name[..];
        match name {
            b"location" => {
                let own = block(directive);
                let hidden = own.iter().any(|d| d.is("internal")) || pages.contains(&directive.first());
                let text = if hidden { whole(own) } else { inside(own, pages) };
                if !text.is_empty() {
                    parts.push((name, format!("location {} {{ {text} }}", directive.said())));
                }
            }
            b"if" | b"limit_except" => {
                let text = inside(block(directive), pages);
                if !text.is_empty() {
                    parts.push((name, format!("{} {} {{ {text} }}", escape(name), directive.said())));
                }
            }
            b"rewrite" if directive.words.get(2).is_some_and(|flag| flag.text == b"break") => {
                parts.push((name, format!("rewrite {};", directive.said())));
            }
            _ if is_pass(name) => parts.extend(asked(directive).map(|text| (name, format!("{text};")))),
            _ if is_setting(name) || directive.is("alias") => parts.push((name, one(directive))),
            _ => {}
        }
    }
    parts.sort_by(|a, b| match (a.0, b.0) {
        (b"location", b"location") => a.cmp(b),
        (one, other) => one.cmp(other),
    });
    let texts: Vec<String> = parts.into_iter().map(|(_, text)| text).collect();
    texts.join(" ")
}

/// How a server is asked, without its name; `None`: with HTTP and the path of the request, or by what is computed.
fn asked(directive: &Directive) -> Option<String> {
    let written = escape(directive.first());
    if written.contains('$') {
        return None;
    }
    if !directive.is("proxy_pass") {
        return Some(escape(&directive.name));
    }
    let (scheme, rest) = written.split_once("://")?;
    let path = match rest.strip_prefix("unix:") {
        Some(socket) => socket.split_once(':').map_or("", |(_, path)| path),
        None => rest.find('/').and_then(|at| rest.get(at..)).unwrap_or_default(),
    };
    (scheme != "http" || !path.is_empty()).then(|| format!("proxy_pass {scheme}://*{path}"))
}

/// All that a block says, in order.
pub(super) fn whole(list: &[Directive]) -> String {
    let texts: Vec<String> = list.iter().map(one).collect();
    texts.join(" ")
}

fn one(directive: &Directive) -> String {
    let head = format!("{} {}", escape(&directive.name), directive.said());
    match &directive.block {
        Some(block) => format!("{} {{ {} }}", head.trim_end(), whole(block)),
        None => format!("{};", head.trim_end()),
    }
}
