//! A first look at all rules: what they write that others read, what leads where, and what asks for fragments.

use super::stateful;
use super::terms::Truth;
use crate::formats::nftables::ruleset::{Chain, Placed, Ruleset, Set, Table};
use crate::formats::nftables::runs::Shapes;
use crate::formats::nftables::syntax::{
    CtKey, Expression, ExtensionField, FibFlag, Field, Jump, Kind, MetaKey, Nat, ObjectKind, Rule, SetData, Statement,
    StatementKind, Verdict,
};
use std::collections::{BTreeSet, HashMap, HashSet};

/// What was seen, by the numbers of tables and chains.
#[derive(Debug, Default)]
pub(super) struct Survey {
    pub(super) tables: Vec<Vec<Seen>>,
    /// Something asks whether a packet is a fragment.
    pub(super) fragments: bool,
    /// Something is written that a condition may read.
    pub(super) writes: bool,
    /// Something translates, or changes what is tracked.
    pub(super) beside: bool,
    /// Something exempts packets from tracking, or says how they are tracked.
    pub(super) told: bool,
    /// The sets whose elements have buckets that lookups take from.
    pub(super) limited: HashSet<String>,
}

/// What a chain does.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// What its rules write, and which of them does.
    pub(super) writes: Vec<(Truth, usize)>,
    /// What of that its rules ask for.
    pub(super) reads: BTreeSet<Truth>,
    pub(super) beside: bool,
    /// A rule of it asks for something of a connection.
    pub(super) connections: bool,
    /// A rule of it says how packets are tracked, or whether.
    told: bool,
    /// A rule of it may drop a packet.
    pub(super) denies: bool,
    /// The chains that its rules lead to, and which of them does.
    calls: Vec<(Vec<u8>, usize)>,
}

impl Survey {
    pub(super) fn of(ruleset: &Ruleset<'_>) -> Self {
        let mut survey = Self::default();
        for table in &ruleset.tables {
            let mut chains = Vec::with_capacity(table.chains.len());
            let mut limited: HashSet<&[u8]> =
                table.sets.iter().filter(|set| is_limited(set)).map(|set| &*set.head.path.name.text).collect();
            let mut lookups = Vec::new();
            for (number, chain) in table.chains.iter().enumerate() {
                let mut seen = Seen::default();
                let mut look = Look { table, seen: &mut seen, fragments: false, lookups: Vec::new(), limited };
                look.chain(chain, &ruleset.shapes);
                survey.fragments |= look.fragments;
                lookups.extend(look.lookups.into_iter().map(|(set, rule)| (number, set, rule)));
                limited = look.limited;
                survey.beside |= seen.beside;
                survey.told |= seen.told;
                chains.push(seen);
            }
            for (chain, set, rule) in lookups.into_iter().filter(|(_, set, _)| limited.contains(set)) {
                chains[chain].writes.push((Truth::Bucket(super::names::in_table(table, set)), rule));
            }
            survey.writes |= chains.iter().any(|seen| !seen.writes.is_empty());
            survey.limited.extend(limited.into_iter().map(|set| super::names::in_table(table, set)));
            survey.tables.push(chains);
        }
        survey
    }

    /// The ways to these rules of a table, each a chain and a number.
    pub(super) fn ways(&self, table: &Table<'_>, number: usize, holders: &[(usize, usize)]) -> Ways {
        let calls = self.calls(table, number);
        let mut callers = vec![Vec::new(); calls.len()];
        for (chain, called) in calls.iter().enumerate() {
            for (to, _) in called {
                callers[*to].push(chain);
            }
        }
        let chains: Vec<usize> = holders.iter().map(|(chain, _)| *chain).collect();
        let leading = spread(calls.len(), &chains, |chain| callers[chain].clone());
        let mut rules = vec![BTreeSet::new(); calls.len()];
        for (chain, rule) in holders {
            rules[*chain].insert(*rule);
        }
        for (chain, called) in calls.iter().enumerate() {
            rules[chain].extend(called.iter().filter(|(to, _)| leading[*to]).map(|(_, rule)| *rule));
        }
        let lengths = table.chains.iter().map(|chain| chain.rules.len()).collect();
        Ways { calls, rules, lengths }
    }

