//! Notations that several formats share: texts become trees whose nodes know where they stand, with nothing lost.
//!
//! Strict where the notation's own readers are not: a key that is written twice is refused, numbers stay as they are
//! written, depth is limited. Knows nothing of what a tree means.

mod json;
mod number;
mod provenance;
mod tree;
pub(super) mod value;
pub(super) mod yaml;

pub(super) use json::{Entry, Json, Kind, Node, Object, Values};
pub(super) use number::Number;
pub(super) use provenance::Pick;
pub(super) use tree::value_of;
