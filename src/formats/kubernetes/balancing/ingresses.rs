//! Ingresses to listeners: one for each class and port.
//!
//! Kubernetes documentation, "Ingress": "precedence will be given first to the longest matching path. If two paths are still
//! equally matched, precedence will be given to paths with an exact path type over prefix path type"; "if none of the hosts or
//! paths match the HTTP request in the Ingress objects, the traffic is routed to your default backend". API reference,
//! "IngressRule": "incoming requests are matched against the host before the IngressRuleValue", so the rules of the host
//! itself decide, then those of its wildcard, then those of any host. Whether a request goes on to these where the host has
//! rules and none of their paths matches is up to the controller: it is a condition of which nothing is known, but for nginx,
//! which has one server for a host and does not. So are which of two Ingresses with the same path was made first, paths that
//! are `ImplementationSpecific`, and what authenticates requests.
//!
//! What ingress-nginx reads in annotations is taken as its documentation has it, unless the class is declared as one of
//! another controller. The address of a client is the one that the controller takes it for.

use super::annotations::Canary;
use super::conditions;
use super::ingress::{Certified, Class, Ingress, Path, PathKind, Target};
use super::services::Lowering;
use crate::formats::Disposition;
use crate::formats::balancers;
use crate::model::{Condition, Endpoint, Listener, Outcome, Paths, Protocol, Route, Store, Subject, Tls};
use crate::net::{Pattern, Set};
use crate::text::Span;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// What a controller does that nobody has told what to do.
const NOT_FOUND: &str = "no rule: what the controller does otherwise, 404";

/// The Ingresses of a class, and what is known of who serves them.
struct Served<'c> {
    name: String,
    ingresses: Vec<&'c Ingress>,
    /// Whether it is nginx, as far as the name or the class says.
    is_nginx: bool,
    /// Whether annotations for ingress-nginx do anything.
    reads_annotations: bool,
    class: Option<&'c Class>,
}

/// Addresses, IPv4 and IPv6, and where they are said.
type Ranges = (Set, Set, Span);

/// A path, and whose it is.
#[derive(Clone, Copy)]
struct Entry<'c> {
    ingress: &'c Ingress,
    path: &'c Path,
}

/// Which requests, and which of their answers are made without asking a backend.
struct Place<'c> {
    condition: Condition,
    ingress: &'c Ingress,
    /// Whether clients speak TLS.
    secure: bool,
    /// Whether there is a certificate for the host.
    certified: bool,
}

