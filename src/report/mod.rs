//! One report, many renderings. Decides nothing, escapes everything, and knows no more than the report says.

pub mod json;
pub mod problem;
pub mod text;

use crate::decision::Report;
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

/// A rendering of the report.
pub struct Output {
    /// Its name on the command line.
    pub name: &'static str,
    /// Writes the report.
    pub render: fn(&Report, &SourceMap, Style) -> String,
}

/// Every rendering, one line each.
pub static OUTPUTS: &[Output] = &[
    Output { name: "text", render: text::render },
    Output { name: "json", render: |report, _, _| json::render(report) },
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
