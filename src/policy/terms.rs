//! Sets of addresses and of services, as settings write them: a defined name, a literal, a list of them, or `any`.

use super::feed::{self, FeedDoubt, FeedKeys, Selected};
use super::node::{Kind, Node};
use super::reader::{Read, Reader};
use super::services::{self, WELL_KNOWN};
use crate::net::{Family, Field, FlowError, Region, Set, State, parse_addresses, parse_flow};
use crate::text::Span;
use std::collections::{BTreeMap, BTreeSet};

/// A set of addresses of both families.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Networks {
    /// As the policy writes it.
    pub text: String,
    /// Where.
    pub span: Span,
    ipv4: Set,
    ipv6: Set,
    feeds: Vec<Selected>,
    /// Why it is not known what they are.
    doubts: Vec<FeedDoubt>,
}

impl Networks {
    /// The addresses of one family that are in force: those of feeds as base has them.
    #[must_use]
    pub const fn addresses(&self, family: Family) -> &Set {
        match family {
            Family::Ipv4 => &self.ipv4,
            Family::Ipv6 => &self.ipv6,
        }
    }

    /// Whether it is every address.
    #[must_use]
    pub fn is_any(&self) -> bool {
        Family::ALL.iter().all(|family| *self.addresses(*family) == Field::Source.all(*family))
    }

    /// The addresses of one family as head has them, which differ where feeds do.
    #[must_use]
    pub fn proposed(&self, family: Family) -> Set {
        let feeds = self.feeds.iter().map(|feed| feed::of_family(&feed.head, family));
        feeds.fold(self.addresses(family).clone(), |all, feed| all.union(&feed))
    }

    /// The prefixes that base's feeds publish.
    pub fn in_force(&self) -> impl Iterator<Item = (Family, u128, u128)> {
        self.feeds.iter().flat_map(|feed| feed.base.iter().copied())
    }

    /// The prefixes that head's feeds publish.
    pub fn published(&self) -> impl Iterator<Item = (Family, u128, u128)> {
        self.feeds.iter().flat_map(|feed| feed.head.iter().copied())
    }

    /// What configurations call a feed of head that they look up themselves, with its prefixes of one family and how many
    /// those are.
    pub fn looked_up(&self, family: Family) -> impl Iterator<Item = (&str, Set, usize)> {
        self.feeds.iter().filter(|feed| !feed.known_as.is_empty()).flat_map(move |feed| {
            let set = feed::of_family(&feed.head, family);
            let count = feed.head.iter().filter(|(of, ..)| *of == family).collect::<BTreeSet<_>>().len();
            feed.known_as.iter().map(move |name| (name.as_str(), set.clone(), count))
        })
    }

    /// Why it is not known what they are, if it is not.
    #[must_use]
    pub fn doubts(&self) -> &[FeedDoubt] {
        &self.doubts
    }

    fn add(&mut self, family: Family, set: &Set) {
        match family {
            Family::Ipv4 => self.ipv4 = self.ipv4.union(set),
            Family::Ipv6 => self.ipv6 = self.ipv6.union(set),
        }
    }
}

impl Read for Networks {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let (ipv4, ipv6) = (Set::empty(), Set::empty());
        let mut out = Self { text: node.show(), span: node.span, ipv4, ipv6, feeds: Vec::new(), doubts: Vec::new() };
        each(node, reader, |item, reader| {
            if let Kind::Map(_) = item.kind {
                let keys = FeedKeys::read(item, reader)?;
                match reader.names.feeds.select(&keys, item.span, reader)? {
                    Ok(selected) => {
                        for family in Family::ALL {
                            out.add(family, &feed::of_family(&selected.base, family));
                        }
                        out.feeds.push(selected);
                    }
                    Err(doubt) => out.doubts.push(doubt),
                }
                return Some(());
            }
            let text = reader.text(item, "a network")?;
            if text == "any" {
                for family in Family::ALL {
                    out.add(family, &Field::Source.all(family));
                }
            } else if let Some((family, set)) = parse_addresses(text) {
                if text.contains('/') && !has_no_host_bits(text, &set) {
                    let help = "write the first address of the prefix, or the single address without a length";
                    reader.refuse(item.span, format!("`{text}` has bits behind the prefix length"), help);
                    return None;
                }
                out.add(family, &set);
            } else if let Some(networks) = reader.names.find_network(text) {
                for family in Family::ALL {
                    out.add(family, networks.addresses(family));
                }
                out.feeds.extend(networks.feeds.iter().cloned());
                out.doubts.extend(networks.doubts.iter().cloned());
            } else {
                let mut known = reader.names.networks();
                known.push("any");
                reader.unknown("network", text, &known, item.span);
                return None;
            }
            Some(())
        })?;
        reader.doubts.extend(out.doubts.iter().cloned());
        Some(out)
    }
}

