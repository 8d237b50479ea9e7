//! The `http` part: sockets and their servers.

use super::Lowering;
use super::handlers::Piece;
use super::hosts::{Named, Rank};
use super::scope::{Scope, is_of_scope};
use super::settings::{self, Settings};
use super::syntax::{Directive, Word, called};
use super::values::is_hashed;
use super::variables::Definitions;
use crate::formats::balancers;
use crate::model::{Condition, Endpoint, Listener, Outcome, Paths, Protocol, Route, Tls};
use crate::text::{Span, escape};
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashSet};

/// An address and its ports; `None`: it is a socket of the file system.
type Place = (String, Option<(u16, u16)>);

/// What servers do, by number and whether TLS is spoken.
type Programs = BTreeMap<(usize, bool), Vec<Piece>>;

/// Where a server listens, and what of it matters.
#[derive(Debug, Clone)]
struct Listen {
    address: String,
    ports: Option<(u16, u16)>,
    tls: bool,
    first: bool,
    /// Whether it says how its socket is made: one server may.
    set: bool,
    settings: Vec<String>,
    span: Span,
}

impl Lowering<'_, '_> {
    pub(super) fn http(&mut self, http: &[&Directive]) {
        let mut scope = Scope::default();
        for directive in http.iter().filter(|directive| directive.is("upstream")) {
            self.upstream(directive, &HashSet::new());
        }
        let around = http.iter().filter(|directive| !directive.is("server"));
        let definitions = Definitions::new(around.copied(), None);
        let own: Vec<Directive> =
            http.iter().filter(|d| !d.is("server") && !d.is("upstream")).map(|d| (*d).clone()).collect();
        scope.enter(self, &own);
        for directive in &own {
            if !is_of_scope(&directive.name) {
                self.beside(directive);
            }
        }
        let servers: Vec<&Directive> = http.iter().filter(|d| d.is("server") && d.block.is_some()).copied().collect();
        let mut sockets: BTreeMap<Place, Vec<(usize, Listen)>> = BTreeMap::new();
        for (number, server) in servers.iter().enumerate() {
            let listens = self.listens(server);
            for (at, listen) in listens.iter().enumerate() {
                // Those that are alike are told below.
                let shared = |other: &&Listen| {
                    let both = other.ports.zip(listen.ports).filter(|(one, other)| one != other);
                    other.address == listen.address && both.is_some_and(|(a, b)| a.0 <= b.1 && b.0 <= a.1)
                };
                if listens[..at].iter().any(|other| shared(&other)) {
                    self.account.gap(listen.span, "nginx refuses it: a duplicate listen");
                }
            }
            for listen in listens {
                let key = (listen.address.clone(), listen.ports);
                let socket = sockets.entry(key).or_default();
                if socket.iter().any(|(other, _)| *other == number) {
                    self.account.gap(listen.span, "nginx refuses it: a duplicate listen");
                    continue;
                }
                if listen.set && socket.iter().any(|(_, other)| other.set) {
                    self.account.gap(listen.span, "nginx refuses it: duplicate listen options");
                }
                socket.push((number, listen));
            }
        }
        let mut programs = Programs::new();
        let beside = Beside::new(&own, &servers, &definitions, &self.backends);
        let names: Vec<Vec<Named>> = servers.iter().map(|server| self.names(block(server))).collect();
        for ((address, ports), socket) in sockets {
            let tls = socket.iter().any(|(_, listen)| listen.tls);
            for (number, _) in &socket {
                if let Entry::Vacant(place) = programs.entry((*number, tls)) {
                    place.insert(self.server(servers[*number], &scope, tls, &definitions));
                }
            }
            // One server answers whatever its names are.
            for (number, _) in socket.iter().filter(|_| socket.len() > 1) {
                let names = called(block(servers[*number]), "server_name").flat_map(|directive| &directive.words);
                for word in names.filter(|word| !is_hashed(&word.text)) {
                    let name = escape(&word.text);
                    self.account
                        .gap(word.span, format!("nginx refuses it: invalid server name or wildcard \"{name}\""));
                }
            }
            let bare = |server: &Directive| {
                called(block(server), "ssl_certificate").next().is_none()
                    && !called(block(server), "ssl_reject_handshake").any(|d| d.first() == b"on")
            };
            if let Some((_, second)) = socket.iter().filter(|(_, listen)| listen.first).nth(1) {
                self.account.gap(second.span, "nginx refuses it: a duplicate default server");
            }
            let default = socket.iter().find(|(_, listen)| listen.first).or_else(|| socket.first());
            if let Some((number, listen)) = default.filter(|_| tls)
                && !own.iter().any(|d| d.is("ssl_certificate") || d.is("ssl_reject_handshake"))
                && servers.get(*number).is_some_and(|server| bare(server))
            {
                let reason = "nginx refuses it: no \"ssl_certificate\" is defined for the \"listen ... ssl\" directive";
                self.account.gap(listen.span, reason);
            }
            // Where the default server has none, all others need some.
            let none = |server: &Directive| {
                called(block(server), "ssl_certificate").next().is_none()
                    && !own.iter().any(|d| d.is("ssl_certificate"))
            };
            let rejects = own.iter().any(|d| d.is("ssl_reject_handshake") && d.first() == b"on");
            if tls && !rejects && default.is_some_and(|(number, _)| none(servers[*number]) && !bare(servers[*number])) {
                for (_, listen) in socket.iter().filter(|(number, _)| bare(servers[*number])) {
                    let reason = "no \"ssl_certificate\" is defined in a server of a \"listen ... ssl\" directive";
                    self.account.gap(listen.span, format!("nginx refuses it: {reason}"));
                }
            }
            let listener = self.socket(address, ports, tls, &socket, (&names, &programs, &beside));
            self.reading.configuration.listeners.extend(listener);
        }
    }

