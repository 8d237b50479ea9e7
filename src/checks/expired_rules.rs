use super::{Check, Context, Report, declare_check, news, rules};
use crate::diff::Side;
use crate::facts::MissingFact;
use crate::model::Configuration;
use crate::policy::{Expression, Node, Read, Reader, is_over, keys};
use crate::text::{SourceMap, Span, escape};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use std::borrow::Cow;
use std::collections::BTreeSet;

declare_check! { id: "expired-rules", since: "0.1.0", level: Warn, settings: ExpiredRules, alone: Named }

/// Where a day stands if the policy does not say.
const USUAL: &str = r#"(?i)\bexpires?[ :=]+"?(?<date>[0-9A-Za-z:./+-]+)"#;
/// The group of an expression that is the day.
const DATE: &str = "date";

#[derive(Debug)]
struct ExpiredRules(Keys);

keys! {
    struct Keys {
        /// A regular expression with a group `date` that finds the last day on which a rule is to be there, in its comment,
        /// its text or its tags: `until (?<date>[0-9-]+)`. Default: what stands behind `expires` or `expire`.
        pattern: Option<Expression>,
    }
}

/// What says when it ends.
struct Ending<'c> {
    what: String,
    at: Span,
    line: Option<rules::Line<'c>>,
    days: BTreeSet<String>,
}

impl Check for ExpiredRules {
    fn run(&self, cx: &Context<'_>, report: &mut Report<'_>) -> Result<(), MissingFact> {
        let Self(Keys { pattern }) = self;
        let usual = Expression::new(USUAL).expect("it is well-formed");
        let pattern = pattern.as_ref().unwrap_or(&usual);
        for head in cx.change.head.configurations() {
            if !report.scope().touches(&head.name, cx) {
                continue;
            }
            for Ending { what, at, line, days } in endings(cx, head, pattern) {
                for day in days {
                    let shown = escape(day.as_bytes());
                    let now = cx.facts.now.ok_or_else(|| MissingFact {
                        what: "the present time".to_owned(),
                        help: format!("{what} expires on {shown}: set the clock of this machine"),
                    })?;
                    let (message, help) = match is_over(&day, now) {
                        Some(false) => continue,
                        Some(true) => (
                            format!("{what} expired on {shown}"),
                            "remove it; if it is still needed, have somebody decide until when, and write that day",
                        ),
                        None => (
                            format!("{what} says when it expires, and `{shown}` is no day"),
                            "write the last day on which it is to be there, as 2026-12-20",
                        ),
                    };
                    let finding = report.finding(message, help);
                    finding.configuration = Some(head.name.clone());
                    finding.location = Some((Side::Head, at));
                    finding.flow = line.as_ref().and_then(|line| news::packets(cx, line));
                }
            }
        }
        Ok(())
    }
}

/// The rules that say when they end, and then the objects that do, without what their rules say.
fn endings<'c>(cx: &Context<'c>, head: &'c Configuration, pattern: &Expression) -> Vec<Ending<'c>> {
    let store = &cx.change.store;
    let mut seen = BTreeSet::new();
    let mut out = Vec::new();
    for line in rules::lines(head).filter(|line| line.chain.declared != Some(line.origin)) {
        if !seen.insert(line.origin) {
            continue;
        }
        let comment = line.rules.iter().find_map(|rule| store.comment(*rule)).unwrap_or_default();
        let mut days = pattern.all(&String::from_utf8_lossy(comment), DATE);
        days.extend(pattern.all(&written(cx.sources, line.origin), DATE));
        if !days.is_empty() {
            let what = format!("a rule of `{}`", rules::address(head, &line, store));
            out.push(Ending { what, at: line.origin, line: Some(line), days });
        }
    }
    let of_rules = out.len();
    for object in &head.objects {
        let mut days = pattern.all(&written(cx.sources, object.origin), DATE);
        for rule in out.iter().take(of_rules).filter(|rule| encloses(object.origin, rule.at)) {
            days.retain(|day| !rule.days.contains(day));
        }
        if !days.is_empty() && seen.insert(object.origin) {
            let what = format!("the {} `{}/{}`", object.kind, head.name, escape(object.address.as_bytes()));
            out.push(Ending { what, at: object.origin, line: None, days });
        }
    }
    out
}

/// What stands there and on the rest of its last line, as it may be printed.
fn written(sources: &SourceMap, at: Span) -> String {
    let last = Span { start: at.end.max(at.start + 1) - 1, ..at };
    let (start, line) = sources.line_of(last);
    let rest = line.get((at.end.saturating_sub(start)) as usize..).unwrap_or_default();
    format!("{}{}", sources.show(at), String::from_utf8_lossy(rest))
}

fn encloses(outer: Span, inner: Span) -> bool {
    outer.source == inner.source && outer.start <= inner.start && inner.end <= outer.end
}

impl Read for ExpiredRules {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let keys = Keys::read(node, reader)?;
        if let Some(pattern) = keys.pattern.as_ref().filter(|pattern| !pattern.has_group(DATE)) {
            let message = format!("`{}` does not say which part of it is the day", pattern.text());
            reader.refuse(node.span, message, "put it into a group of that name: `until (?<date>[0-9-]+)`");
            return None;
        }
        Some(Self(keys))
    }
}

impl JsonSchema for ExpiredRules {
    fn schema_name() -> Cow<'static, str> {
        "ExpiredRules".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Keys::json_schema(generator)
    }
}
