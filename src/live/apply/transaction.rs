//! The change itself, from a prepared one to its end.

use super::Same;
use super::error::NotApplied;
use super::journal::{Folder, Journal, Last, Lock, Phase};
use super::kept::Kept;
use super::prepare::{Prepared, Script, rehearse_boot};
use super::system::{Step, System, shell};
use crate::live::host::Ruleset;
use crate::source::File;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// How often it is looked whether somebody confirmed.
const PAUSE: Duration = Duration::from_millis(50);

/// How a change ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// It is in force.
    New,
    /// It is not, and what was in force before is, verified. Exit code 4.
    Old(String),
    /// Neither is known to be in force. Exit code 5.
    Unknown(String),
}

impl Ended {
    /// 0 new, 4 old, 5 neither is known.
    #[must_use]
    pub const fn code(&self) -> u8 {
        match self {
            Self::New => 0,
            Self::Old(_) => 4,
            Self::Unknown(_) => 5,
        }
    }

    /// The same in a sentence.
    #[must_use]
    pub fn message(&self) -> String {
        match self {
            Self::New => "what was proposed is in force, verified by meaning, and a reboot loads it".to_owned(),
            Self::Old(why) => format!("rolled back, and what was in force before is in force again, verified: {why}"),
            Self::Unknown(why) => format!("THE ROLLBACK FAILED: {why}"),
        }
    }
}

/// A change that has begun. Whoever holds it has the host for himself.
#[derive(Debug)]
pub struct Transaction<'f> {
    folder: &'f Folder,
    lock: Lock,
    journal: Journal,
}

/// A change by commands: one prints what is in force, one puts a file into force, and one puts what was in force back.
///
/// # Errors
/// What is in force cannot be read, or a test refuses it or what is proposed.
pub fn commands(
    folder: &Folder,
    lock: &Lock,
    new: File,
    read: &str,
    write: &str,
    rollback: &str,
    test: Option<&str>,
) -> Result<Prepared, NotApplied> {
    let name = String::from_utf8_lossy(&new.path).into_owned();
    let system = System::Command { read: read.to_owned(), name };
    let before = system.read(Some(lock))?;
    let script = |command: &str, file: &str, bytes: &[u8]| Script {
        step: Step::Command { command: command.to_owned(), file: file.to_owned() },
        bytes: bytes.to_owned(),
    };
    let old: Vec<u8> = before.files.iter().flat_map(|file| file.bytes.iter().copied()).collect();
    let scripts = [script(write, "forth", &new.bytes), script(rollback, "back", &old)];
    for (Script { step, bytes }, what) in
        scripts.iter().zip(["the test refuses what is proposed", "the test refuses what is in force now"])
    {
        let file = step.file();
        folder.write(file, bytes)?;
        if let Some(test) = test {
            shell(test, Some(lock), &folder.path(file).display().to_string())
                .map_err(|why| NotApplied::Rehearsal { what, why: why.to_string() })?;
        }
    }
    let [forth, back] = scripts;
    let part = vec![new];
    let after = Ruleset { files: part.clone(), ..Ruleset::default() };
    let old = before.files.clone();
    Ok(Prepared { before, after, new: part, system, old, forth: vec![forth], back: vec![back], kept: Vec::new() })
}

impl<'f> Transaction<'f> {
    /// Writes down all that it takes. Nothing is changed yet. `also`: a file that is replaced too, last of all.
    ///
    /// # Errors
    /// There is no room, or no right to it.
    pub fn begin(
        folder: &'f Folder,
        lock: Lock,
        prepared: Prepared,
        id: &str,
        confirm: Duration,
        note: &str,
        also: Option<(PathBuf, Vec<u8>)>,
    ) -> Result<Self, NotApplied> {
        let Prepared { before: _, after: _, new, system, old, forth, back, kept } = prepared;
        let texts = |way: &str, files: &[File]| -> Result<Vec<String>, NotApplied> {
            let mut names = Vec::new();
            for file in files {
                let name = format!("{way}-{}", String::from_utf8_lossy(&file.path).replace('/', "_"));
                folder.write(&name, &file.bytes)?;
                names.push(name);
            }
            Ok(names)
        };
        let (old, new) = (texts("old", &old)?, texts("new", &new)?);
        let steps = |scripts: Vec<Script>| -> Vec<Step> { scripts.into_iter().map(|script| script.step).collect() };
        let mut staged = Vec::new();
        for (path, bytes) in kept.iter().chain(&also) {
            match Kept::stage(path, bytes) {
                Ok(kept) => staged.push(kept),
                Err(why) => {
                    for kept in &staged {
                        kept.restore(false)?;
                    }
                    return Err(why);
                }
            }
        }
        let journal = Journal {
            version: Journal::VERSION,
            id: id.to_owned(),
            phase: Phase::Prepared,
            system,
            old,
            new,
            forth: steps(forth),
            back: steps(back),
            kept: staged,
            confirm: confirm.as_secs(),
            connection: super::connection(),
            note: note.to_owned(),
        };
        if let Err(why) = folder.set(&journal) {
            for kept in &journal.kept {
                kept.restore(false)?;
            }
            return Err(why);
        }
        Ok(Self { folder, lock, journal })
    }

