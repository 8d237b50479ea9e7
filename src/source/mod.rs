//! Where the two sides of a change come from: git trees, the index, the work tree, folders and files.
//!
//! A side gives files by path, as bytes, never as the checkout shows them: blobs are read from trees and the
//! index, attributes and filters are not applied, links are not followed, renames are a deletion and an addition.
//! What is wanted and cannot be read as it stands is a [`Problem`], never a missing file.
//! The only room with git and the file system; knows nothing of formats, models or policies.

mod atomic;
mod ci;
mod disk;
mod entry;
mod error;
mod git;
mod history;
mod merge;
mod names;
mod readers;

pub use atomic::{beside, flush_folder, write_atomically};
pub use ci::{Variables, event_number, merge_group};
pub use disk::read_at_most;
pub use error::{Problem, SourceError};
pub use history::{CommitText, History};
pub use readers::{Readers, readers};

use crate::text::{MAX_TEXT_BYTES, escape};
use entry::{Entry, Kind};
use git2::Repository;
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// The largest file that is read, 1 GiB. A larger one is a problem: it is probed before it is read.
pub const MAX_FILE_BYTES: u64 = MAX_TEXT_BYTES as u64;
/// How much is read of one side altogether, 2 GiB.
pub const MAX_SIDE_BYTES: u64 = 2 << 30;
/// How many entries of one side are looked at. Folders in which nothing can be wanted count as one.
pub const MAX_ENTRIES: usize = 1_000_000;

/// Which paths of a side are wanted; known to whoever has the patterns. Paths are relative to the root of the
/// side, with `/` between the parts.
pub trait Claims {
    /// Whether a file of that path is wanted.
    fn file(&self, path: &[u8]) -> bool;
    /// Whether a file could be wanted whose path begins with that folder. In doubt it could.
    fn below(&self, folder: &[u8]) -> bool;
}

/// A file of a side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Its path, relative to the root of the side.
    pub path: Vec<u8>,
    /// The name to show for it.
    pub name: Vec<u8>,
    /// What it says.
    pub bytes: Vec<u8>,
    /// Whether its owner may execute it: all that git keeps of its mode.
    pub executable: bool,
}

/// Both sides of a change.
pub struct Sides {
    /// What is in force.
    pub base: Side,
    /// What is proposed.
    pub head: Side,
    /// The names and addresses of those who made the change, authors and committers; `None`: it is not known who did.
    pub authors: Option<Vec<String>>,
}

/// The wanted files of both sides.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Files {
    /// On base, sorted by path.
    pub base: Vec<File>,
    /// On head, sorted by path.
    pub head: Vec<File>,
}

impl Sides {
    /// The work tree of the repository around `place`, untracked files included, against a revision.
    ///
    /// # Errors
    /// There is no repository, no commit or no work tree there, or it cannot be trusted.
    pub fn work_tree(place: &Place, base: &str) -> Result<Self, SourceError> {
        let repository = Rc::new(git::open(&place.folder)?);
        let (base, head) = (Side::commit(&repository, base)?, Side::checked_out(&repository, place)?);
        Ok(Self { base, head, authors: git::user(&repository) })
    }

    /// What the next commit would hold, against `HEAD`.
    ///
    /// # Errors
    /// There is no repository or no commit there, or it cannot be trusted.
    pub fn staged(place: &Place) -> Result<Self, SourceError> {
        let repository = Rc::new(git::open(&place.folder)?);
        let base = Side::commit(&repository, "HEAD")?;
        let index = git::index(&repository, place.index_file.as_deref())?;
        let authors = git::user(&repository);
        let head = Side { kind: "index", revision: None, root: Root::Index { repository, index, tree: None } };
        Ok(Self { base, head, authors })
    }

    /// Two revisions. Of two that have diverged, head is what merging it into base gives: that is what will be in force.
    ///
    /// # Errors
    /// A revision is not there (also because the clone is shallow), or the two cannot be merged without a person.
    pub fn revisions(place: &Place, base: &str, head: &str) -> Result<Self, SourceError> {
        let repository = Rc::new(git::open(&place.folder)?);
        let (base_side, mut head_side) = (Side::commit(&repository, base)?, Side::commit(&repository, head)?);
        if let Some((ours, theirs)) = merge::diverged(&repository, base, head)? {
            let mut index = merge::merge(&repository, (&ours, base), (&theirs, head))?;
            // Like the merged files it stays in memory.
            let tree = index.write_tree_to(&repository).map_err(|why| git::damaged(&why))?;
            head_side.kind = "merge";
            head_side.root = Root::Index { repository: Rc::clone(&repository), index, tree: Some(tree) };
        }
        Ok(Self { base: base_side, head: head_side, authors: git::authors(&repository, base, head) })
    }

