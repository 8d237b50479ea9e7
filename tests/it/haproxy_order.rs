//! HAProxy: where rules stand among others, and what is asked of servers, is compared.

use crate::cli::portcullis;
use crate::folder::folder;
use std::path::Path;

/// The exit code of `diff` of two texts, and what it says.
fn compared(old: &str, new: &str) -> (u8, String) {
    let with = |text| folder(&[("haproxy.cfg", text), ("m.map", "/a x\n"), ("paths.acl", "/a\n")]);
    let folders = (with(old), with(new));
    let path = |folder: &tempfile::TempDir| folder.path().join("haproxy.cfg").display().to_string();
    let ran = portcullis(Path::new("."), &[], &["diff", &path(&folders.0), &path(&folders.1)]);
    (ran.code, format!("{}{}", ran.out, ran.talk))
}

/// Rules of a frontend; ` / ` stands between lines.
fn front(rules: &str) -> String {
    let rules = rules.replace(" / ", "\n ");
    format!(
        "frontend f\n mode http\n bind :80\n stick-table type ip size 1k\n {rules}\n default_backend b\nbackend b\n mode http\n server s1 10.0.0.1:80\n"
    )
}

/// Lines of a backend.
fn back(lines: &str) -> String {
    let lines = lines.replace(" / ", "\n ");
    format!(
        "frontend f\n mode http\n bind :80\n default_backend b\nbackend c\n mode http\n server s1 10.0.0.3:80\nbackend b\n mode http\n {lines}\n"
    )
}

#[track_caller]
fn all(code: u8, wrap: fn(&str) -> String, pairs: &[(&str, &str)]) {
    for (old, new) in pairs {
        let (said, text) = compared(&wrap(old), &wrap(new));
        assert_eq!(said, code, "{old} -> {new}: {text}");
        assert_eq!(compared(&wrap(old), &wrap(old)).0, 0, "{old}");
    }
}

const SWAPPED: &[&str] = &[
    "http-request deny if { sc0_http_req_rate gt 2 } / http-request track-sc0 src table f",
    "tcp-request content reject if { sc0_conn_rate gt 2 } / tcp-request content track-sc0 src table f",
    "http-request allow if { path /a } / http-request track-sc0 src table f / http-request deny if { sc0_http_req_rate gt 2 }",
    "http-request deny if { path /a } / http-request track-sc0 src table f / http-request deny if { src_http_req_rate(f) gt 2 }",
    "http-request deny if { sc0_get_gpc0 gt 1 } / http-request sc-inc-gpc0(0)",
    "http-request deny if { sc0_get_gpt0 gt 1 } / http-request sc-set-gpt0(0) 5",
    "http-request deny if { path /a } { sc0_inc_gpc0 gt 9 } / http-request deny if { sc0_get_gpc0 gt 5 }",
    "http-request allow if { path /a } / http-request set-header X a",
    "http-request allow if { path /a } / http-request set-var(txn.a) str(x)",
    "http-request deny if { req.hdr(x) a } / http-request del-header x",
    "http-request deny if { path,map(m.map) -m found } / http-request set-map(m.map) %[path] x",
    "http-request deny if { path -f paths.acl } / http-request add-acl(paths.acl) %[src]",
    "http-request deny if { capture.req.hdr(0) a } / http-request capture req.hdr(x) len 10",
    "http-request redirect prefix https://x if { src 10.0.0.1 } / http-request set-path /y",
    "http-request return status 200 content-type a lf-string %[req.hdr(x)] if { path /a } / http-request set-header x a",
    "http-request deny if { req.body -m sub a } / http-request wait-for-body time 1s",
];

#[test]
fn rules_that_change_something_are_not_the_same_behind_those_that_see_it() {
    for text in SWAPPED {
        let mut lines: Vec<&str> = text.split(" / ").collect();
        lines.swap(0, 1);
        all(1, front, &[(text, &lines.join(" / "))]);
    }
}

#[test]
fn rules_that_nothing_sees_may_stand_anywhere_among_those_that_end_requests() {
    let pairs = [
        (
            "http-request set-header X a / http-request deny if { path /a }",
            "http-request deny if { path /a } / http-request set-header X a",
        ),
        (
            "http-request set-header X a / http-request deny if { req.hdr(y) a }",
            "http-request deny if { req.hdr(y) a } / http-request set-header X a",
        ),
        (
            "http-request track-sc0 src table f / http-request deny if { src 10.0.0.0/9 10.128.0.0/9 }",
            "http-request track-sc0 src table f / http-request deny if { src 10.0.0.0/8 }",
        ),
        (
            "http-request capture req.hdr(x) len 10 / http-request redirect location /a if { path /a }",
            "http-request redirect location /a if { path /a } / http-request capture req.hdr(x) len 10",
        ),
        (
            "tcp-request inspect-delay 5s / tcp-request content accept if { src 10.0.0.1 }",
            "tcp-request content accept if { src 10.0.0.1 } / tcp-request inspect-delay 5s",
        ),
    ];
    all(0, front, &pairs);
    let swapped =
        "http-request deny if { path /a } / http-request deny if { path /b } / http-request track-sc0 src table f";
    let other =
        "http-request deny if { path /b } / http-request deny if { path /a } / http-request track-sc0 src table f";
    all(0, front, &[(swapped, other)]);
    all(
        0,
        back,
        &[(
            "http-request set-header X a / http-request deny if { path /a } / server s1 10.0.0.1:80",
            "http-request deny if { path /a } / http-request set-header X a / server s1 10.0.0.1:80",
        )],
    );
}

