//! What `nginx -t` refuses whatever it would mean: directives that stand where they must not, twice, or with words that are
//! none; names that nobody defines. What each directive takes is told by [`super::directives`].

use super::directives::{
    ANYWHERE, Contexts, EVENTS, EXCEPT, Form, HTTP, IF_LOCATION, IF_SERVER, LOCATION, MAIN, Repeat, Row, SERVER,
    STREAM, UPSTREAM, rows,
};
use super::http::block;
use super::names::Names;
use super::syntax::{Directive, Word};
use super::values::{fits, is_broken, is_hashed, is_network, is_range, is_server_name, is_time, number, size};
use super::variables::captures;
use crate::formats::account::Account;
use crate::text::{SourceId, Span, escape};
use std::collections::BTreeSet;

/// Reports what nginx refuses.
pub(super) fn check(lists: &[(SourceId, Vec<Directive>)], account: &mut Account) {
    let whole = |list: &[Directive]| list.iter().any(|d| ["http", "stream", "events", "mail"].iter().any(|n| d.is(n)));
    for (_, list) in lists {
        let names = Names::of(list, whole(list));
        let context = if whole(list) { MAIN } else { ANYWHERE };
        Checker { account, names }.list(list, context, Place::Server);
    }
}

/// What a block is in, for paths that may not be rewritten there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Server,
    /// A location for paths that begin so or are so.
    Path,
    /// A location for paths that an expression matches.
    Expression,
    /// A location that is asked by name.
    Named,
    /// `if` or `limit_except`.
    Branch,
}

struct Checker<'a> {
    account: &'a mut Account,
    names: Names,
}

/// Directives of which one is enough.
const TOGETHER: &[&[u8]] = &[b"root", b"alias"];

