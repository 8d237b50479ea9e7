use super::questions::{REACHING, ask, in_states};
use super::{Check, Context, Report, declare_check};
use crate::diff::{Question, Side};
use crate::facts::MissingFact;
use crate::policy::{Exceptions, Flows, Networks, Services, keys};

declare_check! { id: "exposed-ports", since: "0.1.0", level: Block, settings: ExposedPorts, alone: Named, sees: Filters }

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
        let forbidden: Vec<_> = forbidden.into_iter().map(|region| in_states(region, &REACHING)).collect();
        for pair in report.scope().filters(cx) {
            let (question, verb) = if cx.change.is_alone() {
                (Question::Allowed(Side::Head), ["passes", "may pass"])
            } else if pair.base.is_none() {
                (Question::Allowed(Side::Head), ["passes the new filter", "may pass the new filter"])
            } else {
                (Question::NewlyAllowed, ["can newly pass", "may newly be able to pass"])
            };
            ask(cx, report, &pair, &forbidden, question, |certain, flow| {
                let message = format!("forbidden traffic {} `{}`: {flow}", verb[usize::from(!certain)], pair.id);
                (message, "narrow the rule that allows it; if it is meant, add an exception to the policy first")
            });
        }
        Ok(())
    }
}
