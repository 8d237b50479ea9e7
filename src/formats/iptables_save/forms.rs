//! The forms of values: what `iptables-restore` takes (`XTTYPE_…` of xtables.h and the extensions' own readers), and one
//! spelling for all that mean the same.

use super::normal;
use super::refusals::is_masked;
use super::values::{self, Addresses};
use super::words::Word;
use crate::net::{Family, service_port};
use std::fmt::Write as _;

/// What the value of an option looks like.
#[derive(Debug, Clone, Copy)]
pub(super) enum Form {
    /// Any text; it means itself.
    Text,
    /// The name of a file below /proc/net (xt_recent.c, `recent_mt_check`).
    List,
    /// A number between these.
    Number(u64, u64),
    /// A number up to this, told in hexadecimal.
    Hex(u64),
    /// `5`, `5:9`, `:9` or `5:`, up to this.
    Range(u64),
    /// `5:9`, `:9`, `5:` or `5`, which are one, in order.
    From,
    /// `5` or `0:3`, two that are in order.
    Queues,
    /// `0x1` or `0x1/0xff`.
    Masked,
    /// The same, or a name from a file of the host.
    MaskedOrName,
    /// A number up to this, or a name from a file of the host.
    NumberOrName(u64),
    /// A user or group: a number, two with `-` between them, or a name of the host.
    Owner,
    /// `3/min`, so many of the units of time in a second (`XT_LIMIT_SCALE`).
    Rate(u64),
    /// One of these as the older spelling or the newer.
    OneOf(&'static [(&'static str, &'static str)]),
    /// Some of these, in any order and case. `cut`: the first that begins so counts.
    Some {
        of: &'static [&'static str],
        cut: bool,
    },
    /// Some of these by name or number.
    Options(&'static [(&'static str, u8)]),
    /// `08:00` or `8:00:30`.
    Time,
    /// `2024[-01[-31[T08[:00[:30]]]]]`, in which 1970 to 2038 are the years.
    Date,
    /// `Mon,Tue` or `1,2`.
    Weekdays,
    /// `1,31`
    Monthdays,
    Protocol,
    /// One port or a range, of whatever protocol.
    Ports,
    Address,
    /// `10.0.0.0/24`, what is behind the prefix is of no account.
    Prefix,
    /// `10.0.0.1-10.0.0.9:80-90` or its parts.
    Translated,
    /// One port.
    Port,
    /// `10`, `Minimize-Delay` or `0x10/0x3f`.
    Service,
    /// `EF`, `CS1`, `AF11`
    ServiceClass,
    /// `0.5`, in steps of 2^-31.
    Probability,
    /// The number of a node, which is a bit of a mask.
    Node,
    /// A string of bytes; `hex`: some of them written `|66 6f|`.
    Bytes {
        hex: bool,
    },
    /// `6&0xFF=1`
    U32,
    /// `4,48 0 0 9,…`: how many instructions, and these.
    Bytecode,
    /// `1:f`
    Class,
    /// `250ms`
    Span,
}

const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

