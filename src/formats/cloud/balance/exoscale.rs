//! Network load balancers of Exoscale.
//!
//! registry: `exoscale_nlb`, `exoscale_nlb_service`; community.exoscale.com, "Network Load Balancer".

use super::super::attributes::{Attributes, Known};
use super::super::content;
use super::sizes::POOLS;
use super::{Decides, Instance, Lowering, Number, Reached, backend, joined, told};
use crate::formats::cloud::Mine;
use crate::model::{Outcome, Protocol, Server};

pub(super) const KINDS: &[&str] = &["exoscale_nlb", "exoscale_nlb_service"];

const BALANCERS: &[&str] = &["exoscale_nlb"];

/// How health is found out, with what is so where nobody says it.
const CHECK: &[(&str, &str)] =
    &[("mode", "tcp"), ("uri", ""), ("tls_sni", ""), ("interval", "10"), ("timeout", "5"), ("retries", "1")];

pub(super) fn lower(lowering: &mut Lowering<'_, '_>, mine: &Mine<'_>) {
    for (kind, instance) in mine {
        let Some(mut body) = Attributes::open(&instance.body, lowering.account) else { continue };
        body.at = instance.origin;
        if *kind == "exoscale_nlb" {
            let content = lowering.rest(&mut body, &[("name", ""), ("zone", "")]);
            body.inert(&["ip_address", "services"], "the provider fills it in", lowering.account);
            lowering.done(body);
            lowering.object(kind, instance, content);
        } else {
            service(lowering, instance, body);
        }
    }
}

/// "port - The NLB service (TCP/UDP) port. target_port - The (TCP/UDP) port to forward traffic to (on target instance pool
/// members). protocol - The protocol (`tcp`|`udp`; default: `tcp`)."
fn service(lowering: &mut Lowering<'_, '_>, instance: &Instance, mut body: Attributes<'_>) {
    let of = lowering.needed(&mut body, "nlb_id", BALANCERS);
    let (port, target) = (lowering.port(&mut body, "port"), lowering.port(&mut body, "target_port"));
    let protocol = lowering.word_or(&mut body, "protocol", "tcp");
    let at = lowering.place(&body, "instance_pool_id");
    let known = body.text("instance_pool_id", lowering.account);
    let size = known.as_ref().and_then(|known| {
        let name = lowering.refer(known, POOLS, at).name;
        lowering.balancers.sizes.get(&name).cloned()
    });
    let pool = known.map(|known| super::shown(&known));
    let strategy = lowering.rest(&mut body, &[("strategy", "round-robin")]);
    let check = lowering.block(&mut body, "healthcheck").and_then(|block| {
        let mut check = Attributes::open(block, lowering.account)?;
        let mode = check.value("mode").and_then(|value| value.as_text());
        let mode = if mode.is_none_or(|mode| &*mode == "tcp") { "tcp".to_owned() } else { String::new() };
        let text = lowering.rest(&mut check, CHECK);
        let port = lowering.port(&mut check, "port");
        let on = match &port {
            Number::Is(port) => format!("port {port}"),
            Number::Unknown(name) => format!("port = unknown {name}"),
            Number::Unsaid => String::new(),
        };
        lowering.done(check);
        Some(joined([mode, text, on]))
    });
    body.inert(&["name", "zone"], "it decides about no request", lowering.account);
    lowering.done(body);
    if port == Number::Unsaid || target == Number::Unsaid || pool.is_none() {
        let reason = "a service has `port`, `target_port` and `instance_pool_id`";
        lowering.account.gap(instance.origin, reason);
    }
    let name = instance.address.to_string();
    let owner = of.as_ref().and_then(|of| of.instance).and_then(|of| content::owner(&of.body));
    let pool = pool.unwrap_or_else(|| "an instance pool".to_owned());
    let mut backend = backend(name.clone(), owner.clone(), instance.origin);
    let said = match &target {
        Number::Is(port) => format!("target_port = {port}"),
        Number::Unsaid => String::new(),
        Number::Unknown(name) => format!("target_port = unknown {name}"),
    };
    backend.settings = joined([format!("instance_pool_id = {pool}"), said, strategy]);
    backend.health_check = check;
    match &size {
        Some(size) => {
            let checked = backend.health_check.is_some().then_some(None);
            for host in lowering.hosts(size, &mut backend, size.existence.as_ref(), at) {
                backend.servers.push(Server { port: target.port(), check: checked, ..host });
            }
        }
        None => backend.open = Some(format!("the members of {pool}")),
    }
    lowering.serve_pool(backend);
    let spoken = match &protocol {
        Known::Is(word) if word == "udp" => Protocol::Udp,
        Known::Is(word) if word == "tcp" => Protocol::Tcp,
        Known::Is(_) => {
            lowering.account.gap(instance.origin, "the `protocol` is neither tcp nor udp");
            Protocol::Tcp
        }
        Known::Not(_) => Protocol::Tcp,
    };
    let at = lowering.addresses(of.as_ref(), "ip_address");
    let reached = Reached {
        protocol: spoken,
        address: at.0,
        addresses: at.1,
        ports: vec![port.port().map(|port| (port, port))],
        tls: None,
    };
    let settings = vec![told("protocol", &protocol).unwrap_or_default(), port.unknown("port").unwrap_or_default()];
    let decides =
        Decides { routes: Vec::new(), otherwise: Outcome::Backend(name.clone()), otherwise_at: None, settings };
    lowering.listen(name, instance, owner, reached, decides);
}
