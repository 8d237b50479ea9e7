//! Texts that are generated, and compared with what is in the repository.

use std::fs;
use std::path::Path;

/// Demands that a file holds that text; with `BLESS=1` makes it so.
pub(crate) fn compare(path: &Path, text: &str) {
    let there = fs::read_to_string(path).unwrap_or_default();
    if there == text {
        return;
    }
    let blessing = std::env::var_os("BLESS").is_some();
    assert!(blessing, "{} is out of date; write it with BLESS=1 and read the difference:\n{text}", path.display());
    fs::write(path, text).expect("written");
}
