//! Text to tokens, as nft's scanner takes them: the longest piece that is a token counts, so `ssh-http` is one word,
//! `22-80` three tokens, and `.foo` a word.

use std::net::Ipv6Addr;

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A name, an address, a time: what nft calls a string.
    Word,
    /// An IPv6 address in square brackets.
    Bracketed,
    /// A decimal or hexadecimal number of at most 64 bits.
    Number,
    /// A text in double quotes.
    Quoted,
    /// A name with an asterisk: `eth*`.
    Pattern,
    Newline,
    Sign(Sign),
    /// A character that nothing begins with.
    Junk,
    /// The end of all files.
    End,
}

/// A token of signs, or the word for one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sign {
    Comma,
    Dot,
    Colon,
    Semicolon,
    OpenBrace,
    CloseBrace,
    OpenBracket,
    CloseBracket,
    OpenParen,
    CloseParen,
    Slash,
    Dash,
    Asterisk,
    At,
    Dollar,
    Assign,
    Plus,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    ShiftLeft,
    ShiftRight,
    Xor,
    And,
    Or,
    Not,
}

/// A token and where it is in its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) start: usize,
    pub(super) end: usize,
}

/// The token that begins at or after `at`. Comments that are passed over are told to `comment`.
pub(super) fn token(text: &[u8], mut at: usize, comment: &mut dyn FnMut(usize, usize)) -> Token {
    loop {
        let Some(byte) = text.get(at) else { return Token { kind: Kind::End, start: at, end: at } };
        match byte {
            b' ' | b'\t' => at += 1,
            b'\\' if text.get(at + 1) == Some(&b'\n') => at += 2,
            b'#' => match memchr::memchr(b'\n', &text[at..]) {
                Some(length) => {
                    comment(at, at + length);
                    // A line that is only a comment is no line.
                    let alone = text[..at].iter().rev().find(|byte| !matches!(byte, b' ' | b'\t'));
                    let alone = alone.is_none_or(|byte| *byte == b'\n');
                    at += length + usize::from(alone);
                }
                // A comment ends with its line; one that has no end is none.
                None => return Token { kind: Kind::Junk, start: at, end: text.len() },
            },
            _ => {
                let (kind, length) = one(&text[at..]);
                return Token { kind, start: at, end: at + length };
            }
        }
    }
}

/// What the text, which is not empty, begins with, and how long that is.
fn one(text: &[u8]) -> (Kind, usize) {
    let byte = text[0];
    match byte {
        b'\n' => (Kind::Newline, 1),
        b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'_' | b'.' | b':' => word(text),
        b'"' => match memchr::memchr(b'"', &text[1..]) {
            Some(length) => (Kind::Quoted, length + 2),
            None => (Kind::Junk, 1),
        },
        b'[' => {
            let length = address6(&text[1..]);
            match text.get(length + 1) {
                Some(b']') if length > 0 => (Kind::Bracketed, length + 2),
                _ => (Kind::Sign(Sign::OpenBracket), 1),
            }
        }
        b'\\' if text.get(1) == Some(&b'*') => (Kind::Pattern, 2),
        _ => sign(text),
    }
}

fn sign(text: &[u8]) -> (Kind, usize) {
    let next = text.get(1).copied();
    let (sign, length) = match (text[0], next) {
        (b'=', Some(b'=')) => (Sign::Equal, 2),
        (b'!', Some(b'=')) => (Sign::NotEqual, 2),
        (b'<', Some(b'=')) => (Sign::LessOrEqual, 2),
        (b'<', Some(b'<')) => (Sign::ShiftLeft, 2),
        (b'>', Some(b'=')) => (Sign::GreaterOrEqual, 2),
        (b'>', Some(b'>')) => (Sign::ShiftRight, 2),
        (b'<', _) => (Sign::Less, 1),
        (b'>', _) => (Sign::Greater, 1),
        (b'=', _) => (Sign::Assign, 1),
        (b'!', _) => (Sign::Not, 1),
        (b',', _) => (Sign::Comma, 1),
        (b';', _) => (Sign::Semicolon, 1),
        (b'{', _) => (Sign::OpenBrace, 1),
        (b'}', _) => (Sign::CloseBrace, 1),
        (b']', _) => (Sign::CloseBracket, 1),
        (b'(', _) => (Sign::OpenParen, 1),
        (b')', _) => (Sign::CloseParen, 1),
        (b'/', _) => (Sign::Slash, 1),
        (b'-', _) => (Sign::Dash, 1),
        (b'*', _) => (Sign::Asterisk, 1),
        (b'@', _) => (Sign::At, 1),
        (b'$', _) => (Sign::Dollar, 1),
        (b'+', _) => (Sign::Plus, 1),
        (b'^', _) => (Sign::Xor, 1),
        (b'&', _) => (Sign::And, 1),
        (b'|', _) => (Sign::Or, 1),
        _ => return (Kind::Junk, 1),
    };
    (Kind::Sign(sign), length)
}

