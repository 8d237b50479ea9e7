//! One page that shows everything and needs nothing: no network, no script. Decision, differences as pictures, every
//! finding with its source on both sides. What was in the input is text in it and nothing else.

mod findings;
mod graph;
mod matrix;
mod source;

use super::entries::{Entry, entries};
use super::escaping::markup;
use super::{counts, how_much, text, told_to_strangers, word};
use crate::decision::{
    ChangeKind, Comparison, ConfigurationReport, DoubtReport, FindingReport, GapReport, ObjectReport, Origin, Outcome,
    Report,
};
use crate::text::SourceMap;
use std::fmt::Write as _;

const STYLE: &str = include_str!("style.css");
/// How many objects of one kind of change are listed.
const OBJECTS: usize = 50;
/// How many findings are written out; a page with more is slow.
const FINDINGS: usize = 500;

/// The report of a check.
#[must_use]
pub fn render(report: &Report, sources: &SourceMap) -> String {
    let entries = entries(report);
    let class = match report.decision {
        Outcome::Pass => "pass",
        Outcome::NeedsApproval => "asks",
        Outcome::Blocked | Outcome::PolicyError => "blocks",
        Outcome::Undecided => "open",
    };
    let word = word(report.decision);
    let policy = report.policy.as_ref().map_or_else(|| "none".to_owned(), |policy| policy.path.clone());
    let mut body = head(class, word, &counts(report), &report.base, &report.head, Some(&policy));
    if let Some(note) = told_to_strangers(report) {
        writeln!(body, "<section><p>{}</p></section>", findings::message(&note)).expect("writing to a String");
    }
    body.push_str(&list(&entries));
    if !report.base.is_none() {
        body.push_str(&differences(&report.configurations, &report.findings, sources));
    }
    if !entries.is_empty() {
        body.push_str("<section><h2>Why</h2>\n");
        for (number, entry) in entries.iter().take(FINDINGS).enumerate() {
            body.push_str(&findings::entry(number, entry, sources));
        }
        if entries.len() > FINDINGS {
            writeln!(body, "<p>{FINDINGS} of {} written out: the JSON report has all</p>", entries.len())
                .expect("writing to a String");
        }
        body.push_str("</section>\n");
    }
    page(&format!("Portcullis: {}", word.to_lowercase()), &body)
}

/// A difference without a policy.
#[must_use]
pub fn render_comparison(comparison: &Comparison, sources: &SourceMap) -> String {
    let Comparison { version: _, base, head, configurations, gaps, doubts, stats: _ } = comparison;
    let open = !gaps.is_empty() || !doubts.is_empty();
    let changed = configurations.iter().any(text::differs);
    let (class, word) = match (open, changed) {
        (true, _) => ("open", "UNDECIDED"),
        (false, true) => ("asks", "DIFFERENT"),
        (false, false) => ("pass", "EQUAL"),
    };
    let mut body = self::head(class, word, &text::headline(comparison), base, head, None);
    body.push_str(&unanswered(doubts, gaps, sources));
    body.push_str(&differences(configurations, &[], sources));
    page("Portcullis: difference", &body)
}

fn page(title: &str, body: &str) -> String {
    let title = markup(title);
    let version = env!("CARGO_PKG_VERSION");
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <meta name=\"referrer\" content=\"no-referrer\">\n<title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n\
         <body>\n{body}<footer>portcullis {version}</footer>\n</body>\n</html>\n"
    )
}

fn head(class: &str, word: &str, counts: &str, base: &Origin, head: &Origin, policy: Option<&str>) -> String {
    let side = |Origin { source, revision }: &Origin| match revision {
        Some(revision) => format!("{} <code>{}</code>", markup(source), markup(revision)),
        None if source.is_empty() => "unknown".to_owned(),
        None => markup(source),
    };
    let mut facts = String::new();
    if !base.is_none() {
        facts.push_str(&format!("<dt>base</dt><dd>{}</dd>", side(base)));
    }
    facts.push_str(&format!("<dt>head</dt><dd>{}</dd>", side(head)));
    if let Some(policy) = policy {
        facts.push_str(&format!("<dt>policy</dt><dd><code>{}</code></dd>", markup(policy)));
    }
    let counts = markup(counts);
    format!("<header class=\"{class}\">\n<h1>{word}</h1>\n<p>{counts}</p>\n<dl>{facts}</dl>\n</header>\n")
}

