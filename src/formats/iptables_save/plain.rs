//! The fast way for plain rules: bytes to a draft in one pass, without a syntax in between.
//!
//! It takes only lines of which every byte is modelled, in the spelling of `iptables-save`; anything else is `None` and goes the
//! general way, which means the same for these lines (a test holds the two against one another).

use super::ruleset::TableKind;
use crate::model::{Action, Draft, Families};
use crate::net::{Family, Field, Interface, Set, State};
use std::ops::Range;

/// A rule that was read this way.
pub(super) struct Plain<'t> {
    pub(super) draft: Draft,
    pub(super) target: Target<'t>,
    /// A condition on the sender's MAC address: where it stands in the text that was handed in, and the address.
    pub(super) mac: Option<(Range<usize>, &'t [u8])>,
}

/// Where its packets go.
pub(super) enum Target<'t> {
    Action(Action),
    Chain(&'t [u8]),
}

/// Reads what stands after `-A CHAIN ` on a line of a file for one family.
#[inline]
pub(super) fn rule<'t>(
    rest: &'t [u8],
    chain: &[u8],
    table: TableKind,
    family: Family,
    fragments: bool,
) -> Option<Plain<'t>> {
    let mut plain = Reader {
        table,
        family,
        fragments,
        draft: Draft::new(Families::only(family)),
        seen: 0,
        protocol: 0,
        ports: false,
        mac: None,
    };
    let whole = rest.len();
    let mut rest = rest;
    if whole > LONGEST {
        return None;
    }
    loop {
        match rest {
            [b'-', letter, b' ', after @ ..] => {
                let at = whole - rest.len();
                rest = after;
                if *letter == b'j' {
                    let target = rest;
                    if !is_name(target) || plain.is_misplaced(chain) {
                        return None;
                    }
                    let mac = plain.mac.take();
                    return Some(Plain { draft: plain.finish(), target: target_of(target), mac });
                }
                plain.short(*letter, &mut rest)?;
                if let Some((piece, _)) = plain.mac.as_mut().filter(|(piece, _)| piece.end == 0) {
                    *piece = at..whole - rest.len() - 1;
                }
            }
            [b'-', b'-', after @ ..] => {
                rest = after;
                plain.long(&mut rest)?;
            }
            _ => return None,
        }
    }
}

/// Longer lines are left to the general way, which knows the limits of the real program.
const LONGEST: usize = 1000;

fn target_of(name: &[u8]) -> Target<'_> {
    match name {
        b"ACCEPT" => Target::Action(Action::Accept),
        b"DROP" => Target::Action(Action::Deny),
        b"RETURN" => Target::Action(Action::Return),
        _ => Target::Chain(name),
    }
}

/// A word that means itself to the end of the line.
fn is_name(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
}

/// The bytes up to the next blank, which is passed over.
fn word<'t>(rest: &mut &'t [u8]) -> Option<&'t [u8]> {
    let end = rest.iter().position(|b| !(b.is_ascii_graphic() && *b != b'"'))?;
    let (word, after) = rest.split_at_checked(end)?;
    *rest = after.strip_prefix(b" ")?;
    (!word.is_empty()).then_some(word)
}

struct Reader<'t> {
    table: TableKind,
    family: Family,
    fragments: bool,
    draft: Draft,
    /// One bit for each thing that may stand once.
    seen: u16,
    protocol: u8,
    /// Something in the header behind the IP header is asked for.
    ports: bool,
    mac: Option<(Range<usize>, &'t [u8])>,
}

const SOURCE: u16 = 1;
const DESTINATION: u16 = 1 << 1;
const PROTOCOL: u16 = 1 << 2;
const INPUT: u16 = 1 << 3;
const OUTPUT: u16 = 1 << 4;
const SOURCE_PORT: u16 = 1 << 5;
const DESTINATION_PORT: u16 = 1 << 6;
const STATE: u16 = 1 << 7;
const MODULE: u16 = 1 << 8;
const FLAGS: u16 = 1 << 9;
const MAC: u16 = 1 << 10;

impl<'t> Reader<'t> {
    fn once(&mut self, bit: u16) -> Option<()> {
        let new = self.seen & bit == 0;
        self.seen |= bit;
        new.then_some(())
    }

