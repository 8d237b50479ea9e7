//! The `stream` part: connections, not requests (`ngx_stream_core_module`, `ngx_stream_proxy_module`).

use super::Lowering;
use super::http::{block, is_tls_setting, said_of};
use super::scope::Believed;
use super::settings;
use super::syntax::{Directive, called};
use super::variables::{Definitions, defined};
use crate::formats::balancers;
use crate::model::{Condition, Endpoint, Listener, Outcome, Paths, Protocol, Route, Subject, Tls};
use crate::net::{Pattern, Set};
use crate::text::{Span, escape};
use std::collections::BTreeMap;

impl Lowering<'_, '_> {
    pub(super) fn stream(&mut self, stream: &[&Directive]) {
        let of_http = self.backends.clone();
        let mut maps: BTreeMap<&[u8], &Directive> = BTreeMap::new();
        for directive in stream {
            match (&directive.name[..], &directive.block) {
                (b"upstream", Some(_)) => self.upstream(directive, &of_http),
                (b"map", Some(_)) => {
                    maps.extend(directive.words.get(1).map(|word| (&word.text[..], *directive)));
                }
                (b"server", Some(_)) => {}
                (b"allow" | b"deny" | b"ssl_certificate", _) => {}
                (name, _) if is_tls_setting(name) => {}
                _ => self.beside(directive),
            }
        }
        let around = stream.iter().filter(|directive| !directive.is("server"));
        let definitions = Definitions::new(around.clone().copied(), None);
        let own: Vec<Directive> = around.filter(|d| !d.is("upstream")).map(|d| (*d).clone()).collect();
        for server in stream.iter().filter(|directive| directive.is("server") && directive.block.is_some()) {
            self.stream_server(server, &own, &maps, &definitions);
        }
    }

    fn stream_server(
        &mut self,
        server: &Directive,
        own: &[Directive],
        maps: &BTreeMap<&[u8], &Directive>,
        definitions: &Definitions<'_>,
    ) {
        let list = block(server);
        let mut believed = Believed::default();
        believed.enter(own);
        believed.enter(list);
        let texts = settings::of(list, own, &[], (definitions, &self.backends));
        let secured = said_of(list, own);
        let mut routes: Vec<Route> = Vec::new();
        let (mut ipv4, mut ipv6, mut denied_at) = (Set::empty(), Set::empty(), None);
        let rules = |list: &[Directive]| list.iter().any(|d| d.is("allow") || d.is("deny"));
        // Those around count where it has none of its own.
        let ruled = if rules(list) { list } else { own };
        for directive in ruled.iter().rev().filter(|d| d.is("allow") || d.is("deny")) {
            let Some((four, six)) = self.addresses(directive) else { continue };
            let deny = directive.is("deny");
            ipv4 = if deny { ipv4.union(&four) } else { ipv4.difference(&four) };
            ipv6 = if deny { ipv6.union(&six) } else { ipv6.difference(&six) };
            denied_at = Some(directive.span);
        }
        if let Some(origin) = denied_at.filter(|_| !ipv4.is_empty() || !ipv6.is_empty()) {
            let condition = self.client(ipv4, ipv6, &believed);
            routes.push(Route { condition, outcome: Outcome::Refused("denied".to_owned()), origin });
        }
        let mut otherwise = (Outcome::Refused("no proxy_pass".to_owned()), None);
        for directive in list {
            match &directive.name[..] {
                b"proxy_pass" => {
                    let written = escape(directive.first());
                    otherwise = match maps.get(directive.first()) {
                        _ if !written.contains('$') => {
                            (Outcome::Backend(self.asked(&written, directive.span, 0)), Some(directive.span))
                        }
                        Some(map) if map.first() == b"$ssl_preread_server_name" => {
                            let (mapped, last) = self.mapped(map, definitions);
                            // Nobody looks at the handshake unless it is said: the name is empty then.
                            if called(list, "ssl_preread").any(|directive| directive.first() == b"on") {
                                routes.extend(mapped);
                            }
                            (last, Some(directive.span))
                        }
                        Some(_) | None => {
                            let (names, _) = defined(&written, definitions, "");
                            (Outcome::Computed(format!("{written}{names}")), Some(directive.span))
                        }
                    };
                }
                b"return" => {
                    otherwise = (Outcome::Answered(format!("return {}", directive.said())), Some(directive.span));
                }
                b"listen" | b"allow" | b"deny" | b"ssl_preread" | b"ssl_certificate" => {}
                name if is_tls_setting(name) => {}
                _ => self.beside(directive),
            }
        }
        for directive in called(list, "listen") {
            let Some(place) = directive.words.first() else { continue };
            let has = |name: &[u8]| directive.words.iter().any(|word| word.text == name);
            for word in directive.words.iter().skip(1) {
                const KNOWN: &[&[u8]] = &[
                    b"udp",
                    b"ssl",
                    b"proxy_protocol",
                    b"reuseport",
                    b"bind",
                    b"deferred",
                    b"ipv6only=on",
                    b"ipv6only=off",
                ];
                let valued = [&b"backlog="[..], b"rcvbuf=", b"sndbuf=", b"so_keepalive=", b"setfib=", b"fastopen="];
                if !KNOWN.contains(&&word.text[..]) && !valued.iter().any(|start| word.text.starts_with(start)) {
                    let reason = format!("nginx refuses it: the invalid \"{}\" parameter", escape(&word.text));
                    self.account.gap(word.span, reason);
                }
            }
            let Some((address, ports)) = self.listened(place, has(b"ipv6only=off"), 0) else { continue };
            let tls = has(b"ssl").then(|| {
                let certificates = secured.iter().filter(|d| d.is("ssl_certificate"));
                let certificates = certificates.map(|d| (escape(d.first()), d.span)).collect();
                let said = |d: &&&Directive| !d.is("ssl_certificate") || d.said().contains("(sha256 ");
                let mut rest: Vec<&&Directive> = secured.iter().filter(said).collect();
                rest.sort_by(|a, b| a.name.cmp(&b.name));
                let rest: Vec<String> = rest.iter().map(|d| format!("{} {}", escape(&d.name), d.said())).collect();
                Tls { certificates, settings: rest.join("; ") }
            });
            let protocol = if has(b"udp") { Protocol::Udp } else { Protocol::Tcp };
            let addresses = balancers::addresses(&address);
            let written = escape(&place.text);
            let name = if protocol == Protocol::Udp { format!("{written} udp") } else { written };
            self.reading.configuration.listeners.push(Listener {
                name: format!("stream {name}"),
                protocol,
                endpoints: vec![Endpoint { address, addresses, ports, tls, origin: directive.span }],
                paths: Paths::AsWritten,
                routes: routes.clone(),
                otherwise: otherwise.0.clone(),
                otherwise_at: otherwise.1,
                settings: has(b"proxy_protocol")
                    .then(|| "proxy_protocol;".to_owned())
                    .into_iter()
                    .chain(texts.values().cloned())
                    .collect::<Vec<_>>()
                    .join(" "),
                owner: None,
                origin: directive.span,
            });
        }
    }

