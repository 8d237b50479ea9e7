//! Objects of the API to what they say.

use super::balancing::{self, Objects};
use super::fields::{Fields, Labels, labels};
use super::kinds::{self, Kind};
use super::policy;
use super::selector::NAME;
use super::syntax::{Cluster, Count, Ports, Workload};
use crate::formats::Disposition;
use crate::formats::account::Account;
use crate::formats::data::value::{Value, What};
use crate::model::Object;
use crate::text::{Span, escape};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Where an object is that names no namespace: "the `default` namespace".
const DEFAULT: &str = "default";
/// Lists may hold lists, but not without end.
const DEEPEST: usize = 8;

/// The kinds that run pods, each with the APIs that serve it and the path to what says how the pods look.
const WORKLOADS: &[(&str, &[&str], &[&str])] = &[
    ("Pod", &["v1"], &[]),
    ("Deployment", &["apps/v1"], &["spec", "template"]),
    ("ReplicaSet", &["apps/v1"], &["spec", "template"]),
    ("ReplicationController", &["v1"], &["spec", "template"]),
    ("StatefulSet", &["apps/v1"], &["spec", "template"]),
    ("DaemonSet", &["apps/v1"], &["spec", "template"]),
    ("Job", &["batch/v1"], &["spec", "template"]),
    ("CronJob", &["batch/v1"], &["spec", "jobTemplate", "spec", "template"]),
    ("DeploymentConfig", &["apps.openshift.io/v1", "v1"], &["spec", "template"]),
    ("Rollout", &["argoproj.io/v1alpha1"], &["spec", "template"]),
    ("VirtualMachine", &["kubevirt.io/v1"], &["spec", "template"]),
    ("VirtualMachineInstance", &["kubevirt.io/v1"], &[]),
];

/// The kinds that decide about packets, and the APIs that serve them.
const DECIDING: &[(&str, &str)] = &[
    ("Namespace", "v1"),
    ("NetworkPolicy", "networking.k8s.io/v1"),
    ("AdminNetworkPolicy", "policy.networking.k8s.io/v1alpha1"),
    ("BaselineAdminNetworkPolicy", "policy.networking.k8s.io/v1alpha1"),
    ("ClusterNetworkPolicy", "policy.networking.k8s.io/v1alpha2"),
];

/// The kinds of [`WORKLOADS`] that have so many pods as they say, or one.
const COUNTED: &[&str] =
    &["Deployment", "ReplicaSet", "ReplicationController", "StatefulSet", "DeploymentConfig", "Rollout"];

/// What decides whether there is a node for a pod, and whether it counts as ready there, with what is so where nobody says it.
const PLACED: &[(&str, &str)] = &[
    ("affinity", ""),
    ("nodeSelector", ""),
    ("os", ""),
    ("readinessGates", ""),
    ("runtimeClassName", ""),
    ("schedulerName", "default-scheduler"),
    ("schedulingGates", ""),
    ("tolerations", ""),
    ("topologySpreadConstraints", ""),
];

const WORDS: &str = "names and namespaces are words";

/// An object's metadata.
pub(super) struct Meta<'v> {
    pub(super) name: Arc<str>,
    pub(super) namespace: Arc<str>,
    pub(super) labels: Labels,
    /// Remarks on it, some of which programs read.
    pub(super) annotations: Option<&'v Value>,
    /// Where the name stands.
    name_at: Span,
    /// The kind and name of what made it.
    owner: Option<(&'static str, Arc<str>)>,
    pub(super) at: Span,
}

/// Takes in what the objects of all files say.
#[derive(Default)]
pub(super) struct Reader {
    pub(super) account: Account,
    pub(super) cluster: Cluster,
    pub(super) objects: Vec<Object>,
    /// What leads requests to pods.
    pub(super) balancing: Objects,
    /// What must not be printed.
    pub(super) hidden: Vec<Span>,
    seen: BTreeSet<(String, String)>,
}

