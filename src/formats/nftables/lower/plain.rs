//! The plain elements of sets: intervals of addresses and numbers, of which there may be a million.

use super::sets::{Reader, needs_interval};
use crate::formats::nftables::long::sort;
use crate::formats::nftables::syntax::{Elements, Form, Plain};
use crate::formats::nftables::types::Type;
use crate::net::{Family, Set};
use crate::text::Span;

impl Reader<'_, '_, '_> {
    /// The elements that carry nothing else, in one pass.
    pub(super) fn plain(&mut self, elements: &Elements<'_>, kind: Type, at: Span) -> Set {
        let Elements { long, ipv4, ipv6, numbers, others: _ } = elements;
        if let (Type::Address(Family::Ipv4), Some(long), [], [], []) = (kind, long, &ipv4[..], &ipv6[..], &numbers[..])
            && (long.is_disjoint() || !self.is_strict())
            && (long.is_single() || self.declared.interval)
        {
            return long.set().clone();
        }
        let ipv4 = &elements.all_ipv4();
        let span = |from: u32, length: u16| Span { source: at.source, start: from, end: from + u32::from(length) };
        let mut refuse = |places: &mut dyn Iterator<Item = (u32, u16)>, reason: String| {
            if let Some((from, length)) = places.next() {
                self.refuse(span(from, length), reason);
            }
        };
        match kind {
            Type::Address(Family::Ipv4) => {
                refuse(&mut ipv6.iter().map(|p| (p.at, p.length)), mismatch(kind, "IPv6 address"));
                refuse(&mut numbers.iter().map(|p| (p.at, p.length)), mismatch(kind, "integer"));
                self.ranges(ipv4, at, sort)
            }
            Type::Address(Family::Ipv6) => {
                refuse(&mut ipv4.iter().map(|p| (p.at, p.length)), mismatch(kind, "IPv4 address"));
                refuse(&mut numbers.iter().map(|p| (p.at, p.length)), mismatch(kind, "integer"));
                self.ranges(ipv6, at, |ranges| ranges.sort_unstable())
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
                self.ranges(numbers, at, |ranges| ranges.sort_unstable())
            }
        }
    }

    /// Whether no two elements may overlap.
    fn is_strict(&self) -> bool {
        self.declared.interval && !self.declared.auto_merge
    }

    /// Intervals as a set; refuses what overlaps or has a form that the set cannot hold.
    fn ranges<N: Copy + Ord + Into<u128>>(
        &mut self,
        plain: &[Plain<N>],
        at: Span,
        sort: impl FnOnce(&mut Vec<(N, N)>),
    ) -> Set {
        let span =
            |plain: &Plain<N>| Span { source: at.source, start: plain.at, end: plain.at + u32::from(plain.length) };
        if !self.declared.interval {
            for one in plain.iter().filter(|one| one.form != Form::Single).take(MOST_ERRORS) {
                self.refuse(span(one), needs_interval(one.form));
            }
        }
        let strict = self.is_strict();
        let forward = |one: &Plain<N>| one.first <= one.last;
        let in_order = |a: &Plain<N>, b: &Plain<N>| {
            forward(a) && if strict { a.last < b.first } else { (a.first, a.last) <= (b.first, b.last) }
        };
        if plain.is_sorted_by(in_order) && plain.last().is_none_or(forward) {
            // As nft lists them.
            return Set::from_sorted(plain.iter().map(|one| (one.first.into(), one.last.into())));
        }
        let mut ranges = Vec::with_capacity(plain.len());
        let mut backwards = 0;
        for one in plain {
            if one.first <= one.last {
                ranges.push((one.first, one.last));
            } else if backwards < MOST_ERRORS {
                backwards += 1;
                self.refuse(span(one), "Range has zero or negative size");
            }
        }
        if !ranges.is_sorted() {
            sort(&mut ranges);
        }
        if strict {
            let mut conflicts = Vec::new();
            let mut before: Option<((N, N), N)> = None;
            for range in &ranges {
                let (first, last) = *range;
                if let Some((other, end)) = before
                    && first <= end
                    && other != *range
                    && conflicts.len() < MOST_ERRORS
                {
                    conflicts.push(*range);
                }
                before = Some((*range, before.map_or(last, |(_, end)| end.max(last))));
            }
            for one in conflicts.iter().filter_map(|range| plain.iter().find(|one| (one.first, one.last) == *range)) {
                self.refuse(span(one), "conflicting intervals specified");
            }
        }
        Set::from_sorted(ranges.into_iter().map(|(first, last)| (first.into(), last.into())))
    }
}

fn mismatch(kind: Type, found: &str) -> String {
    format!("datatype mismatch, expected {}, expression has type {found}", kind.title())
}

/// More errors than this in one list are not listed.
const MOST_ERRORS: usize = 20;
