//! The part of a report about balancers.

use super::build::{Builder, assumptions};
use super::report::{
    BalancerPart, BalancerReport, Certainty, LocationSide, PartChange, RequestEffect, RequestReport, RouteReport,
};
use super::{Cause, Doubt, links, settings};
use crate::diff::balancers::{
    BackendChange, BalancersDifference, Effect, ListenerChange, RequestDelta, RouteAnswer, TlsChange,
};
use crate::model::{Backend, Configuration, Listener, Outcome, Server, Snapshot};
use crate::text::{Span, escape};

/// How many differences of one backend are written out.
const MOST: usize = 20;

impl Builder<'_> {
    pub(super) fn balancers(&mut self, configuration: &str, difference: &BalancersDifference) -> Vec<BalancerReport> {
        let BalancersDifference { listeners, backends } = difference;
        let mut out: Vec<BalancerReport> = Vec::new();
        for listener in listeners {
            out.push(self.listener(configuration, listener));
        }
        out.extend(backends.iter().map(|backend| self.backend(configuration, backend)));
        out
    }

    fn listener(&mut self, configuration: &str, change: &ListenerChange) -> BalancerReport {
        let ListenerChange {
            base,
            head,
            protocol,
            protocol_changed,
            endpoints,
            tls,
            certificates,
            settings_changed,
            owner_changed,
            requests,
            complete,
        } = change;
        let name = head.as_ref().or(base.as_ref()).map_or_else(String::new, |(name, _)| name.clone());
        if !complete {
            self.doubt(Doubt {
                cause: Cause::TooHard,
                message: format!(
                    "what `{configuration}/{name}` does with requests could not be compared within its budget"
                ),
                help: "split the change into smaller ones".to_owned(),
                at: None,
            });
        }
        let old = listener(&self.change.base, configuration, base.as_ref());
        let new = listener(&self.change.head, configuration, head.as_ref());
        let mut differences = Vec::new();
        match (base, head) {
            (Some((old, _)), Some((new, _))) if old != new => differences.push(format!("it was `{old}`")),
            (_, _) => {}
        }
        if *protocol_changed {
            differences.push(format!("it speaks {protocol} now"));
        }
        match tls {
            TlsChange::Same => {}
            TlsChange::Lost => differences.push("TLS is not spoken any more".to_owned()),
            TlsChange::Gained => differences.push("TLS is spoken now".to_owned()),
            TlsChange::Changed => {
                let tls = |side: Option<&Listener>, at: &Option<(String, Span)>| {
                    let end =
                        side?.endpoints.iter().find(|end| at.as_ref().is_some_and(|(_, at)| end.origin == *at))?;
                    end.tls.as_ref().map(|tls| tls.settings.clone())
                };
                let (old, new) = (tls(old, base).unwrap_or_default(), tls(new, head).unwrap_or_default());
                differences.push(match (old, new) {
                    (old, new) if old == new => "its TLS settings differ".to_owned(),
                    (old, new) => format!("its TLS settings differ: {}", settings::difference(&old, &new)),
                });
            }
        }
        differences.extend(certificates.0.iter().map(|name| format!("certificate {name} is gone")));
        differences.extend(certificates.1.iter().map(|name| format!("certificate {name} is new")));
        if *owner_changed {
            differences.push("its owner differs".to_owned());
        }
        if *settings_changed && let (Some(old), Some(new)) = (old, new) {
            differences.push(other_settings(&old.settings, &new.settings));
        }
        BalancerReport {
            kind: BalancerPart::Listener,
            name: escape(name.as_bytes()),
            change: fate(base.is_some(), head.is_some()),
            base: base.as_ref().map(|(_, at)| self.location(LocationSide::Base, *at)),
            head: head.as_ref().map(|(_, at)| self.location(LocationSide::Head, *at)),
            endpoints: endpoints.iter().map(|text| escape(text.as_bytes())).collect(),
            differences: differences.iter().map(|text| escape(text.as_bytes())).collect(),
            requests: requests.iter().map(|request| self.request(request)).collect(),
            complete: *complete,
            leads_to: links::of_listener(old, new),
            reached_from: Vec::new(),
        }
    }

    fn backend(&self, configuration: &str, change: &BackendChange) -> BalancerReport {
        let BackendChange { name, base, head, removed, added, changed } = change;
        let mut differences = Vec::new();
        if let (Some(old), Some(new)) = (base, head) {
            differences.extend(removed.iter().map(|server| format!("server {} is gone", shown(server))));
            differences.extend(added.iter().map(|server| format!("server {} is new", shown(server))));
            differences.extend(changed.iter().map(|(old, new)| format!("server {}: {}", shown(old), became(old, new))));
            differences.extend(rest(old, new));
        }
        if differences.len() > MOST {
            let more = differences.len() - MOST;
            differences.truncate(MOST);
            differences.push(format!("{more} more"));
        }
        BalancerReport {
            kind: BalancerPart::Backend,
            name: escape(name.as_bytes()),
            change: fate(base.is_some(), head.is_some()),
            base: base.as_ref().map(|backend| self.location(LocationSide::Base, backend.origin)),
            head: head.as_ref().map(|backend| self.location(LocationSide::Head, backend.origin)),
            endpoints: Vec::new(),
            differences: differences.iter().map(|text| escape(text.as_bytes())).collect(),
            requests: Vec::new(),
            complete: true,
            leads_to: links::of_backend(change, shown),
            reached_from: links::to_backend(
                name,
                self::configuration(&self.change.base, configuration),
                self::configuration(&self.change.head, configuration),
            ),
        }
    }

    pub(super) fn request(&self, delta: &RequestDelta) -> RequestReport {
        let RequestDelta { what, classes, conditions, base, head, witness } = delta;
        RequestReport {
            requests: what.iter().map(|text| escape(text.as_bytes())).collect(),
            kinds: *classes,
            effect: match delta.effect() {
                Effect::Refused => RequestEffect::NewlyRefused,
                Effect::Served => RequestEffect::NewlyServed,
                Effect::Moved => RequestEffect::Moved,
            },
            certainty: if conditions.is_empty() { Certainty::Certain } else { Certainty::Possible },
            witness: witness.to_string(),
            assumed: assumptions(&self.change.store, conditions),
            base: self.route(LocationSide::Base, base),
            head: self.route(LocationSide::Head, head),
        }
    }

    fn route(&self, side: LocationSide, answer: &RouteAnswer) -> RouteReport {
        let RouteAnswer { outcome, by } = answer;
        RouteReport { outcome: outcome_text(outcome), location: by.map(|span| self.location(side, span)) }
    }
}

