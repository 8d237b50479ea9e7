//! Changes of Envoy that no request of the model shows: each is told.

use crate::cli::portcullis;
use crate::folder::folder;
use std::path::Path;

/// A configuration with something more in the connection manager, before its router, in its routes, a route and a cluster.
fn envoy([manager, filter, routing, route, cluster]: [&str; 5]) -> String {
    format!(
        r#"{{"static_resources": {{
  "listeners": [{{"name": "l", "address": {{"socket_address": {{"address": "0.0.0.0", "port_value": 80}}}}, "filter_chains": [{{"filters": [
    {{"name": "envoy.filters.network.http_connection_manager", "typed_config": {{
      "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
      "stat_prefix": "x", {manager}
      "route_config": {{{routing} "virtual_hosts": [{{"name": "v", "domains": ["*"], "routes": [
        {{"match": {{"prefix": "/"}}, {route} "route": {{"cluster": "a"}}}}]}}]}},
      "http_filters": [{filter} {{"name": "envoy.filters.http.router", "typed_config": {{"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"}}}}]}}}}]}}]}}],
  "clusters": [{{"name": "a", {cluster} "type": "STATIC", "load_assignment": {{"cluster_name": "a", "endpoints": [{{"lb_endpoints": [
    {{"endpoint": {{"address": {{"socket_address": {{"address": "10.0.0.1", "port_value": 80}}}}}}}}]}}]}}}}]}}}}
"#
    )
}

fn compared(old: &str, new: &str) -> (u8, String) {
    let folders = (folder(&[("envoy.json", old)]), folder(&[("envoy.json", new)]));
    let path = |folder: &tempfile::TempDir| folder.path().join("envoy.json").display().to_string();
    let ran = portcullis(Path::new("."), &[], &["diff", &path(&folders.0), &path(&folders.1)]);
    (ran.code, format!("{}{}", ran.out, ran.talk))
}

#[test]
fn what_decides_whether_requests_are_served_and_what_servers_see_is_told() {
    let plain = envoy([""; 5]);
    assert_eq!(compared(&plain, &plain).0, 0);
    let limit = r#"{"name": "envoy.filters.http.local_ratelimit", "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit", "stat_prefix": "l", "token_bucket": {"max_tokens": 1, "fill_interval": "1s"}}},"#;
    let slower = limit.replace("\"1s\"", "\"3600s\"");
    let headers = r#""request_headers_to_add": [{"header": {"key": "x-user", "value": "admin"}}],"#;
    for (at, more) in [
        (0, r#""codec_type": "HTTP2","#),
        (0, r#""common_http_protocol_options": {"headers_with_underscores_action": "REJECT_REQUEST"},"#),
        (1, limit),
        (2, headers),
        (2, r#""request_headers_to_remove": ["authorization"],"#),
        (3, headers),
        (4, r#""circuit_breakers": {"thresholds": [{"max_requests": 0}]},"#),
        (4, r#""http2_protocol_options": {},"#),
    ] {
        let mut parts = [""; 5];
        parts[at] = more;
        let (code, said) = compared(&plain, &envoy(parts));
        assert_eq!(code, 1, "{more}: {said}");
    }
    let (code, said) = compared(&envoy(["", limit, "", "", ""]), &envoy(["", &slower, "", "", ""]));
    assert_eq!(code, 1, "{said}");
}
