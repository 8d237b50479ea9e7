//! Classic load balancers of Amazon.
//!
//! registry: `aws_elb`, `aws_elb_attachment`, `aws_lb_ssl_negotiation_policy`, `aws_proxy_protocol_policy`; Elastic Load Balancing User Guide for Classic Load Balancers.

use super::super::attributes::{Attributes, Known, text_of};
use super::super::content;
use super::{Decides, Instance, Lowering, Number, Reached, backend, joined, server, told};
use crate::formats::cloud::Mine;
use crate::formats::data::value::Value;
use crate::model::{Protocol, Server, Tls};
use crate::text::{Span, escape};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub(super) const KINDS: &[&str] =
    &["aws_elb", "aws_elb_attachment", "aws_lb_ssl_negotiation_policy", "aws_proxy_protocol_policy"];

const BALANCERS: &[&str] = &["aws_elb"];

/// What is said of a balancer, with what is so where nobody says it.
const BALANCER: &[(&str, &str)] = &[
    ("name", ""),
    ("name_prefix", ""),
    ("connection_draining", ""),
    ("connection_draining_timeout", "300"),
    ("cross_zone_load_balancing", "true"),
    ("desync_mitigation_mode", "defensive"),
    ("idle_timeout", "60"),
];

/// What of it tells who can reach its listeners.
const REACH: &[(&str, &str)] =
    &[("availability_zones", ""), ("security_groups", ""), ("source_security_group", ""), ("subnets", "")];

/// A member: its name, address and whether it is there.
struct Member {
    name: String,
    address: String,
    existence: Option<Arc<str>>,
    at: Span,
}

pub(super) fn lower(lowering: &mut Lowering<'_, '_>, mine: &Mine<'_>) {
    let mut attached: BTreeMap<String, Vec<Member>> = BTreeMap::new();
    for (_, instance) in mine.iter().filter(|(kind, _)| *kind == "aws_elb_attachment") {
        let Some(mut body) = Attributes::open(&instance.body, lowering.account) else { continue };
        body.at = instance.origin;
        let of = lowering.needed(&mut body, "elb", BALANCERS);
        let member = body.text("instance", lowering.account).map(|known| super::shown(&known));
        lowering.done(body);
        let (Some(of), Some(address)) = (of, member) else {
            lowering.account.gap(instance.origin, "an attachment has `elb` and `instance`");
            continue;
        };
        let (name, existence) = (instance.address.to_string(), instance.existence.clone());
        attached.entry(of.name).or_default().push(Member { name, address, existence, at: instance.origin });
    }
    let mut policies: BTreeMap<String, Vec<Policy>> = BTreeMap::new();
    for (kind, instance) in mine {
        if let Some((of, policy)) = policy(lowering, kind, instance) {
            policies.entry(of).or_default().push(policy);
        }
    }
    for (kind, instance) in mine.iter().filter(|(kind, _)| *kind == "aws_elb") {
        let members = attached.remove(&*instance.address).unwrap_or_default();
        balancer(lowering, kind, instance, members, &policies.remove(&*instance.address).unwrap_or_default());
    }
    for (of, policies) in policies {
        for Policy { name, text, tls: _, ports: _, at } in policies {
            lowering.apart(format!("{of} {name}"), "policy of a balancer", text, at);
        }
    }
    for (of, members) in attached {
        for Member { name, address, existence: _, at } in members {
            lowering.apart(format!("{of} {name}"), "server of a balancer", address, at);
        }
    }
}

/// A policy of a balancer: what it says, and of which ports (as they read).
struct Policy {
    name: String,
    text: String,
    /// Whether the ports are those of clients, and it is about TLS; otherwise those of servers.
    tls: bool,
    ports: Vec<String>,
    at: Span,
}

