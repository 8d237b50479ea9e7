use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// An exact set of values of one field: sorted, disjoint, non-adjacent closed intervals.
///
/// Every field's values are unsigned numbers of at most 128 bits ([`super::Field`] says how), so one type
/// serves addresses, ports, protocols and interface names. Copies share their intervals: a difference repeats few sets
/// many times.
#[derive(Clone, PartialEq, Eq, Default, PartialOrd, Ord)]
pub struct Set(Arc<Vec<(u128, u128)>>);

impl Set {
    /// The set without a value.
    #[must_use]
    pub fn empty() -> Self {
        Self::default()
    }

    /// All values from `first` to `last`, both included; empty when `first > last`.
    #[must_use]
    pub fn range(first: u128, last: u128) -> Self {
        if first <= last { Self(Arc::new(vec![(first, last)])) } else { Self::empty() }
    }

    /// One value.
    #[must_use]
    pub fn point(value: u128) -> Self {
        Self(Arc::new(vec![(value, value)]))
    }

    /// The union of intervals in any order; those with `first > last` are empty and add nothing.
    #[must_use]
    pub fn from_ranges(ranges: impl IntoIterator<Item = (u128, u128)>) -> Self {
        let mut ranges: Vec<_> = ranges.into_iter().filter(|(first, last)| first <= last).collect();
        if !ranges.is_sorted() {
            ranges.sort_unstable();
        }
        let mut out: Vec<(u128, u128)> = Vec::with_capacity(ranges.len());
        for (first, last) in ranges {
            match out.last_mut() {
                Some(previous) if first <= previous.1.saturating_add(1) => previous.1 = previous.1.max(last),
                Some(_) | None => out.push((first, last)),
            }
        }
        Self(Arc::new(out))
    }

    /// The same for intervals that come sorted by where they begin, none of them empty; in one pass.
    #[must_use]
    pub fn from_sorted(ranges: impl IntoIterator<Item = (u128, u128)>) -> Self {
        let ranges = ranges.into_iter();
        let mut out: Vec<(u128, u128)> = Vec::with_capacity(ranges.size_hint().0);
        for (first, last) in ranges {
            debug_assert!(first <= last && out.last().is_none_or(|before| before.0 <= first), "sorted");
            match out.last_mut() {
                Some(previous) if first <= previous.1.saturating_add(1) => previous.1 = previous.1.max(last),
                Some(_) | None => out.push((first, last)),
            }
        }
        Self(Arc::new(out))
    }

    /// The intervals, sorted, disjoint, with at least one missing value between two of them.
    #[must_use]
    pub fn ranges(&self) -> &[(u128, u128)] {
        &self.0
    }

    /// Whether no value is in the set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The smallest value.
    #[must_use]
    pub fn first(&self) -> Option<u128> {
        self.0.first().map(|range| range.0)
    }

    /// The number of values; saturates at `u128::MAX` (the full 128-bit range has one more).
    #[must_use]
    pub fn len(&self) -> u128 {
        self.0.iter().fold(0, |sum: u128, (first, last)| sum.saturating_add((last - first).saturating_add(1)))
    }

    /// Whether `value` is in the set.
    #[must_use]
    pub fn contains(&self, value: u128) -> bool {
        let after = self.0.partition_point(|(first, _)| *first <= value);
        after > 0 && self.0[after - 1].1 >= value
    }

    /// Whether every value of `other` is in this set.
    #[must_use]
    pub fn includes(&self, other: &Self) -> bool {
        let mut mine = self.0.iter().peekable();
        other.0.iter().all(|(first, last)| {
            while mine.next_if(|(_, end)| end < first).is_some() {}
            mine.peek().is_some_and(|(start, end)| start <= first && last <= end)
        })
    }

