use super::ranges::Ranges;
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// An exact set of values of one field: sorted, disjoint, non-adjacent closed intervals.
///
/// Every field's values are unsigned numbers of at most 128 bits ([`super::Field`] says how), so one type
/// serves addresses, ports, protocols and interface names. Copies share their intervals: a difference repeats few sets
/// many times.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Set(Arc<Intervals>);

/// Most sets are one interval. Lists may have a million, so those of small numbers take a quarter of the room.
#[derive(Clone, PartialEq, Eq)]
enum Intervals {
    /// A single one; so it is with every set of which this holds.
    One(u128, u128),
    /// None or several.
    Listed(List),
}

#[derive(Clone, PartialEq, Eq)]
enum List {
    /// No value is larger than 32 bits; so it is with every list of which this holds.
    Narrow(Vec<(u32, u32)>),
    /// The last value is.
    Wide(Vec<(u128, u128)>),
}

impl Default for Intervals {
    fn default() -> Self {
        Self::Listed(List::Narrow(Vec::new()))
    }
}

impl Set {
    /// The set without a value.
    #[must_use]
    pub fn empty() -> Self {
        Self::default()
    }

    /// All values from `first` to `last`, both included; empty when `first > last`.
    #[must_use]
    pub fn range(first: u128, last: u128) -> Self {
        if first <= last { Self(Arc::new(Intervals::One(first, last))) } else { Self::empty() }
    }

    /// One value.
    #[must_use]
    pub fn point(value: u128) -> Self {
        Self::range(value, value)
    }

    /// The union of intervals in any order; those with `first > last` are empty and add nothing.
    #[must_use]
    pub fn from_ranges(ranges: impl IntoIterator<Item = (u128, u128)>) -> Self {
        let mut ranges: Vec<_> = ranges.into_iter().filter(|(first, last)| first <= last).collect();
        if !ranges.is_sorted() {
            ranges.sort_unstable();
        }
        Self::from_sorted(ranges)
    }

    /// The same for intervals that come sorted by where they begin, none of them empty; in one pass.
    #[must_use]
    pub fn from_sorted(ranges: impl IntoIterator<Item = (u128, u128)>) -> Self {
        let ranges = ranges.into_iter();
        let mut out = Builder::with_capacity(ranges.size_hint().0);
        for (first, last) in ranges {
            out.put(first, last);
        }
        out.finish()
    }

    /// The set of intervals that come as [`Self::ranges`] gives them.
    #[must_use]
    pub fn from_disjoint(ranges: Vec<(u32, u32)>) -> Self {
        debug_assert!(ranges.iter().all(|(first, last)| first <= last), "not empty");
        debug_assert!(ranges.windows(2).all(|pair| pair[0].1 < pair[1].0 && pair[0].1 + 1 < pair[1].0), "apart");
        List::Narrow(ranges).into()
    }

