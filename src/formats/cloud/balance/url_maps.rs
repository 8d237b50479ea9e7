//! URL maps of Google: which backend service answers which host and path.
//!
//! registry: `google_compute_url_map`, `google_compute_region_url_map`; cloud.google.com, "URL maps overview", "Traffic
//! management".

use super::super::attributes::{Attributes, Known, text_of};
use super::super::content;
use super::google::{SERVICES, always};
use super::{Instance, Items, Lowering, Number, backend, server};
use crate::formats::data::value::Value;
use crate::model::{Condition, Outcome, Route, Subject};
use crate::net::Pattern;
use crate::text::{Span, escape};
use std::collections::BTreeMap;

/// What a URL map does.
#[derive(Debug, Clone)]
pub(super) struct Map {
    pub(super) routes: Vec<Route>,
    pub(super) otherwise: Outcome,
    pub(super) otherwise_at: Span,
    pub(super) settings: Vec<String>,
}

impl Map {
    /// One that is not in these files.
    pub(super) fn elsewhere(name: &str, at: Span) -> Self {
        Self {
            routes: Vec::new(),
            otherwise: Outcome::Computed(name.to_owned()),
            otherwise_at: at,
            settings: Vec::new(),
        }
    }
}

/// Where a block sends requests: one of three ways, in each of the places where one may stand.
struct Leads<'n> {
    service: &'n str,
    redirect: &'n str,
    action: &'n str,
}

const DEFAULT: Leads<'_> =
    Leads { service: "default_service", redirect: "default_url_redirect", action: "default_route_action" };
const RULE: Leads<'_> = Leads { service: "service", redirect: "url_redirect", action: "route_action" };

/// The order in which patterns are asked: whether one has a wildcard, how much shorter it is than others, and as it reads.
type Rank = (u8, usize, String);

/// What a route action does besides choosing a service.
const ACTION: &[(&str, &str)] = &[
    ("cache_policy", ""),
    ("cors_policy", ""),
    ("fault_injection_policy", ""),
    ("max_stream_duration", ""),
    ("request_mirror_policy", ""),
    ("retry_policy", ""),
    ("timeout", ""),
    ("url_rewrite", ""),
];

pub(super) fn read(lowering: &mut Lowering<'_, '_>, instance: &Instance) -> Option<Map> {
    let mut body = Attributes::open(&instance.body, lowering.account)?;
    body.at = instance.origin;
    let mut settings = Vec::new();
    let otherwise = leads(lowering, instance, &mut body, &DEFAULT, "", &mut settings);
    let otherwise_at = otherwise.as_ref().map_or(instance.origin, |(_, at)| *at);
    let otherwise = otherwise.map(|(outcome, _)| outcome);
    if otherwise.is_none() {
        lowering.account.gap(instance.origin, "the URL map does not say what becomes of other requests");
    }
    settings.push(lowering.rest(&mut body, &[("header_action", ""), ("default_custom_error_response_policy", "")]));
    let mut matchers = BTreeMap::new();
    let items = body.items("path_matcher");
    unknown_blocks(lowering, &items, "path_matcher");
    for item in &items.there {
        if let Some((name, routes)) = matcher(lowering, instance, item, &mut settings) {
            matchers.insert(name, routes);
        }
    }
    let items = body.items("host_rule");
    unknown_blocks(lowering, &items, "host_rule");
    let routes = hosts(lowering, &items, &matchers);
    body.inert(&["name", "project", "map_id", "test"], "it decides about no request", lowering.account);
    lowering.done(body);
    let otherwise = otherwise.unwrap_or_else(|| Outcome::Computed("what is not understood".to_owned()));
    Some(Map { routes, otherwise, otherwise_at, settings })
}

fn unknown_blocks(lowering: &mut Lowering<'_, '_>, items: &Items<'_>, what: &str) {
    if let Some((unknown, value)) = items.perhaps.first() {
        let unknown = escape(unknown.as_bytes());
        lowering.account.gap(value.at, format!("which blocks `{what}` there are is not known: `{unknown}`"));
    }
}

