//! Load balancers of Scaleway.
//!
//! registry: `scaleway_lb`, `scaleway_lb_ip`, `scaleway_lb_frontend`, `scaleway_lb_backend`, `scaleway_lb_route`,
//! `scaleway_lb_acl`; Scaleway documentation, "Understanding Load Balancer ACLs", "Setting up and managing routes".

use super::super::attributes::{Attributes, Known};
use super::super::content;
use super::{Decides, Instance, Lowering, Number, Reached, Referred, backend, joined, server, told};
use crate::formats::cloud::Mine;
use crate::formats::data::value::Value;
use crate::model::{Condition, Outcome, Protocol, Route, Server, Subject, Tls};
use crate::net::{Family, Pattern, Set, parse_address};
use crate::text::{Span, escape};
use std::collections::{BTreeMap, BTreeSet};

pub(super) const KINDS: &[&str] = &[
    "scaleway_lb",
    "scaleway_lb_ip",
    "scaleway_lb_frontend",
    "scaleway_lb_backend",
    "scaleway_lb_route",
    "scaleway_lb_acl",
    "scaleway_lb_private_network",
];

const BALANCERS: &[&str] = &["scaleway_lb"];
const ADDRESSES: &[&str] = &["scaleway_lb_ip"];
const FRONTENDS: &[&str] = &["scaleway_lb_frontend"];
const BACKENDS: &[&str] = &["scaleway_lb_backend"];

/// What is compared of a backend, with what is so where nobody says it.
const BACKEND: &[(&str, &str)] = &[
    ("forward_port_algorithm", "roundrobin"),
    ("sticky_sessions", "none"),
    ("sticky_sessions_cookie_name", ""),
    ("proxy_protocol", "none"),
    ("send_proxy_v2", ""),
    ("timeout_server", "5m"),
    ("timeout_connect", "5s"),
    ("timeout_tunnel", "15m"),
    ("timeout_queue", "0s"),
    ("on_marked_down_action", "none"),
    ("failover_host", ""),
    ("ssl_bridging", ""),
    ("ignore_ssl_server_verify", ""),
    ("max_connections", "0"),
    ("max_retries", "3"),
    ("redispatch_attempt_count", "0"),
];

/// How health is found out, with what is so where nobody says it.
const CHECK: &[(&str, &str)] = &[
    ("health_check_http", ""),
    ("health_check_https", ""),
    ("health_check_delay", "60s"),
    ("health_check_timeout", "30s"),
    ("health_check_max_retries", "2"),
    ("health_check_transient_delay", "0.5s"),
    ("health_check_send_proxy", ""),
];

/// A balancer, for what is of it.
struct Balancer {
    address: String,
    addresses: Option<(Set, Set)>,
    owner: Option<String>,
    reach: String,
}

/// An access rule: where it stands in the order, which requests, and what becomes of them (`None`: they go on).
struct Access {
    index: i128,
    condition: Condition,
    outcome: Option<Outcome>,
    at: Span,
}

/// A route: which requests, whether those of no other, and to which backend.
struct Way {
    condition: Condition,
    apart: bool,
    outcome: Outcome,
    name: String,
    at: Span,
}

