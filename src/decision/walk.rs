//! The way of one packet, readable: the answer of `trace`.

use super::balancers::outcome_text;
use super::build::{location, side as location_side};
use super::report::{Answer, Location, LocationSide, VERSION};
use crate::diff::balancers::RouteTrace;
use crate::diff::{FilterPair, Side, Sided, Trace};
use crate::model::{Action, Store};
use crate::net::{Packet, Request, show_packet};
use crate::text::{SourceMap, Span, escape};
use schemars::JsonSchema;
use serde::Serialize;

/// What becomes of one packet at one filter, on one side or on both.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Walk {
    /// The version of this shape: 1. Fields are only ever added to it.
    pub version: u32,
    /// The packet, in the notation of flows, or the request.
    pub packet: String,
    /// The filter, or the listener.
    pub filter: String,
    /// Its way on each side that was asked for, base first.
    pub sides: Vec<WalkedSide>,
}

/// The way of a packet on one side.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct WalkedSide {
    /// Which side.
    pub side: LocationSide,
    /// Whether the packet passes, or the request is not refused.
    pub answer: Answer,
    /// What becomes of a request, in words; null for packets.
    pub outcome: Option<String>,
    /// The path of a request as the side reads it, where that is not the one that is sent; null otherwise.
    pub path: Option<String>,
    /// Whether the side has such a filter at all; if not, the answer is what its absence means.
    pub present: bool,
    /// The rules and default actions that it meets, in order.
    pub hops: Vec<HopReport>,
    /// The conditions that the file does not decide, on which the way depends; they were taken as not true.
    pub unknown: Vec<String>,
}

/// One step of a packet.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct HopReport {
    /// The chain, with its table.
    pub chain: String,
    /// How deep in jumps, from 0.
    pub depth: usize,
    /// The rule or default action; null where a chain ends without one.
    pub location: Option<Location>,
    /// What happens: `accept`, `deny`, `return`, `continue`, `jump NAME` or `goto NAME`.
    pub action: String,
}

/// Puts into words what [`crate::diff::trace`] says of a packet on the sides that are given; `None` as a trace: the
/// side has no such filter.
#[must_use]
pub fn walk(
    packet: &Packet,
    pair: &FilterPair<'_>,
    sides: &[Side],
    trace: impl Fn(Sided<'_>) -> Trace,
    store: &Store,
    sources: &SourceMap,
) -> Walk {
    let walked = |side: &Side| {
        let sided = match side {
            Side::Base => pair.base,
            Side::Head => pair.head,
        };
        let side = location_side(*side);
        let Some(sided) = sided else {
            let answer = if pair.absent() { Answer::Allow } else { Answer::Deny };
            return WalkedSide {
                side,
                answer,
                outcome: None,
                path: None,
                present: false,
                hops: Vec::new(),
                unknown: Vec::new(),
            };
        };
        let Trace { hops, answer, unknown } = trace(sided);
        let hop = |hop: crate::diff::Hop| HopReport {
            chain: hop.chain,
            depth: hop.depth,
            location: hop.at.map(|span| location(sources, side, span)),
            action: action(store, hop.what),
        };
        WalkedSide {
            side,
            answer: if answer.allowed { Answer::Allow } else { Answer::Deny },
            outcome: None,
            path: None,
            present: true,
            hops: hops.into_iter().map(hop).collect(),
            unknown: unknown.iter().map(|l| escape(store.opaque_text(l.opaque).as_bytes())).collect(),
        }
    };
    Walk {
        version: VERSION,
        packet: show_packet(packet),
        filter: pair.id.to_owned(),
        sides: sides.iter().map(walked).collect(),
    }
}

/// The same for a request at a listener; `None` as a side: it has no such listener.
#[must_use]
pub fn walk_request(
    request: &Request,
    listener: &str,
    sides: &[(Side, Option<RouteTrace>)],
    store: &Store,
    sources: &SourceMap,
) -> Walk {
    let walked = |(side, trace): &(Side, Option<RouteTrace>)| {
        let side = location_side(*side);
        let Some(RouteTrace { path, hops, answer, unknown }) = trace else {
            let outcome = Some("nothing listens there".to_owned());
            return WalkedSide {
                side,
                answer: Answer::Deny,
                outcome,
                path: None,
                present: false,
                hops: Vec::new(),
                unknown: Vec::new(),
            };
        };
        let outcome = outcome_text(&answer.outcome);
        let mut steps: Vec<HopReport> = Vec::new();
        let step = |at: Option<Span>, action: String| HopReport {
            chain: escape(listener.as_bytes()),
            depth: 0,
            location: at.map(|span| location(sources, side, span)),
            action,
        };
        for hop in hops.iter().filter(|hop| Some(hop.at) != answer.by) {
            steps.push(step(Some(hop.at), format!("{} only if what is not known holds", outcome_text(&hop.outcome))));
        }
        steps.push(step(answer.by, outcome.clone()));
        let refused = matches!(answer.outcome, crate::model::Outcome::Refused(_));
        WalkedSide {
            side,
            answer: if refused { Answer::Deny } else { Answer::Allow },
            outcome: Some(outcome),
            path: path.as_deref().map(escape),
            present: true,
            hops: steps,
            unknown: unknown.iter().map(|l| escape(store.opaque_text(l.opaque).as_bytes())).collect(),
        }
    };
    Walk {
        version: VERSION,
        packet: request.to_string(),
        filter: listener.to_owned(),
        sides: sides.iter().map(walked).collect(),
    }
}

fn action(store: &Store, action: Action) -> String {
    match action {
        Action::Accept => "accept".to_owned(),
        Action::Deny => "deny".to_owned(),
        Action::Return => "return".to_owned(),
        Action::Continue => "continue".to_owned(),
        Action::Jump(name) => format!("jump {}", escape(store.name(name))),
        Action::Goto(name) => format!("goto {}", escape(store.name(name))),
    }
}
