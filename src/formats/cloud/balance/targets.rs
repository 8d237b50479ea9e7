//! Target groups of Amazon's balancers and what is in them.
//!
//! registry: `aws_lb_target_group`, `aws_lb_target_group_attachment`; Elastic Load Balancing User Guide, "Target groups", "Health
//! checks".

use super::super::attributes::{Attributes, Known};
use super::super::content;
use super::actions::GROUPS;
use super::{Instance, Lowering, Number, backend, joined, server, told};
use crate::model::Server;
use std::collections::BTreeMap;

/// What is compared of a target group, with what is so where nobody says it.
const GROUP: &[(&str, &str)] = &[
    ("protocol_version", "HTTP1"),
    ("target_type", "instance"),
    ("connection_termination", ""),
    ("deregistration_delay", "300"),
    ("ip_address_type", "ipv4"),
    ("lambda_multi_value_headers_enabled", ""),
    ("load_balancing_algorithm_type", "round_robin"),
    ("load_balancing_anomaly_mitigation", "off"),
    ("load_balancing_cross_zone_enabled", "use_load_balancer_configuration"),
    ("preserve_client_ip", ""),
    ("proxy_protocol_v2", ""),
    ("slow_start", "0"),
    ("stickiness", ""),
    ("target_control_port", ""),
    ("target_failover", ""),
    ("target_group_health", ""),
    ("target_health_state", ""),
    // Another one makes another group: hosts that are known by their ids are not in it.
    ("vpc_id", ""),
];

/// How health is found out, with what is so where nobody says it.
const CHECK: &[(&str, &str)] = &[
    ("protocol", "HTTP"),
    ("path", ""),
    ("matcher", ""),
    ("interval", "30"),
    ("timeout", ""),
    ("healthy_threshold", "3"),
    ("unhealthy_threshold", "3"),
];

/// A server of a group: its attachment.
struct Attached {
    server: Server,
    /// Whether it says on which port it serves.
    own_port: bool,
}

pub(super) fn lower(lowering: &mut Lowering<'_, '_>, groups: &[&Instance], attachments: &[&Instance]) {
    let mut attached: BTreeMap<String, Vec<Attached>> = BTreeMap::new();
    for instance in attachments {
        if let Some((group, server)) = attachment(lowering, instance) {
            attached.entry(group).or_default().push(server);
        }
    }
    for instance in groups {
        group(lowering, instance, attached.remove(&*instance.address).unwrap_or_default());
    }
    // Servers of a group that stands elsewhere.
    for (group, attached) in attached {
        let Some(origin) = attached.first().map(|first| first.server.origin) else { continue };
        let mut backend = backend(group.clone(), None, origin);
        backend.servers = attached.into_iter().map(|attached| attached.server).collect();
        backend.open = Some("the target group is not in these files".to_owned());
        lowering.join(&mut backend, &group, None, None);
        lowering.serve(backend);
    }
}

/// "target_id - The ID of the target. This is the Instance ID for an instance, or the container ID for an ECS container. If the
/// target type is ip, specify an IP address. If the target type is lambda, specify the Lambda function ARN."
fn attachment(lowering: &mut Lowering<'_, '_>, instance: &Instance) -> Option<(String, Attached)> {
    let mut body = Attributes::open(&instance.body, lowering.account)?;
    body.at = instance.origin;
    let group = lowering.needed(&mut body, "target_group_arn", GROUPS);
    let target = body.text("target_id", lowering.account);
    let port = lowering.port(&mut body, "port");
    let settings = lowering.rest(&mut body, &[("availability_zone", ""), ("quic_server_id", "")]);
    let target = match target {
        Some(target) => super::shown(&target),
        None => {
            lowering.account.gap(instance.origin, "the attachment has no `target_id`");
            "a target".to_owned()
        }
    };
    lowering.done(body);
    let existence = instance.existence.as_ref();
    let mut server = server(instance.address.to_string(), target, port.port(), existence, instance.origin);
    let unknown = port.unknown("port").unwrap_or_default();
    server.settings = joined([server.settings, settings, unknown]);
    Some((group?.name, Attached { server, own_port: port != Number::Unsaid }))
}

fn group(lowering: &mut Lowering<'_, '_>, instance: &Instance, attached: Vec<Attached>) {
    let Some(mut body) = Attributes::open(&instance.body, lowering.account) else { return };
    body.at = instance.origin;
    let port = lowering.port(&mut body, "port");
    let protocol = lowering.word(&mut body, "protocol");
    let lambda = body.value("target_type").and_then(|value| value.as_text()).is_some_and(|text| &*text == "lambda");
    let settings = lowering.rest(&mut body, GROUP);
    let (text, on) = health(lowering, &mut body, lambda);
    body.inert(&["name", "name_prefix"], "what it is called", lowering.account);
    lowering.done(body);
    let protocol = match &protocol {
        Some(Known::Is(word)) => format!("protocol = {word}"),
        Some(known) => told("protocol", known).unwrap_or_default(),
        None => String::new(),
    };
    let said = match &port {
        Number::Is(port) => format!("port = {port}"),
        Number::Unsaid => String::new(),
        Number::Unknown(name) => format!("port = unknown {name}"),
    };
    let mut backend = backend(instance.address.to_string(), content::owner(&instance.body), instance.origin);
    backend.settings = joined([protocol, said, settings]);
    backend.health_check = text;
    for Attached { mut server, own_port } in attached {
        server.check = on;
        if !own_port {
            server.port = port.port();
        }
        backend.servers.push(server);
    }
    lowering.join(&mut backend, &instance.address, port.port(), on);
    lowering.serve(backend);
}

/// How health is found out, in words, and on which port. "enabled - (Optional) Whether health checks are enabled. Defaults to `true`";
/// for functions they are off by default. "port … `traffic-port` is the default".
fn health(
    lowering: &mut Lowering<'_, '_>,
    body: &mut Attributes<'_>,
    lambda: bool,
) -> (Option<String>, Option<Option<u16>>) {
    let usual = |on: bool| if on { (Some("HTTP".to_owned()), Some(None)) } else { (None, None) };
    let Some(block) = lowering.block(body, "health_check") else { return usual(!lambda) };
    let Some(mut check) = Attributes::open(block, lowering.account) else { return usual(true) };
    let enabled = lowering.flag(&mut check, "enabled", true);
    let port = check.text("port", lowering.account);
    let protocol = check.value("protocol").and_then(|value| value.as_text());
    let text = lowering.rest(&mut check, CHECK);
    lowering.done(check);
    let (port_text, on) = match port {
        None => (String::new(), None),
        Some(Known::Is(text)) if &*text == "traffic-port" => (String::new(), None),
        Some(Known::Is(text)) => match text.parse::<u16>() {
            Ok(port) => (format!("port {port}"), Some(port)),
            Err(_) => {
                lowering.account.gap(block.at, "`port` is neither a port nor `traffic-port`");
                (text.to_string(), None)
            }
        },
        Some(Known::Not(name)) => (format!("port = unknown {name}"), None),
    };
    let protocol = if protocol.is_none_or(|protocol| &*protocol == "HTTP") { "HTTP".to_owned() } else { String::new() };
    match enabled {
        Known::Is(false) => (None, None),
        Known::Is(true) => (Some(joined([protocol, text, port_text])), Some(on)),
        Known::Not(name) => (Some(joined([protocol, text, port_text, format!("if {name}")])), Some(on)),
    }
}
