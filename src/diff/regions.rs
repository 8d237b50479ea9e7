//! Where a change can make a difference at all: an upper bound that is cheap to get.

use super::compile::Compiler;
use super::engine;
use super::fdd::{self, GAINED, LOST, OTHER, Op};
use super::slice::{Place, Slice};
use super::windows::Window;
use super::{Change, Sided};
use crate::model::{Action, Chain, Families, Probe, RuleId, Store, TableId};
use crate::net::{Field, Ranges, Region, Set, in_one_only};
use foldhash::quality::RandomState;
use std::collections::HashSet;

/// The packets that a change can decide differently.
pub(super) enum Changed {
    /// Any.
    Everything,
    /// Only those of these regions; none: the change is proved to do nothing.
    Only(Vec<Region>),
    /// Only those of these regions, each of which is all that one changed rule matches, a plain one
    /// ([`Store::plain`]) that calls no chain; they are many. `small`: the program is small enough to try it whole first.
    Matches { regions: Vec<Region>, small: bool },
}

/// A program of up to so many rules is compared whole rather than region by region, when more than [`FEW`] rules
/// changed.
const SMALL: usize = 20_000;
const FEW: usize = 64;
/// A window, chains it calls included, is compiled up to so many rules.
const MOST_IN_WINDOW: usize = 3000;
const WINDOW_EDGES: usize = 150_000;
const MOST_REGIONS: usize = 64;
/// More regions than this are not looked at one by one.
const MOST_CHANGED_REGIONS: usize = 4096;

/// Bounds what can differ between two versions of a filter within `pieces`, all of one family.
///
/// *Theorem.* Let a packet be decided differently, and let `W` be the first window in which the two versions act
/// differently on it. Everything before `W` acts the same on both sides, so had it decided, both would agree: the
/// packet is in the region in which `W` differs. So the union of those regions over all windows of all chains that
/// can be reached bounds the difference; windows that do the same (moved or reworded rules) add nothing.
pub(super) fn changed_regions<'c>(change: &'c Change, base: Sided<'c>, head: Sided<'c>, pieces: &[Region]) -> Changed {
    let Some(parts) = parts(change, base, head) else { return Changed::Everything };
    let mut regions: Vec<Region> = Vec::new();
    let (mut changed, mut total) = (0, 0);
    let mut calls = false;
    for part in &parts {
        total += part.base.map_or(0, |c| c.rules.len()) + part.head.map_or(0, |c| c.rules.len());
        changed += part.windows.iter().map(Window::rules).sum::<usize>();
        calls |= part.windows.iter().any(|window| part.calls(&change.store, window));
    }
    let reordered = |part: &Part<'c>| {
        let whole = |chain: Option<&'c Chain>| chain.map_or(&[][..], |chain| chain.rules.as_slice());
        let (first, last) = (part.windows.first()?, part.windows.last()?);
        let (old, new) = (whole(part.base), whole(part.head));
        let base = old.get(first.base.0 as usize..last.base.1 as usize)?;
        super::order::commutes(&change.store, base, new.get(first.head.0 as usize..last.head.1 as usize)?, pieces)
    };
    if changed > FEW && parts.iter().all(|part| reordered(part).is_some()) {
        return Changed::Only(Vec::new());
    }
    let windows = parts.iter().flat_map(|part| part.windows.iter().map(move |window| (part, window)));
    let rules = windows.flat_map(|(part, window)| part.rules(window));
    let plain = |rule: RuleId| pieces.iter().all(|piece| change.store.plain(rule, piece.family()).is_some());
    let all_plain = !calls && rules.clone().all(plain);
    let matches = || {
        let regions = rules.flat_map(|rule| match_region(&change.store, rule, pieces));
        let regions: Vec<Region> = regions.take(MOST_CHANGED_REGIONS + 1).collect();
        if regions.len() > MOST_CHANGED_REGIONS {
            Changed::Everything
        } else {
            Changed::Matches { regions, small: total <= SMALL }
        }
    };
    if changed > FEW && all_plain {
        return matches();
    }
    if changed > FEW && total <= SMALL {
        // Moved and reworded rules are worth a look even so: all windows may turn out to do the same.
        let mut all = parts.iter().flat_map(|part| part.windows.iter().map(move |window| (part, window)));
        let same = changed <= MOST_IN_WINDOW
            && all.all(|(part, window)| matches!(window_regions(change, base, head, part, window, pieces), Some(r) if r.is_empty()));
        return if same { Changed::Only(Vec::new()) } else { Changed::Everything };
    }
    for part in &parts {
        for window in &part.windows {
            if window.is_one_sided() && !part.calls(&change.store, window) {
                regions.extend(part.rules(window).flat_map(|rule| match_region(&change.store, rule, pieces)));
                continue;
            }
            let more = one_field_regions(&change.store, part, window, pieces)
                .or_else(|| window_regions(change, base, head, part, window, pieces));
            match more {
                Some(more) => regions.extend(more),
                None => regions.extend(part.rules(window).flat_map(|rule| match_region(&change.store, rule, pieces))),
            }
        }
    }
    if regions.len() > MOST_CHANGED_REGIONS {
        return Changed::Everything;
    }
    if total > SMALL && all_plain && !regions.is_empty() {
        return matches();
    }
    let whole = |piece: &Region| regions.iter().any(|region| region.includes(piece));
    if regions.len() < 500 && pieces.iter().all(whole) {
        return Changed::Everything;
    }
    Changed::Only(regions)
}

