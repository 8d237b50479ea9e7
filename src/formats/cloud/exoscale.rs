//! Exoscale security groups.
//!
//! registry: `exoscale_security_group`, `exoscale_security_group_rule`, `exoscale_security_group_rules`; community.exoscale.com,
//! "Security Groups".

use super::attributes::{Attributes, Known, messages, peers, port_of, text_of};
use super::line::{Line, Peer};
use super::points::{Direction, Manner};
use super::words::{between, direction, end_of, from_to, has_ports, protocol, service, to_ports};
use super::{Instance, Lowering, Mine, conditions};
use crate::formats::data::value::Value;

pub(super) const KINDS: &[&str] =
    &["exoscale_security_group", "exoscale_security_group_rule", "exoscale_security_group_rules"];

const GROUPS: &[&str] = &["exoscale_security_group"];

/// "All outgoing traffic is allowed. All incoming traffic is forbidden. … However, as soon as you define an outbound rule,
/// outbound traffic is only allowed for the defined outbound rules" (community.exoscale.com, "Security Groups").
const fn manner(direction: Direction) -> Manner {
    match direction {
        Direction::Ingress => Manner::GROUP,
        Direction::Egress => Manner { absent: true, otherwise: true, ..Manner::GROUP },
    }
}

pub(super) fn lower(lowering: &mut Lowering<'_, '_>, mine: &Mine<'_>) {
    let mut externals: Vec<(String, Vec<Peer>)> = Vec::new();
    for (kind, instance) in mine.iter().filter(|(kind, _)| *kind == "exoscale_security_group") {
        for direction in Direction::BOTH {
            lowering.declare(instance, direction, manner(direction));
        }
        let Some(mut group) = Attributes::open(&instance.body, lowering.account) else { continue };
        group.inert(&["name", "description", "id", "labels", "zone"], "not about packets", lowering.account);
        // "A list of external network sources": members that are no instances.
        let sources = peers(&group.items("external_sources"), "address", None, lowering.account);
        group.close(lowering.account);
        lowering.group(kind, instance, &[]);
        externals.push((instance.address.to_string(), sources));
    }
    let mut closing: Vec<(String, Line)> = Vec::new();
    for (kind, instance) in mine.iter().filter(|(kind, _)| *kind != "exoscale_security_group") {
        let Some(mut rule) = Attributes::open(&instance.body, lowering.account) else { continue };
        rule.at = instance.origin;
        let group =
            rule.text("security_group_id", lowering.account).or_else(|| rule.text("security_group", lowering.account));
        let of = match group {
            Some(known) => lowering.target(&known, GROUPS, instance.origin),
            None => {
                lowering.account.gap(instance.origin, "the rule is of no group");
                format!("group of {}", instance.address)
            }
        };
        let mut lines = if *kind == "exoscale_security_group_rule" {
            single(lowering, &mut rule, &externals)
        } else {
            several(lowering, &mut rule, instance, &externals)
        };
        rule.inert(&["id"], "not about packets", lowering.account);
        rule.close(lowering.account);
        for (_, line) in &mut lines {
            line.conditions.extend(conditions(instance));
        }
        let egress = lines.iter().filter(|(direction, _)| *direction == Direction::Egress);
        closing.extend(egress.map(|(_, line)| (of.clone(), line.clone())));
        lowering.rules(kind, instance, &of, &lines);
        lowering.add(&of, manner, lines);
    }
    for (group, line) in closing {
        lowering.points.close(&group, Direction::Egress, &line.conditions, line.origin);
    }
}

