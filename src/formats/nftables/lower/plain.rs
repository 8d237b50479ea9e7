//! The plain elements of sets: intervals of addresses and numbers, of which there may be a million.

use super::sets::{Reader, needs_interval};
use crate::formats::nftables::syntax::{Elements, Form, Plain};
use crate::formats::nftables::types::Type;
use crate::net::Set;
use crate::text::Span;

impl Reader<'_, '_, '_> {
    /// The elements that carry nothing else, in one pass.
    pub(super) fn plain(&mut self, elements: &Elements<'_>, kind: Type, at: Span) -> Set {
        let Elements { ipv4, ipv6, numbers, others: _ } = elements;
        let span = |from: u32, length: u16| Span { source: at.source, start: from, end: from + u32::from(length) };
        let mut refuse = |places: &mut dyn Iterator<Item = (u32, u16)>, reason: String| {
            if let Some((from, length)) = places.next() {
                self.refuse(span(from, length), reason);
            }
        };
        match kind {
            Type::Address(crate::net::Family::Ipv4) => {
                refuse(&mut ipv6.iter().map(|p| (p.at, p.length)), mismatch(kind, "IPv6 address"));
                refuse(&mut numbers.iter().map(|p| (p.at, p.length)), mismatch(kind, "integer"));
                self.ranges(
                    ipv4,
                    at,
                    |first, last| u64::from(first) << 32 | u64::from(last),
                    |key| ((key >> 32).into(), (key & u64::from(u32::MAX)).into()),
                    sort,
                )
            }
            Type::Address(crate::net::Family::Ipv6) => {
                refuse(&mut ipv4.iter().map(|p| (p.at, p.length)), mismatch(kind, "IPv4 address"));
                refuse(&mut numbers.iter().map(|p| (p.at, p.length)), mismatch(kind, "integer"));
                self.ranges(ipv6, at, |first, last| (first, last), |key| key, |keys| keys.sort_unstable())
            }
            Type::Interface | Type::InterfaceNumber | Type::Text | Type::Ethernet | Type::Label => {
                // A number can be a name.
                refuse(&mut ipv4.iter().map(|p| (p.at, p.length)), mismatch(kind, "IPv4 address"));
                refuse(&mut ipv6.iter().map(|p| (p.at, p.length)), mismatch(kind, "IPv6 address"));
                let mut set = Set::empty();
                for plain in numbers {
                    match kind.read(plain.first.to_string().as_bytes()) {
                        Ok(crate::formats::nftables::types::Value::Set(one)) if plain.first == plain.last => {
                            set = set.union(&one);
                        }
                        Ok(crate::formats::nftables::types::Value::Name(name)) if plain.first == plain.last => {
                            self.contents.sure.names.push(name);
                        }
                        Ok(_) => self.refuse(span(plain.at, plain.length), "a range of names"),
                        Err(reason) => self.refuse(span(plain.at, plain.length), reason),
                    }
                }
                set
            }
            _ => {
                refuse(&mut ipv4.iter().map(|p| (p.at, p.length)), mismatch(kind, "IPv4 address"));
                refuse(&mut ipv6.iter().map(|p| (p.at, p.length)), mismatch(kind, "IPv6 address"));
                let large = numbers.iter().filter(|plain| u128::from(plain.first.max(plain.last)) > kind.largest());
                refuse(
                    &mut large.map(|p| (p.at, p.length)),
                    format!("Value {} exceeds valid range 0-{}", kind.title(), kind.largest()),
                );
                self.ranges(numbers, at, |first, last| (first, last), |(first, last)| (first.into(), last.into()), |keys| keys.sort_unstable())
            }
        }
    }

    /// Intervals as a set; refuses what overlaps or has a form that the set cannot hold. `pack` makes two ends one value that
    /// sorts as they do.
    fn ranges<N: Copy + Ord + Into<u128>, K: Copy + Ord>(
        &mut self,
        plain: &[Plain<N>],
        at: Span,
        pack: impl Fn(N, N) -> K,
        unpack: impl Fn(K) -> (u128, u128),
        sort: impl FnOnce(&mut Vec<K>),
    ) -> Set {
        let span = |plain: &Plain<N>| Span {
            source: at.source,
            start: plain.at,
            end: plain.at + u32::from(plain.length),
        };
        if !self.declared.interval {
            for one in plain.iter().filter(|one| one.form != Form::Single).take(MOST_ERRORS) {
                self.refuse(span(one), needs_interval(one.form));
            }
        }
        let strict = self.declared.interval && !self.declared.auto_merge;
        let forward = |one: &Plain<N>| one.first <= one.last;
        if plain.is_sorted_by(|a, b| (a.first, a.last) <= (b.first, b.last)) && plain.iter().all(forward) {
            let apart = |pair: &[Plain<N>]| pair[0].last < pair[1].first;
            if !strict || plain.windows(2).all(apart) {
                // As nft lists them.
                return Set::from_sorted(plain.iter().map(|one| (one.first.into(), one.last.into())));
            }
        }
        let mut keys = Vec::with_capacity(plain.len());
        let mut backwards = 0;
        for one in plain {
            if one.first <= one.last {
                keys.push(pack(one.first, one.last));
            } else if backwards < MOST_ERRORS {
                backwards += 1;
                self.refuse(span(one), "Range has zero or negative size");
            }
        }
        if !keys.is_sorted() {
            sort(&mut keys);
        }
        if strict {
            let mut conflicts = Vec::new();
            let mut before: Option<(K, u128)> = None;
            for key in &keys {
                let (first, last) = unpack(*key);
                if let Some((other, end)) = before
                    && first <= end
                    && other != *key
                    && conflicts.len() < MOST_ERRORS
                {
                    conflicts.push(*key);
                }
                before = Some((*key, before.map_or(last, |(_, end)| end.max(last))));
            }
            for one in conflicts.iter().filter_map(|key| plain.iter().find(|one| pack(one.first, one.last) == *key)) {
                self.refuse(span(one), "conflicting intervals specified");
            }
        }
        Set::from_sorted(keys.into_iter().map(unpack))
    }
}

