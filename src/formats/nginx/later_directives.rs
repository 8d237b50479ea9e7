//! Directives of nginx that came after 1.22, and those of the commercial version: no test asks a program that has them.

use super::directives::Form::{Any, Flag, Number, Size, Time};
use super::directives::Repeat::{Often, Once};
use super::directives::{HTTP, IF_LOCATION, LOCATION, MAIN, MANY, Row, SERVER, STREAM, STREAM_SERVER, row};

#[rustfmt::skip]
pub(super) const ROWS: &[Row] = &[
    row(MAIN, (1, 1), Flag, Once, "quic_bpf ssl_object_cache_inheritable"),
    row(HTTP | SERVER, (1, 1), Flag, Once, "http2 http3 http3_hq quic_gso quic_retry"),
    row(HTTP | SERVER, (1, 1), Number, Once, "http3_max_concurrent_streams max_headers quic_active_connection_id_limit"),
    row(HTTP | SERVER, (1, 1), Size, Once, "http3_stream_buffer_size"),
    row(HTTP | SERVER, (1, 1), Any, Once, "quic_host_key"),
    row(HTTP | SERVER | STREAM | STREAM_SERVER, (1, 1), Any, Often, "ssl_ech_file"),
    row(HTTP | SERVER | STREAM | STREAM_SERVER, (1, 1), Any, Once, "ssl_key_log"),
    row(HTTP | SERVER | STREAM | STREAM_SERVER, (1, 3), Any, Once, "ssl_certificate_cache"),
    row(HTTP | SERVER | STREAM | STREAM_SERVER, (1, MANY), Any, Once, "ssl_certificate_compression"),
    row(HTTP | SERVER | LOCATION, (1, 1), Flag, Once, "grpc_pass_trailers proxy_pass_trailers"),
    row(HTTP | SERVER | LOCATION, (1, 1), Time, Once, "keepalive_min_timeout"),
    row(HTTP | SERVER | LOCATION, (1, 1), Any, Once, "grpc_ssl_key_log uwsgi_ssl_key_log"),
    row(HTTP | SERVER | LOCATION, (1, 3), Any, Once, "grpc_ssl_certificate_cache uwsgi_ssl_certificate_cache"),
    row(HTTP | SERVER | LOCATION, (1, MANY), Any, Often, "early_hints fastcgi_allow_upstream fastcgi_bind_dynamic \
         fastcgi_cache_purge fastcgi_request_dynamic grpc_allow_upstream grpc_bind_dynamic grpc_request_dynamic \
         memcached_allow_upstream memcached_bind_dynamic memcached_request_dynamic mp4_limit_rate mp4_limit_rate_after \
         proxy_allow_upstream proxy_bind_dynamic proxy_cache_purge proxy_request_dynamic scgi_allow_upstream \
         scgi_bind_dynamic scgi_cache_purge scgi_request_dynamic uwsgi_allow_upstream uwsgi_bind_dynamic uwsgi_cache_purge \
         uwsgi_request_dynamic"),
    row(HTTP | SERVER | LOCATION | IF_LOCATION, (1, 1), Any, Once, "add_header_inherit add_trailer_inherit"),
    row(HTTP | SERVER | LOCATION | STREAM | STREAM_SERVER, (1, 1), Any, Once, "proxy_ssl_key_log"),
    row(HTTP | SERVER | LOCATION | STREAM | STREAM_SERVER, (1, 3), Any, Once, "proxy_ssl_certificate_cache"),
    row(STREAM | STREAM_SERVER, (1, 1), Flag, Once, "proxy_session_drop"),
];