/// Everything that stands against the change, a line each.
fn list(entries: &[Entry<'_>]) -> String {
    if entries.is_empty() {
        return String::new();
    }
    let mut out = String::from("<section><ol class=\"list\">\n");
    for (number, entry) in entries.iter().take(FINDINGS).enumerate() {
        let Entry { word, rule, message, place, .. } = entry;
        let class = findings::class(entry.gravity);
        let place = markup(&format!("{}:{}", place.path, place.line));
        writeln!(
            out,
            "<li><span class=\"badge {class}\">{word}</span> <a href=\"#f{number}\">{}</a> {} <code>{place}</code></li>",
            markup(rule),
            findings::message(message),
        )
        .expect("writing to a String");
    }
    out.push_str("</ol></section>\n");
    out
}

fn differences(configurations: &[ConfigurationReport], findings: &[FindingReport], sources: &SourceMap) -> String {
    let mut out = String::from("<section><h2>What the change does</h2>\n");
    let (mut equivalent, mut unchanged) = (Vec::new(), 0);
    for configuration in configurations {
        match configuration.change {
            ChangeKind::Changed | ChangeKind::Added | ChangeKind::Removed => {
                out.push_str(&self::configuration(configuration, findings, sources));
            }
            ChangeKind::Equivalent => equivalent.push(markup(&configuration.name)),
            ChangeKind::Unchanged => unchanged += 1,
        }
    }
    if !equivalent.is_empty() {
        let names = equivalent.join("</code>, <code>");
        writeln!(out, "<p>no semantic change, proved: <code>{names}</code></p>").expect("writing to a String");
    }
    if unchanged > 0 {
        writeln!(out, "<p>{} unchanged</p>", text::count(unchanged, "configuration")).expect("writing to a String");
    }
    if configurations.is_empty() {
        out.push_str("<p>nothing was compared</p>\n");
    }
    out.push_str("</section>\n");
    out
}

fn configuration(configuration: &ConfigurationReport, findings: &[FindingReport], sources: &SourceMap) -> String {
    let ConfigurationReport { name, format, change, filters, balancers, objects, withheld } = configuration;
    let fate = match change {
        ChangeKind::Changed => "changed",
        ChangeKind::Equivalent | ChangeKind::Unchanged => "the same",
        ChangeKind::Added => "added: compared with what its absence meant",
        ChangeKind::Removed => "removed: compared with what its absence means",
    };
    let mut out = format!("<h3>{} <small>{}, {fate}</small></h3>\n", markup(name), markup(format));
    if let Some(withheld) = withheld {
        writeln!(out, "<p>{}</p>", markup(&how_much(withheld))).expect("writing to a String");
    }
    for filter in filters {
        let of_filter = findings.iter().filter(|finding| finding.filter.as_deref() == Some(&filter.id));
        out.push_str(&matrix::filter(filter, of_filter, sources));
    }
    out.push_str(&graph::balancers(balancers));
    for (word, objects) in [("removed", &objects.removed), ("added", &objects.added), ("modified", &objects.modified)] {
        out.push_str(&self::objects(word, objects));
    }
    out
}

fn objects(word: &str, objects: &[ObjectReport]) -> String {
    if objects.is_empty() {
        return String::new();
    }
    let mut out = format!("<details><summary>{}: {}</summary>\n<ul>\n", word, text::count(objects.len(), "object"));
    for object in objects.iter().take(OBJECTS) {
        let ObjectReport { kind, address, base, head, uncomputed, elements } = object;
        let place = head.as_ref().or(base.as_ref());
        let place = place.map(|l| format!(" <code>{}:{}</code>", markup(&l.path), l.line)).unwrap_or_default();
        let note = uncomputed.as_ref().map(|note| format!(": {}", markup(note))).unwrap_or_default();
        let elements = elements
            .as_ref()
            .map(|elements| format!(": {} elements gone, {} new", elements.removed_total, elements.added_total));
        let elements = elements.unwrap_or_default();
        writeln!(out, "<li>{} <code>{}</code>{place}{note}{elements}</li>", markup(kind), markup(address))
            .expect("writing to a String");
    }
    if objects.len() > OBJECTS {
        writeln!(out, "<li>{OBJECTS} of {} shown</li>", objects.len()).expect("writing to a String");
    }
    out.push_str("</ul></details>\n");
    out
}

/// Why there is no full answer, where there is no list of entries.
fn unanswered(doubts: &[DoubtReport], gaps: &[GapReport], sources: &SourceMap) -> String {
    if doubts.is_empty() && gaps.is_empty() {
        return String::new();
    }
    let lines = text::open(doubts, gaps, sources);
    let lines: Vec<String> = lines.lines().map(markup).collect();
    format!("<section><h2>Not answered</h2>\n<pre>{}</pre></section>\n", lines.join("\n"))
}
