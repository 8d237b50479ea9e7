//! What a ruleset declares beside its rules, and what rules do beside deciding.

use super::hooks::{is_link, priority};
use super::order::{self, Behind};
use super::rules::Beside;
use super::sets::Contents;
use super::{Aside, Lowering, Sets, names, otherwise, statements, text};
use crate::formats::nftables::ruleset::{self, Chain, Table};
use crate::formats::nftables::syntax::{
    Base, CtExpectation, CtTimeout, Expression, Family, Name, ObjectData, ObjectKind, SetData, SetFlag, SetKey,
    StatementKind, TableFlag,
};
use crate::formats::nftables::types::Type;
use crate::model::{Action, Members, Object};
use crate::net::Set;
use foldhash::quality::RandomState;
use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;

const TRANSLATED: &str = "translated packets meet later filters with other addresses or ports, which is not computed";
const TRACKED: &str = "the states in which later rules see the packets are not computed";
const OFFLOADED: &str = "later packets of such connections pass by all chains, which is not computed";
const COPIED: &str = "copies of such packets leave by another way, which is not computed";
const HOPS: &str = "routers, this host too, drop packets whose hop limit runs out, which is not computed";
const ORDER: &str = "it decides on translated packets of its own hook, which is not computed";
const FRAMES: &str = "which packets it keeps from the hooks of their family is not computed";

/// Every object, sorted by kind and address.
pub(super) fn objects<'t>(lowering: &Lowering<'_, '_, 't>, sets: &[Sets<'_, 't>]) -> Vec<Object> {
    let mut objects = Vec::new();
    let translations = lowering.besides.iter().filter(|aside| matches!(aside.beside, Beside::Translation { .. }));
    let translating: HashSet<(usize, usize)> = translations.map(|aside| (aside.table, aside.chain)).collect();
    let translates = |table, chain| translating.contains(&(table, chain));
    let behind = order::behind(lowering.ruleset, lowering.survey, translates);
    let followed = followed(lowering, &behind);
    for (number, table) in lowering.ruleset.tables.iter().enumerate() {
        let name = &lowering.names[number];
        let mut flags: Vec<&str> = table.head.flags.iter().map(|flag| flag.keyword()).collect();
        flags.retain(|flag| *flag == TableFlag::Dormant.keyword());
        flags.dedup();
        objects.push(Object::new("table", name.clone(), flags.join(" "), table.at));
        chains(lowering, number, table, &followed[number], &mut objects);
        for set in &table.sets {
            if let Some(contents) = sets[number].get(&*set.head.path.name.text) {
                objects.push(set_object(table, set, contents));
            }
        }
        for flowtable in &table.flowtables {
            let address = names::in_table(table, &flowtable.path.name.text);
            let mut devices: Vec<String> = flowtable.devices.iter().map(|device| device.show()).collect();
            devices.sort_unstable();
            let mut content = format!("devices {{ {} }}", devices.join(", "));
            if let Some((hook, priority)) = &flowtable.hook {
                let named = priority.name.as_deref();
                let named =
                    named.and_then(|name| crate::formats::nftables::names::priority(Family::Netdev, &hook.text, name));
                let number = i64::from(named.unwrap_or_default()).saturating_add(priority.offset);
                write!(content, " hook {} priority {number}", hook.show()).expect("writing to a String");
            }
            if flowtable.offload {
                content.push_str(" flags offload");
            }
            let mut object = Object::new("flowtable", address, content, flowtable.at);
            object.elements = Some(devices.len());
            object.uncomputed = Some(OFFLOADED);
            objects.push(object);
        }
        for of in &table.objects {
            let address = names::in_table(table, &of.path.name.text);
            objects.push(Object::new(kind_of(&of.data), address, data_text(table, &of.data), of.at));
        }
    }
    besides(lowering, &followed, &mut objects);
    orders(lowering, &behind, &mut objects);
    objects.sort_by(|a, b| (a.kind, &a.address).cmp(&(b.kind, &b.address)));
    objects
}

