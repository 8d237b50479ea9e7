//! Findings, doubts and gaps: why it was decided so, and what to do.

use super::page::{BOLD, CYAN, DIM, GREEN, PLAIN, Page, RED, YELLOW};
use super::{count, differ};
use crate::decision::{
    Answer, AnswerReport, Approvals, Cause, Consequence, DoubtReport, FindingReport, GapReport, Location, LocationSide,
    NotCounted, RelatedReport, Report, WaiverReport, WaiverState, WitnessReport,
};
use crate::report::supposing;
use std::collections::{BTreeMap, BTreeSet};

/// How many findings of one check, and how many gaps of one side, are written out.
const SHOWN: usize = 20;
/// How many other places of a finding are shown.
const RELATED: usize = 5;
/// How many doubts of one kind are written out.
const ALIKE: usize = 5;
/// Where texts begin beside their labels.
const COLUMN: usize = 10;

/// `1 finding blocks, 2 warn; 1 gap on head`.
pub(in crate::report) fn counts(report: &Report) -> String {
    let number = |consequence| report.findings.iter().filter(|f| f.outcome == consequence).count();
    let findings = [
        (number(Consequence::Blocked), "blocks", "block"),
        (number(Consequence::NeedsApproval), "needs approval", "need approval"),
        (number(Consequence::Approved), "is approved", "are approved"),
        (number(Consequence::Waived), "is waived", "are waived"),
        (number(Consequence::Warned), "warns", "warn"),
    ];
    let mut parts: Vec<String> = Vec::new();
    for (n, one, many) in findings.into_iter().filter(|(n, _, _)| *n > 0) {
        let noun = if parts.is_empty() { if n == 1 { " finding" } else { " findings" } } else { "" };
        parts.push(format!("{n}{noun} {}", if n == 1 { one } else { many }));
    }
    if !report.doubts.is_empty() {
        parts.push(format!("{} not answered", count(report.doubts.len(), "question")));
    }
    for (side, word) in [(LocationSide::Head, "head"), (LocationSide::Base, "base")] {
        let gaps = report.gaps.iter().filter(|gap| gap.side == side).count();
        if gaps > 0 {
            parts.push(format!("{} on {word}", count(gaps, "gap")));
        }
    }
    if parts.is_empty() {
        parts.push("no finding".to_owned());
    }
    let changed = differ(&report.configurations).0.len();
    if report.base.is_none() {
        parts.push(format!("{} looked at", count(report.stats.configurations, "configuration")));
        return parts.join(", ");
    }
    parts.push(match changed {
        0 if super::nothing_compared(report) => "nothing was compared".to_owned(),
        0 => "no semantic change".to_owned(),
        n => format!("{} changed", count(n, "configuration")),
    });
    parts.join(", ")
}

/// Writes the findings out. Returns the packets that were shown.
pub(super) fn findings<'r>(page: &mut Page<'_>, report: &'r Report) -> BTreeSet<&'r str> {
    let mut packets = BTreeSet::new();
    let mut shown: BTreeMap<&str, usize> = BTreeMap::new();
    for finding in &report.findings {
        let number = shown.entry(&finding.check).or_default();
        *number += 1;
        if *number <= SHOWN {
            self::finding(page, finding, report.base.is_none());
            packets.extend(finding.witness.as_ref().map(|witness| witness.packet.as_str()));
        }
    }
    for (check, number) in shown.into_iter().filter(|(_, number)| *number > SHOWN) {
        page.blank();
        more(page, 0, number - SHOWN, &format!("of {check}"));
    }
    packets
}

/// `4 more of critical-ports (--output json lists them)`.
pub(super) fn more(page: &mut Page<'_>, indent: usize, n: usize, what: &str) {
    let of = if what.is_empty() { String::new() } else { format!(" {what}") };
    page.line(indent, &[(DIM, &format!("{n} more{of} (--output json lists them)"))]);
}

