//! What the files say together: tables, their chains, and what is to be known at the end only.

use super::extensions::Truth;
use super::meaning::{Beside, Meant, Term, Unknown, Verdict};
use super::written::Written;
use crate::formats::Reading;
use crate::model::{
    Action, ChainId, Draft, Families, Literal, Object, OpaqueId, Reference, RuleId, Store, Symbol, Table,
};
use crate::net::Family;
use crate::text::Span;
use foldhash::quality::RandomState;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::ops::Range;

/// The tables that iptables has, in the order in which their chains run at a hook.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum TableKind {
    Raw,
    Mangle,
    Nat,
    Filter,
    Security,
}

impl TableKind {
    pub(super) const ALL: [Self; 5] = [Self::Raw, Self::Mangle, Self::Nat, Self::Filter, Self::Security];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Mangle => "mangle",
            Self::Nat => "nat",
            Self::Filter => "filter",
            Self::Security => "security",
        }
    }

    pub(super) fn find(name: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name().as_bytes() == name)
    }

    /// The chains that the kernel has by itself (iptables(8), TABLES).
    pub(super) const fn hooks(self) -> &'static [Hook] {
        match self {
            Self::Raw => &[Hook::Prerouting, Hook::Output],
            Self::Mangle => &Hook::ALL,
            Self::Nat => &[Hook::Prerouting, Hook::Input, Hook::Output, Hook::Postrouting],
            Self::Filter | Self::Security => &[Hook::Input, Hook::Forward, Hook::Output],
        }
    }

    pub(super) fn hook(self, chain: &[u8]) -> Option<Hook> {
        self.hooks().iter().copied().find(|hook| hook.chain().as_bytes() == chain)
    }
}

/// The points at which a packet meets chains.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hook {
    Prerouting,
    Input,
    Forward,
    Output,
    Postrouting,
}

impl Hook {
    pub(super) const ALL: [Self; 5] = [Self::Prerouting, Self::Input, Self::Forward, Self::Output, Self::Postrouting];

    pub(super) const fn chain(self) -> &'static str {
        match self {
            Self::Prerouting => "PREROUTING",
            Self::Input => "INPUT",
            Self::Forward => "FORWARD",
            Self::Output => "OUTPUT",
            Self::Postrouting => "POSTROUTING",
        }
    }

    pub(super) const fn id(self) -> &'static str {
        match self {
            Self::Prerouting => "prerouting",
            Self::Input => "input",
            Self::Forward => "forward",
            Self::Output => "output",
            Self::Postrouting => "postrouting",
        }
    }
}

/// A table of one family.
#[derive(Debug)]
pub(super) struct Tab<'t> {
    pub(super) kind: TableKind,
    pub(super) family: Family,
    pub(super) at: Span,
    pub(super) model: Table,
    /// What else is known of each chain, by its number.
    pub(super) more: Vec<More<'t>>,
}

/// What the model's chain does not say.
#[derive(Debug, Default)]
pub(super) struct More<'t> {
    /// The policy and where it is said; `None`: not in the files.
    pub(super) policy: Option<(Action, Span)>,
    /// Rules put in front, the last one first in the chain.
    front: Vec<(RuleId, Span)>,
    /// Chains that its rules name, each once in a row.
    pub(super) calls: Vec<(Symbol, Span)>,
    /// How often each opaque condition has stood in the chain.
    occurrences: HashMap<String, u32, RandomState>,
    /// The rules that can be made at the end only, by the number that stands in for them.
    pub(super) later: HashMap<RuleId, Later<'t>, RandomState>,
    inserted: usize,
    /// What its rules write that conditions of other rules read, and where.
    pub(super) writes: Vec<(Truth, String, Span)>,
    /// What its conditions read that other rules may write.
    pub(super) reads: BTreeSet<(Truth, String)>,
    objects: HashMap<String, u32, RandomState>,
    /// Extensions that may stand at these hooks only, and where.
    pub(super) hooks: Vec<(String, &'static [Hook], Span)>,
    /// A rule of it changes how packets are tracked or translated; …
    pub(super) beside: bool,
    /// … and what of it is not computed.
    pub(super) uncomputed: Option<&'static str>,
}

/// Where a line's rules go: to the end of a chain or to a position from 1, and where the line stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spot {
    pub(super) tab: usize,
    pub(super) chain: ChainId,
    pub(super) position: Option<usize>,
    pub(super) at: Span,
}

#[derive(Debug)]
pub(super) struct Later<'t> {
    conditions: Vec<Vec<Term>>,
    pub(super) verdict: Verdict<'t>,
    comment: Option<Symbol>,
    at: Span,
}

