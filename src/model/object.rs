use crate::net::{Family, Set, format_addresses};
use crate::text::Span;

/// Something a configuration declares besides the rules of its filters: a chain, a set, a translation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// What it is: `chain`, `set`, `translation` … the word that `deletion-limit` counts by.
    pub kind: &'static str,
    /// Its name within the configuration, the same on both sides: `filter/LOG_DROP`.
    pub address: Address,
    /// Everything it says beside the numbers among its members, normalised.
    pub content: String,
    /// How many elements it holds, for objects that are collections.
    pub elements: Option<usize>,
    /// Which those are, where it is known one by one.
    pub members: Option<Members>,
    /// Whose it is, where it says so: a tag `owner`.
    pub owner: Option<String>,
    /// Where it stands.
    pub origin: Span,
    /// Set when a change of the object has an effect that is not computed: what to say then
    /// ("translated packets meet later filters with other addresses").
    pub uncomputed: Option<&'static str>,
    /// Set when it stays in force though it is declared no more: what to say then.
    pub stays: Option<&'static str>,
    /// Set when another content has an effect that is not computed, and that it comes or goes has none: what to say then.
    pub rewritten: Option<&'static str>,
}

impl Object {
    /// One that holds nothing else and is nobody's.
    #[must_use]
    pub const fn new(kind: &'static str, address: Address, content: String, origin: Span) -> Self {
        Self {
            kind,
            address,
            content,
            elements: None,
            members: None,
            owner: None,
            origin,
            uncomputed: None,
            stays: None,
            rewritten: None,
        }
    }

    /// Whether another says the same.
    #[must_use]
    pub fn says_the_same(&self, other: &Self) -> bool {
        self.content == other.content && self.numbers() == other.numbers()
    }

    fn numbers(&self) -> Option<(&Set, &Set)> {
        self.members.as_ref().map(|members| (&members.certain, &members.passing))
    }

    /// What of a change of it is not computed; whether it is there before and after.
    #[must_use]
    pub fn untold(&self, before: bool, after: bool) -> Option<&'static str> {
        let own = match (before, after) {
            (true, false) => self.stays,
            (true, true) => self.rewritten,
            (false, _) => None,
        };
        own.or(self.uncomputed)
    }
}

/// The address of an object, unique in its configuration and kind.
pub type Address = String;

/// The elements of a set or map.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Members {
    /// The family of the addresses below; `None`: they are numbers.
    pub family: Option<Family>,
    /// Whether each value is an element of its own; otherwise each interval is one.
    pub single: bool,
    /// Addresses or numbers that are in it.
    pub certain: Set,
    /// Those that are in it for a time.
    pub passing: Set,
    /// Everything else, as it reads; sorted.
    pub others: Vec<String>,
}

impl Members {
    /// The elements that `other` does not have: how the first `most` read, and how many they are.
    #[must_use]
    pub fn beyond(&self, other: &Self, most: usize) -> (Vec<String>, usize) {
        let Self { family, single, certain, passing, others } = self;
        let mut first: Vec<String> = Vec::new();
        let mut count = 0_usize;
        for (mine, its, note) in [(certain, &other.certain, ""), (passing, &other.passing, " (for a time)")] {
            let more = mine.difference(its);
            for (from, to) in more.ranges() {
                let values = if *single { (to - from).saturating_add(1) } else { 1 };
                for n in 0..values.min((most - first.len().min(most)) as u128) {
                    let (from, to) = if *single { (from + n, from + n) } else { (from, to) };
                    first.push(format!("{}{note}", show(*family, from, to)));
                }
                count = count.saturating_add(usize::try_from(values).unwrap_or(usize::MAX));
            }
        }
        let mut its = other.others.iter().peekable();
        for mine in others {
            while its.next_if(|other| *other < mine).is_some() {}
            if its.next_if(|other| *other == mine).is_none() {
                count += 1;
                if first.len() < most {
                    first.push(mine.clone());
                }
            }
        }
        (first, count)
    }
}

fn show(family: Option<Family>, first: u128, last: u128) -> String {
    match family {
        Some(family) => format_addresses(family, first, last),
        None if first == last => first.to_string(),
        None => format!("{first}-{last}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_that_only_one_has_are_named_and_counted() {
        let numbers = |single, ranges: &[(u128, u128)], others: &[&str]| Members {
            single,
            certain: Set::from_ranges(ranges.iter().copied()),
            others: others.iter().map(|&text| text.to_owned()).collect(),
            ..Members::default()
        };
        let (old, new) = (numbers(true, &[(1, 3)], &["a", "c"]), numbers(true, &[(2, 2), (9, 9)], &["b", "c"]));
        assert_eq!(old.beyond(&new, 5), (vec!["1".to_owned(), "3".to_owned(), "a".to_owned()], 3));
        assert_eq!(new.beyond(&old, 1), (vec!["9".to_owned()], 2));
        let (old, new) = (numbers(false, &[(0, 99)], &[]), numbers(false, &[(0, 49), (60, 99)], &[]));
        assert_eq!(old.beyond(&new, 5), (vec!["50-59".to_owned()], 1));
    }
}