impl Reader {
    /// A document of a file, or an item of a list.
    pub(super) fn object(&mut self, value: &Value, depth: usize) {
        if value.is_null() {
            return;
        }
        let Some(object) = value.object() else {
            return self.account.gap(value.at, "an object of Kubernetes is expected: one with `apiVersion` and `kind`");
        };
        let named = |name: &str| object.get(name).and_then(Value::text);
        let (Some(api), Some(kind)) = (named("apiVersion"), named("kind")) else {
            return self.account.gap(value.at, "an object of Kubernetes is expected: one with `apiVersion` and `kind`");
        };
        let group = api.split_once('/').map_or("", |(group, _)| group);
        if group == "kustomize.config.k8s.io" || kind == "Kustomization" && group.is_empty() {
            let reason =
                "sources of Kustomize are not manifests: render them first (`kustomize build`), and check the result";
            return self.account.gap(value.at, reason);
        }
        if kind == "Secret" {
            let secret = ["data", "stringData"].into_iter().filter_map(|name| object.get(name));
            self.hidden.extend(secret.map(|value| value.at));
            // Where the object was made by `kubectl apply`, a note on it has all of it again.
            let notes = object.get("metadata").and_then(Value::object).and_then(|meta| meta.get("annotations"));
            self.hidden.extend(notes.map(|value| value.at));
        }
        if kind.ends_with("List") && object.get("items").is_some() {
            self.api(api, value.at);
            self.served(kind != "List" || api == "v1", api, value.at);
            return self.list(value, depth);
        }
        let mut fields = Fields::of(value, &mut self.account);
        fields.take("apiVersion");
        fields.take("kind");
        fields.inert("status", "what the cluster says of it", &mut self.account);
        let Some(meta) = self.meta(fields.take("metadata"), value.at) else { return };
        self.api(api, value.at);
        let workload = WORKLOADS.iter().find(|(known, ..)| *known == kind);
        let of = |apis: &[&str]| apis.iter().any(|known| known.split('/').next() == api.split('/').next());
        if let Some((kind, apis, path)) = workload.filter(|(_, apis, _)| of(apis)) {
            self.served(apis.contains(&api), api, value.at);
            return self.workload(kind, path, fields, meta);
        }
        // As it was called once.
        let once = group == "extensions" && kind == "NetworkPolicy";
        match DECIDING.iter().find(|(known, served)| *known == kind && (of(&[served]) || once)) {
            None => match balancing::KINDS.iter().find(|(known, group_of, _)| *known == kind && *group_of == group) {
                Some((kind, group_of, versions)) => {
                    let version = api.strip_prefix(group_of).map(|rest| rest.trim_start_matches('/'));
                    self.served(version.is_some_and(|version| versions.contains(&version)), api, value.at);
                    balancing::read(self, kind, version.unwrap_or_default(), fields, &meta);
                }
                None if kind == "ConfigMap" && group.is_empty() => {
                    self.served(api == "v1", api, value.at);
                    self.remarks(&meta);
                    balancing::config_map(self, fields, &meta, value.at);
                }
                None => {
                    self.remarks(&meta);
                    let certificates = balancing::certificates(group, kind, object, &meta);
                    balancing::certify(&mut self.balancing, certificates, meta.at);
                    self.other(group, kind, value, &meta);
                }
            },
            Some((kind, served)) => {
                self.served(*served == api, api, value.at);
                match *kind {
                    "Namespace" => self.namespace(fields, meta),
                    "NetworkPolicy" => {
                        self.remarks(&meta);
                        let policy = policy::network(fields, &meta, &mut self.account);
                        self.policy(policy, meta.at);
                    }
                    kind => {
                        self.remarks(&meta);
                        if let Some(policy) = policy::cluster_wide(kind, fields, &meta, &mut self.account) {
                            self.policy(policy, meta.at);
                        }
                    }
                }
            }
        }
    }

