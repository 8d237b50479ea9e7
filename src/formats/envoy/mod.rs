//! Envoy: the static part of a bootstrap (`config.bootstrap.v3.Bootstrap`), in YAML or JSON, and files of resources beside it
//! (listeners, route configurations, clusters, endpoints) as servers of configuration hand them out.
//!
//! Envoy's API reference, v3; as far as they are called alike, v2. What Envoy asks a server for while it runs is not in the
//! file and a gap, unless the configuration has a file of it.

mod chains;
mod clusters;
mod fields;
mod files;
mod filters;
mod http;
mod listeners;
mod matchers;
mod rbac;
mod routes;
mod tls;

use super::account::Account;
use super::data::may_be_tree;
use super::data::value::Value;
use super::data::yaml::{Document, Problem, documents, no_tags};
use super::parallel::in_parallel;
use super::{Disposition, Format, Include, Reading};
use crate::model::{Object, Reference};
use crate::net::EnvoyPaths;
use crate::text::{SourceId, Span, escape};
use fields::{Fields, brief, field, whole};
use filters::type_of;
use std::collections::{BTreeMap, BTreeSet};

pub(super) static FORMAT: Envoy = Envoy;

pub(super) struct Envoy;

/// Room for values that stand in one another as deep as they may.
const STACK: usize = 8 << 20;

impl Format for Envoy {
    fn id(&self) -> &'static str {
        "envoy"
    }

    fn recognises(&self, _name: &str, text: &[u8]) -> bool {
        if !may_be_tree(text) {
            return false;
        }
        let has = |word: &str| memchr::memmem::find(text, word.as_bytes()).is_some();
        let top = |word: &str| {
            has(&format!("\n{word}:")) || text.starts_with(format!("{word}:").as_bytes()) || has(&format!("\"{word}\""))
        };
        let any = |words: &[&str]| words.iter().any(|word| has(word));
        // Lists of resources: listeners, clusters, routes, servers.
        let begins = |sign: &[u8]| text.trim_ascii_start().starts_with(sign);
        let listed = begins(b"- ") || begins(b"[") || top("resources");
        let parts = ["filter_chain", "ilterChain", "load_assignment", "eds_cluster_config", "edsClusterConfig"];
        top("static_resources")
            || top("staticResources")
            || (top("dynamic_resources") || top("dynamicResources")) && (top("node") || top("admin"))
            || listed
                && (any(&["virtual_hosts", "virtualHosts"]) && has("domains") || any(&["lb_endpoints", "lbEndpoints"]))
            || listed && (has("type.googleapis.com/envoy.") || has("connectTimeout")) && any(&parts)
    }

    fn includes(&self, main: &str, _file: &str, text: &[u8]) -> Vec<Include> {
        files::names(main, text)
    }

    fn read(&self, reading: &mut Reading<'_>) {
        let mut account = Account::default();
        let texts: Vec<(SourceId, &[u8])> = reading.files().iter().map(|file| (*file, reading.text(*file))).collect();
        let found = in_parallel(&texts, STACK, |(file, text)| documents(*file, text, &no_tags));
        let mut values: Vec<Value> = Vec::new();
        for ((file, text), found) in texts.iter().zip(found) {
            let all = Span { source: *file, start: 0, end: super::end_of(text) };
            account.claim(all, Disposition::Modelled);
            if text.trim_ascii().is_empty() {
                account.gap(all, "the file is empty: nothing listens");
            }
            match found {
                Ok(found) => {
                    for (number, Document { at, value }) in found.into_iter().enumerate() {
                        if number > 0 {
                            account.gap(at, "Envoy refuses it: a file has one document");
                        }
                        values.push(value);
                    }
                }
                Err(problems) => {
                    for Problem { at, reason } in problems {
                        account.gap(at, reason);
                    }
                }
            }
        }
        let mut lowering = Lowering {
            reading,
            account: &mut account,
            clusters: BTreeSet::new(),
            read: BTreeSet::new(),
            secrets: BTreeSet::new(),
            routes: BTreeMap::new(),
            endpoints: BTreeMap::new(),
            paths: Vec::new(),
            dynamic_clusters: false,
        };
        let mut all = Resources::default();
        for value in &values {
            lowering.hide(value);
            lowering.anchors(value);
            lowering.file(value, &mut all);
        }
        lowering.resources(&all);
        reading.configuration.objects.sort_by(|a, b| (a.kind, &a.address).cmp(&(b.kind, &b.address)));
        reading.configuration.undefined.sort_by_key(|reference| reference.origin);
        reading.configuration.declares = true;
        super::balancers::finish(reading);
        account.close(reading);
    }
}

