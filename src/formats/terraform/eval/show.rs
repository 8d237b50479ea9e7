use crate::formats::data::value::{Entry, More, Unknown, Value, What};
use crate::text::{Span, hex};
use sha2::{Digest as _, Sha256};
use std::fmt::Write as _;
use std::hash::BuildHasher as _;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// From so many bytes on, a value is not shown but told apart.
const LONGEST: usize = 160;
/// From so many bytes on, what else is in a value is not looked at.
const MOST: usize = 1 << 20;

/// The text of a value within the name of an unknown one: equal texts, equal values.
pub(in super::super) fn show(value: &Value) -> String {
    let mut out = String::new();
    write(value, &mut out);
    shortened(out)
}

/// The whole text of a value, however long.
pub(in super::super) fn show_all(value: &Value) -> String {
    let mut out = String::new();
    write(value, &mut out);
    out
}

/// A value that is computed from others of which some are not known.
pub(in super::super) fn unknown_of(name: &str, from: &[&Value], at: Span) -> Value {
    let hidden = from.iter().any(|value| value.sensitive);
    Value::unknown(&shortened(name.to_owned()), at).hidden(hidden).computed_from(from.iter().copied())
}

/// Any number of values under a name.
pub(in super::super) fn more(name: &str, like: Value) -> More {
    More { name: Unknown(shortened(name.to_owned()).into()), like }
}

fn shortened(text: String) -> String {
    if text.len() <= LONGEST {
        return text;
    }
    let digest = Sha256::digest(text.as_bytes());
    let mut end = LONGEST / 2;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let mut out = text[..end].to_owned();
    out.push_str("… #");
    out.push_str(&hex(&digest[..8]));
    out
}

fn write(value: &Value, out: &mut String) {
    if out.len() > MOST {
        // It is told apart from everything else.
        static NEXT: AtomicU64 = AtomicU64::new(0);
        write!(out, "… #{}", NEXT.fetch_add(1, Ordering::Relaxed)).expect("writing to a String");
        return;
    }
    if value.sensitive && value.name_of_unknown().is_none() {
        let mut plain = String::new();
        write_plain(value, &mut plain);
        write!(out, "(sensitive #{:08x})", secret(&plain)).expect("writing to a String");
    } else {
        write_plain(value, out);
    }
}

fn write_plain(value: &Value, out: &mut String) {
    match &value.what {
        What::Null => out.push_str("null"),
        What::Truth(truth) => out.push_str(if *truth { "true" } else { "false" }),
        What::Number(number) => write!(out, "{number}").expect("writing to a String"),
        What::Text(text) => write!(out, "{text:?}").expect("writing to a String"),
        What::List(list) => {
            out.push('[');
            let mut first = true;
            for item in &list.items {
                separate(&mut first, out);
                write(item, out);
            }
            for more in &list.more {
                separate(&mut first, out);
                write!(out, "{}...", more.name.0).expect("writing to a String");
            }
            out.push(']');
        }
        What::Object(object) => {
            out.push('{');
            let mut first = true;
            let mut entries: Vec<&Entry> = object.entries.iter().collect();
            entries.sort_by(|a, b| a.name.cmp(&b.name));
            for entry in entries {
                separate(&mut first, out);
                write!(out, "{} = ", entry.name).expect("writing to a String");
                write(&entry.value, out);
            }
            for more in &object.more {
                separate(&mut first, out);
                write!(out, "{}...", more.name.0).expect("writing to a String");
            }
            out.push('}');
        }
        What::Unknown(unknown) => out.push_str(&unknown.0),
    }
}

fn separate(first: &mut bool, out: &mut String) {
    if !std::mem::take(first) {
        out.push_str(", ");
    }
}

/// Tells values apart that must not be printed; says nothing of them, and is another one in every run.
fn secret(text: &str) -> u64 {
    static SEED: OnceLock<foldhash::quality::RandomState> = OnceLock::new();
    SEED.get_or_init(foldhash::quality::RandomState::default).hash_one(text) & 0xffff_ffff
}
