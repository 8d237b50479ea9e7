//! A packet to be sent, as bytes for the kernel and as a point for the model.

use portcullis::net::{Family, Field, Interface, Packet, State, format_address};
use std::fmt;

/// One packet and the way it takes through the host under test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Probe {
    pub(crate) family: Family,
    pub(crate) source: u128,
    pub(crate) destination: u128,
    pub(crate) body: Body,
    pub(crate) shape: Shape,
    /// A wrong checksum makes connection tracking call it invalid.
    pub(crate) sound: bool,
    pub(crate) way: Way,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Body {
    /// A protocol with ports; the flags are of TCP only.
    Ports { protocol: u8, source: u16, destination: u16, flags: u8 },
    /// ICMP or ICMPv6, whichever the family has; an error quotes the packet it is about.
    Icmp { kind: u8, code: u8, about: Option<Box<Probe>> },
    /// Any other protocol: 16 bytes that mean nothing.
    Other(u8),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    Whole,
    FirstFragment,
    LaterFragment,
    /// IPv6: a destination options header in front; IPv4: the same as whole.
    Options,
}

/// Interfaces are indexes into the names of the world.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    Forward {
        input: usize,
        output: usize,
    },
    Input {
        input: usize,
    },
    Output {
        output: usize,
    },
    /// Out by `lo` and in again.
    Loop,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Hook {
    Prerouting,
    Input,
    Forward,
    Output,
    Postrouting,
}

impl Hook {
    pub(crate) const ALL: [Self; 5] = [Self::Prerouting, Self::Input, Self::Forward, Self::Output, Self::Postrouting];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Prerouting => "prerouting",
            Self::Input => "input",
            Self::Forward => "forward",
            Self::Output => "output",
            Self::Postrouting => "postrouting",
        }
    }
}

pub(crate) const TCP: u8 = 6;
pub(crate) const UDP: u8 = 17;
pub(crate) const DCCP: u8 = 33;
pub(crate) const SCTP: u8 = 132;
pub(crate) const UDPLITE: u8 = 136;

impl Probe {
    pub(crate) const fn protocol(&self) -> u8 {
        match (&self.body, self.family) {
            (Body::Ports { protocol, .. } | Body::Other(protocol), _) => *protocol,
            (Body::Icmp { .. }, Family::Ipv4) => 1,
            (Body::Icmp { .. }, Family::Ipv6) => 58,
        }
    }

    /// The packet as the model sees it at `hook`; `names` are the interfaces of the world.
    pub(crate) fn point(&self, hook: Hook, state: State, names: &[String]) -> Packet {
        let later = self.shape == Shape::LaterFragment;
        let (input, output) = self.interfaces(hook, names);
        let (source, destination, flags) = match self.body {
            _ if later => (0, 0, 0),
            Body::Ports { protocol, source, destination, flags } => {
                (source, destination, if protocol == TCP { flags } else { 0 })
            }
            Body::Icmp { kind, code, about: _ } => (0, u16::from_be_bytes([kind, code]), 0),
            Body::Other(_) => (0, 0, 0),
        };
        Packet::new(self.family)
            .with(Field::Source, self.source)
            .with(Field::Destination, self.destination)
            .with(Field::Protocol, self.protocol().into())
            .with(Field::SourcePort, source.into())
            .with(Field::DestinationPort, destination.into())
            .with(Field::TcpFlags, flags.into())
            .with(Field::LaterFragment, later.into())
            .with(Field::State, state.value())
            .with(Field::Input, input.0)
            .with(Field::Output, output.0)
    }

    fn interfaces(&self, hook: Hook, names: &[String]) -> (Interface, Interface) {
        let named = |name: &str| Interface::named(name.as_bytes()).expect("the kernel has it, so it is short");
        let world = |index: usize| named(&names[index]);
        let (input, output) = match self.way {
            Way::Forward { input, output } => (world(input), world(output)),
            Way::Input { input } => (world(input), Interface::NONE),
            Way::Output { output } => (Interface::NONE, world(output)),
            Way::Loop => (named("lo"), named("lo")),
        };
        match hook {
            // A multicast packet that is made here comes in again by the interface by which it left.
            Hook::Prerouting | Hook::Input if input == Interface::NONE => (output, Interface::NONE),
            Hook::Prerouting | Hook::Input => (input, Interface::NONE),
            Hook::Forward => (input, output),
            Hook::Output => (Interface::NONE, output),
            // Since Linux 5.7 forwarded packets keep their input interface here; those made here have none.
            Hook::Postrouting if self.way == Way::Loop => (Interface::NONE, output),
            Hook::Postrouting => (input, output),
        }
    }

