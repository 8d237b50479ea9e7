//! What leads connections and requests to pods: Services, Ingresses, and the Gateways and routes of the Gateway API.
//!
//! A Service is a listener for each of its ports and each way to it (inside the cluster, on the nodes, at a load balancer),
//! and a backend whose servers are its pods. All Ingresses of a class are one listener, since one controller serves them
//! together; the listeners of a Gateway are one for each port.
//!
//! Workloads of the tree are all that there are: a Service has the pods of the workloads that its selector selects there,
//! as many as those say. Where no workload is declared in its namespace at all, its pods are declared elsewhere, and how
//! many there are is not known. A Service that is named and not declared may be declared elsewhere, too; that is told as
//! an undefined reference.

mod annotations;
mod certificates;
mod conditions;
mod config_maps;
mod endpoints;
mod gateway;
mod gateways;
mod ingress;
mod ingresses;
mod routes;
mod service;
mod services;

use super::fields::Fields;
use super::read::{Meta, Reader};
use super::syntax::Cluster;
use crate::formats::Reading;
use crate::formats::account::Account;
use crate::text::{Span, escape};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The kinds that are read here, with their groups and the versions that serve them.
pub(super) const KINDS: &[(&str, &str, &[&str])] = &[
    ("Service", "", &["v1"]),
    ("Endpoints", "", &["v1"]),
    ("EndpointSlice", "discovery.k8s.io", &["v1", "v1beta1"]),
    ("Ingress", "networking.k8s.io", &["v1", "v1beta1"]),
    ("Ingress", "extensions", &["v1beta1"]),
    ("IngressClass", "networking.k8s.io", &["v1", "v1beta1"]),
    ("Gateway", gateway::GROUP, &["v1", "v1beta1", "v1alpha2"]),
    ("HTTPRoute", gateway::GROUP, &["v1", "v1beta1", "v1alpha2"]),
    ("GRPCRoute", gateway::GROUP, &["v1", "v1alpha2"]),
    ("TLSRoute", gateway::GROUP, &["v1", "v1alpha3", "v1alpha2"]),
    ("TCPRoute", gateway::GROUP, &["v1", "v1alpha2"]),
    ("UDPRoute", gateway::GROUP, &["v1", "v1alpha2"]),
    ("ReferenceGrant", gateway::GROUP, &["v1", "v1beta1", "v1alpha2"]),
    ("HorizontalPodAutoscaler", "autoscaling", &["v1", "v2", "v2beta1", "v2beta2"]),
];

/// What is read.
#[derive(Debug, Default)]
pub(super) struct Objects {
    services: Vec<service::Service>,
    /// The addresses behind a Service that are written down, by namespace and name.
    endpoints: BTreeMap<Name, Vec<endpoints::Endpoints>>,
    ingresses: Vec<ingress::Ingress>,
    classes: Vec<ingress::Class>,
    gateways: Vec<gateway::Gateway>,
    routes: Vec<routes::Route>,
    grants: Vec<gateway::Grant>,
    /// What controllers are told of all Ingresses, and of ports beside those.
    configs: Vec<config_maps::Config>,
    forwards: Vec<config_maps::Forward>,
    /// The other ConfigMaps.
    plain: Vec<config_maps::Plain>,
    /// The certificates that are declared, and where.
    certificates: BTreeMap<String, Span>,
}

/// A namespace and a name in it.
type Name = (Arc<str>, Arc<str>);

/// Reads an object of one of [`KINDS`].
pub(super) fn read(reader: &mut Reader, kind: &'static str, version: &str, fields: Fields<'_>, meta: &Meta<'_>) {
    let (namespace, name) = (escape(meta.namespace.as_bytes()), escape(meta.name.as_bytes()));
    let address = if kind == "IngressClass" { format!("{kind}/{name}") } else { format!("{kind}/{namespace}/{name}") };
    if !reader.first(kind, &address, meta.at) {
        return;
    }
    let Reader { account, cluster, balancing, .. } = reader;
    match kind {
        "Service" => balancing.services.extend(service::read(fields, meta, account)),
        "Ingress" => balancing.ingresses.extend(ingress::read(fields, meta, version == "v1beta1", account)),
        "IngressClass" => balancing.classes.extend(ingress::class(fields, meta, account)),
        "Gateway" => balancing.gateways.extend(gateway::gateway(fields, meta, account)),
        "ReferenceGrant" => balancing.grants.extend(gateway::grant(fields, meta, account)),
        kind if kind.ends_with("Route") => balancing.routes.extend(routes::read(kind, fields, meta, account)),
        "HorizontalPodAutoscaler" => return endpoints::autoscaler(fields, meta, cluster, account),
        "Endpoints" | "EndpointSlice" => endpoints::read(kind, fields, meta, &mut balancing.endpoints, account),
        _ => return account.gap(meta.at, "what this kind does to requests is not read"),
    }
    reader.declare(kind, address, String::new(), meta.at).owner = owner(meta);
}

pub(super) use certificates::declared as certificates;

/// Reads a ConfigMap: it is for an ingress controller, or for none that is known.
pub(super) fn config_map(reader: &mut Reader, fields: Fields<'_>, meta: &Meta<'_>, at: Span) {
    config_maps::read(reader, fields, meta, at);
}

/// Remembers certificates that an object declares.
pub(super) fn certify(objects: &mut Objects, names: Vec<String>, at: Span) {
    for name in names {
        objects.certificates.entry(name).or_insert(at);
    }
}

/// Whose an object is, where it says so.
fn owner(meta: &Meta<'_>) -> Option<String> {
    meta.labels.get("owner").map(|owner| escape(owner.as_bytes()))
}

/// Puts what is read into the model.
pub(super) fn lower(cluster: &Cluster, objects: &Objects, reading: &mut Reading<'_>, account: &mut Account) {
    let mut lowering = services::Lowering::new(cluster, objects, account);
    lowering.services(reading.store);
    lowering.ingresses(reading.store);
    lowering.gateways(reading.store);
    lowering.config_maps();
    lowering.finish(reading);
}

/// Text that stands in a field, and where.
type Said = (String, Span);
