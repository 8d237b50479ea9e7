//! Which lines of one side never apply, and which change nothing: exact, whatever earlier lines do together.
//!
//! A line is *shadowed* if no packet comes to it and matches, under any truth of opaque conditions, at any filter and
//! by any way through the chains. It is *redundant* if packets do, and the filters would give every packet the same
//! answer without it. Nothing is known of packets here: every packet that can come to a hook is as good as another.

mod blame;
mod boxes;
mod lines;
mod program;
#[cfg(test)]
mod tests;

pub use lines::Line;

use super::Sided;
use super::engine::ORDERS;
use super::fdd::{Op, SAME};
use crate::model::{Action, Configuration, Store};
use crate::net::Region;
use crate::text::Span;
use blame::Blame;
use lines::{LineNumber, Lines};
use program::{Fact, Program, TooMuch};

/// What the lines of a configuration are worth.
#[derive(Debug, Default)]
pub struct Worth {
    /// Lines that never apply, in order.
    pub shadowed: Vec<Shadowed>,
    /// Lines that change nothing, in order. Each can go while the others stay, and after the shadowed ones are gone.
    pub redundant: Vec<Redundant>,
    /// Whether all shadowed and redundant lines can go at once. If not, some stand in for one another.
    pub together: bool,
    /// Lines of which it could not be found out within the budget whether they ever apply.
    pub open: Vec<Line>,
    /// Lines of which it could not be found out whether they change anything.
    pub need_open: Vec<Line>,
}

/// A line that never applies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shadowed {
    /// The line.
    pub line: Line,
    /// Why.
    pub cause: Cause,
}

/// Why a line never applies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    /// Its conditions contradict one another.
    Contradiction,
    /// The jumps that lead to its chain let none of its packets through.
    Elsewhere(Span),
    /// Earlier lines take its packets, on the way to it that comes first: those that take the most first, as few as
    /// leave nothing, and how many more there are that are not listed.
    Covered(Vec<Span>, usize),
}

/// A line that changes nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redundant {
    /// The line.
    pub line: Line,
    /// What gives its packets the same answer instead, the line that takes the most of them first; default actions
    /// are among them.
    pub instead: Vec<Span>,
    /// What it does besides: lines that log, mark or count, itself or in the chains that it calls.
    pub effects: Vec<Span>,
    /// Whether it decides anything. If not, it leads to a chain that decides nothing.
    pub decides: bool,
    /// Whether it is the last of its chain and has no condition: it says in words what would happen anyway.
    pub closing: bool,
}

/// Edges of diagrams for one configuration altogether, about 30 ns each.
const EDGES: usize = 60_000_000;
/// Edges of one diagram, 8 bytes each.
const MOST_EDGES: usize = 16_000_000;

/// Finds out what the lines of a configuration are worth.
#[must_use]
pub fn worth(store: &Store, configuration: &Configuration) -> Worth {
    let lines = Lines::new(store, configuration);
    let mut search = Search { store, lines: &lines, edges: EDGES, steps: boxes::STEPS };
    let mut facts = search.facts(&vec![false; lines.all.len()]);
    let shadowed: Vec<bool> = facts.iter().map(|fact| !fact.hit && !fact.hit_open).collect();
    let candidate = |facts: &[Fact], n: LineNumber| {
        let Fact { hit, needed, need_open, hit_open, .. } = facts[n];
        hit && !needed && !need_open && !hit_open && lines.acts(store, n)
    };
    let some = (0..facts.len()).any(|n| candidate(&facts, n));
    if some && shadowed.iter().any(|shadowed| *shadowed) {
        // A line that only a shadowed one stands in for is not to be removed.
        for (fact, again) in facts.iter_mut().zip(search.facts(&shadowed)) {
            fact.needed |= again.needed;
            fact.need_open |= again.need_open || again.hit_open;
        }
    }
    let redundant: Vec<bool> = (0..facts.len()).map(|n| candidate(&facts, n)).collect();
    let all: Vec<bool> = shadowed.iter().zip(&redundant).map(|(a, b)| *a || *b).collect();
    let together = !redundant.iter().any(|redundant| *redundant) || search.same_without(&all);
    let mut blame = Blame::new(store, &lines);
    let mut out = Worth { together, ..Worth::default() };
    for (n, line) in lines.all.iter().enumerate() {
        let Fact { entered, hit_open, need_open, decides, .. } = facts[n];
        if shadowed[n] {
            // What stands in a chain that nothing comes to is not blamed for it, unless it could not apply anywhere.
            let cause = if blame.contradicts(n) { Some(Cause::Contradiction) } else { entered.then(|| blame.cause(n)) };
            out.shadowed.extend(cause.map(|cause| Shadowed { line: line.clone(), cause }));
        } else if redundant[n] {
            let (instead, effects, closing) = (blame.instead(n), blame.effects(n), blame.closing(n));
            out.redundant.push(Redundant { line: line.clone(), instead, effects, decides, closing });
        } else if hit_open {
            out.open.push(line.clone());
        } else if need_open && lines.acts(store, n) {
            out.need_open.push(line.clone());
        }
    }
    out
}