/// A name, number, address or time, and an asterisk behind it, or a sign that is a word.
fn word(text: &[u8]) -> (Kind, usize) {
    let name = name(text);
    let mut best = (Kind::Word, name);
    if name > 0 {
        let pattern = pattern(text, name);
        if pattern > 0 {
            best = (Kind::Pattern, pattern);
        }
    }
    if text[0].is_ascii_digit() {
        let number = number(text);
        best = (Kind::Number, number);
        let time = time(text);
        if time >= number {
            best = (Kind::Word, time);
        }
        if text.starts_with(b"8021ad") && best.1 <= 6 {
            best = (Kind::Word, 6);
        } else if text.starts_with(b"8021q") && best.1 <= 5 {
            best = (Kind::Word, 5);
        } else {
            let address = address4(text);
            if address >= best.1 {
                best = (Kind::Word, address);
            }
        }
    }
    if text[0] == b':' || text[0].is_ascii_hexdigit() {
        let run = text.iter().take(5).position(|byte| !byte.is_ascii_hexdigit());
        if run.is_some_and(|run| text[run] == b':') {
            let colons = address6(text).max(mac(text));
            if colons >= best.1 && colons > 0 {
                best = (Kind::Word, colons);
            }
            // The character behind counts when lengths are compared.
            let class = class_id(text);
            if class + 1 > best.1 && class > 0 {
                best = (Kind::Word, class);
            }
        }
    }
    match (best, text[0]) {
        ((Kind::Word, 0), b':') => (Kind::Sign(Sign::Colon), 1),
        ((Kind::Word, 0 | 1), b'.') => (Kind::Sign(Sign::Dot), 1),
        ((Kind::Word, length @ 2..=6), first) if first.is_ascii_lowercase() => {
            operator(&text[..length]).map_or(best, |sign| (Kind::Sign(sign), length))
        }
        ((Kind::Number, length), _) if !fits(&text[..length]) => (Kind::Word, length),
        _ => best,
    }
}

fn operator(word: &[u8]) -> Option<Sign> {
    Some(match word {
        b"eq" => Sign::Equal,
        b"ne" => Sign::NotEqual,
        b"lt" => Sign::Less,
        b"le" => Sign::LessOrEqual,
        b"gt" => Sign::Greater,
        b"ge" => Sign::GreaterOrEqual,
        b"lshift" => Sign::ShiftLeft,
        b"rshift" => Sign::ShiftRight,
        b"xor" => Sign::Xor,
        b"and" => Sign::And,
        b"or" => Sign::Or,
        b"not" => Sign::Not,
        _ => return None,
    })
}

fn name(text: &[u8]) -> usize {
    if !matches!(text[0], b'a'..=b'z' | b'A'..=b'Z' | b'_' | b'.') {
        return 0;
    }
    text.iter().position(|byte| !in_name(*byte)).unwrap_or(text.len())
}

const fn in_name(byte: u8) -> bool {
    matches!(byte, b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'.' | b'/' | b'-')
}

/// How long `name*`, `name\*` or `name\*name` is, given the length of the name.
fn pattern(text: &[u8], name_length: usize) -> usize {
    match (text.get(name_length), text.get(name_length + 1)) {
        (Some(b'*'), _) => name_length + 1,
        (Some(b'\\'), Some(b'*')) => {
            let rest = &text[name_length + 2..];
            name_length + 2 + if rest.is_empty() { 0 } else { name(rest) }
        }
        _ => 0,
    }
}

fn digits(text: &[u8]) -> usize {
    text.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len())
}

fn number(text: &[u8]) -> usize {
    if let [b'0', b'x' | b'X', rest @ ..] = text {
        let hex = rest.iter().position(|byte| !byte.is_ascii_hexdigit()).unwrap_or(rest.len());
        if hex > 0 {
            return 2 + hex;
        }
    }
    digits(text)
}

/// Whether a number fits 64 bits; one that begins with 0 is octal.
fn fits(text: &[u8]) -> bool {
    text.len() < 19 || value(text).is_some()
}

/// The value of a number as C reads it: `0x1f`, `017`, `15`. Digits that are not octal end it there.
pub(super) fn value(text: &[u8]) -> Option<u64> {
    let (digits, radix) = match text {
        [b'0', b'x' | b'X', rest @ ..] => (rest, 16),
        [b'0', rest @ ..] if !rest.is_empty() => (rest, 8),
        _ => (text, 10),
    };
    let digits = if radix == 8 {
        &digits[..digits.iter().position(|byte| !(b'0'..=b'7').contains(byte)).unwrap_or(digits.len())]
    } else {
        digits
    };
    if digits.is_empty() {
        return Some(0);
    }
    u64::from_str_radix(std::str::from_utf8(digits).expect("digits are ASCII"), radix).ok()
}

