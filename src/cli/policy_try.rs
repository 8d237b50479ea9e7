//! What a policy would have said of the past.

use super::check::POLICY;
use super::judge::{self, Judged, Outside, PolicyPath};
use super::output::Streams;
use super::progress::Progress;
use super::start_arguments::{PolicyOutput, PolicyTry};
use super::surroundings::Surroundings;
use crate::decision::{Cause, Consequence, Doubt, GapReport, LocationSide, Outcome};
use crate::facts;
use crate::source::{CommitText, History, Side, Sides, SourceError};
use crate::text::{SourceMap, escape};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// What was said of one step.
struct Tried {
    id: String,
    subject: String,
    outcome: Outcome,
    /// The checks that stand against it, and why it is undecided.
    by: Vec<String>,
}

pub(super) fn run(tried: &PolicyTry, surroundings: &Surroundings, streams: &mut Streams<'_>) -> u8 {
    let progress = Progress::new(streams.stderr_is_terminal && !streams.quiet);
    progress.stage("judging the past");
    let found = all(tried, surroundings);
    drop(progress);
    match found {
        Ok(found) => {
            let text = match tried.output {
                PolicyOutput::Text => text(&found, tried.last),
                PolicyOutput::Json => json(&found),
            };
            streams.data(&text, 0)
        }
        Err(Refused(doubts, sources)) => streams.doubts(&doubts, &sources),
    }
}

/// Why nothing was judged.
struct Refused(Vec<Doubt>, SourceMap);

impl From<SourceError> for Refused {
    fn from(why: SourceError) -> Self {
        Self(vec![judge::doubt(Cause::Source, &why)], SourceMap::default())
    }
}

fn all(tried: &PolicyTry, surroundings: &Surroundings) -> Result<Vec<Tried>, Refused> {
    let place = surroundings.place();
    let file = match &tried.policy {
        Some(file) => surroundings.folder.join(file),
        None => Side::work_tree(&place)?.folder().ok_or(SourceError::NoWorkTree)?.join(POLICY),
    };
    let path = PolicyPath::File(file);
    let steps = History::open(&place)?.steps(&tried.rev, usize::from(tried.last))?;
    let mut out = Vec::with_capacity(steps.len());
    for CommitText { id, parents, author: _, committer: _, message } in steps {
        let parent = parents.first().map_or(id.as_str(), String::as_str);
        let sides = Sides::revisions(&place, parent, &id)?;
        let outside = Outside { now: facts::now(), ..Outside::default() };
        let Judged { decision, sources, subject: _, visibility: _ } =
            judge::judge(&sides, &path, None, &outside, &Progress::new(false));
        let report = decision.report();
        if decision.outcome() == Outcome::PolicyError {
            // It is the same policy for all.
            let doubt = |message: &str, help: &str| Doubt {
                cause: Cause::Policy,
                message: message.to_owned(),
                help: help.to_owned(),
                at: None,
            };
            let doubts = report.doubts.iter().map(|found| doubt(&found.message, &found.help)).collect();
            return Err(Refused(doubts, sources));
        }
        let mut by: BTreeMap<String, usize> = BTreeMap::new();
        for finding in &report.findings {
            match finding.outcome {
                Consequence::Blocked | Consequence::NeedsApproval => *by.entry(finding.check.clone()).or_default() += 1,
                Consequence::Warned | Consequence::Waived | Consequence::Approved => {}
            }
        }
        let mut by: Vec<String> = by
            .into_iter()
            .map(|(check, count)| if count == 1 { check } else { format!("{check} ({count})") })
            .collect();
        by.extend(report.doubts.first().map(|doubt| doubt.message.clone()));
        by.extend(not_understood(&report.gaps));
        let subject = message.lines().next().unwrap_or_default().to_owned();
        out.push(Tried { id, subject, outcome: decision.outcome(), by });
    }
    Ok(out)
}

/// What of the proposed side is not understood, in a line.
fn not_understood(gaps: &[GapReport]) -> Option<String> {
    let mut gaps = gaps.iter().filter(|gap| gap.side == LocationSide::Head);
    let GapReport { configuration: _, side: _, location, text: _, reason } = gaps.next()?;
    let more = gaps.count();
    let more = if more == 0 { String::new() } else { format!(" and {more} more") };
    Some(format!("{}:{}: {reason}{more}", location.path, location.line))
}

const fn word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Pass => "pass",
        Outcome::NeedsApproval => "needs-approval",
        Outcome::Blocked => "blocked",
        Outcome::Undecided => "undecided",
        Outcome::PolicyError => "policy-error",
    }
}

fn counted(found: &[Tried]) -> Vec<(&'static str, usize)> {
    let outcomes = [Outcome::Pass, Outcome::NeedsApproval, Outcome::Blocked, Outcome::Undecided];
    outcomes.map(|outcome| (word(outcome), found.iter().filter(|tried| tried.outcome == outcome).count())).to_vec()
}

fn text(found: &[Tried], wanted: u16) -> String {
    let mut out = String::new();
    let mut line = |text: std::fmt::Arguments<'_>| writeln!(out, "{text}").expect("writing to a String");
    for Tried { id, subject, outcome, by } in found {
        let id = id.get(..10).unwrap_or(id);
        line(format_args!("{id}  {:<14}  {}", word(*outcome), escape(subject.as_bytes())));
        if !by.is_empty() {
            line(format_args!("{:28}{}", "", escape(by.join(", ").as_bytes())));
        }
    }
    let counts: Vec<String> = counted(found).into_iter().map(|(word, count)| format!("{count} {word}")).collect();
    let whole = if found.len() < usize::from(wanted) { ", all that there are" } else { "" };
    let s = if found.len() == 1 { "" } else { "s" };
    line(format_args!("{} step{s}{whole}: {}", found.len(), counts.join(", ")));
    out
}

fn json(found: &[Tried]) -> String {
    let step = |Tried { id, subject, outcome, by }: &Tried| json!({"commit": id, "subject": subject, "decision": word(*outcome), "by": by});
    let steps: Vec<Value> = found.iter().map(step).collect();
    let summary: serde_json::Map<String, Value> =
        counted(found).into_iter().map(|(word, count)| (word.to_owned(), json!(count))).collect();
    format!("{:#}\n", json!({"version": 1, "steps": steps, "summary": summary}))
}
