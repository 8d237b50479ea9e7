//! Which directives nginx has in `stream`: those of 1.22, and what nginx.org says of later ones.

use super::directives::Form::{Any, Block, Flag, Number, Rate, Shape, Size, Time, Words};
use super::directives::Repeat::{Often, Once};
use super::directives::{LEVELS, LISTEN, LOG, MANY, Row, STREAM, STREAM_SERVER, STREAM_UPSTREAM, row};

#[rustfmt::skip]
pub(super) const ROWS: &[Row] = &[
    row(STREAM, (0, 0), Block, Often, "server"),
    row(STREAM, (1, 1), Block, Often, "upstream"),
    row(STREAM, (1, 2), Block, Often, "geo"),
    row(STREAM, (2, 2), Block, Often, "map split_clients"),
    row(STREAM, (1, 1), Number, Once, "map_hash_bucket_size map_hash_max_size server_names_hash_bucket_size \
         server_names_hash_max_size variables_hash_bucket_size variables_hash_max_size"),
    row(STREAM, (2, 2), Shape("<any> : zone=<zone>!"), Often, "limit_conn_zone"),
    row(STREAM, (2, MANY), Shape("<any> <escape> <any>*"), Often, "log_format"),
    row(STREAM | STREAM_SERVER, (1, 1), Any, Often, "allow deny ssl_certificate ssl_certificate_key ssl_session_ticket_key"),
    row(STREAM | STREAM_SERVER, (1, 1), Shape("<host>"), Often, "set_real_ip_from"),
    row(STREAM | STREAM_SERVER, (1, 1), Any, Once, "proxy_ssl_certificate proxy_ssl_certificate_key \
         proxy_ssl_ciphers proxy_ssl_crl proxy_ssl_name proxy_ssl_password_file proxy_ssl_trusted_certificate \
         ssl_ciphers ssl_client_certificate ssl_crl ssl_dhparam ssl_ecdh_curve ssl_ocsp ssl_ocsp_cache ssl_ocsp_responder \
         ssl_password_file ssl_stapling_file ssl_stapling_responder ssl_trusted_certificate"),
    row(STREAM | STREAM_SERVER, (1, 1), Flag, Once, "limit_conn_dry_run proxy_half_close proxy_next_upstream proxy_protocol \
         proxy_socket_keepalive proxy_ssl proxy_ssl_server_name proxy_ssl_session_reuse proxy_ssl_verify ssl_preread \
         ssl_prefer_server_ciphers ssl_reject_handshake ssl_session_tickets ssl_stapling ssl_stapling_verify tcp_nodelay"),
    row(STREAM | STREAM_SERVER, (1, 1), Number, Once, "proxy_next_upstream_tries proxy_requests proxy_responses \
         proxy_ssl_verify_depth ssl_verify_depth"),
    row(STREAM | STREAM_SERVER, (1, 1), Rate, Once, "proxy_download_rate proxy_upload_rate"),
    row(STREAM | STREAM_SERVER, (1, 1), Size, Once, "preread_buffer_size proxy_buffer_size"),
    row(STREAM | STREAM_SERVER, (1, 1), Time, Once, "preread_timeout proxy_connect_timeout proxy_next_upstream_timeout \
         proxy_protocol_timeout proxy_timeout resolver_timeout ssl_handshake_timeout"),
    row(STREAM | STREAM_SERVER, (1, 1), Shape("<seconds>"), Once, "ssl_session_timeout"),
    row(STREAM | STREAM_SERVER, (1, 1), Words(&["info", "notice", "warn", "error"]), Once, "limit_conn_log_level"),
    row(STREAM | STREAM_SERVER, (1, 1), Words(&["off", "on", "optional", "optional_no_ca"]), Once, "ssl_verify_client"),
    row(STREAM | STREAM_SERVER, (1, 2), Any, Once, "proxy_bind"),
    row(STREAM | STREAM_SERVER, (1, 2), Shape("<sessions>+"), Often, "ssl_session_cache"),
    row(STREAM | STREAM_SERVER, (1, 4), Any, Once, "open_log_file_cache"),
    row(STREAM | STREAM_SERVER, (1, MANY), LEVELS, Often, "error_log"),
    row(STREAM | STREAM_SERVER, (1, MANY), LOG, Often, "access_log"),
    row(STREAM | STREAM_SERVER, (1, MANY), Any, Once, "ssl_alpn"),
    row(STREAM | STREAM_SERVER, (1, MANY), Words(&["SSLv2", "SSLv3", "TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"]), Often, "proxy_ssl_protocols ssl_protocols"),
    row(STREAM | STREAM_SERVER, (2, 2), Any, Often, "proxy_ssl_conf_command ssl_conf_command"),
    row(STREAM | STREAM_SERVER, (2, 2), Shape("<any> <1..65535>"), Often, "limit_conn"),
    row(STREAM | STREAM_SERVER | STREAM_UPSTREAM, (1, MANY), Shape(": <place>! valid=<seconds> ipv6=on,off ipv4=on,off status_zone=<text>"), Once, "resolver"),
    row(STREAM_SERVER, (1, 1), Any, Once, "pass proxy_pass return"),
    row(STREAM_SERVER, (1, MANY), LISTEN, Often, "listen"),
    row(STREAM_SERVER, (1, MANY), Any, Often, "server_name"),
    row(STREAM_SERVER, (2, 2), Any, Often, "set"),
    row(STREAM_UPSTREAM, (0, 0), Any, Often, "least_conn"),
    row(STREAM_UPSTREAM, (1, 1), Time, Once, "resolver_timeout"),
];
