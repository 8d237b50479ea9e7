//! Services to listeners and backends.
//!
//! Kubernetes documentation, "Service", "Virtual IPs and Service Proxies": connections to a port of a Service are sent to one
//! of its ready pods, on its `targetPort`; a port of a pod that is called by its name is a number that each pod has for
//! itself. Inside of the cluster a Service is reached at its own addresses, from the cluster only: from addresses of private
//! networks, as pods and nodes have them. `loadBalancerSourceRanges` is taken as what the load balancer does, though "this
//! field will be ignored if the cloud-provider does not support the feature".

use super::endpoints::Endpoints;
use super::service::{Kind, Port, Service, Target};
use super::{Name, Objects};
use crate::formats::Reading;
use crate::formats::account::Account;
use crate::formats::balancers::{self, Numbered};
use crate::formats::kubernetes::peers;
use crate::formats::kubernetes::read::shown;
use crate::formats::kubernetes::syntax::{Cluster, Count, Workload};
use crate::model::{
    Backend, Condition, Endpoint, Listener, Object, OpaqueId, Outcome, Paths, Protocol, Reference, Route, Server, Store,
};
use crate::net::Set;
use crate::text::{Span, escape};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What is made of the objects so far.
pub(super) struct Lowering<'c, 'a> {
    pub(super) cluster: &'c Cluster,
    pub(super) objects: &'c Objects,
    pub(super) account: &'a mut Account,
    /// The Services by namespace and name.
    by_name: BTreeMap<Name, &'c Service>,
    pub(super) backends: BTreeMap<String, Backend>,
    pub(super) listeners: Vec<Listener>,
    pub(super) undefined: BTreeSet<(Span, &'static str, String)>,
    pub(super) opaques: BTreeMap<OpaqueId, Span>,
    /// What is told and not computed.
    pub(super) told: Vec<Object>,
    /// How many pods are counted.
    counted: Numbered,
    /// The certificates that there are, and where they are declared.
    pub(super) certificates: BTreeMap<String, Span>,
}

/// How somebody calls a port of a Service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum PortName {
    Number(u16),
    Named(String),
    /// The only one, or all of them: it is not said.
    Unsaid,
}

impl<'c, 'a> Lowering<'c, 'a> {
    pub(super) fn new(cluster: &'c Cluster, objects: &'c Objects, account: &'a mut Account) -> Self {
        let name = |service: &'c Service| ((Arc::clone(&service.namespace), Arc::clone(&service.name)), service);
        Self {
            cluster,
            objects,
            account,
            by_name: objects.services.iter().map(name).collect(),
            backends: BTreeMap::new(),
            listeners: Vec::new(),
            undefined: BTreeSet::new(),
            opaques: BTreeMap::new(),
            told: Vec::new(),
            counted: Numbered::default(),
            certificates: objects.certificates.clone(),
        }
    }

    /// Puts everything into the configuration.
    pub(super) fn finish(self, reading: &mut Reading<'_>) {
        let Self { backends, mut listeners, undefined, opaques, told, certificates, .. } = self;
        listeners.sort_by(|a, b| a.name.cmp(&b.name));
        let configuration = &mut reading.configuration;
        let certificate = |(address, origin): (String, Span)| {
            Object::new("certificate", escape(address.as_bytes()), String::new(), origin)
        };
        configuration.objects.extend(told);
        configuration.objects.extend(certificates.into_iter().map(certificate));
        configuration.objects.sort_by(|a, b| (a.kind, &a.address).cmp(&(b.kind, &b.address)));
        configuration.listeners = listeners;
        configuration.backends = backends.into_values().collect();
        let reference = |(origin, kind, address)| Reference { kind, address, origin };
        configuration.undefined.extend(undefined.into_iter().map(reference));
        configuration.undefined.sort_by_key(|reference| reference.origin);
        configuration.opaques.extend(opaques);
        balancers::finish(reading);
    }

    /// A condition of which nothing is known but its text.
    pub(super) fn opaque(&mut self, store: &mut Store, text: &str, at: Span) -> Condition {
        let id = store.opaque(text);
        self.opaques.entry(id).or_insert(at);
        Condition::Opaque(id)
    }

