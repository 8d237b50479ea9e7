//! What lines say after their addresses: many differ from an earlier one in nothing else.

use super::meaning::Beside;
use super::normal::Rule;
use crate::formats::Disposition;
use crate::model::{RuleId, Symbol};
use crate::text::same;
use std::ops::Range;

/// Ends of lines of one table that were understood already. A cache: what falls out of it is read anew.
#[derive(Debug, Default)]
pub(super) struct Tails<'t> {
    /// Where each is among `kept`, from 1.
    slots: Vec<u16>,
    kept: Vec<Tail<'t>>,
    notes: Vec<(Range<usize>, Disposition)>,
    /// What lines that are objects too change besides, and their rules without addresses.
    besides: Vec<(Beside, Rule)>,
    /// The one with which the last line ended that ended as one before.
    pub(super) last: Option<Tail<'t>>,
}

/// The end of a line, and what the line was.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tail<'t> {
    pub(super) text: &'t [u8],
    /// What stood before it, as far as that matters: which addresses, and which kind of chain.
    pub(super) after: u16,
    /// It has an opaque condition.
    pub(super) opaque: bool,
    /// It holds a MAC address that is not one.
    pub(super) no_mac: bool,
    /// The line's only rule.
    pub(super) rule: RuleId,
    /// The chain that it leads to, which is declared.
    pub(super) leads: Option<Symbol>,
    notes: (u32, u32),
    beside: Option<u32>,
}

/// A power of two.
const SLOTS: usize = 2048;
/// So many are kept, those that fell out included.
const MOST: usize = u16::MAX as usize;
/// Tails with many notes are rare.
const MOST_NOTES: usize = 1 << 16;

impl Tail<'_> {
    /// Whether such lines are objects too.
    #[inline]
    pub(super) const fn is_object(&self) -> bool {
        self.beside.is_some()
    }
}

impl<'t> Tails<'t> {
    /// Forgets all: another table is open, or there are too many.
    pub(super) fn clear(&mut self) {
        self.last = None;
        self.slots.clear();
        self.kept.clear();
        self.notes.clear();
        self.besides.clear();
    }

    #[inline]
    pub(super) fn find(&self, text: &[u8], after: u16) -> Option<&Tail<'t>> {
        let slot = slot(text);
        let at = |slot: usize| {
            let tail = self.kept.get(usize::from(*self.slots.get(slot)?).checked_sub(1)?)?;
            (tail.after == after && same(tail.text, text)).then_some(tail)
        };
        at(slot).or_else(|| at(slot ^ 1))
    }

    /// Keeps the end of a line; `notes`: what is not modelled, from the first byte of `text` on.
    pub(super) fn keep(
        &mut self,
        text: &'t [u8],
        after: u16,
        rule: RuleId,
        leads: Option<Symbol>,
        (opaque, no_mac): (bool, bool),
        notes: impl IntoIterator<Item = (Range<usize>, Disposition)>,
    ) {
        if self.slots.is_empty() {
            self.slots.resize(SLOTS, 0);
        }
        let narrow = |n: usize| u32::try_from(n).expect("few notes");
        let first = self.notes.len();
        self.notes.extend(notes);
        if self.notes.len() > MOST_NOTES || self.kept.len() == MOST {
            return self.clear();
        }
        let notes = (narrow(first), narrow(self.notes.len()));
        let first = slot(text);
        let slot = if self.slots[first] != 0 && self.slots[first ^ 1] == 0 { first ^ 1 } else { first };
        self.kept.push(Tail { text, after, opaque, no_mac, rule, leads, notes, beside: None });
        self.slots[slot] = u16::try_from(self.kept.len()).expect("no more than MOST");
    }

    /// What lines change besides that end as the last one that was kept.
    pub(super) fn keep_beside(&mut self, beside: Beside, rule: Rule) {
        if let Some(tail) = self.kept.last_mut() {
            tail.beside = Some(u32::try_from(self.besides.len()).expect("no more than MOST"));
            self.besides.push((beside, rule));
        }
    }

    /// What such a line changes besides, and its rule without addresses.
    pub(super) fn beside(&self, tail: &Tail<'_>) -> Option<&(Beside, Rule)> {
        self.besides.get(tail.beside? as usize)
    }

    #[inline]
    pub(super) fn notes(&self, tail: &Tail<'_>) -> &[(Range<usize>, Disposition)] {
        &self.notes[tail.notes.0 as usize..tail.notes.1 as usize]
    }
}

/// Where a tail is kept. A bad choice costs time only, so no secret is mixed in.
#[inline]
fn slot(text: &[u8]) -> usize {
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    let word = |bytes: &[u8; 8]| u64::from_le_bytes(*bytes);
    let mix = |hash: u64, word: u64| (hash.rotate_left(23) ^ word).wrapping_mul(FACTOR);
    let (pairs, rest) = text.as_chunks::<16>();
    // Two at once, since each waits for the one before it.
    let (mut even, mut odd) = (text.len() as u64, FACTOR);
    for pair in pairs {
        let (words, _) = pair.as_chunks();
        (even, odd) = (mix(even, word(&words[0])), mix(odd, word(&words[1])));
    }
    let last = match (rest.last_chunk(), text.last_chunk()) {
        (Some(end), _) => mix(word(end), rest.first_chunk().map_or(0, word)),
        (None, Some(end)) => word(end),
        (None, None) => rest.iter().fold(0, |word, byte| word << 8 | u64::from(*byte)),
    };
    let hash = mix(mix(even, last), odd);
    usize::try_from(hash >> 32).expect("32 bits") & (SLOTS - 1)
}