    /// Whether it can be an API at all: `v1`, `networking.k8s.io/v1`.
    fn api(&mut self, api: &str, at: Span) {
        if !api.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"./-".contains(&b)) {
            self.account.gap(at, format!("`{}` is no API", escape(api.as_bytes())));
        }
    }

    fn served(&mut self, served: bool, api: &str, at: Span) {
        if !served {
            self.account.gap(at, format!("`{}` is no API that serves this kind", escape(api.as_bytes())));
        }
    }

    fn list(&mut self, value: &Value, depth: usize) {
        let mut fields = Fields::of(value, &mut self.account);
        fields.take("apiVersion");
        fields.take("kind");
        fields.inert("metadata", "about the list, not in it", &mut self.account);
        if depth == DEEPEST {
            return self.account.gap(value.at, "lists stand in one another too deep");
        }
        for item in fields.list("items", &mut self.account).unwrap_or_default() {
            self.object(item, depth + 1);
        }
        fields.close(&mut self.account);
    }

    fn meta<'v>(&mut self, value: Option<&'v Value>, at: Span) -> Option<Meta<'v>> {
        let account = &mut self.account;
        let Some(value) = value else {
            account.gap(at, "it has no name");
            return None;
        };
        let mut fields = Fields::of(value, account);
        let name_at = value.object().and_then(|meta| meta.get("name")).map_or(at, |name| name.at);
        let name = fields.text("name", account);
        let generated = fields.text("generateName", account);
        let namespace = fields.text("namespace", account).unwrap_or(DEFAULT);
        let found = fields.take("labels");
        let labels = found.map_or_else(Labels::new, |value| labels(value, account));
        let plain = |text: &str| text.bytes().all(|b| b.is_ascii_graphic() && !b"/%".contains(&b));
        let mut owner = None;
        for value in fields.list("ownerReferences", account).unwrap_or_default() {
            let mut reference = Fields::of(value, account);
            let (kind, name) = (reference.text("kind", account), reference.text("name", account));
            reference.rest_inert("metadata", account);
            let known = WORKLOADS.iter().find(|(known, ..)| Some(*known) == kind);
            match known.zip(name).filter(|_| owner.is_none()) {
                Some((_, name)) if !plain(name) => account.gap(value.at, WORDS),
                Some(((kind, ..), name)) => owner = Some((*kind, name.into())),
                None => account.claim(value.at, Disposition::Inert("metadata")),
            }
        }
        let annotations = fields.take("annotations");
        fields.rest_inert("metadata", account);
        let Some(name) = name.or(generated).filter(|name| !name.is_empty()) else {
            account.gap(at, "it has no name");
            return None;
        };
        if !plain(name) || !plain(namespace) {
            account.gap(at, WORDS);
        }
        let (name, namespace) = (name.into(), namespace.into());
        Some(Meta { name, namespace, labels, annotations, name_at, owner, at })
    }

    /// Says of the annotations of an object that they change nothing.
    fn remarks(&mut self, meta: &Meta<'_>) {
        if let Some(value) = meta.annotations {
            self.account.claim(value.at, Disposition::Inert("metadata"));
        }
    }

    /// Whether an object is the first of that name.
    pub(super) fn first(&mut self, kind: &str, address: &str, at: Span) -> bool {
        let first = self.seen.insert((kind.to_owned(), address.to_owned()));
        if !first {
            let reason =
                format!("there is another {} of that name: which of them counts is not known", escape(kind.as_bytes()));
            self.account.gap(at, reason);
        }
        first
    }

    fn namespace(&mut self, fields: Fields<'_>, meta: Meta<'_>) {
        self.remarks(&meta);
        let Meta { name, namespace: _, mut labels, annotations: _, name_at: _, owner: _, at } = meta;
        fields.rest_inert("not about packets", &mut self.account);
        if !self.first("Namespace", &name, at) {
            return;
        }
        let content = shown(&labels);
        // "The Kubernetes API server sets this label on all namespaces."
        labels.insert(NAME.into(), Arc::clone(&name));
        self.declare("Namespace", format!("Namespace/{}", escape(name.as_bytes())), content, at);
        self.cluster.namespaces.insert(name, labels);
    }

    pub(super) fn declare(
        &mut self,
        kind: &'static str,
        address: String,
        content: String,
        origin: Span,
    ) -> &mut Object {
        self.objects.push(Object::new(kind, address, content, origin));
        self.objects.last_mut().expect("one has just been added")
    }

    fn policy(&mut self, policy: super::syntax::Policy, at: Span) {
        if !self.first(policy.kind, &policy.address, at) {
            return;
        }
        let content = policy::content(&policy);
        self.declare(policy.kind, policy.address.clone(), content, at).owner = policy.owner.clone();
        self.cluster.policies.push(policy);
    }

    /// The pods of a controller, or one that stands for itself.
    fn workload(&mut self, kind: &'static str, path: &[&'static str], fields: Fields<'_>, meta: Meta<'_>) {
        self.remarks(&meta);
        let mut inner = fields;
        let mut spec = None;
        let counted = if COUNTED.contains(&kind) || kind.starts_with("Pod") || kind.ends_with("Instance") {
            Count::Of(1)
        } else if kind == "DaemonSet" {
            Count::EachNode
        } else {
            Count::Sometimes
        };
        let (mut count, mut said) = ((counted, meta.at), String::new());
        for step in path {
            if COUNTED.contains(&kind)
                && let Some(replicas) = inner.number("replicas", 0..=i128::from(i32::MAX), &mut self.account)
            {
                let number = u32::try_from(replicas).expect("between 0 and 2^31");
                count = (Count::Of(number), inner.place("replicas"));
                said = format!("; {number} of them");
            }
            if let Some((of, text)) = runs(kind, &mut inner, &mut self.account) {
                (count.0, said) = (of, format!("; {text}"));
            }
            let next = inner.take(step);
            inner.rest_inert("not about the network of its pods", &mut self.account);
            let Some(next) = next else {
                self.account.gap(meta.at, format!("it has no `{step}`"));
                return;
            };
            inner = Fields::of(next, &mut self.account);
        }
        let mut pod_labels = meta.labels.clone();
        if !path.is_empty() {
            let template = inner.take("metadata");
            pod_labels = Labels::new();
            if let Some(template) = template {
                let mut template = Fields::of(template, &mut self.account);
                let found = template.take("labels");
                pod_labels = found.map_or_else(Labels::new, |value| labels(value, &mut self.account));
                template.rest_inert("metadata", &mut self.account);
            }
        }
        spec = inner.take("spec").or(spec);
        inner.rest_inert("not about the network of its pods", &mut self.account);
        // What makes workloads copies it; what makes pods adds to it, a node of its own for each of them among that.
        let chosen = kind != "Pod" || meta.owner.is_none();
        let Pod { ports, on_host, ready, placed } =
            spec.map_or_else(Pod::default, |spec| self.pod(spec, kind == "Pod", chosen));
        let Meta { name, namespace, labels: _, annotations: _, name_at, owner, at } = meta;
        let (maker, mut of_pods) = (owner.clone(), false);
        // The pods that a controller has made are told as one, unless one of them has been changed.
        let (kind, name) = match owner.filter(|_| kind == "Pod") {
            None => (kind, name),
            Some((owner, called)) => {
                let mut known = self.cluster.workloads.iter_mut();
                let same =
                    |other: &&mut Workload| (other.kind, &other.namespace, &other.name) == (owner, &namespace, &called);
                match known.find(same) {
                    Some(other) if other.labels == pod_labels && other.ports == ports => {
                        // One that is made of its pods has one more.
                        if let (Count::Of(number), true) = (&mut other.count.0, other.of_pods) {
                            *number = number.saturating_add(1);
                        }
                        return self.account.claim(at, Disposition::Inert("another pod of the same controller"));
                    }
                    Some(_) => (kind, name),
                    None => {
                        self.account.claim(name_at, Disposition::Inert("the name of one of several pods"));
                        of_pods = true;
                        (owner, called)
                    }
                }
            }
        };
        let address = format!("{kind}/{}/{}", escape(namespace.as_bytes()), escape(name.as_bytes()));
        if !self.first(kind, &address, at) {
            return;
        }
        let named = |(name, ports): (&Arc<str>, &Vec<(u8, u16)>)| {
            let ports: Vec<String> = ports.iter().map(|(protocol, port)| format!("{protocol}/{port}")).collect();
            format!("{}={}", escape(name.as_bytes()), ports.join("+"))
        };
        let named: Vec<String> = ports.iter().map(named).collect();
        let host = if on_host.is_some() { " on the network of the node" } else { "" };
        let content = format!("pods with {}; ports {}{host}{said}", shown(&pod_labels), named.join(","));
        self.declare(kind, address, content, at);
        let owner = maker.filter(|(maker, called)| (*maker, called) != (kind, &name));
        let labels = pod_labels;
        self.cluster.workloads.push(Workload {
            kind,
            namespace,
            name,
            labels,
            ports,
            on_host,
            ready,
            placed,
            count,
            of_pods,
            owner,
            at,
        });
    }

    /// What the specification of a pod says of its network. `is_one`: it is that of one pod, of no workload; `chosen`: where it runs
    /// is said by its author, not by what made it.
    fn pod(&mut self, spec: &Value, is_one: bool, chosen: bool) -> Pod {
        let (mut ports, mut ready) = (Ports::new(), Vec::new());
        let mut fields = Fields::of(spec, &mut self.account);
        for containers in ["containers", "initContainers"] {
            for container in fields.list(containers, &mut self.account).unwrap_or_default() {
                let mut container = Fields::of(container, &mut self.account);
                // Those that end before the pod begins get no packets of others; those that stay are side cars.
                let stays = container.text("restartPolicy", &mut self.account) == Some("Always");
                if containers == "initContainers" && !stays {
                    container.rest_inert("not about the network of its pods", &mut self.account);
                    continue;
                }
                for port in container.list("ports", &mut self.account).unwrap_or_default() {
                    let mut port = Fields::of(port, &mut self.account);
                    let name = port.text("name", &mut self.account);
                    if name.is_some_and(|name| !policy::is_port_name(name)) {
                        self.account
                            .gap(port.at(), "the name of a port is 15 lowercase letters, digits and dashes at most");
                    }
                    let protocol = policy::protocol(&mut port, &mut self.account);
                    let number = port.number("containerPort", 1..=65535, &mut self.account);
                    port.rest_inert("not about the network of its pods", &mut self.account);
                    if let (Some(name), Some(number)) = (name, number) {
                        let number = u16::try_from(number).expect("between 1 and 65535");
                        ports.entry(name.into()).or_default().push((protocol, number));
                    }
                }
                ready.extend(container.setting("readinessProbe", "", &mut self.account));
                container.rest_inert("not about the network of its pods", &mut self.account);
            }
        }
        let on_host = fields.take("hostNetwork");
        if let Some(value) = on_host.filter(|value| !matches!(value.what, What::Truth(_))) {
            self.account.gap(value.at, "`hostNetwork` is true or false");
        }
        let on_host = on_host.filter(|value| !matches!(value.what, What::Truth(false))).map(|value| value.at);
        let mut placed = Vec::new();
        for (name, usual) in PLACED.iter().filter(|_| chosen) {
            placed.extend(fields.setting(name, usual, &mut self.account));
        }
        // Where it is said of a pod itself, the scheduler may have found it.
        if !is_one {
            placed.extend(fields.setting("nodeName", "", &mut self.account));
        }
        fields.rest_inert("not about the network of its pods", &mut self.account);
        Pod { ports, on_host, ready, placed }
    }

    fn other(&mut self, group: &str, kind: &str, value: &Value, meta: &Meta<'_>) {
        let shown_kind = escape(kind.as_bytes());
        match kinds::other(group, kind) {
            Kind::Inert(why) => self.account.claim(value.at, Disposition::Inert(why)),
            Kind::Gap => self.account.gap(value.at, format!("what a `{shown_kind}` does to packets is not modelled")),
            Kind::Told(known, uncomputed) => {
                let (namespace, name) = (escape(meta.namespace.as_bytes()), escape(meta.name.as_bytes()));
                let address = format!("{shown_kind}/{namespace}/{name}");
                if !self.first(&format!("{group}/{kind}"), &address, meta.at) {
                    return;
                }
                self.account.claim(value.at, Disposition::Opaque("its effect is not computed"));
                let content = super::shown::value(value);
                self.declare(known, address, content, meta.at).uncomputed = Some(uncomputed);
            }
        }
    }
}

