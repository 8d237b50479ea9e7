//! Packets aimed at nftables rules: their values, the ones beside them, and mixtures.

use super::scan::{Element, Rule, Scan};
use crate::probe::{Body, DCCP, Probe, SCTP, Shape, TCP, UDP, UDPLITE, Way};
use crate::random::Random;
use portcullis::net::{Family, Field, parse_addresses};

pub(crate) struct Aimer<'a> {
    names: &'a [String],
    /// Whether there are fragments.
    fragments: bool,
    scan: Scan,
    /// What any rule asks of addresses and ports.
    addresses: Vec<(Family, u128, u128)>,
    ports: Vec<(u128, u128)>,
}

/// What a packet should have.
#[derive(Debug, Default)]
struct Target {
    family: Option<Family>,
    source: Option<u128>,
    destination: Option<u128>,
    protocol: Option<u8>,
    source_port: Option<u16>,
    destination_port: Option<u16>,
    kind: Option<u8>,
    code: Option<u8>,
    flags: Option<u8>,
    input: Option<String>,
    output: Option<String>,
}

impl<'a> Aimer<'a> {
    pub(crate) fn new(names: &'a [String], fragments: bool, rules: &str) -> Self {
        let scan = Scan::of(rules);
        let (mut addresses, mut ports) = (Vec::new(), Vec::new());
        for demand in scan.rules.iter().flat_map(|rule| &rule.demands) {
            for element in &demand.elements {
                for (field, part) in demand.fields.iter().zip(&element.parts) {
                    if field.ends_with("addr") {
                        addresses.extend(address(part));
                    } else if field.ends_with("port") {
                        ports.extend(number(part));
                    }
                }
            }
        }
        Self { names, fragments, scan, addresses, ports }
    }

    /// A packet for one of the rules, on a hook from which the rule can be reached.
    pub(crate) fn probe(&self, random: &mut Random) -> Probe {
        let mut target = Target::default();
        let mut hook = "";
        if !self.scan.rules.is_empty() && !random.chance(4) {
            let rule = random.pick(&self.scan.rules);
            hook = self.demand(random, rule, &mut target);
        }
        let family = target.family.unwrap_or_else(|| *random.pick(&Family::ALL));
        // The address 0 is filled in by the sending side of the kernel.
        let source = self.address(random, family, target.source).max(1);
        let destination = self.address(random, family, target.destination).max(1);
        let body = self.body(random, family, &target);
        let shape = match random.below(20) {
            0..3 if self.fragments => Shape::LaterFragment,
            3 if self.fragments => Shape::FirstFragment,
            4 => Shape::Options,
            _ => Shape::Whole,
        };
        let way = self.way(random, &target, hook);
        // Where a rule marks a packet that is made here, its route is chosen again, and none is found for broadcast.
        let broadcast = family == Family::Ipv4 && destination == u128::from(u32::MAX);
        let destination = if broadcast && matches!(way, Way::Output { .. }) { destination - 1 } else { destination };
        Probe { family, source, destination, body, shape, sound: !random.chance(3), way }
    }

    /// Takes over what the rule demands and what leads to it, and finds the hook.
    fn demand(&self, random: &mut Random, rule: &Rule, target: &mut Target) -> &str {
        let mut rule = rule;
        let mut wanted: Option<&str> = None;
        for _ in 0..8 {
            for demand in &rule.demands {
                let leading = |element: &&Element| wanted.is_none() || element.jump.as_deref() == wanted;
                let fitting: Vec<_> = demand.elements.iter().filter(leading).collect();
                let any: Vec<_> = demand.elements.iter().collect();
                let from = if fitting.is_empty() { any } else { fitting };
                let element = (!from.is_empty()).then(|| *random.pick(&from));
                for (n, field) in demand.fields.iter().enumerate() {
                    let part = element.and_then(|element| element.parts.get(n)).map_or("", String::as_str);
                    target.take(random, field, part);
                }
            }
            if rule.chain.starts_with("ip ") {
                target.family.get_or_insert(Family::Ipv4);
            } else if rule.chain.starts_with("ip6 ") {
                target.family.get_or_insert(Family::Ipv6);
            }
            if let Some(hook) = self.scan.hooks.get(&rule.chain) {
                return hook;
            }
            let Some((table, chain)) = rule.chain.rsplit_once(' ') else { break };
            let leads = |above: &&Rule| {
                above.jumps.iter().any(|jump| jump == chain)
                    && above.chain.rsplit_once(' ').is_some_and(|(of, _)| of == table)
            };
            let callers: Vec<_> = self.scan.rules.iter().filter(leads).collect();
            if callers.is_empty() {
                break;
            }
            rule = *random.pick(&callers);
            wanted = Some(chain);
        }
        ""
    }

