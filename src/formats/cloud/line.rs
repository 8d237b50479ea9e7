//! One rule of a cloud firewall, before it is one of the model: alternatives of peers and of services.

use crate::model::{Action, Draft, Families, Literal, OpaqueId, RuleId, Store};
use crate::net::{Family, Field, NoNames, Region, Set, State, show_conditions, show_region};
use crate::text::{Span, escape};
use std::collections::BTreeSet;
use std::sync::Arc;

/// A condition whose truth is not in the files.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Condition {
    /// What tells it from others: equal texts are the same condition.
    text: String,
    /// What people read instead, where the text must not be printed.
    shown: Option<String>,
    /// Whether it is that, or that it is not so.
    holds: bool,
}

impl Condition {
    /// A condition that reads so.
    pub(super) fn new(text: impl AsRef<str>) -> Self {
        Self { text: escape(text.as_ref().as_bytes()), shown: None, holds: true }
    }

    /// A condition on a value that must not be printed: equal values make equal conditions.
    pub(super) fn hidden(shown: impl AsRef<str>, value: &str) -> Self {
        let shown = escape(shown.as_ref().as_bytes());
        Self { text: format!("{shown}\0{value}"), shown: Some(shown), holds: true }
    }

    /// Another one that holds at most where both do.
    pub(super) fn with(&self, other: &Self) -> Self {
        let join = |a: &str, one: bool, b: &str, two: bool| {
            let word = |holds: bool| if holds { "" } else { "not " };
            format!("{}{a}, if {}{b}", word(one), word(two))
        };
        let text = join(&self.text, self.holds, &other.text, other.holds);
        let shown = (self.shown.is_some() || other.shown.is_some()).then(|| {
            let (a, b) = (self.shown.as_ref().unwrap_or(&self.text), other.shown.as_ref().unwrap_or(&other.text));
            join(a, self.holds, b, other.holds)
        });
        Self { text, shown, holds: true }
    }

    /// The same of something else that it begins with.
    pub(super) fn about(&self, before: &str, after: &str) -> Self {
        let renamed = |text: &String| match text.strip_prefix(before) {
            Some(rest) => format!("{after}{rest}"),
            None => text.clone(),
        };
        Self { text: renamed(&self.text), shown: self.shown.as_ref().map(renamed), holds: self.holds }
    }

    /// Whether it is that what the text says is so.
    pub(super) const fn holds(&self) -> bool {
        self.holds
    }

    /// That it is not so.
    pub(super) fn negated(self) -> Self {
        Self { holds: !self.holds, ..self }
    }

    /// The condition in the store.
    pub(super) fn intern(&self, store: &mut Store) -> OpaqueId {
        match &self.shown {
            None => store.opaque(&self.text),
            Some(shown) => store.opaque_shown(&self.text, shown),
        }
    }
}

/// Who is at one end of a packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Peer {
    /// Anyone.
    Any,
    /// Addresses of one family.
    Known(Family, Set),
    /// Addresses of one family, if the condition holds.
    KnownIf(Family, Set, Condition),
    /// Whoever the condition holds for.
    If(Condition),
}

/// What a packet is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Service {
    /// The families it can be of.
    pub(super) families: Families,
    /// The protocol; `None`: any.
    pub(super) protocol: Option<u8>,
    /// Source ports; `None`: any.
    pub(super) source_ports: Option<Set>,
    /// Destination ports, or ICMP `type << 8 | code`; `None`: any.
    pub(super) ports: Option<Set>,
    /// What must hold besides.
    pub(super) conditions: Vec<Condition>,
}

impl Service {
    /// Anything.
    pub(super) const ANY: Self =
        Self { families: Families::BOTH, protocol: None, source_ports: None, ports: None, conditions: Vec::new() };

    /// Packets of one protocol.
    pub(super) fn of(protocol: u8) -> Self {
        Self { protocol: Some(protocol), ..Self::ANY }
    }

    /// Those to these ports, or of these ICMP types and codes.
    pub(super) fn to(mut self, ports: Set) -> Self {
        self.ports = Some(ports);
        self
    }

    /// Those for which a condition holds.
    pub(super) fn given(mut self, condition: Condition) -> Self {
        self.conditions.push(condition);
        self
    }

    /// Those of one family.
    pub(super) const fn only(mut self, family: Family) -> Self {
        self.families = Families::only(family);
        self
    }
}

/// A rule: packets from one of the sources to one of the destinations for one of the services, if all conditions hold.
#[derive(Debug, Clone)]
pub(super) struct Line {
    /// Its place among ordered rules: the smallest first.
    pub(super) rank: i128,
    /// Where packets come from; none: the rule matches nothing.
    pub(super) sources: Vec<Peer>,
    /// Where they go.
    pub(super) destinations: Vec<Peer>,
    /// What for.
    pub(super) services: Vec<Service>,
    /// What must hold besides.
    pub(super) conditions: Vec<Condition>,
    /// Whether it lets them pass.
    pub(super) allow: bool,
    /// What its author says of it.
    pub(super) comment: Option<Arc<str>>,
    /// Where it stands.
    pub(super) origin: Span,
}

impl Line {
    /// A rule that matches nothing yet: give it peers and services.
    pub(super) const fn new(allow: bool, origin: Span) -> Self {
        Self {
            rank: 0,
            sources: Vec::new(),
            destinations: Vec::new(),
            services: Vec::new(),
            conditions: Vec::new(),
            allow,
            comment: None,
            origin,
        }
    }

