//! Long flat lists, with boxes: a tree over the boxes answers which of them hold a point or touch a box, and cover
//! search proves what points do not show.

use super::super::Sided;
use super::super::cover::{Cube, Cubes, Piece, Steps, TooHard, includes, meet, touch, uncovered};
use super::super::engine::ORDERS;
use super::super::flat::Frame;
use super::lines::{LineNumber, Lines};
use super::program::Fact;
use crate::model::{Action, Probe, RuleId, Store};
use crate::net::Region;
use std::ops::Range;

/// Steps of one configuration, about 5 ns each.
pub(super) const STEPS: u64 = 1_000_000_000;
/// Steps for one line.
const LINE: u64 = 3_000_000;
/// Above so many lines boxes are tried first: diagrams of long lists of boxes grow too large.
const LONG: usize = 1000;
/// Points of a box that are tried before anything is proved.
const POINTS: usize = 24;

/// A filter that is one list of lines that accept or deny, in boxes.
pub(super) struct Flat {
    list: List,
    tree: Tree,
    /// The boxes of each line, by the number it has in the list.
    own: Vec<Range<usize>>,
    /// The numbers that the lines have elsewhere.
    lines: Range<LineNumber>,
}

impl Flat {
    /// The filter as a flat list, if that is what it is in this region, and boxes can say it.
    pub(super) fn of(store: &Store, sided: Sided<'_>, lines: &Lines<'_>, region: &Region) -> Option<Self> {
        let probe = Probe::new(region);
        let mut only = None;
        for stage in sided.filter.stages.iter().filter(|stage| stage.families.contains(region.family())) {
            let of_chain = lines.of((stage.table, stage.chain));
            let idle = stage.otherwise != Action::Deny && of_chain.is_empty();
            if !idle && only.replace((of_chain, stage.otherwise != Action::Deny)).is_some() {
                return None;
            }
        }
        let (of_chain, otherwise) = only?;
        let mut entries: Vec<(Vec<RuleId>, Option<bool>)> = Vec::with_capacity(of_chain.len());
        for line in of_chain.clone() {
            let rules = lines.rules(line).iter().copied().filter(|rule| store.overlaps(*rule, &probe));
            let rules: Vec<RuleId> = rules.collect();
            let mut does = rules.iter().map(|rule| store.get(*rule).action());
            let first = does.next();
            if first.is_some_and(|first| does.any(|action| action != first)) {
                return None;
            }
            let allows = match first {
                Some(Action::Accept) => Some(true),
                Some(Action::Deny) => Some(false),
                Some(Action::Continue) | None => None,
                Some(Action::Return | Action::Jump(_) | Action::Goto(_)) => return None,
            };
            entries.push((rules, allows));
        }
        let all = entries.iter().flat_map(|(rules, _)| rules.iter().copied());
        let frame = Frame::new(store, region, all, &ORDERS[1]);
        let whole = frame.whole();
        let mut list = List { cubes: Cubes::new(whole.len(), entries.len()), boxes: Vec::new(), otherwise };
        let mut own = Vec::with_capacity(entries.len());
        let mut numbers = Vec::new();
        for (line, (rules, allows)) in entries.into_iter().enumerate() {
            let start = list.boxes.len();
            numbers.clear();
            for rule in rules {
                frame.boxes(store, region, rule, &mut list.cubes, &mut numbers).ok()?;
            }
            list.boxes.extend(numbers.iter().map(|number| Rule { number: *number, line, allows }));
            own.push(start..list.boxes.len());
        }
        let tree = Tree::new(&list, &whole);
        Some(Self { list, tree, own, lines: of_chain })
    }

    pub(super) fn is_long(&self) -> bool {
        self.own.len() > LONG
    }

    /// Finds out which lines packets come to.
    pub(super) fn facts(&self, steps: &mut u64, facts: &mut [Fact]) {
        for (n, own) in self.own.iter().enumerate() {
            let mut left = Steps(LINE.min(*steps));
            let given = left.0;
            let hit = self.hit(n, own.clone(), &mut left);
            *steps -= given - left.0;
            let decides = own.clone().next().is_some_and(|first| self.list.boxes[first].allows.is_some());
            let (hit, open) = (hit == Some(true), hit.is_none());
            facts[self.lines.start + n] = Fact { entered: true, hit, decides, open };
        }
    }

