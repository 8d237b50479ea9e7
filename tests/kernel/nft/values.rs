//! Values in all the notations people use.

use super::write::Writer;
use portcullis::net::{Family, Field, format_address};

/// Both ends included.
pub(super) type Range = (u128, u128);

impl Writer<'_> {
    pub(super) fn some_address(&mut self, family: Family) -> u128 {
        *self.random.pick(&self.addresses[family as usize])
    }

    pub(super) fn some_port(&mut self) -> u16 {
        if self.random.chance(8) { *self.random.pick(&[0, 65_535, 1023, 1024]) } else { *self.random.pick(&self.ports) }
    }

    pub(super) fn address_text(&mut self, family: Family, address: u128) -> String {
        let text = format_address(family, address);
        if family == Family::Ipv6 && self.random.chance(10) { text.to_uppercase() } else { text }
    }

    /// A single address, a prefix or a range near the pool.
    pub(super) fn address_range(&mut self, family: Family) -> Range {
        let address = self.some_address(family);
        match self.random.below(10) {
            0..4 => (address, address),
            4..8 => prefix(family, address, self.length(family)),
            _ => {
                let other = self.some_address(family);
                let near = address.saturating_add(self.random.within(1, 600)).min(Field::Source.max(family));
                if self.random.chance(50) { (address, near) } else { (address.min(other), address.max(other)) }
            }
        }
    }

    /// The length of a prefix.
    pub(super) fn length(&mut self, family: Family) -> u32 {
        let common: &[u32] = match family {
            Family::Ipv4 => &[8, 12, 16, 24, 29, 30, 31, 32],
            Family::Ipv6 => &[32, 48, 56, 64, 127, 128],
        };
        if self.random.chance(70) {
            *self.random.pick(common)
        } else {
            u32::try_from(self.random.within(1, family.bits().into())).expect("at most 128")
        }
    }

    /// A range as a single address, a prefix where it is one, or from-to.
    pub(super) fn address_range_text(&mut self, family: Family, (first, last): Range) -> String {
        if first == last && self.random.chance(85) {
            return self.address_text(family, first);
        }
        let size = last - first;
        let is_prefix = size & size.wrapping_add(1) == 0 && first & size == 0;
        let length = family.bits() - size.count_ones();
        if is_prefix && (first == last || self.random.chance(80)) {
            format!("{}/{length}", self.address_text(family, first))
        } else {
            format!("{}-{}", self.address_text(family, first), self.address_text(family, last))
        }
    }

    pub(super) fn port_range(&mut self) -> Range {
        let (a, b) = (self.some_port(), self.some_port());
        match self.random.below(10) {
            0..7 => (a.into(), a.into()),
            7 => (a.into(), a.saturating_add(30).into()),
            _ => (a.min(b).into(), a.max(b).into()),
        }
    }

    pub(super) fn port_text(&mut self, port: u128) -> String {
        let name = match port {
            22 => "ssh",
            25 => "smtp",
            53 => "domain",
            80 => "http",
            123 => "ntp",
            443 => "https",
            _ => "",
        };
        match self.random.below(20) {
            0..10 if !name.is_empty() => name.to_owned(),
            10..12 if !name.is_empty() => format!("\"{name}\""),
            12 => format!("{port:#x}"),
            _ => port.to_string(),
        }
    }

    pub(super) fn port_range_text(&mut self, (first, last): Range) -> String {
        if first == last {
            self.port_text(first)
        } else {
            // A name and what is joined to it by `-` would be one name.
            format!("{first}-{last}")
        }
    }

    /// Ranges of which no two overlap.
    pub(super) fn disjoint(&mut self, count: usize, mut one: impl FnMut(&mut Self) -> Range) -> Vec<Range> {
        let mut out: Vec<Range> = Vec::new();
        for _ in 0..count {
            let new = one(self);
            if out.iter().all(|old| old.1 < new.0 || new.1 < old.0) {
                out.push(new);
            }
        }
        out
    }

    /// The name of an interface as it may stand in a rule.
    pub(super) fn interface_text(&mut self) -> String {
        let name = if self.random.chance(12) { "lo".to_owned() } else { self.random.pick(self.names).clone() };
        let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric()) && name.len() > 2;
        if plain && self.random.chance(40) { name } else { format!("\"{name}\"") }
    }

    /// A pattern of interface names.
    pub(super) fn interface_pattern(&mut self) -> String {
        let name = self.random.pick(self.names).clone();
        let stem = match self.random.below(3) {
            0 => name.trim_end_matches(|c: char| c.is_ascii_digit()).to_owned(),
            1 => name.get(..1).unwrap_or("e").to_owned(),
            _ => name,
        };
        match self.random.below(6) {
            0 => format!("\"{stem}\\*\""),
            1 => format!("{}*", stem.trim_end_matches(['-', '.'])),
            _ => format!("\"{stem}*\""),
        }
    }

    /// Elements in braces, in one line or several, sometimes with a comma too many or a comment.
    pub(super) fn braces(&mut self, elements: &[String]) -> String {
        let trailing = if self.random.chance(12) { "," } else { "" };
        match self.random.below(12) {
            0 => format!("{{\n  {}{trailing} # the end\n  }}", elements.join(",\n  ")),
            1 => format!("{{{}{trailing}}}", elements.join(",")),
            2 => format!("{{ {}{trailing}\n}}", elements.join(",\n # another\n ")),
            _ => format!("{{ {}{trailing} }}", elements.join(", ")),
        }
    }
}

/// The addresses of a prefix.
pub(super) fn prefix(family: Family, address: u128, length: u32) -> Range {
    let host = family.bits() - length;
    let size = 1u128.checked_shl(host).map_or(u128::MAX, |size| size - 1);
    (address & !size, address | size)
}
