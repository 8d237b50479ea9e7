//! Rank compression: in one region, the values of a field that no rule tells apart are one rank.

use super::fdd::Ranks;
use super::products::Products;
use crate::model::{Literal, OpaqueId, RuleId, Store};
use crate::net::{Field, Ranges, Region, Set};
use foldhash::quality::RandomState;
use std::collections::HashMap;

/// A level of a diagram: a field with its values in ranks, or an opaque condition (0 false, 1 true).
pub(super) enum Level {
    /// The first value of each rank, in order, and the values that the region has.
    Field { field: Field, starts: Vec<u128>, values: Set },
    /// A condition.
    Opaque(OpaqueId),
}

impl Level {
    pub(super) fn last_rank(&self) -> u32 {
        match self {
            Self::Field { starts, .. } => narrow(starts.len().saturating_sub(1)),
            Self::Opaque(_) => 1,
        }
    }
}

/// The levels of a problem, from the top of the diagram down.
pub(super) struct Levels {
    levels: Vec<Level>,
    of_field: [Option<u32>; Field::COUNT],
    /// Sorted by condition.
    of_opaque: Vec<(OpaqueId, u32)>,
}

/// What a rule asks of one level.
pub(super) type Constraint = (u32, Ranks);

impl Levels {
    /// The levels that `rules` need to be told apart inside `region`, fields in this order, then opaque conditions.
    pub(super) fn new(
        store: &Store,
        region: &Region,
        rules: impl Iterator<Item = RuleId> + Clone,
        order: &[Field],
    ) -> Self {
        let family = region.family();
        let mut cuts: [Vec<u128>; Field::COUNT] = Default::default();
        let mut opaques: Vec<OpaqueId> = Vec::new();
        for rule in rules {
            for (field, ranges) in store.ranges(rule, family) {
                let cuts = &mut cuts[field.index()];
                for (first, last) in meeting(ranges, region.get(field)).into_iter().flatten() {
                    cuts.push(first);
                    cuts.extend(last.checked_add(1));
                }
            }
            opaques.extend(store.literals(rule).iter().map(|literal| literal.opaque));
        }
        opaques.sort_unstable();
        opaques.dedup();
        let mut out = Self { levels: Vec::new(), of_field: [None; Field::COUNT], of_opaque: Vec::new() };
        for field in order {
            let mut cuts = std::mem::take(&mut cuts[field.index()]);
            if cuts.is_empty() {
                continue;
            }
            // Large sets are sorted already: a stable sort merges them.
            let values = region.get(*field).cloned().unwrap_or_else(|| field.all(family));
            for (first, last) in values.ranges() {
                cuts.push(first);
                cuts.extend(last.checked_add(1));
            }
            cuts.sort();
            cuts.dedup();
            let mut inside = values.ranges().iter().peekable();
            cuts.retain(|cut| {
                while inside.next_if(|(_, last)| *last < *cut).is_some() {}
                inside.peek().is_some_and(|(first, _)| *first <= *cut)
            });
            if cuts.len() > 1 {
                out.of_field[field.index()] = Some(narrow(out.levels.len()));
                out.levels.push(Level::Field { field: *field, starts: cuts, values });
            }
        }
        for opaque in opaques {
            out.of_opaque.push((opaque, narrow(out.levels.len())));
            out.levels.push(Level::Opaque(opaque));
        }
        out
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Level> {
        self.levels.iter()
    }

    /// For each level the shares that its ranks have of its values, summed up from the first.
    pub(super) fn weights(&self) -> Vec<Vec<f64>> {
        let of = |level: &Level| match level {
            Level::Opaque(_) => vec![0.5, 1.0],
            Level::Field { starts, values, .. } => {
                let count = |first: u128, last: u128| {
                    let part = Set::range(first, last).intersection(values);
                    part.ranges().iter().map(|(a, b)| (b - a) as f64 + 1.0).sum::<f64>()
                };
                let end = |n: usize| starts.get(n + 1).map_or(u128::MAX, |next| next - 1);
                let mut sum = 0.0;
                let sums = starts.iter().enumerate().map(|(n, start)| {
                    sum += count(*start, end(n));
                    sum
                });
                let sums: Vec<f64> = sums.collect();
                sums.iter().map(|part| part / sum.max(1.0)).collect()
            }
        };
        self.levels.iter().map(of).collect()
    }

    /// What a rule asks of each level, sorted by level; `None` if it matches nothing of the region.
    pub(super) fn constraints(&self, store: &Store, region: &Region, rule: RuleId) -> Option<Vec<Constraint>> {
        let mut out = Vec::with_capacity(6);
        for (field, ranges) in store.ranges(rule, region.family()) {
            let Some(level) = self.of_field[field.index()] else {
                // One rank: the rule has all of it or nothing.
                let values = region.get(field).and_then(Set::first).unwrap_or(0);
                if ranges.contains(values) {
                    continue;
                }
                return None;
            };
            let Level::Field { starts, values, .. } = &self.levels[level as usize] else { continue };
            let mut ranks: Ranks = Vec::new();
            let mut to = 0;
            for (first, last) in meeting(ranges, Some(values)).into_iter().flatten() {
                let from = seek(starts, to, |start| *start < first);
                to = seek(starts, from, |start| *start <= last);
                if from < to {
                    match ranks.last_mut() {
                        Some(previous) if previous.1 + 1 == narrow(from) => previous.1 = narrow(to - 1),
                        Some(_) | None => ranks.push((narrow(from), narrow(to - 1))),
                    }
                }
            }
            match ranks.as_slice() {
                [] => return None,
                [(0, last)] if *last as usize + 1 == starts.len() => {}
                [_, ..] => out.push((level, ranks)),
            }
        }
        for Literal { opaque, holds } in store.literals(rule) {
            let n = self.of_opaque.binary_search_by_key(opaque, |(o, _)| *o).ok()?;
            let rank = u32::from(*holds);
            out.push((self.of_opaque[n].1, vec![(rank, rank)]));
        }
        out.sort_unstable_by_key(|(level, _)| *level);
        Some(out)
    }

    /// Products of ranks as the packets of `region` that they stand for, each with the opaque conditions it asks for.
    pub(super) fn packets(&self, region: &Region, products: &Products) -> Vec<(Region, Vec<Literal>)> {
        let mut known: HashMap<(u32, u32), Values, RandomState> = HashMap::default();
        let mut out = Vec::with_capacity(products.len());
        for product in products.iter() {
            let (mut region, mut conditions) = (region.clone(), Vec::new());
            for (level, set) in product {
                match known.entry((level, set)).or_insert_with(|| self.values(level, products.ranks(set))) {
                    Values::Field(field, set) => region.narrow_to(*field, set),
                    Values::Opaque(literal) => conditions.push(*literal),
                }
            }
            conditions.sort_unstable();
            out.push((region, conditions));
        }
        out
    }

    /// Ranks of a level as values of its field.
    fn values(&self, level: u32, ranks: &[(u32, u32)]) -> Values {
        match &self.levels[level as usize] {
            Level::Field { field, starts, values } => {
                let end = |last: u32| starts.get(last as usize + 1).map_or(u128::MAX, |next| next - 1);
                let spans = ranks.iter().map(|(first, last)| (starts[*first as usize], end(*last)));
                Values::Field(*field, Set::from_ranges(spans).intersection(values))
            }
            Level::Opaque(opaque) => Values::Opaque(Literal { opaque: *opaque, holds: ranks == [(1, 1)] }),
        }
    }
}

/// The intervals of `ranges` that could share a value with `values`; all of them, unless that saves much.
fn meeting<'r>(all: Ranges<'r>, values: Option<&Set>) -> Vec<Ranges<'r>> {
    let Some(values) = values.filter(|values| values.ranges().len() * 16 < all.len()) else {
        return vec![all];
    };
    let mut out = Vec::new();
    let mut next = 0;
    for (first, last) in values.ranges() {
        let from = next + all.slice(next, all.len()).partition_point(|(_, end)| end < first);
        next = from + all.slice(from, all.len()).partition_point(|(start, _)| start <= last);
        out.push(all.slice(from, next));
    }
    out
}

/// The first position from `from` on that is not `before` what is looked for; near ones are found at once.
fn seek(starts: &[u128], from: usize, before: impl Fn(&u128) -> bool) -> usize {
    let mut step = 1;
    let mut low = from;
    while starts.get(low + step - 1).is_some_and(&before) {
        low += step;
        step *= 2;
    }
    let high = (low + step).min(starts.len());
    low + starts[low..high].partition_point(before)
}

/// What some ranks of a level stand for.
enum Values {
    Field(Field, Set),
    Opaque(Literal),
}

pub(super) fn narrow(n: usize) -> u32 {
    u32::try_from(n).expect("fewer than 2^32: sources are smaller than 4 GiB")
}
