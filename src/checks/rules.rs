//! Rules as things that come and go: by what they mean, not by where they stand.

use crate::model::{Action, Chain, Configuration, Families, LISTENERS, Literal, Object, RuleId, Store, Table};
use crate::net::{Family, Field, Region, Set};
use crate::text::{SourceMap, Span};
use std::collections::{BTreeMap, HashMap};

/// One line of a chain: one rule, or several that are alternatives.
#[derive(Debug, Clone, Copy)]
pub(super) struct Line<'c> {
    /// The name of its table.
    pub(super) table: &'c str,
    /// The chain.
    pub(super) chain: &'c Chain,
    /// Its rules.
    pub(super) rules: &'c [RuleId],
    /// Where it stands.
    pub(super) origin: Span,
}

/// Every line of a configuration, in order.
pub(super) fn lines(configuration: &Configuration) -> impl Iterator<Item = Line<'_>> + Clone {
    let tables = configuration.tables.iter().filter(|table| table.name != LISTENERS);
    tables.flat_map(|table| table.chains.iter().flat_map(|chain| lines_of(table, chain)))
}

/// Every line of a chain, in order.
pub(super) fn lines_of<'c>(table: &'c Table, chain: &'c Chain) -> impl Iterator<Item = Line<'c>> + Clone {
    let line = |(origin, rules)| Line { table: &table.name, chain, rules: &chain.rules[rules], origin };
    chain.origins.lines().map(line)
}

/// The lines of `base` that head does not have, wherever it has them and however it writes them. A line that stands
/// twice on base and once on head is lost once, in the chain that has fewer of it than before.
pub(super) fn lost<'c>(base: &'c Configuration, head: Option<&Configuration>, store: &Store) -> Vec<Line<'c>> {
    missing(lines(base), head.into_iter().flat_map(lines), store)
}

/// Those of `base` that head does not have and that do not stand there as they are written either. What a line that
/// still stands matches may be another thing: a set that it names was changed.
pub(super) fn removed<'c, B: Iterator<Item = Line<'c>> + Clone, H: Iterator<Item = Line<'c>> + Clone>(
    base: impl Fn() -> B,
    head: impl Fn() -> H,
    store: &Store,
    sources: &SourceMap,
) -> Vec<Line<'c>> {
    let mut gone = missing(base(), head(), store);
    if gone.is_empty() {
        return gone;
    }
    let written = |line: &Line<'_>| {
        let words = sources.slice(line.origin).split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
        (line.table.to_owned(), line.chain.name, words.collect::<Vec<_>>().join(&b' '))
    };
    let mut new: HashMap<_, usize> = HashMap::new();
    for line in missing(head(), base(), store) {
        *new.entry(written(&line)).or_default() += 1;
    }
    gone.retain(|line| !take(&mut new, &written(line)));
    gone
}

/// The same as [`lost`] for some lines of each side.
pub(super) fn missing<'c, 'h>(
    base: impl Iterator<Item = Line<'c>>,
    head: impl Iterator<Item = Line<'h>> + Clone,
    store: &Store,
) -> Vec<Line<'c>> {
    // Most lines of most changes are the very same rules: those are told apart by number, which is cheap.
    let mut same: HashMap<&[RuleId], usize> = HashMap::new();
    for line in head.clone() {
        *same.entry(line.rules).or_default() += 1;
    }
    let left: Vec<Line<'c>> = base.filter(|line| !take(&mut same, line.rules)).collect();
    if left.is_empty() {
        return left;
    }
    // Others mean the same as one of their chain, or else as one of another.
    let place = |line: &Line<'_>| (line.table.to_owned(), line.chain.name, meaning_of(line.rules, store));
    let mut here: HashMap<_, usize> = HashMap::new();
    for line in head.filter(|line| take(&mut same, line.rules)) {
        *here.entry(place(&line)).or_default() += 1;
    }
    let left: Vec<Line<'c>> = left.into_iter().filter(|line| !take(&mut here, &place(line))).collect();
    let mut meanings: HashMap<Vec<Meaning>, usize> = HashMap::new();
    for ((_, _, meaning), times) in here {
        *meanings.entry(meaning).or_default() += times;
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
pub(super) struct Meaning {
    ipv4: Option<Vec<(Field, Set)>>,
    ipv6: Option<Vec<(Field, Set)>>,
    literals: Vec<Literal>,
    action: String,
}

/// What a line matches and does.
pub(super) fn meaning_of(rules: &[RuleId], store: &Store) -> Vec<Meaning> {
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

/// Where a line stands, what it matches and what it does, in words that are the same in every run.
pub(super) fn described(line: &Line<'_>, store: &Store) -> String {
    let one = |rule: &RuleId| {
        let Meaning { ipv4, ipv6, literals, action } = meaning(*rule, store);
        let opaque = |Literal { opaque, holds }: &Literal| {
            format!("{}{:?}", if *holds { "" } else { "not " }, store.opaque_text(*opaque))
        };
        let mut opaque: Vec<String> = literals.iter().map(opaque).collect();
        opaque.sort();
        format!("{ipv4:?} {ipv6:?} {opaque:?} {action}")
    };
    let mut rules: Vec<String> = line.rules.iter().map(one).collect();
    rules.sort();
    format!("{:?}/{} {rules:?}", line.table, crate::text::escape(store.name(line.chain.name)))
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

/// The address of the chain of a line.
pub(super) fn address(configuration: &Configuration, line: &Line<'_>, store: &Store) -> String {
    format!("{}/{}/{}", configuration.name, line.table, crate::text::escape(store.name(line.chain.name)))
}

/// The address of a chain: `edge/filter/INPUT`.
pub(super) fn chain_address(configuration: &Configuration, table: &Table, chain: &Chain, store: &Store) -> String {
    format!("{}/{}/{}", configuration.name, table.name, crate::text::escape(store.name(chain.name)))
}
