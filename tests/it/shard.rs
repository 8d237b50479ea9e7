//! A fleet judged in parts: what is joined is what would have been said of the whole, and less than all never passes.

use crate::cli::{Ran, portcullis};
use crate::folder::{folder, write};
use crate::tools::every;
use portcullis::report::OUTPUTS;
use serde_json::Value;
use std::fs;
use std::path::Path;
use tempfile::TempDir;

/// The time is given, so that a run is as another one a minute later.
const NOW: [&str; 2] = ["--now", "2026-11-20T08:00:00Z"];

fn whole(folder: &Path, sides: &[&str]) -> Ran {
    portcullis(folder, &[], &[&["check", "--output", "json"], sides, &NOW].concat())
}

/// Writes the reports of all parts into the folder, and gives their names.
fn parts(folder: &Path, sides: &[&str], of: usize) -> Vec<String> {
    let part = |number: usize| {
        let (shard, name) = (format!("{number}/{of}"), format!("{number}-of-{of}.json"));
        let output = format!("json={name}");
        let ran = portcullis(folder, &[], &[&["check", "--shard", &shard, "--output", &output], sides, &NOW].concat());
        let report: Value = serde_json::from_slice(&fs::read(folder.join(&name)).expect("a report")).expect("JSON");
        let code = match report["decision"].as_str() {
            Some("undecided") => 3,
            Some("blocked") => 1,
            Some("policy-error") => 2,
            Some(_) | None => 0,
        };
        assert!(code != 0 && ran.code == code, "{}: {}", report["decision"], ran.talk);
        name
    };
    (1..=of).map(part).collect()
}

fn merged(folder: &Path, output: &str, reports: &[String]) -> Ran {
    let reports: Vec<&str> = reports.iter().map(String::as_str).collect();
    portcullis(folder, &[], &[&["merge", "--output", output], &reports[..]].concat())
}

/// The whole and the parts of it say the same; of two parts, in every output.
fn same(folder: &Path, sides: &[&str], of: usize) {
    let (whole, reports) = (whole(folder, sides), parts(folder, sides, of));
    let joined = merged(folder, "json", &reports);
    assert!(
        joined.out == whole.out && joined.code == whole.code,
        "{of} parts:\n{}",
        first_difference(&whole.out, &joined.out)
    );
    // Whichever comes first.
    let reversed: Vec<String> = reports.iter().rev().cloned().collect();
    assert_eq!(merged(folder, "json", &reversed), joined);
    for output in OUTPUTS.iter().filter(|_| of == 2) {
        let whole = portcullis(folder, &[], &[&["check", "--output", output.name], sides, &NOW].concat());
        let joined = merged(folder, output.name, &reports);
        assert!(joined == whole, "{} of {of} parts:\n{}", output.name, first_difference(&whole.out, &joined.out));
    }
}

fn first_difference(whole: &str, joined: &str) -> String {
    let differs = whole.lines().zip(joined.lines()).position(|(a, b)| a != b);
    let at = differs.unwrap_or_else(|| whole.lines().count().min(joined.lines().count()));
    let around = |text: &str| text.lines().skip(at.saturating_sub(8)).take(20).collect::<Vec<_>>().join("\n");
    format!("line {}\n--- whole\n{}\n--- joined\n{}", at + 1, around(whole), around(joined))
}

#[test]
fn every_incident_is_the_same_whole_and_in_parts() {
    for incident in portcullis::cli::INCIDENTS {
        let folder = TempDir::new().expect("a folder");
        for (side, files) in [("base", incident.base), ("head", incident.head)] {
            write(&folder.path().join(side), files);
        }
        for of in 1..=3 {
            same(folder.path(), &["--old", "base", "--new", "head"], of);
        }
    }
}

const POLICY: &str = r#"version: 1
extends: [baseline, strict]
configurations:
  hosts: {files: ["hosts/*.rules"], each: true}
  lb: {files: [lb/haproxy.cfg]}
  one: {files: [fleet/one.json], format: balancer-inventory}
  two: {files: [fleet/two.json], format: balancer-inventory}
  nodes: {files: ["nodes/*.nft"], each: true}
  gone: {files: ["nothing/*"]}
