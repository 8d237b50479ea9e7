//! What the left side of a relation reads from a packet.

use super::context::Context;
use super::terms::{Term, Truth};
use crate::formats::nftables::syntax::{
    self, CtDirection, CtKey, Expression, ExtensionField, FibFlag, FibResult, Field as HeaderField, Header, IpsecKey,
    Kind, MetaKey, RtKey, SocketKey,
};
use crate::formats::nftables::types::{self, Type};
use crate::model::Families;
use crate::net::{Family, Field, Interface, Set, State};
use crate::text::Span;

/// Something that is compared with values.
#[derive(Debug, Clone)]
pub(super) struct Selector {
    pub(super) kind: Type,
    pub(super) reads: Reads,
    /// What nft demands before it reads: the header must be there.
    pub(super) needs: Vec<Term>,
    /// Only the comparison with anything at all demands this: what is not there differs from nothing.
    pub(super) needs_if_not: Vec<Term>,
    /// nft's own words for it.
    pub(super) text: String,
    /// How many numbers are drawn from, and the first of them.
    pub(super) drawn: Option<(u64, u64)>,
    /// It lies behind the header of IP, where later fragments have data, and there may be such fragments.
    pub(super) behind: bool,
}

/// How what it reads stands in the model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reads {
    Address(Field, Family),
    Protocol,
    /// The first header behind that of IPv6.
    NextHeader,
    Port(Field),
    /// A port of whatever protocol it is.
    AnyPort(Field),
    IcmpType,
    IcmpCode,
    Interface(Field),
    States,
    /// The state of packets that are not tracked yet, and whether rules may have said how they are.
    EarlyStates(bool),
    /// `2` and `10`.
    Family,
    /// Ethernet's numbers for them.
    EtherType,
    /// The version in the first byte of the header.
    Version(Family),
    TcpFlags,
    /// Flags and offset of IPv4.
    Ipv4Fragment,
    /// The offset in the fragment header of IPv6.
    Ipv6Fragment,
    Direction,
    /// It is not in the model.
    Opaque {
        truth: Truth,
        /// It may not be there at all, and then it neither equals nor differs.
        absent: bool,
    },
}

