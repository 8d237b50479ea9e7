//! The part of a side's program that a region touches.

use super::ranks::narrow;
use super::{Sided, windows::Window};
use crate::model::{Action, ChainId, Probe, RuleId, Store, TableId};
use foldhash::quality::RandomState;
use std::collections::HashMap;

/// A chain of a configuration.
pub(super) type Place = (TableId, ChainId);

/// For one region and one side: of each chain the rules that can match a packet of the region, with their positions,
/// up to the first one that decides them all.
#[derive(Default)]
pub(super) struct Slice {
    chains: HashMap<Place, Part, RandomState>,
}

#[derive(Default)]
struct Part {
    rules: Vec<(u32, RuleId)>,
    /// The last rule decides every packet of the region that comes to it: what stands behind it is left out.
    closed: bool,
}

impl Slice {
    /// The rules of a chain, in order.
    pub(super) fn rules(&self, place: Place) -> &[(u32, RuleId)] {
        self.chains.get(&place).map_or(&[], |part| part.rules.as_slice())
    }

    /// Every rule, chain by chain.
    pub(super) fn all(&self) -> impl Iterator<Item = RuleId> + Clone {
        self.chains.values().flat_map(|part| &part.rules).map(|(_, rule)| *rule)
    }

    pub(super) fn len(&self) -> usize {
        self.chains.values().map(|part| part.rules.len()).sum()
    }

    pub(super) fn insert(&mut self, place: Place, rules: Vec<(u32, RuleId)>) {
        if !rules.is_empty() {
            self.chains.insert(place, Part { rules, closed: false });
        }
    }
}

/// Too many rules touch too many regions for one pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TooMany;

/// Rules that one pass may collect, all regions together; 8 bytes each.
const MOST_COLLECTED: usize = 3_000_000;

/// Whether a rule ends its chain for every packet of the region.
fn closes(store: &Store, rule: RuleId, probe: &Probe) -> bool {
    let decides = match store.get(rule).action() {
        Action::Accept | Action::Deny | Action::Return | Action::Goto(_) => true,
        Action::Jump(_) | Action::Continue => false,
    };
    decides && store.covers(rule, probe)
}

/// Every chain that a packet could run through at a filter: its base chains and all chains of their tables that are
/// no base chain of any filter.
pub(super) fn chains(sided: Sided<'_>) -> Vec<Place> {
    let bases: Vec<Place> =
        sided.configuration.filters.iter().flat_map(|f| &f.stages).map(|s| (s.table, s.chain)).collect();
    let mut out: Vec<Place> = Vec::new();
    for stage in &sided.filter.stages {
        let chains = 0..narrow(sided.configuration.table(stage.table).chains.len());
        let own = (stage.table, stage.chain);
        out.extend(chains.map(|n| (stage.table, ChainId(n))).filter(|place| *place == own || !bases.contains(place)));
    }
    out.sort_unstable();
    out.dedup();
    out
}

/// The slices of one side for several regions, in one pass over its rules. What stands behind a rule is left out only
/// if the rule is `common` to both sides, so that the other side can take the slice over.
pub(super) fn scan(
    store: &Store,
    sided: Sided<'_>,
    probes: &[Probe],
    common: &dyn Fn(Place, u32) -> bool,
) -> Result<Vec<Slice>, TooMany> {
    let mut out: Vec<Slice> = probes.iter().map(|_| Slice::default()).collect();
    let index = Index::new(probes);
    let mut collected = 0;
    for place in chains(sided) {
        let chain = sided.configuration.table(place.0).get(place.1);
        let mut found: Vec<Part> = probes.iter().map(|_| Part::default()).collect();
        for (position, rule) in (0..).zip(&chain.rules) {
            index.each(store, *rule, probes, |n| {
                let part = &mut found[n];
                if !part.closed {
                    collected += 1;
                    part.rules.push((position, *rule));
                    part.closed = closes(store, *rule, &probes[n]) && common(place, position);
                }
            });
            if collected > MOST_COLLECTED && probes.len() > 1 {
                return Err(TooMany);
            }
        }
        for (slice, part) in out.iter_mut().zip(found) {
            if !part.rules.is_empty() {
                slice.chains.insert(place, part);
            }
        }
    }
    Ok(out)
}

/// The slices of the other side: what `windows` leaves common is taken over, the rest is looked at.
pub(super) fn rescan<'w>(
    store: &Store,
    sided: Sided<'_>,
    probes: &[Probe],
    base: Sided<'_>,
    of_base: &[Slice],
    windows: &dyn Fn(Place) -> Option<(Place, &'w [Window])>,
) -> Vec<Slice> {
    let mut out: Vec<Slice> = probes.iter().map(|_| Slice::default()).collect();
    for place in chains(sided) {
        let rules = &sided.configuration.table(place.0).get(place.1).rules;
        let common = windows(place);
        for ((slice, probe), theirs) in out.iter_mut().zip(probes).zip(of_base) {
            let copied = common.and_then(|(origin, windows)| {
                let length = narrow(base.configuration.table(origin.0).get(origin.1).rules.len());
                copy(store, rules, probe, theirs.chains.get(&origin), length, windows)
            });
            let part = copied.unwrap_or_else(|| look(store, rules, probe, 0, narrow(rules.len())));
            if !part.rules.is_empty() {
                slice.chains.insert(place, part);
            }
        }
    }
    out
}

/// The rules from one position to another that touch the region, up to one that closes it.
fn look(store: &Store, rules: &[RuleId], probe: &Probe, from: u32, to: u32) -> Part {
    let mut part = Part::default();
    let range = rules.get(from as usize..(to as usize).min(rules.len())).unwrap_or_default();
    for (position, rule) in (from..).zip(range.iter().copied()) {
        if store.overlaps(rule, probe) {
            part.rules.push((position, rule));
            if closes(store, rule, probe) {
                part.closed = true;
                break;
            }
        }
    }
    part
}

