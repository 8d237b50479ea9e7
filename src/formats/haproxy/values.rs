//! Values of settings: which HAProxy takes, and how they read once normalised.

use super::forms;
use super::lex::{Word, joined};
use super::samples::Sample;
use crate::text::Span;

type Fault = (Span, String);

/// Whether HAProxy takes the values of a setting.
pub(super) fn check(key: &str, values: &[Word]) -> Result<(), Fault> {
    if values.iter().any(|word| word.unknown) {
        return Ok(());
    }
    let Some(first) = values.first() else { return Ok(()) };
    forms::check_both(key, values)?;
    let one_of = |known: &[&str]| {
        let name = first.text.split('(').next().unwrap_or_default();
        if known.contains(&name) {
            return Ok(());
        }
        Err((first.at, format!("`{key}` does not know `{}`: HAProxy refuses the file", first.text)))
    };
    match key {
        _ if key.starts_with("timeout ") => time(first),
        "clitcpka-idle" | "clitcpka-intvl" | "srvtcpka-idle" | "srvtcpka-intvl" => time(first),
        "maxconn"
        | "backlog"
        | "fullconn"
        | "retries"
        | "max-keep-alive-queue"
        | "id"
        | "clitcpka-cnt"
        | "srvtcpka-cnt"
        | "rate-limit sessions" => {
            if first.text.trim_start_matches('-').bytes().any(|b| !b.is_ascii_digit()) {
                return Err((first.at, format!("`{}` is no number", first.text)));
            }
            Ok(())
        }
        "balance" => balance(values).and_then(|()| {
            one_of(&[
                "roundrobin",
                "static-rr",
                "leastconn",
                "first",
                "source",
                "uri",
                "url_param",
                "hdr",
                "random",
                "rdp-cookie",
                "hash",
                "log-hash",
                "sticky",
            ])
        }),
        "hash-type" => one_of(&["map-based", "consistent"]),
        "retry-on" if values.len() > 1 && values.iter().any(|word| word.text == "none") => {
            Err((first.at, "`none` stands alone: HAProxy refuses the file".to_owned()))
        }
        "retry-on" => values.iter().try_for_each(|word| {
            const EVENTS: &str = "none conn-failure empty-response junk-response response-timeout 0rtt-rejected \
                all-retryable-errors 401 403 404 408 421 425 429 500 501 502 503 504";
            if EVENTS.split_ascii_whitespace().any(|known| known == word.text) {
                return Ok(());
            }
            Err((word.at, format!("`retry-on` does not know `{}`: HAProxy refuses the file", word.text)))
        }),
        "http-reuse" => one_of(&["never", "safe", "aggressive", "always"]),
        "load-server-state-from-file" => one_of(&["global", "local", "none"]),
        "http-check" => one_of(&[
            "comment",
            "connect",
            "disable-on-404",
            "expect",
            "send",
            "send-state",
            "set-var",
            "set-var-fmt",
            "unset-var",
        ]),
        "tcp-check" => one_of(&[
            "comment",
            "connect",
            "expect",
            "send",
            "send-binary",
            "send-binary-lf",
            "send-lf",
            "set-var",
            "set-var-fmt",
            "unset-var",
        ]),
        "compression" => one_of(&[
            "algo",
            "algo-req",
            "algo-res",
            "type",
            "type-req",
            "type-res",
            "offload",
            "direction",
            "minsize-req",
            "minsize-res",
        ]),
        "stick" => one_of(&["match", "on", "store-request", "store-response"]),
        "filter" if first.text.starts_with("lua.") => Ok(()),
        "filter" => one_of(&[
            "trace",
            "compression",
            "spoe",
            "cache",
            "fcgi-app",
            "opentracing",
            "bwlim-in",
            "bwlim-out",
            "comp-req",
            "comp-res",
        ]),
        "errorfile" | "errorloc" | "errorloc302" | "errorloc303" => {
            const CODES: [&str; 19] = [
                "200", "400", "401", "403", "404", "405", "407", "408", "410", "413", "414", "422", "425", "429",
                "431", "500", "501", "502", "503",
            ];
            if CODES.contains(&first.text.as_str()) || first.text == "504" {
                return Ok(());
            }
            Err((first.at, format!("`{}` has no error file: HAProxy refuses the file", first.text)))
        }
        _ => Ok(()),
    }
}

/// Whether HAProxy takes what stands behind an algorithm.
fn balance(values: &[Word]) -> Result<(), Fault> {
    let Some((first, more)) = values.split_first() else { return Ok(()) };
    let refuse = |at: Span, why: &str| Err((at, format!("{why}: HAProxy refuses the file")));
    let known: &[&str] = match first.text.as_str() {
        "hdr" | "hdr()" => return refuse(first.at, "`hdr` is followed by a name in parentheses"),
        "url_param" if more.is_empty() => return refuse(first.at, "`url_param` is followed by a name"),
        "hash" => match more.first().map(|word| Sample::whole(&word.text)) {
            Some(Ok(_)) => return Ok(()),
            Some(Err(_)) | None => return refuse(first.at, "`hash` is followed by an expression"),
        },
        "url_param" => &["check_post"],
        name if name.starts_with("hdr(") && !name.ends_with(')') => {
            return refuse(first.at, "`hdr` is followed by a name in parentheses");
        }
        name if name.starts_with("hdr(") => &["use_domain_only"],
        "uri" => &["len", "depth", "whole", "path-only"],
        name if name.starts_with("random(") && drawn(name).is_none() => {
            return refuse(first.at, "`random` is followed by the number of servers that are drawn");
        }
        name if name.starts_with("rdp-cookie(") && !name.ends_with(')') => {
            return refuse(first.at, "`rdp-cookie` is followed by a name in parentheses");
        }
        _ => return Ok(()),
    };
    let more = if first.text == "url_param" { more.get(1..).unwrap_or_default() } else { more };
    let counted = |pair: &&[Word]| {
        matches!(pair[0].text.as_str(), "len" | "depth") && pair.get(1).is_none_or(|n| n.text.parse::<u32>().is_err())
    };
    let mut tails = (0..more.len()).map(|at| &more[at..]);
    if let Some(tail) = tails.find(counted) {
        return refuse(tail[0].at, &format!("`{}` is followed by a number", tail[0].text));
    }
    let other = more.iter().find(|word| !known.contains(&word.text.as_str()) && word.text.parse::<u32>().is_err());
    other.map_or(Ok(()), |other| refuse(other.at, &format!("`{}` is not expected here", other.text)))
}