/// A chain of both versions (or of one) with its windows.
struct Part<'c> {
    base: Option<&'c Chain>,
    head: Option<&'c Chain>,
    tables: (Option<TableId>, Option<TableId>),
    windows: Vec<Window>,
}

impl<'c> Part<'c> {
    fn of(chain: Option<&'c Chain>, range: (u32, u32)) -> &'c [RuleId] {
        chain.and_then(|chain| chain.rules.get(range.0 as usize..range.1 as usize)).unwrap_or_default()
    }

    fn base_rules(&self, window: &Window) -> &'c [RuleId] {
        Self::of(self.base, window.base)
    }

    fn head_rules(&self, window: &Window) -> &'c [RuleId] {
        Self::of(self.head, window.head)
    }

    fn rules(&self, window: &Window) -> impl Iterator<Item = RuleId> + Clone + use<'c> {
        self.base_rules(window).iter().chain(self.head_rules(window)).copied()
    }

    fn calls(&self, store: &Store, window: &Window) -> bool {
        self.rules(window).any(|rule| matches!(store.get(rule).action(), Action::Jump(_) | Action::Goto(_)))
    }
}

impl Window {
    fn rules(&self) -> usize {
        (self.base.1 - self.base.0) as usize + (self.head.1 - self.head.0) as usize
    }

    fn is_one_sided(&self) -> bool {
        self.base.0 == self.base.1 || self.head.0 == self.head.1
    }
}

/// The chains that differ and that packets at the filter can run through; `None` if the stages differ.
fn parts<'c>(change: &Change, base: Sided<'c>, head: Sided<'c>) -> Option<Vec<Part<'c>>> {
    if base.filter.stages.len() != head.filter.stages.len() {
        return None;
    }
    let mut out = Vec::new();
    for (old, new) in base.filter.stages.iter().zip(&head.filter.stages) {
        let (old_table, new_table) = (base.configuration.table(old.table), head.configuration.table(new.table));
        let same = old_table.name == new_table.name
            && old_table.get(old.chain).name == new_table.get(new.chain).name
            && old.families == new.families
            && (old.otherwise == Action::Deny) == (new.otherwise == Action::Deny);
        if !same {
            return None;
        }
        let own = [(old.table, old.chain), (new.table, new.chain)];
        let pairs = change.chains(base, head, (old.table, new.table), own);
        let touched = pairs.iter().any(|pair| !pair.windows.is_empty() && pair.base != Some(own[0]));
        let reached = touched.then(|| (reachable(&change.store, base, own[0]), reachable(&change.store, head, own[1])));
        for pair in pairs {
            let relevant = pair.base == Some(own[0])
                || reached.as_ref().is_some_and(|(b, h)| {
                    pair.base.is_some_and(|p| b.contains(&p)) || pair.head.is_some_and(|p| h.contains(&p))
                });
            if relevant && !pair.windows.is_empty() {
                out.push(Part {
                    base: pair.base.map(|(table, chain)| base.configuration.table(table).get(chain)),
                    head: pair.head.map(|(table, chain)| head.configuration.table(table).get(chain)),
                    tables: (pair.base.map(|p| p.0), pair.head.map(|p| p.0)),
                    windows: pair.windows.to_vec(),
                });
            }
        }
    }
    Some(out)
}

