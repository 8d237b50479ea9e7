//! The text of a rule or condition without what does not matter: the order of options, quotes, counters, comments,
//! defaults, and the difference between `-m state` and `-m conntrack`.

use super::extensions::{Meaning, Module, Spec};
use super::refusals::LEVELS;
use super::syntax::{Command, Kind, Part};
use super::values;
use super::words::Word;
use crate::net::{Set, format_addresses, parse_addresses, protocol_name};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// A word as it could stand in a file, safe to print.
pub(super) fn quote(word: &Word<'_>) -> String {
    let shown = word.show();
    if shown.is_empty() || shown.contains([' ', '"', '\\']) {
        format!("\"{}\"", shown.replace('"', "\\\""))
    } else {
        shown
    }
}

/// A whole rule: conditions in a fixed order, then the target, parted by ` -> `.
pub(super) fn rule(command: &Command<'_>) -> String {
    let Command { parts, matches } = command;
    let mut conditions = Vec::new();
    let mut target = String::new();
    // Of this match the order of options counts.
    let mut policies = BTreeMap::<usize, String>::new();
    let has_options =
        |match_of: usize| parts.iter().any(|part| matches!(&part.kind, Kind::Option { of, .. } if *of == match_of));
    let protocol = parts.iter().filter(|part| !part.negated).find_map(|part| {
        let Kind::Protocol(word) = &part.kind else { return None };
        values::protocol(word).ok()
    });
    let marks = parts
        .iter()
        .any(|part| matches!(&part.kind, Kind::Jump(_, Some(target)) if matches!(target.name, "MARK" | "CONNMARK")));
    let demand = |conditions: &mut Vec<String>, not: &str, option: &str, value: String| {
        // What holds for every packet is not said.
        if !not.is_empty() || !matches!(value.as_str(), "all" | "+" | "0.0.0.0/0" | "::/0" | "0:65535") {
            conditions.push([not, option, &value].concat());
        }
    };
    for Part { at: _, negated, kind } in parts {
        let not = if *negated { "! " } else { "" };
        match kind {
            Kind::Counters
            | Kind::Family(_)
            | Kind::Append(_)
            | Kind::Insert(_, _)
            | Kind::New(_)
            | Kind::Policy(_, _)
            | Kind::OtherCommand(_)
            | Kind::Manner => {}
            Kind::Source(word) => demand(&mut conditions, not, "-s ", address(word)),
            Kind::Destination(word) => demand(&mut conditions, not, "-d ", address(word)),
            Kind::Protocol(word) => demand(&mut conditions, not, "-p ", protocol_of(word)),
            Kind::Input(word) => demand(&mut conditions, not, "-i ", quote(word)),
            Kind::Output(word) => demand(&mut conditions, not, "-o ", quote(word)),
            Kind::Fragment => conditions.push(format!("{not}-f")),
            Kind::Match(of) => {
                // Alone such a match is a condition; others that stand without an option say nothing.
                let says = |module: &Module| module.options.iter().all(|spec| spec.meaning == Meaning::Condition);
                if matches[*of].module.is_none_or(|module| says(module) && !has_options(*of)) {
                    conditions.push(format!("-m {}", matches[*of].name.show()));
                }
            }
            Kind::Option { of, spec, values } => {
                let Some(module) = matches[*of].module else { continue };
                if module.name == "policy" {
                    let text = option(module, spec.name, spec.default, values).unwrap_or_default();
                    let all = policies.entry(*of).or_insert_with(|| "-m policy".to_owned());
                    write!(all, " {not}{text}").expect("writing to a String");
                } else if let Some((name, value)) = modelled(spec, values, protocol.unwrap_or(0)) {
                    demand(&mut conditions, not, name, value);
                } else if spec.meaning != Meaning::Comment {
                    conditions.extend(option(module, spec.name, spec.default, values).map(|text| match module.name {
                        "tcp" | "udp" | "state" => [not, &text].concat(),
                        name => ["-m ", name, " ", not, &text].concat(),
                    }));
                }
            }
            Kind::Jump(name, _) => target.insert_str(0, &["-j ", &quote(name)].concat()),
            Kind::Goto(name) => target.insert_str(0, &["-g ", &quote(name)].concat()),
            Kind::TargetOption { spec, values } => {
                if let (true, [word]) = (marks, values.as_slice())
                    && let Some(mark) = written_mark(spec.name, &word.show())
                {
                    target.push_str(&mark);
                    continue;
                }
                if let ("log-level", [word]) = (spec.name, values.as_slice()) {
                    let level = LEVELS.iter().find(|(name, _)| *name == word.show());
                    let level = level.map_or_else(|| word.show(), |(_, number)| number.to_string());
                    if level != "4" {
                        write!(target, " --log-level {level}").expect("writing to a String");
                    }
                    continue;
                }
                write!(target, " --{}", spec.name).expect("writing to a String");
                for word in values {
                    write!(target, " {}", quote(word)).expect("writing to a String");
                }
            }
            Kind::Unknown { values } => {
                conditions.push(format!("{not}{}", values.iter().map(quote).collect::<Vec<_>>().join(" ")));
            }
            Kind::Refused(reason) => conditions.push(format!("({reason})")),
        }
    }
    conditions.extend(policies.into_values());
    conditions.sort_unstable();
    [&conditions.join(" "), " -> ", &target].concat()
}

