use super::change::{is_one, paired};
use super::engine::{self, Program};
use super::{
    Change, ChangeKind, ConfigurationDifference, Difference, ElementsChange, FilterDifference, FilterPair, Found,
    ObjectChange, ObjectsDifference,
};
use crate::model::{Action, Configuration, Object, RuleId};
use crate::net::Family;
use crate::text::Span;
use std::collections::BTreeMap;

/// Everything the change does.
#[must_use]
pub fn compare(change: &Change) -> Difference {
    let filters = change.filters();
    let configuration = |(base, head): (Option<&Configuration>, Option<&Configuration>)| {
        let present = head.or(base)?;
        if is_one(base, head) {
            let (name, format, change) = (present.name.clone(), present.format, ChangeKind::Unchanged);
            let (filters, balancers, objects) = (Vec::new(), Default::default(), ObjectsDifference::default());
            return Some(ConfigurationDifference { name, format, change, filters, balancers, objects });
        }
        let own = filters.iter().filter(|pair| pair.configuration == present.name);
        let filters: Vec<FilterDifference> = own.filter_map(|pair| compare_filter(change, pair)).collect();
        let balancers = super::balancers::compare(&change.store, base, head);
        let mut objects = objects(base, head);
        let known = |configuration: &Configuration| !configuration.format.is_empty();
        let translated =
            base.zip(head).is_some_and(|(base, head)| base.format != head.format && known(base) && known(head));
        if translated {
            // Each notation declares things of its own. What packets meet is compared; what is not computed of it is told.
            objects.keep(|object| object.uncomputed.is_some());
        }
        let kind = match (base, head) {
            (None, _) => ChangeKind::Added,
            (_, None) => ChangeKind::Removed,
            (Some(_), Some(_)) if !filters.is_empty() || !objects.is_empty() || !balancers.is_empty() => {
                ChangeKind::Changed
            }
            (Some(base), Some(head)) if !super::balancers::same_text(base, head) => ChangeKind::Equivalent,
            (Some(_), Some(_)) if translated => ChangeKind::Equivalent,
            (Some(_), Some(_)) if change.chain_pairs(&present.name).iter().any(|pair| !pair.windows.is_empty()) => {
                ChangeKind::Equivalent
            }
            (Some(_), Some(_)) => ChangeKind::Unchanged,
        };
        Some(ConfigurationDifference {
            name: present.name.clone(),
            format: present.format,
            change: kind,
            filters,
            balancers,
            objects,
        })
    };
    Difference { configurations: change.pairs().into_iter().filter_map(configuration).collect() }
}

/// What becomes of a filter; `None` if it does the same to every packet, proved.
fn compare_filter(change: &Change, pair: &FilterPair<'_>) -> Option<FilterDifference> {
    let mut gained = Found { deltas: Vec::new(), complete: true };
    let mut lost = gained.clone();
    for family in Family::ALL {
        let whole: Vec<_> = super::in_domain(pair, &[crate::net::Region::all(family)], family);
        if whole.is_empty() {
            continue;
        }
        let base = Program::of(pair.base, pair.absent(), family);
        let head = Program::of(pair.head, pair.absent(), family);
        let found = engine::compare(change, base, head, &whole, true);
        for (all, new) in [(&mut gained, found.gained), (&mut lost, found.lost)] {
            all.deltas.extend(new.deltas);
            all.complete &= new.complete;
        }
    }
    if gained == Found::NONE && lost == Found::NONE {
        return None;
    }
    let ChangedRules { removed: removed_rules, added: added_rules, moved: moved_rules } = changed_rules(change, pair);
    Some(FilterDifference {
        id: pair.id.to_owned(),
        newly_allowed: gained,
        newly_denied: lost,
        removed_rules,
        added_rules,
        moved_rules,
    })
}

struct ChangedRules {
    removed: Vec<Span>,
    added: Vec<Span>,
    moved: Vec<Span>,
}

