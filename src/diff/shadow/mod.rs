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
mod walk;

pub use lines::{Line, chains};

use super::Sided;
use super::fdd::{ACCEPT, DENY, Node};
use crate::model::{Action, ChainId, Configuration, Store, TableId};
use crate::net::Region;
use crate::text::Span;
use blame::Blame;
use boxes::Flat;
use lines::{LineNumber, Lines};
use program::{Decided, Fact, Program, TooMuch, Version};
use walk::Walk;

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
/// Packets of a line, of each answer, that are tried before anything is proved.
const POINTS: usize = 4;

/// Finds out what the lines of a configuration are worth.
#[must_use]
pub fn worth(store: &Store, configuration: &Configuration) -> Worth {
    let lines = Lines::new(store, configuration);
    let mut search = Search::new(store, &lines);
    let facts = search.facts();
    let shadowed: Vec<bool> = facts.iter().map(|fact| !fact.hit && !fact.open).collect();
    let mut need_open = vec![false; facts.len()];
    let mut redundant = vec![false; facts.len()];
    let nothing = vec![false; facts.len()];
    for n in (0..facts.len()).filter(|n| facts[*n].hit && lines.acts(store, *n)) {
        let needed = search.needed(n, Stand::Whole, &nothing);
        (redundant[n], need_open[n]) = (needed == Some(false), needed.is_none());
    }
    if redundant.iter().any(|redundant| *redundant) && shadowed.iter().any(|shadowed| *shadowed) {
        // A line that only a shadowed one stands in for is not to be removed.
        search.reduce(&shadowed);
        for n in (0..facts.len()).filter(|n| redundant[*n]).collect::<Vec<_>>() {
            let needed = search.needed(n, Stand::Reduced, &shadowed);
            (redundant[n], need_open[n]) = (needed == Some(false), needed.is_none());
        }
    }
    let together = search.go_together(&shadowed, &redundant);
    let mut blame = Blame::new(store, &lines);
    let mut out = Worth { together, ..Worth::default() };
    for (n, line) in lines.all.iter().enumerate() {
        let Fact { entered, open, decides, .. } = facts[n];
        if shadowed[n] {
            // What stands in a chain that nothing comes to is not blamed for it, unless it could not apply anywhere.
            let cause = if blame.contradicts(n) { Some(Cause::Contradiction) } else { entered.then(|| blame.cause(n)) };
            out.shadowed.extend(cause.map(|cause| Shadowed { line: line.clone(), cause }));
        } else if redundant[n] {
            let (instead, effects, closing) = (blame.instead(n), blame.effects(n), blame.closing(n));
            out.redundant.push(Redundant { line: line.clone(), instead, effects, decides, closing });
        } else if open && !facts[n].hit {
            out.open.push(line.clone());
        } else if need_open[n] {
            out.need_open.push(line.clone());
        }
    }
    out
}

/// Of which program it is asked what a line is needed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stand {
    /// As it stands.
    Whole,
    /// Without the shadowed lines.
    Reduced,
}

/// A filter in one of its regions.
struct Context<'s, 'c> {
    sided: Sided<'c>,
    region: &'c Region,
    /// The chains that its packets can be sent to.
    places: Vec<(TableId, ChainId)>,
    /// Lines that a packet was seen to need.
    needed: Vec<bool>,
    means: Means<'s, 'c>,
}

/// By what a filter is looked at.
enum Means<'s, 'c> {
    /// As a list of boxes.
    Flat(Box<Flat>),
    /// With a diagram of the whole, and what it does as it stands and without some lines.
    Diagram(Box<(Program<'s, 'c>, Version, Version)>),
    /// It is too hard.
    Nothing,
}

struct Search<'s, 'c> {
    store: &'s Store,
    lines: &'s Lines<'c>,
    contexts: Vec<Context<'s, 'c>>,
    steps: u64,
}

