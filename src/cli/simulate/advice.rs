//! What a mistake does that a policy lets through, and which check would have stopped it.

use super::ground::{Ground, Mutated};
use super::show::Survivor;
use crate::checks::{self, Configured};
use crate::decision::{BalancerReport, ChangeKind, ConfigurationReport, FilterReport, ObjectReport, Outcome, Report};
use crate::diff::{ConfigurationDifference, Difference, Found};
use crate::net::Field;
use crate::policy;
use crate::text::SourceMap;

/// What it does, and the first check that stops it, proved: with it the mistake does not pass any more, and what is there
/// does.
pub(super) fn survived(ground: &Ground, mutated: &Mutated, approved: bool) -> Survivor {
    let (effect, witness) = effect(mutated);
    let difference = mutated.read.as_ref().map(|(_, difference)| difference);
    let candidates = difference.map(candidates).unwrap_or_default();
    let suggestion = candidates.into_iter().find(|candidate| stops(ground, mutated, candidate, approved));
    Survivor { effect, witness, suggestion }
}

fn stops(ground: &Ground, mutated: &Mutated, candidate: &str, approved: bool) -> bool {
    let Some((read, difference)) = &mutated.read else { return false };
    let mut sources = mutated.sources.fork();
    let Some(check) = configured(ground, candidate, &mut sources) else { return false };
    let decision = ground.conclude(read, &check, difference, &sources);
    let stops = match decision.outcome() {
        Outcome::Blocked => true,
        Outcome::NeedsApproval => !approved,
        Outcome::Pass | Outcome::Undecided | Outcome::PolicyError => false,
    };
    stops && ground.is_content(&check, &sources)
}

/// The check that is written so; `None`: it cannot be, in this policy.
fn configured(ground: &Ground, candidate: &str, sources: &mut SourceMap) -> Option<Vec<Configured>> {
    let text = format!("version: 1\nchecks:\n  - {candidate}\n");
    let id = sources.add(b"suggestion", text.into_bytes()).expect("it is small");
    let names = &ground.policy().names;
    let entries = policy::more_checks(policy::parse(id, sources), names).unwrap_or_else(|_| Vec::new());
    let checks = checks::configure_more(&entries, ground.policy()).unwrap_or_else(|_| Vec::new());
    (!checks.is_empty()).then_some(checks)
}

/// What could stop it, the most fitting first.
fn candidates(difference: &Difference) -> Vec<String> {
    let mut out = Vec::new();
    let changed = difference.configurations.iter().filter(|configuration| !is_same(configuration));
    for configuration in changed.take(3) {
        for filter in configuration.filters.iter().take(3) {
            let filters = quoted(&filter.id);
            if let Some(services) = services(&filter.newly_denied) {
                out.push(format!(
                    "{{check: critical-ports, in: [{filters}], from: any, to: any, services: [{services}]}}"
                ));
            }
            if let Some(services) = services(&filter.newly_allowed) {
                out.push(format!("{{check: exposed-ports, in: [{filters}], services: [{services}]}}"));
            }
        }
        let within = quoted(&configuration.name);
        if !configuration.balancers.backends.is_empty() {
            out.extend([50, 25, 10, 1].map(|n| format!("{{check: pool-capacity, in: [{within}], percent: {n}}}")));
            out.push(format!("{{check: health-checks, in: [{within}]}}"));
        }
        if !configuration.balancers.listeners.is_empty() {
            out.push(format!("{{check: route-changes, in: [{within}]}}"));
            out.push(format!("{{check: listener-changes, in: [{within}]}}"));
            out.push(format!("{{check: certificate-references, in: [{within}]}}"));
        }
        out.push(format!("{{check: empty-input, in: [{within}]}}"));
        out.extend([50, 25, 10, 1].map(|n| format!("{{check: empty-input, in: [{within}], shrink: {n}}}")));
        out.extend([10, 5, 2, 0].map(|n| format!("{{check: deletion-limit, in: [{within}], count: {n}}}")));
        out.push(format!("{{check: any-any-rules, in: [{within}], level: block}}"));
        out.push(format!("{{check: shadowed-rules, in: [{within}], level: block}}"));
    }
    out.push("{check: required-approvals, rules: [{name: anything, when: {any_effect: true}, count: 1}]}".to_owned());
    out
}

fn is_same(configuration: &ConfigurationDifference) -> bool {
    match configuration.change {
        crate::diff::ChangeKind::Unchanged | crate::diff::ChangeKind::Equivalent => true,
        crate::diff::ChangeKind::Changed | crate::diff::ChangeKind::Added | crate::diff::ChangeKind::Removed => false,
    }
}

