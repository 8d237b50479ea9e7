//! Sets of packets as text.

use super::interfaces::show_interfaces;
use super::{Naming, is_icmp, show_protocol};
use crate::net::{Family, Field, Ranges, Region, Set, State, TCP_FLAGS, blocks, format_address, parse_addresses};

/// A region in the notation of flows: exactly its packets, so with its family where no address tells.
#[must_use]
pub fn show_region(region: &Region, names: &dyn Naming) -> String {
    show(region, names, false)
}

/// A region that says nothing of addresses, as that part of either family.
#[must_use]
pub fn show_either_family(region: &Region, names: &dyn Naming) -> String {
    show(region, names, true)
}

/// The opaque conditions of a flow, as they are written behind it: ` if …, unless …`.
#[must_use]
pub fn show_conditions<'t>(conditions: impl IntoIterator<Item = (bool, &'t str)>) -> String {
    let word = |(holds, text)| format!(" {} {text}", if holds { "if" } else { "unless" });
    conditions.into_iter().map(word).collect::<Vec<_>>().join(",")
}

fn show(region: &Region, names: &dyn Naming, either_family: bool) -> String {
    if region.is_empty() {
        return "no packet".to_owned();
    }
    let family = region.family();
    let address = |field| region.get(field).map(|set| addresses(family, set, names));
    let (source, destination) = (address(Field::Source), address(Field::Destination));
    let source = match (source, &destination) {
        (None, None) if !either_family => Addresses::list(family, everything(family).to_owned()),
        (source, _) => source.unwrap_or_else(|| Addresses::Plain("any".to_owned())),
    };
    let destination = destination.unwrap_or_else(|| Addresses::Plain("any".to_owned()));
    let protocols = region.get(Field::Protocol);
    let icmp = protocols.is_some_and(|set| values(set).is_some_and(|mut values| values.all(is_icmp)));
    let destination_ports = region.get(Field::DestinationPort);
    let mut out = format!(
        "{} {} -> {}",
        protocols.map_or_else(|| "any".to_owned(), show_protocols),
        endpoint(source, region.get(Field::SourcePort).map(|set| show_ports(set, protocols, names))),
        endpoint(destination, destination_ports.filter(|_| !icmp).map(|set| show_ports(set, protocols, names))),
    );
    let mut word = |word: &str, text: Option<String>| {
        if let Some(text) = text {
            out.extend([" ", word, &text]);
        }
    };
    word("type ", destination_ports.filter(|_| icmp).map(show_types));
    word("", region.get(Field::State).map(show_states));
    word("in ", region.get(Field::Input).map(show_interfaces));
    word("out ", region.get(Field::Output).map(show_interfaces));
    word("flags ", region.get(Field::TcpFlags).map(show_flag_set));
    let fragments = |set: &Set| if set.contains(0) { "no-later-fragment" } else { "later-fragment" }.to_owned();
    word("", region.get(Field::LaterFragment).map(fragments));
    out
}

/// How a text of addresses joins with ports.
enum Addresses {
    /// As it is.
    Plain(String),
    /// In brackets: it holds colons.
    Colons(String),
    /// In parentheses: it holds blanks.
    Blanks(String),
}

impl Addresses {
    const fn list(family: Family, text: String) -> Self {
        match family {
            Family::Ipv4 => Self::Plain(text),
            Family::Ipv6 => Self::Colons(text),
        }
    }
}

fn endpoint(addresses: Addresses, ports: Option<String>) -> String {
    match (addresses, ports) {
        (Addresses::Plain(text) | Addresses::Colons(text) | Addresses::Blanks(text), None) => text,
        (Addresses::Plain(text), Some(ports)) => format!("{text}:{ports}"),
        (Addresses::Colons(text), Some(ports)) => format!("[{text}]:{ports}"),
        (Addresses::Blanks(text), Some(ports)) => format!("({text}):{ports}"),
    }
}

/// Addresses of requests: the shortest of a list and the smallest prefix around them except what is missing.
#[must_use]
pub fn show_source(family: Family, set: &Set) -> String {
    let (Addresses::Plain(text) | Addresses::Colons(text) | Addresses::Blanks(text)) =
        addresses(family, set, &super::NoNames);
    let cut = text.char_indices().rfind(|(at, c)| *c == ',' && *at <= MOST_SHOWN);
    match cut.filter(|_| text.len() > MOST_SHOWN) {
        Some((at, _)) => format!("{},…", &text[..at]),
        None => text,
    }
}

