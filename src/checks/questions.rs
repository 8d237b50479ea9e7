//! Asking the engine about a part of a filter, and turning its answers into findings.

use super::{Context, Report, Undecided};
use crate::diff::{self, Answer, Delta, FilterPair, Found, Question, Side, Witness};
use crate::model::Literal;
use crate::net::{Field, Region, Set, State, show_region};
use foldhash::quality::RandomState;
use std::collections::HashMap;

/// How many flows of one question become findings of their own; the others are counted.
const SHOWN: usize = 25;

/// Longer answers are not made shorter: only the first of their flows are shown.
const JOINED: usize = 200;

/// Reports every flow of `within` that answers the question, each a finding of which `say` gives message and help
/// (told whether it is so whatever the opaque conditions are, and the flow). What cannot be answered is reported as
/// undecided. Returns the answer.
pub(super) fn ask(
    cx: &Context<'_>,
    report: &mut Report<'_>,
    pair: &FilterPair<'_>,
    within: &[Region],
    question: Question,
    say: impl Fn(bool, &str) -> (String, &'static str),
) -> Found {
    if within.is_empty() {
        return Found { deltas: Vec::new(), complete: true };
    }
    tell(cx, report, pair, within, question, (diff::ask(cx.change, pair, within, question), SHOWN), say)
}

/// The part of a complete answer that is within these regions: the answer that asking about them would give.
pub(super) fn part(found: &Found, within: &[Region]) -> Found {
    let parts = |delta: &Delta| -> Vec<Delta> {
        let mine = within.iter().filter_map(|region| delta.region.intersection(region));
        mine.map(|region| Delta { region, conditions: delta.conditions.clone() }).collect()
    };
    let touched = found.deltas.iter().filter(|delta| within.iter().any(|region| overlap(region, &delta.region)));
    Found { deltas: touched.flat_map(parts).collect(), complete: found.complete }
}

/// Whether a packet is in both, without making their intersection.
fn overlap(a: &Region, b: &Region) -> bool {
    a.family() == b.family()
        && a.sets().iter().all(|(field, set)| b.get(*field).is_none_or(|other| set.overlaps(other)))
}

/// Reports an answer, at most so many of its flows each in a finding.
pub(super) fn tell(
    cx: &Context<'_>,
    report: &mut Report<'_>,
    pair: &FilterPair<'_>,
    within: &[Region],
    question: Question,
    (found, shown): (Found, usize),
    say: impl Fn(bool, &str) -> (String, &'static str),
) -> Found {
    let about = |finding: &mut super::Finding| {
        finding.configuration = Some(pair.configuration.to_owned());
        finding.filter = Some(pair.id.to_owned());
    };
    let flows = if found.deltas.len() > JOINED { found.deltas.clone() } else { joined(&found.deltas) };
    for (n, delta) in flows.iter().take(shown).enumerate() {
        let Delta { region, conditions } = delta;
        let plain = pair.plainly(region);
        let flow = show_region(&brief(&plain, within), cx.policy);
        let (mut message, help) = say(conditions.is_empty(), &flow);
        if n + 1 == shown && flows.len() > shown {
            message.push_str(&format!(" (and {} more flows)", flows.len() - shown));
        }
        let witness = diff::witness(cx.change, pair, delta, question);
        let finding = report.finding(message, help);
        about(finding);
        finding.flow = Some((plain, conditions.clone()));
        finding.unlisted = if n + 1 == shown { flows.len() - shown } else { 0 };
        finding.location = witness.as_ref().and_then(place);
        let walked = witness.is_some();
        finding.witness = witness;
        if !walked {
            let message = format!("no packet shows what was computed for `{}`", pair.id);
            let help = "this is an error of the program: please report it with both files";
            about(report.undecided(Undecided::Internal, message, help));
        }
    }
    if !found.complete {
        let message = if found.deltas.is_empty() {
            format!("what the change does to these packets in `{}` could not be computed within its budget", pair.id)
        } else {
            format!("there are more such packets in `{}` than could be listed", pair.id)
        };
        about(report.undecided(Undecided::TooHard, message, "split the change into smaller ones"));
    }
    found
}

/// The same packets as fewer flows: those that differ in one field become one, though other rules decide its parts.
fn joined(deltas: &[Delta]) -> Vec<Delta> {
    let mut out: Vec<Delta> = deltas.to_vec();
    for field in Field::ALL {
        let mut groups: HashMap<(Region, Vec<Literal>), usize, RandomState> = HashMap::default();
        let mut next: Vec<Delta> = Vec::new();
        for Delta { region, conditions } in out {
            let key = (region.clone().without(field), conditions);
            match groups.get(&key) {
                Some(at) => {
                    let known = &mut next[*at].region;
                    *known = match (known.get(field), region.get(field)) {
                        (Some(a), Some(b)) => key.0.with(field, &a.union(b)),
                        (None, _) | (_, None) => key.0,
                    };
                }
                None => {
                    next.push(Delta { region, conditions: key.1.clone() });
                    groups.insert(key, next.len() - 1);
                }
            }
        }
        out = next;
    }
    out
}

/// The region without details that the question brought along, which need no saying in a sentence: the flags of
/// packets that open connections, all the states that were asked about.
fn brief(region: &Region, within: &[Region]) -> Region {
    let mut brief = region.clone();
    for field in [Field::TcpFlags, Field::LaterFragment, Field::State] {
        let Some(set) = region.get(field) else { continue };
        let mine = within.iter().filter(|asked| asked.family() == region.family());
        let mut asked = mine.filter_map(|asked| asked.get(field));
        let only_new = field == Field::State && *set == Set::point(State::New.value());
        if !only_new && asked.any(|all| set.includes(all)) {
            brief = brief.without(field);
        }
    }
    brief
}

/// The deciding line on head; where head has none, on base.
fn place(witness: &Witness) -> Option<(Side, crate::text::Span)> {
    let Witness { packet: _, assumed: _, base, head } = witness;
    let by = |answer: &Answer, side| answer.by.map(|span| (side, span));
    by(head, Side::Head).or_else(|| by(base, Side::Base))
}

/// The flags of a packet that opens a TCP connection: SYN, with or without those of ECN (RFC 3168).
const OPENING: [u128; 2] = [0x02, 0xc2];

/// The states of packets that reach a service without belonging to a connection.
pub(super) const REACHING: [State; 3] = [State::New, State::Invalid, State::Untracked];

/// The packets of flows that open connections (new ones, and untracked ones where something is exempt from tracking),
/// and those of connections that are open.
pub(super) fn connections(flows: &[Region], cx: &Context<'_>, pair: &FilterPair<'_>) -> [Vec<Region>; 2] {
    let sides = [&cx.change.base, &cx.change.head];
    let untracked = sides
        .iter()
        .flat_map(|side| side.configurations())
        .filter(|configuration| configuration.name == pair.configuration)
        .any(|configuration| configuration.objects.iter().any(|object| object.kind == "tracking"));
    let states: &[State] = if untracked { &[State::New, State::Untracked] } else { &[State::New] };
    let within = |states| flows.iter().cloned().map(move |region| in_states(region, states));
    [within(states).flat_map(opening).collect(), within(&[State::Established]).collect()]
}

/// The part in these states.
pub(super) fn in_states(region: Region, states: &[State]) -> Region {
    region.with(Field::State, &states.iter().map(|state| state.value()).collect())
}

/// The packets of a region that begin something: whole datagrams or first fragments, over TCP those that open a
/// connection.
pub(super) fn opening(region: Region) -> Vec<Region> {
    let region = region.with(Field::LaterFragment, &Set::point(0));
    let tcp = Set::point(6);
    let all = Field::Protocol.all(region.family());
    let others = region.get(Field::Protocol).unwrap_or(&all).difference(&tcp);
    let parts = [
        region.clone().with(Field::Protocol, &tcp).with(Field::TcpFlags, &Set::from_iter(OPENING)),
        region.with(Field::Protocol, &others),
    ];
    parts.into_iter().filter(|part| !part.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::Family;

    #[test]
    fn flows_that_differ_in_one_field_become_one() {
        let flow = |source, port| Delta {
            region: Region::all(Family::Ipv4)
                .with(Field::Source, &Set::point(source))
                .with(Field::DestinationPort, &Set::point(port)),
            conditions: Vec::new(),
        };
        let all = joined(&[flow(1, 80), flow(2, 80), flow(1, 81), flow(2, 81), flow(9, 99)]);
        let square = Region::all(Family::Ipv4)
            .with(Field::Source, &Set::range(1, 2))
            .with(Field::DestinationPort, &Set::range(80, 81));
        assert_eq!(all, [Delta { region: square, conditions: Vec::new() }, flow(9, 99)]);
    }
}
