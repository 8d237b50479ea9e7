//! Clusters (`config.cluster.v3.Cluster`) and their servers (`config.endpoint.v3.ClusterLoadAssignment`).

use super::Lowering;
use super::fields::{Fields, brief, field, said};
use crate::formats::balancers;
use crate::formats::data::value::Value;
use crate::model::{Backend, Server};
use crate::net::parse_address;

impl<'v> Lowering<'v, '_> {
    /// Puts a cluster into the configuration.
    pub(super) fn backend(&mut self, cluster: &'v Value) {
        let mut fields = Fields::of(cluster, self.account);
        fields.inert(&["@type"], "name", self.account);
        let Some(name) = fields.text("name", self.account) else {
            self.refused(cluster.at, "a cluster has a name");
            return;
        };
        fields.inert(INERT, "how servers are asked and counted, not which", self.account);
        let mut settings = fields.settings(SETTINGS);
        let kind = fields.one_of(&["type", "cluster_type"], self.account).map(|(_, value)| value);
        let kind = kind.map_or_else(|| "STATIC".to_owned(), kind_of);
        let check = fields.list("health_checks", self.account);
        let assignment = fields.one_of(&["load_assignment", "hosts"], self.account);
        let eds = fields.take("eds_cluster_config");
        fields.close(self.account);
        settings.push(format!("type {kind}"));
        let bound = field(cluster, "upstream_bind_config").and_then(|config| field(config, "source_address"));
        let bound = bound.and_then(|address| field(address, "address")?.as_text());
        let sources = bound.and_then(|text| balancers::addresses(&text));
        if let Some(eds) = eds {
            settings.push(format!("eds_cluster_config {}", brief(eds)));
        }
        let served = eds.and_then(|eds| field(eds, "service_name")).and_then(Value::as_text);
        let given = self.endpoints.get(served.as_deref().unwrap_or(&name)).copied();
        let open = match kind.as_str() {
            "STATIC" | "STRICT_DNS" | "LOGICAL_DNS" => None,
            "EDS" if given.is_some() => None,
            "EDS" => Some("they are found at run time (EDS)".to_owned()),
            "ORIGINAL_DST" => Some("where clients wanted to go".to_owned()),
            other => Some(format!("they are found at run time ({other})")),
        };
        let checked = !check.is_empty();
        let mut servers = Vec::new();
        match (assignment, given) {
            (Some(("load_assignment", value)), _) => self.assignment(value, checked, &mut servers, &mut settings),
            (Some((_, value)), _) => {
                for host in value.list().into_iter().flat_map(|list| &list.items) {
                    servers.extend(self.server(host, host, checked, false));
                }
            }
            (None, Some(value)) => self.assignment(value, checked, &mut servers, &mut settings),
            (None, None) if open.is_none() => {
                self.refused(cluster.at, "a cluster of this type has a `load_assignment`")
            }
            (None, None) => {}
        }
        if !self.read.insert(name.to_string()) {
            self.refused(cluster.at, "another cluster is called so");
            return;
        }
        let checks: Vec<String> = check.iter().map(said).collect();
        self.reading.configuration.backends.push(Backend {
            name: name.to_string(),
            servers,
            open,
            health_check: checked.then(|| checks.join("; ")),
            sources: sources.filter(|(ipv4, ipv6)| !ipv4.contains(0) && !ipv6.contains(0)),
            settings: settings.join("; "),
            owner: None,
            origin: cluster.at,
        });
    }

    fn assignment(&mut self, value: &'v Value, checked: bool, servers: &mut Vec<Server>, settings: &mut Vec<String>) {
        let mut fields = Fields::of(value, self.account);
        fields.inert(&["cluster_name", "@type"], "name", self.account);
        settings.extend(fields.settings(&["policy", "named_endpoints"]));
        let groups = fields.list("endpoints", self.account);
        fields.close(self.account);
        for group in groups {
            let mut fields = Fields::of(group, self.account);
            fields.inert(&["locality", "metadata", "proximity"], "where servers are", self.account);
            // It counts with policies that look at it; then a change of it is one of the cluster.
            settings.extend(fields.settings(&["load_balancing_weight"]));
            let priority = fields.number("priority", 128, self.account).unwrap_or(0);
            let dynamic = ["leds_cluster_locality_config", "load_balancer_endpoints"];
            fields.gap(&dynamic, "servers that are found at run time are not in the file", self.account);
            let list = fields.list("lb_endpoints", self.account);
            fields.close(self.account);
            if priority > 0 {
                settings.push(format!("priority {priority}"));
            }
            for endpoint in list {
                let mut fields = Fields::of(endpoint, self.account);
                let found = fields.take("endpoint");
                let weight = fields.number("load_balancing_weight", u32::MAX, self.account);
                let status = fields.take("health_status").and_then(Value::as_text);
                fields.inert(&["metadata", "endpoint_name"], "what subsets are made by", self.account);
                fields.close(self.account);
                let Some(found) = found else {
                    self.account.gap(endpoint.at, "a server that is named elsewhere is not read");
                    continue;
                };
                let Some(mut server) = self.endpoint(found, endpoint, checked, priority > 0) else { continue };
                server.weight = Some(weight.unwrap_or(1));
                match status.as_deref() {
                    None | Some("UNKNOWN" | "HEALTHY" | "0" | "1") => {}
                    Some("UNHEALTHY" | "DRAINING" | "TIMEOUT" | "2" | "3" | "4") => server.enabled = Some(false),
                    // It is asked only where too few others are well.
                    Some("DEGRADED" | "5") => server.backup = true,
                    Some(_) => self.refused(endpoint.at, "this is no `health_status`"),
                }
                servers.push(server);
            }
        }
    }

    fn endpoint(&mut self, value: &'v Value, whole: &'v Value, checked: bool, backup: bool) -> Option<Server> {
        let mut fields = Fields::of(value, self.account);
        let address = fields.take("address");
        let config = fields.take("health_check_config");
        let hostname = fields.settings(&["hostname", "additional_addresses"]);
        fields.close(self.account);
        let Some(address) = address else {
            self.refused(value.at, "a server has an address");
            return None;
        };
        let mut server = self.server(address, whole, checked, backup)?;
        server.settings = hostname.join("; ");
        if let Some(config) = config {
            let mut fields = Fields::of(config, self.account);
            let port = fields.number("port_value", 65535, self.account).and_then(|port| u16::try_from(port).ok());
            let off = fields.truth("disable_active_health_check", self.account);
            let others = fields.settings(&["hostname", "address"]);
            fields.close(self.account);
            server.check = (checked && !off).then_some(port.filter(|port| *port > 0));
            server.settings = [server.settings, others.join("; ")].join(" ").trim().to_owned();
        }
        Some(server)
    }

    /// A server at a `core.v3.Address`.
    fn server(&mut self, address: &'v Value, whole: &'v Value, checked: bool, backup: bool) -> Option<Server> {
        let place = self.address(address)?;
        let name = match place.port {
            Some(port) if parse_address(&place.address).is_some() && place.address.contains(':') => {
                format!("[{}]:{port}", place.address)
            }
            Some(port) => format!("{}:{port}", place.address),
            None => place.address.clone(),
        };
        let check = checked.then_some(None);
        Some(Server { backup, check, ..Server::new(name, place.address, place.port, whole.at) })
    }
}

