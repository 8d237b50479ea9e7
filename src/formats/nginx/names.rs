//! Names that directives use and others define: groups of servers, formats of logs, zones, caches, variables.

use super::directives::rows;
use super::http::block;
use super::syntax::Directive;
use super::variables::set_by;
use crate::text::escape;
use std::collections::BTreeSet;

/// What a configuration defines.
#[derive(Debug, Default)]
pub(super) struct Names {
    /// Whether all of it is there, so that what is not defined is defined nowhere.
    whole: bool,
    /// Whether a directive is there that is not known here, which may define variables.
    strange: bool,
    pub(super) groups: BTreeSet<Vec<u8>>,
    formats: BTreeSet<Vec<u8>>,
    zones: BTreeSet<Vec<u8>>,
    variables: BTreeSet<Vec<u8>>,
}

/// Variables that nginx has, those of later versions as well (nginx.org, "Alphabetical index of variables").
const VARIABLES: &str = "ancient_browser args binary_remote_addr body_bytes_sent bytes_sent connection connection_requests \
    connection_time connections_active connections_reading connections_waiting connections_writing content_length content_type \
    date_gmt date_local document_root document_uri fastcgi_path_info fastcgi_script_name gzip_ratio host hostname http2 http3 \
    https invalid_referer is_args is_request_port limit_conn_status limit_rate limit_req_status memcached_key modern_browser \
    msec msie nginx_version pid pipe proxy_add_x_forwarded_for proxy_host proxy_internal_body_length proxy_internal_chunked \
    proxy_port proxy_protocol_addr proxy_protocol_port proxy_protocol_server_addr proxy_protocol_server_port query_string \
    realip_remote_addr realip_remote_port realpath_root remote_addr remote_port remote_user request request_body \
    request_body_file request_completion request_filename request_id request_length request_method request_port request_time \
    request_uri scheme secure_link secure_link_expires sent_body server_addr server_name server_port server_protocol session_log_binary_id session_log_id \
    slice_range spdy spdy_request_priority ssl_alpn_protocol ssl_cipher ssl_ciphers ssl_client_cert ssl_client_escaped_cert \
    ssl_client_fingerprint ssl_client_i_dn ssl_client_i_dn_legacy ssl_client_raw_cert ssl_client_s_dn ssl_client_s_dn_legacy \
    ssl_client_serial ssl_client_sigalg ssl_client_v_end ssl_client_v_remain ssl_client_v_start ssl_client_verify ssl_curve \
    ssl_curves ssl_early_data ssl_ech_outer_server_name ssl_ech_status ssl_protocol ssl_server_name ssl_session_id \
    ssl_session_reused ssl_sigalg status tcpinfo_rcv_space tcpinfo_rtt tcpinfo_rttvar tcpinfo_snd_cwnd time_iso8601 time_local \
    uid_got uid_reset uid_set upstream_addr upstream_bytes_received upstream_bytes_sent upstream_cache_age upstream_cache_etag \
    upstream_cache_key upstream_cache_last_modified upstream_cache_status upstream_connect_time upstream_header_time \
    upstream_last_addr upstream_last_server_name upstream_queue_time upstream_response_length upstream_response_time \
    upstream_status uri";

/// How variables begin of which there are as many as there are headers, cookies, parameters.
const BEGINNINGS: &[&str] = &[
    "arg_",
    "cookie_",
    "http_",
    "jwt_",
    "proxy_protocol_tlv_",
    "sent_http_",
    "sent_trailer_",
    "upstream_cookie_",
    "upstream_http_",
    "upstream_trailer_",
];

/// Variables that others may set: those of modules that say so.
const OPEN: &[&str] = &["args", "limit_rate", "msie", "proxy_host", "proxy_port", "memcached_key", "invalid_referer"];

/// Directives of which words may have variables in them, from that word on.
const EVALUATED: &[(&str, usize)] = &[
    ("access_log", 0),
    ("add_header", 1),
    ("alias", 0),
    ("auth_basic", 0),
    ("error_page", 1),
    ("fastcgi_param", 1),
    ("fastcgi_pass", 0),
    ("grpc_pass", 0),
    ("grpc_set_header", 1),
    ("hash", 0),
    ("limit_conn_zone", 0),
    ("limit_rate", 0),
    ("limit_req_zone", 0),
    ("log_format", 1),
    ("map", 0),
    ("proxy_cache_key", 0),
    ("proxy_method", 0),
    ("proxy_pass", 0),
    ("proxy_set_body", 0),
    ("proxy_set_header", 1),
    ("return", 0),
    ("rewrite", 1),
    ("root", 0),
    ("scgi_pass", 0),
    ("set", 1),
    ("try_files", 0),
    ("uwsgi_pass", 0),
];

/// Whether a variable is one of nginx that nothing else may set.
pub(super) fn is_fixed(name: &[u8]) -> bool {
    const HEADERS: &[&str] = &["http_cookie", "http_host", "http_referer", "http_user_agent", "http_via"];
    let is = |known: &str| known.as_bytes() == name;
    let of_tls = name.starts_with(b"ssl_");
    let own = VARIABLES.split(' ').any(is) && !of_tls && !OPEN.iter().any(|known| is(known));
    // Where a module is not built in, or not yet there, its variables are free.
    let later: &[&str] = &["http2", "http3", "is_request_port", "request_port", "sent_body", "spdy", "gzip_ratio"];
    (own && !later.iter().any(|known| is(known))) || HEADERS.iter().any(|known| is(known))
}

