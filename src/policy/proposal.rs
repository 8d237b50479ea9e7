//! What a change does to the policy itself.

use super::error::PolicyError;
use super::feed::Feeds;
use super::node::{Kind, Node};
use super::{Parsed, Policy, load};
use crate::text::{SourceId, SourceMap, Span};

/// Head's version of the policy that judges.
#[derive(Debug, Clone)]
pub enum Proposal {
    /// The policy is not part of what is judged: it was named on the command line.
    Outside,
    /// The same bytes.
    Unchanged,
    /// Head does not have it any more.
    Removed,
    /// Other bytes.
    Changed {
        /// The text.
        source: SourceId,
        /// What it is.
        policy: Box<Result<Policy, Vec<PolicyError>>>,
    },
}

impl Proposal {
    /// Another policy than the one that judges, if head has one that can be read.
    #[must_use]
    pub fn policy(&self) -> Option<&Policy> {
        match self {
            Self::Outside | Self::Unchanged | Self::Removed => None,
            Self::Changed { source: _, policy } => policy.as_ref().as_ref().ok(),
        }
    }

    /// Compares the policy that judges with head's version of the same file.
    #[must_use]
    pub fn read(
        judging: &Policy,
        head: Option<Parsed>,
        sources: &mut SourceMap,
        formats: &[&str],
        feeds: &Feeds,
    ) -> Self {
        match head {
            None => Self::Removed,
            Some(head) if sources.bytes(head.source()) == sources.bytes(judging.source) => Self::Unchanged,
            Some(head) => {
                let source = head.source();
                Self::Changed { source, policy: Box::new(load(head, sources, formats, feeds)) }
            }
        }
    }
}

/// One key of the policy that has another value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyChange {
    /// The way to it: `checks critical-ports internal-apis: level`.
    pub path: String,
    /// Its value before, in one line; `None`: it was not there.
    pub before: Option<String>,
    /// Its value after.
    pub after: Option<String>,
    /// Where it stood.
    pub base: Option<Span>,
    /// Where it stands.
    pub head: Option<Span>,
}

/// The keys whose values differ, in the order of the files. The order of keys, layout and comments are no difference;
/// the entries of `checks` are compared with those of the same check and name.
#[must_use]
pub fn changes(base: &Node, head: &Node) -> Vec<KeyChange> {
    let mut out = Vec::new();
    compare(String::new(), Some(base), Some(head), &mut out);
    out
}

fn compare(path: String, base: Option<&Node>, head: Option<&Node>, out: &mut Vec<KeyChange>) {
    let (Some(b), Some(h)) = (base, head) else {
        let change = KeyChange {
            path,
            before: base.map(Node::show),
            after: head.map(Node::show),
            base: base.map(|node| node.span),
            head: head.map(|node| node.span),
        };
        out.push(change);
        return;
    };
    match (&b.kind, &h.kind) {
        (Kind::Map(mine), Kind::Map(theirs)) => {
            for (key, node) in mine {
                compare(under(&path, &key.value), Some(node), h.get(&key.value), out);
            }
            for (key, node) in theirs.iter().filter(|(key, _)| b.get(&key.value).is_none()) {
                compare(under(&path, &key.value), None, Some(node), out);
            }
        }
        (Kind::List(mine), Kind::List(theirs)) if keyed(&path).is_some() => {
            let key = keyed(&path).unwrap_or("name");
            let (mine, theirs) = (called(mine, key), called(theirs, key));
            for (name, node) in &mine {
                let other = theirs.iter().find(|(other, _)| other == name).map(|(_, node)| *node);
                compare(under(&path, name), Some(node), other, out);
            }
            for (name, node) in theirs.iter().filter(|(name, _)| mine.iter().all(|(other, _)| other != name)) {
                compare(under(&path, name), None, Some(node), out);
            }
        }
        (Kind::List(mine), Kind::List(theirs)) if path == "checks" => {
            let (mine, theirs) = (named(mine), named(theirs));
            for (name, node) in &mine {
                let other = theirs.iter().find(|(other, _)| other == name).map(|(_, node)| *node);
                compare(format!("checks {name}:"), Some(node), other, out);
            }
            for (name, node) in theirs.iter().filter(|(name, _)| mine.iter().all(|(other, _)| other != name)) {
                compare(format!("checks {name}:"), None, Some(node), out);
            }
        }
        (Kind::Map(_) | Kind::List(_) | Kind::Scalar { .. }, _) => {
            if b.show() != h.show() {
                out.push(KeyChange {
                    path,
                    before: Some(b.show()),
                    after: Some(h.show()),
                    base: Some(b.span),
                    head: Some(h.span),
                });
            }
        }
    }
}

/// The key by which the entries of a list are told apart; `None`: a list is one value.
fn keyed(path: &str) -> Option<&'static str> {
    match path {
        "waivers" => Some("id"),
        "freeze" => Some("name"),
        path if path.starts_with("checks required-approvals") && path.ends_with(": rules") => Some("name"),
        _ => None,
    }
}

/// The entries of such a list; those of the same name are numbered.
fn called<'n>(items: &'n [Node], key: &str) -> Vec<(String, &'n Node)> {
    let mut out: Vec<(String, &Node)> = Vec::new();
    for item in items {
        let base = item.get(key).map(Node::show).unwrap_or_default();
        let twins = out.iter().filter(|(name, _)| *name == base || name.starts_with(&format!("{base} #"))).count();
        out.push((if twins == 0 { base } else { format!("{base} #{}", twins + 1) }, item));
    }
    out
}

fn under(path: &str, key: &str) -> String {
    match path {
        "" => key.to_owned(),
        path if path.ends_with(':') => format!("{path} {key}"),
        path => format!("{path}.{key}"),
    }
}

/// The entries of `checks` by check and name; those of the same check without a name are numbered.
fn named(items: &[Node]) -> Vec<(String, &Node)> {
    let mut out: Vec<(String, &Node)> = Vec::new();
    for item in items {
        let word = |key| item.get(key).map(Node::show);
        let check = word("check").unwrap_or_default();
        let base = word("name").map_or_else(|| check.clone(), |name| format!("{check} {name}"));
        let twins = out.iter().filter(|(name, _)| *name == base || name.starts_with(&format!("{base} #"))).count();
        let name = if twins == 0 { base } else { format!("{base} #{}", twins + 1) };
        out.push((name, item));
    }
    out
}
