//! What a change does: for each filter the cause, then what is newly denied and newly allowed.

use super::page::{BOLD, CYAN, DIM, GREEN, PLAIN, Page, RED, YELLOW};
use super::reasons::{more, witness};
use super::{count, differ};
use crate::decision::{
    Causes, Certainty, ChangeKind, Comparison, ConfigurationReport, ElementsReport, FilterReport, ObjectReport,
    SummaryLine, WitnessReport,
};
use crate::report::how_much;
use crate::text::first_of;
use std::collections::{BTreeMap, BTreeSet};

/// How many rules of one side are shown as the cause.
const CAUSES: usize = 5;
/// How many flows of one direction are shown.
const FLOWS: usize = 10;
/// How many objects of one kind of change are shown.
const OBJECTS: usize = 5;

/// The first line of a comparison.
pub(in crate::report) fn headline(comparison: &Comparison) -> String {
    let (changed, same) = differ(&comparison.configurations);
    let open = !comparison.gaps.is_empty() || !comparison.doubts.is_empty();
    let differ = |n| {
        let same = if same.is_empty() { String::new() } else { format!(", {} not", same.len()) };
        format!("{} changed{same}", count(n, "configuration"))
    };
    match (changed.len(), open) {
        (0, true) if comparison.configurations.is_empty() => "Nothing was compared".to_owned(),
        (0, false) => format!("No semantic change, proved for {}", count(same.len(), "configuration")),
        (0, true) => "No semantic change found, but not all of the input was understood".to_owned(),
        (n, false) => differ(n),
        (n, true) => format!("{}; not all of the input was understood", differ(n)),
    }
}

/// Writes the differences out; packets in `shown` have been explained already.
pub(super) fn configurations(page: &mut Page<'_>, configurations: &[ConfigurationReport], shown: &BTreeSet<&str>) {
    let (changed, same) = differ(configurations);
    for configuration in changed {
        self::configuration(page, configuration, shown);
    }
    let (equivalent, unchanged): (Vec<_>, Vec<_>) =
        same.into_iter().partition(|configuration| configuration.change == ChangeKind::Equivalent);
    for configuration in equivalent.iter().take(FLOWS) {
        page.line(0, &[(BOLD, &configuration.name), (GREEN, "  no semantic change, proved")]);
    }
    if equivalent.len() > FLOWS {
        more(page, 0, equivalent.len() - FLOWS, "without a semantic change, proved");
    }
    if !unchanged.is_empty() {
        page.line(0, &[(DIM, &format!("{} unchanged", count(unchanged.len(), "configuration")))]);
    }
    if configurations.is_empty() {
        page.line(0, &[(DIM, "there is no configuration on either side")]);
    }
}

pub(super) fn configuration(page: &mut Page<'_>, configuration: &ConfigurationReport, shown: &BTreeSet<&str>) {
    let ConfigurationReport { name, format, change, filters, balancers, objects, withheld } = configuration;
    let fate = match change {
        ChangeKind::Unchanged | ChangeKind::Equivalent | ChangeKind::Changed => "changed",
        ChangeKind::Added => "added: compared with what its absence meant",
        ChangeKind::Removed => "removed: compared with what its absence means",
    };
    let format = if format.is_empty() { "no known format" } else { format };
    page.line(0, &[(BOLD, name), (DIM, &format!("  {format}, {fate}"))]);
    if let Some(withheld) = withheld {
        page.entry(2, (PLAIN, ""), 2, &how_much(withheld));
    }
    for filter in filters {
        self::filter(page, filter, shown);
    }
    super::balancers::balancers(page, balancers);
    for (word, objects) in [("removed", &objects.removed), ("added", &objects.added), ("modified", &objects.modified)] {
        self::objects(page, word, objects);
    }
}

