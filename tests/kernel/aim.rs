//! Packets aimed at the rules of a ruleset: their values, the ones beside them, and mixtures.

use crate::probe::{Body, DCCP, Probe, SCTP, Shape, TCP, UDP, UDPLITE, Way};
use crate::random::Random;
use portcullis::net::{Family, Field, parse_addresses};

/// What a rule asks for, roughly: negations are read as if they were not there, since the packets beside a
/// value matter as much as those within.
#[derive(Debug, Default, Clone)]
struct Aim {
    table: String,
    chain: String,
    target: String,
    sources: Vec<(u128, u128)>,
    destinations: Vec<(u128, u128)>,
    protocol: Option<u8>,
    source_ports: Vec<(u16, u16)>,
    destination_ports: Vec<(u16, u16)>,
    icmp: Option<(u8, u8)>,
    flags: Option<u8>,
    input: Option<String>,
    output: Option<String>,
}

pub(crate) struct Aimer<'a> {
    family: Family,
    names: &'a [String],
    /// Whether there are fragments.
    fragments: bool,
    aims: Vec<Aim>,
    addresses: Vec<(u128, u128)>,
    ports: Vec<(u16, u16)>,
}

impl<'a> Aimer<'a> {
    pub(crate) fn new(family: Family, names: &'a [String], fragments: bool, rules: &str) -> Self {
        let mut table = String::new();
        let mut aims = Vec::new();
        for line in rules.lines() {
            if let Some(name) = line.strip_prefix('*') {
                name.trim().clone_into(&mut table);
            } else if table != "nat" {
                aims.extend(read_line(family, &table, line));
            }
        }
        let addresses = aims.iter().flat_map(|aim| aim.sources.iter().chain(&aim.destinations)).copied().collect();
        let ports =
            aims.iter().flat_map(|aim| aim.source_ports.iter().chain(&aim.destination_ports)).copied().collect();
        Self { family, names, fragments, aims, addresses, ports }
    }

    /// A packet for one of the rules, on a hook from which the rule can be reached.
    pub(crate) fn probe(&self, random: &mut Random) -> Probe {
        let (aim, hook) = if self.aims.is_empty() || random.chance(4) {
            (Aim::default(), String::new())
        } else {
            let start = random.below(self.aims.len());
            self.climb(random, start)
        };
        // The address 0 is filled in by the sending side of the kernel.
        let source = self.address(random, &aim.sources).max(1);
        let destination = self.address(random, &aim.destinations).max(1);
        let body = self.body(random, &aim);
        let shape = match random.below(20) {
            0..3 if self.fragments => Shape::LaterFragment,
            3 if self.fragments => Shape::FirstFragment,
            4 => Shape::Options,
            _ => Shape::Whole,
        };
        let way = self.way(random, &aim, &hook);
        // Where a rule marks a packet that is made here, its route is chosen again, and none is found for broadcast.
        let broadcast = self.family == Family::Ipv4 && destination == u128::from(u32::MAX);
        let destination = if broadcast && matches!(way, Way::Output { .. }) { destination - 1 } else { destination };
        Probe { family: self.family, source, destination, body, shape, sound: !random.chance(3), way }
    }

    /// From a rule up through rules that lead to its chain, to a base chain; deeper demands go first.
    fn climb(&self, random: &mut Random, start: usize) -> (Aim, String) {
        let mut merged = self.aims[start].clone();
        for _ in 0..6 {
            let callers: Vec<_> =
                self.aims.iter().filter(|aim| aim.table == merged.table && aim.target == merged.chain).collect();
            if callers.is_empty() {
                break;
            }
            let caller = (*random.pick(&callers)).clone();
            merged = merged.under(caller);
        }
        let hook = merged.chain.clone();
        (merged, hook)
    }

    fn address(&self, random: &mut Random, wanted: &[(u128, u128)]) -> u128 {
        let max = Field::Source.max(self.family);
        let ranges = if wanted.is_empty() || random.chance(8) { &self.addresses[..] } else { wanted };
        if ranges.is_empty() || random.chance(7) {
            return match self.family {
                Family::Ipv4 => random.within(0x0100_0000, 0xdfff_ffff),
                Family::Ipv6 => 1 << 125 | random.within(0, max) >> 3,
            };
        }
        let (first, last) = *random.pick(ranges);
        match random.below(20) {
            0..6 => first,
            6..10 => last,
            10 | 11 => first.saturating_sub(1),
            12 | 13 => last.saturating_add(1).min(max),
            _ => random.within(first, last),
        }
    }

