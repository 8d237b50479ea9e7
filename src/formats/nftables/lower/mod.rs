//! The ruleset to the model: what the kernel does with packets under these tables, chains, rules and sets.
//!
//! Rules are understood one by one (`rules`, `relations`, `maps`, `conditions`, `selectors`), become rules of the model (`build`), and the base
//! chains of a hook become its filter (`hooks`). What is more than filtering is an object (`objects`).
//!
//! Packets are whole datagrams here, as in other formats: where connection tracking is loaded Linux puts fragments together
//! before any hook. Only where a ruleset asks for fragments there are later ones, and what matches on ports, flags and ICMP
//! types say of their data is not known.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "expressions are of three dozen kinds; those that an arm does not name are refused, opaque or leave nothing behind"
)]

mod arguments;
mod build;
mod conditions;
mod context;
mod declared;
mod hooks;
mod keys;
mod maps;
mod names;
mod objects;
mod order;
mod overlaps;
mod plain;
mod relations;
mod rules;
mod runs;
mod selectors;
mod sets;
mod stateful;
mod statements;
mod survey;
mod terms;
mod text;
mod values;
mod written;

use super::account::Account;
use super::ruleset::{Chain, Placed, Ruleset, Table};
use super::syntax::{Family, Rule};
use crate::formats::{Disposition, Reading, Taken};
use crate::model::{self, Action, ChainId, Families, OpaqueId, RuleId, Store, Symbol};
use crate::text::{SourceId, Span, escape};
use build::Builder;
use foldhash::quality::RandomState;
use hooks::Timing;
use rules::{Beside, Env, Meant, Verdict};
use runs::{Remembered, Template};
use sets::Contents;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use survey::Survey;
use terms::Truth;
use written::{Digests, Said};

/// Puts the ruleset into the model of the configuration, and says what became of every statement, expression and set
/// element of it: rules are claimed here, everything around them where it is parsed. What comes back is for reading the other
/// side.
pub(super) fn lower<'t>(
    reading: &mut Reading<'_>,
    ruleset: &Ruleset<'t>,
    account: &mut Account,
) -> BTreeMap<SourceId, Taken> {
    let survey = Survey::of(ruleset);
    let dynamic = dynamic_sets(&survey);
    for table in &ruleset.tables {
        for set in &table.sets {
            declared::check(set, dynamic.contains(&names::in_table(table, &set.head.path.name.text)), account);
        }
    }
    let sets: Vec<Sets<'_, 't>> = ruleset.tables.iter().map(|table| contents(table, account)).collect();
    let timing = Timing::of(ruleset, &survey, account);
    let mut lowering = Lowering {
        ruleset,
        survey: &survey,
        sets: &sets,
        dynamic: &dynamic,
        timing: &timing,
        names: ruleset.tables.iter().map(names::table).collect(),
        digests: Digests::default(),
        opaques: Vec::new(),
        known: HashSet::default(),
        besides: Vec::new(),
        held: RefCell::default(),
        templates: HashMap::new(),
        remembered: Remembered::default(),
    };
    if survey.writes {
        let asked = |table: usize, set: &str| {
            let table = &ruleset.tables[table];
            let of = table.sets.iter().find(|of| names::in_table(table, &of.head.path.name.text) == set)?;
            statements::asked(&of.head)
        };
        lowering.digests = Digests::of(ruleset, &survey, |table, chain, rule| lowering.said(table, chain, rule), asked);
    }
    let mut tables = Vec::with_capacity(ruleset.tables.len());
    for number in 0..ruleset.tables.len() {
        tables.push(lowering.table(reading, number, account));
    }
    let objects = objects::objects(&lowering, &sets);
    let Lowering { opaques, remembered, .. } = lowering;
    let filters = hooks::filters(reading, ruleset, &survey, &mut tables, account);
    let configuration = &mut reading.configuration;
    configuration.tables = tables;
    configuration.filters = filters;
    configuration.objects = objects;
    configuration.opaques = opaques;
    remembered.finish()
}

/// What the named sets of a table hold.
type Sets<'r, 't> = HashMap<&'r [u8], Contents<'r, 't>>;

fn contents<'r, 't>(table: &'r Table<'t>, account: &mut Account) -> Sets<'r, 't> {
    let one = |set: &'r super::ruleset::Set<'t>| (&*set.head.path.name.text, Contents::of_set(set, account));
    table.sets.iter().map(one).collect()
}

/// The sets whose elements rules add or take away. (`flags dynamic` says no more, and older listings leave it out.)
fn dynamic_sets(survey: &Survey) -> HashSet<String> {
    let mut dynamic = HashSet::new();
    for (truth, _) in survey.tables.iter().flatten().flat_map(|seen| &seen.writes) {
        if let Truth::Set(of) = truth {
            dynamic.insert(of.clone());
        }
    }
    dynamic
}