    fn socket(
        &mut self,
        address: String,
        ports: Option<(u16, u16)>,
        tls: bool,
        socket: &[(usize, Listen)],
        (names, programs, beside): (&[Vec<Named>], &Programs, &Beside<'_>),
    ) -> Option<Listener> {
        let (default, _) = socket.iter().find(|(_, listen)| listen.first).or_else(|| socket.first())?;
        let (_, listen) = socket.first()?;
        let mut order: Vec<(Rank, usize, &Condition)> = Vec::new();
        for (number, _) in socket {
            order.extend(names[*number].iter().map(|named| (named.rank, *number, &named.condition)));
        }
        order.sort_by_key(|(rank, _, _)| *rank);
        let merged = merged(&order, *default, tls, beside);
        let mut routes = Vec::new();
        for (_, number, condition) in order {
            for Piece { condition: inner, outcome, at } in programs.get(&(number, tls)).into_iter().flatten() {
                let condition = Condition::all([condition.clone(), inner.clone()]);
                routes.push(Route { condition, outcome: outcome.clone(), origin: *at });
            }
        }
        let (mut otherwise, mut otherwise_at) = (Outcome::Refused("nothing answers".to_owned()), None);
        for Piece { condition, outcome, at } in programs.get(&(*default, tls)).into_iter().flatten() {
            if *condition == Condition::Always {
                (otherwise, otherwise_at) = (outcome.clone(), Some(*at));
                break;
            }
            routes.push(Route { condition: condition.clone(), outcome: outcome.clone(), origin: *at });
        }
        let numbers: Vec<usize> = socket.iter().map(|(number, _)| *number).collect();
        let tls = tls.then(|| beside.tls(&numbers, *default));
        let mut said: Vec<String> = socket.iter().flat_map(|(_, listen)| listen.settings.iter().cloned()).collect();
        said.sort();
        said.dedup();
        said.extend(beside.settings(&numbers, *default));
        let name = match (address.as_str(), ports) {
            (path, None) => path.to_owned(),
            (address, Some((first, last))) => {
                let address = match address {
                    "any-ipv4" => "*".to_owned(),
                    "any-ipv6" => "[::]".to_owned(),
                    "any" => "[::]*".to_owned(),
                    other if other.contains(':') => format!("[{other}]"),
                    other => other.to_owned(),
                };
                if first == last { format!("{address}:{first}") } else { format!("{address}:{first}-{last}") }
            }
        };
        let addresses = balancers::addresses(&address);
        let endpoint = Endpoint { address, addresses, ports, tls, origin: listen.span };
        Some(Listener {
            name,
            protocol: Protocol::Http,
            endpoints: vec![endpoint],
            paths: Paths::Nginx { merged },
            routes,
            otherwise,
            otherwise_at,
            settings: said.join(" "),
            owner: None,
            origin: listen.span,
        })
    }

    /// Where a server listens; `*:80` if it does not say.
    fn listens(&mut self, server: &Directive) -> Vec<Listen> {
        let legacy = called(block(server), "ssl").any(|d| d.first() == b"on");
        let written: Vec<&Directive> = called(block(server), "listen").collect();
        if written.is_empty() {
            return vec![Listen {
                address: "any-ipv4".to_owned(),
                ports: Some((80, 80)),
                tls: legacy,
                first: false,
                set: false,
                settings: Vec::new(),
                span: server.head,
            }];
        }
        let mut out = Vec::new();
        for directive in written {
            let Some(place) = directive.words.first() else {
                self.account.gap(directive.span, "nginx refuses it: invalid number of arguments in \"listen\"");
                continue;
            };
            let mut listen = Listen {
                address: String::new(),
                ports: None,
                tls: legacy,
                first: false,
                set: false,
                settings: Vec::new(),
                span: directive.span,
            };
            let mut both = false;
            for word in directive.words.iter().skip(1) {
                match &word.text[..] {
                    b"ssl" => listen.tls = true,
                    b"default_server" | b"default" => listen.first = true,
                    b"ipv6only=off" => (both, listen.set) = (true, true),
                    b"quic" => {
                        self.account.gap(word.span, "HTTP/3 over QUIC is not read");
                    }
                    // Without TLS nothing but this is spoken then, and of all servers of the socket.
                    b"proxy_protocol" | b"http2" | b"spdy" => listen.settings.push(format!("{};", escape(&word.text))),
                    b"reuseport" | b"deferred" | b"bind" | b"ipv6only=on" => listen.set = true,
                    text if [
                        &b"backlog="[..],
                        b"rcvbuf=",
                        b"sndbuf=",
                        b"setfib=",
                        b"fastopen=",
                        b"so_keepalive=",
                        b"accept_filter=",
                    ]
                    .iter()
                    .any(|known| text.starts_with(known)) =>
                    {
                        listen.set = true;
                    }
                    other => {
                        let reason = format!("nginx refuses it: invalid parameter \"{}\"", escape(other));
                        self.account.gap(word.span, reason);
                    }
                }
            }
            if let Some((address, ports)) = self.listened(place, both, 80) {
                out.push(Listen { address, ports, ..listen });
            }
        }
        out
    }

    /// The address and ports of `80`, `*:80`, `[::]:80`, `192.0.2.1:8000-8010`, `192.0.2.1`, `unix:/path`.
    pub(super) fn listened(&mut self, word: &Word, both: bool, otherwise: u16) -> Option<(String, Option<(u16, u16)>)> {
        let text = escape(&word.text);
        if let Some(path) = text.strip_prefix("unix:") {
            return Some((path.to_owned(), None));
        }
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => (host, Some(port)),
            _ if text.starts_with(|c: char| c.is_ascii_digit()) && !text.contains('.') => ("*", Some(text.as_str())),
            Some(_) | None => (text.as_str(), None),
        };
        let ports = match port {
            None => Some((otherwise, otherwise)),
            Some(port) => {
                let (first, last) = port.split_once('-').unwrap_or((port, port));
                first.parse::<u16>().ok().zip(last.parse::<u16>().ok()).filter(|(a, b)| *a > 0 && a <= b)
            }
        };
        let Some(ports) = ports else {
            self.account.gap(word.span, format!("nginx refuses it: invalid port in \"{text}\""));
            return None;
        };
        let address = match host {
            "" | "*" | "0.0.0.0" => "any-ipv4".to_owned(),
            "[::]" if both => "any".to_owned(),
            "[::]" => "any-ipv6".to_owned(),
            other => {
                let bare = other.trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
                // An address of the sixth version may be written in several ways.
                bare.parse::<std::net::Ipv6Addr>().map_or(bare, |address| address.to_string())
            }
        };
        Some((address, Some(ports)))
    }
}

