//! Changes of nginx that no request of the model shows, or that once were none here: each is told.

use crate::cli::portcullis;
use crate::folder::folder;
use std::path::Path;

const ASK: &str = "proxy_pass http://10.0.0.1:80;";

/// The exit code of `diff` of two texts, and what it says.
pub(crate) fn compared(old: &str, new: &str) -> (u8, String) {
    let folders = (folder(&[("nginx.conf", old)]), folder(&[("nginx.conf", new)]));
    let path = |folder: &tempfile::TempDir| folder.path().join("nginx.conf").display().to_string();
    let ran = portcullis(Path::new("."), &[], &["diff", &path(&folders.0), &path(&folders.1)]);
    (ran.code, format!("{}{}", ran.out, ran.talk))
}

pub(crate) fn http(text: &str) -> String {
    format!("events {{}}\nhttp {{\n{}\n}}\n", text.replace("ASK", ASK))
}

pub(crate) fn server(text: &str) -> String {
    http(&format!("server {{ listen 80; {text} }}"))
}

#[track_caller]
pub(crate) fn all_differ(wrap: fn(&str) -> String, pairs: &[(&str, &str)]) {
    for (old, new) in pairs {
        let (code, said) = compared(&wrap(old), &wrap(new));
        assert_eq!(code, 1, "{old} -> {new}: {said}");
        let (code, said) = compared(&wrap(old), &wrap(&old.replace("; ", ";\n\t")));
        assert_eq!(code, 0, "{old}: {said}");
    }
}

#[test]
fn who_may_ask_is_what_nginx_asks_last() {
    all_differ(
        server,
        &[
            // Other methods are not of the location's own rules.
            ("location / { deny all; ASK }", "location / { deny all; limit_except GET { allow all; } ASK }"),
            ("location / { return 403; ASK }", "location / { rewrite ^/admin/ /x break; return 403; ASK }"),
            (
                "location / { rewrite ^/a /b break; if ($arg_x) { return 403; } ASK }",
                "location / { if ($arg_x) { return 403; } ASK }",
            ),
            (
                "auth_basic x; auth_request /auth; location / { ASK }",
                "auth_basic off; auth_request /auth; location / { ASK }",
            ),
            (
                "auth_basic x; auth_request /auth; location / { ASK }",
                "auth_basic x; auth_request off; location / { ASK }",
            ),
            (
                "auth_basic x; auth_request /auth; location / { auth_basic off; ASK }",
                "auth_basic x; auth_request /auth; location / { auth_basic off; auth_request off; ASK }",
            ),
            (
                "location / { satisfy any; auth_basic x; deny all; ASK }",
                "location / { satisfy any; auth_basic x; allow all; ASK }",
            ),
            (
                "location / { satisfy any; auth_basic x; ASK }",
                "location / { satisfy any; auth_basic x; allow 10.0.0.0/8; ASK }",
            ),
            (
                "location / { auth_request /auth; ASK } location = /auth { internal; proxy_pass http://10.0.0.9; }",
                "location / { auth_request /auth; ASK } location = /auth { internal; return 200; }",
            ),
            (
                "location / { auth_request /auth; ASK } location /au { internal; return 401; }",
                "location / { auth_request /auth; ASK } location /au { internal; return 401; } location ~ ^/auth { return 200; }",
            ),
            (
                "location / { try_files $uri @app; } location @app { ASK }",
                "location / { try_files $uri @app; if ($request_method = POST) { add_header X 1; } } location @app { ASK }",
            ),
            (
                "location / { try_files $uri @app; limit_except GET { allow all; } } location @app { ASK }",
                "location / { try_files $uri @app; } location @app { ASK }",
            ),
            (
                "if ($remote_addr = 192.0.2.1) { return 403; } location / { ASK }",
                "set_real_ip_from 10.0.0.0/8; if ($remote_addr = 192.0.2.1) { return 403; } location / { ASK }",
            ),
            (
                "if ($remote_addr = 192.0.2.1) { return 403; } location / { ASK }",
                "if ($remote_addr = 192.0.2.0/24) { return 403; } location / { ASK }",
            ),
        ],
    );
    // What nginx asks another method: POST is answered 404 by nginx, not 418.
    all_differ(
        server,
        &[
            ("location / { limit_except GET { allow all; } return 418; }", "location / { return 418; }"),
            (
                "location / { limit_except GET { allow all; } stub_status; }",
                "location / { limit_except GET { deny all; } stub_status; }",
            ),
            (
                "location / { limit_except GET { allow all; } if ($http_x) { return 418; } ASK }",
                "location / { if ($http_x) { return 418; } ASK }",
            ),
        ],
    );
    let believed = |from: &str, header: &str| {
        server(&format!(
            "set_real_ip_from {from}; real_ip_header {header}; allow 192.0.2.0/24; deny all; location / {{ ASK }}"
        ))
    };
    for (from, header) in [("0.0.0.0/0", "X-Real-IP"), ("10.0.0.0/8", "X-Forwarded-For")] {
        let (code, said) = compared(&believed("10.0.0.0/8", "X-Real-IP"), &believed(from, header));
        assert!(code == 1 && said.contains("newly served, possibly"), "{said}");
    }
    let stream = |from: &str| {
        format!(
            "events {{}}\nstream {{\n server {{\n listen 80 proxy_protocol;\n set_real_ip_from {from};\n allow 192.0.2.0/24;\n deny all;\n proxy_pass 10.0.0.1:80;\n }}\n}}\n"
        )
    };
    assert_eq!(compared(&stream("10.0.0.0/8"), &stream("0.0.0.0/0")).0, 1);
}

