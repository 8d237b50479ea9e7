//! What a first policy demands: what is reached stays reached, what is shut stays shut, and what is wrong already is named.

use super::present::Present;
use crate::checks::{self, Finding, Opened, Reached};
use crate::model::Configuration;
use crate::net::{Family, Region, show_addresses};
use crate::policy::{Draft, DraftCheck, DraftConfiguration, DraftNetwork, PRESETS};
use crate::text::SourceMap;
use std::collections::{BTreeMap, BTreeSet};

/// How many entries of critical ports are proposed.
const CRITICAL: usize = 20;

/// Services by which hosts are administered.
const MANAGEMENT: [&str; 8] = ["ssh", "rdp", "winrm", "vnc", "telnet", "snmp", "kubernetes-api", "ipmi"];

/// The addresses of both families.
type Sources = [Vec<(u128, u128)>; 2];

/// Adds presets, networks and checks of what is there.
pub(super) fn compose(draft: &mut Draft, present: &Present, sources: &SourceMap) {
    let context = present.context(sources);
    let configurations = present.change.head.configurations();
    let mut extend = |preset, note: &str, fits: fn(&Configuration) -> bool| {
        if configurations.iter().any(|configuration| fits(configuration)) {
            draft.extends.push((preset, note.to_owned()));
        }
    };
    extend("load-balancer", "listeners, routes and servers stay", |known| !known.listeners.is_empty());
    extend("kubernetes", "what network policies protect", |known| known.format == "kubernetes");
    extend("aws", "security groups and network ACLs", |known| {
        let of_aws = |id: &str| id.split('/').any(|part| part.starts_with("aws_"));
        ["aws-api", "cloudformation"].contains(&known.format) || known.filters.iter().any(|filter| of_aws(&filter.id))
    });
    let filters: Vec<String> =
        configurations.iter().flat_map(|known| &known.filters).map(|filter| filter.id.clone()).collect();
    critical(draft, checks::reached(&context), &filters);
    // Groups of clouds deny what no rule decides whatever they say.
    let hosts = configurations.iter().filter(|known| ["iptables-save", "nftables"].contains(&known.format));
    let hosts: BTreeSet<&str> = hosts.flat_map(|known| &known.filters).map(|filter| filter.id.as_str()).collect();
    let inward = |id: &String| hosts.contains(id.as_str()) && (id.ends_with("/input") || id.ends_with("/forward"));
    let closed: Vec<String> = checks::closed(&context).into_iter().filter(inward).collect();
    if !closed.is_empty() {
        let entry = DraftCheck::new("default-action", "What no rule decides stays denied.");
        draft.checks.push(entry.with_list("filters", &shortened(draft, &closed, &filters)).with("must_be", "deny"));
    }
}

/// The services that are reached, as critical ports with names for where they are reached from.
fn critical(draft: &mut Draft, reached: Vec<Reached>, all: &[String]) {
    let mut by_source: BTreeMap<(Option<Sources>, String), Vec<String>> = BTreeMap::new();
    for Reached { service, from, filter } in reached {
        by_source.entry((from, service)).or_default().push(filter);
    }
    let mut merged: BTreeMap<(Option<Sources>, Vec<String>), Vec<String>> = BTreeMap::new();
    for ((from, service), filters) in by_source {
        merged.entry((from, filters)).or_default().push(service);
    }
    let mut names: BTreeMap<Sources, String> = BTreeMap::new();
    let mut titles: BTreeSet<String> = BTreeSet::new();
    for ((from, filters), services) in merged.into_iter().take(CRITICAL) {
        let first = services.first().map(|service| service.replace('/', "-")).unwrap_or_default();
        let network = match from {
            None => "any".to_owned(),
            Some(from) => match names.get(&from) {
                Some(name) => name.clone(),
                None => {
                    let administers = services.iter().any(|service| MANAGEMENT.contains(&service.as_str()));
                    let stem = if administers { "management".to_owned() } else { format!("clients-of-{first}") };
                    let name = free(&stem, |name| names.values().any(|taken| taken == name));
                    let [four, six] = &from;
                    let addresses = [
                        show_addresses(Family::Ipv4, four.iter().copied()),
                        show_addresses(Family::Ipv6, six.iter().copied()),
                    ]
                    .concat();
                    let note = format!("From where {} is let in now.", services.join(", "));
                    draft.networks.push(DraftNetwork { name: name.clone(), addresses, note });
                    names.insert(from, name.clone());
                    name
                }
            },
        };
        let title = free(&first, |title| titles.contains(title));
        titles.insert(title.clone());
        let whence = if network == "any" { "anywhere" } else { &network };
        let note = format!("Reached from {whence} now: a change that ends this is blocked.");
        let entry = DraftCheck::new("critical-ports", note).with("name", title);
        let entry = entry.with_list("in", &shortened(draft, &filters, all));
        draft.checks.push(entry.with("from", network).with_list("services", &services));
    }
}

