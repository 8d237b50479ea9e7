//! Random programs, held against the naive walker packet by packet.

use super::*;
use crate::model::{
    Action, ChainId, Configuration, Draft, Families, Filter, OpaqueId, Snapshot, Stage, Store, Table, TableId,
};
use crate::net::{Field, Set, State};
use crate::text::{SourceId, SourceMap};
use proptest::prelude::*;

mod sets;
mod stages;

/// Numbers that look random, the same each time.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % n as u64).expect("below a usize")
    }
}

/// A rule in a few small numbers, so that rules meet and boundaries are hit.
#[derive(Debug, Clone)]
struct Plan {
    source: (u8, u8),
    destination: (u8, u8),
    protocol: Option<u8>,
    ports: Vec<(u8, u8)>,
    states: u8,
    flags: Option<u8>,
    opaque: Option<(u8, bool)>,
    action: u8,
}

fn plan() -> impl Strategy<Value = Plan> {
    let range = || prop_oneof![2 => Just((0, 255)), 3 => (0u8..6, 0u8..6).prop_map(|(a, b)| (a.min(b), a.max(b)))];
    (
        range(),
        range(),
        prop_oneof![2 => Just(None), 1 => Just(Some(6)), 1 => Just(Some(17))],
        prop_oneof![2 => Just(vec![]), 2 => proptest::collection::vec((0u8..6, 0u8..6), 1..3)],
        prop_oneof![2 => Just(31u8), 1 => 1u8..32],
        prop_oneof![5 => Just(None), 1 => (0u8..4).prop_map(Some)],
        prop_oneof![4 => Just(None), 1 => (0u8..2, any::<bool>()).prop_map(Some)],
        0u8..9,
    )
        .prop_map(|(source, destination, protocol, ports, states, flags, opaque, action)| Plan {
            source,
            destination,
            protocol,
            ports,
            states,
            flags,
            opaque,
            action,
        })
}

/// Two versions of three chains: the second is the first with some edits, or another one altogether.
fn versions() -> impl Strategy<Value = [Vec<Vec<Plan>>; 2]> {
    let chains = || proptest::collection::vec(proptest::collection::vec(plan(), 0..7), 3);
    let edit = (0usize..3, 0usize..7, 0usize..4, plan());
    let edited = (chains(), proptest::collection::vec(edit, 0..4)).prop_map(|(base, edits)| {
        let mut head = base.clone();
        for (chain, at, kind, plan) in edits {
            let rules = &mut head[chain];
            let at = at.min(rules.len());
            match kind {
                0 => rules.insert(at, plan),
                1 if at < rules.len() => drop(rules.remove(at)),
                2 if at + 1 < rules.len() => rules.swap(at, at + 1),
                _ => {
                    let rule = (at < rules.len()).then(|| rules.remove(at));
                    rules.extend(rule);
                }
            }
        }
        [base, head]
    });
    prop_oneof![3 => edited, 1 => (chains(), chains()).prop_map(|(a, b)| [a, b])]
}

fn span() -> Span {
    let source: SourceId = SourceMap::default().add(b"test", Vec::new()).expect("small");
    Span { source, start: 0, end: 0 }
}

const NAMES: [&[u8]; 3] = [b"INPUT", b"one", b"two"];

fn rule(store: &mut Store, plan: &Plan, opaques: [OpaqueId; 2]) -> crate::model::RuleId {
    let mut draft = Draft::new(Families::only(Family::Ipv4));
    let end = |n: u8| if n == 255 { u32::MAX } else { u32::from(n) };
    draft.ipv4_source(u32::from(plan.source.0), end(plan.source.1));
    draft.ipv4_destination(u32::from(plan.destination.0), end(plan.destination.1));
    if let Some(protocol) = plan.protocol {
        draft.protocol(protocol, protocol);
    }
    if !plan.ports.is_empty() {
        let ports = plan.ports.iter().map(|(a, b)| (u128::from(*a.min(b)), u128::from(*a.max(b))));
        draft.restrict(Field::DestinationPort, &Set::from_ranges(ports));
    }
    draft.states(State::ALL.into_iter().filter(|s| plan.states >> *s as u8 & 1 == 1));
    if let Some(flags) = plan.flags {
        draft.restrict(Field::TcpFlags, &Set::point(flags.into()));
    }
    if let Some((n, holds)) = plan.opaque {
        draft.require(Literal { opaque: opaques[n as usize], holds });
    }
    let action = match plan.action {
        0..=2 => Action::Accept,
        3 | 4 => Action::Deny,
        5 => Action::Return,
        6 => Action::Jump(store.symbol(NAMES[1])),
        7 => Action::Jump(store.symbol(NAMES[2])),
        _ => Action::Goto(store.symbol(NAMES[2])),
    };
    store.rule(draft, action)
}