/// The model in the making.
struct Lowering<'v, 'r> {
    reading: &'v mut Reading<'r>,
    account: &'v mut Account,
    /// The names of the clusters that there are.
    clusters: BTreeSet<String>,
    /// Those of them that are read.
    read: BTreeSet<String>,
    /// The names of the secrets that there are.
    secrets: BTreeSet<String>,
    /// Route configurations by name.
    routes: BTreeMap<String, &'v Value>,
    /// Servers of clusters by the clusters' names.
    endpoints: BTreeMap<String, &'v Value>,
    /// How the connection managers of a listener read paths.
    paths: Vec<EnvoyPaths>,
    /// Whether there are clusters that are found at run time.
    dynamic_clusters: bool,
}

/// What the files declare, in order.
#[derive(Default)]
struct Resources<'v> {
    listeners: Vec<&'v Value>,
    clusters: Vec<&'v Value>,
    admins: Vec<&'v Value>,
}

impl<'v> Lowering<'v, '_> {
    /// A bootstrap, or a file of resources.
    fn file(&mut self, value: &'v Value, all: &mut Resources<'v>) {
        if let Some(list) = value.list() {
            for resource in &list.items {
                self.resource(resource, all);
            }
            return;
        }
        let known = ["static_resources", "dynamic_resources", "admin", "node", "layered_runtime"];
        if field(value, "resources").is_some() && !known.iter().any(|name| field(value, name).is_some()) {
            let mut fields = Fields::of(value, self.account);
            fields.inert(&["version_info", "type_url", "nonce"], "name", self.account);
            for resource in fields.list("resources", self.account) {
                self.resource(resource, all);
            }
            fields.close(self.account);
            return;
        }
        let mut fields = Fields::of(value, self.account);
        fields.inert(INERT, "how Envoy runs, counts and logs", self.account);
        fields.inert(&["@type"], "name", self.account);
        fields.gap(
            &["bootstrap_extensions", "config_sources", "default_config_source", "xds_delegate_extension"],
            "what it adds is not known",
            self.account,
        );
        let runtime = fields.settings(&["layered_runtime", "runtime"]);
        let own = fields.take("static_resources");
        let dynamic = fields.take("dynamic_resources");
        all.admins.extend(fields.take("admin"));
        fields.close(self.account);
        if own.is_none() && dynamic.is_none() {
            self.account.gap(value.at, "a bootstrap has `static_resources`");
        }
        if !runtime.is_empty() {
            self.declare("runtime", "runtime", runtime.join("; "), value.at);
        }
        if let Some(dynamic) = dynamic {
            self.dynamic(dynamic);
        }
        if let Some(own) = own {
            let mut fields = Fields::of(own, self.account);
            fields.inert(&["@type"], "name", self.account);
            all.listeners.extend(fields.list("listeners", self.account));
            all.clusters.extend(fields.list("clusters", self.account));
            for secret in fields.list("secrets", self.account) {
                self.secret_of(secret);
            }
            fields.close(self.account);
        }
    }

    /// What Envoy asks for while it runs.
    fn dynamic(&mut self, dynamic: &'v Value) {
        for entry in dynamic.object().into_iter().flat_map(|object| &object.entries) {
            let at = whole(entry);
            if fields::is(&entry.name, "ads_config") {
                self.account.claim(at, Disposition::Inert("from where configuration is read"));
            } else if fields::is(&entry.name, "lds_config") || fields::is(&entry.name, "lds_resources_locator") {
                self.account.gap(at, "listeners that are read at run time are not in the file");
            } else if fields::is(&entry.name, "cds_config") || fields::is(&entry.name, "cds_resources_locator") {
                self.dynamic_clusters = true;
                self.account.gap(at, "clusters that are read at run time are not in the file");
            } else {
                self.account.gap(at, format!("the field `{}` is not known here", escape(entry.name.as_bytes())));
            }
        }
    }

    /// One resource, by its type or by what it has.
    fn resource(&mut self, resource: &'v Value, all: &mut Resources<'v>) {
        let kind = type_of(resource).and_then(|kind| kind.rsplit('.').next());
        let has = |name| field(resource, name).is_some();
        let named = |name| field(resource, name).and_then(Value::as_text).unwrap_or_default().to_string();
        match kind {
            Some("Listener") => all.listeners.push(resource),
            Some("Cluster") => all.clusters.push(resource),
            Some("RouteConfiguration") => drop(self.routes.insert(named("name"), resource)),
            Some("ClusterLoadAssignment") => drop(self.endpoints.insert(named("cluster_name"), resource)),
            Some("Secret") => self.secret_of(resource),
            None if has("virtual_hosts") => drop(self.routes.insert(named("name"), resource)),
            None if has("cluster_name") => drop(self.endpoints.insert(named("cluster_name"), resource)),
            None if has("filter_chains") || has("default_filter_chain") || has("listener_filters") => {
                all.listeners.push(resource);
            }
            None if has("connect_timeout") || has("type") || has("load_assignment") => all.clusters.push(resource),
            None if has("tls_certificate") || has("generic_secret") || has("validation_context") => {
                self.secret_of(resource)
            }
            Some(_) | None => self.account.gap(resource.at, "a resource of this kind is not known here"),
        }
    }

    /// A secret of the file: only that it is there is read.
    fn secret_of(&mut self, secret: &'v Value) {
        let name = field(secret, "name").and_then(Value::as_text).unwrap_or_default();
        if !self.secrets.insert(name.to_string()) {
            self.refused(secret.at, "another secret is called so");
            return;
        }
        let kind = if field(secret, "tls_certificate").is_some() { "certificate" } else { "secret" };
        self.declare(kind, &name, brief(secret), secret.at);
    }

    /// A name that nothing declares. What is read for each of several addresses is said once.
    fn missing(&mut self, kind: &'static str, address: String, origin: Span) {
        let reference = Reference { kind, address, origin };
        let undefined = &mut self.reading.configuration.undefined;
        if !undefined.contains(&reference) {
            undefined.push(reference);
        }
    }

    fn declare(&mut self, kind: &'static str, name: &str, content: String, origin: Span) {
        self.reading.configuration.objects.push(Object::new(kind, escape(name.as_bytes()), content, origin));
    }

    fn resources(&mut self, all: &Resources<'v>) {
        let names = all.clusters.iter().filter_map(|cluster| field(cluster, "name")?.as_text());
        self.clusters = names.map(|name| name.to_string()).collect();
        for cluster in &all.clusters {
            self.backend(cluster);
        }
        for listener in &all.listeners {
            self.listener(listener);
        }
        for admin in &all.admins {
            self.admin(admin);
        }
    }
}

/// Fields of a bootstrap that decide nothing about requests.
const INERT: &[&str] = &[
    "node",
    "node_context_params",
    "cluster_manager",
    "hds_config",
    "flags_path",
    "stats_sinks",
    "stats_config",
    "stats_flush_interval",
    "stats_flush_on_admin",
    "stats_eviction_interval",
    "watchdog",
    "watchdogs",
    "tracing",
    "overload_manager",
    "enable_dispatcher_stats",
    "header_prefix",
    "stats_server_version_override",
    "use_tcp_for_dns_lookups",
    "dns_resolution_config",
    "typed_dns_resolver_config",
    "fatal_actions",
    "inline_headers",
    "perf_tracing_file_path",
    "default_regex_engine",
    "xds_config_tracker_extension",
    "listener_manager",
    "application_log_config",
    "grpc_async_client_manager_config",
    "memory_allocator_manager",
    "default_socket_interface",
    "certificate_provider_instances",
    "deferred_stat_options",
];
