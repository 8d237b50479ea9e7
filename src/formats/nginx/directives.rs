//! Which directives nginx has: where each may stand, how many words it takes and of which form, and whether it may stand there
//! twice. As the `ngx_command_t` tables of nginx 1.22 say it, and nginx.org where a later one takes more.

use Form::{Any, Block, Buffers, Flag, Number, Positive, Processes, Rate, Shape, Size, Time, Words};
use Repeat::{Often, Once};
use std::collections::HashMap;
use std::sync::LazyLock;

/// Where a directive stands, as bits: directives may stand in several.
pub(super) type Contexts = u16;
pub(super) const MAIN: Contexts = 1;
pub(super) const EVENTS: Contexts = 2;
pub(super) const HTTP: Contexts = 4;
pub(super) const SERVER: Contexts = 8;
pub(super) const LOCATION: Contexts = 16;
pub(super) const UPSTREAM: Contexts = 32;
pub(super) const IF_SERVER: Contexts = 64;
pub(super) const IF_LOCATION: Contexts = 128;
pub(super) const EXCEPT: Contexts = 256;
pub(super) const STREAM: Contexts = 512;
pub(super) const STREAM_SERVER: Contexts = 1024;
pub(super) const STREAM_UPSTREAM: Contexts = 2048;
/// It is not known where it stands.
pub(super) const ANYWHERE: Contexts = Contexts::MAX;

pub(super) const MANY: usize = usize::MAX;

/// What the words of a directive are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Any,
    /// It has braces.
    Block,
    Flag,
    Number,
    /// A number above 0.
    Positive,
    Size,
    /// A size, or what variables make of one.
    Rate,
    Time,
    /// A number of buffers, and their size.
    Buffers,
    /// Some of these.
    Words(&'static [&'static str]),
    /// A number above 0, or `auto`.
    Processes,
    /// Words in an order, and options: see [`super::shapes`].
    Shape(&'static str),
}

/// Whether a directive may stand twice in one block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Repeat {
    Once,
    Often,
}

/// Directives that are alike in all this.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) contexts: Contexts,
    /// How many words, at least and at most.
    pub(super) words: (usize, usize),
    pub(super) form: Form,
    pub(super) repeat: Repeat,
    names: &'static str,
}

pub(super) const fn row(
    contexts: Contexts,
    words: (usize, usize),
    form: Form,
    repeat: Repeat,
    names: &'static str,
) -> Row {
    Row { contexts, words, form, repeat, names }
}

/// The rows of a name: several modules may have one that is called so.
pub(super) fn rows(name: &[u8]) -> &'static [&'static Row] {
    static BY_NAME: LazyLock<HashMap<&[u8], Vec<&Row>>> = LazyLock::new(|| {
        let mut out: HashMap<&[u8], Vec<&Row>> = HashMap::new();
        let all = ROWS.iter().chain(super::stream_directives::ROWS).chain(super::later_directives::ROWS);
        for row in all {
            row.names.split(' ').for_each(|name| out.entry(name.as_bytes()).or_default().push(row));
        }
        out
    });
    BY_NAME.get(name).map_or(&[], Vec::as_slice)
}

pub(super) const LEVELS: Form = Shape(
    "<log> debug,info,notice,warn,error,crit,alert,emerg? | <log> \
     debug_core,debug_alloc,debug_mutex,debug_event,debug_http,debug_mail,debug_stream+",
);
/// Where a log goes, in which format, and how it is kept back.
pub(super) const LOG: Form = Shape(
    "off | <file> <any>? : if=<any> | <plain> <any> : buffer=<size>! flush=<time> gzip gzip=<1..9> \
     if=<any> | <plain> <any> : gzip! flush=<time> buffer=<size> if=<any> | <plain> <any> : gzip=<1..9>! \
     flush=<time> buffer=<size> if=<any>",
);
/// Where a server listens; other words are looked at where sockets are.
pub(super) const LISTEN: Form = Shape(
    "<any> : backlog=<positive> rcvbuf=<size> sndbuf=<size> setfib=<number> fastopen=<number> so_keepalive=<kept> <any>",
);
const CACHE: Form = Shape(
    "<any> : keys_zone=<keys>! levels=<levels> use_temp_path=on,off inactive=<seconds> max_size=<size> \
     min_free=<size> manager_files=<number> manager_sleep=<time> manager_threshold=<time> \
     loader_files=<number> loader_sleep=<time> loader_threshold=<time> purger=on,off \
     purger_files=<number> purger_sleep=<time> purger_threshold=<time>",
);

