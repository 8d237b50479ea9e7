use crate::facts::github::Limits;
use crate::source::{Place, Variables};
use std::collections::BTreeMap;
use std::io::{IsTerminal as _, Write as _};
use std::path::PathBuf;

/// What a run knows of the process it is in.
#[derive(Debug, Clone, Default)]
pub struct Surroundings {
    /// The present folder; empty: that of the process.
    pub folder: PathBuf,
    /// The environment. Values that are not UTF-8 are left out; none of those that are read can be.
    pub variables: BTreeMap<String, String>,
    /// Whether standard output is a terminal.
    pub stdout_is_terminal: bool,
    /// Whether standard error is a terminal.
    pub stderr_is_terminal: bool,
    /// Columns of the terminal, where there is one.
    pub width: Option<usize>,
    /// This program, where it can start itself.
    pub program: Option<PathBuf>,
    /// How long and how much a forge is asked.
    pub limits: Limits,
    /// The present instant in seconds since 1970; `None`: the clock of the machine says it.
    pub clock: Option<u64>,
}

impl Surroundings {
    /// Those of this process.
    #[must_use]
    pub fn of_process() -> Self {
        let pairs = std::env::vars_os();
        let text = pairs.filter_map(|(key, value)| Some((key.into_string().ok()?, value.into_string().ok()?)));
        Self {
            folder: PathBuf::new(),
            variables: text.collect(),
            stdout_is_terminal: std::io::stdout().is_terminal(),
            stderr_is_terminal: std::io::stderr().is_terminal(),
            width: terminal_size::terminal_size().map(|(width, _)| usize::from(width.0)),
            program: std::env::current_exe().ok(),
            limits: Limits::default(),
            clock: None,
        }
    }

    /// Where git is looked for.
    pub(super) fn place(&self) -> Place {
        let index_file = self.get("GIT_INDEX_FILE").map(|path| self.folder.join(path));
        let folder = if self.folder.as_os_str().is_empty() { PathBuf::from(".") } else { self.folder.clone() };
        Place { folder, index_file }
    }

    /// The present instant, in seconds since 1970.
    pub(super) fn now(&self) -> u64 {
        self.clock.unwrap_or_else(crate::facts::now)
    }

    /// The variable by which a continuous-integration job is known, if this is one.
    pub(super) fn job(&self) -> Option<&'static str> {
        JOBS.iter().copied().find(|name| self.get(name).is_some())
    }

    /// Whether a stream is written in colour (https://no-color.org, https://bixense.com/clicolors).
    pub(super) fn colour(&self, is_terminal: bool) -> bool {
        if self.get("NO_COLOR").is_some() {
            false
        } else if self.get("CLICOLOR_FORCE").is_some_and(|value| value != "0") {
            true
        } else {
            is_terminal && self.get("TERM").is_none_or(|term| term != "dumb")
        }
    }
}

/// Variables that continuous integration sets and nobody else.
const JOBS: [&str; 8] = [
    "CI",
    "GITHUB_ACTIONS",
    "GITLAB_CI",
    "TF_BUILD",
    "JENKINS_URL",
    "BUILDKITE",
    "TEAMCITY_VERSION",
    "ATLANTIS_TERRAFORM_VERSION",
];

impl Variables for Surroundings {
    fn get(&self, name: &str) -> Option<String> {
        self.variables.get(name).filter(|value| !value.is_empty()).cloned()
    }
}

/// What is said when the program is wrong, in the place of Rust's own words. The exit code is then 101.
pub fn bug(panic: &std::panic::PanicHookInfo<'_>) {
    let payload = panic.payload();
    let text = payload.downcast_ref::<&str>().copied().or(payload.downcast_ref::<String>().map(String::as_str));
    let what = text.unwrap_or("no message");
    let place = panic.location().map(|at| format!(" at {}:{}", at.file(), at.line())).unwrap_or_default();
    let text = format!(
        "portcullis: this is a bug in portcullis{place}: {what}\n\
         Nothing has been decided, so nothing may pass. Please report it with the files, if you can.\n"
    );
    // There is nothing left to do if even this cannot be written.
    drop(std::io::stderr().write_all(text.as_bytes()));
}