    /// Whether a packet would have another answer without a line and without those that are gone; `None`: it could not
    /// be found out.
    pub(super) fn needed(&self, line: LineNumber, gone: &dyn Fn(LineNumber) -> bool, steps: &mut u64) -> Option<bool> {
        // Lines of other chains are of no use here.
        let Some(n) = line.checked_sub(self.lines.start).filter(|n| *n < self.own.len()) else { return Some(false) };
        let own = self.own.get(n)?.clone();
        let kept = |n: usize| !gone(self.lines.start + n);
        let mut left = Steps(LINE.min(*steps));
        let given = left.0;
        let needed = self.need(n, own, &kept, &mut left);
        *steps -= given - left.0;
        needed
    }

    fn hit(&self, line: usize, own: Range<usize>, steps: &mut Steps) -> Option<bool> {
        let mut open = false;
        for at in own {
            let cube = self.list.cube(at);
            let free = |point: &[u32], steps: &mut Steps| {
                self.tree.first(&self.list, point, &|n| n < line, steps).is_none().then_some(())
            };
            if points(cube, at, steps, free).is_some() {
                return Some(true);
            }
            match self.list.proof(&self.tree, cube, line, steps) {
                Ok(false) => {}
                Ok(true) => return Some(true),
                Err(TooHard) => open = true,
            }
        }
        if open { None } else { Some(false) }
    }

    fn need(&self, line: usize, own: Range<usize>, kept: &dyn Fn(usize) -> bool, steps: &mut Steps) -> Option<bool> {
        let mut open = false;
        for at in own {
            let (cube, Some(allows)) = (self.list.cube(at), self.list.boxes[at].allows) else { continue };
            let shows = |point: &[u32], steps: &mut Steps| {
                if self.tree.first(&self.list, point, &|n| n < line, steps).is_some() {
                    return None;
                }
                let next = self.tree.first(&self.list, point, &|n| n > line && kept(n), steps);
                let instead = next.and_then(|n| self.list.boxes[n].allows).unwrap_or(self.list.otherwise);
                (instead != allows).then_some(())
            };
            if points(cube, at, steps, shows).is_some() {
                return Some(true);
            }
            match self.list.missed(&self.tree, (line, cube, allows), kept, steps) {
                Ok(false) => {}
                Ok(true) => return Some(true),
                Err(TooHard) => open = true,
            }
        }
        if open { None } else { Some(false) }
    }
}

/// Tries some points of a box.
fn points<T>(
    cube: &Cube,
    seed: usize,
    steps: &mut Steps,
    mut ask: impl FnMut(&[u32], &mut Steps) -> Option<T>,
) -> Option<T> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64 ^ (seed as u64 + 1).wrapping_mul(0x2545_f491_4f6c_dd1d);
    let mut point: Vec<u32> = Vec::with_capacity(cube.len());
    for round in 0..POINTS {
        point.clear();
        for (first, last) in cube {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            point.push(match (round, state >> 62) {
                (0, _) | (2.., 0) => *first,
                (1, _) | (2.., 1) => *last,
                _ => {
                    let offset = (state & 0xffff_ffff) % (u64::from(last - first) + 1);
                    u32::try_from(u64::from(*first) + offset).unwrap_or(*last)
                }
            });
        }
        if let Some(found) = ask(&point, steps) {
            return Some(found);
        }
    }
    None
}

/// A box of a line.
#[derive(Clone, Copy)]
struct Rule {
    number: u32,
    line: usize,
    allows: Option<bool>,
}

/// The boxes of a list, in order.
struct List {
    cubes: Cubes,
    boxes: Vec<Rule>,
    otherwise: bool,
}

impl List {
    fn cube(&self, n: usize) -> &Cube {
        self.cubes.get(self.boxes[n].number)
    }