pub(super) fn lower(lowering: &mut Lowering<'_, '_>, mine: &Mine<'_>) {
    let of = |wanted: &'static str| mine.iter().filter(move |(kind, _)| *kind == wanted).copied();
    for (kind, instance) in of("scaleway_lb_ip").chain(of("scaleway_lb_private_network")) {
        let content = content::of(&instance.body, &["organization_id", "project_id", "lb_id", "ip_address", "status"]);
        lowering.object(kind, instance, content);
    }
    let mut balancers = BTreeMap::new();
    for (kind, instance) in of("scaleway_lb") {
        if let Some(balancer) = balancer(lowering, kind, instance) {
            balancers.insert(instance.address.to_string(), balancer);
        }
    }
    let mut spoken = BTreeMap::new();
    for (_, instance) in of("scaleway_lb_backend") {
        if let Some(protocol) = pool(lowering, instance, &balancers) {
            spoken.insert(instance.address.to_string(), protocol);
        }
    }
    let mut rules: BTreeMap<String, Vec<Access>> = BTreeMap::new();
    for (_, instance) in of("scaleway_lb_acl") {
        let Some(mut body) = Attributes::open(&instance.body, lowering.account) else { continue };
        body.at = instance.origin;
        let Some(frontend) = lowering.needed(&mut body, "frontend_id", FRONTENDS) else { continue };
        let index = number_of(lowering, &mut body, "index");
        let there = lowering.existing(instance);
        let mut rule = access(lowering, body, index, instance.origin);
        rule.condition = Condition::all([there, rule.condition]);
        rules.entry(frontend.name).or_default().push(rule);
    }
    let mut ways: BTreeMap<String, Vec<Way>> = BTreeMap::new();
    for (_, instance) in of("scaleway_lb_route") {
        if let Some((frontend, way)) = route(lowering, instance) {
            ways.entry(frontend).or_default().push(way);
        }
    }
    for (_, instance) in of("scaleway_lb_frontend") {
        let mine =
            (rules.remove(&*instance.address).unwrap_or_default(), ways.remove(&*instance.address).unwrap_or_default());
        frontend(lowering, instance, (&balancers, &spoken), mine);
    }
    for (frontend, rules) in rules {
        for rule in rules {
            lowering.apart(
                format!("{frontend} {}", rule.index),
                "access rule of a listener",
                format!("{:?}", rule.outcome),
                rule.at,
            );
        }
    }
    for (frontend, ways) in ways {
        for way in ways {
            lowering.apart(
                format!("{frontend} {}", way.name),
                "route of a listener",
                format!("{:?}", way.outcome),
                way.at,
            );
        }
    }
}

fn balancer(lowering: &mut Lowering<'_, '_>, kind: &'static str, instance: &Instance) -> Option<Balancer> {
    let mut body = Attributes::open(&instance.body, lowering.account)?;
    body.at = instance.origin;
    // An address that is one of this configuration may be known there.
    let mut ends: Vec<Referred<'_>> = lowering.named(&mut body, "ip_id", ADDRESSES).into_iter().collect();
    ends.extend(lowering.all_named(&mut body, "ip_ids", ADDRESSES).into_iter().map(|(of, _)| of));
    let names: BTreeSet<&str> = ends.iter().map(|of| of.name.as_str()).collect();
    let reach = joined(names.iter().map(|name| format!("at {name}")));
    let network = lowering
        .rest(&mut body, &[("assign_flexible_ip", "true"), ("assign_flexible_ipv6", ""), ("private_network", "")]);
    let external = lowering.rest(&mut body, &[("external_private_networks", "")]);
    let names =
        [("name", ""), ("type", ""), ("zone", ""), ("ssl_compatibility_level", "ssl_compatibility_level_intermediate")];
    let rest = lowering.rest(&mut body, &names);
    let mut known = Vec::new();
    for text in [body.value("ip_address"), body.value("ipv6_address")].into_iter().flatten() {
        known.extend(text.as_text().filter(|_| !text.sensitive).and_then(|text| parse_address(&text)));
    }
    for end in &ends {
        let text = end.instance.and_then(|of| of.body.object()).and_then(|body| body.get("ip_address"));
        known.extend(text.and_then(Value::as_text).and_then(|text| parse_address(&text)));
    }
    let filled = ["ip_address", "ipv6_address", "organization_id", "project_id", "release_ip", "private_ips"];
    body.inert(&filled, "it decides about no request", lowering.account);
    lowering.done(body);
    let reach = joined([reach, network, external]);
    lowering.object(kind, instance, joined([reach.clone(), rest]));
    known.sort_unstable();
    known.dedup();
    let set = |family| {
        Set::from_ranges(known.iter().filter(|(of, _)| *of == family).map(|(_, address)| (*address, *address)))
    };
    let first = known.first().map(|(family, address)| crate::net::format_addresses(*family, *address, *address));
    Some(Balancer {
        address: first.unwrap_or_else(|| instance.address.to_string()),
        addresses: (!known.is_empty()).then(|| (set(Family::Ipv4), set(Family::Ipv6))),
        owner: content::owner(&instance.body),
        reach,
    })
}