    /// Whether a value is in both.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        let (few, many) = if self.0.len() < other.0.len() { (self, other) } else { (other, self) };
        if few.0.len() * 8 < many.0.len() {
            return few.0.iter().any(|(first, last)| {
                let next = many.0.partition_point(|(_, end)| end < first);
                many.0.get(next).is_some_and(|(start, _)| start <= last)
            });
        }
        let (mut i, mut j) = (0, 0);
        while let (Some(a), Some(b)) = (self.0.get(i), other.0.get(j)) {
            if a.1 < b.0 {
                i += 1;
            } else if b.1 < a.0 {
                j += 1;
            } else {
                return true;
            }
        }
        false
    }

    /// The values in both.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        let mut out = Vec::new();
        let (few, many) = if self.0.len() < other.0.len() { (self, other) } else { (other, self) };
        if few.0.len() * 8 < many.0.len() {
            for (first, last) in few.0.iter() {
                let next = many.0.partition_point(|(_, end)| end < first);
                let met = many.0[next..].iter().take_while(|(start, _)| start <= last);
                out.extend(met.map(|(start, end)| (*start.max(first), *end.min(last))));
            }
            return Self(Arc::new(out));
        }
        let (mut i, mut j) = (0, 0);
        while let (Some(a), Some(b)) = (self.0.get(i), other.0.get(j)) {
            let (first, last) = (a.0.max(b.0), a.1.min(b.1));
            if first <= last {
                out.push((first, last));
            }
            if a.1 < b.1 {
                i += 1;
            } else {
                j += 1;
            }
        }
        Self(Arc::new(out))
    }

    /// The values in either.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        Self::from_ranges(self.0.iter().chain(other.0.iter()).copied())
    }

    /// The values from 0 to `max` that are not in the set.
    #[must_use]
    pub fn complement(&self, max: u128) -> Self {
        let mut out = Vec::with_capacity(self.0.len() + 1);
        let mut next = Some(0);
        for (first, last) in self.0.iter() {
            if let Some(start) = next.filter(|start| start < first) {
                out.push((start, first - 1));
            }
            next = last.checked_add(1);
        }
        if let Some(start) = next.filter(|start| *start <= max) {
            out.push((start, max));
        }
        let mut out = Self(Arc::new(out));
        if out.0.last().is_some_and(|(_, last)| *last > max) {
            out = out.intersection(&Self::range(0, max));
        }
        out
    }

    /// The values of this set that are not in `other`.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Self {
        self.intersection(&in_one_only(&self.0, &other.0))
    }
}

/// So many intervals are compared at once where two lists agree.
const MANY: usize = 32;

/// The values that are in one of two canonical lists of closed intervals only: one pass over both.
#[must_use]
pub fn in_one_only(a: &[(u128, u128)], b: &[(u128, u128)]) -> Set {
    let mut out: Vec<(u128, u128)> = Vec::new();
    let mut put = |first: u128, last: u128| match out.last_mut() {
        Some(previous) if previous.1 + 1 == first => previous.1 = last,
        Some(_) | None => out.push((first, last)),
    };
    let (mut a, mut b) = (a.iter(), b.iter());
    let (mut mine, mut theirs) = (a.next().copied(), b.next().copied());
    loop {
        match (mine, theirs) {
            (None, None) => return Set(Arc::new(out)),
            (Some(x), Some(y)) if x == y => {
                while let (Some((many, rest)), Some((same, others))) =
                    (a.as_slice().split_first_chunk::<MANY>(), b.as_slice().split_first_chunk())
                    && many == same
                {
                    (a, b) = (rest.iter(), others.iter());
                }
                (mine, theirs) = (a.next().copied(), b.next().copied());
            }
            (Some(x), y) if y.is_none_or(|y| x.1 < y.0) => {
                put(x.0, x.1);
                mine = a.next().copied();
            }
            (x, Some(y)) if x.is_none_or(|x| y.1 < x.0) => {
                put(y.0, y.1);
                theirs = b.next().copied();
            }
            (Some(x), Some(y)) => {
                if x.0 != y.0 {
                    put(x.0.min(y.0), x.0.max(y.0) - 1);
                }
                let shared = x.1.min(y.1);
                mine = if x.1 == shared { a.next().copied() } else { Some((shared + 1, x.1)) };
                theirs = if y.1 == shared { b.next().copied() } else { Some((shared + 1, y.1)) };
            }
            (Some(_), None) | (None, Some(_)) => return Set(Arc::new(out)),
        }
    }
}

/// Of very long lists not every interval is mixed in: a text of any size has few of them.
impl Hash for Set {
    fn hash<H: Hasher>(&self, state: &mut H) {
        const LONG: usize = 1 << 16;
        const MIXED: usize = 1 << 13;
        let step = if self.0.len() < LONG { 1 } else { self.0.len() / MIXED };
        self.0.len().hash(state);
        self.0.iter().step_by(step).for_each(|range| range.hash(state));
    }
}

impl fmt::Debug for Set {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut list = f.debug_set();
        for (first, last) in self.0.iter() {
            if first == last {
                list.entry(first);
            } else {
                list.entry(&format_args!("{first}..={last}"));
            }
        }
        list.finish()
    }
}

