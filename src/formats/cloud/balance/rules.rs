//! The rules of the listeners of Amazon's Application Load Balancers.
//!
//! registry: `aws_lb_listener_rule`; Elastic Load Balancing User Guide for Application Load Balancers, "Condition types for
//! listener rules".

use super::super::attributes::{Attributes, Known};
use super::actions::{self, Done};
use super::{Instance, Lowering};
use crate::formats::data::value::Value;
use crate::model::{Condition, Outcome, Route, Subject};
use crate::net::Pattern;
use crate::text::{Span, escape};
use std::collections::BTreeMap;

/// A rule.
pub(super) struct Rule {
    /// Its address.
    pub(super) name: String,
    /// Where it stands.
    pub(super) at: Span,
    /// Its place; `None`: it is not known.
    priority: Option<i128>,
    condition: Condition,
    gates: Vec<Route>,
    outcome: Outcome,
    settings: Vec<String>,
}

impl Rule {
    /// What it says, where its listener is elsewhere.
    pub(super) fn apart(&self, lowering: &Lowering<'_, '_>) -> String {
        let Self { name: _, at: _, priority, condition, gates, outcome, settings } = self;
        let gates: Vec<String> = gates.iter().map(|gate| in_words(&gate.condition, lowering)).collect();
        let priority = priority.map_or_else(|| "unknown".to_owned(), |priority| priority.to_string());
        let condition = in_words(condition, lowering);
        format!("priority {priority}: {outcome:?} if {condition} {} {}", gates.join(", "), settings.join(", "))
    }
}

fn in_words(condition: &Condition, lowering: &Lowering<'_, '_>) -> String {
    match condition {
        Condition::Always => "always".to_owned(),
        Condition::Never => "never".to_owned(),
        Condition::Test(id) => format!("{:?}", lowering.store.get_test(*id)),
        Condition::Opaque(id) => lowering.store.opaque_text(*id).to_owned(),
        Condition::Not(inner) => format!("not ({})", in_words(inner, lowering)),
        Condition::All(parts) => parts.iter().map(|part| in_words(part, lowering)).collect::<Vec<_>>().join(" and "),
        Condition::Any(parts) => {
            let parts: Vec<String> = parts.iter().map(|part| in_words(part, lowering)).collect();
            format!("({})", parts.join(" or "))
        }
    }
}

