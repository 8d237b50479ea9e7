//! The targets of iptables-extensions(8) and their options.

use super::extensions::{Demands, Effect, Meaning, NOTHING, Target, Truth, option, t, target, tflag};
use super::forms::Form;
use super::ruleset::{Hook, TableKind};
use crate::net::Family;

const WORD: u64 = u32::MAX as u64;
const PORT: u64 = u16::MAX as u64;
const BYTE: u64 = u8::MAX as u64;

const LEAVING: &[Hook] = &[Hook::Forward, Hook::Output, Hook::Postrouting];

/// libxt_TCPOPTSTRIP.c, `tcp_optionmap`.
const STRIPPED: &[(&str, u8)] =
    &[("mss", 2), ("wscale", 3), ("sack-permitted", 4), ("sack", 5), ("timestamp", 8), ("md5", 19)];

/// libxt_CT.c, `ct_event_tbl`.
const EVENTS: Form = Form::Some {
    of: &["new", "related", "destroy", "reply", "assured", "protoinfo", "helper", "mark", "natseqinfo", "secmark"],
    cut: false,
};

const fn of(table: &'static [TableKind]) -> Demands {
    Demands { tables: table, ..NOTHING }
}

const fn needing(needs: &'static [&'static [&'static str]]) -> Demands {
    Demands { needs, ..NOTHING }
}

/// In `nat`, at these hooks.
const fn nat(hooks: &'static [Hook], needs: &'static [&'static [&'static str]]) -> Demands {
    Demands { hooks, needs, ..of(&[TableKind::Nat]) }
}

