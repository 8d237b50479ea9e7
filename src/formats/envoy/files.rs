//! Files that filters run or show: whether they are the same belongs to what is compared.

use super::Lowering;
use super::fields::{field, is, said};
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

/// Those of them that hold certificates, or lists of those that are believed or revoked.
const ANCHORS: &[&str] = &["certificate_chain", "trusted_ca", "crl", "pkcs12"];

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
                if ANCHORS.iter().any(|anchor| is(text, anchor)) {
                    if let YamlKind::Map(entries) = &value.kind {
                        for (key, value) in entries {
                            if let (YamlKind::Scalar { text: key, .. }, YamlKind::Scalar { text: name, .. }) =
                                (&key.kind, &value.kind)
                                && key == "filename"
                            {
                                add(code::kept(main, name.as_bytes(), FOLDERS), out);
                            }
                        }
                    }
                    continue;
                }
                if OTHERS.iter().any(|other| is(text, other)) {
                    continue;
                }
                match &value.kind {
                    YamlKind::Scalar { text: name, plain: _ } if text == "filename" => {
                        add([code::named(main, name.as_bytes(), FOLDERS)], out);
                    }
                    YamlKind::Scalar { .. } | YamlKind::List(_) | YamlKind::Map(_) | YamlKind::Alias(_) => {
                        visit(value, main, out);
                    }
                }
            }
        }
    }
}

fn add(includes: impl IntoIterator<Item = Include>, out: &mut Vec<Include>) {
    for include in includes {
        if out.iter().all(|known| known.name != include.name) {
            out.push(include);
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
    /// Puts the files of certificates into the configuration, so that it is known whether they are the same.
    pub(super) fn anchors(&mut self, value: &Value) {
        for item in value.list().into_iter().flat_map(|list| &list.items) {
            self.anchors(item);
        }
        for entry in value.object().into_iter().flat_map(|object| &object.entries) {
            let file = field(&entry.value, "filename").filter(|_| ANCHORS.iter().any(|name| is(&entry.name, name)));
            match file.and_then(|file| file.as_text().map(|name| (name, file.at))) {
                Some((name, at)) => {
                    let what = "a certificate, or a list of them";
                    code::attach_kept(self.reading, self.account, at.source, (name.as_bytes(), at), what);
                }
                None => self.anchors(&entry.value),
            }
        }
    }

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