/// What an expression reads; the error says why nft refuses it.
pub(super) fn selector(expression: &Expression<'_>, context: &Context) -> Result<Selector, String> {
    let text = super::text::expression(expression);
    let plain = |kind, reads| {
        Ok(Selector {
            kind,
            reads,
            needs: Vec::new(),
            needs_if_not: Vec::new(),
            text: text.clone(),
            drawn: None,
            behind: false,
        })
    };
    let opaque = |kind, truth, absent| plain(kind, Reads::Opaque { truth, absent });
    match &expression.kind {
        Kind::Variable(_, value) => selector(value, context),
        Kind::Meta(MetaKey::Ibrname | MetaKey::Obrname) if context.unbridged => {
            Err("Could not process rule: Operation not supported".to_owned())
        }
        Kind::Meta(MetaKey::Nfproto) if context.one_family => {
            Err("meta nfproto is only useful in the inet family".to_owned())
        }
        Kind::Meta(key) => meta(*key, text),
        Kind::Ct(key, direction) => ct((*key, *direction), text, expression.at, context),
        Kind::Payload(field) => payload(*field, text, context),
        Kind::RawPayload { base, offset, length } => {
            let kind = Type::Integer(*length);
            match (&**base, offset, length) {
                (b"th", 0, 16) => port_of_any(Field::SourcePort, kind, text, context),
                (b"th", 16, 16) => port_of_any(Field::DestinationPort, kind, text, context),
                _ => opaque(kind, Truth::Payload, true),
            }
        }
        Kind::Extension(field, _) => extension(*field, text),
        Kind::ExtensionHeader(_) => {
            let needs = vec![Term::Families(Families::only(Family::Ipv6))];
            let reads = Reads::Opaque { truth: Truth::Packet, absent: false };
            Ok(Selector {
                kind: Type::Named(&types::BOOLEAN),
                reads,
                needs,
                needs_if_not: Vec::new(),
                text,
                drawn: None,
                behind: false,
            })
        }
        Kind::TcpOption { option: _, field } => match field {
            Some(field) => {
                use syntax::TcpOptionField as Option;
                let bits = match field {
                    Option::Kind | Option::Length | Option::Count => 8,
                    Option::Size | Option::Subtype => 16,
                    Option::Left | Option::Right | Option::Tsval | Option::Tsecr => 32,
                };
                opaque(Type::Integer(bits), Truth::Options, true)
            }
            None => opaque(Type::Named(&types::BOOLEAN), Truth::Options, false),
        },
        Kind::RawTcpOption { option: _, offset: _, length } => opaque(Type::Integer(*length), Truth::Options, true),
        Kind::IpOption { option: _, field } => {
            let kind = match field {
                Some(syntax::IpOptionField::Addr) => Type::Address(Family::Ipv4),
                Some(syntax::IpOptionField::Value) => Type::Integer(16),
                Some(syntax::IpOptionField::Type | syntax::IpOptionField::Length | syntax::IpOptionField::Ptr) => {
                    Type::Integer(8)
                }
                None => Type::Named(&types::BOOLEAN),
            };
            let needs = vec![Term::Families(Families::only(Family::Ipv4))];
            let reads = Reads::Opaque { truth: Truth::Packet, absent: field.is_some() };
            Ok(Selector { kind, reads, needs, needs_if_not: Vec::new(), text, drawn: None, behind: false })
        }
        Kind::SctpChunk { chunk: _, field } => {
            let kind = if field.is_some() { Type::Integer(32) } else { Type::Named(&types::BOOLEAN) };
            let reads = Reads::Opaque { truth: Truth::Packet, absent: field.is_some() };
            Ok(Selector {
                kind,
                reads,
                needs: vec![is_protocol(132)],
                needs_if_not: Vec::new(),
                text,
                drawn: None,
                behind: false,
            })
        }
        Kind::DccpOption(_) => {
            let reads = Reads::Opaque { truth: Truth::Packet, absent: false };
            let kind = Type::Named(&types::BOOLEAN);
            Ok(Selector {
                kind,
                reads,
                needs: vec![is_protocol(33)],
                needs_if_not: Vec::new(),
                text,
                drawn: None,
                behind: false,
            })
        }
        Kind::Rt(key) => match key {
            RtKey::Classid => opaque(Type::Realm, Truth::Packet, true),
            RtKey::Nexthop if context.network.is_none() => {
                Err("cannot determine ip protocol version, use \"ip nexthop\" or \"ip6 nexthop\" instead".to_owned())
            }
            RtKey::Nexthop => opaque(Type::Address(context.network.unwrap_or(Family::Ipv4)), Truth::Packet, true),
            RtKey::IpNexthop if context.network == Some(Family::Ipv6) => Err("ip nexthop will not match".to_owned()),
            RtKey::Ip6Nexthop if context.network == Some(Family::Ipv4) => Err("ip6 nexthop will not match".to_owned()),
            RtKey::IpNexthop => opaque(Type::Address(Family::Ipv4), Truth::Packet, true),
            RtKey::Ip6Nexthop => opaque(Type::Address(Family::Ipv6), Truth::Packet, true),
            RtKey::Mtu => opaque(Type::Integer(16), Truth::Packet, true),
            RtKey::Ipsec => opaque(Type::Named(&types::BOOLEAN), Truth::Packet, true),
        },
        Kind::Socket(key, _) => match key {
            SocketKey::Transparent | SocketKey::Wildcard => opaque(Type::Integer(8), Truth::Packet, true),
            SocketKey::Mark => opaque(Type::Mark, Truth::Packet, true),
            SocketKey::Cgroupv2 => opaque(Type::Text, Truth::Packet, true),
        },
        Kind::Osf { .. } => opaque(Type::Text, Truth::Packet, true),
        Kind::Fib { flags, result } => {
            let kind = match result {
                FibResult::Oif => Type::InterfaceNumber,
                FibResult::Oifname => Type::Interface,
                FibResult::Type => Type::Named(&types::ADDRESS_TYPE),
                FibResult::Check => Type::Named(&types::BOOLEAN),
            };
            opaque(kind, if flags.contains(&FibFlag::Mark) { Truth::Marks } else { Truth::Packet }, false)
        }
        Kind::Numgen { incremental: _, modulus, offset } => {
            let drawn = Some(drawn(*modulus, *offset)?);
            opaque(Type::Integer(32), Truth::Occurrence, false).map(|selector| Selector { drawn, ..selector })
        }
        Kind::Jhash { key: _, modulus, seed: _, offset } | Kind::Symhash { modulus, offset } => {
            let drawn = Some(drawn(*modulus, *offset)?);
            opaque(Type::Integer(32), Truth::Packet, true).map(|selector| Selector { drawn, ..selector })
        }
        Kind::Ipsec { inbound: _, number: _, key } => {
            let kind = match key {
                IpsecKey::Reqid | IpsecKey::Spi => Type::Integer(32),
                IpsecKey::IpSaddr | IpsecKey::IpDaddr => Type::Address(Family::Ipv4),
                IpsecKey::Ip6Saddr | IpsecKey::Ip6Daddr => Type::Address(Family::Ipv6),
            };
            opaque(kind, Truth::Packet, true)
        }
        Kind::Inner(_, inner) => {
            let kind = selector(inner, &Context::default())?.kind;
            opaque(kind, Truth::Packet, true)
        }
        Kind::Other(_) => opaque(Type::Text, Truth::Packet, true),
        Kind::Word(_)
        | Kind::Quoted(_)
        | Kind::Prefix(_, _)
        | Kind::Range(_, _)
        | Kind::Wildcard
        | Kind::List(_)
        | Kind::Set(_)
        | Kind::SetReference(_)
        | Kind::Concatenation(_)
        | Kind::Binary(_, _, _)
        | Kind::Map(_, _)
        | Kind::Verdict(_)
        | Kind::Exists(_) => Err(format!("`{text}` is a value, and nothing that can be compared")),
    }
}

