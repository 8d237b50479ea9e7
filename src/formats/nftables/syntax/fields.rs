//! Keys and header fields as nft names them.

use super::keywords;

keywords! {
    /// The family of a table.
    Family { Ip = "ip", Ip6 = "ip6", Inet = "inet", Arp = "arp", Bridge = "bridge", Netdev = "netdev" }
}

keywords! {
    /// What the kernel knows of a packet beside its bytes.
    MetaKey {
        Length = "length", Protocol = "protocol", Priority = "priority", Random = "random", Mark = "mark", Iif = "iif",
        Iifname = "iifname", Iiftype = "iiftype", Oif = "oif", Oifname = "oifname", Oiftype = "oiftype", Skuid = "skuid",
        Skgid = "skgid", Nftrace = "nftrace", Rtclassid = "rtclassid", Ibrname = "ibrname", Obrname = "obrname",
        Pkttype = "pkttype", Cpu = "cpu", Iifgroup = "iifgroup", Oifgroup = "oifgroup", Cgroup = "cgroup",
        Ipsec = "ipsec", Iifkind = "iifkind", Oifkind = "oifkind", Ibrpvid = "ibrpvid", Ibrvproto = "ibrvproto",
        Ibrhwaddr = "ibrhwaddr", Time = "time", Day = "day", Hour = "hour", Nfproto = "nfproto", L4proto = "l4proto",
        Secmark = "secmark", Sdif = "sdif", Sdifname = "sdifname", Broute = "broute",
    }
}

impl MetaKey {
    /// The key of an older or shorter word for it.
    pub(in crate::formats::nftables) fn find(word: &[u8]) -> Option<Self> {
        match word {
            b"ibriport" | b"ibridgename" => Some(Self::Ibrname),
            b"obriport" | b"obridgename" => Some(Self::Obrname),
            b"secpath" => Some(Self::Ipsec),
            _ => Self::from_keyword(word),
        }
    }

    /// Whether the key can stand without `meta` before it.
    pub(in crate::formats::nftables) const fn stands_alone(self) -> bool {
        match self {
            Self::Mark
            | Self::Iif
            | Self::Iifname
            | Self::Iiftype
            | Self::Oif
            | Self::Oifname
            | Self::Oiftype
            | Self::Skuid
            | Self::Skgid
            | Self::Nftrace
            | Self::Rtclassid
            | Self::Ibrname
            | Self::Obrname
            | Self::Pkttype
            | Self::Cpu
            | Self::Iifgroup
            | Self::Oifgroup
            | Self::Cgroup
            | Self::Ipsec
            | Self::Time
            | Self::Day
            | Self::Hour => true,
            Self::Length
            | Self::Protocol
            | Self::Priority
            | Self::Random
            | Self::Iifkind
            | Self::Oifkind
            | Self::Ibrpvid
            | Self::Ibrvproto
            | Self::Ibrhwaddr
            | Self::Nfproto
            | Self::L4proto
            | Self::Secmark
            | Self::Sdif
            | Self::Sdifname
            | Self::Broute => false,
        }
    }
}

keywords! {
    /// What connection tracking knows.
    CtKey {
        State = "state", Direction = "direction", Status = "status", Mark = "mark", Expiration = "expiration",
        Helper = "helper", L3proto = "l3proto", Saddr = "saddr", Daddr = "daddr", Protocol = "protocol",
        ProtoSrc = "proto-src", ProtoDst = "proto-dst", Bytes = "bytes", Packets = "packets", Avgpkt = "avgpkt",
        Label = "label", Zone = "zone", Event = "event", Secmark = "secmark", Id = "id", IpSaddr = "ip saddr",
        IpDaddr = "ip daddr", Ip6Saddr = "ip6 saddr", Ip6Daddr = "ip6 daddr",
    }
}

keywords! {
    /// Of which direction of a connection.
    CtDirection { Original = "original", Reply = "reply" }
}

keywords! {
    /// What a lookup in the routing tables goes by.
    FibFlag { Saddr = "saddr", Daddr = "daddr", Mark = "mark", Iif = "iif", Oif = "oif" }
}

keywords! {
    /// What it gives. `Check` is written `check`, newer than 1.0.6.
    FibResult { Oif = "oif", Oifname = "oifname", Type = "type", Check = "check" }
}

keywords! {
    /// What is known of the route of a packet.
    RtKey {
        Classid = "classid", Nexthop = "nexthop", IpNexthop = "ip nexthop", Ip6Nexthop = "ip6 nexthop", Mtu = "mtu",
        Ipsec = "ipsec",
    }
}

