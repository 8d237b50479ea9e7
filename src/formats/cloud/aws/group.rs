//! Security groups: rules that allow, of connections that are tracked.

use super::{Asked, service};
use crate::formats::Disposition;
use crate::formats::cloud::attributes::{Attributes, Items, Known, peers};
use crate::formats::cloud::line::{Condition, Line, Peer, Service};
use crate::formats::cloud::points::{Direction, Manner};
use crate::formats::cloud::{Instance, Lowering, Mine, conditions};
use crate::formats::data::value::Value;
use crate::net::Family;

/// What a rule may name as a group.
const GROUPS: &[&str] = &["aws_security_group", "aws_default_security_group"];
const LISTS: &[&str] = &["aws_ec2_managed_prefix_list"];

/// "Security group rules are always permissive"; "security groups are stateful" (VPC User Guide, "Security group rules").
const MANNER: Manner = Manner::GROUP;

pub(super) fn lower(lowering: &mut Lowering<'_, '_>, mine: &Mine<'_>) {
    let lists = Lists::of(lowering, mine);
    for (kind, instance) in mine {
        match *kind {
            "aws_security_group" | "aws_default_security_group" => group(lowering, kind, instance, &lists),
            "aws_security_group_rule" => rule(lowering, kind, instance, &lists),
            "aws_vpc_security_group_ingress_rule" => single(lowering, kind, instance, Direction::Ingress, &lists),
            "aws_vpc_security_group_egress_rule" => single(lowering, kind, instance, Direction::Egress, &lists),
            _ => {}
        }
    }
}

/// A group with its rules in it. "By default, AWS creates an ALLOW ALL egress rule when creating a new Security Group
/// inside of a VPC. … Terraform will remove this default rule, and require you specifically re-create it": what is not
/// written is not there.
fn group(lowering: &mut Lowering<'_, '_>, kind: &'static str, instance: &Instance, lists: &Lists) {
    for direction in Direction::BOTH {
        lowering.declare(instance, direction, MANNER);
    }
    let Some(mut group) = Attributes::open(&instance.body, lowering.account) else { return };
    for direction in Direction::BOTH {
        for (block, condition) in group.items(direction.name()).with_conditions(&instance.address) {
            let line = match block.name_of_unknown() {
                Some(_) => Some(anything(block)),
                None => inline(lowering, block, direction, &instance.address, lists),
            };
            if let Some(mut line) = line {
                line.conditions.extend(conditions(instance).into_iter().chain(condition.clone()));
                lowering.points.add(&instance.address, direction, MANNER, line);
            }
        }
    }
    about(&mut group, lowering);
    group.close(lowering.account);
    if kind == "aws_default_security_group" {
        lowering.adopted(kind, instance);
    } else {
        lowering.group(kind, instance, &["ingress", "egress"]);
    }
}

/// Rules of which nothing is known.
fn anything(block: &Value) -> Line {
    let mut line = Line::new(true, block.at);
    line.sources = vec![Peer::Any];
    line.destinations = vec![Peer::Any];
    line.services = vec![Service::ANY];
    line
}

fn about(resource: &mut Attributes<'_>, lowering: &mut Lowering<'_, '_>) {
    let names = ["name", "name_prefix", "description", "vpc_id", "tags", "tags_all", "owner_id", "arn", "id", "region"];
    resource.inert(&names, "not about packets", lowering.account);
    resource.inert(
        &["revoke_rules_on_delete", "timeouts", "lifecycle"],
        "how it is made and deleted",
        lowering.account,
    );
}

fn inline(
    lowering: &mut Lowering<'_, '_>,
    block: &Value,
    direction: Direction,
    group: &str,
    lists: &Lists,
) -> Option<Line> {
    let mut rule = Attributes::open(block, lowering.account)?;
    let line = many(lowering, &mut rule, direction, Some(group), "security_groups", lists);
    rule.close(lowering.account);
    line
}

/// A rule as the blocks of a group and `aws_security_group_rule` say it: lists of peers.
fn many(
    lowering: &mut Lowering<'_, '_>,
    rule: &mut Attributes<'_>,
    direction: Direction,
    group: Option<&str>,
    groups: &str,
    lists: &Lists,
) -> Option<Line> {
    let end = end_of(direction);
    let mut all = peers(&rule.items("cidr_blocks"), end, Some(Family::Ipv4), lowering.account);
    all.extend(peers(&rule.items("ipv6_cidr_blocks"), end, Some(Family::Ipv6), lowering.account));
    for list in rule.items("prefix_list_ids").all() {
        all.extend(lists.peers(lowering, &list, end));
    }
    for other in rule.items(groups).all() {
        all.push(lowering.members(&other, end, GROUPS));
    }
    match rule.truth("self", lowering.account) {
        Some(Known::Is(true)) => all.extend(group.map(|group| member(end, group))),
        Some(Known::Not(name)) => all.extend(group.map(|group| {
            let text = format!("{end} is a member of {group}, if {name}");
            Peer::If(Condition::new(text))
        })),
        Some(Known::Is(false)) | None => {}
    }
    let asked = Asked {
        protocol: rule.text("protocol", lowering.account),
        from: rule.number("from_port", lowering.account),
        to: rule.number("to_port", lowering.account),
        message: None,
    };
    finish(lowering, rule, direction, all, asked)
}

