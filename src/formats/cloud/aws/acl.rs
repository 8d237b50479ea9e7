//! Network ACLs: numbered rules of a subnet, without memory of connections.

use super::{Asked, service};
use crate::formats::cloud::attributes::{Attributes, Known, peers};
use crate::formats::cloud::line::{Line, Peer};
use crate::formats::cloud::points::{Direction, Manner, Ranks};
use crate::formats::cloud::{Instance, Lowering, Mine, conditions};
use crate::net::Family;
use crate::text::escape;

const LISTS: &[&str] = &["aws_network_acl", "aws_default_network_acl"];

/// "Each network ACL also includes a rule whose rule number is an asterisk (*). This rule ensures that if a packet doesn't
/// match any of the other numbered rules, it's denied." "If you don't explicitly associate a subnet with a network ACL, the
/// subnet is automatically associated with the default network ACL", which "is configured to allow all traffic".
const MANNER: Manner = Manner { absent: true, otherwise: false, tracks: false, ordered: true, ipv6: true };

/// "Rules are evaluated starting with the lowest numbered rule" (VPC User Guide, "Network ACL rules").
const NUMBER: &str = "rule number";

/// The last number: the rule with the asterisk.
const LAST: i128 = 32767;

pub(super) fn lower(lowering: &mut Lowering<'_, '_>, mine: &Mine<'_>) {
    let mut numbers = Ranks::default();
    for (kind, instance) in mine {
        match *kind {
            "aws_network_acl" | "aws_default_network_acl" => list(lowering, kind, instance, &mut numbers),
            "aws_network_acl_rule" => rule(lowering, kind, instance, &mut numbers),
            _ => {}
        }
    }
}

fn list(lowering: &mut Lowering<'_, '_>, kind: &'static str, instance: &Instance, numbers: &mut Ranks) {
    for direction in Direction::BOTH {
        lowering.declare(instance, direction, MANNER);
    }
    let Some(mut list) = Attributes::open(&instance.body, lowering.account) else { return };
    for direction in Direction::BOTH {
        for (block, condition) in list.items(direction.name()).with_conditions(&instance.address) {
            let Some(mut rule) = Attributes::open(block, lowering.account) else { continue };
            let names = Names { number: "rule_no", action: "action", v4: "cidr_block", v6: "ipv6_cidr_block" };
            let line = entry(lowering, &mut rule, direction, &names);
            rule.close(lowering.account);
            let Some(mut line) = line else { continue };
            line.conditions.extend(conditions(instance).into_iter().chain(condition));
            if numbers.take(&instance.address, direction, &line, NUMBER, lowering.account) {
                lowering.points.add(&instance.address, direction, MANNER, line);
            }
        }
    }
    let about = ["vpc_id", "tags", "tags_all", "owner_id", "arn", "id", "region", "default_network_acl_id"];
    list.inert(&about, "not about packets", lowering.account);
    let subnets = ["subnet_ids", "subnet_id"];
    list.apart(&subnets);
    list.close(lowering.account);
    lowering.attached(instance, &|name| subnets.contains(&name));
    if kind == "aws_default_network_acl" {
        lowering.adopted(kind, instance);
    } else {
        lowering.group(kind, instance, &["ingress", "egress", "subnet_ids", "subnet_id"]);
    }
}

