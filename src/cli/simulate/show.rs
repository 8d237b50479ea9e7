//! What came of mistakes, for people and for programs.

use crate::decision::{Consequence, Decision, Origin, Outcome, PolicyOrigin, Report};
use crate::mutants::{Kind, Site, With};
use crate::text::SourceMap;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// How much of a place is quoted, in characters.
const QUOTED: usize = 100;

/// What a policy makes of mistakes. Fields are only ever added.
#[derive(Debug, Serialize)]
pub(super) struct Simulation {
    version: u32,
    base: Origin,
    policy: PolicyOrigin,
    /// Whether mistakes that only an approval stands against count as passed.
    approved: bool,
    /// At how many places a mistake can be made.
    pub(super) places: usize,
    /// At most so many were judged.
    limit: usize,
    /// How many were.
    pub(super) judged: usize,
    /// How many do not pass.
    stopped: usize,
    /// How many pass.
    pub(super) passed: usize,
    /// How many are proved to change nothing; they do not count.
    equivalent: usize,
    /// How many leave no text of their format behind; they do not count.
    unreadable: usize,
    /// The percentage that does not pass, of those that count; null: none does.
    score: Option<usize>,
    /// The same by kind.
    kinds: Vec<KindReport>,
    /// The checks that would stop what passes, and how many of them each does, most first.
    suggestions: Vec<SuggestionReport>,
    mutants: Vec<MutantReport>,
}

#[derive(Debug, Serialize)]
struct KindReport {
    kind: &'static str,
    stopped: usize,
    passed: usize,
    equivalent: usize,
    unreadable: usize,
}

#[derive(Debug, Serialize)]
struct SuggestionReport {
    check: String,
    stops: usize,
}

/// One mistake.
#[derive(Debug, Serialize)]
pub(super) struct MutantReport {
    kind: &'static str,
    path: String,
    line: u32,
    column: u32,
    /// What stands there.
    text: String,
    #[serde(flatten)]
    fate: Fate,
}

/// What came of it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case", tag = "result")]
pub(super) enum Fate {
    /// It does not pass.
    Stopped {
        /// How it is judged.
        decision: Outcome,
        /// What stands against it: checks, with the names of their entries.
        by: Vec<String>,
    },
    /// It passes.
    Passed(Survivor),
    /// It changes nothing.
    Equivalent,
    /// It leaves no text of its format behind.
    Unreadable,
}

/// A mistake that passes.
#[derive(Debug, Serialize)]
pub(super) struct Survivor {
    /// What it does, in one line.
    pub(super) effect: String,
    /// A packet or request that shows it.
    pub(super) witness: Option<String>,
    /// The check that would stop it, as the policy would have it; null: none of those that were tried does.
    pub(super) suggestion: Option<String>,
}

impl Fate {
    /// What stands against it.
    pub(super) fn stopped(decision: &Decision) -> Self {
        let Report { findings, doubts, gaps, .. } = decision.report();
        let weight = match decision.outcome() {
            Outcome::Blocked => Some(Consequence::Blocked),
            Outcome::NeedsApproval => Some(Consequence::NeedsApproval),
            Outcome::Pass | Outcome::Undecided | Outcome::PolicyError => None,
        };
        let mine = findings.iter().filter(|finding| Some(finding.outcome) == weight);
        let mut by: BTreeSet<String> = mine
            .map(|finding| match &finding.name {
                Some(name) => format!("{} {name}", finding.check),
                None => finding.check.clone(),
            })
            .collect();
        if weight.is_none() {
            by.extend(doubts.iter().map(|doubt| doubt.check.clone().unwrap_or_else(|| "it cannot be read".to_owned())));
            by.extend(gaps.first().map(|_| "it is not understood".to_owned()));
        }
        Self::Stopped { decision: decision.outcome(), by: by.into_iter().collect() }
    }
}

impl MutantReport {
    pub(super) fn new(site: &Site, fate: Fate, sources: &SourceMap) -> Self {
        let place = sources.locate(site.at);
        let several = match &site.with {
            With::Entries(entries) => format!("{} of the rules from here on: ", entries.len()),
            With::Alone | With::Next(_) => String::new(),
        };
        let mut text: String = format!("{several}{}", sources.show(site.at)).chars().take(QUOTED + 1).collect();
        if text.chars().count() > QUOTED {
            text = text.chars().take(QUOTED).chain(['…']).collect();
        }
        Self { kind: site.kind.name(), path: place.path, line: place.line, column: place.column, text, fate }
    }
}

