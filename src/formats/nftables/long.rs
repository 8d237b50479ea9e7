//! Very long lists of addresses in sets: read straight to the set that they are. Where the other side of a change has
//! nearly the same list, what is equal is not read again.

use super::include::Includes;
use super::parse::elements::{blanks, ipv4_element};
use super::syntax::{Form, Plain};
use crate::net::{Set, in_one_only};
use crate::text::SourceId;
use std::ops::Range;

/// The elements with which a list begins, all of them plain IPv4 addresses, prefixes and ranges.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Long<'t> {
    /// That of the whole file.
    text: &'t [u8],
    list: List,
}

/// The same without its text, for the other side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct List {
    source: SourceId,
    /// From behind the brace to behind the comma or brace that ends the last element.
    at: Range<usize>,
    count: usize,
    set: Set,
    /// No value is in two elements.
    disjoint: bool,
    /// Each element is one address.
    single: bool,
}

/// Lists that take less text are not long.
const SHORT: usize = 1 << 14;

/// So many lists are left for the other side at most.
const MOST_LEFT: usize = 64;

/// Among so many elements on either side one is looked for that both have.
const NEAR: usize = 8;

/// If more than one in so many elements is another, the list is read anew.
const FEW: usize = 8;

impl<'t> Long<'t> {
    /// The list that begins there behind its brace, if it is a long one of addresses.
    pub(super) fn read(source: SourceId, text: &'t [u8], start: usize, includes: &Includes<'t, '_>) -> Option<Self> {
        let near = text.get(start..start + SHORT)?;
        if memchr::memchr(b'}', near).is_some() {
            return None;
        }
        let earlier = includes.lists();
        let mut earlier = earlier.iter().flat_map(|lists| lists.iter());
        let list = earlier.find_map(|list| list.again(includes.text(list.source), source, text, start));
        let list = list.or_else(|| List::read(source, text, start))?;
        Some(Self { text, list })
    }

    /// Behind the comma or brace that ends the last element.
    pub(super) const fn end(&self) -> usize {
        self.list.at.end
    }

    /// Whether the list is closed behind the last element.
    pub(super) fn is_closed(&self) -> bool {
        self.text.get(self.end() - 1) == Some(&b'}')
    }

    /// How many elements there are.
    pub(super) const fn len(&self) -> usize {
        self.list.count
    }

    /// The addresses of all elements.
    pub(super) const fn set(&self) -> &Set {
        &self.list.set
    }

    /// Whether no address is in two elements.
    pub(super) const fn is_disjoint(&self) -> bool {
        self.list.disjoint
    }

    /// Whether each element is one address.
    pub(super) const fn is_single(&self) -> bool {
        self.list.single
    }

    /// The elements one by one.
    pub(super) fn iter(&self) -> impl Iterator<Item = Plain<u32>> {
        Addresses::new(self.text, self.list.at.start).take(self.list.count)
    }

    /// Those of these lists that the other side is given.
    pub(super) fn left<'l>(all: impl Iterator<Item = &'l Self>) -> Vec<List>
    where
        't: 'l,
    {
        all.filter(|long| long.is_disjoint()).take(MOST_LEFT).map(|long| long.list.clone()).collect()
    }
}

impl List {
    fn read(source: SourceId, text: &[u8], start: usize) -> Option<Self> {
        let mut elements = Addresses::new(text, start);
        let mut list: Vec<(u32, u32)> = Vec::new();
        let (mut count, mut single, mut in_order) = (0, true, true);
        for Plain { first, last, form, .. } in &mut elements {
            count += 1;
            single &= form == Form::Single;
            match list.last_mut() {
                Some(before) if in_order && before.1 < first => {
                    if before.1 + 1 == first {
                        before.1 = last;
                    } else {
                        list.push((first, last));
                    }
                }
                Some(_) => {
                    in_order = false;
                    list.push((first, last));
                }
                None => list.push((first, last)),
            }
        }
        let mut disjoint = true;
        if !in_order {
            sort(&mut list);
            list.dedup_by(|next, before| {
                let meet = next.0 <= before.1;
                disjoint &= !meet;
                let joined = meet || before.1 + 1 == next.0;
                if joined {
                    before.1 = before.1.max(next.1);
                }
                joined
            });
        }
        let set = Set::from_disjoint(list);
        (count > 0).then_some(Self { source, at: start..elements.at, count, set, disjoint, single })
    }