fn configuration<'s>(snapshot: &'s Snapshot, name: &str) -> Option<&'s Configuration> {
    snapshot.configurations().iter().find(|configuration| configuration.name == name).map(|found| &**found)
}

fn listener<'s>(snapshot: &'s Snapshot, of: &str, named: Option<&(String, Span)>) -> Option<&'s Listener> {
    let (name, _) = named?;
    configuration(snapshot, of)?.listeners.iter().find(|listener| listener.name == *name)
}

/// What becomes of a request, in words.
pub(super) fn outcome_text(outcome: &Outcome) -> String {
    escape(outcome.to_string().as_bytes())
}

const fn fate(base: bool, head: bool) -> PartChange {
    match (base, head) {
        (true, false) => PartChange::Removed,
        (false, _) => PartChange::Added,
        (true, true) => PartChange::Changed,
    }
}

/// `web2 (10.0.0.2:80)`.
fn shown(server: &Server) -> String {
    let port = server.port.map_or_else(String::new, |port| format!(":{port}"));
    let address = if server.address.contains(':') && server.port.is_some() {
        format!("[{}]", server.address)
    } else {
        server.address.clone()
    };
    let place = format!("{address}{port}");
    if server.name == place { place } else { format!("{} ({place})", server.name) }
}

/// What became of a server that both sides have.
fn became(old: &Server, new: &Server) -> String {
    let mut parts = Vec::new();
    if (&old.address, old.port) != (&new.address, new.port) {
        parts.push(format!("it is {} now", shown(new)));
    }
    if old.weight != new.weight {
        let weight = |weight: Option<u32>| weight.map_or_else(|| "not known".to_owned(), |weight| weight.to_string());
        parts.push(format!("its weight was {} and is {}", weight(old.weight), weight(new.weight)));
    }
    match (old.enabled, new.enabled) {
        (old, new) if old == new => {}
        (_, Some(true)) => parts.push("it is enabled now".to_owned()),
        (_, Some(false)) => parts.push("it is disabled now".to_owned()),
        (_, None) => parts.push("whether it is enabled is not known any more".to_owned()),
    }
    match (old.backup, new.backup) {
        (false, true) => parts.push("it is only a backup now".to_owned()),
        (true, false) => parts.push("it is no backup any more".to_owned()),
        (true, true) | (false, false) => {}
    }
    match (old.check, new.check) {
        (Some(_), None) => parts.push("its health is not checked any more".to_owned()),
        (None, Some(_)) => parts.push("its health is checked now".to_owned()),
        (old, new) if old != new => parts.push("its health is checked on another port".to_owned()),
        (_, _) => {}
    }
    if old.settings != new.settings {
        parts.push(other_settings(&old.settings, &new.settings));
    }
    parts.join(", ")
}

/// What differs of a backend besides its servers.
fn rest(old: &Backend, new: &Backend) -> Vec<String> {
    let mut out = Vec::new();
    match (&old.health_check, &new.health_check) {
        (Some(_), None) => out.push("its health check is gone".to_owned()),
        (None, Some(_)) => out.push("its health check is new".to_owned()),
        (Some(old), Some(new)) if old != new => out.push(format!("its health check was `{old}` and is `{new}`")),
        (_, _) => {}
    }
    if old.sources != new.sources {
        out.push("servers see it from other addresses".to_owned());
    }
    if old.open != new.open {
        out.push(match &new.open {
            Some(why) => format!("more servers: {why}"),
            None => "its servers are all known now".to_owned(),
        });
    }
    if old.owner != new.owner {
        out.push("its owner differs".to_owned());
    }
    if old.settings != new.settings {
        out.push(other_settings(&old.settings, &new.settings));
    }
    out
}

/// That settings differ that are not told in words of their own, and which.
fn other_settings(old: &str, new: &str) -> String {
    format!("other settings differ: {}", settings::difference(old, new))
}