    fn port(&self, random: &mut Random, wanted: &[(u16, u16)]) -> u16 {
        let ranges = if wanted.is_empty() || random.chance(10) { &self.ports[..] } else { wanted };
        if ranges.is_empty() || random.chance(8) {
            return random.port();
        }
        let (first, last) = *random.pick(ranges);
        match random.below(20) {
            0..6 => first,
            6..10 => last,
            10 | 11 => first.saturating_sub(1),
            12 | 13 => last.saturating_add(1),
            _ => u16::try_from(random.within(first.into(), last.max(first).into())).unwrap_or(u16::MAX),
        }
    }

    fn body(&self, random: &mut Random, aim: &Aim) -> Body {
        let icmp = match self.family {
            Family::Ipv4 => 1,
            Family::Ipv6 => 58,
        };
        let usual = [TCP, TCP, TCP, UDP, UDP, icmp, SCTP, DCCP, UDPLITE, 47];
        let protocol = match aim.protocol {
            Some(protocol) if !random.chance(8) => protocol,
            Some(_) | None if random.chance(96) => *random.pick(&usual),
            Some(_) | None => random.byte(),
        };
        match protocol {
            TCP | UDP | SCTP | DCCP | UDPLITE => Body::Ports {
                protocol,
                source: self.port(random, &aim.source_ports),
                destination: self.port(random, &aim.destination_ports),
                flags: match aim.flags {
                    _ if protocol != TCP => 0,
                    Some(flags) if random.chance(60) => flags,
                    Some(flags) if random.chance(50) => flags ^ 1 << random.below(8),
                    _ if random.chance(80) => *random.pick(&[2, 2, 2, 0x10, 0x12, 0x18, 0x14, 4, 0x11, 0xc2]),
                    _ => random.byte(),
                },
            },
            protocol if protocol == icmp => {
                let (kind, code) = match aim.icmp {
                    Some(wanted) if random.chance(75) => wanted,
                    _ if random.chance(70) => (if icmp == 1 { 8 } else { 128 }, 0),
                    _ => (random.byte(), random.byte() % 8),
                };
                Body::Icmp { kind, code: if random.chance(90) { code } else { code.wrapping_add(1) }, about: None }
            }
            // In IPv6 these are extension headers, not protocols.
            0 | 43 | 44 | 51 | 60 | 135 | 139 | 140 if self.family == Family::Ipv6 => Body::Other(47),
            // Of the other family's ICMP nothing but the protocol can be asked.
            protocol => Body::Other(protocol),
        }
    }

    fn way(&self, random: &mut Random, aim: &Aim, hook: &str) -> Way {
        let find = |random: &mut Random, name: &Option<String>| {
            let count = self.names.len();
            let Some(name) = name.as_ref().filter(|_| !random.chance(10)) else { return random.below(count) };
            let fits: Vec<_> = (0..count).filter(|n| matches(name, &self.names[*n])).collect();
            if fits.is_empty() { random.below(count) } else { *random.pick(&fits) }
        };
        let (input, output) = (find(random, &aim.input), find(random, &aim.output));
        let is_lo = |name: &Option<String>| name.as_deref() == Some("lo");
        let looping = is_lo(&aim.input) || is_lo(&aim.output) || random.chance(4);
        match hook {
            "INPUT" | "OUTPUT" if looping => Way::Loop,
            "INPUT" => Way::Input { input },
            "OUTPUT" => Way::Output { output },
            "PREROUTING" if random.chance(30) => Way::Input { input },
            "POSTROUTING" if random.chance(30) => Way::Output { output },
            _ => Way::Forward { input, output },
        }
    }
}

impl Aim {
    /// This aim within a chain to which `caller` leads.
    fn under(self, caller: Self) -> Self {
        let or = |mine: Vec<_>, theirs| if mine.is_empty() { theirs } else { mine };
        let ports = |mine: Vec<_>, theirs| if mine.is_empty() { theirs } else { mine };
        Self {
            table: caller.table,
            chain: caller.chain,
            target: self.target,
            sources: or(self.sources, caller.sources),
            destinations: or(self.destinations, caller.destinations),
            protocol: self.protocol.or(caller.protocol),
            source_ports: ports(self.source_ports, caller.source_ports),
            destination_ports: ports(self.destination_ports, caller.destination_ports),
            icmp: self.icmp.or(caller.icmp),
            flags: self.flags.or(caller.flags),
            input: self.input.or(caller.input),
            output: self.output.or(caller.output),
        }
    }
}

fn matches(pattern: &str, name: &str) -> bool {
    pattern.strip_suffix('+').map_or(pattern == name, |prefix| name.starts_with(prefix))
}

