//! The hooks, installed and run by the real pre-commit where there is one.

use crate::tools::{alone, git, its_folder, path_with, program, repository, said};
use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use tempfile::TempDir;

const POLICY: &str = "version: 1
configurations: {web: {files: [\"fw/*.rules\"], each: true}}
checks:
  - check: default-action
    filters: [\"web/*/input\"]
    must_be: deny
  - check: critical-ports
    from: any
    services: [tcp/443]
";
const RULES: &str = "*filter
:INPUT DROP [0:0]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
-A INPUT -p tcp -m tcp --dport 443 -j ACCEPT
COMMIT
";
const FILE: &str = "fw/web.rules";

/// A repository with the hooks of this one installed by the real program.
struct Hooked {
    repository: TempDir,
    /// What pre-commit keeps, and the repository that has the hooks.
    home: TempDir,
}

impl Hooked {
    fn new() -> Option<Self> {
        program("pre-commit")?;
        let manifest = fs::read_to_string(manifest()).expect("the hooks");
        let hooks = repository(&[(".pre-commit-hooks.yaml", &manifest)]);
        let config = format!(
            "default_install_hook_types: [pre-commit, pre-merge-commit]\nrepos:\n  - repo: {}\n    rev: main\n    hooks: [{{id: portcullis-system}}]\n",
            hooks.path().display()
        );
        let files =
            [("portcullis.yaml", POLICY), (FILE, RULES), (".pre-commit-config.yaml", &config), ("README", "x\n")];
        let hooked = Self { repository: repository(&files), home: hooks };
        let installed = hooked.run("pre-commit", &["install"]);
        assert!(installed.status.success(), "{}", said(&installed));
        Some(hooked)
    }

    fn run(&self, program: &str, arguments: &[&str]) -> Output {
        let mut command = alone(program);
        command.args(arguments).current_dir(self.repository.path()).env("PATH", path_with(its_folder()));
        command.env("HOME", self.home.path()).env("PRE_COMMIT_HOME", self.home.path().join("cache"));
        command.output().expect("it runs")
    }

    fn git(&self, arguments: &[&str]) {
        git(self.repository.path(), arguments);
    }

    fn write(&self, path: &str, text: &str) {
        fs::write(self.repository.path().join(path), text).expect("written");
    }

    /// Commits what is staged; whether the hook let it, and what it said.
    fn commits(&self) -> (bool, String) {
        let output = self.run("git", &["commit", "-m", "a change"]);
        let said = said(&output);
        assert!(said.contains("portcullis...."), "the hook did not run: {said}");
        (output.status.success(), said)
    }
}

fn manifest() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(".pre-commit-hooks.yaml")
}

fn open() -> String {
    RULES.replace(":INPUT DROP", ":INPUT ACCEPT")
}

#[test]
fn f04_the_hooks_are_declared_as_pre_commit_wants_them() {
    if program("pre-commit").is_none() {
        return;
    }
    let output = Command::new("pre-commit").arg("validate-manifest").arg(manifest()).output().expect("it runs");
    assert!(output.status.success(), "{}", said(&output));
}

#[test]
fn a_commit_that_touches_no_configuration_passes_and_one_that_opens_all_does_not() {
    let Some(hooked) = Hooked::new() else { return };
    hooked.write("README", "y\n");
    hooked.git(&["add", "README"]);
    let (passed, said) = hooked.commits();
    assert!(passed, "{said}");
    hooked.write(FILE, &open());
    hooked.git(&["add", FILE]);
    let (passed, said) = hooked.commits();
    assert!(!passed && said.contains("BLOCKED") && said.contains("default-action"), "{said}");
}

#[test]
fn a_file_that_is_deleted_is_judged() {
    let Some(hooked) = Hooked::new() else { return };
    hooked.git(&["rm", "-q", FILE]);
    let (passed, said) = hooked.commits();
    assert!(!passed && !said.contains("PASS:"), "{said}");
}

#[test]
fn a_file_that_is_renamed_out_of_sight_is_judged() {
    let Some(hooked) = Hooked::new() else { return };
    hooked.git(&["mv", FILE, "fw/web.txt"]);
    let (passed, said) = hooked.commits();
    assert!(!passed && !said.contains("PASS:"), "{said}");
}

#[test]
fn a_file_that_becomes_a_link_is_judged() {
    let Some(hooked) = Hooked::new() else { return };
    let path = hooked.repository.path().join(FILE);
    fs::remove_file(&path).expect("removed");
    std::os::unix::fs::symlink("/etc/hostname", &path).expect("linked");
    hooked.git(&["add", FILE]);
    let (passed, said) = hooked.commits();
    assert!(!passed && !said.contains("PASS:"), "{said}");
}

#[test]
fn only_what_is_staged_is_judged() {
    let Some(hooked) = Hooked::new() else { return };
    hooked.write("README", "staged\n");
    hooked.git(&["add", "README"]);
    hooked.write(FILE, &open());
    let (passed, said) = hooked.commits();
    assert!(passed, "{said}");
    assert_eq!(fs::read_to_string(hooked.repository.path().join(FILE)).expect("there"), open());
    hooked.git(&["add", FILE]);
    hooked.write(FILE, RULES);
    let (passed, said) = hooked.commits();
    assert!(!passed && said.contains("default-action"), "{said}");
}

#[test]
fn what_a_merge_brings_is_judged() {
    let Some(hooked) = Hooked::new() else { return };
    hooked.git(&["switch", "-q", "-c", "side"]);
    hooked.write(FILE, &open());
    hooked.git(&["commit", "-q", "--no-verify", "-a", "-m", "unseen"]);
    hooked.git(&["switch", "-q", "main"]);
    hooked.write("README", "z\n");
    hooked.git(&["commit", "-q", "--no-verify", "-a", "-m", "main goes on"]);
    let merged = hooked.run("git", &["merge", "--no-edit", "side"]);
    assert!(!merged.status.success() && said(&merged).contains("default-action"), "{}", said(&merged));
}

#[test]
fn what_only_lacks_approvals_may_be_committed_but_not_judged_elsewhere() {
    let policy = POLICY.replace("    must_be: deny\n", "    must_be: deny\n    level: approve\n");
    let folder = repository(&[("portcullis.yaml", &policy), (FILE, RULES)]);
    fs::write(folder.path().join(FILE), open()).expect("written");
    git(folder.path(), &["add", "-A"]);
    let check = |arguments: &[&str]| crate::cli::portcullis(folder.path(), &[], &[&["check"], arguments].concat()).code;
    assert_eq!((check(&["--staged"]), check(&["--staged", "--approvals-later"])), (1, 0));
    assert_eq!(check(&["--approvals-later"]), 2);
}
