//! Files that decide and are not read: code, users, raw answers. When only such a file changes, that is a difference.

use crate::cli::portcullis;
use crate::folder::folder;
use std::path::Path;
use tempfile::TempDir;

type Files<'a> = &'a [(&'a str, &'a str)];

/// The exit code of `diff`, and what it says, of a main file with others beside it.
fn compared(main: (&str, &str), old: Files<'_>, new: Files<'_>) -> (u8, String) {
    let (old, new) = (folder(&[&[main], old].concat()), folder(&[&[main], new].concat()));
    let path = |folder: &TempDir| folder.path().join(main.0).display().to_string();
    let ran = portcullis(Path::new("."), &[], &["diff", &path(&old), &path(&new)]);
    (ran.code, format!("{}{}", ran.out, ran.talk))
}

const NGINX: &str = "events {}\nhttp {\n  js_import main from njs/main.js;\n  server {\n    listen 80;\n    auth_basic x;\n    \
    auth_basic_user_file users;\n    location /lua { content_by_lua_file lua/answer.lua; }\n    \
    location /in { content_by_lua_block { require(\"lib.inner\").run() } }\n    location /js { js_content main.go; }\n  }\n}\n";

const NGINX_FILES: Files<'_> = &[
    ("njs/main.js", "import h from './helper.js'; function go(r) { r.return(200) }\n"),
    ("njs/helper.js", "export default {}\n"),
    ("lua/answer.lua", "local deep = require \"lib.deep\"\nngx.say(1)\n"),
    ("lua/lib/deep.lua", "return 1\n"),
    ("lua/lib/inner.lua", "return { run = function() end }\n"),
    ("users", "alice:$apr1$x\n"),
];

#[test]
fn when_only_a_file_of_nginx_changes_it_is_a_difference() {
    let main = ("etc/nginx.conf", NGINX);
    let files: Vec<(String, &str)> = NGINX_FILES.iter().map(|(name, text)| (format!("etc/{name}"), *text)).collect();
    let base: Vec<(&str, &str)> = files.iter().map(|(name, text)| (name.as_str(), *text)).collect();
    let (code, said) = compared(main, &base, &base);
    assert_eq!(code, 0, "{said}");
    for at in 0..base.len() {
        let mut changed = base.clone();
        let text = format!("{}-- another line\n", base[at].1);
        changed[at].1 = &text;
        let (code, said) = compared(main, &base, &changed);
        assert!(code == 1 && said.contains("requests"), "{}: {said}", base[at].0);
        let missing: Vec<_> = base.iter().copied().filter(|(name, _)| *name != base[at].0).collect();
        let (code, said) = compared(main, &base, &missing);
        assert_ne!(code, 0, "{}: {said}", base[at].0);
    }
    let gone = compared(main, &base, &base[3..]);
    assert!(gone.0 == 3 && gone.1.contains("there is no file lua/answer.lua"), "{}", gone.1);
}

const HAPROXY: &str = "global\n lua-load auth.lua\ndefaults\n mode http\nfrontend f\n bind :80\n errorfile 503 sorry.http\n \
    http-request lua.auth\n http-request return status 200 content-type text/plain file page.txt if { path /p }\n \
    default_backend b\nbackend b\n server s 10.0.0.1:80\n";

#[test]
fn when_only_a_file_of_haproxy_changes_it_is_a_difference() {
    let main = ("haproxy.cfg", HAPROXY);
    let base = [
        ("auth.lua", "require('lib')\ncore.register_action()\n"),
        ("lib.lua", "return 1\n"),
        ("sorry.http", "x\n"),
        ("page.txt", "p\n"),
    ];
    let (code, said) = compared(main, &base, &base);
    assert_eq!(code, 0, "{said}");
    for at in 0..base.len() {
        let mut changed = base;
        let text = format!("{}-- another line\n", base[at].1);
        changed[at].1 = &text;
        let (code, said) = compared(main, &base, &changed);
        let name = if at < 2 { "auth.lua" } else { base[at].0 };
        assert!(code == 1 && said.contains(name), "{}: {said}", base[at].0);
    }
    let gone = compared(main, &base, &base[1..]);
    assert!(gone.0 == 3 && gone.1.contains("there is no file auth.lua"), "{}", gone.1);
}