/// How many numbers are drawn from, and the first of them; the error is the kernel's.
fn drawn(modulus: u64, offset: u64) -> Result<(u64, u64), String> {
    let largest = u64::from(u32::MAX);
    if modulus == 0 || modulus > largest {
        return Err("Could not process rule: Numerical result out of range".to_owned());
    }
    if offset > largest || offset + modulus - 1 > largest {
        return Err("Could not process rule: Value too large for defined data type".to_owned());
    }
    Ok((modulus, offset))
}

fn meta(key: MetaKey, text: String) -> Result<Selector, String> {
    let opaque = |truth, absent| Reads::Opaque { truth, absent };
    let packet = opaque(Truth::Packet, false);
    let (kind, reads) = match key {
        MetaKey::Length => (Type::Integer(32), packet),
        MetaKey::Protocol => (Type::Named(&types::ETHER_TYPE), Reads::EtherType),
        MetaKey::Nfproto => (Type::Named(&types::FAMILY), Reads::Family),
        MetaKey::L4proto => (Type::Protocol, Reads::Protocol),
        MetaKey::Priority => (Type::Class, opaque(Truth::Class, false)),
        MetaKey::Cgroup | MetaKey::Cpu => (Type::Integer(32), packet),
        MetaKey::Hour => (Type::Hour, packet),
        MetaKey::Random => (Type::Integer(32), opaque(Truth::Occurrence, false)),
        MetaKey::Mark => (Type::Mark, opaque(Truth::Marks, false)),
        MetaKey::Iif => (Type::InterfaceNumber, Reads::Interface(Field::Input)),
        MetaKey::Iifname => (Type::Interface, Reads::Interface(Field::Input)),
        MetaKey::Oif => (Type::InterfaceNumber, Reads::Interface(Field::Output)),
        MetaKey::Oifname => (Type::Interface, Reads::Interface(Field::Output)),
        MetaKey::Sdif | MetaKey::Sdifname => (Type::Interface, opaque(Truth::Packet, true)),
        MetaKey::Iiftype | MetaKey::Oiftype => (Type::Named(&types::LINK_TYPE), opaque(Truth::Packet, true)),
        MetaKey::Skuid => (Type::User, opaque(Truth::Packet, true)),
        MetaKey::Skgid => (Type::Group, opaque(Truth::Packet, true)),
        MetaKey::Nftrace | MetaKey::Broute => (Type::Integer(1), packet),
        MetaKey::Rtclassid => (Type::Realm, opaque(Truth::Packet, true)),
        MetaKey::Ibrname | MetaKey::Obrname => (Type::Interface, opaque(Truth::Packet, true)),
        MetaKey::Pkttype => (Type::Named(&types::PACKET_TYPE), opaque(Truth::Class, false)),
        MetaKey::Iifgroup | MetaKey::Oifgroup => (Type::DeviceGroup, opaque(Truth::Packet, true)),
        MetaKey::Ipsec => (Type::Named(&types::BOOLEAN), packet),
        MetaKey::Iifkind | MetaKey::Oifkind => (Type::Text, opaque(Truth::Packet, true)),
        MetaKey::Ibrpvid => (Type::Integer(16), opaque(Truth::Packet, true)),
        MetaKey::Ibrvproto => (Type::Named(&types::ETHER_TYPE), opaque(Truth::Packet, true)),
        MetaKey::Ibrhwaddr => (Type::Ethernet, opaque(Truth::Packet, true)),
        MetaKey::Time => (Type::Time, packet),
        MetaKey::Day => (Type::Named(&types::DAY), packet),
        MetaKey::Secmark => (Type::Integer(32), opaque(Truth::Class, false)),
    };
    Ok(Selector { kind, reads, needs: Vec::new(), needs_if_not: Vec::new(), text, drawn: None, behind: false })
}

