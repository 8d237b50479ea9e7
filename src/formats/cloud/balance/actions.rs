//! What the listeners and rules of Amazon's balancers do with requests.
//!
//! registry: `aws_lb_listener`, "default_action"; `aws_lb_listener_rule`, "action"; Elastic Load Balancing User Guide, "Listener
//! rules for your Application Load Balancer".

use super::super::attributes::{Attributes, Items, Known};
use super::{Instance, Lowering, Number, backend, server};
use crate::formats::data::value::Value;
use crate::model::{Condition, Outcome, Route};
use crate::text::{Span, escape};

pub(super) const GROUPS: &[&str] = &["aws_lb_target_group", "aws_alb_target_group"];

/// The blocks of actions.
const BLOCKS: [&str; 6] =
    ["authenticate_cognito", "authenticate_oidc", "fixed_response", "forward", "jwt_validation", "redirect"];

/// What actions come to.
pub(super) struct Done {
    /// What may become of requests before: those that nobody has signed in for.
    pub(super) gates: Vec<Route>,
    /// What becomes of the others; `None`: that is not understood, and told.
    pub(super) outcome: Option<Outcome>,
    /// Where that is said.
    pub(super) at: Option<Span>,
    /// What is compared besides.
    pub(super) settings: Vec<String>,
}

/// The actions of a listener or rule. "The action with the lowest value for order is performed first … The last action must be
/// forward, fixed-response or redirect"; without an order they are in that in which they stand.
pub(super) fn read(
    lowering: &mut Lowering<'_, '_>,
    instance: &Instance,
    body: &mut Attributes<'_>,
    name: &str,
) -> Done {
    let mut done = Done { gates: Vec::new(), outcome: None, at: None, settings: Vec::new() };
    let items = body.items(name);
    let mut actions: Vec<(i128, &Value)> = Vec::new();
    for (number, item) in items.there.iter().enumerate() {
        let order = item.object().and_then(|object| object.get("order")).and_then(Value::as_integer);
        actions.push((order.unwrap_or(i128::try_from(number).unwrap_or(i128::MAX) + 1), item));
    }
    actions.sort_by_key(|(order, _)| *order);
    for (_, action) in actions {
        one(lowering, instance, action, &mut done);
    }
    if let Some((unknown, value)) = items.perhaps.first() {
        // There may be another one, or this may be none.
        done.outcome = Some(Outcome::Computed(format!("one of {unknown}")));
        done.at = Some(value.at);
    }
    if done.outcome.is_none() {
        lowering.account.gap(instance.origin, format!("no `{name}` says what becomes of requests"));
    }
    done
}

fn one(lowering: &mut Lowering<'_, '_>, instance: &Instance, value: &Value, done: &mut Done) {
    let Some(mut action) = Attributes::open(value, lowering.account) else { return };
    // It was looked at where actions were put in order.
    action.take("order");
    let kind = action.text("type", lowering.account);
    let outcome = match &kind {
        Some(Known::Is(kind)) => match &**kind {
            "forward" => forward(lowering, instance, &mut action, done),
            "redirect" => lowering.block(&mut action, "redirect").and_then(|block| redirect(lowering, block)),
            "fixed-response" => lowering.block(&mut action, "fixed_response").and_then(|block| fixed(lowering, block)),
            "authenticate-cognito" | "authenticate-oidc" | "jwt-validation" => {
                gate(lowering, &mut action, kind, done);
                return close(lowering, action);
            }
            other => {
                let reason = format!("there is no action `{}` here", escape(other.as_bytes()));
                lowering.account.gap(action.at, reason);
                None
            }
        },
        Some(Known::Not(name)) => {
            let all = BLOCKS.map(|name| (name, ""));
            let said = lowering.rest(&mut action, &all);
            let group = lowering.named(&mut action, "target_group_arn", GROUPS);
            let group = group.map_or_else(String::new, |group| group.name);
            Some(Outcome::Computed(super::joined([name.clone(), group, said])))
        }
        None => {
            lowering.account.gap(action.at, "an action has no `type`");
            None
        }
    };
    if outcome.is_some() && done.outcome.is_some() {
        lowering.account.gap(action.at, "an action after one that ends: Amazon refuses it");
    }
    if outcome.is_some() {
        (done.outcome, done.at) = (outcome, Some(value.at));
    } else {
        let reason = "the action does not say what becomes of requests, or it is not understood";
        lowering.account.gap(action.at, reason);
    }
    close(lowering, action);
}

/// Nothing is left of an action but blocks of other ones, which are empty then, as plans have it.
fn close(lowering: &mut Lowering<'_, '_>, mut action: Attributes<'_>) {
    for name in BLOCKS {
        if action.value(name).is_some_and(|value| Items::of(value).is_empty()) {
            action.take(name);
        }
    }
    action.close(lowering.account);
}

/// Requests for which nobody has signed in. "on_unauthenticated_request … `deny`, `allow` and `authenticate`", by default the
/// last.
fn gate(lowering: &mut Lowering<'_, '_>, action: &mut Attributes<'_>, kind: &str, done: &mut Done) {
    let name = kind.replace('-', "_");
    let Some(block) = lowering.block(action, &name) else {
        lowering.account.gap(action.at, format!("the action has no block `{name}`"));
        return;
    };
    let said = lowering.said(block);
    let unauthenticated =
        block.object().and_then(|object| object.get("on_unauthenticated_request")).map(Value::as_text);
    let outcome = match unauthenticated.as_ref().map(Option::as_deref) {
        Some(Some("allow")) => {
            done.settings.push(format!("{kind} {said}"));
            return;
        }
        Some(Some("deny")) => Outcome::Refused("401".to_owned()),
        _ if kind == "jwt-validation" => Outcome::Refused("401".to_owned()),
        None | Some(Some(_)) => Outcome::Answered("a page to sign in".to_owned()),
        Some(None) => Outcome::Computed("on_unauthenticated_request".to_owned()),
    };
    let condition = lowering.opaque(format!("the request does not pass {kind} {said}"));
    done.gates.push(Route { condition, outcome, origin: block.at });
}

