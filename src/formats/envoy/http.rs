//! Requests: the connection manager with its filters, and which virtual host a request is for.
//!
//! `config.route.v3.VirtualHost`, `domains`: "Exact domain names", then "suffix domain wildcards", then "prefix domain
//! wildcards", then `*`; of wildcards the longest first; a wildcard does not match the empty string; hosts are compared
//! whatever their case is. Which virtual host it is is final: a request that none of its routes takes is answered with 404.

use super::Lowering;
use super::chains::{Piece, under};
use super::fields::{Fields, field};
use super::filters::{Filter, Overrides, limits};
use super::listeners::Place;
use super::rbac::Asked;
use crate::formats::data::value::Value;
use crate::model::{Condition, Outcome, Paths, Subject};
use crate::net::{EnvoyPaths, EscapedSlashes, Pattern};
use crate::text::{Span, escape};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What holds for all routes of a connection manager.
pub(super) struct Manager<'v, 'p> {
    pub(super) filters: Vec<Filter<'v>>,
    pub(super) asked: Asked<'p>,
    /// Whether some route or host has settings of its own for a filter that decides.
    pub(super) overridden: bool,
    /// Whether clusters that are not there are refused.
    pub(super) validated: bool,
    hosts: Hosts,
}

/// What of a host is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hosts {
    Whole,
    WithoutPort,
    WithoutPortOf(u16),
}

/// The order in which domains are asked. Lengths are negative, so that the longest comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Exact,
    Suffix(isize),
    Prefix(isize),
    Any,
}

