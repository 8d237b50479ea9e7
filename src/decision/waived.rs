//! Findings that a waiver of the policy accepts.

use super::report::{WaiverReport, WaiverState};
use crate::checks::{self, Finding};
use crate::facts::Facts;
use crate::net::Region;
use crate::policy::{Policy, Validity, Waiver, WaiverScope};

/// So many days before its end a waiver is said to end soon.
const SOON: u64 = 7;

/// The waivers of the policy and what has become of them so far.
pub(super) struct Waived<'c> {
    waivers: Vec<Applied<'c>>,
}

struct Applied<'c> {
    waiver: &'c Waiver,
    state: WaiverState,
    /// Seconds until it ends.
    left: u64,
    findings: usize,
    /// Findings of which it covers a part only.
    parts: usize,
    /// The waiver that accepts all that this one does.
    twin: Option<&'c str>,
    alone: usize,
}

impl<'c> Waived<'c> {
    pub(super) fn of(judging: Option<(&'c Policy, &'c Facts)>) -> Self {
        let Some((policy, facts)) = judging else { return Self { waivers: Vec::new() } };
        let most_days = policy.waivers.most_days;
        let apply = |waiver: &'c Waiver| {
            let (state, left) = match facts.now.map(|now| waiver.validity(now, most_days)) {
                _ if waiver.doubtful => (WaiverState::Unknown, 0),
                None => (WaiverState::Unknown, 0),
                Some(Validity::Holds(left)) => (WaiverState::Unused, left),
                Some(Validity::Expired) => (WaiverState::Expired, 0),
                Some(Validity::Early) => (WaiverState::Early, 0),
                Some(Validity::TooLong) => (WaiverState::TooLong, 0),
            };
            Applied { waiver, state, left, findings: 0, parts: 0, twin: None, alone: 0 }
        };
        Self { waivers: policy.waivers.list.iter().map(apply).collect() }
    }

    /// The waivers that accept a finding together, by id; none: it stands.
    pub(super) fn accept(&mut self, finding: &Finding, fingerprint: &str) -> Option<String> {
        if !checks::find(finding.check).is_some_and(|check| check.waivable)
            || finding.undecided.is_some()
            || finding.unlisted > 0
        {
            return None;
        }
        let mut left: Option<Vec<Region>> = None;
        let mut used: Vec<usize> = Vec::new();
        let mut whole: Option<usize> = None;
        for (n, applied) in self.waivers.iter_mut().enumerate() {
            let Waiver { check, name, scope, .. } = applied.waiver;
            let named = name.as_ref().is_none_or(|name| finding.name.as_ref() == Some(&name.value));
            let holds = match applied.state {
                WaiverState::Used | WaiverState::Unused => true,
                WaiverState::Expired | WaiverState::Early | WaiverState::TooLong | WaiverState::Unknown => false,
            };
            if check.value != finding.check || !named || !holds {
                continue;
            }
            let covers = match scope {
                WaiverScope::Fingerprint(print) => print == fingerprint,
                WaiverScope::Object(object) => is_about(finding, object),
                WaiverScope::Packets(regions) => match packets(finding) {
                    None => false,
                    Some(packets) => {
                        let minus = |from: Vec<Region>| without(from, regions);
                        let before = left.take().unwrap_or_else(|| vec![packets.clone()]);
                        let rest = minus(before.clone());
                        if rest != before {
                            used.push(n);
                            applied.parts += 1;
                        }
                        left = Some(rest);
                        minus(vec![packets.clone()]).is_empty()
                    }
                },
            };
            if covers {
                match whole {
                    None => whole = Some(n),
                    Some(first) => applied.alone += usize::from(first != n),
                }
            }
        }
        let used = match whole {
            Some(one) => vec![one],
            None if left.is_some_and(|left| left.is_empty()) => used,
            None => return None,
        };
        let first = used.first().and_then(|n| self.waivers.get(*n)).map(|applied| applied.waiver.id.value.as_str());
        let mut ids = Vec::new();
        for (n, applied) in self.waivers.iter_mut().enumerate() {
            if used.contains(&n) {
                applied.state = WaiverState::Used;
                applied.findings += 1;
                applied.parts = applied.parts.saturating_sub(1);
                ids.push(applied.waiver.id.value.clone());
            } else if applied.alone > 0 {
                applied.alone = 0;
                applied.parts = applied.parts.saturating_sub(1);
                applied.twin = first;
            }
        }
        Some(ids.join(", "))
    }

    /// What became of each waiver.
    pub(super) fn report(self) -> Vec<WaiverReport> {
        let one = |Applied { waiver, state, left, findings, parts, twin, alone: _ }| {
            let Waiver { id, check, owner, reason, ticket, expires, .. } = waiver;
            let mut notes = Vec::new();
            let days = left / 86400;
            if matches!(state, WaiverState::Used | WaiverState::Unused) && days < SOON {
                notes.push(match days {
                    0 => "it ends today".to_owned(),
                    1 => "it ends in 1 day".to_owned(),
                    days => format!("it ends in {days} days"),
                });
            }
            notes.extend(twin.map(|twin| format!("what it accepts `{twin}` accepts as well")));
            if parts > 0 {
                notes.push("it covers only a part of a finding, which stands".to_owned());
            }
            WaiverReport {
                id: id.value.clone(),
                check: check.value.clone(),
                owner: owner.clone(),
                reason: reason.clone(),
                ticket: ticket.clone(),
                expires: expires.clone(),
                state,
                findings,
                notes,
            }
        };
        self.waivers.into_iter().map(one).collect()
    }
}

/// The packets of a finding, if it says of all of them what they are.
fn packets(finding: &Finding) -> Option<&Region> {
    finding.flow.as_ref().filter(|_| finding.witness.is_some()).map(|(region, _)| region)
}

fn is_about(finding: &Finding, object: &str) -> bool {
    let about_packets = finding.flow.is_some() || finding.request.is_some();
    let name = finding.filter.as_deref().or(finding.configuration.as_deref());
    !about_packets && name == Some(object)
}

fn without(from: Vec<Region>, holes: &[Region]) -> Vec<Region> {
    holes.iter().fold(from, |left, hole| left.iter().flat_map(|region| region.minus(hole)).collect())
}
