//! Load balancers of Azure.
//!
//! registry: `azurerm_lb`, `azurerm_lb_rule`, `azurerm_lb_backend_address_pool`, `azurerm_lb_backend_address_pool_address`,
//! `azurerm_lb_probe`, `azurerm_network_interface_backend_address_pool_association`; learn.microsoft.com, "Azure Load Balancer
//! components".

use super::super::attributes::{Attributes, Known};
use super::super::content;
use super::{Decides, Instance, Lowering, Number, Reached, backend, joined, server};
use crate::formats::cloud::Mine;
use crate::formats::data::value::Value;
use crate::model::{Outcome, Protocol, Server};
use crate::net::{Set, parse_address};
use crate::text::escape;
use std::collections::BTreeMap;

pub(super) const KINDS: &[&str] = &[
    "azurerm_lb",
    "azurerm_lb_rule",
    "azurerm_lb_backend_address_pool",
    "azurerm_lb_backend_address_pool_address",
    "azurerm_lb_probe",
    "azurerm_network_interface_backend_address_pool_association",
];

const BALANCERS: &[&str] = &["azurerm_lb"];
const POOLS: &[&str] = &["azurerm_lb_backend_address_pool"];
const PROBES: &[&str] = &["azurerm_lb_probe"];

/// What is compared of a rule, with what is so where nobody says it.
const RULE: &[(&str, &str)] = &[
    ("enable_floating_ip", ""),
    ("floating_ip_enabled", ""),
    ("idle_timeout_in_minutes", "4"),
    ("load_distribution", "Default"),
    ("disable_outbound_snat", ""),
    ("enable_tcp_reset", ""),
    ("tcp_reset_enabled", ""),
];

/// How health is found out, with what is so where nobody says it.
const PROBE: &[(&str, &str)] = &[
    ("protocol", "Tcp"),
    ("request_path", ""),
    ("interval_in_seconds", "15"),
    ("number_of_probes", "2"),
    ("probe_threshold", "1"),
];

/// Where a frontend of a balancer is reached.
type Ends = BTreeMap<(String, String), (String, Option<(Set, Set)>)>;

/// How health is found out: in words, and on which port.
type Probes = BTreeMap<String, (String, Option<u16>)>;

pub(super) fn lower(lowering: &mut Lowering<'_, '_>, mine: &Mine<'_>) {
    let of = |wanted: &'static str| mine.iter().filter(move |(kind, _)| *kind == wanted).copied();
    let mut ends = Ends::new();
    for (kind, instance) in of("azurerm_lb") {
        balancer(lowering, kind, instance, &mut ends);
    }
    let mut probes = Probes::new();
    for (_, instance) in of("azurerm_lb_probe") {
        if let Some(probe) = probe(lowering, instance) {
            probes.insert(instance.address.to_string(), probe);
        }
    }
    let mut pools: BTreeMap<String, Vec<Server>> = BTreeMap::new();
    for (kind, instance) in of("azurerm_lb_backend_address_pool") {
        let Some(mut body) = Attributes::open(&instance.body, lowering.account) else { continue };
        body.at = instance.origin;
        let names =
            [("loadbalancer_id", ""), ("virtual_network_id", ""), ("synchronous_mode", ""), ("tunnel_interface", "")];
        let content = lowering.rest(&mut body, &names);
        let filled = [
            "name",
            "backend_ip_configurations",
            "inbound_nat_rules",
            "load_balancing_rules",
            "outbound_rules",
            "resource_group_name",
        ];
        body.inert(&filled, "it decides about no request", lowering.account);
        lowering.done(body);
        lowering.object(kind, instance, content);
        pools.entry(instance.address.to_string()).or_default();
    }
    for (kind, instance) in mine {
        if let Some((pool, server)) = member(lowering, kind, instance) {
            pools.entry(pool).or_default().push(server);
        }
    }
    for (_, instance) in of("azurerm_lb_rule") {
        rule(lowering, instance, &ends, &probes, &pools);
    }
}

