//! What `nginx -t` refuses is refused here, and nothing else: statements by hand, and every directive of the table with words
//! that may be none of its own, at places that may not be its own.

use crate::nginx::{Random, nginx, read};
use crate::tools::{every, offline};
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
            "worker_priority x;",
            "worker_priority -5;",
            "worker_cpu_affinity 01x;",
            "thread_pool a max_queue=5;",
            "error_log stderr debug warn;",
            "error_log syslog:foo=1;",
            "error_log syslog:server=127.0.0.1,facility=local7,tag=a_b warn;",
            "error_log memory:32m debug_http debug_event;",
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
            "map $uri $x { a \"$nope b\"; }",
            "map $uri $x { hostnames; .a 1; a 2; }",
            "map $uri $x { .a 1; hostnames; .a 2; volatile; volatile; }",
            "map $uri $Host { a 1; }",
            "geo x { 1.1.1.1 1; }",
            "geo $x { 1.1.1.1 1; ranges; }",
            "geo $x { 010.0.0.1 1; }",
            "split_clients $uri $x { 50% a; 60% b; }",
            "split_clients $uri $x { 0.555% a; }",
            "split_clients $uri $x { 0.5% a; 33.33% b; * c; }",
            "log_format a $uri; log_format a $host;",
            "log_format a escape=foo $uri;",
            "access_log off combined;",
            "access_log stderr combined flush=1m;",
            "access_log stderr combined gzip=10;",
            "server { access_log stderr a; } log_format a $uri;",
            "limit_req_zone $uri zone=z:1m rate=1; limit_conn_zone $uri zone=c:1m; server { limit_req zone=z burst=5 nodelay; limit_conn c 1; }",
            "limit_req_zone $uri zone=z:1m rate=1r/s; limit_conn_zone $host zone=z:1m;",
            "limit_req_zone $uri zone=z:1m rate=1r/s; server { limit_req zone=z; limit_req zone=z; }",
            "limit_req_zone $uri zone=z:1m rate=1r/s; server { limit_req zone=z burst=0; }",
            "limit_conn_zone $uri zone=c:1m; server { limit_conn c 65536; }",
            "proxy_cache_path cache keys_zone=a:1m foo=1;",
            "proxy_cache_path cache levels=1:2;",
            "proxy_cache_path cache levels=1:2 keys_zone=a:1m inactive=1h max_size=1g use_temp_path=off; proxy_cache a;",
            "proxy_cache_path cache keys_zone=a:1m; fastcgi_cache a;",
            "proxy_cache_path cache keys_zone=a:1m; proxy_cache a; proxy_store on;",
            "upstream U { server 127.0.0.1:1; }",
            "upstream v { hash $uri foo; server 127.0.0.1:1; }",
            "upstream v { zone z 1k; server 127.0.0.1:1; }",
            "upstream v { server ::1; }",
            "upstream v { server 127.0.0.1:1 fail_timeout=500ms; }",
            "server { listen 127.0.0.1:8080 backlog=5; server_name a; } server { listen 127.0.0.1:8080 backlog=5; server_name b; }",
            "server { listen 127.0.0.1:9090-9092; listen 127.0.0.1:9091; }",
            "server { listen [::1]:9090; listen [0::1]:9090; }",
            "server { listen 127.0.0.1:9443 ssl; ssl_reject_handshake on; server_name a; } server { listen 127.0.0.1:9443; server_name b; }",
            "server { listen 127.0.0.1:9443 ssl; ssl_certificate $ssl_server_name; }",
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
            "proxy_redirect foo;",
            "proxy_redirect default;",
            "proxy_redirect off; proxy_redirect http://a/ /;",
            "proxy_redirect ~^http://a(.*)$ $1;",
            "disable_symlinks on off;",
            "disable_symlinks on from=$document_root;",
            "open_file_cache inactive=5s;",
            "open_file_cache max=10 inactive=5s;",
            "open_log_file_cache max=5 foo=1;",
            "proxy_store_access user:wr;",
            "proxy_store_access user:rw group:r all:r;",
            "ssl_session_cache shared:a:1k;",
            "ssl_session_cache builtin:1000 shared:a:1m;",
            "ssl_session_cache on;",
            "userid_mark ab;",
            "userid_mark =;",
            "modern_browser foo 5;",
            "modern_browser msie 5.5; modern_browser unlisted;",
            "proxy_busy_buffers_size 1;",
            "proxy_buffer_size 64k;",
            "proxy_buffers 8 64k; proxy_buffer_size 64k; proxy_busy_buffers_size 65535;",
            "proxy_buffers 8 64k; proxy_buffer_size 64k; proxy_busy_buffers_size 65536;",
            "proxy_buffers 3 64k; proxy_buffer_size 64k; proxy_busy_buffers_size 131072;",
            "proxy_buffers 3 64k; proxy_buffer_size 64k; proxy_busy_buffers_size 131073;",
            "proxy_buffers 3 64k; proxy_buffer_size 64k; proxy_temp_file_write_size 65535;",
            "proxy_buffers 3 64k; proxy_buffer_size 64k; proxy_temp_file_write_size 65536;",
            "proxy_buffers 3 64k; proxy_buffer_size 64k; proxy_max_temp_file_size 65535;",
            "proxy_buffers 8 16k; proxy_buffer_size 32k;",
            "proxy_buffers 8 64k; location /x { proxy_busy_buffers_size 4k; }",
            "uwsgi_buffers 1 4k;",
            "scgi_temp_file_write_size 1;",
            "fastcgi_max_temp_file_size 0;",
            "large_client_header_buffers 4 1;",
            "connection_pool_size 250;",
            "mirror off; mirror /x;",
            "mirror /x; mirror /y;",
            "secure_link a; secure_link_secret b;",
            "send_timeout 1M;",
            "ssl_session_timeout 1M;",
            "send_timeout 1h5;",
            "keepalive_timeout 1500ms;",
            "keepalive_requests 9223372036854775808;",
            "expires modified @5h;",
            "expires @24h;",
            "resolver 127.0.0.1 valid=x;",
            "resolver 127.0.0.1:5353 [::1] valid=30s ipv6=off;",
            "resolver valid=5s;",
            "sub_filter \"\" b;",
            "add_header A b ALWAYS;",
            "gzip_comp_level 10;",
            "gzip_disable (;",
            "limit_req_status 399;",
            "fastcgi_param A b foo;",
            "fastcgi_split_path_info ^(.+)$;",
            "fastcgi_split_path_info ^(.+\\.php)(/.+)$;",
            "aio threads=foo;",
            "deny 10.0.0.0-10.0.0.9;",
            "deny 010.0.0.1; allow 1.2.3.4/032;",
            "listen 127.0.0.1:81 so_keepalive=::;",
            "listen 127.0.0.1:81 so_keepalive=5s;",
            "listen 127.0.0.1:81 backlog=-1;",
            "listen ::1:80;",
            "listen :80;",
            "set $x a$;",
            "set $x ${uri;",
            "set $x \"$HOST ${uri}x\";",
            "return 200 \"$(x)\";",
            "return 200 $0;",
            "rewrite ^/a \"\";",
            "rewrite ^/(?<uri>a) /b;",
            "if ($uri = \"\") { return 403; }",
            "if ($uri < 5) { return 403; }",
            "if ($uri=/a) { return 403; }",
            "if (-g /x) { return 403; }",
            "if ($uri = $nope) { return 403; }",
            "error_page 404 =x /x;",
            "location @a { alias /x; }",
            "location ~ a** {}",
            "location ~ (?<1a>b) {}",
            "location ~ \"a{2,1}\" {}",
            "location ~ \"^[a-z]+?(?i)b{2,}$\" {}",
            "valid_referers none blocked server_names *.a b.* ~x;",
            "valid_referers a*b;",
            "auth_request_set x y;",
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
            "proxy_pass HTTP://U;",
            "proxy_pass http://[::1;",
            "proxy_pass http://127.0.0.1?x;",
            "fastcgi_pass u:80;",
            "fastcgi_pass 127.0.0.1:9/x;",
            "grpc_pass 127.0.0.1;",
            "memcached_pass u;",
            "set $memcached_key a; memcached_pass u;",
            "proxy_pass http://u; proxy_redirect default;",
            "proxy_redirect default; proxy_pass http://u;",
            "limit_except GET { deny all; } limit_except POST { deny all; }",
            "root $document_root;",
            "proxy_cache_valid 200 300;",
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

