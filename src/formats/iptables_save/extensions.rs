//! The matches and targets of iptables-extensions(8) and their options. What an option means is said once, here;
//! what is not here is unknown.

/// A match module.
#[derive(Debug)]
pub(super) struct Module {
    pub(super) name: &'static str,
    /// What the truth of its opaque options depends on.
    pub(super) truth: Truth,
    pub(super) options: &'static [Spec],
}

/// An option of a match or target.
#[derive(Debug)]
pub(super) struct Spec {
    pub(super) name: &'static str,
    /// How many arguments follow.
    pub(super) arguments: usize,
    pub(super) meaning: Meaning,
    /// The argument that means the same as leaving the option out.
    pub(super) default: Option<&'static str>,
}

/// What an option of a match says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    SourcePort,
    DestinationPort,
    /// A list of ports, `multiport`.
    SourcePorts,
    DestinationPorts,
    EitherPorts,
    TcpFlags,
    Syn,
    Icmp,
    States,
    SourceRange,
    DestinationRange,
    /// A remark of the writer.
    Comment,
    /// A part of a condition whose truth is not in the file.
    Condition,
    /// An option of a target; the target says what becomes of it.
    OfTarget,
}

/// What the truth of an opaque condition is a function of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Truth {
    /// The packet, its socket and the host: the same text is the same truth everywhere.
    Packet,
    /// What went before at this very rule (a bucket, a counter): each occurrence has its own truth.
    Occurrence,
    /// The packet or connection mark, which other rules write.
    Marks,
    /// A `recent` list, which other rules fill.
    Recent,
    /// An IP set, which other rules may fill.
    Sets,
    /// The hop limit, which other rules may write.
    Hops,
    /// The type-of-service byte, which other rules may write.
    Service,
    /// Bytes of the packet that no field of the model is, which other rules may write.
    Bytes,
}

/// A target.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) name: &'static str,
    pub(super) effect: Effect,
    pub(super) options: &'static [Spec],
}

/// What a target does with a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    Accept,
    Deny,
    Return,
    /// The packet goes on to the next rule unchanged in everything a filter looks at; the word says why.
    Inert(&'static str),
    /// The packet goes on; what it writes is read by the matches of that truth.
    Writes(Truth),
    /// It changes which state later packets of the connection are in.
    Tracking,
    /// Addresses are rewritten. `early`: before the filters decide.
    Translation {
        early: bool,
    },
    /// Somebody outside the rules decides; the packet passes or is gone. `proxy`: if it passes, to a socket of another address.
    Elsewhere {
        proxy: bool,
    },
    /// A copy goes elsewhere; the packet goes on.
    Copy,
    /// The packet passes, is gone or goes on.
    Any,
}

const fn option(name: &'static str, arguments: usize, meaning: Meaning) -> Spec {
    Spec { name, arguments, meaning, default: None }
}

/// A part of an opaque condition with one argument, …
const fn c(name: &'static str) -> Spec {
    option(name, 1, Meaning::Condition)
}

/// … with none, …
const fn flag(name: &'static str) -> Spec {
    option(name, 0, Meaning::Condition)
}

/// … or one whose argument may be the default.
const fn or(name: &'static str, default: &'static str) -> Spec {
    Spec { name, arguments: 1, meaning: Meaning::Condition, default: Some(default) }
}

/// A flag that says what holds without it.
const fn usual(name: &'static str) -> Spec {
    Spec { name, arguments: 0, meaning: Meaning::Condition, default: Some("") }
}

/// An option of a target.
const fn t(name: &'static str) -> Spec {
    option(name, 1, Meaning::OfTarget)
}

const fn tflag(name: &'static str) -> Spec {
    option(name, 0, Meaning::OfTarget)
}

const fn module(name: &'static str, truth: Truth, options: &'static [Spec]) -> Module {
    Module { name, truth, options }
}

const fn target(name: &'static str, effect: Effect, options: &'static [Spec]) -> Target {
    Target { name, effect, options }
}

