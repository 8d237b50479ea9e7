use super::{Check, Context, Report, declare_check};
use crate::diff::Side;
use crate::facts::MissingFact;
use crate::policy::{Attributes, KeyChange, Policy, PolicyError, Proposal, changes, keys};
use crate::text::{SourceId, SourceMap, Span, lines};
use miette::Diagnostic;

declare_check! { id: "policy-changes", since: "0.1.0", level: Approve, settings: PolicyChanges, always: true }

keys! {
    struct PolicyChanges {}
}

impl Check for PolicyChanges {
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
                        describe(change, report);
                    }
                    if changes.is_empty() {
                        let message = "the text of the policy changes, and none of its values";
                        report.finding(message, "have somebody look who answers for the policy");
                    }
                }
            },
        }
        for attributes in &cx.plan.attributes {
            attributes_changed(attributes, cx.sources, report);
        }
        Ok(())
    }
}

/// `.gitattributes` decides what a checkout or an archive holds of a file, and what a review shows of it.
fn attributes_changed(Attributes { base, head }: &Attributes, sources: &SourceMap, report: &mut Report<'_>) {
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
    report.finding(message, help).location = Some((side, at));
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

fn describe(change: &KeyChange, report: &mut Report<'_>) {
    let KeyChange { path, before, after, base, head } = change;
    let (message, help) = match (before, after) {
        (Some(before), Some(after)) => (
            format!("the policy changes `{path}` from `{}` to `{}`", short(before), short(after)),
            weaker(path, before, after),
        ),
        (Some(before), None) => (format!("the policy loses `{path}`: `{}`", short(before)), Some("weaker")),
        (None, Some(after)) => (
            format!("the policy gains `{path}`: `{}`", short(after)),
            default_of(path).and_then(|before| weaker(path, &before, after)),
        ),
        (None, None) => return,
    };
    let message = match help {
        Some(word) => format!("{message} ({word})"),
        None => message,
    };
    let finding =
        report.finding(message, "have somebody look who answers for the policy; it judges from the next change on");
    finding.location = head.map(|span| (Side::Head, span)).or(base.map(|span| (Side::Base, span)));
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
    let less = match key {
        "level" => rank(after)? < rank(before)?,
        "count" | "percent" if !path.contains("approvals") => number(after)? > number(before)?,
        "count" => number(after)? < number(before)?,
        "shrink" => number(after)? > number(before)?,
        "always" => before == "true",
        _ => return None,
    };
    Some(if less { "weaker" } else { "stricter" })
}

fn short(text: &str) -> String {
    let mut out: String = text.chars().take(100).collect();
    if out.len() < text.len() {
        out.push('…');
    }
    out
}
