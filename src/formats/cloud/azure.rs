//! Azure network security groups.
//!
//! registry: `azurerm_network_security_group`, `azurerm_network_security_rule`; learn.microsoft.com, "Network security groups".

use super::attributes::{Attributes, Known, addresses, peers, port_of, port_range};
use super::line::{Condition, Line, Peer, Service};
use super::points::{Direction, Manner, Ranks};
use super::words::{direction, of_both_families, verb};
use super::{Instance, Lowering, Mine, conditions};
use crate::net::Set;
use crate::text::escape;

pub(super) const KINDS: &[&str] =
    &["azurerm_network_security_group", "azurerm_network_security_rule", "azurerm_application_security_group"];

const GROUPS: &[&str] = &["azurerm_network_security_group"];
const APPLICATIONS: &[&str] = &["azurerm_application_security_group"];

/// "Rules are processed in priority order, with lower numbers processed before higher numbers … Once traffic matches a rule,
/// processing stops"; "you can't remove the default rules"; "the flow record allows a network security group to be stateful"
/// (learn.microsoft.com, "Azure network security groups overview"). Where no group is, all traffic is allowed.
const MANNER: Manner = Manner { absent: true, otherwise: false, tracks: true, ordered: true, ipv6: true };

/// "You can't create two security rules with the same priority and direction."
const PRIORITY: &str = "priority";
/// "A number between 100 and 4096."
const PRIORITIES: std::ops::RangeInclusive<i128> = 100..=4096;

pub(super) fn lower(lowering: &mut Lowering<'_, '_>, mine: &Mine<'_>) {
    let mut ranks = Ranks::default();
    for (kind, instance) in mine {
        match *kind {
            "azurerm_network_security_group" => group(lowering, kind, instance, &mut ranks),
            "azurerm_network_security_rule" => single(lowering, kind, instance, &mut ranks),
            _ => application(lowering, kind, instance),
        }
    }
}

fn application(lowering: &mut Lowering<'_, '_>, kind: &'static str, instance: &Instance) {
    let Some(mut group) = Attributes::open(&instance.body, lowering.account) else { return };
    group.inert(
        &["name", "location", "resource_group_name", "tags", "id", "timeouts"],
        "not about packets",
        lowering.account,
    );
    group.close(lowering.account);
    let content = super::content::of(&instance.body, &[]);
    lowering.object(kind, instance, content);
}

fn group(lowering: &mut Lowering<'_, '_>, kind: &'static str, instance: &Instance, ranks: &mut Ranks) {
    for direction in Direction::BOTH {
        lowering.declare(instance, direction, MANNER);
    }
    let Some(mut group) = Attributes::open(&instance.body, lowering.account) else { return };
    for (block, condition) in group.items("security_rule").with_conditions(&instance.address) {
        if block.name_of_unknown().is_some() {
            for direction in Direction::BOTH {
                let mut line = super::words::anything(block.at);
                line.conditions.extend(conditions(instance).into_iter().chain(condition.clone()));
                lowering.points.add(&instance.address, direction, MANNER, line);
            }
            continue;
        }
        let Some(mut rule) = Attributes::open(block, lowering.account) else { continue };
        let line = self::rule(lowering, &mut rule);
        rule.close(lowering.account);
        if let Some((direction, mut line)) = line {
            line.conditions.extend(conditions(instance).into_iter().chain(condition));
            if ranks.take(&instance.address, direction, &line, PRIORITY, lowering.account) {
                lowering.points.add(&instance.address, direction, MANNER, line);
            }
        }
    }
    for (direction, line) in defaults(instance) {
        lowering.points.add(&instance.address, direction, MANNER, line);
    }
    let names = ["name", "location", "resource_group_name", "tags", "id"];
    group.inert(&names, "not about packets", lowering.account);
    group.inert(&["timeouts"], "how it is made and deleted", lowering.account);
    let hosts = ["network_interfaces", "subnets"];
    group.apart(&hosts);
    group.close(lowering.account);
    lowering.attached(instance, &|name| hosts.contains(&name));
    lowering.group(kind, instance, &["security_rule", "network_interfaces", "subnets"]);
}

