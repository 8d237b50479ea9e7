//! What rules have changed in a request before another rule looks at it.

use super::samples::Sample;
use std::collections::BTreeMap;

/// A part of a request that rules change and look at.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
    Path,
    Query,
    Host,
    Method,
    Source,
    Destination,
    Header(String),
    Variable(String),
    /// Anything at all: a script.
    Anything,
}

/// The lines that have changed each part, in order.
#[derive(Debug, Clone, Default)]
pub(super) struct Rewrites {
    changed: BTreeMap<Part, Vec<String>>,
    /// Variables that are set once, whatever the request is, and what they hold.
    values: BTreeMap<String, Sample>,
}

impl Rewrites {
    /// A rule changes those parts; how it reads.
    pub(super) fn add(&mut self, parts: &[Part], text: &str) {
        for part in parts {
            self.changed.entry(part.clone()).or_default().push(text.to_owned());
        }
    }

    /// A rule sets a variable for every request to what nothing has changed before.
    pub(super) fn set(&mut self, name: &str, sample: &Sample, text: &str) {
        let first = !self.changed.contains_key(&Part::Variable(name.to_owned()));
        let resolved = self.variable(sample).map_or_else(|| sample.clone(), |(sample, _)| sample);
        if first && self.seen_by(&resolved).is_empty() {
            self.values.insert(name.to_owned(), resolved);
        } else {
            self.values.remove(name);
        }
        self.changed.entry(Part::Variable(name.to_owned())).or_default().push(text.to_owned());
    }

    /// What a variable holds is not known any more.
    pub(super) fn forget(&mut self, name: &str) {
        self.values.remove(name);
    }

    /// What a variable holds, where it is known, and what was changed before that: nothing.
    pub(super) fn variable(&self, sample: &Sample) -> Option<(Sample, Self)> {
        if sample.fetch.name != "var" || self.changed.contains_key(&Part::Anything) {
            return None;
        }
        let name = sample.fetch.arguments.first()?;
        let lines = self.changed.get(&Part::Variable(name.clone()))?;
        let value = self.values.get(name).filter(|_| lines.len() == 1)?;
        let mut resolved = value.clone();
        resolved.converters.extend(sample.converters.iter().cloned());
        Some((resolved, Self::default()))
    }

    /// The lines that have changed what an expression looks at.
    pub(super) fn seen_by(&self, sample: &Sample) -> Vec<&str> {
        let mut parts = parts_of(sample);
        if parts.as_ref().is_none_or(|parts| !parts.is_empty()) {
            parts.get_or_insert_with(|| self.changed.keys().cloned().collect()).push(Part::Anything);
        }
        let mut parts = parts.unwrap_or_default();
        parts.sort();
        parts.dedup();
        parts.iter().filter_map(|part| self.changed.get(part)).flatten().map(String::as_str).collect()
    }
}

/// The parts that an expression looks at; `None`: it may be any.
pub(super) fn parts_of(sample: &Sample) -> Option<Vec<Part>> {
    let name = sample.fetch.name.as_str();
    let argument = || sample.fetch.arguments.first().map(|name| name.to_ascii_lowercase());
    if sample.converters.iter().any(|c| !PURE.contains(&c.name.as_str())) {
        return None;
    }
    Some(match name {
        "path" => vec![Part::Path],
        "query" => vec![Part::Query],
        "method" => vec![Part::Method],
        "pathq" => vec![Part::Path, Part::Query],
        "base" | "baseq" | "url" | "base32" => vec![Part::Path, Part::Query, Part::Host],
        "urlp" | "url_param" | "urlp_val" => vec![Part::Query],
        "src" | "src_port" => vec![Part::Source],
        "dst" | "dst_port" => vec![Part::Destination],
        "req.cook" | "req.cook_cnt" | "req.cook_val" => vec![Part::Header("cookie".to_owned())],
        "req.hdr" | "req.fhdr" | "req.hdr_ip" | "req.hdr_val" | "req.hdr_cnt" | "req.fhdr_cnt" => match argument() {
            Some(header) if header == "host" => vec![Part::Host],
            Some(header) => vec![Part::Header(header)],
            None => return None,
        },
        "var" => vec![Part::Variable(sample.fetch.arguments.first()?.clone())],
        _ if ["ssl_", "fc_", "be_", "fe_", "srv_", "always_"].iter().any(|start| name.starts_with(start)) => Vec::new(),
        "nbsrv" | "queue" | "avg_queue" | "connslots" | "date" | "rand" | "env" | "req.ssl_sni"
        | "req.ssl_hello_type" | "req.ver" | "req.proto_http" | "wait_end" | "str" | "int" | "bool" | "hostname"
        | "nbproc" => Vec::new(),
        _ => return None,
    })
}

/// Converters that look at nothing but their value and arguments.
const PURE: &[&str] = &[
    "lower",
    "upper",
    "field",
    "word",
    "host_only",
    "port_only",
    "regsub",
    "url_dec",
    "url_enc",
    "map",
    "map_str",
    "map_beg",
    "map_end",
    "map_sub",
    "map_dir",
    "map_dom",
    "map_reg",
    "map_regm",
    "map_ip",
    "map_int",
    "length",
    "bytes",
    "ltrim",
    "rtrim",
    "hex",
    "base64",
    "b64dec",
    "sha1",
    "sha2",
    "crc32",
    "djb2",
    "sdbm",
    "wt6",
    "xxh32",
    "xxh64",
    "ipmask",
    "not",
    "bool",
    "json",
    "json_query",
    "digest",
    "language",
    "http_date",
    "mod",
    "htonl",
    "cut_crlf",
];
