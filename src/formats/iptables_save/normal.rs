//! The text of a rule or condition without what does not matter: the order of options, quotes, counters, comments,
//! defaults, and the difference between `-m state` and `-m conntrack`.

use super::extensions::{Meaning, Module};
use super::syntax::{Command, Kind, Part};
use super::words::Word;
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
            Kind::Source(word) => conditions.push([not, "-s ", &address(word)].concat()),
            Kind::Destination(word) => conditions.push([not, "-d ", &address(word)].concat()),
            Kind::Protocol(word) => conditions.push([not, "-p ", &word.show().to_lowercase()].concat()),
            Kind::Input(word) => conditions.push([not, "-i ", &quote(word)].concat()),
            Kind::Output(word) => conditions.push([not, "-o ", &quote(word)].concat()),
            Kind::Fragment => conditions.push(format!("{not}-f")),
            Kind::Match(of) => {
                if matches[*of].module.is_none_or(|module| module.options.is_empty()) {
                    conditions.push(format!("-m {}", matches[*of].name.show()));
                }
            }
            Kind::Option { of, spec, values } => {
                let Some(module) = matches[*of].module else { continue };
                if spec.meaning != Meaning::Comment {
                    conditions.extend(option(module, spec.name, spec.default, values).map(|text| match module.name {
                        "tcp" | "udp" | "state" => [not, &text].concat(),
                        name => ["-m ", name, " ", not, &text].concat(),
                    }));
                }
            }
            Kind::Jump(name, _) => target.insert_str(0, &["-j ", &quote(name)].concat()),
            Kind::Goto(name) => target.insert_str(0, &["-g ", &quote(name)].concat()),
            Kind::TargetOption { spec, values } => {
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
    conditions.sort_unstable();
    [&conditions.join(" "), " -> ", &target].concat()
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
    options.sort_unstable();
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
        ("mac", _) => word.show().to_uppercase(),
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
    let unit = ["second", "minute", "hour", "day"]
        .into_iter()
        .find(|known| !unit.is_empty() && known.starts_with(&unit.to_ascii_lowercase()))?;
    let count: u32 = count.parse().ok().filter(|count| *count > 0)?;
    Some(format!("{count}/{unit}"))
}

/// Addresses without a mask that says nothing.
fn address(word: &Word<'_>) -> String {
    let mut shown = word.show();
    let length = shown.strip_suffix("/32").or_else(|| shown.strip_suffix("/128")).unwrap_or(&shown).len();
    shown.truncate(length);
    shown
}