    fn finish(mut self) -> Draft {
        if self.fragments && self.ports {
            self.draft.restrict(Field::LaterFragment, &Set::point(0));
        }
        self.draft
    }

    /// Whether it asks for an interface that packets do not have there.
    fn is_misplaced(&self, chain: &[u8]) -> bool {
        match chain {
            b"INPUT" | b"PREROUTING" => self.seen & OUTPUT != 0,
            b"OUTPUT" | b"POSTROUTING" => self.seen & INPUT != 0,
            _ => false,
        }
    }

    fn short(&mut self, letter: u8, rest: &mut &'t [u8]) -> Option<()> {
        match letter {
            b's' => {
                self.once(SOURCE)?;
                match self.family {
                    Family::Ipv4 => {
                        let (first, last) = ipv4(rest)?;
                        self.draft.ipv4_source(first, last);
                    }
                    Family::Ipv6 => self.ipv6(Field::Source, rest)?,
                }
            }
            b'd' => {
                self.once(DESTINATION)?;
                match self.family {
                    Family::Ipv4 => {
                        let (first, last) = ipv4(rest)?;
                        self.draft.ipv4_destination(first, last);
                    }
                    Family::Ipv6 => self.ipv6(Field::Destination, rest)?,
                }
            }
            b'p' => {
                self.once(PROTOCOL)?;
                let (protocol, after) = match *rest {
                    [b't', b'c', b'p', b' ', after @ ..] => (6, after),
                    [b'u', b'd', b'p', b' ', after @ ..] => (17, after),
                    [b'i', b'c', b'm', b'p', b' ', after @ ..] => (1, after),
                    _ => return None,
                };
                *rest = after;
                self.protocol = protocol;
                self.draft.protocol(self.protocol, self.protocol);
            }
            b'm' => self.matches(rest)?,
            b'i' => {
                self.once(INPUT)?;
                self.interface(Field::Input, rest)?;
            }
            b'o' => {
                self.once(OUTPUT)?;
                self.interface(Field::Output, rest)?;
            }
            _ => return None,
        }
        Some(())
    }

    fn matches(&mut self, rest: &mut &'t [u8]) -> Option<()> {
        match (*rest, self.protocol) {
            ([b't', b'c', b'p', b' ', after @ ..], 6) | ([b'u', b'd', b'p', b' ', after @ ..], 17) => {
                *rest = after;
                self.ports = true;
                return self.once(MODULE);
            }
            _ => {}
        }
        match (word(rest)?, self.protocol) {
            // What a state means before tracking is not plain.
            (b"state" | b"conntrack", _) if self.table == TableKind::Raw => None,
            (b"state", _) => self.states(b"--state ", rest),
            (b"conntrack", _) => self.states(b"--ctstate ", rest),
            (b"multiport", 6 | 17) => match word(rest)? {
                b"--dports" => self.list(Field::DestinationPort, DESTINATION_PORT, rest),
                b"--sports" => self.list(Field::SourcePort, SOURCE_PORT, rest),
                _ => None,
            },
            (b"mac", _) => {
                self.once(MAC)?;
                *rest = rest.strip_prefix(b"--mac-source ")?;
                let address = word(rest)?;
                let plain = address.len() == 17 && address.iter().all(|b| b.is_ascii_alphanumeric() || *b == b':');
                self.mac = plain.then_some((0..0, address));
                plain.then_some(())
            }
            _ => None,
        }
    }

    fn long(&mut self, rest: &mut &[u8]) -> Option<()> {
        match (*rest, self.protocol) {
            ([b'd', b'p', b'o', b'r', b't', b' ', after @ ..], 6 | 17) => {
                *rest = after;
                self.once(DESTINATION_PORT)?;
                let (first, last) = ports(rest)?;
                rest_is_next(rest)?;
                self.draft.destination_port(first, last);
                self.ports = true;
            }
            ([b's', b'p', b'o', b'r', b't', b' ', after @ ..], 6 | 17) => {
                *rest = after;
                self.once(SOURCE_PORT)?;
                let (first, last) = ports(rest)?;
                rest_is_next(rest)?;
                self.draft.source_port(first, last);
                self.ports = true;
            }
            (text, 6) => {
                *rest = text.strip_prefix(b"tcp-flags ")?;
                self.once(FLAGS)?;
                let (mask, wanted) = (flags(word(rest)?)?, flags(word(rest)?)?);
                let set: Set = (0..=255u8).filter(|byte| byte & mask == wanted).map(u128::from).collect();
                self.draft.restrict(Field::TcpFlags, &set);
                self.ports = true;
            }
            _ => return None,
        }
        Some(())
    }

