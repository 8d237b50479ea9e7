//! Text for `nft -f` to commands, by the grammar of nft(8) as nft 1.0.6 to 1.1 have it.
//!
//! What is only syntax is claimed here; statements and elements are left to be claimed by those who know what they mean.
//! After an error the text up to the next separator is passed over, as nft does, and after ten nothing more is read.

#![expect(clippy::wildcard_enum_match_arm, reason = "of the tokens, all but a few are a syntax error at any place")]

mod blocks;
mod commands;
pub(super) mod elements;
mod expressions;
mod objects;
mod primary;
mod rules;
mod stateful;
mod statements;
pub(super) mod values;
mod words;

use super::account::Account;
use super::include::Includes;
use super::lex::{self, Kind, Sign, Token};
use super::recognise;
use super::runs::{Blocks, Shapes};
use super::syntax::{Command, Expression, Name, Rule, Statement};
use crate::formats::Disposition;
use crate::text::{SourceId, Span, escape};
use std::borrow::Cow;
use std::collections::HashMap;
use std::rc::Rc;

/// Why nft does not take a text, and where.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) at: Span,
    pub(super) reason: String,
}

type Parsed<T> = Result<T, Box<Refusal>>;

/// As many errors as nft reports before it gives up.
const MOST_ERRORS: usize = 10;

/// How many tokens are passed over to find where a line with an error ends.
const MOST_PASSED: usize = 1_000_000;

/// How deep blocks, sets and parentheses may be nested.
const MOST_NESTED: usize = 64;

/// How many elements a variable may stand for.
const MOST_ELEMENTS: usize = 1 << 24;

/// How many commands, rules and elements of sets that are not plain are kept: some hundreds of megabytes.
const MOST_TREES: usize = 500_000;

/// How many rules may stand in lines of known shapes, which take a tenth of that each.
const MOST_LINES: usize = 4_000_000;

/// How deep includes may be nested, as in nft.
const MOST_INCLUDED: usize = 16;

/// How many files may be included altogether: two that each include the next twice would be no end of them.
const MOST_INCLUDES: usize = 10_000;

/// The commands of a main file and of all that it includes.
pub(super) fn parse<'t>(
    file: SourceId,
    includes: &Includes<'t, '_>,
    shapes: &mut Shapes<'t>,
    account: &mut Account,
) -> Vec<Command<'t>> {
    let mut own = Account::default();
    let mut parser = Parser::new(includes, shapes, &mut own, span(file, 0, 0));
    parser.push(file);
    parser.file();
    let Parser { commands, errors, endless, .. } = parser;
    let text = includes.text(file);
    if endless {
        let reason = format!(
            "more than {MOST_TREES} commands, rules and elements, or {MOST_LINES} rules that are much alike: the file is not read"
        );
        account.gap(span(file, 0, text.len()), reason);
        return Vec::new();
    }
    if let Some((start, end, language)) = recognise::template(text, errors > 0) {
        let rest = Disposition::Inert("part of a template");
        account.claim(span(file, 0, start), rest);
        account.gap(
            span(file, start, end),
            format!("a template ({language}), not checked: render it and check what it gives"),
        );
        account.claim(span(file, end, text.len()), rest);
        return Vec::new();
    }
    if errors > 0
        && let Some(what) = fragment(file, includes)
    {
        let reason =
            format!("a fragment ({what}), which nft refuses as a file of its own: name the file that includes it");
        account.gap(span(file, 0, text.len()), reason);
        return Vec::new();
    }
    account.append(own);
    commands
}

/// Whether the file is the inside of a chain or table.
fn fragment(file: SourceId, includes: &Includes<'_, '_>) -> Option<&'static str> {
    let (mut account, mut shapes) = (Account::default(), Shapes::default());
    let mut chain = Parser::new(includes, &mut shapes, &mut account, span(file, 0, 0));
    chain.push(file);
    if chain.inside_chain() {
        return Some("rules without a chain");
    }
    let (mut account, mut shapes) = (Account::default(), Shapes::default());
    let mut table = Parser::new(includes, &mut shapes, &mut account, span(file, 0, 0));
    table.push(file);
    table.inside_table().then_some("what a table holds, without the table")
}

