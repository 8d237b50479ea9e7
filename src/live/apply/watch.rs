//! The process that takes a change back when the one that makes it has died, or takes too long.

use super::Same;
use super::error::NotApplied;
use super::journal::{Folder, Phase};
use super::transaction::{Ended, recover_locked};
use rustix::process::{Pid, Signal, kill_process};
use std::path::Path;
use std::time::{Duration, Instant};

/// How often it looks.
const PAUSE: Duration = Duration::from_millis(100);
/// How long those that were killed may take to be gone.
const PATIENCE: Duration = Duration::from_secs(10);

/// Leaves the session of whoever started it, says that it watches, and watches the change of that id: it may take
/// `limit`, and as long again as somebody has to confirm it. `None`: it came to its end by itself.
///
/// # Errors
/// The journal cannot be read, or those who hold the host cannot be ended.
pub fn watch(
    folder: &Folder,
    id: &str,
    limit: Duration,
    armed: &mut dyn FnMut(),
    same: Same<'_>,
) -> Result<Option<(Ended, String)>, NotApplied> {
    let begun = Instant::now();
    // Whoever leads a session already has one of his own.
    let _session = rustix::process::setsid();
    let mut waiting = None;
    armed();
    loop {
        let Some(journal) = folder.journal()?.filter(|journal| journal.id == id) else { return Ok(None) };
        let confirm = Duration::from_secs(journal.confirm);
        let since = (journal.phase == Phase::Waiting).then(|| *waiting.get_or_insert_with(Instant::now));
        let late = begun.elapsed() > limit + confirm;
        let patient = since.is_some_and(|since| since.elapsed() <= confirm) && !late;
        if late {
            end_holders(&folder.path("lock"));
        }
        let patience = if late { PATIENCE } else { Duration::ZERO };
        match folder.lock(patience) {
            Ok(lock) if patient => drop(lock),
            Ok(lock) => {
                let still = folder.journal()?.is_some_and(|journal| journal.id == id);
                let why = if late { "it took too long" } else { "the process that made the change has died" };
                return if still { recover_locked(folder, lock, why, same) } else { Ok(None) };
            }
            Err(NotApplied::Busy { .. }) if !late => {}
            Err(why) => return Err(why),
        }
        std::thread::sleep(PAUSE);
    }
}

/// Ends every process that has the lock open: whoever makes the change, and what it has started.
fn end_holders(lock: &Path) {
    let Ok(processes) = std::fs::read_dir("/proc") else { return };
    for process in processes.flatten() {
        let Some(pid) = process.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else { continue };
        let Ok(files) = std::fs::read_dir(process.path().join("fd")) else { continue };
        let holds = files.flatten().any(|file| file.path().read_link().is_ok_and(|target| target == lock));
        if let (true, Some(pid)) = (holds, Pid::from_raw(pid)) {
            // It may have ended meanwhile; the lock tells.
            let _gone = kill_process(pid, Signal::KILL);
        }
    }
}