/// A change of one filter with two stages: chain 0 with chains 1 and 2 to call (2 calls nothing), and an `Accept`
/// chain before it.
fn change(versions: &[Vec<Vec<Plan>>; 2], otherwise: [bool; 2], share: bool) -> (Change, [OpaqueId; 2]) {
    let mut store = Store::default();
    let opaques = [store.opaque("a"), store.opaque("b")];
    let mut memo: Vec<(String, crate::model::RuleId)> = Vec::new();
    let snapshots = [0, 1].map(|side| {
        let mut table = Table::new("filter");
        for (n, plans) in versions[side].iter().enumerate() {
            let name = store.symbol(NAMES[n]);
            let chain = table.chain(name);
            for plan in plans {
                let mut plan = plan.clone();
                if n == 2 || (n == 1 && plan.action == 6) {
                    plan.action %= 6;
                }
                let key = format!("{n}{plan:?}");
                let known = memo.iter().find(|(k, _)| share && *k == key).map(|(_, id)| *id);
                let id = known.unwrap_or_else(|| rule(&mut store, &plan, opaques));
                memo.push((key, id));
                table.chains[chain.0 as usize].push(id, span());
            }
        }
        let mut mangle = Table::new("mangle");
        let chain = mangle.chain(store.symbol(NAMES[0]));
        if let Some(first) = versions[side][1].first() {
            let mut plan = first.clone();
            plan.action = if plan.action > 4 { 3 } else { plan.action };
            let id = rule(&mut store, &plan, opaques);
            mangle.chains[chain.0 as usize].push(id, span());
        }
        let stage = |table, otherwise: bool| Stage {
            table: TableId(table),
            chain: ChainId(0),
            families: Families::BOTH,
            otherwise: if otherwise { Action::Accept } else { Action::Deny },
            otherwise_at: None,
        };
        let filter = Filter {
            id: "t/input".into(),
            domain: vec![Region::all(Family::Ipv4)],
            stages: vec![stage(0, true), stage(1, otherwise[side])],
            absent: true,
        };
        let configuration = Configuration {
            name: "t".into(),
            format: "test",
            tables: vec![mangle, table],
            filters: vec![filter],
            ..Configuration::default()
        };
        Snapshot::new(vec![configuration.into()], Vec::new())
    });
    let [base, head] = snapshots;
    (Change::new(base, head, store), opaques)
}

/// Packets at and around every boundary the plans can have, with every truth of the opaque conditions.
fn probes(opaques: [OpaqueId; 2], seed: u64) -> impl Iterator<Item = (Packet, Vec<Literal>)> {
    let mut random = Random(seed | 1);
    (0..300).map(move |_| {
        let mut pick = |values: &[u128]| values[random.below(values.len())];
        let address = [0, 1, 2, 3, 4, 5, 6, 7, u128::from(u32::MAX)];
        let packet = Packet::new(Family::Ipv4)
            .with(Field::Source, pick(&address))
            .with(Field::Destination, pick(&address))
            .with(Field::Protocol, pick(&[0, 5, 6, 6, 7, 17, 17, 255]))
            .with(Field::DestinationPort, pick(&[0, 1, 2, 3, 4, 5, 6, 65535]))
            .with(Field::State, pick(&[0, 1, 2, 3, 4]))
            .with(Field::TcpFlags, pick(&[0, 1, 2, 3, 4, 255]));
        let holds = [pick(&[0, 1]) == 1, pick(&[0, 1]) == 1];
        let literals = opaques.into_iter().zip(holds).map(|(opaque, holds)| Literal { opaque, holds });
        (packet, literals.collect())
    })
}

