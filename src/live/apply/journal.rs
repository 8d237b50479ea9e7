//! The folder of a change: a lock, the journal that says how far it came, and the texts that it takes.

use super::error::NotApplied;
use super::kept::Kept;
use super::system::{Step, System};
use crate::live::host::Target;
use crate::source::{File as Text, write_atomically};
use serde::{Deserialize, Serialize};
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const JOURNAL: &str = "journal.json";
const LOCK: &str = "lock";
const CONFIRMED: &str = "confirmed";
const LAST: &str = "last.json";

/// How far a change came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Nothing is changed yet.
    Prepared,
    /// The rules are being replaced, or are.
    Applying,
    /// The new rules are in force, and somebody has to confirm them.
    Waiting,
    /// The files for the next boot are being replaced, or are.
    Keeping,
    /// It is done, and is not taken back any more.
    Done,
}

/// All that it takes to finish a change, or to take it back.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Journal {
    pub(super) version: u32,
    /// What tells it from others.
    pub id: String,
    /// How far it came.
    pub phase: Phase,
    pub(super) system: System,
    pub(super) old: Vec<String>,
    pub(super) new: Vec<String>,
    pub(super) forth: Vec<Step>,
    pub(super) back: Vec<Step>,
    pub(super) kept: Vec<Kept>,
    /// For how many seconds it waits to be confirmed; 0: nobody has to.
    pub confirm: u64,
    /// The connection by which whoever began it was logged in, if by one.
    pub connection: Option<String>,
    /// What whoever began it wants to know at its end.
    pub note: String,
}

/// How the last change ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Last {
    /// Which one it was.
    pub id: String,
    /// The exit code that says how: 0, 4 or 5.
    pub code: u8,
    /// The same in a sentence.
    pub message: String,
}

/// Where journals are kept on a host.
#[derive(Debug, Clone)]
pub struct Folder(PathBuf);

/// Nobody else changes the host as long as this is there, and as long as a program runs that was started with it.
#[derive(Debug)]
pub struct Lock(pub(super) File);

impl Folder {
    /// The one at a path, which comes into being if there is none.
    ///
    /// # Errors
    /// It cannot be made, or others could put things into it.
    pub fn open(path: &Path) -> Result<Self, NotApplied> {
        let refuse = |why: String| NotApplied::Journal { path: path.display().to_string(), why };
        DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(|why| refuse(why.to_string()))?;
        let metadata = path.metadata().map_err(|why| refuse(why.to_string()))?;
        if metadata.mode() & 0o022 != 0 {
            return Err(refuse("others can write to it".to_owned()));
        }
        path.canonicalize().map(Self).map_err(|why| refuse(why.to_string()))
    }

