//! Relations: a left side, and what it must be.

use super::conditions::{Part, Wanted, boxes, crowd, settle};
use super::context::has_header;
use super::declared::kinds_of;
use super::rules::{Condition, Lowered, Lowering, MOST_ALTERNATIVES, SAID};
use super::sets::Contents;
use super::terms::{All, Any, Term, Truth, and, both};
use super::text;
use super::values::{self, Values, values};
use crate::formats::Disposition;
use crate::formats::nftables::syntax::{self, CtKey, Expression, Form, Kind, Name, Relation};
use crate::formats::nftables::types::{self, Type};
use crate::net::{Family, Set};
use crate::text::Span;

/// More alternatives than this are not written out for a condition that excludes.
pub(super) const MOST_EXCLUDED: usize = 256;

impl<'e, 'r, 't> Lowering<'_, 'e, 'r, 't> {
    pub(super) fn relation(
        &mut self,
        relation: Relation,
        left: &'r Expression<'t>,
        right: &'r Expression<'t>,
        at: Span,
    ) -> Lowered {
        self.place = Some(left.at);
        let parts = Part::all_of(left, &self.context)?;
        let target = right.resolved();
        self.place = Some(right.at);
        let condition = match (&target.kind, relation) {
            (Kind::Set(_) | Kind::SetReference(_), Relation::Implicit | Relation::Equal | Relation::NotEqual) => {
                self.member(&parts, target, relation, at)?
            }
            (Kind::Set(_) | Kind::SetReference(_), _) => {
                return Err(format!("Relational expression ({}) is undefined for set expressions", sign(relation)));
            }
            (_, _) => match parts.as_slice() {
                [part] => one(part, relation, target, at)?,
                _ => return Err("Use concatenations with sets and maps, not singleton values".to_owned()),
            },
        };
        self.place = None;
        let disposition = disposition(&condition.any, left);
        self.conditions.push(condition);
        settle(left, &mut self.context);
        if matches!(relation, Relation::Implicit | Relation::Equal) {
            self.learn(left, target);
        }
        Ok(disposition)
    }

    /// What a comparison with protocols, families or types of messages settles for the statements after it. Of several
    /// the last counts, except for protocols above IP, which must not contradict one another.
    fn learn(&mut self, left: &Expression<'_>, right: &Expression<'_>) {
        let number = |kind| values::number(right, kind).ok();
        let last = |kind| named(right, kind).last().copied();
        match &left.resolved().kind {
            Kind::Meta(syntax::MetaKey::L4proto) => {
                for number in named(right, Type::Protocol) {
                    self.context.named(u8::try_from(number).ok().filter(|number| has_header(*number)));
                }
            }
            Kind::Payload(syntax::Field::IpProtocol | syntax::Field::Ip6Nexthdr) => {
                let known = named(right, Type::Protocol).into_iter().filter_map(|number| u8::try_from(number).ok());
                known.filter(|number| has_header(*number)).for_each(|number| self.context.named(Some(number)));
            }
            Kind::Payload(syntax::Field::IcmpType) => self.learn_message(last(Type::Named(&types::ICMP_TYPE))),
            Kind::Payload(syntax::Field::Icmpv6Type) => {
                self.learn_message(last(Type::Named(&types::ICMPV6_TYPE)).filter(|number| *number != 0));
            }
            Kind::Payload(syntax::Field::EtherType) => {
                let tags = [0x8100, 0x88a8];
                let kind = Type::Named(&types::ETHER_TYPE);
                self.context.untagged |= number(kind).is_some_and(|number| !tags.contains(&number));
                self.learn_family(last(kind), [0x0800, 0x86dd]);
            }
            Kind::Meta(syntax::MetaKey::Nfproto) => self.learn_family(last(Type::Named(&types::FAMILY)), [2, 10]),
            Kind::Meta(syntax::MetaKey::Protocol) if self.context.frames => {
                self.learn_family(last(Type::Named(&types::ETHER_TYPE)), [0x0800, 0x86dd]);
            }
            _ => {}
        }
        if let Kind::Meta(syntax::MetaKey::L4proto)
        | Kind::Payload(syntax::Field::IpProtocol | syntax::Field::Ip6Nexthdr) = &left.resolved().kind
            && let Some(number) = number(Type::Protocol).and_then(|number| u8::try_from(number).ok())
        {
            self.context.transport = Some(number);
        }
    }

    /// nft takes the type 0 for 8, which asks what it answers.
    fn learn_message(&mut self, number: Option<u128>) {
        if let Some(number) = number.and_then(|number| u8::try_from(number).ok()) {
            self.context.message = Some(if number == 0 { 8 } else { number });
        }
    }

    fn learn_family(&mut self, number: Option<u128>, [four, six]: [u128; 2]) {
        match number {
            Some(number) if number == four => self.context.network = Some(Family::Ipv4),
            Some(number) if number == six => self.context.network = Some(Family::Ipv6),
            Some(_) | None => {}
        }
    }

    /// `@name` or `{ … }`.
    fn member(
        &mut self,
        parts: &[Part],
        set: &'r Expression<'t>,
        relation: Relation,
        at: Span,
    ) -> Result<Condition, String> {
        let negated = relation == Relation::NotEqual;
        let left: Vec<String> = parts.iter().map(Part::text).collect();
        let left = left.join(" . ");
        let sign = if negated { "!= " } else { "" };
        match &set.kind {
            Kind::Set(elements) => {
                let contents = Contents::anonymous(elements, kinds_of(parts), false, set.at, self.account);
                if let ([part], Relation::Implicit) = (parts, relation)
                    && elements.len() == 1
                    && let Some((any, words)) = alone(part, &contents, at)
                {
                    if part.selector.kind != Type::Named(&types::CT_STATE) {
                        let reason = "versions of nft differ in whether a set of one is compared with, or asked for as a flag: \
                            write `== flag`, or the flag alone";
                        self.account.gap(set.at, reason);
                    }
                    return Ok(Condition { any, text: format!("{left} {words}"), at });
                }
                let shown = match parts {
                    [part] => contents.sure.show(part.selector.kind),
                    _ => format!("{{ {} }}", contents.shown.join(", ")),
                };
                let text = format!("{left} {sign}{shown}");
                Ok(Condition { any: self.contained(parts, &contents, negated, None, &text, at), text, at })
            }
            Kind::SetReference(name) => {
                let contents = self.named(name, parts)?;
                let text = format!("{left} {sign}@{}", name.show());
                Ok(Condition { any: self.contained(parts, contents, negated, Some(name), &text, at), text, at })
            }
            _ => Err(format!("`{}` is no set", text::expression(set))),
        }
    }

    pub(super) fn named(&mut self, name: &Name<'t>, parts: &[Part]) -> Result<&'e Contents<'r, 't>, String> {
        let Some(contents) = self.env.sets.get(&*name.text) else {
            return Err(SAID.to_owned());
        };
        self.sets.insert(name.text.to_vec());
        let kinds = kinds_of(parts);
        let differ = |(a, b): (&Type, &Type)| a != b && is_distinct(*a) && is_distinct(*b);
        let wrong = kinds.len() != contents.kinds.len() || kinds.iter().zip(&contents.kinds).any(differ);
        if wrong && !contents.kinds.is_empty() {
            let title = |kinds: &[Type]| kinds.iter().map(|kind| kind.title()).collect::<Vec<_>>().join(", ");
            let (wanted, has) = (title(&kinds), title(&contents.kinds));
            return Err(format!("datatype mismatch, expected {wanted}, expression has type {has}"));
        }
        Ok(contents)
    }

    /// The packets whose key is in a set, or is not.
    pub(super) fn contained(
        &self,
        parts: &[Part],
        contents: &Contents<'r, 't>,
        negated: bool,
        name: Option<&Name<'_>>,
        text: &str,
        at: Span,
    ) -> Any {
        let inside = |sure: bool, negated: bool| -> Any {
            if let [part] = parts {
                let mut values = if sure { contents.sure.clone() } else { contents.unsure.clone() };
                let entries = contents.entries.iter().filter(|entry| entry.sure == sure);
                values.add_all(entries.flat_map(|entry| &entry.key));
                return part.is(&Wanted { values, negated }, at);
            }
            let entries = contents.entries.iter().map(|entry| (&entry.key, entry.sure));
            let keys = contents.boxes.iter().map(|(key, sure)| (key, *sure)).chain(entries);
            let keys: Vec<Vec<Values>> = keys.filter(|(_, is)| *is == sure).map(|(key, _)| key.clone()).collect();
            let most = if negated { MOST_EXCLUDED } else { MOST_ALTERNATIVES };
            boxes(parts, &keys, negated, most, at).unwrap_or_else(|| {
                let key = format!("{text} [{}]", super::written::short_digest(&contents.shown.join(", ")));
                let needs: All = parts.iter().flat_map(|part| part.selector.needs.clone()).collect();
                and(vec![vec![Term::opaque(key, true, Truth::Packet, at)]], &needs)
            })
        };
        let mut any = inside(true, negated);
        let set = name.map(|name| super::names::in_table(self.env.table, &name.text));
        if contents.has_unsure() {
            let key = contents.there(set.as_deref(), "the set");
            let truth = self.there(set.as_deref(), contents);
            let there = |holds| Term::opaque(key.clone(), holds, truth.clone(), at);
            if negated {
                let mut outside = inside(false, true);
                outside.push(vec![there(false)]);
                any = both(&any, &outside, MOST_ALTERNATIVES).unwrap_or(any);
            } else {
                any.extend(and(inside(false, false), &[there(true)]));
            }
        }
        if let Some(set) = set.filter(|set| self.env.dynamic.contains(set)) {
            let key = format!("{} was added", text.replacen("!= ", "", 1));
            let needs: All = parts.iter().flat_map(|part| part.selector.needs.clone()).collect();
            let added = Term::opaque(key, !negated, self.added(set), at);
            if negated {
                any = and(any, &[added]);
            } else {
                any.extend(and(vec![vec![added]], &needs));
            }
        }
        any
    }
}

