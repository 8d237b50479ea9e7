use super::Claims;
use super::entry::Entry;
use super::error::Problem;
use crate::text::escape;
use std::collections::BTreeMap;
use unicode_normalization::UnicodeNormalization as _;

/// The longest path that Linux opens.
pub(super) const MAX_PATH: usize = 4096;

/// Whether git itself would never make such a path: it leaves the folder it is in, or names the repository.
pub(super) fn is_crafted(path: &[u8]) -> bool {
    path.split(|byte| *byte == b'/')
        .any(|part| matches!(part, b"" | b"." | b"..") || part.eq_ignore_ascii_case(b".git"))
}

/// Where a link leads within its side; `None`: out of it.
pub(super) fn resolve(link: &[u8], target: &[u8]) -> Option<String> {
    let (link, target) = (std::str::from_utf8(link).ok()?, std::str::from_utf8(target).ok()?);
    let mut parts: Vec<&str> = link.split('/').collect();
    parts.pop();
    for part in target.split('/') {
        match part {
            "" if parts.is_empty() || target.starts_with('/') => return None,
            "" | "." => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// What is wrong with the name of a wanted file.
pub(super) fn of_file(path: &[u8]) -> Option<Problem> {
    let shown = || escape(path);
    if std::str::from_utf8(path).is_err() {
        Some(Problem::NotUtf8 { path: shown() })
    } else if path.contains(&b'\\') {
        Some(Problem::Backslash { path: shown() })
    } else if path.len() > MAX_PATH {
        Some(Problem::LongName { path: escape(&path[..80]), bytes: path.len() })
    } else {
        None
    }
}

/// Wanted files, or folders of wanted files, that are one with another on a file system that does not tell case,
/// Unicode normal forms or trailing dots and blanks apart.
pub(super) fn twins(entries: &[Entry], claims: &dyn Claims) -> Vec<Problem> {
    let mut wanted: BTreeMap<Vec<u8>, &[u8]> = BTreeMap::new();
    let mut found = Vec::new();
    for entry in entries.iter().filter(|entry| claims.file(&entry.path)) {
        for prefix in prefixes(&entry.path) {
            let first = *wanted.entry(fold(prefix)).or_insert(prefix);
            found.extend((first != prefix).then_some((first, prefix)));
        }
    }
    for entry in entries.iter().filter(|entry| !claims.file(&entry.path)) {
        for prefix in prefixes(&entry.path) {
            let same = wanted.get(&fold(prefix)).filter(|first| **first != prefix);
            found.extend(same.map(|first| (*first, prefix)));
        }
    }
    found.sort_unstable();
    found.dedup();
    found.into_iter().map(|(path, twin)| Problem::Twins { path: escape(path), twin: escape(twin) }).collect()
}

/// A path and every folder above it.
fn prefixes(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    let slashes = path.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(at, _)| at);
    slashes.chain([path.len()]).filter_map(|end| path.get(..end))
}

/// Equal for paths that some file system takes for the same. Bytes that are not UTF-8 stay.
fn fold(path: &[u8]) -> Vec<u8> {
    let parts = path.split(|byte| *byte == b'/').map(|part| {
        if part.is_ascii() {
            return trim(&part.to_ascii_lowercase()).to_vec();
        }
        match std::str::from_utf8(part) {
            Ok(text) => {
                // Twice: lowering can undo a normal form, and upper-casing first folds such as ß and SS.
                let folded: String = text.nfkc().flat_map(char::to_uppercase).flat_map(char::to_lowercase).collect();
                trim(folded.nfkc().collect::<String>().as_bytes()).to_vec()
            }
            Err(_) => part.to_vec(),
        }
    });
    parts.collect::<Vec<_>>().join(&b'/')
}

fn trim(part: &[u8]) -> &[u8] {
    let end = part.iter().rposition(|byte| !matches!(byte, b'.' | b' ')).map_or(0, |at| at + 1);
    &part[..end]
}

/// Gives the bytes back unless they stand for a file that git-lfs keeps elsewhere.
pub(super) fn not_a_pointer(path: &[u8], bytes: Vec<u8>) -> Result<Vec<u8>, Problem> {
    let start = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes).trim_ascii_start();
    let is_pointer = start.starts_with(b"version https://git-lfs.") || start.starts_with(b"version https://hawser.");
    if is_pointer { Err(Problem::LfsPointer { path: escape(path) }) } else { Ok(bytes) }
}
