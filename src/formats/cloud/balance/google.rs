//! Load balancers of Google: forwarding rules, proxies, URL maps and backend services.
//!
//! registry: `google_compute_forwarding_rule`, `google_compute_global_forwarding_rule`, `google_compute_target_http_proxy`,
//! `google_compute_target_https_proxy`, `google_compute_target_tcp_proxy`, `google_compute_target_ssl_proxy` and their regional
//! ones; cloud.google.com, "Forwarding rules overview", "Target proxies overview".

use super::super::attributes::{Attributes, Known, port_range, text_of};
use super::super::content;
use super::services::{self, Checks};
use super::url_maps::{self, Map};
use super::{Decides, Instance, Lowering, Reached, Referred, joined, told};
use crate::formats::Disposition;
use crate::formats::cloud::Mine;
use crate::model::{Condition, Outcome, Protocol, Route, Tls};
use crate::net::{Family, Set, parse_address};
use std::collections::BTreeMap;

pub(super) const KINDS: &[&str] = &[
    "google_compute_forwarding_rule",
    "google_compute_global_forwarding_rule",
    "google_compute_target_http_proxy",
    "google_compute_region_target_http_proxy",
    "google_compute_target_https_proxy",
    "google_compute_region_target_https_proxy",
    "google_compute_target_tcp_proxy",
    "google_compute_region_target_tcp_proxy",
    "google_compute_target_ssl_proxy",
    "google_compute_url_map",
    "google_compute_region_url_map",
    "google_compute_backend_service",
    "google_compute_region_backend_service",
    "google_compute_health_check",
    "google_compute_region_health_check",
    "google_compute_http_health_check",
    "google_compute_https_health_check",
];

const PROXIES: &[&str] = &[
    "google_compute_target_http_proxy",
    "google_compute_region_target_http_proxy",
    "google_compute_target_https_proxy",
    "google_compute_region_target_https_proxy",
    "google_compute_target_tcp_proxy",
    "google_compute_region_target_tcp_proxy",
    "google_compute_target_ssl_proxy",
];

const MAPS: &[&str] = &["google_compute_url_map", "google_compute_region_url_map"];

pub(super) const SERVICES: &[&str] = &["google_compute_backend_service", "google_compute_region_backend_service"];

/// What TLS of a proxy is like.
const TLS: &[(&str, &str)] =
    &[("ssl_policy", ""), ("server_tls_policy", ""), ("tls_early_data", ""), ("quic_override", "NONE")];

/// What else is said of a proxy, with what is so where nobody says it.
const PROXY: &[(&str, &str)] = &[("proxy_header", "NONE"), ("http_keep_alive_timeout_sec", "610"), ("proxy_bind", "")];

/// What is said of a forwarding rule, with what is so where nobody says it.
const RULE: &[(&str, &str)] = &[
    ("allow_global_access", ""),
    ("allow_psc_global_access", ""),
    ("external_managed_backend_bucket_migration_state", ""),
    ("external_managed_backend_bucket_migration_testing_percentage", ""),
    ("ip_collection", ""),
    ("ip_version", ""),
    ("is_mirroring_collector", ""),
    ("load_balancing_scheme", "EXTERNAL"),
    ("metadata_filters", ""),
    ("network", ""),
    ("network_tier", "PREMIUM"),
    ("no_automate_dns_zone", ""),
    ("recreate_closed_psc", ""),
    ("service_directory_registrations", ""),
    ("service_label", ""),
    ("subnetwork", ""),
];

/// What a proxy does.
struct Proxy {
    protocol: Protocol,
    tls: Option<Tls>,
    map: Map,
    settings: Vec<String>,
}

pub(super) fn lower(lowering: &mut Lowering<'_, '_>, mine: &Mine<'_>) {
    let of = |wanted: &'static [&'static str]| mine.iter().filter(move |(kind, _)| wanted.contains(kind)).copied();
    let mut checks = Checks::new();
    for (_, instance) in of(services::CHECKS) {
        checks.insert(instance.address.to_string(), services::check(instance));
    }
    for (_, instance) in of(SERVICES) {
        services::service(lowering, instance, &checks);
    }
    let mut maps = BTreeMap::new();
    for (_, instance) in of(MAPS) {
        if let Some(map) = url_maps::read(lowering, instance) {
            maps.insert(instance.address.to_string(), map);
        }
    }
    let mut proxies = BTreeMap::new();
    for (kind, instance) in of(PROXIES) {
        if let Some(proxy) = proxy(lowering, kind, instance, &maps) {
            proxies.insert(instance.address.to_string(), proxy);
        }
    }
    for (_, instance) in of(&["google_compute_forwarding_rule", "google_compute_global_forwarding_rule"]) {
        rule(lowering, instance, &proxies);
    }
    // Without a forwarding rule nothing reaches them, and what they are is told all the same.
    for (kind, instance) in of(services::CHECKS) {
        lowering.object(kind, instance, content::of(&instance.body, &[]));
    }
}

