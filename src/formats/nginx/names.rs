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
    /// The variables that nginx has.
    built_in: &'static str,
    /// Groups of servers, in small letters.
    groups: BTreeSet<Vec<u8>>,
    zones: BTreeSet<Vec<u8>>,
    pools: BTreeSet<Vec<u8>>,
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

/// Those of `stream`.
const OF_STREAM: &str = "binary_remote_addr bytes_received bytes_sent connection hostname msec nginx_version pid protocol \
    proxy_protocol_addr proxy_protocol_port proxy_protocol_server_addr proxy_protocol_server_port realip_remote_addr \
    realip_remote_port remote_addr remote_port server_addr server_name server_port session_time ssl_alpn_protocol ssl_cipher \
    ssl_ciphers ssl_client_cert ssl_client_fingerprint ssl_client_i_dn ssl_client_raw_cert ssl_client_s_dn ssl_client_serial \
    ssl_client_sigalg ssl_client_v_end ssl_client_v_remain ssl_client_v_start ssl_client_verify ssl_curve ssl_curves \
    ssl_ech_outer_server_name ssl_ech_status ssl_preread_alpn_protocols ssl_preread_protocol ssl_preread_server_name \
    ssl_protocol ssl_server_name ssl_session_id ssl_session_reused ssl_sigalg status time_iso8601 time_local upstream_addr \
    upstream_bytes_received upstream_bytes_sent upstream_connect_time upstream_first_byte_time upstream_session_time";

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
const EVALUATED: &[(usize, &str)] = &[
    (
        0,
        "access_log aio alias auth_basic auth_basic_user_file charset disable_symlinks expires fastcgi_bind fastcgi_cache \
         fastcgi_cache_bypass fastcgi_cache_key fastcgi_no_cache fastcgi_pass fastcgi_store geo grpc_bind grpc_pass \
         grpc_ssl_name hash index limit_conn_zone limit_rate limit_rate_after limit_req_zone map memcached_bind proxy_bind \
         proxy_cache proxy_cache_bypass proxy_cache_key proxy_cookie_domain proxy_cookie_flags proxy_cookie_path \
         proxy_download_rate proxy_limit_rate proxy_method proxy_no_cache proxy_pass proxy_redirect proxy_set_body \
         proxy_ssl_name proxy_store proxy_upload_rate return root scgi_bind scgi_cache scgi_cache_bypass scgi_cache_key \
         scgi_no_cache scgi_pass scgi_store secure_link secure_link_md5 split_clients ssl_certificate ssl_certificate_key \
         sub_filter try_files uwsgi_bind uwsgi_cache uwsgi_cache_bypass uwsgi_cache_key uwsgi_no_cache uwsgi_pass \
         uwsgi_ssl_name uwsgi_store",
    ),
    (
        1,
        "add_header add_trailer auth_request_set error_page fastcgi_param grpc_set_header log_format proxy_set_header rewrite \
         scgi_param set uwsgi_param",
    ),
];

/// Of these only the first word is evaluated.
const FIRST: &[&str] = &["geo", "limit_conn_zone", "limit_req_zone", "map", "split_clients"];

/// Whether a variable is one of nginx that nothing else may set.
pub(super) fn is_fixed(name: &[u8]) -> bool {
    const HEADERS: &[&str] = &[
        "http_cookie",
        "http_host",
        "http_referer",
        "http_user_agent",
        "http_via",
        "sent_http_cache_control",
        "sent_http_connection",
        "sent_http_content_length",
        "sent_http_content_type",
        "sent_http_keep_alive",
        "sent_http_last_modified",
        "sent_http_link",
        "sent_http_location",
        "sent_http_transfer_encoding",
    ];
    let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
    let of_tls = name.starts_with(b"ssl_");
    let own = VARIABLES.split(' ').any(is) && !of_tls && !OPEN.iter().any(|known| is(known));
    // Where a module is not built in, or not yet there, its variables are free.
    let later: &[&str] = &["http2", "http3", "is_request_port", "request_port", "sent_body", "spdy", "gzip_ratio"];
    (own && !later.iter().any(|known| is(known))) || HEADERS.iter().any(|known| is(known))
}

impl Names {
    /// Those of all but `stream`.
    pub(super) fn of(list: &[Directive], whole: bool) -> Self {
        let mut out = Self { whole, built_in: VARIABLES, ..Self::default() };
        out.add(list);
        out
    }

    /// Those of `stream`.
    pub(super) fn of_stream(list: &[Directive], whole: bool) -> Self {
        let mut out = Self { whole, built_in: OF_STREAM, ..Self::default() };
        out.strange = list.iter().any(|directive| directive.is("load_module"));
        list.iter().filter(|directive| directive.is("stream")).for_each(|stream| out.add(block(stream)));
        out
    }

