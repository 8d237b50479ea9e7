//! Text as sets of packets.

use super::interfaces::parse_interfaces;
use super::{FlowError, Naming, decimal, is_icmp, parse_protocol};
use crate::net::{Family, Field, Region, Set, State, TCP_FLAGS, icmp_type, parse_addresses, service_port};
use std::ops::Range;

const NOTATION: &str = "a flow is written like `tcp 10.0.0.0/8 -> 10.1.0.0/16:22,8000-8099 new in eth0`";

/// Reads a flow: one region, or one for each family where no address tells which is meant.
///
/// # Errors
/// Where the text is not in the notation, names something unknown, or can be no packet.
pub fn parse_flow(text: &str, names: &dyn Naming) -> Result<Vec<Region>, FlowError> {
    let Parsed { source, destination, sets } = read(text, names)?;
    let mut regions = Vec::new();
    for family in Family::ALL {
        let addresses = (source.of(family), destination.of(family));
        if addresses.0.is_empty() || addresses.1.is_empty() {
            continue;
        }
        let region = Region::all(family).with(Field::Source, &addresses.0).with(Field::Destination, &addresses.1);
        regions.push(sets.iter().fold(region, |region, (field, set)| region.with(*field, set)));
    }
    if regions.is_empty() {
        return Err(FlowError {
            message: "source and destination are not of the same family".to_owned(),
            at: 0..text.len(),
            help: "write two flows, one for IPv4 and one for IPv6".to_owned(),
        });
    }
    Ok(regions)
}

/// What a text says, before it is said of which family.
pub(super) struct Parsed {
    pub(super) source: Addresses,
    pub(super) destination: Addresses,
    /// The other fields that it names, each once.
    pub(super) sets: Vec<(Field, Set)>,
}

/// Addresses of either family; `None`: any.
pub(super) struct Addresses(Option<[Set; 2]>);

impl Addresses {
    pub(super) fn of(&self, family: Family) -> Set {
        match (&self.0, family) {
            (None, _) => Field::Source.all(family),
            (Some([set, _]), Family::Ipv4) | (Some([_, set]), Family::Ipv6) => set.clone(),
        }
    }

    /// The one address that it is.
    pub(super) fn one(&self) -> Option<(Family, u128)> {
        let sets = self.0.as_ref()?;
        let mut all =
            Family::ALL.into_iter().zip(sets).flat_map(|(f, set)| set.ranges().iter().map(move |range| (f, range)));
        let (family, (first, last)) = all.next()?;
        (first == last && all.next().is_none()).then_some((family, first))
    }
}

pub(super) fn read(text: &str, names: &dyn Naming) -> Result<Parsed, FlowError> {
    let mut reader = Reader { words: words(text), at: 0, end: text.len(), names, sets: Vec::new() };
    reader.protocols()?;
    let source = reader.endpoint("a source address", Field::SourcePort)?;
    let arrow = reader.next("`->` and a destination")?;
    if arrow.text != "->" {
        return Err(arrow.error(format!("expected `->` instead of `{}`", arrow.text), NOTATION));
    }
    let destination = reader.endpoint("a destination address", Field::DestinationPort)?;
    while let Some(word) = reader.take() {
        reader.condition(word)?;
    }
    Ok(Parsed { source, destination, sets: reader.sets })
}

/// A part of the text and where it begins.
#[derive(Clone, Copy)]
struct Word<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Word<'t> {
    fn error(self, message: impl Into<String>, help: impl Into<String>) -> FlowError {
        FlowError { message: message.into(), at: self.range(), help: help.into() }
    }

    fn range(self) -> Range<usize> {
        self.at..self.at + self.text.len()
    }

    /// The parts between separators.
    fn split(self, separator: char) -> impl Iterator<Item = Self> {
        let mut at = self.at;
        self.text.split(separator).map(move |text| {
            let word = Self { text, at };
            at += text.len() + separator.len_utf8();
            word
        })
    }

    /// The parts before and behind the byte at `n`.
    fn cut(self, n: usize) -> (Self, Self) {
        let (before, behind) = (&self.text[..n], &self.text[n + 1..]);
        (Self { text: before, at: self.at }, Self { text: behind, at: self.at + n + 1 })
    }
}