    /// The routes of a map from the server name of the handshake (`ngx_stream_map_module`): texts first, then the longest
    /// names with an asterisk if it says `hostnames`, then expressions in order.
    fn mapped(&mut self, map: &Directive, definitions: &Definitions<'_>) -> (Vec<Route>, Outcome) {
        let hostnames = block(map).iter().any(|entry| entry.is("hostnames"));
        let (mut exact, mut leading, mut trailing, mut expressions) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let mut last = Outcome::Refused("the map has no value for it".to_owned());
        for entry in block(map) {
            let name = &entry.name[..];
            if matches!(name, b"hostnames" | b"volatile" | b"include") && entry.words.is_empty() {
                continue;
            }
            if name == b"include" {
                self.account.gap(entry.span, "maps from other files are not read");
                continue;
            }
            let written = escape(entry.first());
            let outcome = if written.contains('$') {
                let (names, _) = defined(&written, definitions, "");
                Outcome::Computed(format!("{written}{names}"))
            } else {
                Outcome::Backend(self.asked(&written, entry.span, 0))
            };
            let add = |list: &mut Vec<(usize, Condition, Outcome, Span)>, length: usize, condition| {
                list.push((length, condition, outcome.clone(), entry.span));
            };
            match name {
                b"default" => last = outcome,
                [b'~', b'*', expression @ ..] => {
                    let condition = self.expression(Subject::ServerName, expression, true);
                    add(&mut expressions, 0, condition);
                }
                [b'~', expression @ ..] => {
                    let condition = self.expression(Subject::ServerName, expression, false);
                    add(&mut expressions, 0, condition);
                }
                [b'*', end @ ..] if hostnames => {
                    let condition = self.test(Subject::ServerName, vec![Pattern::suffix(end).ignoring_case()]);
                    add(&mut leading, end.len(), condition);
                }
                [b'.', rest @ ..] if hostnames => {
                    let own = self.test(Subject::ServerName, vec![Pattern::exact(rest).ignoring_case()]);
                    let below = self.test(Subject::ServerName, vec![Pattern::suffix(name).ignoring_case()]);
                    add(&mut exact, 0, own);
                    add(&mut leading, name.len(), below);
                }
                [start @ .., b'*'] if hostnames => {
                    let condition = self.test(Subject::ServerName, vec![Pattern::prefix(start).ignoring_case()]);
                    add(&mut trailing, start.len(), condition);
                }
                text => {
                    let text = text.strip_prefix(b"\\").unwrap_or(text);
                    let condition = self.test(Subject::ServerName, vec![Pattern::exact(text).ignoring_case()]);
                    add(&mut exact, 0, condition);
                }
            }
        }
        leading.sort_by_key(|(length, ..)| std::cmp::Reverse(*length));
        trailing.sort_by_key(|(length, ..)| std::cmp::Reverse(*length));
        let all = exact.into_iter().chain(leading).chain(trailing).chain(expressions);
        (all.map(|(_, condition, outcome, origin)| Route { condition, outcome, origin }).collect(), last)
    }
}
