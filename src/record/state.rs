use super::error::StateError;
use crate::source::{beside, write_atomically};
use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};

/// How large a state may be.
const MOST: u64 = 16 << 20;

/// What was put into force last in one environment of one host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct State {
    /// The version of this shape: 1.
    pub version: u64,
    /// Of which repository.
    pub repository: String,
    /// In which environment.
    pub environment: String,
    /// The highest serial of roots of trust that were used.
    pub roots_serial: u64,
    /// The number of the last record.
    pub sequence: u64,
    /// The generation of the policy of the last record.
    pub epoch: u64,
    /// The closure that is in force; `None`: nothing was put into force yet.
    pub closure: Option<String>,
    /// The SHA-256 of the last record.
    pub record: Option<String>,
    /// When that was.
    pub at: String,
    /// What was put into force without a review and has not been reviewed since.
    pub debts: Vec<Debt>,
}

/// Something that was put into force in an emergency and that nobody has reviewed yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Debt {
    /// The number of the incident.
    pub incident: String,
    /// What was put into force.
    pub closure: String,
    /// The number of the record.
    pub sequence: u64,
    /// When.
    pub at: String,
}

/// A state that nobody else can use as long as this is there.
#[derive(Debug)]
pub struct Held {
    path: PathBuf,
    state: State,
    /// Locked.
    _lock: File,
}

impl State {
    /// It as it is written.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        to_bytes(self)
    }

    /// That of a host that has never been put through the gate.
    #[must_use]
    pub fn new(repository: &str, environment: &str, now: u64) -> Self {
        Self {
            version: 1,
            repository: repository.to_owned(),
            environment: environment.to_owned(),
            roots_serial: 0,
            sequence: 0,
            epoch: 0,
            closure: None,
            record: None,
            at: crate::facts::show_instant(now),
            debts: Vec::new(),
        }
    }
}

impl Held {
    /// Takes hold of the state at a path. With `new` there has to be none: that one is taken. Nothing is written yet.
    ///
    /// # Errors
    /// There is none, it cannot be read whole, it is of something else, or somebody else has it.
    pub fn take(path: &Path, wanted: State, new: bool) -> Result<Self, StateError> {
        let shown = path.display().to_string();
        let unusable = |why: String| StateError::Unusable { path: shown.clone(), why };
        if !new && !path.exists() {
            return Err(StateError::Missing { path: shown });
        }
        let lock = OpenOptions::new().write(true).create(true).truncate(false).open(beside(path, ".lock"));
        let lock = lock.map_err(|why| unusable(why.to_string()))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(StateError::Locked { path: shown }),
            Err(TryLockError::Error(why)) => return Err(unusable(why.to_string())),
        }
        let held = |state| Ok(Self { path: path.to_owned(), state, _lock: lock });
        let file = match File::open(path) {
            Ok(_) if new => return Err(StateError::There { path: shown }),
            Ok(file) => file,
            Err(why) if why.kind() == ErrorKind::NotFound && new => return held(wanted),
            Err(why) if why.kind() == ErrorKind::NotFound => return Err(StateError::Missing { path: shown }),
            Err(why) => return Err(unusable(why.to_string())),
        };
        let mut bytes = Vec::new();
        file.take(MOST).read_to_end(&mut bytes).map_err(|why| unusable(why.to_string()))?;
        let state: State = serde_json::from_slice(&bytes).map_err(|why| unusable(why.to_string()))?;
        if state.version != 1 || to_bytes(&state) != bytes {
            return Err(unusable("it is not as this version writes it".to_owned()));
        }
        let name = |state: &State| format!("{} in {}", state.environment, state.repository);
        if name(&state) != name(&wanted) {
            return Err(StateError::Other { path: shown, found: name(&state), wanted: name(&wanted) });
        }
        held(state)
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The state.
    #[must_use]
    pub const fn state(&self) -> &State {
        &self.state
    }

    /// Replaces it, whole or not at all.
    ///
    /// # Errors
    /// It cannot be written; it is then as it was.
    pub fn replace(self, next: &State) -> Result<(), StateError> {
        write_atomically(&self.path, &to_bytes(next))
            .map_err(|why| StateError::Unusable { path: self.path.display().to_string(), why: why.to_string() })
    }
}

fn to_bytes(state: &State) -> Vec<u8> {
    let mut bytes = serde_json::to_vec_pretty(state).expect("texts and numbers have a JSON form");
    bytes.push(b'\n');
    bytes
}
