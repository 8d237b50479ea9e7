/// A list of intervals: sorted, disjoint, with at least one missing value between two of them.
#[derive(Debug, Clone, Copy)]
pub enum Ranges<'s> {
    /// One closed interval.
    One(u128, u128),
    /// Closed intervals of numbers of 32 bits.
    Narrow(&'s [(u32, u32)]),
    /// Closed intervals.
    Wide(&'s [(u128, u128)]),
}

impl<'s> Ranges<'s> {
    /// How many there are.
    #[must_use]
    pub fn len(self) -> usize {
        match self {
            Self::One(..) => 1,
            Self::Narrow(list) => list.len(),
            Self::Wide(list) => list.len(),
        }
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// The interval at `n`.
    #[must_use]
    pub fn get(self, n: usize) -> Option<(u128, u128)> {
        match self {
            Self::One(first, last) => (n == 0).then_some((first, last)),
            Self::Narrow(list) => list.get(n).map(|(first, last)| (u128::from(*first), u128::from(*last))),
            Self::Wide(list) => list.get(n).copied(),
        }
    }

    /// The lowest interval.
    #[must_use]
    pub fn first(self) -> Option<(u128, u128)> {
        self.get(0)
    }

    /// The highest interval.
    #[must_use]
    pub fn last(self) -> Option<(u128, u128)> {
        self.get(self.len().checked_sub(1)?)
    }

    /// The lowest and the highest value.
    #[must_use]
    pub fn hull(self) -> Option<(u128, u128)> {
        Some((self.first()?.0, self.last()?.1))
    }

    /// The only one, if there is one.
    #[must_use]
    pub fn single(self) -> Option<(u128, u128)> {
        if self.len() == 1 { self.get(0) } else { None }
    }

    /// All of them.
    #[must_use]
    pub fn iter(self) -> RangesIter<'s> {
        RangesIter { ranges: self, left: 0..self.len() }
    }

    /// Those from `from` on, up to `to` and without it.
    ///
    /// # Panics
    /// When there are fewer.
    #[must_use]
    pub fn slice(self, from: usize, to: usize) -> Self {
        match self {
            Self::One(..) if from == to => Self::Wide(&[]),
            Self::One(..) => self,
            Self::Narrow(list) => Self::Narrow(&list[from..to]),
            Self::Wide(list) => Self::Wide(&list[from..to]),
        }
    }

    /// The place of the first interval of which `before` does not hold; it holds of a beginning of the list.
    #[must_use]
    pub fn partition_point(self, before: impl Fn((u128, u128)) -> bool) -> usize {
        match self {
            Self::One(first, last) => usize::from(before((first, last))),
            Self::Narrow(list) => list.partition_point(|(first, last)| before((u128::from(*first), u128::from(*last)))),
            Self::Wide(list) => list.partition_point(|range| before(*range)),
        }
    }

    /// Whether `value` is in one of them.
    #[must_use]
    pub fn contains(self, value: u128) -> bool {
        let after = self.partition_point(|(first, _)| first <= value);
        after > 0 && self.get(after - 1).is_some_and(|(_, last)| value <= last)
    }
    /// How many intervals from `from` on are those of `other` from `there` on, but for less than [`MANY`].
    pub(super) fn same_as(self, from: usize, other: Ranges<'_>, there: usize) -> usize {
        fn of<N: PartialEq>(a: &[N], b: &[N]) -> usize {
            a.chunks_exact(MANY).zip(b.chunks_exact(MANY)).take_while(|(a, b)| a == b).count() * MANY
        }
        match (self, other) {
            (Self::Narrow(a), Ranges::Narrow(b)) => of(&a[from..], &b[there..]),
            (Self::Wide(a), Ranges::Wide(b)) => of(&a[from..], &b[there..]),
            (_, _) => 0,
        }
    }
}

/// The intervals of a list, one after the other.
#[derive(Debug, Clone)]
pub struct RangesIter<'s> {
    ranges: Ranges<'s>,
    left: std::ops::Range<usize>,
}

impl Iterator for RangesIter<'_> {
    type Item = (u128, u128);

    fn next(&mut self) -> Option<Self::Item> {
        self.left.next().and_then(|n| self.ranges.get(n))
    }

    fn nth(&mut self, n: usize) -> Option<Self::Item> {
        self.left.nth(n).and_then(|n| self.ranges.get(n))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.left.size_hint()
    }
}

impl DoubleEndedIterator for RangesIter<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        self.left.next_back().and_then(|n| self.ranges.get(n))
    }
}

impl ExactSizeIterator for RangesIter<'_> {}

impl<'s> IntoIterator for Ranges<'s> {
    type Item = (u128, u128);
    type IntoIter = RangesIter<'s>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// So many intervals are compared at once where two lists agree.
const MANY: usize = 32;
