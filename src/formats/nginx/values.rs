//! The forms of words: which nginx reads, and which it refuses (`ngx_parse.c`, `ngx_string.c`, `ngx_hash.c`, `ngx_inet.c`).

use super::directives::Form;
use std::net::{IpAddr, Ipv4Addr};

/// Whether words are of a form.
pub(super) fn fits(form: Form, words: &[&[u8]]) -> bool {
    let all = |check: fn(&[u8]) -> bool| words.iter().all(|word| check(word));
    match (form, words) {
        (Form::Any | Form::Block, _) => true,
        (Form::Flag, _) => all(|word| word.eq_ignore_ascii_case(b"on") || word.eq_ignore_ascii_case(b"off")),
        (Form::Number, _) => all(|word| number(word).is_some()),
        (Form::Positive, _) => all(|word| number(word).is_some_and(|number| number > 0)),
        (Form::Size, _) => all(|word| size(word).is_some()),
        (Form::Rate, _) => all(|word| word.contains(&b'$') || size(word).is_some()),
        (Form::Time | Form::Times, _) => all(is_time),
        (Form::Buffers, [count, each]) => number(count).is_some_and(|n| n > 0) && size(each).is_some_and(|n| n > 0),
        (Form::Buffers, _) => false,
        (Form::Words(known), _) => {
            words.iter().all(|word| known.iter().any(|known| word.eq_ignore_ascii_case(known.as_bytes())))
        }
        (Form::Processes, _) => all(|word| word == b"auto" || number(word).is_some_and(|number| number > 0)),
    }
}

/// A number without a sign.
pub(super) fn number(word: &[u8]) -> Option<u64> {
    let digits = !word.is_empty() && word.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(word).ok().filter(|_| digits)?.parse().ok()
}

/// A size: `8k`, `1m`, `2g`.
pub(super) fn size(word: &[u8]) -> Option<u64> {
    let (digits, unit) = match word {
        [digits @ .., b'k' | b'K'] => (digits, 1 << 10),
        [digits @ .., b'm' | b'M'] => (digits, 1 << 20),
        [digits @ .., b'g' | b'G'] => (digits, 1 << 30),
        digits => (digits, 1_u64),
    };
    number(digits)?.checked_mul(unit)
}

/// Whether a word is a time: `5`, `1m30s`, `1h 30m`; a smaller unit stands behind a larger one.
pub(super) fn is_time(word: &[u8]) -> bool {
    const UNITS: &[&[u8]] = &[b"y", b"M", b"w", b"d", b"h", b"m", b"s"];
    let (mut rest, mut from) = (word, 0);
    if word.is_empty() {
        return false;
    }
    while !rest.is_empty() {
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if digits == 0 {
            return false;
        }
        rest = &rest[digits..];
        if let Some(after) = rest.strip_prefix(b"ms") {
            return after.is_empty();
        }
        let Some(unit) = UNITS.iter().position(|unit| rest.starts_with(unit)) else {
            // Without a unit it is seconds.
            return rest.is_empty() && from < UNITS.len();
        };
        if unit < from {
            return false;
        }
        from = unit + 1;
        rest = rest[1..].trim_ascii_start();
    }
    true
}

/// Whether a word is an address or a network.
pub(super) fn is_network(word: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(word) else { return false };
    let (address, length) = text.split_once('/').map_or((text, None), |(address, length)| (address, Some(length)));
    let Ok(address) = address.parse::<IpAddr>() else { return false };
    let most = if address.is_ipv4() { 32 } else { 128 };
    length.is_none_or(|length| number(length.as_bytes()).is_some_and(|length| length <= most))
}

/// Whether a word is a range of addresses.
pub(super) fn is_range(word: &[u8]) -> bool {
    let ends = std::str::from_utf8(word).ok().and_then(|text| text.split_once('-'));
    let ends = ends.and_then(|(a, b)| Some((a.parse::<Ipv4Addr>().ok()?, b.parse::<Ipv4Addr>().ok()?)));
    ends.is_some_and(|(first, last)| first <= last)
}

/// Whether a name of a server is one (`ngx_http_core_server_name`).
pub(super) fn is_server_name(name: &[u8]) -> bool {
    match name {
        [b'*', b'.', _, ..] => true,
        [b'*', ..] | b"." | b"~" => false,
        _ => true,
    }
}

