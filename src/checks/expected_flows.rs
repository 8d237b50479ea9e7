use super::questions::{REACHING, ask, connections, in_states};
use super::{Check, Context, Report, Spans, declare_check};
use crate::diff::balancers::{RouteTrace, meeting, route};
use crate::diff::{FilterPair, Question, Side};
use crate::facts::MissingFact;
use crate::model::{Configuration, Listener, Outcome};
use crate::net::{Field, Region, Request, RequestError, parse_request};
use crate::policy::{Flow, Kind, Node, Policy, Read, Reader, keys};
use crate::text::{Span, escape};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use std::borrow::Cow;

declare_check! { id: "expected-flows", since: "0.1.0", level: Block, settings: ExpectedFlows, alone: Named }

#[derive(Debug)]
struct ExpectedFlows(Keys);

keys! {
    struct Keys {
        /// Flows of which every packet must pass each of the filters. Without a state: connections can be opened, and
        /// their packets pass.
        allow: Option<Vec<Flow>>,
        /// Flows of which no packet may pass any of the filters. Without a state: what does not belong to a connection
        /// yet.
        deny: Option<Vec<Flow>>,
        /// Requests, and what must become of each: `backend NAME`, `refused`, or `answered` (by the balancer itself).
        requests: Option<Requests>,
    }
}

/// Requests and what is expected of them.
#[derive(Debug, Clone)]
struct Requests(Vec<Expected>);

#[derive(Debug, Clone)]
struct Expected {
    request: Request,
    at: Span,
    fate: Fate,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Fate {
    Backend(String),
    Refused,
    Answered,
}

impl Check for ExpectedFlows {
    fn spans(&self, _: &Policy) -> Spans {
        Spans::Configurations
    }

    fn run(&self, cx: &Context<'_>, report: &mut Report<'_>) -> Result<(), MissingFact> {
        let Self(Keys { allow, deny, requests }) = self;
        let pairs = report.scope().filters(cx);
        if pairs.is_empty() && (allow.is_some() || deny.is_some()) {
            report.idle("there is no filter that could let packets pass or stop them", report.at());
        }
        for flow in allow.iter().flatten() {
            report.focus(flow.span);
            pairs.iter().for_each(|pair| must_pass(flow, pair, cx, report));
        }
        for flow in deny.iter().flatten() {
            report.focus(flow.span);
            pairs.iter().for_each(|pair| must_stop(flow, pair, cx, report));
        }
        for expected in requests.iter().flat_map(|requests| &requests.0) {
            report.focus(expected.at);
            must_reach(expected, cx, report);
        }
        Ok(())
    }
}

fn must_pass(flow: &Flow, pair: &FilterPair<'_>, cx: &Context<'_>, report: &mut Report<'_>) {
    let verb = |certain| if certain { "does not" } else { "may not" };
    let help = "let it pass before the rule that denies it, or correct the expectation";
    let (stated, plain) = by_state(&flow.regions);
    let [opening, established] = connections(&plain, cx, pair);
    for (what, packets) in [("", [opening, stated].concat()), ("connections open; ", established)] {
        let found = ask(cx, report, pair, &packets, Question::Denied(Side::Head), |certain, flow| {
            (format!("{what}expected to pass `{}`, and {}: {flow}", pair.id, verb(certain)), help)
        });
        if !found.deltas.is_empty() || !found.complete {
            return;
        }
    }
}

fn must_stop(flow: &Flow, pair: &FilterPair<'_>, cx: &Context<'_>, report: &mut Report<'_>) {
    let (mut packets, plain) = by_state(&flow.regions);
    packets.extend(plain.into_iter().map(|region| in_states(region, &REACHING)));
    ask(cx, report, pair, &packets, Question::Allowed(Side::Head), |certain, flow| {
        let verb = if certain { "passes" } else { "may pass" };
        let help = "narrow the rule that allows it, or correct the expectation";
        (format!("expected to be denied by `{}`, and {verb}: {flow}", pair.id), help)
    });
}

/// Those that say a state, and the others.
fn by_state(regions: &[Region]) -> (Vec<Region>, Vec<Region>) {
    regions.iter().cloned().partition(|region| region.get(Field::State).is_some())
}

fn must_reach(expected: &Expected, cx: &Context<'_>, report: &mut Report<'_>) {
    let Expected { request, at, fate } = expected;
    let mut met: Vec<(&Configuration, &Listener)> = Vec::new();
    for configuration in cx.change.head.configurations() {
        let within = |listener: &&Listener| report.scope().covers(&format!("{}/{}", configuration.name, listener.name));
        let mine: Vec<&Listener> = configuration.listeners.iter().filter(within).collect();
        met.extend(meeting(&mine, request).map(|listener| (&**configuration, listener)));
    }
    if met.is_empty() {
        let message = format!("no listener meets `{request}`");
        let help = "name its configuration or listener with `in`, or its port with `via :443`";
        report.finding(message, help).policy = Some(*at);
    }
    for (configuration, listener) in met {
        let RouteTrace { path: _, hops, answer, unknown: _ } = route(&cx.change.store, listener, request, &[]);
        let others = hops.iter().map(|hop| (&hop.outcome, Some(hop.at)));
        let all: Vec<_> = others.chain([(&answer.outcome, answer.by)]).collect();
        let Some((outcome, by)) = all.iter().find(|(outcome, _)| !fate.is(outcome)) else { continue };
        let verb = if all.iter().all(|(outcome, _)| !fate.is(outcome)) { "" } else { "may be so: " };
        let message =
            format!("expected to {}, and {verb}{}: `{request}`", fate.say(), escape(outcome.to_string().as_bytes()));
        let help = "correct the routes, or the expectation; `portcullis trace` shows the way of a request";
        let finding = report.finding(message, help);
        finding.configuration = Some(configuration.name.clone());
        finding.location = by.map(|at| (Side::Head, at));
    }
}

impl Fate {
    fn is(&self, outcome: &Outcome) -> bool {
        match (self, outcome) {
            (Self::Backend(wanted), Outcome::Backend(name)) => wanted == name,
            (Self::Refused, Outcome::Refused(_)) | (Self::Answered, Outcome::Answered(_)) => true,
            (
                Self::Backend(_) | Self::Refused | Self::Answered,
                Outcome::Backend(_) | Outcome::Refused(_) | Outcome::Answered(_) | Outcome::Computed(_),
            ) => false,
        }
    }

