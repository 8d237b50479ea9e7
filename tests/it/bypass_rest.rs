//! Ways past the gate through what is opened, asked, deleted and carried from place to place. The numbers are those of the
//! list of threats.

use crate::cli::{Ran, portcullis};
use crate::signed::{REPOSITORY, SHUT, Site, refusal};
use crate::tools::{self, git, repository};
use std::fs;
use std::path::Path;
use tempfile::TempDir;

type Files<'a> = &'a [(&'a str, &'a str)];

fn write(folder: &Path, files: Files<'_>) {
    for (name, text) in files {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        fs::write(path, text).expect("written");
    }
}

/// Two folders, the new one with these files instead of those of the old one.
fn check(base: Files<'_>, head: Files<'_>, more: &[&str]) -> Ran {
    let folder = TempDir::new().expect("a folder");
    let (old, new) = (folder.path().join("old"), folder.path().join("new"));
    write(&old, base);
    write(&new, base);
    write(&new, head);
    portcullis(folder.path(), &[], &[&["check", "--old", "old", "--new", "new"], more].concat())
}

const ASK: &str = "version: 1\napprovals: {count: 1}\nconfigurations: {fw: {files: [main.nft]}, lb: {files: [haproxy.cfg]}, \
    web: {files: [nginx.conf]}, hosts: {files: [web.rules]}}\nchecks: [{check: freeze-window}]\n";
const NFT: &str = "table inet t {\n chain input {\n  type filter hook input priority 0; policy drop;\n  include \"./rules.d/*.nft\"\n }\n}\n";
const HAPROXY: &str = "defaults\n  mode http\nfrontend www\n  bind :80\n  acl bad src -f bad.lst\n  http-request deny if bad\n  \
    default_backend site\nbackend site\n  server s 10.0.0.2:80\n";
const NGINX: &str =
    "events {}\nhttp {\n server {\n  listen 80;\n  include help.md;\n  location / { return 200; }\n }\n}\n";

const ALL: Files<'static> = &[
    ("portcullis.yaml", ASK),
    ("main.nft", NFT),
    ("rules.d/a.nft", "tcp dport 22 ip saddr 10.0.0.1 accept\n"),
    ("haproxy.cfg", HAPROXY),
    ("bad.lst", "192.0.2.1\n"),
    ("nginx.conf", NGINX),
    ("help.md", "location /admin { return 403; }\n"),
    ("web.rules", SHUT),
];

#[test]
fn a22_what_only_a_program_opens_is_part_of_what_it_does() {
    assert_eq!(check(ALL, &[], &[]).code, 0);
    let ran = check(ALL, &[("bad.lst", "192.0.2.2\n")], &[]);
    assert_eq!((ran.code, ran.out.contains("bad.lst") || ran.out.contains("192.0.2.")), (1, true), "{}", ran.out);
    // A file of another format that is not there, and a program that is run, are not known.
    for more in ["  acl more src -f none.lst\n  http-request deny if more\n", "  http-request lua.decide\n"] {
        let text = HAPROXY.replace("  default_backend", &format!("{more}  default_backend"));
        let ran = check(ALL, &[("haproxy.cfg", &text)], &[]);
        assert_ne!(ran.code, 0, "{more}: {}", ran.out);
    }
}

#[test]
fn a23_what_is_not_rendered_yet_is_not_judged() {
    for (name, text) in [
        ("main.nft", NFT.replace("policy drop", "policy {{ policy }}")),
        ("main.nft", NFT.replace("policy drop;", "policy drop; tcp dport { {{ ports | join(',') }} } accept")),
        ("web.rules", SHUT.replace("--dport 22", "--dport {{ ssh_port }}")),
        (
            "web.rules",
            SHUT.replace("COMMIT", "{% for a in admins %}\n-A INPUT -s {{ a }} -j ACCEPT\n{% endfor %}\nCOMMIT"),
        ),
        ("haproxy.cfg", HAPROXY.replace("bind :80", "bind :{{ port }}")),
        ("nginx.conf", NGINX.replace("listen 80", "listen {{ port }}")),
    ] {
        let ran = check(ALL, &[(name, &text)], &[]);
        assert_eq!(ran.code, 3, "{name}: {}", ran.out);
    }
    // An output that was edited by hand is what is judged, and what a record is of: its source does not matter.
    let edited = SHUT.replace("-s 198.51.100.0/24 ", "");
    assert_eq!(check(ALL, &[("web.rules", &edited), ("templates/web.rules.j2", SHUT)], &[]).code, 1);
}