struct Search<'s, 'c> {
    store: &'s Store,
    lines: &'s Lines<'c>,
    edges: usize,
    steps: u64,
}

impl<'c> Search<'_, 'c> {
    /// What is so of each line at some filter, without those that are taken away.
    fn facts(&mut self, without: &[bool]) -> Vec<Fact> {
        let mut facts = vec![Fact::default(); self.lines.all.len()];
        for filter in &self.lines.configuration.filters {
            let sided = Sided { configuration: self.lines.configuration, filter };
            for region in filter.domain.iter().filter(|region| !region.is_empty()) {
                for (all, new) in facts.iter_mut().zip(self.at(sided, region, without)) {
                    all.add(new);
                }
            }
        }
        facts
    }

    fn at(&mut self, sided: Sided<'c>, region: &Region, without: &[bool]) -> Vec<Fact> {
        let none = || vec![Fact::default(); self.lines.all.len()];
        let mut facts = none();
        let (store, lines) = (self.store, self.lines);
        if let Some(flat) = boxes::Flat::of(store, sided, lines, region, without)
            && flat.is_long()
            && flat.facts(&mut self.steps, &mut facts).is_ok()
        {
            return facts;
        }
        let count = lines.all.len();
        let first = count * 200 + 200_000;
        let attempts =
            [(0, first), (1, first), (2, first), (0, first * 16), (1, first * 16), (0, MOST_EDGES), (1, MOST_EDGES)];
        for (order, edges) in attempts.into_iter().filter(|(_, edges)| *edges <= MOST_EDGES.max(first)) {
            let budget = edges.min(self.edges);
            let mut facts = none();
            let program = Program::new(store, sided, lines, region, without, order, budget);
            let (done, spent) = match program {
                Ok(mut program) => (program.facts(&mut facts), program.compiler.diagram.spent()),
                Err(TooMuch) => (Err(TooMuch), budget),
            };
            self.edges -= spent.min(self.edges);
            if done.is_ok() {
                return facts;
            }
        }
        let mut facts = none();
        let flat = boxes::Flat::of(store, sided, lines, region, without);
        if flat.is_some_and(|flat| flat.facts(&mut self.steps, &mut facts).is_ok()) {
            return facts;
        }
        for place in boxes::places(store, sided, lines, region) {
            for fact in &mut facts[lines.of(place)] {
                *fact = Fact { entered: true, hit_open: true, need_open: true, ..*fact };
            }
        }
        facts
    }

    /// Whether all filters do the same without some lines.
    fn same_without(&mut self, without: &[bool]) -> bool {
        let none = vec![false; without.len()];
        self.lines.configuration.filters.iter().all(|filter| {
            let sided = Sided { configuration: self.lines.configuration, filter };
            let same = |region: &Region| {
                (0..ORDERS.len()).any(|order| self.same_at(sided, region, (&none, without), order).unwrap_or(false))
            };
            filter.domain.iter().filter(|region| !region.is_empty()).all(same)
        })
    }

    fn same_at(
        &self,
        sided: Sided<'c>,
        region: &Region,
        (none, without): (&[bool], &[bool]),
        order: usize,
    ) -> Result<bool, TooMuch> {
        let budget = (self.lines.all.len() * 400 + 400_000).min(MOST_EDGES);
        let mut program = Program::new(self.store, sided, self.lines, region, none, order, budget)?;
        let with = program.total()?;
        program.take_away(without);
        let less = program.total()?;
        Ok(program.compiler.diagram.apply(Op::Compare, with, less)? == SAME)
    }
}

/// Whether a line only goes on to the next.
const fn goes_on(action: Action) -> bool {
    matches!(action, Action::Continue)
}