/// A name, with a number if it is taken.
fn free(stem: &str, taken: impl Fn(&str) -> bool) -> String {
    let numbered = (2..).map(|n| format!("{stem}-{n}"));
    let name = std::iter::once(stem.to_owned()).chain(numbered).find(|name| !taken(name));
    name.expect("there are more numbers than names")
}

/// Some filters of all, as the patterns that name them and no others.
fn shortened(draft: &Draft, some: &[String], all: &[String]) -> Vec<String> {
    let mut out = Vec::new();
    for DraftConfiguration { name, each, .. } in &draft.configurations {
        let inside = format!("{name}/");
        let of = |ids: &[String]| -> Vec<String> { ids.iter().filter(|id| id.starts_with(&inside)).cloned().collect() };
        let (mine, every) = (of(some), of(all));
        if !mine.is_empty() && mine.len() == every.len() {
            out.push(name.clone());
            continue;
        }
        let end = |id: &String| id.rsplit('/').next().unwrap_or_default().to_owned();
        let ends: BTreeSet<String> = mine.iter().map(end).collect();
        for wanted in ends {
            let with = |ids: &[String]| -> Vec<String> { ids.iter().filter(|id| end(id) == wanted).cloned().collect() };
            let (mine, every) = (with(&mine), with(&every));
            let flat = every.iter().all(|id| id.matches('/').count() == 2);
            if *each && flat && mine.len() == every.len() && mine.len() > 1 {
                out.push(format!("{name}/*/{wanted}"));
            } else {
                out.extend(mine);
            }
        }
    }
    out
}

/// Changes a proposal so that what is there now passes: what stands open is named, and held from then on where it can be.
/// Says whether anything was changed.
pub(super) fn adapt(draft: &mut Draft, findings: &[Finding], filters: &[String], names: &[String]) -> bool {
    let mut changed = false;
    let mut by_check: BTreeMap<&'static str, Vec<&Finding>> = BTreeMap::new();
    for finding in findings {
        by_check.entry(finding.check).or_default().push(finding);
    }
    for (check, findings) in by_check {
        if check == "exposed-ports" && draft.extends.iter().any(|(preset, _)| *preset == "baseline") {
            expose(draft, &findings, filters);
        } else if draft.extends.iter().any(|(preset, _)| brings(preset, check)) {
            draft.extends.retain(|(preset, _)| !brings(preset, check));
        } else if check == "unreadable" || draft.checks.iter().any(|entry| entry.check == check) {
            // What cannot be read is never passed over.
            return false;
        } else {
            let dirty: BTreeSet<&String> =
                findings.iter().filter_map(|finding| finding.configuration.as_ref()).collect();
            let dirty: Vec<String> = dirty.into_iter().cloned().collect();
            let clean: Vec<String> = names.iter().filter(|name| !dirty.contains(name)).cloned().collect();
            if !clean.is_empty() {
                let entry = DraftCheck::new(check, "Nothing is to be said here now, and so it stays.");
                draft.checks.push(entry.with_list("in", &clean));
            }
            let entry = DraftCheck::new(check, "Here something is to be said already: `portcullis lint` shows what.");
            let entry = if dirty.is_empty() { entry } else { entry.with_list("in", &dirty) };
            draft.checks.push(entry.with("level", "warn"));
        }
        changed = true;
    }
    changed
}