/// "hosts - The list of host patterns to match. They must be valid hostnames, except * will match any string of ([a-z0-9-.]*). In
/// that case, * must be the first character and must be followed in the pattern by either - or .". A host that is written out
/// comes before patterns, and a longer pattern before a shorter one.
fn hosts(lowering: &mut Lowering<'_, '_>, items: &Items<'_>, matchers: &BTreeMap<String, Vec<Route>>) -> Vec<Route> {
    let mut rules: Vec<(Rank, Condition, Vec<Route>)> = Vec::new();
    for item in &items.there {
        let Some(mut rule) = Attributes::open(item, lowering.account) else { continue };
        let name = rule.text("path_matcher", lowering.account).map(|known| super::shown(&known)).unwrap_or_default();
        let wanted = rule.items("hosts");
        rule.inert(&["description"], "a description", lowering.account);
        lowering.done(rule);
        let Some(routes) = matchers.get(&name) else {
            let name = escape(name.as_bytes());
            lowering.account.gap(item.at, format!("there is no path matcher `{name}`: Google refuses it"));
            continue;
        };
        for host in wanted.all() {
            let one = Items { there: vec![&host], ..Items::default() };
            let condition = lowering.texts(&one, Subject::HostName, "host", |text| {
                (!text.contains(':')).then(|| match text.strip_prefix('*') {
                    Some(end) => Pattern::suffix(end).ignoring_case(),
                    None => Pattern::exact(text).ignoring_case(),
                })
            });
            let text = super::show(&host);
            let rank = (u8::from(text.contains('*')), usize::MAX - text.len(), text);
            rules.push((rank, condition, routes.clone()));
        }
    }
    rules.sort_by(|a, b| a.0.cmp(&b.0));
    let mut out = Vec::new();
    for (_, host, routes) in rules {
        for Route { condition, outcome, origin } in routes {
            out.push(Route { condition: Condition::all([host.clone(), condition]), outcome, origin });
        }
    }
    out
}

/// A path matcher: its name, and its routes, the last of which is always taken.
fn matcher(
    lowering: &mut Lowering<'_, '_>,
    instance: &Instance,
    value: &Value,
    settings: &mut Vec<String>,
) -> Option<(String, Vec<Route>)> {
    let mut block = Attributes::open(value, lowering.account)?;
    let name = block.text("name", lowering.account).map(|known| super::shown(&known)).unwrap_or_default();
    let mut told = Vec::new();
    let otherwise = leads(lowering, instance, &mut block, &DEFAULT, &name, &mut told);
    told.push(lowering.rest(&mut block, &[("header_action", ""), ("default_custom_error_response_policy", "")]));
    let (paths, rules) = (block.items("path_rule"), block.items("route_rules"));
    unknown_blocks(lowering, &paths, "path_rule");
    unknown_blocks(lowering, &rules, "route_rules");
    if !paths.is_empty() && !rules.is_empty() {
        lowering.account.gap(value.at, "a path matcher has either path rules or route rules: Google refuses both");
    }
    let mut routes = by_paths(lowering, instance, &paths, &name, &mut told);
    routes.extend(by_priority(lowering, instance, &rules, &name, &mut told));
    block.inert(&["description"], "a description", lowering.account);
    lowering.done(block);
    settings.extend(told.into_iter().filter(|text| !text.is_empty()).map(|text| format!("{name}: {text}")));
    match otherwise {
        Some((outcome, at)) => routes.push(always(outcome, at)),
        None => lowering.account.gap(value.at, "the path matcher does not say what becomes of other requests"),
    }
    Some((name, routes))
}

/// "The order in which path rules are specified does not matter": "the load balancer uses a longest-path-first evaluation". "paths -
/// Each must start with / and the only place a * is allowed is at the end following a /. The string fed to the path matcher does
/// not include any text after the first ? or #, and those chars are not allowed here."
fn by_paths(
    lowering: &mut Lowering<'_, '_>,
    instance: &Instance,
    items: &Items<'_>,
    matcher: &str,
    settings: &mut Vec<String>,
) -> Vec<Route> {
    let mut rules = Vec::new();
    for item in &items.there {
        let Some(mut rule) = Attributes::open(item, lowering.account) else { continue };
        let outcome = leads(lowering, instance, &mut rule, &RULE, matcher, settings);
        settings.push(lowering.rest(&mut rule, &[("custom_error_response_policy", "")]));
        let paths = rule.items("paths");
        lowering.done(rule);
        let Some((outcome, _)) = outcome else {
            lowering.account.gap(item.at, "the path rule does not say what becomes of requests");
            continue;
        };
        for path in paths.all() {
            let one = Items { there: vec![&path], ..Items::default() };
            let condition = lowering.texts(&one, Subject::Path, "path", |text| {
                Some(match text.strip_suffix('*') {
                    Some(start) => Pattern::prefix(start),
                    None => Pattern::exact(text),
                })
            });
            let text = super::show(&path);
            let rank = (u8::from(text.contains('*')), usize::MAX - text.len(), text);
            rules.push((rank, Route { condition, outcome: outcome.clone(), origin: item.at }));
        }
    }
    rules.sort_by(|a, b| a.0.cmp(&b.0));
    rules.into_iter().map(|(_, route)| route).collect()
}