/// For which requests slashes in a row are one: a path is read before the host of the request is known, so that is said by the
/// default server, or by the one that the TLS handshake names (nginx.org, `merge_slashes`; `ngx_http_process_request_uri`).
fn merged(order: &[(Rank, usize, &Condition)], default: usize, tls: bool, beside: &Beside<'_>) -> Condition {
    let says = |number: usize| match beside.servers.get(number) {
        Some((_, server, _)) => {
            let said = called(block(server), "merge_slashes").chain(called(beside.own, "merge_slashes")).next();
            said.is_none_or(|directive| directive.first() != b"off")
        }
        None => true,
    };
    let otherwise = if says(default) { Condition::Always } else { Condition::Never };
    if !tls {
        return otherwise;
    }
    order.iter().rev().fold(otherwise, |rest, (_, number, named)| {
        let named = Condition::clone(named);
        if says(*number) { Condition::any([named, rest]) } else { Condition::all([named.negated(), rest]) }
    })
}

/// What servers say beside what becomes of requests.
struct Beside<'d> {
    /// What stands around servers.
    own: &'d [Directive],
    /// The servers: how each is called, itself, and its settings.
    servers: Vec<(String, &'d Directive, Settings)>,
}

impl<'d> Beside<'d> {
    fn new(
        own: &'d [Directive],
        servers: &[&'d Directive],
        definitions: &Definitions<'_>,
        groups: &HashSet<String>,
    ) -> Self {
        let pages = settings::pages(own);
        let server = |server: &&'d Directive| {
            let list = block(server);
            let mut names: Vec<String> =
                called(list, "server_name").flat_map(|d| &d.words).map(|word| escape(&word.text)).collect();
            names.sort();
            let definitions = Definitions::new(list.iter(), Some(definitions));
            let all: Vec<&[u8]> = pages.iter().copied().chain(settings::pages(list)).collect();
            (names.join(" "), *server, settings::of(list, own, &all, (&definitions, groups)))
        };
        let servers = servers.iter().map(server).collect();
        Self { own, servers }
    }

