//! What a change does to one configuration, in the words of its readers.

use super::{Location, WitnessReport};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What becomes of one configuration.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct ConfigurationReport {
    /// Its name in the policy.
    pub name: String,
    /// Its format, e.g. `iptables-save`.
    pub format: String,
    /// How it fares.
    pub change: ChangeKind,
    /// The filters that differ, sorted by id.
    pub filters: Vec<FilterReport>,
    /// The listeners and backends of load balancers that differ, listeners first.
    pub balancers: Vec<BalancerReport>,
    /// The other objects that differ.
    pub objects: ObjectsReport,
    /// How much differs, in a minimal report: what it is is left out of `filters`, `balancers` and `objects`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub withheld: Option<WithheldReport>,
}

/// How much of a configuration differs, where it is not told what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WithheldReport {
    /// Filters that differ.
    pub filters: usize,
    /// Newly allowed flows of all of them.
    pub newly_allowed: usize,
    /// Newly denied flows of all of them.
    pub newly_denied: usize,
    /// Whether these flows are all of the difference.
    pub complete: bool,
    /// Listeners and backends that differ.
    pub balancers: usize,
    /// Other objects that are only on head.
    pub added: usize,
    /// Other objects that are only on base.
    pub removed: usize,
    /// Other objects that are on both, with another content.
    pub modified: usize,
}

/// How a configuration fares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ChangeKind {
    /// The same text.
    Unchanged,
    /// Another text that does the same to every packet, proved.
    Equivalent,
    /// It does something else, or its objects differ.
    Changed,
    /// Only on head.
    Added,
    /// Only on base.
    Removed,
}

/// What becomes of one filter.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct FilterReport {
    /// Its id, e.g. `edge/input`.
    pub id: String,
    /// Flows that base denied and head allows, the largest first; at most 1,000, and no
    /// more after a megabyte of text.
    pub newly_allowed: Vec<String>,
    /// Flows that base allowed and head denies, the largest first; at most 1,000, and no
    /// more after a megabyte of text.
    pub newly_denied: Vec<String>,
    /// `certain` if one of the flows changes whatever the conditions are that the file does not decide.
    pub certainty: Certainty,
    /// How many newly allowed flows there are, listed or not.
    pub newly_allowed_total: usize,
    /// How many newly denied flows there are, listed or not.
    pub newly_denied_total: usize,
    /// Whether these flows are all of the difference. If not, it has more than could be enumerated.
    pub complete: bool,
    /// The newly allowed flows by destination and service only, when there are many; each flow of
    /// `newly_allowed` is part of one of them, but not every packet of these is newly allowed.
    pub newly_allowed_summary: Vec<SummaryLine>,
    /// The same for the newly denied flows.
    pub newly_denied_summary: Vec<SummaryLine>,
    /// One newly allowed packet on both sides.
    pub newly_allowed_witness: Option<WitnessReport>,
    /// One newly denied packet on both sides.
    pub newly_denied_witness: Option<WitnessReport>,
    /// The rules of base that changed or went: the cause.
    pub removed_rules: Causes,
    /// The rules of head that changed or came: the cause.
    pub added_rules: Causes,
    /// The rules that stand in another order, where they stand on head: the cause if nothing else is.
    pub moved_rules: Causes,
}

/// What becomes of a listener or a backend of a load balancer.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct BalancerReport {
    /// Which of both it is.
    pub kind: BalancerPart,
    /// Its name, on head if it is there.
    pub name: String,
    /// How it fares.
    pub change: PartChange,
    /// Where it stands on base.
    pub base: Option<Location>,
    /// Where it stands on head.
    pub head: Option<Location>,
    /// Where a listener is reached: `203.0.113.7:443`.
    pub endpoints: Vec<String>,
    /// What differs, a sentence part each: `TLS is not spoken any more`, `server web2 (10.0.0.2:80) is gone`.
    pub differences: Vec<String>,
    /// The requests that a listener decides in another way, those that one pair of lines decides together.
    pub requests: Vec<RequestReport>,
    /// Whether `requests` are all of them.
    pub complete: bool,
    /// What it leads to, what differs first: the backends of a listener, the servers of a backend; at most 200.
    pub leads_to: Vec<LinkReport>,
    /// The listeners that lead to a backend, what differs first; at most 200.
    pub reached_from: Vec<LinkReport>,
}