fn filter(page: &mut Page<'_>, filter: &FilterReport, shown: &BTreeSet<&str>) {
    let unseen = |witness: &&WitnessReport| !shown.contains(witness.packet.as_str());
    page.line(2, &[(CYAN, &filter.id)]);
    causes(page, (RED, "-"), "removed rules", &filter.removed_rules);
    causes(page, (GREEN, "+"), "added rules", &filter.added_rules);
    causes(page, (YELLOW, "~"), "moved rules", &filter.moved_rules);
    let FilterReport { newly_allowed, newly_denied, certainty, complete, .. } = filter;
    let denied = Direction {
        word: page.sides.denied,
        ink: RED,
        flows: newly_denied,
        total: filter.newly_denied_total,
        summary: &filter.newly_denied_summary,
        witness: filter.newly_denied_witness.as_ref().filter(unseen),
    };
    let allowed = Direction {
        word: page.sides.allowed,
        ink: YELLOW,
        flows: newly_allowed,
        total: filter.newly_allowed_total,
        summary: &filter.newly_allowed_summary,
        witness: filter.newly_allowed_witness.as_ref().filter(unseen),
    };
    for direction in [denied, allowed] {
        self::direction(page, &direction, *complete);
    }
    if !complete {
        page.entry(4, (YELLOW, ""), 4, "there is more than could be listed; the checks have looked at all of it");
    }
    if *certainty == Certainty::Possible && (filter.newly_allowed_total > 0 || filter.newly_denied_total > 0) {
        page.entry(4, (YELLOW, ""), 4, "all of this depends on conditions that the file does not decide");
    }
}

fn causes(page: &mut Page<'_>, sign: (anstyle::Style, &str), what: &str, causes: &Causes) {
    for location in causes.locations.iter().take(CAUSES) {
        page.cause(4, sign, location);
    }
    if causes.total > CAUSES {
        more(page, 6, causes.total - CAUSES, what);
    }
}

struct Direction<'r> {
    word: &'static str,
    ink: anstyle::Style,
    flows: &'r [String],
    total: usize,
    summary: &'r [SummaryLine],
    witness: Option<&'r WitnessReport>,
}

fn direction(page: &mut Page<'_>, direction: &Direction<'_>, complete: bool) {
    let Direction { word, ink, flows, total, summary, witness: example } = direction;
    if *total == 0 {
        if complete {
            page.line(4, &[(DIM, &format!("{word}: nothing, proved"))]);
        }
        return;
    }
    if summary.is_empty() {
        page.line(4, &[(*ink, word)]);
        for flow in flows.iter().take(FLOWS) {
            page.entry(6, (PLAIN, ""), 6, flow);
        }
        if *total > FLOWS {
            more(page, 6, total - FLOWS, "");
        }
    } else {
        let title = format!(": {}, here by destination and service", count(*total, "flow"));
        page.line(4, &[(*ink, word), (PLAIN, &title)]);
        for SummaryLine { flow, flows } in summary.iter().take(FLOWS) {
            page.entry(6, (DIM, &format!("{flows:>5} within")), 19, flow);
        }
        if summary.len() > FLOWS {
            let rest = summary.iter().skip(FLOWS).map(|line| line.flows).sum();
            more(page, 6, rest, "flows elsewhere");
        }
    }
    if let Some(example) = example {
        witness(page, 6, example);
    }
}

fn objects(page: &mut Page<'_>, word: &str, objects: &[ObjectReport]) {
    if objects.is_empty() {
        return;
    }
    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    for object in objects {
        *kinds.entry(&object.kind).or_default() += 1;
    }
    let kinds: Vec<String> = kinds.into_iter().map(|(kind, n)| count(n, kind)).collect();
    page.entry(2, (CYAN, word), 12, &kinds.join(", "));
    let mut named: Vec<&ObjectReport> = objects.iter().filter(|object| object.kind != "rule").collect();
    named.sort_by_key(|object| object.uncomputed.is_none());
    for object in named.iter().take(OBJECTS) {
        let ObjectReport { kind, address, base, head, uncomputed, elements } = object;
        let place = head.as_ref().or(base.as_ref());
        let place = place.map(|l| format!("  {} {}:{}", page.side(l.side), l.path, l.line)).unwrap_or_default();
        let note = uncomputed.as_ref().map(|note| format!(": {note}")).unwrap_or_default();
        page.entry(4, (PLAIN, ""), 4, &format!("{kind} {address}{place}{note}"));
        if let Some(ElementsReport { added, added_total, removed, removed_total }) = elements {
            for (sign, first, total) in [("-", removed, *removed_total), ("+", added, *added_total)] {
                if total > 0 {
                    page.entry(6, (PLAIN, sign), 8, &first_of(first, total));
                }
            }
        }
    }
    if named.len() > OBJECTS {
        more(page, 4, named.len() - OBJECTS, "");
    }
}
