//! One filter in one region, with decision diagrams: which lines packets come to.
//!
//! The packets that come to a chain go down a balanced tree over its lines. The left half of a tree gets all of them,
//! the right half what the left half leaves undecided, and each half keeps only what its lines match, so that the
//! sets become as small as the part is.

use super::super::Sided;
use super::super::compile::{Compiler, Done};
use super::super::engine::ORDERS;
use super::super::fdd::{ACCEPT, DENY, Exhausted, Node, Op, UNDECIDED};
use super::super::ranks::Level;
use super::super::slice::Place;
use super::lines::{LineNumber, Lines};
use super::walk::Point;
use crate::model::{Action, Literal, Probe, RuleId, Store};
use crate::net::{Field, Packet, Region, Set};
use foldhash::quality::RandomState;
use std::collections::{HashMap, HashSet};

/// What is found out about a line, at one filter or at all of them.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Fact {
    /// Packets come to its chain, or ought to: it is a base chain.
    pub(super) entered: bool,
    /// A packet comes to it and matches.
    pub(super) hit: bool,
    /// It decides a packet.
    pub(super) decides: bool,
    /// It could not be found out whether a packet matches it.
    pub(super) open: bool,
}

impl Fact {
    pub(super) const fn add(&mut self, other: Self) {
        let Self { entered, hit, decides, open } = other;
        self.entered |= entered;
        self.hit |= hit;
        self.decides |= decides;
        self.open |= open;
    }
}

/// There is no answer: the budget is spent, or chains call one another in a circle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TooMuch;

impl From<Exhausted> for TooMuch {
    fn from(_: Exhausted) -> Self {
        Self
    }
}

/// A filter in a region.
pub(super) struct Program<'p, 'c> {
    sided: Sided<'c>,
    lines: &'p Lines<'c>,
    region: &'p Region,
    pub(super) compiler: Compiler<'p>,
    /// What each chain does.
    done: Done,
    /// Callers before those they call.
    pub(super) order: Vec<Place>,
    chains: HashMap<Place, Touched, RandomState>,
}

/// A chain as far as the region touches it.
#[derive(Default)]
pub(super) struct Touched {
    /// The rules that can match, each with its line.
    pub(super) rules: Vec<(LineNumber, RuleId)>,
    /// The chains that call it, once for every rule that does, with the line.
    pub(super) callers: Vec<(Place, LineNumber)>,
    /// The packets that come to it.
    entry: Node,
}

/// What a part of a chain takes away from the packets that come to it, and what its lines match.
#[derive(Clone, Copy)]
struct Part {
    takes: Node,
    matches: Node,
}

/// A chain while its lines are looked at.
struct Tree<'t> {
    /// Lines as ranges of `rules`.
    lines: Vec<&'t [(LineNumber, RuleId)]>,
    /// The children of `n` are `2n` and `2n + 1`.
    parts: Vec<Part>,
}

/// A part of a tree: its number, and the lines from one to another.
type Span = (usize, usize, usize);