    /// These chains of a table and all that they lead to.
    pub(super) fn reached_from(&self, table: &Table<'_>, number: usize, starts: &[usize]) -> Vec<bool> {
        let calls = self.calls(table, number);
        spread(calls.len(), starts, |chain| calls[chain].iter().map(|(to, _)| *to).collect())
    }

    /// The chains that each chain of a table leads to, and the rules that do.
    fn calls(&self, table: &Table<'_>, number: usize) -> Vec<Vec<(usize, usize)>> {
        let seen = self.tables.get(number).map_or(&[][..], Vec::as_slice);
        let numbers: HashMap<&[u8], usize> =
            table.chains.iter().enumerate().map(|(number, chain)| (&*chain.name.text, number)).collect();
        let called = |(name, rule): &(Vec<u8>, usize)| Some((*numbers.get(name.as_slice())?, *rule));
        seen.iter().map(|seen| seen.calls.iter().filter_map(called).collect()).collect()
    }
}

/// How packets come to some rules of a table.
#[derive(Debug)]
pub(super) struct Ways {
    calls: Vec<Vec<(usize, usize)>>,
    /// Of each chain those rules, and the rules that lead to a chain of them; none: no packet comes there through it.
    pub(super) rules: Vec<BTreeSet<usize>>,
    lengths: Vec<usize>,
}

impl Ways {
    /// Whether packets come there through that chain.
    pub(super) fn through(&self, chain: usize) -> bool {
        !self.rules[chain].is_empty()
    }

    /// Of each chain how many of its first rules can decide whether a packet comes there: those up to the last on a way, and
    /// all of the chains that a packet comes through before.
    pub(super) fn before(&self) -> Vec<usize> {
        let count = self.calls.len();
        let last = |chain: usize| self.rules[chain].last().copied().unwrap_or_default();
        let to =
            |chain: usize, way: bool| self.calls[chain].iter().filter(move |(to, _)| self.through(*to) == way).copied();
        // Who comes back from there may go there once more.
        let twice = |chain: usize| to(chain, true).filter(move |(_, rule)| *rule < last(chain)).map(|(to, _)| to);
        let ways: Vec<usize> = (0..count).filter(|chain| self.through(*chain)).collect();
        let again: Vec<usize> = ways.iter().flat_map(|chain| twice(*chain)).collect();
        let whole = spread(count, &again, |chain| to(chain, true).map(|(to, _)| to).collect());
        let aside = |chain: usize| {
            let all = whole[chain];
            to(chain, false).filter(move |(_, rule)| all || *rule < last(chain)).map(|(to, _)| to)
        };
        let aside: Vec<usize> = ways.iter().flat_map(|chain| aside(*chain)).collect();
        let aside = spread(count, &aside, |chain| self.calls[chain].iter().map(|(to, _)| *to).collect());
        let of = |chain: usize| match self.through(chain) {
            _ if whole[chain] || aside[chain] => self.lengths[chain],
            true => last(chain) + 1,
            false => 0,
        };
        (0..count).map(of).collect()
    }
}

fn spread(count: usize, starts: &[usize], next: impl Fn(usize) -> Vec<usize>) -> Vec<bool> {
    let mut seen = vec![false; count];
    let mut todo = starts.to_vec();
    while let Some(chain) = todo.pop() {
        match seen.get_mut(chain) {
            Some(was) if !*was => *was = true,
            Some(_) | None => continue,
        }
        todo.extend(next(chain));
    }
    seen
}

