//! Texts compared without a call: where they are short that takes longer than the comparison, and the C library's may go
//! byte by byte (musl's does).

/// Whether two texts are equal.
#[must_use]
#[inline]
pub fn same(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    match a.len() {
        16.. => same_words::<16>(a, b),
        8..16 => same_words::<8>(a, b),
        4..8 => same_words::<4>(a, b),
        0..4 => a.iter().eq(b),
    }
}

/// What stands behind a beginning of a text.
#[must_use]
#[inline]
pub fn behind<'t>(beginning: &[u8], text: &'t [u8]) -> Option<&'t [u8]> {
    let (start, rest) = text.split_at_checked(beginning.len())?;
    same(start, beginning).then_some(rest)
}

/// The last word may overlap the one before it.
#[inline]
fn same_words<const WORD: usize>(a: &[u8], b: &[u8]) -> bool {
    let whole = a.as_chunks::<WORD>().0.iter().zip(b.as_chunks::<WORD>().0);
    a.last_chunk::<WORD>() == b.last_chunk() && whole.into_iter().all(|(a, b)| a == b)
}

#[cfg(test)]
mod tests {
    use super::{behind, same};

    #[test]
    fn each_byte_of_each_length_counts() {
        let text: Vec<u8> = (0..100).collect();
        for length in 0..text.len() {
            let text = &text[..length];
            assert!(same(text, text) && behind(text, text) == Some(b""));
            assert_eq!(behind(text, &[text, b"rest"].concat()), Some(&b"rest"[..]));
            for wrong in 0..length {
                let mut other = text.to_vec();
                other[wrong] ^= 1;
                assert!(!same(text, &other) && behind(text, &other).is_none());
                assert!(!same(text, &text[..wrong]) && behind(text, &text[..wrong]).is_none());
            }
        }
    }
}
