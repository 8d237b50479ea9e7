use super::deletions::{self, Count, Group, Grouping};
use super::scope::Scope;
use super::stable::Stable;
use super::{Check, Context, Report, Spans, Watched, declare_check};
use crate::diff::Side;
use crate::facts::{Maker, MissingFact};
use crate::policy::{Policy, Spanned, is_of_preset, keys};
use crate::text::{escape, few};
use std::collections::BTreeMap;

declare_check! { id: "deletion-limit", since: "0.1.0", level: Block, settings: DeletionLimit, counted: true }

keys! {
    struct DeletionLimit {
        /// How many objects of a kind one change may remove. Default, if `percent` is not given either: 10.
        count: Option<usize>,
        /// What share of the objects that base has of a kind, in percent; holds from 10 objects on. Default, if
        /// `count` is not given either: 30.
        percent: Option<usize>,
        /// What is counted together: the objects of a kind in one `configuration`, of a `kind` in all of them, or of one
        /// `owner`, which a tag `owner` names; rules are those of the owner of their group. An owner who loses all is over
        /// every limit, however little it is. Default: kind.
        per: Option<Grouping>,
        /// Only these kinds: `rule`, `chain`, `set`, `translation`, `listener`, `backend`, `server`, `configuration` …
        /// Default: all.
        kinds: Option<Vec<Spanned<String>>>,
        /// Stricter limits for changes that a program made, or may have made: who opened or pushed the pull request or has
        /// a commit in it is one of `bots` or no person, or is not known.
        automation: Option<Automation>,
        /// What a program removes, or may have removed, counts only when it was seen so often without having changed:
        /// `{observations: 3, over: 10m}`, with `above: 5` only where more than so many objects go. What was seen before
        /// stands in the file that `--state` names; without it the answer is not known.
        stable: Option<Stable>,
    }
}

keys! {
    struct Automation {
        /// As above.
        count: Option<usize>,
        /// As above.
        percent: Option<usize>,
    }
}

/// Below so many objects on base a share says nothing.
const SHARE_FROM: usize = 10;

impl Check for DeletionLimit {
    fn spans(&self, _: &Policy) -> Spans {
        // Whatever is counted together, it says how much goes in all.
        Spans::Configurations
    }

    fn run(&self, cx: &Context<'_>, report: &mut Report<'_>) -> Result<(), MissingFact> {
        let Self { count, percent, per: _, kinds, automation, stable } = self;
        let maker = cx.facts.maker(cx.policy.roster());
        let by_program = maker != Maker::Person;
        let automated = automation.as_ref().filter(|_| by_program);
        let (count, percent) = match (automated, count, percent) {
            (Some(Automation { count: a, percent: b }), count, percent) => {
                (stricter(*a, *count), stricter(*b, *percent))
            }
            (None, None, None) => (Some(10), Some(30)),
            (None, count, percent) => (*count, *percent),
        };
        let mut groups = self.groups(cx, report.scope());
        if let Some(kinds) = kinds {
            for kind in kinds {
                let known = groups.keys().any(|(_, name)| *name == kind.value)
                    || cx.change.head.configurations().iter().flat_map(|c| &c.objects).any(|o| o.kind == kind.value);
                if !known && !is_of_preset(kind.span, cx.sources) {
                    report
                        .idle(format!("there is nothing of the kind `{}` on either side", kind.value), Some(kind.span));
                }
            }
        }
        groups.retain(|(_, kind), _| self.is_about(kind));
        let total: usize = groups.values().map(Count::removed).sum();
        bereft(&groups, total, report);
        let watched = stable.as_ref().filter(|_| by_program).and_then(|stable| Some((stable, stable.watch(&groups)?)));
        for ((group, kind), count_of) in &groups {
            let (base, removed) = (count_of.base, count_of.removed());
            let bereft = matches!(group, Group::Owner(_)) && removed == base;
            let over_count = !bereft && count.is_some_and(|count| removed > count);
            let over_share =
                !bereft && base >= SHARE_FROM && percent.is_some_and(|percent| removed * 100 > percent * base);
            if !over_count && !over_share {
                continue;
            }
            let limit = match (count.filter(|_| over_count), percent.filter(|_| over_share)) {
                (Some(count), Some(percent)) => format!("{count} and {percent} %"),
                (Some(count), None) => count.to_string(),
                (None, Some(percent)) => format!("{percent} %"),
                (None, None) => continue,
            };
            let who = match (automated, maker) {
                (None, _) | (Some(_), Maker::Person) => "",
                (Some(_), Maker::Program) => " by automation",
                (Some(_), Maker::Unknown) => " where it is not known that a person made the change",
            };
            let all = if total == removed { String::new() } else { format!(", and {total} of all kinds") };
            let message = format!(
                "the change removes {removed} of {base} objects of the kind `{kind}` in {group}{all}; at most {limit} may go{who}"
            );
            let finding = report.finding(message, help(total));
            finding.removes = Some(total);
            finding.location = count_of.first.map(|span| (Side::Base, span));
        }
        watched.map_or(Ok(()), |(stable, watched)| stable.judge(&watched, &groups, cx, report))
    }

