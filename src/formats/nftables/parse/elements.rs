//! What is between the braces of a set or map.
//!
//! Sets of a million addresses are read here, so what is plain is taken straight from the bytes, without tokens.

use super::super::lex::{Kind, Sign};
use super::super::long::Long;
use super::super::syntax::{Element, ElementOption, Elements, Expression, Form, Kind as Expressed, Plain};
use super::{Parsed, Parser};
use crate::net::leading_ipv4;
use std::net::Ipv6Addr;

impl<'t> Parser<'_, 't> {
    /// `{ … }` with at least one element. Between elements is a comma, and beside it at most one end of a line.
    pub(super) fn elements(&mut self) -> Parsed<Elements<'t>> {
        self.expect_sign(Sign::OpenBrace, "`{`")?;
        self.nested(|parser| {
            let mut found = Elements::default();
            if parser.long(&mut found) == Progress::Closed {
                return Ok(found);
            }
            let mut first = found.long.is_none();
            loop {
                if parser.plain(&mut found, &mut first) == Progress::Closed {
                    return Ok(found);
                }
                if parser.peek().kind == Kind::Newline {
                    parser.advance();
                }
                match parser.plain_ahead(&mut found, &mut first) {
                    Progress::Closed => return Ok(found),
                    Progress::Some => continue,
                    Progress::None => {}
                }
                match parser.peek().kind {
                    Kind::Sign(Sign::Comma) if !first => {
                        parser.advance();
                        continue;
                    }
                    Kind::Sign(Sign::CloseBrace) if !first => {
                        parser.advance();
                        return Ok(found);
                    }
                    _ => {}
                }
                parser.count_tree()?;
                let element = parser.element()?;
                found.others.push(element);
                first = false;
                if parser.peek().kind == Kind::Newline {
                    parser.advance();
                }
                match parser.peek().kind {
                    Kind::Sign(Sign::Comma) => {
                        parser.advance();
                    }
                    Kind::Sign(Sign::CloseBrace) => {
                        parser.advance();
                        return Ok(found);
                    }
                    _ => return Err(parser.unexpected("`,` or `}`")),
                }
            }
        })
    }

    fn element(&mut self) -> Parsed<Element<'t>> {
        let start = self.here();
        let key = match self.peek().kind {
            Kind::Sign(Sign::OpenBrace) => {
                let inner = self.set_expression()?;
                return Ok(Element { at: self.since(start), key: inner, options: Vec::new(), value: None });
            }
            Kind::Sign(Sign::Asterisk) => {
                self.advance();
                Expression { at: self.since(start), kind: Expressed::Wildcard }
            }
            _ => self.concatenation(super::expressions::Side::Right)?,
        };
        let options = self.element_options(true)?;
        let mut value = None;
        if self.take_sign(Sign::Colon) {
            let at = self.here();
            value = Some(match self.verdict()? {
                Some(verdict) => Expression { at: self.since(at), kind: Expressed::Verdict(verdict) },
                None => self.concatenation(super::expressions::Side::Right)?,
            });
        }
        Ok(Element { at: self.since(start), key, options, value })
    }

    /// `timeout 1h expires 5m comment "…"`, and statements where they may stand.
    pub(super) fn element_options(&mut self, statements: bool) -> Parsed<Vec<ElementOption<'t>>> {
        let mut options = Vec::new();
        loop {
            match self.word() {
                b"timeout" => {
                    self.advance();
                    let never = self.take(b"never");
                    options.push(ElementOption::Timeout(if never { None } else { Some(self.time()?) }));
                }
                b"expires" => {
                    self.advance();
                    let never = self.take(b"never");
                    options.push(ElementOption::Expires(if never { 0 } else { self.time()? }));
                }
                b"comment" => {
                    self.advance();
                    let text = self.comment_text()?;
                    if options.iter().any(|option| matches!(option, ElementOption::Comment(_))) {
                        let reason = "You can only specify this once. This statement is duplicated.";
                        return Err(self.refused(reason.to_owned()));
                    }
                    options.push(ElementOption::Comment(text));
                }
                b"counter" | b"limit" | b"quota" | b"ct" | b"last" if statements => {
                    let found = self.stateful_list()?;
                    if found.is_empty() {
                        return Ok(options);
                    }
                    options.extend(found.into_iter().map(ElementOption::Statement));
                }
                _ => return Ok(options),
            }
        }
    }

    /// The same as [`Self::plain`] where the next token was looked at already.
    fn plain_ahead(&mut self, found: &mut Elements<'t>, first: &mut bool) -> Progress {
        let token = self.peek();
        if !matches!(token.kind, Kind::Word | Kind::Number) {
            return Progress::None;
        }
        self.ahead = None;
        if let Some(file) = self.files.last_mut() {
            file.at = token.start;
        }
        self.plain(found, first)
    }

    /// Takes the addresses with which a long list begins.
    fn long(&mut self, found: &mut Elements<'t>) -> Progress {
        if self.ahead.is_some() || self.fixed.is_some() {
            return Progress::None;
        }
        let Some(file) = self.files.last_mut() else { return Progress::None };
        let Some(long) = Long::read(file.source, file.text, file.at, self.includes) else { return Progress::None };
        let (end, closed) = (long.end(), long.is_closed());
        found.long = Some(long);
        file.at = end;
        self.last = super::span(file.source, end - 1, end);
        if closed { Progress::Closed } else { Progress::Some }
    }

    /// Takes plain elements and the commas behind them as far as they go.
    fn plain(&mut self, found: &mut Elements<'t>, first: &mut bool) -> Progress {
        if self.ahead.is_some() || self.fixed.is_some() {
            return Progress::None;
        }
        let Some(file) = self.files.last_mut() else { return Progress::None };
        let text = file.text;
        let mut at = file.at;
        let mut closed = false;
        loop {
            let start = blanks(text, at);
            let ipv4 = ipv4_element(text, start);
            let other = if ipv4.is_none() { plain(text, start) } else { None };
            let Some(end) = ipv4.map(|(.., end)| end).or(other.as_ref().map(|(_, end)| *end)) else { break };
            let after = blanks(text, end);
            let next = text.get(after);
            if !matches!(next, Some(b',' | b'}')) {
                break;
            }
            let (offset, length) = (u32::try_from(start), u16::try_from(end - start));
            let (Ok(offset), Ok(length)) = (offset, length) else { break };
            match (ipv4, other) {
                (Some((first, last, form, _)), _) => found.ipv4.push(Plain { first, last, at: offset, length, form }),
                (None, Some((value, _))) => value.put(found, offset, length),
                (None, None) => break,
            }
            *first = false;
            at = after + 1;
            if next == Some(&b'}') {
                closed = true;
                break;
            }
        }
        if at == file.at {
            return Progress::None;
        }
        file.at = at;
        self.last = super::span(file.source, at - 1, at);
        if closed { Progress::Closed } else { Progress::Some }
    }
}