/// An option that is modelled, by its value.
fn modelled(spec: &Spec, words: &[Word<'_>], protocol: u8) -> Option<(&'static str, String)> {
    let list = |set: Set| {
        let one = |(first, last)| if first == last { format!("{first}") } else { format!("{first}:{last}") };
        set.ranges().into_iter().map(one).collect::<Vec<_>>().join(",")
    };
    match (spec.meaning, words) {
        (Meaning::SourcePort, [word]) => Some(("--source-port ", list(values::port_range(word, protocol).ok()?))),
        (Meaning::DestinationPort, [word]) => {
            Some(("--destination-port ", list(values::port_range(word, protocol).ok()?)))
        }
        (Meaning::SourcePorts, [word]) => {
            Some(("-m multiport --source-ports ", list(values::port_list(word, protocol).ok()?)))
        }
        (Meaning::DestinationPorts, [word]) => {
            Some(("-m multiport --destination-ports ", list(values::port_list(word, protocol).ok()?)))
        }
        (Meaning::EitherPorts, [word]) => {
            Some(("-m multiport --ports ", list(values::port_list(word, protocol).ok()?)))
        }
        (Meaning::Syn, []) => Some(("--tcp-flags ", "FIN,SYN,RST,ACK SYN".to_owned())),
        _ => None,
    }
}

/// What `--set-mark 1` and its like mean, as `--set-xmark` (libxt_MARK.c, libxt_CONNMARK.c).
fn written_mark(option: &str, text: &str) -> Option<String> {
    let (value, mask) = text.split_once('/').unwrap_or((text, "0xffffffff"));
    let number = |text: &str| values::number(text).and_then(|number| u32::try_from(number).ok());
    let (value, mask) = (number(value)?, number(mask)?);
    let (value, mask) = match option {
        "set-xmark" => (value, mask),
        "set-mark" => (value, value | mask),
        "and-mark" => (0, !value),
        "or-mark" => (value, value),
        "xor-mark" => (value, 0),
        _ => return None,
    };
    Some(format!(" --set-xmark {value:#x}/{mask:#x}"))
}

/// An opaque condition of one match; `holds` false: without its `!`.
pub(super) fn condition<'p, 't: 'p>(module: &Module, parts: impl Iterator<Item = &'p Part<'t>>, holds: bool) -> String {
    let mut options = Vec::new();
    for Part { at: _, negated, kind } in parts {
        if let Kind::Option { of: _, spec, values } = kind {
            let not = if *negated && holds { "! " } else { "" };
            options.extend(option(module, spec.name, spec.default, values).map(|text| format!("{not}{text}")));
        }
    }
    if module.name != "policy" {
        options.sort_unstable();
    }
    let options = options.join(" ");
    format!("-m {} {options}", module.name).trim_end().to_owned()
}

