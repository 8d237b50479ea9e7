//! Policies to filters: two for all pods that are alike, one of what comes to them and one of what they send.
//!
//! Each is exact about its own side: a connection between two pods needs the egress filter of the one and the ingress
//! filter of the other. "If no policy applies to a pod, all its traffic is allowed"; the pods of a workload that is gone
//! get no packets at all, while those that a policy is for which nobody has declared are open without it.
//!
//! Kubernetes documentation, "Network Policies": policies "do not conflict; they are additive", replies are allowed
//! implicitly, and what protocols other than TCP, UDP and SCTP do is not defined. network-policy-api.sigs.k8s.io: admin
//! policies come first, "lower priority values have higher precedence", their rules in order; the baseline comes after all
//! others, where no NetworkPolicy selects the pod.

use super::missing::missing;
use super::peers::{self, Alternative, Index, Whose};
use super::selector::{Known, Selects};
use super::sides::Beyond;
use super::syntax::{Direction, Namespaces, Pods, Policy, Rule, Service, Tier, Verdict};
use crate::formats::Reading;
use crate::formats::account::Account;
use crate::model::{
    Action, Draft, Families, Filter, Literal, OpaqueId, Reference, RuleId, Stage, Store, Symbol, Table, TableId,
};
use crate::net::{Family, Field, Region, Set, State};
use crate::text::{Span, escape};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The protocols for which it is defined what policies do: TCP, UDP, SCTP.
const PROTOCOLS: [u128; 3] = [6, 17, 132];

/// How many rules a tree may become. Selectors that could mean the same pods multiply one another.
const MOST_RULES: usize = 4_000_000;

/// Puts what a tree says into the model.
pub(super) fn lower(index: &Index<'_>, beyond: &Beyond, reading: &mut Reading<'_>, account: &mut Account) {
    let cluster = index.cluster;
    let mut in_order: Vec<&Policy> = cluster.policies.iter().collect();
    in_order.sort_by(|a, b| (a.tier, &a.address).cmp(&(b.tier, &b.address)));
    let mut policies = Policies::default();
    for policy in in_order {
        match &policy.subject.namespaces {
            Namespaces::Named(namespace) => policies.named.entry(namespace).or_default().push(policy),
            Namespaces::With(_) => policies.wide.push(policy),
        }
    }
    let mut lowering = Lowering {
        index,
        policies: &policies,
        beyond,
        account,
        ports: BTreeMap::new(),
        opaques: BTreeMap::new(),
        rules: 0,
        said: BTreeSet::new(),
    };
    for (subject, name) in lowering.subjects() {
        lowering.filters(&subject, &name, reading);
    }
    let Lowering { index: _, policies: _, beyond: _, account: _, ports, opaques, rules: _, said: _ } = lowering;
    let unknown = ports.into_iter().filter(|(_, known)| !known).map(|((origin, address), _)| Reference {
        kind: "port",
        address,
        origin,
    });
    let mut undefined: Vec<Reference> = unknown.chain(missing(index)).collect();
    undefined.sort_by_key(|reference| reference.origin);
    let configuration = &mut reading.configuration;
    configuration.undefined.extend(undefined);
    configuration.opaques.extend(opaques);
    configuration.filters.sort_by(|a, b| a.id.cmp(&b.id));
}

/// The policies in the order in which they are asked, those of one namespace and those of several.
#[derive(Default)]
struct Policies<'c> {
    named: BTreeMap<&'c Arc<str>, Vec<&'c Policy>>,
    wide: Vec<&'c Policy>,
}

/// Pods that are alike.
enum Subject {
    /// Those of a workload.
    Workload(usize),
    /// Those that a policy is for, which the tree does not have.
    Unknown(Pods),
}

/// Whether a policy is for some pods.
enum Applies {
    Yes,
    No,
    /// If that is true.
    If(String),
}

struct Lowering<'c, 'i, 'a> {
    index: &'i Index<'c>,
    policies: &'i Policies<'c>,
    beyond: &'i Beyond,
    account: &'a mut Account,
    /// Names of ports that rules use, and whether a container has one.
    ports: BTreeMap<(Span, String), bool>,
    opaques: BTreeMap<OpaqueId, Span>,
    /// How many rules there are so far.
    rules: usize,
    /// What is said of policies already, for other pods.
    said: BTreeSet<(Span, String)>,
}