/// "frontend_ip_configuration - name, private_ip_address, public_ip_address_id, subnet_id …".
fn balancer(lowering: &mut Lowering<'_, '_>, kind: &'static str, instance: &Instance, ends: &mut Ends) {
    let Some(mut body) = Attributes::open(&instance.body, lowering.account) else { return };
    body.at = instance.origin;
    let items = body.items("frontend_ip_configuration");
    let mut parts = Vec::new();
    for item in &items.there {
        let Some(mut end) = Attributes::open(item, lowering.account) else { continue };
        let name = end.text("name", lowering.account).map(|known| super::shown(&known)).unwrap_or_default();
        let private = end.value("private_ip_address").and_then(Value::as_text).filter(|text| !text.is_empty());
        let public = end.value("public_ip_address_id").filter(|value| !value.is_null()).map(super::show);
        let names = [
            ("private_ip_address", ""),
            ("private_ip_address_allocation", "Dynamic"),
            ("private_ip_address_version", "IPv4"),
            ("public_ip_address_id", ""),
            ("public_ip_prefix_id", ""),
            ("subnet_id", ""),
            ("zones", ""),
            ("gateway_load_balancer_frontend_ip_configuration_id", ""),
        ];
        parts.push(format!("{name}: {}", lowering.rest(&mut end, &names)));
        end.inert(&["inbound_nat_rules", "load_balancer_rules", "outbound_rules"], "filled in", lowering.account);
        lowering.done(end);
        let known = private.as_deref().and_then(parse_address);
        let addresses = known.map(|(family, address)| match family {
            crate::net::Family::Ipv4 => (Set::point(address), Set::empty()),
            crate::net::Family::Ipv6 => (Set::empty(), Set::point(address)),
        });
        let address = match (&addresses, private, public) {
            (Some(_), Some(private), _) => private.to_string(),
            (_, _, Some(public)) => format!("{} at {public}", instance.address),
            (_, _, None) => format!("{} {name}", instance.address),
        };
        ends.insert((instance.address.to_string(), name), (address, addresses));
    }
    if let Some((unknown, value)) = items.perhaps.first() {
        let unknown = escape(unknown.as_bytes());
        lowering.account.gap(value.at, format!("where the balancer is reached is not known: `{unknown}`"));
    }
    let names = [("name", ""), ("sku", "Standard"), ("sku_tier", "Regional"), ("location", ""), ("edge_zone", "")];
    parts.push(lowering.rest(&mut body, &names));
    let filled = ["resource_group_name", "private_ip_address", "private_ip_addresses"];
    body.inert(&filled, "it decides about no request", lowering.account);
    lowering.done(body);
    lowering.object(kind, instance, joined(parts));
}

fn probe(lowering: &mut Lowering<'_, '_>, instance: &Instance) -> Option<(String, Option<u16>)> {
    let mut body = Attributes::open(&instance.body, lowering.account)?;
    body.at = instance.origin;
    let protocol = body.value("protocol").and_then(Value::as_text);
    let mut text = lowering.rest(&mut body, PROBE);
    if protocol.is_none_or(|protocol| &*protocol == "Tcp") {
        text = joined(["Tcp".to_owned(), text]);
    }
    let port = lowering.port(&mut body, "port");
    let on = match &port {
        Number::Is(port) => format!("port {port}"),
        Number::Unknown(name) => format!("port = unknown {name}"),
        Number::Unsaid => {
            lowering.account.gap(instance.origin, "the probe has no `port`");
            String::new()
        }
    };
    lowering.needed(&mut body, "loadbalancer_id", BALANCERS);
    body.inert(
        &["name", "resource_group_name", "load_balancer_rules"],
        "it decides about no request",
        lowering.account,
    );
    lowering.done(body);
    Some((joined([text, on]), port.port()))
}

/// What is in a pool.
fn member(lowering: &mut Lowering<'_, '_>, kind: &str, instance: &Instance) -> Option<(String, Server)> {
    let of_interface = match kind {
        "azurerm_lb_backend_address_pool_address" => false,
        "azurerm_network_interface_backend_address_pool_association" => true,
        _ => return None,
    };
    let mut body = Attributes::open(&instance.body, lowering.account)?;
    body.at = instance.origin;
    let pool = lowering.needed(&mut body, "backend_address_pool_id", POOLS);
    let name = if of_interface { "network_interface_id" } else { "ip_address" };
    let address = body.text(name, lowering.account).map(|known| super::shown(&known));
    let names =
        [("virtual_network_id", ""), ("ip_configuration_name", ""), ("backend_address_ip_configuration_id", "")];
    let settings = lowering.rest(&mut body, &names);
    body.inert(&["name", "inbound_nat_rule_port_mapping"], "it decides about no request", lowering.account);
    lowering.done(body);
    if address.is_none() && settings.is_empty() {
        lowering.account.gap(instance.origin, format!("it has no `{name}`"));
    }
    let address = address.unwrap_or_else(|| "another load balancer".to_owned());
    let existence = instance.existence.as_ref();
    let mut server = server(instance.address.to_string(), address, None, existence, instance.origin);
    server.settings = joined([server.settings, settings]);
    Some((pool?.name, server))
}

