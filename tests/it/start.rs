//! A new user's first ten minutes, as the README tells them: every command is run literally, in a clone of a small fleet.
//! `BLESS=1` writes what they print.

use crate::tools::{alone, its_folder, path_with};
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// Between two commands of one shell.
const MARK: &str = "@@@ the next command @@@";

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// A repository that can be cloned, and a home in which git knows who works here.
fn remote(place: &Path) {
    fs::write(place.join(".gitconfig"), "[user]\n\tname = Jo Doe\n\temail = jo@example.org\n").expect("written");
    let work = place.join("work");
    copy(&root().join("tests/start/fleet"), &work);
    let script = "git init -q -b main . && git add . && git commit -q -m 'What is in force' && git clone -q --bare . ../fleet.git";
    let ran = shell(place, &work, script);
    assert!(ran.1, "{}", ran.0);
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("copied");
        }
    }
}

/// What a script prints, errors among the rest, and whether it ended well.
fn shell(home: &Path, folder: &Path, script: &str) -> (String, bool) {
    let day = "2026-01-15T12:00:00+0000";
    let ran = alone("bash")
        .args(["-c", &format!("exec 2>&1\n{script}")])
        .current_dir(folder)
        .env("PATH", path_with(its_folder()))
        .envs([("LC_ALL", "C"), ("GIT_CONFIG_NOSYSTEM", "1"), ("COLUMNS", "100")])
        .envs([("GIT_AUTHOR_DATE", day), ("GIT_COMMITTER_DATE", day)])
        .env("HOME", home)
        .output()
        .expect("bash runs");
    (String::from_utf8(ran.stdout).expect("UTF-8"), ran.status.success())
}

/// The parts of the README between the marks: text as it stands, commands with what they print.
fn replayed(part: &str) -> String {
    let place = TempDir::new().expect("a folder");
    remote(place.path());
    let commands: Vec<&str> = part.lines().filter_map(|line| line.strip_prefix("$ ")).collect();
    assert!(commands.len() > 4, "{commands:?}");
    let script: String = commands.iter().map(|command| format!("{command}\nprintf '%s\\n' '{MARK}'\n")).collect();
    let (printed, _) = shell(place.path(), place.path(), &script);
    let mark = format!("{MARK}\n");
    let mut answers = printed.split(&mark);
    let mut out = String::new();
    let mut lines = part.lines().peekable();
    while let Some(line) = lines.next() {
        out.push_str(&format!("{line}\n"));
        if line.starts_with("$ ") {
            out.push_str(answers.next().expect("an answer to every command"));
            while lines.peek().is_some_and(|next| !next.starts_with("$ ") && !next.starts_with("```")) {
                lines.next();
            }
        }
    }
    out
}

#[test]
fn the_first_ten_minutes_are_as_the_readme_tells_them() {
    let path = root().join("README.md");
    let readme = fs::read_to_string(&path).expect("a README");
    let mark = "<!-- generated: start -->\n";
    let (before, rest) = readme.split_once(mark).expect("the mark");
    let (part, after) = rest.split_once("<!-- end -->").expect("the end");
    let wanted = format!("{before}{mark}{}<!-- end -->{after}", replayed(part));
    crate::blessed::compare(&path, &wanted);
}
