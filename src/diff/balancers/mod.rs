//! What a change does to requests: listeners that come, go or decide in another way, and backends whose servers differ.

mod backends;
mod listeners;
mod search;
#[cfg(test)]
mod tests;

pub use backends::{BackendChange, Capacity, capacity, lost_share};
pub use listeners::{ListenerChange, TlsChange};
pub use search::Party;

use crate::model::{Backend, Condition, Configuration, Listener, Literal, Outcome, Protocol, Store};
use crate::net::{Request, Spoken};
use crate::text::Span;
use std::collections::BTreeSet;

/// What becomes of the balancers of a configuration.
#[derive(Debug, Default)]
pub struct BalancersDifference {
    /// Listeners that differ, in the order of their endpoints.
    pub listeners: Vec<ListenerChange>,
    /// Backends that differ, sorted by name. One that is only called otherwise does not.
    pub backends: Vec<BackendChange>,
}

impl BalancersDifference {
    /// Whether nothing differs.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let Self { listeners, backends } = self;
        listeners.is_empty() && backends.is_empty()
    }
}

/// Requests that both sides decide differently, by the same lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestDelta {
    /// How they read, the first kinds of them: `host example.org, path /api/*`.
    pub what: Vec<String>,
    /// How many kinds there are.
    pub classes: usize,
    /// The truths of opaque conditions under which it is so for one kind; empty: whatever those are.
    pub conditions: Vec<Literal>,
    /// On base.
    pub base: RouteAnswer,
    /// On head.
    pub head: RouteAnswer,
    /// One of them.
    pub witness: Request,
}

impl RequestDelta {
    /// What it is for clients.
    #[must_use]
    pub const fn effect(&self) -> Effect {
        match (&self.base.outcome, &self.head.outcome) {
            (Outcome::Refused(_), Outcome::Refused(_)) => Effect::Moved,
            (_, Outcome::Refused(_)) => Effect::Refused,
            (Outcome::Refused(_), _) => Effect::Served,
            (_, _) => Effect::Moved,
        }
    }
}

/// What a difference is for clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effect {
    /// Requests that were served are refused.
    Refused,
    /// Requests that were refused are served.
    Served,
    /// Another backend, or another answer.
    Moved,
}

/// What becomes of a request on one side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteAnswer {
    /// What.
    pub outcome: Outcome,
    /// The line that decides, if one says it.
    pub by: Option<Span>,
}

/// What becomes of the balancers.
pub(super) fn compare(
    store: &Store,
    base: Option<&Configuration>,
    head: Option<&Configuration>,
) -> BalancersDifference {
    BalancersDifference { listeners: listeners::compare(store, base, head), backends: backends::compare(base, head) }
}

/// The numbers of the routes that decide for some request; the others never do. `None`: too hard to find out.
#[must_use]
pub fn deciding(store: &Store, listener: &Listener) -> Option<BTreeSet<usize>> {
    // Held against itself with an outcome of its own for every route, each request makes a difference that names one.
    let mut twin = listener.clone();
    for (number, route) in twin.routes.iter_mut().enumerate() {
        route.outcome = Outcome::Computed(number.to_string());
    }
    twin.otherwise = Outcome::Computed(String::new());
    let nothing = Configuration::default();
    let ends: Vec<_> = listener.endpoints.iter().collect();
    let families = listeners::families(&ends);
    let party = |listener| Party { configuration: &nothing, listener };
    let (deltas, complete) = search::compare(store, party(listener), party(&twin), Spoken::Http, None, families);
    let number = |delta: RequestDelta| match delta.head.outcome {
        Outcome::Computed(number) => number.parse().ok(),
        Outcome::Backend(_) | Outcome::Refused(_) | Outcome::Answered(_) => None,
    };
    complete.then(|| deltas.into_iter().filter_map(number).collect())
}

