//! What a rule demands of a packet and does with it, statement by statement (nft(8), STATEMENTS).

use super::arguments::{Refused, queue_key, queue_number};
use super::conditions::{Part, settle};
use super::context::{Context, name_of};
use super::selectors::is_protocol;
use super::sets::Contents;
use super::statements;
use super::survey::{Written, written};
use super::terms::{Any, Term, Truth};
use super::text;
use super::values::{self, values};
use crate::formats::Disposition;
use crate::formats::nftables::account::Account;
use crate::formats::nftables::ruleset::Table;
use crate::formats::nftables::syntax::{
    self, Expression, Jump, Kind, Name, Nat, NatKind, ObjectKind, Reject, Rule, Statement, StatementKind,
};
use crate::formats::nftables::types::{self, Type};
use crate::model::{Action, Families};
use crate::net::Family;
use crate::text::Span;
use std::collections::{BTreeSet, HashMap, HashSet};

/// A condition of a rule and how it reads.
#[derive(Debug, Clone)]
pub(super) struct Condition {
    pub(super) any: Any,
    pub(super) text: String,
    pub(super) at: Span,
}

/// What a rule does with the packets it matches.
#[derive(Debug, Clone)]
pub(super) enum Verdict<'r, 't> {
    Action(Action),
    Jump(&'r Name<'t>),
    Goto(&'r Name<'t>),
    /// A chain without a name.
    Block(&'r [Rule<'t>], bool),
    /// Somebody outside the rules lets the packet pass or not: the key and the text of it.
    Elsewhere(String, String),
    /// Nobody knows: it passes, is gone or goes on.
    Any(String),
}

/// One way through a rule.
#[derive(Debug, Clone)]
pub(super) struct Outcome<'r, 't> {
    pub(super) conditions: Vec<Condition>,
    pub(super) verdict: Verdict<'r, 't>,
}

/// What a rule changes for the conditions of other rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Beside {
    /// Addresses are rewritten. `early`: before the filters decide.
    Translation {
        early: bool,
    },
    Tracking,
    /// Copies go elsewhere.
    Copy,
    /// The hop limit of packets is another, and may run out.
    Hops,
    /// Later packets of the connection pass by all chains.
    Offload,
}

/// A rule, understood.
#[derive(Debug)]
pub(super) struct Meant<'r, 't> {
    pub(super) outcomes: Vec<Outcome<'r, 't>>,
    pub(super) beside: Option<Beside>,
    /// It leaves a trace before it decides: a log entry, a mark, an element.
    pub(super) writes: bool,
    /// nft would not take the rule.
    pub(super) refused: bool,
    pub(super) at: Span,
    /// Its conditions and what it does, in one way of writing.
    pub(super) conditions: String,
    pub(super) text: String,
    /// The sets that it names.
    pub(super) sets: BTreeSet<Vec<u8>>,
    /// What its values are made of that rules write.
    valued: BTreeSet<Truth>,
    pub(super) claims: Vec<(Span, Result<Disposition, String>)>,
}

impl Meant<'_, '_> {
    /// What it reads of what rules write.
    pub(super) fn reads(&self) -> BTreeSet<Truth> {
        let mut reads = self.valued.clone();
        let conditions = self.outcomes.iter().flat_map(|outcome| &outcome.conditions);
        for term in conditions.flat_map(|condition| &condition.any).flatten() {
            if let Term::Opaque(unknown) = term
                && !matches!(unknown.truth, Truth::Packet | Truth::Occurrence)
                && !reads.contains(&unknown.truth)
            {
                reads.insert(unknown.truth.clone());
            }
        }
        reads
    }
}

/// What a rule is read against.
#[derive(Debug, Clone, Copy)]
pub(super) struct Env<'e, 'r, 't> {
    pub(super) table: &'r Table<'t>,
    /// What the named sets of the table hold.
    pub(super) sets: &'e HashMap<&'r [u8], Contents<'r, 't>>,
    /// Those that rules add to.
    pub(super) dynamic: &'e HashSet<String>,
    /// Those whose elements have buckets.
    pub(super) limited: &'e HashSet<String>,
    pub(super) fragments: bool,
    /// The chain runs before packets are tracked.
    pub(super) early: bool,
    /// Rules say how packets are tracked.
    pub(super) told: bool,
}

pub(super) type Lowered = Result<Disposition, String>;

/// The reason is reported already, by those who carry out the commands.
pub(super) const SAID: &str = "";

/// More alternatives than this are not written out for one condition.
pub(super) const MOST_ALTERNATIVES: usize = 1_000_000;

