//! Files as sections of lines, and which lines of `.if` count (manual, 2.4).

use super::guards;
use super::lex::{Environment, Line, Word, line};
use crate::formats::account::Account;
use crate::formats::{Disposition, Reading};
use crate::text::{SourceId, Span, lines};

/// What a section is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Global,
    Defaults,
    Frontend,
    Backend,
    Listen,
    /// One of which no request's way depends.
    Other(&'static str),
}

impl Kind {
    fn named(word: &str) -> Option<Self> {
        Some(match word {
            "global" => Self::Global,
            "defaults" => Self::Defaults,
            "frontend" => Self::Frontend,
            "backend" => Self::Backend,
            "listen" => Self::Listen,
            other => Self::Other(OTHERS.iter().find(|known| **known == other).copied()?),
        })
    }

    /// Whether clients connect to it.
    pub(super) const fn is_front(self) -> bool {
        matches!(self, Self::Frontend | Self::Listen | Self::Defaults)
    }

    /// Whether it has servers.
    pub(super) const fn is_back(self) -> bool {
        matches!(self, Self::Backend | Self::Listen | Self::Defaults)
    }

    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Global => "global",
            Self::Defaults => "defaults",
            Self::Frontend => "frontend",
            Self::Backend => "backend",
            Self::Listen => "listen",
            Self::Other(word) => word,
        }
    }
}

/// Sections beside balancers.
const OTHERS: &[&str] = &[
    "peers",
    "resolvers",
    "userlist",
    "cache",
    "mailers",
    "program",
    "http-errors",
    "ring",
    "fcgi-app",
    "crt-store",
    "traces",
    "log-forward",
    "log-profile",
    "acme",
    "healthcheck",
];

/// Whether a first word begins a section.
pub(super) fn begins_section(word: &str) -> bool {
    Kind::named(word).is_some()
}

/// A section with its lines.
#[derive(Debug, Clone)]
pub(super) struct Section {
    pub(super) kind: Kind,
    pub(super) head: Line,
    pub(super) entries: Vec<Entry>,
}

/// A line of a section.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) line: Line,
    /// What has to hold for the line to count, where that is not known: the texts of conditions, and whether they hold.
    pub(super) guards: Vec<(String, bool)>,
}

impl Section {
    /// Its name.
    pub(super) fn name(&self) -> Option<&Word> {
        self.head.words.get(1).filter(|word| word.text != "from" || self.kind != Kind::Defaults)
    }

    /// The defaults that it takes.
    pub(super) fn from(&self) -> Option<&Word> {
        let at = self.head.words.iter().skip(1).position(|word| word.text == "from")? + 1;
        (at <= 2).then(|| self.head.words.get(at + 1)).flatten()
    }
}

/// A branch of an `.if`.
struct Branch {
    at: Span,
    /// Whether it counts; `None`: not known.
    counts: Option<bool>,
    /// The conditions of the branches before, and of this.
    earlier: Vec<String>,
    text: String,
    /// Whether a branch has counted for certain.
    taken: bool,
    ended: bool,
}

/// Reads files, in order.
pub(super) fn read(reading: &Reading<'_>, files: &[SourceId], account: &mut Account) -> Vec<Section> {
    let mut out = Vec::new();
    let mut environment = Environment::default();
    for file in files {
        file_of(*file, reading.text(*file), &mut environment, account, &mut out);
    }
    out
}

fn file_of(file: SourceId, text: &[u8], environment: &mut Environment, account: &mut Account, out: &mut Vec<Section>) {
    let narrow = |n: usize| u32::try_from(n).expect("sources are smaller than 4 GiB");
    if text.trim_ascii().is_empty() {
        account.gap(Span { source: file, start: 0, end: narrow(text.len()) }, "the file is empty");
        return;
    }
    if text.last() != Some(&b'\n') {
        let last = Span { source: file, start: narrow(text.len() - 1), end: narrow(text.len()) };
        account.gap(last, "the last line does not end: HAProxy takes the file for cut off and refuses it");
    }
    if let Some(at) = memchr::memchr(0, text) {
        let nul = Span { source: file, start: narrow(at), end: narrow(at + 1) };
        account.gap(nul, "stray NUL character: HAProxy refuses the file");
    }
    let first = out.len();
    let mut branches: Vec<Branch> = Vec::new();
    for (offset, bytes) in lines(text) {
        let mut line = line(file, offset, bytes, environment);
        if let Some(at) = line.comment {
            account.claim(at, Disposition::Inert("comment"));
        }
        if line.words.is_empty() {
            continue;
        }
        if let Some(why) = line.refused.take()
            && branches.iter().all(|branch| branch.counts != Some(false))
        {
            account.gap(line.at, why);
            continue;
        }
        if line.text(0).starts_with('.') {
            directive(&line, environment, &mut branches, account);
            continue;
        }
        if branches.iter().any(|branch| branch.counts == Some(false)) {
            account.claim(line.at, Disposition::Inert("its `.if` does not hold"));
            continue;
        }
        let guards: Vec<(String, bool)> =
            branches.iter().filter(|b| b.counts.is_none()).flat_map(Branch::guards).collect();
        if let Some(kind) = Kind::named(line.text(0)) {
            if !guards.is_empty() {
                account.gap(line.at, format!("whether this section is there is not known: {}", shown(&guards)));
                continue;
            }
            out.push(Section { kind, head: line, entries: Vec::new() });
            continue;
        }
        match out.get_mut(first..).and_then(<[Section]>::last_mut) {
            None => account.gap(line.at, format!("unknown keyword `{}` out of section", line.text(0))),
            Some(section) => {
                if section.kind == Kind::Global {
                    remember(&line, environment);
                }
                section.entries.push(Entry { line, guards });
            }
        }
    }
    for branch in branches {
        account.gap(branch.at, "`.if` without `.endif`: HAProxy refuses the file");
    }
}

