//! Relations: which packets have the values that are asked for.

use super::context::Context;
use super::selectors::{Reads, Selector, selector, types_that_have};
use super::terms::{All, Any, Term, Truth, Unknown, always, and, behind_mask, both};
use super::values::{self, Values};
use crate::formats::nftables::names;
use crate::formats::nftables::syntax::{Binary, Expression, Kind};
use crate::formats::nftables::types::Type;
use crate::model::Families;
use crate::net::{Family, Field, Set, State};
use crate::text::Span;

/// A part of the left side of a relation: what is read, and the arithmetic on it.
#[derive(Debug, Clone)]
pub(super) struct Part {
    pub(super) selector: Selector,
    /// The value is `read & and ^ xor`.
    pub(super) and: u128,
    pub(super) xor: u128,
    /// Arithmetic that is not followed.
    pub(super) scattered: bool,
}

/// What a part must be, or must not be.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    pub(super) values: Values,
    pub(super) negated: bool,
}

/// More alternatives than this are not written out for what is not in the model.
const MOST_LITERALS: usize = 64;

impl Part {
    /// The parts of the left side: one, or those of a concatenation.
    pub(super) fn all_of(expression: &Expression<'_>, context: &Context) -> Result<Vec<Self>, String> {
        match &expression.kind {
            Kind::Variable(_, value) => Self::all_of(value, context),
            Kind::Concatenation(parts) => {
                super::arguments::check_parts(parts)?;
                // Each part sees what those before it have settled.
                let mut context = context.clone();
                let mut out = Vec::with_capacity(parts.len());
                for part in parts {
                    out.push(Self::of(part, &context)?);
                    settle(part, &mut context);
                }
                Ok(out)
            }
            _ => Ok(vec![Self::of(expression, context)?]),
        }
    }

    fn of(expression: &Expression<'_>, context: &Context) -> Result<Self, String> {
        match &expression.kind {
            Kind::Variable(_, value) => Self::of(value, context),
            Kind::Binary(operator, left, right) => {
                let mut part = Self::of(left, context)?;
                match operator {
                    Binary::And => {
                        let mask = values::number(right, part.selector.kind)?;
                        part.and &= mask;
                        part.xor &= mask;
                    }
                    Binary::Or => {
                        let bits = values::number(right, part.selector.kind)?;
                        part.and &= !bits;
                        part.xor |= bits;
                    }
                    Binary::Xor => part.xor ^= values::number(right, part.selector.kind)?,
                    Binary::ShiftLeft | Binary::ShiftRight => {
                        values::shift(*operator, right, part.selector.kind)?;
                        part.scattered = true;
                    }
                }
                if part.scattered {
                    part.selector.text = super::text::expression(expression);
                }
                Ok(part)
            }
            _ => {
                let selector = selector(expression, context)?;
                Ok(Self { and: selector.kind.largest(), xor: 0, scattered: false, selector })
            }
        }
    }

    pub(super) fn is_plain(&self) -> bool {
        self.and == self.selector.kind.largest() && self.xor == 0 && !self.scattered
    }

    /// The left side as text.
    pub(super) fn text(&self) -> String {
        let Selector { kind, text, .. } = &self.selector;
        let mut out = text.clone();
        if self.scattered || self.is_plain() {
            return out;
        }
        if self.and != kind.largest() {
            out.push_str(&format!(" & {}", number(*kind, self.and)));
        }
        if self.xor != 0 {
            out.push_str(&format!(" ^ {}", number(*kind, self.xor)));
        }
        out
    }

