use super::rule::{Families, RuleId};
use super::store::Store;
use crate::net::{Family, Field, Ranges, Region, Set, State};

/// A region prepared for asking many rules whether they can match a packet of it.
#[derive(Debug, Clone)]
pub struct Probe {
    region: Region,
    family: Families,
    /// The hulls of what the region allows, for the fields that stand inline in a rule.
    source: (u32, u32),
    destination: (u32, u32),
    source_port: (u16, u16),
    destination_port: (u16, u16),
    protocol: (u8, u8),
    states: u8,
    /// Whether the hulls say all about the inline fields.
    convex: bool,
}

impl Probe {
    /// Prepares a region.
    #[must_use]
    pub fn new(region: &Region) -> Self {
        let family = region.family();
        let hull = |field: Field| match region.get(field).map(Set::ranges) {
            Some(ranges) => ranges.hull().unwrap_or((1, 0)),
            None => (0, field.max(family)),
        };
        let convex = |field: Field| region.get(field).is_none_or(|set| set.ranges().len() < 2);
        let inline = [Field::Source, Field::Destination, Field::SourcePort, Field::DestinationPort, Field::Protocol];
        let address = |field| if family == Family::Ipv4 { cast(hull(field)) } else { (0, u32::MAX) };
        let states =
            State::ALL.into_iter().filter(|s| region.get(Field::State).is_none_or(|set| set.contains(s.value())));
        Self {
            family: Families::only(family),
            source: address(Field::Source),
            destination: address(Field::Destination),
            source_port: cast(hull(Field::SourcePort)),
            destination_port: cast(hull(Field::DestinationPort)),
            protocol: cast(hull(Field::Protocol)),
            states: states.fold(0, |mask, s| mask | 1 << s as u8),
            convex: inline.into_iter().all(convex),
            region: region.clone(),
        }
    }

    /// The region.
    #[must_use]
    pub const fn region(&self) -> &Region {
        &self.region
    }
}

/// The fields of plain boxes.
pub const PLAIN: [Field; 5] =
    [Field::Source, Field::Destination, Field::Protocol, Field::SourcePort, Field::DestinationPort];

/// A closed range of each field of [`PLAIN`].
pub type PlainBox = [(u32, u32); PLAIN.len()];

impl Store {
    /// The rule as one box of plain values for packets of `family`, if that is all it asks for: closed ranges of the
    /// fields of [`PLAIN`]. `None` for rules that ask for more, and for IPv6.
    #[must_use]
    pub fn plain(&self, id: RuleId, family: Family) -> Option<PlainBox> {
        let plain = family == Family::Ipv4 && self.get(id).families.contains(family);
        let (hull, exact) = self.plain_hull(id);
        (plain && exact).then_some(hull)
    }

    /// A box of plain values that holds all IPv4 packets which a rule matches, and whether it matches all of those.
    #[must_use]
    pub fn plain_hull(&self, id: RuleId) -> (PlainBox, bool) {
        let rule = self.get(id);
        let exact = rule.extra == 0 && rule.states + 1 == 1 << State::ALL.len();
        let port = |(first, last): (u16, u16)| (first.into(), last.into());
        let protocol = (rule.protocol.0.into(), rule.protocol.1.into());
        ([rule.source, rule.destination, protocol, port(rule.source_port), port(rule.destination_port)], exact)
    }

    /// Whether the sets of a rule leave a packet of the region; opaque conditions aside.
    #[must_use]
    pub fn overlaps(&self, id: RuleId, probe: &Probe) -> bool {
        let rule = self.get(id);
        if !meet(rule.destination, probe.destination)
            || !meet(rule.source, probe.source)
            || !meet(rule.destination_port, probe.destination_port)
            || !meet(rule.protocol, probe.protocol)
            || !meet(rule.source_port, probe.source_port)
            || rule.states & probe.states == 0
            || rule.families.and(probe.family) == Families::NONE
        {
            return false;
        }
        let plain = rule.extra == 0;
        plain && probe.convex || self.overlaps_field_by_field(id, probe)
    }

    /// Whether a rule matches every packet of the region: a sufficient test, cheap and without its rarer conditions.
    #[must_use]
    pub fn covers(&self, id: RuleId, probe: &Probe) -> bool {
        let rule = self.get(id);
        includes(rule.destination, probe.destination)
            && includes(rule.source, probe.source)
            && includes(rule.destination_port, probe.destination_port)
            && includes(rule.protocol, probe.protocol)
            && includes(rule.source_port, probe.source_port)
            && rule.states & probe.states == probe.states
            && rule.families.and(probe.family) == probe.family
            && rule.extra == 0
    }

    fn overlaps_field_by_field(&self, id: RuleId, probe: &Probe) -> bool {
        self.ranges(id, probe.region.family()).all(|(field, ranges)| {
            let Some(set) = probe.region.get(field) else { return true };
            if let Ranges::One(first, last) = ranges {
                let n = set.ranges().partition_point(|(_, end)| end < first);
                return set.ranges().get(n).is_some_and(|(start, _)| start <= last);
            }
            let (few, many) =
                if set.ranges().len() < ranges.len() { (set.ranges(), ranges) } else { (ranges, set.ranges()) };
            let mut rest = many;
            few.iter().any(|(first, last)| {
                // Near ones are found at once, far ones in a large set without looking at all between.
                let near = rest.iter().take(8).position(|(_, end)| end >= first);
                let next = near.unwrap_or_else(|| rest.partition_point(|(_, end)| end < first));
                rest = rest.slice(next, rest.len());
                rest.first().is_some_and(|(start, _)| start <= last)
            })
        })
    }
}

/// Whether two closed ranges share a value.
pub(super) fn meet<T: PartialOrd>(a: (T, T), b: (T, T)) -> bool {
    a.0 <= b.1 && b.0 <= a.1
}

fn includes<T: PartialOrd>(outer: (T, T), inner: (T, T)) -> bool {
    outer.0 <= inner.0 && inner.1 <= outer.1
}

fn cast<T: TryFrom<u128> + super::rule::Max>((first, last): (u128, u128)) -> (T, T) {
    (super::rule::clamp(first), super::rule::clamp(last))
}
