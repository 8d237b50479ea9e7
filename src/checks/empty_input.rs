use super::{Check, Context, Report, declare_check, rules};
use crate::diff::Side;
use crate::facts::MissingFact;
use crate::model::{Chain, Configuration, Object};
use crate::policy::{Pattern, Planned, Spanned, keys};
use crate::text::{SourceId, Span, escape, first_of};
use std::collections::{BTreeMap, BTreeSet};

declare_check! { id: "empty-input", since: "0.1.0", level: Block, settings: EmptyInput, waivable: false }

keys! {
    struct EmptyInput {
        /// Only these kinds of collections: `configuration`, `file`, `chain`, `set`, `backend` … Default: all.
        kinds: Option<Vec<Spanned<String>>>,
        /// By how many percent a collection may not shrink either. Default: only empty ones are reported.
        shrink: Option<usize>,
        /// Collections that may end up empty: `edge/filter/DOCKER`, `hosts/*`, and names of files.
        allow: Option<Vec<Pattern>>,
    }
}

/// Kinds that may be named though nothing of them holds entries yet.
const COLLECTIONS: [&str; 7] = ["configuration", "file", "chain", "set", "map", "flowtable", "backend"];

/// Something that held entries on base.
struct Collection {
    kind: &'static str,
    address: String,
    base: usize,
    head: usize,
    /// What is gone of it, where that is known.
    gone: Option<String>,
    /// Where it is to be seen.
    at: Option<(Side, Span)>,
}

impl Check for EmptyInput {
    fn run(&self, cx: &Context<'_>, report: &mut Report<'_>) -> Result<(), MissingFact> {
        let Self { kinds, shrink, allow } = self;
        let mut found: Vec<(String, Collection)> = Vec::new();
        for (base, head) in cx.change.pairs() {
            let Some(name) = head.or(base).map(|configuration| configuration.name.clone()) else { continue };
            if !report.scope().touches(&name, cx) {
                continue;
            }
            if let Some(base) = base {
                found.extend(collections(cx, base, head).into_iter().map(|collection| (name.clone(), collection)));
            }
            if let (Some(head), Some(planned)) = (head, cx.plan.configurations.iter().find(|p| p.name == name)) {
                found.extend(files(cx, planned, head).into_iter().map(|collection| (name.clone(), collection)));
            }
        }
        let known: BTreeSet<&str> = found.iter().map(|(_, collection)| collection.kind).collect();
        for kind in kinds.iter().flatten() {
            if !known.contains(kind.value.as_str()) && !COLLECTIONS.contains(&kind.value.as_str()) {
                report.idle(format!("nothing of the kind `{}` holds entries on base", kind.value), Some(kind.span));
            }
        }
        let counted = |kind: &str| kinds.as_ref().is_none_or(|kinds| kinds.iter().any(|k| k.value == kind));
        let allowed = |address: &str| allow.iter().flatten().any(|pattern| pattern.covers(address));
        let mut emptied: BTreeSet<String> = BTreeSet::new();
        for (configuration, collection) in found {
            let Collection { kind, address, base, head, gone, at } = collection;
            // Where a whole configuration is empty, its parts need not be listed.
            if !counted(kind) || allowed(&address) || emptied.contains(&configuration) {
                continue;
            }
            let lost = base.saturating_sub(head);
            let message = if head == 0 {
                if kind == "configuration" {
                    emptied.insert(configuration.clone());
                }
                match base {
                    0 => format!("the {kind} `{address}` holds nothing"),
                    1 => format!("the {kind} `{address}` held 1 entry and is empty"),
                    base => format!("the {kind} `{address}` held {base} entries and is empty"),
                }
            } else if shrink.is_some_and(|shrink| lost > 0 && lost * 100 >= shrink * base) {
                let gone = gone.map(|gone| format!(": without {gone}")).unwrap_or_default();
                format!("the {kind} `{address}` shrinks from {base} entries to {head}{gone}")
            } else {
                continue;
            };
            let help = "find out why its source gave so little; if it is meant, name it under `allow` first";
            let finding = report.finding(message, help);
            finding.configuration = Some(configuration);
            finding.location = at;
        }
        Ok(())
    }
}