    /// The list that begins there, if it is this one but for few elements, of which no two overlap.
    fn again(&self, own: &[u8], source: SourceId, text: &[u8], start: usize) -> Option<Self> {
        let own = own.get(..self.at.end)?;
        let (mut old, mut new) = (Addresses::new(own, self.at.start), Addresses::new(text, start));
        let (mut gone, mut more) = (Vec::new(), Vec::new());
        let mut single = self.single;
        loop {
            old.pass_equal(&mut new);
            let (mine, its) = (old.ahead(), new.ahead());
            let both = (0..mine.len() + its.len()).find_map(|sum| {
                let pairs = (0..=sum).map(|n| (n, sum - n));
                let equal = |(n, m): &(usize, usize)| match (mine.get(*n), its.get(*m)) {
                    (Some((old, _)), Some((new, _))) => (old.first, old.last) == (new.first, new.last),
                    (_, _) => false,
                };
                pairs.into_iter().find(equal)
            });
            let (n, m) = both.unwrap_or((mine.len(), its.len()));
            gone.extend(mine[..n].iter().map(|(plain, _)| (plain.first.into(), plain.last.into())));
            more.extend(its[..m].iter().map(|(plain, _)| (plain.first.into(), plain.last.into())));
            single &= its.iter().take(m + 1).all(|(plain, _)| plain.form == Form::Single);
            if gone.len() + more.len() > self.count / FEW {
                return None;
            }
            match both {
                Some((n, m)) => (old, new) = (mine[n].1, its[m].1),
                // One of them is at its end.
                None if mine.len() < NEAR || its.len() < NEAR => {
                    if let Some((_, after)) = mine.last() {
                        old = *after;
                    }
                    if let Some((_, after)) = its.last() {
                        new = *after;
                    }
                    if mine.is_empty() && its.is_empty() {
                        break;
                    }
                }
                None => return None,
            }
        }
        let count = self.count - gone.len() + more.len();
        let values = |list: &[(u128, u128)]| list.iter().map(|(first, last)| last - first + 1).sum::<u128>();
        let many = values(&more);
        let (gone, more) = (Set::from_ranges(gone), Set::from_ranges(more));
        let set = in_one_only(self.set.ranges(), in_one_only(gone.ranges(), more.ranges()).ranges());
        let apart = more.len() == many && set.includes(&more);
        (apart && count > 0).then_some(Self { source, at: start..new.at, count, set, disjoint: true, single })
    }
}

/// Plain elements one after the other.
#[derive(Debug, Clone, Copy)]
struct Addresses<'t> {
    text: &'t [u8],
    /// Behind what ends the last element.
    at: usize,
    closed: bool,
}

impl<'t> Addresses<'t> {
    const fn new(text: &'t [u8], at: usize) -> Self {
        Self { text, at, closed: false }
    }

    /// Passes over elements that both texts have, byte by byte.
    fn pass_equal(&mut self, other: &mut Self) {
        if self.closed || other.closed {
            return;
        }
        let (mine, its) = (&self.text[self.at..], &other.text[other.at..]);
        let equal = equal_bytes(mine, its);
        let whole = memchr::memrchr(b',', &mine[..equal]).map_or(0, |comma| comma + 1);
        self.at += whole;
        other.at += whole;
    }

    /// The next few elements, and what is behind each.
    fn ahead(mut self) -> Vec<(Plain<u32>, Self)> {
        std::iter::from_fn(|| self.next().map(|plain| (plain, self))).take(NEAR).collect()
    }
}

