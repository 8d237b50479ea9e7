//! The names of directives: which texts are of nginx, and what decides nothing about where requests go.

use super::syntax::Directive;
use crate::text::SourceMap;

/// Whether a text is probably one of nginx: braces and semicolons, and a directive that no other format has.
pub(super) fn is_nginx(name: &str, text: &[u8]) -> bool {
    if super::dump::is_one(text) {
        return true;
    }
    let Ok(text) = std::str::from_utf8(text) else { return name.ends_with("nginx.conf") };
    let whole = name.ends_with("nginx.conf");
    let mut words = 0;
    for line in text.lines().take(2_000) {
        let line = line.trim();
        let word = line.split([' ', '\t', '{', ';']).next().unwrap_or_default();
        let opens = line.ends_with('{') || line.ends_with("{}");
        let ends = line.ends_with(';') || line.contains("; #");
        match word {
            "server" | "http" | "events" | "stream" if opens => words += 2,
            "location" | "upstream" if line.contains('{') => words += 2,
            "listen" | "server_name" | "proxy_pass" | "fastcgi_pass" | "ssl_certificate" | "worker_processes"
            | "proxy_set_header" | "return" | "access_log" | "ssl_preread" | "proxy_cache_path" | "log_format"
                if ends || word == "log_format" =>
            {
                words += 1;
            }
            "table" | "chain" | "resource" | "module" | "variable" | "frontend" | "backend" | "defaults"
                if line.ends_with('{') || !line.contains('{') && !ends =>
            {
                return false;
            }
            _ => {}
        }
    }
    words >= 2 || (whole && words > 0) || (text.contains('{') && holds_blocks(whole, text.as_bytes()))
}

/// Whether a text is one of directives, however its lines are, and one is a block that no other format has.
fn holds_blocks(whole: bool, text: &[u8]) -> bool {
    const AROUND: &[&str] = &["http", "stream", "events", "server", "upstream"];
    const INSIDE: &[&str] = &["server", "listen", "location", "server_name", "proxy_pass", "return"];
    let mut scratch = SourceMap::default();
    let Ok(source) = scratch.add(b"", Vec::new()) else { return false };
    let Ok((directives, _)) = super::parse::parse(source, text, 0) else { return false };
    let inside = |block: &[Directive]| block.iter().any(|directive| INSIDE.iter().any(|name| directive.is(name)));
    directives.iter().any(|directive| {
        let block = directive.block.as_deref().filter(|_| AROUND.iter().any(|name| directive.is(name)));
        block.is_some_and(|block| whole || directive.is("events") || inside(block))
    })
}

/// Whether a directive says which server is asked. Those of modules of others are not known.
pub(super) fn is_pass(name: &[u8]) -> bool {
    matches!(name, b"proxy_pass" | b"fastcgi_pass" | b"uwsgi_pass" | b"scgi_pass" | b"grpc_pass" | b"memcached_pass")
}

