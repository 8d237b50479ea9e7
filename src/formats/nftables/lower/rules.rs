//! What a rule demands of a packet and does with it, statement by statement (nft(8), STATEMENTS).

use super::conditions::{Part, Wanted, boxes, crowd, settle};
use super::context::{Context, name_of};
use super::keys;
use super::selectors::{is_protocol, is_tracked};
use super::sets::{Contents, Entry, kinds_of};
use super::statements;
use super::survey::{Written, written};
use super::terms::{All, Any, Term, Truth, Unknown, always, and, both};
use super::text;
use super::values::{self, Values, values};
use crate::formats::Disposition;
use crate::formats::nftables::account::Account;
use crate::formats::nftables::ruleset::Table;
use crate::formats::nftables::syntax::{
    self, CtKey, Expression, Jump, Kind, Name, Nat, NatKind, QueueFlag, Reject, Relation, Rule, SetAction, Statement,
    StatementKind,
};
use crate::formats::nftables::types::{self, Type};
use crate::model::{Action, Families};
use crate::net::{Family, Set};
use crate::text::Span;
use std::collections::{HashMap, HashSet};

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
    pub(super) claims: Vec<(Span, Result<Disposition, String>)>,
}

/// What a rule is read against.
#[derive(Debug, Clone, Copy)]
pub(super) struct Env<'e, 'r, 't> {
    pub(super) table: &'r Table<'t>,
    /// What the named sets of the table hold.
    pub(super) sets: &'e HashMap<&'r [u8], Contents<'r, 't>>,
    /// Those that rules add to.
    pub(super) dynamic: &'e HashSet<String>,
    pub(super) fragments: bool,
    /// The chain runs before packets are tracked.
    pub(super) early: bool,
}

type Lowered = Result<Disposition, String>;

/// The reason is reported already, by those who carry out the commands.
const SAID: &str = "";

/// More alternatives than this are not written out for one condition.
const MOST_ALTERNATIVES: usize = 1_000_000;
/// Nor more than this for one that excludes.
const MOST_EXCLUDED: usize = 256;

/// Understands a rule.
pub(super) fn lower<'r, 't>(env: Env<'_, 'r, 't>, rule: &'r Rule<'t>, account: &mut Account) -> Meant<'r, 't> {
    let mut lowering = Lowering {
        env,
        account,
        context: Context::new(env.table.head.family, env.fragments, env.early),
        conditions: Vec::new(),
        outcomes: Vec::new(),
        ended: false,
        beside: None,
        effects: Vec::new(),
        writes: false,
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
        refused |= lowered.is_err();
        claims.push((
            statement.at,
            lowered.or_else(|reason| if reason == SAID { Ok(Disposition::Modelled) } else { Err(reason) }),
        ));
    }
    let Lowering { env: _, account: _, context: _, conditions, mut outcomes, ended, beside, effects, writes } =
        lowering;
    let texts = conditions.iter().map(|condition| condition.text.as_str());
    let shown = texts.filter(|text| !text.is_empty()).collect::<Vec<_>>().join(" ");
    let text = format!("{shown} -> {}", effects.join(" "));
    if refused {
        // nft takes nothing of the file then; whatever else is said of it, the rule may do anything.
        outcomes = vec![Outcome { conditions: Vec::new(), verdict: Verdict::Any(text.clone()) }];
    } else if !ended && !(conditions.last().is_some_and(|last| last.any.is_empty()) && !outcomes.is_empty()) {
        outcomes.push(Outcome { conditions, verdict: Verdict::Action(Action::Continue) });
    }
    Meant { outcomes, beside, writes, refused, at: rule.at, conditions: shown, text, claims }
}

struct Lowering<'a, 'e, 'r, 't> {
    env: Env<'e, 'r, 't>,
    account: &'a mut Account,
    context: Context,
    conditions: Vec<Condition>,
    outcomes: Vec<Outcome<'r, 't>>,
    /// A verdict has been given: nothing may follow.
    ended: bool,
    beside: Option<Beside>,
    effects: Vec<String>,
    writes: bool,
}

