//! Findings that somebody answers for, for a time.

use super::moment::{Day, Zone, instant};
use super::node::{Kind, Node, Spanned};
use super::reader::{Read, Reader, keys};
use crate::net::{FlowError, Region, parse_flow};
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// For how many days a waiver may be given where the policy says nothing of it.
const MOST_DAYS: usize = 90;
/// How long a reason is at least, in characters.
const REASON: usize = 20;

keys! {
    /// A finding that is accepted for a time.
    pub(super) struct WaiverKeys {
        /// What it is called: `W-2026-014`.
        id: Spanned<String>,
        /// The check whose findings it accepts.
        check: Spanned<String>,
        /// Only those of the entry of that name.
        name: Option<Spanned<String>>,
        /// The packets: findings are accepted whose packets are all among these. This, `object`, `fingerprint` or
        /// `expect_deletions`.
        flow: Option<Spanned<String>>,
        /// The filter or configuration that a finding is about which is about no packets: its exact name.
        object: Option<String>,
        /// The fingerprint of the finding, as reports give it.
        fingerprint: Option<Spanned<String>>,
        /// How many objects go: exactly so many, of all that a `deletion-limit` counts. Its waivers say this and nothing else.
        expect_deletions: Option<Spanned<usize>>,
        /// Who answers for it: one of `people` or `teams`.
        owner: Spanned<String>,
        /// Why it is acceptable, in at least 20 characters.
        reason: Spanned<String>,
        /// Where it is followed up: `NET-311`.
        ticket: String,
        /// The day on which it was given. Default: today, so that it may expire so many days from now at most.
        created: Option<Day>,
        /// The last day on which it holds.
        expires: Spanned<Day>,
        /// In which zone that day ends. Default: UTC.
        zone: Option<Zone>,
    }
}

/// A finding that is accepted for a time.
#[derive(Debug, Clone)]
pub struct Waiver {
    /// What it is called.
    pub id: Spanned<String>,
    /// The check whose findings it accepts.
    pub check: Spanned<String>,
    /// Only those of the entry of that name.
    pub name: Option<Spanned<String>>,
    /// Which of them.
    pub scope: WaiverScope,
    /// Who answers for it.
    pub owner: String,
    /// Why.
    pub reason: String,
    /// Where it is followed up.
    pub ticket: String,
    /// The instant from which it holds; `None`: it says nothing of that.
    pub from: Option<Timestamp>,
    /// The instant at which it is over.
    pub until: Timestamp,
    /// The last day on which it holds, as it is written.
    pub expires: String,
    /// Why it is not known what it covers, if it is not.
    pub doubtful: bool,
}

/// Which findings a waiver accepts.
#[derive(Debug, Clone)]
pub enum WaiverScope {
    /// Those whose packets are all among these.
    Packets(Vec<Region>),
    /// Those about this filter or configuration that are about no packets.
    Object(String),
    /// The one of this fingerprint.
    Fingerprint(String),
    /// Those of a change that removes exactly so many objects.
    Deletions(usize),
}

/// The waivers of a policy.
#[derive(Debug, Clone)]
pub struct Waivers {
    /// In the order of the file.
    pub list: Vec<Waiver>,
    /// For how many days one may be given.
    pub most_days: usize,
}

impl Default for Waivers {
    fn default() -> Self {
        Self { list: Vec::new(), most_days: MOST_DAYS }
    }
}

impl Waivers {
    /// Reads the list; what is wrong is reported.
    pub(super) fn read(node: Option<&Node>, most_days: Option<&Spanned<usize>>, reader: &mut Reader<'_>) -> Self {
        let mut waivers = Self::default();
        if let Some(Spanned { value, span }) = most_days {
            if *value == 0 {
                reader.refuse(*span, "waivers of 0 days are none", "write at least 1, or have no `waivers`");
            }
            waivers.most_days = *value;
        }
        match node.map(|node| (&node.kind, node)) {
            None => {}
            Some((Kind::List(items), _)) if !items.is_empty() => {
                for item in items {
                    let most_days = waivers.most_days;
                    waivers.list.extend(Waiver::read(item, most_days, reader));
                }
            }
            Some((Kind::List(_), node)) => {
                reader.refuse(node.span, "the list is empty", "remove the key, or say what it is about");
            }
            Some((Kind::Map(_) | Kind::Scalar { .. }, node)) => reader.wrong_kind("a list of waivers", node),
        }
        for (n, waiver) in waivers.list.iter().enumerate() {
            if waivers.list.iter().take(n).any(|other| other.id.value == waiver.id.value) {
                let message = format!("there are two waivers called `{}`", waiver.id.value);
                reader.refuse(waiver.id.span, message, "give one of them another id");
            }
        }
        waivers
    }
}

