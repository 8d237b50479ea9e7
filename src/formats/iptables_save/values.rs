//! The values of options: text to sets of packets, as iptables(8) and libxtables read them.

use super::words::Word;
use crate::net::{Family, Interface, Set, State, icmp_type, leading_ipv4, protocol_number, service_port};
use std::borrow::Cow;

/// An address argument.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Addresses {
    /// These.
    Set(Set),
    /// A host name, which the real program resolves when it loads the file.
    Name,
    /// Those under a mask with so many holes that they are not written out.
    Scattered,
}

/// Whether a shell or a template engine has yet to fill the text in.
pub(super) fn is_template(text: &[u8]) -> bool {
    let after_dollar =
        |n: usize| text.get(n + 1).is_some_and(|b| b.is_ascii_alphabetic() || matches!(b, b'{' | b'(' | b'_'));
    memchr::memchr_iter(b'$', text).any(after_dollar)
        || text.windows(2).any(|pair| matches!(pair, b"{{" | b"{%" | b"<%" | b"{$"))
        || (text.len() > 2 && text.starts_with(b"@") && text.ends_with(b"@"))
        || (text.len() > 2 && text.starts_with(b"<") && text.ends_with(b">"))
}

/// Why a value cannot be read; says so first if it is a template's.
pub(super) fn refuse(word: &Word<'_>, what: &str) -> String {
    let text = word.show();
    if is_template(&word.text) {
        format!("`{text}` is left for a shell or a template to fill in")
    } else {
        format!("`{text}` is not {what}: iptables-restore refuses it")
    }
}

/// One address or several with commas, each bare, with a prefix length or with a mask.
pub(super) fn addresses(word: &Word<'_>, family: Family) -> Result<Addresses, String> {
    let text = word.ascii().ok_or_else(|| refuse(word, "an address"))?;
    let mut union = Set::empty();
    let (mut named, mut holed) = (false, false);
    for one in text.split(',').map(str::trim) {
        match address(one, family).ok_or_else(|| refuse(word, other_family(one, family)))? {
            Addresses::Set(set) => union = if union.is_empty() { set } else { union.union(&set) },
            Addresses::Name => named = true,
            Addresses::Scattered => holed = true,
        }
    }
    Ok(match (named, holed) {
        (true, _) => Addresses::Name,
        (false, true) => Addresses::Scattered,
        (false, false) => Addresses::Set(union),
    })
}

fn other_family(text: &str, family: Family) -> &'static str {
    let bare = text.split('/').next().unwrap_or(text);
    match family {
        Family::Ipv4 if bare.parse::<std::net::Ipv6Addr>().is_ok() => "an IPv4 address, and the line is for IPv4",
        Family::Ipv6 if ipv4(bare).is_some() => "an IPv6 address, and the line is for IPv6",
        Family::Ipv4 | Family::Ipv6 => "an address",
    }
}

fn address(text: &str, family: Family) -> Option<Addresses> {
    let (bare, mask) = match text.split_once('/') {
        Some((bare, mask)) => (bare, Some(mask)),
        None => (text, None),
    };
    let (value, mask) = match family {
        Family::Ipv4 => match ipv4(bare) {
            Some((value, _)) => match mask {
                // Missing parts are zero, and yet it is one address (libxtables, `parse_ipmask`).
                None => (u128::from(value), 32),
                Some(mask) => match ipv4_mask(mask)? {
                    Mask::Length(length) => (u128::from(value), length),
                    Mask::Scattered(mask) => return Some(scattered(value & mask, mask)),
                },
            },
            None => return name(bare, mask),
        },
        Family::Ipv6 => match bare.parse::<std::net::Ipv6Addr>() {
            Ok(value) => {
                let length = match mask {
                    None => 128,
                    Some(mask) => ipv6_mask(mask)?,
                };
                (u128::from(value), length)
            }
            Err(_) => return name(bare, mask),
        },
    };
    let host = family.bits() - length_in(family, mask)?;
    let ones = if host == 128 { u128::MAX } else { (1 << host) - 1 };
    Some(Addresses::Set(Set::range(value & !ones, value | ones)))
}