/// Whether something in the elements of a set keeps packets from them.
fn is_limited(set: &Set<'_>) -> bool {
    let mut elements = set.changes.iter().flat_map(|change| &change.elements.others);
    stateful::are_limited(&[], &set.head.statements) || elements.any(|one| stateful::are_limited(&one.options, &[]))
}

struct Look<'s, 'r, 't> {
    table: &'r Table<'t>,
    seen: &'s mut Seen,
    fragments: bool,
    /// The sets that rules look into, and which rule does.
    lookups: Vec<(&'r [u8], usize)>,
    limited: HashSet<&'r [u8]>,
}

impl<'r> Look<'_, 'r, '_> {
    fn chain(&mut self, chain: &Chain<'_>, shapes: &Shapes<'_>) {
        for (number, placed) in chain.rules.iter().enumerate() {
            match placed {
                Placed::Rule(_, rule) => self.rule(rule, number),
                Placed::Run(run) => {
                    let before = self.lookups.len();
                    run.shapes.iter().for_each(|shape| self.rule(&shapes.get(*shape).rule, number));
                    // Several lines may be of one shape.
                    self.lookups.extend_from_within(before..);
                }
            }
        }
    }

    fn rule(&mut self, rule: &Rule<'_>, number: usize) {
        for statement in &rule.statements {
            self.statement(statement, number);
        }
    }

    fn writes(&mut self, truth: Truth, rule: usize) {
        let mut own = self.seen.writes.iter().rev().take_while(|(_, other)| *other == rule);
        if own.all(|(written, _)| *written != truth) {
            self.seen.writes.push((truth, rule));
        }
    }

