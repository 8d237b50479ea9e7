//! Two flat rule lists compared by cover search: a verdict with parts of the difference where a diagram is too large.

use super::cover::{Cube, Cubes, Piece, Steps, TooHard, includes, meet, touch, uncovered};
use super::products::Products;
use super::ranks::{Level, Levels, narrow};
use super::windows::windows;
use crate::model::{Action, Literal, PLAIN, RuleId, Store};
use crate::net::{Field, Region, Set};

/// A list of rules that only accept or deny, and what happens otherwise.
pub(super) struct FlatList {
    pub(super) rules: Vec<RuleId>,
    pub(super) otherwise: bool,
}

/// What a comparison of flat lists found.
pub(super) struct FlatDifference {
    pub(super) gained: Parts,
    pub(super) lost: Parts,
}

/// Parts of the difference in one direction. None and `complete`: there is none, proved.
pub(super) struct Parts {
    pub(super) pieces: Vec<Piece>,
    pub(super) complete: bool,
}

impl Parts {
    const NONE: Self = Self { pieces: Vec::new(), complete: true };
}

/// What the levels of boxes are: ranks of the fields that matter, or plain values where no rule asks for more than
/// single ranges of the five fields that nearly all rules are made of.
pub(super) enum Frame {
    Ranks(Levels),
    Plain(Piece),
}

/// A rule is looked at in so many boxes at the most.
const MOST_CUBES: usize = 256;
/// So many changed rules are looked at one by one.
const MOST_CHANGED: usize = 1000;
/// So many opposite rules are tried one by one before the search for any of them.
const SAMPLE: usize = 12;

impl Frame {
    /// Plain values if that is enough for these rules in this region, else ranks.
    pub(super) fn new(
        store: &Store,
        region: &Region,
        rules: impl Iterator<Item = RuleId> + Clone,
        order: &[Field],
    ) -> Self {
        let side = |field: Field| match region.get(field) {
            None => Some((0, u32::try_from(field.max(region.family())).unwrap_or(u32::MAX))),
            Some(set) => {
                let (first, last) = set.ranges().single()?;
                Some((u32::try_from(first).ok()?, u32::try_from(last).ok()?))
            }
        };
        let whole: Option<Vec<_>> = PLAIN.into_iter().map(side).collect();
        match whole {
            Some(whole) if rules.clone().all(|rule| store.plain(rule, region.family()).is_some()) => Self::Plain(whole),
            Some(_) | None => Self::Ranks(Levels::new(store, region, rules, order)),
        }
    }

    pub(super) fn whole(&self) -> Piece {
        match self {
            Self::Ranks(levels) => levels.iter().map(|level| (0, level.last_rank())).collect(),
            Self::Plain(whole) => whole.clone(),
        }
    }

    /// Boxes as the packets of `region` that they stand for, each with the opaque conditions it asks for.
    pub(super) fn packets(&self, cubes: &[Piece], region: &Region) -> Vec<(Region, Vec<Literal>)> {
        match self {
            Self::Ranks(levels) => {
                let mut products = Products::new(levels.iter().map(Level::last_rank).collect());
                for cube in cubes {
                    let row: Vec<u32> = (0..).zip(cube).map(|(level, side)| products.set(level, vec![*side])).collect();
                    products.push(&row);
                }
                levels.packets(region, &products)
            }
            Self::Plain(_) => {
                let packets = |cube: &Piece| {
                    let mut region = region.clone();
                    for (field, (first, last)) in PLAIN.into_iter().zip(cube) {
                        region.restrict(field, &Set::range((*first).into(), (*last).into()));
                    }
                    (region, Vec::new())
                };
                cubes.iter().map(packets).collect()
            }
        }
    }

    /// The boxes of a rule.
    pub(super) fn boxes(
        &self,
        store: &Store,
        region: &Region,
        rule: RuleId,
        cubes: &mut Cubes,
        out: &mut Vec<u32>,
    ) -> Result<(), TooHard> {
        match self {
            Self::Plain(_) => out.extend(store.plain(rule, region.family()).map(|cube| cubes.push(&cube))),
            Self::Ranks(levels) => {
                let Some(constraints) = levels.constraints(store, region, rule) else { return Ok(()) };
                let mut all = vec![self.whole()];
                for (level, ranks) in constraints {
                    if all.len() * ranks.len() > MOST_CUBES {
                        return Err(TooHard);
                    }
                    let with = |cube: &Piece, range: (u32, u32)| {
                        let mut cube = cube.clone();
                        cube[level as usize] = range;
                        cube
                    };
                    all = all.iter().flat_map(|cube| ranks.iter().map(move |range| with(cube, *range))).collect();
                }
                out.extend(all.iter().map(|cube| cubes.push(cube)));
            }
        }
        Ok(())
    }
}

