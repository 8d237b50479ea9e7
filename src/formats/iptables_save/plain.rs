//! The fast way for plain rules: bytes to a draft in one pass, without a syntax in between.
//!
//! It takes only lines of which every byte is modelled, in the spelling of `iptables-save`; anything else is `None` and goes the
//! general way, which means the same for these lines (a test holds the two against one another).

use super::ruleset::TableKind;
use super::values;
use crate::model::{Action, Draft, Families, RuleId, Store};
use crate::net::{Family, Field, Interface, Set, State, format_addresses, leading_ipv4, leading_port};
use std::ops::Range;

/// The end of a line that was read this way.
pub(super) struct Plain<'t> {
    /// What it demands; the addresses before it are not in it.
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

/// The addresses with which a rule begins, as closed ranges.
#[derive(Clone, Copy)]
pub(super) struct Addresses<A> {
    pub(super) source: Option<A>,
    pub(super) destination: Option<A>,
}

/// The addresses of a family, as closed ranges.
pub(super) trait Address: Copy {
    /// Reads `-s A `, of which only the address is looked at.
    fn read(rest: &mut &[u8]) -> Option<Self>;

    /// As rules say them once normalised.
    fn show(self) -> String;

    /// What a rule demands of them.
    fn demand(addresses: Addresses<Self>, draft: &mut Draft);

    /// Another rule that is as `like`, but for the addresses that are given.
    fn like(addresses: Addresses<Self>, like: RuleId, store: &mut Store) -> RuleId;

    /// A rule that demands nothing that is rare; `None`: those of this family are none of them.
    fn simple(addresses: Addresses<Self>, rest: &mut &[u8], store: &mut Store) -> Option<RuleId>;
}

impl Address for (u32, u32) {
    #[inline]
    fn read(rest: &mut &[u8]) -> Option<Self> {
        ipv4(rest)
    }

    fn show(self) -> String {
        format_addresses(Family::Ipv4, self.0.into(), self.1.into())
    }

    fn demand(addresses: Addresses<Self>, draft: &mut Draft) {
        if let Some((first, last)) = addresses.source {
            draft.ipv4_source(first, last);
        }
        if let Some((first, last)) = addresses.destination {
            draft.ipv4_destination(first, last);
        }
    }

    #[inline]
    fn like(addresses: Addresses<Self>, like: RuleId, store: &mut Store) -> RuleId {
        store.like_ipv4(like, addresses.source, addresses.destination)
    }

    #[inline]
    fn simple(addresses: Addresses<Self>, rest: &mut &[u8], store: &mut Store) -> Option<RuleId> {
        let any = (0, u32::MAX);
        let Simple { protocol, ports, action } = simple(rest)?;
        let addresses = [addresses.source.unwrap_or(any), addresses.destination.unwrap_or(any)];
        Some(store.ipv4_rule(addresses, protocol, ports, action))
    }
}

impl Address for (u128, u128) {
    fn read(rest: &mut &[u8]) -> Option<Self> {
        ipv6(rest)
    }

    fn show(self) -> String {
        format_addresses(Family::Ipv6, self.0, self.1)
    }

    fn demand(addresses: Addresses<Self>, draft: &mut Draft) {
        if let Some((first, last)) = addresses.source {
            draft.ipv6_source(first, last);
        }
        if let Some((first, last)) = addresses.destination {
            draft.ipv6_destination(first, last);
        }
    }

    fn like(addresses: Addresses<Self>, like: RuleId, store: &mut Store) -> RuleId {
        store.like_ipv6(like, addresses.source, addresses.destination)
    }

    fn simple(_: Addresses<Self>, _: &mut &[u8], _: &mut Store) -> Option<RuleId> {
        None
    }
}

impl<A: Address> Addresses<A> {
    /// Reads them where they stand as `iptables-save` writes them: `-s A -d B `.
    #[inline]
    pub(super) fn read(rest: &mut &[u8]) -> Option<Self> {
        Some(Self { source: given(b's', rest)?, destination: given(b'd', rest)? })
    }

    /// Which of them there are.
    #[inline]
    pub(super) const fn given(&self) -> u16 {
        (self.source.is_some() as u16 * SOURCE) | (self.destination.is_some() as u16 * DESTINATION)
    }
}

