//! Random programs, held against an evaluator that knows nothing but single packets: every one there is.

use super::*;
use crate::model::{ChainId, Draft, Families, Filter, Literal, OpaqueId, RuleId, Snapshot, Stage, Table, TableId};
use crate::net::{Family, Field, Set, State};
use crate::text::{SourceId, SourceMap};
use proptest::prelude::*;
use std::collections::BTreeSet;

/// A rule in a few small numbers.
#[derive(Debug, Clone)]
struct Plan {
    source: (u8, u8),
    port: (u8, u8),
    states: u8,
    opaque: Option<(u8, bool)>,
    action: u8,
    /// It is an alternative of the rule before it.
    joined: bool,
}

/// The chains of each program: three base chains and two to call.
const CHAINS: [&[u8]; 5] = [b"FIRST", b"SECOND", b"OTHER", b"one", b"two"];

/// What a rule does; the called ones call less.
fn action(chain: usize, plan: &Plan) -> Does {
    match (plan.action, chain) {
        (0..=2, _) => Does::Accept,
        (3 | 4, _) => Does::Deny,
        (5, _) => Does::Return,
        (6, _) => Does::Nothing,
        (7, 0..3) => Does::Jump(3),
        (8, 0..3) => Does::Goto(3),
        (7 | 9, 0..4) => Does::Jump(4),
        (8 | 10, 0..4) => Does::Goto(4),
        (_, _) => Does::Deny,
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Does {
    Accept,
    Deny,
    Return,
    Nothing,
    Jump(usize),
    Goto(usize),
}

fn plan() -> impl Strategy<Value = Plan> {
    let range =
        |most: u8| prop_oneof![1 => Just((0, most)), 3 => (0..=most, 0..=most).prop_map(|(a, b)| (a.min(b), a.max(b)))];
    (
        range(3),
        range(2),
        prop_oneof![3 => Just(3u8), 1 => 1u8..4],
        prop_oneof![4 => Just(None), 1 => (0u8..2, any::<bool>()).prop_map(Some)],
        0u8..11,
        prop_oneof![5 => Just(false), 1 => Just(true)],
    )
        .prop_map(|(source, port, states, opaque, action, joined)| Plan {
            source,
            port,
            states,
            opaque,
            action,
            joined,
        })
}

fn span(n: usize) -> Span {
    let source: SourceId = SourceMap::default().add(b"test", Vec::new()).expect("small");
    let start = u32::try_from(n).expect("small");
    Span { source, start, end: start + 1 }
}

/// The program of some plans: FIRST and SECOND are stages of one filter in one table, OTHER is the other filter.
struct World {
    store: Store,
    snapshot: Snapshot,
    /// For each chain its lines: the numbers by which they are called, and their rules.
    lines: Vec<Vec<(usize, Vec<Plan>)>>,
    accepts: [bool; 3],
}

fn world(plans: &[Vec<Plan>], accepts: [bool; 3]) -> World {
    let mut store = Store::default();
    let opaques = [store.opaque("a"), store.opaque("b")];
    let mut table = Table::new("filter");
    let names: Vec<_> = CHAINS.iter().map(|name| store.symbol(name)).collect();
    for name in &names {
        table.chain(*name);
    }
    let (mut number, mut lines) = (0, Vec::new());
    for (chain, plans) in plans.iter().enumerate() {
        let mut own: Vec<(usize, Vec<Plan>)> = Vec::new();
        for plan in plans {
            match own.last_mut() {
                Some((_, rules)) if plan.joined => rules.push(plan.clone()),
                Some(_) | None => {
                    number += 1;
                    own.push((number, vec![plan.clone()]));
                }
            }
            let id = rule(&mut store, chain, plan, opaques, &names);
            table.chains[chain].push(id, span(number));
        }
        lines.push(own);
    }
    let stage = |chain: u32| Stage {
        table: TableId(0),
        chain: ChainId(chain),
        families: Families::BOTH,
        otherwise: if accepts[chain as usize] { Action::Accept } else { Action::Deny },
        otherwise_at: Some(span(1000 + chain as usize)),
    };
    let states = Set::range(0, 1);
    let filter = |id: &str, stages| Filter {
        id: id.to_owned(),
        domain: vec![Region::all(Family::Ipv4).with(Field::State, &states)],
        stages,
        absent: true,
    };
    let configuration = Configuration {
        tables: vec![table],
        filters: vec![filter("t/input", vec![stage(0), stage(1)]), filter("t/other", vec![stage(2)])],
        ..Configuration::default()
    };
    World { store, snapshot: Snapshot::new(vec![configuration.into()], Vec::new()), lines, accepts }
}

fn rule(
    store: &mut Store,
    chain: usize,
    plan: &Plan,
    opaques: [OpaqueId; 2],
    names: &[crate::model::Symbol],
) -> RuleId {
    let mut draft = Draft::new(Families::BOTH);
    let end = |n: u8, most: u8, max: u32| if n == most { max } else { u32::from(n) };
    if plan.source != (0, 3) {
        draft.ipv4_source(plan.source.0.into(), end(plan.source.1, 3, u32::MAX));
    }
    let last = u16::try_from(end(plan.port.1, 2, 65535)).expect("a port");
    draft.destination_port(plan.port.0.into(), last);
    draft.states(State::ALL.into_iter().filter(|s| plan.states >> *s as u8 & 1 == 1));
    if let Some((n, holds)) = plan.opaque {
        draft.require(Literal { opaque: opaques[n as usize], holds });
    }
    let action = match action(chain, plan) {
        Does::Accept => Action::Accept,
        Does::Deny => Action::Deny,
        Does::Return => Action::Return,
        Does::Nothing => Action::Continue,
        Does::Jump(n) => Action::Jump(names[n]),
        Does::Goto(n) => Action::Goto(names[n]),
    };
    store.rule(draft, action)
}

/// A packet, with the truths of the two conditions.
#[derive(Clone, Copy)]
struct Point {
    source: u8,
    port: u8,
    state: u8,
    truths: u8,
}

fn points() -> impl Iterator<Item = Point> {
    (0..4 * 3 * 2 * 4u8).map(|n| Point { source: n % 4, port: n / 4 % 3, state: n / 12 % 2, truths: n / 24 })
}

impl World {
    fn matches(plan: &Plan, point: Point) -> bool {
        (plan.source.0..=plan.source.1).contains(&point.source)
            && (plan.port.0..=plan.port.1).contains(&point.port)
            && plan.states >> point.state & 1 == 1
            && plan.opaque.is_none_or(|(n, holds)| (point.truths >> n & 1 == 1) == holds)
    }

    /// What a chain does with a packet: `Some(allowed)`, or nothing.
    fn chain(&self, chain: usize, point: Point, without: &BTreeSet<usize>, hit: &mut BTreeSet<usize>) -> Option<bool> {
        for (line, rules) in self.lines[chain].iter().filter(|(line, _)| !without.contains(line)) {
            for plan in rules.iter().filter(|plan| Self::matches(plan, point)) {
                hit.insert(*line);
                match action(chain, plan) {
                    Does::Accept => return Some(true),
                    Does::Deny => return Some(false),
                    Does::Return => return None,
                    Does::Nothing => {}
                    Does::Jump(n) => {
                        if let Some(answer) = self.chain(n, point, without, hit) {
                            return Some(answer);
                        }
                    }
                    Does::Goto(n) => return self.chain(n, point, without, hit),
                }
            }
        }
        None
    }

    /// What both filters do with every packet, and the lines that one matches.
    fn all(&self, without: &BTreeSet<usize>) -> (Vec<bool>, BTreeSet<usize>) {
        let (mut answers, mut hit) = (Vec::new(), BTreeSet::new());
        for point in points() {
            let mut base = |n: usize| self.chain(n, point, without, &mut hit).unwrap_or(self.accepts[n]);
            answers.push(base(0) && base(1));
            answers.push(base(2));
        }
        (answers, hit)
    }

    fn acts(&self, line: usize) -> bool {
        let chains = self.lines.iter().enumerate();
        let mut rules = chains.flat_map(|(chain, lines)| lines.iter().map(move |(n, rules)| (chain, *n, rules)));
        rules.any(|(chain, n, rules)| n == line && rules.iter().any(|plan| action(chain, plan) != Does::Nothing))
    }
}

fn programs() -> impl Strategy<Value = (Vec<Vec<Plan>>, [bool; 3])> {
    (proptest::collection::vec(proptest::collection::vec(plan(), 0..6), 5), any::<[bool; 3]>())
}

fn numbers<'l>(lines: impl Iterator<Item = &'l Line>) -> BTreeSet<usize> {
    lines.map(|line| line.origin.start as usize).collect()
}

fn one(n: usize) -> BTreeSet<usize> {
    BTreeSet::from([n])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, ..ProptestConfig::default() })]

    #[test]
    fn lines_are_shadowed_or_redundant_exactly_if_every_packet_says_so((plans, accepts) in programs()) {
        let world = world(&plans, accepts);
        let worth = worth(&world.store, &world.snapshot.configurations()[0]);
        prop_assert!(worth.open.is_empty() && worth.need_open.is_empty());
        let (answers, hit) = world.all(&BTreeSet::new());
        let all: BTreeSet<usize> = world.lines.iter().flatten().map(|(n, _)| *n).collect();
        let shadowed: BTreeSet<usize> = all.difference(&hit).copied().collect();
        // Of lines in chains that nothing comes to, the caller is told of, not they.
        let told = numbers(worth.shadowed.iter().map(|s| &s.line));
        prop_assert!(told.is_subset(&shadowed), "{told:?} of {shadowed:?}");
        for missing in shadowed.difference(&told) {
            let chain = world.lines.iter().position(|lines| lines.iter().any(|(n, _)| n == missing)).expect("a chain");
            let entered = world.lines[chain].iter().any(|(n, _)| hit.contains(n) || told.contains(n));
            prop_assert!(chain >= 3 && !entered, "{missing} in {chain}");
        }
        prop_assert_eq!(&world.all(&shadowed).0, &answers);
        let idle = |line: &usize| {
            let both = shadowed.union(&one(*line)).copied().collect();
            hit.contains(line) && world.acts(*line) && world.all(&one(*line)).0 == answers && world.all(&both).0 == answers
        };
        let redundant: BTreeSet<usize> = all.into_iter().filter(idle).collect();
        prop_assert_eq!(numbers(worth.redundant.iter().map(|r| &r.line)), redundant.clone());
        let every: BTreeSet<usize> = shadowed.union(&redundant).copied().collect();
        prop_assert_eq!(worth.together, world.all(&every).0 == answers);
    }

    #[test]
    fn boxes_say_the_same_of_flat_lists(plans in proptest::collection::vec(plan(), 1..14), accepts in any::<[bool; 3]>()) {
        let mut plans = plans;
        for plan in &mut plans {
            plan.action = if plan.action == 6 { 6 } else { plan.action % 5 };
            plan.joined = false;
        }
        let world = world(&[Vec::new(), Vec::new(), plans, Vec::new(), Vec::new()], accepts);
        let configuration = &world.snapshot.configurations()[0];
        let lines = Lines::new(&world.store, configuration);
        let sided = Sided { configuration, filter: &configuration.filters[1] };
        let flat = Flat::of(&world.store, sided, &lines, &sided.filter.domain[0]).expect("flat");
        let mut facts = vec![Fact::default(); lines.all.len()];
        let mut steps = u64::MAX;
        flat.facts(&mut steps, &mut facts);
        let (answers, hit) = world.all(&BTreeSet::new());
        for (number, (line, fact)) in lines.all.iter().zip(&facts).enumerate() {
            let n = line.origin.start as usize;
            prop_assert!(!fact.open);
            prop_assert_eq!(fact.hit, hit.contains(&n), "{}", n);
            let needed = flat.needed(number, &|_| false, &mut steps);
            prop_assert_eq!(needed, Some(world.all(&one(n)).0 != answers), "{}", n);
        }
    }

    #[test]
    fn the_lines_that_are_blamed_take_all_the_packets((plans, accepts) in programs()) {
        let mut plans = plans;
        plans.iter_mut().flatten().for_each(|plan| plan.joined = false);
        let world = world(&plans, accepts);
        for Shadowed { line, cause } in worth(&world.store, &world.snapshot.configurations()[0]).shadowed {
            let Cause::Covered(blockers, more) = cause else { continue };
            prop_assert!(more == 0 && !blockers.is_empty());
            let mine = line.origin.start as usize;
            // With nothing else in the base chains it would still not apply.
            let base = world.lines.iter().take(3).flatten().map(|(n, _)| *n);
            let kept = |n: &usize| *n == mine || blockers.iter().any(|at| at.start as usize == *n);
            let others: BTreeSet<usize> = base.filter(|n| !kept(n)).collect();
            // Where an earlier stage has a hand in it, its lines are named for what they would deny.
            if [0, 2].contains(&line.chain.0) {
                prop_assert!(!world.all(&others).1.contains(&mine), "{mine} by {blockers:?}");
            }
        }
    }
}

