//! A report on a part of the configurations, what stands in it so that it can be joined to the others, and the joining.

use super::join::{self, Piece};
use super::report::{
    AnswerReport, BalancerReport, Causes, ConfigurationReport, DoubtReport, FilterReport, FindingReport, GapReport,
    Location, ObjectReport, ObjectsReport, RelatedReport, Report, RequestReport, RouteReport, WitnessReport,
};
use super::{Cause, Decision, Doubt, made};
use crate::policy::Visibility;
use crate::text::{MAX_TEXT_BYTES, SourceId, SourceMap, Span, hex};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Which part of the configurations is judged, and of what.
#[derive(Debug, Clone)]
pub struct Part {
    /// Its number, from 1.
    pub number: usize,
    /// How many parts there are.
    pub of: usize,
    /// The SHA-256 of every text that was read, of all parts; `None`: they could not be read.
    pub subject: Option<String>,
    /// How much the policy wants to be told.
    pub visibility: Option<Visibility>,
}

/// Which part of the configurations a report is about, and what `merge` needs to join it to the others.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct ShardReport {
    /// Its number, from 1.
    pub number: usize,
    /// How many there are.
    pub of: usize,
    /// The version of the program.
    pub program: String,
    /// The SHA-256 of all texts of both sides, in hexadecimal: those of all parts. Null where they could not be read.
    pub subject: Option<String>,
    /// Whether the policy wants only little to be told to whoever reads reports; null where it does not say.
    pub minimal: Option<bool>,
    /// Where each of `findings` belongs among those of all parts.
    pub findings: Vec<Order>,
    /// The same for `doubts`.
    pub doubts: Vec<Order>,
    /// The lines that the report shows.
    pub texts: Vec<TextReport>,
    /// For each place in the report, in order, what it is of these texts; null: it stands for no text.
    pub spans: Vec<Option<SpanReport>>,
    /// The SHA-256, in hexadecimal, of this file as it is with nothing here: for files that were cut or edited by accident.
    /// Whoever can write files can write it.
    pub digest: String,
}

/// Where something belongs in a report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Order {
    /// What it is about.
    pub of: Matter,
    /// Which of the configured checks says it, from 0.
    pub entry: Option<usize>,
    /// The configuration that it is about; of a check, where that looks at one after the other.
    pub configuration: Option<String>,
    /// It says that a setting is about nothing, which holds only if every part says so.
    pub everywhere: bool,
}

/// What something in a report is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Matter {
    /// The whole run.
    Run,
    /// The difference of a configuration.
    Difference,
    /// What a check demands.
    Check,
    /// Something in a configuration whose effect is not computed.
    Uncomputed,
    /// That there are other parts.
    Part,
}

/// Some lines of a text.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct TextReport {
    /// The file.
    pub name: String,
    /// How many bytes it has.
    pub bytes: u32,
    /// The lines, in order.
    pub lines: Vec<LineReport>,
}

/// A line of a text, or what is needed of it.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct LineReport {
    /// Its number, from 1.
    pub number: u32,
    /// Where its line break is, or the end of the text.
    pub end: u32,
    /// Its parts, in order; the rest of a long line is left out.
    pub parts: Vec<PartText>,
}

/// Bytes of a text.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct PartText {
    /// Where the first of them is in the text.
    pub at: u32,
    /// The bytes, if they are UTF-8.
    pub text: Option<String>,
    /// Otherwise: the bytes in hexadecimal.
    pub hex: Option<String>,
}

/// Bytes of one of the texts: its number, the first byte, and one past the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SpanReport(pub usize, pub u32, pub u32);

impl ShardReport {
    /// Whether a finding, by its number, says that a setting is about nothing in this part.
    pub(super) fn is_everywhere(&self, finding: usize) -> bool {
        self.findings.get(finding).is_some_and(Order::is_everywhere)
    }
}

impl Order {
    /// The whole run.
    pub(super) const RUN: Self = Self { of: Matter::Run, entry: None, configuration: None, everywhere: false };

