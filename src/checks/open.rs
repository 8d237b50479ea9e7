//! What passes now, in the words of a policy: for whoever writes the first one.

use super::questions::connections;
use super::{Context, Finding, default_action};
use crate::diff::{FilterPair, Question, Side, ask};
use crate::model::Action;
use crate::net::{Family, Field, NoNames, Region, Set, show_region};
use crate::policy::WELL_KNOWN;
use std::collections::BTreeMap;

/// A service that passes a filter, whole connections of it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reached {
    /// As a policy names it: `ssh`, `tcp/443`.
    pub service: String,
    /// From where, for both families; `None`: from anywhere.
    pub from: Option<[Vec<(u128, u128)>; 2]>,
    /// The filter.
    pub filter: String,
}

/// Ranges of ports that are wider are no service.
const WIDE: u128 = 64;

/// The services with a name that rules of inbound filters let pass, and do let pass: not one that the files do not decide.
#[must_use]
pub fn reached(cx: &Context<'_>) -> Vec<Reached> {
    let mut out = Vec::new();
    for pair in cx.change.filters() {
        if !(pair.id.ends_with("/input") || pair.id.ends_with("/ingress")) {
            continue;
        }
        for (name, terms) in WELL_KNOWN {
            for (protocol, first, last) in *terms {
                let service = match (terms.len(), first == last) {
                    (1, _) => (*name).to_owned(),
                    (_, true) => format!("{}/{first}", word(*protocol)),
                    (_, false) => format!("{}/{first}-{last}", word(*protocol)),
                };
                let ports = (u128::from(*protocol), u128::from(*first), u128::from(*last));
                if let Some(sources) = sources(cx, &pair, ports) {
                    let anywhere =
                        [None, Some(sources)].into_iter().find(|from| passes(cx, &pair, ports, from.as_ref()));
                    let ranges = |sources: [Set; 2]| sources.map(|set| set.ranges().iter().collect::<Vec<_>>());
                    out.extend(anywhere.map(|from| Reached {
                        service,
                        from: from.map(ranges),
                        filter: pair.id.to_owned(),
                    }));
                }
            }
        }
    }
    out.sort();
    out
}

const fn word(protocol: u8) -> &'static str {
    match protocol {
        6 => "tcp",
        17 => "udp",
        1 => "icmp",
        _ => "icmpv6",
    }
}

/// The sources for which rules of a filter name a service; `None`: none does.
fn sources(cx: &Context<'_>, pair: &FilterPair<'_>, (protocol, first, last): (u128, u128, u128)) -> Option<[Set; 2]> {
    let sided = pair.head?;
    let store = &cx.change.store;
    let mut found = [Set::empty(), Set::empty()];
    let tables: BTreeMap<u32, _> = sided.filter.stages.iter().map(|stage| (stage.table.0, stage.table)).collect();
    for chain in tables.values().flat_map(|table| &sided.configuration.table(*table).chains) {
        for rule in &chain.rules {
            if store.get(*rule).action() != Action::Accept || !store.literals(*rule).is_empty() {
                continue;
            }
            for (family, found) in Family::ALL.into_iter().zip(&mut found) {
                if !store.get(*rule).families().contains(family) {
                    continue;
                }
                let field = |wanted| {
                    let mut ranges = store.ranges(*rule, family).filter(move |(field, _)| *field == wanted);
                    ranges.next().map(|(_, ranges)| ranges.iter().collect::<Vec<_>>())
                };
                let of_protocol = field(Field::Protocol).is_some_and(|set| Set::from_ranges(set).contains(protocol));
                let narrow = |(from, to): &(u128, u128)| *from <= first && last <= *to && to - from < WIDE;
                let of_ports = field(Field::DestinationPort).is_some_and(|ranges| ranges.iter().any(narrow));
                if of_protocol && of_ports {
                    let from = field(Field::Source).map_or_else(|| Field::Source.all(family), Set::from_ranges);
                    *found = found.union(&from);
                }
            }
        }
    }
    found.iter().any(|set| !set.is_empty()).then_some(found)
}

