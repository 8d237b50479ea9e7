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

use crate::policy::Roster;

/// The facts of one run.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// The names and addresses of those who made the change (authors and committers), as commits have them; `None`: it is not
    /// known who did.
    pub authors: Option<Vec<String>>,
    /// Whether anybody can have written those names: then they can say that a program made the change, and not that a
    /// person did. A forge that was asked knows it.
    pub hearsay: bool,
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
    /// Who made the change. It was a person only if every name in it is known, none of them is one of the programs of the
    /// policy, and either a forge says of every account that a person has it, or nobody else can have written the names.
    #[must_use]
    pub fn maker(&self, roster: &Roster) -> Maker {
        let named = match self.authors.as_deref() {
            None | Some([]) => Maker::Unknown,
            Some(authors) if authors.iter().any(|author| roster.is_bot(author)) => Maker::Program,
            Some(_) => Maker::Person,
        };
        let told = match &self.reviewed {
            Reviewed::Known(pulls) if pulls.is_empty() => Maker::Unknown,
            Reviewed::Known(pulls) => pulls.iter().map(|pull| pull.maker(roster)).max().unwrap_or(Maker::Unknown),
            Reviewed::Unknown(_) => Maker::Unknown,
            Reviewed::Unasked if self.hearsay => Maker::Unknown,
            Reviewed::Unasked => Maker::Person,
        };
        named.max(told)
    }
}

/// Who made a change, the one that is trusted most first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Maker {
    /// People alone.
    Person,
    /// It is not known; it may have been a program.
    Unknown,
    /// A program had a hand in it.
    Program,
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