impl Names {
    pub(super) fn of(list: &[Directive], whole: bool) -> Self {
        let mut out = Self { whole, formats: [b"combined".to_vec()].into(), ..Self::default() };
        out.add(list);
        out
    }

    fn add(&mut self, list: &[Directive]) {
        for directive in list {
            let first = directive.first().to_vec();
            self.variables.extend(set_by(directive));
            let zone = |start: &[u8]| {
                let found = directive.words.iter().find_map(|word| word.text.strip_prefix(start));
                found.map(|zone| zone.split(|byte| *byte == b':').next().unwrap_or(zone).to_vec())
            };
            match &directive.name[..] {
                b"upstream" => drop(self.groups.insert(first)),
                b"log_format" => drop(self.formats.insert(first)),
                b"limit_req_zone" | b"limit_conn_zone" => self.zones.extend(zone(b"zone=")),
                b"zone" if directive.words.len() == 2 => drop(self.zones.insert(first)),
                name if name.ends_with(b"_cache_path") => self.zones.extend(zone(b"keys_zone=")),
                _ => {}
            }
            if matches!(&directive.name[..], b"map" | b"geo" | b"types" | b"split_clients" | b"charset_map") {
                continue;
            }
            self.strange |= rows(&directive.name).is_empty() || directive.is("load_module");
            // The variables of `stream` are others.
            if directive.is("stream") || directive.is("mail") {
                continue;
            }
            self.add(block(directive));
        }
    }

    /// What a directive asks for and nobody defines.
    pub(super) fn unknown(&self, directive: &Directive) -> Vec<String> {
        if !self.whole {
            return Vec::new();
        }
        let computed = |word: &[u8]| word.contains(&b'$');
        let words: Vec<&[u8]> = directive.words.iter().map(|word| &word.text[..]).collect();
        let mut out = Vec::new();
        match (&directive.name[..], &words[..]) {
            (b"access_log", [path, format, ..])
                if *path != b"off" && !format.contains(&b'=') && !self.formats.contains(*format) =>
            {
                out.push(format!("unknown log format \"{}\"", escape(format)));
            }
            (b"limit_req", words) => {
                let zone = words.iter().find_map(|word| word.strip_prefix(b"zone="));
                out.extend(zone.and_then(|zone| self.zone(zone)));
            }
            (b"limit_conn", [zone, _]) | (b"zone", [zone]) => out.extend(self.zone(zone)),
            (b"proxy_cache" | b"fastcgi_cache" | b"uwsgi_cache" | b"scgi_cache", [zone])
                if *zone != b"off" && !computed(zone) =>
            {
                out.extend(self.zone(zone));
            }
            _ => {}
        }
        let from = EVALUATED.iter().find(|(name, _)| directive.is(name)).map(|(_, from)| *from);
        let evaluated: Vec<&[u8]> = match from {
            Some(_) if directive.is("map") || directive.is("limit_req_zone") || directive.is("limit_conn_zone") => {
                words.iter().take(1).copied().collect()
            }
            Some(from) => words.iter().skip(from).copied().collect(),
            // Behind the operator of an expression there are none.
            None if directive.is("if") => words.iter().take(1).copied().collect(),
            None => Vec::new(),
        };
        out.extend(evaluated.iter().flat_map(|word| self.undefined(word)));
        out
    }

    /// Whether a place that has no port of its own is a group, or says one.
    pub(super) fn has_port(&self, place: &[u8]) -> bool {
        let host = place.strip_prefix(b"uwsgi://").or_else(|| place.strip_prefix(b"suwsgi://")).unwrap_or(place);
        let address = host.rsplit(|byte| *byte == b']').next().unwrap_or(host);
        !self.whole || address.contains(&b':') || host.contains(&b'$') || self.groups.contains(host)
    }

    fn zone(&self, name: &[u8]) -> Option<String> {
        (!self.zones.contains(name)).then(|| format!("zero size shared memory zone \"{}\"", escape(name)))
    }

    /// The variables in a word that nothing defines.
    fn undefined(&self, word: &[u8]) -> Vec<String> {
        let mut out = Vec::new();
        for part in word.split(|byte| *byte == b'$').skip(1) {
            let part = part.strip_prefix(b"{").unwrap_or(part);
            let name: Vec<u8> =
                part.iter().copied().take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_').collect();
            let begins = |start: &str| name.starts_with(start.as_bytes());
            let known = name.is_empty()
                || name[0].is_ascii_digit()
                || VARIABLES.split(' ').any(|known| known.as_bytes() == name)
                || BEGINNINGS.iter().any(|start| begins(start))
                || self.variables.contains(&name);
            if !known && !self.strange {
                out.push(format!("unknown \"{}\" variable", escape(&name)));
            }
        }
        out
    }
}