impl Module {
    /// The module of that name.
    pub(super) fn find(name: &str) -> Option<&'static Self> {
        let name = match name {
            "icmpv6" | "ipv6-icmp" => "icmp6",
            "ipv6-mh" | "mobility-header" => "mh",
            other => other,
        };
        MODULES.iter().find(|module| module.name == name)
    }

    /// Whether the option after `!` holds wherever it does not hold without: the kernel's match has no packet to which it
    /// says no either way, as others do where there is no Ethernet or extension header.
    pub(super) fn is_total(&self) -> bool {
        matches!(
            self.name,
            "addrtype"
                | "connlabel"
                | "connlimit"
                | "cpu"
                | "devgroup"
                | "dscp"
                | "helper"
                | "hl"
                | "length"
                | "mark"
                | "owner"
                | "physdev"
                | "pkttype"
                | "quota"
                | "rateest"
                | "realm"
                | "recent"
                | "set"
                | "state"
                | "statistic"
                | "string"
                | "tcp"
                | "time"
                | "tos"
                | "ttl"
                | "u32"
        )
    }

    /// Whether it says no, after `!` too, to packets without a connection: those that are invalid or not tracked.
    pub(super) fn needs_connection(&self) -> bool {
        matches!(self.name, "cluster" | "connbytes" | "connmark" | "conntrack")
    }
}

impl Target {
    /// Whether there is a target of that name.
    pub(super) fn is(name: &[u8]) -> bool {
        TARGETS.iter().any(|target| target.name.as_bytes() == name)
    }

    /// The target of that name.
    pub(super) fn find(name: &str) -> Option<&'static Self> {
        TARGETS.iter().find(|target| target.name == name)
    }
}

macro_rules! ports {
    ($($more:expr),*) => {
        &[
            option("source-port", 1, Meaning::SourcePort),
            option("sport", 1, Meaning::SourcePort),
            option("destination-port", 1, Meaning::DestinationPort),
            option("dport", 1, Meaning::DestinationPort),
            $($more),*
        ]
    };
}

