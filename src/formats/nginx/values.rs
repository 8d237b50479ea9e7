//! The forms of words: which nginx reads, and which it refuses (`ngx_parse.c`, `ngx_string.c`, `ngx_hash.c`, `ngx_inet.c`).

use super::directives::Form;
use super::shapes;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

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
        (Form::Time, _) => all(|word| time(word, Unit::Milliseconds).is_some()),
        (Form::Shape(shape), words) => shapes::fits(shape, words),
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
    let number = std::str::from_utf8(word).ok().filter(|_| digits)?.parse::<u64>().ok()?;
    (number <= i64::MAX as u64).then_some(number)
}

/// A size: `8k`, `1m`, `2g`.
pub(super) fn size(word: &[u8]) -> Option<u64> {
    let (digits, unit) = match word {
        [digits @ .., b'k' | b'K'] => (digits, 1 << 10),
        [digits @ .., b'm' | b'M'] => (digits, 1 << 20),
        [digits @ .., b'g' | b'G'] => (digits, 1 << 30),
        digits => (digits, 1_u64),
    };
    number(digits)?.checked_mul(unit).filter(|size| *size <= i64::MAX as u64)
}

/// How times are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    Seconds,
    Milliseconds,
}

/// A time: `5`, `1m30s`, `1h 30m`; a smaller unit stands behind a larger one. Where milliseconds are counted there are no
/// months, and where seconds are there are no milliseconds (`ngx_parse_time`).
pub(super) fn time(word: &[u8], unit: Unit) -> Option<u64> {
    const SECONDS: &[(&[u8], u64)] =
        &[(b"y", 31_536_000), (b"M", 2_592_000), (b"w", 604_800), (b"d", 86_400), (b"h", 3_600), (b"m", 60), (b"s", 1)];
    let each = match unit {
        Unit::Seconds => 1,
        Unit::Milliseconds => 1_000,
    };
    let (mut rest, mut total, mut valid) = (word, 0_u64, false);
    let mut from = if unit == Unit::Seconds { 0 } else { 2 };
    while !rest.is_empty() {
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        valid |= digits > 0;
        let value = if digits == 0 { 0 } else { number(&rest[..digits])? };
        rest = &rest[digits..];
        let (length, scale) = match rest {
            [] => (0, each),
            [b'm', b's', ..] if unit == Unit::Milliseconds && from <= SECONDS.len() => {
                from = SECONDS.len() + 1;
                (2, 1)
            }
            [b'm', b's', ..] => return None,
            [b' ', ..] if from < SECONDS.len() => {
                from = SECONDS.len() + 2;
                (1, each)
            }
            _ => {
                let at = SECONDS.iter().position(|(name, _)| rest.starts_with(name)).filter(|at| *at >= from)?;
                from = at + 1;
                (1, SECONDS[at].1 * each)
            }
        };
        total = total.checked_add(value.checked_mul(scale)?)?;
        rest = &rest[length..];
        rest = &rest[rest.iter().take_while(|byte| **byte == b' ').count()..];
    }
    Some(total).filter(|total| valid && *total <= i64::MAX as u64)
}

/// Whether a word is a time as `expires` takes it: with a sign, at an hour of a day, or computed.
pub(super) fn expires(word: &[u8], daily: bool) -> bool {
    match word {
        b"epoch" | b"max" | b"off" => daily,
        _ if word.contains(&b'$') => true,
        [b'@', rest @ ..] => daily && time(rest, Unit::Seconds).is_some_and(|time| time <= 86_400),
        [b'+' | b'-', rest @ ..] | rest => time(rest, Unit::Seconds).is_some(),
    }
}

/// An address of the fourth version as nginx reads it, which lets numbers begin with zeros; others as they are.
pub(super) fn plain(word: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(word).ok()?;
    if text.contains(':') {
        return Some(text.to_owned());
    }
    let (address, length) = text.split_once('/').map_or((text, None), |(address, length)| (address, Some(length)));
    let part = |part: &str| number(part.as_bytes()).filter(|part| *part < 256).map(|part| part.to_string());
    let parts: Option<Vec<String>> = address.split('.').map(part).collect();
    let address = parts.filter(|parts| parts.len() == 4)?.join(".");
    Some(match length {
        None => address,
        Some(length) => format!("{address}/{}", number(length.as_bytes())?),
    })
}

/// Whether a word is an address or a network.
pub(super) fn is_network(word: &[u8]) -> bool {
    let Some(text) = plain(word) else { return false };
    let (address, length) = text.split_once('/').map_or((&*text, None), |(address, length)| (address, Some(length)));
    let Ok(address) = address.parse::<IpAddr>() else { return false };
    let most = if address.is_ipv4() { 32 } else { 128 };
    length.is_none_or(|length| number(length.as_bytes()).is_some_and(|length| length <= most))
}

