//! What balancers of every format have in common: which packets their listeners take.
//!
//! A reader puts listeners and backends into the configuration and calls [`finish`] at the end.

use super::Reading;
use crate::model::{
    Action, Condition, Draft, Endpoint, Families, Filter, LISTENERS, Listener, Literal, OpaqueId, Outcome, Protocol,
    Stage, Store, Subject, Table, TableId, Test,
};
use crate::net::{Family, Field, Pattern, Region, Set, State};
use crate::text::{Span, escape};
use std::collections::BTreeMap;

/// More alternatives than this are one condition whose truth is not known.
const MOST: usize = 200;

/// Servers that are there by number, each counted behind each balancer: a few lines can say that there are a great many.
#[derive(Debug, Default)]
pub(super) struct Numbered(u32);

impl Numbered {
    /// More of one group than this are not counted, …
    const OF_ONE: u32 = 1_000;
    /// … nor more of all groups.
    const OF_ALL: u32 = 200_000;

    /// How many of a group are counted; where those are not all of them, why. They are called `many`, and the group `of`.
    pub(super) fn count(&mut self, all: u32, (many, of): (&str, &str), gap: &mut dyn FnMut(String)) -> u32 {
        if all > Self::OF_ONE {
            gap(format!("more {many} of one {of} than {} are not counted", Self::OF_ONE));
        }
        let all = all.min(Self::OF_ONE);
        self.0 = self.0.saturating_add(all);
        if self.0 > Self::OF_ALL {
            gap(format!("more {many} of all {of}s than {} are not counted", Self::OF_ALL));
            return 0;
        }
        all
    }
}

/// Adds the filter `<configuration>/listeners`: the packets that begin a connection with one of the listeners, of which some
/// request may be answered. So what is refused because of where it comes from is denied; what is refused of some hosts or
/// paths only is not, and is told as a difference of requests. Nothing listens without it, so packets are denied then.
pub(super) fn finish(reading: &mut Reading<'_>) {
    let Reading { configuration, store, .. } = reading;
    if configuration.listeners.is_empty() {
        return;
    }
    let mut table = Table::new(LISTENERS);
    let name = store.symbol(LISTENERS.as_bytes());
    let id = table.chain(name);
    let mut rules: Vec<(Draft, Action, Span)> = Vec::new();
    let mut opaques: BTreeMap<OpaqueId, Span> = BTreeMap::new();
    let mut ends: Vec<(&Listener, &Endpoint)> = configuration
        .listeners
        .iter()
        .flat_map(|listener| listener.endpoints.iter().map(move |e| (listener, e)))
        .collect();
    // An address of its own comes before all addresses: its listener is the one that is met. One that is not known is not one
    // that is: no two listeners have the same.
    ends.sort_by_key(|(_, endpoint)| (endpoint.address.starts_with("any"), endpoint.addresses.is_none()));
    for (listener, endpoint) in ends {
        for (draft, literals) in places(listener, endpoint, store) {
            for literal in &literals {
                opaques.entry(literal.opaque).or_insert(endpoint.origin);
            }
            rules.extend(decisions(listener, endpoint.origin, &draft, store, &mut opaques));
        }
    }
    let chain = &mut table.chains[0];
    for (draft, action, at) in rules {
        if draft.families() != Families::NONE {
            let rule = store.rule(draft, action);
            chain.push(rule, at);
        }
    }
    let at = TableId(u32::try_from(configuration.tables.len()).expect("fewer than 2^32 tables"));
    configuration.tables.push(table);
    configuration.filters.push(Filter {
        id: format!("{}/{LISTENERS}", configuration.name),
        domain: Family::ALL.into_iter().map(domain).collect(),
        stages: vec![Stage {
            table: at,
            chain: id,
            families: Families::BOTH,
            otherwise: Action::Deny,
            otherwise_at: None,
        }],
        absent: false,
    });
    configuration.filters.sort_by(|a, b| a.id.cmp(&b.id));
    configuration.opaques.extend(opaques);
}

/// What begins a connection.
fn domain(family: Family) -> Region {
    Region::all(family)
        .with(Field::Protocol, &Set::from_ranges([(TCP, TCP), (UDP, UDP)]))
        .with(Field::Input, &Set::point(0))
        .with(Field::Output, &Set::point(0))
        .with(Field::State, &Set::point(State::New.value()))
        .with(Field::LaterFragment, &Set::point(0))
}

