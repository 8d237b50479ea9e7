//! The rules of a configuration as its author sees them: lines, each one rule or several alternatives.

use super::super::Sided;
use super::super::slice::Place;
use crate::model::{Action, ChainId, Configuration, RuleId, Store, TableId};
use crate::net::{Family, Region, Set};
use crate::text::Span;
use foldhash::quality::RandomState;
use std::collections::HashMap;
use std::ops::Range;

/// A line of a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The table of its chain.
    pub table: TableId,
    /// Its chain.
    pub chain: ChainId,
    /// Its rules: positions in the chain.
    pub rules: Range<usize>,
    /// Where it stands.
    pub origin: Span,
}

/// The number of a line.
pub(super) type LineNumber = usize;

/// The lines of all chains that packets at some filter can be sent to.
pub(super) struct Lines<'c> {
    pub(super) configuration: &'c Configuration,
    pub(super) all: Vec<Line>,
    chains: HashMap<Place, Range<LineNumber>, RandomState>,
}

impl<'c> Lines<'c> {
    pub(super) fn new(store: &Store, configuration: &'c Configuration) -> Self {
        let mut out = Self { configuration, all: Vec::new(), chains: HashMap::default() };
        for filter in &configuration.filters {
            for place in chains(store, Sided { configuration, filter }) {
                out.add(place);
            }
        }
        out
    }

    fn add(&mut self, place: Place) {
        if self.chains.contains_key(&place) {
            return;
        }
        let (table, chain) = place;
        let first = self.all.len();
        let lines = self.configuration.table(table).get(chain).origins.lines();
        self.all.extend(lines.map(|(origin, rules)| Line { table, chain, rules, origin }));
        self.chains.insert(place, first..self.all.len());
    }

    /// The lines of a chain.
    pub(super) fn of(&self, place: Place) -> Range<LineNumber> {
        self.chains.get(&place).cloned().unwrap_or(0..0)
    }

    /// The rules of a line.
    pub(super) fn rules(&self, line: LineNumber) -> &'c [RuleId] {
        let Line { table, chain, rules, origin: _ } = &self.all[line];
        self.configuration.table(*table).get(*chain).rules.get(rules.clone()).unwrap_or_default()
    }

    pub(super) fn place(&self, line: LineNumber) -> Place {
        (self.all[line].table, self.all[line].chain)
    }

    /// Whether a line does anything that can decide.
    pub(super) fn acts(&self, store: &Store, line: LineNumber) -> bool {
        self.rules(line).iter().any(|rule| store.get(*rule).action() != Action::Continue)
    }
}

/// Every chain that packets of a filter can be sent to.
#[must_use]
pub fn chains(store: &Store, sided: Sided<'_>) -> Vec<(TableId, ChainId)> {
    let Sided { configuration, filter } = sided;
    let mut out: Vec<Place> = Vec::new();
    let mut seen: HashMap<Place, (), RandomState> = HashMap::default();
    let mut stack: Vec<Place> = filter.stages.iter().rev().map(|stage| (stage.table, stage.chain)).collect();
    while let Some((table, chain)) = stack.pop() {
        if seen.insert((table, chain), ()).is_some() {
            continue;
        }
        out.push((table, chain));
        let table_ref = configuration.table(table);
        for rule in &table_ref.get(chain).rules {
            if let Action::Jump(name) | Action::Goto(name) = store.get(*rule).action() {
                stack.extend(table_ref.find(name).map(|chain| (table, chain)));
            }
        }
    }
    out
}

/// The packets of a family that a rule matches, opaque conditions aside; `None`: none.
pub(super) fn matched(store: &Store, rule: RuleId, family: Family) -> Option<Region> {
    if !store.get(rule).families().contains(family) {
        return None;
    }
    let mut region = Region::all(family);
    for (field, ranges) in store.ranges(rule, family) {
        region.restrict(field, &Set::from_ranges(ranges.iter()));
    }
    (!region.is_empty()).then_some(region)
}