/// "priority - … rules are evaluated in order, from the lowest numbered to highest; … the first rule that matches". "match_rules -
/// The list of criteria … with OR semantics".
fn by_priority(
    lowering: &mut Lowering<'_, '_>,
    instance: &Instance,
    items: &Items<'_>,
    matcher: &str,
    settings: &mut Vec<String>,
) -> Vec<Route> {
    let mut rules: Vec<(i128, Route)> = Vec::new();
    for item in &items.there {
        let Some(mut rule) = Attributes::open(item, lowering.account) else { continue };
        let priority = match rule.number("priority", lowering.account) {
            Some(Known::Is(priority)) => priority,
            Some(Known::Not(_)) | None => {
                lowering.account.gap(item.at, "the place of the route rule is not known: it has no `priority`");
                0
            }
        };
        rule.inert(&["priority"], "only the order counts", lowering.account);
        let outcome = leads(lowering, instance, &mut rule, &RULE, matcher, settings);
        settings.push(lowering.rest(&mut rule, &[("header_action", ""), ("custom_error_response_policy", "")]));
        let matches = rule.items("match_rules");
        lowering.done(rule);
        let mut any = Vec::new();
        for block in &matches.there {
            any.push(criteria(lowering, block));
        }
        for (unknown, _) in &matches.perhaps {
            any.push(lowering.opaque(format!("the request is as one of {unknown} asks")));
        }
        let condition = if matches.is_empty() { Condition::Always } else { Condition::any(any) };
        match outcome {
            Some((outcome, _)) => {
                if rules.iter().any(|(other, _)| *other == priority) {
                    lowering.account.gap(item.at, format!("the priority {priority} is given twice: Google refuses it"));
                }
                rules.push((priority, Route { condition, outcome, origin: item.at }));
            }
            None => lowering.account.gap(item.at, "the route rule does not say what becomes of requests"),
        }
    }
    rules.sort_by_key(|(priority, _)| *priority);
    rules.into_iter().map(|(_, route)| route).collect()
}

/// "prefix_match, full_path_match, regex_match, path_template_match, ignore_case - Defaults to false, header_matches,
/// query_parameter_matches, metadata_filters": all of them must hold.
fn criteria(lowering: &mut Lowering<'_, '_>, value: &Value) -> Condition {
    let Some(mut block) = Attributes::open(value, lowering.account) else { return Condition::Never };
    let ignore = lowering.flag(&mut block, "ignore_case", false);
    let mut parts = Vec::new();
    for name in ["prefix_match", "full_path_match"] {
        let items = block.items(name);
        if items.is_empty() {
            continue;
        }
        let ignore = ignore.clone();
        parts.push(lowering.texts(&items, Subject::Path, name, |text| {
            let pattern = if name == "prefix_match" { Pattern::prefix(text) } else { Pattern::exact(text) };
            match ignore {
                Known::Is(true) => Some(pattern.ignoring_case()),
                Known::Is(false) => Some(pattern),
                Known::Not(_) => None,
            }
        }));
    }
    for name in ["regex_match", "path_template_match"] {
        let items = block.items(name);
        if !items.is_empty() {
            parts.push(lowering.texts(&items, Subject::Path, name, |_| None));
        }
    }
    for name in ["header_matches", "query_parameter_matches", "metadata_filters"] {
        for item in block.items(name).all() {
            let said = lowering.said(&item);
            parts.push(lowering.opaque(format!("{name} {said}")));
        }
    }
    lowering.done(block);
    Condition::all(parts)
}

