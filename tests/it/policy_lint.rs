//! `portcullis policy lint` and `policy coverage`: what is wrong with a policy, what in it does nothing, and which files
//! nobody judges.

use crate::cli::portcullis;
use crate::folder::folder;
use crate::repo::{Item, Repo};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use tempfile::TempDir;

const RULES: &str = "*filter\n:INPUT DROP [0:0]\n:FORWARD DROP [0:0]\n:OUTPUT ACCEPT [0:0]\n\
    -A INPUT -s 198.51.100.0/24 -p tcp -m tcp --dport 22 -j ACCEPT\nCOMMIT\n";
const POLICY: &str =
    "version: 1\nextends: [baseline]\nconfigurations:\n  hosts: {files: [\"hosts/*.rules\"], each: true}\n";

fn lint(policy: &str) -> (u8, Value) {
    let folder = folder(&[("portcullis.yaml", policy), ("hosts/web1.rules", RULES)]);
    let ran = portcullis(folder.path(), &[], &["policy", "lint", "--path", ".", "--output", "json"]);
    let report = serde_json::from_str(&ran.out).expect(&ran.talk);
    (ran.code, report)
}

/// The last part of the code of each, the line, and the message.
fn listed(report: &Value, key: &str) -> Vec<String> {
    let one = |problem: &Value| {
        let code = problem["code"].as_str().expect("a code").rsplit(':').next().expect("a part").to_owned();
        format!("{code} {}: {}", problem["location"]["line"], problem["message"].as_str().expect("a message"))
    };
    report[key].as_array().expect(key).iter().map(one).collect()
}

/// What is said of the present state of one host by a policy with these lines at the end.
fn warnings(more: &str) -> Vec<String> {
    let (code, report) = lint(&format!("{POLICY}{more}"));
    assert_eq!(listed(&report, "errors"), [""; 0]);
    let warnings = listed(&report, "warnings");
    assert_eq!(code, u8::from(!warnings.is_empty()), "{report:#}");
    warnings
}

#[test]
fn a_policy_without_fault_is_told_and_passes() {
    let folder = folder(&[("portcullis.yaml", POLICY), ("hosts/web1.rules", RULES)]);
    let ran = portcullis(folder.path(), &[], &["policy", "lint", "--path", "."]);
    let expected = "Configurations\n  hosts/web1  iptables-save, 1 file\n    filters  hosts/web1/forward, hosts/web1/input, \
        hosts/web1/output\nChecks\n  block    unreadable                       everything  (preset baseline:5:12)\n  \
        approve  policy-changes                   everything  (preset baseline:7:12)\n  block    empty-input                      \
        everything  (preset baseline:10:12)\n  block    deletion-limit                   everything  (preset baseline:12:12)\n  \
        approve  exposed-ports                    everything  (preset baseline:17:12)\n  block    freeze-window                    \
        everything  (always runs)\n  approve  required-approvals               everything  (always runs)\nportcullis.yaml: 0 \
        errors, 0 warnings\n";
    assert_eq!((ran.code, ran.out.as_str(), ran.talk.as_str()), (0, expected, ""));
}

#[test]
fn errors_are_all_named_with_their_places_and_weigh_most() {
    let (code, report) =
        lint(&format!("{POLICY}netwoks: {{a: any}}\nchecks:\n  - {{check: critical-port, services: ssh}}\n"));
    let errors = ["unknown_key 5: there is no key `netwoks` here", "unknown_name 7: there is no check `critical-port`"];
    assert_eq!((code, listed(&report, "errors")), (2, errors.map(str::to_owned).to_vec()));
    let folder = folder(&[("portcullis.yaml", "version: 1\nnetwoks: {a: any}\n")]);
    let ran = portcullis(folder.path(), &[], &["policy", "lint", "--path", "."]);
    assert_eq!(ran.code, 2);
    assert!(
        ran.out.contains("there is no key `netwoks` here") && ran.out.contains("portcullis.yaml:2:1"),
        "{}",
        ran.out
    );
}

