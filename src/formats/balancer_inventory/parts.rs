//! Balancers, their listeners and their backends.

use super::super::balancers;
use super::super::data::{Keys, Node, Object};
use super::Reader;
use crate::model::{
    Backend, Condition, Endpoint, Listener, Outcome, Paths, Protocol, Route, Server, Subject, Test, Tls,
};
use crate::net::{Family, Pattern, Set, parse_addresses};

impl Reader<'_, '_> {
    pub(super) fn balancer(&mut self, node: Node<'_>) {
        let Some(mut balancer) = self.object(node, "a balancer: an object with `id`") else { return };
        let Some(id) = self.needed(&mut balancer, "id").map(str::to_owned) else { return };
        let owner = self.optional(&mut balancer, "owner").map(str::to_owned);
        // What people call it does nothing.
        let _ = self.optional(&mut balancer, "name");
        let at = balancer.take("addresses");
        let addresses = at.map_or_else(Vec::new, |list| self.addresses(list));
        let sources = match balancer.take("sources") {
            Some(list) => Some(union(&self.addresses(list))),
            None => at.map(|_| union(&addresses)),
        };
        self.declare("balancer", &id, owner.clone(), node);
        let context = Context { id: &id, owner: owner.as_ref(), addresses: &addresses, sources: sources.as_ref() };
        let backends = balancer.take("backends");
        for backend in backends.map_or_else(Vec::new, |list| self.list(list, "`backends` is a list")) {
            self.backend(backend, &context);
        }
        let listeners = balancer.take("listeners");
        for listener in listeners.map_or_else(Vec::new, |list| self.list(list, "`listeners` is a list")) {
            self.listener(listener, &context);
        }
        self.close(balancer);
    }

    /// Each address or prefix of a list, as it reads.
    fn addresses(&mut self, list: Node<'_>) -> Vec<(String, (Set, Set))> {
        let mut out = Vec::new();
        for node in self.list(list, "a list of addresses is expected") {
            match node.text().and_then(|text| Some((text, parse_addresses(text)?))) {
                Some((text, (Family::Ipv4, set))) => out.push((text.to_owned(), (set, Set::empty()))),
                Some((text, (Family::Ipv6, set))) => out.push((text.to_owned(), (Set::empty(), set))),
                None => self.gap(node, "an address or prefix is expected"),
            }
        }
        out
    }

    fn listener(&mut self, node: Node<'_>, context: &Context<'_>) {
        let Some(mut listener) = self.object(node, "a listener: an object with `port` and `protocol`") else { return };
        let Some(port) = listener.take("port") else { return self.gap(node, "it has no `port`") };
        let Some(port) = self.port(port) else { return };
        let protocol = listener.take("protocol");
        let (protocol, tls) = match protocol.and_then(Node::text) {
            Some("http") => (Protocol::Http, false),
            Some("https") => (Protocol::Http, true),
            Some("tcp") => (Protocol::Tcp, false),
            Some("tls") => (Protocol::Tcp, true),
            Some("udp") => (Protocol::Udp, false),
            Some(_) | None => {
                return self.gap(protocol.unwrap_or(node), "its `protocol` is `http`, `https`, `tcp`, `tls` or `udp`");
            }
        };
        let name = self.optional(&mut listener, "name").map_or_else(|| port.to_string(), str::to_owned);
        let mut certificates = Vec::new();
        if let Some(list) = listener.take("certificates") {
            for node in self.list(list, "`certificates` is a list of names") {
                if let Some(text) = self.text(node, "certificates") {
                    certificates.push((text.to_owned(), self.span(node)));
                }
            }
            if !tls && !certificates.is_empty() {
                self.gap(list, "certificates have a meaning only with `https` and `tls`");
            }
        }
        let mut routes = Vec::new();
        if let Some(list) = listener.take("allow") {
            let (ipv4, ipv6) = union(&self.addresses(list));
            let test = Condition::Test(self.reading.store.test(Test::Source { ipv4, ipv6 }));
            let outcome = Outcome::Refused("its source is not allowed".to_owned());
            routes.push(Route { condition: test.negated(), outcome, origin: self.span(list) });
        }
        if let Some(list) = listener.take("routes") {
            for node in self.list(list, "`routes` is a list") {
                routes.extend(self.route(node, context));
            }
        }
        let backend = listener.take("backend");
        let otherwise = match backend {
            Some(node) => self.backend_of(node, context),
            None => Outcome::Refused("no backend".to_owned()),
        };
        let origin = self.span(node);
        let tls = tls.then(|| Tls { certificates, settings: String::new() });
        let every = [("any".to_owned(), balancers::every())];
        let endpoints = if context.addresses.is_empty() { &every[..] } else { context.addresses };
        let endpoint = |(address, addresses): &(String, (Set, Set))| Endpoint {
            address: address.clone(),
            addresses: Some(addresses.clone()),
            ports: Some((port, port)),
            tls: tls.clone(),
            origin,
        };
        let endpoints = endpoints.iter().map(endpoint).collect();
        self.reading.configuration.listeners.push(Listener {
            name: format!("{}/{name}", context.id),
            protocol,
            endpoints,
            paths: Paths::AsWritten,
            routes,
            otherwise,
            otherwise_at: backend.map(|node| self.span(node)),
            settings: String::new(),
            owner: context.owner.cloned(),
            origin,
        });
        self.close(listener);
    }