fn has(found: &Found, packet: &Packet, truths: &[Literal]) -> bool {
    found
        .deltas
        .iter()
        .any(|delta| delta.region.contains(packet) && delta.conditions.iter().all(|literal| truths.contains(literal)))
}

fn walk(change: &Change, side: Side, packet: &Packet, truths: &[Literal]) -> bool {
    let pair = change.filters()[0];
    let sided = match side {
        Side::Base => pair.base,
        Side::Head => pair.head,
    };
    trace(&change.store, sided.expect("on both sides"), packet, truths).answer.allowed
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, ..ProptestConfig::default() })]

    #[test]
    fn the_difference_is_exactly_where_the_walker_differs(
        versions in versions(), otherwise in any::<[bool; 2]>(), share in any::<bool>(), seed in any::<u64>(),
    ) {
        let (change, opaques) = change(&versions, otherwise, share);
        let difference = compare(&change);
        let none = Found::NONE;
        let filter = difference.configurations[0].filters.first();
        let (gained, lost) = filter.map_or((&none, &none), |f| (&f.newly_allowed, &f.newly_denied));
        prop_assert!(gained.complete && lost.complete);
        for (packet, truths) in probes(opaques, seed) {
            let (base, head) = (walk(&change, Side::Base, &packet, &truths), walk(&change, Side::Head, &packet, &truths));
            prop_assert_eq!(has(gained, &packet, &truths), !base && head, "gained {:?}", packet);
            prop_assert_eq!(has(lost, &packet, &truths), base && !head, "lost {:?}", packet);
        }
        let pair = change.filters()[0];
        for (found, question) in [(gained, Question::NewlyAllowed), (lost, Question::NewlyDenied)] {
            for delta in &found.deltas {
                prop_assert!(witness(&change, &pair, delta, question).is_some(), "{delta:?}");
            }
        }
    }

    #[test]
    fn a_question_about_a_part_is_answered_for_that_part(
        versions in versions(), otherwise in any::<[bool; 2]>(), seed in any::<u64>(), port in 0u128..6,
    ) {
        let (change, opaques) = change(&versions, otherwise, true);
        let pair = change.filters()[0];
        let within = Region::all(Family::Ipv4)
            .with(Field::Destination, &Set::from_ranges([(1, 2), (4, 9)]))
            .with(Field::DestinationPort, &Set::point(port));
        let ask = |question| ask(&change, &pair, std::slice::from_ref(&within), question);
        let (lost, denied, allowed) =
            (ask(Question::NewlyDenied), ask(Question::Denied(Side::Head)), ask(Question::Allowed(Side::Base)));
        for (packet, truths) in probes(opaques, seed) {
            let (base, head) = (walk(&change, Side::Base, &packet, &truths), walk(&change, Side::Head, &packet, &truths));
            let inside = within.contains(&packet);
            prop_assert_eq!(has(&lost, &packet, &truths), inside && base && !head);
            prop_assert_eq!(has(&denied, &packet, &truths), inside && !head);
            prop_assert_eq!(has(&allowed, &packet, &truths), inside && base);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, ..ProptestConfig::default() })]

    #[test]
    fn cover_search_agrees_with_the_diagram_on_flat_lists(
        base in proptest::collection::vec(plan(), 0..9), head in proptest::collection::vec(plan(), 0..9),
        same in any::<bool>(), otherwise in any::<[bool; 2]>(), seed in any::<u64>(),
    ) {
        let flatten = |mut plans: Vec<Plan>| {
            for plan in &mut plans {
                plan.action %= 5;
            }
            vec![plans, Vec::new(), Vec::new()]
        };
        let head = if same { let mut head = base.clone(); head.reverse(); head } else { head };
        let (change, opaques) = change(&[flatten(base), flatten(head)], otherwise, true);
        let rules = |snapshot: &Snapshot| snapshot.configurations()[0].tables[1].chains[0].rules.clone();
        let list = |snapshot, otherwise| flat::FlatList { rules: rules(snapshot), otherwise };
        let (first, second) = (list(&change.base, otherwise[0]), list(&change.head, otherwise[1]));
        let all = first.rules.iter().chain(&second.rules).copied();
        let region = Region::all(Family::Ipv4);
        let frame = flat::Frame::new(&change.store, &region, all, &Field::ALL);
        let mut steps = cover::Steps(10_000_000);
        let found = flat::compare(&change.store, &region, &frame, &first, &second, false, &mut steps).expect("within budget");
        let differs = probes(opaques, seed).any(|(packet, truths)| {
            walk(&change, Side::Base, &packet, &truths) != walk(&change, Side::Head, &packet, &truths)
        });
        let is_none = |parts: &flat::Parts| parts.complete && parts.pieces.is_empty();
        prop_assert!(!(is_none(&found.gained) && is_none(&found.lost) && differs), "equal by cover search, not by the walker");
        let difference = compare(&change);
        let filter = difference.configurations[0].filters.first();
        prop_assert_eq!(is_none(&found.gained), filter.is_none_or(|f| f.newly_allowed == Found::NONE));
        prop_assert_eq!(is_none(&found.lost), filter.is_none_or(|f| f.newly_denied == Found::NONE));
        // Every part that is listed is all difference.
        let exact = |cubes: &[Vec<(u32, u32)>], wanted: (bool, bool)| {
            frame.packets(cubes, &region).iter().all(|(region, conditions)| {
                let packet = region.witness().expect("not empty");
                let walked = [Side::Base, Side::Head].map(|side| walk(&change, side, &packet, conditions));
                (walked[0], walked[1]) == wanted
            })
        };
        prop_assert!(exact(&found.gained.pieces, (false, true)) && exact(&found.lost.pieces, (true, false)));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, ..ProptestConfig::default() })]

    #[test]
    fn one_pass_over_flat_lists_finds_what_the_walker_finds(
        base in proptest::collection::vec(plan(), 0..12), edits in proptest::collection::vec((0usize..12, 0u8..4, plan()), 0..5),
        plain in any::<bool>(), most in prop_oneof![0usize..4, Just(1000)], otherwise in any::<bool>(), seed in any::<u64>(),
    ) {
        let flatten = |mut plans: Vec<Plan>| {
            for plan in &mut plans {
                plan.action %= 5;
                if plain {
                    plan.ports.truncate(1);
                    (plan.states, plan.flags, plan.opaque) = (31, None, None);
                }
            }
            vec![plans, Vec::new(), Vec::new()]
        };
        let mut head = base.clone();
        for (at, kind, plan) in edits {
            let at = at.min(head.len());
            match kind {
                0 if at < head.len() => drop(head.remove(at)),
                1 if at < head.len() => head[at].action = (head[at].action + 3) % 5,
                2 if at < head.len() => {
                    let rule = head.remove(at);
                    head.push(rule);
                }
                _ => head.insert(at, plan),
            }
        }
        let (change, opaques) = change(&[flatten(base), flatten(head)], [otherwise; 2], true);
        let pair = change.filters()[0];
        let (before, after) = (pair.base.expect("on base"), pair.head.expect("on head"));
        let region = Region::all(Family::Ipv4).with(Field::DestinationPort, &Set::range(0, 4));
        let found = engine::compare_lists(&change, before, after, std::slice::from_ref(&region), most);
        let Some(found) = found else {
            prop_assert!(otherwise, "only a list that does nothing is not looked at");
            return Ok(());
        };
        if most == 1000 {
            prop_assert!(found.gained.complete && found.lost.complete);
        }
        for (packet, truths) in probes(opaques, seed).filter(|(packet, _)| region.contains(packet)) {
            let (base, head) = (walk(&change, Side::Base, &packet, &truths), walk(&change, Side::Head, &packet, &truths));
            for (found, differs) in [(&found.gained, !base && head), (&found.lost, base && !head)] {
                let listed = has(found, &packet, &truths);
                let right = if found.complete { listed == differs } else { differs || !listed };
                prop_assert!(right, "listed {}, {:?}", listed, packet);
            }
        }
    }
}

