//! What was expected, and what came of it.

use super::build;
use super::report::{Location, LocationSide, Report};
use crate::text::{SourceMap, Span};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One expectation that was held against a side, for `test`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct ExpectationReport {
    /// Its name, if it has one.
    pub name: Option<String>,
    /// Where it stands.
    pub location: Location,
    /// What came of it.
    pub outcome: ExpectationOutcome,
}

/// What came of an expectation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ExpectationOutcome {
    /// Nothing stands against it.
    Held,
    /// Something does, which is among the findings.
    Broken,
    /// It could not be found out, for one of the doubts.
    Undecided,
}

/// What is expected: its name, and the whole of it.
#[derive(Debug, Clone)]
pub struct Expectation {
    /// Its name, if it has one.
    pub name: Option<String>,
    /// Where it stands.
    pub at: Span,
}

impl ExpectationReport {
    /// Whether a place is in the text of the expectation.
    #[must_use]
    pub fn holds(&self, place: Option<&Location>) -> bool {
        let outer = &self.location;
        place.is_some_and(|inner| {
            inner.path == outer.path
                && (outer.line, outer.column) <= (inner.line, inner.column)
                && (inner.end_line, inner.end_column) <= (outer.end_line, outer.end_column)
        })
    }
}

/// What came of each expectation.
pub(super) fn reports(expectations: &[Expectation], report: &Report, sources: &SourceMap) -> Vec<ExpectationReport> {
    let one = |Expectation { name, at }: &Expectation| {
        let location = build::location(sources, LocationSide::Policy, *at);
        let mut out = ExpectationReport { name: name.clone(), location, outcome: ExpectationOutcome::Held };
        if report.doubts.iter().any(|doubt| out.holds(doubt.policy_location.as_ref())) {
            out.outcome = ExpectationOutcome::Undecided;
        }
        if report.findings.iter().any(|finding| out.holds(finding.policy_location.as_ref())) {
            out.outcome = ExpectationOutcome::Broken;
        }
        out
    };
    expectations.iter().map(one).collect()
}