    fn address(&self, random: &mut Random, family: Family, wanted: Option<u128>) -> u128 {
        if let Some(address) = wanted.filter(|_| !random.chance(6)) {
            return address.min(Field::Source.max(family));
        }
        let known: Vec<_> = self.addresses.iter().filter(|(of, ..)| *of == family).collect();
        if known.is_empty() || random.chance(25) {
            return match family {
                Family::Ipv4 => random.within(0x0100_0000, 0xdfff_ffff),
                Family::Ipv6 => 1 << 125 | random.within(0, Field::Source.max(family)) >> 3,
            };
        }
        let (_, first, last) = **random.pick(&known);
        near(random, first, last, Field::Source.max(family))
    }

    fn port(&self, random: &mut Random, wanted: Option<u16>) -> u16 {
        match wanted {
            Some(port) if !random.chance(6) => port,
            _ if self.ports.is_empty() || random.chance(15) => random.port(),
            _ => {
                let (first, last) = *random.pick(&self.ports);
                u16::try_from(near(random, first, last, 65_535)).unwrap_or(u16::MAX)
            }
        }
    }

    fn body(&self, random: &mut Random, family: Family, target: &Target) -> Body {
        let icmp = match family {
            Family::Ipv4 => 1,
            Family::Ipv6 => 58,
        };
        let usual = [TCP, TCP, TCP, UDP, UDP, icmp, SCTP, DCCP, UDPLITE, 47];
        let protocol = match target.protocol {
            Some(protocol) if !random.chance(7) => protocol,
            Some(_) | None if random.chance(96) => *random.pick(&usual),
            Some(_) | None => random.byte(),
        };
        match protocol {
            TCP | UDP | SCTP | DCCP | UDPLITE => Body::Ports {
                protocol,
                source: self.port(random, target.source_port),
                destination: self.port(random, target.destination_port),
                flags: match target.flags {
                    _ if protocol != TCP => 0,
                    Some(flags) if random.chance(60) => flags,
                    Some(flags) if random.chance(50) => flags ^ 1 << random.below(8),
                    _ if random.chance(80) => *random.pick(&[2, 2, 2, 0x10, 0x12, 0x18, 0x14, 4, 0x11, 0xc2]),
                    _ => random.byte(),
                },
            },
            protocol if protocol == icmp => Body::Icmp {
                kind: match target.kind {
                    Some(kind) if random.chance(85) => kind,
                    _ if random.chance(70) => {
                        if icmp == 1 {
                            8
                        } else {
                            128
                        }
                    }
                    _ => random.byte(),
                },
                code: match target.code {
                    Some(code) if random.chance(85) => code,
                    _ if random.chance(75) => 0,
                    _ => random.byte() % 8,
                },
                about: None,
            },
            // In IPv6 these are extension headers, not protocols.
            0 | 43 | 44 | 51 | 60 | 135 | 139 | 140 if family == Family::Ipv6 => Body::Other(47),
            protocol => Body::Other(protocol),
        }
    }