impl Simulation {
    pub(super) fn new(
        base: Origin,
        policy: PolicyOrigin,
        places: usize,
        limit: usize,
        approved: bool,
        mutants: Vec<MutantReport>,
    ) -> Self {
        let mut kinds: Vec<KindReport> = Vec::new();
        let mut stops: BTreeMap<&str, usize> = BTreeMap::new();
        for kind in Kind::ALL.map(Kind::name) {
            let mut all = KindReport { kind, stopped: 0, passed: 0, equivalent: 0, unreadable: 0 };
            for mutant in mutants.iter().filter(|mutant| mutant.kind == kind) {
                match &mutant.fate {
                    Fate::Stopped { .. } => all.stopped += 1,
                    Fate::Passed(_) => all.passed += 1,
                    Fate::Equivalent => all.equivalent += 1,
                    Fate::Unreadable => all.unreadable += 1,
                }
            }
            let KindReport { kind: _, stopped, passed, equivalent, unreadable } = all;
            if stopped + passed + equivalent + unreadable > 0 {
                kinds.push(all);
            }
        }
        for mutant in &mutants {
            if let Fate::Passed(Survivor { suggestion: Some(check), .. }) = &mutant.fate {
                *stops.entry(check).or_default() += 1;
            }
        }
        let suggestion = |(check, stops): (&str, usize)| SuggestionReport { check: check.to_owned(), stops };
        let mut suggestions: Vec<SuggestionReport> = stops.into_iter().map(suggestion).collect();
        suggestions.sort_by(|a, b| b.stops.cmp(&a.stops).then_with(|| a.check.cmp(&b.check)));
        let sum = |part: fn(&KindReport) -> usize| kinds.iter().map(part).sum::<usize>();
        let (stopped, passed) = (sum(|kind| kind.stopped), sum(|kind| kind.passed));
        let (equivalent, unreadable) = (sum(|kind| kind.equivalent), sum(|kind| kind.unreadable));
        // Rounded down: 100 means all.
        let score = (stopped * 100).checked_div(stopped + passed);
        let judged = mutants.len();
        Self {
            version: 1,
            base,
            policy,
            approved,
            places,
            limit,
            judged,
            stopped,
            passed,
            equivalent,
            unreadable,
            score,
            kinds,
            suggestions,
            mutants,
        }
    }

    /// Whether there are more places than were judged.
    pub(super) const fn cut(&self) -> bool {
        self.judged < self.places
    }
}

pub(super) fn json(simulation: &Simulation) -> String {
    let text = serde_json::to_string_pretty(simulation).expect("names of fields are texts");
    format!("{text}\n")
}

pub(super) fn text(simulation: &Simulation, allow: usize) -> String {
    let mut out = String::new();
    let mut line = |text: std::fmt::Arguments<'_>| writeln!(out, "{text}").expect("writing to a String");
    let Simulation { stopped, passed, equivalent, unreadable, score, kinds, suggestions, mutants, .. } = simulation;
    let s = |n: usize| if n == 1 { "" } else { "s" };
    match score {
        None => line(format_args!("NOTHING WAS TRIED: there is no place for a mistake that would have an effect")),
        Some(score) => line(format_args!(
            "SCORE {score}: the policy stops {stopped} of {} mistake{}, {passed} would pass",
            stopped + passed,
            s(stopped + passed)
        )),
    }
    let mut notes = Vec::new();
    if simulation.cut() {
        notes.push(format!("{} of {} places were tried (--limit)", simulation.judged, simulation.places));
    }
    if *equivalent > 0 {
        notes.push(format!("{equivalent} more have no effect, proved"));
    }
    if *unreadable > 0 {
        notes.push(format!("{unreadable} more leave nothing that can be read"));
    }
    if simulation.approved {
        notes.push("whoever is asked for an approval is taken to give it".to_owned());
    }
    if allow > 0 {
        notes.push(format!("{allow} may pass (--allow)"));
    }
    if !notes.is_empty() {
        line(format_args!("{}", notes.join("; ")));
    }
    if !kinds.is_empty() {
        line(format_args!("\n{:<16}{:>8}{:>8}{:>11}", "mistake", "stopped", "passed", "no effect"));
    }
    for KindReport { kind, stopped, passed, equivalent, unreadable: _ } in kinds {
        line(format_args!("{kind:<16}{stopped:>8}{passed:>8}{equivalent:>11}"));
    }
    for mutant in mutants {
        let Fate::Passed(Survivor { effect, witness, suggestion }) = &mutant.fate else { continue };
        let MutantReport { kind, path, line: at, column, text, fate: _ } = mutant;
        line(format_args!("\npasses  {kind}  {path}:{at}:{column}\n  there   {text}\n  effect  {effect}"));
        if let Some(witness) = witness {
            line(format_args!("  such as {witness}"));
        }
        match suggestion {
            Some(check) => line(format_args!("  stop it {check}")),
            None => line(format_args!("  stop it none of the checks that were tried does")),
        }
    }
    if !suggestions.is_empty() {
        line(format_args!("\nwhat would stop them, proved by judging again (for `checks:` of the policy)"));
    }
    for SuggestionReport { check, stops } in suggestions {
        line(format_args!("  - {check}  # stops {stops}"));
    }
    line(format_args!("\n{}; policy {}", origin(&simulation.base), simulation.policy.path));
    out
}

fn origin(Origin { source, revision }: &Origin) -> String {
    match revision {
        Some(revision) => format!("{source} {revision}"),
        None => source.clone(),
    }
}