#[test]
fn b03_the_example_runs_whatever_is_changed_and_its_job_cannot_be_skipped() {
    let text =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/github/portcullis.yml")).expect("text");
    let code: Vec<&str> = text.lines().filter(|line| !line.trim_start().starts_with('#')).collect();
    let job: Vec<&str> = code
        .iter()
        .copied()
        .skip_while(|line| *line != "  portcullis:")
        .skip(1)
        .take_while(|line| line.is_empty() || line.starts_with("    "))
        .collect();
    // Of the job itself, not of its steps.
    let keys: Vec<&str> =
        job.iter().filter_map(|line| line.strip_prefix("    ")).filter(|line| !line.starts_with([' ', '-'])).collect();
    let keys: Vec<&str> = keys.iter().filter_map(|line| line.split(':').next()).filter(|key| !key.is_empty()).collect();
    assert_eq!(keys, ["runs-on", "timeout-minutes", "permissions", "steps"]);
    let never = ["paths:", "paths-ignore:", "continue-on-error", "|| true", "pull_request_target", "fail-on"];
    assert!(never.iter().all(|word| code.iter().all(|line| !line.contains(word))), "{text}");
}

#[test]
fn b14_a_text_that_only_looks_like_documentation_is_judged_by_what_it_does() {
    let ran = check(ALL, &[("help.md", "# all are welcome\n")], &[]);
    assert_eq!(ran.code, 1, "{}", ran.out);
    assert!(ran.out.contains("/admin"), "{}", ran.out);
    // One that nothing opens does nothing.
    assert_eq!(check(ALL, &[("README.md", "location /admin { return 200; }\n")], &[]).code, 0);
}

#[test]
fn b16_a_lower_level_in_the_same_change_lowers_nothing() {
    let policy = "version: 1\npolicy_owners: [alice]\npeople: {alice: {github: {login: alice, id: 1}}}\n\
        configurations: {hosts: {files: [web.rules]}}\nchecks:\n  - {check: exposed-ports, from: any, services: [ssh], level: block}\n";
    let base = [("portcullis.yaml", policy), ("web.rules", SHUT)];
    let open = SHUT.replace("-s 198.51.100.0/24 ", "");
    for lower in ["warn", "off", "approve"] {
        let weaker = policy.replace("level: block", &format!("level: {lower}"));
        let ran = check(&base, &[("portcullis.yaml", &weaker), ("web.rules", &open)], &[]);
        assert!(ran.code == 1 && ran.out.starts_with("BLOCKED"), "{}", ran.out);
        // Alone, it asks those who answer for the policy.
        let ran = check(&base, &[("portcullis.yaml", &weaker)], &[]);
        assert!(ran.code == 1 && ran.out.contains("policy-changes"), "{}", ran.out);
    }
}

#[test]
fn b17_no_policy_comes_from_somewhere_else() {
    let extends = |what: &str| {
        let policy = format!("version: 1\nextends: [{what}]\nconfigurations: {{hosts: {{files: [web.rules]}}}}\n");
        check(&[("portcullis.yaml", &policy), ("web.rules", SHUT)], &[("other.yaml", ASK)], &[]).code
    };
    assert_eq!(extends("baseline"), 0);
    for other in [
        "acme/policies@main",
        "\"https://example.org/p.yaml\"",
        "./other.yaml",
        "other.yaml",
        "../baseline",
        "Baseline",
    ] {
        assert_eq!(extends(other), 2, "{other}");
    }
}

