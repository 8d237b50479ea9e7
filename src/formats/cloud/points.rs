//! The decision points of a configuration in the making, and the objects beside them.

use super::line::{Condition, Drawn, Line, Peer, Service, domain};
use super::{Account, Instance};
use crate::model::{Action, Configuration, Families, Filter, Object, Stage, Store, Table, TableId};
use crate::net::Family;
use crate::text::{Span, escape};
use std::collections::{BTreeMap, BTreeSet};

/// Which packets a decision point sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Direction {
    /// Those to the hosts behind it.
    Ingress,
    /// Those from them.
    Egress,
}

impl Direction {
    /// Both.
    pub(super) const BOTH: [Self; 2] = [Self::Ingress, Self::Egress];

    /// The name of the chain.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Ingress => "ingress",
            Self::Egress => "egress",
        }
    }
}

/// What a decision point does, whatever its rules are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Manner {
    /// Whether packets pass where it does not exist.
    pub(super) absent: bool,
    /// Whether packets pass that no rule decides.
    pub(super) otherwise: bool,
    /// Whether it tracks connections, so that only what begins one is decided.
    pub(super) tracks: bool,
    /// Whether the first rule that matches decides. Otherwise all rules allow, and their order means nothing.
    pub(super) ordered: bool,
    /// Whether it sees IPv6 packets too.
    pub(super) ipv6: bool,
}

impl Manner {
    /// A group of rules that allow: nothing else passes, and nothing without it; connections are tracked.
    pub(super) const GROUP: Self = Self { absent: false, otherwise: false, tracks: true, ordered: false, ipv6: true };
}

/// A decision point.
#[derive(Debug)]
struct Point {
    manner: Manner,
    /// Where it is declared.
    declared: Option<Span>,
    /// Where it is said what happens otherwise.
    otherwise_at: Option<Span>,
    lines: Vec<Line>,
}

/// All decision points of a configuration, by the address of what they are of and the direction.
#[derive(Debug, Default)]
pub(super) struct Points {
    points: BTreeMap<(String, Direction), Point>,
}

impl Points {
    /// There is such a point. What is said first counts, except that it is declared.
    pub(super) fn declare(&mut self, address: &str, direction: Direction, manner: Manner, at: Span) {
        let point = self.point(address, direction, manner);
        point.manner = manner;
        point.declared = Some(at);
    }

    /// Says what happens otherwise.
    pub(super) fn otherwise(&mut self, address: &str, direction: Direction, pass: bool, at: Option<Span>) {
        if let Some(point) = self.points.get_mut(&(escape(address.as_bytes()), direction)) {
            point.manner.otherwise = pass;
            point.otherwise_at = at;
        }
    }

    /// A rule is there under these conditions, and where it is, nothing passes that no rule lets pass.
    pub(super) fn close(&mut self, address: &str, direction: Direction, conditions: &[Condition], at: Span) {
        if conditions.is_empty() {
            return self.otherwise(address, direction, false, None);
        }
        if let Some(point) = self.points.get_mut(&(escape(address.as_bytes()), direction)) {
            let mut line = Line::new(false, at);
            line.rank = i128::MAX;
            (line.sources, line.destinations, line.services) = (vec![Peer::Any], vec![Peer::Any], vec![Service::ANY]);
            line.conditions = conditions.to_vec();
            point.manner.ordered = true;
            point.lines.push(line);
        }
    }

    /// Adds a rule, at a point that may not be declared here: then it is as `manner` says.
    pub(super) fn add(&mut self, address: &str, direction: Direction, manner: Manner, line: Line) {
        self.point(address, direction, manner).lines.push(line);
    }

    /// How many rules a point has that match anything.
    pub(super) fn count(&self, address: &str, direction: Direction) -> usize {
        let point = self.points.get(&(escape(address.as_bytes()), direction));
        point.map_or(0, |point| point.lines.iter().filter(|line| line.matches()).count())
    }

    fn point(&mut self, address: &str, direction: Direction, manner: Manner) -> &mut Point {
        let empty = || Point { manner, declared: None, otherwise_at: None, lines: Vec::new() };
        self.points.entry((escape(address.as_bytes()), direction)).or_insert_with(empty)
    }

