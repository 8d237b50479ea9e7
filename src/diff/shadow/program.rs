//! One filter in one region, with decision diagrams: which lines a packet meets, and which it would not miss.
//!
//! A packet that is at a line is carried together with its *future*: what becomes of it if nothing from here to the
//! end of what is looked at decides it. Both are one partial function `W`: undecided for packets that do not come
//! here, else their answer. A chain is a balanced tree over its lines. Going down it, the right half of a tree gets
//! `W` without what the left half decides, the left half gets `W` with what the right half does before it; and each
//! half keeps only what its lines match, so that the functions become as small as the part is.

use super::super::compile::{Compiler, Done};
use super::super::fdd::{ACCEPT, DENY, Exhausted, Node, Op, UNDECIDED};
use super::super::slice::Place;
use super::super::{Sided, engine::ORDERS};
use super::lines::{LineNumber, Lines};
use crate::model::{Action, Families, Probe, RuleId, Store};
use crate::net::Region;
use foldhash::quality::RandomState;
use std::collections::HashMap;

/// What is found out about a line at one filter and region, or about all of them.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Fact {
    /// Packets come to its chain, or ought to: it is a base chain.
    pub(super) entered: bool,
    /// A packet comes to it and matches.
    pub(super) hit: bool,
    /// It decides a packet.
    pub(super) decides: bool,
    /// Without it a packet would have another answer.
    pub(super) needed: bool,
    /// It could not be found out whether a packet matches it.
    pub(super) hit_open: bool,
    /// It could not be found out whether it is needed.
    pub(super) need_open: bool,
}

impl Fact {
    pub(super) const fn add(&mut self, other: Self) {
        let Self { entered, hit, decides, needed, hit_open, need_open } = other;
        self.entered |= entered;
        self.hit |= hit;
        self.decides |= decides;
        self.needed |= needed;
        self.hit_open |= hit_open;
        self.need_open |= need_open;
    }
}

/// Rules that programs without some chain may go through again, one region altogether.
const MOST_REPEATED: usize = 10_000_000;

/// A filter in a region.
pub(super) struct Program<'p, 'c> {
    store: &'p Store,
    sided: Sided<'c>,
    lines: &'p Lines<'c>,
    region: &'p Region,
    probe: Probe,
    pub(super) compiler: Compiler<'p>,
    /// What each chain does.
    pub(super) done: Done,
    /// Callers before those they call.
    pub(super) order: Vec<Place>,
    calls: HashMap<Place, Calls, RandomState>,
    /// Lines that are taken away.
    without: &'p [bool],
    /// What the whole filter does.
    total: Node,
    /// What comes after each stage for those it accepts.
    after: Vec<Node>,
    before: Vec<Node>,
    repeated: usize,
}

/// How a chain comes to be called.
#[derive(Default)]
pub(super) struct Calls {
    /// The chains that call it, each once for every rule that does, with the line.
    pub(super) callers: Vec<(Place, LineNumber)>,
    /// The stages in which it is.
    pub(super) stages: Vec<usize>,
    /// Where its packets come from and what becomes of those it does not decide: for a chain that one rule calls.
    future: Option<Node>,
    /// Its packets.
    entry: Node,
}

/// There is no answer: the budget is spent, or chains call one another in a circle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TooMuch;

impl From<Exhausted> for TooMuch {
    fn from(_: Exhausted) -> Self {
        Self
    }
}

/// The two functions of a part of a chain: what it does, and what its lines match.
#[derive(Clone, Copy)]
struct Part {
    does: Node,
    matches: Node,
}

/// A chain while its lines are looked at.
struct Chain {
    lines: std::ops::Range<LineNumber>,
    /// A tree in an array: the children of `n` are `2n` and `2n + 1`.
    parts: Vec<Part>,
    /// What becomes of packets that leave it undecided.
    future: Node,
    /// What comes after the stage, for those it accepts.
    next: Node,
    /// Futures are known, so that it can be told what is needed.
    answers: bool,
}

