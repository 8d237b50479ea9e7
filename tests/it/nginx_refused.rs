//! What `nginx -t` refuses is refused here, and nothing else: statements by hand, and every directive of the table with words
//! that may be none of its own, at places that may not be its own.

use crate::nginx::{Random, nginx, read};
use crate::tools::offline;
use portcullis::model::Store;
use regex::Regex;
use std::fs;
use std::path::Path;

/// The reasons of one side and of the other; `None` of nginx: it reads it.
fn judged(program: &Path, folder: &Path, text: &str) -> (Vec<String>, Option<String>) {
    let gaps = read(text, &mut Store::default()).gaps().iter().map(|gap| gap.reason.clone()).collect();
    let file = folder.join("nginx.conf");
    fs::write(&file, text).expect("written");
    let (file, prefix) = (file.display().to_string(), folder.display().to_string());
    let said = offline(program).args(["-t", "-q", "-p", &prefix, "-c", &file]).output().expect("nginx runs");
    let told = String::from_utf8_lossy(&said.stderr).into_owned();
    let reason = told.lines().rfind(|line| line.contains("[emerg]")).unwrap_or(told.trim()).to_owned();
    (gaps, (!said.status.success()).then_some(reason))
}

/// A configuration with a statement at a place.
fn at(place: &str, statement: &str) -> String {
    let put = |name: &str| if place == name { statement } else { "" };
    format!(
        "pid nginx.pid; error_log stderr;\n{}\nevents {{ {} }}\nhttp {{\n access_log off; {}\n \
         upstream u {{ server 127.0.0.1:1; {} }}\n server {{ listen 127.0.0.1:8080; {}\n location / {{ {} }} }}\n}}\n",
        put("main"),
        put("events"),
        put("http"),
        put("upstream"),
        put("server"),
        put("location")
    )
}

const BY_HAND: &[(&str, &[&str])] = &[
    (
        "main",
        &[
            "worker_processes abc;",
            "worker_processes auto;",
            "events {}",
            "http {}",
            "daemon x;",
            "listen 80;",
            "user;",
        ],
    ),
    (
        "http",
        &[
            "upstream v {}",
            "upstream v { server 127.0.0.1:1 backup; }",
            "upstream v { ip_hash; server 127.0.0.1:1; server 127.0.0.1:2 backup; }",
            "upstream v { server 127.0.0.1:1; server 127.0.0.1:2 backup; ip_hash; }",
            "upstream v { least_conn; server 127.0.0.1:1; server 127.0.0.1:2 backup; }",
            "upstream v { hash; server 127.0.0.1:1; }",
            "upstream v { random two x; server 127.0.0.1:1; }",
            "upstream v { random two least_conn; server 127.0.0.1:1; }",
            "upstream v { server 127.0.0.1:1 max_fails=-1; }",
            "upstream v { server 127.0.0.1:1 fail_timeout=1x; }",
            "upstream v { server 127.0.0.1:1; keepalive 0; }",
            "upstream v { server 127.0.0.1:1; zone z; }",
            "upstream v { server 127.0.0.1:1; zone z 64k; }",
            "limit_req_zone $uri zone=z:1m;",
            "limit_req_zone $uri zone=z:1k rate=1r/s;",
            "limit_req_zone $uri zone=z:1m rate=0r/s;",
            "limit_req_zone $uri zone=z:1m rate=1r/m;",
            "limit_conn_zone $nope zone=z:1m;",
            "map $uri $x { a 1; a 2; }",
            "map $uri $x { ~( 1; }",
            "map $uri x { a 1; }",
            "map $uri $host { a 1; }",
            "map $uri $x { a 1 2; }",
            "map $uri $x { hostnames; *.a* 1; }",
            "map $uri $x { *.a* 1; }",
            "map $uri $x { volatile; default 1; ~*^a$ 2; }",
            "geo $x { 10.0.0.0/99 1; }",
            "geo $x { foo 1; }",
            "geo $x { default 0; 10.0.0.0/8 1; ::1 2; }",
            "geo $x { ranges; 10.0.0.0-9.0.0.0 1; }",
            "geo $x { ranges; default 0; 10.0.0.0-10.0.0.9 1; }",
            "log_format x $nope; access_log /dev/null x;",
            "log_format x '$remote_addr $http_anything $arg_a ${uri}'; access_log /dev/null x;",
            "access_log /dev/null nope;",
            "server { listen 127.0.0.1:8080; server_name a*b; }",
            "server { listen 127.0.0.1:8080; server_name .a.*; }",
            "types { text/html; }",
        ],
    ),
    (
        "server",
        &[
            "server_name *;",
            "server_name ~(;",
            "server_name a*b;",
            "server_name *.a.example www.* ~^w(?<n>[0-9]+)$;",
            "internal;",
            "root /a; root /b;",
            "listen [::1;",
            "listen unix:;",
            "listen 81 rcvbuf=x;",
            "listen 81 backlog=5 so_keepalive=30m::10 rcvbuf=8k;",
            "set x 1;",
            "set $host 1;",
            "set $args 1;",
            "set $x $nope;",
            "return 200 $nope;",
            "return abc;",
            "return 1000;",
            "return https://a/;",
            "rewrite ( /x;",
            "rewrite ^/(a)$ /$1 last;",
            "error_page 200 /x;",
            "error_page 404;",
            "error_page 404 =200 /x;",
            "error_page 404 = @x;",
            "if ($nope) { return 403; }",
            "if (uri) { return 403; }",
            "if ($uri ~ \"(\") { return 403; }",
            "if (-f ) { return 403; }",
            "if (!-f $uri) { return 403; }",
            "if ($uri ~* ^/a) { set $y 1; }",
            "location @x { location /x {} }",
            "location ~ ^/(?<x>a)(?<x>b) {}",
            "location ~ (a { }",
            "location ~ x { proxy_pass http://127.0.0.1/x; }",
            "location @n { proxy_pass http://127.0.0.1/x; }",
            "location ~ x { proxy_pass http://127.0.0.1; }",
            "satisfy foo;",
            "fastcgi_pass u;",
            "keepalive_timeout a;",
            "keepalive_timeout 75s 60s;",
            "client_max_body_size 1; client_max_body_size 2;",
            "proxy_next_upstream foo;",
            "proxy_buffers 1;",
            "proxy_cache none;",
            "proxy_cache_valid x y;",
            "proxy_cache_valid 200 302 10m;",
            "expires x;",
            "expires 30d;",
            "expires modified +24h;",
            "expires -1;",
            "expires @15h30m;",
            "limit_rate x;",
            "limit_rate $arg_r;",
        ],
    ),
    (
        "location",
        &[
            "proxy_pass http://u; proxy_pass http://u;",
            "fastcgi_pass u;",
            "fastcgi_pass 127.0.0.1;",
            "fastcgi_pass unix:/x;",
            "fastcgi_pass [::1]:9000;",
            "proxy_pass http://;",
            "proxy_pass http://u:8080;",
            "proxy_pass http://u/x;",
            "proxy_pass http://unix:/x:/y;",
            "proxy_pass $nope;",
            "proxy_pass http://$host;",
            "if ($uri) { proxy_pass http://u/x; }",
            "limit_except GET { proxy_pass http://u/x; }",
            "limit_except {}",
            "limit_except get { deny all; }",
            "try_files $uri =abc;",
            "try_files $uri =404;",
            "root /x; alias /y;",
            "limit_req zone=none;",
            "limit_conn none 1;",
            "gzip maybe;",
            "gzip ON;",
            "server_name a;",
            "listen 80;",
            "auth_basic a; auth_basic b;",
            "auth_request /x; auth_request /y;",
            "add_header X;",
            "proxy_set_header X a b;",
        ],
    ),
    ("upstream", &["keepalive 4; keepalive 5;", "keepalive 4;", "ip_hash;", "listen 80;", "keepalive_timeout 5x;"]),
];

