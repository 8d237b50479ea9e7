//! Named sets and maps of random rulesets.

use super::write::{Table, Writer, line};
use portcullis::net::Family;

/// What the elements of a set are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Address(Family),
    Port,
    Interface,
    Protocol,
    /// An address and a port.
    Pair(Family),
    /// A protocol, an address and a port.
    Triple(Family),
}

/// A set or map that rules may name.
#[derive(Debug, Clone)]
pub(super) struct Named {
    pub(super) name: String,
    pub(super) kind: Kind,
    /// Whether its elements lead to verdicts.
    pub(super) map: bool,
    /// Whether rules may add elements.
    pub(super) dynamic: bool,
    interval: bool,
    /// Whether no element may be added later.
    constant: bool,
}

impl Writer<'_> {
    /// Writes some sets and maps of the families that the table has.
    pub(super) fn sets(&mut self, out: &mut String, table: &mut Table) {
        let families: &[Family] = match table.family {
            "ip" => &[Family::Ipv4],
            "ip6" => &[Family::Ipv6],
            _ => &Family::ALL,
        };
        for n in 0..self.random.below(5) {
            let family = *self.random.pick(families);
            let kind = *self.random.pick(&[
                Kind::Address(family),
                Kind::Address(family),
                Kind::Port,
                Kind::Interface,
                Kind::Protocol,
                Kind::Pair(family),
                Kind::Triple(family),
            ]);
            let map = self.random.chance(25);
            let dynamic = !map && matches!(kind, Kind::Address(_)) && self.random.chance(15);
            let interval = !dynamic && self.random.chance(60);
            let mut named = Named { name: format!("s{n}"), kind, map, dynamic, interval, constant: false };
            self.set(out, table, &mut named);
            table.sets.push(named);
        }
    }

    fn set(&mut self, out: &mut String, table: &Table, named: &mut Named) {
        let Named { ref name, kind, map, dynamic, interval, ref mut constant } = *named;
        let (kinds, of) = types(kind);
        let verdict = if map { " : verdict" } else { "" };
        line(out, &format!(" {} {name} {{", if map { "map" } else { "set" }));
        if self.random.chance(75) {
            line(out, &format!("  type {kinds}{verdict}"));
        } else {
            line(out, &format!("  typeof {of}{verdict};"));
        }
        let mut flags = Vec::new();
        if interval {
            flags.push("interval");
        }
        if dynamic {
            flags.push("dynamic");
            line(out, "  size 4096");
        }
        let timeout = !map && self.random.chance(10);
        if timeout {
            flags.push("timeout");
        }
        if self.random.chance(5) && !dynamic && !timeout {
            flags.insert(0, "constant");
            *constant = true;
        }
        if !flags.is_empty() {
            line(out, &format!("  flags {}", flags.join(", ")));
        }
        if timeout && self.random.chance(50) {
            line(out, "  timeout 1h");
        }
        // `auto-merge` lets elements overlap.
        let merging = interval && !map && matches!(kind, Kind::Address(_) | Kind::Port) && self.random.chance(40);
        if merging {
            line(out, "  auto-merge");
        }
        if self.random.chance(8) {
            line(out, "  comment \"some of them\"");
        }
        let count = if dynamic { 0 } else { self.random.below(6) };
        let mut elements = self.elements(kind, interval, count);
        if merging && self.random.chance(60) {
            let more = self.elements(kind, interval, 3);
            elements.extend(more.into_iter().filter(|new| !elements.contains(new)).collect::<Vec<_>>());
        }
        let catch_all = !merging && !dynamic && self.random.chance(if map { 20 } else { 4 });
        if catch_all && !matches!(kind, Kind::Pair(_) | Kind::Triple(_)) {
            elements.push("*".to_owned());
        }
        for element in &mut elements {
            if timeout && self.random.chance(30) {
                element.push_str(" timeout 2h");
            }
            if map {
                let verdict = self.verdict(&table.plain);
                element.push_str(&format!(" : {verdict}"));
            }
        }
        if !elements.is_empty() {
            let elements = self.braces(&elements);
            line(out, &format!("  elements = {elements}"));
        }
        line(out, " }");
    }

    /// Elements of which no two overlap.
    pub(super) fn elements(&mut self, kind: Kind, interval: bool, count: usize) -> Vec<String> {
        match kind {
            Kind::Address(family) => self.address_elements(family, interval, count),
            Kind::Port => self.port_elements(interval, count),
            Kind::Interface => self.interface_elements(interval, count),
            Kind::Protocol => {
                let names = ["tcp", "udp", "17", "icmp", "ipv6-icmp", "gre", "sctp", "132", "58", "esp", "51"];
                let mut out: Vec<String> = Vec::new();
                let mut numbers = Vec::new();
                for _ in 0..count {
                    let name = self.random.word(&names);
                    let number = super::aim::protocol_number(name);
                    if !numbers.contains(&number) {
                        numbers.push(number);
                        out.push(name.to_owned());
                    }
                }
                out
            }
            Kind::Pair(family) => {
                let addresses = self.address_elements(family, interval, count);
                let ports: Vec<_> = addresses.iter().map(|_| self.port_elements(interval, 1).concat()).collect();
                addresses.iter().zip(ports).map(|(address, port)| format!("{address} . {port}")).collect()
            }
            Kind::Triple(family) => {
                let addresses = self.address_elements(family, interval, count);
                let mut out = Vec::new();
                for address in addresses {
                    let protocol = self.random.word(&["tcp", "udp", "17", "6", "sctp"]);
                    out.push(format!("{protocol} . {address} . {}", self.port_elements(interval, 1).concat()));
                }
                out
            }
        }
    }

    fn address_elements(&mut self, family: Family, interval: bool, count: usize) -> Vec<String> {
        let ranges = self.disjoint(count, |writer| {
            let range = writer.address_range(family);
            if interval { range } else { (range.0, range.0) }
        });
        let text = |writer: &mut Self, range: (u128, u128)| match interval {
            true => writer.address_range_text(family, range),
            false => writer.address_text(family, range.0),
        };
        ranges.into_iter().map(|range| text(self, range)).collect()
    }

    fn port_elements(&mut self, interval: bool, count: usize) -> Vec<String> {
        let ranges = self.disjoint(count, |writer| {
            let range = writer.port_range();
            if interval { range } else { (range.0, range.0) }
        });
        ranges.into_iter().map(|range| self.port_range_text(range)).collect()
    }

    pub(super) fn interface_elements(&mut self, patterns: bool, count: usize) -> Vec<String> {
        let mut out: Vec<String> = Vec::new();
        let bare = |text: &str| text.trim_matches('"').trim_end_matches('*').to_owned();
        for _ in 0..count {
            let new = if patterns && self.random.chance(30) { self.interface_pattern() } else { self.interface_text() };
            let overlaps = |old: &String| bare(old).starts_with(&bare(&new)) || bare(&new).starts_with(&bare(old));
            if !out.iter().any(overlaps) && !new.contains('\\') {
                out.push(new);
            }
        }
        out
    }

    /// Adds elements to a set, or takes one out again.
    pub(super) fn element_command(&mut self, out: &mut String, table: &Table, head: &str) {
        let usable: Vec<_> =
            table.sets.iter().filter(|set| !set.map && !set.interval && !set.dynamic && !set.constant).collect();
        if usable.is_empty() {
            return;
        }
        let set = (*self.random.pick(&usable)).clone();
        let elements = self.elements(set.kind, false, 3);
        if elements.is_empty() {
            return;
        }
        line(out, &format!("add element {head} {} {{ {} }}", set.name, elements.join(", ")));
        if self.random.chance(40) {
            line(out, &format!("delete element {head} {} {{ {} }}", set.name, elements[0]));
        }
    }
}

/// The types, and expressions that have them.
fn types(kind: Kind) -> (&'static str, &'static str) {
    match kind {
        Kind::Address(Family::Ipv4) => ("ipv4_addr", "ip saddr"),
        Kind::Address(Family::Ipv6) => ("ipv6_addr", "ip6 daddr"),
        Kind::Port => ("inet_service", "tcp dport"),
        Kind::Interface => ("ifname", "iifname"),
        Kind::Protocol => ("inet_proto", "meta l4proto"),
        Kind::Pair(Family::Ipv4) => ("ipv4_addr . inet_service", "ip daddr . tcp dport"),
        Kind::Pair(Family::Ipv6) => ("ipv6_addr . inet_service", "ip6 saddr . udp sport"),
        Kind::Triple(Family::Ipv4) => ("inet_proto . ipv4_addr . inet_service", "meta l4proto . ip saddr . th dport"),
        Kind::Triple(Family::Ipv6) => ("inet_proto . ipv6_addr . inet_service", "meta l4proto . ip6 daddr . th sport"),
    }
}
