//! Findings, gaps and doubts to one decision, and the report that says why.
//!
//! [`decide`] is the only way to a [`Decision`], so nothing passes without its gaps having been looked at. Knows
//! nothing of formats, files or renderings.

mod approved;
mod balancers;
mod build;
mod expectation;
mod flows;
mod join;
mod links;
mod report;
mod settings;
mod shard;
mod verification;
mod waived;
mod walk;

pub use build::fingerprint;
pub use expectation::{Expectation, ExpectationOutcome, ExpectationReport};
pub use report::{
    Answer, AnswerReport, Approvals, BalancerPart, BalancerReport, Causes, Certainty, ChangeKind, Comparison,
    ConfigurationReport, Consequence, DoubtReport, ElementsReport, FeedOrigin, FilterReport, FindingReport, GapReport,
    Level, LinkChange, LinkReport, Location, LocationSide, NotCounted, ObjectReport, ObjectsReport, Origin, Outcome,
    PartChange, PolicyOrigin, PublicationReport, RelatedReport, Report, RequestEffect, RequestReport, RouteReport,
    Stats, SummaryLine, VERSION, WaiverReport, WaiverState, WithheldReport, WitnessReport,
};

pub use shard::{Joined, LineReport, Matter, Order, Part, PartText, ShardReport, SpanReport, TextReport, merge};
pub use verification::{ForeignReport, Held, HostReport, Sameness, Verification};
pub use walk::{HopReport, Walk, WalkedSide, walk, walk_request};

use crate::checks::{self, Declaration, Finding};
use crate::diff::{Change, Difference};
use crate::facts::Facts;
use crate::net::{Naming, NoNames};
use crate::policy::Policy;
use crate::text::{SourceMap, Span};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a check reports, in a sentence; `None`: there is no such check.
#[must_use]
pub fn summary(check: &str) -> Option<&'static str> {
    checks::find(check).map(Declaration::summary)
}

/// Everything a decision is made of.
pub struct Case<'c> {
    /// Both sides.
    pub change: &'c Change,
    /// What the change does.
    pub difference: &'c Difference,
    /// What the checks found.
    pub findings: Vec<Finding>,
    /// Why the gate cannot answer, besides the gaps, which are taken from `change`.
    pub doubts: Vec<Doubt>,
    /// Where base was read from.
    pub base: Origin,
    /// Where head was read from.
    pub head: Origin,
    /// The policy that was used; `None` where none could be read, which is a doubt by itself unless there is no base.
    pub policy: Option<PolicyOrigin>,
    /// The policy's names for networks and services.
    pub names: &'c dyn Naming,
    /// The policy itself and the facts: what is approved or waived follows from them. `None`: nothing is.
    pub judging: Option<(&'c Policy, &'c Facts)>,
    /// The policy that the change brings, if it brings another: its waivers count once the owners of the policy approved it.
    pub proposed: Option<&'c Policy>,
    /// The checks, by their numbers, that see all configurations at once ([`checks::Spans`]); of no meaning, and empty, where
    /// all are judged together.
    pub spanning: &'c [usize],
}

/// Why the gate cannot answer.
#[derive(Debug, Clone)]
pub struct Doubt {
    /// What kind of reason it is.
    pub cause: Cause,
    /// What is wrong, one sentence without a full stop.
    pub message: String,
    /// What to do.
    pub help: String,
    /// Where it is to be seen.
    pub at: Option<(LocationSide, Span)>,
}

/// The kind of a [`Doubt`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// The policy is in error: nothing can be held against it.
    Policy,
    /// A side, or a part of one, could not be read.
    Source,
    /// A pattern or setting of the policy matches nothing.
    MatchesNothing,
    /// Something from outside that a check needs is not known.
    MissingFact,
    /// A question was too hard for its budget.
    TooHard,
    /// The effect of something that differs is not computed.
    NotComputed,
    /// Two computations of the same disagree: a bug of this program.
    Internal,
    /// Only a part of the configurations was judged, or parts do not make a whole.
    Incomplete,
}

/// The answer to a change. Only [`decide`] makes one.
#[derive(Debug, Clone)]
pub struct Decision {
    report: Report,
}

impl Decision {
    /// What was decided.
    #[must_use]
    pub const fn outcome(&self) -> Outcome {
        self.report.decision
    }

    /// What was decided and why.
    #[must_use]
    pub const fn report(&self) -> &Report {
        &self.report
    }

    /// The same, told of what was expected.
    #[must_use]
    pub fn expecting(mut self, expectations: &[Expectation], sources: &SourceMap) -> Self {
        self.report.expectations = Some(expectation::reports(expectations, &self.report, sources));
        self
    }

    /// 0 pass, 1 blocked or approval missing, 2 policy error, 3 undecided.
    #[must_use]
    pub const fn exit_code(&self) -> u8 {
        match self.report.decision {
            Outcome::Pass => 0,
            Outcome::NeedsApproval | Outcome::Blocked => 1,
            Outcome::PolicyError => 2,
            Outcome::Undecided => 3,
        }
    }
}

/// Decides a change. When several hold, the decision is the first of: policy error, blocked, undecided, approval
/// needed, pass; the report lists all of them.
#[must_use]
pub fn decide(case: Case<'_>, sources: &SourceMap) -> Decision {
    made(join::report(build::piece(case, sources)))
}

/// Decides a part of the configurations. `cases` are of them, and of what has to see all of them; whatever they come to, it
/// is no pass.
#[must_use]
pub fn decide_part(cases: Vec<Case<'_>>, part: Part, sources: &SourceMap) -> Decision {
    made(shard::report(cases.into_iter().map(|case| build::piece(case, sources)).collect(), part, sources))
}

fn made(mut report: Report) -> Decision {
    report.decision = outcome(&report);
    Decision { report }
}

/// What a change does, without holding it against anything.
#[must_use]
pub fn compare(
    change: &Change,
    difference: &Difference,
    base: Origin,
    head: Origin,
    names: &dyn Naming,
    sources: &SourceMap,
) -> Comparison {
    build::comparison(change, difference, base, head, names, Vec::new(), sources)
}

/// The answer where nothing could be compared, and why.
#[must_use]
pub fn incomparable(doubts: Vec<Doubt>, sources: &SourceMap) -> Comparison {
    let (change, difference, side) = (Change::default(), Difference::default(), Origin::default());
    build::comparison(&change, &difference, side.clone(), side, &NoNames, doubts, sources)
}

impl Comparison {
    /// 0 equal, 1 differs, 3 undecided.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        if !self.gaps.is_empty() || !self.doubts.is_empty() {
            return 3;
        }
        let same = |c: &ConfigurationReport| matches!(c.change, ChangeKind::Unchanged | ChangeKind::Equivalent);
        u8::from(!self.configurations.iter().all(same))
    }
}

fn outcome(report: &Report) -> Outcome {
    // What one part says of all configurations, the others may know better.
    let stands = |n: usize| report.shard.as_ref().is_none_or(|shard| !shard.is_everywhere(n));
    let says = |consequence| report.findings.iter().enumerate().any(|(n, f)| f.outcome == consequence && stands(n));
    if report.doubts.iter().any(|doubt| doubt.cause == Cause::Policy) {
        Outcome::PolicyError
    } else if says(Consequence::Blocked) {
        Outcome::Blocked
    } else if !report.doubts.is_empty() || report.gaps.iter().any(|gap| gap.side == LocationSide::Head) {
        Outcome::Undecided
    } else if says(Consequence::NeedsApproval) {
        Outcome::NeedsApproval
    } else {
        Outcome::Pass
    }
}
