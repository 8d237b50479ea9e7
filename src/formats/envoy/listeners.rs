//! Listeners (`config.listener.v3.Listener`): where they are reached, and what their filter chains make of a connection.

use super::Lowering;
use super::chains::{Chain, Piece};
use super::fields::{Fields, brief, field};
use super::filters::extension;
use super::rbac::Asked;
use crate::formats::data::value::Value;
use crate::formats::{Disposition, balancers};
use crate::model::{Condition, Endpoint, Listener, Outcome, Paths, Protocol, Route, Tls};
use crate::net::{Family, parse_address};
use crate::text::{Span, escape};

/// An address as it is written.
pub(super) struct Located {
    pub(super) address: String,
    /// `None`: it is a socket of the file system, or not known.
    pub(super) port: Option<u16>,
    udp: bool,
    both: bool,
}

/// What is known where a connection has come in.
#[derive(Debug, Clone, Default)]
pub(super) struct Place {
    /// The one address that the listener is bound to.
    pub(super) address: Option<String>,
    pub(super) port: Option<u16>,
    /// Whether destinations are those that clients wanted to go to.
    pub(super) redirected: bool,
    /// Whether the source is what another proxy says that it is.
    pub(super) proxied: bool,
    /// Whether some connections begin with TLS and others do not.
    pub(super) mixed: bool,
}

impl Place {
    pub(super) fn own_address(&self) -> Option<(Family, u128)> {
        self.address.as_deref().filter(|_| !self.redirected).and_then(parse_address)
    }
}

/// What becomes of the connections of a filter chain.
struct Served {
    pieces: Vec<Piece>,
    http: bool,
    tls: Option<Tls>,
}

/// What a listener's own filters say.
#[derive(Default)]
struct Before<'v> {
    redirected: bool,
    proxied: bool,
    datagrams: Option<&'v Value>,
    answers: Option<Span>,
}