    fn depends_on_maker(&self, cx: &Context<'_>, scope: &Scope) -> bool {
        let Self { count: _, percent: _, per: _, kinds: _, automation, stable } = self;
        let gone = |((_, kind), count): (&(Group, &'static str), &Count)| self.is_about(kind) && count.removed() > 0;
        (automation.is_some() || stable.is_some()) && self.groups(cx, scope).iter().any(gone)
    }

    fn watched(&self, cx: &Context<'_>, scope: &Scope) -> Option<Watched> {
        let stable = self.stable.as_ref().filter(|_| cx.facts.maker(cx.policy.roster()) != Maker::Person)?;
        let mut groups = self.groups(cx, scope);
        groups.retain(|(_, kind), _| self.is_about(kind));
        stable.watch(&groups)
    }
}

impl DeletionLimit {
    fn groups(&self, cx: &Context<'_>, scope: &Scope) -> BTreeMap<(Group, &'static str), Count> {
        let per = self.per.unwrap_or(Grouping::Kind);
        deletions::count(cx, |configuration| scope.touches(configuration, cx), per)
    }

    fn is_about(&self, kind: &str) -> bool {
        self.kinds.as_ref().is_none_or(|kinds| kinds.iter().any(|one| one.value == kind))
    }
}

/// Reports owners who lose everything that they have of a kind, however little it is.
fn bereft(groups: &BTreeMap<(Group, &'static str), Count>, total: usize, report: &mut Report<'_>) {
    let mut kinds: BTreeMap<&str, Vec<(&str, &Count)>> = BTreeMap::new();
    for ((group, kind), count) in groups {
        if let Group::Owner(owner) = group
            && count.removed() > 0
            && count.removed() == count.base
        {
            kinds.entry(kind).or_default().push((owner, count));
        }
    }
    for (kind, owners) in kinds {
        let named: Vec<String> = owners.iter().map(|(owner, _)| format!("`{}`", escape(owner.as_bytes()))).collect();
        let names = few(&named, NAMED);
        let message = match &owners[..] {
            [(_, count)] => format!("{names} loses all of {} objects of the kind `{kind}`", count.base),
            owners => {
                let all: usize = owners.iter().map(|(_, count)| count.removed()).sum();
                format!("{} owners lose all that they have of the kind `{kind}`, {all} objects: {names}", owners.len())
            }
        };
        let help = "ask each of them, or whoever answers for them, before all that they have is taken away";
        let finding = report.finding(message, help);
        finding.removes = Some(total);
        finding.location = owners.first().and_then(|(_, count)| count.first).map(|span| (Side::Base, span));
    }
}

fn help(total: usize) -> String {
    format!(
        "check that its input was complete; split an intended removal, or have a waiver say how many go \
         (`expect_deletions: {total}`)"
    )
}

/// How many owners a sentence names.
const NAMED: usize = 10;

/// The smaller of two limits, where a missing one does not limit.
fn stricter(a: Option<usize>, b: Option<usize>) -> Option<usize> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (Some(limit), None) | (None, Some(limit)) => Some(limit),
        (None, None) => None,
    }
}