/// A list in boxes; a rule may be several.
struct List {
    /// Boxes in order with what their rule does.
    boxes: Vec<(u32, bool)>,
    /// For each rule that counts, where its boxes begin; one more at the end.
    begins: Vec<usize>,
    otherwise: bool,
    /// The rule that covers the region, by its position, if there is one: what happens otherwise is what it does.
    last: Option<u32>,
}

impl List {
    /// The rules up to the first one that covers the whole region: what comes behind it is never reached.
    fn new(frame: &Frame, store: &Store, region: &Region, list: &FlatList, cubes: &mut Cubes) -> Result<Self, TooHard> {
        let whole = frame.whole();
        let mut out = Self { boxes: Vec::new(), begins: vec![0], otherwise: list.otherwise, last: None };
        let mut numbers = Vec::new();
        for (position, rule) in (0..).zip(&list.rules) {
            numbers.clear();
            frame.boxes(store, region, *rule, cubes, &mut numbers)?;
            let allow = store.get(*rule).action() == Action::Accept;
            if numbers.iter().any(|number| includes(cubes.get(*number), &whole)) {
                out.otherwise = allow;
                out.last = Some(position);
                break;
            }
            out.boxes.extend(numbers.iter().map(|number| (*number, allow)));
            out.begins.push(out.boxes.len());
        }
        Ok(out)
    }
}

/// Compares two lists inside a region.
///
/// Let `p` be decided differently, by rule `x` on base and `y` on head. If both were common to the lists, their
/// order would be the same on both sides and the same one would decide: so one of them is a changed rule, or what
/// happens otherwise differs. It is enough to look, for every changed rule, for a packet that it decides and that
/// the other list decides otherwise; for what happens otherwise, only if that differs or is a changed rule.
/// `only_covering`: only changed rules that cover the whole region are of interest.
pub(super) fn compare(
    store: &Store,
    region: &Region,
    frame: &Frame,
    base: &FlatList,
    head: &FlatList,
    only_covering: bool,
    steps: &mut Steps,
) -> Result<FlatDifference, TooHard> {
    let whole = frame.whole();
    let mut cubes = Cubes::new(whole.len(), base.rules.len() + head.rules.len());
    let before = List::new(frame, store, region, base, &mut cubes)?;
    let after = List::new(frame, store, region, head, &mut cubes)?;
    let mut windows = if only_covering { Vec::new() } else { windows(store, &base.rules, &head.rules) };
    let ends = [base.rules.len(), head.rules.len()].map(narrow);
    match windows.last_mut() {
        // Behind a rule that covers the region may stand anything: what the other list ends with, then.
        Some(end) if after.last.is_some() && end.is_last(ends) => end.base.1 = end.base.0,
        Some(end) if before.last.is_some() && end.is_last(ends) => end.head.1 = end.head.0,
        Some(_) | None => {}
    }
    let mut out = FlatDifference { gained: Parts::NONE, lost: Parts::NONE };
    for (from_base, own, other) in [(true, &before, &after), (false, &after, &before)] {
        let range = |w: &super::windows::Window| if from_base { w.base.0..w.base.1 } else { w.head.0..w.head.1 };
        // What stands behind a rule that covers the region decides nothing; that rule is what happens otherwise.
        let reached = own.begins.len() - 1;
        let end = only_covering
            || match own.last {
                Some(last) => windows.iter().any(|window| range(window).contains(&last)),
                None => other.last.is_none() && own.otherwise != other.otherwise,
            };
        let changed = windows.iter().flat_map(range).map(|n| n as usize).filter(|n| *n < reached);
        let changed = changed.map(Some).chain(end.then_some(None));
        let search = Search { cubes: &cubes, own, other };
        for (count, rule) in changed.enumerate() {
            // What a rule decides can differ in one direction only.
            let parts = if search.allows(rule) == from_base { &mut out.lost } else { &mut out.gained };
            if count >= MOST_CHANGED {
                parts.complete = false;
                continue;
            }
            match search.rule(rule, &whole, steps) {
                Ok(None) => {}
                Ok(Some(part)) => {
                    parts.complete = false;
                    if !parts.pieces.contains(&part) {
                        parts.pieces.push(part);
                    }
                }
                Err(TooHard) => parts.complete = false,
            }
        }
    }
    let nothing = out.gained.pieces.is_empty() && out.lost.pieces.is_empty();
    if nothing && !(out.gained.complete && out.lost.complete) { Err(TooHard) } else { Ok(out) }
}