/// A backend, and what it is spoken with.
fn pool(
    lowering: &mut Lowering<'_, '_>,
    instance: &Instance,
    balancers: &BTreeMap<String, Balancer>,
) -> Option<Option<Protocol>> {
    let mut body = Attributes::open(&instance.body, lowering.account)?;
    body.at = instance.origin;
    let of = lowering.needed(&mut body, "lb_id", BALANCERS);
    let of = of.and_then(|of| balancers.get(&of.name));
    let protocol = lowering.word(&mut body, "forward_protocol");
    let spoken = match &protocol {
        Some(Known::Is(word)) if word == "http" => Some(Protocol::Http),
        Some(Known::Is(word)) if word == "tcp" => Some(Protocol::Tcp),
        Some(Known::Not(_)) => None,
        Some(Known::Is(_)) | None => {
            lowering.account.gap(instance.origin, "the `forward_protocol` is neither http nor tcp");
            None
        }
    };
    let port = lowering.port(&mut body, "forward_port");
    let said = protocol.as_ref().and_then(|protocol| told("forward_protocol", protocol)).unwrap_or_default();
    let word = match &protocol {
        Some(Known::Is(word)) => format!("forward_protocol = {word}"),
        Some(Known::Not(_)) | None => String::new(),
    };
    let settings = lowering.rest(&mut body, BACKEND);
    // "health_check_tcp - This block enable TCP health check. Only one of health_check_tcp, health_check_http and
    // health_check_https should be specified", and is what is done by default.
    body.inert(&["health_check_tcp"], "as it is by default", lowering.account);
    let check = lowering.rest(&mut body, CHECK);
    let kind = if check.contains("health_check_http") { String::new() } else { "tcp".to_owned() };
    let on = lowering.port(&mut body, "health_check_port");
    let on_text = match &on {
        // "health_check_port - (Default: `forward_port`)".
        Number::Is(on) if Some(*on) != port.port().map(u32::from) => format!("port {on}"),
        Number::Unknown(name) => format!("port = unknown {name}"),
        Number::Is(_) | Number::Unsaid => String::new(),
    };
    let mut backend = backend(instance.address.to_string(), owner(instance, of), instance.origin);
    backend.settings = joined([word, said, port.unknown("forward_port").unwrap_or_default(), settings]);
    backend.health_check = Some(joined([kind, check, on_text]));
    backend.sources = of.and_then(|of| of.addresses.clone());
    let items = body.items("server_ips");
    if let Some((unknown, _)) = items.perhaps.first() {
        backend.open = Some(format!("`server_ips` has one of {unknown}"));
    }
    for item in &items.there {
        let Some(known) = super::text_of(item, "address", lowering.account) else { continue };
        let address = super::shown(&known);
        let on = on.port().filter(|on| Some(*on) != port.port());
        backend.servers.push(Server {
            check: Some(on),
            ..server(address.clone(), address, port.port(), instance.existence.as_ref(), item.at)
        });
    }
    body.inert(&["name"], "what it is called", lowering.account);
    lowering.done(body);
    lowering.serve(backend);
    Some(spoken)
}

fn owner(instance: &Instance, of: Option<&Balancer>) -> Option<String> {
    content::owner(&instance.body).or_else(|| of.and_then(|of| of.owner.clone()))
}

type Around<'b> = (&'b BTreeMap<String, Balancer>, &'b BTreeMap<String, Option<Protocol>>);

