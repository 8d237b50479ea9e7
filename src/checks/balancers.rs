//! What the checks on balancers share.

use super::{Context, Report};
use crate::diff::ConfigurationDifference;
use crate::diff::balancers::{BalancersDifference, Effect, RequestDelta};
use crate::model::Configuration;
use crate::policy::{Pattern, words};
use crate::text::escape;

words! {
    /// What a change is for clients.
    pub(super) enum Kind as "effect" {
        /// Requests that were served are refused.
        Refused = "refused",
        /// Requests that were refused are served.
        Served = "served",
        /// They reach another backend, or get another answer.
        Moved = "moved",
    }
}

impl From<Effect> for Kind {
    fn from(effect: Effect) -> Self {
        match effect {
            Effect::Refused => Self::Refused,
            Effect::Served => Self::Served,
            Effect::Moved => Self::Moved,
        }
    }
}

/// Which requests it is about, the first kind of them.
pub(super) fn kinds(request: &RequestDelta) -> String {
    let first = request.what.first().map_or("", String::as_str);
    let more = match request.classes {
        0 | 1 => String::new(),
        n => format!(" and {} more kinds", n - 1),
    };
    format!("{}{more}", escape(first.as_bytes()))
}

/// The configurations in the scope of a check, with what becomes of their balancers.
pub(super) fn differences<'c>(
    cx: &Context<'c>,
    report: &Report<'_>,
) -> Vec<(&'c ConfigurationDifference, &'c BalancersDifference)> {
    let all = cx.difference.configurations.iter().map(|difference| (difference, &difference.balancers));
    all.filter(|(difference, _)| report.scope().touches(&difference.name, cx)).collect()
}

/// The configurations of head in the scope of a check that say anything of balancers.
pub(super) fn of_head<'c>(cx: &Context<'c>, report: &Report<'_>) -> Vec<&'c Configuration> {
    let all = cx.change.head.configurations().iter();
    all.filter(|c| !c.listeners.is_empty() || !c.backends.is_empty())
        .filter(|c| report.scope().touches(&c.name, cx))
        .map(|c| &**c)
        .collect()
}

/// Whether a check that is about some listeners or backends only is about this one, by its name, with or without its
/// configuration.
pub(super) fn wanted(patterns: Option<&[Pattern]>, configuration: &str, name: &str) -> bool {
    patterns.is_none_or(|patterns| patterns.iter().any(|pattern| covers(pattern, configuration, name)))
}

pub(super) fn covers(pattern: &Pattern, configuration: &str, name: &str) -> bool {
    pattern.covers(name) || pattern.covers(&format!("{configuration}/{name}"))
}

/// Reports patterns that name no listener (or backend) of either side.
pub(super) fn report_idle(
    patterns: Option<&[Pattern]>,
    what: &str,
    names: fn(&Configuration) -> Vec<&str>,
    cx: &Context<'_>,
    report: &mut Report<'_>,
) {
    let sides = [&cx.change.base, &cx.change.head];
    for pattern in patterns.into_iter().flatten() {
        let mut all = sides.iter().flat_map(|side| side.configurations());
        if !all.any(|c| names(c).iter().any(|name| covers(pattern, &c.name, name))) {
            report.idle(format!("`{}` names no {what} of either side", pattern.text), Some(pattern.span));
        }
    }
}

pub(super) fn listeners(configuration: &Configuration) -> Vec<&str> {
    configuration.listeners.iter().map(|listener| listener.name.as_str()).collect()
}

pub(super) fn backends(configuration: &Configuration) -> Vec<&str> {
    configuration.backends.iter().map(|backend| backend.name.as_str()).collect()
}