    /// The packets that have it so.
    pub(super) fn is(&self, wanted: &Wanted, at: Span) -> Any {
        let Selector { kind: _, reads, needs, needs_if_not, text: _, drawn: _, behind } = &self.selector;
        if let Some(any) = self.as_flags(wanted, at) {
            return any;
        }
        let mut any = match reads {
            _ if self.scattered => self.opaque(wanted, &Truth::Packet, true, at),
            Reads::Opaque { truth, absent } => self.opaque(wanted, truth, *absent, at),
            Reads::Address(field, family) => {
                self.modelled(wanted, family.bits(), |set| Term::Address(*field, *family, set), at)
            }
            Reads::Interface(field) => self.modelled(wanted, 128, |set| Term::Field(*field, set), at),
            Reads::Protocol => vec![vec![Term::field(Field::Protocol, self.matching(wanted, 255))]],
            Reads::Port(field) => vec![vec![Term::field(*field, self.matching(wanted, 65535))]],
            Reads::TcpFlags => vec![vec![Term::field(Field::TcpFlags, self.matching(wanted, 255))]],
            Reads::AnyPort(field) => self.any_port(*field, wanted, at),
            Reads::IcmpType => {
                let types = self.matching(wanted, 255);
                let ranges = types.ranges().iter().map(|(first, last)| (first << 8, last << 8 | 255));
                vec![vec![Term::field(Field::DestinationPort, Set::from_ranges(ranges))]]
            }
            Reads::IcmpCode => {
                let codes = self.matching(wanted, 255);
                let of = |kind: u128| codes.ranges().iter().map(move |(a, b)| (kind << 8 | a, kind << 8 | b));
                vec![vec![Term::field(Field::DestinationPort, Set::from_ranges((0..256).flat_map(of)))]]
            }
            Reads::States => {
                let states = State::ALL.into_iter().filter(|state| self.holds(wanted, state_bit(*state)));
                vec![vec![Term::field(Field::State, states.map(State::value).collect())]]
            }
            Reads::EarlyStates(told) => self.early_states(wanted, *told, at),
            Reads::Family => self.family(wanted, [2, 10]),
            Reads::EtherType => self.family(wanted, [0x0800, 0x86dd]),
            Reads::Version(family) => {
                let version = match family {
                    Family::Ipv4 => 4,
                    Family::Ipv6 => 6,
                };
                if self.holds(wanted, version) { always() } else { Any::new() }
            }
            Reads::NextHeader => self.next_header(wanted, at),
            Reads::Ipv4Fragment => self.ipv4_fragment(wanted, at),
            Reads::Ipv6Fragment => self.ipv6_fragment(wanted, at),
            Reads::Direction => self.direction(wanted, at),
        };
        if wanted.negated {
            any = and(any, needs_if_not);
        }
        let any = and(any, needs);
        if *behind { self.also_in_data(any, wanted, at) } else { any }
    }

    /// Linux takes the data of a later fragment for the header that is not in it, for fields of up to four bytes
    /// (nf_tables_core.c, `nft_payload_fast_eval`), and finds none for others (nft_payload.c): it may be so or not.
    fn also_in_data(&self, any: Any, wanted: &Wanted, at: Span) -> Any {
        let fragment = |later| Term::field(Field::LaterFragment, Set::point(later));
        let mut data = self.clone();
        data.selector.text = format!("data of a later fragment as {}", self.selector.text);
        data.selector.reads = Reads::Opaque { truth: Truth::Packet, absent: true };
        let needs = self.selector.needs.iter().filter(|term| !matches!(term, Term::Field(Field::DestinationPort, _)));
        let needs: All = needs.cloned().chain([fragment(1)]).collect();
        let mut out = and(any, &[fragment(0)]);
        out.extend(and(data.opaque(wanted, &Truth::Packet, true, at), &needs));
        out
    }

    /// A field of the model, and beside it names that only the host can resolve.
    fn modelled(&self, wanted: &Wanted, bits: u32, term: impl Fn(Set) -> Term, at: Span) -> Any {
        let Some(set) = self.read_values(wanted, bits) else {
            return self.opaque(wanted, &Truth::Packet, false, at);
        };
        let Wanted { values, negated } = wanted;
        let mut any = vec![vec![term(set)]];
        for name in &values.names {
            let literal = self.literal(&format!("\"{name}\""), &Truth::Packet, !negated, at);
            if *negated {
                any = and(any, &[literal]);
            } else {
                any.push(vec![literal]);
            }
        }
        any
    }

    /// Whether a packet in which this is read is meant.
    fn holds(&self, wanted: &Wanted, read: u128) -> bool {
        wanted.values.set.contains(read & self.and ^ self.xor) != wanted.negated
    }

    /// The values from 0 to `max` that are meant.
    fn matching(&self, wanted: &Wanted, max: u128) -> Set {
        if self.is_plain() {
            let set = &wanted.values.set;
            return if wanted.negated { set.complement(max) } else { set.intersection(&Set::range(0, max)) };
        }
        (0..=max).filter(|value| self.holds(wanted, *value)).collect()
    }

    /// The values that are meant, of a field too wide to try them all.
    fn read_values(&self, wanted: &Wanted, bits: u32) -> Option<Set> {
        let set = if self.is_plain() {
            wanted.values.set.clone()
        } else {
            behind_mask(&wanted.values.set, self.and, self.xor, bits)?
        };
        let max = if bits >= 128 { u128::MAX } else { (1 << bits) - 1 };
        Some(if wanted.negated { set.complement(max) } else { set })
    }

