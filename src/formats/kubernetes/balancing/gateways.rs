//! Gateways and their routes to listeners: one for each port of a Gateway.
//!
//! Gateway API, "Listener": a request is for the listener of its port with the most specific hostname, "exact matches" before
//! wildcards, and for no other ("listener isolation"). "HTTPRoute": hosts that do not match the listener's are ignored; among
//! the routes of a listener those with the most "characters in a matching non-wildcard hostname", then "in a matching hostname"
//! come first, then matches in the order of [`order`]; of routes that are still alike "the oldest Route based on creation
//! timestamp" is first, which manifests do not say, so that it is a condition of which nothing is known; within a route "the
//! FIRST matching rule". "When no rules matching a request have been successfully attached to the parent a request is coming
//! from, a HTTP 404 status code MUST be returned." "The precedence of RegularExpression path matches are
//! implementation-specific": whether they come before others is a condition, too.
//!
//! Where HTTPS is spoken, the host of a request is taken for the server name of its handshake. Routes of a Gateway that is not
//! in the tree are taken together, as if it had one listener that takes them all.

use super::conditions;
use super::gateway::{Allowed, Door, GROUP, Gateway, Speaks};
use super::routes::{Destination, Match, Parent, PathMatch, Route, Rule};
use super::services::{Lowering, PortName, nothing};
use super::{Name, Said};
use crate::formats::kubernetes::peers::{self, Index};
use crate::formats::kubernetes::selector::Selects;
use crate::formats::{Disposition, balancers};
use crate::model::{Condition, Endpoint, Listener, Outcome, Paths, Protocol, Server, Store, Subject, Tls};
use crate::net::Pattern;
use crate::text::{Span, escape};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// The doors of one port.
struct Port<'c> {
    name: String,
    speaks: Speaks,
    address: Vec<String>,
    number: Option<u16>,
    doors: Vec<Opening<'c>>,
    settings: Vec<String>,
    makes_certificates: bool,
    owner: Option<String>,
    at: Span,
}

/// A Gateway that is not in the tree: its name, the listener and port that are named, what is spoken.
type Elsewhere<'c> = (Name, Option<&'c str>, Option<u16>, Speaks);

/// A door, and the routes that it takes, each under a condition.
struct Opening<'c> {
    host: Option<&'c str>,
    door: Option<&'c Door>,
    routes: Vec<(&'c Route, Condition)>,
}

/// What a match of a rule decides at a door.
pub(super) struct Candidate<'c> {
    route: &'c Route,
    rule: usize,
    of: &'c Match,
    /// The host of the route that it is for.
    host: Option<&'c str>,
    condition: Condition,
    outcome: Outcome,
}