fn single(
    lowering: &mut Lowering<'_, '_>,
    rule: &mut Attributes<'_>,
    externals: &[(String, Vec<Peer>)],
) -> Vec<(Direction, Line)> {
    let Some(direction) = direction(rule, "type", ["INGRESS", "EGRESS"], lowering) else { return Vec::new() };
    let end = end_of(direction);
    let mut far = peers(&rule.items("cidr"), end, None, lowering.account);
    for name in ["user_security_group_id", "user_security_group"] {
        for other in rule.items(name).all() {
            far.extend(members(lowering, &other, end, externals));
        }
    }
    for other in rule.items("public_security_group").all() {
        far.push(lowering.members(&other, end, &[]));
    }
    if far.is_empty() {
        lowering.account.gap(rule.at, "the rule names neither a prefix nor a group: Exoscale refuses it");
    }
    // The provider's default is TCP.
    let protocol = protocol(rule, "protocol", &["all"], lowering).unwrap_or(Ok(Some(6)));
    // The provider does not send the port 0: it is as good as not given.
    let given = |port: &Known<i128>| *port != Known::Is(0);
    let first = rule.number("start_port", lowering.account);
    let last = rule.number("end_port", lowering.account).filter(given);
    if last.is_none() {
        rule.inert(&["end_port"], "0 is not given", lowering.account);
        if !first.as_ref().is_some_and(given) {
            rule.inert(&["start_port"], "0 is not given", lowering.account);
        }
    }
    let message = icmp(rule, lowering);
    let mut service = service(protocol.clone());
    match (&protocol, &first, &last) {
        (Ok(Some(1 | 58)), _, _) => {
            service = messages(service, message[0].as_ref(), message[1].as_ref(), rule.at, lowering.account);
        }
        (_, Some(first), Some(last)) if has_ports(&protocol) => {
            service = from_to(service, first, last, rule.at, lowering.account);
        }
        (_, Some(first), None) if has_ports(&protocol) && given(first) => {
            lowering.account.gap(rule.at, "the rule has a `start_port` and no `end_port`");
        }
        (_, None, Some(_)) if has_ports(&protocol) => {
            lowering.account.gap(rule.at, "the rule has an `end_port` and no `start_port`");
        }
        (_, Some(_) | None, Some(_) | None) => {}
    }
    if !matches!(protocol, Ok(Some(1 | 58))) {
        rule.inert(&["icmp_type", "icmp_code"], "the protocol is not ICMP", lowering.account);
    }
    if !has_ports(&protocol) {
        rule.inert(&["start_port", "end_port"], "the protocol has no ports", lowering.account);
    }
    let mut line = Line::new(true, rule.at);
    line.comment = rule.comment("description", lowering.account);
    line.services = vec![service];
    between(&mut line, direction, far);
    vec![(direction, line)]
}

/// Type and code of ICMP: the provider sends 0 for what is not given.
fn icmp(rule: &mut Attributes<'_>, lowering: &mut Lowering<'_, '_>) -> [Option<Known<i128>>; 2] {
    ["icmp_type", "icmp_code"].map(|name| Some(rule.number(name, lowering.account).unwrap_or(Known::Is(0))))
}

/// Blocks of prefixes, groups and ports.
fn several(
    lowering: &mut Lowering<'_, '_>,
    rules: &mut Attributes<'_>,
    instance: &Instance,
    externals: &[(String, Vec<Peer>)],
) -> Vec<(Direction, Line)> {
    let mut out = Vec::new();
    for direction in Direction::BOTH {
        let end = end_of(direction);
        for (block, condition) in rules.items(direction.name()).with_conditions(&instance.address) {
            let Some(mut rule) = Attributes::open(block, lowering.account) else { continue };
            let mut far = peers(&rule.items("cidr_list"), end, None, lowering.account);
            for other in rule.items("user_security_group_list").all() {
                far.extend(members(lowering, &other, end, externals));
            }
            let protocol = protocol(&mut rule, "protocol", &["all"], lowering).unwrap_or(Ok(Some(6)));
            let message = icmp(&mut rule, lowering);
            let mut services = Vec::new();
            for port in rule.items("ports").all() {
                let Some(known) = port_of(&port, lowering.account) else { continue };
                services.push(to_ports(service(protocol.clone()), &known, &[], port.at, lowering.account));
            }
            if services.is_empty() {
                let mut all = service(protocol.clone());
                if matches!(protocol, Ok(Some(1 | 58))) {
                    all = messages(all, message[0].as_ref(), message[1].as_ref(), rule.at, lowering.account);
                }
                services.push(all);
            }
            if !matches!(protocol, Ok(Some(1 | 58))) {
                rule.inert(&["icmp_type", "icmp_code"], "the protocol is not ICMP", lowering.account);
            }
            let mut line = Line::new(true, block.at);
            line.comment = rule.comment("description", lowering.account);
            line.conditions.extend(condition);
            line.services = services;
            between(&mut line, direction, far);
            rule.inert(&["ids"], "not about packets", lowering.account);
            rule.close(lowering.account);
            out.push((direction, line));
        }
    }
    out
}

/// Members of a group, and its external sources where they are known.
fn members(lowering: &mut Lowering<'_, '_>, other: &Value, end: &str, externals: &[(String, Vec<Peer>)]) -> Vec<Peer> {
    let known = text_of(other, "group", lowering.account);
    let name = known.map(|known| lowering.target(&known, GROUPS, other.at));
    let mut out = vec![lowering.members(other, end, GROUPS)];
    let sources = externals.iter().filter(|(address, _)| Some(address) == name.as_ref());
    out.extend(sources.flat_map(|(_, sources)| sources.iter().filter(|peer| matches!(peer, Peer::Known(..))).cloned()));
    out
}