    fn family(&self, wanted: &Wanted, numbers: [u128; 2]) -> Any {
        let [four, six] = numbers.map(|number| self.holds(wanted, number));
        match (four, six) {
            (true, true) => always(),
            (true, false) => vec![vec![Term::Families(Families::only(Family::Ipv4))]],
            (false, true) => vec![vec![Term::Families(Families::only(Family::Ipv6))]],
            (false, false) => Any::new(),
        }
    }

    /// Where the protocol has no ports, bytes of its header are read nevertheless: an ICMP type and code as a source port.
    fn any_port(&self, field: Field, wanted: &Wanted, at: Span) -> Any {
        let ports: Set = [6, 17, 33, 132, 136].into_iter().collect();
        let icmp: Set = [1, 58].into_iter().collect();
        let values = self.matching(wanted, 65535);
        let mut any = vec![vec![Term::field(Field::Protocol, ports.clone()), Term::field(field, values.clone())]];
        let mut known = ports;
        if field == Field::SourcePort {
            any.push(vec![Term::field(Field::Protocol, icmp.clone()), Term::field(Field::DestinationPort, values)]);
            known = known.union(&icmp);
        }
        let others = Term::field(Field::Protocol, known.complement(255));
        any.extend(and(self.opaque(wanted, &Truth::Packet, true, at), &[others]));
        any
    }

    /// `ip6 nexthdr` is the protocol only where there is no extension header.
    fn next_header(&self, wanted: &Wanted, at: Span) -> Any {
        // What `ipv6_find_hdr` skips (net/ipv6/exthdrs_core.c).
        const EXTENSIONS: [u128; 5] = [0, 43, 44, 51, 60];
        let extended = |holds| Term::opaque("ip6 nexthdr is an extension header", holds, Truth::Packet, at);
        let first = |number: u128, holds| {
            Term::opaque(format!("ip6 nexthdr {}", Type::Protocol.show(number)), holds, Truth::Packet, at)
        };
        let skipped: Set = EXTENSIONS.into_iter().collect();
        let plain = self.matching(wanted, 255).difference(&skipped);
        let mut any = vec![vec![extended(false), Term::field(Field::Protocol, plain)]];
        let (meant, others): (Vec<u128>, Vec<u128>) =
            EXTENSIONS.iter().partition(|number| self.holds(wanted, **number));
        if meant.len() <= others.len() {
            any.extend(meant.iter().map(|number| vec![extended(true), first(*number, true)]));
        } else {
            let none = others.iter().map(|number| first(*number, false));
            any.push(std::iter::once(extended(true)).chain(none).collect());
        }
        any
    }

    fn ipv4_fragment(&self, wanted: &Wanted, at: Span) -> Any {
        let of = |later: bool| {
            let mut values = (0..=0xffffu128).filter(|value| (value & 0x1fff != 0) == later);
            let first = values.next().is_some_and(|value| self.holds(wanted, value));
            let same = values.all(|value| self.holds(wanted, value) == first);
            same.then_some(first)
        };
        self.fragment(wanted, of(false), of(true), at)
    }

    fn ipv6_fragment(&self, wanted: &Wanted, at: Span) -> Any {
        let mut values = (1..=0x1fffu128).map(|value| self.holds(wanted, value));
        let first = values.next().unwrap_or_default();
        let later = values.all(|holds| holds == first).then_some(first);
        let header = Term::opaque("exthdr frag exists", true, Truth::Packet, at);
        let whole = vec![Term::field(Field::LaterFragment, Set::point(0)), header];
        let mut any = self.fragment(wanted, Some(false), later, at);
        if self.holds(wanted, 0) {
            any.push(whole);
        }
        any
    }

    /// What holds of first and whole, and of later fragments, if all of them are alike.
    fn fragment(&self, wanted: &Wanted, whole: Option<bool>, later: Option<bool>, at: Span) -> Any {
        let mut any = Any::new();
        for (value, holds) in [(0, whole), (1, later)] {
            let side = Term::field(Field::LaterFragment, Set::point(value));
            match holds {
                Some(true) => any.push(vec![side]),
                Some(false) => {}
                None => any.extend(and(self.opaque(wanted, &Truth::Packet, false, at), &[side])),
            }
        }
        any
    }