    /// The difference of a configuration, or what of it is not computed.
    pub(super) fn of(of: Matter, configuration: &str) -> Self {
        Self { of, configuration: Some(configuration.to_owned()), ..Self::RUN }
    }

    pub(super) fn is_everywhere(&self) -> bool {
        self.of == Matter::Check && self.everywhere
    }

    /// Whether it may stand in several parts, because it is about none of their configurations.
    pub(super) fn is_shared(&self) -> bool {
        self.of == Matter::Run || self.of == Matter::Check && (self.everywhere || self.configuration.is_none())
    }

    pub(super) fn key(&self) -> (Matter, Option<usize>, Option<&str>) {
        (self.of, self.entry, self.configuration.as_deref())
    }
}

/// The report of one part: of its own configurations and, in the pieces that follow, of what has to see all of them.
pub(super) fn report(pieces: Vec<Piece>, part: Part, sources: &SourceMap) -> Report {
    let mut pieces = pieces.into_iter();
    let own = pieces.next().expect("a part is of something");
    let all = std::iter::once(own).chain(pieces.map(Piece::said)).collect();
    let Piece { report, findings, mut doubts } = join::join(all, 1).expect("there is one");
    let mut report = report;
    let Part { number, of, subject, visibility } = part;
    report.doubts.push(DoubtReport {
        cause: Cause::Incomplete,
        check: None,
        message: format!("this is part {number} of {of}: the other configurations were not judged"),
        help: "`portcullis merge` joins the JSON reports of all parts into one, and decides".to_owned(),
        location: None,
        policy_location: None,
    });
    doubts.push(Order { of: Matter::Part, ..Order::RUN });
    let mut texts = Texts { sources, numbers: BTreeMap::new(), wanted: Vec::new() };
    let spans = places(&mut report).into_iter().map(|span| span.map(|span| texts.add(span))).collect();
    let shard = ShardReport {
        number,
        of,
        program: env!("CARGO_PKG_VERSION").to_owned(),
        subject,
        minimal: visibility.map(|visibility| visibility == Visibility::Minimal),
        findings,
        doubts,
        texts: texts.reports(),
        spans,
        digest: String::new(),
    };
    report.shard = Some(Box::new(shard));
    report
}

/// The whole that all parts make.
#[derive(Debug)]
pub struct Joined {
    /// The decision, on all configurations.
    pub decision: Decision,
    /// The lines that the report shows.
    pub sources: SourceMap,
    /// How much the policy wants to be told.
    pub visibility: Option<Visibility>,
}

/// Joins the reports of all parts, each with the name that it is called by, and decides.
///
/// # Errors
/// They are not all parts of one run, each once.
pub fn merge(reports: Vec<(String, Report)>) -> Result<Joined, Vec<Doubt>> {
    let doubt =
        |message: String, help: &str| Doubt { cause: Cause::Incomplete, message, help: help.to_owned(), at: None };
    let mut parts: BTreeMap<usize, (String, Report)> = BTreeMap::new();
    let mut doubts = Vec::new();
    for (name, report) in reports {
        let Some(shard) = &report.shard else {
            let help = "name the files that `portcullis check --shard k/n --output json=FILE` wrote";
            doubts.push(doubt(format!("`{name}` is not the report of a part"), help));
            continue;
        };
        let number = shard.number;
        if let Some((other, _)) = parts.get(&number) {
            let help = "name each part once, all of the same run";
            doubts.push(doubt(format!("`{other}` and `{name}` are both part {number}"), help));
            continue;
        }
        if let Some((other, first)) = parts.values().next() {
            let differs = differing(first, &report);
            if !differs.is_empty() {
                let message =
                    format!("`{other}` and `{name}` are not parts of one run: they differ in {}", differs.join(", "));
                doubts.push(doubt(message, "judge all parts again, of the same revisions and with the same program"));
            }
        }
        parts.insert(number, (name, report));
    }
    let of = parts.values().filter_map(|(_, report)| Some(report.shard.as_ref()?.of)).max().unwrap_or_default();
    let missing: Vec<String> = (1..=of).filter(|n| !parts.contains_key(n)).map(|n| n.to_string()).collect();
    if !missing.is_empty() {
        let message = format!("of {of} parts these are missing: {}", missing.join(", "));
        doubts.push(doubt(message, "wait for all jobs, and name every report; what is not judged cannot pass"));
    }
    if parts.is_empty() && doubts.is_empty() {
        doubts.push(doubt("there is no report to join".to_owned(), "name the reports of all parts"));
    }
    if !doubts.is_empty() {
        return Err(doubts);
    }
    let minimal = parts.values().find_map(|(_, report)| report.shard.as_ref()?.minimal);
    let visibility = minimal.map(|minimal| if minimal { Visibility::Minimal } else { Visibility::Full });
    let mut sources = SourceMap::default();
    let mut pieces = Vec::new();
    for (name, report) in parts.into_values() {
        let broken = || vec![doubt(format!("`{name}` does not fit together"), "judge this part again")];
        pieces.push(piece(report, &mut sources).ok_or_else(broken)?);
    }
    let whole = join::join(pieces, of).expect("there is a part");
    Ok(Joined { decision: made(join::report(whole)), sources, visibility })
}