/// Directives by the beginnings of their names, and why they decide nothing about where a request goes or whether it is
/// refused. The first that fits counts.
const BEGINNINGS: &[(&str, &str)] = &[
    ("access_log", "logging"),
    ("error_log", "logging"),
    ("log_", "logging"),
    ("open_log_file_cache", "logging"),
    ("status_zone", "counting"),
    ("gzip", "compression"),
    ("gunzip", "compression"),
    ("brotli", "compression"),
    ("zstd", "compression"),
    ("proxy_cache", "caching"),
    ("proxy_no_cache", "caching"),
    ("fastcgi_cache", "caching"),
    ("fastcgi_no_cache", "caching"),
    ("uwsgi_cache", "caching"),
    ("scgi_cache", "caching"),
    ("proxy_", "how a server is asked, not which"),
    ("fastcgi_", "how a server is asked, not which"),
    ("uwsgi_", "how a server is asked, not which"),
    ("scgi_", "how a server is asked, not which"),
    ("grpc_", "how a server is asked, not which"),
    ("memcached_", "how a server is asked, not which"),
    ("client_", "limits and time-outs of clients"),
    ("send_timeout", "time-outs"),
    ("send_lowat", "how bytes are sent"),
    ("keepalive", "how connections are kept"),
    ("lingering_", "how connections are closed"),
    ("reset_timedout", "how connections are closed"),
    ("large_client", "limits of clients"),
    ("request_pool_size", "memory"),
    ("connection_pool_size", "memory"),
    ("http2_", "how HTTP/2 is spoken"),
    ("http2", "how HTTP/2 is spoken"),
    ("http3", "how HTTP/3 is spoken"),
    ("quic_", "how QUIC is spoken"),
    ("add_header", "headers of answers"),
    ("add_trailer", "headers of answers"),
    ("more_", "headers of answers"),
    ("expires", "headers of answers"),
    ("etag", "headers of answers"),
    ("charset", "headers of answers"),
    ("source_charset", "headers of answers"),
    ("override_charset", "headers of answers"),
    ("default_type", "headers of answers"),
    ("types", "types of content"),
    ("server_tokens", "headers of answers"),
    ("early_hints", "headers of answers"),
    ("if_modified_since", "headers of answers"),
    ("userid", "cookies"),
    ("worker_", "processes"),
    ("user", "processes"),
    ("pid", "processes"),
    ("daemon", "processes"),
    ("master_process", "processes"),
    ("lock_file", "processes"),
    ("env", "processes"),
    ("thread_pool", "processes"),
    ("working_directory", "processes"),
    ("pcre_jit", "processes"),
    ("timer_resolution", "processes"),
    ("debug_", "logging"),
    ("google_perftools", "counting"),
    ("multi_accept", "how connections are processed"),
    ("use", "how connections are processed"),
    ("accept_mutex", "how connections are processed"),
    ("sendfile", "how bytes are sent"),
    ("tcp_", "how bytes are sent"),
    ("aio", "how bytes are sent"),
    ("directio", "how bytes are sent"),
    ("output_buffers", "how bytes are sent"),
    ("postpone_output", "how bytes are sent"),
    ("read_ahead", "how bytes are sent"),
    ("subrequest_output", "how bytes are sent"),
    ("preread_", "limits and time-outs of clients"),
    ("open_file_cache", "caching"),
    ("variables_hash", "memory"),
    ("server_names_hash", "memory"),
    ("types_hash", "memory"),
    ("map_hash", "memory"),
    ("resolver", "names are looked up with it"),
    ("limit_rate", "how fast answers are sent"),
    ("limit_req_zone", "part of the limits that count in it"),
    ("limit_conn_zone", "part of the limits that count in it"),
    ("limit_req", "limits of rates"),
    ("limit_conn", "limits of rates"),
    ("port_in_redirect", "redirects of the server itself"),
    ("absolute_redirect", "redirects of the server itself"),
    ("server_name_in_redirect", "redirects of the server itself"),
    ("merge_slashes", "how paths are written"),
    ("underscores_in_headers", "headers of requests"),
    ("ignore_invalid_headers", "headers of requests"),
    ("chunked_transfer", "how answers are sent"),
    ("msie_", "old browsers"),
    ("ancient_browser", "old browsers"),
    ("modern_browser", "old browsers"),
    ("sub_filter", "texts of answers"),
    ("ssi", "texts of answers"),
    ("addition_", "texts of answers"),
    ("add_before_body", "texts of answers"),
    ("add_after_body", "texts of answers"),
    ("image_filter", "texts of answers"),
    ("xslt_", "texts of answers"),
    ("xml_entities", "texts of answers"),
    ("slice", "how files are asked for"),
    ("mirror", "copies of requests"),
    ("index", "which file of a folder is shown"),
    ("autoindex", "which file of a folder is shown"),
    ("fancyindex", "which file of a folder is shown"),
    ("random_index", "which file of a folder is shown"),
    ("root", "which file is shown"),
    ("disable_symlinks", "which file is shown"),
    ("log_not_found", "logging"),
    ("recursive_error_pages", "pages of errors"),
    ("uninitialized_variable_warn", "logging"),
    ("rewrite_log", "logging"),
    ("geoip", "a variable; where it decides it is not known"),
    ("perl_set", "a variable; where it decides it is not known"),
    ("js_import", "a variable; where it decides it is not known"),
    ("js_path", "a variable; where it decides it is not known"),
    ("js_set", "a variable; where it decides it is not known"),
    ("js_var", "a variable; where it decides it is not known"),
    ("valid_referers", "a variable; where it decides it is not known"),
    ("secure_link", "a variable; where it decides it is not known"),
    ("split_clients", "a variable; where it decides it is not known"),
    ("keyval", "a variable; where it decides it is not known"),
    ("geo", "a variable; where it decides it is not known"),
    ("map", "a variable; where it decides it is not known"),
    ("set_real_ip_from", "from where addresses are believed"),
    ("real_ip_header", "from where addresses are believed"),
    ("real_ip_recursive", "from where addresses are believed"),
    ("auth_delay", "time-outs"),
    ("max_ranges", "how answers are sent"),
    ("mp4_", "how files are asked for"),
    ("referer_hash", "memory"),
    ("dav_access", "who may use files that are written"),
    ("create_full_put_path", "where files are written"),
    ("min_delete_depth", "where files are written"),
    ("auth_request_set", "a variable; where it decides it is not known"),
    ("opentracing", "logging"),
    ("otel_", "logging"),
    ("opentelemetry", "logging"),
    ("vhost_traffic_status", "counting"),
    ("lua_package_", "code in another language"),
    ("set_by_lua", "a variable; where it decides it is not known"),
    ("init_by_lua", "code in another language: part of what runs code"),
    ("init_worker_by_lua", "code in another language: part of what runs code"),
    ("perl_require", "code in another language: part of what runs code"),
    ("perl_modules", "code in another language: part of what runs code"),
    ("lua_shared_dict", "code in another language"),
    ("lua_ssl", "code in another language"),
    ("load_module", "what other directives may be there"),
    ("error_page", "pages of errors: part of the settings of the listener"),
    ("set", "a variable; where it decides it is not known"),
    ("ssl_session", "how TLS is spoken"),
    ("ssl_buffer_size", "how TLS is spoken"),
    ("ssl_handshake_timeout", "time-outs"),
    ("ssl_dhparam", "how TLS is spoken"),
    ("ssl_ecdh_curve", "how TLS is spoken"),
    ("ssl_early_data", "how TLS is spoken"),
    ("ssl_stapling", "how TLS is spoken"),
    ("ssl_trusted_certificate", "how TLS is spoken"),
    ("ssl_password_file", "how TLS is spoken"),
    ("ssl_certificate_key", "the other half of a certificate"),
    ("ssl_certificate_cache", "how TLS is spoken"),
    ("ssl_engine", "how TLS is spoken"),
];

