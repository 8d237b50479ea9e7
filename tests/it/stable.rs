//! Removals that count only when they were seen several times without having changed, and the file in which that is kept.

use crate::tools;
use portcullis::cli::{Surroundings, run};
use portcullis::record::{Observed, digest, observe};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tempfile::TempDir;

const START: u64 = 1_795_161_600;
const OVER: Duration = Duration::from_secs(600);

fn place() -> (TempDir, PathBuf) {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("seen.state");
    (folder, path)
}

/// What is kept of one removal after it was seen: how often, and for how many seconds.
fn see(path: &Path, removal: &str, now: u64) -> (usize, u64, Option<String>) {
    let seen: BTreeMap<String, Duration> = [(removal.to_owned(), OVER)].into();
    let Observed { removals, begun } = observe(path, &seen, now).expect("kept");
    let sightings = removals[removal];
    (sightings.observations, sightings.over.as_secs(), begun)
}

fn twice(path: &Path) {
    assert_eq!(see(path, "a", START), (1, 0, None));
    assert_eq!(see(path, "a", START + 300), (2, 300, None));
}

const STRANGE: &str = "it is not as this program wrote it";

#[test]
fn a_removal_is_counted_as_long_as_every_look_sees_it() {
    let (_folder, path) = place();
    twice(&path);
    assert_eq!(see(&path, "a", START + 600), (3, 600, None));
    // Something else in between, or nothing at all, and it begins anew.
    assert_eq!(see(&path, "b", START + 700), (1, 0, None));
    assert_eq!(see(&path, "a", START + 800), (1, 0, None));
    observe(&path, &BTreeMap::new(), START + 900).expect("kept");
    assert_eq!(see(&path, "a", START + 1000), (1, 0, None));
}

#[test]
fn what_nobody_looked_at_for_a_day_begins_anew() {
    let (_folder, path) = place();
    twice(&path);
    assert_eq!(see(&path, "a", START + 300 + 86400), (3, 86700, None));
    assert_eq!(see(&path, "a", START + 300 + 2 * 86400 + 1), (1, 0, None));
}

#[test]
fn a_state_of_the_future_does_not_help() {
    let (_folder, path) = place();
    twice(&path);
    let why = "it is of 2026-11-20T08:05:00Z, which is yet to come".to_owned();
    assert_eq!(see(&path, "a", START + 299), (1, 0, Some(why)));
}

#[test]
fn a_state_that_is_lost_changed_or_cut_short_does_not_help() {
    let (_folder, path) = place();
    twice(&path);
    let good = std::fs::read(&path).expect("read");
    let mut mutants = 0;
    for n in 0..good.len() {
        let mut flipped = good.clone();
        flipped[n] ^= 1;
        for bad in [&flipped[..], &good[..n]] {
            std::fs::write(&path, bad).expect("written");
            assert_eq!(see(&path, "a", START + 600), (1, 0, Some(STRANGE.to_owned())), "byte {n}");
            mutants += 1;
        }
    }
    assert!(mutants > 300, "{mutants}");
    std::fs::write(&path, [&good[..], b"\n"].concat()).expect("written");
    assert_eq!(see(&path, "a", START + 600).0, 1);
    std::fs::remove_file(&path).expect("removed");
    assert_eq!(see(&path, "a", START + 600), (1, 0, None));
}

/// The state with another time of writing, under a digest that is right.
fn rewritten(path: &Path, seconds_earlier: u64) {
    let text = std::fs::read_to_string(path).expect("read");
    let (_, rest) = text.split_once('\n').expect("two lines");
    let at = rest.split("\"written\": ").nth(1).and_then(|rest| rest.split(',').next()).expect("a time");
    let earlier = at.parse::<u64>().expect("a number") - seconds_earlier;
    let rest = rest.replace(&format!("\"written\": {at}"), &format!("\"written\": {earlier}"));
    std::fs::write(path, format!("portcullis-removals-v1 {}\n{rest}", digest(rest.as_bytes()))).expect("written");
}

