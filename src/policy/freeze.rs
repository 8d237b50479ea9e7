//! When nothing may change.

use super::moment::{Civil, Zone, instant};
use super::node::{Kind, Node, Spanned};
use super::pattern::Pattern;
use super::reader::{Read, Reader, keys};
use crate::text::Span;
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// When nothing may change.
#[derive(Debug, Clone, Default)]
pub enum Freeze {
    /// There is no such time.
    #[default]
    Never,
    /// For now, until the policy says otherwise.
    Now {
        /// Why, if it is said.
        reason: Option<String>,
        /// Where the policy says it.
        at: Span,
    },
    /// At certain times.
    Windows(Vec<FreezeWindow>),
}

keys! {
    /// A time in which nothing may change.
    pub(super) struct FreezeKeys {
        /// What it is called.
        name: Spanned<String>,
        /// When it begins, on the clocks of `zone`: "2026-12-20T00:00".
        from: Spanned<Civil>,
        /// When it is over.
        to: Civil,
        /// The zone of both times: `Europe/Paris`, `UTC`.
        zone: Zone,
        /// Configurations, or patterns of them, that it holds for. Default: all.
        r#in: Option<Vec<Pattern>>,
    }
}

/// A time in which nothing may change.
#[derive(Debug, Clone)]
pub struct FreezeWindow {
    /// What it is called.
    pub name: String,
    /// The first instant of it.
    pub from: Timestamp,
    /// The first instant behind it.
    pub to: Timestamp,
    /// The zone in which the policy writes both.
    pub zone: TimeZone,
    /// The configurations that it holds for; `None`: all.
    pub within: Option<Vec<Pattern>>,
    /// Where the policy says it.
    pub at: Span,
}

impl FreezeWindow {
    /// Whether it holds at an instant, in seconds since 1970.
    #[must_use]
    pub fn holds(&self, now: u64) -> bool {
        let now = instant(now);
        self.from <= now && now < self.to
    }

    /// Whether it holds for a configuration.
    #[must_use]
    pub fn covers(&self, configuration: &str) -> bool {
        self.within.as_ref().is_none_or(|patterns| patterns.iter().any(|pattern| pattern.covers(configuration)))
    }

    /// Its end as the people of its zone read it.
    #[must_use]
    pub fn end(&self) -> String {
        self.to.to_zoned(self.zone.clone()).strftime("%Y-%m-%d %H:%M %:Q").to_string()
    }
}

impl Read for FreezeWindow {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let FreezeKeys { name, from, to, zone: Zone(zone), r#in: within } = FreezeKeys::read(node, reader)?;
        // Clocks that are put forward or back skip a time or show it twice: the window is as long as it can be read.
        let begins = zone.to_ambiguous_timestamp(from.value.0).earlier();
        let ends = zone.to_ambiguous_timestamp(to.0).later();
        match (begins, ends) {
            (Ok(begins), Ok(ends)) if begins < ends => {
                Some(Self { name: name.value, from: begins, to: ends, zone, within, at: name.span })
            }
            (Ok(_), Ok(_)) => {
                let message = format!("`{}` is over before it begins", name.value);
                reader.refuse(from.span, message, "`from` comes before `to`");
                None
            }
            (Err(_), _) | (_, Err(_)) => {
                let help = "write years between 1 and 9999";
                reader.refuse(from.span, format!("`{}` is out of all time", name.value), help);
                None
            }
        }
    }
}

impl Read for Freeze {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let at = node.span;
        match &node.kind {
            Kind::Scalar { text, plain: true } if text == "true" => Some(Self::Now { reason: None, at }),
            Kind::Scalar { text, plain: true } if text == "false" => Some(Self::Never),
            Kind::Scalar { .. } => String::read(node, reader).map(|reason| Self::Now { reason: Some(reason), at }),
            Kind::List(_) => {
                let windows = Vec::<FreezeWindow>::read(node, reader)?;
                let mut named: Vec<&str> = Vec::new();
                for window in &windows {
                    if named.contains(&window.name.as_str()) {
                        let message = format!("there are two windows called `{}`", window.name);
                        reader.refuse(window.at, message, "give one of them another name");
                        return None;
                    }
                    named.push(&window.name);
                }
                Some(Self::Windows(windows))
            }
            Kind::Map(_) => {
                reader.wrong_kind("`true`, `false`, a reason, or a list of windows", node);
                None
            }
        }
    }
}