impl<'e, 'r, 't> Lowering<'_, 'e, 'r, 't> {
    fn demand(&mut self, any: Any, text: String, at: Span) {
        self.conditions.push(Condition { any, text, at });
    }

    /// A condition that is another one at each place.
    fn here(&mut self, key: String, shown: Option<String>, holds: bool, at: Span) {
        let text = shown.clone().unwrap_or_else(|| key.clone());
        let text = if holds { text } else { format!("not {text}") };
        let unknown = Unknown { key, shown, holds, truth: Truth::Occurrence, at };
        self.demand(vec![vec![Term::Opaque(unknown)]], text, at);
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
                let verdict = self.verdict(verdict, at)?;
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
            S::Limit(limit) => {
                let shown = text::limit(limit);
                let (key, shown) = match keys::limit(limit) {
                    Some(key) => (key, Some(shown)),
                    None => (shown, None),
                };
                self.here(key, shown, !limit.over, at);
                Ok(Disposition::Opaque("limit"))
            }
            S::LimitReference(name) => {
                self.reference(name)?;
                self.here(text(), None, true, at);
                Ok(Disposition::Opaque("limit"))
            }
            S::Quota(quota) => {
                self.here(text::quota(quota), None, !quota.over, at);
                Ok(Disposition::Opaque("quota"))
            }
            S::QuotaReference(name) => {
                self.reference(name)?;
                self.here(text(), None, true, at);
                Ok(Disposition::Opaque("quota"))
            }
            S::ConnectionLimit { over, count } => {
                self.here(format!("ct count {count}"), None, !over, at);
                Ok(Disposition::Opaque("ct count"))
            }
            S::Log(_) => {
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
                for value in [address, port].into_iter().flatten() {
                    self.value(value)?;
                }
                if let Some(family) = family.and_then(ip_family) {
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
                let verdict = Verdict::Any(text());
                self.outcomes.push(Outcome { conditions: self.conditions.clone(), verdict });
                self.effects.push(text());
                Ok(Disposition::Opaque("synproxy"))
            }
            S::Queue { number, flags } => {
                if let Some(number) = number {
                    self.value(number)?;
                }
                let key = queue_key(number.as_ref(), flags).unwrap_or_else(text);
                self.end(Verdict::Elsewhere(key, text()), text());
                Ok(Disposition::Opaque("decided elsewhere"))
            }
            S::Dup { to, device } => {
                for value in [to, device].into_iter().flatten() {
                    self.value(value)?;
                }
                Ok(Disposition::Inert("copy"))
            }
            S::Forward { family: _, to, device } => {
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
                self.effects.push(text());
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
            S::SetStatement { action, set, key, options: _, value, statements: _ } => {
                if self.env.table.set(&set.text).is_none() {
                    return Err(SAID.to_owned());
                }
                self.writes = true;
                self.value(key)?;
                if let Some(value) = value {
                    self.value(value)?;
                }
                self.effects.push(text());
                if *action != SetAction::Delete {
                    // A full set, or what the element carries, ends the rule (nft_dynset.c).
                    self.here(text(), None, true, at);
                }
                Ok(Disposition::Opaque("dynamic set"))
            }
            S::Meter { name: _, size: _, key, options: _, statements: _ } => {
                self.writes = true;
                self.value(key)?;
                self.effects.push(text());
                self.here(text(), None, true, at);
                Ok(Disposition::Opaque("meter"))
            }
            S::Xt(_, _) => {
                let verdict = Verdict::Any(text());
                self.outcomes.push(Outcome { conditions: self.conditions.clone(), verdict });
                self.here(text(), None, true, at);
                Ok(Disposition::Opaque("xt"))
            }
        }
    }

    fn verdict(&mut self, verdict: &'r syntax::Verdict<'t>, at: Span) -> Result<Option<Verdict<'r, 't>>, String> {
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
            syntax::Verdict::Queue => Verdict::Elsewhere("-j NFQUEUE --queue-num 0".to_owned(), "queue".to_owned()),
            syntax::Verdict::Continue => return Ok(None),
            syntax::Verdict::Break => {
                // The rule ends here, as if it did not match.
                self.demand(Any::new(), "break".to_owned(), at);
                return Ok(None);
            }
        }))
    }

    fn relation(
        &mut self,
        relation: Relation,
        left: &'r Expression<'t>,
        right: &'r Expression<'t>,
        at: Span,
    ) -> Lowered {
        let parts = Part::all_of(left, &self.context)?;
        let target = right.resolved();
        let condition = match (&target.kind, relation) {
            (Kind::Set(_) | Kind::SetReference(_), Relation::Implicit | Relation::Equal) => {
                self.member(&parts, target, false, at)?
            }
            (Kind::Set(_) | Kind::SetReference(_), Relation::NotEqual) => self.member(&parts, target, true, at)?,
            (Kind::Set(_) | Kind::SetReference(_), _) => {
                return Err(format!("Relational expression ({}) is undefined for set expressions", sign(relation)));
            }
            (_, _) => match parts.as_slice() {
                [part] => one(part, relation, target, at)?,
                _ => many(&parts, relation, target, at)?,
            },
        };
        let disposition = disposition(&condition.any, left);
        self.conditions.push(condition);
        settle(left, &mut self.context);
        if matches!(relation, Relation::Implicit | Relation::Equal) {
            self.learn(left, target);
        }
        Ok(disposition)
    }

    /// What a comparison with one protocol or family settles for the statements after it.
    fn learn(&mut self, left: &Expression<'_>, right: &Expression<'_>) {
        let number = |kind| values::number(right, kind).ok();
        match &left.resolved().kind {
            Kind::Meta(syntax::MetaKey::L4proto)
            | Kind::Payload(syntax::Field::IpProtocol | syntax::Field::Ip6Nexthdr) => {
                if let Some(number) = number(Type::Protocol).and_then(|number| u8::try_from(number).ok()) {
                    self.context.transport = Some(number);
                }
            }
            Kind::Meta(syntax::MetaKey::Nfproto) => match number(Type::Named(&types::FAMILY)) {
                Some(2) => self.context.network = Some(Family::Ipv4),
                Some(10) => self.context.network = Some(Family::Ipv6),
                Some(_) | None => {}
            },
            Kind::Meta(syntax::MetaKey::Protocol) => match number(Type::Named(&types::ETHER_TYPE)) {
                Some(0x0800) => self.context.network = Some(Family::Ipv4),
                Some(0x86dd) => self.context.network = Some(Family::Ipv6),
                Some(_) | None => {}
            },
            _ => {}
        }
    }

    /// `@name` or `{ … }`.
    fn member(
        &mut self,
        parts: &[Part],
        set: &'r Expression<'t>,
        negated: bool,
        at: Span,
    ) -> Result<Condition, String> {
        let left: Vec<String> = parts.iter().map(Part::text).collect();
        let left = left.join(" . ");
        let sign = if negated { "!= " } else { "" };
        match &set.kind {
            Kind::Set(elements) => {
                let contents = Contents::anonymous(elements, kinds_of(parts), false, set.at, self.account);
                let shown = match parts {
                    [part] => contents.sure.show(part.selector.kind),
                    _ => format!("{{ {} }}", contents.shown.join(", ")),
                };
                let text = format!("{left} {sign}{shown}");
                Ok(Condition { any: self.contained(parts, &contents, negated, None, &text, at), text, at })
            }
            Kind::SetReference(name) => {
                let contents = self.named(name, parts)?;
                let text = format!("{left} {sign}@{}", name.show());
                Ok(Condition { any: self.contained(parts, contents, negated, Some(name), &text, at), text, at })
            }
            _ => Err(format!("`{}` is no set", text::expression(set))),
        }
    }

    fn named(&mut self, name: &Name<'t>, parts: &[Part]) -> Result<&'e Contents<'r, 't>, String> {
        let Some(contents) = self.env.sets.get(&*name.text) else {
            return Err(SAID.to_owned());
        };
        let kinds = kinds_of(parts);
        let differ = |(a, b): (&Type, &Type)| a != b && is_distinct(*a) && is_distinct(*b);
        let wrong = kinds.len() != contents.kinds.len() || kinds.iter().zip(&contents.kinds).any(differ);
        if wrong && !contents.kinds.is_empty() {
            let title = |kinds: &[Type]| kinds.iter().map(|kind| kind.title()).collect::<Vec<_>>().join(", ");
            let (wanted, has) = (title(&kinds), title(&contents.kinds));
            return Err(format!("datatype mismatch, expected {wanted}, expression has type {has}"));
        }
        Ok(contents)
    }

    /// The packets whose key is in a set, or is not.
    fn contained(
        &self,
        parts: &[Part],
        contents: &Contents<'r, 't>,
        negated: bool,
        name: Option<&Name<'_>>,
        text: &str,
        at: Span,
    ) -> Any {
        let inside = |sure: bool, negated: bool| -> Any {
            if let [part] = parts {
                let mut values = if sure { contents.sure.clone() } else { contents.unsure.clone() };
                let entries = contents.entries.iter().filter(|entry| entry.sure == sure);
                values.add_all(entries.flat_map(|entry| &entry.key));
                return part.is(&Wanted { values, negated }, at);
            }
            let entries = contents.entries.iter().map(|entry| (&entry.key, entry.sure));
            let keys = contents.boxes.iter().map(|(key, sure)| (key, *sure)).chain(entries);
            let keys: Vec<Vec<Values>> = keys.filter(|(_, is)| *is == sure).map(|(key, _)| key.clone()).collect();
            let most = if negated { MOST_EXCLUDED } else { MOST_ALTERNATIVES };
            boxes(parts, &keys, negated, most, at).unwrap_or_else(|| {
                let key = format!("{text} [{}]", super::written::short_digest(&contents.shown.join(", ")));
                let needs: All = parts.iter().flat_map(|part| part.selector.needs.clone()).collect();
                and(vec![vec![Term::opaque(key, true, Truth::Packet, at)]], &needs)
            })
        };
        let mut any = inside(true, negated);
        let set = name.map(|name| super::names::in_table(self.env.table, &name.text));
        if contents.has_unsure() {
            let key = format!("the elements of {} that time out are in it", set.as_deref().unwrap_or("the set"));
            let there = |holds| Term::opaque(key.clone(), holds, Truth::Packet, at);
            if negated {
                let mut outside = inside(false, true);
                outside.push(vec![there(false)]);
                any = both(&any, &outside, MOST_ALTERNATIVES).unwrap_or(any);
            } else {
                any.extend(and(inside(false, false), &[there(true)]));
            }
        }
        if let Some(set) = set.filter(|set| self.env.dynamic.contains(set)) {
            let key = format!("{} was added", text.replacen("!= ", "", 1));
            let needs: All = parts.iter().flat_map(|part| part.selector.needs.clone()).collect();
            let added = Term::opaque(key, !negated, Truth::Set(set), at);
            if negated {
                any = and(any, &[added]);
            } else {
                any.extend(and(vec![vec![added]], &needs));
            }
        }
        any
    }

    /// Each element of a map with the packets that it is for; `rest` for those that no other has.
    fn map_entries<'m>(
        &self,
        parts: &[Part],
        entries: &'m [Entry<'r, 't>],
        set: Option<&str>,
        at: Span,
    ) -> Vec<(Any, &'m Entry<'r, 't>)> {
        let there = |entry: &Entry<'_, '_>, any: Any| {
            if entry.sure {
                return any;
            }
            let key = format!("the elements of {} that time out are in it", set.unwrap_or("the map"));
            and(any, &[Term::opaque(key, true, Truth::Packet, at)])
        };
        if let [part] = parts {
            if let Some(alternatives) = exhaustive(part, entries, at) {
                return alternatives;
            }
        }
        let others: Vec<Vec<Values>> =
            entries.iter().filter(|entry| !entry.rest).map(|entry| entry.key.clone()).collect();
        let one = |entry: &'m Entry<'r, 't>| {
            let any = match (parts, entry.rest) {
                ([part], true) => {
                    let mut values = Values::default();
                    others.iter().flatten().cloned().for_each(|one| values.add(one));
                    part.is(&Wanted { values, negated: true }, at)
                }
                (_, true) => boxes(parts, &others, true, MOST_EXCLUDED, at).unwrap_or_else(|| {
                    let key = format!("no other element of {}", set.unwrap_or("the map"));
                    vec![vec![Term::opaque(key, true, Truth::Packet, at)]]
                }),
                (_, false) => {
                    boxes(parts, std::slice::from_ref(&entry.key), false, MOST_ALTERNATIVES, at).unwrap_or_else(always)
                }
            };
            (there(entry, any), entry)
        };
        entries.iter().map(one).collect()
    }

    fn verdict_map(&mut self, key: &'r Expression<'t>, map: &'r Expression<'t>, at: Span) -> Lowered {
        let parts = Part::all_of(key, &self.context)?;
        let map = map.resolved();
        let made;
        let (contents, name): (&Contents<'r, 't>, Option<&Name<'t>>) = match &map.kind {
            Kind::Set(elements) => {
                made = Contents::anonymous(elements, kinds_of(&parts), true, map.at, self.account);
                (&made, None)
            }
            Kind::SetReference(name) => (self.named(name, &parts)?, Some(name)),
            _ => return Err(format!("`{}` is no map", text::expression(map))),
        };
        let left: Vec<String> = parts.iter().map(Part::text).collect();
        let left = left.join(" . ");
        let set = name.map(|name| super::names::in_table(self.env.table, &name.text));
        let mut seen = Any::new();
        let mut goes_on = Any::new();
        let mut shown = Vec::new();
        for entry in &contents.entries {
            let Kind::Verdict(verdict) = &entry.value.resolved().kind else {
                return Err(format!("`{}` is no verdict", text::expression(entry.value)));
            };
            if name.is_none() {
                shown.push(format!("{} : {}", shown_key(contents, &entry.key), text::verdict(verdict)));
            }
        }
        let grouped = grouped(&parts, &contents.entries);
        for (any, entry) in self.map_entries(&parts, &grouped, set.as_deref(), at) {
            let Kind::Verdict(verdict) = &entry.value.resolved().kind else { continue };
            let text = format!("{left} {}", shown_key(contents, &entry.key));
            seen.extend(any.iter().cloned());
            match self.verdict(verdict, entry.at)? {
                Some(verdict) => {
                    let mut conditions = self.conditions.clone();
                    conditions.push(Condition { any, text, at: entry.at });
                    self.outcomes.push(Outcome { conditions, verdict });
                }
                None => goes_on.extend(any),
            }
        }
        shown.sort_unstable();
        let target = name.map_or_else(|| format!("{{ {} }}", shown.join(", ")), |name| format!("@{}", name.show()));
        self.effects.push(format!("{left} vmap {target}"));
        if let Some(set) = set.filter(|set| self.env.dynamic.contains(set)) {
            let key = format!("{left} @{} was added", name.map_or_else(String::new, |name| name.show()));
            let mut conditions = self.conditions.clone();
            let added = Term::opaque(key.clone(), true, Truth::Set(set), at);
            conditions.push(Condition { any: vec![vec![added]], text: key.clone(), at });
            self.outcomes.push(Outcome { conditions, verdict: Verdict::Any(key) });
        }
        settle(key, &mut self.context);
        let disposition = disposition(&seen, key);
        self.demand(goes_on, String::new(), at);
        Ok(disposition)
    }

    /// A value that is computed: what must be so for it to be there.
    fn value(&mut self, value: &'r Expression<'t>) -> Result<(), String> {
        let at = value.at;
        match &value.kind {
            Kind::Variable(_, value) => self.value(value),
            Kind::Map(key, map) => {
                let parts = Part::all_of(key, &self.context)?;
                let map = map.resolved();
                let left: Vec<String> = parts.iter().map(Part::text).collect();
                let left = left.join(" . ");
                let any = match &map.kind {
                    Kind::Set(elements) => {
                        let contents = Contents::anonymous(elements, kinds_of(&parts), true, map.at, self.account);
                        if let [part] = parts.as_slice()
                            && exhaustive(part, &contents.entries, at).is_some()
                        {
                            always()
                        } else {
                            self.contained(&parts, &contents, false, None, &left, at)
                        }
                    }
                    Kind::SetReference(name) => {
                        let contents = self.named(name, &parts)?;
                        let text = format!("{left} @{}", name.show());
                        self.contained(&parts, contents, false, Some(name), &text, at)
                    }
                    _ => return Err(format!("`{}` is no map", text::expression(map))),
                };
                settle(key, &mut self.context);
                self.demand(any, format!("{left} map"), at);
                Ok(())
            }
            Kind::Concatenation(parts) => parts.iter().try_for_each(|part| self.value(part)),
            Kind::Binary(_, left, right) => {
                self.value(left)?;
                self.value(right)
            }
            Kind::Prefix(base, _) => self.value(base),
            Kind::Range(low, high) => {
                self.value(low)?;
                self.value(high)
            }
            Kind::Ct(CtKey::State, _) => Ok(()),
            Kind::Ct(_, _) => {
                self.demand(vec![vec![is_tracked()]], String::new(), at);
                Ok(())
            }
            Kind::Payload(_) => {
                let parts = Part::all_of(value, &self.context)?;
                for part in parts {
                    self.demand(vec![part.selector.needs.clone()], String::new(), at);
                }
                settle(value, &mut self.context);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// The name of an object, or a map to one.
    fn reference(&mut self, name: &'r Expression<'t>) -> Result<(), String> {
        self.value(name)
    }

    fn reject(&mut self, reject: &'r Reject<'t>, at: Span) -> Result<(), String> {
        let (kind, family) = match reject {
            Reject::Default => return Ok(()),
            Reject::TcpReset => {
                return match self.context.transport {
                    Some(6) => Ok(()),
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
                ("icmp", Family::Ipv4)
            }
            Reject::Icmpv6(code) => {
                values::number(code, Type::Named(&types::ICMPV6_CODE))?;
                ("icmpv6", Family::Ipv6)
            }
        };
        let _ = kind;
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
        for value in [address, port].into_iter().flatten() {
            self.value(value)?;
        }
        if port.is_some() && !self.has_transport() {
            return Err("transport protocol mapping is only valid after transport protocol match".to_owned());
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

    /// Whether something before has asked for a protocol.
    fn has_transport(&self) -> bool {
        let protocol = |term: &Term| matches!(term, Term::Field(crate::net::Field::Protocol, _));
        self.context.transport.is_some()
            || self.conditions.iter().any(|condition| condition.any.iter().flatten().any(protocol))
    }

    fn set(&mut self, left: &'r Expression<'t>, value: &'r Expression<'t>, statement: &'r Statement<'t>) -> Lowered {
        if let Kind::Payload(_) | Kind::TcpOption { .. } = &left.resolved().kind {
            for part in Part::all_of(left, &self.context)? {
                self.demand(vec![part.selector.needs.clone()], String::new(), statement.at);
            }
            settle(left, &mut self.context);
        }
        self.writes = true;
        self.value(value)?;
        let typed = Part::all_of(left, &self.context).ok().and_then(|parts| {
            let [part] = parts.as_slice() else { return None };
            let value = values(value, part.selector.kind).ok()?;
            Some(format!("{} set {}", part.text(), value.show(part.selector.kind)))
        });
        self.effects.push(typed.unwrap_or_else(|| statements::text(statement)));
        Ok(match written(left) {
            Written::Truth(_) => Disposition::Inert("read by other rules, which notice it"),
            Written::Beside => {
                self.beside = Some(match &left.resolved().kind {
                    Kind::Ct(_, _) => Beside::Tracking,
                    _ => Beside::Translation { early: true },
                });
                Disposition::Modelled
            }
            Written::Nothing => {
                if matches!(left.resolved().kind, Kind::TcpOption { .. }) {
                    let text = statements::text(statement);
                    self.here(format!("{text} is possible"), None, true, statement.at);
                }
                Disposition::Inert("nothing that is asked for is written")
            }
        })
    }
}

fn shown_key(contents: &Contents<'_, '_>, key: &[Values]) -> String {
    let parts: Vec<String> = key.iter().zip(&contents.kinds).map(|(values, kind)| values.show(*kind)).collect();
    parts.join(" . ")
}

/// The entries of a map, those with one verdict as one. (Keys of several parts stay as they are, and so do numbers that are
/// drawn, whose order counts.)
fn grouped<'r, 't>(parts: &[Part], entries: &[Entry<'r, 't>]) -> Vec<Entry<'r, 't>> {
    let single = matches!(parts, [part] if part.selector.drawn.is_none());
    let mut out: Vec<Entry<'r, 't>> = Vec::with_capacity(entries.len());
    let mut ranges: Vec<Vec<(u128, u128)>> = Vec::new();
    let mut places: HashMap<(String, bool), usize> = HashMap::new();
    for entry in entries {
        let verdict = match &entry.value.resolved().kind {
            Kind::Verdict(syntax::Verdict::Jump(Jump::Block(_)) | syntax::Verdict::Goto(Jump::Block(_))) => None,
            Kind::Verdict(verdict) => Some(text::verdict(verdict)),
            _ => None,
        };
        let mergeable = verdict.filter(|_| single && !entry.rest && entry.key.iter().all(|key| key.names.is_empty()));
        let own: Vec<_> = entry.key.iter().flat_map(|key| key.set.ranges()).copied().collect();
        if let Some(verdict) = mergeable {
            match places.get(&(verdict.clone(), entry.sure)) {
                Some(place) => {
                    ranges[*place].extend(own);
                    continue;
                }
                None => {
                    places.insert((verdict, entry.sure), out.len());
                }
            }
        }
        ranges.push(own);
        out.push(entry.clone());
    }
    for ((_, _), place) in places {
        out[place].key = vec![Values::of(Set::from_ranges(ranges[place].iter().copied()))];
    }
    out
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

const fn sign(relation: Relation) -> &'static str {
    match relation {
        Relation::Implicit | Relation::Equal => "==",
        Relation::NotEqual => "!=",
        Relation::Less => "<",
        Relation::LessOrEqual => "<=",
        Relation::Greater => ">",
        Relation::GreaterOrEqual => ">=",
        Relation::NoneOf => "!",
    }
}

/// Types that are never taken for one another.
const fn is_distinct(kind: Type) -> bool {
    match kind {
        Type::Address(_)
        | Type::Ethernet
        | Type::Protocol
        | Type::Service
        | Type::Interface
        | Type::InterfaceNumber
        | Type::Mark => true,
        Type::Named(_)
        | Type::Integer(_)
        | Type::User
        | Type::Group
        | Type::DeviceGroup
        | Type::Realm
        | Type::Class
        | Type::Text
        | Type::Label
        | Type::Verdict => false,
    }
}

/// `part relation value`, where the value is no set.
fn one(part: &Part, relation: Relation, right: &Expression<'_>, at: Span) -> Result<Condition, String> {
    let kind = part.selector.kind;
    let left = part.text();
    let done = |any, text| Ok(Condition { any, text, at });
    if let Kind::Exists(exists) = &right.kind {
        let differs = matches!(relation, Relation::NotEqual);
        // What is there is what is not missing, and its number if it has one is not known.
        let value = u128::from(kind == Type::Named(&types::BOOLEAN));
        let negated = (*exists == differs) == (value == 1);
        let values = Values::of(Set::point(value));
        let shown = if *exists == differs { "missing" } else { "exists" };
        return done(part.is(&Wanted { values, negated }, at), format!("{left} {shown}"));
    }
    if kind.is_flags() && part.is_plain() {
        let none = relation == Relation::NoneOf;
        if none || (relation == Relation::Implicit && values::is_flag_list(right)) {
            if kind == Type::Label {
                let wanted = Wanted { values: values(right, kind)?, negated: none };
                let shown = wanted.values.show(kind);
                return done(part.is(&wanted, at), format!("{left} {}{shown}", if none { "! " } else { "" }));
            }
            let value = values::number(right, kind)?;
            let words: Vec<String> = values::flags(kind, value).into_iter().map(|(_, word)| word).collect();
            let shown = words.join(",");
            return done(part.has_flags(value, none, at), format!("{left} {}{shown}", if none { "! " } else { "" }));
        }
    }
    if relation == Relation::NoneOf {
        return Err("negation can only be used with singleton bitmask values".to_owned());
    }
    if matches!(right.kind, Kind::List(_)) && !kind.is_flags() {
        return Err(format!("Basetype of type {} is not bitmask", kind.title()));
    }
    let found = values(right, kind)?;
    let (set, negated) = match relation {
        Relation::Implicit | Relation::Equal | Relation::NoneOf => (found, false),
        Relation::NotEqual => (found, true),
        Relation::Less | Relation::LessOrEqual | Relation::Greater | Relation::GreaterOrEqual => {
            let value = match found.set.ranges() {
                [(value, last)] if value == last && found.names.is_empty() => *value,
                _ => {
                    let sign = sign(relation);
                    return Err(format!("Relational expression ({sign}) is undefined for range expressions"));
                }
            };
            let max = kind.largest();
            let set = match relation {
                Relation::Less => value.checked_sub(1).map_or_else(Set::empty, |last| Set::range(0, last)),
                Relation::LessOrEqual => Set::range(0, value),
                Relation::Greater => value.checked_add(1).map_or_else(Set::empty, |first| Set::range(first, max)),
                _ => Set::range(value, max),
            };
            (Values::of(set), false)
        }
    };
    let shown = set.show(kind);
    let shown = if set.set.ranges().len() > 64 { crowd(&shown, set.set.ranges().len()) } else { shown };
    let text = format!("{left} {}{shown}", if negated { "!= " } else { "" });
    done(part.is(&Wanted { values: set, negated }, at), text)
}

/// `a . b relation x . y`.
fn many(parts: &[Part], relation: Relation, right: &Expression<'_>, at: Span) -> Result<Condition, String> {
    let Kind::Concatenation(wanted) = &right.kind else {
        return Err(format!("datatype mismatch, expected a concatenation of {} values", parts.len()));
    };
    if wanted.len() != parts.len() {
        return Err(format!("datatype mismatch, expected a concatenation of {} values", parts.len()));
    }
    let negated = match relation {
        Relation::Implicit | Relation::Equal => false,
        Relation::NotEqual => true,
        _ => return Err(format!("Relational expression ({}) is undefined for concatenations", sign(relation))),
    };
    let found: Vec<Values> =
        wanted.iter().zip(parts).map(|(value, part)| values(value, part.selector.kind)).collect::<Result<_, _>>()?;
    let shown: Vec<String> = found.iter().zip(parts).map(|(values, part)| values.show(part.selector.kind)).collect();
    let left: Vec<String> = parts.iter().map(Part::text).collect();
    let text = format!("{} {}{}", left.join(" . "), if negated { "!= " } else { "" }, shown.join(" . "));
    let any = boxes(parts, &[found], negated, MOST_ALTERNATIVES, at);
    let any = any.unwrap_or_else(|| vec![vec![Term::opaque(text.clone(), true, Truth::Packet, at)]]);
    Ok(Condition { any, text, at })
}

/// A map that has something for each number that is drawn: exactly one of its elements is meant.
fn exhaustive<'m, 'r, 't>(
    part: &Part,
    entries: &'m [Entry<'r, 't>],
    at: Span,
) -> Option<Vec<(Any, &'m Entry<'r, 't>)>> {
    let (modulus, offset) = part.selector.drawn?;
    let last = offset.checked_add(modulus)?.checked_sub(1)?;
    let mut all = Set::empty();
    for entry in entries {
        all = all.union(&entry.key.first()?.set);
    }
    if !all.includes(&Set::range(offset.into(), last.into())) || entries.iter().any(|entry| !entry.sure) {
        return None;
    }
    let mut before: All = Vec::new();
    let mut out = Vec::with_capacity(entries.len());
    for (number, entry) in entries.iter().enumerate() {
        let shown = entry.key.first()?.show(part.selector.kind);
        let key = format!("{} {shown}", part.text());
        let truth = if part.text().starts_with("numgen") { Truth::Occurrence } else { Truth::Packet };
        let mut all = before.clone();
        if number + 1 < entries.len() {
            all.push(Term::opaque(key.clone(), true, truth.clone(), at));
        }
        before.push(Term::opaque(key, false, truth, at));
        out.push((vec![all], entry));
    }
    Some(out)
}

fn queue_key(number: Option<&Expression<'_>>, flags: &[QueueFlag]) -> Option<String> {
    let number = match number {
        Some(number) => values::number(number, Type::Integer(16)).ok()?,
        None => 0,
    };
    let mut key = format!("-j NFQUEUE --queue-num {number}");
    if flags.contains(&QueueFlag::Bypass) {
        key.push_str(" --queue-bypass");
    }
    (!flags.contains(&QueueFlag::Fanout)).then_some(key)
}

/// How a condition is accounted for.
fn disposition(any: &Any, left: &Expression<'_>) -> Disposition {
    let opaque = any.iter().flatten().any(|term| matches!(term, Term::Opaque(_)));
    if opaque { Disposition::Opaque(word(left)) } else { Disposition::Modelled }
}

/// What is not known of an expression, in one word.
fn word(expression: &Expression<'_>) -> &'static str {
    match &expression.kind {
        Kind::Variable(_, value) => word(value),
        Kind::Meta(key) => key.keyword(),
        Kind::Ct(CtKey::State, _) => "state before tracking",
        Kind::Ct(CtKey::Mark, _) => "ct mark",
        Kind::Ct(CtKey::Status, _) => "ct status",
        Kind::Ct(CtKey::Direction, _) => "ct direction",
        Kind::Ct(_, _) => "ct",
        Kind::Payload(syntax::Field::Ip6Nexthdr) => "extension headers",
        Kind::Payload(field) => field.name(),
        Kind::Binary(_, left, _) => word(left),
        Kind::Concatenation(parts) => parts.first().map_or("concatenation", word),
        Kind::RawPayload { .. } => "raw payload",
        Kind::Inner(_, _) => "inner packet",
        Kind::Extension(_, _) | Kind::ExtensionHeader(_) => "extension header",
        Kind::TcpOption { .. } | Kind::RawTcpOption { .. } => "tcp option",
        Kind::IpOption { .. } => "ip option",
        Kind::SctpChunk { .. } => "sctp chunk",
        Kind::DccpOption(_) => "dccp option",
        Kind::Rt(_) => "rt",
        Kind::Socket(_, _) => "socket",
        Kind::Osf { .. } => "osf",
        Kind::Fib { .. } => "fib",
        Kind::Numgen { .. } => "numgen",
        Kind::Jhash { .. } => "jhash",
        Kind::Symhash { .. } => "symhash",
        Kind::Ipsec { .. } => "ipsec",
        _ => "condition",
    }
}
