//! The base chains of each hook as the kernel runs them.

use super::otherwise;
use super::survey::Survey;
use crate::formats::Reading;
use crate::formats::nftables::account::Account;
use crate::formats::nftables::names;
use crate::formats::nftables::ruleset::{Chain, Ruleset, Table};
use crate::formats::nftables::syntax::{self, TableFlag};
use crate::model::{self, Action, ChainId, Draft, Families, Filter, Stage, TableId};
use crate::net::{Family, Field, Interface, Region, Set, State};

/// The hooks whose packets are those of the model.
pub(super) const HOOKS: [&str; 5] = ["forward", "input", "output", "postrouting", "prerouting"];

/// Connection tracking runs at this priority of `prerouting` and `output` (netfilter_ipv4.h, `NF_IP_PRI_CONNTRACK`).
const TRACKING: i64 = -200;

/// Whether the packets of a base chain are frames of a device.
pub(super) fn is_link(chain: &Chain<'_>) -> bool {
    chain.base.as_ref().is_some_and(|base| matches!(&*base.hook.text, b"ingress" | b"egress"))
}

/// Whether nothing of a table is in force.
pub(super) fn is_dormant(table: &Table<'_>) -> bool {
    table.head.flags.contains(&TableFlag::Dormant)
}

/// Which chains run before packets are tracked.
#[derive(Debug, Default)]
pub(super) struct Timing(Vec<Vec<bool>>);

impl Timing {
    pub(super) fn of(ruleset: &Ruleset<'_>, survey: &Survey, account: &mut Account) -> Self {
        let mut all = Vec::with_capacity(ruleset.tables.len());
        for (number, table) in ruleset.tables.iter().enumerate() {
            let bases = |early| {
                let chains = table.chains.iter().enumerate().filter(|(_, chain)| chain.base.is_some());
                chains
                    .filter(|(_, chain)| runs_early(table.head.family, chain) == early)
                    .map(|(chain, _)| chain)
                    .collect()
            };
            let (early, late): (Vec<usize>, Vec<usize>) = (bases(true), bases(false));
            let early = survey.reached_from(table, number, &early);
            let late = survey.reached_from(table, number, &late);
            let seen = survey.tables.get(number).map_or(&[][..], Vec::as_slice);
            for (chain, seen) in table
                .chains
                .iter()
                .zip(seen)
                .zip(early.iter().zip(&late))
                .filter_map(|(one, both)| (*both.0 && *both.1).then_some(one))
            {
                if seen.connections {
                    let reason = "packets come here both before and after they are tracked: what conditions on connections mean \
                        depends on it";
                    account.gap(chain.name.at, reason);
                }
            }
            all.push(early);
        }
        Self(all)
    }

    pub(super) fn is_early(&self, table: usize, chain: usize) -> bool {
        self.0.get(table).and_then(|chains| chains.get(chain)).copied().unwrap_or_default()
    }
}

fn runs_early(family: syntax::Family, chain: &Chain<'_>) -> bool {
    chain.base.as_ref().is_some_and(|base| {
        matches!(&*base.hook.text, b"prerouting" | b"output")
            && priority(family, base).is_some_and(|priority| priority <= TRACKING)
    })
}

/// The priority as a number; `None`: there is none of that name.
pub(super) fn priority(family: syntax::Family, base: &syntax::Base<'_>) -> Option<i64> {
    let named = match &base.priority.name {
        Some(name) => names::priority(family, &base.hook.text, name)?,
        None => 0,
    };
    Some(i64::from(named).saturating_add(base.priority.offset))
}