fn chains(
    lowering: &Lowering<'_, '_, '_>,
    number: usize,
    table: &Table<'_>,
    followed: &[bool],
    objects: &mut Vec<Object>,
) {
    let frames = matches!(table.head.family, Family::Bridge | Family::Netdev);
    let own: Vec<&Aside> = lowering.besides.iter().filter(|aside| aside.table == number).collect();
    // How many rules of each chain decide on which packets come to such a rule, and in which order.
    let before = |wanted: &dyn Fn(&Aside) -> bool| {
        let holders: Vec<(usize, usize)> =
            own.iter().filter(|aside| wanted(aside)).map(|aside| (aside.chain, aside.rule)).collect();
        lowering.survey.ways(table, number, &holders).before()
    };
    let translation = |aside: &Aside, wanted: bool| match aside.beside {
        Beside::Translation { early } => (early || followed[aside.chain]) == wanted,
        Beside::Tracking | Beside::Copy | Beside::Hops | Beside::Offload => false,
    };
    let kinds = [
        (before(&|aside| translation(aside, true)), Some(TRANSLATED)),
        (before(&|aside| aside.beside == Beside::Tracking), Some(TRACKED)),
        (before(&|aside| aside.beside == Beside::Offload), Some(OFFLOADED)),
        (before(&|aside| aside.beside == Beside::Copy), Some(COPIED)),
        (before(&|aside| aside.beside == Beside::Hops), Some(HOPS)),
        (before(&|aside| translation(aside, false)), None),
    ];
    let links: Vec<usize> = (0..table.chains.len()).filter(|chain| is_link(&table.chains[*chain])).collect();
    let linked = lowering.survey.reached_from(table, number, &links);
    for (index, chain) in table.chains.iter().enumerate() {
        let address = names::in_table(table, &chain.name.text);
        let mut made = Object::new("chain", address, base_text(table, chain), chain.at);
        let (covered, uncomputed) = if frames || linked[index] {
            // Frames are not packets of the model: whatever such a chain says, another wording is another effect.
            (chain.rules.len(), Some(FRAMES))
        } else if table.head.family == Family::Arp {
            (chain.rules.len(), None)
        } else {
            // The order of such rules counts, and no filter shows it.
            let here = || kinds.iter().filter(|(before, _)| before[index] > 0);
            let covered = here().map(|(before, _)| before[index]).max().unwrap_or_default();
            (covered, here().find_map(|(_, uncomputed)| *uncomputed))
        };
        made.uncomputed = uncomputed;
        if covered > 0 || table.head.family == Family::Arp || frames || linked[index] {
            let rules: Vec<String> = (0..covered).map(|rule| lowering.text(number, index, rule)).collect();
            made.content = digest(&made.content, &rules.join("\n"));
        }
        objects.push(made);
    }
}

/// Base chains that see packets which were translated at their own hook: what they decide on is not what came in.
fn orders(lowering: &Lowering<'_, '_, '_>, behind: &[Behind], objects: &mut Vec<Object>) {
    let ruleset = lowering.ruleset;
    for Behind { hook, base, translating, earlier } in behind {
        let names: Vec<String> = translating.iter().map(|base| base.name(ruleset)).collect();
        let mut content = format!("behind {}", names.join(", "));
        if !earlier.is_empty() {
            // What both decide together is not what either would of one packet.
            let mut rules = Vec::new();
            for base in earlier.iter().chain([base]) {
                let reached = base.reached(ruleset, lowering.survey);
                for chain in (0..reached.len()).filter(|chain| reached[*chain]) {
                    let count = ruleset.tables[base.table].chains[chain].rules.len();
                    rules.push(super::written::place(&ruleset.tables[base.table], chain));
                    rules.extend((0..count).map(|rule| lowering.text(base.table, chain, rule)));
                }
            }
            content = digest(&content, &rules.join("\n"));
        }
        let at = ruleset.tables[base.table].chains[base.chain].at;
        let mut made = Object::new("order", format!("{hook} {}", base.name(ruleset)), content, at);
        made.uncomputed = Some(ORDER);
        objects.push(made);
    }
}

