//! The part of a page about balancers.

use super::Page;
use crate::model::{Backend, Condition, Endpoint, Listener, Outcome, Route, Server, Test, Tls};
use crate::net::{Family, Set, format_addresses};
use crate::text::escape;

impl Page<'_> {
    pub(super) fn listener(&mut self, listener: &Listener) {
        // How paths are read is part of the settings where it is said.
        let Listener { name, protocol, endpoints, paths: _, routes, otherwise, otherwise_at, settings, owner, origin } =
            listener;
        let place = self.place(*origin);
        let owner = owner.as_ref().map_or_else(String::new, |owner| format!(" of {}", escape(owner.as_bytes())));
        self.line(format!("\nlistener {}{owner} ({place}), {protocol}", escape(name.as_bytes())));
        if !settings.is_empty() {
            self.line(format!("  settings {}", escape(settings.as_bytes())));
        }
        for Endpoint { address, addresses, ports, tls, origin } in endpoints {
            let place = self.place(*origin);
            let ports = match ports {
                Some((first, last)) if first == last => format!(" port {first}"),
                Some((first, last)) => format!(" ports {first}-{last}"),
                None => String::new(),
            };
            let known = if addresses.is_some() { "" } else { ", addresses not known" };
            self.line(format!("  {place}  at {}{ports}{known}", escape(address.as_bytes())));
            if let Some(Tls { certificates, settings }) = tls {
                let settings = if settings.is_empty() { String::new() } else { format!(": {settings}") };
                self.line(format!("    TLS{}", escape(settings.as_bytes())));
                for (name, at) in certificates {
                    let place = self.place(*at);
                    self.line(format!("    {place}  certificate {}", escape(name.as_bytes())));
                }
            }
        }
        for Route { condition, outcome, origin } in routes {
            let place = self.place(*origin);
            let condition = self.condition(condition);
            self.line(format!("  {place}  {}  if {condition}", show_outcome(outcome)));
        }
        let said = otherwise_at.map_or_else(String::new, |at| format!("{}  ", self.place(at)));
        self.line(format!("  {said}otherwise {}", show_outcome(otherwise)));
    }

    pub(super) fn backend(&mut self, backend: &Backend) {
        let Backend { name, servers, open, health_check, sources, settings, owner, origin } = backend;
        let place = self.place(*origin);
        let owner = owner.as_ref().map_or_else(String::new, |owner| format!(" of {}", escape(owner.as_bytes())));
        self.line(format!("\nbackend {}{owner} ({place})", escape(name.as_bytes())));
        if !settings.is_empty() {
            self.line(format!("  settings {}", escape(settings.as_bytes())));
        }
        if let Some(check) = health_check {
            self.line(format!("  health check {}", escape(check.as_bytes())));
        }
        if let Some((ipv4, ipv6)) = sources {
            self.line(format!("  asks from {}", show_sources(ipv4, ipv6)));
        }
        if let Some(why) = open {
            self.line(format!("  more servers: {}", escape(why.as_bytes())));
        }
        for Server { name, address, port, weight, enabled, backup, check, settings, origin } in servers {
            let place = self.place(*origin);
            let mut text = format!("  {place}  server {} at {}", escape(name.as_bytes()), escape(address.as_bytes()));
            if let Some(port) = port {
                text.push_str(&format!(" port {port}"));
            }
            match weight {
                Some(1) => {}
                Some(weight) => text.push_str(&format!(", weight {weight}")),
                None => text.push_str(", weight not known"),
            }
            match enabled {
                Some(true) => {}
                Some(false) => text.push_str(", disabled"),
                None => text.push_str(", perhaps disabled"),
            }
            if *backup {
                text.push_str(", backup");
            }
            match check {
                None => {}
                Some(None) => text.push_str(", checked"),
                Some(Some(port)) => text.push_str(&format!(", checked on port {port}")),
            }
            if !settings.is_empty() {
                text.push_str(&format!(", {}", escape(settings.as_bytes())));
            }
            self.line(text);
        }
    }

    fn condition(&self, condition: &Condition) -> String {
        let joined = |parts: &[Condition], word: &str| {
            let parts: Vec<String> = parts.iter().map(|part| self.nested(part)).collect();
            parts.join(word)
        };
        match condition {
            Condition::Always => "any".to_owned(),
            Condition::Never => "never".to_owned(),
            Condition::Test(id) => show_test(self.store.get_test(*id)),
            Condition::Opaque(id) => format!("`{}`", self.store.opaque_text(*id)),
            Condition::Not(inner) => format!("not {}", self.nested(inner)),
            Condition::All(parts) => joined(parts, " and "),
            Condition::Any(parts) => joined(parts, " or "),
        }
    }

    fn nested(&self, condition: &Condition) -> String {
        match condition {
            Condition::All(_) | Condition::Any(_) => format!("({})", self.condition(condition)),
            Condition::Always | Condition::Never | Condition::Test(_) | Condition::Opaque(_) | Condition::Not(_) => {
                self.condition(condition)
            }
        }
    }
}

fn show_outcome(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Backend(name) => format!("backend {}", escape(name.as_bytes())),
        Outcome::Refused(how) => format!("refuse ({})", escape(how.as_bytes())),
        Outcome::Answered(how) => format!("answer ({})", escape(how.as_bytes())),
        Outcome::Computed(how) => format!("a backend that is computed ({})", escape(how.as_bytes())),
    }
}

fn show_test(test: &Test) -> String {
    match test {
        Test::Text(subject, patterns) => {
            let patterns: Vec<String> = patterns.iter().map(|p| escape(p.to_string().as_bytes())).collect();
            format!("{subject} {}", patterns.join(" | "))
        }
        Test::Source { ipv4, ipv6 } => format!("source {}", show_sources(ipv4, ipv6)),
    }
}

fn show_sources(ipv4: &Set, ipv6: &Set) -> String {
    let sets = [(Family::Ipv4, ipv4), (Family::Ipv6, ipv6)];
    let ranges =
        sets.iter().flat_map(|(family, set)| set.ranges().iter().map(|(from, to)| format_addresses(*family, from, to)));
    let shown: Vec<String> = ranges.collect();
    if shown.is_empty() { "none".to_owned() } else { shown.join(",") }
}