/// Whether all connections of a service pass, from these sources or from anywhere.
fn passes(cx: &Context<'_>, pair: &FilterPair<'_>, term: (u128, u128, u128), from: Option<&[Set; 2]>) -> bool {
    let region = |(n, family): (usize, Family)| {
        let region = to_ports(family, term);
        match from.and_then(|from| from.get(n)) {
            Some(sources) => region.with(Field::Source, sources),
            None => region,
        }
    };
    let regions: Vec<Region> =
        Family::ALL.into_iter().enumerate().map(region).filter(|region| !region.is_empty()).collect();
    let parts = connections(&regions, cx, pair);
    parts.iter().all(|part| {
        let found = ask(cx.change, pair, part, Question::Denied(Side::Head));
        found.complete && found.deltas.is_empty()
    })
}

/// All packets of a protocol to a range of ports.
fn to_ports(family: Family, (protocol, first, last): (u128, u128, u128)) -> Region {
    Region::all(family)
        .with(Field::Protocol, &Set::point(protocol))
        .with(Field::DestinationPort, &Set::range(first, last))
}

/// The filters that deny whatever no rule decides.
#[must_use]
pub fn closed(cx: &Context<'_>) -> Vec<String> {
    let head = cx.change.filters().into_iter().filter_map(|pair| pair.head.map(|head| (pair.id, head)));
    let closed = head.filter(|(_, head)| default_action::let_through(*head, &cx.change.store).is_empty());
    closed.map(|(id, _)| id.to_owned()).collect()
}

/// What a finding about packets that pass is about, for whoever lets them pass on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Opened {
    /// From everywhere, to these services.
    Services(Vec<&'static str>),
    /// From some addresses: the flow, as a policy writes it.
    Flow(String, Region),
}

/// What passes according to a finding.
#[must_use]
pub fn opened(finding: &Finding) -> Opened {
    let all = || WELL_KNOWN.iter().map(|(name, _)| *name).collect();
    let (Some((region, _)), 0) = (&finding.flow, finding.unlisted) else { return Opened::Services(all()) };
    if region.get(Field::Source).is_some_and(|set| *set != Field::Source.all(region.family())) {
        let plain = [Field::State, Field::TcpFlags, Field::LaterFragment, Field::Input, Field::Output];
        let flow = plain.into_iter().fold(region.clone(), Region::without);
        return Opened::Flow(show_region(&flow, &NoNames), flow);
    }
    let touched = |terms: &[(u8, u16, u16)]| {
        terms.iter().any(|(protocol, first, last)| {
            let has = |field, set: &Set| region.get(field).is_none_or(|mine| mine.overlaps(set));
            has(Field::Protocol, &Set::point((*protocol).into()))
                && has(Field::DestinationPort, &Set::range((*first).into(), (*last).into()))
        })
    };
    Opened::Services(WELL_KNOWN.iter().filter(|(_, terms)| touched(terms)).map(|(name, _)| *name).collect())
}

/// Whether something of some well-known services is left beside what passes already.
#[must_use]
pub fn left_beside<'r>(services: &[String], flows: impl Iterator<Item = &'r Region>) -> bool {
    let terms = WELL_KNOWN.iter().filter(|(name, _)| services.iter().any(|known| known == name));
    let terms: Vec<_> = terms.flat_map(|(_, terms)| *terms).collect();
    let of = |family| {
        terms
            .iter()
            .map(move |(protocol, first, last)| to_ports(family, ((*protocol).into(), (*first).into(), (*last).into())))
    };
    let all: Vec<Region> = Family::ALL.into_iter().flat_map(of).collect();
    !flows.fold(all, |left, hole| left.iter().flat_map(|region| region.minus(hole)).collect()).is_empty()
}
