//! The end of reading: filters out of base chains, objects, and what is wrong with the whole.

use super::read::Modes;
use super::ruleset::{Hook, Ruleset, TRANSLATED, Tab, TableKind};
use super::written::{Written, besides, leading_to, rules_text, short_digest, ways_to};
use crate::formats::Reading;
use crate::model::{Action, Draft, Families, Filter, Literal, Object, Reference, Stage, Symbol, TableId};
use crate::net::{Family, Field, Interface, Region, Set};
use crate::text::{Span, escape, escaped};
use foldhash::quality::RandomState;
use std::collections::HashMap;

/// Completes the configuration.
pub(super) fn finish<'t>(reading: &mut Reading<'t>, mut ruleset: Ruleset<'t>, modes: Modes) {
    ruleset.settle();
    let written = Written::of(reading, &ruleset);
    ruleset.complete(reading.store, &written);
    loops(reading, &mut ruleset);
    unresolved_in_nat(reading, &mut ruleset);
    misplaced(reading, &mut ruleset);
    ruleset.objects.extend(objects(reading, &ruleset, &written));
    unknown_policies(reading, &mut ruleset);
    filters(reading, &ruleset, modes);
    let Ruleset { tabs, mut objects, opaques, gaps, mut undefined, .. } = ruleset;
    let configuration = &mut reading.configuration;
    undefined.sort_by_key(|reference| reference.origin);
    configuration.undefined = undefined;
    objects.sort_by(|a, b| (a.kind, &a.address).cmp(&(b.kind, &b.address)));
    configuration.objects = objects;
    configuration.opaques = opaques;
    configuration.tables = tabs.into_iter().filter(|tab| tab.kind != TableKind::Nat).map(|tab| tab.model).collect();
    for (at, reason) in gaps {
        reading.gap(at, reason);
    }
}

/// A base chain whose policy no file tells: it is what the host has at the time, so an opaque condition decides.
fn unknown_policies(reading: &mut Reading<'_>, ruleset: &mut Ruleset<'_>) {
    for tab in 0..ruleset.tabs.len() {
        let Tab { kind, family, .. } = ruleset.tabs[tab];
        for hook in kind.hooks() {
            let Some(name) = reading.store.find_symbol(hook.chain().as_bytes()) else { continue };
            let Some(id) = ruleset.tabs[tab].model.find(name) else { continue };
            let number = id.0 as usize;
            if kind == TableKind::Nat || ruleset.tabs[tab].more[number].policy.is_some() {
                continue;
            }
            let chain = ruleset.tabs[tab].model.get(id);
            let at = chain.declared.or_else(|| chain.origins.first()).unwrap_or(ruleset.tabs[tab].at);
            let text = format!("the policy of {}/{} is DROP", ruleset.tabs[tab].model.name, hook.chain());
            let mut draft = Draft::new(Families::only(family));
            draft.require(Literal { opaque: ruleset.opaque(reading.store, &text, at), holds: true });
            let rule = reading.store.rule(draft, Action::Deny);
            ruleset.tabs[tab].model.chains[number].push(rule, at);
        }
    }
}

/// One filter a hook: its base chains in the order in which the kernel runs them (netfilter_ipv4.h: raw -300, mangle -150,
/// filter 0, security 50).
fn filters(reading: &mut Reading<'_>, ruleset: &Ruleset<'_>, modes: Modes) {
    let kept: Vec<&Tab<'_>> = ruleset.tabs.iter().filter(|tab| tab.kind != TableKind::Nat).collect();
    for hook in Hook::ALL {
        let Some(name) = reading.store.find_symbol(hook.chain().as_bytes()) else { continue };
        let mut stages = Vec::new();
        for kind in TableKind::ALL {
            for (number, tab) in kept.iter().enumerate().filter(|(_, tab)| tab.kind == kind) {
                let Some(chain) = tab.model.find(name).filter(|_| kind.hooks().contains(&hook)) else { continue };
                let policy = tab.more[chain.0 as usize].policy;
                stages.push(Stage {
                    table: TableId(u32::try_from(number).expect("ten tables at most")),
                    chain,
                    families: Families::only(tab.family),
                    otherwise: policy.map_or(Action::Accept, |(action, _)| action),
                    otherwise_at: policy.map(|(_, at)| at),
                });
            }
        }
        if !stages.is_empty() {
            let domain = ruleset.families.iter().map(|family| domain(hook, *family, modes)).collect();
            let id = format!("{}/{}", reading.configuration.name, hook.id());
            reading.configuration.filters.push(Filter { id, domain, stages, absent: true });
        }
    }
    reading.configuration.filters.sort_by(|a, b| a.id.cmp(&b.id));
}

/// Which packets come to a hook: those that have, or do not have, the interfaces; and, where nothing asks for
/// fragments, those that are whole.
fn domain(hook: Hook, family: Family, modes: Modes) -> Region {
    let whole = if modes.fragments { Set::range(0, 1) } else { Set::point(0) };
    let all = Region::all(family).with(Field::LaterFragment, &whole);
    let none = Set::point(Interface::NONE.0);
    let some = none.complement(Field::Input.max(family));
    let (input, output) = match hook {
        Hook::Prerouting | Hook::Input => (&some, &none),
        Hook::Forward => (&some, &some),
        Hook::Output => (&none, &some),
        Hook::Postrouting => {
            return all.with(Field::Output, &some);
        }
    };
    all.with(Field::Input, input).with(Field::Output, output)
}

