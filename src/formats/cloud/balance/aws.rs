//! Application, network and gateway load balancers of Amazon.
//!
//! registry: `aws_lb`, `aws_lb_listener`, `aws_lb_listener_certificate`, `aws_lb_listener_rule`, `aws_lb_target_group`,
//! `aws_lb_target_group_attachment`; their older names begin with `aws_alb`. Elastic Load Balancing User Guide for
//! Application, Network and Gateway Load Balancers.

use super::super::attributes::{Attributes, Known};
use super::super::content;
use super::actions::{self, Done};
use super::rules::{self, Rule};
use super::{Decides, Instance, Lowering, Number, Reached, Referred, targets, told};
use crate::formats::Disposition;
use crate::formats::cloud::Mine;
use crate::model::{Outcome, Protocol, Tls};
use crate::text::Span;
use std::collections::BTreeMap;

pub(super) const KINDS: &[&str] = &[
    "aws_lb",
    "aws_alb",
    "aws_lb_listener",
    "aws_alb_listener",
    "aws_lb_listener_certificate",
    "aws_alb_listener_certificate",
    "aws_lb_listener_rule",
    "aws_alb_listener_rule",
    "aws_lb_target_group",
    "aws_alb_target_group",
    "aws_lb_target_group_attachment",
    "aws_alb_target_group_attachment",
];

const BALANCERS: &[&str] = &["aws_lb", "aws_alb"];
const LISTENERS: &[&str] = &["aws_lb_listener", "aws_alb_listener"];

/// What is said of a balancer, with what is so where nobody says it.
const BALANCER: &[(&str, &str)] = &[
    ("name", ""),
    ("name_prefix", ""),
    ("client_keep_alive", "3600"),
    ("customer_owned_ipv4_pool", ""),
    ("desync_mitigation_mode", "defensive"),
    ("dns_record_client_routing_policy", "any_availability_zone"),
    ("drop_invalid_header_fields", ""),
    ("enable_cross_zone_load_balancing", ""),
    ("enable_deletion_protection", ""),
    ("enable_http2", "true"),
    ("enable_tls_version_and_cipher_suite_headers", ""),
    ("enable_waf_fail_open", ""),
    ("enable_xff_client_port", ""),
    ("enable_zonal_shift", ""),
    ("idle_timeout", "60"),
    ("ipam_pools", ""),
    ("minimum_load_balancer_capacity", ""),
    ("preserve_host_header", ""),
    ("secondary_ips_auto_assigned_per_subnet", "0"),
    ("xff_header_processing_mode", "append"),
];

/// What of a balancer tells who can reach its listeners.
const REACH: &[(&str, &str)] = &[
    ("enforce_security_group_inbound_rules_on_private_link_traffic", ""),
    ("ip_address_type", "ipv4"),
    ("load_balancer_type", "application"),
    ("security_groups", ""),
    ("subnet_mapping", ""),
    ("subnets", ""),
];

/// What TLS of a listener is like.
const TLS: &[(&str, &str)] = &[("ssl_policy", ""), ("alpn_policy", ""), ("mutual_authentication", "")];

/// What else is said of a listener.
const LISTENER: &[(&str, &str)] = &[
    ("routing_http_request_x_amzn_mtls_clientcert_header_name", ""),
    ("routing_http_request_x_amzn_mtls_clientcert_issuer_header_name", ""),
    ("routing_http_request_x_amzn_mtls_clientcert_leaf_header_name", ""),
    ("routing_http_request_x_amzn_mtls_clientcert_serial_number_header_name", ""),
    ("routing_http_request_x_amzn_mtls_clientcert_subject_header_name", ""),
    ("routing_http_request_x_amzn_mtls_clientcert_validity_header_name", ""),
    ("routing_http_request_x_amzn_tls_cipher_suite_header_name", ""),
    ("routing_http_request_x_amzn_tls_version_header_name", ""),
    ("routing_http_response_access_control_allow_credentials_header_value", ""),
    ("routing_http_response_access_control_allow_headers_header_value", ""),
    ("routing_http_response_access_control_allow_methods_header_value", ""),
    ("routing_http_response_access_control_allow_origin_header_value", ""),
    ("routing_http_response_access_control_expose_headers_header_value", ""),
    ("routing_http_response_access_control_max_age_header_value", ""),
    ("routing_http_response_content_security_policy_header_value", ""),
    ("routing_http_response_server_enabled", "true"),
    ("routing_http_response_strict_transport_security_header_value", ""),
    ("routing_http_response_x_content_type_options_header_value", ""),
    ("routing_http_response_x_frame_options_header_value", ""),
    ("tcp_idle_timeout_seconds", "350"),
];