/// How far plain elements went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    /// There was none.
    None,
    /// To behind a comma.
    Some,
    /// To behind the closing brace.
    Closed,
}

/// The first byte from there on that is not blank; one end of a line is among the blanks at most.
#[inline]
pub(in crate::formats::nftables) fn blanks(text: &[u8], mut at: usize) -> usize {
    let mut lines = 0;
    while let Some(byte) = text.get(at) {
        match byte {
            b' ' | b'\t' => {}
            b'\n' if lines == 0 => lines = 1,
            _ => break,
        }
        at += 1;
    }
    at
}

pub(in crate::formats::nftables) enum Value {
    Ipv4(u32, u32, Form),
    Ipv6(u128, u128, Form),
    Number(u64, u64, Form),
}

impl Value {
    fn put(self, elements: &mut Elements<'_>, at: u32, length: u16) {
        match self {
            Self::Ipv4(first, last, form) => elements.ipv4.push(Plain { first, last, at, length, form }),
            Self::Ipv6(first, last, form) => elements.ipv6.push(Plain { first, last, at, length, form }),
            Self::Number(first, last, form) => elements.numbers.push(Plain { first, last, at, length, form }),
        }
    }
}

/// The plain element that begins there and where it ends; only what is beyond doubt.
pub(in crate::formats::nftables) fn plain(text: &[u8], start: usize) -> Option<(Value, usize)> {
    if !text.get(start)?.is_ascii_hexdigit() && text[start] != b':' {
        return None;
    }
    if let Some((first, end)) = ipv4(text, start) {
        return ipv4_from(text, first, end).map(|(first, last, form, end)| (Value::Ipv4(first, last, form), end));
    }
    match number_element(text, start) {
        Some((first, last, form, end)) => Some((Value::Number(first, last, form), end)),
        None => ipv6_element(text, start),
    }
}

/// The first and last number of the plain element that begins there, how it is written, and where it ends.
pub(in crate::formats::nftables) fn number_element(text: &[u8], start: usize) -> Option<(u64, u64, Form, usize)> {
    let (first, end) = decimal(text, start)?;
    match text.get(end)? {
        b'-' => {
            let (last, end) = decimal(text, end + 1)?;
            let ends = matches!(text.get(end), Some(b',' | b' ' | b'\t' | b'\n' | b'}'));
            ends.then_some((first, last, Form::Range, end))
        }
        b',' | b' ' | b'\t' | b'\n' | b'}' => Some((first, first, Form::Single, end)),
        _ => None,
    }
}