/// The chains of each table with whose translations a later base chain of the same hook has to do.
fn followed(lowering: &Lowering<'_, '_, '_>, behind: &[Behind]) -> Vec<Vec<bool>> {
    let ruleset = lowering.ruleset;
    let mut followed: Vec<Vec<bool>> = ruleset.tables.iter().map(|table| vec![false; table.chains.len()]).collect();
    for base in behind.iter().flat_map(|behind| &behind.translating) {
        let reached = base.reached(ruleset, lowering.survey);
        followed[base.table].iter_mut().zip(reached).for_each(|(is, reached)| *is |= reached);
    }
    followed
}

fn digest(content: &str, rules: &str) -> String {
    format!("{content} rules {}", super::written::short_digest(rules)).trim_start().to_owned()
}

/// Hook and policy of a base chain; what other formats say without words is left out.
fn base_text(table: &Table<'_>, chain: &Chain<'_>) -> String {
    let Some(base) = &chain.base else { return String::new() };
    let policy = match otherwise(chain) {
        Action::Deny => "policy DROP",
        _ => "policy ACCEPT",
    };
    let priority = priority(table.head.family, base);
    let known = |(name, kind, number): (&str, &str, i64)| {
        *table.head.name.text == *name.as_bytes()
            && *base.kind.text == *kind.as_bytes()
            && (priority == Some(number) || name == "nat")
    };
    // The chains that iptables has: its tables at their priorities.
    let usual = [
        ("raw", "filter", -300),
        ("mangle", "filter", -150),
        ("mangle", "route", -150),
        ("nat", "nat", 0),
        ("filter", "filter", 0),
        ("security", "filter", 50),
    ];
    let capitals = base.hook.text.eq_ignore_ascii_case(&chain.name.text) && base.hook.text != chain.name.text;
    if capitals && usual.into_iter().any(known) {
        return policy.to_owned();
    }
    exact_text(table, chain, base)
}

/// All that is said of a base chain.
pub(super) fn exact_text(table: &Table<'_>, chain: &Chain<'_>, base: &Base<'_>) -> String {
    let policy = match otherwise(chain) {
        Action::Deny => "policy DROP",
        _ => "policy ACCEPT",
    };
    let priority = priority(table.head.family, base);
    let mut devices: Vec<String> = base.devices.iter().map(|device| device.show()).collect();
    devices.sort_unstable();
    let devices = if devices.is_empty() { String::new() } else { format!(" devices {{ {} }}", devices.join(", ")) };
    let priority = priority.map_or_else(|| "unknown".to_owned(), |number| number.to_string());
    format!("type {} hook {}{devices} priority {priority} {policy}", base.kind.show(), base.hook.show())
}

