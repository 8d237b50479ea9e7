//! Everything that a report has to say besides the difference, in one list: findings, what was not answered, and gaps.
//! Nothing is left out of it, so an output that writes the list leaves nothing out.

use super::escaping::plain;
use crate::decision::{
    AnswerReport, Cause, Consequence, DoubtReport, FindingReport, GapReport, Location, LocationSide, RelatedReport,
    Report,
};
use crate::text::{Span, hex};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;

/// What an entry does to the decision, the gravest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Gravity {
    /// It blocks.
    Blocks,
    /// It leaves the decision open.
    Open,
    /// Somebody has to approve it.
    Asks,
    /// It is only shown.
    Warns,
    /// It has been accepted, or is in force already.
    Notes,
}

impl Gravity {
    /// The word of SARIF, and of GitHub's annotations but for `note`.
    pub(super) const fn level(self) -> &'static str {
        match self {
            Self::Blocks | Self::Open | Self::Asks => "error",
            Self::Warns => "warning",
            Self::Notes => "note",
        }
    }
}

/// One thing that a reader has to know.
pub(super) struct Entry<'r> {
    pub(super) gravity: Gravity,
    /// What it is: `blocked`, `needs approval`, `gap` …
    pub(super) word: &'static str,
    /// The id of the check, or `gap`, or `not-answered`.
    pub(super) rule: &'r str,
    /// The name of the check's instance.
    pub(super) name: Option<&'r str>,
    /// One line, without control characters.
    pub(super) message: String,
    pub(super) help: String,
    /// Where to show it in head.
    pub(super) place: Place,
    /// Other places, and what they are to it.
    pub(super) others: Vec<(String, Place)>,
    /// The same when lines move; no two entries have the same.
    pub(super) fingerprint: String,
    pub(super) what: What<'r>,
}

/// What an entry was made of.
#[derive(Debug, Clone, Copy)]
pub(super) enum What<'r> {
    Finding(&'r FindingReport),
    Doubt(&'r DoubtReport),
    Gap(&'r GapReport),
}

/// A place in a file; what is not known of it is its first line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) side: LocationSide,
    pub(super) path: String,
    pub(super) line: u32,
    pub(super) column: u32,
    /// Line and column of the end, which is exclusive.
    pub(super) end: Option<(u32, u32)>,
    pub(super) span: Option<Span>,
}

impl Place {
    fn of(location: &Location) -> Self {
        let Location { side, path, line, column, end_line, end_column, span } = location;
        let end = Some((*end_line, *end_column)).filter(|end| *end > (*line, *column));
        Self { side: *side, path: plain(path), line: *line, column: *column, end, span: *span }
    }

    fn answered(side: LocationSide, answer: &AnswerReport) -> Option<Self> {
        let AnswerReport { answer: _, path, line, column, chains: _, span } = answer;
        let (Some(path), Some(line), Some(column)) = (path, line, column) else { return None };
        Some(Self { side, path: plain(path), line: *line, column: *column, end: None, span: *span })
    }
}

/// All entries of a report, the gravest first.
pub(super) fn entries(report: &Report) -> Vec<Entry<'_>> {
    let fallback = Place {
        side: LocationSide::Policy,
        path: report.policy.as_ref().map_or_else(|| "portcullis.yaml".to_owned(), |policy| plain(&policy.path)),
        line: 1,
        column: 1,
        end: None,
        span: None,
    };
    let mut entries: Vec<Entry<'_>> = report.findings.iter().map(|f| finding(f, &fallback)).collect();
    entries.extend(report.doubts.iter().map(|d| doubt(d, &fallback)));
    entries.extend(report.gaps.iter().map(gap));
    entries.sort_by_key(|entry| entry.gravity);
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for entry in &mut entries {
        let number = seen.entry(entry.fingerprint.clone()).or_default();
        if *number > 0 {
            entry.fingerprint = digest(&[&entry.fingerprint, &number.to_string()]);
        }
        *number += 1;
    }
    entries
}

/// What a finding does to the decision, in a word.
pub(super) const fn consequence(consequence: Consequence) -> (Gravity, &'static str) {
    match consequence {
        Consequence::Blocked => (Gravity::Blocks, "blocked"),
        Consequence::NeedsApproval => (Gravity::Asks, "needs approval"),
        Consequence::Warned => (Gravity::Warns, "warning"),
        Consequence::Approved => (Gravity::Notes, "approved"),
        Consequence::Waived => (Gravity::Notes, "waived"),
    }
}

