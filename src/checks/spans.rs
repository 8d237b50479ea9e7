//! What checks have to see at once.

use super::Configured;
use crate::policy::Policy;

/// What a check has to see at once, where only some configurations of a change are judged.
///
/// One that spans nothing reports by configuration, in the order of their names, and may besides say once that a setting is
/// about nothing ([`super::Finding::everywhere`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Spans {
    /// One configuration after the other.
    Nothing,
    /// Which files there are, on both sides.
    Files,
    /// What all configurations mean.
    Configurations,
}

/// What each of the checks has to see at once, in their order.
#[must_use]
pub fn spans(checks: &[Configured], policy: &Policy) -> Vec<Spans> {
    let one = |configured: &Configured| match configured.check.spans(policy) {
        // Which patterns of `in` name a filter cannot be told from files.
        Spans::Files if !configured.within.is_everything() => Spans::Configurations,
        spans @ (Spans::Nothing | Spans::Files | Spans::Configurations) => spans,
    };
    checks.iter().map(one).collect()
}
