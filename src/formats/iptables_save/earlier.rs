//! Lines that the other side of a change has too: read once, the same rules on both sides.

use crate::formats::{self, Disposition, Lines, Note, Taken};
use crate::model::{ChainId, RuleId};
use crate::text::{Span, same};
use foldhash::quality::RandomState;
use std::collections::HashMap;
use std::ops::Range;

/// The lines of the file of the same name on the other side, walked in step with this one's.
#[derive(Debug)]
pub(super) struct Earlier<'t> {
    text: &'t [u8],
    lines: &'t [Lines],
    /// Where each line ends, …
    ends: &'t [u32],
    /// … and the number of the first line of each piece among them.
    firsts: Vec<usize>,
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
    /// Where each ends on the other side.
    ends: &'t [u32],
    /// Their first rule. They have one each, or there is one line with several.
    pub(super) rule: RuleId,
    pub(super) rules: u32,
    marked: &'t [u32],
    notes: &'t [Note],
}

/// What is noted of this side's lines for reading the other; nothing if this is the other.
#[derive(Debug)]
pub(super) struct Noted {
    wanted: bool,
    /// Those with a MAC address that is not one are marked.
    taken: Taken,
    /// The chain of the last of the lines.
    chain: Option<ChainId>,
}

/// Added to the context of a line that leads to a chain: the chain must be there on this side too.
pub(super) const LEADS: u32 = 1 << 30;
/// Added to the context of lines of which some have opaque conditions.
pub(super) const OPAQUE: u32 = 1 << 29;
pub(super) const ADDED: u32 = LEADS | OPAQUE;
/// How far ahead is looked for a line after some were deleted.
const NEAR: usize = 16;
/// After so many lines in a row that are not near, all are indexed.
const MOST_MISSES: usize = 64;
/// How much is compared at once, so that it is still in the cache when its lines are counted.
const MOST: usize = 1 << 16;

impl<'t> Earlier<'t> {
    pub(super) fn new(earlier: formats::Earlier<'t>) -> Self {
        let formats::Earlier { text, lines, ends, marked, notes } = earlier;
        let counts = lines.iter().map(|piece| piece.count as usize);
        let firsts = counts.scan(0, |next, count| Some(std::mem::replace(next, *next + count))).collect();
        Self { text, lines, ends, firsts, marked, notes, next: Place::default(), misses: 0, index: None }
    }

