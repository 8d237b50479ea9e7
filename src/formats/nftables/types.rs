//! The data types of nft and how it reads their values (nft(8), DATA TYPES).

use super::names::{self, Words};
use super::parse::values::milliseconds;
use crate::net::{
    Family, Interface, Set, format_address, format_addresses, parse_address, protocol_name, protocol_number,
    service_port,
};
use crate::text::escape;
use std::fmt::Write as _;

/// What kind of values an expression has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Type {
    Address(Family),
    /// A MAC address, `ether_addr`.
    Ethernet,
    Protocol,
    Service,
    /// An interface by its name.
    Interface,
    /// An interface by its number, which a name stands for when the file is loaded.
    InterfaceNumber,
    Mark,
    /// A type whose values have words, and how many bits it has.
    Named(&'static NamedType),
    /// Numbers of so many bits without words of their own.
    Integer(u32),
    /// User or group: a number, or a name that the host knows.
    User,
    Group,
    /// Interface groups and routing realms: a number, or a name of iproute2.
    DeviceGroup,
    Realm,
    /// A traffic class: `major:minor` in hexadecimal digits.
    Class,
    /// A time of day in seconds.
    Hour,
    /// A point in time in nanoseconds.
    Time,
    /// A length of time in milliseconds.
    Duration,
    /// Text: helpers, operating systems, control groups.
    Text,
    /// Connection labels, which are names on the host.
    Label,
    Verdict,
}

/// A type with words for its values.
#[derive(Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct NamedType {
    /// As in `type …`.
    pub(super) name: &'static str,
    /// As in an error of nft.
    pub(super) title: &'static str,
    pub(super) bits: u32,
    pub(super) words: Words,
    /// Values are sets of flags.
    pub(super) flags: bool,
}

macro_rules! named {
    ($($constant:ident $name:literal $title:literal $bits:literal $words:ident $flags:literal;)*) => {
        $(pub(super) static $constant: NamedType =
            NamedType { name: $name, title: $title, bits: $bits, words: names::$words, flags: $flags };)*
        static NAMED: &[&NamedType] = &[$(&$constant),*];
    };
}

named! {
    ICMP_TYPE "icmp_type" "ICMP type" 8 ICMP_TYPES false;
    ICMP_CODE "icmp_code" "icmp code" 8 ICMP_CODES false;
    ICMPV6_TYPE "icmpv6_type" "ICMPv6 type" 8 ICMPV6_TYPES false;
    ICMPV6_CODE "icmpv6_code" "icmpv6 code" 8 ICMPV6_CODES false;
    ICMPX_CODE "icmpx_code" "icmpx code" 8 ICMPX_CODES false;
    IGMP_TYPE "igmp_type" "IGMP type" 8 IGMP_TYPES false;
    CT_STATE "ct_state" "conntrack state" 32 CT_STATES true;
    CT_STATUS "ct_status" "conntrack status" 32 CT_STATUS true;
    CT_DIRECTION "ct_dir" "conntrack direction" 8 CT_DIRECTIONS false;
    CT_EVENT "ct_event" "conntrack event bits" 32 CT_EVENTS true;
    TCP_FLAG "tcp_flag" "TCP flag" 8 TCP_FLAGS true;
    DSCP "dscp" "Differentiated Services Code Point" 6 DSCP false;
    ECN "ecn" "Explicit Congestion Notification" 2 ECN false;
    PACKET_TYPE "pkt_type" "packet type" 8 PACKET_TYPES false;
    FAMILY "nf_proto" "netfilter protocol" 8 FAMILIES false;
    ETHER_TYPE "ether_type" "Ethernet protocol" 16 ETHER_TYPES false;
    LINK_TYPE "iface_type" "network interface type" 16 LINK_TYPES false;
    ARP_OPERATION "arp_op" "ARP operation" 16 ARP_OPERATIONS false;
    DCCP_TYPE "dccp_pkttype" "DCCP packet type" 4 DCCP_TYPES false;
    MOBILITY_TYPE "mh_type" "Mobility Header Type" 8 MOBILITY_TYPES false;
    ADDRESS_TYPE "fib_addrtype" "fib address type" 32 ADDRESS_TYPES false;
    BOOLEAN "boolean" "boolean type" 8 BOOLEANS false;
    DAY "day" "Day of week of packet reception" 8 DAYS false;
}