    pub(super) fn services(&mut self, store: &mut Store) {
        for service in &self.objects.services {
            let Service { namespace, name, .. } = service;
            let called = format!("{namespace}/{name}");
            if let Kind::Alias(host) = &service.kind {
                self.backends.insert(called.clone(), alias(service, &called, host, None));
                let place = endpoint(&format!("{name}.{namespace}.svc"), None, service.at);
                let outcome = Outcome::Backend(called.clone());
                let inside = vec![from_inside(service.at, store)];
                self.listen(service, &called, Protocol::Tcp, vec![place], inside, outcome, Vec::new());
                continue;
            }
            for port in &service.ports {
                let Some(protocol) = port.protocol else { continue };
                let backend = self.backend_of(service, port);
                let key = backend.name.clone();
                self.backends.insert(key.clone(), backend);
                self.ways(service, port, protocol, &key, store);
            }
        }
    }

    /// The listeners of a port: inside the cluster, on the nodes, outside.
    fn ways(&mut self, service: &Service, port: &Port, protocol: Protocol, key: &str, store: &mut Store) {
        let Service { namespace, name, inside, external, balancer, sources, settings, outside, .. } = service;
        let at = port.at;
        let number = match (&service.kind, &port.target) {
            // Nobody translates ports there.
            (Kind::Headless, Target::Number(number)) => *number,
            (_, _) => port.number,
        };
        let ports = Some((number, number));
        let own = format!("{name}.{namespace}.svc");
        let places: Vec<Endpoint> = if inside.is_empty() {
            vec![endpoint(&own, ports, at)]
        } else {
            inside.iter().map(|address| endpoint(address, ports, at)).collect()
        };
        let inside = vec![from_inside(at, store)];
        let outcome = || Outcome::Backend(key.to_owned());
        self.listen(service, key, protocol, places, inside, outcome(), settings.clone());
        let has_node_port = match service.kind {
            Kind::Nodes => true,
            Kind::Balancer(on_nodes) => on_nodes || port.on_nodes.is_some(),
            Kind::Cluster | Kind::Headless | Kind::Alias(_) => false,
        };
        if has_node_port {
            let place = match port.on_nodes {
                Some(number) => endpoint("nodes", Some((number, number)), at),
                None => endpoint(&format!("nodes/{}", key.replace(':', "/")), None, at),
            };
            let name = format!("{key} on nodes");
            self.listen(service, &name, protocol, vec![place], Vec::new(), outcome(), outside.clone());
        }
        if !external.is_empty() {
            let places = external.iter().map(|address| endpoint(address, ports, at)).collect();
            let name = format!("{key} on external addresses");
            self.listen(service, &name, protocol, places, Vec::new(), outcome(), outside.clone());
        }
        if let Kind::Balancer(_) = service.kind {
            let address = balancer.clone().unwrap_or_else(|| format!("balancer/{namespace}/{name}"));
            let allowed = sources.as_ref().map(|(ipv4, ipv6, at)| {
                let test = balancers::source(store, ipv4.clone(), ipv6.clone());
                only(&test, "its source is not in `loadBalancerSourceRanges`", *at)
            });
            let name = format!("{key} on load balancer");
            let routes = allowed.into_iter().filter(|route| route.condition != Condition::Never).collect();
            let places = vec![endpoint(&address, ports, at)];
            self.listen(service, &name, protocol, places, routes, outcome(), outside.clone());
        }
    }

    #[expect(clippy::too_many_arguments, reason = "a listener has as many parts")]
    fn listen(
        &mut self,
        service: &Service,
        name: &str,
        protocol: Protocol,
        endpoints: Vec<Endpoint>,
        routes: Vec<Route>,
        otherwise: Outcome,
        settings: Vec<String>,
    ) {
        let otherwise_at = endpoints.first().map(|endpoint| endpoint.origin);
        self.listeners.push(Listener {
            name: format!("Service/{name}"),
            protocol,
            endpoints,
            paths: Paths::AsWritten,
            routes,
            otherwise,
            otherwise_at,
            settings: settings.join("; "),
            owner: service.owner.clone(),
            origin: service.at,
        });
    }

