//! Questions about the packets of regions, answered with diagrams, or with cover search where those grow too large.

use super::compile::Compiler;
use super::cover::Steps;
use super::fdd::{self, Exhausted, GAINED, LOST, Node, Op};
use super::flat::{self, FlatList, Frame, Parts};
use super::regions::{Changed, changed_regions};
use super::slice::{self, Place, Slice};
use super::stream::{self, Few};
use super::{Change, Delta, Found, Sided};
use crate::model::{Action, Families, Literal, Probe, RuleId, Stage, Store};
use crate::net::{Family, Field, Region};
use std::cmp::Reverse;

/// What stands on one side of a comparison, for one family.
#[derive(Clone, Copy)]
pub(super) enum Program<'c> {
    /// Everything passes, or nothing does.
    Constant(bool),
    /// A filter.
    Filter(Sided<'c>),
}

impl<'c> Program<'c> {
    /// A filter as packets of `family` meet it; where it does not exist for them, what its absence means.
    pub(super) fn of(sided: Option<Sided<'c>>, absent: bool, family: Family) -> Self {
        match sided {
            Some(sided) if sided.filter.domain.iter().any(|region| region.family() == family) => Self::Filter(sided),
            Some(_) | None => Self::Constant(absent),
        }
    }
}

/// What a comparison found in both directions.
#[derive(Default)]
pub(super) struct Differences {
    /// Denied by the first, allowed by the second.
    pub(super) gained: Found,
    /// Allowed by the first, denied by the second.
    pub(super) lost: Found,
}

impl Differences {
    fn add(&mut self, other: Self) {
        for (all, new) in [(&mut self.gained, other.gained), (&mut self.lost, other.lost)] {
            all.deltas.extend(new.deltas);
            all.complete &= new.complete;
        }
    }

    fn is_none(&self) -> bool {
        self.gained == Found::NONE && self.lost == Found::NONE
    }
}

/// The orders in which fields are tried as levels. No order is best everywhere: real lists want services first,
/// lists of address pairs addresses first.
pub(super) const ORDERS: [[Field; Field::COUNT]; 3] = {
    use Field::{
        Destination, DestinationPort, Input, LaterFragment, Output, Protocol, Source, SourcePort, State, TcpFlags,
    };
    [
        [Output, State, Protocol, LaterFragment, TcpFlags, DestinationPort, SourcePort, Destination, Input, Source],
        [Destination, Source, Protocol, DestinationPort, SourcePort, Input, Output, State, LaterFragment, TcpFlags],
        [Protocol, DestinationPort, Destination, Source, SourcePort, State, Input, Output, LaterFragment, TcpFlags],
    ]
};

/// Products listed in one direction for one region.
const MOST_PRODUCTS: usize = 20_000;
/// Edges of a diagram, 8 bytes each.
const MOST_EDGES: usize = 8_000_000;
/// Above so many rules a flat list goes to cover search first: it tells whether there is anything to enumerate.
const FLAT: usize = 1000;
/// Above so many rules a flat list is not enumerated.
const MOST_RULES: usize = 20_000;
/// Regions that are looked at in one pass over the rules, if it need not hold too many of them.
const BATCH: usize = 2048;

/// What a comparison may still spend, all regions together.
struct Effort {
    /// Edges of diagrams, about 30 ns each.
    edges: usize,
    /// Steps of cover search, about 5 ns each.
    steps: Steps,
    /// Every region is what one changed rule matches: what that rule decides is all there is to look at in it.
    only_covering: bool,
}

impl Effort {
    const fn full() -> Self {
        Self { edges: 24_000_000, steps: Steps(200_000_000), only_covering: false }
    }

    /// For a first attempt at everything at once: diagrams only.
    const fn whole() -> Self {
        Self { edges: 1_500_000, steps: Steps(0), only_covering: false }
    }
}

