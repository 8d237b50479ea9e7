//! What is emptied, and where it is filled again.

use super::super::syntax::{Family, Path};
use crate::model::{Flush, Refill};
use crate::text::{Span, escape};
use std::collections::HashMap;

/// What a `flush` empties.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Emptied {
    Ruleset(Option<Family>),
    Table(Family, Vec<u8>),
    Chain(Family, Vec<u8>, Vec<u8>),
    /// The last says whether it is a map.
    Set(Family, Vec<u8>, Vec<u8>, bool),
}

/// All flushes, and which of them are not refilled yet.
#[derive(Debug, Default)]
pub(super) struct Flushes {
    list: Vec<(Flush, usize)>,
    open: HashMap<Emptied, Vec<usize>>,
    transaction: usize,
}

impl Flushes {
    pub(super) fn emptied(&mut self, what: Emptied, origin: Span) {
        let within = |family: &Family, table: &[u8]| format!("{} {}", family.keyword(), escape(table));
        let (kind, address) = match &what {
            Emptied::Ruleset(family) => {
                ("ruleset", family.map_or_else(String::new, |family| family.keyword().to_owned()))
            }
            Emptied::Table(family, table) => ("table", within(family, table)),
            Emptied::Chain(family, table, name) => ("chain", format!("{}/{}", within(family, table), escape(name))),
            Emptied::Set(family, table, name, map) => {
                (if *map { "map" } else { "set" }, format!("{}/{}", within(family, table), escape(name)))
            }
        };
        self.open.entry(what).or_default().push(self.list.len());
        self.list.push((Flush { kind, address, origin, refill: Refill::Nowhere }, self.transaction));
    }

    /// A rule is added to a chain, or elements to a set.
    pub(super) fn filled(&mut self, path: &Path<'_>, elements: bool, at: Span) {
        if self.open.is_empty() {
            return;
        }
        let (family, table, name) = (path.family, path.table.text.to_vec(), path.name.text.to_vec());
        let mut keys = vec![Emptied::Ruleset(None), Emptied::Ruleset(Some(family))];
        if elements {
            keys.push(Emptied::Set(family, table.clone(), name.clone(), false));
            keys.push(Emptied::Set(family, table, name, true));
        } else {
            keys.push(Emptied::Table(family, table.clone()));
            keys.push(Emptied::Chain(family, table, name));
        }
        for index in keys.iter().filter_map(|key| self.open.remove(key)).flatten() {
            if let Some((flush, transaction)) = self.list.get_mut(index) {
                flush.refill = if *transaction == self.transaction { Refill::Here } else { Refill::Elsewhere(at) };
            }
        }
    }

    pub(super) const fn end_transaction(&mut self) {
        self.transaction += 1;
    }

    pub(super) fn into_list(self) -> impl Iterator<Item = Flush> {
        self.list.into_iter().map(|(flush, _)| flush)
    }
}