const fn length_in(family: Family, length: u32) -> Option<u32> {
    if length <= family.bits() { Some(length) } else { None }
}

/// A host name (with a mask it stands for the network of each of its addresses).
fn name(bare: &str, mask: Option<&str>) -> Option<Addresses> {
    let letters = bare.bytes().any(|b| b.is_ascii_alphabetic());
    let clean = bare.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_'));
    let edges = !bare.starts_with(['-', '.']) && bare.len() < 256;
    let masked = mask.is_none_or(|mask| !mask.is_empty() && mask.bytes().all(|b| b.is_ascii_digit() || b == b'.'));
    (letters && clean && edges && masked).then_some(Addresses::Name)
}

/// An IPv4 address of one to four parts, missing ones zero at the end, each decimal, octal (`010`) or
/// hexadecimal; and how many parts there are.
fn ipv4(text: &str) -> Option<(u32, usize)> {
    if let Some((address, end)) = leading_ipv4(text.as_bytes())
        && end == text.len()
    {
        return Some((address, 4));
    }
    // A number that is no byte is all four (inet_aton(3)).
    if let Some(whole) = number(text).filter(|number| *number > u64::from(u8::MAX)) {
        return u32::try_from(whole).ok().map(|whole| (whole, 1));
    }
    let mut value = 0u32;
    let mut parts = 0;
    for part in text.split('.') {
        let byte = u8::try_from(number(part)?).ok()?;
        if parts == 4 {
            return None;
        }
        value |= u32::from(byte) << (24 - 8 * parts);
        parts += 1;
    }
    Some((value, parts))
}

enum Mask {
    Length(u32),
    /// Ones with zeros between them.
    Scattered(u32),
}

fn ipv4_mask(text: &str) -> Option<Mask> {
    if !text.contains('.') {
        let length = u32::try_from(number(text)?).ok()?;
        return (length <= 32).then_some(Mask::Length(length));
    }
    let (mask, parts) = ipv4(text)?;
    let length = mask.leading_ones();
    let solid = mask.checked_shl(length).unwrap_or(0) == 0;
    (parts == 4).then_some(if solid { Mask::Length(length) } else { Mask::Scattered(mask) })
}

fn ipv6_mask(text: &str) -> Option<u32> {
    if !text.contains(':') {
        return u32::try_from(number(text)?).ok().filter(|length| *length <= 128);
    }
    let mask = u128::from(text.parse::<std::net::Ipv6Addr>().ok()?);
    let length = mask.leading_ones();
    (mask.checked_shl(length).unwrap_or(0) == 0).then_some(length)
}

/// The addresses that are `value` under a mask with holes: one interval for each filling of the zeros above
/// the lowest run, if they are not too many.
fn scattered(value: u32, mask: u32) -> Addresses {
    const MOST_HOLES: usize = 8;
    let low = mask.trailing_zeros();
    let holes: Vec<u32> = (low..32).filter(|bit| mask >> bit & 1 == 0).collect();
    if holes.len() > MOST_HOLES {
        return Addresses::Scattered;
    }
    let ones = if low == 0 { 0 } else { u32::MAX >> (32 - low) };
    let fill = |n: u32| holes.iter().enumerate().fold(value, |at, (i, bit)| at | (n >> i & 1) << bit);
    let all = (0..1u32 << holes.len()).map(fill).map(|at| (u128::from(at), u128::from(at | ones)));
    Addresses::Set(Set::from_ranges(all))
}

/// A number as strtoul(3) with base 0 reads it: decimal, `0x…` or octal `0…`.
pub(super) fn number(text: &str) -> Option<u64> {
    let digits = |text: &str, radix| {
        text.bytes().next().filter(u8::is_ascii_alphanumeric).and_then(|_| u64::from_str_radix(text, radix).ok())
    };
    match text.as_bytes() {
        [b'0', b'x' | b'X', ..] => digits(&text[2..], 16),
        [b'0', _, ..] => digits(text, 8),
        _ => digits(text, 10),
    }
}