/// "protocol - `Tcp`, `Udp` or `All`"; with `All`, "frontend_port" and "backend_port" are 0 and mean all ports.
fn rule(
    lowering: &mut Lowering<'_, '_>,
    instance: &Instance,
    ends: &Ends,
    probes: &Probes,
    pools: &BTreeMap<String, Vec<Server>>,
) {
    let Some(mut body) = Attributes::open(&instance.body, lowering.account) else { return };
    body.at = instance.origin;
    let of = lowering.needed(&mut body, "loadbalancer_id", BALANCERS);
    let end = body.text("frontend_ip_configuration_name", lowering.account).map(|known| super::shown(&known));
    let (front, back) = (lowering.port(&mut body, "frontend_port"), lowering.port(&mut body, "backend_port"));
    let protocol = lowering.word(&mut body, "protocol");
    let settings = lowering.rest(&mut body, RULE);
    let mut behind = lowering.all_named(&mut body, "backend_address_pool_ids", POOLS);
    behind.extend(lowering.named(&mut body, "backend_address_pool_id", POOLS).map(|of| (of, instance.origin)));
    let probe = lowering.named(&mut body, "probe_id", PROBES);
    let filled = ["name", "frontend_ip_configuration_id", "resource_group_name"];
    body.inert(&filled, "it decides about no request", lowering.account);
    lowering.done(body);
    if end.is_none() || front == Number::Unsaid || back == Number::Unsaid {
        let reason = "a rule has `frontend_ip_configuration_name`, `frontend_port` and `backend_port`";
        lowering.account.gap(instance.origin, reason);
    }
    let name = instance.address.to_string();
    let owner = of.as_ref().and_then(|of| of.instance).and_then(|of| content::owner(&of.body));
    let of = of.map_or_else(|| "a load balancer".to_owned(), |of| of.name);
    let end = end.unwrap_or_default();
    let known = ends.get(&(of.clone(), end.clone()));
    if known.is_none() && ends.keys().any(|(known, _)| *known == of) {
        let end = escape(end.as_bytes());
        lowering.account.gap(instance.origin, format!("the balancer has no frontend `{end}`, or it is not known"));
    }
    let (protocols, word): (&[Protocol], String) = match &protocol {
        Some(Known::Is(word)) => match word.as_str() {
            "tcp" => (&[Protocol::Tcp], String::new()),
            "udp" => (&[Protocol::Udp], String::new()),
            "all" => (&[Protocol::Tcp, Protocol::Udp], "all protocols".to_owned()),
            _ => {
                lowering.account.gap(instance.origin, "the `protocol` is neither Tcp, Udp nor All");
                (&[Protocol::Tcp], String::new())
            }
        },
        Some(Known::Not(name)) => (&[Protocol::Tcp, Protocol::Udp], format!("protocol = unknown {name}")),
        None => {
            lowering.account.gap(instance.origin, "the rule has no `protocol`");
            (&[Protocol::Tcp], String::new())
        }
    };
    let outcome =
        if behind.is_empty() { Outcome::Refused("no backend".to_owned()) } else { Outcome::Backend(name.clone()) };
    let ports = front.port().map(|port| if port == 0 { (0, u16::MAX) } else { (port, port) });
    let told = vec![word, settings.clone(), front.unknown("frontend_port").unwrap_or_default()];
    for (number, protocol) in protocols.iter().enumerate() {
        let suffix = if number == 0 { "" } else { " (udp)" };
        let (address, addresses) = known.cloned().unwrap_or_else(|| (format!("{of} {end}"), None));
        let reached = Reached { protocol: *protocol, address, addresses, ports: vec![ports], tls: None };
        let decides = Decides {
            routes: Vec::new(),
            otherwise: outcome.clone(),
            otherwise_at: Some(instance.origin),
            settings: told.clone(),
        };
        lowering.listen(format!("{name}{suffix}"), instance, owner.clone(), reached, decides);
    }
    if behind.is_empty() {
        return;
    }
    let mut all = backend(name, owner, instance.origin);
    let probe = probe.map(|probe| probes.get(&probe.name).cloned().unwrap_or((probe.name, None)));
    let serving = back.port().filter(|port| *port != 0);
    let checked = probe.as_ref().map(|(_, port)| *port);
    all.settings = joined([
        match &back {
            Number::Is(port) => format!("backend_port = {port}"),
            Number::Unsaid => String::new(),
            Number::Unknown(name) => format!("backend_port = unknown {name}"),
        },
        joined(behind.iter().map(|(pool, _)| pool.name.clone())),
    ]);
    all.health_check = probe.map(|(text, _)| text);
    for (pool, _) in &behind {
        match pools.get(&pool.name) {
            Some(servers) => {
                let placed = |server: &Server| Server { port: serving, check: checked, ..server.clone() };
                all.servers.extend(servers.iter().map(placed));
            }
            None => all.open = Some(format!("{} is not in these files", pool.name)),
        }
        lowering.join(&mut all, &pool.name, serving, checked);
    }
    lowering.serve(all);
}