    /// Looks into a set.
    fn lookup(&mut self, set: &[u8], rule: usize) -> Option<&'r [u8]> {
        let name = &*self.table.set(set)?.head.path.name.text;
        self.lookups.push((name, rule));
        Some(name)
    }

    /// Takes from the bucket of an object; where a map names it, it may be any of the kind.
    fn takes(&mut self, kind: ObjectKind, name: &Expression<'_>, rule: usize) {
        self.expression(name, rule);
        let table = self.table;
        self.seen.writes.push((stateful::any_bucket(table, kind), rule));
        match stateful::bucket(table, kind, name) {
            Some(bucket) => self.seen.writes.push((bucket, rule)),
            None => {
                let all = table.objects.iter().filter(|object| object.data.kind() == kind);
                let all = all.map(|object| stateful::named_bucket(table, kind, &object.path.name.text));
                self.seen.writes.extend(all.map(|bucket| (bucket, rule)));
            }
        }
    }

    fn verdict(&mut self, verdict: &Verdict<'_>, rule: usize) {
        match verdict {
            Verdict::Drop => self.seen.denies = true,
            Verdict::Jump(Jump::Chain(name)) | Verdict::Goto(Jump::Chain(name)) => {
                self.seen.calls.push((name.text.to_vec(), rule));
            }
            Verdict::Jump(Jump::Block(rules)) | Verdict::Goto(Jump::Block(rules)) => {
                rules.iter().for_each(|inner| self.rule(inner, rule));
            }
            Verdict::Accept | Verdict::Continue | Verdict::Return => {}
        }
    }

    fn statement(&mut self, statement: &Statement<'_>, rule: usize) {
        use StatementKind as S;
        match &statement.kind {
            S::Match(_, left, right) => [left, right].into_iter().for_each(|side| self.expression(side, rule)),
            S::Verdict(verdict) => self.verdict(verdict, rule),
            S::VerdictMap(key, map) => {
                self.expression(key, rule);
                self.expression(map, rule);
                self.verdicts(map, rule);
            }
            S::Reject(_) | S::Queue { .. } | S::Synproxy(_) | S::SynproxyReference(_) => self.seen.denies = true,
            S::Xt(_, _) => {
                self.seen.denies = true;
                self.seen.told = true;
            }
            S::Forward { .. } => self.seen.denies = true,
            S::Nat(Nat { kind: _, family: _, address, port, flags: _, netmap: _ }) => {
                self.seen.beside = true;
                [address, port].into_iter().flatten().for_each(|value| self.expression(value, rule));
            }
            S::Tproxy { family: _, address, port } => {
                self.seen.beside = true;
                [address, port].into_iter().flatten().for_each(|value| self.expression(value, rule));
            }
            S::Dup { to, device } => {
                self.seen.beside = true;
                [to, device].into_iter().flatten().for_each(|value| self.expression(value, rule));
            }
            S::FlowOffload(_) => self.seen.beside = true,
            S::Notrack => {
                self.seen.beside = true;
                self.seen.told = true;
            }
            S::CtHelper(name) | S::CtTimeout(name) | S::CtExpectation(name) => {
                self.seen.beside = true;
                self.seen.told = true;
                self.expression(name, rule);
            }
            S::Set(left, value) => {
                self.expression(value, rule);
                let Written { truths, beside } = written(left);
                truths.iter().for_each(|truth| self.writes(truth.clone(), rule));
                self.seen.beside |= beside;
                self.seen.told |= beside && matches!(left.resolved().kind, Kind::Ct(_, _));
            }
            S::ResetOption(_) => OPTIONS.iter().for_each(|truth| self.writes(truth.clone(), rule)),
            S::Secmark(_) => self.writes(Truth::Class, rule),
            S::LimitReference(name) => self.takes(ObjectKind::Limit, name, rule),
            S::QuotaReference(name) => self.takes(ObjectKind::Quota, name, rule),
            S::SetStatement { action: _, set, key: _, options, value: _, statements } => {
                let of = super::names::in_table(self.table, &set.text);
                self.writes(Truth::Set(of), rule);
                if let Some(set) = self.lookup(&set.text, rule)
                    && stateful::are_limited(options, statements)
                {
                    self.limited.insert(set);
                }
            }
            S::Meter { name, size: _, key: _, options: _, statements: _ } => {
                let of = super::names::in_table(self.table, &name.text);
                self.writes(Truth::Set(of.clone()), rule);
                self.seen.writes.push((Truth::Bucket(of), rule));
            }
            S::Counter { .. }
            | S::CounterReference(_)
            | S::Limit(_)
            | S::Quota(_)
            | S::ConnectionLimit { .. }
            | S::Last(_)
            | S::Log(_) => {}
        }
    }

    /// The verdicts of a map lead to chains and drop packets.
    fn verdicts(&mut self, map: &Expression<'_>, rule: usize) {
        match &map.resolved().kind {
            Kind::Set(elements) => {
                for element in &elements.others {
                    self.value(element.value.as_ref(), rule);
                }
            }
            Kind::SetReference(name) => {
                let table = self.table;
                if let Some(set) = table.set(&name.text)
                    && let Some(SetData::Types(_, _) | SetData::TypeOf(_, _)) = &set.head.data
                {
                    for element in set.changes.iter().flat_map(|change| &change.elements.others) {
                        self.value(element.value.as_ref(), rule);
                    }
                }
            }
            _ => {}
        }
    }

    fn value(&mut self, value: Option<&Expression<'_>>, rule: usize) {
        if let Some(Kind::Verdict(verdict)) = value.map(|value| &value.resolved().kind) {
            self.verdict(verdict, rule);
        }
    }

    fn expression(&mut self, expression: &Expression<'_>, rule: usize) {
        self.seen.reads.extend(read(&expression.kind));
        match &expression.kind {
            Kind::Variable(_, value) => self.expression(value, rule),
            Kind::SetReference(set) => drop(self.lookup(&set.text, rule)),
            Kind::Payload(Field::IpFragOff)
            | Kind::Extension(
                ExtensionField::FragmentFragOff | ExtensionField::FragmentMoreFragments | ExtensionField::FragmentId,
                _,
            ) => self.fragments = true,
            Kind::Ct(_, _) => self.seen.connections = true,
            Kind::ExtensionHeader(header) => self.fragments |= **header == *b"frag",
            Kind::Concatenation(parts) => parts.iter().for_each(|part| self.expression(part, rule)),
            Kind::Binary(_, left, right) | Kind::Map(left, right) => {
                self.expression(left, rule);
                self.expression(right, rule);
            }
            _ => {}
        }
    }
}