/// Compares two programs on the packets of `within`, all of one family. `two_sides`: they are base and head of one
/// filter, and what both have in common need not be looked at.
pub(super) fn compare(
    change: &Change,
    first: Program<'_>,
    second: Program<'_>,
    within: &[Region],
    two_sides: bool,
) -> Differences {
    let mut pieces: Vec<Region> = within.iter().filter(|region| !region.is_empty()).cloned().collect();
    if let (true, Program::Filter(base), Program::Filter(head)) = (two_sides, first, second) {
        match changed_regions(change, base, head, &pieces) {
            Changed::Everything => {}
            Changed::Only(regions) => pieces = regions,
            Changed::Matches { mut regions, small } => {
                if small {
                    let whole = explore(change, first, second, &pieces, two_sides, &mut Effort::whole());
                    if whole.gained.complete && whole.lost.complete {
                        return whole;
                    }
                }
                if let Some(found) = compare_lists(change, base, head, &pieces, MOST_RULES) {
                    return found;
                }
                let mut effort = Effort { only_covering: true, ..Effort::full() };
                regions.sort_unstable();
                regions.dedup();
                return explore(change, first, second, &regions, two_sides, &mut effort);
            }
        }
    }
    keep_maximal(&mut pieces);
    explore(change, first, second, &pieces, two_sides, &mut Effort::full())
}

/// Compares two long flat lists that end the same way in one pass; `None` if they are not such lists. `most`: what meets
/// more rules than this is not listed completely.
pub(super) fn compare_lists(
    change: &Change,
    base: Sided<'_>,
    head: Sided<'_>,
    pieces: &[Region],
    most: usize,
) -> Option<Differences> {
    let (store, effort) = (&change.store, &mut Effort::full());
    let [piece] = pieces else { return None };
    let (old, new) = (only_stage(store, base, piece.family())?, only_stage(store, head, piece.family())?);
    let (old_place, new_place) = ((old.table, old.chain), (new.table, new.chain));
    let (origin, windows) = change.common(head, new_place)?;
    let otherwise = [old.otherwise != Action::Deny, new.otherwise != Action::Deny];
    if origin != old_place || otherwise[0] != otherwise[1] {
        return None;
    }
    let lists = stream::Lists {
        base: &base.configuration.table(old.table).get(old.chain).rules,
        head: &head.configuration.table(new.table).get(new.chain).rules,
        windows,
        otherwise: otherwise[0],
    };
    let streamed = stream::compare(store, piece, &lists, most, &mut effort.steps)?;
    let mut out = Differences { gained: streamed.gained, lost: streamed.lost };
    for Few { region, rules: [of_base, of_head] } in streamed.few {
        let slice = |place: Place, rules: Vec<RuleId>| {
            let mut slice = Slice::default();
            slice.insert(place, (0..).zip(rules).collect());
            slice
        };
        let (a, b) = (slice(old_place, of_base), slice(new_place, of_head));
        let (first, second) = ((Program::Filter(base), &a), (Program::Filter(head), &b));
        out.add(Problem { store, region: &region, first, second }.solve(effort));
    }
    let (first, second) = (Program::Filter(base), Program::Filter(head));
    effort.only_covering = true;
    out.add(explore(change, first, second, &streamed.left, true, effort));
    arrange(&mut out.gained.deltas);
    arrange(&mut out.lost.deltas);
    Some(out)
}

/// The stage of a filter that does anything to packets of a family, if it is the only one.
fn only_stage<'c>(store: &Store, sided: Sided<'c>, family: Family) -> Option<&'c Stage> {
    let acts = |stage: &&Stage| {
        let chain = sided.configuration.table(stage.table).get(stage.chain);
        stage.families.contains(family)
            && (stage.otherwise == Action::Deny
                || chain.rules.iter().any(|rule| store.get(*rule).action() != Action::Continue))
    };
    let mut stages = sided.filter.stages.iter().filter(acts);
    stages.next().filter(|_| stages.next().is_none())
}

