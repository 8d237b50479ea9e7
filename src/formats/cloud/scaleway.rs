//! Scaleway instance security groups.
//!
//! registry: `scaleway_instance_security_group`, `scaleway_instance_security_group_rules`.

use super::attributes::{Attributes, Known, peers};
use super::line::{Condition, Line, Peer, Service};
use super::points::{Direction, Manner};
use super::words::{between, end_of, of_both_families, protocol, service, to_ports, verb};
use super::{Instance, Lowering, Mine, conditions};
use crate::formats::Disposition;
use crate::net::{Family, Set};
use std::collections::BTreeSet;

pub(super) const KINDS: &[&str] = &["scaleway_instance_security_group", "scaleway_instance_security_group_rules"];

const GROUPS: &[&str] = &["scaleway_instance_security_group"];

/// The rules are looked at in order; "inbound_default_policy - (Defaults to `accept`)", likewise for outbound; a server without
/// this group is in the default one of its project, which accepts.
const MANNER: Manner = Manner { absent: true, otherwise: true, tracks: true, ordered: true, ipv6: true };

const BLOCKS: [(Direction, &str, &str); 2] = [
    (Direction::Ingress, "inbound_rule", "inbound_default_policy"),
    (Direction::Egress, "outbound_rule", "outbound_default_policy"),
];

/// Ranks before those of the rules in order: of what the platform adds, and of rules whose place is not known.
const PLATFORM: i128 = -2;
const ANYWHERE: i128 = -1;

pub(super) fn lower(lowering: &mut Lowering<'_, '_>, mine: &Mine<'_>) {
    let mut ruled = BTreeSet::new();
    for (kind, instance) in mine {
        let Some(mut group) = Attributes::open(&instance.body, lowering.account) else { continue };
        if *kind == "scaleway_instance_security_group" {
            self::group(lowering, kind, instance, &mut group, &mut ruled);
        } else {
            let of = match group.text("security_group_id", lowering.account) {
                Some(known) => lowering.target(&known, GROUPS, instance.origin),
                None => {
                    lowering.account.gap(instance.origin, "the rules are of no group");
                    format!("group of {}", instance.address)
                }
            };
            let lines = rules(lowering, instance, &mut group);
            lowering.rules(kind, instance, &of, &lines);
            in_one_place(lowering, instance, &of, &lines, &mut ruled);
            lowering.add(&of, |_| MANNER, lines);
        }
        group.inert(&["id", "zone"], "not about packets", lowering.account);
        group.close(lowering.account);
    }
}

/// "In order to guaranty rules order in a given security group only one scaleway_instance_security_group_rules is allowed per
/// security group", and none beside rules in the group itself.
fn in_one_place(
    lowering: &mut Lowering<'_, '_>,
    instance: &Instance,
    of: &str,
    lines: &[(Direction, Line)],
    ruled: &mut BTreeSet<String>,
) {
    if !lines.is_empty() && !ruled.insert(of.to_owned()) {
        let reason = "the group has rules in another resource too: which come first is not known";
        lowering.account.gap(instance.origin, reason);
    }
}

fn group(
    lowering: &mut Lowering<'_, '_>,
    kind: &'static str,
    instance: &Instance,
    group: &mut Attributes<'_>,
    ruled: &mut BTreeSet<String>,
) {
    // "stateful - (Defaults to `true`)".
    let tracks = match group.truth("stateful", lowering.account) {
        Some(Known::Is(stateful)) => stateful,
        Some(Known::Not(_)) => false,
        None => true,
    };
    for (direction, _, policy) in BLOCKS {
        let manner = Manner { tracks, ..MANNER };
        lowering.declare(instance, direction, manner);
        let said = group.take(policy).map(|entry| entry.value.at);
        if said.is_some()
            && let Some(pass) = verb(group, policy, ["accept", "drop"], lowering)
        {
            lowering.points.otherwise(&instance.address, direction, pass, said);
            if let Some(at) = said.filter(|_| pass == MANNER.otherwise) {
                lowering.account.claim(at, Disposition::Inert("as it is by default"));
            }
        }
    }
    // "enable_default_security - Whether to block SMTP on IPv4/IPv6 (Port 25, 465, 587)", by default.
    let open = match group.truth("enable_default_security", lowering.account) {
        Some(Known::Is(false)) => None,
        Some(Known::Is(true)) | None => Some(None),
        Some(Known::Not(name)) => Some(Some(Condition::new(format!("default security is {name}")))),
    };
    if let Some(condition) = open {
        let mut line = Line::new(false, instance.origin);
        line.rank = PLATFORM;
        line.services = vec![Service::of(6).to(Set::from_ranges([(25, 25), (465, 465), (587, 587)]))];
        line.conditions.extend(condition.into_iter().chain(conditions(instance)));
        between(&mut line, Direction::Egress, vec![Peer::Any]);
        lowering.points.add(&instance.address, Direction::Egress, MANNER, line);
    }
    let lines = rules(lowering, instance, group);
    in_one_place(lowering, instance, &instance.address, &lines, ruled);
    lowering.add(&instance.address, |_| MANNER, lines);
    let names = ["name", "description", "tags", "project_id", "organization_id"];
    group.inert(&names, "not about packets", lowering.account);
    group.inert(&["external_rules"], "where the rules are written", lowering.account);
    lowering.group(
        kind,
        instance,
        &["inbound_rule", "outbound_rule", "inbound_default_policy", "outbound_default_policy"],
    );
}

fn rules(lowering: &mut Lowering<'_, '_>, instance: &Instance, group: &mut Attributes<'_>) -> Vec<(Direction, Line)> {
    let mut out = Vec::new();
    for (direction, name, _) in BLOCKS {
        for (n, (block, condition)) in group.items(name).with_conditions(&instance.address).into_iter().enumerate() {
            let Some(mut rule) = Attributes::open(block, lowering.account) else { continue };
            let end = end_of(direction);
            let mut far = peers(&rule.items("ip"), end, None, lowering.account);
            far.extend(peers(&rule.items("ip_range"), end, None, lowering.account));
            if far.is_empty() {
                // "If no ip nor ip_range are specified, rule will apply to all ip", for which the provider sends 0.0.0.0/0.
                far.push(Peer::Known(Family::Ipv4, Set::range(0, u32::MAX.into())));
                far.push(Peer::If(Condition::new("a rule without addresses is for those of IPv6 too")));
            }
            // "protocol - (Defaults to `TCP`) … TCP, UDP, ICMP or ANY".
            let protocol = protocol(&mut rule, "protocol", &["any"], lowering).unwrap_or(Ok(Some(6)));
            let mut service = service(protocol);
            // "If no port is specified, rule will apply to all ports"; plans write 0 and "" then.
            if let Some(port) = rule.text("port", lowering.account) {
                service = to_ports(service, &port, &["0"], rule.at, lowering.account);
            }
            if let Some(range) = rule.text("port_range", lowering.account) {
                service = to_ports(service, &range, &[""], rule.at, lowering.account);
            }
            let allow = verb(&mut rule, "action", ["accept", "drop"], lowering);
            let Some(allow) = allow else { continue };
            let mut line = Line::new(allow, block.at);
            // A rule that may be anywhere among the others may decide before each of them.
            line.rank = if condition.is_some() { ANYWHERE } else { i128::try_from(n).unwrap_or(i128::MAX) };
            line.services = of_both_families(service);
            line.conditions.extend(conditions(instance).into_iter().chain(condition));
            between(&mut line, direction, far);
            rule.close(lowering.account);
            out.push((direction, line));
        }
    }
    out
}
