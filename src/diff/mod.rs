//! What a change does to packets and requests: the exact difference of two snapshots, questions about a part of it, and the
//! way of one packet through a filter. Knows nothing of formats or policy.

pub mod balancers;
mod change;
mod compare;
mod compile;
mod cover;
mod engine;
mod fdd;
mod flat;
mod index;
mod order;
mod products;
mod ranks;
mod regions;
pub mod shadow;
mod slice;
mod stream;
#[cfg(test)]
mod tests;
mod trace;
mod windows;

use engine::Program;

pub use change::{Change, FilterPair, Side, Sided};
pub use compare::compare;
pub use trace::trace;

use crate::model::Literal;
use crate::net::{Family, Packet, Region};
use crate::text::Span;

/// What to look for in a filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Question {
    /// Packets that base allows and head denies.
    NewlyDenied,
    /// Packets that base denies and head allows.
    NewlyAllowed,
    /// Packets that this side denies (where the filter does not exist there: what its absence means).
    Denied(Side),
    /// Packets that this side allows.
    Allowed(Side),
}

/// Packets that answer a question: a region, the opaque conditions under which they do, and one of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delta {
    /// The packets.
    pub region: Region,
    /// The truths of opaque conditions under which they answer it, sorted; empty: whatever those are.
    pub conditions: Vec<Literal>,
}

/// One packet and what each side does with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Witness {
    /// The packet.
    pub packet: Packet,
    /// The truths of opaque conditions that were assumed on the way, sorted.
    pub assumed: Vec<Literal>,
    /// On base.
    pub base: Answer,
    /// On head.
    pub head: Answer,
}

/// What one side does with a packet.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Answer {
    /// Whether it passes.
    pub allowed: bool,
    /// The rule, or the line of the default action, that decides; `None` where there is no filter.
    pub by: Option<Span>,
    /// The chains from the base chain to the deciding one, as `table/chain`.
    pub path: Vec<String>,
}

/// The answer to a question.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Found {
    /// The packets, the largest part first. Empty and `complete`: there are none, proved.
    pub deltas: Vec<Delta>,
    /// Whether `deltas` is all of it. If not, there are more packets than are listed (and at least one is
    /// listed), or, with no delta, the question was too hard for its budget: then nothing is known.
    pub complete: bool,
}

impl Found {
    /// No packet, proved.
    pub const NONE: Self = Self { deltas: Vec::new(), complete: true };
}

/// Everything a change does.
#[derive(Debug, Default)]
pub struct Difference {
    /// Each configuration of either side, sorted by name.
    pub configurations: Vec<ConfigurationDifference>,
}

/// How a configuration fares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeKind {
    /// The same text.
    Unchanged,
    /// Another text that does the same to every packet.
    Equivalent,
    /// It does something else, or its objects differ.
    Changed,
    /// Only on head.
    Added,
    /// Only on base.
    Removed,
}

/// What becomes of one configuration.
#[derive(Debug)]
pub struct ConfigurationDifference {
    /// Its name.
    pub name: String,
    /// Its format.
    pub format: &'static str,
    /// How it fares.
    pub change: ChangeKind,
    /// The filters that differ, sorted by id.
    pub filters: Vec<FilterDifference>,
    /// The balancers that differ.
    pub balancers: balancers::BalancersDifference,
    /// The objects that differ.
    pub objects: ObjectsDifference,
}

/// What becomes of one filter.
#[derive(Debug)]
pub struct FilterDifference {
    /// Its id.
    pub id: String,
    /// What base denied and head allows.
    pub newly_allowed: Found,
    /// What base allowed and head denies.
    pub newly_denied: Found,
    /// The rules that changed: the cause, on base and on head.
    pub removed_rules: Vec<Span>,
    /// Rules only on head.
    pub added_rules: Vec<Span>,
    /// Rules that stand in another order, where they stand on head.
    pub moved_rules: Vec<Span>,
}

/// Objects that only one side has, or that differ. Rules are counted, not listed.
#[derive(Debug, Default)]
pub struct ObjectsDifference {
    /// Only on head.
    pub added: Vec<ObjectChange>,
    /// Only on base.
    pub removed: Vec<ObjectChange>,
    /// On both, with another content.
    pub modified: Vec<ObjectChange>,
}

