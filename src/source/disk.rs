use super::entry::{Entries, Entry, Kind};
use super::error::Problem;
use super::{Claims, MAX_FILE_BYTES};
use crate::text::escape;
use std::cell::Cell;
use std::fs::{self, Metadata};
use std::io::Read as _;
use std::path::Path;

/// What a folder with a repository of its own is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Nested {
    /// Not part of this one.
    Repositories,
    /// A folder like others.
    Folders,
}

/// Lists a folder as far as something wanted can be in it. Links are not followed.
pub(super) fn list(root: &Path, at: &[u8], nested: Nested, claims: &dyn Claims, entries: &mut Entries) {
    let unreadable = |why: std::io::Error| Problem::Unreadable { path: shown(at), why: why.to_string() };
    let folder = match fs::read_dir(root) {
        Ok(folder) => folder,
        Err(why) => return entries.problem(unreadable(why)),
    };
    for item in folder {
        if entries.is_full() {
            return;
        }
        let item = match item {
            Ok(item) => item,
            Err(why) => return entries.problem(unreadable(why)),
        };
        let name = item.file_name();
        // The repository itself; files of that name point to one.
        if name == ".git" {
            continue;
        }
        let path = join(at, name.as_encoded_bytes());
        let kind = match item.path().symlink_metadata() {
            Ok(metadata) => kind(&item.path(), &metadata),
            Err(why) => {
                entries.problem(Problem::Unreadable { path: shown(&path), why: why.to_string() });
                continue;
            }
        };
        let is_folder = matches!(kind, Kind::Folder);
        let own = is_folder && nested == Nested::Repositories && item.path().join(".git").symlink_metadata().is_ok();
        let kind = if own { Kind::Submodule } else { kind };
        let enter = is_folder && !own && claims.below(&path);
        entries.push(Entry { path: path.clone(), kind });
        if enter {
            list(&item.path(), &path, nested, claims, entries);
        }
    }
}

/// What is at a path, by what the file system says of it.
pub(super) fn kind(path: &Path, metadata: &Metadata) -> Kind {
    let kind = metadata.file_type();
    if kind.is_file() {
        Kind::Disk(path.to_owned())
    } else if kind.is_dir() {
        Kind::Folder
    } else if kind.is_symlink() {
        // Only shown: an unreadable link is as much of a problem as a readable one.
        let target = fs::read_link(path).map_or_else(|why| why.to_string().into(), |to| to.into_os_string());
        Kind::Symlink(target.into_encoded_bytes())
    } else {
        Kind::Special("not a regular file")
    }
}

/// What a path is that somebody named: there, links are followed, and pipes (`<(ssh host iptables-save)`) are read.
pub(super) fn named(path: &Path, metadata: &Metadata) -> std::io::Result<Kind> {
    if metadata.is_file() {
        return Ok(Kind::Disk(fs::canonicalize(path)?));
    }
    let bytes = read_at_most(path, MAX_FILE_BYTES)?;
    let fits = u64::try_from(bytes.len()).is_ok_and(|size| size <= MAX_FILE_BYTES);
    if fits { Ok(Kind::Given(bytes)) } else { Err(std::io::Error::other("it gives more than 1 GiB")) }
}

/// What a path gives, links and pipes followed: of more than `most` bytes one more than that, so that it shows.
///
/// # Errors
/// It cannot be read.
pub fn read_at_most(path: &Path, most: u64) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(most + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The content of a regular file, if it fits into what is `left` to be read, and whether it may be executed.
pub(super) fn read(from: &Path, path: &[u8], left: &Cell<u64>) -> Result<(Vec<u8>, bool), Problem> {
    let unreadable = |why: std::io::Error| Problem::Unreadable { path: escape(path), why: why.to_string() };
    let listed = fs::symlink_metadata(from).map_err(unreadable)?;
    fits(path, listed.len(), left)?;
    // Between listing and reading the file can have become something else, or longer.
    let file = fs::File::open(from).map_err(unreadable)?;
    let opened = file.metadata().map_err(unreadable)?;
    if !opened.is_file() || !same_file(&listed, &opened) {
        return Err(Problem::Special { path: escape(path), what: "changing while it is read" });
    }
    let mut bytes = Vec::with_capacity(usize::try_from(opened.len()).unwrap_or_default());
    file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    fits(path, size, left)?;
    left.set(left.get() - size);
    Ok((bytes, executable(&opened)))
}

/// Whether a file of that size is read.
pub(super) fn fits(path: &[u8], bytes: u64, left: &Cell<u64>) -> Result<(), Problem> {
    if bytes <= MAX_FILE_BYTES.min(left.get()) {
        Ok(())
    } else {
        Err(Problem::TooLarge { path: escape(path), bytes, limit: MAX_FILE_BYTES.min(left.get()) })
    }
}

#[cfg(unix)]
fn same_file(a: &Metadata, b: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    (a.dev(), a.ino()) == (b.dev(), b.ino())
}

#[cfg(unix)]
fn executable(metadata: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    metadata.mode() & 0o100 != 0
}

/// As git has it where the file system does not know.
#[cfg(not(unix))]
const fn executable(_: &Metadata) -> bool {
    false
}

#[cfg(not(unix))]
fn same_file(a: &Metadata, b: &Metadata) -> bool {
    a.file_type() == b.file_type()
}

fn join(folder: &[u8], name: &[u8]) -> Vec<u8> {
    if folder.is_empty() { name.to_vec() } else { [folder, name].join(&b'/') }
}

fn shown(path: &[u8]) -> String {
    if path.is_empty() { ".".to_owned() } else { escape(path) }
}