/// More of a list of addresses is not shown.
const MOST_SHOWN: usize = 80;

/// A set of addresses: a name, a list, or the smallest prefix around it except what is missing; the shortest.
fn addresses(family: Family, set: &Set, names: &dyn Naming) -> Addresses {
    if let Some(name) = names.network(family, set).filter(|name| is_free(name)) {
        return Addresses::Plain(name.to_owned());
    }
    let around = prefix_around(family, set);
    let listed = address_list(family, set);
    let mostly = set.len() > around.len() / 2 && around != *set;
    if mostly {
        let holes = around.difference(set);
        let excepted = format!("{} except {}", address_list(family, &around), address_list(family, &holes));
        if excepted.len() < listed.len() {
            return Addresses::Blanks(excepted);
        }
    }
    Addresses::list(family, listed)
}

const fn everything(family: Family) -> &'static str {
    match family {
        Family::Ipv4 => "0.0.0.0/0",
        Family::Ipv6 => "::/0",
    }
}

/// Whether a user's name can stand among addresses or ports without meaning something else.
fn is_free(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(plain)
        && !["any", "except"].contains(&name)
        && parse_addresses(name).is_none()
}

/// The smallest prefix that includes the set.
fn prefix_around(family: Family, set: &Set) -> Set {
    let (first, last) = (set.first().unwrap_or(0), set.ranges().last().map_or(0, |range| range.1));
    let free = 128 - (first ^ last).leading_zeros();
    let ones = if free == 128 { u128::MAX } else { (1 << free) - 1 };
    Set::range(first & !ones, (first | ones).min(Field::Source.max(family)))
}

fn address_list(family: Family, set: &Set) -> String {
    show_addresses(family, set.ranges().iter()).join(",")
}

/// Ranges of addresses as prefixes, single addresses and, where that would be many, ranges.
#[must_use]
pub fn show_addresses(family: Family, ranges: impl IntoIterator<Item = (u128, u128)>) -> Vec<String> {
    let mut items = Vec::new();
    for (first, last) in ranges {
        let some: Vec<_> = blocks(family, first, last).take(3).collect();
        if some.len() > 2 {
            items.push(format!("{}-{}", format_address(family, first), format_address(family, last)));
            continue;
        }
        items.extend(some.into_iter().map(|(at, length)| {
            let address = format_address(family, at);
            if length == family.bits() { address } else { format!("{address}/{length}") }
        }));
    }
    items
}

fn show_protocols(set: &Set) -> String {
    let missing = set.complement(Field::Protocol.max(Family::Ipv4));
    let list = |set: &Set| -> Vec<String> {
        let item = |(first, last): (u128, u128)| -> Vec<String> {
            let numbers = || (first..=last).filter_map(|n| u8::try_from(n).ok());
            if last - first < 4 {
                numbers().map(show_protocol).collect()
            } else {
                vec![format!("protocol-{first}-{last}")]
            }
        };
        set.ranges().iter().flat_map(item).collect()
    };
    let (listed, missing) = (list(set), list(&missing));
    if listed.len() > missing.len() { format!("any except {}", missing.join(",")) } else { listed.join(",") }
}

/// Ports: the name that they have with every one of the protocols, or a list.
fn show_ports(set: &Set, protocols: Option<&Set>, names: &dyn Naming) -> String {
    let name = protocols.and_then(values).and_then(|values| {
        let mut found = values.map(|n| names.service(u8::try_from(n).ok()?, set));
        let first = found.next()??;
        found.all(|name| name == Some(first)).then_some(first)
    });
    match name.filter(|name| is_free(name)) {
        Some(name) => name.to_owned(),
        None => ranges(set.ranges()),
    }
}

/// The values of a small set.
fn values(set: &Set) -> Option<impl Iterator<Item = u128>> {
    (set.len() <= 4).then(|| set.ranges().iter().flat_map(|(first, last)| first..=last))
}

fn ranges(ranges: Ranges<'_>) -> String {
    let item = |(first, last): (u128, u128)| {
        if first == last { first.to_string() } else { format!("{first}-{last}") }
    };
    ranges.iter().map(item).collect::<Vec<_>>().join(",")
}

