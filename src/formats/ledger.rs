use crate::text::{SourceId, Span};
use std::ops::Range;

/// What a reader did with a piece of its input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disposition {
    /// The model says exactly the same.
    Modelled,
    /// It cannot change an answer; the word says why, e.g. "comment".
    Inert(&'static str),
    /// A condition that is recognised but whose truth is not in the file; the word names it, e.g. "limit".
    Opaque(&'static str),
}

/// A piece of input that is not [`Disposition::Modelled`], for `portcullis parse`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Note {
    /// Where.
    pub origin: Span,
    /// What became of it.
    pub disposition: Disposition,
}

/// The account of one source: every byte that is not blank is claimed exactly once, front to back.
/// What is passed over becomes a gap.
#[derive(Debug)]
pub struct Ledger<'t> {
    source: SourceId,
    text: &'t [u8],
    /// Everything before is accounted for.
    at: usize,
    notes: Vec<Note>,
    gaps: Vec<(Span, String)>,
}

impl<'t> Ledger<'t> {
    pub(super) const fn new(source: SourceId, text: &'t [u8]) -> Self {
        Self { source, text, at: 0, notes: Vec::new(), gaps: Vec::new() }
    }

    /// The text of the source.
    #[must_use]
    pub const fn text(&self) -> &'t [u8] {
        self.text
    }

    /// A span of the source.
    #[must_use]
    #[inline]
    pub fn span(&self, start: usize, end: usize) -> Span {
        let narrow = |n| u32::try_from(n).expect("sources are smaller than 4 GiB");
        Span { source: self.source, start: narrow(start), end: narrow(end) }
    }

    /// Accounts for the bytes from `start` to `end`. Claims go front to back: what lies between the last
    /// claim and this one becomes a gap unless it is blank.
    #[inline]
    pub fn claim(&mut self, start: usize, end: usize, disposition: Disposition) {
        self.pass(start);
        match disposition {
            Disposition::Modelled => {}
            Disposition::Inert(_) | Disposition::Opaque(_) => {
                self.notes.push(Note { origin: self.span(start, end), disposition });
            }
        }
        self.at = self.at.max(end);
    }

    /// Says more of bytes that are accounted for already, as part of something else.
    pub fn note(&mut self, start: usize, end: usize, disposition: Disposition) {
        self.notes.push(Note { origin: self.span(start, end), disposition });
    }

    /// Accounts for the bytes from `start` to `end` as something whose effect cannot be bounded.
    pub fn gap(&mut self, start: usize, end: usize, reason: impl Into<String>) {
        self.pass(start);
        self.gaps.push((self.span(start, end), reason.into()));
        self.at = self.at.max(end);
    }

    /// Accounts for the bytes from `start` to `end`, which say what others say that are accounted for already: as
    /// these, they are modelled but for the pieces that `notes` tells.
    #[inline]
    pub fn claim_again(&mut self, start: usize, end: usize, notes: impl Iterator<Item = (Range<usize>, Disposition)>) {
        self.claim(start, end, Disposition::Modelled);
        for (at, disposition) in notes {
            self.notes.push(Note { origin: self.span(at.start, at.end), disposition });
        }
    }

    /// The source.
    #[must_use]
    pub const fn source(&self) -> SourceId {
        self.source
    }

    /// The pieces that are claimed and not modelled so far, in order.
    #[must_use]
    pub fn notes(&self) -> &[Note] {
        &self.notes
    }

    /// Everything before this byte is accounted for.
    #[must_use]
    pub const fn at(&self) -> usize {
        self.at
    }

    /// How many gaps there are so far: a reader stops where a text has no end of them.
    #[must_use]
    pub const fn gap_count(&self) -> usize {
        self.gaps.len()
    }

    /// What lies between the last claim and `start` is a gap unless it is blank.
    #[inline]
    fn pass(&mut self, start: usize) {
        // The usual case: the line before was claimed, and its ending is not.
        if start == self.at + 1 && self.text[self.at] == b'\n' {
            return;
        }
        self.pass_over(start);
    }

    fn pass_over(&mut self, start: usize) {
        if start < self.at {
            let origin = self.span(start, self.at);
            self.gaps.push((origin, "claimed twice: a bug in the reader".to_owned()));
            return;
        }
        let skipped = &self.text[self.at..start];
        if skipped.iter().all(u8::is_ascii_whitespace) {
            return;
        }
        let first = self.at + (skipped.len() - skipped.trim_ascii_start().len());
        let last = self.at + skipped.trim_ascii_end().len();
        self.gaps.push((self.span(first, last), "not understood".to_owned()));
    }

    pub(super) fn close(mut self) -> (Vec<Note>, Vec<(Span, String)>) {
        self.pass(self.text.len());
        (self.notes, self.gaps)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::SourceMap;

    fn gaps(text: &str, claims: &[(usize, usize, Disposition)]) -> Vec<String> {
        let mut sources = SourceMap::default();
        let source = sources.add(b"input", text.into()).expect("small");
        let mut ledger = Ledger::new(source, sources.bytes(source));
        for (start, end, disposition) in claims {
            ledger.claim(*start, *end, *disposition);
        }
        let (_, gaps) = ledger.close();
        gaps.iter().map(|(at, why)| format!("{}: {why}", sources.show(*at))).collect()
    }

    #[test]
    fn what_nobody_claims_is_a_gap() {
        use Disposition::{Inert, Modelled, Opaque};
        assert_eq!(gaps(" a b\n", &[]), ["a b: not understood"]);
        assert_eq!(gaps("a b", &[(0, 1, Modelled)]), ["b: not understood"]);
        assert_eq!(gaps("a b\n", &[(2, 3, Inert("comment"))]), ["a: not understood"]);
        assert_eq!(gaps("a b c", &[(0, 1, Opaque("limit")), (4, 5, Modelled)]), ["b: not understood"]);
        assert_eq!(gaps("a b", &[(0, 3, Modelled), (2, 3, Modelled)]), ["b: claimed twice: a bug in the reader"]);
    }
}