/// Whether the address of a prefix is its first one.
fn has_no_host_bits(text: &str, set: &Set) -> bool {
    let address = text.split('/').next().and_then(crate::net::parse_address);
    address.is_some_and(|(_, address)| set.first() == Some(address))
}

/// A set of services: protocols, each with destination ports (for ICMP: `type << 8 | code`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Services {
    /// As the policy writes it.
    pub text: String,
    /// Where.
    pub span: Span,
    /// `None`: every protocol, with or without ports.
    by_protocol: Option<BTreeMap<u8, Set>>,
}

impl Services {
    /// The protocols; none if the set is `any`.
    pub fn protocols(&self) -> impl Iterator<Item = u8> {
        self.by_protocol.iter().flat_map(|map| map.keys().copied())
    }

    /// The ports of a protocol.
    #[must_use]
    pub fn ports(&self, protocol: u8) -> Option<&Set> {
        self.by_protocol.as_ref()?.get(&protocol)
    }

    /// The packets of a family to these services.
    #[must_use]
    pub fn regions(&self, family: Family) -> Vec<Region> {
        let Some(map) = &self.by_protocol else { return vec![Region::all(family)] };
        // Protocols with the same ports make one region.
        let mut by_ports: BTreeMap<&Set, Set> = BTreeMap::new();
        for (protocol, ports) in map.iter().filter(|(protocol, _)| exists(**protocol, family)) {
            let protocols = by_ports.entry(ports).or_default();
            *protocols = protocols.union(&Set::point((*protocol).into()));
        }
        by_ports
            .into_iter()
            .map(|(ports, protocols)| {
                Region::all(family).with(Field::Protocol, &protocols).with(Field::DestinationPort, ports)
            })
            .collect()
    }
}

/// ICMP is spoken over IPv4 and ICMPv6 over IPv6 only.
const fn exists(protocol: u8, family: Family) -> bool {
    match family {
        Family::Ipv4 => protocol != 58,
        Family::Ipv6 => protocol != 1,
    }
}

impl Read for Services {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let mut any = false;
        let mut by_protocol: BTreeMap<u8, Set> = BTreeMap::new();
        let mut add = |protocol, ports: &Set| {
            let set = by_protocol.entry(protocol).or_default();
            *set = set.union(ports);
        };
        each(node, reader, |item, reader| {
            let text = reader.text(item, "a service")?;
            if text == "any" {
                any = true;
            } else if let Some(services) = reader.names.find_service(text) {
                match &services.by_protocol {
                    None => any = true,
                    Some(map) => map.iter().for_each(|(protocol, ports)| add(*protocol, ports)),
                }
            } else if let Some(known) = services::well_known(text) {
                known.iter().for_each(|(protocol, first, last)| {
                    add(*protocol, &Set::range((*first).into(), (*last).into()));
                });
            } else {
                match services::literal(text) {
                    Ok(Some((protocol, ports))) => add(protocol, &ports),
                    Ok(None) => {
                        let mut known = reader.names.services();
                        known.extend(WELL_KNOWN.iter().map(|(name, _)| *name));
                        known.push("any");
                        reader.unknown("service", text, &known, item.span);
                        return None;
                    }
                    Err(message) => {
                        let help = "write `tcp/443`, `tcp/8000-8099`, `udp/53`, `tcp`, `icmp` or `icmp/8`";
                        reader.refuse(item.span, message, help);
                        return None;
                    }
                }
            }
            Some(())
        })?;
        Some(Self { text: node.show(), span: node.span, by_protocol: (!any).then_some(by_protocol) })
    }
}