fn frontend(
    lowering: &mut Lowering<'_, '_>,
    instance: &Instance,
    (balancers, spoken): Around<'_>,
    (mut rules, ways): (Vec<Access>, Vec<Way>),
) {
    let Some(mut body) = Attributes::open(&instance.body, lowering.account) else { return };
    body.at = instance.origin;
    let of = lowering.needed(&mut body, "lb_id", BALANCERS);
    let to = lowering.needed(&mut body, "backend_id", BACKENDS);
    let port = lowering.port(&mut body, "inbound_port");
    if port == Number::Unsaid {
        lowering.account.gap(instance.origin, "the frontend has no `inbound_port`");
    }
    let mut certificates = lowering.certificates(&mut body, "certificate_ids");
    let old = lowering.certificate(&mut body, "certificate_id");
    certificates.extend(old.filter(|old| certificates.iter().all(|known| known.0 != old.0)));
    let blocks = body.items("acl");
    for (number, item) in blocks.there.iter().enumerate() {
        let Some(block) = Attributes::open(item, lowering.account) else { continue };
        let index = i128::try_from(number).unwrap_or(i128::MAX);
        let rule = access(lowering, block, Some(index), item.at);
        rules.push(rule);
    }
    if let Some((unknown, value)) = blocks.perhaps.first() {
        let condition = lowering.opaque(format!("the request is as one of {unknown} denies"));
        let outcome = Some(Outcome::Refused("an access rule".to_owned()));
        rules.push(Access { index: i128::MIN, condition, outcome, at: value.at });
    }
    let names = [("timeout_client", "5m"), ("enable_http3", ""), ("connection_rate_limit", "0"), ("external_acls", "")];
    let settings = lowering.rest(&mut body, &names);
    body.inert(&["name", "enable_access_logs"], "it decides about no request", lowering.account);
    lowering.done(body);
    rules.sort_by_key(|rule| rule.index);
    twice(lowering, &rules);
    let mut routes = Vec::new();
    // What an access rule lets pass is asked by no later one.
    let mut passed = Vec::new();
    for Access { index: _, condition, outcome, at } in rules {
        match outcome {
            None => passed.push(condition),
            Some(outcome) => {
                let open = Condition::any(passed.iter().cloned()).negated();
                routes.push(Route { condition: Condition::all([open, condition]), outcome, origin: at });
            }
        }
    }
    routes.extend(in_order(lowering, ways));
    let tls = (!certificates.is_empty()).then(|| Tls { certificates, settings: String::new() });
    let known = of.as_ref().and_then(|of| balancers.get(&of.name));
    let otherwise = match &to {
        Some(to) => lowering.toward(&to.name, "the backend is not in these files", instance.origin),
        None => Outcome::Computed("what is not understood".to_owned()),
    };
    let protocol = to.as_ref().and_then(|to| spoken.get(&to.name).copied().flatten());
    let reached = Reached {
        protocol: protocol.unwrap_or(Protocol::Tcp),
        address: known
            .map_or_else(|| of.as_ref().map_or("a load balancer", |of| &of.name).to_owned(), |b| b.address.clone()),
        addresses: known.and_then(|known| known.addresses.clone()),
        ports: vec![port.port().map(|port| (port, port))],
        tls,
    };
    let unknown = if protocol.is_none() { "what is spoken is not known" } else { "" };
    let reach = known.map_or_else(String::new, |known| known.reach.clone());
    let settings = vec![reach, settings, unknown.to_owned(), port.unknown("inbound_port").unwrap_or_default()];
    let decides = Decides { routes, otherwise, otherwise_at: Some(instance.origin), settings };
    lowering.listen(instance.address.to_string(), instance, owner(instance, known), reached, decides);
}

/// Two access rules of one place: which comes first is not known.
fn twice(lowering: &mut Lowering<'_, '_>, rules: &[Access]) {
    for pair in rules.windows(2) {
        if let [a, b] = pair
            && a.index == b.index
        {
            let reason = format!("another access rule of the frontend has the index {} too", b.index);
            lowering.account.gap(b.at, reason);
        }
    }
}

