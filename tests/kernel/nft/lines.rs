//! The rules of nftables' own tests, each of which is taken or refused in the tables that its file names.

use super::acceptance::Refusal;
use super::corpus::{self, Real};
use crate::compare::Model;
use crate::world::World;
use std::collections::BTreeSet;

/// Rules to try in one chain.
pub(crate) struct Sheet {
    /// File and table.
    pub(crate) name: String,
    /// What comes before the rules.
    head: String,
    /// What comes before each rule.
    command: String,
    /// Each with whether nftables' own tests say that some version of it takes the rule.
    rules: Vec<(String, bool)>,
}

/// One rule on which reader and `nft` do not agree.
pub(crate) enum Disagreement {
    Read { rule: String, refusal: Refusal },
    Unread { rule: String, reason: String },
}

/// What came out of a sheet.
#[derive(Default)]
pub(crate) struct Compared {
    pub(crate) taken: u64,
    pub(crate) refused: u64,
    pub(crate) disagreements: Vec<Disagreement>,
}

/// The sheets of all files.
pub(crate) fn sheets() -> Result<Vec<Sheet>, String> {
    let mut out = Vec::new();
    for Real { name, path, known: _ } in corpus::files("nftables-t")? {
        let text = corpus::text(&path)?;
        out.extend(read(name.rsplit("__").take(2).collect::<Vec<_>>().join(" in "), &text));
    }
    Ok(out)
}

fn read(name: String, text: &str) -> Vec<Sheet> {
    let (mut chains, mut tables, mut sets, mut rules) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for line in text.lines() {
        let line = line.trim();
        let mut letters = line.chars();
        match letters.next() {
            None | Some('#' | '-') => {}
            Some(':') => chains.extend(letters.as_str().split_once(';')),
            Some('*') => tables.push(letters.as_str()),
            Some('!') => sets.push(('!', letters.as_str())),
            Some('?') => sets.push(('?', letters.as_str())),
            Some('%') => sets.push(('%', letters.as_str())),
            Some(_) => {
                let mut columns = line.split(';').map(str::trim);
                if let (Some(rule), Some(outcome)) = (columns.next(), columns.next()) {
                    rules.push((rule.to_owned(), outcome == "ok"));
                }
            }
        }
    }
    let mut out = Vec::new();
    for table in tables {
        let mut columns = table.split(';');
        let (Some(family), Some(table), Some(of)) = (columns.next(), columns.next(), columns.next()) else { continue };
        for chain in of.split(',').map(str::trim) {
            let Some((_, base)) = chains.iter().find(|(name, _)| *name == chain) else { continue };
            let mut head = format!("add table {family} {table}\nadd chain {family} {table} {chain} {{ {base}; }}\n");
            for (kind, text) in &sets {
                // Those of which the file says that they fail are left out.
                if text.ends_with(";fail") {
                    continue;
                }
                let text = text.split(';').next().unwrap_or_default().trim();
                let (name, rest) = text.split_once(' ').unwrap_or((text, ""));
                let rest = rest.trim();
                match kind {
                    '!' => {
                        let rest = if rest.contains("type") { rest.to_owned() } else { format!("type {rest}") };
                        head += &format!("add set {family} {table} {name} {{ {rest}; }}\n");
                    }
                    '?' => head += &format!("add element {family} {table} {name} {{ {rest} }}\n"),
                    _ => {
                        let rest = rest.strip_prefix("type ").unwrap_or(rest);
                        let (object, data) = rest.split_once(' ').unwrap_or((rest, ""));
                        head += &format!("add {object} {family} {table} {name} {{ {data} }}\n");
                    }
                }
            }
            let command = format!("add rule {family} {table} {chain} ");
            out.push(Sheet { name: format!("{name} {family} {chain}"), head, command, rules: rules.clone() });
        }
    }
    out
}

impl Sheet {
    /// Tries every rule with both.
    ///
    /// # Errors
    /// When `nft` says something that names no line.
    pub(crate) fn compare(&self, world: &mut World) -> Result<Compared, String> {
        let head = self.usable_head(world);
        let refusals = self.refusals(world, &head)?;
        let mut out = Compared::default();
        for (n, (rule, loads)) in self.rules.iter().enumerate() {
            let text = format!("{head}{}{rule}\n", self.command);
            let gaps = Model::read(&text, "nftables").gaps();
            let gap = gaps.first().map(|(_, reason, _)| reason.clone());
            match (refusals.iter().find(|(at, _)| *at == n), gap) {
                (None, None) => out.taken += 1,
                (Some(_), Some(_)) => out.refused += 1,
                (Some((_, message)), None) => {
                    let mut refusal = Refusal::of(message, rule);
                    if *loads {
                        refusal.unknowable.get_or_insert("what only a newer nft or another kernel takes");
                    }
                    out.disagreements.push(Disagreement::Read { rule: rule.clone(), refusal });
                }
                (None, Some(reason)) => out.disagreements.push(Disagreement::Unread { rule: rule.clone(), reason }),
            }
        }
        Ok(out)
    }

    /// The head without lines that this `nft` or this kernel refuses.
    fn usable_head(&self, world: &mut World) -> String {
        let mut kept = String::new();
        for line in self.head.lines() {
            let longer = format!("{kept}{line}\n");
            if world.would_load(&longer).is_ok() {
                kept = longer;
            }
        }
        kept
    }

    /// The rules that `nft` refuses, with what it says. It names several at once, but not what the kernel says
    /// while it has errors of its own, so those named are left out until the rest is taken.
    fn refusals(&self, world: &mut World, head: &str) -> Result<Vec<(usize, String)>, String> {
        let mut out: Vec<(usize, String)> = Vec::new();
        loop {
            let skipped: BTreeSet<usize> = out.iter().map(|(at, _)| *at).collect();
            let tried: Vec<usize> = (0..self.rules.len()).filter(|n| !skipped.contains(n)).collect();
            let lines: String = tried.iter().map(|n| format!("{}{}\n", self.command, self.rules[*n].0)).collect();
            let Err(message) = world.would_load(&format!("{head}{lines}")) else { return Ok(out) };
            let before = out.len();
            let first = head.lines().count() + 1;
            for error in message.split("/dev/stdin:").skip(1) {
                let line = error.split(':').next().and_then(|line| line.parse::<usize>().ok());
                let at = line.and_then(|line| line.checked_sub(first)).and_then(|n| tried.get(n));
                if let Some(at) = at
                    && error.contains("Error: ")
                    && !out.iter().any(|(known, _)| known == at)
                {
                    out.push((*at, format!("/dev/stdin:1:{}", error.split_once(':').map_or(error, |(_, rest)| rest))));
                }
            }
            if out.len() == before {
                return Err(format!("{}: {message}", self.name));
            }
        }
    }
}
