//! Google Cloud VPC firewall rules.
//!
//! registry: `google_compute_firewall`; cloud.google.com, "VPC firewall rules".

use super::attributes::{Attributes, Known, peers, port_of, text_of};
use super::line::{Condition, Line, Peer, Service};
use super::points::{Direction, Manner};
use super::words::{has_ports, protocol, service, to_ports};
use super::{Instance, Lowering, Mine, conditions};
use crate::formats::Disposition;
use crate::net::{Family, Set};
use crate::text::escape;
use std::collections::{BTreeMap, BTreeSet};

pub(super) const KINDS: &[&str] = &["google_compute_firewall"];

const NETWORKS: &[&str] = &["google_compute_network"];
/// "When not specified, the value assumed is 1000."
const PRIORITY: i128 = 1000;
/// What the decision point of the hosts that no rule names is called.
const OTHERS: &str = "other hosts";

/// "Every VPC network has two implied IPv4 firewall rules" (and two for IPv6): egress is allowed, ingress denied, at the lowest
/// priority. Rules are stateful.
const fn manner(direction: Direction) -> Manner {
    let egress = matches!(direction, Direction::Egress);
    Manner { absent: egress, otherwise: egress, tracks: true, ordered: true, ipv6: true }
}

/// A rule, and the hosts that it is for; none: all of the network.
struct Rule {
    network: String,
    direction: Direction,
    targets: Vec<String>,
    line: Line,
}

pub(super) fn lower(lowering: &mut Lowering<'_, '_>, mine: &Mine<'_>) {
    let mut rules = Vec::new();
    for (kind, instance) in mine {
        let before = rules.len();
        rule(lowering, instance, &mut rules);
        let lines: Vec<(Direction, Line)> =
            rules.iter().skip(before).map(|rule| (rule.direction, rule.line.clone())).collect();
        if lines.is_empty() {
            let content = format!("it does nothing: {}", super::content::of(&instance.body, &[]));
            lowering.object(kind, instance, content);
            continue;
        }
        let targets: BTreeSet<&str> =
            rules.iter().skip(before).flat_map(|rule| &rule.targets).map(String::as_str).collect();
        let targets: Vec<&str> = targets.into_iter().collect();
        let network = rules.get(before).map_or("a network", |rule| &rule.network);
        let of = if targets.is_empty() { network.to_owned() } else { format!("{network} {}", targets.join(", ")) };
        lowering.rules(kind, instance, &of, &lines);
    }
    let mut points: BTreeMap<(&str, Direction), Vec<&Rule>> = BTreeMap::new();
    for rule in &rules {
        points.entry((&rule.network, rule.direction)).or_default().push(rule);
    }
    for ((network, direction), rules) in points {
        let mut targets: Vec<&str> = rules.iter().flat_map(|rule| &rule.targets).map(String::as_str).collect();
        targets.push(OTHERS);
        targets.sort_unstable();
        targets.dedup();
        for target in targets {
            at_target(lowering, network, direction, target, &rules);
        }
    }
}

/// The rules that a host meets which is a target: those for it and for all; and because it may be another target besides, those
/// for others that deny, which could come first, if it is.
///
/// What becomes of any packet at a host that is several targets is what becomes of it at the point of one of these, where
/// exactly the conditions on the host's other targets hold: the rule that decides is there (at any of the points, if it is for
/// all, or none decides), of those before it none matches, and rules that allow and are left out would come after it, or
/// decide themselves at the point of their own target. So all points together leave nothing out.
fn at_target(lowering: &mut Lowering<'_, '_>, network: &str, direction: Direction, target: &str, rules: &[&Rule]) {
    let address = format!("{network}/{target}");
    if let Some(first) = rules.iter().find(|rule| rule.targets.is_empty() || rule.targets.iter().any(|t| t == target)) {
        lowering.points.declare(&address, direction, manner(direction), first.line.origin);
    }
    for Rule { network: _, direction: _, targets, line } in rules {
        let own = targets.is_empty() || targets.iter().any(|other| other == target);
        if own {
            lowering.points.add(&address, direction, manner(direction), line.clone());
        } else if !line.allow && target != OTHERS {
            let mut line = line.clone();
            line.conditions.push(Condition::new(format!("the host is {} as well", targets.join(" or "))));
            lowering.points.add(&address, direction, manner(direction), line);
        }
    }
}