#[test]
fn c23_code_owners_neither_approve_nor_are_asked() {
    let open = SHUT.replace("-s 198.51.100.0/24 ", "");
    let report = |owners: &[(&str, &str)]| {
        let base = [&[("portcullis.yaml", ASK)], &ALL[1..], owners].concat();
        let folder = TempDir::new().expect("a folder");
        write(&folder.path().join("old"), &base);
        write(&folder.path().join("new"), &base);
        write(&folder.path().join("new"), &[("web.rules", &open)]);
        let ran = portcullis(folder.path(), &[], &["check", "--old", "old", "--new", "new", "--output", "json"]);
        let report: serde_json::Value = serde_json::from_str(&ran.out).expect("JSON");
        (ran.code, report["decision"].clone(), report["findings"].clone())
    };
    // Whatever it says, in whichever of its three places, whether it can be read or not.
    let none = report(&[]);
    assert_eq!((none.0, none.1.as_str()), (1, Some("needs-approval")));
    for place in [".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS"] {
        for text in ["* @everybody\n", "*.rules\n", "*.rules @sec\n/web.rules @dev\n", "!web.rules @[\n"] {
            assert_eq!(report(&[(place, text)]), none, "{place}: {text}");
        }
    }
    // A policy that relies on it is wrong, not silently weaker.
    for key in ["codeowners: require\n", "approvals_by: codeowners\n"] {
        let policy = format!("{ASK}{key}");
        assert_eq!(check(&[("portcullis.yaml", &policy), ("web.rules", SHUT)], &[], &[]).code, 2, "{key}");
    }
    let from = ASK.replace("count: 1", "count: 1, from: [codeowners]");
    assert_eq!(check(&[("portcullis.yaml", &from), ("web.rules", SHUT)], &[], &[]).code, 2);
}

/// A set of so many addresses, as a generator writes it.
fn generated(addresses: usize) -> String {
    let list: Vec<String> = (0..addresses).map(|n| format!("10.0.{}.{}", n / 200, n % 200 + 1)).collect();
    let elements = if list.is_empty() { String::new() } else { format!("elements = {{ {} }}", list.join(", ")) };
    format!(
        "table inet t {{\n set nodes {{ type ipv4_addr; {elements} }}\n chain input {{\n  type filter hook input priority 0; policy drop;\n  ip saddr @nodes accept\n }}\n}}\n"
    )
}

#[test]
fn e14_a_generator_that_found_nothing_or_too_little_removes_nothing() {
    let policy = "version: 1\nconfigurations: {fw: {files: [main.nft]}}\nchecks:\n  - {check: empty-input, shrink: 40}\n  \
        - {check: required-approvals, rules: [{name: all, when: {any_effect: true}, none: {because: \"only the guard counts\"}}]}\n";
    let full = generated(100);
    let code = |text: &str| check(&[("portcullis.yaml", policy), ("main.nft", &full)], &[("main.nft", text)], &[]).code;
    let by_count = [0, 1, 59, 60, 61, 99, 100, 140].map(|n| code(&generated(n)));
    assert_eq!(by_count, [1, 1, 1, 1, 0, 0, 0, 0]);
    // A file of nothing, a comment, and one that was cut short.
    for text in ["", "\n", "# generated\n", &full[..full.len() / 2]] {
        assert_ne!(code(text), 0, "{text}");
    }
}

#[test]
fn e25_what_a_job_says_of_itself_changes_nothing_where_it_is_put_into_force() {
    let site = Site::usual();
    assert_eq!(site.attest("1", &[]).code, 0);
    let at = |name: &str| site.path(name).display().to_string();
    let (record, roots, state) = (at("record.json"), at("roots.json"), at("state.json"));
    let gate = |environment: &str, variables: &[(&str, &str)]| {
        let gate = ["gate", "--record", &record, "--roots", &roots, "--state", &state, "--environment", environment];
        let more = ["--tree", ".", "--new-state", "--dry-run"];
        portcullis(site.repo.folder.path(), variables, &[&gate[..], &more].concat())
    };
    let plain = gate("production", &[]);
    assert_eq!(plain.code, 0, "{}", plain.out);
    let fork = [
        ("GITHUB_ACTIONS", "true"),
        ("GITHUB_EVENT_NAME", "workflow_dispatch"),
        ("GITHUB_REPOSITORY", "mallory/network"),
        ("GITHUB_REF", "refs/heads/feature"),
        ("GITHUB_API_URL", "https://127.0.0.1:1/api/v3"),
    ];
    assert_eq!(gate("production", &fork), plain, "nobody is asked, and nothing is believed");
    // It is the record that says for which repository and environment it is.
    let ran = gate("staging", &[("GITHUB_REPOSITORY", REPOSITORY)]);
    assert_eq!((ran.code, refusal(&ran.out)), (1, "REFUSED portcullis::record::environment"));
}

