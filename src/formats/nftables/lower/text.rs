//! Expressions in one way of writing, for texts that are compared: the shortest form of keys, numbers in decimal.

use crate::formats::nftables::syntax::{
    Binary, Element, ElementOption, Elements, Expression, Form, Jump, Kind, Limit, MetaKey, Name, Plain, Quota, Verdict,
};
use crate::formats::nftables::types;
use crate::net::{Family, format_address};
use crate::text::escape;
use std::fmt::Write as _;

/// An expression whose type is not known.
pub(super) fn expression(expression: &Expression<'_>) -> String {
    let show = self::expression;
    match &expression.kind {
        Kind::Variable(_, value) => show(value),
        Kind::Word(word) => self::word(word),
        // Quotes change no meaning, and JSON has none.
        Kind::Quoted(word) => escape(word),
        Kind::Prefix(base, length) => format!("{}/{}", show(base), show(length)),
        Kind::Range(low, high) => format!("{}-{}", show(low), show(high)),
        Kind::Wildcard => "*".to_owned(),
        Kind::List(parts) => joined(parts, ","),
        Kind::Set(elements) => self::elements(elements),
        Kind::SetReference(name) => format!("@{}", name.show()),
        Kind::Concatenation(parts) => joined(parts, " . "),
        Kind::Binary(operator, left, right) => {
            let operator = match operator {
                Binary::And => "&",
                Binary::Or => "|",
                Binary::Xor => "^",
                Binary::ShiftLeft => "<<",
                Binary::ShiftRight => ">>",
            };
            let side = |of: &Expression<'_>| match &of.resolved().kind {
                Kind::Binary(_, _, _) => format!("({})", show(of)),
                _ => show(of),
            };
            format!("{} {operator} {}", side(left), side(right))
        }
        Kind::Map(key, map) => format!("{} map {}", show(key), show(map)),
        Kind::Verdict(verdict) => self::verdict(verdict),
        Kind::Exists(exists) => (if *exists { "exists" } else { "missing" }).to_owned(),
        Kind::Meta(key) => {
            // By number or by name: the same interface.
            let key = match key {
                MetaKey::Iif => MetaKey::Iifname,
                MetaKey::Oif => MetaKey::Oifname,
                other => *other,
            };
            if key.stands_alone() && key != MetaKey::Mark {
                key.keyword().to_owned()
            } else {
                format!("meta {}", key.keyword())
            }
        }
        Kind::Ct(key, direction) => match direction {
            Some(direction) => format!("ct {} {}", direction.keyword(), key.keyword()),
            None => format!("ct {}", key.keyword()),
        },
        Kind::Payload(field) => format!("{} {}", field.header().keyword(), field.name()),
        Kind::RawPayload { base, offset, length } => format!("@{},{offset},{length}", escape(base)),
        Kind::Inner(header, inner) => format!("{header} {}", show(inner)),
        Kind::Extension(field, index) => {
            let index = index.map_or_else(String::new, |index| format!("[{index}]"));
            format!("{} {}{index}", field.header(), field.name())
        }
        Kind::ExtensionHeader(header) => format!("exthdr {}", escape(header)),
        Kind::TcpOption { option, field } => {
            let option = tcp_option(option);
            field.map_or_else(|| format!("tcp option {option}"), |f| format!("tcp option {option} {}", f.keyword()))
        }
        Kind::RawTcpOption { option, offset, length } => format!("tcp option @{option},{offset},{length}"),
        Kind::IpOption { option, field } => {
            let option = escape(option);
            field.map_or_else(|| format!("ip option {option}"), |f| format!("ip option {option} {}", f.keyword()))
        }
        Kind::SctpChunk { chunk, field } => {
            let chunk = escape(chunk);
            field.map_or_else(|| format!("sctp chunk {chunk}"), |f| format!("sctp chunk {chunk} {}", f.keyword()))
        }
        Kind::DccpOption(option) => format!("dccp option {option}"),
        Kind::Rt(key) => format!("rt {}", key.keyword()),
        Kind::Socket(key, level) => match level {
            Some(level) => format!("socket {} level {level}", key.keyword()),
            None => format!("socket {}", key.keyword()),
        },
        Kind::Osf { version, ttl } => {
            let ttl = ttl.as_ref().map_or_else(String::new, |ttl| format!("ttl {} ", escape(ttl)));
            format!("osf {ttl}{}", if *version { "version" } else { "name" })
        }
        Kind::Fib { flags, result } => {
            let mut flags: Vec<_> = flags.iter().map(|flag| flag.keyword()).collect();
            flags.sort_unstable();
            format!("fib {} {}", flags.join(" . "), result.keyword())
        }
        Kind::Numgen { incremental, modulus, offset } => {
            let manner = if *incremental { "inc" } else { "random" };
            format!("numgen {manner} mod {modulus}{}", behind("offset", *offset))
        }
        Kind::Jhash { key, modulus, seed, offset } => {
            let seed = seed.map_or_else(String::new, |seed| format!(" seed {seed:#x}"));
            format!("jhash {} mod {modulus}{seed}{}", show(key), behind("offset", *offset))
        }
        Kind::Symhash { modulus, offset } => format!("symhash mod {modulus}{}", behind("offset", *offset)),
        Kind::Ipsec { inbound, number, key } => {
            format!("ipsec {} spnum {number} {}", if *inbound { "in" } else { "out" }, key.keyword())
        }
        Kind::Other(text) => escape(text),
    }
}

