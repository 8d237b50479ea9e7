//! A first look at all rules: what they write that others read, what leads where, and what asks for fragments.

use super::terms::Truth;
use crate::formats::nftables::ruleset::{Chain, Placed, Ruleset, Table};
use crate::formats::nftables::runs::Shapes;
use crate::formats::nftables::syntax::{
    CtKey, Expression, ExtensionField, Field, Jump, Kind, MetaKey, Rule, SetData, Statement, StatementKind, Verdict,
};
use std::collections::HashMap;

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
}

/// What a chain does.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) writes: Vec<(Truth, usize)>,
    pub(super) beside: bool,
    /// A rule of it asks for the state of a connection.
    pub(super) states: bool,
    /// A rule of it may drop a packet.
    pub(super) denies: bool,
    /// The chains that its rules lead to.
    pub(super) calls: Vec<Vec<u8>>,
}

impl Survey {
    pub(super) fn of(ruleset: &Ruleset<'_>) -> Self {
        let mut survey = Self::default();
        for table in &ruleset.tables {
            let mut chains = Vec::with_capacity(table.chains.len());
            for chain in &table.chains {
                let mut seen = Seen::default();
                let mut look = Look { table, seen: &mut seen, fragments: false };
                look.chain(chain, &ruleset.shapes);
                survey.fragments |= look.fragments;
                survey.writes |= !seen.writes.is_empty();
                survey.beside |= seen.beside;
                chains.push(seen);
            }
            survey.tables.push(chains);
        }
        survey
    }

    /// These chains of a table and all from which one of them can be reached.
    pub(super) fn leading_to(&self, table: &Table<'_>, number: usize, holders: &[usize]) -> Vec<bool> {
        let seen = self.tables.get(number).map_or(&[][..], Vec::as_slice);
        let mut callers: HashMap<&[u8], Vec<usize>> = HashMap::new();
        for (chain, seen) in seen.iter().enumerate() {
            for name in &seen.calls {
                callers.entry(name).or_default().push(chain);
            }
        }
        spread(seen.len(), holders, |chain| {
            table.chains.get(chain).and_then(|chain| callers.get(&*chain.name.text)).cloned().unwrap_or_default()
        })
    }

    /// These chains of a table and all that they lead to.
    pub(super) fn reached_from(&self, table: &Table<'_>, number: usize, starts: &[usize]) -> Vec<bool> {
        let seen = self.tables.get(number).map_or(&[][..], Vec::as_slice);
        let numbers: HashMap<&[u8], usize> =
            table.chains.iter().enumerate().map(|(number, chain)| (&*chain.name.text, number)).collect();
        spread(seen.len(), starts, |chain| {
            let calls = seen.get(chain).map_or(&[][..], |seen| seen.calls.as_slice());
            calls.iter().filter_map(|name| numbers.get(name.as_slice()).copied()).collect()
        })
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

struct Look<'s, 'r, 't> {
    table: &'r Table<'t>,
    seen: &'s mut Seen,
    fragments: bool,
}

impl Look<'_, '_, '_> {
    fn chain(&mut self, chain: &Chain<'_>, shapes: &Shapes<'_>) {
        for (number, placed) in chain.rules.iter().enumerate() {
            match placed {
                Placed::Rule(_, rule) => self.rule(rule, number),
                Placed::Run(run) => run.shapes.iter().for_each(|shape| self.rule(&shapes.get(*shape).rule, number)),
            }
        }
    }

    fn rule(&mut self, rule: &Rule<'_>, number: usize) {
        for statement in &rule.statements {
            self.statement(statement, number);
        }
    }

    fn writes(&mut self, truth: Truth, rule: usize) {
        if self.seen.writes.last() != Some(&(truth.clone(), rule)) {
            self.seen.writes.push((truth, rule));
        }
    }

    fn verdict(&mut self, verdict: &Verdict<'_>, rule: usize) {
        match verdict {
            Verdict::Drop => self.seen.denies = true,
            Verdict::Jump(Jump::Chain(name)) | Verdict::Goto(Jump::Chain(name)) => {
                self.seen.calls.push(name.text.to_vec());
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
            S::Match(_, left, _) => self.expression(left),
            S::Verdict(verdict) => self.verdict(verdict, rule),
            S::VerdictMap(key, map) => {
                self.expression(key);
                self.verdicts(map, rule);
            }
            S::Reject(_) | S::Queue { .. } | S::Synproxy(_) | S::SynproxyReference(_) | S::Xt(_, _) => {
                self.seen.denies = true;
            }
            S::Forward { .. } => self.seen.denies = true,
            S::Nat(_) | S::Tproxy { .. } | S::Notrack | S::FlowOffload(_) => self.seen.beside = true,
            S::CtHelper(_) | S::CtTimeout(_) | S::CtExpectation(_) => self.seen.beside = true,
            S::Set(left, _) => match written(left) {
                Written::Truth(truth) => self.writes(truth, rule),
                Written::Beside => self.seen.beside = true,
                Written::Nothing => {}
            },
            S::SetStatement { action: _, set, key: _, options: _, value: _, statements: _ } => {
                let of = super::names::in_table(self.table, &set.text);
                self.writes(Truth::Set(of), rule);
            }
            S::Meter { name, size: _, key: _, options: _, statements: _ } => {
                let of = super::names::in_table(self.table, &name.text);
                self.writes(Truth::Set(of), rule);
            }
            S::Counter { .. }
            | S::CounterReference(_)
            | S::Limit(_)
            | S::LimitReference(_)
            | S::Quota(_)
            | S::QuotaReference(_)
            | S::ConnectionLimit { .. }
            | S::Last(_)
            | S::Log(_)
            | S::Dup { .. }
            | S::ResetOption(_)
            | S::Secmark(_) => {}
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

    fn expression(&mut self, expression: &Expression<'_>) {
        match &expression.kind {
            Kind::Variable(_, value) => self.expression(value),
            Kind::Payload(Field::IpFragOff)
            | Kind::Extension(
                ExtensionField::FragmentFragOff | ExtensionField::FragmentMoreFragments | ExtensionField::FragmentId,
                _,
            ) => self.fragments = true,
            Kind::Ct(CtKey::State, _) => self.seen.states = true,
            Kind::ExtensionHeader(header) => self.fragments |= **header == *b"frag",
            Kind::Concatenation(parts) => parts.iter().for_each(|part| self.expression(part)),
            Kind::Binary(_, left, right) | Kind::Map(left, right) => {
                self.expression(left);
                self.expression(right);
            }
            _ => {}
        }
    }
}

/// What a statement changes that is read elsewhere.
pub(super) enum Written {
    Truth(Truth),
    /// Addresses or ports: packets look otherwise to what comes later.
    Beside,
    Nothing,
}

/// What `… set …` writes.
pub(super) fn written(left: &Expression<'_>) -> Written {
    match &left.resolved().kind {
        Kind::Meta(MetaKey::Mark) | Kind::Ct(CtKey::Mark | CtKey::Label, _) => Written::Truth(Truth::Marks),
        Kind::Ct(CtKey::Zone | CtKey::Helper, _) => Written::Beside,
        Kind::Payload(Field::IpTtl | Field::Ip6Hoplimit) => Written::Truth(Truth::Hops),
        Kind::Payload(Field::IpDscp | Field::Ip6Dscp | Field::IpEcn | Field::Ip6Ecn) => Written::Truth(Truth::Service),
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
        )
        | Kind::RawPayload { .. } => Written::Beside,
        _ => Written::Nothing,
    }
}