    /// Whether a group of servers is called so.
    pub(super) fn is_group(&self, name: &[u8]) -> bool {
        self.groups.contains(&name.to_ascii_lowercase())
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
                b"upstream" => drop(self.groups.insert(first.to_ascii_lowercase())),
                b"thread_pool" => drop(self.pools.insert(first)),
                b"limit_req_zone" | b"limit_conn_zone" => self.zones.extend(zone(b"zone=")),
                b"zone" if directive.words.len() == 2 => drop(self.zones.insert(first)),
                b"ssl_session_cache" => self.zones.extend(zone(b"shared:")),
                name if name.ends_with(b"_cache_path") => self.zones.extend(zone(b"keys_zone=")),
                _ => {}
            }
            if matches!(&directive.name[..], b"map" | b"geo" | b"types" | b"split_clients" | b"charset_map") {
                // Their entries are no directives.
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
            (b"aio", [pool]) => {
                let pool = pool.strip_prefix(b"threads=").filter(|pool| *pool != b"default" && !computed(pool));
                if let Some(pool) = pool.filter(|pool| !self.pools.contains(*pool)) {
                    out.push(format!("unknown thread pool \"{}\"", escape(pool)));
                }
            }
            (b"memcached_pass", _) if !self.strange && !self.variables.contains(&b"memcached_key"[..]) => {
                out.push("unknown \"memcached_key\" variable".to_owned());
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
        // A variable of a condition is all of the word; a text is evaluated where it is compared as it is.
        if let (b"if", [first, rest @ ..]) = (&directive.name[..], &words[..]) {
            let inner = |word: &[u8]| word.strip_suffix(b")").unwrap_or(word).to_vec();
            let (first, rest) = match rest {
                [second, rest @ ..] if *first == b"(" => (*second, rest),
                _ => (first.strip_prefix(b"(").unwrap_or(first), rest),
            };
            match (first.strip_prefix(b"$"), rest) {
                (Some(name), [] | [b")"]) => out.extend(self.variable(&inner(name))),
                (Some(name), [operator, text, ..]) => {
                    out.extend(self.variable(name));
                    if matches!(*operator, b"=" | b"!=") {
                        out.extend(self.undefined(&inner(text)));
                    }
                }
                (Some(_), _) => {}
                (None, rest) => out.extend(rest.iter().flat_map(|word| self.undefined(&inner(word)))),
            }
            return out;
        }
        let named = |names: &str| names.split(' ').any(|name| directive.is(name));
        let Some((from, _)) = EVALUATED.iter().find(|(_, names)| named(names)) else { return out };
        let most = if FIRST.iter().any(|name| directive.is(name)) { 1 } else { usize::MAX };
        // An expression has dollars of its own.
        let matches = directive.name.starts_with(b"proxy_cookie_") || directive.is("proxy_redirect");
        let evaluated = words.iter().skip(*from).take(most).filter(|word| !(matches && word.starts_with(b"~")));
        // Of a geo the first of two words is one, and the other is made.
        let evaluated = evaluated.filter(|_| !directive.is("geo") || words.len() == 2);
        out.extend(evaluated.flat_map(|word| self.undefined(word)));
        out
    }

    /// Whether a place that is asked is refused: it is none, or has no port and is no group, or is a group and has one.
    pub(super) fn refuses(&self, place: &[u8]) -> bool {
        const SCHEMES: &[&[u8]] = &[b"uwsgi://", b"suwsgi://", b"grpc://", b"grpcs://"];
        let bare = SCHEMES.iter().find_map(|scheme| place.strip_prefix(*scheme)).unwrap_or(place);
        match super::values::place(bare) {
            _ if bare.contains(&b'$') => false,
            None => true,
            Some((name, Some(port))) => self.is_group(name) || port.contains(&b'/'),
            Some((name, None)) => self.whole && !self.is_group(name),
        }
    }

    fn zone(&self, name: &[u8]) -> Option<String> {
        (!self.zones.contains(name)).then(|| format!("zero size shared memory zone \"{}\"", escape(name)))
    }

    /// The variables in a word that nothing defines, and dollars that begin none (`ngx_http_script_compile`).
    fn undefined(&self, word: &[u8]) -> Vec<String> {
        let mut out = Vec::new();
        for part in word.split(|byte| *byte == b'$').skip(1) {
            let (part, closed) = match part.strip_prefix(b"{") {
                Some(part) => (part, Some(part.contains(&b'}'))),
                None => (part, None),
            };
            let letters = part.iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_').count();
            let name = &part[..letters];
            match (closed, name.first()) {
                (None, Some(b'1'..=b'9')) => {}
                (Some(closed), _) if !closed || part.get(letters) != Some(&b'}') => {
                    out.push(format!("the closing bracket in \"{}\" variable is missing", escape(name)));
                }
                (_, None) => out.push("invalid variable name".to_owned()),
                (_, Some(_)) => out.extend(self.variable(name)),
            }
        }
        out
    }

    /// What is to say of a variable that nothing defines. Names are the same in small letters and in capitals.
    fn variable(&self, name: &[u8]) -> Option<String> {
        let lower = name.to_ascii_lowercase();
        let known = self.built_in.split(' ').any(|known| known.as_bytes() == lower)
            || BEGINNINGS.iter().any(|start| lower.starts_with(start.as_bytes()))
            || self.variables.contains(&lower);
        (!known && !self.strange).then(|| format!("unknown \"{}\" variable", escape(name)))
    }
}