impl<'v> Lowering<'v, '_> {
    /// A `core.v3.Address`.
    pub(super) fn address(&mut self, value: &'v Value) -> Option<Located> {
        let mut fields = Fields::of(value, self.account);
        let found = fields.one_of(&["socket_address", "pipe", "envoy_internal_address"], self.account);
        fields.close(self.account);
        let Some((kind, value)) = found else {
            self.refused(value.at, "an address is a `socket_address` or a `pipe`");
            return None;
        };
        let mut fields = Fields::of(value, self.account);
        let located = match kind {
            "socket_address" => {
                let protocol = fields.text("protocol", self.account);
                let address = fields.text("address", self.account).unwrap_or_default();
                let port = fields.number("port_value", 65535, self.account).and_then(|port| u16::try_from(port).ok());
                let both = fields.truth("ipv4_compat", self.account);
                fields.gap(
                    &["named_port", "resolver_name", "network_namespace_filepath"],
                    "what it stands for is not known",
                    self.account,
                );
                if address.is_empty() {
                    self.refused(value.at, "a `socket_address` has an `address`");
                }
                let udp =
                    protocol.is_some_and(|protocol| matches!(protocol.to_ascii_uppercase().as_str(), "UDP" | "1"));
                Located { address: address.to_string(), port, udp, both }
            }
            "pipe" => {
                fields.inert(&["mode"], "who may open the socket", self.account);
                let path = fields.text("path", self.account).unwrap_or_default();
                Located { address: path.to_string(), port: None, udp: false, both: false }
            }
            _ => {
                let name = fields.text("server_listener_name", self.account).unwrap_or_default();
                fields.inert(&["endpoint_id"], "name", self.account);
                Located { address: format!("@internal/{name}"), port: None, udp: false, both: false }
            }
        };
        fields.close(self.account);
        Some(located)
    }

    /// Puts a listener into the configuration.
    pub(super) fn listener(&mut self, value: &'v Value) {
        let mut fields = Fields::of(value, self.account);
        fields.inert(INERT, "how connections are taken and counted", self.account);
        let mut settings = fields.settings(&[
            "connection_balance_config",
            "filter_chain_matcher",
            "bind_to_port",
            "freebind",
            "transparent",
        ]);
        if field(value, "filter_chain_matcher").is_some() {
            self.account.gap(value.at, "filter chains that a tree of matchers chooses are not read");
        }
        let read_elsewhere = "listeners of this kind are not read";
        fields.gap(
            &["api_listener", "internal_listener", "listener_specifier", "fcds_config"],
            read_elsewhere,
            self.account,
        );
        let name = fields.text("name", self.account);
        let redirected = fields.truth("use_original_dst", self.account)
            || fields.truth("hidden_envoy_deprecated_use_original_dst", self.account);
        let address = fields.take("address");
        let additional = fields.list("additional_addresses", self.account);
        let filters = fields.list("listener_filters", self.account);
        let before = self.before(filters, &mut settings);
        let chains = fields.list("filter_chains", self.account);
        let default = fields.take("default_filter_chain");
        fields.close(self.account);
        let mut places: Vec<(Located, Span)> = Vec::new();
        match address {
            Some(value) => places.extend(self.address(value).map(|located| (located, value.at))),
            None => self.refused(value.at, "a listener has an address"),
        }
        for other in additional {
            let mut fields = Fields::of(other, self.account);
            fields.inert(&["socket_options"], "how connections are taken and counted", self.account);
            if let Some(value) = fields.take("address") {
                places.extend(self.address(value).map(|located| (located, value.at)));
            }
            fields.close(self.account);
        }
        let single = places.len() == 1;
        for (located, at) in places {
            let shown = match located.port {
                Some(port) if located.address.contains(':') => format!("[{}]:{port}", located.address),
                Some(port) => format!("{}:{port}", located.address),
                None => located.address.clone(),
            };
            let name = match &name {
                Some(name) if single && !name.is_empty() => name.to_string(),
                Some(name) if !name.is_empty() => format!("{name} ({shown})"),
                Some(_) | None => shown,
            };
            let mut settings = settings.clone();
            let (mut place, endpoint) = endpoint(&located, at);
            place.redirected = redirected || before.redirected;
            place.proxied = before.proxied;
            let served = if located.udp {
                self.datagrams(&before, value)
            } else {
                self.connections(chains, default, place, value, &mut settings)
            };
            settings.sort();
            settings.dedup();
            let paths = self.paths();
            let Served { mut pieces, http, tls } = served;
            let last = pieces.pop();
            let (otherwise, otherwise_at) = match last {
                Some(Piece { condition: Condition::Always, outcome, at }) => (outcome, Some(at)),
                other => {
                    pieces.extend(other);
                    (Outcome::Refused("nothing answers".to_owned()), None)
                }
            };
            let twin = self.reading.configuration.listeners.iter().flat_map(|listener| &listener.endpoints);
            if twin.clone().any(|other| (&other.address, other.ports) == (&endpoint.address, endpoint.ports)) {
                self.refused(at, "another listener has the same address");
                continue;
            }
            let route = |Piece { condition, outcome, at }: Piece| Route { condition, outcome, origin: at };
            self.reading.configuration.listeners.push(Listener {
                name,
                protocol: if located.udp {
                    Protocol::Udp
                } else if http {
                    Protocol::Http
                } else {
                    Protocol::Tcp
                },
                endpoints: vec![Endpoint { tls, ..endpoint }],
                paths,
                routes: pieces.into_iter().map(route).collect(),
                otherwise,
                otherwise_at,
                settings: settings.join("; "),
                owner: None,
                origin: value.at,
            });
        }
    }

    /// The filters of a listener, which connections meet before its chains.
    fn before(&mut self, filters: &'v [Value], settings: &mut Vec<String>) -> Before<'v> {
        let mut out = Before::default();
        for filter in filters {
            let mut fields = Fields::of(filter, self.account);
            let name = fields.name(self.account);
            let config = fields.one_of(&["typed_config", "config"], self.account).map(|(_, value)| value);
            let partly = fields.take("filter_disabled");
            fields.gap(&["config_discovery"], "a filter that is read at run time is not in the file", self.account);
            fields.close(self.account);
            if let Some(value) = partly {
                self.account.gap(value.at, "a filter that some connections do not meet is not read");
            }
            let (kind, config) = extension(&name, config);
            match kind.as_str() {
                "tls_inspector" | "http_inspector" => {
                    self.account.claim(filter.at, Disposition::Inert("how it is found out what a client speaks"));
                }
                "local_ratelimit" | "connection_limit" => {
                    self.account.claim(filter.at, Disposition::Inert("limits of rates"))
                }
                "proxy_protocol" => {
                    out.proxied = true;
                    settings.push(format!("proxy_protocol {}", config.map_or_else(String::new, brief)));
                }
                "original_dst" => out.redirected = true,
                "original_src" => settings.push(format!("original_src {}", config.map_or_else(String::new, brief))),
                "udp_proxy" => out.datagrams = config,
                "dns_filter" => {
                    out.answers = Some(filter.at);
                    settings.push(format!("dns_filter {}", config.map_or_else(String::new, brief)));
                }
                _ => {
                    let shown = escape(name.as_bytes());
                    self.account.gap(
                        filter.at,
                        format!("the filter `{shown}` is not known here: what it decides is not known"),
                    );
                }
            }
        }
        out
    }

    /// What becomes of datagrams (`extensions.filters.udp.udp_proxy.v3.UdpProxyConfig`).
    fn datagrams(&mut self, before: &Before<'v>, listener: &'v Value) -> Served {
        let served = |piece| Served { pieces: vec![piece], http: false, tls: None };
        let Some(config) = before.datagrams else {
            return match before.answers {
                Some(at) => served(Piece::last(Outcome::Answered("names are looked up".to_owned()), at)),
                None => {
                    self.account.gap(listener.at, "what becomes of datagrams is not read");
                    served(Piece::last(Outcome::Refused("nothing answers".to_owned()), listener.at))
                }
            };
        };
        let mut fields = Fields::of(config, self.account);
        const HOW: &[&str] = &[
            "@type",
            "stat_prefix",
            "idle_timeout",
            "upstream_socket_config",
            "hash_policies",
            "use_original_src_ip",
            "use_per_packet_load_balancing",
            "access_log",
            "access_log_options",
            "proxy_access_log",
            "session_filters",
            "tunneling_config",
        ];
        fields.inert(HOW, "how datagrams are sent, not where", self.account);
        let found = fields.one_of(&["cluster", "matcher"], self.account);
        fields.close(self.account);
        let action = |value| field(field(value, "on_no_match")?, "action");
        if let Some(name) = found.and_then(|(_, value)| field(action(value)?, "name")) {
            self.account.claim(name.at, Disposition::Inert("name"));
        }
        let route = |value| field(action(value)?, "typed_config");
        let outcome = match found {
            Some(("cluster", value)) => self.cluster(&value.as_text().unwrap_or_default(), value.at, false),
            Some((_, value)) => {
                let cluster = route(value).and_then(|config| {
                    let mut fields = Fields::of(config, self.account);
                    fields.inert(&["@type"], "name", self.account);
                    let cluster = fields.take("cluster");
                    fields.close(self.account);
                    cluster
                });
                let tree = field(value, "matcher_list").or_else(|| field(value, "matcher_tree"));
                match (cluster, tree) {
                    (Some(name), None) => self.cluster(&name.as_text().unwrap_or_default(), name.at, false),
                    (_, _) => {
                        self.account.gap(value.at, "what a tree of matchers decides is not read");
                        Outcome::Computed(brief(value))
                    }
                }
            }
            None => {
                self.refused(config.at, "a proxy of datagrams names a cluster");
                Outcome::Refused("no cluster".to_owned())
            }
        };
        served(Piece::last(outcome, config.at))
    }

    /// What becomes of connections: which chain they meet, and what that does.
    fn connections(
        &mut self,
        chains: &'v [Value],
        default: Option<&'v Value>,
        mut place: Place,
        listener: &'v Value,
        settings: &mut Vec<String>,
    ) -> Served {
        let wanted: Vec<_> = chains.iter().map(|chain| self.wanted(field(chain, "filter_chain_match"))).collect();
        let asks =
            |n: usize| wanted.get(n).is_some_and(|w| !w.names.is_empty() || w.transport.as_deref() == Some("tls"));
        let plain = |chain: &Value| field(chain, "transport_socket").is_none() && field(chain, "tls_context").is_none();
        let bare = chains.iter().enumerate().any(|(n, chain)| !asks(n) && plain(chain)) || default.is_some_and(plain);
        place.mixed =
            wanted.iter().any(|w| w.transport.as_deref() == Some("raw_buffer")) || bare && (0..chains.len()).any(asks);
        let (mut http, mut tls): (bool, Option<Tls>) = (false, None);
        let mut merge = |served: &Served, number: usize| {
            http |= served.http;
            let several = chains.len() + usize::from(default.is_some()) > 1;
            let own = match &served.tls {
                Some(own) if several => format!("chain {number}: TLS {}", own.settings),
                Some(own) => own.settings.clone(),
                None => format!("chain {number}: no TLS"),
            };
            if let Some(other) = &served.tls {
                tls.get_or_insert_default().certificates.extend(other.certificates.iter().cloned());
            }
            own
        };
        let (mut list, mut spoken) = (Vec::new(), Vec::new());
        for (number, (chain, wanted)) in chains.iter().zip(wanted).enumerate() {
            let served = self.chain(chain, &place, settings);
            spoken.push(merge(&served, number));
            list.push(Chain { wanted, pieces: served.pieces, at: chain.at });
        }
        let otherwise = match default {
            Some(chain) => {
                if field(chain, "filter_chain_match").is_some() {
                    self.account.gap(chain.at, "the default filter chain asks for something");
                }
                let served = self.chain(chain, &place, settings);
                spoken.push(merge(&served, chains.len()));
                served.pieces
            }
            None => vec![Piece::last(Outcome::Refused("no filter chain fits".to_owned()), listener.at)],
        };
        if let Some(tls) = &mut tls {
            tls.settings = spoken.join("; ");
        }
        Served { pieces: self.chosen(&list, &otherwise, &place), http, tls }
    }

    /// A filter chain: what its filters do, in order, up to the one that answers.
    fn chain(&mut self, chain: &'v Value, place: &Place, settings: &mut Vec<String>) -> Served {
        let mut fields = Fields::of(chain, self.account);
        fields.inert(&["name", "metadata", "on_demand_configuration"], "name", self.account);
        fields.inert(&["transport_socket_connect_timeout"], "time-outs", self.account);
        // It is read where chains are chosen.
        let _ = fields.take("filter_chain_match");
        let proxied = fields.truth("use_proxy_proto", self.account);
        let socket = fields.take("transport_socket");
        let old = fields.take("tls_context");
        let filters = fields.list("filters", self.account);
        fields.close(self.account);
        let place = Place { proxied: place.proxied || proxied, ..place.clone() };
        let tls = match old {
            Some(context) => Some(self.context(context)),
            None => self.transport(socket),
        };
        let (mut out, mut http) = (Vec::new(), false);
        for filter in filters {
            if out.last().is_some_and(|piece: &Piece| piece.condition == Condition::Always) {
                self.refused(filter.at, "nothing comes after a filter that answers");
                break;
            }
            let mut fields = Fields::of(filter, self.account);
            let name = fields.name(self.account);
            let config = fields.one_of(&["typed_config", "config"], self.account).map(|(_, value)| value);
            fields.gap(&["config_discovery"], "a filter that is read at run time is not in the file", self.account);
            fields.close(self.account);
            let (kind, config) = extension(&name, config);
            let passes = match (kind.as_str(), config) {
                ("http_connection_manager", Some(config)) => {
                    http = true;
                    out.extend(self.manager(config, &place, settings));
                    continue;
                }
                ("tcp_proxy", Some(config)) => {
                    out.extend(self.tcp(config, settings));
                    continue;
                }
                ("echo" | "direct_response", _) => {
                    let what = config.map_or_else(String::new, brief);
                    out.push(Piece::last(Outcome::Answered(format!("{kind} {what}").trim_end().to_owned()), filter.at));
                    continue;
                }
                ("rbac", Some(config)) => {
                    let asked = Asked { place: &place, http: false, forwarded: false };
                    self.rbac(config, asked)
                }
                ("ext_authz" | "client_ssl_auth" | "geoip", _) => {
                    self.account.claim(filter.at, Disposition::Opaque("a filter that may refuse"));
                    Some(self.opaque(&format!("{kind} lets it pass: {}", config.map_or_else(String::new, brief))))
                }
                ("local_ratelimit" | "ratelimit" | "connection_limit", _) => {
                    self.account.claim(filter.at, Disposition::Inert("limits of rates"));
                    continue;
                }
                ("set_filter_state", _) => {
                    settings.push(format!("{kind} {}", config.map_or_else(String::new, brief)));
                    continue;
                }
                ("sni_cluster" | "sni_dynamic_forward_proxy", _) => {
                    self.account.claim(filter.at, Disposition::Opaque("the server name names the cluster"));
                    let how = format!("{kind} {}", config.map_or_else(String::new, brief));
                    out.push(Piece::last(Outcome::Computed(how.trim_end().to_owned()), filter.at));
                    break;
                }
                (_, _) => {
                    let shown = escape(name.as_bytes());
                    self.account.gap(
                        filter.at,
                        format!("the filter `{shown}` is not known here: what it decides is not known"),
                    );
                    out.push(Piece::last(
                        Outcome::Computed(format!("{kind} {}", config.map_or_else(String::new, brief))),
                        filter.at,
                    ));
                    break;
                }
            };
            let refused = passes.map_or(Condition::Never, Condition::negated);
            if refused != Condition::Never {
                out.push(Piece {
                    condition: refused,
                    outcome: Outcome::Refused(format!("closed by {kind}")),
                    at: filter.at,
                });
            }
        }
        if !out.last().is_some_and(|piece| piece.condition == Condition::Always) {
            out.push(Piece::last(Outcome::Refused("closed: no filter answers".to_owned()), chain.at));
        }
        Served { pieces: out, http, tls }
    }

    /// `extensions.filters.network.tcp_proxy.v3.TcpProxy`
    fn tcp(&mut self, config: &'v Value, settings: &mut Vec<String>) -> Vec<Piece> {
        let mut fields = Fields::of(config, self.account);
        const HOW: &[&str] = &[
            "@type",
            "stat_prefix",
            "access_log",
            "access_log_options",
            "access_log_flush_interval",
            "flush_access_log_on_connected",
        ];
        fields.inert(HOW, "counting and logging", self.account);
        settings.extend(fields.settings(&[
            "idle_timeout",
            "downstream_idle_timeout",
            "upstream_idle_timeout",
            "max_connect_attempts",
            "hash_policy",
            "tunneling_config",
            "max_downstream_connection_duration",
            "metadata_match",
            "on_demand",
            "backoff_options",
            "proxy_protocol_tlvs",
            "upstream_connect_mode",
            "max_early_data_bytes",
        ]));
        fields.gap(
            &["deprecated_v1", "hidden_envoy_deprecated_deprecated_v1"],
            "routes of connections are not read",
            self.account,
        );
        let found = fields.one_of(&["cluster", "weighted_clusters"], self.account);
        fields.close(self.account);
        match found {
            Some(("cluster", value)) => {
                let outcome = self.cluster(&value.as_text().unwrap_or_default(), value.at, false);
                vec![Piece::last(outcome, value.at)]
            }
            Some((_, value)) => self.weighted(value, false, settings),
            None => {
                self.refused(config.at, "a proxy of connections names a cluster");
                vec![Piece::last(Outcome::Refused("no cluster".to_owned()), config.at)]
            }
        }
    }

    /// The page for operators, which answers whoever reaches it.
    pub(super) fn admin(&mut self, value: &'v Value) {
        let mut fields = Fields::of(value, self.account);
        fields.inert(&["access_log_path", "access_log", "profile_path", "socket_options"], "logging", self.account);
        let settings = fields.settings(&["ignore_global_conn_limit", "allow_paths"]);
        let address = fields.take("address");
        fields.close(self.account);
        let Some(address) = address else { return };
        let Some(located) = self.address(address) else { return };
        let (_, endpoint) = endpoint(&located, address.at);
        self.reading.configuration.listeners.push(Listener {
            name: "admin".to_owned(),
            protocol: Protocol::Http,
            endpoints: vec![endpoint],
            routes: Vec::new(),
            paths: Paths::AsWritten,
            otherwise: Outcome::Answered("pages for operators".to_owned()),
            otherwise_at: None,
            settings: settings.join("; "),
            owner: None,
            origin: value.at,
        });
    }
}

