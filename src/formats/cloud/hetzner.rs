//! Hetzner Cloud firewalls.
//!
//! registry: `hcloud_firewall`; docs.hetzner.com, "Cloud Firewalls".

use super::attributes::{Attributes, peers};
use super::line::Line;
use super::points::{Direction, Manner};
use super::words::{between, direction, has_ports, of_both_families, protocol, service, to_ports};
use super::{Lowering, Mine, conditions};

pub(super) const KINDS: &[&str] = &["hcloud_firewall"];

/// "The inbound direction has an implicit "deny" at the end. … If you don't define any rules here, all inbound traffic will be
/// dropped" (docs.hetzner.com, "Cloud Firewalls", FAQ). They "are stateful"; without a firewall nothing is dropped.
const INGRESS: Manner = Manner { absent: true, ..Manner::GROUP };
/// "If you don't define any rules for the outbound direction, all traffic is allowed. If you define one or more outbound rules,
/// the outbound direction also changes to implicit "deny"" (ibid.).
const EGRESS: Manner = Manner { otherwise: true, ..INGRESS };

pub(super) fn lower(lowering: &mut Lowering<'_, '_>, mine: &Mine<'_>) {
    for (kind, instance) in mine {
        lowering.declare(instance, Direction::Ingress, INGRESS);
        lowering.declare(instance, Direction::Egress, EGRESS);
        let Some(mut firewall) = Attributes::open(&instance.body, lowering.account) else { continue };
        for (block, condition) in firewall.items("rule").with_conditions(&instance.address) {
            let Some(mut rule) = Attributes::open(block, lowering.account) else { continue };
            let direction = direction(&mut rule, "direction", ["in", "out"], lowering);
            let protocol = protocol(&mut rule, "protocol", &[], lowering);
            let port = rule.text("port", lowering.account);
            let source = rule.items("source_ips");
            let destination = rule.items("destination_ips");
            let comment = rule.comment("description", lowering.account);
            rule.close(lowering.account);
            let (Some(direction), Some(protocol)) = (direction, protocol) else { continue };
            let (near, far, end) = match direction {
                Direction::Ingress => (destination, source, "source"),
                Direction::Egress => (source, destination, "destination"),
            };
            if !near.is_empty() {
                lowering.account.gap(block.at, "addresses for the end that the direction does not have");
            }
            let mut service = service(protocol.clone());
            match port {
                Some(port) if has_ports(&protocol) => {
                    service = to_ports(service, &port, &["any"], block.at, lowering.account);
                }
                Some(super::attributes::Known::Is(text)) if text.is_empty() => {}
                Some(_) => lowering.account.gap(block.at, "a port for a protocol that has none"),
                None if has_ports(&protocol) => {
                    lowering.account.gap(block.at, "a rule for tcp or udp has no `port`: Hetzner refuses it");
                }
                None => {}
            }
            let mut line = Line::new(true, block.at);
            line.comment = comment;
            line.services = of_both_families(service);
            line.conditions.extend(conditions(instance).into_iter().chain(condition));
            let far = peers(&far, end, None, lowering.account);
            between(&mut line, direction, far);
            if direction == Direction::Egress {
                lowering.points.close(&instance.address, direction, &line.conditions, line.origin);
            }
            let manner = if direction == Direction::Ingress { INGRESS } else { EGRESS };
            lowering.points.add(&instance.address, direction, manner, line);
        }
        firewall.inert(&["name", "labels", "id"], "not about packets", lowering.account);
        firewall.apart(&["apply_to"]);
        firewall.close(lowering.account);
        lowering.attached(instance, &|name| name == "apply_to");
        lowering.group(kind, instance, &["rule", "apply_to"]);
    }
}
