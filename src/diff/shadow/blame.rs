//! Who is to blame: the lines that take another line's packets, and those that stand in for it.

use super::super::Sided;
use super::super::fdd::{ACCEPT, DENY, Node, Op, UNDECIDED};
use super::super::slice::Place;
use super::lines::{self, LineNumber, Lines};
use super::program::{Program, TooMuch};
use super::{Cause, chains, goes_on};
use crate::model::{Action, Filter, RuleId, Store};
use crate::net::{Family, Region};
use crate::text::Span;
use std::collections::HashSet;

/// Blockers that are named; the others are counted.
const NAMED: usize = 5;
/// Blockers that are counted.
const COUNTED: usize = 100;
/// Stand-ins and effects that are named.
const FEW: usize = 3;
/// Edges of a diagram for one line.
const EDGES: usize = 300_000;
/// Lines that may be gone through, for all that is asked; about 10 ns each.
const MOST_LINES: usize = 100_000_000;

pub(super) struct Blame<'b, 'c> {
    store: &'b Store,
    lines: &'b Lines<'c>,
    left: usize,
    /// The chains that the packets of each filter can be sent to.
    places: Vec<HashSet<Place>>,
}

/// One way to a line: the calls that lead there, the innermost first, and the stage it begins with.
struct Way {
    calls: Vec<(Place, LineNumber)>,
    stage: usize,
}

impl<'b, 'c> Blame<'b, 'c> {
    pub(super) fn new(store: &'b Store, lines: &'b Lines<'c>) -> Self {
        let filters = lines.configuration.filters.iter();
        let places = |filter| chains(store, Sided { configuration: lines.configuration, filter }).into_iter().collect();
        Self { store, lines, left: MOST_LINES, places: filters.map(places).collect() }
    }

    /// Whether no packet at all can match a line.
    pub(super) fn contradicts(&self, line: LineNumber) -> bool {
        let never =
            |rule: &RuleId| Family::ALL.into_iter().all(|family| lines::matched(self.store, *rule, family).is_none());
        self.lines.rules(line).iter().all(never)
    }

    /// Why no packet that comes to a line matches it.
    pub(super) fn cause(&mut self, line: LineNumber) -> Cause {
        let unknown = Cause::Covered(Vec::new(), 0);
        for (sided, region) in self.contexts(line) {
            match self.blockers(line, sided, &region) {
                Ok(Some(cause)) => return cause,
                Ok(None) => {}
                Err(TooMuch) => return unknown,
            }
        }
        self.caller(line).map_or(unknown, Cause::Elsewhere)
    }

    /// What decides the packets of a line the same way where it is taken away.
    pub(super) fn instead(&mut self, line: LineNumber) -> Vec<Span> {
        for (sided, region) in self.contexts(line) {
            match self.stand_ins(line, sided, &region) {
                Ok(found) if !found.is_empty() => return found,
                Ok(_) => {}
                Err(TooMuch) => return Vec::new(),
            }
        }
        Vec::new()
    }

    /// The lines by which a line, or a chain that it calls, does something besides deciding.
    pub(super) fn effects(&self, line: LineNumber) -> Vec<Span> {
        let mut out = Vec::new();
        let mut seen: Vec<Place> = Vec::new();
        let mut open: Vec<LineNumber> = vec![line];
        while let Some(line) = open.pop() {
            let place = self.lines.place(line);
            let table = self.lines.configuration.table(place.0);
            for rule in self.lines.rules(line) {
                let action = self.store.get(*rule).action();
                if goes_on(action) && out.len() < FEW {
                    out.push(self.lines.all[line].origin);
                }
                if let Action::Jump(name) | Action::Goto(name) = action
                    && let Some(chain) = table.find(name)
                    && !seen.contains(&(place.0, chain))
                {
                    seen.push((place.0, chain));
                    open.extend(self.lines.of((place.0, chain)).rev());
                }
            }
        }
        out.dedup();
        out
    }

    /// Whether a line is the last of its chain and has no condition.
    pub(super) fn closing(&self, line: LineNumber) -> bool {
        let last = self.lines.of(self.lines.place(line)).end == line + 1;
        let open = |rule: &RuleId| {
            let free = |family| self.store.ranges(*rule, family).next().is_none();
            let families = Family::ALL.into_iter().filter(|family| self.store.get(*rule).families().contains(*family));
            self.store.literals(*rule).is_empty() && families.into_iter().all(free)
        };
        last && self.lines.rules(line).iter().all(open)
    }

