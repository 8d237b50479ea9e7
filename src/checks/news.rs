//! What is so of head and was not so of base.

use super::rules::{self, Line};
use super::{Context, Report, Undecided};
use crate::diff::shadow::{self, Worth};
use crate::diff::{Side, Sided};
use crate::model::{Chain, Configuration, Literal};
use crate::net::{Family, Region};
use crate::text::Span;
use std::collections::BTreeMap;

/// The lines of head in the scope of a check of which something is said, configuration by configuration. Unless `all`,
/// those of which it was said on base are left out: lines of the same chain that mean the same.
pub(super) fn lines<'c>(
    cx: &Context<'c>,
    report: &Report<'_>,
    all: bool,
    said: impl Fn(&'c Worth) -> Vec<&'c shadow::Line>,
) -> Vec<(&'c Configuration, Vec<&'c shadow::Line>)> {
    let mut out = Vec::new();
    for (base, head) in cx.change.pairs() {
        let Some(head) = head.filter(|head| report.scope().touches(&head.name, cx)) else { continue };
        if !all && base.is_some() && cx.change.same_rules(&head.name) {
            continue;
        }
        let Some(worth) = cx.change.worth(Side::Head, &head.name) else { continue };
        let mine = chains(cx, report, head);
        let mut lines = said(worth);
        lines.retain(|line| {
            let chain = head.table(line.table).get(line.chain);
            mine.contains(&(line.table, line.chain)) && is_written(cx, chain, line.origin)
        });
        if let Some(base) = base.filter(|_| !all && !lines.is_empty())
            && let Some(worth) = cx.change.worth(Side::Base, &base.name)
        {
            let new = new(cx, (base, &said(worth)), (head, &lines));
            lines.retain(|line| new.contains(&line.origin));
        }
        if !lines.is_empty() {
            out.push((head, lines));
        }
    }
    out
}

/// The lines of head in the scope of a check, configuration by configuration. Unless `all`, those that base has too are
/// left out, wherever it has them and however it writes them.
pub(super) fn written<'c>(cx: &Context<'c>, report: &Report<'_>, all: bool) -> Vec<(&'c Configuration, Vec<Line<'c>>)> {
    let mut out = Vec::new();
    for (base, head) in cx.change.pairs() {
        let Some(head) = head.filter(|head| report.scope().touches(&head.name, cx)) else { continue };
        if !all && base.is_some() && cx.change.same_rules(&head.name) {
            continue;
        }
        let mine = chains(cx, report, head);
        let lines = || {
            mine.iter().flat_map(|(table, chain)| {
                let table = head.table(*table);
                rules::lines_of(table, table.get(*chain))
            })
        };
        let mut lines = match base.filter(|_| !all) {
            None => lines().collect(),
            Some(base) => rules::removed(lines, || rules::lines(base), &cx.change.store, cx.sources),
        };
        lines.retain(|line| is_written(cx, line.chain, line.origin));
        if !lines.is_empty() {
            out.push((head, lines));
        }
    }
    out
}

/// What a line matches, by its first rule that matches any packet.
pub(super) fn packets(cx: &Context<'_>, line: &Line<'_>) -> Option<(Region, Vec<Literal>)> {
    let store = &cx.change.store;
    line.rules.iter().find_map(|rule| {
        let region = Family::ALL.into_iter().find_map(|family| rules::region(*rule, family, store))?;
        Some((region, store.literals(*rule).to_vec()))
    })
}

/// Reports lines of which the check could not find out what it has to, chain by chain.
pub(super) fn open(
    cx: &Context<'_>,
    report: &mut Report<'_>,
    all: bool,
    what: &str,
    said: fn(&Worth) -> Vec<&shadow::Line>,
) {
    for (head, lines) in self::lines(cx, report, all, said) {
        let mut chains: BTreeMap<String, Vec<Span>> = BTreeMap::new();
        for line in lines {
            chains.entry(address(cx, head, line)).or_default().push(line.origin);
        }
        for (chain, lines) in chains {
            let count = if lines.len() == 1 { "a rule".to_owned() } else { format!("{} rules", lines.len()) };
            let message = format!("whether {count} of `{chain}` {what} could not be found out within the budget");
            let help = "split the chain, or sort out its largest rules; until then nothing is said of these";
            let finding = report.undecided(Undecided::TooHard, message, help);
            finding.configuration = Some(head.name.clone());
            finding.location = lines.first().map(|origin| (Side::Head, *origin));
        }
    }
}