impl Later<'_> {
    /// The chain that it leads to.
    pub(super) fn chain(&self, store: &Store) -> Option<Symbol> {
        match &self.verdict {
            Verdict::Jump(name) | Verdict::Goto(name) => store.find_symbol(&name.text),
            Verdict::Action(_) | Verdict::Elsewhere(_) | Verdict::Any(_) => None,
        }
    }
}

/// Everything that is read so far.
#[derive(Debug, Default)]
pub(super) struct Ruleset<'t> {
    pub(super) tabs: Vec<Tab<'t>>,
    pub(super) objects: Vec<Object>,
    pub(super) opaques: Vec<(OpaqueId, Span)>,
    listed: HashSet<OpaqueId, RandomState>,
    nothing: Option<RuleId>,
    /// What is wrong with the whole, found at the end.
    pub(super) gaps: Vec<(Span, String)>,
    /// Uses of chains that are not there.
    pub(super) undefined: Vec<Reference>,
    pub(super) families: Vec<Family>,
    /// How many rules lead to chains that are not declared yet.
    pub(super) waiting: usize,
}

/// More positions than this are not followed: each costs a move of the chain's rest.
const MOST_INSERTS: usize = 1_000;
/// More alternatives than this are not written out.
const MOST_ALTERNATIVES: usize = 64;

impl<'t> Tab<'t> {
    pub(super) fn new(kind: TableKind, family: Family, at: Span) -> Self {
        Self { kind, family, at, model: Table::new(table_name(kind, family)), more: Vec::with_capacity(16) }
    }

    /// The chain of that name, made if it is not there.
    pub(super) fn chain(&mut self, name: Symbol) -> ChainId {
        let id = self.model.chain(name);
        if self.more.len() < self.model.chains.len() {
            self.more.push(More::default());
        }
        id
    }

    pub(super) fn is_declared(&self, store: &Store, name: Symbol) -> bool {
        self.model.find(name).is_some_and(|id| self.model.get(id).declared.is_some())
            || self.kind.hook(store.name(name)).is_some()
    }

    /// How many rules it holds.
    pub(super) fn rules(&self) -> usize {
        self.model.chains.iter().zip(&self.more).map(|(chain, more)| chain.rules.len() + more.front.len()).sum()
    }
}

/// How users write the table: the families' tables do not share chains.
pub(super) fn table_name(kind: TableKind, family: Family) -> String {
    match family {
        Family::Ipv4 => kind.name().to_owned(),
        Family::Ipv6 => format!("ip6 {}", kind.name()),
    }
}

impl<'t> Ruleset<'t> {
    pub(super) fn tab(&self, kind: TableKind, family: Family) -> Option<usize> {
        self.tabs.iter().position(|tab| tab.kind == kind && tab.family == family)
    }

    /// Puts the rules of a line into a chain: at the end, or at a position from 1.
    fn place(&mut self, spot: Spot, rules: &[RuleId]) {
        let Spot { tab, chain, position, at } = spot;
        let Tab { model, more, .. } = &mut self.tabs[tab];
        let (chain, more) = (&mut model.chains[chain.0 as usize], &mut more[chain.0 as usize]);
        match position {
            None => {
                for rule in rules {
                    chain.push(*rule, at);
                }
            }
            Some(1) => more.front.extend(rules.iter().rev().map(|rule| (*rule, at))),
            Some(position) => {
                settle(chain, more);
                more.inserted += 1;
                let lines: Vec<usize> = chain.origins.lines().map(|(_, rules)| rules.start).collect();
                let index = match lines.get(position - 1) {
                    Some(index) => *index,
                    None if lines.len() == position - 1 => chain.rules.len(),
                    None => {
                        self.gaps.push((
                            at,
                            format!(
                                "the chain has fewer than {} rules: iptables-restore refuses the line",
                                position - 1
                            ),
                        ));
                        chain.rules.len()
                    }
                };
                if more.inserted > MOST_INSERTS {
                    self.gaps.push((at, format!("more than {MOST_INSERTS} positions in one chain are not followed")));
                    return;
                }
                chain.insert(index, rules.iter().map(|rule| (*rule, at)));
            }
        }
    }