    fn way(&self, random: &mut Random, target: &Target, hook: &str) -> Way {
        let find = |random: &mut Random, name: &Option<String>| {
            let count = self.names.len();
            let Some(name) = name.as_ref().filter(|_| !random.chance(10)) else { return random.below(count) };
            let matches = |own: &String| name.strip_suffix('*').map_or(name == own, |prefix| own.starts_with(prefix));
            let fits: Vec<_> = (0..count).filter(|n| matches(&self.names[*n])).collect();
            if fits.is_empty() { random.below(count) } else { *random.pick(&fits) }
        };
        let (input, output) = (find(random, &target.input), find(random, &target.output));
        let is_lo = |name: &Option<String>| name.as_deref() == Some("lo");
        let looping = is_lo(&target.input) || is_lo(&target.output) || random.chance(4);
        match hook {
            "input" | "output" if looping => Way::Loop,
            "input" => Way::Input { input },
            "output" => Way::Output { output },
            "prerouting" if random.chance(30) => Way::Input { input },
            "postrouting" if random.chance(30) => Way::Output { output },
            "forward" | "prerouting" | "postrouting" => Way::Forward { input, output },
            _ => match random.below(4) {
                0 => Way::Input { input },
                1 => Way::Output { output },
                _ => Way::Forward { input, output },
            },
        }
    }
}

impl Target {
    /// Takes what is asked of a field unless a rule nearer to the aim asked already.
    fn take(&mut self, random: &mut Random, field: &str, text: &str) {
        let (of, what) = field.split_once(' ').unwrap_or(("", field));
        match of {
            "ip" => drop(self.family.get_or_insert(Family::Ipv4)),
            "ip6" => drop(self.family.get_or_insert(Family::Ipv6)),
            "icmp" => {
                self.family.get_or_insert(Family::Ipv4);
                self.protocol.get_or_insert(1);
            }
            "icmpv6" => {
                self.family.get_or_insert(Family::Ipv6);
                self.protocol.get_or_insert(58);
            }
            "th" => drop(self.protocol.get_or_insert_with(|| *random.pick(&[TCP, UDP, SCTP]))),
            "" | "ct" => {}
            name => drop(self.protocol.get_or_insert_with(|| protocol_number(name))),
        }
        let port = |random: &mut Random| {
            let (first, last) = number(text)?;
            u16::try_from(near(random, first, last, 65_535)).ok()
        };
        let byte = |random: &mut Random, range: Option<(u128, u128)>| {
            let (first, last) = range?;
            u8::try_from(near(random, first, last, 255)).ok()
        };
        match what {
            "saddr" | "daddr" => {
                let Some((family, first, last)) = address(text) else { return };
                self.family.get_or_insert(family);
                let value = near(random, first, last, Field::Source.max(family));
                let place = if what == "saddr" { &mut self.source } else { &mut self.destination };
                place.get_or_insert(value);
            }
            "sport" => self.source_port = self.source_port.or_else(|| port(random)),
            "dport" => self.destination_port = self.destination_port.or_else(|| port(random)),
            "type" => self.kind = self.kind.or_else(|| byte(random, icmp_type(of, text))),
            "code" => self.code = self.code.or_else(|| byte(random, number(text))),
            "flags" => self.flags = self.flags.or_else(|| Some(flags(random, text))),
            "protocol" | "nexthdr" | "l4proto" if !of.is_empty() || what == "l4proto" => {
                let named = (!text.is_empty()).then(|| protocol_range(text));
                self.protocol = self.protocol.or_else(|| byte(random, named));
            }
            "nfproto" | "protocol" => match text {
                "ipv4" | "ip" => drop(self.family.get_or_insert(Family::Ipv4)),
                "ipv6" | "ip6" => drop(self.family.get_or_insert(Family::Ipv6)),
                _ => {}
            },
            "iifname" | "iif" if !text.is_empty() => drop(self.input.get_or_insert_with(|| text.to_owned())),
            "oifname" | "oif" if !text.is_empty() => drop(self.output.get_or_insert_with(|| text.to_owned())),
            _ => {}
        }
    }
}

