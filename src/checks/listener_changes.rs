use super::{Check, Context, Report, balancers, declare_check};
use crate::diff::Side;
use crate::diff::balancers::{ListenerChange, TlsChange};
use crate::facts::MissingFact;
use crate::policy::{Pattern, keys};
use crate::text::{escape, few};

declare_check! { id: "listener-changes", since: "0.1.0", level: Block, settings: ListenerChanges, sees: Balancers }

keys! {
    struct ListenerChanges {
        /// Listeners or patterns of them, by their names on either side: `www`, `lb/public-*`. Default: all.
        listeners: Option<Vec<Pattern>>,
        /// Whether new listeners are reported too. Default: false.
        added: Option<bool>,
    }
}

impl Check for ListenerChanges {
    fn run(&self, cx: &Context<'_>, report: &mut Report<'_>) -> Result<(), MissingFact> {
        let Self { listeners, added } = self;
        balancers::report_idle(listeners.as_deref(), "listener", balancers::listeners, cx, report);
        for (configuration, difference) in balancers::differences(cx, report) {
            for change in &difference.listeners {
                let names = [&change.base, &change.head].into_iter().flatten();
                let is_wanted =
                    |(name, _): &(String, _)| balancers::wanted(listeners.as_deref(), &configuration.name, name);
                if !names.into_iter().any(is_wanted) {
                    continue;
                }
                for (message, help) in said(change, *added == Some(true)) {
                    let finding = report.finding(message, help);
                    finding.configuration = Some(configuration.name.clone());
                    finding.location = match (&change.base, &change.head) {
                        (_, Some((_, at))) => Some((Side::Head, *at)),
                        (Some((_, at)), None) => Some((Side::Base, *at)),
                        (None, None) => None,
                    };
                    if let (Some((_, at)), Some(_)) = (&change.base, &change.head) {
                        finding.related = vec![("was", Side::Base, *at)];
                    }
                }
            }
        }
        Ok(())
    }
}

/// What is wrong with a listener, and what to do.
fn said(change: &ListenerChange, added: bool) -> Vec<(String, &'static str)> {
    let name = |side: &Option<(String, _)>| side.as_ref().map(|(name, _)| escape(name.as_bytes())).unwrap_or_default();
    let at = escape(few(&change.endpoints, 4).as_bytes());
    match (&change.base, &change.head) {
        (Some(_), None) => {
            let name = name(&change.base);
            let help = "keep the listener until no client uses it; if that is so, say it under approvals";
            vec![(format!("nothing listens at {at} any more: `{name}` is gone"), help)]
        }
        (None, _) if added => {
            let name = name(&change.head);
            vec![(format!("`{name}` listens at {at} now"), "have it approved by who answers for what is reachable")]
        }
        (None, _) => Vec::new(),
        (Some(_), Some(_)) => {
            let mut out = Vec::new();
            let name = name(&change.head);
            if change.tls == TlsChange::Lost {
                let help = "keep TLS: clients that ask for it find none, and the others are in the clear";
                out.push((format!("`{name}` at {at} does not speak TLS any more"), help));
            }
            if change.protocol_changed {
                let protocol = change.protocol;
                let help = "give the new protocol a port of its own, so that clients of the old one do not break";
                out.push((format!("`{name}` at {at} speaks {protocol} now"), help));
            }
            if change.tls != TlsChange::Lost && !change.certificates.0.is_empty() {
                let gone = change.certificates.0.join(", ");
                let gone = escape(gone.as_bytes());
                let help = "keep it until the names that it is for are on another certificate of this listener";
                out.push((format!("`{name}` at {at} loses the certificate {gone}"), help));
            }
            out
        }
    }
}