    /// Whether there are packets that it is about.
    pub(super) fn matches(&self) -> bool {
        !self.sources.is_empty() && !self.destinations.is_empty() && !self.services.is_empty()
    }

    /// The rules of the model that it is, alternatives of one another, in an order that depends on its meaning only.
    pub(super) fn draw(&self) -> Vec<Drawn> {
        let mut out = BTreeSet::new();
        for source in &merged(&self.sources) {
            for destination in &merged(&self.destinations) {
                for service in &self.services {
                    out.extend(self.one(source, destination, service));
                }
            }
        }
        out.into_iter().collect()
    }

    fn one(&self, source: &Peer, destination: &Peer, service: &Service) -> Vec<Drawn> {
        let Service { families, protocol, source_ports, ports, conditions } = service;
        let mut conditions: BTreeSet<Condition> = conditions.iter().chain(&self.conditions).cloned().collect();
        let mut regions: Vec<Region> =
            Family::ALL.into_iter().filter(|family| families.contains(*family)).map(Region::all).collect();
        for (field, peer) in [(Field::Source, source), (Field::Destination, destination)] {
            match peer {
                Peer::Any => {}
                Peer::Known(family, set) => {
                    regions.retain(|region| region.family() == *family);
                    regions.iter_mut().for_each(|region| region.restrict(field, set));
                }
                Peer::KnownIf(family, set, condition) => {
                    regions.retain(|region| region.family() == *family);
                    regions.iter_mut().for_each(|region| region.restrict(field, set));
                    conditions.insert(condition.clone());
                }
                Peer::If(condition) => {
                    conditions.insert(condition.clone());
                }
            }
        }
        // What must both be so and not be so never is.
        if conditions.iter().any(|condition| conditions.contains(&condition.clone().negated())) {
            return Vec::new();
        }
        let protocol = protocol.map(|number| Set::point(number.into()));
        for (field, set) in [
            (Field::Protocol, protocol.as_ref()),
            (Field::SourcePort, source_ports.as_ref()),
            (Field::DestinationPort, ports.as_ref()),
        ] {
            if let Some(set) = set {
                regions.iter_mut().for_each(|region| region.restrict(field, set));
            }
        }
        regions.retain(|region| !region.is_empty());
        let drawn = |region| Drawn { region, conditions: conditions.iter().cloned().collect(), allow: self.allow };
        regions.into_iter().map(drawn).collect()
    }
}

/// The addresses of each family in one set.
fn merged(peers: &[Peer]) -> Vec<Peer> {
    if peers.contains(&Peer::Any) {
        return vec![Peer::Any];
    }
    let mut out = Vec::new();
    for family in Family::ALL {
        let sets = peers.iter().filter_map(|peer| match peer {
            Peer::Known(of, set) if *of == family => Some(set),
            Peer::Any | Peer::Known(..) | Peer::KnownIf(..) | Peer::If(_) => None,
        });
        let all = Set::from_ranges(sets.flat_map(|set| set.ranges()));
        if !all.is_empty() {
            out.push(Peer::Known(family, all));
        }
    }
    out.extend(peers.iter().filter(|peer| matches!(peer, Peer::KnownIf(..) | Peer::If(_))).cloned());
    out
}

/// A rule of the model to be: packets of one region, if all conditions hold.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Drawn {
    region: Region,
    conditions: Vec<Condition>,
    allow: bool,
}

impl Drawn {
    /// Makes the rule.
    pub(super) fn rule(&self, comment: Option<&str>, store: &mut Store) -> (RuleId, Vec<OpaqueId>) {
        let Self { region, conditions, allow } = self;
        let mut draft = Draft::new(Families::only(region.family()));
        for (field, set) in region.sets() {
            match field {
                Field::Source | Field::Destination => draft.addresses(*field, region.family(), set),
                Field::Protocol
                | Field::SourcePort
                | Field::DestinationPort
                | Field::Input
                | Field::Output
                | Field::State
                | Field::TcpFlags
                | Field::LaterFragment => draft.restrict(*field, set),
            }
        }
        let mut opaques = Vec::with_capacity(conditions.len());
        for condition in conditions {
            let opaque = condition.intern(store);
            draft.require(Literal { opaque, holds: condition.holds });
            opaques.push(opaque);
        }
        if let Some(comment) = comment {
            draft.comment(store.symbol(comment.as_bytes()));
        }
        (store.rule(draft, if *allow { Action::Accept } else { Action::Deny }), opaques)
    }

    /// The rule in words.
    pub(super) fn show(&self) -> String {
        let Self { region, conditions, allow } = self;
        let conditions = conditions.iter().map(|c| (c.holds, c.shown.as_deref().unwrap_or(&c.text)));
        let verb = if *allow { "allow" } else { "deny" };
        format!("{verb} {}{}", show_region(region, &NoNames), show_conditions(conditions))
    }
}

/// The packets that come to a cloud firewall: no interfaces are told, and later fragments go the way of the first.
/// One that tracks connections decides those that begin one; what belongs to one passes by itself.
pub(super) fn domain(tracks: bool, families: &[Family]) -> Vec<Region> {
    let none = Set::point(0);
    let region = |family: &Family| {
        let region =
            Region::all(*family).with(Field::Input, &none).with(Field::Output, &none).with(Field::LaterFragment, &none);
        if tracks { region.with(Field::State, &Set::point(State::New.value())) } else { region }
    };
    families.iter().map(region).collect()
}