fn objects(reading: &Reading<'_>, ruleset: &Ruleset<'_>, written: &Written) -> Vec<Object> {
    let mut objects = Vec::new();
    let known = besides(ruleset);
    for tab in &ruleset.tabs {
        let table = &tab.model.name;
        objects.push(Object::new("table", table.clone(), String::new(), tab.at));
        let holders: Vec<usize> = (0..tab.more.len()).filter(|chain| tab.more[*chain].beside).collect();
        let uncomputed = holders.iter().find_map(|chain| tab.more[*chain].uncomputed);
        let leading = ways_to(tab, &holders);
        for (number, (chain, more)) in tab.model.chains.iter().zip(&tab.more).enumerate() {
            let at = chain.declared.or_else(|| chain.origins.first()).unwrap_or(tab.at);
            let name = reading.store.name(chain.name);
            let lets_pass = !matches!(more.policy, Some((Action::Deny, _)));
            if tab.kind != TableKind::Filter && tab.kind.hook(name).is_some() && chain.rules.is_empty() && lets_pass {
                // As the kernel has it by itself: some versions of iptables-save name it and some do not.
                continue;
            }
            let content = match more.policy {
                Some((Action::Deny, _)) => "policy DROP",
                Some(_) => "policy ACCEPT",
                None => "",
            };
            let mut object = Object::new("chain", [table, "/", &escaped(name)].concat(), content.to_owned(), at);
            // The order of such rules counts, and no filter shows it.
            if leading.binary_search(&number).is_ok() {
                let text =
                    rules_text(reading, tab.family, &chain.origins, &known) + &written.of_all(tab.family, &more.reads);
                object.content = format!("{} rules {}", object.content, short_digest(&text)).trim_start().to_owned();
                object.uncomputed = match tab.kind.hook(name) {
                    Some(Hook::Postrouting | Hook::Input) if tab.kind == TableKind::Nat => None,
                    Some(_) | None if tab.kind == TableKind::Nat => Some(TRANSLATED),
                    Some(_) | None => uncomputed,
                };
            }
            objects.push(object);
        }
    }
    objects
}

impl Ruleset<'_> {
    /// A set that a rule names. What is in it stands elsewhere.
    pub(super) fn set(&mut self, name: &str, at: Span) {
        if !self.objects.iter().any(|object| object.kind == "set" && object.address == name) {
            self.objects.push(Object::new("set", name.to_owned(), String::new(), at));
        }
    }
}

/// In `nat` nothing is made of the rules but objects; a chain that is not there is a gap nevertheless.
fn unresolved_in_nat(reading: &Reading<'_>, ruleset: &mut Ruleset<'_>) {
    let (mut gaps, mut undefined) = (Vec::new(), Vec::new());
    for tab in ruleset.tabs.iter().filter(|tab| tab.kind == TableKind::Nat) {
        for (name, at) in tab.more.iter().flat_map(|more| &more.calls) {
            if !tab.is_declared(reading.store, *name) {
                let name = escape(reading.store.name(*name));
                undefined.push(Reference { kind: "chain", address: format!("{}/{name}", tab.model.name), origin: *at });
                gaps.push((*at, format!("`{name}` is neither a target known here nor a chain of the table `nat`")));
            }
        }
    }
    ruleset.gaps.append(&mut gaps);
    ruleset.undefined.append(&mut undefined);
}

/// Extensions in chains to which one leads in which they cannot stand (net/netfilter/x_tables.c, `xt_check_match`).
fn misplaced(reading: &Reading<'_>, ruleset: &mut Ruleset<'_>) {
    let mut gaps = Vec::new();
    for tab in &ruleset.tabs {
        let limited: Vec<usize> = (0..tab.more.len()).filter(|chain| !tab.more[*chain].hooks.is_empty()).collect();
        for chain in limited {
            let hook = |chain: usize| tab.kind.hook(reading.store.name(tab.model.chains[chain].name));
            let leading: Vec<Hook> = leading_to(tab, &[chain]).into_iter().filter_map(hook).collect();
            for (what, hooks, at) in &tab.more[chain].hooks {
                if let Some(from) = leading.iter().find(|from| !hooks.contains(from)).filter(|_| hook(chain).is_none())
                {
                    let from = from.chain();
                    gaps.push((
                        *at,
                        format!("`{what}` cannot stand where {from} leads to: the kernel refuses the rule"),
                    ));
                }
            }
        }
    }
    ruleset.gaps.append(&mut gaps);
}

/// Chains that lead back to themselves: the kernel refuses the whole table.
fn loops(reading: &Reading<'_>, ruleset: &mut Ruleset<'_>) {
    let mut gaps = Vec::new();
    for tab in &ruleset.tabs {
        let numbers: HashMap<Symbol, usize, RandomState> =
            tab.model.chains.iter().enumerate().map(|(n, chain)| (chain.name, n)).collect();
        // 0: not seen, 1: on the way from the start to here, 2: done.
        let mut state = vec![0u8; tab.more.len()];
        for start in 0..tab.more.len() {
            if state[start] != 0 {
                continue;
            }
            state[start] = 1;
            let mut way = vec![(start, 0usize)];
            while let Some((chain, next)) = way.last_mut() {
                let Some((name, at)) = tab.more[*chain].calls.get(*next) else {
                    state[*chain] = 2;
                    way.pop();
                    continue;
                };
                *next += 1;
                match numbers.get(name).map(|n| (*n, state[*n])) {
                    Some((n, 0)) => {
                        state[n] = 1;
                        way.push((n, 0));
                    }
                    Some((_, 1)) => {
                        let name = escape(reading.store.name(*name));
                        gaps.push((
                            *at,
                            format!("the chain `{name}` leads back to itself: the kernel refuses the table"),
                        ));
                    }
                    Some(_) | None => {}
                }
            }
        }
    }
    ruleset.gaps.append(&mut gaps);
}