fn words(text: &str) -> Vec<Word<'_>> {
    let starts = text
        .split_ascii_whitespace()
        .map(|word| Word { text: word, at: word.as_ptr() as usize - text.as_ptr() as usize });
    starts.collect()
}

struct Reader<'t> {
    words: Vec<Word<'t>>,
    at: usize,
    end: usize,
    names: &'t dyn Naming,
    sets: Vec<(Field, Set)>,
}

impl<'t> Reader<'t> {
    fn take(&mut self) -> Option<Word<'t>> {
        let word = self.words.get(self.at).copied();
        self.at += usize::from(word.is_some());
        word
    }

    fn next(&mut self, wanted: &str) -> Result<Word<'t>, FlowError> {
        let end = self.end;
        self.take().ok_or_else(|| FlowError {
            message: format!("{wanted} is missing"),
            at: end..end,
            help: NOTATION.to_owned(),
        })
    }

    /// The list behind an `except`, if one follows.
    fn except(&mut self) -> Result<Option<Word<'t>>, FlowError> {
        if self.words.get(self.at).is_none_or(|word| word.text != "except") {
            return Ok(None);
        }
        self.at += 1;
        self.next("what is excepted").map(Some)
    }

    /// Says what `field` may be.
    fn set(&mut self, field: Field, set: Set, word: Word<'_>) -> Result<(), FlowError> {
        if self.sets.iter().any(|(known, _)| *known == field) {
            return Err(word.error(format!("`{}` is said twice", word.text), "keep one of them"));
        }
        if set.is_empty() {
            return Err(word.error(format!("`{}` leaves no packet", word.text), "name something that it includes"));
        }
        self.sets.push((field, set));
        Ok(())
    }

    fn protocols(&mut self) -> Result<(), FlowError> {
        let word = self.next("a protocol")?;
        let all = Field::Protocol.all(Family::Ipv4);
        let listed = if word.text == "any" { None } else { Some(union(word, protocol)?) };
        let excepted = self.except()?.map(|word| union(word, protocol)).transpose()?;
        if listed.is_none() && excepted.is_none() {
            return Ok(());
        }
        let set = listed.unwrap_or(all).difference(&excepted.unwrap_or_default());
        self.set(Field::Protocol, set, word)
    }

    fn endpoint(&mut self, wanted: &str, ports: Field) -> Result<Addresses, FlowError> {
        let mut word = self.next(wanted)?;
        if word.text == "->" {
            return Err(word.error(format!("{wanted} is missing"), NOTATION));
        }
        let grouped = word.text.starts_with('(');
        if grouped {
            word = word.cut(0).1;
        }
        let mut behind = None;
        let mut excepted = self.except()?;
        if grouped {
            let last = excepted.unwrap_or(word);
            let Some(n) = last.text.rfind(')') else {
                return Err(
                    last.error("`)` is missing", "parentheses hold addresses: `(10.0.0.0/8 except 10.1.0.0/16):22`")
                );
            };
            let (list, rest) = last.cut(n);
            *excepted.as_mut().unwrap_or(&mut word) = list;
            behind = Some(rest);
        } else if excepted.is_none() {
            (word, behind) = split_ports(word)?;
        }
        if let Some(rest) = behind.filter(|rest| !rest.text.is_empty()) {
            let list = match rest.text.strip_prefix(':') {
                Some(text) => Word { text, at: rest.at + 1 },
                None => return Err(rest.error(format!("`{}` is not `:` and ports", rest.text), NOTATION)),
            };
            self.ports(list, ports)?;
        }
        let listed = if word.text == "any" { None } else { Some(self.addresses(word)?) };
        Ok(Addresses(match excepted {
            None => listed,
            Some(list) => {
                let [a, b] = listed.unwrap_or_else(|| Family::ALL.map(|family| Field::Source.all(family)));
                let [c, d] = self.addresses(list)?;
                let left = [a.difference(&c), b.difference(&d)];
                if left.iter().all(Set::is_empty) {
                    return Err(list.error(format!("`except {}` leaves no address", list.text), "except less"));
                }
                Some(left)
            }
        }))
    }

    fn addresses(&self, list: Word<'_>) -> Result<[Set; 2], FlowError> {
        let list = match list.text.strip_prefix('[').and_then(|text| text.strip_suffix(']')) {
            Some(text) => Word { text, at: list.at + 1 },
            None => list,
        };
        let mut sets = [Set::empty(), Set::empty()];
        for item in list.split(',') {
            let named = Family::ALL.map(|family| self.names.addresses(item.text, family));
            let found = match (parse_addresses(item.text), named) {
                (Some((Family::Ipv4, set)), _) => [set, Set::empty()],
                (Some((Family::Ipv6, set)), _) => [Set::empty(), set],
                (None, [None, None]) => {
                    return Err(item.error(
                        format!("`{}` is not an address, a prefix, a range or the name of a network", item.text),
                        "write `10.0.0.0/8`, `10.0.0.1-10.0.0.9`, `2001:db8::/32`, `[2001:db8::1]:22`, `any`, or a \
                         network of the policy; lists without blanks",
                    ));
                }
                (None, named) => named.map(Option::unwrap_or_default),
            };
            for (set, more) in sets.iter_mut().zip(&found) {
                *set = set.union(more);
            }
        }
        Ok(sets)
    }

    fn ports(&mut self, list: Word<'t>, field: Field) -> Result<(), FlowError> {
        let protocols = self.protocol_numbers();
        if field == Field::DestinationPort && protocols.as_ref().is_some_and(|p| p.iter().all(|p| is_icmp((*p).into())))
        {
            return Err(list.error("ICMP has no ports", "write the type, and the code if it matters: `type 8/0`"));
        }
        let names = self.names;
        let set = union(list, |item| match numbers(item.text, 65535) {
            Some((first, last)) => Ok(Set::range(first, last)),
            None => service(item, protocols.as_deref(), names),
        })?;
        self.set(field, set, list)
    }

    /// The protocols, where they are few.
    fn protocol_numbers(&self) -> Option<Vec<u8>> {
        let (_, set) = self.sets.iter().find(|(field, _)| *field == Field::Protocol)?;
        let numbers = set.ranges().iter().flat_map(|(first, last)| first..=last);
        (set.len() <= 4).then(|| numbers.filter_map(|n| u8::try_from(n).ok()).collect())
    }

    fn condition(&mut self, word: Word<'t>) -> Result<(), FlowError> {
        match word.text {
            "in" => self.interfaces(word, Field::Input),
            "out" => self.interfaces(word, Field::Output),
            "type" => {
                let list = self.next("an ICMP type")?;
                let protocols = self.protocol_numbers().unwrap_or_default();
                if protocols.is_empty() || !protocols.iter().all(|p| is_icmp((*p).into())) {
                    return Err(word.error("only ICMP has types", "write the protocol as `icmp` or `ipv6-icmp`"));
                }
                let set = union(list, |item| icmp_types(item, &protocols))?;
                self.set(Field::DestinationPort, set, list)
            }
            "flags" => {
                let mut list = self.next("TCP flags")?;
                let negated = list.text == "not";
                if negated {
                    list = self.next("TCP flags")?;
                }
                let mut set = Set::empty();
                for item in list.split('|') {
                    set = set.union(&flags(item)?);
                }
                let set = if negated { set.complement(Field::TcpFlags.max(Family::Ipv4)) } else { set };
                self.set(Field::TcpFlags, set, list)
            }
            "later-fragment" => self.set(Field::LaterFragment, Set::point(1), word),
            "no-later-fragment" => self.set(Field::LaterFragment, Set::point(0), word),
            "if" | "unless" => Err(word.error(
                "a flow is a set of packets and has no condition",
                "leave out what begins with `if` or `unless`",
            )),
            _ => {
                let set = union(word, |item| {
                    let state = State::ALL.into_iter().find(|state| state.name() == item.text);
                    state.map(|state| Set::point(state.value())).ok_or_else(|| {
                        item.error(
                            format!("`{}` is not a condition", item.text),
                            "after the destination: `type 8/0`, `new`, `established`, `related`, `invalid`, \
                             `untracked`, `in eth0`, `out eth1`, `flags syn`, `later-fragment`",
                        )
                    })
                })?;
                self.set(Field::State, set, word)
            }
        }
    }

    fn interfaces(&mut self, word: Word<'t>, field: Field) -> Result<(), FlowError> {
        let mut list = self.next("an interface")?;
        let all = field.all(Family::Ipv4);
        let set = match list.text {
            "not" => {
                list = self.next("an interface")?;
                all.difference(&union(list, interface)?)
            }
            "any" => all,
            _ => union(list, interface)?,
        };
        let excepted = self.except()?.map(|list| union(list, interface)).transpose()?;
        self.set(
            field,
            set.difference(&excepted.unwrap_or_default()),
            Word { text: list.text, at: word.at.max(list.at) },
        )
    }
}

