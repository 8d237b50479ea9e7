//! What became of each piece of the text. Parser, program and lowering claim in any order; the ledgers of the files are
//! filled from it at the end.

use super::data::Pick;
use super::{Disposition, Reading, Taken};
use crate::model;
use crate::text::{SourceId, Span, escape};
use std::collections::{BTreeMap, BTreeSet};

/// Claims and gaps of all files of a configuration.
#[derive(Debug, Default)]
pub(in crate::formats) struct Account {
    pub(in crate::formats) claims: Vec<(Span, Result<Disposition, String>)>,
    /// The fixed parts of lists that grow that addresses were taken from.
    pub(in crate::formats) picks: BTreeSet<Pick>,
}

impl Account {
    /// The text at that place was understood.
    pub(in crate::formats) fn claim(&mut self, at: Span, disposition: Disposition) {
        self.claims.push((at, Ok(disposition)));
    }

    /// The text at that place has an effect that cannot be bounded, or nft refuses it.
    pub(in crate::formats) fn gap(&mut self, at: Span, reason: impl Into<String>) {
        self.claims.push((at, Err(reason.into())));
    }

    /// Adds another account.
    pub(in crate::formats) fn append(&mut self, mut other: Self) {
        self.claims.append(&mut other.claims);
        self.picks.append(&mut other.picks);
    }

    /// Fills the ledgers. What is inert or opaque within something that is understood is noted all the same, and a gap there
    /// is one.
    pub(in crate::formats) fn close(self, reading: &mut Reading<'_>) {
        self.close_and_remember(reading, BTreeMap::new());
    }

    /// The same; beside it is left behind for each file what reading the other side may take over.
    pub(in crate::formats) fn close_and_remember(
        mut self,
        reading: &mut Reading<'_>,
        mut remembered: BTreeMap<SourceId, Taken>,
    ) {
        let pick = |Pick { list, part, at }: Pick| model::Pick {
            list: escape(list.as_bytes()),
            part: escape(part.as_bytes()),
            origin: at,
        };
        reading.configuration.picks.extend(self.picks.into_iter().map(pick));
        self.claims.sort_by_key(|(at, _)| (at.source, at.start, std::cmp::Reverse(at.end)));
        // What is there several times is said once.
        self.claims.dedup();
        let files: BTreeSet<SourceId> =
            reading.files().iter().copied().chain(self.claims.iter().map(|(at, _)| at.source)).collect();
        let mut claims = self.claims.into_iter().peekable();
        for file in &files {
            let mut ledger = reading.ledger(*file);
            while let Some((at, what)) = claims.next_if(|(at, _)| at.source == *file) {
                let (start, end) = (at.start as usize, at.end as usize);
                match what {
                    Ok(disposition) if start < ledger.at() => {
                        if disposition != Disposition::Modelled {
                            ledger.note(start, end, disposition);
                        }
                        if end > ledger.at() {
                            ledger.claim(ledger.at(), end, Disposition::Modelled);
                        }
                    }
                    Ok(disposition) => ledger.claim(start, end, disposition),
                    Err(reason) if start < ledger.at() => {
                        reading.gap(at, reason);
                        if end > ledger.at() {
                            ledger.claim(ledger.at(), end, Disposition::Modelled);
                        }
                    }
                    Err(reason) => ledger.gap(start, end, reason),
                }
            }
            if let Some(taken) = remembered.remove(file) {
                reading.remember(&ledger, taken);
            }
            reading.close(ledger);
        }
    }
}
