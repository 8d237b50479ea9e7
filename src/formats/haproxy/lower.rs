//! Proxies as listeners and backends of the model.
//!
//! A request meets the rules of its frontend in the order in which HAProxy asks them (`tcp-request connection`,
//! `session`, `content`, `monitor-uri`, `http-request`, statistics, `redirect`), then those of the backend that it is sent
//! to; so the rules of a backend are routes of every frontend that leads there.

use super::ask::{Asking, Files, Lines, Listed, Looked, Place, address, with_files};
use super::conditions::{Matching, Question};
use super::lex::{Word, joined};
use super::places::Bind;
use super::proxies::{Proxy, Switch};
use super::rewrites::Rewrites;
use super::rules::{Action, Rule};
use super::samples::Sample;
use super::{asked, order, servers, values};
use crate::formats::account::Account;
use crate::formats::{Disposition, Reading};
use crate::model::{
    Backend, Condition, Endpoint, Listener, Outcome, Paths, Protocol, Reference, Route, Store, Subject, Test,
};
use crate::net::{Pattern, Set};
use crate::text::{Span, escape, hex};
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, HashMap};

/// Puts the proxies into the configuration.
pub(super) fn lower(
    reading: &mut Reading<'_>,
    proxies: &[Proxy],
    files: HashMap<String, Lines>,
    account: &mut Account,
) {
    let files = listed(files, proxies);
    let mut backends: BTreeMap<&str, &Proxy> = BTreeMap::new();
    for proxy in proxies.iter().filter(|proxy| proxy.kind.is_back()) {
        if backends.insert(&proxy.name, proxy).is_some() {
            account.gap(proxy.at, format!("another backend is called `{}`", proxy.name));
        }
    }
    let mut fronts: BTreeMap<&str, &Proxy> = BTreeMap::new();
    for proxy in proxies.iter().filter(|proxy| proxy.kind.is_front()) {
        if fronts.insert(&proxy.name, proxy).is_some() {
            account.gap(proxy.at, format!("another frontend is called `{}`: HAProxy refuses the file", proxy.name));
        }
    }
    let mut missing = |word: &Word, account: &mut Account| {
        let address = escape(word.text.as_bytes());
        account.gap(word.at, format!("there is no backend `{address}`: HAProxy refuses the file"));
        reading.configuration.undefined.push(Reference { kind: "backend", address, origin: word.at });
    };
    for proxy in proxies {
        let named = proxy.switching.iter().map(|switch| &switch.backend);
        for word in named.chain(&proxy.default_backend) {
            let computed = word.unknown || (word.text.contains('%') && Some(word) != proxy.default_backend.as_ref());
            match backends.get(word.text.as_str()) {
                _ if computed => {}
                None => missing(word, account),
                Some(backend) if std::ptr::eq(*backend, proxy) => {
                    account.gap(word.at, format!("`{}` leads to itself: HAProxy refuses the file", word.text));
                }
                Some(backend) if backend.http != proxy.http && backend.other_mode.is_none() => {
                    // A connection that a backend takes for HTTP is made HTTP.
                    if proxy.http {
                        account
                            .gap(word.at, format!("`{}` speaks another protocol: HAProxy refuses the file", word.text));
                    } else if proxy.kind.is_front() {
                        account.gap(word.at, "connections that become HTTP are not modelled");
                    }
                }
                Some(_) => {}
            }
        }
    }
    for proxy in proxies.iter().filter(|proxy| proxy.kind.is_back() && has_servers(proxy)) {
        let backend = backend(proxy, proxies, &files, account);
        reading.configuration.backends.push(backend);
    }
    for proxy in proxies.iter().filter(|proxy| proxy.kind.is_front() && !proxy.disabled) {
        if proxy.binds.is_empty() {
            continue;
        }
        let front = Front { proxy, backends: &backends, files: &files };
        let listeners = front.listeners(reading.store, account);
        reading.configuration.listeners.extend(listeners);
    }
}