    /// Before tracking a packet is invalid, unless an earlier rule has exempted it or it has come back by `lo` with the state it
    /// got on its way out (nf_conntrack_core.c, `nf_conntrack_in`). The state of later chains says nothing about that.
    fn early_states(&self, wanted: &Wanted, told: bool, at: Span) -> Any {
        // It is one of them, so the last need not be asked for; most rules ask for the first.
        const ALL: [State; 5] = [State::Invalid, State::Untracked, State::New, State::Established, State::Related];
        let holds = ALL.map(|state| self.holds(wanted, state_bit(state)));
        let asked = holds.iter().rposition(|one| one != &holds[4]).map_or(0, |last| last + 1);
        let is = |state: State, is| {
            Term::opaque(format!("{} {}", self.selector.text, state.name()), is, Truth::Occurrence, at)
        };
        let none_of = |count: usize| ALL.into_iter().take(count).map(|state| is(state, false)).collect::<All>();
        let one = |number: usize| [none_of(number), vec![is(ALL[number], true)]].concat();
        let mut any: Any = (0..asked).filter(|number| holds[*number]).map(one).collect();
        any.extend(holds[4].then(|| none_of(asked)));
        if told {
            return any;
        }
        let local = super::selectors::local();
        let outside = Term::field(Field::Input, local.complement(u128::MAX));
        let mut any = and(any, &[Term::field(Field::Input, local)]);
        any.extend(holds[0].then(|| vec![outside]));
        any
    }

    /// A packet that begins a connection is of the original direction.
    fn direction(&self, wanted: &Wanted, at: Span) -> Any {
        let old =
            Term::field(Field::State, [State::Established, State::Related].map(State::value).into_iter().collect());
        let new = Term::field(Field::State, Set::point(State::New.value()));
        let reply = |holds| Term::opaque("ct direction reply", holds, Truth::Packet, at);
        match (self.holds(wanted, 0), self.holds(wanted, 1)) {
            (true, true) => vec![vec![super::selectors::is_tracked()]],
            (true, false) => vec![vec![new], vec![old, reply(false)]],
            (false, true) => vec![vec![old, reply(true)]],
            (false, false) => Any::new(),
        }
    }

    /// Of what is not in the model: one condition for each value, as long as they are few.
    fn opaque(&self, wanted: &Wanted, truth: &Truth, absent: bool, at: Span) -> Any {
        let kind = self.selector.kind;
        let Wanted { values, negated } = wanted;
        if *negated && absent {
            // What is not there does not differ: this is no negation of the other.
            return vec![vec![self.literal(&format!("!= {}", values.show(kind)), truth, true, at)]];
        }
        let (mut texts, names) = self.shown(values);
        texts.extend(names);
        if kind.is_flags() && self.is_plain() {
            // To be something is another question than to have it.
            texts.iter_mut().for_each(|text| text.insert_str(0, "== "));
        }
        if texts.len() > MOST_LITERALS {
            texts = vec![crowd(&values.show(kind), texts.len())];
        }
        if *negated {
            vec![texts.iter().map(|text| self.literal(text, truth, false, at)).collect()]
        } else {
            texts.iter().map(|text| vec![self.literal(text, truth, true, at)]).collect()
        }
    }

    /// `& flag` compared with nothing, or with the flag, is a question about the flag.
    fn as_flags(&self, wanted: &Wanted, at: Span) -> Option<Any> {
        let Wanted { values, negated } = wanted;
        let kind = self.selector.kind;
        let opaque = matches!(self.selector.reads, Reads::Opaque { .. }) && values.names.is_empty();
        if !opaque || !kind.is_flags() || self.is_plain() || self.scattered || self.xor != 0 {
            return None;
        }
        let plain = Self { and: kind.largest(), ..self.clone() };
        let is = |value| values.set == Set::point(value);
        if is(0) {
            return Some(plain.has_flags(self.and, !negated, at));
        }
        (is(self.and) && self.and.is_power_of_two()).then(|| plain.has_flags(self.and, *negated, at))
    }

    /// Each value as text; flags that are tested one by one are values of their own.
    fn shown(&self, values: &Values) -> (Vec<String>, Vec<String>) {
        /// Longer intervals are one value.
        const MOST_SINGLE: u128 = 8;
        let kind = self.selector.kind;
        let mut ranges = Vec::new();
        for (first, last) in values.set.ranges() {
            if last - first < MOST_SINGLE {
                ranges.extend((first..=last).map(|value| kind.show(value)));
            } else if last == kind.largest() && matches!(kind, Type::Integer(_) | Type::Mark | Type::Service) {
                ranges.push(format!(">= {}", kind.show(first)));
            } else {
                ranges.push(kind.show_set(&Set::range(first, last)));
            }
        }
        (ranges, values.names.iter().map(|name| format!("\"{name}\"")).collect())
    }

    /// `flag` is set; or, `holds` false, is not.
    pub(super) fn flag(&self, flag: &str, holds: bool, at: Span) -> Term {
        let truth = match &self.selector.reads {
            Reads::Opaque { truth, absent: _ } => truth.clone(),
            _ => Truth::Packet,
        };
        self.literal(flag, &truth, holds, at)
    }