impl<'c> Lowering<'c, '_> {
    pub(super) fn gateways(&mut self, store: &mut Store) {
        let index = Index::of(self.cluster);
        let mut taken: BTreeSet<*const Parent> = BTreeSet::new();
        for gateway in &self.objects.gateways {
            for port in self.ports(gateway, &index, &mut taken, store) {
                self.port(port, store);
            }
        }
        let mut elsewhere: BTreeMap<Elsewhere<'_>, Vec<&Route>> = BTreeMap::new();
        for route in &self.objects.routes {
            for parent in &route.parents {
                if self.objects.gateways.iter().any(|gateway| gateway.name == parent.gateway) {
                    if !taken.contains(&std::ptr::from_ref(parent)) {
                        self.account
                            .claim(parent.at, Disposition::Opaque("no listener of the Gateway takes the route"));
                    }
                    continue;
                }
                let (namespace, name) = (escape(parent.gateway.0.as_bytes()), escape(parent.gateway.1.as_bytes()));
                self.undefined.insert((parent.at, "Gateway", format!("Gateway/{namespace}/{name}")));
                let key = (parent.gateway.clone(), parent.door.as_deref(), parent.port, usual(route.kind));
                elsewhere.entry(key).or_default().push(route);
            }
        }
        for (((namespace, name), section, number, speaks), routes) in elsewhere {
            let Some(at) = routes.first().map(|route| route.at) else { continue };
            let what = match speaks {
                Speaks::Http | Speaks::Https => "http",
                Speaks::Passthrough | Speaks::Tls => "tls",
                Speaks::Tcp => "tcp",
                Speaks::Udp => "udp",
            };
            let section = section.map_or_else(String::new, |section| format!("/{section}"));
            let number_shown = number.map_or_else(String::new, |number| format!(":{number}"));
            let address = format!("gateway/{namespace}/{name}{section}/{what}");
            let name = format!("Gateway/{namespace}/{name}{section}{number_shown} ({what})");
            let routes = routes.into_iter().map(|route| (route, Condition::Always)).collect();
            self.port(
                Port {
                    address: vec![address],
                    name,
                    speaks,
                    number,
                    doors: vec![Opening { host: None, door: None, routes }],
                    settings: Vec::new(),
                    makes_certificates: false,
                    owner: None,
                    at,
                },
                store,
            );
        }
    }

    /// The ports of a Gateway, with the routes that they take.
    fn ports(
        &mut self,
        gateway: &'c Gateway,
        index: &Index<'_>,
        taken: &mut BTreeSet<*const Parent>,
        store: &mut Store,
    ) -> Vec<Port<'c>> {
        let (namespace, name) = &gateway.name;
        let mut ports: BTreeMap<(bool, u16), Port<'c>> = BTreeMap::new();
        for door in &gateway.doors {
            for (certificate, at) in &door.tls.certificates {
                let (of, secret) = certificate.split_once('/').unwrap_or(("", certificate));
                let to: Name = (of.into(), secret.into());
                if *of != **namespace && !self.granted((GROUP, "Gateway", namespace), ("", "Secret"), &to) {
                    self.not_granted(&to, "Gateway", namespace, *at);
                }
            }
            let mut routes = Vec::new();
            for route in &self.objects.routes {
                for parent in &route.parents {
                    let named = parent.door.as_ref().is_none_or(|wanted| *wanted == door.name);
                    if parent.gateway != gateway.name || !named || parent.port.is_some_and(|port| port != door.port) {
                        continue;
                    }
                    let Some(condition) = self.takes(gateway, door, route, index, store) else { continue };
                    let meets = route.hosts.is_empty()
                        || route.hosts.iter().any(|host| meet(Some(host), door.host.as_deref()).is_some());
                    if meets {
                        taken.insert(parent);
                        routes.push((route, condition));
                    }
                }
            }
            let port = ports.entry((door.speaks == Speaks::Udp, door.port)).or_insert_with(|| Port {
                name: format!("Gateway/{namespace}/{name}:{}", door.port),
                speaks: door.speaks,
                address: if gateway.addresses.is_empty() {
                    vec![format!("gateway/{namespace}/{name}")]
                } else {
                    gateway.addresses.clone()
                },
                number: Some(door.port),
                doors: Vec::new(),
                settings: gateway.settings.clone(),
                makes_certificates: gateway.makes_certificates,
                owner: gateway.owner.clone(),
                at: door.at,
            });
            let alike = port.speaks == door.speaks;
            if !alike || port.doors.iter().any(|other| other.host == door.host.as_deref()) {
                let reason = "another listener of the Gateway has that port and host, or speaks otherwise there";
                self.account.gap(door.at, reason);
                continue;
            }
            port.doors.push(Opening { host: door.host.as_deref(), door: Some(door), routes });
        }
        ports.into_values().collect()
    }

    /// Under which condition a door takes a route; `None`: it does not.
    fn takes(
        &mut self,
        gateway: &Gateway,
        door: &Door,
        route: &Route,
        index: &Index<'_>,
        store: &mut Store,
    ) -> Option<Condition> {
        let of_protocol: &[&str] = match door.speaks {
            Speaks::Http | Speaks::Https => &["HTTPRoute", "GRPCRoute"],
            Speaks::Passthrough => &["TLSRoute"],
            Speaks::Tls => &["TLSRoute", "TCPRoute"],
            Speaks::Tcp => &["TCPRoute"],
            Speaks::Udp => &["UDPRoute"],
        };
        let listed = door.kinds.as_ref().is_none_or(|kinds| kinds.iter().any(|kind| kind == route.kind));
        if !of_protocol.contains(&route.kind) || !listed {
            return None;
        }
        match &door.allowed {
            Allowed::All => Some(Condition::Always),
            Allowed::Same => (route.name.0 == gateway.name.0).then_some(Condition::Always),
            Allowed::None => None,
            Allowed::With(selector) => match index.selects(selector, &route.name.0) {
                Selects::Yes => Some(Condition::Always),
                Selects::No => None,
                Selects::Maybe => Some(self.opaque(store, &peers::has(&route.name.0, selector), door.at)),
            },
        }
    }

    fn port(&mut self, port: Port<'c>, store: &mut Store) {
        let Port { name, speaks, address, number, mut doors, mut settings, makes_certificates, owner, at } = port;
        let subject = match speaks {
            Speaks::Http | Speaks::Https => Subject::HostName,
            Speaks::Passthrough | Speaks::Tls | Speaks::Tcp | Speaks::Udp => Subject::ServerName,
        };
        let nowhere = match speaks {
            Speaks::Http | Speaks::Https => "404: no route",
            Speaks::Passthrough | Speaks::Tls | Speaks::Tcp | Speaks::Udp => "no route",
        };
        doors.sort_by_key(|opening| special(opening.host));
        let mut routes = Vec::new();
        let mut said: BTreeSet<String> = BTreeSet::new();
        for (n, opening) in doors.iter().enumerate() {
            let here = conditions::gateway_host(store, subject, opening.host);
            let candidates = self.candidates(opening, subject, speaks, &mut said, store);
            order(candidates, &mut |text, at| self.opaque(store, text, at), &mut routes);
            let others = doors.iter().skip(n + 1).any(|other| meet(other.host, opening.host).is_some());
            if others {
                let outcome = Outcome::Refused(nowhere.to_owned());
                let origin = opening.door.map_or(at, |door| door.at);
                routes.push(crate::model::Route { condition: here, outcome, origin });
            }
        }
        settings.extend(said);
        let tls = matches!(speaks, Speaks::Https | Speaks::Tls).then(|| {
            let doors: Vec<&Door> = doors.iter().filter_map(|opening| opening.door).collect();
            self.tls(&doors, makes_certificates)
        });
        let only_host = doors.iter().all(|opening| opening.host.is_some());
        self.listeners.push(Listener {
            name,
            protocol: match speaks {
                Speaks::Http | Speaks::Https => Protocol::Http,
                Speaks::Passthrough | Speaks::Tls | Speaks::Tcp => Protocol::Tcp,
                Speaks::Udp => Protocol::Udp,
            },
            endpoints: address
                .into_iter()
                .map(|address| Endpoint {
                    addresses: balancers::addresses(&address),
                    address,
                    ports: number.map(|number| (number, number)),
                    tls: tls.clone(),
                    origin: at,
                })
                .collect(),
            paths: Paths::AsWritten,
            routes,
            otherwise: Outcome::Refused(if only_host { "no listener for the host" } else { nowhere }.to_owned()),
            otherwise_at: None,
            settings: settings.join("; "),
            owner,
            origin: at,
        });
    }

    fn tls(&mut self, doors: &[&Door], makes_certificates: bool) -> Tls {
        let mut certificates: Vec<Said> = Vec::new();
        let mut settings = BTreeSet::new();
        for door in doors {
            let host = door.host.as_deref().unwrap_or("any host");
            for (name, at) in &door.tls.certificates {
                settings.insert(format!("{host}: {name}"));
                if !certificates.iter().any(|(other, _)| other == name) {
                    certificates.push((name.clone(), *at));
                }
                if makes_certificates {
                    self.certificates.entry(name.clone()).or_insert(*at);
                }
            }
            settings.extend(door.tls.settings.iter().map(|text| format!("{host}: {text}")));
        }
        certificates.sort();
        Tls { certificates, settings: settings.into_iter().collect::<Vec<_>>().join("; ") }
    }

    /// What the matches of all routes of a door decide.
    fn candidates(
        &mut self,
        opening: &Opening<'c>,
        subject: Subject,
        speaks: Speaks,
        said: &mut BTreeSet<String>,
        store: &mut Store,
    ) -> Vec<Candidate<'c>> {
        let mut out = Vec::new();
        for (route, taken) in &opening.routes {
            let called = format!("{} {}/{}", route.kind, route.name.0, route.name.1);
            said.extend(route.settings.iter().map(|text| format!("{called}: {text}")));
            let all: Vec<Option<&str>> = route.hosts.iter().map(|host| Some(host.as_str())).collect();
            let hosts = if all.is_empty() { vec![None] } else { all };
            for (number, rule) in route.rules.iter().enumerate() {
                said.extend(rule.settings.iter().map(|text| format!("{called}, rule {}: {text}", number + 1)));
                let outcome = self.outcome(route, rule, speaks == Speaks::Udp);
                for host in &hosts {
                    let Some(narrow) = meet(*host, opening.host) else { continue };
                    let for_host = conditions::gateway_host(store, subject, narrow);
                    for of in &rule.matches {
                        let asked = self.asked(of, store);
                        let condition = Condition::all([for_host.clone(), taken.clone(), asked]);
                        let outcome = outcome.clone();
                        out.push(Candidate { route, rule: number, of, host: *host, condition, outcome });
                    }
                }
            }
        }
        out
    }

    fn asked(&mut self, of: &Match, store: &mut Store) -> Condition {
        let Match { path, method, others, rank: _, at } = of;
        let path = match path {
            PathMatch::Any => Condition::Always,
            PathMatch::Exact(text) => conditions::exact(store, text),
            PathMatch::Prefix(text) => conditions::prefix(store, text),
            // "RegularExpression … has implementation-specific conformance": whether all of the path must match, too.
            PathMatch::Expression(text) if !(text.starts_with('^') && text.ends_with('$')) => {
                self.opaque(store, &format!("the path matches `{text}` as the Gateway has it"), *at)
            }
            PathMatch::Expression(text) | PathMatch::Part(text) => match Pattern::regex(text) {
                Some(pattern) => balancers::text(store, Subject::Path, vec![pattern]),
                None => self.opaque(store, &format!("the path matches `{text}` as the Gateway has it"), *at),
            },
            PathMatch::Called(text) => self.opaque(store, text, *at),
        };
        let method = method.as_ref().map(|method| {
            let pattern = Pattern::exact(method.as_bytes());
            balancers::text(store, Subject::Method, vec![pattern])
        });
        let others: Vec<Condition> = others.iter().map(|text| self.opaque(store, text, *at)).collect();
        Condition::all([path].into_iter().chain(method).chain(others))
    }

    fn outcome(&mut self, route: &Route, rule: &Rule, udp: bool) -> Outcome {
        if let Some(redirect) = &rule.redirect {
            return Outcome::Answered(redirect.clone());
        }
        // "If weight is set to 0, no traffic should be forwarded for this entry."
        let all: Vec<(&Destination, Outcome)> =
            rule.backends.iter().map(|one| (one, self.destination(route, one, udp))).collect();
        let mut some = all.into_iter().filter(|(one, _)| one.weight > 0).collect::<Vec<_>>();
        match some.len() {
            0 => Outcome::Refused("500: it is sent nowhere".to_owned()),
            1 => some.swap_remove(0).1,
            _ => self.several(route, rule, some),
        }
    }

    /// One of several backends gets a request, by weight.
    fn several(&mut self, route: &Route, rule: &Rule, some: Vec<(&Destination, Outcome)>) -> Outcome {
        let server = |(one, outcome): &(&Destination, Outcome)| {
            let (address, reached) = match outcome {
                Outcome::Backend(name) | Outcome::Computed(name) => (name.clone(), true),
                Outcome::Refused(why) | Outcome::Answered(why) => (why.clone(), false),
            };
            Server {
                name: address.clone(),
                address,
                port: None,
                weight: Some(one.weight),
                enabled: Some(reached),
                backup: false,
                check: None,
                settings: String::new(),
                origin: one.at,
            }
        };
        let servers: Vec<Server> = some.iter().map(server).collect();
        let names: Vec<&str> = servers.iter().map(|server| server.address.as_str()).collect();
        let base = format!("{} {}/{}: {}", route.kind, route.name.0, route.name.1, names.join(" + "));
        let mut name = base.clone();
        for number in 2.. {
            match self.backends.get(&name) {
                None => break,
                Some(other) if other.servers.iter().map(|s| s.weight).eq(servers.iter().map(|s| s.weight)) => break,
                Some(_) => name = format!("{base} ({number})"),
            }
        }
        let backend = crate::model::Backend { servers, owner: route.owner.clone(), ..nothing(&name, rule.at) };
        self.backends.entry(name.clone()).or_insert(backend);
        Outcome::Backend(name)
    }

    fn destination(&mut self, route: &Route, one: &Destination, udp: bool) -> Outcome {
        if let Some(other) = &one.other {
            return Outcome::Computed(other.clone());
        }
        if one.name.0 != route.name.0 && !self.granted((GROUP, route.kind, &route.name.0), ("", "Service"), &one.name) {
            self.not_granted(&one.name, route.kind, &route.name.0, one.at);
            let port = match &one.port {
                PortName::Number(number) => format!(":{number}"),
                PortName::Named(_) | PortName::Unsaid => String::new(),
            };
            return Outcome::Refused(format!("500: no ReferenceGrant for Service {}/{}{port}", one.name.0, one.name.1));
        }
        self.leads(&one.name, &one.port, udp, one.at)
    }

    fn not_granted(&mut self, to: &Name, kind: &str, from: &str, at: Span) {
        let text = format!("in namespace {} for each {kind} of {}", escape(to.0.as_bytes()), escape(from.as_bytes()));
        self.undefined.insert((at, "ReferenceGrant", text));
    }

    /// Whether objects of that group, kind and namespace may name some of another namespace.
    fn granted(&self, from: (&str, &str, &str), to: (&str, &str), name: &Name) -> bool {
        self.objects.grants.iter().any(|grant| {
            grant.namespace == name.0
                && grant
                    .from
                    .iter()
                    .any(|(group, kind, namespace)| (group.as_str(), kind.as_str(), namespace.as_str()) == from)
                && grant.to.iter().any(|(group, kind, only)| {
                    (group.as_str(), kind.as_str()) == to && only.as_ref().is_none_or(|only| **only == *name.1)
                })
        })
    }
}