/// Lists long enough for what is done only to long ones: many changed plain rules, cover search, reordering.
#[test]
fn long_lists_of_plain_rules_are_compared_exactly() {
    let mut random = Random(0x2545_f491_4f6c_dd1d);
    let mut next = move |n: usize| u8::try_from(random.below(n)).expect("small");
    for round in 0..12 {
        let mut plan = || {
            let range = |a: u8, b: u8| if a > 6 { (0, 255) } else { (a.min(b), a.max(b)) };
            let (source, destination) = (range(next(9), next(9)), range(next(9), next(9)));
            let (port, action) = (next(7), next(5));
            let ports = if port == 6 { vec![] } else { vec![(port, port.max(next(6)))] };
            Plan {
                source,
                destination,
                protocol: [None, Some(6), Some(17)][next(3) as usize],
                ports,
                states: 31,
                flags: None,
                opaque: None,
                action,
            }
        };
        let base: Vec<Plan> = (0..1200).map(|_| plan()).collect();
        let mut head = base.clone();
        for n in 0..[3, 40, 300][round % 3] {
            let at = (n * 7919 + round) % head.len();
            match n % 3 {
                0 => drop(head.remove(at)),
                1 => head.insert(at, plan()),
                _ => head[at].action = (head[at].action + 3) % 5,
            }
        }
        let (change, opaques) = change(&[vec![base, vec![], vec![]], vec![head, vec![], vec![]]], [false, false], true);
        let difference = compare(&change);
        let pair = change.filters()[0];
        let none = Found::NONE;
        let filter = difference.configurations[0].filters.first();
        let (gained, lost) = filter.map_or((&none, &none), |f| (&f.newly_allowed, &f.newly_denied));
        for (packet, truths) in (0..40).flat_map(|seed| probes(opaques, seed * 77 + round as u64)) {
            let [base, head] = [Side::Base, Side::Head].map(|side| walk(&change, side, &packet, &truths));
            for (found, differs) in [(gained, !base && head), (lost, base && !head)] {
                if found.complete {
                    assert_eq!(has(found, &packet, &truths), differs, "round {round}: {packet:?}");
                } else {
                    assert!(!found.deltas.is_empty() && (differs || !has(found, &packet, &truths)), "round {round}");
                }
            }
        }
        for (found, question) in [(gained, Question::NewlyAllowed), (lost, Question::NewlyDenied)] {
            assert!(found.deltas.iter().all(|delta| witness(&change, &pair, delta, question).is_some()));
        }
    }
}