const fn sign(relation: Relation) -> &'static str {
    match relation {
        Relation::Implicit | Relation::Equal => "==",
        Relation::NotEqual => "!=",
        Relation::Less => "<",
        Relation::LessOrEqual => "<=",
        Relation::Greater => ">",
        Relation::GreaterOrEqual => ">=",
        Relation::NoneOf => "!",
    }
}

/// The single values of the right side, in the order in which they are written.
fn named(right: &Expression<'_>, kind: Type) -> Vec<u128> {
    let Kind::Set(elements) = &right.resolved().kind else {
        return values::number(right, kind).ok().into_iter().collect();
    };
    let plain = elements.numbers.iter().filter(|plain| plain.form == Form::Single);
    let mut found: Vec<(u32, u128)> = plain.map(|plain| (plain.at, plain.first.into())).collect();
    for element in &elements.others {
        if let Ok(number) = values::number(&element.key, kind) {
            found.push((element.at.start, number));
        }
    }
    found.sort_unstable();
    found.into_iter().map(|(_, number)| number).collect()
}

/// Types that are never taken for one another.
const fn is_distinct(kind: Type) -> bool {
    match kind {
        Type::Address(_)
        | Type::Ethernet
        | Type::Protocol
        | Type::Service
        | Type::Interface
        | Type::InterfaceNumber
        | Type::Mark => true,
        Type::Named(_)
        | Type::Integer(_)
        | Type::User
        | Type::Group
        | Type::DeviceGroup
        | Type::Realm
        | Type::Class
        | Type::Hour
        | Type::Time
        | Type::Duration
        | Type::Text
        | Type::Label
        | Type::Verdict => false,
    }
}