/// One option; `None` if it says what holds without it.
fn option(module: &Module, name: &str, default: Option<&str>, values: &[Word<'_>]) -> Option<String> {
    let values = match values {
        [word] => value(module, name, word),
        _ => values.iter().map(|word| value(module, name, word)).collect::<Vec<_>>().join(" "),
    };
    if default == Some(&*values) || (module.name == "recent" && name == "mask" && is_full_mask(&values)) {
        return None;
    }
    let name = match name {
        "ctstate" => "state",
        "sport" => "source-port",
        "dport" => "destination-port",
        "sports" => "source-ports",
        "dports" => "destination-ports",
        "set" if module.name == "set" => "match-set",
        other => other,
    };
    let mut text = ["--", name, " ", &values].concat();
    text.truncate(text.trim_end().len());
    Some(text)
}

fn is_full_mask(mask: &str) -> bool {
    mask == "255.255.255.255" || mask.eq_ignore_ascii_case("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff")
}

fn value(module: &Module, option: &str, word: &Word<'_>) -> String {
    match (module.name, option) {
        ("limit", "limit") => rate(&word.show()).unwrap_or_else(|| word.show()),
        ("hashlimit", "hashlimit-upto" | "hashlimit-above") => rate(&word.show()).unwrap_or_else(|| word.show()),
        ("mac", _) => {
            let bytes = word.show().to_uppercase();
            bytes.split(':').map(|byte| format!("{byte:0>2}")).collect::<Vec<_>>().join(":")
        }
        ("icmp", _) => icmp(word, 1),
        ("icmp6", _) => icmp(word, 58),
        ("state" | "conntrack", "state" | "ctstate") | ("addrtype", "src-type" | "dst-type") => {
            let shown = word.show().to_uppercase();
            let mut names: Vec<_> = shown.split(',').collect();
            names.sort_unstable();
            names.join(",")
        }
        ("mark" | "connmark", "mark") => mark(&word.show()),
        _ => quote(word),
    }
}

/// `1`, `0x1` and `0x1/0xffffffff` are one mark.
fn mark(text: &str) -> String {
    let number = |text: &str| super::values::number(text);
    let (value, mask) = text.split_once('/').map_or((text, "0xffffffff"), |parts| parts);
    match (number(value), number(mask)) {
        (Some(value), Some(0xffff_ffff)) => format!("{value:#x}"),
        (Some(value), Some(mask)) => format!("{value:#x}/{mask:#x}"),
        (None, _) | (_, None) => text.to_owned(),
    }
}

/// `3/min`, `3/m`, `3/minute` are one rate.
pub(super) fn rate(text: &str) -> Option<String> {
    let (count, unit) = text.split_once('/').unwrap_or((text, "second"));
    let units = [("day", 24 * 60 * 60), ("hour", 60 * 60), ("minute", 60), ("second", 1)];
    let begins = |known: &str| !unit.is_empty() && known.starts_with(&unit.to_ascii_lowercase());
    let (_, seconds) = units.into_iter().rev().find(|(known, _)| begins(known))?;
    let count: u64 = count.parse().ok().filter(|count| *count > 0)?;
    let period = TENTHOUSANDTHS * seconds / count;
    if period == 0 {
        return None;
    }
    // The shortest unit but one in which it is a whole number (libxt_limit.c, `print_rate`).
    let fits = |(_, seconds): &(&str, u64)| {
        let whole = TENTHOUSANDTHS * seconds;
        period <= whole && whole / period >= whole % period
    };
    let (unit, seconds) = units.into_iter().take_while(fits).last().unwrap_or(units[0]);
    Some(format!("{}/{unit}", TENTHOUSANDTHS * seconds / period))
}

/// How many of the kernel's units of time a second has (`XT_LIMIT_SCALE`).
const TENTHOUSANDTHS: u64 = 10_000;

/// A type of ICMP by its numbers.
fn icmp(word: &Word<'_>, protocol: u8) -> String {
    match values::icmp(word, protocol).ok().and_then(|set| set.ranges().single()) {
        Some((0, 0xffff)) => "any".to_owned(),
        Some((first, last)) if first == last => format!("{}/{}", first >> 8, first & 0xff),
        Some((first, _)) => format!("{}", first >> 8),
        None => quote(word),
    }
}

/// A protocol by its name; `all` for all of them.
fn protocol_of(word: &Word<'_>) -> String {
    match values::protocol(word) {
        Ok(0) => "all".to_owned(),
        Ok(number) => protocol_name(number).map_or_else(|| number.to_string(), str::to_owned),
        Err(_) => word.show().to_lowercase(),
    }
}

/// Addresses as a prefix, without a length that says nothing.
fn address(word: &Word<'_>) -> String {
    let mut shown = word.show();
    if let Some((bare, mask)) = shown.split_once('/')
        && let Some(mask) = mask.parse::<std::net::Ipv4Addr>().ok().map(u32::from)
        && mask.leading_ones() + mask.trailing_zeros() >= 32
    {
        shown = format!("{bare}/{}", mask.leading_ones());
    }
    if let Some((family, set)) = parse_addresses(&shown).filter(|_| !shown.contains('-'))
        && let Some((first, last)) = set.ranges().single()
    {
        shown = format_addresses(family, first, last);
    }
    let whole = if shown.contains(':') { "/128" } else { "/32" };
    let length = shown.strip_suffix(whole).unwrap_or(&shown).len();
    shown.truncate(length);
    shown
}
