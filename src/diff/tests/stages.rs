//! Programs as nftables has them: several base chains in a row, each for its families, chains with many callers, and
//! large sets in several fields.

use super::super::*;
use super::{has, span};
use crate::model::{
    Action, ChainId, Configuration, Draft, Families, Filter, OpaqueId, RuleId, Snapshot, Stage, Store, Table, TableId,
};
use crate::net::{Family, Field, Packet, Region, Set};
use proptest::prelude::*;

/// A rule in a few small numbers.
#[derive(Debug, Clone)]
struct Plan {
    families: u8,
    source: u8,
    destination: u8,
    port: u8,
    protocol: Option<u8>,
    opaque: Option<bool>,
    action: u8,
}

/// A base chain with its rules, or, without `base`, a chain that others call.
#[derive(Debug, Clone)]
struct Version {
    /// For each base chain: which families (1 IPv4, 2 IPv6, 3 both), whether it accepts otherwise, its rules.
    stages: Vec<(u8, bool, Vec<Plan>)>,
    /// Chains that rules of all base chains of the table call.
    called: [Vec<Plan>; 2],
}

fn plan() -> impl Strategy<Value = Plan> {
    (
        prop_oneof![3 => Just(3u8), 1 => 1u8..3],
        0u8..7,
        0u8..7,
        0u8..5,
        prop_oneof![3 => Just(None), 1 => Just(Some(6)), 1 => Just(Some(17))],
        prop_oneof![5 => Just(None), 1 => any::<bool>().prop_map(Some)],
        0u8..10,
    )
        .prop_map(|(families, source, destination, port, protocol, opaque, action)| Plan {
            families,
            source,
            destination,
            port,
            protocol,
            opaque,
            action,
        })
}

fn rules(most: usize) -> impl Strategy<Value = Vec<Plan>> {
    proptest::collection::vec(plan(), 0..most)
}

fn version() -> impl Strategy<Value = Version> {
    let stage = (prop_oneof![2 => Just(3u8), 1 => 1u8..3], prop_oneof![2 => Just(true), 1 => Just(false)], rules(5));
    let stages = proptest::collection::vec(stage, 1..4);
    (stages, rules(4), rules(4)).prop_map(|(stages, one, two)| Version { stages, called: [one, two] })
}

/// The second version is the first with some edits: of rules, of a stage, or of the stages.
fn versions() -> impl Strategy<Value = [Version; 2]> {
    let edit = (0usize..6, 0usize..4, 0usize..8, plan());
    let edited = (version(), proptest::collection::vec(edit, 0..4)).prop_map(|(base, edits)| {
        let mut head = base.clone();
        for (chain, at, kind, plan) in edits {
            let count = head.stages.len();
            let stage = chain % count;
            match kind {
                0 => head.stages[stage].1 ^= true,
                1 => head.stages[stage].0 = 1 + (head.stages[stage].0 + 1) % 3,
                2 if count > 1 => drop(head.stages.remove(stage)),
                3 => head.stages.swap(stage, 0),
                _ => {
                    let rules = match chain {
                        0 | 1 => &mut head.called[chain],
                        _ => &mut head.stages[stage].2,
                    };
                    let at = at.min(rules.len());
                    if kind < 6 || at == rules.len() {
                        rules.insert(at, plan);
                    } else {
                        rules.remove(at);
                    }
                }
            }
        }
        [base, head]
    });
    prop_oneof![4 => edited, 1 => (version(), version()).prop_map(|(a, b)| [a, b])]
}

/// Sets that meet one another at many boundaries; some have more intervals than fit into anything small.
fn set(shape: u8, max: u128) -> Option<Set> {
    let every = |step: u128, wide: u128| Set::from_ranges((0..24).map(|n| (n * step, n * step + wide)));
    Some(match shape {
        0 | 1 => return None,
        2 => Set::range(3, 40),
        3 => every(7, 2),
        4 => every(11, 4).complement(max),
        5 => every(7, 2).difference(&Set::range(70, 80)),
        _ => Set::from_ranges([(0, 5), (9, 9), (200, max)]),
    })
}

