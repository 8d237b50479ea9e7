//! Published lists change without a commit: the examples that look at them every day.

use crate::cli::{Ran, portcullis};
use crate::feeds::{NEW, pinned};
use crate::tools::{program, said};
use std::fs;
use std::path::Path;
use std::process::Command;

const WORKFLOW: &str = "examples/github/portcullis-feeds.yml";
const SERVICE: &str = "examples/systemd/portcullis-feeds.service";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn text(path: &str) -> String {
    fs::read_to_string(root().join(path)).expect("an example")
}

/// What an example runs of ours, as it would be there: with the newest list in a folder of the run.
fn run(line: &str, folder: &Path) -> Ran {
    let (_, arguments) = line.split_once("portcullis\" ").or(line.split_once("portcullis ")).expect("a call");
    let here = folder.display().to_string();
    let word = |word: &str| {
        let word = word.trim_matches(['"', '\'']);
        let word = word.replace("${RUNTIME_DIRECTORY}", &here).replace("$RUNNER_TEMP", &here);
        word.replace("${FOLDER}", &here).replace("${FEED}", "s3").replace("$FEED", "s3")
    };
    let words: Vec<String> = arguments.split_whitespace().map(word).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    portcullis(folder, &[], &words)
}

/// The lines of both examples that run ours.
fn calls() -> [String; 2] {
    let line = |text: String, start: &str| {
        let line = text.lines().find(|line| line.trim_start().starts_with(start)).map(str::trim);
        line.unwrap_or_else(|| unreachable!("no line begins with `{start}`")).to_owned()
    };
    let workflow = line(text(WORKFLOW), "run: '\"$RUNNER_TEMP/portcullis/bin/portcullis\"");
    [format!("{workflow} --path ."), line(text(SERVICE), "ExecStart=/usr/bin/portcullis ")]
}

#[test]
fn e15_a_list_that_grows_fails_the_daily_run_and_writes_nothing() {
    for call in calls() {
        let folder = pinned();
        let place = folder.path();
        let before = fs::read(place.join("feeds/ip-ranges.json")).expect("a list");
        let ran = run(&call, place);
        assert_eq!(ran.code, 1, "{call}: {}{}", ran.out, ran.talk);
        assert!(ran.out.contains("required-coverage"), "{}", ran.out);
        // An answer that is no list, and none at all, are not a pass either.
        for (list, code) in [("<html>log in</html>", 3), ("", 3), (&NEW[..NEW.len() / 2], 3)] {
            fs::write(place.join("new.json"), list).expect("written");
            assert_eq!(run(&call, place).code, code, "{list}");
        }
        fs::remove_file(place.join("new.json")).expect("removed");
        assert_eq!(run(&call, place).code, 3);
        // The list that is in force is covered.
        fs::write(place.join("new.json"), &before).expect("written");
        assert_eq!(run(&call, place).code, 0);
        assert_eq!(fs::read(place.join("feeds/ip-ranges.json")).expect("a list"), before);
    }
}

#[test]
fn the_workflow_has_a_schedule_and_no_more_than_it_needs() {
    let text = text(WORKFLOW);
    let triggers: Vec<&str> = text.lines().skip_while(|line| *line != "on:").skip(1).take(3).map(str::trim).collect();
    assert_eq!(triggers, ["schedule:", "- cron: \"17 5 * * *\"", "workflow_dispatch:"]);
    assert!(text.contains("\npermissions: {}\n") && text.contains("persist-credentials: false"));
    assert!(!text.contains("${{") && !text.contains("continue-on-error") && !text.contains(": write"));
    let pinned =
        |line: &str| line.split('@').nth(1).is_some_and(|rest| rest.split(' ').next().map(str::len) == Some(40));
    assert!(text.lines().filter(|line| line.contains("uses:")).all(pinned));
}

#[test]
fn the_scheduled_workflow_is_clean_to_actionlint_and_zizmor() {
    for (name, arguments) in [("actionlint", &[][..]), ("zizmor", &["--offline", "--no-progress"][..])] {
        let Some(path) = program(name) else { continue };
        let output = Command::new(path).args(arguments).arg(WORKFLOW).current_dir(root()).output().expect("it runs");
        assert!(output.status.success(), "{}", said(&output));
    }
}

#[test]
fn the_units_are_clean_to_systemd() {
    let Some(analyze) = program("systemd-analyze") else { return };
    let folder = tempfile::TempDir::new().expect("a folder");
    let there = program("true").expect("a program").display().to_string();
    let mut units = Vec::new();
    for unit in fs::read_dir(root().join("examples/systemd")).expect("units") {
        let unit = unit.expect("a unit");
        let name = unit.file_name().into_string().expect("text");
        // Programs have to be there for it.
        let mut text = fs::read_to_string(unit.path()).expect("text").replace("Documentation=man:portcullis(1)\n", "");
        for program in ["/usr/bin/portcullis", "/usr/bin/curl", "/usr/bin/logger"] {
            text = text.replace(program, &there);
        }
        fs::write(folder.path().join(&name), text).expect("written");
        units.push(name.replace("@.", "@x."));
    }
    assert!(units.len() >= 6, "{units:?}");
    let mut verify = Command::new(analyze);
    verify.args(["verify", "--man=no"]).args(&units);
    let output = verify.current_dir(folder.path()).output().expect("it runs");
    let says = String::from_utf8_lossy(&output.stderr);
    let ours: Vec<&str> = says.lines().filter(|line| line.contains("portcullis")).collect();
    assert!(ours.is_empty(), "{}", said(&output));
}