    /// The sides that a continuous-integration job is about; `None` outside of one that is known.
    ///
    /// # Errors
    /// As for [`Sides::revisions`], or the job does not say what is compared with what.
    pub fn of_job(place: &Place, variables: &dyn Variables) -> Result<Option<Self>, SourceError> {
        ci::sides(place, variables)
    }

    /// Two folders or two files, without git.
    ///
    /// # Errors
    /// One does not exist, or one is a folder and the other a file.
    pub fn paths(old: &Path, new: &Path) -> Result<Self, SourceError> {
        Self::of(Side::path(old)?, Side::path(new)?)
    }

    /// What two texts on a command line name: `REV:PATH` in the repository around `place`, or a path.
    ///
    /// # Errors
    /// One does not exist, or one is a folder and the other a file.
    pub fn named(place: &Place, old: &str, new: &str) -> Result<Self, SourceError> {
        Self::of(Side::named(place, old)?, Side::named(place, new)?)
    }

    /// Two sides of which nobody says who made the difference. Two single files are one file on two sides, whatever
    /// they are called.
    ///
    /// # Errors
    /// One is a folder and the other a file.
    pub fn of(mut base: Side, mut head: Side) -> Result<Self, SourceError> {
        match (&mut base.root, &mut head.root) {
            (Root::One(old), Root::One(new)) => old.path.clone_from(&new.path),
            (Root::One(one), Root::Given(files)) | (Root::Given(files), Root::One(one)) if files.len() <= 1 => {
                for file in files {
                    file.path.clone_from(&one.path);
                }
            }
            (Root::One(file), _) | (_, Root::One(file)) => {
                return Err(SourceError::FileAndFolder { file: escape(&file.name) });
            }
            _ => {}
        }
        Ok(Self { base, head, authors: None })
    }

    /// The wanted files of both sides.
    ///
    /// # Errors
    /// Every wanted path that cannot be read as it stands, on either side.
    pub fn files(&self, claims: &dyn Claims) -> Result<Files, Vec<Problem>> {
        let mut problems = Vec::new();
        let mut listed = |side: &Side| {
            let (entries, found) = side.list(claims);
            problems.extend(found);
            entries
        };
        let (base, head) = (listed(&self.base), listed(&self.head));
        for (here, there) in [(&base, &head), (&head, &base)] {
            problems.extend(entry::type_changes(here, there, claims));
        }
        let mut read = |side: &Side, entries| {
            let (files, found) = side.read(entries, claims);
            problems.extend(found);
            files
        };
        let files = Files { base: read(&self.base, base), head: read(&self.head, head) };
        problems.sort();
        problems.dedup();
        if problems.is_empty() { Ok(files) } else { Err(problems) }
    }
}

/// Where a command runs.
#[derive(Debug, Clone, Default)]
pub struct Place {
    /// The present folder; the repository is the one around it.
    pub folder: PathBuf,
    /// The index to use instead of the repository's (`GIT_INDEX_FILE`, set by git around hooks).
    pub index_file: Option<PathBuf>,
}

/// One side of a change.
pub struct Side {
    kind: &'static str,
    revision: Option<String>,
    root: Root,
}

enum Root {
    Tree {
        repository: Rc<Repository>,
        tree: git2::Oid,
    },
    /// `tree`: the tree that it is of, where there is one.
    Index {
        repository: Rc<Repository>,
        index: git2::Index,
        tree: Option<git2::Oid>,
    },
    WorkTree {
        root: PathBuf,
        index: git2::Index,
    },
    Folder(PathBuf),
    One(Box<One>),
    Given(Vec<File>),
}

/// A side that is a single file.
struct One {
    path: Vec<u8>,
    name: Vec<u8>,
    kind: Kind,
    repository: Option<Rc<Repository>>,
    /// The tree of the revision that it is in, and its path there.
    within: Option<(git2::Oid, Vec<u8>)>,
}

impl Side {
    /// A side whose files are given, for what is embedded in the program.
    #[must_use]
    pub const fn given(files: Vec<File>) -> Self {
        Self { kind: "files", revision: None, root: Root::Given(files) }
    }