    /// Puts tables, chains and filters into the configuration.
    pub(super) fn finish(self, configuration: &mut Configuration, store: &mut Store) {
        let mut opaques: BTreeMap<_, Span> = BTreeMap::new();
        for ((address, direction), point) in self.points {
            let Point { manner, declared, otherwise_at, lines } = point;
            if configuration.tables.last().is_none_or(|table| table.name != address) {
                configuration.tables.push(Table::new(address.clone()));
            }
            let at = TableId(u32::try_from(configuration.tables.len() - 1).expect("fewer than 2^32 tables"));
            let name = store.symbol(direction.name().as_bytes());
            let table = configuration.tables.last_mut().expect("one has just been added");
            let id = table.chain(name);
            let chain = table.chains.last_mut().expect("it has just been made");
            chain.declared = declared;
            for (line, drawn) in in_order(lines, manner.ordered) {
                let comment = line.comment.as_deref();
                for one in &drawn {
                    let (rule, conditions) = one.rule(comment, store);
                    chain.push(rule, line.origin);
                    for condition in conditions {
                        opaques.entry(condition).or_insert(line.origin);
                    }
                }
            }
            // What lets packets pass that nothing decides is told where it is declared, if it is not said.
            let otherwise_at = otherwise_at.or(declared.filter(|_| manner.otherwise));
            let families = if manner.ipv6 { &Family::ALL[..] } else { &[Family::Ipv4] };
            let otherwise = if manner.otherwise { Action::Accept } else { Action::Deny };
            let seen = if manner.ipv6 { Families::BOTH } else { Families::only(Family::Ipv4) };
            configuration.filters.push(Filter {
                id: format!("{}/{address}/{}", configuration.name, direction.name()),
                domain: domain(manner.tracks, families),
                stages: vec![Stage { table: at, chain: id, families: seen, otherwise, otherwise_at }],
                absent: manner.absent,
            });
        }
        configuration.filters.sort_by(|a, b| a.id.cmp(&b.id));
        configuration.opaques.extend(opaques);
    }
}

/// The lines that match anything, each with what it is in the model. Where the order means nothing it is that of the
/// meanings, so that what is written in another order is the same; a rule that is written twice is there once.
fn in_order(lines: Vec<Line>, ordered: bool) -> Vec<(Line, Vec<Drawn>)> {
    let mut all: Vec<(Line, Vec<Drawn>)> =
        lines.into_iter().map(|line| (line.draw(), line)).map(|(d, l)| (l, d)).collect();
    all.retain(|(_, drawn)| !drawn.is_empty());
    if ordered {
        all.sort_by_key(|(line, _)| line.rank);
        return all;
    }
    all.sort_by(|(a, x), (b, y)| x.cmp(y).then(a.origin.cmp(&b.origin)));
    all.dedup_by(|(_, a), (_, b)| a == b);
    all
}

/// The meaning of some rules in words: what the object of a rule says.
pub(super) fn meaning(lines: &[Line]) -> String {
    let shown: BTreeSet<String> = lines.iter().flat_map(Line::draw).map(|drawn| drawn.show()).collect();
    shown.into_iter().collect::<Vec<_>>().join("; ")
}

/// Something that is declared.
pub(super) fn object(kind: &'static str, instance: &Instance, content: String) -> Object {
    let address = escape(instance.address.as_bytes());
    let (owner, stays) = (super::content::owner(&instance.body), super::content::stays(&instance.body));
    Object { owner, stays, ..Object::new(kind, address, content, instance.origin) }
}

/// The condition that something is there at all.
pub(super) fn existence(name: &str) -> Condition {
    Condition::new(format!("{name} is there"))
}

/// What each rank of ordered rules is given to.
#[derive(Debug, Default)]
pub(super) struct Ranks(BTreeMap<(String, Direction, i128), Line>);

impl Ranks {
    /// Whether the rule is another one than those before: two of one rank that say the same are one. Otherwise there is no
    /// telling which comes first, and the provider refuses the second.
    pub(super) fn take(
        &mut self,
        of: &str,
        direction: Direction,
        line: &Line,
        rank: &str,
        account: &mut Account,
    ) -> bool {
        let key = (of.to_owned(), direction, line.rank);
        match self.0.get(&key) {
            None => {
                self.0.insert(key, line.clone());
                true
            }
            Some(other) if other.draw() == line.draw() => false,
            Some(other) => {
                if other.conditions.is_empty() && line.conditions.is_empty() {
                    let reason = format!("the {rank} {} is given twice in `{}`", line.rank, escape(of.as_bytes()));
                    account.gap(line.origin, reason);
                }
                true
            }
        }
    }
}
