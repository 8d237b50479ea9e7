//! What the real program refuses in lines whose form is right.

use super::extensions::{Demands, Meaning, Module, Spec};
use super::normal::Said;
use super::ruleset::{Hook, TableKind};
use super::syntax::Kind;
use super::values;
use super::words::Word;
use crate::net::{Family, Set, service_port};
use std::fmt;

pub(super) const fn may_be_negated(kind: &Kind<'_>) -> bool {
    match kind {
        Kind::Source(_)
        | Kind::Destination(_)
        | Kind::Protocol(_)
        | Kind::Input(_)
        | Kind::Output(_)
        | Kind::Fragment
        | Kind::Option { .. }
        | Kind::Refused(_)
        | Kind::Unknown { .. } => true,
        Kind::Counters
        | Kind::Family(_)
        | Kind::Append(_)
        | Kind::Insert(_, _)
        | Kind::New(_)
        | Kind::Policy(_, _)
        | Kind::OtherCommand(_)
        | Kind::Manner
        | Kind::Match(_)
        | Kind::Jump(_, _)
        | Kind::Goto(_)
        | Kind::TargetOption { .. } => false,
    }
}

/// Whether two options of a match exclude one another. (`policy` takes its options once for each `--next`.)
pub(super) fn is_same(module: &Module, one: &Spec, other: &Spec) -> bool {
    match module.name {
        "policy" => false,
        "multiport" => true,
        _ => one.name == other.name || (one.meaning == other.meaning && one.meaning != Meaning::Condition),
    }
}

/// A match or a target as lines name it: `-m owner`, `-j DROP`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Extension<'n>(pub(super) &'static str, pub(super) &'n str);

impl fmt::Display for Extension<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(option, name) = self;
        write!(f, "{option} {name}")
    }
}

/// What a line gives an extension.
pub(super) struct Given<'g> {
    pub(super) what: Extension<'g>,
    pub(super) options: &'g [&'static Spec],
    pub(super) table: TableKind,
    /// Where the chain stands, if the table has it by itself.
    pub(super) hook: Option<Hook>,
}

/// Whether the rule is about a protocol, and for the family, that the extension can read.
pub(super) fn fits(what: Extension<'_>, demands: &Demands, protocol: Option<u8>, family: Family) -> Result<(), String> {
    if let Some(only) = demands.family.filter(|only| *only != family) {
        return Err(format!("`{what}` is for {only}, and the line is for {family}"));
    }
    // In IPv6 it is a header of its own, which any packet may have.
    let everywhere = demands.protocols.is_empty() || what == Extension("-m", "ah") && family == Family::Ipv6;
    if everywhere || protocol.is_some_and(|protocol| demands.protocols.contains(&protocol)) {
        return Ok(());
    }
    Err(format!("`{what}` needs a `-p` of its own protocol: iptables-restore refuses the line"))
}

/// Whether an extension may stand where it does, with these options.
pub(super) fn check(demands: &Demands, given: &Given<'_>) -> Result<(), String> {
    let Given { what, options, table, hook } = given;
    let Demands { tables, hooks, protocols: _, family: _, needs, apart, with } = demands;
    let has = |name: &&str| options.iter().any(|spec| spec.name == *name);
    if !tables.is_empty() && !tables.contains(table) {
        let names: Vec<&str> = tables.iter().map(|table| table.name()).collect();
        let (there, here) = (names.join("` or `"), table.name());
        return Err(format!(
            "`{what}` works in the table `{there}` only, and this is `{here}`: the kernel refuses the rule"
        ));
    }
    if let Some(hook) = hook {
        let own = options.iter().filter(|spec| !spec.hooks.is_empty() && !spec.hooks.contains(hook));
        let refused = (!hooks.is_empty() && !hooks.contains(hook)).then(|| what.to_string());
        if let Some(name) = refused.or_else(|| own.map(|spec| format!("--{}", spec.name)).next()) {
            return Err(format!("`{name}` cannot stand in {}: the kernel refuses the rule", hook.chain()));
        }
    }
    if let Some(lacking) = needs.iter().find(|options| !options.iter().any(&has)) {
        return Err(format!("`{what}` lacks `--{}`: iptables-restore refuses the line", lacking.join("` or `--")));
    }
    for group in *apart {
        let mut found = group.iter().filter(|option| has(option));
        if let (Some(one), Some(other)) = (found.next(), found.next()) {
            return Err(format!("`--{one}` and `--{other}` exclude one another: iptables-restore refuses the line"));
        }
    }
    match with.iter().find(|(one, other)| has(one) && !has(other)) {
        Some((one, other)) => Err(format!("`--{one}` needs `--{other}`: iptables-restore refuses the line")),
        None => Ok(()),
    }
}

