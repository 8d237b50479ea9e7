//! Findings, what was not answered, and gaps: each with what the sides say.

use super::source::excerpt;
use crate::decision::{
    Answer, AnswerReport, Approvals, FindingReport, NotCounted, RequestReport, RouteReport, WitnessReport,
};
use crate::report::entries::{Entry, Gravity, Place, What};
use crate::report::escaping::markup;
use crate::report::supposing;
use crate::report::text::chains;
use crate::text::{SourceMap, Span};
use std::collections::BTreeSet;
use std::fmt::Write as _;

pub(super) const fn class(gravity: Gravity) -> &'static str {
    match gravity {
        Gravity::Blocks => "blocks",
        Gravity::Open => "open",
        Gravity::Asks => "asks",
        Gravity::Warns => "warns",
        Gravity::Notes => "notes",
    }
}

/// A message; what stands between backticks is code.
pub(super) fn message(text: &str) -> String {
    let parts: Vec<&str> = text.split('`').collect();
    if parts.len().is_multiple_of(2) {
        return markup(text);
    }
    let part = |(n, part): (usize, &&str)| match n % 2 {
        0 => markup(part),
        _ => format!("<code>{}</code>", markup(part)),
    };
    parts.iter().enumerate().map(part).collect()
}

pub(super) fn entry(number: usize, entry: &Entry<'_>, sources: &SourceMap) -> String {
    let Entry { gravity, word, rule, name, message: text, help, place, others, fingerprint, what } = entry;
    let class = class(*gravity);
    let name = name.map(|name| format!(" <small>{}</small>", markup(name))).unwrap_or_default();
    let mut out = format!(
        "<article id=\"f{number}\" class=\"{class}\">\n<h3><span class=\"badge {class}\">{word}</span> {}{name}</h3>\n<p>{}</p>\n",
        markup(rule),
        message(text),
    );
    let mut shown = BTreeSet::new();
    if let What::Finding(finding) = what {
        self::finding(&mut out, finding, sources, &mut shown);
    }
    let mut boxes = String::new();
    let side = crate::report::entries::side(place.side).to_owned();
    for (label, place) in [(side, place.clone())].iter().chain(others) {
        let Some(span) = place.span.filter(|span| shown.insert(*span)) else { continue };
        let Place { path, line, .. } = place;
        figure(&mut boxes, label, "", &format!("{path}:{line}"), Some(span), sources);
    }
    if !boxes.is_empty() {
        writeln!(out, "<div class=\"sides\">\n{boxes}</div>").expect("writing to a String");
    }
    if !help.is_empty() {
        writeln!(out, "<p class=\"todo\"><b>to do</b> {}</p>", message(help)).expect("writing to a String");
    }
    writeln!(out, "<p class=\"print\">fingerprint {fingerprint}</p>\n</article>").expect("writing to a String");
    out
}

fn finding(out: &mut String, finding: &FindingReport, sources: &SourceMap, shown: &mut BTreeSet<Span>) {
    let FindingReport { witness, request, flow, approvals, waiver, .. } = finding;
    if let Some(flow) = flow.as_ref().filter(|_| witness.is_none()) {
        writeln!(out, "<p><b>flow</b> <code>{}</code></p>", markup(flow)).expect("writing to a String");
    }
    if let Some(WitnessReport { packet, assumed, base, head }) = witness {
        let assumed = supposing(assumed);
        let packet = markup(&format!("{packet}{assumed}"));
        writeln!(out, "<p><b>packet</b> <code>{packet}</code></p>\n<div class=\"sides\">")
            .expect("writing to a String");
        if let Some(base) = base {
            answer(out, "base", base, sources, shown);
        }
        answer(out, "head", head, sources, shown);
        out.push_str("</div>\n");
    }
    if let Some(request) = request {
        self::request(out, request, sources, shown);
    }
    let Approvals { needed, have, not_counted, missing } = approvals;
    for (label, list) in [("needs", needed), ("has", have), ("lacks", missing)] {
        if !list.is_empty() {
            writeln!(out, "<p><b>{label}</b> {}</p>", markup(&list.join(", "))).expect("writing to a String");
        }
    }
    for NotCounted { who, why } in not_counted {
        writeln!(out, "<p>{} does not count: {}</p>", markup(who), markup(why)).expect("writing to a String");
    }
    if let Some(waiver) = waiver {
        writeln!(out, "<p><b>waived</b> {}</p>", markup(waiver)).expect("writing to a String");
    }
}

fn answer(out: &mut String, side: &str, answer: &AnswerReport, sources: &SourceMap, shown: &mut BTreeSet<Span>) {
    let AnswerReport { answer, path, line, column: _, chains: names, span } = answer;
    let verb = match answer {
        Answer::Allow => "allows it",
        Answer::Deny => "denies it",
    };
    let place = match (path, line) {
        (Some(path), Some(line)) => format!("{path}:{line}  {}", chains(names)),
        (_, _) => "nothing there decides it".to_owned(),
    };
    shown.extend(span);
    figure(out, side, verb, place.trim_end(), *span, sources);
}

fn request(out: &mut String, request: &RequestReport, sources: &SourceMap, shown: &mut BTreeSet<Span>) {
    let RequestReport { requests, kinds, effect: _, certainty: _, witness, assumed, base, head } = request;
    let assumed = supposing(assumed);
    writeln!(out, "<p><b>request</b> <code>{}</code></p>", markup(&format!("{witness}{assumed}")))
        .expect("writing to a String");
    let first: Vec<String> = requests.iter().take(6).map(|text| format!("<code>{}</code>", markup(text))).collect();
    writeln!(out, "<p>{} of {kinds} kinds: {}</p>\n<div class=\"sides\">", first.len(), first.join(", "))
        .expect("writing to a String");
    for (side, RouteReport { outcome, location }) in [("base", base), ("head", head)] {
        let place = location.as_ref().map(|l| format!("{}:{}", l.path, l.line)).unwrap_or_default();
        let span = location.as_ref().and_then(|location| location.span);
        shown.extend(span);
        figure(out, side, outcome, &place, span, sources);
    }
    out.push_str("</div>\n");
}

fn figure(out: &mut String, label: &str, verb: &str, place: &str, span: Option<Span>, sources: &SourceMap) {
    let excerpt = span.map(|span| excerpt(sources, span)).unwrap_or_default();
    let verb = if verb.is_empty() { String::new() } else { format!(" <b>{}</b>", markup(verb)) };
    writeln!(
        out,
        "<figure><figcaption><span class=\"side\">{}</span>{verb} <code>{}</code></figcaption>{excerpt}</figure>",
        markup(label),
        markup(place),
    )
    .expect("writing to a String");
}