/// A value of the range, mostly at its ends, or one just beside it.
fn near(random: &mut Random, first: u128, last: u128, max: u128) -> u128 {
    let last = last.max(first);
    match random.below(20) {
        0..6 => first,
        6..10 => last,
        10 | 11 => first.saturating_sub(1),
        12 | 13 => last.saturating_add(1).min(max),
        _ => random.within(first, last),
    }
}

fn address(text: &str) -> Option<(Family, u128, u128)> {
    let one = |text: &str| {
        let (family, set) = parse_addresses(text)?;
        let (first, last) = set.ranges().first()?;
        Some((family, first, last))
    };
    match text.split_once('-') {
        Some((first, last)) => {
            let ((family, first, _), (_, _, last)) = (one(first)?, one(last)?);
            Some((family, first, last))
        }
        // Host bits may be set.
        None => one(text).or_else(|| {
            let (address, length) = text.split_once('/')?;
            let (family, address, _) = one(address)?;
            let (first, last) = super::values::prefix(family, address, length.parse().ok()?);
            Some((family, first, last))
        }),
    }
}

fn number(text: &str) -> Option<(u128, u128)> {
    let one = |text: &str| match text {
        "ssh" => Some(22),
        "smtp" => Some(25),
        "domain" => Some(53),
        "http" => Some(80),
        "ntp" => Some(123),
        "https" => Some(443),
        text => match text.strip_prefix("0x") {
            Some(digits) => u128::from_str_radix(digits, 16).ok(),
            None => text.parse().ok(),
        },
    };
    match text.split_once('-') {
        Some((first, last)) => Some((one(first)?, one(last)?)),
        None => one(text).map(|value| (value, value)),
    }
}

fn icmp_type(of: &str, text: &str) -> Option<(u128, u128)> {
    let named = match (of, text) {
        ("icmp", "echo-request") => 8,
        ("icmp", "echo-reply") => 0,
        ("icmp", "destination-unreachable") => 3,
        ("icmp", "redirect") => 5,
        ("icmp", "time-exceeded") => 11,
        ("icmpv6", "destination-unreachable") => 1,
        ("icmpv6", "packet-too-big") => 2,
        ("icmpv6", "echo-request") => 128,
        ("icmpv6", "echo-reply") => 129,
        ("icmpv6", "mld-listener-query") => 130,
        ("icmpv6", "nd-router-advert") => 134,
        ("icmpv6", "nd-neighbor-solicit") => 135,
        _ => return number(text),
    };
    Some((named, named))
}

fn protocol_range(text: &str) -> (u128, u128) {
    number(text).unwrap_or_else(|| {
        let number = protocol_number(text).into();
        (number, number)
    })
}

/// The number of a protocol; TCP's for what is not one.
pub(super) fn protocol_number(word: &str) -> u8 {
    match word {
        "udp" => UDP,
        "icmp" => 1,
        "icmpv6" | "ipv6-icmp" => 58,
        "sctp" => SCTP,
        "dccp" => DCCP,
        "udplite" => UDPLITE,
        "gre" => 47,
        "esp" => 50,
        "ah" => 51,
        "igmp" => 2,
        "ospf" => 89,
        number => number.parse().unwrap_or(TCP),
    }
}

fn flags(random: &mut Random, text: &str) -> u8 {
    let one = |flag: &str| match flag {
        "fin" => 1,
        "syn" => 2,
        "rst" => 4,
        "psh" => 8,
        "ack" => 16,
        "urg" => 32,
        "ecn" => 64,
        "cwr" => 128,
        number => super::aim::number(number).and_then(|(value, _)| u8::try_from(value).ok()).unwrap_or(0),
    };
    if random.chance(70) { one(text) } else { *random.pick(&[0, 2, 0x12, 0x10, 0x11, 0x14, 4, 0x29]) }
}
