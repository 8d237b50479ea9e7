//! Lines and words, as HAProxy cuts them (configuration manual, 2.2 and 2.3).

use crate::text::{SourceId, Span, escape};
use std::cell::Cell;
use std::collections::BTreeMap;

/// More words than this on a line are refused.
const MOST_WORDS: usize = 64;

/// A word of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Word {
    /// What it says, without quotes and escapes. What comes from the environment stands there as it is written.
    pub(super) text: String,
    /// Whether a part of it comes from the environment, or is no text.
    pub(super) unknown: bool,
    /// Where it stands.
    pub(super) at: Span,
}

/// A line with its words.
#[derive(Debug, Clone)]
pub(super) struct Line {
    pub(super) words: Vec<Word>,
    /// From the first word to the last.
    pub(super) at: Span,
    /// The comment at its end.
    pub(super) comment: Option<Span>,
    /// Why HAProxy refuses it.
    pub(super) refused: Option<String>,
}

/// What is known of the environment: what the file itself sets.
#[derive(Debug, Clone, Default)]
pub(super) struct Environment(pub(super) BTreeMap<String, String>, Cell<usize>);

/// More than this many bytes are not made of variables: each may hold others many times.
const MOST_EXPANDED: usize = 1 << 22;

/// Cuts a line, which begins at an offset of its file.
pub(super) fn line(source: SourceId, offset: usize, text: &[u8], environment: &Environment) -> Line {
    let span = |start: usize, end: usize| {
        let narrow = |n: usize| u32::try_from(offset + n).expect("sources are smaller than 4 GiB");
        Span { source, start: narrow(start), end: narrow(end) }
    };
    let mut cut = Cut { text, at: 0, environment, word: None, unknown: false, refused: None };
    let (mut words, mut comment) = (Vec::new(), None);
    loop {
        cut.at += text[cut.at..].iter().take_while(|byte| is_blank(**byte)).count();
        let start = cut.at;
        match text.get(start) {
            None => break,
            Some(b'#') => {
                let end = start + text[start..].trim_ascii_end().len();
                comment = Some(span(start, end));
                break;
            }
            Some(_) => {}
        }
        cut.word();
        let bytes = cut.word.take().unwrap_or_default();
        let unknown = std::mem::take(&mut cut.unknown);
        match String::from_utf8(bytes) {
            Ok(text) => words.push(Word { text, unknown, at: span(start, cut.at) }),
            Err(error) => {
                // Such a text is shown, and nothing is made of it.
                let text = escape(error.as_bytes());
                words.push(Word { text, unknown: true, at: span(start, cut.at) });
            }
        }
    }
    if words.len() > MOST_WORDS {
        cut.refused.get_or_insert_with(|| format!("too many words: HAProxy refuses more than {MOST_WORDS} on a line"));
    }
    let at = match (words.first(), words.last()) {
        (Some(first), Some(last)) => Span { end: last.at.end, ..first.at },
        (_, _) => span(0, 0),
    };
    Line { words, at, comment, refused: cut.refused }
}

const fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\x0b' | b'\x0c')
}

struct Cut<'t> {
    text: &'t [u8],
    at: usize,
    environment: &'t Environment,
    word: Option<Vec<u8>>,
    unknown: bool,
    refused: Option<String>,
}

