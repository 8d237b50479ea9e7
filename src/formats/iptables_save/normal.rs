//! The text of a rule or condition without what does not matter: the order of options, quotes, counters, comments,
//! defaults, and the difference between `-m state` and `-m conntrack`.

use super::extensions::{Meaning, Module, Spec};
use super::forms;
use super::refusals::LEVELS;
use super::syntax::{Command, Kind, Part};
use super::values;
use super::words::Word;
use crate::net::{Family, Set, format_addresses, leading_ipv4, parse_addresses, protocol_name};
use std::borrow::Cow;
use std::fmt::Write as _;
use std::ops::Range;

/// A word as it could stand in a file, safe to print.
pub(super) fn quote<'w>(word: &'w Word<'_>) -> Cow<'w, str> {
    quoted(word.show())
}

/// The same of a text that is escaped already.
pub(super) fn quoted(shown: Cow<'_, str>) -> Cow<'_, str> {
    if shown.is_empty() || shown.contains([' ', '"', '\\']) {
        Cow::Owned(format!("\"{}\"", shown.replace('"', "\\\"")))
    } else {
        shown
    }
}

/// A rule without what does not matter.
#[derive(Debug)]
pub(super) struct Rule {
    conditions: Conditions,
    target: String,
}

impl Rule {
    pub(super) fn of(command: &Command<'_>, family: Family) -> Self {
        Self { conditions: Conditions::of(command, family), target: target(&command.parts, family) }
    }

    /// The text of one that demands these addresses too.
    pub(super) fn with(&self, source: Option<&str>, destination: Option<&str>) -> String {
        let mut conditions = self.conditions.clone();
        for (option, address) in [("-s ", source), ("-d ", destination)] {
            if let Some(address) = address {
                conditions.demand("", option, address);
            }
        }
        let mut text = conditions.sorted();
        text.extend([ARROW, &self.target]);
        text
    }
}

/// Between conditions and target.
const ARROW: &str = " -> ";

/// The conditions of a rule, one behind the other in one text.
#[derive(Debug, Clone)]
struct Conditions {
    text: String,
    each: Vec<Range<usize>>,
}

impl Conditions {
    fn add<'p>(&mut self, pieces: impl IntoIterator<Item = &'p str>) {
        let start = self.text.len();
        self.text.extend(pieces);
        self.each.push(start..self.text.len());
    }

    /// Adds one, unless it holds for every packet.
    fn demand(&mut self, not: &str, option: &str, value: &str) {
        if !not.is_empty() || !matches!(value, "all" | "+" | "0.0.0.0/0" | "::/0" | "0:65535") {
            self.add([not, option, value]);
        }
    }

    /// All of them in a fixed order.
    fn sorted(mut self) -> String {
        let Self { text, each } = &mut self;
        each.sort_unstable_by(|a, b| text[a.clone()].cmp(&text[b.clone()]));
        let mut out = String::with_capacity(text.len() + each.len() + ROOM);
        for at in each {
            if !out.is_empty() {
                out.push(' ');
            }
            out.push_str(&text[at.clone()]);
        }
        out
    }
}

/// Targets are hardly ever longer.
const ROOM: usize = 64;

/// A whole rule: conditions in a fixed order, then the target, parted by ` -> `.
pub(super) fn rule(command: &Command<'_>, family: Family) -> String {
    let mut text = Conditions::of(command, family).sorted();
    text.push_str(ARROW);
    add_target(&mut text, &command.parts, family);
    text
}

