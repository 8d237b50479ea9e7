//! Whether hosts are what they should be, from dumps: nothing that is empty, old, missing or not understood is equal.

use crate::cli::{Ran, portcullis};
use std::fs;
use std::time::{Duration, SystemTime};
use tempfile::TempDir;

const RULES: &str = "table inet filter {\n\tset allow {\n\t\ttype ipv4_addr\n\t\telements = { 10.0.0.1, 10.0.0.2 }\n\t}\n\n\
    \tchain input {\n\t\ttype filter hook input priority filter; policy drop;\n\t\tct state established,related accept\n\
    \t\ttcp dport 6379 ip saddr @allow accept\n\t}\n}\n";
const DOCKER: &str =
    "table ip docker {\n\tchain forward {\n\t\ttype filter hook forward priority filter; policy drop;\n\t}\n}\n";
const SAVED: &str = "*filter\n:INPUT DROP [12:34]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n\
    -A INPUT -p tcp -m tcp --dport 22 -j ACCEPT\nCOMMIT\n";

struct Host(TempDir);

impl Host {
    fn with(files: &[(&str, &str)]) -> Self {
        let host = Self(TempDir::new().expect("a folder"));
        for (path, text) in files {
            host.write(path, text);
        }
        host
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.0.path().join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, text).expect("written");
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        portcullis(self.0.path(), &[], &[&["verify"], arguments].concat())
    }

    /// The code and the first line.
    fn says(&self, arguments: &[&str]) -> (u8, String) {
        let ran = self.run(arguments);
        (ran.code, ran.out.lines().next().unwrap_or(&ran.talk).to_owned())
    }
}

const EQUAL: &str = "EQUAL: host: what is in force is what is expected, proved for every packet";
const DIFFERS: &str = "DIFFERS: host: what is in force is not what is expected";
const VERIFY: [&str; 4] = ["--expected", "web.nft", "--live", "live.txt"];

/// The dump `live.txt` against `web.nft`.
fn of(live: &str, more: &[&str]) -> (u8, String) {
    Host::with(&[("web.nft", RULES), ("live.txt", live)]).says(&[&VERIFY, more].concat())
}

#[test]
fn e17_another_text_that_means_the_same_is_equal() {
    let reordered = RULES.replace("10.0.0.1, 10.0.0.2", "10.0.0.2,\n10.0.0.1").replace("priority filter", "priority 0");
    assert_eq!(of(&reordered, &[]), (0, EQUAL.to_owned()));
    let counted = SAVED.replace("[12:34]", "[99:99]");
    let host = Host::with(&[("rules.v4", SAVED), ("dump", &counted)]);
    assert_eq!(host.says(&["--expected", "rules.v4", "--live", "dump"]), (0, EQUAL.to_owned()));
}

#[test]
fn e16_what_differs_is_told_with_a_packet() {
    let host = Host::with(&[("web.nft", RULES), ("live.txt", &RULES.replace(", 10.0.0.2", ""))]);
    let ran = host.run(&VERIFY);
    assert_eq!(ran.code, 4, "{}", ran.out);
    let lines: Vec<&str> = ran.out.lines().map(str::trim).collect();
    assert_eq!(lines[0], DIFFERS);
    assert!(lines.contains(&"packet    tcp 10.0.0.2:1024 -> 192.0.2.2:6379 new in eth0"), "{}", ran.out);
    assert!(lines.iter().any(|line| line.starts_with("expected  allows it, web.nft:10:3")), "{}", ran.out);
    assert!(lines.iter().any(|line| line.starts_with("live      denies it, live.txt:8:")), "{}", ran.out);
    let json = host.run(&[&VERIFY[..], &["--output", "json"]].concat());
    let report: serde_json::Value = serde_json::from_str(&json.out).expect("JSON");
    assert_eq!((json.code, report["outcome"].as_str()), (4, Some("differs")));
    assert_eq!(report["hosts"][0]["live_rules"], 2);
}

#[test]
fn e18_a_host_without_rules_is_a_case_of_its_own() {
    let none = "DIFFERS: host: no rule at all is in force; 2 rules are expected".to_owned();
    let listing = r#"{"nftables": [{"metainfo": {"version": "1.0.6", "json_schema_version": 1}}]}"#;
    assert_eq!(of(listing, &[]), (4, none));
    let open = "*filter\n:INPUT ACCEPT [7:7]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\nCOMMIT\n";
    let host = Host::with(&[("rules.v4", SAVED), ("dump", open)]);
    let one = "DIFFERS: host: no rule at all is in force; 1 rule is expected".to_owned();
    assert_eq!(host.says(&["--expected", "rules.v4", "--live", "dump"]), (4, one));
}