/// Reads `-s A ` if it stands there; `None` if what follows is not plain.
#[inline(always)]
fn given<A: Address>(letter: u8, rest: &mut &[u8]) -> Option<Option<A>> {
    match *rest {
        [b'-', at, b' ', ..] if *at == letter => A::read(rest).map(Some),
        _ => Some(None),
    }
}

/// The end of a line that demands nothing but a protocol and ports.
struct Simple {
    protocol: (u8, u8),
    ports: [(u16, u16); 2],
    action: Action,
}

/// Reads what stands after the addresses on the simplest lines, `-p tcp -m tcp --dport 22 -j DROP` and its line ending, and
/// passes over it. They mean what [`tail`] makes of them.
#[inline]
fn simple(rest: &mut &[u8]) -> Option<Simple> {
    let mut text = *rest;
    let mut ports = [(0, u16::MAX); 2];
    let protocol = match text.strip_prefix(b"-p ") {
        Some(after) => {
            let (protocol, after) = protocol(after)?;
            text = after;
            (protocol, protocol)
        }
        None => (0, u8::MAX),
    };
    let module: Option<&[u8]> = match protocol.0 {
        6 => text.strip_prefix(b"-m tcp "),
        17 => text.strip_prefix(b"-m udp "),
        _ => None,
    };
    if let Some(after) = module {
        text = after;
        for (which, option) in ports.iter_mut().zip([b"--sport ", b"--dport "]) {
            if let Some(after) = text.strip_prefix(option) {
                text = after;
                *which = self::ports(&mut text)?;
                rest_is_next(&mut text)?;
            }
        }
    }
    let does = |action, end: &[u8]| Some((action, text.strip_prefix(end)?));
    let action = does(Action::Accept, b"-j ACCEPT\n").or_else(|| does(Action::Deny, b"-j DROP\n"));
    let (action, after) = action.or_else(|| does(Action::Return, b"-j RETURN\n"))?;
    *rest = after;
    Some(Simple { protocol, ports, action })
}

/// The number of a protocol that stands there by its name, and what follows the blank behind it.
#[inline]
fn protocol(text: &[u8]) -> Option<(u8, &[u8])> {
    // Not as patterns, which would be compared byte by byte.
    let named = |number, name: &[u8]| Some((number, text.strip_prefix(name)?));
    named(6, b"tcp ").or_else(|| named(17, b"udp ")).or_else(|| named(1, b"icmp "))
}

/// What stands before the addresses of a line and decides what may follow: the chain is one of those that have no
/// output, or no input, interface.
pub(super) const fn kind_of(chain: &[u8]) -> u16 {
    match chain {
        b"INPUT" | b"PREROUTING" => NO_OUTPUT,
        b"OUTPUT" | b"POSTROUTING" => NO_INPUT,
        _ => 0,
    }
}