/// What a route is usually for.
fn usual(kind: &str) -> Speaks {
    match kind {
        "TLSRoute" => Speaks::Passthrough,
        "TCPRoute" => Speaks::Tcp,
        "UDPRoute" => Speaks::Udp,
        _ => Speaks::Http,
    }
}

/// The hosts that two hosts have in common, if any: those of the more special one.
fn meet<'h>(one: Option<&'h str>, other: Option<&'h str>) -> Option<Option<&'h str>> {
    let (Some(a), Some(b)) = (one, other) else { return Some(one.or(other)) };
    let under = |wildcard: &str, host: &str| wildcard.strip_prefix('*').is_some_and(|suffix| host.ends_with(suffix));
    if a == b || under(b, a) {
        Some(Some(a))
    } else if under(a, b) {
        Some(Some(b))
    } else {
        None
    }
}

/// The more special hosts come first: names, then wildcards, the longer ones first, then any.
fn special(host: Option<&str>) -> (Reverse<usize>, Reverse<usize>) {
    let length = host.map_or(0, str::len);
    let exact = if host.is_some_and(|host| !host.starts_with('*')) { length } else { 0 };
    (Reverse(exact), Reverse(length))
}

/// Puts what the matches decide in order.
///
/// Gateway API, "HTTPRouteRule": "precedence must be given to the match having: "Exact" path match; "Prefix" path match with
/// largest number of characters; Method match; Largest number of header matches; Largest number of query param matches."
fn order(
    mut all: Vec<Candidate<'_>>,
    opaque: &mut dyn FnMut(&str, Span) -> Condition,
    out: &mut Vec<crate::model::Route>,
) {
    all.sort_by(|a, b| {
        let key = |c: &Candidate<'_>| (special(c.host), Reverse(c.of.rank));
        key(a)
            .cmp(&key(b))
            .then_with(|| (a.host, place(&a.of.path)).cmp(&(b.host, place(&b.of.path))))
            .then_with(|| (&a.route.name, a.route.kind, a.rule).cmp(&(&b.route.name, b.route.kind, b.rule)))
    });
    let mut rest = &all[..];
    while let Some(first) = rest.first() {
        let count = rest.iter().take_while(|other| other.host == first.host).count();
        let (group, others) = rest.split_at(count);
        rest = others;
        let of = |wanted: fn(&PathMatch) -> bool| group.iter().filter(move |c| wanted(&c.of.path)).collect::<Vec<_>>();
        let expressions = of(|path| matches!(path, PathMatch::Expression(_)));
        let exact = of(|path| matches!(path, PathMatch::Exact(_)));
        let others = of(|path| !matches!(path, PathMatch::Expression(_) | PathMatch::Exact(_)));
        for (what, before) in [("exact paths", exact), ("prefixes", others)] {
            if let Some(first) = expressions.first().filter(|_| !before.is_empty()) {
                let text = format!("the Gateway looks at regular expressions before {what}");
                let early = opaque(&text, first.of.at);
                emit(&expressions, &early, opaque, out);
            }
            emit(&before, &Condition::Always, opaque, out);
        }
        emit(&expressions, &Condition::Always, opaque, out);
    }
}