/// "aws_lb_ssl_negotiation_policy - load_balancer, lb_port, attribute (name, value)"; "aws_proxy_protocol_policy - load_balancer,
/// instance_ports - List of instance ports to which the policy should be applied."
fn policy(lowering: &mut Lowering<'_, '_>, kind: &str, instance: &Instance) -> Option<(String, Policy)> {
    let tls = match kind {
        "aws_lb_ssl_negotiation_policy" => true,
        "aws_proxy_protocol_policy" => false,
        _ => return None,
    };
    let mut body = Attributes::open(&instance.body, lowering.account)?;
    body.at = instance.origin;
    let of = lowering.needed(&mut body, "load_balancer", BALANCERS);
    let mut ports = Vec::new();
    for item in body.items(if tls { "lb_port" } else { "instance_ports" }).all() {
        ports.extend(text_of(&item, "port", lowering.account).map(|known| super::shown(&known)));
    }
    let said = lowering.rest(&mut body, &[("attribute", "")]);
    body.inert(&["name", "triggers"], "it decides about no request", lowering.account);
    lowering.done(body);
    let there = instance.existence.as_ref().map_or_else(String::new, |name| format!("if {name}"));
    let kind = if tls { "TLS policy" } else { "PROXY protocol" };
    let text = joined([kind.to_owned(), said, there]);
    Some((of?.name, Policy { name: instance.address.to_string(), text, tls, ports, at: instance.origin }))
}

/// What policies say of a port.
fn policies_of(policies: &[Policy], tls: bool, port: &Number) -> String {
    let port = match port {
        Number::Is(port) => port.to_string(),
        Number::Unknown(name) => name.clone(),
        Number::Unsaid => return String::new(),
    };
    let mine = policies.iter().filter(|policy| policy.tls == tls && policy.ports.contains(&port));
    let mut texts: Vec<String> = mine.map(|policy| policy.text.clone()).collect();
    texts.sort();
    joined(texts)
}

fn balancer(
    lowering: &mut Lowering<'_, '_>,
    kind: &'static str,
    instance: &Instance,
    mut members: Vec<Member>,
    policies: &[Policy],
) {
    let Some(mut body) = Attributes::open(&instance.body, lowering.account) else { return };
    body.at = instance.origin;
    let address = super::aws::scheme(lowering, &mut body, instance);
    lowering.attached(instance, &|name| name == "security_groups");
    let reach = lowering.rest(&mut body, REACH);
    let rest = lowering.rest(&mut body, BALANCER);
    let instances = body.items("instances");
    for item in &instances.there {
        if let Some(known) = text_of(item, "instance", lowering.account) {
            let address = super::shown(&known);
            members.push(Member { name: address.clone(), address, existence: None, at: item.at });
        }
    }
    let open = instances.perhaps.first().map(|(unknown, _)| format!("`instances` has one of {unknown}"));
    let (check, port) = health(lowering, &mut body);
    let listeners = body.items("listener");
    body.inert(&["access_logs"], "logging", lowering.account);
    body.inert(&["source_security_group_id"], "the provider fills it in", lowering.account);
    lowering.done(body);
    lowering.object(kind, instance, joined([address.clone(), reach.clone(), rest]));
    if let Some((unknown, value)) = listeners.perhaps.first() {
        let unknown = escape(unknown.as_bytes());
        lowering.account.gap(value.at, format!("which listeners there are is not known: `{unknown}`"));
    }
    let mut served = BTreeSet::new();
    for item in &listeners.there {
        let front = Front { instance, address: &address, reach: &reach, policies };
        let Some(behind) = listener(lowering, &front, item) else { continue };
        let Behind { name, port: serving, settings } = behind;
        if !served.insert(name.clone()) {
            continue;
        }
        let mut backend = backend(name, content::owner(&instance.body), item.at);
        backend.settings = settings;
        backend.health_check = Some(check.clone());
        backend.open.clone_from(&open);
        let member = |member: &Member| Server {
            check: Some(port),
            ..server(
                member.name.clone(),
                member.address.clone(),
                serving,
                member.existence.as_ref().or(instance.existence.as_ref()),
                member.at,
            )
        };
        backend.servers = members.iter().map(member).collect();
        lowering.join(&mut backend, &instance.address, serving, Some(port));
        lowering.serve(backend);
    }
}

/// What a listener is of.
struct Front<'f> {
    instance: &'f Instance,
    address: &'f str,
    reach: &'f str,
    policies: &'f [Policy],
}

/// Where a listener sends requests.
struct Behind {
    name: String,
    port: Option<u16>,
    settings: String,
}