/// Splits the ports off an endpoint; they keep their colon.
fn split_ports(word: Word<'_>) -> Result<(Word<'_>, Option<Word<'_>>), FlowError> {
    let colon = if word.text.starts_with('[') {
        let Some(n) = word.text.find(']') else {
            return Err(word.error("`]` is missing", "an IPv6 address with a port is written `[2001:db8::1]:22`"));
        };
        Some(n + 1).filter(|n| *n < word.text.len())
    } else if word.text.matches(':').count() == 1 {
        word.text.find(':')
    } else {
        None
    };
    Ok(match colon {
        None => (word, None),
        Some(n) => {
            let (before, behind) = word.text.split_at(n);
            (Word { text: before, at: word.at }, Some(Word { text: behind, at: word.at + n }))
        }
    })
}

/// The union of what the items of a list mean.
fn union<'t>(list: Word<'t>, read: impl Fn(Word<'t>) -> Result<Set, FlowError>) -> Result<Set, FlowError> {
    list.split(',').try_fold(Set::empty(), |set, item| Ok(set.union(&read(item)?)))
}

fn protocol(item: Word<'_>) -> Result<Set, FlowError> {
    let range = item.text.strip_prefix("protocol-").and_then(|range| numbers(range, 255));
    match (parse_protocol(item.text), range) {
        (Some(number), _) => Ok(Set::point(number.into())),
        (None, Some((first, last))) => Ok(Set::range(first, last)),
        (None, None) => Err(item.error(
            format!("`{}` is not a protocol", item.text),
            "a flow begins with its protocol: `tcp`, `udp`, `icmp`, `ipv6-icmp`, `protocol-89`, `any`",
        )),
    }
}

