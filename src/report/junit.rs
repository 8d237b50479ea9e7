//! JUnit's XML, which most CI systems read: a test case for the decision, and one for each check and file that has
//! something to say; for `test` one for each expectation.

use super::entries::{Entry, Gravity, What, entries};
use super::escaping::{cut, markup, plain};
use super::{counts, told_to_strangers, word};
use crate::decision::{ExpectationReport, FindingReport, Outcome, Report};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// How many characters of the text of one test case are written.
const TEXT: usize = 20_000;

/// The report as a suite.
#[must_use]
pub fn render(report: &Report) -> String {
    let entries = entries(report);
    let mut cases: BTreeMap<(&str, &str), Vec<&Entry<'_>>> = BTreeMap::new();
    for entry in &entries {
        // What stands against an expectation is told where that is.
        if expected(entry, report).is_none() {
            cases.entry((entry.rule, &entry.place.path)).or_default().push(entry);
        }
    }
    let mut body = String::new();
    let (mut failures, mut errors, mut skipped) = (0, 0, 0);
    let counts = markup(&counts(report));
    let open = "  <testcase classname=\"portcullis\" name=\"decision\" time=\"0\"";
    let written = match report.decision {
        Outcome::Pass => writeln!(body, "  {open}/>"),
        Outcome::NeedsApproval | Outcome::Blocked => {
            failures += 1;
            let word = word(report.decision).to_lowercase();
            writeln!(body, "  {open}>\n      <failure message=\"{word}: {counts}\" type=\"{word}\"/>\n    </testcase>")
        }
        Outcome::Undecided | Outcome::PolicyError => {
            errors += 1;
            let word = word(report.decision).to_lowercase();
            writeln!(body, "  {open}>\n      <error message=\"{word}: {counts}\" type=\"{word}\"/>\n    </testcase>")
        }
    };
    written.expect("writing to a String");
    let mut opened: Vec<(String, Vec<&Entry<'_>>)> = Vec::new();
    for (n, expectation) in report.expectations.iter().flatten().enumerate() {
        let ExpectationReport { name, location, outcome: _ } = expectation;
        let path = plain(&location.path);
        let place = format!("{path}:{}", location.line);
        let name = name.as_ref().map_or_else(|| place.clone(), |name| format!("{} ({place})", plain(name)));
        let (name, path) = (markup(&name), markup(&path));
        let open = format!(
            "    <testcase classname=\"expected-flows\" name=\"{name}\" file=\"{path}\" line=\"{}\" time=\"0\"",
            location.line
        );
        opened.push((open, entries.iter().filter(|entry| expected(entry, report) == Some(n)).collect()));
    }
    for ((rule, path), entries) in &cases {
        let (rule, path) = (markup(rule), markup(path));
        let open = format!("    <testcase classname=\"{rule}\" name=\"{path}\" file=\"{path}\" time=\"0\"");
        opened.push((open, entries.clone()));
    }
    for (open, entries) in &opened {
        if entries.is_empty() {
            body.push_str(&format!("{open}/>\n"));
            continue;
        }
        body.push_str(&format!("{open}>\n"));
        let gravest = entries.iter().min_by_key(|entry| entry.gravity);
        let Some(Entry { gravity, word, message, .. }) = gravest else { continue };
        let message = markup(&cut(message, TEXT));
        let text = markup_lines(&cut(&entries.iter().map(|entry| text(entry)).collect::<String>(), TEXT));
        match gravity {
            Gravity::Blocks | Gravity::Asks => {
                failures += 1;
                writeln!(body, "      <failure message=\"{message}\" type=\"{word}\">{text}</failure>")
            }
            Gravity::Open => {
                errors += 1;
                writeln!(body, "      <error message=\"{message}\" type=\"{word}\">{text}</error>")
            }
            Gravity::Notes => {
                skipped += 1;
                writeln!(body, "      <skipped message=\"{word}: {message}\"/>\n      <system-out>{text}</system-out>")
            }
            Gravity::Warns => writeln!(body, "      <system-out>{text}</system-out>"),
        }
        .expect("writing to a String");
        body.push_str("    </testcase>\n");
    }
    let note = told_to_strangers(report).map(|note| format!("    <system-out>{}</system-out>\n", markup(&note)));
    let note = note.unwrap_or_default();
    let tests = opened.len() + 1;
    let numbers = format!("tests=\"{tests}\" failures=\"{failures}\" errors=\"{errors}\"");
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"portcullis\" {numbers} time=\"0\">\n  \
         <testsuite name=\"portcullis\" {numbers} skipped=\"{skipped}\" time=\"0\">\n{body}{note}  </testsuite>\n</testsuites>\n"
    )
}

/// Which of the expectations an entry stands against.
fn expected(entry: &Entry<'_>, report: &Report) -> Option<usize> {
    let place = match entry.what {
        What::Finding(finding) => finding.policy_location.as_ref(),
        What::Doubt(doubt) => doubt.policy_location.as_ref(),
        What::Gap(_) => None,
    };
    report.expectations.iter().flatten().position(|expectation| expectation.holds(place))
}

/// Lines that are escaped one by one.
fn markup_lines(text: &str) -> String {
    text.split('\n').map(markup).collect::<Vec<_>>().join("\n")
}

fn text(entry: &Entry<'_>) -> String {
    let Entry { word, rule, name, message, help, place, others, .. } = entry;
    let name = name.map(|name| format!(" ({name})")).unwrap_or_default();
    let mut out = format!("{word} {rule}{name}: {message}\n  at {}:{}:{}\n", place.path, place.line, place.column);
    if let What::Finding(FindingReport { witness: Some(witness), .. }) = entry.what {
        out.push_str(&format!("  packet {}\n", super::escaping::plain(&witness.packet)));
    }
    for (what, place) in others {
        out.push_str(&format!("  {what} {}:{}:{}\n", place.path, place.line, place.column));
    }
    if !help.is_empty() {
        out.push_str(&format!("  to do: {help}\n"));
    }
    out
}
