use super::{Check, Context, Report, Spans, Undecided, balancers, declare_check};
use crate::diff::Side;
use crate::facts::MissingFact;
use crate::model::{Configuration, Snapshot};
use crate::policy::{Pattern, Policy, keys};
use crate::text::escape;
use std::collections::BTreeSet;

declare_check! { id: "certificate-references", since: "0.1.0", level: Block, settings: CertificateReferences, alone: Named, sees: Balancers }

keys! {
    struct CertificateReferences {
        /// Listeners or patterns of them: `www`, `lb/public-*`. Default: all.
        listeners: Option<Vec<Pattern>>,
        /// The certificates that there are, by name or path (without the `/` with which it begins), or patterns of them. Default:
        /// those that the configurations of head declare themselves; where those declare none, what base names is taken to be there.
        inventory: Option<Vec<Pattern>>,
    }
}

/// The certificates that configurations declare.
fn certificates(snapshot: &Snapshot) -> BTreeSet<&str> {
    let objects = snapshot.configurations().iter().flat_map(|configuration| &configuration.objects);
    objects.filter(|object| object.kind == "certificate").map(|object| object.address.as_str()).collect()
}

/// The certificates that listeners name.
fn named(configuration: &Configuration) -> impl Iterator<Item = &String> {
    let endpoints = configuration.listeners.iter().flat_map(|listener| &listener.endpoints);
    let tls = endpoints.filter_map(|end| end.tls.as_ref());
    tls.flat_map(|tls| tls.certificates.iter().map(|(certificate, _)| certificate))
}

impl Check for CertificateReferences {
    fn spans(&self, _: &Policy) -> Spans {
        match self.inventory {
            Some(_) => Spans::Nothing,
            None => Spans::Configurations,
        }
    }

    fn run(&self, cx: &Context<'_>, report: &mut Report<'_>) -> Result<(), MissingFact> {
        let Self { listeners, inventory } = self;
        balancers::report_idle(listeners.as_deref(), "listener", balancers::listeners, cx, report);
        let declared = certificates(&cx.change.head);
        let before = certificates(&cx.change.base);
        let named: BTreeSet<&String> =
            cx.change.base.configurations().iter().flat_map(|configuration| named(configuration)).collect();
        for head in balancers::of_head(cx, report) {
            for listener in &head.listeners {
                if !balancers::wanted(listeners.as_deref(), &head.name, &listener.name) {
                    continue;
                }
                let name = escape(listener.name.as_bytes());
                for tls in listener.endpoints.iter().filter_map(|end| Some((end.origin, end.tls.as_ref()?))) {
                    let (at, tls) = tls;
                    if tls.certificates.is_empty() {
                        let message = format!("`{name}` speaks TLS and has no certificate");
                        let finding = report.finding(message, "name the certificate that it shows to clients");
                        finding.configuration = Some(head.name.clone());
                        finding.location = Some((Side::Head, at));
                    }
                    for (certificate, at) in &tls.certificates {
                        let known = escape(certificate.as_bytes());
                        let there = match inventory {
                            Some(patterns) => {
                                let bare = known.trim_start_matches('/');
                                patterns.iter().any(|pattern| pattern.covers(&known) || pattern.covers(bare))
                            }
                            None => declared.contains(known.as_str()),
                        };
                        if there {
                            continue;
                        }
                        let vanished = before.contains(known.as_str());
                        if inventory.is_none() && declared.is_empty() && !vanished {
                            if named.contains(certificate) {
                                continue;
                            }
                            let message = format!("whether the certificate `{known}` of `{name}` exists is not known");
                            let help = "name the certificates that there are under `inventory`";
                            let finding = report.undecided(Undecided::MissingFact, message, help);
                            finding.configuration = Some(head.name.clone());
                            finding.location = Some((Side::Head, *at));
                            continue;
                        }
                        let message =
                            format!("`{name}` names the certificate `{known}`, which is not in the inventory");
                        let help = "put the certificate into the store first, or correct its name";
                        let finding = report.finding(message, help);
                        finding.configuration = Some(head.name.clone());
                        finding.location = Some((Side::Head, *at));
                    }
                }
            }
        }
        Ok(())
    }
}
