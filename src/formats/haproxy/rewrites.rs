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
    /// The patterns of a file, which rules may change in memory.
    List(String),
    /// What is tracked and counted.
    Counters,
    /// What else rules do that expressions may see: captures, bodies that were waited for, priorities.
    Rest,
    /// Anything at all: a script.
    Anything,
}

impl Part {
    /// Whether a change of it outlives the request.
    pub(super) fn is_kept(&self) -> bool {
        match self {
            Self::Variable(name) => !["txn.", "req.", "res."].iter().any(|scope| name.starts_with(scope)),
            Self::List(_) | Self::Counters | Self::Anything => true,
            Self::Path
            | Self::Query
            | Self::Host
            | Self::Method
            | Self::Source
            | Self::Destination
            | Self::Header(_)
            | Self::Rest => false,
        }
    }
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
        self.of(parts_of(sample))
    }

    /// The lines that have changed one of these parts; `None`: it may be any.
    pub(super) fn of(&self, mut parts: Option<Vec<Part>>) -> Vec<&str> {
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
    let maps = sample.converters.iter().filter(|c| c.name.starts_with("map")).filter_map(|c| c.arguments.first());
    let maps = maps.map(|file| Part::List(file.clone()));
    let parts = match name {
        _ if ["sc_", "sc0_", "sc1_", "sc2_", "table_"].iter().any(|start| name.starts_with(start)) => {
            vec![Part::Counters]
        }
        _ if name.starts_with("capture.") || name == "ssl_fc_has_early" => vec![Part::Rest],
        "path" => vec![Part::Path],
        "query" => vec![Part::Query],
        "method" => vec![Part::Method],
        "pathq" => vec![Part::Path, Part::Query],
        "base" | "baseq" | "url" | "base32" => vec![Part::Path, Part::Query, Part::Host],
        "urlp" | "url_param" | "urlp_val" => vec![Part::Query],
        "src" | "src_port" | "src_is_local" => vec![Part::Source],
        _ if name.starts_with("src_") => vec![Part::Source, Part::Counters],
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
    };
    Some(parts.into_iter().chain(maps).collect())
}

/// What an expression changes when it is asked: some count, or keep their value.
pub(super) fn changed_by(sample: &Sample) -> Vec<Part> {
    let counts = |name: &str| name.contains("_inc_gpc") || name.contains("_clr_gpc");
    let counted = counts(&sample.fetch.name).then_some(Part::Counters);
    let kept = sample.converters.iter().filter(|c| matches!(c.name.as_str(), "set-var" | "unset-var"));
    let name = |arguments: &[String]| arguments.first().map_or(Part::Anything, |name| Part::Variable(name.clone()));
    counted.into_iter().chain(kept.map(|call| name(&call.arguments))).collect()
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