#[test]
fn a_copy_that_is_put_back_does_not_help() {
    let (_folder, path) = place();
    twice(&path);
    rewritten(&path, 5);
    assert_eq!(see(&path, "a", START + 600), (3, 600, None), "a slow disk is no copy");
    rewritten(&path, 3600);
    let why = "it was copied, or put back, and not written by this program last".to_owned();
    assert_eq!(see(&path, "a", START + 700), (1, 0, Some(why)));
}

#[test]
fn what_a_run_that_was_killed_left_behind_is_not_read() {
    let (folder, path) = place();
    twice(&path);
    let good = std::fs::read(&path).expect("read");
    let new = folder.path().join("seen.state.new");
    for n in 0..=good.len() {
        // Killed with so much of the new file written, before it took the name of the old one.
        std::fs::write(&new, &good[..n]).expect("written");
        let before = 2 + n;
        assert_eq!(see(&path, "a", START + 600).0, before + 1, "{n} bytes");
    }
    // Killed behind that: the new file is whole under the name of the old one, and the lock is free.
    assert!(!new.exists());
}

#[test]
fn several_at_once_lose_nothing() {
    let (_folder, path) = place();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..5 {
                    see(&path, "a", START);
                }
            });
        }
    });
    assert_eq!(see(&path, "a", START), (41, 0, None));
}

#[test]
fn a_state_that_cannot_be_written_is_an_error_and_no_answer() {
    let (folder, _) = place();
    assert!(observe(folder.path(), &BTreeMap::new(), START).is_err(), "a folder");
    assert!(observe(&folder.path().join("none/state"), &BTreeMap::new(), START).is_err(), "no folder");
}

const POLICY: &str = "version: 1\nconfigurations: {edge: {files: [edge.nft]}}\nchecks:\n  \
    - {check: deletion-limit, count: 5, stable: {observations: 3, over: 10m}}\n  - {check: required-approvals, \
    rules: [{name: all, when: {any_effect: true, no_effect: true, changes_policy: true}, none: {because: \"only the removal counts\"}}]}\n";

/// A program's two folders: what is in force, and what it proposes.
fn sides(folder: &Path, rules: &[&[&str]; 2]) {
    for (name, rules) in ["old", "new"].into_iter().zip(rules) {
        let lines: String = rules.iter().map(|rule| format!("  {rule}\n")).collect();
        let text = format!(
            "table inet t {{\n chain input {{\n  type filter hook input priority 0; policy drop;\n{lines} }}\n}}\n"
        );
        let folder = folder.join(name);
        std::fs::create_dir_all(&folder).expect("made");
        std::fs::write(folder.join("portcullis.yaml"), POLICY).expect("written");
        std::fs::write(folder.join("edge.nft"), text).expect("written");
    }
}

const ONE: &str = "ip saddr 10.0.0.1 tcp dport 443 accept";
const TWO: &str = "ip saddr 10.0.0.2 tcp dport 443 accept";
const THREE: &str = "ip saddr 10.0.0.3 tcp dport 443 accept";

/// The exit code, and the sentence of the finding or doubt.
fn check(folder: &Path, now: u64, more: &[&str]) -> (u8, String) {
    let surroundings = Surroundings { folder: folder.to_owned(), clock: Some(now), ..Surroundings::default() };
    let (mut out, mut talk) = (Vec::new(), Vec::new());
    let arguments = ["portcullis", "check", "--old", "old", "--new", "new", "--output", "json"];
    let arguments = arguments.iter().chain(more).map(OsString::from);
    let code = run(&surroundings, arguments, &mut out, &mut talk);
    let report: serde_json::Value = serde_json::from_slice(&out).unwrap_or_default();
    let first = |list: &str| report[list][0]["message"].as_str().map(str::to_owned);
    let said = first("findings").or(first("doubts")).unwrap_or_default();
    (code, if said.is_empty() { String::from_utf8_lossy(&talk).into_owned() } else { said })
}

