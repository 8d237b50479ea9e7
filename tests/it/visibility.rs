//! What strangers read: the decision, checks, counts, files and lines, and nothing of what the network is made of.

use crate::blessed::compare;
use crate::cli::{Ran, portcullis};
use crate::tools::{git, repository};
use portcullis::cli::INCIDENTS;
use portcullis::report::OUTPUTS;
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use tempfile::TempDir;

/// What nobody outside may learn stands in everything that a report could quote: addresses, names, comments, reasons.
const POLICY: &str = "version: 1
report: {visibility: minimal}
configurations: {edge: {files: [edge.nft]}, lb: {files: [haproxy.cfg]}}
networks: {canary-office: [10.66.0.0/16]}
people: {jo: {github: {login: jo, id: 7}}}
checks:
  - {check: critical-ports, name: canary-entry, from: canary-office, services: [tcp/6643]}
  - {check: exposed-ports, from: any, services: [tcp/6644]}
  - {check: protected-rules, objects: [\"edge/canary-chain\"]}
  - {check: deletion-limit, count: 0}
  - {check: pool-capacity, minimum: 2}
waivers:
  - {id: W-1, check: exposed-ports, flow: \"tcp 10.66.7.7 -> 10.66.8.8:6644\", owner: jo, reason: \"canary-reason, for a while\",
     ticket: canary-ticket, expires: 2099-01-01}
max_waiver_days: 100000
";

fn edge(rules: &str) -> String {
    format!(
        "table inet canary-table {{\n  set canary-set {{ type ipv4_addr; elements = {{ 10.66.3.3 }}; }}\n  chain canary-chain {{\n    \
         type filter hook input priority 0; policy drop;\n{rules}  }}\n}}\n"
    )
}

fn balancer(servers: &str) -> String {
    format!(
        "defaults\n  mode http\nfrontend canary-front\n  bind :8066\n  default_backend canary-pool\nbackend canary-pool\n{servers}"
    )
}

/// The files of base and those of head.
fn files() -> [Vec<(&'static str, String)>; 2] {
    let base = vec![
        ("portcullis.yaml", POLICY.to_owned()),
        (
            "edge.nft",
            edge(
                "    ip saddr 10.66.0.0/16 tcp dport 6643 accept comment \"canary-rule\"\n    ip saddr @canary-set accept\n",
            ),
        ),
        ("haproxy.cfg", balancer("  server canary-a 10.66.9.1:80\n  server canary-b 10.66.9.2:80\n")),
    ];
    let head = vec![
        ("portcullis.yaml", POLICY.to_owned()),
        ("edge.nft", edge("    tcp dport 6644 accept comment \"canary-rule\"\n    canary-word\n")),
        ("haproxy.cfg", balancer("  server canary-a 10.66.9.1:80\n")),
    ];
    [base, head]
}

fn sides(base: &[(&str, String)], head: &[(&str, String)]) -> TempDir {
    let folder = TempDir::new().expect("a folder");
    for (side, files) in [("old", base), ("new", head)] {
        for (name, text) in files {
            let path = folder.path().join(side).join(name);
            fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            fs::write(path, text).expect("written");
        }
    }
    folder
}

fn check(folder: &Path, more: &[&str]) -> Ran {
    portcullis(folder, &[], &[&["check", "--old", "old", "--new", "new"], more].concat())
}

/// Addresses of either family in a text: four numbers, or what reads as one and has three colons.
fn addresses(text: &str) -> Vec<&str> {
    let is_v4 = |word: &&str| word.split('.').filter(|part| part.parse::<u8>().is_ok()).count() == 4;
    let is_v6 = |word: &&str| word.matches(':').count() > 2 && word.parse::<std::net::Ipv6Addr>().is_ok();
    text.split(|c: char| !(c.is_ascii_hexdigit() || c == '.' || c == ':'))
        .filter(|word| is_v4(word) || is_v6(word))
        .collect()
}

#[test]
fn i03_a_minimal_report_tells_strangers_where_and_not_what_in_every_output() {
    let [base, head] = files();
    let folder = sides(&base, &head);
    let full = folder.path().join("full.json").display().to_string();
    for output in OUTPUTS {
        let ran = check(folder.path(), &["--output", output.name, "--full-output", &format!("json={full}")]);
        let everything: Value = serde_json::from_str(&fs::read_to_string(&full).expect("a report")).expect("JSON");
        assert_eq!((ran.code, everything["decision"].as_str()), (1, Some("blocked")), "{}", ran.out);
        assert!(everything.to_string().contains("canary-chain") && everything.to_string().contains("10.66."));
        assert!(!ran.out.contains("canary"), "{}: {}", output.name, ran.out);
        assert_eq!(addresses(&ran.out), Vec::<&str>::new(), "{}", output.name);
        assert!(!ran.out.contains("6643") && !ran.out.contains("6644"), "{}: {}", output.name, ran.out);
        for word in ["critical-ports", "edge.nft"] {
            assert!(ran.out.contains(word), "{} does not say {word}: {}", output.name, ran.out);
        }
        let snapshot = match output.name {
            "text" => "minimal.txt",
            "json" => "minimal.json",
            "sarif" => "minimal.sarif",
            "github" => "minimal.github.txt",
            "markdown" => "minimal.md",
            "junit" => "minimal.junit.xml",
            "gitlab" => "minimal.gitlab.json",
            "html" => "minimal.html",
            other => unreachable!("{other} has no snapshot"),
        };
        compare(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/reports").join(snapshot), &ran.out);
    }
}

#[test]
fn i03_a_minimal_report_decides_nothing_else_and_counts_the_same() {
    for incident in INCIDENTS {
        let files = |side: &[(&'static str, &str)], visibility: &str| -> Vec<(&'static str, String)> {
            let with = |(name, text): &(&'static str, &str)| match *name {
                "portcullis.yaml" => (*name, format!("{text}\nreport: {{visibility: {visibility}}}\n")),
                _ => (*name, (*text).to_owned()),
            };
            side.iter().map(with).collect()
        };
        let judged = |visibility: &str, output: &str| {
            let folder = sides(&files(incident.base, visibility), &files(incident.head, visibility));
            check(folder.path(), &["--output", output])
        };
        let reports = ["full", "minimal"].map(|visibility| {
            let ran = judged(visibility, "json");
            let report: Value = serde_json::from_str(&ran.out).expect("JSON");
            (ran.code, report)
        });
        let [(code, full), (same, minimal)] = &reports;
        assert_eq!(code, same, "{}", incident.name);
        for key in ["decision", "stats"] {
            assert_eq!(full[key], minimal[key], "{}", incident.name);
        }
        let list = |report: &Value| -> Vec<Value> {
            let findings = report["findings"].as_array().expect("a list");
            findings
                .iter()
                .map(|it| json!([it["check"], it["outcome"], it["level"], it["policy_location"]["line"]]))
                .collect()
        };
        assert_eq!(list(full), list(minimal), "{}", incident.name);
        for output in OUTPUTS {
            let ran = judged("minimal", output.name);
            assert_eq!((ran.code, addresses(&ran.out)), (*code, vec![]), "{} {}", incident.name, output.name);
        }
    }
}

/// What becomes of the report in a job: whether it is a minimal one, and the exit code.
fn in_job(folder: &Path, variables: &[(&str, &str)], more: &[&str]) -> (bool, u8) {
    let ran = portcullis(folder, variables, &[&["check", "--base", "HEAD~1"], more].concat());
    let minimal = ran.out.contains("a minimal report, because");
    assert_eq!(minimal, addresses(&ran.out).is_empty(), "{}", ran.out);
    (minimal, ran.code)
}

const SILENT: &str = "version: 1\nconfigurations: {fw: {files: [web.rules]}}\nchecks: [{check: exposed-ports, from: any, services: [ssh]}]\n";
const SHUT: &str =
    "*filter\n:INPUT DROP [0:0]\n-A INPUT -s 198.51.100.0/24 -p tcp -m tcp --dport 22 -j ACCEPT\nCOMMIT\n";

/// A repository whose last commit opens a port; base has that policy, and head the other one.
fn opened(base: &str, head: &str) -> TempDir {
    let folder = repository(&[("portcullis.yaml", base), ("web.rules", SHUT)]);
    fs::write(folder.path().join("web.rules"), SHUT.replace("-s 198.51.100.0/24 ", "")).expect("written");
    fs::write(folder.path().join("portcullis.yaml"), head).expect("written");
    git(folder.path(), &["commit", "-qam", "open"]);
    folder
}

#[test]
fn i03_where_the_policy_is_silent_strangers_are_told_less() {
    let folder = opened(SILENT, SILENT);
    let place = folder.path();
    let event = place.join("event.json");
    let path = event.display().to_string();
    let github = |payload: &Value, name: &str| {
        fs::write(&event, payload.to_string()).expect("written");
        let variables = [("GITHUB_ACTIONS", "true"), ("GITHUB_EVENT_NAME", name), ("GITHUB_EVENT_PATH", path.as_str())];
        in_job(place, &variables, &[])
    };
    let (all, less) = ((false, 1), (true, 1));
    let pull = |private: Value, head: Value| json!({"repository": {"private": private}, "pull_request": {"number": 7, "head": {"repo": head}, "base": {"repo": {"id": 1}}}});
    let of = |private: Value, head: Value| github(&pull(private, head), "pull_request");
    assert_eq!(of(json!(true), json!({"id": 1})), all, "a private repository");
    assert_eq!(of(json!(false), json!({"id": 1})), less, "a public one");
    assert_eq!(of(json!(true), json!({"id": 2})), less, "a fork");
    for (private, head) in [
        (json!(null), json!({"id": 1})),
        (json!("true"), json!({"id": 1})),
        (json!(true), json!(null)),
        (json!(true), json!({"id": "1"})),
        (json!(true), json!({})),
    ] {
        assert_eq!(of(private.clone(), head.clone()), less, "not known: {private} {head}");
    }
    for (payload, name, wanted) in [
        (json!({"repository": {"private": true}}), "push", all),
        (json!({"repository": {"private": true, "visibility": "internal"}}), "merge_group", all),
        (json!({"repository": {"private": true, "visibility": "public"}}), "push", less),
        (json!({"repository": {"private": true, "visibility": "new word"}}), "push", less),
        (json!({"repository": {"private": true}}), "pull_request", less),
        (json!({"repository": {"private": true}}), "pull_request_review", less),
        (json!({}), "push", less),
        (json!([]), "push", less),
    ] {
        assert_eq!(github(&payload, name), wanted, "{name}: {payload}");
    }
    fs::remove_file(&event).expect("removed");
    let gone = [("GITHUB_ACTIONS", "true"), ("GITHUB_EVENT_NAME", "push"), ("GITHUB_EVENT_PATH", path.as_str())];
    assert_eq!(in_job(place, &gone, &[]), less, "no event");
    let gitlab = |more: &[(&str, &str)]| in_job(place, &[&[("GITLAB_CI", "true")], more].concat(), &[]);
    assert_eq!(gitlab(&[("CI_PROJECT_VISIBILITY", "private")]), all);
    assert_eq!(gitlab(&[("CI_PROJECT_VISIBILITY", "public")]), less);
    assert_eq!(gitlab(&[]), less);
    let request =
        [("CI_PROJECT_VISIBILITY", "internal"), ("CI_MERGE_REQUEST_IID", "3"), ("CI_MERGE_REQUEST_PROJECT_ID", "1")];
    assert_eq!(gitlab(&request), less);
    assert_eq!(gitlab(&[&request[..], &[("CI_MERGE_REQUEST_SOURCE_PROJECT_ID", "1")]].concat()), all);
    assert_eq!(gitlab(&[&request[..], &[("CI_MERGE_REQUEST_SOURCE_PROJECT_ID", "2")]].concat()), less);
    for job in ["CI", "JENKINS_URL", "BUILDKITE"] {
        assert_eq!(in_job(place, &[(job, "true")], &[]), less, "{job}");
    }
    assert_eq!(in_job(place, &[], &[]), all, "at a terminal");
}

#[test]
fn i03_the_policy_in_force_says_what_is_told_and_the_change_does_not() {
    let with = |word: &str| format!("{SILENT}report: {{visibility: {word}}}\n");
    let job = [("CI", "true")];
    assert_eq!(in_job(opened(&with("full"), &with("full")).path(), &job, &[]), (false, 1));
    assert_eq!(in_job(opened(&with("minimal"), &with("minimal")).path(), &[], &[]), (true, 1));
    assert_eq!(in_job(opened(SILENT, &with("full")).path(), &job, &[]), (true, 1));
    assert_eq!(in_job(opened(&with("minimal"), &with("full")).path(), &job, &[]), (true, 1));
    // A word that is not known is an error of the policy, and then strangers are told less as well.
    let ran = portcullis(opened(&with("minimum"), SILENT).path(), &job, &["check", "--base", "HEAD~1"]);
    assert_eq!((ran.code, ran.out.contains("a minimal report, because")), (2, true), "{}", ran.out);
    assert!(!ran.out.contains("minimum"), "{}", ran.out);
    let ran = portcullis(opened(&with("minimum"), SILENT).path(), &[], &["check", "--base", "HEAD~1"]);
    assert!(ran.code == 2 && ran.out.contains("`minimum`") && ran.out.contains("minimal"), "{}", ran.out);
}

#[test]
fn i03_everything_is_in_a_file_that_only_its_owner_reads() {
    let folder = opened(&format!("{SILENT}report: {{visibility: minimal}}\n"), SILENT);
    let place = folder.path();
    assert_eq!(in_job(place, &[("CI", "true")], &["--full-output", "text=full.txt"]), (true, 1));
    let full = fs::read_to_string(place.join("full.txt")).expect("a report");
    assert!(full.contains(":22 new") && full.contains("web.rules:3") && full.contains("-A INPUT"), "{full}");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(fs::metadata(place.join("full.txt")).expect("a file").permissions().mode() & 0o777, 0o600);
    }
    for wrong in ["text", "text=", "none=full.txt"] {
        let ran = portcullis(place, &[], &["check", "--base", "HEAD~1", "--full-output", wrong]);
        assert_eq!(ran.code, 2, "{wrong}: {}", ran.talk);
    }
    // Where it cannot be written nobody can have seen why it passes.
    let ran = portcullis(place, &[], &["check", "--full-output", "text=none/full.txt"]);
    assert_eq!(ran.code, 3, "{}", ran.talk);
}

#[test]
fn i03_lint_test_and_attest_tell_strangers_no_more() {
    let policy = format!("{SILENT}report: {{visibility: minimal}}\n");
    let shadowed = SHUT.replace("COMMIT", "-A INPUT -s 198.51.100.7/32 -p tcp -m tcp --dport 22 -j ACCEPT\nCOMMIT");
    let flows =
        "version: 1\nexpectations:\n  - {name: of 198.51.100.9, in: [fw], deny: [\"tcp 198.51.100.0/24 -> any:22\"]}\n";
    let folder = repository(&[("portcullis.yaml", &policy), ("web.rules", &shadowed), ("web.flows.yaml", flows)]);
    for (command, code, check) in [("lint", 1, "shadowed-rules"), ("test", 1, "expected-flows")] {
        for output in OUTPUTS {
            let ran = portcullis(folder.path(), &[], &[command, "--output", output.name]);
            assert_eq!((ran.code, addresses(&ran.out)), (code, vec![]), "{command} {}: {}", output.name, ran.out);
            assert!(ran.out.contains(check), "{command} {}: {}", output.name, ran.out);
        }
    }
    let junit = portcullis(folder.path(), &[], &["test", "--output", "junit"]).out;
    assert!(junit.contains("name=\"web.flows.yaml:3\"") && junit.contains("failures=\"2\""), "{junit}");
}
