//! JSON as values.

use super::json::{self, Entry, Kind, Node};
use super::number::Number;
use super::value::{Entry as Named, List, Object, Value, What};
use crate::text::{SourceId, Span};
use std::sync::Arc;

/// A JSON value, with all that is in it.
pub(in crate::formats) fn value_of(source: SourceId, node: Node<'_>) -> Value {
    let (start, end) = node.place();
    let at = Span { source, start, end };
    let what = match node.kind() {
        Kind::Null => What::Null,
        Kind::Truth => What::Truth(node.truth() == Some(true)),
        Kind::Number => match Number::parse(node.written()) {
            Some(number) => What::Number(number),
            // Too large to be counted with: it is still told from others.
            None => What::Text(node.written().into()),
        },
        Kind::Text => What::Text(node.text().unwrap_or_default().into()),
        Kind::List => {
            let items = node.list().into_iter().flatten().map(|item| value_of(source, item)).collect();
            What::List(Arc::new(List { items, more: Vec::new(), is_set: false }))
        }
        Kind::Object => {
            let entries = node.object().map(json::Object::close).unwrap_or_default();
            let entries = entries.iter().map(|Entry { name, key, value }| {
                let (start, end) = key.place();
                Named { name: (*name).into(), at: Span { source, start, end }, value: value_of(source, *value) }
            });
            What::Object(Arc::new(Object { entries: entries.collect(), more: Vec::new() }))
        }
    };
    Value::new(what, at)
}
