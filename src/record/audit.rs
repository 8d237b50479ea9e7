use super::statement::{digest, unhex};
use crate::facts::{now, show_instant};
use crate::source::flush_folder;
use crate::text::hex;
use miette::Diagnostic;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use thiserror::Error;

const DOMAIN: &[u8] = b"portcullis-audit-v1\0";
const VERSION: u64 = 1;
/// What stands before the first entry.
const NOTHING: [u8; 32] = [0; 32];
const PREV: &str = ",\"prev\":\"";
const HASH: &str = "\",\"hash\":\"";
const END: &str = "\"}";

/// The SHA-256 of the last entry of a log, in hexadecimal; of a log without entries 64 zeros.
pub type Head = String;

/// What is written down of a run. The rest of an entry comes of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditEvent {
    /// Which machine says so.
    pub host: String,
    /// Who says that he runs it. Nobody vouches for it.
    pub actor: String,
    /// What was done: `check`, `attest`, `gate`, `break-glass`.
    pub event: String,
    /// What came of it: `pass`, `blocked`, `refused` …
    pub outcome: String,
    /// Why, where that can be said in one sentence.
    pub why: Option<String>,
    /// In which environment.
    pub environment: Option<String>,
    /// The SHA-256 of the policy.
    pub policy: Option<String>,
    /// The SHA-256 of the report.
    pub report: Option<String>,
    /// The digest of the closure.
    pub closure: Option<String>,
    /// The SHA-256 of the record.
    pub record: Option<String>,
}

/// An entry of a log, but for the two digests that chain it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuditEntry {
    /// The version of this shape: 1.
    pub v: u64,
    /// The number of the entry, from 1.
    pub seq: u64,
    /// When.
    pub time: String,
    /// Which machine says so.
    pub host: String,
    /// Who says that he ran it.
    pub actor: String,
    /// What was done.
    pub event: String,
    /// What came of it.
    pub outcome: String,
    /// Why.
    pub why: Option<String>,
    /// In which environment.
    pub environment: Option<String>,
    /// The SHA-256 of the policy.
    pub policy: Option<String>,
    /// The SHA-256 of the report.
    pub report: Option<String>,
    /// The digest of the closure.
    pub closure: Option<String>,
    /// The SHA-256 of the record.
    pub record: Option<String>,
    /// What stands before it that was not written to its end.
    pub torn: Option<Torn>,
}

/// A line that was not written to its end: the machine stopped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Torn {
    /// How many bytes of it there are.
    pub bytes: u64,
    /// Their SHA-256.
    pub sha256: String,
}

/// Why a log cannot be relied on.
#[derive(Debug, Clone, PartialEq, Eq, Error, Diagnostic)]
pub enum AuditError {
    /// It cannot be read or written. Whoever named it has to correct that.
    #[error("the audit log `{path}` cannot be used: {why}")]
    #[diagnostic(
        code(portcullis::record::audit),
        help("name a file that can be written, or make room; nothing passes that is not written down")
    )]
    Unusable {
        /// Where it is.
        path: String,
        /// Why not.
        why: String,
    },
    /// Somebody changed it.
    #[error("line {line} of the audit log does not follow from what stands before it: {why}")]
    #[diagnostic(
        code(portcullis::record::audit_broken),
        help("somebody edited, removed or moved lines: find out who; keep this log as evidence and begin a new one")
    )]
    Broken {
        /// Which line, from 1.
        line: usize,
        /// What is wrong.
        why: String,
    },
    /// Its end is gone.
    #[error("no entry of the audit log has the digest {head}")]
    #[diagnostic(
        code(portcullis::record::audit_truncated),
        help("records name the head that the log had when they were made; this log lost its end, or is another one")
    )]
    Truncated {
        /// The head that there has to be.
        head: Head,
    },
}

/// A log that follows from its beginning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Audited {
    /// Its entries.
    pub entries: Vec<AuditEntry>,
    /// The digest of each.
    pub hashes: Vec<Head>,
    /// What stands at its end that was not written to its end.
    pub torn: Option<Torn>,
    /// Whether a line break is missing at its end.
    open: bool,
}

impl Audited {
    /// The digest of its last entry.
    #[must_use]
    pub fn head(&self) -> Head {
        self.hashes.last().cloned().unwrap_or_else(|| hex(&NOTHING))
    }

    /// Whether the log had that head once: what stood before is then still there.
    ///
    /// # Errors
    /// It had not.
    pub fn expect(&self, head: &str) -> Result<(), AuditError> {
        let had = head == hex(&NOTHING) || self.hashes.iter().any(|hash| hash == head);
        if had { Ok(()) } else { Err(AuditError::Truncated { head: crate::text::escape(head.as_bytes()) }) }
    }
}