fn preset(name: &str) -> &'static str {
    PRESETS.iter().find(|(known, _)| *known == name).map_or("", |(_, text)| *text)
}

/// Whether a preset other than the baseline has an entry of a check.
fn brings(name: &str, check: &str) -> bool {
    name != "baseline" && preset(name).lines().any(|line| line.trim() == format!("- check: {check}"))
}

/// The services of which the baseline says that nobody opens them to everybody.
fn guarded() -> Vec<String> {
    let (_, after) = preset("baseline").split_once("check: exposed-ports").unwrap_or_default();
    after.lines().filter_map(|line| line.trim().strip_prefix("- ")).map(str::to_owned).collect()
}

/// The baseline written out, without what is open to everybody now, where it is.
fn expose(draft: &mut Draft, findings: &[&Finding], filters: &[String]) {
    draft.extends.retain(|(preset, _)| *preset != "baseline" && !brings(preset, "exposed-ports"));
    let limit = DraftCheck::new("deletion-limit", "One change takes away a little; who takes away a lot says so.");
    let first = [
        DraftCheck::new(
            "policy-changes",
            "The preset `baseline`, written out because something is open now that it wants shut.",
        ),
        DraftCheck::new("empty-input", "A generator that lost its input: nothing that had entries may end up empty."),
        limit.with("count", "10").with("percent", "30").with("automation", "{count: 3, percent: 5}"),
    ];
    draft.checks.splice(0..0, first);
    let guarded = guarded();
    let mut open: BTreeMap<&str, Now> = BTreeMap::new();
    let mut regions: BTreeMap<String, Region> = BTreeMap::new();
    for finding in findings {
        if let Some(filter) = &finding.filter {
            let now = open.entry(filter).or_default();
            match checks::opened(finding) {
                Opened::Services(services) => now.services.extend(services),
                Opened::Flow(flow, region) => {
                    now.flows.insert(flow.clone());
                    regions.insert(flow, region);
                }
            }
        }
    }
    let clean = filters.iter().filter(|id| !open.contains_key(id.as_str())).cloned();
    let mut alike: BTreeMap<Now, Vec<String>> = BTreeMap::from([(Now::default(), clean.collect())]);
    for (filter, mut now) in open {
        now.services.retain(|service| guarded.iter().any(|known| known == service));
        alike.entry(now).or_default().push(filter.to_owned());
    }
    let mut unheld = Vec::new();
    for (Now { services, flows }, mine) in alike {
        let rest: Vec<String> = guarded.iter().filter(|name| !services.contains(name.as_str())).cloned().collect();
        let within = shortened(draft, &mine, filters);
        let excepted = flows.iter().filter_map(|flow| regions.get(flow));
        if within.is_empty() || !checks::left_beside(&rest, excepted) {
            unheld.extend(within);
            continue;
        }
        let mut entry =
            DraftCheck::new("exposed-ports", "Administration and data are not opened to everybody by accident.");
        if !services.is_empty() {
            let services: Vec<&str> = services.into_iter().collect();
            entry
                .notes
                .push(format!("Open here now, and not held until it is shut and added: {}.", services.join(", ")));
        }
        let mut entry = entry.with_list("in", &within).with("from", "any").with_list("services", &rest);
        if !flows.is_empty() {
            let flows: Vec<String> = flows.into_iter().collect();
            entry = entry.with_list("except", &flows);
        }
        draft.checks.push(entry.with("level", "approve"));
    }
    if let Some(last) = draft.checks.last_mut().filter(|_| !unheld.is_empty()) {
        last.notes.push(format!(
            "What is opened to everybody is not held where everything passes now: {}.",
            unheld.join(", ")
        ));
    }
}

/// What passes a filter now of what the baseline wants shut.
#[derive(Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Now {
    /// From everywhere.
    services: BTreeSet<&'static str>,
    /// From some addresses.
    flows: BTreeSet<String>,
}