impl<'p, 'c> Program<'p, 'c> {
    /// Compiles all chains.
    pub(super) fn new(
        store: &'p Store,
        sided: Sided<'c>,
        lines: &'p Lines<'c>,
        region: &'p Region,
        without: &'p [bool],
        order: usize,
        budget: usize,
    ) -> Result<Self, TooMuch> {
        let probe = Probe::new(region);
        let mut calls: HashMap<Place, Calls, RandomState> = HashMap::default();
        let mut rules: Vec<RuleId> = Vec::new();
        let sorted = sort(sided, region, &mut |place| {
            let mut callees = Vec::new();
            for line in lines.of(place).filter(|line| !without[*line]) {
                for rule in lines.rules(line).iter().filter(|rule| store.overlaps(**rule, &probe)) {
                    rules.push(*rule);
                    if let Action::Jump(name) | Action::Goto(name) = store.get(*rule).action()
                        && let Some(chain) = sided.configuration.table(place.0).find(name)
                    {
                        let callee = (place.0, chain);
                        calls.entry(callee).or_default().callers.push((place, line));
                        callees.push(callee);
                    }
                }
            }
            callees
        })?;
        for (number, stage) in sided.filter.stages.iter().enumerate() {
            if stage.families.contains(region.family()) {
                let calls = calls.entry((stage.table, stage.chain)).or_default();
                if !calls.callers.is_empty() {
                    return Err(TooMuch);
                }
                calls.stages.push(number);
            }
        }
        for place in &sorted {
            let callers: Vec<Place> =
                calls.get(place).map_or_else(Vec::new, |c| c.callers.iter().map(|c| c.0).collect());
            let mut stages: Vec<usize> =
                callers.iter().filter_map(|c| calls.get(c)).flat_map(|c| c.stages.clone()).collect();
            let own = calls.entry(*place).or_default();
            own.stages.append(&mut stages);
            own.stages.sort_unstable();
            own.stages.dedup();
        }
        rules.sort_unstable();
        rules.dedup();
        let compiler = Compiler::new(store, region, rules.into_iter(), &ORDERS[order], budget);
        let mut out = Self {
            store,
            sided,
            lines,
            region,
            probe,
            compiler,
            done: Done::default(),
            order: sorted,
            calls,
            without,
            total: ACCEPT,
            after: Vec::new(),
            before: Vec::new(),
            repeated: 0,
        };
        // What a single base chain does as a whole is of no use: its lines are looked at one by one.
        let stages = sided.filter.stages.iter().filter(|stage| stage.families.contains(region.family())).count();
        let order = out.order.clone();
        for place in order.iter().rev() {
            let base = out.calls.get(place).is_some_and(|calls| calls.callers.is_empty());
            let node = if base && stages < 2 { UNDECIDED } else { out.function(*place)? };
            out.done.insert(*place, Some(node));
        }
        out.stages()?;
        Ok(out)
    }

    /// How a chain comes to be called.
    pub(super) fn calls(&self, place: Place) -> Option<&Calls> {
        self.calls.get(&place)
    }

