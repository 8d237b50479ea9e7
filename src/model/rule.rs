use crate::net::{Family, Field, Set, State};

/// A rule in the [`super::Store`]. Equal numbers are equal rules; equal rules may have two numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RuleId(pub(super) u32);

impl RuleId {
    /// This rule and those that were made after it, `count` in all.
    pub fn and_next(self, count: u32) -> impl Iterator<Item = Self> {
        (self.0..self.0.saturating_add(count)).map(Self)
    }

    /// How many rules were made from this one on before that one.
    #[must_use]
    pub const fn until(self, next: Self) -> u32 {
        next.0.saturating_sub(self.0)
    }

    /// The rule that was made `count` rules after this one.
    #[must_use]
    pub const fn after(self, count: u32) -> Self {
        Self(self.0.saturating_add(count))
    }
}

/// An interned name (chains, comments) in the [`super::Store`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Symbol(pub(super) u32);

/// An opaque condition in the [`super::Store`]: recognised, but its truth is not in the file. The same number
/// stands wherever the same condition stands, on either side of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OpaqueId(pub(super) u32);

/// An interned set in the [`super::Store`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct SetId(pub(super) u32);

/// What a rule does with a packet that it matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// The packet passes this base chain; the next one at the hook sees it.
    Accept,
    /// The packet is dropped or rejected: final.
    Deny,
    /// Back to the rule after the jump that led here; in a base chain, its `otherwise`.
    Return,
    /// Through the chain of that name in the same table; what it does not decide comes back.
    Jump(Symbol),
    /// Through that chain; what it does not decide goes on where the present chain was called from.
    Goto(Symbol),
    /// Nothing that decides: the next rule (LOG, counters, marks). A line that also logs, marks or writes before it
    /// decides is two rules of the same origin: one that continues, then the one that decides.
    Continue,
}

/// The families a rule can match.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Families(u8);

impl Families {
    /// IPv4 and IPv6.
    pub const BOTH: Self = Self(3);
    /// None: the rule can never match.
    pub const NONE: Self = Self(0);

    /// One family.
    #[must_use]
    pub const fn only(family: Family) -> Self {
        match family {
            Family::Ipv4 => Self(1),
            Family::Ipv6 => Self(2),
        }
    }

    /// Whether `family` is one of them.
    #[must_use]
    pub const fn contains(self, family: Family) -> bool {
        self.0 & Self::only(family).0 != 0
    }

    /// The families in both.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

/// A condition on an opaque: it must be true, or must not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Literal {
    /// The condition.
    pub opaque: OpaqueId,
    /// Whether the rule asks for its truth (`true`) or its negation.
    pub holds: bool,
}

/// One rule: a conjunction of sets, one a field, and of opaque conditions; and what is done.
///
/// The frequent conditions stand inline in 40 bytes, so that a million rules stay small; the others
/// (IPv6 addresses, several ranges, flags) in the store. Read it through [`super::Store::ranges`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Rule {
    /// IPv4 addresses; meaningful only with `Families::only(Ipv4)` when not full.
    pub(super) source: (u32, u32),
    pub(super) destination: (u32, u32),
    pub(super) source_port: (u16, u16),
    pub(super) destination_port: (u16, u16),
    pub(super) protocol: (u8, u8),
    /// One bit a [`State`].
    pub(super) states: u8,
    pub(super) families: Families,
    /// Index of the rarer conditions in the store; 0: none.
    pub(super) extra: u32,
    pub(super) action: Action,
}

impl Rule {
    /// Matches every packet of these families.
    pub(super) const fn any(families: Families) -> Self {
        Self {
            source: (0, u32::MAX),
            destination: (0, u32::MAX),
            source_port: (0, u16::MAX),
            destination_port: (0, u16::MAX),
            protocol: (0, u8::MAX),
            states: ALL_STATES,
            families,
            extra: 0,
            action: Action::Continue,
        }
    }

    /// What it does.
    #[must_use]
    pub const fn action(&self) -> Action {
        self.action
    }

    /// The families it can match.
    #[must_use]
    pub const fn families(&self) -> Families {
        self.families
    }
}

/// A range of IPv6 sources and one of destinations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Wide {
    pub(super) source: (u128, u128),
    pub(super) destination: (u128, u128),
}