fn set_object(table: &Table<'_>, set: &ruleset::Set<'_>, contents: &Contents<'_, '_>) -> Object {
    /// More elements than this are told apart by a digest, or as members.
    const MOST_SHOWN: usize = 64;
    let head = &set.head;
    let mut content = match &head.key {
        Some(SetKey::Types(_) | SetKey::TypeOf(_)) => {
            let kinds: Vec<String> = contents.kinds.iter().map(|kind| kind.title()).collect();
            kinds.join(" . ")
        }
        None => String::new(),
    };
    match &head.data {
        Some(SetData::Types(names, _)) => {
            let kinds = names.iter().map(|name| Type::named(&name.text).map_or_else(|| name.show(), Type::title));
            write!(content, " : {}", kinds.collect::<Vec<_>>().join(" . ")).expect("writing to a String");
        }
        Some(SetData::TypeOf(expression, _)) => {
            let kinds = super::declared::types_of(expression).unwrap_or_default();
            let kinds: Vec<String> = kinds.into_iter().map(Type::title).collect();
            write!(content, " : {}", kinds.join(" . ")).expect("writing to a String");
        }
        Some(SetData::Objects(kind)) => write!(content, " : {}", kind.keyword()).expect("writing to a String"),
        None => {}
    }
    if let Some(size) = head.size.filter(|size| *size != super::stateful::USUAL_SIZE) {
        write!(content, " size {size}").expect("writing to a String");
    }
    if let Some(timeout) = head.timeout {
        write!(content, " timeout {timeout}ms").expect("writing to a String");
    }
    let decides = |kind: &StatementKind<'_>| !matches!(kind, StatementKind::Counter { .. } | StatementKind::Last(_));
    for statement in head.statements.iter().filter(|statement| decides(&statement.kind)) {
        write!(content, " {}", statements::text(statement)).expect("writing to a String");
    }
    let mut shown = contents.shown.clone();
    let mut count = shown.len();
    if let [kind] = contents.kinds[..] {
        for (values, sure) in [(&contents.sure, true), (&contents.unsure, false)] {
            let ranges = values.set.ranges();
            count += ranges.len() + values.names.len();
            if ranges.len() > MOST_SHOWN && is_number(kind) {
                shown.push(format!("{} intervals", ranges.len()));
            } else if ranges.len() > MOST_SHOWN {
                shown.push(super::written::digest_of_ranges(ranges));
            } else {
                shown.extend(ranges.iter().map(|(first, last)| {
                    let text = kind.show_set(&Set::range(first, last));
                    if sure { text } else { format!("{text} (for a time)") }
                }));
            }
            let mut names = values.names.clone();
            names.sort_unstable();
            shown.extend(names);
        }
    }
    let shown = shown.join(", ");
    if count > MOST_SHOWN {
        write!(content, " {{ {} }}", super::written::short_digest(&shown)).expect("writing to a String");
    } else if count > 0 {
        write!(content, " {{ {shown} }}").expect("writing to a String");
    }
    let kind = if head.map { "map" } else { "set" };
    let mut object = Object::new(kind, names::in_table(table, &head.path.name.text), content, head.at);
    object.elements = Some(contents.count);
    object.members = Some(members(head.flags.contains(&SetFlag::Interval), contents));
    object
}

/// Whether the elements of a set of that type are kept as they are.
const fn is_number(kind: Type) -> bool {
    matches!(kind, Type::Address(_) | Type::Service | Type::Integer(_))
}

/// The elements of a set, each as it reads; addresses, ports and other numbers as they are, since there may be a million.
fn members(interval: bool, contents: &Contents<'_, '_>) -> Members {
    let mut members = Members { single: !interval, others: contents.shown.clone(), ..Members::default() };
    if let [kind] = contents.kinds[..] {
        let sets = [&contents.sure, &contents.unsure];
        if is_number(kind) {
            members.family = if let Type::Address(family) = kind { Some(family) } else { None };
            members.certain = contents.sure.set.clone();
            members.passing = contents.unsure.set.clone();
        } else {
            let ranges = sets.iter().flat_map(|values| values.set.ranges());
            members.others.extend(ranges.map(|(first, last)| kind.show_set(&Set::range(first, last))));
        }
        members.others.extend(sets.iter().flat_map(|values| values.names.iter().cloned()));
    }
    members.others.sort_unstable();
    members
}

