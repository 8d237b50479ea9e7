use super::{Check, Context, Level, Report, Undecided, declare_check, rules};
use crate::diff::Side;
use crate::facts::MissingFact;
use crate::model::{Configuration, Gap};
use crate::policy::{Unmatched, keys};
use std::collections::BTreeSet;

declare_check! { id: "unreadable", since: "0.1.0", level: Block, settings: Unreadable, always: true, alone: Always, waivable: false }

keys! {
    struct Unreadable {}
}

impl Check for Unreadable {
    fn run(&self, cx: &Context<'_>, report: &mut Report<'_>) -> Result<(), MissingFact> {
        let Self {} = self;
        for unmatched in &cx.plan.unmatched {
            let Unmatched { configuration, pattern, at, on_base } = unmatched;
            let message = if *on_base {
                format!("`{pattern}` of `{configuration}` names no file any more")
            } else {
                format!("`{pattern}` of `{configuration}` names no file")
            };
            let help = "restore the file; if it is meant to go, take the pattern out of the policy first";
            let finding = report.undecided(Undecided::MatchesNothing, message, help);
            finding.configuration = Some(configuration.clone());
            finding.policy = Some(*at);
        }
        for (base, head) in cx.change.pairs() {
            let Some(base) = base else { continue };
            if base.format.is_empty() && !blank(cx, &base.name) {
                let message = format!("`{}` cannot be read on base, so there is nothing to compare with", base.name);
                let help = "see the gaps of base; name the format in the policy with `format:`";
                let finding = report.undecided(Undecided::Unreadable, message, help);
                finding.configuration = Some(base.name.clone());
            } else {
                forgotten(cx, base, report);
            }
            if let Some(head) = head {
                uncomputed(base, head, report);
            }
        }
        Ok(())
    }
}

/// Whether all files of a configuration are empty on base: that says nothing, but it can be read, and filled.
fn blank(cx: &Context<'_>, name: &str) -> bool {
    let planned = cx.plan.configurations.iter().find(|planned| planned.name == name);
    let files = planned.and_then(|planned| planned.base.as_ref());
    files.is_some_and(|files| files.iter().all(|file| cx.sources.bytes(*file).trim_ascii().is_empty()))
}

/// What was not understood on base and is not there any more: nobody can say what its going does.
fn forgotten(cx: &Context<'_>, base: &Configuration, report: &mut Report<'_>) {
    let mine = |gap: &&Gap| gap.configuration == base.name;
    let kept: BTreeSet<&[u8]> =
        cx.change.head.gaps().iter().filter(mine).map(|gap| cx.sources.slice(gap.origin)).collect();
    for gap in cx.change.base.gaps().iter().filter(mine) {
        if kept.contains(cx.sources.slice(gap.origin)) {
            continue;
        }
        let message = format!("the change removes or rewrites what is not understood on base: {}", gap.reason);
        let finding = report.finding(message, "have somebody look who knows what it did");
        finding.level = Level::Approve;
        finding.configuration = Some(base.name.clone());
        finding.location = Some((Side::Base, gap.origin));
    }
}

/// Objects that differ, and whose effect on packets is not computed.
fn uncomputed(base: &Configuration, head: &Configuration, report: &mut Report<'_>) {
    let objects = (rules::objects(Some(base)), rules::objects(Some(head)));
    let sides = [(Side::Base, base, &objects.1), (Side::Head, head, &objects.0)];
    for (side, mine, other) in sides {
        for object in &mine.objects {
            let twin = other.get(&(object.kind, object.address.as_str()));
            let both = twin.is_some();
            let Some(effect) = object.untold(side == Side::Base || both, side == Side::Head || both) else { continue };
            let differs = twin.is_none_or(|twin| !twin.says_the_same(object));
            // What is on both sides is reported once, where it stands on head.
            if !differs || (side == Side::Base && twin.is_some()) {
                continue;
            }
            let verb = match (side, twin) {
                (Side::Base, _) => "is removed",
                (Side::Head, None) => "is added",
                (Side::Head, Some(_)) => "changes",
            };
            let message = format!("the {} `{}` {verb}: {effect}", object.kind, object.address);
            let finding = report.undecided(Undecided::Unreadable, message, "have somebody look who knows what it does");
            finding.configuration = Some(mine.name.clone());
            finding.location = Some((side, object.origin));
        }
    }
}