const TCP: u128 = 6;
const UDP: u128 = 17;

/// The packets to an endpoint, and the conditions for what of it is not known. Nothing for a socket of the file system.
fn places(listener: &Listener, endpoint: &Endpoint, store: &mut Store) -> Vec<(Draft, Vec<Literal>)> {
    let Endpoint { address, addresses, ports, tls: _, origin: _ } = endpoint;
    if address.starts_with('/') || address.starts_with('@') {
        return Vec::new();
    }
    let protocol = if listener.protocol == Protocol::Udp { UDP } else { TCP };
    let mut out = Vec::new();
    for family in Family::ALL {
        let mut draft = Draft::new(Families::only(family));
        let mut literals = Vec::new();
        draft.restrict(Field::Protocol, &Set::point(protocol));
        match addresses {
            Some((ipv4, ipv6)) => {
                let set = if family == Family::Ipv4 { ipv4 } else { ipv6 };
                draft.addresses(Field::Destination, family, set);
            }
            None => literals.push(opaque(&format!("destination is {}", escape(address.as_bytes())), store)),
        }
        match ports {
            Some((first, last)) => {
                draft.restrict(Field::DestinationPort, &Set::range((*first).into(), (*last).into()));
            }
            None => {
                let name = escape(listener.name.as_bytes());
                literals.push(opaque(&format!("destination port is the one of listener {name}"), store));
            }
        }
        for literal in &literals {
            draft.require(*literal);
        }
        out.push((draft, literals));
    }
    out
}

fn opaque(text: &str, store: &mut Store) -> Literal {
    Literal { opaque: store.opaque(text), holds: true }
}

/// Whether packets to an endpoint are taken, line by line.
fn decisions(
    listener: &Listener,
    end: Span,
    to: &Draft,
    store: &mut Store,
    opaques: &mut BTreeMap<OpaqueId, Span>,
) -> Vec<(Draft, Action, Span)> {
    let action = |outcome: &Outcome| match outcome {
        Outcome::Refused(_) => Action::Deny,
        Outcome::Backend(_) | Outcome::Answered(_) | Outcome::Computed(_) => Action::Accept,
    };
    let last = action(&listener.otherwise);
    // What comes after the last line that does anything else is as good as the end.
    let decisive = listener.routes.iter().rposition(|route| action(&route.outcome) != last).map_or(0, |at| at + 1);
    let mut out = Vec::new();
    for route in listener.routes.iter().take(decisive) {
        let cubes = cubes(&route.condition, true, store).unwrap_or_else(|| {
            let text = format!("a request is as {:?} asks", route.condition);
            vec![Cube { literals: vec![opaque(&text, store)], ..Cube::any() }]
        });
        for cube in cubes {
            let Cube { ipv4, ipv6, literals, partial } = cube;
            if partial && action(&route.outcome) == Action::Deny {
                continue;
            }
            let mut draft = to.clone();
            let all = literals.is_empty() && ipv4 == every().0 && ipv6 == every().1;
            let (family, set) =
                if to.families().contains(Family::Ipv4) { (Family::Ipv4, ipv4) } else { (Family::Ipv6, ipv6) };
            draft.addresses(Field::Source, family, &set);
            for literal in literals {
                opaques.entry(literal.opaque).or_insert(route.origin);
                draft.require(literal);
            }
            out.push((draft, action(&route.outcome), route.origin));
            if all {
                return out;
            }
        }
    }
    out.push((to.clone(), last, listener.otherwise_at.filter(|_| last == Action::Deny).unwrap_or(end)));
    out
}

/// Sources and opaque conditions that are asked together.
#[derive(Debug, Clone)]
struct Cube {
    ipv4: Set,
    ipv6: Set,
    literals: Vec<Literal>,
    /// Whether a request is asked something besides.
    partial: bool,
}

impl Cube {
    fn any() -> Self {
        let (ipv4, ipv6) = every();
        Self { ipv4, ipv6, literals: Vec::new(), partial: false }
    }

