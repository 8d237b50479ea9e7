//! `check --now`: tests of freezes and waivers at another time, which never open a gate.

use crate::cli::{Ran, portcullis};
use std::path::Path;
use tempfile::TempDir;

const DROP: &str = "*filter\n:INPUT DROP [0:0]\nCOMMIT\n";
const SSH: &str = "*filter\n:INPUT DROP [0:0]\n-A INPUT -s 198.51.100.7 -p tcp -m tcp --dport 22 -j ACCEPT\nCOMMIT\n";
const FREE: &str = "version: 1\nconfigurations: {edge: {files: [edge.rules]}}\nchecks:\n  - {check: required-approvals, \
    rules: [{name: all, when: {any_effect: true}, none: {because: \"only the clock counts here\"}}]}\n";

/// Two folders in which a rule is added, and a policy that begins with what every one needs here.
fn sides(more: &str) -> TempDir {
    let folder = TempDir::new().expect("a folder");
    for (name, rules) in [("old", DROP), ("new", SSH)] {
        let side = folder.path().join(name);
        std::fs::create_dir(&side).expect("made");
        std::fs::write(side.join("edge.rules"), rules).expect("written");
        std::fs::write(side.join("portcullis.yaml"), format!("{FREE}{more}")).expect("written");
    }
    folder
}

fn at(folder: &Path, now: &str, variables: &[(&str, &str)], more: &[&str]) -> Ran {
    let arguments = ["check", "--old", "old", "--new", "new", "--now", now];
    portcullis(folder, variables, &[&arguments[..], more].concat())
}

/// Whether a change is stopped then.
fn stopped(folder: &Path, now: &str) -> bool {
    let Ran { code, out, talk } = at(folder, now, &[], &[]);
    assert!(code == u8::from(out.contains("freeze-window")), "{code} {out}{talk}");
    code == 1
}

#[test]
fn a_freeze_holds_from_its_first_second_to_its_last() {
    let zones = [
        // An ordinary night; clocks put forward in it (one hour less), and put back (one hour more).
        ("Europe/Paris", "2026-06-10T22:00", "2026-06-11T06:00", "2026-06-10T20:00:00Z", "2026-06-11T04:00:00Z"),
        ("Europe/Paris", "2026-03-28T22:00", "2026-03-29T06:00", "2026-03-28T21:00:00Z", "2026-03-29T04:00:00Z"),
        ("Europe/Paris", "2026-10-24T22:00", "2026-10-25T06:00", "2026-10-24T20:00:00Z", "2026-10-25T05:00:00Z"),
        // Clocks put forward by half an hour, at 2:00.
        ("Australia/Lord_Howe", "2026-10-04T01:30", "2026-10-04T03:00", "2026-10-03T15:00:00Z", "2026-10-03T16:00:00Z"),
        // From a time that is shown twice to one that is: the first until the second.
        ("America/New_York", "2026-11-01T01:30", "2026-11-01T01:30", "2026-11-01T05:30:00Z", "2026-11-01T06:30:00Z"),
    ];
    for (zone, from, to, first, last) in zones {
        let folder = sides(&format!("freeze: [{{name: night, from: \"{from}\", to: \"{to}\", zone: {zone}}}]\n"));
        let second = |instant: &str, by: i64| {
            let at = portcullis::facts::seconds(instant).expect("an instant");
            portcullis::facts::show_instant(at.checked_add_signed(by).expect("a time"))
        };
        let around = [second(first, -1), second(first, 0), second(last, -1), second(last, 0)];
        let held = around.map(|now| stopped(folder.path(), &now));
        assert_eq!(held, [false, true, true, false], "{zone} {from}");
    }
}

#[test]
fn a_waiver_ends_with_its_last_day() {
    let waived = "  - {check: exposed-ports, from: any, services: [ssh]}\n\
        people: {alice: {github: {login: alice, id: 1}}}\n\
        waivers: [{id: W-1, check: exposed-ports, flow: \"tcp 198.51.100.7 -> any:22\", owner: alice, reason: \"the office \
        needs it until the tunnel is there\", ticket: NET-1, created: 2026-11-20, expires: 2026-11-30}]\n";
    let folder = sides(waived);
    let code = |now: &str| at(folder.path(), now, &[], &[]).code;
    assert_eq!(
        ["2026-11-20T00:00:00Z", "2026-11-30T23:59:59Z", "2026-12-01T00:00:00Z"].map(code),
        [0, 0, 1],
        "{}",
        at(folder.path(), "2026-11-21T00:00:00Z", &[], &[]).out
    );
}

#[test]
fn the_report_says_that_the_clock_was_given() {
    let folder = sides("");
    let ran = at(folder.path(), "2026-12-24T12:00:00Z", &[], &[]);
    let said = ran.out.lines().last().and_then(|line| line.rsplit("; ").next());
    assert_eq!((ran.code, said), (0, Some("judged as if it were 2026-12-24T12:00:00Z, which opens nothing")));
    let json = at(folder.path(), "2026-12-24T12:00:00Z", &[], &["--output", "json"]).out;
    let report: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(report["pretended"], "2026-12-24T12:00:00Z");
    let real = portcullis(folder.path(), &[], &["check", "--old", "old", "--new", "new", "--output", "json"]).out;
    assert!(!real.contains("pretended"), "{real}");
}

#[test]
fn d15_a_given_clock_is_refused_where_it_could_open_a_gate() {
    let folder = sides("");
    let now = "2026-12-24T12:00:00Z";
    for variable in ["CI", "GITHUB_ACTIONS", "GITLAB_CI", "JENKINS_URL", "TF_BUILD"] {
        let ran = at(folder.path(), now, &[(variable, "true")], &[]);
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{}", ran.talk);
        let first = ran.talk.lines().next().unwrap_or_default();
        assert_eq!(
            first,
            format!("error: a gate tells the time by its own clock, and {variable} says that this is one")
        );
    }
    for more in [["--state", "x"], ["--audit", "x"], ["--pull-request", "1"]] {
        assert_eq!(at(folder.path(), now, &[], &more).code, 2, "{more:?}");
    }
    for command in ["attest", "break-glass", "gate", "verify", "lint", "test"] {
        assert_eq!(portcullis(folder.path(), &[], &[command, "--now", now]).code, 2, "{command}");
    }
    for wrong in ["2026-12-24", "2026-12-24T12:00:00", "2026-12-24T12:00:00+01:00", "now", ""] {
        assert_eq!(at(folder.path(), wrong, &[], &[]).code, 2, "{wrong}");
    }
}