    /// Where a file of it is.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Takes the lock, for which it waits so long.
    ///
    /// # Errors
    /// Somebody else has it.
    pub fn lock(&self, patience: Duration) -> Result<Lock, NotApplied> {
        let path = self.path(LOCK);
        let until = Instant::now() + patience;
        let file = OpenOptions::new().write(true).create(true).truncate(false).open(&path);
        let file = file.map_err(|why| self.broken(LOCK, &why))?;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Lock(file)),
                Err(TryLockError::WouldBlock) if Instant::now() < until => {
                    std::thread::sleep(Duration::from_millis(20));
                }
                Err(TryLockError::WouldBlock) => return Err(NotApplied::Busy { path: path.display().to_string() }),
                Err(TryLockError::Error(why)) => return Err(self.broken(LOCK, &why)),
            }
        }
    }

    /// The journal of a change that has not come to its end.
    ///
    /// # Errors
    /// It is there and cannot be read.
    pub fn journal(&self) -> Result<Option<Journal>, NotApplied> {
        let Some(bytes) = self.read(JOURNAL)? else { return Ok(None) };
        let journal: Journal = serde_json::from_slice(&bytes).map_err(|why| self.broken(JOURNAL, &why))?;
        if journal.version != Journal::VERSION {
            return Err(self.broken(JOURNAL, &format!("it is of version {}", journal.version)));
        }
        Ok(Some(journal))
    }

    /// That there is none.
    ///
    /// # Errors
    /// There is one.
    pub fn is_clear(&self) -> Result<(), NotApplied> {
        match self.journal()? {
            None => Ok(()),
            Some(_) => Err(NotApplied::Interrupted { path: self.path(JOURNAL).display().to_string() }),
        }
    }

    pub(super) fn set(&self, journal: &Journal) -> Result<(), NotApplied> {
        let bytes = serde_json::to_vec_pretty(journal).expect("texts and numbers have a JSON form");
        write_atomically(&self.path(JOURNAL), &bytes).map_err(|why| self.broken(JOURNAL, &why))
    }

    pub(super) fn clear(&self) -> Result<(), NotApplied> {
        self.remove(CONFIRMED)?;
        self.remove(JOURNAL)
    }

    /// Says that a change is confirmed.
    ///
    /// # Errors
    /// It cannot be written down.
    pub fn set_confirmed(&self, id: &str) -> Result<(), NotApplied> {
        write_atomically(&self.path(CONFIRMED), id.as_bytes()).map_err(|why| self.broken(CONFIRMED, &why))
    }

    pub(super) fn is_confirmed(&self, id: &str) -> Result<bool, NotApplied> {
        Ok(self.read(CONFIRMED)?.is_some_and(|text| text == id.as_bytes()))
    }

    /// How the last change ended.
    ///
    /// # Errors
    /// That is there and cannot be read.
    pub fn last(&self) -> Result<Option<Last>, NotApplied> {
        let Some(bytes) = self.read(LAST)? else { return Ok(None) };
        serde_json::from_slice(&bytes).map(Some).map_err(|why| self.broken(LAST, &why))
    }

    pub(super) fn set_last(&self, last: &Last) -> Result<(), NotApplied> {
        let bytes = serde_json::to_vec_pretty(last).expect("texts and numbers have a JSON form");
        write_atomically(&self.path(LAST), &bytes).map_err(|why| self.broken(LAST, &why))
    }

    /// Writes a text that has to be there after a crash.
    pub(super) fn write(&self, name: &str, bytes: &[u8]) -> Result<(), NotApplied> {
        let written = File::create(self.path(name)).and_then(|mut file| {
            file.write_all(bytes)?;
            file.sync_all()
        });
        written.map_err(|why| self.broken(name, &why))
    }

    /// The texts of those names.
    pub(super) fn texts(&self, names: &[String]) -> Result<Vec<Text>, NotApplied> {
        let text = |name: &String| {
            let bytes = self.read(name)?.ok_or_else(|| self.broken(name, &"it is gone"))?;
            let shown = name.split_once('-').map_or(name.as_str(), |(_, shown)| shown);
            Ok(Text { path: shown.into(), name: shown.into(), bytes, executable: false })
        };
        names.iter().map(text).collect()
    }

    fn read(&self, name: &str) -> Result<Option<Vec<u8>>, NotApplied> {
        match fs::read(self.path(name)) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(why) if why.kind() == ErrorKind::NotFound => Ok(None),
            Err(why) => Err(self.broken(name, &why)),
        }
    }

    fn remove(&self, name: &str) -> Result<(), NotApplied> {
        match fs::remove_file(self.path(name)) {
            Ok(()) => crate::source::flush_folder(&self.path(name)).map_err(|why| self.broken(name, &why)),
            Err(why) if why.kind() == ErrorKind::NotFound => Ok(()),
            Err(why) => Err(self.broken(name, &why)),
        }
    }

    fn broken(&self, name: &str, why: &dyn std::fmt::Display) -> NotApplied {
        NotApplied::Journal { path: self.path(name).display().to_string(), why: why.to_string() }
    }
}

impl Journal {
    /// The target, if it is one of the host's rules.
    #[must_use]
    pub const fn target(&self) -> Option<Target> {
        match &self.system {
            System::Rules { target, .. } => Some(*target),
            System::Command { .. } => None,
        }
    }

    pub(super) const VERSION: u32 = 1;
}