/// The statements of a text that stands, as one piece, at a place of another notation.
///
/// # Errors
/// What nft would not take; the place is that of the whole text.
pub(super) fn statements<'t>(text: &'t [u8], at: Span) -> Result<Vec<Statement<'t>>, Refusal> {
    let (nothing, mut shapes, mut account) = (Includes::none(), Shapes::default(), Account::default());
    let mut parser = Parser::new(&nothing, &mut shapes, &mut account, at);
    parser.fixed = Some(at);
    parser.files.push(File { source: at.source, text, at: 0, claimed: 0, commented: 0, earlier: None });
    let found = parser.statement_list().and_then(|found| match parser.peek().kind {
        Kind::End => Ok(found),
        _ => Err(parser.unexpected("the end")),
    });
    found.map_err(|refusal| *refusal)
}

/// The rule that stands there, alone to the end of its line, without a block around it and without variables.
///
/// # Errors
/// What nft would not take.
pub(super) fn rule(text: &[u8], at: Span) -> Result<Rule<'_>, Refusal> {
    let (nothing, mut shapes, mut account) = (Includes::none(), Shapes::default(), Account::default());
    let (start, end) = (at.start as usize, at.end as usize);
    let mut parser = Parser::new(&nothing, &mut shapes, &mut account, Span { end: at.start, ..at });
    // With the end of its line, which some tokens need.
    let text = text.get(..=end).unwrap_or(text);
    parser.files.push(File { source: at.source, text, at: start, claimed: start, commented: start, earlier: None });
    parser.rule().map_err(|refusal| *refusal)
}

/// Text on its way to commands.
struct Parser<'p, 't> {
    includes: &'p Includes<'t, 'p>,
    shapes: &'p mut Shapes<'t>,
    account: &'p mut Account,
    /// The files that are open; each is included by the one before it.
    files: Vec<File<'t>>,
    /// The next token, if it was looked at.
    ahead: Option<Token>,
    /// Where the token before that ends.
    last: Span,
    /// What is defined, in the block in hand and in those around it.
    scopes: Vec<HashMap<Cow<'t, [u8]>, Defined<'t>>>,
    /// How deep and how large what was used of variables since the last definition began.
    used: (usize, usize),
    commands: Vec<Command<'t>>,
    errors: usize,
    /// Where the last error was.
    ended: Option<Span>,
    included: usize,
    /// There is no end of commands or rules.
    endless: bool,
    /// How many trees were made.
    trees: usize,
    /// How many rules were read by their shapes.
    lines: usize,
    nested: usize,
    /// Within a chain without a name, which cannot hold another.
    unnamed: bool,
    /// The place of everything, if it is one.
    fixed: Option<Span>,
}

/// What a variable stands for.
struct Defined<'t> {
    value: Rc<Expression<'t>>,
    /// How many definitions stand in one another.
    depth: usize,
    /// How many elements there are if every variable is replaced.
    size: usize,
}

struct File<'t> {
    source: SourceId,
    text: &'t [u8],
    /// Where the next token is looked for.
    at: usize,
    /// Up to here it is known what became of the text, or that others will say so.
    claimed: usize,
    /// Comments before this are noted.
    commented: usize,
    /// What the other side has in this file.
    earlier: Option<Blocks<'t>>,
}

impl<'p, 't> Parser<'p, 't> {
    fn new(includes: &'p Includes<'t, 'p>, shapes: &'p mut Shapes<'t>, account: &'p mut Account, start: Span) -> Self {
        Self {
            includes,
            shapes,
            account,
            files: Vec::new(),
            ahead: None,
            last: start,
            scopes: vec![HashMap::new()],
            used: (0, 0),
            commands: Vec::new(),
            errors: 0,
            ended: None,
            included: 0,
            endless: false,
            trees: 0,
            lines: 0,
            nested: 0,
            unnamed: false,
            fixed: None,
        }
    }

    fn push(&mut self, source: SourceId) {
        let text = self.includes.text(source);
        self.last = Span { source, start: 0, end: 0 };
        let earlier = self.includes.earlier(source).map(Blocks::new);
        self.files.push(File { source, text, at: 0, claimed: 0, commented: 0, earlier });
    }

    /// The next token. At the end of an included file it is that of the one that includes it.
    fn peek(&mut self) -> Token {
        if let Some(token) = self.ahead {
            return token;
        }
        let token = loop {
            let Some(file) = self.files.last_mut() else { return Token { kind: Kind::End, start: 0, end: 0 } };
            let (account, commented, source) = (&mut *self.account, &mut file.commented, file.source);
            let token = lex::token(file.text, file.at, &mut |start, end| {
                if start >= *commented {
                    *commented = end;
                    account.claim(span(source, start, end), Disposition::Inert("comment"));
                }
            });
            if token.kind != Kind::End || self.files.len() == 1 {
                break token;
            }
            self.claim_to(token.end, Disposition::Modelled);
            self.files.pop();
        };
        self.ahead = Some(token);
        token
    }