    /// The settings of a socket with these servers: those that all of them have alike, wherever that is said, then those of
    /// each. Of servers with the same name the first counts.
    fn settings(&self, numbers: &[usize], default: usize) -> Vec<String> {
        let servers: Vec<(usize, &(String, &Directive, Settings))> =
            numbers.iter().filter_map(|number| Some((*number, self.servers.get(*number)?))).collect();
        let Some((_, (_, _, first))) = servers.first() else { return Vec::new() };
        let alike = |(name, text): &(&Vec<u8>, &String)| {
            settings::is_inherited(name) && servers.iter().all(|(_, (_, _, own))| own.get(*name) == Some(*text))
        };
        let shared: BTreeMap<&Vec<u8>, &String> = first.iter().filter(alike).collect();
        let mut texts: Vec<(String, String)> = Vec::new();
        for (number, (name, _, own)) in &servers {
            let rest: Vec<&str> =
                own.iter().filter(|(name, _)| !shared.contains_key(name)).map(|(_, text)| text.as_str()).collect();
            let first = if numbers.len() > 1 && *number == default { "default server" } else { "server" };
            texts.push((format!("{first} {name}"), rest.join(" ")));
        }
        texts.sort_by(|a, b| a.0.cmp(&b.0));
        let one = |(name, text): &(String, String)| format!("{} {{ {text} }}", name.trim_end());
        let shared = shared.into_values().cloned();
        shared.chain(texts.iter().filter(|(_, text)| !text.is_empty()).map(one)).collect()
    }

