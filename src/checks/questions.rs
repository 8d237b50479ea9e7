//! Asking the engine about a part of a filter, and turning its answers into findings.

use super::{Context, Report, Undecided};
use crate::diff::{self, Answer, Delta, FilterPair, Found, Question, Side, Witness};
use crate::net::{Field, Region, Set, State, show_region};

/// How many flows of one question become findings of their own; the others are counted in one more.
const SHOWN: usize = 25;

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
    let found = diff::ask(cx.change, pair, within, question);
    let about = |finding: &mut super::Finding| {
        finding.configuration = Some(pair.configuration.to_owned());
        finding.filter = Some(pair.id.to_owned());
    };
    for delta in found.deltas.iter().take(SHOWN) {
        let Delta { region, conditions } = delta;
        let flow = show_region(region, cx.policy);
        let (message, help) = say(conditions.is_empty(), &flow);
        let witness = diff::witness(cx.change, pair, delta, question);
        let finding = report.finding(message, help);
        about(finding);
        finding.flow = Some((region.clone(), conditions.clone()));
        finding.location = witness.as_ref().and_then(place);
        let shown = witness.is_some();
        finding.witness = witness;
        if !shown {
            let message = format!("no packet shows what was computed for `{}`", pair.id);
            let help = "this is an error of the program: please report it with both files";
            about(report.undecided(Undecided::Internal, message, help));
        }
    }
    if found.deltas.len() > SHOWN {
        let more = found.deltas.len() - SHOWN;
        let message = format!("there are {more} more flows of this kind in `{}`", pair.id);
        about(report.finding(message, "`portcullis diff` lists all of them"));
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

/// The deciding line on head; where head has none, on base.
fn place(witness: &Witness) -> Option<(Side, crate::text::Span)> {
    let Witness { packet: _, assumed: _, base, head } = witness;
    let by = |answer: &Answer, side| answer.by.map(|span| (side, span));
    by(head, Side::Head).or_else(|| by(base, Side::Base))
}

/// The flags of a packet that opens a TCP connection: SYN, with or without those of ECN (RFC 3168).
const OPENING: [u128; 2] = [0x02, 0xc2];

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