pub(super) static TARGETS: &[Target] = &[
    target("ACCEPT", Effect::Accept, &[]),
    target("DROP", Effect::Deny, &[]),
    target("REJECT", Effect::Deny, &[t("reject-with", Form::Text)])
        .demanding(Demands { hooks: &[Hook::Input, Hook::Forward, Hook::Output], ..of(&[TableKind::Filter]) }),
    target("RETURN", Effect::Return, &[]),
    target("QUEUE", Effect::Elsewhere { proxy: false }, &[]),
    target(
        "NFQUEUE",
        Effect::Elsewhere { proxy: false },
        &[
            t("queue-num", Form::Number(0, PORT)),
            t("queue-balance", Form::Queues),
            tflag("queue-bypass"),
            tflag("queue-cpu-fanout"),
        ],
    )
    .demanding(Demands {
        apart: &[&["queue-num", "queue-balance"]],
        with: &[("queue-cpu-fanout", "queue-balance")],
        ..NOTHING
    }),
    target(
        "TPROXY",
        Effect::Elsewhere { proxy: true },
        &[t("on-port", Form::Port), t("on-ip", Form::Address), t("tproxy-mark", Form::Masked).or("0x0/0x0")],
    )
    .demanding(Demands {
        hooks: &[Hook::Prerouting],
        protocols: &[6, 17],
        needs: &[&["on-port"]],
        ..of(&[TableKind::Mangle])
    }),
    target(
        "SYNPROXY",
        Effect::Any,
        &[tflag("sack-perm"), tflag("timestamp"), t("wscale", Form::Text), t("mss", Form::Text), tflag("ecn")],
    )
    .demanding(Demands { hooks: &[Hook::Input, Hook::Forward], protocols: &[6], ..NOTHING }),
    target(
        "CLUSTERIP",
        Effect::Any,
        &[
            tflag("new"),
            t("hashmode", Form::Text),
            t("clustermac", Form::Text),
            t("total-nodes", Form::Text),
            t("local-node", Form::Text),
            t("hash-init", Form::Text),
        ],
    )
    .demanding(Demands { family: Some(Family::Ipv4), ..NOTHING }),
    target(
        "LOG",
        Effect::Inert("log"),
        &[
            t("log-level", Form::Text),
            t("log-prefix", Form::Text),
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
        &[
            t("nflog-group", Form::Number(0, PORT)).or("0"),
            t("nflog-prefix", Form::Text),
            t("nflog-range", Form::Text),
            t("nflog-size", Form::Text),
            t("nflog-threshold", Form::Number(0, PORT)).or("0"),
        ],
    ),
    target(
        "ULOG",
        Effect::Inert("log"),
        &[
            t("ulog-nlgroup", Form::Text),
            t("ulog-prefix", Form::Text),
            t("ulog-cprange", Form::Text),
            t("ulog-qthreshold", Form::Text),
        ],
    ),
    target("TRACE", Effect::Inert("log"), &[]),
    target(
        "AUDIT",
        Effect::Inert("log"),
        &[t("type", Form::OneOf(&[("accept", "accept"), ("drop", "drop"), ("reject", "reject")]))],
    )
    .demanding(needing(&[&["type"]])),
    target(
        "TCPMSS",
        Effect::Writes(Truth::Bytes),
        &[t("set-mss", Form::Number(0, 65_515)), tflag("clamp-mss-to-pmtu").at(LEAVING)],
    )
    .demanding(Demands { protocols: &[6], needs: &[&["set-mss", "clamp-mss-to-pmtu"]], ..NOTHING }),
    target("TCPOPTSTRIP", Effect::Writes(Truth::Bytes), &[t("strip-options", Form::Options(STRIPPED))])
        .demanding(Demands { protocols: &[6], ..of(&[TableKind::Mangle]) }),
    target("CHECKSUM", Effect::Inert("checksum"), &[tflag("checksum-fill")])
        .demanding(Demands { needs: &[&["checksum-fill"]], ..of(&[TableKind::Mangle]) }),
    target("CLASSIFY", Effect::Inert("queueing class"), &[t("set-class", Form::Class)]).demanding(Demands {
        hooks: LEAVING,
        needs: &[&["set-class"]],
        ..NOTHING
    }),
    target("TEE", Effect::Copy, &[t("gateway", Form::Text), t("oif", Form::Text)]).demanding(needing(&[&["gateway"]])),
    target("SECMARK", Effect::Inert("security label"), &[t("selctx", Form::Text)])
        .demanding(Demands { needs: &[&["selctx"]], ..of(&[TableKind::Mangle, TableKind::Security]) }),
    target("CONNSECMARK", Effect::Inert("security label"), &[tflag("save"), tflag("restore")]).demanding(Demands {
        needs: &[&["save", "restore"]],
        apart: &[&["save", "restore"]],
        ..of(&[TableKind::Mangle, TableKind::Security])
    }),
    target(
        "IDLETIMER",
        Effect::Inert("timer"),
        &[t("timeout", Form::Number(1, WORD)), t("label", Form::Text), tflag("alarm")],
    )
    .demanding(needing(&[&["timeout"], &["label"]])),
    target(
        "LED",
        Effect::Inert("lamp"),
        &[t("led-trigger-id", Form::Text), t("led-delay", Form::Text), tflag("led-always-blink")],
    )
    .demanding(needing(&[&["led-trigger-id"]])),
    target(
        "RATEEST",
        Effect::Writes(Truth::Counters),
        &[t("rateest-name", Form::Text), t("rateest-interval", Form::Span), t("rateest-ewmalog", Form::Span)],
    )
    .demanding(needing(&[&["rateest-name"], &["rateest-interval"], &["rateest-ewmalog"]])),
    target(
        "MARK",
        Effect::Writes(Truth::Marks),
        &[
            t("set-mark", Form::Text),
            t("set-xmark", Form::Text),
            t("and-mark", Form::Number(0, WORD)),
            t("or-mark", Form::Number(0, WORD)),
            t("xor-mark", Form::Number(0, WORD)),
        ],
    )
    .demanding(Demands { needs: &[MARKS], apart: &[MARKS], ..NOTHING }),
    target(
        "CONNMARK",
        Effect::Writes(Truth::Marks),
        &[
            t("set-mark", Form::Text),
            t("set-xmark", Form::Text),
            tflag("save-mark"),
            tflag("restore-mark"),
            t("mask", Form::Masked).or("0xffffffff"),
            t("ctmask", Form::Masked).or("0xffffffff"),
            t("nfmask", Form::Masked).or("0xffffffff"),
            t("and-mark", Form::Number(0, WORD)),
            t("or-mark", Form::Number(0, WORD)),
            t("xor-mark", Form::Number(0, WORD)),
            t("left-shift-mark", Form::Text),
            t("right-shift-mark", Form::Text),
        ],
    )
    .demanding(Demands {
        needs: &[CONNMARKS],
        apart: &[CONNMARKS, &["mask", "nfmask"], &["mask", "ctmask"]],
        ..NOTHING
    }),
    target(
        "HMARK",
        Effect::Writes(Truth::Marks),
        &[
            t("hmark-tuple", Form::Text),
            t("hmark-mod", Form::Number(0, WORD)),
            t("hmark-offset", Form::Text),
            t("hmark-src-prefix", Form::Text),
            t("hmark-dst-prefix", Form::Text),
            t("hmark-sport-mask", Form::Text),
            t("hmark-dport-mask", Form::Text),
            t("hmark-spi-mask", Form::Text),
            t("hmark-proto-mask", Form::Text),
            t("hmark-rnd", Form::Number(0, WORD)),
        ],
    )
    .demanding(needing(&[&["hmark-mod"], &["hmark-rnd"]])),
    target(
        "TTL",
        Effect::Writes(Truth::Hops),
        &[
            t("ttl-set", Form::Number(0, BYTE)),
            t("ttl-dec", Form::Number(1, BYTE)),
            t("ttl-inc", Form::Number(1, BYTE)),
        ],
    )
    .demanding(Demands {
        needs: &[&["ttl-set", "ttl-dec", "ttl-inc"]],
        apart: &[&["ttl-set", "ttl-dec", "ttl-inc"]],
        family: Some(Family::Ipv4),
        ..of(&[TableKind::Mangle])
    }),
    target(
        "HL",
        Effect::Writes(Truth::Hops),
        &[t("hl-set", Form::Number(0, BYTE)), t("hl-dec", Form::Number(1, BYTE)), t("hl-inc", Form::Number(1, BYTE))],
    )
    .demanding(Demands {
        needs: &[&["hl-set", "hl-dec", "hl-inc"]],
        apart: &[&["hl-set", "hl-dec", "hl-inc"]],
        family: Some(Family::Ipv6),
        ..of(&[TableKind::Mangle])
    }),
    target(
        "DSCP",
        Effect::Writes(Truth::Service),
        &[t("set-dscp", Form::Hex(63)), t("set-dscp-class", Form::ServiceClass).told("set-dscp")],
    )
    .demanding(Demands {
        needs: &[&["set-dscp", "set-dscp-class"]],
        apart: &[&["set-dscp", "set-dscp-class"]],
        ..of(&[TableKind::Mangle])
    }),
    target(
        "TOS",
        Effect::Writes(Truth::Service),
        &[t("set-tos", Form::Service), t("and-tos", Form::Text), t("or-tos", Form::Text), t("xor-tos", Form::Text)],
    )
    .demanding(Demands {
        needs: &[&["set-tos", "and-tos", "or-tos", "xor-tos"]],
        apart: &[&["set-tos", "and-tos", "or-tos", "xor-tos"]],
        ..of(&[TableKind::Mangle])
    }),
    target("ECN", Effect::Writes(Truth::Service), &[tflag("ecn-tcp-remove")]).demanding(Demands {
        protocols: &[6],
        needs: &[&["ecn-tcp-remove"]],
        family: Some(Family::Ipv4),
        ..of(&[TableKind::Mangle])
    }),
    target(
        "SET",
        Effect::Writes(Truth::Sets),
        &[
            option("add-set", 2, Meaning::OfTarget),
            option("del-set", 2, Meaning::OfTarget),
            option("map-set", 2, Meaning::OfTarget),
            t("timeout", Form::Text),
            tflag("exist"),
            tflag("map-mark"),
            tflag("map-prio"),
            tflag("map-queue"),
        ],
    ),
    target("NOTRACK", Effect::Tracking, &[]).demanding(of(&[TableKind::Raw])),
    target(
        "CT",
        Effect::Tracking,
        &[
            tflag("notrack"),
            t("helper", Form::Text),
            t("timeout", Form::Text),
            t("ctevents", EVENTS),
            t("expevents", Form::Text),
            t("zone", Form::NumberOrName(PORT)).or("0"),
            t("zone-orig", Form::NumberOrName(PORT)),
            t("zone-reply", Form::NumberOrName(PORT)),
        ],
    )
    .demanding(of(&[TableKind::Raw])),
    target(
        "DNAT",
        Effect::Translation { early: true },
        &[t("to-destination", Form::Translated), tflag("random"), tflag("persistent")],
    )
    .demanding(nat(&[Hook::Prerouting, Hook::Output], &[&["to-destination"]])),
    target("REDIRECT", Effect::Translation { early: true }, &[t("to-ports", Form::Translated), tflag("random")])
        .demanding(nat(&[Hook::Prerouting, Hook::Output], &[])),
    target("NETMAP", Effect::Translation { early: true }, &[t("to", Form::Prefix)]).demanding(nat(&[], &[&["to"]])),
    target("DNPT", Effect::Translation { early: true }, &[t("src-pfx", Form::Prefix), t("dst-pfx", Form::Prefix)])
        .demanding(Demands {
            hooks: &[Hook::Prerouting, Hook::Output],
            needs: &[&["src-pfx"], &["dst-pfx"]],
            family: Some(Family::Ipv6),
            ..of(&[TableKind::Mangle])
        }),
    target("SNPT", Effect::Translation { early: true }, &[t("src-pfx", Form::Prefix), t("dst-pfx", Form::Prefix)])
        .demanding(Demands {
            hooks: &[Hook::Input, Hook::Postrouting],
            needs: &[&["src-pfx"], &["dst-pfx"]],
            family: Some(Family::Ipv6),
            ..of(&[TableKind::Mangle])
        }),
    target(
        "SNAT",
        Effect::Translation { early: false },
        &[t("to-source", Form::Translated), tflag("random"), tflag("random-fully"), tflag("persistent")],
    )
    .demanding(nat(&[Hook::Input, Hook::Postrouting], &[&["to-source"]])),
    target(
        "MASQUERADE",
        Effect::Translation { early: false },
        &[t("to-ports", Form::Translated), tflag("random"), tflag("random-fully")],
    )
    .demanding(nat(&[Hook::Postrouting], &[])),
];

const MARKS: &[&str] = &["set-mark", "set-xmark", "and-mark", "or-mark", "xor-mark"];

const CONNMARKS: &[&str] = &["set-mark", "set-xmark", "save-mark", "restore-mark", "and-mark", "or-mark", "xor-mark"];