/// Every chain that can be reached from `start`.
fn reachable(store: &Store, sided: Sided<'_>, start: Place) -> HashSet<Place, RandomState> {
    let mut seen: HashSet<Place, RandomState> = HashSet::default();
    let mut stack = vec![start];
    while let Some((table, chain)) = stack.pop() {
        if !seen.insert((table, chain)) {
            continue;
        }
        let table_ref = sided.configuration.table(table);
        for rule in &table_ref.get(chain).rules {
            if let Action::Jump(name) | Action::Goto(name) = store.get(*rule).action() {
                stack.extend(table_ref.find(name).map(|chain| (table, chain)));
            }
        }
    }
    seen
}

/// Where the rules of a window match something else, if they stand in pairs that do the same and differ in one field at
/// most: two large sets are compared without ranks or diagrams. Exact for one pair; `None` for several with small sets,
/// which may do the same all the same.
fn one_field_regions(store: &Store, part: &Part<'_>, window: &Window, pieces: &[Region]) -> Option<Vec<Region>> {
    let (old, new) = (part.base_rules(window), part.head_rules(window));
    if old.len() != new.len() {
        return None;
    }
    let mut out = Vec::new();
    let mut large = old.len() == 1;
    for (a, b) in old.iter().copied().zip(new.iter().copied()) {
        let (x, y) = (store.get(a), store.get(b));
        if x.action() != y.action() || x.families() != y.families() || store.literals(a) != store.literals(b) {
            return None;
        }
        for piece in pieces.iter().filter(|piece| x.families().contains(piece.family())) {
            let mut sets: [[Option<Ranges<'_>>; 2]; Field::COUNT] = [[None; 2]; Field::COUNT];
            for (side, rule) in [a, b].into_iter().enumerate() {
                for (field, ranges) in store.ranges(rule, piece.family()) {
                    sets[field.index()][side] = Some(ranges);
                }
            }
            let mut region = piece.clone();
            let mut differing = None;
            for (field, [mine, theirs]) in Field::ALL.into_iter().zip(sets) {
                match (mine, theirs) {
                    (None, None) => {}
                    (Some(mine), Some(theirs)) if same(mine, theirs) => {
                        region.restrict(field, &Set::from_ranges(mine.iter()));
                    }
                    (mine, theirs) if differing.is_none() => {
                        let all = field.all(piece.family());
                        let [mine, theirs] = [mine, theirs].map(|ranges| ranges.unwrap_or(all.ranges()));
                        differing = Some((field, in_one_only(mine, theirs)));
                        large |= mine.len().max(theirs.len()) > LARGE;
                    }
                    (Some(_) | None, Some(_) | None) => return None,
                }
            }
            if let Some((field, set)) = differing {
                region.restrict(field, &set);
                out.extend((!region.is_empty()).then_some(region));
            }
        }
    }
    large.then_some(out)
}

/// Intervals of a set that is too large to be cut into ranks for nothing.
const LARGE: usize = 1000;

fn same(a: Ranges<'_>, b: Ranges<'_>) -> bool {
    match (a, b) {
        // Sets of the store are the same memory if they are equal.
        (Ranges::Narrow(a), Ranges::Narrow(b)) => std::ptr::eq(a, b),
        (Ranges::Wide(a), Ranges::Wide(b)) => std::ptr::eq(a, b),
        (_, _) => a.single().is_some() && a.single() == b.single(),
    }
}

/// The regions in which a window does something else; `None` if that is too much to compute.
fn window_regions(
    change: &Change,
    base: Sided<'_>,
    head: Sided<'_>,
    part: &Part<'_>,
    window: &Window,
    pieces: &[Region],
) -> Option<Vec<Region>> {
    let store = &change.store;
    let mut out = Vec::new();
    for piece in pieces {
        let probe = Probe::new(piece);
        let of = |sided: Sided<'_>, table: Option<TableId>, rules: &[RuleId]| match table {
            Some(table) => closure(store, sided, &probe, table, rules),
            None => Some(Slice::default()),
        };
        let a = of(base, part.tables.0, part.base_rules(window))?;
        let b = of(head, part.tables.1, part.head_rules(window))?;
        let own = part.rules(window).filter(|rule| store.overlaps(*rule, &probe));
        let mut all: Vec<RuleId> = a.all().chain(b.all()).chain(own).collect();
        all.sort_unstable();
        all.dedup();
        if all.len() > MOST_IN_WINDOW {
            return None;
        }
        let mut compiler = Compiler::new(store, piece, all.iter().copied(), &engine::ORDERS[0], WINDOW_EDGES);
        let mut node = |sided: Sided<'_>, slice: &Slice, table: Option<TableId>, rules: &[RuleId]| match table {
            Some(table) => {
                let rules: Vec<RuleId> = rules.iter().copied().filter(|rule| store.overlaps(*rule, &probe)).collect();
                compiler.rules(sided, slice, table, &rules)
            }
            None => Ok(fdd::UNDECIDED),
        };
        let first = node(base, &a, part.tables.0, part.base_rules(window)).ok()?;
        let second = node(head, &b, part.tables.1, part.head_rules(window)).ok()?;
        let difference = compiler.diagram.apply(Op::Compare, first, second).ok()?;
        for wanted in [GAINED, LOST, OTHER] {
            let (mut products, complete) = compiler.diagram.products(difference, wanted, MOST_REGIONS);
            if !complete {
                return None;
            }
            products.merge();
            out.extend(compiler.levels.packets(piece, &products).into_iter().map(|(region, _)| region));
        }
    }
    Some(out)
}