/// In what two reports of one run may not differ, and do.
fn differing(a: &Report, b: &Report) -> Vec<&'static str> {
    let of = |report: &Report| report.shard.as_ref().map(|s| (s.of, s.program.clone(), s.subject.clone()));
    let ((n, program, subject), (m, other, others)) = (of(a).unwrap_or_default(), of(b).unwrap_or_default());
    let waivers = |report: &Report| report.waivers.iter().map(|waiver| waiver.id.clone()).collect::<Vec<_>>();
    let all = [
        (n == m, "how many parts there are"),
        (program == other && a.version == b.version, "the version of the program"),
        (a.base == b.base, "base"),
        (a.head == b.head, "head"),
        (a.policy == b.policy && waivers(a) == waivers(b), "the policy"),
        (subject == others, "the files that were read"),
        (a.pretended == b.pretended, "the time that was given"),
    ];
    all.into_iter().filter(|(same, _)| !same).map(|(_, what)| what).collect()
}

/// The report of a part as it was before it was written; `None`: it does not fit together.
fn piece(mut report: Report, sources: &mut SourceMap) -> Option<Piece> {
    let ShardReport { findings, mut doubts, texts, spans, of, number, .. } = *report.shard.take()?;
    let known: Option<Vec<SourceId>> = texts.into_iter().map(|text| text.restore(sources)).collect();
    let known = known?;
    let places = places(&mut report);
    if places.len() != spans.len() || !(1..=of).contains(&number) {
        return None;
    }
    for (place, span) in places.into_iter().zip(spans) {
        *place = match span {
            None => None,
            Some(SpanReport(text, start, end)) => Some(Span { source: *known.get(text)?, start, end }),
        };
    }
    // What says that there are others ends with them.
    let last = doubts.pop().filter(|order| order.of == Matter::Part);
    last.and(report.doubts.pop())?;
    (findings.len() == report.findings.len() && doubts.len() == report.doubts.len()).then_some(Piece {
        report,
        findings,
        doubts,
    })
}

/// So many bytes of a line are kept from its beginning, and before what is marked.
const KEPT: u32 = 2048;
/// So many lines before and after are kept.
const AROUND: usize = 2;

/// The texts that a report shows something of.
struct Texts<'s> {
    sources: &'s SourceMap,
    numbers: BTreeMap<SourceId, usize>,
    wanted: Vec<(SourceId, Vec<Span>)>,
}

impl Texts<'_> {
    fn add(&mut self, span: Span) -> SpanReport {
        let number = *self.numbers.entry(span.source).or_insert_with(|| {
            self.wanted.push((span.source, Vec::new()));
            self.wanted.len() - 1
        });
        if let Some((_, spans)) = self.wanted.get_mut(number) {
            spans.push(span);
        }
        SpanReport(number, span.start, span.end)
    }

    fn reports(self) -> Vec<TextReport> {
        let Self { sources, numbers: _, wanted } = self;
        wanted.into_iter().map(|(source, spans)| text(sources, source, &spans)).collect()
    }
}

