//! Parts of a report, and the whole that they make.

use super::report::{DoubtReport, FindingReport, GapReport, Outcome, Report, Stats};
use super::shard::{Matter, Order};
use super::waived;
use serde_json::Value;
use std::cmp::Reverse;

/// What is known of some configurations, or of all: a report whose decision is still to be made.
#[derive(Debug, Clone)]
pub(super) struct Piece {
    pub(super) report: Report,
    /// Where each of its findings belongs.
    pub(super) findings: Vec<Order>,
    /// Where each of its doubts belongs.
    pub(super) doubts: Vec<Order>,
}

impl Piece {
    /// Only what checks have said.
    pub(super) fn said(mut self) -> Self {
        self.report.configurations = Vec::new();
        self.report.gaps = Vec::new();
        self.report.stats = Stats::default();
        let all = self.doubts.into_iter().zip(self.report.doubts);
        let kept = all.filter(|(order, _)| matches!(order.of, Matter::Run | Matter::Check));
        (self.doubts, self.report.doubts) = kept.unzip();
        self
    }
}

/// The report of one piece.
pub(super) fn report(piece: Piece) -> Report {
    let Piece { mut report, findings: _, doubts: _ } = piece;
    report.findings.sort_by_key(|finding| Reverse(finding.outcome));
    report
}

/// One piece of several that are about the same change, as it would be had they been made as one. What says of all
/// configurations that none is meant has to be in so many of them.
pub(super) fn join(pieces: Vec<Piece>, everywhere: usize) -> Option<Piece> {
    let mut pieces = pieces.into_iter();
    let Piece { report: mut whole, findings, doubts } = pieces.next()?;
    let mut all_findings = Items::new(findings, std::mem::take(&mut whole.findings));
    let mut all_doubts = Items::new(doubts, std::mem::take(&mut whole.doubts));
    for Piece { report, findings, doubts } in pieces {
        let Report {
            version: _,
            decision: _,
            pretended: _,
            withheld: _,
            base: _,
            head: _,
            policy: _,
            configurations,
            findings: reports,
            waivers,
            gaps,
            doubts: doubt_reports,
            expectations: _,
            stats,
            shard: _,
        } = report;
        all_findings.add(findings, reports, told_finding);
        all_doubts.add(doubts, doubt_reports, told_doubt);
        whole.configurations.extend(configurations);
        whole.gaps.extend(gaps);
        whole.stats = sum(&whole.stats, &stats);
        waived::join(&mut whole.waivers, waivers);
    }
    whole.configurations.sort_by(|a, b| a.name.cmp(&b.name));
    whole.gaps.sort_by(|a, b| place(a).cmp(&place(b)));
    let findings = all_findings.sorted(everywhere);
    let doubts = all_doubts.sorted(everywhere);
    let known: Vec<_> =
        doubts.iter().filter(|(order, _)| order.of != Matter::Uncomputed).map(|(_, doubt)| at(doubt)).collect();
    let told = |(order, doubt): &(Order, DoubtReport)| {
        order.of == Matter::Uncomputed && doubt.location.is_some() && known.contains(&at(doubt))
    };
    let doubts: Vec<_> = doubts.iter().filter(|item| !told(item)).cloned().collect();
    let (findings, reports) = findings.into_iter().unzip();
    let (doubts, doubt_reports) = doubts.into_iter().unzip();
    whole.decision = Outcome::Undecided;
    whole.findings = reports;
    whole.doubts = doubt_reports;
    Some(Piece { report: whole, findings, doubts })
}

/// Findings or doubts of several pieces.
struct Items<T> {
    items: Vec<(Order, T, usize)>,
}

impl<T> Items<T> {
    fn new(orders: Vec<Order>, items: Vec<T>) -> Self {
        Self { items: orders.into_iter().zip(items).map(|(order, item)| (order, item, 1)).collect() }
    }

    /// Adds those of another piece. What several may tell, and one has told already, is only counted.
    fn add(&mut self, orders: Vec<Order>, items: Vec<T>, told: impl Fn(&Order, &T) -> Option<Value>) {
        let known: Vec<_> = self.items.iter().map(|(order, item, _)| told(order, item)).collect();
        for (order, item) in orders.into_iter().zip(items) {
            let twin =
                told(&order, &item).and_then(|this| known.iter().position(|known| known.as_ref() == Some(&this)));
            match twin.and_then(|n| self.items.get_mut(n)) {
                Some((_, _, times)) => *times += 1,
                None => self.items.push((order, item, 1)),
            }
        }
    }

    fn sorted(self, everywhere: usize) -> Vec<(Order, T)> {
        let stands = |(order, _, times): &(Order, T, usize)| !order.is_everywhere() || *times >= everywhere;
        let mut items: Vec<_> = self.items.into_iter().filter(stands).map(|(order, item, _)| (order, item)).collect();
        items.sort_by(|(a, _), (b, _)| a.key().cmp(&b.key()));
        items
    }
}

/// A finding that several parts tell, if it is one: what it says.
fn told_finding(order: &Order, finding: &FindingReport) -> Option<Value> {
    order.is_shared().then(|| json(&(order, finding)))
}

/// The same of a doubt. Of what is nowhere, whichever check came upon it first.
fn told_doubt(order: &Order, doubt: &DoubtReport) -> Option<Value> {
    let nowhere = doubt.location.is_none() && doubt.policy_location.is_none();
    if nowhere && !order.is_everywhere() {
        return Some(json(&DoubtReport { check: None, ..doubt.clone() }));
    }
    order.is_shared().then(|| json(&(order, doubt)))
}

fn json<T: serde::Serialize>(value: &T) -> Value {
    serde_json::to_value(value).expect("strings, numbers and lists have a JSON form")
}

/// Where a doubt is to be seen.
fn at(doubt: &DoubtReport) -> Option<Value> {
    doubt.location.as_ref().map(json)
}

fn place(gap: &GapReport) -> (u8, &str) {
    (gap.side as u8, &gap.configuration)
}

fn sum(a: &Stats, b: &Stats) -> Stats {
    let Stats { configurations, changed, filters, base_rules, head_rules, newly_allowed, newly_denied } = a;
    Stats {
        configurations: configurations + b.configurations,
        changed: changed + b.changed,
        filters: filters + b.filters,
        base_rules: base_rules + b.base_rules,
        head_rules: head_rules + b.head_rules,
        newly_allowed: newly_allowed + b.newly_allowed,
        newly_denied: newly_denied + b.newly_denied,
    }
}
