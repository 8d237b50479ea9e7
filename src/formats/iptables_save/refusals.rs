//! What the real program refuses in lines whose form is right.

use super::extensions::{Meaning, Module, Spec};
use super::normal;
use super::ruleset::TableKind;
use super::syntax::Kind;
use super::values;
use super::words::Word;
use crate::net::{Family, Set, service_port};

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

/// Whether the rule is about the one protocol that the match can read.
pub(super) fn needs_protocol(module: &Module, protocol: Option<u8>, family: Family) -> Result<(), String> {
    let wanted: &[u8] = match module.name {
        "tcp" | "tcpmss" => &[6],
        "udp" => &[17],
        "udplite" => &[136],
        "sctp" => &[132],
        "dccp" => &[33],
        "icmp" => &[1],
        "icmp6" => &[58],
        "multiport" => &[6, 17, 33, 132, 136],
        _ => return Ok(()),
    };
    match protocol {
        Some(protocol) if wanted.contains(&protocol) => match (module.name, family) {
            ("icmp", Family::Ipv6) => Err("`-m icmp` is for IPv4, and the line is for IPv6".to_owned()),
            ("icmp6", Family::Ipv4) => Err("`-m icmp6` is for IPv6, and the line is for IPv4".to_owned()),
            _ => Ok(()),
        },
        Some(_) | None => {
            Err(format!("`-m {}` needs a `-p` of its own protocol: iptables-restore refuses the line", module.name))
        }
    }
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
pub(super) fn check_condition(module: &Module, spec: &Spec, word: &Word<'_>) -> Result<(), String> {
    if values::is_template(&word.text) {
        return Err(values::refuse(word, "a value"));
    }
    let text = word.ascii().unwrap_or("");
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let (holds, what) = match (module.name, spec.name) {
        ("limit", "limit") => (normal::rate(text).is_some(), "a rate of at most 10000/second"),
        ("limit", "limit-burst") => (digits, "a number"),
        ("mark" | "connmark", "mark") => (is_masked(text), "a mark"),
        ("conntrack", "ctproto") => (values::protocol(word).is_ok(), "a protocol"),
        ("conntrack", "ctdir") => {
            (["ORIGINAL", "REPLY"].iter().any(|known| known.eq_ignore_ascii_case(text)), "a direction")
        }
        ("ttl", "ttl" | "ttl-eq" | "ttl-lt" | "ttl-gt") | ("hl", "hl-eq" | "hl-lt" | "hl-gt") => {
            (is_number(text, 255), "a number up to 255")
        }
        ("addrtype", "src-type" | "dst-type") => {
            (text.split(',').all(|one| begins_one(one, &ADDRESS_TYPES)), "a type of address")
        }
        _ => return Ok(()),
    };
    if holds { Ok(()) } else { Err(values::refuse(word, what)) }
}

/// The types of addresses (libxt_addrtype.c, `rtn_names`).
const ADDRESS_TYPES: [&str; 12] = [
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
];

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
fn is_masked(text: &str) -> bool {
    let (value, mask) = text.split_once('/').unwrap_or((text, "0"));
    [value, mask].into_iter().all(|text| is_number(text, u32::MAX.into()))
}

fn begins_one(text: &str, of: &[&str]) -> bool {
    let begins = |known: &&str| known.get(..text.len()).is_some_and(|start| start.eq_ignore_ascii_case(text));
    !text.is_empty() && of.iter().any(begins)
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

/// The options of which a match needs one each; nothing: it may stand alone. (`x6_parse` of the extensions.)
pub(super) fn needed(module: &Module) -> &'static [&'static [&'static str]] {
    match module.name {
        "addrtype" => &[&["src-type", "dst-type"]],
        "bpf" => &[&["bytecode", "object-pinned"]],
        "cluster" => &[&["cluster-local-node", "cluster-local-nodemask"]],
        "connbytes" => &[&["connbytes"]],
        "connlabel" => &[&["label"]],
        "connlimit" => &[&["connlimit-above", "connlimit-upto"]],
        "cpu" => &[&["cpu"]],
        "devgroup" => &[&["src-group", "dst-group"]],
        "dscp" => &[&["dscp", "dscp-class"]],
        "ecn" => &[&["ecn-tcp-cwr", "ecn-tcp-ece", "ecn-ip-ect"]],
        "hashlimit" => &[&["hashlimit-name"], &["hashlimit", "hashlimit-upto", "hashlimit-above"]],
        "helper" => &[&["helper"]],
        "length" => &[&["length"]],
        "mac" => &[&["mac-source"]],
        "mark" | "connmark" => &[&["mark"]],
        "nfacct" => &[&["nfacct-name"]],
        "osf" => &[&["genre"]],
        "owner" => &[&["uid-owner", "gid-owner", "pid-owner", "sid-owner", "cmd-owner", "socket-exists"]],
        "physdev" => &[&["physdev-in", "physdev-out", "physdev-is-in", "physdev-is-out", "physdev-is-bridged"]],
        "pkttype" => &[&["pkt-type"]],
        "policy" => &[&["dir"]],
        "quota" => &[&["quota"]],
        "realm" => &[&["realm"]],
        "recent" => &[&["set", "rcheck", "update", "remove"]],
        "set" => &[&["match-set", "set"]],
        "statistic" => &[&["probability", "every"]],
        "string" => &[&["algo"], &["string", "hex-string"]],
        "tcpmss" => &[&["mss"]],
        "tos" => &[&["tos"]],
        "ttl" => &[&["ttl", "ttl-eq", "ttl-lt", "ttl-gt"]],
        "hl" => &[&["hl-eq", "hl-lt", "hl-gt"]],
        "u32" => &[&["u32"]],
        _ => &[],
    }
}

/// What the real program would refuse in a target that lacks an option; `given`: those that stand there.
pub(super) fn check_target(name: &str, given: &[&str]) -> Result<(), String> {
    let one_of: &[&str] = match name {
        "MARK" => &["set-mark", "set-xmark", "and-mark", "or-mark", "xor-mark"],
        "CONNMARK" => &["set-mark", "set-xmark", "save-mark", "restore-mark", "and-mark", "or-mark", "xor-mark"],
        "TCPMSS" => &["set-mss", "clamp-mss-to-pmtu"],
        "TEE" => &["gateway"],
        "TPROXY" => &["on-port"],
        "DNAT" => &["to-destination"],
        "SNAT" => &["to-source"],
        "NETMAP" => &["to"],
        _ => return Ok(()),
    };
    if one_of.iter().any(|option| given.contains(option)) {
        return Ok(());
    }
    Err(format!("`-j {name}` lacks `--{}`: iptables-restore refuses the line", one_of.join("` or `--")))
}

/// Six bytes in hexadecimal.
pub(super) fn is_mac(text: &[u8]) -> bool {
    let bytes: Vec<_> = text.split(|b| *b == b':').collect();
    bytes.len() == 6 && bytes.iter().all(|byte| matches!(byte.len(), 1 | 2) && byte.iter().all(u8::is_ascii_hexdigit))
}

/// Some targets work in one table only (the kernel's `xt_target`, field `table`).
pub(super) fn check_table(target: &str, table: TableKind) -> Result<(), String> {
    let only = match target {
        "REJECT" => TableKind::Filter,
        "DNAT" | "SNAT" | "MASQUERADE" | "REDIRECT" | "NETMAP" => TableKind::Nat,
        "NOTRACK" | "CT" => TableKind::Raw,
        "TTL" | "HL" | "DSCP" | "TOS" | "ECN" | "CHECKSUM" | "TPROXY" => TableKind::Mangle,
        _ => return Ok(()),
    };
    if only == table {
        return Ok(());
    }
    let (here, there) = (table.name(), only.name());
    Err(format!("`{target}` works in the table `{there}` only, and this is `{here}`: the kernel refuses the rule"))
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
        "nflog-group" => held(is_number(text, u16::MAX.into()), "a number up to 65535"),
        "set-mark" | "set-xmark" | "tproxy-mark" => held(is_masked(text), "a mark"),
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
        _ => Ok(()),
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
