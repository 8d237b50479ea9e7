//! Which words a directive takes in which order, as a table says it in one text.
//!
//! `off | <text> <any>? : max=<positive>! inactive=<time>` reads: `off` alone; or a text that is not empty, maybe any other
//! word, then options in any order, of which the one that is marked must be there. Alternatives of one word are parted by
//! commas. `?`: it may be missing; `+`, `*`: it may be there more than once.

use super::expressions::{captured, is_broken};
use super::values::{
    Unit, expires, is_access, is_cache_of_tls, is_file_of_log, is_kept, is_levels, is_network, is_place, is_rate,
    is_zone, number, size, time, zone_size,
};
use super::variables::captures;

/// Whether words are as a shape says.
pub(super) fn fits(shape: &str, words: &[&[u8]]) -> bool {
    shape.split(" | ").any(|one| alternative(one, words))
}

fn alternative(shape: &str, words: &[&[u8]]) -> bool {
    let (places, options) = match shape.split_once(": ") {
        Some((places, options)) => (places, Some(options)),
        None => (shape, None),
    };
    let mut rest = words;
    let places: Vec<&str> = places.split_ascii_whitespace().collect();
    for (at, token) in places.iter().enumerate() {
        let later = places[at + 1..].iter().filter(|token| !token.ends_with(['?', '*'])).count();
        let (kind, least, most) = match token.as_bytes() {
            [.., b'?'] => (&token[..token.len() - 1], 0, 1),
            [.., b'+'] => (&token[..token.len() - 1], 1, usize::MAX),
            [.., b'*'] => (&token[..token.len() - 1], 0, usize::MAX),
            _ => (*token, 1, 1),
        };
        let most = most.min(rest.len().saturating_sub(later));
        let taken = rest.iter().take(most).take_while(|word| is(kind, word)).count();
        if taken < least {
            return false;
        }
        rest = &rest[taken..];
    }
    options.map_or(rest.is_empty(), |options| are_options(options, rest))
}

fn are_options(options: &str, words: &[&[u8]]) -> bool {
    let options: Vec<(&str, bool)> = options
        .split_ascii_whitespace()
        .map(|token| token.strip_suffix('!').map_or((token, false), |token| (token, true)))
        .collect();
    let of = |word: &[u8]| {
        let named = options.iter().position(|(token, _)| {
            let key = token.split_once('=').map(|(key, _)| key.as_bytes());
            key.is_some_and(|key| word.strip_prefix(key).is_some_and(|rest| rest.starts_with(b"=")))
        });
        match named {
            Some(at) => {
                let (key, kind) = options[at].0.split_once('=')?;
                is(kind, &word[key.len() + 1..]).then_some(at)
            }
            None => options.iter().position(|(token, _)| !token.contains('=') && is(token, word)),
        }
    };
    let found: Option<Vec<usize>> = words.iter().map(|word| of(word)).collect();
    let Some(found) = found else { return false };
    options.iter().enumerate().all(|(at, (_, needed))| !needed || found.contains(&at))
}

/// Whether a word is of a kind, or one of those that are named.
fn is(kind: &str, word: &[u8]) -> bool {
    let Some(name) = kind.strip_prefix('<').and_then(|kind| kind.strip_suffix('>')) else {
        return kind.split(',').any(|known| known.as_bytes() == word);
    };
    if let Some((first, last)) = name.split_once("..") {
        let within = |value: u64| {
            number(first.as_bytes()).is_some_and(|first| first <= value)
                && number(last.as_bytes()).is_some_and(|last| value <= last)
        };
        return number(word).is_some_and(within);
    }
    match name {
        "any" => true,
        "text" => !word.is_empty(),
        "number" => number(word).is_some(),
        "signed" => number(word.strip_prefix(b"-").unwrap_or(word)).is_some(),
        "positive" => number(word).is_some_and(|value| value > 0),
        "size" => size(word).is_some(),
        "pool" => size(word).is_some_and(|size| size >= 64 && size % 16 == 0),
        "time" => time(word, Unit::Milliseconds).is_some(),
        "seconds" => time(word, Unit::Seconds).is_some(),
        "expires" => expires(word, true),
        "age" => expires(word, false),
        "zone" => is_zone(word, 8 * 4096),
        "keys" => is_zone(word, 2 * 4096),
        "pages" => zone_size(word, 8 * 4096),
        "answer" => word == b"any" || number(word).is_some_and(|code| (100..=999).contains(&code)),
        "rate" => is_rate(word),
        "levels" => is_levels(word),
        "access" => is_access(word),
        "sessions" => is_cache_of_tls(word),
        "mark" => matches!(word, [b'='] | [b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z']),
        "version" => !word.is_empty() && word.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.'),
        "bits" => !word.is_empty() && word.iter().all(|byte| matches!(byte, b'0' | b'1' | b' ')),
        "log" => is_file_of_log(word),
        "file" => word != b"off" && is_file_of_log(word),
        "plain" => word != b"off" && is_file_of_log(word) && !word.contains(&b'$') && !word.starts_with(b"syslog:"),
        "escape" => {
            let escape = word.strip_prefix(b"escape=");
            escape.is_none_or(|escape| matches!(escape, b"default" | b"json" | b"none"))
        }
        "network" => is_network(word),
        "host" => !word.contains(&b'/') || is_network(word),
        "place" => is_place(word),
        "kept" => is_kept(word),
        "referer" => is_referer(word),
        "regex" => !is_broken(word, &captures(word)),
        "split" => !is_broken(word, &captures(word)) && captured(word) == 2,
        "text-or-regex" => match word.strip_prefix(b"~") {
            Some(rest) => {
                let expression = rest.strip_prefix(b"*").unwrap_or(rest);
                !is_broken(expression, &captures(expression))
            }
            None => true,
        },
        // The tests ask every directive of the table.
        _ => false,
    }
}

/// Whether a word is one of those that `valid_referers` takes.
fn is_referer(word: &[u8]) -> bool {
    match word {
        b"" | b"*" => false,
        [b'~', rest @ ..] => !is_broken(rest, &captures(rest)),
        _ => {
            let word =
                [&b"http://"[..], b"https://"].iter().find_map(|scheme| word.strip_prefix(*scheme)).unwrap_or(word);
            super::values::is_hashed(word.split(|byte| *byte == b'/').next().unwrap_or(word))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::fits;

    #[test]
    fn words_have_shapes() {
        let is = |shape: &str, text: &str| {
            let words: Vec<&[u8]> = text.split_ascii_whitespace().map(str::as_bytes).collect();
            fits(shape, &words)
        };
        let cache = ": off! max=<positive> inactive=<time> | : max=<positive>! inactive=<time>";
        for right in ["off", "max=10", "max=10 inactive=5s", "inactive=5s max=1", "max=5 off"] {
            assert!(is(cache, right), "{right}");
        }
        for wrong in ["", "inactive=5s", "max=x", "max=5 foo", "foo"] {
            assert!(!is(cache, wrong), "{wrong}");
        }
        assert!(is("<text> <positive>* : a=<0..9>", "x 1 2 a=3") && !is("<text> <positive>* : a=<0..9>", "x 1 2 a=10"));
        assert!(is("on,off", "on") && !is("on,off", "on off") && !is("on,off", "ON"));
        assert!(is("<any> always?", "a") && is("<any> always?", "a always") && !is("<any> always?", "a b"));
    }
}