    /// The token after the next, in the same file.
    fn peek_second(&mut self) -> Token {
        let next = self.peek();
        self.token_at(next.end)
    }

    fn token_at(&self, at: usize) -> Token {
        let nothing = Token { kind: Kind::End, start: at, end: at };
        self.files.last().map_or(nothing, |file| lex::token(file.text, at, &mut |_, _| ()))
    }

    fn advance(&mut self) -> Token {
        let token = self.peek();
        self.ahead = None;
        self.last = self.span(token.start, token.end);
        if let Some(file) = self.files.last_mut() {
            file.at = token.end;
        }
        token
    }

    /// Everything up to there, in the file in hand, is understood.
    fn claim_to(&mut self, end: usize, disposition: Disposition) {
        let Some(file) = self.files.last_mut() else { return };
        if end > file.claimed {
            let piece = &file.text[file.claimed..end];
            let first = file.claimed + (piece.len() - piece.trim_ascii_start().len());
            let last = file.claimed + piece.trim_ascii_end().len();
            if first < last {
                self.account.claim(span(file.source, first, last), disposition);
            }
            file.claimed = end;
        }
    }

    /// What was read since `start` is claimed by others.
    fn leave(&mut self, start: Span) {
        let end = self.last;
        let Some(file) = self.files.last_mut() else { return };
        if end.source == file.source && start.source == file.source {
            let claimed = end.end as usize;
            file.claimed = file.claimed.max(claimed);
        }
    }

    /// Says what becomes of the text from `start` to here.
    fn claim_since(&mut self, start: Span, disposition: Disposition) {
        self.claim_to_here(start.start as usize, start.source);
        self.claim_to(self.last.end as usize, disposition);
    }

    /// What stands before a statement is understood.
    fn claim_to_here(&mut self, start: usize, source: SourceId) {
        if self.files.last().is_some_and(|file| file.source == source) {
            self.claim_to(start, Disposition::Modelled);
        }
    }

    fn span(&self, start: usize, end: usize) -> Span {
        self.fixed.unwrap_or_else(|| span(self.files.last().map_or(self.last.source, |file| file.source), start, end))
    }

    /// Where the next token is.
    fn here(&mut self) -> Span {
        let token = self.peek();
        self.span(token.start, token.end)
    }

    /// From there to the end of the token before the next.
    fn since(&self, start: Span) -> Span {
        match self.fixed {
            Some(at) => at,
            None if self.last.source == start.source && self.last.end > start.start => {
                Span { end: self.last.end, ..start }
            }
            None => start,
        }
    }

