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
}

impl Products {
    pub(super) fn new(last: Vec<u32>) -> Self {
        Self { last, rows: Vec::new(), sets: vec![Vec::new()], numbers: HashMap::default() }
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
        let hasher = RandomState::default();
        // Chains of rows that are equal but for `level`: the first row of each group, by hash, and the next in it.
        let count = self.len();
        let mut first: HashMap<u64, Vec<u32>, RandomState> = HashMap::with_capacity_and_hasher(count, RandomState::default());
        let mut members: Vec<Vec<u32>> = Vec::with_capacity(count);
        let mut leaders: Vec<usize> = Vec::with_capacity(count);
        for n in 0..count {
            let row = &self.rows[n * width..(n + 1) * width];
            let hash = hasher.hash_one((&row[..level], &row[level + 1..]));
            let groups = first.entry(hash).or_default();
            let same = |group: &&u32| {
                let leader = leaders[**group as usize] * width;
                let other = &self.rows[leader..leader + width];
                other[..level] == row[..level] && other[level + 1..] == row[level + 1..]
            };
            match groups.iter().find(same) {
                Some(group) => members[*group as usize].push(row[level]),
                None => {
                    groups.push(narrow(leaders.len()));
                    leaders.push(n);
                    members.push(vec![row[level]]);
                }
            }
        }
        if leaders.len() == count {
            return;
        }
        let mut rows = Vec::with_capacity(leaders.len() * width);
        for (leader, group) in leaders.into_iter().zip(members) {
            let start = rows.len();
            rows.extend_from_slice(&self.rows[leader * width..(leader + 1) * width]);
            rows[start + level] = self.union(level, &group);
        }
        self.rows = rows;
    }

    fn union(&mut self, level: usize, group: &[u32]) -> u32 {
        if let [only] = group {
            return *only;
        }
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