/// A type of cluster: one of the built-in ones, or that of an extension.
fn kind_of(value: &Value) -> String {
    let named = match field(value, "name").and_then(Value::as_text) {
        Some(name) => name.to_string(),
        None => value.as_text().unwrap_or_default().to_ascii_uppercase(),
    };
    match named.as_str() {
        "0" => "STATIC".to_owned(),
        "1" => "STRICT_DNS".to_owned(),
        "2" => "LOGICAL_DNS".to_owned(),
        "3" => "EDS".to_owned(),
        "4" => "ORIGINAL_DST".to_owned(),
        _ => named,
    }
}

const INERT: &[&str] = &[
    "alt_stat_name",
    "connect_timeout",
    "per_connection_buffer_limit_bytes",
    "metadata",
    "track_timeout_budgets",
    "track_cluster_stats",
    "dns_refresh_rate",
    "dns_failure_refresh_rate",
    "respect_dns_ttl",
    "dns_jitter",
    "wait_for_warm_on_init",
    "upstream_connection_options",
    "preconnect_policy",
    "cleanup_interval",
    "load_balancing_policy_extension",
];

const SETTINGS: &[&str] = &[
    "circuit_breakers",
    "common_http_protocol_options",
    "http_protocol_options",
    "http2_protocol_options",
    "upstream_http_protocol_options",
    "protocol_selection",
    "lb_policy",
    "load_balancing_policy",
    "lb_subset_config",
    "ring_hash_lb_config",
    "maglev_lb_config",
    "least_request_lb_config",
    "round_robin_lb_config",
    "original_dst_lb_config",
    "common_lb_config",
    "transport_socket",
    "transport_socket_matches",
    "transport_socket_matcher",
    "tls_context",
    "outlier_detection",
    "typed_extension_protocol_options",
    "extension_protocol_options",
    "upstream_bind_config",
    "dns_lookup_family",
    "dns_resolvers",
    "dns_resolution_config",
    "typed_dns_resolver_config",
    "use_tcp_for_dns_lookups",
    "close_connections_on_host_health_failure",
    "ignore_health_on_host_removal",
    "drain_connections_on_host_removal",
    "filters",
    "upstream_config",
    "lrs_server",
    "lrs_report_endpoint_metrics",
    "connection_pool_per_downstream_connection",
];
