//! What random rules do with the packets that they match: statements, verdicts, maps of verdicts, rejections.

use super::rules::Rule;
use super::sets::Kind;
use super::write::{Place, Table, Writer};
use portcullis::net::Family;

impl Writer<'_> {
    /// Statements before the verdict.
    pub(super) fn statements(&mut self, rule: &mut Rule, table: &Table, place: Place<'_>) {
        if self.random.chance(20) {
            rule.push(self.random.word(&["counter", "counter", "counter packets 12 bytes 3456"]));
        }
        if self.random.chance(8) {
            rule.push(self.random.word(&[
                "log",
                "log prefix \"drop: \"",
                "log prefix \"x\" level info flags all",
                "log group 0",
            ]));
        }
        if self.random.chance(6) {
            rule.push(self.random.word(&[
                "limit rate 10/second",
                "limit rate over 5/minute burst 3 packets",
                "quota 10 mbytes",
                "quota over 1 mbytes",
            ]));
        }
        if self.random.chance(4) {
            rule.push(self.random.word(&["meta mark set 1", "meta mark set mark or 2", "meta priority set 1:1"]));
        }
        if table.objects && self.random.chance(12) {
            rule.push(self.random.word(&["counter name hits", "limit name \"slow\"", "quota name \"much\""]));
        }
        if self.tracking && !place.early && self.random.chance(3) {
            rule.push(self.random.word(&["ct mark set 1", "ct mark set meta mark", "meta mark set ct mark"]));
        }
        let dynamic = table.sets.iter().find(|set| set.dynamic);
        if let (Some(set), Some(family)) = (dynamic, rule.family)
            && set.kind == Kind::Address(family)
            && self.random.chance(15)
        {
            let name = if family == Family::Ipv4 { "ip" } else { "ip6" };
            let verb = self.random.word(&["add", "update"]);
            rule.push(&format!("{verb} @{} {{ {name} saddr }}", set.name));
        }
    }

    /// What the rule does.
    pub(super) fn finish(&mut self, rule: &mut Rule, table: &Table, place: Place<'_>) {
        if place.kind == "nat" {
            let text = match place.hook {
                "postrouting" => self.random.word(&["masquerade", "accept", "return", "counter masquerade"]),
                _ => self.random.word(&["accept", "return", "counter"]),
            };
            rule.push(text);
            return;
        }
        match self.random.below(100) {
            0..16 => self.verdict_map(rule, table, place),
            16..20 if place.depth < 1 => {
                let inner = Place {
                    hook: place.hook,
                    kind: place.kind,
                    early: place.early,
                    rejects: place.rejects,
                    below: place.below,
                    depth: place.depth + 1,
                };
                let rules: Vec<_> = (0..1 + self.random.below(3)).map(|_| self.rule(table, inner)).collect();
                let how = self.random.word(&["jump", "jump", "goto"]);
                rule.push(&format!("{how} {{\n   {}\n  }}", rules.join("\n   ")));
            }
            20..28 if place.rejects => {
                let with = self.reject(rule, table);
                rule.push(&with);
            }
            28..32 if place.early => rule.push("notrack"),
            32..36 => {}
            _ => {
                let verdict = self.verdict(place.below);
                rule.push(&verdict);
            }
        }
    }

    /// A verdict, leading to one of `below` where there are any.
    pub(super) fn verdict(&mut self, below: &[String]) -> String {
        match self.random.below(100) {
            0..25 if !below.is_empty() => format!("jump {}", self.random.pick(below)),
            25..33 if !below.is_empty() => format!("goto {}", self.random.pick(below)),
            33..41 => "return".to_owned(),
            41..43 => "continue".to_owned(),
            43..68 => "drop".to_owned(),
            _ => "accept".to_owned(),
        }
    }

    fn verdict_map(&mut self, rule: &mut Rule, table: &Table, place: Place<'_>) {
        let count = 1 + self.random.below(4);
        let (left, kind) = match (self.random.below(9), rule.family) {
            (0, Some(Family::Ipv4)) => ("ip saddr", Kind::Address(Family::Ipv4)),
            (0, Some(Family::Ipv6)) => ("ip6 saddr", Kind::Address(Family::Ipv6)),
            (1, Some(Family::Ipv4)) if rule.protocol == "tcp" => ("ip daddr . tcp dport", Kind::Pair(Family::Ipv4)),
            (1, Some(Family::Ipv6)) if rule.protocol == "udp" => ("ip6 daddr . udp dport", Kind::Pair(Family::Ipv6)),
            (2 | 3, _) if rule.protocol == "tcp" => ("tcp dport", Kind::Port),
            (2 | 3, _) if rule.protocol == "udp" => ("udp sport", Kind::Port),
            (4, _) => ("meta l4proto", Kind::Protocol),
            (5, _) if !matches!(place.hook, "output" | "postrouting") => ("iifname", Kind::Interface),
            (5, _) => ("oifname", Kind::Interface),
            (6 | 7, _) if self.tracking => {
                rule.push(self.random.word(&[
                    "ct state vmap { established : accept, related : accept, invalid : drop }",
                    "ct state vmap { new : drop, established : accept }",
                    "ct state vmap { invalid : drop, untracked : accept, new : return }",
                    "ct state vmap { established : accept, related : accept, * : continue }",
                ]));
                return;
            }
            _ => {
                let verdict = self.verdict(place.below);
                rule.push(&verdict);
                return;
            }
        };
        let named = table.sets.iter().find(|set| set.kind == kind && set.map);
        if let Some(set) = named.filter(|_| place.rejects || place.kind == "filter" || self.random.chance(50)) {
            // Its elements lead to any chain, so only base chains may use it.
            if !place.hook.is_empty() {
                rule.push(&format!("{left} vmap @{}", set.name));
                return;
            }
        }
        let interval = self.random.chance(60);
        let mut elements = self.elements(kind, interval, count);
        if elements.is_empty() {
            return;
        }
        if !matches!(kind, Kind::Pair(_)) && self.random.chance(15) {
            elements.push("*".to_owned());
        }
        let elements: Vec<_> =
            elements.into_iter().map(|element| format!("{element} : {}", self.verdict(place.below))).collect();
        let map = self.braces(&elements);
        rule.push(&format!("{left} vmap {map}"));
    }

    fn reject(&mut self, rule: &Rule, table: &Table) -> String {
        let with: &[&str] = match (rule.protocol, rule.family) {
            // nft 1.0.6 lists `meta nfproto ipv4 reject with tcp reset` without the family.
            ("tcp", _) if !rule.text.contains("meta") && self.random.chance(50) => &["tcp reset"],
            (_, Some(_)) if table.family == "inet" && self.random.chance(30) => &["icmpx type port-unreachable"],
            (_, Some(Family::Ipv4)) => &["icmp type host-prohibited", "icmp port-unreachable"],
            (_, Some(Family::Ipv6)) => &["icmpv6 type admin-prohibited", "icmpv6 no-route"],
            (_, None) => &["icmpx type admin-prohibited", "icmpx host-unreachable"],
        };
        if self.random.chance(45) { "reject".to_owned() } else { format!("reject with {}", self.random.word(with)) }
    }
}