fn ct(
    (key, direction): (CtKey, Option<CtDirection>),
    text: String,
    at: Span,
    context: &Context,
) -> Result<Selector, String> {
    let packet = Reads::Opaque { truth: Truth::Packet, absent: false };
    let address = |family| (Type::Address(family), packet.clone());
    let (kind, reads) = match key {
        CtKey::State if context.early => (Type::Named(&types::CT_STATE), Reads::EarlyStates(context.told)),
        CtKey::State => (Type::Named(&types::CT_STATE), Reads::States),
        CtKey::Direction => (Type::Named(&types::CT_DIRECTION), Reads::Direction),
        CtKey::Status => (Type::Named(&types::CT_STATUS), packet),
        CtKey::Mark => (Type::Mark, Reads::Opaque { truth: Truth::Marks, absent: false }),
        CtKey::Expiration => (Type::Duration, packet),
        CtKey::Helper => (Type::Text, Reads::Opaque { truth: Truth::Packet, absent: true }),
        CtKey::L3proto => (Type::Named(&types::FAMILY), packet),
        CtKey::Protocol => (Type::Protocol, packet),
        CtKey::Saddr | CtKey::Daddr => match context.network {
            Some(family) => address(family),
            None => {
                let of = direction.map_or("original", CtDirection::keyword);
                return Err(format!("specify either ip or ip6 for address matching: `ct {of} ip saddr`"));
            }
        },
        CtKey::IpSaddr | CtKey::IpDaddr => address(Family::Ipv4),
        CtKey::Ip6Saddr | CtKey::Ip6Daddr => address(Family::Ipv6),
        CtKey::ProtoSrc | CtKey::ProtoDst => (Type::Service, packet),
        CtKey::Bytes | CtKey::Packets | CtKey::Avgpkt => {
            (Type::Integer(64), Reads::Opaque { truth: Truth::Packet, absent: true })
        }
        CtKey::Label => (Type::Label, Reads::Opaque { truth: Truth::Marks, absent: false }),
        CtKey::Zone => (Type::Integer(16), packet),
        CtKey::Event => (Type::Named(&types::CT_EVENT), packet),
        CtKey::Secmark => (Type::Integer(32), Reads::Opaque { truth: Truth::Class, absent: false }),
        CtKey::Id => (Type::Integer(32), packet),
    };
    let (needs, needs_if_not) = match key {
        CtKey::State => (Vec::new(), Vec::new()),
        _ if context.early => (has_connection(context, at), Vec::new()),
        _ => (Vec::new(), has_connection(context, at)),
    };
    let (reads, text) = match reads {
        reads if !context.early => (reads, text),
        // What it is later says nothing about that.
        Reads::Opaque { truth, absent: _ } => {
            (Reads::Opaque { truth, absent: true }, format!("{text} before tracking"))
        }
        Reads::Direction => (Reads::Opaque { truth: Truth::Packet, absent: true }, format!("{text} before tracking")),
        reads => (reads, format!("{text} before tracking")),
    };
    Ok(Selector { kind, reads, needs, needs_if_not, text, drawn: None, behind: false })
}

