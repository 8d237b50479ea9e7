//! Cover search: whether a box is inside the union of other boxes, else a part of it that is not.
//!
//! It needs no canonical form of anything, so it stays fast where diagrams explode: long flat lists with many
//! wildcards. Exact and complete within its budget; finding a part costs little, proving that there is none can
//! take exponential time in theory (covering boxes with boxes is NP-hard in the number of levels).

/// A product of intervals of ranks, one a level.
pub(super) type Cube = Vec<(u32, u32)>;

/// The budget is spent and nothing is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TooHard;

/// Steps (tests of one box against one piece) that a search may still take.
pub(super) struct Budget(pub(super) u64);

/// A part of `piece` outside every one of `boxes`; `None`: they cover it.
pub(super) fn uncovered(piece: &Cube, boxes: &[&Cube], budget: &mut Budget) -> Result<Option<Cube>, TooHard> {
    let mut stack: Vec<(Cube, Vec<&Cube>)> = vec![(piece.clone(), boxes.to_vec())];
    while let Some((piece, boxes)) = stack.pop() {
        let mut touching = Vec::new();
        let mut covered = false;
        for cube in boxes {
            budget.0 = budget.0.checked_sub(1).ok_or(TooHard)?;
            match relation(&piece, cube) {
                Relation::Apart => {}
                Relation::Covers => {
                    covered = true;
                    break;
                }
                Relation::Cuts(sides) => touching.push((sides, cube)),
            }
        }
        if covered {
            continue;
        }
        // The box that leaves the fewest pieces; of those, the one that takes the most away.
        let best = touching.iter().min_by_key(|(sides, cube)| (*sides, std::cmp::Reverse(share(&piece, cube))));
        let Some((_, cutter)) = best else { return Ok(Some(piece)) };
        let cutter: &Cube = cutter;
        let rest: Vec<&Cube> =
            touching.iter().map(|(_, cube)| *cube).filter(|cube| !std::ptr::eq(*cube, cutter)).collect();
        let mut inside = piece;
        for level in 0..inside.len() {
            let ((low, high), (first, last)) = (inside[level], cutter[level]);
            if low < first {
                let mut below = inside.clone();
                below[level] = (low, first - 1);
                stack.push((below, rest.clone()));
            }
            if last < high {
                let mut above = inside.clone();
                above[level] = (last + 1, high);
                stack.push((above, rest.clone()));
            }
            inside[level] = (low.max(first), high.min(last));
        }
    }
    Ok(None)
}

/// The part that two boxes share.
pub(super) fn meet(a: &Cube, b: &Cube) -> Option<Cube> {
    let cube: Cube = a.iter().zip(b).map(|(x, y)| (x.0.max(y.0), x.1.min(y.1))).collect();
    cube.iter().all(|(first, last)| first <= last).then_some(cube)
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
    let bits = |(first, last): (u32, u32)| 64 - u64::from(last - first + 1).leading_zeros();
    piece.iter().zip(cube).map(|(p, c)| bits((p.0.max(c.0), p.1.min(c.1)))).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn cubes(most: usize) -> impl Strategy<Value = Vec<Cube>> {
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
            let found = uncovered(piece, &boxes.iter().collect::<Vec<_>>(), &mut Budget(1_000_000)).expect("small");
            match found {
                Some(part) => {
                    prop_assert!(meet(piece, &part).as_ref() == Some(&part));
                    prop_assert!(points(&part).all(|p| !inside(&p)));
                }
                None => prop_assert!(points(piece).all(|p| inside(&p))),
            }
        }
    }
}