    /// Starts the process that takes the change back if this one dies, or has not come to its end in time: `program` with
    /// those arguments, which says `armed` once it watches.
    ///
    /// # Errors
    /// It does not.
    pub fn arm(&self, program: &Path, arguments: &[String]) -> Result<(), NotApplied> {
        let failed = |why: &dyn std::fmt::Display| NotApplied::Unarmed { why: why.to_string() };
        let mut watch = Command::new(program)
            .args(arguments)
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|why| failed(&why))?;
        let mut said = String::new();
        let stdout = watch.stdout.take().ok_or_else(|| failed(&"it says nothing"))?;
        BufReader::new(stdout).read_line(&mut said).map_err(|why| failed(&why))?;
        if said == "armed\n" { Ok(()) } else { Err(failed(&"it ended at once")) }
    }

    /// Whether what is in force is still what was looked at; then replaces it, and verifies that it is replaced.
    ///
    /// # Errors
    /// Somebody else changed it, a step fails, or the kernel shows something else afterwards.
    pub fn put_into_force(&mut self, same: Same<'_>) -> Result<(), NotApplied> {
        if !self.is(&self.journal.old, None)? {
            return Err(NotApplied::Changed);
        }
        self.enter(Phase::Applying)?;
        for step in &self.journal.forth {
            step.go(&self.journal.system, self.folder, &self.lock)?;
        }
        self.verify(same)
    }

    /// Whether what is in force is what was put into force.
    ///
    /// # Errors
    /// It is not, or cannot be read.
    pub fn verify(&self, same: Same<'_>) -> Result<(), NotApplied> {
        let system = &self.journal.system;
        let now = system.read(Some(&self.lock))?;
        let wanted = self.folder.texts(&self.journal.new)?;
        if matches!(system, System::Command { .. }) && system.says_the_same(&wanted, &now.files) {
            return Ok(());
        }
        same(&wanted, &now, &system.scope()).map_err(|why| NotApplied::NotInForce { why })
    }

    /// Waits until somebody confirms.
    ///
    /// # Errors
    /// Nobody does in time.
    pub fn wait(&mut self) -> Result<(), NotApplied> {
        self.enter(Phase::Waiting)?;
        let until = Instant::now() + Duration::from_secs(self.journal.confirm);
        loop {
            if self.folder.is_confirmed(&self.journal.id)? {
                return Ok(());
            }
            if Instant::now() >= until {
                return Err(NotApplied::Unconfirmed { seconds: self.journal.confirm });
            }
            std::thread::sleep(PAUSE);
        }
    }

    /// Replaces the files that a reboot loads, looks what it would load, and once more what is in force; from then on the
    /// change is not taken back.
    ///
    /// # Errors
    /// A file cannot be replaced, a reboot would load something else, or something else is in force by now.
    pub fn keep(&mut self, same: Same<'_>) -> Result<(), NotApplied> {
        self.enter(Phase::Keeping)?;
        for kept in &self.journal.kept {
            kept.replace()?;
        }
        rehearse_boot(&self.journal.system, &self.folder.texts(&self.journal.new)?, same)?;
        self.verify(same)?;
        self.enter(Phase::Done)
    }

    /// Clears away what it took. The change is done whether or not that succeeds.
    ///
    /// # Errors
    /// Something cannot be removed.
    pub fn finish(self) -> Result<(), NotApplied> {
        let Self { folder, lock: _lock, journal } = self;
        let cleared = journal.kept.iter().try_for_each(Kept::forget);
        folder.set_last(&Last { id: journal.id, code: Ended::New.code(), message: Ended::New.message() })?;
        folder.clear()?;
        cleared
    }

    /// Clears away what it took before anything was changed.
    ///
    /// # Errors
    /// Something cannot be removed.
    pub fn abandon(self) -> Result<(), NotApplied> {
        self.journal.kept.iter().try_for_each(|kept| kept.restore(false))?;
        self.folder.clear()
    }

    /// Takes it back, verifies that, and says what is in force.
    #[must_use]
    pub fn roll_back(self, why: &str, same: Same<'_>) -> Ended {
        let mut left = Vec::new();
        if self.journal.phase > Phase::Prepared
            && let Err(state) = self.back(same)
        {
            left.push(state);
        }
        for kept in &self.journal.kept {
            if let Err(why) = kept.restore(self.journal.phase >= Phase::Keeping) {
                left.push(format!("{why}, so a reboot may load what was proposed"));
            }
        }
        let journal = self.folder.path("journal.json").display().to_string();
        let ended = if left.is_empty() {
            Ended::Old(why.to_owned())
        } else {
            let left = left.join("; ");
            Ended::Unknown(format!(
                "{left}; it was to be rolled back because {why}; {journal} is kept for `portcullis recover`"
            ))
        };
        let last = Last { id: self.journal.id.clone(), code: ended.code(), message: ended.message() };
        // That it cannot be told to `confirm` changes nothing of what is in force.
        drop(self.folder.set_last(&last));
        match ended {
            Ended::Old(why) => match self.folder.clear() {
                Ok(()) => Ended::Old(why),
                Err(journal) => Ended::Old(format!("{why} ({journal}; `portcullis recover` clears it away)")),
            },
            ended @ (Ended::New | Ended::Unknown(_)) => ended,
        }
    }

    /// Puts what was in force back; otherwise says what is in force.
    fn back(&self, same: Same<'_>) -> Result<(), String> {
        let is_old = || self.is(&self.journal.old, Some(same));
        if is_old() == Ok(true) {
            return Ok(());
        }
        let steps = || -> Result<(), NotApplied> {
            self.journal.back.iter().try_for_each(|step| step.go(&self.journal.system, self.folder, &self.lock))
        };
        let gone = steps();
        let said = gone.err().map(|why| format!(" ({why})")).unwrap_or_default();
        match is_old() {
            Ok(true) => Ok(()),
            Ok(false) => Err(match self.is(&self.journal.new, Some(same)) {
                Ok(true) => format!("what was proposed is in force, all of it{said}"),
                Ok(false) => format!("neither what was proposed nor what was there before is in force{said}"),
                Err(why) => {
                    format!("something else than before is in force{said}, and not all of it can be read: {why}")
                }
            }),
            Err(why) => Err(format!("what is in force is not known{said}: {why}")),
        }
    }

    /// Whether the part of what is in force that is replaced is that text, or, with somebody to ask, means the same.
    fn is(&self, text: &[String], same: Option<Same<'_>>) -> Result<bool, NotApplied> {
        let system = &self.journal.system;
        let wanted = self.folder.texts(text)?;
        let now = system.part(&system.read(Some(&self.lock))?)?;
        if system.says_the_same(&wanted, &now) {
            return Ok(true);
        }
        let now = Ruleset { files: now, ..Ruleset::default() };
        Ok(same.is_some_and(|same| same(&wanted, &now, &crate::live::Scope::default()).is_ok()))
    }

    fn enter(&mut self, phase: Phase) -> Result<(), NotApplied> {
        let next = Journal { phase, ..self.journal.clone() };
        self.folder.set(&next)?;
        self.journal = next;
        Ok(())
    }

    /// What is known of it.
    #[must_use]
    pub const fn journal(&self) -> &Journal {
        &self.journal
    }
}