/// Whether a table has chains by itself that are not at these hooks; none means all.
pub(super) fn limits(table: TableKind, hooks: &[Hook]) -> bool {
    !hooks.is_empty() && table.hooks().iter().any(|hook| !hooks.contains(hook))
}

/// Whether hooks are all of the table's, or those where packets have an input or an output interface, which is told of
/// all lines ([`super::plain::kind_of`]).
pub(super) fn is_told(table: TableKind, hooks: &[Hook]) -> bool {
    let [prerouting, input, forward, output, postrouting] = Hook::ALL.map(|hook| hooks.contains(&hook));
    !limits(table, hooks) || (prerouting == input && forward && output == postrouting)
}

/// What the values of a match's options say together, or of the place, that is refused.
pub(super) fn check_together(
    module: &Module,
    said: &[Said],
    hook: Option<Hook>,
    protocol: Option<u8>,
) -> Result<(), String> {
    let value = |name: &str| said.iter().find(|said| said.name == name).map(|said| said.value.as_str());
    let number = |name: &str| value(name).and_then(values::number);
    let is_at = |hooks: &[Hook]| hook.is_some_and(|hook| hooks.contains(&hook));
    let element = |part: &[Said]| {
        part.iter().any(|said| matches!(said.name, "reqid" | "spi" | "proto" | "mode" | "tunnel-src" | "tunnel-dst"))
    };
    let why = match module.name {
        "policy" if value("dir") == Some("in") && is_at(&[Hook::Output, Hook::Postrouting]) => {
            "packets that leave have no policy by which they came in"
        }
        "policy" if value("dir") == Some("out") && is_at(&[Hook::Prerouting, Hook::Input]) => {
            "packets that come in have no policy yet by which they leave"
        }
        "policy" if value("strict").is_some() && value("pol") == Some("none") => "`--strict` without a policy",
        "policy" if value("strict").is_some() && !said.split(|said| said.name == "next").all(element) => {
            "`--strict` with an element that says nothing"
        }
        "policy" if value("tunnel-src").or(value("tunnel-dst")).is_some() && value("mode") != Some("tunnel") => {
            "ends of a tunnel without `--mode tunnel`"
        }
        "statistic" if value("mode") == Some("random") && value("probability").is_none() => {
            "random without a probability"
        }
        "statistic" if value("mode") == Some("nth") && value("every").is_none() => "every nth without n",
        "statistic" if number("packet").is_some_and(|packet| number("every").is_some_and(|every| packet >= every)) => {
            "`--packet` is not below `--every`"
        }
        "cluster" if number("cluster-local-nodemask") >= number("cluster-total-nodes").map(|total| 1 << total) => {
            "a node beyond the last"
        }
        "time"
            if value("contiguous").is_some()
                && value("timestart").unwrap_or("00:00:00") <= value("timestop").unwrap_or("23:59:59") =>
        {
            "`--contiguous` where a time does not end before it begins"
        }
        "string" if number("from") > number("to").or(Some(65_535)) => "`--from` beyond `--to`",
        "physdev"
            if value("physdev-out").or(value("physdev-is-out")).is_some()
                && value("physdev-is-bridged").is_none()
                && is_at(&[Hook::Output]) =>
        {
            "what leaves by a bridge is not known there yet"
        }
        "ecn" if value("ecn-tcp-cwr").or(value("ecn-tcp-ece")).is_some() && protocol != Some(6) => {
            "flags of TCP without `-p tcp`"
        }
        _ => return Ok(()),
    };
    Err(format!("`-m {}`: {why}: the line is refused", module.name))
}

pub(super) fn has_ports(module: &Module) -> bool {
    module.options.iter().any(|spec| spec.meaning == Meaning::SourcePort)
}

