//! What a change does to listeners and backends, and to requests.

use super::page::{BOLD, CYAN, DIM, GREEN, PLAIN, Page, RED, YELLOW};
use super::reasons::more;
use crate::decision::{
    BalancerPart, BalancerReport, Certainty, Location, PartChange, RequestEffect, RequestReport, RouteReport,
};
use crate::report::supposing;
use crate::text::few;

/// How many listeners and backends of one configuration are shown.
const PARTS: usize = 20;
/// How many differences of one are shown.
const SHOWN: usize = 6;
/// Where texts begin beside their labels.
const COLUMN: usize = 8;

pub(super) fn balancers(page: &mut Page<'_>, balancers: &[BalancerReport]) {
    for balancer in balancers.iter().take(PARTS) {
        self::balancer(page, balancer);
    }
    if balancers.len() > PARTS {
        more(page, 2, balancers.len() - PARTS, "listeners and backends");
    }
}

fn balancer(page: &mut Page<'_>, balancer: &BalancerReport) {
    let BalancerReport {
        kind,
        name,
        change,
        base,
        head,
        endpoints,
        differences,
        requests,
        complete,
        leads_to: _,
        reached_from: _,
    } = balancer;
    let kind = match kind {
        BalancerPart::Listener => "listener",
        BalancerPart::Backend => "backend",
    };
    let (ink, word) = match change {
        PartChange::Added => (GREEN, "added"),
        PartChange::Removed => (RED, "removed"),
        PartChange::Changed => (YELLOW, "changed"),
    };
    let at = if endpoints.is_empty() { String::new() } else { format!(" at {}", few(endpoints, 4)) };
    let place = head.as_ref().or(base.as_ref()).map(|l| format!("  {} {}:{}", page.side(l.side), l.path, l.line));
    let place = place.unwrap_or_default();
    page.line(2, &[(CYAN, kind), (PLAIN, " "), (BOLD, name), (PLAIN, &at), (PLAIN, "  "), (ink, word), (DIM, &place)]);
    for difference in differences.iter().take(SHOWN) {
        page.entry(4, (PLAIN, ""), 4, difference);
    }
    if differences.len() > SHOWN {
        more(page, 4, differences.len() - SHOWN, "");
    }
    for request in requests.iter().take(SHOWN) {
        self::request(page, 4, request);
    }
    if requests.len() > SHOWN {
        more(page, 4, requests.len() - SHOWN, "kinds of requests");
    }
    if !complete {
        page.entry(4, (YELLOW, ""), 4, "not all requests could be compared");
    }
}

fn kinds_of(n: usize) -> String {
    if n == 1 { "1 kind of request".to_owned() } else { format!("{n} kinds of requests") }
}

/// Requests that are decided in another way: which, one of them, and what each side does with it.
pub(super) fn request(page: &mut Page<'_>, indent: usize, request: &RequestReport) {
    let RequestReport { requests, kinds, effect, certainty, witness, assumed, base, head } = request;
    let (ink, word) = match effect {
        RequestEffect::NewlyRefused => (RED, "newly refused"),
        RequestEffect::NewlyServed => (YELLOW, "newly served"),
        RequestEffect::Moved => (YELLOW, "answered otherwise"),
    };
    let perhaps = if *certainty == Certainty::Possible { ", possibly" } else { "" };
    page.line(indent, &[(ink, word), (PLAIN, perhaps), (PLAIN, ": "), (PLAIN, &kinds_of(*kinds))]);
    for what in requests.iter().take(SHOWN) {
        page.entry(indent + 2, (PLAIN, ""), indent + 2, what);
    }
    let assumed = supposing(assumed);
    page.entry(indent + 2, (CYAN, "request"), indent + 2 + COLUMN, &format!("{witness}{assumed}"));
    for (label, RouteReport { outcome, location }) in [(page.sides.base, base), (page.sides.head, head)] {
        let margin = indent + 2 + COLUMN;
        match location {
            Some(Location { path, line, column, span, .. }) => {
                page.entry(indent + 2, (CYAN, label), margin, &format!("{outcome}, {path}:{line}:{column}"));
                if let Some(span) = span {
                    page.excerpt(margin, *line, *span);
                }
            }
            None => page.entry(indent + 2, (CYAN, label), margin, outcome),
        }
    }
}
