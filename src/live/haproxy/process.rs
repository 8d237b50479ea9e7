//! The process that answers, and the files that it was started with.

use super::socket::Socket;
use crate::live::error::NotRead;
use crate::live::process::Status;
use crate::source::File;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Component, Path, PathBuf};

/// In which the kernel counts when a process was started, a second (proc(5); the same on every architecture).
const TICKS: i64 = 100;
/// How long a process may take from its start until it takes connections.
const SLOW: i64 = 3600;
/// More links than this on the way to a file lead nowhere.
const LINKS: usize = 40;

/// The process that answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Process {
    pid: u32,
    /// When it was started, before it read any file: seconds since 1970.
    start: i64,
}

impl Process {
    /// The one behind a socket.
    pub(super) fn of(socket: &Socket) -> Result<Self, NotRead> {
        const QUESTION: &str = "show info";
        let text = socket.ask(QUESTION)?;
        let said: BTreeMap<&str, &str> = text.lines().filter_map(|line| line.split_once(": ")).collect();
        let number = |name: &str| said.get(name).and_then(|value| value.trim().parse::<i64>().ok());
        if said.get("Name") != Some(&"HAProxy") {
            return Err(socket.failed(QUESTION, "it is no HAProxy that answers"));
        }
        if number("Stopping").is_some_and(|stopping| stopping != 0) {
            return Err(socket.failed(QUESTION, "the process that answers is about to end: another one does its work"));
        }
        if number("Nbproc").is_some_and(|count| count > 1) {
            return Err(socket.failed(QUESTION, "there are several processes, and this socket is of one of them"));
        }
        // Older versions say only for how long it has been running.
        let start = number("Start_time_sec").or_else(|| Some(now()? - number("Uptime_sec")? - 2));
        match (number("Pid").and_then(|pid| u32::try_from(pid).ok()), start) {
            (Some(pid), Some(start)) => Ok(Self { pid, start }),
            _ => Err(socket.failed(QUESTION, "it does not say which process it is, and since when")),
        }
    }

    /// The files that it was started with, if they are still what they were; otherwise why that is not known.
    pub(super) fn files(&self, socket: &Socket) -> Result<Vec<File>, String> {
        let mut files = Vec::new();
        for name in started_with(socket)? {
            if !name.starts_with('/') {
                let why = format!("the process was started with `{name}`, which is no absolute path");
                return Err(format!("{why}: name the file with --started-with"));
            }
            let bytes = self.file(Path::new(&name))?;
            let name = name.into_bytes();
            files.push(File { path: name.clone(), name, bytes, executable: false });
        }
        if files.is_empty() { Err("it does not say which files it was started with".to_owned()) } else { Ok(files) }
    }

    /// A file as the process read it: the one at that path where it runs, older than itself.
    pub(super) fn file(&self, path: &Path) -> Result<Vec<u8>, String> {
        let root = self.root()?;
        let shown = path.display();
        let place = resolve(&root, path, |link| self.is_older(link).then_some(()).ok_or_else(|| young(link)))?;
        let read = || {
            let older = self.is_older(&place);
            let bytes = fs::read(&place)?;
            // It was not written meanwhile either.
            Ok::<_, std::io::Error>((older && self.is_older(&place), bytes))
        };
        match read() {
            Ok((true, bytes)) => Ok(bytes),
            Ok((false, _)) => Err(young(path)),
            Err(why) => Err(format!("`{shown}`: {why}")),
        }
    }

    /// Whether a file or link is older than the process: not even its name was touched since.
    fn is_older(&self, path: &Path) -> bool {
        path.symlink_metadata().is_ok_and(|metadata| metadata.ctime() < self.start)
    }

