//! What a rule has settled so far about the protocols of its packets, and what nft adds by itself before it reads a header.

use super::selectors::is_protocol;
use super::terms::Term;
use crate::formats::nftables::syntax::{self, Header};
use crate::model::Families;
use crate::net::Family;

/// The protocols that the statements so far have fixed.
#[derive(Debug, Clone, Default)]
pub(super) struct Context {
    pub(super) network: Option<Family>,
    /// The one protocol above, where there is one.
    pub(super) transport: Option<u8>,
    /// Every protocol above that was named, in order, each once; `None` is one that nft has no header for.
    pub(super) transports: Vec<Option<u8>>,
    /// The type of ICMP messages that was named last.
    pub(super) message: Option<u8>,
    /// The frame holds something that is not of a VLAN.
    pub(super) untagged: bool,
    /// The table is not about frames of a bridge.
    pub(super) unbridged: bool,
    /// The table is of one family, so that nobody can ask for it.
    pub(super) one_family: bool,
    /// The table is about frames, where `meta protocol` says what they hold.
    pub(super) frames: bool,
    /// The configuration asks for fragments somewhere.
    pub(super) fragments: bool,
    /// Packets are not tracked yet.
    pub(super) early: bool,
    /// Rules say how packets are tracked, which may be known before they are.
    pub(super) told: bool,
}

impl Context {
    /// At the beginning of a rule.
    pub(super) fn new(table: syntax::Family, fragments: bool, early: bool, told: bool) -> Self {
        let network = match table {
            syntax::Family::Ip => Some(Family::Ipv4),
            syntax::Family::Ip6 => Some(Family::Ipv6),
            syntax::Family::Inet | syntax::Family::Arp | syntax::Family::Bridge | syntax::Family::Netdev => None,
        };
        Self {
            network,
            unbridged: table != syntax::Family::Bridge,
            one_family: table != syntax::Family::Inet,
            frames: matches!(table, syntax::Family::Bridge | syntax::Family::Netdev),
            fragments,
            early,
            told,
            ..Self::default()
        }
    }

    /// The demands that nft puts before a read of that header (`payload_gen_dependency`); the error is nft's.
    pub(super) fn needs_of(&self, header: Header) -> Result<Vec<Term>, String> {
        let family = match header {
            Header::Ip => Some(Family::Ipv4),
            Header::Ip6 => Some(Family::Ipv6),
            _ => None,
        };
        if let Some(family) = family {
            return match self.network {
                Some(other) if other != family => {
                    Err(format!("conflicting protocols specified: {} vs. {}", name_of(other), name_of(family)))
                }
                Some(_) | None => Ok(vec![Term::Families(Families::only(family))]),
            };
        }
        if header == Header::Arp {
            let other = if self.one_family { self.network.map(name_of) } else { Some("inet") };
            return match other {
                Some(other) => Err(format!("conflicting protocols specified: {other} vs. arp")),
                None => Ok(Vec::new()),
            };
        }
        if header == Header::Vlan && self.untagged {
            return Err("conflicting protocols specified: ether vs. vlan".to_owned());
        }
        let Some((protocol, of)) = protocol_of(header) else { return Ok(Vec::new()) };
        if let Some(other) = self.transports.iter().find(|other| **other != Some(protocol)) {
            let name = |number| crate::net::protocol_name(number).map_or_else(|| number.to_string(), str::to_owned);
            let other = other.map_or_else(|| "unknown".to_owned(), name);
            return Err(format!("conflicting protocols specified: {other} vs. {}", header.keyword()));
        }
        let mut needs = vec![is_protocol(protocol)];
        // The family is asked for only where nothing is known of either.
        if self.transports.is_empty() && self.network.is_none() {
            needs.extend(of.map(|of| Term::Families(Families::only(of))));
        }
        Ok(needs)
    }

    /// A comparison with a protocol, or a read of its header.
    pub(super) fn named(&mut self, protocol: Option<u8>) {
        if !self.transports.contains(&protocol) {
            self.transports.push(protocol);
        }
    }

    /// What the statement that read this header has settled.
    pub(super) fn settle(&mut self, header: Header) {
        match header {
            Header::Ip => self.network = Some(Family::Ipv4),
            Header::Ip6 => self.network = Some(Family::Ipv6),
            _ => {
                if let Some((protocol, of)) = protocol_of(header) {
                    if self.transports.is_empty() && self.network.is_none() {
                        self.network = of;
                    }
                    self.transport = Some(protocol);
                    self.named(Some(protocol));
                }
            }
        }
    }
}

pub(super) const fn name_of(family: Family) -> &'static str {
    match family {
        Family::Ipv4 => "ip",
        Family::Ipv6 => "ip6",
    }
}

/// The protocol of a header, and the family that goes with it.
const fn protocol_of(header: Header) -> Option<(u8, Option<Family>)> {
    match header {
        Header::Icmp => Some((1, Some(Family::Ipv4))),
        Header::Icmpv6 => Some((58, Some(Family::Ipv6))),
        Header::Igmp => Some((2, Some(Family::Ipv4))),
        Header::Ah => Some((51, None)),
        Header::Esp => Some((50, None)),
        Header::Comp => Some((108, None)),
        Header::Udp => Some((17, None)),
        Header::Udplite => Some((136, None)),
        Header::Sctp => Some((132, None)),
        Header::Dccp => Some((33, None)),
        Header::Tcp => Some((6, None)),
        Header::Gre => Some((47, None)),
        Header::Geneve | Header::Vxlan => Some((17, None)),
        Header::Ether | Header::Vlan | Header::Arp | Header::Ip | Header::Ip6 | Header::Transport => None,
    }
}

/// Whether nft knows the header that goes with the number of a protocol.
pub(super) const fn has_header(protocol: u8) -> bool {
    matches!(protocol, 1 | 2 | 6 | 17 | 33 | 50 | 51 | 58 | 108 | 132 | 136)
}
