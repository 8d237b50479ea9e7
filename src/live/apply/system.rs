//! What is changed: the rules of a host, or something that commands read and write.

use super::error::NotApplied;
use super::journal::{Folder, Lock};
use crate::live::host::{Host, Ruleset, Target};
use crate::live::pieces;
use crate::live::runtime::Filled;
use crate::live::scope::Scope;
use crate::live::tool::{self, Around};
use crate::source::File;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::path::PathBuf;

/// What is changed, as far as it takes to read it again.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) enum System {
    /// The rules of a host.
    Rules {
        target: Target,
        netns: Option<PathBuf>,
        /// The tables that are replaced; `None`: all.
        tables: Option<BTreeSet<String>>,
        scope: Scope,
        /// Below it are the files that a reboot loads.
        root: PathBuf,
    },
    /// What a command prints.
    Command { read: String, name: String },
}

/// A step on the way to another state.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) enum Step {
    /// A program of the host loads a file.
    Tool { program: String, arguments: Vec<String>, file: String },
    /// A command does whatever it does with it.
    Command { command: String, file: String },
}

impl System {
    /// All that is in force there.
    pub(super) fn read(&self, lock: Option<&Lock>) -> Result<Ruleset, NotApplied> {
        match self {
            Self::Rules { target, netns, tables: _, scope: _, root: _ } => {
                Ok(Host::here(netns.as_deref())?.read(*target)?)
            }
            Self::Command { read, name } => {
                let bytes = shell(read, lock, "")?;
                let file = File {
                    path: name.clone().into_bytes(),
                    name: b"what --read prints".to_vec(),
                    bytes,
                    executable: false,
                };
                Ok(Ruleset { files: vec![file], ..Ruleset::default() })
            }
        }
    }

    /// The part of it that is replaced.
    pub(super) fn part(&self, ruleset: &Ruleset) -> Result<Vec<File>, NotApplied> {
        match self {
            Self::Rules { tables: Some(tables), .. } => only(&ruleset.files, tables),
            Self::Rules { tables: None, .. } | Self::Command { .. } => Ok(ruleset.files.clone()),
        }
    }

    /// Whether two states say the same, in the same words.
    pub(super) fn says_the_same(&self, left: &[File], right: &[File]) -> bool {
        let bytes = |files: &[File]| -> Vec<u8> { files.iter().flat_map(|file| file.bytes.iter().copied()).collect() };
        match self {
            Self::Rules { .. } => same_text(left, right),
            Self::Command { .. } => bytes(left) == bytes(right),
        }
    }

    /// Whose tables may be there besides.
    pub(super) fn scope(&self) -> Scope {
        match self {
            Self::Rules { scope, .. } => scope.clone(),
            Self::Command { .. } => Scope::default(),
        }
    }
}

impl Step {
    /// The name of the file that it is about.
    pub(super) fn file(&self) -> &str {
        match self {
            Self::Tool { program: _, arguments: _, file } | Self::Command { command: _, file } => file,
        }
    }

    /// Goes it; the lock is held as long as what it starts is running.
    pub(super) fn go(&self, system: &System, folder: &Folder, lock: &Lock) -> Result<(), NotApplied> {
        match (self, system) {
            (Self::Tool { program, arguments, file }, System::Rules { netns, .. }) => {
                let file = folder.path(file).display().to_string();
                let arguments: Vec<&str> = arguments.iter().map(String::as_str).chain([file.as_str()]).collect();
                let around = Around { held: Some(&lock.0), ..Around::default() };
                Ok(Host::here(netns.as_deref())?.change(program, &arguments, around)?)
            }
            (Self::Command { command, file }, _) => {
                shell(command, Some(lock), &folder.path(file).display().to_string()).map(drop)
            }
            (Self::Tool { program, .. }, System::Command { .. }) => {
                Err(NotApplied::NotInForce { why: format!("`{program}` does not belong to what commands change") })
            }
        }
    }
}

/// What a command prints that succeeds. It finds the file that it is about in `PORTCULLIS_FILE`.
pub(super) fn shell(command: &str, lock: Option<&Lock>, file: &str) -> Result<Vec<u8>, NotApplied> {
    let sh = tool::find("sh", "it is part of every system")?;
    let told = [("PORTCULLIS_FILE", file)];
    let around = Around { held: lock.map(|lock| &lock.0), told: &told, ..Around::default() };
    Ok(tool::answer(&sh, &["-c", command], around)?)
}

/// The tables of those names alone.
pub(super) fn only(files: &[File], tables: &BTreeSet<String>) -> Result<Vec<File>, NotApplied> {
    let mut part = Vec::new();
    for file in files {
        let bytes = pieces::without(&file.bytes, |piece| !tables.contains(&piece.table))?;
        part.push(File { bytes, ..file.clone() });
    }
    Ok(part)
}

/// Whether two listings say the same line by line, but for remarks, blanks, what was counted and what packets have put into
/// sets.
pub(super) fn same_text(left: &[File], right: &[File]) -> bool {
    let filled = Filled::by(left.iter().chain(right).map(|file| file.bytes.as_slice()));
    let settled = |files: &[File]| -> Vec<File> {
        files.iter().map(|file| File { bytes: filled.settled(&file.bytes, |_| false).0, ..file.clone() }).collect()
    };
    lines(&settled(left)) == lines(&settled(right))
}

fn lines(files: &[File]) -> Vec<(&[u8], &[u8])> {
    let said = |line: &[u8]| !line.is_empty() && line.first() != Some(&b'#');
    let all = files.iter().flat_map(|file| {
        crate::text::lines(&file.bytes).map(move |(_, line)| (file.path.as_slice(), uncounted(line.trim_ascii_end())))
    });
    all.filter(|(_, line)| said(line)).collect()
}

/// `:INPUT DROP [12:34]` without its counters.
fn uncounted(line: &[u8]) -> &[u8] {
    if line.first() != Some(&b':') {
        return line;
    }
    memchr::memrchr(b'[', line).and_then(|at| line.get(..at)).unwrap_or(line).trim_ascii_end()
}
