use super::set::Set;
use std::fmt;

/// The address family of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Family {
    /// IPv4 (RFC 791).
    Ipv4,
    /// IPv6 (RFC 8200).
    Ipv6,
}

impl Family {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Ipv4, Self::Ipv6];

    /// Bits of an address.
    #[must_use]
    pub const fn bits(self) -> u32 {
        match self {
            Self::Ipv4 => 32,
            Self::Ipv6 => 128,
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ipv4 => "IPv4",
            Self::Ipv6 => "IPv6",
        })
    }
}

/// What a filter can look at in a packet and what is around it. Values are unsigned numbers from 0 to
/// [`Field::max`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Field {
    /// Source address as a number.
    Source,
    /// Destination address as a number.
    Destination,
    /// The protocol above IP (IPv6: after the extension headers), an IANA protocol number.
    Protocol,
    /// Source port of protocols that have ports; 0 otherwise.
    SourcePort,
    /// Destination port of protocols that have ports; for ICMP and ICMPv6 `type << 8 | code`; 0 otherwise.
    /// (No protocol has both, so one field serves.)
    DestinationPort,
    /// The interface by which the packet came in, [`super::Interface`]; 0 where there is none.
    Input,
    /// The interface by which it leaves; 0 where there is none.
    Output,
    /// The connection tracking state, a [`State`].
    State,
    /// The TCP flags byte (CWR ECE URG ACK PSH RST SYN FIN); 0 for other protocols.
    TcpFlags,
    /// 1 for the second and later fragments of a datagram, whose ports cannot be seen; 0 otherwise.
    LaterFragment,
}

impl Field {
    /// Every field, in the order of their numbers.
    pub const ALL: [Self; 10] = [
        Self::Source,
        Self::Destination,
        Self::Protocol,
        Self::SourcePort,
        Self::DestinationPort,
        Self::Input,
        Self::Output,
        Self::State,
        Self::TcpFlags,
        Self::LaterFragment,
    ];

    /// How many fields there are.
    pub const COUNT: usize = Self::ALL.len();

    /// The largest value.
    #[must_use]
    pub const fn max(self, family: Family) -> u128 {
        match self {
            Self::Source | Self::Destination => match family {
                Family::Ipv4 => u32::MAX as u128,
                Family::Ipv6 => u128::MAX,
            },
            Self::Protocol | Self::TcpFlags => 255,
            Self::SourcePort | Self::DestinationPort => 65535,
            Self::Input | Self::Output => u128::MAX,
            Self::State => State::ALL.len() as u128 - 1,
            Self::LaterFragment => 1,
        }
    }

    /// All values.
    #[must_use]
    pub fn all(self, family: Family) -> Set {
        Set::range(0, self.max(family))
    }

    /// Its index in [`Field::ALL`].
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }
}

/// The connection tracking state of a packet, exclusive of one another (`conntrack`, nft(8) `ct state`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum State {
    /// It begins a connection, or belongs to one seen in one direction only.
    New,
    /// It belongs to a connection seen in both directions.
    Established,
    /// It begins a connection expected by another one, or is an ICMP error about one.
    Related,
    /// Connection tracking cannot place it.
    Invalid,
    /// It is exempt from connection tracking.
    Untracked,
}

impl State {
    /// Every state, in the order of their numbers.
    pub const ALL: [Self; 5] = [Self::New, Self::Established, Self::Related, Self::Invalid, Self::Untracked];

    /// The name in flows: `new`, `established`, `related`, `invalid`, `untracked`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Established => "established",
            Self::Related => "related",
            Self::Invalid => "invalid",
            Self::Untracked => "untracked",
        }
    }

    /// The value of [`Field::State`].
    #[must_use]
    pub const fn value(self) -> u128 {
        self as u128
    }
}

/// The names of the TCP flags, from the lowest bit up (RFC 9293, RFC 3168).
pub const TCP_FLAGS: [&str; 8] = ["fin", "syn", "rst", "psh", "ack", "urg", "ece", "cwr"];
