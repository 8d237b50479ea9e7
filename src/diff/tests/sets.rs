//! Sets of very many elements.

use super::super::*;
use super::span;
use crate::model::{Action, ChainId, Configuration, Draft, Families, Filter, Snapshot, Stage, Store, Table, TableId};
use crate::net::{Field, Set};

const COUNT: u128 = 100_000;

/// `COUNT` addresses, each the third of its four, without some and with some.
fn addresses(without: &[u128], with: &[u128]) -> Set {
    let all = (0..COUNT).filter(|n| !without.contains(n)).map(|n| 4 * n + 2);
    all.chain(with.iter().copied()).collect()
}

/// A filter of which the third rule accepts from these sources, to these ports, what the second has not denied.
fn snapshot(store: &mut Store, sources: &Set, destinations: &Set) -> Snapshot {
    let mut table = Table::new("filter");
    let chain = table.chain(store.symbol(b"INPUT"));
    let families = Families::only(Family::Ipv4);
    let mut first = Draft::new(families);
    first.destination_port(22, 22);
    let mut second = Draft::new(families);
    second.addresses(Field::Destination, Family::Ipv4, destinations);
    second.destination_port(23, 23);
    let mut third = Draft::new(families);
    third.addresses(Field::Source, Family::Ipv4, sources);
    third.addresses(Field::Destination, Family::Ipv4, &destinations.complement(u32::MAX.into()));
    for (draft, action) in [(first, Action::Accept), (second, Action::Deny), (third, Action::Accept)] {
        let rule = store.rule(draft, action);
        table.chains[0].push(rule, span());
    }
    let stage =
        Stage { table: TableId(0), chain, families: Families::BOTH, otherwise: Action::Deny, otherwise_at: None };
    let filter =
        Filter { id: "t/input".into(), domain: vec![Region::all(Family::Ipv4)], stages: vec![stage], absent: true };
    let (tables, filters) = (vec![table], vec![filter]);
    let configuration = Configuration { name: "t".into(), format: "test", tables, filters, ..Configuration::default() };
    Snapshot::new(vec![configuration], Vec::new())
}

#[test]
fn only_the_elements_that_changed_are_the_difference() {
    let mut store = Store::default();
    let destinations = addresses(&[], &[]);
    let base = snapshot(&mut store, &addresses(&[], &[4 * COUNT + 9]), &destinations);
    let head = snapshot(&mut store, &addresses(&[5, 70_000], &[3, 9]), &destinations);
    let change = Change::new(base, head, store);
    assert_eq!(change.base.configurations()[0].filters[0].stages[0].chain, ChainId(0));
    let difference = compare(&change);
    let [filter] = difference.configurations[0].filters.as_slice() else { panic!("one filter differs") };
    let ssh = Set::point(22).complement(65535);
    let from = |sources: &[u128]| {
        let sources: Set = sources.iter().copied().collect();
        let others = destinations.complement(u32::MAX.into());
        Region::all(Family::Ipv4)
            .with(Field::Source, &sources)
            .with(Field::Destination, &others)
            .with(Field::DestinationPort, &ssh)
    };
    let only = |region| Found { deltas: vec![Delta { region, conditions: Vec::new() }], complete: true };
    assert_eq!(filter.newly_allowed, only(from(&[3, 9])));
    assert_eq!(filter.newly_denied, only(from(&[22, 280_002, 4 * COUNT + 9])));
}