fn rule(lowering: &mut Lowering<'_, '_>, instance: &Instance, out: &mut Vec<Rule>) {
    let Some(mut rule) = Attributes::open(&instance.body, lowering.account) else { return };
    rule.at = instance.origin;
    let at = instance.origin;
    let network = match rule.text("network", lowering.account) {
        Some(known) => lowering.target(&known, NETWORKS, at),
        None => {
            lowering.account.gap(at, "the rule is of no network");
            format!("network of {}", instance.address)
        }
    };
    // Full addresses, partial ones and names are the same network.
    let network = network.rsplit_once("/networks/").map_or(network.as_str(), |(_, name)| name).to_owned();
    let direction = match rule.text("direction", lowering.account) {
        Some(Known::Is(text)) if text.eq_ignore_ascii_case("EGRESS") => Direction::Egress,
        Some(Known::Is(text)) if text.eq_ignore_ascii_case("INGRESS") => Direction::Ingress,
        // "Default value is INGRESS."
        None => Direction::Ingress,
        Some(Known::Not(name)) if name.ends_with(".direction") => Direction::Ingress,
        Some(Known::Is(_) | Known::Not(_)) => {
            lowering.account.gap(at, "the `direction` is neither INGRESS nor EGRESS, or not known");
            Direction::Ingress
        }
    };
    let priority = match rule.number("priority", lowering.account) {
        Some(Known::Is(priority)) => priority,
        None => PRIORITY,
        Some(Known::Not(name)) => {
            let name = escape(name.as_bytes());
            lowering.account.gap(at, format!("its place is not known, because its priority is not: `{name}`"));
            PRIORITY
        }
    };
    rule.inert(&["priority"], "only the order counts", lowering.account);
    let disabled = rule.truth("disabled", lowering.account);
    let mut targets = named(lowering, &mut rule, "target_tags", "tag");
    targets.extend(named(lowering, &mut rule, "target_service_accounts", "service account"));
    let mut sources = peers(&rule.items("source_ranges"), "source", None, lowering.account);
    for (name, what) in [("source_tags", "tag"), ("source_service_accounts", "service account")] {
        let tagged = named(lowering, &mut rule, name, what);
        let hosts =
            tagged.iter().map(|tag| Peer::If(Condition::new(format!("source is a host of {network} with the {tag}"))));
        sources.extend(hosts);
    }
    let mut destinations = peers(&rule.items("destination_ranges"), "destination", None, lowering.account);
    if sources.is_empty() {
        sources.push(match direction {
            Direction::Ingress => everyone(&destinations),
            Direction::Egress => Peer::Any,
        });
    }
    if destinations.is_empty() {
        destinations.push(match direction {
            Direction::Ingress => Peer::Any,
            Direction::Egress => everyone(&sources),
        });
    }
    let comment = rule.comment("description", lowering.account);
    if let Some(Known::Is(true)) = disabled {
        lowering.account.claim(at, Disposition::Inert("a rule that is disabled"));
    }
    let mut any = false;
    for (name, allow) in [("allow", true), ("deny", false)] {
        for (block, condition) in rule.items(name).with_conditions(&instance.address) {
            any = true;
            let Some(services) = services(lowering, block) else { continue };
            let mut line = Line::new(allow, at);
            // "DENY rules take precedence over ALLOW rules having equal priority."
            line.rank = priority * 2 + i128::from(allow);
            line.comment = comment.clone();
            (line.sources, line.destinations) = (sources.clone(), destinations.clone());
            line.services = services;
            line.conditions.extend(conditions(instance).into_iter().chain(condition));
            match &disabled {
                Some(Known::Is(true)) => continue,
                Some(Known::Not(name)) => line.conditions.push(Condition::new(format!("{name} is not true"))),
                Some(Known::Is(false)) | None => {}
            }
            out.push(Rule { network: network.clone(), direction, targets: targets.clone(), line });
        }
    }
    if !any {
        lowering.account.gap(at, "the rule neither allows nor denies: Google refuses it");
    }
    rule.inert(&["name", "project", "id", "self_link", "creation_timestamp"], "not about packets", lowering.account);
    rule.inert(&["log_config", "enable_logging"], "logging", lowering.account);
    rule.inert(&["timeouts", "params"], "how it is made and deleted", lowering.account);
    rule.close(lowering.account);
}

/// The far end of a rule that does not say it: "Google Cloud uses the default source IPv4 address range 0.0.0.0/0 … The default value
/// does not include IPv6 sources" (cloud.google.com, "VPC firewall rules"); unless the near end is one of IPv6.
fn everyone(near: &[Peer]) -> Peer {
    if near.iter().any(|peer| matches!(peer, Peer::Known(Family::Ipv6, _) | Peer::KnownIf(Family::Ipv6, ..))) {
        return Peer::Any;
    }
    Peer::Known(Family::Ipv4, Set::range(0, u32::MAX.into()))
}

/// Names of hosts: `tag web`.
fn named(lowering: &mut Lowering<'_, '_>, rule: &mut Attributes<'_>, name: &str, what: &str) -> Vec<String> {
    let mut out = Vec::new();
    for item in rule.items(name).all() {
        match text_of(&item, what, lowering.account) {
            Some(Known::Is(text)) => out.push(format!("{what} {}", escape(text.as_bytes()))),
            Some(Known::Not(unknown)) => out.push(format!("{what} {}", escape(unknown.as_bytes()))),
            None => {}
        }
    }
    out
}

/// "protocol … tcp, udp, icmp, esp, ah, sctp, ipip, all, or the IP protocol number"; "ports … if not specified, this rule applies to
/// connections through any port".
fn services(lowering: &mut Lowering<'_, '_>, block: &super::Value) -> Option<Vec<Service>> {
    let mut part = Attributes::open(block, lowering.account)?;
    let protocol = protocol(&mut part, "protocol", &["all"], lowering)?;
    let mut out = Vec::new();
    for port in part.items("ports").all() {
        let Some(known) = port_of(&port, lowering.account) else { continue };
        if !has_ports(&protocol) {
            lowering.account.gap(port.at, "ports for a protocol that has none: Google refuses it");
        }
        out.push(to_ports(service(protocol.clone()), &known, &[], port.at, lowering.account));
    }
    if out.is_empty() {
        out.push(service(protocol));
    }
    part.close(lowering.account);
    Some(out)
}
