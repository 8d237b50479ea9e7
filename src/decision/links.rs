//! What leads to what in a load balancer, on both sides: listeners to backends, backends to servers.

use super::report::{LinkChange, LinkReport};
use crate::diff::balancers::BackendChange;
use crate::model::{Configuration, Listener, Outcome, Server};
use crate::text::escape;
use std::collections::BTreeSet;

/// How many links of one part are listed.
const MOST: usize = 200;

/// The backends that a listener leads to.
pub(super) fn of_listener(base: Option<&Listener>, head: Option<&Listener>) -> Vec<LinkReport> {
    let of = |listener: Option<&Listener>| listener.map(backends).unwrap_or_default();
    links(&of(base), &of(head))
}

/// The listeners that lead to a backend.
pub(super) fn to_backend(name: &str, base: Option<&Configuration>, head: Option<&Configuration>) -> Vec<LinkReport> {
    let of = |configuration: Option<&Configuration>| -> BTreeSet<String> {
        let listeners = configuration.iter().flat_map(|c| &c.listeners);
        listeners.filter(|listener| backends(listener).contains(name)).map(|listener| listener.name.clone()).collect()
    };
    links(&of(base), &of(head))
}

/// The servers of a backend, those that differ first.
pub(super) fn of_backend(change: &BackendChange, shown: impl Fn(&Server) -> String) -> Vec<LinkReport> {
    let BackendChange { name: _, base, head, removed, added, changed } = change;
    let link = |server: &Server, change| LinkReport { name: escape(shown(server).as_bytes()), change };
    let (gone, new): (&[Server], &[Server]) = match (base, head) {
        (Some(base), None) => (&base.servers, &[]),
        (None, Some(head)) => (&[], &head.servers),
        (Some(_), Some(_)) | (None, None) => (removed, added),
    };
    let mut out: Vec<LinkReport> = gone.iter().map(|server| link(server, LinkChange::Gone)).collect();
    out.extend(new.iter().map(|server| link(server, LinkChange::New)));
    out.extend(changed.iter().map(|(_, server)| link(server, LinkChange::Changed)));
    if let (Some(_), Some(head)) = (base, head) {
        let differs = |server: &Server| added.contains(server) || changed.iter().any(|(_, new)| new == server);
        let kept = head.servers.iter().filter(|server| !differs(server));
        out.extend(kept.map(|server| link(server, LinkChange::Kept)));
    }
    out.truncate(MOST);
    out
}

fn backends(listener: &Listener) -> BTreeSet<String> {
    let outcomes = listener.routes.iter().map(|route| &route.outcome).chain([&listener.otherwise]);
    let backend = |outcome: &Outcome| match outcome {
        Outcome::Backend(name) => Some(name.clone()),
        Outcome::Computed(how) => Some(format!("computed: {how}")),
        Outcome::Refused(_) | Outcome::Answered(_) => None,
    };
    outcomes.filter_map(backend).collect()
}

/// What differs first.
fn links(base: &BTreeSet<String>, head: &BTreeSet<String>) -> Vec<LinkReport> {
    let link = |name: &String, change| LinkReport { name: escape(name.as_bytes()), change };
    let mut out: Vec<LinkReport> = base.difference(head).map(|name| link(name, LinkChange::Gone)).collect();
    out.extend(head.difference(base).map(|name| link(name, LinkChange::New)));
    out.extend(base.intersection(head).map(|name| link(name, LinkChange::Kept)));
    out.truncate(MOST);
    out
}
