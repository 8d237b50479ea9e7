//! What is left of a report where strangers read it: the decision, which checks say something, how much differs, and in which
//! files and lines. What the network is made of is not: packets, requests, addresses, names of rules, chains and objects, texts
//! of the input and of the policy.
//!
//! It is a report like any other, so that no output can show more than it holds.

use crate::decision::{
    Cause, ConfigurationReport, DoubtReport, ExpectationReport, FeedOrigin, FindingReport, GapReport, Location,
    LocationSide, ObjectsReport, Origin, PolicyOrigin, RelatedReport, Report, Stats, WaiverReport, WithheldReport,
    WitnessReport, summary,
};
use crate::text::hex;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;

/// What stands in the place of a text that is left out.
const LEFT_OUT: &str = "(left out)";
const HELP: &str = "the full report says which packets and rules: judge it where the sources are, or with \
                    `--full-output text=FILE`";

/// The same report, told to strangers; `why` they are.
#[must_use]
pub fn minimal(report: &Report, why: &str) -> Report {
    let Report {
        version,
        decision,
        pretended,
        withheld: _,
        base,
        head,
        policy,
        configurations,
        findings,
        waivers,
        gaps,
        doubts,
        expectations,
        stats,
        // What parts are joined by is more than strangers may know.
        shard: _,
    } = report;
    let mut alike = BTreeMap::new();
    Report {
        version: *version,
        decision: *decision,
        pretended: pretended.clone(),
        withheld: Some(why.to_owned()),
        base: origin(base),
        head: origin(head),
        policy: policy.as_ref().map(policy_origin),
        configurations: configurations.iter().map(configuration).collect(),
        findings: findings.iter().map(|one| finding(one, &mut alike)).collect(),
        waivers: waivers.iter().map(waiver).collect(),
        gaps: gaps.iter().map(gap).collect(),
        doubts: doubts.iter().map(doubt).collect(),
        expectations: expectations.as_ref().map(|all| all.iter().map(expectation).collect()),
        stats: counts(stats),
        shard: None,
    }
}

fn origin(Origin { source, revision }: &Origin) -> Origin {
    Origin { source: source.clone(), revision: commit(revision.as_ref()) }
}

/// A commit stays; where files were read from on this machine does not.
fn commit(revision: Option<&String>) -> Option<String> {
    let is_commit = |text: &&String| text.len() >= 40 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    revision.filter(is_commit).cloned()
}

fn policy_origin(PolicyOrigin { path, revision, sha256, feeds }: &PolicyOrigin) -> PolicyOrigin {
    let feed = |FeedOrigin { path, base, head }: &FeedOrigin| FeedOrigin {
        path: path.clone(),
        base: base.clone(),
        head: head.clone(),
    };
    PolicyOrigin {
        path: path.clone(),
        revision: commit(revision.as_ref()),
        sha256: sha256.clone(),
        feeds: feeds.iter().map(feed).collect(),
    }
}

fn configuration(configuration: &ConfigurationReport) -> ConfigurationReport {
    let ConfigurationReport { name, format, change, filters, balancers, objects, withheld: _ } = configuration;
    let ObjectsReport { added, removed, modified } = objects;
    let withheld = WithheldReport {
        filters: filters.len(),
        newly_allowed: filters.iter().map(|filter| filter.newly_allowed_total).sum(),
        newly_denied: filters.iter().map(|filter| filter.newly_denied_total).sum(),
        complete: filters.iter().all(|filter| filter.complete),
        balancers: balancers.len(),
        added: added.len(),
        removed: removed.len(),
        modified: modified.len(),
    };
    ConfigurationReport {
        name: name.clone(),
        format: format.clone(),
        change: *change,
        filters: Vec::new(),
        balancers: Vec::new(),
        objects: ObjectsReport::default(),
        withheld: Some(withheld),
    }
}

fn finding(finding: &FindingReport, alike: &mut BTreeMap<String, usize>) -> FindingReport {
    let FindingReport {
        check,
        name: _,
        level,
        outcome,
        message: _,
        help: _,
        configuration,
        filter: _,
        flow: _,
        witness,
        request,
        location,
        related,
        policy_location,
        fingerprint: _,
        approvals,
        waiver,
    } = finding;
    let routed =
        || request.as_ref().and_then(|request| request.head.location.as_ref().or(request.base.location.as_ref()));
    let location = location.as_ref().or_else(routed).map(place);
    let location = location.or_else(|| witness.as_ref().and_then(decided));
    let fingerprint = fingerprint(check, configuration.as_deref(), location.as_ref(), alike);
    FindingReport {
        check: check.clone(),
        name: None,
        level: *level,
        outcome: *outcome,
        message: told(check),
        help: HELP.to_owned(),
        configuration: configuration.clone(),
        filter: None,
        flow: None,
        witness: None,
        request: None,
        location,
        // What they are to it is a word of the program.
        related: related
            .iter()
            .map(|RelatedReport { what, location }| RelatedReport { what: what.clone(), location: place(location) })
            .collect(),
        policy_location: policy_location.as_ref().map(place),
        fingerprint,
        // Who reviewed it everybody sees who sees the pull request.
        approvals: approvals.clone(),
        waiver: waiver.clone(),
    }
}

