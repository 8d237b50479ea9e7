//! Backend services of Google, their health checks and the groups behind them.
//!
//! registry: `google_compute_backend_service`, `google_compute_region_backend_service`, `google_compute_health_check`,
//! `google_compute_region_health_check`, `google_compute_http_health_check`, `google_compute_https_health_check`;
//! cloud.google.com, "Backend services overview".

use super::super::attributes::{Attributes, Known, text_of};
use super::super::content;
use super::sizes::GOOGLE;
use super::{Instance, Lowering, backend, joined, server};
use crate::formats::data::value::Value;
use crate::model::{Backend, Server};
use crate::text::escape;
use std::collections::BTreeMap;

pub(super) const CHECKS: &[&str] = &[
    "google_compute_health_check",
    "google_compute_region_health_check",
    "google_compute_http_health_check",
    "google_compute_https_health_check",
];

/// What is compared of a service, with what is so where nobody says it.
const SERVICE: &[(&str, &str)] = &[
    ("affinity_cookie_ttl_sec", "0"),
    ("cdn_policy", ""),
    ("circuit_breakers", ""),
    ("compression_mode", ""),
    ("connection_draining_timeout_sec", "300"),
    ("connection_tracking_policy", ""),
    ("consistent_hash", ""),
    ("custom_metrics", ""),
    ("custom_request_headers", ""),
    ("custom_response_headers", ""),
    ("edge_security_policy", ""),
    ("enable_cdn", ""),
    ("external_managed_migration_state", ""),
    ("external_managed_migration_testing_percentage", ""),
    ("failover_policy", ""),
    ("ha_policy", ""),
    ("iap", ""),
    ("ip_address_selection_policy", ""),
    ("load_balancing_scheme", ""),
    ("locality_lb_policies", ""),
    ("locality_lb_policy", ""),
    ("max_stream_duration", ""),
    ("network", ""),
    ("outlier_detection", ""),
    ("port_name", ""),
    ("protocol", ""),
    ("security_policy", ""),
    ("security_settings", ""),
    ("service_lb_policy", ""),
    ("session_affinity", "NONE"),
    ("strong_session_affinity_cookie", ""),
    ("subsetting", ""),
    ("timeout_sec", "30"),
    ("tls_settings", ""),
    ("dynamic_forwarding", ""),
];

/// What is compared of a group, with what is so where nobody says it.
const GROUP: &[(&str, &str)] = &[
    ("balancing_mode", ""),
    ("custom_metrics", ""),
    ("max_connections", ""),
    ("max_connections_per_endpoint", ""),
    ("max_connections_per_instance", ""),
    ("max_in_flight_requests", ""),
    ("max_in_flight_requests_per_endpoint", ""),
    ("max_in_flight_requests_per_instance", ""),
    ("max_rate", ""),
    ("max_rate_per_endpoint", ""),
    ("max_rate_per_instance", ""),
    ("max_utilization", ""),
    ("preference", ""),
    ("traffic_duration", ""),
];

/// A health check: in words.
pub(super) type Checks = BTreeMap<String, String>;

/// What a health check says, but for what the provider fills in.
pub(super) fn check(instance: &Instance) -> String {
    let without = ["name", "type", "description", "project", "region", "tags", "labels", "source_regions"];
    format!("{}: {}", instance.kind, content::of(&instance.body, &without))
}

/// "backend - The set of backends that serve this BackendService … group, capacity_scaler - A multiplier applied to the group's
/// maximum servicing capacity … default 1, which means the group will serve up to 100% …; 0 means the group is completely
/// drained; failover - This field designates whether this is a failover backend."
pub(super) fn service(lowering: &mut Lowering<'_, '_>, instance: &Instance, checks: &Checks) {
    let Some(mut body) = Attributes::open(&instance.body, lowering.account) else { return };
    body.at = instance.origin;
    let mut all = backend(instance.address.to_string(), content::owner(&instance.body), instance.origin);
    all.settings = lowering.rest(&mut body, SERVICE);
    let mut texts = Vec::new();
    for (of, _) in lowering.all_named(&mut body, "health_checks", CHECKS) {
        texts.push(checks.get(&of.name).cloned().unwrap_or(of.name));
    }
    texts.sort();
    all.health_check = (!texts.is_empty()).then(|| texts.join("; "));
    let items = body.items("backend");
    if let Some((unknown, _)) = items.perhaps.first() {
        all.open = Some(format!("`backend` has one of {unknown}"));
    }
    for item in &items.there {
        let checked = all.health_check.is_some();
        group(lowering, instance, item, checked, &mut all);
    }
    body.inert(&["log_config", "params"], "it decides about no request", lowering.account);
    body.inert(&["name", "project"], "what it is called", lowering.account);
    lowering.done(body);
    lowering.serve(all);
}

/// A group of a service: its hosts, as far as it is said how many those are, or the group as one server.
fn group(lowering: &mut Lowering<'_, '_>, instance: &Instance, value: &Value, checked: bool, all: &mut Backend) {
    let Some(mut block) = Attributes::open(value, lowering.account) else { return };
    let (name, of) = match block.take("group").and_then(|entry| text_of(&entry.value, "group", lowering.account)) {
        Some(known) => (super::shown(&known), lowering.refer(&known, GOOGLE, value.at).name),
        None => {
            lowering.account.gap(value.at, "a backend has no `group`");
            ("a group".to_owned(), String::new())
        }
    };
    let mut group = server(name.clone(), name, None, instance.existence.as_ref(), value.at);
    group.check = checked.then_some(None);
    let mut told = String::new();
    (group.weight, told) = match block.take("capacity_scaler") {
        None => (Some(1000), told),
        Some(entry) => match thousandths(&entry.value) {
            Some(weight) => (Some(weight), told),
            None => match entry.value.name_of_unknown() {
                Some(name) => (None, format!("capacity_scaler = unknown {name}")),
                None => {
                    let shown = escape(super::show(&entry.value).as_bytes());
                    lowering.account.gap(value.at, format!("`capacity_scaler` is a number from 0 to 3, not {shown}"));
                    (None, told)
                }
            },
        },
    };
    match lowering.flag(&mut block, "failover", false) {
        Known::Is(backup) => group.backup = backup,
        Known::Not(name) => told = joined([told, format!("failover = unknown {name}")]),
    }
    let rest = lowering.rest(&mut block, GROUP);
    group.settings = joined([group.settings, told, rest]);
    lowering.done(block);
    let Some(size) = lowering.balancers.sizes.get(&of).cloned() else { return all.servers.push(group) };
    let existence = size.existence.as_ref().or(instance.existence.as_ref());
    for host in lowering.hosts(&size, all, existence, value.at) {
        let settings = joined([host.settings, group.settings.clone()]);
        all.servers.push(Server {
            settings,
            enabled: host.enabled,
            name: host.name,
            address: host.address,
            ..group.clone()
        });
    }
}

/// A share in thousandths: `0.85` is 850.
fn thousandths(value: &Value) -> Option<u32> {
    let text = value.as_text().filter(|_| !value.sensitive)?;
    let (whole, part) = text.split_once('.').unwrap_or((&text, ""));
    let digits: String = part.chars().chain("000".chars()).take(3).collect();
    let whole: u32 = whole.parse().ok()?;
    let part: u32 = digits.parse().ok()?;
    whole.checked_mul(1000)?.checked_add(part)
}
