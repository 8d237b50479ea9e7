use super::set::Set;

/// An interface name as a value of [`super::Field::Input`] and [`super::Field::Output`].
///
/// A name has at most 15 bytes (`IFNAMSIZ` with its NUL). Padded with NUL to 16 bytes and read as a
/// big-endian number, names sort as text does, so the names with one prefix (`eth+`) are one interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Interface(pub u128);

impl Interface {
    /// No interface: what a locally made packet came in by, and what a delivered one leaves by.
    pub const NONE: Self = Self(0);

    /// The interface of that name; `None` if no interface can be called so (longer than 15 bytes).
    #[must_use]
    pub fn named(name: &[u8]) -> Option<Self> {
        let mut padded = [0; 16];
        (name.len() < 16).then(|| padded[..name.len()].copy_from_slice(name))?;
        Some(Self(u128::from_be_bytes(padded)))
    }

    /// All interfaces whose names begin with `prefix`, the name equal to it included (`eth+` in iptables,
    /// `eth*` in nft). The empty prefix is every interface and none.
    #[must_use]
    pub fn with_prefix(prefix: &[u8]) -> Option<Set> {
        let Self(first) = Self::named(prefix)?;
        let free = 128 - 8 * u32::try_from(prefix.len()).ok()?;
        let ones = if free == 128 { u128::MAX } else { (1 << free) - 1 };
        Some(Set::range(first, first | ones))
    }

    /// The name, without the padding.
    #[must_use]
    pub fn name(self) -> Vec<u8> {
        let bytes = self.0.to_be_bytes();
        let length = bytes.iter().rposition(|b| *b != 0).map_or(0, |n| n + 1);
        bytes[..length].to_vec()
    }

    /// A name out of `set` that a host could have, one of the usual ones if possible; `None` if the set has none.
    #[must_use]
    pub fn likely(set: &Set) -> Option<Self> {
        const USUAL: [&str; 8] = ["eth0", "eth1", "lan0", "wan0", "if0", "net7", "port3", "x0"];
        let usual = USUAL.iter().filter_map(|name| Self::named(name.as_bytes()));
        usual
            .chain(set.ranges().iter().flat_map(|(first, last)| Self::within(first, last)))
            .find(|interface| set.contains(interface.0))
    }

    /// Possible names near the start of an interval.
    fn within(first: u128, last: u128) -> impl Iterator<Item = Self> {
        let base = Self(first).name();
        let grown = [&b"0"[..], b"a", b"1"].into_iter().map(move |end| [&base, end].concat());
        let longer = grown.filter_map(|name| Self::named(&name));
        // The shortest printable name above `first`: its leading bytes, the last one raised.
        let bytes = first.to_be_bytes();
        let raised = (0..15).rev().filter_map(move |n| {
            let mut name = bytes[..n].to_vec();
            let byte = bytes[n];
            name.push(byte.max(b'/').checked_add(1).filter(|b| *b < 0x7f)?);
            Self::named(&name)
        });
        let exact = std::iter::once(Self(first));
        exact.chain(longer).chain(raised).filter(move |i| (first..=last).contains(&i.0)).filter(|i| i.is_name())
    }

    fn is_name(self) -> bool {
        let name = self.name();
        !name.is_empty() && name.len() < 16 && name.iter().all(|b| b.is_ascii_graphic() && *b != b'/' && *b != b':')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_is_an_interval_of_names() {
        let eth = Interface::with_prefix(b"eth").expect("short");
        let has = |name: &str| eth.contains(Interface::named(name.as_bytes()).expect("short").0);
        assert!(has("eth") && has("eth0") && has("eth1.110"));
        assert!(!has("et") && !has("wth0") && !has("eti") && !has(""));
        assert_eq!(Interface::named(b"0123456789abcdef"), None);
    }

    #[test]
    fn a_likely_name_is_in_its_set() {
        let max = u128::MAX;
        let named = |n: &str| Set::point(Interface::named(n.as_bytes()).expect("short").0);
        for set in [
            named("br-lan"),
            Interface::with_prefix(b"tun").expect("short"),
            Interface::with_prefix(b"eth").expect("short").complement(max).difference(&Set::point(0)),
            Interface::with_prefix(b"tun").expect("short").difference(&named("tun")).difference(&named("tun0")),
        ] {
            let name = Interface::likely(&set).expect("a name");
            assert!(set.contains(name.0) && name.is_name(), "{name:?} in {set:?}");
        }
        assert_eq!(Interface::likely(&Set::point(0)), None);
    }
}
