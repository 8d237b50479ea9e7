//! Cloud Foundry application security groups: what containers may connect to.
//!
//! docs.cloudfoundry.org, "App Security Groups"; registry: `cloudfoundry_asg`, `cloudfoundry_security_group`; Cloud
//! Controller API v3, "The security group object".

use super::attributes::{Attributes, Items, Known, addresses, peers, port_range};
use super::line::{Condition, Line, Peer, Service};
use super::points::{Direction, Manner};
use super::{Account, Lowering, Mine, conditions};
use crate::formats::data::value::Value;
use crate::net::{Family, Set};
use crate::text::{Span, escape};
use std::sync::Arc;

pub(super) const KINDS: &[&str] = &["cloudfoundry_asg", "cloudfoundry_security_group"];

/// "ASGs … are a collection of egress rules"; "the default … denies all traffic" until a group allows it, and rules of
/// several groups add up. Without the group nothing of what it allows passes.
const MANNER: Manner = Manner::GROUP;

pub(super) fn lower(lowering: &mut Lowering<'_, '_>, mine: &Mine<'_>) {
    for (kind, instance) in mine {
        let Some(mut group) = Attributes::open(&instance.body, lowering.account) else { continue };
        lowering.points.declare(&instance.address, Direction::Egress, MANNER, instance.origin);
        for name in ["rule", "rules"] {
            for (value, condition) in group.items(name).with_conditions(&instance.address) {
                let Some(mut line) = rule(lowering, value) else { continue };
                line.conditions.extend(conditions(instance).into_iter().chain(condition));
                lowering.points.add(&instance.address, Direction::Egress, MANNER, line);
            }
        }
        let names = ["name", "id", "guid", "created_at", "updated_at", "links"];
        group.inert(&names, "not about packets", lowering.account);
        // Which applications the group is for does not change what it allows them.
        let bound = [
            "globally_enabled",
            "globally_enabled_running",
            "globally_enabled_staging",
            "relationships",
            "running_spaces",
            "staging_spaces",
        ];
        group.inert(&bound, "which applications it is for", lowering.account);
        group.close(lowering.account);
        lowering.group(kind, instance, &["rule", "rules", "links", "guid"]);
    }
}

fn rule(lowering: &mut Lowering<'_, '_>, value: &Value) -> Option<Line> {
    let account = &mut *lowering.account;
    let mut rule = Attributes::open(value, account)?;
    let mut line = Line::new(true, value.at);
    line.sources = vec![Peer::Any];
    line.comment = rule.comment("description", account);
    rule.inert(&["log"], "logging", account);
    let ports = rule.text("ports", account);
    let (kind, code) = (rule.number("type", account), rule.number("code", account));
    line.services = match rule.text("protocol", account) {
        Some(Known::Is(name)) => match &*name {
            "all" => without_ports(Service::ANY, &ports, value.at, account),
            "tcp" => to_ports(Service::of(6), ports, value.at, account),
            "udp" => to_ports(Service::of(17), ports, value.at, account),
            "icmp" => messages(Service::of(1).only(Family::Ipv4), [&kind, &code], &ports, value.at, account),
            "icmpv6" => messages(Service::of(58).only(Family::Ipv6), [&kind, &code], &ports, value.at, account),
            _ => {
                let reason = format!("`{}` is not one of tcp, udp, icmp, icmpv6 and all", escape(name.as_bytes()));
                refuse(value.at, &reason, account)
            }
        },
        Some(Known::Not(name)) => vec![Service::ANY.given(Condition::new(format!("the protocol is {name}")))],
        None => refuse(value.at, "the rule has no protocol", account),
    };
    let destination = rule.items("destination");
    if destination.is_empty() {
        account.gap(value.at, "the rule has no destination: Cloud Foundry refuses it");
    }
    line.destinations = destinations(&destination, account);
    rule.close(account);
    Some(line)
}

fn refuse(at: Span, reason: &str, account: &mut Account) -> Vec<Service> {
    account.gap(at, format!("{reason}: Cloud Foundry refuses it"));
    Vec::new()
}

/// "A single IP address, an IP address range like 192.0.2.0-192.0.2.50, or a CIDR block"; where the operator allows it,
/// a comma-delimited list of those. The Cloud Controller takes no blanks.
fn destinations(items: &Items<'_>, account: &mut Account) -> Vec<Peer> {
    let mut out = Vec::new();
    items.tell_picks(account);
    let mut rest = Items { there: Vec::new(), ..items.clone() };
    for item in &items.there {
        let Some(text) = item.text().filter(|_| !item.sensitive) else {
            rest.there.push(item);
            continue;
        };
        for part in text.split(',') {
            match addresses(part) {
                Some((family, set)) => out.push(Peer::Known(family, set)),
                None => {
                    let part = escape(part.as_bytes());
                    refuse(item.at, &format!("`{part}` is not an address, prefix or range"), account);
                }
            }
        }
    }
    out.extend(peers(&rest, "destination", None, account));
    out
}

/// "A single port, multiple comma-separated ports, or a single range of ports".
fn to_ports(service: Service, ports: Option<Known<Arc<str>>>, at: Span, account: &mut Account) -> Vec<Service> {
    let ports = match ports {
        Some(Known::Is(text)) => text,
        Some(Known::Not(name)) => {
            return vec![service.given(Condition::new(format!("the destination port is one of {name}")))];
        }
        None => return refuse(at, "a rule for tcp or udp has no `ports`", account),
    };
    let ranges: Option<Vec<(u128, u128)>> = ports.split(',').map(port_range).collect();
    match ranges {
        Some(ranges) => vec![service.to(Set::from_ranges(ranges))],
        None => refuse(at, &format!("`{}` are not ports", escape(ports.as_bytes())), account),
    }
}

/// ICMP: "type" and "code" are required, "the value -1 allows all".
fn messages(
    service: Service,
    [kind, code]: [&Option<Known<i128>>; 2],
    ports: &Option<Known<Arc<str>>>,
    at: Span,
    account: &mut Account,
) -> Vec<Service> {
    if kind.is_none() || code.is_none() {
        account.gap(at, "`type` and `code` are required for ICMP: Cloud Foundry refuses it");
    }
    let service = super::attributes::messages(service, kind.as_ref(), code.as_ref(), at, account);
    without_ports(service, ports, at, account)
}

fn without_ports(service: Service, ports: &Option<Known<Arc<str>>>, at: Span, account: &mut Account) -> Vec<Service> {
    if ports.is_some() {
        account.gap(at, "`ports` are not allowed for this protocol: Cloud Foundry refuses it");
    }
    vec![service]
}