    /// What becomes of what is sent to a port of a Service that somebody names.
    pub(super) fn leads(&mut self, service: &Name, port: &PortName, udp: bool, at: Span) -> Outcome {
        let (namespace, name) = (escape(service.0.as_bytes()), escape(service.1.as_bytes()));
        let suffix = match port {
            PortName::Number(number) => format!(":{number}"),
            PortName::Named(name) => format!(":{}", escape(name.as_bytes())),
            PortName::Unsaid => String::new(),
        };
        let called = format!("{namespace}/{name}{suffix}");
        let Some(found) = self.by_name.get(service).copied() else {
            self.undefined.insert((at, "Service", format!("Service/{namespace}/{name}")));
            let why = "nothing here declares the Service".to_owned();
            self.backends.entry(called.clone()).or_insert_with(|| Backend { open: Some(why), ..nothing(&called, at) });
            return Outcome::Backend(called);
        };
        if let Kind::Alias(host) = &found.kind {
            let number = match port {
                PortName::Number(number) => Some(*number),
                PortName::Named(name) => {
                    found.ports.iter().find(|port| port.name.as_deref() == Some(name)).map(|port| port.number)
                }
                PortName::Unsaid => None,
            };
            self.backends.entry(called.clone()).or_insert_with(|| alias(found, &called, host, number));
            return Outcome::Backend(called);
        }
        let spoken = if udp { Protocol::Udp } else { Protocol::Tcp };
        let mut ports = found.ports.iter().filter(|port| port.protocol == Some(spoken));
        let wanted = match port {
            PortName::Number(number) => ports.find(|port| port.number == *number),
            PortName::Named(name) => ports.find(|port| port.name.as_deref() == Some(name)),
            PortName::Unsaid => ports.next().filter(|_| ports.next().is_none()),
        };
        match wanted {
            Some(port) => Outcome::Backend(format!("{}/{}:{}", found.namespace, found.name, port.key())),
            None => {
                self.undefined.insert((at, "port", called.clone()));
                Outcome::Refused(format!("no port {called}"))
            }
        }
    }

    /// The pods behind a port.
    fn backend_of(&mut self, service: &Service, port: &Port) -> Backend {
        let Service { namespace, name, selector, settings, owner, .. } = service;
        let called = format!("{namespace}/{name}:{}", port.key());
        let mut backend = Backend { owner: owner.clone(), ..nothing(&called, service.at) };
        let mut settings: Vec<String> = settings.iter().chain(&port.setting).cloned().collect();
        let written = self.objects.endpoints.get(&(Arc::clone(namespace), Arc::clone(name)));
        match (written, selector) {
            (Some(written), _) => backend.servers = listed(written, port),
            (None, Some((labels, at))) => {
                let selected: Vec<&Workload> = self.selected(namespace, labels);
                let here = self.cluster.workloads.iter().any(|workload| workload.namespace == *namespace);
                if selected.is_empty() && here {
                    let address = format!("{} in namespace {}", shown(labels), escape(namespace.as_bytes()));
                    self.undefined.insert((*at, "pods", address));
                } else if selected.is_empty() {
                    let asked = match &port.target {
                        Target::Number(number) => number.to_string(),
                        Target::Named(name, _) => escape(name.as_bytes()),
                    };
                    // Others are other pods, or asked at another port.
                    backend.open = Some(format!("its pods, {} at port {asked}, are not declared here", shown(labels)));
                }
                self.pods(&selected, port, &mut backend, &mut settings);
            }
            (None, None) => backend.open = Some("its addresses are written down elsewhere".to_owned()),
        }
        backend.settings = settings.join("; ");
        backend
    }