    /// Makes the rules of a line and puts them into their chain. What it made, if the same text is the same rules
    /// wherever it stands.
    pub(super) fn rule(&mut self, reading: &mut Reading<'_>, spot: Spot, meant: Meant<'t>) -> Option<(RuleId, u32)> {
        let Spot { tab, chain, position: _, at } = spot;
        let Meant {
            order: _,
            only: _,
            conditions,
            verdict,
            comment,
            writes,
            sets: _,
            beside: _,
            fragments: _,
            no_mac: _,
            claims: _,
            hooks,
            placed: _,
            refused: _,
        } = meant;
        self.tabs[tab].more[chain.0 as usize].hooks.extend(hooks.into_iter().map(|(what, hooks)| (what, hooks, at)));
        let comment = comment.map(|comment| reading.store.symbol(&comment));
        let number = chain.0 as usize;
        let mut conditions = conditions;
        let mut wait = false;
        // A condition is named after the place where it stands.
        let mut placed = false;
        {
            let name = reading.store.name(self.tabs[tab].model.get(chain).name);
            let Tab { model, more, .. } = &mut self.tabs[tab];
            let place = || [&model.name, "/", &crate::text::escaped(name)].concat();
            let more = &mut more[number];
            // Whether such a rule matches is of no consequence, so that none is added to the numbers of those of others.
            let idle = matches!(verdict, Verdict::Action(Action::Continue)) && writes.is_empty();
            let mut number = |text: &str| {
                let count = more.occurrences.entry(text.to_owned()).or_insert(0);
                *count += u32::from(!idle);
                *count
            };
            more.writes.extend(writes.into_iter().map(|(truth, of)| (truth, of, at)));
            for unknown in conditions.iter_mut().flatten().filter_map(|term| match term {
                Term::Opaque(unknown) => Some(unknown),
                Term::Field(_, _) | Term::Address(_, _, _) => None,
            }) {
                match unknown.truth {
                    Truth::Packet => {}
                    Truth::Occurrence => {
                        unknown.text = occurrence(&unknown.text, &place(), number(&unknown.text));
                        placed = true;
                    }
                    Truth::Marks
                    | Truth::Recent
                    | Truth::Buckets
                    | Truth::Counters
                    | Truth::Sets
                    | Truth::Hops
                    | Truth::Service
                    | Truth::Bytes => {
                        // What other rules write is known at the end.
                        unknown.place = occurrence("", &place(), number(&unknown.text));
                        more.reads.extend(unknown.of.iter().map(|of| (unknown.truth, of.clone())));
                        wait = true;
                    }
                }
            }
        }
        if let Verdict::Jump(name) | Verdict::Goto(name) = &verdict {
            let name = reading.store.symbol(&name.text);
            self.call(tab, chain, name, at);
            if !self.tabs[tab].is_declared(reading.store, name) {
                wait = true;
                self.waiting += 1;
            }
        }
        if self.tabs[tab].kind == TableKind::Nat {
            let stand_in = self.stand_in(reading.store);
            self.place(spot, &[stand_in]);
            return None;
        }
        if wait {
            let id = reading.store.rule(Draft::new(Families::NONE), Action::Continue);
            self.tabs[tab].more[number].later.insert(id, Later { conditions, verdict, comment, at });
            self.place(spot, &[id]);
            return None;
        }
        let rules = self.make(reading.store, tab, &conditions, &verdict, comment, at);
        self.place(spot, &rules);
        let made = rules.first().map(|first| (*first, u32::try_from(rules.len()).expect("few alternatives")));
        made.filter(|_| !placed)
    }

    /// Lists the opaque conditions of rules that are made already.
    pub(super) fn list(&mut self, store: &Store, rules: impl Iterator<Item = RuleId>, at: Span) {
        for literal in rules.flat_map(|rule| store.literals(rule)) {
            self.list_one(literal.opaque, at);
        }
    }

    /// What stands for the rules of `nat`, which decide nothing: their number and places are kept.
    fn stand_in(&mut self, store: &mut Store) -> RuleId {
        *self.nothing.get_or_insert_with(|| store.rule(Draft::new(Families::NONE), Action::Continue))
    }

    /// Notes that a chain leads to another.
    pub(super) fn call(&mut self, tab: usize, chain: ChainId, name: Symbol, at: Span) {
        self::call(&mut self.tabs[tab].more[chain.0 as usize].calls, name, at);
    }

