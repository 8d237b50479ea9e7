//! Random rulesets in the words of `iptables-save`.

use crate::random::Random;
use portcullis::net::{Family, Field, format_address};
use std::fmt::Write as _;

/// Writes rulesets whose values come from a small pool, so that rules meet one another.
pub(crate) struct Writer<'w> {
    random: &'w mut Random,
    family: Family,
    /// Whether rules may look at connections; if not, they may look at fragments.
    tracking: bool,
    names: &'w [String],
    addresses: Vec<u128>,
    ports: Vec<u16>,
}

/// Base chains by table, those at which `-i` and `-o` are allowed in the order of the kernel's hooks.
const TABLES: [(&str, &[&str]); 4] = [
    ("raw", &["PREROUTING", "OUTPUT"]),
    ("mangle", &["PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"]),
    ("filter", &["INPUT", "FORWARD", "OUTPUT"]),
    ("security", &["INPUT", "FORWARD", "OUTPUT"]),
];

/// Where a rule stands, which decides what it may say.
#[derive(Clone, Copy)]
struct Place<'p> {
    table: &'p str,
    chain: &'p str,
    /// The user chains it may jump to: those after its own, so that there are no loops.
    below: &'p [String],
}

impl<'w> Writer<'w> {
    pub(crate) fn new(random: &'w mut Random, family: Family, tracking: bool, names: &'w [String]) -> Self {
        let addresses = (0..5)
            .map(|_| match family {
                Family::Ipv4 => random.within(0x0a00_0000, 0xcfff_ffff),
                Family::Ipv6 => 0x2001_0db8 << 96 | random.within(0, u128::MAX >> 33),
            })
            .collect();
        let ports = (0..5).map(|_| if random.chance(60) { random.port() % 1024 } else { random.port() }).collect();
        Self { random, family, tracking, names, addresses, ports }
    }

    pub(crate) fn ruleset(&mut self) -> String {
        let mut out = String::new();
        for (table, chains) in TABLES {
            let wanted = match table {
                "filter" => 95,
                "mangle" => 40,
                "raw" => 30,
                _ => 15,
            };
            if self.random.chance(wanted) {
                self.table(&mut out, table, chains);
            }
        }
        if out.is_empty() {
            self.table(&mut out, "filter", TABLES[2].1);
        }
        out
    }

    fn table(&mut self, out: &mut String, table: &str, chains: &[&str]) {
        const NAMES: [&str; 6] = ["a", "LOG_DROP", "in-lan", "sub.1", "Zone+x", "f2b-sshd"];
        let user: Vec<String> = NAMES.iter().take(self.random.below(7)).map(|name| (*name).to_owned()).collect();
        line(out, &format!("*{table}"));
        for chain in chains {
            let policy = if self.random.chance(if table == "filter" { 35 } else { 6 }) { "DROP" } else { "ACCEPT" };
            let counters =
                if self.random.chance(80) { format!(" [{}:{}]", self.random.below(9), 7) } else { String::new() };
            line(out, &format!(":{chain} {policy}{counters}"));
        }
        for chain in &user {
            line(out, &format!(":{chain} - [0:0]"));
        }
        for chain in chains {
            let place = Place { table, chain, below: &user };
            // A rule that drops early starves the hooks behind it.
            for _ in 0..self.random.below(if table == "filter" { 9 } else { 4 }) {
                self.rule(out, place);
            }
        }
        for (n, chain) in user.iter().enumerate() {
            let place = Place { table, chain, below: &user[n + 1..] };
            for _ in 0..self.random.below(6) {
                self.rule(out, place);
            }
        }
        line(out, "COMMIT");
    }