impl<'p, 'c> Program<'p, 'c> {
    /// Finds out what the region touches; compiles nothing.
    pub(super) fn new(
        store: &'p Store,
        sided: Sided<'c>,
        lines: &'p Lines<'c>,
        region: &'p Region,
        order: usize,
        budget: usize,
    ) -> Result<Self, TooMuch> {
        let probe = Probe::new(region);
        let mut chains: HashMap<Place, Touched, RandomState> = HashMap::default();
        let sorted = sort(sided, region, &mut |place| {
            let (mut callees, mut rules) = (Vec::new(), Vec::new());
            for line in lines.of(place) {
                for rule in lines.rules(line).iter().filter(|rule| store.overlaps(**rule, &probe)) {
                    rules.push((line, *rule));
                    if let Action::Jump(name) | Action::Goto(name) = store.get(*rule).action()
                        && let Some(chain) = sided.configuration.table(place.0).find(name)
                    {
                        let callee = (place.0, chain);
                        chains.entry(callee).or_default().callers.push((place, line));
                        callees.push(callee);
                    }
                }
            }
            chains.entry(place).or_default().rules = rules;
            callees
        })?;
        let mut stages = sided.filter.stages.iter().filter(|stage| stage.families.contains(region.family()));
        if stages.any(|stage| chains.get(&(stage.table, stage.chain)).is_some_and(|chain| !chain.callers.is_empty())) {
            return Err(TooMuch);
        }
        let mut rules: Vec<RuleId> =
            sorted.iter().filter_map(|place| chains.get(place)).flat_map(|c| &c.rules).map(|(_, rule)| *rule).collect();
        rules.sort_unstable();
        rules.dedup();
        let compiler = Compiler::new(store, region, rules.into_iter(), &ORDERS[order], budget);
        Ok(Self { sided, lines, region, compiler, done: Done::default(), order: sorted, chains })
    }

    /// A chain as far as the region touches it.
    pub(super) fn chain(&self, place: Place) -> Option<&Touched> {
        self.chains.get(&place)
    }

    /// What the filter does without lines that are gone.
    pub(super) fn version(&mut self, gone: &[bool]) -> Result<Version, TooMuch> {
        let mut version = Version { gone: gone.to_vec(), done: Done::default(), total: UNDECIDED };
        for place in self.order.clone().into_iter().rev() {
            self.compile(place, &mut version, None)?;
        }
        version.total = self.whole(&version.done)?;
        Ok(version)
    }

    /// Whether a version does the same without another line.
    pub(super) fn same_without(&mut self, version: &mut Version, line: LineNumber) -> Result<bool, TooMuch> {
        let above = self.above(self.lines.place(line));
        let old: Vec<(Place, Option<Node>)> =
            above.iter().map(|place| (*place, version.done.get(place).copied().flatten())).collect();
        let mut total = Ok(UNDECIDED);
        for place in self.order.clone().into_iter().rev().filter(|place| above.contains(place)) {
            if let Err(why) = self.compile(place, version, Some(line)) {
                total = Err(why);
                break;
            }
        }
        let total = total.and_then(|_| self.whole(&version.done));
        let same = total == Ok(version.total);
        version.done.extend(old);
        total.map(|_| same)
    }

    fn whole(&mut self, done: &Done) -> Result<Node, TooMuch> {
        let mut all = ACCEPT;
        for stage in &self.sided.filter.stages {
            if stage.families.contains(self.region.family()) {
                let function = self.stage(stage, done)?;
                all = self.compiler.diagram.apply(Op::Next, all, function)?;
            }
        }
        Ok(all)
    }

    /// Compiles the chains, so that single lines can be asked about.
    pub(super) fn prepare(&mut self, version: &Version) {
        self.done.clone_from(&version.done);
    }

    /// Compiles the chains that others call, which is enough to ask what single lines do.
    pub(super) fn prepare_called(&mut self) -> Result<(), TooMuch> {
        let mut version = Version { gone: Vec::new(), done: Done::default(), total: UNDECIDED };
        for place in self.order.clone().into_iter().rev() {
            if self.chains.get(&place).is_some_and(|chain| !chain.callers.is_empty()) {
                self.compile(place, &mut version, None)?;
            }
        }
        self.done = version.done;
        Ok(())
    }

    /// The lines of a chain that can match.
    pub(super) fn touched(&self, place: Place) -> Vec<LineNumber> {
        let rules = self.chains.get(&place).map_or(&[][..], |chain| chain.rules.as_slice());
        let mut lines: Vec<LineNumber> = rules.iter().map(|(line, _)| *line).collect();
        lines.dedup();
        lines
    }