fn remember(line: &Line, environment: &mut Environment) {
    match line.text(0) {
        "setenv" => {
            environment.0.insert(line.text(1).to_owned(), line.text(2).to_owned());
        }
        "unsetenv" => line.from(1).iter().for_each(|word| drop(environment.0.remove(&word.text))),
        "resetenv" => environment.0.clear(),
        _ => {}
    }
}

pub(super) fn shown(guards: &[(String, bool)]) -> String {
    let one = |(text, holds): &(String, bool)| if *holds { text.clone() } else { format!("not {text}") };
    guards.iter().map(one).collect::<Vec<_>>().join(" and ")
}

impl Branch {
    fn guards(&self) -> Vec<(String, bool)> {
        let mut out: Vec<(String, bool)> = self.earlier.iter().map(|text| (text.clone(), false)).collect();
        if !self.text.is_empty() {
            out.push((self.text.clone(), true));
        }
        out
    }
}

fn directive(line: &Line, environment: &Environment, branches: &mut Vec<Branch>, account: &mut Account) {
    let dead = |branches: &[Branch]| branches.iter().any(|branch| branch.counts == Some(false));
    // Blanks stand between the words of a condition.
    let condition = line.from(1).iter().map(|word| word.text.as_str()).collect::<Vec<_>>().join(" ");
    let mut refused = None;
    let mut holds = |asked: bool| match guards::holds(&condition, environment) {
        Ok(holds) => holds,
        Err(why) => {
            refused = refused.take().or_else(|| asked.then_some(why));
            None
        }
    };
    match line.text(0) {
        ".if" => {
            let counts = if dead(branches) { Some(false) } else { holds(true) };
            let taken = counts == Some(true) || dead(branches);
            branches.push(Branch {
                at: line.at,
                counts,
                earlier: Vec::new(),
                text: condition.clone(),
                taken,
                ended: false,
            });
        }
        ".elif" | ".else" => {
            let last = line.text(0) == ".else";
            let Some(mut branch) = branches.pop().filter(|branch| !branch.ended) else {
                return account.gap(line.at, format!("lone `{}`: HAProxy refuses the file", line.text(0)));
            };
            if branch.counts.is_none() {
                branch.earlier.push(std::mem::take(&mut branch.text));
            }
            let holds = if last { Some(true) } else { holds(!branch.taken && !dead(branches)) };
            branch.counts = match (branch.taken, holds) {
                (true, _) | (_, Some(false)) => Some(false),
                (false, None) => None,
                (false, Some(true)) if branch.earlier.is_empty() => Some(true),
                (false, Some(true)) => None,
            };
            branch.taken |= holds == Some(true);
            branch.text = if last || holds == Some(true) { String::new() } else { condition.clone() };
            branch.ended = last;
            branches.push(branch);
        }
        ".endif" => {
            if branches.pop().is_none() {
                return account.gap(line.at, "lone `.endif`: HAProxy refuses the file");
            }
        }
        ".diag" | ".notice" | ".warning" if line.words.len() > 2 && !dead(branches) => {
            return account.gap(line.at, "a message is one word, perhaps in quotes: HAProxy refuses the file");
        }
        ".diag" | ".notice" | ".warning" => return account.claim(line.at, Disposition::Inert("message")),
        ".alert" => {
            let why = if dead(branches) {
                return account.claim(line.at, Disposition::Inert("its `.if` does not hold"));
            } else {
                "`.alert`: HAProxy refuses the file where this counts"
            };
            return account.gap(line.at, why);
        }
        other => return account.gap(line.at, format!("unknown directive `{other}`")),
    }
    if let Some(why) = refused {
        return account.gap(line.at, why);
    }
    if let Some(extra) = line.words.get(1).filter(|_| matches!(line.text(0), ".else" | ".endif")) {
        return account.gap(extra.at, "it is not expected here: HAProxy refuses the file");
    }
    let what = match branches.last() {
        Some(branch) if branch.counts.is_none() => Disposition::Opaque(".if"),
        Some(_) | None => Disposition::Inert("what of it counts is read"),
    };
    account.claim(line.at, what);
}
