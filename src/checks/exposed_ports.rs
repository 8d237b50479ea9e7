use super::questions::{ask, in_states};
use super::{Check, Context, Report, declare_check};
use crate::diff::{Delta, Found, Question, Side};
use crate::facts::MissingFact;
use crate::net::{Field, Region, State};
use crate::policy::{Exceptions, Flows, Networks, Services, keys};

declare_check! { id: "exposed-ports", since: "0.1.0", level: Block, settings: ExposedPorts }

keys! {
    struct ExposedPorts {
        /// Where the packets come from. Default: anywhere.
        from: Option<Networks>,
        /// Where they go. Default: anywhere.
        to: Option<Networks>,
        /// The services that must not be opened. Default: any.
        services: Option<Services>,
        /// Networks or flows that may: `office`, `tcp 198.51.100.0/24 -> 10.0.0.5:22`.
        except: Option<Exceptions>,
    }
}

impl Check for ExposedPorts {
    fn run(&self, cx: &Context<'_>, report: &mut Report<'_>) -> Result<(), MissingFact> {
        let Self { from, to, services, except } = self;
        let flows = Flows { from: from.as_ref(), to: to.as_ref(), services: services.as_ref() };
        let forbidden = except.as_ref().map_or_else(|| flows.regions(), |except| except.taken_from(flows.regions()));
        if forbidden.is_empty() {
            report.idle("the exceptions leave nothing that would be forbidden", report.at());
        }
        for pair in report.scope().filters(cx) {
            let (question, verb) = if pair.base.is_none() {
                (Question::Allowed(Side::Head), ["passes the new filter", "may pass the new filter"])
            } else {
                (Question::NewlyAllowed, ["can newly pass", "may newly be able to pass"])
            };
            let opening = within(&forbidden, &[State::New]);
            let opened = ask(cx, report, &pair, &opening, question, |certain, flow| {
                let message = format!("forbidden traffic {} `{}`: {flow}", verb[usize::from(!certain)], pair.id);
                (message, "narrow the rule that allows it; if it is meant, add an exception to the policy first")
            });
            // Packets outside of any connection get in as well; where new ones of the same flow are reported, that
            // says it all.
            let others = within(&uncovered(&forbidden, &opened), &[State::Invalid, State::Untracked]);
            ask(cx, report, &pair, &others, question, |certain, flow| {
                let message = format!("forbidden traffic {} `{}`: {flow}", verb[usize::from(!certain)], pair.id);
                (message, "narrow the rule that allows it; packets outside of connections reach the service too")
            });
        }
        Ok(())
    }
}

/// The part in these states.
fn within(regions: &[Region], states: &[State]) -> Vec<Region> {
    regions.iter().map(|region| in_states(region.clone(), states)).collect()
}

/// What is left of the regions outside of the certain answers, whatever the state.
fn uncovered(regions: &[Region], found: &Found) -> Vec<Region> {
    let certain = found.deltas.iter().filter(|delta| delta.conditions.is_empty());
    certain.fold(regions.to_vec(), |left, Delta { region, conditions: _ }| {
        let any = region.clone().without(Field::State);
        // A box fewer is enough: cutting every box by every other could become many.
        left.into_iter().filter(|region| !any.includes(region)).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::Family;

    #[test]
    fn what_a_certain_answer_covers_is_not_asked_again() {
        let all = Region::all(Family::Ipv4);
        let delta = |conditions| Delta { region: in_states(all.clone(), &[State::New]), conditions };
        let found = Found { deltas: vec![delta(Vec::new())], complete: true };
        assert_eq!(uncovered(std::slice::from_ref(&all), &found), []);
        assert_eq!(uncovered(std::slice::from_ref(&all), &Found::default()), [all]);
    }
}