#[test]
fn e28_a_bulk_deletion_is_counted_whichever_way_it_comes() {
    let policy = "version: 1\nconfigurations: {hosts: {files: [web.rules]}}\nchecks:\n  - {check: deletion-limit, count: 5, kinds: [rule]}\n";
    let rules = |count: usize| {
        let rules: String =
            (0..count).map(|n| format!("-A INPUT -s 10.0.{n}.0/24 -p tcp -m tcp --dport 443 -j ACCEPT\n")).collect();
        format!("*filter\n:INPUT DROP [0:0]\n{rules}COMMIT\n")
    };
    let (all, few) = (rules(40), rules(3));
    let folder = repository(&[("portcullis.yaml", policy), ("web.rules", &all)]);
    let place = folder.path();
    let says = |arguments: &[&str]| {
        let ran = portcullis(place, &[], &[arguments, &["--output", "json"]].concat());
        let report: serde_json::Value = serde_json::from_str(&ran.out).unwrap_or_default();
        let finding =
            report["findings"].as_array().and_then(|all| all.iter().find(|it| it["check"] == "deletion-limit"));
        (ran.code, finding.and_then(|finding| finding["message"].as_str()).map(str::to_owned))
    };
    let stopped = (
        1,
        Some(
            "the change removes 37 of 40 objects of the kind `rule` in all configurations; at most 5 may go".to_owned(),
        ),
    );
    write(place, &[("web.rules", &few)]);
    assert_eq!(says(&["check"]), stopped, "the work tree");
    git(place, &["add", "-A"]);
    assert_eq!(says(&["check", "--staged"]), stopped, "the index");
    git(place, &["commit", "-q", "-m", "fewer"]);
    assert_eq!(says(&["check", "--base", "HEAD~1"]), stopped, "commits");
    let sides = TempDir::new().expect("a folder");
    for (side, text) in [("old", &all), ("new", &few)] {
        write(&sides.path().join(side), &[("portcullis.yaml", policy), ("web.rules", text)]);
    }
    let [old, new] = ["old", "new"].map(|side| sides.path().join(side).display().to_string());
    assert_eq!(says(&["check", "--old", &old, "--new", &new]), stopped, "folders");
    // What is put back is not gone: what counts is what is there in the end.
    let most: String =
        all.lines().filter(|line| !line.contains("-s 10.0.39.")).map(|line| format!("{line}\n")).collect();
    write(place, &[("web.rules", &most)]);
    git(place, &["commit", "-qam", "most of them"]);
    assert_eq!(says(&["check", "--base", "HEAD~2"]), (0, None));
}

/// What a waiver in force, and one that the change brings along, let a change remove: 37 rules of 40, of which 5 may go.
#[test]
fn e28_a_mass_deletion_passes_only_with_the_number_of_what_goes() {
    let day = portcullis::facts::show_instant(portcullis::facts::now() + 20 * 86400)[..10].to_owned();
    let with = |what: &str| {
        let waivers = if what.is_empty() {
            String::new()
        } else {
            format!(
                "waivers:\n  - {{id: W-1, check: deletion-limit, {what}, owner: jo, reason: \"the old site is switched off\", \
                 ticket: NET-1, expires: {day}}}\n"
            )
        };
        format!(
            "version: 1\npeople: {{jo: {{github: {{login: jo, id: 7}}}}}}\nconfigurations: {{hosts: {{files: [web.rules]}}}}\n\
             checks:\n  - {{check: deletion-limit, count: 5, kinds: [rule, chain]}}\n{waivers}"
        )
    };
    let rules = |count: usize, chains: usize| {
        let rules: String =
            (0..count).map(|n| format!("-A INPUT -s 10.0.{n}.0/24 -p tcp -m tcp --dport 443 -j ACCEPT\n")).collect();
        let chains: String = (0..chains).map(|n| format!(":SITE{n} - [0:0]\n")).collect();
        format!("*filter\n:INPUT DROP [0:0]\n{chains}{rules}COMMIT\n")
    };
    let judged = |base: &str, head: &str, (rules_left, chains_left): (usize, usize)| {
        let (before, after) = (rules(40, 9), rules(rules_left, chains_left));
        let ran = check(
            &[("portcullis.yaml", base), ("web.rules", &before)],
            &[("portcullis.yaml", head), ("web.rules", &after)],
            &["--output", "json"],
        );
        let report: serde_json::Value = serde_json::from_str(&ran.out).unwrap_or_default();
        (ran.code, report["waivers"][0]["notes"][0].as_str().map(str::to_owned))
    };
    let same = |what: &str, left: (usize, usize)| judged(&with(what), &with(what), left);
    let other = |expected: usize, found: usize| Some(format!("it expects {expected} objects to go, and {found} do"));
    assert_eq!(same("", (3, 9)), (1, None));
    assert_eq!(same("expect_deletions: 37", (3, 9)), (0, None));
    // One more or one less than was said, and what else goes, counts.
    for (left, gone) in [((2, 9), 38), ((4, 9), 36), ((3, 8), 38), ((0, 0), 49)] {
        assert_eq!(same("expect_deletions: 37", left), (1, other(37, gone)), "{gone}");
    }
    assert_eq!(same("expect_deletions: 49", (0, 0)), (0, None), "all kinds together");
    assert_eq!(same("expect_deletions: 1574", (3, 9)), (1, other(1574, 37)));
    // Not by a change that says itself how much it takes: its policy is not in force, and weakens the one that is.
    assert_eq!(judged(&with(""), &with("expect_deletions: 37"), (3, 9)).0, 1);
    // Nor by anything that does not say the number.
    let print = format!("fingerprint: {}", "0".repeat(64));
    for what in
        ["object: hosts", &print, "flow: \"tcp any -> any:443\"", "expect_deletions: 0", "expect_deletions: all"]
    {
        assert_eq!(same(what, (3, 9)).0, 2, "{what}");
    }
    let elsewhere =
        with("expect_deletions: 37").replace("check: deletion-limit, expect", "check: exposed-ports, expect");
    assert_eq!(judged(&elsewhere, &elsewhere, (3, 9)).0, 2);
}