/// What a word stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    /// One value, or those that begin so (`eth*`).
    Set(Set),
    /// Something that only the host can tell: a user, a host name.
    Name(String),
}

impl Type {
    /// The type that a declaration calls so.
    pub(super) fn named(name: &[u8]) -> Option<Self> {
        Some(match name {
            b"ipv4_addr" => Self::Address(Family::Ipv4),
            b"ipv6_addr" => Self::Address(Family::Ipv6),
            b"ether_addr" => Self::Ethernet,
            b"inet_proto" => Self::Protocol,
            b"inet_service" => Self::Service,
            b"ifname" => Self::Interface,
            b"iface_index" => Self::InterfaceNumber,
            b"mark" => Self::Mark,
            b"uid" => Self::User,
            b"gid" => Self::Group,
            b"devgroup" => Self::DeviceGroup,
            b"realm" => Self::Realm,
            b"classid" => Self::Class,
            b"hour" => Self::Hour,
            // (That of `meta time` has the same name, under which it is not found.)
            b"time" => Self::Duration,
            b"cgroupsv2" => Self::Text,
            b"verdict" => Self::Verdict,
            _ => Self::Named(NAMED.iter().find(|known| known.name.as_bytes() == name)?),
        })
    }

    /// The type as nft's messages call it.
    pub(super) fn title(self) -> String {
        match self {
            Self::Address(Family::Ipv4) => "IPv4 address".to_owned(),
            Self::Address(Family::Ipv6) => "IPv6 address".to_owned(),
            Self::Ethernet => "Ethernet address".to_owned(),
            Self::Protocol => "Internet protocol".to_owned(),
            Self::Service => "internet network service".to_owned(),
            Self::Interface => "network interface name".to_owned(),
            Self::InterfaceNumber => "network interface index".to_owned(),
            Self::Mark => "packet mark".to_owned(),
            Self::Named(NamedType { title, .. }) => (*title).to_owned(),
            Self::Integer(bits) => format!("integer of {bits} bits"),
            Self::User => "user ID".to_owned(),
            Self::Group => "group ID".to_owned(),
            Self::DeviceGroup => "devgroup name".to_owned(),
            Self::Realm => "routing realm".to_owned(),
            Self::Class => "TC classid".to_owned(),
            Self::Hour => "Hour of day of packet reception".to_owned(),
            Self::Time => "Relative time of packet reception".to_owned(),
            Self::Duration => "relative time".to_owned(),
            Self::Text => "string".to_owned(),
            Self::Label => "conntrack label".to_owned(),
            Self::Verdict => "netfilter verdict".to_owned(),
        }
    }

    /// The largest value.
    pub(super) const fn largest(self) -> u128 {
        let bits = match self {
            Self::Address(family) => family.bits(),
            Self::Ethernet => 48,
            Self::Protocol => 8,
            Self::Service => 16,
            Self::Interface | Self::InterfaceNumber | Self::Text | Self::Label => 128,
            Self::Mark
            | Self::User
            | Self::Group
            | Self::DeviceGroup
            | Self::Realm
            | Self::Class
            | Self::Hour
            | Self::Duration
            | Self::Verdict => 32,
            Self::Time => 64,
            Self::Named(named) => named.bits,
            Self::Integer(bits) => bits,
        };
        if bits >= 128 { u128::MAX } else { (1 << bits) - 1 }
    }

    /// Whether its values are sets of flags, so that a bare word asks for one of them.
    pub(super) const fn is_flags(self) -> bool {
        match self {
            Self::Named(named) => named.flags,
            Self::Label => true,
            Self::Address(_)
            | Self::Ethernet
            | Self::Protocol
            | Self::Service
            | Self::Interface
            | Self::InterfaceNumber
            | Self::Mark
            | Self::Integer(_)
            | Self::User
            | Self::Group
            | Self::DeviceGroup
            | Self::Realm
            | Self::Class
            | Self::Hour
            | Self::Time
            | Self::Duration
            | Self::Text
            | Self::Verdict => false,
        }
    }

