//! What readers of JSON do with the keys of an object: each is taken, named as inert, or left and then a gap.

use super::json::{Entry, Node, Object};
use crate::formats::Disposition;
use crate::formats::account::Account;
use crate::text::{SourceId, Span, escape};

/// A reader of one JSON text that accounts for it.
pub(in crate::formats) trait Keys {
    /// The text.
    fn source(&self) -> SourceId;

    /// Where it is accounted for.
    fn account(&mut self) -> &mut Account;

    /// Where a value stands.
    fn span(&self, node: Node<'_>) -> Span {
        let (start, end) = node.place();
        Span { source: self.source(), start, end }
    }

    /// What a value says has an effect that cannot be bounded, or is not as it has to be.
    fn gap(&mut self, node: Node<'_>, reason: impl Into<String>) {
        let at = self.span(node);
        self.account().gap(at, reason);
    }

    /// A key with its value changes nothing, for that reason.
    fn inert(&mut self, entry: &Entry<'_>, why: &'static str) {
        let (key, value) = (self.span(entry.key), self.span(entry.value));
        self.account().claim(Span { end: value.end, ..key }, Disposition::Inert(why));
    }

    /// Of these keys, those that are there change nothing.
    fn inert_keys(&mut self, object: &mut Object<'_>, keys: &[&str], why: &'static str) {
        for key in keys {
            if let Some(entry) = object.take_entry(key) {
                self.inert(&entry, why);
            }
        }
    }

    /// Whatever nobody took of an object is not known.
    fn close(&mut self, object: Object<'_>) {
        for entry in object.close() {
            self.unknown_key(&entry);
        }
    }

    /// A key is not known.
    fn unknown_key(&mut self, entry: &Entry<'_>) {
        self.gap(entry.key, format!("the key `{}` is not known here", escape(entry.name.as_bytes())));
    }
}