const fn kind_of(data: &ObjectData<'_>) -> &'static str {
    match data {
        ObjectData::Counter { .. } => ObjectKind::Counter.keyword(),
        ObjectData::Quota(_) => ObjectKind::Quota.keyword(),
        ObjectData::Limit(_) => ObjectKind::Limit.keyword(),
        ObjectData::CtHelper { .. } => ObjectKind::CtHelper.keyword(),
        ObjectData::CtTimeout(_) => ObjectKind::CtTimeout.keyword(),
        ObjectData::CtExpectation(_) => ObjectKind::CtExpectation.keyword(),
        ObjectData::Secmark(_) => ObjectKind::Secmark.keyword(),
        ObjectData::Synproxy(_) => ObjectKind::Synproxy.keyword(),
    }
}

/// What an object says; counts that change by themselves are left out.
pub(super) fn data_text(table: &Table<'_>, data: &ObjectData<'_>) -> String {
    // Where none is said it is the family of the table, and is listed.
    let family = |l3proto: &Option<Name<'_>>| {
        let own = || table.head.family.keyword().to_owned();
        format!(" l3proto {}", l3proto.as_ref().map_or_else(own, Name::show))
    };
    match data {
        ObjectData::Counter { packets: _, bytes: _ } => String::new(),
        ObjectData::Quota(Some(quota)) => format!("{}{}", if quota.over { "over " } else { "" }, text::quota(quota)),
        ObjectData::Limit(Some(limit)) => format!("{}{}", if limit.over { "over " } else { "" }, text::limit(limit)),
        ObjectData::Quota(None) | ObjectData::Limit(None) => String::new(),
        ObjectData::CtHelper { kind, protocol, l3proto } => {
            let kind = text::named("type", kind.as_ref());
            let protocol = text::named("protocol", protocol.as_ref());
            format!("{kind}{protocol}{}", family(l3proto)).trim_start().to_owned()
        }
        ObjectData::CtTimeout(CtTimeout { protocol, l3proto, policy }) => {
            let mut policy: Vec<String> =
                policy.iter().map(|(state, time)| format!("{} : {time}", state.show())).collect();
            policy.sort_unstable();
            let protocol = text::named("protocol", protocol.as_ref());
            let l3proto = family(l3proto);
            format!("{protocol}{l3proto} policy {{ {} }}", policy.join(", ")).trim_start().to_owned()
        }
        ObjectData::CtExpectation(CtExpectation { protocol, l3proto, dport, timeout, size }) => {
            let protocol = text::named("protocol", protocol.as_ref());
            let l3proto = family(l3proto);
            let port = |port: &Expression<'_>| {
                super::values::number(port, Type::Service).map_or_else(|_| text::expression(port), |n| n.to_string())
            };
            let dport = dport.as_ref().map_or_else(String::new, |dport| format!(" dport {}", port(dport)));
            let timeout = timeout.map_or_else(String::new, |time| format!(" timeout {time}ms"));
            let size = size.map_or_else(String::new, |size| format!(" size {size}"));
            format!("{protocol}{l3proto}{dport}{timeout}{size}").trim_start().to_owned()
        }
        ObjectData::Secmark(context) => context.as_ref().map_or_else(String::new, |context| context.show()),
        ObjectData::Synproxy(synproxy) => {
            let at = crate::formats::nftables::syntax::StatementKind::Synproxy(*synproxy);
            statements::kind_text(&at)
        }
    }
}

/// Translations and changes of tracking, each named by its conditions.
fn besides(lowering: &Lowering<'_, '_, '_>, followed: &[Vec<bool>], objects: &mut Vec<Object>) {
    let mut counts: HashMap<String, u32, RandomState> = HashMap::default();
    for Aside { table: number, chain, rule: _, beside, conditions, text, at } in &lowering.besides {
        let table = &lowering.ruleset.tables[*number];
        let place = names::in_table(table, &table.chains[*chain].name.text);
        let gap = if conditions.is_empty() { "" } else { " " };
        let address = format!("{place}{gap}{conditions}");
        let count = counts.entry(address.clone()).or_insert(0);
        *count += 1;
        let nth = if *count > 1 { format!(" (#{count})") } else { String::new() };
        let (kind, uncomputed) = match beside {
            Beside::Translation { early: true } => ("translation", Some(TRANSLATED)),
            Beside::Translation { early: false } if followed[*number][*chain] => ("translation", Some(TRANSLATED)),
            Beside::Translation { early: false } => ("translation", None),
            Beside::Copy => ("copy", Some(COPIED)),
            Beside::Hops => ("hop limit", Some(HOPS)),
            Beside::Tracking => ("tracking", Some(TRACKED)),
            Beside::Offload => ("offload", Some(OFFLOADED)),
        };
        let mut made = Object::new(kind, format!("{address}{nth}"), text.clone(), *at);
        made.uncomputed = uncomputed;
        objects.push(made);
    }
}