keywords! {
    /// What is known of the local socket.
    SocketKey { Transparent = "transparent", Mark = "mark", Wildcard = "wildcard", Cgroupv2 = "cgroupv2" }
}

keywords! {
    /// What is known of the transformation of a packet.
    IpsecKey {
        Reqid = "reqid", Spi = "spi", IpSaddr = "ip saddr", IpDaddr = "ip daddr", Ip6Saddr = "ip6 saddr",
        Ip6Daddr = "ip6 daddr",
    }
}

keywords! {
    /// A field of a TCP option.
    TcpOptionField {
        Kind = "kind", Length = "length", Size = "size", Count = "count", Left = "left", Right = "right", Tsval = "tsval",
        Tsecr = "tsecr", Subtype = "subtype",
    }
}

keywords! {
    /// A field of an IPv4 option.
    IpOptionField { Type = "type", Length = "length", Value = "value", Ptr = "ptr", Addr = "addr" }
}

keywords! {
    /// A field of an SCTP chunk.
    SctpField {
        Type = "type", Flags = "flags", Length = "length", Tsn = "tsn", Stream = "stream", Ssn = "ssn", Ppid = "ppid",
        InitTag = "init-tag", ARwnd = "a-rwnd", NumOutStreams = "num-outbound-streams",
        NumInStreams = "num-inbound-streams", InitialTsn = "initial-tsn", CumTsnAck = "cum-tsn-ack",
        NumGapAckBlocks = "num-gap-ack-blocks", NumDupTsns = "num-dup-tsns", LowestTsn = "lowest-tsn", Seqno = "seqno",
        NewCumTsn = "new-cum-tsn",
    }
}

/// Declares headers and their fields.
macro_rules! headers {
    ($($header:ident $word:literal { $($field:ident = $name:literal),* $(,)? })*) => {
        keywords! {
            /// A header of a packet.
            Header { $($header = $word),* }
        }

        /// A field of a header.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub(in crate::formats::nftables) enum Field { $($($field),*),* }

        impl Field {
            pub(in crate::formats::nftables) const ALL: &[Self] = &[$($(Self::$field),*),*];

            /// The header that it is of.
            pub(in crate::formats::nftables) const fn header(self) -> Header {
                match self { $($(Self::$field)|* => Header::$header),* }
            }

            /// Its name within the header; for ARP's addresses, two words.
            pub(in crate::formats::nftables) const fn name(self) -> &'static str {
                match self { $($(Self::$field => $name),*),* }
            }
        }
    };
}

