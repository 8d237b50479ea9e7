//! Statements in one way of writing, where types do not matter.

use super::declared::decides;
use super::text::{self, expression};
use crate::formats::nftables::syntax::{
    ElementOption, Expression, Log, Nat, Reject, Relation, Rule, Set, Statement, StatementKind, Synproxy,
};
use crate::formats::nftables::types;
use std::fmt::Write as _;

/// A whole rule.
pub(super) fn rule_text(rule: &Rule<'_>) -> String {
    rule.statements.iter().map(text).collect::<Vec<_>>().join(" ")
}

/// One statement; counts that change by themselves are left out.
pub(super) fn text(statement: &Statement<'_>) -> String {
    kind_text(&statement.kind)
}

pub(super) fn kind_text(kind: &StatementKind<'_>) -> String {
    use StatementKind as S;
    match kind {
        S::Match(relation, left, right) => {
            let relation = match relation {
                Relation::Implicit | Relation::Equal => "",
                Relation::NotEqual => "!= ",
                Relation::Less => "< ",
                Relation::LessOrEqual => "<= ",
                Relation::Greater => "> ",
                Relation::GreaterOrEqual => ">= ",
                Relation::NoneOf => "! ",
            };
            format!("{} {relation}{}", expression(left), expression(right))
        }
        S::Verdict(verdict) => text::verdict(verdict),
        S::VerdictMap(key, map) => format!("{} vmap {}", expression(key), expression(map)),
        S::Counter { packets: _, bytes: _ } => "counter".to_owned(),
        S::CounterReference(name) => format!("counter name {}", object(name)),
        S::Limit(limit) => {
            let text = text::limit(limit);
            if limit.over { text.replacen("rate ", "rate over ", 1) } else { text }
        }
        S::LimitReference(name) => format!("limit name {}", object(name)),
        S::Quota(quota) => {
            let text = text::quota(quota);
            if quota.over { text.replacen("quota ", "quota over ", 1) } else { text }
        }
        S::QuotaReference(name) => format!("quota name {}", object(name)),
        S::ConnectionLimit { over, count } => format!("ct count {}{count}", if *over { "over " } else { "" }),
        S::Last(_) => "last".to_owned(),
        S::Log(log) => log_text(log),
        S::Reject(reject) => match reject {
            Reject::Default => "reject".to_owned(),
            Reject::TcpReset => "reject with tcp reset".to_owned(),
            Reject::Icmp(code) => format!("reject with icmp {}", expression(code)),
            Reject::Icmpv6(code) => format!("reject with icmpv6 {}", expression(code)),
            Reject::Icmpx(code) => format!("reject with icmpx {}", expression(code)),
        },
        S::Nat(nat) => nat_text(nat),
        S::Tproxy { family, address, port } => {
            let mut out = "tproxy".to_owned();
            if let Some(family) = family {
                write!(out, " {}", family.keyword()).expect("writing to a String");
            }
            out.push_str(&to(address.as_ref().map(expression), port.as_ref().map(expression)));
            out
        }
        S::Synproxy(Synproxy { mss, wscale, timestamp, sack_perm }) => {
            let number = |word: &str, value: &Option<u32>| value.map_or_else(String::new, |n| format!(" {word} {n}"));
            let flag = |word: &str, is: bool| if is { format!(" {word}") } else { String::new() };
            let flags = [flag("timestamp", *timestamp), flag("sack-perm", *sack_perm)].concat();
            format!("synproxy{}{}{flags}", number("mss", mss), number("wscale", wscale))
        }
        S::SynproxyReference(name) => format!("synproxy name {}", object(name)),
        S::Queue { number, flags } => {
            let mut words: Vec<&str> = flags.iter().map(|flag| flag.keyword()).collect();
            words.sort_unstable();
            let flags = if words.is_empty() { String::new() } else { format!(" flags {}", words.join(",")) };
            let to = number.as_ref().map_or_else(|| "0".to_owned(), expression);
            format!("queue{flags} to {to}")
        }
        S::Dup { to, device } => {
            let part = |word: &str, of: &Option<_>| {
                of.as_ref().map_or_else(String::new, |of| format!(" {word} {}", expression(of)))
            };
            format!("dup{}{}", part("to", to), part("device", device))
        }
        S::Forward { family: _, to, device } => match to {
            Some(to) => format!("fwd to {} device {}", expression(to), expression(device)),
            None => format!("fwd to {}", expression(device)),
        },
        S::Set(left, value) => format!("{} set {}", expression(left), expression(value)),
        S::ResetOption(option) => format!("reset {}", expression(option)),
        S::CtHelper(name) => format!("ct helper set {}", object(name)),
        S::CtTimeout(name) => format!("ct timeout set {}", object(name)),
        S::CtExpectation(name) => format!("ct expectation set {}", object(name)),
        S::Secmark(name) => format!("meta secmark set {}", object(name)),
        S::Notrack => "notrack".to_owned(),
        S::FlowOffload(name) => format!("flow add @{}", name.show()),
        S::SetStatement { action, set, key, options, value, statements } => {
            let value = value.as_ref().map_or_else(String::new, |value| format!(" : {}", expression(value)));
            let key = expression(key);
            let inside = inside(options, statements);
            format!("{} @{} {{ {key}{inside}{value} }}", action.keyword(), set.show())
        }
        S::Meter { name, size: _, key, options, statements } => {
            format!("meter {} {{ {}{} }}", name.show(), expression(key), inside(options, statements))
        }
        S::Xt(kind, name) => format!("xt {} {}", crate::text::escape(kind), types::quoted(&name.text)),
    }
}

