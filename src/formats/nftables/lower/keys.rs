//! Conditions that iptables has too: under which text both formats ask them.

use super::conditions::Part;
use super::selectors::Reads;
use super::terms::Truth;
use crate::formats::nftables::types::{self, Type};

/// The text of the same condition in an `iptables-save` file; `None`: there is none.
pub(super) fn key(part: &Part, value: &str) -> Option<String> {
    let Reads::Opaque { truth, absent: _ } = &part.selector.reads else { return None };
    if part.scattered || part.xor != 0 || value.contains('{') || value.starts_with(['!', '>']) {
        return None;
    }
    let plain = part.is_plain();
    let text = part.selector.text.as_str();
    Some(match (text, part.selector.kind) {
        ("meta mark" | "ct mark", _) => {
            let module = if text == "meta mark" { "mark" } else { "connmark" };
            let value = one_number(value)?;
            let mask = if plain { String::new() } else { format!("/{:#x}", part.and) };
            format!("-m {module} --mark {value:#x}{mask}")
        }
        _ if !plain => return None,
        ("pkttype", _) => format!("-m pkttype --pkt-type {}", if value == "host" { "unicast" } else { value }),
        ("fib daddr type", _) => format!("-m addrtype --dst-type {}", value.to_uppercase()),
        ("fib saddr type", _) => format!("-m addrtype --src-type {}", value.to_uppercase()),
        ("skuid", _) => format!("-m owner --uid-owner {}", value.replace('"', "")),
        ("skgid", _) => format!("-m owner --gid-owner {}", value.replace('"', "")),
        ("ip ttl", _) if *truth == Truth::Hops => format!("-m ttl --ttl-eq {}", one_number(value)?),
        ("ip6 hoplimit", _) => format!("-m hl --hl-eq {}", one_number(value)?),
        ("ip dscp" | "ip6 dscp", Type::Named(_)) => {
            let number = crate::formats::nftables::names::value(types::DSCP.words, value.as_bytes())
                .map(u128::from)
                .or_else(|| one_number(value))?;
            format!("-m dscp --dscp {number:#04x}")
        }
        ("meta length", _) => match value.split_once('-') {
            Some((low, high)) => format!("-m length --length {low}:{high}"),
            None => format!("-m length --length {value}"),
        },
        ("rt type", _) => format!("-m rt --rt-type {}", one_number(value)?),
        ("ether saddr", _) => format!("-m mac --mac-source {}", value.to_uppercase()),
        ("ct status", _) => match value {
            "snat" | "dnat" => format!("-m conntrack --ctstate {}", value.to_uppercase()),
            "expected" | "assured" | "confirmed" => format!("-m conntrack --ctstatus {}", value.to_uppercase()),
            "seen-reply" => "-m conntrack --ctstatus SEEN_REPLY".to_owned(),
            _ => return None,
        },
        ("ct helper", _) => format!("-m helper --helper {}", value.replace('"', "")),
        (_, _) => return None,
    })
}

fn one_number(text: &str) -> Option<u128> {
    types::number(text)
}

/// The same for a rate.
pub(super) fn limit(limit: &crate::formats::nftables::syntax::Limit) -> Option<String> {
    let crate::formats::nftables::syntax::Limit { over: _, rate, bytes, per, burst } = limit;
    if *bytes || per.keyword() == "week" {
        return None;
    }
    let burst = burst.filter(|burst| *burst != 5).map_or_else(String::new, |burst| format!(" --limit-burst {burst}"));
    Some(format!("-m limit --limit {rate}/{}{burst}", per.keyword()))
}