/// Conditions on the connection fail for packets that have none (nft_ct.c, `nft_ct_get_eval`). Before tracking those are all
/// but what a host sends to itself, or in answer to what it rejects, and what rules have said before how to track.
pub(super) fn has_connection(context: &Context, at: Span) -> Vec<Term> {
    if !context.early {
        return vec![is_tracked()];
    }
    let known = Term::opaque("the connection is known before tracking", true, Truth::Packet, at);
    if context.told { vec![known] } else { vec![Term::field(Field::Input, local()), known] }
}

/// What packets come in by that a host makes itself.
pub(super) fn local() -> Set {
    let lo = Interface::named(b"lo").expect("a short name");
    [Interface::NONE.0, lo.0].into_iter().collect()
}

/// A packet that is tracked.
pub(super) fn is_tracked() -> Term {
    let tracked = [State::New, State::Established, State::Related];
    Term::field(Field::State, tracked.into_iter().map(State::value).collect())
}

pub(super) fn is_protocol(number: u8) -> Term {
    Term::field(Field::Protocol, Set::point(number.into()))
}

fn payload(field: HeaderField, text: String, context: &Context) -> Result<Selector, String> {
    use HeaderField as F;
    let header = field.header();
    let opaque = |kind, truth| (kind, Reads::Opaque { truth, absent: false });
    let number = |bits| opaque(Type::Integer(bits), Truth::Payload);
    let named = |named| opaque(Type::Named(named), Truth::Payload);
    let (kind, reads) = match field {
        F::EtherSaddr | F::EtherDaddr | F::ArpSaddrEther | F::ArpDaddrEther => {
            (Type::Ethernet, Reads::Opaque { truth: Truth::Payload, absent: true })
        }
        F::EtherType | F::VlanType => {
            (Type::Named(&types::ETHER_TYPE), Reads::Opaque { truth: Truth::Payload, absent: true })
        }
        F::VlanId => (Type::Integer(12), Reads::Opaque { truth: Truth::Payload, absent: true }),
        F::VlanDei => (Type::Integer(1), Reads::Opaque { truth: Truth::Payload, absent: true }),
        F::VlanPcp => (Type::Integer(3), Reads::Opaque { truth: Truth::Payload, absent: true }),
        F::ArpHtype | F::ArpPtype => number(16),
        F::ArpHlen | F::ArpPlen => number(8),
        F::ArpOperation => named(&types::ARP_OPERATION),
        F::ArpSaddrIp | F::ArpDaddrIp => opaque(Type::Address(Family::Ipv4), Truth::Payload),
        F::IpVersion => (Type::Integer(4), Reads::Version(Family::Ipv4)),
        F::Ip6Version => (Type::Integer(4), Reads::Version(Family::Ipv6)),
        F::IpHdrlength => number(4),
        F::IpDscp | F::Ip6Dscp => opaque(Type::Named(&types::DSCP), Truth::Service),
        F::IpEcn | F::Ip6Ecn => opaque(Type::Named(&types::ECN), Truth::Service),
        F::IpLength | F::IpId | F::IpChecksum | F::Ip6Length => number(16),
        F::IpFragOff => (Type::Integer(16), Reads::Ipv4Fragment),
        F::IpTtl | F::Ip6Hoplimit => opaque(Type::Integer(8), Truth::Hops),
        F::IpProtocol => (Type::Protocol, Reads::Protocol),
        F::IpSaddr => (Type::Address(Family::Ipv4), Reads::Address(Field::Source, Family::Ipv4)),
        F::IpDaddr => (Type::Address(Family::Ipv4), Reads::Address(Field::Destination, Family::Ipv4)),
        F::Ip6Saddr => (Type::Address(Family::Ipv6), Reads::Address(Field::Source, Family::Ipv6)),
        F::Ip6Daddr => (Type::Address(Family::Ipv6), Reads::Address(Field::Destination, Family::Ipv6)),
        F::Ip6Flowlabel => number(20),
        F::Ip6Nexthdr => (Type::Protocol, Reads::NextHeader),
        F::IcmpType => (Type::Named(&types::ICMP_TYPE), Reads::IcmpType),
        F::IcmpCode => (Type::Named(&types::ICMP_CODE), Reads::IcmpCode),
        F::Icmpv6Type => (Type::Named(&types::ICMPV6_TYPE), Reads::IcmpType),
        F::Icmpv6Code => (Type::Named(&types::ICMPV6_CODE), Reads::IcmpCode),
        F::IcmpChecksum
        | F::IcmpId
        | F::IcmpSequence
        | F::IcmpMtu
        | F::Icmpv6Checksum
        | F::Icmpv6Id
        | F::Icmpv6Sequence
        | F::Icmpv6MaxDelay
        | F::IgmpChecksum
        | F::CompCpi
        | F::UdpLength
        | F::UdpChecksum
        | F::UdpliteCsumcov
        | F::UdpliteChecksum
        | F::TcpWindow
        | F::TcpChecksum
        | F::TcpUrgptr
        | F::AhReserved => number(16),
        F::IcmpGateway
        | F::Icmpv6ParameterProblem
        | F::Icmpv6PacketTooBig
        | F::AhSpi
        | F::AhSequence
        | F::EspSpi
        | F::EspSequence
        | F::SctpVtag
        | F::SctpChecksum
        | F::TcpSequence
        | F::TcpAckseq => number(32),
        F::Icmpv6Taddr | F::Icmpv6Daddr => opaque(Type::Address(Family::Ipv6), Truth::Payload),
        F::IgmpType => named(&types::IGMP_TYPE),
        F::IgmpMrt | F::AhHdrlength | F::CompFlags => number(8),
        F::IgmpGroup => opaque(Type::Address(Family::Ipv4), Truth::Payload),
        F::AhNexthdr | F::CompNexthdr => opaque(Type::Protocol, Truth::Payload),
        F::UdpSport | F::UdpliteSport | F::SctpSport | F::DccpSport | F::TcpSport => {
            (Type::Service, Reads::Port(Field::SourcePort))
        }
        F::UdpDport | F::UdpliteDport | F::SctpDport | F::DccpDport | F::TcpDport => {
            (Type::Service, Reads::Port(Field::DestinationPort))
        }
        F::DccpType => named(&types::DCCP_TYPE),
        F::TcpDoff | F::TcpReserved => number(4),
        F::TcpFlags => (Type::Named(&types::TCP_FLAG), Reads::TcpFlags),
        F::TransportSport => return port_of_any(Field::SourcePort, Type::Service, text, context),
        F::TransportDport => return port_of_any(Field::DestinationPort, Type::Service, text, context),
        F::GreFlags => number(5),
        F::GreVersion => number(3),
        F::GreProtocol => named(&types::ETHER_TYPE),
        F::GeneveVni | F::VxlanVni => number(24),
        F::GeneveType => named(&types::ETHER_TYPE),
        F::VxlanFlags => number(8),
    };
    let mut needs = context.needs_of(header)?;
    match (types_that_have(field), context.message) {
        (Some(types), Some(message)) if !types.contains(&message) => {
            let needed = types.iter().find(|number| **number != 0).unwrap_or(&0);
            return Err(format!("incompatible icmp match: rule has {message}, need {needed}"));
        }
        // Whoever has named one of them is believed.
        (Some(_), Some(_)) | (None, _) => {}
        (Some(types), None) => {
            let values = types.iter().map(|number| (u128::from(*number) << 8, u128::from(*number) << 8 | 255));
            needs.push(Term::field(Field::DestinationPort, Set::from_ranges(values)));
        }
    }
    let behind = context.fragments && is_transport(header);
    Ok(Selector { kind, reads, needs, needs_if_not: Vec::new(), text, drawn: None, behind })
}

