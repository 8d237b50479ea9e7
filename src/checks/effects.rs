//! What a change does, kind by kind: what approvals are asked for.

use super::balancers::{self, Kind as Clients};
use super::questions::part;
use super::{Context, Finding, Report};
use crate::diff::balancers::{BalancersDifference, Effect, ListenerChange, RequestDelta, TlsChange};
use crate::diff::{
    self, ChangeKind, ConfigurationDifference, FilterPair, Found, ObjectChange, Question, Side, Witness,
};
use crate::model::{Gap, Literal};
use crate::net::{Region, show_region};
use crate::policy::{Entry, Proposal};
use crate::text::{Span, escape};
use std::collections::BTreeSet;

/// Everything a change does in the scope of a check.
pub(super) struct Effects<'c> {
    pub(super) packets: Vec<Packets<'c>>,
    pub(super) others: Vec<Other>,
    /// What cannot be: errors of the program.
    pub(super) broken: Vec<String>,
}

/// Packets that fare otherwise at one filter.
pub(super) struct Packets<'c> {
    pub(super) pair: FilterPair<'c>,
    /// Whether they pass now, or do not any more.
    pub(super) opened: bool,
    found: &'c Found,
}

/// What is no change of packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// An object that comes or differs.
    Object,
    /// An object that goes.
    Gone,
    /// Requests, listeners or backends.
    Request,
    /// A listener or backend that goes.
    RequestGone,
    /// What is not understood.
    NotUnderstood,
    /// The policy.
    Policy,
    /// Another text, and nothing else, proved.
    Nothing,
}

/// An effect that is no change of packets.
#[derive(Debug, Clone)]
pub(super) struct Other {
    pub(super) kind: Kind,
    /// What it is about, by every name that a rule may call it: its kind, its address, its listener.
    pub(super) names: Vec<String>,
    /// What it is for clients, where it is exactly that.
    pub(super) clients: Option<Clients>,
    pub(super) evidence: Evidence,
}

/// An effect as a finding shows it.
#[derive(Debug, Clone, Default)]
pub(super) struct Evidence {
    /// Behind "the change ": `opens tcp any -> any:22 in edge/input`.
    pub(super) what: String,
    pub(super) configuration: Option<String>,
    filter: Option<String>,
    flow: Option<(Region, Vec<Literal>)>,
    witness: Option<Witness>,
    request: Option<RequestDelta>,
    location: Option<(Side, Span)>,
}

impl Evidence {
    fn new(what: String, configuration: &str, location: Option<(Side, Span)>) -> Self {
        Self { what, configuration: Some(configuration.to_owned()), location, ..Self::default() }
    }

    /// That so many rules and objects go, the first of them there.
    pub(super) fn removal(gone: usize, first: Option<Span>) -> Self {
        let what = format!("removes {gone} rules and objects");
        Self { what, location: first.map(|at| (Side::Base, at)), ..Self::default() }
    }

    /// Adds where it is and what it is about.
    pub(super) fn fill<'f>(&self, finding: &'f mut Finding) -> &'f mut Finding {
        let Self { what: _, configuration, filter, flow, witness, request, location } = self.clone();
        finding.configuration = configuration;
        finding.filter = filter;
        finding.flow = flow;
        finding.witness = witness;
        finding.request = request;
        finding.location = location;
        finding
    }
}

