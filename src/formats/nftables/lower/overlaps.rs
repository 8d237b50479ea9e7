//! Elements of several parts, found by what they overlap without comparing each with each.
//!
//! An element is a box: an interval in each part. Boxes are cut into blocks whose sides are powers of two, as the kernel
//! does (nft_set_pipapo.c), and blocks of equal sides are looked up by their corner. So a lookup costs as much as there are
//! different shapes of blocks, which are few, and not as much as there are elements.

use super::values::Values;
use crate::net::Set;
use std::collections::HashMap;

/// Elements that do not conflict.
#[derive(Debug, Default)]
pub(super) struct Boxes {
    /// By the binary logarithms of the sides of a block: the elements that have a block with that corner.
    shapes: HashMap<Vec<u32>, HashMap<Vec<u128>, Vec<usize>>>,
    /// Elements of too many blocks.
    coarse: Vec<usize>,
    keys: Vec<Vec<Values>>,
}

/// An element of more blocks than this is not cut.
const MOST_BLOCKS: usize = 256;

impl Boxes {
    /// Takes an element in; `false`: the kernel refuses it, since one of its ends lies in another element that is not the
    /// same (`nft_pipapo_insert`).
    pub(super) fn insert(&mut self, key: &[Values]) -> bool {
        // What only the host can resolve is not compared.
        let Some(ends) = key.iter().map(ends).collect::<Option<Vec<_>>>() else { return true };
        let (first, last): (Vec<u128>, Vec<u128>) = ends.iter().copied().unzip();
        if self.has_other(&first, key) || self.has_other(&last, key) {
            return false;
        }
        let number = self.keys.len();
        self.keys.push(key.to_vec());
        let mut blocks: Vec<(Vec<u32>, Vec<u128>)> = vec![(Vec::new(), Vec::new())];
        for part in key {
            let cut: Vec<(u32, u128)> = part.set.ranges().iter().flat_map(|range| Blocks(Some(range))).collect();
            if blocks.len().saturating_mul(cut.len()) > MOST_BLOCKS {
                self.coarse.push(number);
                return true;
            }
            let longer = blocks.iter().flat_map(|(sides, corner)| {
                cut.iter()
                    .map(|(side, low)| ([sides.as_slice(), &[*side]].concat(), [corner.as_slice(), &[*low]].concat()))
            });
            blocks = longer.collect();
        }
        for (sides, corner) in blocks {
            self.shapes.entry(sides).or_default().entry(corner).or_default().push(number);
        }
        true
    }

    /// Whether a point is in an element that is not that one.
    fn has_other(&self, point: &[u128], key: &[Values]) -> bool {
        let cut = self.shapes.iter().filter_map(|(sides, corners)| {
            let corner: Vec<u128> = point.iter().zip(sides).map(|(value, side)| corner_of(*value, *side)).collect();
            corners.get(&corner)
        });
        let within =
            |number: &&usize| self.keys[**number].iter().zip(point).all(|(part, value)| part.set.contains(*value));
        let mut found = cut.flatten().chain(self.coarse.iter().filter(within));
        found.any(|number| self.keys[*number] != key)
    }
}

/// The ends of a part; `None`: only the host can tell.
fn ends(part: &Values) -> Option<(u128, u128)> {
    let set: &Set = &part.set;
    let last = set.ranges().last()?.1;
    part.names.is_empty().then_some((set.first()?, last))
}

fn corner_of(value: u128, side: u32) -> u128 {
    value.checked_shr(side).and_then(|high| high.checked_shl(side)).unwrap_or(0)
}

/// The blocks of an interval: the logarithm of the side, and the corner.
struct Blocks(Option<(u128, u128)>);

impl Iterator for Blocks {
    type Item = (u32, u128);

    fn next(&mut self) -> Option<(u32, u128)> {
        let (first, last) = self.0?;
        // The block at `first` is as large as its place and the rest allow.
        let rest = last - first;
        let fits = rest.checked_add(1).map_or(128, u128::ilog2);
        let side = if first == 0 { fits } else { first.trailing_zeros().min(fits) };
        let end = if side >= 128 { u128::MAX } else { first + ((1 << side) - 1) };
        self.0 = (end < last).then(|| (end + 1, last));
        Some((side, first))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(ranges: &[(u128, u128)]) -> Vec<Values> {
        ranges.iter().map(|(first, last)| Values::of(Set::range(*first, *last))).collect()
    }

    #[test]
    fn intervals_are_cut_into_blocks() {
        assert_eq!(Blocks(Some((1, 6))).collect::<Vec<_>>(), [(0, 1), (1, 2), (1, 4), (0, 6)]);
        assert_eq!(Blocks(Some((0, u128::MAX))).collect::<Vec<_>>(), [(128, 0)]);
        assert_eq!(Blocks(Some((0, 0))).collect::<Vec<_>>(), [(0, 0)]);
        assert_eq!(Blocks(Some((u128::MAX, u128::MAX))).collect::<Vec<_>>(), [(0, u128::MAX)]);
    }

    #[test]
    fn an_element_whose_end_lies_in_another_is_refused() {
        let mut boxes = Boxes::default();
        assert!(boxes.insert(&key(&[(10, 20), (80, 90)])));
        assert!(boxes.insert(&key(&[(10, 20), (80, 90)])), "the same again");
        assert!(boxes.insert(&key(&[(10, 20), (91, 95)])));
        assert!(!boxes.insert(&key(&[(15, 30), (85, 99)])), "its first corner");
        assert!(!boxes.insert(&key(&[(1, 11), (1, 81)])), "its last corner");
        assert!(boxes.insert(&key(&[(1, 30), (1, 99)])), "it encloses the others");
        assert!(!boxes.insert(&key(&[(2, 2), (2, 2)])));
    }

    /// As the kernel decides, one by one.
    #[test]
    fn the_answer_is_that_of_comparing_each_with_each() {
        let mut seed = 7_u64;
        let mut random = |below: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            u128::from((seed >> 33) % below)
        };
        for _ in 0..200 {
            let (mut boxes, mut plain) = (Boxes::default(), Vec::<Vec<(u128, u128)>>::new());
            for _ in 0..30 {
                let new: Vec<_> = (0..2).map(|_| (random(64), random(8))).map(|(at, more)| (at, at + more)).collect();
                let holds = |corner: fn(&(u128, u128)) -> u128, old: &[(u128, u128)]| {
                    old.iter().zip(&new).all(|(old, new)| (old.0..=old.1).contains(&corner(new)))
                };
                let refused = plain.iter().any(|old| *old != new && (holds(|r| r.0, old) || holds(|r| r.1, old)));
                assert_eq!(boxes.insert(&key(&new)), !refused, "{new:?} into {plain:?}");
                if !refused {
                    plain.push(new);
                }
            }
        }
    }
}