impl Form {
    /// The value in its one spelling; `None` if the real program refuses it.
    pub(super) fn read(self, word: &Word<'_>, family: Family) -> Option<String> {
        let text = word.ascii().unwrap_or("");
        let number = |text: &str, most: u64| values::number(text).filter(|number| *number <= most);
        match self {
            Self::Text => Some(normal::quote(word).into_owned()),
            Self::List => {
                (!word.text.is_empty() && !word.text.contains(&b'/')).then(|| normal::quote(word).into_owned())
            }
            Self::Number(least, most) => number(text, most).filter(|n| *n >= least).map(|n| n.to_string()),
            Self::Hex(most) => number(text, most).map(|n| format!("{n:#04x}")),
            Self::Range(most) => {
                let (first, last) = ends(text, most)?;
                Some(if first == last { first.to_string() } else { format!("{first}:{last}") })
            }
            Self::From => {
                let (first, last) = ends(text, u64::MAX)?;
                let last = if text.contains(':') { last } else { u64::MAX };
                (first <= last).then(|| format!("{first}:{last}"))
            }
            Self::Queues => {
                let (first, last) = ends(text, u16::MAX.into())?;
                (text.contains(':') && first < last).then(|| format!("{first}:{last}"))
            }
            Self::Masked => is_masked(text).then(|| mark(text)),
            Self::MaskedOrName => Some(if is_masked(text) { mark(text) } else { normal::quote(word).into_owned() }),
            Self::NumberOrName(most) => match values::number(text) {
                Some(n) => (n <= most).then(|| n.to_string()),
                None => Some(normal::quote(word).into_owned()),
            },
            Self::Owner => {
                let most = u64::from(u32::MAX) - 1;
                let (first, last) = text.split_once('-').unwrap_or((text, text));
                match (number(first, most), number(last, most)) {
                    (Some(first), Some(last)) if first == last => Some(first.to_string()),
                    (Some(first), Some(last)) => (first < last).then(|| format!("{first}-{last}")),
                    (None, _) | (_, None) => {
                        let named = !text.bytes().all(|byte| byte.is_ascii_digit());
                        named.then(|| normal::quote(word).into_owned())
                    }
                }
            }
            Self::Rate(scale) => rate(text, scale),
            Self::OneOf(names) => {
                let found = names.iter().find(|(name, _)| name.eq_ignore_ascii_case(text));
                found.map(|(_, told)| (*told).to_owned())
            }
            Self::Some { of, cut } => {
                let is = |known: &&str, one: &str| {
                    known.get(..one.len()).is_some_and(|start| start.eq_ignore_ascii_case(one))
                        && (cut && !one.is_empty() || known.len() == one.len())
                };
                let places: Option<Vec<usize>> =
                    text.split(',').map(|one| of.iter().position(|known| is(known, one))).collect();
                let mut places = places?;
                places.sort_unstable();
                places.dedup();
                Some(places.iter().filter_map(|at| of.get(*at).copied()).collect::<Vec<_>>().join(","))
            }
            Self::Options(names) => {
                let one = |text: &str| match names.iter().find(|(name, _)| *name == text) {
                    Some((_, number)) => Some(u64::from(*number)),
                    None => number(text, u8::MAX.into()),
                };
                list(text.split(',').map(one).collect::<Option<Vec<_>>>()?)
            }
            Self::Time => time(text),
            Self::Date => date(text),
            Self::Weekdays => {
                // Those that no week has match nothing.
                let day = |text: &str| match number(text, 9) {
                    Some(day) => usize::try_from(day).ok()?.checked_sub(1),
                    // The first two letters count (libxt_time.c, `time_parse_weekdays`).
                    None => DAYS.iter().position(|day| text.len() > 1 && day.get(..2) == text.get(..2)),
                };
                let days: Vec<usize> = text.split(',').map(day).collect::<Option<_>>()?;
                Some(days_but(|day| !days.contains(&day)))
            }
            Self::Monthdays => {
                let day = |text: &str| number(text, 31).filter(|day| *day > 0);
                list(text.split(',').map(day).collect::<Option<Vec<_>>>()?)
            }
            Self::Protocol => values::protocol(word).ok().map(|number| number.to_string()),
            Self::Ports => {
                let any = |text: &str| match text {
                    "" => None,
                    _ => port(text),
                };
                let (first, last) = text.split_once(':').unwrap_or((text, text));
                let ends = (if first.is_empty() { Some(0) } else { any(first) }).zip(if last.is_empty() {
                    Some(u16::MAX)
                } else {
                    any(last)
                });
                Some(match ends {
                    Some((first, last)) if first == last => first.to_string(),
                    Some((first, last)) => format!("{first}:{last}"),
                    None => normal::quote(word).into_owned(),
                })
            }
            Self::Address => match values::addresses(word, family).ok()? {
                Addresses::Set(_) => Some(normal::address(word)),
                Addresses::Name | Addresses::Scattered => Some(normal::quote(word).into_owned()),
            },
            Self::Prefix => Some(normal::address(word)),
            Self::Translated => Some(translated(text)),
            Self::Port => Some(port(text).map_or_else(|| normal::quote(word).into_owned(), |port| port.to_string())),
            Self::Service => service(text),
            Self::ServiceClass => service_class(text).map(|class| format!("{class:#04x}")),
            Self::Probability => {
                const STEPS: f64 = 2_147_483_648.0;
                let value = text.parse::<f64>().ok().or_else(|| (number(text, 1)? > 0).then_some(1.0))?;
                (0.0..=1.0).contains(&value).then(|| format!("{:.11}", (value * STEPS).round() / STEPS))
            }
            Self::Node => number(text, 32).filter(|node| *node > 0).map(|node| (1u64 << (node - 1)).to_string()),
            Self::Bytes { hex: false } => Some(quoted(&word.text)),
            Self::Bytes { hex: true } => bytes(text).map(|bytes| quoted(&bytes)),
            Self::U32 => (text.contains('=') && !text.trim_end().ends_with('=')).then(|| u32_test(text)),
            Self::Bytecode => {
                let mut parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
                let count = parts.next().and_then(values::number)?;
                let steps: Vec<&str> = parts.collect();
                (u64::try_from(steps.len()) == Ok(count)).then(|| format!("{count},{}", steps.join(",")))
            }
            Self::Class => {
                let hex = |text: &str| u16::from_str_radix(text, 16).ok();
                let (major, minor) = text.split_once(':')?;
                Some(format!("{:04x}:{:04x}", hex(major)?, hex(minor)?))
            }
            Self::Span => Some(span(text).unwrap_or_else(|| normal::quote(word).into_owned())),
        }
    }

