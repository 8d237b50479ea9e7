//! What the right side of a relation stands for, given the type of the left.

use crate::formats::nftables::names;
use crate::formats::nftables::syntax::{Binary, Expression, Kind};
use crate::formats::nftables::types::{Type, Value};
use crate::net::Set;

/// Values of one type: numbers, and things that only the host can tell.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(super) struct Values {
    pub(super) set: Set,
    pub(super) names: Vec<String>,
}

impl Values {
    pub(super) fn of(set: Set) -> Self {
        Self { set, names: Vec::new() }
    }

    pub(super) fn named(name: String) -> Self {
        Self { set: Set::default(), names: vec![name] }
    }

    /// As text, the same for every way of writing it.
    pub(super) fn show(&self, kind: Type) -> String {
        if self.names.is_empty() {
            return kind.show_set(&self.set);
        }
        let mut names: Vec<String> = self.names.iter().map(|name| format!("\"{name}\"")).collect();
        names.sort_unstable();
        names.dedup();
        if !self.set.is_empty() {
            names.push(kind.show_set(&self.set));
        }
        match names.as_slice() {
            [one] => one.clone(),
            _ => format!("{{ {} }}", names.join(", ")),
        }
    }

    pub(super) fn add(&mut self, other: Self) {
        let Self { set, names } = other;
        self.set = match (self.set.is_empty(), set.is_empty()) {
            (true, _) => set,
            (false, true) => self.set.clone(),
            (false, false) => self.set.union(&set),
        };
        self.names.extend(names);
    }
}

impl Values {
    /// Adds many at once.
    pub(super) fn add_all<'v>(&mut self, others: impl Iterator<Item = &'v Self>) {
        let mut ranges = Vec::new();
        for Self { set, names } in others {
            ranges.extend(set.ranges());
            self.names.extend(names.iter().cloned());
        }
        if !ranges.is_empty() {
            ranges.extend(self.set.ranges());
            self.set = Set::from_ranges(ranges);
        }
    }
}

/// The values of an expression that stands for one, for a range or for a prefix; the error is nft's.
pub(super) fn values(expression: &Expression<'_>, kind: Type) -> Result<Values, String> {
    match &expression.kind {
        Kind::Variable(_, value) => values(value, kind),
        Kind::Word(word) if is_protocol_for_a_name(word, kind) => Err(not_a_name(kind)),
        Kind::Word(word) | Kind::Quoted(word) => Ok(match kind.read(word)? {
            Value::Set(set) => Values::of(set),
            Value::Name(name) => Values::named(name),
        }),
        Kind::Exists(exists) => Ok(Values::of(Set::point(u128::from(*exists)))),
        Kind::Wildcard => Ok(Values::of(Set::range(0, kind.largest()))),
        Kind::Prefix(base, length) => {
            let base = number(base, kind)?;
            let length = number(length, Type::Integer(8))?;
            let bits = 128 - kind.largest().leading_zeros();
            let length = u32::try_from(length).ok().filter(|length| *length <= bits);
            let length = length.ok_or_else(|| format!("Prefix length exceeds the {bits} bits of the type"))?;
            let ones = if length == 0 { kind.largest() } else { (1u128 << (bits - length)).wrapping_sub(1) };
            Ok(Values::of(Set::range(base & !ones, base | ones)))
        }
        Kind::Range(low, high) => {
            let (low, high) = (values(low, kind)?, values(high, kind)?);
            match (low.set.first(), high.set.first()) {
                (Some(low), Some(high)) if low > high => Err("Range has zero or negative size".to_owned()),
                (Some(low), Some(high)) => Ok(Values::of(Set::range(low, high))),
                (_, _) => {
                    let ends = [low, high].map(|end| end.show(kind).replace('"', ""));
                    Ok(Values::named(ends.join("-")))
                }
            }
        }
        Kind::Binary(_, _, _) | Kind::List(_) if kind == Type::Label => {
            Ok(Values::named(labels(expression)?.join(",")))
        }
        Kind::Binary(_, _, _) | Kind::List(_) => number(expression, kind).map(|value| Values::of(Set::point(value))),
        Kind::Set(elements) => {
            let mut all = Values::default();
            let ipv4 = elements.all_ipv4();
            let ranges = ipv4.iter().map(|plain| (plain.first.into(), plain.last.into()));
            let ranges = ranges.chain(elements.ipv6.iter().map(|plain| (plain.first, plain.last)));
            let ranges = ranges.chain(elements.numbers.iter().map(|plain| (plain.first.into(), plain.last.into())));
            all.set = Set::from_ranges(ranges);
            for element in &elements.others {
                all.add(values(&element.key, kind)?);
            }
            Ok(all)
        }
        _ => Err(format!("`{}` is no {}", super::text::expression(expression), kind.title())),
    }
}