    fn literal(&self, value: &str, truth: &Truth, holds: bool, at: Span) -> Term {
        let sign = if self.is_plain() || value.starts_with("!=") { "" } else { "== " };
        let shown = format!("{} {sign}{value}", self.text());
        let (key, shown) = match super::keys::key(self, value) {
            Some(key) => (key, Some(shown)),
            None => (shown, None),
        };
        Term::Opaque(Unknown { key, shown, holds, truth: truth.clone(), at })
    }

    /// The packets in which one of the flags is set, or none.
    pub(super) fn has_flags(&self, value: u128, none: bool, at: Span) -> Any {
        if !matches!(self.selector.reads, Reads::Opaque { .. }) {
            let part = Self { and: self.and & value, ..self.clone() };
            return part.is(&Wanted { values: Values::of(Set::point(0)), negated: !none }, at);
        }
        let flags = values::flags(self.selector.kind, value);
        self.has_words(flags.iter().map(|(_, word)| word.as_str()), none, at)
    }

    /// The same of what is not in the model.
    pub(super) fn has_words<'w>(&self, words: impl Iterator<Item = &'w str>, none: bool, at: Span) -> Any {
        let Selector { reads, needs, needs_if_not, .. } = &self.selector;
        let any: Any = if !none {
            words.map(|word| vec![self.flag(word, true, at)]).collect()
        } else if matches!(reads, Reads::Opaque { absent: true, .. }) {
            // What is not there does not lack it.
            vec![vec![self.flag(&format!("! {}", words.collect::<Vec<_>>().join(",")), true, at)]]
        } else {
            vec![words.map(|word| self.flag(word, false, at)).chain(needs_if_not.iter().cloned()).collect()]
        };
        and(any, needs)
    }
}

/// Many values as one.
pub(super) fn crowd(text: &str, count: usize) -> String {
    format!("{count} values ({})", super::written::short_digest(text))
}

pub(super) fn number(kind: Type, value: u128) -> String {
    if kind.is_flags() {
        let words: Vec<String> = values::flags(kind, value).into_iter().map(|(_, word)| word).collect();
        return match words.as_slice() {
            [one] => one.clone(),
            [] => "0".to_owned(),
            _ => format!("({})", words.join(" | ")),
        };
    }
    match kind {
        Type::Address(_) | Type::Ethernet => kind.show(value),
        _ => format!("{value:#x}"),
    }
}

pub(super) fn state_bit(state: State) -> u128 {
    names::value(names::CT_STATES, state.name().as_bytes()).expect("nft has a bit for every state").into()
}

/// What reading a part settles for those after it.
pub(super) fn settle(expression: &Expression<'_>, context: &mut Context) {
    match &expression.kind {
        Kind::Variable(_, value) => settle(value, context),
        Kind::Payload(field) => {
            context.settle(field.header());
            // nft asks for one of the types that have it, and keeps in mind which.
            if context.message.is_none() {
                context.message = types_that_have(*field).and_then(|types| types.iter().copied().find(|n| *n != 0));
            }
        }
        Kind::Concatenation(parts) => parts.iter().for_each(|part| settle(part, context)),
        Kind::Binary(_, left, _) => settle(left, context),
        _ => {}
    }
}

/// The packets that are in one of the boxes, or in none; `None` if that takes more than `most` alternatives.
pub(super) fn boxes(parts: &[Part], boxes: &[Vec<Values>], negated: bool, most: usize, at: Span) -> Option<Any> {
    let one = |values: &[Values]| -> Option<Any> {
        let mut any = always();
        for (part, values) in parts.iter().zip(values) {
            let wanted = Wanted { values: values.clone(), negated: false };
            any = both(&any, &part.is(&wanted, at), most)?;
        }
        Some(any)
    };
    if !negated {
        let mut out = Any::new();
        for values in boxes {
            out.extend(one(values)?);
            if out.len() > most {
                return None;
            }
        }
        return Some(out);
    }
    // Outside of every box: in at least one part of each it is something else.
    let mut out = always();
    for values in boxes {
        let mut outside = Any::new();
        let mut inside: All = Vec::new();
        for (part, values) in parts.iter().zip(values) {
            let differs = part.is(&Wanted { values: values.clone(), negated: true }, at);
            outside.extend(and(differs, &inside));
            match part.is(&Wanted { values: values.clone(), negated: false }, at).as_slice() {
                [only] => inside.extend(only.iter().cloned()),
                _ => inside.clear(),
            }
        }
        out = both(&out, &outside, most)?;
    }
    let needs = |any, part: &Part| and(any, &part.selector.needs);
    Some(parts.iter().fold(out, needs))
}