/// Understands a rule.
pub(super) fn lower<'r, 't>(env: Env<'_, 'r, 't>, rule: &'r Rule<'t>, account: &mut Account) -> Meant<'r, 't> {
    let mut lowering = Lowering {
        env,
        account,
        context: Context::new(env.table.head.family, env.fragments, env.early, env.told),
        conditions: Vec::new(),
        outcomes: Vec::new(),
        ended: false,
        beside: None,
        effects: Vec::new(),
        writes: false,
        sets: BTreeSet::new(),
        valued: BTreeSet::new(),
        place: None,
    };
    let mut claims = Vec::with_capacity(rule.statements.len());
    let mut refused = false;
    for statement in &rule.statements {
        if lowering.ended {
            // That is said where the commands are carried out.
            claims.push((statement.at, Ok(Disposition::Modelled)));
            continue;
        }
        let lowered = lowering.statement(statement);
        let place = lowering.place.take();
        match lowered {
            Ok(disposition) => claims.push((statement.at, Ok(disposition))),
            Err(reason) => {
                refused = true;
                claims.push((statement.at, Ok(Disposition::Modelled)));
                if reason != SAID {
                    // From there on nothing of the statement is in the model.
                    let rest = |place: Span| Span { end: statement.at.end.max(place.end), ..place };
                    let at = place.filter(|place| place.source == statement.at.source).map(rest);
                    claims.push((at.or(place).unwrap_or(statement.at), Err(reason)));
                }
            }
        }
    }
    let Lowering { conditions, mut outcomes, ended, beside, effects, writes, sets, valued, .. } = lowering;
    let shown = shown(&conditions);
    let text = format!("{shown} -> {}", effects.join(" "));
    if refused {
        // nft takes nothing of the file then; whatever else is said of it, the rule may do anything.
        outcomes = vec![Outcome { conditions: Vec::new(), verdict: Verdict::Any(text.clone()) }];
    } else if !ended && (outcomes.is_empty() || conditions.iter().all(|condition| !condition.any.is_empty())) {
        outcomes.push(Outcome { conditions, verdict: Verdict::Action(Action::Continue) });
    }
    Meant { outcomes, beside, writes, refused, at: rule.at, conditions: shown, text, sets, valued, claims }
}

/// The conditions as text, without what others of them imply: nft lists `meta l4proto tcp tcp dport 22` as `tcp dport 22`.
fn shown(conditions: &[Condition]) -> String {
    let texts: Vec<&str> =
        conditions.iter().map(|condition| condition.text.as_str()).filter(|text| !text.is_empty()).collect();
    let implied = |text: &str| {
        let header = match text {
            "meta nfproto ipv4" | "meta protocol ip" => "ip",
            "meta nfproto ipv6" | "meta protocol ip6" => "ip6",
            // Alone, `icmp type` is about one family, and behind this it is about both.
            "meta l4proto icmp" | "meta l4proto ipv6-icmp" => return None,
            _ => text.strip_prefix("meta l4proto ")?,
        };
        texts.iter().find(|other| other.split_once(' ').is_some_and(|(first, _)| first == header))
    };
    texts.iter().copied().filter(|text| implied(text).is_none()).collect::<Vec<_>>().join(" ")
}

/// A rule in the making.
pub(super) struct Lowering<'a, 'e, 'r, 't> {
    pub(super) env: Env<'e, 'r, 't>,
    pub(super) account: &'a mut Account,
    pub(super) context: Context,
    pub(super) conditions: Vec<Condition>,
    pub(super) outcomes: Vec<Outcome<'r, 't>>,
    /// A verdict has been given: nothing may follow.
    ended: bool,
    beside: Option<Beside>,
    pub(super) effects: Vec<String>,
    pub(super) writes: bool,
    pub(super) sets: BTreeSet<Vec<u8>>,
    pub(super) valued: BTreeSet<Truth>,
    /// Where within the statement it is refused.
    pub(super) place: Option<Span>,
}

impl<'r, 't> Lowering<'_, '_, 'r, 't> {
    /// Keeps the place of what is refused.
    pub(super) fn refused_at(&mut self, check: impl FnOnce(&Self) -> Result<(), Refused>) -> Result<(), String> {
        let (at, reason) = match check(self) {
            Ok(()) => return Ok(()),
            Err(refused) => refused,
        };
        self.place = Some(at);
        Err(reason)
    }

    pub(super) fn demand(&mut self, any: Any, text: String, at: Span) {
        self.conditions.push(Condition { any, text, at });
    }

