//! The part of a side's program that a region touches.

use super::{Sided, windows::Window};
use crate::model::{ChainId, Probe, RuleId, Store, TableId};
use foldhash::quality::RandomState;
use std::collections::HashMap;

/// A chain of a configuration.
pub(super) type Place = (TableId, ChainId);

/// For one region and one side: of each chain the rules that can match a packet of the region, with their positions.
#[derive(Default)]
pub(super) struct Slice {
    chains: HashMap<Place, Vec<(u32, RuleId)>, RandomState>,
}

impl Slice {
    /// The rules of a chain, in order.
    pub(super) fn rules(&self, place: Place) -> &[(u32, RuleId)] {
        self.chains.get(&place).map_or(&[], Vec::as_slice)
    }

    /// Every rule, chain by chain.
    pub(super) fn all(&self) -> impl Iterator<Item = RuleId> + Clone {
        self.chains.values().flatten().map(|(_, rule)| *rule)
    }

    pub(super) fn len(&self) -> usize {
        self.chains.values().map(Vec::len).sum()
    }

    pub(super) fn insert(&mut self, place: Place, rules: Vec<(u32, RuleId)>) {
        if !rules.is_empty() {
            self.chains.insert(place, rules);
        }
    }
}

/// Every chain that a packet could run through at a filter: its base chains and all chains of their tables that are
/// no base chain of any filter.
pub(super) fn chains(sided: Sided<'_>) -> Vec<Place> {
    let bases: Vec<Place> =
        sided.configuration.filters.iter().flat_map(|f| &f.stages).map(|s| (s.table, s.chain)).collect();
    let mut out: Vec<Place> = Vec::new();
    for stage in &sided.filter.stages {
        let chains = 0..super::ranks::narrow(sided.configuration.table(stage.table).chains.len());
        let own = (stage.table, stage.chain);
        out.extend(chains.map(|n| (stage.table, ChainId(n))).filter(|place| *place == own || !bases.contains(place)));
    }
    out.sort_unstable();
    out.dedup();
    out
}

/// The slices of one side for several regions, in one pass over its rules.
pub(super) fn scan(store: &Store, sided: Sided<'_>, probes: &[Probe]) -> Vec<Slice> {
    let mut out: Vec<Slice> = probes.iter().map(|_| Slice::default()).collect();
    let index = Index::new(probes);
    for place in chains(sided) {
        let chain = sided.configuration.table(place.0).get(place.1);
        let mut found: Vec<Vec<(u32, RuleId)>> = vec![Vec::new(); probes.len()];
        for (position, rule) in (0..).zip(&chain.rules) {
            index.each(store, *rule, probes, |n| found[n].push((position, *rule)));
        }
        for (slice, rules) in out.iter_mut().zip(found) {
            slice.insert(place, rules);
        }
    }
    out
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
        let chain = sided.configuration.table(place.0).get(place.1);
        let common = windows(place);
        for ((slice, probe), theirs) in out.iter_mut().zip(probes).zip(of_base) {
            let mut rules = Vec::new();
            let look = |rules: &mut Vec<(u32, RuleId)>, from: u32, to: u32| {
                let part = chain.rules.get(from as usize..to as usize).unwrap_or_default();
                rules.extend((from..).zip(part.iter().copied()).filter(|(_, rule)| store.overlaps(*rule, probe)));
            };
            match &common {
                Some((origin, windows)) => {
                    let old = theirs.rules(*origin);
                    let (mut before, mut after) = (0, 0);
                    let end = super::ranks::narrow(base.configuration.table(origin.0).get(origin.1).rules.len());
                    let last = Window { base: (end, end), head: (super::ranks::narrow(chain.rules.len()), u32::MAX) };
                    for window in windows.iter().chain([&last]) {
                        let from = old.partition_point(|(position, _)| *position < before);
                        let to = old.partition_point(|(position, _)| *position < window.base.0);
                        rules.extend(old[from..to].iter().map(|(position, rule)| (position - before + after, *rule)));
                        look(&mut rules, window.head.0, window.head.1.min(super::ranks::narrow(chain.rules.len())));
                        (before, after) = (window.base.1, window.head.1);
                    }
                }
                None => look(&mut rules, 0, super::ranks::narrow(chain.rules.len())),
            }
            slice.insert(place, rules);
        }
    }
    out
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
                let hull = ranges.iter().fold((u128::MAX, 0), |(a, b), (first, last)| (a.min(first), b.max(last)));
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
            let ranges = probe.region().get(field).unwrap_or(&all).ranges();
            (ranges.first().map_or(0, |r| r.0), ranges.last().map_or(0, |r| r.1))
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