    fn and(&self, other: &Self) -> Option<Self> {
        let literals: Vec<Literal> = self.literals.iter().chain(&other.literals).copied().collect();
        let contradicts = |a: &Literal| literals.iter().any(|b| a.opaque == b.opaque && a.holds != b.holds);
        let (ipv4, ipv6) = (self.ipv4.intersection(&other.ipv4), self.ipv6.intersection(&other.ipv6));
        if literals.iter().any(contradicts) || (ipv4.is_empty() && ipv6.is_empty()) {
            return None;
        }
        Some(Self { ipv4, ipv6, literals, partial: self.partial || other.partial })
    }
}

/// A condition, or its negation, as alternatives; `None`: too many.
fn cubes(condition: &Condition, holds: bool, store: &mut Store) -> Option<Vec<Cube>> {
    match condition {
        Condition::Always if holds => Some(vec![Cube::any()]),
        Condition::Never if !holds => Some(vec![Cube::any()]),
        Condition::Always | Condition::Never => Some(Vec::new()),
        Condition::Opaque(opaque) => {
            Some(vec![Cube { literals: vec![Literal { opaque: *opaque, holds }], ..Cube::any() }])
        }
        Condition::Test(id) => Some(vec![match store.get_test(*id).clone() {
            Test::Source { ipv4, ipv6 } => {
                let take = |set: Set, family| if holds { set } else { Field::Source.all(family).difference(&set) };
                Cube { ipv4: take(ipv4, Family::Ipv4), ipv6: take(ipv6, Family::Ipv6), ..Cube::any() }
            }
            Test::Text(..) => Cube { partial: true, ..Cube::any() },
        }]),
        Condition::Not(inner) => cubes(inner, !holds, store),
        Condition::All(parts) if holds => product(parts, holds, store),
        Condition::Any(parts) if !holds => product(parts, holds, store),
        Condition::All(parts) | Condition::Any(parts) => {
            let mut out = Vec::new();
            for part in parts.iter() {
                out.extend(cubes(part, holds, store)?);
                if out.len() > MOST {
                    return None;
                }
            }
            Some(out)
        }
    }
}

fn product(parts: &[Condition], holds: bool, store: &mut Store) -> Option<Vec<Cube>> {
    let mut out = vec![Cube::any()];
    for part in parts {
        let next = cubes(part, holds, store)?;
        out = out.iter().flat_map(|a| next.iter().filter_map(|b| a.and(b))).collect();
        if out.len() > MOST {
            return None;
        }
    }
    Some(out)
}

/// Every address.
pub(super) fn every() -> (Set, Set) {
    (Field::Source.all(Family::Ipv4), Field::Source.all(Family::Ipv6))
}

/// The addresses of an endpoint as it is called: `any`, `any-ipv4`, `any-ipv6`, an address; `None`: something else.
pub(super) fn addresses(text: &str) -> Option<(Set, Set)> {
    let (ipv4, ipv6) = every();
    match text {
        "any" => Some((ipv4, ipv6)),
        "any-ipv4" => Some((ipv4, Set::empty())),
        "any-ipv6" => Some((Set::empty(), ipv6)),
        other => match crate::net::parse_address(other)? {
            (Family::Ipv4, address) => Some((Set::point(address), Set::empty())),
            (Family::Ipv6, address) => Some((Set::empty(), Set::point(address))),
        },
    }
}

/// A question to requests about a text; what all of them answer with yes is none.
pub(super) fn text(store: &mut Store, subject: Subject, mut patterns: Vec<Pattern>) -> Condition {
    patterns.sort();
    patterns.dedup();
    let every = if subject == Subject::Path { Pattern::prefix("/") } else { Pattern::prefix("") };
    if patterns.contains(&every) {
        return Condition::Always;
    }
    Condition::Test(store.test(Test::Text(subject, patterns)))
}

/// Whether a request comes from one of these addresses.
pub(super) fn source(store: &mut Store, ipv4: Set, ipv6: Set) -> Condition {
    if (&ipv4, &ipv6) == (&every().0, &every().1) {
        return Condition::Always;
    }
    if ipv4.is_empty() && ipv6.is_empty() {
        return Condition::Never;
    }
    Condition::Test(store.test(Test::Source { ipv4, ipv6 }))
}
