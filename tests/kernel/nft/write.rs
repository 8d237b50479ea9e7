//! Random nftables rulesets: tables, chains and commands. What stands in rules is in `rules`, sets are in `sets`.

use super::sets::Named;
use crate::random::Random;
use portcullis::net::Family;
use std::fmt::Write as _;

/// Writes rulesets whose values come from a small pool, so that rules meet one another.
pub(crate) struct Writer<'w> {
    pub(super) random: &'w mut Random,
    /// Whether rules may look at connections.
    pub(super) tracking: bool,
    pub(super) names: &'w [String],
    /// By [`Family`].
    pub(super) addresses: [Vec<u128>; 2],
    pub(super) ports: Vec<u16>,
    /// Variables that stand for one address of each family, a set of ports, and a set of interfaces.
    pub(super) defines: bool,
}

/// A table being written.
pub(super) struct Table {
    pub(super) family: &'static str,
    pub(super) name: String,
    pub(super) sets: Vec<Named>,
    /// Chains that any base chain may lead to.
    pub(super) plain: Vec<String>,
    /// Chains that reject, which only some hooks allow.
    pub(super) rejecting: Vec<String>,
    /// Whether it has named objects.
    pub(super) objects: bool,
}

/// Where a rule stands, which decides what it may say.
#[derive(Clone, Copy)]
pub(super) struct Place<'p> {
    /// The hook of the base chain; empty in others.
    pub(super) hook: &'p str,
    /// `filter`, `nat`, `route`; empty in other chains.
    pub(super) kind: &'p str,
    /// Whether it runs before connection tracking.
    pub(super) early: bool,
    pub(super) rejects: bool,
    /// The chains it may lead to: those after its own, so that there are no loops.
    pub(super) below: &'p [String],
    /// Anonymous chains around it.
    pub(super) depth: usize,
}

pub(super) const PLAIN: Place<'static> =
    Place { hook: "", kind: "", early: false, rejects: false, below: &[], depth: 0 };

impl<'w> Writer<'w> {
    pub(crate) fn new(random: &'w mut Random, tracking: bool, names: &'w [String]) -> Self {
        let ipv4 = (0..5).map(|_| random.within(0x0a00_0000, 0xcfff_ffff)).collect();
        let ipv6 = (0..5).map(|_| 0x2001_0db8 << 96 | random.within(0, u128::MAX >> 33)).collect();
        let mut ports: Vec<u16> =
            (0..4).map(|_| if random.chance(60) { random.port() % 1024 } else { random.port() }).collect();
        ports.push(*random.pick(&[22, 25, 53, 80, 123, 443]));
        ports.push(*random.pick(&[22, 53, 80]));
        let defines = random.chance(30);
        Self { random, tracking, names, addresses: [ipv4, ipv6], ports, defines }
    }

    pub(crate) fn ruleset(&mut self) -> String {
        let mut out = String::new();
        if self.random.chance(30) {
            out += "#!/usr/sbin/nft -f\n";
        }
        if self.random.chance(40) {
            out += "flush ruleset\n";
        }
        if self.defines {
            self.write_defines(&mut out);
        }
        let families: &[&str] = self.random.pick::<&[&str]>(&[
            &["inet"],
            &["inet"],
            &["inet", "ip"],
            &["ip", "ip6"],
            &["inet", "inet"],
            &["ip", "inet", "ip6"],
            &["ip"],
            &["ip6"],
        ]);
        let families = families.to_vec();
        for (n, family) in families.into_iter().enumerate() {
            if self.random.chance(8) {
                self.bystander(&mut out);
            }
            let name = (*self.random.pick(&["filter", "fw", "t", "my-table", "x_1"])).to_owned();
            let name = if out.contains(&format!(" {name} ")) { format!("{name}{n}") } else { name };
            self.table(&mut out, family, name);
        }
        out
    }

    fn write_defines(&mut self, out: &mut String) {
        let one = self.some_address(Family::Ipv4);
        let one = self.address_text(Family::Ipv4, one);
        let ranges = self.disjoint(3, |writer| writer.address_range(Family::Ipv6));
        let many: Vec<_> = ranges.iter().map(|range| self.address_range_text(Family::Ipv6, *range)).collect();
        let ports = self.disjoint(3, Self::port_range);
        let ports: Vec<_> = ports.iter().map(|range| self.port_range_text(*range)).collect();
        let (first, second) = (self.random.pick(self.names), self.random.pick(self.names));
        line(out, &format!("define host4 = {one}"));
        line(out, &format!("define nets6 = {{ {} }}", many.join(", ")));
        line(out, &format!("define ports = {{ {} }} # which", ports.join(", ")));
        line(out, &format!("define wan = \"{first}\""));
        line(out, &format!("define both = {{ $wan, \"{second}2\" }}"));
    }