    /// The rules of a line in the store: one for each combination of alternatives.
    fn make(
        &mut self,
        store: &mut Store,
        tab: usize,
        conditions: &[Vec<Term>],
        verdict: &Verdict<'_>,
        comment: Option<Symbol>,
        at: Span,
    ) -> Vec<RuleId> {
        let mut drafts = vec![Draft::new(Families::only(self.tabs[tab].family))];
        if let Some(comment) = comment {
            drafts[0].comment(comment);
        }
        for terms in conditions {
            match terms.as_slice() {
                [] => drafts.iter_mut().for_each(Draft::never),
                [term] => {
                    for draft in &mut drafts {
                        self.demand(store, draft, term, at);
                    }
                }
                _ if drafts.len() * terms.len() > MOST_ALTERNATIVES => {
                    let reason = format!("the line has more than {MOST_ALTERNATIVES} combinations of alternatives");
                    self.gaps.push((at, reason));
                }
                _ => {
                    let mut product = Vec::with_capacity(drafts.len() * terms.len());
                    for draft in &drafts {
                        for term in terms {
                            let mut draft = draft.clone();
                            self.demand(store, &mut draft, term, at);
                            product.push(draft);
                        }
                    }
                    drafts = product;
                }
            }
        }
        let mut rules = Vec::with_capacity(drafts.len());
        match verdict {
            Verdict::Action(action) => rules.extend(drafts.into_iter().map(|draft| store.rule(draft, *action))),
            Verdict::Jump(name) => {
                let name = store.symbol(&name.text);
                rules.extend(drafts.into_iter().map(|draft| store.rule(draft, Action::Jump(name))));
            }
            Verdict::Goto(name) => {
                let name = store.symbol(&name.text);
                rules.extend(drafts.into_iter().map(|draft| store.rule(draft, Action::Goto(name))));
            }
            Verdict::Elsewhere(text) => {
                for draft in drafts {
                    let passes = self.with(store, &draft, &format!("{text} lets it pass"), at);
                    rules.push(store.rule(passes, Action::Accept));
                    rules.push(store.rule(draft, Action::Deny));
                }
            }
            Verdict::Any(text) => {
                for draft in drafts {
                    let passes = self.with(store, &draft, &format!("{text} lets it pass"), at);
                    rules.push(store.rule(passes, Action::Accept));
                    let denied = self.with(store, &draft, &format!("{text} drops it"), at);
                    rules.push(store.rule(denied, Action::Deny));
                }
            }
        }
        rules
    }

    fn with(&mut self, store: &mut Store, draft: &Draft, text: &str, at: Span) -> Draft {
        let mut draft = draft.clone();
        draft.require(Literal { opaque: self.opaque(store, text, at), holds: true });
        draft
    }

    fn demand(&mut self, store: &mut Store, draft: &mut Draft, term: &Term, at: Span) {
        match term {
            Term::Field(field, set) => draft.restrict(*field, set),
            Term::Address(field, family, set) => draft.addresses(*field, *family, set),
            Term::Opaque(Unknown { text, holds, truth: _, of: _, place: _, at: place }) => {
                let opaque = self.opaque(store, text, within(at, place));
                draft.require(Literal { opaque, holds: *holds });
            }
        }
    }

    pub(super) fn opaque(&mut self, store: &mut Store, text: &str, at: Span) -> OpaqueId {
        let id = store.opaque(text);
        self.list_one(id, at);
        id
    }

    fn list_one(&mut self, opaque: OpaqueId, at: Span) {
        if self.listed.insert(opaque) {
            self.opaques.push((opaque, at));
        }
    }

    /// A translation or a change of tracking, as an object.
    pub(super) fn beside(
        &mut self,
        store: &Store,
        tab: usize,
        chain: ChainId,
        rule: &str,
        beside: Option<Beside>,
        at: Span,
    ) {
        let kind = self.tabs[tab].kind;
        let name = store.name(self.tabs[tab].model.get(chain).name);
        let hook = kind.hook(name);
        let place = [&self.tabs[tab].model.name, "/", &crate::text::escaped(name)].concat();
        let (conditions, _) = rule.rsplit_once(" -> ").unwrap_or((rule, ""));
        self.tabs[tab].more[chain.0 as usize].beside = true;
        let count = self.tabs[tab].more[chain.0 as usize].objects.entry(conditions.to_owned()).or_insert(0);
        *count += 1;
        let nth = if *count > 1 { format!(" (#{count})") } else { String::new() };
        let gap = if conditions.is_empty() { "" } else { " " };
        let (what, uncomputed) = match beside {
            Some(Beside::Tracking) => ("tracking", Some(TRACKED)),
            Some(Beside::Copy) => ("copy", Some(COPIED)),
            Some(Beside::Hops) => ("hop limit", Some(EXPIRED).filter(|_| hook != Some(Hook::Input))),
            Some(Beside::Translation { early: false }) => ("translation", None),
            Some(Beside::Translation { early: true }) => ("translation", Some(TRANSLATED)),
            None if hook == Some(Hook::Postrouting) || hook == Some(Hook::Input) => ("translation", None),
            None => ("translation", Some(TRANSLATED)),
        };
        let more = &mut self.tabs[tab].more[chain.0 as usize];
        more.uncomputed = more.uncomputed.or(uncomputed);
        let address = [&place, gap, conditions, &nth].concat();
        self.objects.push(Object { uncomputed, ..Object::new(what, address, rule.to_owned(), at) });
    }

