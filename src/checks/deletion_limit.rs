use super::{Check, Context, Report, declare_check, rules};
use crate::diff::balancers::ListenerChange;
use crate::diff::{ConfigurationDifference, Side};
use crate::facts::MissingFact;
use crate::model::{Configuration, LISTENERS};
use crate::policy::{Spanned, keys, words};
use crate::text::{Span, escape};
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
        /// `owner`, which a tag `owner` names; rules are those of the owner of their group. An owner who loses all is over
        /// every limit, however little it is. Default: kind.
        per: Option<Grouping>,
        /// Only these kinds: `rule`, `chain`, `set`, `translation`, `listener`, `backend`, `server`, `configuration` …
        /// Default: all.
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
        let automated = automation.as_ref().filter(|_| cx.facts.automated(&cx.policy.roster().bots));
        let (count, percent) = match (automated, count, percent) {
            (Some(Automation { count: a, percent: b }), count, percent) => {
                (stricter(*a, *count), stricter(*b, *percent))
            }
            (None, None, None) => (Some(10), Some(30)),
            (None, count, percent) => (*count, *percent),
        };
        let per = per.unwrap_or(Grouping::Kind);
        let mut groups: BTreeMap<(Group, &'static str), Count> = BTreeMap::new();
        for (base, head) in cx.change.pairs() {
            let Some(base) = base.filter(|base| report.scope().touches(&base.name, cx)) else { continue };
            let owners: BTreeMap<&str, &str> =
                base.objects.iter().filter_map(|o| Some((o.address.as_str(), o.owner.as_deref()?))).collect();
            let group_of = |owner: Option<&str>| match per {
                Grouping::Configuration => Group::Configuration(base.name.clone()),
                Grouping::Kind => Group::All,
                Grouping::Owner => owner.map_or(Group::Nobody, |owner| Group::Owner(owner.to_owned())),
            };
            let group = |address: &str| group_of(owners.get(address).copied());
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
            for (origin, is_gone) in shared(base, &gone) {
                let holder = base.objects.iter().find(|object| object.owner.is_some() && encloses(object.origin, origin));
                let address = holder.map_or("", |object| object.address.as_str());
                tally(address, "rule", 1, if is_gone { std::slice::from_ref(&origin) } else { &[] });
            }
            for table in base.tables.iter().filter(|table| table.name != LISTENERS && !table.shared) {
                let all = table.chains.iter().map(|chain| rules::lines_of(table, chain).count()).sum();
                tally(&table.name, "rule", all, &of_table.remove(table.name.as_str()).unwrap_or_default());
            }
            let there: BTreeSet<(&str, &str)> =
                head.iter().flat_map(|head| &head.objects).map(|o| (o.kind, o.address.as_str())).collect();
            for object in &base.objects {
                let gone = !there.contains(&(object.kind, object.address.as_str()));
                tally(&object.address, object.kind, 1, if gone { std::slice::from_ref(&object.origin) } else { &[] });
            }
            for part in parts(base, cx) {
                let count = groups.entry((group_of(part.owner), part.kind)).or_default();
                count.base += 1;
                if part.gone {
                    count.remove(part.origin);
                }
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
        bereft(&groups, report);
        for ((group, kind), Count { base, removed, first }) in groups {
            let bereft = matches!(group, Group::Owner(_)) && removed == base;
            let over_count = !bereft && count.is_some_and(|count| removed > count);
            let over_share = !bereft && base >= SHARE_FROM && percent.is_some_and(|percent| removed * 100 > percent * base);
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

/// The rules that stand in several tables, each once, and whether it is gone from all of them.
fn shared(base: &Configuration, gone: &[rules::Line<'_>]) -> BTreeMap<Span, bool> {
    let mut left: BTreeMap<Span, usize> = BTreeMap::new();
    let tables = base.tables.iter().filter(|table| table.shared);
    for line in tables.clone().flat_map(|table| table.chains.iter().flat_map(|chain| rules::lines_of(table, chain))) {
        *left.entry(line.origin).or_default() += 1;
    }
    let names: BTreeSet<&str> = tables.map(|table| table.name.as_str()).collect();
    for line in gone.iter().filter(|line| names.contains(line.table)) {
        left.entry(line.origin).and_modify(|count| *count = count.saturating_sub(1));
    }
    left.into_iter().map(|(origin, count)| (origin, count == 0)).collect()
}

fn encloses(outer: Span, inner: Span) -> bool {
    outer.source == inner.source && outer.start <= inner.start && inner.end <= outer.end
}

/// What is counted together.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Group {
    All,
    Configuration(String),
    Owner(String),
    Nobody,
}

impl std::fmt::Display for Group {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::All => f.write_str("all configurations"),
            Self::Configuration(name) => write!(f, "`{name}`"),
            Self::Owner(owner) => write!(f, "what `{}` owns", escape(owner.as_bytes())),
            Self::Nobody => f.write_str("what nobody owns"),
        }
    }
}

/// A listener, backend or server of base.
struct Part<'c> {
    kind: &'static str,
    owner: Option<&'c str>,
    gone: bool,
    origin: Span,
}

/// The parts of the balancers of base. What is only called otherwise is not gone.
fn parts<'c>(base: &'c Configuration, cx: &Context<'c>) -> Vec<Part<'c>> {
    let mine = |difference: &&'c ConfigurationDifference| difference.name == base.name;
    let difference = cx.difference.configurations.iter().find(mine).map(|difference| &difference.balancers);
    let listeners = difference.map_or(&[][..], |difference| &difference.listeners);
    let backends = difference.map_or(&[][..], |difference| &difference.backends);
    let mut out = Vec::new();
    for listener in &base.listeners {
        let at = |change: &&ListenerChange| change.base.as_ref().is_some_and(|(name, _)| *name == listener.name);
        // It is gone when all its endpoints are.
        let mut changes = listeners.iter().filter(at);
        let lost: usize = changes.clone().filter(|change| change.head.is_none()).map(|c| c.endpoints.len()).sum();
        let gone = lost > 0 && changes.all(|change| change.head.is_none()) && lost >= listener.endpoints.len();
        let owner = listener.owner.as_deref();
        out.push(Part { kind: "listener", owner, gone, origin: listener.origin });
    }
    for backend in &base.backends {
        let change = backends.iter().find(|change| change.name == backend.name);
        let owner = backend.owner.as_deref();
        let gone = change.is_some_and(|change| change.head.is_none());
        out.push(Part { kind: "backend", owner, gone, origin: backend.origin });
        for server in &backend.servers {
            let gone = change.is_some_and(|change| change.removed.contains(server));
            out.push(Part { kind: "server", owner, gone, origin: server.origin });
        }
    }
    out
}

/// Reports owners who lose everything that they have of a kind, however little it is.
fn bereft(groups: &BTreeMap<(Group, &'static str), Count>, report: &mut Report<'_>) {
    let mut kinds: BTreeMap<&str, Vec<(&str, &Count)>> = BTreeMap::new();
    for ((group, kind), count) in groups {
        if let Group::Owner(owner) = group
            && count.removed > 0
            && count.removed == count.base
        {
            kinds.entry(kind).or_default().push((owner, count));
        }
    }
    for (kind, owners) in kinds {
        let named: Vec<String> =
            owners.iter().take(NAMED).map(|(owner, _)| format!("`{}`", escape(owner.as_bytes()))).collect();
        let more = owners.len().saturating_sub(NAMED);
        let more = if more == 0 { String::new() } else { format!(" and {more} more") };
        let message = match &owners[..] {
            [(_, count)] => format!("{}{more} loses all of {} objects of the kind `{kind}`", named.join(", "), count.base),
            owners => {
                let all: usize = owners.iter().map(|(_, count)| count.removed).sum();
                let names = named.join(", ");
                format!("{} owners lose all that they have of the kind `{kind}`, {all} objects: {names}{more}", owners.len())
            }
        };
        let help = "ask each of them, or whoever answers for them, before all that they have is taken away";
        let finding = report.finding(message, help);
        finding.location = owners.first().and_then(|(_, count)| count.first).map(|span| (Side::Base, span));
    }
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
