/// How many lines a text has up to each place, for turning byte offsets into lines and columns.
#[derive(Debug)]
pub struct LineIndex {
    /// How many ends of lines stand before each block.
    before: Vec<u32>,
}

/// So many bytes are a block. Where few places are asked for, an index of every line would cost more than they do.
const BLOCK: usize = 1 << 12;

impl LineIndex {
    /// Scans the text once.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Self {
        let mut before = vec![0];
        let mut count = 0;
        for block in bytes.chunks(BLOCK) {
            count += memchr::memchr_iter(b'\n', block).count();
            before.push(narrow(count));
        }
        Self { before }
    }

    /// Line and column of a byte, both from 1; the column counts characters.
    #[must_use]
    pub fn position(&self, bytes: &[u8], offset: u32) -> (u32, u32) {
        let offset = offset as usize;
        let all = &bytes[..offset.min(bytes.len())];
        let block = all.len() / BLOCK;
        let line = self.before[block] + narrow(memchr::memchr_iter(b'\n', &all[block * BLOCK..]).count()) + 1;
        let start = memchr::memrchr(b'\n', all).map_or(0, |end| end + 1);
        let text = bytes.get(start..offset).unwrap_or_default();
        let column = text.iter().filter(|b| (**b & 0xc0) != 0x80).count() + 1;
        (line, narrow(column))
    }
}

fn narrow(n: usize) -> u32 {
    u32::try_from(n).expect("sources are smaller than 4 GiB")
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_has_as_many_lines_before_it_as_ends_of_lines() {
        let text: Vec<u8> = (0..BLOCK * 3).map(|n| if n % 7 == 0 || n == BLOCK + 1 { b'\n' } else { b'x' }).collect();
        for length in [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, BLOCK * 3] {
            let text = &text[..length];
            let index = LineIndex::new(text);
            let (mut line, mut column) = (1, 1);
            for (n, byte) in (0..).zip(text) {
                assert_eq!(index.position(text, n), (line, column), "{n} of {length}");
                (line, column) = if *byte == b'\n' { (line + 1, 1) } else { (line, column + 1) };
            }
            assert_eq!(index.position(text, narrow(length)), (line, column), "the end of {length}");
            assert_eq!(index.position(text, narrow(length) + 1), (line, 1), "behind {length}");
        }
    }
}
