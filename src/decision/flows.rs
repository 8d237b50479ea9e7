//! Differences as lists of flows.

use super::report::SummaryLine;
use crate::diff::{Delta, Found};
use crate::model::{Literal, Store};
use crate::net::{Family, Field, Naming, Region, Set, show_conditions, show_either_family, show_region};
use crate::text::escape;
use std::collections::{BTreeMap, HashMap};

/// How many flows of one filter and direction are listed.
const LISTED: usize = 1_000;
/// After so many bytes no further flow is listed: sets may be long.
const LENGTH: usize = 1 << 20;
/// With more flows than this, a summary of them is made.
const MANY: usize = 12;

/// One flow with its conditions.
pub(super) fn show(region: &Region, conditions: &[Literal], store: &Store, names: &dyn Naming) -> String {
    show_region(region, names) + &show_literals(conditions, store)
}

fn show_literals(conditions: &[Literal], store: &Store) -> String {
    let texts: Vec<_> = conditions.iter().map(|l| (l.holds, escape(store.opaque_text(l.opaque).as_bytes()))).collect();
    show_conditions(texts.iter().map(|(holds, text)| (*holds, text.as_str())))
}

/// The flows of a difference in its order, as many as are listed, and how many there are. What says nothing of
/// addresses and is there for both families is one.
pub(super) fn list(found: &Found, store: &Store, names: &dyn Naming) -> (Vec<String>, usize) {
    let mut families: HashMap<_, u8> = HashMap::new();
    for delta in found.deltas.iter().filter(|delta| !names_addresses(&delta.region)) {
        *families.entry(without_family(delta)).or_default() |= bit(delta.region.family());
    }
    let (mut flows, mut total, mut length) = (Vec::new(), 0, 0);
    for delta in &found.deltas {
        let both = || families.get(&without_family(delta)) == Some(&(bit(Family::Ipv4) | bit(Family::Ipv6)));
        let either = !names_addresses(&delta.region) && both();
        if either && delta.region.family() == Family::Ipv6 {
            continue;
        }
        total += 1;
        if flows.len() < LISTED && length < LENGTH {
            let show = if either { show_either_family } else { show_region };
            let flow = show(&delta.region, names) + &show_literals(&delta.conditions, store);
            length += flow.len();
            flows.push(flow);
        }
    }
    (flows, total)
}

type Sets<'d> = (&'d [(Field, Set)], &'d [Literal]);

fn without_family(delta: &Delta) -> Sets<'_> {
    (delta.region.sets(), &delta.conditions)
}

fn names_addresses(region: &Region) -> bool {
    region.get(Field::Source).is_some() || region.get(Field::Destination).is_some()
}

const fn bit(family: Family) -> u8 {
    match family {
        Family::Ipv4 => 1,
        Family::Ipv6 => 2,
    }
}

/// The flows by destination and service, when there are many: the line that stands for most of them first.
pub(super) fn summary(found: &Found, names: &dyn Naming) -> Vec<SummaryLine> {
    if found.deltas.len() <= MANY {
        return Vec::new();
    }
    let shadow = |delta: &Delta| {
        let kept = [Field::Destination, Field::Protocol, Field::DestinationPort];
        let all = Region::all(delta.region.family());
        kept.into_iter().fold(all, |out, field| match delta.region.get(field) {
            Some(set) => out.with(field, set),
            None => out,
        })
    };
    let mut lines: BTreeMap<Region, usize> = BTreeMap::new();
    for delta in &found.deltas {
        *lines.entry(shadow(delta)).or_default() += 1;
    }
    for field in [Field::Destination, Field::DestinationPort, Field::Protocol] {
        lines = merge(lines, field);
    }
    let mut lines: Vec<_> = lines.into_iter().collect();
    lines.sort_by_key(|(_, flows)| std::cmp::Reverse(*flows));
    lines.into_iter().map(|(region, flows)| SummaryLine { flow: show_region(&region, names), flows }).collect()
}

/// Makes one of those regions that differ in `field` only.
fn merge(lines: BTreeMap<Region, usize>, field: Field) -> BTreeMap<Region, usize> {
    let mut groups: BTreeMap<Region, (Vec<(u128, u128)>, usize)> = BTreeMap::new();
    for (region, flows) in lines {
        let all = field.all(region.family());
        let group = groups.entry(region.clone().without(field)).or_default();
        group.0.extend(region.get(field).unwrap_or(&all).ranges());
        group.1 += flows;
    }
    let join =
        |(rest, (ranges, flows)): (Region, (Vec<_>, usize))| (rest.with(field, &Set::from_ranges(ranges)), flows);
    groups.into_iter().map(join).collect()
}