fn tcp_option(word: &[u8]) -> String {
    match word {
        b"mss" => "maxseg".to_owned(),
        b"sack-permitted" => "sack-perm".to_owned(),
        other => escape(other),
    }
}

fn behind(word: &str, number: u64) -> String {
    if number == 0 { String::new() } else { format!(" {word} {number}") }
}

fn joined(parts: &[Expression<'_>], between: &str) -> String {
    parts.iter().map(expression).collect::<Vec<_>>().join(between)
}

/// A word; a number in decimal, however it is written.
pub(super) fn word(word: &[u8]) -> String {
    let text = std::str::from_utf8(word).unwrap_or("");
    types::number(text).map_or_else(|| escape(word), |number| number.to_string())
}

/// The elements of a set, in order.
fn elements(elements: &Elements<'_>) -> String {
    let mut all: Vec<(u32, String)> = Vec::with_capacity(elements.len());
    let ipv4 = |value: u32| format_address(Family::Ipv4, value.into());
    let ipv6 = |value| format_address(Family::Ipv6, value);
    all.extend(elements.all_ipv4().iter().map(|one| (one.at, plain(one, ipv4))));
    all.extend(elements.ipv6.iter().map(|one| (one.at, plain(one, ipv6))));
    all.extend(elements.numbers.iter().map(|one| (one.at, plain(one, |value| value.to_string()))));
    all.extend(elements.others.iter().map(|one| (one.at.start, element(one))));
    all.sort_by(|a, b| a.1.cmp(&b.1));
    format!("{{ {} }}", all.into_iter().map(|(_, text)| text).collect::<Vec<_>>().join(", "))
}

fn plain<N: Copy + Eq>(plain: &Plain<N>, show: impl Fn(N) -> String) -> String {
    match plain.form {
        Form::Single => show(plain.first),
        Form::Prefix(length) => format!("{}/{length}", show(plain.first)),
        Form::Range => format!("{}-{}", show(plain.first), show(plain.last)),
    }
}

fn element(element: &Element<'_>) -> String {
    let Element { at: _, key, options, value } = element;
    let mut text = expression(key);
    for option in options {
        match option {
            ElementOption::Timeout(Some(time)) => write!(text, " timeout {time}ms").expect("writing to a String"),
            ElementOption::Timeout(None) | ElementOption::Expires(_) | ElementOption::Comment(_) => {}
            ElementOption::Statement(statement) => {
                write!(text, " {}", super::statements::text(statement)).expect("writing to a String");
            }
        }
    }
    if let Some(value) = value {
        write!(text, " : {}", expression(value)).expect("writing to a String");
    }
    text
}

pub(super) fn verdict(verdict: &Verdict<'_>) -> String {
    let to = |jump: &Jump<'_>| match jump {
        Jump::Chain(name) => name.show(),
        Jump::Block(rules) => {
            format!("{{ {} }}", rules.iter().map(super::statements::rule_text).collect::<Vec<_>>().join("; "))
        }
    };
    match verdict {
        Verdict::Accept => "accept".to_owned(),
        Verdict::Drop => "drop".to_owned(),
        Verdict::Continue => "continue".to_owned(),
        Verdict::Return => "return".to_owned(),
        Verdict::Jump(chain) => format!("jump {}", to(chain)),
        Verdict::Goto(chain) => format!("goto {}", to(chain)),
    }
}

/// `3/minute`, with a burst that is not the usual one; without `over`.
pub(super) fn limit(limit: &Limit) -> String {
    let Limit { over: _, rate, bytes, per, burst } = limit;
    let usual = if *bytes { 0 } else { 5 };
    let unit = if *bytes { " bytes" } else { "" };
    let burst = burst
        .filter(|burst| *burst != usual)
        .map_or_else(String::new, |burst| format!(" burst {burst} {}", if *bytes { "bytes" } else { "packets" }));
    format!("limit rate {rate}{unit}/{}{burst}", per.keyword())
}

/// Without `over` and what has been used.
pub(super) fn quota(quota: &Quota) -> String {
    format!("quota {} bytes", quota.bytes)
}

/// `, name` for names that may be absent.
pub(super) fn named(word: &str, name: Option<&Name<'_>>) -> String {
    name.map_or_else(String::new, |name| format!(" {word} {}", name.show()))
}