/// What a statement changes that is read elsewhere.
pub(super) struct Written {
    pub(super) truths: &'static [Truth],
    /// Addresses or ports, or how a packet is tracked: packets look otherwise to what comes later.
    pub(super) beside: bool,
}

/// What is written with an option of TCP.
const OPTIONS: &[Truth] = &[Truth::Options, Truth::Payload];

/// What `… set …` writes.
pub(super) fn written(left: &Expression<'_>) -> Written {
    let truths = |truths| Written { truths, beside: false };
    let beside = |truths| Written { truths, beside: true };
    match &left.resolved().kind {
        Kind::Meta(MetaKey::Mark) | Kind::Ct(CtKey::Mark | CtKey::Label, _) => truths(&[Truth::Marks]),
        Kind::Meta(_) | Kind::Ct(CtKey::Secmark, _) => truths(&[Truth::Class]),
        Kind::Ct(CtKey::Zone | CtKey::Helper, _) => beside(&[]),
        Kind::Ct(_, _) => truths(&[]),
        Kind::Payload(Field::IpTtl | Field::Ip6Hoplimit) => truths(&[Truth::Hops, Truth::Payload]),
        Kind::Payload(Field::IpDscp | Field::Ip6Dscp | Field::IpEcn | Field::Ip6Ecn) => {
            truths(&[Truth::Service, Truth::Payload])
        }
        Kind::Payload(
            Field::IpSaddr
            | Field::IpDaddr
            | Field::Ip6Saddr
            | Field::Ip6Daddr
            | Field::TcpSport
            | Field::TcpDport
            | Field::UdpSport
            | Field::UdpDport
            | Field::UdpliteSport
            | Field::UdpliteDport
            | Field::SctpSport
            | Field::SctpDport
            | Field::DccpSport
            | Field::DccpDport
            | Field::TransportSport
            | Field::TransportDport
            | Field::TcpFlags
            | Field::IpProtocol
            | Field::Ip6Nexthdr
            | Field::IcmpType
            | Field::IcmpCode
            | Field::Icmpv6Type
            | Field::Icmpv6Code
            | Field::IpFragOff,
        ) => beside(&[Truth::Payload]),
        Kind::RawPayload { .. } => beside(&[Truth::Hops, Truth::Service, Truth::Options, Truth::Payload]),
        Kind::TcpOption { .. } | Kind::RawTcpOption { .. } => truths(OPTIONS),
        _ => truths(&[Truth::Payload]),
    }
}

/// What of that an expression asks for, without its parts.
fn read(kind: &Kind<'_>) -> Option<Truth> {
    Some(match kind {
        Kind::Meta(MetaKey::Mark) | Kind::Ct(CtKey::Mark | CtKey::Label, _) => Truth::Marks,
        Kind::Meta(MetaKey::Priority | MetaKey::Pkttype | MetaKey::Secmark) | Kind::Ct(CtKey::Secmark, _) => {
            Truth::Class
        }
        Kind::Fib { flags, result: _ } if flags.contains(&FibFlag::Mark) => Truth::Marks,
        Kind::Payload(Field::IpTtl | Field::Ip6Hoplimit) => Truth::Hops,
        Kind::Payload(Field::IpDscp | Field::Ip6Dscp | Field::IpEcn | Field::Ip6Ecn) => Truth::Service,
        Kind::Payload(_) | Kind::RawPayload { .. } => Truth::Payload,
        Kind::TcpOption { .. } | Kind::RawTcpOption { .. } => Truth::Options,
        _ => return None,
    })
}