fn listed(files: HashMap<String, Lines>, proxies: &[Proxy]) -> Files {
    let one = |(name, lines): (String, Lines)| {
        let text: String = lines.iter().map(|(key, value)| format!("{key} {value}\n")).collect();
        let written = proxies.iter().any(|proxy| proxy.lists.contains(&name));
        (name, Listed { digest: hex(&Sha256::digest(text)[..8]), lines, written })
    };
    files.into_iter().map(one).collect()
}

/// A `listen` without a server only answers by itself.
fn has_servers(proxy: &Proxy) -> bool {
    proxy.kind == super::sections::Kind::Backend
        || !proxy.servers.servers.is_empty()
        || proxy.servers.open.is_some()
        || proxy.back.single.contains_key("option transparent")
}

fn backend(proxy: &Proxy, proxies: &[Proxy], files: &Files, account: &mut Account) -> Backend {
    let mut servers = proxy.servers.servers.clone();
    if proxy.disabled {
        servers.iter_mut().for_each(|server| server.enabled = Some(false));
    }
    let mut settings = proxy.back.clone();
    let mode = proxy.other_mode.clone().unwrap_or_else(|| (if proxy.http { "http" } else { "tcp" }).to_owned());
    settings.single.insert("mode".to_owned(), format!("mode {mode}"));
    if let Some(source) = &proxy.source {
        settings.single.insert("source".to_owned(), format!("source {}", joined(source)));
    }
    if proxy.kind == super::sections::Kind::Backend {
        settings.list.extend(beside(proxy));
    }
    for (server, when) in &proxy.used_servers {
        let known = servers.iter().find(|known| known.name == server.text);
        let shown = known.map_or_else(|| server.text.clone(), servers::shown);
        settings.list.push(format!("use-server {shown}{when}"));
    }
    let numbered = asked::add(proxy, proxies, &mut servers, &mut settings.list);
    for at in proxy.servers.numbers.values().flat_map(|(_, places)| places) {
        account.claim(*at, if numbered { Disposition::Modelled } else { Disposition::Inert("name") });
    }
    let checked = servers.iter().any(|server| server.check.is_some());
    let check = proxy.check.as_ref().map_or("tcp connect", |check| check.trim_start_matches("option "));
    let steps = proxy.check_steps.iter().map(|step| format!("; {step}"));
    let sources = match (&proxy.source, proxy.servers.sources.as_slice()) {
        (Some(words), []) => servers::sources(words),
        (None, own) if !own.is_empty() && own.len() == servers.len() => union(own),
        (_, _) => None,
    };
    let transparent = settings.single.contains_key("option transparent");
    let open = proxy.servers.open.clone();
    Backend {
        name: proxy.name.clone(),
        servers,
        open: open.or_else(|| transparent.then(|| "where clients wanted to go".to_owned())),
        health_check: checked.then(|| format!("{check}{}", steps.collect::<String>())),
        sources,
        settings: with_files(settings.text(), files),
        owner: None,
        origin: proxy.at,
    }
}

fn union(own: &[Option<(Set, Set)>]) -> Option<(Set, Set)> {
    let mut out = (Set::empty(), Set::empty());
    for sets in own {
        let (ipv4, ipv6) = sets.as_ref()?;
        out = (out.0.union(ipv4), out.1.union(ipv6));
    }
    Some(out)
}

/// What rules do to requests that they let pass, and what is done by asking for their conditions.
fn beside(proxy: &Proxy) -> Vec<String> {
    let mut out = Vec::new();
    for rules in [&proxy.connection, &proxy.session, &proxy.content, &proxy.requests] {
        for (rule, text) in rules.iter().zip(order::placed(rules)) {
            match rule.action {
                Action::Accept | Action::Final(_) | Action::Nothing(_) if rule.asking.is_empty() => continue,
                Action::Accept
                | Action::Final(_)
                | Action::Rewrite(_)
                | Action::Set(..)
                | Action::Setting
                | Action::Delay
                | Action::Nothing(_) => {}
            }
            let guards = &rule.guards;
            let shown = || format!("where {}: {text}", super::sections::shown(guards));
            out.push(if guards.is_empty() { text } else { shown() });
        }
    }
    out
}

