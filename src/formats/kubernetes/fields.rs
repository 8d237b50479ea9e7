//! Objects of the API, field by field, so that none is passed over.

use crate::formats::Disposition;
use crate::formats::account::Account;
use crate::formats::data::value::{Entry, Object, Value, What};
use crate::text::{Span, escape};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The fields of an object that are still to be read. One that is null is as good as absent.
pub(super) struct Fields<'v> {
    object: Option<&'v Object>,
    at: Span,
    taken: Vec<&'static str>,
}

impl<'v> Fields<'v> {
    /// The fields of a value. What is no object is a gap; nothing is an object without fields.
    pub(super) fn of(value: &'v Value, account: &mut Account) -> Self {
        if value.object().is_none() && !value.is_null() {
            account.gap(value.at, "an object is expected");
        }
        Self { object: value.object(), at: value.at, taken: Vec::new() }
    }

    /// Where the object stands.
    pub(super) const fn at(&self) -> Span {
        self.at
    }

    /// Where the value of a field stands, or else the object.
    pub(super) fn place(&self, name: &str) -> Span {
        self.object.and_then(|object| object.get(name)).map_or(self.at, |value| value.at)
    }

    /// A field, if it is there.
    pub(super) fn take(&mut self, name: &'static str) -> Option<&'v Value> {
        self.take_null(name).filter(|value| !value.is_null())
    }

    /// A field, if it is there; it may be null.
    pub(super) fn take_null(&mut self, name: &'static str) -> Option<&'v Value> {
        self.taken.push(name);
        self.object?.get(name)
    }

    /// A text.
    pub(super) fn text(&mut self, name: &'static str, account: &mut Account) -> Option<&'v str> {
        let value = self.take(name)?;
        let text = value.text();
        if text.is_none() {
            account.gap(value.at, format!("`{name}` is a text"));
        }
        text
    }

    /// A text without blanks: a name, a host, a path.
    pub(super) fn word(&mut self, name: &'static str, account: &mut Account) -> Option<&'v str> {
        let at = self.place(name);
        let text = self.text(name, account)?;
        if !is_word(text) {
            account.gap(at, format!("`{name}` is a word"));
            return None;
        }
        Some(text)
    }

    /// `true` or `false`.
    pub(super) fn truth(&mut self, name: &'static str, account: &mut Account) -> Option<bool> {
        let value = self.take(name)?;
        if let What::Truth(truth) = value.what {
            return Some(truth);
        }
        account.gap(value.at, format!("`{name}` is true or false"));
        None
    }

    /// A field that decides nothing here and that is compared as it is written, unless it says what goes without saying.
    pub(super) fn setting(&mut self, name: &'static str, usual: &str, account: &mut Account) -> Option<String> {
        let value = self.take(name)?;
        if let Some(entry) = self.object.and_then(|object| object.entry(name)) {
            account.claim(whole(entry), Disposition::Opaque(SETTING));
        }
        let shown = super::shown::value(value);
        (shown.trim_matches('"') != usual).then(|| format!("{name}: {shown}"))
    }

    /// A list; nothing if it is not there.
    pub(super) fn list(&mut self, name: &'static str, account: &mut Account) -> Option<&'v [Value]> {
        let value = self.take(name)?;
        let list = value.list().map(|list| list.items.as_slice());
        if list.is_none() {
            account.gap(value.at, format!("`{name}` is a list"));
        }
        list
    }

    /// A whole number within bounds.
    pub(super) fn number(
        &mut self,
        name: &'static str,
        bounds: std::ops::RangeInclusive<i128>,
        account: &mut Account,
    ) -> Option<i128> {
        let value = self.take(name)?;
        let found = if let What::Number(number) = &value.what { number.integer() } else { None };
        let found = found.filter(|number| bounds.contains(number));
        if found.is_none() {
            account.gap(value.at, format!("`{name}` is a number from {} to {}", bounds.start(), bounds.end()));
        }
        found
    }

    /// Texts by name.
    pub(super) fn texts(&mut self, name: &'static str, account: &mut Account) -> Labels {
        self.take(name).map_or_else(Labels::new, |value| labels(value, account))
    }

    /// Says of a field that it changes nothing.
    pub(super) fn inert(&mut self, name: &'static str, why: &'static str, account: &mut Account) {
        self.taken.push(name);
        if let Some(entry) = self.object.and_then(|object| object.entry(name)) {
            account.claim(whole(entry), Disposition::Inert(why));
        }
    }

    /// Says of all fields that are left that they change nothing.
    pub(super) fn rest_inert(self, why: &'static str, account: &mut Account) {
        for entry in self.left() {
            account.claim(whole(entry), Disposition::Inert(why));
        }
    }

    /// The fields of `spec`, beside which nothing is left to be read; without it the resource is a gap.
    pub(super) fn spec(mut self, at: Span, account: &mut Account) -> Option<Self> {
        let spec = self.take("spec");
        self.close(account);
        let Some(spec) = spec else {
            account.gap(at, "it has no `spec`");
            return None;
        };
        Some(Self::of(spec, account))
    }

    /// Says of all fields that are left that nobody knows them.
    pub(super) fn close(self, account: &mut Account) {
        for entry in self.left() {
            let reason = format!("the field `{}` is not known here", escape(entry.name.as_bytes()));
            account.gap(whole(entry), reason);
        }
    }

    fn left(&self) -> impl Iterator<Item = &'v Entry> {
        let entries = self.object.into_iter().flat_map(|object| &object.entries);
        entries.filter(|entry| !self.taken.contains(&&*entry.name))
    }
}

/// What is said of fields that decide nothing here but can matter to clients and servers.
pub(super) const SETTING: &str = "a setting that is compared as it is written";

/// Whether a text is one word: ASCII, without blanks.
pub(super) fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// The labels of an object.
pub(super) type Labels = BTreeMap<Arc<str>, Arc<str>>;

/// An object of texts. What the API server refuses as the name or value of a label is a gap.
pub(super) fn labels(value: &Value, account: &mut Account) -> Labels {
    let mut labels = Labels::new();
    if value.is_null() {
        return labels;
    }
    let Some(object) = value.object() else {
        account.gap(value.at, "an object of labels is expected");
        return labels;
    };
    for entry in &object.entries {
        match entry.value.text() {
            Some(text) if is_key(&entry.name) && is_label(text) => {
                labels.insert(Arc::clone(&entry.name), text.into());
            }
            Some(_) | None => account.gap(whole(entry), "this is no label: names and values are short texts"),
        }
    }
    labels
}

/// Whether a text can be the value of a label: "63 characters or less, begin and end with an alphanumeric character, with
/// dashes, underscores, dots and alphanumerics between", or empty.
pub(super) fn is_label(text: &str) -> bool {
    let ends = |byte: Option<u8>| byte.is_none_or(|byte| byte.is_ascii_alphanumeric());
    text.len() <= 63
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
        && ends(text.bytes().next())
        && ends(text.bytes().last())
}

/// Whether a text can be the name of a label: a value, behind a domain and `/` or not.
pub(super) fn is_key(text: &str) -> bool {
    let name = match text.split_once('/') {
        None => text,
        Some((domain, name)) => {
            let part = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
            if domain.len() > 253 || !domain.split('.').all(part) {
                return false;
            }
            name
        }
    };
    !name.is_empty() && is_label(name)
}

/// From the name of a field to the end of its value.
pub(super) fn whole(entry: &Entry) -> Span {
    let end = if entry.value.at.source == entry.at.source { entry.value.at.end } else { entry.at.end };
    // What an alias stands for begins elsewhere.
    Span { end: end.max(entry.at.end), ..entry.at }
}
