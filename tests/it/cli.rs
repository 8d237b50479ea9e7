//! The command line, run in this process: what is printed where, and the exit codes.

use crate::repo::{Item, Repo};
use portcullis::cli::{Surroundings, run};
use std::ffi::OsString;
use std::path::Path;
use tempfile::TempDir;

/// What a run left behind.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Ran {
    pub(crate) code: u8,
    pub(crate) out: String,
    pub(crate) talk: String,
}

pub(crate) fn portcullis(folder: &Path, variables: &[(&str, &str)], arguments: &[&str]) -> Ran {
    let surroundings = Surroundings {
        folder: folder.to_owned(),
        variables: variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        ..Surroundings::default()
    };
    let (mut out, mut talk) = (Vec::new(), Vec::new());
    let arguments = ["portcullis"].iter().chain(arguments).map(OsString::from);
    let code = run(&surroundings, arguments, &mut out, &mut talk);
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    Ran { code, out: text(out), talk: text(talk) }
}

const POLICY: &str = "version: 1\nextends: [baseline]\nconfigurations:\n  web: {files: [\"fw/*.rules\"], each: true}\n";
const OPEN: &str = "*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\nCOMMIT\n";
const SHUT: &str = "*filter\n:INPUT DROP [0:0]\n:FORWARD DROP [0:0]\n:OUTPUT ACCEPT [0:0]\n\
    -A INPUT -s 198.51.100.0/24 -p tcp -m tcp --dport 22 -j ACCEPT\nCOMMIT\n";

/// A repository in which those files are committed and checked out.
fn committed(files: &[(&str, &str)]) -> Repo {
    let repo = Repo::new();
    let items: Vec<Item<'_>> = files.iter().map(|(path, text)| file(path, text)).collect();
    repo.commit(&[], &items);
    repo.checkout();
    repo
}

