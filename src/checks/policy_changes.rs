use super::{Check, Context, Report, Spans, declare_check};
use crate::diff::Side;
use crate::facts::MissingFact;
use crate::policy::{Attributes, KeyChange, Policy, PolicyError, Proposal, changes, keys};
use crate::text::{SourceId, Span, beginning, lines};
use miette::Diagnostic;
use std::collections::BTreeSet;

declare_check! { id: "policy-changes", since: "0.1.0", level: Approve, settings: PolicyChanges, always: true, waivable: false }

keys! {
    struct PolicyChanges {}
}

impl Check for PolicyChanges {
    fn spans(&self, _: &Policy) -> Spans {
        Spans::Files
    }

    fn run(&self, cx: &Context<'_>, report: &mut Report<'_>) -> Result<(), MissingFact> {
        let Self {} = self;
        match cx.proposal {
            Proposal::Outside | Proposal::Unchanged => {}
            Proposal::Removed => {
                let help = "leave the policy where it is: without it no later change can be judged";
                block(report.finding("the change removes the policy", help));
            }
            Proposal::Changed { source: _, policy } => match accepted(policy) {
                Err(problems) => {
                    for problem in problems {
                        let message = format!("the proposed policy would not be accepted: {problem}");
                        let hint = problem.help().map(|help| format!("{help}; ")).unwrap_or_default();
                        let help = format!("{hint}as it is, no later change could be judged");
                        let finding = report.finding(message, help);
                        finding.location = Some((Side::Head, problem.at()));
                        block(finding);
                    }
                }
                Ok(proposed) => {
                    let changes = changes(&cx.policy.root, &proposed.root);
                    for change in &changes {
                        describe(change, cx, report);
                    }
                    if changes.is_empty() {
                        let message = "the text of the policy changes, and none of its values";
                        owned(report.finding(message, "have somebody look who answers for the policy"), cx);
                    }
                }
            },
        }
        for attributes in &cx.plan.attributes {
            attributes_changed(attributes, cx, report);
        }
        Ok(())
    }
}

/// `.gitattributes` decides what a checkout or an archive holds of a file, and what a review shows of it.
fn attributes_changed(Attributes { base, head }: &Attributes, cx: &Context<'_>, report: &mut Report<'_>) {
    let sources = cx.sources;
    let text = |id: &Option<SourceId>| id.map_or(&[][..], |id| sources.bytes(id));
    let (before, after) = (text(base), text(head));
    if before == after {
        return;
    }
    let (side, id, from, others) = match (base, head) {
        (_, Some(id)) => (Side::Head, *id, after, before),
        (Some(id), None) => (Side::Base, *id, before, after),
        (None, None) => return,
    };
    let known: Vec<&[u8]> = lines(others).map(|(_, line)| line).collect();
    let (start, line) = lines(from).find(|(_, line)| !known.contains(line)).unwrap_or((0, b""));
    let name = sources.name(id);
    let message = format!("{name} changes what git does with the files that are judged");
    let help = "attributes decide what a checkout or `git archive` deploys and what a review shows: have somebody look \
                who answers for the policy";
    let narrow = |n: usize| u32::try_from(n).expect("sources are smaller than 4 GiB");
    let at = Span { source: id, start: narrow(start), end: narrow(start + line.len()) };
    let finding = report.finding(message, help);
    finding.location = Some((side, at));
    owned(finding, cx);
}

/// The proposed policy, if it and all its checks are well-formed.
fn accepted(policy: &Result<Policy, Vec<PolicyError>>) -> Result<&Policy, Vec<PolicyError>> {
    let policy = policy.as_ref().map_err(Clone::clone)?;
    super::configure(policy).map(|_| policy)
}

/// A policy that nobody could use is worse than one that needs an approval.
fn block(finding: &mut super::Finding) {
    finding.level = finding.level.max(super::Level::Block);
}