impl Wide {
    pub(super) const ALL: (u128, u128) = (0, u128::MAX);
    pub(super) const ANY: Self = Self { source: Self::ALL, destination: Self::ALL };

    /// The range of a field; all values if it has none.
    pub(super) const fn of(&self, field: Field) -> (u128, u128) {
        match field {
            Field::Source => self.source,
            Field::Destination => self.destination,
            Field::Protocol
            | Field::SourcePort
            | Field::DestinationPort
            | Field::Input
            | Field::Output
            | Field::State
            | Field::TcpFlags
            | Field::LaterFragment => Self::ALL,
        }
    }
}

/// A rule in the making. Begins as "any packet"; each call narrows it.
#[derive(Debug, Clone)]
pub struct Draft {
    pub(super) rule: Rule,
    pub(super) wide: Wide,
    pub(super) sets: Vec<(Field, Set)>,
    pub(super) literals: Vec<Literal>,
    pub(super) comment: Option<Symbol>,
}

const ALL_STATES: u8 = (1 << State::ALL.len()) - 1;

impl Draft {
    /// A rule that matches every packet of these families.
    #[must_use]
    pub const fn new(families: Families) -> Self {
        Self { rule: Rule::any(families), wide: Wide::ANY, sets: Vec::new(), literals: Vec::new(), comment: None }
    }

    /// The families it can still match.
    #[must_use]
    pub const fn families(&self) -> Families {
        self.rule.families
    }

    /// Only packets of these families.
    pub const fn families_only(&mut self, families: Families) {
        self.rule.families = self.rule.families.and(families);
    }

    /// Only IPv4 packets whose source is in the closed range. The fast way for prefixes.
    pub fn ipv4_source(&mut self, first: u32, last: u32) {
        self.families_only(Families::only(Family::Ipv4));
        narrow(&mut self.rule.source, first, last, &mut self.rule.families);
    }

    /// Only IPv4 packets whose destination is in the closed range.
    pub fn ipv4_destination(&mut self, first: u32, last: u32) {
        self.families_only(Families::only(Family::Ipv4));
        narrow(&mut self.rule.destination, first, last, &mut self.rule.families);
    }

    /// Only IPv6 packets whose source is in the closed range.
    pub fn ipv6_source(&mut self, first: u128, last: u128) {
        self.families_only(Families::only(Family::Ipv6));
        narrow(&mut self.wide.source, first, last, &mut self.rule.families);
    }

    /// Only IPv6 packets whose destination is in the closed range.
    pub fn ipv6_destination(&mut self, first: u128, last: u128) {
        self.families_only(Families::only(Family::Ipv6));
        narrow(&mut self.wide.destination, first, last, &mut self.rule.families);
    }

    /// Only packets whose protocol is in the closed range.
    pub fn protocol(&mut self, first: u8, last: u8) {
        narrow(&mut self.rule.protocol, first, last, &mut self.rule.families);
    }

    /// Only packets whose source port is in the closed range.
    pub fn source_port(&mut self, first: u16, last: u16) {
        narrow(&mut self.rule.source_port, first, last, &mut self.rule.families);
    }

    /// Only packets whose destination port, or ICMP `type << 8 | code`, is in the closed range.
    pub fn destination_port(&mut self, first: u16, last: u16) {
        narrow(&mut self.rule.destination_port, first, last, &mut self.rule.families);
    }

    /// Only packets in one of these states.
    pub fn states(&mut self, states: impl IntoIterator<Item = State>) {
        self.rule.states &= states.into_iter().fold(0, |mask, state| mask | 1 << state as u8);
        if self.rule.states == 0 {
            self.never();
        }
    }