#[test]
fn code_elsewhere_is_a_gap_and_users_elsewhere_are_not() {
    let gaps = |text: &str| {
        let folder = folder(&[("nginx.conf", text)]);
        let ran = portcullis(folder.path(), &[], &["parse", "nginx.conf"]);
        let text = format!("{}{}", ran.out, ran.talk);
        text.split("\ngaps\n").nth(1).map(str::to_owned)
    };
    let server =
        |text: &str| format!("events {{}}\nhttp {{\n server {{\n listen 80;\n location / {{\n {text}\n }}\n }}\n}}\n");
    let lua = gaps(&server("content_by_lua_file /opt/lua/a.lua;")).expect("a gap");
    assert!(lua.contains("the code in /opt/lua/a.lua is outside of what is compared"), "{lua}");
    assert_eq!(gaps(&server("auth_basic x; auth_basic_user_file /etc/htpasswd; return 403;")), None);
    let computed = gaps(&server("content_by_lua_file lua/$1.lua;")).expect("a gap");
    assert!(computed.contains("at run time only"), "{computed}");
}

#[test]
fn users_of_haproxy_are_told_apart() {
    let list = |password: &str| {
        format!(
            "userlist u\n user a insecure-password {password}\nfrontend f\n mode http\n bind :80\n http-request auth unless \
            {{ http_auth(u) }}\n"
        )
    };
    let (old, new) = (folder(&[("h.cfg", &list("one"))]), folder(&[("h.cfg", &list("two"))]));
    let path = |folder: &TempDir| folder.path().join("h.cfg").display().to_string();
    let ran = portcullis(Path::new("."), &[], &["diff", &path(&old), &path(&new)]);
    assert_eq!(ran.code, 1, "{}{}", ran.out, ran.talk);
}

#[test]
fn patterns_and_maps_that_no_route_asks_for_count_where_settings_do() {
    let config = "defaults\n  mode http\n  timeout connect 5s\n  timeout client 5s\n  timeout server 5s\nfrontend www\n  \
                  bind 192.0.2.1:80\n  acl big hdr(host) -f big.lst\n  http-request set-header X-Big 1 if big\n  \
                  http-request set-header X-Tenant %[req.hdr(host),map(tenants.map,none)]\n  \
                  http-response set-header X-Zone %[src,map_ip(zones.map,none)]\n  default_backend web\nbackend web\n  \
                  http-request set-header X-Shop 1 if { hdr(host) -f shops.lst }\n  server web1 10.0.0.1:8080\n";
    let base = [
        ("big.lst", "a.example\n"),
        ("tenants.map", "a.example one\n"),
        ("zones.map", "10.0.0.0/8 inside\n"),
        ("shops.lst", "shop.example\n"),
    ];
    let main = ("haproxy.cfg", config);
    let (code, said) = compared(main, &base, &base);
    assert_eq!(code, 0, "{said}");
    for at in 0..base.len() {
        let mut changed = base;
        let text = base[at].1.replace("example", "example.org").replace("inside", "outside");
        changed[at].1 = &text;
        let (code, said) = compared(main, &base, &changed);
        assert!(code == 1 && said.contains("other settings differ: "), "{}: {said}", base[at].0);
    }
}

/// Main files, and the files that they name of those whose word is believed.
const ANCHORS: &[(&str, &str, &[&str])] = &[
    (
        "haproxy.cfg",
        "global\n ca-base /etc/haproxy/cas\ndefaults\n mode http\nfrontend f\n bind :443 ssl crt certs/ ca-file clients.pem crl-file \
         /etc/haproxy/revoked.pem verify required\n default_backend b\nbackend b\n server s 10.0.0.1:443 ssl verify required \
         ca-file servers.pem crt own.pem\n",
        &["certs/a.pem", "cas/clients.pem", "revoked.pem", "servers.pem", "own.pem"],
    ),
    (
        "etc/nginx.conf",
        "events {}\nhttp {\n  server {\n    listen 443 ssl;\n    ssl_certificate /etc/nginx/a.pem;\n    ssl_certificate_key a.key;\n    \
         ssl_client_certificate clients.pem;\n    ssl_crl revoked.pem;\n    ssl_trusted_certificate trusted.pem;\n    \
         location / { proxy_ssl_trusted_certificate servers.pem; proxy_pass https://10.0.0.1; }\n  }\n}\n",
        &["etc/a.pem", "etc/clients.pem", "etc/revoked.pem", "etc/trusted.pem", "etc/servers.pem"],
    ),
    (
        "envoy.yaml",
        "static_resources:\n  listeners:\n  - name: l\n    address: {socket_address: {address: 0.0.0.0, port_value: 443}}\n    filter_chains:\n    \
         - transport_socket:\n        name: envoy.transport_sockets.tls\n        typed_config:\n          \"@type\": \
         type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext\n          require_client_certificate: true\n          \
         common_tls_context:\n            tls_certificates: [{certificate_chain: {filename: /etc/envoy/a.pem}, private_key: {filename: a.key}}]\n            \
         validation_context: {trusted_ca: {filename: clients.pem}, crl: {filename: revoked.pem}}\n      filters:\n      \
         - name: envoy.filters.network.tcp_proxy\n        typed_config:\n          \"@type\": \
         type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy\n          stat_prefix: x\n          cluster: c\n  \
         clusters:\n  - name: c\n    connect_timeout: 1s\n    type: STATIC\n    load_assignment: {cluster_name: c, endpoints: [{lb_endpoints: \
         [{endpoint: {address: {socket_address: {address: 10.0.0.1, port_value: 80}}}}]}]}\n",
        &["a.pem", "clients.pem", "revoked.pem"],
    ),
];