struct Lowering<'l, 'r, 't> {
    ruleset: &'r Ruleset<'t>,
    survey: &'l Survey,
    sets: &'l [Sets<'r, 't>],
    dynamic: &'l HashSet<String>,
    timing: &'l Timing,
    /// The tables, as people write them.
    names: Vec<String>,
    digests: Digests,
    opaques: Vec<(OpaqueId, Span)>,
    known: HashSet<OpaqueId, RandomState>,
    besides: Vec<Aside>,
    /// Digests of what the sets of each table hold, as far as they were asked for.
    held: RefCell<HashMap<(usize, Vec<u8>), String>>,
    /// What rules of each shape become, for each table before and after tracking.
    templates: HashMap<(usize, bool), Vec<Template>>,
    remembered: Remembered,
}

/// How often each condition has stood in a chain.
type Occurrences = HashMap<String, u32, RandomState>;

/// A translation or a change of tracking.
struct Aside {
    table: usize,
    chain: usize,
    rule: usize,
    beside: Beside,
    conditions: String,
    text: String,
    at: Span,
}

impl<'l, 'r, 't> Lowering<'l, 'r, 't> {
    fn env(&self, table: usize, chain: usize) -> Env<'_, 'r, 't> {
        Env {
            table: &self.ruleset.tables[table],
            sets: &self.sets[table],
            dynamic: self.dynamic,
            limited: &self.survey.limited,
            fragments: self.survey.fragments,
            early: self.timing.is_early(table, chain),
            told: self.survey.told,
        }
    }

    /// A rule in one way of writing, with what it depends on; those of a run in lines.
    fn said(&self, table: usize, chain: usize, rule: usize) -> Said {
        let mut all = Said::default();
        let mut one = |rule: &Rule<'t>| {
            let meant = rules::lower(self.env(table, chain), rule, &mut Account::default());
            if !all.text.is_empty() {
                all.text.push('\n');
            }
            all.text.push_str(&if meant.refused { statements::rule_text(rule) } else { self.with_sets(table, &meant) });
            all.reads.append(&mut meant.reads());
        };
        match &self.ruleset.tables[table].chains[chain].rules[rule] {
            Placed::Rule(_, rule) => one(rule),
            Placed::Run(run) => run.rules(|rule| one(&rule)),
        }
        all
    }

    /// The same, with what is written that it reads.
    fn text(&self, table: usize, chain: usize, rule: usize) -> String {
        let Said { text, reads } = self.said(table, chain, rule);
        text + &self.written(&reads)
    }

    /// The text of a rule with digests of what the sets hold that it names. (What rules add to is known by its name.)
    fn with_sets(&self, table: usize, meant: &Meant<'_, '_>) -> String {
        let mut text = meant.text.clone();
        let of = &self.ruleset.tables[table];
        for name in &meant.sets {
            let Some(contents) = self.sets[table].get(name.as_slice()) else { continue };
            if self.dynamic.contains(&names::in_table(of, name)) {
                continue;
            }
            let mut held = self.held.borrow_mut();
            let digest = held.entry((table, name.clone())).or_insert_with(|| contents.digest());
            text.push_str(&format!(" [@{} {digest}]", escape(name)));
        }
        text
    }

    fn written(&self, reads: &BTreeSet<Truth>) -> String {
        reads.iter().filter_map(|truth| self.digests.of_truth(truth)).collect()
    }

    fn table(&mut self, reading: &mut Reading<'_>, number: usize, account: &mut Account) -> model::Table {
        let ruleset = self.ruleset;
        let table = &ruleset.tables[number];
        let mut made = model::Table::new(self.names[number].clone());
        let families = match table.head.family {
            Family::Ip => Families::only(crate::net::Family::Ipv4),
            Family::Ip6 => Families::only(crate::net::Family::Ipv6),
            Family::Inet => Families::BOTH,
            Family::Arp | Family::Bridge | Family::Netdev => Families::NONE,
        };
        for chain in &table.chains {
            let name = reading.store.symbol(&chain.name.text);
            let id = made.chain(name);
            made.chains[id.0 as usize].declared = Some(chain.at);
        }
        for (number_of_chain, chain) in table.chains.iter().enumerate() {
            if families == Families::NONE || hooks::is_link(chain) {
                self.unmodelled(number, number_of_chain, chain, account);
                continue;
            }
            let name = reading.store.symbol(&chain.name.text);
            let Some(id) = made.find(name) else { continue };
            let mut occurrences = HashMap::default();
            for (rule, placed) in chain.rules.iter().enumerate() {
                let place = Place { table: number, chain: number_of_chain, rule, id, families };
                match placed {
                    Placed::Rule(_, rule) => self.rule(reading, &mut made, place, rule, &mut occurrences, account),
                    Placed::Run(run) => self.run(reading, &mut made, place, run, &mut occurrences, account),
                }
            }
        }
        made
    }

    /// Rules about frames and ARP: packets of the model do not come there, or are not decided there alone.
    fn unmodelled(&self, table: usize, number: usize, chain: &'r Chain<'t>, account: &mut Account) {
        let one = |rule: &Rule<'t>, account: &mut Account| {
            let meant = rules::lower(self.env(table, number), rule, account);
            for (at, claim) in meant.claims {
                match claim {
                    Ok(Disposition::Inert(why)) => account.claim(at, Disposition::Inert(why)),
                    Ok(_) => account.claim(at, Disposition::Inert("not about IP packets at a hook of theirs")),
                    Err(reason) => account.gap(at, reason),
                }
            }
        };
        for placed in &chain.rules {
            match placed {
                Placed::Rule(_, rule) => one(rule, account),
                Placed::Run(run) => run.rules(|rule| one(&rule, account)),
            }
        }
    }

    fn rule(
        &mut self,
        reading: &mut Reading<'_>,
        made: &mut model::Table,
        place: Place,
        rule: &Rule<'t>,
        occurrences: &mut Occurrences,
        account: &mut Account,
    ) {
        let meant = rules::lower(self.env(place.table, place.chain), rule, account);
        for (at, claim) in &meant.claims {
            match claim {
                Ok(disposition) => account.claim(*at, *disposition),
                Err(reason) => account.gap(*at, format!("{reason}: nft refuses the file")),
            }
        }
        if let Some(beside) = meant.beside {
            let conditions = meant.conditions.clone();
            let dormant = if hooks::is_dormant(&self.ruleset.tables[place.table]) { " (dormant)" } else { "" };
            let text = self.with_sets(place.table, &meant) + &self.written(&meant.reads()) + dormant;
            let Place { table, chain, rule: number, .. } = place;
            self.besides.push(Aside { table, chain, rule: number, beside, conditions, text, at: rule.at });
        }
        let comment = rule.comment.as_ref().map(|comment| reading.store.symbol(&comment.text));
        let chain_name = made.get(place.id).name;
        let blocks = self.blocks(reading, made, place, &meant, chain_name, account);
        let shown = format!("{}/{}", self.names[place.table], escape(reading.store.name(chain_name)));
        let mut builder = self.builder(reading.store, place, &shown, occurrences);
        let rules: Vec<RuleId> = builder.rules(&meant, comment, |_, number| blocks[number]);
        let chain = &mut made.chains[place.id.0 as usize];
        for rule in rules {
            chain.push(rule, meant.at);
        }
    }

    fn builder<'b>(
        &'b mut self,
        store: &'b mut Store,
        place: Place,
        shown: &'b str,
        occurrences: &'b mut Occurrences,
    ) -> Builder<'b> {
        Builder {
            store,
            digests: &self.digests,
            opaques: &mut self.opaques,
            known: &mut self.known,
            families: place.families,
            place: shown,
            occurrences,
        }
    }

    /// The chains without a name that a rule leads to.
    fn blocks(
        &mut self,
        reading: &mut Reading<'_>,
        made: &mut model::Table,
        place: Place,
        meant: &Meant<'_, 't>,
        chain: Symbol,
        account: &mut Account,
    ) -> Vec<Symbol> {
        let mut names = Vec::new();
        for outcome in &meant.outcomes {
            let Verdict::Block(rules, _) = &outcome.verdict else { continue };
            let mut count = 1;
            let name = loop {
                let name = [reading.store.name(chain), format!(" {{{count}}}").as_bytes()].concat();
                let name = reading.store.symbol(&name);
                if made.find(name).is_none() {
                    break name;
                }
                count += 1;
            };
            let id = made.chain(name);
            made.chains[id.0 as usize].declared = Some(meant.at);
            let mut occurrences = HashMap::default();
            let inner = Place { id, ..place };
            for rule in *rules {
                self.rule(reading, made, inner, rule, &mut occurrences, account);
            }
            names.push(name);
        }
        names
    }
}

/// Where rules go.
#[derive(Debug, Clone, Copy)]
struct Place {
    table: usize,
    chain: usize,
    rule: usize,
    id: ChainId,
    families: Families,
}

/// Whether a policy lets packets pass.
fn otherwise(chain: &Chain<'_>) -> Action {
    match chain.policy {
        Some(policy) if !policy.accept => Action::Deny,
        Some(_) | None => Action::Accept,
    }
}