fn rule(store: &mut Store, plan: &Plan, callable: u8, opaque: OpaqueId) -> RuleId {
    let addressed = plan.source > 1 || plan.destination > 1;
    // A rule with addresses is of one family.
    let families = match (plan.families, addressed) {
        (1, _) | (3, true) => Families::only(Family::Ipv4),
        (2, _) => Families::only(Family::Ipv6),
        _ => Families::BOTH,
    };
    let mut draft = Draft::new(families);
    let family = if families.contains(Family::Ipv4) { Family::Ipv4 } else { Family::Ipv6 };
    for (field, shape) in [(Field::Source, plan.source), (Field::Destination, plan.destination)] {
        if let Some(set) = set(shape, field.max(family)) {
            draft.addresses(field, family, &set);
        }
    }
    if let Some(set) = set(plan.port + 2 * u8::from(plan.port > 0), 65535) {
        draft.restrict(Field::DestinationPort, &set);
    }
    if let Some(protocol) = plan.protocol {
        draft.protocol(protocol, protocol);
    }
    if let Some(holds) = plan.opaque {
        draft.require(Literal { opaque, holds });
    }
    let action = match plan.action {
        0..=2 => Action::Accept,
        3 | 4 => Action::Deny,
        5 => Action::Return,
        6 => Action::Continue,
        n if n - 7 < callable && n == 9 => Action::Goto(store.symbol(b"one")),
        n if n - 7 < callable => Action::Jump(store.symbol([&b"one"[..], b"two"][usize::from(n - 7)])),
        _ => Action::Accept,
    };
    store.rule(draft, action)
}

fn change(versions: &[Version; 2], share: bool) -> (Change, OpaqueId) {
    let mut store = Store::default();
    let opaque = store.opaque("a");
    let mut memo: Vec<(String, RuleId)> = Vec::new();
    let [base, head] = [0, 1].map(|side| {
        let version: &Version = &versions[side];
        let mut table = Table::new("inet filter");
        let mut fill = |table: &mut Table, name: &str, plans: &[Plan], callable: u8| {
            let chain = table.chain(store.symbol(name.as_bytes()));
            for plan in plans {
                let key = format!("{callable}{plan:?}");
                let known = memo.iter().find(|(k, _)| share && *k == key).map(|(_, id)| *id);
                let id = known.unwrap_or_else(|| rule(&mut store, plan, callable, opaque));
                memo.push((key, id));
                table.chains[chain.0 as usize].push(id, span());
            }
            chain
        };
        fill(&mut table, "one", &version.called[0], 0);
        fill(&mut table, "two", &version.called[1], 1);
        let stages = version.stages.iter().enumerate().map(|(n, (families, accepts, plans))| {
            let chain: ChainId = fill(&mut table, &format!("base{n}"), plans, 3);
            let families = match families {
                1 => Families::only(Family::Ipv4),
                2 => Families::only(Family::Ipv6),
                _ => Families::BOTH,
            };
            let otherwise = if *accepts { Action::Accept } else { Action::Deny };
            Stage { table: TableId(0), chain, families, otherwise, otherwise_at: None }
        });
        let filter = Filter {
            id: "t/input".into(),
            domain: Family::ALL.map(Region::all).to_vec(),
            stages: stages.collect(),
            absent: true,
        };
        let configuration = Configuration {
            name: "t".into(),
            format: "test",
            tables: vec![table],
            filters: vec![filter],
            ..Configuration::default()
        };
        Snapshot::new(vec![configuration.into()], Vec::new())
    });
    (Change::new(base, head, store), opaque)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

    #[test]
    fn stages_families_and_large_sets_are_compared_exactly(
        versions in versions(), share in any::<bool>(), seed in any::<u64>(),
    ) {
        let (change, opaque) = change(&versions, share);
        let difference = compare(&change);
        let none = Found::NONE;
        let filter = difference.configurations[0].filters.first();
        let (gained, lost) = filter.map_or((&none, &none), |f| (&f.newly_allowed, &f.newly_denied));
        prop_assert!(gained.complete && lost.complete);
        let pair = change.filters()[0];
        let mut random = super::Random(seed | 1);
        for _ in 0..300 {
            let family = Family::ALL[random.below(2)];
            let mut values = |most: usize| [random.below(most), random.below(90)][random.below(2)] as u128;
            let packet = Packet::new(family)
                .with(Field::Source, values(300))
                .with(Field::Destination, values(300))
                .with(Field::DestinationPort, values(300))
                .with(Field::Protocol, [6, 17, 1][random.below(3)]);
            let truths = vec![Literal { opaque, holds: random.below(2) == 1 }];
            let walk = |sided: Option<Sided<'_>>| {
                trace(&change.store, sided.expect("on both sides"), &packet, &truths).answer.allowed
            };
            let (base, head) = (walk(pair.base), walk(pair.head));
            prop_assert_eq!(has(gained, &packet, &truths), !base && head, "gained {:?}", packet);
            prop_assert_eq!(has(lost, &packet, &truths), base && !head, "lost {:?}", packet);
        }
        for (found, question) in [(gained, Question::NewlyAllowed), (lost, Question::NewlyDenied)] {
            for delta in &found.deltas {
                prop_assert!(witness(&change, &pair, delta, question).is_some(), "{delta:?}");
            }
        }
    }
}
