//! Routes of the Gateway API: what their fields say.
//!
//! Gateway API (gateway.networking.k8s.io), "HTTPRoute", "GRPCRoute", "TLSRoute", "TCPRoute", "UDPRoute".

use super::gateway::{GROUP, group};
use super::services::PortName;
use super::{Name, annotations};
use crate::formats::Disposition;
use crate::formats::account::Account;
use crate::formats::data::value::Value;
use crate::formats::kubernetes::fields::{Fields, SETTING, is_word};
use crate::formats::kubernetes::read::Meta;
use crate::text::Span;
use std::sync::Arc;

/// A route.
#[derive(Debug)]
pub(super) struct Route {
    /// `HTTPRoute`.
    pub(super) kind: &'static str,
    pub(super) name: Name,
    pub(super) parents: Vec<Parent>,
    pub(super) hosts: Vec<String>,
    pub(super) rules: Vec<Rule>,
    pub(super) settings: Vec<String>,
    pub(super) owner: Option<String>,
    pub(super) at: Span,
}

/// A Gateway that a route is for, or some of its listeners.
#[derive(Debug)]
pub(super) struct Parent {
    pub(super) gateway: Name,
    pub(super) door: Option<String>,
    pub(super) port: Option<u16>,
    pub(super) at: Span,
}

#[derive(Debug)]
pub(super) struct Rule {
    /// One of these; never empty.
    pub(super) matches: Vec<Match>,
    /// How the Gateway itself answers.
    pub(super) redirect: Option<String>,
    pub(super) backends: Vec<Destination>,
    pub(super) settings: Vec<String>,
    pub(super) at: Span,
}

/// What a request must be.
#[derive(Debug)]
pub(super) struct Match {
    pub(super) path: PathMatch,
    pub(super) method: Option<String>,
    /// Conditions on headers and on parameters of the query.
    pub(super) others: Vec<String>,
    /// What comes first: the larger one.
    pub(super) rank: [usize; 5],
    pub(super) at: Span,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum PathMatch {
    Any,
    Exact(String),
    Prefix(String),
    /// An expression whose place among others is up to the implementation.
    Expression(String),
    /// An expression for all of the path: of gRPC.
    Part(String),
    /// What is known of it is only how it is written.
    Called(String),
}

/// Where requests are sent, and how many of them.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Destination {
    /// Group and kind, unless it is a Service.
    pub(super) other: Option<String>,
    pub(super) name: Name,
    pub(super) port: PortName,
    pub(super) weight: u32,
    pub(super) at: Span,
}

pub(super) fn read(kind: &'static str, fields: Fields<'_>, meta: &Meta<'_>, account: &mut Account) -> Option<Route> {
    let mut spec = fields.spec(meta.at, account)?;
    let settings = annotations::settings(meta.annotations, account);
    let mut parents = Vec::new();
    for value in spec.list("parentRefs", account).unwrap_or_default() {
        parents.extend(parent(value, meta, account));
    }
    let mut hosts = Vec::new();
    if matches!(kind, "HTTPRoute" | "GRPCRoute" | "TLSRoute") {
        for value in spec.list("hostnames", account).unwrap_or_default() {
            match value.text().filter(|text| super::conditions::is_host(text)) {
                Some(text) => hosts.push(text.to_owned()),
                None => account.gap(value.at, "a host is a name in lowercase, whose first label may be `*`"),
            }
        }
    }
    let mut rules = Vec::new();
    let listed = spec.list("rules", account).unwrap_or_default();
    for value in listed {
        rules.push(rule(kind, value, meta, account));
    }
    if listed.is_empty() {
        account.gap(meta.at, "a route has rules");
    }
    if rules.len() > 1 && matches!(kind, "TLSRoute" | "TCPRoute" | "UDPRoute") {
        account.gap(meta.at, "a route of connections has one rule: which of several counts is not defined");
    }
    spec.close(account);
    let name = (Arc::clone(&meta.namespace), Arc::clone(&meta.name));
    Some(Route { kind, name, parents, hosts, rules, settings, owner: super::owner(meta), at: meta.at })
}

fn parent(value: &Value, meta: &Meta<'_>, account: &mut Account) -> Option<Parent> {
    let mut fields = Fields::of(value, account);
    let group = fields.text("group", account).unwrap_or(GROUP);
    let kind = fields.text("kind", account).unwrap_or("Gateway");
    let name = fields.word("name", account);
    let namespace = fields.word("namespace", account).unwrap_or(&meta.namespace);
    let door = fields.word("sectionName", account).map(str::to_owned);
    let port = fields.number("port", 1..=65535, account).and_then(|port| u16::try_from(port).ok());
    fields.close(account);
    match (group, kind, name) {
        (GROUP, "Gateway", Some(name)) => {
            Some(Parent { gateway: (namespace.into(), name.into()), door, port, at: value.at })
        }
        (_, _, _) => {
            account.gap(value.at, "what routes of other parents than Gateways do is not modelled");
            None
        }
    }
}