    /// The intervals, sorted, disjoint, with at least one missing value between two of them.
    #[must_use]
    pub fn ranges(&self) -> Ranges<'_> {
        match &*self.0 {
            Intervals::One(first, last) => Ranges::One(*first, *last),
            Intervals::Listed(List::Narrow(list)) => Ranges::Narrow(list),
            Intervals::Listed(List::Wide(list)) => Ranges::Wide(list),
        }
    }

    /// Whether no value is in the set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ranges().is_empty()
    }

    /// The smallest value.
    #[must_use]
    pub fn first(&self) -> Option<u128> {
        self.ranges().first().map(|range| range.0)
    }

    /// The number of values; saturates at `u128::MAX` (the full 128-bit range has one more).
    #[must_use]
    pub fn len(&self) -> u128 {
        self.ranges().iter().fold(0, |sum: u128, (first, last)| sum.saturating_add((last - first).saturating_add(1)))
    }

    /// Whether `value` is in the set.
    #[must_use]
    pub fn contains(&self, value: u128) -> bool {
        self.ranges().contains(value)
    }

    /// Whether every value of `other` is in this set.
    #[must_use]
    pub fn includes(&self, other: &Self) -> bool {
        let (mine, its) = (self.ranges(), other.ranges());
        if its.len() * 8 < mine.len() {
            return its.iter().all(|(first, last)| {
                let next = mine.partition_point(|(_, end)| end < first);
                mine.get(next).is_some_and(|(start, end)| start <= first && last <= end)
            });
        }
        let mut mine = mine.iter().peekable();
        its.iter().all(|(first, last)| {
            while mine.next_if(|(_, end)| *end < first).is_some() {}
            mine.peek().is_some_and(|(start, end)| *start <= first && last <= *end)
        })
    }

    /// Whether a value is in both.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        let (few, many) = by_length(self.ranges(), other.ranges());
        if few.len() * 8 < many.len() {
            return few.iter().any(|(first, last)| {
                let next = many.partition_point(|(_, end)| end < first);
                many.get(next).is_some_and(|(start, _)| start <= last)
            });
        }
        let (mut i, mut j) = (0, 0);
        while let (Some(a), Some(b)) = (few.get(i), many.get(j)) {
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
        let mut out = Builder::default();
        let (few, many) = by_length(self.ranges(), other.ranges());
        if few.len() * 8 < many.len() {
            for (first, last) in few.iter() {
                let next = many.partition_point(|(_, end)| end < first);
                let met = (next..).map_while(|n| many.get(n)).take_while(|(start, _)| *start <= last);
                met.for_each(|(start, end)| out.put(start.max(first), end.min(last)));
            }
            return out.finish();
        }
        let (mut i, mut j) = (0, 0);
        while let (Some(a), Some(b)) = (few.get(i), many.get(j)) {
            let (first, last) = (a.0.max(b.0), a.1.min(b.1));
            if first <= last {
                out.put(first, last);
            }
            if a.1 < b.1 {
                i += 1;
            } else {
                j += 1;
            }
        }
        out.finish()
    }

    /// The values in either.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        Self::from_ranges(self.ranges().iter().chain(other.ranges().iter()))
    }

    /// The values from 0 to `max` that are not in the set.
    #[must_use]
    pub fn complement(&self, max: u128) -> Self {
        let mut out = Builder::with_capacity(self.ranges().len() + 1);
        let mut next = Some(0);
        for (first, last) in self.ranges().iter().take_while(|(first, _)| *first <= max) {
            if let Some(start) = next.filter(|start| *start < first) {
                out.put(start, first - 1);
            }
            next = last.checked_add(1);
        }
        if let Some(start) = next.filter(|start| *start <= max) {
            out.put(start, max);
        }
        out.finish()
    }

    /// The values of this set that are not in `other`.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Self {
        self.intersection(&in_one_only(self.ranges(), other.ranges()))
    }
}

/// By the intervals, as of lists.
impl Ord for Set {
    fn cmp(&self, other: &Self) -> Ordering {
        self.ranges().iter().cmp(other.ranges().iter())
    }
}

impl PartialOrd for Set {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl From<List> for Set {
    fn from(list: List) -> Self {
        let one = match &list {
            List::Narrow(list) => Ranges::Narrow(list).single(),
            List::Wide(list) => Ranges::Wide(list).single(),
        };
        Self(Arc::new(one.map_or(Intervals::Listed(list), |(first, last)| Intervals::One(first, last))))
    }
}

/// Makes a set of intervals that come sorted.
struct Builder {
    list: List,
    /// So many will come.
    capacity: usize,
}

impl Default for Builder {
    fn default() -> Self {
        Self::with_capacity(0)
    }
}

impl Builder {
    fn with_capacity(capacity: usize) -> Self {
        Self { list: List::Narrow(Vec::with_capacity(capacity)), capacity }
    }

    /// Adds an interval that is not empty and begins nowhere before the last.
    fn put(&mut self, first: u128, last: u128) {
        debug_assert!(first <= last, "sorted");
        match &mut self.list {
            List::Narrow(list) => {
                if let (Ok(first), Ok(last)) = (u32::try_from(first), u32::try_from(last)) {
                    return append(list, first, last, first.saturating_sub(1));
                }
                let mut wide = Vec::with_capacity(self.capacity.max(list.len() + 1));
                wide.extend(list.iter().map(|(first, last)| (u128::from(*first), u128::from(*last))));
                append(&mut wide, first, last, first.saturating_sub(1));
                self.list = List::Wide(wide);
            }
            List::Wide(list) => append(list, first, last, first.saturating_sub(1)),
        }
    }

