//! The report as an engineer reads it at night: the decision, why, what to do; then what the change does.

mod balancers;
mod difference;
mod page;
mod reasons;
mod verification;
mod walk;

pub(super) use difference::headline;
pub(super) use reasons::{chains, counts};

use super::{Style, word};
use crate::decision::{
    Comparison, ConfigurationReport, DoubtReport, FindingReport, GapReport, Outcome, Report, Verification, Walk,
};
use crate::text::SourceMap;
use page::{BOLD, DIM, GREEN, PLAIN, Page, RED, YELLOW};
use std::collections::BTreeSet;

/// The report of a check.
#[must_use]
pub fn render(report: &Report, sources: &SourceMap, style: Style) -> String {
    let mut page = Page::new(sources, style);
    let ink = match report.decision {
        Outcome::Pass => GREEN,
        Outcome::NeedsApproval | Outcome::Undecided => YELLOW,
        Outcome::Blocked | Outcome::PolicyError => RED,
    };
    page.line(0, &[(ink, word(report.decision)), (PLAIN, ": "), (PLAIN, &counts(report))]);
    let unanswered = matches!(report.decision, Outcome::Undecided | Outcome::PolicyError);
    let mut shown = BTreeSet::new();
    if !unanswered {
        shown = reasons::findings(&mut page, report);
    }
    reasons::doubts(&mut page, &report.doubts);
    reasons::gaps(&mut page, &report.gaps);
    if unanswered {
        shown = reasons::findings(&mut page, report);
    }
    reasons::waivers(&mut page, &report.waivers);
    page.blank();
    if !nothing_compared(report) && !report.base.is_none() {
        page.line(0, &[(BOLD, "What the change does")]);
        difference::configurations(&mut page, &report.configurations, &shown);
        page.blank();
    }
    let side = |origin: &crate::decision::Origin| match &origin.revision {
        Some(revision) => format!("{} {}", origin.source, abbreviated(revision)),
        None if origin.source.is_empty() => "unknown".to_owned(),
        None => origin.source.clone(),
    };
    let policy = match &report.policy {
        Some(policy) => {
            let revision = policy.revision.as_deref().map(|r| format!(" of {}", abbreviated(r))).unwrap_or_default();
            format!("policy {}{revision}", policy.path)
        }
        None => "no policy".to_owned(),
    };
    let sides = if report.base.is_none() {
        side(&report.head)
    } else {
        format!("base: {}; head: {}", side(&report.base), side(&report.head))
    };
    let pretended = report.pretended.as_ref().map(|at| format!("; judged as if it were {at}, which opens nothing"));
    page.line(0, &[(DIM, &format!("{sides}; {policy}{}", pretended.unwrap_or_default()))]);
    if let Some(note) = super::told_to_strangers(report) {
        page.entry(0, (DIM, ""), 0, &note);
    }
    page.finish()
}

/// A difference without a policy.
#[must_use]
pub fn render_comparison(comparison: &Comparison, sources: &SourceMap, style: Style) -> String {
    let mut page = Page::new(sources, style);
    page.line(0, &[(BOLD, &difference::headline(comparison))]);
    reasons::doubts(&mut page, &comparison.doubts);
    reasons::gaps(&mut page, &comparison.gaps);
    page.blank();
    difference::configurations(&mut page, &comparison.configurations, &BTreeSet::new());
    page.finish()
}

/// The way of a packet, hop by hop.
#[must_use]
pub fn render_walk(walk: &Walk, sources: &SourceMap, style: Style) -> String {
    let mut page = Page::new(sources, style);
    walk::walk(&mut page, walk);
    page.finish()
}

/// Whether hosts are what they should be.
#[must_use]
pub fn render_verification(verification: &Verification, sources: &SourceMap, style: Style) -> String {
    verification::render(verification, sources, style)
}

/// One finding, for a part of another page; `alone`: there is no base that could say anything.
pub(super) fn finding(finding: &FindingReport, alone: bool, sources: &SourceMap) -> String {
    let mut page = Page::new(sources, Style::PLAIN);
    reasons::finding(&mut page, finding, alone);
    page.finish()
}

/// What was not answered, for a part of another page.
pub(super) fn open(doubts: &[DoubtReport], gaps: &[GapReport], sources: &SourceMap) -> String {
    let mut page = Page::new(sources, Style::PLAIN);
    reasons::doubts(&mut page, doubts);
    reasons::gaps(&mut page, gaps);
    page.finish()
}

/// What a change does to one configuration, for a part of another page.
pub(super) fn configuration(configuration: &ConfigurationReport, sources: &SourceMap) -> String {
    let mut page = Page::new(sources, Style::PLAIN);
    difference::configuration(&mut page, configuration, &BTreeSet::new());
    page.finish()
}

/// Whether it did not come to a comparison.
fn nothing_compared(report: &Report) -> bool {
    report.configurations.is_empty() && !report.doubts.is_empty()
}

/// A commit as people write it; other revisions as they are.
fn abbreviated(revision: &str) -> &str {
    let commit = revision.len() >= 40 && revision.bytes().all(|b| b.is_ascii_hexdigit());
    if commit { revision.get(..12).unwrap_or(revision) } else { revision }
}

/// `1 gap`, `2 gaps`.
pub(super) fn count(n: usize, word: &str) -> String {
    if n == 1 { format!("1 {word}") } else { format!("{n} {word}s") }
}

/// Where things stand that differ: those that do, those that do not.
fn differ(configurations: &[ConfigurationReport]) -> (Vec<&ConfigurationReport>, Vec<&ConfigurationReport>) {
    configurations.iter().partition(|configuration| differs(configuration))
}

/// Whether a configuration does something else than before.
pub(super) fn differs(configuration: &ConfigurationReport) -> bool {
    use crate::decision::ChangeKind::{Added, Changed, Equivalent, Removed, Unchanged};
    match configuration.change {
        Changed | Added | Removed => true,
        Unchanged | Equivalent => false,
    }
}
