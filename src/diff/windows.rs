//! Which parts of two rule lists differ.

use crate::model::{RuleId, Store};
use foldhash::quality::RandomState;
use std::collections::HashMap;

/// A stretch in which two lists differ: closed-open ranges of positions. Between windows the lists are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Window {
    pub(super) base: (u32, u32),
    pub(super) head: (u32, u32),
}

impl Window {
    /// Whether it reaches to the ends of both lists.
    pub(super) fn is_last(&self, ends: [u32; 2]) -> bool {
        [self.base.1, self.head.1] == ends
    }
}

/// More edits than this are not aligned rule by rule.
const MOST_EDITS: usize = 3000;
/// Windows between which a rule moved are taken together up to this many rules.
const WIDEST_MOVE: u32 = 2000;

/// The windows of two lists, in order. Empty: they are the same, rule by rule.
pub(super) fn windows(store: &Store, base: &[RuleId], head: &[RuleId]) -> Vec<Window> {
    let same = |a: &RuleId, b: &RuleId| a == b || store.same(*a, *b);
    let before = base.iter().zip(head).take_while(|(a, b)| same(a, b)).count();
    let (base, head) = (&base[before..], &head[before..]);
    let after = base.iter().rev().zip(head.iter().rev()).take_while(|(a, b)| same(a, b)).count();
    let (base, head) = (&base[..base.len() - after], &head[..head.len() - after]);
    if base.is_empty() && head.is_empty() {
        return Vec::new();
    }
    let edits = if base.is_empty() || head.is_empty() { None } else { shortest_edit(base, head, &same) };
    let whole = Window { base: (0, narrow(base.len())), head: (0, narrow(head.len())) };
    let mut windows = edits.unwrap_or_else(|| vec![whole]);
    merge_moves(&mut windows, store, base, head);
    let shift = narrow(before);
    for Window { base, head } in &mut windows {
        *base = (base.0 + shift, base.1 + shift);
        *head = (head.0 + shift, head.1 + shift);
    }
    windows
}

/// Myers' greedy algorithm ("An O(ND) Difference Algorithm and Its Variations", 1986); `None` above
/// [`MOST_EDITS`].
fn shortest_edit(base: &[RuleId], head: &[RuleId], same: &dyn Fn(&RuleId, &RuleId) -> bool) -> Option<Vec<Window>> {
    let (n, m) = (base.len(), head.len());
    let slide = |mut x: usize, mut y: usize| {
        while x < n && y < m && same(&base[x], &head[y]) {
            x += 1;
            y += 1;
        }
        x
    };
    // `reached[d][k]`: how far in `base` one gets with `d` edits on the diagonal `2k - d`.
    let mut reached: Vec<Vec<u32>> = Vec::new();
    let edits = 'found: {
        for d in 0..=MOST_EDITS.min(n + m) {
            let mut row = Vec::with_capacity(d + 1);
            for k in 0..=d {
                let diagonal = 2 * k as isize - d as isize;
                let start = match reached.last() {
                    None => Some(0),
                    Some(previous) => step(previous, k, d).map(|(start, _)| start),
                };
                let point = start
                    .filter(|start| *start <= n)
                    .and_then(|start| start.checked_add_signed(-diagonal).filter(|y| *y <= m).map(|y| (start, y)));
                let Some((start, y)) = point else {
                    row.push(NOWHERE);
                    continue;
                };
                let x = slide(start, y);
                row.push(narrow(x));
                if x >= n && x.checked_add_signed(-diagonal) == Some(m) {
                    reached.push(row);
                    break 'found Some((d, k));
                }
            }
            reached.push(row);
        }
        None
    };
    let (mut d, mut k) = edits?;
    let mut windows: Vec<Window> = Vec::new();
    while d > 0 {
        let (start, from) = step(&reached[d - 1], k, d)?;
        let diagonal = 2 * k as isize - d as isize;
        let y = start.checked_add_signed(-diagonal)?;
        // One edit ends at (start, y): a removal came from the left, an insertion from above.
        let removal = from + 1 == k;
        let (x0, y0) = if removal { (start - 1, y) } else { (start, y - 1) };
        let edit = Window { base: (narrow(x0), narrow(start)), head: (narrow(y0), narrow(y)) };
        match windows.last_mut() {
            Some(next) if next.base.0 == edit.base.1 && next.head.0 == edit.head.1 => {
                next.base.0 = edit.base.0;
                next.head.0 = edit.head.0;
            }
            Some(_) | None => windows.push(edit),
        }
        d -= 1;
        k = from;
    }
    windows.reverse();
    Some(windows)
}