    fn rule(&mut self, out: &mut String, place: Place<'_>) {
        let mut words = Words::default();
        if self.random.chance(45) {
            self.address(&mut words, "-s");
        }
        if self.random.chance(40) {
            self.address(&mut words, "-d");
        }
        if self.random.chance(25) && !matches!(place.chain, "OUTPUT" | "POSTROUTING") {
            self.interface(&mut words, "-i");
        }
        if self.random.chance(25) && !matches!(place.chain, "PREROUTING" | "INPUT") {
            self.interface(&mut words, "-o");
        }
        let protocol = self.protocol(&mut words);
        if self.random.chance(10) {
            self.address_range(&mut words);
        }
        if self.tracking && self.random.chance(if place.table == "raw" { 5 } else { 25 }) {
            self.state(&mut words);
        }
        if !self.tracking && self.family == Family::Ipv4 && self.random.chance(20) {
            self.negation(&mut words);
            words.push("-f");
        }
        if self.random.chance(5) {
            words.push("-m comment --comment");
            words.push(self.random.word(&["plain", "\"two words\"", "\"-j DROP\"", "\"a \\\" quote\"", "\"#1\""]));
        }
        if self.random.chance(4) {
            self.unknown_condition(&mut words);
        }
        self.target(&mut words, place, protocol);
        let counters = if self.random.chance(3) { "[12:3456] " } else { "" };
        line(out, format!("{counters}-A {} {}", place.chain, words.0).trim_end());
    }

    fn negation(&mut self, words: &mut Words) {
        if self.random.chance(18) {
            words.push("!");
        }
    }

    fn some_address(&mut self) -> u128 {
        *self.random.pick(&self.addresses)
    }

    fn address(&mut self, words: &mut Words, option: &str) {
        // No negation stands beside a list of addresses.
        if !words.0.contains(',') {
            self.negation(words);
        }
        let (negated, listable) = (words.0.ends_with('!'), !words.0.contains('!'));
        words.push(option);
        let bits = self.family.bits();
        let address = self.some_address();
        let text = format_address(self.family, address);
        let common: &[u32] = match self.family {
            Family::Ipv4 => &[8, 16, 24, 30, 31, 32],
            Family::Ipv6 => &[32, 48, 64, 127, 128],
        };
        // The nft backend of some versions does not load `! -d 0.0.0.0/0`.
        let shortest = u128::from(negated);
        let length = if self.random.chance(60) {
            *self.random.pick(common)
        } else {
            u32::try_from(self.random.within(shortest, bits.into())).expect("at most 128")
        };
        match self.random.below(20) {
            0..4 => words.push(&text),
            4 if listable => {
                let other = self.some_address();
                words.push(&format!("{text}/{length},{}", format_address(self.family, other)));
            }
            5..7 if self.family == Family::Ipv4 => {
                let mask = Field::Source.max(self.family) << (bits - length) & Field::Source.max(self.family);
                words.push(&format!("{text}/{}", format_address(self.family, mask)));
            }
            _ => words.push(&format!("{text}/{length}")),
        }
    }

    fn address_range(&mut self, words: &mut Words) {
        words.push("-m iprange");
        for option in ["--src-range", "--dst-range"] {
            if option == "--dst-range" && !self.random.chance(30) {
                continue;
            }
            self.negation(words);
            let (a, b) = (self.some_address(), self.some_address());
            let last = if self.random.chance(50) { a.max(b) } else { a.min(b).saturating_add(300) };
            let first = format_address(self.family, a.min(b));
            let last = format_address(self.family, last.min(Field::Source.max(self.family)));
            words.push(&format!("{option} {first}-{last}"));
        }
    }

    fn interface(&mut self, words: &mut Words, option: &str) {
        self.negation(words);
        words.push(option);
        let name = self.random.pick(self.names).clone();
        match self.random.below(10) {
            0 => words.push("lo"),
            1 => words.push("wlan9"),
            2 | 3 => words.push(&format!("{}+", name.trim_end_matches(|c: char| c.is_ascii_digit()))),
            4 => words.push(&format!("{}+", name.get(..1).unwrap_or("e"))),
            5 => words.push(&format!("{name}+")),
            _ => words.push(&name),
        }
    }

