use super::entry::{Entries, Entry, Kind};
use super::error::{Problem, SourceError};
use super::{Claims, One, Root, Side, disk, names};
use crate::text::escape;
use git2::{ErrorCode, Index, ObjectType, Oid, Repository};
use std::cell::Cell;
use std::path::Path;
use std::rc::Rc;

const FILE_TYPE: u32 = 0o170_000;
const LINK: u32 = 0o120_000;
const SUBMODULE: u32 = 0o160_000;
const FOLDER: u32 = 0o040_000;
const REGULAR: u32 = 0o100_000;
/// The one permission that git keeps.
const OWNER_EXECUTES: u32 = 0o100;

/// The repository around a folder, if what it shows can be trusted to be what it stores.
pub(super) fn open(folder: &Path) -> Result<Repository, SourceError> {
    let at = || folder.canonicalize().unwrap_or_else(|_| folder.to_owned()).display().to_string();
    let repository = Repository::discover(folder).map_err(|why| {
        if why.code() == ErrorCode::NotFound {
            SourceError::NoRepository { folder: at() }
        } else if why.code() == ErrorCode::Owner {
            SourceError::Owner { folder: at() }
        } else {
            damaged(&why)
        }
    })?;
    let mut replaced = repository.references_glob("refs/replace/*").map_err(|why| damaged(&why))?;
    if let Some(reference) = replaced.next() {
        let reference = reference.map_err(|why| damaged(&why))?;
        return Err(SourceError::Replaced { what: escape(reference.name_bytes()) });
    }
    drop(replaced);
    if repository.commondir().join("info/grafts").symlink_metadata().is_ok() {
        return Err(SourceError::Replaced { what: "info/grafts".to_owned() });
    }
    Ok(repository)
}

/// The index, as it is on disk now.
pub(super) fn index(repository: &Repository, other: Option<&Path>) -> Result<Index, SourceError> {
    let index = match other {
        Some(path) => Index::open(path),
        None => repository.index(),
    };
    let unreadable = |why: git2::Error| SourceError::Index { why: why.message().to_owned() };
    let mut index = index.map_err(unreadable)?;
    index.read(true).map_err(unreadable)?;
    Ok(index)
}

/// The tree of a revision, and its full id: of the commit, if it is one.
pub(super) fn tree(repository: &Repository, revision: &str) -> Result<(Oid, Oid), SourceError> {
    let missing = |why: git2::Error| {
        if revision == "HEAD" && matches!(why.code(), ErrorCode::UnbornBranch | ErrorCode::NotFound) {
            SourceError::NoCommit
        } else if repository.is_shallow() {
            SourceError::Shallow { revision: revision.to_owned() }
        } else {
            SourceError::NoRevision { revision: revision.to_owned(), why: why.message().to_owned() }
        }
    };
    let object = repository.revparse_single(revision).map_err(missing)?;
    let id = object.peel(ObjectType::Commit).map_or_else(|_| object.id(), |commit| commit.id());
    let tree = object.peel_to_tree().map_err(missing)?;
    Ok((tree.id(), id))
}

/// Who is set up to make the next commit.
pub(super) fn user(repository: &Repository) -> Option<Vec<String>> {
    names(&repository.signature().ok()?)
}

/// Who made the commits of `head` that `base` has not; `None` where that cannot be found out, or where there are none.
pub(super) fn authors(repository: &Repository, base: &str, head: &str) -> Option<Vec<String>> {
    let id = |revision| repository.revparse_single(revision).and_then(|o| o.peel_to_commit()).map(|c| c.id()).ok();
    let mut walk = repository.revwalk().ok()?;
    walk.push(id(head)?).ok()?;
    walk.hide(id(base)?).ok()?;
    let mut all = Vec::new();
    for commit in walk {
        let commit = repository.find_commit(commit.ok()?).ok()?;
        all.extend(names(&commit.author())?);
        all.extend(names(&commit.committer())?);
    }
    all.sort();
    all.dedup();
    (!all.is_empty()).then_some(all)
}

