//! Markdown for a comment on a change or the summary of a job: what a reviewer needs first, then details, folded.

use super::entries::{Entry, What, entries};
use super::escaping::{block, code, cut, prose, summary};
use super::{counts, how_much, text, told_to_strangers, word};
use crate::decision::{Comparison, ConfigurationReport, Origin, Report, Walk};
use crate::text::SourceMap;

/// How many characters a comment on GitHub may have.
pub const COMMENT: usize = 65_536;
/// How many of them are left to whoever posts it, for a mark of its own.
const SPARE: usize = 256;
/// How many findings and how many configurations are named before the details.
const FIRST: (usize, usize) = (5, 3);
/// How many characters one detail may have.
const DETAIL: usize = 8_000;
/// How many characters of a message stand before the details.
const LINE: usize = 400;

/// The report of a check.
#[must_use]
pub fn render(report: &Report, sources: &SourceMap) -> String {
    let entries = entries(report);
    let mut top = format!("### Portcullis: {}\n\n{}\n\n", word(report.decision).to_lowercase(), prose(&counts(report)));
    for entry in entries.iter().take(FIRST.0) {
        top.push_str(&line(entry));
    }
    if entries.len() > FIRST.0 {
        top.push_str(&format!("- {} of {} shown here, all below as far as there is room\n", FIRST.0, entries.len()));
    }
    top.push_str(&changes(&report.configurations));
    let mut details: Vec<String> = entries.iter().map(|entry| detail(entry, report, sources)).collect();
    details.extend(report.configurations.iter().filter(|c| text::differs(c)).map(|c| difference(c, sources)));
    fitted(&top, &details, &end(report))
}

/// A difference without a policy.
#[must_use]
pub fn render_comparison(comparison: &Comparison, sources: &SourceMap) -> String {
    let mut top = format!("### {}\n\n", prose(&text::headline(comparison)));
    let open = comparison.doubts.len() + comparison.gaps.len();
    if open > 0 {
        top.push_str(&format!("- **not answered**: {}\n", text::count(open, "question")));
    }
    top.push_str(&changes(&comparison.configurations));
    let changed = comparison.configurations.iter().filter(|c| text::differs(c));
    let mut details: Vec<String> = Vec::new();
    if open > 0 {
        let open = text::open(&comparison.doubts, &comparison.gaps, sources);
        details.push(folded("what was not answered", &open, true));
    }
    details.extend(changed.map(|configuration| difference(configuration, sources)));
    fitted(&top, &details, "")
}

/// The way of a packet.
#[must_use]
pub fn render_walk(walk: &Walk, sources: &SourceMap) -> String {
    block(&text::render_walk(walk, sources, super::Style::PLAIN))
}

/// One entry in a line.
fn line(entry: &Entry<'_>) -> String {
    let Entry { word, rule, name, message, place, .. } = entry;
    let name = name.map(|name| format!(" ({})", prose(name))).unwrap_or_default();
    let place = code(&format!("{}:{}", place.path, place.line));
    format!("- **{word}** {}{name}: {} — {place}\n", code(rule), prose(&cut(message, LINE)))
}

/// What becomes of configurations, in some lines.
fn changes(configurations: &[ConfigurationReport]) -> String {
    let changed: Vec<&ConfigurationReport> = configurations.iter().filter(|c| text::differs(c)).collect();
    let mut out = String::new();
    for configuration in changed.iter().take(FIRST.1) {
        let ConfigurationReport { name, format, change: _, filters, balancers, objects, withheld } = configuration;
        if let Some(withheld) = withheld {
            out.push_str(&format!("- {} ({}): {}\n", code(name), prose(format), how_much(withheld)));
            continue;
        }
        let denied: usize = filters.iter().map(|filter| filter.newly_denied_total).sum();
        let allowed: usize = filters.iter().map(|filter| filter.newly_allowed_total).sum();
        let objects = objects.added.len() + objects.removed.len() + objects.modified.len();
        let mut parts = vec![
            format!("{} newly denied", text::count(denied, "flow")),
            format!("{} newly allowed", text::count(allowed, "flow")),
        ];
        if !balancers.is_empty() {
            parts.push(format!("{} of balancers changed", text::count(balancers.len(), "part")));
        }
        if objects > 0 {
            parts.push(format!("{} changed", text::count(objects, "object")));
        }
        out.push_str(&format!("- {} ({}): {}\n", code(name), prose(format), parts.join(", ")));
    }
    if changed.len() > FIRST.1 {
        out.push_str(&format!("- {} of {} changed configurations shown here\n", FIRST.1, changed.len()));
    }
    out
}

fn detail(entry: &Entry<'_>, report: &Report, sources: &SourceMap) -> String {
    let name = entry.name.map(|name| format!(" ({name})")).unwrap_or_default();
    let title = format!("{}: {}{name} at {}:{}", entry.word, entry.rule, entry.place.path, entry.place.line);
    let shown = match entry.what {
        What::Finding(finding) => text::finding(finding, report.base.is_none(), sources),
        What::Doubt(doubt) => text::open(std::slice::from_ref(doubt), &[], sources),
        What::Gap(gap) => text::open(&[], std::slice::from_ref(gap), sources),
    };
    folded(&title, &shown, false)
}

fn difference(configuration: &ConfigurationReport, sources: &SourceMap) -> String {
    folded(
        &format!("what the change does to {}", configuration.name),
        &text::configuration(configuration, sources),
        false,
    )
}

fn folded(title: &str, shown: &str, open: bool) -> String {
    let open = if open { " open" } else { "" };
    let title = summary(&cut(title, LINE));
    format!(
        "<details{open}><summary>{title}</summary>\n\n{}\n</details>\n",
        block(&cut(shown.trim_matches('\n'), DETAIL))
    )
}

fn end(report: &Report) -> String {
    let side = |Origin { source, revision }: &Origin| match revision {
        Some(revision) => format!("{} {}", prose(source), code(revision)),
        None if source.is_empty() => "unknown".to_owned(),
        None => prose(source),
    };
    let policy = match &report.policy {
        Some(policy) => format!("policy {}", code(&policy.path)),
        None => "no policy".to_owned(),
    };
    let pretended = report.pretended.as_ref().map(|at| format!("; judged as if it were {at}, which opens nothing"));
    let pretended = pretended.unwrap_or_default();
    let note = told_to_strangers(report).map(|note| format!("\n{}\n", prose(&note))).unwrap_or_default();
    format!("base: {}; head: {}; {policy}{pretended}\n{note}", side(&report.base), side(&report.head))
}

/// As many details as there is room for, and how many that are.
fn fitted(top: &str, details: &[String], end: &str) -> String {
    let length = |text: &str| text.encode_utf16().count();
    let mut room = (COMMENT - SPARE).saturating_sub(length(top) + length(end) + 128);
    let mut out = top.to_owned();
    out.push('\n');
    let mut shown = 0;
    for detail in details {
        let Some(left) = room.checked_sub(length(detail)) else { break };
        out.push_str(detail);
        (room, shown) = (left, shown + 1);
    }
    if shown < details.len() {
        out.push_str(&format!("\n{shown} of {} details shown: the JSON report has all\n", details.len()));
    }
    out.push('\n');
    out.push_str(end);
    out
}
