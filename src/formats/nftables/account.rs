//! What became of each piece of the text. Parser, program and lowering claim in any order; the ledgers of the files are
//! filled from it at the end.

use crate::formats::{Disposition, Reading};
use crate::text::Span;

/// Claims and gaps of all files of a configuration.
#[derive(Debug, Default)]
pub(super) struct Account {
    pub(super) claims: Vec<(Span, Result<Disposition, String>)>,
}

impl Account {
    /// The text at that place was understood.
    pub(super) fn claim(&mut self, at: Span, disposition: Disposition) {
        self.claims.push((at, Ok(disposition)));
    }

    /// The text at that place has an effect that cannot be bounded, or nft refuses it.
    pub(super) fn gap(&mut self, at: Span, reason: impl Into<String>) {
        self.claims.push((at, Err(reason.into())));
    }

    /// Fills the ledgers. A claim that lies in one before it is left out, since the outer one says enough; a gap that does
    /// is kept.
    pub(super) fn close(mut self, reading: &mut Reading<'_>) {
        self.claims.sort_by_key(|(at, _)| (at.source, at.start, std::cmp::Reverse(at.end)));
        let mut claims = self.claims.into_iter().peekable();
        for file in reading.files() {
            let mut ledger = reading.ledger(*file);
            while let Some((at, what)) = claims.next_if(|(at, _)| at.source == *file) {
                let (start, end) = (at.start as usize, at.end as usize);
                match what {
                    Ok(_) if start < ledger.at() => {}
                    Ok(disposition) => ledger.claim(start, end, disposition),
                    Err(reason) if start < ledger.at() => reading.gap(at, reason),
                    Err(reason) => ledger.gap(start, end, reason),
                }
            }
            reading.close(ledger);
        }
    }
}
