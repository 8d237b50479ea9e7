//! Times and amounts.

use super::super::lex::{Kind, value};
use super::super::syntax::LimitUnit;
use super::{Parsed, Parser};
use crate::text::escape;

impl Parser<'_, '_> {
    /// A time such as `1h30m` or `"90s"`, in milliseconds.
    pub(super) fn time(&mut self) -> Parsed<u64> {
        let token = self.peek();
        let text = self.text(token);
        match token.kind {
            Kind::Word => {}
            _ => return Err(self.unexpected("a time such as `1h30m`")),
        }
        self.advance();
        milliseconds(text).ok_or_else(|| self.refused(format!("{} is no time", escape(text))))
    }

    /// The same, or a number of seconds.
    pub(super) fn time_or_seconds(&mut self) -> Parsed<u64> {
        if self.peek().kind == Kind::Number { self.number() } else { Ok(self.time()? / 1000) }
    }
}

/// `1w2d3h4m5s6ms` in milliseconds. Each unit counts once.
pub(in crate::formats::nftables) fn milliseconds(text: &[u8]) -> Option<u64> {
    let (mut rest, mut total) = (text, 0_u64);
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.iter().position(|byte| !byte.is_ascii_digit())?;
        let number: u64 = std::str::from_utf8(&rest[..digits]).ok()?.parse().ok()?;
        rest = &rest[digits..];
        let (length, factor) = match rest {
            [b'm', b's', ..] => (2, 1),
            [b'w', ..] => (1, 7 * 86_400_000),
            [b'd', ..] => (1, 86_400_000),
            [b'h', ..] => (1, 3_600_000),
            [b'm', ..] => (1, 60_000),
            [b's', ..] => (1, 1000),
            _ => return None,
        };
        total = total.checked_add(number.checked_mul(factor)?)?;
        rest = &rest[length..];
    }
    Some(total)
}

/// How many bytes a unit of amount is.
pub(super) fn bytes_in(word: &[u8]) -> Option<u64> {
    match word {
        b"bytes" | b"byte" => Some(1),
        b"kbytes" => Some(1 << 10),
        b"mbytes" => Some(1 << 20),
        _ => None,
    }
}

/// `mbytes/second` as one word.
pub(super) fn rate_unit(word: &[u8]) -> Option<(u64, LimitUnit)> {
    let slash = memchr::memchr(b'/', word)?;
    Some((bytes_in(&word[..slash])?, LimitUnit::from_keyword(&word[slash + 1..])?))
}

/// A number in decimal, for words that are numbers.
pub(super) fn decimal(text: &[u8]) -> Option<Vec<u8>> {
    value(text).map(|number| number.to_string().into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_add_up() {
        assert_eq!(milliseconds(b"1h30m"), Some(5_400_000));
        assert_eq!(milliseconds(b"5ms"), Some(5));
        assert_eq!(milliseconds(b"5"), None);
        assert_eq!(milliseconds(b"h"), None);
    }
}