/// Reads what stands after the addresses of a line of a file for one family. `after`: what stood before
/// ([`Addresses::given`], [`kind_of`]).
pub(super) fn tail(rest: &[u8], after: u16, table: TableKind, family: Family, fragments: bool) -> Option<Plain<'_>> {
    let mut plain = Reader {
        table,
        fragments,
        draft: Draft::new(Families::only(family)),
        seen: after,
        protocol: 0,
        ports: false,
        mac: None,
    };
    let whole = rest.len();
    let mut rest = rest;
    loop {
        match rest {
            [b'-', letter, b' ', after @ ..] => {
                let at = whole - rest.len();
                rest = after;
                if *letter == b'j' {
                    let target = rest;
                    if !is_name(target) || plain.is_misplaced() {
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
pub(super) const LONGEST: usize = 1000;

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
    fragments: bool,
    draft: Draft,
    /// One bit for each thing that may stand once.
    seen: u16,
    protocol: u8,
    /// Something in the header behind the IP header is asked for.
    ports: bool,
    mac: Option<(Range<usize>, &'t [u8])>,
}

pub(super) const SOURCE: u16 = 1;
pub(super) const DESTINATION: u16 = 1 << 1;
const PROTOCOL: u16 = 1 << 2;
const INPUT: u16 = 1 << 3;
const OUTPUT: u16 = 1 << 4;
const SOURCE_PORT: u16 = 1 << 5;
const DESTINATION_PORT: u16 = 1 << 6;
const STATE: u16 = 1 << 7;
const MODULE: u16 = 1 << 8;
const FLAGS: u16 = 1 << 9;
const MAC: u16 = 1 << 10;
const NO_INPUT: u16 = 1 << 11;
const NO_OUTPUT: u16 = 1 << 12;

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

    /// Whether it asks for an interface, or a sender's address, that packets do not have there.
    const fn is_misplaced(&self) -> bool {
        self.seen & (OUTPUT | NO_OUTPUT) == OUTPUT | NO_OUTPUT
            || self.seen & (INPUT | NO_INPUT) == INPUT | NO_INPUT
            || self.seen & (MAC | NO_INPUT) == MAC | NO_INPUT
    }

    fn short(&mut self, letter: u8, rest: &mut &'t [u8]) -> Option<()> {
        match letter {
            b'p' => {
                self.once(PROTOCOL)?;
                (self.protocol, *rest) = protocol(rest)?;
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
        if let Some((number @ (6 | 17), after)) = protocol(rest)
            && number == self.protocol
        {
            *rest = after;
            self.ports = true;
            return self.once(MODULE);
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
        let ports_of = |option: &[u8]| rest.strip_prefix(option).filter(|_| matches!(self.protocol, 6 | 17));
        if let Some(after) = ports_of(b"dport ") {
            *rest = after;
            self.once(DESTINATION_PORT)?;
            let (first, last) = ports(rest)?;
            rest_is_next(rest)?;
            self.draft.destination_port(first, last);
        } else if let Some(after) = ports_of(b"sport ") {
            *rest = after;
            self.once(SOURCE_PORT)?;
            let (first, last) = ports(rest)?;
            rest_is_next(rest)?;
            self.draft.source_port(first, last);
        } else {
            *rest = rest.strip_prefix(b"tcp-flags ").filter(|_| self.protocol == 6)?;
            self.once(FLAGS)?;
            let (mask, wanted) = (flags(word(rest)?)?, flags(word(rest)?)?);
            if mask == 0 {
                return None;
            }
            self.draft.restrict(Field::TcpFlags, &values::flag_bytes(mask, wanted));
        }
        self.ports = true;
        Some(())
    }

    fn states(&mut self, option: &[u8], rest: &mut &[u8]) -> Option<()> {
        self.once(STATE)?;
        *rest = rest.strip_prefix(option)?;
        let states = states(word(rest)?)?;
        self.draft.states(State::ALL.into_iter().filter(|state| states >> *state as u8 & 1 == 1));
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

/// `-s 2001:db8::/32 ` or `-s ::1 `.
fn ipv6(rest: &mut &[u8]) -> Option<(u128, u128)> {
    *rest = rest.get(OPTION..)?;
    let text = std::str::from_utf8(word(rest)?).ok()?;
    let (address, length) = match text.split_once('/') {
        Some((address, length)) => (address, byte(length.as_bytes()).filter(|length| *length <= 128)?),
        None => (text, 128),
    };
    let value = u128::from(address.parse::<std::net::Ipv6Addr>().ok()?);
    let ones = if length == 0 { u128::MAX } else { (1 << (128 - length)) - 1 };
    Some((value & !ones, value | ones))
}

/// `-s 10.0.0.0/8 ` or `-s 10.0.0.1 `, in plain decimal numbers.
#[inline]
fn ipv4(rest: &mut &[u8]) -> Option<(u32, u32)> {
    let text = rest.get(OPTION..)?;
    let (address, end) = leading_ipv4(text)?;
    let text = text.get(end..)?;
    let (length, end) = match *text.first_chunk::<4>()? {
        [b' ', ..] => (32, 1),
        [b'/', one, two, three] => {
            let [first, second] = [one, two].map(|byte| u32::from(byte.wrapping_sub(b'0')));
            let (length, end, behind) = if second < 10 { (first * 10 + second, 4, three) } else { (first, 3, two) };
            if behind != b' ' || first > 9 || (second < 10 && first == 0) || length > 32 {
                return None;
            }
            (length, end)
        }
        _ => return None,
    };
    *rest = text.get(end..)?;
    let ones = u32::MAX.checked_shr(length).unwrap_or(0);
    Some((address & !ones, address | ones))
}

/// The length of `-s `.
const OPTION: usize = 3;

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

#[inline]
fn port(rest: &mut &[u8]) -> Option<u16> {
    let (port, length) = leading_port(rest)?;
    *rest = rest.get(length..)?;
    Some(port)
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
