//! One packet as text and back.

use super::interfaces::show_interface;
use super::parse::read;
use super::show::show_flags;
use super::{FlowError, Naming, is_icmp, show_protocol};
use crate::net::region::has_ports;
use crate::net::{Family, Field, Interface, Packet, Region, Set, State, format_address};
use std::fmt::Write as _;

/// A packet in the notation of flows. What [`parse_packet`] would fill in by itself is written all the same, but for
/// the interfaces that it has none of and the usual TCP flags.
#[must_use]
pub fn show_packet(packet: &Packet) -> String {
    let get = |field| packet.get(field);
    let protocol = get(Field::Protocol);
    let endpoint = |address, port| {
        let text = format_address(packet.family, get(address));
        let shown = get(port) != 0 || has_ports(protocol);
        match (shown && !(is_icmp(protocol) && port == Field::DestinationPort), packet.family) {
            (false, Family::Ipv4 | Family::Ipv6) => text,
            (true, Family::Ipv4) => format!("{text}:{}", get(port)),
            (true, Family::Ipv6) => format!("[{text}]:{}", get(port)),
        }
    };
    let number = u8::try_from(protocol).expect("protocols have 8 bits");
    let (source, destination) =
        (endpoint(Field::Source, Field::SourcePort), endpoint(Field::Destination, Field::DestinationPort));
    let mut out = format!("{} {source} -> {destination}", show_protocol(number));
    if is_icmp(protocol) {
        let kind = get(Field::DestinationPort);
        write!(out, " type {}/{}", kind >> 8, kind & 0xff).expect("writing to a String");
    }
    let state = State::ALL.into_iter().find(|state| state.value() == get(Field::State));
    out.extend([" ", state.map_or("new", State::name)]);
    for (word, field) in [(" in ", Field::Input), (" out ", Field::Output)] {
        if get(field) != Interface::NONE.0 {
            out.extend([word, &show_interface(get(field))]);
        }
    }
    let flags = get(Field::TcpFlags);
    if flags != usual_flags(protocol, get(Field::State)) {
        out.extend([" flags ", &show_flags(u8::try_from(flags).expect("the flags have 8 bits"))]);
    }
    if get(Field::LaterFragment) != 0 {
        out.push_str(" later-fragment");
    }
    out
}

/// A packet as somebody typed it: what was not said has a usual value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TypedPacket {
    packet: Packet,
    given: Vec<Field>,
}

impl TypedPacket {
    /// The packet with the usual values for what was not said, no interfaces among them.
    #[must_use]
    pub const fn packet(&self) -> Packet {
        self.packet
    }

    /// Whether the text said what the field is.
    #[must_use]
    pub fn says(&self, field: Field) -> bool {
        self.given.contains(&field)
    }

    /// The packet as one that can come to a filter with that domain: where it was not said what a field is and the
    /// usual value cannot occur there (no interface in a forwarding hook), a likely one that can. `None`: what was
    /// said cannot occur there.
    #[must_use]
    pub fn within(&self, domain: &[Region]) -> Option<Packet> {
        let fitting = domain.iter().filter(|region| region.family() == self.packet.family);
        fitting.filter_map(|region| self.fit(region)).next()
    }

    fn fit(&self, region: &Region) -> Option<Packet> {
        let mut packet = self.packet;
        for (field, set) in region.sets() {
            let field = *field;
            if set.contains(packet.get(field)) {
                continue;
            }
            if self.says(field) {
                return None;
            }
            let value = match field {
                Field::Input => Interface::likely(set).map(|i| i.0).or(set.first()),
                Field::Output => {
                    let others = set.difference(&Set::point(packet.get(Field::Input)));
                    Interface::likely(&others).or_else(|| Interface::likely(set)).map(|i| i.0).or(set.first())
                }
                Field::Source
                | Field::Destination
                | Field::Protocol
                | Field::SourcePort
                | Field::DestinationPort
                | Field::State
                | Field::TcpFlags
                | Field::LaterFragment => set.first(),
            };
            packet = packet.with(field, value?);
        }
        Some(packet)
    }
}

