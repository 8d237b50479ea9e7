//! Which files a file includes.

use crate::formats::Reading;
use crate::text::SourceId;

/// The files that can be included, and how names lead to them.
pub(super) struct Includes<'t, 'r> {
    reading: Option<&'r Reading<'t>>,
}

impl<'t, 'r> Includes<'t, 'r> {
    pub(super) const fn new(reading: &'r Reading<'t>) -> Self {
        Self { reading: Some(reading) }
    }

    /// Nothing can be included.
    pub(super) const fn none() -> Self {
        Self { reading: None }
    }

    pub(super) fn text(&self, file: SourceId) -> &'t [u8] {
        self.reading.map(|reading| reading.text(file)).unwrap_or_default()
    }

    /// The files of that name, in the order in which they are read.
    ///
    /// # Errors
    /// Why there is none.
    pub(super) fn find(&self, name: &[u8]) -> Result<Vec<SourceId>, String> {
        Err(format!("`{}` is not followed", crate::text::escape(name)))
    }
}
