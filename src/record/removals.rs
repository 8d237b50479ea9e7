//! What was seen to be removed, and since when: a file that makes removals count only once they have stood for a while.
//!
//! It never helps by being lost: missing, cut short, changed, put back from a copy or from the future, it is as if nothing had
//! been seen.

use super::error::RemovalsError;
use super::statement::digest;
use crate::facts::{Sightings, now as clock, show_instant};
use crate::source::{beside, write_atomically};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{File, Metadata, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read as _};
use std::path::Path;
use std::time::Duration;

/// What the first line begins with; the SHA-256 of the rest follows.
const MAGIC: &str = "portcullis-removals-v1 ";
/// How large the file may be.
const MOST: u64 = 1 << 20;
/// How far the time that the file system gives the file may be from when it was written, in seconds.
const WRITING: u64 = 60;
/// What nobody has looked at for longer than that, and than it has to be seen, was not seen in between, in seconds.
const PAUSE: u64 = 86400;
/// How often, and how long apart, a file is tried to be had.
const TRIES: (u32, Duration) = (100, Duration::from_millis(50));

/// How often removals were seen, the present time included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observed {
    /// Each of those that are seen now.
    pub removals: BTreeMap<String, Sightings>,
    /// Why nothing that was seen before counts; `None`: it does, or there was nothing.
    pub begun: Option<String>,
}

/// What the file holds.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    version: u64,
    /// When the last observation was, in seconds since 1970.
    at: u64,
    /// When the file was written, on the clock of the machine.
    written: u64,
    removals: BTreeMap<String, Series>,
}

/// One removal that stands.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Series {
    first: u64,
    last: u64,
    observations: usize,
}

/// Notes that some removals are seen now, and no others: what is not among them has not stood. Each comes with how long it has
/// to be seen. It is on the disk before anything is said of it.
///
/// # Errors
/// The file cannot be had, read or written.
pub fn observe(path: &Path, seen: &BTreeMap<String, Duration>, now: u64) -> Result<Observed, RemovalsError> {
    let unusable = |why: String| RemovalsError::Unusable { path: path.display().to_string(), why };
    let _lock = lock(path)?;
    let (kept, begun) = match read(path).map_err(unusable)? {
        Found::Nothing => (BTreeMap::new(), None),
        Found::Useless(why) => (BTreeMap::new(), Some(why)),
        Found::Kept(Kept { version: _, at, written: _, removals: _ }) if at > now => {
            (BTreeMap::new(), Some(format!("it is of {}, which is yet to come", show_instant(at))))
        }
        Found::Kept(Kept { version: _, at: _, written: _, removals }) => (removals, None),
    };
    let series = |(removal, over): (&String, &Duration)| {
        let fresh =
            |series: &&Series| now - series.last.min(now) <= over.as_secs().max(PAUSE) && series.first <= series.last;
        let before = kept.get(removal).filter(fresh);
        let first = before.map_or(now, |series| series.first);
        let observations = before.map_or(0, |series| series.observations).saturating_add(1);
        (removal.clone(), Series { first, last: now, observations })
    };
    let removals: BTreeMap<String, Series> = seen.iter().map(series).collect();
    let next = Kept { version: 1, at: now, written: clock(), removals };
    write_atomically(path, &to_bytes(&next)).map_err(|why| unusable(why.to_string()))?;
    let sightings = |(removal, Series { first, last, observations }): (String, Series)| {
        (removal, Sightings { observations, over: Duration::from_secs(last.saturating_sub(first)) })
    };
    Ok(Observed { removals: next.removals.into_iter().map(sightings).collect(), begun })
}

/// Nobody else reads or writes the file as long as this is there.
fn lock(path: &Path) -> Result<File, RemovalsError> {
    let unusable =
        |why: std::io::Error| RemovalsError::Unusable { path: path.display().to_string(), why: why.to_string() };
    let lock =
        OpenOptions::new().write(true).create(true).truncate(false).open(beside(path, ".lock")).map_err(unusable)?;
    let (tries, pause) = TRIES;
    for _ in 0..tries {
        match lock.try_lock() {
            Ok(()) => return Ok(lock),
            Err(TryLockError::WouldBlock) => std::thread::sleep(pause),
            Err(TryLockError::Error(why)) => return Err(unusable(why)),
        }
    }
    Err(RemovalsError::Locked { path: path.display().to_string() })
}

enum Found {
    Nothing,
    /// It does not help, and why.
    Useless(String),
    Kept(Kept),
}

fn read(path: &Path) -> Result<Found, String> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(why) if why.kind() == ErrorKind::NotFound => return Ok(Found::Nothing),
        Err(why) => return Err(why.to_string()),
    };
    let metadata = file.metadata().map_err(|why| why.to_string())?;
    if !metadata.is_file() {
        return Err("it is not a file".to_owned());
    }
    let mut bytes = Vec::new();
    file.take(MOST + 1).read_to_end(&mut bytes).map_err(|why| why.to_string())?;
    let useless = |why: &str| Ok(Found::Useless(why.to_owned()));
    let Some(kept) = parse(&bytes) else { return useless("it is not as this program wrote it") };
    match written(&metadata) {
        Some(at) if at.abs_diff(kept.written) <= WRITING => Ok(Found::Kept(kept)),
        Some(_) | None => useless("it was copied, or put back, and not written by this program last"),
    }
}

fn parse(bytes: &[u8]) -> Option<Kept> {
    let (line, rest) = bytes.split_at(bytes.iter().position(|byte| *byte == b'\n')?);
    let rest = rest.strip_prefix(b"\n")?;
    let promised = std::str::from_utf8(line).ok()?.strip_prefix(MAGIC)?;
    if promised != digest(rest) {
        return None;
    }
    let kept: Kept = serde_json::from_slice(rest).ok()?;
    (kept.version == 1 && to_bytes(&kept) == bytes).then_some(kept)
}

fn to_bytes(kept: &Kept) -> Vec<u8> {
    let mut rest = serde_json::to_vec_pretty(kept).expect("texts and numbers have a JSON form");
    rest.push(b'\n');
    let mut bytes = format!("{MAGIC}{}\n", digest(&rest)).into_bytes();
    bytes.extend(rest);
    bytes
}

/// When the file came to be what it is, in seconds since 1970. Nobody can set that time, so a copy that is put back is told.
#[cfg(unix)]
fn written(metadata: &Metadata) -> Option<u64> {
    use std::os::unix::fs::MetadataExt as _;
    u64::try_from(metadata.ctime()).ok()
}

/// The same as far as this system tells it: a copy that keeps its time is not told.
#[cfg(not(unix))]
fn written(metadata: &Metadata) -> Option<u64> {
    metadata.modified().ok()?.duration_since(std::time::UNIX_EPOCH).ok().map(|since| since.as_secs())
}