struct Search<'s> {
    cubes: &'s Cubes,
    own: &'s List,
    other: &'s List,
}

impl Search<'_> {
    /// What a rule of the own list does (`None`: what happens otherwise).
    fn allows(&self, rule: Option<usize>) -> bool {
        let first = rule.and_then(|n| self.own.begins.get(n)).and_then(|begin| self.own.boxes.get(*begin));
        first.map_or(self.own.otherwise, |(_, allow)| *allow)
    }

    /// A part that a rule of the own list (`None`: what happens otherwise) decides and the other list decides
    /// otherwise.
    fn rule(&self, rule: Option<usize>, whole: &Cube, steps: &mut Steps) -> Result<Option<Piece>, TooHard> {
        let allow = self.allows(rule);
        let (boxes, earlier) = match rule {
            Some(n) => {
                let (from, to) = (self.own.begins[n], self.own.begins[n + 1]);
                (&self.own.boxes[from..to], &self.own.boxes[..from])
            }
            None => (&[][..], &self.own.boxes[..]),
        };
        let pieces: Vec<&Cube> = match rule {
            Some(_) => boxes.iter().map(|(number, _)| self.cubes.get(*number)).collect(),
            None => vec![whole],
        };
        let mut hard = false;
        for piece in pieces {
            let piece = meet(piece, whole);
            match self.piece(&piece, earlier, allow, steps) {
                Ok(None) => {}
                Ok(Some(part)) => return Ok(Some(part)),
                Err(TooHard) => hard = true,
            }
        }
        if hard { Err(TooHard) } else { Ok(None) }
    }

    /// A part of `piece`, outside `earlier`, that the other list does not decide as `allow`.
    fn piece(
        &self,
        piece: &Cube,
        earlier: &[(u32, bool)],
        allow: bool,
        steps: &mut Steps,
    ) -> Result<Option<Piece>, TooHard> {
        let cube = |number| self.cubes.get(number);
        let mut blockers: Vec<u32> = Vec::new();
        for (number, _) in earlier {
            if touch(piece, cube(*number)) {
                if includes(cube(*number), piece) {
                    return Ok(None);
                }
                blockers.push(*number);
            }
        }
        if steps.part(steps.0 / 4, |steps| uncovered(self.cubes, piece, &blockers, steps)) == Ok(None) {
            return Ok(None);
        }
        // Where the other list decides the same way before an opposite rule comes, nothing is found behind.
        let mut opposite: Vec<(Piece, usize)> = Vec::new();
        let mut otherwise = self.other.otherwise;
        for (number, allowed) in &self.other.boxes {
            let theirs = cube(*number);
            if !touch(piece, theirs) {
                continue;
            }
            if *allowed != allow {
                opposite.push((meet(piece, theirs), blockers.len()));
            } else {
                blockers.push(*number);
            }
            if includes(theirs, piece) {
                otherwise = allow;
                break;
            }
        }
        for (part, before) in opposite.iter().take(SAMPLE) {
            let quick = (steps.0 / 64).max(1);
            let found = steps.part(quick, |steps| uncovered(self.cubes, part, &blockers[..*before], steps));
            if let Ok(Some(part)) = found {
                return Ok(Some(part));
            }
        }
        let mut hard = false;
        if otherwise != allow {
            match steps.part(steps.0 / 4, |steps| uncovered(self.cubes, piece, &blockers, steps)) {
                Ok(Some(part)) => return Ok(Some(part)),
                Ok(None) => {}
                Err(TooHard) => hard = true,
            }
        }
        for (part, before) in &opposite {
            if let Some(part) = uncovered(self.cubes, part, &blockers[..*before], steps)? {
                return Ok(Some(part));
            }
        }
        if hard { Err(TooHard) } else { Ok(None) }
    }
}