/// A line of which something is shown: its number, its end and the ranges of the text that are wanted.
type Wanted = (u32, usize, Vec<(usize, usize)>);

/// The lines around some places of a text.
fn text(sources: &SourceMap, source: SourceId, spans: &[Span]) -> TextReport {
    let bytes = sources.bytes(source);
    let narrow = |n: usize| u32::try_from(n).expect("sources are smaller than 4 GiB");
    let end_of =
        |at: usize| bytes.get(at..).and_then(|rest| memchr::memchr(b'\n', rest)).map_or(bytes.len(), |n| at + n);
    // By where a line begins.
    let mut lines: BTreeMap<usize, Wanted> = BTreeMap::new();
    for span in spans {
        let number = sources.locate(*span).line;
        let main = sources.line_of(*span).0 as usize;
        let mut around = vec![(main, number)];
        let (mut at, mut before) = (main, number);
        for _ in 0..AROUND {
            if at == 0 {
                break;
            }
            at = bytes.get(..at - 1).and_then(|text| memchr::memrchr(b'\n', text)).map_or(0, |n| n + 1);
            before -= 1;
            around.push((at, before));
        }
        let mut at = main;
        for n in 1..=AROUND {
            at = end_of(at) + 1;
            if at >= bytes.len() {
                break;
            }
            around.push((at, number + narrow(n)));
        }
        for (start, number) in around {
            let end = end_of(start);
            let kept = KEPT as usize;
            let (_, _, ranges) = lines.entry(start).or_insert_with(|| (number, end, Vec::new()));
            ranges.push((start, end.min(start + kept)));
            if start == main {
                let from = (span.start as usize).saturating_sub(kept).clamp(start, end);
                ranges.push((
                    from,
                    (span.end as usize).min(span.start as usize + kept).saturating_add(kept).clamp(from, end),
                ));
            }
        }
    }
    let line = |(number, end, mut ranges): Wanted| {
        ranges.sort_unstable();
        let mut merged: Vec<(usize, usize)> = Vec::new();
        for (from, to) in ranges {
            match merged.last_mut() {
                Some((_, last)) if from <= *last => *last = to.max(*last),
                Some(_) | None => merged.push((from, to)),
            }
        }
        let part = |(from, to): (usize, usize)| {
            let shown = sources.printable(Span { source, start: narrow(from), end: narrow(to) });
            let at = narrow(from);
            match std::str::from_utf8(&shown) {
                Ok(text) => PartText { at, text: Some(text.to_owned()), hex: None },
                Err(_) => PartText { at, text: None, hex: Some(hex(&shown)) },
            }
        };
        LineReport { number, end: narrow(end), parts: merged.into_iter().map(part).collect() }
    };
    TextReport {
        name: sources.name(source).to_owned(),
        bytes: narrow(bytes.len()),
        lines: lines.into_values().map(line).collect(),
    }
}

