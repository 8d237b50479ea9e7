use crate::text::{SourceId, Span};
use std::ops::Range;

/// Where the rules of a chain stand, in order: eight bytes a rule, since neighbours are mostly of one source.
#[derive(Debug, Clone, Default)]
pub struct Origins {
    /// First byte, and one past the last.
    places: Vec<(u32, u32)>,
    /// From which rule on the source is that one; each differs from the one before it.
    sources: Vec<(usize, SourceId)>,
}

impl Origins {
    /// Adds the place of another rule at the end.
    #[inline]
    pub fn push(&mut self, origin: Span) {
        let Span { source, start, end } = origin;
        if self.sources.last().is_none_or(|(_, last)| *last != source) {
            self.sources.push((self.places.len(), source));
        }
        self.places.push((start, end));
    }

    /// Adds the places of further rules of one source at the end: first byte, and one past the last.
    pub fn extend_places(&mut self, source: SourceId, places: impl Iterator<Item = (u32, u32)>) {
        let from = self.places.len();
        self.places.extend(places);
        if self.places.len() > from && self.sources.last().is_none_or(|(_, last)| *last != source) {
            self.sources.push((from, source));
        }
    }

    /// Where the last `count` rules end.
    pub fn last_ends(&self, count: usize) -> impl Iterator<Item = u32> + '_ {
        self.places[self.len().saturating_sub(count)..].iter().map(|(_, end)| *end)
    }

    /// Puts the places of further rules before the rule of that number.
    pub fn insert(&mut self, index: usize, origins: impl IntoIterator<Item = Span>) {
        let after: Vec<Span> = self.range(index..self.len()).collect();
        self.places.truncate(index);
        self.sources.retain(|(first, _)| *first < index);
        self.extend(origins.into_iter().chain(after));
    }

    /// How many rules there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Where the rule of that number stands.
    #[must_use]
    #[inline]
    pub fn get(&self, index: usize) -> Option<Span> {
        let (start, end) = *self.places.get(index)?;
        let (_, source) = self.sources[self.sources.partition_point(|(from, _)| *from <= index) - 1];
        Some(Span { source, start, end })
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
        let places = self.places[first..range.end.clamp(first, self.len())].iter();
        let mut next = self.sources.partition_point(|(from, _)| *from <= first);
        (first..).zip(places).map(move |(index, (start, end))| {
            next += usize::from(self.sources.get(next).is_some_and(|(from, _)| *from == index));
            let (_, source) = self.sources[next - 1];
            Span { source, start: *start, end: *end }
        })
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
