//! `portcullis simulate`: which mistakes a policy lets through.

use crate::blessed;
use crate::cli::{Ran, portcullis};
use crate::repo::Repo;
use portcullis::formats::{self, Input};
use portcullis::model::Store;
use portcullis::mutants::{Edit, Kind, Site, attempts, chosen, sites};
use portcullis::text::SourceMap;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

const POLICY: &str = "\
version: 1
configurations:
  web: {files: [\"fw/*.rules\"], each: true}
  edge: {files: [\"fw/edge.nft\"]}
  lb: {files: [\"lb/haproxy.cfg\"]}
networks: {partners: {feed: feeds/partners.txt}}
checks:
  - {check: critical-ports, name: ssh, in: [\"web/web/input\"], from: 198.51.100.0/24, to: any, services: [tcp/22]}
  - {check: exposed-ports, from: any, services: [postgres]}
  - {check: required-coverage, in: [edge], direction: ingress, networks: partners, services: [tcp/443]}
";
const WEB: &str = "\
*filter
:INPUT DROP [0:0]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A INPUT -s 198.51.100.0/24 -p tcp -m tcp --dport 22 -j ACCEPT
-A INPUT -s 10.0.0.9/32 -p tcp -m tcp --dport 443 -j DROP
-A INPUT -s 10.0.0.0/8 -p tcp -m tcp --dport 443 -j ACCEPT
COMMIT
";
const EDGE: &str = "\
include \"partners.nft\"
table inet t {
    set office {
        type ipv4_addr
        flags interval
        elements = { 198.51.100.0/25, 198.51.100.128/26 }
    }
    chain input {
        type filter hook input priority filter; policy drop;
        ip saddr @office tcp dport 22 accept
        ip saddr $partners tcp dport { 80, 443 } accept
    }
}
";
const BALANCER: &str = "\
frontend www
    mode http
    bind 203.0.113.7:80
    acl is_api path_beg /api
    use_backend api if is_api
    default_backend web
backend web
    mode http
    server web1 10.0.0.1:80 check weight 10
    server web2 10.0.0.2:80 check
backend api
    mode http
    server api1 10.0.0.3:80
";
const FILES: [(&str, &str); 6] = [
    ("portcullis.yaml", POLICY),
    ("feeds/partners.txt", "192.0.2.0/24\n203.0.113.0/24\n"),
    ("fw/web.rules", WEB),
    ("fw/edge.nft", EDGE),
    ("fw/partners.nft", "define partners = { 192.0.2.0/24, 203.0.113.0/24 }\n"),
    ("lb/haproxy.cfg", BALANCER),
];

fn simulated(repo: &Repo, arguments: &[&str]) -> (u8, Value) {
    let all = [&["simulate", "--output", "json"], arguments].concat();
    let Ran { code, out, talk } = portcullis(repo.folder.path(), &[], &all);
    (code, serde_json::from_str(&out).unwrap_or_else(|why| unreachable!("{why}: {out}{talk}")))
}

fn mutants(report: &Value) -> &Vec<Value> {
    report["mutants"].as_array().expect("a list")
}

#[test]
fn mistakes_are_made_judged_and_told_with_what_would_stop_them() {
    let repo = Repo::of(&FILES);
    let text = portcullis(repo.folder.path(), &[], &["simulate"]);
    blessed::compare(Path::new("tests/it/reports/simulation.txt"), &text.out);
    assert_eq!((text.code, text.talk.as_str()), (1, ""));
    let (code, report) = simulated(&repo, &[]);
    blessed::compare(Path::new("tests/it/reports/simulation.json"), &format!("{report:#}\n"));
    assert_eq!(code, 1);
}

#[test]
fn the_suggested_checks_stop_what_they_are_suggested_for() {
    let (_, before) = simulated(&Repo::of(&FILES), &[]);
    let checks =
        before["suggestions"].as_array().expect("a list").iter().map(|one| one["check"].as_str().expect("text"));
    let policy = checks.fold(POLICY.to_owned(), |policy, check| format!("{policy}  - {check}\n"));
    let mut files = FILES;
    files[0].1 = &policy;
    let (_, after) = simulated(&Repo::of(&files), &[]);
    let survivors = |report: &Value, advised: bool| -> BTreeSet<String> {
        let passed = mutants(report).iter().filter(|mutant| mutant["result"] == "passed");
        let mine = passed.filter(|mutant| !advised || !mutant["suggestion"].is_null());
        mine.map(|mutant| format!("{} {}:{}:{}", mutant["kind"], mutant["path"], mutant["line"], mutant["column"]))
            .collect()
    };
    let (advised, left) = (survivors(&before, true), survivors(&after, false));
    assert!(!advised.is_empty());
    assert_eq!(advised.intersection(&left).collect::<Vec<_>>(), Vec::<&String>::new());
}

#[test]
fn a_mistake_is_judged_as_check_judges_it() {
    let repo = Repo::of(&FILES);
    let (_, report) = simulated(&repo, &[]);
    let mut compared = 0;
    for path in ["fw/web.rules", "fw/edge.nft", "fw/partners.nft", "lb/haproxy.cfg", "feeds/partners.txt"] {
        let text = fs::read(repo.folder.path().join(path)).expect("there");
        let mut sources = SourceMap::default();
        let id = sources.add(path.as_bytes(), text.clone()).expect("small");
        let input = Input { name: path.to_owned(), format: None, files: vec![id] };
        let mut store = Store::default();
        let (snapshot, _, _) = formats::read(&[input], &sources, &mut store, None);
        let configurations = snapshot.configurations().iter().map(|configuration| &**configuration);
        for site in sites(configurations, &[id], &store, &sources) {
            // Of others it is not known here which way was taken.
            let Ok([edit]) = <[Edit; 1]>::try_from(attempts(&site, &sources)) else { continue };
            let at = sources.locate(site.at);
            let same = |one: &&Value| {
                one["kind"] == site.kind.name()
                    && one["path"] == path
                    && one["line"] == at.line
                    && one["column"] == at.column
            };
            let Some(mutant) = mutants(&report).iter().find(same) else { continue };
            let file = repo.folder.path().join(path);
            match edit {
                Edit::Lost(_) => fs::remove_file(&file).expect("there"),
                Edit::Text(_, text) => fs::write(&file, text).expect("written"),
            }
            let checked = portcullis(repo.folder.path(), &[], &["check", "--output", "json"]);
            fs::write(&file, &text).expect("written");
            let decision = serde_json::from_str::<Value>(&checked.out).expect("JSON")["decision"].clone();
            let expected = match mutant["result"].as_str() {
                Some("stopped") => mutant["decision"].clone(),
                Some("passed") => "pass".into(),
                _ => continue,
            };
            assert_eq!(decision, expected, "{mutant:#}\n{}", checked.out);
            compared += 1;
        }
    }
    assert!(compared > 20, "{compared}");
}

#[test]
fn of_many_places_each_kind_has_its_share_and_the_cut_is_said() {
    let repo = Repo::of(&FILES);
    let (_, all) = simulated(&repo, &[]);
    let (_, some) = simulated(&repo, &["--limit", "12"]);
    assert_eq!((&some["places"], &some["judged"]), (&all["places"], &12.into()));
    assert_eq!(some["kinds"].as_array().map(Vec::len), Some(Kind::ALL.len()));
    let ran = portcullis(repo.folder.path(), &[], &["simulate", "--limit", "12"]);
    assert_eq!(ran.talk, format!("note: 12 of {} places were mutated; --limit says how many\n", all["places"]));
    let (_, servers) = simulated(&repo, &["--kind", "removed-server"]);
    assert_eq!((&servers["places"], &servers["kinds"][0]["kind"]), (&3.into(), &"removed-server".into()));
}

#[test]
fn the_choice_is_spread_over_all_places() {
    let mut sources = SourceMap::default();
    let id = sources.add(b"f", Vec::new()).expect("small");
    let site = |kind, start| Site {
        kind,
        at: portcullis::text::Span { source: id, start, end: start + 1 },
        with: portcullis::mutants::With::Alone,
    };
    let mut all: Vec<Site> = (0..100).map(|n| site(Kind::DeletedRule, n)).collect();
    all.push(site(Kind::LostFile, 0));
    let starts: Vec<(Kind, u32)> = chosen(all, 5).into_iter().map(|site| (site.kind, site.at.start)).collect();
    let rule = |n| (Kind::DeletedRule, n);
    assert_eq!(starts, [rule(0), rule(25), rule(50), rule(75), (Kind::LostFile, 0)]);
}

#[test]
fn survivors_fail_unless_they_are_allowed_and_approvals_can_be_taken_as_given() {
    let files = [
        (
            "portcullis.yaml",
            "version: 1\nconfigurations: {web: {files: [\"fw/*.rules\"]}}\napprovals: {count: 1}\n\
        checks:\n  - {check: exposed-ports, services: [postgres]}\n",
        ),
        ("fw/web.rules", WEB),
    ];
    let repo = Repo::of(&files);
    let (code, report) = simulated(&repo, &[]);
    assert_eq!((code, &report["passed"]), (0, &0.into()), "{report:#}");
    let (code, report) = simulated(&repo, &["--approved"]);
    let passed = report["passed"].as_u64().expect("a number");
    assert!(code == 1 && passed > 5, "{report:#}");
    let allowed = passed.to_string();
    assert_eq!(simulated(&repo, &["--approved", "--allow", &allowed]).0, 0);
}

#[test]
fn nothing_is_learnt_where_the_tree_does_not_pass_or_cannot_be_read() {
    let gap = WEB.replace("-j DROP", "-j NOWHERE");
    let mut files = FILES;
    files[2].1 = &gap;
    let repo = Repo::of(&files);
    let ran = portcullis(repo.folder.path(), &[], &["simulate"]);
    assert_eq!(ran.code, 3);
    assert!(ran.talk.contains("what is there does not pass its own policy"), "{}", ran.talk);
    let policy = POLICY.replace("exposed-ports", "no-such-check");
    files[0].1 = &policy;
    assert_eq!(portcullis(Repo::of(&files).folder.path(), &[], &["simulate"]).code, 2);
    assert_eq!(portcullis(repo.folder.path(), &[], &["simulate", "--kind", "deletd-rule"]).code, 2);
    assert_eq!(portcullis(repo.folder.path(), &[], &["simulate", "--rev", "nothing"]).code, 3);
}

/// What the first attempt at each place of a kind makes of a text that no format reads.
fn made(kind: Kind, text: &str) -> Vec<String> {
    let mut sources = SourceMap::default();
    let id = sources.add(b"text", text.into()).expect("small");
    let mine =
        sites(std::iter::empty(), &[id], &Store::default(), &sources).into_iter().filter(|site| site.kind == kind);
    let edits = mine.filter_map(|site| attempts(&site, &sources).into_iter().next());
    edits
        .map(|edit| match edit {
            Edit::Text(_, text) => String::from_utf8(text).expect("text"),
            Edit::Lost(_) => "lost".to_owned(),
        })
        .collect()
}

#[test]
fn lists_are_emptied_and_cut_off_in_whatever_notation() {
    let terraform = "cidr_blocks = [\"10.0.0.0/8\", \"a,b\", \"c\"]\nports = [1]\n";
    assert_eq!(made(Kind::EmptiedList, terraform), ["cidr_blocks = []\nports = [1]\n"]);
    assert_eq!(made(Kind::TruncatedList, terraform), ["cidr_blocks = [\"10.0.0.0/8\", \"a,b\"]\nports = [1]\n"]);
    let nft = "elements = { 192.0.2.1, 192.0.2.2 }\nchain c { accept; drop }\n# { a, b }\n";
    assert_eq!(made(Kind::EmptiedList, nft), ["elements = {}\nchain c { accept; drop }\n# { a, b }\n"]);
    assert_eq!(made(Kind::TruncatedList, nft), ["elements = { 192.0.2.1 }\nchain c { accept; drop }\n# { a, b }\n"]);
    let json = "{\"a\": [{\"b\": 1}, {\"b\": 2}], \"c\": \"[1, 2]\"}";
    assert_eq!(made(Kind::EmptiedList, json), ["{\"a\": [], \"c\": \"[1, 2]\"}"]);
    assert_eq!(made(Kind::TruncatedList, json), ["{\"a\": [{\"b\": 1}], \"c\": \"[1, 2]\"}"]);
    let yaml = "ingress:\n  - from: x\n    to: y\n  - from: z\nrest: 1\n";
    assert_eq!(made(Kind::EmptiedList, yaml), ["ingress: []\nrest: 1\n"]);
    assert_eq!(made(Kind::TruncatedList, yaml), ["ingress:\n  - from: x\n    to: y\nrest: 1\n"]);
    assert_eq!(made(Kind::TruncatedFile, "a\nb\n\nc\nd\n"), ["a\nb\n\n"]);
    assert_eq!(made(Kind::LostFile, "a"), ["lost"]);
}
