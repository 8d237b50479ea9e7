use super::{Family, Field, Interface, Packet, Set, State};

/// A product of sets, one for each field: a box in the space of packets of one family. Fields that are not
/// named may have any value.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Region {
    family: Family,
    /// Sorted by field; no set is full.
    sets: Vec<(Field, Set)>,
}

impl Region {
    /// Every packet of a family.
    #[must_use]
    pub const fn all(family: Family) -> Self {
        Self { family, sets: Vec::new() }
    }

    /// The family of the packets.
    #[must_use]
    pub const fn family(&self) -> Family {
        self.family
    }

    /// The fields that are constrained, each with the values it may have.
    #[must_use]
    pub fn sets(&self) -> &[(Field, Set)] {
        &self.sets
    }

    /// The values a field may have; `None`: any.
    #[must_use]
    pub fn get(&self, field: Field) -> Option<&Set> {
        self.sets.iter().find(|(f, _)| *f == field).map(|(_, set)| set)
    }

    /// The part in which `field` is in `set`.
    #[must_use]
    pub fn with(mut self, field: Field, set: &Set) -> Self {
        self.restrict(field, set);
        self
    }

    /// Keeps the part in which `field` is in `set`.
    pub fn restrict(&mut self, field: Field, set: &Set) {
        let max = field.max(self.family);
        match (set.ranges(), self.sets.binary_search_by_key(&field, |(f, _)| *f)) {
            (ranges, _) if ranges.single() == Some((0, max)) => {}
            (_, Ok(n)) => self.sets[n].1 = self.sets[n].1.intersection(set),
            (ranges, Err(n)) if ranges.last().is_some_and(|(_, last)| last > max) => {
                self.sets.insert(n, (field, set.intersection(&field.all(self.family))));
            }
            (_, Err(n)) => self.sets.insert(n, (field, set.clone())),
        }
    }

    /// The region with `set`, some of the values that it allows, for `field`.
    pub fn narrow_to(&mut self, field: Field, set: &Set) {
        match self.sets.binary_search_by_key(&field, |(f, _)| *f) {
            Ok(n) => self.sets[n].1 = set.clone(),
            Err(_) => self.restrict(field, set),
        }
    }

    /// The same region without a demand on `field`.
    #[must_use]
    pub fn without(mut self, field: Field) -> Self {
        self.sets.retain(|(f, _)| *f != field);
        self
    }

    /// A region that has the same packets as this one among those of `known`, and says as little as possible: what
    /// is true of all of those need not be said.
    #[must_use]
    pub fn beside(&self, known: &Self) -> Self {
        let mut sets = Vec::with_capacity(self.sets.len());
        for (field, set) in &self.sets {
            let max = Field::max(*field, self.family);
            let ranges = |set: &Set| set.ranges().len().min(set.complement(max).ranges().len());
            let others = known.get(*field).map(|all| all.complement(max)).unwrap_or_default();
            // What does not touch the set cannot make it simpler.
            let touches = |(first, last): (u128, u128)| {
                let next = set.ranges().partition_point(|(_, end)| end < first.saturating_sub(1));
                set.ranges().get(next).is_some_and(|(start, _)| start <= last.saturating_add(1))
            };
            if !others.ranges().iter().any(touches) {
                sets.push((*field, set.clone()));
                continue;
            }
            let wider = set.union(&others);
            match ranges(&wider) {
                _ if wider == field.all(self.family) => {}
                fewer if fewer < ranges(set) => sets.push((*field, wider)),
                _ => sets.push((*field, set.clone())),
            }
        }
        Self { family: self.family, sets }
    }