impl<'c> Effects<'c> {
    pub(super) fn of(cx: &Context<'c>, report: &Report<'_>) -> Self {
        let mut effects = Self { packets: Vec::new(), others: Vec::new(), broken: Vec::new() };
        let scope = Mine::of(cx, report);
        let pairs = cx.change.filters();
        for difference in &cx.difference.configurations {
            for filter in &difference.filters {
                let is = |pair: &&FilterPair<'_>| pair.configuration == difference.name && pair.id == filter.id;
                let Some(pair) = pairs.iter().find(is) else {
                    effects.broken.push(format!("`{}` differs and is on neither side", filter.id));
                    continue;
                };
                if scope.covers(&filter.id) {
                    for (opened, found) in [(true, &filter.newly_allowed), (false, &filter.newly_denied)] {
                        effects.packets.push(Packets { pair: *pair, opened, found });
                    }
                }
            }
            if scope.covers(&difference.name) {
                effects.configuration(difference, cx);
            }
        }
        let unlimited = scope.whole();
        match cx.proposal {
            Proposal::Outside | Proposal::Unchanged => {}
            Proposal::Removed if unlimited => effects.policy("removes the policy", None),
            Proposal::Changed { source, policy: _ } if unlimited => {
                let at = Span { source: *source, start: 0, end: 0 };
                effects.policy("changes the policy", Some((Side::Head, at)));
            }
            Proposal::Removed | Proposal::Changed { .. } => {}
        }
        effects
    }

    fn policy(&mut self, what: &str, location: Option<(Side, Span)>) {
        let evidence = Evidence { what: what.to_owned(), location, ..Evidence::default() };
        self.others.push(Other { kind: Kind::Policy, names: Vec::new(), clients: None, evidence });
    }

    /// What becomes of one configuration besides packets.
    fn configuration(&mut self, difference: &'c ConfigurationDifference, cx: &Context<'c>) {
        let ConfigurationDifference { name, format: _, change, filters, balancers, objects } = difference;
        let mut add = |kind, names: &[&str], what: String, location| {
            let evidence = Evidence::new(what, name, location);
            let called = |it: &&str| [(*it).to_owned(), format!("{name}/{it}")];
            self.others.push(Other { kind, names: names.iter().flat_map(called).collect(), clients: None, evidence });
        };
        match change {
            ChangeKind::Added => {
                add(Kind::Object, &["configuration"], format!("adds the configuration `{name}`"), None)
            }
            ChangeKind::Removed => {
                add(Kind::Gone, &["configuration"], format!("removes the configuration `{name}`"), None)
            }
            ChangeKind::Unchanged | ChangeKind::Equivalent | ChangeKind::Changed => {}
        }
        let diff::ObjectsDifference { added, removed, modified } = objects;
        for (kind, verb, list) in
            [(Kind::Object, "adds", added), (Kind::Gone, "removes", removed), (Kind::Object, "changes", modified)]
        {
            for ObjectChange { kind: noun, address, base, head, uncomputed: _, elements: _ } in list {
                let at = head.map(|span| (Side::Head, span)).or(base.map(|span| (Side::Base, span)));
                let what = format!("{verb} the {noun} `{}` of `{name}`", escape(address.as_bytes()));
                add(kind, &[noun, address], what, at);
            }
        }
        let BalancersDifference { listeners, backends } = balancers;
        for listener in listeners {
            let (kind, verb, it) = match (&listener.base, &listener.head) {
                (Some(_), Some(head)) if changed_besides(listener) => (Kind::Request, "changes", Some(head)),
                (Some(_), Some(_)) => continue,
                (None, Some(head)) => (Kind::Request, "adds", Some(head)),
                (base, None) => (Kind::RequestGone, "removes", base.as_ref()),
            };
            let (what, at) = it.map_or(("?", None), |(name, at)| (name.as_str(), Some(*at)));
            let side = if listener.head.is_some() { Side::Head } else { Side::Base };
            let names = [&listener.base, &listener.head].map(|name| name.iter().map(|(name, _)| name.as_str()));
            let names: Vec<&str> = ["listener"].into_iter().chain(names.into_iter().flatten()).collect();
            let what = format!("{verb} the listener `{}` of `{name}`", escape(what.as_bytes()));
            add(kind, &names, what, at.map(|at| (side, at)));
        }
        for backend in backends {
            let (kind, verb) = match (&backend.base, &backend.head) {
                (Some(_), None) => (Kind::RequestGone, "removes"),
                (None, _) => (Kind::Request, "adds"),
                (Some(_), Some(_)) => (Kind::Request, "changes"),
            };
            let at = backend.head.as_ref().map(|it| (Side::Head, it.origin));
            let at = at.or(backend.base.as_ref().map(|it| (Side::Base, it.origin)));
            let what = format!("{verb} the backend `{}` of `{name}`", escape(backend.name.as_bytes()));
            add(kind, &["backend", &backend.name], what, at);
        }
        let gaps = gaps(name, cx);
        for (side, verb, gap) in &gaps.news {
            add(
                Kind::NotUnderstood,
                &[],
                format!("{verb} what is not understood: {}", gap.reason),
                Some((*side, gap.origin)),
            );
        }
        let differs = cx.plan.configurations.iter().any(|planned| planned.name == *name && planned.differs(cx.sources))
            || *change == ChangeKind::Equivalent;
        let silent = matches!(change, ChangeKind::Unchanged | ChangeKind::Equivalent) && filters.is_empty();
        if differs && silent && gaps.news.is_empty() {
            // What is proved is proved only of what is understood.
            let (kind, what) = match gaps.any {
                true => {
                    (Kind::NotUnderstood, format!("writes `{name}` in other words, not all of which are understood"))
                }
                false => (Kind::Nothing, format!("writes `{name}` in other words that do the same, proved")),
            };
            add(kind, &[], what, None);
        }
        self.requests(name, listeners);
    }

