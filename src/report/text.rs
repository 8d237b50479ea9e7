//! The report as an engineer reads it: the decision, why, and what to do.

use super::Style;
use crate::decision::{Comparison, Report};
use crate::text::SourceMap;

/// The report of a check.
#[must_use]
pub fn render(report: &Report, _sources: &SourceMap, _style: Style) -> String {
    format!("{:?}\n", report.decision)
}

/// A difference without a policy.
#[must_use]
pub fn render_comparison(_comparison: &Comparison, _sources: &SourceMap, _style: Style) -> String {
    String::new()
}