    /// What a line matches.
    pub(super) fn matches(&mut self, line: LineNumber) -> Result<Node, TooMuch> {
        let mut all = UNDECIDED;
        for rule in self.rules(line) {
            let matches = self.compiler.leaf(rule, ACCEPT)?;
            all = self.compiler.diagram.apply(Op::Then, all, matches)?;
        }
        Ok(all)
    }

    /// What a line does within its chain.
    pub(super) fn does(&mut self, line: LineNumber) -> Result<Node, TooMuch> {
        let rules = self.rules(line);
        Ok(self.compiler.list(self.sided, self.lines.place(line).0, &rules, &self.done)?)
    }

    /// Finds out about every line. Whenever a line decides packets that come to it, `met` gets them.
    pub(super) fn facts(
        &mut self,
        facts: &mut [Fact],
        met: &mut dyn FnMut(&Self, LineNumber, Decided),
    ) -> Result<(), TooMuch> {
        let mut coming = ACCEPT;
        for stage in &self.sided.filter.stages {
            if stage.families.contains(self.region.family()) {
                let place = (stage.table, stage.chain);
                if let Some(chain) = self.chains.get_mut(&place) {
                    chain.entry = self.compiler.diagram.apply(Op::Then, chain.entry, coming)?;
                }
                let function = self.stage(stage, &self.done.clone())?;
                let passed = self.compiler.diagram.apply(Op::Next, coming, function)?;
                // Only what is accepted goes on; the rest is nowhere.
                let denied = self.compiler.diagram.apply(Op::Clash, passed, ACCEPT)?;
                let decided = self.compiler.diagram.apply(Op::Over, ACCEPT, passed)?;
                coming = self.compiler.diagram.apply(Op::Unless, denied, decided)?;
            }
        }
        for place in self.order.clone() {
            self.look(place, facts, met)?;
        }
        Ok(())
    }

    fn rules(&self, line: LineNumber) -> Vec<RuleId> {
        let rules = self.chains.get(&self.lines.place(line)).map_or(&[][..], |chain| chain.rules.as_slice());
        let from = rules.partition_point(|(other, _)| *other < line);
        rules[from..].iter().take_while(|(other, _)| *other == line).map(|(_, rule)| *rule).collect()
    }

    fn compile(&mut self, place: Place, version: &mut Version, without: Option<LineNumber>) -> Result<(), TooMuch> {
        let rules = self.chains.get(&place).map_or(&[][..], |chain| chain.rules.as_slice());
        let kept = rules.iter().filter(|(line, _)| version.gone.get(*line) != Some(&true) && Some(*line) != without);
        let rules: Vec<RuleId> = kept.map(|(_, rule)| *rule).collect();
        let node = self.compiler.list(self.sided, place.0, &rules, &version.done)?;
        version.done.insert(place, Some(node));
        Ok(())
    }

    fn stage(&mut self, stage: &crate::model::Stage, done: &Done) -> Result<Node, TooMuch> {
        let chain = done.get(&(stage.table, stage.chain)).copied().flatten().unwrap_or(UNDECIDED);
        let otherwise = if stage.otherwise == Action::Deny { DENY } else { ACCEPT };
        Ok(self.compiler.diagram.apply(Op::Otherwise, chain, otherwise)?)
    }

    /// Looks at the lines of a chain whose callers were all looked at.
    fn look(
        &mut self,
        place: Place,
        facts: &mut [Fact],
        met: &mut dyn FnMut(&Self, LineNumber, Decided),
    ) -> Result<(), TooMuch> {
        let Some(Touched { rules, callers, entry }) = self.chains.get(&place) else { return Ok(()) };
        let (rules, base, entry) = (rules.clone(), callers.is_empty(), *entry);
        for fact in &mut facts[self.lines.of(place)] {
            fact.entered |= base || entry != UNDECIDED;
        }
        let lines: Vec<_> = rules.chunk_by(|a, b| a.0 == b.0).collect();
        let width = lines.len();
        if entry == UNDECIDED || width == 0 {
            return Ok(());
        }
        let nothing = Part { takes: UNDECIDED, matches: UNDECIDED };
        let mut tree = Tree { lines, parts: vec![nothing; 4 * width] };
        self.build(place, &mut tree, (1, 0, width))?;
        let passing = if base { None } else { self.passing(place)? };
        self.descend(place, &tree, (1, 0, width), (entry, passing), facts, met)
    }

