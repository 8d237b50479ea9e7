//! Paths of requests: conditions see what the balancer makes of them, and what is printed can be sent.

use crate::cli::portcullis;
use crate::folder::folder;
use std::path::Path;

/// What becomes of requests, and the conditions that the file does not decide.
fn traced(name: &str, text: &str, request: &str) -> (String, Vec<String>) {
    let folder = folder(&[(name, text)]);
    let ran = portcullis(folder.path(), &[], &["trace", name, request, "--output", "json"]);
    let walk: serde_json::Value = serde_json::from_str(&ran.out).expect(&ran.talk);
    let side = &walk["sides"][0];
    let unknown = side["unknown"].as_array().expect("a list").iter();
    (
        side["outcome"].as_str().expect("an outcome").to_owned(),
        unknown.map(|text| text.as_str().expect("text").to_owned()).collect(),
    )
}

fn outcome(name: &str, text: &str, request: &str) -> String {
    traced(name, text, request).0
}

/// The exit code of `diff`, and its witnesses.
fn compared(name: &str, old: &str, new: &str) -> (u8, Vec<String>) {
    let (old, new) = (folder(&[(name, old)]), folder(&[(name, new)]));
    let path = |folder: &tempfile::TempDir| folder.path().join(name).display().to_string();
    let ran = portcullis(Path::new("."), &[], &["diff", &path(&old), &path(&new), "--output", "json"]);
    let report: serde_json::Value = serde_json::from_str(&ran.out).expect(&ran.talk);
    let balancers = report["configurations"][0]["balancers"].as_array().cloned().unwrap_or_default();
    let requests = balancers.iter().flat_map(|listener| listener["requests"].as_array().cloned().unwrap_or_default());
    (ran.code, requests.map(|request| request["witness"].as_str().expect("text").to_owned()).collect())
}

fn nginx(text: &str) -> String {
    format!("events {{}}\nhttp {{ {text} }}\n")
}

const SERVER: &str = "server { listen 80; location / { return 404; } location /b/c { proxy_pass http://10.0.0.1; } \
                      location //a { return 402; } if ($request_uri ~ x) { return 403; } }";

#[test]
fn nginx_sees_a_path_decoded_and_resolved() {
    let asked = |path: &str| outcome("nginx.conf", &nginx(SERVER), &format!("GET http://host{path}"));
    for path in ["/b/c", "//a/../b%2Fc", "/%62//c", "/b/./c?x", "/a/%2e%2e/b/c#d"] {
        assert_eq!(asked(path), "goes to backend 10.0.0.1:80", "{path}");
    }
    assert_eq!(asked("//a"), "is refused (404)");
    assert_eq!(asked("/b/../.."), "is refused (400: the path leads above the root)");
    assert_eq!(asked("/b/c%00"), "is refused (400: %00 in the path)");
    let apart = nginx(&format!("merge_slashes off; {SERVER}"));
    assert_eq!(outcome("nginx.conf", &apart, "GET http://host//a/../b%2Fc"), "is refused (404)");
    assert_eq!(outcome("nginx.conf", &apart, "GET http://host//a/b"), "is refused (402)");
    // The default server says it for those whose names come with the headers.
    let other = nginx(&format!(
        "{SERVER} server {{ listen 80; server_name b; merge_slashes off; location //a {{ return 402; }} }}"
    ));
    assert_eq!(outcome("nginx.conf", &other, "GET http://b//a"), "is answered (files)");
    let folder = folder(&[("nginx.conf", &nginx(SERVER))]);
    let ran = portcullis(folder.path(), &[], &["trace", "nginx.conf", "GET http://host//a/../b%2Fc"]);
    assert!(ran.out.contains("the path is read as /b/c"), "{}", ran.out);
    // What is sent is another text.
    let (_, unknown) = traced("nginx.conf", &nginx(SERVER), "GET http://host/b/c");
    assert_eq!(unknown, ["$request_uri ~ x"]);
}

#[test]
fn an_ingress_sees_a_path_as_its_controller_does() {
    let ingress = |class: &str| {
        format!(
            "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {{name: web, namespace: default}}\nspec:\n  ingressClassName: {class}\n  \
             rules:\n  - host: h\n    http:\n      paths:\n      \
             - {{path: /b, pathType: Prefix, backend: {{service: {{name: b, port: {{number: 80}}}}}}}}\n      \
             - {{path: /, pathType: Prefix, backend: {{service: {{name: d, port: {{number: 80}}}}}}}}\n"
        )
    };
    let asked = |class: &str| outcome("i.yaml", &ingress(class), "GET http://h//a/../b%2Fc");
    assert_eq!(
        (asked("nginx").as_str(), asked("other").as_str()),
        ("goes to backend default/b:80", "goes to backend default/d:80")
    );
}