#[test]
fn f03_what_is_pinned_says_of_which_version_it_is() {
    // Whether a commit is of that repository, and not of a fork of it, only its forge can tell: `zizmor` asks it, online.
    for file in [
        "action.yml",
        "examples/github/portcullis.yml",
        "examples/github/portcullis-feeds.yml",
        "examples/github/portcullis-parts.yml",
    ] {
        let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).expect("a file");
        for line in text.lines().filter(|line| line.contains("uses:")) {
            let (name, rest) = line.split_once('@').expect("a commit");
            let (commit, comment) = rest.split_once(" # ").expect("a version");
            let ours = name.ends_with("portcullis/portcullis");
            assert!(commit.len() == 40 && (ours || comment.starts_with('v')), "{file}: {line}");
        }
    }
}

#[test]
fn f07_a_report_that_travels_is_no_permission() {
    let site = Site::usual();
    let report = site.path("report.json").display().to_string();
    assert_eq!(site.attest("1", &["--output", &format!("json={report}")]).code, 0);
    let passed = fs::read(&report).expect("a report");
    let record = fs::read(site.path("record.json")).expect("a record");
    let gate = |bytes: &[u8]| {
        site.write("record.json", bytes);
        let ran = site.gate(&["--new-state", "--dry-run"]);
        (ran.code, refusal(&ran.out).to_owned())
    };
    assert_eq!(gate(&record).0, 0);
    for forged in [&passed[..], b"{\"decision\": \"pass\"}", b"pass", b"", b"{}"] {
        let (code, why) = gate(forged);
        assert!(code == 1 && why.starts_with("REFUSED"), "{why}");
    }
}

#[cfg(unix)]
#[test]
fn f08_a_tool_in_the_path_or_the_environment_is_not_run() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = TempDir::new().expect("a folder");
    let place = folder.path();
    let marker = place.join("ran");
    let fake = format!("#!/bin/sh\necho ran > {}\necho '{{\"nftables\": []}}'\n", marker.display());
    for name in ["nft", "iptables-save", "ip6tables-save"] {
        write(place, &[(name, &fake)]);
        fs::set_permissions(place.join(name), fs::Permissions::from_mode(0o755)).expect("made executable");
    }
    write(place, &[("web.nft", "table inet t {\n}\n"), ("rules.v4", SHUT)]);
    for (expected, live) in [("web.nft", "live:nft"), ("rules.v4", "live:iptables")] {
        let output = tools::this_program()
            .args(["verify", "--expected", expected, "--live", live])
            .current_dir(place)
            .env("PATH", place)
            .env("NFT", place.join("nft"))
            .output()
            .expect("run");
        assert!(!marker.exists(), "{live} was asked of the fake");
        assert_ne!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stdout));
    }
}

