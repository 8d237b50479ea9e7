//! Services: what their fields say.
//!
//! Kubernetes API reference, "Service" (v1); Kubernetes documentation, "Service".

use super::annotations;
use crate::formats::account::Account;
use crate::formats::data::value::{Value, What};
use crate::formats::kubernetes::fields::{Fields, Labels, is_word};
use crate::formats::kubernetes::policy::is_port_name;
use crate::formats::kubernetes::read::Meta;
use crate::model::Protocol;
use crate::net::{Family, Set, parse_addresses};
use crate::text::Span;
use std::sync::Arc;

/// A Service.
#[derive(Debug)]
pub(super) struct Service {
    pub(super) namespace: Arc<str>,
    pub(super) name: Arc<str>,
    pub(super) kind: Kind,
    /// The labels of its pods, and where that is said; `None`: its addresses are written down by hand.
    pub(super) selector: Option<(Labels, Span)>,
    pub(super) ports: Vec<Port>,
    /// Its addresses inside the cluster, where they are said.
    pub(super) inside: Vec<String>,
    /// Addresses outside that lead to the nodes.
    pub(super) external: Vec<String>,
    /// The address of its load balancer, where it is said.
    pub(super) balancer: Option<String>,
    /// Who may use the load balancer, and where that is said.
    pub(super) sources: Option<(Set, Set, Span)>,
    /// Its other settings, and those that are about clients from outside.
    pub(super) settings: Vec<String>,
    pub(super) outside: Vec<String>,
    pub(super) owner: Option<String>,
    pub(super) at: Span,
}

/// How a Service is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    /// "Exposes the Service on a cluster-internal IP."
    Cluster,
    /// `clusterIP: None`: its name leads to the pods themselves.
    Headless,
    /// "Exposes the Service on each Node's IP at a static port", too.
    Nodes,
    /// "Exposes the Service externally using an external load balancer", too; whether it is on the nodes as well.
    Balancer(bool),
    /// "Maps the Service to the contents of the externalName field": its name leads to another one.
    Alias(String),
}

/// A port of a Service.
#[derive(Debug)]
pub(super) struct Port {
    pub(super) name: Option<Arc<str>>,
    /// `None`: SCTP.
    pub(super) protocol: Option<Protocol>,
    pub(super) number: u16,
    pub(super) target: Target,
    /// That on the nodes, where it is said.
    pub(super) on_nodes: Option<u16>,
    pub(super) setting: Option<String>,
    pub(super) at: Span,
}

/// The port of the pods.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Target {
    Number(u16),
    /// The one that is called so, of each pod.
    Named(Arc<str>, Span),
}

impl Port {
    /// How it is told apart from others: `80`, `53/udp`.
    pub(super) fn key(&self) -> String {
        match self.protocol {
            Some(Protocol::Tcp | Protocol::Http) => self.number.to_string(),
            Some(Protocol::Udp) => format!("{}/udp", self.number),
            None => format!("{}/sctp", self.number),
        }
    }
}