    /// Whether something of a box of a line is left by those before it.
    fn proof(&self, tree: &Tree, cube: &Cube, line: usize, steps: &mut Steps) -> Result<bool, TooHard> {
        let touching = tree.touching(self, cube, &|n| n < line, steps)?;
        if touching.iter().any(|n| includes(self.cube(*n), cube)) {
            return Ok(false);
        }
        let before: Vec<u32> = touching.into_iter().map(|n| self.boxes[n].number).collect();
        Ok(uncovered(&self.cubes, cube, &before, steps)?.is_some())
    }

    /// Whether a packet that a box of a line decides would be decided otherwise by those behind it that are kept.
    fn missed(
        &self,
        tree: &Tree,
        (line, cube, allows): (usize, &Cube, bool),
        kept: &dyn Fn(usize) -> bool,
        steps: &mut Steps,
    ) -> Result<bool, TooHard> {
        let touching = tree.touching(self, cube, &|n| n < line || (n > line && kept(n)), steps)?;
        let split = touching.partition_point(|n| self.boxes[*n].line < line);
        let mut blockers: Vec<u32> = touching[..split].iter().map(|n| self.boxes[*n].number).collect();
        if touching[..split].iter().any(|n| includes(self.cube(*n), cube)) {
            return Ok(false);
        }
        // Where a later line decides the same way, nothing behind it is met.
        let mut pieces: Vec<(Piece, usize)> = Vec::new();
        let mut otherwise = self.otherwise;
        for n in &touching[split..] {
            let other = self.cube(*n);
            if self.boxes[*n].allows == Some(allows) {
                blockers.push(self.boxes[*n].number);
            } else {
                pieces.push((meet(cube, other), blockers.len()));
            }
            if includes(other, cube) {
                otherwise = allows;
                break;
            }
        }
        if otherwise != allows {
            pieces.push((cube.to_vec(), blockers.len()));
        }
        let mut open = false;
        let part = (steps.0 / (pieces.len() as u64 + 1)).max(1);
        for (piece, before) in &pieces {
            match steps.part(part, |steps| uncovered(&self.cubes, piece, &blockers[..*before], steps)) {
                Ok(Some(_)) => return Ok(true),
                Ok(None) => {}
                Err(TooHard) => open = true,
            }
        }
        if open { Err(TooHard) } else { Ok(false) }
    }
}

/// A tree of boxes within boxes.
struct Tree {
    nodes: Vec<Branch>,
    /// Numbers of boxes, in the order of the leaves.
    order: Vec<usize>,
}

struct Branch {
    hull: Piece,
    /// The lines of its boxes: the first and the last one.
    lines: (usize, usize),
    /// Its boxes in the order of the tree.
    range: (usize, usize),
    /// Its two halves; 0: a leaf.
    children: (usize, usize),
}

/// Boxes in a leaf.
const LEAF: usize = 8;

impl Tree {
    fn new(list: &List, whole: &Cube) -> Self {
        let mut tree = Self { nodes: Vec::new(), order: (0..list.boxes.len()).collect() };
        // What is wide in a level says nothing there: boxes that are wide in the same levels stand together.
        let wide = |n: usize| {
            let sides = list.cube(n).iter().zip(whole);
            sides.fold(0u64, |mask, (side, all)| {
                let is_wide = u64::from(side.1 - side.0) * 4 > u64::from(all.1 - all.0);
                mask << 1 | u64::from(is_wide)
            })
        };
        tree.order.sort_by_cached_key(|n| wide(*n));
        if !tree.order.is_empty() {
            let levels = whole.len();
            tree.grow(list, (0, list.boxes.len()), levels, &wide);
        }
        tree
    }

