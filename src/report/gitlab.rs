//! GitLab's code quality report (<https://docs.gitlab.com/ci/testing/code_quality/#code-quality-report-format>).

use super::entries::{Entry, Gravity, entries};
use super::escaping::cut;
use super::json::pretty;
use crate::decision::Report;
use serde_json::{Value, json};

/// How many characters of a description are written.
const DESCRIPTION: usize = 4_000;

/// Every entry as an issue. GitLab shows those once that have the same fingerprint; no two have.
#[must_use]
pub fn render(report: &Report) -> String {
    let issues: Vec<Value> = entries(report).iter().map(issue).collect();
    pretty(&issues)
}

fn issue(entry: &Entry<'_>) -> Value {
    let severity = match entry.gravity {
        Gravity::Blocks => "blocker",
        Gravity::Open => "critical",
        Gravity::Asks => "major",
        Gravity::Warns => "minor",
        Gravity::Notes => "info",
    };
    let help = if entry.help.is_empty() { String::new() } else { format!("; to do: {}", entry.help) };
    let description = format!("{}: {}{help}", entry.word, entry.message);
    json!({
        "description": cut(&description, DESCRIPTION),
        "check_name": entry.rule,
        "fingerprint": entry.fingerprint,
        "severity": severity,
        "location": {"path": relative(&entry.place.path), "lines": {"begin": entry.place.line}},
    })
}

/// GitLab wants paths from the root of the repository, as they are.
fn relative(path: &str) -> &str {
    path.trim_start_matches("./").trim_start_matches('/')
}