networks:
  office: [198.51.100.0/24]
services:
  api: [tcp/8443]
people:
  bob: {github: {login: bob, id: 2}}
approvals: {count: 1}
freeze:
  - {name: night, from: "2026-11-20T00:00", to: "2026-11-20T20:00", zone: UTC}
checks:
  - {check: critical-ports, from: office, services: [ssh, api]}
  - {check: exposed-ports, name: ssh, from: any, services: [ssh], except: [office]}
  - {check: default-action, filters: ["hosts/h07/input", "hosts/h9*/input", "**/forward"], must_be: deny}
  - {check: protected-rules, objects: ["hosts/h03/filter/OWN", {comment: "keep*"}, {text: "*--dport 9100*"}, {comment: "never*"}]}
  - {check: protected-ranges, ranges: 10.0.0.0/30}
  - {check: deletion-limit, name: kinds, count: 3}
  - {check: deletion-limit, name: each, per: configuration, count: 0}
  - {check: deletion-limit, name: owners, kinds: [balancer], per: owner, percent: 50}
  - {check: deletion-limit, name: programs, stable: {observations: 3, over: 10m}, count: 100}
  - {check: empty-input, shrink: 40}
  - {check: required-coverage, in: ["hosts/h0*"], direction: ingress, networks: office, services: [tcp/443]}
  - {check: backend-consistency, balancer: [lb], sources: 10.9.0.1, filters: ["hosts/{server}/input"]}
  - {check: pool-capacity, minimum: 2}
  - {check: listener-changes, listeners: [www, nobody]}
  - {check: shadowed-rules, all: true}
  - {check: redundant-rules, all: true}
  - {check: duplicate-rules, all: true}
  - {check: rule-reason, pattern: "NET-[0-9]+", in: ["hosts/h1*", "elsewhere/*"]}
  - {check: unused-objects, all: true}
  - {check: family-gap}
  - check: required-approvals
    rules:
      - {name: opens, when: {opens: {from: any}}, count: 1, from: [bob]}
      - {name: much, when: {deletes_more_than: 4}, count: 2}
      - {name: rest, when: {any_effect: true}, count: 1}
      - {name: words, when: {no_effect: true}, none: {because: it is proved to be the same}}
  - {check: expected-flows, deny: ["tcp 203.0.113.9 -> any:22"], requests: {"GET http://example.org/x via :80": backend web}}
waivers:
  - {id: W-1, check: exposed-ports, name: ssh, flow: "tcp 192.0.2.0/24 -> any:22", owner: bob, reason: for the time being until the tunnel is there, ticket: N-1, created: 2026-11-01, expires: 2026-11-21}
  - {id: W-2, check: exposed-ports, name: ssh, flow: "tcp 192.0.2.5 -> any:22", owner: bob, reason: for the time being until the tunnel is there, ticket: N-2, created: 2026-11-01, expires: 2026-12-01}
"#;

