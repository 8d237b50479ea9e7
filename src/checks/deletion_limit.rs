use super::{Check, Context, Report, declare_check, rules};
use crate::diff::Side;
use crate::facts::MissingFact;
use crate::policy::{Spanned, keys, words};
use crate::text::Span;
use std::collections::{BTreeMap, BTreeSet};

declare_check! { id: "deletion-limit", since: "0.1.0", level: Block, settings: DeletionLimit }

keys! {
    struct DeletionLimit {
        /// How many objects of a kind one change may remove. Default, if `percent` is not given either: 10.
        count: Option<usize>,
        /// What share of the objects that base has of a kind, in percent; holds from 10 objects on. Default, if
        /// `count` is not given either: 30.
        percent: Option<usize>,
        /// What is counted together: the objects of a kind in one `configuration`, of a `kind` in all of them, or of one
        /// `owner`, which a tag `owner` names; rules are those of the owner of their group. Default: kind.
        per: Option<Grouping>,
        /// Only these kinds: `rule`, `chain`, `set`, `translation`, `configuration` … Default: all.
        kinds: Option<Vec<Spanned<String>>>,
        /// Stricter limits for changes that a program made, or may have made: the author is one of `bots`, or is not
        /// known.
        automation: Option<Automation>,
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

words! {
    /// What is counted together.
    enum Grouping as "grouping" {
        /// The objects of a kind in one configuration.
        Configuration = "configuration",
        /// The objects of a kind in all configurations.
        Kind = "kind",
        /// The objects of a kind that one owner has in all configurations.
        Owner = "owner",
    }
}

/// Below so many objects on base a share says nothing.
const SHARE_FROM: usize = 10;

/// The objects of one kind.
#[derive(Default)]
struct Count {
    base: usize,
    removed: usize,
    first: Option<Span>,
}

impl Count {
    fn remove(&mut self, at: Span) {
        self.removed += 1;
        self.first.get_or_insert(at);
    }
}

impl Check for DeletionLimit {
    fn run(&self, cx: &Context<'_>, report: &mut Report<'_>) -> Result<(), MissingFact> {
        let Self { count, percent, per, kinds, automation } = self;
        let automated = automation.as_ref().filter(|_| cx.facts.automated(&cx.policy.bots));
        let (count, percent) = match (automated, count, percent) {
            (Some(Automation { count: a, percent: b }), count, percent) => {
                (stricter(*a, *count), stricter(*b, *percent))
            }
            (None, None, None) => (Some(10), Some(30)),
            (None, count, percent) => (*count, *percent),
        };
        let mut groups: BTreeMap<(String, &'static str), Count> = BTreeMap::new();
        for (base, head) in cx.change.pairs() {
            let Some(base) = base.filter(|base| report.scope().touches(&base.name, cx)) else { continue };
            let owners: BTreeMap<&str, &str> =
                base.objects.iter().filter_map(|o| Some((o.address.as_str(), o.owner.as_deref()?))).collect();
            let group = |address: &str| match per.unwrap_or(Grouping::Kind) {
                Grouping::Configuration => format!("`{}`", base.name),
                Grouping::Kind => "all configurations".to_owned(),
                Grouping::Owner => match owners.get(address) {
                    Some(owner) => format!("what `{owner}` owns"),
                    None => "what nobody owns".to_owned(),
                },
            };
            let mut tally = |address: &str, kind: &'static str, all: usize, removed: &[Span]| {
                let count = groups.entry((group(address), kind)).or_default();
                count.base += all;
                removed.iter().for_each(|at| count.remove(*at));
            };
            let there = || head.into_iter().flat_map(rules::lines);
            let gone = rules::removed(|| rules::lines(base), there, &cx.change.store, cx.sources);
            let mut of_table: BTreeMap<&str, Vec<Span>> = BTreeMap::new();
            for line in &gone {
                of_table.entry(line.table).or_default().push(line.origin);
            }
            for table in &base.tables {
                let all = table.chains.iter().map(|chain| rules::lines_of(table, chain).count()).sum();
                tally(&table.name, "rule", all, &of_table.remove(table.name.as_str()).unwrap_or_default());
            }
            let there: BTreeSet<(&str, &str)> =
                head.iter().flat_map(|head| &head.objects).map(|o| (o.kind, o.address.as_str())).collect();
            for object in &base.objects {
                let gone = !there.contains(&(object.kind, object.address.as_str()));
                tally(&object.address, object.kind, 1, if gone { std::slice::from_ref(&object.origin) } else { &[] });
            }
            let count = groups.entry((group(""), "configuration")).or_default();
            count.base += 1;
            count.removed += usize::from(head.is_none());
        }
        if let Some(kinds) = kinds {
            for kind in kinds {
                let known = groups.keys().any(|(_, name)| *name == kind.value)
                    || cx.change.head.configurations().iter().flat_map(|c| &c.objects).any(|o| o.kind == kind.value);
                if !known {
                    report
                        .idle(format!("there is nothing of the kind `{}` on either side", kind.value), Some(kind.span));
                }
            }
            groups.retain(|(_, name), _| kinds.iter().any(|kind| kind.value == *name));
        }
        for ((group, kind), Count { base, removed, first }) in groups {
            let over_count = count.is_some_and(|count| removed > count);
            let over_share = base >= SHARE_FROM && percent.is_some_and(|percent| removed * 100 > percent * base);
            if !over_count && !over_share {
                continue;
            }
            let limit = match (count.filter(|_| over_count), percent.filter(|_| over_share)) {
                (Some(count), Some(percent)) => format!("{count} and {percent} %"),
                (Some(count), None) => count.to_string(),
                (None, Some(percent)) => format!("{percent} %"),
                (None, None) => continue,
            };
            let who = match (automated, &cx.facts.authors) {
                (None, _) => "",
                (Some(_), Some(_)) => " by automation",
                (Some(_), None) => " where it is not known that a person made the change",
            };
            let message = format!(
                "the change removes {removed} of {base} objects of the kind `{kind}` in {group}; at most {limit} may go{who}"
            );
            let finding = report.finding(
                message,
                "check that its input was complete; split an intended removal, or have the limit raised first",
            );
            finding.location = first.map(|span| (Side::Base, span));
        }
        Ok(())
    }
}

/// The smaller of two limits, where a missing one does not limit.
fn stricter(a: Option<usize>, b: Option<usize>) -> Option<usize> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (Some(limit), None) | (None, Some(limit)) => Some(limit),
        (None, None) => None,
    }
}