    /// Adds intervals of a set, of which the first begins nowhere before the last.
    fn extend(&mut self, ranges: Ranges<'_>) {
        match (&mut self.list, ranges) {
            (List::Narrow(list), Ranges::Narrow([first, rest @ ..])) => {
                append(list, first.0, first.1, first.0.saturating_sub(1));
                list.extend_from_slice(rest);
            }
            (_, ranges) => ranges.iter().for_each(|(first, last)| self.put(first, last)),
        }
    }

    fn finish(self) -> Set {
        self.list.into()
    }
}

/// Adds an interval to those before it; `before` is the value before its first, if there is one.
fn append<N: Copy + Ord>(list: &mut Vec<(N, N)>, first: N, last: N, before: N) {
    match list.last_mut() {
        Some(previous) if before <= previous.1 => previous.1 = previous.1.max(last),
        Some(_) | None => list.push((first, last)),
    }
}

fn by_length<'s>(a: Ranges<'s>, b: Ranges<'s>) -> (Ranges<'s>, Ranges<'s>) {
    if a.len() < b.len() { (a, b) } else { (b, a) }
}

/// The values that are in one of two lists only: one pass over both.
#[must_use]
pub fn in_one_only(a: Ranges<'_>, b: Ranges<'_>) -> Set {
    let mut out = Builder::default();
    let (mut i, mut j) = (0, 0);
    let (mut mine, mut theirs) = (a.get(0), b.get(0));
    loop {
        match (mine, theirs) {
            (None, None) => return out.finish(),
            (Some(x), Some(y)) if x == y => {
                let same = a.same_as(i + 1, b, j + 1) + 1;
                (i, j) = (i + same, j + same);
                (mine, theirs) = (a.get(i), b.get(j));
            }
            (Some(x), y) if y.is_none_or(|y| x.1 < y.0) => {
                out.put(x.0, x.1);
                i += 1 + put_before(&mut out, a, i + 1, y);
                mine = a.get(i);
            }
            (x, Some(y)) if x.is_none_or(|x| y.1 < x.0) => {
                out.put(y.0, y.1);
                j += 1 + put_before(&mut out, b, j + 1, x);
                theirs = b.get(j);
            }
            (Some(x), Some(y)) => {
                if x.0 != y.0 {
                    out.put(x.0.min(y.0), x.0.max(y.0) - 1);
                }
                let shared = x.1.min(y.1);
                let after = |all: Ranges<'_>, at: &mut usize, last: u128| {
                    if last == shared {
                        *at += 1;
                        return all.get(*at);
                    }
                    Some((shared + 1, last))
                };
                (mine, theirs) = (after(a, &mut i, x.1), after(b, &mut j, y.1));
            }
            (Some(_), None) | (None, Some(_)) => return out.finish(),
        }
    }
}

/// Adds the intervals from that place on that end before another begins, if they are many, and says how many that is.
fn put_before(out: &mut Builder, all: Ranges<'_>, from: usize, other: Option<(u128, u128)>) -> usize {
    const MANY: usize = 8;
    let before = |(_, last): (u128, u128)| other.is_none_or(|other| last < other.0);
    if !all.get(from + MANY).is_some_and(before) {
        return 0;
    }
    let rest = all.slice(from, all.len());
    let count = rest.partition_point(before);
    out.extend(rest.slice(0, count));
    count
}

/// Of very long lists not every interval is mixed in: a text of any size has few of them.
impl Hash for Set {
    fn hash<H: Hasher>(&self, state: &mut H) {
        const LONG: usize = 1 << 16;
        const MIXED: usize = 1 << 13;
        let count = self.ranges().len();
        let step = if count < LONG { 1 } else { count / MIXED };
        count.hash(state);
        match self.ranges() {
            Ranges::Narrow(list) => {
                list.iter()
                    .step_by(step)
                    .for_each(|(first, last)| (u64::from(*first) << 32 | u64::from(*last)).hash(state));
            }
            ranges @ (Ranges::One(..) | Ranges::Wide(_)) => {
                ranges.iter().step_by(step).for_each(|range| range.hash(state));
            }
        }
    }
}