/// The rules of a host. What stands in them depends on its number, the order of unknown conditions as well.
fn host(n: usize, head: bool) -> String {
    let unknown = ["-m recent --name a --rcheck", "-m recent --name b --rcheck", "-m recent --name c --rcheck"];
    let (x, y) = (unknown[n % 3], unknown[(n + 1) % 3]);
    let mut text = String::from(
        "*filter\n:INPUT DROP [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n:OWN - [0:0]\n:B - [0:0]\n:A - [0:0]\n",
    );
    let mut add = |line: &str| text.push_str(&format!("-A {line}\n"));
    add("INPUT -m state --state ESTABLISHED,RELATED -j ACCEPT");
    if !(head && n == 3) {
        add("OWN -s 10.0.0.1/32 -j ACCEPT");
    }
    add("INPUT -j OWN");
    if !(head && n % 5 == 1) {
        add("INPUT -s 198.51.100.0/24 -p tcp -m tcp --dport 22 -m comment --comment \"keep NET-1\" -j ACCEPT");
    }
    if head && n % 4 == 2 {
        add("INPUT -s 192.0.2.5/32 -p tcp -m tcp --dport 22 -j ACCEPT");
    }
    if head && n % 6 == 5 {
        add("INPUT -p tcp -m tcp --dport 22 -j ACCEPT");
    }
    add(&format!("INPUT {x} -p tcp -m tcp --dport {} -j B", 9000 + n));
    add(&format!("B {y} -j ACCEPT"));
    if head && n.is_multiple_of(3) {
        add(&format!("INPUT {y} -p udp -m udp --dport 53 -j A"));
        add(&format!("A {x} -j ACCEPT"));
    }
    if !(head && n % 7 == 4) {
        add("INPUT -p tcp -m tcp --dport 9100 -j ACCEPT");
    }
    add("INPUT -p tcp -m multiport --dports 80,443 -j ACCEPT");
    if n.is_multiple_of(4) {
        add("INPUT -p tcp -m tcp --dport 443 -j ACCEPT");
        add("INPUT -p tcp -m tcp --dport 443 -j ACCEPT");
    }
    if head && n == 8 {
        add("INPUT -m nonsense --what -j ACCEPT");
    }
    text.push_str("COMMIT\n");
    if head && n == 10 {
        text.push_str("*nat\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -p tcp --dport 80 -j DNAT --to-destination 10.0.0.9:80\nCOMMIT\n");
    }
    text
}

fn node(n: usize, head: bool) -> String {
    let policy = if head && n == 1 { "accept" } else { "drop" };
    let set = if head && n == 2 { "" } else { "elements = { 10.1.0.1, 10.1.0.2, 10.1.0.3 };" };
    format!(
        "table inet filter {{\n  set peers {{ type ipv4_addr; {set} }}\n  set spare {{ type ipv4_addr; }}\n  chain input {{\n    type filter hook input priority 0; policy {policy};\n    ct state established accept\n    ip saddr @peers accept comment \"keep it\"\n    tcp dport {} accept\n  }}\n}}\n",
        7000 + n
    )
}