/// Whether a word is one of nft's own, which an interface must be quoted to be called.
fn is_protocol_for_a_name(word: &[u8], kind: Type) -> bool {
    kind == Type::Interface && is_protocol_word(word)
}

fn not_a_name(kind: Type) -> String {
    format!("datatype mismatch, expected {}, expression has type Internet protocol", kind.title())
}

/// One number: a word, or flags and numbers put together.
pub(super) fn number(expression: &Expression<'_>, kind: Type) -> Result<u128, String> {
    let lists =
        |parts: &[Expression<'_>]| parts.iter().try_fold(0, |sum, part| number(part, kind).map(|value| sum | value));
    match &expression.kind {
        Kind::Variable(_, value) => number(value, kind),
        Kind::Word(word) if is_protocol_for_a_name(word, kind) => Err(not_a_name(kind)),
        Kind::Word(word) | Kind::Quoted(word) => match kind.read(word)? {
            Value::Set(set) if set.len() == 1 => Ok(set.first().unwrap_or_default()),
            Value::Set(_) | Value::Name(_) => {
                Err(format!("`{}` is not one {}", crate::text::escape(word), kind.title()))
            }
        },
        Kind::Exists(exists) => Ok(u128::from(*exists)),
        Kind::List(parts) => lists(parts),
        Kind::Binary(operator, left, right) => {
            let left = number(left, kind)?;
            Ok(match operator {
                Binary::And => left & number(right, kind)?,
                Binary::Or => left | number(right, kind)?,
                Binary::Xor => left ^ number(right, kind)?,
                Binary::ShiftLeft => (left << shift(*operator, right, kind)?) & kind.largest(),
                Binary::ShiftRight => left >> shift(*operator, right, kind)?,
            })
        }
        Kind::Set(elements) if elements.len() == 1 => {
            let first = elements.others.first().ok_or("a set of one")?;
            number(&first.key, kind)
        }
        _ => Err(format!("`{}` is not one {}", super::text::expression(expression), kind.title())),
    }
}

/// By how many bits a value of that type is shifted.
pub(super) fn shift(operator: Binary, right: &Expression<'_>, kind: Type) -> Result<u32, String> {
    let by = number(right, Type::Integer(32))?;
    let bits = 128 - kind.largest().leading_zeros();
    let side = if operator == Binary::ShiftLeft { "Left" } else { "Right" };
    let within = u32::try_from(by).ok().filter(|by| *by < bits);
    within.ok_or_else(|| format!("{side} shift of {by} bits is undefined for type of {bits} bits width"))
}

/// Whether the words of a list are flags of the type.
pub(super) fn is_flag_list(expression: &Expression<'_>) -> bool {
    match &expression.resolved().kind {
        Kind::Word(_) | Kind::Quoted(_) | Kind::List(_) => true,
        Kind::Binary(Binary::Or, left, right) => is_flag_list(left) && is_flag_list(right),
        _ => false,
    }
}

/// The labels of a list, sorted.
pub(super) fn labels(expression: &Expression<'_>) -> Result<Vec<String>, String> {
    let mut all = match &expression.resolved().kind {
        Kind::List(parts) => parts.iter().map(labels).collect::<Result<Vec<_>, _>>()?.concat(),
        Kind::Binary(Binary::Or, left, right) => [labels(left)?, labels(right)?].concat(),
        _ => values(expression.resolved(), Type::Label)?.names,
    };
    all.sort_unstable();
    all.dedup();
    Ok(all)
}

/// The words for the flags of a value.
pub(super) fn flags(kind: Type, value: u128) -> Vec<(u128, String)> {
    let words = match kind {
        Type::Named(named) => named.words,
        _ => &[],
    };
    let bits = (0..128).map(|bit| 1u128 << bit).filter(|bit| value & bit != 0);
    bits.map(|bit| (bit, names::word(words, bit).map_or_else(|| format!("{bit:#x}"), str::to_owned))).collect()
}

/// Whether the grammar of nft takes the word for a protocol wherever a value stands.
fn is_protocol_word(word: &[u8]) -> bool {
    const WORDS: [&[u8]; 12] =
        [b"tcp", b"udp", b"udplite", b"esp", b"ah", b"icmp", b"igmp", b"icmp6", b"icmpv6", b"gre", b"comp", b"sctp"];
    WORDS.contains(&word)
}