/// What tells paths apart that no path is in both of, among those of the same rank.
fn place(path: &PathMatch) -> Option<&str> {
    match path {
        PathMatch::Exact(text) | PathMatch::Prefix(text) => Some(text),
        PathMatch::Any | PathMatch::Expression(_) | PathMatch::Part(_) | PathMatch::Called(_) => None,
    }
}

/// Candidates in order. Of two routes with matches that are alike, the older one is first.
fn emit(
    list: &[&Candidate<'_>],
    under: &Condition,
    opaque: &mut dyn FnMut(&str, Span) -> Condition,
    out: &mut Vec<crate::model::Route>,
) {
    let mut push = |c: &Candidate<'_>, condition: Condition| {
        let condition = Condition::all([under.clone(), condition]);
        out.push(crate::model::Route { condition, outcome: c.outcome.clone(), origin: c.of.at });
    };
    let mut rest = list;
    while let Some(first) = rest.first() {
        let alike = |c: &&&Candidate<'_>| c.of.rank == first.of.rank && place(&c.of.path) == place(&first.of.path);
        let (group, others) = rest.split_at(rest.iter().take_while(alike).count());
        rest = others;
        let mut again = Vec::new();
        for (number, c) in group.iter().enumerate() {
            let rivals = group.iter().skip(number + 1);
            let mut rivals = rivals.filter(|other| !std::ptr::eq(other.route, c.route) && other.outcome != c.outcome);
            let Some(rival) = rivals.next() else {
                push(c, c.condition.clone());
                continue;
            };
            let name = format!("{} {}/{}", c.route.kind, c.route.name.0, c.route.name.1);
            let older = opaque(&format!("{name} is older than the others with matches like its own"), c.of.at);
            push(c, Condition::all([c.condition.clone(), older]));
            // Where it matches and the others do not, it decides whatever its age is.
            if std::iter::once(rival).chain(rivals).any(|other| other.condition != c.condition) {
                again.push(c);
            }
        }
        for c in again {
            push(c, c.condition.clone());
        }
    }
}