fn rule(lowering: &mut Lowering<'_, '_>, kind: &'static str, instance: &Instance, numbers: &mut Ranks) {
    let Some(mut rule) = Attributes::open(&instance.body, lowering.account) else { return };
    rule.at = instance.origin;
    let of = match rule.text("network_acl_id", lowering.account) {
        Some(known) => lowering.target(&known, LISTS, instance.origin),
        None => {
            lowering.account.gap(instance.origin, "the rule is of no network ACL");
            format!("network ACL of {}", instance.address)
        }
    };
    let direction = match rule.truth("egress", lowering.account) {
        Some(Known::Is(true)) => Direction::Egress,
        Some(Known::Is(false)) | None => Direction::Ingress,
        Some(Known::Not(name)) => {
            let reason = format!("whether it is for egress is not known: `{}`", escape(name.as_bytes()));
            lowering.account.gap(instance.origin, reason);
            Direction::Ingress
        }
    };
    let names = Names { number: "rule_number", action: "rule_action", v4: "cidr_block", v6: "ipv6_cidr_block" };
    let line = entry(lowering, &mut rule, direction, &names);
    rule.inert(&["id", "region"], "not about packets", lowering.account);
    rule.close(lowering.account);
    let mut lines = Vec::new();
    if let Some(mut line) = line {
        line.conditions.extend(conditions(instance));
        lines.push((direction, line));
    }
    lowering.rules(kind, instance, &of, &lines);
    lines.retain(|(direction, line)| numbers.take(&of, *direction, line, NUMBER, lowering.account));
    lowering.add(&of, |_| MANNER, lines);
}

/// What the arguments of a rule are called.
struct Names {
    number: &'static str,
    action: &'static str,
    v4: &'static str,
    v6: &'static str,
}

fn entry(
    lowering: &mut Lowering<'_, '_>,
    rule: &mut Attributes<'_>,
    direction: Direction,
    names: &Names,
) -> Option<Line> {
    let Names { number, action, v4, v6 } = names;
    let at = rule.at;
    let end = match direction {
        Direction::Ingress => "source",
        Direction::Egress => "destination",
    };
    let mut all = peers(&rule.items(v4), end, Some(Family::Ipv4), lowering.account);
    all.extend(peers(&rule.items(v6), end, Some(Family::Ipv6), lowering.account));
    let message = [rule.number("icmp_type", lowering.account), rule.number("icmp_code", lowering.account)];
    let asked = Asked {
        protocol: rule.text("protocol", lowering.account),
        from: rule.number("from_port", lowering.account),
        to: rule.number("to_port", lowering.account),
        // "Default 0" for both.
        message: Some(message.map(|known| Some(known.unwrap_or(Known::Is(0))))),
    };
    let verb = rule.text(action, lowering.account);
    let rank = rule.number(number, lowering.account);
    rule.inert(&[number], "only the order counts", lowering.account);
    let mut line = Line::new(true, at);
    line.services = service(asked, at, lowering.account).into_iter().collect();
    let of =
        |numbers: &[u8]| line.services.iter().any(|service| service.protocol.is_some_and(|n| numbers.contains(&n)));
    if !of(&[6, 17]) {
        rule.inert(&["from_port", "to_port"], "the protocol has no ports", lowering.account);
    }
    if !of(&[1, 58]) {
        rule.inert(&["icmp_type", "icmp_code"], "the protocol is not ICMP", lowering.account);
    }
    match verb {
        Some(Known::Is(text)) if text.eq_ignore_ascii_case("allow") => {}
        Some(Known::Is(text)) if text.eq_ignore_ascii_case("deny") => line.allow = false,
        Some(Known::Is(_) | Known::Not(_)) | None => {
            lowering.account.gap(at, "the action is neither allow nor deny, or not known");
            return None;
        }
    }
    match rank {
        Some(Known::Is(number)) if (1..=LAST).contains(&number) => line.rank = number,
        Some(Known::Is(number)) => {
            lowering.account.gap(at, format!("{number} is not a rule number: EC2 refuses it"));
            return None;
        }
        Some(Known::Not(name)) => {
            let name = escape(name.as_bytes());
            lowering.account.gap(at, format!("its place is not known, because its number is not: `{name}`"));
            return None;
        }
        None => {
            lowering.account.gap(at, "the rule has no number: EC2 refuses it");
            return None;
        }
    }
    if all.is_empty() {
        lowering.account.gap(at, "the rule names no prefix: EC2 refuses it");
    }
    (line.sources, line.destinations) = match direction {
        Direction::Ingress => (all, vec![Peer::Any]),
        Direction::Egress => (vec![Peer::Any], all),
    };
    Some(line)
}
