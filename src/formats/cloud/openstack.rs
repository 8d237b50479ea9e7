//! OpenStack security groups.
//!
//! registry: `openstack_networking_secgroup_v2`, `openstack_networking_secgroup_rule_v2`; OpenStack Networking API v2.0,
//! "Security group rules".

use super::attributes::{Attributes, Known, messages, peers};
use super::line::{Condition, Line, Peer, Service};
use super::points::{Direction, Manner};
use super::words::{between, direction, end_of, from_to, has_ports, protocol, service};
use super::{Instance, Lowering, Mine, conditions};
use crate::net::Family;

pub(super) const KINDS: &[&str] = &["openstack_networking_secgroup_v2", "openstack_networking_secgroup_rule_v2"];

const GROUPS: &[&str] = &["openstack_networking_secgroup_v2"];
const MANNER: Manner = Manner::GROUP;

pub(super) fn lower(lowering: &mut Lowering<'_, '_>, mine: &Mine<'_>) {
    for (kind, instance) in mine {
        match *kind {
            "openstack_networking_secgroup_v2" => group(lowering, kind, instance),
            _ => rule(lowering, kind, instance),
        }
    }
}

/// "delete_default_rules - Whether or not to delete the default egress security rules. This is `false` by default": they let all
/// IPv4 and IPv6 packets out (registry: `openstack_networking_secgroup_v2`, "Default Security Group Rules").
fn group(lowering: &mut Lowering<'_, '_>, kind: &'static str, instance: &Instance) {
    let Some(mut group) = Attributes::open(&instance.body, lowering.account) else { return };
    // "Indicates if the security group is stateful or stateless. … Defaults to true."
    let tracks = matches!(group.truth("stateful", lowering.account), Some(Known::Is(true)) | None);
    for direction in Direction::BOTH {
        lowering.declare(instance, direction, Manner { tracks, ..MANNER });
    }
    let defaults = match group.truth("delete_default_rules", lowering.account) {
        Some(Known::Is(true)) => None,
        Some(Known::Is(false)) | None => Some(None),
        Some(Known::Not(name)) => Some(Some(Condition::new(format!("the default rules stay: not {name}")))),
    };
    if let Some(condition) = defaults {
        let mut line = Line::new(true, instance.origin);
        line.services = vec![Service::ANY];
        line.conditions.extend(condition.into_iter().chain(conditions(instance)));
        between(&mut line, Direction::Egress, vec![Peer::Any]);
        lowering.points.add(&instance.address, Direction::Egress, MANNER, line);
    }
    let names = ["name", "description", "tenant_id", "region", "tags", "all_tags", "id"];
    group.inert(&names, "not about packets", lowering.account);
    group.inert(&["timeouts"], "how it is made and deleted", lowering.account);
    group.close(lowering.account);
    lowering.group(kind, instance, &[]);
}

fn rule(lowering: &mut Lowering<'_, '_>, kind: &'static str, instance: &Instance) {
    let Some(mut rule) = Attributes::open(&instance.body, lowering.account) else { return };
    rule.at = instance.origin;
    let of = match rule.text("security_group_id", lowering.account) {
        Some(known) => lowering.target(&known, GROUPS, instance.origin),
        None => {
            lowering.account.gap(instance.origin, "the rule is of no group");
            format!("group of {}", instance.address)
        }
    };
    let direction = direction(&mut rule, "direction", ["ingress", "egress"], lowering);
    let family = match rule.text("ethertype", lowering.account) {
        Some(Known::Is(text)) if text.eq_ignore_ascii_case("ipv4") => Some(Family::Ipv4),
        Some(Known::Is(text)) if text.eq_ignore_ascii_case("ipv6") => Some(Family::Ipv6),
        Some(Known::Is(_) | Known::Not(_)) | None => {
            lowering.account.gap(instance.origin, "the `ethertype` is neither IPv4 nor IPv6, or not known");
            None
        }
    };
    // "Empty string or omitted (any protocol)"; "the string any (or integer 0) means all IP protocols".
    let protocol = protocol(&mut rule, "protocol", &["", "any", "0"], lowering).unwrap_or(Ok(None));
    // For packets of IPv6 `icmp` is what `icmpv6` is.
    let protocol = if protocol == Ok(Some(1)) && family == Some(Family::Ipv6) { Ok(Some(58)) } else { protocol };
    let (first, last) =
        (rule.number("port_range_min", lowering.account), rule.number("port_range_max", lowering.account));
    let unset = |known: &Option<Known<i128>>| matches!(known, None | Some(Known::Is(0)));
    let mut service = service(protocol.clone());
    match (&first, &last) {
        // Plans write 0 for what is not given: then any port, type or code.
        _ if unset(&first) && unset(&last) => {
            rule.inert(&["port_range_min", "port_range_max"], "0 is not given", lowering.account);
        }
        (kind, code) if matches!(protocol, Ok(Some(1 | 58))) => {
            service = messages(service, kind.as_ref(), code.as_ref(), rule.at, lowering.account);
        }
        (Some(first), Some(last)) if has_ports(&protocol) => {
            service = from_to(service, first, last, rule.at, lowering.account);
        }
        (Some(_) | None, Some(_) | None) => {
            lowering.account.gap(instance.origin, "ports for a protocol that has none, or one end of a range only");
        }
    }
    if let (Some(family), Some(direction)) = (family, direction) {
        let end = end_of(direction);
        let mut far = peers(&rule.items("remote_ip_prefix"), end, Some(family), lowering.account);
        for name in ["remote_group_id", "remote_address_group_id"] {
            for other in rule.items(name).all() {
                if other.text() != Some("") {
                    far.push(lowering.members(&other, end, GROUPS));
                }
            }
        }
        if far.is_empty() {
            far.push(Peer::Any);
        }
        let mut line = Line::new(true, instance.origin);
        line.comment = rule.comment("description", lowering.account);
        line.services = vec![service.only(family)];
        line.conditions.extend(conditions(instance));
        between(&mut line, direction, far);
        let lines = vec![(direction, line)];
        lowering.rules(kind, instance, &of, &lines);
        lowering.add(&of, |_| MANNER, lines);
    }
    rule.inert(&["id", "region", "tenant_id"], "not about packets", lowering.account);
    rule.inert(&["timeouts"], "how it is made and deleted", lowering.account);
    rule.close(lowering.account);
}