#[test]
fn haproxy_sees_a_path_as_it_is_sent() {
    let text = "frontend f\n mode http\n bind :80\n use_backend b if { path_beg /b }\n default_backend d\n\
                backend b\n mode http\n server s 10.0.0.1:80\nbackend d\n mode http\n server s 10.0.0.2:80\n";
    let asked = |path: &str| outcome("haproxy.cfg", text, &format!("GET http://host{path}"));
    assert_eq!(asked("/b%2Fc"), "goes to backend b");
    for path in ["//b", "/a/../b", "/%62"] {
        assert_eq!(asked(path), "goes to backend d", "{path}");
    }
}

#[test]
fn envoy_sees_a_path_as_its_manager_says() {
    let manager = |options: &str| {
        format!(
            "static_resources:\n  listeners:\n  - name: l\n    address: {{socket_address: {{address: 0.0.0.0, port_value: 80}}}}\n    \
             filter_chains:\n    - filters:\n      - name: envoy.filters.network.http_connection_manager\n        typed_config:\n          \
             '@type': type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager\n          \
             stat_prefix: x\n{options}          route_config: {{virtual_hosts: [{{name: h, domains: ['*'], routes: [\
             {{match: {{prefix: /b/c}}, route: {{cluster: b}}}}]}}]}}\n          \
             http_filters: [{{name: envoy.filters.http.router}}]\n  clusters:\n  - {{name: b, connect_timeout: 1s, type: STATIC, \
             load_assignment: {{cluster_name: b, endpoints: [{{lb_endpoints: [{{endpoint: {{address: {{socket_address: \
             {{address: 10.0.0.1, port_value: 80}}}}}}}}]}}]}}}}\n"
        )
    };
    let asked = |options: &str, path: &str| outcome("envoy.yaml", &manager(options), &format!("GET http://host{path}"));
    let nowhere = "is refused (404: no route)";
    assert_eq!(asked("", "/a/../b/c"), nowhere);
    let resolved = "          normalize_path: true\n";
    assert_eq!(asked(resolved, "/a/../b/%63"), "goes to backend b");
    assert_eq!(asked(resolved, "/b//c"), nowhere);
    let all = format!("{resolved}          merge_slashes: true\n          path_with_escaped_slashes_action: ");
    assert_eq!(asked(&format!("{all}UNESCAPE_AND_FORWARD\n"), "/b%2F/c"), "goes to backend b");
    assert_eq!(asked(&format!("{all}UNESCAPE_AND_REDIRECT\n"), "/b%2Fc"), "is answered (redirect 307 to /b/c)");
    assert_eq!(asked(&format!("{all}REJECT_REQUEST\n"), "/b%2Fc"), "is refused (400: %2F or %5C in the path)");
}

#[test]
fn a_witness_is_a_request_that_can_be_sent() {
    let server =
        |text: &str| nginx(&format!("server {{ listen 80; location / {{ proxy_pass http://10.0.0.1; }} {text} }}"));
    let refused = server("location ~ '^/a b[?]%$' { return 403; }");
    let (code, witnesses) = compared("nginx.conf", &server(""), &refused);
    assert_eq!(
        (code, &witnesses[..]),
        (1, &["GET http://www.example.com/a%20b%3F%25 from 203.0.113.9 via :80".to_owned()][..])
    );
    assert_eq!(outcome("nginx.conf", &refused, &witnesses[0]), "is refused (403)");
    assert_eq!(outcome("nginx.conf", &server(""), &witnesses[0]), "goes to backend 10.0.0.1:80");
    // No path has that once it is resolved.
    for never in
        ["location ~ // { return 403; }", "location ~ '/[.]{1,2}/' { return 403; }", "location = /.. { return 403; }"]
    {
        assert_eq!(compared("nginx.conf", &server(""), &server(never)), (0, Vec::new()), "{never}");
    }
    let apart = |text: &str| server(&format!("merge_slashes off; {text}"));
    let (code, witnesses) = compared("nginx.conf", &apart(""), &apart("location ~ // { return 403; }"));
    assert_eq!((code, &witnesses[..]), (1, &["GET http://www.example.com// from 203.0.113.9 via :80".to_owned()][..]));
}