/// Compares two programs piece by piece.
fn explore(
    change: &Change,
    first: Program<'_>,
    second: Program<'_>,
    pieces: &[Region],
    two_sides: bool,
    effort: &mut Effort,
) -> Differences {
    let store = &change.store;
    let mut out = Differences { gained: Found::NONE, lost: Found::NONE };
    let mut batch = BATCH;
    let mut rest = pieces;
    while !rest.is_empty() {
        let now = &rest[..batch.min(rest.len())];
        let probes: Vec<Probe> = now.iter().map(Probe::new).collect();
        let scan = |program: Program<'_>| match program {
            Program::Filter(sided) => {
                slice::scan(store, sided, &probes, &|place, n| !two_sides || change.is_common(sided, place, n))
            }
            Program::Constant(_) => Ok(probes.iter().map(|_| Slice::default()).collect()),
        };
        let slices = scan(first).and_then(|of_first| {
            let of_second = match (two_sides, first, second) {
                (true, Program::Filter(base), Program::Filter(head)) => {
                    slice::rescan(store, head, &probes, base, &of_first, &|place| change.common(head, place))
                }
                _ => scan(second)?,
            };
            Ok((of_first, of_second))
        });
        let Ok((of_first, of_second)) = slices else {
            batch = now.len().div_ceil(4);
            continue;
        };
        for ((piece, a), b) in now.iter().zip(&of_first).zip(&of_second) {
            let problem = Problem { store, region: piece, first: (first, a), second: (second, b) };
            out.add(problem.solve(effort));
        }
        rest = &rest[now.len()..];
    }
    for found in [&mut out.gained, &mut out.lost] {
        arrange(&mut found.deltas);
    }
    out
}

/// Drops regions that others include; for lists of moderate length.
fn keep_maximal(regions: &mut Vec<Region>) {
    regions.sort_unstable();
    regions.dedup();
    if regions.len() > 500 {
        return;
    }
    let all = regions.clone();
    let mut n = 0;
    regions.retain(|region| {
        n += 1;
        !all.iter().zip(1..).any(|(other, m)| m != n && other.includes(region))
    });
}

/// Certain ones first, then the largest first; the same order on every run.
fn arrange(deltas: &mut Vec<Delta>) {
    let size = |delta: &Delta| -> u32 {
        let family = delta.region.family();
        let bits = |count: u128| 128 - count.leading_zeros();
        let free = |field: Field| bits(field.max(family));
        let all: u32 = Field::ALL.into_iter().map(free).sum();
        delta.region.sets().iter().fold(all, |sum, (field, set)| sum - free(*field) + bits(set.len()).min(free(*field)))
    };
    let mut keyed: Vec<_> =
        deltas.drain(..).map(|delta| ((!delta.conditions.is_empty(), Reverse(size(&delta))), delta)).collect();
    keyed.sort_unstable_by(|(a, x), (b, y)| {
        a.cmp(b).then_with(|| x.region.cmp(&y.region)).then_with(|| x.conditions.cmp(&y.conditions))
    });
    deltas.extend(keyed.into_iter().map(|(_, delta)| delta));
    deltas.dedup();
}

/// Two programs and a region.
struct Problem<'p> {
    store: &'p Store,
    region: &'p Region,
    first: (Program<'p>, &'p Slice),
    second: (Program<'p>, &'p Slice),
}

