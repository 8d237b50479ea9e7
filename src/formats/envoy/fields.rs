//! Messages of Envoy's API, field by field, so that none is passed over.
//!
//! Protocol Buffers, "ProtoJSON Format": a field is called as the message has it (`filter_chains`) or in lower camel case
//! (`filterChains`); one that is null is as good as absent; numbers may be texts.

use crate::formats::Disposition;
use crate::formats::account::Account;
use crate::formats::code::digest;
use crate::formats::data::value::{Entry, Object, Value, What};
use crate::text::{Span, escape};
use std::collections::BTreeSet;
use std::sync::Arc;

/// The fields of a message that are still to be read.
pub(super) struct Fields<'v> {
    object: Option<&'v Object>,
    at: Span,
    taken: BTreeSet<usize>,
}

impl<'v> Fields<'v> {
    /// The fields of a value. What is no object is a gap; nothing is a message without fields.
    pub(super) fn of(value: &'v Value, account: &mut Account) -> Self {
        if value.object().is_none() && !value.is_null() {
            account.gap(value.at, "Envoy refuses it: an object is expected");
        }
        Self { object: value.object(), at: value.at, taken: BTreeSet::new() }
    }

    /// Where the message stands.
    pub(super) const fn at(&self) -> Span {
        self.at
    }