    fn text(&self, token: Token) -> &'t [u8] {
        self.files.last().and_then(|file| file.text.get(token.start..token.end)).unwrap_or_default()
    }

    /// The next token as a word; empty if it is none.
    fn word(&mut self) -> &'t [u8] {
        let token = self.peek();
        if token.kind == Kind::Word { self.text(token) } else { b"" }
    }

    fn is(&mut self, word: &[u8]) -> bool {
        self.word() == word
    }

    fn is_sign(&mut self, sign: Sign) -> bool {
        self.peek().kind == Kind::Sign(sign)
    }

    /// Takes the word if it is next.
    fn take(&mut self, word: &[u8]) -> bool {
        let found = self.is(word);
        if found {
            self.advance();
        }
        found
    }

    fn take_sign(&mut self, sign: Sign) -> bool {
        let found = self.is_sign(sign);
        if found {
            self.advance();
        }
        found
    }

    fn expect(&mut self, word: &'static str) -> Parsed<()> {
        if self.take(word.as_bytes()) { Ok(()) } else { Err(self.unexpected(&format!("`{word}`"))) }
    }

    fn expect_sign(&mut self, sign: Sign, shown: &str) -> Parsed<()> {
        if self.take_sign(sign) { Ok(()) } else { Err(self.unexpected(shown)) }
    }

    /// A name that is no keyword.
    fn name(&mut self) -> Parsed<Name<'t>> {
        let token = self.peek();
        let text = self.text(token);
        if token.kind != Kind::Word || words::is_reserved(text) {
            return Err(self.unexpected("a name"));
        }
        self.advance();
        Ok(Name { text: text.into(), at: self.last })
    }

    /// A word, a pattern or a text in quotes.
    fn string(&mut self) -> Parsed<Name<'t>> {
        let token = self.peek();
        let text = self.text(token);
        let text = match token.kind {
            Kind::Word if !words::is_reserved(text) => text,
            Kind::Pattern => text,
            Kind::Quoted => unquoted(text),
            _ => return Err(self.unexpected("a name or a text in quotes")),
        };
        self.advance();
        Ok(Name { text: text.into(), at: self.last })
    }

    /// A number.
    fn number(&mut self) -> Parsed<u64> {
        let token = self.peek();
        if token.kind != Kind::Number {
            return Err(self.unexpected("a number"));
        }
        let value = lex::value(self.text(token));
        self.advance();
        value.ok_or_else(|| self.refused("the number is too large".to_owned()))
    }

    fn number32(&mut self) -> Parsed<u32> {
        let number = self.number()?;
        u32::try_from(number).map_err(|_| self.refused(format!("{number} is too large")))
    }

    /// Passes over line ends where the grammar takes any number of them.
    fn pass_newlines(&mut self) {
        while self.peek().kind == Kind::Newline {
            self.advance();
        }
    }

    /// The next token is not what it should be.
    fn unexpected(&mut self, wanted: &str) -> Box<Refusal> {
        let token = self.peek();
        let found = match token.kind {
            Kind::Newline => "the end of the line".to_owned(),
            Kind::End => "the end of the file".to_owned(),
            Kind::Junk => self.junk(token),
            Kind::Word | Kind::Bracketed | Kind::Number | Kind::Quoted | Kind::Pattern | Kind::Sign(_) => {
                format!("`{}`", shortened(self.text(token)))
            }
        };
        let expecting = if wanted.is_empty() { String::new() } else { format!(", expecting {wanted}") };
        Box::new(Refusal { at: self.here(), reason: format!("syntax error: unexpected {found}{expecting}") })
    }

    fn junk(&self, token: Token) -> String {
        let text = self.text(token);
        let rest = self.files.last().and_then(|file| file.text.get(token.start..)).unwrap_or_default();
        match text {
            b"\r" => "carriage return (nft takes lines that end with LF only)".to_owned(),
            b"\0" => "NUL".to_owned(),
            [b'#', ..] => "`#`: a comment needs a line end behind it".to_owned(),
            b"\"" => "`\"`: the text in quotes has no end".to_owned(),
            _ if rest.starts_with(b"\xef\xbb\xbf") => "byte order mark".to_owned(),
            _ => {
                let shown = rest.utf8_chunks().next().and_then(|chunk| chunk.valid().chars().next());
                format!("`{}`", shown.map_or_else(|| escape(text), |c| escape(c.to_string().as_bytes())))
            }
        }
    }

    /// What was read last is refused.
    fn refused(&self, reason: String) -> Box<Refusal> {
        Box::new(Refusal { at: self.last, reason })
    }

    /// One level deeper.
    fn enter(&mut self) -> Parsed<()> {
        self.nested += 1;
        if self.nested > MOST_NESTED {
            let at = self.here();
            return Err(Box::new(Refusal { at, reason: format!("nested deeper than {MOST_NESTED} levels") }));
        }
        Ok(())
    }

    fn nested<T>(&mut self, inner: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        let outside = self.nested;
        self.enter()?;
        let found = inner(self);
        self.nested = outside;
        found
    }

    /// What a variable is defined as.
    fn defined(&self, name: &[u8]) -> Option<&Defined<'t>> {
        self.scopes.iter().rev().find_map(|scope| scope.get(name))
    }
}

fn unquoted(text: &[u8]) -> &[u8] {
    text.get(1..text.len() - 1).unwrap_or_default()
}

/// The text safe to print, and its beginning only if it is long.
fn shortened(text: &[u8]) -> String {
    const LONGEST: usize = 40;
    if text.len() <= LONGEST { escape(text) } else { format!("{}…", escape(&text[..LONGEST])) }
}

fn span(source: SourceId, start: usize, end: usize) -> Span {
    let narrow = |n| u32::try_from(n).expect("sources are smaller than 4 GiB");
    Span { source, start: narrow(start), end: narrow(end) }
}