/// `tcp`, `6`, `all`: the protocol, 0 for all of them.
pub(super) fn protocol(word: &Word<'_>) -> Result<u8, String> {
    let text = word.ascii().unwrap_or("");
    let is_lower = !text.bytes().any(|byte| byte.is_ascii_uppercase());
    let text = if is_lower { Cow::Borrowed(text) } else { Cow::Owned(text.to_ascii_lowercase()) };
    let found = match number(&text) {
        Some(n) => u8::try_from(n).ok(),
        None if text == "all" => Some(0),
        None => protocol_number(&text),
    };
    found.ok_or_else(|| refuse(word, "a protocol"))
}

/// One port: a number or the name of a service of that protocol.
fn port(text: &str, protocol: u8) -> Option<u16> {
    match number(text) {
        Some(n) => u16::try_from(n).ok(),
        None => service_port(text, protocol),
    }
}

/// One port of `--sport` and `--dport`: names are looked up whatever the protocol where tcp and udp are concerned
/// (libxtables, `xtables_getportbyname`).
fn port_of_any(text: &str, protocol: u8) -> Option<u16> {
    let others: &[u8] = if matches!(protocol, 6 | 17) { &[6, 17, 33, 132] } else { &[] };
    port(text, protocol).or_else(|| others.iter().find_map(|other| port(text, *other)))
}

/// `22`, `1024:`, `:1023`, `8000:8080`, `ssh`. A range whose ends are the wrong way round matches nothing.
pub(super) fn port_range(word: &Word<'_>, protocol: u8) -> Result<Set, String> {
    let text = word.ascii().unwrap_or("");
    ports_between(text, |text| port_of_any(text, protocol)).ok_or_else(|| refuse(word, "a port or range of ports"))
}

fn ports_between(text: &str, port: impl Fn(&str) -> Option<u16>) -> Option<Set> {
    let (first, last) = match text.split_once(':') {
        Some((first, last)) => {
            (if first.is_empty() { 0 } else { port(first)? }, if last.is_empty() { u16::MAX } else { port(last)? })
        }
        None => {
            let port = port(text)?;
            (port, port)
        }
    };
    (first <= last).then(|| Set::range(first.into(), last.into()))
}

/// A list of ports and ranges; a range counts as two of at most 15.
pub(super) fn port_list(word: &Word<'_>, protocol: u8) -> Result<Set, String> {
    let text = word.ascii().unwrap_or("");
    let mut ranges = Vec::new();
    let mut count = 0;
    for one in text.split(',') {
        count += 1 + usize::from(one.contains(':'));
        let whole = !one.starts_with(':') && !one.ends_with(':');
        let set = Some(one).filter(|_| whole).and_then(|one| ports_between(one, |text| port(text, protocol)));
        // A range has more than one port here (libxt_multiport.c, `parse_multi_ports_v1`).
        let set =
            set.filter(|set| !one.contains(':') || set.len() > 1).ok_or_else(|| refuse(word, "a list of ports"))?;
        ranges.extend(set.ranges());
    }
    if count > 15 {
        return Err(format!("`{}` names more than 15 ports: iptables-restore refuses it", word.show()));
    }
    Ok(Set::from_ranges(ranges))
}

/// `10.0.0.1-10.0.0.9`, or one address.
pub(super) fn address_range(word: &Word<'_>, family: Family) -> Result<Set, String> {
    let text = word.ascii().unwrap_or("");
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let one = |text: &str| -> Option<u128> {
        match family {
            Family::Ipv4 => ipv4(text).map(|(value, _)| value.into()),
            Family::Ipv6 => text.parse::<std::net::Ipv6Addr>().ok().map(u128::from),
        }
    };
    let ends = one(first).zip(one(last));
    // Ends the wrong way round match nothing (libxt_iprange.c warns and goes on).
    ends.map(|(first, last)| Set::range(first, last)).ok_or_else(|| refuse(word, other_family(first, family)))
}

/// The states of a list, and whether the translation bits `SNAT` and `DNAT` are asked for.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct States {
    pub(super) states: Vec<State>,
    pub(super) source_translated: bool,
    pub(super) destination_translated: bool,
}