    fn entry(&mut self, name: &str) -> Option<&'v Entry> {
        let entries = &self.object?.entries;
        let found = entries.iter().enumerate().find(|(_, entry)| is(&entry.name, name));
        found.map(|(at, entry)| {
            self.taken.insert(at);
            entry
        })
    }

    /// A field, if it is there.
    pub(super) fn take(&mut self, name: &'static str) -> Option<&'v Value> {
        self.entry(name).map(|entry| &entry.value).filter(|value| !value.is_null())
    }

    /// The first of some fields of which a message has one, and its name.
    pub(super) fn one_of(
        &mut self,
        names: &[&'static str],
        account: &mut Account,
    ) -> Option<(&'static str, &'v Value)> {
        let mut found = None;
        for name in names {
            let Some(value) = self.take(name) else { continue };
            if found.is_some() {
                account.gap(
                    value.at,
                    format!("Envoy refuses it: `{name}` stands beside another of which one is expected"),
                );
                continue;
            }
            found = Some((*name, value));
        }
        found
    }

    /// A text.
    pub(super) fn text(&mut self, name: &'static str, account: &mut Account) -> Option<Arc<str>> {
        let value = self.take(name)?;
        let text = value.as_text();
        if text.is_none() {
            account.gap(value.at, format!("Envoy refuses it: `{name}` is a text"));
        }
        text
    }

    /// A name that is for people, or for other parts of the file.
    pub(super) fn name(&mut self, account: &mut Account) -> Arc<str> {
        let value = self.entry("name").filter(|entry| !entry.value.is_null());
        if let Some(entry) = value {
            account.claim(whole(entry), Disposition::Inert("name"));
        }
        self.text("name", account).unwrap_or_default()
    }

    /// A list; nothing if it is not there. A message alone is a list of one: Envoy's reader takes it for that.
    pub(super) fn list(&mut self, name: &'static str, account: &mut Account) -> &'v [Value] {
        let Some(value) = self.take(name) else { return &[] };
        match value.list() {
            Some(list) => &list.items,
            None if value.object().is_some() => {
                account.claim(value.at, Disposition::Inert("a list of one"));
                std::slice::from_ref(value)
            }
            None => {
                account.gap(value.at, format!("Envoy refuses it: `{name}` is a list"));
                &[]
            }
        }
    }

    /// Texts of a list, with their places.
    pub(super) fn texts(&mut self, name: &'static str, account: &mut Account) -> Vec<(Arc<str>, Span)> {
        let mut out = Vec::new();
        for value in self.list(name, account) {
            match value.as_text() {
                Some(text) => out.push((text, value.at)),
                None => account.gap(value.at, "Envoy refuses it: a text is expected"),
            }
        }
        out
    }

    /// A whole number within bounds.
    pub(super) fn number(&mut self, name: &'static str, most: u32, account: &mut Account) -> Option<u32> {
        let value = self.take(name)?;
        let found = value.as_integer().and_then(|number| u32::try_from(number).ok()).filter(|number| *number <= most);
        if found.is_none() {
            account.gap(value.at, format!("Envoy refuses it: `{name}` is a number from 0 to {most}"));
        }
        found
    }

    /// A truth; that it is false if it is not there.
    pub(super) fn truth(&mut self, name: &'static str, account: &mut Account) -> bool {
        let Some(value) = self.take(name) else { return false };
        if value.as_truth().is_none() {
            account.gap(value.at, format!("Envoy refuses it: `{name}` is true or false"));
        }
        value.as_truth().unwrap_or(false)
    }

    /// Says of fields that they change nothing about where requests go.
    pub(super) fn inert(&mut self, names: &[&'static str], why: &'static str, account: &mut Account) {
        for name in names {
            if let Some(entry) = self.entry(name) {
                account.claim(whole(entry), Disposition::Inert(why));
            }
        }
    }

    /// Fields that matter only by whether they are the same: how they read.
    pub(super) fn settings(&mut self, names: &[&'static str]) -> Vec<String> {
        let found = names.iter().filter_map(|name| Some((*name, &self.entry(name)?.value)));
        found.map(|(name, value)| format!("{name} {}", brief(value))).collect()
    }

    /// A field whose effect is not read here is a gap.
    pub(super) fn gap(&mut self, names: &[&'static str], why: &str, account: &mut Account) {
        for name in names {
            if let Some(entry) = self.entry(name).filter(|entry| !entry.value.is_null()) {
                account.gap(whole(entry), format!("`{name}`: {why}"));
            }
        }
    }

    /// Says of all fields that are left that nobody knows them.
    pub(super) fn close(self, account: &mut Account) {
        let entries = self.object.into_iter().flat_map(|object| &object.entries).enumerate();
        for (_, entry) in entries.filter(|(at, _)| !self.taken.contains(at)) {
            let reason = format!("the field `{}` is not known here", escape(entry.name.as_bytes()));
            account.gap(whole(entry), reason);
        }
    }
}

/// From the name of a field to the end of its value.
pub(super) fn whole(entry: &Entry) -> Span {
    let end = if entry.value.at.source == entry.at.source { entry.value.at.end } else { entry.at.end };
    // What an alias stands for begins elsewhere.
    Span { end: end.max(entry.at.end), ..entry.at }
}

/// Whether a name in the text is that of a field, either way.
pub(super) fn is(written: &str, name: &str) -> bool {
    let mut written = written.bytes();
    let mut up = false;
    let camel = name.bytes().filter_map(|byte| {
        let big = std::mem::replace(&mut up, byte == b'_');
        (byte != b'_').then(|| if big { byte.to_ascii_uppercase() } else { byte })
    });
    written.clone().eq(name.bytes()) || camel.eq(written.by_ref())
}

/// A field of a value that is an object.
pub(super) fn field<'v>(value: &'v Value, name: &str) -> Option<&'v Value> {
    let entries = &value.object()?.entries;
    entries.iter().find(|entry| is(&entry.name, name)).map(|entry| &entry.value).filter(|value| !value.is_null())
}

/// How a value reads: equal texts, equal values. Names are as messages have them, in order.
pub(super) fn said(value: &Value) -> String {
    match &value.what {
        What::Null => "null".to_owned(),
        What::Truth(truth) => truth.to_string(),
        What::Number(number) => number.to_string(),
        What::Text(text) => {
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-:*".contains(&byte);
            if !text.is_empty() && text.bytes().all(plain) { text.to_string() } else { format!("{text:?}") }
        }
        What::Unknown(_) => "unknown".to_owned(),
        What::List(list) => format!("[{}]", list.items.iter().map(said).collect::<Vec<_>>().join(", ")),
        What::Object(object) => {
            let one = |Entry { name, at: _, value }: &Entry| {
                let text = said(value);
                (snake(name), if is_secret(name) { format!("(hidden {})", digest(text.as_bytes())) } else { text })
            };
            let mut parts: Vec<(String, String)> = object.entries.iter().map(one).collect();
            parts.sort();
            let parts: Vec<String> = parts.into_iter().map(|(name, value)| format!("{name}: {value}")).collect();
            format!("{{{}}}", parts.join(", "))
        }
    }
}

/// Whether what stands in a field must not be printed.
pub(super) fn is_secret(name: &str) -> bool {
    const NAMES: &[&str] =
        &["private_key", "password", "session_ticket_keys", "pkcs12", "generic_secret", "inline_bytes", "htpasswd"];
    NAMES.iter().any(|secret| is(name, secret))
}

/// The same, told apart by a digest if it is long.
pub(super) fn brief(value: &Value) -> String {
    const LONGEST: usize = 120;
    let text = said(value);
    if text.len() <= LONGEST { text } else { format!("(sha256 {})", digest(text.as_bytes())) }
}

/// A name of a field as messages have it; keys that are no names of fields stay as they are.
fn snake(name: &str) -> String {
    if !name.bytes().all(|byte| byte.is_ascii_alphanumeric()) || !name.starts_with(|c: char| c.is_ascii_lowercase()) {
        return name.to_owned();
    }
    let mut out = String::with_capacity(name.len() + 4);
    for c in name.chars() {
        if c.is_ascii_uppercase() {
            out.push('_');
        }
        out.push(c.to_ascii_lowercase());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_called_either_way() {
        assert!(is("filter_chains", "filter_chains") && is("filterChains", "filter_chains"));
        assert!(!is("filterchains", "filter_chains") && !is("filter_chain", "filter_chains"));
        assert!(is("http2ProtocolOptions", "http2_protocol_options"));
        assert_eq!(snake("filterChains"), "filter_chains");
        assert_eq!(snake("envoy.filters.http.rbac"), "envoy.filters.http.rbac");
    }
}