    /// What a word means where this type is expected; the error is nft's.
    pub(super) fn read(self, word: &[u8]) -> Result<Value, String> {
        let text = std::str::from_utf8(word).unwrap_or("");
        let shown = || escape(word);
        let point = |value| Ok(Value::Set(Set::point(value)));
        let numeric = |out_of_range: &str| match number(text) {
            Some(value) if value <= self.largest() => Some(point(value)),
            Some(value) if out_of_range.is_empty() => {
                Some(Err(format!("Value {value} exceeds valid range 0-{}", self.largest())))
            }
            Some(_) => Some(Err(out_of_range.to_owned())),
            None => None,
        };
        match self {
            Self::Address(family) => match address(text, family) {
                Some(value) => point(value),
                None if is_host_name(text) => Ok(Value::Name(text.to_owned())),
                None => Err(format!("`{}` is not an {}", shown(), self.title())),
            },
            Self::Ethernet => match ethernet(text) {
                Some(value) => point(value),
                None => Err(format!("`{}` is not an Ethernet address", shown())),
            },
            Self::Protocol => numeric("Protocol out of range").unwrap_or_else(|| {
                protocol(text).map_or_else(|| Err("Could not resolve protocol name".to_owned()), |n| point(n.into()))
            }),
            Self::Service => numeric("Service out of range").unwrap_or_else(|| {
                service(text)
                    .map_or_else(|| Err(format!("Could not resolve service: `{}`", shown())), |n| point(n.into()))
            }),
            Self::Interface => interface(word),
            // The name is looked up when the file is loaded; which interface has a number, only the host knows.
            Self::InterfaceNumber => match number(text) {
                Some(0) => point(0),
                // The loopback interface of every network namespace (linux/netdevice.h, `LOOPBACK_IFINDEX`).
                Some(1) => interface(b"lo"),
                Some(number) => Ok(Value::Name(format!("number {number}"))),
                None => interface(word),
            },
            Self::Named(named) => match names::value(named.words, word) {
                Some(value) => point(value.into()),
                None if *named == DAY && number(text).is_some_and(|value| value > 6) => {
                    Err(format!("Value {text} exceeds valid range 0-6"))
                }
                None => numeric("").unwrap_or_else(|| Err(format!("Could not parse {}", named.title))),
            },
            Self::Hour => {
                numeric("").or_else(|| hour(text).map(point)).unwrap_or_else(|| Err("wrong time format".to_owned()))
            }
            Self::Time => {
                numeric("").or_else(|| time(text).map(point)).unwrap_or_else(|| Err("Cannot parse date".to_owned()))
            }
            Self::Duration => {
                let seconds = number(text).map(|seconds| seconds.saturating_mul(1000));
                match seconds.or_else(|| milliseconds(word).map(u128::from)) {
                    Some(time) if time <= self.largest() => point(time),
                    Some(_) => Err("value too large".to_owned()),
                    None => Err("wrong time format".to_owned()),
                }
            }
            Self::Integer(_) => numeric("").unwrap_or_else(|| Err(format!("Could not parse {}", self.title()))),
            // (Names of marks are in a file of the host that hardly any host has.)
            Self::Mark => numeric("").unwrap_or_else(|| Err("Could not parse packet mark".to_owned())),
            Self::User | Self::Group if text == "root" => point(0),
            Self::DeviceGroup if text == "default" => point(0),
            Self::User | Self::Group | Self::DeviceGroup | Self::Realm => {
                numeric("").unwrap_or_else(|| Ok(Value::Name(shown())))
            }
            Self::Class => class(text).map_or_else(|| Err(format!("Could not parse {}", self.title())), point),
            Self::Text | Self::Label => Ok(Value::Name(shown())),
            Self::Verdict => Err(format!("`{}` is not a verdict", shown())),
        }
    }