/// What of balancers held entries on base: the listeners, the backends, the balancers of an inventory, and the servers of
/// each backend.
fn balancers(base: &Configuration, head: Option<&Configuration>) -> Vec<Collection> {
    let mut out = Vec::new();
    let inventory = |c: &Configuration| c.objects.iter().filter(|object| object.kind == "balancer").count();
    let first = base.objects.iter().find(|object| object.kind == "balancer").map(|object| object.origin);
    for (kind, before, after, at) in [
        ("balancers", inventory(base), head.map_or(0, inventory), first),
        (
            "listeners",
            base.listeners.len(),
            head.map_or(0, |c| c.listeners.len()),
            base.listeners.first().map(|l| l.origin),
        ),
        (
            "backends",
            base.backends.len(),
            head.map_or(0, |c| c.backends.len()),
            base.backends.first().map(|b| b.origin),
        ),
    ] {
        if before > 0 {
            let at = at.map(|at| (Side::Base, at));
            let address = format!("{}/{kind}", base.name);
            out.push(Collection { kind: "configuration", address, base: before, head: after, gone: None, at });
        }
    }
    let twins = head.map_or_else(BTreeMap::new, Configuration::backends_by_name);
    for backend in base.backends.iter().filter(|backend| !backend.servers.is_empty() && backend.open.is_none()) {
        let Some(twin) = twins.get(backend.name.as_str()) else { continue };
        out.push(Collection {
            kind: "backend",
            address: format!("{}/{}", base.name, escape(backend.name.as_bytes())),
            base: backend.servers.len(),
            head: if twin.open.is_some() { backend.servers.len() } else { twin.servers.len() },
            gone: None,
            at: Some((Side::Head, twin.origin)),
        });
    }
    out
}

/// Everything of a configuration that held entries on base, the whole first. Rules that only moved are not lost.
fn collections(cx: &Context<'_>, base: &Configuration, head: Option<&Configuration>) -> Vec<Collection> {
    let store = &cx.change.store;
    let lost = rules::lost(base, head, store);
    let mut out = Vec::new();
    let (before, after) = (base.rule_count(), head.map_or(0, Configuration::rule_count));
    if before > 0 && !lost.is_empty() {
        let at = lost.first().map(|line| (Side::Base, line.origin));
        let after = before - lost.len().min(before.saturating_sub(after));
        out.push(Collection {
            kind: "configuration",
            address: base.name.clone(),
            base: before,
            head: after,
            gone: None,
            at,
        });
    }
    let mut by_chain: BTreeMap<*const Chain, Vec<Span>> = BTreeMap::new();
    for line in &lost {
        by_chain.entry(std::ptr::from_ref(line.chain)).or_default().push(line.origin);
    }
    for table in &base.tables {
        for chain in table.chains.iter().filter(|chain| !chain.rules.is_empty()) {
            let Some(gone) = by_chain.get(&std::ptr::from_ref(chain)) else { continue };
            let before = rules::lines_of(table, chain).count();
            let twin = head.and_then(|head| {
                let table = head.tables.iter().find(|other| other.name == table.name)?;
                table.find(chain.name).map(|id| rules::lines_of(table, table.get(id)).count())
            });
            let after = before - gone.len().min(before.saturating_sub(twin.unwrap_or(0)));
            let address = rules::chain_address(base, table, chain, store);
            out.push(Collection {
                kind: "chain",
                address,
                base: before,
                head: after,
                gone: None,
                at: gone.first().map(|span| (Side::Base, *span)),
            });
        }
    }
    out.extend(balancers(base, head));
    let there = rules::objects(head);
    for object in base.objects.iter().filter(|object| object.kind != "chain") {
        let Some(before) = object.elements.filter(|n| *n > 0) else { continue };
        let twin = there.get(&(object.kind, object.address.as_str()));
        let address = format!("{}/{}", base.name, object.address);
        let at = twin.map_or((Side::Base, object.origin), |twin| (Side::Head, twin.origin));
        let after = twin.and_then(|twin| twin.elements).unwrap_or(0);
        let gone = twin.and_then(|twin| gone(object, twin));
        out.push(Collection { kind: object.kind, address, base: before, head: after, gone, at: Some(at) });
    }
    out
}

/// The elements that head does not have any more.
fn gone(base: &Object, head: &Object) -> Option<String> {
    const MOST_NAMED: usize = 5;
    let (first, total) = base.members.as_ref()?.beyond(head.members.as_ref()?, MOST_NAMED);
    (total > 0).then(|| first_of(&first, total))
}

/// The files of head that hold no rule, and that are new or differ from base; where files may hold something else, those
/// that hold nothing at all.
fn files(cx: &Context<'_>, planned: &Planned, head: &Configuration) -> Vec<Collection> {
    let full: BTreeSet<SourceId> = rules::lines(head).map(|line| line.origin.source).collect();
    let before = planned.base.as_deref().unwrap_or_default();
    let known = |file: &SourceId| {
        before.iter().any(|other| {
            cx.sources.name(*other) == cx.sources.name(*file) && cx.sources.bytes(*other) == cx.sources.bytes(*file)
        })
    };
    let empty = planned.head.iter().flatten().filter(|file| {
        let blank = || cx.sources.bytes(**file).trim_ascii().is_empty();
        !full.contains(*file) && !known(file) && (!head.declares || blank())
    });
    empty
        .map(|file| {
            let at = Some((Side::Head, Span { source: *file, start: 0, end: 0 }));
            Collection { kind: "file", address: cx.sources.name(*file).to_owned(), base: 0, head: 0, gone: None, at }
        })
        .collect()
}