/// `22` or `8000-8099`.
fn numbers(text: &str, max: u32) -> Option<(u128, u128)> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (decimal(first)?, decimal(last)?);
    (first <= last && last <= max).then(|| (first.into(), last.into()))
}

fn service(item: Word<'_>, protocols: Option<&[u8]>, names: &dyn Naming) -> Result<Set, FlowError> {
    let unknown =
        || item.error(format!("`{}` is not a port", item.text), "write `22`, `8000-8099` or the name of a service");
    let Some(protocols) = protocols else {
        let help = "write the number, or name the protocol";
        let named = item.text.starts_with(|c: char| c.is_ascii_alphabetic());
        return Err(if named {
            item.error(format!("`{}` is a port of some protocols only", item.text), help)
        } else {
            unknown()
        });
    };
    let port = |protocol: u8| {
        let registered = || service_port(item.text, protocol).map(|port| Set::point(port.into()));
        names.ports(item.text, protocol).or_else(registered)
    };
    let mut found = protocols.iter().map(|protocol| port(*protocol));
    let first = found.next().flatten().ok_or_else(unknown)?;
    if found.all(|set| set.as_ref() == Some(&first)) {
        Ok(first)
    } else {
        Err(item.error(format!("`{}` is not the same port for each protocol", item.text), "write a flow for each"))
    }
}