/// A balancer, for its listeners.
pub(super) struct Balancer {
    /// Where clients reach it, as it reads.
    pub(super) address: String,
    /// Who can.
    pub(super) reach: String,
    /// Whose it is.
    pub(super) owner: Option<String>,
}

pub(super) fn lower(lowering: &mut Lowering<'_, '_>, mine: &Mine<'_>) {
    let of = |wanted: &'static str| {
        let is = move |kind: &str| kind.replacen("aws_alb", "aws_lb", 1) == wanted;
        mine.iter().filter(move |(kind, _)| is(kind)).copied()
    };
    let mut balancers = BTreeMap::new();
    for (kind, instance) in of("aws_lb") {
        lowering.attached(instance, &|name| name == "security_groups");
        if let Some((balancer, gateway)) = balancer(lowering, kind, instance) {
            balancers.insert(instance.address.to_string(), (balancer, gateway));
        }
    }
    let mut certificates: BTreeMap<String, Vec<(String, Span)>> = BTreeMap::new();
    for (_, instance) in of("aws_lb_listener_certificate") {
        if let Some((listener, certificate)) = certificate(lowering, instance) {
            certificates.entry(listener).or_default().push((certificate, instance.origin));
        }
    }
    let mut rules: BTreeMap<String, Vec<Rule>> = BTreeMap::new();
    for (_, instance) in of("aws_lb_listener_rule") {
        if let Some((listener, rule)) = rules::read(lowering, instance, LISTENERS) {
            rules.entry(listener).or_default().push(rule);
        }
    }
    for (_, instance) in of("aws_lb_listener") {
        let more = certificates.remove(&*instance.address).unwrap_or_default();
        listener(lowering, instance, &balancers, more, rules.remove(&*instance.address).unwrap_or_default());
    }
    // What is added to a listener that stands elsewhere.
    for (listener, certificates) in certificates {
        for (certificate, at) in certificates {
            lowering.apart(format!("{listener} {certificate}"), "certificate of a listener", String::new(), at);
        }
    }
    for (listener, rules) in rules {
        for rule in rules {
            let text = rule.apart(lowering);
            lowering.apart(format!("{listener} {}", rule.name), "rule of a listener", text, rule.at);
        }
    }
    let groups: Vec<_> = of("aws_lb_target_group").map(|(_, instance)| instance).collect();
    let attachments: Vec<_> = of("aws_lb_target_group_attachment").map(|(_, instance)| instance).collect();
    targets::lower(lowering, &groups, &attachments);
}

/// A balancer, and whether it is one of all packets.
fn balancer(lowering: &mut Lowering<'_, '_>, kind: &'static str, instance: &Instance) -> Option<(Balancer, bool)> {
    let mut body = Attributes::open(&instance.body, lowering.account)?;
    let gateway = body.value("load_balancer_type").and_then(|value| value.text()) == Some("gateway");
    let address = scheme(lowering, &mut body, instance);
    let reach = lowering.rest(&mut body, REACH);
    let rest = lowering.rest(&mut body, BALANCER);
    body.inert(&["access_logs", "connection_logs", "health_check_logs"], "logging", lowering.account);
    lowering.done(body);
    let content = super::joined([address.clone(), reach.clone(), rest]);
    lowering.object(kind, instance, content);
    Some((Balancer { address, reach, owner: content::owner(&instance.body) }, gateway))
}

/// How clients reach a balancer. Its name in the DNS is not known before it is there; another scheme is another one: "`internal`
/// - (Optional) If true, the LB will be internal. Defaults to `false`", and a change of it makes a new load balancer.
pub(super) fn scheme(lowering: &mut Lowering<'_, '_>, body: &mut Attributes<'_>, instance: &Instance) -> String {
    let address = &instance.address;
    match lowering.flag(body, "internal", false) {
        Known::Is(false) => address.to_string(),
        Known::Is(true) => format!("{address} (internal)"),
        Known::Not(name) => format!("{address} (internal if {name})"),
    }
}

/// "aws_lb_listener_certificate … Attaches a certificate to a listener … in addition to the default certificate."
fn certificate(lowering: &mut Lowering<'_, '_>, instance: &Instance) -> Option<(String, String)> {
    let mut body = Attributes::open(&instance.body, lowering.account)?;
    body.at = instance.origin;
    let listener = lowering.needed(&mut body, "listener_arn", LISTENERS);
    let certificate = lowering.certificate(&mut body, "certificate_arn");
    lowering.done(body);
    let mut certificate = certificate?.0;
    if let Some(name) = &instance.existence {
        certificate = format!("{certificate} (if {name})");
    }
    Some((listener?.name, certificate))
}

