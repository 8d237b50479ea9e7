//! Variables: what a text means depends on how those in it come about, so that belongs to the text wherever it is compared.

use super::handlers::Context;
use super::http::block;
use super::syntax::Directive;
use super::words;
use crate::formats::code::digest;
use crate::text::escape;
use std::collections::{BTreeMap, BTreeSet};

/// How variables come about, by name, in the order in which that is said: two conditions on one are the same only if that is
/// the same as well.
#[derive(Debug, Default)]
pub(super) struct Definitions<'o> {
    /// What holds around.
    outer: Option<&'o Self>,
    own: BTreeMap<Vec<u8>, Vec<String>>,
}

impl<'o> Definitions<'o> {
    /// Those of a block. What servers say is their own.
    pub(super) fn new<'d>(list: impl Iterator<Item = &'d Directive>, outer: Option<&'o Self>) -> Self {
        let mut out = Self { outer, own: BTreeMap::new() };
        for directive in list {
            out.add(directive, "");
        }
        out
    }

    fn add(&mut self, directive: &Directive, around: &str) {
        let said = || {
            let mut entries: Vec<&Directive> = block(directive).iter().collect();
            if directive.is("map") {
                // The expressions are asked in order, and after all else, which is looked up.
                let rank = |entry: &&Directive| match entry.name.starts_with(b"~") {
                    true => None,
                    false => Some((entry.name.clone(), entry.said())),
                };
                entries.sort_by_key(|entry| (entry.name.starts_with(b"~"), rank(entry)));
            }
            let inner: Vec<String> = entries.iter().map(|d| format!("{} {}", escape(&d.name), d.said())).collect();
            let text = format!("{around}{} {} {}", escape(&directive.name), directive.said(), inner.join("; "));
            text.trim_end().to_owned()
        };
        for name in set_by(directive) {
            self.own.entry(name).or_default().push(said());
        }
        let inner = match &directive.name[..] {
            b"map" | b"geo" | b"split_clients" | b"upstream" => return,
            b"if" | b"location" | b"limit_except" => {
                format!("{around}{} {}: ", escape(&directive.name), directive.said())
            }
            _ => around.to_owned(),
        };
        for directive in block(directive) {
            self.add(directive, &inner);
        }
    }

    fn get(&self, name: &[u8]) -> Option<String> {
        let around = self.outer.and_then(|outer| outer.get(name));
        let own = self.own.get(name).map(|texts| texts.join("; "));
        let all: Vec<String> = around.into_iter().chain(own).collect();
        (!all.is_empty()).then(|| all.join("; "))
    }
}

/// The variables that a directive sets, or that an expression in it captures, in small letters: `$A` is `$a`.
pub(super) fn set_by(directive: &Directive) -> Vec<Vec<u8>> {
    let words = || directive.words.iter().map(|word| &word.text[..]);
    let bare = |name: &[u8]| name.strip_prefix(b"$").map(<[u8]>::to_ascii_lowercase);
    match &directive.name[..] {
        b"set" | b"js_set" | b"js_var" | b"perl_set" | b"set_by_lua" | b"set_by_lua_block" | b"set_by_lua_file"
        | b"set_random" | b"auth_request_set" => bare(directive.first()).into_iter().collect(),
        b"map" | b"geo" | b"split_clients" | b"keyval" | b"geoip_country" => {
            let entries = block(directive).iter().filter(|entry| entry.name.starts_with(b"~"));
            let captured = entries.flat_map(|entry| captures(&entry.name));
            words().next_back().and_then(bare).into_iter().chain(captured).collect()
        }
        b"valid_referers" => vec![b"invalid_referer".to_vec()],
        b"secure_link" | b"secure_link_md5" | b"secure_link_secret" => {
            vec![b"secure_link".to_vec(), b"secure_link_expires".to_vec()]
        }
        b"location" | b"server_name" | b"if" | b"rewrite" => words().flat_map(captures).collect(),
        _ => Vec::new(),
    }
}

/// The names of the groups of an expression: `(?<name>`, `(?P<name>`, `(?'name'`.
pub(super) fn captures(expression: &[u8]) -> Vec<Vec<u8>> {
    let mut out = Vec::new();
    for at in memchr::memmem::find_iter(expression, b"(?") {
        let rest = &expression[at + 2..];
        let rest = rest.strip_prefix(b"P").unwrap_or(rest);
        let Some(rest) = rest.strip_prefix(b"<").or_else(|| rest.strip_prefix(b"'")) else { continue };
        let name = rest.iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_');
        let name: Vec<u8> = name.map(u8::to_ascii_lowercase).collect();
        if !name.is_empty() {
            out.push(name);
        }
    }
    out
}

/// The expressions with groups among the names of a server and what the rewrite module reads: `$1` is a part of the last
/// that matched.
pub(super) fn grouped(list: &[Directive]) -> String {
    let grouped = |directive: &&Directive| {
        // Of an `if`, what stands behind the operator.
        let skipped = match &directive.name[..] {
            b"if" => 2,
            b"server_name" | b"rewrite" => 0,
            _ => return false,
        };
        directive.words.iter().skip(skipped).any(|word| word.text.contains(&b'('))
    };
    let all = list.iter().filter(grouped).map(|d| format!("{} {}", escape(&d.name), d.said()));
    all.collect::<Vec<_>>().join("; ")
}

/// What another path leads to: it depends on all that the server says, which so belongs to the text.
pub(super) fn anew(path: &str, cx: &Context<'_>) -> String {
    // The expressions are part of what the server says.
    let names = variables(path, &Context { captured: "", ..*cx });
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
    let (mut out, seen) = defined(text, cx.definitions, cx.captured);
    // What sets one of them further down has not happened yet.
    let mut later: Vec<&Directive> = cx.later.iter().collect();
    while let Some(directive) = later.pop() {
        if set_by(directive).iter().any(|name| seen.contains(name)) && !directive.is("rewrite") && !directive.is("if") {
            out.push_str(&format!(" (before {} {})", escape(&directive.name), directive.said()));
        }
        if directive.is("if") {
            later.extend(block(directive));
        }
    }
    out
}

/// The same, by how each variable comes about and what the numbered ones are parts of; and which variables those are.
pub(super) fn defined(text: &str, definitions: &Definitions<'_>, captured: &str) -> (String, BTreeSet<Vec<u8>>) {
    let (mut out, mut pending, mut seen) = (String::new(), vec![text.to_owned()], BTreeSet::new());
    let mut numbered = captured.is_empty();
    while let Some(text) = pending.pop() {
        for part in text.split('$').skip(1) {
            let part = part.trim_start_matches('{');
            if part.starts_with(|c: char| c.is_ascii_digit()) {
                if !numbered {
                    out.push_str(&format!(" (of {captured})"));
                }
                numbered = true;
                continue;
            }
            let name = part.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_');
            let name: String = name.map(|letter| letter.to_ascii_lowercase()).collect();
            let Some(definition) = definitions.get(name.as_bytes()) else { continue };
            if seen.insert(name.into_bytes()) {
                out.push_str(&format!(" ({definition})"));
                pending.push(definition);
            }
        }
    }
    (out, seen)
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
