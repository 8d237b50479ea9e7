//! Groups of servers: `upstream` (`ngx_http_upstream_module`, `ngx_stream_upstream_module`), and servers that are named where
//! they are asked.

use super::Lowering;
use super::syntax::{Directive, Word};
use super::words::is_setting;
use crate::model::{Backend, Server};
use crate::text::{Span, escape};
use std::collections::HashSet;

impl Lowering<'_, '_> {
    /// A group of servers. `elsewhere`: groups of which names are apart from these.
    pub(super) fn upstream(&mut self, directive: &Directive, elsewhere: &HashSet<String>) {
        let name = escape(directive.first());
        let (mut servers, mut settings, mut open, mut check) = (Vec::new(), Vec::new(), None, None);
        for inner in directive.block.as_deref().unwrap_or_default() {
            match &inner.name[..] {
                b"server" => servers.extend(self.server_of_group(inner)),
                b"ip_hash" | b"least_conn" | b"hash" | b"random" | b"least_time" | b"fair" | b"sticky" => {
                    settings.push(format!("{} {}", escape(&inner.name), inner.said()).trim_end().to_owned());
                }
                b"state" => open = Some("from a file of its state".to_owned()),
                b"check" | b"health_check" => check = Some(inner.said()),
                b"zone" | b"queue" | b"ntlm" | b"check_http_send" | b"check_http_expect_alive" => {
                    self.inert(inner, "how a server is asked, not which");
                }
                name if is_setting(name) => {
                    settings.push(format!("{} {}", escape(name), inner.said()).trim_end().to_owned());
                }
                _ => self.other(inner),
            }
        }
        if let Some(method) = directive.block.iter().flatten().find(|inner| counts(inner)) {
            let order: Vec<String> = servers.iter().map(|(server, _)| server.name.clone()).collect();
            settings.push(format!("{} over {}", escape(&method.name), order.join(" ")));
        }
        if servers.iter().any(|(_, resolves)| *resolves) {
            open = Some("names are looked up again and again".to_owned());
        }
        let folded = name.to_ascii_lowercase();
        if self.groups.contains_key(&folded) || !self.backends.insert(name.clone()) {
            let reason = match elsewhere.iter().any(|other| other.eq_ignore_ascii_case(&name)) {
                true => "a group of `http` is called so as well: they are not told apart here".to_owned(),
                false => format!("nginx refuses it: duplicate upstream \"{name}\""),
            };
            self.account.gap(directive.head, reason);
            return;
        }
        self.groups.insert(folded, name.clone());
        let checked = check.is_some();
        let servers = servers
            .into_iter()
            .map(|(server, _)| Server { check: if checked { Some(None) } else { server.check }, ..server });
        self.reading.configuration.backends.push(Backend {
            name,
            servers: servers.collect(),
            open,
            health_check: check,
            sources: None,
            settings: settings.join("; "),
            owner: None,
            origin: directive.head,
        });
    }

    /// A server, and whether its name is looked up again at run time.
    fn server_of_group(&mut self, directive: &Directive) -> Option<(Server, bool)> {
        let place = directive.words.first()?;
        let (address, port) = self.place(place, 80);
        let mut server =
            Server { check: Some(None), ..Server::new(escape(&place.text), address, port, directive.span) };
        let (mut resolves, mut settings) = (false, Vec::new());
        for word in directive.words.iter().skip(1) {
            let text = escape(&word.text);
            match text.split_once('=') {
                None if text == "down" => server.enabled = Some(false),
                None if text == "backup" => server.backup = true,
                None if text == "resolve" => resolves = true,
                None if text == "drain" => server.weight = Some(0),
                Some(("weight", value)) => match value.parse() {
                    Ok(weight) if weight > 0 => server.weight = Some(weight),
                    Ok(_) | Err(_) => {
                        self.account.gap(word.span, format!("nginx refuses it: invalid parameter \"{text}\""))
                    }
                },
                // Failures that are met in passing are all that nginx looks at; 0 turns that off.
                Some(("max_fails", "0")) => server.check = None,
                Some(("max_fails" | "fail_timeout" | "max_conns" | "slow_start" | "route" | "service" | "id", _)) => {
                    settings.push(text);
                }
                None | Some(_) => {
                    self.account.gap(word.span, format!("nginx refuses it: invalid parameter \"{text}\""))
                }
            }
        }
        settings.sort();
        server.settings = settings.join(" ");
        Some((server, resolves))
    }

    /// The address and port of `host:port`, `host`, `[::1]:80`, `unix:/path`.
    fn place(&mut self, word: &Word, otherwise: u16) -> (String, Option<u16>) {
        let text = escape(&word.text);
        if let Some(path) = text.strip_prefix("unix:") {
            return (path.to_owned(), None);
        }
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') && !host.is_empty() => (host.to_owned(), Some(port.to_owned())),
            Some(_) | None => (text.clone(), None),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let port = match port {
            None => Some(otherwise),
            Some(port) => {
                let number = port.parse().ok().filter(|port| *port > 0);
                if number.is_none() && !port.contains('$') {
                    self.account.gap(word.span, format!("nginx refuses it: invalid port in \"{text}\""));
                }
                number
            }
        };
        (host, port)
    }

    /// The backend that is asked by a name or a place: a group of that name, or one server of its own.
    pub(super) fn asked(&mut self, written: &str, span: Span, otherwise: u16) -> String {
        if self.backends.contains(written) {
            return written.to_owned();
        }
        // Groups are the same in small letters and in capitals.
        if let Some(name) = self.groups.get(&written.to_ascii_lowercase()) {
            return name.clone();
        }
        let word = Word { text: written.as_bytes().to_vec(), span };
        let (address, port) = self.place(&word, otherwise);
        let shown = match (address.contains(':'), port) {
            (_, None) => address.clone(),
            (true, Some(port)) => format!("[{address}]:{port}"),
            (false, Some(port)) => format!("{address}:{port}"),
        };
        if self.backends.insert(shown.clone()) {
            let server = Server::new(shown.clone(), address, port, span);
            self.reading.configuration.backends.push(Backend {
                name: shown.clone(),
                servers: vec![server],
                open: None,
                health_check: None,
                sources: None,
                settings: String::new(),
                owner: None,
                origin: span,
            });
        }
        shown
    }
}

/// Whether a method of choice counts servers, so that their order decides. `consistent` places them by their names
/// (`ngx_http_upstream_hash_module`, `ngx_http_upstream_ip_hash_module`).
fn counts(method: &Directive) -> bool {
    method.is("ip_hash") || (method.is("hash") && !method.words.iter().any(|word| word.text == b"consistent"))
}