const TWO: &str = "server s1 10.0.0.1:80 / server s2 10.0.0.2:80";

#[test]
fn the_order_and_numbers_of_servers_are_compared_where_they_decide() {
    let swapped = |text: &str| text.replace("10.0.0.1", "X").replace("10.0.0.2", "10.0.0.1").replace('X', "10.0.0.2");
    for before in ["balance first", "balance source", "balance uri / hash-type consistent", "balance hdr(x)"] {
        let text = format!("{before} / {TWO}");
        all(1, back, &[(&text, &swapped(&text))]);
    }
    all(1, back, &[(&TWO.replace(":80", ":80 backup"), &swapped(&TWO.replace(":80", ":80 backup")))]);
    let consistent = format!("balance uri / hash-type consistent / {TWO}");
    all(
        1,
        back,
        &[
            (&consistent, &format!("{consistent} id 99")),
            (&format!("balance first / {TWO}"), &format!("balance first / {}", TWO.replacen(":80", ":80 id 9", 1))),
        ],
    );
    for before in
        ["balance roundrobin", "balance leastconn", "option allbackups / default-server backup", "balance random"]
    {
        let text = format!("{before} / {TWO}");
        all(0, back, &[(&text, &swapped(&text)), (&text, &format!("{text} id 99"))]);
    }
}

#[test]
fn names_and_numbers_of_servers_are_compared_where_something_asks_for_them() {
    let renamed = TWO.replace("s1", "x").replace("s2", "s1").replace("x ", "s2 ");
    for asks in [
        "http-response deny if { srv_name s1 }",
        "http-send-name-header X-Server",
        "http-response set-header X %s",
        "http-request deny if { srv_is_up(b/s1) }",
        "http-request deny if { srv_conn(s1) gt 5 }",
    ] {
        all(1, back, &[(&format!("{asks} / {TWO}"), &format!("{asks} / {renamed}"))]);
    }
    all(
        1,
        back,
        &[(
            &format!("http-response deny if {{ srv_id 99 }} / {TWO}"),
            &format!("http-response deny if {{ srv_id 99 }} / {TWO} id 99"),
        )],
    );
    let other = "stick-table type ip size 1k / http-request deny if { srv_is_up(c/s1) }";
    all(0, back, &[(TWO, &renamed), (&format!("{other} / {TWO}"), &format!("{other} / {renamed}"))]);
    let front = |servers: &str| {
        format!(
            "frontend f\n mode http\n bind :80\n http-request deny if {{ srv_is_up(b/s1) }}\n default_backend b\nbackend b\n mode http\n {}\n",
            servers.replace(" / ", "\n ")
        )
    };
    assert_eq!(compared(&front(TWO), &front(&renamed)).0, 1);
}

#[test]
fn the_addresses_of_a_difference_are_those_that_changed_and_that_can_come() {
    let old = front("http-request deny unless { src 0.0.0.0/0 }");
    let new = front("http-request deny unless { src 0.0.0.0/0 ::/0 }");
    assert_eq!(compared(&old, &new).0, 0, "no IPv6 client comes to an IPv4 socket");
    let both = |text: &str| text.replace("bind :80", "bind :::80 v4v6");
    let (code, said) = compared(&both(&old), &both(&new));
    assert_eq!((code, said.contains("source ::/0"), said.contains("source 0.0.0.0/0")), (1, true, false), "{said}");
    let (code, said) = compared(&front(""), &front("http-request deny unless { src 10.0.0.0/8 }"));
    assert_eq!((code, said.contains("source 0.0.0.0/0 except 10.0.0.0/8")), (1, true), "{said}");
}

#[test]
fn methods_that_haproxy_knows_are_compared_as_they_are() {
    let plain = front("");
    // `get` is another method than GET, and what is left of it in other cases is one that HAProxy does not know.
    let pairs = [("http-request deny if { method -i GET }", "http-request deny if { method GET }")];
    all(0, front, &pairs);
    let said = compared(&plain, &front("http-request deny if { method -i get }")).1;
    assert!(!said.contains("GET http"), "{said}");
    let folded = (
        "http-request deny if { req.hdr(host),host_only a.test }",
        "http-request deny if { req.hdr(host),host_only,lower a.test }",
    );
    all(0, front, &[folded]);
}