/// What a set asks of each of its elements: how long it stays, and what keeps packets from it; `None`: nothing.
pub(super) fn asked(set: &Set<'_>) -> Option<String> {
    let time = set.timeout.map(|time| format!("timeout {time}ms"));
    let parts: Vec<String> = time.into_iter().chain(asked_by(set)).collect();
    (!parts.is_empty()).then(|| parts.join(" "))
}

/// What a set asks of each packet that meets one of its elements; `None`: nothing.
pub(super) fn asked_by(set: &Set<'_>) -> Option<String> {
    let parts: Vec<String> = set.statements.iter().filter(|statement| decides(&statement.kind)).map(text).collect();
    (!parts.is_empty()).then(|| parts.join(" "))
}

/// The name of an object, or a map to names: quoted or not, they are names.
fn object(name: &Expression<'_>) -> String {
    expression(name).replace('"', "")
}

fn inside(options: &[ElementOption<'_>], statements: &[Statement<'_>]) -> String {
    let mut out = String::new();
    for option in options {
        match option {
            ElementOption::Timeout(Some(time)) => write!(out, " timeout {time}ms").expect("writing to a String"),
            ElementOption::Timeout(None) | ElementOption::Expires(_) | ElementOption::Comment(_) => {}
            ElementOption::Statement(statement) => write!(out, " {}", text(statement)).expect("writing to a String"),
        }
    }
    for statement in statements {
        write!(out, " {}", text(statement)).expect("writing to a String");
    }
    out
}

fn log_text(log: &Log<'_>) -> String {
    let Log { prefix, group, snaplen, queue_threshold, level, flags } = log;
    let mut out = "log".to_owned();
    if let Some(prefix) = prefix {
        write!(out, " prefix {}", types::quoted(&prefix.text)).expect("writing to a String");
    }
    for (word, number) in [("group", group), ("snaplen", snaplen), ("queue-threshold", queue_threshold)] {
        if let Some(number) = number {
            write!(out, " {word} {number}").expect("writing to a String");
        }
    }
    out.push_str(&text::named("level", level.as_ref()));
    for flag in flags {
        write!(out, " flags {}", flag.show()).expect("writing to a String");
    }
    out
}

/// A translation; the family that its address shows is left out.
pub(super) fn nat_text(nat: &Nat<'_>) -> String {
    let Nat { kind, family: _, address, port, flags, netmap } = nat;
    let mut out = kind.keyword().to_owned();
    if *netmap {
        out.push_str(" prefix");
    }
    out.push_str(&to(address.as_ref().map(expression), port.as_ref().map(expression)));
    let mut flags: Vec<&str> = flags.iter().map(|flag| flag.keyword()).collect();
    flags.sort_unstable();
    for flag in flags {
        write!(out, " {flag}").expect("writing to a String");
    }
    out
}

fn to(address: Option<String>, port: Option<String>) -> String {
    let bracket = |text: String| if text.contains(':') && !text.contains(' ') { format!("[{text}]") } else { text };
    match (address, port) {
        (None, None) => String::new(),
        (Some(address), None) => format!(" to {address}"),
        (None, Some(port)) => format!(" to :{port}"),
        (Some(address), Some(port)) => format!(" to {}:{port}", bracket(address)),
    }
}