/// Who is at the other end, and protocol and ports, if not all are meant.
type Part = (Alternative, Option<(Option<u8>, Option<Set>)>);

/// A policy that is asked, and the condition under which it is.
type Asked<'c> = (&'c Policy, Option<String>);

impl<'c> Lowering<'c, '_, '_> {
    /// Whose packets are decided, each with its name.
    fn subjects(&self) -> Vec<(Subject, String)> {
        let cluster = self.index.cluster;
        let workloads = (0..cluster.workloads.len()).map(Subject::Workload);
        let named = workloads.zip(&self.index.names).map(|(subject, name)| (subject, name.clone()));
        let mut out: Vec<(Subject, String)> = named.collect();
        let unknown = self.beyond.subjects.iter();
        out.extend(unknown.map(|pods| (Subject::Unknown(pods.clone()), peers::name(pods))));
        out
    }

    /// Whether a policy is for these pods, which are at the `own` end.
    fn applies(&self, policy: &Policy, subject: &Subject, own: &str) -> Applies {
        let Pods { namespaces, pods } = &policy.subject;
        match subject {
            Subject::Workload(number) => {
                let workload = self.index.cluster.workloads.get(*number).expect("a workload that is there");
                if !pods.matches(&workload.labels) {
                    return Applies::No;
                }
                match namespaces {
                    Namespaces::Named(name) if *name == workload.namespace => Applies::Yes,
                    Namespaces::Named(_) => Applies::No,
                    Namespaces::With(selector) => match self.index.selects(selector, &workload.namespace) {
                        Selects::Yes => Applies::Yes,
                        Selects::No => Applies::No,
                        Selects::Maybe => Applies::If(peers::has(&workload.namespace, selector)),
                    },
                }
            }
            Subject::Unknown(mine) if *mine == policy.subject => Applies::Yes,
            Subject::Unknown(mine) => {
                let place = match (&mine.namespaces, namespaces) {
                    (Namespaces::Named(mine), Namespaces::Named(name)) if mine == name => Selects::Yes,
                    (Namespaces::Named(_), Namespaces::Named(_)) => Selects::No,
                    (Namespaces::Named(mine), Namespaces::With(selector)) => self.index.selects(selector, mine),
                    (Namespaces::With(mine), Namespaces::With(selector)) if mine == selector => Selects::Yes,
                    (Namespaces::With(mine), Namespaces::With(selector)) => {
                        selector.selects(Known { labels: &mine.implied(), all: false })
                    }
                    (Namespaces::With(mine), Namespaces::Named(name)) => match self.index.selects(mine, name) {
                        Selects::No => Selects::No,
                        Selects::Yes | Selects::Maybe => Selects::Maybe,
                    },
                };
                let selected = if mine.pods == *pods {
                    Selects::Yes
                } else {
                    pods.selects(Known { labels: &mine.pods.implied(), all: false })
                };
                match (place, selected) {
                    (Selects::No, _) | (_, Selects::No) => Applies::No,
                    (Selects::Yes, Selects::Yes) => Applies::Yes,
                    (Selects::Maybe, _) | (_, Selects::Maybe) => {
                        Applies::If(format!("{own} is one of the {}", policy.subject))
                    }
                }
            }
        }
    }

