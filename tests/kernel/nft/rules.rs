//! Rules of random nftables rulesets.

use super::sets::Kind;
use super::values::prefix;
use super::write::{Place, Table, Writer};
use portcullis::net::{Family, format_address};

/// A rule in the making: what it has said of the packet already, so that it does not contradict itself.
#[derive(Default)]
pub(super) struct Rule {
    pub(super) text: String,
    pub(super) family: Option<Family>,
    pub(super) protocol: &'static str,
}

impl Rule {
    pub(super) fn push(&mut self, words: &str) {
        if !self.text.is_empty() && !words.is_empty() {
            self.text.push(' ');
        }
        self.text.push_str(words);
    }
}

impl Writer<'_> {
    pub(super) fn rule(&mut self, table: &Table, place: Place<'_>) -> String {
        let mut rule = Rule { family: self.family_of(table), ..Rule::default() };
        if rule.family.is_none() && self.random.chance(65) {
            rule.family = Some(*self.random.pick(&Family::ALL));
            if self.random.chance(25) {
                let named = match rule.family {
                    Some(Family::Ipv6) => ["meta nfproto ipv6", "meta protocol ip6", "ip6 version 6"],
                    _ => ["meta nfproto ipv4", "meta protocol ip", "ip version 4"],
                };
                rule.push(self.random.word(&named));
            }
        }
        rule.protocol =
            self.random.word(&["", "", "", "tcp", "tcp", "tcp", "udp", "th", "icmp", "sctp", "dccp", "udplite", "any"]);
        if rule.protocol == "icmp" && rule.family == Some(Family::Ipv6) {
            rule.protocol = "icmpv6";
        }
        let mut parts = Vec::new();
        for (part, often) in [(0, 40), (1, 30), (2, 30), (3, 22), (4, 15), (5, 12), (6, 8)] {
            if self.random.chance(often) {
                parts.push(part);
            }
        }
        if self.random.chance(20) {
            parts.reverse();
        }
        self.protocol(&mut rule);
        for part in parts {
            match part {
                0 => self.address(&mut rule, table),
                1 => self.transport(&mut rule, table),
                2 => self.interface(&mut rule, table, place),
                3 if self.tracking => self.connection(&mut rule),
                4 => self.concatenation(&mut rule, table),
                5 => self.unknown(&mut rule, place),
                _ => self.family_match(&mut rule, table),
            }
        }
        self.statements(&mut rule, table, place);
        self.finish(&mut rule, table, place);
        if self.random.chance(5) {
            rule.push(self.random.word(&[
                "comment \"plain\"",
                "comment \"drop; accept }\"",
                "comment \"two words # no\"",
            ]));
        }
        if rule.text.is_empty() { "counter".to_owned() } else { rule.text }
    }

    fn family_of(&self, table: &Table) -> Option<Family> {
        match table.family {
            "ip" => Some(Family::Ipv4),
            "ip6" => Some(Family::Ipv6),
            _ => None,
        }
    }

    fn operator(&mut self) -> &'static str {
        self.random.word(&["", "", "", "", "", "== ", "!= ", "!= "])
    }

    fn family_match(&mut self, rule: &mut Rule, table: &Table) {
        if table.family != "inet" {
            return;
        }
        let same = matches!(rule.family, Some(Family::Ipv6));
        rule.push(match (same, rule.family.is_some()) {
            (true, _) => self.random.word(&["meta nfproto ipv6", "meta protocol ip6", "meta nfproto != ipv4"]),
            (false, true) => self.random.word(&["meta nfproto ipv4", "meta nfproto != ipv6", "meta protocol ip"]),
            (false, false) => self.random.word(&[
                "meta nfproto { ipv4, ipv6 }",
                "meta protocol != ip6",
                "meta nfproto != ipv6",
                "meta protocol { ip, ip6, arp }",
            ]),
        });
    }

    /// Says the protocol in words of its own, which the ports may need or repeat.
    pub(super) fn protocol(&mut self, rule: &mut Rule) {
        let family = rule.family;
        let field = match family {
            Some(Family::Ipv4) if self.random.chance(40) => "ip protocol",
            Some(Family::Ipv6) if self.random.chance(40) => "ip6 nexthdr",
            _ => "meta l4proto",
        };
        match rule.protocol {
            "th" => {
                let of = self.random.word(&["{ tcp, udp }", "tcp", "17", "{ 6, 17 }", "{tcp,udp,sctp}", "udplite"]);
                if self.random.chance(85) {
                    rule.push(&format!("{field} {of}"));
                }
            }
            "any" => {
                let text = match self.random.below(8) {
                    0 => "!= tcp",
                    1 => "!= { tcp, udp }",
                    2 => "{ icmp, ipv6-icmp, gre }",
                    3 => "gre",
                    4 => "1-20",
                    5 => "> 17",
                    6 => "47",
                    _ => "{ 0-16, 50-60, 132 }",
                };
                rule.push(&format!("{field} {text}"));
            }
            "" => {}
            name if self.random.chance(20) => {
                let name = if name == "icmpv6" { "ipv6-icmp" } else { name };
                rule.push(&format!("{field} {name}"));
            }
            _ => {}
        }
    }

    fn address(&mut self, rule: &mut Rule, table: &Table) {
        let Some(family) = rule.family else { return };
        let field = self.random.word(&["saddr", "saddr", "daddr"]);
        let name = match family {
            Family::Ipv4 => "ip",
            Family::Ipv6 => "ip6",
        };
        let right = self.address_right(family, table);
        rule.push(&format!("{name} {field} {right}"));
    }

    fn address_right(&mut self, family: Family, table: &Table) -> String {
        let operator = self.operator();
        let address = self.some_address(family);
        match self.random.below(20) {
            0..4 => format!("{operator}{}", self.address_text(family, address)),
            4..7 => {
                let (first, _) = prefix(family, address, self.length(family));
                let length = self.length(family);
                let (first, _) = prefix(family, first, length);
                format!("{operator}{}/{length}", self.address_text(family, first))
            }
            7 => {
                let length = self.length(family);
                format!("{operator}{}/{length}", self.address_text(family, address))
            }
            8 | 9 => {
                let range = self.address_range(family);
                format!("{operator}{}", self.address_range_text(family, range))
            }
            10 => {
                let comparison = self.random.word(&["<", "<=", ">", ">="]);
                format!("{comparison} {}", self.address_text(family, address))
            }
            11 | 12 => {
                let mask = self.mask(family);
                let value = format_address(family, address & mask);
                format!("& {} {} {value}", format_address(family, mask), self.random.word(&["==", "!="]))
            }
            13 if self.defines => match family {
                Family::Ipv4 => (*self.random.pick(&["$host4", "!= $host4", "{ $host4, 10.0.0.0/30 }"])).to_owned(),
                Family::Ipv6 => (*self.random.pick(&["$nets6", "!= $nets6"])).to_owned(),
            },
            14..16 => {
                let named: Vec<_> =
                    table.sets.iter().filter(|set| set.kind == Kind::Address(family) && !set.map).collect();
                match named.first() {
                    Some(set) => format!("{operator}@{}", set.name),
                    None => format!("{operator}{}", self.address_text(family, address)),
                }
            }
            _ => {
                let count = 1 + self.random.below(5);
                let elements = self.elements(Kind::Address(family), true, count);
                format!("{operator}{}", self.braces(&elements))
            }
        }
    }

    fn mask(&mut self, family: Family) -> u128 {
        let max = portcullis::net::Field::Source.max(family);
        match self.random.below(4) {
            // Not a prefix: every other value is far away.
            0 => 0xff,
            1 => max ^ 0xff00,
            _ => {
                let host = family.bits() - self.length(family);
                max & !1u128.checked_shl(host).map_or(u128::MAX, |size| size - 1)
            }
        }
    }

    fn transport(&mut self, rule: &mut Rule, table: &Table) {
        match rule.protocol {
            "tcp" if self.random.chance(30) => {
                let flags = self.tcp_flags();
                rule.push(&flags);
            }
            protocol @ ("tcp" | "udp" | "sctp" | "dccp" | "udplite" | "th") => {
                for (field, often) in [("sport", 25), ("dport", 80)] {
                    if self.random.chance(often) {
                        let right = self.port_right(table);
                        rule.push(&format!("{protocol} {field} {right}"));
                    }
                }
            }
            "icmp" => self.icmp(
                rule,
                "icmp",
                &["echo-request", "echo-reply", "destination-unreachable", "redirect", "time-exceeded", "8", "0", "13"],
            ),
            "icmpv6" => self.icmp(
                rule,
                "icmpv6",
                &[
                    "echo-request",
                    "echo-reply",
                    "packet-too-big",
                    "nd-neighbor-solicit",
                    "nd-router-advert",
                    "128",
                    "1",
                    "135",
                    "mld-listener-query",
                ],
            ),
            _ => {}
        }
    }

    fn port_right(&mut self, table: &Table) -> String {
        let operator = self.operator();
        let range = self.port_range();
        match self.random.below(20) {
            0..7 => format!("{operator}{}", self.port_text(range.0)),
            7..9 if range.0 < range.1 => format!("{operator}{}", self.port_range_text(range)),
            9 | 10 => {
                let comparison = self.random.word(&["<", "<=", ">", ">="]);
                format!("{comparison} {}", range.0.clamp(1, 65_534))
            }
            11 => {
                let mask = *self.random.pick(&[1u128, 0xff, 0xfff0, 0xff00]);
                format!("& {mask:#x} {} {}", self.random.word(&["==", "!="]), range.0 & mask)
            }
            12 if self.defines => (*self.random.pick(&["$ports", "!= $ports"])).to_owned(),
            13..15 => {
                let named = table.sets.iter().find(|set| set.kind == Kind::Port && !set.map);
                named.map_or_else(|| format!("{operator}{}", range.0), |set| format!("{operator}@{}", set.name))
            }
            _ => {
                let count = 1 + self.random.below(5);
                let elements = self.elements(Kind::Port, true, count);
                format!("{operator}{}", self.braces(&elements))
            }
        }
    }

    fn tcp_flags(&mut self) -> String {
        const FLAGS: [&str; 8] = ["fin", "syn", "rst", "psh", "ack", "urg", "ecn", "cwr"];
        let mut some = |least: usize| {
            let mut chosen: Vec<_> = FLAGS.iter().copied().filter(|_| self.random.chance(25)).collect();
            while chosen.len() < least {
                chosen.push(self.random.word(&FLAGS[..6]));
            }
            chosen.dedup();
            chosen
        };
        let (few, mask) = (some(1), some(1));
        let within: Vec<_> = mask.iter().copied().filter(|_| self.random.chance(60)).collect();
        let within = if within.is_empty() { vec![mask[0]] } else { within };
        let operator = self.random.word(&["==", "!="]);
        let text = match self.random.below(14) {
            0 => few[0].to_owned(),
            1 => few.join(","),
            2 => format!("== {}", few.join("|")),
            3 => format!("!= {}", few[0]),
            4 => format!("& ({}) {operator} {}", mask.join("|"), within.join("|")),
            5 => format!("& ({}) {operator} ({})", mask.join(" | "), within.join(" | ")),
            6 => format!("& ({}) {operator} 0", mask.join("|")),
            // A list after the slash has a comma.
            7 if mask.len() > 1 => format!("{} / {}", within.join(","), mask.join(",")),
            8 if mask.len() > 1 => format!("!= {} / {}", within.join(","), mask.join(",")),
            9 => format!("{{ {}, {} }}", "syn", "fin | ack"),
            10 => "! syn,rst".to_owned(),
            11 => format!("& {} {operator} {}", mask[0], mask[0]),
            12 => (*self.random.pick(&["0x12", "2", "!= 0x0", "> 3", "& 0x3f == 0x12"])).to_owned(),
            _ => (*self.random.pick(&["syn", "& (fin|syn|rst|ack) == syn", "syn / syn,ack", "& (syn|ack) == syn|ack"]))
                .to_owned(),
        };
        format!("tcp flags {text}")
    }

    fn icmp(&mut self, rule: &mut Rule, name: &str, types: &[&str]) {
        let kind = self.random.word(types);
        let operator = self.operator();
        let other = self.random.word(types);
        let text = match self.random.below(12) {
            0..5 => format!("{name} type {operator}{kind}"),
            5..7 => {
                let list =
                    if number_of(kind) == number_of(other) { kind.to_owned() } else { format!("{kind}, {other}") };
                format!("{name} type {operator}{{ {list} }}")
            }
            7 => format!("{name} code {operator}{}", self.random.below(5)),
            8 => format!("{name} type {kind} {name} code {}", self.random.below(4)),
            9 => format!(
                "{name} type . {name} code {{ {kind} . {}, {other} . {} }}",
                self.random.below(2),
                2 + self.random.below(2)
            ),
            10 => format!("{name} type {} {}", self.random.word(&["<", ">="]), if name == "icmp" { 8 } else { 129 }),
            _ => format!("{name} type {{ 0-3, 9-12, 130-136 }}"),
        };
        rule.push(&text);
    }

    fn interface(&mut self, rule: &mut Rule, table: &Table, place: Place<'_>) {
        let names: &[&str] = match place.hook {
            "prerouting" | "input" => &["iifname", "iifname", "iif", "oifname"],
            "output" => &["oifname", "oifname", "oif", "iif"],
            _ => &["iifname", "oifname", "iif", "oif"],
        };
        let field = self.random.word(names);
        let meta = if self.random.chance(15) { "meta " } else { "" };
        let operator = self.operator();
        let right = if field.ends_with("name") {
            match self.random.below(12) {
                0..5 => format!("{operator}{}", self.interface_text()),
                5..8 => format!("{operator}{}", self.interface_pattern()),
                8 if self.defines => (*self.random.pick(&["$wan", "!= $wan", "$both"])).to_owned(),
                9 => match table.sets.iter().find(|set| set.kind == Kind::Interface && !set.map) {
                    Some(set) => format!("{operator}@{}", set.name),
                    None => format!("{operator}\"wlan9\""),
                },
                _ => {
                    let elements = self.interface_elements(true, 3);
                    if elements.is_empty() {
                        "\"lo\"".to_owned()
                    } else {
                        format!("{operator}{}", self.braces(&elements))
                    }
                }
            }
        } else if self.random.chance(75) {
            format!("{operator}{}", self.interface_text())
        } else {
            let elements = self.interface_elements(false, 3);
            if elements.is_empty() { "lo".to_owned() } else { format!("{operator}{}", self.braces(&elements)) }
        };
        rule.push(&format!("{meta}{field} {right}"));
    }

    fn connection(&mut self, rule: &mut Rule) {
        let text = match self.random.below(24) {
            0..5 => "state established,related",
            5..7 => "state new",
            7 | 8 => "state invalid",
            9 => "state != new",
            10 => "state { new, untracked }",
            11 => "state != { established, related }",
            12 => "state & (new | invalid) != 0",
            13 => "state != established,related",
            14 => "state == invalid",
            15 => "status assured",
            16 => "status dnat",
            17 => "direction original",
            18 => "direction reply",
            19 => self.random.word(&["mark 1", "id 5", "mark 0x1-0xff"]),
            20 => "mark & 0xff != 0",
            21 => "state new,established,related,untracked",
            22 => "state untracked",
            _ => "state & established == established",
        };
        rule.push(&format!("ct {text}"));
    }

    /// Several fields at once.
    fn concatenation(&mut self, rule: &mut Rule, table: &Table) {
        let Some(family) = rule.family else { return };
        let name = match family {
            Family::Ipv4 => "ip",
            Family::Ipv6 => "ip6",
        };
        let field = self.random.word(&["saddr", "daddr"]);
        let operator = self.random.word(&["", "", "", "!= "]);
        let named = |kind: Kind| table.sets.iter().find(|set| set.kind == kind && !set.map).map(|set| set.name.clone());
        let ports = matches!(rule.protocol, "tcp" | "udp" | "sctp");
        let count = 1 + self.random.below(3);
        match (self.random.below(5), ports) {
            (0..3, true) => {
                let left =
                    format!("{name} {field} . {} {}", rule.protocol, self.random.word(&["dport", "dport", "sport"]));
                let right = match named(Kind::Pair(family)) {
                    Some(set) if self.random.chance(50) => format!("@{set}"),
                    _ => {
                        let elements = self.elements(Kind::Pair(family), true, count);
                        self.braces(&elements)
                    }
                };
                rule.push(&format!("{left} {operator}{right}"));
            }
            (0..2, false) => {
                let elements = self.elements(Kind::Triple(family), true, count);
                let right = match named(Kind::Triple(family)) {
                    Some(set) if self.random.chance(50) => format!("@{set}"),
                    _ => self.braces(&elements),
                };
                rule.push(&format!("meta l4proto . {name} {field} . th dport {operator}{right}"));
            }
            (2, false) => {
                let addresses = self.elements(Kind::Address(family), true, count);
                let others = self.elements(Kind::Address(family), true, 3);
                let elements: Vec<_> =
                    addresses.iter().zip(others.iter().cycle()).map(|(a, b)| format!("{a} . {b}")).collect();
                let right = self.braces(&elements);
                rule.push(&format!("{name} saddr . {name} daddr {operator}{right}"));
            }
            _ => {
                let addresses = self.elements(Kind::Address(family), true, count);
                let elements: Vec<_> =
                    addresses.iter().map(|address| format!("{} . {address}", self.interface_text())).collect();
                let right = self.braces(&elements);
                let interface = self.random.word(&["iifname", "oifname"]);
                rule.push(&format!("{interface} . {name} {field} {operator}{right}"));
            }
        }
    }

    /// A match whose truth the model cannot know, or knows only for some packets.
    fn unknown(&mut self, rule: &mut Rule, place: Place<'_>) {
        let often: &[&str] = match rule.family {
            Some(Family::Ipv4) => &[
                "ip frag-off & 0x1fff != 0",
                "ip frag-off & 0x2000 == 0",
                "ip ttl 64",
                "ip dscp cs1",
                "ip length > 40",
                "ip version 4",
                "ip hdrlength 5",
            ],
            Some(Family::Ipv6) => &[
                "exthdr frag exists",
                "frag frag-off 0",
                "exthdr hbh missing",
                "ip6 hoplimit > 32",
                "dst nexthdr tcp",
                "ip6 version 6",
            ],
            None => &["meta mark 1", "meta mark & 0xff != 2", "meta length < 60", "meta pkttype unicast"],
        };
        let text = match self.random.below(16) {
            0..7 => self.random.word(often),
            7 => "fib daddr type local",
            8 => "fib daddr type != { local, broadcast }",
            9 if matches!(place.hook, "prerouting" | "input" | "forward") => "fib saddr . iif oif missing",
            10 => "meta mark 0x00000001",
            11 => "meta pkttype { host, multicast }",
            12 => "meta priority 0:0",
            13 => "meta random <= 2147483647",
            14 => "numgen inc mod 2 0",
            _ => "meta length 20-60",
        };
        rule.push(text);
    }
}

/// The number of a type that has two spellings here.
fn number_of(name: &str) -> &str {
    match name {
        "8" | "128" => "echo-request",
        "0" => "echo-reply",
        "1" => "destination-unreachable",
        "135" => "nd-neighbor-solicit",
        name => name,
    }
}
