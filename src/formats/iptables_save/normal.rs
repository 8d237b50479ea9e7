//! The text of a rule or condition without what does not matter: the order of options, quotes, counters, comments,
//! defaults, and the difference between `-m state` and `-m conntrack`.

use super::extensions::{Meaning, Module, Spec};
use super::forms;
use super::refusals::LEVELS;
use super::syntax::{Command, Kind, Part};
use super::values;
use super::words::Word;
use crate::net::{Family, Set, format_addresses, parse_addresses, protocol_name};

/// A word as it could stand in a file, safe to print.
pub(super) fn quote(word: &Word<'_>) -> String {
    quoted(word.show())
}

/// The same of a text that is escaped already.
pub(super) fn quoted(shown: String) -> String {
    if shown.is_empty() || shown.contains([' ', '"', '\\']) {
        format!("\"{}\"", shown.replace('"', "\\\""))
    } else {
        shown
    }
}

/// A whole rule: conditions in a fixed order, then the target, parted by ` -> `.
pub(super) fn rule(command: &Command<'_>, family: Family) -> String {
    let Command { parts, matches } = command;
    let mut conditions = Vec::new();
    let protocol = parts.iter().filter(|part| !part.negated).find_map(|part| {
        let Kind::Protocol(word) = &part.kind else { return None };
        values::protocol(word).ok()
    });
    let demand = |conditions: &mut Vec<String>, not: &str, option: &str, value: String| {
        // What holds for every packet is not said.
        if !not.is_empty() || !matches!(value.as_str(), "all" | "+" | "0.0.0.0/0" | "::/0" | "0:65535") {
            conditions.push([not, option, &value].concat());
        }
    };
    for Part { at: _, negated, kind } in parts {
        let not = if *negated { "! " } else { "" };
        match kind {
            Kind::Source(word) => demand(&mut conditions, not, "-s ", address(word)),
            Kind::Destination(word) => demand(&mut conditions, not, "-d ", address(word)),
            Kind::Protocol(word) => demand(&mut conditions, not, "-p ", protocol_of(word)),
            Kind::Input(word) => demand(&mut conditions, not, "-i ", quote(word)),
            Kind::Output(word) => demand(&mut conditions, not, "-o ", quote(word)),
            Kind::Fragment => conditions.push(format!("{not}-f")),
            Kind::Match(of) => {
                // Others that stand without an option say nothing.
                let says = |module: &Module| module.options.iter().all(|spec| spec.meaning == Meaning::Condition);
                match matches[*of].module {
                    None => conditions.push(format!("-m {}", matches[*of].name.show())),
                    Some(module) if says(module) => {
                        let own =
                            parts.iter().filter(|part| matches!(&part.kind, Kind::Option { of: to, .. } if to == of));
                        conditions.push(whole(module, &said(module, own, family)));
                    }
                    Some(_) => {}
                }
            }
            Kind::Option { of, spec, values } => {
                let Some(module) = matches[*of].module else { continue };
                if let Some((name, value)) = modelled(spec, values, protocol.unwrap_or(0)) {
                    demand(&mut conditions, not, name, value);
                } else if module.options.iter().any(|spec| spec.meaning != Meaning::Condition)
                    && spec.meaning != Meaning::Comment
                    && let Some(said) = Said::of(spec, *negated, values, family)
                {
                    conditions.push(match module.name {
                        "tcp" | "udp" | "state" => said.text(),
                        name => ["-m ", name, " ", &said.text()].concat(),
                    });
                }
            }
            Kind::Unknown { values } => {
                conditions.push(format!("{not}{}", values.iter().map(quote).collect::<Vec<_>>().join(" ")));
            }
            Kind::Refused(reason) => conditions.push(format!("({reason})")),
            Kind::Counters
            | Kind::Family(_)
            | Kind::Append(_)
            | Kind::Insert(_, _)
            | Kind::New(_)
            | Kind::Policy(_, _)
            | Kind::OtherCommand(_)
            | Kind::Manner
            | Kind::Jump(_, _)
            | Kind::Goto(_)
            | Kind::TargetOption { .. } => {}
        }
    }
    conditions.sort_unstable();
    [&conditions.join(" "), " -> ", &target(parts, family)].concat()
}

