//! Passwords: they are told apart, and never shown.

use super::lex::{Line, joined};
use crate::text::{Span, hex};
use sha2::{Digest as _, Sha256};

/// Where a line has a password, and how many bytes of the word are shown all the same.
pub(super) fn place(line: &Line) -> Option<(usize, usize)> {
    match (line.text(0), line.text(1), line.text(2)) {
        ("user", _, "password" | "insecure-password") => line.words.get(3).map(|_| (3, 0)),
        ("dynamic-cookie-key", _, _) => line.words.get(1).map(|_| (1, 0)),
        ("stats", "auth", _) => line.words.get(2).map(|word| (2, word.text.find(':').map_or(0, |at| at + 1))),
        _ => None,
    }
}

/// The place of the word that has one.
pub(super) fn span(line: &Line) -> Option<Span> {
    place(line).and_then(|(at, _)| line.words.get(at)).map(|word| word.at)
}

/// The line with a mark for its password, which is another one for every other password that somebody could find.
pub(super) fn shown(line: &Line) -> Option<String> {
    let (at, open) = place(line)?;
    let mut words = line.words.clone();
    let word = words.get_mut(at)?;
    let digest = Sha256::digest(word.text.as_bytes());
    let (before, _) = word.text.split_at_checked(open)?;
    word.text = format!("{before}******#{}", hex(digest.get(..8)?));
    Some(joined(&words))
}
