/// Where each line of a text starts, for turning byte offsets into lines and columns.
#[derive(Debug)]
pub struct LineIndex {
    starts: Vec<u32>,
}

impl LineIndex {
    /// Scans the text once.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Self {
        let mut starts = vec![0];
        starts.extend(
            memchr::memchr_iter(b'\n', bytes).map(|n| u32::try_from(n + 1).expect("sources are smaller than 4 GiB")),
        );
        Self { starts }
    }

    /// Line and column of a byte, both from 1; the column counts characters.
    #[must_use]
    pub fn position(&self, bytes: &[u8], offset: u32) -> (u32, u32) {
        let line = self.starts.partition_point(|start| *start <= offset).max(1);
        let start = self.starts[line - 1];
        let text = bytes.get(start as usize..offset as usize).unwrap_or_default();
        let column = text.iter().filter(|b| (**b & 0xc0) != 0x80).count() + 1;
        let narrow = |n| u32::try_from(n).expect("sources are smaller than 4 GiB");
        (narrow(line), narrow(column))
    }
}

/// The lines of a text with the offset of each, without their line endings (`\n` or `\r\n`).
pub fn lines(bytes: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let rest = bytes.get(at..).filter(|rest| !rest.is_empty())?;
        let start = at;
        let line = match memchr::memchr(b'\n', rest) {
            Some(n) => {
                at += n + 1;
                &rest[..n]
            }
            None => {
                at = bytes.len();
                rest
            }
        };
        Some((start, line.strip_suffix(b"\r").unwrap_or(line)))
    })
}