impl<'s, 'c: 's> Search<'s, 'c> {
    fn new(store: &'s Store, lines: &'s Lines<'c>) -> Self {
        let configuration = lines.configuration;
        let mut contexts = Vec::new();
        for filter in &configuration.filters {
            let sided = Sided { configuration, filter };
            for region in filter.domain.iter().filter(|region| !region.is_empty()) {
                let (places, needed) = (chains(store, sided), vec![false; lines.all.len()]);
                contexts.push(Context { sided, region, places, needed, means: Means::Nothing });
            }
        }
        Self { store, lines, contexts, steps: boxes::STEPS }
    }

    /// What is so of each line at some filter.
    fn facts(&mut self) -> Vec<Fact> {
        let mut all = vec![Fact::default(); self.lines.all.len()];
        let mut edges = EDGES;
        let (store, lines) = (self.store, self.lines);
        for context in &mut self.contexts {
            for (fact, new) in all.iter_mut().zip(context.facts(store, lines, &mut edges, &mut self.steps)) {
                fact.add(new);
            }
        }
        all
    }

    /// From now on lines are gone in the reduced program.
    fn reduce(&mut self, gone: &[bool]) {
        for context in &mut self.contexts {
            if let Means::Diagram(diagram) = &mut context.means {
                let (program, _, reduced) = &mut **diagram;
                match program.version(gone) {
                    Ok(version) => *reduced = version,
                    Err(TooMuch) => context.means = Means::Nothing,
                }
            }
        }
    }

    /// Whether some packet would have another answer without a line, and without those that are gone, which change no
    /// answer; `None`: it could not be found out.
    fn needed(&mut self, line: LineNumber, stand: Stand, gone: &[bool]) -> Option<bool> {
        let mut open = false;
        for context in &mut self.contexts {
            if context.needed[line] {
                return Some(true);
            }
            let needed = match &mut context.means {
                Means::Flat(flat) => flat.needed(line, &|other| gone[other], &mut self.steps),
                Means::Diagram(diagram) => {
                    let (program, whole, reduced) = &mut **diagram;
                    let version = if stand == Stand::Whole { whole } else { reduced };
                    let there = program.chain(self.lines.place(line)).is_some();
                    if there { program.same_without(version, line).ok().map(|same| !same) } else { Some(false) }
                }
                Means::Nothing if context.places.contains(&self.lines.place(line)) => None,
                Means::Nothing => Some(false),
            };
            match needed {
                Some(true) => return Some(true),
                Some(false) => {}
                None => open = true,
            }
        }
        if open { None } else { Some(false) }
    }

    /// Whether no packet would have another answer without all of those lines; `false` also where it cannot be found out.
    fn go_together(&mut self, shadowed: &[bool], redundant: &[bool]) -> bool {
        let gone: Vec<bool> =
            shadowed.iter().zip(redundant).map(|(shadowed, redundant)| shadowed | redundant).collect();
        let (lines, steps) = (self.lines, &mut self.steps);
        self.contexts.iter_mut().all(|context| match &mut context.means {
            // In a single list that is so if each can go where those behind it are gone.
            Means::Flat(flat) => (0..gone.len()).filter(|n| redundant[*n]).all(|line| {
                flat.needed(line, &|other| shadowed[other] || (other > line && gone[other]), steps) == Some(false)
            }),
            Means::Diagram(diagram) => {
                let (program, whole, _) = &mut **diagram;
                program.version(&gone).is_ok_and(|version| version.total == whole.total)
            }
            Means::Nothing => !context.places.iter().any(|place| gone[lines.of(*place)].contains(&true)),
        })
    }
}

impl<'s, 'c: 's> Context<'s, 'c> {
    fn facts(&mut self, store: &'s Store, lines: &'s Lines<'c>, edges: &mut usize, steps: &mut u64) -> Vec<Fact> {
        let count = lines.all.len();
        let none = || vec![Fact::default(); count];
        let (sided, region) = (self.sided, self.region);
        let mut flat = Flat::of(store, sided, lines, region);
        if let Some(long) = flat.take_if(|flat| flat.is_long()) {
            let mut facts = none();
            long.facts(steps, &mut facts);
            self.means = Means::Flat(Box::new(long));
            return facts;
        }
        let first = (count * 1600 + 400_000).min(MOST_EDGES);
        let attempts = [(0, first), (1, first), (2, first), (0, MOST_EDGES), (1, MOST_EDGES)];
        for (order, most) in attempts {
            let mut facts = none();
            let Ok(mut program) = Program::new(store, sided, lines, region, order, most.min(*edges)) else { break };
            let met = self.met(&mut program, store, lines, &mut facts);
            *edges -= program.compiler.diagram.spent().min(*edges);
            if let Ok(version) = met {
                program.compiler.diagram.allow(MOST_EDGES);
                self.means = Means::Diagram(Box::new((program, version.clone(), version)));
                return facts;
            }
        }
        let mut facts = none();
        match flat {
            Some(flat) => {
                flat.facts(steps, &mut facts);
                self.means = Means::Flat(Box::new(flat));
            }
            None => {
                for place in &self.places {
                    for fact in &mut facts[lines.of(*place)] {
                        *fact = Fact { entered: true, open: true, ..*fact };
                    }
                }
            }
        }
        facts
    }

    /// Which lines packets come to, and which of them a few packets show to be needed.
    fn met(
        &mut self,
        program: &mut Program<'s, 'c>,
        store: &Store,
        lines: &Lines<'c>,
        facts: &mut [Fact],
    ) -> Result<Version, TooMuch> {
        let version = program.version(&vec![false; lines.all.len()])?;
        program.prepare(&version);
        let walk = Walk { store, lines, sided: self.sided };
        let mut needed = vec![false; lines.all.len()];
        let mut met = |program: &Program<'_, '_>, line: LineNumber, decided: Decided| {
            if !needed[line] && lines.acts(store, line) {
                needed[line] = is_missed(&walk, program, (line, decided), version.total);
            }
        };
        program.facts(facts, &mut met)?;
        self.needed = needed;
        Ok(version)
    }
}

/// Whether one of some packets that a line decides has another answer without it.
fn is_missed(
    walk: &Walk<'_, '_>,
    program: &Program<'_, '_>,
    (line, Decided { packets, passing }): (LineNumber, Decided),
    total: Node,
) -> bool {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64 ^ (line as u64 + 1).wrapping_mul(0x2545_f491_4f6c_dd1d);
    let mut next = |below: u32| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        u32::try_from((state >> 16) % u64::from(below.max(1))).unwrap_or(0)
    };
    let ways = [(Some(total), ACCEPT), (passing, ACCEPT), (passing, DENY), (Some(total), DENY)];
    ways.into_iter().any(|(function, wanted)| {
        (0..POINTS)
            .map_while(|_| program.point((packets, function?, wanted), &mut next))
            .any(|point| walk.allows(&point, Some(line)) != walk.allows(&point, None))
    })
}

/// Whether a line only goes on to the next.
const fn goes_on(action: Action) -> bool {
    matches!(action, Action::Continue)
}