/// The rules of a filter's chains that only base has, those that only head has, and those that both have in another
/// order, where they stand on head.
fn changed_rules(change: &Change, pair: &FilterPair<'_>) -> ChangedRules {
    let store = &change.store;
    let mut removed: Vec<(u64, Span)> = Vec::new();
    let mut added = removed.clone();
    let places = [pair.base, pair.head].map(|sided| sided.map_or_else(Vec::new, super::slice::chains));
    for chains in change.chain_pairs(pair.configuration) {
        let mine = |place: Option<super::slice::Place>, places: &[super::slice::Place]| {
            place.is_some_and(|p| places.contains(&p))
        };
        if !mine(chains.base, &places[0]) && !mine(chains.head, &places[1]) {
            continue;
        }
        for window in &chains.windows {
            for (sided, place, range, out) in
                [(pair.base, chains.base, window.base, &mut removed), (pair.head, chains.head, window.head, &mut added)]
            {
                let Some((sided, (table, chain))) = sided.zip(place) else { continue };
                let chain = sided.configuration.table(table).get(chain);
                let range = range.0 as usize..range.1 as usize;
                let rules = chain.rules.get(range.clone()).unwrap_or_default();
                let origins = chain.origins.range(range);
                let acts = |rule: &RuleId| store.get(*rule).action() != Action::Continue;
                out.extend(rules.iter().zip(origins).filter(|(r, _)| acts(r)).map(|(r, at)| (store.digest(*r), at)));
            }
        }
    }
    let mut moved: BTreeMap<u64, usize> = BTreeMap::new();
    for (digest, _) in &removed {
        *moved.entry(*digest).or_default() += 1;
    }
    let known = |(digest, _): &(u64, Span)| match moved.get_mut(digest) {
        Some(left) if *left > 0 => {
            *left -= 1;
            true
        }
        Some(_) | None => false,
    };
    let (elsewhere, added): (Vec<_>, Vec<_>) = added.into_iter().partition(known);
    // What is left over was not matched by an added rule.
    removed.retain(|(digest, _)| match moved.get_mut(digest) {
        Some(left) if *left > 0 => {
            *left -= 1;
            true
        }
        Some(_) | None => false,
    });
    let spans = |rules: Vec<(u64, Span)>| {
        let mut spans: Vec<Span> = rules.into_iter().map(|(_, at)| at).collect();
        spans.dedup();
        spans
    };
    ChangedRules { removed: spans(removed), added: spans(added), moved: spans(elsewhere) }
}

impl ObjectsDifference {
    /// Whether no object differs.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let Self { added, removed, modified } = self;
        added.is_empty() && removed.is_empty() && modified.is_empty()
    }

    fn keep(&mut self, wanted: impl Fn(&ObjectChange) -> bool) {
        let Self { added, removed, modified } = self;
        for list in [added, removed, modified] {
            list.retain(&wanted);
        }
    }
}

/// The objects of a configuration that differ, by kind and address.
fn objects(base: Option<&Configuration>, head: Option<&Configuration>) -> ObjectsDifference {
    fn named(configuration: Option<&Configuration>) -> Vec<((&'static str, &str), &Object)> {
        let objects = configuration.iter().flat_map(|c| &c.objects);
        objects.map(|object| ((object.kind, object.address.as_str()), object)).collect()
    }
    let mut out = ObjectsDifference::default();
    for ((kind, address), (old, new)) in paired(named(base), named(head)) {
        let list = match (old, new) {
            (None, _) => &mut out.added,
            (_, None) => &mut out.removed,
            (Some(old), Some(new)) if !old.says_the_same(new) || old.elements != new.elements => &mut out.modified,
            (Some(_), Some(_)) => continue,
        };
        list.push(ObjectChange {
            kind,
            address: address.to_owned(),
            base: old.map(|object| object.origin),
            head: new.map(|object| object.origin),
            uncomputed: new.or(old).and_then(|object| object.untold(old.is_some(), new.is_some())),
            elements: old.zip(new).and_then(|(old, new)| elements(old, new)),
        });
    }
    out
}

/// More elements than this are not named.
const MOST_NAMED: usize = 10;

/// The elements that only one side of an object holds; `None`: there are none, or they are not known.
fn elements(old: &Object, new: &Object) -> Option<ElementsChange> {
    let (old, new) = (old.members.as_ref()?, new.members.as_ref()?);
    if old == new {
        return None;
    }
    let change = ElementsChange { added: new.beyond(old, MOST_NAMED), removed: old.beyond(new, MOST_NAMED) };
    (change.added.1 > 0 || change.removed.1 > 0).then_some(change)
}
