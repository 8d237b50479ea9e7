//! Addresses behind Services that are written down, and what decides how many pods a workload has.
//!
//! Kubernetes API reference, "EndpointSlice" (discovery.k8s.io/v1), "Endpoints" (v1), "HorizontalPodAutoscaler"
//! (autoscaling).

use super::Name;
use crate::formats::Disposition;
use crate::formats::account::Account;
use crate::formats::data::value::Value;
use crate::formats::kubernetes::fields::{Fields, is_word};
use crate::formats::kubernetes::read::Meta;
use crate::formats::kubernetes::syntax::Cluster;
use crate::text::Span;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The label of an EndpointSlice that names its Service.
const SERVICE: &str = "kubernetes.io/service-name";

/// Addresses that have the same ports.
#[derive(Debug, Default)]
pub(super) struct Endpoints {
    /// Each with whether it is ready (`None`: not known, which counts as ready), and where it stands.
    pub(super) addresses: Vec<(String, Option<bool>, Span)>,
    /// By the name of the port of the Service; empty where that has none.
    pub(super) ports: Vec<(String, u16)>,
}

pub(super) fn read(
    kind: &str,
    fields: Fields<'_>,
    meta: &Meta<'_>,
    out: &mut BTreeMap<Name, Vec<Endpoints>>,
    account: &mut Account,
) {
    if let Some(value) = meta.annotations {
        account.claim(value.at, Disposition::Inert("metadata"));
    }
    if kind == "Endpoints" {
        let found = subsets(fields, account);
        let name = (Arc::clone(&meta.namespace), Arc::clone(&meta.name));
        return out.entry(name).or_default().extend(found);
    }
    let found = slice(fields, account);
    match meta.labels.get(SERVICE) {
        Some(service) => out.entry((Arc::clone(&meta.namespace), Arc::clone(service))).or_default().push(found),
        None => account.gap(meta.at, format!("it has no label `{SERVICE}`, so no Service is served by it")),
    }
}

fn slice(mut fields: Fields<'_>, account: &mut Account) -> Endpoints {
    let mut out = Endpoints::default();
    let kind_at = fields.place("addressType");
    if !matches!(fields.text("addressType", account), Some("IPv4" | "IPv6" | "FQDN")) {
        account.gap(kind_at, "`addressType` is `IPv4`, `IPv6` or `FQDN`");
    }
    for value in fields.list("endpoints", account).unwrap_or_default() {
        let mut endpoint = Fields::of(value, account);
        let mut ready = None;
        if let Some(conditions) = endpoint.take("conditions") {
            let mut conditions = Fields::of(conditions, account);
            ready = conditions.truth("ready", account);
            conditions.rest_inert("what `ready` says already", account);
        }
        // "Clients must handle multiple addresses": "the contents of this field are interpreted" as one endpoint.
        let listed = endpoint.list("addresses", account).unwrap_or_default();
        out.addresses.extend(listed.iter().filter_map(|value| Some((word(value, account)?, ready, value.at))));
        endpoint.rest_inert("where the endpoint runs", account);
    }
    for value in fields.list("ports", account).unwrap_or_default() {
        out.ports.extend(port(value, account));
    }
    fields.close(account);
    out
}

fn subsets(mut fields: Fields<'_>, account: &mut Account) -> Vec<Endpoints> {
    let mut out = Vec::new();
    for value in fields.list("subsets", account).unwrap_or_default() {
        let mut subset = Fields::of(value, account);
        let mut one = Endpoints::default();
        for (list, ready) in [("addresses", true), ("notReadyAddresses", false)] {
            for value in subset.list(list, account).unwrap_or_default() {
                let mut address = Fields::of(value, account);
                if let Some(text) = address.take("ip").and_then(|value| word(value, account)) {
                    one.addresses.push((text, Some(ready), value.at));
                }
                address.rest_inert("where the endpoint runs", account);
            }
        }
        for value in subset.list("ports", account).unwrap_or_default() {
            one.ports.extend(port(value, account));
        }
        subset.close(account);
        out.push(one);
    }
    fields.close(account);
    out
}

fn word(value: &Value, account: &mut Account) -> Option<String> {
    let found = value.text().filter(|text| is_word(text));
    if found.is_none() {
        account.gap(value.at, "an address is expected");
    }
    found.map(str::to_owned)
}

fn port(value: &Value, account: &mut Account) -> Option<(String, u16)> {
    let mut fields = Fields::of(value, account);
    let name_at = fields.place("name");
    let name = fields.text("name", account).unwrap_or_default().to_owned();
    if !name.is_empty() && !is_word(&name) {
        account.gap(name_at, "the name of a port is a word");
    }
    let at = fields.place("protocol");
    match fields.text("protocol", account) {
        None | Some("TCP" | "UDP") => {}
        Some(_) => account.gap(at, "what is sent by other protocols than TCP and UDP is not modelled"),
    }
    let number = fields.number("port", 1..=65535, account).and_then(|port| u16::try_from(port).ok());
    fields.setting("appProtocol", "", account);
    let at = fields.at();
    fields.close(account);
    if number.is_none() {
        account.gap(at, "an endpoint without a number of its port means all ports, which is not modelled");
    }
    number.map(|number| (name, number))
}

pub(super) fn autoscaler(mut fields: Fields<'_>, meta: &Meta<'_>, cluster: &mut Cluster, account: &mut Account) {
    if let Some(value) = meta.annotations {
        account.claim(value.at, Disposition::Inert("metadata"));
    }
    let spec = fields.take("spec");
    fields.close(account);
    let Some(spec) = spec else { return account.gap(meta.at, "it has no `spec`") };
    let mut spec = Fields::of(spec, account);
    let target = spec.take("scaleTargetRef");
    let mut bound = |name| spec.number(name, 0..=i128::from(i32::MAX), account).and_then(|n| u32::try_from(n).ok());
    // "It defaults to 1 pod."
    let (least, most) = (bound("minReplicas").unwrap_or(1), bound("maxReplicas"));
    spec.rest_inert("when pods are added and removed", account);
    let (Some(target), Some(most)) = (target, most) else {
        return account.gap(meta.at, "an autoscaler has a `scaleTargetRef` and `maxReplicas`");
    };
    let mut target = Fields::of(target, account);
    let (kind, name) = (target.word("kind", account), target.word("name", account));
    target.setting("apiVersion", "", account);
    target.close(account);
    if let (Some(kind), Some(name)) = (kind, name) {
        let key = (kind.to_owned(), Arc::clone(&meta.namespace), name.into());
        if cluster.autoscalers.insert(key, (least, most)).is_some() {
            account.gap(meta.at, "another autoscaler is for the same workload");
        }
    }
}