    /// Where the packets of a line could come to it: filters, with what its rules match of their packets.
    fn contexts(&self, line: LineNumber) -> Vec<(Sided<'c>, Region)> {
        let configuration = self.lines.configuration;
        let place = self.lines.place(line);
        let mine = |(_, places): &(&'c Filter, &HashSet<Place>)| places.contains(&place);
        let mut out = Vec::new();
        for (filter, _) in configuration.filters.iter().zip(&self.places).filter(mine) {
            for domain in &filter.domain {
                let rules =
                    self.lines.rules(line).iter().filter_map(|rule| lines::matched(self.store, *rule, domain.family()));
                let regions = rules.filter_map(|region| region.intersection(domain));
                out.extend(regions.map(|region| (Sided { configuration, filter }, region)));
            }
        }
        out
    }

    /// A line that leads to the chain of a line.
    fn caller(&self, line: LineNumber) -> Option<Span> {
        let (table, chain) = self.lines.place(line);
        let name = self.lines.configuration.table(table).get(chain).name;
        let calls = |rule: &RuleId| match self.store.get(*rule).action() {
            Action::Jump(target) | Action::Goto(target) => target == name,
            Action::Accept | Action::Deny | Action::Return | Action::Continue => false,
        };
        let mut all = self.lines.all.iter().enumerate().filter(|(_, other)| other.table == table);
        all.find(|(n, _)| self.lines.rules(*n).iter().any(calls)).map(|(_, line)| line.origin)
    }

    fn program<'r>(&'r mut self, sided: Sided<'c>, region: &'r Region) -> Result<Program<'r, 'c>, TooMuch> {
        self.left = self.left.checked_sub(self.lines.all.len()).ok_or(TooMuch)?;
        let mut program = Program::new(self.store, sided, self.lines, region, 0, EDGES)?;
        program.prepare_called()?;
        Ok(program)
    }

    /// `None`: nothing leads there with such packets.
    fn blockers(&mut self, line: LineNumber, sided: Sided<'c>, region: &Region) -> Result<Option<Cause>, TooMuch> {
        let (lines, place) = (self.lines, self.lines.place(line));
        let mut program = self.program(sided, region)?;
        let Some(way) = way(&program, sided, place) else { return Ok(None) };
        let mut left = program.matches(line)?;
        for (_, call) in &way.calls {
            let jump = program.matches(*call)?;
            left = program.compiler.diagram.apply(Op::Within, jump, left)?;
            if left == UNDECIDED {
                return Ok(Some(Cause::Elsewhere(lines.all[*call].origin)));
            }
        }
        let before = |line: LineNumber| move |other: &LineNumber| *other < line;
        let mut earlier: Vec<LineNumber> = program.touched(place).into_iter().filter(before(line)).collect();
        for (caller, call) in &way.calls {
            earlier.extend(program.touched(*caller).into_iter().filter(before(*call)));
        }
        let mut takers: Vec<(LineNumber, Node)> = Vec::new();
        for other in earlier {
            let does = program.does(other)?;
            takers.push((other, program.compiler.diagram.apply(Op::Over, ACCEPT, does)?));
        }
        // What an earlier base chain accepts comes all the same.
        let stages = &sided.filter.stages[..way.stage];
        let denying: Vec<LineNumber> =
            stages.iter().flat_map(|stage| program.touched((stage.table, stage.chain))).collect();
        for other in denying {
            let does = program.does(other)?;
            let decides = program.compiler.diagram.apply(Op::Called, does, UNDECIDED)?;
            takers.push((other, program.compiler.diagram.apply(Op::Clash, decides, ACCEPT)?));
        }
        takers.retain(|(_, takes)| *takes != UNDECIDED);
        let (mut named, more) = cover(&mut program, &mut left, takers)?;
        let more = more + named.len().saturating_sub(NAMED);
        named.truncate(NAMED);
        let mut blockers: Vec<Span> = named.into_iter().map(|n| lines.all[n].origin).collect();
        if left != UNDECIDED && more == 0 {
            blockers.extend(stages.iter().find(|stage| stage.otherwise == Action::Deny).and_then(|s| s.otherwise_at));
        }
        Ok(Some(Cause::Covered(blockers, more)))
    }