impl Iterator for Addresses<'_> {
    type Item = Plain<u32>;

    #[inline]
    fn next(&mut self) -> Option<Plain<u32>> {
        if self.closed {
            return None;
        }
        let start = blanks(self.text, self.at);
        let (first, last, form, end) = ipv4_element(self.text, start)?;
        let after = blanks(self.text, end);
        let closed = match self.text.get(after)? {
            b',' => false,
            b'}' => true,
            _ => return None,
        };
        let (at, length) = (u32::try_from(start).ok()?, u16::try_from(end - start).ok()?);
        if first > last {
            return None;
        }
        (self.at, self.closed) = (after + 1, closed);
        Some(Plain { first, last, at, length, form })
    }
}

/// How many bytes two texts begin with alike.
fn equal_bytes(a: &[u8], b: &[u8]) -> usize {
    const PIECE: usize = 256;
    let pieces = a.chunks_exact(PIECE).zip(b.chunks_exact(PIECE)).take_while(|(a, b)| a == b).count() * PIECE;
    pieces + a[pieces..].iter().zip(&b[pieces..]).take_while(|(a, b)| a == b).count()
}

/// Sorts intervals, whose beginnings are in no order and seldom equal.
pub(super) fn sort(list: &mut Vec<(u32, u32)>) {
    const FEW: usize = 1 << 12;
    const DIGITS: usize = 1 << 11;
    if list.len() < FEW {
        return list.sort_unstable();
    }
    let mut sorted = vec![(0, 0); list.len()];
    for shift in [0, 11, 22] {
        let digit = |(first, _): (u32, u32)| (first >> shift) as usize % DIGITS;
        let mut places = [0_usize; DIGITS];
        list.iter().for_each(|range| places[digit(*range)] += 1);
        let mut before = 0;
        for place in &mut places {
            before += std::mem::replace(place, before);
        }
        for range in list.iter() {
            let place = &mut places[digit(*range)];
            sorted[*place] = *range;
            *place += 1;
        }
        std::mem::swap(list, &mut sorted);
    }
    list.chunk_by_mut(|a, b| a.0 == b.0).filter(|same| same.len() > 1).for_each(<[_]>::sort_unstable);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::{Input, format, read};
    use crate::model::{Members, Snapshot, Store};
    use crate::text::SourceMap;
    use proptest::prelude::*;
    use proptest::sample::Index;

    fn element() -> impl Strategy<Value = String> {
        let number = || any::<u8>();
        prop_oneof![
            8 => (0..32u8, number()).prop_map(|(a, b)| format!("10.{a}.{b}.0/24")),
            1 => number().prop_map(|a| format!("10.1.0.{a}")),
            1 => (number(), number()).prop_map(|(a, b)| format!("10.2.0.{a} - 10.2.0.{b}").replace(' ', "")),
        ]
    }

    /// What is between elements, and what ends them.
    fn text(elements: &[String], comma: &str, end: &str) -> String {
        format!("{{ {}{end} drop", elements.join(comma))
    }

    proptest! {
        #[test]
        fn a_list_that_is_nearly_the_same_is_read_as_one_that_nobody_knows(
            elements in prop::collection::vec(element(), 1..120),
            edits in prop::collection::vec((any::<Index>(), prop::option::of(element()), any::<bool>()), 0..6),
            commas in prop::sample::select(vec![(", ", ", "), (", ", ",\n"), (",\n\t", ",\n\t")]),
            ends in prop::sample::select(vec![(" }", " }"), ("}", ",\n}"), (", x }", " }"), (", x }", ", y }")]),
        ) {
            let mut changed = elements.clone();
            for (at, new, replaced) in edits {
                let at = at.index(changed.len() + 1);
                let end = changed.len().min(at + usize::from(replaced));
                changed.splice(at..end, new);
            }
            let source = SourceMap::default().add(b"x", Vec::new()).expect("small");
            let (old, new) = (text(&elements, commas.0, ends.0), text(&changed, commas.1, ends.1));
            let known = List::read(source, old.as_bytes(), 1).filter(|known| known.disjoint);
            let again = known.and_then(|known| known.again(old.as_bytes(), source, new.as_bytes(), 1));
            if let Some(again) = again {
                let read = List::read(source, new.as_bytes(), 1).expect("a list");
                prop_assert!(read.single || !again.single);
                prop_assert_eq!(List { single: read.single, ..again }, read);
            }
        }

        #[test]
        fn a_list_is_the_set_of_its_elements(elements in prop::collection::vec(element(), 0..40)) {
            let source = SourceMap::default().add(b"x", Vec::new()).expect("small");
            let text = text(&elements, ", ", " }");
            let plain: Vec<Plain<u32>> = Addresses::new(text.as_bytes(), 1).collect();
            let values = |plain: &Plain<u32>| (u128::from(plain.first), u128::from(plain.last));
            match List::read(source, text.as_bytes(), 1) {
                Some(list) => {
                    prop_assert_eq!(&list.set, &Set::from_ranges(plain.iter().map(values)));
                    let sum: u128 = plain.iter().map(values).map(|(first, last)| last - first + 1).sum();
                    prop_assert_eq!(list.disjoint, list.set.len() == sum);
                    prop_assert_eq!(list.count, plain.len());
                }
                None => prop_assert!(plain.is_empty()),
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 20, ..ProptestConfig::default() })]

        #[test]
        fn many_intervals_are_sorted_as_few_are(
            ranges in prop::collection::vec(any::<(u32, u32)>(), 5000..6000),
            mask in any::<(u32, u32)>(),
        ) {
            let mut found: Vec<(u32, u32)> = ranges.iter().map(|(a, b)| (a & mask.0, b & mask.1)).collect();
            let mut expected = found.clone();
            expected.sort_unstable();
            sort(&mut found);
            prop_assert_eq!(found, expected);
        }
    }

    #[test]
    fn few_changes_are_found_without_reading_all() {
        let source = SourceMap::default().add(b"x", Vec::new()).expect("small");
        let elements: Vec<String> = (0..200).map(|n| format!("10.0.{n}.0/25")).collect();
        let mut changed = elements.clone();
        changed[7] = "10.9.0.0/16".to_owned();
        changed.remove(20);
        changed.insert(150, "10.8.0.1".to_owned());
        changed.push("10.7.0.1-10.7.0.9".to_owned());
        let (old, new) = (text(&elements, ", ", " }"), text(&changed, ", ", " }"));
        let known = List::read(source, old.as_bytes(), 1).expect("a list");
        assert_eq!(known.again(old.as_bytes(), source, new.as_bytes(), 1), List::read(source, new.as_bytes(), 1));
    }

    #[test]
    fn a_side_has_the_same_set_beside_the_other_and_alone() {
        let elements: Vec<String> = (0..2000).map(|n| format!("10.{}.{}.0/25", n / 256, n % 256)).collect();
        let mut changed = elements.clone();
        changed[700] = "192.0.2.1".to_owned();
        changed.swap(3, 900);
        changed.remove(1500);
        let mut sources = SourceMap::default();
        let mut input = |elements: &[String]| {
            let list = elements.join(",\n");
            let text = format!(
                "table ip t {{\n\tset s {{\n\t\ttype ipv4_addr\n\t\tflags interval\n\t\telements = {{ {list} }}\n\t}}\n}}\n"
            );
            let file = sources.add(b"x.nft", text.into_bytes()).expect("small");
            vec![Input { name: "x".to_owned(), format: format("nftables"), files: vec![file] }]
        };
        let (old, new) = (input(&elements), input(&changed));
        let members = |snapshot: &Snapshot| -> Vec<Members> {
            assert_eq!(snapshot.gaps(), []);
            let objects = snapshot.configurations().iter().flat_map(|configuration| &configuration.objects);
            objects.filter_map(|object| object.members.clone()).collect()
        };
        let mut store = Store::default();
        let (_, memo, _) = read(&old, &sources, &mut store, None);
        let beside = members(&read(&new, &sources, &mut store, Some(&memo)).0);
        assert_eq!(beside, members(&read(&new, &sources, &mut store, None).0));
        assert_eq!(beside[0].certain.ranges().len(), 1999);
    }
}