    /// One value as text, the same for every way of writing it.
    pub(super) fn show(self, value: u128) -> String {
        match self {
            Self::Address(family) => format_address(family, value),
            Self::Ethernet => {
                let bytes = value.to_be_bytes();
                let shown: Vec<String> = bytes[10..].iter().map(|byte| format!("{byte:02x}")).collect();
                shown.join(":")
            }
            Self::Protocol => match u8::try_from(value).ok().and_then(protocol_name) {
                Some(name) => name.to_owned(),
                None => value.to_string(),
            },
            Self::InterfaceNumber if value == 0 => "missing".to_owned(),
            Self::Interface | Self::InterfaceNumber => format!("\"{}\"", escape(&Interface(value).name())),
            Self::Mark => format!("{value:#x}"),
            Self::Class => format!("{:x}:{:x}", value >> 16, value & 0xffff),
            Self::Named(named) => match names::word(named.words, value) {
                Some(word) => word.to_owned(),
                None if named.flags => format!("{value:#x}"),
                None => value.to_string(),
            },
            Self::Duration if value.is_multiple_of(1000) => format!("{}s", value / 1000),
            Self::Duration => format!("{value}ms"),
            Self::Service
            | Self::Integer(_)
            | Self::User
            | Self::Group
            | Self::DeviceGroup
            | Self::Realm
            | Self::Hour
            | Self::Time
            | Self::Text
            | Self::Label
            | Self::Verdict => value.to_string(),
        }
    }

    /// A set of values: one as itself, several in braces.
    pub(super) fn show_set(self, set: &Set) -> String {
        let mut parts = Vec::with_capacity(set.ranges().len());
        for (first, last) in set.ranges() {
            parts.push(if first == last {
                self.show(first)
            } else {
                let names = names_with_prefix(first, last);
                match (self, names) {
                    (Self::Address(family), _) => format_addresses(family, first, last),
                    (Self::Interface | Self::InterfaceNumber, Some(names)) => names,
                    (_, _) => format!("{}-{}", self.show(first), self.show(last)),
                }
            });
        }
        match parts.as_slice() {
            [one] => one.clone(),
            _ => format!("{{ {} }}", parts.join(", ")),
        }
    }
}

fn names_with_prefix(first: u128, last: u128) -> Option<String> {
    let name = Interface(first).name();
    let all = Interface::with_prefix(&name)?;
    (all.ranges().single() == Some((first, last))).then(|| format!("\"{}*\"", escape(&name)))
}

/// `10:00` or `10:00:30`, in the time zone of whoever loads it.
fn hour(text: &str) -> Option<u128> {
    let mut parts = text.split(':').map(|part| part.parse::<u128>().ok());
    let (hours, minutes) = (parts.next()??, parts.next()??);
    let seconds = parts.next().unwrap_or(Some(0))?;
    let fits = hours < 24 && minutes < 60 && seconds < 60 && parts.next().is_none();
    fits.then_some(hours * 3600 + minutes * 60 + seconds)
}

/// `2026-01-31`, perhaps with a time of day, in the time zone of whoever loads it.
fn time(text: &str) -> Option<u128> {
    let (date, clock) = text.split_once(' ').unwrap_or((text, "0:0"));
    let mut parts = date.split('-').map(|part| part.parse::<u128>().ok());
    let (year, month, day) = (parts.next()??, parts.next()??, parts.next()??);
    if !(1970..=2554).contains(&year)
        || !(1..=12).contains(&month)
        || !(1..=31).contains(&day)
        || parts.next().is_some()
    {
        return None;
    }
    // Days since 1970 in the civil calendar; years begin in March, so that the day that is not always there is the last.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 + day - 1;
    Some(((days - 719_468) * 86_400 + hour(clock)?) * 1_000_000_000)
}

/// A traffic class as tc(8) writes it; without a colon it is a number.
fn class(text: &str) -> Option<u128> {
    let half = |text: &str| match text {
        "" => Some(0),
        digits => u16::from_str_radix(digits, 16).ok().map(u128::from),
    };
    match text {
        "none" => Some(0),
        "root" => Some(u128::from(u32::MAX)),
        _ => match text.split_once(':') {
            Some((major, minor)) => Some(half(major)? << 16 | half(minor)?),
            None => number(text).filter(|value| *value <= u128::from(u32::MAX)),
        },
    }
}

