use crate::text::{SourceId, Span};
use std::ops::Range;

/// Where the rules of a chain stand, in order: four bytes a rule where they follow one another at one distance, as lines
/// do.
#[derive(Debug, Clone, Default)]
pub struct Origins {
    /// One past the last byte of each.
    ends: Vec<u32>,
    /// Together they are all rules.
    runs: Vec<Run>,
}

/// Rules of one source of which each but the first begins that far behind the end of the one before it.
#[derive(Debug, Clone, Copy)]
struct Run {
    /// The number of the first rule.
    from: usize,
    /// Where that begins.
    start: u32,
    /// How far, modulo 2^32: what stands before counts, too.
    distance: u32,
    source: SourceId,
}

impl Origins {
    /// Adds the place of another rule at the end.
    #[inline]
    pub fn push(&mut self, origin: Span) {
        let Span { source, start, end } = origin;
        self.extend_places(source, std::iter::once((start, end)));
    }

    /// Adds the places of further rules of one source at the end: first byte, and one past the last.
    #[inline]
    pub fn extend_places(&mut self, source: SourceId, places: impl Iterator<Item = (u32, u32)>) {
        for (start, end) in places {
            self.place(source, start);
            if self.ends.len() == self.ends.capacity() {
                make_room(&mut self.ends, 1);
            }
            self.ends.push(end);
        }
    }

    /// Notes where the next rule begins.
    #[inline]
    fn place(&mut self, source: SourceId, start: u32) {
        let next = self.ends.len();
        if let (Some(run), Some(end)) = (self.runs.last_mut(), self.ends.last())
            && run.source == source
        {
            let distance = start.wrapping_sub(*end);
            if run.distance == distance {
                return;
            }
            if run.from + 1 == next {
                run.distance = distance;
                return;
            }
        }
        self.runs.push(Run { from: next, start, distance: 1, source });
    }

    /// Where the last `count` rules end.
    pub fn last_ends(&self, count: usize) -> impl Iterator<Item = u32> + '_ {
        self.ends[self.len().saturating_sub(count)..].iter().copied()
    }

    /// Puts the places of further rules before the rule of that number.
    pub fn insert(&mut self, index: usize, origins: impl IntoIterator<Item = Span>) {
        let after: Vec<Span> = self.range(index..self.len()).collect();
        self.ends.truncate(index);
        self.runs.retain(|run| run.from < index);
        self.extend(origins.into_iter().chain(after));
    }

    /// How many rules there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Where the rule of that number stands.
    #[must_use]
    #[inline]
    pub fn get(&self, index: usize) -> Option<Span> {
        let end = *self.ends.get(index)?;
        let run = self.runs[self.runs.partition_point(|run| run.from <= index) - 1];
        let start = if run.from == index { run.start } else { self.ends[index - 1].wrapping_add(run.distance) };
        Some(Span { source: run.source, start, end })
    }

    /// Where the first rule stands.
    #[must_use]
    pub fn first(&self) -> Option<Span> {
        self.get(0)
    }

    /// Where all of them stand.
    pub fn iter(&self) -> impl Iterator<Item = Span> + Clone + '_ {
        self.range(0..self.len())
    }

    /// Where these rules stand; those of them that there are.
    pub fn range(&self, range: Range<usize>) -> impl Iterator<Item = Span> + Clone + '_ {
        let first = range.start.min(self.len());
        let ends = self.ends[first..range.end.clamp(first, self.len())].iter();
        let mut before = first.checked_sub(1).map_or(0, |before| self.ends[before]);
        let mut next_run = self.runs.partition_point(|run| run.from < first);
        (first..).zip(ends).map(move |(index, end)| {
            next_run += usize::from(self.runs.get(next_run).is_some_and(|run| run.from == index));
            let run = self.runs[next_run - 1];
            let start = if run.from == index { run.start } else { before.wrapping_add(run.distance) };
            before = *end;
            Span { source: run.source, start, end: *end }
        })
    }

    /// How many lines that is: neighbours that stand at one place are one.
    #[must_use]
    pub fn line_count(&self) -> usize {
        let same = |n: usize| self.ends[n] == self.ends[n - 1] && self.get(n) == self.get(n - 1);
        (0..self.len()).filter(|n| *n == 0 || !same(*n)).count()
    }

    /// The lines, and the rules that each is: neighbours that stand at one place.
    pub fn lines(&self) -> impl Iterator<Item = (Span, Range<usize>)> + Clone + '_ {
        let mut origins = self.iter().enumerate().peekable();
        std::iter::from_fn(move || {
            let (first, origin) = origins.next()?;
            let mut end = first + 1;
            while origins.next_if(|(_, next)| *next == origin).is_some() {
                end += 1;
            }
            Some((origin, first..end))
        })
    }
}

