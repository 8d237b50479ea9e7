use super::{Expression, Name, Verdict};
use crate::text::Span;
use std::borrow::Cow;

/// A statement of a rule and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::formats::nftables) struct Statement<'t> {
    pub(in crate::formats::nftables) at: Span,
    pub(in crate::formats::nftables) kind: StatementKind<'t>,
}

/// What a rule consists of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::formats::nftables) enum StatementKind<'t> {
    /// `tcp dport 22`. The right side of `tcp dport { … }` is a set, that of `ct state a,b` a list.
    Match(Relation, Expression<'t>, Expression<'t>),
    Verdict(Verdict<'t>),
    /// `tcp dport vmap { … }`: the key, and a set or the reference to one.
    VerdictMap(Expression<'t>, Expression<'t>),
    Counter {
        packets: u64,
        bytes: u64,
    },
    /// `counter name x`, where x may be a map.
    CounterReference(Expression<'t>),
    Limit(Limit),
    LimitReference(Expression<'t>),
    Quota(Quota),
    QuotaReference(Expression<'t>),
    /// `ct count over 10`: whether more than, and the number.
    ConnectionLimit {
        over: bool,
        count: u32,
    },
    /// `last` or `last used 5s`: milliseconds.
    Last(Option<u64>),
    Log(Log<'t>),
    Reject(Reject<'t>),
    Nat(Nat<'t>),
    /// `tproxy ip to 1.2.3.4:80`: the family's word, address, port.
    Tproxy {
        family: Option<super::Family>,
        address: Option<Expression<'t>>,
        port: Option<Expression<'t>>,
    },
    Synproxy(Synproxy),
    SynproxyReference(Expression<'t>),
    /// `queue flags bypass to 0-3`.
    Queue {
        number: Option<Expression<'t>>,
        flags: Vec<QueueFlag>,
    },
    /// `dup to address device eth0`.
    Dup {
        to: Option<Expression<'t>>,
        device: Option<Expression<'t>>,
    },
    /// `fwd ip to address device eth0`.
    Forward {
        family: Option<super::Family>,
        to: Option<Expression<'t>>,
        device: Expression<'t>,
    },
    /// `meta mark set 1`, `ip dscp set cs1`, `tcp option maxseg size set rt mtu`, `ct mark set …`.
    Set(Expression<'t>, Expression<'t>),
    /// `reset tcp option sack-perm`.
    ResetOption(Expression<'t>),
    /// `ct helper set "ftp"`.
    CtHelper(Expression<'t>),
    /// `ct timeout set "x"`.
    CtTimeout(Expression<'t>),
    /// `ct expectation set "x"`.
    CtExpectation(Expression<'t>),
    /// `meta secmark set "x"` with the name of an object.
    Secmark(Expression<'t>),
    Notrack,
    /// `flow add @f`, `flow offload @f`.
    FlowOffload(Name<'t>),
    /// `add @s { ip saddr timeout 1m limit rate 1/second : value }`.
    SetStatement {
        action: SetAction,
        set: Name<'t>,
        key: Expression<'t>,
        options: Vec<super::ElementOption<'t>>,
        value: Option<Expression<'t>>,
        /// Statements between the set and the braces' end.
        statements: Vec<Statement<'t>>,
    },
    /// `meter name size 65535 { ip saddr limit rate 1/second }`.
    Meter {
        name: Name<'t>,
        size: Option<u32>,
        key: Expression<'t>,
        options: Vec<super::ElementOption<'t>>,
        statements: Vec<Statement<'t>>,
    },
    /// `xt match "x"`: what iptables-nft leaves that nft cannot say; kind and name.
    Xt(Cow<'t, [u8]>, Name<'t>),
}

/// How two sides are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::formats::nftables) enum Relation {
    /// Nothing is written: equality, membership, or, for flags, that one of them is set.
    Implicit,
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    /// `ct state ! established`: none of the flags is set.
    NoneOf,
}

/// `limit rate over 10/second burst 5 packets`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::formats::nftables) struct Limit {
    pub(in crate::formats::nftables) over: bool,
    /// Packets, or bytes.
    pub(in crate::formats::nftables) rate: u64,
    pub(in crate::formats::nftables) bytes: bool,
    pub(in crate::formats::nftables) per: LimitUnit,
    /// In packets or bytes, as the rate; `None` is nft's default (5 packets).
    pub(in crate::formats::nftables) burst: Option<u64>,
}

super::keywords! {
    /// The time that a rate is counted in.
    LimitUnit { Second = "second", Minute = "minute", Hour = "hour", Day = "day", Week = "week" }
}

/// `quota over 10 mbytes used 5 bytes`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::formats::nftables) struct Quota {
    pub(in crate::formats::nftables) over: bool,
    pub(in crate::formats::nftables) bytes: u64,
    pub(in crate::formats::nftables) used: u64,
}

/// `log prefix "x" level warn`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::formats::nftables) struct Log<'t> {
    pub(in crate::formats::nftables) prefix: Option<Name<'t>>,
    pub(in crate::formats::nftables) group: Option<u32>,
    pub(in crate::formats::nftables) snaplen: Option<u32>,
    pub(in crate::formats::nftables) queue_threshold: Option<u32>,
    pub(in crate::formats::nftables) level: Option<Name<'t>>,
    pub(in crate::formats::nftables) flags: Vec<Name<'t>>,
}

/// `reject with icmpx type admin-prohibited`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::formats::nftables) enum Reject<'t> {
    /// Nothing is said: port unreachable of the family.
    Default,
    TcpReset,
    Icmp(Expression<'t>),
    Icmpv6(Expression<'t>),
    Icmpx(Expression<'t>),
}

/// A translation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::formats::nftables) struct Nat<'t> {
    pub(in crate::formats::nftables) kind: NatKind,
    /// The word before `to`, in `inet` tables.
    pub(in crate::formats::nftables) family: Option<super::Family>,
    /// An address, a range, a prefix, a map; for `addr . port` maps, that.
    pub(in crate::formats::nftables) address: Option<Expression<'t>>,
    pub(in crate::formats::nftables) port: Option<Expression<'t>>,
    pub(in crate::formats::nftables) flags: Vec<NatFlag>,
    /// `prefix` or `interval` stood before `to`.
    pub(in crate::formats::nftables) netmap: bool,
}

super::keywords! {
    /// What is translated.
    NatKind { Snat = "snat", Dnat = "dnat", Masquerade = "masquerade", Redirect = "redirect" }
}

super::keywords! {
    /// How it is translated.
    NatFlag { Random = "random", FullyRandom = "fully-random", Persistent = "persistent" }
}

super::keywords! {
    /// What happens to packets that cannot be queued, and how queues are chosen.
    QueueFlag { Bypass = "bypass", Fanout = "fanout" }
}

super::keywords! {
    /// What a rule does with an element of a set.
    SetAction { Add = "add", Update = "update", Delete = "delete" }
}

/// `synproxy mss 1460 wscale 7 timestamp sack-perm`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::formats::nftables) struct Synproxy {
    pub(in crate::formats::nftables) mss: Option<u32>,
    pub(in crate::formats::nftables) wscale: Option<u32>,
    pub(in crate::formats::nftables) timestamp: bool,
    pub(in crate::formats::nftables) sack_perm: bool,
}