fn finding<'r>(finding: &'r FindingReport, fallback: &Place) -> Entry<'r> {
    let (gravity, word) = consequence(finding.outcome);
    let mut places: Vec<(String, Place)> = Vec::new();
    if let Some(location) = &finding.location {
        places.push((side(location.side).to_owned(), Place::of(location)));
    }
    if let Some(witness) = &finding.witness {
        let head = Place::answered(LocationSide::Head, &witness.head);
        places.extend(head.map(|place| ("head".to_owned(), place)));
        let base = witness.base.as_ref().and_then(|base| Place::answered(LocationSide::Base, base));
        places.extend(base.map(|place| ("base".to_owned(), place)));
    }
    if let Some(request) = &finding.request {
        for (label, route) in [("head", &request.head), ("base", &request.base)] {
            places.extend(route.location.as_ref().map(|location| (label.to_owned(), Place::of(location))));
        }
    }
    for RelatedReport { what, location } in &finding.related {
        places.push((plain(what), Place::of(location)));
    }
    places.extend(finding.policy_location.as_ref().map(|location| ("policy".to_owned(), Place::of(location))));
    let (place, others) = main_place(places, fallback);
    Entry {
        gravity,
        word,
        rule: &finding.check,
        name: finding.name.as_deref(),
        message: plain(&finding.message),
        help: plain(&finding.help),
        place,
        others,
        fingerprint: finding.fingerprint.clone(),
        what: What::Finding(finding),
    }
}

fn doubt<'r>(doubt: &'r DoubtReport, fallback: &Place) -> Entry<'r> {
    let DoubtReport { cause, check, message, help, location, policy_location } = doubt;
    let gravity = match cause {
        Cause::Policy => Gravity::Blocks,
        Cause::Source
        | Cause::MatchesNothing
        | Cause::MissingFact
        | Cause::TooHard
        | Cause::NotComputed
        | Cause::Internal
        | Cause::Incomplete => Gravity::Open,
    };
    let places = [("", location), ("policy", policy_location)];
    let places = places.into_iter().filter_map(|(label, location)| {
        let location = location.as_ref()?;
        let label = if label.is_empty() { side(location.side) } else { label };
        Some((label.to_owned(), Place::of(location)))
    });
    let (place, others) = main_place(places.collect(), fallback);
    let rule = check.as_deref().unwrap_or("not-answered");
    Entry {
        gravity,
        word: "not answered",
        rule,
        name: None,
        message: plain(message),
        help: plain(help),
        fingerprint: digest(&["not-answered", rule, &format!("{cause:?}"), message, &place.path]),
        place,
        others,
        what: What::Doubt(doubt),
    }
}

fn gap(gap: &GapReport) -> Entry<'_> {
    let GapReport { configuration, side, location, text, reason } = gap;
    let (gravity, word, help) = match side {
        LocationSide::Head | LocationSide::Policy => (Gravity::Open, "gap", "write it in a way that is understood"),
        LocationSide::Base => (Gravity::Notes, "gap on base", "it is in force already"),
    };
    let quoted = if text.is_empty() { String::new() } else { format!(": {text}") };
    Entry {
        gravity,
        word,
        rule: "gap",
        name: None,
        message: plain(&format!("input whose effect is not known: {reason}{quoted}")),
        help: help.to_owned(),
        place: Place::of(location),
        others: Vec::new(),
        fingerprint: digest(&["gap", self::side(*side), configuration, &location.path, reason, text]),
        what: What::Gap(gap),
    }
}

/// The place at which to show something: what head has, else what base had there, else the policy's demand. Presets are
/// no files of the repository.
fn main_place(mut places: Vec<(String, Place)>, fallback: &Place) -> (Place, Vec<(String, Place)>) {
    let is_file = |place: &Place| place.side != LocationSide::Policy || !place.path.starts_with("preset ");
    let first = |wanted: LocationSide| places.iter().position(|(_, place)| place.side == wanted && is_file(place));
    let found = [LocationSide::Head, LocationSide::Base, LocationSide::Policy].into_iter().find_map(first);
    let place = found.map_or_else(|| fallback.clone(), |found| places.remove(found).1);
    let same = |a: &Place, b: &Place| (a.side, &a.path, a.line, a.column) == (b.side, &b.path, b.line, b.column);
    let mut others: Vec<(String, Place)> = Vec::new();
    for (what, other) in places {
        if !same(&other, &place) && !others.iter().any(|(_, known)| same(known, &other)) {
            others.push((what, other));
        }
    }
    (place, others)
}

pub(super) const fn side(side: LocationSide) -> &'static str {
    match side {
        LocationSide::Base => "base",
        LocationSide::Head => "head",
        LocationSide::Policy => "policy",
    }
}

fn digest(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part);
        hash.update([0]);
    }
    hex(&hash.finalize())
}