fn number_of(lowering: &mut Lowering<'_, '_>, body: &mut Attributes<'_>, name: &str) -> Option<i128> {
    let known = body.number(name, lowering.account)?;
    body.inert(&[name], "only the order counts", lowering.account);
    match known {
        Known::Is(number) => Some(number),
        Known::Not(unknown) => {
            let unknown = escape(unknown.as_bytes());
            lowering.account.gap(body.at, format!("its place is not known, because `{name}` is not: `{unknown}`"));
            None
        }
    }
}

/// "action - `allow`, `deny` or `redirect`"; "match - ip_subnet, ips_edge_services, http_filter (`acl_http_filter_none`, `path_begin`,
/// `path_end`, `http_header_match` or `regex`), http_filter_value, http_filter_option, invert - If set to `true`, the condition
/// will be of type "unless"".
fn access(lowering: &mut Lowering<'_, '_>, mut body: Attributes<'_>, index: Option<i128>, at: Span) -> Access {
    let mut outcome = Some(Outcome::Computed("what is not understood".to_owned()));
    if let Some(block) = lowering.block(&mut body, "action")
        && let Some(mut action) = Attributes::open(block, lowering.account)
    {
        let kind = lowering.word(&mut action, "type");
        let redirect = lowering.rest(&mut action, &[("redirect", "")]);
        lowering.done(action);
        outcome = match &kind {
            Some(Known::Is(kind)) if kind == "allow" => None,
            Some(Known::Is(kind)) if kind == "deny" => Some(Outcome::Refused("an access rule".to_owned())),
            Some(Known::Is(kind)) if kind == "redirect" => Some(Outcome::Answered(redirect)),
            Some(Known::Not(name)) => Some(Outcome::Computed(name.clone())),
            Some(Known::Is(_)) | None => {
                lowering.account.gap(at, "an access rule allows, denies or redirects");
                outcome
            }
        };
    } else {
        lowering.account.gap(at, "an access rule has a block `action`");
    }
    let condition = match lowering.block(&mut body, "match") {
        Some(block) => matched(lowering, block),
        None => {
            lowering.account.gap(at, "an access rule has a block `match`");
            Condition::Always
        }
    };
    body.inert(&["name"], "it decides about no request", lowering.account);
    lowering.done(body);
    Access { index: index.unwrap_or(0), condition, outcome, at }
}

fn matched(lowering: &mut Lowering<'_, '_>, value: &Value) -> Condition {
    let Some(mut block) = Attributes::open(value, lowering.account) else { return Condition::Always };
    let mut parts = Vec::new();
    let subnets = block.items("ip_subnet");
    if !subnets.is_empty() {
        parts.push(lowering.sources(&subnets));
    }
    match lowering.flag(&mut block, "ips_edge_services", false) {
        Known::Is(false) => {}
        Known::Is(true) => parts.push(lowering.opaque("the source is one of Edge Services")),
        Known::Not(name) => parts.push(lowering.opaque(format!("the source is one of Edge Services if {name}"))),
    }
    let filter = lowering.word(&mut block, "http_filter");
    let option = block.text("http_filter_option", lowering.account).map(|known| super::shown(&known));
    let values = block.items("http_filter_value");
    match &filter {
        Some(Known::Is(filter)) => match filter.as_str() {
            "acl_http_filter_none" => {}
            // The documentation writes values without the slash that paths begin with; those with it are as they read.
            "path_begin" => {
                let make = |text: &str| text.starts_with('/').then(|| Pattern::prefix(text));
                parts.push(lowering.texts(&values, Subject::Path, "beginning of the path", make));
            }
            "path_end" => {
                parts.push(
                    lowering.texts(&values, Subject::Path, "end of the path", |text| Some(Pattern::suffix(text))),
                );
            }
            other => {
                if !["regex", "http_header_match"].contains(&other) {
                    lowering.account.gap(value.at, format!("there is no filter `{}` here", escape(other.as_bytes())));
                }
                let option = option.clone().unwrap_or_default();
                let what = format!("{other} {option}");
                let none = lowering.texts(&values, Subject::Path, what.trim_end(), |_| None);
                parts.push(none);
            }
        },
        Some(Known::Not(name)) => parts.push(lowering.opaque(format!("the request is as {name} asks"))),
        None => {}
    }
    let invert = lowering.flag(&mut block, "invert", false);
    lowering.done(block);
    let condition = Condition::all(parts);
    match invert {
        Known::Is(false) => condition,
        Known::Is(true) => condition.negated(),
        Known::Not(name) => {
            let inverted = lowering.opaque(format!("{name} is true"));
            Condition::any([
                Condition::all([inverted.clone(), condition.clone().negated()]),
                Condition::all([inverted.negated(), condition]),
            ])
        }
    }
}