/// How many servers `random(…)` draws.
fn drawn(name: &str) -> Option<u32> {
    let number = name.strip_prefix("random(")?.split(')').next()?;
    if number.is_empty() { Some(2) } else { number.parse().ok().filter(|drawn| *drawn > 0) }
}

/// Where log messages go: an address, what kind of message they are, and how important.
pub(super) fn log(values: &[Word]) -> Result<(), Fault> {
    let Some(first) = values.first().filter(|_| values.iter().all(|word| !word.unknown)) else { return Ok(()) };
    if first.text.is_empty() {
        return Err((first.at, "`log` is followed by an address: HAProxy refuses the file".to_owned()));
    }
    if first.text == "global" && values.len() == 1 {
        return Ok(());
    }
    let mut at = 1;
    while let Some((word, value)) = values.get(at).zip(values.get(at + 1)) {
        let fits = match word.text.as_str() {
            "len" => value.text.parse::<u32>().is_ok_and(|length| (80..=65535).contains(&length)),
            "format" => FORMATS.split_ascii_whitespace().any(|known| known == value.text),
            "sample" => sampled(&value.text),
            "profile" => true,
            _ => break,
        };
        if !fits {
            let why =
                format!("`{}` is nothing that stands behind `{}`: HAProxy refuses the file", value.text, word.text);
            return Err((value.at, why));
        }
        at += 2;
    }
    let Some(facility) = values.get(at) else {
        return Err((first.at, "`log` is followed by an address and a facility: HAProxy refuses the file".to_owned()));
    };
    const FORMATS: &str = "local rfc3164 rfc5424 priority short timed iso raw";
    const FACILITIES: &str = "kern user mail daemon auth syslog lpr news uucp cron auth2 ftp ntp audit alert cron2 local0 \
        local1 local2 local3 local4 local5 local6 local7";
    const LEVELS: &str = "emerg alert crit err warning notice info debug";
    let refuse =
        |word: &Word, what: &str| Err((word.at, format!("`{}` is no {what}: HAProxy refuses the file", word.text)));
    if !FACILITIES.split_ascii_whitespace().any(|known| known == facility.text) {
        return refuse(facility, "log facility");
    }
    for word in values.iter().skip(at + 1).take(2) {
        if !LEVELS.split_ascii_whitespace().any(|known| known == word.text) {
            return refuse(word, "log level");
        }
    }
    match values.get(at + 3) {
        Some(extra) => refuse(extra, "part of `log`"),
        None => Ok(()),
    }
}

/// Which messages of how many are sent: `1,3-4:5`.
fn sampled(text: &str) -> bool {
    let Some((ranges, size)) = text.split_once(':') else { return false };
    let Ok(size) = size.parse::<u32>() else { return false };
    ranges.split(',').all(|range| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let number = |text: &str| text.parse::<u32>().ok();
        number(first).zip(number(last)).is_some_and(|(first, last)| first <= last && last <= size)
    })
}

/// Values as they read: times in milliseconds.
pub(super) fn normal(key: &str, values: &[Word]) -> String {
    match values.first() {
        Some(first) if key.starts_with("timeout ") && !first.unknown => plain_time(&first.text),
        Some(_) | None => joined(values),
    }
}

/// A time with a unit, in milliseconds where there is none.
pub(super) fn time(word: &Word) -> Result<(), Fault> {
    if word.unknown || milliseconds(&word.text).is_some() {
        return Ok(());
    }
    Err((word.at, format!("`{}` is no time: HAProxy refuses the file", word.text)))
}

/// A time as it reads once normalised.
pub(super) fn plain_time(text: &str) -> String {
    milliseconds(text).map_or_else(|| text.to_owned(), |ms| format!("{ms}ms"))
}

pub(super) fn milliseconds(text: &str) -> Option<u64> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let number: u64 = text[..end].parse().ok()?;
    let of_one: u64 = match &text[end..] {
        "us" => return Some(number.div_ceil(1000)),
        "" | "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    number.checked_mul(of_one).filter(|ms| *ms <= i32::MAX as u64)
}

/// `source` and what may follow it.
pub(super) fn source(values: &[Word]) -> Result<(), Fault> {
    let mut at = 1;
    while let Some(word) = values.get(at) {
        match word.text.as_str() {
            "usesrc" | "interface" if values.get(at + 1).is_some() => at += 2,
            other => return Err((word.at, format!("`{other}` is not expected here: HAProxy refuses the file"))),
        }
    }
    Ok(())
}

/// The name of a map file in `map(file)` and the like, and what a value without an entry becomes.
pub(super) fn map_of(sample: &Sample) -> Option<(&str, Option<&str>)> {
    let last = sample.converters.last()?;
    let first = last.arguments.first()?;
    last.name.starts_with("map").then(|| (first.as_str(), last.arguments.get(1).map(String::as_str)))
}