/// A number as strtoumax(3) with base 0 reads it.
pub(super) fn number(text: &str) -> Option<u128> {
    let digits = |text: &str, radix| {
        let clean = text.bytes().next().is_some_and(|first| first.is_ascii_alphanumeric());
        clean.then(|| u128::from_str_radix(text, radix).ok()).flatten()
    };
    match text.as_bytes() {
        [b'0', b'x' | b'X', ..] => digits(&text[2..], 16),
        [b'0', _, ..] => digits(&text[1..], 8),
        _ => digits(text, 10),
    }
}

/// An address as inet_pton(3) reads it; nft hands IPv4 to getaddrinfo(3), which reads `010` as octal and takes a number.
fn address(text: &str, family: Family) -> Option<u128> {
    if let Some((found, value)) = parse_address(text) {
        return (found == family).then_some(value);
    }
    if family == Family::Ipv6 {
        return None;
    }
    if let Some(number) = number(text) {
        return u32::try_from(number).ok().map(u128::from);
    }
    let mut value = 0u32;
    let mut parts = 0;
    for part in text.split('.') {
        let byte = u8::try_from(number(part)?).ok()?;
        value = value << 8 | u32::from(byte);
        parts += 1;
    }
    (parts == 4).then_some(value.into())
}

/// Whether a resolver could be asked for it.
fn is_host_name(text: &str) -> bool {
    let letters = text.bytes().any(|b| b.is_ascii_alphabetic());
    let clean = text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_'));
    letters && clean && text.len() < 256 && !text.starts_with(['-', '.'])
}

fn ethernet(text: &str) -> Option<u128> {
    let mut value = 0u128;
    let mut bytes = 0;
    for part in text.split(':') {
        if part.is_empty() || part.len() > 2 {
            return None;
        }
        value = value << 8 | u128::from(u8::from_str_radix(part, 16).ok()?);
        bytes += 1;
    }
    (bytes == 6).then_some(value)
}

/// A name of /etc/protocols, whose aliases are mostly the same in capitals.
pub(super) fn protocol(text: &str) -> Option<u8> {
    // A word of nft's own.
    let own = (text == "comp").then_some(108);
    own.or_else(|| protocol_number(text)).or_else(|| {
        let lower = text.to_ascii_lowercase();
        let capitals = text.bytes().all(|b| !b.is_ascii_lowercase());
        let mixed =
            matches!(text, "IPv6" | "IPv6-Route" | "IPv6-Frag" | "IPv6-ICMP" | "IPv6-NoNxt" | "IPv6-Opts" | "UDPLite");
        protocol_number(&lower).filter(|_| capitals || mixed)
    })
}

/// A name of /etc/services: for whichever protocol has it, tcp first (getaddrinfo(3) without hints).
pub(super) fn service(text: &str) -> Option<u16> {
    [6, 17, 33, 132].into_iter().find_map(|protocol| service_port(text, protocol))
}

/// An interface name, `*` at its end standing for any rest; `\*` is the character.
fn interface(word: &[u8]) -> Result<Value, String> {
    if word.is_empty() {
        return Err("Empty string is not allowed".to_owned());
    }
    let too_long = || "String exceeds maximum length of 16".to_owned();
    let set = match word {
        [rest @ .., b'\\', b'*'] => {
            let name = [rest, b"*"].concat();
            Interface::named(&name).map(|interface| Set::point(interface.0))
        }
        [b'*'] => return Err("All-wildcard strings are not supported".to_owned()),
        [rest @ .., b'*'] => Interface::with_prefix(rest),
        _ => Interface::named(word).map(|interface| Set::point(interface.0)),
    };
    set.map(Value::Set).ok_or_else(too_long)
}

/// Text in quotes.
pub(super) fn quoted(text: &[u8]) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    write!(out, "\"{}\"", escape(text).replace('"', "\\\"")).expect("writing to a String");
    out
}
