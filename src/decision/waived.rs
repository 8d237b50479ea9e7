//! Findings that a waiver of the policy accepts.

use super::report::{WaiverReport, WaiverState};
use crate::checks::{self, Finding};
use crate::facts::{Facts, Verdict, judge};
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
    /// How many objects go in a finding that it does not accept, because it expects another number.
    other: Option<usize>,
    /// The waiver that accepts all that this one does.
    twin: Option<&'c str>,
}

impl<'c> Waived<'c> {
    /// Those of the policy in force, and those that the change brings, which count if the owners of the policy approved it.
    pub(super) fn of(judging: Option<(&'c Policy, &'c Facts)>, proposed: Option<&'c Policy>) -> Self {
        let Some((policy, facts)) = judging else { return Self { waivers: Vec::new() } };
        let (list, most_days) = (&policy.waivers.list, policy.waivers.most_days);
        let of_now = |waiver: &Waiver| list.iter().any(|known| known.id.value == waiver.id.value);
        let brought = proposed.into_iter().flat_map(|proposed| &proposed.waivers.list).filter(|waiver| !of_now(waiver));
        let accepted = policy.owned().is_some_and(|demand| {
            matches!(judge(&demand, &facts.reviewed, policy.roster()).verdict, Verdict::Satisfied)
        });
        let apply = |waiver: &'c Waiver, counts: bool| {
            let (state, left) = match facts.now.map(|now| waiver.validity(now, most_days)) {
                _ if !counts => (WaiverState::Proposed, 0),
                _ if waiver.doubtful => (WaiverState::Unknown, 0),
                None => (WaiverState::Unknown, 0),
                Some(Validity::Holds(left)) => (WaiverState::Unused, left),
                Some(Validity::Expired) => (WaiverState::Expired, 0),
                Some(Validity::Early) => (WaiverState::Early, 0),
                Some(Validity::TooLong) => (WaiverState::TooLong, 0),
            };
            Applied { waiver, state, left, findings: 0, parts: 0, other: None, twin: None }
        };
        let waivers =
            list.iter().map(|waiver| apply(waiver, true)).chain(brought.map(|waiver| apply(waiver, accepted)));
        Self { waivers: waivers.collect() }
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
        // Those that cover a part of it, or all of it.
        let (mut parts, mut wholes): (Vec<usize>, Vec<usize>) = (Vec::new(), Vec::new());
        for (n, applied) in self.waivers.iter_mut().enumerate() {
            let Waiver { check, name, scope, .. } = applied.waiver;
            let named = name.as_ref().is_none_or(|name| finding.name.as_ref() == Some(&name.value));
            let holds = match applied.state {
                WaiverState::Used | WaiverState::Unused => true,
                WaiverState::Expired
                | WaiverState::Early
                | WaiverState::TooLong
                | WaiverState::Proposed
                | WaiverState::Unknown => false,
            };
            if check.value != finding.check || !named || !holds {
                continue;
            }
            let covers = match scope {
                WaiverScope::Fingerprint(print) => print == fingerprint,
                WaiverScope::Object(object) => is_about(finding, object),
                WaiverScope::Deletions(number) => {
                    applied.other = finding.removes.filter(|removed| removed != number);
                    finding.removes == Some(*number)
                }
                WaiverScope::Packets(regions) => match packets(finding) {
                    None => false,
                    Some(packets) => {
                        let before = left.take().unwrap_or_else(|| vec![packets.clone()]);
                        let rest = without(before.clone(), regions);
                        if rest != before {
                            parts.push(n);
                        }
                        left = Some(rest);
                        without(vec![packets.clone()], regions).is_empty()
                    }
                },
            };
            if covers {
                wholes.push(n);
            }
        }
        let used = match wholes.first() {
            Some(one) => vec![*one],
            None if left.is_some_and(|left| left.is_empty()) => parts.clone(),
            None => Vec::new(),
        };
        let first = used.first().and_then(|n| self.waivers.get(*n)).map(|applied| applied.waiver.id.value.as_str());
        let mut ids = Vec::new();
        for (n, applied) in self.waivers.iter_mut().enumerate() {
            if used.contains(&n) {
                applied.state = WaiverState::Used;
                applied.findings += 1;
                ids.push(applied.waiver.id.value.clone());
            } else if wholes.contains(&n) {
                // The one that is called first by name, whichever finding comes first.
                applied.twin = applied.twin.into_iter().chain(first).min();
            } else if parts.contains(&n) {
                applied.parts += 1;
            }
        }
        (!ids.is_empty()).then(|| ids.join(", "))
    }

    /// What became of each waiver.
    pub(super) fn report(self) -> Vec<WaiverReport> {
        let one = |Applied { waiver, state, left, findings, parts, other, twin }| {
            let Waiver { id, check, scope, owner, reason, ticket, expires, .. } = waiver;
            let mut notes = Vec::new();
            let days = left / 86400;
            if matches!(state, WaiverState::Used | WaiverState::Unused) && days < SOON {
                notes.push(match days {
                    0 => "it ends today".to_owned(),
                    1 => "it ends in 1 day".to_owned(),
                    days => format!("it ends in {days} days"),
                });
            }
            notes.extend(twin.map(|twin| format!("{TWIN}{twin}` accepts as well")));
            if let (WaiverScope::Deletions(expected), Some(found)) = (scope, other) {
                notes.push(format!("{EXPECTS}{expected} objects to go, and {found} do"));
            }
            if parts > 0 {
                notes.push(PARTS.to_owned());
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

/// Adds what other findings made of the same waivers.
pub(super) fn join(waivers: &mut [WaiverReport], others: Vec<WaiverReport>) {
    for (mine, other) in waivers.iter_mut().zip(others) {
        mine.findings += other.findings;
        mine.state = match (mine.state, other.state) {
            // One that holds for some does for all, unless it ended meanwhile, which those know who looked later.
            (WaiverState::Used | WaiverState::Unused, state @ (WaiverState::Used | WaiverState::Unused)) => {
                if mine.state == WaiverState::Used { mine.state } else { state }
            }
            (WaiverState::Used | WaiverState::Unused, state) | (state, _) => state,
        };
        for note in other.notes {
            // Of several that say the same of other findings, the first counts.
            match mine.notes.iter_mut().find(|known| kind(known) == kind(&note)) {
                Some(known) => *known = note.min(std::mem::take(known)),
                None => mine.notes.push(note),
            }
        }
        mine.notes.sort_by_key(|note| kind(note));
    }
}

/// What a note is about: the end of the waiver, its twin, what it expects, or parts of findings.
fn kind(note: &str) -> u8 {
    match note {
        note if note.starts_with(TWIN) => 1,
        note if note.starts_with(EXPECTS) => 2,
        PARTS => 3,
        _ => 0,
    }
}

const EXPECTS: &str = "it expects ";
const TWIN: &str = "what it accepts `";
const PARTS: &str = "it covers only a part of a finding, which stands";

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
