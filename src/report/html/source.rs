//! Lines of files, with what they are shown for marked.

use crate::report::escaping::markup;
use crate::text::{SourceMap, Span, beginning, escape};
use std::fmt::Write as _;

/// How many lines are shown before and after.
const AROUND: usize = 2;
/// How many characters of a line are shown before, within and after what is marked.
const WIDTHS: (usize, usize, usize) = (160, 400, 160);

/// The line of a span, marked, with its neighbours.
pub(super) fn excerpt(sources: &SourceMap, span: Span) -> String {
    let place = sources.locate(span);
    let (start, line) = sources.line_of(span);
    let mut before: Vec<String> = Vec::new();
    let mut at = start;
    while before.len() < AROUND && at > 0 {
        let end = at - 1;
        let (from, text) = sources.line_of(Span { source: span.source, start: end, end });
        before.push(beginning(&shown(&text), WIDTHS.1));
        at = from;
    }
    before.reverse();
    let mut out = String::from("<pre>");
    let mut number = place.line - u32::try_from(before.len()).expect("two at most");
    for text in before {
        row(&mut out, number, &markup(&text));
        number += 1;
    }
    let within = |offset: u32| (offset.saturating_sub(start) as usize).min(line.len());
    let (from, to) = (within(span.start), within(span.end).max(within(span.start)));
    let part = |from: usize, to: usize| shown(line.get(from..to).unwrap_or_default());
    let (left, middle, right) = (part(0, from), part(from, to), part(to, line.len()));
    let marked = format!(
        "{}<mark>{}</mark>{}",
        markup(&cut_start(&left, WIDTHS.0)),
        markup(&beginning(&middle, WIDTHS.1)),
        markup(&beginning(&right, WIDTHS.2)),
    );
    row(&mut out, number, &marked);
    for text in after(sources, span, start) {
        number += 1;
        row(&mut out, number, &markup(&beginning(&text, WIDTHS.1)));
    }
    out.push_str("</pre>");
    out
}

fn after(sources: &SourceMap, span: Span, start: u32) -> Vec<String> {
    let bytes = sources.bytes(span.source);
    let mut out = Vec::new();
    let mut at = start as usize;
    while out.len() < AROUND {
        let Some(end) = memchr::memchr(b'\n', bytes.get(at..).unwrap_or_default()) else { break };
        at += end + 1;
        if at >= bytes.len() {
            break;
        }
        let begin = u32::try_from(at).expect("sources are smaller than 4 GiB");
        let (_, text) = sources.line_of(Span { source: span.source, start: begin, end: begin });
        out.push(shown(&text));
    }
    out
}

fn row(out: &mut String, number: u32, line: &str) {
    writeln!(out, "<i>{number:>5}</i> {line}").expect("writing to a String");
}

/// A line, escaped; tabs are blanks.
fn shown(line: &[u8]) -> String {
    line.split(|byte| *byte == b'\t').map(escape).collect::<Vec<_>>().join("    ")
}

fn cut_start(text: &str, most: usize) -> String {
    let length = text.chars().count();
    if length <= most {
        return text.to_owned();
    }
    format!("…{}", text.chars().skip(length - most).collect::<String>())
}
