//! Which rules and objects a change removes.

use super::{Context, rules};
use crate::diff::ConfigurationDifference;
use crate::diff::balancers::{BackendChange, ListenerChange};
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
    /// What each of those that go is, by meaning and not by where or how it is written.
    pub(super) gone: Vec<String>,
    pub(super) first: Option<Span>,
}

impl Count {
    pub(super) const fn removed(&self) -> usize {
        self.gone.len()
    }
}

/// Something that goes.
struct Gone {
    at: Option<Span>,
    what: String,
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
        let mut tally = |group: Group, kind: &'static str, all: usize, gone: Vec<Gone>| {
            let count = groups.entry((group, kind)).or_default();
            count.base += all;
            for Gone { at, what } in gone {
                count.first = count.first.or(at);
                count.gone.push(format!("{} {kind} {what}", escape(base.name.as_bytes())));
            }
        };
        let there = || head.into_iter().flat_map(rules::lines);
        let gone = rules::removed(|| rules::lines(base), there, &cx.change.store, cx.sources);
        let mut of_table: BTreeMap<&str, Vec<Gone>> = BTreeMap::new();
        let mut of_place: BTreeMap<Span, String> = BTreeMap::new();
        for line in &gone {
            let what = rules::described(line, &cx.change.store);
            of_table.entry(line.table).or_default().push(Gone { at: Some(line.origin), what: what.clone() });
            of_place.insert(line.origin, what);
        }
        for (origin, is_gone) in shared(base, &gone) {
            let holder = base.objects.iter().find(|object| object.owner.is_some() && encloses(object.origin, origin));
            let address = holder.map_or("", |object| object.address.as_str());
            let what = of_place.remove(&origin).filter(|_| is_gone);
            tally(group(address), "rule", 1, what.map(|what| Gone { at: Some(origin), what }).into_iter().collect());
        }
        for table in base.tables.iter().filter(|table| table.name != LISTENERS && !table.shared) {
            let all = table.chains.iter().map(|chain| rules::lines_of(table, chain).count()).sum();
            tally(
                group(&table.name),
                "rule",
                all,
                of_table.remove(table.name.as_str()).into_iter().flatten().collect(),
            );
        }
        let there: BTreeMap<(&str, &str), Option<&str>> = head
            .iter()
            .flat_map(|head| &head.objects)
            .map(|o| ((o.kind, o.address.as_str()), o.owner.as_deref()))
            .collect();
        for object in &base.objects {
            let now = there.get(&(object.kind, object.address.as_str()));
            let gone = now.is_none_or(|owner| per == Grouping::Owner && *owner != object.owner.as_deref());
            let gone = gone.then(|| Gone { at: Some(object.origin), what: escape(object.address.as_bytes()) });
            tally(group(&object.address), object.kind, 1, gone.into_iter().collect());
        }
        for Part { kind, name, owner, gone, given_away, origin } in parts(base, cx) {
            // What is another's is lost to its owner.
            let gone = gone || (given_away && per == Grouping::Owner);
            let gone = gone.then_some(Gone { at: Some(origin), what: name });
            tally(group_of(owner), kind, 1, gone.into_iter().collect());
        }
        let gone = head.is_none().then(|| Gone { at: None, what: String::new() });
        tally(group(""), "configuration", 1, gone.into_iter().collect());
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
    name: String,
    owner: Option<&'c str>,
    gone: bool,
    given_away: bool,
    origin: Span,
}

/// The parts of the balancers of base. What is only called otherwise is not gone.
fn parts<'c>(base: &'c Configuration, cx: &Context<'c>) -> Vec<Part<'c>> {
    let mine = |difference: &&'c ConfigurationDifference| difference.name == base.name;
    let difference = cx.difference.configurations.iter().find(mine).map(|difference| &difference.balancers);
    let listeners = difference.map_or(&[][..], |difference| &difference.listeners);
    let backends = difference.map_or(&[][..], |difference| &difference.backends);
    let backends: BTreeMap<&str, &BackendChange> =
        backends.iter().map(|change| (change.name.as_str(), change)).collect();
    let mut changes_of: BTreeMap<&str, Vec<&ListenerChange>> = BTreeMap::new();
    for change in listeners {
        changes_of.entry(change.base.as_ref().map_or("", |(name, _)| name)).or_default().push(change);
    }
    let mut out = Vec::new();
    for listener in &base.listeners {
        // It is gone when all its endpoints are.
        let changes = changes_of.get(listener.name.as_str()).map_or(&[][..], Vec::as_slice);
        let lost: usize = changes.iter().filter(|change| change.head.is_none()).map(|c| c.endpoints.len()).sum();
        let gone = lost > 0 && changes.iter().all(|change| change.head.is_none()) && lost >= listener.endpoints.len();
        let owner = listener.owner.as_deref();
        let name = escape(listener.name.as_bytes());
        let given_away = changes.iter().any(|change| change.owner_changed);
        out.push(Part { kind: "listener", name, owner, gone, given_away, origin: listener.origin });
    }
    for backend in &base.backends {
        let change = backends.get(backend.name.as_str()).copied();
        let owner = backend.owner.as_deref();
        let gone = change.is_some_and(|change| change.head.is_none());
        let name = escape(backend.name.as_bytes());
        let head = change.and_then(|change| change.head.as_ref());
        let given_away = head.is_some_and(|head| head.owner != backend.owner);
        out.push(Part { kind: "backend", name: name.clone(), owner, gone, given_away, origin: backend.origin });
        for server in &backend.servers {
            let gone = change.is_some_and(|change| change.removed.contains(server));
            let name = format!("{name}/{} {:?} {:?}", escape(server.name.as_bytes()), server.address, server.port);
            out.push(Part { kind: "server", name, owner, gone, given_away, origin: server.origin });
        }
    }
    out
}
