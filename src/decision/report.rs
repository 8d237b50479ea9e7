//! The report: everything that is known once a change is judged, in the words of its readers.
//!
//! Field names and nesting are version 1 of what `--output json` prints; fields are only ever added. Spans are
//! kept beside places (and never printed) so that a rendering can show the line itself.

mod effect;

pub use effect::{
    BalancerPart, BalancerReport, Causes, Certainty, ChangeKind, ConfigurationReport, ElementsReport, FilterReport,
    LinkChange, LinkReport, ObjectReport, ObjectsReport, PartChange, RequestEffect, RequestReport, RouteReport,
    SummaryLine, WithheldReport,
};

use super::expectation::ExpectationReport;
use super::shard::ShardReport;
use crate::text::Span;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The version of the report's shape.
pub const VERSION: u32 = 1;

/// What the gate has to say of one change.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Report {
    /// The version of this shape: 1. Fields are only ever added to it.
    pub version: u32,
    /// The decision; the exit code follows from it.
    pub decision: Outcome,
    /// The instant that was given instead of the present one, with --now: the answer is a test of the policy, and opens
    /// nothing. Missing where the clock of the machine was read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pretended: Option<String>,
    /// Why packets, addresses, names and texts are left out of this report: it is a minimal one. Missing where it tells
    /// everything. The decision is the same in both.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub withheld: Option<String>,
    /// The side that is in force.
    pub base: Origin,
    /// The side that is proposed.
    pub head: Origin,
    /// The policy that the change was held against; null where none could be read.
    pub policy: Option<PolicyOrigin>,
    /// What the change does to each configuration of either side, sorted by name.
    pub configurations: Vec<ConfigurationReport>,
    /// What the checks found, the gravest first.
    pub findings: Vec<FindingReport>,
    /// The waivers of the policy, and what became of them.
    pub waivers: Vec<WaiverReport>,
    /// Input that the model does not state, on either side. One on head makes the decision undecided.
    pub gaps: Vec<GapReport>,
    /// Why the gate could not answer, besides gaps.
    pub doubts: Vec<DoubtReport>,
    /// What was expected (`test`), and what came of it; left out where nothing was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expectations: Option<Vec<ExpectationReport>>,
    /// How much was looked at.
    pub stats: Stats,
    /// Where only a part of the configurations was judged (`check --shard`): which part, and what `merge` needs to join it to
    /// the others. Such a report never passes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shard: Option<Box<ShardReport>>,
}

/// What a change does, without a policy: the answer of `diff`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Comparison {
    /// The version of this shape: 1. Fields are only ever added to it.
    pub version: u32,
    /// The old side.
    pub base: Origin,
    /// The new side.
    pub head: Origin,
    /// What becomes of each configuration of either side, sorted by name.
    pub configurations: Vec<ConfigurationReport>,
    /// Input that the model does not state, on either side.
    pub gaps: Vec<GapReport>,
    /// Why there is no full answer, besides gaps.
    pub doubts: Vec<DoubtReport>,
    /// How much was looked at.
    pub stats: Stats,
}

/// The decision on a change. When several hold it is the first of: policy-error, blocked, undecided,
/// needs-approval, pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Nothing stands against the change. Exit code 0.
    Pass,
    /// Somebody has to approve it first. Exit code 1.
    NeedsApproval,
    /// A check forbids it. Exit code 1.
    Blocked,
    /// It could not be judged. Exit code 3.
    Undecided,
    /// The policy itself is in error, so nothing can be held against it. Exit code 2.
    PolicyError,
}

/// Where one side was read from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Origin {
    /// The kind of source: `git` (a commit), `merge` (a commit merged into base), `index`, `work-tree`, `files` or `live`;
    /// `none`: there is no such side, because head was looked at for itself (`lint`).
    pub source: String,
    /// The commit, where there is one; the path for files.
    pub revision: Option<String>,
}

impl Origin {
    /// No side.
    #[must_use]
    pub fn none() -> Self {
        Self { source: "none".to_owned(), revision: None }
    }

    /// Whether there is no such side.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.source == "none"
    }
}

/// Which policy was used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PolicyOrigin {
    /// Its path in the repository, or as it was given.
    pub path: String,
    /// The commit it was read from, where there is one.
    pub revision: Option<String>,
    /// The SHA-256 of its text, in hexadecimal.
    pub sha256: String,
    /// The published lists that it refers to, sorted by path.
    pub feeds: Vec<FeedOrigin>,
}

/// A published list of addresses that the policy refers to: a file of the sides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FeedOrigin {
    /// Its path, relative to the root of the sides.
    pub path: String,
    /// The file of the side that is in force; null where it has none, or where one side was looked at alone.
    pub base: Option<PublicationReport>,
    /// The file of the side that is proposed; null where it has none.
    pub head: Option<PublicationReport>,
}

/// A published list as one side has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PublicationReport {
    /// The SHA-256 of the file, in hexadecimal.
    pub sha256: String,
    /// The day on which the list was made (`2024-08-29`), if it says so.
    pub made: Option<String>,
}

/// What a check found.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct FindingReport {
    /// The check's id.
    pub check: String,
    /// The name of this instance in the policy.
    pub name: Option<String>,
    /// Its level in the policy.
    pub level: Level,
    /// What the finding does to the decision.
    pub outcome: Consequence,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub help: String,
    /// The configuration it is about.
    pub configuration: Option<String>,
    /// The filter it is about.
    pub filter: Option<String>,
    /// The packets it is about.
    pub flow: Option<String>,
    /// One of those packets, and what both sides do with it.
    pub witness: Option<WitnessReport>,
    /// The requests it is about.
    pub request: Option<RequestReport>,
    /// Where it is to be seen.
    pub location: Option<Location>,
    /// Other places that have to do with it, the weightiest first.
    pub related: Vec<RelatedReport>,
    /// The line of the policy that demands it.
    pub policy_location: Option<Location>,
    /// The SHA-256 of the check, configuration, filter and packets, in hexadecimal. The same finding keeps it
    /// when lines move.
    pub fingerprint: String,
    /// Who has to approve, and who has.
    pub approvals: Approvals,
    /// The waiver that accepts the finding.
    pub waiver: Option<String>,
}

