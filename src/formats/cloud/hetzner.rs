//! Hetzner Cloud firewalls.
//!
//! registry: `hcloud_firewall`; docs.hetzner.com, "Cloud Firewalls".

use super::attributes::{Attributes, peers};
use super::line::Line;
use super::points::{Direction, Manner};
use super::words::{between, direction, has_ports, protocol, service, to_ports};
use super::{Lowering, Mine, conditions};

pub(super) const KINDS: &[&str] = &["hcloud_firewall"];

/// "If no inbound rules are set, all inbound traffic is dropped"; without a firewall nothing is.
const INGRESS: Manner = Manner { absent: true, ..Manner::GROUP };
/// "If no outbound rules are set, all outbound traffic is allowed"; with one, only what such rules allow.
const EGRESS: Manner = Manner { otherwise: true, ..INGRESS };

pub(super) fn lower(lowering: &mut Lowering<'_, '_>, mine: &Mine<'_>) {
    for (kind, instance) in mine {
        lowering.points.declare(&instance.address, Direction::Ingress, INGRESS, instance.origin);
        lowering.points.declare(&instance.address, Direction::Egress, EGRESS, instance.origin);
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
            line.services = vec![service];
            line.conditions.extend(conditions(instance).into_iter().chain(condition));
            let far = peers(&far, end, None, lowering.account);
            between(&mut line, direction, far);
            if direction == Direction::Egress && line.conditions.is_empty() {
                lowering.points.otherwise(&instance.address, Direction::Egress, false, None);
            }
            let manner = if direction == Direction::Ingress { INGRESS } else { EGRESS };
            lowering.points.add(&instance.address, direction, manner, line);
        }
        firewall.inert(&["name", "labels", "id"], "not about packets", lowering.account);
        firewall.inert(&["apply_to"], "which servers it is for", lowering.account);
        firewall.close(lowering.account);
        lowering.group(kind, instance, &["rule"]);
    }
}
