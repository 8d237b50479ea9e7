//! The report as JSON, version 1: every field is described in `policies/report.schema.json`.

use super::escaping;
use crate::decision::{Comparison, Report, Verification, Walk};
use serde::Serialize;

/// The report, indented, with a line break at its end.
#[must_use]
pub fn render(report: &Report) -> String {
    pretty(report)
}

/// A difference without a policy.
#[must_use]
pub fn render_comparison(comparison: &Comparison) -> String {
    pretty(comparison)
}

/// The way of a packet.
#[must_use]
pub fn render_walk(walk: &Walk) -> String {
    pretty(walk)
}

/// Whether hosts are what they should be.
#[must_use]
pub fn render_verification(verification: &Verification) -> String {
    pretty(verification)
}

/// The JSON Schema of the report, `policies/report.schema.json`.
#[must_use]
pub fn schema() -> String {
    pretty(&schemars::schema_for!(Report))
}

/// JSON, indented, with a line break at its end, in which nothing is hidden or obeyed.
pub(super) fn pretty<T: Serialize>(value: &T) -> String {
    let mut out = serde_json::to_string_pretty(value).expect("strings, numbers and lists have a JSON form");
    out.push('\n');
    escaping::json(&out)
}