    fn tls(&self, numbers: &[usize], default: usize) -> Tls {
        let (mut certificates, mut texts, mut with) = (Vec::new(), Vec::new(), Vec::new());
        for number in numbers {
            let Some((name, server, _)) = self.servers.get(*number) else { continue };
            let own = said_of(block(server), self.own);
            let named = own.iter().filter(|d| d.is("ssl_certificate"));
            let mut shown: Vec<String> = Vec::new();
            for directive in named {
                let certificate = (escape(directive.first()), directive.span);
                if !certificates.contains(&certificate) {
                    certificates.push(certificate);
                }
                shown.push(format!("ssl_certificate {}", directive.said()));
            }
            let mut rest: Vec<&&Directive> = own.iter().filter(|d| !d.is("ssl_certificate")).collect();
            rest.sort_by(|a, b| a.name.cmp(&b.name));
            let rest: Vec<String> = rest.iter().map(|d| format!("{} {}", escape(&d.name), d.said())).collect();
            let name = if *number == default { format!("default {name}") } else { name.clone() };
            texts.push((name.clone(), rest.clone()));
            with.push((name, [rest, shown].concat()));
        }
        // Where all have the same certificates, which are those is said beside; what is in one is said here.
        let alike = |list: &[(String, Vec<String>)]| list.windows(2).all(|pair| pair[0].1 == pair[1].1);
        let mut chosen =
            if alike(&with) && !with.iter().any(|(_, all)| all.iter().any(|text| text.contains("(sha256 "))) {
                texts
            } else {
                with
            };
        let settings = match (alike(&chosen), chosen.first()) {
            (true, Some((_, all))) => all.join("; "),
            (_, _) => {
                chosen.sort();
                let one = |(name, all): &(String, Vec<String>)| format!("{name}: {}", all.join("; "));
                chosen.iter().map(one).collect::<Vec<_>>().join(" | ")
            }
        };
        Tls { certificates, settings }
    }
}

/// What a server says of TLS, and what stands around it where it says nothing of that name itself.
pub(super) fn said_of<'d>(server: &'d [Directive], around: &'d [Directive]) -> Vec<&'d Directive> {
    let about = |directive: &&Directive| directive.is("ssl_certificate") || is_tls_setting(&directive.name);
    let own: Vec<&Directive> = server.iter().filter(about).collect();
    let outer = around.iter().filter(about).filter(|d| !own.iter().any(|mine| mine.name == d.name));
    let outer: Vec<&Directive> = outer.collect();
    own.into_iter().chain(outer).collect()
}

/// What stands in the braces.
pub(super) fn block(directive: &Directive) -> &[Directive] {
    directive.block.as_deref().unwrap_or_default()
}

/// Whether a directive is about who may speak TLS with a server, and how.
pub(super) fn is_tls_setting(name: &[u8]) -> bool {
    matches!(
        name,
        b"ssl_protocols"
            | b"ssl_ciphers"
            | b"ssl_verify_client"
            | b"ssl_verify_depth"
            | b"ssl_client_certificate"
            | b"ssl_trusted_certificate"
            | b"ssl_crl"
            | b"ssl_reject_handshake"
            | b"ssl_prefer_server_ciphers"
            | b"ssl_conf_command"
            | b"ssl_ocsp"
            | b"ssl_ocsp_responder"
            | b"ssl_ocsp_cache"
            | b"ssl_alpn"
    )
}