/// "Default security rules" 65000 and 65001 of each direction; what they leave is denied by those of 65500.
fn defaults(instance: &Instance) -> Vec<(Direction, Line)> {
    let tag = |end: &str, tag: &str| vec![Peer::If(tagged(end, tag))];
    let line = |rank: i128, name: &str, sources: Vec<Peer>, destinations: Vec<Peer>| {
        let mut line = Line::new(true, instance.origin);
        line.rank = rank;
        line.comment = Some(name.into());
        (line.sources, line.destinations) = (sources, destinations);
        line.services = vec![Service::ANY];
        line
    };
    let network = |end: &str| tag(end, "VirtualNetwork");
    vec![
        (Direction::Ingress, line(65000, "AllowVnetInBound", network("source"), network("destination"))),
        (
            Direction::Ingress,
            line(65001, "AllowAzureLoadBalancerInBound", tag("source", "AzureLoadBalancer"), vec![Peer::Any]),
        ),
        (Direction::Egress, line(65000, "AllowVnetOutBound", network("source"), network("destination"))),
        (Direction::Egress, line(65001, "AllowInternetOutBound", vec![Peer::Any], tag("destination", "Internet"))),
    ]
}

fn tagged(end: &str, tag: &str) -> Condition {
    Condition::new(format!("{end} is in the service tag {tag}"))
}

fn single(lowering: &mut Lowering<'_, '_>, kind: &'static str, instance: &Instance, ranks: &mut Ranks) {
    let Some(mut rule) = Attributes::open(&instance.body, lowering.account) else { return };
    rule.at = instance.origin;
    let of = match rule.text("network_security_group_name", lowering.account) {
        Some(known) => lowering.target(&known, GROUPS, instance.origin),
        None => {
            lowering.account.gap(instance.origin, "the rule is of no group");
            format!("group of {}", instance.address)
        }
    };
    let mut lines: Vec<(Direction, Line)> = self::rule(lowering, &mut rule).into_iter().collect();
    rule.inert(&["resource_group_name", "id"], "not about packets", lowering.account);
    rule.inert(&["timeouts"], "how it is made and deleted", lowering.account);
    rule.close(lowering.account);
    for (_, line) in &mut lines {
        line.conditions.extend(conditions(instance));
    }
    lowering.rules(kind, instance, &of, &lines);
    lines.retain(|(direction, line)| ranks.take(&of, *direction, line, PRIORITY, lowering.account));
    lowering.add(&of, |_| MANNER, lines);
}

fn rule(lowering: &mut Lowering<'_, '_>, rule: &mut Attributes<'_>) -> Option<(Direction, Line)> {
    let at = rule.at;
    rule.inert(&["name"], "not about packets", lowering.account);
    let direction = direction(rule, "direction", ["Inbound", "Outbound"], lowering);
    let allow = verb(rule, "access", ["Allow", "Deny"], lowering);
    let rank = match rule.number("priority", lowering.account) {
        Some(Known::Is(rank)) if PRIORITIES.contains(&rank) => Some(rank),
        Some(Known::Is(rank)) => {
            lowering.account.gap(at, format!("{rank} is not a priority: Azure refuses it"));
            None
        }
        Some(Known::Not(name)) => {
            let name = escape(name.as_bytes());
            lowering.account.gap(at, format!("its place is not known, because its priority is not: `{name}`"));
            None
        }
        None => {
            lowering.account.gap(at, "the rule has no priority: Azure refuses it");
            None
        }
    };
    rule.inert(&["priority"], "only the order counts", lowering.account);
    let comment = rule.comment("description", lowering.account);
    let sources = ends(lowering, rule, "source");
    let destinations = ends(lowering, rule, "destination");
    let (from, to) = (ports(lowering, rule, "source"), ports(lowering, rule, "destination"));
    let services = protocols(lowering, rule);
    let services = services.iter().flat_map(|service| from.iter().map(|from| from.of_source(service)));
    let services: Vec<Service> =
        services.flat_map(|service| to.iter().map(|to| to.of_destination(&service)).collect::<Vec<_>>()).collect();
    let services = services.into_iter().flat_map(with_ports).collect();
    let mut line = Line::new(allow?, at);
    line.rank = rank?;
    line.comment = comment;
    (line.sources, line.destinations, line.services) = (sources, destinations, services);
    Some((direction?, line))
}

/// "protocol - … `Tcp`, `Udp`, `Icmp`, `Esp`, `Ah` or `*` (which matches all)".
fn protocols(lowering: &mut Lowering<'_, '_>, rule: &mut Attributes<'_>) -> Vec<Service> {
    match rule.text("protocol", lowering.account) {
        Some(Known::Is(text)) => match &*text.to_ascii_lowercase() {
            "*" => vec![Service::ANY],
            "tcp" => vec![Service::of(6)],
            "udp" => vec![Service::of(17)],
            "icmp" => of_both_families(Service::of(1)),
            "esp" => vec![Service::of(50)],
            "ah" => vec![Service::of(51)],
            _ => {
                let reason = format!("there is no protocol `{}`: Azure refuses it", escape(text.as_bytes()));
                lowering.account.gap(rule.at, reason);
                Vec::new()
            }
        },
        Some(Known::Not(name)) => vec![Service::ANY.given(Condition::new(format!("the protocol is {name}")))],
        None => {
            lowering.account.gap(rule.at, "the rule has no protocol: Azure refuses it");
            Vec::new()
        }
    }
}