/// Sorts numbers, whose upper halves are in no order and seldom equal.
fn sort(keys: &mut Vec<u64>) {
    const FEW: usize = 1 << 12;
    const DIGITS: usize = 1 << 11;
    if keys.len() < FEW {
        return keys.sort_unstable();
    }
    let mut sorted = vec![0; keys.len()];
    for shift in [32, 43, 54] {
        let digit = |key: u64| usize::try_from(key >> shift).expect("64 bits") % DIGITS;
        let mut places = [0_usize; DIGITS];
        keys.iter().for_each(|key| places[digit(*key)] += 1);
        let mut before = 0;
        for place in &mut places {
            before += std::mem::replace(place, before);
        }
        for key in keys.iter() {
            let place = &mut places[digit(*key)];
            sorted[*place] = *key;
            *place += 1;
        }
        std::mem::swap(keys, &mut sorted);
    }
    keys.chunk_by_mut(|a, b| a >> 32 == b >> 32).filter(|same| same.len() > 1).for_each(<[u64]>::sort_unstable);
}

fn mismatch(kind: Type, found: &str) -> String {
    format!("datatype mismatch, expected {}, expression has type {found}", kind.title())
}

/// More errors than this in one list are not listed.
const MOST_ERRORS: usize = 20;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig { cases: 20, ..ProptestConfig::default() })]

        #[test]
        fn many_numbers_are_sorted_as_few_are(keys in prop::collection::vec(any::<u64>(), 5000..6000), mask in any::<u64>()) {
            let mut found: Vec<u64> = keys.iter().map(|key| key & mask).collect();
            let mut expected = found.clone();
            expected.sort_unstable();
            sort(&mut found);
            prop_assert_eq!(found, expected);
        }
    }
}
