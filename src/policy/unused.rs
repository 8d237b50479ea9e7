//! What a policy defines and never uses.

use super::node::{Kind, Node, Spanned};
use super::{Policy, expectations};
use crate::text::Span;
use std::collections::{BTreeMap, BTreeSet};

/// A name that a policy defines and nothing in it uses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unused {
    /// The key that it is defined under: `networks`, `services`, `teams`.
    pub key: &'static str,
    /// The name.
    pub name: String,
    /// Where.
    pub at: Span,
}

/// The definitions that may be left unused: of people, accounts and keys are looked up whatever else names them.
const DEFINED: [&str; 3] = ["networks", "services", "teams"];

impl Policy {
    /// The networks, services and teams that nothing uses, neither the policy nor those files of expectations, in the order
    /// of the file. What only an unused definition uses is unused as well.
    #[must_use]
    pub fn unused(&self, expectations: &[expectations::Expected]) -> Vec<Unused> {
        let Kind::Map(keys) = &self.root.kind else { return Vec::new() };
        let mut definitions: BTreeMap<&str, (&'static str, &Spanned<String>, &Node)> = BTreeMap::new();
        let mut used: Vec<&str> = Vec::new();
        for (key, node) in keys {
            match (DEFINED.iter().find(|known| **known == key.value), &node.kind) {
                (Some(known), Kind::Map(names)) => {
                    let names = names.iter().map(|(name, node)| (name.value.as_str(), (*known, name, node)));
                    definitions.extend(names);
                }
                (_, _) => words(node, &mut used),
            }
        }
        for expectations::Expected(node) in expectations {
            words(node, &mut used);
        }
        let mut known: BTreeSet<&str> = BTreeSet::new();
        while let Some(word) = used.pop() {
            if let Some((_, _, node)) = definitions.get(word)
                && known.insert(word)
            {
                words(node, &mut used);
            }
        }
        definitions.retain(|name, _| !known.contains(name));
        let unused = |(key, name, _): (_, &Spanned<String>, _)| Unused { key, name: name.value.clone(), at: name.span };
        let mut unused: Vec<Unused> = definitions.into_values().map(unused).collect();
        unused.sort_by_key(|unused| unused.at.start);
        unused
    }
}

/// Every word in the values of a node that could be a name, those of flows as well: `office` of `tcp office -> any:22`.
fn words<'n>(node: &'n Node, out: &mut Vec<&'n str>) {
    match &node.kind {
        Kind::Map(entries) => entries.iter().for_each(|(key, node)| {
            // The requests and patterns of some settings are keys.
            out.push(&key.value);
            words(node, out);
        }),
        Kind::List(items) => items.iter().for_each(|item| words(item, out)),
        Kind::Scalar { text, .. } => {
            let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
            out.extend(text.split(|c| !is_name(c)).filter(|word| !word.is_empty()));
        }
    }
}
