//! What a condition of a rule demands, in the words of the model: sets of packets, and conditions whose truth is not in the file.

use crate::model::Families;
use crate::net::{Family, Field, Set};
use crate::text::Span;

/// One thing that a rule can demand.
#[derive(Debug, Clone)]
pub(super) enum Term {
    Families(Families),
    Field(Field, Set),
    Address(Field, Family, Set),
    Opaque(Unknown),
}

/// A condition whose truth is not in the file.
#[derive(Debug, Clone)]
pub(super) struct Unknown {
    /// What tells it from others: the same wherever the same is asked, in other formats too.
    pub(super) key: String,
    /// How it is shown where that is another text.
    pub(super) shown: Option<String>,
    pub(super) holds: bool,
    pub(super) truth: Truth,
    pub(super) at: Span,
}

/// What the truth of an opaque condition is a function of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Truth {
    /// The packet, its socket and the host: the same text is the same truth everywhere.
    Packet,
    /// What went before at this very rule (a bucket, a counter): each occurrence has its own truth.
    Occurrence,
    /// The packet or connection mark, which other rules write.
    Marks,
    /// The hop limit, which other rules may write.
    Hops,
    /// The type-of-service byte, which other rules may write.
    Service,
    /// Other bytes of the packet, which other rules may write.
    Payload,
    /// The options of TCP, which other rules may write.
    Options,
    /// The priority, the kind and the security label of the packet, which other rules may write.
    Class,
    /// The elements of a set that rules add to: its table and name.
    Set(String),
    /// What is left in the buckets of a set or an object, from which every rule takes that asks: who else does.
    Bucket(String),
}

/// All of these must hold.
pub(super) type All = Vec<Term>;

/// One of these must hold; none: never.
pub(super) type Any = Vec<All>;

/// No demand.
pub(super) fn always() -> Any {
    vec![Vec::new()]
}

impl Term {
    pub(super) fn field(field: Field, set: Set) -> Self {
        Self::Field(field, set)
    }

    /// A condition of which nothing is known but its text.
    pub(super) fn opaque(key: impl Into<String>, holds: bool, truth: Truth, at: Span) -> Self {
        Self::Opaque(Unknown { key: key.into(), shown: None, holds, truth, at })
    }

    /// Whether it leaves room for any packet.
    fn is_possible(&self) -> bool {
        match self {
            Self::Families(families) => *families != Families::NONE,
            Self::Field(_, set) | Self::Address(_, _, set) => !set.is_empty(),
            Self::Opaque(_) => true,
        }
    }
}

/// Adds demands to each alternative; those that contradict themselves go.
pub(super) fn and(any: Any, more: &[Term]) -> Any {
    let mut any = any;
    for all in &mut any {
        all.splice(0..0, more.iter().cloned());
    }
    any.retain(|all| all.iter().all(Term::is_possible));
    any
}

/// Both; `None` if there are more than `most` combinations.
pub(super) fn both(a: &Any, b: &Any, most: usize) -> Option<Any> {
    if a.len().saturating_mul(b.len()) > most {
        return None;
    }
    let mut out = Vec::with_capacity(a.len() * b.len());
    for x in a {
        for y in b {
            out.push(x.iter().chain(y).cloned().collect());
        }
    }
    Some(out)
}

/// The values `v` of so many bits for which `v & and ^ xor` is in `set`; `None` if they are too scattered to write out.
pub(super) fn behind_mask(set: &Set, and: u128, xor: u128, bits: u32) -> Option<Set> {
    let all = if bits >= 128 { u128::MAX } else { (1 << bits) - 1 };
    if and & all == all && xor & all == 0 {
        return Some(set.intersection(&Set::range(0, all)));
    }
    Some(Set::from_ranges(blocks(set, and, xor, 0, bits)?))
}

/// Of the values of so many low bits, those that lead into the set where what stands above them leads to `result`: from the
/// highest bit down, blocks that are wholly in, wholly out, or are halved.
fn blocks(set: &Set, and: u128, xor: u128, result: u128, free: u32) -> Option<Vec<(u128, u128)>> {
    const MOST: usize = 4096;
    let low = if free >= 128 { u128::MAX } else { (1 << free) - 1 };
    let reach = Set::range(result, result | low);
    if and & low == 0 {
        return Some(Vec::from_iter(set.contains(result | (xor & low)).then_some((0, low))));
    }
    if set.includes(&reach) {
        return Some(vec![(0, low)]);
    }
    if !set.overlaps(&reach) {
        return Some(Vec::new());
    }
    let bit = 1u128 << (free - 1);
    let half = |value: u128| blocks(set, and, xor, result | ((value & and) ^ (xor & bit)), free - 1);
    let mut out = half(0)?;
    // Both halves are the same where nobody looks at the bit.
    let upper = if and & bit == 0 { out.clone() } else { half(bit)? };
    out.extend(upper.into_iter().map(|(first, last)| (first | bit, last | bit)));
    (out.len() <= MOST).then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn values_behind_a_mask_are_those_that_the_kernel_lets_through(
            and in 0u128..256, xor in 0u128..256, a in 0u128..256, b in 0u128..256,
        ) {
            let set = Set::range(a.min(b), a.max(b));
            let found = behind_mask(&set, and, xor, 8).expect("few");
            for value in 0..256 {
                prop_assert_eq!(found.contains(value), set.contains(value & and ^ xor), "{}", value);
            }
        }
    }
}
