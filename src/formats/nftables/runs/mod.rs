//! Rules that stand in one line each and are of known shapes: they are kept as numbers, without a syntax tree.
//!
//! Large rulesets repeat few shapes. Each is understood once, from its first rule; what a run of such lines means is by
//! definition what the general way makes of them, to which it can be turned back at any time ([`Run::rules`]).

mod blocks;
mod shapes;

pub(super) use blocks::{Blocks, COMMENT, PREFIXED, notes_of};
pub(super) use shapes::{Hole, Shape, Shapes};

use super::parse;
use super::syntax::Rule;
use crate::formats::Lines;
use crate::text::{SourceId, Span};
use std::ops::Range;

/// Lines that follow one another, each a rule of a known shape.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Run<'t> {
    /// From the first byte of the first rule to the last of the last.
    pub(super) at: Span,
    pub(super) text: &'t [u8],
    /// What stands before each rule in its line, such as `add rule ip filter input `.
    pub(super) prefix: &'t [u8],
    /// The shapes that occur, each once.
    pub(super) shapes: Vec<u32>,
    pub(super) body: Body,
}

/// What is known of the lines of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Body {
    Read(Read),
    /// The other side has the same lines, these.
    Same(Lines),
}

/// Lines that were read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Read {
    pub(super) lines: Vec<Line>,
    /// What is in the holes of the lines, one after the other.
    pub(super) values: Vec<u64>,
}

/// A line of a run, from the first byte of the rule to its last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) shape: u32,
    pub(super) start: u32,
    pub(super) end: u32,
}

impl<'t> Run<'t> {
    /// Reads the lines anew.
    pub(super) fn read(&self, shapes: &Shapes<'t>) -> Read {
        let mut read = Read::default();
        let (mut at, end) = (self.at.start as usize, self.at.end as usize);
        while at < end {
            let found = shapes.find(self.text, at, &mut read.values);
            let (shape, stop) = found.expect("the lines of a run are of known shapes");
            read.lines.push(Line { shape, start: narrow(at), end: narrow(stop) });
            at = next_line(self.text, stop, self.prefix).unwrap_or(end);
        }
        read
    }

    /// How many rules it is.
    pub(super) fn len(&self) -> usize {
        match &self.body {
            Body::Read(read) => read.lines.len(),
            Body::Same(lines) => lines.count as usize,
        }
    }

    /// Where each rule stands.
    pub(super) fn places(&self) -> impl Iterator<Item = Span> {
        let Self { at, text, prefix, shapes: _, body: _ } = *self;
        let mut next = at.start as usize;
        std::iter::from_fn(move || {
            let rest = text.get(next..at.end as usize).filter(|rest| !rest.is_empty())?;
            let end = memchr::memchr(b'\n', rest).map_or(at.end as usize, |length| next + length);
            let place = span(at.source, next..end);
            next = next_line(text, end, prefix).unwrap_or(at.end as usize);
            Some(place)
        })
    }

    /// The rules as the general way reads them.
    pub(super) fn rules(&self, found: impl FnMut(Rule<'t>)) {
        self.places().map(|place| rule(self.text, place)).for_each(found);
    }
}

/// The rule of a run that stands there, as the general way reads it.
pub(super) fn rule(text: &[u8], place: Span) -> Rule<'_> {
    parse::rule(text, place).expect("a rule of this shape was read before")
}

/// The first byte of the rule in the line after the one that ends there, if that begins in the same way.
fn next_line(text: &[u8], end: usize, prefix: &[u8]) -> Option<usize> {
    let rest = text.get(end + 1..)?;
    let blanks = rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    rest[blanks..].starts_with(prefix).then_some(end + 1 + blanks + prefix.len())
}

fn span(source: SourceId, at: Range<usize>) -> Span {
    Span { source, start: narrow(at.start), end: narrow(at.end) }
}

fn narrow(at: usize) -> u32 {
    u32::try_from(at).expect("sources are smaller than 4 GiB")
}

/// Where runs begin.
#[derive(Debug, Clone, Copy)]
pub(super) struct Start<'t> {
    pub(super) source: SourceId,
    pub(super) text: &'t [u8],
    /// The first byte of the first rule.
    pub(super) at: usize,
    /// What stands before each rule in its line.
    pub(super) prefix: &'t [u8],
}

/// Reads the runs that begin there as far as they go, to `most` rules or some more. What the other side
/// has is not read again. `comments`: where the comments of their rules stand.
pub(super) fn runs<'t>(
    from: &Start<'t>,
    shapes: &mut Shapes<'t>,
    mut earlier: Option<&mut Blocks<'t>>,
    most: usize,
    comments: &mut Vec<Range<usize>>,
) -> Vec<Run<'t>> {
    let Start { source, text, at: start, prefix } = *from;
    let mut runs = Vec::new();
    let (mut read, mut seen) = (Read::default(), Vec::new());
    let close = |read: &mut Read, seen: &mut Vec<u32>, runs: &mut Vec<Run<'t>>| {
        if let [first, ..] = read.lines.as_slice()
            && let [.., last] = read.lines.as_slice()
        {
            let at = Span { source, start: first.start, end: last.end };
            runs.push(Run { at, text, prefix, shapes: std::mem::take(seen), body: Body::Read(std::mem::take(read)) });
        }
    };
    let (mut at, mut count) = (start, 0);
    shapes.begin();
    while count < most {
        if let Some((same, of)) = earlier.as_deref_mut().and_then(|earlier| earlier.at(text, at, prefix, shapes)) {
            close(&mut read, &mut seen, &mut runs);
            shapes.begin();
            let end = at + (same.end - same.start) as usize;
            if let Some(earlier) = &earlier {
                comments.extend(earlier.comments(&same, at));
            }
            runs.push(Run { at: span(source, at..end), text, prefix, shapes: of, body: Body::Same(same) });
            count += same.count as usize;
            match next_line(text, end, prefix) {
                Some(next) => at = next,
                None => break,
            }
            continue;
        }
        let Some((shape, stop)) = shapes.find(text, at, &mut read.values) else { break };
        if let (Some(before), Some(place)) = (shapes.get(shape).comment, read.values.last()) {
            let [start, length] = [place >> 32, place & 0xffff_ffff].map(|n| usize::try_from(n).expect("32 bits"));
            comments.push(start - 1 - before..start + length + 1);
        }
        if shapes.is_new(shape) {
            seen.push(shape);
        }
        read.lines.push(Line { shape, start: narrow(at), end: narrow(stop) });
        count += 1;
        match next_line(text, stop, prefix) {
            Some(next) => at = next,
            None => break,
        }
    }
    close(&mut read, &mut seen, &mut runs);
    runs
}