    /// The rules of a line that can match here.
    pub(super) fn rules(&self, line: LineNumber) -> impl Iterator<Item = RuleId> + use<'p, 'c, '_> {
        let there = !self.without[line];
        let rules = self.lines.rules(line).iter().copied();
        rules.filter(move |rule| there && self.store.overlaps(*rule, &self.probe))
    }

    /// From now on other lines are taken away.
    pub(super) const fn take_away(&mut self, without: &'p [bool]) {
        self.without = without;
    }

    /// What a line matches.
    pub(super) fn matches(&mut self, line: LineNumber) -> Result<Node, TooMuch> {
        let rules: Vec<RuleId> = self.rules(line).collect();
        let mut all = UNDECIDED;
        for rule in rules {
            let matches = self.compiler.leaf(rule, ACCEPT)?;
            all = self.compiler.diagram.apply(Op::Then, all, matches)?;
        }
        Ok(all)
    }

    /// What a line does within its chain.
    pub(super) fn does(&mut self, line: LineNumber) -> Result<Node, TooMuch> {
        let rules: Vec<RuleId> = self.rules(line).collect();
        Ok(self.compiler.list(self.sided, self.lines.place(line).0, &rules, &self.done)?)
    }

    /// What the filter does with every packet.
    pub(super) fn total(&mut self) -> Result<Node, TooMuch> {
        for place in self.order.clone().into_iter().rev() {
            let node = self.function(place)?;
            self.done.insert(place, Some(node));
        }
        self.whole()
    }

    /// Finds out about every line.
    pub(super) fn facts(&mut self, facts: &mut [Fact]) -> Result<(), TooMuch> {
        for place in self.order.clone() {
            self.chain(place, facts)?;
        }
        Ok(())
    }

    /// What a chain does, given what those do that it calls.
    fn function(&mut self, place: Place) -> Result<Node, TooMuch> {
        let rules: Vec<RuleId> = self.lines.of(place).flat_map(|line| self.rules(line)).collect();
        Ok(self.compiler.list(self.sided, place.0, &rules, &self.done)?)
    }

    /// What comes before and after each stage.
    fn stages(&mut self) -> Result<(), TooMuch> {
        let stages = &self.sided.filter.stages;
        let mine = |stage: &crate::model::Stage| stage.families.contains(self.region.family());
        let mut before = ACCEPT;
        let mut functions = Vec::with_capacity(stages.len());
        for stage in stages {
            self.before.push(before);
            let function = if mine(stage) { self.stage(stage)? } else { ACCEPT };
            before = self.compiler.diagram.apply(Op::Next, before, function)?;
            functions.push(function);
        }
        self.total = before;
        let mut after = ACCEPT;
        self.after = vec![ACCEPT; stages.len()];
        for (number, function) in functions.into_iter().enumerate().rev() {
            self.after[number] = after;
            after = self.compiler.diagram.apply(Op::Next, function, after)?;
        }
        Ok(())
    }

    fn stage(&mut self, stage: &crate::model::Stage) -> Result<Node, TooMuch> {
        let chain = self.done.get(&(stage.table, stage.chain)).copied().flatten().unwrap_or(UNDECIDED);
        let otherwise = if stage.otherwise == Action::Deny { DENY } else { ACCEPT };
        Ok(self.compiler.diagram.apply(Op::Otherwise, chain, otherwise)?)
    }

    fn whole(&mut self) -> Result<Node, TooMuch> {
        let mut all = ACCEPT;
        for stage in &self.sided.filter.stages {
            if stage.families.contains(self.region.family()) {
                let function = self.stage(stage)?;
                all = self.compiler.diagram.apply(Op::Next, all, function)?;
            }
        }
        Ok(all)
    }

    /// What the filter does if one chain does something else.
    fn whole_with(&mut self, place: Place, node: Node) -> Result<Node, TooMuch> {
        let mut above: Vec<Place> = vec![place];
        let mut seen: HashMap<Place, (), RandomState> = HashMap::default();
        let mut next = 0;
        while let Some(place) = above.get(next).copied() {
            next += 1;
            let callers = self.calls.get(&place).map_or(&[][..], |calls| calls.callers.as_slice());
            above.extend(callers.iter().map(|(caller, _)| *caller).filter(|caller| seen.insert(*caller, ()).is_none()));
        }
        let old: Vec<(Place, Option<Node>)> =
            above.iter().map(|place| (*place, self.done.get(place).copied().flatten())).collect();
        self.done.insert(place, Some(node));
        let mut whole = Ok(UNDECIDED);
        for caller in self.order.clone().into_iter().rev().filter(|caller| seen.contains_key(caller)) {
            self.repeated += self.lines.of(caller).len();
            match self.function(caller) {
                Ok(node) if self.repeated <= MOST_REPEATED => {
                    self.done.insert(caller, Some(node));
                }
                Ok(_) => whole = Err(TooMuch),
                Err(why) => whole = Err(why),
            }
            if whole.is_err() {
                break;
            }
        }
        let whole = whole.and_then(|_| self.whole());
        self.done.extend(old);
        whole
    }

    /// Looks at the lines of a chain whose callers were all looked at.
    fn chain(&mut self, place: Place, facts: &mut [Fact]) -> Result<(), TooMuch> {
        let lines = self.lines.of(place);
        let Some(Calls { callers, stages, future, entry }) = self.calls.get(&place) else { return Ok(()) };
        let (called, single, stages, future, entry) =
            (!callers.is_empty(), callers.len() == 1, stages.clone(), *future, *entry);
        let stage = stages.first().copied().unwrap_or(0);
        let next = self.after.get(stage).copied().unwrap_or(ACCEPT);
        let several = stages.len() > 1;
        let (start, answers) = match future {
            _ if !called => {
                let otherwise = if self.sided.filter.stages[stage].otherwise == Action::Deny { DENY } else { next };
                let before = self.before[stage];
                (self.compiler.diagram.apply(Op::Within, before, otherwise)?, !several)
            }
            Some(future) if single && !several => (future, true),
            _ if several || entry == UNDECIDED => (entry, false),
            _ => match self.whole_with(place, UNDECIDED) {
                Ok(whole) => (self.compiler.diagram.apply(Op::Within, entry, whole)?, true),
                Err(TooMuch) => (entry, false),
            },
        };
        for line in lines.clone() {
            facts[line].entered |= !called || start != UNDECIDED;
        }
        if start == UNDECIDED {
            return Ok(());
        }
        let mut chain = Chain { lines, parts: Vec::new(), future: start, next, answers };
        self.build(place, &mut chain)?;
        if !chain.parts.is_empty() {
            let width = chain.lines.len();
            self.descend(place, &chain, (1, 0, width), start, facts)?;
        }
        if several {
            self.one_by_one(place, facts)?;
        }
        Ok(())
    }

    /// In a chain that several stages call, a line is needed if the filter does something else without it.
    fn one_by_one(&mut self, place: Place, facts: &mut [Fact]) -> Result<(), TooMuch> {
        let lines = self.lines.of(place);
        for line in lines.clone() {
            if !facts[line].hit || !self.lines.acts(self.store, line) {
                continue;
            }
            self.repeated += lines.len();
            let rules: Vec<RuleId> = lines.clone().filter(|l| *l != line).flat_map(|line| self.rules(line)).collect();
            let without = self.compiler.list(self.sided, place.0, &rules, &self.done)?;
            match self.whole_with(place, without) {
                Ok(whole) => {
                    facts[line].need_open = false;
                    facts[line].needed |= whole != self.total;
                }
                Err(TooMuch) => facts[line].need_open = true,
            }
        }
        Ok(())
    }

    /// The tree of a chain.
    fn build(&mut self, place: Place, chain: &mut Chain) -> Result<(), TooMuch> {
        let width = chain.lines.len();
        if width == 0 {
            return Ok(());
        }
        chain.parts = vec![Part { does: UNDECIDED, matches: UNDECIDED }; 4 * width];
        self.build_part(place, chain, (1, 0, width))
    }

    fn build_part(&mut self, place: Place, chain: &mut Chain, (at, low, high): Span) -> Result<(), TooMuch> {
        if high - low == 1 {
            chain.parts[at] = self.line(place, chain, chain.lines.start + low)?;
            return Ok(());
        }
        let middle = usize::midpoint(low, high);
        self.build_part(place, chain, (2 * at, low, middle))?;
        self.build_part(place, chain, (2 * at + 1, middle, high))?;
        let (left, right) = (chain.parts[2 * at], chain.parts[2 * at + 1]);
        let diagram = &mut self.compiler.diagram;
        chain.parts[at] = Part {
            does: diagram.apply(Op::Then, left.does, right.does)?,
            matches: diagram.apply(Op::Then, left.matches, right.matches)?,
        };
        Ok(())
    }

    fn line(&mut self, place: Place, chain: &Chain, line: LineNumber) -> Result<Part, TooMuch> {
        let mut out = Part { does: UNDECIDED, matches: UNDECIDED };
        let rules: Vec<RuleId> = self.rules(line).collect();
        for rule in rules {
            let matches = self.compiler.leaf(rule, ACCEPT)?;
            let does = self.rule(place, chain, rule)?;
            let diagram = &mut self.compiler.diagram;
            out.matches = diagram.apply(Op::Then, out.matches, matches)?;
            out.does = diagram.apply(Op::Then, out.does, does)?;
        }
        Ok(out)
    }

    /// What a rule does in the end: where it or a chain that it calls decides, the answer of the filter.
    fn rule(&mut self, place: Place, chain: &Chain, rule: RuleId) -> Result<Node, TooMuch> {
        let inside = self.compiler.inside(self.sided, place.0, rule, &self.done)?;
        let diagram = &mut self.compiler.diagram;
        let mut inside = diagram.apply(Op::Next, inside, chain.next)?;
        match self.store.get(rule).action() {
            Action::Return => inside = chain.future,
            Action::Goto(_) => inside = diagram.apply(Op::Otherwise, inside, chain.future)?,
            Action::Accept | Action::Deny | Action::Jump(_) | Action::Continue => {}
        }
        Ok(self.compiler.leaf(rule, inside)?)
    }

    fn descend(
        &mut self,
        place: Place,
        chain: &Chain,
        (at, low, high): Span,
        coming: Node,
        facts: &mut [Fact],
    ) -> Result<(), TooMuch> {
        let coming = self.compiler.diagram.apply(Op::Within, chain.parts[at].matches, coming)?;
        if coming == UNDECIDED {
            return Ok(());
        }
        if high - low == 1 {
            return self.meet(place, chain, (chain.lines.start + low, chain.parts[at].does), coming, facts);
        }
        let middle = usize::midpoint(low, high);
        let (left, right) = (chain.parts[2 * at].does, chain.parts[2 * at + 1].does);
        let to_left = self.compiler.diagram.apply(Op::Over, right, coming)?;
        self.descend(place, chain, (2 * at, low, middle), to_left, facts)?;
        let to_right = self.compiler.diagram.apply(Op::Unless, left, coming)?;
        self.descend(place, chain, (2 * at + 1, middle, high), to_right, facts)
    }

    /// A line and the packets that come to it and match.
    fn meet(
        &mut self,
        place: Place,
        chain: &Chain,
        (line, does): (LineNumber, Node),
        coming: Node,
        facts: &mut [Fact],
    ) -> Result<(), TooMuch> {
        let fact = &mut facts[line];
        fact.hit = true;
        if self.lines.acts(self.store, line) {
            let diagram = &mut self.compiler.diagram;
            let packets = diagram.apply(Op::Over, ACCEPT, coming)?;
            fact.decides |= diagram.apply(Op::Within, packets, does)? != UNDECIDED;
            if chain.answers {
                fact.needed |= diagram.apply(Op::Clash, does, coming)? != UNDECIDED;
            } else {
                fact.need_open = true;
            }
        }
        // The rules of the line one after the other, for the sake of the chains that they call.
        let rules: Vec<RuleId> = self.rules(line).collect();
        let mut here = coming;
        for (n, rule) in rules.iter().enumerate() {
            if let Some(callee) = self.compiler.callee(self.sided, place.0, *rule) {
                let mut future = here;
                for later in rules.iter().skip(n + 1).rev() {
                    let does = self.rule(place, chain, *later)?;
                    future = self.compiler.diagram.apply(Op::Over, does, future)?;
                }
                self.enter(chain, *rule, callee, future)?;
            }
            let does = self.rule(place, chain, *rule)?;
            here = self.compiler.diagram.apply(Op::Unless, does, here)?;
        }
        Ok(())
    }

    /// A rule sends packets to a chain.
    fn enter(&mut self, chain: &Chain, rule: RuleId, callee: Place, future: Node) -> Result<(), TooMuch> {
        let matches = self.compiler.leaf(rule, ACCEPT)?;
        let diagram = &mut self.compiler.diagram;
        let mut future = diagram.apply(Op::Within, matches, future)?;
        let packets = diagram.apply(Op::Over, ACCEPT, future)?;
        if matches!(self.store.get(rule).action(), Action::Goto(_)) {
            future = diagram.apply(Op::Within, packets, chain.future)?;
        }
        let calls = self.calls.entry(callee).or_default();
        calls.entry = diagram.apply(Op::Then, calls.entry, packets)?;
        calls.future = chain.answers.then_some(future);
        Ok(())
    }
}

/// A part of a tree: its number, and the lines from one to another.
type Span = (usize, usize, usize);

/// The chains of a filter, callers before those they call.
fn sort(
    sided: Sided<'_>,
    region: &Region,
    callees: &mut dyn FnMut(Place) -> Vec<Place>,
) -> Result<Vec<Place>, TooMuch> {
    let family = Families::only(region.family());
    let stages = sided.filter.stages.iter().filter(|stage| stage.families.and(family) != Families::NONE);
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
            match left.pop() {
                None => {
                    finished.insert(*place, true);
                    out.push(*place);
                    way.pop();
                }
                Some(next) => match finished.get(&next) {
                    Some(true) => {}
                    Some(false) => return Err(TooMuch),
                    None => {
                        finished.insert(next, false);
                        let more = callees(next);
                        way.push((next, more));
                    }
                },
            }
        }
    }
    out.reverse();
    Ok(out)
}
