//! What the real program refuses in lines whose form is right.

use super::extensions::{Meaning, Module, Spec};
use super::normal;
use super::syntax::Kind;
use super::values;
use super::words::Word;
use crate::net::Family;

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

pub(super) fn has_ports(module: &Module) -> bool {
    module.options.iter().any(|spec| spec.meaning == Meaning::SourcePort)
}

/// What the real program would refuse in a value that is otherwise only compared.
pub(super) fn check_condition(module: &Module, spec: &Spec, word: &Word<'_>) -> Result<(), String> {
    if values::is_template(&word.text) {
        return Err(values::refuse(word, "a value"));
    }
    let digits = |text: &[u8]| !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    match (module.name, spec.name) {
        ("limit", "limit") => normal::rate(&word.show()).map(|_| ()).ok_or_else(|| values::refuse(word, "a rate")),
        ("limit", "limit-burst") if !digits(&word.text) => Err(values::refuse(word, "a number")),
        _ => Ok(()),
    }
}

/// Six bytes in hexadecimal.
pub(super) fn is_mac(text: &[u8]) -> bool {
    let bytes: Vec<_> = text.split(|b| *b == b':').collect();
    bytes.len() == 6 && bytes.iter().all(|byte| matches!(byte.len(), 1 | 2) && byte.iter().all(u8::is_ascii_hexdigit))
}

/// The kinds of refusal, by family (libipt_REJECT.c, libip6t_REJECT.c); each may be cut short.
pub(super) fn reject_type(word: &Word<'_>, family: Family, protocol: Option<u8>) -> Result<(), String> {
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
