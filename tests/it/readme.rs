//! The README says what is so: its generated parts are compared (`BLESS=1` writes them), its policy is used.

use crate::cli::portcullis;
use portcullis::checks::CHECKS;
use portcullis::cli::{DRIFTS, INCIDENTS};
use portcullis::policy::PRESETS;
use portcullis::report::Style;
use std::fs;
use std::path::Path;

fn readme() -> String {
    fs::read_to_string(path()).expect("a README")
}

fn path() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")
}

/// The text with another part between the marks of that name.
fn with(text: &str, name: &str, part: &str) -> String {
    let mark = format!("<!-- generated: {name} -->\n");
    let (before, rest) = text.split_once(&mark).expect(name);
    let (_, after) = rest.split_once("<!-- end -->").expect(name);
    format!("{before}{mark}{part}<!-- end -->{after}")
}

#[test]
fn its_generated_parts_are_up_to_date() {
    let incident = INCIDENTS.iter().find(|incident| incident.name == "blocked-ports").expect("the incident");
    let example = format!("```text\n$ portcullis check\n{}```\n", incident.replay(Style::PLAIN).text);
    let rows = CHECKS.iter().map(|check| format!("| [`{0}`](policies/{0}.md) | {1} |\n", check.id, check.summary()));
    let checks = format!("| check | reports |\n|---|---|\n{}", rows.collect::<String>());
    let old_and_new = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/migration");
    let ran = portcullis(&old_and_new, &[], &["diff", "rules.v4", "ruleset.nft"]);
    let migration = format!("```text\n$ portcullis diff rules.v4 ruleset.nft\n{}```\n", ran.out);
    let wanted = with(&with(&readme(), "example", &example), "checks", &checks);
    let wanted = with(&wanted, "migration", &migration);
    let wanted = with(&with(&wanted, "incidents", &incidents()), "presets", &presets());
    crate::blessed::compare(&path(), &wanted);
}

/// One line a preset: what its file says first, and the checks in it.
fn presets() -> String {
    let row = |(name, text): &(&str, &str)| {
        let first = text.lines().next().and_then(|line| line.strip_prefix("# ")).unwrap_or_default();
        let mut checks: Vec<&str> = text.lines().filter_map(|line| line.trim().strip_prefix("- check: ")).collect();
        checks.sort_unstable();
        checks.dedup();
        let checks: Vec<String> = checks.into_iter().map(|check| format!("`{check}`")).collect();
        format!("| [`{name}`](policies/presets/{name}.yaml) | {first} | {} |\n", checks.join(", "))
    };
    format!("| preset | what for | checks |\n|---|---|---|\n{}", PRESETS.iter().map(row).collect::<String>())
}

/// One line an incident: how its story begins, and what stops it.
fn incidents() -> String {
    let changes = INCIDENTS.iter().map(|i| (i.incident, i.story, i.stopped_by));
    let drifts = DRIFTS.iter().map(|drift| (drift.incident, drift.story, ["verify"].as_slice()));
    let mut rows: Vec<(&str, &str, Vec<&str>)> = Vec::new();
    for (name, story, by) in changes.chain(drifts) {
        let row = match rows.iter().position(|(known, _, _)| *known == name) {
            Some(row) => row,
            None => {
                rows.push((name, story, Vec::new()));
                rows.len() - 1
            }
        };
        rows[row].2.extend(by);
    }
    let rows = rows.into_iter().map(|(name, story, mut by)| {
        by.sort_unstable();
        by.dedup();
        let first = story.split_inclusive(['.', ':']).next().unwrap_or_default();
        let first = first.trim_end_matches(['.', ':']).replace('\n', " ");
        format!("| `{name}` | {first} | {} |\n", by.iter().map(|by| format!("`{by}`")).collect::<Vec<_>>().join(", "))
    });
    format!("| incident | how it began | stopped by |\n|---|---|---|\n{}", rows.collect::<String>())
}

#[test]
fn its_policy_judges_changes() {
    let readme = readme();
    let policy = readme.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next()).expect("a policy");
    let rules = "*filter\n:INPUT DROP [0:0]\n:FORWARD DROP [0:0]\n:OUTPUT ACCEPT [0:0]\n\
        -A INPUT -s 198.51.100.0/24 -p tcp -m tcp --dport 22 -j ACCEPT\nCOMMIT\n";
    let folder = tempfile::TempDir::new().expect("a folder");
    let write = |path: &str, text: &str| {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, text).expect("written");
    };
    write("old/portcullis.yaml", policy);
    write("old/hosts/web1.rules", rules);
    write("new/portcullis.yaml", policy);
    write("new/hosts/web1.rules", rules);
    let check = || portcullis(folder.path(), &[], &["check", "--old", "old", "--new", "new"]);
    let ran = check();
    assert_eq!(ran.code, 0, "{}", ran.out);
    write("new/hosts/web1.rules", &rules.replace("dport 22", "dport 2222"));
    let ran = check();
    assert_eq!(ran.code, 1, "{}", ran.out);
    assert!(ran.out.contains("critical-ports"), "{}", ran.out);
}

#[test]
fn its_commands_are_known() {
    let readme = readme();
    let commands = readme.lines().filter_map(|line| line.strip_prefix("portcullis "));
    let names: Vec<&str> = commands.filter_map(|line| line.split(' ').next()).collect();
    assert!(!names.is_empty());
    for name in names {
        assert_eq!(portcullis(Path::new("."), &[], &[name, "--help"]).code, 0, "{name}");
    }
}
