use super::{Check, Context, Report, balancers, declare_check};
use crate::diff::Side;
use crate::facts::MissingFact;
use crate::policy::{Pattern, keys};
use crate::text::escape;

declare_check! { id: "health-checks", since: "0.1.0", level: Block, settings: HealthChecks, alone: Named, sees: Balancers }

keys! {
    struct HealthChecks {
        /// Backends or patterns of them: `web`, `lb/api-*`. Default: all.
        backends: Option<Vec<Pattern>>,
        /// Whether every server on head must be checked, whatever it was on base. Default: false.
        required: Option<bool>,
    }
}

impl Check for HealthChecks {
    fn run(&self, cx: &Context<'_>, report: &mut Report<'_>) -> Result<(), MissingFact> {
        let Self { backends, required } = self;
        balancers::report_idle(backends.as_deref(), "backend", balancers::backends, cx, report);
        let help = "keep the health check: without it requests go to servers that are down";
        if *required == Some(true) || cx.change.is_alone() {
            for head in balancers::of_head(cx, report) {
                for backend in &head.backends {
                    if !balancers::wanted(backends.as_deref(), &head.name, &backend.name) {
                        continue;
                    }
                    let mut without = backend.servers.iter().filter(|server| server.check.is_none());
                    let Some(first) = without.next() else { continue };
                    let (count, of) = (without.count() + 1, backend.servers.len());
                    let name = escape(backend.name.as_bytes());
                    let message =
                        format!("the health of {count} of {of} servers of the backend `{name}` is not checked");
                    let finding = report.finding(message, help);
                    finding.configuration = Some(head.name.clone());
                    finding.location = Some((Side::Head, first.origin));
                }
            }
            return Ok(());
        }
        for (configuration, difference) in balancers::differences(cx, report) {
            for change in &difference.backends {
                let (Some(base), Some(head)) = (&change.base, &change.head) else { continue };
                if !balancers::wanted(backends.as_deref(), &configuration.name, &change.name) {
                    continue;
                }
                let name = escape(change.name.as_bytes());
                let lost: Vec<_> =
                    change.changed.iter().filter(|(old, new)| old.check.is_some() && new.check.is_none()).collect();
                let message = if base.health_check.is_some() && head.health_check.is_none() {
                    format!("the backend `{name}` loses its health check")
                } else if let [(old, _)] = lost[..] {
                    let server = escape(old.name.as_bytes());
                    format!("the health of the server `{server}` of the backend `{name}` is not checked any more")
                } else if !lost.is_empty() {
                    format!("the health of {} servers of the backend `{name}` is not checked any more", lost.len())
                } else {
                    continue;
                };
                let finding = report.finding(message, help);
                finding.configuration = Some(configuration.name.clone());
                let one = lost.first().filter(|_| base.health_check.is_none() || head.health_check.is_some());
                finding.location = Some((Side::Head, one.map_or(head.origin, |(_, new)| new.origin)));
                finding.related = vec![("was", Side::Base, one.map_or(base.origin, |(old, _)| old.origin))];
            }
        }
        Ok(())
    }
}
