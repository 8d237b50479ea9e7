//! What is true outside the configuration: who made the change, and who approved it. Every fact may be unknown, and what is unknown never
//! helps a pass.

mod approvals;
mod clock;
pub mod github;
mod review;
mod seen;

pub use approvals::{Tally, Uncounted, Verdict, judge};
pub use clock::{Age, age, age_at, now, seconds, show_age, show_instant};
pub use review::{Account, AccountKind, CoAuthor, Commit, PullRequest, Review, ReviewState, Reviewed, Role};
pub use seen::{Seen, Sightings};

/// The facts of one run.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// The accounts that made the change (authors and committers); `None`: it is not known who did.
    pub authors: Option<Vec<String>>,
    /// What was said of the change.
    pub reviewed: Reviewed,
    /// The present instant in seconds since 1970; `None`: it is not known.
    pub now: Option<u64>,
    /// Whether `now` was only given, for tests of a policy: nothing may be put into force on it.
    pub pretended: bool,
    /// How often removals were seen before.
    pub seen: Seen,
}

impl Facts {
    /// Whether a program made the change, or may have: it is so unless all its authors are known and none of them
    /// is in `bots`.
    #[must_use]
    pub fn automated(&self, bots: &[String]) -> bool {
        self.authors.as_ref().is_none_or(|authors| authors.is_empty() || authors.iter().any(|a| bots.contains(a)))
    }
}

/// A fact that a check needs and that is not known. Whoever runs the program must supply it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} is not known")]
pub struct MissingFact {
    /// What is not known: "who approved the change".
    pub what: String,
    /// How to supply it.
    pub help: String,
}
