//! What the gate can demand: one file a check, and one page a check in `policies/`.
//!
//! A check is pure: it reads a change, the policy and facts, and says what is wrong, why and what to do.
//! Knows nothing of formats, reports, files or networks.

use crate::diff::{Change, Difference, Side, Witness};
use crate::model::Literal;
use crate::net::Region;
use crate::text::Span;

/// How much a finding weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Not run.
    Off,
    /// Shown, never decides.
    Warn,
    /// Needs approvals.
    Approve,
    /// Blocks.
    Block,
}

/// What a check sees.
pub struct Context<'c> {
    /// Both sides.
    pub change: &'c Change,
    /// What the change does.
    pub difference: &'c Difference,
}

/// Something a check has to say.
#[derive(Debug, Clone)]
pub struct Finding {
    /// The check's id.
    pub check: &'static str,
    /// The name of this instance in the policy.
    pub name: Option<String>,
    /// Its level in the policy.
    pub level: Level,
    /// What is wrong, one sentence without a full stop.
    pub message: String,
    /// What to do.
    pub help: String,
    /// The configuration.
    pub configuration: Option<String>,
    /// The filter.
    pub filter: Option<String>,
    /// The packets, and the conditions under which it is so.
    pub flow: Option<(Region, Vec<Literal>)>,
    /// One of them on both sides.
    pub witness: Option<Witness>,
    /// Where it is to be seen.
    pub location: Option<(Side, Span)>,
    /// The line of the policy that demands it.
    pub policy: Option<Span>,
}
