//! Days, times and zones.

use super::node::{Kind, Node};
use super::reader::{Read, Reader};
use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::{TimeZone, db};

/// A day: `2026-12-20`, with or without quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Day(pub Date);

impl Read for Day {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let day = scalar(node).filter(|text| text.len() == 10).and_then(|text| text.parse::<Date>().ok());
        if day.is_none() {
            reader.wrong_kind("a day such as 2026-12-20", node);
        }
        day.map(Self)
    }
}

/// A time of a day, in a zone that is said elsewhere: `2026-12-20T00:00`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Civil(pub(super) DateTime);

impl Read for Civil {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let plain = |text: &&str| {
            let length = text.len() == 16 || text.len() == 19;
            length && text.bytes().all(|b| b.is_ascii_digit() || b"-:T".contains(&b))
        };
        let time = scalar(node).filter(plain).and_then(|text| text.parse::<DateTime>().ok());
        if time.is_none() {
            reader.wrong_kind("a day and a time such as \"2026-12-20T00:00\", without an offset", node);
        }
        time.map(Self)
    }
}

/// A zone by its name in the IANA database, which comes with the program: `Europe/Paris`, `UTC`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone(pub TimeZone);

impl Read for Zone {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let text = String::read(node, reader)?;
        match TimeZone::get(&text) {
            Ok(zone) if zone.iana_name() == Some(text.as_str()) => Some(Self(zone)),
            // Names are taken as they are written, so that everybody who reads them finds them.
            Ok(_) | Err(_) => {
                let known: Vec<String> = db().available().map(|name| name.as_str().to_owned()).collect();
                let known: Vec<&str> = known.iter().map(String::as_str).collect();
                let name = text.as_str();
                let near = known.iter().copied().filter(|other| other.eq_ignore_ascii_case(name)).collect::<Vec<_>>();
                let known = if near.is_empty() { known } else { near };
                reader.unknown("time zone", name, &known, node.span);
                None
            }
        }
    }
}

/// Whether a day that is written as `2026-12-20` is over, in UTC, at an instant in seconds since 1970. `None`: that is no
/// day.
#[must_use]
pub fn is_over(day: &str, now: u64) -> Option<bool> {
    let day: Date = if day.len() == 10 { day.parse().ok()? } else { return None };
    Some(day < instant(now).to_zoned(TimeZone::UTC).date())
}

/// An instant in seconds since 1970; the last one of all where it is later.
pub(super) fn instant(seconds: u64) -> Timestamp {
    i64::try_from(seconds).map_or(Timestamp::MAX, |s| Timestamp::from_second(s).unwrap_or(Timestamp::MAX))
}

fn scalar(node: &Node) -> Option<&str> {
    match &node.kind {
        Kind::Scalar { text, .. } => Some(text),
        Kind::Map(_) | Kind::List(_) => None,
    }
}