fn finish(
    lowering: &mut Lowering<'_, '_>,
    rule: &mut Attributes<'_>,
    direction: Direction,
    peers: Vec<Peer>,
    asked: Asked,
) -> Option<Line> {
    let mut line = Line::new(true, rule.at);
    line.comment = rule.comment("description", lowering.account);
    line.services = service(asked, rule.at, lowering.account).into_iter().collect();
    if line.services.iter().all(|service| !matches!(service.protocol, Some(1 | 6 | 17 | 58))) {
        rule.inert(&["from_port", "to_port"], "the protocol has no ports", lowering.account);
    }
    if peers.is_empty() {
        lowering.account.claim(rule.at, Disposition::Inert("it names nobody, so it allows nothing"));
    }
    (line.sources, line.destinations) = ends(direction, peers);
    Some(line)
}

/// The peers at the far end, anyone at the near one.
fn ends(direction: Direction, peers: Vec<Peer>) -> (Vec<Peer>, Vec<Peer>) {
    match direction {
        Direction::Ingress => (peers, vec![Peer::Any]),
        Direction::Egress => (vec![Peer::Any], peers),
    }
}

/// The end of a packet that rules of a direction are about.
const fn end_of(direction: Direction) -> &'static str {
    match direction {
        Direction::Ingress => "source",
        Direction::Egress => "destination",
    }
}

fn member(end: &str, group: &str) -> Peer {
    Peer::If(Condition::new(format!("{end} is a member of {group}")))
}

/// `aws_security_group_rule`: what a block of a group says, and of which group.
fn rule(lowering: &mut Lowering<'_, '_>, kind: &'static str, instance: &Instance, lists: &Lists) {
    let Some(mut rule) = Attributes::open(&instance.body, lowering.account) else { return };
    rule.at = instance.origin;
    let of = of_group(lowering, &mut rule, instance);
    let direction = match rule.text("type", lowering.account) {
        Some(Known::Is(text)) if &*text == "ingress" => Some(Direction::Ingress),
        Some(Known::Is(text)) if &*text == "egress" => Some(Direction::Egress),
        Some(Known::Is(_) | Known::Not(_)) | None => {
            lowering.account.gap(instance.origin, "the `type` is neither ingress nor egress, or not known");
            None
        }
    };
    let line = direction.and_then(|direction| {
        many(lowering, &mut rule, direction, Some(&of), "source_security_group_id", lists).map(|line| (direction, line))
    });
    rule_ids(&mut rule, lowering);
    rule.close(lowering.account);
    add(lowering, kind, instance, &of, line);
}

/// `aws_vpc_security_group_ingress_rule` and its twin: one peer each.
fn single(
    lowering: &mut Lowering<'_, '_>,
    kind: &'static str,
    instance: &Instance,
    direction: Direction,
    lists: &Lists,
) {
    let Some(mut rule) = Attributes::open(&instance.body, lowering.account) else { return };
    rule.at = instance.origin;
    let of = of_group(lowering, &mut rule, instance);
    let end = end_of(direction);
    let mut all = peers(&rule.items("cidr_ipv4"), end, Some(Family::Ipv4), lowering.account);
    all.extend(peers(&rule.items("cidr_ipv6"), end, Some(Family::Ipv6), lowering.account));
    for list in rule.items("prefix_list_id").all() {
        all.extend(lists.peers(lowering, &list, end));
    }
    for other in rule.items("referenced_security_group_id").all() {
        all.push(lowering.members(&other, end, GROUPS));
    }
    let asked = Asked {
        protocol: rule.text("ip_protocol", lowering.account),
        from: rule.number("from_port", lowering.account),
        to: rule.number("to_port", lowering.account),
        message: None,
    };
    let line = finish(lowering, &mut rule, direction, all, asked).map(|line| (direction, line));
    rule_ids(&mut rule, lowering);
    rule.close(lowering.account);
    add(lowering, kind, instance, &of, line);
}

fn rule_ids(rule: &mut Attributes<'_>, lowering: &mut Lowering<'_, '_>) {
    let names = ["id", "arn", "security_group_rule_id", "tags", "tags_all", "region"];
    rule.inert(&names, "not about packets", lowering.account);
    rule.inert(&["timeouts"], "how it is made and deleted", lowering.account);
}

/// The group that a rule is of.
fn of_group(lowering: &mut Lowering<'_, '_>, rule: &mut Attributes<'_>, instance: &Instance) -> String {
    match rule.text("security_group_id", lowering.account) {
        Some(known) => lowering.target(&known, GROUPS, instance.origin),
        None => {
            lowering.account.gap(instance.origin, "the rule is of no group");
            format!("group of {}", instance.address)
        }
    }
}