/// What the older iptables never matches, and the one on nf_tables always: it says nothing of a range of all ports and of a mask
/// without flags, whatever stands before it (iptables/nft-shared.c, `add_nft_tcpudp`).
pub(super) fn never_native(module: &Module, set: Set) -> Result<Set, String> {
    if set.is_empty() && matches!(module.name, "tcp" | "udp") {
        return Err("the condition never holds with one iptables, and always with the other".to_owned());
    }
    Ok(set)
}

/// What the real program would refuse in a value that is otherwise only compared.
pub(super) fn check_condition(spec: &Spec, word: &Word<'_>, family: Family) -> Result<(), String> {
    if values::is_template(&word.text) {
        return Err(values::refuse(word, "a value"));
    }
    spec.form.read(word, family).map(drop).ok_or_else(|| values::refuse(word, spec.form.what()))
}

/// The levels of syslog(3) as libxtables spells them (`xtopt_parse_sysloglevel`), and their numbers.
pub(super) const LEVELS: [(&str, u8); 9] = [
    ("emerg", 0),
    ("panic", 0),
    ("alert", 1),
    ("crit", 2),
    ("error", 3),
    ("warning", 4),
    ("notice", 5),
    ("info", 6),
    ("debug", 7),
];

fn is_number(text: &str, most: u64) -> bool {
    values::number(text).is_some_and(|number| number <= most)
}

/// `0x1` or `0x1/0xff`, each of 32 bits.
pub(super) fn is_masked(text: &str) -> bool {
    let (value, mask) = text.split_once('/').unwrap_or((text, "0"));
    [value, mask].into_iter().all(|text| is_number(text, u32::MAX.into()))
}

/// Whether an option of a match can stand after `!`, as far as it is only compared.
pub(super) fn is_invertible(module: &Module, spec: &Spec) -> bool {
    match module.name {
        "bpf" | "limit" | "nfacct" | "rateest" | "rpfilter" | "socket" => false,
        "addrtype" => !spec.name.starts_with("limit-iface"),
        "conntrack" => spec.name != "ctdir",
        "policy" => !matches!(spec.name, "dir" | "pol" | "strict" | "next"),
        "recent" => spec.arguments == 0 && !matches!(spec.name, "rsource" | "rdest" | "reap" | "rttl"),
        "string" => matches!(spec.name, "string" | "hex-string"),
        "time" => matches!(spec.name, "monthdays" | "weekdays"),
        "ttl" => matches!(spec.name, "ttl" | "ttl-eq"),
        _ => true,
    }
}

/// Six bytes in hexadecimal.
pub(super) fn is_mac(text: &[u8]) -> bool {
    let bytes: Vec<_> = text.split(|b| *b == b':').collect();
    bytes.len() == 6 && bytes.iter().all(|byte| matches!(byte.len(), 1 | 2) && byte.iter().all(u8::is_ascii_hexdigit))
}

/// What the real program would refuse in the value of a target's option. `protocol` is the one the rule is about; `named` the
/// one of the `-p` before the option, negated or not.
pub(super) fn check_target_option(
    spec: &Spec,
    word: &Word<'_>,
    family: Family,
    protocol: Option<u8>,
    named: u8,
) -> Result<(), String> {
    let text = word.ascii().unwrap_or("");
    let held = |holds: bool, what: &str| if holds { Ok(()) } else { Err(values::refuse(word, what)) };
    match spec.name {
        "reject-with" => reject_type(word, family, protocol),
        "log-level" => held(is_number(text, 7) || LEVELS.iter().any(|(name, _)| *name == text), "a level of syslog"),
        "set-mark" | "set-xmark" => held(is_masked(text), "a mark"),
        "to-ports" | "to-source" | "to-destination" => {
            let text = word.ascii().ok_or_else(|| values::refuse(word, "a place to translate to"))?;
            let ports = match spec.name {
                // Only some versions take an offset here.
                "to-ports" => Some(text.split_once('/').map_or(text, |_| "")),
                _ => translated(text, family).ok_or_else(|| values::refuse(word, "an address to translate to"))?,
            };
            match ports {
                Some(_) if !matches!(named, 1 | 6 | 17 | 33 | 132) => {
                    Err(format!("`--{}` with ports needs a `-p` that has them: iptables-restore refuses it", spec.name))
                }
                Some(ports) if !is_translated_ports(ports) => Err(values::refuse(word, "a port or range of ports")),
                Some(_) | None => Ok(()),
            }
        }
        _ => held(spec.form.read(word, family).is_some(), spec.form.what()),
    }
}

