//! Fewer and larger products: those that differ in one level only become one.

use super::fdd::{Product, Ranks};
use super::ranks::{Level, Levels};
use foldhash::quality::RandomState;
use std::collections::HashMap;

/// Rounds over all levels; the second one rarely finds anything.
const ROUNDS: usize = 3;

/// Merges disjoint products; their union stays the same.
pub(super) fn merge(products: Vec<Product>, levels: &Levels) -> Vec<Product> {
    if products.len() < 2 {
        return products;
    }
    let last: Vec<u32> = levels.iter().map(Level::last_rank).collect();
    let mut sets = Sets::default();
    let mut boxes: Vec<Vec<u32>> = products
        .into_iter()
        .map(|product| {
            let mut sides = vec![ANY; last.len()];
            for (level, ranks) in product {
                sides[level as usize] = sets.number(ranks);
            }
            sides
        })
        .collect();
    for _ in 0..ROUNDS {
        let before = boxes.len();
        for (level, last) in last.iter().enumerate() {
            let mut groups: HashMap<Vec<u32>, Vec<u32>, RandomState> = HashMap::default();
            let mut order: Vec<Vec<u32>> = Vec::new();
            for mut sides in boxes.drain(..) {
                let own = std::mem::replace(&mut sides[level], ANY);
                let group = groups.entry(sides).or_insert_with_key(|key| {
                    order.push(key.clone());
                    Vec::new()
                });
                group.push(own);
            }
            for mut sides in order {
                let group = groups.remove(&sides).unwrap_or_default();
                sides[level] = sets.union(&group, *last);
                boxes.push(sides);
            }
        }
        if boxes.len() == before {
            break;
        }
    }
    let product = |sides: Vec<u32>| {
        let set = |(side, level): (u32, u32)| (side != ANY).then(|| (level, sets.ranks[side as usize].clone()));
        sides.into_iter().zip(0..).filter_map(set).collect()
    };
    boxes.into_iter().map(product).collect()
}

/// No demand on a level.
const ANY: u32 = 0;

/// Sets of ranks as numbers.
struct Sets {
    ranks: Vec<Ranks>,
    numbers: HashMap<Ranks, u32, RandomState>,
    unions: HashMap<(Vec<u32>, u32), u32, RandomState>,
}

impl Default for Sets {
    fn default() -> Self {
        Self { ranks: vec![Vec::new()], numbers: HashMap::default(), unions: HashMap::default() }
    }
}

impl Sets {
    fn number(&mut self, ranks: Ranks) -> u32 {
        let next = super::ranks::narrow(self.ranks.len());
        *self.numbers.entry(ranks).or_insert_with_key(|ranks| {
            self.ranks.push(ranks.clone());
            next
        })
    }

    fn union(&mut self, group: &[u32], last: u32) -> u32 {
        if let [only] = group {
            return *only;
        }
        if group.contains(&ANY) {
            return ANY;
        }
        // What is everything on one level need not be on another.
        let key = (group.to_vec(), last);
        if let Some(known) = self.unions.get(&key) {
            return *known;
        }
        let mut all: Ranks = group.iter().flat_map(|n| self.ranks[*n as usize].iter().copied()).collect();
        all.sort_unstable();
        let mut out: Ranks = Vec::with_capacity(all.len());
        for (first, end) in all {
            match out.last_mut() {
                Some(previous) if first <= previous.1 + 1 => previous.1 = previous.1.max(end),
                Some(_) | None => out.push((first, end)),
            }
        }
        let number = if out == [(0, last)] { ANY } else { self.number(out) };
        self.unions.insert(key, number);
        number
    }
}
