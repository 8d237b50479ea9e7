use super::shadow::{Worth, worth};
use super::slice::Place;
use super::windows::{Window, windows};
use crate::model::{Action, Chain, ChainId, Configuration, Filter, Snapshot, Store, TableId};
use foldhash::quality::RandomState;
use std::cmp::Ordering;
use std::collections::HashMap;
use std::sync::OnceLock;

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
    /// There is no base: head is looked at for itself.
    alone: bool,
    aligned: OnceLock<HashMap<String, Vec<ChainPair>, RandomState>>,
    /// For each side, by the name of the configuration.
    worths: [OnceLock<HashMap<String, OnceLock<Worth>, RandomState>>; 2],
}

/// A chain of either side with its counterpart, by the names of table and chain, and where their rules differ.
#[derive(Debug)]
pub(super) struct ChainPair {
    pub(super) base: Option<Place>,
    pub(super) head: Option<Place>,
    pub(super) windows: Vec<Window>,
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
    /// The region without what is true of every packet that comes to the filter: the interfaces of its hook.
    #[must_use]
    pub fn plainly(&self, region: &crate::net::Region) -> crate::net::Region {
        let domain = |sided: &Sided<'_>| {
            let mut mine = sided.filter.domain.iter().filter(|known| known.family() == region.family());
            mine.next().filter(|_| mine.next().is_none()).cloned()
        };
        match (self.base.as_ref().map(domain), self.head.as_ref().map(domain)) {
            (Some(Some(base)), Some(Some(head))) if base == head => region.beside(&base),
            (Some(Some(one)), None) | (None, Some(Some(one))) => region.beside(&one),
            (Some(_) | None, Some(_) | None) => region.clone(),
        }
    }

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
        Self { base, head, store, alone: false, aligned: OnceLock::new(), worths: Default::default() }
    }

    /// One side that is looked at for itself, as head; base is empty.
    #[must_use]
    pub fn alone(head: Snapshot, store: Store) -> Self {
        Self { alone: true, ..Self::new(Snapshot::default(), head, store) }
    }

    /// Whether there is no base, because only one side was asked about.
    #[must_use]
    pub const fn is_alone(&self) -> bool {
        self.alone
    }

    /// What the lines of a configuration are worth on one side; `None`: the side has no such configuration. Computed
    /// once.
    #[must_use]
    pub fn worth(&self, side: Side, configuration: &str) -> Option<&Worth> {
        let (snapshot, known) = match side {
            Side::Base => (&self.base, &self.worths[0]),
            Side::Head => (&self.head, &self.worths[1]),
        };
        let all = snapshot.configurations();
        let known = known.get_or_init(|| all.iter().map(|c| (c.name.clone(), OnceLock::new())).collect());
        let configuration = all.iter().find(|other| other.name == configuration)?;
        Some(known.get(&configuration.name)?.get_or_init(|| worth(&self.store, configuration)))
    }

    /// Whether the rules of a configuration, or what its base chains do otherwise, are the same on both sides, line by
    /// line.
    #[must_use]
    pub fn same_rules(&self, configuration: &str) -> bool {
        let find = |snapshot: &'_ Snapshot| snapshot.configurations().iter().position(|c| c.name == configuration);
        let (Some(base), Some(head)) = (find(&self.base), find(&self.head)) else { return false };
        let (base, head) = (&self.base.configurations()[base], &self.head.configurations()[head]);
        let ends = |configuration: &Configuration| -> Vec<Ends> {
            let stage = |stage: &crate::model::Stage| {
                let table = configuration.table(stage.table);
                let chain = self.store.name(table.get(stage.chain).name).to_vec();
                (table.name.clone(), chain, stage.otherwise == Action::Deny)
            };
            configuration.filters.iter().map(|f| (f.id.clone(), f.stages.iter().map(stage).collect())).collect()
        };
        ends(base) == ends(head) && self.chain_pairs(configuration).iter().all(|pair| pair.windows.is_empty())
    }

    /// Every configuration of either side with its counterpart, sorted by name. One that only one side has is
    /// paired with `None`: nobody zips the two sides himself, which would lose it.
    #[must_use]
    pub fn pairs(&self) -> Vec<(Option<&Configuration>, Option<&Configuration>)> {
        fn named(snapshot: &Snapshot) -> Vec<(&str, &Configuration)> {
            snapshot.configurations().iter().map(|c| (c.name.as_str(), &**c)).collect()
        }
        paired(named(&self.base), named(&self.head)).map(|(_, both)| both).collect()
    }

    /// Every filter of either side with its counterpart, sorted by configuration and id.
    #[must_use]
    pub fn filters(&self) -> Vec<FilterPair<'_>> {
        fn named(snapshot: &Snapshot) -> Vec<((&str, &str), Sided<'_>)> {
            let all = snapshot.configurations().iter().flat_map(|configuration| {
                let name = configuration.name.as_str();
                configuration
                    .filters
                    .iter()
                    .map(move |filter| ((name, filter.id.as_str()), Sided { configuration, filter }))
            });
            all.collect()
        }
        let pairs = paired(named(&self.base), named(&self.head));
        pairs.map(|((configuration, id), (base, head))| FilterPair { configuration, id, base, head }).collect()
    }

    /// The chains of a configuration that both sides have, or one. Computed once.
    pub(super) fn chain_pairs(&self, configuration: &str) -> &[ChainPair] {
        let aligned = self.aligned.get_or_init(|| {
            let pairs = self.pairs().into_iter();
            let aligned = pairs
                .filter_map(|(base, head)| Some((base.or(head)?.name.clone(), chain_pairs(&self.store, base, head))));
            aligned.collect()
        });
        aligned.get(configuration).map_or(&[], Vec::as_slice)
    }

    /// The chains of one table that packets at a filter can run through: its base chain `own` (on base, on head) and
    /// those that are nobody's base chain.
    pub(super) fn chains(
        &self,
        base: Sided<'_>,
        head: Sided<'_>,
        tables: (TableId, TableId),
        own: [Place; 2],
    ) -> Vec<&ChainPair> {
        // Only those of the same table: there may be thousands of filters, each with a table of its own.
        let bases = |sided: Sided<'_>, table: TableId| -> Vec<Place> {
            let stages = sided.configuration.filters.iter().flat_map(|f| &f.stages).filter(|s| s.table == table);
            stages.map(|stage| (stage.table, stage.chain)).collect()
        };
        let (of_base, of_head) = (bases(base, tables.0), bases(head, tables.1));
        let pairs = self.chain_pairs(&base.configuration.name).iter();
        let wanted = pairs.filter(|pair| {
            let in_base = pair.base.is_none_or(|p| p.0 == tables.0 && (p == own[0] || !of_base.contains(&p)));
            let in_head = pair.head.is_none_or(|p| p.0 == tables.1 && (p == own[1] || !of_head.contains(&p)));
            in_base && in_head
        });
        wanted.collect()
    }

    /// Whether the rule at a position of a chain of base stands on head too.
    pub(super) fn is_common(&self, base: Sided<'_>, place: Place, position: u32) -> bool {
        let mut pairs = self.chain_pairs(&base.configuration.name).iter();
        pairs.find(|pair| pair.base == Some(place)).is_some_and(|pair| {
            let next = pair.windows.partition_point(|window| window.base.1 <= position);
            pair.windows.get(next).is_none_or(|window| position < window.base.0)
        })
    }

    /// For a chain of head: its counterpart on base and where they differ.
    pub(super) fn common(&self, head: Sided<'_>, place: Place) -> Option<(Place, &[Window])> {
        let pairs = self.chain_pairs(&head.configuration.name);
        let pair = pairs.iter().find(|pair| pair.head == Some(place))?;
        Some((pair.base?, &pair.windows))
    }
}