/// "match_sni - The Server Name Indication TLS extension to match. match_host_header - The Host request header to match.
/// match_path_begin - The URL path prefix. Only one of … should be specified. match_subdomains - If true, all subdomains will match."
fn route(lowering: &mut Lowering<'_, '_>, instance: &Instance) -> Option<(String, Way)> {
    let mut body = Attributes::open(&instance.body, lowering.account)?;
    body.at = instance.origin;
    let frontend = lowering.needed(&mut body, "frontend_id", FRONTENDS);
    let to = lowering.needed(&mut body, "backend_id", BACKENDS);
    let below = lowering.flag(&mut body, "match_subdomains", false);
    let mut parts = vec![lowering.existing(instance)];
    let mut apart = below == Known::Is(false);
    let names = [
        ("match_sni", Subject::ServerName),
        ("match_host_header", Subject::HostName),
        ("match_path_begin", Subject::Path),
    ];
    for (name, subject) in names {
        let items = body.items(name);
        if items.is_empty() {
            continue;
        }
        apart &= subject != Subject::Path && items.perhaps.is_empty();
        let exact = |text: &str| {
            Some(if subject == Subject::Path { Pattern::prefix(text) } else { Pattern::exact(text).ignoring_case() })
        };
        let mut any = vec![lowering.texts(&items, subject, name, exact)];
        if below != Known::Is(false) && subject != Subject::Path {
            let suffix = |text: &str| Some(Pattern::suffix(format!(".{text}")).ignoring_case());
            let deeper = lowering.texts(&items, subject, name, suffix);
            any.push(match &below {
                Known::Is(_) => deeper,
                Known::Not(name) => Condition::all([lowering.opaque(format!("{name} is true")), deeper]),
            });
        }
        parts.push(Condition::any(any));
    }
    if parts.len() != 2 {
        lowering.account.gap(instance.origin, "a route matches exactly one of server name, host and path");
    }
    lowering.done(body);
    let (frontend, to) = (frontend?, to?);
    let outcome = lowering.toward(&to.name, "the backend is not in these files", instance.origin);
    let (name, at) = (instance.address.to_string(), instance.origin);
    Some((frontend.name, Way { condition: Condition::all(parts), apart, outcome, name, at }))
}

/// Routes for different hosts exclude one another. Which of others is asked first is said nowhere, so each may be.
fn in_order(lowering: &mut Lowering<'_, '_>, mut ways: Vec<Way>) -> Vec<Route> {
    ways.sort_by(|a, b| a.name.cmp(&b.name));
    let alone = ways.len() == 1;
    let (mut first, mut last) = (Vec::new(), Vec::new());
    for Way { condition, apart, outcome, name, at } in ways {
        if !apart && !alone {
            let early = lowering.opaque(format!("{name} is asked before the others"));
            let condition = Condition::all([early, condition.clone()]);
            first.push(Route { condition, outcome: outcome.clone(), origin: at });
        }
        last.push(Route { condition, outcome, origin: at });
    }
    first.extend(last);
    first
}