    /// Chooses a protocol with its matches; what `-p` names where that is one protocol.
    fn protocol(&mut self, words: &mut Words) -> &'static str {
        match self.random.below(20) {
            0..5 => "",
            5 => {
                words.push("! -p");
                words.push(self.random.word(&["tcp", "udp", "17", "sctp"]));
                ""
            }
            6 => {
                let number = self.random.below(256).to_string();
                words.push(if self.random.chance(15) { "-p all" } else { "-p" });
                if words.0.ends_with("-p") {
                    words.push(&number);
                }
                ""
            }
            7 => {
                let names: &[&str] = match self.family {
                    Family::Ipv4 => &["gre", "esp", "ah", "igmp", "ospf", "ipv6", "47"],
                    Family::Ipv6 => &["gre", "esp", "ospf", "47", "89"],
                };
                words.push("-p");
                words.push(self.random.word(names));
                ""
            }
            8..10 => self.icmp(words),
            10..13 => {
                let (text, module, name) = *self.random.pick(&[
                    ("udp", "udp", "udp"),
                    ("17", "udp", "udp"),
                    ("sctp", "sctp", "sctp"),
                    ("132", "sctp", "sctp"),
                    ("dccp", "dccp", "dccp"),
                    ("udplite", "", "udplite"),
                ]);
                words.push(&format!("-p {text}"));
                self.ports(words, module, name != "dccp" || self.family == Family::Ipv4);
                name
            }
            _ => {
                words.push(if self.random.chance(85) { "-p tcp" } else { "-p 6" });
                if self.random.chance(30) {
                    self.flags(words);
                    self.negated_ports(words, "");
                } else {
                    self.ports(words, "tcp", true);
                }
                "tcp"
            }
        }
    }

    fn port_text(&mut self) -> String {
        let a = *self.random.pick(&self.ports);
        let b = *self.random.pick(&self.ports);
        match self.random.below(10) {
            0 | 1 => format!("{}:{}", a.min(b), a.max(b)),
            2 => format!(":{a}"),
            3 => format!("{a}:"),
            4 => (*self.random.pick(&["ssh", "domain", "http", "ssh:https", "0", "65535", "0:65535"])).to_owned(),
            _ => a.to_string(),
        }
    }

    fn ports(&mut self, words: &mut Words, module: &str, multiport: bool) {
        if multiport && self.random.chance(30) {
            words.push("-m multiport");
            self.negation(words);
            words.push(self.random.word(&["--dports", "--dports", "--sports", "--ports"]));
            let count = 1 + self.random.below(6);
            let list: Vec<_> = (0..count)
                .map(|_| {
                    let (a, b) = (*self.random.pick(&self.ports), self.random.port());
                    if self.random.chance(30) { format!("{}:{}", a.min(b), a.max(b)) } else { a.to_string() }
                })
                .collect();
            words.push(&list.join(","));
        } else if !module.is_empty() {
            if self.random.chance(70) {
                words.push(&format!("-m {module}"));
            }
            self.negated_ports(words, module);
        }
    }

    fn negated_ports(&mut self, words: &mut Words, module: &str) {
        for (option, often) in [("--sport", 25), ("--dport", 75)] {
            if self.random.chance(often) {
                self.negation(words);
                let text = self.port_text();
                // Only tcp and udp know open ranges and the services' names here.
                let plain = matches!(module, "sctp" | "dccp") && !text.bytes().all(|b| b.is_ascii_digit());
                words.push(option);
                words.push(if plain { "7:4000" } else { &text });
            }
        }
    }

    fn flags(&mut self, words: &mut Words) {
        const FLAGS: [&str; 6] = ["SYN", "ACK", "FIN", "RST", "URG", "PSH"];
        if self.random.chance(70) {
            words.push("-m tcp");
        }
        self.negation(words);
        if self.random.chance(40) {
            words.push("--syn");
            return;
        }
        let mut some = |from: &[&'static str], all: &'static str| -> String {
            if self.random.chance(10) {
                return all.to_owned();
            }
            let chosen: Vec<_> = from.iter().copied().filter(|_| self.random.chance(50)).collect();
            if chosen.is_empty() { "NONE".to_owned() } else { chosen.join(",") }
        };
        let mask = some(&FLAGS, "ALL");
        let set = some(&FLAGS, "NONE");
        words.push(&format!("--tcp-flags {mask} {set}"));
    }

    fn icmp(&mut self, words: &mut Words) -> &'static str {
        let (names, module, option, types): (&[&str], _, _, &[&str]) = match self.family {
            Family::Ipv4 => (
                &["icmp", "icmp", "1"],
                "icmp",
                "--icmp-type",
                &[
                    "any",
                    "8",
                    "0",
                    "3",
                    "3/1",
                    "11",
                    "echo-request",
                    "port-unreachable",
                    "redirect",
                    "255",
                    "0/0",
                    "12/1",
                ],
            ),
            Family::Ipv6 => (
                &["icmpv6", "ipv6-icmp", "58"],
                "icmp6",
                "--icmpv6-type",
                &[
                    "128",
                    "129",
                    "1",
                    "1/4",
                    "2",
                    "echo-reply",
                    "packet-too-big",
                    "port-unreachable",
                    "3/0",
                    "133",
                    "255",
                ],
            ),
        };
        words.push("-p");
        words.push(self.random.word(names));
        if self.random.chance(75) {
            if self.random.chance(70) {
                words.push(&format!("-m {module}"));
            }
            self.negation(words);
            words.push(option);
            words.push(self.random.word(types));
        }
        "icmp"
    }

    fn state(&mut self, words: &mut Words) {
        const STATES: [&str; 5] = ["NEW", "ESTABLISHED", "RELATED", "INVALID", "UNTRACKED"];
        let (module, option) = *self.random.pick(&[("conntrack", "--ctstate"), ("state", "--state")]);
        words.push(&format!("-m {module}"));
        self.negation(words);
        let mut chosen: Vec<_> = STATES.iter().copied().filter(|_| self.random.chance(35)).collect();
        if chosen.is_empty() {
            chosen.push(self.random.word(&STATES));
        }
        words.push(&format!("{option} {}", chosen.join(",")));
    }

    /// A match whose truth the model does not know.
    fn unknown_condition(&mut self, words: &mut Words) {
        let hops = match self.family {
            Family::Ipv4 => "-m ttl --ttl-eq 64",
            Family::Ipv6 => "-m hl --hl-eq 64",
        };
        words.push(self.random.word(&[
            "-m mark --mark 0x1",
            "-m mark ! --mark 0x1/0xff",
            "-m length --length 0:60",
            "-m limit --limit 1/sec",
            "-m addrtype --dst-type UNICAST",
            "-m pkttype --pkt-type unicast",
            "-m dscp --dscp 0x01",
            hops,
        ]));
    }

    fn target(&mut self, words: &mut Words, place: Place<'_>, protocol: &str) {
        let chain = (!place.below.is_empty()).then(|| self.random.pick(place.below).clone());
        match (self.random.below(100), chain) {
            (0..25, Some(chain)) => words.push(&format!("-j {chain}")),
            (25..33, Some(chain)) => words.push(&format!("-g {chain}")),
            (33..41, _) => words.push("-j RETURN"),
            (41..46, _) => words.push("-j LOG --log-prefix \"-j DROP \" --log-level 4"),
            (46..48, _) => {}
            (48..53, _) if place.table == "raw" && self.tracking => {
                words.push(self.random.word(&["-j CT --notrack", "-j NOTRACK"]));
            }
            (48..53, _) if place.table == "mangle" => words.push("-j MARK --set-xmark 0x1/0xffffffff"),
            (53..60, _) if place.table == "filter" => self.reject(words, protocol),
            (60..83, _) => words.push("-j ACCEPT"),
            (83.., _) => words.push("-j DROP"),
            (0..60, _) => words.push("-j ACCEPT"),
        }
    }

    fn reject(&mut self, words: &mut Words, protocol: &str) {
        words.push("-j REJECT");
        let with: &[&str] = match self.family {
            Family::Ipv4 => &["icmp-port-unreachable", "icmp-host-prohibited", "icmp-admin-prohibited"],
            Family::Ipv6 => &["icmp6-port-unreachable", "icmp6-adm-prohibited", "icmp6-no-route"],
        };
        if protocol == "tcp" && self.random.chance(50) {
            words.push("--reject-with tcp-reset");
        } else if self.random.chance(60) {
            words.push("--reject-with");
            words.push(self.random.word(with));
        }
    }
}

/// A rule in the making.
#[derive(Default)]
struct Words(String);

impl Words {
    fn push(&mut self, word: &str) {
        if !self.0.is_empty() {
            self.0.push(' ');
        }
        self.0.push_str(word);
    }
}

fn line(out: &mut String, text: &str) {
    writeln!(out, "{text}").expect("to a String");
}
