use super::{Context, Report};
use crate::diff::FilterPair;
use crate::policy::Pattern;

/// The configurations and filters that a check is about.
#[derive(Debug, Clone)]
pub struct Scope(Option<Vec<Pattern>>);

impl Scope {
    /// All of them.
    pub(crate) const fn everything() -> Self {
        Self(None)
    }

    /// Those that one of the patterns names; `None`: all.
    pub(crate) fn of(patterns: Option<&[Pattern]>) -> Self {
        Self(patterns.map(<[Pattern]>::to_vec))
    }

    /// Whether it is all of them.
    pub(crate) const fn is_everything(&self) -> bool {
        self.0.is_none()
    }

    /// The patterns that name them; none where it is all of them.
    pub(super) fn patterns(&self) -> &[Pattern] {
        self.0.as_deref().unwrap_or_default()
    }

    /// Whether a configuration, filter or object of that address is one of them.
    pub(crate) fn covers(&self, address: &str) -> bool {
        self.0.as_ref().is_none_or(|patterns| patterns.iter().any(|pattern| pattern.covers(address)))
    }

    /// Whether a configuration of that name is one of them, or may hold one.
    pub(crate) fn touches(&self, configuration: &str, cx: &Context<'_>) -> bool {
        let sides = [&cx.change.base, &cx.change.head];
        let mut known =
            sides.into_iter().flat_map(|side| side.configurations()).filter(|own| own.name == configuration);
        self.covers(configuration) || known.any(|own| own.filters.iter().any(|filter| self.covers(&filter.id)))
    }

    /// The filters of either side that are among them.
    pub(crate) fn filters<'c>(&self, cx: &Context<'c>) -> Vec<FilterPair<'c>> {
        cx.change.filters().into_iter().filter(|pair| self.covers(pair.id)).collect()
    }

    /// Reports each pattern that names nothing on either side.
    pub(super) fn report_idle(&self, cx: &Context<'_>, report: &mut Report<'_>) {
        let Some(patterns) = &self.0 else { return };
        let filters = cx.change.filters();
        for pattern in patterns {
            let filter = filters.iter().any(|pair| pattern.covers(pair.id));
            let configuration = cx.plan.configurations.iter().any(|planned| pattern.covers(&planned.name));
            if !filter && !configuration {
                let message = format!("`{}` names no configuration and no filter of either side", pattern.text);
                report.idle(message, Some(pattern.span));
            }
        }
    }
}