impl<'v> Lowering<'v, '_> {
    /// What becomes of the requests of a connection; the last piece is for all that are left.
    pub(super) fn manager(&mut self, config: &'v Value, place: &Place, settings: &mut Vec<String>) -> Vec<Piece> {
        let mut fields = Fields::of(config, self.account);
        fields.inert(INERT, "how HTTP is spoken, logged and counted", self.account);
        settings.extend(fields.settings(SETTINGS));
        self.reads_paths(config);
        fields.gap(&["early_header_mutation_extensions"], "what it makes of a request is not known", self.account);
        let own_address = fields.truth("use_remote_address", self.account);
        let hops = fields.number("xff_num_trusted_hops", u32::MAX, self.account).unwrap_or(0);
        let detected = fields.settings(&["original_ip_detection_extensions"]);
        settings.push(format!("use_remote_address {own_address}, xff_num_trusted_hops {hops}"));
        let forwarded = !own_address || hops > 0 || !detected.is_empty();
        settings.extend(detected);
        let any_port = fields.truth("strip_any_host_port", self.account);
        let own_port = fields.truth("strip_matching_host_port", self.account);
        let filters = fields.list("http_filters", self.account);
        let filters = self.filters(filters);
        settings.extend(limits(&filters, None));
        let routes = fields.one_of(&["route_config", "rds", "scoped_routes"], self.account);
        fields.close(self.account);
        let asked = Asked { place, http: true, forwarded };
        let hosts = match (any_port, place.port.filter(|_| own_port)) {
            (true, _) => Hosts::WithoutPort,
            (false, Some(port)) => Hosts::WithoutPortOf(port),
            (false, None) => Hosts::Whole,
        };
        let manager = Manager { filters, asked, overridden: false, validated: false, hosts };
        match routes {
            Some(("route_config", value)) => self.routing(value, manager, true, settings),
            Some(("rds", value)) => self.discovered(value, manager, settings),
            Some((_, value)) => {
                self.account.gap(value.at, "routes that are chosen by scopes are not in the file");
                vec![Piece::last(Outcome::Computed("scoped routes".to_owned()), value.at)]
            }
            None => {
                self.refused(config.at, "a connection manager has routes");
                vec![Piece::last(Outcome::Refused("no routes".to_owned()), config.at)]
            }
        }
    }

    /// How a connection manager reads paths.
    fn reads_paths(&mut self, config: &Value) {
        let truth = |name| field(config, name).and_then(Value::as_truth) == Some(true);
        let action = field(config, "path_with_escaped_slashes_action").and_then(Value::as_text);
        let escaped = match action.as_deref() {
            Some("REJECT_REQUEST" | "2") => EscapedSlashes::Refused,
            Some("UNESCAPE_AND_REDIRECT" | "3") => EscapedSlashes::Redirected,
            Some("UNESCAPE_AND_FORWARD" | "4") => EscapedSlashes::Decoded,
            Some(_) | None => EscapedSlashes::Kept,
        };
        self.paths.push(EnvoyPaths { escaped, normalized: truth("normalize_path"), merged: truth("merge_slashes") });
    }

    /// How paths are read by all the connection managers since that was asked last, if those do it alike.
    pub(super) fn paths(&mut self) -> Paths {
        match &std::mem::take(&mut self.paths)[..] {
            [first, others @ ..] if others.iter().all(|other| other == first) => Paths::Envoy(*first),
            _ => Paths::AsWritten,
        }
    }

    /// Routes that are asked for by name: they may be in another file of the configuration.
    fn discovered(&mut self, rds: &'v Value, manager: Manager<'v, '_>, settings: &mut Vec<String>) -> Vec<Piece> {
        let mut fields = Fields::of(rds, self.account);
        fields.inert(&["config_source"], "from where routes are read", self.account);
        let name = fields.text("route_config_name", self.account).unwrap_or_default();
        fields.close(self.account);
        if let Some(found) = self.routes.get(&*name).copied() {
            return self.routing(found, manager, false, settings);
        }
        let shown = escape(name.as_bytes());
        self.account.gap(rds.at, format!("the routes `{shown}` are not in the file: they are read at run time"));
        vec![Piece::last(Outcome::Computed(format!("routes {name}")), rds.at)]
    }

    fn routing(
        &mut self,
        config: &'v Value,
        mut manager: Manager<'v, '_>,
        validated: bool,
        settings: &mut Vec<String>,
    ) -> Vec<Piece> {
        let mut fields = Fields::of(config, self.account);
        fields.inert(&["name", "metadata"], "name", self.account);
        settings.extend(fields.settings(HEADERS));
        fields.inert(&["max_direct_response_body_size_bytes"], "limits", self.account);
        fields.gap(&["vhds"], "hosts that are found at run time are not in the file", self.account);
        let parameters = "what of a path is compared is not known";
        fields.gap(&["ignore_path_parameters_in_path_matching"], parameters, self.account);
        settings.extend(fields.settings(&[
            "request_mirror_policies",
            "cluster_specifier_plugins",
            "internal_only_headers",
        ]));
        manager.validated = match fields.take("validate_clusters") {
            Some(value) => value.as_truth() == Some(true),
            None => validated,
        };
        if fields.truth("ignore_port_in_host_matching", self.account) {
            manager.hosts = Hosts::WithoutPort;
        }
        let own = Overrides::of(fields.take("typed_per_filter_config").or(fields.take("per_filter_config")));
        settings.extend(limits(&manager.filters, Some(&own)));
        let hosts = fields.list("virtual_hosts", self.account);
        fields.close(self.account);
        manager.overridden = hosts.iter().any(|host| manager.overrides(host)) || manager.decides(&own);
        let mut out = Vec::new();
        if !manager.overridden {
            out.extend(self.refusals(&manager.filters, &[], manager.asked));
        }
        let (mut order, mut programs) = (Vec::new(), Vec::new());
        let mut seen: BTreeSet<String> = BTreeSet::new();
        for (number, host) in hosts.iter().enumerate() {
            let (domains, program) = self.host(host, &manager, &own, settings);
            programs.push(program);
            let mut ranked: BTreeMap<Rank, Vec<Pattern>> = BTreeMap::new();
            for (domain, at) in domains {
                let domain = domain.to_ascii_lowercase();
                if !seen.insert(domain.clone()) {
                    self.refused(at, &format!("the domain {} stands twice", escape(domain.as_bytes())));
                    continue;
                }
                let (rank, patterns) = manager.hosts.domain(&domain);
                ranked.entry(rank).or_default().extend(patterns);
            }
            order.extend(ranked.into_iter().map(|(rank, patterns)| (rank, number, patterns)));
        }
        order.sort_by_key(|(rank, number, _)| (*rank, *number));
        for (rank, number, patterns) in order {
            let condition = if rank == Rank::Any { Condition::Always } else { self.text(Subject::Host, patterns) };
            let program = programs.get(number).cloned().unwrap_or_default();
            out.extend(under(&condition, program));
            if rank == Rank::Any {
                return out;
            }
        }
        if manager.overridden {
            out.extend(self.refusals(&manager.filters, &[&own], manager.asked));
        }
        out.push(Piece::last(Outcome::Refused("404: no virtual host".to_owned()), config.at));
        out
    }

    /// The domains of a virtual host, and what becomes of its requests.
    fn host(
        &mut self,
        host: &'v Value,
        manager: &Manager<'v, '_>,
        around: &Overrides<'v>,
        settings: &mut Vec<String>,
    ) -> (Vec<(Arc<str>, Span)>, Vec<Piece>) {
        let mut fields = Fields::of(host, self.account);
        let name = fields.name(self.account);
        fields.inert(&["virtual_clusters", "metadata", "stat_prefix"], "counting", self.account);
        fields.inert(&["cors"], "which pages may read answers", self.account);
        const OTHERS: &[&str] = &[
            "rate_limits",
            "retry_policy",
            "retry_policy_typed_config",
            "hedge_policy",
            "request_mirror_policies",
            "include_request_attempt_count",
            "include_attempt_count_in_response",
            "include_is_timeout_retry_header",
            "per_request_buffer_limit_bytes",
            "request_body_buffer_limit",
        ];
        let others = [fields.settings(OTHERS), fields.settings(HEADERS)].concat();
        settings.extend(others.into_iter().map(|text| format!("host {name}: {text}")));
        fields.gap(&["matcher"], "routes that a tree of matchers chooses are not read", self.account);
        let own = Overrides::of(fields.take("typed_per_filter_config").or(fields.take("per_filter_config")));
        let own_limits = limits(&manager.filters, Some(&own));
        settings.extend(own_limits.into_iter().map(|text| format!("host {name}: {text}")));
        let domains = fields.texts("domains", self.account);
        let routes = fields.list("routes", self.account);
        let tls = fields.take("require_tls");
        fields.close(self.account);
        if domains.is_empty() {
            self.refused(host.at, "a virtual host has domains");
        }
        let mut out = Vec::new();
        if let Some(tls) = tls {
            match tls.as_text().as_deref() {
                Some("NONE" | "0") => {}
                Some(which @ ("ALL" | "EXTERNAL_ONLY" | "1" | "2")) => {
                    let plain = self.opaque(&format!("the header x-forwarded-proto is not https ({which})"));
                    let outcome = Outcome::Answered("redirect 301 to https".to_owned());
                    out.push(Piece { condition: plain, outcome, at: tls.at });
                }
                Some(_) | None => self.refused(tls.at, "`require_tls` is NONE, EXTERNAL_ONLY or ALL"),
            }
        }
        for route in routes {
            out.extend(self.route(route, manager, [&own, around], &name, settings));
            if out.last().is_some_and(|piece| piece.condition == Condition::Always) {
                return (domains, out);
            }
        }
        if manager.overridden {
            out.extend(self.refusals(&manager.filters, &[&own, around], manager.asked));
        }
        out.push(Piece::last(Outcome::Refused("404: no route".to_owned()), host.at));
        (domains, out)
    }
}

