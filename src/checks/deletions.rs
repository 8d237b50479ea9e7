//! How many rules and objects a change removes.

use super::{Context, rules};
use crate::diff::ConfigurationDifference;
use crate::diff::balancers::ListenerChange;
use crate::model::{Configuration, LISTENERS};
use crate::policy::words;
use crate::text::{Span, escape};
use std::collections::{BTreeMap, BTreeSet};

words! {
    /// What is counted together.
    pub(super) enum Grouping as "grouping" {
        /// The objects of a kind in one configuration.
        Configuration = "configuration",
        /// The objects of a kind in all configurations.
        Kind = "kind",
        /// The objects of a kind that one owner has in all configurations.
        Owner = "owner",
    }
}

/// The objects of one kind.
#[derive(Default)]
pub(super) struct Count {
    pub(super) base: usize,
    pub(super) removed: usize,
    pub(super) first: Option<Span>,
}

impl Count {
    fn remove(&mut self, at: Span) {
        self.removed += 1;
        self.first.get_or_insert(at);
    }
}

/// What each group has on base and loses, in those configurations that are asked about.
pub(super) fn count(
    cx: &Context<'_>,
    here: impl Fn(&str) -> bool,
    per: Grouping,
) -> BTreeMap<(Group, &'static str), Count> {
    let mut groups: BTreeMap<(Group, &'static str), Count> = BTreeMap::new();
    for (base, head) in cx.change.pairs() {
        let Some(base) = base.filter(|base| here(&base.name)) else { continue };
        let owners: BTreeMap<&str, &str> =
            base.objects.iter().filter_map(|o| Some((o.address.as_str(), o.owner.as_deref()?))).collect();
        let group_of = |owner: Option<&str>| match per {
            Grouping::Configuration => Group::Configuration(base.name.clone()),
            Grouping::Kind => Group::All,
            Grouping::Owner => owner.map_or(Group::Nobody, |owner| Group::Owner(owner.to_owned())),
        };
        let group = |address: &str| group_of(owners.get(address).copied());
        let mut tally = |address: &str, kind: &'static str, all: usize, removed: &[Span]| {
            let count = groups.entry((group(address), kind)).or_default();
            count.base += all;
            removed.iter().for_each(|at| count.remove(*at));
        };
        let there = || head.into_iter().flat_map(rules::lines);
        let gone = rules::removed(|| rules::lines(base), there, &cx.change.store, cx.sources);
        let mut of_table: BTreeMap<&str, Vec<Span>> = BTreeMap::new();
        for line in &gone {
            of_table.entry(line.table).or_default().push(line.origin);
        }
        for (origin, is_gone) in shared(base, &gone) {
            let holder = base.objects.iter().find(|object| object.owner.is_some() && encloses(object.origin, origin));
            let address = holder.map_or("", |object| object.address.as_str());
            tally(address, "rule", 1, if is_gone { std::slice::from_ref(&origin) } else { &[] });
        }
        for table in base.tables.iter().filter(|table| table.name != LISTENERS && !table.shared) {
            let all = table.chains.iter().map(|chain| rules::lines_of(table, chain).count()).sum();
            tally(&table.name, "rule", all, &of_table.remove(table.name.as_str()).unwrap_or_default());
        }
        let there: BTreeSet<(&str, &str)> =
            head.iter().flat_map(|head| &head.objects).map(|o| (o.kind, o.address.as_str())).collect();
        for object in &base.objects {
            let gone = !there.contains(&(object.kind, object.address.as_str()));
            tally(&object.address, object.kind, 1, if gone { std::slice::from_ref(&object.origin) } else { &[] });
        }
        for part in parts(base, cx) {
            let count = groups.entry((group_of(part.owner), part.kind)).or_default();
            count.base += 1;
            if part.gone {
                count.remove(part.origin);
            }
        }
        let count = groups.entry((group(""), "configuration")).or_default();
        count.base += 1;
        count.removed += usize::from(head.is_none());
    }
    groups
}

/// The rules that stand in several tables, each once, and whether it is gone from all of them.
fn shared(base: &Configuration, gone: &[rules::Line<'_>]) -> BTreeMap<Span, bool> {
    let mut left: BTreeMap<Span, usize> = BTreeMap::new();
    let tables = base.tables.iter().filter(|table| table.shared);
    for line in tables.clone().flat_map(|table| table.chains.iter().flat_map(|chain| rules::lines_of(table, chain))) {
        *left.entry(line.origin).or_default() += 1;
    }
    let names: BTreeSet<&str> = tables.map(|table| table.name.as_str()).collect();
    for line in gone.iter().filter(|line| names.contains(line.table)) {
        left.entry(line.origin).and_modify(|count| *count = count.saturating_sub(1));
    }
    left.into_iter().map(|(origin, count)| (origin, count == 0)).collect()
}

fn encloses(outer: Span, inner: Span) -> bool {
    outer.source == inner.source && outer.start <= inner.start && inner.end <= outer.end
}

/// What is counted together.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Group {
    All,
    Configuration(String),
    Owner(String),
    Nobody,
}

impl std::fmt::Display for Group {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::All => f.write_str("all configurations"),
            Self::Configuration(name) => write!(f, "`{name}`"),
            Self::Owner(owner) => write!(f, "what `{}` owns", escape(owner.as_bytes())),
            Self::Nobody => f.write_str("what nobody owns"),
        }
    }
}

/// A listener, backend or server of base.
struct Part<'c> {
    kind: &'static str,
    owner: Option<&'c str>,
    gone: bool,
    origin: Span,
}

/// The parts of the balancers of base. What is only called otherwise is not gone.
fn parts<'c>(base: &'c Configuration, cx: &Context<'c>) -> Vec<Part<'c>> {
    let mine = |difference: &&'c ConfigurationDifference| difference.name == base.name;
    let difference = cx.difference.configurations.iter().find(mine).map(|difference| &difference.balancers);
    let listeners = difference.map_or(&[][..], |difference| &difference.listeners);
    let backends = difference.map_or(&[][..], |difference| &difference.backends);
    let mut out = Vec::new();
    for listener in &base.listeners {
        let at = |change: &&ListenerChange| change.base.as_ref().is_some_and(|(name, _)| *name == listener.name);
        // It is gone when all its endpoints are.
        let mut changes = listeners.iter().filter(at);
        let lost: usize = changes.clone().filter(|change| change.head.is_none()).map(|c| c.endpoints.len()).sum();
        let gone = lost > 0 && changes.all(|change| change.head.is_none()) && lost >= listener.endpoints.len();
        let owner = listener.owner.as_deref();
        out.push(Part { kind: "listener", owner, gone, origin: listener.origin });
    }
    for backend in &base.backends {
        let change = backends.iter().find(|change| change.name == backend.name);
        let owner = backend.owner.as_deref();
        let gone = change.is_some_and(|change| change.head.is_none());
        out.push(Part { kind: "backend", owner, gone, origin: backend.origin });
        for server in &backend.servers {
            let gone = change.is_some_and(|change| change.removed.contains(server));
            out.push(Part { kind: "server", owner, gone, origin: server.origin });
        }
    }
    out
}