struct Front<'a> {
    proxy: &'a Proxy,
    backends: &'a BTreeMap<&'a str, &'a Proxy>,
    files: &'a Files,
}

/// Routes in the making.
struct Flow<'a> {
    asking: Asking<'a>,
    rewrites: Rewrites,
    routes: Vec<Route>,
}

/// Which requests a map sends to which backend, and the one for others.
type Entries = (Vec<(Condition, String)>, Option<String>);

type Decisions = (Vec<Route>, Outcome, Option<Span>);

impl Front<'_> {
    /// A listener for all places that decide alike.
    fn listeners(&self, store: &mut Store, account: &mut Account) -> Vec<Listener> {
        let proxy = self.proxy;
        let looked = Looked::default();
        let mut known: Vec<(Place, Decisions)> = Vec::new();
        let mut groups: Vec<(Decisions, Vec<&Bind>)> = Vec::new();
        for bind in &proxy.binds {
            if bind.udp {
                account.gap(bind.at, "listeners for UDP are not modelled");
                continue;
            }
            let place = Place {
                http: proxy.http,
                tls: bind.tls.is_some(),
                ports: bind.ports,
                proxied: bind.accept_proxy,
                inspected: proxy.inspected && !proxy.content.is_empty(),
            };
            let alike = |other: &Place| {
                (!looked.tls.get() || other.tls == place.tls)
                    && (!looked.ports.get() || other.ports == place.ports)
                    && (!(looked.source.get() || looked.ports.get()) || other.proxied == place.proxied)
            };
            let decisions = match known.iter().find(|(other, _)| alike(other)) {
                Some((_, decisions)) => decisions.clone(),
                None => {
                    let decisions = self.decisions(&place, &looked, store);
                    known.push((place, decisions.clone()));
                    decisions
                }
            };
            match groups.iter_mut().find(|(other, _)| *other == decisions) {
                Some((_, binds)) => binds.push(bind),
                None => groups.push((decisions, vec![bind])),
            }
        }
        let single = groups.len() == 1;
        let settings = self.settings();
        let lenient = ["option accept-invalid-http-request", "option accept-unsafe-violations-in-http-request"];
        let any = lenient.iter().any(|option| proxy.front.single.contains_key(*option));
        let paths = if any { Paths::AsWritten } else { Paths::AsSent };
        groups
            .into_iter()
            .map(|((routes, otherwise, otherwise_at), binds)| {
                let own = binds.iter().filter(|b| !b.settings.is_empty());
                let own: Vec<String> = own.map(|b| format!("bind {}: {}", place_text(b), b.settings)).collect();
                let parts = [settings.clone(), own.join("; ")];
                let first = binds.first().map_or_else(String::new, |bind| place_text(bind));
                Listener {
                    name: if single { proxy.name.clone() } else { format!("{} ({first})", proxy.name) },
                    protocol: if proxy.http { Protocol::Http } else { Protocol::Tcp },
                    endpoints: binds.into_iter().map(endpoint).collect(),
                    paths: paths.clone(),
                    routes,
                    otherwise,
                    otherwise_at,
                    settings: parts.iter().filter(|p| !p.is_empty()).map(String::as_str).collect::<Vec<_>>().join("; "),
                    owner: None,
                    origin: proxy.at,
                }
            })
            .collect()
    }

    fn settings(&self) -> String {
        let proxy = self.proxy;
        let mut settings = proxy.front.clone();
        settings.list.extend(beside(proxy));
        if let Some(stats) = &proxy.stats {
            settings.list.extend(stats.settings.iter().cloned());
        }
        with_files(settings.text(), self.files)
    }

    fn decisions(&self, place: &Place, looked: &Looked, store: &mut Store) -> Decisions {
        let asking = Asking { store, place, looked, files: self.files };
        let mut flow = Flow { asking, rewrites: Rewrites::default(), routes: Vec::new() };
        flow.proxy(self.proxy, &Condition::Always);
        let last = self.switch(&mut flow);
        let Flow { asking: _, rewrites: _, routes } = flow;
        (routes, last.0, last.1)
    }

    /// Where requests go that no rule decides, and what becomes of the rest.
    fn switch(&self, flow: &mut Flow<'_>) -> (Outcome, Option<Span>) {
        let proxy = self.proxy;
        for Switch { backend, guards, when, asking, at } in &proxy.switching {
            let guard = flow.guards(guards);
            let rewrites = flow.rewrites.clone();
            let condition = Condition::all([guard, flow.asking.when(when.as_ref(), &proxy.acls, &rewrites)]);
            if condition == Condition::Never {
                continue;
            }
            flow.rewrites.add(asking, &format!("use_backend {}", backend.text));
            if backend.unknown {
                let outcome = Outcome::Computed(backend.text.clone());
                flow.routes.push(Route { condition, outcome, origin: *at });
            } else if backend.text.contains('%') {
                self.computed(flow, backend, &condition, *at);
            } else {
                self.to(flow, &backend.text, &condition, *at);
            }
        }
        self.fallback(flow, &Condition::Always);
        let last = flow.routes.pop();
        let said = proxy.default_backend.is_some();
        last.map_or((none(), None), |route| (route.outcome, said.then_some(route.origin)))
    }

    /// Requests of that condition go where those go that no line sends anywhere.
    fn fallback(&self, flow: &mut Flow<'_>, condition: &Condition) {
        let proxy = self.proxy;
        match &proxy.default_backend {
            Some(word) if word.unknown => {
                let outcome = Outcome::Computed(word.text.clone());
                flow.routes.push(Route { condition: condition.clone(), outcome, origin: word.at });
            }
            Some(word) => self.to(flow, &word.text, condition, word.at),
            None => {
                let own = proxy.kind.is_back() && has_servers(proxy);
                let outcome = if own { Outcome::Backend(proxy.name.clone()) } else { none() };
                flow.routes.push(Route { condition: condition.clone(), outcome, origin: proxy.at });
            }
        }
    }

    /// Requests of that condition go to a backend, whose own rules they meet.
    fn to(&self, flow: &mut Flow<'_>, name: &str, condition: &Condition, at: Span) {
        let outcome = match self.backends.get(name) {
            None => Outcome::Refused(format!("no backend {name}")),
            Some(backend) => {
                if !std::ptr::eq(*backend, self.proxy) {
                    let before = flow.rewrites.clone();
                    flow.proxy(backend, condition);
                    flow.rewrites = before;
                }
                if has_servers(backend) { Outcome::Backend(name.to_owned()) } else { none() }
            }
        };
        flow.routes.push(Route { condition: condition.clone(), outcome, origin: at });
    }

    /// `use_backend %[…]`: by a map whose file is at hand, or not known.
    fn computed(&self, flow: &mut Flow<'_>, word: &Word, condition: &Condition, at: Span) {
        if let Some(entries) = self.entries(flow, word, at) {
            let (entries, otherwise) = entries;
            for (of_entry, backend) in entries {
                let both = Condition::all([condition.clone(), of_entry]);
                if both == Condition::Never {
                    continue;
                }
                if self.backends.contains_key(backend.as_str()) {
                    self.to(flow, &backend, &both, at);
                } else {
                    self.fallback(flow, &both);
                }
            }
            match otherwise.filter(|name| self.backends.contains_key(name.as_str())) {
                Some(name) => self.to(flow, &name, condition, at),
                None => self.fallback(flow, condition),
            }
            return;
        }
        let samples = super::samples::in_format(&word.text).unwrap_or_else(|_| Vec::new());
        let after: Vec<&str> = samples.iter().flat_map(|sample| flow.rewrites.seen_by(sample)).collect();
        let text = with_files(word.text.clone(), self.files);
        let outcome = Outcome::Computed(format!("{text}{}", order::after(&after)));
        flow.routes.push(Route { condition: condition.clone(), outcome, origin: at });
    }

    /// Which requests a map sends to which backend, the first that fits counting, and the value for others.
    fn entries(&self, flow: &mut Flow<'_>, word: &Word, at: Span) -> Option<Entries> {
        let inner = word.text.strip_prefix("%[")?.strip_suffix(']')?;
        let sample = Sample::whole(inner).ok()?;
        let (file, otherwise) = values::map_of(&sample)?;
        let matching = match sample.converters.last()?.name.as_str() {
            "map" | "map_str" => Matching::Exact,
            "map_beg" => Matching::Beginning,
            "map_end" => Matching::End,
            "map_sub" => Matching::Part,
            "map_dir" => Matching::Directory,
            "map_dom" => Matching::Domain,
            "map_reg" => Matching::Expression,
            "map_ip" => Matching::Address,
            _ => return None,
        };
        let otherwise = otherwise.map(str::to_owned);
        let mut lines = self.files.get(file).filter(|listed| !listed.written)?.lines.clone();
        match matching {
            // The longest beginning counts, and the smallest network.
            Matching::Beginning => lines.sort_by_key(|(key, _)| std::cmp::Reverse(key.len())),
            Matching::Address => {
                let size = |key: &String| address(key).and_then(|(_, set)| set.ranges().first().map(|(a, b)| b - a));
                lines.sort_by_key(|(key, _)| size(key));
            }
            Matching::Found
            | Matching::Truth
            | Matching::Number
            | Matching::Binary
            | Matching::Length
            | Matching::Exact
            | Matching::Part
            | Matching::Directory
            | Matching::Domain
            | Matching::End
            | Matching::Expression
            | Matching::Method
            | Matching::Unknown => {}
        }
        let mut key = sample.clone();
        key.converters.pop();
        let mut out = Vec::new();
        for (text, value) in lines {
            let pattern = Word { text, unknown: false, at };
            let question = Question {
                sample: key.clone(),
                matching,
                ignore_case: false,
                patterns: vec![pattern],
                files: Vec::new(),
                at,
            };
            let rewrites = flow.rewrites.clone();
            let condition = flow.asking.question(&question, &rewrites);
            let mut opaque = false;
            condition.visit(&mut |_| {}, &mut |_| opaque = true);
            if opaque {
                return None;
            }
            out.push((condition, value));
        }
        Some((out, otherwise))
    }
}