impl Problem<'_> {
    fn solve(&self, effort: &mut Effort) -> Differences {
        let flat = self.flat();
        let most = self.first.1.len().max(self.second.1.len());
        let searched = match &flat {
            Some((base, head)) if most > FLAT => {
                let searched = self.search(base, head, effort);
                let equal = searched.as_ref().is_some_and(Differences::is_none);
                if equal || most > MOST_RULES || effort.only_covering && searched.is_some() {
                    return searched.unwrap_or_default();
                }
                searched
            }
            Some(_) | None => None,
        };
        let mut rules: Vec<RuleId> = self.first.1.all().chain(self.second.1.all()).collect();
        rules.sort_unstable();
        rules.dedup();
        let start = rules.len() * 64 + 20_000 + 4 * self.intervals(&rules);
        let wide = if searched.is_some() { &ORDERS[1..2] } else { &ORDERS[..] };
        for order in wide {
            if let Some(found) = self.diagram(&rules, order, start, effort) {
                return found;
            }
        }
        if searched.is_some() {
            return searched.unwrap_or_default();
        }
        let searched = flat.and_then(|(base, head)| self.search(&base, &head, effort));
        if searched.as_ref().is_some_and(Differences::is_none) {
            return searched.unwrap_or_default();
        }
        for edges in [start * 8, MOST_EDGES].into_iter().filter(|edges| *edges > start && *edges <= MOST_EDGES) {
            for order in &ORDERS[..2] {
                if let Some(found) = self.diagram(&rules, order, edges, effort) {
                    return found;
                }
            }
        }
        searched.unwrap_or_default()
    }

    /// How many intervals the large sets of rules have: a diagram has an edge for each.
    fn intervals(&self, rules: &[RuleId]) -> usize {
        let ranges = rules.iter().flat_map(|rule| self.store.ranges(*rule, self.region.family()));
        ranges.map(|(_, ranges)| ranges.len()).filter(|count| *count > 64).sum()
    }

    /// By cover search; `None` if it is too hard.
    fn search(&self, base: &FlatList, head: &FlatList, effort: &mut Effort) -> Option<Differences> {
        let frame = Frame::new(self.store, self.region, base.rules.iter().chain(&head.rules).copied(), &ORDERS[1]);
        let part = effort.steps.0 / 4;
        let only_covering = effort.only_covering;
        let compare =
            |steps: &mut Steps| flat::compare(self.store, self.region, &frame, base, head, only_covering, steps);
        let found = effort.steps.part(part, compare).ok()?;
        let list = |parts: &Parts| {
            let packets = frame.packets(&parts.pieces, self.region);
            Found { deltas: deltas(packets), complete: parts.complete }
        };
        Some(Differences { gained: list(&found.gained), lost: list(&found.lost) })
    }

    /// By a diagram of at most `edges` edges; `None` if it would be larger.
    fn diagram(&self, rules: &[RuleId], order: &[Field], edges: usize, effort: &mut Effort) -> Option<Differences> {
        let edges = edges.min(effort.edges);
        let mut compiler = Compiler::new(self.store, self.region, rules.iter().copied(), order, edges);
        let difference = self.difference(&mut compiler);
        effort.edges -= compiler.diagram.spent().min(effort.edges);
        let difference = difference.ok()?;
        let list = |wanted: Node| {
            let (mut products, complete) = compiler.diagram.products(difference, wanted, MOST_PRODUCTS);
            products.merge();
            Found { deltas: deltas(compiler.levels.packets(self.region, &products)), complete }
        };
        Some(Differences { gained: list(GAINED), lost: list(LOST) })
    }

    fn difference(&self, compiler: &mut Compiler<'_>) -> Result<Node, Exhausted> {
        let mut node = |(program, slice): (Program<'_>, &Slice)| match program {
            Program::Constant(allowed) => Ok(if allowed { fdd::ACCEPT } else { fdd::DENY }),
            Program::Filter(sided) => compiler.program(sided, slice),
        };
        let (first, second) = (node(self.first)?, node(self.second)?);
        compiler.diagram.apply(Op::Compare, first, second)
    }

    /// Both programs as flat lists, if that is what they are in this region.
    fn flat(&self) -> Option<(FlatList, FlatList)> {
        let list = |(program, slice): (Program<'_>, &Slice)| {
            let sided = match program {
                Program::Constant(otherwise) => return Some(FlatList { rules: Vec::new(), otherwise }),
                Program::Filter(sided) => sided,
            };
            let family = Families::only(self.region.family());
            let stages = sided.filter.stages.iter().filter(|stage| stage.families.and(family) != Families::NONE);
            let mut only = None;
            for stage in stages {
                let rules = slice.rules((stage.table, stage.chain));
                let acts = |rule: RuleId| self.store.get(rule).action() != Action::Continue;
                let idle = stage.otherwise != Action::Deny && !rules.iter().any(|(_, rule)| acts(*rule));
                if !idle && only.replace((stage, rules)).is_some() {
                    return None;
                }
            }
            let Some((stage, rules)) = only else { return Some(FlatList { rules: Vec::new(), otherwise: true }) };
            let mut flat = Vec::with_capacity(rules.len());
            for (_, rule) in rules {
                match self.store.get(*rule).action() {
                    Action::Accept | Action::Deny => flat.push(*rule),
                    Action::Continue => {}
                    Action::Return | Action::Jump(_) | Action::Goto(_) => return None,
                }
            }
            Some(FlatList { rules: flat, otherwise: stage.otherwise != Action::Deny })
        };
        Some((list(self.first)?, list(self.second)?))
    }
}

fn deltas(packets: Vec<(Region, Vec<Literal>)>) -> Vec<Delta> {
    packets.into_iter().map(|(region, conditions)| Delta { region, conditions }).collect()
}
