//! In which order the kernel runs base chains, as far as it counts beside the filters: what is written, translated and decided
//! before and after what.

use super::hooks::{HOOKS, can_deny, is_dormant, priority};
use super::names;
use super::survey::Survey;
use crate::formats::nftables::ruleset::{Ruleset, Table};
use crate::formats::nftables::syntax::Family;
use std::cmp::Reverse;

/// Translations are done at these priorities, whatever that of the chain with the rule is (`nf_nat_register_fn` registers
/// one function at a hook, and that calls the chains).
const DESTINATION: i64 = -100;
const SOURCE: i64 = 100;

/// A base chain of a hook.
#[derive(Debug, Clone, Copy)]
pub(super) struct Base {
    pub(super) table: usize,
    pub(super) chain: usize,
    family: Family,
    is_nat: bool,
}

impl Base {
    /// The chain, as `table/chain`.
    pub(super) fn name(&self, ruleset: &Ruleset<'_>) -> String {
        let table = &ruleset.tables[self.table];
        names::in_table(table, &table.chains[self.chain].name.text)
    }

    /// All that it leads to.
    pub(super) fn reached(&self, ruleset: &Ruleset<'_>, survey: &Survey) -> Vec<bool> {
        survey.reached_from(&ruleset.tables[self.table], self.table, &[self.chain])
    }

    /// Whether packets that come to one may come to the other.
    const fn meets(&self, other: &Self) -> bool {
        !matches!((self.family, other.family), (Family::Ip, Family::Ip6) | (Family::Ip6, Family::Ip))
    }
}

/// The base chains of each hook whose packets are those of the model, in the order in which they run.
pub(super) fn bases(ruleset: &Ruleset<'_>) -> Vec<(&'static str, Vec<Base>)> {
    let at = |hook: &'static str| {
        let mut bases = Vec::new();
        for (number, table) in ruleset.tables.iter().enumerate() {
            if is_dormant(table) || matches!(table.head.family, Family::Arp | Family::Bridge | Family::Netdev) {
                continue;
            }
            for (index, chain) in table.chains.iter().enumerate() {
                let Some(base) = chain.base.as_ref().filter(|base| *base.hook.text == *hook.as_bytes()) else {
                    continue;
                };
                let Some(own) = priority(table.head.family, base) else { continue };
                let is_nat = *base.kind.text == *b"nat";
                let place = match hook {
                    "prerouting" | "output" if is_nat => DESTINATION,
                    _ if is_nat => SOURCE,
                    _ => own,
                };
                let base = Base { table: number, chain: index, family: table.head.family, is_nat };
                bases.push(((place, own, Reverse(chain.registered)), base));
            }
        }
        bases.sort_by_key(|(place, _)| *place);
        (hook, bases.into_iter().map(|(_, base)| base).collect())
    };
    HOOKS.into_iter().map(at).collect()
}

/// A base chain that sees translated packets of its own hook.
#[derive(Debug)]
pub(super) struct Behind {
    pub(super) hook: &'static str,
    pub(super) base: Base,
    /// Those that translate before it.
    pub(super) translating: Vec<Base>,
    /// Those that deny before the translation: packets look otherwise to them.
    pub(super) earlier: Vec<Base>,
}

/// The base chains whose decisions, or what they write, depend on a translation that is done at their own hook.
pub(super) fn behind(ruleset: &Ruleset<'_>, survey: &Survey, translates: impl Fn(usize, usize) -> bool) -> Vec<Behind> {
    let mut found = Vec::new();
    for (hook, bases) in bases(ruleset) {
        let translates = |base: &Base| {
            let reached = base.reached(ruleset, survey);
            (0..reached.len()).any(|chain| reached[chain] && translates(base.table, chain))
        };
        let translating: Vec<bool> = bases.iter().map(translates).collect();
        for (at, base) in bases.iter().enumerate() {
            let met = |other: &usize| bases[*other].meets(base);
            let before: Vec<usize> = (0..at).filter(|other| translating[*other]).filter(met).collect();
            let Some(last) = before.last().copied().filter(|_| counts(base, ruleset, survey)) else { continue };
            let denies = |other: &usize| {
                let Base { table, chain, .. } = bases[*other];
                can_deny(survey, &ruleset.tables[table], table, chain)
            };
            let earlier = (0..last).filter(met).filter(denies).map(|other| bases[other]).collect();
            let translating = before.into_iter().map(|other| bases[other]).collect();
            found.push(Behind { hook, base: *base, translating, earlier });
        }
    }
    found
}

/// Whether it matters how packets look to a base chain.
fn counts(base: &Base, ruleset: &Ruleset<'_>, survey: &Survey) -> bool {
    let table: &Table<'_> = &ruleset.tables[base.table];
    let reached = base.reached(ruleset, survey);
    let seen = survey.tables.get(base.table).map_or(&[][..], Vec::as_slice);
    let leaves = |seen: &super::survey::Seen| !seen.writes.is_empty() || (seen.beside && !base.is_nat);
    can_deny(survey, table, base.table, base.chain)
        || reached.iter().zip(seen).any(|(reached, seen)| *reached && leaves(seen))
}
