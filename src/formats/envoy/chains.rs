//! Which filter chain a connection meets (`config.listener.v3.FilterChainMatch`).
//!
//! "Prune the filter chain set by following the above steps. In each step, filter chains which most specifically matches the
//! attribute continue to the next step." So a chain that asks for nothing at a step is not reached where another one asks for
//! what is there, even if that one fits at no later step: the default chain is met then.

use super::Lowering;
use super::fields::Fields;
use super::listeners::Place;
use crate::formats::data::value::Value;
use crate::model::{Condition, Outcome, Subject};
use crate::net::{Family, Pattern, Set, format_addresses};
use crate::text::{Span, escape};
use std::collections::BTreeMap;

/// One decision.
#[derive(Debug, Clone)]
pub(super) struct Piece {
    pub(super) condition: Condition,
    pub(super) outcome: Outcome,
    pub(super) at: Span,
}

impl Piece {
    /// What becomes of all that is left.
    pub(super) const fn last(outcome: Outcome, at: Span) -> Self {
        Self { condition: Condition::Always, outcome, at }
    }
}

/// Pieces for requests of which a condition holds.
pub(super) fn under(condition: &Condition, pieces: Vec<Piece>) -> Vec<Piece> {
    let under = |piece: Piece| Piece { condition: Condition::all([condition.clone(), piece.condition]), ..piece };
    pieces.into_iter().map(under).filter(|piece| piece.condition != Condition::Never).collect()
}

/// A chain: what it asks of a connection, and what becomes of it.
pub(super) struct Chain {
    pub(super) wanted: Wanted,
    pub(super) pieces: Vec<Piece>,
    pub(super) at: Span,
}

/// What a chain asks of a connection, step by step; where it lists nothing, anything.
#[derive(Debug, Clone, Default)]
pub(super) struct Wanted {
    ports: Vec<u16>,
    destinations: Vec<Range>,
    pub(super) names: Vec<String>,
    pub(super) transport: Option<String>,
    applications: Vec<String>,
    direct_sources: Vec<Range>,
    source_type: Option<String>,
    sources: Vec<Range>,
    source_ports: Vec<u16>,
}

#[derive(Debug, Clone)]
struct Range {
    family: Family,
    set: Set,
    /// How many bits of the address count.
    length: usize,
    /// As it reads once normalised.
    written: String,
}

impl Range {
    fn of((family, set, written): (Family, Set, String)) -> Self {
        let length = written.rsplit('/').next().and_then(|text| text.parse().ok()).unwrap_or(0);
        let shown = set.ranges().first().map(|(first, last)| format_addresses(family, first, last));
        Self { family, set, length, written: shown.unwrap_or(written) }
    }
}

/// More pieces than this are not laid out.
const MOST: usize = 200_000;

/// The steps, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Port,
    Destination,
    Name,
    Transport,
    Application,
    DirectSource,
    SourceType,
    Source,
    SourcePort,
}

impl Step {
    const ALL: [Self; 9] = [
        Self::Port,
        Self::Destination,
        Self::Name,
        Self::Transport,
        Self::Application,
        Self::DirectSource,
        Self::SourceType,
        Self::Source,
        Self::SourcePort,
    ];
}

/// What some chains ask at a step: how specific it is (the greatest comes first), and what.
type Key = (std::cmp::Reverse<usize>, String);