/// One object that differs.
#[derive(Debug, Clone)]
pub struct ObjectChange {
    /// Its kind; `rule` for rules.
    pub kind: &'static str,
    /// Its address.
    pub address: String,
    /// Where it stands on base.
    pub base: Option<Span>,
    /// Where it stands on head.
    pub head: Option<Span>,
    /// What of the change is not computed.
    pub uncomputed: Option<&'static str>,
    /// The elements that it holds on one side only, where both sides have it and what it holds differs.
    pub elements: Option<ElementsChange>,
}

/// The elements of a set or map that differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ElementsChange {
    /// Those only on head: the first of them, and how many they are.
    pub added: (Vec<String>, usize),
    /// Those only on base, likewise.
    pub removed: (Vec<String>, usize),
}

/// Answers a question about the packets of `within` at one filter, exactly, over all truths of opaque conditions:
/// a packet is an answer if there is one truth assignment, the same on both sides, under which it is.
#[must_use]
pub fn ask(change: &Change, pair: &FilterPair<'_>, within: &[Region], question: Question) -> Found {
    let mut out = Found { deltas: Vec::new(), complete: true };
    for family in Family::ALL {
        let pieces = in_domain(pair, within, family);
        if pieces.is_empty() {
            continue;
        }
        let base = Program::of(pair.base, pair.absent(), family);
        let head = Program::of(pair.head, pair.absent(), family);
        let side = |side| match side {
            Side::Base => base,
            Side::Head => head,
        };
        let found = match question {
            Question::NewlyDenied => engine::compare(change, base, head, &pieces, true).lost,
            Question::NewlyAllowed => engine::compare(change, base, head, &pieces, true).gained,
            Question::Denied(s) => engine::compare(change, Program::Constant(true), side(s), &pieces, false).lost,
            Question::Allowed(s) => engine::compare(change, Program::Constant(false), side(s), &pieces, false).gained,
        };
        out.complete &= found.complete;
        out.deltas.extend(found.deltas);
    }
    out
}

/// The parts of `within` that are of one family and can come to the filter on either side.
fn in_domain(pair: &FilterPair<'_>, within: &[Region], family: Family) -> Vec<Region> {
    let mut out = Vec::new();
    for sided in [pair.base, pair.head].into_iter().flatten() {
        for domain in sided.filter.domain.iter().filter(|domain| domain.family() == family) {
            out.extend(within.iter().filter_map(|region| region.intersection(domain)));
        }
    }
    out.sort_unstable();
    out.dedup();
    out
}

/// A packet of `delta` that could be seen on a wire, walked through both sides. `None` if no packet is in it, or if
/// walking it shows that it is no answer to `question`: that would be a bug of the engine, and must not pass.
#[must_use]
pub fn witness(change: &Change, pair: &FilterPair<'_>, delta: &Delta, question: Question) -> Option<Witness> {
    let packet = delta.region.witness()?;
    let walk = |sided: Option<Sided<'_>>| {
        let sided = sided.filter(|s| s.filter.domain.iter().any(|region| region.family() == packet.family));
        trace::answer(&change.store, sided, pair.absent(), &packet, &delta.conditions).answer
    };
    let (base, head) = (walk(pair.base), walk(pair.head));
    let holds = match question {
        Question::NewlyDenied => base.allowed && !head.allowed,
        Question::NewlyAllowed => !base.allowed && head.allowed,
        Question::Denied(Side::Base) => !base.allowed,
        Question::Denied(Side::Head) => !head.allowed,
        Question::Allowed(Side::Base) => base.allowed,
        Question::Allowed(Side::Head) => head.allowed,
    };
    holds.then(|| Witness { packet, assumed: delta.conditions.clone(), base, head })
}

/// The way of a packet through a filter.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Trace {
    /// Each rule that matched, or that may, in order.
    pub hops: Vec<Hop>,
    /// What comes out if every condition in `unknown` has the truth that was assumed.
    pub answer: Answer,
    /// The opaque conditions that were met without an assumption being given, in order; they count as not true.
    pub unknown: Vec<Literal>,
}

/// One step of a packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hop {
    /// The chain, as `table/chain`.
    pub chain: String,
    /// How deep in jumps, from 0.
    pub depth: usize,
    /// The rule or default action; `None` where a chain ends without one.
    pub at: Option<Span>,
    /// What happens: `jump`, `accept` …
    pub what: crate::model::Action,
}