fn names(signature: &git2::Signature<'_>) -> Option<Vec<String>> {
    let text = |bytes: &[u8]| std::str::from_utf8(bytes).ok().map(ToOwned::to_owned);
    Some(vec![text(signature.name_bytes())?, text(signature.email_bytes())?])
}

/// The side that `REVISION:PATH` names; a path that begins with `./` is relative to `folder`, as in git.
pub(super) fn inside(
    repository: &Rc<Repository>,
    revision: &str,
    path: &str,
    folder: &Path,
) -> Result<Side, SourceError> {
    let (tree, id) = tree(repository, revision)?;
    let name = format!("{revision}:{path}");
    let missing = |why: &str| SourceError::NoSuchPath { path: name.clone(), why: why.to_owned() };
    let whole = match path.strip_prefix("./") {
        Some(rest) => [below_root(repository, folder).ok_or_else(|| missing("there is no work tree"))?, rest.into()]
            .iter()
            .filter(|part| !part.is_empty())
            .cloned()
            .collect::<Vec<_>>()
            .join("/"),
        None => path.to_owned(),
    };
    let whole = whole.trim_matches('/');
    let revision = Some(id.to_string());
    let of_tree = |tree| Root::Tree { repository: Rc::clone(repository), tree };
    if whole.is_empty() {
        return Ok(Side { kind: "git", revision, root: of_tree(tree) });
    }
    let root = tree;
    let tree = repository.find_tree(root).map_err(|why| damaged(&why))?;
    let entry = tree.get_path(Path::new(whole)).map_err(|_| missing("there is no such path in that revision"))?;
    let kind = kind_of(repository, mode(entry.filemode_raw()), entry.id());
    let root = if matches!(kind, Kind::Folder) {
        of_tree(entry.id())
    } else {
        let path = entry.name_bytes().to_vec();
        let (name, repository) = (name.into_bytes(), Some(Rc::clone(repository)));
        Root::One(Box::new(One { path, name, kind, repository, within: Some((root, whole.as_bytes().to_vec())) }))
    };
    Ok(Side { kind: "git", revision, root })
}

fn below_root(repository: &Repository, folder: &Path) -> Option<String> {
    let root = repository.workdir()?.canonicalize().ok()?;
    let folder = folder.canonicalize().ok()?;
    folder.strip_prefix(root).ok()?.to_str().map(ToOwned::to_owned)
}

/// Lists a tree as far as something wanted can be in it.
pub(super) fn list_tree(repository: &Repository, tree: Oid, at: &[u8], claims: &dyn Claims, entries: &mut Entries) {
    let tree = match repository.find_tree(tree) {
        Ok(tree) => tree,
        Err(why) => {
            let path = if at.is_empty() { ".".to_owned() } else { escape(at) };
            return entries.problem(Problem::Unreadable { path, why: why.message().to_owned() });
        }
    };
    for entry in &tree {
        if entries.is_full() {
            return;
        }
        let name = entry.name_bytes();
        let path = if at.is_empty() { name.to_vec() } else { [at, name].join(&b'/') };
        if name.contains(&b'/') {
            entries.problem(Problem::Crafted { path: escape(&path) });
            continue;
        }
        let kind = kind_of(repository, mode(entry.filemode_raw()), entry.id());
        let enter = matches!(kind, Kind::Folder) && !names::is_crafted(&path) && claims.below(&path);
        if enter && path.len() > names::MAX_PATH {
            entries.problem(Problem::LongName { path: escape(&path[..80]), bytes: path.len() });
            continue;
        }
        entries.push(Entry { path: path.clone(), kind });
        if enter {
            list_tree(repository, entry.id(), &path, claims, entries);
        }
    }
}

/// Whether a tree has a regular file at that path.
pub(super) fn is_file(repository: &Repository, tree: Oid, path: &str) -> bool {
    let entry = repository.find_tree(tree).and_then(|tree| tree.get_path(Path::new(path)));
    entry.is_ok_and(|entry| mode(entry.filemode_raw()) & FILE_TYPE == REGULAR)
}

