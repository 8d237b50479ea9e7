//! Questions about the packets of regions, answered with diagrams, or with cover search where those grow too large.

use super::compile::Compiler;
use super::cover::Budget;
use super::fdd::{self, Exhausted, GAINED, LOST, Node, Op, Product};
use super::flat::{self, FlatList};
use super::ranks::{LevelValues, Levels};
use super::regions::{Changed, changed_regions};
use super::slice::{self, Slice};
use super::{Change, Delta, Found, Sided};
use crate::model::{Action, Families, Literal, Probe, RuleId, Store};
use crate::net::{Family, Field, Region};

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

    pub(super) fn sided(self) -> Option<Sided<'c>> {
        match self {
            Self::Constant(_) => None,
            Self::Filter(sided) => Some(sided),
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

/// The orders in which fields are tried as levels. No order is best everywhere: real lists want services first,
/// lists of address pairs addresses first.
const ORDERS: [[Field; Field::COUNT]; 3] = {
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
/// Above so many rules a flat list goes to cover search at once.
const MOST_RULES: usize = 60_000;
/// Steps of one cover search, about 3 ns each.
const MOST_STEPS: u64 = 120_000_000;

/// Compares two programs on the packets of `within`, all of one family. `two_sides`: they are base and head of one
/// filter, and what both have in common need not be looked at.
pub(super) fn compare(
    change: &Change,
    first: Program<'_>,
    second: Program<'_>,
    within: &[Region],
    two_sides: bool,
) -> Differences {
    let store = &change.store;
    let mut pieces: Vec<Region> = within.iter().filter(|region| !region.is_empty()).cloned().collect();
    if let (true, Program::Filter(base), Program::Filter(head)) = (two_sides, first, second) {
        match changed_regions(change, base, head, &pieces) {
            Changed::Everything => {}
            Changed::Only(regions) => pieces = regions,
        }
    }
    keep_maximal(&mut pieces);
    let probes: Vec<Probe> = pieces.iter().map(Probe::new).collect();
    let empty = || probes.iter().map(|_| Slice::default()).collect::<Vec<_>>();
    let scan = |program: Program<'_>| program.sided().map_or_else(empty, |sided| slice::scan(store, sided, &probes));
    let of_first = scan(first);
    let of_second = match (two_sides, first, second) {
        (true, Program::Filter(base), Program::Filter(head)) => {
            slice::rescan(store, head, &probes, base, &of_first, &|place| change.common(head, place))
        }
        _ => scan(second),
    };
    let mut out = Differences::default();
    (out.gained.complete, out.lost.complete) = (true, true);
    for ((piece, a), b) in pieces.iter().zip(&of_first).zip(&of_second) {
        let problem = Problem { store, region: piece, first: (first, a), second: (second, b) };
        let found = problem.solve();
        for (all, new) in [(&mut out.gained, found.gained), (&mut out.lost, found.lost)] {
            all.deltas.extend(new.deltas);
            all.complete &= new.complete;
        }
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
    deltas.sort_by_cached_key(|delta| {
        let bits = |field: Field| {
            let values = delta.region.get(field).map_or_else(|| field.max(delta.region.family()), |set| set.len());
            128 - values.leading_zeros()
        };
        let size: u32 = Field::ALL.into_iter().map(bits).sum();
        (!delta.conditions.is_empty(), std::cmp::Reverse(size), delta.region.clone(), delta.conditions.clone())
    });
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
    fn solve(&self) -> Differences {
        let mut rules: Vec<RuleId> = self.first.1.all().chain(self.second.1.all()).collect();
        rules.sort_unstable();
        rules.dedup();
        let flat = self.flat();
        let start = rules.len() * 48 + 20_000;
        if flat.is_none() || rules.len() <= MOST_RULES {
            for order in &ORDERS {
                if let Ok(found) = self.diagram(&rules, order, start.min(MOST_EDGES)) {
                    return found;
                }
            }
        }
        let searched = flat.and_then(|(base, head)| {
            let levels = Levels::new(self.store, self.region, rules.iter().copied(), &ORDERS[1]);
            let found = flat::compare(self.store, self.region, &levels, &base, &head, &mut Budget(MOST_STEPS)).ok()?;
            let list =
                |products: Vec<Product>| Found { deltas: self.deltas(&levels, products), complete: found.complete };
            Some(Differences { gained: list(found.gained), lost: list(found.lost) })
        });
        if searched.as_ref().is_some_and(|found| found.gained.complete || rules.len() > MOST_RULES) {
            return searched.unwrap_or_default();
        }
        for edges in [start * 8, MOST_EDGES].into_iter().filter(|edges| *edges > start && *edges <= MOST_EDGES) {
            for order in &ORDERS[..2] {
                if let Ok(found) = self.diagram(&rules, order, edges) {
                    return found;
                }
            }
        }
        searched.unwrap_or_default()
    }

    fn diagram(&self, rules: &[RuleId], order: &[Field], edges: usize) -> Result<Differences, Exhausted> {
        let mut compiler = Compiler::new(self.store, self.region, rules.iter().copied(), order, edges);
        let mut node = |(program, slice): (Program<'_>, &Slice)| match program {
            Program::Constant(allowed) => Ok(if allowed { fdd::ACCEPT } else { fdd::DENY }),
            Program::Filter(sided) => compiler.program(sided, slice),
        };
        let (first, second) = (node(self.first)?, node(self.second)?);
        let difference = compiler.diagram.apply(Op::Compare, first, second)?;
        let list = |wanted: Node| {
            let (products, complete) = compiler.diagram.products(difference, wanted, MOST_PRODUCTS);
            let products = super::merge::merge(products, &compiler.levels);
            Found { deltas: self.deltas(&compiler.levels, products), complete }
        };
        Ok(Differences { gained: list(GAINED), lost: list(LOST) })
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

    fn deltas(&self, levels: &Levels, products: Vec<Product>) -> Vec<Delta> {
        let delta = |product: Product| {
            let mut delta = Delta { region: self.region.clone(), conditions: Vec::new() };
            for (level, ranks) in product {
                match levels.values(level, &ranks) {
                    LevelValues::Field(field, set) => delta.region.restrict(field, &set),
                    LevelValues::Opaque(opaque, holds) => delta.conditions.push(Literal { opaque, holds }),
                }
            }
            delta.conditions.sort_unstable();
            delta
        };
        products.into_iter().map(delta).collect()
    }
}