/// Whether a virtual machine runs, where it says so, and how: "`Always` … `Halted`: … will never be present"; `running` is its
/// older name (kubevirt.io, "Run Strategies"). And whether a Job does: "suspending a Job will delete its active Pods".
fn runs(kind: &str, fields: &mut Fields<'_>, account: &mut Account) -> Option<(Count, String)> {
    if kind == "Job" {
        let suspended = fields.truth("suspend", account) == Some(true);
        let none = fields.number("parallelism", 0..=i128::from(i32::MAX), account) == Some(0);
        return (suspended || none).then(|| (Count::Of(0), "none of them".to_owned()));
    }
    if kind != "VirtualMachine" {
        return None;
    }
    let at = fields.place("runStrategy");
    if let Some(running) = fields.truth("running", account) {
        return Some((Count::Of(running.into()), format!("running: {running}")));
    }
    let strategy = fields.text("runStrategy", account)?;
    let count = match strategy {
        "Always" => Count::Of(1),
        "Halted" => Count::Of(0),
        "Manual" | "Once" | "RerunOnFailure" => Count::Sometimes,
        _ => {
            account.gap(at, "it is not known when it runs");
            Count::Sometimes
        }
    };
    Some((count, format!("runStrategy: {}", escape(strategy.as_bytes()))))
}

/// What the specification of a pod says of its network.
#[derive(Default)]
struct Pod {
    ports: Ports,
    on_host: Option<Span>,
    ready: Vec<String>,
    placed: Vec<String>,
}

/// Labels in one line.
pub(super) fn shown(labels: &Labels) -> String {
    let all: Vec<String> =
        labels.iter().map(|(key, value)| format!("{}={}", escape(key.as_bytes()), escape(value.as_bytes()))).collect();
    all.join(",")
}
