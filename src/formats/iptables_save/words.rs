//! A command line cut into words as `iptables-restore` cuts it (iptables/xshared.c, `add_param_to_argv`).

use std::borrow::Cow;
use std::ops::Range;

/// One argument, without its quotes, and where it stands with them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Word<'t> {
    pub(super) text: Cow<'t, [u8]>,
    pub(super) start: usize,
    pub(super) end: usize,
}

impl Word<'_> {
    pub(super) const fn at(&self) -> Range<usize> {
        self.start..self.end
    }

    /// The text where it is ASCII, as every value with a meaning is.
    pub(super) fn ascii(&self) -> Option<&str> {
        std::str::from_utf8(&self.text).ok().filter(|text| text.is_ascii())
    }

    /// The text, safe to print on one line.
    pub(super) fn show(&self) -> Cow<'_, str> {
        crate::text::escaped(&self.text)
    }
}

/// Why a line cannot be cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Uncut {
    /// A quote is opened and never closed.
    OpenQuote(usize),
    /// An argument has 1,024 bytes or more.
    LongWord(usize),
    /// There are more than 255 arguments.
    ManyWords(usize),
    /// A NUL byte ends the line for the real program.
    Nul(usize),
}

const LONGEST_WORD: usize = 1023;
const MOST_WORDS: usize = 250;

/// The words of `text[start..end]`, appended to `words`. Blank and tab part them; a double quote begins a quoted part, in which a
/// backslash makes the next byte ordinary, and the closing quote ends the word.
pub(super) fn cut<'t>(text: &'t [u8], start: usize, end: usize, words: &mut Vec<Word<'t>>) -> Result<(), Uncut> {
    let mut at = start;
    while let Some(skip) = text[at..end].iter().position(|b| !matches!(b, b' ' | b'\t')) {
        at += skip;
        let begin = at;
        let plain = text[at..end].iter().position(|b| matches!(b, b' ' | b'\t' | b'"' | 0)).map_or(end, |n| at + n);
        let word = match text[..end].get(plain) {
            Some(0) => return Err(Uncut::Nul(plain)),
            Some(b'"') => {
                let (word, after) = quoted(text, plain, end).ok_or(Uncut::OpenQuote(plain))?;
                at = after;
                let text = if begin == plain { word } else { Cow::Owned([&text[begin..plain], &word].concat()) };
                Word { text, start: begin, end: at }
            }
            Some(_) | None => {
                at = plain;
                Word { text: Cow::Borrowed(&text[begin..plain]), start: begin, end: plain }
            }
        };
        if word.text.len() > LONGEST_WORD {
            return Err(Uncut::LongWord(begin));
        }
        if words.len() == MOST_WORDS {
            return Err(Uncut::ManyWords(begin));
        }
        words.push(word);
    }
    Ok(())
}

/// The quoted part that begins with the quote at `open`, and the byte after its closing quote.
fn quoted(text: &[u8], open: usize, end: usize) -> Option<(Cow<'_, [u8]>, usize)> {
    let body = &text[open + 1..end];
    let first = body.iter().position(|b| matches!(b, b'"' | b'\\'))?;
    if body[first] == b'"' {
        return Some((Cow::Borrowed(&body[..first]), open + 1 + first + 1));
    }
    let mut out = Vec::with_capacity(body.len());
    let mut escaped = false;
    for (n, byte) in body.iter().enumerate() {
        match byte {
            _ if escaped => {
                out.push(*byte);
                escaped = false;
            }
            b'\\' => escaped = true,
            b'"' => return Some((Cow::Owned(out), open + 1 + n + 1)),
            _ => out.push(*byte),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        let mut out = Vec::new();
        cut(line.as_bytes(), 0, line.len(), &mut out).expect("can be cut");
        out.iter().map(|word| word.show().into_owned()).collect()
    }

    #[test]
    fn quotes_keep_blanks_and_their_end_ends_the_word() {
        assert_eq!(
            words(" -m \t comment --comment \"a \\\"b\\\" c\"  -j X "),
            ["-m", "comment", "--comment", "a \"b\" c", "-j", "X"]
        );
        assert_eq!(words("a\"b c\"d \"\""), ["ab c", "d", ""]);
    }

    #[test]
    fn a_quote_that_never_ends_is_told() {
        let line = b"-m comment \"a";
        assert_eq!(cut(line, 0, line.len(), &mut Vec::new()), Err(Uncut::OpenQuote(11)));
    }
}