/// `alone`: there is no base that could say anything.
pub(super) fn finding(page: &mut Page<'_>, finding: &FindingReport, alone: bool) {
    let (ink, word) = match finding.outcome {
        Consequence::Blocked => (RED, "blocked"),
        Consequence::NeedsApproval => (YELLOW, "needs approval"),
        Consequence::Approved => (GREEN, "approved"),
        Consequence::Waived => (DIM, "waived"),
        Consequence::Warned => (YELLOW, "warning"),
    };
    page.blank();
    let name = finding.name.as_ref().map(|name| format!(" ({name})")).unwrap_or_default();
    page.line(0, &[(ink, word), (PLAIN, "  "), (BOLD, &finding.check), (PLAIN, &name)]);
    page.entry(2, (PLAIN, ""), 2, &finding.message);
    // A message that names packets says what matters of them, and a rule says itself what it matches.
    let told = finding.message.contains(" -> ") || (finding.witness.is_none() && finding.location.is_some());
    if let Some(flow) = finding.flow.as_ref().filter(|_| !told) {
        entry(page, "flow", flow);
    }
    if let Some(witness) = &finding.witness {
        if alone {
            packet(page, 2, witness);
            answer(page, 2, page.sides.head, &witness.head);
        } else {
            self::witness(page, 2, witness);
        }
    }
    if let Some(request) = &finding.request {
        super::balancers::request(page, 2, request);
    }
    if let Some(location) = &finding.location
        && !decides(finding.witness.as_ref(), location)
    {
        place(page, page.side(location.side), location);
    }
    for RelatedReport { what, location } in finding.related.iter().take(RELATED) {
        place(page, what, location);
    }
    if finding.related.len() > RELATED {
        more(page, COLUMN, finding.related.len() - RELATED, "");
    }
    if let Some(location) = &finding.policy_location {
        place(page, "policy", location);
    }
    if !finding.approvals.needed.is_empty() {
        entry(page, "needs", &finding.approvals.needed.join("; "));
    }
    approvals(page, &finding.approvals);
    if let Some(waiver) = &finding.waiver {
        entry(page, "waiver", waiver);
    }
    match finding.outcome {
        Consequence::Blocked | Consequence::NeedsApproval | Consequence::Warned => to_do(page, &finding.help),
        Consequence::Approved | Consequence::Waived => {}
    }
}

/// Who has approved, who does not count, and what is missing.
fn approvals(page: &mut Page<'_>, approvals: &Approvals) {
    let Approvals { needed: _, have, not_counted, missing } = approvals;
    if !have.is_empty() {
        entry(page, "has", &have.join(", "));
    }
    for NotCounted { who, why } in not_counted {
        entry(page, "not", &format!("{who}: {why}"));
    }
    for sentence in missing {
        entry(page, "lacks", sentence);
    }
}

/// The waivers that something is to be said of: those that are used, or do not hold, or end soon.
pub(super) fn waivers(page: &mut Page<'_>, waivers: &[WaiverReport]) {
    let told = |waiver: &&WaiverReport| waiver.state != WaiverState::Unused || !waiver.notes.is_empty();
    if waivers.is_empty() {
        return;
    }
    page.blank();
    page.line(0, &[(BOLD, "Waivers")]);
    for WaiverReport { id, check, owner, reason: _, ticket, expires, state, findings, notes } in
        waivers.iter().filter(told)
    {
        let what = match state {
            WaiverState::Used => format!("accepts {} of {check} until {expires}", count(*findings, "finding")),
            WaiverState::Unused => format!("is not used; it holds for {check} until {expires}"),
            WaiverState::Expired => format!("expired with {expires}: it accepts nothing of {check} any more"),
            WaiverState::Early => format!("accepts nothing of {check} yet"),
            WaiverState::TooLong => {
                format!("holds until {expires}, longer than a waiver may: it accepts nothing of {check}")
            }
            WaiverState::Proposed => {
                format!("comes with this change: it accepts {check} once the owners of the policy approve it")
            }
            WaiverState::Unknown => format!("may or may not hold for {check}: it accepts nothing"),
        };
        let notes = notes.iter().map(|note| format!("; {note}")).collect::<String>();
        page.entry(2, (CYAN, id), COLUMN, &format!("{what} ({ticket}, {owner}){notes}"));
    }
    let unused: Vec<&str> = waivers.iter().filter(|waiver| !told(waiver)).map(|waiver| waiver.id.as_str()).collect();
    if !unused.is_empty() {
        page.entry(2, (DIM, "not used"), COLUMN + 2, &unused.join(", "));
    }
}

/// Whether the witness shows the place already.
fn decides(witness: Option<&WitnessReport>, location: &Location) -> bool {
    let answers = witness.into_iter().flat_map(|witness| witness.base.iter().chain([&witness.head]));
    location.span.is_some() && answers.into_iter().any(|answer| answer.span == location.span)
}

/// A packet and what both sides do with it, by which lines.
pub(super) fn witness(page: &mut Page<'_>, indent: usize, witness: &WitnessReport) {
    packet(page, indent, witness);
    for (label, answer) in [(page.sides.base, witness.base.as_ref()), (page.sides.head, Some(&witness.head))] {
        if let Some(answer) = answer {
            self::answer(page, indent, label, answer);
        }
    }
}