/// The ports of `10.0.0.1-10.0.0.9:80-90`, if there are any; `None` if the addresses are none (libxt_NAT.c, `parse_to`).
fn translated(text: &str, family: Family) -> Option<Option<&str>> {
    let (addresses, ports) = match (text.strip_prefix('['), family) {
        (Some(_), Family::Ipv4) => return None,
        (Some(bracketed), Family::Ipv6) => {
            let (addresses, rest) = bracketed.split_once(']')?;
            (addresses, if rest.is_empty() { None } else { Some(rest.strip_prefix(':')?) })
        }
        // With two colons it is an IPv6 address.
        (None, _) => match text.split_once(':').filter(|(_, ports)| !ports.contains(':')) {
            Some((addresses, ports)) => (addresses, Some(ports)),
            None => (text, None),
        },
    };
    let is_address = |text: &str| match family {
        Family::Ipv4 => text.parse::<std::net::Ipv4Addr>().is_ok(),
        Family::Ipv6 => text.parse::<std::net::Ipv6Addr>().is_ok(),
    };
    let (first, last) = addresses.split_once('-').unwrap_or((addresses, addresses));
    (addresses.is_empty() && ports.is_some() || is_address(first) && is_address(last)).then_some(ports)
}

/// `80`, `http`, `80-90` or `80-90/5` (libxt_NAT.c, `parse_ports`).
fn is_translated_ports(text: &str) -> bool {
    let port = |text: &str| values::number(text).and_then(|n| u16::try_from(n).ok());
    let service = |text: &str| [6, 17, 33, 132].into_iter().any(|protocol| service_port(text, protocol).is_some());
    let (range, base) = text.split_once('/').map_or((text, None), |(range, base)| (range, Some(base)));
    match (range.split_once('-'), base) {
        (None, None) => port(text).is_some() || service(text),
        (None, Some(_)) => false,
        (Some((first, last)), base) => {
            let ordered = port(first).zip(port(last)).is_some_and(|(first, last)| first <= last);
            ordered && base.is_none_or(|base| port(base).is_some_and(|port| port > 0) || service(base))
        }
    }
}

/// The kinds of refusal, by family (libipt_REJECT.c, libip6t_REJECT.c); each may be cut short.
fn reject_type(word: &Word<'_>, family: Family, protocol: Option<u8>) -> Result<(), String> {
    let kinds: &[&str] = match family {
        Family::Ipv4 => &[
            "icmp-net-unreachable",
            "net-unreach",
            "icmp-host-unreachable",
            "host-unreach",
            "icmp-proto-unreachable",
            "proto-unreach",
            "icmp-port-unreachable",
            "port-unreach",
            "icmp-net-prohibited",
            "net-prohib",
            "icmp-host-prohibited",
            "host-prohib",
            "icmp-admin-prohibited",
            "admin-prohib",
            "tcp-reset",
            "tcp-rst",
        ],
        Family::Ipv6 => &[
            "icmp6-no-route",
            "no-route",
            "icmp6-adm-prohibited",
            "adm-prohibited",
            "icmp6-addr-unreachable",
            "addr-unreach",
            "icmp6-port-unreachable",
            "port-unreach",
            "tcp-reset",
            "icmp6-policy-fail",
            "policy-fail",
            "icmp6-reject-route",
            "reject-route",
        ],
    };
    let text = word.ascii().unwrap_or("").to_ascii_lowercase();
    if text.is_empty() || !kinds.iter().any(|kind| kind.starts_with(&text)) {
        return Err(values::refuse(word, "a kind of refusal"));
    }
    match protocol {
        Some(6) => Ok(()),
        Some(_) | None if text.starts_with("tcp") => {
            Err("`--reject-with tcp-reset` needs `-p tcp`: the kernel refuses the rule".to_owned())
        }
        Some(_) | None => Ok(()),
    }
}