    fn end(&mut self, verdict: Verdict<'r, 't>, text: String) {
        self.outcomes.push(Outcome { conditions: self.conditions.clone(), verdict });
        self.effects.push(text);
        self.ended = true;
    }

    fn statement(&mut self, statement: &'r Statement<'t>) -> Lowered {
        use StatementKind as S;
        let at = statement.at;
        let text = || statements::text(statement);
        match &statement.kind {
            S::Match(relation, left, right) => self.relation(*relation, left, right, at),
            S::Verdict(verdict) => {
                let verdict = self.verdict(verdict)?;
                if let Some(verdict) = verdict {
                    self.end(verdict, text());
                }
                Ok(Disposition::Modelled)
            }
            S::VerdictMap(key, map) => self.verdict_map(key, map, at),
            S::Counter { packets: _, bytes: _ } => Ok(Disposition::Inert("counter")),
            S::Last(_) => Ok(Disposition::Inert("last use")),
            S::CounterReference(name) => {
                self.reference(name)?;
                Ok(Disposition::Inert("counter"))
            }
            S::Limit(limit) => self.limit(limit, at),
            S::LimitReference(name) => self.of_object(ObjectKind::Limit, name, text(), at),
            S::Quota(quota) => {
                self.here(text::quota(quota), None, !quota.over, at);
                Ok(Disposition::Opaque("quota"))
            }
            S::QuotaReference(name) => self.of_object(ObjectKind::Quota, name, text(), at),
            S::ConnectionLimit { over, count } => {
                self.here(format!("ct count {count}"), None, !over, at);
                Ok(Disposition::Opaque("ct count"))
            }
            S::SetStatement { action, set, key, options, value, statements: _ } => {
                self.element((*action, set), (key, value.as_ref()), options, text(), at)
            }
            S::Meter { name, size: _, key, options: _, statements: _ } => self.meter(name, key, text(), at),
            S::Log(log) => {
                if log.level.is_some() && log.group.is_some() {
                    return Err("level and group are mutually exclusive".to_owned());
                }
                self.writes = true;
                Ok(Disposition::Inert("log"))
            }
            S::Reject(reject) => {
                self.reject(reject, at)?;
                self.end(Verdict::Action(Action::Deny), text());
                Ok(Disposition::Modelled)
            }
            S::Nat(nat) => self.nat(nat, at),
            S::Tproxy { family, address, port } => {
                if !self.has_transport() {
                    return Err("Transparent proxy support requires transport protocol match".to_owned());
                }
                let family = family.and_then(ip_family);
                if let (Some(family), Some(known)) =
                    (family, self.context.network.filter(|known| Some(*known) != family))
                {
                    let (known, family) = (name_of(known), name_of(family));
                    return Err(format!("conflicting protocols specified: {known} vs. {family}"));
                }
                if let (Some(address), Some(family)) = (address, family.or(self.context.network)) {
                    self.refused_at(|rule| rule.target(address, Type::Address(family)))?;
                }
                if let Some(port) = port {
                    self.refused_at(|rule| rule.target(port, Type::Service))?;
                }
                for value in [address, port].into_iter().flatten() {
                    self.value(value)?;
                }
                if let Some(family) = family {
                    self.demand(families(family), String::new(), at);
                }
                self.beside = Some(Beside::Translation { early: true });
                self.effects.push(text());
                // Without a socket that listens there, the rule ends (nft_tproxy.c).
                self.here(format!("{} finds a socket", text()), None, true, at);
                Ok(Disposition::Opaque("tproxy"))
            }
            S::Synproxy(_) | S::SynproxyReference(_) => {
                if let S::SynproxyReference(name) = &statement.kind {
                    self.reference(name)?;
                }
                self.demand(vec![vec![is_protocol(6)]], String::new(), at);
                let text = match &statement.kind {
                    S::SynproxyReference(name) => text() + &self.definition(ObjectKind::Synproxy, name),
                    _ => text(),
                };
                self.outcomes
                    .push(Outcome { conditions: self.conditions.clone(), verdict: Verdict::Any(text.clone()) });
                self.effects.push(text);
                Ok(Disposition::Opaque("synproxy"))
            }
            S::Queue { number, flags } => {
                if let Some(number) = number {
                    self.value(number)?;
                    queue_number(number, flags)?;
                }
                let key = queue_key(number.as_ref(), flags).unwrap_or_else(text);
                self.end(Verdict::Elsewhere(key, text()), text());
                Ok(Disposition::Opaque("decided elsewhere"))
            }
            S::Dup { to, device } => {
                if matches!(
                    self.env.table.head.family,
                    syntax::Family::Inet | syntax::Family::Bridge | syntax::Family::Arp
                ) {
                    return Err("unsupported family".to_owned());
                }
                if let (Some(to), Some(family)) = (to, self.context.network) {
                    self.refused_at(|rule| rule.target(to, Type::Address(family)))?;
                }
                for value in [to, device].into_iter().flatten() {
                    self.value(value)?;
                }
                self.beside = Some(Beside::Copy);
                self.effects.push(text());
                Ok(Disposition::Modelled)
            }
            S::Forward { family: _, to, device } => {
                if self.env.table.head.family != syntax::Family::Netdev {
                    return Err("unsupported family".to_owned());
                }
                for value in to.iter().chain([device]) {
                    self.value(value)?;
                }
                self.end(Verdict::Any(text()), text());
                Ok(Disposition::Opaque("decided elsewhere"))
            }
            S::Set(left, value) => self.set(left, value, statement),
            S::ResetOption(_) => {
                self.here(format!("{} is possible", text()), None, true, at);
                Ok(Disposition::Inert("tcp options"))
            }
            S::CtHelper(name) | S::CtTimeout(name) | S::CtExpectation(name) => {
                self.reference(name)?;
                self.beside = Some(Beside::Tracking);
                let kind = match &statement.kind {
                    S::CtHelper(_) => ObjectKind::CtHelper,
                    S::CtTimeout(_) => ObjectKind::CtTimeout,
                    _ => ObjectKind::CtExpectation,
                };
                self.effects.push(text() + &self.definition(kind, name));
                Ok(Disposition::Modelled)
            }
            S::Secmark(name) => {
                self.reference(name)?;
                Ok(Disposition::Inert("security label"))
            }
            S::Notrack => {
                self.beside = Some(Beside::Tracking);
                self.effects.push(text());
                Ok(Disposition::Modelled)
            }
            S::FlowOffload(name) => {
                if !self.env.table.flowtables.iter().any(|table| table.path.name.text == name.text) {
                    return Err(SAID.to_owned());
                }
                self.beside = Some(Beside::Offload);
                self.effects.push(text());
                self.here(format!("{} is possible", text()), None, true, at);
                Ok(Disposition::Modelled)
            }
            S::Xt(_, _) => {
                let verdict = Verdict::Any(text());
                self.outcomes.push(Outcome { conditions: self.conditions.clone(), verdict });
                self.here(text(), None, true, at);
                Ok(Disposition::Opaque("xt"))
            }
        }
    }