    /// What holds where the value does not, where that is told so.
    pub(super) fn complement(self, value: &str) -> Option<String> {
        let has = |one: &str| value.split(',').any(|other| other == one);
        if matches!(self, Self::Weekdays) {
            Some(days_but(|day| DAYS.get(day).is_some_and(|day| has(day))))
        } else if matches!(self, Self::Monthdays) {
            list((1..=31).filter(|day| !has(&day.to_string())).collect())
        } else {
            None
        }
    }

    /// What a value must be.
    pub(super) const fn what(self) -> &'static str {
        match self {
            Self::Rate(_) => "a rate that is slow enough",
            Self::Masked => "a mark",
            Self::Protocol => "a protocol",
            Self::Address => "an address",
            Self::Time => "a time of the day",
            Self::Date => "a date",
            Self::Number(_, _) | Self::Hex(_) | Self::NumberOrName(_) | Self::Node => "a number that the option takes",
            Self::Range(_) | Self::From | Self::Queues => "a range that the option takes",
            Self::Text
            | Self::List
            | Self::MaskedOrName
            | Self::Owner
            | Self::OneOf(_)
            | Self::Some { .. }
            | Self::Options(_)
            | Self::Weekdays
            | Self::Monthdays
            | Self::Ports
            | Self::Prefix
            | Self::Translated
            | Self::Port
            | Self::Service
            | Self::ServiceClass
            | Self::Probability
            | Self::Bytes { .. }
            | Self::U32
            | Self::Bytecode
            | Self::Class
            | Self::Span => "a value that the option takes",
        }
    }
}

/// The ends of `5`, `5:9`, `:9`, `5:` and `:`.
fn ends(text: &str, most: u64) -> Option<(u64, u64)> {
    let number = |text: &str| values::number(text).filter(|number| *number <= most);
    let (first, last) = text.split_once(':').unwrap_or((text, text));
    let open = text.contains(':');
    Some((
        if first.is_empty() && open { 0 } else { number(first)? },
        if last.is_empty() && open { most } else { number(last)? },
    ))
}

fn list(mut numbers: Vec<u64>) -> Option<String> {
    numbers.sort_unstable();
    numbers.dedup();
    Some(numbers.iter().map(u64::to_string).collect::<Vec<_>>().join(","))
}

fn days_but(not: impl Fn(usize) -> bool) -> String {
    DAYS.iter().enumerate().filter(|(day, _)| !not(*day)).map(|(_, name)| *name).collect::<Vec<_>>().join(",")
}

/// `1`, `0x1` and `0x1/0xffffffff` are one mark.
fn mark(text: &str) -> String {
    let (value, mask) = text.split_once('/').unwrap_or((text, "0xffffffff"));
    match (values::number(value), values::number(mask)) {
        (Some(value), Some(0xffff_ffff)) => format!("{value:#x}"),
        (Some(value), Some(mask)) => format!("{value:#x}/{mask:#x}"),
        (None, _) | (_, None) => text.to_owned(),
    }
}