/// Whether the listeners and backends of both sides say the same in the same order.
pub(super) fn same_text(base: &Configuration, head: &Configuration) -> bool {
    let listener = |l: &Listener| {
        let ends: Vec<_> = l.endpoints.iter().map(|e| (e.address.clone(), e.ports)).collect();
        let routes: Vec<_> = l.routes.iter().map(|r| (r.condition.clone(), r.outcome.clone())).collect();
        (l.name.clone(), l.protocol, ends, routes, l.otherwise.clone())
    };
    let named = |(a, b): (&Backend, &Backend)| {
        let names = |backend: &Backend| backend.servers.iter().map(|s| s.name.clone()).collect::<Vec<_>>();
        a.name == b.name && names(a) == names(b)
    };
    base.listeners.len() == head.listeners.len()
        && base.backends.len() == head.backends.len()
        && base.listeners.iter().zip(&head.listeners).all(|(a, b)| listener(a) == listener(b))
        && base.backends.iter().zip(&head.backends).all(named)
}

/// The way of a request through a listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteTrace {
    /// The path as conditions see it, where it is not the one that is sent.
    pub path: Option<Vec<u8>>,
    /// Each route whose condition holds, or may, in order.
    pub hops: Vec<RouteHop>,
    /// What comes out if nothing that is not in the file holds but what was assumed.
    pub answer: RouteAnswer,
    /// The opaque conditions that were met without an assumption, in order; they count as not true.
    pub unknown: Vec<Literal>,
}

/// One route that a request meets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteHop {
    /// Where it stands.
    pub at: Span,
    /// What it says.
    pub outcome: Outcome,
}

/// Walks one request through a listener, route by route.
#[must_use]
pub fn route(store: &Store, listener: &Listener, request: &Request, assumed: &[Literal]) -> RouteTrace {
    let (mut hops, mut unknown) = (Vec::new(), Vec::new());
    let path = match listener.paths.read(store, request) {
        Ok(path) => path,
        Err(outcome) => {
            let answer = RouteAnswer { outcome, by: None };
            return RouteTrace { path: None, hops, answer, unknown };
        }
    };
    let seen = Request { path, ..request.clone() };
    let path = (seen.path != request.path).then(|| seen.path.clone());
    let known = |id| assumed.iter().find(|literal| literal.opaque == id).map(|literal| literal.holds);
    let test = |id| Some(store.get_test(id).holds_of(&seen));
    for route in &listener.routes {
        let left = route.condition.given(&test, &known);
        if left == Condition::Never {
            continue;
        }
        left.visit(&mut |_| {}, &mut |opaque| {
            let literal = Literal { opaque, holds: false };
            if !unknown.contains(&literal) {
                unknown.push(literal);
            }
        });
        hops.push(RouteHop { at: route.origin, outcome: route.outcome.clone() });
        if left.given(&test, &|_| Some(false)) == Condition::Always {
            let answer = RouteAnswer { outcome: route.outcome.clone(), by: Some(route.origin) };
            return RouteTrace { path, hops, answer, unknown };
        }
    }
    let answer = RouteAnswer { outcome: listener.otherwise.clone(), by: listener.otherwise_at };
    RouteTrace { path, hops, answer, unknown }
}

/// Of some listeners the one that a request meets by where it goes, or the only one.
#[must_use]
pub fn meeting<'l>(listeners: &[&'l Listener], request: &Request) -> Option<&'l Listener> {
    let fits = |listener: &&&Listener, exactly: bool| {
        let at = |(address, port): &(String, u16)| {
            listener.endpoints.iter().any(|end| {
                let here = !address.is_empty() && end.address == *address;
                let anywhere = address.is_empty() || end.address.starts_with("any");
                (here || (!exactly && anywhere)) && end.ports.is_some_and(|(a, b)| a <= *port && *port <= b)
            })
        };
        request.via.as_ref().is_some_and(at)
    };
    let only = if let [only] = listeners { Some(only) } else { None };
    let mut all = listeners.iter();
    all.find(|l| fits(l, true)).or_else(|| listeners.iter().find(|l| fits(l, false))).or(only).copied()
}

/// What clients speak at an endpoint.
#[must_use]
pub const fn spoken(protocol: Protocol, tls: bool) -> Spoken {
    match (protocol, tls) {
        (Protocol::Http, false) => Spoken::Http,
        (Protocol::Http, true) => Spoken::Https,
        (Protocol::Tcp, _) => Spoken::Tcp,
        (Protocol::Udp, _) => Spoken::Udp,
    }
}