fn rule(kind: &str, value: &Value, meta: &Meta<'_>, account: &mut Account) -> Rule {
    let mut fields = Fields::of(value, account);
    let mut rule =
        Rule { matches: Vec::new(), redirect: None, backends: Vec::new(), settings: Vec::new(), at: value.at };
    if let Some(name) = fields.take("name") {
        account.claim(name.at, Disposition::Inert("what the rule is called"));
    }
    if matches!(kind, "HTTPRoute" | "GRPCRoute") {
        for value in fields.list("matches", account).unwrap_or_default() {
            rule.matches.extend(if kind == "HTTPRoute" { http(value, account) } else { grpc(value, account) });
        }
        for value in fields.list("filters", account).unwrap_or_default() {
            filter(value, &mut rule, account);
        }
        for field in ["timeouts", "retry", "sessionPersistence"] {
            rule.settings.extend(fields.setting(field, "", account));
        }
        if rule.matches.is_empty() && fields.list("matches", account).unwrap_or_default().is_empty() {
            // "If no matches are specified, the default is a prefix path match on `/`."
            let rank = if kind == "HTTPRoute" { [0, 1, 0, 0, 0] } else { [0; 5] };
            rule.matches.push(Match { path: PathMatch::Any, method: None, others: Vec::new(), rank, at: value.at });
        }
    } else {
        rule.matches.push(Match { path: PathMatch::Any, method: None, others: Vec::new(), rank: [0; 5], at: value.at });
    }
    for value in fields.list("backendRefs", account).unwrap_or_default() {
        let found = destination(value, meta, &mut rule.settings, account);
        rule.backends.extend(found);
    }
    fields.close(account);
    rule
}

fn http(value: &Value, account: &mut Account) -> Option<Match> {
    let mut fields = Fields::of(value, account);
    // "Default: { path: { type: PathPrefix, value: / }}"
    let (mut path, mut rank) = (Some(PathMatch::Any), [0, 1, 0, 0, 0]);
    if let Some(value) = fields.take("path") {
        let mut fields = Fields::of(value, account);
        let kind_at = fields.place("type");
        let kind = fields.text("type", account).unwrap_or("PathPrefix");
        let text_at = fields.place("value");
        let text = fields.text("value", account).unwrap_or("/");
        fields.close(account);
        let plain = text.starts_with('/') && is_word(text);
        path = match kind {
            "Exact" if plain => {
                rank[..2].copy_from_slice(&[1, text.len()]);
                Some(PathMatch::Exact(text.to_owned()))
            }
            "PathPrefix" if text == "/" => Some(PathMatch::Any),
            "PathPrefix" if plain => {
                rank[1] = text.len();
                Some(PathMatch::Prefix(text.to_owned()))
            }
            "RegularExpression" if is_word(text) => {
                rank[1] = text.len();
                Some(PathMatch::Expression(text.to_owned()))
            }
            "Exact" | "PathPrefix" | "RegularExpression" => {
                account.gap(text_at, "a path begins with a slash");
                None
            }
            _ => {
                account.gap(kind_at, "`type` is `Exact`, `PathPrefix` or `RegularExpression`");
                None
            }
        };
    }
    let method_at = fields.place("method");
    let method = fields.word("method", account).map(str::to_owned);
    if method.as_ref().is_some_and(|method| !method.bytes().all(|byte| byte.is_ascii_uppercase())) {
        account.gap(method_at, "a method is in capital letters");
    }
    let headers = conditions(&mut fields, "headers", "header", account);
    let queries = conditions(&mut fields, "queryParams", "query parameter", account);
    fields.close(account);
    rank[2..].copy_from_slice(&[usize::from(method.is_some()), headers.len(), queries.len()]);
    let others = headers.into_iter().chain(queries).collect();
    Some(Match { path: path?, method, others, rank, at: value.at })
}

/// gRPC is HTTP: the path is `/service/method`. First come the matches with the most "characters in a matching service", then
/// "characters in a matching method", then "header matches".
fn grpc(value: &Value, account: &mut Account) -> Option<Match> {
    let mut fields = Fields::of(value, account);
    let (mut path, mut rank) = (Some(PathMatch::Any), [0; 5]);
    if let Some(value) = fields.take("method") {
        let mut fields = Fields::of(value, account);
        let kind_at = fields.place("type");
        let kind = fields.text("type", account).unwrap_or("Exact");
        let (service, method) = (fields.word("service", account), fields.word("method", account));
        fields.close(account);
        rank[..2].copy_from_slice(&[service.map_or(0, str::len), method.map_or(0, str::len)]);
        path = match (kind, service, method) {
            ("Exact", Some(service), Some(method)) => Some(PathMatch::Exact(format!("/{service}/{method}"))),
            ("Exact", Some(service), None) => Some(PathMatch::Prefix(format!("/{service}"))),
            ("Exact", None, Some(method)) => Some(PathMatch::Part(format!("^/[^/]+/{}$", method.replace('.', r"\.")))),
            ("Exact", None, None) => Some(PathMatch::Any),
            ("RegularExpression", service, method) => {
                let any = "any";
                let (service, method) = (service.unwrap_or(any), method.unwrap_or(any));
                Some(PathMatch::Called(format!("the gRPC service matches `{service}` and the method `{method}`")))
            }
            (_, _, _) => {
                account.gap(kind_at, "`type` is `Exact` or `RegularExpression`");
                None
            }
        };
    }
    let others = conditions(&mut fields, "headers", "header", account);
    fields.close(account);
    rank[2] = others.len();
    Some(Match { path: path?, method: None, others, rank, at: value.at })
}

