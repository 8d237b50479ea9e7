//! DigitalOcean cloud firewalls.
//!
//! registry: `digitalocean_firewall`; docs.digitalocean.com, "Cloud Firewalls".

use super::attributes::{Attributes, Known, peers, text_of};
use super::line::{Condition, Line, Peer};
use super::points::{Direction, Manner};
use super::words::{between, end_of, has_ports, of_both_families, protocol, service, to_ports};
use super::{Lowering, Mine, conditions};

pub(super) const KINDS: &[&str] = &["digitalocean_firewall"];

/// "If no inbound rules are configured, no incoming traffic is permitted. … If no outbound rules are configured, no outbound
/// traffic is permitted" (docs.digitalocean.com, "How to Configure Firewall Rules"); without a firewall nothing is blocked.
const MANNER: Manner = Manner { absent: true, ..Manner::GROUP };

/// The arguments that name the far end by something other than addresses, and what that is called.
const OTHERS: &[(&str, &str)] = &[
    ("tags", "a droplet with the tag"),
    ("droplet_ids", "the droplet"),
    ("load_balancer_uids", "the load balancer"),
    ("kubernetes_ids", "a node of the cluster"),
];

pub(super) fn lower(lowering: &mut Lowering<'_, '_>, mine: &Mine<'_>) {
    for (kind, instance) in mine {
        let Some(mut firewall) = Attributes::open(&instance.body, lowering.account) else { continue };
        for (direction, name) in [(Direction::Ingress, "inbound_rule"), (Direction::Egress, "outbound_rule")] {
            lowering.declare(instance, direction, MANNER);
            let end = end_of(direction);
            for (block, condition) in firewall.items(name).with_conditions(&instance.address) {
                let Some(mut rule) = Attributes::open(block, lowering.account) else { continue };
                let mut far = peers(&rule.items(&format!("{end}_addresses")), end, None, lowering.account);
                for (name, what) in OTHERS {
                    for other in rule.items(&format!("{end}_{name}")).all() {
                        let Some(known) = text_of(&other, what, lowering.account) else { continue };
                        let other = lowering.target(&known, &[], block.at);
                        far.push(Peer::If(Condition::new(format!("{end} is {what} {other}"))));
                    }
                }
                let protocol = protocol(&mut rule, "protocol", &["all"], lowering);
                let ports = rule.text("port_range", lowering.account);
                rule.close(lowering.account);
                if far.is_empty() {
                    lowering.account.gap(block.at, format!("the rule has no {end}"));
                }
                let Some(protocol) = protocol else { continue };
                let mut line = Line::new(true, block.at);
                let mut service = service(protocol.clone());
                match ports {
                    // "1-65535 to open all ports for a protocol", which the interface also writes `all` and 0.
                    Some(ports) if has_ports(&protocol) => {
                        service = to_ports(service, &ports, &["all", "0", "1-65535"], block.at, lowering.account);
                    }
                    Some(Known::Is(text)) if matches!(&*text, "" | "all" | "0") => {}
                    Some(_) => lowering.account.gap(block.at, "ports for a protocol that has none"),
                    None if has_ports(&protocol) => {
                        lowering.account.gap(block.at, "a rule for tcp or udp has no `port_range`");
                    }
                    None => {}
                }
                line.services = of_both_families(service);
                line.conditions.extend(conditions(instance).into_iter().chain(condition));
                between(&mut line, direction, far);
                lowering.points.add(&instance.address, direction, MANNER, line);
            }
        }
        firewall.inert(
            &["name", "id", "status", "created_at", "pending_changes"],
            "not about packets",
            lowering.account,
        );
        firewall.apart(&["droplet_ids", "tags"]);
        firewall.close(lowering.account);
        lowering.attached(instance, &|name| matches!(name, "droplet_ids" | "tags"));
        let rules = ["inbound_rule", "outbound_rule", "status", "pending_changes", "droplet_ids", "tags"];
        lowering.group(kind, instance, &rules);
    }
}