/// One filter a hook.
pub(super) fn filters(
    reading: &mut Reading<'_>,
    ruleset: &Ruleset<'_>,
    survey: &Survey,
    tables: &mut [model::Table],
    account: &mut Account,
) -> Vec<Filter> {
    let mut filters = Vec::new();
    let families = families_of(ruleset);
    for hook in HOOKS {
        let mut stages: Vec<(i64, std::cmp::Reverse<u64>, Stage)> = Vec::new();
        for (number, table) in ruleset.tables.iter().enumerate() {
            let of = match table.head.family {
                syntax::Family::Ip => Families::only(Family::Ipv4),
                syntax::Family::Ip6 => Families::only(Family::Ipv6),
                syntax::Family::Inet => Families::BOTH,
                syntax::Family::Arp | syntax::Family::Bridge | syntax::Family::Netdev => continue,
            };
            if is_dormant(table) {
                continue;
            }
            for (index, chain) in table.chains.iter().enumerate() {
                let Some(base) = chain.base.as_ref().filter(|base| *base.hook.text == *hook.as_bytes()) else {
                    continue;
                };
                let Some(priority) = priority(table.head.family, base) else {
                    let name = base.priority.name.as_deref().map(crate::text::escape).unwrap_or_default();
                    account.gap(base.priority.at, format!("'{name}' is invalid priority"));
                    continue;
                };
                let Some(symbol) = reading.store.find_symbol(&chain.name.text) else { continue };
                let Some(id) = tables[number].find(symbol) else { continue };
                if *base.kind.text == *b"nat" {
                    if !can_deny(survey, table, number, index) {
                        continue;
                    }
                    if nat_chains(ruleset, hook) > 1 {
                        let reason = "another chain of type nat at this hook may translate a packet, and then this one does not see it";
                        account.gap(chain.name.at, reason);
                    }
                    only_first_packets(reading, &mut tables[number], id, of, chain);
                }
                let stage = Stage {
                    table: TableId(u32::try_from(number).expect("fewer than 2^32 tables")),
                    chain: id,
                    families: of,
                    otherwise: otherwise(chain),
                    otherwise_at: chain.policy.map(|policy| policy.at),
                };
                // Of base chains with one priority the last one registered runs first (net/netfilter/core.c,
                // `nf_hook_entries_grow`).
                stages.push((priority, std::cmp::Reverse(chain.registered), stage));
            }
        }
        if stages.is_empty() {
            continue;
        }
        stages.sort_by_key(|(priority, registered, _)| (*priority, *registered));
        let stages = stages.into_iter().map(|(_, _, stage)| stage).collect();
        let domain = families.iter().map(|family| domain(hook, *family, survey.fragments)).collect();
        let id = format!("{}/{hook}", reading.configuration.name);
        filters.push(Filter { id, domain, stages, absent: true });
    }
    filters
}

/// How many chains of type `nat` are at a hook.
fn nat_chains(ruleset: &Ruleset<'_>, hook: &str) -> usize {
    let bases = ruleset.tables.iter().flat_map(|table| &table.chains).filter_map(|chain| chain.base.as_ref());
    bases.filter(|base| *base.kind.text == *b"nat" && *base.hook.text == *hook.as_bytes()).count()
}

/// The families that the ruleset is about.
fn families_of(ruleset: &Ruleset<'_>) -> Vec<Family> {
    let has = |family| {
        let of = |table: &&Table<'_>| match table.head.family {
            syntax::Family::Ip => family == Family::Ipv4,
            syntax::Family::Ip6 => family == Family::Ipv6,
            syntax::Family::Inet => true,
            syntax::Family::Arp | syntax::Family::Bridge | syntax::Family::Netdev => false,
        };
        ruleset.tables.iter().any(|table| of(&table))
    };
    Family::ALL.into_iter().filter(|family| has(*family)).collect()
}

/// Whether a base chain, or one that it leads to, can drop a packet.
pub(super) fn can_deny(survey: &Survey, table: &Table<'_>, number: usize, chain: usize) -> bool {
    let reached = survey.reached_from(table, number, &[chain]);
    let policy = table.chains.get(chain).is_some_and(|chain| otherwise(chain) == Action::Deny);
    let seen = survey.tables.get(number).map_or(&[][..], Vec::as_slice);
    policy || reached.iter().zip(seen).any(|(reached, seen)| *reached && seen.denies)
}

/// Only packets that begin a connection come to chains of type `nat` (nf_nat_core.c, `nf_nat_inet_fn`): the others pass.
fn only_first_packets(
    reading: &mut Reading<'_>,
    table: &mut model::Table,
    id: ChainId,
    families: Families,
    declared: &Chain<'_>,
) {
    let mut others = Draft::new(families);
    others.states([State::Established, State::Invalid, State::Untracked]);
    let mut errors = Draft::new(families);
    errors.states([State::Related]);
    errors.restrict(Field::Protocol, &[1, 58].into_iter().collect());
    let rules = [others, errors].map(|draft| reading.store.rule(draft, Action::Accept));
    let chain = &mut table.chains[id.0 as usize];
    chain.insert(0, rules.map(|rule| (rule, declared.at)));
}

/// Which packets come to a hook: those that have, or do not have, the interfaces; and, where nothing asks for
/// fragments, those that are whole.
fn domain(hook: &str, family: Family, fragments: bool) -> Region {
    let whole = if fragments { Set::range(0, 1) } else { Set::point(0) };
    let all = Region::all(family).with(Field::LaterFragment, &whole);
    let none = Set::point(Interface::NONE.0);
    let some = none.complement(Field::Input.max(family));
    let (input, output) = match hook {
        "prerouting" | "input" => (&some, &none),
        "forward" => (&some, &some),
        "output" => (&none, &some),
        _ => return all.with(Field::Output, &some),
    };
    all.with(Field::Input, input).with(Field::Output, output)
}