    /// The answer to it, the other way round.
    pub(crate) fn reply(&self) -> Option<Self> {
        let body = match self.body {
            Body::Ports { protocol, source, destination, flags: _ } => {
                Body::Ports { protocol, source: destination, destination: source, flags: 0x12 }
            }
            Body::Icmp { kind, code, about: None } => match (self.family, kind) {
                (Family::Ipv4, 8) => Body::Icmp { kind: 0, code, about: None },
                (Family::Ipv6, 128) => Body::Icmp { kind: 129, code, about: None },
                _ => return None,
            },
            Body::Icmp { .. } => return None,
            Body::Other(protocol) => Body::Other(protocol),
        };
        let way = match self.way {
            Way::Forward { input, output } => Way::Forward { input: output, output: input },
            Way::Input { input } => Way::Output { output: input },
            Way::Output { output } => Way::Input { input: output },
            Way::Loop => Way::Loop,
        };
        Some(Self { source: self.destination, destination: self.source, body, way, ..self.clone() })
    }

    /// The bytes from the IP header on. `id` finds the packet again; `class` chooses its route.
    pub(crate) fn bytes(&self, id: u16, class: u8) -> Vec<u8> {
        let mut body = self.transport();
        match self.shape {
            Shape::LaterFragment => body = vec![0x5a; 16],
            Shape::FirstFragment => body.resize(body.len().div_ceil(8) * 8, 0),
            Shape::Whole | Shape::Options => {}
        }
        let mut bytes = match self.family {
            Family::Ipv4 => self.ipv4_header(body.len(), id, class),
            Family::Ipv6 => self.ipv6_header(body.len(), id, class),
        };
        bytes.extend(body);
        bytes
    }

    fn ipv4_header(&self, length: usize, id: u16, class: u8) -> Vec<u8> {
        let fragment: u16 = match self.shape {
            Shape::Whole | Shape::Options => 0,
            Shape::FirstFragment => 0x2000,
            Shape::LaterFragment => 185,
        };
        let mut bytes = vec![0x45, class];
        bytes.extend(narrow(20 + length).to_be_bytes());
        bytes.extend(id.to_be_bytes());
        bytes.extend(fragment.to_be_bytes());
        bytes.extend([64, self.protocol(), 0, 0]);
        bytes.extend(&self.source.to_be_bytes()[12..]);
        bytes.extend(&self.destination.to_be_bytes()[12..]);
        let sum = checksum(&bytes).to_be_bytes();
        bytes[10..12].copy_from_slice(&sum);
        bytes
    }

    fn ipv6_header(&self, length: usize, id: u16, class: u8) -> Vec<u8> {
        const FRAGMENT: u8 = 44;
        const OPTIONS: u8 = 60;
        let offset: u16 = match self.shape {
            Shape::LaterFragment => 185 << 3,
            Shape::FirstFragment => 1,
            Shape::Whole | Shape::Options => 0,
        };
        let (next, extra) = match self.shape {
            Shape::Whole => (self.protocol(), Vec::new()),
            Shape::FirstFragment | Shape::LaterFragment => {
                let [high, low] = offset.to_be_bytes();
                let [a, b] = id.to_be_bytes();
                (FRAGMENT, vec![self.protocol(), 0, high, low, 0, 0, a, b])
            }
            Shape::Options => (OPTIONS, vec![self.protocol(), 0, 1, 4, 0, 0, 0, 0]),
        };
        let mut bytes = flow_key(id, class).to_be_bytes().to_vec();
        bytes.extend(narrow(extra.len() + length).to_be_bytes());
        bytes.extend([next, 64]);
        bytes.extend(self.source.to_be_bytes());
        bytes.extend(self.destination.to_be_bytes());
        bytes.extend(extra);
        bytes
    }