#[test]
fn a_variable_is_what_its_own_server_sets_in_order() {
    let two = |one: &str, other: &str| {
        http(&format!(
            "server {{ listen 80; server_name a; set $up http://{one}; location / {{ proxy_pass $up; }} }}\n\
             server {{ listen 80; server_name b; set $up http://{other}; location / {{ proxy_pass $up; }} }}"
        ))
    };
    let (code, said) = compared(&two("10.0.0.1:80", "10.0.0.2:80"), &two("10.0.0.2:80", "10.0.0.1:80"));
    assert!(code == 1 && said.contains("computed"), "{said}");
    all_differ(
        server,
        &[
            (
                "set $a 0; if ($http_x) { set $a 1; } if ($a) { return 403; } location / { ASK }",
                "if ($http_x) { set $a 1; } set $a 0; if ($a) { return 403; } location / { ASK }",
            ),
            (
                "set $a 1; if ($a) { return 403; } location / { ASK }",
                "if ($a) { return 403; } set $a 1; location / { ASK }",
            ),
            (
                "location /a { set $u 10.0.0.1; proxy_pass http://$u; } location /b { set $u 10.0.0.2; proxy_pass http://$u; }",
                "location /a { set $u 10.0.0.2; proxy_pass http://$u; } location /b { set $u 10.0.0.1; proxy_pass http://$u; }",
            ),
            (
                "location ~ ^/(?<t>[a-z]+)/x { proxy_pass http://$t.internal; }",
                "location ~ ^/[a-z](?<t>[a-z]*)/x { proxy_pass http://$t.internal; }",
            ),
            (
                "location ~ ^/([a-z]+)/x { proxy_pass http://$1.internal; }",
                "location ~ ^/[a-z]([a-z]*)/x { proxy_pass http://$1.internal; }",
            ),
            (
                r"server_name ~^(?<s>[a-z]+)\.x$; location / { proxy_pass http://$s.internal; }",
                r"server_name ~^[a-z](?<s>[a-z]*)\.x$; location / { proxy_pass http://$s.internal; }",
            ),
            (
                "rewrite ^/([a-z]+)$ https://$1/ redirect; location / { ASK }",
                "rewrite ^/[a-z]([a-z]*)$ https://$1/ redirect; location / { ASK }",
            ),
            (
                "valid_referers a.example; if ($invalid_referer) { return 403; } location / { ASK }",
                "valid_referers b.example; if ($invalid_referer) { return 403; } location / { ASK }",
            ),
        ],
    );
}