/// Does it for the value itself, or for each value of a list that is not empty; `None` if one could not be done.
fn each(
    node: &Node,
    reader: &mut Reader<'_>,
    mut take: impl FnMut(&Node, &mut Reader<'_>) -> Option<()>,
) -> Option<()> {
    match &node.kind {
        Kind::List(items) if items.is_empty() => {
            reader.refuse(node.span, "the list is empty", "write `any`, or what is meant");
            None
        }
        Kind::List(items) => {
            let taken: Vec<_> = items.iter().map(|item| take(item, reader)).collect();
            taken.into_iter().collect()
        }
        Kind::Scalar { .. } | Kind::Map(_) => take(node, reader),
    }
}

/// The packets that a setting is about: from somewhere, to somewhere, to services.
#[derive(Debug, Clone, Copy)]
pub struct Flows<'p> {
    /// Where from; `None`: anywhere.
    pub from: Option<&'p Networks>,
    /// Where to; `None`: anywhere.
    pub to: Option<&'p Networks>,
    /// The services; `None`: any.
    pub services: Option<&'p Services>,
}

impl Flows<'_> {
    /// As boxes, in both families.
    #[must_use]
    pub fn regions(&self) -> Vec<Region> {
        let mut out = Vec::new();
        for family in Family::ALL {
            let boxes = self.services.map_or_else(|| vec![Region::all(family)], |services| services.regions(family));
            for mut region in boxes {
                for (field, networks) in [(Field::Source, self.from), (Field::Destination, self.to)] {
                    if let Some(networks) = networks {
                        region.restrict(field, networks.addresses(family));
                    }
                }
                if !region.is_empty() {
                    out.push(region);
                }
            }
        }
        out
    }

    /// What comes back on connections of these flows.
    #[must_use]
    pub fn replies(&self) -> Vec<Region> {
        let turned = |region: &Region| {
            let mut back = Region::all(region.family());
            for (field, set) in region.sets() {
                match field {
                    Field::Source => back.restrict(Field::Destination, set),
                    Field::Destination => back.restrict(Field::Source, set),
                    Field::SourcePort => back.restrict(Field::DestinationPort, set),
                    // ICMP has no ports: an answer has another type, and the state says that it is one.
                    Field::DestinationPort if has_ports(region) => back.restrict(Field::SourcePort, set),
                    Field::DestinationPort | Field::State | Field::TcpFlags => {}
                    Field::Input => back.restrict(Field::Output, set),
                    Field::Output => back.restrict(Field::Input, set),
                    Field::Protocol | Field::LaterFragment => back.restrict(*field, set),
                }
            }
            back.with(Field::State, &Set::point(State::Established.value()))
        };
        self.regions().iter().map(turned).collect()
    }
}

/// Whether every protocol of a region has ports.
fn has_ports(region: &Region) -> bool {
    let ports = Set::from_iter([6, 17, 33, 132, 136]);
    region.get(Field::Protocol).is_some_and(|protocols| ports.includes(protocols))
}

/// Packets as a flow writes them: `tcp office -> 10.0.0.0/8:22`.
#[derive(Debug, Clone)]
pub struct Flow {
    /// As it is written.
    pub text: String,
    /// Where.
    pub span: Span,
    /// The packets.
    pub regions: Vec<Region>,
}

impl Read for Flow {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let text = reader.text(node, "a flow")?;
        match parse_flow(text, reader.names) {
            Ok(regions) => {
                reader.doubts.extend(reader.names.doubts_in(text));
                Some(Self { text: text.to_owned(), span: node.span, regions })
            }
            Err(FlowError { message, at: _, help }) => {
                reader.refuse(node.span, message, help);
                None
            }
        }
    }
}

/// Networks and flows that are excepted from something.
#[derive(Debug, Clone)]
pub struct Exceptions(Vec<Region>);

impl Exceptions {
    /// What is left of the regions without the exceptions. A network is excepted as a source.
    #[must_use]
    pub fn taken_from(&self, regions: Vec<Region>) -> Vec<Region> {
        self.0.iter().fold(regions, |left, hole| left.iter().flat_map(|region| region.minus(hole)).collect())
    }
}

impl Read for Exceptions {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let mut out = Vec::new();
        each(node, reader, |item, reader| {
            match &item.kind {
                Kind::Scalar { text, .. } if text.contains("->") => out.extend(Flow::read(item, reader)?.regions),
                Kind::Scalar { .. } | Kind::List(_) | Kind::Map(_) => {
                    let networks = Networks::read(item, reader)?;
                    out.extend(Flows { from: Some(&networks), to: None, services: None }.regions());
                }
            }
            Some(())
        })?;
        Some(Self(out))
    }
}