fn proxy(
    lowering: &mut Lowering<'_, '_>,
    kind: &str,
    instance: &Instance,
    maps: &BTreeMap<String, Map>,
) -> Option<Proxy> {
    let mut body = Attributes::open(&instance.body, lowering.account)?;
    body.at = instance.origin;
    let secure = kind.contains("https_proxy") || kind.contains("ssl_proxy");
    let protocol = if kind.contains("http") { Protocol::Http } else { Protocol::Tcp };
    let mut tls = None;
    if secure {
        let mut certificates = lowering.certificates(&mut body, "ssl_certificates");
        certificates.extend(lowering.certificates(&mut body, "certificate_manager_certificates"));
        certificates.extend(lowering.certificate(&mut body, "certificate_map"));
        let settings = lowering.rest(&mut body, TLS);
        tls = Some(Tls { certificates, settings });
    }
    let settings = lowering.rest(&mut body, PROXY);
    let map = if protocol == Protocol::Http {
        let of = lowering.needed(&mut body, "url_map", MAPS);
        match of.as_ref().map(|of| maps.get(&of.name).ok_or(of)) {
            Some(Ok(map)) => map.clone(),
            Some(Err(Referred { name, instance: _ })) => Map::elsewhere(name, instance.origin),
            None => Map::elsewhere("what is not understood", instance.origin),
        }
    } else {
        let of = lowering.needed(&mut body, "backend_service", SERVICES);
        let of = of.map_or_else(|| "what is not understood".to_owned(), |of| of.name);
        let otherwise = lowering.toward(&of, "the backend service is not in these files", instance.origin);
        Map { routes: Vec::new(), otherwise, otherwise_at: instance.origin, settings: Vec::new() }
    };
    body.inert(&["name", "project", "proxy_id"], "what it is called", lowering.account);
    lowering.done(body);
    if let Some(name) = &instance.existence {
        // A forwarding rule cannot lead to nothing.
        return Some(Proxy { protocol, tls, map, settings: vec![settings, format!("if {name}")] });
    }
    Some(Proxy { protocol, tls, map, settings: vec![settings] })
}