/// `8`, `8-11`, `3/0-5`, `echo-request`.
fn icmp_types(item: Word<'_>, protocols: &[u8]) -> Result<Set, FlowError> {
    let (kind, code) = item.text.split_once('/').map_or((item.text, None), |(kind, code)| (kind, Some(code)));
    let named = || {
        let mut found = protocols.iter().map(|protocol| icmp_type(*protocol, kind));
        let first = found.next().flatten()?;
        found.all(|other| other == Some(first)).then_some(first)
    };
    let set = match (numbers(kind, 255), code) {
        (Some((first, last)), None) => Some(Set::range(first << 8, last << 8 | 0xff)),
        (Some((kind, last)), Some(code)) if kind == last => {
            numbers(code, 255).map(|(first, last)| Set::range(kind << 8 | first, kind << 8 | last))
        }
        (Some(_), Some(_)) => None,
        (None, code) => named().and_then(|(kind, fixed)| {
            let kind = u128::from(kind) << 8;
            match (fixed, code) {
                (Some(fixed), None) => Some(Set::point(kind | u128::from(fixed))),
                (None, None) => Some(Set::range(kind, kind | 0xff)),
                (_, Some(_)) => None,
            }
        }),
    };
    set.ok_or_else(|| item.error(format!("`{}` is not an ICMP type", item.text), "write `8`, `8/0`, `3/0-5` or `8-11`"))
}

fn interface(item: Word<'_>) -> Result<Set, FlowError> {
    parse_interfaces(item.text).ok_or_else(|| {
        item.error(
            format!("`{}` is not an interface", item.text),
            "write a name of at most 15 bytes, `wan*` for all that begin so, `none`, or `not lo`",
        )
    })
}

/// `syn,ack`: these and no others; `syn/syn,ack`: of the latter, the former; `0x02`, `0x10-0x1f`.
fn flags(item: Word<'_>) -> Result<Set, FlowError> {
    let hex = |text: &str| u128::from_str_radix(text.strip_prefix("0x").filter(|t| t.len() == 2)?, 16).ok();
    let (first, last) = item.text.split_once('-').unwrap_or((item.text, item.text));
    if let (Some(first), Some(last)) = (hex(first), hex(last)) {
        return Ok(Set::range(first, last));
    }
    let (value, mask) = match item.text.find('/') {
        Some(n) => {
            let (value, mask) = item.cut(n);
            (flag_bits(value)?, flag_bits(mask)?)
        }
        None => (flag_bits(item)?, u8::MAX),
    };
    if value & !mask != 0 {
        return Err(
            item.error(format!("`{}` asks for flags that it does not look at", item.text), "write `syn/syn,ack`")
        );
    }
    Ok((0..=u8::MAX).filter(|flags| flags & mask == value).map(u128::from).collect())
}

fn flag_bits(list: Word<'_>) -> Result<u8, FlowError> {
    if list.text == "none" {
        return Ok(0);
    }
    list.split(',').try_fold(0, |bits, item| {
        let bit = TCP_FLAGS.iter().position(|name| *name == item.text);
        let help = "the flags are `fin`, `syn`, `rst`, `psh`, `ack`, `urg`, `ece`, `cwr`, or `none`";
        bit.map(|bit| bits | 1 << bit).ok_or_else(|| item.error(format!("`{}` is not a TCP flag", item.text), help))
    })
}