    /// Puts what was put in front of the chains there.
    pub(super) fn settle(&mut self) {
        for Tab { model, more, .. } in &mut self.tabs {
            for (chain, more) in model.chains.iter_mut().zip(more) {
                settle(chain, more);
            }
        }
    }

    /// Makes the rules that wait for what other rules write, and for chains declared after them.
    pub(super) fn complete(&mut self, store: &mut Store, written: &Written) {
        for tab in 0..self.tabs.len() {
            for chain in 0..self.tabs[tab].more.len() {
                let Tab { model, more, .. } = &mut self.tabs[tab];
                let later = std::mem::take(&mut more[chain].later);
                if later.is_empty() {
                    continue;
                }
                let chain_in = &mut model.chains[chain];
                let rules = std::mem::take(&mut chain_in.rules);
                let origins = std::mem::take(&mut chain_in.origins);
                for (rule, origin) in rules.into_iter().zip(origins.iter()) {
                    let Some(Later { conditions, verdict, comment, at }) = later.get(&rule) else {
                        self.tabs[tab].model.chains[chain].push(rule, origin);
                        continue;
                    };
                    let conditions = written.resolve(self.tabs[tab].family, conditions);
                    let verdict = self.resolve_target(store, tab, verdict, *at);
                    for rule in self.make(store, tab, &conditions, &verdict, *comment, *at) {
                        self.tabs[tab].model.chains[chain].push(rule, origin);
                    }
                }
            }
        }
    }

    /// A chain that nobody declares: anything may happen there.
    fn resolve_target(&mut self, store: &mut Store, tab: usize, verdict: &Verdict<'t>, at: Span) -> Verdict<'t> {
        match verdict {
            Verdict::Jump(word) | Verdict::Goto(word) => {
                let symbol = store.symbol(&word.text);
                let name = word.show();
                let place = within(at, &word.at());
                if self.tabs[tab].is_declared(store, symbol) {
                    let model = &self.tabs[tab].model;
                    let declared = model.find(symbol).and_then(|id| model.get(id).declared);
                    if declared.is_some_and(|span| span.source == at.source && span.start > at.start) {
                        let reason =
                            format!("the chain `{name}` is declared further down: iptables-restore refuses the file");
                        self.gaps.push((place, reason));
                    }
                    return verdict.clone();
                }
                let table = self.tabs[tab].kind.name();
                let reason = if super::values::is_template(&word.text) {
                    format!("`{name}` is left for a shell or a template to fill in")
                } else {
                    let address = format!("{}/{name}", self.tabs[tab].model.name);
                    self.undefined.push(Reference { kind: "chain", address, origin: place });
                    format!("`{name}` is neither a target known here nor a chain of the table `{table}`")
                };
                self.gaps.push((place, reason));
                Verdict::Any(format!("-j {name}"))
            }
            Verdict::Action(_) | Verdict::Elsewhere(_) | Verdict::Any(_) => verdict.clone(),
        }
    }
}

pub(super) const TRANSLATED: &str =
    "translated packets meet later filters with other addresses or ports, which is not computed";

const COPIED: &str = "copies of packets go where no filter here decides";

const EXPIRED: &str = "where its hop limit runs out a packet is dropped, which is not computed";

const TRACKED: &str = "the states in which later rules see the packets are not computed";

fn occurrence(text: &str, place: &str, count: u32) -> String {
    if count > 1 { format!("{text} in {place} (#{count})") } else { format!("{text} in {place}") }
}

/// Notes that a chain leads to another.
pub(super) fn call(calls: &mut Vec<(Symbol, Span)>, name: Symbol, at: Span) {
    if calls.last().is_none_or(|(last, _)| *last != name) {
        calls.push((name, at));
    }
}

/// A piece of the source that `line` is in.
fn within(line: Span, piece: &Range<usize>) -> Span {
    let narrow = |n: usize| u32::try_from(n).expect("sources are smaller than 4 GiB");
    Span { source: line.source, start: narrow(piece.start), end: narrow(piece.end) }
}

/// Moves what was put in front to the front.
fn settle(chain: &mut crate::model::Chain, more: &mut More<'_>) {
    if more.front.is_empty() {
        return;
    }
    let front = std::mem::take(&mut more.front);
    chain.insert(0, front.into_iter().rev());
}
