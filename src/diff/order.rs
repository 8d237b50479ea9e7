//! Lists of the same rules in another order.

use crate::model::{Action, Probe, RuleId, Store};
use crate::net::Region;

/// Inverted pairs that are looked at; at about 5 ns each.
const MOST_PAIRS: usize = 40_000_000;

/// Whether `head` holds the rules of `base` in an order that does the same: no two rules that can match one packet
/// and do different things were inverted. `None` if it cannot be told this way (other rules, too many inversions, or
/// such a pair, which need not matter where earlier rules decide).
pub(super) fn commutes(store: &Store, base: &[RuleId], head: &[RuleId], pieces: &[Region]) -> Option<()> {
    if base.len() != head.len() {
        return None;
    }
    let by_digest = |rules: &[RuleId]| {
        let mut all: Vec<(u64, u32)> = rules.iter().map(|rule| store.digest(*rule)).zip(0..).collect();
        all.sort_unstable();
        all
    };
    // Where each rule of head stands on base; of equal rules the order is kept.
    let mut order = vec![0; head.len()];
    for ((_, old), (_, new)) in by_digest(base).into_iter().zip(by_digest(head)) {
        let (original, rule) = (base[old as usize], head[new as usize]);
        if !(original == rule || store.same(original, rule)) {
            return None;
        }
        order[new as usize] = old;
    }
    let probes: Vec<Probe> = pieces.iter().map(Probe::new).collect();
    let mut pairs = 0;
    // Insertion sort visits exactly the inverted pairs.
    let mut sorted: Vec<u32> = Vec::with_capacity(order.len());
    for position in order {
        let rule = base[position as usize];
        let at = sorted.partition_point(|other| *other < position);
        for other in &sorted[at..] {
            pairs += 1;
            if pairs > MOST_PAIRS || !independent(store, rule, base[*other as usize], &probes) {
                return None;
            }
        }
        sorted.insert(at, position);
    }
    Some(())
}

/// Whether the order of two rules cannot matter.
fn independent(store: &Store, a: RuleId, b: RuleId, probes: &[Probe]) -> bool {
    let (x, y) = (store.get(a).action(), store.get(b).action());
    let idle = |action| action == Action::Continue;
    x == y
        || idle(x)
        || idle(y)
        || !store.meet(a, b)
        || !probes.iter().any(|p| store.overlaps(a, p) && store.overlaps(b, p))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Draft, Families};
    use crate::net::Family;

    #[test]
    fn only_rules_that_meet_and_disagree_must_keep_their_order() {
        let mut store = Store::default();
        let mut rule = |first: u16, last: u16, action| {
            let mut draft = Draft::new(Families::BOTH);
            draft.destination_port(first, last);
            store.rule(draft, action)
        };
        let (a, b, c) = (rule(1, 5, Action::Accept), rule(6, 9, Action::Deny), rule(5, 7, Action::Accept));
        let all = [Region::all(Family::Ipv4)];
        let commutes = |x: &[RuleId], y: &[RuleId]| commutes(&store, x, y, &all).is_some();
        assert!(commutes(&[a, b, c], &[b, a, c]));
        assert!(commutes(&[a, c, b], &[c, a, b]));
        assert!(!commutes(&[a, b, c], &[a, c, b]));
        assert!(!commutes(&[a, b], &[a, c]));
        assert!(!commutes(&[a, a], &[a]));
    }
}