/// The ICMP types whose messages have the field; nft asks for one of them first.
pub(super) const fn types_that_have(field: HeaderField) -> Option<&'static [u8]> {
    match field {
        HeaderField::IcmpId | HeaderField::IcmpSequence => Some(&[0, 8]),
        HeaderField::IcmpGateway => Some(&[5]),
        HeaderField::IcmpMtu => Some(&[3]),
        HeaderField::Icmpv6Id | HeaderField::Icmpv6Sequence => Some(&[128, 129]),
        HeaderField::Icmpv6ParameterProblem => Some(&[4]),
        HeaderField::Icmpv6PacketTooBig => Some(&[2]),
        HeaderField::Icmpv6MaxDelay => Some(&[130]),
        HeaderField::Icmpv6Taddr => Some(&[135, 136, 137, 130, 131, 132]),
        HeaderField::Icmpv6Daddr => Some(&[137]),
        _ => None,
    }
}

/// Whether the header is behind that of IP, where later fragments have data (nft_payload.c).
const fn is_transport(header: Header) -> bool {
    match header {
        Header::Ether | Header::Vlan | Header::Arp | Header::Ip | Header::Ip6 => false,
        Header::Icmp
        | Header::Igmp
        | Header::Icmpv6
        | Header::Ah
        | Header::Esp
        | Header::Comp
        | Header::Udp
        | Header::Udplite
        | Header::Sctp
        | Header::Dccp
        | Header::Tcp
        | Header::Transport
        | Header::Gre
        | Header::Geneve
        | Header::Vxlan => true,
    }
}