    fn route(&mut self, node: Node<'_>, context: &Context<'_>) -> Option<Route> {
        let mut route = self.object(node, "a route: an object with `backend`")?;
        let mut conditions = Vec::new();
        for (key, subject) in [("host", Subject::Host), ("path", Subject::Path), ("path_prefix", Subject::Path)] {
            let Some(text) = self.optional(&mut route, key) else { continue };
            let pattern = match key {
                "host" if text.contains('*') => Pattern::glob(text).ignoring_case(),
                "host" => Pattern::exact(text).ignoring_case(),
                "path" => Pattern::exact(text),
                _ => Pattern::prefix(text),
            };
            conditions.push(Condition::Test(self.reading.store.test(Test::Text(subject, vec![pattern]))));
        }
        if let Some(list) = route.take("sources") {
            let (ipv4, ipv6) = union(&self.addresses(list));
            conditions.push(Condition::Test(self.reading.store.test(Test::Source { ipv4, ipv6 })));
        }
        let outcome = match (route.take("backend"), route.take("refuse")) {
            (Some(node), None) => self.backend_of(node, context),
            (None, Some(node)) => Outcome::Refused(self.text(node, "refuse")?.to_owned()),
            (Some(_), Some(_)) | (None, None) => {
                self.gap(node, "a route has either `backend` or `refuse`");
                return None;
            }
        };
        self.close(route);
        Some(Route { condition: Condition::all(conditions), outcome, origin: self.span(node) })
    }

    fn backend_of(&mut self, node: Node<'_>, context: &Context<'_>) -> Outcome {
        let name = format!("{}/{}", context.id, self.text(node, "backend").unwrap_or_default());
        if !self.backends.contains(&name) {
            self.undefined("backend", &name, node);
            return Outcome::Refused(format!("no backend {name}"));
        }
        Outcome::Backend(name)
    }

    fn backend(&mut self, node: Node<'_>, context: &Context<'_>) {
        let Some(mut backend) = self.object(node, "a backend: an object with `name`") else { return };
        let Some(name) = self.needed(&mut backend, "name") else { return };
        let name = format!("{}/{name}", context.id);
        let check = backend.take("health_check").and_then(|node| self.health_check(node));
        let servers = backend.take("servers");
        let servers = servers.map_or_else(Vec::new, |list| self.list(list, "`servers` is a list"));
        let port = check.as_ref().map(|(_, port)| *port);
        let servers = servers.into_iter().filter_map(|node| self.server(node, port)).collect();
        let origin = self.span(node);
        if !self.backends.insert(name.clone()) {
            self.gap(node, "another backend of that name is read already");
        }
        self.reading.configuration.backends.push(Backend {
            name,
            servers,
            open: None,
            health_check: check.map(|(text, _)| text),
            sources: context.sources.cloned(),
            settings: String::new(),
            owner: context.owner.cloned(),
            origin,
        });
        self.close(backend);
    }

    /// How health is found out, and on which port if it is not the server's.
    fn health_check(&mut self, node: Node<'_>) -> Option<(String, Option<u16>)> {
        let mut check = self.object(node, "a health check: an object with `protocol`")?;
        let mut text = self.needed(&mut check, "protocol")?.to_owned();
        if let Some(path) = self.optional(&mut check, "path") {
            text.push_str(&format!(" {path}"));
        }
        let port = check.take("port").and_then(|node| self.port(node));
        if let Some(port) = port {
            text.push_str(&format!(" on port {port}"));
        }
        self.close(check);
        Some((text, port))
    }

    fn server(&mut self, node: Node<'_>, check: Option<Option<u16>>) -> Option<Server> {
        let mut server = self.object(node, "a server: an object with `address`")?;
        let address = self.needed(&mut server, "address")?.to_owned();
        let port = server.take("port").and_then(|node| self.port(node));
        let place = port.map_or_else(|| address.clone(), |port| format!("{address}:{port}"));
        let name = self.optional(&mut server, "name").map_or(place, str::to_owned);
        let weight = self.weight(&mut server);
        let enabled = self.truth(&mut server, "enabled", true);
        let backup = self.truth(&mut server, "backup", false).unwrap_or(false);
        self.close(server);
        let (settings, origin) = (String::new(), self.span(node));
        Some(Server { name, address, port, weight, enabled, backup, check, settings, origin })
    }

    fn weight(&mut self, server: &mut Object<'_>) -> Option<u32> {
        let Some(node) = server.take("weight") else { return Some(1) };
        let weight = node.natural().and_then(|weight| u32::try_from(weight).ok());
        if weight.is_none() {
            self.gap(node, "a weight is a number from 0 on");
        }
        weight
    }
}

/// What the parts of a balancer need to know of it.
struct Context<'a> {
    id: &'a str,
    owner: Option<&'a String>,
    addresses: &'a [(String, (Set, Set))],
    sources: Option<&'a (Set, Set)>,
}

fn union(addresses: &[(String, (Set, Set))]) -> (Set, Set) {
    let all =
        |which: fn(&(Set, Set)) -> &Set| Set::from_ranges(addresses.iter().flat_map(|(_, sets)| which(sets).ranges()));
    (all(|sets| &sets.0), all(|sets| &sets.1))
}
