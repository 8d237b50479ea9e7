//! HAProxy: what it refuses is a gap.

use crate::cli::portcullis;
use crate::folder::folder;

/// The exit code of `lint`, and what it says, of more lines in a frontend and in a backend.
fn linted(front: &str, back: &str) -> (u8, String) {
    let text = format!(
        "defaults\n mode http\nfrontend f\n bind :80\n {front}\n default_backend b\nbackend b\n server s1 10.0.0.1:80 check\n {back}\nbackend t\n stick-table type ip size 1k\n server s1 10.0.0.1:80\n"
    );
    let folder = folder(&[("haproxy.cfg", &text)]);
    let ran = portcullis(folder.path(), &[], &["lint", "--path", "haproxy.cfg"]);
    (ran.code, format!("{}{}", ran.out, ran.talk))
}

#[test]
fn names_of_what_is_not_there_and_values_that_have_no_meaning_are_refused() {
    for (front, back) in [
        ("server x 10.0.0.2:80", ""),
        ("use-server s1 if TRUE", ""),
        ("", "use-server nosuch if TRUE"),
        ("", "use-server s1"),
        ("", "tcp-request connection reject"),
        ("", "tcp-request session reject"),
        ("http-request track-sc0 src", ""),
        ("http-request track-sc0 src table nosuch", ""),
        ("http-request track-sc0 src table b", ""),
        ("", "stick on src"),
        ("", "stick on src table nosuch"),
        ("acl x src 10.0.0.0/40", ""),
        ("acl x path_reg (", ""),
        ("acl x path_reg [a", ""),
        ("acl x path_reg *a", ""),
        ("", "balance hdr"),
        ("", "balance uri foo"),
        ("", "balance random(0)"),
        ("", "balance url_param"),
        ("", "server s2 10.0.0.2:80 id 0"),
        ("", "server s2 10.0.0.2:80 id 5\n server s3 10.0.0.3:80 id 5"),
        ("", "server s2 10.0.0.2:80 track nosuch/s1"),
        ("http-request deny if { src_http_req_rate(nosuch) gt 1 }", ""),
        ("http-request deny if { nbsrv(nosuch) lt 1 }", ""),
        ("http-request deny if { srv_is_up(b/nosuch) }", ""),
    ] {
        let (code, said) = linted(front, back);
        assert_eq!((code, said.contains("refuses")), (3, true), "{front} {back}: {said}");
    }
    for (front, back) in [
        ("http-request track-sc0 src table t", "stick on src table t"),
        ("acl x path_reg ^/a[]()]{2}\\\\(", "balance uri len 5 depth 2"),
        ("http-request deny if { nbsrv(t) lt 1 } { srv_is_up(b/s1) }", "use-server s1 if TRUE"),
        (
            "http-request deny if { src_http_req_rate(t) gt 1 } { src 10.0.0.0/255.0.0.0 2001:db8::/32 }",
            "server s2 10.0.0.2:80 track b/s1 id 7",
        ),
    ] {
        let (code, said) = linted(front, back);
        assert!(code < 2, "{front} {back}: {said}");
    }
}
