//! Sets of very many elements.

use super::super::*;
use super::span;
use crate::model::{Action, Configuration, Draft, Families, Filter, Snapshot, Stage, Store, Table, TableId};
use crate::net::{Field, Set};

const COUNT: u128 = 100_000;

/// `COUNT` addresses, each the third of its four, without some and with some.
fn addresses(without: &[u128], with: &[u128]) -> Set {
    let all = (0..COUNT).filter(|n| !without.contains(n)).map(|n| 4 * n + 2);
    all.chain(with.iter().copied()).collect()
}

/// A filter that accepts ssh, denies telnet to `destinations`, and accepts all else from `sources` to anywhere else.
fn snapshot(store: &mut Store, sources: Option<&Set>, destinations: &Set) -> Snapshot {
    let mut table = Table::new("filter");
    let chain = table.chain(store.symbol(b"INPUT"));
    let families = Families::only(Family::Ipv4);
    let mut first = Draft::new(families);
    first.destination_port(22, 22);
    let mut second = Draft::new(families);
    second.addresses(Field::Destination, Family::Ipv4, destinations);
    second.destination_port(23, 23);
    let third = sources.map(|sources| {
        let mut third = Draft::new(families);
        third.addresses(Field::Source, Family::Ipv4, sources);
        third.addresses(Field::Destination, Family::Ipv4, &destinations.complement(u32::MAX.into()));
        (third, Action::Accept)
    });
    for (draft, action) in [(first, Action::Accept), (second, Action::Deny)].into_iter().chain(third) {
        let rule = store.rule(draft, action);
        table.chains[0].push(rule, span());
    }
    let stage =
        Stage { table: TableId(0), chain, families: Families::BOTH, otherwise: Action::Deny, otherwise_at: None };
    let filter =
        Filter { id: "t/input".into(), domain: vec![Region::all(Family::Ipv4)], stages: vec![stage], absent: true };
    let (tables, filters) = (vec![table], vec![filter]);
    let configuration = Configuration { name: "t".into(), format: "test", tables, filters, ..Configuration::default() };
    Snapshot::new(vec![configuration.into()], Vec::new())
}

/// What a third rule for these sources decides.
fn decided(sources: &Set, destinations: &Set) -> Found {
    let region = Region::all(Family::Ipv4)
        .with(Field::Source, sources)
        .with(Field::Destination, &destinations.complement(u32::MAX.into()))
        .with(Field::DestinationPort, &Set::point(22).complement(65535));
    Found { deltas: vec![Delta { region, conditions: Vec::new() }], complete: true }
}

/// What becomes of the filter: newly allowed and newly denied.
fn difference(base: Snapshot, head: Snapshot, store: Store) -> [Found; 2] {
    let mut difference = compare(&Change::new(base, head, store));
    let mut filters = difference.configurations.remove(0).filters;
    assert_eq!(filters.len(), 1);
    let filter = filters.remove(0);
    [filter.newly_allowed, filter.newly_denied]
}

#[test]
fn only_the_elements_that_changed_are_the_difference() {
    let mut store = Store::default();
    let destinations = addresses(&[], &[]);
    let base = snapshot(&mut store, Some(&addresses(&[], &[4 * COUNT + 9])), &destinations);
    let head = snapshot(&mut store, Some(&addresses(&[5, 70_000], &[3, 9])), &destinations);
    let [gained, lost] = difference(base, head, store);
    // 2 and 3 are one interval now, 22 and 280,002 are gone.
    assert_eq!(gained, decided(&[3, 9].into_iter().collect(), &destinations));
    assert_eq!(lost, decided(&[22, 280_002, 4 * COUNT + 9].into_iter().collect(), &destinations));
}

#[test]
fn a_rule_with_large_sets_is_added_exactly() {
    let mut store = Store::default();
    let (sources, destinations) = (addresses(&[7], &[]), addresses(&[], &[]));
    let base = snapshot(&mut store, None, &destinations);
    let head = snapshot(&mut store, Some(&sources), &destinations);
    let [gained, lost] = difference(base, head, store);
    assert_eq!(gained, decided(&sources, &destinations));
    assert_eq!(lost, Found::NONE);
}
