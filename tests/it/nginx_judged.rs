//! Changes of nginx that were served and are none in a text of the model, or the other way round; and what `nginx -t` refuses.

use crate::cli::portcullis;
use crate::folder::folder;
use crate::nginx_changes::{all_differ, compared, http, server};

#[track_caller]
fn all_equal(wrap: fn(&str) -> String, pairs: &[(&str, &str)]) {
    for (old, new) in pairs {
        let (code, said) = compared(&wrap(old), &wrap(new));
        assert_eq!(code, 0, "{old} -> {new}: {said}");
    }
}

fn stream(text: &str) -> String {
    format!("events {{}}\nstream {{\n{text}\n}}\n")
}

#[test]
fn what_is_spoken_at_a_socket_is_told() {
    all_differ(
        http,
        &[
            ("server { listen 80; location / { ASK } }", "server { listen 80 http2; location / { ASK } }"),
            ("server { listen 80; location / { ASK } }", "server { listen 80; http2 on; location / { ASK } }"),
            ("server { listen 80; location / { ASK } }", "server { listen 80 proxy_protocol; location / { ASK } }"),
            (
                "server { listen 80; server_name a; location / { ASK } } server { listen 80; server_name b; location / { ASK } }",
                "server { listen 80; server_name a; location / { ASK } } server { listen 80 http2; server_name b; location / { ASK } }",
            ),
        ],
    );
}

#[test]
fn what_limits_count_by_and_how_fast_is_part_of_them() {
    let limited = |text: &str| {
        let server = "server { listen 80; location / { limit_req zone=z; limit_conn c 1; ASK } }";
        http(&format!("map $http_x $m {{ default $host; }} {text} {server}"))
    };
    let old = "limit_req_zone $m zone=z:1m rate=9r/s; limit_conn_zone $binary_remote_addr zone=c:1m;";
    assert_eq!(compared(&limited(old), &limited(&old.replace("; ", ";\n"))).0, 0);
    for (from, to) in [("9r/s", "1r/m"), ("$m zone", "$uri zone"), ("$binary_remote_addr", "$host")] {
        let (code, said) = compared(&limited(old), &limited(&old.replace(from, to)));
        assert!(code == 1 && said.contains("location /: limit_"), "{from} -> {to}: {said}");
    }
    let (code, said) = compared(&limited(old), &limited(old).replace("default $host", "default a"));
    assert_eq!(code, 1, "the map: {said}");
    all_differ(
        stream,
        &[
            (
                "limit_conn_zone $remote_addr zone=z:1m; server { listen 81; limit_conn z 1; proxy_pass 10.0.0.1:80; }",
                "limit_conn_zone $server_port zone=z:1m; server { listen 81; limit_conn z 1; proxy_pass 10.0.0.1:80; }",
            ),
            (
                "server { listen 81; ssl_preread on; proxy_pass 10.0.0.1:80; }",
                "server { listen 81; ssl_preread on; preread_buffer_size 64; proxy_pass 10.0.0.1:80; }",
            ),
            (
                "server { listen 81; ssl_preread on; preread_timeout 9s; proxy_pass 10.0.0.1:80; }",
                "server { listen 81; ssl_preread on; preread_timeout 1s; proxy_pass 10.0.0.1:80; }",
            ),
        ],
    );
}

#[test]
fn a_redirect_for_ever_is_no_redirect_for_now() {
    all_differ(
        server,
        &[
            ("rewrite ^/old /new permanent; location / { ASK }", "rewrite ^/old /new redirect; location / { ASK }"),
            ("rewrite ^/old http://a/ permanent; location / { ASK }", "rewrite ^/old http://a/; location / { ASK }"),
        ],
    );
    all_equal(server, &[("return http://a/;", "return 302 http://a/;")]);
}

#[test]
fn the_name_of_a_group_is_told_where_servers_get_it() {
    let group = |text: &str| {
        http(&format!(
            "upstream GROUP {{ server 10.0.0.1:80; server 10.0.0.2:80; }} server {{ listen 80; {text} location / {{ proxy_pass SCHEME://GROUP; }} }}"
        ))
    };
    let renamed = |text: &str, scheme: &str| {
        let text = group(text).replace("SCHEME", scheme);
        compared(&text.replace("GROUP", "one"), &text.replace("GROUP", "two"))
    };
    for (text, scheme, code) in [
        ("", "http", 1),
        ("proxy_set_header X a;", "http", 1),
        ("proxy_set_header Host $proxy_host;", "http", 1),
        ("proxy_set_header Host $host;", "http", 0),
        ("proxy_set_header host a.example;", "https", 0),
        ("proxy_set_header Host $host; proxy_ssl_server_name on;", "https", 1),
        ("proxy_set_header Host $host; proxy_ssl_server_name on; proxy_ssl_name $host;", "https", 0),
        ("proxy_set_header Host $host; proxy_ssl_verify on;", "https", 1),
        ("proxy_set_header Host $host; add_header X $proxy_host;", "http", 1),
    ] {
        let (told, said) = renamed(text, scheme);
        assert_eq!(told, code, "{text} {scheme}: {said}");
    }
    let php = |name: &str| {
        http(&format!(
            "upstream {name} {{ server 10.0.0.1:9000; }} server {{ listen 80; location / {{ fastcgi_pass {name}; }} }}"
        ))
    };
    assert_eq!(compared(&php("one"), &php("two")).0, 0);
}