/// Why a directive cannot matter to a request, whatever it says.
const INDIFFERENT: &[&str] = &[
    "logging",
    "counting",
    "compression",
    "memory",
    "processes",
    "types of content",
    "old browsers",
    "part of the limits that count in it",
    "how bytes are sent",
    "how connections are processed",
    "how connections are kept",
    "how connections are closed",
    "code in another language",
    "code in another language: part of what runs code",
    "what other directives may be there",
    "the other half of a certificate",
];

/// Whether a directive decides nothing about where requests go, but can matter to them: it belongs to the settings of the
/// listener. What makes a variable does so where it is used.
pub(super) fn is_setting(name: &[u8]) -> bool {
    let variable = matches!(
        name,
        b"set"
            | b"auth_request_set"
            | b"map"
            | b"geo"
            | b"split_clients"
            | b"js_set"
            | b"perl_set"
            | b"set_by_lua"
            | b"set_by_lua_block"
            | b"set_by_lua_file"
    );
    !variable && inert(name).is_some_and(|reason| !INDIFFERENT.contains(&reason))
}

/// Names of which a longer one decides something and is no word of the table.
const WHOLE: &[&str] = &["use", "user", "env", "set", "index", "root", "geo", "map", "types", "http2", "pid", "slice"];

/// How directives of other modules than those of the tables begin: as their names begin, so are all of them.
const OF_OTHERS: &[&str] = &[
    "brotli",
    "fancyindex",
    "geoip",
    "google_perftools",
    "image_filter",
    "js_",
    "keyval",
    "lua_",
    "more_",
    "opentelemetry",
    "opentracing",
    "otel_",
    "perl_",
    "status_zone",
    "vhost_traffic_status",
    "xml_entities",
    "xslt_",
    "zstd",
];

/// Whether a name is one of the tables, or may be one of a module that is in none.
fn is_known(name: &str) -> bool {
    !super::directives::rows(name.as_bytes()).is_empty()
        || name.contains("_by_lua")
        || OF_OTHERS.iter().any(|beginning| name.starts_with(beginning))
}

/// Why a directive decides nothing; `None`: it does, or is not known.
pub(super) fn inert(name: &[u8]) -> Option<&'static str> {
    let name = std::str::from_utf8(name).ok()?;
    let fits = |(beginning, _): &&(&str, &str)| {
        if WHOLE.contains(beginning) { name == *beginning } else { name.starts_with(beginning) }
    };
    if name.ends_with("_pass") || name.ends_with("_bind") || !is_known(name) {
        return None;
    }
    BEGINNINGS.iter().find(fits).map(|(_, reason)| *reason)
}