impl<'c> Lowering<'c, '_> {
    pub(super) fn ingresses(&mut self, store: &mut Store) {
        for served in self.classes() {
            let ports: &[bool] =
                if served.ingresses.iter().any(|i| !i.tls.is_empty()) { &[false, true] } else { &[false] };
            for secure in ports {
                self.listener_of(&served, *secure, store);
            }
        }
    }

    fn classes(&mut self) -> Vec<Served<'c>> {
        let default = self.objects.classes.iter().find(|class| class.default);
        let mut by_class: BTreeMap<Option<&str>, Vec<&Ingress>> = BTreeMap::new();
        for ingress in &self.objects.ingresses {
            let name =
                ingress.class.as_ref().map(|(name, _)| name.as_str()).or(default.map(|class| class.name.as_str()));
            by_class.entry(name).or_default().push(ingress);
            let known = |(name, _): &&(String, Span)| self.objects.classes.iter().any(|class| class.name == *name);
            if let Some((name, at)) = ingress.class.as_ref().filter(|class| !known(class))
                && !self.objects.classes.is_empty()
            {
                self.undefined.insert((*at, "IngressClass", format!("IngressClass/{name}")));
            }
        }
        let served = |(name, mut ingresses): (Option<&str>, Vec<&'c Ingress>)| {
            ingresses.sort_by(|a, b| (&a.namespace, &a.name).cmp(&(&b.namespace, &b.name)));
            let class = self.objects.classes.iter().find(|class| Some(class.name.as_str()) == name);
            let controller = class.map(|class| class.controller.as_str());
            let is_nginx = match controller {
                Some(controller) => {
                    controller == "k8s.io/ingress-nginx" || controller == "nginx.org/ingress-controller"
                }
                None => name.is_some_and(|name| name.contains("nginx")),
            };
            let reads_annotations = controller.is_none_or(|controller| controller == "k8s.io/ingress-nginx");
            let name = name.map_or_else(|| "(none)".to_owned(), str::to_owned);
            Served { name, ingresses, is_nginx, reads_annotations, class }
        };
        by_class.into_iter().map(served).collect()
    }

    fn listener_of(&mut self, served: &Served<'c>, secure: bool, store: &mut Store) {
        let Served { name, ingresses, is_nginx, reads_annotations, class } = served;
        let Some(first) = ingresses.first() else { return };
        let mut routes = Vec::new();
        let hosts = hosts(served);
        for (number, (host, entries)) in hosts.iter().enumerate() {
            let condition = conditions::ingress_host(store, host.as_deref());
            self.host(served, host.as_deref(), entries, &condition, secure, store, &mut routes);
            let stays = self.stays(served, host.as_deref(), &hosts[number + 1..], first.at, store);
            let here = Condition::all([condition, stays]);
            if here != Condition::Never {
                let last = self.default(served, host.as_deref(), store, &here, &mut routes);
                let (outcome, origin) = last.unwrap_or_else(|| (Outcome::Refused(NOT_FOUND.to_owned()), first.at));
                routes.push(Route { condition: here, outcome, origin });
            }
        }
        let last = self.default(served, None, store, &Condition::Always, &mut routes);
        let (otherwise, otherwise_at) =
            last.map_or_else(|| (Outcome::Refused(NOT_FOUND.to_owned()), None), |(outcome, at)| (outcome, Some(at)));
        let number = if secure { 443 } else { 80 };
        let one_owner = ingresses.iter().all(|ingress| ingress.owner == first.owner);
        let mut settings: Vec<String> = class.iter().flat_map(|class| class.settings.iter().cloned()).collect();
        for ingress in ingresses {
            let said = |text: &String| format!("{}/{}: {text}", ingress.namespace, ingress.name);
            settings.extend(ingress.said.settings.iter().map(said));
        }
        if *is_nginx || *reads_annotations {
            settings.extend(self.said_for_all(*reads_annotations));
        }
        let tls = secure.then(|| self.certificates(served));
        self.listeners.push(Listener {
            name: format!("Ingress/{name}:{number}"),
            protocol: Protocol::Http,
            endpoints: vec![Endpoint {
                address: format!("ingress/{name}"),
                addresses: None,
                ports: Some((number, number)),
                tls,
                origin: first.at,
            }],
            // Nothing in the Kubernetes API says how; ingress-nginx leaves it to nginx, with what is usual there.
            paths: if *is_nginx { Paths::Nginx { merged: Condition::Always } } else { Paths::AsWritten },
            routes,
            otherwise,
            otherwise_at,
            settings: settings.join("; "),
            owner: first.owner.clone().filter(|_| one_owner),
            origin: first.at,
        });
    }

    /// Whether the requests for a host that none of its paths matches are not for less special hosts.
    fn stays(
        &mut self,
        served: &Served<'c>,
        host: Option<&str>,
        later: &[(Option<String>, Vec<Entry<'c>>)],
        at: Span,
        store: &mut Store,
    ) -> Condition {
        let covered = later.iter().any(|(other, _)| covers(other.as_deref(), host));
        let defaults = || served.ingresses.iter().any(|ingress| ingress.default.is_some());
        if served.is_nginx {
            return if host.is_some() && (covered || defaults()) { Condition::Always } else { Condition::Never };
        }
        if !covered {
            return Condition::Never;
        }
        let text = format!("the ingress controller of class {} looks no further once a host has rules", served.name);
        self.opaque(store, &text, at)
    }

    fn certificates(&mut self, served: &Served<'_>) -> Tls {
        let mut certificates: BTreeMap<&str, Span> = BTreeMap::new();
        let mut settings = BTreeSet::new();
        for ingress in &served.ingresses {
            for Certified { hosts, secret } in &ingress.tls {
                let shown = secret.as_ref().map_or("the controller's own certificate", |(name, _)| name.as_str());
                let mine = ingress.rules.iter().filter_map(|rule| rule.host.as_ref());
                let hosts: Vec<&String> = if hosts.is_empty() { mine.collect() } else { hosts.iter().collect() };
                settings.extend(hosts.into_iter().map(|host| format!("{host}: {shown}")));
                if let Some((name, at)) = secret {
                    certificates.entry(name).or_insert(*at);
                    if ingress.said.makes_certificates {
                        self.certificates.entry(name.clone()).or_insert(*at);
                    }
                }
            }
        }
        Tls {
            certificates: certificates.into_iter().map(|(name, at)| (name.to_owned(), at)).collect(),
            settings: settings.into_iter().collect::<Vec<_>>().join("; "),
        }
    }

    /// What the paths of a host decide.
    #[expect(clippy::too_many_arguments, reason = "all of them decide")]
    fn host(
        &mut self,
        served: &Served<'c>,
        host: Option<&str>,
        entries: &[Entry<'c>],
        condition: &Condition,
        secure: bool,
        store: &mut Store,
        routes: &mut Vec<Route>,
    ) {
        let effective = served.reads_annotations;
        let is_canary = |entry: &Entry<'_>| effective && entry.ingress.said.nginx.canary.is_some();
        // "The case insensitive regular expression location modifier will be enforced on ALL paths for a given host".
        let expressions = effective && entries.iter().any(|entry| entry.ingress.said.nginx.expressions);
        let certified = served.ingresses.iter().any(|ingress| has_certificate(ingress, host));
        let mut sorted: Vec<Entry<'c>> = entries.iter().copied().filter(|entry| !is_canary(entry)).collect();
        sorted.sort_by_key(|entry| (Reverse(length(entry.path)), entry.path.kind));
        let mut rest = &sorted[..];
        while let Some(first) = rest.first() {
            let key = |entry: &Entry<'c>| (bare(entry.path), entry.path.kind);
            let count = rest.iter().take_while(|entry| key(entry) == key(first)).count();
            let (alike, others) = rest.split_at(count);
            rest = others;
            let path = self.path(served, first.path, expressions, store);
            let canaries: Vec<Entry<'c>> =
                entries.iter().copied().filter(|entry| is_canary(entry) && key(entry) == key(first)).collect();
            let here = Condition::all([condition.clone(), path]);
            for (number, entry) in alike.iter().enumerate() {
                let later = alike.get(number + 1..).unwrap_or_default();
                if alike[..number].iter().any(|other| std::ptr::eq(other.ingress, entry.ingress)) {
                    self.account.gap(entry.path.at, "the Ingress has this path and host already");
                    continue;
                }
                let differs = later.iter().any(|other| other.path.target != entry.path.target);
                let mut condition = here.clone();
                if differs {
                    let name = format!("{}/{}", entry.ingress.namespace, entry.ingress.name);
                    let text = format!("Ingress {name} is older than the others with its host and path");
                    condition = Condition::all([condition, self.opaque(store, &text, entry.path.at)]);
                }
                let place = Place { condition, ingress: entry.ingress, secure, certified };
                self.answers(&place, served, store, routes);
                for canary in &canaries {
                    self.canary(&place.condition, canary, store, routes);
                }
                let outcome = self.target(&entry.path.target);
                routes.push(Route { condition: place.condition, outcome, origin: entry.path.at });
                if !differs {
                    break;
                }
            }
        }
        for canary in entries.iter().filter(|entry| is_canary(entry)) {
            if !sorted.iter().any(|entry| (bare(entry.path), entry.path.kind) == (bare(canary.path), canary.path.kind))
            {
                self.account
                    .claim(canary.path.at, Disposition::Inert("a canary of no other Ingress with its host and path"));
            }
        }
    }

    fn path(&mut self, served: &Served<'_>, path: &Path, expressions: bool, store: &mut Store) -> Condition {
        let text = path.path.as_str();
        if text.is_empty() {
            return Condition::Always;
        }
        if expressions {
            return match Pattern::regex(&format!("^{text}")) {
                Some(pattern) => balancers::text(store, Subject::Path, vec![pattern.ignoring_case()]),
                None => self.opaque(store, &format!("the path matches `{text}` as nginx has it"), path.at),
            };
        }
        match path.kind {
            PathKind::Exact => conditions::exact(store, text),
            PathKind::Prefix => conditions::prefix(store, text),
            PathKind::Specific if served.is_nginx => balancers::text(store, Subject::Path, vec![Pattern::prefix(text)]),
            PathKind::Specific => {
                let text = format!("the path matches `{text}` as ingress class {} has it", served.name);
                self.opaque(store, &text, path.at)
            }
        }
    }

    /// What is answered before a backend is asked, as nginx does it: redirects, then who may come, then who is let in.
    fn answers(&mut self, place: &Place<'c>, served: &Served<'_>, store: &mut Store, routes: &mut Vec<Route>) {
        if !served.reads_annotations {
            return;
        }
        let Place { condition, ingress, secure, certified } = place;
        let nginx = &ingress.said.nginx;
        let config = self.config();
        let read = config.map_or(Condition::Never, |config| {
            let text = format!("the ingress controller of class {} reads {}", served.name, config.address());
            self.opaque(store, &text, config.at)
        });
        let mut add = |parts: Condition, outcome, origin| {
            let condition = Condition::all([condition.clone(), parts]);
            if condition != Condition::Never {
                routes.push(Route { condition, outcome, origin });
            }
        };
        // "By default the controller redirects (308) to HTTPS if TLS is enabled for that ingress."
        let redirects = |to_tls: Option<bool>, always: Option<bool>| {
            let said = served.is_nginx || to_tls.is_some() || always == Some(true);
            !secure && said && (always == Some(true) || *certified && to_tls != Some(false))
        };
        let without = redirects(nginx.to_tls, nginx.always_to_tls);
        let with = config.map_or(without, |config| {
            redirects(nginx.to_tls.or(config.to_tls), nginx.always_to_tls.or(config.always_to_tls))
        });
        let part = match (without, with) {
            (true, true) => Condition::Always,
            (true, false) => read.clone().negated(),
            (false, true) => read.clone(),
            (false, false) => Condition::Never,
        };
        add(part.clone(), Outcome::Answered("redirect to https".to_owned()), ingress.at);
        if part == Condition::Always {
            return;
        }
        if let Some((url, at)) = &nginx.redirect {
            return add(Condition::Always, Outcome::Answered(format!("redirect to {url}")), *at);
        }
        if let Some((to, at)) = &nginx.app_root {
            let root = conditions::exact(store, "/");
            add(root, Outcome::Answered(format!("redirect to {to}")), *at);
        }
        let refused = || Outcome::Refused("403: its source is not allowed".to_owned());
        // "Sets the default … This can be overwritten by an annotation on an Ingress rule."
        let said = |mine: &'c Option<Ranges>, its: Option<&'c Option<Ranges>>| match (mine, its) {
            (Some(ranges), _) => Some((ranges, Condition::Always)),
            (None, Some(Some(ranges))) => Some((ranges, read.clone())),
            (None, Some(None) | None) => None,
        };
        if let Some(((ipv4, ipv6, at), part)) = said(&nginx.denied, config.map(|config| &config.denied)) {
            add(Condition::all([part, balancers::source(store, ipv4.clone(), ipv6.clone())]), refused(), *at);
        }
        if let Some(((ipv4, ipv6, at), part)) = said(&nginx.allowed, config.map(|config| &config.allowed)) {
            add(Condition::all([part, balancers::source(store, ipv4.clone(), ipv6.clone()).negated()]), refused(), *at);
        }
        let global = config.and_then(|config| config.authority.as_ref()).map(|said| (said, read.clone()));
        for ((text, at), part) in
            nginx.authority.as_ref().map(|said| (said, Condition::Always)).into_iter().chain(global)
        {
            let opaque = store.opaque(&format!("the request is let in by {text}"));
            self.opaques.entry(opaque).or_insert(*at);
            let not = Condition::Opaque(opaque).negated();
            add(Condition::all([part, not]), Outcome::Refused("401: it is not let in".to_owned()), *at);
        }
    }

    fn canary(&mut self, condition: &Condition, canary: &Entry<'c>, store: &mut Store, routes: &mut Vec<Route>) {
        let Some(Canary { share, text, at }) = &canary.ingress.said.nginx.canary else { return };
        let part = match share {
            Some(true) => Condition::Always,
            Some(false) => Condition::Never,
            None => self.opaque(store, &format!("the request is one of the canary's: {text}"), *at),
        };
        let condition = Condition::all([condition.clone(), part]);
        let outcome = self.target(&canary.path.target);
        if condition != Condition::Never {
            routes.push(Route { condition, outcome, origin: canary.path.at });
        }
    }

    fn target(&mut self, target: &Target) -> Outcome {
        match target {
            Target::Service(name, port, at) => self.leads(name, port, false, *at),
            Target::Resource(resource) => Outcome::Computed(resource.clone()),
        }
    }

    /// What gets the requests for a host that no rule is for; where several Ingresses say that, one of them, who knows which.
    ///
    /// nginx asks the default backend of an Ingress that has rules for the hosts of these only.
    fn default(
        &mut self,
        served: &Served<'c>,
        host: Option<&str>,
        store: &mut Store,
        here: &Condition,
        routes: &mut Vec<Route>,
    ) -> Option<(Outcome, Span)> {
        let is_for = |ingress: &Ingress| {
            let has = ingress.rules.iter().any(|rule| rule.host.as_deref() == host);
            !served.is_nginx || has || ingress.rules.is_empty() && host.is_none()
        };
        let some = served.ingresses.iter().filter(|ingress| is_for(ingress));
        let mine: Vec<(&Ingress, &(Target, Span))> =
            some.filter_map(|ingress| Some((*ingress, ingress.default.as_ref()?))).collect();
        let (last, first) = mine.split_last()?;
        for (ingress, (target, at)) in first {
            if *target == last.1.0 {
                continue;
            }
            let text = format!("the default backend of Ingress {}/{} counts", ingress.namespace, ingress.name);
            let condition = Condition::all([here.clone(), self.opaque(store, &text, *at)]);
            let outcome = self.target(target);
            routes.push(Route { condition, outcome, origin: *at });
        }
        Some((self.target(&last.1.0), last.1.1))
    }
}

/// The paths of each host, the most special host first.
fn hosts<'c>(served: &Served<'c>) -> Vec<(Option<String>, Vec<Entry<'c>>)> {
    let mut by_host: BTreeMap<Option<String>, Vec<Entry<'c>>> = BTreeMap::new();
    for ingress in &served.ingresses {
        for rule in &ingress.rules {
            let entries = rule.paths.iter().map(|path| Entry { ingress, path });
            by_host.entry(rule.host.clone()).or_default().extend(entries);
        }
    }
    // "If the alias is the name of a server that is there already, it is ignored."
    let mut aliases: BTreeMap<Option<String>, Vec<Entry<'c>>> = BTreeMap::new();
    for ingress in served.ingresses.iter().filter(|_| served.reads_annotations) {
        let new = ingress.said.nginx.aliases.iter().filter(|alias| !by_host.contains_key(&Some((*alias).clone())));
        for alias in new {
            let entries = ingress.rules.iter().filter_map(|rule| by_host.get(&rule.host)).flatten().copied();
            aliases.entry(Some(alias.clone())).or_default().extend(entries);
        }
    }
    by_host.extend(aliases);
    let mut out: Vec<_> = by_host.into_iter().collect();
    out.sort_by_key(|(host, _)| match host {
        Some(host) => (host.starts_with("*."), Reverse(host.len())),
        None => (true, Reverse(0)),
    });
    out
}

/// Whether rules of a host are for one of the requests for another one that is more special.
fn covers(host: Option<&str>, other: Option<&str>) -> bool {
    match (host, other) {
        (None, _) => true,
        (Some(host), Some(other)) => is_under(host, other),
        (Some(_), None) => false,
    }
}

/// Whether a host is a wildcard, and another one of its hosts.
fn is_under(wildcard: &str, host: &str) -> bool {
    let rest = host.split_once('.').map(|(_, rest)| rest);
    wildcard.strip_prefix("*.").is_some_and(|suffix| rest == Some(suffix)) && !host.starts_with("*.")
}

/// Whether an Ingress names a certificate for a host, or for one that the host is another name of.
fn has_certificate(ingress: &Ingress, host: Option<&str>) -> bool {
    let Some(host) = host else { return false };
    let has = |rule: &&str| ingress.rules.iter().any(|other| other.host.as_deref() == Some(rule));
    let named = |host: &str| {
        let listed = |hosts: &[String]| hosts.iter().any(|other| other == host || is_under(other, host));
        ingress.tls.iter().any(|tls| listed(&tls.hosts) || tls.hosts.is_empty() && has(&host))
    };
    let is_alias = ingress.said.nginx.aliases.iter().any(|alias| alias == host);
    named(host) || is_alias && ingress.rules.iter().filter_map(|rule| rule.host.as_deref()).any(named)
}

/// A path without the slashes at its end, where these do not matter.
fn bare(path: &Path) -> &str {
    match path.kind {
        PathKind::Prefix => path.path.trim_end_matches('/'),
        PathKind::Exact | PathKind::Specific => &path.path,
    }
}

fn length(path: &Path) -> usize {
    bare(path).len()
}