    fn states(&mut self, option: &[u8], rest: &mut &[u8]) -> Option<()> {
        self.once(STATE)?;
        *rest = rest.strip_prefix(option)?;
        let states = states(word(rest)?)?;
        self.draft.states(State::ALL.into_iter().filter(|state| states >> *state as u8 & 1 == 1));
        Some(())
    }

    fn ipv6(&mut self, field: Field, rest: &mut &[u8]) -> Option<()> {
        let text = std::str::from_utf8(word(rest)?).ok()?;
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, byte(length.as_bytes()).filter(|length| *length <= 128)?),
            None => (text, 128),
        };
        let value = u128::from(address.parse::<std::net::Ipv6Addr>().ok()?);
        let ones = if length == 0 { u128::MAX } else { (1 << (128 - length)) - 1 };
        self.draft.addresses(field, Family::Ipv6, &Set::range(value & !ones, value | ones));
        Some(())
    }

    fn interface(&mut self, field: Field, rest: &mut &[u8]) -> Option<()> {
        let name = word(rest)?;
        if name.iter().any(|b| matches!(b, b'$' | b'{' | b'<' | b'@' | b'!')) {
            return None;
        }
        let set = match name.strip_suffix(b"+") {
            Some(prefix) => Interface::with_prefix(prefix)?,
            None => Set::point(Interface::named(name)?.0),
        };
        self.draft.restrict(field, &set);
        Some(())
    }

    /// `22,80,8000:8080`
    fn list(&mut self, field: Field, bit: u16, rest: &mut &[u8]) -> Option<()> {
        self.once(bit)?;
        let mut ranges = Vec::with_capacity(8);
        let mut count = 0;
        loop {
            let before = *rest;
            let (first, last) = ports(rest)?;
            let whole = before.first()?.is_ascii_digit() && before.get(before.len() - rest.len() - 1)?.is_ascii_digit();
            let is_range = before[..before.len() - rest.len()].contains(&b':');
            if is_range && first == last {
                return None;
            }
            count += if is_range { 2 } else { 1 };
            ranges.push((first.into(), last.into()));
            match (whole, *rest) {
                (true, [b',', after @ ..]) => *rest = after,
                (true, [b' ', after @ ..]) => {
                    *rest = after;
                    break;
                }
                (_, _) => return None,
            }
        }
        self.draft.restrict(field, &Set::from_ranges(ranges));
        self.ports = true;
        (count <= 15).then_some(())
    }
}

/// Passes over the blank that must follow.
fn rest_is_next(rest: &mut &[u8]) -> Option<()> {
    *rest = rest.strip_prefix(b" ")?;
    Some(())
}

/// `10.0.0.0/8 ` or `10.0.0.1 `, in plain decimal numbers.
fn ipv4(rest: &mut &[u8]) -> Option<(u32, u32)> {
    let mut text = *rest;
    let (first, end) = octet(&mut text)?;
    let (second, dot) = octet(&mut text)?;
    let (third, point) = octet(&mut text)?;
    let (fourth, last) = octet(&mut text)?;
    if [end, dot, point] != [b'.'; 3] {
        return None;
    }
    let value = first << 24 | second << 16 | third << 8 | fourth;
    let length = match (last, text) {
        (b'/', [ten @ b'1'..=b'9', one @ b'0'..=b'9', b' ', after @ ..]) => {
            text = after;
            Some((ten - b'0') * 10 + (one - b'0')).filter(|length| *length <= 32)?
        }
        (b'/', [one @ b'0'..=b'9', b' ', after @ ..]) => {
            text = after;
            one - b'0'
        }
        (b' ', _) => 32,
        _ => return None,
    };
    *rest = text;
    let ones = u32::MAX.checked_shr(length.into()).unwrap_or(0);
    Some((value & !ones, value | ones))
}