fn describe(change: &KeyChange, cx: &Context<'_>, report: &mut Report<'_>) {
    let KeyChange { path, before, after, base, head } = change;
    let (message, word) = match (before, after) {
        (Some(before), Some(after)) => (
            format!("the policy changes `{path}` from `{}` to `{}`", beginning(before, 100), beginning(after, 100)),
            weaker(path, before, after),
        ),
        (Some(before), None) => {
            let word = if is_grant(path) { "stricter" } else { "weaker" };
            (format!("the policy loses `{path}`: `{}`", beginning(before, 100)), Some(word))
        }
        (None, Some(after)) => (
            format!("the policy gains `{path}`: `{}`", beginning(after, 100)),
            if is_grant(path) {
                Some("weaker")
            } else if is_limit(path) {
                Some("stricter")
            } else {
                default_of(path).and_then(|before| weaker(path, &before, after))
            },
        ),
        (None, None) => return,
    };
    let message = match word {
        Some(word) => format!("{message} ({word})"),
        None => message,
    };
    let help = if path.starts_with("waivers") {
        "have somebody look who answers for the policy (`policy_owners`): without that a waiver counts from the next change \
         on, not for the one that brings it"
    } else {
        "have somebody look who answers for the policy; it judges from the next change on"
    };
    let finding = report.finding(message, help);
    finding.location = head.map(|span| (Side::Head, span)).or(base.map(|span| (Side::Base, span)));
    owned(finding, cx);
    let number = |text: &Option<String>| text.as_ref().and_then(|text| text.parse::<u64>().ok());
    if path == "epoch" && number(after).unwrap_or_default() < number(before).unwrap_or_default() {
        finding.help = "the epoch only ever grows: hosts refuse what is reviewed by an older policy".to_owned();
        block(finding);
    }
}

/// What those have to approve who answer for the policy, if it says who they are, besides what the entry asks for.
fn owned(finding: &mut super::Finding, cx: &Context<'_>) {
    finding.approvals.extend(cx.policy.owned());
}

/// Keys that let more happen than without them: waivers, people who may approve, limits that are not there at all.
fn is_grant(path: &str) -> bool {
    ["waivers", "people", "teams", "max_waiver_days"]
        .iter()
        .any(|key| *path == **key || path.starts_with(&format!("{key}.")))
        || path.ends_with(".none")
}

/// Keys that demand something as soon as they are there.
fn is_limit(path: &str) -> bool {
    let key = path.rsplit([' ', '.']).next().unwrap_or(path);
    ["freeze", "approvals", "policy_owners", "bots", "epoch", "min_version"].contains(&path)
        || path.starts_with("freeze.")
        || (key == "from" && is_demand(path))
        || key == "distinct_teams"
}

/// Whether a key is part of a demand for approvals.
fn is_demand(path: &str) -> bool {
    path.starts_with("approvals") || path.contains(" approvals.") || path.contains("required-approvals")
}

/// The value of a level that was not given.
fn default_of(path: &str) -> Option<String> {
    let check = path.strip_prefix("checks ")?.split([' ', ':']).next()?;
    path.ends_with(" level").then(|| super::find(check).map(|declaration| declaration.level.to_string()))?
}

/// Whether another value demands less, where that can be told from the key alone.
fn weaker(path: &str, before: &str, after: &str) -> Option<&'static str> {
    let key = path.rsplit([' ', '.']).next().unwrap_or(path);
    let number = |text: &str| text.parse::<u64>().ok();
    let rank = |text: &str| ["off", "warn", "approve", "block"].iter().position(|word| *word == text);
    let version = |text: &str| -> Vec<Option<u64>> { text.trim_matches('"').split('.').map(number).collect() };
    let said = |less: bool| Some(if less { "weaker" } else { "stricter" });
    // Lists of those who may approve: who comes may, who goes may not.
    let members = |text: &str| -> Option<BTreeSet<String>> {
        let inner = text.strip_prefix('[')?.strip_suffix(']')?;
        Some(inner.split(", ").map(str::to_owned).collect())
    };
    let grows = || -> Option<bool> {
        let (before, after) = (members(before)?, members(after)?);
        match (after.is_superset(&before), after.is_subset(&before)) {
            (true, false) => Some(true),
            (false, true) => Some(false),
            (true, true) | (false, false) => None,
        }
    };
    match key {
        "level" => said(rank(after)? < rank(before)?),
        "count" if is_demand(path) => said(number(after)? < number(before)?),
        "count" | "percent" => said(number(after)? > number(before)?),
        "shrink" | "max_waiver_days" | "deletes_more_than" => said(number(after)? > number(before)?),
        "distinct_teams" | "epoch" => said(number(after)? < number(before)?),
        "min_version" => said(version(after) < version(before)),
        "always" => said(before == "true"),
        "expires" if path.starts_with("waivers") => said(after > before),
        "from" if path.starts_with("freeze.") => said(after > before),
        "to" if path.starts_with("freeze.") => said(after < before),
        "from" if is_demand(path) && !path.contains(".when.") => grows().and_then(said),
        "policy_owners" | "people" => grows().and_then(said),
        "bots" => grows().and_then(|grows| said(!grows)),
        _ => None,
    }
}