/// `3/min`, `3/m`, `3/minute` are one rate; `scale`: how many of the kernel's units of time a second has.
fn rate(text: &str, scale: u64) -> Option<String> {
    if let Some(bytes) = byte_rate(text) {
        return (scale > LIMIT).then(|| format!("{bytes}b/s"));
    }
    let (count, unit) = text.split_once('/').unwrap_or((text, "second"));
    let begins = |known: &str| !unit.is_empty() && known.starts_with(&unit.to_ascii_lowercase());
    let (_, seconds) = UNITS.into_iter().rev().find(|(known, _)| begins(known))?;
    let count: u64 = count.parse().ok().filter(|count| *count > 0)?;
    let period = scale * seconds / count;
    if period == 0 {
        return None;
    }
    // The shortest unit but one in which it is a whole number (libxt_limit.c, `print_rate`).
    let fits = |(_, seconds): &(&str, u64)| {
        let whole = scale * seconds;
        period <= whole && whole / period >= whole % period
    };
    let (unit, seconds) = UNITS.into_iter().take_while(fits).last().unwrap_or(UNITS[0]);
    Some(format!("{}/{unit}", scale * seconds / period))
}

/// `XT_LIMIT_SCALE`, and `XT_HASHLIMIT_SCALE_v2`.
pub(super) const LIMIT: u64 = 10_000;
pub(super) const HASHLIMIT: u64 = 1_000_000;

const UNITS: [(&str, u64); 4] = [("day", 24 * 60 * 60), ("hour", 60 * 60), ("minute", 60), ("second", 1)];

/// The seconds of the unit of a rate.
pub(super) fn unit(text: &str) -> u64 {
    let (_, unit) = text.split_once('/').unwrap_or((text, "second"));
    let begins = |known: &str| known.starts_with(&unit.to_ascii_lowercase());
    UNITS.into_iter().rev().find(|(known, _)| begins(known)).map_or(1, |(_, seconds)| seconds)
}

/// `512kb/s` in bytes.
fn byte_rate(text: &str) -> Option<u64> {
    let number = text.strip_suffix("b/s").or_else(|| text.strip_suffix("b/sec"))?;
    sized(number)
}

/// `512`, `512k`, `1m`
fn sized(text: &str) -> Option<u64> {
    let (number, factor) = match text.as_bytes().last()? {
        b'k' => (text.strip_suffix('k')?, 1 << 10),
        b'm' => (text.strip_suffix('m')?, 1 << 20),
        _ => (text, 1),
    };
    number.parse::<u64>().ok()?.checked_mul(factor)
}

fn time(text: &str) -> Option<String> {
    let parts: Vec<u8> = text.split(':').map(|part| part.parse().ok()).collect::<Option<_>>()?;
    match parts.as_slice() {
        [hour @ 0..24, minute @ 0..60] => Some(format!("{hour:02}:{minute:02}:00")),
        [hour @ 0..24, minute @ 0..60, second @ 0..60] => Some(format!("{hour:02}:{minute:02}:{second:02}")),
        _ => None,
    }
}

fn date(text: &str) -> Option<String> {
    let (day, clock) = text.split_once('T').map_or((text, None), |(day, clock)| (day, Some(clock)));
    let parts: Vec<u16> = day.split('-').map(|part| part.parse().ok()).collect::<Option<_>>()?;
    let (year, month, date) = match parts.as_slice() {
        [year] => (*year, 1, 1),
        [year, month @ 1..=12] => (*year, *month, 1),
        [year, month @ 1..=12, date @ 1..=31] => (*year, *month, *date),
        _ => return None,
    };
    let clock = match clock {
        None => "00:00:00".to_owned(),
        Some(hour) if !hour.contains(':') => time(&format!("{hour}:00"))?,
        Some(clock) => time(clock)?,
    };
    (1970..=2038).contains(&year).then(|| format!("{year}-{month:02}-{date:02}T{clock}"))
}

fn port(text: &str) -> Option<u16> {
    let named = |text: &str| [6, 17, 33, 132].into_iter().find_map(|protocol| service_port(text, protocol));
    values::number(text).map_or_else(|| named(text), |port| u16::try_from(port).ok())
}