/// A rule and the listener that it is of.
pub(super) fn read(
    lowering: &mut Lowering<'_, '_>,
    instance: &Instance,
    listeners: &[&'static str],
) -> Option<(String, Rule)> {
    let mut body = Attributes::open(&instance.body, lowering.account)?;
    body.at = instance.origin;
    let listener = lowering.needed(&mut body, "listener_arn", listeners);
    let priority = match body.number("priority", lowering.account) {
        Some(Known::Is(priority)) => Some(priority),
        Some(Known::Not(_)) | None => None,
    };
    body.inert(&["priority"], "only the order counts", lowering.account);
    let mut parts = vec![lowering.existing(instance)];
    let items = body.items("condition");
    for item in &items.there {
        parts.push(condition(lowering, item));
    }
    for (unknown, _) in &items.perhaps {
        parts.push(lowering.opaque(format!("the request is as one of {unknown} asks")));
    }
    if items.is_empty() {
        lowering.account.gap(instance.origin, "the rule has no condition: Amazon refuses it");
    }
    let condition = Condition::all(parts);
    let Done { gates, outcome, at: _, settings } = actions::read(lowering, instance, &mut body, "action");
    // It rewrites hosts and paths for the servers, after the rule was chosen.
    let transform = lowering.rest(&mut body, &[("transform", "")]);
    let settings = settings.into_iter().chain([transform]).filter(|text| !text.is_empty());
    let settings = settings.map(|text| format!("{}: {text}", instance.address)).collect();
    lowering.done(body);
    let outcome = outcome.unwrap_or_else(|| Outcome::Computed("what is not understood".to_owned()));
    let name = instance.address.to_string();
    Some((listener?.name, Rule { name, at: instance.origin, priority, condition, gates, outcome, settings }))
}

/// "Rules are evaluated in priority order, from the lowest value to the highest value." A rule without a priority gets "the next
/// available priority after currently existing highest rule" when it is made, so it may be before or after any other: for every
/// request it is either asked before those that hold for it, or after.
pub(super) fn in_order(
    lowering: &mut Lowering<'_, '_>,
    listener: &str,
    mut rules: Vec<Rule>,
    settings: &mut Vec<String>,
) -> Vec<Route> {
    rules.sort_by(|a, b| (a.priority, &a.name).cmp(&(b.priority, &b.name)));
    let mut taken: BTreeMap<i128, &str> = BTreeMap::new();
    for Rule { name, at, priority, .. } in &rules {
        let Some(priority) = priority else { continue };
        if let Some(other) = taken.insert(*priority, name) {
            let (other, listener) = (escape(other.as_bytes()), escape(listener.as_bytes()));
            let reason = format!("the priority {priority} is that of `{other}` too at `{listener}`: Amazon refuses it");
            lowering.account.gap(*at, reason);
        }
    }
    let alone = rules.len() == 1;
    let (mut first, mut placed, mut last) = (Vec::new(), Vec::new(), Vec::new());
    for Rule { name, at, priority, condition, gates, outcome, settings: mine } in rules {
        settings.extend(mine);
        let mut routes: Vec<Route> = actions::behind(&condition, gates).collect();
        routes.push(Route { condition, outcome, origin: at });
        if priority.is_some() || alone {
            placed.extend(routes);
            continue;
        }
        let early = lowering.opaque(format!("{name} is asked before the others"));
        first.extend(routes.iter().map(|Route { condition, outcome, origin }| Route {
            condition: Condition::all([early.clone(), condition.clone()]),
            outcome: outcome.clone(),
            origin: *origin,
        }));
        last.extend(routes);
    }
    first.into_iter().chain(placed).chain(last).collect()
}

/// One condition: "Each condition block must contain exactly one of" these; all conditions of a rule must hold, and one of the
/// values of each.
fn condition(lowering: &mut Lowering<'_, '_>, value: &Value) -> Condition {
    let Some(mut block) = Attributes::open(value, lowering.account) else { return Condition::Never };
    let mut parts = Vec::new();
    // As it was written until version 3 of the provider.
    match block.text("field", lowering.account) {
        Some(Known::Is(field)) => parts.push(by_field(lowering, &mut block, &field)),
        Some(Known::Not(name)) => parts.push(lowering.opaque(format!("the request is as {name} asks"))),
        None => {}
    }
    for name in ["host_header", "path_pattern", "http_request_method", "source_ip", "http_header"] {
        if let Some(inner) = lowering.block(&mut block, name) {
            parts.push(by_block(lowering, inner, name));
        }
    }
    let queries = block.items("query_string");
    let mut any = Vec::new();
    for item in &queries.there {
        let Some(mut pair) = Attributes::open(item, lowering.account) else { continue };
        let key = pair.text("key", lowering.account).map(|known| super::shown(&known));
        let wanted = pair.text("value", lowering.account).map(|known| super::shown(&known)).unwrap_or_default();
        lowering.done(pair);
        // "The comparison is not case sensitive."
        let key = key.map_or_else(String::new, |key| format!("{key} = "));
        any.push(lowering.opaque(format!("a part of the query is {key}{wanted}").to_ascii_lowercase()));
    }
    for (unknown, _) in &queries.perhaps {
        any.push(lowering.opaque(format!("a part of the query is one of {unknown}")));
    }
    if !queries.is_empty() {
        parts.push(Condition::any(any));
    }
    if parts.len() != 1 {
        lowering
            .account
            .gap(value.at, "a condition asks exactly one thing: Amazon refuses it, or it is not understood");
    }
    lowering.done(block);
    Condition::all(parts)
}

fn by_field(lowering: &mut Lowering<'_, '_>, block: &mut Attributes<'_>, field: &str) -> Condition {
    let items = block.items("values");
    match field {
        "host-header" => hosts(lowering, &items),
        "path-pattern" => paths(lowering, &items),
        "http-request-method" => lowering.texts(&items, Subject::Method, "method", |text| Some(Pattern::exact(text))),
        "source-ip" => lowering.sources(&items),
        other => {
            let reason = format!("there is no condition `{}` here", escape(other.as_bytes()));
            lowering.account.gap(block.at, reason);
            Condition::Never
        }
    }
}

fn by_block(lowering: &mut Lowering<'_, '_>, value: &Value, name: &str) -> Condition {
    let Some(mut block) = Attributes::open(value, lowering.account) else { return Condition::Never };
    let items = block.items("values");
    let expressions = block.items("regex_values");
    let mut parts = Vec::new();
    let what = match name {
        "host_header" => {
            parts.push(hosts(lowering, &items));
            "host".to_owned()
        }
        "path_pattern" => {
            parts.push(paths(lowering, &items));
            "path".to_owned()
        }
        "http_request_method" => {
            // "The value is case sensitive and must match exactly"; wildcards are not supported.
            parts.push(lowering.texts(&items, Subject::Method, "method", |text| Some(Pattern::exact(text))));
            "method".to_owned()
        }
        "source_ip" => {
            parts.push(lowering.sources(&items));
            "source".to_owned()
        }
        _ => {
            // "The name of the HTTP header field … is not case sensitive"; nor is the comparison.
            let header = block.text("http_header_name", lowering.account).map(|known| super::shown(&known));
            let header = header.unwrap_or_default().to_ascii_lowercase();
            for item in items.all() {
                let text = item.as_text().map_or_else(|| super::show(&item), |text| text.to_ascii_lowercase());
                parts.push(lowering.opaque(format!("the header {header} is {text}")));
            }
            format!("header {header}")
        }
    };
    for item in expressions.all() {
        let text = item.as_text().map_or_else(|| super::show(&item), |text| text.to_string());
        parts.push(lowering.opaque(format!("the {what} matches {text}")));
    }
    if items.is_empty() && expressions.is_empty() {
        lowering.account.gap(value.at, "a condition without values: Amazon refuses it");
    }
    lowering.done(block);
    Condition::any(parts)
}

/// "Each string … is not case sensitive … * (matches 0 or more characters) ? (matches exactly 1 character)".
fn hosts(lowering: &mut Lowering<'_, '_>, items: &super::Items<'_>) -> Condition {
    lowering.texts(items, Subject::HostName, "host", |text| Some(glob(text).ignoring_case()))
}

/// "The path pattern is applied only to the path of the URL, not to its query parameters"; "case-sensitive", with the same
/// wildcards.
fn paths(lowering: &mut Lowering<'_, '_>, items: &super::Items<'_>) -> Condition {
    lowering.texts(items, Subject::Path, "path", |text| Some(glob(text)))
}

/// A text with wildcards, in the plainest form that means it.
fn glob(text: &str) -> Pattern {
    match text.strip_suffix('*') {
        Some(start) if !start.contains(['*', '?']) => Pattern::prefix(start),
        None if !text.contains(['*', '?']) => Pattern::exact(text),
        Some(_) | None => Pattern::glob(text),
    }
}
