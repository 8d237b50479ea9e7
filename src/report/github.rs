//! Commands to GitHub's runner that annotate the lines of a change
//! (<https://docs.github.com/actions/reference/workflow-commands-for-github-actions>).

use super::entries::{Entry, What, entries};
use super::escaping::{command_data, command_property, cut, plain};
use super::{counts, told_to_strangers, word};
use crate::decision::{FindingReport, Report};

/// How many annotations of one kind the runner takes of a step.
pub const ANNOTATIONS: usize = 10;
/// How many characters of a message the runner takes.
pub const MESSAGE: usize = 4_096;

/// Annotations, the gravest first. Where there are more than the runner takes, the last one of its kind says so.
#[must_use]
pub fn render(report: &Report) -> String {
    let entries = entries(report);
    let mut out = String::new();
    let mut shown = 0;
    for kind in ["error", "warning", "notice"] {
        let of_kind: Vec<&Entry<'_>> = entries.iter().filter(|entry| command(entry) == kind).collect();
        let fits = if of_kind.len() > ANNOTATIONS { ANNOTATIONS - 1 } else { of_kind.len() };
        for entry in of_kind.iter().take(fits) {
            annotation(&mut out, kind, entry);
        }
        if of_kind.len() > fits {
            let more =
                format!("{fits} of {} shown: the summary of the job and the JSON report have all", of_kind.len());
            out.push_str(&format!("::{kind} title=portcullis::{}\n", command_data(&more)));
        }
        shown += fits;
    }
    let counts = counts(report);
    if let Some(note) = told_to_strangers(report) {
        out.push_str(&format!("portcullis: {}\n", plain(&note)));
    }
    out.push_str(&format!("portcullis: {}: {counts}; {shown} of {} annotated\n", word(report.decision), entries.len()));
    out
}

fn command(entry: &Entry<'_>) -> &'static str {
    match entry.gravity.level() {
        "note" => "notice",
        level => level,
    }
}

fn annotation(out: &mut String, kind: &str, entry: &Entry<'_>) {
    let name = entry.name.map(|name| format!(" ({name})")).unwrap_or_default();
    let place = &entry.place;
    let mut properties = vec![
        ("file", place.path.clone()),
        ("line", place.line.to_string()),
        ("title", format!("{}: {}{name}", entry.word, entry.rule)),
    ];
    if let Some((line, column)) = place.end {
        properties.push(("endLine", line.to_string()));
        // The runner takes columns only where a place is within one line.
        if line == place.line {
            properties.push(("col", place.column.to_string()));
            properties.push(("endColumn", column.to_string()));
        }
    }
    let property = |(name, value): &(&str, String)| format!("{name}={}", command_property(value));
    let properties: Vec<String> = properties.iter().map(property).collect();
    let text = cut(&text(entry), MESSAGE);
    out.push_str(&format!("::{kind} {}::{}\n", properties.join(","), command_data(&text)));
}

fn text(entry: &Entry<'_>) -> String {
    let mut out = entry.message.clone();
    if let What::Finding(FindingReport { witness: Some(witness), .. }) = entry.what {
        out.push_str(&format!("\npacket: {}", plain(&witness.packet)));
    }
    for (what, place) in &entry.others {
        out.push_str(&format!("\n{what}: {}:{}", place.path, place.line));
    }
    if !entry.help.is_empty() {
        out.push_str(&format!("\nto do: {}", entry.help));
    }
    out
}
