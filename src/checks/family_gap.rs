use super::questions::{in_states, opening};
use super::{Check, Context, Report, Undecided, declare_check};
use crate::diff::{self, FilterPair, Question, Side};
use crate::facts::MissingFact;
use crate::net::{Family, Field, Region, Set, State, show_region};
use crate::policy::{Flows, Services, keys};

declare_check! { id: "family-gap", since: "0.1.0", level: Warn, settings: FamilyGap, alone: Named, sees: Filters }

keys! {
    struct FamilyGap {
        /// The services that are to be open over both families or over none. Default: all of TCP and UDP.
        services: Option<Services>,
    }
}

/// Protocols with ports, which both families have.
const COMMON: [u128; 5] = [6, 17, 33, 132, 136];

impl Check for FamilyGap {
    fn run(&self, cx: &Context<'_>, report: &mut Report<'_>) -> Result<(), MissingFact> {
        let Self { services } = self;
        let flows = Flows { from: None, to: None, services: services.as_ref() };
        for pair in report.scope().filters(cx).into_iter().filter(|pair| pair.head.is_some()) {
            // One that only one family comes to says nothing of the other.
            if !Family::ALL.into_iter().all(|family| meets(&pair, family)) {
                continue;
            }
            let [ipv4, ipv6] = Family::ALL.map(|family| open(cx, &pair, &flows, family));
            let (Some(ipv4), Some(ipv6)) = (ipv4, ipv6) else {
                let message = format!("which services `{}` has open could not be computed within its budget", pair.id);
                let finding = report.undecided(Undecided::TooHard, message, "ask about fewer `services`");
                finding.configuration = Some(pair.configuration.to_owned());
                continue;
            };
            for (family, other, more) in
                [(Family::Ipv4, Family::Ipv6, beyond(&ipv4, &ipv6)), (Family::Ipv6, Family::Ipv4, beyond(&ipv6, &ipv4))]
            {
                for (protocol, ports) in more {
                    let region = Region::all(family)
                        .with(Field::Protocol, &Set::point(protocol))
                        .with(Field::DestinationPort, &ports);
                    let flow = show_region(&region, cx.policy);
                    let message = format!("`{}` has open over {family} and closed over {other}: {flow}", pair.id);
                    let help =
                        "write the rule for both families, or remove it from the one that is not meant to have it";
                    let finding = report.finding(message, help);
                    finding.configuration = Some(pair.configuration.to_owned());
                    finding.filter = Some(pair.id.to_owned());
                    finding.flow = Some((region, Vec::new()));
                }
            }
        }
        Ok(())
    }
}

/// Whether packets of a family come to a filter.
fn meets(pair: &FilterPair<'_>, family: Family) -> bool {
    pair.head.is_some_and(|sided| sided.filter.domain.iter().any(|region| region.family() == family))
}

/// The ports that somebody can reach on head, by protocol; `None`: it could not be found out.
fn open(cx: &Context<'_>, pair: &FilterPair<'_>, flows: &Flows<'_>, family: Family) -> Option<Vec<(u128, Set)>> {
    let mine = flows.regions().into_iter().filter(|region| region.family() == family);
    let asked: Vec<Region> = mine
        .flat_map(|mut region| {
            region.restrict(Field::Protocol, &Set::from_iter(COMMON));
            opening(in_states(region, &[State::New]))
        })
        .collect();
    let found = diff::ask(cx.change, pair, &asked, Question::Allowed(Side::Head));
    let ports = |region: &Region, protocol| {
        let has = region.get(Field::Protocol).is_none_or(|protocols| protocols.contains(protocol));
        has.then(|| region.get(Field::DestinationPort).cloned().unwrap_or_else(|| Field::DestinationPort.all(family)))
    };
    let of = |protocol| {
        let all = found.deltas.iter().filter_map(|delta| ports(&delta.region, protocol));
        (protocol, all.fold(Set::empty(), |all, more| all.union(&more)))
    };
    found.complete.then(|| COMMON.into_iter().map(of).collect())
}

/// What one has and the other has not.
fn beyond(mine: &[(u128, Set)], others: &[(u128, Set)]) -> Vec<(u128, Set)> {
    let rest = mine.iter().zip(others).map(|((protocol, mine), (_, others))| (*protocol, mine.difference(others)));
    rest.filter(|(_, rest)| *rest != Set::empty()).collect()
}
