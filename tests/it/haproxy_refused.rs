//! HAProxy: what it refuses is a gap.

use crate::cli::portcullis;
use crate::folder::folder;
use std::path::Path;
use std::process::Command;

/// A file with more lines in a frontend and in a backend.
fn text(front: &str, back: &str) -> String {
    format!(
        "defaults\n mode http\nfrontend f\n bind :80\n {front}\n default_backend b\nbackend t\n stick-table type ip size 1k\n server s1 10.0.0.1:80\nbackend b\n server s1 10.0.0.1:80 check\n {back}\n"
    )
}

/// The exit code of `lint`, and what it says.
fn linted(front: &str, back: &str) -> (u8, String) {
    let folder = folder(&[("haproxy.cfg", &text(front, back))]);
    let ran = portcullis(folder.path(), &[], &["lint", "--path", "haproxy.cfg"]);
    (ran.code, format!("{}{}", ran.out, ran.talk))
}

/// Whether HAProxy takes the file; `None`: it is not installed, or of another version.
fn asked(front: &str, back: &str) -> Option<bool> {
    answered(folder(&[("haproxy.cfg", &text(front, back))]).path()).map(|(taken, _)| taken)
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

/// What is asked of the one line or the other: files that HAProxy refuses, and what it says of them where it is installed.
#[test]
fn values_of_keywords_parameters_and_rules_that_have_no_meaning_are_refused() {
    for (front, back) in [
        ("http-request return status 200 string a", ""),
        ("http-request set-header X %foo", ""),
        ("http-request set-header X %[res.hdr(a)]", ""),
        ("http-response set-header X %[path]", ""),
        ("http-response set-status 99", ""),
        ("http-request redirect location /%foo", ""),
        ("http-request set-var(txn.a-b) path", ""),
        ("http-request deny if { var(foo) -m str a }", ""),
        ("http-request deny if { path,field(a,/) b }", ""),
        ("http-request deny if { path_len 5:1 }", ""),
        ("http-request deny if { src 10.0.0.1-10.0.0.5 }", ""),
        ("http-request replace-path ( b", ""),
        ("http-request replace-value X ( b", ""),
        ("http-request track-sc9 src table t", ""),
        ("http-request sc-inc-gpc0(9)", ""),
        ("http-request cache-use nosuch", ""),
        ("http-request capture path", ""),
        ("http-request capture path len 0", ""),
        ("http-request set-tos x", ""),
        ("http-request set-priority-class x", ""),
        ("http-request wait-for-body time x", ""),
        ("http-request del-header X -m foo", ""),
        ("http-request del-header ( -m reg", ""),
        ("http-request deny if { http_auth(nosuch) }", ""),
        ("tcp-response content reject", ""),
        ("log-format %[nosuch]", ""),
        ("log-format %zz", ""),
        ("capture request header x len", ""),
        ("declare capture foo", ""),
        ("errorfiles nosuch", ""),
        ("monitor fail", ""),
        ("stats refresh x", ""),
        ("stats realm", ""),
        ("option forwardfor foo", ""),
        ("option forwardfor header", ""),
        ("compression algo foo", ""),
        ("compression type", ""),
        ("filter compression x", ""),
        ("id 0", ""),
        ("bind :0", ""),
        ("bind :8081 ssl", ""),
        ("bind :8081 nice 5000", ""),
        ("bind :8081 level foo", ""),
        ("bind ipv4@[::1]:80", ""),
        ("stick-table type foo size 1", ""),
        ("stick-table type ip", ""),
        ("stick-table type ip size", ""),
        ("stick-table type ip size 1k store foo", ""),
        ("stick-table type ip size 1k expire x", ""),
        ("", "stick-table type ip size 1k peers nosuch"),
        ("", "stick on nosuch"),
        ("", "balance uri depth x"),
        ("", "balance random(x)"),
        ("", "balance rdp-cookie("),
        ("", "balance hash"),
        ("", "hash-type map-based foo"),
        ("", "retry-on foo"),
        ("", "cookie a insert rewrite"),
        ("", "cookie a domain"),
        ("", "cookie a maxidle x"),
        ("", "http-check expect"),
        ("", "http-check expect foo"),
        ("", "http-check expect status x"),
        ("", "http-check expect rstatus ("),
        ("", "http-check send foo"),
        ("", "http-check send meth"),
        ("", "tcp-check expect"),
        ("", "dispatch 1.1.1.1"),
        ("", "server s2 10.0.0.2:80 check fall 0"),
        ("", "server s2 10.0.0.2:80 check on-error foo"),
        ("", "server s2 10.0.0.2:80 check observe foo"),
        ("", "server s2 10.0.0.2:80 init-addr foo"),
        ("", "server s2 10.0.0.2:80 resolvers nosuch"),
        ("", "server s2 10.0.0.2:80 agent-check"),
        ("", "server s2 10.0.0.2:80 proto foo"),
        ("", "server s2 10.0.0.2:80 ws foo"),
        ("", "server s2 10.0.0.2:80\n server s3 10.0.0.3:80 track b/s2"),
        ("", "userlist u\n user a insecure-password b groups g"),
        ("", "cache c"),
        ("", "resolvers r\n nameserver a 1.1.1.1"),
        ("", "resolvers r\n hold foo 1s"),
        ("", "global\n nbthread 0"),
        ("", "global\n tune.bufsize x"),
        ("", "global\n tune.http.maxhdr 99999"),
        ("", "global\n hard-stop-after x"),
        ("", "global\n ssl-server-verify foo"),
    ] {
        let (code, said) = linted(front, back);
        assert_eq!((code, said.contains("refuses")), (3, true), "{front} {back}: {said}");
        assert_ne!(asked(front, back), Some(true), "{front} {back}: HAProxy takes it");
    }
    for (front, back) in [
        ("http-request set-header X \"%{+Q}o %t %ci %%x %[path]\"", "cookie a insert indirect domain x maxidle 5m"),
        ("http-request capture req.hdr(a) len 5", "retry-on conn-failure 503"),
        ("http-request return status 200 content-type text/plain string a", "http-check expect ! rstatus ^5"),
        ("http-request del-header ^X -m reg", "http-check expect min-recv 5 status 200,300-399"),
        ("http-request track-sc2 src table t", "http-check send meth GET uri / hdr Host a"),
        ("http-request set-var(txn.a_b.c) path,field(1,/)", "stick on src table t"),
        ("log-format \"%ci:%cp [%tr] %ft %b/%s %TR/%Tw %[src]\"", "balance random(3)"),
        ("stick-table type string len 5 size 1k expire 5m store gpc0,conn_rate(30s)", "balance uri depth 3 whole"),
        ("capture request header x len 5", "server s2 10.0.0.2:80 init-addr last,none,10.0.0.3"),
        (
            "option forwardfor except 127.0.0.0/8 header X",
            "server s2 10.0.0.2:80 check observe layer7 on-error mark-down",
        ),
        ("compression algo gzip deflate", "userlist u\n group g users a\n user a insecure-password b"),
        ("http-request set-mark 0x10", "server s2 10.0.0.2:80 agent-check agent-port 5 sni req.hdr(host)"),
        ("http-request wait-for-body time 5s at-least 1k", "cache c\n total-max-size 4"),
        ("", "resolvers r\n nameserver a 1.1.1.1:53\n hold nx 5s"),
        ("", "global\n nbthread 2\n tune.bufsize 32768\n hard-stop-after 5m"),
    ] {
        let (code, said) = linted(front, back);
        assert!(code < 2, "{front} {back}: {said}");
        assert_ne!(asked(front, back), Some(false), "{front} {back}: HAProxy refuses it");
    }
}

/// Lines that are refused are marked; those around them are not.
const LINES: &str = r#"global
 expose-experimental-directives
 set-var proc.a path # refused
 set-var txn.a int(1) # refused
 set-var proc.b int(1)
defaults rules
 mode http
 tcp-request connection accept
defaults
 mode http
 http-request deny # refused
 stick-table type ip size 1 # refused
 filter compression # refused
 no option httpchk # refused
 no option dontlognull
frontend f from rules
 bind :80
 bind :81 process x # refused
 bind :81 severity-output foo # refused
 bind [::1:81 # refused
 bind 256.1.1.1:81 # refused
 acl a rand(a) # refused
 acl a date(0,foo) gt 1 # refused
 acl a src,ipmask(33) 10.0.0.0 # refused
 acl a src,ipmask(24) 10.0.0.0
 acl a path,add(x) 1 # refused
 acl a path,word(0,/) a # refused
 acl a path,regsub(a,b,x) a # refused
 acl a path,url_enc(foo) a # refused
 acl a path,strcmp(a) 0 # refused
 acl a path,json(foo) a # refused
 acl a src 10.0.0.1/255.0.255.0
 acl a src 256.1.1.1 # refused
 acl a src 10.0.0.1,10.0.0.2 # refused
 acl a ssl_fc -m ip 10.0.0.1 # refused
 acl a method -m int 5 # refused
 http-request deny if
 http-request deny if a or
 http-request set-header "" a # refused
 http-request set-header X 100% # refused
 http-request set-var(txn.a,foo) path # refused
 http-request set-var(txn.a) res.hdr(a) # refused
 http-request sc-inc-gpc(0) # refused
 http-request sc-inc-gpc0(x) # refused
 http-request sc-inc-gpc0(0)
 http-request sc-set-gpt0(0) a b # refused
 http-request sc-foo # refused
 declare capture request len 5
 http-request capture path id 0 len 5 # refused
 http-request set-timeout server 5s # refused
 http-request strict-mode on x # refused
 http-request wait-for-body at-least 5 # refused
 http-request do-resolve(txn.a) src # refused
 http-request normalize-uri foo # refused
 http-request normalize-uri path-strip-dotdot full
 http-request use-service foo # refused
 http-request return status 200 default-errorfiles errorfiles x # refused
 http-response set-var(txn.a) path # refused
 http-response redirect location %[path] # refused
 http-after-response capture res.hdr(a) len 5 # refused
 tcp-request connection set-var(sess.a) path # refused
 tcp-request session capture src len 5 # refused
 tcp-request content capture req.ssl_sni id 0 # refused
 option forwardfor except foo # refused
 option forwardfor except 10.0.0.0/8
 option httplog foo # refused
 option http-restrict-req-hdr-names foo # refused
 email-alert foo x # refused
 email-alert level foo # refused
 log 127.0.0.1:514 len x local0 # refused
 log 127.0.0.1:514 format foo local0 # refused
 log-format "" # refused
 http-error status 999 content-type a string b # refused
 filter trace foo # refused
 filter cache # refused
 dispatch # refused
 stick on nosuch
 balance foo # refused
listen l from rules # refused
backend b from rules # refused
backend c
 use_backend # refused
 monitor fail # refused
 http-send-name-header # refused
 tcp-check connect port x # refused
 http-request capture path len 5 # refused
backend d
 dynamic-cookie-key x
 persist rdp-cookie(a)
 stick-table size 1k type ip store gpc(5),gpc_rate(5,1m)
 http-check connect proto foo # refused
 http-check send uri-lf %[nosuch] # refused
 http-check expect ok-status FOO status 200 # refused
 http-check expect on-error %[nosuch] status 200 # refused
 http-check set-var(foo.a) int(5) # refused
 http-check set-var(check.a) nosuch # refused
 http-check unset-var # refused
 http-check comment # refused
 http-check send-state x # refused
 tcp-check send a b # refused
 tcp-check send-binary 0 # refused
 tcp-check expect binary xx # refused
 default-server proxy-v2-options foo # refused
 server s1 10.0.0.1:80 check check-proto foo # refused
 balance url_param a foo # refused
 balance hdr(a # refused
 hash-balance-factor 50 # refused
 cookie a rewrite indirect # refused
 stick-table type ip size 1k store conn_rate # refused
 stick-table type ip size 1k store gpc(200) # refused
 option pgsql-check foo a # refused
 option mysql-check user a foo # refused
 retry-on 503 none # refused
 force-persist TRUE # refused
peers p
 default-bind foo # refused
 table t type foo size 1k # refused
 peer a 10.0.0.1:99999 # refused
peers p$ # refused
resolvers r
 nameserver n 10.0.0.1:53
 nameserver n 10.0.0.2:53 # refused
 timeout x 1s # refused
 accepted_payload_size 99999 # refused
mailers m
 mailer a 10.0.0.1 # refused
 timeout foo 5s # refused
userlist u
 group g foo a # refused
 user a foo b # refused
userlist u
http-errors x
cache c
 total-max-size 4
 max-secondary-entries 0 # refused
ring g
 size x # refused
 format foo # refused
 server s 127.0.0.1:514 foo # refused
fcgi-app x
 docroot /a
 path-info ( # refused
 option foo # refused
 option max-reqs 0 # refused
 pass-header X if nosuch # refused
 acl y nosuch # refused
log-forward w
 bind :91 foo # refused
 timeout server 5s # refused
.notice a b # refused
"#;

#[test]
fn lines_of_every_section_that_have_no_meaning_are_refused_and_no_others() {
    let refused = |line: &&str| line.ends_with("# refused");
    let marked: Vec<&str> = LINES.lines().filter(refused).collect();
    let with =
        |these: &[&str]| -> Vec<&str> { LINES.lines().filter(|line| !refused(line) || these.contains(line)).collect() };
    // More gaps than these are not shown.
    for these in marked.chunks(20) {
        let kept = with(these);
        let folder = folder(&[("haproxy.cfg", &format!("{}\n", kept.join("\n")))]);
        let ran = portcullis(folder.path(), &[], &["lint", "--path", "haproxy.cfg"]);
        let gaps = format!("{} gaps on head", these.len());
        assert_eq!((ran.code, ran.out.contains(&gaps)), (3, true), "{}", ran.out);
        for (number, line) in (1..).zip(kept).filter(|(_, line)| refused(line)) {
            assert!(ran.out.contains(&format!("haproxy.cfg:{number}:")), "{number} {line}: {}", ran.out);
        }
    }
    // HAProxy does not go on behind some of them. Without any of them it takes the file.
    for line in marked.into_iter().map(Some).chain([None]) {
        let kept = with(line.as_slice());
        let number = kept.iter().position(|other| Some(*other) == line).map(|before| before + 1);
        let folder = folder(&[("haproxy.cfg", &format!("{}\n", kept.join("\n")))]);
        let Some((taken, answer)) = answered(folder.path()) else { return };
        let told = number.is_none_or(|number| answer.contains(&format!("haproxy.cfg:{number}]")));
        assert_eq!((taken, told), (line.is_none(), true), "{line:?}: {answer}");
    }
}

/// Whether HAProxy takes a file, and what it says of it; `None`: it is not installed, or of another version.
fn answered(folder: &Path) -> Option<(bool, String)> {
    let version = Command::new("haproxy").arg("-v").output().ok()?.stdout;
    if !String::from_utf8_lossy(&version).contains("version 2.6") {
        return None;
    }
    let ran = Command::new("haproxy").args(["-c", "-f", "haproxy.cfg"]).current_dir(folder).output().ok()?;
    Some((ran.status.success(), String::from_utf8_lossy(&ran.stderr).into_owned()))
}

/// What is only missed once all lines are read.
#[test]
fn what_lines_name_and_files_do_not_have_is_refused() {
    for (front, back) in [
        ("http-request normalize-uri path-strip-dot", ""),
        ("http-request lua.foo", ""),
        ("bind :81 proto fcgi", ""),
        ("http-request use-service lua.foo", ""),
        ("http-request capture path id 5", ""),
        ("declare capture request len 5\n http-request capture path id 1", ""),
        ("http-request do-resolve(txn.a,nosuch) src", ""),
        ("http-request deny errorfiles nosuch", ""),
        ("http-request send-spoe-group a b", ""),
        ("http-response track-sc0 src", ""),
        ("http-request deny if { src_conn_rate gt 1 }", ""),
        ("http-request deny if { src,in_table }", ""),
        ("http-request deny if { fe_conn(nosuch) gt 1 }", ""),
        ("http-request deny if { sc_conn_rate(0,nosuch) gt 1 }", ""),
        ("email-alert mailers nosuch\n email-alert from a\n email-alert to b", ""),
        ("", "option external-check\n external-check command /x"),
        ("", "use_backend b if TRUE"),
        ("", "default_backend b"),
        ("", "default_backend nosuch"),
        ("", "server s2 10.0.0.2:80 track b/s2"),
        ("", "server s2 10.0.0.2:80 track s3\n server s3 10.0.0.3:80 track b/s2"),
        ("", "server s2 10.0.0.2:80 proto fcgi"),
    ] {
        let (code, said) = linted(front, back);
        assert_eq!((code > 0, said.contains("refuses")), (true, true), "{front} {back}: {said}");
        assert_ne!(asked(front, back), Some(true), "{front} {back}: HAProxy takes it");
    }
    for (front, back) in [
        ("declare capture request len 5\n http-request capture path id 0", "email-alert mailers nosuch"),
        ("http-request deny if { src,in_table(t) } { fe_conn(f) gt 1 } { src_conn_rate(t) gt 1 }", "default_backend t"),
        ("stick on src", "server s2 10.0.0.2:80 track s3\n server s3 10.0.0.3:80 track b/s1"),
        ("use_backend t if", "global\n external-check\nbackend o\n option external-check\n external-check command /x"),
    ] {
        let (code, said) = linted(front, back);
        assert!(code < 2, "{front} {back}: {said}");
        assert_ne!(asked(front, back), Some(false), "{front} {back}: HAProxy refuses it");
    }
}
