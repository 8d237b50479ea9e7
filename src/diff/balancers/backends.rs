use crate::model::{Backend, Configuration, Server};
use std::collections::{BTreeMap, BTreeSet};

/// A backend that both sides have and that differs, or that one side has.
#[derive(Debug, Clone)]
pub struct BackendChange {
    /// Its name.
    pub name: String,
    /// On base.
    pub base: Option<Backend>,
    /// On head.
    pub head: Option<Backend>,
    /// Servers that only base has.
    pub removed: Vec<Server>,
    /// Servers that only head has.
    pub added: Vec<Server>,
    /// Servers that both have and that differ in more than their names.
    pub changed: Vec<(Server, Server)>,
}

/// How many servers answer in ordinary times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capacity {
    /// Those that surely do.
    pub certain: usize,
    /// Those that may.
    pub possible: usize,
}

/// How many servers of a backend answer in ordinary times.
#[must_use]
pub fn capacity(backend: &Backend) -> Capacity {
    let count = |wanted: &[Option<bool>]| backend.servers.iter().filter(|s| wanted.contains(&s.serves())).count();
    Capacity { certain: count(&[Some(true)]), possible: count(&[Some(true), None]) }
}

/// The share of the capacity of `base` that `head` does not have, from 0 to 1. A server that both have counts by its
/// share of the weights of base; one that only head has by its weight beside theirs.
///
/// `None`: base has no capacity, so there is none to lose.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "weights are small numbers")]
pub fn lost_share(base: &Backend, head: Option<&Backend>) -> Option<f64> {
    let weight = |server: &Server| match server.serves() {
        Some(true) => u64::from(server.weight.unwrap_or(1)),
        Some(false) => 0,
        // In doubt it is there on base and not on head.
        None => 1,
    };
    let surely = |server: &Server| if server.serves() == Some(true) { weight(server) } else { 0 };
    let total: u64 = base.servers.iter().map(weight).sum();
    if total == 0 {
        return None;
    }
    let Some(head) = head else { return Some(1.0) };
    let (mut kept, mut its, mut fresh) = (0_u64, 0_u64, 0_u64);
    let pairs = pairs(&base.servers, &head.servers);
    for (old, new) in &pairs {
        match (old, new) {
            (Some(old), Some(new)) if surely(new) > 0 && weight(old) > 0 => {
                kept += weight(old);
                its += surely(new);
            }
            (Some(_), Some(new)) | (None, Some(new)) => fresh += surely(new),
            (Some(_) | None, None) => {}
        }
    }
    let scale = if its > 0 { kept as f64 / its as f64 } else { 1.0 };
    // One that still answers counts in full, whatever its weight has become: the others take what it does not.
    let left = fresh as f64 * scale + kept as f64;
    Some((1.0 - left / total as f64).max(0.0))
}

/// The backends that differ.
pub(super) fn compare(base: Option<&Configuration>, head: Option<&Configuration>) -> Vec<BackendChange> {
    let mut by_name: BTreeMap<&str, (Option<&Backend>, Option<&Backend>)> = BTreeMap::new();
    for backend in base.iter().flat_map(|c| &c.backends) {
        by_name.entry(&backend.name).or_default().0 = Some(backend);
    }
    for backend in head.iter().flat_map(|c| &c.backends) {
        by_name.entry(&backend.name).or_default().1 = Some(backend);
    }
    // Those that only head has, by their first server: only among alike ones one is searched for that is the same.
    let mut new: BTreeMap<String, Vec<&Backend>> = BTreeMap::new();
    for backend in by_name.values().filter(|pair| pair.0.is_none()).filter_map(|pair| pair.1) {
        new.entry(likeness(backend)).or_default().push(backend);
    }
    let mut out = Vec::new();
    let mut renamed: BTreeSet<&str> = BTreeSet::new();
    for (old, now) in by_name.values() {
        if let (Some(old), None) = (old, now)
            && let Some(alike) = new.get_mut(&likeness(old))
            && let Some(at) = alike.iter().position(|new| unchanged(old, new))
        {
            renamed.extend([old.name.as_str(), alike.swap_remove(at).name.as_str()]);
        }
    }
    for (name, (old, new)) in by_name {
        if renamed.contains(name) || old.zip(new).is_some_and(|(old, new)| unchanged(old, new)) {
            continue;
        }
        let servers = |backend: Option<&Backend>| backend.map_or_else(Vec::new, |backend| backend.servers.clone());
        let (old_servers, new_servers) = (servers(old), servers(new));
        let (mut removed, mut added, mut changed) = (Vec::new(), Vec::new(), Vec::new());
        for pair in pairs(&old_servers, &new_servers) {
            match pair {
                (Some(old), Some(new)) if old.content() != new.content() => changed.push((old.clone(), new.clone())),
                (Some(_), Some(_)) | (None, None) => {}
                (Some(old), None) => removed.push(old.clone()),
                (None, Some(new)) => added.push(new.clone()),
            }
        }
        let (base, head) = (old.cloned(), new.cloned());
        out.push(BackendChange { name: name.to_owned(), base, head, removed, added, changed });
    }
    out
}

/// Whether nothing is to be told of a backend.
fn unchanged(old: &Backend, new: &Backend) -> bool {
    old.same(new) && old.owner == new.owner
}

/// What backends have in common that are the same.
fn likeness(backend: &Backend) -> String {
    let first = backend.servers.iter().map(Server::content).min();
    format!("{} {first:?} {:?} {}", backend.servers.len(), backend.health_check, backend.settings)
}

/// The servers of both sides with their counterparts: those that are alike, then those that are called alike at the same
/// place, then those at the same place.
fn pairs<'s>(base: &'s [Server], head: &'s [Server]) -> Vec<(Option<&'s Server>, Option<&'s Server>)> {
    let mut left: Vec<Option<&Server>> = head.iter().map(Some).collect();
    let mut out: Vec<(Option<&Server>, Option<&Server>)> = base.iter().map(|server| (Some(server), None)).collect();
    let alike: [fn(&Server, &Server) -> bool; 3] = [
        |a, b| a.name == b.name && a.content() == b.content(),
        |a, b| a.content() == b.content(),
        |a, b| (&a.address, a.port) == (&b.address, b.port),
    ];
    for alike in alike {
        for pair in out.iter_mut().filter(|pair| pair.1.is_none()) {
            let Some(old) = pair.0 else { continue };
            let found = left.iter_mut().find(|new| new.is_some_and(|new| alike(old, new)));
            pair.1 = found.and_then(Option::take);
        }
    }
    out.extend(left.into_iter().flatten().map(|server| (None, Some(server))));
    out
}
