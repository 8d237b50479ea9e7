//! Long flat lists, with boxes: a tree over the boxes answers which of them hold a point or touch a box, and cover
//! search proves what points do not show.

use super::super::Sided;
use super::super::cover::{Cube, Cubes, Piece, Steps, TooHard, includes, meet, touch, uncovered};
use super::super::engine::ORDERS;
use super::super::flat::Frame;
use super::super::slice::Place;
use super::lines::{LineNumber, Lines};
use super::program::Fact;
use crate::model::{Action, Probe, RuleId, Store};
use crate::net::Region;

/// Steps of one configuration, about 5 ns each.
pub(super) const STEPS: u64 = 1_000_000_000;
/// Steps for one line.
const LINE: u64 = 3_000_000;
/// Above so many lines boxes are tried first: diagrams of long lists of boxes grow too large.
const LONG: usize = 1000;
/// Points of a box that are tried before anything is proved.
const POINTS: usize = 24;

/// A filter that is one list of lines that accept or deny.
pub(super) struct Flat<'f> {
    store: &'f Store,
    region: &'f Region,
    lines: Vec<Entry>,
    otherwise: bool,
}

struct Entry {
    line: LineNumber,
    rules: Vec<RuleId>,
    /// `None`: it goes on to the next.
    allows: Option<bool>,
}

/// The base chains that packets of a region run through, and what they call.
pub(super) fn places(store: &Store, sided: Sided<'_>, lines: &Lines<'_>, region: &Region) -> Vec<Place> {
    let stages = sided.filter.stages.iter().filter(|stage| stage.families.contains(region.family()));
    let mut out: Vec<Place> = stages.map(|stage| (stage.table, stage.chain)).collect();
    let mut next = 0;
    while let Some(place) = out.get(next).copied() {
        next += 1;
        for rule in lines.of(place).flat_map(|line| lines.rules(line)) {
            if let Action::Jump(name) | Action::Goto(name) = store.get(*rule).action() {
                let callee = sided.configuration.table(place.0).find(name).map(|chain| (place.0, chain));
                out.extend(callee.filter(|callee| !out.contains(callee)));
            }
        }
    }
    out
}

impl<'f> Flat<'f> {
    /// The filter as a flat list, if that is what it is in this region.
    pub(super) fn of(
        store: &'f Store,
        sided: Sided<'_>,
        lines: &Lines<'_>,
        region: &'f Region,
        without: &[bool],
    ) -> Option<Self> {
        let probe = Probe::new(region);
        let mut out: Option<Self> = None;
        for stage in sided.filter.stages.iter().filter(|stage| stage.families.contains(region.family())) {
            let of_chain = lines.of((stage.table, stage.chain));
            let otherwise = stage.otherwise != Action::Deny;
            if otherwise && of_chain.is_empty() {
                continue;
            }
            let mut entries = Vec::with_capacity(of_chain.len());
            for line in of_chain {
                let rules = lines.rules(line).iter().copied().filter(|rule| store.overlaps(*rule, &probe));
                let rules: Vec<RuleId> = rules.filter(|_| !without[line]).collect();
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
                entries.push(Entry { line, rules, allows });
            }
            if out.replace(Self { store, region, lines: entries, otherwise }).is_some() {
                return None;
            }
        }
        out
    }

    pub(super) fn is_long(&self) -> bool {
        self.lines.len() > LONG
    }

    /// Finds out about every line.
    pub(super) fn facts(&self, steps: &mut u64, facts: &mut [Fact]) -> Result<(), TooHard> {
        let rules = self.lines.iter().flat_map(|entry| entry.rules.iter().copied());
        let frame = Frame::new(self.store, self.region, rules, &ORDERS[1]);
        let whole = frame.whole();
        let mut list =
            List { cubes: Cubes::new(whole.len(), self.lines.len()), boxes: Vec::new(), otherwise: self.otherwise };
        let mut own: Vec<std::ops::Range<usize>> = Vec::with_capacity(self.lines.len());
        let mut numbers = Vec::new();
        for (n, entry) in self.lines.iter().enumerate() {
            let start = list.boxes.len();
            numbers.clear();
            for rule in &entry.rules {
                frame.boxes(self.store, self.region, *rule, &mut list.cubes, &mut numbers)?;
            }
            list.boxes.extend(numbers.iter().map(|number| Rule { number: *number, line: n, allows: entry.allows }));
            own.push(start..list.boxes.len());
        }
        let tree = Tree::new(&list, &whole);
        for (n, entry) in self.lines.iter().enumerate() {
            let mut line = Steps(LINE.min(*steps));
            let given = line.0;
            let fact = list.line(&tree, n, own[n].clone(), &mut line);
            *steps -= given - line.0;
            facts[entry.line] = Fact { entered: true, ..fact };
        }
        Ok(())
    }
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

    fn line(&self, tree: &Tree, n: usize, own: std::ops::Range<usize>, steps: &mut Steps) -> Fact {
        let mut fact = Fact::default();
        let Some(first) = own.clone().next() else { return fact };
        let allows = self.boxes[first].allows;
        fact.decides = allows.is_some();
        for at in own.clone() {
            self.points(tree, (n, at), allows, &mut fact, steps);
        }
        for at in own.clone() {
            if fact.hit && (fact.needed || allows.is_none()) {
                break;
            }
            if steps.0 == 0 {
                (fact.hit_open, fact.need_open) = (!fact.hit, true);
                break;
            }
            let Some(touching) = tree.touching(self, self.cube(at), steps) else {
                (fact.hit_open, fact.need_open) = (!fact.hit, true);
                break;
            };
            match self.proof(&touching, (n, at), allows, steps) {
                Proof::Never => {}
                Proof::Idle => fact.hit = true,
                Proof::Needed => (fact.hit, fact.needed) = (true, true),
                Proof::Open { hit } => {
                    fact.hit |= hit;
                    (fact.hit_open, fact.need_open) = (!hit, true);
                }
            }
        }
        if fact.hit {
            fact.hit_open = false;
        }
        if fact.needed || allows.is_none() {
            fact.need_open = false;
        }
        fact
    }

