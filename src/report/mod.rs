//! One report, many renderings. Decides nothing, escapes everything, and knows no more than the report says.

pub mod json;
pub mod text;

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