/// Holds every line of a log against the one before it. A line that was never written to its end is tolerated at the end of
/// the log, and where the entry behind it says so.
///
/// # Errors
/// The first line that does not follow.
pub fn verify_log(bytes: &[u8]) -> Result<Audited, AuditError> {
    let mut log = Audited { entries: Vec::new(), hashes: Vec::new(), torn: None, open: false };
    let mut lines = bytes.split_inclusive(|byte| *byte == b'\n').enumerate().peekable();
    let mut prev = NOTHING;
    let mut torn: Option<(usize, String, Torn)> = None;
    while let Some((n, line)) = lines.next() {
        let broken = |why: String| AuditError::Broken { line: n + 1, why };
        let whole = line.strip_suffix(b"\n");
        let text = whole.unwrap_or(line);
        match (entry(text, &prev), torn.take()) {
            (Ok((entry, hash)), before) => {
                let next = u64::try_from(log.entries.len()).expect("lengths have 64 bits") + 1;
                if entry.torn != before.map(|(_, _, torn)| torn) {
                    return Err(broken("what it says of the line before it is not so".to_owned()));
                }
                if entry.seq != next {
                    return Err(broken(format!("it is number {} in the place of {next}", entry.seq)));
                }
                log.entries.push(entry);
                log.hashes.push(hex(&hash));
                log.open = whole.is_none();
                prev = hash;
            }
            (Err(_), Some((line, why, _))) => return Err(AuditError::Broken { line: line + 1, why }),
            (Err(why), None) => {
                let bytes = u64::try_from(text.len()).expect("lengths have 64 bits");
                let here = Torn { bytes, sha256: digest(text) };
                match (whole, lines.peek()) {
                    (None, None) => {
                        log.torn = Some(here);
                        log.open = true;
                    }
                    (Some(_), Some(_)) => torn = Some((n, why, here)),
                    (Some(_), None) | (None, Some(_)) => return Err(broken(why)),
                }
            }
        }
    }
    Ok(log)
}

/// A log that nobody else writes to as long as this is there.
#[derive(Debug)]
pub struct Audit {
    path: PathBuf,
    file: File,
    log: Audited,
}

impl Audit {
    /// Takes hold of the log at a path, which comes into being if there is none.
    ///
    /// # Errors
    /// It cannot be read or written, or does not follow from its beginning.
    pub fn open(path: &Path) -> Result<Self, AuditError> {
        let unusable = |why: io::Error| unusable(path, &why);
        let is_new = !path.exists();
        let mut file = OpenOptions::new().read(true).append(true).create(true).open(path).map_err(unusable)?;
        file.lock().map_err(unusable)?;
        if is_new {
            flush_folder(path).map_err(unusable)?;
        }
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(unusable)?;
        let log = verify_log(&bytes)?;
        Ok(Self { path: path.to_owned(), file, log })
    }

    /// The digest of its last entry.
    #[must_use]
    pub fn head(&self) -> Head {
        self.log.head()
    }

    /// Adds an entry, and waits until the disk has it.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn append(mut self, event: AuditEvent) -> Result<Head, AuditError> {
        let AuditEvent { host, actor, event, outcome, why, environment, policy, report, closure, record } = event;
        let entry = AuditEntry {
            v: VERSION,
            seq: u64::try_from(self.log.entries.len()).expect("lengths have 64 bits") + 1,
            time: show_instant(now()),
            host,
            actor,
            event,
            outcome,
            why,
            environment,
            policy,
            report,
            closure,
            record,
            torn: self.log.torn.clone(),
        };
        let prev = unhex(&self.log.head()).expect("heads are digests");
        let (line, hash) = write(&entry, &prev);
        let start = if self.log.open { "\n" } else { "" };
        let written = self.file.write_all(format!("{start}{line}\n").as_bytes()).and_then(|()| self.file.sync_all());
        written.map_err(|why| unusable(&self.path, &why))?;
        Ok(hex(&hash))
    }
}

fn unusable(path: &Path, why: &io::Error) -> AuditError {
    AuditError::Unusable { path: path.display().to_string(), why: why.to_string() }
}

/// An entry as a line, and its digest.
fn write(entry: &AuditEntry, prev: &[u8; 32]) -> (String, [u8; 32]) {
    let body = serde_json::to_string(entry).expect("texts and numbers have a JSON form");
    let mut all = Sha256::new_with_prefix(DOMAIN);
    all.update(prev);
    all.update(u64::try_from(body.len()).expect("lengths have 64 bits").to_be_bytes());
    all.update(&body);
    let hash: [u8; 32] = all.finalize().into();
    let body = body.strip_suffix('}').expect("an entry is an object");
    (format!("{body}{PREV}{}{HASH}{}{END}", hex(prev), hex(&hash)), hash)
}

/// A line as an entry that follows from `prev`, and its digest. It has to be the very line that would be written.
fn entry(line: &[u8], prev: &[u8; 32]) -> Result<(AuditEntry, [u8; 32]), String> {
    let chain = PREV.len() + 64 + HASH.len() + 64 + END.len();
    let body = line.len().checked_sub(chain).and_then(|end| line.get(..end)).unwrap_or_default();
    let body = [body, b"}"].concat();
    let entry: AuditEntry = serde_json::from_slice(&body).map_err(|_| "it is not an entry".to_owned())?;
    if entry.v != VERSION {
        return Err(format!("it is of version {}", entry.v));
    }
    let (written, hash) = write(&entry, prev);
    if written.as_bytes() == line { Ok((entry, hash)) } else { Err("its digests are not those of its text".to_owned()) }
}
