//! `cidrhost`, `cidrnetmask`, `cidrsubnet`, `cidrsubnets` (functions: IP network functions).

use super::{Arguments, Found, Stop, list, text};
use crate::formats::data::value::Value;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

pub(super) fn call(name: &str, arguments: &Arguments<'_, '_, '_>) -> Option<Found> {
    Some(match name {
        "cidrhost" => host(arguments),
        "cidrnetmask" => mask(arguments),
        "cidrsubnet" => subnet(arguments),
        "cidrsubnets" => subnets(arguments),
        _ => return None,
    })
}

/// A prefix; the bits behind it are cleared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Prefix {
    /// In the low bits.
    network: u128,
    length: u32,
    /// How many bits an address has.
    bits: u32,
}

impl Prefix {
    /// The prefix that a text is. Zeros in front of numbers mean nothing (functions: `cidrhost`).
    fn read(arguments: &Arguments<'_, '_, '_>, n: usize) -> Result<Self, Stop> {
        let written = arguments.text(n)?;
        let wrong = || arguments.refuse(format!("`{}` is no prefix", crate::text::escape(written.as_bytes())));
        let Some((address, length)) = written.split_once('/') else { return wrong() };
        let (Some(length), address) = (digits(length, 128), address_of(address)) else { return wrong() };
        let (value, bits) = match address {
            Some(IpAddr::V4(address)) => (u128::from(u32::from(address)), 32),
            // It is computed in another way by Terraform, and wrongly.
            Some(IpAddr::V6(address)) if address.to_ipv4_mapped().is_some() => return Err(Stop::Unknown),
            Some(IpAddr::V6(address)) => (u128::from(address), 128),
            None => return wrong(),
        };
        if length > bits {
            return wrong();
        }
        Ok(Self { network: value & !below(bits - length), length, bits })
    }

    fn address(self, address: u128) -> IpAddr {
        if self.bits == 32 {
            IpAddr::V4(Ipv4Addr::from(u32::try_from(address & below(32)).unwrap_or(u32::MAX)))
        } else {
            IpAddr::V6(Ipv6Addr::from(address))
        }
    }

    fn shown(self) -> String {
        format!("{}/{}", written(self.address(self.network)), self.length)
    }
}

/// A number of digits only.
fn digits(text: &str, largest: u32) -> Option<u32> {
    let plain = text.len() <= 10 && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|number| plain && *number <= largest)
}

fn address_of(text: &str) -> Option<IpAddr> {
    if text.contains(':') {
        return text.parse().ok().map(IpAddr::V6);
    }
    let mut octets = [0; 4];
    let mut parts = text.split('.');
    for octet in &mut octets {
        *octet = u8::try_from(digits(parts.next()?, 255)?).ok()?;
    }
    parts.next().is_none().then(|| IpAddr::from(octets))
}

/// That many ones.
const fn below(bits: u32) -> u128 {
    if bits >= 128 { u128::MAX } else { (1 << bits) - 1 }
}

/// An address as Go writes it: IPv6 in its shortest form, with no IPv4 in it.
fn written(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => match address.to_ipv4_mapped() {
            // `::ffff:1.2.3.4` is an IPv4 address to Go.
            Some(inner) => inner.to_string(),
            None => address.to_string(),
        },
    }
}

fn host(arguments: &Arguments<'_, '_, '_>) -> Found {
    arguments.at_most(2)?;
    let (prefix, number) = (Prefix::read(arguments, 0)?, arguments.integer(1)?);
    let room = below(prefix.bits - prefix.length);
    let out = || arguments.refuse(format!("there is no number {number} in `{}`", prefix.shown()));
    let offset = if number >= 0 {
        number.unsigned_abs()
    } else {
        // From the end: -1 is the last address.
        match room.checked_sub(number.unsigned_abs() - 1) {
            Some(offset) => offset,
            None => return out(),
        }
    };
    if offset > room {
        return out();
    }
    text(written(prefix.address(prefix.network | offset)))
}

fn mask(arguments: &Arguments<'_, '_, '_>) -> Found {
    arguments.at_most(1)?;
    let prefix = Prefix::read(arguments, 0)?;
    if prefix.bits != 32 {
        return arguments.refuse("IPv6 has no netmasks");
    }
    text(written(prefix.address(below(32) & !below(32 - prefix.length))))
}

fn subnet(arguments: &Arguments<'_, '_, '_>) -> Found {
    arguments.at_most(3)?;
    let (prefix, longer, number) = (Prefix::read(arguments, 0)?, arguments.integer(1)?, arguments.integer(2)?);
    let length = u32::try_from(longer).ok().and_then(|longer| prefix.length.checked_add(longer));
    let Some(length) = length.filter(|length| *length <= prefix.bits) else {
        return arguments.refuse(format!("{longer} more bits are not left in `{}`", prefix.shown()));
    };
    let more = length - prefix.length;
    let room = below(more);
    // What Terraform computes below zero lies outside of the prefix.
    let number = u128::try_from(number).map_err(|_| Stop::Unknown)?;
    let Some(number) = Some(number).filter(|number| *number <= room) else {
        return arguments.refuse(format!("there are not so many networks of that size in `{}`", prefix.shown()));
    };
    let shift = prefix.bits - length;
    let placed = if shift >= 128 { 0 } else { number << shift };
    text(Prefix { network: prefix.network | placed, length, ..prefix }.shown())
}

fn subnets(arguments: &Arguments<'_, '_, '_>) -> Found {
    let prefix = Prefix::read(arguments, 0)?;
    let end = prefix.network | below(prefix.bits - prefix.length);
    let mut next = Some(prefix.network);
    let mut out = Vec::new();
    for n in 1..arguments.all().len() {
        let longer = arguments.integer(n)?;
        let length = u32::try_from(longer).ok().filter(|longer| (1..=32).contains(longer));
        let length = length.map(|longer| prefix.length + longer).filter(|length| *length <= prefix.bits);
        let Some(length) = length else {
            return arguments
                .refuse(format!("a network of {longer} more bits is not possible in `{}`", prefix.shown()));
        };
        let rest = below(prefix.bits - length);
        // It begins at the first place that is free and even enough.
        let start = next.and_then(|next| Some(next.checked_add(rest)? & !rest));
        let Some(start) = start.filter(|start| *start <= end) else {
            return arguments.refuse(format!("there is no room left in `{}`", prefix.shown()));
        };
        next = (start | rest).checked_add(1);
        out.push(Value::of_text(&Prefix { network: start, length, ..prefix }.shown(), arguments.at));
    }
    list(out)
}