/// A number from 0 to 255 and the byte after it. Four bytes are looked at together, so that no branch depends on how many
/// digits there are.
#[inline]
fn octet(text: &mut &[u8]) -> Option<(u32, u8)> {
    let bytes = u32::from_le_bytes(*text.first_chunk()?);
    let digits = bytes ^ 0x3030_3030;
    // The high bit of each byte that is not a digit.
    let others = (((digits & 0x7f7f_7f7f) + 0x7676_7676) | digits) & 0x8080_8080;
    let length = others.trailing_zeros() / 8;
    let three = (digits << (24 - 8 * length.min(3))) & 0x00ff_ffff;
    let value = (three & 0xff) * 100 + (three >> 8 & 0xff) * 10 + (three >> 16);
    let leading_zero = length > 1 && digits & 0xff == 0;
    if length == 0 || length > 3 || value > 255 || leading_zero {
        return None;
    }
    let after = bytes.to_le_bytes()[length as usize & 3];
    *text = text.get(length as usize + 1..)?;
    Some((value, after))
}

/// A number from 0 to 255 without leading zeros.
fn small(rest: &mut &[u8]) -> Option<u8> {
    let digit = |n: usize| rest.get(n).map(|b| b.wrapping_sub(b'0')).filter(|digit| *digit < 10);
    let first = digit(0)?;
    let (value, length) = match (digit(1), digit(2)) {
        (None, _) => (u16::from(first), 1),
        (Some(_), _) if first == 0 => return None,
        (Some(second), None) => (u16::from(first) * 10 + u16::from(second), 2),
        (Some(second), Some(third)) => (u16::from(first) * 100 + u16::from(second) * 10 + u16::from(third), 3),
    };
    *rest = rest.get(length..)?;
    u8::try_from(value).ok()
}

fn byte(text: &[u8]) -> Option<u8> {
    let mut rest = text;
    small(&mut rest).filter(|_| rest.is_empty())
}

/// A port or a range; what is missing of a range is the end of all ports.
fn ports(rest: &mut &[u8]) -> Option<(u16, u16)> {
    let first = port(rest);
    if let [b':', after @ ..] = *rest {
        *rest = after;
        let open = !rest.first().is_some_and(u8::is_ascii_digit);
        let last = if open { u16::MAX } else { port(rest)? };
        let first = first.unwrap_or(0);
        return (first <= last).then_some((first, last));
    }
    first.map(|port| (port, port))
}

fn port(rest: &mut &[u8]) -> Option<u16> {
    let mut value = 0u32;
    let mut length = 0;
    while let Some(digit) = rest.get(length).map(|b| b.wrapping_sub(b'0')).filter(|digit| *digit < 10) {
        value = value * 10 + u32::from(digit);
        length += 1;
        if length > 5 {
            return None;
        }
    }
    if length == 0 || (length > 1 && rest[0] == b'0') {
        return None;
    }
    *rest = rest.get(length..)?;
    u16::try_from(value).ok()
}

/// `NEW,ESTABLISHED` as `iptables-save` writes it, one bit a state.
fn states(text: &[u8]) -> Option<u8> {
    text.split(|b| *b == b',').try_fold(0, |mask, name| {
        let state = match name {
            b"NEW" => State::New,
            b"ESTABLISHED" => State::Established,
            b"RELATED" => State::Related,
            b"INVALID" => State::Invalid,
            b"UNTRACKED" => State::Untracked,
            _ => return None,
        };
        Some(mask | 1 << state as u8)
    })
}

fn flags(text: &[u8]) -> Option<u8> {
    text.split(|b| *b == b',').try_fold(0, |mask, name| {
        let bits = match name {
            b"FIN" => 1,
            b"SYN" => 2,
            b"RST" => 4,
            b"PSH" => 8,
            b"ACK" => 16,
            b"URG" => 32,
            b"NONE" => 0,
            _ => return None,
        };
        Some(mask | bits)
    })
}
