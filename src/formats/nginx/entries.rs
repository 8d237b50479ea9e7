//! What `nginx -t` refuses in blocks of entries that are no directives: `map`, `geo`, `split_clients`, `charset_map`.

use super::directives::Contexts;
use super::forms::{Checker, is_fixed, is_variable};
use super::http::block;
use super::syntax::{Directive, Word};
use super::values::{is_hashed, is_network, is_range, number};
use crate::text::escape;
use std::collections::BTreeSet;

impl Checker<'_> {
    /// The variable that a block makes.
    fn made(&mut self, directive: &Directive) {
        if let Some(variable) = directive.words.last()
            && (!is_variable(&variable.text) || is_fixed(&variable.text))
        {
            self.refuse(variable.span, format!("invalid variable name \"{}\"", escape(&variable.text)));
        }
    }

    /// The entries of a map: a text and its value, each text once.
    pub(super) fn map(&mut self, directive: &Directive, context: Contexts) {
        self.made(directive);
        let (mut seen, mut hostnames): (BTreeSet<Vec<u8>>, bool) = (BTreeSet::new(), false);
        for entry in block(directive) {
            let name = &entry.name[..];
            match entry.words.len() {
                0 if name == b"hostnames" => hostnames = true,
                0 if name == b"volatile" => {}
                1 => {
                    self.value(directive, entry, context);
                    self.key(entry, hostnames, &mut seen);
                }
                _ => self.refuse(entry.span, "invalid number of the map parameters"),
            }
        }
    }

    /// Variables in the value of an entry.
    fn value(&mut self, map: &Directive, entry: &Directive, context: Contexts) {
        if !entry.is("include") {
            // The value is looked up as the first word of a map is.
            self.unknown(&Directive { words: entry.words.clone(), block: None, ..map.clone() }, context);
        }
    }

    fn key(&mut self, entry: &Directive, hostnames: bool, seen: &mut BTreeSet<Vec<u8>>) {
        let name = entry.name.to_ascii_lowercase();
        if let Some(expression) = entry.name.strip_prefix(b"~") {
            let word = Word { text: entry.name.clone(), span: entry.head };
            self.expression(&word, expression.strip_prefix(b"*").unwrap_or(expression));
            return;
        }
        if hostnames && !is_hashed(&name) {
            self.refuse(entry.span, format!("invalid hostname or wildcard \"{}\"", escape(&entry.name)));
            return;
        }
        // A name with a point before it stands for itself and for all below.
        let keys = match name.strip_prefix(b".") {
            Some(domain) if hostnames => vec![domain.to_vec(), [b"*", &name[..]].concat()],
            _ if entry.is("include") => Vec::new(),
            _ => vec![name],
        };
        if !keys.into_iter().all(|key| seen.insert(key)) {
            self.refuse(entry.span, format!("conflicting parameter \"{}\"", escape(&entry.name)));
        }
    }

    /// The entries of a geo: networks or ranges, and their values.
    pub(super) fn geo(&mut self, directive: &Directive) {
        self.made(directive);
        let ranges = block(directive).first().is_some_and(|entry| entry.is("ranges"));
        for (at, entry) in block(directive).iter().enumerate() {
            let first = entry.first();
            let right = match &entry.name[..] {
                b"ranges" => entry.words.is_empty() && (at == 0 || ranges),
                b"proxy_recursive" | b"volatile" => entry.words.is_empty(),
                b"default" | b"include" => entry.words.len() == 1,
                b"delete" if ranges => is_range(first),
                b"delete" | b"proxy" => is_network(first),
                name if ranges => is_range(name) && entry.words.len() == 1,
                name => is_network(name) && entry.words.len() == 1,
            };
            if !right {
                self.refuse(entry.span, format!("invalid network \"{}\"", escape(&entry.name)));
            }
        }
    }

    /// The entries of `split_clients`: parts of a hundred, with two digits behind the point at most.
    pub(super) fn split_clients(&mut self, directive: &Directive) {
        self.made(directive);
        let mut total = 0;
        for entry in block(directive) {
            let part = if entry.is("*") { Some(0) } else { hundredths(&entry.name) };
            let Some(part) = part else {
                self.refuse(entry.span, format!("invalid percent value \"{}\"", escape(&entry.name)));
                continue;
            };
            // What is left is for the asterisk.
            total = if entry.is("*") { 10_000 } else { total + part };
            if total > 10_000 {
                self.refuse(entry.span, "percent total is greater than 100%");
                return;
            }
        }
    }

    /// The entries of `charset_map`: a byte and what stands for it.
    pub(super) fn charset_map(&mut self, directive: &Directive) {
        if let [from, to] = &directive.words[..]
            && from.text.eq_ignore_ascii_case(&to.text)
        {
            self.refuse(directive.head, "\"charset_map\" between the same charsets");
        }
        let hexadecimal = |text: &[u8]| !text.is_empty() && text.iter().all(u8::is_ascii_hexdigit);
        for entry in block(directive) {
            if entry.words.len() != 1 || !hexadecimal(&entry.name) || !hexadecimal(entry.first()) {
                self.refuse(entry.span, format!("invalid value \"{}\"", escape(&entry.name)));
            }
        }
    }
}

/// A percentage, in parts of ten thousand.
fn hundredths(text: &[u8]) -> Option<u64> {
    let text = text.strip_suffix(b"%")?;
    let (whole, rest) = match text.iter().position(|byte| *byte == b'.') {
        Some(at) => (&text[..at], &text[at + 1..]),
        None => (text, &b""[..]),
    };
    let rest = match rest {
        [] => 0,
        [digit] => number(&[*digit])? * 10,
        [_, _] => number(rest)?,
        _ => return None,
    };
    let part = number(whole).filter(|whole| *whole <= 1_000)? * 100 + rest;
    (part > 0).then_some(part)
}