/// The lines of one chain, each a source, with what they do: `true` accepts.
fn chain(rules: &[((u8, u8), bool)]) -> World {
    let plan = |((first, last), allows): &((u8, u8), bool)| Plan {
        source: (*first, *last),
        port: (0, 2),
        states: 3,
        opaque: None,
        action: if *allows { 0 } else { 3 },
        joined: false,
    };
    let plans = rules.iter().map(plan).collect();
    world(&[Vec::new(), Vec::new(), plans, Vec::new(), Vec::new()], [true, true, false])
}

fn said(world: &World) -> (Vec<(u32, Cause)>, Vec<u32>) {
    let Worth { shadowed, redundant, .. } = worth(&world.store, &world.snapshot.configurations()[0]);
    let shadowed = shadowed.into_iter().map(|Shadowed { line, cause }| (line.origin.start, cause)).collect();
    (shadowed, redundant.into_iter().map(|redundant| redundant.line.origin.start).collect())
}

#[test]
fn two_halves_shadow_the_whole() {
    let world = chain(&[((0, 1), true), ((2, 3), true), ((0, 3), false)]);
    assert_eq!(said(&world), (vec![(3, Cause::Covered(vec![span(2), span(1)], 0))], vec![]));
}

#[test]
fn one_broad_line_is_blamed_before_many_small_ones() {
    let world = chain(&[((0, 0), true), ((1, 1), true), ((0, 2), false), ((0, 1), true)]);
    assert_eq!(said(&world).0, [(4, Cause::Covered(vec![span(3)], 0))]);
}