headers! {
    Ether "ether" { EtherSaddr = "saddr", EtherDaddr = "daddr", EtherType = "type" }
    Vlan "vlan" { VlanId = "id", VlanDei = "dei", VlanPcp = "pcp", VlanType = "type" }
    Arp "arp" { ArpHtype = "htype", ArpPtype = "ptype", ArpHlen = "hlen", ArpPlen = "plen", ArpOperation = "operation", ArpSaddrIp = "saddr ip", ArpDaddrIp = "daddr ip", ArpSaddrEther = "saddr ether", ArpDaddrEther = "daddr ether" }
    Ip "ip" { IpVersion = "version", IpHdrlength = "hdrlength", IpDscp = "dscp", IpEcn = "ecn", IpLength = "length", IpId = "id", IpFragOff = "frag-off", IpTtl = "ttl", IpProtocol = "protocol", IpChecksum = "checksum", IpSaddr = "saddr", IpDaddr = "daddr" }
    Icmp "icmp" { IcmpType = "type", IcmpCode = "code", IcmpChecksum = "checksum", IcmpId = "id", IcmpSequence = "sequence", IcmpGateway = "gateway", IcmpMtu = "mtu" }
    Igmp "igmp" { IgmpType = "type", IgmpMrt = "mrt", IgmpChecksum = "checksum", IgmpGroup = "group" }
    Ip6 "ip6" { Ip6Version = "version", Ip6Dscp = "dscp", Ip6Ecn = "ecn", Ip6Flowlabel = "flowlabel", Ip6Length = "length", Ip6Nexthdr = "nexthdr", Ip6Hoplimit = "hoplimit", Ip6Saddr = "saddr", Ip6Daddr = "daddr" }
    Icmpv6 "icmpv6" { Icmpv6Type = "type", Icmpv6Code = "code", Icmpv6Checksum = "checksum", Icmpv6ParameterProblem = "parameter-problem", Icmpv6PacketTooBig = "packet-too-big", Icmpv6Id = "id", Icmpv6Sequence = "sequence", Icmpv6MaxDelay = "max-delay", Icmpv6Taddr = "taddr", Icmpv6Daddr = "daddr" }
    Ah "ah" { AhNexthdr = "nexthdr", AhHdrlength = "hdrlength", AhReserved = "reserved", AhSpi = "spi", AhSequence = "sequence" }
    Esp "esp" { EspSpi = "spi", EspSequence = "sequence" }
    Comp "comp" { CompNexthdr = "nexthdr", CompFlags = "flags", CompCpi = "cpi" }
    Udp "udp" { UdpSport = "sport", UdpDport = "dport", UdpLength = "length", UdpChecksum = "checksum" }
    Udplite "udplite" { UdpliteSport = "sport", UdpliteDport = "dport", UdpliteCsumcov = "csumcov", UdpliteChecksum = "checksum" }
    Sctp "sctp" { SctpSport = "sport", SctpDport = "dport", SctpVtag = "vtag", SctpChecksum = "checksum" }
    Dccp "dccp" { DccpSport = "sport", DccpDport = "dport", DccpType = "type" }
    Tcp "tcp" { TcpSport = "sport", TcpDport = "dport", TcpSequence = "sequence", TcpAckseq = "ackseq", TcpDoff = "doff", TcpReserved = "reserved", TcpFlags = "flags", TcpWindow = "window", TcpChecksum = "checksum", TcpUrgptr = "urgptr" }
    Transport "th" { TransportSport = "sport", TransportDport = "dport" }
    Gre "gre" { GreFlags = "flags", GreVersion = "version", GreProtocol = "protocol" }
    Geneve "geneve" { GeneveVni = "vni", GeneveType = "type" }
    Vxlan "vxlan" { VxlanVni = "vni", VxlanFlags = "flags" }
}

impl Field {
    /// The field of that name in a header.
    pub(in crate::formats::nftables) fn find(header: Header, name: &[u8]) -> Option<Self> {
        let name: &[u8] = if header == Header::Vlan && name == b"cfi" { b"dei" } else { name };
        Self::ALL.iter().copied().find(|field| field.header() == header && field.name().as_bytes() == name)
    }
}

/// Declares the IPv6 extension headers and their fields.
macro_rules! extension_headers {
    ($($word:literal { $($field:ident = $name:literal),* $(,)? })*) => {
        /// A field of an IPv6 extension header.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub(in crate::formats::nftables) enum ExtensionField { $($($field),*),* }

        impl ExtensionField {
            pub(in crate::formats::nftables) const ALL: &[Self] = &[$($(Self::$field),*),*];

            /// The word for the header.
            pub(in crate::formats::nftables) const fn header(self) -> &'static str {
                match self { $($(Self::$field)|* => $word),* }
            }

            /// Its name within the header.
            pub(in crate::formats::nftables) const fn name(self) -> &'static str {
                match self { $($(Self::$field => $name),*),* }
            }
        }
    };
}

extension_headers! {
    "hbh" { HopByHopNexthdr = "nexthdr", HopByHopHdrlength = "hdrlength" }
    "rt" { RoutingNexthdr = "nexthdr", RoutingHdrlength = "hdrlength", RoutingType = "type", RoutingSegLeft = "seg-left" }
    "rt0" { Routing0Addr = "addr" }
    "rt2" { Routing2Addr = "addr" }
    "srh" { SegmentsLastEntry = "last-entry", SegmentsFlags = "flags", SegmentsTag = "tag", SegmentsSid = "sid" }
    "frag" { FragmentNexthdr = "nexthdr", FragmentReserved = "reserved", FragmentFragOff = "frag-off", FragmentReserved2 = "reserved2", FragmentMoreFragments = "more-fragments", FragmentId = "id" }
    "dst" { DestinationNexthdr = "nexthdr", DestinationHdrlength = "hdrlength" }
    "mh" { MobilityNexthdr = "nexthdr", MobilityHdrlength = "hdrlength", MobilityType = "type", MobilityReserved = "reserved", MobilityChecksum = "checksum" }
}

impl ExtensionField {
    /// The field of that name in a header.
    pub(in crate::formats::nftables) fn find(header: &[u8], name: &[u8]) -> Option<Self> {
        let of = |field: &Self| field.header().as_bytes() == header && field.name().as_bytes() == name;
        Self::ALL.iter().copied().find(of)
    }
}