/// Whether a word is a range of addresses.
pub(super) fn is_range(word: &[u8]) -> bool {
    let at = word.iter().position(|byte| *byte == b'-').unwrap_or(word.len());
    let address = |text: &[u8]| plain(text)?.parse::<Ipv4Addr>().ok();
    let ends = address(&word[..at]).zip(word.get(at + 1..).and_then(address));
    ends.is_some_and(|(first, last)| first <= last)
}

/// The host and the port of `host`, `host:80`, `[::1]:80`, `unix:/path` (`ngx_parse_url`); `None`: it is no place.
pub(super) fn place(word: &[u8]) -> Option<(&[u8], Option<&[u8]>)> {
    if let Some(path) = word.strip_prefix(b"unix:") {
        // A socket needs no port.
        return (!path.is_empty()).then_some((word, Some(&b""[..])));
    }
    if let Some(rest) = word.strip_prefix(b"[") {
        let at = rest.iter().position(|byte| *byte == b']')?;
        std::str::from_utf8(&rest[..at]).ok()?.parse::<Ipv6Addr>().ok()?;
        let port = match &rest[at + 1..] {
            [] => None,
            [b':', port @ ..] => Some(port),
            _ => return None,
        };
        return Some((&rest[..at], port));
    }
    let (host, port) = match word.iter().position(|byte| *byte == b':') {
        Some(at) => (&word[..at], Some(&word[at + 1..])),
        None => (word, None),
    };
    let strange = |byte: &u8| matches!(byte, b'/' | b'$' | b'*' | b' ' | b'\t' | b'#' | b'@');
    let colons = port.is_some_and(|port| port.contains(&b':'));
    (!host.is_empty() && !host.iter().any(strange) && !colons).then_some((host, port))
}

/// Whether a word is a place, with a port that there is if it says one.
pub(super) fn is_place(word: &[u8]) -> bool {
    let right =
        |port: &[u8]| word.starts_with(b"unix:") || number(port).is_some_and(|port| (1..=65_535).contains(&port));
    place(word).is_some_and(|(_, port)| port.is_none_or(right))
}

/// Whether a word is where a server may listen, whatever its ports are.
pub(super) fn is_listen(word: &[u8]) -> bool {
    match word {
        b"*" => true,
        [b'*', b':', ..] => true,
        _ => place(word).is_some_and(|(host, _)| !host.starts_with(b"-")),
    }
}

/// Whether a word says how long connections are kept: `on`, `off`, or three parts of which one is not empty.
pub(super) fn is_kept(word: &[u8]) -> bool {
    let parts: Vec<&[u8]> = word.splitn(3, |byte| *byte == b':').collect();
    let value = |at: usize, seconds: bool| match parts.get(at) {
        None | Some([]) => Some(0),
        Some(part) if seconds => time(part, Unit::Seconds),
        Some(part) => number(part),
    };
    let all = (value(0, true), value(1, true), value(2, false));
    matches!(word, b"on" | b"off") || matches!(all, (Some(idle), Some(pause), Some(count)) if idle + pause + count > 0)
}

/// Whether a word says how many requests may come: `1r/s`, `30r/m`.
pub(super) fn is_rate(word: &[u8]) -> bool {
    let count = word.strip_suffix(b"r/s").or_else(|| word.strip_suffix(b"r/m")).unwrap_or(word);
    number(count).is_some_and(|count| count > 0)
}

/// Whether a word is `name:size` of a zone that is large enough.
pub(super) fn is_zone(word: &[u8], least: u64) -> bool {
    let at = word.iter().position(|byte| *byte == b':').unwrap_or(word.len());
    at > 0 && word.get(at + 1..).is_some_and(|size| zone_size(size, least))
}

/// Whether a word is a size that is large enough.
pub(super) fn zone_size(word: &[u8], least: u64) -> bool {
    size(word).is_some_and(|size| size >= least)
}

/// Whether a word is how folders of a cache are called: `1:2`, three at most.
pub(super) fn is_levels(word: &[u8]) -> bool {
    let levels: Vec<&[u8]> = word.split(|byte| *byte == b':').collect();
    word.is_empty() || (levels.len() <= 3 && levels.iter().all(|level| matches!(*level, b"1" | b"2")))
}

