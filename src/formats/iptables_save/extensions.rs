//! What can be known of a match or target of iptables-extensions(8) and of its options.

use super::forms::Form;
use super::matches::MODULES;
use super::meaning::Beside;
use super::ruleset::{Hook, TableKind};
use super::targets::TARGETS;
use crate::net::Family;

/// A match module.
#[derive(Debug)]
pub(super) struct Module {
    pub(super) name: &'static str,
    /// What the truth of its opaque options depends on.
    pub(super) truth: Truth,
    pub(super) options: &'static [Spec],
    pub(super) demands: Demands,
}

/// In which rules an extension may stand: `iptables-restore` refuses others, or the kernel does (`struct xt_match` and
/// `xt_target`; `x6_options`, `x6_parse` and `x6_fcheck` of the extensions).
#[derive(Debug, Clone, Copy)]
pub(super) struct Demands {
    /// Empty: in all tables.
    pub(super) tables: &'static [TableKind],
    /// Of the chains that a table has by itself; empty: in all.
    pub(super) hooks: &'static [Hook],
    /// Empty: in rules of whatever protocol.
    pub(super) protocols: &'static [u8],
    pub(super) family: Option<Family>,
    /// One of each of these options must stand there.
    pub(super) needs: &'static [&'static [&'static str]],
    /// Of each of these options one at most.
    pub(super) apart: &'static [&'static [&'static str]],
    /// The first needs the second.
    pub(super) with: &'static [(&'static str, &'static str)],
}

/// An extension that may stand anywhere, alone.
pub(super) const NOTHING: Demands =
    Demands { tables: &[], hooks: &[], protocols: &[], family: None, needs: &[], apart: &[], with: &[] };

/// An option of a match or target.
#[derive(Debug)]
pub(super) struct Spec {
    pub(super) name: &'static str,
    /// How many arguments follow.
    pub(super) arguments: usize,
    pub(super) meaning: Meaning,
    /// What its argument looks like.
    pub(super) form: Form,
    /// The argument that means the same as leaving the option out.
    pub(super) default: Option<&'static str>,
    /// The name under which it is told: one for those that say the same.
    pub(super) told: &'static str,
    /// In which chains it may stand, of those that a table has by itself; empty: in all.
    pub(super) hooks: &'static [Hook],
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
    pub(super) demands: Demands,
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
    Spec { name, arguments, meaning, form: Form::Text, default: None, told: name, hooks: &[] }
}

/// A part of an opaque condition with one argument, …
pub(super) const fn c(name: &'static str, form: Form) -> Spec {
    Spec { form, ..option(name, 1, Meaning::Condition) }
}

/// … with none, …
pub(super) const fn flag(name: &'static str) -> Spec {
    option(name, 0, Meaning::Condition)
}

/// … or one whose argument may be the default.
pub(super) const fn or(name: &'static str, form: Form, default: &'static str) -> Spec {
    Spec { default: Some(default), ..c(name, form) }
}

/// A flag that says what holds without it.
pub(super) const fn usual(name: &'static str) -> Spec {
    Spec { default: Some(""), ..flag(name) }
}

/// An option of a target.
pub(super) const fn t(name: &'static str, form: Form) -> Spec {
    Spec { form, ..option(name, 1, Meaning::OfTarget) }
}

pub(super) const fn tflag(name: &'static str) -> Spec {
    option(name, 0, Meaning::OfTarget)
}

impl Spec {
    /// The same under another name.
    pub(super) const fn told(self, told: &'static str) -> Self {
        Self { told, ..self }
    }

    /// The same where it may be left out, with that argument.
    pub(super) const fn or(self, default: &'static str) -> Self {
        Self { default: Some(default), ..self }
    }

    /// The same in those chains only.
    pub(super) const fn at(self, hooks: &'static [Hook]) -> Self {
        Self { hooks, ..self }
    }
}

pub(super) const fn module(name: &'static str, truth: Truth, options: &'static [Spec]) -> Module {
    Module { name, truth, options, demands: NOTHING }
}

pub(super) const fn target(name: &'static str, effect: Effect, options: &'static [Spec]) -> Target {
    Target { name, effect, options, demands: NOTHING }
}

impl Module {
    pub(super) const fn demanding(self, demands: Demands) -> Self {
        Self { demands, ..self }
    }

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

    /// Whether `!` before one of its options is about all of them together.
    pub(super) fn is_inverted_whole(&self) -> bool {
        matches!(self.name, "connlabel" | "connlimit" | "recent" | "statistic" | "string")
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
    pub(super) const fn demanding(self, demands: Demands) -> Self {
        Self { demands, ..self }
    }

    /// Whether there is a target of that name.
    pub(super) fn is(name: &[u8]) -> bool {
        TARGETS.iter().any(|target| target.name.as_bytes() == name)
    }

    /// The target of that name.
    pub(super) fn find(name: &str) -> Option<&'static Self> {
        TARGETS.iter().find(|target| target.name == name)
    }
}