/// A filter and its base chains: table, chain and whether what no rule decides is denied.
type Ends = (String, Vec<(String, Vec<u8>, bool)>);

/// On base and on head.
pub(super) type Both<T> = (Option<T>, Option<T>);

/// What the sides hold under names, with its counterpart, sorted by name. What is there alone is paired with `None`.
pub(super) fn paired<K: Ord, T>(base: Vec<(K, T)>, head: Vec<(K, T)>) -> impl Iterator<Item = (K, Both<T>)> {
    let sorted = |mut side: Vec<(K, T)>| {
        // Mostly it is sorted already.
        side.sort_by(|a, b| a.0.cmp(&b.0));
        side.into_iter().peekable()
    };
    let (mut base, mut head) = (sorted(base), sorted(head));
    std::iter::from_fn(move || {
        let order = match (base.peek(), head.peek()) {
            (Some(old), Some(new)) => old.0.cmp(&new.0),
            (Some(_), None) => Ordering::Less,
            (None, _) => Ordering::Greater,
        };
        let old = if order == Ordering::Greater { None } else { base.next() };
        let new = if order == Ordering::Less { None } else { head.next() };
        Some(match (old, new) {
            (Some((name, old)), new) => (name, (Some(old), new.map(|(_, new)| new))),
            (None, new) => new.map(|(name, new)| (name, (None, Some(new))))?,
        })
    })
}