    fn say(&self) -> String {
        match self {
            Self::Backend(name) => format!("go to backend {name}"),
            Self::Refused => "be refused".to_owned(),
            Self::Answered => "be answered by the balancer".to_owned(),
        }
    }
}

impl Read for ExpectedFlows {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let keys = Keys::read(node, reader)?;
        if keys.allow.is_none() && keys.deny.is_none() && keys.requests.is_none() {
            let help = "say what is expected: `allow:`, `deny:` or `requests:`";
            reader.refuse(node.span, "nothing is expected", help);
            return None;
        }
        Some(Self(keys))
    }
}

impl JsonSchema for ExpectedFlows {
    fn schema_name() -> Cow<'static, str> {
        "ExpectedFlows".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Keys::json_schema(generator)
    }
}

impl Read for Requests {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let help = "write them as `\"GET https://example.org/api\": backend api`";
        let Kind::Map(entries) = &node.kind else {
            reader.refuse(node.span, "these are not requests with what is expected of each", help);
            return None;
        };
        if entries.is_empty() {
            reader.refuse(node.span, "the map is empty", help);
            return None;
        }
        let mut out = Some(Vec::new());
        for (text, value) in entries {
            let request = match parse_request(&text.value) {
                Ok(request) => Some(request),
                Err(RequestError { message, help }) => {
                    reader.refuse(text.span, message, help);
                    None
                }
            };
            let fate = fate(value, reader);
            match (request, fate, &mut out) {
                (Some(request), Some(fate), Some(all)) => all.push(Expected { request, at: text.span, fate }),
                (_, _, out) => *out = None,
            }
        }
        out.map(Self)
    }
}

fn fate(node: &Node, reader: &mut Reader<'_>) -> Option<Fate> {
    let word = reader.word(node)?;
    match (word, word.strip_prefix("backend ")) {
        ("refused", _) => Some(Fate::Refused),
        ("answered", _) => Some(Fate::Answered),
        (_, Some(name)) if !name.trim().is_empty() => Some(Fate::Backend(name.trim().to_owned())),
        _ => {
            let help = "write `backend NAME`, `refused` or `answered`";
            reader.refuse(node.span, format!("`{word}` is nothing that becomes of a request"), help);
            None
        }
    }
}

impl JsonSchema for Requests {
    fn schema_name() -> Cow<'static, str> {
        "requests".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "requests, and for each `backend NAME`, `refused` or `answered`",
            "type": "object",
            "minProperties": 1,
            "additionalProperties": {"type": "string", "pattern": "^(refused|answered|backend .+)$"},
        })
    }
}