/// `NEW,ESTABLISHED`; `translations`: `SNAT` and `DNAT` may be among them (`conntrack` only).
pub(super) fn states(word: &Word<'_>, translations: bool) -> Result<States, String> {
    // A name may be cut short; the first that begins so counts (libxt_conntrack.c, `conntrack_ps_state`).
    const ORDER: [State; 5] = [State::Invalid, State::New, State::Established, State::Related, State::Untracked];
    let mut out = States::default();
    for name in word.text.split(|b| *b == b',') {
        let begins =
            |known: &str| known.as_bytes().get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name));
        let is = |known: &str| !name.is_empty() && begins(known);
        match ORDER.into_iter().find(|state| is(state.name())) {
            Some(state) => out.states.push(state),
            None if translations && is("SNAT") => out.source_translated = true,
            None if translations && is("DNAT") => out.destination_translated = true,
            None => return Err(refuse(word, "a list of connection states")),
        }
    }
    Ok(out)
}

/// The flag bytes that have exactly `wanted` of the flags in `mask`.
pub(super) fn tcp_flags(mask: &Word<'_>, wanted: &Word<'_>) -> Result<Set, String> {
    Ok(flag_bytes(flags(mask)?, flags(wanted)?))
}

/// The bytes that are `wanted` under `mask`.
pub(super) fn flag_bytes(mask: u8, wanted: u8) -> Set {
    if wanted & !mask != 0 {
        return Set::empty();
    }
    // The bits that are not asked for take all values, in order.
    let free = !mask;
    let count = 1_usize << free.count_ones();
    let mut filling = 0_u8;
    let mut ranges: Vec<(u32, u32)> = Vec::with_capacity(count);
    for _ in 0..count {
        let byte = u32::from(wanted | filling);
        filling = filling.wrapping_sub(free) & free;
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == byte => *last = byte,
            Some(_) | None => ranges.push((byte, byte)),
        }
    }
    Set::from_disjoint(ranges)
}

pub(super) fn flags(word: &Word<'_>) -> Result<u8, String> {
    let mut byte = 0;
    for name in word.text.split(|b| *b == b',') {
        let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
        byte |= match ["FIN", "SYN", "RST", "PSH", "ACK", "URG"].iter().position(|known| is(known)) {
            Some(bit) => 1 << bit,
            None if is("ALL") => 0x3f,
            None if is("NONE") => 0,
            None => return Err(refuse(word, "a list of TCP flags")),
        };
    }
    Ok(byte)
}

/// The `type << 8 | code` values of `8`, `3/4`, `echo-request`, `any`; `protocol` is 1 or 58.
pub(super) fn icmp(word: &Word<'_>, protocol: u8) -> Result<Set, String> {
    let text = word.ascii().unwrap_or("");
    let one = |kind: u8, code: Option<u8>| {
        let kind = u128::from(kind) << 8;
        match code {
            Some(code) => Set::point(kind | u128::from(code)),
            None => Set::range(kind, kind | 255),
        }
    };
    if protocol == 1 && text.eq_ignore_ascii_case("any") {
        return Ok(Set::range(0, 65535));
    }
    if let Some((kind, code)) = icmp_type(protocol, text) {
        return Ok(one(kind, code));
    }
    let byte = |text: &str| number(text).and_then(|n| u8::try_from(n).ok());
    let found = match text.split_once('/') {
        Some((kind, code)) => byte(kind).zip(byte(code).map(Some)),
        None => byte(text).map(|kind| (kind, None)),
    };
    // Type 255 is how the kernel writes "any", whatever the code (`icmp_type_code_match`).
    let found =
        found.map(|(kind, code)| if protocol == 1 && kind == 255 { Set::range(0, 65535) } else { one(kind, code) });
    found.ok_or_else(|| refuse(word, if protocol == 1 { "an ICMP type" } else { "an ICMPv6 type" }))
}

/// The interfaces that `eth0` or `eth+` names.
pub(super) fn interfaces(word: &Word<'_>) -> Result<Set, String> {
    if is_template(&word.text) {
        return Err(refuse(word, "an interface"));
    }
    let set = match word.text.strip_suffix(b"+") {
        Some(prefix) => Interface::with_prefix(prefix),
        None => Interface::named(&word.text).map(|interface| Set::point(interface.0)),
    };
    set.filter(|_| !word.text.is_empty()).ok_or_else(|| refuse(word, "an interface name of at most 15 bytes"))
}
