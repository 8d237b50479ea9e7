//! What can be known of a match or target of iptables-extensions(8) and of its options.

use super::matches::MODULES;
use super::meaning::Beside;
use super::targets::TARGETS;

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
    /// A table of buckets, from which all rules that name it take; the first of them says what they hold.
    Buckets,
    /// A rate estimator or an accounting object, which rules of either family fill.
    Counters,
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
    /// The packet goes on; what it writes is read by the matches of that truth, and a hop limit by the hosts on the way too.
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

pub(super) const fn option(name: &'static str, arguments: usize, meaning: Meaning) -> Spec {
    Spec { name, arguments, meaning, default: None }
}

/// A part of an opaque condition with one argument, …
pub(super) const fn c(name: &'static str) -> Spec {
    option(name, 1, Meaning::Condition)
}

/// … with none, …
pub(super) const fn flag(name: &'static str) -> Spec {
    option(name, 0, Meaning::Condition)
}

/// … or one whose argument may be the default.
pub(super) const fn or(name: &'static str, default: &'static str) -> Spec {
    Spec { name, arguments: 1, meaning: Meaning::Condition, default: Some(default) }
}

/// A flag that says what holds without it.
pub(super) const fn usual(name: &'static str) -> Spec {
    Spec { name, arguments: 0, meaning: Meaning::Condition, default: Some("") }
}

/// An option of a target.
pub(super) const fn t(name: &'static str) -> Spec {
    option(name, 1, Meaning::OfTarget)
}

pub(super) const fn tflag(name: &'static str) -> Spec {
    option(name, 0, Meaning::OfTarget)
}

pub(super) const fn module(name: &'static str, truth: Truth, options: &'static [Spec]) -> Module {
    Module { name, truth, options }
}

pub(super) const fn target(name: &'static str, effect: Effect, options: &'static [Spec]) -> Target {
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

impl Effect {
    /// What it changes for the conditions of other rules or on the way, which no filter shows.
    pub(super) const fn beside(self) -> Option<Beside> {
        match self {
            Self::Tracking => Some(Beside::Tracking),
            Self::Translation { early } => Some(Beside::Translation { early }),
            Self::Copy => Some(Beside::Copy),
            Self::Elsewhere { proxy: true } => Some(Beside::Translation { early: true }),
            Self::Writes(Truth::Hops) => Some(Beside::Hops),
            Self::Accept
            | Self::Deny
            | Self::Return
            | Self::Inert(_)
            | Self::Writes(
                Truth::Packet
                | Truth::Occurrence
                | Truth::Marks
                | Truth::Recent
                | Truth::Buckets
                | Truth::Counters
                | Truth::Sets
                | Truth::Service
                | Truth::Bytes,
            )
            | Self::Elsewhere { proxy: false }
            | Self::Any => None,
        }
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