    /// A side that was read of a running host: what it is called, and the files that say what is in force.
    #[must_use]
    pub fn live(name: &str, files: Vec<File>) -> Self {
        Self { kind: "live", revision: Some(name.to_owned()), root: Root::Given(files) }
    }

    /// What `text` names on its own: `REV:PATH` in the repository around `place`, or a path.
    ///
    /// # Errors
    /// There is no such thing.
    pub fn named(place: &Place, text: &str) -> Result<Self, SourceError> {
        let path = place.folder.join(text);
        if path.symlink_metadata().is_ok() {
            let mut side = Self::path(&path)?;
            side.revision = Some(text.to_owned());
            if let Root::One(one) = &mut side.root {
                one.name = text.into();
            }
            return Ok(side);
        }
        match text.split_once(':') {
            Some((revision, inside)) => {
                let repository = Rc::new(git::open(&place.folder)?);
                git::inside(&repository, revision, inside, &place.folder)
            }
            None => Err(SourceError::NoSuchPath { path: text.to_owned(), why: "there is no such file".to_owned() }),
        }
    }

    /// A file or folder, without git.
    ///
    /// # Errors
    /// It does not exist.
    pub fn path(path: &Path) -> Result<Self, SourceError> {
        let metadata = std::fs::metadata(path)
            .map_err(|why| SourceError::NoSuchPath { path: path.display().to_string(), why: why.to_string() })?;
        if metadata.is_dir() {
            return Ok(Self {
                kind: "files",
                revision: Some(path.display().to_string()),
                root: Root::Folder(path.to_owned()),
            });
        }
        let file = path.file_name().unwrap_or(path.as_os_str()).as_encoded_bytes().to_vec();
        let name = path.as_os_str().as_encoded_bytes().to_vec();
        let kind = disk::named(path, &metadata)
            .map_err(|why| SourceError::NoSuchPath { path: path.display().to_string(), why: why.to_string() })?;
        let one = One { path: file, name, kind, repository: None, within: None };
        Ok(Self { kind: "files", revision: Some(path.display().to_string()), root: Root::One(Box::new(one)) })
    }

    /// The work tree of the repository around `place`, untracked files included.
    ///
    /// # Errors
    /// There is no repository or no work tree there, or it cannot be trusted.
    pub fn work_tree(place: &Place) -> Result<Self, SourceError> {
        Self::checked_out(&Rc::new(git::open(&place.folder)?), place)
    }

    /// A commit, branch or tag of the repository around `place`.
    ///
    /// # Errors
    /// There is no repository or no such revision there, or it cannot be trusted.
    pub fn revision_of(place: &Place, revision: &str) -> Result<Self, SourceError> {
        Self::commit(&Rc::new(git::open(&place.folder)?), revision)
    }

    fn checked_out(repository: &Rc<Repository>, place: &Place) -> Result<Self, SourceError> {
        let root = repository.workdir().ok_or(SourceError::NoWorkTree)?.to_owned();
        let index = git::index(repository, place.index_file.as_deref())?;
        Ok(Self { kind: "work-tree", revision: None, root: Root::WorkTree { root, index } })
    }

    fn commit(repository: &Rc<Repository>, revision: &str) -> Result<Self, SourceError> {
        let (tree, id) = git::tree(repository, revision)?;
        let root = Root::Tree { repository: Rc::clone(repository), tree };
        Ok(Self { kind: "git", revision: Some(id.to_string()), root })
    }