#[test]
fn what_has_no_effect_is_named() {
    assert_eq!(warnings(""), [""; 0]);
    assert_eq!(
        warnings(
            "networks: {a: 10.0.0.0/8, b: a, c: any}\nservices: {s: [tcp/1]}\nchecks:\n  - {check: exposed-ports, from: c, services: any, to: 10.0.0.1, level: warn}\n"
        ),
        [
            "never-used 5: nothing uses `a` of `networks`",
            "never-used 5: nothing uses `b` of `networks`",
            "never-used 6: nothing uses `s` of `services`"
        ]
    );
    assert_eq!(
        warnings(
            "networks: {a: 10.0.0.0/8}\nchecks:\n  - {check: critical-ports, from: a, services: ssh, in: [\"hosts/web2/*\"]}\n"
        ),
        [
            "check-matches-nothing 7: `hosts/web2/*` names no configuration and no filter of either side (critical-ports)"
        ]
    );
    assert_eq!(
        warnings("checks:\n  - {check: pool-capacity, minimum: 2}\n"),
        ["check-sees-nothing 6: `pool-capacity` never sees anything: there is no load balancer in what it is about"]
    );
    assert_eq!(
        warnings("environments: {production: [\"edge\"]}\n"),
        ["environment-matches-nothing 5: `edge` of the environment `production` names no configuration"]
    );
    let two = "configurations: {hosts: {files: [\"hosts/*.rules\", \"hosts/*.v4\"]}}\n";
    let (code, report) = lint(&format!("version: 1\nextends: [baseline]\n{two}"));
    assert_eq!(code, 1);
    assert_eq!(listed(&report, "warnings"), ["pattern-matches-nothing 3: `hosts/*.v4` of `hosts` matches no file"]);
    let unseen = "version: 1\nconfigurations: {hosts: {files: [\"hosts/*.rules\"]}}\nchecks: [{check: unreadable}]\n";
    assert_eq!(
        listed(&lint(unseen).1, "warnings"),
        ["configuration-unchecked 2: no check sees `hosts`: any change of it that can be read passes"]
    );
}

#[test]
fn entries_that_seem_to_weaken_others_are_named() {
    let entry = |text: &str| warnings(&format!("checks:\n  - {{{text}}}\n"));
    assert_eq!(
        entry("check: deletion-limit, level: off"),
        ["entry-without-effect 6: `level: off` does not switch off the other `deletion-limit`, which stays as it is"]
    );
    assert_eq!(
        entry("check: deletion-limit, count: 1000"),
        ["entry-without-effect 6: `count: 1000` does not weaken the `deletion-limit` of a preset, which holds as well"]
    );
    assert_eq!(entry("check: deletion-limit, count: 5"), [""; 0]);
    assert_eq!(
        entry("check: exposed-ports, services: ssh, except: [198.51.100.0/24]"),
        ["entry-without-effect 6: `except` does not weaken the `exposed-ports` of a preset, which holds as well"]
    );
    assert_eq!(entry("check: exposed-ports, services: http, except: [198.51.100.0/24]"), [""; 0]);
}

#[test]
fn approvals_that_cannot_be_had_and_waivers_that_ended_are_named() {
    let people =
        "people:\n  alice: {github: {login: alice, id: 1}}\n  bob: {}\nteams: {netsec: {people: [alice, bob]}}\n";
    let wanted = |count: usize| {
        let (_, report) = lint(&format!("{POLICY}{people}approvals: {{count: {count}, from: [netsec]}}\n"));
        (listed(&report, "errors"), listed(&report, "warnings"))
    };
    let none = Vec::<String>::new;
    assert_eq!(
        wanted(1),
        (none(), vec!["approvals-out-of-reach 9: a change by alice can never be approved: it needs all of them, and nobody approves their own".to_owned()])
    );
    assert_eq!(
        wanted(2),
        (none(), vec!["approvals-out-of-reach 9: nobody can give 2 approvals: 1 of those in `from` have an account; these do not: bob".to_owned()])
    );
    assert_eq!(wanted(3), (vec!["value 9: 3 approvals are asked for, and `from` has 2 people".to_owned()], none()));
    let waiver = |check: &str, expires: &str| {
        warnings(&format!(
            "people: {{alice: {{}}}}\nwaivers:\n  - {{id: W-1, check: {check}, flow: \"tcp 198.51.100.0/24 -> any:22\", owner: alice, \
             reason: the old office is still in use, ticket: NET-1, expires: {expires}}}\n"
        ))
    };
    assert_eq!(waiver("exposed-ports", "2020-01-31"), ["waiver-expired 7: the waiver `W-1` ended after 2020-01-31"]);
    assert_eq!(
        waiver("protected-ranges", "9999-01-01"),
        ["waiver-unused 7: the waiver `W-1` holds nothing yet: until 9999-01-01 is longer than allowed"]
    );
}