#[test]
fn g02_the_name_of_a_file_adds_nothing_to_an_annotation() {
    let name = "fw/a,line=1,title=ok::fine\n::error file=x::y.rules";
    let policy = "version: 1\nextends: [baseline]\nconfigurations: {hosts: {files: [\"fw/*.rules\"], each: true}}\n";
    let open = SHUT.replace("-s 198.51.100.0/24 ", "");
    let ran = check(&[("portcullis.yaml", policy), (name, SHUT)], &[(name, &open)], &["--output", "github"]);
    assert_eq!(ran.code, 1, "{}", ran.out);
    for line in ran.out.lines().filter(|line| line.contains("::")) {
        let command = line.strip_prefix("::").unwrap_or_else(|| unreachable!("{line}"));
        let (properties, _) = command.split_once("::").expect("a message");
        let (kind, properties) = properties.split_once(' ').unwrap_or((properties, ""));
        assert!(["error", "warning", "notice"].contains(&kind), "{line}");
        let keys: Vec<&str> = properties.split(',').filter_map(|pair| pair.split('=').next()).collect();
        let known = ["", "file", "line", "endLine", "col", "endColumn", "title"];
        assert!(keys.iter().all(|key| known.contains(key)), "{line}");
    }
}

/// Lists and objects in one another, so many: with an end and without.
fn nested(times: usize) -> [String; 4] {
    let (list, object) = ("[".repeat(times), "{\"a\":".repeat(times));
    [list.clone() + &"]".repeat(times), object.clone() + "1" + &"}".repeat(times), list, object]
}

#[test]
fn h04_json_that_is_nested_without_end_is_understood_by_no_format() {
    let mut limits = 0;
    for format in portcullis::formats::FORMATS {
        let id = format.id();
        let policy = format!(
            "version: 1\nconfigurations: {{it: {{files: [\"it/*\"], format: {id}}}}}\nchecks: [{{check: freeze-window}}]\n"
        );
        let judged = |text: &str| {
            let files: &[(&str, &str)] = &[("portcullis.yaml", &policy), ("it/main.json", text)];
            let ran = check(files, &[("it/main.json", &format!("{text} "))], &["--output", "json"]);
            (ran.code, ran.out.contains("in one another"))
        };
        for times in [129, 1_000, 100_000] {
            for text in nested(times) {
                let (code, told) = judged(&text);
                assert_eq!(code, 3, "{id}, {times} deep");
                limits += usize::from(told);
            }
        }
        // What is less deep is not refused for that.
        for text in nested(120).iter().take(2) {
            assert!(!judged(text).1, "{id}");
        }
    }
    // The four formats that are JSON and nothing else say why, each time.
    assert!(limits >= 4 * 12, "{limits}");
}

#[test]
fn h04_json_that_is_nested_without_end_opens_no_door() {
    let site = Site::usual();
    assert_eq!(site.attest("1", &[]).code, 0);
    let at = |name: &str| site.path(name).display().to_string();
    let good: Vec<(&str, Vec<u8>)> =
        ["record.json", "roots.json"].map(|name| (name, fs::read(site.path(name)).expect("a file"))).into();
    let policy = "version: 1\nextends: [baseline]\nconfigurations: {tf: {files: [\"*.tf\"]}}\n";
    let feed = "version: 1\nconfigurations: {hosts: {files: [web.rules]}}\nnetworks: {s3: {feed: feed.json, service: S3}}\nchecks: \
        [{check: exposed-ports, from: s3, services: [ssh]}]\n";
    for times in [129, 100_000] {
        for text in nested(times) {
            // Where a change is put into force: the record, the roots of trust, the state.
            for name in ["record.json", "roots.json", "state.json"] {
                site.write(name, text.as_bytes());
                let ran = site.gate(if name == "state.json" { &[] } else { &["--new-state"] });
                assert!([1, 2, 3].contains(&ran.code), "{name}, {times} deep: {} {}{}", ran.code, ran.out, ran.talk);
                fs::remove_file(at(name)).expect("removed");
                for (name, bytes) in &good {
                    site.write(name, bytes);
                }
            }
            // Where it is judged: a plan, the event of a job, a published list, the policy.
            let folder = TempDir::new().expect("a folder");
            let place = folder.path();
            write(place, &[("p.json", &text), ("policy.yaml", policy), ("main.tf", "")]);
            let ran = portcullis(place, &[], &["check", "--plan", "p.json", "--policy", "policy.yaml"]);
            assert_eq!(ran.code, 3, "{}", ran.out);
            let of = |more: Files<'_>| {
                check(&[&[("portcullis.yaml", ASK), ("web.rules", SHUT)], more].concat(), &[], &[]).code
            };
            assert_eq!(of(&[("portcullis.yaml", feed), ("feed.json", &text)]), 3, "a list");
            assert_eq!(of(&[("portcullis.yaml", &text)]), 2, "a policy");
            let event = place.join("p.json").display().to_string();
            let job =
                [("GITHUB_ACTIONS", "true"), ("GITHUB_EVENT_NAME", "push"), ("GITHUB_EVENT_PATH", event.as_str())];
            assert_eq!(portcullis(site.repo.folder.path(), &job, &["check"]).code, 3, "an event");
        }
    }
}