fn file<'a>(path: &'a str, text: &'a str) -> Item<'a> {
    (path.as_bytes(), "100644", text.as_bytes())
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

fn folder() -> TempDir {
    TempDir::new().expect("a folder")
}

#[test]
fn a_work_tree_without_changes_passes() {
    let repo = committed(&[("portcullis.yaml", POLICY), ("fw/web.rules", SHUT)]);
    let ran = portcullis(repo.folder.path(), &[], &["check"]);
    assert_eq!((ran.code, ran.talk.as_str()), (0, ""), "{}", ran.out);
    assert!(ran.out.starts_with("PASS"), "{}", ran.out);
}

#[test]
fn an_opened_port_is_not_a_pass_and_is_shown_with_a_packet() {
    let repo = committed(&[("portcullis.yaml", POLICY), ("fw/web.rules", SHUT)]);
    repo.write("fw/web.rules", &SHUT.replace("-s 198.51.100.0/24 ", ""));
    let ran = portcullis(repo.folder.path(), &[], &["check"]);
    assert_eq!(ran.code, 1, "{}", ran.out);
    assert!(ran.out.contains("exposed-ports") && ran.out.contains(":22 new"), "{}", ran.out);
    let json = portcullis(repo.folder.path(), &[], &["check", "--output", "json"]);
    let report: serde_json::Value = serde_json::from_str(&json.out).expect("JSON");
    assert_eq!((json.code, report["decision"].as_str()), (1, Some("needs-approval")));
}

#[test]
fn two_files_are_judged_by_a_policy_that_is_named() {
    let folder = folder();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("written");
    write("before.rules", SHUT);
    write("after.rules", &SHUT.replace("-s 198.51.100.0/24 ", ""));
    write("p.yaml", &POLICY.replace("fw/*.rules", "*.rules"));
    let check =
        |new| portcullis(folder.path(), &[], &["check", "--old", "before.rules", "--new", new, "--policy", "p.yaml"]);
    assert_eq!((check("before.rules").code, check("after.rules").code, check("nothing").code), (0, 1, 3));
    let without = portcullis(folder.path(), &[], &["check", "--old", "before.rules", "--new", "after.rules"]);
    assert_eq!(without.code, 2, "{}", without.out);
    let ran = portcullis(folder.path(), &[], &["check", "--old", "before.rules", "--new", ".", "--policy", "p.yaml"]);
    assert_eq!(ran.code, 3);
    assert!(ran.out.contains("is a file and the other side is a folder"), "{}", ran.out);
}

#[test]
fn a_change_by_a_program_is_held_to_the_stricter_limit() {
    let more = (1..=40).map(|n| format!("-A INPUT -s 198.51.100.{n}/32 -p udp -m udp --dport 99 -j ACCEPT\n"));
    let long = SHUT.replace("COMMIT", &format!("{}COMMIT", more.collect::<String>()));
    let gone = |line: &&str| (1..=4).any(|n| line.contains(&format!("198.51.100.{n}/32")));
    let short: String = long.lines().filter(|line| !gone(line)).map(|line| format!("{line}\n")).collect();
    let policy = format!("{POLICY}bots: [\"renovate[bot]\"]\n");
    for (author, code) in [("Jo Doe", 0), ("renovate[bot]", 1)] {
        let repo = committed(&[("portcullis.yaml", &policy), ("fw/web.rules", &long)]);
        let base = repo.git.head().and_then(|head| head.peel_to_commit()).expect("a commit").id();
        let tree = repo
            .tree(&[(b"portcullis.yaml", "100644", policy.as_bytes()), (b"fw/web.rules", "100644", short.as_bytes())]);
        repo.commit_by(author, tree, &[base]);
        let ran = portcullis(repo.folder.path(), &[], &["check", "--base", &base.to_string(), "--head", "main"]);
        assert_eq!(ran.code, code, "{author}: {}", ran.out);
    }
}

#[test]
fn b05_a_missing_policy_is_a_policy_error_that_names_the_path() {
    let repo = committed(&[("fw/web.rules", SHUT)]);
    let id = repo.git.head().and_then(|head| head.peel_to_commit()).expect("a commit").id().to_string();
    repo.write("portcullis.yaml", POLICY);
    let ran = portcullis(repo.folder.path(), &[], &["check"]);
    assert_eq!(ran.code, 2, "{}", ran.out);
    let sentence = format!("base has no file `portcullis.yaml` (commit {})", &id[..10]);
    assert!(ran.out.contains(&sentence), "{}", ran.out);
}

#[test]
fn b01_b02_the_policy_that_judges_is_that_of_base() {
    let repo = committed(&[("portcullis.yaml", POLICY), ("fw/web.rules", SHUT)]);
    repo.write("fw/web.rules", &SHUT.replace("-s 198.51.100.0/24 ", ""));
    repo.write("portcullis.yaml", &POLICY.replace("extends: [baseline]", "checks: [{check: unreadable}]"));
    let ran = portcullis(repo.folder.path(), &[], &["check"]);
    assert_eq!(ran.code, 1, "{}", ran.out);
    assert!(ran.out.contains("exposed-ports"), "{}", ran.out);
}

#[test]
fn a01_moving_a_file_out_of_sight_does_not_pass() {
    let repo = committed(&[("portcullis.yaml", POLICY), ("fw/web.rules", SHUT)]);
    std::fs::create_dir(repo.folder.path().join("legacy")).expect("a folder");
    let path = |name| repo.folder.path().join(name);
    std::fs::rename(path("fw/web.rules"), path("legacy/web.txt")).expect("moved");
    let ran = portcullis(repo.folder.path(), &[], &["check"]);
    assert!(ran.code == 1 || ran.code == 3, "{}", ran.out);
    assert!(ran.out.contains("names no file any more"), "{}", ran.out);
}

#[cfg(unix)]
#[test]
fn a02_a_link_is_undecided_with_a_sentence() {
    let repo = committed(&[("portcullis.yaml", POLICY), ("fw/web.rules", SHUT)]);
    let path = repo.folder.path().join("fw/web.rules");
    std::fs::remove_file(&path).expect("removed");
    std::os::unix::fs::symlink("../open", &path).expect("a link");
    let ran = portcullis(repo.folder.path(), &[], &["check"]);
    assert_eq!(ran.code, 3, "{}", ran.out);
    assert!(ran.out.contains("`fw/web.rules` is a symbolic link to `../open`"), "{}", ran.out);
}

#[test]
fn a05_attributes_of_judged_files_need_an_approval() {
    let repo = committed(&[("portcullis.yaml", POLICY), ("fw/web.rules", SHUT), ("fw/.gitattributes", "# none\n")]);
    repo.write("docs/.gitattributes", "* -diff\n");
    assert_eq!(portcullis(repo.folder.path(), &[], &["check"]).code, 0);
    repo.write("fw/.gitattributes", "# none\n*.rules -diff export-ignore\n");
    let ran = portcullis(repo.folder.path(), &[], &["check"]);
    let talks_of_it = ran.out.contains("policy-changes") && ran.out.contains("2 | *.rules -diff export-ignore");
    assert!(ran.code == 1 && ran.out.starts_with("NEEDS APPROVAL") && talks_of_it, "{}", ran.out);
    std::fs::remove_file(repo.folder.path().join("fw/.gitattributes")).expect("removed");
    assert_eq!(portcullis(repo.folder.path(), &[], &["check"]).code, 1);
}

#[test]
fn a14_diverged_branches_are_judged_as_they_will_be_merged() {
    let (policy, web) = (file("portcullis.yaml", POLICY), file("fw/web.rules", SHUT));
    let repo = Repo::new();
    let root = repo.commit(&[], &[policy, web]);
    let main = repo.commit(&[root], &[policy, web, file("fw/db.rules", SHUT)]).to_string();
    let open = repo.commit(&[root], &[policy, file("fw/web.rules", OPEN)]).to_string();
    let ran = portcullis(repo.folder.path(), &[], &["check", "--base", &main, "--head", &open]);
    assert_eq!(ran.code, 1, "{}", ran.out);
    assert!(ran.out.contains("web/web/input") && !ran.out.contains("web/db/"), "{}", ran.out);
    assert!(ran.out.contains("head: merge"), "{}", ran.out);
}

#[test]
fn a06_a_git_lfs_pointer_is_undecided_with_a_sentence() {
    let repo = committed(&[("portcullis.yaml", POLICY), ("fw/web.rules", SHUT)]);
    repo.write("fw/web.rules", "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 3\n");
    let ran = portcullis(repo.folder.path(), &[], &["check"]);
    assert_eq!(ran.code, 3, "{}", ran.out);
    assert!(ran.out.contains("`fw/web.rules` is a git-lfs pointer, not the file"), "{}", ran.out);
}

#[test]
fn a15_a_shallow_clone_is_undecided_and_says_what_to_set() {
    let repo = committed(&[("portcullis.yaml", POLICY), ("fw/web.rules", SHUT)]);
    let id = repo.git.head().and_then(|head| head.peel_to_commit()).expect("a commit").id();
    std::fs::write(repo.git.path().join("shallow"), format!("{id}\n")).expect("a file");
    let ran = portcullis(repo.folder.path(), &[], &["check", "--base", "origin/main"]);
    assert_eq!(ran.code, 3, "{}", ran.out);
    assert!(ran.out.contains("fetch-depth: 0"), "{}", ran.out);
}

#[test]
fn a26_a_change_that_only_deletes_does_not_pass() {
    let files = [("portcullis.yaml", POLICY), ("fw/web.rules", SHUT), ("fw/db.rules", SHUT)];
    let repo = committed(&files);
    std::fs::remove_file(repo.folder.path().join("fw/db.rules")).expect("removed");
    let ran = portcullis(repo.folder.path(), &[], &["check"]);
    assert_eq!(ran.code, 1, "{}", ran.out);
}

#[test]
fn outside_of_a_known_job_ci_is_never_an_empty_change() {
    let repo = committed(&[("portcullis.yaml", POLICY), ("fw/web.rules", SHUT)]);
    let ran = portcullis(repo.folder.path(), &[("CI", "true")], &["check"]);
    assert_eq!(ran.code, 3, "{}", ran.out);
    assert!(ran.out.contains("portcullis check --base origin/main --head HEAD"), "{}", ran.out);
}

#[test]
fn equal_meaning_is_exit_code_0_another_meaning_1_and_unreadable_input_3() {
    let folder = folder();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("written");
    write("a", SHUT);
    write("b", &SHUT.replace("-p tcp -m tcp --dport 22", "-p tcp -m multiport --dports 22"));
    write("c", OPEN);
    write("d", &SHUT.replace("-j ACCEPT", "-j FROBNICATE"));
    let diff = |old, new| portcullis(folder.path(), &[], &["diff", old, new]).code;
    assert_eq!([diff("a", "a"), diff("a", "b"), diff("a", "c"), diff("a", "d"), diff("a", "nowhere")], [0, 0, 1, 3, 3]);
}

#[test]
fn what_cannot_be_compared_is_said_in_every_output_that_was_asked_for() {
    let folder = folder();
    std::fs::write(folder.path().join("r"), SHUT).expect("written");
    let ran = portcullis(folder.path(), &[], &["diff", "r", "gone", "--output", "json", "--output", "text=t"]);
    let answer: serde_json::Value = serde_json::from_str(&ran.out).expect("JSON");
    let message = answer["doubts"][0]["message"].as_str().unwrap_or_default();
    assert!(ran.code == 3 && message.starts_with("`gone`") && ran.talk.contains("`gone`"), "{}{}", ran.out, ran.talk);
    let text = std::fs::read_to_string(folder.path().join("t")).expect("written");
    assert!(text.starts_with("Nothing was compared\n") && text.contains("`gone`"), "{text}");
}

#[test]
fn folders_are_compared_file_by_file() {
    let folder = folder();
    for (name, text) in [("old/a.rules", SHUT), ("old/notes", "x"), ("new/a.rules", OPEN), ("new/b.rules", OPEN)] {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(path, text).expect("written");
    }
    let ran = portcullis(folder.path(), &[], &["diff", "old", "new", "--output", "json"]);
    let report: serde_json::Value = serde_json::from_str(&ran.out).expect("JSON");
    let found: Vec<_> = report["configurations"].as_array().expect("a list").iter().collect();
    let found: Vec<_> = found.iter().map(|c| (c["name"].as_str(), c["change"].as_str())).collect();
    assert_eq!(found, [(Some("a.rules"), Some("changed")), (Some("b.rules"), Some("added"))]);
    assert_eq!((ran.code, ran.talk.as_str()), (1, "note: left out, of no known format: notes\n"));
}

#[test]
fn a_file_is_shown_as_it_is_understood_and_gaps_are_no_success() {
    let folder = folder();
    std::fs::write(folder.path().join("r"), SHUT).expect("written");
    let ran = portcullis(folder.path(), &[], &["parse", "r"]);
    assert_eq!((ran.code, first_line(&ran.out)), (0, "configuration r (iptables-save)"));
    assert!(ran.out.contains("r:5  accept  tcp 198.51.100.0/24 -> any:22"), "{}", ran.out);
    std::fs::write(folder.path().join("r"), SHUT.replace("-j ACCEPT", "-j FROBNICATE")).expect("written");
    let ran = portcullis(folder.path(), &[], &["parse", "r"]);
    assert_eq!(ran.code, 3, "{}", ran.out);
    assert!(ran.out.contains("FROBNICATE"), "{}", ran.out);
    assert_eq!(portcullis(folder.path(), &[], &["parse", "nothing"]).code, 3);
}

#[test]
fn a_packet_is_traced_on_one_side_and_on_both() {
    let repo = committed(&[("portcullis.yaml", POLICY), ("fw/web.rules", SHUT)]);
    repo.write("fw/web.rules", OPEN);
    let packet = "tcp 203.0.113.9 -> 192.0.2.1:22";
    let answers = |arguments: &[&str]| -> Vec<String> {
        let ran = portcullis(repo.folder.path(), &[], &[&["trace"], arguments, &["--output", "json"]].concat());
        let walk: serde_json::Value = serde_json::from_str(&ran.out).expect(&ran.talk);
        assert_eq!(ran.code, 0);
        let sides = walk["sides"].as_array().expect("sides");
        sides.iter().map(|side| side["answer"].as_str().expect("an answer").to_owned()).collect()
    };
    assert_eq!(answers(&["fw/web.rules/input", packet]), ["allow"]);
    assert_eq!(answers(&["fw/web.rules", packet, "--filter", "input", "--base", "HEAD"]), ["deny", "allow"]);
    assert_eq!(answers(&["web/web/input", packet]), ["allow"]);
    assert_eq!(answers(&["web/web/input", packet, "--base", "main"]), ["deny", "allow"]);
    assert_eq!(answers(&["HEAD:fw/web.rules/input", packet]), ["deny"]);
}

#[test]
fn an_undecided_condition_is_named_and_can_be_set() {
    let folder = folder();
    let text = SHUT.replace("-s 198.51.100.0/24", "-m recent --rcheck --name knock --rsource");
    std::fs::write(folder.path().join("r"), text).expect("written");
    let trace = |more: &[&str]| {
        let arguments = [&["trace", "r/input", "tcp 203.0.113.9 -> 192.0.2.1:22"], more].concat();
        let ran = portcullis(folder.path(), &[], &[&arguments[..], &["-o", "json"]].concat());
        serde_json::from_str::<serde_json::Value>(&ran.out).expect(&ran.talk)["sides"][0].clone()
    };
    let side = trace(&[]);
    let unknown = side["unknown"][0].as_str().expect("a condition").to_owned();
    assert_eq!(side["answer"], "deny");
    assert_eq!(trace(&["--assume", &unknown])["answer"], "allow");
    assert_eq!(trace(&["--assume-not", &unknown])["answer"], "deny");
}

#[test]
fn what_does_not_exist_is_a_usage_error_that_says_what_does() {
    let folder = folder();
    std::fs::write(folder.path().join("r"), SHUT).expect("written");
    let cases: [(&[&str], &str); 8] = [
        (&["explain", "critcal-ports"], "did you mean `critical-ports`?"),
        (&["check", "--output", "jsn"], "did you mean `json`?"),
        (&["check", "--output", "json="], "a file name is missing"),
        (&["chek"], "check"),
        (&["diff", "a", "b", "--format", "iptables-sav"], "did you mean `iptables-save`?"),
        (&["trace", "r/imput", "tcp 1.2.3.4 -> 1.2.3.5:22"], "did you mean `input`?"),
        (&["trace", "r", "tcp 1.2.3.4 -> 1.2.3.5:22"], "forward, input, output"),
        (&["trace", "r/input", "tcp 1.2.3.4 -> 1.2.3.5"], "destination port"),
    ];
    for (arguments, hint) in cases {
        let ran = portcullis(folder.path(), &[], arguments);
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{arguments:?}: {}", ran.talk);
        assert!(ran.talk.contains(hint), "{arguments:?}: {}", ran.talk);
    }
}

#[test]
fn the_exit_code_does_not_depend_on_the_output_and_files_are_written() {
    let repo = committed(&[("portcullis.yaml", POLICY), ("fw/web.rules", SHUT)]);
    repo.write("fw/web.rules", OPEN);
    let at = repo.folder.path();
    let plain = portcullis(at, &[], &["check"]);
    let both = portcullis(at, &[], &["check", "-o", "text=../out.txt", "--output", "json"]);
    assert_eq!((plain.code, both.code), (1, 1));
    let file = at.parent().expect("a folder").join("out.txt");
    assert_eq!(std::fs::read_to_string(&file).expect("a file"), plain.out);
    std::fs::remove_file(file).expect("removed");
    let lost = portcullis(at, &[], &["explain", "unreadable"]);
    assert_eq!(lost.code, 0);
    let lost = portcullis(at, &[], &["diff", "HEAD:fw", "HEAD:fw", "-o", "json=/nowhere/x"]);
    assert_eq!(lost.code, 3, "an answer that nobody can have seen is no pass");
}

#[test]
fn colour_is_for_terminals_and_for_those_who_ask() {
    let folder = folder();
    std::fs::write(folder.path().join("a"), SHUT).expect("written");
    let coloured = |variables: &[(&str, &str)], stdout_is_terminal| {
        let surroundings = Surroundings {
            folder: folder.path().to_owned(),
            variables: variables.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
            stdout_is_terminal,
            ..Surroundings::default()
        };
        let mut out = Vec::new();
        let arguments = ["portcullis", "diff", "a", "a"].map(OsString::from);
        run(&surroundings, arguments, &mut out, &mut Vec::new());
        out.contains(&0x1b)
    };
    assert!(coloured(&[], true) && coloured(&[("CLICOLOR_FORCE", "1")], false));
    assert!(!coloured(&[], false) && !coloured(&[("NO_COLOR", "1")], true) && !coloured(&[("TERM", "dumb")], true));
    assert!(
        !coloured(&[("NO_COLOR", "1"), ("CLICOLOR_FORCE", "1")], true) && !coloured(&[("CLICOLOR_FORCE", "0")], false)
    );
}

#[test]
fn every_command_has_help_with_an_example() {
    for command in ["check", "diff", "trace", "verify", "parse", "explain", "demo", "schema", "completions"] {
        let ran = portcullis(Path::new("."), &[], &[command, "--help"]);
        assert_eq!(ran.code, 0);
        assert!(ran.out.contains("xample") && ran.out.contains(&format!("portcullis {command}")), "{}", ran.out);
    }
}

#[test]
fn the_demonstration_stops_every_incident() {
    let ran = portcullis(Path::new("/nonexistent"), &[], &["demo"]);
    assert_eq!(ran.code, 0, "{}", ran.out);
    assert_eq!(ran.out.lines().last(), Some("11 of 11 replays of 5 incidents stopped."));
    let (live, recorded) = (
        ran.out.contains("live in a network namespace of its own"),
        ran.out.contains("a recorded run (nothing is touched"),
    );
    assert!(live != recorded, "it says which it is: {}", ran.out);
    assert_eq!(
        live,
        ran.out.contains("And once the rules are really loaded there:\n\nEQUAL: wayscloud"),
        "{}",
        ran.out
    );
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    struct Closed;
    impl std::io::Write for Closed {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut talk = Vec::new();
    let arguments = ["portcullis", "explain"].map(OsString::from);
    assert_eq!((run(&Surroundings::default(), arguments, &mut Closed, &mut talk), talk), (0, Vec::new()));
}

#[test]
fn without_arguments_there_is_help() {
    let ran = portcullis(Path::new("."), &[], &[]);
    assert_eq!(ran.code, 2);
    assert!(ran.talk.contains("Usage: portcullis"), "{}", ran.talk);
}