/// Where a block sends requests, and where that is said; `None`: nowhere.
fn leads(
    lowering: &mut Lowering<'_, '_>,
    instance: &Instance,
    block: &mut Attributes<'_>,
    names: &Leads<'_>,
    of: &str,
    settings: &mut Vec<String>,
) -> Option<(Outcome, Span)> {
    let at = block.value(names.service).map_or(block.at, |value| value.at);
    let service = lowering.named(block, names.service, SERVICES);
    let redirect = lowering.block(block, names.redirect);
    let action = lowering.block(block, names.action);
    let mut weighted = None;
    if let Some(value) = action
        && let Some(mut action) = Attributes::open(value, lowering.account)
    {
        settings.push(lowering.rest(&mut action, ACTION));
        let items = action.items("weighted_backend_services");
        lowering.done(action);
        if !items.is_empty() {
            weighted = Some((self::weighted(lowering, instance, &items, of, value.at, settings), value.at));
        }
    }
    match (service, redirect, weighted) {
        (None, None, Some(found)) => Some(found),
        (None, Some(value), None) => Some((self::redirect(lowering, value)?, value.at)),
        (Some(service), None, None) => {
            Some((lowering.toward(&service.name, "the backend is not in these files", at), at))
        }
        (None, None, None) => None,
        (Some(_) | None, Some(_) | None, Some(_) | None) => {
            lowering.account.gap(at, "requests are sent several ways at once: Google refuses it");
            None
        }
    }
}

/// "weighted_backend_services - A list of weighted backend services to send traffic to when a route match occurs … weight - The value
/// must be between 0 and 1000".
fn weighted(
    lowering: &mut Lowering<'_, '_>,
    instance: &Instance,
    items: &Items<'_>,
    of: &str,
    at: Span,
    settings: &mut Vec<String>,
) -> Outcome {
    let mut all = backend(format!("{}/{of}", instance.address), content::owner(&instance.body), at);
    if let Some((unknown, _)) = items.perhaps.first() {
        all.open = Some(format!("it has one of {unknown}"));
    }
    for item in &items.there {
        let Some(mut part) = Attributes::open(item, lowering.account) else { continue };
        let of =
            part.take("backend_service").and_then(|entry| text_of(&entry.value, "backend service", lowering.account));
        let weight = lowering.number(&mut part, "weight", 1000);
        settings.push(lowering.rest(&mut part, &[("header_action", "")]));
        lowering.done(part);
        let Some(of) = of else {
            lowering.account.gap(item.at, "it names no backend service");
            continue;
        };
        let name = lowering.refer(&of, SERVICES, item.at).name;
        lowering.toward(&name, "the backend is not in these files", item.at);
        let mut server = server(name.clone(), name, None, None, item.at);
        (server.weight, server.settings) = match weight {
            Number::Is(weight) => (Some(weight), String::new()),
            Number::Unsaid => (None, "it has no weight".to_owned()),
            Number::Unknown(name) => (None, format!("weight = unknown {name}")),
        };
        // The services look after their groups.
        server.check = Some(None);
        all.servers.push(server);
    }
    all.health_check = Some("that of each service".to_owned());
    let mut number = 1;
    while lowering.balancers.known.contains(&all.name) {
        number += 1;
        all.name = format!("{}/{of} ({number})", instance.address);
    }
    let name = all.name.clone();
    lowering.serve(all);
    Outcome::Backend(name)
}

/// "redirect_response_code - default MOVED_PERMANENTLY_DEFAULT; host_redirect, https_redirect, path_redirect, prefix_redirect,
/// strip_query".
fn redirect(lowering: &mut Lowering<'_, '_>, value: &Value) -> Option<Outcome> {
    let mut block = Attributes::open(value, lowering.account)?;
    let names = [
        ("redirect_response_code", "MOVED_PERMANENTLY_DEFAULT"),
        ("https_redirect", ""),
        ("host_redirect", ""),
        ("path_redirect", ""),
        ("prefix_redirect", ""),
        ("strip_query", ""),
    ];
    let text = lowering.rest(&mut block, &names);
    lowering.done(block);
    Some(Outcome::Answered(format!("redirect {text}").trim_end().to_owned()))
}