#[test]
fn a_packet_runs_through_a_chain_once_however_often_it_is_called() {
    let mut store = Store::default();
    let mut table = Table::new("filter");
    let names: Vec<_> = (0..64).map(|n| store.symbol(format!("c{n}").as_bytes())).collect();
    for name in &names {
        table.chain(*name);
    }
    for n in 0..63 {
        // Twice each, by jump and by goto: 2^63 ways.
        for action in [Action::Jump(names[n + 1]), Action::Goto(names[n + 1])] {
            let rule = store.rule(Draft::new(Families::BOTH), action);
            table.chains[n].push(rule, span());
        }
    }
    let stage = Stage {
        table: TableId(0),
        chain: ChainId(0),
        families: Families::BOTH,
        otherwise: Action::Deny,
        otherwise_at: None,
    };
    let domain = vec![Region::all(Family::Ipv4)];
    let filter = Filter { id: "t/input".into(), domain, stages: vec![stage], absent: true };
    let configuration = Configuration { tables: vec![table], filters: vec![filter], ..Configuration::default() };
    let sided = Sided { configuration: &configuration, filter: &configuration.filters[0] };
    let trace = trace(&store, sided, &Packet::new(Family::Ipv4), &[]);
    assert!(!trace.answer.allowed);
    assert_eq!(trace.hops.len(), 2 * 63 + 1);
}