    /// Some points of a box may show already that packets come to it and need it.
    fn points(
        &self,
        tree: &Tree,
        (line, at): (usize, usize),
        allows: Option<bool>,
        fact: &mut Fact,
        steps: &mut Steps,
    ) {
        let cube = self.cube(at);
        let mut state = 0x9e37_79b9_7f4a_7c15_u64 ^ (at as u64).wrapping_mul(0x2545_f491_4f6c_dd1d);
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
            if tree.first(self, &point, 0, steps).is_some_and(|n| self.boxes[n].line < line) {
                continue;
            }
            fact.hit = true;
            let Some(allows) = allows else { return };
            let next = tree.first(self, &point, line + 1, steps);
            let instead = next.and_then(|n| self.boxes[n].allows).unwrap_or(self.otherwise);
            if instead != allows {
                fact.needed = true;
                return;
            }
        }
    }

    /// The same by cover search. `touching`: the boxes that touch it, in order.
    fn proof(&self, touching: &[usize], (line, at): (usize, usize), allows: Option<bool>, steps: &mut Steps) -> Proof {
        let cube = self.cube(at);
        let decides = |n: &&usize| self.boxes[**n].allows.is_some();
        let split = touching.partition_point(|n| self.boxes[*n].line < line);
        let after = split + touching[split..].partition_point(|n| self.boxes[*n].line <= line);
        let mut blockers: Vec<u32> = Vec::new();
        for n in touching[..split].iter().filter(decides) {
            if includes(self.cube(*n), cube) {
                return Proof::Never;
            }
            blockers.push(self.boxes[*n].number);
        }
        let half = steps.0 / 2;
        let hit = match steps.part(half, |steps| uncovered(&self.cubes, cube, &blockers, steps)) {
            Ok(None) => return Proof::Never,
            Ok(Some(_)) => true,
            Err(TooHard) => false,
        };
        let Some(allows) = allows else { return if hit { Proof::Idle } else { Proof::Open { hit } } };
        // Where a later line decides the same way, nothing behind it is met.
        let mut opposite: Vec<(Piece, usize)> = Vec::new();
        let mut otherwise = self.otherwise;
        for n in touching[after..].iter().filter(decides) {
            let other = self.cube(*n);
            if self.boxes[*n].allows == Some(allows) {
                blockers.push(self.boxes[*n].number);
            } else {
                opposite.push((meet(cube, other), blockers.len()));
            }
            if includes(other, cube) {
                otherwise = allows;
                break;
            }
        }
        let mut open = false;
        let mut pieces = opposite;
        if otherwise != allows {
            pieces.push((cube.to_vec(), blockers.len()));
        }
        let part = (steps.0 / (pieces.len() as u64 + 1)).max(1);
        for (piece, before) in &pieces {
            match steps.part(part, |steps| uncovered(&self.cubes, piece, &blockers[..*before], steps)) {
                Ok(Some(_)) => return Proof::Needed,
                Ok(None) => {}
                Err(TooHard) => open = true,
            }
        }
        match (hit, open) {
            (true, false) => Proof::Idle,
            // Nothing that it decides is decided otherwise without it, if it decides anything.
            (false, false) | (_, true) => Proof::Open { hit },
        }
    }
}

enum Proof {
    Never,
    /// Packets come to it, and do not need it.
    Idle,
    Needed,
    Open {
        hit: bool,
    },
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

    /// The first box of line `from` or later that decides and holds a point.
    fn first(&self, list: &List, point: &[u32], from: usize, steps: &mut Steps) -> Option<usize> {
        let mut best: Option<usize> = None;
        let mut stack = vec![0];
        while let Some(n) = stack.pop() {
            let Some(node) = self.nodes.get(n) else { continue };
            let late = best.is_some_and(|best| list.boxes[best].line <= node.lines.0);
            if late || node.lines.1 < from || !holds(&node.hull, point) {
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
                if rule.line >= from && better && rule.allows.is_some() && holds(list.cube(*n), point) {
                    best = Some(*n);
                }
            }
        }
        best
    }

    /// The boxes that touch a box, in order; `None`: too many.
    fn touching(&self, list: &List, cube: &Cube, steps: &mut Steps) -> Option<Vec<usize>> {
        let mut out = Vec::new();
        let mut stack = vec![0];
        while let Some(n) = stack.pop() {
            let Some(node) = self.nodes.get(n) else { continue };
            if !touch(&node.hull, cube) {
                continue;
            }
            steps.0 = steps.0.checked_sub(1)?;
            if node.children == (0, 0) {
                out.extend(self.order[node.range.0..node.range.1].iter().filter(|n| touch(list.cube(**n), cube)));
            } else {
                stack.extend([node.children.0, node.children.1]);
            }
        }
        out.sort_unstable();
        Some(out)
    }
}

fn middle_of((first, last): (u32, u32)) -> u64 {
    u64::midpoint(first.into(), last.into())
}

fn holds(cube: &Cube, point: &[u32]) -> bool {
    cube.iter().zip(point).all(|((first, last), value)| first <= value && value <= last)
}