fn packet(page: &mut Page<'_>, indent: usize, witness: &WitnessReport) {
    let WitnessReport { packet, assumed, base: _, head: _ } = witness;
    let assumed = supposing(assumed);
    page.entry(indent, (CYAN, "packet"), indent + page.sides.column(), &format!("{packet}{assumed}"));
}

fn answer(page: &mut Page<'_>, indent: usize, label: &str, answer: &AnswerReport) {
    let AnswerReport { answer: what, path, line, column, chains, span } = answer;
    let verb = match what {
        Answer::Allow => "allows it",
        Answer::Deny => "denies it",
    };
    let margin = indent + page.sides.column();
    let text = match (path, line, column) {
        (Some(path), Some(line), Some(column)) => {
            format!("{verb}, {path}:{line}:{column}  {}", self::chains(chains))
        }
        (_, _, _) => format!("{verb}: nothing there decides it"),
    };
    page.entry(indent, (CYAN, label), margin, text.trim_end());
    if let (Some(line), Some(span)) = (line, span) {
        page.excerpt(margin, *line, *span);
    }
}

/// `FORWARD > LOG_DROP`; tables other than `filter` are named.
pub(in crate::report) fn chains(path: &[String]) -> String {
    let split = |name: &str| match name.rsplit_once('/') {
        Some((table, chain)) => (table.to_owned(), chain.to_owned()),
        None => (String::new(), name.to_owned()),
    };
    let names: Vec<String> = path.iter().map(|name| split(name).1).collect();
    let table = path.first().map(|name| split(name).0).filter(|table| !table.is_empty() && table != "filter");
    let table = table.map(|table| format!(" (table {table})")).unwrap_or_default();
    format!("{}{table}", names.join(" > "))
}

pub(super) fn doubts(page: &mut Page<'_>, doubts: &[DoubtReport]) {
    let mut alike: BTreeMap<(Option<&str>, Cause), usize> = BTreeMap::new();
    for doubt in doubts {
        let number = alike.entry((doubt.check.as_deref(), doubt.cause)).or_default();
        *number += 1;
        if *number <= ALIKE {
            self::doubt(page, doubt);
        }
    }
    let hidden: usize = alike.into_values().map(|number| number.saturating_sub(ALIKE)).sum();
    if hidden > 0 {
        page.blank();
        more(page, 0, hidden, "questions not answered");
    }
}

fn doubt(page: &mut Page<'_>, doubt: &DoubtReport) {
    page.blank();
    let check = doubt.check.as_ref().map(|check| format!("  {check}")).unwrap_or_default();
    page.line(0, &[(YELLOW, "not answered"), (BOLD, &check)]);
    page.entry(2, (PLAIN, ""), 2, &doubt.message);
    if let Some(location) = &doubt.location {
        place(page, page.side(location.side), location);
    }
    if let Some(location) = &doubt.policy_location {
        place(page, "policy", location);
    }
    to_do(page, &doubt.help);
}

pub(super) fn gaps(page: &mut Page<'_>, gaps: &[GapReport]) {
    for (side, ink, help) in [
        (
            LocationSide::Head,
            YELLOW,
            "write it in a way that is understood, or report that it is missing; until then the change cannot be judged",
        ),
        (LocationSide::Base, DIM, "it is in force already: the difference is exact only for what it does not touch"),
    ] {
        let of_side: Vec<&GapReport> = gaps.iter().filter(|gap| gap.side == side).collect();
        if of_side.is_empty() {
            continue;
        }
        page.blank();
        let title = format!("{} on {}: input whose effect is not known", count(of_side.len(), "gap"), page.side(side));
        page.line(0, &[(ink, &title)]);
        for gap in of_side.iter().take(SHOWN) {
            let Location { path, line, column, span, .. } = &gap.location;
            page.entry(2, (PLAIN, ""), 2, &format!("{path}:{line}:{column}  {}", gap.reason));
            if let Some(span) = span {
                page.excerpt(2, *line, *span);
            }
        }
        if of_side.len() > SHOWN {
            more(page, 2, of_side.len() - SHOWN, "");
        }
        to_do(page, help);
    }
}

fn place(page: &mut Page<'_>, label: &str, location: &Location) {
    let Location { side: _, path, line, column, end_line: _, end_column: _, span } = location;
    entry(page, label, &format!("{path}:{line}:{column}"));
    if let Some(span) = span {
        page.excerpt(COLUMN, *line, *span);
    }
}

pub(super) fn to_do(page: &mut Page<'_>, help: &str) {
    if help.is_empty() {
        return;
    }
    page.entry(2, (BOLD, "to do"), COLUMN, help);
}

fn entry(page: &mut Page<'_>, label: &str, text: &str) {
    page.entry(2, (CYAN, label), COLUMN, text);
}