/// "instance_port, instance_protocol, lb_port, lb_protocol - `HTTP`, `HTTPS`, `TCP`, or `SSL`; ssl_certificate_id - The ARN of an SSL
/// certificate … Only valid when lb_protocol is either HTTPS or SSL".
fn listener(lowering: &mut Lowering<'_, '_>, front: &Front<'_>, value: &Value) -> Option<Behind> {
    let Front { instance, address, reach, policies } = front;
    let mut block = Attributes::open(value, lowering.account)?;
    let (port, serving) = (lowering.port(&mut block, "lb_port"), lowering.port(&mut block, "instance_port"));
    let protocol = lowering.word(&mut block, "lb_protocol");
    let inner = lowering.word(&mut block, "instance_protocol");
    let certificates: Vec<_> = lowering.certificate(&mut block, "ssl_certificate_id").into_iter().collect();
    lowering.done(block);
    let (spoken, tls) = match &protocol {
        Some(Known::Is(word)) => match word.as_str() {
            "http" => (Protocol::Http, false),
            "https" => (Protocol::Http, true),
            "tcp" => (Protocol::Tcp, false),
            "ssl" => (Protocol::Tcp, true),
            _ => {
                lowering.account.gap(value.at, "a classic balancer speaks HTTP, HTTPS, TCP and SSL");
                (Protocol::Tcp, false)
            }
        },
        Some(Known::Not(_)) => (Protocol::Http, !certificates.is_empty()),
        None => {
            lowering.account.gap(value.at, "the listener has no `lb_protocol`");
            (Protocol::Tcp, false)
        }
    };
    if !tls && !certificates.is_empty() {
        lowering.account.gap(value.at, "a certificate has a meaning only with HTTPS and SSL: Amazon refuses it");
    }
    let shown = |number: &Number| match number {
        Number::Is(number) => number.to_string(),
        Number::Unknown(name) => name.clone(),
        Number::Unsaid => String::new(),
    };
    if port == Number::Unsaid || serving == Number::Unsaid {
        lowering.account.gap(value.at, "the listener has no `lb_port` or no `instance_port`");
    }
    let to = match &inner {
        Some(Known::Is(word)) => word.clone(),
        Some(Known::Not(name)) => name.clone(),
        None => {
            lowering.account.gap(value.at, "the listener has no `instance_protocol`");
            String::new()
        }
    };
    let name = format!("{}/{to}:{}", instance.address, shown(&serving));
    let reached = Reached {
        protocol: spoken,
        address: (*address).to_owned(),
        addresses: None,
        ports: vec![port.port().map(|port| (port, port))],
        tls: tls.then(|| Tls { certificates, settings: policies_of(policies, true, &port) }),
    };
    let settings = vec![
        (*reach).to_owned(),
        protocol.as_ref().and_then(|protocol| told("lb_protocol", protocol)).unwrap_or_default(),
        port.unknown("lb_port").unwrap_or_default(),
    ];
    let outcome = crate::model::Outcome::Backend(name.clone());
    let decides = Decides { routes: Vec::new(), otherwise: outcome, otherwise_at: Some(value.at), settings };
    lowering.listen(format!("{}:{}", instance.address, shown(&port)), instance, None, reached, decides);
    let settings = joined([
        format!("instance_protocol = {to}"),
        serving.unknown("instance_port").unwrap_or_default(),
        policies_of(policies, false, &serving),
    ]);
    Some(Behind { name, port: serving.port(), settings })
}

/// "target - The target of the check. Valid pattern is "${PROTOCOL}:${PORT}${PATH}"". Where it is not said, it is the provider's.
fn health(lowering: &mut Lowering<'_, '_>, body: &mut Attributes<'_>) -> (String, Option<u16>) {
    let Some(block) = lowering.block(body, "health_check") else { return ("that of the provider".to_owned(), None) };
    let Some(mut check) = Attributes::open(block, lowering.account) else {
        return ("what is not understood".to_owned(), None);
    };
    let port = match check.value("target").and_then(|value| value.as_text()) {
        Some(text) => {
            let rest = text.split_once(':').map(|(_, rest)| rest.split('/').next().unwrap_or(rest).to_owned());
            let port = rest.and_then(|rest| rest.parse::<u16>().ok());
            if port.is_none() {
                lowering.account.gap(block.at, "`target` names no port: Amazon refuses it");
            }
            port
        }
        None => None,
    };
    let names =
        [("target", ""), ("interval", ""), ("timeout", ""), ("healthy_threshold", ""), ("unhealthy_threshold", "")];
    let text = lowering.rest(&mut check, &names);
    lowering.done(check);
    (text, port)
}