/// A diagonal that so many edits cannot reach.
const NOWHERE: u32 = u32::MAX;

/// Where the `d`-th edit onto diagonal `k` ends, given how far `d - 1` edits reach, and from which diagonal it comes:
/// a removal from `k - 1`, an insertion from `k`.
fn step(previous: &[u32], k: usize, d: usize) -> Option<(usize, usize)> {
    let reached = |k: usize| previous.get(k).filter(|x| **x != NOWHERE).map(|x| *x as usize);
    let removal = k.checked_sub(1).and_then(reached).map(|x| (x + 1, k - 1));
    let insertion = if k < d { reached(k).map(|x| (x, k)) } else { None };
    match (removal, insertion) {
        (Some(removal), Some(insertion)) if removal.0 <= insertion.0 => Some(insertion),
        (Some(removal), _) => Some(removal),
        (None, insertion) => insertion,
    }
}

/// Takes together the windows between which a rule moved, so that they can be proved equal as one.
fn merge_moves(windows: &mut Vec<Window>, store: &Store, base: &[RuleId], head: &[RuleId]) {
    if windows.len() < 2 {
        return;
    }
    let mut left: HashMap<u64, usize, RandomState> = HashMap::default();
    for (n, window) in windows.iter().enumerate() {
        for rule in &base[window.base.0 as usize..window.base.1 as usize] {
            left.entry(store.digest(*rule)).or_insert(n);
        }
    }
    let mut last_of: Vec<usize> = (0..windows.len()).collect();
    for (n, window) in windows.iter().enumerate() {
        for rule in &head[window.head.0 as usize..window.head.1 as usize] {
            if let Some(from) = left.get(&store.digest(*rule)) {
                let (low, high) = (n.min(*from), n.max(*from));
                if windows[high].base.1 - windows[low].base.0 <= WIDEST_MOVE {
                    last_of[low] = last_of[low].max(high);
                }
            }
        }
    }
    let mut merged: Vec<Window> = Vec::new();
    let mut open_until = None;
    for (n, window) in windows.iter().enumerate() {
        match merged.last_mut() {
            Some(open) if open_until.is_some_and(|last| n <= last) => {
                open.base.1 = window.base.1;
                open.head.1 = window.head.1;
            }
            Some(_) | None => merged.push(*window),
        }
        open_until = open_until.max(Some(last_of[n]));
    }
    *windows = merged;
}

fn narrow(n: usize) -> u32 {
    super::ranks::narrow(n)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Action, Draft, Families};
    use proptest::prelude::*;

    fn store() -> (Store, Vec<RuleId>) {
        let mut store = Store::default();
        let rules = (0..12u16).map(|n| {
            let mut draft = Draft::new(Families::BOTH);
            draft.destination_port(n, n);
            store.rule(draft, Action::Accept)
        });
        let rules = rules.collect();
        (store, rules)
    }

    proptest! {
        #[test]
        fn outside_the_windows_the_lists_are_the_same(
            a in proptest::collection::vec(0usize..12, 0..40), b in proptest::collection::vec(0usize..12, 0..40),
        ) {
            let (store, rules) = store();
            let pick = |n: &Vec<usize>| n.iter().map(|n| rules[*n]).collect::<Vec<_>>();
            let (a, b) = (pick(&a), pick(&b));
            let (mut i, mut j) = (0, 0);
            for w in windows(&store, &a, &b) {
                let (i2, j2) = (w.base.0 as usize, w.head.0 as usize);
                prop_assert!(i2 >= i && j2 >= j && (w.base.1 > w.base.0 || w.head.1 > w.head.0));
                prop_assert_eq!(&a[i..i2], &b[j..j2]);
                (i, j) = (w.base.1 as usize, w.head.1 as usize);
            }
            prop_assert_eq!(&a[i..], &b[j..]);
        }
    }

    #[test]
    fn one_edit_is_one_window() {
        let (store, r) = store();
        let a = [r[0], r[1], r[2], r[3]];
        let b = [r[0], r[1], r[9], r[2], r[3]];
        assert_eq!(windows(&store, &a, &b), [Window { base: (2, 2), head: (2, 3) }]);
        assert_eq!(windows(&store, &b, &a), [Window { base: (2, 3), head: (2, 2) }]);
        assert_eq!(windows(&store, &a, &a), []);
        let moved = [r[1], r[2], r[0], r[3]];
        assert_eq!(windows(&store, &a, &moved), [Window { base: (0, 3), head: (0, 3) }]);
    }
}