/// Whether a word says who may use a file: `user:rw`.
pub(super) fn is_access(word: &[u8]) -> bool {
    let who = [&b"user:"[..], b"group:", b"all:"].iter().find_map(|who| word.strip_prefix(*who));
    who.is_some_and(|what| matches!(what, b"r" | b"rw"))
}

/// Whether a word is a cache of sessions of TLS.
pub(super) fn is_cache_of_tls(word: &[u8]) -> bool {
    let builtin = || word.strip_prefix(b"builtin:").is_some_and(|size| number(size).is_some());
    let shared = || word.strip_prefix(b"shared:").is_some_and(|zone| is_zone(zone, 8 * 4096));
    matches!(word, b"off" | b"none" | b"builtin") || builtin() || shared()
}

/// Whether a word is where lines of a log go: a file, `memory:32m`, or `syslog:` with parameters that there are
/// (`ngx_syslog_parse_args`).
pub(super) fn is_file_of_log(word: &[u8]) -> bool {
    const FACILITIES: &str = "kern user mail daemon auth intern lpr news uucp clock authpriv ftp ntp audit alert cron local0 \
        local1 local2 local3 local4 local5 local6 local7";
    const SEVERITIES: &str = "emerg alert crit error warn notice info debug";
    if let Some(length) = word.strip_prefix(b"memory:") {
        return size(length).is_some();
    }
    let Some(parameters) = word.strip_prefix(b"syslog:") else { return true };
    let one_of = |known: &str, word: &[u8]| known.split(' ').any(|known| known.as_bytes() == word);
    let right = |parameter: &[u8]| {
        let at = parameter.iter().position(|byte| *byte == b'=').unwrap_or(parameter.len());
        match (&parameter[..at], parameter.get(at + 1..)) {
            (b"nohostname", None) => true,
            (b"server", Some(place)) => is_place(place),
            (b"facility", Some(name)) => one_of(FACILITIES, name),
            (b"severity", Some(name)) => one_of(SEVERITIES, name),
            (b"tag", Some(tag)) => {
                tag.len() <= 32 && tag.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
            }
            _ => false,
        }
    };
    let mut all = parameters.split(|byte| *byte == b',');
    all.clone().any(|parameter| parameter.starts_with(b"server=")) && all.all(right)
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

#[cfg(test)]
mod tests {
    use super::{Unit, is_hashed, is_network, is_place, is_range, is_server_name, size, time};

    #[test]
    fn words_have_forms() {
        let all = |check: fn(&[u8]) -> bool, words: &[&str]| words.iter().all(|word| check(word.as_bytes()));
        let of = |unit| move |word: &str| time(word.as_bytes(), unit).is_some();
        let (short, long) = (of(Unit::Milliseconds), of(Unit::Seconds));
        assert!(["5", "0", "5s", "1m30s", "1h 30m", "1h5", "5s ", "1d", "1s500ms", "500ms"].into_iter().all(short));
        assert!(["5", "1M", "1y", "1y1M1w1d1h1m1s", "1h 5"].into_iter().all(long));
        assert!(!["", "a", "1x", "s", "1s1m", "-1", "5 s", "1M", "1y", "1.5s", "1ms1s"].into_iter().any(short));
        assert!(!["500ms", "1d1d", "99999999999999999999"].into_iter().any(long));
        assert!(all(is_network, &["10.0.0.0/8", "010.0.0.1", "1.2.3.4/032", "::1", "::/0"]));
        assert!(all(
            |word| !is_network(word),
            &["10.0.0", "10.0.0.0/33", "256.1.1.1", "a", "::/129", "1.1.1.1-1.1.1.2"]
        ));
        assert!(is_range(b"10.0.0.0-10.0.0.9") && !is_range(b"10.0.0.9-10.0.0.0") && !is_range(b"10.0.0.0"));
        assert!(all(is_place, &["a", "a:80", "[::1]", "[::1]:80", "unix:/x", "127.0.0.1:65535"]));
        assert!(all(
            |word| !is_place(word),
            &["", ":80", "a:0", "a:65536", "::1", "[::1", "[x]:80", "unix:", "a/b", "$a"]
        ));
        assert!(all(|word| size(word).is_some(), &["0", "1k", "8K", "1m", "2g"]));
        assert!(all(|word| size(word).is_none(), &["", "k", "x", "-1", "1t", "1.5k"]));
        assert!(all(|name| !is_server_name(name), &["*", "*a", ".", "~"]) && is_server_name(b"*.a"));
        assert!(all(is_hashed, &["", "a", ".a", "*.a.b", "www.*", "~x", "_"]));
        assert!(all(|name| !is_hashed(name), &["*", "a*b", "a.*.b", "*.*.a", "a..b"]));
    }
}