    /// Only packets whose `field` is in `set`. For addresses say which family they are of.
    pub fn restrict(&mut self, field: Field, set: &Set) {
        if set.is_empty() {
            return self.never();
        }
        let range = set.ranges().single();
        match (field, range) {
            (Field::State, _) => self.states(State::ALL.into_iter().filter(|s| set.contains(s.value()))),
            (Field::Protocol | Field::SourcePort | Field::DestinationPort, _)
                if !self.has_set(field) && (range.is_some() || self.inline(field).is_some()) =>
            {
                let within = self.inline(field).map(|(first, last)| set.intersection(&Set::range(first, last)));
                let ranges = within.as_ref().unwrap_or(set).ranges();
                match (field, ranges.single()) {
                    (_, None) if ranges.is_empty() => self.never(),
                    (Field::Protocol, Some((a, b))) => self.protocol(clamp(a), clamp(b)),
                    (Field::SourcePort, Some((a, b))) => self.source_port(clamp(a), clamp(b)),
                    (Field::DestinationPort, Some((a, b))) => self.destination_port(clamp(a), clamp(b)),
                    (_, _) => self.sets.push((field, within.unwrap_or_else(|| set.clone()))),
                }
            }
            _ => match self.sets.iter_mut().find(|(f, _)| *f == field) {
                Some((_, old)) => {
                    *old = old.intersection(set);
                    if old.is_empty() {
                        self.never();
                    }
                }
                None => {
                    let (first, last) = self.wide.of(field);
                    if (first, last) != Wide::ALL && !set.overlaps(&Set::range(first, last)) {
                        self.never();
                    }
                    self.sets.push((field, set.clone()));
                }
            },
        }
    }

    fn has_set(&self, field: Field) -> bool {
        self.sets.iter().any(|(other, _)| *other == field)
    }

    /// The interval that stands inline for a field, if it is not full.
    fn inline(&self, field: Field) -> Option<(u128, u128)> {
        let (first, last, max): (u16, u16, u16) = match field {
            Field::Protocol => (self.rule.protocol.0.into(), self.rule.protocol.1.into(), u8::MAX.into()),
            Field::SourcePort => (self.rule.source_port.0, self.rule.source_port.1, u16::MAX),
            Field::DestinationPort => (self.rule.destination_port.0, self.rule.destination_port.1, u16::MAX),
            Field::Source
            | Field::Destination
            | Field::Input
            | Field::Output
            | Field::State
            | Field::TcpFlags
            | Field::LaterFragment => return None,
        };
        ((first, last) != (0, max)).then_some((first.into(), last.into()))
    }

    /// Only packets of `family` whose address `field` ([`Field::Source`] or [`Field::Destination`]) is in `set`.
    pub fn addresses(&mut self, field: Field, family: Family, set: &Set) {
        self.families_only(Families::only(family));
        match (family, field, set.ranges().single()) {
            (Family::Ipv4, Field::Source, Some((a, b))) => self.ipv4_source(clamp(a), clamp(b)),
            (Family::Ipv4, Field::Destination, Some((a, b))) => self.ipv4_destination(clamp(a), clamp(b)),
            (Family::Ipv6, Field::Source, Some((a, b))) if !self.has_set(field) => self.ipv6_source(a, b),
            (Family::Ipv6, Field::Destination, Some((a, b))) if !self.has_set(field) => self.ipv6_destination(a, b),
            _ => self.restrict(field, set),
        }
    }

    /// Only where an opaque condition holds, or does not.
    pub fn require(&mut self, literal: Literal) {
        if self.literals.iter().any(|l| l.opaque == literal.opaque && l.holds != literal.holds) {
            self.never();
        } else if !self.literals.contains(&literal) {
            self.literals.push(literal);
        }
    }

    /// No packet at all: its conditions contradict one another.
    pub const fn never(&mut self) {
        self.rule.families = Families::NONE;
    }

    /// The comment that stands on it.
    pub const fn comment(&mut self, comment: Symbol) {
        self.comment = Some(comment);
    }
}

fn narrow<T: Copy + Ord>(range: &mut (T, T), first: T, last: T, families: &mut Families) {
    *range = (range.0.max(first), range.1.min(last));
    if range.0 > range.1 {
        *families = Families::NONE;
    }
}

pub(super) fn clamp<T: TryFrom<u128> + Max>(value: u128) -> T {
    T::try_from(value).unwrap_or(T::MAX)
}

pub(super) trait Max {
    const MAX: Self;
}
impl Max for u8 {
    const MAX: Self = Self::MAX;
}
impl Max for u16 {
    const MAX: Self = Self::MAX;
}
impl Max for u32 {
    const MAX: Self = Self::MAX;
}