/// Reads a packet. Protocol, both addresses and, for protocols that have ports, the destination port must be said.
/// The rest may be left out: the source port is 40000 then, the ICMP type an echo request, the state `new`, the TCP
/// flags `syn` (`ack` where the state is `established` or `invalid`), there are no interfaces and it is not a later
/// fragment. The ports of a later fragment cannot be seen and are 0.
///
/// # Errors
/// Where the text is not in the notation of flows, leaves out too much, or means more than one packet.
pub fn parse_packet(text: &str, names: &dyn Naming) -> Result<TypedPacket, FlowError> {
    let error =
        |message: &str, help: &str| FlowError { message: message.to_owned(), at: 0..text.len(), help: help.to_owned() };
    let example = "a packet is written like `tcp 10.0.0.1 -> 10.0.0.2:22` or `icmp 10.0.0.1 -> 10.0.0.2 type 8/0 new`";
    let parsed = read(text, names)?;
    let source = parsed.source.one().ok_or_else(|| error("a packet has one source address", example))?;
    let destination = parsed.destination.one().ok_or_else(|| error("a packet has one destination address", example))?;
    if source.0 != destination.0 {
        return Err(error("source and destination are not of the same family", "give both as IPv4 or both as IPv6"));
    }
    let mut packet = Packet::new(source.0).with(Field::Source, source.1).with(Field::Destination, destination.1);
    let mut given = vec![Field::Source, Field::Destination];
    for (field, set) in &parsed.sets {
        match set.ranges().single() {
            Some((first, last)) if first == last => packet = packet.with(*field, first),
            _ => return Err(error(&format!("a packet has one {}", word(*field)), example)),
        }
        given.push(*field);
    }
    let protocol = packet.get(Field::Protocol);
    let usual = |packet: &Packet, field| match field {
        Field::SourcePort if has_ports(protocol) && packet.get(Field::LaterFragment) == 0 => Ok(40000),
        Field::DestinationPort if has_ports(protocol) && packet.get(Field::LaterFragment) == 0 => {
            Err(error("the destination port is missing", example))
        }
        Field::DestinationPort if protocol == 1 => Ok(8 << 8),
        Field::DestinationPort if protocol == 58 => Ok(128 << 8),
        Field::TcpFlags => Ok(usual_flags(protocol, packet.get(Field::State))),
        Field::State => Ok(State::New.value()),
        Field::Protocol => Err(error("a packet has one protocol", example)),
        Field::Source
        | Field::Destination
        | Field::SourcePort
        | Field::DestinationPort
        | Field::Input
        | Field::Output
        | Field::LaterFragment => Ok(0),
    };
    for field in Field::ALL.into_iter().filter(|field| !given.contains(field)) {
        packet = packet.with(field, usual(&packet, field)?);
    }
    Ok(TypedPacket { packet, given })
}

/// The flags that a packet of that protocol and state usually has.
fn usual_flags(protocol: u128, state: u128) -> u128 {
    const SYN: u128 = 0x02;
    const ACK: u128 = 0x10;
    if protocol != 6 {
        0
    } else if state == State::Established.value() || state == State::Invalid.value() {
        ACK
    } else {
        SYN
    }
}

const fn word(field: Field) -> &'static str {
    match field {
        Field::Source => "source address",
        Field::Destination => "destination address",
        Field::Protocol => "protocol",
        Field::SourcePort => "source port",
        Field::DestinationPort => "destination port, or ICMP type and code",
        Field::Input => "incoming interface",
        Field::Output => "outgoing interface",
        Field::State => "state",
        Field::TcpFlags => "set of TCP flags: name those that are set",
        Field::LaterFragment => "place in its datagram",
    }
}