impl FromIterator<u128> for Set {
    fn from_iter<I: IntoIterator<Item = u128>>(values: I) -> Self {
        Self::from_ranges(values.into_iter().map(|value| (value, value)))
    }
}

#[cfg(test)]
mod tests {
    use super::{Set, in_one_only};
    use proptest::prelude::*;

    /// A set over 0..=31 and the same as a bit mask, the naive evaluator.
    fn sets() -> impl Strategy<Value = (Set, u32)> {
        proptest::collection::vec((0u8..32, 0u8..32), 0..6).prop_map(|ranges| {
            let set = Set::from_ranges(ranges.iter().map(|(a, b)| (u128::from(*a), u128::from(*b))));
            let mask = (0..32).filter(|n| ranges.iter().any(|(a, b)| (a..=b).contains(&n))).fold(0, |m, n| m | 1 << n);
            (set, mask)
        })
    }

    fn mask(set: &Set) -> u32 {
        assert!(set.ranges().windows(2).all(|w| w[0].1 + 1 < w[1].0), "canonical: {set:?}");
        assert!(set.ranges().iter().all(|(a, b)| a <= b && *b < 32), "in range: {set:?}");
        (0u32..32).filter(|n| set.contains(u128::from(*n))).fold(0, |m, n| m | 1 << n)
    }

    proptest! {
        #[test]
        fn the_algebra_agrees_with_bit_masks((a, x) in sets(), (b, y) in sets()) {
            prop_assert_eq!(mask(&a), x);
            prop_assert_eq!(&Set::from_sorted(a.ranges().iter().copied()), &a);
            prop_assert_eq!(mask(&a.union(&b)), x | y);
            prop_assert_eq!(mask(&a.intersection(&b)), x & y);
            prop_assert_eq!(mask(&a.difference(&b)), x & !y);
            prop_assert_eq!(mask(&a.complement(31)), !x);
            prop_assert_eq!(mask(&in_one_only(a.ranges(), b.ranges())), x ^ y);
            prop_assert_eq!(a.overlaps(&b), x & y != 0);
            prop_assert_eq!(a.includes(&b), y & !x == 0);
            prop_assert_eq!(a.len(), u128::from(x.count_ones()));
        }

        #[test]
        fn long_lists_that_are_nearly_equal_differ_in_what_was_changed(
            gaps in prop::collection::vec(1u8..4, 100..300),
            changed in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
        ) {
            let mut at = 0u128;
            let mut list = Vec::new();
            for gap in &gaps {
                list.push((at, at + u128::from(*gap)));
                at += 8;
            }
            let (all, mut left) = (list.clone(), list);
            for index in &changed {
                left.remove(index.index(left.len()));
            }
            let expected: Set = all.iter().filter(|range| !left.contains(range)).flat_map(|(a, b)| *a..=*b).collect();
            prop_assert_eq!(&in_one_only(&all, &left), &expected);
            prop_assert_eq!(&in_one_only(&left, &all), &expected);
        }
    }

    #[test]
    fn a_small_set_is_looked_up_in_a_large_one() {
        let even: Set = (0..100).map(|n| n * 2).collect();
        assert!((0..200).all(|n| Set::point(n).overlaps(&even) == (n % 2 == 0)));
        assert!((0..200).all(|n| even.overlaps(&Set::range(n, n + 1)) == (n < 199)));
        assert!(!even.overlaps(&Set::range(199, u128::MAX)) && !even.overlaps(&Set::empty()));
        for first in 0..200_u128 {
            let few: Set = [first, first + 1, first + 2, first + 5, u128::MAX].into_iter().collect();
            let both: Set = few.ranges().iter().flat_map(|(a, b)| *a..=*b).filter(|n| even.contains(*n)).collect();
            assert_eq!(few.intersection(&even), both);
            assert_eq!(even.intersection(&few), both);
            assert!((0..210).all(|n| even.difference(&few).contains(n) == (even.contains(n) && !few.contains(n))));
            assert!((0..210).all(|n| few.difference(&even).contains(n) == (few.contains(n) && !even.contains(n))));
        }
    }

    #[test]
    fn the_ends_of_the_widest_field_do_not_overflow() {
        let all = Set::range(0, u128::MAX);
        assert_eq!(all.complement(u128::MAX), Set::empty());
        assert_eq!(Set::empty().complement(u128::MAX), all);
        assert_eq!(Set::from_ranges([(1, u128::MAX), (0, 0)]), all);
        assert_eq!(Set::point(u128::MAX).complement(u128::MAX), Set::range(0, u128::MAX - 1));
    }
}