/// A set of one value of a type of flags, for which nft puts that value (evaluate.c, `expr_evaluate_set` of 1.0.6): a
/// question about the flags, as it is without the braces. Later versions compare, except with states of connections
/// (`optimize_singleton_set`).
fn alone(part: &Part, contents: &Contents<'_, '_>, at: Span) -> Option<(Any, String)> {
    let kind = part.selector.kind;
    if !kind.is_flags() || !part.is_plain() {
        return None;
    }
    let Values { set, names } = &contents.sure;
    match (set.ranges().single(), names.as_slice()) {
        (Some((value, last)), []) if value == last => {
            let words: Vec<String> = values::flags(kind, value).into_iter().map(|(_, word)| word).collect();
            Some((part.has_flags(value, false, at), words.join(",")))
        }
        (None, [name]) => Some((part.has_words(std::iter::once(name.as_str()), false, at), name.clone())),
        (_, _) => None,
    }
}

/// `part relation value`, where the value is no set.
fn one(part: &Part, relation: Relation, right: &Expression<'_>, at: Span) -> Result<Condition, String> {
    let kind = part.selector.kind;
    let left = part.text();
    let done = |any, text| Ok(Condition { any, text, at });
    if let Kind::Exists(exists) = &right.kind {
        let differs = matches!(relation, Relation::NotEqual);
        // What is there is what is not missing, and its number if it has one is not known.
        let value = u128::from(kind == Type::Named(&types::BOOLEAN));
        let negated = (*exists == differs) == (value == 1);
        let values = Values::of(Set::point(value));
        let shown = if *exists == differs { "missing" } else { "exists" };
        return done(part.is(&Wanted { values, negated }, at), format!("{left} {shown}"));
    }
    if kind.is_flags() && part.is_plain() {
        let none = relation == Relation::NoneOf;
        if none || (relation == Relation::Implicit && values::is_flag_list(right)) {
            if kind == Type::Label {
                let words = values::labels(right)?;
                let any = part.has_words(words.iter().map(String::as_str), none, at);
                return done(any, format!("{left} {}{}", if none { "! " } else { "" }, words.join(",")));
            }
            let value = values::number(right, kind)?;
            let words: Vec<String> = values::flags(kind, value).into_iter().map(|(_, word)| word).collect();
            let shown = words.join(",");
            return done(part.has_flags(value, none, at), format!("{left} {}{shown}", if none { "! " } else { "" }));
        }
    }
    if relation == Relation::NoneOf {
        return Err("negation can only be used with singleton bitmask values".to_owned());
    }
    if matches!(right.kind, Kind::List(_)) && !kind.is_flags() {
        return Err(format!("Basetype of type {} is not bitmask", kind.title()));
    }
    let found = values(right, kind)?;
    let (set, negated) = match relation {
        Relation::Implicit | Relation::Equal | Relation::NoneOf => (found, false),
        Relation::NotEqual => (found, true),
        Relation::Less | Relation::LessOrEqual | Relation::Greater | Relation::GreaterOrEqual => {
            let value = match found.set.ranges().single() {
                Some((value, last)) if value == last && found.names.is_empty() => value,
                _ => {
                    let sign = sign(relation);
                    return Err(format!("Relational expression ({sign}) is undefined for range expressions"));
                }
            };
            let max = kind.largest();
            let set = match relation {
                Relation::Less => value.checked_sub(1).map_or_else(Set::empty, |last| Set::range(0, last)),
                Relation::LessOrEqual => Set::range(0, value),
                Relation::Greater => value.checked_add(1).map_or_else(Set::empty, |first| Set::range(first, max)),
                _ => Set::range(value, max),
            };
            (Values::of(set), false)
        }
    };
    let shown = set.show(kind);
    let shown = if set.set.ranges().len() > 64 { crowd(&shown, set.set.ranges().len()) } else { shown };
    let sign = match negated {
        true => "!= ",
        // Flags are compared only where it is said.
        false if kind.is_flags() && part.is_plain() => "== ",
        false => "",
    };
    done(part.is(&Wanted { values: set, negated }, at), format!("{left} {sign}{shown}"))
}