    /// The policies that say something of these packets, in the order in which they are asked.
    fn asked(&self, subject: &Subject, direction: Direction) -> Vec<Asked<'c>> {
        let namespace = match subject {
            Subject::Workload(number) => self.index.cluster.workloads.get(*number).map(|workload| &workload.namespace),
            Subject::Unknown(pods) => match &pods.namespaces {
                Namespaces::Named(namespace) => Some(namespace),
                // What policies of namespaces say is in the filters of the pods that those are for.
                Namespaces::With(_) => None,
            },
        };
        let named = namespace.and_then(|namespace| self.policies.named.get(namespace));
        let mut out = Vec::new();
        for policy in self.policies.wide.iter().chain(named.into_iter().flatten()) {
            if rules_of(policy, direction).is_none() {
                continue;
            }
            match self.applies(policy, subject, direction.own()) {
                Applies::Yes => out.push((*policy, None)),
                Applies::If(condition) => out.push((*policy, Some(condition))),
                Applies::No => {}
            }
        }
        out
    }

    fn filters(&mut self, subject: &Subject, name: &str, reading: &mut Reading<'_>) {
        let mut table = Table::new(name);
        table.shared = true;
        let at = TableId(u32::try_from(reading.configuration.tables.len()).expect("fewer than 2^32 tables"));
        for direction in Direction::BOTH {
            let asked = self.asked(subject, direction);
            let only_maybe = asked.iter().all(|(_, condition)| condition.is_some());
            let workload = match subject {
                Subject::Workload(number) => self.index.cluster.workloads.get(*number),
                Subject::Unknown(pods) if asked.is_empty() || only_maybe && !self.beyond.changed.contains(pods) => {
                    continue;
                }
                Subject::Unknown(_) => None,
            };
            if let (Some(host), Some((policy, _))) = (workload.and_then(|workload| workload.on_host), asked.first()) {
                let reason =
                    format!("what `{}` does to pods on the network of their node is not defined", policy.address);
                self.gap(host, reason);
            }
            self.same_priorities(&asked);
            let mut chains = Chains::new(&mut table, direction, reading.store);
            let (otherwise, otherwise_at) = self.rules(subject, direction, &asked, &mut chains);
            let base = chains.base;
            let chain = table.chain(base);
            reading.configuration.filters.push(Filter {
                id: format!("{}/{name}/{}", reading.configuration.name, direction.name()),
                domain: domain(),
                stages: vec![Stage {
                    table: at,
                    chain,
                    families: Families::BOTH,
                    otherwise,
                    otherwise_at: otherwise_at.or(workload.map(|workload| workload.at)),
                }],
                absent: workload.is_none(),
            });
        }
        reading.configuration.tables.push(table);
    }

    /// A gap, once.
    fn gap(&mut self, at: Span, reason: String) {
        if self.said.insert((at, reason.clone())) {
            self.account.gap(at, reason);
        }
    }

    /// "If two policies … have the same priority … the behavior is undefined."
    fn same_priorities(&mut self, asked: &[Asked<'_>]) {
        for pair in asked.windows(2) {
            let [(first, _), (second, _)] = pair else { continue };
            if first.tier == second.tier && first.tier != Tier::Namespaced {
                let reason =
                    format!("`{}` has the same priority: which of them is asked first is not defined", first.address);
                self.gap(second.at, reason);
            }
        }
    }

    /// Makes the rules; what happens otherwise, and where that is said.
    fn rules(
        &mut self,
        subject: &Subject,
        direction: Direction,
        asked: &[Asked<'_>],
        chains: &mut Chains<'_, '_>,
    ) -> (Action, Option<Span>) {
        let of = |wanted: fn(Tier) -> bool| asked.iter().filter(move |(policy, _)| wanted(policy.tier));
        let admin: Vec<_> = of(|tier| matches!(tier, Tier::Admin(_))).collect();
        let passes = |(policy, _): &&Asked<'_>| {
            rules_of(policy, direction).is_some_and(|rules| rules.iter().any(|rule| rule.verdict == Verdict::Pass))
        };
        let has_pass = admin.iter().copied().any(|asked| passes(&asked));
        for (policy, condition) in &admin {
            self.policy(policy, condition.as_ref(), subject, direction, chains);
        }
        if has_pass && let Some((last, _)) = admin.last() {
            let rule = chains.store.rule(Draft::new(Families::BOTH), Action::Goto(chains.rest));
            chains.push(rule, last.at);
            chains.table.chain(chains.rest);
            chains.in_rest = true;
        }
        let mut closed = None;
        let mut maybe = Vec::new();
        for (policy, condition) in of(|tier| tier == Tier::Namespaced) {
            self.policy(policy, condition.as_ref(), subject, direction, chains);
            match condition {
                None => closed = closed.or(Some(policy.at)),
                Some(condition) => maybe.push((condition, policy.at)),
            }
        }
        if let Some(at) = closed {
            return (Action::Deny, Some(at));
        }
        for (condition, at) in maybe {
            let mut draft = Draft::new(Families::BOTH);
            self.require(&mut draft, condition, at, chains.store);
            let rule = chains.store.rule(draft, Action::Deny);
            chains.push(rule, at);
        }
        for (policy, condition) in of(|tier| matches!(tier, Tier::Baseline(_))) {
            self.policy(policy, condition.as_ref(), subject, direction, chains);
        }
        (Action::Accept, None)
    }

    fn policy(
        &mut self,
        policy: &Policy,
        condition: Option<&String>,
        subject: &Subject,
        direction: Direction,
        chains: &mut Chains<'_, '_>,
    ) {
        for rule in rules_of(policy, direction).into_iter().flatten() {
            if self.rules > MOST_RULES {
                return self.account.gap(rule.at, "the policies become more rules than can be compared");
            }
            let action = match rule.verdict {
                Verdict::Allow => Action::Accept,
                Verdict::Deny => Action::Deny,
                Verdict::Pass => Action::Goto(chains.rest),
            };
            let beyond = self.beyond.policies.contains(&policy.address);
            for mut part in self.parts(rule, subject, direction, beyond) {
                part.0.conditions.extend(condition.cloned());
                for id in self.one(&part, direction, action, rule.at, chains.store) {
                    chains.push(id, rule.at);
                    self.rules += 1;
                }
            }
        }
    }

    /// A rule as alternatives: who is at the other end, and what for, which is known by numbers or else by a condition.
    fn parts(&mut self, rule: &Rule, subject: &Subject, direction: Direction, beyond: bool) -> Vec<Part> {
        let mut ends: Vec<Alternative> = Vec::new();
        match &rule.peers {
            None => ends.push(Alternative::default()),
            Some(some) => {
                for peer in some {
                    ends.extend(self.index.alternatives(peer, direction, beyond));
                }
            }
        }
        let ends = merged(ends);
        let mut out = Vec::new();
        let Some(services) = &rule.services else {
            return ends.into_iter().map(|end| (end, None)).collect();
        };
        for service in services {
            match service {
                Service::Ports(protocol, set) => {
                    out.extend(ends.iter().map(|end| (end.clone(), Some((Some(*protocol), Some(set.clone()))))));
                }
                Service::Named(name, protocol, at) => {
                    for end in &ends {
                        self.named(end, (name, *protocol, *at), subject, direction, &mut out);
                    }
                }
            }
        }
        out
    }

    /// "A named port on a pod": a number that each pod that gets the packets has for itself.
    fn named(
        &mut self,
        end: &Alternative,
        (name, protocol, at): (&Arc<str>, Option<u8>, Span),
        subject: &Subject,
        direction: Direction,
        out: &mut Vec<Part>,
    ) {
        let shown = escape(name.as_bytes());
        let mut receivers = Vec::new();
        let mut unknown = None;
        match (direction, subject) {
            (Direction::Ingress, Subject::Workload(number)) => receivers.push((*number, end.clone())),
            (Direction::Ingress, Subject::Unknown(_)) => unknown = Some(end.clone()),
            (Direction::Egress, _) => {
                receivers = self.index.each(end, direction.peer());
                // No other addresses have ports with names.
                if !matches!(end.whose, Whose::Of(_) | Whose::Others) {
                    unknown = Some(end.clone());
                }
            }
        }
        if unknown.is_none() {
            self.ports.entry((at, shown.clone())).or_insert(false);
        }
        for (number, end) in receivers {
            let workload = self.index.cluster.workloads.get(number).expect("a workload that is there");
            for (of, port) in workload.ports.get(name).into_iter().flatten() {
                if protocol.is_none_or(|protocol| protocol == *of) {
                    self.ports.insert((at, shown.clone()), true);
                    out.push((end.clone(), Some((Some(*of), Some(Set::point((*port).into()))))));
                }
            }
        }
        if let Some(mut end) = unknown {
            end.conditions.push(format!("destination port is called {shown}"));
            out.push((end, Some((protocol, None))));
        }
    }

    /// The rules of the model that an alternative is.
    fn one(
        &mut self,
        (alternative, service): &Part,
        direction: Direction,
        action: Action,
        at: Span,
        store: &mut Store,
    ) -> Vec<RuleId> {
        let Alternative { conditions, addresses, whose: _ } = alternative;
        let field = match direction {
            Direction::Ingress => Field::Source,
            Direction::Egress => Field::Destination,
        };
        let mut drafts = Vec::new();
        for (family, set) in addresses {
            let mut draft = Draft::new(Families::only(*family));
            draft.addresses(field, *family, set);
            drafts.push(draft);
        }
        if addresses.is_empty() {
            drafts.push(Draft::new(Families::BOTH));
        }
        let mut out = Vec::with_capacity(drafts.len());
        for mut draft in drafts {
            if let Some((protocol, ports)) = service {
                if let Some(protocol) = protocol {
                    draft.protocol(*protocol, *protocol);
                }
                if let Some(ports) = ports {
                    draft.restrict(Field::DestinationPort, ports);
                }
            }
            for condition in conditions {
                self.require(&mut draft, condition, at, store);
            }
            out.push(store.rule(draft, action));
        }
        out
    }

    fn require(&mut self, draft: &mut Draft, condition: &str, at: Span, store: &mut Store) {
        let opaque = store.opaque(condition);
        self.opaques.entry(opaque).or_insert(at);
        draft.require(Literal { opaque, holds: true });
    }
}