pub(super) fn read(fields: Fields<'_>, meta: &Meta<'_>, account: &mut Account) -> Option<Service> {
    let mut spec = fields.spec(meta.at, account)?;
    let kind_at = spec.place("type");
    let kind = spec.word("type", account).unwrap_or("ClusterIP");
    let (mut inside, mut headless) = (Vec::new(), false);
    for value in spec.take("clusterIP").into_iter().chain(spec.list("clusterIPs", account).unwrap_or_default()) {
        match value.text() {
            Some("None") => headless = true,
            Some("") => {}
            Some(_) | None => inside.extend(address(value, account)),
        }
    }
    inside.sort();
    inside.dedup();
    let on_nodes = spec.truth("allocateLoadBalancerNodePorts", account).unwrap_or(true);
    let alias = spec.word("externalName", account);
    let kind = match (kind, headless, alias) {
        ("ClusterIP", false, _) => Kind::Cluster,
        ("ClusterIP", true, _) => Kind::Headless,
        ("NodePort", false, _) => Kind::Nodes,
        ("LoadBalancer", false, _) => Kind::Balancer(on_nodes),
        ("ExternalName", _, Some(name)) => Kind::Alias(name.to_owned()),
        _ => {
            let reason = "a type is `ClusterIP`, `NodePort`, `LoadBalancer`, or `ExternalName` with an `externalName`; only `ClusterIP` may be without an address";
            account.gap(kind_at, reason);
            return None;
        }
    };
    let selector_at = spec.place("selector");
    let selector = spec.texts("selector", account);
    let mut ports: Vec<Port> = Vec::new();
    for value in spec.list("ports", account).unwrap_or_default() {
        if let Some(port) = port(value, account) {
            if ports.iter().any(|other| other.key() == port.key()) {
                account.gap(port.at, "another port has that number and protocol");
            } else {
                ports.push(port);
            }
        }
    }
    let addresses = |list: Option<&[Value]>, account: &mut Account| -> Vec<String> {
        list.unwrap_or_default().iter().filter_map(|value| address(value, account)).collect()
    };
    let list = spec.list("externalIPs", account);
    let external = addresses(list, account);
    let balancer = spec.take("loadBalancerIP").filter(|value| value.text() != Some(""));
    let balancer = balancer.and_then(|value| address(value, account));
    let ranges_at = spec.place("loadBalancerSourceRanges");
    let ranges = spec.list("loadBalancerSourceRanges", account).unwrap_or_default();
    let mut sources = (!ranges.is_empty()).then(|| {
        let (ipv4, ipv6) = networks(ranges.iter().map(|value| (value.text(), value.at)), account);
        (ipv4, ipv6, ranges_at)
    });
    let mut settings: Vec<Option<String>> = Vec::new();
    for (name, usual) in [
        ("internalTrafficPolicy", "Cluster"),
        ("ipFamilies", ""),
        ("ipFamilyPolicy", ""),
        ("publishNotReadyAddresses", "false"),
        ("sessionAffinity", "None"),
        ("sessionAffinityConfig", ""),
        ("trafficDistribution", ""),
    ] {
        settings.push(spec.setting(name, usual, account));
    }
    let mut outside: Vec<Option<String>> = Vec::new();
    // "Cluster" is what goes without saying; "Local" keeps the clients' addresses and serves on nodes that have pods.
    for (name, usual) in [("externalTrafficPolicy", "Cluster"), ("healthCheckNodePort", ""), ("loadBalancerClass", "")]
    {
        outside.push(spec.setting(name, usual, account));
    }
    spec.close(account);
    let said = annotations::service(meta.annotations, account);
    if let Some((list, at)) = said.sources {
        // "This field takes precedence over" the annotation.
        let parts = list.split(',').map(|part| (Some(part.trim()), at));
        let (ipv4, ipv6) = networks(parts, account);
        sources = sources.or(Some((ipv4, ipv6, at)));
    }
    let mut outside: Vec<String> = outside.into_iter().flatten().collect();
    outside.extend(said.settings);
    Some(Service {
        namespace: Arc::clone(&meta.namespace),
        name: Arc::clone(&meta.name),
        kind,
        selector: (!selector.is_empty()).then_some((selector, selector_at)),
        ports,
        inside,
        external,
        balancer,
        sources,
        settings: settings.into_iter().flatten().collect(),
        outside,
        owner: super::owner(meta),
        at: meta.at,
    })
}

fn port(value: &Value, account: &mut Account) -> Option<Port> {
    let mut fields = Fields::of(value, account);
    let name = fields.word("name", account).map(Into::into);
    let protocol_at = fields.place("protocol");
    let protocol = match fields.text("protocol", account) {
        None | Some("TCP") => Some(Protocol::Tcp),
        Some("UDP") => Some(Protocol::Udp),
        Some("SCTP") => {
            account.gap(protocol_at, "what is sent by SCTP is not modelled");
            None
        }
        Some(_) => {
            account.gap(protocol_at, "a protocol is `TCP`, `UDP` or `SCTP`");
            return None;
        }
    };
    let number = fields.number("port", 1..=65535, account);
    let on_nodes = fields.number("nodePort", 0..=65535, account).and_then(|port| u16::try_from(port).ok());
    let target = fields.take("targetPort");
    let setting = fields.setting("appProtocol", "", account);
    let at = fields.at();
    fields.close(account);
    let Some(number) = number.and_then(|number| u16::try_from(number).ok()) else {
        account.gap(at, "a port of a Service has a `port`");
        return None;
    };
    // "If this is not specified, the value of the 'port' field is used."
    let target = match target {
        None => Target::Number(number),
        Some(value) => target_of(value, account)?,
    };
    Some(Port { name, protocol, number, target, on_nodes: on_nodes.filter(|port| *port > 0), setting, at })
}

fn target_of(value: &Value, account: &mut Account) -> Option<Target> {
    let number = if let What::Number(number) = &value.what { number.integer() } else { None };
    let found = match (number, value.text()) {
        (Some(number), _) => u16::try_from(number).ok().filter(|port| *port > 0).map(Target::Number),
        (None, Some(name)) if is_port_name(name) => Some(Target::Named(name.into(), value.at)),
        (None, _) => None,
    };
    if found.is_none() {
        account.gap(value.at, "the number or the name of a port is expected");
    }
    found
}

fn address(value: &Value, account: &mut Account) -> Option<String> {
    let found = value.text().and_then(|text| {
        let (family, number) = crate::net::parse_address(text)?;
        Some(crate::net::format_address(family, number))
    });
    if found.is_none() {
        account.gap(value.at, "an address is expected");
    }
    found
}

/// The addresses of prefixes.
pub(super) fn networks<'t>(list: impl Iterator<Item = (Option<&'t str>, Span)>, account: &mut Account) -> (Set, Set) {
    let (mut ipv4, mut ipv6) = (Set::empty(), Set::empty());
    for (text, at) in list {
        match text.filter(|text| is_word(text)).and_then(parse_addresses) {
            Some((Family::Ipv4, set)) => ipv4 = ipv4.union(&set),
            Some((Family::Ipv6, set)) => ipv6 = ipv6.union(&set),
            None => account.gap(at, "a prefix is expected, as `10.0.0.0/8`"),
        }
    }
    (ipv4, ipv6)
}