#[test]
fn e18_an_empty_dump_is_not_verified() {
    for empty in ["", "\n \n"] {
        let (code, line) = of(empty, &[]);
        let said = "NOT VERIFIED: host: the dump `live.txt` is empty: a command that failed leaves such a file behind";
        assert_eq!((code, line.as_str()), (3, said));
    }
}

#[test]
fn e12_what_is_not_understood_is_never_equal() {
    let unread = RULES.replace("accept\n\t\ttcp", "accept\n\t\tfrobnicate 7\n\t\ttcp");
    let host = Host::with(&[("web.nft", &unread), ("live.txt", &unread)]);
    assert_eq!(host.says(&VERIFY).0, 3);
    assert_eq!(of("no such thing\n", &[]).0, 3);
    let host = Host::with(&[("web.nft", ""), ("live.txt", r#"{"nftables": [{"metainfo": {}}]}"#)]);
    assert_eq!(host.says(&VERIFY).0, 3, "nothing is expected, and nothing is there: that is no proof");
    let cut = RULES.trim_end().trim_end_matches('}');
    assert_eq!(of(cut, &["--foreign", "ip docker"]).0, 3);
}

#[test]
fn e12_what_a_listing_only_names_is_never_equal() {
    let named = RULES.replace("accept\n\t\ttcp", "accept\n\t\txt match \"string\" drop\n\t\ttcp");
    let host = Host::with(&[("web.nft", &named), ("live.txt", &named)]);
    let said = "NOT VERIFIED: host: the listing only names conditions that are kept elsewhere: xt".to_owned();
    assert_eq!(host.says(&VERIFY), (3, said));
    let set = SAVED.replace("-p tcp", "-m set --match-set good src -p tcp");
    let host = Host::with(&[("rules.v4", &set), ("dump", &set)]);
    let said = "NOT VERIFIED: host: the listing only names conditions that are kept elsewhere: set".to_owned();
    assert_eq!(host.says(&["--expected", "rules.v4", "--live", "dump"]), (3, said));
}

#[test]
fn e16_a_foreign_table_that_nobody_declares_is_a_difference() {
    let with = format!("{RULES}{}", DOCKER.replace("policy drop", "policy accept"));
    assert_eq!(of(&with, &[]), (4, DIFFERS.to_owned()));
    assert_eq!(of(&with, &["--foreign", "ip docker"]), (0, EQUAL.to_owned()));
    assert_eq!(of(&with, &["--foreign", "ip6 docker"]).0, 4);
    assert_eq!(of(RULES, &["--foreign", "*"]), (0, EQUAL.to_owned()), "what is expected is nobody else's");
    assert_eq!(of(DOCKER, &["--foreign", "*"]).0, 4);
}

#[test]
fn e16_tables_of_others_are_declared_in_the_policy() {
    let with = format!("{RULES}{}", DOCKER.replace("policy drop", "policy accept"));
    let says = |tables: &str, more: &[&str]| {
        let policy = format!(
            "version: 1\nextends: [baseline]\nconfigurations: {{web: {{files: [web.nft]}}}}\nforeign_tables: {tables}\n"
        );
        let host = Host::with(&[("web.nft", RULES), ("live.txt", &with), ("portcullis.yaml", &policy)]);
        host.says(&[&VERIFY, &["--policy", "portcullis.yaml"][..], more].concat())
    };
    assert_eq!(says("[{table: \"ip docker*\", owner: docker}]", &[]), (0, EQUAL.to_owned()));
    assert_eq!(says("[{table: \"ip libvirt\", owner: libvirt}]", &[]), (4, DIFFERS.to_owned()));
    // Besides those of the command line.
    assert_eq!(says("[{table: \"ip libvirt\", owner: libvirt}]", &["--foreign", "docker"]), (0, EQUAL.to_owned()));
    // One that decides first has to be said to.
    let early = "type filter hook input priority -10; policy accept;\n\t\ttcp dport 6379 drop";
    let early = format!("{RULES}{}", DOCKER.replace("type filter hook forward priority filter; policy drop;", early));
    let first = |first: &str| {
        let policy = format!(
            "version: 1\nextends: [baseline]\nconfigurations: {{web: {{files: [web.nft]}}}}\n\
             foreign_tables: [{{table: \"ip docker\", owner: docker{first}}}]\n"
        );
        let host = Host::with(&[("web.nft", RULES), ("live.txt", &early), ("portcullis.yaml", &policy)]);
        host.says(&[&VERIFY, &["--policy", "portcullis.yaml"][..]].concat()).0
    };
    assert_eq!([first(""), first(", first: false"), first(", first: true")], [4, 4, 0]);
    // A policy that is wrong, or is none, judges nobody.
    for wrong in ["[{table: \"*\", owner: all}]", "[{table: nat}]", "[{table: nat, ownr: x}]", "[]", "nat"] {
        assert_eq!(says(wrong, &[]).0, 2, "{wrong}");
    }
    let host = Host::with(&[("web.nft", RULES), ("live.txt", RULES)]);
    assert_eq!(host.says(&[&VERIFY, &["--policy", "none.yaml"][..]].concat()).0, 3);
    assert_eq!(host.says(&[&VERIFY, &["--policy", "."][..]].concat()).0, 2);
}

#[test]
fn e16_a_foreign_table_that_decides_first_is_a_difference() {
    let early = |hook: &str, priority: &str| {
        let chain = format!("type filter hook {hook} priority {priority}; policy accept;\n\t\ttcp dport 6379 drop");
        format!("{RULES}{}", DOCKER.replace("type filter hook forward priority filter; policy drop;", &chain))
    };
    let first = "DIFFERS: host: tables of others decide before those that are expected: ip docker".to_owned();
    let declared = ["--foreign", "ip docker"];
    assert_eq!(of(&early("input", "-10"), &declared), (4, first.clone()));
    assert_eq!(of(&early("prerouting", "0"), &declared), (4, first));
    assert_eq!(of(&early("input", "10"), &declared).0, 0, "it decides what is left over");
    assert_eq!(of(&early("input", "-10"), &["--foreign-first", "docker"]), (0, EQUAL.to_owned()));
    let unread = format!("{RULES}table ip docker {{\n\tchain c {{\n\t\txt match \"conntrack\"\n\t}}\n}}\n");
    assert_eq!(of(&unread, &declared).0, 3, "nobody knows what it does");
    assert_eq!(of(&unread, &["--foreign-first", "ip docker"]), (0, EQUAL.to_owned()));
}

#[test]
fn e16_a_foreign_table_that_writes_what_expected_rules_read_is_a_difference() {
    let marked = RULES.replace("accept\n\t\ttcp", "accept\n\t\tmeta mark 5 accept\n\t\tip dscp 7 accept\n\t\ttcp");
    let writer = |hook: &str, writes: &str| {
        format!("table ip d {{\n\tchain p {{\n\t\ttype filter hook {hook} priority -300;\n\t\t{writes}\n\t}}\n}}\n")
    };
    let of = |expected: &str, theirs: &str, more: &[&str]| {
        let host = Host::with(&[("web.nft", expected), ("live.txt", &format!("{expected}{theirs}"))]);
        host.says(&[&VERIFY, more].concat())
    };
    let said = |what: &str| {
        let said = "DIFFERS: host: tables of others write what rules that are expected read: ip d";
        (4, format!("{said}: {what}"))
    };
    let mark = "`meta mark 0x5 in inet filter/input`";
    for hook in ["prerouting", "output"] {
        assert_eq!(of(&marked, &writer(hook, "meta mark set 5"), &["--foreign", "ip d"]), said(mark), "{hook}");
    }
    assert_eq!(of(&marked, &writer("output", "ct mark set 5"), &["--foreign", "ip d"]), said(mark));
    let dscp = of(&marked, &writer("prerouting", "ip dscp set 7"), &["--foreign", "ip d"]);
    assert!(dscp.0 == 4 && dscp.1.contains("dscp"), "{dscp:?}");
    assert_eq!(
        of(&marked, &writer("prerouting", "meta mark set 5"), &["--foreign-first", "ip d"]),
        (0, EQUAL.to_owned())
    );
    assert_eq!(of(RULES, &writer("prerouting", "meta mark set 5"), &["--foreign", "ip d"]), (0, EQUAL.to_owned()));
    // What is no filter reads them too.
    let nat = "table ip n {\n\tchain p {\n\t\ttype nat hook prerouting priority -100;\n\
        \t\tmeta l4proto tcp meta mark 5 redirect to :22\n\t}\n}\n";
    let both = format!("{nat}{RULES}");
    let redirected = of(&both, &writer("prerouting", "meta mark set 5"), &["--foreign", "ip d"]);
    assert!(redirected.0 == 4 && redirected.1.contains("ip d"), "{redirected:?}");
    assert_eq!(of(&both, &writer("prerouting", "counter"), &["--foreign", "ip d"]), (0, EQUAL.to_owned()));
    let mangle = "*mangle\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -j MARK --set-xmark 0x5/0xffffffff\nCOMMIT\n";
    let filter = SAVED.replace("-A INPUT -p tcp", "-A INPUT -m mark --mark 0x5 -j ACCEPT\n-A INPUT -p tcp");
    let nat =
        "*nat\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -p tcp -m mark --mark 0x5 -j REDIRECT --to-ports 22\nCOMMIT\n";
    for (rules, code) in [(filter, 4), (format!("{nat}{SAVED}"), 4), (SAVED.to_owned(), 0)] {
        let host = Host::with(&[("rules.v4", &rules), ("dump", &format!("{mangle}{rules}"))]);
        let (ended, line) = host.says(&["--expected", "rules.v4", "--live", "dump", "--foreign", "mangle"]);
        assert_eq!(ended, code, "{line}");
    }
}

#[test]
fn e16_elements_are_left_out_only_of_sets_that_expected_rules_add_to() {
    let set = |elements: &str| {
        format!(
            "\tset seen {{\n\t\ttype ipv4_addr\n\t\tsize 99\n\t\tflags dynamic,timeout\n{elements}\t}}\n\n\tchain input"
        )
    };
    let rules = |elements: &str, rule: &str| {
        let rules = RULES.replace("\tchain input", &set(elements));
        rules.replace("accept\n\t\ttcp", &format!("accept\n\t\t{rule}\n\t\ttcp"))
    };
    let of = |expected: &str, live: &str| {
        let host = Host::with(&[("web.nft", expected), ("live.txt", live)]);
        host.says(&VERIFY)
    };
    let brought = "\t\telements = { 203.0.113.9 timeout 1m expires 5s }\n";
    let adds = "tcp dport 22 add @seen { ip saddr timeout 1m } accept";
    let equal = format!("{EQUAL} whatever packets put into sets: the elements of inet filter seen are not compared");
    assert_eq!(of(&rules("", adds), &rules(brought, adds)), (0, equal.clone()));
    assert_eq!(of(&rules("", adds), &rules("", adds)), (0, EQUAL.to_owned()));
    let reads = "ip saddr @seen accept";
    assert_eq!(of(&rules("", reads), &rules(brought, reads)), (4, DIFFERS.to_owned()));
    // The same in JSON, as `nft -j list ruleset` has it.
    let json = |elements: &str, rule: &str| {
        let expressions =
            |left: &str, right: &str| format!(r#"{{"match": {{"op": "==", "left": {left}, "right": {right}}}}}"#);
        let saddr = r#"{"payload": {"protocol": "ip", "field": "saddr"}}"#;
        let dport = |port: &str| expressions(r#"{"payload": {"protocol": "tcp", "field": "dport"}}"#, port);
        let rule_of = |expressions: &str| {
            let head = r#"{"rule": {"family": "inet", "table": "filter", "chain": "input", "expr": ["#;
            format!(r#"{head}{expressions}, {{"accept": null}}]}}}}"#)
        };
        let state = r#"{"match": {"op": "in", "left": {"ct": {"key": "state"}}, "right": ["established", "related"]}}"#;
        let allowed = format!("{}, {}", dport("6379"), expressions(saddr, r#""@allow""#));
        let named = |name: &str, more: &str| {
            format!(
                r#"{{"set": {{"family": "inet", "name": "{name}", "table": "filter", "type": "ipv4_addr"{more}}}}}"#
            )
        };
        let items = [
            r#"{"metainfo": {"json_schema_version": 1}}"#.to_owned(),
            r#"{"table": {"family": "inet", "name": "filter"}}"#.to_owned(),
            named("allow", r#", "elem": ["10.0.0.1", "10.0.0.2"]"#),
            named("seen", &format!(r#", "size": 99, "flags": ["timeout", "dynamic"]{elements}"#)),
            concat!(
                r#"{"chain": {"family": "inet", "table": "filter", "name": "input", "type": "filter", "hook": "input", "#,
                r#""prio": 0, "policy": "drop"}}"#
            )
            .to_owned(),
            rule_of(state),
            rule_of(rule),
            rule_of(&allowed),
        ];
        format!(r#"{{"nftables": [{}]}}"#, items.join(", "))
    };
    let brought = r#", "elem": [{"elem": {"val": "203.0.113.9", "timeout": 60, "expires": 5}}]"#;
    let added = concat!(
        r#"{"match": {"op": "==", "left": {"payload": {"protocol": "tcp", "field": "dport"}}, "right": 22}}, "#,
        r#"{"set": {"op": "add", "elem": {"elem": {"val": {"payload": {"protocol": "ip", "field": "saddr"}}, "timeout": 60}}, "#,
        r#""set": "@seen"}}"#
    );
    let read =
        r#"{"match": {"op": "==", "left": {"payload": {"protocol": "ip", "field": "saddr"}}, "right": "@seen"}}"#;
    for expected in [rules("", adds), json("", added)] {
        assert_eq!(of(&expected, &json(brought, added)), (0, equal.clone()));
    }
    for expected in [rules("", reads), json("", read)] {
        assert_eq!(of(&expected, &json("", read)), (0, EQUAL.to_owned()));
        assert_eq!(of(&expected, &json(brought, read)), (4, DIFFERS.to_owned()));
    }
}

#[test]
fn e16_only_owned_tables_count_of_what_is_expected() {
    let two = format!("flush ruleset\n{RULES}table inet other {{\n}}\n");
    let host = Host::with(&[("web.nft", &two), ("live.txt", RULES)]);
    assert_eq!(host.says(&VERIFY).0, 4);
    assert_eq!(host.says(&[&VERIFY[..], &["--owned", "inet filter"]].concat()), (0, EQUAL.to_owned()));
    assert_eq!(host.says(&[&VERIFY[..], &["--owned", "inet fliter"]].concat()).0, 4);
}

#[test]
fn e16_chains_of_others_in_iptables_are_declared_by_name() {
    let docker = SAVED.replace(
        "-A INPUT",
        ":DOCKER - [0:0]\n-A INPUT -j DOCKER\n-A DOCKER -p tcp -m tcp --dport 22 -j DROP\n-A DOCKER -j RETURN\n-A INPUT",
    );
    let host = Host::with(&[("rules.v4", SAVED), ("dump", &docker)]);
    let says = |more: &[&str]| host.says(&[&["--expected", "rules.v4", "--live", "dump"], more].concat());
    assert_eq!(says(&[]), (4, DIFFERS.to_owned()));
    let first = "DIFFERS: host: tables of others decide before those that are expected: filter/DOCKER".to_owned();
    assert_eq!(says(&["--foreign", "filter/DOCKER"]), (4, first));
    assert_eq!(says(&["--foreign-first", "*/DOCKER*"]), (0, EQUAL.to_owned()));
    host.write("dump", &docker.replace("--dport 22 -j DROP", "--dport 80 -j DROP"));
    assert_eq!(says(&["--foreign", "filter/DOCKER"]), (0, EQUAL.to_owned()), "that is denied anyway");
}

#[test]
fn e27_an_old_dump_is_not_verified() {
    let host = Host::with(&[("web.nft", RULES), ("live.txt", RULES)]);
    let age = |hours: u64| {
        let file = fs::File::options().write(true).open(host.0.path().join("live.txt")).expect("a file");
        file.set_modified(SystemTime::now() - Duration::from_secs(hours * 3600)).expect("a time");
        host.says(&[&VERIFY[..], &["--max-age", "24h"]].concat())
    };
    assert_eq!(age(1), (0, EQUAL.to_owned()));
    assert_eq!(age(30), (3, "NOT VERIFIED: host: the dump is 30 hours old; at most 24 hours are allowed".to_owned()));
    let dump = format!("# Generated by iptables-save v1.8.9 on Sat Nov  7 23:27:55 2020\n{SAVED}");
    let host = Host::with(&[("rules.v4", SAVED), ("dump", &dump)]);
    let (code, line) = host.says(&["--expected", "rules.v4", "--live", "dump", "--max-age", "24h"]);
    assert!(code == 3 && line.ends_with("as it says itself"), "{line}");
}

#[test]
fn e24_a_host_that_is_missed_is_a_failure() {
    let listing = r#"{"nftables": [{"metainfo": {"json_schema_version": 1}}]}"#;
    let host = Host::with(&[
        ("hosts/web1.nft", RULES),
        ("hosts/web2.nft", RULES),
        ("hosts/web3.nft", RULES),
        ("hosts/web4.rules", SAVED),
        ("hosts.txt", "web1 # the first\n\nweb2\nweb3\nweb4\nweb5\n"),
        ("dumps/web1.nft", RULES),
        ("dumps/web2.json", listing),
        ("dumps/web4/rules.v4", SAVED),
        ("dumps/web5.nft", RULES),
        ("dumps/web9.nft", RULES),
    ]);
    let ran = host.run(&["--expected", "hosts", "--fleet", "dumps", "--inventory", "hosts.txt"]);
    let dumps = host.0.path().join("dumps").display().to_string();
    let table: Vec<String> =
        ran.out.lines().take_while(|line| !line.is_empty()).map(|line| line.trim().replace(&dumps, "DUMPS")).collect();
    assert_eq!(
        table,
        [
            "of 6: 2 equal, 1 differing, 3 not verified",
            "web1      EQUAL         what is in force is what is expected, proved for every packet",
            "web2      DIFFERS       no rule at all is in force; 2 rules are expected",
            "web3      NOT VERIFIED  there is no dump of it in `DUMPS`",
            "web4      EQUAL         what is in force is what is expected, proved for every packet",
            "web5      NOT VERIFIED  there is nothing in `hosts` that is expected of `web5`",
            "web9.nft  NOT VERIFIED  the inventory names no such host",
        ]
    );
    assert_eq!(ran.code, 4);
    fs::write(host.0.path().join("dumps/web2.json"), RULES).expect("written");
    let code = || host.run(&["--expected", "hosts", "--fleet", "dumps", "--inventory", "hosts.txt"]).code;
    assert_eq!(code(), 3);
    host.write("dumps/web3.nft", RULES);
    host.write("hosts/web5.nft", RULES);
    fs::remove_file(host.0.path().join("dumps/web9.nft")).expect("removed");
    assert_eq!(code(), 0);
    for wrong in ["", "# none\n", "web1\nweb1\n", "../web1\n"] {
        host.write("hosts.txt", wrong);
        assert_eq!(code(), 2, "{wrong:?}");
    }
}

#[test]
fn putting_one_family_of_iptables_into_force_is_a_usage_error() {
    let policy = "version: 1\nextends: [baseline]\nconfigurations: {web: {files: [rules.*]}}\n";
    let host = Host::with(&[("pol.yaml", policy), ("tree/rules.v4", SAVED), ("tree/rules.other", SAVED)]);
    let apply = |proposed: &[&str]| {
        let fixed = [
            "apply",
            "--policy",
            "pol.yaml",
            "--tree",
            "tree",
            "--live",
            "live:iptables",
            "--journal",
            "j",
            "--no-unit",
        ];
        portcullis(host.0.path(), &[], &[&fixed, proposed].concat())
    };
    let one = apply(&["--proposed", "rules.v4"]);
    let says = "error: of iptables the files of both families are put into force together, and";
    let help = " help: name both, and say by their names which is which: --proposed rules.v4 --proposed rules.v6\n\
                nothing was changed\n";
    assert_eq!((one.code, one.talk), (2, format!("{says} only one is proposed\n{help}")));
    let both = apply(&["--proposed", "rules.v4", "--proposed", "rules.other"]);
    let why = "the names of those that are proposed do not say which is which";
    assert_eq!((both.code, both.talk), (2, format!("{says} {why}\n{help}")));
}

#[test]
fn what_cannot_be_read_of_a_host_is_refused_by_name() {
    let host = Host::with(&[("web.nft", RULES)]);
    for (target, says) in [
        ("live:haproxy", "`live:haproxy` is nothing that can be read of a host"),
        ("live:haproxy:relative.sock", "`live:haproxy:relative.sock` is nothing that can be read of a host"),
        ("live:nftables", "`live:nftables` is nothing that can be read of a host"),
    ] {
        let line = format!("NOT VERIFIED: host: {says}");
        assert_eq!(host.says(&["--expected", "web.nft", "--live", target]), (3, line));
    }
    assert_eq!(host.says(&["--expected", "web.nft", "--live", "nowhere"]).0, 3);
    assert_eq!(host.says(&["--expected", "nowhere", "--live", "web.nft"]).0, 3);
    assert_eq!(host.run(&["--expected", "web.nft"]).code, 2);
    let ran = host.run(&["--expected", "web.nft", "--live", "live:nft", "--netns", "/nonexistent/ns"]);
    assert_eq!(ran.code, 3, "{}", ran.out);
    let ran = portcullis(host.0.path(), &[], &["diff", "web.nft", "live:nft", "--netns", "/nonexistent/ns"]);
    assert_eq!((ran.code, ran.out.as_str()), (3, ""), "{}", ran.talk);
}
