//! Interface names and sets of them.

use crate::net::{Family, Field, Interface, Set};
use std::fmt::Write as _;

/// Words that mean something else where an interface may stand.
const RESERVED: [&str; 4] = ["not", "none", "any", "except"];

/// A set of interfaces: a list, what is missing from all, or what is missing from a list; the shortest.
pub(super) fn show_interfaces(set: &Set) -> String {
    let filled = fill(set);
    let missing = set.complement(Field::Input.max(Family::Ipv4));
    let mut best = (cost(set), list(set));
    if (cost(&missing) + 1) < best.0 {
        best = (cost(&missing) + 1, format!("not {}", list(&missing)));
    }
    let holes = filled.difference(set);
    if !holes.is_empty() && cost(&filled) + cost(&holes) + 1 < best.0 {
        best.1 = format!("{} except {}", list(&filled), list(&holes));
    }
    best.1
}

/// The set with those gaps between its intervals filled that are themselves a name or a prefix.
fn fill(set: &Set) -> Set {
    let ranges = set.ranges().iter();
    let gaps = ranges.clone().zip(ranges.skip(1)).map(|((_, end), (start, _))| (end + 1, start - 1));
    set.union(&Set::from_ranges(gaps.filter(|(first, last)| is_readable(*first, *last))))
}

/// How hard a list is to read: intervals that are neither names nor prefixes count most.
fn cost(set: &Set) -> usize {
    set.ranges().iter().map(|(first, last)| if is_readable(first, last) { 1 } else { 100 }).sum()
}

fn list(set: &Set) -> String {
    let item = |(first, last)| match prefix(first, last) {
        Some(prefix) => format!("{}*", show_name(&prefix)),
        None if first == last => show_interface(first),
        None => format!("0x{first:032x}-0x{last:032x}"),
    };
    set.ranges().iter().map(item).collect::<Vec<_>>().join(",")
}

fn is_readable(first: u128, last: u128) -> bool {
    prefix(first, last).is_some() || first == last && (first == Interface::NONE.0 || is_name(first))
}

/// The prefix whose names are exactly this interval.
fn prefix(first: u128, last: u128) -> Option<Vec<u8>> {
    let name = Interface(first).name();
    let fits = !name.is_empty() && !name.contains(&0);
    (fits && Interface::with_prefix(&name)? == Set::range(first, last)).then_some(name)
}

/// Whether the number is that of a name: at most 15 bytes, none of them NUL.
fn is_name(value: u128) -> bool {
    let name = Interface(value).name();
    (1..16).contains(&name.len()) && !name.contains(&0)
}

/// One interface, or that there is none.
pub(super) fn show_interface(value: u128) -> String {
    if value == Interface::NONE.0 {
        return "none".to_owned();
    }
    if !is_name(value) {
        return format!("0x{value:032x}");
    }
    show_name(&Interface(value).name())
}

fn show_name(name: &[u8]) -> String {
    let reserved = RESERVED.iter().any(|word| word.as_bytes() == name);
    let mut out = String::new();
    for (n, byte) in name.iter().enumerate() {
        if byte.is_ascii_graphic() && !b",*\\".contains(byte) && !(reserved && n == 0) {
            out.push(char::from(*byte));
        } else {
            write!(out, "\\x{byte:02x}").expect("writing to a String");
        }
    }
    out
}

/// Reads one item of a list: a name, a prefix `wan*`, or a number as it is printed.
pub(super) fn parse_interfaces(item: &str) -> Option<Set> {
    if item == "none" {
        return Some(Set::point(Interface::NONE.0));
    }
    if let Some((first, last)) = item.split_once('-')
        && let (Some(first), Some(last)) = (number(first), number(last))
    {
        return (first <= last).then(|| Set::range(first, last));
    }
    if let Some(value) = number(item) {
        return Some(Set::point(value));
    }
    if RESERVED.contains(&item) {
        return None;
    }
    match item.strip_suffix('*') {
        Some(prefix) => Interface::with_prefix(&unescape(prefix).filter(|name| !name.is_empty())?),
        None => Interface::named(&unescape(item).filter(|name| !name.is_empty())?).map(|i| Set::point(i.0)),
    }
}

/// A number as long as no name can be.
fn number(text: &str) -> Option<u128> {
    let digits = text.strip_prefix("0x").filter(|digits| digits.len() == 32)?;
    u128::from_str_radix(digits, 16).ok()
}

fn unescape(text: &str) -> Option<Vec<u8>> {
    if text.contains('*') {
        return None;
    }
    let mut parts = text.split('\\');
    let mut out = parts.next()?.as_bytes().to_vec();
    for part in parts {
        let (code, rest) = part.strip_prefix('x')?.split_at_checked(2)?;
        let hex = code.bytes().all(|b| b.is_ascii_hexdigit());
        out.push(u8::from_str_radix(code, 16).ok().filter(|byte| hex && *byte != 0)?);
        out.extend(rest.bytes());
    }
    Some(out)
}