fn none() -> Outcome {
    Outcome::Refused("503, no backend".to_owned())
}

impl Flow<'_> {
    fn guards(&mut self, guards: &[(String, bool)]) -> Condition {
        let one = |(text, holds): &(String, bool)| {
            let opaque = self.asking.opaque(&format!(".if {text}"));
            if *holds { opaque } else { opaque.negated() }
        };
        let all: Vec<Condition> = guards.iter().map(one).collect();
        Condition::all(all)
    }

    /// The rules of a proxy, for requests of that condition.
    fn proxy(&mut self, proxy: &Proxy, of: &Condition) {
        self.rules(&proxy.connection, proxy, of);
        self.rules(&proxy.session, proxy, of);
        self.rules(&proxy.content, proxy, of);
        if !self.asking.place.http {
            return;
        }
        if let Some(uri) = &proxy.monitor_uri {
            let here = Condition::all([of.clone(), self.uri(&uri.text, false)]);
            for when in &proxy.monitor_fail {
                let rewrites = self.rewrites.clone();
                let fails = self.asking.when(Some(when), &proxy.acls, &rewrites);
                let outcome = Outcome::Refused("503, monitored".to_owned());
                self.routes.push(Route { condition: Condition::all([here.clone(), fails]), outcome, origin: uri.at });
            }
            let outcome = Outcome::Answered("200, monitored".to_owned());
            self.routes.push(Route { condition: here, outcome, origin: uri.at });
        }
        self.rules(&proxy.requests, proxy, of);
        if let Some(stats) = &proxy.stats {
            // Other methods are not for the page.
            let methods = ["GET", "HEAD", "POST"].map(Pattern::exact).to_vec();
            let method = Condition::Test(self.asking.store.test(Test::Text(Subject::Method, methods)));
            let here = Condition::all([of.clone(), self.uri(&stats.uri, true), method]);
            let outcome = Outcome::Answered("statistics".to_owned());
            self.routes.push(Route { condition: here, outcome, origin: stats.at });
        }
        self.rules(&proxy.redirects, proxy, of);
    }

    /// Requests for a path and query, or those that begin so.
    fn uri(&mut self, uri: &str, beginning: bool) -> Condition {
        let sample = |text: &str| Sample::whole(text).expect("fetches that are known");
        let mut after: Vec<String> = Vec::new();
        for fetch in ["path", "query"] {
            after.extend(self.rewrites.seen_by(&sample(fetch)).into_iter().map(str::to_owned));
        }
        after.dedup();
        if !after.is_empty() || !uri.starts_with('/') {
            let how = if beginning { "begins with" } else { "is" };
            let after: Vec<&str> = after.iter().map(String::as_str).collect();
            return self.asking.opaque(&format!("the URI {how} {uri}{}", order::after(&after)));
        }
        let mut text = |subject, pattern| Condition::Test(self.asking.store.test(Test::Text(subject, vec![pattern])));
        match (uri.split_once('?'), beginning) {
            (Some((path, query)), true) => Condition::all([
                text(Subject::Path, Pattern::exact(path)),
                text(Subject::Query, Pattern::prefix(query)),
            ]),
            (Some((path, query)), false) => {
                Condition::all([text(Subject::Path, Pattern::exact(path)), text(Subject::Query, Pattern::exact(query))])
            }
            (None, true) => text(Subject::Path, Pattern::prefix(uri)),
            (None, false) => {
                Condition::all([text(Subject::Path, Pattern::exact(uri)), text(Subject::Query, Pattern::exact(""))])
            }
        }
    }

    fn rules(&mut self, rules: &[Rule], proxy: &Proxy, of: &Condition) {
        let (mut accepted, mut set): (Vec<Condition>, Vec<String>) = (Vec::new(), Vec::new());
        for (rule, text) in rules.iter().zip(order::placed(rules)) {
            let guard = self.guards(&rule.guards);
            let rewrites = self.rewrites.clone();
            let when = self.asking.when(rule.when.as_ref(), &proxy.acls, &rewrites);
            let when = Condition::all([guard, when]);
            if when == Condition::Never {
                continue;
            }
            self.rewrites.add(&rule.asking, &text);
            match &rule.action {
                Action::Accept => accepted.push(when.negated()),
                Action::Final(outcome) => {
                    let parts = std::iter::once(of.clone()).chain(accepted.iter().cloned()).chain([when]);
                    let condition = Condition::all(parts);
                    let outcome = said(outcome, &order::after(&rewrites.of(rule.reads.clone())));
                    self.routes.push(Route { condition, outcome, origin: rule.at });
                }
                Action::Rewrite(parts) => self.rewrites.add(parts, &text),
                Action::Set(name, sample) => {
                    if when == Condition::Always && *of == Condition::Always {
                        // Where requests are allowed before it is set, that is so for this list only.
                        if !accepted.is_empty() {
                            set.push(name.clone());
                        }
                        self.rewrites.set(name, sample, &text);
                    } else {
                        self.rewrites.add(&[super::rewrites::Part::Variable(name.clone())], &text);
                    }
                }
                Action::Setting | Action::Delay | Action::Nothing(_) => {}
            }
        }
        for name in set {
            self.rewrites.forget(&name);
        }
    }
}

/// An outcome whose text is made of what those lines have changed.
fn said(outcome: &Outcome, after: &str) -> Outcome {
    match outcome {
        Outcome::Refused(text) => Outcome::Refused(format!("{text}{after}")),
        Outcome::Answered(text) => Outcome::Answered(format!("{text}{after}")),
        Outcome::Backend(_) | Outcome::Computed(_) => outcome.clone(),
    }
}

fn place_text(bind: &Bind) -> String {
    let address = if bind.address.contains(':') { format!("[{}]", bind.address) } else { bind.address.clone() };
    match bind.ports {
        None => address,
        Some((first, last)) if first == last => format!("{address}:{first}"),
        Some((first, last)) => format!("{address}:{first}-{last}"),
    }
}

fn endpoint(bind: &Bind) -> Endpoint {
    Endpoint {
        address: bind.address.clone(),
        addresses: bind.addresses.clone(),
        ports: bind.ports,
        tls: bind.tls.clone(),
        origin: bind.at,
    }
}