impl Cut<'_> {
    /// Reads a word, up to a blank or comment outside of quotes.
    fn word(&mut self) {
        let mut quote = None;
        self.word = Some(Vec::new());
        while let Some(&byte) = self.text.get(self.at) {
            match byte {
                b'"' | b'\'' if quote.is_none() => {
                    quote = Some(byte);
                    self.at += 1;
                }
                _ if quote == Some(byte) => {
                    quote = None;
                    self.at += 1;
                }
                b'\\' if quote != Some(b'\'') => self.escape(),
                b'#' if quote.is_none() => break,
                b'$' if quote == Some(b'"') => self.variable(),
                _ if quote.is_none() && is_blank(byte) => break,
                _ => {
                    self.push(&[byte]);
                    self.at += 1;
                }
            }
        }
        if quote.is_some() {
            self.refuse("a quote is not closed: HAProxy refuses the file");
        }
    }

    fn push(&mut self, bytes: &[u8]) {
        self.word.get_or_insert_default().extend_from_slice(bytes);
    }

    fn refuse(&mut self, why: &str) {
        self.refused.get_or_insert_with(|| why.to_owned());
    }

    fn escape(&mut self) {
        let Some(&next) = self.text.get(self.at + 1) else {
            self.push(b"\\");
            self.at += 1;
            return;
        };
        let plain: u8 = match next {
            b' ' | b'\\' | b'#' | b'"' | b'\'' | b'$' => next,
            b't' => b'\t',
            b'n' => b'\n',
            b'r' => b'\r',
            b'x' => {
                let digits =
                    self.text.get(self.at + 2..self.at + 4).and_then(|digits| std::str::from_utf8(digits).ok());
                match digits.filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit())).map(|d| u8::from_str_radix(d, 16)) {
                    Some(Ok(byte)) => {
                        self.push(&[byte]);
                        self.at += 4;
                    }
                    Some(Err(_)) | None => {
                        self.refuse("invalid or incomplete hexadecimal sequence: HAProxy refuses the file");
                        self.at += 2;
                    }
                }
                return;
            }
            other => {
                self.push(&[b'\\', other]);
                self.at += 2;
                return;
            }
        };
        self.push(&[plain]);
        self.at += 2;
    }

    /// `$NAME`, `${NAME}`, `${NAME-instead}`, `${NAME[*]}`.
    fn variable(&mut self) {
        let start = self.at;
        self.at += 1;
        let braces = self.text.get(self.at) == Some(&b'{');
        self.at += usize::from(braces);
        let from = self.at;
        let named = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_' || *byte == b'.';
        if !self.text.get(from).is_some_and(|byte| named(byte) && !byte.is_ascii_digit()) {
            self.refuse("a dollar sign in quotes needs the name of a variable behind it: HAProxy refuses the file");
            return;
        }
        self.at += self.text[from..].iter().take_while(|byte| named(byte)).count();
        let name = String::from_utf8_lossy(&self.text[from..self.at]).into_owned();
        let mut plain = true;
        if braces {
            if self.text[self.at..].starts_with(b"[*]") {
                self.at += 3;
                plain = false;
            }
            if self.text.get(self.at) == Some(&b'-') {
                self.at += self.text[self.at..].iter().take_while(|byte| **byte != b'}').count();
            }
            if self.text.get(self.at) != Some(&b'}') {
                self.refuse("the brace of a variable is not closed: HAProxy refuses the file");
                return;
            }
            self.at += 1;
        }
        if plain && let Some(value) = self.environment.0.get(&name) {
            let expanded = &self.environment.1;
            expanded.set(expanded.get().saturating_add(value.len()));
            if expanded.get() <= MOST_EXPANDED {
                let value = value.clone();
                self.push(value.as_bytes());
                return;
            }
            self.refuse("variables become more text than is read here");
        }
        if !plain {
            self.refuse("how many words a variable becomes is not known here");
        }
        let text = self.text[start..self.at].to_vec();
        self.push(&text);
        self.unknown = true;
    }
}

impl Line {
    /// The text of a word; empty if it is not there.
    pub(super) fn text(&self, at: usize) -> &str {
        self.words.get(at).map_or("", |word| word.text.as_str())
    }

    /// The words from one on.
    pub(super) fn from(&self, at: usize) -> &[Word] {
        self.words.get(at..).unwrap_or_default()
    }
}

/// Words with one blank between them, quoted where they hold blanks or are empty: equal words, equal texts.
pub(super) fn joined(words: &[Word]) -> String {
    let quoted = |word: &Word| {
        let plain = !word.text.is_empty() && word.text.bytes().all(|b| !b.is_ascii_whitespace() && b != b'\'');
        if plain { word.text.clone() } else { format!("{:?}", word.text) }
    };
    words.iter().map(quoted).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::SourceMap;

    fn words(text: &str) -> Vec<String> {
        let mut sources = SourceMap::default();
        let source = sources.add(b"f", text.into()).expect("small");
        let mut environment = Environment::default();
        environment.0.insert("SET".to_owned(), "value".to_owned());
        let line = line(source, 0, text.as_bytes(), &environment);
        let mut out: Vec<String> = line.words.into_iter().map(|word| word.text).collect();
        out.extend(line.refused.map(|why| format!("REFUSED {why}")));
        out
    }

    #[test]
    fn words_are_cut_as_the_manual_says() {
        assert_eq!(words(r#"a "b c" 'd # e' f\ g # h"#), ["a", "b c", "d # e", "f g"]);
        assert_eq!(words(r#"x"y"'z' \#\$ "\"" '\"' \x41 \q"#), ["xyz", "#$", "\"", "\\\"", "A", "\\q"]);
        assert_eq!(words("a\tb\r"), ["a", "b"]);
        assert_eq!(words(r#"'' "" a#b"#), ["", "", "a"]);
    }

    #[test]
    fn variables_are_read_in_double_quotes_only() {
        assert_eq!(
            words(r#"$SET "$SET" "${SET}x" '$SET' "${OTHER}" "${OTHER-80}""#),
            ["$SET", "value", "valuex", "$SET", "${OTHER}", "${OTHER-80}"]
        );
        assert_eq!(words(r#"a "b"#).len(), 3);
    }
}