/// Whether a waiver holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Validity {
    /// It does, for so many more seconds.
    Holds(u64),
    /// It does not any more.
    Expired,
    /// It does not yet.
    Early,
    /// It would hold longer than a waiver may from now on.
    TooLong,
}

impl Waiver {
    /// Whether it holds at an instant, in seconds since 1970, where one may be given for so many days.
    #[must_use]
    pub fn validity(&self, now: u64, most_days: usize) -> Validity {
        let (left, early) = {
            let now = instant(now);
            (self.until.as_second() - now.as_second(), self.from.is_some_and(|from| now < from))
        };
        // The day on which it is given is not counted.
        let most = u64::try_from(most_days).map_or(u64::MAX, |days| days.saturating_add(1).saturating_mul(86400));
        match u64::try_from(left) {
            Ok(0) | Err(_) => Validity::Expired,
            Ok(_) if early => Validity::Early,
            Ok(left) if left > most => Validity::TooLong,
            Ok(left) => Validity::Holds(left),
        }
    }

    fn read(node: &Node, most_days: usize, reader: &mut Reader<'_>) -> Option<Self> {
        let WaiverKeys {
            id,
            check,
            name,
            flow,
            object,
            fingerprint,
            expect_deletions,
            owner,
            reason,
            ticket,
            created,
            expires,
            zone,
        } = WaiverKeys::read(node, reader)?;
        let before = reader.problems.len();
        let mut doubtful = false;
        let scope = match (flow, object, fingerprint, expect_deletions) {
            (Some(flow), None, None, None) => match parse_flow(&flow.value, reader.names) {
                Ok(regions) => {
                    doubtful = !reader.names.doubts_in(&flow.value).is_empty();
                    Some(WaiverScope::Packets(regions))
                }
                Err(FlowError { message, at: _, help }) => {
                    reader.refuse(flow.span, message, help);
                    None
                }
            },
            (None, Some(object), None, None) => Some(WaiverScope::Object(object)),
            (None, None, None, Some(number)) => {
                if number.value == 0 {
                    reader.refuse(number.span, "a waiver of no deletion accepts nothing", "write how many objects go");
                }
                Some(WaiverScope::Deletions(number.value))
            }
            (None, None, Some(print), None) => {
                let hex =
                    print.value.len() == 64 && print.value.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
                if !hex {
                    reader.refuse(print.span, "that is no fingerprint", "copy it from the report: 64 digits");
                }
                Some(WaiverScope::Fingerprint(print.value))
            }
            (_, _, _, _) => {
                let help =
                    "write one of `flow`, `object`, `fingerprint` and `expect_deletions`: what exactly is accepted";
                reader.refuse(id.span, format!("it is not said what `{}` accepts, or twice", id.value), help);
                None
            }
        };
        if reason.value.trim().chars().count() < REASON {
            let help = format!("write at least {REASON} characters: whoever reads it next year was not there");
            reader.refuse(reason.span, "that is no reason", help);
        }
        reader.names.roster.know(std::slice::from_ref(&owner), reader);
        let zone = zone.map_or(TimeZone::UTC, |Zone(zone)| zone);
        let Day(last) = expires.value;
        if let Some(Day(first)) = created {
            let days = first.until(last).map_or(i64::MAX, |span| i64::from(span.get_days()));
            if days < 0 || usize::try_from(days).is_ok_and(|days| days > most_days) {
                let message = format!("`{}` holds for {days} days; at most {most_days} are allowed", id.value);
                let help = "let it expire earlier, and renew it when somebody has looked again (`max_waiver_days`)";
                reader.refuse(expires.span, message, help);
            }
        }
        let begin = |day: jiff::civil::Date| zone.to_ambiguous_timestamp(day.at(0, 0, 0, 0)).earlier();
        let until = last.tomorrow().and_then(begin);
        let from = created.map(|Day(first)| zone.to_ambiguous_timestamp(first.at(0, 0, 0, 0)).later()).transpose();
        let (Ok(until), Ok(from)) = (until, from) else {
            reader.refuse(expires.span, "that day is out of all time", "write years between 1 and 9999");
            return None;
        };
        let expires = last.to_string();
        let scope = scope?;
        (reader.problems.len() == before).then_some(Self {
            id,
            check,
            name,
            scope,
            owner: owner.value,
            reason: reason.value,
            ticket,
            from,
            until,
            expires,
            doubtful,
        })
    }
}
