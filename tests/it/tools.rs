//! Programs of others that tests run: where they are, and what is said where they are not.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;
use std::time::Duration;

/// A program in the path; says so where there is none.
#[expect(clippy::print_stderr, reason = "a test that could not be run says so")]
pub(crate) fn program(name: &str) -> Option<PathBuf> {
    let found = std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())
        .map(|folder| folder.join(name))
        .find(|path| path.is_file());
    if found.is_none() {
        eprintln!("SKIPPED: there is no `{name}` in the path");
    }
    found
}

/// A command that knows nothing of where the tests run but the path: not whether they are a job, not how wide a terminal is.
pub(crate) fn alone(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.env_clear().envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
    command
}

/// This program.
pub(crate) fn this_program() -> Command {
    alone(env!("CARGO_BIN_EXE_portcullis"))
}

/// A command that nobody answers who is asked for a name, where the right is there to see to that: names in configurations are
/// those of other machines, and a network that is broken answers late.
pub(crate) fn offline(program: impl AsRef<OsStr>) -> Command {
    const UP: &str = "ip link set lo up && exec \"$0\" \"$@\"";
    let inside = |program: &OsStr| {
        let mut command = Command::new("unshare");
        command.args(["--net", "--", "sh", "-c", UP]).arg(program);
        command
    };
    static ALLOWED: OnceLock<bool> = OnceLock::new();
    let allowed = || inside("true".as_ref()).output().is_ok_and(|out| out.status.success());
    if *ALLOWED.get_or_init(allowed) { inside(program.as_ref()) } else { Command::new(program) }
}

/// The folder in which this program is, for a path.
pub(crate) fn its_folder() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_portcullis")).parent().expect("a folder")
}

/// Whether there is time for everything (`PORTCULLIS_LONG=1`), and not only for what is tried with every change.
pub(crate) fn long() -> bool {
    std::env::var_os("PORTCULLIS_LONG").is_some_and(|value| value == "1")
}

/// How often what is made at random is tried, of as often as there is time for.
pub(crate) fn often(most: u32) -> u32 {
    if long() { most } else { most.div_ceil(8) }
}

/// Which of many are tried, one in so many: all of them where there is time.
pub(crate) fn every(most: usize) -> usize {
    if long() { 1 } else { most }
}

/// For how long this thread has worked: others may use the machine as well.
pub(crate) fn worked() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::try_from(time).expect("it does not go back")
}

/// The path with a folder before it.
pub(crate) fn path_with(folder: &Path) -> OsString {
    let mut path = folder.as_os_str().to_owned();
    path.push(":");
    path.push(std::env::var_os("PATH").unwrap_or_default());
    path
}

/// What a command ended with and said, for a message.
pub(crate) fn said(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    format!("{}\n{}{}", output.status, text(&output.stdout), text(&output.stderr))
}

/// Runs git in a folder, which must end well.
pub(crate) fn git(folder: &Path, arguments: &[&str]) {
    let output = Command::new("git").args(arguments).current_dir(folder).output().expect("git");
    assert!(output.status.success(), "git {arguments:?}: {}", said(&output));
}

/// A repository with those files committed on `main`.
pub(crate) fn repository(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::TempDir::new().expect("a folder");
    git(folder.path(), &["init", "-q", "-b", "main"]);
    for (key, value) in [("user.name", "Jo"), ("user.email", "jo@example.org"), ("commit.gpgsign", "false")] {
        git(folder.path(), &["config", key, value]);
    }
    for (path, text) in files {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        std::fs::write(path, text).expect("written");
    }
    git(folder.path(), &["add", "-A"]);
    git(folder.path(), &["commit", "-q", "-m", "base"]);
    folder
}