    /// The workloads whose pods have these labels; one that another one of the tree has made is not counted again.
    fn selected(&self, namespace: &Arc<str>, labels: &crate::formats::kubernetes::fields::Labels) -> Vec<&'c Workload> {
        let all = self.cluster.workloads.iter().filter(|workload| workload.namespace == *namespace);
        let wanted = |workload: &&Workload| labels.iter().all(|(key, value)| workload.labels.get(key) == Some(value));
        let found: Vec<&Workload> = all.filter(wanted).collect();
        let made = |workload: &Workload| {
            let Some((kind, name)) = &workload.owner else { return false };
            self.cluster
                .workloads
                .iter()
                .any(|other| other.kind == *kind && other.name == *name && other.namespace == *namespace)
        };
        found.into_iter().filter(|workload| !made(workload)).collect()
    }

    fn pods(&mut self, selected: &[&Workload], port: &Port, backend: &mut Backend, settings: &mut Vec<String>) {
        let mut checks: BTreeSet<&str> = BTreeSet::new();
        let mut named = false;
        for workload in selected {
            let number = match &port.target {
                Target::Number(number) => Some(*number),
                Target::Named(name, _) => {
                    let protocol = if port.protocol == Some(Protocol::Udp) { 17 } else { 6 };
                    let known = workload.ports.get(name).into_iter().flatten();
                    known.filter(|(of, _)| *of == protocol).map(|(_, number)| *number).next()
                }
            };
            // "Pods without that port are not in the EndpointSlices."
            let Some(number) = number else { continue };
            named = true;
            checks.extend(workload.ready.iter().map(String::as_str));
            let (namespace, name) = (&workload.namespace, &workload.name);
            settings.extend(workload.placed.iter().map(|text| format!("{} {namespace}/{name}: {text}", workload.kind)));
            let server = |n: u32, enabled| {
                let called = if n == 0 { name.to_string() } else { format!("{name}-{n}") };
                let address = format!("pod of {}/{namespace}/{name}", workload.kind);
                let check = (!workload.ready.is_empty()).then_some(None);
                Server { enabled, check, ..Server::new(called, address, Some(number), workload.count.1) }
            };
            let scaled = (workload.kind.to_owned(), Arc::clone(namespace), Arc::clone(name));
            let count = match (self.cluster.autoscalers.get(&scaled), workload.count.0) {
                // "If the Deployment's … desired replica count is set to 0 … the HPA stops adjusting": it is switched off.
                (Some(_) | None, Count::Of(0)) => Count::Of(0),
                (Some((least, most)), _) => {
                    settings.push(format!("{} {namespace}/{name} is scaled from {least} to {most}", workload.kind));
                    Count::Of(*least)
                }
                (None, count) => count,
            };
            match count {
                Count::Of(1) => backend.servers.push(server(0, Some(true))),
                Count::Of(all) => {
                    let Self { counted, account, .. } = &mut *self;
                    let mut gap = |reason| account.gap(workload.count.1, reason);
                    let all = counted.count(all, ("pods", "workload"), &mut gap);
                    backend.servers.extend((1..=all).map(|n| server(n, Some(true))));
                }
                Count::EachNode => {
                    backend.servers.push(server(0, Some(true)));
                    backend.open = Some(format!("{} {namespace}/{name} has a pod on each node", workload.kind));
                }
                Count::Sometimes => backend.servers.push(server(0, None)),
            }
        }
        if let (Target::Named(name, at), false, false) = (&port.target, named, selected.is_empty()) {
            self.undefined.insert((*at, "port", escape(name.as_bytes())));
        }
        backend.health_check = (!checks.is_empty()).then(|| checks.into_iter().collect::<Vec<_>>().join("; "));
    }
}

/// The addresses that are written down for a port: those of the same name.
fn listed(written: &[Endpoints], port: &Port) -> Vec<Server> {
    let mut out = Vec::new();
    let name = port.name.as_deref().unwrap_or_default();
    for Endpoints { addresses, ports } in written {
        let Some((_, number)) = ports.iter().find(|(of, _)| of == name) else { continue };
        out.extend(addresses.iter().map(|(address, ready, origin)| Server {
            // "A nil value should be interpreted as true."
            enabled: Some(*ready != Some(false)),
            ..Server::new(address.clone(), address.clone(), Some(*number), *origin)
        }));
    }
    out
}

/// Where a Service leads that stands for another name.
fn alias(service: &Service, called: &str, host: &str, port: Option<u16>) -> Backend {
    let server = Server::new(host.to_owned(), host.to_owned(), port, service.at);
    Backend { servers: vec![server], owner: service.owner.clone(), ..nothing(called, service.at) }
}

/// A backend without servers.
pub(super) fn nothing(called: &str, origin: Span) -> Backend {
    Backend {
        name: called.to_owned(),
        servers: Vec::new(),
        open: None,
        health_check: None,
        sources: None,
        settings: String::new(),
        owner: None,
        origin,
    }
}

pub(super) fn endpoint(address: &str, ports: Option<(u16, u16)>, origin: Span) -> Endpoint {
    Endpoint { address: address.to_owned(), addresses: balancers::addresses(address), ports, tls: None, origin }
}

/// Refuses all others.
fn only(condition: &Condition, why: &str, origin: Span) -> Route {
    Route { condition: condition.clone().negated(), outcome: Outcome::Refused(why.to_owned()), origin }
}

fn from_inside(at: Span, store: &mut Store) -> Route {
    let (ipv4, ipv6) = private();
    only(&balancers::source(store, ipv4, ipv6), "not from inside of the cluster", at)
}

/// The addresses of private networks.
fn private() -> (Set, Set) {
    let mut both = (Set::empty(), Set::empty());
    for (family, set) in peers::private() {
        match family {
            crate::net::Family::Ipv4 => both.0 = set,
            crate::net::Family::Ipv6 => both.1 = set,
        }
    }
    both
}