/// Makes room for further rules of a chain: while they are few, for four times as many. There may be a million chains with
/// hardly any, and in others each new list takes longer than what is put into it.
#[cold]
#[inline(never)]
pub(super) fn make_room<T>(list: &mut Vec<T>, more: usize) {
    const FEW: usize = 64;
    let few = if list.len() < FEW { 3 * list.len() } else { 0 };
    list.reserve(more.max(few));
}

impl Extend<Span> for Origins {
    #[inline]
    fn extend<I: IntoIterator<Item = Span>>(&mut self, origins: I) {
        origins.into_iter().for_each(|origin| self.push(origin));
    }
}

impl FromIterator<Span> for Origins {
    fn from_iter<I: IntoIterator<Item = Span>>(origins: I) -> Self {
        let mut out = Self::default();
        out.extend(origins);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn span() -> impl Strategy<Value = Span> {
        let mut sources = crate::text::SourceMap::default();
        let ids: Vec<_> = (0..3).map(|_| sources.add(b"x", Vec::new()).expect("small")).collect();
        (proptest::sample::select(ids), 0..4u32).prop_map(|(source, start)| Span { source, start, end: start + 1 })
    }

    proptest! {
        #[test]
        fn places_come_back_as_they_were_put(
            first in prop::collection::vec(span(), 0..12),
            more in prop::collection::vec(span(), 0..4),
            at in 0..12usize,
            range in (0..14usize, 0..14usize),
        ) {
            let at = at.min(first.len());
            let mut plain = first.clone();
            plain.splice(at..at, more.iter().copied());
            let mut origins: Origins = first.into_iter().collect();
            origins.insert(at, more);
            let ends: Vec<u32> = plain.iter().skip(at).map(|span| span.end).collect();
            prop_assert_eq!(origins.last_ends(plain.len() - at).collect::<Vec<_>>(), ends);
            prop_assert_eq!(origins.iter().collect::<Vec<_>>(), plain.clone());
            prop_assert_eq!(origins.len(), plain.len());
            prop_assert_eq!(origins.line_count(), origins.lines().count());
            let lines: Vec<_> = origins.lines().map(|(origin, rules)| vec![origin; rules.len()]).collect();
            let plain_lines: Vec<_> = plain.chunk_by(|a, b| a == b).map(<[Span]>::to_vec).collect();
            prop_assert_eq!(lines, plain_lines);
            let (from, to) = (range.0.min(plain.len()), range.1.clamp(range.0.min(plain.len()), plain.len()));
            prop_assert_eq!(origins.range(range.0..range.1).collect::<Vec<_>>(), plain[from..to].to_vec());
            prop_assert_eq!(origins.get(range.0), plain.get(range.0).copied());
            let mut grouped = Origins::default();
            for of_one in plain.chunk_by(|a, b| a.source == b.source) {
                grouped.extend_places(of_one[0].source, of_one.iter().map(|span| (span.start, span.end)));
            }
            prop_assert_eq!(grouped.iter().collect::<Vec<_>>(), plain);
        }
    }
}