/// The rules of all chains that some rules of a table call, as far as they can match a packet of the region.
fn closure(store: &Store, sided: Sided<'_>, probe: &Probe, table: TableId, rules: &[RuleId]) -> Option<Slice> {
    let names = sided.configuration.table(table);
    let mut slice = Slice::default();
    let mut seen: HashSet<Place, RandomState> = HashSet::default();
    let callee = |rule: &RuleId| match store.get(*rule).action() {
        Action::Jump(name) | Action::Goto(name) => names.find(name),
        Action::Accept | Action::Deny | Action::Return | Action::Continue => None,
    };
    let mut stack: Vec<_> = rules.iter().filter_map(callee).collect();
    let mut total = 0;
    while let Some(chain) = stack.pop() {
        if !seen.insert((table, chain)) {
            continue;
        }
        let all = &names.get(chain).rules;
        let touching: Vec<(u32, RuleId)> =
            (0..).zip(all.iter().copied()).filter(|(_, rule)| store.overlaps(*rule, probe)).collect();
        total += touching.len();
        if total > MOST_IN_WINDOW {
            return None;
        }
        stack.extend(touching.iter().filter_map(|(_, rule)| callee(rule)));
        slice.insert((table, chain), touching);
    }
    Some(slice)
}

/// What a rule matches within each piece, opaque conditions aside.
pub(super) fn match_region(store: &Store, rule: RuleId, pieces: &[Region]) -> Vec<Region> {
    let mut out = Vec::new();
    for piece in pieces {
        let family = piece.family();
        let idle = store.get(rule).action() == Action::Continue;
        if idle || store.get(rule).families().and(Families::only(family)) == Families::NONE {
            continue;
        }
        let mut region = piece.clone();
        for (field, ranges) in store.ranges(rule, family) {
            region.restrict(field, &Set::from_ranges(ranges.iter()));
        }
        if !region.is_empty() {
            out.push(region);
        }
    }
    out
}