/// Whether names can be looked up by one, which is asked where there are several (`ngx_hash_add_key`).
pub(super) fn is_hashed(name: &[u8]) -> bool {
    let asterisks = name.iter().filter(|byte| **byte == b'*').count();
    let double = name.windows(2).any(|pair| pair == b"..");
    match name {
        [b'~', ..] => true,
        [b'.', rest @ ..] => !rest.is_empty() && asterisks < 2 && !double,
        [b'*', b'.', rest @ ..] => !rest.is_empty() && asterisks == 1 && !double,
        [.., b'.', b'*'] => asterisks == 1 && !double,
        _ => asterisks == 0 && !double,
    }
}

/// Whether a regular expression surely is none: a parenthesis or bracket without its other half, nothing to repeat, a name
/// twice. What else PCRE refuses is not looked for.
pub(super) fn is_broken(expression: &[u8], names: &[Vec<u8>]) -> bool {
    let (mut depth, mut at, mut nothing) = (0_usize, 0, true);
    while let Some(byte) = expression.get(at) {
        at += 1;
        let was_nothing = std::mem::replace(&mut nothing, false);
        match byte {
            b'\\' if expression.get(at) == Some(&b'Q') => {
                let end = memchr::memmem::find(&expression[at..], br"\E");
                at = end.map_or(expression.len(), |end| at + end + 2);
            }
            b'\\' if at == expression.len() => return true,
            b'\\' => at += 1,
            b'[' => match class(&expression[at..]) {
                Some(length) => at += length,
                None => return true,
            },
            b'(' => {
                depth += 1;
                // `(?` and `(*` say what the group is.
                if matches!(expression.get(at), Some(b'?' | b'*')) {
                    at += 1;
                } else {
                    nothing = true;
                }
            }
            b')' if depth == 0 => return true,
            b')' => depth -= 1,
            b'|' => nothing = true,
            b'*' | b'+' | b'?' if was_nothing => return true,
            _ => {}
        }
    }
    let twice = names.iter().enumerate().any(|(at, name)| names[..at].contains(name));
    let may = [&b"(?J"[..], b"(?|"].iter().any(|start| memchr::memmem::find(expression, start).is_some());
    depth > 0 || (twice && !may)
}

/// How long a class is, without its first bracket.
fn class(text: &[u8]) -> Option<usize> {
    let mut at = usize::from(text.first() == Some(&b'^'));
    // A bracket that stands first is one of its characters.
    at += usize::from(text.get(at) == Some(&b']'));
    while let Some(byte) = text.get(at) {
        at += 1;
        match byte {
            b']' => return Some(at),
            b'\\' => at += 1,
            b'[' if text.get(at) == Some(&b':') => {
                at += memchr::memmem::find(&text[at..], b":]").map_or(0, |end| end + 2);
            }
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::{is_broken, is_hashed, is_server_name, is_time, size};

    #[test]
    fn words_have_forms() {
        let all = |check: fn(&[u8]) -> bool, words: &[&str]| words.iter().all(|word| check(word.as_bytes()));
        assert!(all(is_time, &["5", "0", "5s", "1m30s", "1h 30m", "500ms", "1d", "1M", "1y"]));
        assert!(all(|word| !is_time(word), &["", "a", "1x", "s", "1s1m", "-1"]));
        assert!(all(|word| size(word).is_some(), &["0", "1k", "8K", "1m", "2g"]));
        assert!(all(|word| size(word).is_none(), &["", "k", "x", "-1", "1t", "1.5k"]));
        assert!(all(|name| !is_server_name(name), &["*", "*a", ".", "~"]) && is_server_name(b"*.a"));
        assert!(all(is_hashed, &["", "a", ".a", "*.a.b", "www.*", "~x", "_"]));
        assert!(all(|name| !is_hashed(name), &["*", "a*b", "a.*.b", "*.*.a", "a..b"]));
        let broken = |text: &[u8]| is_broken(text, &[]);
        assert!(all(broken, &["(", ")", "a)", "[a", "*a", "a|*", "(+)", r"a\"]));
        assert!(all(
            |text| !is_broken(text, &[]),
            &[
                "",
                "a",
                r"\(",
                "[]a]",
                "[^]]",
                "(?<x>a)",
                "(?:a)",
                r"\Q(\E",
                "[[:alpha:]]",
                "^*",
                "a|b",
                "(|a)",
                "(*UTF8)a",
                "^/(.*)$"
            ]
        ));
    }
}