/// Whether the index has a regular file at that path.
pub(super) fn is_indexed_file(index: &Index, path: &str) -> bool {
    index.get_path(Path::new(path), 0).is_some_and(|entry| entry.mode & FILE_TYPE == REGULAR)
}

/// Lists the index.
pub(super) fn list_index(index: &Index, repository: &Repository, entries: &mut Entries) {
    for entry in index.iter() {
        // `git add -N`: not part of the next commit.
        let intended = entry.flags_extended & git2::IndexEntryExtendedFlag::INTENT_TO_ADD.bits() != 0;
        // A conflict is one entry a version.
        let again = stage(&entry) != 0 && entries.last().is_some_and(|last| last.path == entry.path);
        if !intended && !again {
            let kind = if stage(&entry) == 0 { kind_of(repository, entry.mode, entry.id) } else { Kind::Unmerged };
            entries.push(Entry { path: entry.path, kind });
        }
    }
}

/// Says what only the index knows of a work tree: links, submodules, conflicts, and files that are left out.
pub(super) fn amend_by_index(index: &Index, claims: &dyn Claims, entries: &mut Entries) {
    let mut amended: Vec<Entry> = Vec::new();
    let listed = entries.paths();
    for entry in index.iter() {
        let (file, below) = (claims.file(&entry.path), claims.below(&entry.path));
        if !file && !below {
            continue;
        }
        let there = listed.contains(entry.path.as_slice());
        let skipped = entry.flags_extended & git2::IndexEntryExtendedFlag::SKIP_WORKTREE.bits() != 0;
        let kind = match entry.mode & FILE_TYPE {
            SUBMODULE => Kind::Submodule,
            _ if stage(&entry) != 0 => Kind::Unmerged,
            // Without `core.symlinks` a link is checked out as a file that holds its target.
            LINK if there => Kind::Symlink(b"elsewhere".to_vec()),
            _ if skipped && !there => Kind::Sparse,
            _ => continue,
        };
        if amended.last().is_none_or(|last| last.path != entry.path) {
            amended.push(Entry { path: entry.path, kind });
        }
    }
    drop(listed);
    entries.replace(amended);
}

/// The content of a blob, if it fits into what is `left` to be read. Its size is looked up before it is read.
pub(super) fn blob(repository: &Repository, id: Oid, path: &[u8], left: &Cell<u64>) -> Result<Vec<u8>, Problem> {
    let unreadable = |why: git2::Error| Problem::Unreadable { path: escape(path), why: why.message().to_owned() };
    let objects = repository.odb().map_err(unreadable)?;
    let (size, kind) = objects.read_header(id).map_err(unreadable)?;
    let size = u64::try_from(size).unwrap_or(u64::MAX);
    disk::fits(path, size, left)?;
    if kind != ObjectType::Blob {
        return Err(Problem::Special { path: escape(path), what: "not a file in the object database" });
    }
    let bytes = repository.find_blob(id).map_err(unreadable)?.content().to_vec();
    left.set(left.get() - size);
    Ok(bytes)
}

fn kind_of(repository: &Repository, mode: u32, id: Oid) -> Kind {
    match mode & FILE_TYPE {
        REGULAR => Kind::Blob(id, mode & OWNER_EXECUTES != 0),
        FOLDER => Kind::Folder,
        SUBMODULE => Kind::Submodule,
        // Only shown: a link whose target cannot be read is as much of a problem.
        LINK => Kind::Symlink(repository.find_blob(id).map_or_else(|_| b"?".to_vec(), |blob| blob.content().to_vec())),
        _ => Kind::Special("an entry of an unknown mode"),
    }
}

fn mode(raw: i32) -> u32 {
    u32::try_from(raw).unwrap_or_default()
}

/// Which version of a conflict an entry is; 0: there is no conflict.
pub(super) const fn stage(entry: &git2::IndexEntry) -> u16 {
    (entry.flags >> 12) & 3
}

pub(super) fn damaged(why: &git2::Error) -> SourceError {
    SourceError::Repository { why: why.message().to_owned() }
}
