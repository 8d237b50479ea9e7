use crate::text::{escape, hex};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;

const DOMAIN: &[u8] = b"portcullis-closure-v1\0";
const PLAIN: u32 = 0o100_644;
const EXECUTABLE: u32 = 0o100_755;

/// Every file that is opened where a change is put into force, with its mode as git has it and its content: what a
/// review is bound to. No file is part of it that is not opened, and no order, name of a commit or time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Closure {
    files: BTreeMap<Vec<u8>, ClosureFile>,
}

/// What is bound of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClosureFile {
    /// Its mode as git has it: 0o100644, or 0o100755 if it may be executed.
    pub mode: u32,
    /// The SHA-256 of its content.
    pub sha256: [u8; 32],
}

impl Closure {
    /// Adds a file. A path is there once: it is one file of one tree.
    pub fn add(&mut self, path: &[u8], executable: bool, bytes: &[u8]) {
        let mode = if executable { EXECUTABLE } else { PLAIN };
        self.files.insert(path.to_vec(), ClosureFile { mode, sha256: Sha256::digest(bytes).into() });
    }

    /// The files, sorted by the bytes of their paths.
    pub fn files(&self) -> impl Iterator<Item = (&[u8], ClosureFile)> {
        self.files.iter().map(|(path, file)| (path.as_slice(), *file))
    }

    /// Whether nothing is opened at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// SHA-256 over `portcullis-closure-v1\0` and, for each file: the length of its path (8 bytes, big-endian), its
    /// path, its mode (4 bytes, big-endian), the SHA-256 of its content. In hexadecimal.
    #[must_use]
    pub fn digest(&self) -> String {
        let mut all = Sha256::new_with_prefix(DOMAIN);
        for (path, ClosureFile { mode, sha256 }) in self.files() {
            all.update(u64::try_from(path.len()).expect("lengths have 64 bits").to_be_bytes());
            all.update(path);
            all.update(mode.to_be_bytes());
            all.update(sha256);
        }
        hex(&all.finalize())
    }

    /// What `other` has otherwise, a sentence a file: `edge/main.nft differs`.
    #[must_use]
    pub fn differences(&self, other: &Self) -> Vec<String> {
        let paths: std::collections::BTreeSet<&Vec<u8>> = self.files.keys().chain(other.files.keys()).collect();
        let difference = |path: &Vec<u8>| {
            let shown = escape(path);
            match (self.files.get(path), other.files.get(path)) {
                (Some(_), None) => Some(format!("{shown} is missing")),
                (None, Some(_)) => Some(format!("{shown} is extra")),
                (Some(mine), Some(theirs)) if mine.sha256 != theirs.sha256 => Some(format!("{shown} differs")),
                (Some(mine), Some(theirs)) if mine.mode != theirs.mode => {
                    Some(format!("{shown} has the mode {:o} and had {:o}", theirs.mode, mine.mode))
                }
                (Some(_), Some(_)) | (None, None) => None,
            }
        };
        paths.into_iter().filter_map(difference).collect()
    }
}

impl FromIterator<(Vec<u8>, ClosureFile)> for Closure {
    fn from_iter<T: IntoIterator<Item = (Vec<u8>, ClosureFile)>>(files: T) -> Self {
        Self { files: files.into_iter().collect() }
    }
}