/// Runs the command that tries the new rules.
///
/// # Errors
/// It fails.
pub fn probe(command: &str) -> Result<(), NotApplied> {
    shell(command, None, "").map(drop).map_err(|why| NotApplied::Probe { why: why.to_string() })
}

/// Finishes a change that waits to be confirmed and whose process has died; `None`: that one is alive, and will.
///
/// # Errors
/// Nothing waits.
pub fn confirm<'f>(folder: &'f Folder, id: &str) -> Result<Option<Transaction<'f>>, NotApplied> {
    let lock = match folder.lock(Duration::ZERO) {
        Ok(lock) => lock,
        Err(NotApplied::Busy { .. }) => return Ok(None),
        Err(why) => return Err(why),
    };
    match folder.journal()? {
        Some(journal) if journal.id == id && journal.phase == Phase::Waiting => {
            Ok(Some(Transaction { folder, lock, journal }))
        }
        Some(_) | None => Err(NotApplied::NothingToConfirm),
    }
}

/// Takes back a change that has not come to its end; one that is done is cleared away. `None`: there is none.
///
/// # Errors
/// It is under way, or the journal cannot be read.
pub fn recover(folder: &Folder, why: &str, same: Same<'_>) -> Result<Option<(Ended, String)>, NotApplied> {
    let lock = folder.lock(Duration::from_secs(2))?;
    recover_locked(folder, lock, why, same)
}

pub(super) fn recover_locked(
    folder: &Folder,
    lock: Lock,
    why: &str,
    same: Same<'_>,
) -> Result<Option<(Ended, String)>, NotApplied> {
    let Some(journal) = folder.journal()? else { return Ok(None) };
    let (phase, note) = (journal.phase, journal.note.clone());
    let transaction = Transaction { folder, lock, journal };
    match phase {
        Phase::Done => transaction.finish().map(|()| Some((Ended::New, note))),
        Phase::Prepared | Phase::Applying | Phase::Waiting | Phase::Keeping => {
            Ok(Some((transaction.roll_back(why, same), note)))
        }
    }
}
