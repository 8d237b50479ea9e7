//! How often a block is there, and under which keys.

use super::eval::address_of_key;
use crate::formats::data::value::{Entry, Value};
use std::sync::Arc;

/// How often a block is there.
#[derive(Debug)]
pub(super) struct Expansion {
    pub(super) kind: Repetition,
    pub(super) copies: Vec<Copy>,
}

/// What makes a block be there more than once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Repetition {
    /// Nothing.
    Single,
    /// `count`
    Count,
    /// `for_each`
    ForEach,
}

/// One instance of a block.
#[derive(Debug, Clone)]
pub(super) struct Copy {
    /// What its address ends with: `[0]`, `["a"]`, nothing.
    pub(super) key: Arc<str>,
    pub(super) names: Vec<(&'static str, Value)>,
    /// Set if it is not known whether it is there, or how often: what that depends on.
    pub(super) existence: Option<Arc<str>>,
}

impl Copy {
    pub(super) fn single() -> Self {
        Self { key: "".into(), names: Vec::new(), existence: None }
    }

    /// An instance by its number.
    pub(super) fn counted(index: Value, existence: Option<Arc<str>>) -> Self {
        let key = address_of_key(&index);
        let at = index.at;
        let entry = Entry { name: "index".into(), at, value: index };
        Self { key, names: vec![("count", Value::of_entries(vec![entry], at))], existence }
    }

    /// An instance by its key.
    pub(super) fn keyed(key: Value, value: Value, existence: Option<Arc<str>>) -> Self {
        let address = address_of_key(&key);
        let at = key.at;
        let entries = vec![Entry { name: "key".into(), at, value: key }, Entry { name: "value".into(), at, value }];
        Self { key: address, names: vec![("each", Value::of_entries(entries, at))], existence }
    }
}