    pub(super) fn verdict(&self, verdict: &'r syntax::Verdict<'t>) -> Result<Option<Verdict<'r, 't>>, String> {
        let chain = |name: &'r Name<'t>| match self.env.table.chain(&name.text) {
            Some(chain) if chain.base.is_some() => Err(SAID.to_owned()),
            Some(_) => Ok(name),
            None => Err(SAID.to_owned()),
        };
        Ok(Some(match verdict {
            syntax::Verdict::Accept => Verdict::Action(Action::Accept),
            syntax::Verdict::Drop => Verdict::Action(Action::Deny),
            syntax::Verdict::Return => Verdict::Action(Action::Return),
            syntax::Verdict::Jump(Jump::Chain(name)) => Verdict::Jump(chain(name)?),
            syntax::Verdict::Goto(Jump::Chain(name)) => Verdict::Goto(chain(name)?),
            syntax::Verdict::Jump(Jump::Block(rules)) => Verdict::Block(rules, false),
            syntax::Verdict::Goto(Jump::Block(rules)) => Verdict::Block(rules, true),
            syntax::Verdict::Continue => return Ok(None),
        }))
    }

    fn reject(&mut self, reject: &'r Reject<'t>, at: Span) -> Result<(), String> {
        let family = match reject {
            Reject::Default => return Ok(()),
            Reject::TcpReset => {
                return match self.context.transports.last() {
                    Some(Some(6)) => Ok(()),
                    Some(_) => Err("you cannot use tcp reset with this protocol".to_owned()),
                    None => {
                        self.demand(vec![vec![is_protocol(6)]], String::new(), at);
                        Ok(())
                    }
                };
            }
            Reject::Icmpx(code) => return values::number(code, Type::Named(&types::ICMPX_CODE)).map(|_| ()),
            Reject::Icmp(code) => {
                values::number(code, Type::Named(&types::ICMP_CODE))?;
                Family::Ipv4
            }
            Reject::Icmpv6(code) => {
                values::number(code, Type::Named(&types::ICMPV6_CODE))?;
                Family::Ipv6
            }
        };
        match self.context.network {
            Some(known) if known != family => {
                Err(format!("conflicting protocols specified: {} vs {}", name_of(known), name_of(family)))
            }
            Some(_) => Ok(()),
            None => {
                self.demand(families(family), String::new(), at);
                Ok(())
            }
        }
    }

