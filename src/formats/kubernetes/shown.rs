//! Values in one line, whatever their layout.

use crate::formats::data::value::{Entry, Value, What};
use crate::text::escape;

/// A value: equal ones read the same, however they are written.
pub(super) fn value(shown: &Value) -> String {
    match &shown.what {
        What::Null => "null".to_owned(),
        What::Truth(truth) => truth.to_string(),
        What::Number(number) => number.to_string(),
        What::Text(text) => format!("\"{}\"", escape(text.as_bytes())),
        What::List(list) => format!("[{}]", list.items.iter().map(value).collect::<Vec<_>>().join(", ")),
        What::Object(object) => {
            let mut entries: Vec<&Entry> = object.entries.iter().filter(|entry| !entry.value.is_null()).collect();
            entries.sort_by(|a, b| a.name.cmp(&b.name));
            let one = |entry: &&Entry| format!("{}: {}", escape(entry.name.as_bytes()), value(&entry.value));
            format!("{{{}}}", entries.iter().map(one).collect::<Vec<_>>().join(", "))
        }
        What::Unknown(unknown) => format!("<{}>", escape(unknown.0.as_bytes())),
    }
}
