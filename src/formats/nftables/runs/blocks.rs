//! Lines that the other side of a change has too.

use super::{Shapes, next_line};
use crate::formats::{Disposition, Earlier, Lines, Note};
use foldhash::quality::RandomState;
use std::collections::HashMap;
use std::ops::Range;

/// The blocks of lines that reading the file of the other side left behind. A block is taken over whole.
#[derive(Debug)]
pub(in crate::formats::nftables) struct Blocks<'t> {
    text: &'t [u8],
    lines: &'t [Lines],
    /// In each block, the first line of each shape.
    marked: &'t [u32],
    notes: &'t [Note],
    /// The block that is expected next.
    next: usize,
    /// Blocks by their first lines.
    by_line: HashMap<&'t [u8], usize, RandomState>,
}

impl<'t> Blocks<'t> {
    pub(in crate::formats::nftables) fn new(earlier: Earlier<'t>) -> Self {
        let Earlier { text, lines, ends: _, marked, notes } = earlier;
        let mut by_line = HashMap::default();
        for (number, block) in lines.iter().enumerate() {
            by_line.entry(line(text, block.start as usize)).or_insert(number);
        }
        Self { text, lines, marked, notes, next: 0, by_line }
    }

    /// The block with which the text goes on at `at`, and the shapes in it.
    pub(super) fn at(
        &mut self,
        text: &[u8],
        at: usize,
        prefix: &[u8],
        shapes: &Shapes<'_>,
    ) -> Option<(Lines, Vec<u32>)> {
        let mut number = self.next;
        if !self.is_at(number, text, at) {
            number = *self.by_line.get(line(text, at))?;
            if !self.is_at(number, text, at) {
                return None;
            }
        }
        let block = *self.lines.get(number)?;
        let end = at + (block.end - block.start) as usize;
        let second = memchr::memchr(b'\n', &text[at..end]).map(|length| next_line(text, at + length, prefix));
        if (block.context & PREFIXED != 0) == prefix.is_empty() || second == Some(None) {
            return None;
        }
        // It is known what lines of a shape mean only if one was read here.
        let (first, last) = [block.start, block.end].map(|end| self.marked.partition_point(|line| *line < end)).into();
        let mut found = Vec::with_capacity(last - first);
        let mut values = Vec::new();
        for line in &self.marked[first..last] {
            found.push(shapes.find(text, at + (line - block.start) as usize, &mut values)?.0);
            values.clear();
        }
        self.next = number + 1;
        Some((block, found))
    }

    /// Where the comments of the rules of a block are, if it begins at `at`.
    pub(super) fn comments(&self, block: &Lines, at: usize) -> impl Iterator<Item = Range<usize>> {
        let Lines { start, end, .. } = *block;
        let notes = notes_of(self.notes, block).filter(|note| note.disposition == COMMENT);
        notes.map(move |note| {
            let moved = |byte: u32| (byte.clamp(start, end) - start) as usize + at;
            moved(note.origin.start)..moved(note.origin.end)
        })
    }

    fn is_at(&self, number: usize, text: &[u8], at: usize) -> bool {
        let Some(Lines { start, end, .. }) = self.lines.get(number) else { return false };
        let Some(old) = self.text.get(*start as usize..*end as usize) else { return false };
        let Some(new) = text.get(at..at + old.len()) else { return false };
        text.get(at + old.len()) == Some(&b'\n') && new.first_chunk::<16>() == old.first_chunk::<16>() && new == old
    }
}

/// Added to the context of lines in which something stands before the rule.
pub(in crate::formats::nftables) const PREFIXED: u32 = 1 << 16;

/// What becomes of the comment of a rule.
pub(in crate::formats::nftables) const COMMENT: Disposition = Disposition::Inert("comment");

/// The notes on the lines of a block.
pub(in crate::formats::nftables) fn notes_of<'n>(notes: &'n [Note], block: &Lines) -> impl Iterator<Item = &'n Note> {
    let [first, last] = [block.start, block.end].map(|end| notes.partition_point(|note| note.origin.start < end));
    notes[first..last].iter()
}

fn line(text: &[u8], start: usize) -> &[u8] {
    let rest = text.get(start..).unwrap_or_default();
    &rest[..memchr::memchr(b'\n', rest).unwrap_or(rest.len())]
}