fn seen(times: usize, minutes: &str) -> (u8, String) {
    (
        1,
        format!(
            "the removal of 1 object was seen {times} of 3 times without having changed, over {minutes} of 10 minutes"
        ),
    )
}

#[test]
fn a_removal_passes_when_the_third_look_after_ten_minutes_still_sees_it() {
    let folder = TempDir::new().expect("a folder");
    let folder = folder.path();
    let state = ["--state", "seen.state"];
    sides(folder, &[&[ONE, TWO], &[ONE]]);
    assert_eq!(check(folder, START, &state), seen(1, "0 seconds"));
    // Written otherwise, it is the same removal.
    sides(folder, &[&[TWO, ONE], &["tcp dport 443 ip saddr 10.0.0.1 accept comment \"x\""]]);
    assert_eq!(check(folder, START + 60, &state), seen(2, "60 seconds"));
    assert_eq!(check(folder, START + 599, &state), seen(3, "9 minutes"));
    assert_eq!(check(folder, START + 600, &state).0, 0);
    // Another removal of as many has not been seen yet.
    sides(folder, &[&[ONE, TWO], &[TWO]]);
    assert_eq!(check(folder, START + 700, &state), seen(1, "0 seconds"));
    // What comes beside the removal does not change it.
    sides(folder, &[&[ONE, TWO], &[TWO, THREE]]);
    assert_eq!(check(folder, START + 800, &state), seen(2, "100 seconds"));
    // Everything is there again for a moment.
    sides(folder, &[&[ONE, TWO], &[ONE, TWO]]);
    assert_eq!(check(folder, START + 900, &state).0, 0);
    sides(folder, &[&[ONE, TWO], &[TWO]]);
    assert_eq!(check(folder, START + 1400, &state), seen(1, "0 seconds"));
}

#[test]
fn without_a_state_or_with_one_that_cannot_be_used_the_answer_is_not_known() {
    let folder = TempDir::new().expect("a folder");
    sides(folder.path(), &[&[ONE, TWO], &[ONE]]);
    let not = |why: &str| (3, format!("it cannot be checked: {why}"));
    assert_eq!(check(folder.path(), START, &[]), not("whether the removal of 1 object was seen before is not known"));
    let (code, said) = check(folder.path(), START, &["--state", "new"]);
    assert_eq!(code, 3, "{said}");
    // Where nothing goes there is nothing to have been seen.
    sides(folder.path(), &[&[ONE], &[ONE, TWO]]);
    assert_eq!(check(folder.path(), START, &[]).0, 0);
}

/// The digest in the first line is that of the rest.
fn is_whole(path: &Path) -> bool {
    let text = std::fs::read_to_string(path).expect("text");
    let (line, rest) = text.split_once('\n').expect("two lines");
    line.strip_prefix("portcullis-removals-v1 ") == Some(&digest(rest.as_bytes()))
}

#[test]
#[expect(clippy::print_stdout, reason = "totals are read in the log")]
fn killed_at_any_time_the_state_is_the_old_one_or_the_new_one() {
    let folder = TempDir::new().expect("a folder");
    sides(folder.path(), &[&[ONE, TWO], &[ONE]]);
    let path = folder.path().join("seen.state");
    let (mut killed, mut ended) = (0, 0);
    for n in 0_u64..40 {
        let mut child = tools::this_program()
            .args(["check", "--old", "old", "--new", "new", "--state", "seen.state"])
            .current_dir(folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("started");
        std::thread::sleep(Duration::from_millis(n));
        child.kill().expect("killed");
        match child.wait().expect("ended").code() {
            Some(code) => {
                ended += 1;
                assert_eq!(code, 1);
            }
            None => killed += 1,
        }
        assert!(!path.exists() || is_whole(&path));
    }
    println!("{killed} runs killed, {ended} came to their end; every state whole");
    let output = tools::this_program()
        .args(["check", "--old", "old", "--new", "new", "--state", "seen.state"])
        .current_dir(folder.path())
        .output()
        .expect("run");
    assert_eq!(output.status.code(), Some(1), "{}", tools::said(&output));
}