impl Checker<'_> {
    fn refuse(&mut self, at: Span, reason: impl std::fmt::Display) {
        self.account.gap(at, format!("nginx refuses it: {reason}"));
    }

    fn list(&mut self, list: &[Directive], context: Contexts, place: Place) {
        let mut seen: BTreeSet<&[u8]> = BTreeSet::new();
        for directive in list {
            let name = &directive.name[..];
            if let Some(row) = self.row(directive, context) {
                let together = TOGETHER.contains(&name) && context & SERVER == 0;
                let twin = if together { TOGETHER[0] } else { name };
                if row.repeat == Repeat::Once && !seen.insert(twin) {
                    self.refuse(directive.span, format!("\"{}\" directive is duplicate", escape(name)));
                }
                self.words(directive, row);
                // The names of `stream` are others.
                let unknown = if context != STREAM { self.names.unknown(directive) } else { Vec::new() };
                unknown.into_iter().for_each(|reason| self.refuse(directive.span, reason));
            }
            self.special(directive, place);
            self.inside(directive, context, place);
        }
    }

    /// What a directive takes where it stands; `None`: it is refused, or none that is known.
    fn row(&mut self, directive: &Directive, context: Contexts) -> Option<&'static Row> {
        let shown = escape(&directive.name);
        let all = rows(&directive.name);
        let stands = |row: &&&Row| row.contexts & context != 0;
        // Of `stream` little is known but what it has in common with `http`.
        let lax = context == STREAM && !all.iter().any(|row| row.contexts & STREAM != 0);
        let here: Vec<&Row> = all.iter().filter(|row| lax || stands(row)).copied().collect();
        if here.is_empty() {
            if !all.is_empty() {
                self.refuse(directive.head, format!("\"{shown}\" directive is not allowed here"));
            }
            return None;
        }
        let shaped: Vec<&&Row> =
            here.iter().filter(|row| (row.form == Form::Block) == directive.block.is_some()).collect();
        let Some(row) = shaped.first() else {
            let reason = if directive.block.is_some() { "is not terminated by \";\"" } else { "has no opening \"{\"" };
            self.refuse(directive.head, format!("directive \"{shown}\" {reason}"));
            return None;
        };
        let words: Vec<&[u8]> = directive.words.iter().map(|word| &word.text[..]).collect();
        let mut counted = shaped.iter().filter(|row| (row.words.0..=row.words.1).contains(&words.len())).peekable();
        let Some(first) = counted.peek().copied() else {
            self.refuse(directive.head, format!("invalid number of arguments in \"{shown}\" directive"));
            return Some(row);
        };
        Some(counted.find(|row| fits(row.form, &words)).unwrap_or(first))
    }

    fn words(&mut self, directive: &Directive, row: &Row) {
        let words: Vec<&[u8]> = directive.words.iter().map(|word| &word.text[..]).collect();
        if !words.is_empty() && !fits(row.form, &words) {
            let name = escape(&directive.name);
            self.refuse(directive.span, format!("invalid value \"{}\" in \"{name}\" directive", directive.said()));
        }
    }

    fn inside(&mut self, directive: &Directive, context: Contexts, place: Place) {
        let list = block(directive);
        let (context, place) = match &directive.name[..] {
            b"events" => (EVENTS, place),
            b"http" => (HTTP, place),
            b"stream" | b"mail" => (STREAM, place),
            b"upstream" => {
                if context != STREAM {
                    self.upstream(directive);
                }
                (if context == STREAM { STREAM } else { UPSTREAM }, place)
            }
            b"server" if context == STREAM || (context == ANYWHERE && super::is_of_stream(directive)) => {
                (STREAM, place)
            }
            b"server" => (SERVER, Place::Server),
            b"location" => {
                let place = location(directive);
                let named = called_location(list).next().filter(|_| place == Place::Named);
                if let Some(inner) = named {
                    self.refuse(inner.head, "a location cannot be inside a named one");
                }
                (LOCATION, place)
            }
            b"if" if context & SERVER != 0 => (IF_SERVER, Place::Branch),
            b"if" => (IF_LOCATION, Place::Branch),
            b"limit_except" => (EXCEPT, Place::Branch),
            b"map" => return self.map(directive),
            b"geo" => return self.geo(directive),
            // Their entries are no directives, or not known.
            _ => return,
        };
        self.list(list, context, place);
    }

    fn expression(&mut self, word: &Word, expression: &[u8]) {
        if is_broken(expression, &captures(expression)) {
            self.refuse(word.span, format!("\"{}\" is no regular expression", escape(expression)));
        }
    }

    /// What the words of single directives have to be.
    fn special(&mut self, directive: &Directive, place: Place) {
        let words = &directive.words[..];
        let refused = match (&directive.name[..], words) {
            (b"location", [sign, word]) if matches!(&sign.text[..], b"~" | b"~*") => {
                return self.expression(word, &word.text);
            }
            (b"location", [word]) if word.text.starts_with(b"~") => {
                let expression = word.text.trim_ascii_start();
                let expression = expression.strip_prefix(b"~*").or_else(|| expression.strip_prefix(b"~"));
                return self.expression(word, expression.unwrap_or_default());
            }
            (b"rewrite", [word, ..]) => return self.expression(word, &word.text),
            (b"server_name", _) => {
                for word in words {
                    match word.text.strip_prefix(b"~") {
                        Some(expression) if !expression.is_empty() => self.expression(word, expression),
                        _ if is_server_name(&word.text) => {}
                        _ => self.refuse(word.span, format!("invalid server name \"{}\"", escape(&word.text))),
                    }
                }
                return;
            }
            (b"if", _) => return self.condition(directive),
            (b"return", [code]) => {
                let address = [&b"http://"[..], b"https://", b"$scheme"].iter().any(|p| code.text.starts_with(p));
                !address && number(&code.text).is_none_or(|code| code > 999)
            }
            (b"return", [code, _]) => number(&code.text).is_none_or(|code| code > 999),
            (b"set", [variable, _]) => !is_variable(&variable.text) || is_fixed(&variable.text),
            (b"try_files", [.., last]) => {
                last.text.strip_prefix(b"=").is_some_and(|code| number(code).is_none_or(|code| code > 999))
            }
            (b"error_page", [codes @ .., _]) => {
                let codes = match codes {
                    [codes @ .., last] if last.text.starts_with(b"=") => codes,
                    codes => codes,
                };
                let wrong = |code: u64| !(300..=599).contains(&code) || code == 499;
                codes.is_empty() || codes.iter().any(|word| number(&word.text).is_none_or(wrong))
            }
            (b"error_log", [_, level]) => {
                const LEVELS: &[&[u8]] =
                    &[b"debug", b"info", b"notice", b"warn", b"error", b"crit", b"alert", b"emerg"];
                !LEVELS.contains(&&level.text[..]) && !level.text.starts_with(b"debug_")
            }
            (b"limit_req_zone", [_, rest @ ..]) => {
                let rate = |text: &[u8]| {
                    let count = text.strip_suffix(b"r/s").or_else(|| text.strip_suffix(b"r/m"));
                    count.and_then(number).is_some_and(|count| count > 0)
                };
                let known = |word: &Word| match word.text.strip_prefix(b"rate=") {
                    Some(text) => rate(text),
                    None => word.text == b"sync" || is_zone(&word.text),
                };
                let has = |name: &[u8]| rest.iter().any(|word| word.text.starts_with(name));
                !rest.iter().all(known) || !has(b"rate=") || !has(b"zone=")
            }
            (b"limit_conn_zone", [_, zone]) => !is_zone(&zone.text),
            (b"expires", [.., time]) => {
                let sign = [&b"-"[..], b"+", b"@"].iter().find_map(|sign| time.text.strip_prefix(*sign));
                let text = sign.unwrap_or(&time.text);
                !matches!(text, b"epoch" | b"max" | b"off") && !text.contains(&b'$') && !is_time(text)
            }
            (name, [codes @ .., time]) if name.ends_with(b"_cache_valid") => {
                let code = |word: &Word| number(&word.text).is_some_and(|code| (100..=999).contains(&code));
                !is_time(&time.text) || !codes.iter().all(|word| word.text == b"any" || code(word))
            }
            (b"fastcgi_pass" | b"uwsgi_pass" | b"scgi_pass" | b"memcached_pass", [to]) => {
                !self.names.has_port(&to.text)
            }
            (b"proxy_pass", [to]) => return self.asked(directive, to, place),
            (b"listen", [place, options @ ..]) => {
                let text = &place.text[..];
                let bare = text.starts_with(b"-") || text == b"unix:" || text.starts_with(b"[") != text.contains(&b']');
                let wrong = |word: &Word| match word.text.iter().position(|byte| *byte == b'=') {
                    Some(at) => match (&word.text[..at], &word.text[at + 1..]) {
                        (b"rcvbuf" | b"sndbuf", value) => size(value).is_none(),
                        (b"backlog", value) => value != b"-1" && number(value).is_none_or(|value| value == 0),
                        (b"fastopen" | b"setfib", value) => number(value).is_none(),
                        (b"so_keepalive", value) => {
                            let parts = |part: &[u8]| part.is_empty() || is_time(part);
                            let three = value.contains(&b':') && value.split(|byte| *byte == b':').all(parts);
                            !three && value != b"on" && value != b"off"
                        }
                        _ => false,
                    },
                    None => false,
                };
                bare || options.iter().any(wrong)
            }
            _ => false,
        };
        if refused {
            let name = escape(&directive.name);
            self.refuse(directive.span, format!("invalid value \"{}\" in \"{name}\" directive", directive.said()));
        }
    }

    /// A condition of the rewrite module begins with a variable or a test.
    fn condition(&mut self, directive: &Directive) {
        let mut words: Vec<&[u8]> = directive.words.iter().map(|word| &word.text[..]).collect();
        if let Some(first) = words.first_mut() {
            *first = first.strip_prefix(b"(").unwrap_or(first);
        }
        if let Some(last) = words.last_mut() {
            *last = last.strip_suffix(b")").unwrap_or(last);
        }
        words.retain(|word| !word.is_empty());
        let right = match &words[..] {
            [variable] => is_variable(variable),
            [test, _] => test.starts_with(b"-") || test.starts_with(b"!-"),
            [variable, operator, expression] => {
                if operator.ends_with(b"~") || operator.ends_with(b"~*") {
                    let word = directive.words.iter().rfind(|word| word.text.starts_with(expression));
                    let word = word.or(directive.words.last()).cloned();
                    word.into_iter().for_each(|word| self.expression(&word, expression));
                }
                is_variable(variable)
            }
            _ => false,
        };
        if !right {
            self.refuse(directive.head, format!("invalid condition \"{}\"", directive.said()));
        }
    }

    fn asked(&mut self, directive: &Directive, to: &Word, place: Place) {
        let text = &to.text[..];
        let rest = [&b"http://"[..], b"https://"].iter().find_map(|scheme| text.strip_prefix(*scheme));
        let Some(rest) = rest.filter(|_| !text.contains(&b'$')) else { return };
        let (host, path) = match rest.strip_prefix(b"unix:") {
            Some(socket) => match socket.iter().position(|byte| *byte == b':') {
                Some(at) => (socket, &socket[at + 1..]),
                None => (socket, &b""[..]),
            },
            None => rest.split_at(rest.iter().position(|byte| *byte == b'/').unwrap_or(rest.len())),
        };
        if host.is_empty() || host.iter().any(u8::is_ascii_whitespace) {
            self.refuse(directive.span, format!("no host in upstream \"{}\"", escape(rest)));
        }
        let port = host.iter().rposition(|byte| *byte == b':').filter(|_| !rest.starts_with(b"unix:"));
        if let Some(name) = port.map(|at| &host[..at]).filter(|name| self.names.groups.contains(*name)) {
            self.refuse(directive.span, format!("upstream \"{}\" may not have a port", escape(name)));
        }
        let fixed = match place {
            Place::Server | Place::Path => false,
            Place::Expression | Place::Named | Place::Branch => true,
        };
        if fixed && !path.is_empty() {
            let reason = "\"proxy_pass\" cannot have URI part in location given by regular expression, or inside named \
                          location, or inside \"if\" statement, or inside \"limit_except\" block";
            self.refuse(directive.span, reason);
        }
    }

    /// A group has servers, and spare ones only beside others and where its method knows such.
    fn upstream(&mut self, directive: &Directive) {
        const WITHOUT_SPARE: &[&[u8]] = &[b"ip_hash", b"hash", b"random"];
        let list = block(directive);
        let servers: Vec<&Directive> = list.iter().filter(|inner| inner.is("server")).collect();
        let spare = |server: &Directive| server.words.iter().any(|word| word.text == b"backup");
        let known = list.iter().all(|inner| inner.is("server") || !rows(&inner.name).is_empty());
        if known && servers.iter().all(|server| spare(server)) && !list.iter().any(|inner| inner.is("state")) {
            let reason = if servers.is_empty() { "no servers are inside upstream" } else { "no servers in upstream" };
            self.refuse(directive.head, reason);
        }
        let method = list.iter().position(|inner| WITHOUT_SPARE.contains(&&inner.name[..]));
        let behind = method.map_or(&[][..], |at| &list[at..]);
        for server in behind.iter().filter(|inner| inner.is("server") && spare(inner)) {
            self.refuse(server.span, "balancing method does not support parameter \"backup\"");
        }
        for server in servers {
            for word in server.words.iter().skip(1) {
                let Some(at) = word.text.iter().position(|byte| *byte == b'=') else { continue };
                let value = &word.text[at + 1..];
                let right = match &word.text[..at] {
                    b"max_fails" | b"max_conns" => number(value).is_some(),
                    b"fail_timeout" | b"slow_start" => is_time(value),
                    _ => true,
                };
                if !right {
                    self.refuse(word.span, format!("invalid parameter \"{}\"", escape(&word.text)));
                }
            }
        }
        for method in list.iter().filter(|inner| inner.is("random")) {
            let wrong = match &method.words[..] {
                [] => false,
                [two, rest @ ..] => {
                    let known = |word: &Word| word.text == b"least_conn" || word.text.starts_with(b"least_time=");
                    two.text != b"two" || !rest.iter().all(known)
                }
            };
            if wrong {
                self.refuse(method.span, format!("invalid parameter in \"random {}\"", method.said()));
            }
        }
    }

    /// The entries of a map: a text and its value, each text once.
    fn map(&mut self, directive: &Directive) {
        if let [_, variable] = &directive.words[..]
            && (!is_variable(&variable.text) || is_fixed(&variable.text))
        {
            self.refuse(variable.span, format!("invalid variable name \"{}\"", escape(&variable.text)));
        }
        let mut seen: BTreeSet<Vec<u8>> = BTreeSet::new();
        for entry in block(directive) {
            let name = &entry.name[..];
            let alone = matches!(name, b"hostnames" | b"volatile");
            if entry.words.len() != usize::from(!alone) {
                self.refuse(entry.span, "invalid number of the map parameters");
            } else if let Some(expression) = name.strip_prefix(b"~") {
                let word = Word { text: entry.name.clone(), span: entry.head };
                self.expression(&word, expression.strip_prefix(b"*").unwrap_or(expression));
            } else if seen.contains(&b"hostnames"[..]) && !is_hashed(name) {
                self.refuse(entry.span, format!("invalid hostname or wildcard \"{}\"", escape(name)));
            } else if !seen.insert(name.to_ascii_lowercase()) {
                self.refuse(entry.span, format!("conflicting parameter \"{}\"", escape(name)));
            }
        }
    }

    /// The entries of a geo: networks or ranges, and their values.
    fn geo(&mut self, directive: &Directive) {
        let ranges = block(directive).first().is_some_and(|entry| entry.is("ranges"));
        for entry in block(directive) {
            let first = entry.first();
            let right = match &entry.name[..] {
                b"ranges" | b"proxy_recursive" => entry.words.is_empty(),
                b"default" | b"include" => entry.words.len() == 1,
                b"delete" if ranges => is_range(first),
                b"delete" | b"proxy" => is_network(first),
                name if ranges => is_range(name) && entry.words.len() == 1,
                name => is_network(name) && entry.words.len() == 1,
            };
            if !right {
                self.refuse(entry.span, format!("invalid network \"{}\"", escape(&entry.name)));
            }
        }
    }
}

fn called_location(list: &[Directive]) -> impl Iterator<Item = &Directive> {
    list.iter().filter(|directive| directive.is("location"))
}

/// What a location is for.
fn location(directive: &Directive) -> Place {
    match directive.first() {
        [b'@', ..] => Place::Named,
        [b'~', ..] => Place::Expression,
        _ => Place::Path,
    }
}

fn is_variable(word: &[u8]) -> bool {
    word.len() > 1 && word.starts_with(b"$")
}

/// Whether a variable is one of nginx that nothing else may set.
fn is_fixed(word: &[u8]) -> bool {
    word.strip_prefix(b"$").is_some_and(super::names::is_fixed)
}

/// `zone=name:size`, with enough for what is counted (8 pages).
fn is_zone(word: &[u8]) -> bool {
    let zone = word.strip_prefix(b"zone=").and_then(|zone| {
        let at = zone.iter().position(|byte| *byte == b':')?;
        Some((&zone[..at], size(&zone[at + 1..])?))
    });
    zone.is_some_and(|(name, size)| !name.is_empty() && size >= 8 * 4096)
}