/// The chains of a filter in the making.
struct Chains<'t, 's> {
    table: &'t mut Table,
    store: &'s mut Store,
    /// Where packets begin.
    base: Symbol,
    /// Where those go on that an admin policy passes.
    rest: Symbol,
    in_rest: bool,
}

impl<'t, 's> Chains<'t, 's> {
    fn new(table: &'t mut Table, direction: Direction, store: &'s mut Store) -> Self {
        let base = store.symbol(direction.name().as_bytes());
        let rest = store.symbol(format!("{} after admin policies", direction.name()).as_bytes());
        table.chain(base);
        Self { table, store, base, rest, in_rest: false }
    }

    fn push(&mut self, rule: RuleId, at: Span) {
        let name = if self.in_rest { self.rest } else { self.base };
        let id = self.table.chain(name);
        if let Some(chain) = self.table.chains.get_mut(id.0 as usize) {
            chain.push(rule, at);
        }
    }
}

fn rules_of(policy: &Policy, direction: Direction) -> Option<&Vec<Rule>> {
    match direction {
        Direction::Ingress => policy.ingress.as_ref(),
        Direction::Egress => policy.egress.as_ref(),
    }
}

/// The blocks of a rule as one set for each family.
fn merged(ends: Vec<Alternative>) -> Vec<Alternative> {
    let mut out: Vec<Alternative> = Vec::with_capacity(ends.len());
    let mut blocks: BTreeMap<Family, Set> = BTreeMap::new();
    for end in ends {
        if end.whose == Whose::Others && end.conditions.is_empty() {
            for (family, set) in end.addresses {
                let all = blocks.entry(family).or_default();
                *all = all.union(&set);
            }
        } else {
            out.push(end);
        }
    }
    let block = |block| Alternative { addresses: vec![block], whose: Whose::Others, ..Alternative::default() };
    out.extend(blocks.into_iter().map(block));
    out
}

/// What begins a connection, in the protocols for which policies are defined. No interfaces are told.
fn domain() -> Vec<Region> {
    let none = Set::point(0);
    let protocols: Set = PROTOCOLS.into_iter().collect();
    let region = |family: Family| {
        Region::all(family)
            .with(Field::Protocol, &protocols)
            .with(Field::Input, &none)
            .with(Field::Output, &none)
            .with(Field::State, &Set::point(State::New.value()))
            .with(Field::LaterFragment, &none)
    };
    Family::ALL.into_iter().map(region).collect()
}
