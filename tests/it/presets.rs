//! The presets: each stops an incident, none lets through what would be stopped without it.

use crate::cli::portcullis;
use portcullis::cli::INCIDENTS;
use portcullis::policy::PRESETS;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use tempfile::TempDir;

/// The sides of an incident, with the presets that its policy extends in the place of its own.
fn incident(name: &str, extends: &[&str], own_checks: bool) -> TempDir {
    let incident = INCIDENTS.iter().find(|incident| incident.name == name).expect(name);
    let folder = TempDir::new().expect("a folder");
    for (side, files) in [("old", incident.base), ("new", incident.head)] {
        for (path, text) in files {
            let text = if *path == "portcullis.yaml" { policy(text, extends, own_checks) } else { (*text).to_owned() };
            write(&folder.path().join(side).join(path), &text);
        }
    }
    folder
}

fn policy(text: &str, extends: &[&str], own_checks: bool) -> String {
    let extended = if extends.is_empty() { String::new() } else { format!("extends: [{}]", extends.join(", ")) };
    let text = text.replace("extends: [baseline]", &extended);
    let (before, checks) = text.split_once("\nchecks:\n").expect("checks");
    // Whatever stands behind the checks stays.
    let after = checks.lines().skip_while(|line| line.starts_with(' ') || line.is_empty());
    let after: String = after.map(|line| format!("{line}\n")).collect();
    if own_checks { text } else { format!("{before}\n{after}") }
}

fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    fs::write(path, text).expect("written");
}

fn report(folder: &TempDir) -> Value {
    let ran = portcullis(folder.path(), &[], &["check", "--old", "old", "--new", "new", "--output", "json"]);
    serde_json::from_str(&ran.out).expect(&ran.talk)
}

/// The checks that stop it, by what they ask for.
fn stops(report: &Value) -> BTreeSet<String> {
    let all = report["findings"].as_array().expect("findings").iter();
    let text = |finding: &Value, key: &str| finding[key].as_str().unwrap_or_default().to_owned();
    let weighs = all.filter(|finding| ["blocked", "needs-approval"].contains(&text(finding, "outcome").as_str()));
    weighs
        .map(|finding| format!("{} {} {}", text(finding, "outcome"), text(finding, "check"), text(finding, "name")))
        .collect()
}

#[test]
fn each_preset_alone_stops_an_incident() {
    let stopped = |name: &str, preset: &str| -> Vec<String> {
        let report = report(&incident(name, &[preset], false));
        let decision = report["decision"].as_str().expect("a decision").to_owned();
        [decision].into_iter().chain(stops(&report)).map(|line| line.trim_end().to_owned()).collect()
    };
    let mut out = String::new();
    for (name, preset) in [
        ("exoscale", "baseline"),
        ("blocked-ports", "strict"),
        ("blocked-ports", "internet-edge"),
        ("scaleway", "load-balancer"),
        ("scaleway-restore", "load-balancer"),
        ("exoscale-kubernetes", "kubernetes"),
        ("cloud-gov-terraform", "aws"),
        ("exoscale-terraform", "aws"),
    ] {
        let lines = stopped(name, preset);
        assert!(["blocked", "needs-approval"].contains(&lines[0].as_str()), "{name} {preset}: {lines:?}");
        out.push_str(&format!("{preset} {name}: {}\n", lines.join("; ")));
    }
    crate::blessed::compare(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/presets.txt"), &out);
}

#[test]
fn adding_a_preset_only_adds_findings() {
    for found in INCIDENTS {
        let without = report(&incident(found.name, &["baseline"], true));
        let decided = |report: &Value| {
            let words = ["pass", "needs-approval", "undecided", "blocked"];
            words.iter().position(|word| report["decision"] == *word).expect("a decision on the change")
        };
        for (preset, _) in PRESETS.iter().filter(|(preset, _)| *preset != "baseline") {
            let with = report(&incident(found.name, &["baseline", preset], true));
            assert!(decided(&with) >= decided(&without), "{} with {preset}: {}", found.name, with["decision"]);
            let (before, after) = (stops(&without), stops(&with));
            assert!(before.is_subset(&after), "{} with {preset}: {before:?} became {after:?}", found.name);
        }
        // The order in which they are named decides nothing.
        let all: Vec<&str> = PRESETS.iter().map(|(preset, _)| *preset).collect();
        let back: Vec<&str> = all.iter().rev().copied().collect();
        let [one, other] = [all, back].map(|presets| stops(&report(&incident(found.name, &presets, true))));
        assert_eq!(one, other, "{}", found.name);
    }
}

#[test]
fn every_preset_is_embedded_and_says_what_it_is_for() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("policies/presets");
    let on_disk: BTreeSet<String> = fs::read_dir(folder)
        .expect("the presets")
        .map(|entry| entry.expect("a file").file_name().into_string().expect("a name"))
        .collect();
    let known: BTreeSet<String> = PRESETS.iter().map(|(name, _)| format!("{name}.yaml")).collect();
    assert_eq!(known, on_disk);
    for (name, text) in PRESETS {
        let first = text.lines().next().unwrap_or_default();
        assert!(first.starts_with("# ") && first.ends_with('.') && first.len() < 125, "{name}: {first}");
    }
}