    /// Where the files of the process are. The worker may have shut itself in; the master has not.
    fn root(&self) -> Result<PathBuf, String> {
        let (parent, started) = self.status(self.pid)?;
        if !(self.start - 2..=self.start + SLOW).contains(&started) {
            return Err(format!("process {} is not the one that answers: it runs in a container", self.pid));
        }
        let owner = if self.status(parent).is_ok() { parent } else { self.pid };
        let link = |path: String| fs::read_link(&path).map_err(|why| format!("{path}: {why}"));
        let same = link(format!("/proc/{owner}/ns/mnt"))? == link("/proc/self/ns/mnt".to_owned())?;
        let root = PathBuf::from(format!("/proc/{owner}/root"));
        let whole = link(root.display().to_string())? == Path::new("/");
        match (same, whole) {
            (true, true) => Ok(PathBuf::from("/")),
            // A single process that has shut itself in after it had read its files.
            (true, false) if owner == self.pid => Ok(PathBuf::from("/")),
            (false, true) => Ok(root),
            (_, false) => Err(format!("process {owner} sees other files than those that are seen here")),
        }
    }

    /// The parent of a process of HAProxy, and when it was started.
    fn status(&self, pid: u32) -> Result<(u32, i64), String> {
        let unknown = |why: String| format!("what process {} is, which answers, cannot be told: {why}", self.pid);
        let Status { name, parent, started } = Status::read(pid).map_err(unknown)?;
        if !name.contains("haproxy") {
            return Err(unknown("it is no haproxy here, so it runs in a container".to_owned()));
        }
        let whole = fs::read_to_string("/proc/stat").map_err(|why| unknown(format!("/proc/stat: {why}")))?;
        let boot = booted(&whole).ok_or_else(|| unknown("/proc/stat".to_owned()))?;
        Ok((parent, boot + started / TICKS))
    }
}

/// What the clock says: when the system was started, and how long ago that is.
fn now() -> Option<i64> {
    let uptime = fs::read_to_string("/proc/uptime").ok()?;
    let seconds: i64 = uptime.split('.').next()?.parse().ok()?;
    Some(booted(&fs::read_to_string("/proc/stat").ok()?)? + seconds)
}

/// When the system was started, as `/proc/stat` says it.
fn booted(stat: &str) -> Option<i64> {
    stat.lines().find_map(|line| line.strip_prefix("btime ")?.trim().parse().ok())
}

/// The files that it says it was started with.
pub(super) fn started_with(socket: &Socket) -> Result<Vec<String>, String> {
    const NAME: &str = "HAPROXY_CFGFILES";
    let said = socket.ask(&format!("show env {NAME}")).map_err(|why| why.to_string())?;
    let line = said.lines().find_map(|line| line.strip_prefix(NAME)?.strip_prefix('='));
    let names = line.ok_or_else(|| "it does not say which files it was started with".to_owned())?;
    Ok(names.split(';').filter(|name| !name.is_empty()).map(str::to_owned).collect())
}

fn young(path: &Path) -> String {
    format!(
        "`{}` was written when the process was running already, so it may have been started with another one",
        path.display()
    )
}

/// The file at a path below a root, link by link.
fn resolve(root: &Path, path: &Path, older: impl Fn(&Path) -> Result<(), String>) -> Result<PathBuf, String> {
    let parts = |path: &Path| -> Vec<OsString> {
        let name = |part: Component<'_>| match part {
            Component::Normal(name) => Some(name.to_owned()),
            Component::ParentDir => Some("..".into()),
            Component::CurDir | Component::RootDir | Component::Prefix(_) => None,
        };
        path.components().rev().filter_map(name).collect()
    };
    let (mut left, mut place, mut links) = (parts(path), root.to_owned(), 0);
    while let Some(part) = left.pop() {
        if part == ".." {
            if place != root {
                place.pop();
            }
            continue;
        }
        place.push(part);
        let metadata = place.symlink_metadata().map_err(|why| format!("`{}`: {why}", place.display()))?;
        if !metadata.is_symlink() {
            continue;
        }
        links += 1;
        if links > LINKS {
            return Err(format!("`{}` is a link that leads nowhere", path.display()));
        }
        older(&place)?;
        let target = place.read_link().map_err(|why| format!("`{}`: {why}", place.display()))?;
        place.pop();
        if target.is_absolute() {
            root.clone_into(&mut place);
        }
        left.extend(parts(&target));
    }
    Ok(place)
}