/// What `stream` takes and refuses, where the module may be missing: as nginx 1.22 judges it.
const OF_STREAM: &[(&str, bool)] = &[
    ("server { listen 91; proxy_pass su; }", true),
    ("server { listen 91; }", false),
    ("server { proxy_pass su; }", false),
    ("server { listen 91; proxy_pass 127.0.0.1; }", false),
    ("server { listen 91; proxy_pass su:80; }", false),
    ("server { listen 91; proxy_pass unix:/x; }", true),
    ("server { listen 91; proxy_pass $remote_addr:80; }", true),
    ("server { listen 91; proxy_pass $host; }", false),
    ("server { listen 91; return $remote_addr; }", true),
    ("server { listen 91 udp ssl; proxy_pass su; }", false),
    ("server { listen 91 ssl; proxy_pass su; }", false),
    ("server { listen 91; listen 91 udp; proxy_pass su; }", true),
    ("server { listen 91; listen 91; proxy_pass su; }", false),
    ("server { listen 91; root /x; proxy_pass su; }", false),
    ("upstream v { server 127.0.0.1; }", false),
    ("upstream v { ip_hash; server 127.0.0.1:1; }", false),
    ("upstream v { hash $remote_addr consistent; server 127.0.0.1:1; }", true),
    ("map $uri $x { a 1; }", false),
    ("map $ssl_preread_server_name $x { hostnames; .a su; default su; }", true),
    ("access_log stderr;", false),
    ("log_format a $remote_addr; access_log stderr a;", true),
    ("proxy_timeout 5s; proxy_timeout 6s;", false),
    ("proxy_ssl x;", false),
    ("set_real_ip_from 10.0.0.0/8; proxy_protocol on; ssl_ciphers HIGH;", true),
];

