use super::{Check, Context, Report, declare_check};
use crate::diff::Side;
use crate::facts::MissingFact;
use crate::model::{Action, Configuration, Declaration};
use crate::policy::{Pattern, keys};
use crate::text::{SourceId, SourceMap, Span, escape};
use regex::bytes::Regex;
use std::collections::BTreeSet;

declare_check! { id: "unused-objects", since: "0.1.0", level: Warn, settings: UnusedObjects, alone: Named }

keys! {
    struct UnusedObjects {
        /// What may be there without use: `edge/inet filter/spare`, `*/DOCKER-USER`.
        allow: Option<Vec<Pattern>>,
        /// Whether what base did not use either is reported. Default: false; in `lint` all is.
        all: Option<bool>,
    }
}

impl Check for UnusedObjects {
    fn run(&self, cx: &Context<'_>, report: &mut Report<'_>) -> Result<(), MissingFact> {
        let Self { allow, all } = self;
        let all = all.unwrap_or(false) || cx.change.is_alone();
        for (base, head) in cx.change.pairs() {
            let Some(head) = head.filter(|head| report.scope().touches(&head.name, cx)) else { continue };
            if base.is_some_and(|base| std::ptr::eq(base, head)) && !all {
                continue;
            }
            let known: BTreeSet<(&str, &str)> =
                base.filter(|_| !all).map(|base| unused(cx, base)).unwrap_or_default().into_iter().map(key).collect();
            for declaration in unused(cx, head) {
                let address = format!("{}/{}", head.name, declaration.address);
                let allowed = allow.iter().flatten().any(|pattern| pattern.covers(&address));
                if allowed || known.contains(&key(declaration)) {
                    continue;
                }
                let message = format!("nothing uses the {} `{}`", declaration.kind, escape(address.as_bytes()));
                let help = "remove it, or use it; what is used from elsewhere is named under `allow`";
                let finding = report.finding(message, help);
                finding.configuration = Some(head.name.clone());
                finding.location = Some((Side::Head, declaration.origin));
            }
        }
        Ok(())
    }
}

fn key(declaration: &Declaration) -> (&'static str, &str) {
    (declaration.kind, &declaration.address)
}

/// What a configuration declares and nothing in it refers to, each once.
fn unused<'c>(cx: &Context<'c>, configuration: &'c Configuration) -> Vec<&'c Declaration> {
    let declarations = &configuration.declarations;
    let jumps = targets(cx, configuration);
    // What is declared in several places is referred to in none of them.
    let mut seen = BTreeSet::new();
    let mut out: Vec<&Declaration> = Vec::new();
    for one in declarations.iter().filter(|one| seen.insert(key(one))) {
        let twins = declarations.iter().filter(|other| key(other) == key(one));
        let places: Vec<Span> = twins.map(|other| other.origin).collect();
        let inside = |file: SourceId, at: usize| {
            places.iter().any(|place| place.source == file && (place.start as usize..place.end as usize).contains(&at))
        };
        let called = one.kind == "chain" && jumps.contains(one.name.as_bytes());
        // One line may declare the same for both families.
        let told = out.iter().any(|other| other.origin == one.origin);
        if !called && !told && !one.files.iter().any(|file| mentions(cx.sources, *file, one, &inside)) {
            out.push(one);
        }
    }
    out
}

/// The names of all chains that a rule leads to.
fn targets<'c>(cx: &Context<'c>, configuration: &Configuration) -> BTreeSet<&'c [u8]> {
    let store = &cx.change.store;
    let rules = configuration.tables.iter().flat_map(|table| &table.chains).flat_map(|chain| &chain.rules);
    let symbols: BTreeSet<_> = rules
        .filter_map(|rule| match store.get(*rule).action() {
            Action::Jump(to) | Action::Goto(to) => Some(to),
            Action::Accept | Action::Deny | Action::Return | Action::Continue => None,
        })
        .collect();
    symbols.into_iter().map(|symbol| store.name(symbol)).collect()
}

/// Whether a file has one of the words by which it would be referred to, outside of what declares it.
fn mentions(sources: &SourceMap, file: SourceId, one: &Declaration, inside: &dyn Fn(SourceId, usize) -> bool) -> bool {
    let text = sources.bytes(file);
    let part = |byte: Option<&u8>| byte.is_some_and(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'));
    (one.mentions)(&one.name).iter().any(|mention| {
        let words: Vec<String> = mention.split(' ').map(regex::escape).collect();
        let Ok(pattern) = Regex::new(&format!("(?-u){}", words.join(r#"[\s"']+"#))) else { return true };
        pattern.find_iter(text).any(|found| {
            let before = found.start().checked_sub(1).and_then(|n| text.get(n));
            let whole = !part(before) && before != Some(&b'.') && !part(text.get(found.end()));
            whole && !inside(file, found.start())
        })
    })
}