#[test]
fn h06_rules_that_multiply_are_answered_or_undecided_but_end() {
    // Products of sets, many times over, that differ in one port each.
    let rule = |n: usize| {
        let ports: Vec<String> = (0..60).map(|p| (1000 + p * 7 + n).to_string()).collect();
        let hosts: Vec<String> = (0..60).map(|h| format!("10.{}.{}.{}", n % 200, h, n % 250)).collect();
        format!(
            "  ip saddr {{ {} }} ip daddr {{ {} }} tcp dport {{ {} }} accept\n",
            hosts.join(", "),
            hosts.join(", "),
            ports.join(", ")
        )
    };
    let text = |shift: usize| {
        let rules: String = (0..120).map(|n| rule(n + shift)).collect();
        format!("table inet t {{\n chain input {{\n  type filter hook input priority 0; policy drop;\n{rules} }}\n}}\n")
    };
    let policy = "version: 1\napprovals: {count: 1}\nconfigurations: {fw: {files: [main.nft]}}\nchecks: [{check: freeze-window}]\n";
    let ran = check(&[("portcullis.yaml", policy), ("main.nft", &text(0))], &[("main.nft", &text(1))], &[]);
    assert!([1, 3].contains(&ran.code), "{}", ran.out);
}

#[test]
fn limits_for_programs_hold_where_one_had_a_hand_in_any_commit() {
    let policy = "version: 1\nbots: [sync]\nconfigurations: {hosts: {files: [web.rules]}}\nchecks:\n  - {check: deletion-limit, \
        kinds: [rule], count: 5, automation: {count: 1}}\n";
    let rules = |count: usize| {
        let rule = |n| format!("-A INPUT -s 10.0.{n}.0/24 -p tcp -m tcp --dport 443 -j ACCEPT\n");
        format!("*filter\n:INPUT DROP [0:0]\n{}COMMIT\n", (0..count).map(rule).collect::<String>())
    };
    let folder = repository(&[("portcullis.yaml", policy), ("web.rules", &rules(9))]);
    let place = folder.path();
    let judged = |count: usize, commits: &[&[&str]]| {
        git(place, &["checkout", "-q", "-B", "change", "main"]);
        for (n, commit) in commits.iter().enumerate() {
            write(place, &[("web.rules", &rules(count + commits.len() - 1 - n))]);
            git(place, commit);
        }
        portcullis(place, &[], &["check", "--base", "main"]).code
    };
    let by_jo: &[&str] = &["commit", "-qam", "fewer"];
    let of_sync: &[&str] = &["commit", "-qam", "fewer", "--author", "sync <sync@example.org>"];
    let committed: &[&str] = &["-c", "user.name=sync", "commit", "-qam", "fewer", "--author", "Jo <jo@example.org>"];
    assert_eq!(judged(6, &[by_jo]), 0, "three, by a person");
    for by_sync in [of_sync, committed] {
        assert_eq!(judged(6, &[by_sync]), 1, "three, with a program");
        assert_eq!(judged(8, &[by_sync]), 0, "one, with a program");
        assert_eq!(judged(6, &[by_sync, by_jo]), 1, "a person came later");
        assert_eq!(judged(6, &[by_jo, by_sync]), 1, "a person came before");
    }
}