    /// What the filter would do if a chain decided nothing; `None`: too many chains call it.
    fn passing(&mut self, place: Place) -> Result<Option<Node>, TooMuch> {
        let above = self.above(place);
        if above.len() > MOST_ABOVE {
            return Ok(None);
        }
        let mut version = Version { gone: Vec::new(), done: self.done.clone(), total: UNDECIDED };
        version.done.insert(place, Some(UNDECIDED));
        for caller in self.order.clone().into_iter().rev().filter(|caller| *caller != place && above.contains(caller)) {
            self.compile(caller, &mut version, None)?;
        }
        Ok(Some(self.whole(&version.done)?))
    }

    /// A chain and those that call it, or call such.
    fn above(&self, place: Place) -> HashSet<Place, RandomState> {
        let mut open: Vec<Place> = vec![place];
        let mut seen: HashSet<Place, RandomState> = open.iter().copied().collect();
        while let Some(place) = open.pop() {
            let callers = self.chains.get(&place).map_or(&[][..], |chain| chain.callers.as_slice());
            open.extend(callers.iter().map(|(caller, _)| *caller).filter(|caller| seen.insert(*caller)));
        }
        seen
    }

    fn build(&mut self, place: Place, tree: &mut Tree<'_>, (at, low, high): Span) -> Result<(), TooMuch> {
        if high - low == 1 {
            let mut part = Part { takes: UNDECIDED, matches: UNDECIDED };
            for (_, rule) in tree.lines[low] {
                let (takes, matches) = self.rule(place, *rule)?;
                let diagram = &mut self.compiler.diagram;
                part.takes = diagram.apply(Op::Then, part.takes, takes)?;
                part.matches = diagram.apply(Op::Then, part.matches, matches)?;
            }
            tree.parts[at] = part;
            return Ok(());
        }
        let middle = usize::midpoint(low, high);
        self.build(place, tree, (2 * at, low, middle))?;
        self.build(place, tree, (2 * at + 1, middle, high))?;
        let (left, right) = (tree.parts[2 * at], tree.parts[2 * at + 1]);
        let diagram = &mut self.compiler.diagram;
        tree.parts[at] = Part {
            takes: diagram.apply(Op::Then, left.takes, right.takes)?,
            matches: diagram.apply(Op::Then, left.matches, right.matches)?,
        };
        Ok(())
    }

    /// What a rule takes away from its chain, and what it matches.
    fn rule(&mut self, place: Place, rule: RuleId) -> Result<(Node, Node), TooMuch> {
        let inside = self.compiler.inside(self.sided, place.0, rule, &self.done)?;
        let inside = self.compiler.diagram.apply(Op::Over, ACCEPT, inside)?;
        Ok((self.compiler.leaf(rule, inside)?, self.compiler.leaf(rule, ACCEPT)?))
    }