fn port_of_any(field: Field, kind: Type, text: String, context: &Context) -> Result<Selector, String> {
    // Behind one protocol nft lists them as that protocol's.
    let header = match context.transport {
        Some(6) => "tcp",
        Some(17) => "udp",
        Some(33) => "dccp",
        Some(132) => "sctp",
        Some(136) => "udplite",
        Some(_) | None => "th",
    };
    let text = if header != "th" || text.starts_with('@') {
        format!("{header} {}", if field == Field::SourcePort { "sport" } else { "dport" })
    } else {
        text
    };
    let behind = context.fragments;
    let needs = Vec::new();
    Ok(Selector { kind, reads: Reads::AnyPort(field), needs, needs_if_not: Vec::new(), text, drawn: None, behind })
}

fn extension(field: ExtensionField, text: String) -> Result<Selector, String> {
    use ExtensionField as F;
    let kind = match field {
        F::HopByHopNexthdr | F::RoutingNexthdr | F::FragmentNexthdr | F::DestinationNexthdr | F::MobilityNexthdr => {
            Type::Protocol
        }
        F::MobilityType => Type::Named(&types::MOBILITY_TYPE),
        F::Routing0Addr | F::Routing2Addr | F::SegmentsSid => Type::Address(Family::Ipv6),
        F::FragmentMoreFragments => Type::Integer(1),
        F::FragmentReserved2 => Type::Integer(2),
        F::FragmentFragOff => Type::Integer(13),
        F::SegmentsTag | F::MobilityChecksum => Type::Integer(16),
        F::FragmentId => Type::Integer(32),
        F::HopByHopHdrlength
        | F::RoutingHdrlength
        | F::RoutingType
        | F::RoutingSegLeft
        | F::SegmentsLastEntry
        | F::SegmentsFlags
        | F::FragmentReserved
        | F::DestinationHdrlength
        | F::MobilityHdrlength
        | F::MobilityReserved => Type::Integer(8),
    };
    let reads = match field {
        F::FragmentFragOff => Reads::Ipv6Fragment,
        _ => Reads::Opaque { truth: Truth::Packet, absent: true },
    };
    let needs = vec![Term::Families(Families::only(Family::Ipv6))];
    Ok(Selector { kind, reads, needs, needs_if_not: Vec::new(), text, drawn: None, behind: false })
}
