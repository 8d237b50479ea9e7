//! Many products of sets of ranks, kept small: each set once, each product a row of numbers.

use super::fdd::Ranks;
use super::ranks::narrow;
use foldhash::quality::RandomState;
use std::collections::HashMap;
use std::hash::BuildHasher;

/// No demand on a level.
pub(super) const ANY: u32 = 0;

/// Rounds of merging over all levels; the second one rarely finds anything.
const ROUNDS: usize = 3;

/// A list of products; their union is what counts.
pub(super) struct Products {
    /// The last rank of each level.
    last: Vec<u32>,
    /// A row of set numbers for each product, one a level.
    rows: Vec<u32>,
    sets: Vec<Ranks>,
    numbers: HashMap<Ranks, u32, RandomState>,
    /// Of the hashes of rows: the input may be hostile.
    seed: u64,
}

const MIX: u64 = 0x9e37_79b9_7f4a_7c15;

impl Products {
    pub(super) fn new(last: Vec<u32>) -> Self {
        Self {
            last,
            rows: Vec::new(),
            sets: vec![Vec::new()],
            numbers: HashMap::default(),
            seed: RandomState::default().hash_one(0),
        }
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        if self.last.is_empty() { self.rows.len() } else { self.rows.len() / self.last.len() }
    }

    /// Adds a product. Where there is no level at all, the one product there is holds everything.
    pub(super) fn push(&mut self, row: &[u32]) {
        if self.last.is_empty() {
            self.rows = vec![ANY];
        }
        self.rows.extend_from_slice(row);
    }

    /// The number of a set of ranks of one level.
    pub(super) fn set(&mut self, level: u32, ranks: Ranks) -> u32 {
        if ranks == [(0, self.last[level as usize])] {
            return ANY;
        }
        let next = narrow(self.sets.len());
        *self.numbers.entry(ranks).or_insert_with_key(|ranks| {
            self.sets.push(ranks.clone());
            next
        })
    }

    /// The ranks of a number other than [`ANY`].
    pub(super) fn ranks(&self, number: u32) -> &Ranks {
        &self.sets[number as usize]
    }

    /// Each product: its demands as level and set number.
    pub(super) fn iter(&self) -> impl Iterator<Item = impl Iterator<Item = (u32, u32)>> {
        let width = self.last.len();
        let row = move |n: usize| if width == 0 { &[][..] } else { &self.rows[n * width..(n + 1) * width] };
        (0..self.len()).map(move |n| (0..).zip(row(n).iter().copied()).filter(|(_, set)| *set != ANY))
    }

    /// Makes fewer and larger products of disjoint ones: those that differ in one level only become one.
    pub(super) fn merge(&mut self) {
        let width = self.last.len();
        for _ in 0..ROUNDS {
            let before = self.len();
            if before < 2 || width == 0 {
                return;
            }
            for level in 0..width {
                self.merge_level(level);
            }
            if self.len() == before {
                return;
            }
        }
    }

    fn merge_level(&mut self, level: usize) {
        let width = self.last.len();
        let count = self.len();
        let row = |n: u32| &self.rows[n as usize * width..(n as usize + 1) * width];
        let same = |a: u32, b: u32| {
            let (a, b) = (row(a), row(b));
            a[..level] == b[..level] && a[level + 1..] == b[level + 1..]
        };
        // Rows that are equal but for `level` meet in one slot; the first of them leads.
        let mask = (count * 2).next_power_of_two() - 1;
        let mut slots: Vec<Option<u32>> = vec![None; mask + 1];
        let mut groups: Vec<(u32, Vec<u32>)> = Vec::with_capacity(count);
        for n in 0..narrow(count) {
            let others = row(n).iter().enumerate().filter(|(column, _)| *column != level);
            let hash =
                others.fold(self.seed, |hash, (_, set)| (hash.rotate_left(23) ^ u64::from(*set)).wrapping_mul(MIX));
            let mut slot = (hash >> 32) as usize & mask;
            loop {
                match slots[slot].map(|group| &mut groups[group as usize]) {
                    Some((leader, members)) if same(*leader, n) => {
                        members.push(row(n)[level]);
                        break;
                    }
                    Some(_) => slot = (slot + 1) & mask,
                    None => {
                        slots[slot] = Some(narrow(groups.len()));
                        groups.push((n, Vec::new()));
                        break;
                    }
                }
            }
        }
        if groups.len() == count {
            return;
        }
        let mut rows = Vec::with_capacity(groups.len() * width);
        for (leader, mut members) in groups {
            let start = rows.len();
            rows.extend_from_slice(&self.rows[leader as usize * width..(leader as usize + 1) * width]);
            if !members.is_empty() {
                members.push(rows[start + level]);
                rows[start + level] = self.union(level, &members);
            }
        }
        self.rows = rows;
    }

    fn union(&mut self, level: usize, group: &[u32]) -> u32 {
        if group.contains(&ANY) {
            return ANY;
        }
        let mut all: Ranks = group.iter().flat_map(|n| self.sets[*n as usize].iter().copied()).collect();
        all.sort_unstable();
        let mut out: Ranks = Vec::with_capacity(all.len());
        for (first, end) in all {
            match out.last_mut() {
                Some(previous) if first <= previous.1 + 1 => previous.1 = previous.1.max(end),
                Some(_) | None => out.push((first, end)),
            }
        }
        self.set(narrow(level), out)
    }
}
