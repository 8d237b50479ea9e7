//! Notations that several formats share: texts become trees whose nodes know where they stand, with nothing lost.
//!
//! Strict where the notation's own readers are not: a key that is written twice is refused, numbers stay as they are
//! written, depth is limited. Knows nothing of what a tree means.

mod json;
mod keys;
mod number;
mod provenance;
mod tree;
pub(super) mod value;
pub(super) mod yaml;

pub(super) use json::{Entry, Json, Kind, Node, Object, Values};
pub(super) use keys::Keys;
pub(super) use number::Number;
pub(super) use provenance::Pick;
pub(super) use tree::value_of;

use crate::text::lines;

/// Whether a text may be a mapping or a list in JSON or YAML: what its first line with anything but a comment says. Lists
/// of rules are large, and are not searched for the words of such formats.
pub(super) fn may_be_tree(text: &[u8]) -> bool {
    let text = text.strip_prefix("\u{feff}".as_bytes()).unwrap_or(text);
    let said = lines(text).map(|(_, line)| line.trim_ascii()).find(|line| !line.is_empty() && !line.starts_with(b"#"));
    let Some(line @ [first, ..]) = said else { return false };
    let key =
        || line.ends_with(b":") || line.windows(2).any(|two| matches!(two, [b':', next] if next.is_ascii_whitespace()));
    b"{[-%\"'?&!".contains(first) || key()
}