/// What is known at an address, and the address as the model has it.
fn endpoint(located: &Located, origin: Span) -> (Place, Endpoint) {
    let address = match located.address.as_str() {
        "0.0.0.0" => "any-ipv4".to_owned(),
        "::" if located.both => "any".to_owned(),
        "::" => "any-ipv6".to_owned(),
        other => other.to_ascii_lowercase(),
    };
    let addresses = balancers::addresses(&address);
    let ports = located.port.map(|port| (port, port));
    let own = parse_address(&address).map(|_| address.clone());
    let place = Place { address: own, port: located.port, ..Place::default() };
    (place, Endpoint { address, addresses, ports, tls: None, origin })
}

const INERT: &[&str] = &[
    "@type",
    "stat_prefix",
    "per_connection_buffer_limit_bytes",
    "per_connection_buffer_high_watermark_timeout",
    "metadata",
    "drain_type",
    "listener_filters_timeout",
    "continue_on_listener_filters_timeout",
    "socket_options",
    "tcp_fast_open_queue_length",
    "traffic_direction",
    "udp_listener_config",
    "access_log",
    "tcp_backlog_size",
    "max_connections_to_accept_per_socket_event",
    "reuse_port",
    "enable_reuse_port",
    "enable_mptcp",
    "ignore_global_conn_limit",
    "bypass_overload_manager",
    "deprecated_v1",
    "udp_writer_config",
];