/// Conditions on headers or parameters. "If multiple entries specify equivalent names, only the first entry MUST be considered."
fn conditions(fields: &mut Fields<'_>, list: &'static str, what: &str, account: &mut Account) -> Vec<String> {
    let (mut names, mut out) = (Vec::new(), Vec::new());
    for value in fields.list(list, account).unwrap_or_default() {
        account.claim(value.at, Disposition::Opaque("a condition on a header or the query"));
        let mut fields = Fields::of(value, account);
        let kind_at = fields.place("type");
        let kind = fields.text("type", account).unwrap_or("Exact");
        let name = fields.word("name", account).map(str::to_ascii_lowercase);
        let text = fields.text("value", account);
        fields.close(account);
        let does = match kind {
            "Exact" => "is",
            "RegularExpression" => "matches",
            _ => {
                account.gap(kind_at, "`type` is `Exact` or `RegularExpression`");
                continue;
            }
        };
        match (name, text) {
            (Some(name), Some(text)) if !names.contains(&name) => {
                out.push(format!("{what} {name} {does} \"{text}\""));
                names.push(name);
            }
            (Some(_), Some(_)) => {}
            (_, _) => account.gap(value.at, "a `name` and a `value` are expected"),
        }
    }
    out.sort();
    out
}

fn filter(value: &Value, rule: &mut Rule, account: &mut Account) {
    let mut fields = Fields::of(value, account);
    let kind = fields.word("type", account).unwrap_or_default();
    let changes = [
        ("URLRewrite", "urlRewrite"),
        ("RequestHeaderModifier", "requestHeaderModifier"),
        ("ResponseHeaderModifier", "responseHeaderModifier"),
        ("RequestMirror", "requestMirror"),
        ("CORS", "cors"),
    ];
    match (kind, changes.iter().find(|(known, _)| *known == kind)) {
        ("RequestRedirect", _) => {
            let value = fields.take("requestRedirect");
            rule.redirect = Some(value.map_or_else(String::new, |value| redirect(value, account)));
        }
        (_, Some((_, field))) => rule.settings.extend(fields.setting(field, "", account)),
        (_, None) => return account.gap(value.at, "what this filter does to requests is not modelled"),
    }
    fields.close(account);
}

/// `redirect 301 to scheme https`.
fn redirect(value: &Value, account: &mut Account) -> String {
    let mut fields = Fields::of(value, account);
    let mut parts = Vec::new();
    for (field, what) in [("scheme", "scheme"), ("hostname", "host")] {
        parts.extend(fields.word(field, account).map(|text| format!("{what} {text}")));
    }
    parts.extend(fields.number("port", 1..=65535, account).map(|port| format!("port {port}")));
    parts.extend(fields.setting("path", "", account));
    let code = fields.number("statusCode", 300..=399, account).unwrap_or(302);
    fields.close(account);
    format!("redirect {code} to {}", if parts.is_empty() { "itself".to_owned() } else { parts.join(", ") })
}

fn destination(
    value: &Value,
    meta: &Meta<'_>,
    settings: &mut Vec<String>,
    account: &mut Account,
) -> Option<Destination> {
    let mut fields = Fields::of(value, account);
    let group = group(&mut fields, account);
    let kind = fields.word("kind", account).unwrap_or("Service");
    let name = fields.word("name", account);
    let namespace = fields.word("namespace", account).unwrap_or(&meta.namespace);
    let port = fields.number("port", 1..=65535, account).and_then(|port| u16::try_from(port).ok());
    let weight = fields.number("weight", 0..=1_000_000, account).and_then(|weight| u32::try_from(weight).ok());
    settings.extend(fields.setting("filters", "", account));
    fields.close(account);
    let Some(name) = name else {
        account.gap(value.at, "a backend has a `name`");
        return None;
    };
    let other = (!group.is_empty() || kind != "Service").then(|| format!("{kind} {namespace}/{name}"));
    if other.is_none() && port.is_none() {
        account.gap(value.at, "\"Port is required when the referent is a Kubernetes Service\"");
    }
    if other.is_some() {
        account.claim(value.at, Disposition::Opaque(SETTING));
    }
    let port = port.map_or(PortName::Unsaid, PortName::Number);
    let name = (namespace.into(), name.into());
    Some(Destination { other, name, port, weight: weight.unwrap_or(1), at: value.at })
}
