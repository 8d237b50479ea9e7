//! Rules as things that come and go: by what they mean, not by where they stand.

use crate::model::{Action, Chain, Configuration, Families, Literal, Object, RuleId, Store, Table};
use crate::net::{Family, Field, Region, Set};
use crate::text::Span;
use std::collections::{BTreeMap, HashMap};

/// One line of a chain: one rule, or several that are alternatives.
#[derive(Debug, Clone, Copy)]
pub(super) struct Line<'c> {
    /// The chain.
    pub(super) chain: &'c Chain,
    /// Its rules.
    pub(super) rules: &'c [RuleId],
    /// Where it stands.
    pub(super) origin: Span,
}

/// Every line of a configuration, in order.
pub(super) fn lines(configuration: &Configuration) -> impl Iterator<Item = Line<'_>> {
    configuration.tables.iter().flat_map(|table| table.chains.iter().flat_map(lines_of))
}

/// Every line of a chain, in order.
pub(super) fn lines_of(chain: &Chain) -> impl Iterator<Item = Line<'_>> {
    chain.origins.lines().map(|(origin, rules)| Line { chain, rules: &chain.rules[rules], origin })
}

/// The lines of `base` that head does not have, wherever it has them and however it writes them. A line that stands
/// twice on base and once on head is lost once.
pub(super) fn lost<'c>(base: &'c Configuration, head: Option<&Configuration>, store: &Store) -> Vec<Line<'c>> {
    missing(lines(base), head.into_iter().flat_map(lines), store)
}

/// The same for some lines of each side.
pub(super) fn missing<'c, 'h>(
    base: impl Iterator<Item = Line<'c>>,
    head: impl Iterator<Item = Line<'h>>,
    store: &Store,
) -> Vec<Line<'c>> {
    // Most lines of most changes are the very same rules: those are told apart by number, which is cheap.
    let mut same: HashMap<&[RuleId], usize> = HashMap::new();
    for line in head {
        *same.entry(line.rules).or_default() += 1;
    }
    let left: Vec<Line<'c>> = base.filter(|line| !take(&mut same, line.rules)).collect();
    if left.is_empty() {
        return left;
    }
    let mut meanings: HashMap<Vec<Meaning>, usize> = HashMap::new();
    for (rules, times) in same.into_iter().filter(|(_, times)| *times > 0) {
        *meanings.entry(meaning_of(rules, store)).or_default() += times;
    }
    left.into_iter().filter(|line| !take(&mut meanings, &meaning_of(line.rules, store))).collect()
}

/// Takes one out; `false`: there is none left.
fn take<K, Q>(counts: &mut HashMap<K, usize>, key: &Q) -> bool
where
    K: std::borrow::Borrow<Q> + Eq + std::hash::Hash,
    Q: Eq + std::hash::Hash + ?Sized,
{
    match counts.get_mut(key) {
        Some(times) if *times > 0 => {
            *times -= 1;
            true
        }
        Some(_) | None => false,
    }
}

/// What a rule matches and does; comments do not count.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Meaning {
    ipv4: Option<Vec<(Field, Set)>>,
    ipv6: Option<Vec<(Field, Set)>>,
    literals: Vec<Literal>,
    action: String,
}

fn meaning_of(rules: &[RuleId], store: &Store) -> Vec<Meaning> {
    let mut out: Vec<_> = rules.iter().map(|rule| meaning(*rule, store)).collect();
    out.sort();
    out
}

fn meaning(rule: RuleId, store: &Store) -> Meaning {
    let sets = |family| region(rule, family, store).map(|region| region.sets().to_vec());
    let action = match store.get(rule).action() {
        Action::Jump(target) => format!("jump {}", crate::text::escape(store.name(target))),
        Action::Goto(target) => format!("goto {}", crate::text::escape(store.name(target))),
        action @ (Action::Accept | Action::Deny | Action::Return | Action::Continue) => format!("{action:?}"),
    };
    Meaning { ipv4: sets(Family::Ipv4), ipv6: sets(Family::Ipv6), literals: store.literals(rule).to_vec(), action }
}

/// The packets of a family that a rule matches if its opaque conditions hold; `None`: none.
pub(super) fn region(rule: RuleId, family: Family, store: &Store) -> Option<Region> {
    if store.get(rule).families().and(Families::only(family)) == Families::NONE {
        return None;
    }
    let mut region = Region::all(family);
    for (field, ranges) in store.ranges(rule, family) {
        region.restrict(field, &Set::from_ranges(ranges.iter()));
    }
    (!region.is_empty()).then_some(region)
}

/// The objects of a configuration by kind and address.
pub(super) fn objects(configuration: Option<&Configuration>) -> BTreeMap<(&str, &str), &Object> {
    let objects = configuration.into_iter().flat_map(|configuration| &configuration.objects);
    objects.map(|object| ((object.kind, object.address.as_str()), object)).collect()
}

/// The address of a chain: `edge/filter/INPUT`.
pub(super) fn chain_address(configuration: &Configuration, table: &Table, chain: &Chain, store: &Store) -> String {
    format!("{}/{}/{}", configuration.name, table.name, crate::text::escape(store.name(chain.name)))
}