#[test]
fn what_is_not_understood_is_not_known() {
    let gap = RULES.replace("-j ACCEPT", "-m nonsense --really -j ACCEPT");
    let folder = folder(&[("portcullis.yaml", POLICY), ("hosts/web1.rules", &gap)]);
    let ran = portcullis(folder.path(), &[], &["policy", "lint", "--path", "."]);
    assert_eq!(ran.code, 3, "{}", ran.out);
    assert!(ran.out.contains("not known: hosts/web1.rules:5:"), "{}", ran.out);
    let nothing = TempDir::new().expect("a folder");
    assert_eq!(portcullis(nothing.path(), &[], &["policy", "lint", "--path", "."]).code, 2);
    assert_eq!(portcullis(nothing.path(), &[], &["policy", "coverage", "--path", "."]).code, 2);
    assert_eq!(portcullis(nothing.path(), &[], &["policy", "lint", "--path", "nowhere"]).code, 3);
}

fn coverage(folder: &Path, more: &[&str]) -> (u8, String) {
    let ran = portcullis(folder, &[], &[&["policy", "coverage"], more].concat());
    assert_eq!(ran.talk, "");
    (ran.code, ran.out)
}

#[test]
fn files_that_nobody_judges_come_first() {
    let repo = Repo::new();
    let files: [(&[u8], &str, &[u8]); 5] = [
        (b"portcullis.yaml", "100644", POLICY.as_bytes()),
        (b"hosts/web1.rules", "100644", RULES.as_bytes()),
        (b"edge/gw.rules", "100644", RULES.as_bytes()),
        (b"README.md", "100644", b"# Hosts\n"),
        (b"latest", "120000", b"hosts"),
    ];
    repo.commit(&[], &files);
    repo.checkout();
    // Git does not know it, and no configuration claims it.
    repo.write("scratch/x.rules", RULES);
    let expected = "Looks like configuration, and nobody judges it:\n  edge/gw.rules  iptables-save\n  help: add it to \
        `files` of a configuration, or name it with --except\n\nJudged:\n  hosts/web1.rules  hosts/web1 (iptables-save)\n    \
        seen by deletion-limit, empty-input, exposed-ports, freeze-window, policy-changes, required-approvals, \
        unreadable\nThe policy, and what it refers to: portcullis.yaml\nNot judged, of no known format: README.md\nNot \
        followed: `latest` is a symbolic link to `elsewhere`\n1 of 4 files are judged; 1 look like configuration and are not; 0 \
        patterns match nothing\n";
    assert_eq!(coverage(repo.folder.path(), &[]), (1, expected.to_owned()));
    let (code, out) = coverage(repo.folder.path(), &["--except", "edge/**", "--output", "json"]);
    let report: Value = serde_json::from_str(&out).expect("JSON");
    let roles: Vec<(&str, &str)> = report["files"]
        .as_array()
        .expect("files")
        .iter()
        .map(|file| (file["path"].as_str().expect("a path"), file["role"].as_str().expect("a role")))
        .collect();
    let all = [
        ("README.md", "other"),
        ("edge/gw.rules", "excepted"),
        ("hosts/web1.rules", "claimed"),
        ("portcullis.yaml", "policy"),
    ];
    assert_eq!((code, roles), (0, all.to_vec()));
    assert_eq!(coverage(repo.folder.path(), &["--rev", "HEAD", "--except", "edge/**"]).0, 0);
}

#[test]
fn what_a_configuration_includes_is_judged_with_it() {
    let policy =
        "version: 1\nextends: [baseline]\nconfigurations: {edge: {files: [\"edge/main.nft\", \"edge/none.nft\"]}}\n";
    let main = "include \"./sets.nft\"\ntable inet filter { chain input { type filter hook input priority 0; policy drop; } }\n";
    let folder =
        folder(&[("portcullis.yaml", policy), ("edge/main.nft", main), ("edge/sets.nft", "define ports = { 22 }\n")]);
    let (code, out) = coverage(folder.path(), &["--path", "."]);
    assert_eq!(code, 1, "{out}");
    assert!(out.contains("portcullis.yaml:3:50  `edge/none.nft` of `edge`"), "{out}");
    assert!(out.contains("  edge/sets.nft  edge (nftables, included)\n"), "{out}");
    let (code, out) = coverage(folder.path(), &["--path", ".", "--output", "json"]);
    let report: Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!((code, report["unmatched"][0]["pattern"].as_str()), (1, Some("edge/none.nft")));
}