    /// The lines with which the text goes on, if they are those that are expected next: as many as have one context.
    pub(super) fn expected(&self, rest: &[u8]) -> Option<Same<'t>> {
        let piece = self.lines.get(self.next.piece)?;
        let start = piece.start as usize + self.next.byte;
        let old = self.text.get(start..piece.end as usize)?;
        if old.first_chunk::<8>() != rest.first_chunk::<8>() {
            return None;
        }
        let equal = start + common(&old[..old.len().min(MOST)], rest);
        let first = *self.firsts.get(self.next.piece)?;
        let ends = self.ends.get(first + self.next.line as usize..first + piece.count as usize)?;
        let mut lines = ends.partition_point(|end| *end as usize <= equal);
        let end = *ends.get(lines.checked_sub(1)?)? as usize;
        // The next line may begin here as it goes on there.
        let is_end = |at: usize| rest.get(at - start).is_none_or(|byte| *byte == b'\n');
        if !is_end(end) {
            lines -= 1;
        }
        let ends = &ends[..lines];
        let end = *ends.last()? as usize;
        let rules = if piece.count == 1 { piece.rules } else { narrow(lines) };
        Some(Same {
            text: self.text.get(start..end)?,
            start,
            context: piece.context,
            ends,
            rule: piece.rule.after(self.next.line),
            rules,
            marked: self.marked,
            notes: self.notes,
        })
    }

    /// These lines, which were expected, are taken.
    pub(super) fn advance(&mut self, same: &Same<'_>) {
        self.misses = 0;
        let Some(piece) = self.lines.get(self.next.piece) else { return };
        let byte = self.next.byte + same.text.len();
        self.next = if piece.start as usize + byte >= piece.end as usize {
            Place { piece: self.next.piece + 1, line: 0, byte: 0 }
        } else {
            Place { line: self.next.line + narrow(same.ends.len()), byte: byte + 1, ..self.next }
        };
    }

    /// Makes the line with this text the one that is expected next: one near that or, where the order is another,
    /// anywhere.
    pub(super) fn find(&mut self, line: &[u8]) -> bool {
        let mut place = self.next;
        for _ in 0..NEAR {
            let Some((old, after)) = self.line(place) else { break };
            if same(old, line) {
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
        let start = piece.start as usize + place.byte;
        let end = *self.ends.get(self.firsts.get(place.piece)? + place.line as usize)?;
        let next = if end < piece.end {
            Place { line: place.line + 1, byte: (end + 1 - piece.start) as usize, ..place }
        } else {
            Place { piece: place.piece + 1, line: 0, byte: 0 }
        };
        Some((self.text.get(start..end as usize)?, next))
    }
}

impl Noted {
    /// Those of a text with about so many.
    pub(super) fn new(wanted: bool, lines: usize) -> Self {
        let ends = Vec::with_capacity(if wanted { lines } else { 0 });
        Self { wanted, taken: Taken { lines: Vec::new(), ends, marked: Vec::new() }, chain: None }
    }

    /// Notes which rules lines are that follow one another and end there.
    #[inline]
    pub(super) fn lines(
        &mut self,
        start: u32,
        ends: impl Iterator<Item = u32>,
        context: u32,
        chain: ChainId,
        (rule, rules): (RuleId, u32),
    ) {
        if !self.wanted {
            return;
        }
        let Taken { lines, ends: known, marked: _ } = &mut self.taken;
        let before = known.len();
        known.extend(ends);
        let (count, Some(end)) = (narrow(known.len() - before), known.last().copied()) else { return };
        if let Some(last) = lines.last_mut()
            && last.end + 1 == start
            && last.context | OPAQUE == context | OPAQUE
            && context & LEADS == 0
            && rules == count
            && last.count == last.rules
            && last.rule.after(last.count) == rule
            && self.chain == Some(chain)
        {
            last.context |= context;
            last.end = end;
            last.count += count;
            last.rules += rules;
            return;
        }
        self.chain = Some(chain);
        lines.push(Lines { start, end, context, count, rule, rules });
    }

    /// Marks a line.
    pub(super) fn mark(&mut self, line: Span) {
        if self.wanted {
            self.taken.marked.push(line.start);
        }
    }

    /// What reading the other side is to know.
    pub(super) fn take(&mut self) -> Option<Taken> {
        self.wanted.then(|| std::mem::take(&mut self.taken))
    }
}

impl Same<'_> {
    /// Whether it is one line, which may be several rules.
    pub(super) const fn is_single(&self) -> bool {
        self.ends.len() == 1
    }

    /// Where each stands, for lines that begin at `start`: first byte, and one past the last.
    pub(super) fn places(&self, start: usize) -> impl Iterator<Item = (u32, u32)> {
        let (old, mut next) = (narrow(self.start), narrow(start));
        let new = next;
        self.ends.iter().map(move |end| {
            let end = *end - old + new;
            (std::mem::replace(&mut next, end + 1), end)
        })
    }

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

fn narrow(n: usize) -> u32 {
    u32::try_from(n).expect("sources are smaller than 4 GiB")
}

/// How many bytes two texts have in common at their beginning.
fn common(a: &[u8], b: &[u8]) -> usize {
    const STEP: usize = 256;
    let steps = a.chunks_exact(STEP).zip(b.chunks_exact(STEP)).take_while(|(a, b)| same(a, b)).count() * STEP;
    let (a, b) = (&a[steps..], &b[steps..]);
    let words = a.as_chunks::<8>().0.iter().zip(b.as_chunks::<8>().0).take_while(|(a, b)| a == b).count() * 8;
    steps + words + a[words..].iter().zip(&b[words..]).take_while(|(a, b)| a == b).count()
}
