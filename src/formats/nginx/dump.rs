//! The output of `nginx -T`: the texts of all files of a configuration, each behind a line with its name.

use crate::text::lines;

const MARK: &[u8] = b"# configuration file ";

/// Whether a text is the output of `nginx -T`.
pub(super) fn is_one(text: &[u8]) -> bool {
    lines(text).take(8).any(|(_, line)| line.starts_with(MARK))
}

/// Each file: its name, and where its text begins and ends.
pub(super) fn parts(text: &[u8]) -> Vec<(Vec<u8>, std::ops::Range<usize>)> {
    let mut out: Vec<(Vec<u8>, std::ops::Range<usize>)> = Vec::new();
    for (at, line) in lines(text) {
        let Some(name) = line.strip_prefix(MARK).and_then(|name| name.trim_ascii_end().strip_suffix(b":")) else {
            continue;
        };
        if let Some((_, last)) = out.last_mut() {
            last.end = at;
        }
        let start = (at + line.len() + 1).min(text.len());
        out.push((name.to_vec(), start..text.len()));
    }
    out
}