/// A place that has to do with a finding.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct RelatedReport {
    /// What it is to it: `by` (takes its packets), `instead` (decides them as well), `besides` …
    pub what: String,
    /// Where it is.
    pub location: Location,
}

/// How much a check weighs in the policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// It blocks.
    Block,
    /// It asks for approvals.
    Approve,
    /// It is shown.
    Warn,
    /// It is not run.
    Off,
}

/// What a finding does to the decision, the lightest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Consequence {
    /// A waiver accepts it.
    Waived,
    /// It is only shown.
    Warned,
    /// It needs approvals, and has them.
    Approved,
    /// The change needs approvals.
    NeedsApproval,
    /// It blocks the change.
    Blocked,
}

/// Approvals of a finding.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Approvals {
    /// What is needed, e.g. `2 of netsec`.
    pub needed: Vec<String>,
    /// Whose approvals count.
    pub have: Vec<String>,
    /// Whose do not, and why.
    pub not_counted: Vec<NotCounted>,
    /// Why they are not enough, a sentence each; empty where they are, or where that is not known.
    pub missing: Vec<String>,
}

/// An approval that does not count.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NotCounted {
    /// Whose.
    pub who: String,
    /// Why it does not count.
    pub why: String,
}

/// A waiver of the policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WaiverReport {
    /// Its id.
    pub id: String,
    /// The check whose findings it accepts.
    pub check: String,
    /// Who answers for it.
    pub owner: String,
    /// Why it is acceptable.
    pub reason: String,
    /// Where it is followed up.
    pub ticket: String,
    /// The last day on which it holds.
    pub expires: String,
    /// What became of it.
    pub state: WaiverState,
    /// How many findings it accepted, alone or with others.
    pub findings: usize,
    /// What else is to be said of it: `it ends in 3 days`.
    pub notes: Vec<String>,
}

/// What became of a waiver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum WaiverState {
    /// It accepted findings.
    Used,
    /// There was nothing that it accepts.
    Unused,
    /// It does not hold any more, and accepted nothing.
    Expired,
    /// It does not hold yet, and accepted nothing.
    Early,
    /// It would hold longer than the policy lets a waiver hold, and accepted nothing.
    TooLong,
    /// The change brings it, the owners of the policy have not approved it, and it accepted nothing.
    Proposed,
    /// Whether it holds, or what it covers, is not known, and it accepted nothing.
    Unknown,
}

/// One packet and what both sides do with it.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct WitnessReport {
    /// The packet, a flow of one packet.
    pub packet: String,
    /// What was assumed of conditions that the file does not decide, e.g. `if -m recent --rcheck`.
    pub assumed: Vec<String>,
    /// On base; null where only one side was asked about, as `lint` does.
    pub base: Option<AnswerReport>,
    /// On head.
    pub head: AnswerReport,
}

/// What one side does with a packet.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct AnswerReport {
    /// Whether it passes.
    pub answer: Answer,
    /// The file of the rule or default action that decides; null where there is no filter.
    pub path: Option<String>,
    /// Its line, from 1.
    pub line: Option<u32>,
    /// Its column in characters, from 1.
    pub column: Option<u32>,
    /// The chains from the base chain to the deciding one.
    pub chains: Vec<String>,
    /// The bytes it stands for.
    #[serde(skip)]
    pub span: Option<Span>,
}

/// What becomes of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// It passes.
    Allow,
    /// It does not.
    Deny,
}

/// A place in a file. Lines and columns count from 1, columns in characters; the end is exclusive.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Location {
    /// Of which side the file is.
    pub side: LocationSide,
    /// The file.
    pub path: String,
    /// Line of the first character.
    pub line: u32,
    /// Column of the first character.
    pub column: u32,
    /// Line of the end.
    pub end_line: u32,
    /// Column of the end.
    pub end_column: u32,
    /// The bytes it stands for.
    #[serde(skip)]
    pub span: Option<Span>,
}

/// Of which side a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum LocationSide {
    /// What is in force.
    Base,
    /// What is proposed.
    Head,
    /// The policy.
    Policy,
}

/// Input that the model does not state.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct GapReport {
    /// The configuration it is in.
    pub configuration: String,
    /// The side it is on.
    pub side: LocationSide,
    /// Where it stands.
    pub location: Location,
    /// The text that is not understood, at most 200 characters of it.
    pub text: String,
    /// Why it is a gap.
    pub reason: String,
}

/// Why the gate could not answer.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct DoubtReport {
    /// What kind of reason it is.
    pub cause: super::Cause,
    /// The check that could not find out what it has to, if it was one.
    pub check: Option<String>,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub help: String,
    /// Where it is to be seen.
    pub location: Option<Location>,
    /// The line of the policy that asks for it.
    pub policy_location: Option<Location>,
}

/// How much was looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Stats {
    /// Configurations of either side.
    pub configurations: usize,
    /// Those whose text differs.
    pub changed: usize,
    /// Filters of either side.
    pub filters: usize,
    /// Rules on base.
    pub base_rules: usize,
    /// Rules on head.
    pub head_rules: usize,
    /// Newly allowed flows of all filters.
    pub newly_allowed: usize,
    /// Newly denied flows of all filters.
    pub newly_denied: usize,
}