impl Conditions {
    fn of(command: &Command<'_>, family: Family) -> Self {
        let Command { parts, matches } = command;
        let mut conditions =
            Conditions { text: String::with_capacity(2 * ROOM), each: Vec::with_capacity(parts.len()) };
        let protocol = parts.iter().filter(|part| !part.negated).find_map(|part| {
            let Kind::Protocol(word) = &part.kind else { return None };
            values::protocol(word).ok()
        });
        for Part { at: _, negated, kind } in parts {
            let not = if *negated { "! " } else { "" };
            match kind {
                Kind::Source(word) => conditions.demand(not, "-s ", &address(word)),
                Kind::Destination(word) => conditions.demand(not, "-d ", &address(word)),
                Kind::Protocol(word) => conditions.demand(not, "-p ", &protocol_of(word)),
                Kind::Input(word) => conditions.demand(not, "-i ", &quote(word)),
                Kind::Output(word) => conditions.demand(not, "-o ", &quote(word)),
                Kind::Fragment => conditions.add([not, "-f"]),
                Kind::Match(of) => {
                    // Others that stand without an option say nothing.
                    let says = |module: &Module| module.options.iter().all(|spec| spec.meaning == Meaning::Condition);
                    match matches[*of].module {
                        None => conditions.add(["-m ", &matches[*of].name.show()]),
                        Some(module) if says(module) => {
                            let own = parts
                                .iter()
                                .filter(|part| matches!(&part.kind, Kind::Option { of: to, .. } if to == of));
                            conditions.add([&*whole(module, &said(module, own, family))]);
                        }
                        Some(_) => {}
                    }
                }
                Kind::Option { of, spec, values } => {
                    let Some(module) = matches[*of].module else { continue };
                    if let Some((name, value)) = modelled(spec, values, protocol.unwrap_or(0)) {
                        conditions.demand(not, name, &value);
                    } else if module.options.iter().any(|spec| spec.meaning != Meaning::Condition)
                        && spec.meaning != Meaning::Comment
                        && let Some(said) = Said::of(spec, *negated, values, family)
                    {
                        match module.name {
                            "tcp" | "udp" | "state" => conditions.add(said.pieces()),
                            name => conditions.add(["-m ", name, " "].into_iter().chain(said.pieces())),
                        }
                    }
                }
                Kind::Unknown { values } => {
                    conditions.add([not, &words(values)]);
                }
                Kind::Refused(reason) => conditions.add(["(", reason, ")"]),
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
        conditions
    }
}

/// Words as they could stand in a file.
pub(super) fn words(words: &[Word<'_>]) -> String {
    words.iter().map(quote).collect::<Vec<_>>().join(" ")
}

/// The target with its options in the order in which it knows them.
pub(super) fn target(parts: &[Part<'_>], family: Family) -> String {
    let mut text = String::with_capacity(ROOM);
    add_target(&mut text, parts, family);
    text
}

fn add_target(text: &mut String, parts: &[Part<'_>], family: Family) {
    let (mut option, mut name) = ("", Cow::Borrowed(""));
    let mut known: &[Spec] = &[];
    let mut options = Vec::new();
    for Part { at: _, negated: _, kind } in parts {
        match kind {
            Kind::Jump(to, target) => {
                (option, name) = ("-j ", quote(to));
                known = target.map_or(known, |target| target.options);
            }
            Kind::Goto(to) => (option, name) = ("-g ", quote(to)),
            Kind::TargetOption { spec, values } => match (spec.name, values.as_slice()) {
                ("log-level", [word]) => {
                    let level = LEVELS.iter().find(|(name, _)| *name == word.show());
                    let level = level.map_or_else(|| word.show().into_owned(), |(_, number)| number.to_string());
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
    if (option, &*name) == ("-j ", "NFQUEUE")
        && !options.iter().any(|(told, _)| matches!(*told, "queue-num" | "queue-balance"))
    {
        options.push(("queue-num", "--queue-num 0".to_owned()));
    }
    options.sort_by_key(|(told, _)| known.iter().position(|spec| spec.name == *told));
    text.extend([option, &*name]);
    text.extend(options.iter().flat_map(|(_, told)| [" ", told.as_str()]));
}

/// An option that is modelled, by its value.
fn modelled(spec: &Spec, words: &[Word<'_>], protocol: u8) -> Option<(&'static str, String)> {
    let list = |set: Set| {
        let mut list = String::new();
        for (first, last) in set.ranges() {
            let comma = if list.is_empty() { "" } else { "," };
            let written =
                if first == last { write!(list, "{comma}{first}") } else { write!(list, "{comma}{first}:{last}") };
            written.expect("writing to a String");
        }
        list
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
            _ => spec.form.read(word, family).unwrap_or_else(|| quote(word).into_owned()),
        };
        let value = match words {
            [word] => read(word),
            words => words.iter().map(read).collect::<Vec<_>>().join(" "),
        };
        let mut said = Self { negated, name: spec.told, value };
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
        self.pieces().concat()
    }

    fn pieces(&self) -> [&str; 5] {
        let Self { negated, name, value } = self;
        let not = if *negated { "! " } else { "" };
        [not, "--", name, if value.is_empty() { "" } else { " " }, value]
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
    if !shown.contains(',') {
        return shown;
    }
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
        None => quote(word).into_owned(),
    }
}

/// A protocol by its name; `all` for all of them.
fn protocol_of(word: &Word<'_>) -> Cow<'static, str> {
    match values::protocol(word) {
        Ok(0) => Cow::Borrowed("all"),
        Ok(number) => protocol_name(number).map_or_else(|| Cow::Owned(number.to_string()), Cow::Borrowed),
        Err(_) => Cow::Owned(word.show().to_lowercase()),
    }
}

/// Addresses as a prefix, without a length that says nothing.
pub(super) fn address(word: &Word<'_>) -> String {
    if let Some((_, end)) = leading_ipv4(&word.text)
        && matches!(&word.text[end..], b"" | b"/32")
        && let Some(address) = word.ascii().and_then(|text| text.get(..end))
    {
        return address.to_owned();
    }
    let mut shown = word.show();
    if let Some((bare, mask)) = shown.split_once('/')
        && let Some(mask) = mask.parse::<std::net::Ipv4Addr>().ok().map(u32::from)
        && mask.leading_ones() + mask.trailing_zeros() >= 32
    {
        shown = Cow::Owned(format!("{bare}/{}", mask.leading_ones()));
    }
    let single = parse_addresses(&shown).filter(|_| !shown.contains('-'));
    let single = single.and_then(|(family, set)| Some((family, set.ranges().single()?)));
    let mut shown = match single {
        Some((family, (first, last))) => format_addresses(family, first, last),
        None => shown.into_owned(),
    };
    let whole = if shown.contains(':') { "/128" } else { "/32" };
    let length = shown.strip_suffix(whole).unwrap_or(&shown).len();
    shown.truncate(length);
    shown
}