impl Hosts {
    /// When a domain is asked, and the hosts that it stands for.
    fn domain(self, domain: &str) -> (Rank, Vec<Pattern>) {
        let length = |text: &str| -isize::try_from(text.len()).unwrap_or(isize::MAX);
        if domain == "*" {
            return (Rank::Any, Vec::new());
        }
        // A wildcard stands for one letter at least.
        if let Some(end) = domain.strip_prefix('*').filter(|end| self == Self::Whole && !end.contains(['*', '?'])) {
            return (Rank::Suffix(length(domain)), vec![Pattern::glob(format!("?*{end}")).ignoring_case()]);
        }
        if let Some(end) = domain.strip_prefix('*') {
            return (Rank::Suffix(length(domain)), self.ports(".+", end, ""));
        }
        if let Some(start) = domain.strip_suffix('*') {
            return (Rank::Prefix(length(domain)), self.ports("", start, ".+"));
        }
        (Rank::Exact, self.ports("", domain, ""))
    }

    fn ports(self, before: &str, text: &str, behind: &str) -> Vec<Pattern> {
        if behind.is_empty() && before.is_empty() && self == Self::Whole {
            return vec![Pattern::exact(text).ignoring_case()];
        }
        let port = match self {
            Self::Whole => String::new(),
            Self::WithoutPort => "(?::[0-9]*)?".to_owned(),
            Self::WithoutPortOf(port) => format!("(?::{port})?"),
        };
        let mut quoted = String::new();
        for c in text.chars() {
            if !c.is_alphanumeric() {
                quoted.push('\\');
            }
            quoted.push(c);
        }
        Pattern::regex(&format!(r"(?s)\A{before}{quoted}{behind}{port}\z"))
            .map(Pattern::ignoring_case)
            .into_iter()
            .collect()
    }
}

/// Fields of a connection manager that decide nothing about requests.
const INERT: &[&str] = &[
    "@type",
    "stat_prefix",
    "access_log",
    "access_log_options",
    "access_log_flush_interval",
    "tracing",
    "server_name",
    "server_header_transformation",
    "add_user_agent",
    "stream_idle_timeout",
    "stream_flush_timeout",
    "request_timeout",
    "request_headers_timeout",
    "drain_timeout",
    "delayed_close_timeout",
    "idle_timeout",
    "generate_request_id",
    "preserve_external_request_id",
    "always_set_request_id_in_response",
    "request_id_extension",
    "via",
    "represent_ipv4_remote_address_as_ipv4_mapped_ipv6",
    "proxy_100_continue",
    "proxy_status_config",
    "add_proxy_protocol_connection_state",
    "typed_header_validation_config",
    "append_x_forwarded_port",
    "append_local_overload",
    "flush_access_log_on_new_request",
];

/// Fields that matter to clients or servers in another way.
const SETTINGS: &[&str] = &[
    "codec_type",
    "common_http_protocol_options",
    "http_protocol_options",
    "http2_protocol_options",
    "http3_protocol_options",
    "normalize_path",
    "merge_slashes",
    "path_with_escaped_slashes_action",
    "path_normalization_options",
    "strip_trailing_host_dot",
    "skip_xff_append",
    "internal_address_config",
    "upgrade_configs",
    "local_reply_config",
    "scheme_header_transformation",
    "forward_client_cert_details",
    "set_current_client_cert_details",
    "forward_client_cert_matcher",
    "max_request_headers_kb",
    "stream_error_on_invalid_http_message",
];

/// Headers that are added or taken away on the way.
pub(super) const HEADERS: &[&str] = &[
    "request_headers_to_add",
    "request_headers_to_remove",
    "response_headers_to_add",
    "response_headers_to_remove",
    "most_specific_header_mutations_wins",
];