/// One end: prefixes, `*`, service tags and application security groups.
fn ends(lowering: &mut Lowering<'_, '_>, rule: &mut Attributes<'_>, end: &str) -> Vec<Peer> {
    let mut out = Vec::new();
    for name in [format!("{end}_address_prefix"), format!("{end}_address_prefixes")] {
        let items = rule.items(&name);
        for item in items.all() {
            let Some(text) = item.as_text().filter(|_| !item.sensitive) else {
                out.extend(peers(&super::attributes::Items::of(&item), end, None, lowering.account));
                continue;
            };
            match addresses(&text) {
                Some((family, set)) => out.push(Peer::Known(family, set)),
                None if &*text == "*" || text.eq_ignore_ascii_case("any") => out.push(Peer::Any),
                None if text.is_empty() => {}
                // "A service tag represents a group of IP address prefixes": `Internet`, `VirtualNetwork`, `Storage.WestEurope`.
                None if text.starts_with(|c: char| c.is_ascii_alphabetic()) && !text.contains(['/', ':']) => {
                    out.push(Peer::If(tagged(end, &text)));
                }
                None => {
                    let reason = format!("`{}` is neither a prefix nor a service tag", escape(text.as_bytes()));
                    lowering.account.gap(item.at, reason);
                }
            }
        }
    }
    for item in rule.items(&format!("{end}_application_security_group_ids")).all() {
        out.push(lowering.members(&item, end, APPLICATIONS));
    }
    if out.is_empty() {
        lowering.account.gap(rule.at, format!("the rule has no {end}: Azure refuses it"));
    }
    out
}

/// Ports of any protocol are ports of those that have some.
fn with_ports(service: Service) -> Vec<Service> {
    let ported = service.ports.is_some() || service.source_ports.is_some();
    if service.protocol.is_some() || !ported {
        return vec![service];
    }
    [6, 17].map(|number| Service { protocol: Some(number), ..service.clone() }).into()
}

/// Ports of one end, or those of which a rule has more.
enum Ports {
    Any,
    These(Set),
    If(Condition),
}

impl Ports {
    fn of_source(&self, service: &Service) -> Service {
        match self {
            Self::Any => service.clone(),
            Self::These(set) => Service { source_ports: Some(set.clone()), ..service.clone() },
            Self::If(condition) => service.clone().given(condition.clone()),
        }
    }

    fn of_destination(&self, service: &Service) -> Service {
        match self {
            Self::Any => service.clone(),
            Self::These(set) => service.clone().to(set.clone()),
            Self::If(condition) => service.clone().given(condition.clone()),
        }
    }
}

/// "A port or range, integer or range between 0 and 65535 or `*`", or a list of them.
fn ports(lowering: &mut Lowering<'_, '_>, rule: &mut Attributes<'_>, end: &str) -> Vec<Ports> {
    let (mut any, mut ranges, mut out) = (false, Vec::new(), Vec::new());
    for name in [format!("{end}_port_range"), format!("{end}_port_ranges")] {
        for item in rule.items(&name).all() {
            match port_of(&item, lowering.account) {
                Some(Known::Is(text)) if &*text == "*" => any = true,
                Some(Known::Is(text)) if text.is_empty() => {}
                Some(Known::Is(text)) => match port_range(&text) {
                    Some(range) => ranges.push(range),
                    None => {
                        let reason = format!("`{}` is not a port or range of ports", escape(text.as_bytes()));
                        lowering.account.gap(item.at, reason);
                    }
                },
                Some(Known::Not(name)) => {
                    out.push(Ports::If(Condition::new(format!("the {end} port is one of {name}"))))
                }
                None => {}
            }
        }
    }
    if any {
        return vec![Ports::Any];
    }
    if !ranges.is_empty() {
        out.push(Ports::These(Set::from_ranges(ranges)));
    }
    if out.is_empty() {
        lowering.account.gap(rule.at, format!("the rule has no {end} ports: Azure refuses it"));
    }
    out
}
