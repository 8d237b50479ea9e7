//! Manifests of Kubernetes: network policies of namespaces and of clusters, and the namespaces and pods that they select; what
//! leads requests to pods.
//!
//! Kubernetes API reference; network-policy-api.sigs.k8s.io; gateway-api.sigs.k8s.io. Other kinds of objects are told apart by name; what templates
//! would become is not guessed.

mod balancing;
mod fields;
mod kinds;
mod lower;
mod peers;
mod policy;
mod read;
mod selector;
mod shown;
mod syntax;

use super::data::yaml::{Document, Problem, documents, no_tags};
use super::parallel::in_parallel;
use super::{Disposition, Format, Reading};
use crate::text::{SourceId, Span};
use read::Reader;

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
        let mut reader = Reader::default();
        let texts: Vec<(SourceId, &[u8])> = reading.files().iter().map(|file| (*file, reading.text(*file))).collect();
        let found = in_parallel(&texts, STACK, |(file, text)| documents(*file, text, &no_tags));
        for ((file, text), found) in texts.iter().zip(found) {
            let whole = Span { source: *file, start: 0, end: super::end_of(text) };
            reader.account.claim(whole, Disposition::Modelled);
            if is_template(text) {
                reader.account.gap(whole, TEMPLATE);
                continue;
            }
            match found {
                Ok(found) => {
                    for Document { at, value } in &found {
                        if value.is_null() {
                            reader.account.claim(*at, Disposition::Inert("an empty document"));
                        }
                        reader.object(value, 0);
                    }
                }
                Err(_) if memchr::memmem::find(text, b"{{").is_some() => reader.account.gap(whole, TEMPLATE),
                Err(problems) => {
                    for Problem { at, reason } in problems {
                        reader.account.gap(at, reason);
                    }
                }
            }
        }
        let Reader { mut account, cluster, mut objects, balancing, hidden, .. } = reader;
        for span in hidden {
            reading.hide(span);
        }
        objects.sort_by(|a, b| (a.kind, &a.address).cmp(&(b.kind, &b.address)));
        reading.configuration.objects.extend(objects);
        lower::lower(&cluster, reading, &mut account);
        balancing::lower(&cluster, &balancing, reading, &mut account);
        account.close(reading);
    }
}

const TEMPLATE: &str =
    "a template, not a manifest: render it first (`helm template`, or what it is made for), and check the result";

/// Whether it is a template of Helm beyond doubt. Braces stand in texts of manifests, too.
fn is_template(text: &[u8]) -> bool {
    const SIGNS: [&[u8]; 8] =
        [b"{{-", b"-}}", b"{{ .Values", b"{{ .Release", b"{{ include", b"{{ template", b"{{.Values", b"{{.Release"];
    SIGNS.iter().any(|sign| memchr::memmem::find(text, sign).is_some())
}
