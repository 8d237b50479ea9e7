//! The notation in which people read and write packets and sets of packets. Printing and reading are exact
//! inverses of one another.
//!
//! ```text
//! flow      = protocols source "->" destination { condition }
//! protocols = "any" | list of names, numbers or "protocol-89" | "any except" list
//! source    = addresses [ ":" ports ]          destination likewise
//! addresses = "any" | list of prefixes, addresses, ranges "10.0.0.1-10.0.0.9" or names | list "except" list
//!             with ports, lists of IPv6 addresses stand in [ ] and what has an "except" in ( )
//! ports     = list of numbers, ranges "8000-8099" or service names
//! condition = "type" list of "8", "8/0", "8/0-3", "8-11"       ICMP type and code
//!           | list of "new", "established", "related", "invalid", "untracked"
//!           | ("in" | "out") interfaces
//!           | "flags" flags
//!           | "later-fragment" | "no-later-fragment"
//! interfaces = list of "eth0", "wan*", "none" | list "except" list | "not" list
//! flags     = "syn,ack" (these and no others) | "syn/syn,ack" (of the latter, the former) | several with "|" | "not" …
//! ```
//! Lists are separated by commas without blanks. `any` addresses are those of both families: a flow of one family
//! that says nothing of addresses is written with `0.0.0.0/0` or `::/0`. What is left out may have any value. In
//! interface names, bytes that are not plain are written `\x2a`.
//!
//! One packet is written likewise with one value each: `tcp 10.0.0.1:40000 -> 10.0.0.2:22 new`,
//! `icmp 10.0.0.1 -> 10.0.0.2 type 8/0 new`. [`parse_packet`] says what may be left out of it.

mod interfaces;
mod packet;
mod parse;
mod show;

pub use packet::{TypedPacket, parse_packet, show_packet};
pub use parse::parse_flow;
pub use show::{show_addresses, show_conditions, show_either_family, show_region, show_source};

use super::{Family, Set, protocol_name, protocol_number};
use std::ops::Range;

/// Names of the user for sets. In print they stand where one fits exactly; read, they stand for their sets.
pub trait Naming {
    /// The name of a set of addresses.
    fn network(&self, family: Family, set: &Set) -> Option<&str>;
    /// The name of a set of ports of one protocol.
    fn service(&self, protocol: u8, ports: &Set) -> Option<&str>;
    /// The addresses that a name stands for in one family, empty if it has none in it; `None`: there is no such name.
    fn addresses(&self, _name: &str, _family: Family) -> Option<Set> {
        None
    }
    /// The ports that a name stands for with one protocol.
    fn ports(&self, _name: &str, _protocol: u8) -> Option<Set> {
        None
    }
}

/// No names: every set is written out.
#[derive(Debug, Clone, Copy)]
pub struct NoNames;

impl Naming for NoNames {
    fn network(&self, _: Family, _: &Set) -> Option<&str> {
        None
    }
    fn service(&self, _: u8, _: &Set) -> Option<&str> {
        None
    }
}

/// A text that is not a flow or a packet. Its writer's error.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct FlowError {
    /// What is wrong.
    pub message: String,
    /// Which bytes of the text are wrong; at its end where something is missing.
    pub at: Range<usize>,
    /// What to write instead.
    pub help: String,
}

/// The name of a protocol in flows.
fn show_protocol(number: u8) -> String {
    match protocol_name(number).filter(|name| parse_protocol(name) == Some(number)) {
        Some(name) => name.to_owned(),
        None => format!("protocol-{number}"),
    }
}

fn parse_protocol(text: &str) -> Option<u8> {
    let number = text.strip_prefix("protocol-").unwrap_or(text);
    if let Some(number) = decimal(number) {
        return u8::try_from(number).ok();
    }
    let reserved = ["any", "all", "not", "except"].contains(&text);
    if reserved { None } else { protocol_number(text) }
}

/// A number without sign, blanks or leading zeros.
fn decimal(text: &str) -> Option<u32> {
    let digits =
        !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    if digits { text.parse().ok() } else { None }
}

/// Whether a protocol is ICMP or ICMPv6: the destination port is a type and a code then.
const fn is_icmp(protocol: u128) -> bool {
    matches!(protocol, 1 | 58)
}
