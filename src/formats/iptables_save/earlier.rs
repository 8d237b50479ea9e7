//! Lines that the other side of a change has too: read once, the same rules on both sides.

use crate::formats::Line;
use foldhash::quality::RandomState;
use std::collections::HashMap;

/// The lines of the file of the same name on the other side, walked in step with this one's.
#[derive(Debug)]
pub(super) struct Earlier<'t> {
    text: &'t [u8],
    lines: &'t [Line],
    /// The one that is expected next.
    next: usize,
    /// How many in a row were not found near there.
    misses: usize,
    /// Built when the two are in another order.
    index: Option<HashMap<&'t [u8], u32, RandomState>>,
}

/// How far ahead is looked for a line after some were deleted.
const NEAR: usize = 16;
/// After so many lines in a row that are not near, all are indexed.
const MOST_MISSES: usize = 64;

impl<'t> Earlier<'t> {
    pub(super) const fn new((text, lines): (&'t [u8], &'t [Line])) -> Self {
        Self { text, lines, next: 0, misses: 0, index: None }
    }

    /// The line that is expected next, if the text goes on with it.
    pub(super) fn expected(&self, rest: &[u8]) -> Option<Line> {
        let line = self.lines.get(self.next)?;
        let old = self.bytes(line);
        let same = rest.len() >= old.len() && rest[..old.len()] == *old;
        (same && rest.get(old.len()).is_none_or(|b| *b == b'\n')).then_some(*line)
    }

    /// The expected line was taken.
    pub(super) const fn advance(&mut self) {
        self.next += 1;
        self.misses = 0;
    }

    /// The line with this text, near the expected one or, where the order is another, anywhere.
    pub(super) fn find(&mut self, line: &[u8]) -> Option<Line> {
        let from = self.next.min(self.lines.len());
        let near = self.lines[from..].iter().take(NEAR).position(|old| self.bytes(old) == line);
        if let Some(n) = near {
            self.next += n;
            return self.lines.get(self.next).copied();
        }
        self.misses += 1;
        if self.misses > MOST_MISSES && self.index.is_none() {
            let numbered = self.lines.iter().enumerate();
            self.index = Some(
                numbered
                    .map(|(n, line)| (self.bytes(line), u32::try_from(n).expect("fewer lines than bytes")))
                    .collect(),
            );
        }
        let found = *self.index.as_ref()?.get(line)? as usize;
        self.next = found;
        self.lines.get(found).copied()
    }

    fn bytes(&self, line: &Line) -> &'t [u8] {
        self.text.get(line.start as usize..line.end as usize).unwrap_or_default()
    }
}
