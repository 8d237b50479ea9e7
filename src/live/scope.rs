//! Which tables are expected, and which belong to others.

use super::pieces::{self, NotSplit, Piece};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Whose tables are whose. Names are `inet filter` (a name alone is of the family `ip`), and in the notation of iptables
/// `nat`, or `filter/DOCKER` for a chain; `*` stands for anything.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Scope {
    /// The tables of what is expected that count; empty: all.
    pub owned: Vec<String>,
    /// Tables of others that may be there, and decide nothing before those that are expected.
    pub foreign: Vec<String>,
    /// Tables of others that may be there and decide first.
    pub first: Vec<String>,
}

/// Whose a part of a listing is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whose {
    /// It is expected, or should not be there.
    Ours,
    /// It may be there.
    Foreign,
    /// It may be there and decide first.
    First,
}

impl Scope {
    /// The expected text without the tables that do not count.
    ///
    /// # Errors
    /// Its tables cannot be told apart.
    pub fn owned(&self, text: &[u8]) -> Result<Vec<u8>, NotSplit> {
        if self.owned.is_empty() {
            return Ok(text.to_vec());
        }
        pieces::without(text, |piece| piece.chain.is_none() && !any(&self.owned, &piece.table))
    }

    /// Whether what is put into force replaces a table that is in force. `wanted`: the tables that are put into force.
    pub(super) fn replaces(&self, table: &str, wanted: &BTreeSet<String>) -> bool {
        let theirs = any(&self.foreign, table) || any(&self.first, table);
        wanted.contains(table) || (self.owned.is_empty() || any(&self.owned, table)) && !theirs
    }

    /// Whose a part is. What is expected is nobody else's.
    pub(super) fn whose(&self, piece: &Piece, expected: &BTreeSet<String>) -> Whose {
        let name = piece.name();
        match () {
            () if expected.contains(&name) => Whose::Ours,
            () if any(&self.first, &name) => Whose::First,
            () if any(&self.foreign, &name) => Whose::Foreign,
            () => Whose::Ours,
        }
    }
}

/// The names of the parts of a text.
pub(super) fn names(text: &[u8]) -> Result<BTreeSet<String>, NotSplit> {
    Ok(pieces::pieces(text)?.iter().map(Piece::name).collect())
}

fn any(patterns: &[String], name: &str) -> bool {
    let usual = name.strip_prefix("ip ");
    patterns.iter().any(|pattern| matches(pattern, name) || usual.is_some_and(|name| matches(pattern, name)))
}

/// Whether a name reads like a pattern in which `*` stands for anything.
fn matches(pattern: &str, name: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else { return pattern == name };
    let Some(name) = name.strip_prefix(first) else { return false };
    let starts = (0..=name.len()).filter_map(|at| name.get(at..));
    starts.into_iter().any(|name| matches(rest, name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_like_patterns() {
        for (pattern, name, fits) in [
            ("ip docker", "ip docker", true),
            ("docker", "ip docker", true),
            ("docker", "inet docker", false),
            ("ip *", "ip6 nat", false),
            ("*/f2b-*", "filter/f2b-sshd", true),
            ("nat", "nat", true),
            ("filter", "filter/DOCKER", false),
            ("f*r/*D", "filter/DOCKERD", true),
        ] {
            assert_eq!(any(&[pattern.to_owned()], name), fits, "{pattern} {name}");
        }
    }

    #[test]
    fn what_is_expected_is_nobody_elses() {
        let scope = Scope { foreign: vec!["*".to_owned()], ..Scope::default() };
        let piece = Piece { table: "inet filter".to_owned(), chain: None, at: 0..0 };
        assert_eq!(scope.whose(&piece, &BTreeSet::from(["inet filter".to_owned()])), Whose::Ours);
        assert_eq!(scope.whose(&piece, &BTreeSet::new()), Whose::Foreign);
    }
}