impl Lowering<'_, '_> {
    /// What a chain asks for.
    pub(super) fn wanted(&mut self, matcher: Option<&Value>) -> Wanted {
        let Some(matcher) = matcher else { return Wanted::default() };
        let mut fields = Fields::of(matcher, self.account);
        fields.gap(&["address_suffix", "suffix_len"], "Envoy does not implement it", self.account);
        let port = fields.number("destination_port", 65535, self.account).and_then(|port| u16::try_from(port).ok());
        let mut ranges = |name, this: &mut Self| {
            let found = fields.list(name, this.account).iter();
            found.filter_map(|value| this.range(value)).map(Range::of).collect::<Vec<_>>()
        };
        let destinations = ranges("prefix_ranges", self);
        let direct_sources = ranges("direct_source_prefix_ranges", self);
        let sources = ranges("source_prefix_ranges", self);
        let mut names = Vec::new();
        for (name, at) in fields.texts("server_names", self.account) {
            let bare = name.strip_prefix("*.").unwrap_or(&name);
            if bare.contains('*') {
                self.refused(at, "partial wildcards are not supported in `server_names`");
            } else if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
                self.account.gap(at, "names of connections are compared in lower case: this one is never met");
            } else {
                names.push(name.to_string());
            }
        }
        let transport = fields.text("transport_protocol", self.account).filter(|text| !text.is_empty());
        let applications = fields.texts("application_protocols", self.account);
        let source_type = fields.text("source_type", self.account).filter(|text| &**text != "ANY" && &**text != "0");
        let mut source_ports = Vec::new();
        for value in fields.list("source_ports", self.account) {
            match value.as_integer().and_then(|port| u16::try_from(port).ok()) {
                Some(port) => source_ports.push(port),
                None => self.refused(value.at, "a port is a number from 1 to 65535"),
            }
        }
        fields.close(self.account);
        Wanted {
            ports: port.into_iter().collect(),
            destinations,
            names,
            transport: transport.map(|text| text.to_string()),
            applications: applications.into_iter().map(|(text, _)| text.to_string()).collect(),
            direct_sources,
            source_type: source_type.map(|text| text.to_string()),
            sources,
            source_ports,
        }
    }

    /// What becomes of connections: of each the chain that is met, and of others what the last list says.
    pub(super) fn chosen(&mut self, chains: &[Chain], otherwise: &[Piece], place: &Place) -> Vec<Piece> {
        let all: Vec<&Chain> = chains.iter().collect();
        self.pruned(&all, &Step::ALL, otherwise, place)
    }

    fn pruned(&mut self, chains: &[&Chain], steps: &[Step], otherwise: &[Piece], place: &Place) -> Vec<Piece> {
        let Some((step, steps)) = steps.split_first() else {
            let [chain, others @ ..] = chains else { return otherwise.to_vec() };
            for other in others {
                self.refused(other.at, "another filter chain has the same matching rules");
            }
            return chain.pieces.clone();
        };
        let mut groups: BTreeMap<Key, Vec<usize>> = BTreeMap::new();
        let mut rest: Vec<&Chain> = Vec::new();
        for (number, chain) in chains.iter().enumerate() {
            let keys = chain.wanted.keys(*step);
            if keys.is_empty() {
                rest.push(chain);
            }
            for key in keys {
                groups.entry(key).or_default().push(number);
            }
        }
        let listed: Vec<String> = groups.keys().map(|(_, text)| text.clone()).collect();
        let mut out = Vec::new();
        for ((_, text), numbers) in groups {
            let some: Vec<&Chain> = numbers.into_iter().filter_map(|n| chains.get(n).copied()).collect();
            let Some(first) = some.first() else { continue };
            let condition = self.holds(*step, &text, first, &listed, place);
            if condition == Condition::Never {
                continue;
            }
            let inner = self.pruned(&some, steps, otherwise, place);
            out.extend(under(&condition, inner));
            if condition == Condition::Always {
                return out;
            }
            if out.len() > MOST {
                self.account.gap(first.at, "there are too many ways through the filter chains");
                return out;
            }
        }
        out.extend(if rest.is_empty() { otherwise.to_vec() } else { self.pruned(&rest, steps, otherwise, place) });
        out
    }

    /// Whether a connection has what chains ask for at a step.
    fn holds(&mut self, step: Step, text: &str, chain: &Chain, listed: &[String], place: &Place) -> Condition {
        let range = |ranges: &[Range]| ranges.iter().find(|range| range.written == text).cloned();
        match step {
            Step::Port => {
                let port = text.parse().unwrap_or(0);
                self.bound_for((port, port), place)
            }
            Step::Destination => match (range(&chain.wanted.destinations), place.own_address()) {
                (Some(range), Some((family, address))) => {
                    if family == range.family && range.set.contains(address) {
                        Condition::Always
                    } else {
                        Condition::Never
                    }
                }
                (Some(range), None) => self.opaque(&format!("the destination is in {}", range.written)),
                (None, _) => Condition::Never,
            },
            Step::Name => {
                let pattern = match text.strip_prefix('*') {
                    // The wildcard stands for one letter at least.
                    Some(end) => Pattern::glob(format!("?*{end}")),
                    None => Pattern::exact(text),
                };
                let named = self.text(Subject::ServerName, vec![pattern.ignoring_case()]);
                if place.mixed { Condition::all([self.speaks_tls(), named]) } else { named }
            }
            Step::Transport => match text {
                "tls" if place.mixed => self.speaks_tls(),
                "raw_buffer" if place.mixed => self.speaks_tls().negated(),
                "tls" => Condition::Always,
                other => self.opaque(&format!("the transport protocol is {}", escape(other.as_bytes()))),
            },
            Step::Application => {
                // Which one counts depends on the others: the client's first that some chain lists.
                let all = listed.join(", ");
                self.opaque(&format!("of the application protocols {all} the client's first is {text}"))
            }
            Step::DirectSource => match range(&chain.wanted.direct_sources) {
                Some(range) => self.from(range.family, range.set),
                None => Condition::Never,
            },
            Step::SourceType => {
                let local = self.opaque("the client is on the same host");
                match text {
                    "SAME_IP_OR_LOOPBACK" | "LOCAL" | "1" => local,
                    "EXTERNAL" | "2" => local.negated(),
                    _ => {
                        self.refused(chain.at, "`source_type` is ANY, SAME_IP_OR_LOOPBACK or EXTERNAL");
                        Condition::Never
                    }
                }
            }
            Step::Source => match range(&chain.wanted.sources) {
                Some(range) if place.proxied => {
                    self.opaque(&format!("the address that the PROXY header says is in {}", range.written))
                }
                Some(range) => self.from(range.family, range.set),
                None => Condition::Never,
            },
            Step::SourcePort => self.opaque(&format!("the source port is {text}")),
        }
    }

    fn speaks_tls(&mut self) -> Condition {
        self.opaque("the client begins with TLS")
    }
}

impl Wanted {
    /// What it asks for at a step.
    fn keys(&self, step: Step) -> Vec<Key> {
        let ports = |ports: &[u16]| ports.iter().map(|port| key(0, &port.to_string())).collect();
        // Of both families the longest prefix comes first; they never match the same address.
        let ranges = |ranges: &[Range]| ranges.iter().map(|range| key(range.length, &range.written)).collect();
        match step {
            Step::Port => ports(&self.ports),
            Step::Destination => ranges(&self.destinations),
            Step::Name => {
                let specific = |name: &str| if name.starts_with('*') { name.len() } else { usize::MAX };
                self.names.iter().map(|name| key(specific(name), name)).collect()
            }
            Step::Transport => self.transport.iter().map(|text| key(0, text)).collect(),
            Step::Application => self.applications.iter().map(|text| key(0, text)).collect(),
            Step::DirectSource => ranges(&self.direct_sources),
            Step::SourceType => self.source_type.iter().map(|text| key(0, text)).collect(),
            Step::Source => ranges(&self.sources),
            Step::SourcePort => ports(&self.source_ports),
        }
    }
}

fn key(specific: usize, text: &str) -> Key {
    (std::cmp::Reverse(specific), text.to_owned())
}