#[rustfmt::skip]
const ROWS: &[Row] = &[
    row(MAIN, (0, 0), Block, Once, "events http mail stream"),
    row(MAIN, (1, 1), Any, Often, "env load_module ssl_engine"),
    row(MAIN, (1, 1), Any, Once, "lock_file pid working_directory"),
    row(MAIN, (1, 1), Flag, Once, "daemon master_process pcre_jit"),
    row(MAIN, (1, 1), Number, Once, "worker_rlimit_nofile"),
    row(MAIN, (1, 1), Processes, Once, "worker_processes"),
    row(MAIN, (1, 1), Shape("<signed>"), Often, "worker_priority"),
    row(MAIN, (1, 1), Size, Once, "worker_rlimit_core"),
    row(MAIN, (1, 1), Time, Once, "timer_resolution worker_shutdown_timeout"),
    row(MAIN, (1, 1), Words(&["stop", "abort"]), Once, "debug_points"),
    row(MAIN, (1, 2), Any, Once, "user"),
    row(MAIN, (1, MANY), Shape("auto <bits>? | <bits>+"), Once, "worker_cpu_affinity"),
    row(MAIN, (1, MANY), LEVELS, Often, "error_log"),
    row(MAIN, (2, 3), Shape("<text> : threads=<positive>! max_queue=<number> <any>"), Often, "thread_pool"),
    row(EVENTS, (1, 1), Flag, Once, "accept_mutex multi_accept"),
    row(EVENTS, (1, 1), Number, Once, "epoll_events worker_aio_requests"),
    row(EVENTS, (1, 1), Positive, Once, "worker_connections"),
    row(EVENTS, (1, 1), Shape("epoll,kqueue,poll,select,/dev/poll,eventport,devpoll,rtsig"), Once, "use"),
    row(EVENTS, (1, 1), Shape("<host>"), Often, "debug_connection"),
    row(EVENTS, (1, 1), Time, Once, "accept_mutex_delay"),
    row(HTTP, (0, 0), Block, Often, "server"),
    row(HTTP, (1, 1), Block, Often, "upstream"),
    row(HTTP, (1, 1), Number, Once, "map_hash_bucket_size map_hash_max_size server_names_hash_bucket_size server_names_hash_max_size \
         variables_hash_bucket_size variables_hash_max_size"),
    row(HTTP, (1, 1), Size, Once, "http2_recv_buffer_size"),
    row(HTTP, (1, 2), Block, Often, "geo"),
    row(HTTP, (2, 2), Block, Often, "charset_map map split_clients"),
    row(HTTP, (2, 2), Shape("<any> : zone=<zone>!"), Often, "limit_conn_zone"),
    row(HTTP, (2, MANY), Shape("<any> <escape> <any>*"), Often, "log_format"),
    row(HTTP, (2, MANY), CACHE, Often, "fastcgi_cache_path proxy_cache_path scgi_cache_path uwsgi_cache_path"),
    row(HTTP, (3, 4), Shape("<any> : zone=<zone>! rate=<rate>! sync"), Often, "limit_req_zone"),
    row(HTTP | SERVER, (1, 1), Any, Often, "http2_idle_timeout http2_max_field_size http2_max_header_size http2_max_requests http2_recv_timeout \
         ssl_certificate ssl_certificate_key ssl_session_ticket_key"),
    row(HTTP | SERVER, (1, 1), Any, Once, "ssl_ciphers ssl_client_certificate ssl_crl ssl_dhparam ssl_ecdh_curve ssl_ocsp_cache \
         ssl_ocsp_responder ssl_password_file ssl_stapling_file ssl_stapling_responder \
         ssl_trusted_certificate"),
    row(HTTP | SERVER, (1, 1), Flag, Once, "ignore_invalid_headers merge_slashes ssl ssl_early_data ssl_prefer_server_ciphers \
         ssl_reject_handshake ssl_session_tickets ssl_stapling ssl_stapling_verify underscores_in_headers"),
    row(HTTP | SERVER, (1, 1), Number, Once, "http2_max_concurrent_pushes http2_max_concurrent_streams http2_streams_index_size ssl_verify_depth"),
    row(HTTP | SERVER, (1, 1), Shape("<pool>"), Once, "connection_pool_size http2_pool_size request_pool_size"),
    row(HTTP | SERVER, (1, 1), Shape("<seconds>"), Once, "ssl_session_timeout"),
    row(HTTP | SERVER, (1, 1), Size, Once, "client_header_buffer_size http2_body_preread_size ssl_buffer_size"),
    row(HTTP | SERVER, (1, 1), Time, Once, "client_header_timeout"),
    row(HTTP | SERVER, (1, 1), Words(&["off", "on", "leaf"]), Once, "ssl_ocsp"),
    row(HTTP | SERVER, (1, 1), Words(&["off", "on", "optional", "optional_no_ca"]), Once, "ssl_verify_client"),
    row(HTTP | SERVER, (1, 2), Shape("<sessions>+"), Often, "ssl_session_cache"),
    row(HTTP | SERVER, (1, MANY), Words(&["SSLv2", "SSLv3", "TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"]), Often, "ssl_protocols"),
    row(HTTP | SERVER, (2, 2), Any, Often, "ssl_conf_command"),
    row(HTTP | SERVER, (2, 2), Buffers, Once, "large_client_header_buffers"),
    row(HTTP | SERVER | LOCATION, (0, 0), Block, Often, "types"),
    row(HTTP | SERVER | LOCATION, (1, 1), Any, Often, "ancient_browser_value fastcgi_catch_stderr fastcgi_hide_header fastcgi_pass_header grpc_hide_header \
         grpc_pass_header http2_push mirror modern_browser_value proxy_hide_header proxy_pass_header \
         scgi_hide_header scgi_pass_header uwsgi_hide_header uwsgi_pass_header"),
    row(HTTP | SERVER | LOCATION, (1, 1), Any, Once, "add_after_body add_before_body auth_request default_type fastcgi_cache fastcgi_cache_key \
         fastcgi_index fastcgi_store grpc_ssl_certificate grpc_ssl_certificate_key grpc_ssl_ciphers \
         grpc_ssl_crl grpc_ssl_name grpc_ssl_password_file grpc_ssl_trusted_certificate proxy_cache \
         proxy_cache_key proxy_method proxy_set_body proxy_ssl_certificate proxy_ssl_certificate_key \
         proxy_ssl_ciphers proxy_ssl_crl proxy_ssl_name proxy_ssl_password_file proxy_ssl_trusted_certificate \
         proxy_store real_ip_header scgi_cache scgi_cache_key scgi_store secure_link secure_link_md5 \
         secure_link_secret server_tokens userid_domain userid_name userid_p3p userid_path uwsgi_cache \
         uwsgi_cache_key uwsgi_ssl_certificate uwsgi_ssl_certificate_key uwsgi_ssl_ciphers uwsgi_ssl_crl \
         uwsgi_ssl_name uwsgi_ssl_password_file uwsgi_ssl_trusted_certificate uwsgi_store uwsgi_string"),
    row(HTTP | SERVER | LOCATION, (1, 1), Flag, Once, "absolute_redirect aio_write autoindex autoindex_exact_size autoindex_localtime \
         chunked_transfer_encoding client_body_in_single_buffer create_full_put_path etag fastcgi_buffering \
         fastcgi_cache_background_update fastcgi_cache_lock fastcgi_cache_revalidate fastcgi_force_ranges \
         fastcgi_ignore_client_abort fastcgi_intercept_errors fastcgi_keep_conn fastcgi_pass_request_body \
         fastcgi_pass_request_headers fastcgi_request_buffering fastcgi_socket_keepalive \
         grpc_intercept_errors grpc_socket_keepalive grpc_ssl_server_name grpc_ssl_session_reuse \
         grpc_ssl_verify gunzip gzip_no_buffer gzip_vary http2_push_preload limit_conn_dry_run \
         limit_req_dry_run log_not_found log_subrequest memcached_socket_keepalive mirror_request_body \
         mp4_start_key_frame msie_padding msie_refresh open_file_cache_errors open_file_cache_events \
         port_in_redirect proxy_buffering proxy_cache_background_update proxy_cache_convert_head \
         proxy_cache_lock proxy_cache_revalidate proxy_force_ranges proxy_ignore_client_abort \
         proxy_intercept_errors proxy_pass_request_body proxy_pass_request_headers proxy_request_buffering \
         proxy_socket_keepalive proxy_ssl_server_name proxy_ssl_session_reuse proxy_ssl_verify \
         real_ip_recursive recursive_error_pages reset_timedout_connection scgi_buffering \
         scgi_cache_background_update scgi_cache_lock scgi_cache_revalidate scgi_force_ranges \
         scgi_ignore_client_abort scgi_intercept_errors scgi_pass_request_body scgi_pass_request_headers \
         scgi_request_buffering scgi_socket_keepalive server_name_in_redirect ssi_ignore_recycled_buffers \
         ssi_last_modified ssi_silent_errors sub_filter_last_modified sub_filter_once tcp_nodelay tcp_nopush \
         uwsgi_buffering uwsgi_cache_background_update uwsgi_cache_lock uwsgi_cache_revalidate \
         uwsgi_force_ranges uwsgi_ignore_client_abort uwsgi_intercept_errors uwsgi_pass_request_body \
         uwsgi_pass_request_headers uwsgi_request_buffering uwsgi_socket_keepalive uwsgi_ssl_server_name \
         uwsgi_ssl_session_reuse uwsgi_ssl_verify"),
    row(HTTP | SERVER | LOCATION, (1, 1), Number, Once, "fastcgi_cache_min_uses fastcgi_next_upstream_tries grpc_next_upstream_tries grpc_ssl_verify_depth \
         keepalive_requests max_ranges memcached_gzip_flag memcached_next_upstream_tries min_delete_depth \
         open_file_cache_min_uses proxy_cache_min_uses proxy_headers_hash_bucket_size \
         proxy_headers_hash_max_size proxy_next_upstream_tries proxy_ssl_verify_depth scgi_cache_min_uses \
         scgi_next_upstream_tries types_hash_bucket_size types_hash_max_size userid_service \
         uwsgi_cache_min_uses uwsgi_next_upstream_tries uwsgi_ssl_verify_depth"),
    row(HTTP | SERVER | LOCATION, (1, 1), Rate, Once, "fastcgi_limit_rate proxy_limit_rate scgi_limit_rate uwsgi_limit_rate"),
    row(HTTP | SERVER | LOCATION, (1, 1), Shape("<host>"), Often, "set_real_ip_from"),
    row(HTTP | SERVER | LOCATION, (1, 1), Shape("off | <mark>"), Once, "userid_mark"),
    row(HTTP | SERVER | LOCATION, (1, 1), Shape("max,off | <seconds>"), Once, "userid_expires"),
    row(HTTP | SERVER | LOCATION, (1, 1), Shape("off | <size>"), Once, "directio"),
    row(HTTP | SERVER | LOCATION, (1, 1), Shape(": on,off,threads,sendfile threads=<text>"), Once, "aio"),
    row(HTTP | SERVER | LOCATION, (1, 1), Shape("<0..255>"), Once, "uwsgi_modifier1 uwsgi_modifier2"),
    row(HTTP | SERVER | LOCATION, (1, 1), Shape("<1..9>"), Once, "gzip_comp_level"),
    row(HTTP | SERVER | LOCATION, (1, 1), Shape("<400..599>"), Once, "limit_conn_status limit_req_status"),
    row(HTTP | SERVER | LOCATION, (1, 1), Shape("<split>"), Often, "fastcgi_split_path_info"),
    row(HTTP | SERVER | LOCATION, (1, 1), Shape("<seconds>"), Once, "open_file_cache_valid"),
    row(HTTP | SERVER | LOCATION, (1, 1), Size, Once, "client_body_buffer_size client_max_body_size directio_alignment fastcgi_buffer_size \
         fastcgi_busy_buffers_size fastcgi_cache_max_range_offset fastcgi_max_temp_file_size \
         fastcgi_send_lowat fastcgi_temp_file_write_size grpc_buffer_size gzip_hash gzip_min_length \
         gzip_window http2_chunk_size memcached_buffer_size mp4_buffer_size mp4_max_buffer_size \
         postpone_gzipping postpone_output proxy_buffer_size proxy_busy_buffers_size \
         proxy_cache_max_range_offset proxy_max_temp_file_size proxy_send_lowat proxy_temp_file_write_size \
         read_ahead scgi_buffer_size scgi_busy_buffers_size scgi_cache_max_range_offset \
         scgi_max_temp_file_size scgi_temp_file_write_size send_lowat sendfile_max_chunk slice \
         ssi_min_file_chunk ssi_value_length subrequest_output_buffer_size uwsgi_buffer_size \
         uwsgi_busy_buffers_size uwsgi_cache_max_range_offset uwsgi_max_temp_file_size \
         uwsgi_temp_file_write_size"),
    row(HTTP | SERVER | LOCATION, (1, 1), Time, Once, "auth_delay client_body_timeout fastcgi_cache_lock_age fastcgi_cache_lock_timeout \
         fastcgi_connect_timeout fastcgi_next_upstream_timeout fastcgi_read_timeout fastcgi_send_timeout \
         grpc_connect_timeout grpc_next_upstream_timeout grpc_read_timeout grpc_send_timeout keepalive_time \
         lingering_time lingering_timeout memcached_connect_timeout memcached_next_upstream_timeout \
         memcached_read_timeout memcached_send_timeout proxy_cache_lock_age proxy_cache_lock_timeout \
         proxy_connect_timeout proxy_next_upstream_timeout proxy_read_timeout proxy_send_timeout \
         scgi_cache_lock_age scgi_cache_lock_timeout scgi_connect_timeout scgi_next_upstream_timeout \
         scgi_read_timeout scgi_send_timeout send_timeout uwsgi_cache_lock_age uwsgi_cache_lock_timeout \
         uwsgi_connect_timeout uwsgi_next_upstream_timeout uwsgi_read_timeout uwsgi_send_timeout"),
    row(HTTP | SERVER | LOCATION, (1, 1), Words(&["1.0", "1.1"]), Once, "gzip_http_version"),
    row(HTTP | SERVER | LOCATION, (1, 1), Words(&["1.0", "1.1", "2"]), Once, "proxy_http_version"),
    row(HTTP | SERVER | LOCATION, (1, 1), Words(&["all", "any"]), Once, "satisfy"),
    row(HTTP | SERVER | LOCATION, (1, 1), Words(&["html", "json", "jsonp", "xml"]), Once, "autoindex_format"),
    row(HTTP | SERVER | LOCATION, (1, 1), Words(&["info", "notice", "warn", "error"]), Once, "limit_conn_log_level limit_req_log_level"),
    row(HTTP | SERVER | LOCATION, (1, 1), Words(&["off", "exact", "before"]), Once, "if_modified_since"),
    row(HTTP | SERVER | LOCATION, (1, 1), Words(&["off", "log", "v1", "on"]), Once, "userid"),
    row(HTTP | SERVER | LOCATION, (1, 1), Words(&["off", "on", "always"]), Once, "gzip_static lingering_close"),
    row(HTTP | SERVER | LOCATION, (1, 1), Words(&["off", "on", "clean"]), Once, "client_body_in_file_only"),
    row(HTTP | SERVER | LOCATION, (1, 2), Any, Once, "fastcgi_bind grpc_bind memcached_bind proxy_bind scgi_bind uwsgi_bind"),
    row(HTTP | SERVER | LOCATION, (1, 2), Shape("off,default | <text-or-regex> <any>"), Often, "proxy_redirect"),
    row(HTTP | SERVER | LOCATION, (1, 2), Shape("off | <text-or-regex> <any>"), Often, "proxy_cookie_domain proxy_cookie_path"),
    row(HTTP | SERVER | LOCATION, (1, 2), Shape("off | : on! from=<any> | : if_not_owner! from=<any>"), Once, "disable_symlinks"),
    row(HTTP | SERVER | LOCATION, (1, 2), Shape(": off! max=<positive> inactive=<seconds> | : max=<positive>! inactive=<seconds>"), Once, "open_file_cache"),
    row(HTTP | SERVER | LOCATION, (1, 2), Shape("unlisted | msie,gecko,opera,safari,konqueror <version>"), Often, "modern_browser"),
    row(HTTP | SERVER | LOCATION, (1, 2), Shape("<time> <seconds>?"), Once, "keepalive_timeout"),
    row(HTTP | SERVER | LOCATION, (1, 2), Words(&["none", "msie6", "safari"]), Often, "keepalive_disable"),
    row(HTTP | SERVER | LOCATION, (1, 3), Shape("<access>+"), Once, "dav_access fastcgi_store_access proxy_store_access scgi_store_access uwsgi_store_access"),
    row(HTTP | SERVER | LOCATION, (1, 3), Shape(": zone=<text>! burst=<positive> delay=<positive> nodelay"), Often, "limit_req"),
    row(HTTP | SERVER | LOCATION, (1, 3), Words(&["off", "secure", "httponly", "samesite=strict", "samesite=lax", "samesite=none"]), Often, "userid_flags"),
    row(HTTP | SERVER | LOCATION, (1, 4), Shape("off | <text-or-regex> <any>+"), Often, "proxy_cookie_flags"),
    row(HTTP | SERVER | LOCATION, (1, 4), Shape(": off! max=<positive> inactive=<seconds> valid=<seconds> min_uses=<positive> | : max=<positive>! inactive=<seconds> valid=<seconds> min_uses=<positive>"), Once, "open_log_file_cache"),
    row(HTTP | SERVER | LOCATION, (1, 4), Shape("<text> <positive>*"), Once, "client_body_temp_path fastcgi_temp_path proxy_temp_path scgi_temp_path uwsgi_temp_path"),
    row(HTTP | SERVER | LOCATION, (1, MANY), Any, Often, "addition_types ancient_browser charset_types fastcgi_cache_bypass fastcgi_no_cache gzip_types \
         proxy_cache_bypass proxy_no_cache scgi_cache_bypass scgi_no_cache ssi_types sub_filter_types \
         uwsgi_cache_bypass uwsgi_no_cache"),
    row(HTTP | SERVER | LOCATION, (1, MANY), LEVELS, Often, "error_log"),
    row(HTTP | SERVER | LOCATION, (1, MANY), Shape("<regex>+"), Often, "gzip_disable"),
    row(HTTP | SERVER | LOCATION, (1, MANY), Shape("<text>+"), Often, "index"),
    row(HTTP | SERVER | LOCATION, (1, MANY), Shape("<seconds> | <answer>+ <seconds>"), Often, "fastcgi_cache_valid proxy_cache_valid scgi_cache_valid uwsgi_cache_valid"),
    row(HTTP | SERVER | LOCATION, (1, MANY), Words(&["GET", "HEAD", "POST"]), Often, "fastcgi_cache_methods proxy_cache_methods scgi_cache_methods uwsgi_cache_methods"),
    row(HTTP | SERVER | LOCATION, (1, MANY), Words(&["SSLv2", "SSLv3", "TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"]), Often, "grpc_ssl_protocols proxy_ssl_protocols uwsgi_ssl_protocols"),
    row(HTTP | SERVER | LOCATION, (1, MANY), Words(&["X-Accel-Redirect", "X-Accel-Expires", "X-Accel-Limit-Rate", "X-Accel-Buffering", "X-Accel-Charset", "Expires", "Cache-Control", "Set-Cookie", "Vary"]), Often, "fastcgi_ignore_headers grpc_ignore_headers proxy_ignore_headers scgi_ignore_headers \
         uwsgi_ignore_headers"),
    row(HTTP | SERVER | LOCATION, (1, MANY), Words(&["error", "timeout", "invalid_header", "non_idempotent", "http_500", "http_502", "http_503", "http_504", "http_403", "http_404", "http_429", "off"]), Often, "grpc_next_upstream"),
    row(HTTP | SERVER | LOCATION, (1, MANY), Words(&["error", "timeout", "invalid_header", "non_idempotent", "http_500", "http_502", "http_503", "http_504", "http_403", "http_404", "http_429", "updating", "off"]), Often, "proxy_cache_use_stale proxy_next_upstream"),
    row(HTTP | SERVER | LOCATION, (1, MANY), Words(&["error", "timeout", "invalid_header", "non_idempotent", "http_500", "http_503", "http_403", "http_404", "http_429", "updating", "off"]), Often, "fastcgi_cache_use_stale fastcgi_next_upstream scgi_cache_use_stale scgi_next_upstream \
         uwsgi_cache_use_stale uwsgi_next_upstream"),
    row(HTTP | SERVER | LOCATION, (1, MANY), Words(&["error", "timeout", "invalid_response", "not_found", "off"]), Often, "memcached_next_upstream"),
    row(HTTP | SERVER | LOCATION, (1, MANY), Words(&["off", "expired", "no-cache", "no-store", "private", "no_last_modified", "no_etag", "auth", "any"]), Often, "gzip_proxied"),
    row(HTTP | SERVER | LOCATION, (1, MANY), Words(&["off", "put", "delete", "mkcol", "copy", "move"]), Often, "dav_methods"),
    row(HTTP | SERVER | LOCATION, (2, 2), Any, Often, "auth_request_set grpc_set_header grpc_ssl_conf_command proxy_set_header proxy_ssl_conf_command \
         uwsgi_ssl_conf_command"),
    row(HTTP | SERVER | LOCATION, (2, 2), Buffers, Once, "fastcgi_buffers gunzip_buffers gzip_buffers output_buffers proxy_buffers scgi_buffers uwsgi_buffers"),
    row(HTTP | SERVER | LOCATION, (2, 2), Shape("<any> <1..65535>"), Often, "limit_conn"),
    row(HTTP | SERVER | LOCATION, (2, 2), Shape("<text> <any>"), Often, "sub_filter"),
    row(HTTP | SERVER | LOCATION, (2, 3), Shape("<any> <any> if_not_empty?"), Often, "fastcgi_param scgi_param uwsgi_param"),
    row(HTTP | SERVER | LOCATION | EXCEPT, (1, 1), Any, Once, "auth_basic auth_basic_user_file"),
    row(HTTP | SERVER | LOCATION | EXCEPT, (1, 1), Any, Often, "allow deny"),
    row(HTTP | SERVER | LOCATION | IF_LOCATION, (1, 1), Any, Once, "charset post_action root source_charset"),
    row(HTTP | SERVER | LOCATION | IF_LOCATION, (1, 1), Flag, Once, "gzip override_charset sendfile ssi"),
    row(HTTP | SERVER | LOCATION | IF_LOCATION, (1, 1), Rate, Once, "limit_rate limit_rate_after"),
    row(HTTP | SERVER | LOCATION | IF_LOCATION, (1, 2), Shape("<expires> | modified <age>"), Once, "expires"),
    row(HTTP | SERVER | LOCATION | IF_LOCATION, (2, 3), Shape("<any> <any> always?"), Often, "add_header add_trailer"),
    row(HTTP | SERVER | LOCATION | IF_LOCATION, (2, MANY), Any, Often, "error_page"),
    row(HTTP | SERVER | LOCATION | IF_LOCATION | EXCEPT, (1, MANY), LOG, Often, "access_log"),
    row(HTTP | SERVER | LOCATION | IF_SERVER | IF_LOCATION, (1, 1), Flag, Once, "rewrite_log uninitialized_variable_warn"),
    row(HTTP | SERVER | LOCATION | UPSTREAM, (1, 1), Time, Once, "resolver_timeout"),
    row(HTTP | SERVER | LOCATION | UPSTREAM, (1, MANY), Shape(": <place>! valid=<seconds> ipv6=on,off ipv4=on,off status_zone=<text>"), Once, "resolver"),
    row(SERVER, (1, MANY), LISTEN, Often, "listen"),
    row(SERVER, (1, MANY), Any, Often, "server_name"),
    row(SERVER | LOCATION, (0, 1), Any, Often, "stub_status"),
    row(SERVER | LOCATION, (1, 1), Number, Once, "referer_hash_bucket_size referer_hash_max_size"),
    row(SERVER | LOCATION, (1, 2), Block, Often, "location"),
    row(SERVER | LOCATION, (1, MANY), Block, Often, "if"),
    row(SERVER | LOCATION, (1, MANY), Shape("<referer>+"), Often, "valid_referers"),
    row(SERVER | LOCATION, (2, MANY), Any, Once, "try_files"),
    row(SERVER | LOCATION | IF_SERVER | IF_LOCATION, (0, 0), Any, Often, "break"),
    row(SERVER | LOCATION | IF_SERVER | IF_LOCATION, (1, 2), Any, Often, "return"),
    row(SERVER | LOCATION | IF_SERVER | IF_LOCATION, (2, 2), Any, Often, "set"),
    row(SERVER | LOCATION | IF_SERVER | IF_LOCATION, (2, 3), Any, Often, "rewrite"),
    row(LOCATION, (0, 0), Any, Often, "empty_gif flv mp4"),
    row(LOCATION, (0, 0), Any, Once, "internal"),
    row(LOCATION, (1, 1), Any, Once, "alias"),
    row(LOCATION, (1, 1), Flag, Once, "random_index"),
    row(LOCATION, (1, MANY), Block, Once, "limit_except"),
    row(LOCATION | IF_LOCATION, (1, 1), Any, Once, "fastcgi_pass grpc_pass memcached_pass scgi_pass uwsgi_pass"),
    row(LOCATION | IF_LOCATION | EXCEPT, (1, 1), Any, Once, "proxy_pass"),
    row(UPSTREAM, (0, 0), Any, Often, "ip_hash least_conn"),
    row(UPSTREAM | STREAM_UPSTREAM, (0, 2), Any, Often, "random"),
    row(UPSTREAM | STREAM_UPSTREAM, (1, 1), Any, Often, "state"),
    row(UPSTREAM, (1, 1), Number, Once, "keepalive_requests"),
    row(UPSTREAM, (1, 1), Positive, Once, "keepalive"),
    row(UPSTREAM, (1, 1), Time, Once, "keepalive_timeout"),
    row(UPSTREAM, (1, 1), Time, Once, "keepalive_time"),
    row(UPSTREAM | STREAM_UPSTREAM, (1, 2), Shape("<any> consistent?"), Often, "hash"),
    row(UPSTREAM | STREAM_UPSTREAM, (1, 2), Shape("<text> <pages>?"), Often, "zone"),
    row(UPSTREAM | STREAM_UPSTREAM, (1, MANY), Any, Often, "server"),
];
