//! One report, many renderings. Decides nothing, escapes everything, and knows no more than the report says.

pub mod json;
pub mod problem;
pub mod text;

use crate::decision::{Comparison, Report, Walk};
use crate::text::{SourceMap, suggest};

/// How to write for a reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// Whether colours may be used.
    pub colour: bool,
    /// Columns of a line.
    pub width: usize,
}

impl Style {
    /// Without colour, 100 columns: for files and logs.
    pub const PLAIN: Self = Self { colour: false, width: 100 };
}

/// A way to write answers.
#[derive(Debug)]
pub struct Output {
    /// Its name on the command line.
    pub name: &'static str,
    /// Writes the report of a check.
    pub report: fn(&Report, &SourceMap, Style) -> String,
    /// Writes a difference without a policy.
    pub comparison: fn(&Comparison, &SourceMap, Style) -> String,
    /// Writes the way of a packet.
    pub walk: fn(&Walk, &SourceMap, Style) -> String,
}

/// Every way to write answers, the usual one first.
pub static OUTPUTS: &[Output] = &[
    Output { name: "text", report: text::render, comparison: text::render_comparison, walk: text::render_walk },
    Output {
        name: "json",
        report: |report, _, _| json::render(report),
        comparison: |comparison, _, _| json::render_comparison(comparison),
        walk: |walk, _, _| json::render_walk(walk),
    },
];

/// There is no rendering of that name. The caller's error.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, miette::Diagnostic)]
#[error("there is no output `{name}`")]
#[diagnostic(code(portcullis::report::unknown_output))]
pub struct UnknownOutput {
    name: String,
    #[help]
    help: String,
}

/// The rendering of that name.
///
/// # Errors
/// There is none: nothing is written rather than something else.
pub fn output(name: &str) -> Result<&'static Output, UnknownOutput> {
    OUTPUTS.iter().find(|output| output.name == name).ok_or_else(|| {
        let known: Vec<_> = OUTPUTS.iter().map(|output| output.name).collect();
        UnknownOutput { name: name.to_owned(), help: suggest(name, &known) }
    })
}