/// "protocol - For Application Load Balancers, valid values are HTTP and HTTPS, with a default of HTTP. For Network Load
/// Balancers … TCP, TLS, UDP, TCP_UDP, QUIC and TCP_QUIC. … Not valid for Gateway Load Balancers."
fn listener(
    lowering: &mut Lowering<'_, '_>,
    instance: &Instance,
    balancers: &BTreeMap<String, (Balancer, bool)>,
    more: Vec<(String, Span)>,
    rules: Vec<Rule>,
) {
    let Some(mut body) = Attributes::open(&instance.body, lowering.account) else { return };
    body.at = instance.origin;
    let of = lowering.needed(&mut body, "load_balancer_arn", BALANCERS);
    let Referred { name, instance: _ } = of.unwrap_or(Referred { name: "a load balancer".to_owned(), instance: None });
    let (known, gateway) = match balancers.get(&name) {
        Some((balancer, gateway)) => (Some(balancer), *gateway),
        None => (None, false),
    };
    let port = lowering.port(&mut body, "port");
    let protocol = lowering.word(&mut body, "protocol");
    let mut certificates: Vec<(String, Span)> =
        lowering.certificate(&mut body, "certificate_arn").into_iter().collect();
    certificates.extend(more);
    let tls_settings = lowering.rest(&mut body, TLS);
    let any_tls = !certificates.is_empty() || !tls_settings.is_empty();
    // Where neither port nor protocol is said, all packets are meant.
    let gateway = gateway || (known.is_none() && protocol.is_none() && port == Number::Unsaid);
    let (protocols, tls): (&[Protocol], bool) = match &protocol {
        Some(Known::Is(word)) => match word.as_str() {
            "http" => {
                let at = lowering.place(&body, "protocol");
                lowering.account.claim(at, Disposition::Inert("as it is by default"));
                (&[Protocol::Http], false)
            }
            "https" => (&[Protocol::Http], true),
            "tcp" => (&[Protocol::Tcp], false),
            "tls" => (&[Protocol::Tcp], true),
            "udp" | "quic" => (&[Protocol::Udp], false),
            "tcp_udp" | "tcp_quic" => (&[Protocol::Tcp, Protocol::Udp], false),
            _ => {
                let at = lowering.place(&body, "protocol");
                lowering.account.gap(at, "a listener of Amazon does not speak that");
                (&[Protocol::Tcp], any_tls)
            }
        },
        Some(Known::Not(_)) => (&[Protocol::Http], any_tls),
        None if gateway => (&[Protocol::Tcp, Protocol::Udp], false),
        None => (&[Protocol::Http], false),
    };
    let ports = match (&port, gateway) {
        (Number::Unsaid, true) => Some((0, u16::MAX)),
        (port, _) => port.port().map(|port| (port, port)),
    };
    if port == Number::Unsaid && !gateway {
        lowering.account.gap(instance.origin, "the listener has no `port`");
    }
    let done = actions::read(lowering, instance, &mut body, "default_action");
    let Done { gates, outcome, at: otherwise_at, settings } = done;
    let mut all = vec![
        known.map_or_else(String::new, |balancer| balancer.reach.clone()),
        if matches!(&protocol, Some(Known::Is(word)) if word.contains("quic")) {
            "QUIC".to_owned()
        } else {
            String::new()
        },
        protocol.as_ref().and_then(|protocol| told("protocol", protocol)).unwrap_or_default(),
        port.unknown("port").unwrap_or_default(),
        lowering.rest(&mut body, LISTENER),
    ];
    all.extend(settings);
    let mut routes = rules::in_order(lowering, &name, rules, &mut all);
    routes.extend(gates);
    lowering.done(body);
    let outcome = outcome.unwrap_or_else(|| Outcome::Computed("what is not understood".to_owned()));
    for (number, protocol) in protocols.iter().enumerate() {
        let suffix = if number == 0 { "" } else { " (udp)" };
        let reached = Reached {
            protocol: *protocol,
            address: known.map_or_else(|| name.clone(), |balancer| balancer.address.clone()),
            addresses: None,
            ports: vec![ports],
            tls: tls.then(|| Tls { certificates: certificates.clone(), settings: tls_settings.clone() }),
        };
        let decides =
            Decides { routes: routes.clone(), otherwise: outcome.clone(), otherwise_at, settings: all.clone() };
        let owner = content::owner(&instance.body).or_else(|| known.and_then(|balancer| balancer.owner.clone()));
        lowering.listen(format!("{}{suffix}", instance.address), instance, owner, reached, decides);
    }
    if !tls && any_tls {
        lowering
            .account
            .gap(instance.origin, "certificates have a meaning only with HTTPS and TLS: Amazon refuses them");
    }
}