static MODULES: &[Module] = &[
    module(
        "tcp",
        Truth::Packet,
        ports![option("syn", 0, Meaning::Syn), option("tcp-flags", 2, Meaning::TcpFlags), c("tcp-option")],
    ),
    module("udp", Truth::Packet, ports![]),
    module("udplite", Truth::Packet, ports![]),
    module("sctp", Truth::Packet, ports![option("chunk-types", 2, Meaning::Condition)]),
    module("dccp", Truth::Packet, ports![c("dccp-types"), c("dccp-option")]),
    module("icmp", Truth::Packet, &[option("icmp-type", 1, Meaning::Icmp)]),
    module("icmp6", Truth::Packet, &[option("icmpv6-type", 1, Meaning::Icmp)]),
    module(
        "multiport",
        Truth::Packet,
        &[
            option("source-ports", 1, Meaning::SourcePorts),
            option("sports", 1, Meaning::SourcePorts),
            option("destination-ports", 1, Meaning::DestinationPorts),
            option("dports", 1, Meaning::DestinationPorts),
            option("ports", 1, Meaning::EitherPorts),
        ],
    ),
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
            option("ctstate", 1, Meaning::States),
            c("ctproto"),
            c("ctorigsrc"),
            c("ctorigdst"),
            c("ctreplsrc"),
            c("ctrepldst"),
            c("ctorigsrcport"),
            c("ctorigdstport"),
            c("ctreplsrcport"),
            c("ctrepldstport"),
            c("ctstatus"),
            c("ctexpire"),
            c("ctdir"),
        ],
    ),
    module("comment", Truth::Packet, &[option("comment", 1, Meaning::Comment)]),
    module("limit", Truth::Occurrence, &[c("limit"), or("limit-burst", "5")]),
    module(
        "hashlimit",
        Truth::Occurrence,
        &[
            c("hashlimit"),
            c("hashlimit-upto"),
            c("hashlimit-above"),
            c("hashlimit-mode"),
            c("hashlimit-name"),
            or("hashlimit-burst", "5"),
            c("hashlimit-srcmask"),
            c("hashlimit-dstmask"),
            c("hashlimit-htable-size"),
            c("hashlimit-htable-max"),
            c("hashlimit-htable-gcinterval"),
            c("hashlimit-htable-expire"),
            flag("hashlimit-rate-match"),
            c("hashlimit-rate-interval"),
        ],
    ),
    module(
        "connlimit",
        Truth::Occurrence,
        &[
            c("connlimit-above"),
            c("connlimit-upto"),
            c("connlimit-mask"),
            usual("connlimit-saddr"),
            flag("connlimit-daddr"),
        ],
    ),
    module("quota", Truth::Occurrence, &[c("quota")]),
    module("nfacct", Truth::Occurrence, &[c("nfacct-name")]),
    module("statistic", Truth::Occurrence, &[c("mode"), c("probability"), c("every"), or("packet", "0")]),
    module(
        "rateest",
        Truth::Occurrence,
        &[
            c("rateest"),
            c("rateest1"),
            c("rateest2"),
            c("rateest-bps"),
            c("rateest-pps"),
            c("rateest-bps1"),
            c("rateest-pps1"),
            c("rateest-bps2"),
            c("rateest-pps2"),
            flag("rateest-delta"),
            flag("rateest-lt"),
            flag("rateest-gt"),
            flag("rateest-eq"),
        ],
    ),
    module(
        "recent",
        Truth::Recent,
        &[
            flag("set"),
            flag("rcheck"),
            flag("update"),
            flag("remove"),
            c("seconds"),
            flag("reap"),
            c("hitcount"),
            flag("rttl"),
            or("name", "DEFAULT"),
            usual("rsource"),
            flag("rdest"),
            c("mask"),
        ],
    ),
    module(
        "time",
        Truth::Packet,
        &[
            c("datestart"),
            c("datestop"),
            c("timestart"),
            c("timestop"),
            c("monthdays"),
            c("weekdays"),
            c("days"),
            flag("localtz"),
            flag("kerneltz"),
            flag("utc"),
            flag("contiguous"),
        ],
    ),
    module(
        "owner",
        Truth::Packet,
        &[
            c("uid-owner"),
            c("gid-owner"),
            c("pid-owner"),
            c("sid-owner"),
            c("cmd-owner"),
            flag("socket-exists"),
            flag("suppl-groups"),
        ],
    ),
    module("mac", Truth::Packet, &[c("mac-source")]),
    module("mark", Truth::Marks, &[c("mark")]),
    module("connmark", Truth::Marks, &[c("mark")]),
    module("connlabel", Truth::Marks, &[c("label"), flag("set")]),
    module("connbytes", Truth::Packet, &[c("connbytes"), c("connbytes-dir"), c("connbytes-mode")]),
    module(
        "set",
        Truth::Sets,
        &[
            option("match-set", 2, Meaning::Condition),
            option("set", 2, Meaning::Condition),
            flag("return-nomatch"),
            flag("update-counters"),
            flag("update-subcounters"),
            c("packets-eq"),
            c("packets-lt"),
            c("packets-gt"),
            c("bytes-eq"),
            c("bytes-lt"),
            c("bytes-gt"),
        ],
    ),
    module(
        "string",
        Truth::Bytes,
        &[c("algo"), or("from", "0"), or("to", "65535"), c("string"), c("hex-string"), flag("icase")],
    ),
    module("u32", Truth::Bytes, &[c("u32")]),
    module("addrtype", Truth::Packet, &[c("src-type"), c("dst-type"), flag("limit-iface-in"), flag("limit-iface-out")]),
    module("pkttype", Truth::Packet, &[c("pkt-type")]),
    module("rpfilter", Truth::Packet, &[flag("loose"), flag("validmark"), flag("accept-local"), flag("invert")]),
    module(
        "policy",
        Truth::Packet,
        &[
            c("dir"),
            c("pol"),
            flag("strict"),
            c("reqid"),
            c("spi"),
            c("proto"),
            c("mode"),
            c("tunnel-src"),
            c("tunnel-dst"),
            flag("next"),
        ],
    ),
    module(
        "physdev",
        Truth::Packet,
        &[c("physdev-in"), c("physdev-out"), flag("physdev-is-in"), flag("physdev-is-out"), flag("physdev-is-bridged")],
    ),
    module(
        "rt",
        Truth::Packet,
        &[c("rt-type"), c("rt-segsleft"), c("rt-len"), flag("rt-0-res"), c("rt-0-addrs"), flag("rt-0-not-strict")],
    ),
    module(
        "frag",
        Truth::Packet,
        &[c("fragid"), c("fraglen"), flag("fragres"), flag("fragfirst"), flag("fragmore"), flag("fraglast")],
    ),
    module("hl", Truth::Hops, &[c("hl-eq"), c("hl-lt"), c("hl-gt")]),
    module("ttl", Truth::Hops, &[c("ttl"), c("ttl-eq"), c("ttl-lt"), c("ttl-gt")]),
    module("dscp", Truth::Service, &[c("dscp"), c("dscp-class")]),
    module("tos", Truth::Service, &[c("tos")]),
    module("ecn", Truth::Service, &[flag("ecn-tcp-cwr"), flag("ecn-tcp-ece"), c("ecn-ip-ect")]),
    module("length", Truth::Packet, &[c("length")]),
    module("helper", Truth::Packet, &[c("helper")]),
    module(
        "cluster",
        Truth::Packet,
        &[c("cluster-total-nodes"), c("cluster-local-node"), c("cluster-local-nodemask"), c("cluster-hash-seed")],
    ),
    module("bpf", Truth::Bytes, &[c("bytecode"), c("object-pinned")]),
    module("socket", Truth::Packet, &[flag("transparent"), flag("nowildcard"), flag("restore-skmark")]),
    module("ah", Truth::Packet, &[c("ahspi"), c("ahlen"), flag("ahres")]),
    module("esp", Truth::Packet, &[c("espspi")]),
    module("ipcomp", Truth::Packet, &[c("ipcompspi"), flag("compres")]),
    module("hbh", Truth::Packet, &[c("hbh-len"), c("hbh-opts")]),
    module("dst", Truth::Packet, &[c("dst-len"), c("dst-opts")]),
    module("eui64", Truth::Packet, &[]),
    module("ipv6header", Truth::Packet, &[c("header"), flag("soft")]),
    module("mh", Truth::Packet, &[c("mh-type")]),
    module(
        "srh",
        Truth::Packet,
        &[
            c("srh-next-hdr"),
            c("srh-hdr-len-eq"),
            c("srh-hdr-len-gt"),
            c("srh-hdr-len-lt"),
            c("srh-segs-left-eq"),
            c("srh-segs-left-gt"),
            c("srh-segs-left-lt"),
            c("srh-last-entry-eq"),
            c("srh-last-entry-gt"),
            c("srh-last-entry-lt"),
            c("srh-tag"),
            c("srh-psid"),
            c("srh-nsid"),
            c("srh-lsid"),
        ],
    ),
    module("realm", Truth::Packet, &[c("realm")]),
    module("cgroup", Truth::Packet, &[c("path"), c("cgroup")]),
    module("cpu", Truth::Packet, &[c("cpu")]),
    module("devgroup", Truth::Packet, &[c("src-group"), c("dst-group")]),
    module(
        "ipvs",
        Truth::Packet,
        &[flag("ipvs"), c("vproto"), c("vaddr"), c("vport"), c("vdir"), c("vmethod"), c("vportctl")],
    ),
    module("osf", Truth::Packet, &[c("genre"), c("ttl"), c("log")]),
    module("tcpmss", Truth::Bytes, &[c("mss")]),
];

