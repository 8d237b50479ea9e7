//! What a filter answers to one packet, with some lines taken away.

use super::super::Sided;
use super::lines::{LineNumber, Lines};
use crate::model::{Action, ChainId, Literal, RuleId, Store};
use crate::net::Packet;

/// A packet, and the opaque conditions that hold for it.
pub(super) struct Point {
    pub(super) packet: Packet,
    pub(super) holds: Vec<Literal>,
}

/// A filter for single packets.
pub(super) struct Walk<'w, 'c> {
    pub(super) store: &'w Store,
    pub(super) lines: &'w Lines<'c>,
    pub(super) sided: Sided<'c>,
}

impl Walk<'_, '_> {
    /// Whether the packet passes where `without` is not there.
    pub(super) fn allows(&self, point: &Point, without: Option<LineNumber>) -> bool {
        let stages = self.sided.filter.stages.iter().filter(|stage| stage.families.contains(point.packet.family));
        let mut stages = stages.map(|stage| (stage.table, stage.chain, stage.otherwise));
        stages.all(|(table, chain, otherwise)| {
            let of_table = self.sided.configuration.table(table);
            let gone = without.map(|line| &self.lines.all[line]).filter(|line| line.table == table);
            let mut stack: Vec<(ChainId, usize)> = vec![(chain, 0)];
            // A chain that a packet ran through undecided it would run through so again.
            let mut undecided: Vec<ChainId> = Vec::new();
            while let Some((chain, next)) = stack.last_mut() {
                let here = *chain;
                let Some(rule) = of_table.get(here).rules.get(*next) else {
                    undecided.push(here);
                    stack.pop();
                    continue;
                };
                let position = *next;
                *next += 1;
                let is_gone = gone.is_some_and(|line| line.chain == here && line.rules.contains(&position));
                if is_gone || !self.matches(*rule, point) {
                    continue;
                }
                match self.store.get(*rule).action() {
                    Action::Accept => return true,
                    Action::Deny => return false,
                    Action::Continue => {}
                    Action::Return => *next = usize::MAX,
                    action @ (Action::Jump(name) | Action::Goto(name)) => {
                        let target = of_table.find(name);
                        if let Some(target) = target.filter(|target| stack.iter().all(|(chain, _)| chain != target)) {
                            if matches!(action, Action::Goto(_))
                                && let Some((_, next)) = stack.last_mut()
                            {
                                *next = usize::MAX;
                            }
                            if !undecided.contains(&target) {
                                stack.push((target, 0));
                            }
                        }
                    }
                }
            }
            otherwise != Action::Deny
        })
    }

    fn matches(&self, rule: RuleId, point: &Point) -> bool {
        let family = point.packet.family;
        self.store.get(rule).families().contains(family)
            && self.store.ranges(rule, family).all(|(field, ranges)| ranges.contains(point.packet.get(field)))
            && self.store.literals(rule).iter().all(|literal| {
                let holds = point.holds.iter().any(|known| known.opaque == literal.opaque && known.holds);
                holds == literal.holds
            })
    }
}
