//! Files that are replaced with what is put into force: those that a reboot loads, and the state of the gate.
//!
//! All that can fail for want of room or of a right happens before anything is changed; then there are renames alone.

use super::error::NotApplied;
use crate::source::{beside, flush_folder};
use serde::{Deserialize, Serialize};
use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// A file that is replaced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Kept {
    pub(super) path: PathBuf,
    /// Whether there was one before.
    pub(super) was: bool,
}

impl Kept {
    /// Puts the new text beside the file, and the old one under a second name.
    pub(super) fn stage(path: &Path, bytes: &[u8]) -> Result<Self, NotApplied> {
        Self::try_stage(path, bytes).map_err(|why| broken(path, &why))
    }

    fn try_stage(path: &Path, bytes: &[u8]) -> io::Result<Self> {
        let was = match path.symlink_metadata() {
            Ok(metadata) if metadata.is_file() => Some(metadata.permissions()),
            Ok(_) => return Err(io::Error::new(ErrorKind::InvalidInput, "it is a link or no file")),
            Err(why) if why.kind() == ErrorKind::NotFound => None,
            Err(why) => return Err(why),
        };
        remove(&new(path))?;
        remove(&old(path))?;
        let mut file = OpenOptions::new().write(true).create_new(true).open(new(path))?;
        file.write_all(bytes)?;
        if let Some(permissions) = &was {
            file.set_permissions(permissions.clone())?;
            fs::hard_link(path, old(path))?;
        }
        file.sync_all()?;
        flush_folder(path)?;
        Ok(Self { path: path.to_owned(), was: was.is_some() })
    }

    /// Replaces the file.
    pub(super) fn replace(&self) -> Result<(), NotApplied> {
        let replaced = fs::rename(new(&self.path), &self.path).and_then(|()| flush_folder(&self.path));
        replaced.map_err(|why| broken(&self.path, &why))
    }

    /// Takes that back, however far it came. `begun`: whether any file may have been replaced.
    pub(super) fn restore(&self, begun: bool) -> Result<(), NotApplied> {
        if begun && self.was && is_same(&self.path, &old(&self.path)) {
            // Never replaced. A second name that cannot be removed says the same; the next change removes it.
            drop(remove(&old(&self.path)).and_then(|()| remove(&new(&self.path))));
            return Ok(());
        }
        let restored = match (self.was, begun) {
            (true, true) => match fs::rename(old(&self.path), &self.path) {
                // It has been restored already.
                Err(why) if why.kind() == ErrorKind::NotFound && self.path.exists() => Ok(()),
                other => other,
            },
            (false, true) => remove(&self.path),
            (_, false) => remove(&old(&self.path)),
        };
        let restored = restored.and_then(|()| remove(&new(&self.path))).and_then(|()| flush_folder(&self.path));
        restored.map_err(|why| broken(&self.path, &why))
    }

    /// Removes the second name of the old one.
    pub(super) fn forget(&self) -> Result<(), NotApplied> {
        let forgotten = remove(&old(&self.path)).and_then(|()| flush_folder(&self.path));
        forgotten.map_err(|why| broken(&self.path, &why))
    }
}

fn new(path: &Path) -> PathBuf {
    beside(path, ".portcullis-new")
}

fn old(path: &Path) -> PathBuf {
    beside(path, ".portcullis-old")
}

/// Whether two names are those of one file.
fn is_same(left: &Path, right: &Path) -> bool {
    let id = |path: &Path| path.symlink_metadata().map(|metadata| (metadata.dev(), metadata.ino())).ok();
    id(left).is_some() && id(left) == id(right)
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(why) if why.kind() == ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

fn broken(path: &Path, why: &io::Error) -> NotApplied {
    NotApplied::Kept { path: path.display().to_string(), why: why.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_and_restored_however_far_it_came() {
        let folder = tempfile::TempDir::new().expect("a folder");
        let path = folder.path().join("rules");
        let text = || fs::read_to_string(&path).ok();
        let names = || fs::read_dir(folder.path()).expect("a folder").count();
        for old in [None, Some("old")] {
            let reset = || match old {
                None => remove(&path).expect("removed"),
                Some(old) => fs::write(&path, old).expect("written"),
            };
            let old_text = old.map(str::to_owned);
            reset();
            let kept = Kept::stage(&path, b"new").expect("staged");
            assert_eq!(text(), old_text);
            kept.restore(false).expect("restored");
            assert_eq!((text(), names()), (old_text.clone(), usize::from(old.is_some())));
            let kept = Kept::stage(&path, b"new").expect("staged");
            kept.restore(true).expect("restored");
            assert_eq!((text(), names()), (old_text.clone(), usize::from(old.is_some())));
            let kept = Kept::stage(&path, b"new").expect("staged");
            kept.replace().expect("replaced");
            assert_eq!(text(), Some("new".to_owned()));
            kept.restore(true).expect("restored");
            kept.restore(true).expect("restored once more");
            assert_eq!((text(), names()), (old_text, usize::from(old.is_some())));
            let kept = Kept::stage(&path, b"new").expect("staged");
            kept.replace().expect("replaced");
            kept.forget().expect("forgotten");
            assert_eq!((text(), names()), (Some("new".to_owned()), 1));
        }
    }
}