#[test]
fn what_is_not_modelled_is_told_where_it_stands() {
    all_differ(
        server,
        &[
            (
                "location /a { deny all; error_page 403 = @app; } location /b { deny all; } location @app { ASK }",
                "location /a { deny all; } location /b { deny all; error_page 403 = @app; } location @app { ASK }",
            ),
            (
                "location /a { deny all; error_page 403 = @app; } location @app { ASK }",
                "location /a { deny all; error_page 403 = @app; } location @app { proxy_pass http://10.0.0.2:80; }",
            ),
            (
                "location /a { deny all; error_page 403 = /in; } location /in { internal; ASK }",
                "location /a { deny all; error_page 403 = /in; } location /in { internal; return 200; }",
            ),
            ("location / { proxy_pass http://10.0.0.1/public/; }", "location / { proxy_pass http://10.0.0.1/admin/; }"),
            (
                "location / { rewrite ^/(.*) /public/$1 break; ASK }",
                "location / { rewrite ^/(.*) /admin/$1 break; ASK }",
            ),
            ("location / { proxy_pass https://10.0.0.1:80; }", "location / { ASK }"),
            ("location / { fastcgi_pass 10.0.0.1:80; }", "location / { ASK }"),
            ("location / { proxy_method GET; ASK }", "location / { ASK }"),
            (
                "location /a { proxy_method GET; ASK } location /b { ASK }",
                "location /a { ASK } location /b { proxy_method GET; ASK }",
            ),
            ("merge_slashes off; location / { ASK }", "location / { ASK }"),
            ("location / { limit_rate 9k; ASK }", "location / { ASK }"),
            ("location / { index a.html; }", "location / { index b.html; }"),
            (
                "location / { try_files $uri /i; } location /i { internal; alias /a/; }",
                "location / { try_files $uri /i; } location /i { internal; alias /b/; }",
            ),
        ],
    );
    let pages = "server { listen 80; location / { deny all; } location @app { ASK } }";
    all_differ(http, &[(pages, &format!("error_page 403 = @app; {pages}"))]);
    // What is in another order, and means the same.
    let (one, other) = ("location /a { proxy_method GET; ASK }", "location /b { proxy_http_version 1.1; ASK }");
    let (code, said) = compared(&server(&format!("{one} {other}")), &server(&format!("{other} {one}")));
    assert_eq!(code, 0, "{said}");
}

#[test]
fn of_servers_of_one_name_the_first_counts() {
    let two = |one: &str, other: &str| {
        let server = |text: &str| format!("server {{ listen 80; server_name a; {text} location / {{ ASK }} }}");
        http(&format!("server {{ listen 80 default_server; return 404; }} {} {}", server(one), server(other)))
    };
    let (one, other) = ("proxy_method GET;", "proxy_method POST;");
    let (code, said) = compared(&two(one, other), &two(other, one));
    assert_eq!(code, 1, "{said}");
}

#[test]
fn tls_is_told_by_server() {
    let two = |a: &str, b: &str| {
        http(&format!(
            "ssl_certificate c; ssl_certificate_key k; ssl_client_certificate a;\n\
             server {{ listen 443 ssl; server_name a; {a} return 204; }}\n\
             server {{ listen 443 ssl; server_name b; {b} return 204; }}"
        ))
    };
    for (one, other) in
        [("ssl_verify_client on;", ""), ("ssl_certificate d;", ""), ("ssl_certificate d;", "ssl_certificate e;")]
    {
        let (code, said) = compared(&two(one, other), &two(other, one));
        assert!(code == 1 && said.contains("its TLS settings differ"), "{one} {other}: {said}");
    }
    let around = |text: &str| {
        let beside = "ssl_certificate_key k; ssl_client_certificate a;";
        http(&format!("{beside} {text} server {{ listen 443 ssl; return 204; }}"))
    };
    let old = around("ssl_certificate c;");
    for (new, words) in [
        ("ssl_certificate c; ssl_verify_client on;", "its TLS settings differ"),
        ("ssl_certificate d;", "certificate d is new"),
    ] {
        let (code, said) = compared(&old, &around(new));
        assert!(code == 1 && said.contains(words), "{new}: {said}");
    }
}