    fn transport(&self) -> Vec<u8> {
        let protocol = self.protocol();
        let mut bytes = Vec::new();
        let at = match &self.body {
            Body::Ports { protocol, source, destination, flags } => {
                bytes.extend(source.to_be_bytes());
                bytes.extend(destination.to_be_bytes());
                match *protocol {
                    TCP => {
                        let acknowledged = if flags & 0x10 == 0 { 0 } else { 1001 };
                        bytes.extend(1000u32.to_be_bytes());
                        bytes.extend(u32::to_be_bytes(acknowledged));
                        bytes.extend([0x50, *flags, 0x20, 0, 0, 0, 0, 0]);
                        Some(16)
                    }
                    UDP | UDPLITE => {
                        bytes.extend([0, 16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
                        Some(6)
                    }
                    SCTP => {
                        // An INIT chunk with a tag of 1, a window of 65536 and one stream each way.
                        bytes.extend([0; 8]);
                        bytes.extend([1, 0, 0, 20, 0, 0, 0, 1, 0, 1, 0, 0, 0, 1, 0, 1, 0, 0, 0, 1]);
                        None
                    }
                    DCCP => {
                        // A request with the short form of sequence numbers left out.
                        bytes.extend([5, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0]);
                        Some(6)
                    }
                    other => unreachable!("protocol {other} has no ports"),
                }
            }
            Body::Icmp { kind, code, about } => {
                bytes.extend([*kind, *code, 0, 0]);
                match about {
                    Some(inner) => {
                        bytes.extend([0; 4]);
                        bytes.extend(inner.bytes(1, 0));
                    }
                    // An identifier and sequence number, the fields of a router advertisement and so on.
                    None => bytes.extend([0x12, 0x34, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
                }
                Some(2)
            }
            Body::Other(_) => {
                // What would be ports, if it had any.
                bytes.extend([0, 53, 0, 22, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
                None
            }
        };
        if protocol == SCTP {
            let sum = crc32c(&bytes).to_le_bytes();
            bytes[8..12].copy_from_slice(&sum);
        }
        if let Some(at) = at {
            let mut sum = checksum(&self.covered(protocol, &bytes));
            if sum == 0 && protocol != TCP {
                sum = 0xffff;
            }
            bytes[at..at + 2].copy_from_slice(&sum.to_be_bytes());
        }
        if !self.sound
            && let Some(byte) = bytes.last_mut()
        {
            *byte ^= 0x55;
        }
        bytes
    }

    /// What the checksum of the transport header covers: the pseudo header, except in ICMP, and the bytes.
    fn covered(&self, protocol: u8, bytes: &[u8]) -> Vec<u8> {
        let mut covered = Vec::new();
        match self.family {
            Family::Ipv4 if protocol == 1 => {}
            Family::Ipv4 => {
                covered.extend(&self.source.to_be_bytes()[12..]);
                covered.extend(&self.destination.to_be_bytes()[12..]);
            }
            Family::Ipv6 => {
                covered.extend(self.source.to_be_bytes());
                covered.extend(self.destination.to_be_bytes());
            }
        }
        if !covered.is_empty() {
            covered.extend([0, protocol]);
            covered.extend(narrow(bytes.len()).to_be_bytes());
        }
        covered.extend(bytes);
        covered
    }
}

/// The first four bytes of an IPv6 header: version, traffic class and the id as flow label.
pub(crate) fn flow_key(id: u16, class: u8) -> u32 {
    6 << 28 | u32::from(class) << 20 | u32::from(id)
}

fn checksum(bytes: &[u8]) -> u16 {
    let sum: u32 = bytes.chunks(2).map(|pair| u32::from(pair[0]) << 8 | pair.get(1).map_or(0, |b| u32::from(*b))).sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    let folded = (folded & 0xffff) + (folded >> 16);
    !u16::try_from(folded).expect("folded twice")
}

fn crc32c(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0x82f6_3b78 } else { crc >> 1 };
        }
    }
    !crc
}

fn narrow(length: usize) -> u16 {
    u16::try_from(length).expect("a probe is short")
}

impl fmt::Display for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { family, source, destination, body, shape, sound, way } = self;
        match body {
            Body::Ports { protocol, source, destination, flags } => {
                write!(f, "protocol {protocol} ports {source} -> {destination} flags {flags:#04x}")?;
            }
            Body::Icmp { kind, code, about } => {
                write!(f, "icmp type {kind} code {code}")?;
                if let Some(inner) = about {
                    write!(f, " about [{inner}]")?;
                }
            }
            Body::Other(protocol) => write!(f, "protocol {protocol}")?,
        }
        write!(f, " {} -> {}", format_address(*family, *source), format_address(*family, *destination))?;
        write!(f, " {way:?}")?;
        if *shape != Shape::Whole {
            write!(f, " {shape:?}")?;
        }
        if !sound {
            write!(f, " (bad checksum)")?;
        }
        Ok(())
    }
}