    /// Whether no packet is in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sets.iter().any(|(_, set)| set.is_empty())
    }

    /// Whether the packet is in it.
    #[must_use]
    pub fn contains(&self, packet: &Packet) -> bool {
        packet.family == self.family && self.sets.iter().all(|(field, set)| set.contains(packet.get(*field)))
    }

    /// The packets in both; `None` if there are none.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Option<Self> {
        if self.family != other.family {
            return None;
        }
        let mut out = self.clone();
        for (field, set) in &other.sets {
            out.restrict(*field, set);
        }
        (!out.is_empty()).then_some(out)
    }

    /// The packets of it that are not in `hole`, as boxes that have no packet in common.
    #[must_use]
    pub fn minus(&self, hole: &Self) -> Vec<Self> {
        if self.intersection(hole).is_none() {
            return vec![self.clone()];
        }
        let mut rest = self.clone();
        let mut out = Vec::new();
        for (field, set) in &hole.sets {
            let outside = rest.clone().with(*field, &set.complement(Field::max(*field, rest.family)));
            if !outside.is_empty() {
                out.push(outside);
            }
            rest.restrict(*field, set);
        }
        out
    }

    /// Whether every packet of `other` is in it.
    #[must_use]
    pub fn includes(&self, other: &Self) -> bool {
        self.family == other.family
            && self.sets.iter().all(|(field, set)| other.get(*field).is_some_and(|theirs| set.includes(theirs)))
    }

    /// A packet of the region that could be seen on a wire, `None` if the region is empty.
    ///
    /// Preferred: a new connection, a SYN, tcp before udp before icmp, documentation or private addresses,
    /// an unprivileged source port; fields that do not exist in the chosen protocol stay 0 where they may.
    #[must_use]
    pub fn witness(&self) -> Option<Packet> {
        let mut packet = Packet::new(self.family);
        for field in Field::ALL {
            let all = field.all(self.family);
            let set = self.get(field).unwrap_or(&all);
            let protocol = packet.get(Field::Protocol);
            let value = match field {
                Field::Source => address(set, self.family, 0),
                Field::Destination => address(set, self.family, 1),
                Field::Protocol => prefer(set, self.protocols()),
                Field::SourcePort => prefer(set, if has_ports(protocol) { &[1024, 40000][..] } else { &[0] }),
                Field::DestinationPort => prefer(set, self.destination_ports(protocol)),
                Field::Input => Interface::likely(set).map(|i| i.0).or(set.first()),
                Field::Output => {
                    let others = set.difference(&Set::point(packet.get(Field::Input)));
                    Interface::likely(&others).or_else(|| Interface::likely(set)).map(|i| i.0).or(set.first())
                }
                Field::State => prefer(set, &[State::New.value(), State::Untracked.value()]),
                Field::TcpFlags => prefer(set, if protocol == 6 { Self::flags(&packet) } else { &[0] }),
                Field::LaterFragment => prefer(set, &[0]),
            };
            packet = packet.with(field, value?);
        }
        Some(packet)
    }

    /// Protocols to prefer: one that makes sense of the ports and flags which the region asks for.
    fn protocols(&self) -> &'static [u128] {
        let asks = |field| self.get(field).is_some_and(|set| !set.contains(0));
        match (asks(Field::TcpFlags) || asks(Field::SourcePort), self.family) {
            (true, Family::Ipv4 | Family::Ipv6) => &[6, 17],
            (false, Family::Ipv4) => &[6, 17, 1],
            (false, Family::Ipv6) => &[6, 17, 58],
        }
    }

    /// A SYN where a connection may begin, else an ACK.
    const fn flags(packet: &Packet) -> &'static [u128] {
        if packet.get(Field::State) == State::Established.value() { &[16, 24, 2] } else { &[2, 16, 18] }
    }

    fn destination_ports(&self, protocol: u128) -> &'static [u128] {
        match (protocol, self.family) {
            (1, _) => &[8 << 8, 0],
            (58, _) => &[128 << 8, 0],
            (protocol, _) if has_ports(protocol) => &[443, 80, 22, 53, 1024],
            (_, Family::Ipv4 | Family::Ipv6) => &[0],
        }
    }
}

/// Whether a protocol's header begins with a source and a destination port: tcp, udp, dccp, sctp, udplite.
pub(super) const fn has_ports(protocol: u128) -> bool {
    matches!(protocol, 6 | 17 | 33 | 132 | 136)
}

fn prefer(set: &Set, wanted: &[u128]) -> Option<u128> {
    wanted.iter().copied().find(|value| set.contains(*value)).or_else(|| set.first())
}

/// An address of the set: documentation ranges (RFC 5737, RFC 3849), then private ones, then the first
/// host-like address of the set.
fn address(set: &Set, family: Family, end: u128) -> Option<u128> {
    let usual: &[u128] = match family {
        Family::Ipv4 => &[0xc000_0201, 0xc633_6401, 0xcb00_7101, 0x0a00_0001, 0xc0a8_0001, 0xac10_0001],
        Family::Ipv6 => &[0x2001_0db8 << 96 | 1, 0xfd00 << 112 | 1],
    };
    let near = |(first, last): (u128, u128)| if first < last { first + 1 + end.min(last - first - 1) } else { first };
    let found = usual.iter().map(|a| a + end).find(|a| set.contains(*a));
    found.or_else(|| set.ranges().first().map(near))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_witness_is_in_its_region() {
        let region = Region::all(Family::Ipv4)
            .with(Field::Protocol, &Set::range(1, 17))
            .with(Field::DestinationPort, &Set::range(23, 8080))
            .with(Field::Source, &Set::range(5, 5))
            .with(Field::Input, &Interface::with_prefix(b"br").expect("short"));
        let packet = region.witness().expect("not empty");
        assert!(region.contains(&packet), "{packet:?}");
        assert_eq!(packet.get(Field::Protocol), 6);
        assert_eq!(Region::all(Family::Ipv6).with(Field::State, &Set::empty()).witness(), None);
    }

    #[test]
    fn what_is_known_need_not_be_said() {
        let tcp = Region::all(Family::Ipv4).with(Field::Protocol, &Set::point(6));
        let known = tcp.clone().with(Field::Input, &Set::range(1, u128::MAX));
        let region = known.clone().with(Field::DestinationPort, &Set::point(22));
        assert_eq!(region.beside(&known), Region::all(Family::Ipv4).with(Field::DestinationPort, &Set::point(22)));
        assert_eq!(region.beside(&tcp).get(Field::Input), known.get(Field::Input));
        let not_lo = region.clone().with(Field::Input, &Set::point(7).complement(u128::MAX));
        assert_eq!(not_lo.beside(&known).get(Field::Input), Some(&Set::point(7).complement(u128::MAX)));
        let narrower = region.clone().with(Field::Input, &Set::point(7));
        assert_eq!(narrower.beside(&known).get(Field::Input), Some(&Set::point(7)));
    }

    #[test]
    fn regions_intersect_and_include_field_by_field() {
        let a = Region::all(Family::Ipv4).with(Field::Protocol, &Set::point(6));
        let b = a.clone().with(Field::DestinationPort, &Set::point(22));
        assert!(a.includes(&b) && !b.includes(&a));
        assert_eq!(a.intersection(&b), Some(b.clone()));
        assert_eq!(b.intersection(&Region::all(Family::Ipv4).with(Field::Protocol, &Set::point(17))), None);
        assert_eq!(a.intersection(&Region::all(Family::Ipv6)), None);
    }
}
