//! Files that filters run or show: whether they are the same belongs to what is compared.

use super::Lowering;
use super::fields::{is, said};
use crate::formats::Include;
use crate::formats::code::{self, Sort};
use crate::formats::data::value::Value;
use crate::text::{Span, YamlKind, YamlManner, YamlNode, yaml};

/// What the folder of the main file is called on the host.
const FOLDERS: &[&[u8]] = &[b"/etc/envoy/"];

/// Where the names of files stand that are secrets, or are read at run time.
const OTHERS: &[&str] = &[
    "certificate_chain",
    "private_key",
    "trusted_ca",
    "crl",
    "password",
    "ocsp_staple",
    "pkcs12",
    "sds_config",
    "config_source",
    "path_config_source",
    "access_log",
];

/// The names of files in a text, and where they may lead from that main file.
pub(super) fn names(main: &str, text: &[u8]) -> Vec<Include> {
    let mut out = Vec::new();
    for document in yaml(text, YamlManner::Lenient).unwrap_or_default() {
        visit(&document.root, main, &mut out);
    }
    out.extend(code::loads(main, text));
    out
}

fn visit(node: &YamlNode<'_>, main: &str, out: &mut Vec<Include>) {
    match &node.kind {
        YamlKind::Scalar { .. } | YamlKind::Alias(_) => {}
        YamlKind::List(items) => items.iter().for_each(|item| visit(item, main, out)),
        YamlKind::Map(entries) => {
            for (key, value) in entries {
                let YamlKind::Scalar { text, plain: _ } = &key.kind else { continue };
                if OTHERS.iter().any(|other| is(text, other)) {
                    continue;
                }
                match &value.kind {
                    YamlKind::Scalar { text: name, plain: _ } if text == "filename" => {
                        let include = code::named(main, name.as_bytes(), FOLDERS);
                        if out.iter().all(|known| known.name != include.name) {
                            out.push(include);
                        }
                    }
                    YamlKind::Scalar { .. } | YamlKind::List(_) | YamlKind::Map(_) | YamlKind::Alias(_) => {
                        visit(value, main, out);
                    }
                }
            }
        }
    }
}

/// The files that the settings of a filter name.
pub(super) fn of<'v>(value: &'v Value, out: &mut Vec<(&'v str, Span, Sort)>) {
    for item in value.list().into_iter().flat_map(|list| &list.items) {
        of(item, out);
    }
    for entry in value.object().into_iter().flat_map(|object| &object.entries) {
        match entry.value.text() {
            Some(name) if &*entry.name == "filename" => out.push((name, entry.value.at, Sort::Code)),
            _ if OTHERS.iter().any(|other| is(&entry.name, other)) => {}
            _ => of(&entry.value, out),
        }
    }
}

impl Lowering<'_, '_> {
    /// By what a file is told apart.
    pub(super) fn attached(&mut self, name: &str, at: Span, sort: Sort) -> String {
        let digest = code::attach(self.reading, self.account, at.source, (name.as_bytes(), at), sort);
        digest.map_or_else(String::new, |digest| format!(" (sha256 {digest})"))
    }

    /// How a `DataSource` reads, its file included.
    pub(super) fn data(&mut self, source: &Value) -> String {
        let mut names = Vec::new();
        of(source, &mut names);
        let files: String = names
            .into_iter()
            .map(|(name, at, _)| self.attached(name, at, Sort::Data("the body of an answer")))
            .collect();
        format!("{}{files}", said(source))
    }
}
