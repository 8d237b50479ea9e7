use super::questions::{ask, connections};
use super::{Check, Context, Report, declare_check};
use crate::diff::{Question, Side};
use crate::facts::MissingFact;
use crate::policy::{Flows, Networks, Services, keys};

declare_check! { id: "critical-ports", since: "0.1.0", level: Block, settings: CriticalPorts, alone: Named, sees: Filters }

keys! {
    struct CriticalPorts {
        /// Where the packets come from. Default: anywhere.
        from: Option<Networks>,
        /// Where they go. Default: anywhere.
        to: Option<Networks>,
        /// The services that must stay reachable.
        services: Services,
        /// Whether head must allow them even where base did not. Default: false.
        always: Option<bool>,
    }
}

impl Check for CriticalPorts {
    fn run(&self, cx: &Context<'_>, report: &mut Report<'_>) -> Result<(), MissingFact> {
        let Self { from, to, services, always } = self;
        let always = always.unwrap_or(false);
        let flows = Flows { from: from.as_ref(), to: to.as_ref(), services: Some(services) };
        let question = if always { Question::Denied(Side::Head) } else { Question::NewlyDenied };
        // What was so before is not known of one side alone.
        let asked = always || !cx.change.is_alone();
        for pair in report.scope().filters(cx).into_iter().filter(|_| asked) {
            let verb = |certain| match (always, certain) {
                (false, true) => "can no longer pass",
                (false, false) => "may no longer be able to pass",
                (true, true) => "cannot pass",
                (true, false) => "may not be able to pass",
            };
            let [opening, mut rest] = connections(&flows.regions(), cx, &pair);
            let opened = ask(cx, report, &pair, &opening, question, |certain, flow| {
                let message = format!("critical traffic {} `{}`: {flow}", verb(certain), pair.id);
                (message, "let it pass before the rule that denies it now, or change the policy first if it has moved")
            });
            if !opened.deltas.is_empty() || !opened.complete {
                continue;
            }
            // A connection that can be opened is of use only while its other packets pass.
            if !always {
                rest.extend(flows.replies());
            }
            ask(cx, report, &pair, &rest, question, |certain, flow| {
                let message = format!("critical connections open, but {} `{}`: {flow}", verb(certain), pair.id);
                (message, "let established connections pass in both directions")
            });
        }
        Ok(())
    }
}