fn balancers(of: &str, head: bool) -> String {
    let one = |n: usize| {
        format!(r#"{{"name": "{of}-{n}", "owner": "{}", "listeners": []}}"#, if n < 3 { "ann" } else { "bea" })
    };
    let all: Vec<String> = (0..6).filter(|n| !(head && *n < 3)).map(one).collect();
    format!(r#"{{"balancers": [{}]}}"#, all.join(", "))
}

fn haproxy(head: bool) -> String {
    let second = if head { "" } else { "  server h05 10.2.0.5:8080 check\n" };
    format!("frontend www\n  bind :80\n  default_backend web\nbackend web\n  server h04 10.2.0.4:8080 check\n{second}")
}

/// A fleet of configurations, and what a change does to it.
fn fleet() -> TempDir {
    let folder = TempDir::new().expect("a folder");
    for (side, head) in [("old", false), ("new", true)] {
        let mut files: Vec<(String, String)> = vec![
            ("portcullis.yaml".to_owned(), POLICY.to_owned()),
            ("lb/haproxy.cfg".to_owned(), haproxy(head)),
            ("fleet/one.json".to_owned(), balancers("one", head)),
            ("fleet/two.json".to_owned(), balancers("two", head)),
        ];
        files.extend((0..14).filter(|n| !(head && *n == 12)).map(|n| (format!("hosts/h{n:02}.rules"), host(n, head))));
        files.extend((0..4).filter(|n| head || *n != 3).map(|n| (format!("nodes/n{n}.nft"), node(n, head))));
        let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
        write(&folder.path().join(side), &files);
    }
    folder
}

const SIDES: [&str; 4] = ["--old", "old", "--new", "new"];

#[test]
fn a_fleet_is_the_same_whole_and_in_parts() {
    let folder = fleet();
    let text = whole(folder.path(), &SIDES).out;
    let report: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(report["decision"], "blocked", "{text}");
    // There is something of everything, so that it can get lost.
    let checks: std::collections::BTreeSet<&str> =
        report["findings"].as_array().expect("a list").iter().filter_map(|finding| finding["check"].as_str()).collect();
    for check in [
        "backend-consistency",
        "critical-ports",
        "default-action",
        "deletion-limit",
        "duplicate-rules",
        "empty-input",
        "expected-flows",
        "exposed-ports",
        "freeze-window",
        "listener-changes",
        "pool-capacity",
        "protected-ranges",
        "protected-rules",
        "redundant-rules",
        "required-approvals",
        "rule-reason",
        "unused-objects",
    ] {
        assert!(checks.contains(check), "{check}: {checks:?}");
    }
    for list in ["doubts", "gaps", "waivers"] {
        assert_ne!(report[list].as_array().map(Vec::len), Some(0), "{list}");
    }
    for of in [40, 1, 2, 3, 5, 21].into_iter().step_by(every(2)) {
        same(folder.path(), &SIDES, of);
    }
}

const CALM: &str = "version: 1\nconfigurations: {hosts: {files: [\"hosts/*.rules\"], each: true}}\nchecks:\n  \
    - {check: critical-ports, from: any, services: [tcp/443]}\n  - {check: deletion-limit, count: 10}\n";

/// A fleet and a change of it that passes.
fn calm() -> TempDir {
    let folder = folder(&[]);
    for side in ["old", "new"] {
        let hosts: Vec<(String, String)> = (0..5).map(|n| (format!("hosts/h{n}.rules"), host(n, false))).collect();
        let mut files: Vec<(&str, &str)> = hosts.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
        files.push(("portcullis.yaml", CALM));
        write(&folder.path().join(side), &files);
    }
    write(folder.path(), &[("new/hosts/h0.rules", &host(0, false).replace("--dports 80,443", "--dports 80,443,8080"))]);
    folder
}

#[test]
fn no_subset_of_the_parts_passes() {
    let folder = calm();
    assert_eq!(whole(folder.path(), &SIDES).code, 0);
    for of in [1, 2, 3, 4] {
        let reports = parts(folder.path(), &SIDES, of);
        for chosen in 0..1_usize << of {
            let some: Vec<String> =
                reports.iter().enumerate().filter(|(n, _)| chosen >> n & 1 == 1).map(|(_, r)| r.clone()).collect();
            let ran = merged(folder.path(), "json", &some);
            let code = match some.len() {
                // Not even a command line.
                0 => 2,
                n if n == of => 0,
                _ => 3,
            };
            assert_eq!(ran.code, code, "{some:?}: {}", ran.out);
        }
    }
}

/// What is said when something else is handed over than all parts of one run.
fn refusal(folder: &TempDir, reports: &[&str]) -> String {
    let reports: Vec<String> = reports.iter().map(|name| (*name).to_owned()).collect();
    let ran = merged(folder.path(), "json", &reports);
    let report: Value = serde_json::from_str(&ran.out).expect("JSON");
    assert_eq!((ran.code, report["decision"].as_str()), (3, Some("undecided")), "{}", ran.out);
    let doubts = report["doubts"].as_array().expect("a list");
    doubts.iter().filter_map(|doubt| doubt["message"].as_str()).collect::<Vec<_>>().join("; ")
}

#[test]
fn parts_of_different_runs_are_not_joined() {
    let folder = calm();
    let path = folder.path();
    parts(path, &SIDES, 2);
    parts(path, &SIDES, 3);
    let two = |first: &str| refusal(&folder, &[first, "2-of-2.json"]);
    assert_eq!(two("2-of-2.json"), "`2-of-2.json` and `2-of-2.json` are both part 2; of 2 parts these are missing: 1");
    assert_eq!(
        two("1-of-3.json"),
        "`1-of-3.json` and `2-of-2.json` are not parts of one run: they differ in how many parts there are; of 3 parts these \
         are missing: 3"
    );
    let again = |name: &str, sides: &[&str]| {
        let output = format!("json={name}");
        portcullis(path, &[], &[&["check", "--shard", "1/2", "--output", &output], sides, &NOW].concat());
    };
    let differ = |name: &str, what: &str| {
        assert_eq!(two(name), format!("`{name}` and `2-of-2.json` are not parts of one run: they differ in {what}"));
    };
    again("backwards.json", &["--old", "new", "--new", "old"]);
    // The policy is that of base.
    differ("backwards.json", "base, head, the policy, the files that were read");
    write(path, &[("other.yaml", &CALM.replace("count: 10", "count: 11"))]);
    again("policy.json", &[&SIDES[..], &["--policy", "other.yaml"]].concat());
    differ("policy.json", "the policy, the files that were read");
    // The paths are the same, and what stands there is not.
    write(path, &[("new/hosts/h1.rules", &host(1, true))]);
    again("later.json", &SIDES);
    differ("later.json", "the files that were read");
    let whole = whole(path, &SIDES).out;
    fs::write(path.join("whole.json"), whole).expect("written");
    assert_eq!(
        two("whole.json"),
        "`whole.json` cannot be joined: it is not the report of a part (`check --shard`), or a minimal one, of which nothing can \
         be joined (`--full-output json=FILE` writes all)"
    );
    assert!(two("none.json").starts_with("`none.json` cannot be read: "), "{}", two("none.json"));
}

#[test]
fn a_report_that_was_cut_or_edited_is_not_joined() {
    let folder = calm();
    parts(folder.path(), &SIDES, 2);
    let text = fs::read_to_string(folder.path().join("1-of-2.json")).expect("a report");
    let changed = |text: &str| {
        fs::write(folder.path().join("bad.json"), text).expect("written");
        refusal(&folder, &["bad.json", "2-of-2.json"])
    };
    for cut in (0..text.len()).step_by(text.len() / 40) {
        let said = changed(text.get(..cut).unwrap_or_default());
        assert!(said.starts_with("`bad.json` cannot be joined: it is not a whole report: "), "{said}");
    }
    let edited = "`bad.json` cannot be joined: it was changed after it was written";
    for (from, to) in [
        ("\"head_rules\": ", "\"head_rules\": 1"),
        ("\"number\": 1", "\"number\":  1"),
        ("\"findings\": [],", "\"findings\": [], \"more\": 1,"),
        ("\"digest\": \"", "\"digest\": \"0"),
        ("\"gaps\": []", "\"gaps\": []\n"),
    ] {
        assert!(text.contains(from), "{from}");
        assert_eq!(changed(&text.replacen(from, to, 1)), edited, "{from}");
    }
    assert_eq!(changed(&format!("{text}\n")), edited);
    let older = text.replace(env!("CARGO_PKG_VERSION"), "0.0.9");
    let said = changed(&older);
    assert_eq!(
        said,
        format!("`bad.json` cannot be joined: version 0.0.9 wrote it, and this is {}", env!("CARGO_PKG_VERSION"))
    );
}

#[test]
fn an_error_in_the_policy_is_one_in_parts_as_well() {
    let folder = calm();
    write(folder.path(), &[("old/portcullis.yaml", "version: 1\nchecks: [{check: critical-prots}]\n")]);
    same(folder.path(), &SIDES, 2);
    assert_eq!(whole(folder.path(), &SIDES).code, 2);
}

#[test]
fn a_part_is_asked_for_by_number() {
    let folder = calm();
    for wrong in ["0/2", "3/2", "1", "1/0", "a/b", "1/100000", "-1/2"] {
        let shard = format!("--shard={wrong}");
        let ran = portcullis(folder.path(), &[], &[&["check", &shard], &SIDES[..]].concat());
        assert_eq!(ran.code, 2, "{wrong}");
        assert!(ran.talk.contains("is no part: write for example 2/8"), "{}", ran.talk);
    }
    let ran = portcullis(folder.path(), &[], &[&["check", "--shard", "1/2"], &SIDES[..]].concat());
    assert_eq!(ran.code, 3);
    assert!(ran.out.contains("this is part 1 of 2: the other configurations were not judged"), "{}", ran.out);
}
