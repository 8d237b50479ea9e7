//! Lines that the other side of a change has too: read once, the same rules on both sides.

use crate::formats::{self, Disposition, Lines, Note};
use crate::model::RuleId;
use foldhash::quality::RandomState;
use std::collections::HashMap;
use std::ops::Range;

/// The lines of the file of the same name on the other side, walked in step with this one's.
#[derive(Debug)]
pub(super) struct Earlier<'t> {
    text: &'t [u8],
    lines: &'t [Lines],
    marked: &'t [u32],
    notes: &'t [Note],
    next: Place,
    /// How many in a row were not found near there.
    misses: usize,
    /// Built when the two are in another order.
    index: Option<HashMap<&'t [u8], Place, RandomState>>,
}

/// A line of the other side; the end if there is no such piece.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Place {
    /// The piece that it is in, …
    piece: usize,
    /// … its number there, …
    line: u32,
    /// … and how far into the piece it begins.
    byte: usize,
}

/// Lines that both sides have.
#[derive(Debug, Clone, Copy)]
pub(super) struct Same<'t> {
    /// Their text, without the last line ending.
    pub(super) text: &'t [u8],
    /// Where they stand on the other side.
    start: usize,
    pub(super) context: u32,
    /// Their first rule. They have one each, or there is one line with several.
    pub(super) rule: RuleId,
    pub(super) rules: u32,
    pub(super) single: bool,
    marked: &'t [u32],
    notes: &'t [Note],
}

/// How far ahead is looked for a line after some were deleted.
const NEAR: usize = 16;
/// After so many lines in a row that are not near, all are indexed.
const MOST_MISSES: usize = 64;
/// How much is compared at once, so that it is still in the cache when its lines are counted.
const MOST: usize = 1 << 16;

impl<'t> Earlier<'t> {
    pub(super) fn new(earlier: formats::Earlier<'t>) -> Self {
        let formats::Earlier { text, lines, marked, notes } = earlier;
        Self { text, lines, marked, notes, next: Place::default(), misses: 0, index: None }
    }

    /// The lines with which the text goes on, if they are those that are expected next: as many as have one context.
    pub(super) fn expected(&self, rest: &[u8]) -> Option<Same<'t>> {
        let piece = self.lines.get(self.next.piece)?;
        let start = piece.start as usize + self.next.byte;
        let old = self.text.get(start..piece.end as usize)?;
        if old.first_chunk::<8>() != rest.first_chunk::<8>() {
            return None;
        }
        let many = old.len() > MOST;
        let old = if many { &old[..MOST] } else { old };
        let equal = common(old, rest);
        let ends = |at: usize| rest.get(at).is_none_or(|byte| *byte == b'\n');
        let text = if equal == old.len() && !many && ends(equal) {
            old
        } else {
            &old[..memchr::memrchr(b'\n', &old[..equal])?]
        };
        let single = piece.count == 1;
        let rules = if single { piece.rules } else { count(text) };
        let rule = piece.rule.after(self.next.line);
        Some(Same { text, start, context: piece.context, rule, rules, single, marked: self.marked, notes: self.notes })
    }

    /// These lines, which were expected, are taken.
    pub(super) fn advance(&mut self, same: &Same<'_>) {
        self.misses = 0;
        let Some(piece) = self.lines.get(self.next.piece) else { return };
        let byte = self.next.byte + same.text.len();
        self.next = if piece.start as usize + byte >= piece.end as usize {
            Place { piece: self.next.piece + 1, line: 0, byte: 0 }
        } else {
            Place { line: self.next.line + same.rules, byte: byte + 1, ..self.next }
        };
    }

    /// Makes the line with this text the one that is expected next: one near that or, where the order is another,
    /// anywhere.
    pub(super) fn find(&mut self, line: &[u8]) -> bool {
        let mut place = self.next;
        for _ in 0..NEAR {
            let Some((old, after)) = self.line(place) else { break };
            if old == line {
                self.next = place;
                return true;
            }
            place = after;
        }
        self.misses += 1;
        if self.misses > MOST_MISSES && self.index.is_none() {
            let mut place = Place::default();
            let all = std::iter::from_fn(|| {
                let (line, after) = self.line(place)?;
                Some((line, std::mem::replace(&mut place, after)))
            });
            self.index = Some(all.collect());
        }
        let found = self.index.as_ref().and_then(|index| index.get(line));
        self.next = found.copied().unwrap_or(self.next);
        found.is_some()
    }

    /// The line there, and the place of the next.
    fn line(&self, place: Place) -> Option<(&'t [u8], Place)> {
        let piece = self.lines.get(place.piece)?;
        let rest = self.text.get(piece.start as usize + place.byte..piece.end as usize)?;
        let next = Place { piece: place.piece + 1, line: 0, byte: 0 };
        Some(match memchr::memchr(b'\n', rest) {
            Some(end) => (&rest[..end], Place { line: place.line + 1, byte: place.byte + end + 1, ..place }),
            None => (rest, next),
        })
    }
}

impl Same<'_> {
    /// Where those of these lines begin that are marked, for lines that begin at `start`.
    pub(super) fn marked(&self, start: usize) -> impl ExactSizeIterator<Item = usize> {
        let (from, to) = (self.start, self.start + self.text.len());
        let before = |at: usize| self.marked.partition_point(|line| (*line as usize) < at);
        self.marked[before(from)..before(to)].iter().map(move |line| *line as usize - from + start)
    }

    /// The notes on these lines, for lines that begin at `start`.
    pub(super) fn notes(&self, start: usize) -> impl Iterator<Item = (Range<usize>, Disposition)> {
        let (from, to) = (self.start, self.start + self.text.len());
        let first = self.notes.partition_point(|note| (note.origin.start as usize) < from);
        let notes = self.notes.iter().skip(first).take_while(move |note| (note.origin.start as usize) < to);
        notes.map(move |Note { origin, disposition }| {
            let at = |byte: u32| byte as usize - from + start;
            (at(origin.start)..at(origin.end), *disposition)
        })
    }
}

fn count(text: &[u8]) -> u32 {
    u32::try_from(memchr::memchr_iter(b'\n', text).count() + 1).expect("sources are smaller than 4 GiB")
}

/// How many bytes two texts have in common at their beginning.
fn common(a: &[u8], b: &[u8]) -> usize {
    const STEP: usize = 256;
    let steps = a.chunks_exact(STEP).zip(b.chunks_exact(STEP)).take_while(|(a, b)| a == b).count() * STEP;
    let (a, b) = (&a[steps..], &b[steps..]);
    let words = a.as_chunks::<8>().0.iter().zip(b.as_chunks::<8>().0).take_while(|(a, b)| a == b).count() * 8;
    steps + words + a[words..].iter().zip(&b[words..]).take_while(|(a, b)| a == b).count()
}
