//! Which server of a socket a request is for, by its host (nginx.org, "Server names"): exact names first, then the longest
//! name that begins with an asterisk, the longest that ends with one, the first regular expression that matches.

use super::Lowering;
use super::syntax::{Directive, called};
use crate::formats::balancers;
use crate::model::{Condition, Subject};
use crate::net::Pattern;
use crate::text::escape;

/// A condition on the host, and when it is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) rank: Rank,
    pub(super) condition: Condition,
}

/// The order in which names are asked. Lengths are negative, so that the longest comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rank {
    Exact,
    Leading(isize),
    Trailing(isize),
    Expression,
}

impl Lowering<'_, '_> {
    /// The names of a server.
    pub(super) fn names(&mut self, server: &[Directive]) -> Vec<Named> {
        let (mut exact, mut out) = (Vec::new(), Vec::new());
        let mut written: Vec<&[u8]> =
            called(server, "server_name").flat_map(|d| &d.words).map(|w| &w.text[..]).collect();
        if written.is_empty() {
            written.push(b"");
        }
        for name in written {
            if let Some(expression) = name.strip_prefix(b"~") {
                let condition = self.expression(Subject::HostName, expression, true);
                out.push(Named { rank: Rank::Expression, condition });
            } else if name.contains(&b'$') {
                let text = format!("the host is {}", escape(name));
                exact.push(Err(text));
            } else if let Some(domain) = name.strip_prefix(b".") {
                exact.push(Ok(Pattern::exact(domain).ignoring_case()));
                out.push(self.wildcard(Pattern::suffix(name), Rank::Leading(-length(name))));
            } else if let Some(end) = name.strip_prefix(b"*") {
                out.push(self.wildcard(Pattern::suffix(end), Rank::Leading(-length(end))));
            } else if let Some(start) = name.strip_suffix(b"*") {
                out.push(self.wildcard(Pattern::prefix(start), Rank::Trailing(-length(start))));
            } else {
                exact.push(Ok(Pattern::exact(name).ignoring_case()));
            }
        }
        let mut conditions = Vec::new();
        let (mut patterns, mut unknown) = (Vec::new(), Vec::new());
        for name in exact {
            match name {
                Ok(pattern) => patterns.push(pattern),
                Err(text) => unknown.push(text),
            }
        }
        if !patterns.is_empty() {
            conditions.push(self.test(Subject::HostName, patterns));
        }
        conditions.extend(unknown.iter().map(|text| Condition::Opaque(self.reading.store.opaque(text))));
        if !conditions.is_empty() {
            out.push(Named { rank: Rank::Exact, condition: Condition::any(conditions) });
        }
        out
    }

    fn wildcard(&mut self, pattern: Pattern, rank: Rank) -> Named {
        Named { rank, condition: self.test(Subject::HostName, vec![pattern.ignoring_case()]) }
    }

    /// A question to requests.
    pub(super) fn test(&mut self, subject: Subject, patterns: Vec<Pattern>) -> Condition {
        balancers::text(self.reading.store, subject, patterns)
    }

    /// Whether a regular expression matches; one that is not regular is a condition of its own.
    pub(super) fn expression(&mut self, subject: Subject, expression: &[u8], ignore_case: bool) -> Condition {
        let known = std::str::from_utf8(expression).ok().and_then(Pattern::regex);
        match known {
            Some(pattern) if ignore_case => self.test(subject, vec![pattern.ignoring_case()]),
            Some(pattern) => self.test(subject, vec![pattern]),
            None => {
                let sign = if ignore_case { "~*" } else { "~" };
                let text = format!("the {subject} matches {sign} {}", escape(expression));
                Condition::Opaque(self.reading.store.opaque(&text))
            }
        }
    }
}

fn length(name: &[u8]) -> isize {
    isize::try_from(name.len()).unwrap_or(isize::MAX)
}
