use crate::model::{Configuration, Filter, Snapshot, Store};
use std::collections::BTreeMap;

/// A side of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Side {
    /// What is in force.
    Base,
    /// What is proposed.
    Head,
}

/// Both sides of a change.
#[derive(Debug, Default)]
pub struct Change {
    /// What is in force.
    pub base: Snapshot,
    /// What is proposed.
    pub head: Snapshot,
    /// The rules, sets and names of both.
    pub store: Store,
}

/// A filter and the configuration it is in.
#[derive(Debug, Clone, Copy)]
pub struct Sided<'c> {
    /// Where its chains are.
    pub configuration: &'c Configuration,
    /// The filter.
    pub filter: &'c Filter,
}

/// A filter of either side with its counterpart. One that only one side has is compared with what its absence
/// means there.
#[derive(Debug, Clone, Copy)]
pub struct FilterPair<'c> {
    /// The configuration's name.
    pub configuration: &'c str,
    /// The filter's id.
    pub id: &'c str,
    /// On base.
    pub base: Option<Sided<'c>>,
    /// On head.
    pub head: Option<Sided<'c>>,
}

impl FilterPair<'_> {
    /// Whether packets pass where the filter does not exist.
    #[must_use]
    pub fn absent(&self) -> bool {
        self.head.or(self.base).is_some_and(|sided| sided.filter.absent)
    }
}

impl Change {
    /// Both sides, read with the same store.
    #[must_use]
    pub fn new(base: Snapshot, head: Snapshot, store: Store) -> Self {
        Self { base, head, store }
    }

    /// Every configuration of either side with its counterpart, sorted by name. One that only one side has is
    /// paired with `None`: nobody zips the two sides himself, which would lose it.
    #[must_use]
    pub fn pairs(&self) -> Vec<(Option<&Configuration>, Option<&Configuration>)> {
        let mut pairs: BTreeMap<&str, (Option<&Configuration>, Option<&Configuration>)> = BTreeMap::new();
        for configuration in self.base.configurations() {
            pairs.entry(&configuration.name).or_default().0 = Some(configuration);
        }
        for configuration in self.head.configurations() {
            pairs.entry(&configuration.name).or_default().1 = Some(configuration);
        }
        pairs.into_values().collect()
    }

    /// Every filter of either side with its counterpart, sorted by configuration and id.
    #[must_use]
    pub fn filters(&self) -> Vec<FilterPair<'_>> {
        let mut pairs: BTreeMap<(&str, &str), FilterPair<'_>> = BTreeMap::new();
        for (side, snapshot) in [(Side::Base, &self.base), (Side::Head, &self.head)] {
            for configuration in snapshot.configurations() {
                for filter in &configuration.filters {
                    let (name, id) = (configuration.name.as_str(), filter.id.as_str());
                    let empty = FilterPair { configuration: name, id, base: None, head: None };
                    let pair = pairs.entry((name, id)).or_insert(empty);
                    let sided = Some(Sided { configuration, filter });
                    match side {
                        Side::Base => pair.base = sided,
                        Side::Head => pair.head = sided,
                    }
                }
            }
        }
        pairs.into_values().collect()
    }
}