    /// Requests that listeners of both sides decide in another way, each with what it is for clients.
    fn requests(&mut self, configuration: &str, listeners: &[ListenerChange]) {
        for change in listeners {
            let (Some((old, _)), Some((new, at))) = (&change.base, &change.head) else { continue };
            let names: Vec<String> = ["listener", old, new]
                .into_iter()
                .flat_map(|it| [it.to_owned(), format!("{configuration}/{it}")])
                .collect();
            let shown = format!("`{}` of `{configuration}`", escape(new.as_bytes()));
            for request in &change.requests {
                let does = match request.effect() {
                    Effect::Refused => "refuse requests that were served",
                    Effect::Served => "serve requests that were refused",
                    Effect::Moved => "answer requests otherwise",
                };
                let perhaps = if request.conditions.is_empty() { "" } else { "possibly " };
                let what = format!("{perhaps}makes {shown} {does}: {}", balancers::kinds(request));
                let by = |by: Option<Span>, side| by.map(|span| (side, span));
                let location = by(request.head.by, Side::Head).or_else(|| by(request.base.by, Side::Base));
                let mut evidence = Evidence::new(what, configuration, location.or(Some((Side::Head, *at))));
                evidence.request = Some(request.clone());
                let clients = Some(request.effect().into());
                self.others.push(Other { kind: Kind::Request, names: names.clone(), clients, evidence });
            }
            if !change.complete {
                let what =
                    format!("may make {shown} answer requests otherwise: that could not be computed within its budget");
                let evidence = Evidence::new(what, configuration, Some((Side::Head, *at)));
                self.others.push(Other { kind: Kind::Request, names, clients: None, evidence });
            }
        }
    }
}

/// Whether a listener that both sides have differs in more than what it does with requests.
fn changed_besides(change: &ListenerChange) -> bool {
    let ListenerChange {
        base: _,
        head: _,
        protocol: _,
        protocol_changed,
        endpoints: _,
        tls,
        certificates: (old, new),
        settings_changed,
        owner_changed,
        requests: _,
        complete: _,
    } = change;
    *protocol_changed
        || *tls != TlsChange::Same
        || !old.is_empty()
        || !new.is_empty()
        || *settings_changed
        || *owner_changed
}

/// The gaps of a configuration.
struct Gaps<'c> {
    /// Those that come or go.
    news: Vec<(Side, &'static str, &'c Gap)>,
    any: bool,
}

