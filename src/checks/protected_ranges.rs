use super::questions::ask;
use super::{Check, Context, Report, declare_check};
use crate::diff::Question;
use crate::facts::MissingFact;
use crate::policy::{Flows, Networks, Services, keys};

declare_check! { id: "protected-ranges", since: "0.1.0", level: Block, settings: ProtectedRanges, sees: Filters }

keys! {
    struct ProtectedRanges {
        /// Addresses whose traffic must not change, as source or as destination.
        ranges: Networks,
        /// Only this traffic of theirs. Default: any.
        services: Option<Services>,
    }
}

impl Check for ProtectedRanges {
    fn run(&self, cx: &Context<'_>, report: &mut Report<'_>) -> Result<(), MissingFact> {
        let Self { ranges, services } = self;
        let services = services.as_ref();
        let mut touched = Flows { from: Some(ranges), to: None, services }.regions();
        touched.extend(Flows { from: None, to: Some(ranges), services }.regions());
        for pair in report.scope().filters(cx) {
            for (question, verb) in [(Question::NewlyDenied, "denied"), (Question::NewlyAllowed, "allowed")] {
                ask(cx, report, &pair, &touched, question, |certain, flow| {
                    let may = if certain { "is" } else { "may be" };
                    let message = format!("traffic of a protected range {may} newly {verb} by `{}`: {flow}", pair.id);
                    (message, "take this part out of the change, or have it approved by those who protect the range")
                });
            }
        }
        Ok(())
    }
}
