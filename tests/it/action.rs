//! The GitHub Action: its shell run as a runner runs it, with the files and variables that a runner gives.

use crate::tools::{alone, git, its_folder, path_with, program, repository, said};
use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;

const POLICY: &str = "version: 1
configurations: {web: {files: [\"fw/*.rules\"], each: true}}
checks: [{check: default-action, filters: [\"web/*/input\"], must_be: deny}]
";
const RULES: &str = "*filter\n:INPUT DROP [0:0]\n:FORWARD DROP [0:0]\n:OUTPUT ACCEPT [0:0]\nCOMMIT\n";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// What a runner gives to a step.
pub(crate) struct Runner {
    pub(crate) temp: TempDir,
    /// Kept as long as the runner, where it is a repository of its own.
    repository: Option<TempDir>,
    variables: BTreeMap<String, String>,
}

impl Runner {
    pub(crate) fn new(workspace: &Path) -> Self {
        let temp = TempDir::new().expect("a folder");
        let file = |name: &str| temp.path().join(name).display().to_string();
        let mut variables = BTreeMap::from([
            ("GITHUB_ACTIONS".to_owned(), "true".to_owned()),
            ("GITHUB_WORKSPACE".to_owned(), workspace.display().to_string()),
            ("GITHUB_OUTPUT".to_owned(), file("output")),
            ("GITHUB_STEP_SUMMARY".to_owned(), file("summary")),
            ("GITHUB_EVENT_PATH".to_owned(), file("event.json")),
            ("RUNNER_TEMP".to_owned(), temp.path().display().to_string()),
            ("RUNNER_OS".to_owned(), "Linux".to_owned()),
            ("RUNNER_ARCH".to_owned(), "X64".to_owned()),
            ("INPUT_FAIL_ON".to_owned(), "block".to_owned()),
            ("BINARY".to_owned(), env!("CARGO_BIN_EXE_portcullis").to_owned()),
        ]);
        variables.extend(std::env::var("PATH").map(|path| ("PATH".to_owned(), path)));
        for name in ["output", "summary"] {
            fs::write(temp.path().join(name), "").expect("written");
        }
        Self { temp, repository: None, variables }
    }

    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.variables.insert(name.to_owned(), value.to_owned());
    }

    pub(crate) fn run(&self, script: &Path) -> Output {
        let workspace = &self.variables["GITHUB_WORKSPACE"];
        let mut command = Command::new("bash");
        command.arg(script).current_dir(workspace).env_clear().envs(&self.variables);
        command.output().expect("bash runs")
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.temp.path().join(name)).expect("there")
    }

    /// The outputs, as the runner reads them.
    fn outputs(&self) -> BTreeMap<String, String> {
        let text = self.read("output");
        let mut lines = text.lines();
        let mut out = BTreeMap::new();
        while let Some(first) = lines.next() {
            let (name, mark) = first.split_once("<<").expect("a name and a mark");
            let value: Vec<&str> = lines.by_ref().take_while(|line| *line != mark).collect();
            out.insert(name.to_owned(), value.join("\n"));
        }
        out
    }
}

pub(crate) fn script(name: &str) -> PathBuf {
    root().join("action").join(name)
}

/// A pull request as it is checked out: the forge's merge of a change into `main`.
fn pull_request(rules: &str, policy: &str) -> TempDir {
    let repository = repository(&[("portcullis.yaml", policy), ("fw/web.rules", RULES)]);
    let folder = repository.path();
    git(folder, &["switch", "-q", "-c", "change"]);
    fs::write(folder.join("fw/web.rules"), rules).expect("written");
    git(folder, &["commit", "-q", "--allow-empty", "-a", "-m", "change"]);
    git(folder, &["switch", "-q", "--detach", "main"]);
    git(folder, &["merge", "-q", "--no-ff", "--no-edit", "change"]);
    git(folder, &["update-ref", "refs/remotes/origin/main", "main"]);
    repository
}

fn head(folder: &Path) -> String {
    let output = Command::new("git").args(["rev-parse", "HEAD"]).current_dir(folder).output().expect("git");
    String::from_utf8(output.stdout).expect("UTF-8").trim().to_owned()
}

/// Runs the check of a pull request, and gives the runner and what was printed.
fn checked(rules: &str, policy: &str, change: impl Fn(&mut Runner)) -> (Runner, Output) {
    let repository = pull_request(rules, policy);
    let (mut runner, output) = checked_in(repository.path(), change);
    runner.repository = Some(repository);
    (runner, output)
}

fn checked_in(repository: &Path, change: impl Fn(&mut Runner)) -> (Runner, Output) {
    let mut runner = Runner::new(repository);
    runner.set("GITHUB_EVENT_NAME", "pull_request");
    runner.set("GITHUB_BASE_REF", "main");
    runner.set("GITHUB_REF", "refs/pull/7/merge");
    runner.set("GITHUB_SHA", &head(repository));
    change(&mut runner);
    let output = runner.run(&script("check.sh"));
    (runner, output)
}

#[test]
fn i03_the_action_tells_strangers_less_and_keeps_everything_where_it_was_asked_to() {
    let kept = TempDir::new().expect("a folder");
    let full = kept.path().join("full.html").display().to_string();
    let judged = |event: &str, full: &str| {
        let (runner, output) = checked(&open(), POLICY, |runner| {
            fs::write(runner.temp.path().join("event.json"), event).expect("written");
            runner.set("INPUT_FULL_REPORT", full);
        });
        let outputs = runner.outputs();
        let mut told = vec![runner.read("summary"), String::from_utf8(output.stdout).expect("text")];
        told.extend(
            ["report", "sarif", "html", "markdown"].map(|name| fs::read_to_string(&outputs[name]).expect("a file")),
        );
        assert_eq!((outputs["decision"].as_str(), outputs["exit-code"].as_str()), ("blocked", "1"));
        told
    };
    let event = |private: bool| {
        format!(
            "{{\"repository\": {{\"private\": {private}}}, \"pull_request\": {{\"number\": 7, \"head\": {{\"repo\": {{\"id\": 1}}}}, \
             \"base\": {{\"repo\": {{\"id\": 1}}}}}}}}"
        )
    };
    let shows = |text: &String| text.contains("0.0.0.0") || text.contains(":INPUT") || text.contains("web/web/input");
    assert!(judged(&event(true), "").iter().all(shows), "those who may know");
    let public = judged(&event(false), &full);
    assert_eq!(public.iter().filter(|text| shows(text)).count(), 0, "{public:?}");
    assert!(shows(&fs::read_to_string(&full).expect("a report")));
}

fn open() -> String {
    RULES.replace(":INPUT DROP", ":INPUT ACCEPT")
}

#[test]
fn a_pull_request_of_a_fork_without_secrets_gets_annotations_a_summary_and_its_exit_code() {
    for (rules, policy, decision, code) in [
        (RULES.to_owned(), POLICY, "pass", 0),
        (open(), POLICY, "blocked", 1),
        ("*filter\n-A INPUT -j NOWHERE\nCOMMIT\n".to_owned(), POLICY, "blocked", 1),
        (RULES.replace("COMMIT", "-A INPUT -j NOWHERE\nCOMMIT"), POLICY, "undecided", 3),
        (open(), "version: 1\nchecks: 7\n", "policy-error", 2),
    ] {
        let (mut runner, output) = checked(&rules, policy, |_| {});
        assert!(output.status.success(), "{}", said(&output));
        let outputs = runner.outputs();
        let found = (outputs["decision"].as_str(), outputs["exit-code"].parse().ok());
        assert_eq!(found, (decision, Some(code)), "{}", said(&output));
        let summary = runner.read("summary");
        let title = format!("### Portcullis: {}", decision.replace('-', " "));
        assert!(summary.starts_with(&title) && summary.len() < 1 << 20, "{summary}");
        let annotated = String::from_utf8_lossy(&output.stdout).contains("\n::error ");
        assert_eq!(annotated, code != 0, "{}", said(&output));
        for (name, mark) in [("report", "\"decision\""), ("sarif", "\"2.1.0\""), ("html", "<!DOCTYPE html>")] {
            assert!(fs::read_to_string(&outputs[name]).expect("a file").contains(mark), "{name}");
        }
        runner.set("EXIT_CODE", &outputs["exit-code"]);
        assert_eq!(runner.run(&script("decide.sh")).status.code(), Some(code));
        runner.set("INPUT_FAIL_ON", "never");
        let never = if matches!(code, 1 | 3) { 0 } else { code };
        assert_eq!(runner.run(&script("decide.sh")).status.code(), Some(never));
    }
}

#[test]
fn a_review_and_a_merge_queue_are_judged_like_the_pull_request() {
    for (event, payload) in [
        ("pull_request_review", r#"{"action": "submitted", "pull_request": {"number": 7, "base": {"ref": "main"}}}"#),
        ("merge_group", r#"{"merge_group": {"base_ref": "refs/heads/main"}}"#),
    ] {
        let (runner, output) = checked(&open(), POLICY, |runner| {
            runner.set("GITHUB_EVENT_NAME", event);
            runner.variables.remove("GITHUB_BASE_REF");
            fs::write(runner.temp.path().join("event.json"), payload).expect("written");
        });
        assert_eq!(runner.outputs()["decision"], "blocked", "{event}: {}", said(&output));
    }
}

#[test]
fn without_an_exit_code_nothing_passes() {
    let folder = TempDir::new().expect("a folder");
    let mut runner = Runner::new(folder.path());
    for code in ["", "x", "0 ", "-1"] {
        runner.set("EXIT_CODE", code);
        assert_eq!(runner.run(&script("decide.sh")).status.code(), Some(3), "{code:?}");
    }
    runner.set("INPUT_FAIL_ON", "nevr");
    assert_eq!(runner.run(&script("check.sh")).status.code(), Some(2));
}

#[test]
fn a_binary_that_says_yes_without_a_report_is_not_believed() {
    let judge = TempDir::new().expect("a folder");
    let binary = executable(judge.path(), "portcullis", "#!/bin/sh\nexit 0\n");
    let (runner, output) = checked(RULES, POLICY, |runner| runner.set("BINARY", &binary.display().to_string()));
    assert!(output.status.success(), "{}", said(&output));
    let outputs = runner.outputs();
    assert_eq!((outputs["decision"].as_str(), outputs["exit-code"].as_str()), ("undecided", "3"));
}

#[test]
fn g03_no_value_of_an_output_ends_its_own_text() {
    let folder = TempDir::new().expect("a folder");
    let runner = Runner::new(folder.path());
    let value = "a\nEOF\nexit-code=0\nend_\ndecision<<x\npass\nx";
    let file = folder.path().join("step.sh");
    let text = format!(
        "source {}\nset_output report \"$(cat value)\"\nset_output decision blocked\n",
        script("output.sh").display()
    );
    fs::write(folder.path().join("value"), value).expect("written");
    fs::write(&file, text).expect("written");
    let output = runner.run(&file);
    assert!(output.status.success(), "{}", said(&output));
    let wanted = BTreeMap::from([("report".into(), value.into()), ("decision".into(), "blocked".into())]);
    assert_eq!(runner.outputs(), wanted);
}

fn executable(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, text).expect("written");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("set");
    path
}

/// The action with those checksums, and a release that `curl` gives.
fn action(checksums: impl Fn(&str) -> String) -> (TempDir, Runner, Output) {
    let folder = TempDir::new().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    for part in ["action", "bin", "work"] {
        fs::create_dir(at(part)).expect("made");
    }
    for name in ["install.sh", "output.sh"] {
        fs::copy(script(name), at("action").join(name)).expect("copied");
    }
    fs::copy(root().join("Cargo.toml"), at("Cargo.toml")).expect("copied");
    executable(folder.path(), "portcullis", "#!/bin/sh\necho portcullis of the release\n");
    let tar = Command::new("tar").args(["-czf", "release.tar.gz", "portcullis"]).current_dir(folder.path()).status();
    assert!(tar.expect("tar").success());
    let release = fs::read(at("release.tar.gz")).expect("there");
    let digest = sha256(&release);
    fs::write(at("checksums.txt"), checksums(&digest)).expect("written");
    let curl = format!(
        "#!/bin/bash\nfor a in \"$@\"; do echo \"$a\" >>{0}/asked; done\nwhile [[ $1 != --output ]]; do shift; done\ncp {0}/release.tar.gz \"$2\"\n",
        folder.path().display()
    );
    executable(&at("bin"), "curl", &curl);
    let mut runner = Runner::new(&at("work"));
    runner.set("PATH", path_with(&at("bin")).to_str().expect("UTF-8"));
    let output = runner.run(&at("action/install.sh"));
    (folder, runner, output)
}

fn sha256(bytes: &[u8]) -> String {
    let mut child = Command::new("sha256sum")
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("sha256sum");
    child.stdin.take().expect("a pipe").write_all(bytes).expect("written");
    let output = child.wait_with_output().expect("it ends");
    String::from_utf8(output.stdout).expect("UTF-8").split(' ').next().expect("a digest").to_owned()
}

fn name() -> String {
    format!("portcullis-{}-x86_64-unknown-linux-musl.tar.gz", env!("CARGO_PKG_VERSION"))
}

#[test]
fn f02_the_release_is_used_when_its_checksum_is_in_the_repository() {
    let (folder, runner, output) = action(|digest| format!("# names\n{digest}  {}\n", name()));
    assert!(output.status.success(), "{}", said(&output));
    assert!(said(&output).contains("portcullis of the release"), "{}", said(&output));
    assert!(runner.outputs()["binary"].starts_with(runner.temp.path().to_str().expect("UTF-8")));
    let asked = fs::read_to_string(folder.path().join("asked")).expect("asked");
    let from =
        format!("https://github.com/portcullis/portcullis/releases/download/v{}/{}", env!("CARGO_PKG_VERSION"), name());
    assert!(asked.lines().any(|line| line == from), "{asked}");
}

#[test]
fn f02_a_release_that_was_tampered_with_is_not_run() {
    let (_, runner, output) = action(|_| format!("{}  {}\n", "0".repeat(64), name()));
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    assert!(said(&output).contains("is not what was released"), "{}", said(&output));
    assert!(!said(&output).contains("portcullis of the release") && runner.read("output").is_empty());
}

#[test]
fn f02_without_one_checksum_nothing_is_downloaded() {
    let twice = |digest: &str| format!("{digest}  {0}\n{digest}  {0}\n", name());
    let other = |digest: &str| format!("{digest}  other.tar.gz\n");
    let short = |digest: &str| format!("{}  {}\n", &digest[..63], name());
    let lists: [&dyn Fn(&str) -> String; 4] = [&|_| "# none\n".into(), &twice, &other, &short];
    for list in lists {
        let (folder, _, output) = action(list);
        assert_eq!(output.status.code(), Some(2), "{}", said(&output));
        assert!(said(&output).contains("has not one checksum of"), "{}", said(&output));
        assert!(!folder.path().join("asked").exists());
    }
}

#[test]
fn f05_a_change_does_not_bring_its_own_judge() {
    let repository = repository(&[("portcullis.yaml", POLICY)]);
    let judge = executable(repository.path(), "portcullis", "#!/bin/sh\necho PASS\n");
    let elsewhere = TempDir::new().expect("a folder");
    let link = elsewhere.path().join("portcullis");
    std::os::unix::fs::symlink(&judge, &link).expect("linked");
    let mut runner = Runner::new(repository.path());
    for path in [judge.as_path(), Path::new("./portcullis"), &link] {
        runner.set("INPUT_BINARY_PATH", &path.display().to_string());
        let output = runner.run(&script("install.sh"));
        assert_eq!(output.status.code(), Some(2), "{}", said(&output));
        assert!(said(&output).contains("lies in the repository that is judged"), "{}", said(&output));
    }
    runner.set("INPUT_BINARY_PATH", env!("CARGO_BIN_EXE_portcullis"));
    let output = runner.run(&script("install.sh"));
    assert!(output.status.success(), "{}", said(&output));
}

/// `${{ … }}` in a script is put in as text before the shell reads it.
#[test]
fn f06_inputs_come_to_scripts_by_the_environment_only() {
    let text = fs::read_to_string(root().join("action.yml")).expect("the action");
    let runs: Vec<&str> = text.lines().filter(|line| line.trim_start().starts_with("run:")).collect();
    assert_eq!(runs.len(), 4);
    assert!(runs.iter().all(|line| line.contains("bash \"$GITHUB_ACTION_PATH/action/") && !line.contains("${{")));
    let example = fs::read_to_string(root().join("examples/github/portcullis.yml")).expect("the example");
    assert!(!example.contains("run:") && !example.contains("pull_request_target"));
    let pinned =
        |line: &str| line.split('@').nth(1).is_some_and(|rest| rest.split(' ').next().map(str::len) == Some(40));
    assert!(example.lines().filter(|line| line.contains("uses:")).all(pinned));
}

const EXAMPLES: [&str; 2] = ["examples/github/portcullis.yml", "examples/github/portcullis-parts.yml"];

#[test]
fn parts_of_a_pull_request_are_judged_by_jobs_that_end_well_and_joined_by_one_that_decides() {
    for (rules, decision, code) in [(RULES.to_owned(), "pass", 0), (open(), "blocked", 1)] {
        // What parts are joined by tells everything.
        let policy = format!("{POLICY}report: {{visibility: full}}\n");
        let (reports, repository) = (TempDir::new().expect("a folder"), pull_request(&rules, &policy));
        for part in ["1/2", "2/2"] {
            let (runner, output) = checked_in(repository.path(), |runner| runner.set("INPUT_SHARD", part));
            assert!(output.status.success(), "{}", said(&output));
            let outputs = runner.outputs();
            assert_ne!(outputs["decision"], "pass");
            assert_eq!((runner.read("summary").as_str(), said(&output).contains("::error")), ("", false));
            let report = reports.path().join(format!("{}.json", part.replace('/', "-of-")));
            fs::copy(&outputs["report"], &report).expect("copied");
            assert_eq!(decided_for(&outputs["exit-code"], &[("INPUT_SHARD", part)]), 0);
        }
        let joined = |folder: &Path| {
            let mut runner = Runner::new(folder);
            runner.set("INPUT_REPORTS", &folder.display().to_string());
            let output = runner.run(&script("check.sh"));
            assert!(output.status.success(), "{}", said(&output));
            runner
        };
        let runner = joined(reports.path());
        let outputs = runner.outputs();
        assert_eq!((outputs["decision"].as_str(), outputs["exit-code"].parse().ok()), (decision, Some(code)));
        assert!(runner.read("summary").starts_with("### Portcullis"), "{}", runner.read("summary"));
        fs::remove_file(reports.path().join("1-of-2.json")).expect("it is there");
        assert_eq!(joined(reports.path()).outputs()["decision"], "undecided");
        fs::remove_file(reports.path().join("2-of-2.json")).expect("it is there");
        assert_eq!(joined(reports.path()).outputs()["exit-code"], "2");
    }
    assert_eq!(decided_for("0", &[("INPUT_SHARD", "1/2")]), 3);
}

/// What the last step ends with.
fn decided_for(code: &str, variables: &[(&str, &str)]) -> i32 {
    let mut command = Command::new("bash");
    command
        .arg(script("decide.sh"))
        .env("EXIT_CODE", code)
        .env("INPUT_FAIL_ON", "block")
        .envs(variables.iter().copied());
    command.output().expect("bash runs").status.code().expect("it ends")
}

#[test]
fn f01_f06_the_action_and_its_examples_are_clean_to_zizmor() {
    let Some(zizmor) = program("zizmor") else { return };
    let mut command = Command::new(zizmor);
    command.args(["--offline", "--no-progress", "action.yml"]).args(EXAMPLES).current_dir(root());
    let output = command.output().expect("it runs");
    assert!(output.status.success(), "{}", said(&output));
}

#[test]
fn the_examples_are_clean_to_actionlint() {
    let Some(actionlint) = program("actionlint") else { return };
    let output = Command::new(actionlint).args(EXAMPLES).current_dir(root()).output();
    let output = output.expect("it runs");
    assert!(output.status.success(), "{}", said(&output));
}

#[test]
fn the_scripts_are_clean_to_shellcheck() {
    let Some(shellcheck) = program("shellcheck") else { return };
    let scripts = ["install.sh", "check.sh", "comment.sh", "decide.sh"].map(|name| format!("action/{name}"));
    let output = Command::new(shellcheck).arg("-x").args(scripts).current_dir(root()).output().expect("it runs");
    assert!(output.status.success(), "{}", said(&output));
}

fn file(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, text).expect("written");
    path
}

#[test]
fn what_atlantis_reads_says_fail_exactly_when_it_is_no_pass() {
    let folder = TempDir::new().expect("a folder");
    let policy = "version: 1
configurations: {fail2ban: {files: [\"*.tf\"], format: terraform}}
checks: [{check: exposed-ports, from: any, services: [tcp/22]}]
";
    fs::write(folder.path().join("policy.yaml"), policy).expect("written");
    let run = |plan: &Path| {
        let mut command = alone("bash");
        command.arg(root().join("examples/atlantis/check.sh")).arg(plan).arg("policy.yaml");
        let output = command.current_dir(folder.path()).env("PATH", path_with(its_folder())).output().expect("it runs");
        (output.status.code(), String::from_utf8_lossy(&output.stdout).to_lowercase())
    };
    let date = Command::new("date").args(["-u", "+%Y-%m-%dT%H:%M:%SZ"]).output().expect("date");
    let now = String::from_utf8(date.stdout).expect("UTF-8");
    let group = |cidr: &str| {
        format!(r#"{{"ingress": [{{"protocol": "tcp", "from_port": 22, "to_port": 22, "cidr_blocks": ["{cidr}"]}}]}}"#)
    };
    let planned = |action: &str, after: &str, timestamp: &str| {
        format!(
            r#"{{"format_version": "1.2", "timestamp": "{timestamp}", "resource_changes": [{{
            "address": "aws_security_group.fail2ban", "mode": "managed", "type": "aws_security_group", "name": "fail2ban",
            "change": {{"actions": ["{action}"], "before": {}, "after": {after}, "after_unknown": {{}}}}}}]}}"#,
            group("10.0.0.0/8")
        )
    };
    let same = planned("no-op", &group("10.0.0.0/8"), now.trim());
    assert_eq!(run(&file(folder.path(), "fail.json", &same)), (Some(0), "portcullis: pass\n".to_owned()));
    let (code, out) = run(&file(folder.path(), "open.json", &planned("update", &group("0.0.0.0/0"), now.trim())));
    assert!(code == Some(1) && out.contains("fail") && out.contains("exposed-ports"), "{code:?} {out}");
    let (code, out) =
        run(&file(folder.path(), "old.json", &planned("no-op", &group("10.0.0.0/8"), "2020-01-01T00:00:00Z")));
    assert!(code == Some(3) && out.contains("fail"), "{code:?} {out}");
    let (code, out) = run(&file(folder.path(), "broken.json", "{"));
    assert!(code != Some(0) && out.contains("fail"), "{code:?} {out}");
    let (code, out) = run(&folder.path().join("none.json"));
    assert!(code != Some(0) && out.contains("fail"), "{code:?} {out}");
}

#[test]
fn a_run_task_is_passed_exactly_when_the_decision_is_pass() {
    if program("jq").is_none() {
        return;
    }
    let folder = TempDir::new().expect("a folder");
    for (decision, status) in [
        ("pass", "passed"),
        ("blocked", "failed"),
        ("needs-approval", "failed"),
        ("undecided", "failed"),
        ("x", "failed"),
    ] {
        let report = format!(r#"{{"version":1,"decision":"{decision}","findings":[],"doubts":[],"gaps":[]}}"#);
        let path = file(folder.path(), "report.json", &report);
        let script = root().join("examples/hcp/task-result.jq");
        let output = Command::new("jq").arg("-f").arg(script).arg(path).output().expect("it runs");
        let answer: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
        assert_eq!(answer["data"]["attributes"]["status"], status, "{}", said(&output));
    }
}