/// What a check reports, as its page says it.
fn told(check: &str) -> String {
    summary(check).unwrap_or("a check of the policy says something").trim_end_matches('.').to_owned()
}

/// The line that decides a packet: on head, or else on base.
fn decided(WitnessReport { packet: _, assumed: _, base, head }: &WitnessReport) -> Option<Location> {
    let of = |side, answer: &crate::decision::AnswerReport| {
        let (path, line, column) = (answer.path.clone()?, answer.line?, answer.column?);
        Some(Location { side, path, line, column, end_line: line, end_column: column, span: None })
    };
    of(LocationSide::Head, head).or_else(|| of(LocationSide::Base, base.as_ref()?))
}

/// The full one is made of the packets: whoever guesses them could see that the guess is right.
fn fingerprint(
    check: &str,
    configuration: Option<&str>,
    location: Option<&Location>,
    alike: &mut BTreeMap<String, usize>,
) -> String {
    let path = location.map_or("", |location| location.path.as_str());
    let key = format!("minimal\0{check}\0{}\0{path}", configuration.unwrap_or_default());
    let number = alike.entry(key.clone()).or_default();
    *number += 1;
    hex(&Sha256::digest(format!("{key}\0{number}")))
}

/// A place without the text that stands there.
fn place(Location { side, path, line, column, end_line, end_column, span: _ }: &Location) -> Location {
    Location {
        side: *side,
        path: path.clone(),
        line: *line,
        column: *column,
        end_line: *end_line,
        end_column: *end_column,
        span: None,
    }
}

fn waiver(waiver: &WaiverReport) -> WaiverReport {
    let WaiverReport { id, check, owner, reason: _, ticket: _, expires, state, findings, notes } = waiver;
    WaiverReport {
        id: id.clone(),
        check: check.clone(),
        owner: owner.clone(),
        reason: LEFT_OUT.to_owned(),
        ticket: LEFT_OUT.to_owned(),
        expires: expires.clone(),
        state: *state,
        findings: *findings,
        notes: notes.clone(),
    }
}

fn gap(GapReport { configuration, side, location, text: _, reason: _ }: &GapReport) -> GapReport {
    GapReport {
        configuration: configuration.clone(),
        side: *side,
        location: place(location),
        text: String::new(),
        reason: LEFT_OUT.to_owned(),
    }
}

fn doubt(doubt: &DoubtReport) -> DoubtReport {
    let DoubtReport { cause, check, message, help, location, policy_location } = doubt;
    let (message, help) = match (cause, location) {
        // Which file, commit, part or answer of the forge is missing: whoever runs the gate has to know, and it tells no more.
        (Cause::Source | Cause::MissingFact | Cause::Incomplete, _) | (Cause::Policy, None) => {
            (message.as_str(), help.as_str())
        }
        (Cause::Policy, Some(_)) => ("something is wrong with the policy there", HELP),
        (Cause::MatchesNothing, _) => ("something that the policy names is not there", HELP),
        (Cause::TooHard, _) => ("a question was too hard for its budget", HELP),
        (Cause::NotComputed, _) => ("something differs whose effect is not computed", HELP),
        (Cause::Internal, _) => ("this is an error of the program: please report it", HELP),
    };
    DoubtReport {
        cause: *cause,
        check: check.clone(),
        message: message.to_owned(),
        help: help.to_owned(),
        location: location.as_ref().map(place),
        policy_location: policy_location.as_ref().map(place),
    }
}

fn expectation(ExpectationReport { name: _, location, outcome }: &ExpectationReport) -> ExpectationReport {
    ExpectationReport { name: None, location: place(location), outcome: *outcome }
}

fn counts(stats: &Stats) -> Stats {
    let Stats { configurations, changed, filters, base_rules, head_rules, newly_allowed, newly_denied } = stats;
    Stats {
        configurations: *configurations,
        changed: *changed,
        filters: *filters,
        base_rules: *base_rules,
        head_rules: *head_rules,
        newly_allowed: *newly_allowed,
        newly_denied: *newly_denied,
    }
}