impl TextReport {
    /// A text of that length in which these lines stand where they stood; `None`: they cannot.
    fn restore(self, sources: &mut SourceMap) -> Option<SourceId> {
        let Self { name, bytes, lines } = self;
        (bytes <= MAX_TEXT_BYTES).then_some(())?;
        let mut text: Vec<u8> = Vec::new();
        let mut next = 1;
        for LineReport { number, end, parts } in lines {
            // What is left out before it: as many line breaks as there were, where they do no harm.
            let breaks = usize::try_from(number.checked_sub(next)?).ok()?;
            let blank = usize::try_from(parts.first()?.at).ok()?.checked_sub(breaks)?;
            (text.len() <= blank && blank <= bytes as usize).then(|| text.resize(blank, b' '))?;
            text.resize(blank + breaks, b'\n');
            for PartText { at, text: plain, hex } in parts {
                let at = usize::try_from(at).ok()?;
                (text.len() <= at && at <= bytes as usize).then(|| text.resize(at, b' '))?;
                match (plain, hex) {
                    (Some(part), None) => text.extend(part.as_bytes()),
                    (None, Some(part)) => text.extend(unhex(&part)?),
                    (Some(_), Some(_)) | (None, None) => return None,
                }
            }
            let end = usize::try_from(end).ok()?;
            (text.len() <= end && end <= bytes as usize).then(|| text.resize(end, b' '))?;
            if end < bytes as usize {
                text.push(b'\n');
            }
            next = number.checked_add(1)?;
        }
        text.resize(bytes as usize, b' ');
        sources.add(name.as_bytes(), text).ok()
    }
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pairs = text.as_bytes().chunks(2);
    pairs.map(|pair| Some(digit(pair.first()?)? * 16 + digit(pair.get(1)?)?)).collect()
}

/// Every place in a report that may stand for bytes, in an order that depends on nothing but the report.
fn places(report: &mut Report) -> Vec<&mut Option<Span>> {
    let Report {
        version: _,
        decision: _,
        pretended: _,
        withheld: _,
        base: _,
        head: _,
        policy: _,
        configurations,
        findings,
        waivers: _,
        gaps,
        doubts,
        // Expectations are of `test`, which judges all at once.
        expectations: _,
        stats: _,
        shard: _,
    } = report;
    let mut out = Vec::new();
    for ConfigurationReport { name: _, format: _, change: _, filters, balancers, objects, withheld: _ } in
        configurations
    {
        for filter in filters {
            of_filter(filter, &mut out);
        }
        for BalancerReport { base, head, requests, .. } in balancers {
            out.extend([base, head].into_iter().flatten().map(of_location));
            requests.iter_mut().for_each(|request| of_request(request, &mut out));
        }
        let ObjectsReport { added, removed, modified } = objects;
        for ObjectReport { base, head, .. } in added.iter_mut().chain(removed).chain(modified) {
            out.extend([base, head].into_iter().flatten().map(of_location));
        }
    }
    for FindingReport { witness, request, location, related, policy_location, .. } in findings {
        witness.iter_mut().for_each(|witness| of_witness(witness, &mut out));
        request.iter_mut().for_each(|request| of_request(request, &mut out));
        out.extend(location.iter_mut().map(of_location));
        out.extend(related.iter_mut().map(|RelatedReport { what: _, location }| of_location(location)));
        out.extend(policy_location.iter_mut().map(of_location));
    }
    out.extend(gaps.iter_mut().map(|GapReport { location, .. }| of_location(location)));
    for DoubtReport { location, policy_location, .. } in doubts {
        out.extend([location, policy_location].into_iter().flatten().map(of_location));
    }
    out
}

fn of_filter<'r>(filter: &'r mut FilterReport, out: &mut Vec<&'r mut Option<Span>>) {
    let FilterReport { newly_allowed_witness, newly_denied_witness, removed_rules, added_rules, moved_rules, .. } =
        filter;
    for witness in [newly_allowed_witness, newly_denied_witness].into_iter().flatten() {
        of_witness(witness, out);
    }
    for Causes { total: _, locations } in [removed_rules, added_rules, moved_rules] {
        out.extend(locations.iter_mut().map(of_location));
    }
}

fn of_witness<'r>(witness: &'r mut WitnessReport, out: &mut Vec<&'r mut Option<Span>>) {
    let WitnessReport { packet: _, assumed: _, base, head } = witness;
    out.extend(base.iter_mut().chain([head]).map(|AnswerReport { span, .. }| span));
}

fn of_request<'r>(request: &'r mut RequestReport, out: &mut Vec<&'r mut Option<Span>>) {
    for RouteReport { outcome: _, location } in [&mut request.base, &mut request.head] {
        out.extend(location.iter_mut().map(of_location));
    }
}

const fn of_location(location: &mut Location) -> &mut Option<Span> {
    &mut location.span
}
