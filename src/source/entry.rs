use super::error::Problem;
use super::{Claims, MAX_ENTRIES, names};
use crate::text::escape;
use std::collections::BTreeSet;
use std::path::PathBuf;

/// Something that is at a path of a side.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) path: Vec<u8>,
    pub(super) kind: Kind,
}

/// What is at a path.
#[derive(Debug, Clone)]
pub(super) enum Kind {
    /// A file in the object database, and whether it may be executed.
    Blob(git2::Oid, bool),
    /// A file on disk.
    Disk(PathBuf),
    /// A file that is at hand.
    Given(Vec<u8>),
    /// A folder in which nothing can be wanted, or whose content is listed as well.
    Folder,
    /// A symbolic link, and where to.
    Symlink(Vec<u8>),
    /// A commit of another repository.
    Submodule,
    /// A device, a pipe, an entry of an unknown mode.
    Special(&'static str),
    /// A merge left several versions of it.
    Unmerged,
    /// In the index and left out of the checkout.
    Sparse,
}

/// The entries of a side in the making.
#[derive(Default)]
pub(super) struct Entries {
    entries: Vec<Entry>,
    problems: Vec<Problem>,
    full: bool,
}

impl Entries {
    pub(super) fn push(&mut self, entry: Entry) {
        if self.entries.len() < MAX_ENTRIES {
            self.entries.push(entry);
        } else if !self.full {
            self.full = true;
            self.problems.push(Problem::TooMany { limit: MAX_ENTRIES });
        }
    }

    pub(super) fn problem(&mut self, problem: Problem) {
        self.problems.push(problem);
    }

    pub(super) fn last(&self) -> Option<&Entry> {
        self.entries.last()
    }

    /// Whether no more will be taken.
    pub(super) const fn is_full(&self) -> bool {
        self.full
    }

    /// Replaces what is at the paths of `others` by what they say.
    pub(super) fn replace(&mut self, others: Vec<Entry>) {
        let paths: BTreeSet<Vec<u8>> = others.iter().map(|entry| entry.path.clone()).collect();
        self.entries.retain(|entry| !paths.contains(&entry.path));
        for entry in others {
            self.push(entry);
        }
    }

    pub(super) fn paths(&self) -> BTreeSet<&[u8]> {
        self.entries.iter().map(|entry| entry.path.as_slice()).collect()
    }

    /// What is there, and what could not be listed. Of a side that is too large nothing is worth looking at.
    pub(super) fn finish(self) -> (Vec<Entry>, Vec<Problem>) {
        if self.full { (Vec::new(), self.problems) } else { (self.entries, self.problems) }
    }
}

/// What is wrong with single entries. Where something wanted could be below a path, a link or a submodule in the
/// place of the folder hides it.
pub(super) fn problems(entries: &[Entry], claims: &dyn Claims) -> Vec<Problem> {
    let mut found = Vec::new();
    let mut last: Option<&[u8]> = None;
    for Entry { path, kind } in entries {
        let shown = escape(path);
        let twice = last == Some(path.as_slice());
        last = Some(path);
        if names::is_crafted(path) {
            found.push(Problem::Crafted { path: shown });
            continue;
        }
        let (file, below) = (claims.file(path), claims.below(path));
        let problem = match kind {
            _ if !file && !below => continue,
            _ if twice => Some(Problem::Twice { path: shown }),
            Kind::Symlink(target) => Some(Problem::Symlink { path: shown, target: escape(target) }),
            Kind::Submodule => Some(Problem::Submodule { path: shown }),
            Kind::Folder => None,
            _ if !file => None,
            Kind::Special(what) => Some(Problem::Special { path: shown, what }),
            Kind::Unmerged => Some(Problem::Unmerged { path: shown }),
            Kind::Sparse => Some(Problem::Sparse { path: shown }),
            Kind::Blob(..) | Kind::Disk(_) | Kind::Given(_) => names::of_file(path),
        };
        found.extend(problem);
    }
    found
}

/// Wanted files of `here` in whose place `there` has a folder.
pub(super) fn type_changes(here: &[Entry], there: &[Entry], claims: &dyn Claims) -> Vec<Problem> {
    let is_folder = |path: &[u8]| {
        let at = there.partition_point(|entry| entry.path.as_slice() < path);
        let rest = there.get(at..).unwrap_or_default();
        rest.iter().take_while(|entry| entry.path.starts_with(path)).any(|entry| match entry.path.get(path.len()) {
            None => matches!(entry.kind, Kind::Folder),
            Some(byte) => *byte == b'/',
        })
    };
    let files = here.iter().filter(|entry| matches!(entry.kind, Kind::Blob(..) | Kind::Disk(_) | Kind::Given(_)));
    let changed = files.filter(|entry| claims.file(&entry.path) && is_folder(&entry.path));
    changed.map(|entry| Problem::FileAndFolder { path: escape(&entry.path) }).collect()
}
