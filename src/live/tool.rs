//! Programs of the host: found in fixed folders, trusted only if nobody but root can replace them, run without the
//! environment and for a limited time.

use super::error::NotRead;
use crate::source::MAX_FILE_BYTES;
use crate::text::escape;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// Where programs are looked for, whatever the environment says.
const FOLDERS: [&str; 4] = ["/usr/sbin", "/usr/bin", "/sbin", "/bin"];
/// How long a program has to answer.
const LIMIT: Duration = Duration::from_secs(60);
/// How many links a program may be reached by.
const LINKS: usize = 40;
/// How much of a complaint is shown.
const SHOWN: usize = 300;

/// What a program runs in, besides that it gets nothing of the environment.
#[derive(Default, Clone, Copy)]
pub(super) struct Around<'a> {
    /// A file that it holds open as long as it runs, as its standard input; `None`: that is empty.
    pub(super) held: Option<&'a File>,
    /// The folder; `None`: the root.
    pub(super) folder: Option<&'a Path>,
    /// What it is told by variables.
    pub(super) told: &'a [(&'a str, &'a str)],
    /// How long it has; `None`: the usual time.
    pub(super) limit: Option<Duration>,
}

/// What a program has answered.
pub(super) struct Answer {
    pub(super) ok: bool,
    pub(super) stdout: Vec<u8>,
    /// What it complains of, on one line and harmless.
    pub(super) says: String,
    /// How it ended.
    pub(super) code: String,
}

/// Where a program is that can be trusted.
pub(super) fn find(name: &str, help: &str) -> Result<PathBuf, NotRead> {
    let all = FOLDERS.iter().map(|folder| Path::new(folder).join(name));
    let Some(path) = all.into_iter().find(|path| path.symlink_metadata().is_ok()) else {
        let folders = FOLDERS.join(", ");
        return Err(NotRead::NoTool { tool: name.to_owned(), folders, help: help.to_owned() });
    };
    match trusted(&path) {
        Ok(()) => Ok(path),
        Err(why) => Err(NotRead::Untrusted { tool: path.display().to_string(), why }),
    }
}

/// Whether only root can change what is at that path, link by link.
fn trusted(path: &Path) -> Result<(), String> {
    let mut path = path.to_owned();
    for _ in 0..LINKS {
        for above in path.ancestors().skip(1) {
            roots(above)?;
        }
        let metadata = path.symlink_metadata().map_err(|why| format!("{}: {why}", path.display()))?;
        if !metadata.is_symlink() {
            return roots(&path);
        }
        let target = path.read_link().map_err(|why| format!("{}: {why}", path.display()))?;
        path = path.parent().unwrap_or(Path::new("/")).join(target);
    }
    Err(format!("{} is a link that leads nowhere", path.display()))
}

fn roots(path: &Path) -> Result<(), String> {
    let metadata = path.metadata().map_err(|why| format!("{}: {why}", path.display()))?;
    if metadata.uid() != 0 {
        return Err(format!("{} belongs to user {} and not to root", path.display(), metadata.uid()));
    }
    // A folder with the sticky bit, such as /tmp, still lets anybody put files into it.
    if metadata.mode() & 0o022 != 0 {
        return Err(format!("others than root can write to {}", path.display()));
    }
    Ok(())
}

/// Runs a program.
pub(super) fn run(path: &Path, arguments: &[&str], around: Around<'_>) -> Result<Answer, NotRead> {
    let Around { held, folder, told, limit } = around;
    let limit = limit.unwrap_or(LIMIT);
    let shown = || shown(path, arguments);
    let failed = |why: &io::Error| NotRead::Failed {
        tool: shown(),
        code: "it was not run to its end".to_owned(),
        says: why.to_string(),
    };
    let stdin = match held {
        Some(held) => Stdio::from(held.try_clone().map_err(|why| failed(&why))?),
        None => Stdio::null(),
    };
    let mut child = Command::new(path)
        .args(arguments)
        .env_clear()
        .env("LC_ALL", "C")
        .env("PATH", FOLDERS.join(":"))
        .envs(told.iter().copied())
        .current_dir(folder.unwrap_or(Path::new("/")))
        .stdin(stdin)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|why| failed(&why))?;
    let until = Instant::now() + limit;
    let (stdout, stderr) = (gather(child.stdout.take()), gather(child.stderr.take()));
    let late = |mut child: Child| {
        // It may have ended meanwhile; it is too late either way.
        drop(child.kill());
        drop(child.wait());
        NotRead::TimedOut { tool: shown(), seconds: limit.as_secs() }
    };
    let left = || until.saturating_duration_since(Instant::now());
    let Ok(stdout) = stdout.recv_timeout(left()) else { return Err(late(child)) };
    let Ok(stderr) = stderr.recv_timeout(left()) else { return Err(late(child)) };
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) if left().is_zero() => return Err(late(child)),
            Ok(None) => std::thread::sleep(Duration::from_millis(2)),
            Err(why) => return Err(failed(&why)),
        }
    };
    let (stdout, stderr) = (stdout.map_err(|why| failed(&why))?, stderr.map_err(|why| failed(&why))?);
    if u64::try_from(stdout.len()).unwrap_or(u64::MAX) > MAX_FILE_BYTES {
        return Err(NotRead::TooMuch { tool: shown(), limit: MAX_FILE_BYTES });
    }
    let lines = String::from_utf8_lossy(&stderr);
    let says: Vec<&str> = lines.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let says: String = escape(says.join("; ").as_bytes()).chars().take(SHOWN).collect();
    Ok(Answer { ok: status.success(), stdout, says, code: status.to_string() })
}

/// Starts a program that runs beside.
pub(super) fn spawn(path: &Path, arguments: &[&str]) -> Result<Child, NotRead> {
    let null = Stdio::null;
    let child = Command::new(path).args(arguments).env_clear().stdin(null()).stdout(null()).stderr(null()).spawn();
    child.map_err(|why| NotRead::Failed {
        tool: shown(path, arguments),
        code: "it did not start".to_owned(),
        says: why.to_string(),
    })
}

/// Runs a program that has to succeed.
pub(super) fn answer(path: &Path, arguments: &[&str], around: Around<'_>) -> Result<Vec<u8>, NotRead> {
    let Answer { ok, stdout, says, code } = run(path, arguments, around)?;
    if ok {
        return Ok(stdout);
    }
    let tool = shown(path, arguments);
    let denied = ["not permitted", "ermission denied", "must be root"].iter().any(|words| says.contains(words));
    Err(if denied { NotRead::NotPermitted { tool, says } } else { NotRead::Failed { tool, code, says } })
}

/// The command as one would type it.
fn shown(path: &Path, arguments: &[&str]) -> String {
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
    [&[&*name], arguments].concat().join(" ")
}

fn gather(stream: Option<impl Read + Send + 'static>) -> Receiver<io::Result<Vec<u8>>> {
    let (sender, receiver) = channel();
    if let Some(stream) = stream {
        std::thread::spawn(move || {
            let mut bytes = Vec::new();
            let read = stream.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes).map(|_| bytes);
            // Nobody waits any more once it is too late.
            drop(sender.send(read));
        });
    }
    receiver
}
