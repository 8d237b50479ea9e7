//! Policies that come with the program.

use super::error::PolicyError;
use super::file::Entry;
use super::names::Names;
use super::node::{Kind, Node, Spanned};
use super::reader::{Object, Read, Reader};
use super::yaml;
use crate::text::{SourceMap, Span};

/// The presets: name and text.
pub static PRESETS: &[(&str, &str)] = &[
    ("baseline", include_str!("../../policies/presets/baseline.yaml")),
    ("strict", include_str!("../../policies/presets/strict.yaml")),
    ("internet-edge", include_str!("../../policies/presets/internet-edge.yaml")),
    ("load-balancer", include_str!("../../policies/presets/load-balancer.yaml")),
    ("kubernetes", include_str!("../../policies/presets/kubernetes.yaml")),
    ("aws", include_str!("../../policies/presets/aws.yaml")),
];

/// Whether a place is in a preset: what it says is for everybody, so nobody can remove a part of it that says nothing to them.
#[must_use]
pub fn is_of_preset(at: Span, sources: &SourceMap) -> bool {
    let (title, text) = (sources.name(at.source), sources.bytes(at.source));
    PRESETS.iter().any(|(name, known)| title.strip_prefix("preset ") == Some(name) && text == known.as_bytes())
}

/// The entries of the presets that a policy extends.
pub(super) fn entries(
    extends: &[Spanned<String>],
    sources: &mut SourceMap,
    problems: &mut Vec<PolicyError>,
) -> Vec<Entry> {
    let mut entries = Vec::new();
    for (n, preset) in extends.iter().enumerate() {
        let Spanned { value: name, span } = preset;
        let names = Names::default();
        let mut reader = Reader::new(&names);
        if extends.iter().take(n).any(|other| other.value == *name) {
            reader.refuse(*span, format!("`{name}` is extended twice"), "keep one of them");
        } else if let Some((_, text)) = PRESETS.iter().find(|(known, _)| known == name) {
            let title = format!("preset {name}");
            let source = sources.add(title.as_bytes(), text.as_bytes().to_vec()).expect("presets are small");
            if let Some(root) = yaml::parse(source, text.as_bytes(), &mut reader.problems) {
                entries.extend(read(&root, &mut reader));
            }
        } else {
            let known: Vec<&str> = PRESETS.iter().map(|(name, _)| *name).collect();
            reader.unknown("preset", name, &known, *span);
        }
        problems.append(&mut reader.problems);
    }
    entries
}

/// A preset has a version and checks; it knows no files, names or people.
fn read(root: &Node, reader: &mut Reader<'_>) -> Vec<Entry> {
    let Some(mut object) = Object::open(root, reader) else { return Vec::new() };
    object.node("version");
    let checks = object.node("checks");
    object.close(reader);
    match checks.map(|node| &node.kind) {
        Some(Kind::List(items)) => items.iter().filter_map(|item| Entry::read(item, reader)).collect(),
        Some(Kind::Map(_) | Kind::Scalar { .. }) | None => {
            reader.refuse(root.span, "a preset is a list of checks", "this is an error of the program");
            Vec::new()
        }
    }
}