/// The services of the largest part: `tcp/22`; `any` where they have no ports.
fn services(found: &Found) -> Option<String> {
    let region = &found.deltas.first()?.region;
    let protocol = region.get(Field::Protocol).and_then(|protocols| protocols.first());
    let ports = region.get(Field::DestinationPort).and_then(|ports| ports.ranges().first());
    let name = match protocol {
        Some(6) => "tcp",
        Some(17) => "udp",
        Some(132) => "sctp",
        Some(_) | None => return Some("any".to_owned()),
    };
    Some(match ports {
        Some((first, last)) if first == last => format!("{name}/{first}"),
        Some((first, last)) => format!("{name}/{first}-{last}"),
        None => format!("{name}/0-65535"),
    })
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// What it does, in one line, and one packet or request that shows it.
fn effect(mutated: &Mutated) -> (String, Option<String>) {
    let Report { configurations, .. } = mutated.decision.report();
    let mut all: Vec<(String, Option<String>)> = configurations.iter().flat_map(of_configuration).collect();
    let more = all.len().saturating_sub(1);
    if all.is_empty() {
        let what =
            "a list that the policy refers to says less, and no packet fares otherwise (`sha256` pins such a list)";
        return (what.to_owned(), None);
    }
    let (first, witness) = all.swap_remove(0);
    (if more == 0 { first } else { format!("{first}; and {more} more") }, witness)
}

fn of_configuration(configuration: &ConfigurationReport) -> Vec<(String, Option<String>)> {
    let ConfigurationReport { name, format: _, change, filters, balancers, objects, withheld: _ } = configuration;
    let mut out: Vec<_> = filters.iter().flat_map(of_filter).collect();
    out.extend(balancers.iter().map(of_balancer));
    let parts =
        [("is added", &objects.added), ("is removed", &objects.removed), ("says something else", &objects.modified)];
    for (verb, objects) in parts {
        out.extend(objects.iter().map(|object| (of_object(name, object, verb), None)));
    }
    if out.is_empty() {
        match change {
            ChangeKind::Removed => out.push((format!("{name} is gone"), None)),
            ChangeKind::Added => out.push((format!("{name} is new"), None)),
            ChangeKind::Unchanged | ChangeKind::Equivalent | ChangeKind::Changed => {}
        }
    }
    out
}

fn of_filter(filter: &FilterReport) -> Vec<(String, Option<String>)> {
    let denied = (&filter.newly_denied, filter.newly_denied_total, &filter.newly_denied_witness, "newly denies");
    let allowed = (&filter.newly_allowed, filter.newly_allowed_total, &filter.newly_allowed_witness, "newly allows");
    let mut out = Vec::new();
    for (flows, total, witness, verb) in [denied, allowed] {
        let Some(flow) = flows.first() else { continue };
        let more = if total > 1 { format!(" and {} more flows", total - 1) } else { String::new() };
        out.push((
            format!("{} {verb} {flow}{more}", filter.id),
            witness.as_ref().map(|witness| witness.packet.clone()),
        ));
    }
    out
}

fn of_balancer(part: &BalancerReport) -> (String, Option<String>) {
    let BalancerReport { name, differences, requests, change, .. } = part;
    let witness = requests.first().map(|request| request.witness.clone());
    let what = match (requests.first(), differences.first()) {
        (Some(request), _) => format!("a request that {} newly {}", request.base.outcome, request.head.outcome),
        (None, Some(difference)) => difference.clone(),
        (None, None) => format!("it is {}", show_change(*change)),
    };
    (format!("{name}: {what}"), witness)
}

const fn show_change(change: crate::decision::PartChange) -> &'static str {
    match change {
        crate::decision::PartChange::Added => "new",
        crate::decision::PartChange::Removed => "gone",
        crate::decision::PartChange::Changed => "changed",
    }
}

fn of_object(configuration: &str, object: &ObjectReport, verb: &str) -> String {
    let lost = object.elements.as_ref().filter(|elements| elements.removed_total > 0);
    let gained = object.elements.as_ref().filter(|elements| elements.added_total > 0);
    let lost =
        lost.map(|e| format!(", without {} of {}", e.removed.first().map_or("", String::as_str), e.removed_total));
    let gained = gained.map(|e| format!(", with {} of {}", e.added.first().map_or("", String::as_str), e.added_total));
    format!(
        "{configuration}: the {} `{}` {verb}{}{}, and no packet fares otherwise",
        object.kind,
        object.address,
        lost.unwrap_or_default(),
        gained.unwrap_or_default()
    )
}