    /// Makes the node of a stretch of the order and gives its number.
    fn grow(&mut self, list: &List, (from, to): (usize, usize), levels: usize, wide: &dyn Fn(usize) -> u64) -> usize {
        let boxes = &self.order[from..to];
        let mut hull: Piece = vec![(u32::MAX, 0); levels];
        let mut lines = (usize::MAX, 0);
        for n in boxes {
            for (all, side) in hull.iter_mut().zip(list.cube(*n)) {
                *all = (all.0.min(side.0), all.1.max(side.1));
            }
            let line = list.boxes[*n].line;
            lines = (lines.0.min(line), lines.1.max(line));
        }
        let number = self.nodes.len();
        self.nodes.push(Branch { hull: hull.clone(), lines, range: (from, to), children: (0, 0) });
        if to - from <= LEAF {
            return number;
        }
        let kinds = (wide(boxes[0]), wide(boxes[boxes.len() - 1]));
        let middle = if kinds.0 == kinds.1 {
            // Halve along the level in which the middles of the boxes differ most, for its size.
            let spread = |level: usize| {
                let middles = boxes.iter().map(|n| middle_of(list.cube(*n)[level]));
                let (low, high) = middles.fold((u64::MAX, 0), |(low, high), m| (low.min(m), high.max(m)));
                let own =
                    boxes.iter().map(|n| u64::from(list.cube(*n)[level].1 - list.cube(*n)[level].0) + 1).sum::<u64>();
                (high.saturating_sub(low) as f64) * boxes.len() as f64 / own as f64
            };
            let best = (0..levels).max_by(|a, b| spread(*a).total_cmp(&spread(*b))).unwrap_or(0);
            self.order[from..to].sort_by_key(|n| (middle_of(list.cube(*n)[best]), *n));
            usize::midpoint(from, to)
        } else {
            let half = self.order[from..to].partition_point(|n| wide(*n) == kinds.0);
            let near = usize::midpoint(0, to - from);
            let cut = wide(self.order[from + near]);
            let before = self.order[from..to].partition_point(|n| wide(*n) < cut);
            from + if before > 0 { before } else { half }
        };
        let left = self.grow(list, (from, middle), levels, wide);
        let right = self.grow(list, (middle, to), levels, wide);
        self.nodes[number].children = (left, right);
        number
    }

    /// The first box, among those of wanted lines, that decides and holds a point.
    fn first(&self, list: &List, point: &[u32], wanted: &dyn Fn(usize) -> bool, steps: &mut Steps) -> Option<usize> {
        let mut best: Option<usize> = None;
        let mut stack = vec![0];
        while let Some(n) = stack.pop() {
            let Some(node) = self.nodes.get(n) else { continue };
            let late = best.is_some_and(|best| list.boxes[best].line <= node.lines.0);
            if late || !holds(&node.hull, point) {
                continue;
            }
            steps.0 = steps.0.saturating_sub(1);
            if node.children != (0, 0) {
                let (a, b) = node.children;
                // The half that begins earlier comes first.
                let earlier = self.nodes[a].lines.0 <= self.nodes[b].lines.0;
                stack.extend(if earlier { [b, a] } else { [a, b] });
                continue;
            }
            for n in &self.order[node.range.0..node.range.1] {
                let rule = &list.boxes[*n];
                let better = best.is_none_or(|best| *n < best);
                if better && rule.allows.is_some() && wanted(rule.line) && holds(list.cube(*n), point) {
                    best = Some(*n);
                }
            }
        }
        best
    }

    /// The boxes, among those of wanted lines that decide, that touch a box, in order.
    fn touching(
        &self,
        list: &List,
        cube: &Cube,
        wanted: &dyn Fn(usize) -> bool,
        steps: &mut Steps,
    ) -> Result<Vec<usize>, TooHard> {
        let mut out = Vec::new();
        let mut stack = vec![0];
        while let Some(n) = stack.pop() {
            let Some(node) = self.nodes.get(n) else { continue };
            if !touch(&node.hull, cube) {
                continue;
            }
            steps.0 = steps.0.checked_sub(1).ok_or(TooHard)?;
            if node.children != (0, 0) {
                stack.extend([node.children.0, node.children.1]);
                continue;
            }
            let boxes = self.order[node.range.0..node.range.1].iter().copied();
            out.extend(boxes.filter(|n| {
                let rule = &list.boxes[*n];
                rule.allows.is_some() && wanted(rule.line) && touch(list.cube(*n), cube)
            }));
        }
        out.sort_unstable();
        Ok(out)
    }
}

fn middle_of((first, last): (u32, u32)) -> u64 {
    u64::midpoint(first.into(), last.into())
}

fn holds(cube: &Cube, point: &[u32]) -> bool {
    cube.iter().zip(point).all(|((first, last), value)| first <= value && value <= last)
}