    fn nat(&mut self, nat: &'r Nat<'t>, at: Span) -> Lowered {
        let Nat { kind, family, address, port, flags: _, netmap: _ } = nat;
        let family = family.and_then(ip_family).or(self.context.network);
        if address.is_some() && family.is_none() {
            return Err("ip or ip6 must be specified with address for inet tables.".to_owned());
        }
        if let Some(address) = address {
            let target = match (kind, family) {
                (NatKind::Snat | NatKind::Dnat, Some(family)) => Type::Address(family),
                (NatKind::Snat | NatKind::Dnat, None) | (NatKind::Redirect | NatKind::Masquerade, _) => Type::Service,
            };
            self.refused_at(|rule| rule.target(address, target))?;
            self.value(address)?;
            if self.maps_to_several(address) {
                self.needs_transport(address)?;
            }
        }
        if let Some(port) = port {
            self.refused_at(|rule| rule.target(port, Type::Service))?;
            // Newer versions see what a map asks for.
            self.value(port)?;
            self.needs_transport(port)?;
        }
        if let Some(family) = family.filter(|_| address.is_some()) {
            self.demand(families(family), String::new(), at);
        }
        let early = match kind {
            NatKind::Dnat | NatKind::Redirect => true,
            NatKind::Snat | NatKind::Masquerade => false,
        };
        self.beside = Some(Beside::Translation { early });
        self.end(Verdict::Action(Action::Accept), statements::nat_text(nat));
        Ok(Disposition::Modelled)
    }

    /// Ports can be written only into packets of which something before has asked for the protocol.
    fn needs_transport(&mut self, ports: &Expression<'t>) -> Result<(), String> {
        if self.has_transport() {
            return Ok(());
        }
        self.place = Some(ports.at);
        Err("transport protocol mapping is only valid after transport protocol match".to_owned())
    }

    /// Whether something before has asked for a protocol, in a way that nft notices.
    fn has_transport(&self) -> bool {
        !self.context.transports.is_empty()
    }

    fn set(&mut self, left: &'r Expression<'t>, value: &'r Expression<'t>, statement: &'r Statement<'t>) -> Lowered {
        if let Kind::Payload(_) | Kind::TcpOption { .. } = &left.resolved().kind {
            for part in Part::all_of(left, &self.context)? {
                self.demand(vec![part.selector.needs.clone()], String::new(), statement.at);
            }
            settle(left, &mut self.context);
        }
        self.writes = true;
        if let Ok([Part { selector, .. }]) = Part::all_of(left, &self.context).as_deref() {
            let target = selector.kind;
            self.refused_at(|rule| rule.argument(value, target))?;
        }
        self.value(value)?;
        let typed = Part::all_of(left, &self.context).ok().and_then(|parts| {
            let [part] = parts.as_slice() else { return None };
            let value = values(value, part.selector.kind).ok()?;
            Some(format!("{} set {}", part.text(), value.show(part.selector.kind)))
        });
        self.effects.push(typed.unwrap_or_else(|| statements::text(statement)));
        let Written { truths, beside } = written(left);
        if truths.contains(&Truth::Hops) && !beside {
            self.beside = Some(Beside::Hops);
            return Ok(Disposition::Modelled);
        }
        if beside {
            self.beside = Some(match &left.resolved().kind {
                Kind::Ct(_, _) => Beside::Tracking,
                _ => Beside::Translation { early: true },
            });
            return Ok(Disposition::Modelled);
        }
        if matches!(left.resolved().kind, Kind::TcpOption { .. }) {
            let text = statements::text(statement);
            self.here(format!("{text} is possible"), None, true, statement.at);
        }
        Ok(Disposition::Inert(match truths {
            [] => "nothing that is asked for is written",
            _ => "read by other rules, which notice it",
        }))
    }
}

fn families(family: Family) -> Any {
    vec![vec![Term::Families(Families::only(family))]]
}

pub(super) const fn ip_family(family: syntax::Family) -> Option<Family> {
    match family {
        syntax::Family::Ip => Some(Family::Ipv4),
        syntax::Family::Ip6 => Some(Family::Ipv6),
        syntax::Family::Inet | syntax::Family::Arp | syntax::Family::Bridge | syntax::Family::Netdev => None,
    }
}
