use super::{Answer, Hop, Sided, Trace};
use crate::model::{Action, ChainId, Literal, PLAIN, RuleId, Stage, Store, TableId};
use crate::net::{Family, Packet};
use crate::text::{Span, escape};
use foldhash::quality::RandomState;
use std::collections::HashSet;

/// Walks one packet through a filter, rule by rule: the naive evaluator that everything else is held against.
///
/// `assumed` gives truths of opaque conditions; those it does not name count as not true and are listed in
/// [`Trace::unknown`]. A jump to a chain that does not exist or is being walked already does nothing (the
/// reader has reported either as a gap).
#[must_use]
pub fn trace(store: &Store, sided: Sided<'_>, packet: &Packet, assumed: &[Literal]) -> Trace {
    let plain = (packet.family == Family::Ipv4).then(|| PLAIN.map(|field| packet.get(field)));
    let mut walk = Walk { store, sided, packet, plain, assumed, trace: Trace::default() };
    walk.trace.answer.allowed = true;
    for stage in &sided.filter.stages {
        if stage.families.contains(packet.family) && !walk.stage(stage) {
            walk.trace.answer.allowed = false;
            break;
        }
    }
    walk.trace
}

/// What a filter does with a packet; where there is none, what its absence means.
pub(super) fn answer(
    store: &Store,
    sided: Option<Sided<'_>>,
    absent: bool,
    packet: &Packet,
    assumed: &[Literal],
) -> Trace {
    match sided {
        Some(sided) => trace(store, sided, packet, assumed),
        None => Trace { answer: Answer { allowed: absent, ..Answer::default() }, ..Trace::default() },
    }
}

struct Walk<'w> {
    store: &'w Store,
    sided: Sided<'w>,
    packet: &'w Packet,
    /// Its values of the fields of [`PLAIN`], if it is an IPv4 packet.
    plain: Option<[u128; PLAIN.len()]>,
    assumed: &'w [Literal],
    trace: Trace,
}

/// A chain being walked and the rule that comes next.
struct Frame {
    chain: ChainId,
    next: usize,
}

impl Walk<'_> {
    /// Whether the base chain lets the packet go on.
    fn stage(&mut self, stage: &Stage) -> bool {
        let table = self.sided.configuration.table(stage.table);
        let mut stack = vec![Frame { chain: stage.chain, next: 0 }];
        // Chains that this packet ran through undecided: it would again, however often they are called.
        let mut undecided: HashSet<ChainId, RandomState> = HashSet::default();
        while let Some(frame) = stack.last_mut() {
            let chain = table.get(frame.chain);
            let Some(rule) = chain.rules.get(frame.next) else {
                undecided.insert(frame.chain);
                stack.pop();
                continue;
            };
            let here = frame.chain;
            frame.next += 1;
            if !self.matches(*rule) {
                continue;
            }
            let at = chain.origins.get(frame.next - 1);
            let action = self.store.get(*rule).action();
            self.hop(stage.table, here, stack.len() - 1, at, action);
            match action {
                Action::Accept | Action::Deny => {
                    let path = stack.iter().map(|frame| self.name(stage.table, frame.chain)).collect();
                    self.trace.answer = Answer { allowed: action == Action::Accept, by: at, path };
                    return action == Action::Accept;
                }
                Action::Continue => {}
                Action::Return => Self::end(&mut stack),
                Action::Jump(name) | Action::Goto(name) => {
                    let target = table.find(name).filter(|target| stack.iter().all(|frame| frame.chain != *target));
                    if let Some(chain) = target {
                        if matches!(action, Action::Goto(_)) {
                            Self::end(&mut stack);
                        }
                        if !undecided.contains(&chain) {
                            stack.push(Frame { chain, next: 0 });
                        }
                    }
                }
            }
        }
        self.hop(stage.table, stage.chain, 0, stage.otherwise_at, stage.otherwise);
        let path = vec![self.name(stage.table, stage.chain)];
        let allowed = stage.otherwise != Action::Deny;
        self.trace.answer = Answer { allowed, by: stage.otherwise_at, path };
        allowed
    }

    /// Leaves the rest of the innermost chain out: what comes next is where it was called from.
    fn end(stack: &mut [Frame]) {
        if let Some(frame) = stack.last_mut() {
            frame.next = usize::MAX;
        }
    }

    fn matches(&mut self, rule: RuleId) -> bool {
        if !self.store.get(rule).families().contains(self.packet.family) {
            return false;
        }
        if let Some(plain) = &self.plain {
            // Most rules are about other packets, which shows at once.
            let (hull, _) = self.store.plain_hull(rule);
            let within =
                |((first, last), value): ((u32, u32), &u128)| u128::from(first) <= *value && *value <= last.into();
            if !hull.into_iter().zip(plain).all(within) {
                return false;
            }
        }
        let mut ranges = self.store.ranges(rule, self.packet.family);
        if !ranges.all(|(field, ranges)| ranges.contains(self.packet.get(field))) {
            return false;
        }
        drop(ranges);
        for literal in self.store.literals(rule) {
            let given = self.assumed.iter().find(|assumed| assumed.opaque == literal.opaque);
            let truth = given.is_some_and(|assumed| assumed.holds);
            if given.is_none() && self.trace.unknown.iter().all(|met| met.opaque != literal.opaque) {
                self.trace.unknown.push(Literal { opaque: literal.opaque, holds: false });
            }
            if truth != literal.holds {
                return false;
            }
        }
        true
    }

    fn hop(&mut self, table: TableId, chain: ChainId, depth: usize, at: Option<Span>, what: Action) {
        self.trace.hops.push(Hop { chain: self.name(table, chain), depth, at, what });
    }

    fn name(&self, table: TableId, chain: ChainId) -> String {
        let table = self.sided.configuration.table(table);
        format!("{}/{}", table.name, escape(self.store.name(table.get(chain).name)))
    }
}
