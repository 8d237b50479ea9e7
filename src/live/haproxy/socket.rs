//! Questions to a running HAProxy (management guide, 9.3).

use crate::live::error::NotRead;
use crate::source::MAX_FILE_BYTES;
use crate::text::escape;
use rustix::net::sockopt::socket_peercred;
use rustix::process::geteuid;
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::mpsc::channel;
use std::time::Duration;

/// How long an answer may take.
const LIMIT: Duration = Duration::from_secs(10);

/// The socket of a running process. Whoever listens there was started by root, or by whoever asks.
pub(super) struct Socket {
    path: PathBuf,
}

impl Socket {
    pub(super) fn at(path: &Path) -> Result<Self, NotRead> {
        let socket = Self { path: path.to_owned() };
        match path.symlink_metadata() {
            Ok(_) => Ok(socket),
            Err(why) => Err(socket.unanswered(&why)),
        }
    }

    /// What is answered; nothing at all is no answer.
    pub(super) fn ask(&self, question: &str) -> Result<String, NotRead> {
        let answer = self.answer(question)?;
        let says = |from: &str| answer.trim_start().starts_with(from);
        match () {
            () if answer.is_empty() => Err(self.failed(question, "the answer is empty")),
            () if says("Permission denied") => {
                Err(NotRead::NotPermitted { tool: self.shown(question), says: answer.trim().to_owned() })
            }
            () if says("Unknown ") => {
                let first = answer.trim().lines().next().unwrap_or_default();
                Err(self.failed(question, &escape(first.as_bytes())))
            }
            () => Ok(answer),
        }
    }

    /// The same of a question that some versions and builds do not know.
    pub(super) fn ask_if_known(&self, question: &str) -> Result<Option<String>, NotRead> {
        match self.ask(question) {
            Err(NotRead::Failed { says, .. }) if says.starts_with("Unknown command") => Ok(None),
            other => other.map(Some),
        }
    }

    fn answer(&self, question: &str) -> Result<String, NotRead> {
        let (sender, receiver) = channel();
        let (path, asked) = (self.path.clone(), format!("{question}\n"));
        // A process that is stopped takes no connection, and never refuses one.
        std::thread::spawn(move || drop(sender.send(talk(&path, &asked))));
        match receiver.recv_timeout(LIMIT) {
            Err(_) => Err(NotRead::TimedOut { tool: self.shown(question), seconds: LIMIT.as_secs() }),
            Ok(Err(Fault::Stranger(user))) => {
                let why = format!("user {user} listens there, and not root");
                Err(NotRead::Untrusted { tool: self.path.display().to_string(), why })
            }
            Ok(Err(Fault::Io(why))) => Err(self.unanswered(&why)),
            Ok(Ok(bytes)) if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > MAX_FILE_BYTES => {
                Err(NotRead::TooMuch { tool: self.shown(question), limit: MAX_FILE_BYTES })
            }
            Ok(Ok(bytes)) => String::from_utf8(bytes).map_err(|_| self.failed(question, "the answer is no UTF-8")),
        }
    }

    fn unanswered(&self, why: &io::Error) -> NotRead {
        let path = self.path.display().to_string();
        if why.kind() == ErrorKind::PermissionDenied {
            return NotRead::NotPermitted { tool: path, says: why.to_string() };
        }
        NotRead::NoAnswer { path, why: why.to_string() }
    }

    pub(super) fn failed(&self, question: &str, says: &str) -> NotRead {
        let code = "it is no answer to that".to_owned();
        NotRead::Failed { tool: self.shown(question), code, says: says.to_owned() }
    }

    fn shown(&self, question: &str) -> String {
        format!("{question}` at `{}", self.path.display())
    }
}

/// Why there is no answer.
enum Fault {
    Stranger(u32),
    Io(io::Error),
}

impl From<io::Error> for Fault {
    fn from(why: io::Error) -> Self {
        Self::Io(why)
    }
}

fn talk(path: &Path, question: &str) -> Result<Vec<u8>, Fault> {
    let mut stream = UnixStream::connect(path)?;
    let user = socket_peercred(&stream).map_err(io::Error::from)?.uid;
    if !(user.is_root() || user == geteuid()) {
        return Err(Fault::Stranger(user.as_raw()));
    }
    stream.set_read_timeout(Some(LIMIT))?;
    stream.set_write_timeout(Some(LIMIT))?;
    stream.write_all(question.as_bytes())?;
    let mut answer = Vec::new();
    stream.take(MAX_FILE_BYTES + 1).read_to_end(&mut answer)?;
    Ok(answer)
}