/// ICMP types and codes: `8`, `8/0`, `3/0-5`, `8-11`.
fn show_types(set: &Set) -> String {
    let mut items = Vec::new();
    for (first, last) in set.ranges() {
        let (mut next, last) = (first, last);
        while next <= last {
            let (kind, code) = (next >> 8, next & 0xff);
            let whole = (last + 1) >> 8; // the first type of which not all codes are in it
            if code == 0 && whole > kind {
                items.push(ranges(Ranges::One(kind, whole - 1)));
                next = whole << 8;
            } else {
                let end = last.min(kind << 8 | 0xff);
                items.push(format!("{kind}/{}", ranges(Ranges::One(code, end & 0xff))));
                next = end + 1;
            }
        }
    }
    items.join(",")
}

fn show_states(set: &Set) -> String {
    let names = State::ALL.into_iter().filter(|state| set.contains(state.value())).map(State::name);
    names.collect::<Vec<_>>().join(",")
}

/// Sets of TCP flags: masks where there are few, numbers otherwise.
fn show_flag_set(set: &Set) -> String {
    let join = |cubes: Vec<(u8, u8)>| cubes.into_iter().map(show_cube).collect::<Vec<_>>().join("|");
    let is = few_cubes(set);
    // One is as plain as it gets.
    if let Some(is) = is.as_ref().filter(|is| is.len() == 1) {
        return join(is.clone());
    }
    let is_not = few_cubes(&set.complement(Field::TcpFlags.max(Family::Ipv4)));
    match (is, is_not) {
        (Some(is), Some(is_not)) if is.len() > is_not.len() => format!("not {}", join(is_not)),
        (Some(is), _) => join(is),
        (None, Some(is_not)) => format!("not {}", join(is_not)),
        (None, None) => {
            let item = |(first, last)| format!("0x{first:02x}-0x{last:02x}");
            set.ranges().iter().map(item).collect::<Vec<_>>().join("|")
        }
    }
}

/// How many pairs of mask and value are readable.
const MANY: usize = 4;

fn few_cubes(set: &Set) -> Option<Vec<(u8, u8)>> {
    let mut out = Vec::new();
    cubes(set, 0, 0, &mut out);
    out.sort_by_key(|(_, value)| *value);
    (out.len() <= MANY).then_some(out)
}

/// The set as disjoint pairs of mask and value: those in which the masked bits have that value. Stops when there are
/// too many.
fn cubes(set: &Set, mask: u8, value: u8, out: &mut Vec<(u8, u8)>) {
    if out.len() > MANY {
        return;
    }
    let inside = (0..=u8::MAX).filter(|v| v & mask == value);
    let (mut some, mut all) = (false, true);
    let (mut ones, mut zeros) = (u8::MAX, u8::MAX);
    for v in inside {
        if set.contains(v.into()) {
            some = true;
            ones &= v;
            zeros &= !v;
        } else {
            all = false;
        }
    }
    if !some {
        return;
    }
    let fixed = (ones | zeros) & !mask;
    if all {
        out.push((mask, value));
    } else if fixed != 0 {
        cubes(set, mask | fixed, value | ones & fixed, out);
    } else {
        // Split by the flag on which most members agree.
        let members: Vec<u8> = (0..=u8::MAX).filter(|v| v & mask == value && set.contains((*v).into())).collect();
        let with = |bit: u8| members.iter().filter(|v| **v & bit != 0).count();
        let bits = (0..8).map(|n| 1 << n).filter(|bit| mask & bit == 0);
        let Some(bit) = bits.max_by_key(|bit| (2 * with(*bit)).abs_diff(members.len())) else { return };
        cubes(set, mask | bit, value | bit, out);
        cubes(set, mask | bit, value, out);
    }
}

fn show_cube((mask, value): (u8, u8)) -> String {
    if mask == u8::MAX { show_flags(value) } else { format!("{}/{}", show_flags(value), show_flags(mask)) }
}

/// The flags that are set.
pub(super) fn show_flags(flags: u8) -> String {
    let set = TCP_FLAGS.iter().enumerate().filter(|(bit, _)| flags >> bit & 1 == 1).map(|(_, name)| *name);
    let names = set.collect::<Vec<_>>().join(",");
    if names.is_empty() { "none".to_owned() } else { names }
}