    /// A table whose packets are not compared.
    fn bystander(&mut self, out: &mut String) {
        let device = self.random.pick(self.names);
        let text = match self.random.below(4) {
            0 => "table arp a {\n chain in {\n type filter hook input priority 0; policy accept;\n arp operation request counter accept\n }\n}".to_owned(),
            1 => "table bridge b {\n chain forwarding {\n type filter hook forward priority filter; policy accept;\n ether type ip ip saddr 10.0.0.1 drop\n }\n}".to_owned(),
            2 => format!("table netdev n {{\n chain i {{\n type filter hook ingress device \"{device}\" priority 0; policy accept;\n ip saddr 10.255.255.1 drop\n }}\n}}"),
            _ => format!("table inet ing {{\n chain i {{\n type filter hook ingress device \"{device}\" priority -5; policy accept;\n ip6 saddr fc00::77 drop\n }}\n}}"),
        };
        let name = text.split(' ').nth(2).unwrap_or_default().to_owned();
        if !out.contains(&format!(" {name} {{")) {
            line(out, &text);
        }
    }

    fn table(&mut self, out: &mut String, family: &'static str, name: String) {
        const NAMES: [&str; 8] = ["a", "log_drop", "in-lan", "sub.1", "Zone_x", "f2b_sshd", "check", "tail"];
        let count = self.random.below(6);
        let (plain, rejecting) = NAMES.split_at(4);
        let some = |names: &[&str]| names.iter().take(count.div_ceil(2)).map(|name| (*name).to_owned()).collect();
        let mut table =
            Table { family, name, sets: Vec::new(), plain: some(plain), rejecting: some(rejecting), objects: false };
        let head = format!("{family} {}", table.name);
        if self.random.chance(12) {
            line(out, &format!("table {head}\ndelete table {head}"));
        }
        let short = family == "ip" && self.random.chance(30);
        line(out, &format!("table {} {{", if short { &table.name } else { &head }));
        let mut blocks = vec![String::new()];
        self.sets(&mut blocks[0], &mut table);
        self.objects(&mut blocks[0], &mut table);
        for (chains, rejects) in [(table.plain.clone(), false), (table.rejecting.clone(), true)] {
            for (n, chain) in chains.iter().enumerate() {
                let mut block = format!(" chain {chain} {{\n");
                let place = Place { rejects, below: &chains[n + 1..], ..PLAIN };
                for _ in 0..self.random.below(5) {
                    let rule = self.rule(&table, place);
                    self.put(&mut block, &rule);
                }
                line(&mut block, " }");
                blocks.push(block);
            }
        }
        let mut bases: Vec<(String, &'static str, bool)> = Vec::new();
        for hook in ["prerouting", "input", "forward", "output", "postrouting"] {
            let often = match hook {
                "input" | "forward" => 75,
                "output" => 50,
                _ => 25,
            };
            while self.random.chance(if bases.iter().any(|(_, of, ..)| *of == hook) { 15 } else { often }) {
                let mut block = String::new();
                bases.push(self.base_chain(&mut block, &table, hook, bases.len()));
                blocks.push(block);
            }
        }
        if self.random.chance(12) {
            let mut block = String::new();
            self.nat_chain(&mut block, &table);
            blocks.push(block);
        }
        // What is named may stand behind what names it.
        if self.random.chance(35) {
            for n in (1..blocks.len()).rev() {
                let other = self.random.below(n + 1);
                blocks.swap(n, other);
            }
        }
        out.extend(blocks);
        line(out, "}");
        self.commands(out, &table, &bases);
    }

    /// Counters and so on with names.
    fn objects(&mut self, out: &mut String, table: &mut Table) {
        if self.random.chance(25) {
            line(out, " counter hits {\n }\n limit slow {\n  rate 10/second\n }\n quota much {\n  over 1 mbytes\n }");
            table.objects = true;
        }
    }

    /// Writes a base chain; its name, hook, and what its rules may say.
    fn base_chain(
        &mut self,
        out: &mut String,
        table: &Table,
        hook: &'static str,
        number: usize,
    ) -> (String, &'static str, bool) {
        let (text, priority) = self.priority(hook);
        let early = priority < -200;
        let starving = matches!(hook, "prerouting" | "output" | "postrouting");
        let kind = if hook == "output" && !early && self.random.chance(15) { "route" } else { "filter" };
        let name = if self.random.chance(50) { format!("{hook}{number}") } else { format!("c{number}-{hook}") };
        line(out, &format!(" chain {name} {{"));
        let policy = match self.random.below(100) {
            0..10 if starving => " policy drop;",
            0..45 if !starving => " policy drop;",
            45..75 => " policy accept;",
            _ => "",
        };
        let stop = if policy.is_empty() && self.random.chance(50) { "" } else { ";" };
        line(out, &format!("  type {kind} hook {hook} priority {text}{stop}{policy}"));
        let rejects = hook != "postrouting";
        let below = if rejects && self.random.chance(50) { &table.rejecting } else { &table.plain };
        let place = Place { hook, kind, early, rejects, below, depth: 0 };
        for _ in 0..self.random.below(if starving { 5 } else { 10 }) {
            let rule = self.rule(table, place);
            self.put(out, &rule);
        }
        line(out, " }");
        (name, hook, early)
    }

    /// A priority as text and as number, never between those where connection tracking is watched.
    fn priority(&mut self, hook: &str) -> (String, i32) {
        let (name, base) = *match hook {
            "prerouting" => self.random.pick(&[("raw", -300), ("mangle", -150), ("dstnat", -100), ("filter", 0)]),
            "postrouting" => self.random.pick(&[("mangle", -150), ("filter", 0), ("srcnat", 100), ("filter", 0)]),
            "output" => {
                self.random.pick(&[("raw", -300), ("mangle", -150), ("filter", 0), ("filter", 0), ("filter", 0)])
            }
            _ => self.random.pick(&[("filter", 0), ("filter", 0), ("filter", 0), ("mangle", -150), ("security", 50)]),
        };
        let offset = *self.random.pick(&[1, 5, 10, 20]);
        match self.random.below(10) {
            0..5 => (name.to_owned(), base),
            5 => (format!("{name} + {offset}"), base + offset),
            6 => (format!("{name} - {offset}"), base - offset),
            _ => (base.to_string(), base),
        }
    }

    /// Translations are not compared; that they are there must not change the rest.
    fn nat_chain(&mut self, out: &mut String, table: &Table) {
        if !self.tracking {
            return;
        }
        let (hook, priority) = *self.random.pick(&[
            ("prerouting", "dstnat"),
            ("postrouting", "srcnat"),
            ("postrouting", "100"),
            ("output", "-100"),
        ]);
        line(out, &format!(" chain nat_{hook} {{\n  type nat hook {hook} priority {priority}; policy accept;"));
        let place = Place { hook, kind: "nat", ..PLAIN };
        for _ in 0..self.random.below(4) {
            let rule = self.rule(table, place);
            self.put(out, &rule);
        }
        line(out, " }");
    }

    /// A rule in a chain.
    fn put(&mut self, out: &mut String, rule: &str) {
        match self.random.below(30) {
            0 => line(out, &format!("  # {}\n  {rule}", rule.replace('\n', " "))),
            1 => line(out, &format!("  {rule};")),
            2 if !rule.contains('\n') => line(out, &format!("  {} # why", rule.replacen(' ', " \\\n   ", 1))),
            3 => line(out, &format!("\n\t{rule}\n")),
            _ => line(out, &format!("  {rule}")),
        }
    }

    /// What is done to a table after it is made.
    fn commands(&mut self, out: &mut String, table: &Table, bases: &[(String, &'static str, bool)]) {
        let head = format!("{} {}", table.family, table.name);
        let head = if table.family == "ip" && self.random.chance(30) { table.name.clone() } else { head };
        for _ in 0..self.random.below(4) {
            let Some((chain, hook, early)) = (!bases.is_empty()).then(|| self.random.pick(bases).clone()) else {
                return;
            };
            let rejects = hook != "postrouting";
            let below = if rejects { &table.rejecting } else { &table.plain };
            let place = Place { hook, kind: "filter", early, rejects, below, depth: 0 };
            match self.random.below(12) {
                0..3 => {
                    let rule = self.rule(table, place);
                    line(out, &format!("add rule {head} {chain} {rule}"));
                }
                3..5 => {
                    let rule = self.rule(table, place);
                    line(out, &format!("insert rule {head} {chain} {rule}"));
                }
                5 => line(out, &format!("flush chain {head} {chain}")),
                6 => {
                    let policy = self.random.word(&["accept", "drop"]);
                    line(out, &format!("add chain {head} {chain} {{ policy {policy}; }}"));
                }
                7 => {
                    let rule = self.rule(table, place);
                    line(
                        out,
                        &format!("table {} {} {{\n chain {chain} {{\n  {rule}\n }}\n}}", table.family, table.name),
                    );
                }
                8 => line(out, &format!("add chain {head} unused\ndelete chain {head} unused")),
                _ => self.element_command(out, table, &head),
            }
        }
    }
}

pub(super) fn line(out: &mut String, text: &str) {
    writeln!(out, "{text}").expect("to a String");
}