#[test]
fn files_of_the_package_and_empty_folders_are_no_gap() {
    let codes = |files: &[(&str, &str)]| {
        let folder = folder(files);
        portcullis(folder.path(), &[], &["parse", "etc/nginx.conf"]).code
    };
    for name in [
        "fastcgi_params",
        "/etc/nginx/fastcgi.conf",
        "uwsgi_params",
        "scgi_params",
        "proxy_params",
        "koi-utf",
        "win-utf",
    ] {
        let text = server(&format!("include {name}; return 204;"));
        assert_eq!(codes(&[("etc/nginx.conf", &text)]), 0, "{name}");
    }
    assert_eq!(codes(&[("etc/nginx.conf", &server("include other_params; return 204;"))]), 3);
    let main =
        http("include /etc/nginx/mime.types; include /etc/nginx/conf.d/*.conf; server { listen 80; return 204; }");
    // A copy of the host's folder, and a file of which the rest is elsewhere.
    assert_eq!(codes(&[("etc/nginx.conf", &main), ("etc/mime.types", "types { text/html html; }\n")]), 0);
    assert_eq!(codes(&[("etc/nginx.conf", &main)]), 3);
    // What the package brings and the tree has is read.
    let main = server("location / { include fastcgi_params; fastcgi_pass 10.0.0.1:9000; }");
    let with = |text: &str| folder(&[("nginx.conf", &main), ("fastcgi_params", text)]);
    let (old, new) = (with("fastcgi_param REMOTE_USER $remote_user;\n"), with("fastcgi_param REMOTE_USER admin;\n"));
    let path = |folder: &tempfile::TempDir| folder.path().join("nginx.conf").display().to_string();
    assert_eq!(portcullis(Path::new("."), &[], &["diff", &path(&old), &path(&new)]).code, 1);
}

#[test]
fn locations_that_leave_nothing_over_leave_no_route() {
    let folder = folder(&[
        (
            "nginx.conf",
            &http(
                "upstream app { server 10.0.0.1:80; } server { listen 80; server_name a; location / { proxy_pass http://app; } }",
            ),
        ),
        (
            "portcullis.yaml",
            "version: 1\nconfigurations: {lb: {files: [nginx.conf]}}\nchecks: [{check: route-changes}]\n",
        ),
    ]);
    let ran = portcullis(folder.path(), &[], &["lint", "--path", "."]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.talk);
}

#[test]
fn a_setting_that_differs_is_named() {
    let listens = |text: &str| format!("{text} location / {{ ASK }}");
    let told = |old: &str, new: &str| compared(&server(&listens(old)), &server(&listens(new))).1;
    let said = told("proxy_read_timeout 5s;", "proxy_read_timeout 7s;");
    assert!(said.contains("other settings differ: proxy_read_timeout 5s is 7s now"), "{said}");
    let said = told("proxy_set_header Authorization one;", "proxy_set_header Authorization two;");
    let named = "other settings differ: proxy_set_header Authorization has another value";
    assert!(said.contains(named) && !said.contains("two now"), "{said}");
    let tls = |text: &str| http(&format!("server {{ listen 443 ssl; ssl_certificate c; {text} return 204; }}"));
    let said = compared(&tls("ssl_protocols TLSv1.2;"), &tls("ssl_protocols TLSv1.3;")).1;
    assert!(said.contains("its TLS settings differ: ssl_protocols TLSv1.2 is TLSv1.3 now"), "{said}");
    let proxy = |text: &str| {
        format!(
            "defaults\n mode http\nfrontend f\n bind :80\n {text}\n default_backend b\nbackend b\n server s 10.0.0.1:80\n"
        )
    };
    let (old, new) = (
        folder(&[("haproxy.cfg", &proxy("timeout client 5s"))]),
        folder(&[("haproxy.cfg", &proxy("timeout client 9s"))]),
    );
    let path = |folder: &tempfile::TempDir| folder.path().join("haproxy.cfg").display().to_string();
    let said = portcullis(Path::new("."), &[], &["diff", &path(&old), &path(&new)]).out;
    assert!(said.contains("other settings differ: timeout client 5000ms is 9000ms now"), "{said}");
}