/// To one target group, or to several by their weights ("The range is 0 to 999"; 1 where it is not said).
fn forward(
    lowering: &mut Lowering<'_, '_>,
    instance: &Instance,
    action: &mut Attributes<'_>,
    done: &mut Done,
) -> Option<Outcome> {
    let at = action.at;
    let single = lowering.named(action, "target_group_arn", GROUPS);
    let Some(block) = lowering.block(action, "forward") else {
        return Some(lowering.toward(&single?.name, OPEN, at));
    };
    let mut forward = Attributes::open(block, lowering.account)?;
    let stickiness = lowering.rest(&mut forward, &[("stickiness", "")]);
    let items = forward.items("target_group");
    lowering.done(forward);
    let mut groups = Vec::new();
    for item in &items.there {
        let Some(mut group) = Attributes::open(item, lowering.account) else { continue };
        let of = lowering.needed(&mut group, "arn", GROUPS);
        let weight = lowering.number(&mut group, "weight", 999);
        lowering.done(group);
        if let Some(of) = of {
            lowering.toward(&of.name, OPEN, item.at);
            groups.push((of.name, weight, item.at));
        }
    }
    match (&single, &groups[..]) {
        (Some(single), [(only, _, _)]) if single.name != *only => {
            lowering.account.gap(at, "`target_group_arn` and `forward` lead elsewhere: Amazon refuses it");
        }
        _ => {}
    }
    if !stickiness.is_empty() {
        done.settings.push(stickiness);
    }
    if let ([(only, Number::Is(1..) | Number::Unsaid, _)], []) = (&groups[..], &items.perhaps[..]) {
        return Some(Outcome::Backend(only.clone()));
    }
    let mut all =
        backend(format!("{}/forward", instance.address), super::super::content::owner(&instance.body), block.at);
    if let Some((unknown, _)) = items.perhaps.first() {
        all.open = Some(format!("it has one of {unknown}"));
    }
    for (name, weight, at) in groups {
        let mut group = server(name.clone(), name, None, None, at);
        (group.weight, group.settings) = match weight {
            Number::Is(weight) => (Some(weight), String::new()),
            Number::Unsaid => (Some(1), String::new()),
            Number::Unknown(name) => (None, format!("weight = unknown {name}")),
        };
        // The groups look after their servers.
        group.check = Some(None);
        all.servers.push(group);
    }
    all.health_check = Some("that of each group".to_owned());
    let name = all.name.clone();
    lowering.serve(all);
    Some(Outcome::Backend(name))
}

const OPEN: &str = "the target group is not in these files";

/// "#{protocol}://#{host}:#{port}/#{path}?#{query}", of which what is not said stays as it is.
fn redirect(lowering: &mut Lowering<'_, '_>, value: &Value) -> Option<Outcome> {
    let mut block = Attributes::open(value, lowering.account)?;
    let part = |name: &str, default: &str, lowering: &mut Lowering<'_, '_>, block: &mut Attributes<'_>| {
        block.text(name, lowering.account).map_or_else(|| default.to_owned(), |known| super::shown(&known))
    };
    let protocol = part("protocol", "#{protocol}", lowering, &mut block).to_ascii_lowercase();
    let host = part("host", "#{host}", lowering, &mut block);
    let port = part("port", "#{port}", lowering, &mut block);
    let path = part("path", "/#{path}", lowering, &mut block);
    let query = part("query", "#{query}", lowering, &mut block);
    let status = part("status_code", "", lowering, &mut block);
    lowering.done(block);
    let status = status.trim_start_matches("HTTP_");
    Some(Outcome::Answered(format!("redirect {status} to {protocol}://{host}:{port}{path}?{query}")))
}

/// "status_code - HTTP response code. Valid values are 2XX, 4XX, or 5XX."
fn fixed(lowering: &mut Lowering<'_, '_>, value: &Value) -> Option<Outcome> {
    let mut block = Attributes::open(value, lowering.account)?;
    let status = block.text("status_code", lowering.account);
    let content = lowering.rest(&mut block, &[("content_type", ""), ("message_body", "")]);
    lowering.done(block);
    // Where it is not said the provider fills in 200.
    let status = status.map_or_else(|| "200".to_owned(), |known| super::shown(&known));
    let text = super::joined([status.clone(), content]);
    Some(match status.as_bytes().first() {
        Some(b'4' | b'5') => Outcome::Refused(text),
        Some(b'2') => Outcome::Answered(text),
        Some(_) | None => Outcome::Computed(text),
    })
}

/// Puts requests that are decided before others into the routes of a rule: those of its condition only.
pub(super) fn behind(condition: &Condition, gates: Vec<Route>) -> impl Iterator<Item = Route> {
    let condition = condition.clone();
    gates.into_iter().map(move |Route { condition: gate, outcome, origin }| Route {
        condition: Condition::all([condition.clone(), gate]),
        outcome,
        origin,
    })
}