/// The address of the chain of a line: `edge/filter/INPUT`.
pub(super) fn address(cx: &Context<'_>, configuration: &Configuration, line: &shadow::Line) -> String {
    let table = configuration.table(line.table);
    rules::chain_address(configuration, table, table.get(line.chain), &cx.change.store)
}

/// The first filter whose packets come to the chain of a line.
pub(super) fn filter(cx: &Context<'_>, configuration: &Configuration, line: &shadow::Line) -> Option<String> {
    let reached = |filter: &&crate::model::Filter| {
        shadow::chains(&cx.change.store, Sided { configuration, filter }).contains(&(line.table, line.chain))
    };
    configuration.filters.iter().find(reached).map(|filter| filter.id.clone())
}

/// What the first rule of a line matches.
pub(super) fn flow(
    cx: &Context<'_>,
    configuration: &Configuration,
    line: &shadow::Line,
) -> Option<(Region, Vec<Literal>)> {
    packets(cx, &line_of(configuration, line))
}

type Place = (crate::model::TableId, crate::model::ChainId);

/// The chains of the filters that the check is about.
fn chains(cx: &Context<'_>, report: &Report<'_>, configuration: &Configuration) -> Vec<Place> {
    let whole = report.scope().covers(&configuration.name);
    let mine = configuration.filters.iter().filter(|filter| whole || report.scope().covers(&filter.id));
    let mut out: Vec<Place> =
        mine.flat_map(|filter| shadow::chains(&cx.change.store, Sided { configuration, filter })).collect();
    out.sort_unstable();
    out.dedup();
    out
}

/// Whether a line is one that somebody wrote and that was understood. What a reader adds by itself stands where a
/// chain is declared; what was not understood is a gap, and not judged.
fn is_written(cx: &Context<'_>, chain: &Chain, at: Span) -> bool {
    let gap = |gap: &crate::model::Gap| {
        gap.origin.source == at.source && gap.origin.start < at.end && at.start < gap.origin.end
    };
    chain.declared != Some(at) && !cx.change.head.gaps().iter().any(gap)
}

/// Where those lines of head stand that are not among those of base.
fn new(
    cx: &Context<'_>,
    (base, old): (&Configuration, &[&shadow::Line]),
    (head, lines): (&Configuration, &[&shadow::Line]),
) -> Vec<Span> {
    let by_chain = |configuration: &Configuration, lines: &[&shadow::Line]| {
        let mut chains: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (n, line) in lines.iter().enumerate() {
            let table = configuration.table(line.table);
            let address =
                format!("{}/{}", table.name, configuration.chain_name(&cx.change.store, line.table, line.chain));
            chains.entry(address).or_default().push(n);
        }
        chains
    };
    let old_by_chain = by_chain(base, old);
    let mut out = Vec::new();
    for (chain, mine) in by_chain(head, lines) {
        let there = old_by_chain.get(&chain).map_or(&[][..], Vec::as_slice);
        let mine = || mine.iter().map(|n| line_of(head, lines[*n]));
        let there = || there.iter().map(|n| line_of(base, old[*n]));
        let new = rules::removed(mine, there, &cx.change.store, cx.sources);
        out.extend(new.into_iter().map(|line| line.origin));
    }
    out
}

fn line_of<'c>(configuration: &'c Configuration, line: &shadow::Line) -> Line<'c> {
    let table = configuration.table(line.table);
    let chain = table.get(line.chain);
    let rules = chain.rules.get(line.rules.clone()).unwrap_or_default();
    Line { table: &table.name, chain, rules, origin: line.origin }
}