/// Where packets are sent instead, as libxt_NAT.c writes it.
fn translated(text: &str) -> String {
    let (addresses, ports) = match text.strip_prefix('[').and_then(|text| text.split_once(']')) {
        Some((addresses, ports)) => (addresses, ports.strip_prefix(':')),
        None => match text.split_once(':').filter(|(_, ports)| !ports.contains(':')) {
            Some((addresses, ports)) => (addresses, Some(ports)),
            None if text.contains(['.', ':']) => (text, None),
            None => ("", Some(text)),
        },
    };
    let one = |first: String, last: String| if first == last { first } else { format!("{first}-{last}") };
    let address = |text: &str| text.parse::<std::net::IpAddr>().map_or_else(|_| text.to_owned(), |ip| ip.to_string());
    let named = |text: &str| port(text).map_or_else(|| text.to_owned(), |port| port.to_string());
    let mut told = match addresses.split_once('-') {
        Some((first, last)) => one(address(first), address(last)),
        None => address(addresses),
    };
    if let Some(ports) = ports {
        let (range, base) = ports.split_once('/').map_or((ports, None), |(range, base)| (range, Some(base)));
        let range = range.split_once('-').map_or_else(|| named(range), |(first, last)| one(named(first), named(last)));
        if told.contains(':') {
            told = format!("[{told}]");
        }
        if !told.is_empty() {
            told.push(':');
        }
        told.push_str(&range);
        told.extend(base.into_iter().flat_map(|base| ["/".to_owned(), named(base)]));
    }
    told
}

/// The names of services (libxt_tos, `tos_symbol_names`), which leave the two bits of congestion alone.
fn service(text: &str) -> Option<String> {
    const NAMES: [(&str, u64); 5] = [
        ("Minimize-Delay", 0x10),
        ("Maximize-Throughput", 8),
        ("Maximize-Reliability", 4),
        ("Minimize-Cost", 2),
        ("Normal-Service", 0),
    ];
    let byte = |text: &str| values::number(text).filter(|number| *number <= 255);
    let (value, mask) = match text.split_once('/') {
        Some((value, mask)) => (byte(value)?, byte(mask)?),
        None => match NAMES.iter().find(|(name, _)| name.eq_ignore_ascii_case(text)) {
            Some((_, value)) => (*value, 0x3f),
            None => (byte(text)?, 0xff),
        },
    };
    Some(format!("{value:#x}/{mask:#x}"))
}

/// RFC 2474, RFC 2597, RFC 3246 (dscp_helper.c).
fn service_class(text: &str) -> Option<u64> {
    let digit = |text: &str| text.parse::<u64>().ok().filter(|_| text.len() == 1);
    let text = text.to_ascii_uppercase();
    match (text.get(..2)?, text.get(2..)?) {
        ("BE", "") => Some(0),
        ("EF", "") => Some(0x2e),
        ("CS", class) => digit(class).filter(|class| *class < 8).map(|class| class << 3),
        ("AF", both) => {
            let (class, drop) = (digit(both.get(..1)?)?, digit(both.get(1..)?)?);
            ((1..=4).contains(&class) && (1..=3).contains(&drop)).then_some(class << 3 | drop << 1)
        }
        _ => None,
    }
}

fn quoted(bytes: &[u8]) -> String {
    normal::quoted(crate::text::escaped(bytes)).into_owned()
}

/// `a|62 63|`: what stands between the strokes is in hexadecimal (libxt_string.c, `parse_hex_string`).
fn bytes(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    for (n, part) in text.split('|').enumerate() {
        if n % 2 == 0 {
            out.extend_from_slice(part.as_bytes());
        } else {
            let digits: String = part.chars().filter(|c| *c != ' ').collect();
            for pair in digits.as_bytes().chunks(2) {
                out.push(u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?);
            }
        }
    }
    Some(out)
}

/// A test of `u32` without blanks, its numbers in hexadecimal.
fn u32_test(text: &str) -> String {
    let mut told = String::new();
    let mut digits = String::new();
    for c in text.chars().chain([' ']) {
        if c.is_ascii_alphanumeric() {
            digits.push(c);
            continue;
        }
        match values::number(&digits) {
            Some(number) => write!(told, "{number:#x}").expect("writing to a String"),
            None => told.push_str(&digits),
        }
        digits.clear();
        if c != ' ' {
            told.push(c);
        }
    }
    told
}

/// A span of time in microseconds.
fn span(text: &str) -> Option<String> {
    let at = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
    let (number, unit) = text.split_at(at);
    let factor = match unit {
        "s" | "sec" | "secs" => 1_000_000.0,
        "ms" | "msec" | "msecs" => 1_000.0,
        "us" | "usec" | "usecs" | "" => 1.0,
        _ => return None,
    };
    number.parse::<f64>().ok().map(|number| format!("{}us", (number * factor).round()))
}
