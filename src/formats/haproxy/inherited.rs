//! `defaults`: which lines sections take from them, and which they do not (manual, chapter 4).

use super::lex::Line;
use super::sections::{Entry, Kind, Section};
use crate::formats::account::Account;
use std::collections::BTreeMap;

/// The lines of `defaults`, with those that they take from others.
#[derive(Default)]
pub(super) struct Defaults {
    named: BTreeMap<String, Vec<Entry>>,
    latest: Vec<Entry>,
}

impl Defaults {
    pub(super) fn add(&mut self, section: &Section, mut inherited: Vec<Entry>) {
        inherited.extend(section.entries.iter().cloned());
        if let Some(name) = section.name() {
            self.named.insert(name.text.clone(), inherited.clone());
        }
        self.latest = inherited;
    }

    /// What a section takes.
    pub(super) fn of(&self, section: &Section, account: &mut Account) -> Vec<Entry> {
        let Some(name) = section.from() else {
            return if section.kind == Kind::Defaults { Vec::new() } else { self.latest.clone() };
        };
        match self.named.get(&name.text) {
            Some(entries) => entries.clone(),
            None => {
                account.gap(name.at, format!("there are no defaults `{}`: HAProxy refuses the file", name.text));
                Vec::new()
            }
        }
    }
}

/// Whether a line is about single connections, requests or answers.
pub(super) fn is_rule(line: &Line) -> bool {
    const RULES: &[&str] =
        &["acl", "http-after-response", "http-request", "http-response", "tcp-request", "tcp-response"];
    RULES.contains(&line.text(0)) && line.text(1) != "inspect-delay"
}

/// What a section does not take from `defaults` (manual, 4: named `defaults` with rules).
pub(super) fn refused(section: &Section, inherited: &[Entry]) -> Option<&'static str> {
    let mut rules = inherited.iter().map(|entry| &entry.line).filter(|line| is_rule(line) && line.text(0) != "acl");
    let early = |line: &Line| matches!(line.text(1), "connection" | "session");
    match section.kind {
        Kind::Listen if rules.next().is_some() => Some("`listen` takes nothing from `defaults` with rules"),
        Kind::Backend if rules.any(early) => Some("a backend takes no rules for connections from `defaults`"),
        Kind::Listen | Kind::Backend | Kind::Frontend | Kind::Defaults | Kind::Global | Kind::Other(_) => None,
    }
}
