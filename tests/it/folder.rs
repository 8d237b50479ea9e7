//! Folders of files, for tests.

use std::fs;
use std::path::Path;
use tempfile::TempDir;

/// A folder of its own with those files.
pub(crate) fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = TempDir::new().expect("a folder");
    write(folder.path(), files);
    folder
}

/// Writes files below a folder, and the folders that they are in.
pub(crate) fn write(folder: &Path, files: &[(&str, &str)]) {
    for (name, text) in files {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        fs::write(path, text).expect("written");
    }
}
