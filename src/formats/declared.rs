//! What configurations declare that only they can use.

use crate::model::{Configuration, Declaration, Outcome};
use crate::text::{SourceId, SourceMap, Span, escape};
use regex::bytes::Regex;
use std::sync::Arc;

/// The texts of a configuration.
pub struct Texts<'a> {
    sources: &'a SourceMap,
    files: Arc<[SourceId]>,
}

impl<'a> Texts<'a> {
    /// Those files, with what they include.
    pub(super) fn of(files: &[SourceId], sources: &'a SourceMap) -> Self {
        let mut all: Vec<SourceId> = files.to_vec();
        all.extend(files.iter().flat_map(|main| sources.included(*main)));
        all.sort_unstable();
        all.dedup();
        Self { sources, files: all.into() }
    }

    /// The objects of a kind without content of their own, or of any content: those that `is_free` says.
    pub(super) fn objects(
        &self,
        configuration: &Configuration,
        kind: &str,
        is_free: impl Fn(&str) -> bool,
        mentions: fn(&str) -> Vec<String>,
    ) -> Vec<Declaration> {
        let mine = configuration.objects.iter().filter(|object| object.kind == kind && is_free(&object.content));
        mine.filter_map(|object| {
            let (_, name) = object.address.split_once('/')?;
            Some(Declaration {
                kind: object.kind,
                name: name.to_owned(),
                address: object.address.clone(),
                origin: object.origin,
                mentions,
                files: Arc::clone(&self.files),
            })
        })
        .collect()
    }

    /// What stands behind words: the first group of the expression is the name, a second one a part of it.
    pub(super) fn words(
        &self,
        kind: &'static str,
        pattern: &Regex,
        mentions: fn(&str) -> Vec<String>,
    ) -> Vec<Declaration> {
        let mut out = Vec::new();
        for file in self.files.iter() {
            for found in pattern.captures_iter(self.sources.bytes(*file)) {
                let parts: Vec<String> = found.iter().skip(1).flatten().map(|part| escape(part.as_bytes())).collect();
                let (name, Some(all)) = (parts.join("."), found.get(0)) else { continue };
                if name.contains('\\') {
                    // What cannot be shown cannot be looked for either.
                    continue;
                }
                let narrow = |n: usize| u32::try_from(n).expect("sources are smaller than 4 GiB");
                // Blanks before it are none of it.
                let lead = all.as_bytes().len() - all.as_bytes().trim_ascii_start().len();
                let origin = Span { source: *file, start: narrow(all.start() + lead), end: narrow(all.end()) };
                let (address, files) = (name.clone(), Arc::clone(&self.files));
                out.push(Declaration { kind, name, address, origin, mentions, files });
            }
        }
        out
    }
}

/// Whether it is found out only with a request which backend answers it.
pub(super) fn computes_backends(configuration: &Configuration) -> bool {
    let outcomes = configuration
        .listeners
        .iter()
        .flat_map(|listener| listener.routes.iter().map(|route| &route.outcome).chain([&listener.otherwise]));
    outcomes.into_iter().any(|outcome| matches!(outcome, Outcome::Computed(_)))
}