fn gaps<'c>(name: &str, cx: &Context<'c>) -> Gaps<'c> {
    let of = |side: &'c crate::model::Snapshot| -> Vec<&'c Gap> {
        side.gaps().iter().filter(|gap| gap.configuration == name).collect()
    };
    let texts =
        |gaps: &[&'c Gap]| -> BTreeSet<&'c [u8]> { gaps.iter().map(|gap| cx.sources.slice(gap.origin)).collect() };
    let (base, head) = (of(&cx.change.base), of(&cx.change.head));
    let (old, new) = (texts(&base), texts(&head));
    let any = !base.is_empty() || !head.is_empty();
    let mut news = Vec::new();
    news.extend(
        head.into_iter().filter(|g| !old.contains(cx.sources.slice(g.origin))).map(|g| (Side::Head, "adds", g)),
    );
    news.extend(
        base.into_iter().filter(|g| !new.contains(cx.sources.slice(g.origin))).map(|g| (Side::Base, "removes", g)),
    );
    Gaps { news, any }
}

/// What an entry is about: its scope; for the one that no policy names, what no other entry is about.
struct Mine<'c> {
    entries: Vec<&'c Entry>,
    report: Option<super::Scope>,
}

impl<'c> Mine<'c> {
    fn of(cx: &Context<'c>, report: &Report<'_>) -> Self {
        let others = || cx.policy.entries.iter().filter(|entry| entry.check.value == "required-approvals");
        match report.at() {
            Some(_) => Self { entries: Vec::new(), report: Some(report.scope().clone()) },
            None => Self { entries: others().collect(), report: None },
        }
    }

    fn covers(&self, address: &str) -> bool {
        match &self.report {
            Some(scope) => scope.covers(address),
            None => !self.entries.iter().any(|entry| super::Scope::of(entry.within.as_deref()).covers(address)),
        }
    }

    /// Whether it is about what is in no configuration.
    fn whole(&self) -> bool {
        match &self.report {
            Some(scope) => scope.is_everything(),
            None => self.entries.iter().all(|entry| entry.within.is_some()),
        }
    }
}

impl Packets<'_> {
    const fn question(&self) -> Question {
        if self.opened { Question::NewlyAllowed } else { Question::NewlyDenied }
    }

    /// Those that are in these regions.
    pub(super) fn answer(&self, cx: &Context<'_>, within: &[Region]) -> Found {
        if within.is_empty() {
            Found::NONE
        } else if self.found.complete {
            part(self.found, within)
        } else {
            diff::ask(cx.change, &self.pair, within, self.question())
        }
    }

    /// One effect for each flow of an answer; the first has a packet that shows it.
    pub(super) fn evidence(&self, found: &Found, cx: &Context<'_>) -> Vec<Evidence> {
        let verb = if self.opened { "opens" } else { "closes" };
        let one = |(n, delta): (usize, &diff::Delta)| {
            let plain = self.pair.plainly(&delta.region);
            let may = if delta.conditions.is_empty() { "" } else { "possibly " };
            let what = format!("{may}{verb} {} in `{}`", show_region(&plain, cx.policy), self.pair.id);
            let witness = (n == 0).then(|| diff::witness(cx.change, &self.pair, delta, self.question())).flatten();
            let by = |answer: &diff::Answer, side| answer.by.map(|span| (side, span));
            let location = witness.as_ref().and_then(|w| by(&w.head, Side::Head).or_else(|| by(&w.base, Side::Base)));
            let mut evidence = Evidence::new(what, self.pair.configuration, location);
            evidence.filter = Some(self.pair.id.to_owned());
            evidence.flow = Some((plain, delta.conditions.clone()));
            evidence.witness = witness;
            evidence
        };
        found.deltas.iter().enumerate().map(one).collect()
    }

    /// What stands for an answer that could not be computed.
    pub(super) fn unknown(&self) -> Evidence {
        let verb = if self.opened { "open" } else { "close" };
        let what = format!("may {verb} something in `{}`: that could not be computed within its budget", self.pair.id);
        let mut evidence = Evidence::new(what, self.pair.configuration, None);
        evidence.filter = Some(self.pair.id.to_owned());
        evidence
    }
}
