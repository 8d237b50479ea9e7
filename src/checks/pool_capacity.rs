use super::{Check, Context, Report, balancers, declare_check};
use crate::diff::Side;
use crate::diff::balancers::{capacity, lost_share};
use crate::facts::MissingFact;
use crate::model::Backend;
use crate::policy::{Pattern, keys};
use crate::text::escape;

declare_check! { id: "pool-capacity", since: "0.1.0", level: Block, settings: PoolCapacity, alone: Named, sees: Balancers }

keys! {
    struct PoolCapacity {
        /// How many servers of a backend must answer in ordinary times: they are enabled, have a weight above 0 and are
        /// not only a backup. Default: 1.
        minimum: Option<usize>,
        /// How many percent of the capacity of a backend one change may take, by weight. Default, if `minimum` is not
        /// given either: 50.
        percent: Option<usize>,
        /// Backends or patterns of them: `web`, `lb/api-*`. Default: all.
        backends: Option<Vec<Pattern>>,
    }
}

impl Check for PoolCapacity {
    fn run(&self, cx: &Context<'_>, report: &mut Report<'_>) -> Result<(), MissingFact> {
        let Self { minimum, percent, backends } = self;
        balancers::report_idle(backends.as_deref(), "backend", balancers::backends, cx, report);
        let percent = percent.or_else(|| minimum.is_none().then_some(50));
        for head in balancers::of_head(cx, report) {
            for backend in &head.backends {
                if balancers::wanted(backends.as_deref(), &head.name, &backend.name) {
                    too_few(report, &head.name, backend, minimum.unwrap_or(1));
                }
            }
        }
        let Some(percent) = percent else { return Ok(()) };
        for (configuration, difference) in balancers::differences(cx, report) {
            for change in &difference.backends {
                let Some(base) = &change.base else { continue };
                if !balancers::wanted(backends.as_deref(), &configuration.name, &change.name) {
                    continue;
                }
                let Some(lost) = lost_share(base, change.head.as_ref()) else { continue };
                let lost = share(lost);
                if lost <= percent {
                    continue;
                }
                let name = escape(change.name.as_bytes());
                let message = if change.head.is_some() {
                    format!("the backend `{name}` loses {lost} % of its capacity; at most {percent} % may go at once")
                } else {
                    format!("the backend `{name}` is gone with all its servers; at most {percent} % may go at once")
                };
                let help = "take fewer servers out at once, or add the new ones before the old ones go";
                let finding = report.finding(message, help);
                finding.configuration = Some(configuration.name.clone());
                finding.location = match &change.head {
                    Some(head) => Some((Side::Head, head.origin)),
                    None => Some((Side::Base, base.origin)),
                };
                let gone = change.removed.iter().map(|server| ("without", Side::Base, server.origin));
                let weaker = change.changed.iter().filter(|(old, new)| old.serves() != new.serves());
                let weaker = weaker.map(|(_, new)| ("weaker", Side::Head, new.origin));
                finding.related = gone.chain(weaker).collect();
            }
        }
        Ok(())
    }
}

fn too_few(report: &mut Report<'_>, configuration: &str, backend: &Backend, minimum: usize) {
    let have = capacity(backend);
    // Servers that are found at run time are not counted: there may be enough.
    if backend.open.is_some() || have.certain >= minimum {
        return;
    }
    let name = escape(backend.name.as_bytes());
    let have = match (have.certain, have.possible) {
        (0, 0) if backend.servers.is_empty() => "has no server".to_owned(),
        (0, 0) if backend.servers.iter().any(|server| server.backup) => "has nothing but backup servers".to_owned(),
        (0, 0) => "has no enabled server".to_owned(),
        (n, m) if n == m => format!("has {n} of its {} servers in service", backend.servers.len()),
        (n, m) => format!("has {n} servers in service for certain, {m} at best"),
    };
    let message = format!("the backend `{name}` {have}; it needs {minimum}");
    let help = "enable or add servers before this is deployed, or take the backend out with everything that uses it";
    let finding = report.finding(message, help);
    finding.configuration = Some(configuration.to_owned());
    finding.location = Some((Side::Head, backend.origin));
}

/// A share in whole percent, rounded up: none that is lost goes unseen.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share is from 0 to 1")]
fn share(lost: f64) -> usize {
    (lost * 100.0 - 1e-9).ceil().max(0.0) as usize
}