#[test]
fn the_past_is_judged_step_by_step() {
    let repo = Repo::new();
    let at = |rules: &str| -> [(Vec<u8>, String); 1] { [(b"hosts/web1.rules".to_vec(), rules.to_owned())] };
    let mut parents = Vec::new();
    let open = RULES.replace("-s 198.51.100.0/24 ", "");
    for rules in [RULES, RULES, &open, "not rules\n", RULES] {
        let [(path, text)] = at(rules);
        parents = vec![repo.commit(&parents, &[(&path, "100644", text.as_bytes())])];
    }
    repo.checkout();
    repo.write("portcullis.yaml", POLICY);
    let run = |more: &[&str]| portcullis(repo.folder.path(), &[], &[&["policy", "try"], more].concat());
    let ran = run(&["--output", "json"]);
    let report: Value = serde_json::from_str(&ran.out).expect(&ran.talk);
    let steps = report["steps"].as_array().expect("steps").iter();
    let steps: Vec<&str> = steps.map(|step| step["decision"].as_str().expect("a decision")).collect();
    // The newest comes first; the first commit of all has nothing before it.
    assert_eq!((ran.code, steps), (0, vec!["undecided", "blocked", "needs-approval", "pass"]), "{report:#}");
    let ran = run(&["--last", "2"]);
    assert_eq!(ran.out.lines().last(), Some("2 steps: 0 pass, 0 needs-approval, 1 blocked, 1 undecided"));
    let ran = run(&[]);
    assert!(
        ran.out.ends_with("4 steps, all that there are: 1 pass, 1 needs-approval, 1 blocked, 1 undecided\n"),
        "{}",
        ran.out
    );
    repo.write("draft.yaml", "version: 2\n");
    assert_eq!(run(&["--policy", "draft.yaml"]).code, 2);
    assert_eq!(run(&["--policy", "nothing.yaml"]).code, 2);
    assert_eq!(run(&["--rev", "nowhere"]).code, 3);
    assert_eq!(run(&["--last", "0"]).code, 2);
}

#[test]
fn real_merges_are_judged_each_with_a_reason() {
    let Some(found) = crate::corpus::real("nftables") else { return };
    let router = "nftables/rotkonetworks+networking/backup__nftables__bkk0";
    let mut dated: Vec<(&str, String, &[u8])> = Vec::new();
    for real in &found {
        if let (true, Some((stem, rest))) = (real.path.starts_with(router), real.path.split_once('@')) {
            dated.push((rest, stem.replace("nftables/rotkonetworks+networking/", "routers/") + ".nft", &real.bytes));
        }
    }
    dated.sort();
    let merged = dated.split_off(dated.len() - 24);
    let mut files: BTreeMap<String, &[u8]> = dated.into_iter().map(|(_, path, text)| (path, text)).collect();
    let repo = Repo::new();
    let commit = |files: &BTreeMap<String, &[u8]>, parents: &[git2::Oid]| {
        let items: Vec<Item<'_>> = files.iter().map(|(path, text)| (path.as_bytes(), "100644", *text)).collect();
        repo.commit(parents, &items)
    };
    let mut main = commit(&files, &[]);
    for (_, path, text) in merged {
        files.insert(path, text);
        let change = commit(&files, &[main]);
        main = commit(&files, &[main, change]);
    }
    repo.checkout();
    repo.write(
        "portcullis.yaml",
        "version: 1\nextends: [baseline]\nconfigurations: {routers: {files: [\"routers/*.nft\"], each: true}}\n",
    );
    let run = || portcullis(repo.folder.path(), &[], &["policy", "try", "--last", "20"]);
    let (ran, again) = (run(), run());
    assert_eq!((ran.code, ran.talk.as_str()), (0, ""));
    assert_eq!(ran.out, again.out);
    assert!(ran.out.lines().last().is_some_and(|line| line.starts_with("20 steps: ")), "{}", ran.out);
    let lines: Vec<&str> = ran.out.lines().collect();
    for (line, next) in lines.iter().zip(lines.iter().skip(1)) {
        let decided = line.split_whitespace().nth(1).unwrap_or_default();
        let why = ["needs-approval", "blocked", "undecided"].contains(&decided);
        assert_eq!(why, next.starts_with("   "), "{}", ran.out);
    }
}