impl fmt::Debug for Set {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut list = f.debug_set();
        for (first, last) in self.ranges().iter() {
            if first == last {
                list.entry(&first);
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
    use super::*;
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
        let all = set.ranges().iter();
        assert!(all.clone().zip(all.clone().skip(1)).all(|(a, b)| a.1 + 1 < b.0), "canonical: {set:?}");
        assert!(all.clone().all(|(a, b)| a <= b && b < 32), "in range: {set:?}");
        (0u32..32).filter(|n| set.contains(u128::from(*n))).fold(0, |m, n| m | 1 << n)
    }

    proptest! {
        #[test]
        fn the_algebra_agrees_with_bit_masks((a, x) in sets(), (b, y) in sets()) {
            prop_assert_eq!(mask(&a), x);
            prop_assert_eq!(&Set::from_sorted(a.ranges().iter()), &a);
            prop_assert_eq!(mask(&a.union(&b)), x | y);
            prop_assert_eq!(mask(&a.intersection(&b)), x & y);
            prop_assert_eq!(mask(&a.difference(&b)), x & !y);
            prop_assert_eq!(mask(&a.complement(31)), !x);
            prop_assert_eq!(mask(&in_one_only(a.ranges(), b.ranges())), x ^ y);
            prop_assert_eq!(a.overlaps(&b), x & y != 0);
            prop_assert_eq!(a.includes(&b), y & !x == 0);
            let many: Set = (0..99).map(|n| n * 2 + 32).collect();
            prop_assert_eq!(a.union(&many).includes(&b), y & !x == 0);
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
            let narrow = |list: &[(u128, u128)]| -> Vec<(u32, u32)> {
                list.iter().map(|(a, b)| (u32::try_from(*a).expect("small"), u32::try_from(*b).expect("small"))).collect()
            };
            let (few, most) = (narrow(&left), narrow(&all));
            for few in [Ranges::Narrow(&few), Ranges::Wide(&left)] {
                for most in [Ranges::Narrow(&most), Ranges::Wide(&all)] {
                    prop_assert_eq!(&in_one_only(most, few), &expected);
                    prop_assert_eq!(&in_one_only(few, most), &expected);
                    let change = expected.ranges();
                    prop_assert_eq!(in_one_only(most, change).ranges().iter().collect::<Vec<_>>(), left.clone());
                    prop_assert_eq!(in_one_only(change, few).ranges().iter().collect::<Vec<_>>(), all.clone());
                }
            }
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
            let both: Set = few.ranges().iter().flat_map(|(a, b)| a..=b).filter(|n| even.contains(*n)).collect();
            assert_eq!(few.intersection(&even), both);
            assert_eq!(even.intersection(&few), both);
            assert!((0..210).all(|n| even.difference(&few).contains(n) == (even.contains(n) && !few.contains(n))));
            assert!((0..210).all(|n| few.difference(&even).contains(n) == (few.contains(n) && !even.contains(n))));
        }
    }

    #[test]
    fn small_and_large_numbers_are_one_algebra() {
        let most = u128::from(u32::MAX);
        let (small, large) = (Set::range(2, most), Set::range(2, most + 1));
        assert_eq!(large.intersection(&Set::range(0, most)), small);
        assert_eq!(small.union(&Set::point(most + 1)), large);
        assert_eq!(large.difference(&small), Set::point(most + 1));
        assert_eq!(Set::from_sorted([(0, 0), (2, 3), (4, most + 1)]), large.union(&Set::point(0)));
        assert_eq!(small.complement(u128::MAX), Set::from_ranges([(0, 1), (most + 1, u128::MAX)]));
        assert!(small < large && large < Set::point(3) && Set::empty() < small);
        assert!(large.includes(&small) && !small.includes(&large) && small.overlaps(&large));
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
