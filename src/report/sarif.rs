//! SARIF 2.1.0, as GitHub's code scanning and others take it in
//! (<https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html>). Every finding, every question that was not
//! answered and every gap is a result; what is cut is counted.

use super::entries::{Entry, Gravity, Place, What, entries};
use super::escaping::{cut, message, uri};
use super::json::pretty;
use super::{told_to_strangers, word};
use crate::decision::{self, FindingReport, Report};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// How many results GitHub keeps of a run; the gravest come first.
const RESULTS: usize = 5_000;
/// How many characters of a message are written: with all results it stays below GitHub's 10 MB.
const MESSAGE: usize = 2_000;

/// The report as one run.
#[must_use]
pub fn render(report: &Report) -> String {
    let entries = entries(report);
    let shown = entries.get(..RESULTS.min(entries.len())).unwrap_or_default();
    let ids: BTreeSet<&str> = shown.iter().map(|entry| entry.rule).collect();
    let index = |rule: &str| ids.iter().position(|id| *id == rule);
    let results: Vec<Value> = shown.iter().map(|entry| result(entry, index(entry.rule))).collect();
    let count = format!("{} of {} results shown", shown.len(), entries.len());
    let mut notifications: Vec<Value> = match entries.len() > shown.len() {
        true => vec![json!({"level": "warning", "message": {"text": format!("{count}: the JSON report has all")}})],
        false => Vec::new(),
    };
    notifications
        .extend(told_to_strangers(report).map(|note| json!({"level": "note", "message": {"text": message(&note)}})));
    pretty(&json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "Portcullis",
                "version": env!("CARGO_PKG_VERSION"),
                "informationUri": env!("CARGO_PKG_REPOSITORY"),
                "rules": ids.iter().map(|id| rule(id)).collect::<Vec<_>>(),
            }},
            "columnKind": "unicodeCodePoints",
            "invocations": [{
                "executionSuccessful": true,
                "exitCodeDescription": word(report.decision).to_lowercase(),
                "toolExecutionNotifications": notifications,
            }],
            "results": results,
            "properties": {"decision": report.decision, "shown": shown.len(), "total": entries.len()},
        }],
    }))
}

fn rule(id: &str) -> Value {
    let summary = match id {
        "gap" => "input whose effect on packets or requests is not known",
        "not-answered" => "a question that could not be answered, so nothing may pass",
        _ => decision::summary(id).unwrap_or("a check of the policy"),
    };
    let help = format!("`portcullis explain {id}` says what it demands, why, and how it is set");
    let mut rule = json!({
        "id": id,
        "name": id,
        "shortDescription": {"text": message(summary)},
        "fullDescription": {"text": message(summary)},
        "help": {"text": message(summary)},
        "properties": {"tags": ["security"]},
    });
    if let (Some(_), Some(rule)) = (decision::summary(id), rule.as_object_mut()) {
        let page = format!("{}/blob/main/policies/{id}.md", env!("CARGO_PKG_REPOSITORY"));
        rule.insert("helpUri".to_owned(), json!(page));
        rule.insert("help".to_owned(), json!({"text": help}));
    }
    rule
}

fn result(entry: &Entry<'_>, index: Option<usize>) -> Value {
    let Entry { gravity, word, rule, name, message: _, help: _, place, others, fingerprint, what } = entry;
    let mut result = json!({
        "ruleId": rule,
        "level": gravity.level(),
        "message": {"text": cut(&text(entry), MESSAGE)},
        "locations": [{"physicalLocation": physical(place)}],
        "relatedLocations": others.iter().enumerate().map(|(n, (what, place))| json!({
            "id": n + 1,
            "message": {"text": message(what)},
            "physicalLocation": physical(place),
        })).collect::<Vec<_>>(),
        "partialFingerprints": {"primaryLocationLineHash": fingerprint, "portcullis/v1": fingerprint},
        "properties": {"outcome": word, "name": name.map(message)},
    });
    let Some(object) = result.as_object_mut() else { return result };
    if let Some(index) = index {
        object.insert("ruleIndex".to_owned(), json!(index));
    }
    if let (What::Finding(FindingReport { waiver, .. }), Gravity::Notes) = (what, gravity) {
        let why = message(waiver.as_deref().unwrap_or(word));
        object.insert("suppressions".to_owned(), json!([{"kind": "external", "justification": why}]));
    }
    result
}

/// What is wrong, a packet that shows it, and what to do.
fn text(entry: &Entry<'_>) -> String {
    let mut out = format!("{}: {}", entry.word, message(&entry.message));
    if let What::Finding(FindingReport { witness: Some(witness), .. }) = entry.what {
        out.push_str(&format!("\npacket: {}", message(&witness.packet)));
    }
    if let What::Finding(FindingReport { request: Some(request), .. }) = entry.what {
        out.push_str(&format!("\nrequest: {}", message(&request.witness)));
    }
    if !entry.help.is_empty() {
        out.push_str(&format!("\nto do: {}", message(&entry.help)));
    }
    out
}

fn physical(Place { side: _, path, line, column, end, span: _ }: &Place) -> Value {
    let mut region = json!({"startLine": line, "startColumn": column});
    if let (Some((line, column)), Some(region)) = (end, region.as_object_mut()) {
        region.insert("endLine".to_owned(), json!(line));
        region.insert("endColumn".to_owned(), json!(column));
    }
    json!({"artifactLocation": {"uri": uri(path), "uriBaseId": "%SRCROOT%"}, "region": region})
}