    /// What kind of place it is: `git`, `merge`, `index`, `work-tree`, `files`, `live`.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        self.kind
    }

    /// The full id of its commit or tree; the path of files.
    #[must_use]
    pub fn revision(&self) -> Option<&str> {
        self.revision.as_deref()
    }

    /// The id of its tree, if it is one: of a commit, or of what merging gives.
    #[must_use]
    pub fn tree(&self) -> Option<String> {
        match &self.root {
            Root::Tree { repository: _, tree } | Root::Index { repository: _, index: _, tree: Some(tree) } => {
                Some(tree.to_string())
            }
            Root::Index { repository: _, index: _, tree: None }
            | Root::WorkTree { .. }
            | Root::Folder(_)
            | Root::One(_)
            | Root::Given(_) => None,
        }
    }

    /// The full id of the commit that it is; of a merge that was made to be judged, of the one that is merged into base.
    #[must_use]
    pub fn commit_id(&self) -> Option<&str> {
        match self.root {
            Root::Tree { .. } | Root::Index { .. } => self.revision(),
            Root::WorkTree { .. } | Root::Folder(_) | Root::One(_) | Root::Given(_) => None,
        }
    }

    /// What is around a single file, for what the file includes, and where the file is in it: the tree of the revision,
    /// or the folder on disk.
    #[must_use]
    pub fn around(&self) -> Option<(Self, Vec<u8>)> {
        let Root::One(one) = &self.root else { return None };
        let One { path, name: _, kind, repository, within } = &**one;
        let (root, path) = match (kind, repository, within) {
            (Kind::Disk(disk), _, _) => (Root::Folder(disk.parent()?.to_owned()), path.clone()),
            (_, Some(repository), Some((tree, path))) => {
                (Root::Tree { repository: Rc::clone(repository), tree: *tree }, path.clone())
            }
            (_, _, _) => return None,
        };
        Some((Self { kind: self.kind, revision: self.revision.clone(), root }, path))
    }

    /// Whether it is a single file.
    #[must_use]
    pub fn is_file(&self) -> bool {
        match &self.root {
            Root::One(_) => true,
            Root::Given(files) => files.len() == 1,
            Root::Tree { .. } | Root::Index { .. } | Root::WorkTree { .. } | Root::Folder(_) => false,
        }
    }

    /// What it is, in a few words.
    #[must_use]
    pub fn describe(&self) -> String {
        match (&self.root, self.revision()) {
            (Root::Tree { .. }, Some(id)) => format!("commit {}", id.get(..10).unwrap_or(id)),
            (Root::Index { .. }, Some(id)) => format!("commit {} merged into base", id.get(..10).unwrap_or(id)),
            (_, Some(path)) => escape(path.as_bytes()),
            (_, None) => self.kind.to_owned(),
        }
    }

    /// The folder in which its files can be changed, if they are on disk.
    #[must_use]
    pub fn folder(&self) -> Option<PathBuf> {
        match &self.root {
            Root::WorkTree { root, index: _ } => Some(root.clone()),
            Root::Folder(root) => Some(root.clone()),
            Root::Tree { .. } | Root::Index { .. } | Root::One(_) | Root::Given(_) => None,
        }
    }

    /// The wanted files, sorted by path.
    ///
    /// # Errors
    /// Every wanted path that cannot be read as it stands.
    pub fn files(&self, claims: &dyn Claims) -> Result<Vec<File>, Vec<Problem>> {
        let (files, problems) = self.readable(claims);
        if problems.is_empty() { Ok(files) } else { Err(problems) }
    }

    /// The wanted files that can be read, sorted by path, and why the others cannot: for whoever looks around, and judges
    /// nothing by it.
    #[must_use]
    pub fn readable(&self, claims: &dyn Claims) -> (Vec<File>, Vec<Problem>) {
        let (entries, mut problems) = self.list(claims);
        let (files, found) = self.read(entries, claims);
        problems.extend(found);
        (files, problems)
    }

    /// The paths that git knows of in a work tree; `None`: it is none, and everything in it counts.
    #[must_use]
    pub fn tracked(&self) -> Option<BTreeSet<Vec<u8>>> {
        match &self.root {
            Root::WorkTree { root: _, index } => Some(index.iter().map(|entry| entry.path).collect()),
            Root::Tree { .. } | Root::Index { .. } | Root::Folder(_) | Root::One(_) | Root::Given(_) => None,
        }
    }

    /// The file of exactly that path; `None`: there is none.
    ///
    /// # Errors
    /// There is something of that path that is not a file to be read.
    pub fn file(&self, path: &str) -> Result<Option<File>, Vec<Problem>> {
        struct Exactly<'a>(&'a [u8]);
        impl Claims for Exactly<'_> {
            fn file(&self, path: &[u8]) -> bool {
                path == self.0
            }
            fn below(&self, folder: &[u8]) -> bool {
                self.0.strip_prefix(folder).is_some_and(|rest| rest.starts_with(b"/"))
            }
        }
        Ok(self.files(&Exactly(path.as_bytes()))?.pop())
    }

    /// Everything that is there as far as something wanted can be in it, sorted by path, and what is wrong with it.
    fn list(&self, claims: &dyn Claims) -> (Vec<Entry>, Vec<Problem>) {
        let mut entries = entry::Entries::default();
        match &self.root {
            Root::Tree { repository, tree } => git::list_tree(repository, *tree, &[], claims, &mut entries),
            Root::Index { repository, index, tree: _ } => git::list_index(index, repository, &mut entries),
            Root::WorkTree { root, index } => {
                disk::list(root, &[], disk::Nested::Repositories, claims, &mut entries);
                git::amend_by_index(index, claims, &mut entries);
            }
            Root::Folder(root) => disk::list(root, &[], disk::Nested::Folders, claims, &mut entries),
            Root::One(one) => entries.push(Entry { path: one.path.clone(), kind: one.kind.clone() }),
            Root::Given(files) => {
                for file in files {
                    entries.push(Entry { path: file.path.clone(), kind: Kind::Given(file.bytes.clone()) });
                }
            }
        }
        let (mut entries, mut problems) = entries.finish();
        // What is beside the wanted files may link to files as it likes: only a folder can hide wanted ones.
        entries.retain(|Entry { path, kind }| match kind {
            Kind::Symlink(target) => claims.file(path) || !self.is_file_link(path, target),
            Kind::Blob(..)
            | Kind::Disk(_)
            | Kind::Given(_)
            | Kind::Folder
            | Kind::Submodule
            | Kind::Special(_)
            | Kind::Unmerged
            | Kind::Sparse => true,
        });
        entries.sort_by(|a, b| a.path.cmp(&b.path));
        problems.extend(entry::problems(&entries, claims));
        problems.extend(names::twins(&entries, claims));
        (entries, problems)
    }

    /// Whether a link leads to a file of this side, or on disk to any file.
    fn is_file_link(&self, path: &[u8], target: &[u8]) -> bool {
        let inside = || names::resolve(path, target);
        match &self.root {
            Root::Tree { repository, tree } => inside().is_some_and(|target| git::is_file(repository, *tree, &target)),
            Root::Index { index, .. } => inside().is_some_and(|target| git::is_indexed_file(index, &target)),
            Root::WorkTree { root, .. } | Root::Folder(root) => {
                std::str::from_utf8(path).is_ok_and(|path| root.join(path).is_file())
            }
            Root::One(_) | Root::Given(_) => false,
        }
    }

    fn read(&self, entries: Vec<Entry>, claims: &dyn Claims) -> (Vec<File>, Vec<Problem>) {
        let (mut files, mut problems) = (BTreeMap::new(), Vec::new());
        let left = Cell::new(MAX_SIDE_BYTES);
        let repository = match &self.root {
            Root::Tree { repository, .. } | Root::Index { repository, .. } => Some(repository),
            Root::One(one) => one.repository.as_ref(),
            Root::WorkTree { .. } | Root::Folder(_) | Root::Given(_) => None,
        };
        for Entry { path, kind } in entries {
            if !claims.file(&path) {
                continue;
            }
            let bytes = match (kind, repository) {
                (Kind::Blob(id, executable), Some(repository)) => {
                    git::blob(repository, id, &path, &left).map(|bytes| (bytes, executable))
                }
                (Kind::Disk(from), _) => disk::read(&from, &path, &left),
                (Kind::Given(bytes), _) => Ok((bytes, false)),
                // Not to be read: `entry::problems` has said so, or it is a folder, which no file is.
                (
                    Kind::Blob(..)
                    | Kind::Folder
                    | Kind::Symlink(_)
                    | Kind::Submodule
                    | Kind::Special(_)
                    | Kind::Unmerged
                    | Kind::Sparse,
                    _,
                ) => continue,
            };
            let whole = |(bytes, executable)| Ok((names::not_a_pointer(&path, bytes)?, executable));
            match bytes.and_then(whole) {
                Ok((bytes, executable)) => {
                    let name = match &self.root {
                        Root::One(one) => one.name.clone(),
                        Root::Given(given) => {
                            let own = given.iter().find(|file| file.path == path);
                            own.map_or_else(|| path.clone(), |file| file.name.clone())
                        }
                        Root::Tree { .. } | Root::Index { .. } | Root::WorkTree { .. } | Root::Folder(_) => {
                            path.clone()
                        }
                    };
                    files.insert(path.clone(), File { path, name, bytes, executable });
                }
                Err(problem) => problems.push(problem),
            }
        }
        (files.into_values().collect(), problems)
    }
}
