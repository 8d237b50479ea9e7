//! The matches of iptables-extensions(8) and their options. What an option means is said once, here; what is not here is
//! unknown.

use super::extensions::{Demands, Meaning, Module, NOTHING, Truth, c, flag, module, option, or, usual};
use super::forms::{Form, HASHLIMIT, LIMIT};
use super::ruleset::{Hook, TableKind};
use crate::net::Family;

macro_rules! ports {
    ($($more:expr),*) => {
        &[
            option("source-port", 1, Meaning::SourcePort),
            option("sport", 1, Meaning::SourcePort).told("source-port"),
            option("destination-port", 1, Meaning::DestinationPort),
            option("dport", 1, Meaning::DestinationPort).told("destination-port"),
            $($more),*
        ]
    };
}

const fn of(protocols: &'static [u8]) -> Demands {
    Demands { protocols, ..NOTHING }
}

const fn needing(needs: &'static [&'static [&'static str]]) -> Demands {
    Demands { needs, ..NOTHING }
}

const fn only(family: Family) -> Demands {
    Demands { family: Some(family), ..NOTHING }
}

/// Where packets have come in, …
const COMING: &[Hook] = &[Hook::Prerouting, Hook::Input, Hook::Forward];
/// … where they are about to leave, …
const LEAVING: &[Hook] = &[Hook::Forward, Hook::Output, Hook::Postrouting];
/// … where a process of this host sends them, …
const SENT: &[Hook] = &[Hook::Output, Hook::Postrouting];
/// … and where one may get them.
const GOT: &[Hook] = &[Hook::Prerouting, Hook::Input];

const WORD: u64 = u32::MAX as u64;
const PORT: u64 = u16::MAX as u64;
const BYTE: u64 = u8::MAX as u64;

const DIRECTIONS: &[(&str, &str)] = &[("original", "original"), ("reply", "reply"), ("both", "both")];

/// libxt_addrtype.c, `rtn_names`.
const ADDRESS_TYPES: Form = Form::Some {
    of: &[
        "UNSPEC",
        "UNICAST",
        "LOCAL",
        "BROADCAST",
        "ANYCAST",
        "MULTICAST",
        "BLACKHOLE",
        "UNREACHABLE",
        "PROHIBIT",
        "THROW",
        "NAT",
        "XRESOLVE",
    ],
    cut: true,
};

pub(super) static MODULES: &[Module] = &[
    module(
        "tcp",
        Truth::Packet,
        ports![
            option("syn", 0, Meaning::Syn),
            option("tcp-flags", 2, Meaning::TcpFlags),
            c("tcp-option", Form::Number(1, BYTE))
        ],
    )
    .demanding(Demands { apart: &[&["syn", "tcp-flags"]], ..of(&[6]) }),
    module("udp", Truth::Packet, ports![]).demanding(of(&[17])),
    module("udplite", Truth::Packet, ports![]).demanding(of(&[136])),
    module("sctp", Truth::Packet, ports![option("chunk-types", 2, Meaning::Condition)]).demanding(of(&[132])),
    module(
        "dccp",
        Truth::Packet,
        ports![
            c(
                "dccp-types",
                Form::Some {
                    of: &[
                        "REQUEST", "RESPONSE", "DATA", "ACK", "DATAACK", "CLOSEREQ", "CLOSE", "RESET", "SYNC",
                        "SYNCACK", "INVALID",
                    ],
                    cut: false,
                }
            ),
            c("dccp-option", Form::Number(1, BYTE))
        ],
    )
    .demanding(of(&[33])),
    module("icmp", Truth::Packet, &[option("icmp-type", 1, Meaning::Icmp)])
        .demanding(Demands { protocols: &[1], ..only(Family::Ipv4) }),
    module("icmp6", Truth::Packet, &[option("icmpv6-type", 1, Meaning::Icmp)])
        .demanding(Demands { protocols: &[58], ..only(Family::Ipv6) }),
    module(
        "multiport",
        Truth::Packet,
        &[
            option("source-ports", 1, Meaning::SourcePorts),
            option("sports", 1, Meaning::SourcePorts).told("source-ports"),
            option("destination-ports", 1, Meaning::DestinationPorts),
            option("dports", 1, Meaning::DestinationPorts).told("destination-ports"),
            option("ports", 1, Meaning::EitherPorts),
        ],
    )
    .demanding(of(&[6, 17, 33, 132, 136])),
    module(
        "iprange",
        Truth::Packet,
        &[option("src-range", 1, Meaning::SourceRange), option("dst-range", 1, Meaning::DestinationRange)],
    ),
    module("state", Truth::Packet, &[option("state", 1, Meaning::States)]),
    module(
        "conntrack",
        Truth::Packet,
        &[
            option("ctstate", 1, Meaning::States).told("state"),
            c("ctproto", Form::Protocol),
            c("ctorigsrc", Form::Address),
            c("ctorigdst", Form::Address),
            c("ctreplsrc", Form::Address),
            c("ctrepldst", Form::Address),
            c("ctorigsrcport", Form::Ports),
            c("ctorigdstport", Form::Ports),
            c("ctreplsrcport", Form::Ports),
            c("ctrepldstport", Form::Ports),
            c("ctstatus", Form::Some { of: &["NONE", "EXPECTED", "SEEN_REPLY", "ASSURED", "CONFIRMED"], cut: true }),
            c("ctexpire", Form::Range(WORD)),
            c("ctdir", Form::OneOf(&[("original", "ORIGINAL"), ("reply", "REPLY")])),
        ],
    ),
    module("comment", Truth::Packet, &[option("comment", 1, Meaning::Comment)]),
    module(
        "limit",
        Truth::Occurrence,
        &[c("limit", Form::Rate(LIMIT)), or("limit-burst", Form::Number(0, 10_000), "5")],
    ),
    module(
        "hashlimit",
        Truth::Buckets,
        &[
            c("hashlimit", Form::Rate(HASHLIMIT)).told("hashlimit-upto"),
            c("hashlimit-upto", Form::Rate(HASHLIMIT)),
            c("hashlimit-above", Form::Rate(HASHLIMIT)),
            c("hashlimit-mode", Form::Some { of: &["srcip", "srcport", "dstip", "dstport"], cut: false }),
            c("hashlimit-name", Form::Text),
            or("hashlimit-burst", Form::Text, "5"),
            c("hashlimit-srcmask", Form::Number(0, 128)),
            c("hashlimit-dstmask", Form::Number(0, 128)),
            c("hashlimit-htable-size", Form::Number(0, WORD)),
            c("hashlimit-htable-max", Form::Number(0, WORD)),
            or("hashlimit-htable-gcinterval", Form::Number(0, WORD), "1000"),
            c("hashlimit-htable-expire", Form::Number(0, WORD)),
            flag("hashlimit-rate-match"),
            c("hashlimit-rate-interval", Form::Number(0, WORD)),
        ],
    )
    .demanding(Demands {
        needs: &[&["hashlimit-name"], &["hashlimit", "hashlimit-upto", "hashlimit-above"]],
        apart: &[&["hashlimit", "hashlimit-upto", "hashlimit-above"]],
        ..NOTHING
    }),
    module(
        "connlimit",
        Truth::Occurrence,
        &[
            c("connlimit-above", Form::Number(0, WORD)),
            c("connlimit-upto", Form::Number(0, WORD)),
            c("connlimit-mask", Form::NumberOrName(128)),
            usual("connlimit-saddr"),
            flag("connlimit-daddr"),
        ],
    )
    .demanding(Demands {
        needs: &[&["connlimit-above", "connlimit-upto"]],
        apart: &[&["connlimit-above", "connlimit-upto"], &["connlimit-saddr", "connlimit-daddr"]],
        ..NOTHING
    }),
    module("quota", Truth::Occurrence, &[c("quota", Form::Number(0, u64::MAX))]).demanding(needing(&[&["quota"]])),
    module("nfacct", Truth::Counters, &[c("nfacct-name", Form::Text)]).demanding(needing(&[&["nfacct-name"]])),
    module(
        "statistic",
        Truth::Occurrence,
        &[
            c("mode", Form::OneOf(&[("random", "random"), ("nth", "nth")])),
            c("probability", Form::Probability),
            c("every", Form::Number(1, WORD)),
            or("packet", Form::Number(0, WORD), "0"),
        ],
    )
    .demanding(Demands {
        needs: &[&["mode"], &["probability", "every"]],
        apart: &[&["probability", "every"]],
        with: &[("every", "packet"), ("packet", "every")],
        ..NOTHING
    }),
    module(
        "rateest",
        Truth::Counters,
        &[
            c("rateest", Form::Text),
            c("rateest1", Form::Text),
            c("rateest2", Form::Text),
            c("rateest-bps", Form::Text),
            c("rateest-pps", Form::Text),
            c("rateest-bps1", Form::Text),
            c("rateest-pps1", Form::Text),
            c("rateest-bps2", Form::Text),
            c("rateest-pps2", Form::Text),
            flag("rateest-delta"),
            flag("rateest-lt"),
            flag("rateest-gt"),
            flag("rateest-eq"),
        ],
    )
    .demanding(needing(&[&["rateest", "rateest1"], &["rateest-lt", "rateest-gt", "rateest-eq"]])),
    module(
        "recent",
        Truth::Recent,
        &[
            flag("set"),
            flag("rcheck"),
            flag("update"),
            flag("remove"),
            c("seconds", Form::Number(1, WORD)),
            flag("reap"),
            or("hitcount", Form::Number(0, WORD), "0"),
            flag("rttl"),
            or("name", Form::List, "DEFAULT"),
            usual("rsource"),
            flag("rdest"),
            c("mask", Form::Text),
        ],
    )
    .demanding(Demands {
        needs: &[&["set", "rcheck", "update", "remove"]],
        apart: &[
            &["set", "rcheck", "update", "remove"],
            &["set", "seconds"],
            &["set", "hitcount"],
            &["set", "rttl"],
            &["remove", "seconds"],
            &["remove", "hitcount"],
            &["remove", "rttl"],
        ],
        with: &[("reap", "seconds")],
        ..NOTHING
    }),
    module(
        "time",
        Truth::Packet,
        &[
            or("datestart", Form::Date, "1970-01-01T00:00:00"),
            or("datestop", Form::Date, "2038-01-19T03:14:07"),
            or("timestart", Form::Time, "00:00:00"),
            or("timestop", Form::Time, "23:59:59"),
            or("monthdays", Form::Monthdays, ALL_MONTH),
            or("weekdays", Form::Weekdays, "Mon,Tue,Wed,Thu,Fri,Sat,Sun"),
            flag("localtz").told("kerneltz"),
            flag("kerneltz"),
            usual("utc"),
            flag("contiguous"),
        ],
    )
    .demanding(Demands { apart: &[&["localtz", "kerneltz", "utc"]], ..NOTHING }),
    module(
        "owner",
        Truth::Packet,
        &[c("uid-owner", Form::Owner), c("gid-owner", Form::Owner), flag("socket-exists"), flag("suppl-groups")],
    )
    .demanding(Demands {
        hooks: SENT,
        needs: &[&["uid-owner", "gid-owner", "socket-exists"]],
        with: &[("suppl-groups", "gid-owner")],
        ..NOTHING
    }),
    module("mac", Truth::Packet, &[c("mac-source", Form::Text)])
        .demanding(Demands { hooks: COMING, ..needing(&[&["mac-source"]]) }),
    module("mark", Truth::Marks, &[c("mark", Form::Masked)]).demanding(needing(&[&["mark"]])),
    module("connmark", Truth::Marks, &[c("mark", Form::Masked)]).demanding(needing(&[&["mark"]])),
    module("connlabel", Truth::Marks, &[c("label", Form::NumberOrName(127)), flag("set")])
        .demanding(needing(&[&["label"]])),
    module(
        "connbytes",
        Truth::Packet,
        &[
            c("connbytes", Form::From),
            c("connbytes-dir", Form::OneOf(DIRECTIONS)),
            c("connbytes-mode", Form::OneOf(&[("packets", "packets"), ("bytes", "bytes"), ("avgpkt", "avgpkt")])),
        ],
    )
    .demanding(needing(&[&["connbytes"], &["connbytes-dir"], &["connbytes-mode"]])),
    module(
        "set",
        Truth::Sets,
        &[
            option("match-set", 2, Meaning::Condition),
            option("set", 2, Meaning::Condition).told("match-set"),
            flag("return-nomatch"),
            flag("update-counters"),
            flag("update-subcounters"),
            c("packets-eq", Form::Text),
            c("packets-lt", Form::Text),
            c("packets-gt", Form::Text),
            c("bytes-eq", Form::Text),
            c("bytes-lt", Form::Text),
            c("bytes-gt", Form::Text),
        ],
    )
    .demanding(needing(&[&["match-set", "set"]])),
    module(
        "string",
        Truth::Bytes,
        &[
            c("algo", Form::Text),
            or("from", Form::Number(0, PORT), "0"),
            or("to", Form::Number(0, PORT), "65535"),
            c("string", Form::Bytes { hex: false }),
            c("hex-string", Form::Bytes { hex: true }).told("string"),
            flag("icase"),
        ],
    )
    .demanding(Demands {
        needs: &[&["algo"], &["string", "hex-string"]],
        apart: &[&["string", "hex-string"]],
        ..NOTHING
    }),
    module("u32", Truth::Bytes, &[c("u32", Form::U32)]).demanding(needing(&[&["u32"]])),
    module(
        "addrtype",
        Truth::Packet,
        &[
            c("src-type", ADDRESS_TYPES),
            c("dst-type", ADDRESS_TYPES),
            flag("limit-iface-in").at(COMING),
            flag("limit-iface-out").at(LEAVING),
        ],
    )
    .demanding(Demands {
        needs: &[&["src-type", "dst-type"]],
        apart: &[&["limit-iface-in", "limit-iface-out"]],
        ..NOTHING
    }),
    module(
        "pkttype",
        Truth::Packet,
        &[c(
            "pkt-type",
            Form::OneOf(&[
                ("unicast", "unicast"),
                ("host", "unicast"),
                ("broadcast", "broadcast"),
                ("bcast", "broadcast"),
                ("multicast", "multicast"),
                ("mcast", "multicast"),
                ("otherhost", "otherhost"),
            ]),
        )],
    )
    .demanding(needing(&[&["pkt-type"]])),
    module("rpfilter", Truth::Packet, &[flag("loose"), flag("validmark"), flag("accept-local"), flag("invert")])
        .demanding(Demands { tables: &[TableKind::Raw, TableKind::Mangle], hooks: &[Hook::Prerouting], ..NOTHING }),
    module(
        "policy",
        Truth::Packet,
        &[
            c("dir", Form::OneOf(&[("in", "in"), ("out", "out")])),
            c("pol", Form::OneOf(&[("ipsec", "ipsec"), ("none", "none")])).or("ipsec"),
            flag("strict"),
            c("reqid", Form::Number(0, WORD)),
            c("spi", Form::Hex(WORD)),
            c("proto", Form::Protocol),
            c("mode", Form::OneOf(&[("transport", "transport"), ("tunnel", "tunnel")])),
            c("tunnel-src", Form::Address),
            c("tunnel-dst", Form::Address),
            flag("next"),
        ],
    )
    .demanding(Demands {
        needs: &[&["dir"]],
        with: &[("next", "strict"), ("tunnel-src", "mode"), ("tunnel-dst", "mode")],
        ..NOTHING
    }),
    module(
        "physdev",
        Truth::Packet,
        &[
            c("physdev-in", Form::Text),
            c("physdev-out", Form::Text),
            flag("physdev-is-in"),
            flag("physdev-is-out"),
            flag("physdev-is-bridged"),
        ],
    )
    .demanding(needing(&[&["physdev-in", "physdev-out", "physdev-is-in", "physdev-is-out", "physdev-is-bridged"]])),
    module(
        "rt",
        Truth::Packet,
        &[
            c("rt-type", Form::Number(0, WORD)),
            c("rt-segsleft", Form::Range(WORD)),
            c("rt-len", Form::Number(0, WORD)),
            flag("rt-0-res"),
            c("rt-0-addrs", Form::Text),
            flag("rt-0-not-strict"),
        ],
    )
    .demanding(Demands {
        with: &[("rt-0-res", "rt-type"), ("rt-0-addrs", "rt-type"), ("rt-0-not-strict", "rt-0-addrs")],
        ..only(Family::Ipv6)
    }),
    module(
        "frag",
        Truth::Packet,
        &[
            c("fragid", Form::Range(WORD)),
            c("fraglen", Form::Number(0, WORD)),
            flag("fragres"),
            flag("fragfirst"),
            flag("fragmore"),
            flag("fraglast"),
        ],
    )
    .demanding(Demands { apart: &[&["fragmore", "fraglast"]], ..only(Family::Ipv6) }),
    module(
        "hl",
        Truth::Hops,
        &[c("hl-eq", Form::Number(0, BYTE)), c("hl-lt", Form::Number(0, BYTE)), c("hl-gt", Form::Number(0, BYTE))],
    )
    .demanding(Demands {
        needs: &[&["hl-eq", "hl-lt", "hl-gt"]],
        apart: &[&["hl-eq", "hl-lt", "hl-gt"]],
        ..only(Family::Ipv6)
    }),
    module(
        "ttl",
        Truth::Hops,
        &[
            c("ttl", Form::Number(0, BYTE)).told("ttl-eq"),
            c("ttl-eq", Form::Number(0, BYTE)),
            c("ttl-lt", Form::Number(0, BYTE)),
            c("ttl-gt", Form::Number(0, BYTE)),
        ],
    )
    .demanding(Demands {
        needs: &[&["ttl", "ttl-eq", "ttl-lt", "ttl-gt"]],
        apart: &[&["ttl", "ttl-eq", "ttl-lt", "ttl-gt"]],
        ..only(Family::Ipv4)
    }),
    module("dscp", Truth::Service, &[c("dscp", Form::Hex(63)), c("dscp-class", Form::ServiceClass).told("dscp")])
        .demanding(Demands { needs: &[&["dscp", "dscp-class"]], apart: &[&["dscp", "dscp-class"]], ..NOTHING }),
    module("tos", Truth::Service, &[c("tos", Form::Service)]).demanding(needing(&[&["tos"]])),
    module("ecn", Truth::Service, &[flag("ecn-tcp-cwr"), flag("ecn-tcp-ece"), c("ecn-ip-ect", Form::Number(0, 3))])
        .demanding(needing(&[&["ecn-tcp-cwr", "ecn-tcp-ece", "ecn-ip-ect"]])),
    module("length", Truth::Packet, &[c("length", Form::Range(PORT))]).demanding(needing(&[&["length"]])),
    module("helper", Truth::Packet, &[c("helper", Form::Text)]).demanding(needing(&[&["helper"]])),
    module(
        "cluster",
        Truth::Packet,
        &[
            c("cluster-total-nodes", Form::Number(1, 32)),
            c("cluster-local-node", Form::Node).told("cluster-local-nodemask"),
            c("cluster-local-nodemask", Form::Number(1, WORD)),
            c("cluster-hash-seed", Form::Number(0, WORD)),
        ],
    )
    .demanding(Demands {
        needs: &[&["cluster-local-node", "cluster-local-nodemask"], &["cluster-total-nodes"], &["cluster-hash-seed"]],
        apart: &[&["cluster-local-node", "cluster-local-nodemask"]],
        ..NOTHING
    }),
    module("bpf", Truth::Bytes, &[c("bytecode", Form::Bytecode), c("object-pinned", Form::Text)])
        .demanding(needing(&[&["bytecode", "object-pinned"]])),
    module("socket", Truth::Packet, &[flag("transparent"), flag("nowildcard"), flag("restore-skmark")])
        .demanding(Demands { hooks: GOT, ..NOTHING }),
    module(
        "ah",
        Truth::Packet,
        &[or("ahspi", Form::Range(WORD), ALL), c("ahlen", Form::Number(0, WORD)), flag("ahres")],
    )
    .demanding(of(&[51])),
    module("esp", Truth::Packet, &[or("espspi", Form::Range(WORD), ALL)]).demanding(of(&[50])),
    module("ipcomp", Truth::Packet, &[or("ipcompspi", Form::Range(WORD), ALL), flag("compres")]).demanding(of(&[108])),
    module("hbh", Truth::Packet, &[c("hbh-len", Form::Number(0, WORD)), c("hbh-opts", Form::Text)])
        .demanding(only(Family::Ipv6)),
    module("dst", Truth::Packet, &[c("dst-len", Form::Number(0, WORD)), c("dst-opts", Form::Text)])
        .demanding(only(Family::Ipv6)),
    module("eui64", Truth::Packet, &[]).demanding(Demands { hooks: COMING, ..only(Family::Ipv6) }),
    module("ipv6header", Truth::Packet, &[c("header", Form::Text), flag("soft")])
        .demanding(Demands { needs: &[&["header"]], ..only(Family::Ipv6) }),
    module("mh", Truth::Packet, &[c("mh-type", Form::Text)])
        .demanding(Demands { protocols: &[135], ..only(Family::Ipv6) }),
    module(
        "srh",
        Truth::Packet,
        &[
            c("srh-next-hdr", Form::Number(0, BYTE)),
            c("srh-hdr-len-eq", Form::Number(0, BYTE)),
            c("srh-hdr-len-gt", Form::Number(0, BYTE)),
            c("srh-hdr-len-lt", Form::Number(0, BYTE)),
            c("srh-segs-left-eq", Form::Number(0, BYTE)),
            c("srh-segs-left-gt", Form::Number(0, BYTE)),
            c("srh-segs-left-lt", Form::Number(0, BYTE)),
            c("srh-last-entry-eq", Form::Number(0, BYTE)),
            c("srh-last-entry-gt", Form::Number(0, BYTE)),
            c("srh-last-entry-lt", Form::Number(0, BYTE)),
            c("srh-tag", Form::Number(0, PORT)),
            c("srh-psid", Form::Address),
            c("srh-nsid", Form::Address),
            c("srh-lsid", Form::Address),
        ],
    )
    .demanding(only(Family::Ipv6)),
    module("realm", Truth::Packet, &[c("realm", Form::MaskedOrName)]).demanding(Demands {
        hooks: &[Hook::Input, Hook::Forward, Hook::Output, Hook::Postrouting],
        needs: &[&["realm"]],
        ..only(Family::Ipv4)
    }),
    module("cgroup", Truth::Packet, &[c("path", Form::Text), c("cgroup", Form::Number(0, WORD))])
        .demanding(Demands { hooks: &[Hook::Input, Hook::Output, Hook::Postrouting], ..NOTHING }),
    module("cpu", Truth::Packet, &[c("cpu", Form::Number(0, WORD))]).demanding(needing(&[&["cpu"]])),
    module(
        "devgroup",
        Truth::Packet,
        &[c("src-group", Form::MaskedOrName).at(COMING), c("dst-group", Form::MaskedOrName).at(LEAVING)],
    )
    .demanding(needing(&[&["src-group", "dst-group"]])),
    module(
        "ipvs",
        Truth::Packet,
        &[
            flag("ipvs"),
            c("vproto", Form::Text),
            c("vaddr", Form::Text),
            c("vport", Form::Text),
            c("vdir", Form::Text),
            c("vmethod", Form::Text),
            c("vportctl", Form::Text),
        ],
    ),
    module("osf", Truth::Packet, &[c("genre", Form::Text), c("ttl", Form::Number(0, 2)), c("log", Form::Number(0, 2))])
        .demanding(Demands { hooks: COMING, protocols: &[6], needs: &[&["genre"]], ..only(Family::Ipv4) }),
    module("tcpmss", Truth::Bytes, &[c("mss", Form::Range(PORT))])
        .demanding(Demands { needs: &[&["mss"]], ..of(&[6]) }),
];

/// All security parameter indexes.
const ALL: &str = "0:4294967295";

const ALL_MONTH: &str = "1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31";