fn add(
    lowering: &mut Lowering<'_, '_>,
    kind: &'static str,
    instance: &Instance,
    of: &str,
    line: Option<(Direction, Line)>,
) {
    let mut lines: Vec<(Direction, Line)> = line.into_iter().collect();
    for (_, line) in &mut lines {
        line.conditions.extend(conditions(instance));
    }
    lowering.rules(kind, instance, of, &lines);
    lowering.add(of, |_| MANNER, lines);
}

/// What stands for the end of a packet in conditions of the entries of a list.
const END: &str = "address";

/// A peer that counts if a condition holds, where there is one.
fn perhaps(peer: Peer, condition: Option<&Condition>) -> Peer {
    let Some(condition) = condition else { return peer };
    match peer {
        Peer::Known(family, set) => Peer::KnownIf(family, set, condition.clone()),
        Peer::Any => Peer::If(condition.clone()),
        Peer::KnownIf(_, _, inner) | Peer::If(inner) => Peer::If(inner.with(condition)),
    }
}

/// An entry of a list as one end of a packet.
fn at_end(peer: &Peer, end: &str) -> Peer {
    let about = |condition: &Condition| {
        condition.about(&format!("{END} "), &format!("{end} ")).about(&format!("a {END} "), &format!("a {end} "))
    };
    match peer {
        Peer::Any | Peer::Known(..) => peer.clone(),
        Peer::KnownIf(family, set, condition) => Peer::KnownIf(*family, set.clone(), about(condition)),
        Peer::If(condition) => Peer::If(about(condition)),
    }
}

/// Prefix lists whose entries are in the configuration.
struct Lists {
    /// The address of each list, and its entries: those that are not known, or not known to be there, are conditions on an
    /// [`END`].
    known: Vec<(String, Vec<Peer>)>,
}

impl Lists {
    /// `aws_ec2_managed_prefix_list` with `entry` blocks, and entries that are resources of their own.
    fn of(lowering: &mut Lowering<'_, '_>, mine: &Mine<'_>) -> Self {
        let mut known: Vec<(String, Vec<Peer>)> = Vec::new();
        for (kind, instance) in mine.iter().filter(|(kind, _)| *kind == "aws_ec2_managed_prefix_list") {
            let Some(mut list) = Attributes::open(&instance.body, lowering.account) else { continue };
            let entries = list.items("entry");
            let names = [
                "name",
                "address_family",
                "max_entries",
                "tags",
                "tags_all",
                "id",
                "arn",
                "owner_id",
                "version",
                "region",
            ];
            list.inert(&names, "not about packets", lowering.account);
            list.close(lowering.account);
            let mut all = Vec::new();
            for (entry, condition) in entries.with_conditions(&instance.address) {
                let found = match entry.name_of_unknown() {
                    Some(name) => vec![Peer::If(Condition::new(format!("{END} is in {name}")))],
                    None => {
                        let Some(mut entry) = Attributes::open(entry, lowering.account) else { continue };
                        let found = peers(&entry.items("cidr"), END, None, lowering.account);
                        entry.inert(&["description"], "a description", lowering.account);
                        entry.close(lowering.account);
                        found
                    }
                };
                all.extend(found.into_iter().map(|peer| perhaps(peer, condition.as_ref())));
            }
            lowering.group(kind, instance, &[]);
            if instance.existence.is_none() {
                known.push((instance.address.to_string(), all));
            }
        }
        for (kind, instance) in mine.iter().filter(|(kind, _)| *kind == "aws_ec2_managed_prefix_list_entry") {
            let Some(mut entry) = Attributes::open(&instance.body, lowering.account) else { continue };
            let list = entry.text("prefix_list_id", lowering.account);
            let list = list.map(|list| lowering.target(&list, LISTS, instance.origin));
            let cidr = peers(&entry.items("cidr"), END, None, lowering.account);
            entry.inert(&["description", "id"], "a description", lowering.account);
            entry.close(lowering.account);
            lowering.group(kind, instance, &[]);
            if let Some((_, all)) = known.iter_mut().find(|(address, _)| Some(address) == list.as_ref()) {
                let condition = conditions(instance).pop();
                all.extend(cidr.into_iter().map(|peer| perhaps(peer, condition.as_ref())));
            }
        }
        Self { known }
    }

    /// Whoever is in a list: its entries where they are known, otherwise an opaque condition.
    fn peers(&self, lowering: &mut Lowering<'_, '_>, list: &Value, end: &str) -> Vec<Peer> {
        let known = match (list.as_text().filter(|_| !list.sensitive), list.name_of_unknown()) {
            (Some(text), _) => Known::Is(text),
            (None, Some(unknown)) => Known::Not(unknown.to_owned()),
            (None, None) => return peers(&Items::of(list), end, None, lowering.account),
        };
        let name = lowering.target(&known, LISTS, list.at);
        match self.known.iter().find(|(address, _)| *address == name) {
            Some((_, all)) => all.iter().map(|peer| at_end(peer, end)).collect(),
            None => vec![Peer::If(Condition::new(format!("{end} is in {name}")))],
        }
    }
}
