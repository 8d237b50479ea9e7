use super::{Family, Set};
use ipnet::IpNet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Reads `10.0.0.0/8`, `10.0.0.1`, `2001:db8::/32` or a range `10.0.0.1-10.0.0.9` as the set of its
/// addresses; bits behind the prefix length are ignored, as the kernel does. `None` if it is none of them.
#[must_use]
pub fn parse_addresses(text: &str) -> Option<(Family, Set)> {
    if let Some((first, last)) = text.split_once('-') {
        let ((a, first), (b, last)) = (parse_address(first)?, parse_address(last)?);
        return (a == b && first <= last).then(|| (a, Set::range(first, last)));
    }
    if !text.contains('/') {
        return parse_address(text).map(|(family, address)| (family, Set::point(address)));
    }
    Some(match text.parse().ok()? {
        IpNet::V4(net) => {
            (Family::Ipv4, Set::range(u32::from(net.network()).into(), u32::from(net.broadcast()).into()))
        }
        IpNet::V6(net) => (Family::Ipv6, Set::range(net.network().into(), net.broadcast().into())),
    })
}

/// Reads one address.
#[must_use]
pub fn parse_address(text: &str) -> Option<(Family, u128)> {
    Some(match text.parse().ok()? {
        IpAddr::V4(address) => (Family::Ipv4, u32::from(address).into()),
        IpAddr::V6(address) => (Family::Ipv6, address.into()),
    })
}

/// An address as text.
#[must_use]
pub fn format_address(family: Family, address: u128) -> String {
    match family {
        Family::Ipv4 => Ipv4Addr::from(u32::try_from(address).unwrap_or(u32::MAX)).to_string(),
        Family::Ipv6 => Ipv6Addr::from(address).to_string(),
    }
}

/// Writes the addresses from `first` to `last`: one as itself, a block as a prefix, and others as a range.
#[must_use]
pub fn format_addresses(family: Family, first: u128, last: u128) -> String {
    if first == last {
        return format_address(family, first);
    }
    let free = (first ^ last).checked_add(1).map_or(128, u128::trailing_zeros);
    let ones = if free >= 128 { u128::MAX } else { (1 << free) - 1 };
    if first & ones == 0 && last == first | ones {
        format!("{}/{}", format_address(family, first), family.bits().saturating_sub(free))
    } else {
        format!("{}-{}", format_address(family, first), format_address(family, last))
    }
}

/// The fewest prefixes that together are the interval from `first` to `last`: address and prefix length.
pub fn blocks(family: Family, first: u128, last: u128) -> impl Iterator<Item = (u128, u32)> {
    let mut next = (first <= last).then_some(first);
    std::iter::from_fn(move || {
        let start = next?;
        let room = last - start;
        let fits = if room == u128::MAX { 128 } else { 127 - (room + 1).leading_zeros() };
        let host = start.trailing_zeros().min(family.bits()).min(fits);
        let end = if host == 128 { u128::MAX } else { start + ((1 << host) - 1) };
        next = end.checked_add(1).filter(|n| *n <= last);
        Some((start, family.bits() - host))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_is_the_fewest_prefixes() {
        let show = |a: &str, b: &str| -> Vec<String> {
            let ((family, a), (_, b)) = (parse_address(a).expect("address"), parse_address(b).expect("address"));
            blocks(family, a, b).map(|(at, len)| format!("{}/{len}", format_address(family, at))).collect()
        };
        assert_eq!(show("0.0.0.0", "255.255.255.255"), ["0.0.0.0/0"]);
        assert_eq!(show("10.0.0.1", "10.0.0.4"), ["10.0.0.1/32", "10.0.0.2/31", "10.0.0.4/32"]);
        assert_eq!(show("::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"), ["::/0"]);
        assert_eq!(show("255.255.255.254", "255.255.255.255"), ["255.255.255.254/31"]);
    }

    #[test]
    fn addresses_prefixes_and_ranges_are_read() {
        assert_eq!(parse_addresses("10.1.2.3/8"), Some((Family::Ipv4, Set::range(0x0a00_0000, 0x0aff_ffff))));
        assert_eq!(parse_addresses("::1"), Some((Family::Ipv6, Set::point(1))));
        assert_eq!(parse_addresses("10.0.0.9-10.0.0.1"), None);
        assert_eq!(parse_addresses("10.0.0/8"), None);
        assert_eq!(parse_addresses("10.0.0.0/33"), None);
    }
}