/// The target with its options in the order in which it knows them.
pub(super) fn target(parts: &[Part<'_>], family: Family) -> String {
    let mut name = String::new();
    let mut known: &[Spec] = &[];
    let mut options = Vec::new();
    for Part { at: _, negated: _, kind } in parts {
        match kind {
            Kind::Jump(to, target) => {
                name = ["-j ", &quote(to)].concat();
                known = target.map_or(known, |target| target.options);
            }
            Kind::Goto(to) => name = ["-g ", &quote(to)].concat(),
            Kind::TargetOption { spec, values } => match (spec.name, values.as_slice()) {
                ("log-level", [word]) => {
                    let level = LEVELS.iter().find(|(name, _)| *name == word.show());
                    let level = level.map_or_else(|| word.show(), |(_, number)| number.to_string());
                    let told = Some(level).filter(|level| level != "4");
                    options.extend(told.map(|level| (spec.told, format!("--log-level {level}"))));
                }
                // libxt_CONNMARK.c: one mask for both.
                ("mask", [_]) => {
                    let both = |said: Said| ["ctmask", "nfmask"].map(|of| (of, format!("--{of} {}", said.value)));
                    options.extend(Said::of(spec, false, values, family).into_iter().flat_map(both));
                }
                (option, [word]) if let Some(text) = written(option, &word.show()) => options.push((spec.told, text)),
                _ => options.extend(Said::of(spec, false, values, family).map(|said| (spec.told, said.text()))),
            },
            Kind::Counters
            | Kind::Family(_)
            | Kind::Append(_)
            | Kind::Insert(_, _)
            | Kind::New(_)
            | Kind::Policy(_, _)
            | Kind::OtherCommand(_)
            | Kind::Source(_)
            | Kind::Destination(_)
            | Kind::Protocol(_)
            | Kind::Input(_)
            | Kind::Output(_)
            | Kind::Fragment
            | Kind::Manner
            | Kind::Match(_)
            | Kind::Option { .. }
            | Kind::Unknown { .. }
            | Kind::Refused(_) => {}
        }
    }
    // libxt_NFQUEUE.c: the first queue, if none is named.
    if name == "-j NFQUEUE" && !options.iter().any(|(told, _)| matches!(*told, "queue-num" | "queue-balance")) {
        options.push(("queue-num", "--queue-num 0".to_owned()));
    }
    options.sort_by_key(|(told, _)| known.iter().position(|spec| spec.name == *told));
    [name].into_iter().chain(options.into_iter().map(|(_, text)| text)).collect::<Vec<_>>().join(" ")
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

/// What `--set-mark 1`, `--or-tos 4` and their like mean, as value and mask (libxt_MARK.c, libxt_CONNMARK.c, tos_values.c).
fn written(option: &str, text: &str) -> Option<String> {
    let (verb, field) = option.split_once('-')?;
    let (all, told) = match field {
        "mark" | "xmark" => (u64::from(u32::MAX), "set-xmark"),
        "tos" => (u64::from(u8::MAX), "set-tos"),
        _ => return None,
    };
    let (value, mask) = text.split_once('/').map_or((text, None), |(value, mask)| (value, Some(mask)));
    let value = values::number(value)?;
    let mask = mask.map_or(Some(all), values::number)?;
    let (value, mask) = match (verb, field) {
        ("set", "xmark") => (value, mask),
        ("set", "mark") => (value, value | mask),
        ("and", _) => (0, !value & all),
        ("or", _) => (value, value),
        ("xor", _) => (value, 0),
        (_, _) => return None,
    };
    Some(format!("--{told} {value:#x}/{mask:#x}"))
}

/// One option in the form that all have that mean the same.
#[derive(Debug)]
pub(super) struct Said {
    negated: bool,
    pub(super) name: &'static str,
    pub(super) value: String,
}

/// The options of which one is the other after `!` (libxt_connlimit.c, libxt_hashlimit.c).
const OPPOSITE: [[&str; 2]; 2] = [["connlimit-above", "connlimit-upto"], ["hashlimit-above", "hashlimit-upto"]];

impl Said {
    /// `None` if it says what holds without it.
    fn of(spec: &Spec, negated: bool, words: &[Word<'_>], family: Family) -> Option<Self> {
        let read = |word: &Word<'_>| match (spec.meaning, spec.name) {
            (Meaning::States, _) => listed(word),
            (Meaning::Icmp, "icmp-type") => icmp(word, 1),
            (Meaning::Icmp, _) => icmp(word, 58),
            _ if spec.name == "mac-source" => mac(word),
            _ => spec.form.read(word, family).unwrap_or_else(|| quote(word)),
        };
        let mut said = Self { negated, name: spec.told, value: words.iter().map(read).collect::<Vec<_>>().join(" ") };
        if negated && let Some(rest) = spec.form.complement(&said.value) {
            said = Self { negated: false, value: rest, ..said };
        }
        let other = |pair: &[&'static str; 2]| match pair {
            [one, other] if *one == said.name => Some(*other),
            [other, one] if *one == said.name => Some(*other),
            _ => None,
        };
        if negated && let Some(name) = OPPOSITE.iter().find_map(other) {
            said = Self { negated: false, name, ..said };
        }
        let idle = match said.name {
            "mask" | "connlimit-mask" | "hashlimit-srcmask" | "hashlimit-dstmask" => is_full_mask(&said.value, family),
            "on-ip" => matches!(said.value.as_str(), "0.0.0.0" | "::"),
            _ => false,
        };
        let idle = idle || spec.default == Some(said.value.as_str());
        (said.negated || !idle).then_some(said)
    }

    fn text(&self) -> String {
        let Self { negated, name, value } = self;
        let not = if *negated { "! " } else { "" };
        [not, "--", name, if value.is_empty() { "" } else { " " }, value].concat()
    }
}

/// The options of one match.
pub(super) fn said<'p, 't: 'p>(
    module: &Module,
    parts: impl Iterator<Item = &'p Part<'t>>,
    family: Family,
) -> Vec<Said> {
    let (mut all, mut rate, mut expires) = (Vec::new(), None, false);
    for Part { at: _, negated, kind } in parts {
        let Kind::Option { of: _, spec, values } = kind else { continue };
        if let ("hashlimit-upto" | "hashlimit-above", [word]) = (spec.told, values.as_slice()) {
            rate = Some(forms::unit(&word.show()));
        }
        expires |= spec.name == "hashlimit-htable-expire";
        all.extend(Said::of(spec, *negated, values, family));
    }
    // Entries are kept for the unit of the rate, as it is written (libxt_hashlimit.c, `hashlimit_mt_check`).
    if let Some(written) = rate {
        let told = all.iter().find(|said| OPPOSITE[1].contains(&said.name)).map_or(1, |said| forms::unit(&said.value));
        if !expires && written != told {
            let value = (written * 1000).to_string();
            all.push(Said { negated: false, name: "hashlimit-htable-expire", value });
        }
        let usual = (told * 1000).to_string();
        all.retain(|said| said.name != "hashlimit-htable-expire" || said.value != usual);
    }
    debug_assert!(rate.is_none() || module.name == "hashlimit", "no other match has such options");
    all
}

/// An opaque condition of one match. The order of options counts in none but `policy`, where each element has its own.
fn whole(module: &Module, said: &[Said]) -> String {
    let mut texts: Vec<String> = said.iter().map(Said::text).collect();
    if module.name == "policy" {
        for element in texts.split_mut(|text| text == "--next") {
            element.sort_unstable();
        }
    } else {
        texts.sort_unstable();
    }
    ["-m", module.name].into_iter().chain(texts.iter().map(String::as_str)).collect::<Vec<_>>().join(" ")
}

/// The condition, without its `!` where that is about all of it; whether it holds. `total`: the match says yes or no to
/// every packet.
pub(super) fn condition(module: &Module, mut said: Vec<Said>, total: bool) -> (String, bool) {
    let negated = said.iter().filter(|said| said.negated).count();
    let flips = total && negated == 1 && (said.len() == 1 || module.is_inverted_whole());
    if flips {
        said.iter_mut().for_each(|said| said.negated = false);
    }
    (whole(module, &said), !flips)
}

fn is_full_mask(mask: &str, family: Family) -> bool {
    let full: [&str; 2] = match family {
        Family::Ipv4 => ["32", "255.255.255.255"],
        Family::Ipv6 => ["128", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"],
    };
    full.iter().any(|full| mask.eq_ignore_ascii_case(full))
}

fn listed(word: &Word<'_>) -> String {
    let shown = word.show().to_uppercase();
    let mut names: Vec<_> = shown.split(',').collect();
    names.sort_unstable();
    names.join(",")
}

fn mac(word: &Word<'_>) -> String {
    let bytes = word.show().to_uppercase();
    bytes.split(':').map(|byte| format!("{byte:0>2}")).collect::<Vec<_>>().join(":")
}

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
pub(super) fn address(word: &Word<'_>) -> String {
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