/// Likewise of addresses.
#[inline]
pub(in crate::formats::nftables) fn ipv4_element(text: &[u8], start: usize) -> Option<(u32, u32, Form, usize)> {
    let (first, end) = ipv4(text, start)?;
    ipv4_from(text, first, end)
}

/// The same where the first address is read, which ends at `end`.
#[inline]
fn ipv4_from(text: &[u8], first: u32, end: usize) -> Option<(u32, u32, Form, usize)> {
    match text.get(end)? {
        b'/' => {
            let (length, end) = small(text, end + 1, 32)?;
            let mask = u32::MAX.checked_shl(32 - u32::from(length)).unwrap_or(0);
            Some((first & mask, first | !mask, Form::Prefix(length), end))
        }
        b'-' => {
            let (last, end) = ipv4(text, end + 1)?;
            Some((first, last, Form::Range, end))
        }
        b',' | b' ' | b'\t' | b'\n' | b'}' => Some((first, first, Form::Single, end)),
        _ => None,
    }
}

fn ipv6_element(text: &[u8], start: usize) -> Option<(Value, usize)> {
    let (first, end) = ipv6(text, start)?;
    match text.get(end)? {
        b'/' => {
            let (length, end) = small(text, end + 1, 128)?;
            let mask = u128::MAX.checked_shl(128 - u32::from(length)).unwrap_or(0);
            Some((Value::Ipv6(first & mask, first | !mask, Form::Prefix(length)), end))
        }
        b'-' => {
            let (last, end) = ipv6(text, end + 1)?;
            Some((Value::Ipv6(first, last, Form::Range), end))
        }
        b',' | b' ' | b'\t' | b'\n' | b'}' => Some((Value::Ipv6(first, first, Form::Single), end)),
        _ => None,
    }
}

#[inline]
fn ipv4(text: &[u8], start: usize) -> Option<(u32, usize)> {
    leading_ipv4(text.get(start..)?).map(|(address, length)| (address, start + length))
}

/// A number up to `most`, of at most three digits, without needless zeros.
fn small(text: &[u8], start: usize, most: u16) -> Option<(u8, usize)> {
    let (mut number, mut at) = (0_u16, start);
    while let Some(digit) = text.get(at).filter(|byte| byte.is_ascii_digit()) {
        if at - start == 3 || (at > start && number == 0) {
            return None;
        }
        number = number * 10 + u16::from(digit - b'0');
        at += 1;
    }
    (at > start && number <= most).then_some(())?;
    Some((u8::try_from(number).ok()?, at))
}

fn decimal(text: &[u8], start: usize) -> Option<(u64, usize)> {
    const LONGEST: usize = 18;
    let (mut number, mut at) = (0_u64, start);
    while let Some(digit) = text.get(at).filter(|byte| byte.is_ascii_digit()) {
        if at - start == LONGEST || (at > start && number == 0) {
            return None;
        }
        number = number * 10 + u64::from(digit - b'0');
        at += 1;
    }
    (at > start).then_some((number, at))
}

fn ipv6(text: &[u8], start: usize) -> Option<(u128, usize)> {
    const LONGEST: usize = 39;
    let rest = &text[start..];
    let end = rest.iter().take(LONGEST + 1).position(|byte| !(byte.is_ascii_hexdigit() || *byte == b':'))?;
    let address = &rest[..end];
    memchr::memchr(b':', address)?;
    let address: Ipv6Addr = std::str::from_utf8(address).ok()?.parse().ok()?;
    Some((u128::from(address), start + end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_beyond_doubt_is_plain() {
        let shown = |text: &str| match plain(text.as_bytes(), 0) {
            Some((Value::Ipv4(first, last, _), end)) => format!("{first:x}-{last:x} {end}"),
            Some((Value::Ipv6(first, last, _), end)) => format!("{first:x}-{last:x} {end}"),
            Some((Value::Number(first, last, _), end)) => format!("{first}-{last} {end}"),
            None => "other".to_owned(),
        };
        assert_eq!(shown("10.0.0.1/8,"), "a000000-affffff 10");
        assert_eq!(shown("10.0.0.1-10.0.0.9 }"), "a000001-a000009 17");
        assert_eq!(shown("::1,"), "1-1 3");
        assert_eq!(shown("1::/16,"), "10000000000000000000000000000-1ffffffffffffffffffffffffffff 6");
        assert_eq!(shown("22-80\n"), "22-80 5");
        for other in
            ["010,", "1.2.3,", "1.2.3.256,", "22:80,", "1h,", "0x1f,", "1.2.3.4/33,", "ssh,", "1.2.3.4", "1.2.3.4.5,"]
        {
            assert_eq!(shown(other), "other", "{other}");
        }
    }
}