#[test]
fn what_stream_takes_and_refuses_is_told() {
    for (statement, taken) in OF_STREAM {
        let text = format!("events {{}}\nstream {{ {statement} upstream su {{ server 127.0.0.1:1; }} }}\n");
        let gaps: Vec<_> = read(&text, &mut Store::default()).gaps().iter().map(|gap| gap.reason.clone()).collect();
        assert_eq!(gaps.is_empty(), *taken, "{statement}: {gaps:?}");
    }
}

#[test]
fn a_size_that_does_not_fit_is_told_where_it_stands() {
    let wrong = ["proxy_busy_buffers_size 4k", "proxy_temp_file_write_size 32k", "proxy_max_temp_file_size 1"];
    for said in wrong {
        let others = "proxy_buffers 8 64k; proxy_temp_file_write_size 128k;";
        let others = if said.contains("write_size") { "proxy_buffers 8 64k;" } else { others };
        let text = at("server", &format!("{said}; {others}"));
        let snapshot = read(&text, &mut Store::default());
        let places = snapshot.gaps().iter().map(|gap| &text[gap.origin.start as usize..gap.origin.end as usize]);
        let places: Vec<&str> = places.map(|place| place.trim_end_matches(';')).collect();
        assert_eq!(places, [said]);
    }
}

#[test]
fn a_name_that_is_nearly_one_of_nginx_is_not_known() {
    let told = |statement: &str| {
        let text = at("server", statement);
        read(&text, &mut Store::default()).gaps().iter().map(|gap| gap.reason.clone()).collect::<Vec<_>>()
    };
    for name in ["proxy_read_timeot", "gzip_typs", "client_max_body_sizes", "keepalive_timeouts", "add_headers"] {
        let reason = format!("the directive `{name}` is not known here");
        assert_eq!(told(&format!("{name} 5;")), [reason], "{name}");
    }
    // Later versions, and modules of others.
    for statement in [
        "http2 on;",
        "keepalive_min_timeout 5s;",
        "early_hints $http_x;",
        "proxy_pass_trailers on;",
        "ssl_certificate_cache off;",
        "more_set_headers 'A: b';",
        "brotli_comp_level 5;",
        "lua_shared_dict a 1m;",
        "log_by_lua_block { x() }",
    ] {
        assert_eq!(told(statement), Vec::<String>::new(), "{statement}");
    }
}

#[test]
fn what_is_not_at_hand_is_not_said_to_be_nowhere() {
    let told = |text: &str| -> Vec<String> {
        read(text, &mut Store::default()).gaps().iter().map(|gap| gap.reason.clone()).collect()
    };
    let missing = "http { include other/*.conf; include /srv/x.conf; log_format a $nope; server { listen 80; } }\n";
    assert!(told(missing).iter().all(|reason| !reason.contains("events") && !reason.contains("nope")));
    let whole = "http { server { listen 80; } }\n";
    assert_eq!(told(whole), ["nginx refuses it: no \"events\" section in configuration"]);
    assert_eq!(told("server { listen 80; return 200 $nope; }\n"), Vec::<String>::new());
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
        for _ in 0..2_usize.div_ceil(every(2)) {
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