#[test]
fn what_nginx_refuses_by_hand_is_refused() {
    let Some(program) = nginx() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let mut disagree = Vec::new();
    for (place, statements) in BY_HAND {
        for statement in *statements {
            let (here, there) = judged(&program, folder.path(), &at(place, statement));
            if here.is_empty() != there.is_none() {
                disagree.push(format!("{place}: {statement}: nginx {there:?}, here {here:?}"));
            }
        }
    }
    assert!(disagree.is_empty(), "{}\n{}", disagree.len(), disagree.join("\n"));
}

#[test]
#[expect(clippy::print_stdout, reason = "totals are read in the log")]
fn every_directive_stands_where_nginx_has_it() {
    let Some(program) = nginx() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let table = include_str!("../../src/formats/nginx/directives.rs");
    let (_, rows) = table.split_once("const ROWS").expect("the table");
    let names = Regex::new(r#"(?s), "([a-z0-9_ \\\n]+)"\),\n"#).expect("a pattern");
    let names: Vec<&str> = names.captures_iter(rows).flat_map(|found| found.extract::<1>().1[0].split(' ')).collect();
    let names: Vec<&str> = names.into_iter().map(str::trim).filter(|name| name.len() > 2).collect();
    let mut random = Random(0x5eed_0010);
    let (mut total, mut refused, mut lax, mut strict) = (0, 0, Vec::new(), Vec::new());
    for name in &names {
        for _ in 0..2 {
            let place = random.one(&["main", "events", "http", "server", "location", "upstream"]);
            let words =
                random.one(&["", " x", " on", " 5", " 5k", " 5s", " a b", " 4 8k", " 1 2 3 4 5", " off", " {}"]);
            let mut statement = format!("{name}{words}");
            if !words.ends_with('}') {
                statement.push(';');
            }
            if random.below(5) == 0 {
                statement = format!("{statement} {statement}");
            }
            let (here, there) = judged(&program, folder.path(), &at(place, &statement));
            total += 1;
            refused += usize::from(there.is_some());
            match (here.iter().any(|reason| reason.starts_with("nginx refuses it")), there) {
                (true, Some(_)) | (false, None) => {}
                (true, None) => strict.push(format!("{place}: {statement}: {}", here.join("; "))),
                (false, Some(_)) if !here.is_empty() => {}
                (false, Some(reason)) => lax.push(format!("{place}: {statement}: {reason}")),
            }
        }
    }
    println!("{total} statements of {} directives, {refused} refused by nginx, {} by it alone", names.len(), lax.len());
    println!("    {}", lax.join("\n    "));
    assert!(names.len() > 500 && lax.len() * 50 <= total, "{} of {total}:\n{}", lax.len(), lax.join("\n"));
    assert!(strict.is_empty(), "{}\n{}", strict.len(), strict.join("\n"));
}
