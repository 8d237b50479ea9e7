//! Cover search: whether a box is inside the union of other boxes, else a part of it that is not.
//!
//! It needs no canonical form of anything, so it stays fast where diagrams explode: long flat lists with many
//! wildcards. Exact and complete within its budget; finding a part costs little, proving that there is none can
//! take exponential time in theory (covering boxes with boxes is NP-hard in the number of levels).

use std::rc::Rc;

/// A product of intervals, one a level.
pub(super) type Cube = [(u32, u32)];

/// A [`Cube`] of its own.
pub(super) type Piece = Vec<(u32, u32)>;

/// Many boxes of the same number of levels, by number.
pub(super) struct Cubes {
    levels: usize,
    sides: Vec<(u32, u32)>,
}

impl Cubes {
    pub(super) fn new(levels: usize, expected: usize) -> Self {
        Self { levels, sides: Vec::with_capacity(levels * expected) }
    }

    pub(super) fn push(&mut self, cube: &Cube) -> u32 {
        let number = self.sides.len() / self.levels.max(1);
        self.sides.extend_from_slice(cube);
        super::ranks::narrow(number)
    }

    pub(super) fn get(&self, number: u32) -> &Cube {
        let start = number as usize * self.levels;
        &self.sides[start..start + self.levels]
    }
}

/// The budget is spent and nothing is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TooHard;

/// Steps (tests of one box against one piece) that a search may still take.
#[derive(Debug)]
pub(super) struct Steps(pub(super) u64);

impl Steps {
    fn take(&mut self) -> Result<(), TooHard> {
        self.0 = self.0.checked_sub(1).ok_or(TooHard)?;
        Ok(())
    }

    /// Runs a search that may take at most `part` of the steps.
    pub(super) fn part<T>(&mut self, part: u64, search: impl FnOnce(&mut Self) -> T) -> T {
        let given = part.min(self.0);
        let mut steps = Self(given);
        let found = search(&mut steps);
        self.0 -= given - steps.0;
        found
    }
}

/// A part of `piece` outside every one of `boxes`; `None`: they cover it.
pub(super) fn uncovered(
    cubes: &Cubes,
    piece: &Cube,
    boxes: &[u32],
    steps: &mut Steps,
) -> Result<Option<Piece>, TooHard> {
    outside(&|number| cubes.get(number), piece, boxes, steps)
}

/// As [`uncovered`], of boxes that are found by other numbers.
pub(super) fn outside<N: Copy + Ord, C: AsRef<Cube>>(
    cube: &impl Fn(N) -> C,
    piece: &Cube,
    boxes: &[N],
    steps: &mut Steps,
) -> Result<Option<Piece>, TooHard> {
    let mut stack: Vec<(Piece, Rc<[N]>)> = Vec::new();
    let mut touching: Vec<N> = Vec::new();
    let mut next = Some((piece.to_vec(), Rc::from(boxes)));
    while let Some((piece, boxes)) = next.take().or_else(|| stack.pop()) {
        touching.clear();
        let mut best: Option<(u32, u32, N)> = None;
        let mut covered = false;
        for number in boxes.iter().copied() {
            steps.take()?;
            let cube = cube(number);
            match relation(&piece, cube.as_ref()) {
                Relation::Apart => {}
                Relation::Covers => {
                    covered = true;
                    break;
                }
                Relation::Cuts(sides) => {
                    // The box that leaves the fewest pieces; of those, the one that takes the most away.
                    if best.is_none_or(|best| sides <= best.0) {
                        let rank = (sides, u32::MAX - share(&piece, cube.as_ref()), number);
                        best = Some(best.map_or(rank, |best| best.min(rank)));
                    }
                    touching.push(number);
                }
            }
        }
        if covered {
            continue;
        }
        let Some((_, _, cutter)) = best else { return Ok(Some(piece)) };
        touching.retain(|number| *number != cutter);
        let rest: Rc<[N]> = Rc::from(touching.as_slice());
        let cutter = cube(cutter);
        let mut inside = piece;
        for (level, (first, last)) in cutter.as_ref().iter().copied().enumerate() {
            let (low, high) = inside[level];
            if low < first {
                let mut below = inside.clone();
                below[level] = (low, first - 1);
                stack.push((below, Rc::clone(&rest)));
            }
            if last < high {
                let mut above = inside.clone();
                above[level] = (last + 1, high);
                stack.push((above, Rc::clone(&rest)));
            }
            inside[level] = (low.max(first), high.min(last));
        }
    }
    Ok(None)
}

/// Whether two boxes share anything.
pub(super) fn touch(a: &Cube, b: &Cube) -> bool {
    a.iter().zip(b).all(|(x, y)| x.0 <= y.1 && y.0 <= x.1)
}

/// Whether the first box holds all of the second.
pub(super) fn includes(a: &Cube, b: &Cube) -> bool {
    a.iter().zip(b).all(|(x, y)| x.0 <= y.0 && y.1 <= x.1)
}

/// The part that two boxes share; they do share one.
pub(super) fn meet(a: &Cube, b: &Cube) -> Piece {
    a.iter().zip(b).map(|(x, y)| (x.0.max(y.0), x.1.min(y.1))).collect()
}

enum Relation {
    Apart,
    Covers,
    /// It takes a part away and leaves so many pieces.
    Cuts(u32),
}

fn relation(piece: &Cube, cube: &Cube) -> Relation {
    let mut sides = 0;
    for ((low, high), (first, last)) in piece.iter().zip(cube) {
        if high < first || last < low {
            return Relation::Apart;
        }
        sides += u32::from(low < first) + u32::from(last < high);
    }
    if sides == 0 { Relation::Covers } else { Relation::Cuts(sides) }
}

/// How much of the piece a box takes away, on a logarithmic scale.
fn share(piece: &Cube, cube: &Cube) -> u32 {
    let bits = |(first, last): (u32, u32)| 64 - (u64::from(last - first) + 1).leading_zeros();
    piece.iter().zip(cube).map(|(p, c)| bits((p.0.max(c.0), p.1.min(c.1)))).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn cubes(most: usize) -> impl Strategy<Value = Vec<Vec<(u32, u32)>>> {
        let side = (0u32..5, 0u32..5).prop_map(|(a, b)| (a.min(b), a.max(b)));
        proptest::collection::vec(proptest::collection::vec(side, 3), 0..most)
    }

    proptest! {
        #[test]
        fn a_part_is_found_exactly_when_there_is_one(boxes in cubes(12), piece in cubes(2)) {
            let Some(piece) = piece.first() else { return Ok(()) };
            let points = |cube: &Cube| {
                let [a, b, c] = [cube[0], cube[1], cube[2]];
                (a.0..=a.1).flat_map(move |x| (b.0..=b.1).flat_map(move |y| (c.0..=c.1).map(move |z| [x, y, z])))
            };
            let inside = |p: &[u32; 3]| boxes.iter().any(|c| c.iter().zip(p).all(|((a, b), x)| a <= x && x <= b));
            let mut all = Cubes::new(3, boxes.len());
            let numbers: Vec<u32> = boxes.iter().map(|cube| all.push(cube)).collect();
            match uncovered(&all, piece, &numbers, &mut Steps(1_000_000)).expect("small") {
                Some(part) => {
                    prop_assert!(includes(piece, &part));
                    prop_assert!(points(&part).all(|p| !inside(&p)));
                }
                None => prop_assert!(points(piece).all(|p| inside(&p))),
            }
        }
    }
}