static TARGETS: &[Target] = &[
    target("ACCEPT", Effect::Accept, &[]),
    target("DROP", Effect::Deny, &[]),
    target("REJECT", Effect::Deny, &[t("reject-with")]),
    target("RETURN", Effect::Return, &[]),
    target("QUEUE", Effect::Elsewhere { proxy: false }, &[]),
    target(
        "NFQUEUE",
        Effect::Elsewhere { proxy: false },
        &[t("queue-num"), t("queue-balance"), tflag("queue-bypass"), tflag("queue-cpu-fanout")],
    ),
    target("TPROXY", Effect::Elsewhere { proxy: true }, &[t("on-port"), t("on-ip"), t("tproxy-mark")]),
    target("SYNPROXY", Effect::Any, &[tflag("sack-perm"), tflag("timestamp"), t("wscale"), t("mss"), tflag("ecn")]),
    target(
        "CLUSTERIP",
        Effect::Any,
        &[tflag("new"), t("hashmode"), t("clustermac"), t("total-nodes"), t("local-node"), t("hash-init")],
    ),
    target(
        "LOG",
        Effect::Inert("log"),
        &[
            t("log-level"),
            t("log-prefix"),
            tflag("log-tcp-sequence"),
            tflag("log-tcp-options"),
            tflag("log-ip-options"),
            tflag("log-uid"),
            tflag("log-macdecode"),
        ],
    ),
    target(
        "NFLOG",
        Effect::Inert("log"),
        &[t("nflog-group"), t("nflog-prefix"), t("nflog-range"), t("nflog-size"), t("nflog-threshold")],
    ),
    target(
        "ULOG",
        Effect::Inert("log"),
        &[t("ulog-nlgroup"), t("ulog-prefix"), t("ulog-cprange"), t("ulog-qthreshold")],
    ),
    target("TRACE", Effect::Inert("log"), &[]),
    target("AUDIT", Effect::Inert("log"), &[t("type")]),
    target("TCPMSS", Effect::Writes(Truth::Bytes), &[t("set-mss"), tflag("clamp-mss-to-pmtu")]),
    target("TCPOPTSTRIP", Effect::Writes(Truth::Bytes), &[t("strip-options")]),
    target("CHECKSUM", Effect::Inert("checksum"), &[tflag("checksum-fill")]),
    target("CLASSIFY", Effect::Inert("queueing class"), &[t("set-class")]),
    target("TEE", Effect::Copy, &[t("gateway"), t("oif")]),
    target("SECMARK", Effect::Inert("security label"), &[t("selctx")]),
    target("CONNSECMARK", Effect::Inert("security label"), &[tflag("save"), tflag("restore")]),
    target("IDLETIMER", Effect::Inert("timer"), &[t("timeout"), t("label"), tflag("alarm")]),
    target("LED", Effect::Inert("lamp"), &[t("led-trigger-id"), t("led-delay"), tflag("led-always-blink")]),
    target(
        "RATEEST",
        Effect::Inert("rate estimator"),
        &[t("rateest-name"), t("rateest-interval"), t("rateest-ewmalog")],
    ),
    target(
        "MARK",
        Effect::Writes(Truth::Marks),
        &[t("set-mark"), t("set-xmark"), t("and-mark"), t("or-mark"), t("xor-mark")],
    ),
    target(
        "CONNMARK",
        Effect::Writes(Truth::Marks),
        &[
            t("set-mark"),
            t("set-xmark"),
            tflag("save-mark"),
            tflag("restore-mark"),
            t("mask"),
            t("ctmask"),
            t("nfmask"),
            t("and-mark"),
            t("or-mark"),
            t("xor-mark"),
            t("left-shift-mark"),
            t("right-shift-mark"),
        ],
    ),
    target(
        "HMARK",
        Effect::Writes(Truth::Marks),
        &[
            t("hmark-tuple"),
            t("hmark-mod"),
            t("hmark-offset"),
            t("hmark-src-prefix"),
            t("hmark-dst-prefix"),
            t("hmark-sport-mask"),
            t("hmark-dport-mask"),
            t("hmark-spi-mask"),
            t("hmark-proto-mask"),
            t("hmark-rnd"),
        ],
    ),
    target("TTL", Effect::Writes(Truth::Hops), &[t("ttl-set"), t("ttl-dec"), t("ttl-inc")]),
    target("HL", Effect::Writes(Truth::Hops), &[t("hl-set"), t("hl-dec"), t("hl-inc")]),
    target("DSCP", Effect::Writes(Truth::Service), &[t("set-dscp"), t("set-dscp-class")]),
    target("TOS", Effect::Writes(Truth::Service), &[t("set-tos"), t("and-tos"), t("or-tos"), t("xor-tos")]),
    target("ECN", Effect::Writes(Truth::Service), &[tflag("ecn-tcp-remove")]),
    target(
        "SET",
        Effect::Writes(Truth::Sets),
        &[
            option("add-set", 2, Meaning::OfTarget),
            option("del-set", 2, Meaning::OfTarget),
            option("map-set", 2, Meaning::OfTarget),
            t("timeout"),
            tflag("exist"),
            tflag("map-mark"),
            tflag("map-prio"),
            tflag("map-queue"),
        ],
    ),
    target("NOTRACK", Effect::Tracking, &[]),
    target(
        "CT",
        Effect::Tracking,
        &[
            tflag("notrack"),
            t("helper"),
            t("timeout"),
            t("ctevents"),
            t("expevents"),
            t("zone"),
            t("zone-orig"),
            t("zone-reply"),
        ],
    ),
    target("DNAT", Effect::Translation { early: true }, &[t("to-destination"), tflag("random"), tflag("persistent")]),
    target("REDIRECT", Effect::Translation { early: true }, &[t("to-ports"), tflag("random")]),
    target("NETMAP", Effect::Translation { early: true }, &[t("to")]),
    target("DNPT", Effect::Translation { early: true }, &[t("src-pfx"), t("dst-pfx")]),
    target("SNPT", Effect::Translation { early: true }, &[t("src-pfx"), t("dst-pfx")]),
    target(
        "SNAT",
        Effect::Translation { early: false },
        &[t("to-source"), tflag("random"), tflag("random-fully"), tflag("persistent")],
    ),
    target(
        "MASQUERADE",
        Effect::Translation { early: false },
        &[t("to-ports"), tflag("random"), tflag("random-fully")],
    ),
];
