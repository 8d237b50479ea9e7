//! Manifests of Kubernetes: network policies of namespaces and of clusters, and the namespaces and pods that they select; what
//! leads requests to pods.
//!
//! Kubernetes API reference; network-policy-api.sigs.k8s.io; gateway-api.sigs.k8s.io. Other kinds of objects are told apart by name; what templates
//! would become is not guessed.

mod balancing;
mod fields;
mod kinds;
mod lower;
mod missing;
mod peers;
mod policy;
mod read;
mod selector;
mod shown;
mod sides;
mod syntax;

use super::data::yaml::{Document, Problem, documents, no_tags};
use super::parallel::in_parallel;
use super::{Disposition, Format, Reading};
use crate::text::{SourceId, Span};
use peers::Index;
use read::Reader;
use sides::Selected;
use std::collections::BTreeMap;
use std::sync::Arc;

pub(super) static FORMAT: Kubernetes = Kubernetes;

pub(super) struct Kubernetes;

/// Room for values that stand in one another as deep as they may.
const STACK: usize = 8 << 20;

impl Format for Kubernetes {
    fn id(&self) -> &'static str {
        "kubernetes"
    }

    fn recognises(&self, name: &str, text: &[u8]) -> bool {
        let ending = [".yaml", ".yml", ".json"].iter().any(|ending| name.ends_with(ending));
        let has = |word: &[u8]| memchr::memmem::find(text, word).is_some();
        let field = |word: &str| has(format!("{word}:").as_bytes()) || has(format!("\"{word}\"").as_bytes());
        let sources = ["kustomization.yaml", "kustomization.yml"].iter().any(|known| name.ends_with(known));
        sources || ending && field("apiVersion") && field("kind") && !has(b"\"format_version\"")
    }

    fn read(&self, reading: &mut Reading<'_>) {
        reading.configuration.declares = true;
        let parsed = parsed(reading.files(), reading);
        let theirs = match reading.after() {
            [] => reading.told(),
            after => Some(Arc::new(selected_after(after, &parsed, reading))),
        };
        let reader = objects(&parsed, reading);
        let Reader { mut account, cluster, mut objects, balancing, hidden, .. } = reader;
        for span in hidden {
            reading.hide(span);
        }
        objects.sort_by(|a, b| (a.kind, &a.address).cmp(&(b.kind, &b.address)));
        reading.configuration.objects.extend(objects);
        let index = Index::of(&cluster);
        let mine = Selected::of(&index);
        lower::lower(&index, &mine.beyond(theirs.as_deref()), reading, &mut account);
        if !reading.after().is_empty() {
            reading.tell(Arc::new(mine));
        }
        balancing::lower(&cluster, &balancing, reading, &mut account);
        account.close(reading);
    }
}

/// What a text was parsed to.
type Parsed = Result<Vec<Document>, Vec<Problem>>;

/// Parses files, unless that was done while the other side was read.
fn parsed(files: &[SourceId], reading: &Reading<'_>) -> Vec<(SourceId, Arc<Parsed>)> {
    let texts: Vec<(SourceId, &[u8])> = files.iter().map(|file| (*file, reading.text(*file))).collect();
    let one = |(file, text): &(SourceId, &[u8])| match reading.kept(*file).filter(|(same, _)| same == file) {
        Some((_, parsed)) => (*file, parsed),
        None => (*file, Arc::new(documents(*file, text, &no_tags))),
    };
    in_parallel(&texts, STACK, one)
}

/// What the side after selects, of which this is the one before.
fn selected_after(after: &[SourceId], before: &[(SourceId, Arc<Parsed>)], reading: &mut Reading<'_>) -> Selected {
    let known: BTreeMap<(&str, &[u8]), &Arc<Parsed>> =
        before.iter().map(|(file, parsed)| ((reading.name(*file), reading.text(*file)), parsed)).collect();
    let of = |file: &SourceId| known.get(&(reading.name(*file), reading.text(*file))).copied();
    let others: Vec<SourceId> = after.iter().filter(|file| of(file).is_none()).copied().collect();
    let others = parsed(&others, reading);
    // What is told of an object is the same wherever its text is.
    let same = after.iter().filter_map(|file| Some((*file, Arc::clone(of(file)?))));
    let all: Vec<(SourceId, Arc<Parsed>)> = same.chain(others.iter().cloned()).collect();
    let Reader { cluster, .. } = objects(&all, reading);
    for (file, parsed) in others {
        reading.keep(file, parsed);
    }
    Selected::of(&Index::of(&cluster))
}

/// What the objects of files say.
fn objects(parsed: &[(SourceId, Arc<Parsed>)], reading: &Reading<'_>) -> Reader {
    let mut reader = Reader::default();
    for (file, parsed) in parsed {
        let text = reading.text(*file);
        let whole = Span { source: *file, start: 0, end: super::end_of(text) };
        reader.account.claim(whole, Disposition::Modelled);
        if is_template(text) {
            reader.account.gap(whole, TEMPLATE);
            continue;
        }
        match &**parsed {
            Ok(found) => {
                for Document { at, value } in found {
                    if value.is_null() {
                        reader.account.claim(*at, Disposition::Inert("an empty document"));
                    }
                    reader.object(value, 0);
                }
            }
            Err(_) if memchr::memmem::find(text, b"{{").is_some() => reader.account.gap(whole, TEMPLATE),
            Err(problems) => {
                for Problem { at, reason } in problems {
                    reader.account.gap(*at, reason);
                }
            }
        }
    }
    reader
}

const TEMPLATE: &str =
    "a template, not a manifest: render it first (`helm template`, or what it is made for), and check the result";

/// Whether it is a template of Helm beyond doubt. Braces stand in texts of manifests, too.
fn is_template(text: &[u8]) -> bool {
    const SIGNS: [&[u8]; 8] =
        [b"{{-", b"-}}", b"{{ .Values", b"{{ .Release", b"{{ include", b"{{ template", b"{{.Values", b"{{.Release"];
    SIGNS.iter().any(|sign| memchr::memmem::find(text, sign).is_some())
}