    fn descend(
        &mut self,
        place: Place,
        tree: &Tree<'_>,
        (at, low, high): Span,
        (coming, passing): (Node, Option<Node>),
        facts: &mut [Fact],
        met: &mut dyn FnMut(&Self, LineNumber, Decided),
    ) -> Result<(), TooMuch> {
        let part = tree.parts[at];
        let here = self.compiler.diagram.apply(Op::Within, part.matches, coming)?;
        if here == UNDECIDED {
            return Ok(());
        }
        if high - low > 1 {
            let middle = usize::midpoint(low, high);
            self.descend(place, tree, (2 * at, low, middle), (here, passing), facts, met)?;
            let left = self.compiler.diagram.apply(Op::Unless, tree.parts[2 * at].takes, here)?;
            return self.descend(place, tree, (2 * at + 1, middle, high), (left, passing), facts, met);
        }
        let decided = self.compiler.diagram.apply(Op::Within, part.takes, here)?;
        let mut left = here;
        for (line, rule) in tree.lines[low] {
            facts[*line].hit = true;
            facts[*line].decides |= decided != UNDECIDED;
            let (takes, matches) = self.rule(place, *rule)?;
            if let Some(callee) = self.compiler.callee(self.sided, place.0, *rule) {
                let sent = self.compiler.diagram.apply(Op::Within, matches, left)?;
                if let Some(chain) = self.chains.get_mut(&callee) {
                    chain.entry = self.compiler.diagram.apply(Op::Then, chain.entry, sent)?;
                }
            }
            left = self.compiler.diagram.apply(Op::Unless, takes, left)?;
        }
        if let Some((line, _)) = tree.lines[low].first().filter(|_| decided != UNDECIDED) {
            met(self, *line, Decided { packets: decided, passing });
        }
        Ok(())
    }

    /// A packet of a set for which a function is `wanted`, if there is one and it is found soon; `next` gives numbers
    /// below another one, by which it is chosen.
    pub(super) fn point(
        &self,
        set_function_wanted: (Node, Node, Node),
        next: &mut dyn FnMut(u32) -> u32,
    ) -> Option<Point> {
        let ranks = self.compiler.diagram.find(set_function_wanted, STEPS, next)?;
        let mut packet = Packet::new(self.region.family());
        for field in Field::ALL {
            packet = packet.with(field, self.region.get(field).and_then(Set::first).unwrap_or(0));
        }
        let mut holds = Vec::new();
        for (level, rank) in self.compiler.levels.iter().zip(ranks) {
            match level {
                Level::Field { field, starts, .. } => {
                    packet = packet.with(*field, starts.get(rank as usize).copied().unwrap_or(0));
                }
                Level::Opaque(opaque) => holds.push(Literal { opaque: *opaque, holds: rank == 1 }),
            }
        }
        Some(Point { packet, holds })
    }
}

/// What a filter does without some lines.
#[derive(Clone)]
pub(super) struct Version {
    gone: Vec<bool>,
    done: Done,
    pub(super) total: Node,
}

/// Packets that a line decides.
#[derive(Clone, Copy)]
pub(super) struct Decided {
    pub(super) packets: Node,
    /// What the filter would do with all packets if the chain of the line decided nothing, where that is known.
    pub(super) passing: Option<Node>,
}

/// Above so many chains that lead to one it is not asked what would be if that decided nothing.
const MOST_ABOVE: usize = 16;

/// Pairs of functions that are looked at for a packet.
const STEPS: usize = 2000;

/// The chains of a filter, callers before those they call.
fn sort(
    sided: Sided<'_>,
    region: &Region,
    callees: &mut dyn FnMut(Place) -> Vec<Place>,
) -> Result<Vec<Place>, TooMuch> {
    let stages = sided.filter.stages.iter().filter(|stage| stage.families.contains(region.family()));
    // `false`: on the way from the start to here.
    let mut finished: HashMap<Place, bool, RandomState> = HashMap::default();
    let mut out = Vec::new();
    for start in stages.map(|stage| (stage.table, stage.chain)) {
        if finished.contains_key(&start) {
            continue;
        }
        finished.insert(start, false);
        let mut way = vec![(start, callees(start))];
        while let Some((place, left)) = way.last_mut() {
            let Some(next) = left.pop() else {
                finished.insert(*place, true);
                out.push(*place);
                way.pop();
                continue;
            };
            match finished.get(&next) {
                Some(true) => {}
                Some(false) => return Err(TooMuch),
                None => {
                    finished.insert(next, false);
                    let more = callees(next);
                    way.push((next, more));
                }
            }
        }
    }
    out.reverse();
    Ok(out)
}