fn read_line(family: Family, table: &str, line: &str) -> Option<Aim> {
    let mut aim = Aim { table: table.to_owned(), ..Aim::default() };
    let mut words = line.split_ascii_whitespace().filter(|word| *word != "!");
    let mut last = "";
    while let Some(word) = words.next() {
        let name = std::mem::replace(&mut last, word);
        let read = |word: &str| read_value(family, word);
        match name {
            "-A" | "-I" => word.clone_into(&mut aim.chain),
            "-j" | "-g" => word.clone_into(&mut aim.target),
            "-s" | "--source" | "--src-range" => aim.sources.extend(word.split(',').filter_map(read)),
            "-d" | "--destination" | "--dst-range" => aim.destinations.extend(word.split(',').filter_map(read)),
            "-i" => aim.input = Some(word.to_owned()),
            "-o" => aim.output = Some(word.to_owned()),
            "-p" => aim.protocol = protocol_number(word),
            "--sport" | "--sports" => aim.source_ports.extend(word.split(',').filter_map(read_ports)),
            "--dport" | "--dports" => aim.destination_ports.extend(word.split(',').filter_map(read_ports)),
            "--ports" => {
                let ports: Vec<_> = word.split(',').filter_map(read_ports).collect();
                aim.source_ports.extend(&ports);
                aim.destination_ports.extend(&ports);
            }
            "--icmp-type" | "--icmpv6-type" => aim.icmp = read_icmp(word),
            "--tcp-flags" => {
                aim.flags = words.next().map(read_flags);
            }
            _ if word == "--syn" => aim.flags = Some(2),
            _ => {}
        }
    }
    (!aim.chain.is_empty()).then_some(aim)
}

fn read_value(family: Family, word: &str) -> Option<(u128, u128)> {
    let text = match word.split_once('/') {
        Some((address, mask)) if mask.contains('.') => {
            let (_, mask) = parse_addresses(mask)?;
            format!("{address}/{}", mask.first()?.count_ones())
        }
        _ => word.to_owned(),
    };
    let (found, set) = parse_addresses(&text)?;
    (found == family).then(|| set.ranges().first())?
}

fn read_ports(word: &str) -> Option<(u16, u16)> {
    let one = |text: &str, open: u16| match text {
        "" => Some(open),
        "ssh" => Some(22),
        "domain" => Some(53),
        "http" => Some(80),
        "https" => Some(443),
        number => number.parse().ok(),
    };
    match word.split_once(':') {
        Some((first, last)) => Some((one(first, 0)?, one(last, u16::MAX)?)),
        None => one(word, 0).map(|port| (port, port)),
    }
}

fn read_icmp(word: &str) -> Option<(u8, u8)> {
    match word.split_once('/') {
        Some((kind, code)) => Some((kind.parse().ok()?, code.parse().ok()?)),
        None => match word {
            "echo-request" => Some((8, 0)),
            "redirect" => Some((5, 0)),
            "port-unreachable" => Some((3, 3)),
            "echo-reply" => Some((129, 0)),
            "packet-too-big" => Some((2, 0)),
            number => Some((number.parse().ok()?, 0)),
        },
    }
}

fn read_flags(word: &str) -> u8 {
    word.split(',').fold(0, |sum, flag| {
        sum | match flag {
            "FIN" => 1,
            "SYN" => 2,
            "RST" => 4,
            "PSH" => 8,
            "ACK" => 16,
            "URG" => 32,
            "ALL" => 63,
            _ => 0,
        }
    })
}

fn protocol_number(word: &str) -> Option<u8> {
    Some(match word {
        "tcp" => TCP,
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
        "ipv6" => 41,
        number => number.parse().ok()?,
    })
}

/// Packets that make connections, and what belongs to them: replies, repeats and errors.
pub(crate) fn conversations(random: &mut Random, seeds: &[Probe]) -> Vec<Probe> {
    let mut out = Vec::new();
    for seed in seeds {
        if random.chance(60) {
            out.extend(seed.reply());
        }
        if random.chance(40) {
            out.push(seed.clone());
        }
        if random.chance(40) {
            out.extend(error_about(random, seed));
        }
    }
    out
}

/// An ICMP error about a packet, from a random router to its source.
fn error_about(random: &mut Random, about: &Probe) -> Option<Probe> {
    let back = about.reply()?;
    let (kind, code) = match about.family {
        Family::Ipv4 => *random.pick(&[(3, 1), (3, 3), (3, 13), (11, 0), (12, 0)]),
        Family::Ipv6 => *random.pick(&[(1, 0), (1, 4), (2, 0), (3, 0), (4, 0)]),
    };
    let source = if random.chance(50) { back.source } else { back.source ^ 1 };
    let body = Body::Icmp { kind, code, about: Some(Box::new(about.clone())) };
    Some(Probe { source, body, shape: Shape::Whole, ..back })
}