#[test]
fn the_order_of_servers_is_told_where_it_decides() {
    let group = |method: &str, servers: [&str; 2]| {
        let servers = servers.map(|address| format!("server {address}:80;")).concat();
        http(&format!(
            "upstream u {{ {method} {servers} }} server {{ listen 80; location / {{ proxy_pass http://u; }} }}"
        ))
    };
    for (method, code) in
        [("hash $uri;", 1), ("ip_hash;", 1), ("hash $uri consistent;", 0), ("random;", 0), ("least_conn;", 0), ("", 0)]
    {
        let (one, other) = (group(method, ["10.0.0.1", "10.0.0.2"]), group(method, ["10.0.0.2", "10.0.0.1"]));
        let (told, said) = compared(&one, &other);
        assert_eq!(told, code, "{method}: {said}");
    }
}

#[test]
fn a_setting_is_the_same_wherever_it_is_said() {
    let around =
        |outer: &str, inner: &str| http(&format!("{outer} server {{ listen 80; {inner} location / {{ ASK }} }}"));
    let timeout = "proxy_connect_timeout 5s;";
    assert_eq!(compared(&around(timeout, ""), &around("", timeout)).0, 0);
    assert_eq!(compared(&around(timeout, ""), &around("proxy_connect_timeout 9s;", timeout)).0, 0);
    assert_eq!(compared(&around(timeout, ""), &around(timeout, "proxy_connect_timeout 9s;")).0, 1);
    // All headers are said anew where one is.
    let (one, other) = ("proxy_set_header A a;", "proxy_set_header B b;");
    assert_eq!(compared(&around(&format!("{one} {other}"), ""), &around(one, other)).0, 1);
    // Of a variable it is what each server makes of it.
    let two = |a: &str, b: &str| {
        let server = |name: &str, value: &str| {
            format!("server {{ listen 80; server_name {name}; set $x {value}; location / {{ ASK }} }}")
        };
        http(&format!("proxy_set_header X $x; {} {}", server("a", a), server("b", b)))
    };
    assert_eq!(compared(&two("1", "2"), &two("2", "1")).0, 1);
    let mapped = |entries: &str| {
        http(&format!(
            "map $uri $x {{ {entries} }} server {{ listen 80; if ($x) {{ return 403; }} location / {{ ASK }} }}"
        ))
    };
    assert_eq!(compared(&mapped("/a 1; /b 0; default 1;"), &mapped("default 1; /b 0; /a 1;")).0, 0);
    assert_eq!(compared(&mapped("~a 1; ~b 0;"), &mapped("~b 0; ~a 1;")).0, 1);
    assert_eq!(compared(&mapped("/a 1; /b 0;"), &mapped("/a 0; /b 1;")).0, 1);
}

#[test]
fn what_nginx_reads_is_read() {
    let linted = |files: &[(&str, &str)], path: &str| {
        let folder = folder(files);
        let ran = portcullis(folder.path(), &[], &["lint", "--path", path]);
        (ran.code, format!("{}{}", ran.out, ran.talk))
    };
    for (name, text) in [
        ("nginx.conf", "events {} http { server { listen 80; return 200; } }\n"),
        ("nginx.conf", "events {} http { }\n"),
        ("site.conf", "server { listen 80; server_name a; return 200; }\n"),
        ("nginx.conf", &*server("location / { limit_except get { deny all; } ASK }")),
        (
            "nginx.conf",
            &*server("location / { try_files $uri @a; } location @a { return 200; } location @a { return 201; }"),
        ),
        ("nginx.conf", &*http("include none*.conf; server { listen 80; return 200; }")),
    ] {
        let (code, said) = linted(&[(name, text)], name);
        assert_eq!(code, 0, "{text}: {said}");
    }
    let (main, site) = (http("include sites/*.conf;"), "server { listen 80; foo_bar 1; }\n");
    let (code, said) = linted(&[("nginx.conf", &main), ("sites/a.conf", site)], "nginx.conf");
    assert!(code == 3 && said.contains("foo_bar"), "{said}");
    all_equal(
        server,
        &[(
            "location / { limit_except GET { deny all; } ASK }",
            "location / { limit_except get head { deny all; } ASK }",
        )],
    );
    let named = |one: u16, other: u16| {
        format!("location / {{ try_files $uri @a; }} location @a {{ return {one}; }} location @a {{ return {other}; }}")
    };
    assert_eq!(compared(&server(&named(403, 404)), &server(&named(404, 403))).0, 1);
}