/// One end of a link between parts of a load balancer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LinkReport {
    /// What is there, as it reads: `api`, `web2 (10.0.0.2:80)`.
    pub name: String,
    /// How the link fares.
    pub change: LinkChange,
}

/// How a link fares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum LinkChange {
    /// Only on base.
    Gone,
    /// Only on head.
    New,
    /// On both, otherwise.
    Changed,
    /// On both, the same.
    Kept,
}

/// A part of a load balancer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum BalancerPart {
    /// Where clients meet it.
    Listener,
    /// The servers that answer.
    Backend,
}

/// How a listener or backend fares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PartChange {
    /// Only on head.
    Added,
    /// Only on base.
    Removed,
    /// On both, otherwise.
    Changed,
}

/// Requests that both sides decide differently, by one pair of lines.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct RequestReport {
    /// The first kinds of them, as they read: `host example.org, path /api/*`.
    pub requests: Vec<String>,
    /// How many kinds there are.
    pub kinds: usize,
    /// What it is for clients.
    pub effect: RequestEffect,
    /// `possible` if it depends on what the file does not decide.
    pub certainty: Certainty,
    /// One of them: `GET https://example.org/api/x from 203.0.113.9 via :443`.
    pub witness: String,
    /// What was assumed of conditions that the file does not decide.
    pub assumed: Vec<String>,
    /// What becomes of it on base.
    pub base: RouteReport,
    /// What becomes of it on head.
    pub head: RouteReport,
}

/// What another answer is for clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RequestEffect {
    /// Requests that were served are refused.
    NewlyRefused,
    /// Requests that were refused are served.
    NewlyServed,
    /// They reach another backend, or get another answer.
    Moved,
}

/// What becomes of a request on one side.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct RouteReport {
    /// In words: `goes to backend api`, `is refused (403)`.
    pub outcome: String,
    /// The line that decides; null where none says it.
    pub location: Option<Location>,
}

/// Several flows seen from afar.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SummaryLine {
    /// A flow that includes them all.
    pub flow: String,
    /// How many flows it stands for.
    pub flows: usize,
}

/// Rules that brought a difference about.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
pub struct Causes {
    /// How many there are.
    pub total: usize,
    /// Where they stand, in the order of the file; at most 100.
    pub locations: Vec<Location>,
}

/// Whether a difference depends on what the file does not decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Certainty {
    /// It is there, whatever those conditions are.
    Certain,
    /// It may be there.
    Possible,
}

/// The objects of a configuration that differ.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
pub struct ObjectsReport {
    /// Only on head.
    pub added: Vec<ObjectReport>,
    /// Only on base.
    pub removed: Vec<ObjectReport>,
    /// On both, with another content.
    pub modified: Vec<ObjectReport>,
}

/// One object that differs.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct ObjectReport {
    /// What it is: `chain`, `set`, `translation`, `rule` …
    pub kind: String,
    /// Its address in the configuration.
    pub address: String,
    /// Where it stands on base.
    pub base: Option<Location>,
    /// Where it stands on head.
    pub head: Option<Location>,
    /// What of the change is not computed, if anything is not.
    pub uncomputed: Option<String>,
    /// The elements that differ, where it is a set or map that both sides have.
    pub elements: Option<ElementsReport>,
}

/// The elements of a set or map that differ.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct ElementsReport {
    /// The first of those that are only on head.
    pub added: Vec<String>,
    /// How many are only on head.
    pub added_total: usize,
    /// The first of those that are only on base.
    pub removed: Vec<String>,
    /// How many are only on base.
    pub removed_total: usize,
}
