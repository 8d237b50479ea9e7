//! What directives say that decides nothing that is modelled, and can matter to requests all the same: how a server is asked,
//! pages of errors, from whom addresses are believed. It is compared as it reads: each in its server and location, in order
//! where order counts.

use super::http::block;
use super::syntax::{Directive, called};
use super::variables::{Definitions, defined};
use super::words::{is_pass, is_setting};
use crate::text::escape;
use std::collections::{BTreeMap, HashSet};

/// What a server says of each name, or inherits.
pub(super) type Settings = BTreeMap<Vec<u8>, String>;

/// What is looked at around a block: the blocks it stands in, the innermost first; the locations that pages of errors lead to;
/// the names of groups of servers.
#[derive(Clone, Copy)]
struct Around<'a> {
    blocks: &'a [&'a [Directive]],
    pages: &'a [&'a [u8]],
    groups: &'a HashSet<String>,
}

/// The settings of a server. A block has what is said around it of all names of which it says nothing itself.
pub(super) fn of(
    list: &[Directive],
    outer: &[Directive],
    pages: &[&[u8]],
    (definitions, groups): (&Definitions<'_>, &HashSet<String>),
) -> Settings {
    let mut out = Settings::new();
    let blocks: &[&[Directive]] = &[outer];
    let mut add = |parts: Vec<(&[u8], String)>| {
        let mut own = Settings::new();
        for (name, text) in parts {
            let all = own.entry(name.to_vec()).or_default();
            all.push_str(if all.is_empty() { "" } else { " " });
            all.push_str(&text);
        }
        for (name, text) in own {
            out.entry(name).or_insert(text);
        }
    };
    add(parts(list, Around { blocks, pages, groups }));
    add(parts(outer, Around { blocks: &[], pages, groups }));
    let texts: Vec<&str> = out.values().map(String::as_str).collect();
    let (names, _) = defined(&texts.join(" "), definitions, "");
    if !names.is_empty() {
        // No directive is called so, and it comes last.
        out.insert(b"~".to_vec(), names.trim_start().to_owned());
    }
    out
}

/// Whether what directives of that name say in a server could be said around it as well.
pub(super) fn is_inherited(name: &[u8]) -> bool {
    name == b"~" || is_setting(name)
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

fn inside(list: &[Directive], around: Around<'_>) -> String {
    let texts: Vec<String> = parts(list, around).into_iter().map(|(_, text)| text).collect();
    texts.join(" ")
}

/// What a block says, by name. The order of directives of different names does not count, nor does that of locations.
fn parts<'d>(list: &'d [Directive], around: Around<'_>) -> Vec<(&'d [u8], String)> {
    let blocks: Vec<&[Directive]> = std::iter::once(list).chain(around.blocks.iter().copied()).collect();
    let within = Around { blocks: &blocks, ..around };
    let mut parts: Vec<(&[u8], String)> = Vec::new();
    for directive in list {
        let name = &directive.name[..];
        match name {
            b"location" => {
                let own = block(directive);
                let hidden = own.iter().any(|d| d.is("internal")) || around.pages.contains(&directive.first());
                let text = if hidden { whole(own) } else { inside(own, within) };
                if !text.is_empty() {
                    parts.push((name, format!("location {} {{ {text} }}", directive.said())));
                }
            }
            b"if" | b"limit_except" => {
                let text = inside(block(directive), within);
                if !text.is_empty() {
                    parts.push((name, format!("{} {} {{ {text} }}", escape(name), directive.said())));
                }
            }
            b"rewrite" if directive.words.get(2).is_some_and(|flag| flag.text == b"break") => {
                parts.push((name, format!("rewrite {};", directive.said())));
            }
            _ if is_pass(name) => parts.extend(asked(directive, within).map(|text| (name, format!("{text};")))),
            _ if is_setting(name) || directive.is("alias") => parts.push((name, one(directive))),
            _ => {}
        }
    }
    parts.sort_by(|a, b| match (a.0, b.0) {
        (b"location", b"location") => a.cmp(b),
        (one, other) => one.cmp(other),
    });
    parts
}

/// How a server is asked, without its name unless that goes out; `None`: with HTTP and the path of the request, or by what is
/// computed.
fn asked(directive: &Directive, around: Around<'_>) -> Option<String> {
    let written = escape(directive.first());
    if written.contains('$') {
        return None;
    }
    let (scheme, rest) = written.split_once("://").unwrap_or(("", &written));
    let (host, path) = match rest.strip_prefix("unix:") {
        Some(socket) => ("", socket.split_once(':').map_or("", |(_, path)| path)),
        None => rest.split_at(rest.find('/').unwrap_or(rest.len())),
    };
    let name = escape(&directive.name);
    if around.groups.contains(host) && is_told(&directive.name, scheme, around.blocks) {
        return Some(format!("{name} {written}"));
    }
    match &directive.name[..] {
        b"proxy_pass" if scheme.is_empty() || (scheme == "http" && path.is_empty()) => None,
        b"proxy_pass" => Some(format!("proxy_pass {scheme}://*{path}")),
        _ => Some(name),
    }
}

/// Whether servers are told how their group is called: it is the `Host` of requests unless another is said, and the name that
/// TLS asks for (nginx.org, `proxy_set_header`, `proxy_ssl_name`, `grpc_set_header`; `$proxy_host`).
fn is_told(pass: &[u8], scheme: &str, blocks: &[&[Directive]]) -> bool {
    let said = |name: &'static str| {
        let mut own = blocks.iter().map(move |block| called(block, name).collect::<Vec<_>>());
        own.find(|all| !all.is_empty()).unwrap_or_default()
    };
    let on = |name| said(name).iter().any(|directive| directive.first() == b"on");
    let computed = |directive: &Directive| directive.words.iter().any(|word| is_host(&word.text));
    let (header, [named, asked, checked]) = match pass {
        b"proxy_pass" => ("proxy_set_header", ["proxy_ssl_name", "proxy_ssl_server_name", "proxy_ssl_verify"]),
        b"grpc_pass" => ("grpc_set_header", ["grpc_ssl_name", "grpc_ssl_server_name", "grpc_ssl_verify"]),
        b"uwsgi_pass" => ("", ["uwsgi_ssl_name", "uwsgi_ssl_server_name", "uwsgi_ssl_verify"]),
        _ => return false,
    };
    let hosts = said(header).iter().any(|directive| directive.first().eq_ignore_ascii_case(b"host"));
    let secure = matches!(scheme, "https" | "grpcs" | "suwsgi") || on("proxy_ssl");
    (!header.is_empty() && !scheme.is_empty() && !hosts)
        || (pass == b"grpc_pass" && !hosts)
        || blocks.iter().any(|block| block.iter().any(computed))
        || (secure && said(named).is_empty() && (on(asked) || on(checked)))
}

fn is_host(text: &[u8]) -> bool {
    [&b"$proxy_host"[..], b"${proxy_host}"].iter().any(|name| memchr::memmem::find(text, name).is_some())
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