    fn stand_ins(&mut self, line: LineNumber, sided: Sided<'c>, region: &Region) -> Result<Vec<Span>, TooMuch> {
        let (lines, place) = (self.lines, self.lines.place(line));
        let mut program = self.program(sided, region)?;
        let Some(way) = way(&program, sided, place) else { return Ok(Vec::new()) };
        let own = program.does(line)?;
        let mut left = program.compiler.diagram.apply(Op::Over, ACCEPT, own)?;
        for (_, call) in &way.calls {
            let jump = program.matches(*call)?;
            left = program.compiler.diagram.apply(Op::Within, jump, left)?;
        }
        let after = |line: LineNumber| move |other: &LineNumber| *other > line;
        let mut later: Vec<LineNumber> = program.touched(place).into_iter().filter(after(line)).collect();
        for (caller, call) in &way.calls {
            later.extend(program.touched(*caller).into_iter().filter(after(*call)));
        }
        let mut takers = Vec::new();
        for other in later {
            let does = program.does(other)?;
            let diagram = &mut program.compiler.diagram;
            let differs = diagram.apply(Op::Clash, does, own)?;
            let takes = diagram.apply(Op::Over, ACCEPT, does)?;
            let same = diagram.apply(Op::Unless, differs, takes)?;
            if same != UNDECIDED {
                takers.push((other, same));
            }
        }
        // One that takes all of them, or the default action, says more than many that take a part each.
        for (other, takes) in &takers {
            if program.compiler.diagram.apply(Op::Unless, *takes, left)? == UNDECIDED {
                return Ok(vec![lines.all[*other].origin]);
            }
        }
        let stage = sided.filter.stages.get(way.stage);
        let default = if stage.is_some_and(|stage| stage.otherwise == Action::Deny) { DENY } else { ACCEPT };
        let at = stage.and_then(|stage| stage.otherwise_at);
        if let Some(at) = at
            && program.compiler.diagram.apply(Op::Clash, own, default)? == UNDECIDED
        {
            return Ok(vec![at]);
        }
        let (named, _) = cover(&mut program, &mut left, takers)?;
        Ok(named.into_iter().take(FEW).map(|n| lines.all[n].origin).collect())
    }
}

/// The first way to a chain.
fn way(program: &Program<'_, '_>, sided: Sided<'_>, place: Place) -> Option<Way> {
    let mut calls = Vec::new();
    let mut at = place;
    loop {
        let of = program.chain(at)?;
        match of.callers.first() {
            Some((caller, line)) if calls.len() <= program.order.len() => {
                calls.push((*caller, *line));
                at = *caller;
            }
            Some(_) => return None,
            None => {
                let stage = sided.filter.stages.iter().position(|stage| (stage.table, stage.chain) == at)?;
                return Some(Way { calls, stage });
            }
        }
    }
}

/// Of some functions those that take the most of what is left, until nothing is left or none takes any more; and how
/// many more than are counted there may be (one, if any).
fn cover(
    program: &mut Program<'_, '_>,
    left: &mut Node,
    mut takers: Vec<(LineNumber, Node)>,
) -> Result<(Vec<LineNumber>, usize), TooMuch> {
    let weights = program.compiler.levels.weights();
    let mut named = Vec::new();
    // What one takes can only become less: those that took less than the best before need not be asked again.
    let mut known: Vec<f64> = vec![f64::INFINITY; takers.len()];
    while *left != UNDECIDED && named.len() < COUNTED {
        let mut best: Option<(f64, usize)> = None;
        let mut order: Vec<usize> = (0..takers.len()).collect();
        order.sort_by(|a, b| known[*b].total_cmp(&known[*a]).then(a.cmp(b)));
        for n in order {
            if best.is_some_and(|(share, _)| share >= known[n]) {
                break;
            }
            let taken = program.compiler.diagram.apply(Op::Within, takers[n].1, *left)?;
            known[n] = program.compiler.diagram.share(taken, &weights);
            if known[n] > 0.0 && best.is_none_or(|(share, _)| known[n] > share) {
                best = Some((known[n], n));
            }
        }
        let Some((_, n)) = best else { break };
        *left = program.compiler.diagram.apply(Op::Unless, takers[n].1, *left)?;
        named.push(takers[n].0);
        takers[n].1 = UNDECIDED;
        known[n] = 0.0;
    }
    let more = usize::from(*left != UNDECIDED && named.len() == COUNTED);
    Ok((named, more))
}