/// How a condition is accounted for.
pub(super) fn disposition(any: &Any, left: &Expression<'_>) -> Disposition {
    let opaque = any.iter().flatten().any(|term| matches!(term, Term::Opaque(_)));
    if opaque { Disposition::Opaque(word(left)) } else { Disposition::Modelled }
}

/// What is not known of an expression, in one word.
fn word(expression: &Expression<'_>) -> &'static str {
    match &expression.kind {
        Kind::Variable(_, value) => word(value),
        Kind::Meta(key) => key.keyword(),
        Kind::Ct(CtKey::State, _) => "state before tracking",
        Kind::Ct(CtKey::Mark, _) => "ct mark",
        Kind::Ct(CtKey::Status, _) => "ct status",
        Kind::Ct(CtKey::Direction, _) => "ct direction",
        Kind::Ct(_, _) => "ct",
        Kind::Payload(syntax::Field::Ip6Nexthdr) => "extension headers",
        Kind::Payload(field) => field.name(),
        Kind::Binary(_, left, _) => word(left),
        Kind::Concatenation(parts) => parts.first().map_or("concatenation", word),
        Kind::RawPayload { .. } => "raw payload",
        Kind::Inner(_, _) => "inner packet",
        Kind::Extension(_, _) | Kind::ExtensionHeader(_) => "extension header",
        Kind::TcpOption { .. } | Kind::RawTcpOption { .. } => "tcp option",
        Kind::IpOption { .. } => "ip option",
        Kind::SctpChunk { .. } => "sctp chunk",
        Kind::DccpOption(_) => "dccp option",
        Kind::Rt(_) => "rt",
        Kind::Socket(_, _) => "socket",
        Kind::Osf { .. } => "osf",
        Kind::Fib { .. } => "fib",
        Kind::Numgen { .. } => "numgen",
        Kind::Jhash { .. } => "jhash",
        Kind::Symhash { .. } => "symhash",
        Kind::Ipsec { .. } => "ipsec",
        _ => "condition",
    }
}