#[test]
fn whose_word_is_believed_is_what_a_file_says() {
    for (name, text, files) in ANCHORS {
        let main = (*name, *text);
        let base: Vec<(&str, &str)> = files.iter().map(|file| (*file, "-----BEGIN X-----\nsecret1\n")).collect();
        let (code, said) = compared(main, &base, &base);
        assert_eq!(code, 0, "{name}: {said}");
        for at in 0..base.len() {
            let mut changed = base.clone();
            changed[at].1 = "-----BEGIN X-----\nsecret2\n";
            let (code, said) = compared(main, &base, &changed);
            assert!(code == 1 && !said.contains("secret"), "{name} {}: {said}", base[at].0);
        }
        // What is elsewhere is compared by its name.
        let (code, said) = compared(main, &[], &[]);
        assert_eq!(code, 0, "{name}: {said}");
    }
}

const LISTED: &str = "global\n crt-base /etc/haproxy/certs\n httpclient.ssl.ca-file roots.pem\ndefaults\n mode http\nfrontend f\n \
    bind :443 ssl crt own.pem crt-list lists/sites.txt\n default_backend b\nbackend b\n server s 10.0.0.1:80\n";

#[test]
fn certificates_of_a_list_are_those_of_the_listener() {
    let main = ("haproxy.cfg", LISTED);
    let list = "# sites\na.pem [alpn h2 ca-file clients.pem] a.example !x.a.example\n/etc/haproxy/certs/b.pem\n";
    let pem = "-----BEGIN X-----\nsecret1\n";
    let base = [
        ("lists/sites.txt", list),
        ("certs/a.pem", pem),
        ("certs/b.pem", pem),
        ("certs/clients.pem", pem),
        ("certs/own.pem", pem),
        ("certs/own.pem.rsa", pem),
        ("certs/own.pem.issuer", pem),
        ("roots.pem", pem),
    ];
    let (code, said) = compared(main, &base, &base);
    assert_eq!(code, 0, "{said}");
    for at in 0..base.len() {
        let mut changed = base;
        let text = base[at].1.replace("secret1", "secret2").replace("!x", "!y");
        changed[at].1 = &text;
        let (code, said) = compared(main, &base, &changed);
        assert!(code == 1 && !said.contains("secret"), "{}: {said}", base[at].0);
    }
    let mut changed = base;
    let text = list.replace("a.pem [", "new.pem [");
    changed[0].1 = &text;
    let (code, said) = compared(main, &base, &changed);
    let told = said.contains("certificate a.pem is gone") && said.contains("certificate new.pem is new");
    assert!(code == 1 && told, "{said}");
    // A list that is elsewhere is all that is known.
    let folder = folder(&[("haproxy.cfg", &LISTED.replace("lists/sites.txt", "/srv/sites.txt"))]);
    let ran = portcullis(folder.path(), &[], &["parse", "haproxy.cfg"]);
    assert!(ran.out.contains("certificate /srv/sites.txt"), "{}", ran.out);
}

#[test]
fn a_list_of_certificates_that_is_no_text_is_a_gap() {
    let config = "frontend f\n  mode http\n  bind :443 ssl crt-list certs.list\n  default_backend b\nbackend b\n  mode http\n  \
                  server s 10.0.0.1:80\n";
    for (list, code) in [(&b"a.pem shop.example\n"[..], 0), (b"a.pem shop.example\n\xff.pem\n", 3)] {
        let folder = folder(&[("haproxy.cfg", config), ("a.pem", "x")]);
        std::fs::write(folder.path().join("certs.list"), list).expect("written");
        let path = folder.path().join("haproxy.cfg").display().to_string();
        let ran = portcullis(Path::new("."), &[], &["diff", &path, &path]);
        assert_eq!((ran.code, ran.out.contains("is not UTF-8")), (code, code == 3), "{}{}", ran.out, ran.talk);
    }
}