/// What stands outside the windows as on the other side, with the windows looked at. `None` where the other side was
/// left out behind a rule that is not there on this side.
fn copy(
    store: &Store,
    rules: &[RuleId],
    probe: &Probe,
    old: Option<&Part>,
    length: u32,
    windows: &[Window],
) -> Option<Part> {
    let empty = Part::default();
    let old = old.unwrap_or(&empty);
    let end = match old.rules.last() {
        Some((position, _)) if old.closed => Some(*position),
        Some(_) | None => None,
    };
    if end.is_some_and(|end| windows.iter().any(|w| (w.base.0..w.base.1).contains(&end))) {
        return None;
    }
    let mut part = Part::default();
    let (mut before, mut after) = (0, 0);
    let last = Window { base: (length, length), head: (narrow(rules.len()), narrow(rules.len())) };
    for window in windows.iter().chain([&last]) {
        let from = old.rules.partition_point(|(position, _)| *position < before);
        let to = old.rules.partition_point(|(position, _)| *position < window.base.0);
        part.rules.extend(old.rules[from..to].iter().map(|(position, rule)| (position - before + after, *rule)));
        if end.is_some_and(|end| end < window.base.0) {
            part.closed = true;
            break;
        }
        let changed = look(store, rules, probe, window.head.0, window.head.1);
        part.rules.extend(changed.rules);
        if changed.closed {
            part.closed = true;
            break;
        }
        (before, after) = (window.base.1, window.head.1);
    }
    Some(part)
}

/// Finds the regions that a rule touches without asking each of many.
struct Index {
    /// Of destination and of source: sorted starts and sorted ends, and for each rank in them which regions it takes in.
    fields: Vec<Axis>,
    words: usize,
}

struct Axis {
    field: crate::net::Field,
    starts: Vec<u128>,
    ends: Vec<u128>,
    /// Row `n`: the regions among the first `n` starts.
    started: Vec<u64>,
    /// Row `n`: the regions whose ends are at or after the `n`-th end.
    unfinished: Vec<u64>,
}

/// Up to so many regions, asking each in turn is cheaper than the index.
const FEW: usize = 16;

impl Index {
    fn new(probes: &[Probe]) -> Self {
        let words = probes.len().div_ceil(64);
        let fields = if probes.len() <= FEW {
            Vec::new()
        } else {
            [crate::net::Field::Destination, crate::net::Field::Source]
                .map(|field| Axis::new(field, probes, words))
                .into()
        };
        Self { fields, words }
    }

    fn each(&self, store: &Store, rule: RuleId, probes: &[Probe], mut found: impl FnMut(usize)) {
        if self.fields.is_empty() {
            for (n, probe) in probes.iter().enumerate() {
                if store.overlaps(rule, probe) {
                    found(n);
                }
            }
            return;
        }
        let Some(first) = probes.first() else { return };
        let mut rows: [Option<(&[u64], &[u64])>; 2] = [None, None];
        for (field, ranges) in store.ranges(rule, first.region().family()) {
            if let Some(n) = self.fields.iter().position(|axis| axis.field == field) {
                let hull = ranges.hull().unwrap_or((u128::MAX, 0));
                rows[n] = Some(self.fields[n].rows(hull, self.words));
            }
        }
        for word in 0..self.words {
            let mut bits = u64::MAX;
            for (started, unfinished) in rows.iter().flatten() {
                bits &= started[word] & unfinished[word];
            }
            while bits != 0 {
                let n = word * 64 + bits.trailing_zeros() as usize;
                bits &= bits - 1;
                if probes.get(n).is_some_and(|probe| store.overlaps(rule, probe)) {
                    found(n);
                }
            }
        }
    }
}

impl Axis {
    fn new(field: crate::net::Field, probes: &[Probe], words: usize) -> Self {
        let hull = |probe: &Probe| {
            let family = probe.region().family();
            let all = field.all(family);
            probe.region().get(field).unwrap_or(&all).ranges().hull().unwrap_or((0, 0))
        };
        let mut by_start: Vec<(u128, usize)> = probes.iter().map(|p| hull(p).0).zip(0..).collect();
        let mut by_end: Vec<(u128, usize)> = probes.iter().map(|p| hull(p).1).zip(0..).collect();
        by_start.sort_unstable();
        by_end.sort_unstable();
        let mut started = vec![0; words];
        for (row, (_, n)) in by_start.iter().enumerate() {
            started.extend_from_within(row * words..);
            started[(row + 1) * words + n / 64] |= 1 << (n % 64);
        }
        let mut unfinished = vec![0; words * (by_end.len() + 1)];
        for (row, (_, n)) in by_end.iter().enumerate().rev() {
            let (before, after) = unfinished.split_at_mut((row + 1) * words);
            before[row * words..].copy_from_slice(&after[..words]);
            before[row * words + n / 64] |= 1 << (n % 64);
        }
        let values = |sorted: Vec<(u128, usize)>| sorted.into_iter().map(|(value, _)| value).collect();
        Self { field, starts: values(by_start), ends: values(by_end), started, unfinished }
    }

    /// The regions that begin at or before the end of `hull`, and those that end at or after its start.
    fn rows(&self, hull: (u128, u128), words: usize) -> (&[u64], &[u64]) {
        let begun = self.starts.partition_point(|start| *start <= hull.1);
        let over = self.ends.partition_point(|end| *end < hull.0);
        (&self.started[begun * words..(begun + 1) * words], &self.unfinished[over * words..(over + 1) * words])
    }
}