#[test]
fn of_two_equal_lines_the_second_is_shadowed_and_the_first_is_not_redundant() {
    let world = chain(&[((1, 1), true), ((1, 1), true)]);
    assert_eq!(said(&world), (vec![(2, Cause::Covered(vec![span(1)], 0))], vec![]));
}

#[test]
fn what_comes_after_makes_a_line_redundant() {
    let world = chain(&[((1, 1), true), ((0, 2), true), ((3, 3), false)]);
    assert_eq!(said(&world), (vec![], vec![1, 3]));
}

#[test]
fn lines_can_go_together_that_cannot_go_one_after_the_other() {
    let plan = |source, action| Plan { source, port: (0, 2), states: 3, opaque: None, action, joined: false };
    let (jump, deny) = (7, 3);
    let first = vec![plan((0, 0), 0), plan((0, 3), jump)];
    let called = vec![plan((0, 0), deny), plan((0, 3), deny)];
    let world = world(&[first, vec![plan((0, 3), jump)], Vec::new(), called, Vec::new()], [false, true, false]);
    let worth = worth(&world.store, &world.snapshot.configurations()[0]);
    assert_eq!(numbers(worth.redundant.iter().map(|r| &r.line)), BTreeSet::from([1, 2, 4, 5]));
    assert!(worth.together);
}

#[test]
fn lines_that_stand_in_for_one_another_cannot_all_go() {
    // Sources 0 to 3; the first is covered by the second, the second by the first and the third.
    let world = chain(&[((1, 1), true), ((1, 2), true), ((2, 3), true)]);
    let worth = worth(&world.store, &world.snapshot.configurations()[0]);
    assert_eq!(numbers(worth.redundant.iter().map(|r| &r.line)), BTreeSet::from([1, 2]));
    assert!(!worth.together);
}
