use super::{Check, Context, Report, Undecided, balancers, declare_check};
use crate::diff::Side;
use crate::diff::balancers::{Effect, deciding};
use crate::facts::MissingFact;
use crate::model::{Listener, Route};
use crate::policy::{Pattern, keys};
use crate::text::{Span, escape};
use std::collections::HashSet;

declare_check! { id: "route-changes", since: "0.1.0", level: Block, settings: RouteChanges, alone: Always, sees: Balancers }

keys! {
    struct RouteChanges {
        /// Listeners or patterns of them, by their names on either side: `www`, `lb/public-*`. Default: all.
        listeners: Option<Vec<Pattern>>,
        /// Which changes are reported: requests that are newly `refused`, newly `served`, or `moved` to another backend
        /// or answer. Default: all of them.
        effects: Option<Vec<balancers::Kind>>,
    }
}

impl Check for RouteChanges {
    fn run(&self, cx: &Context<'_>, report: &mut Report<'_>) -> Result<(), MissingFact> {
        let Self { listeners, effects } = self;
        balancers::report_idle(listeners.as_deref(), "listener", balancers::listeners, cx, report);
        if cx.change.is_alone() {
            self.shadowed(cx, report);
            return Ok(());
        }
        for (configuration, difference) in balancers::differences(cx, report) {
            for change in &difference.listeners {
                let (Some((old, _)), Some((new, _))) = (&change.base, &change.head) else { continue };
                if ![old, new].iter().any(|name| balancers::wanted(listeners.as_deref(), &configuration.name, name)) {
                    continue;
                }
                let name = escape(new.as_bytes());
                for request in &change.requests {
                    let does = match request.effect() {
                        Effect::Refused => "refuses requests that were served",
                        Effect::Served => "serves requests that were refused",
                        Effect::Moved => "answers requests otherwise than before",
                    };
                    if effects.as_ref().is_some_and(|effects| !effects.contains(&request.effect().into())) {
                        continue;
                    }
                    let perhaps = if request.conditions.is_empty() { "" } else { "possibly " };
                    let message = format!("`{name}` {perhaps}{does}: {}", balancers::kinds(request));
                    let help = "move or narrow the route so that these requests keep their answer, or have it approved";
                    let finding = report.finding(message, help);
                    finding.configuration = Some(configuration.name.clone());
                    finding.request = Some(request.clone());
                }
                if !change.complete {
                    let message = format!("not all requests to `{name}` could be compared within the budget");
                    let finding = report.undecided(Undecided::TooHard, message, "split the change into smaller ones");
                    finding.configuration = Some(configuration.name.clone());
                }
            }
        }
        Ok(())
    }
}

impl RouteChanges {
    /// Reports routes that no request can reach.
    fn shadowed(&self, cx: &Context<'_>, report: &mut Report<'_>) {
        for head in balancers::of_head(cx, report) {
            // One line may stand in several listeners: it is needed if it is needed in one of them.
            let mut needed: HashSet<Span> = HashSet::new();
            let mut idle: Vec<(&Listener, &Route)> = Vec::new();
            for listener in &head.listeners {
                let wanted = balancers::wanted(self.listeners.as_deref(), &head.name, &listener.name);
                needed.extend(listener.otherwise_at);
                let Some(deciding) = deciding(&cx.change.store, listener) else {
                    needed.extend(listener.routes.iter().map(|route| route.origin));
                    if !wanted {
                        continue;
                    }
                    let name = escape(listener.name.as_bytes());
                    let message = format!("which routes of `{name}` decide could not be found out within the budget");
                    let help = "split the listener; nothing is said of its routes";
                    let finding = report.undecided(Undecided::TooHard, message, help);
                    finding.configuration = Some(head.name.clone());
                    continue;
                };
                for (n, route) in listener.routes.iter().enumerate() {
                    if deciding.contains(&n) {
                        needed.insert(route.origin);
                    } else if wanted {
                        idle.push((listener, route));
                    }
                }
            }
            for (listener, route) in idle {
                // What has been said once need not be said again.
                if !needed.insert(route.origin) {
                    continue;
                }
                let name = escape(listener.name.as_bytes());
                let message = format!("no request to `{name}` comes to this route: those before it decide all of them");
                let help = "move it before them, or remove it";
                let finding = report.finding(message, help);
                finding.configuration = Some(head.name.clone());
                finding.location = Some((Side::Head, route.origin));
            }
        }
    }
}