/// Whether both sides have the very same configuration: one that was read once, since its texts are the same.
pub(super) fn is_one(base: Option<&Configuration>, head: Option<&Configuration>) -> bool {
    base.zip(head).is_some_and(|(base, head)| std::ptr::eq(base, head))
}

fn chain_pairs(store: &Store, base: Option<&Configuration>, head: Option<&Configuration>) -> Vec<ChainPair> {
    let same = is_one(base, head);
    // By the names themselves: numbers of names depend on what else was read.
    let out = paired(chains_by_name(store, base), chains_by_name(store, head)).map(|(_, (b, h))| {
        let windows = match (chain_at(base, b), chain_at(head, h)) {
            (Some(_), Some(_)) if same => Vec::new(),
            (Some(old), Some(new)) => windows(store, &old.rules, &new.rules),
            (Some(old), None) if !old.rules.is_empty() => vec![Window { base: (0, length(old)), head: (0, 0) }],
            (None, Some(new)) if !new.rules.is_empty() => vec![Window { base: (0, 0), head: (0, length(new)) }],
            (Some(_) | None, None) | (None, Some(_)) => Vec::new(),
        };
        ChainPair { base: b, head: h, windows }
    });
    out.collect()
}

fn chains_by_name<'c>(store: &'c Store, configuration: Option<&'c Configuration>) -> Vec<((&'c str, &'c [u8]), Place)> {
    let mut all = Vec::new();
    for (table, n) in configuration.iter().flat_map(|c| &c.tables).zip(0..) {
        let chains = table.chains.iter().zip(0..);
        all.extend(chains.map(|(chain, m)| ((&*table.name, store.name(chain.name)), (TableId(n), ChainId(m)))));
    }
    all
}

fn chain_at(configuration: Option<&Configuration>, place: Option<Place>) -> Option<&Chain> {
    let (table, chain) = place?;
    configuration?.tables.get(table.0 as usize)?.chains.get(chain.0 as usize)
}

fn length(chain: &Chain) -> u32 {
    super::ranks::narrow(chain.rules.len())
}

#[cfg(test)]
mod tests {
    use super::paired;

    #[test]
    fn what_one_side_holds_alone_is_paired_with_nothing() {
        let (base, head) = (vec![("b", 1), ("a", 2), ("d", 3)], vec![("c", 4), ("b", 5), ("b", 6)]);
        let pairs: Vec<_> = paired(base, head).collect();
        let expected = [
            ("a", (Some(2), None)),
            ("b", (Some(1), Some(5))),
            ("b", (None, Some(6))),
            ("c", (None, Some(4))),
            ("d", (Some(3), None)),
        ];
        assert_eq!(pairs, expected);
        assert_eq!(paired::<u8, u8>(Vec::new(), Vec::new()).count(), 0);
    }
}
