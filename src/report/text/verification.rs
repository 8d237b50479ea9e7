//! Whether hosts are what they should be.

use super::page::{BOLD, CYAN, DIM, GREEN, PLAIN, Page, RED, Sides, YELLOW};
use super::{abbreviated, difference, reasons};
use crate::decision::{ForeignReport, HostReport, Origin, Sameness, Verification};
use crate::report::Style;
use crate::text::SourceMap;
use std::collections::BTreeSet;

/// What the two sides are called, and what differs between them.
const WORDS: Sides = Sides { base: "expected", head: "live", denied: "wrongly denied", allowed: "wrongly allowed" };

pub(super) fn render(verification: &Verification, sources: &SourceMap, style: Style) -> String {
    let mut page = Page::of(sources, style, WORDS);
    let Verification { version: _, outcome: _, hosts } = verification;
    if let [host] = hosts.as_slice() {
        self::host(&mut page, host);
        return page.finish();
    }
    table(&mut page, hosts);
    for host in hosts.iter().filter(|host| host.outcome != Sameness::Equal) {
        page.blank();
        self::host(&mut page, host);
    }
    page.finish()
}

/// One line a host.
fn table(page: &mut Page<'_>, hosts: &[HostReport]) {
    let of = |outcome| hosts.iter().filter(|host| host.outcome == outcome).count();
    let (equal, differ, open) = (of(Sameness::Equal), of(Sameness::Differs), of(Sameness::NotVerified));
    let all = format!("of {}: {equal} equal, {differ} differing, {open} not verified", hosts.len());
    page.line(0, &[(BOLD, &all)]);
    let width = hosts.iter().map(|host| host.host.chars().count()).max().unwrap_or_default().clamp(4, 40);
    for HostReport { host, outcome, message, .. } in hosts {
        let (ink, word) = word(*outcome);
        let name = format!("{host:width$}  ");
        page.line(2, &[(PLAIN, &name), (ink, &format!("{word:12}")), (PLAIN, "  "), (PLAIN, message)]);
    }
}

const fn word(outcome: Sameness) -> (anstyle::Style, &'static str) {
    match outcome {
        Sameness::Equal => (GREEN, "EQUAL"),
        Sameness::Differs => (RED, "DIFFERS"),
        Sameness::NotVerified => (YELLOW, "NOT VERIFIED"),
    }
}

fn host(page: &mut Page<'_>, host: &HostReport) {
    let HostReport { host: name, outcome, message, help, expected, live, comparison, foreign, .. } = host;
    let (ink, word) = word(*outcome);
    page.line(0, &[(ink, word), (PLAIN, ": "), (BOLD, name), (PLAIN, ": "), (PLAIN, message)]);
    if let Some(comparison) = comparison {
        reasons::doubts(page, &comparison.doubts);
        reasons::gaps(page, &comparison.gaps);
        if *outcome != Sameness::Equal {
            page.blank();
            difference::configurations(page, &comparison.configurations, &BTreeSet::new());
        }
    }
    for foreign in foreign {
        self::foreign(page, foreign);
    }
    page.blank();
    if !help.is_empty() {
        reasons::to_do(page, help);
    }
    let side = |Origin { source, revision }: &Origin| match revision {
        Some(revision) => format!("{source} {}", abbreviated(revision)),
        None => source.clone(),
    };
    page.line(0, &[(DIM, &format!("expected: {}; live: {}", side(expected), side(live)))]);
}

fn foreign(page: &mut Page<'_>, foreign: &ForeignReport) {
    let ForeignReport { tables, may_decide_first, decides_first, writes, unread, comparison } = foreign;
    let what = match (decides_first, may_decide_first, unread) {
        (true, true, _) => "decide first, as they may",
        (true, false, _) => "decide first",
        (false, _, true) => "are not all understood",
        (false, false, false) if !writes.is_empty() => "write what those that are expected read",
        (false, _, false) => "decide nothing before those that are expected",
    };
    page.blank();
    page.line(0, &[(CYAN, "tables of others"), (PLAIN, " "), (BOLD, &tables.join(", ")), (PLAIN, ": "), (PLAIN, what)]);
    if *decides_first {
        let mut inner = page.beside(Sides { base: "without", head: "with", denied: "denied", allowed: "allowed" });
        difference::configurations(&mut inner, &comparison.configurations, &BTreeSet::new());
        page.take(inner);
    }
    if !may_decide_first {
        reasons::gaps(page, &comparison.gaps);
    }
}
