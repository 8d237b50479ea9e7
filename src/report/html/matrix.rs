//! What a filter newly allows and denies, as a table of sources and services.

use super::source::excerpt;
use crate::decision::{Answer, AnswerReport, Certainty, FilterReport, FindingReport, Location, WitnessReport};
use crate::report::escaping::markup;
use crate::report::text::count;
use crate::text::SourceMap;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// How many sources and services are drawn.
const ROWS: usize = 30;
const COLUMNS: usize = 16;
/// How many flows and lines are named of one cell.
const NAMED: usize = 4;
/// How many flows of one direction are listed below the table.
const LISTED: usize = 200;
/// How many lines that brought it about are shown, and up to how many at once.
const CAUSES: usize = 10;
const OPEN: usize = 4;

/// The flows from one source to one service.
#[derive(Default)]
struct Cell<'r> {
    opened: Vec<&'r str>,
    closed: Vec<&'r str>,
    witnesses: Vec<&'r WitnessReport>,
}

/// A filter that differs.
pub(super) fn filter<'r>(
    filter: &'r FilterReport,
    findings: impl Iterator<Item = &'r FindingReport>,
    sources: &SourceMap,
) -> String {
    let opened = (filter.newly_allowed_total, &filter.newly_allowed, &filter.newly_allowed_witness);
    let closed = (filter.newly_denied_total, &filter.newly_denied, &filter.newly_denied_witness);
    let mut out = format!(
        "<h4>{}</h4>\n<p><span class=\"sign opened\">+</span> {} newly open <span class=\"sign closed\">−</span> {} \
         newly closed</p>\n",
        markup(&filter.id),
        count(opened.0, "flow"),
        count(closed.0, "flow"),
    );
    if !filter.complete {
        out.push_str("<p>there is more than could be listed; the checks have looked at all of it</p>\n");
    }
    if filter.certainty == Certainty::Possible && opened.0 + closed.0 > 0 {
        out.push_str("<p>all of this depends on conditions that the file does not decide</p>\n");
    }
    let mut cells: BTreeMap<(usize, usize), Cell<'r>> = BTreeMap::new();
    let (mut rows, mut columns): (Vec<&str>, Vec<String>) = (Vec::new(), Vec::new());
    let mut hidden = 0;
    for (closes, (_, flows, _)) in [(true, closed), (false, opened)] {
        for flow in flows {
            let (source, service) = ends(flow);
            let row = index(&mut rows, source, ROWS);
            let column = index(&mut columns, service, COLUMNS);
            let (Some(row), Some(column)) = (row, column) else {
                hidden += 1;
                continue;
            };
            let cell = cells.entry((row, column)).or_default();
            if closes { cell.closed.push(flow) } else { cell.opened.push(flow) }
        }
    }
    let first =
        [closed, opened].into_iter().filter_map(|(_, flows, witness)| Some((flows.first()?, witness.as_ref()?)));
    let found = findings.filter_map(|finding| Some((finding.flow.as_ref()?, finding.witness.as_ref()?)));
    for (flow, witness) in first.chain(found) {
        let (source, service) = ends(flow);
        let at = (rows.iter().position(|row| *row == source), columns.iter().position(|column| *column == service));
        let (Some(row), Some(column)) = at else { continue };
        if let Some(cell) = cells.get_mut(&(row, column))
            && !cell.witnesses.iter().any(|known| known.packet == witness.packet)
        {
            cell.witnesses.push(witness);
        }
    }
    if !cells.is_empty() {
        table(&mut out, &rows, &columns, &cells, filter);
    }
    let undrawn = hidden + opened.0.saturating_sub(opened.1.len()) + closed.0.saturating_sub(closed.1.len());
    if undrawn > 0 {
        let all = opened.0 + closed.0;
        writeln!(
            out,
            "<p>{} of {} drawn; the JSON report has all that could be listed</p>",
            all - undrawn,
            count(all, "flow")
        )
        .expect("writing to a String");
    }
    for (word, class, (total, flows, _)) in [("newly closed", "closed", closed), ("newly open", "opened", opened)] {
        list(&mut out, word, class, total, flows);
    }
    causes(&mut out, filter, sources);
    out
}

/// Where a flow comes from, and which service it is to: `tcp any:22`.
fn ends(flow: &str) -> (&str, String) {
    let (from, to) = flow.split_once(" -> ").unwrap_or((flow, ""));
    let (protocol, source) = from.rsplit_once(' ').unwrap_or(("", from));
    let destination = to.split(' ').next().unwrap_or_default();
    (source, format!("{protocol} {destination}").trim().to_owned())
}

/// The place of a name in a list, which it joins where there is room.
fn index<T: PartialEq>(list: &mut Vec<T>, name: T, most: usize) -> Option<usize> {
    if let Some(at) = list.iter().position(|known| *known == name) {
        return Some(at);
    }
    if list.len() == most {
        return None;
    }
    list.push(name);
    Some(list.len() - 1)
}

