//! Programs of others that tests run: where they are, and what is said where they are not.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

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