/// `1w2d3h4m5s6ms`, each part at most once and in that order.
fn time(text: &[u8]) -> usize {
    let mut at = 0;
    for unit in [&b"w"[..], b"d", b"h", b"m", b"s", b"ms"] {
        let count = digits(&text[at..]);
        if count > 0 && text[at + count..].starts_with(unit) {
            let after = &text[at + count..];
            // `5ms` is no minutes.
            if unit == b"m" && after.get(1) == Some(&b's') {
                continue;
            }
            at += count + unit.len();
        }
    }
    at
}

/// How long the dotted quad is that the text begins with; the size of its parts does not matter here.
fn address4(text: &[u8]) -> usize {
    let mut at = 0;
    for part in 0..4 {
        let count = digits(&text[at..]).min(3);
        if count == 0 {
            return 0;
        }
        at += count;
        if part < 3 {
            if text.get(at) != Some(&b'.') {
                return 0;
            }
            at += 1;
        }
    }
    at
}

/// How long the IPv6 address is that the text begins with.
fn address6(text: &[u8]) -> usize {
    const LONGEST: usize = 45;
    let run = text.iter().take(LONGEST).position(|byte| !(byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.')));
    let run = &text[..run.unwrap_or(text.len().min(LONGEST))];
    if memchr::memchr(b':', run).is_none() {
        return 0;
    }
    let valid =
        |length: &usize| std::str::from_utf8(&run[..*length]).is_ok_and(|text| text.parse::<Ipv6Addr>().is_ok());
    (2..=run.len()).rev().find(valid).unwrap_or(0)
}

fn mac(text: &[u8]) -> usize {
    let mut at = 0;
    for part in 0..6 {
        let count = text[at..].iter().take(2).take_while(|byte| byte.is_ascii_hexdigit()).count();
        if count == 0 {
            return 0;
        }
        at += count;
        if part < 5 {
            if text.get(at) != Some(&b':') {
                return 0;
            }
            at += 1;
        }
    }
    at
}

/// `1:ffff`, if a blank, a colon, a dash, a comma or a brace follows.
fn class_id(text: &[u8]) -> usize {
    let hex = |text: &[u8]| text.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    let major = hex(text);
    if !(1..=4).contains(&major) || text.get(major) != Some(&b':') {
        return 0;
    }
    let minor = hex(&text[major + 1..]);
    let end = major + 1 + minor;
    let followed = matches!(text.get(end), Some(b' ' | b'\t' | b'\n' | b':' | b'-' | b',' | b'}'));
    if (1..=4).contains(&minor) && followed { end } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(text: &str) -> Vec<&str> {
        let (mut at, mut found) = (0, Vec::new());
        loop {
            let Token { kind, start, end } = token(text.as_bytes(), at, &mut |_, _| ());
            if kind == Kind::End {
                return found;
            }
            found.push(&text[start..end]);
            at = end;
        }
    }

    #[test]
    fn the_longest_token_counts() {
        assert_eq!(tokens("ssh-http 22-80 .foo a.b"), ["ssh-http", "22", "-", "80", ".foo", "a.b"]);
        assert_eq!(tokens("10.0.0.1-10.0.0.9 10.0.0.0/8"), ["10.0.0.1", "-", "10.0.0.9", "10.0.0.0", "/", "8"]);
        assert_eq!(
            tokens("2001:db8::1-2001:db8::9 ::/0 ::ffff:1.2.3.4"),
            ["2001:db8::1", "-", "2001:db8::9", "::", "/", "0", "::ffff:1.2.3.4"]
        );
        assert_eq!(
            tokens("1.2.3.4:80 22:accept [::1]:80"),
            ["1.2.3.4", ":", "80", "22", ":", "accept", "[::1]", ":", "80"]
        );
        assert_eq!(tokens("10mbytes 1h30m 5ms 0x1f 8021q"), ["10m", "bytes", "1h30m", "5ms", "0x1f", "8021q"]);
        assert_eq!(tokens("00:11:22:33:44:55 1:2 eth* dead"), ["00:11:22:33:44:55", "1:2", "eth*", "dead"]);
        assert_eq!(tokens("a . b\\\n c \"x y\" d"), ["a", ".", "b", "c", "\"x y\"", "d"]);
    }

    #[test]
    fn a_comment_takes_its_line_with_it_only_if_it_is_alone() {
        assert_eq!(tokens("a # b\n # c\n\n# d"), ["a", "\n", "\n", "# d"]);
    }

    #[test]
    fn numbers_are_read_as_in_c() {
        assert_eq!(value(b"0x1F"), Some(31));
        assert_eq!(value(b"017"), Some(15));
        assert_eq!(value(b"18446744073709551615"), Some(u64::MAX));
        assert_eq!(value(b"18446744073709551616"), None);
    }
}
