//! Text to directives, as nginx reads it (`ngx_conf_file.c`; nginx.org, "Beginner's Guide", "Configuration File's Structure").

use super::syntax::{Directive, Word};
use crate::text::{SourceId, Span};

/// Why a text is no configuration, and where.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) at: Span,
    pub(super) reason: String,
}

/// How deep blocks may be in one another.
const DEEPEST: usize = 60;

/// The directives of a text from some byte on, and where its comments are.
pub(super) fn parse(source: SourceId, text: &[u8], from: usize) -> Result<(Vec<Directive>, Vec<Span>), Refused> {
    let mut parser = Parser { source, text, at: from, comments: Vec::new() };
    let mut open: Vec<(Directive, Vec<Directive>)> = Vec::new();
    let mut list: Vec<Directive> = Vec::new();
    loop {
        match parser.directive()? {
            Found::Directive(directive, End::Semicolon) => list.push(directive),
            Found::Directive(directive, End::Block) => {
                if open.len() >= DEEPEST {
                    return Err(refused(directive.head, "blocks are too deep in one another"));
                }
                open.push((directive, std::mem::take(&mut list)));
            }
            Found::Close => {
                let Some((mut directive, outer)) = open.pop() else {
                    let at = parser.span(parser.at - 1, parser.at);
                    return Err(refused(at, "unexpected \"}\""));
                };
                directive.block = Some(std::mem::replace(&mut list, outer));
                directive.span.end = offset(parser.at);
                list.push(directive);
            }
            Found::End => match open.pop() {
                None => return Ok((list, parser.comments)),
                Some((directive, _)) => {
                    return Err(refused(
                        directive.head,
                        "unexpected end of file, expecting \"}\": this block is not closed",
                    ));
                }
            },
        }
    }
}

enum Found {
    Directive(Directive, End),
    Close,
    End,
}

enum End {
    Semicolon,
    Block,
}

struct Parser<'t> {
    source: SourceId,
    text: &'t [u8],
    at: usize,
    comments: Vec<Span>,
}

impl Parser<'_> {
    fn directive(&mut self) -> Result<Found, Refused> {
        let mut words: Vec<Word> = Vec::new();
        loop {
            self.blank();
            let Some(byte) = self.text.get(self.at).copied() else {
                let Some(first) = words.first() else { return Ok(Found::End) };
                return Err(refused(first.span, "unexpected end of file, expecting \";\" or \"}\""));
            };
            match byte {
                b';' | b'{' => {
                    self.at += 1;
                    let Some(name) = words.first().cloned() else {
                        let at = self.span(self.at - 1, self.at);
                        return Err(refused(at, format!("unexpected \"{}\"", char::from(byte))));
                    };
                    let last = words.last().map_or(name.span.end, |word| word.span.end);
                    let head = Span { end: last, ..name.span };
                    let span = Span { end: offset(self.at), ..name.span };
                    words.remove(0);
                    let directive = Directive { name: name.text, words, block: None, head, span };
                    if byte == b'{' && is_code(&directive.name) {
                        return self.code(directive);
                    }
                    return Ok(Found::Directive(directive, if byte == b';' { End::Semicolon } else { End::Block }));
                }
                b'}' if words.is_empty() => {
                    self.at += 1;
                    return Ok(Found::Close);
                }
                b'}' => {
                    let at = self.span(self.at, self.at + 1);
                    return Err(refused(at, "unexpected \"}\""));
                }
                b'"' | b'\'' => words.push(self.quoted(byte)?),
                _ => words.push(self.word()),
            }
        }
    }

    /// A block of code in another language, as a directive with a block of nothing.
    fn code(&mut self, mut directive: Directive) -> Result<Found, Refused> {
        let start = self.at;
        let mut depth = 1_usize;
        while let Some(byte) = self.text.get(self.at) {
            self.at += 1;
            match byte {
                b'{' => depth += 1,
                b'}' => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                directive.span.end = offset(self.at);
                directive.block = Some(Vec::new());
                // What the code does is not known; whether it is the same code is.
                let text = format!("code {}", crate::formats::code::digest(&self.text[start..self.at])).into_bytes();
                directive.words.push(Word { text, span: self.span(start, self.at) });
                return Ok(Found::Directive(directive, End::Semicolon));
            }
        }
        Err(refused(directive.head, "unexpected end of file, expecting \"}\": this block is not closed"))
    }

    fn blank(&mut self) {
        while let Some(byte) = self.text.get(self.at) {
            match byte {
                b' ' | b'\t' | b'\r' | b'\n' => self.at += 1,
                b'#' => {
                    let rest = &self.text[self.at..];
                    let end = self.at + memchr::memchr(b'\n', rest).unwrap_or(rest.len());
                    let comment = self.span(self.at, end);
                    self.comments.push(comment);
                    self.at = end;
                }
                _ => return,
            }
        }
    }

    fn quoted(&mut self, quote: u8) -> Result<Word, Refused> {
        let start = self.at;
        let mut text = Vec::new();
        self.at += 1;
        while let Some(byte) = self.text.get(self.at).copied() {
            self.at += 1;
            if byte == b'\\' {
                self.escaped(&mut text);
            } else if byte == quote {
                let follows = self.text.get(self.at);
                if !follows.is_none_or(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | b';' | b'{' | b')')) {
                    let at = self.span(self.at, self.at + 1);
                    return Err(refused(at, "what follows a closing quote is a blank, `;` or `{`"));
                }
                return Ok(Word { text, span: self.span(start, self.at) });
            } else {
                text.push(byte);
            }
        }
        let at = self.span(start, start + 1);
        Err(refused(at, "unexpected end of file: this quote is not closed"))
    }

    fn word(&mut self) -> Word {
        let start = self.at;
        let (mut text, mut variable) = (Vec::new(), false);
        while let Some(byte) = self.text.get(self.at).copied() {
            if matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | b';') || (byte == b'{' && !variable) {
                break;
            }
            self.at += 1;
            variable = byte == b'$';
            if byte == b'\\' {
                self.escaped(&mut text);
            } else {
                text.push(byte);
            }
        }
        Word { text, span: self.span(start, self.at) }
    }

    /// What stands behind a backslash: quotes and itself lose it, `t`, `r`, `n` are control characters, others keep it.
    fn escaped(&mut self, text: &mut Vec<u8>) {
        let Some(byte) = self.text.get(self.at).copied() else { return text.push(b'\\') };
        self.at += 1;
        match byte {
            b'"' | b'\'' | b'\\' => text.push(byte),
            b't' => text.push(b'\t'),
            b'r' => text.push(b'\r'),
            b'n' => text.push(b'\n'),
            other => text.extend([b'\\', other]),
        }
    }

    fn span(&self, start: usize, end: usize) -> Span {
        Span { source: self.source, start: offset(start), end: offset(end.min(self.text.len()).max(start)) }
    }
}

fn offset(at: usize) -> u32 {
    u32::try_from(at).expect("sources are smaller than 4 GiB")
}

fn refused(at: Span, reason: impl Into<String>) -> Refused {
    Refused { at, reason: reason.into() }
}

/// Whether what stands in the braces of a directive is code, not directives.
fn is_code(name: &[u8]) -> bool {
    name.ends_with(b"_by_lua_block")
}