fn table(
    out: &mut String,
    rows: &[&str],
    columns: &[String],
    cells: &BTreeMap<(usize, usize), Cell<'_>>,
    filter: &FilterReport,
) {
    out.push_str("<div class=\"wide\"><table>\n<thead><tr><td></td>");
    for column in columns {
        write!(out, "<th scope=\"col\">{}</th>", breakable(column)).expect("writing to a String");
    }
    out.push_str("</tr></thead>\n<tbody>\n");
    for (n, row) in rows.iter().enumerate() {
        write!(out, "<tr><th scope=\"row\">{}</th>", breakable(row)).expect("writing to a String");
        for m in 0..columns.len() {
            match cells.get(&(n, m)) {
                Some(cell) => self::cell(out, cell, filter),
                None => out.push_str("<td></td>"),
            }
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</tbody></table></div>\n");
}

/// A list of addresses may be broken at its commas.
fn breakable(text: &str) -> String {
    let short = crate::report::escaping::cut(text, 90);
    markup(&short).replace(',', ",<wbr>")
}

fn cell(out: &mut String, Cell { opened, closed, witnesses }: &Cell<'_>, filter: &FilterReport) {
    let class = match (opened.is_empty(), closed.is_empty()) {
        (true, _) => "closed",
        (false, true) => "opened",
        (false, false) => "both",
    };
    let mut sign = String::new();
    for (mark, flows) in [("−", closed), ("+", opened)] {
        match flows.len() {
            0 => {}
            1 => sign.push_str(mark),
            n => write!(sign, "{mark}{n} ").expect("writing to a String"),
        }
    }
    write!(out, "<td class=\"{class}\" tabindex=\"0\"><span>{}</span><div class=\"tip\">", sign.trim_end())
        .expect("writing to a String");
    for (word, flows) in [("newly closed", closed), ("newly open", opened)] {
        for flow in flows.iter().take(NAMED) {
            write!(out, "<p><b>{word}</b> <code>{}</code></p>", markup(flow)).expect("writing to a String");
        }
        if flows.len() > NAMED {
            write!(out, "<p>{NAMED} of {} shown</p>", flows.len()).expect("writing to a String");
        }
    }
    for WitnessReport { packet, assumed: _, base, head } in witnesses.iter().take(NAMED) {
        write!(out, "<p><b>packet</b> <code>{}</code></p>", markup(packet)).expect("writing to a String");
        for (side, answer) in base.iter().map(|base| ("base", base)).chain([("head", head)]) {
            write!(out, "<p>{side} {}</p>", markup(&said(answer))).expect("writing to a String");
        }
    }
    if witnesses.is_empty() {
        let lines = [("−", &filter.removed_rules), ("+", &filter.added_rules), ("~", &filter.moved_rules)];
        let lines = lines.iter().flat_map(|(sign, causes)| causes.locations.iter().map(move |at| (sign, at)));
        for (sign, Location { path, line, .. }) in lines.take(NAMED) {
            write!(out, "<p>{sign} <code>{}:{line}</code></p>", markup(path)).expect("writing to a String");
        }
    }
    out.push_str("</div></td>");
}

fn said(AnswerReport { answer, path, line, .. }: &AnswerReport) -> String {
    let verb = match answer {
        Answer::Allow => "allows it",
        Answer::Deny => "denies it",
    };
    match (path, line) {
        (Some(path), Some(line)) => format!("{verb}, {path}:{line}"),
        (_, _) => format!("{verb}: nothing there decides it"),
    }
}

fn list(out: &mut String, word: &str, class: &str, total: usize, flows: &[String]) {
    if total == 0 {
        return;
    }
    writeln!(out, "<details><summary>{word}: {}</summary>\n<ul class=\"{class}\">", count(total, "flow"))
        .expect("writing to a String");
    for flow in flows.iter().take(LISTED) {
        writeln!(out, "<li><code>{}</code></li>", markup(flow)).expect("writing to a String");
    }
    let shown = flows.len().min(LISTED);
    if total > shown {
        writeln!(out, "<li>{shown} of {total} shown</li>").expect("writing to a String");
    }
    out.push_str("</ul></details>\n");
}

fn causes(out: &mut String, filter: &FilterReport, sources: &SourceMap) {
    let all = [
        ("removed", "base", &filter.removed_rules),
        ("added", "head", &filter.added_rules),
        ("moved", "head", &filter.moved_rules),
    ];
    let total: usize = all.iter().map(|(_, _, causes)| causes.total).sum();
    if total == 0 {
        return;
    }
    let open = if total <= OPEN { " open" } else { "" };
    writeln!(out, "<details{open}><summary>brought about by {}</summary>\n<div class=\"sides\">", count(total, "rule"))
        .expect("writing to a String");
    for (word, side, causes) in all {
        for location in causes.locations.iter().take(CAUSES) {
            let shown = location.span.map(|span| excerpt(sources, span)).unwrap_or_default();
            writeln!(
                out,
                "<figure><figcaption><span class=\"side\">{side}</span> <b>{word}</b> <code>{}:{}</code></figcaption>{shown}</figure>",
                markup(&location.path),
                location.line
            )
            .expect("writing to a String");
        }
        let shown = causes.locations.len().min(CAUSES);
        if causes.total > shown {
            writeln!(out, "<p>{shown} of {} {word} rules shown</p>", causes.total).expect("writing to a String");
        }
    }
    out.push_str("</div></details>\n");
}

#[cfg(test)]
mod tests {
    use super::ends;

    #[test]
    fn a_flow_has_a_source_and_a_service() {
        assert_eq!(
            ends("tcp (10.0.0.1,10.0.0.2):80 -> any:22,443 new in not lo"),
            ("(10.0.0.1,10.0.0.2):80", "tcp any:22,443".to_owned())
        );
        assert_eq!(ends("any -> any"), ("any", "any".to_owned()));
    }
}