/// "ip_protocol - TCP, UDP, ESP, AH, SCTP, ICMP and L3_DEFAULT"; "port_range, ports, all_ports". One that leads to a backend service
/// without any of these takes all ports of an internal balancer that says `all_ports` only.
fn rule(lowering: &mut Lowering<'_, '_>, instance: &Instance, proxies: &BTreeMap<String, Proxy>) {
    let Some(mut body) = Attributes::open(&instance.body, lowering.account) else { return };
    body.at = instance.origin;
    let target = lowering.named(&mut body, "target", PROXIES);
    let service = lowering.named(&mut body, "backend_service", SERVICES);
    let protocol = lowering.word(&mut body, "ip_protocol");
    let address = body.take("ip_address").and_then(|entry| text_of(&entry.value, "address", lowering.account));
    let mut settings = vec![protocol.as_ref().and_then(|protocol| told("ip_protocol", protocol)).unwrap_or_default()];
    let ports = ports(lowering, &mut body, &mut settings);
    let sources = body.items("source_ip_ranges");
    let mut routes = Vec::new();
    if !sources.is_empty() {
        // "If not empty, this Forwarding Rule will only forward the traffic when the source IP address matches".
        let condition = lowering.sources(&sources).negated();
        let outcome = Outcome::Refused("its source is not one that is forwarded".to_owned());
        routes.push(Route { condition, outcome, origin: instance.origin });
    }
    let scheme = body.value("load_balancing_scheme").and_then(|value| value.as_text());
    settings.push(lowering.rest(&mut body, RULE));
    let filled = [
        "name",
        "project",
        "base_forwarding_rule",
        "forwarding_rule_id",
        "psc_connection_id",
        "psc_connection_status",
        "service_name",
    ];
    body.inert(&filled, "it decides about no request", lowering.account);
    let found = target.as_ref().and_then(|target| proxies.get(&target.name));
    let (mut spoken, tls, map): (Vec<Protocol>, Option<Tls>, Map) = match (found, &target, &service) {
        (Some(Proxy { protocol, tls, map, settings: mine }), _, _) => {
            settings.extend(mine.iter().cloned());
            (vec![*protocol], tls.clone(), map.clone())
        }
        (None, Some(Referred { name, .. }), _) => (vec![Protocol::Tcp], None, Map::elsewhere(name, instance.origin)),
        (None, None, Some(Referred { name, .. })) => {
            let otherwise = lowering.toward(name, "the backend service is not in these files", instance.origin);
            let map = Map { routes: Vec::new(), otherwise, otherwise_at: instance.origin, settings: Vec::new() };
            (vec![Protocol::Tcp], None, map)
        }
        (None, None, None) => {
            lowering.account.gap(instance.origin, "it forwards to neither a target nor a backend service");
            (vec![Protocol::Tcp], None, Map::elsewhere("what is not understood", instance.origin))
        }
    };
    if found.is_none() {
        match &protocol {
            Some(Known::Is(word)) => match word.as_str() {
                "tcp" => {
                    let at = lowering.place(&body, "ip_protocol");
                    lowering.account.claim(at, Disposition::Inert("as it is by default"));
                }
                "udp" => spoken = vec![Protocol::Udp],
                "l3_default" => {
                    spoken = vec![Protocol::Tcp, Protocol::Udp];
                    settings.push("all protocols".to_owned());
                }
                other => {
                    let reason = format!(
                        "what is forwarded is neither TCP nor UDP: `{}`",
                        crate::text::escape(other.as_bytes())
                    );
                    lowering.account.gap(instance.origin, reason);
                }
            },
            Some(Known::Not(_)) => spoken = vec![Protocol::Tcp, Protocol::Udp],
            None => {}
        }
    }
    lowering.done(body);
    let Map { routes: more, otherwise, otherwise_at, settings: mine } = map;
    settings.extend(mine);
    routes.extend(more);
    let internal = scheme.is_some_and(|scheme| scheme.starts_with("INTERNAL"));
    let (address, addresses) = placed(instance, address, internal);
    for (number, protocol) in spoken.iter().enumerate() {
        let suffix = if number == 0 { "" } else { " (udp)" };
        let reached = Reached {
            protocol: *protocol,
            address: address.clone(),
            addresses: addresses.clone(),
            ports: ports.clone(),
            tls: tls.clone(),
        };
        let decides = Decides {
            routes: routes.clone(),
            otherwise: otherwise.clone(),
            otherwise_at: Some(otherwise_at),
            settings: settings.clone(),
        };
        let name = format!("{}{suffix}", instance.address);
        lowering.listen(name, instance, content::owner(&instance.body), reached, decides);
    }
}

fn placed(
    instance: &Instance,
    address: Option<Known<std::sync::Arc<str>>>,
    internal: bool,
) -> (String, Option<(Set, Set)>) {
    let note = if internal { " (internal)" } else { "" };
    match address {
        Some(Known::Is(text)) => match parse_address(&text) {
            Some((Family::Ipv4, address)) => (text.to_string(), Some((Set::point(address), Set::empty()))),
            Some((Family::Ipv6, address)) => (text.to_string(), Some((Set::empty(), Set::point(address)))),
            None => (format!("{text}{note}"), None),
        },
        Some(Known::Not(name)) => (format!("{name}{note}"), None),
        None => (format!("{}{note}", instance.address), None),
    }
}

/// The ranges of ports; `None`: they are not known.
fn ports(
    lowering: &mut Lowering<'_, '_>,
    body: &mut Attributes<'_>,
    settings: &mut Vec<String>,
) -> Vec<Option<(u16, u16)>> {
    let all = lowering.flag(body, "all_ports", false);
    let mut items = body.items("ports").all();
    items.extend(body.items("port_range").all());
    let mut out = Vec::new();
    for item in items {
        match text_of(&item, "port or range of ports", lowering.account) {
            Some(Known::Is(text)) => match port_range(&text) {
                Some((first, last)) => {
                    let port = |port: u128| u16::try_from(port).unwrap_or(u16::MAX);
                    out.push(Some((port(first), port(last))));
                }
                None => lowering.account.gap(item.at, "a port or range of ports is expected"),
            },
            Some(Known::Not(name)) => {
                settings.push(format!("ports = unknown {name}"));
                out.push(None);
            }
            None => {}
        }
    }
    out.sort_unstable();
    out.dedup();
    match all {
        Known::Is(true) => return vec![Some((0, u16::MAX))],
        Known::Is(false) => {}
        Known::Not(name) => {
            settings.push(joined([format!("all_ports = unknown {name}")]));
            out.push(None);
        }
    }
    if out.is_empty() {
        lowering.account.gap(body.at, "on which ports it is reached is not said");
        out.push(None);
    }
    out
}

/// A route that is always taken.
pub(super) fn always(outcome: Outcome, origin: crate::text::Span) -> Route {
    Route { condition: Condition::Always, outcome, origin }
}
