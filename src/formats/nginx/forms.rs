//! What `nginx -t` refuses whatever it would mean: directives that stand where they must not, twice, or with words that are
//! none; names that nobody defines. What each directive takes is told by [`super::directives`].

use super::directives::{
    ANYWHERE, Contexts, EVENTS, EXCEPT, Form, HTTP, IF_LOCATION, IF_SERVER, LOCATION, MAIN, Repeat, Row, SERVER,
    STREAM, STREAM_SERVER, STREAM_UPSTREAM, UPSTREAM, rows,
};
use super::expressions::is_broken;
use super::http::block;
use super::names::Names;
use super::relations;
use super::syntax::{Directive, Word};
use super::values::{Unit, fits, is_listen, is_server_name, number, time};
use super::variables::captures;
use crate::formats::account::Account;
use crate::text::{SourceId, Span, escape};
use std::collections::BTreeSet;

/// Reports what nginx refuses. `complete`: all that is included is at hand, so that what is not there is nowhere.
pub(super) fn check(lists: &[(SourceId, Vec<Directive>)], complete: bool, account: &mut Account) {
    const PARTS: &[&str] = &["http", "stream", "events", "mail"];
    let whole = |list: &[Directive]| list.iter().any(|d| PARTS.iter().any(|part| d.is(part)));
    let mut parts = lists.iter().flat_map(|(_, list)| list).filter(|d| PARTS.iter().any(|part| d.is(part)));
    if let Some(first) = parts.clone().next().filter(|_| complete && !parts.any(|part| part.is("events"))) {
        account.gap(first.head, "nginx refuses it: no \"events\" section in configuration");
    }
    for (_, list) in lists {
        let known = complete && whole(list);
        let names = Names::of(list, known);
        let streams = Names::of_stream(list, known);
        let context = if whole(list) { MAIN } else { ANYWHERE };
        Checker { account, names, streams }.list(list, context, Place::Server);
        relations::check(list, known, account);
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

pub(super) struct Checker<'a> {
    account: &'a mut Account,
    names: Names,
    /// Those of `stream`.
    streams: Names,
}

const TESTS: &[&[u8]] = &[b"-f", b"-d", b"-e", b"-x"];
const OPERATORS: &[&[u8]] = &[b"=", b"!=", b"~", b"~*", b"!~", b"!~*"];

/// Directives of which one is enough.
const TOGETHER: &[&[u8]] = &[b"root", b"alias"];

impl Checker<'_> {
    pub(super) fn refuse(&mut self, at: Span, reason: impl std::fmt::Display) {
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
                self.unknown(directive, context);
            }
            self.special(directive, context, place);
            self.inside(directive, context, place);
        }
    }

    /// What a directive takes where it stands; `None`: it is refused, or none that is known.
    fn row(&mut self, directive: &Directive, context: Contexts) -> Option<&'static Row> {
        let shown = escape(&directive.name);
        let all = rows(&directive.name);
        let stands = |row: &&&Row| row.contexts & context != 0;
        let here: Vec<&Row> = all.iter().filter(stands).copied().collect();
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

    /// Names that nobody defines; those of `stream` are others.
    pub(super) fn unknown(&mut self, directive: &Directive, context: Contexts) {
        let names = if streams(context) { &self.streams } else { &self.names };
        names.unknown(directive).into_iter().for_each(|reason| self.refuse(directive.span, reason));
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
            b"stream" => (STREAM, place),
            b"upstream" => {
                self.upstream(directive, context);
                let context = match context {
                    STREAM => STREAM_UPSTREAM,
                    ANYWHERE => UPSTREAM | STREAM_UPSTREAM,
                    _ => UPSTREAM,
                };
                (context, place)
            }
            b"server" if context == STREAM || (context == ANYWHERE && super::is_of_stream(directive)) => {
                (STREAM_SERVER, place)
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
            b"map" => return self.map(directive, context),
            b"geo" => return self.geo(directive),
            b"split_clients" => return self.split_clients(directive),
            b"charset_map" => return self.charset_map(directive),
            // Their entries are no directives, or not known.
            _ => return,
        };
        self.list(list, context, place);
    }

    pub(super) fn expression(&mut self, word: &Word, expression: &[u8]) {
        let names = captures(expression);
        if is_broken(expression, &names) {
            self.refuse(word.span, format!("\"{}\" is no regular expression", escape(expression)));
        }
        for name in names.iter().filter(|name| super::names::is_fixed(name)) {
            self.refuse(word.span, format!("the duplicate \"{}\" variable", escape(name)));
        }
    }

    /// What the words of single directives have to be.
    fn special(&mut self, directive: &Directive, context: Contexts, place: Place) {
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
            (b"rewrite", [word, to, ..]) => {
                self.expression(word, &word.text);
                to.text.is_empty()
            }
            (b"alias", [_]) if place == Place::Named => true,
            (b"root" | b"alias", [path]) => {
                // What a root is, is made of it.
                let made = |name: &[u8]| memchr::memmem::find(&path.text, name).is_some();
                made(b"$document_root") || made(b"$realpath_root")
            }
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
            (b"return", _) if streams(context) => false,
            (b"return", [code]) => {
                let address = [&b"http://"[..], b"https://", b"$scheme"].iter().any(|p| code.text.starts_with(p));
                !address && number(&code.text).is_none_or(|code| code > 999)
            }
            (b"return", [code, _]) => number(&code.text).is_none_or(|code| code > 999),
            (b"set", [variable, _]) if streams(context) => !is_variable(&variable.text),
            (b"set" | b"auth_request_set", [variable, _]) => !is_variable(&variable.text) || is_fixed(&variable.text),
            (b"try_files", [.., last]) => {
                last.text.strip_prefix(b"=").is_some_and(|code| number(code).is_none_or(|code| code > 999))
            }
            (b"error_page", [codes @ .., _]) => {
                let (codes, answer) = match codes {
                    [codes @ .., last] if last.text.starts_with(b"=") => (codes, &last.text[1..]),
                    codes => (codes, &b""[..]),
                };
                let wrong = |code: u64| !(300..=599).contains(&code) || code == 499;
                codes.is_empty()
                    || (!answer.is_empty() && number(answer).is_none())
                    || codes.iter().any(|word| number(&word.text).is_none_or(wrong))
            }
            (b"fastcgi_pass" | b"uwsgi_pass" | b"scgi_pass" | b"memcached_pass" | b"grpc_pass", [to]) => {
                self.names.refuses(&to.text)
            }
            (b"proxy_pass", [to]) if streams(context) => self.streams.refuses(&to.text),
            (b"proxy_pass", [to]) => return self.asked(directive, to, place),
            (b"listen", [place, ..]) => !is_listen(&place.text),
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
        // A parenthesis may be a word of its own; a text of nothing is one.
        let alone = |word: Option<&Word>, sign: &[u8]| word.is_some_and(|word| word.text == sign);
        let from = usize::from(alone(directive.words.first(), b"("));
        let to = words.len() - usize::from(alone(directive.words.last(), b")")).min(words.len());
        let right = match words.get(from..to).unwrap_or_default() {
            [variable] => is_variable(variable),
            [test, _] => TESTS.contains(&test.strip_prefix(b"!").unwrap_or(test)),
            [variable, operator, expression] => {
                if operator.ends_with(b"~") || operator.ends_with(b"~*") {
                    let word = directive.words.iter().rfind(|word| word.text.starts_with(expression));
                    let word = word.or(directive.words.last()).cloned();
                    word.into_iter().for_each(|word| self.expression(&word, expression));
                }
                is_variable(variable) && OPERATORS.contains(operator)
            }
            _ => false,
        };
        if !right {
            self.refuse(directive.head, format!("invalid condition \"{}\"", directive.said()));
        }
    }

    fn asked(&mut self, directive: &Directive, to: &Word, place: Place) {
        let text = &to.text[..];
        let begins = |scheme: &&&[u8]| text.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme));
        const SCHEMES: &[&[u8]] = &[b"http://", b"https://"];
        let Some(scheme) = SCHEMES.iter().find(begins) else { return };
        let rest = &text[scheme.len()..];
        if text.contains(&b'$') {
            return;
        }
        let (asked, path) = match rest.strip_prefix(b"unix:") {
            Some(socket) => match socket.iter().position(|byte| *byte == b':') {
                Some(at) => (&rest[..b"unix:".len() + at], &socket[at + 1..]),
                None => (rest, &b""[..]),
            },
            None => rest.split_at(rest.iter().position(|byte| matches!(byte, b'/' | b'?')).unwrap_or(rest.len())),
        };
        match super::values::place(asked) {
            None => self.refuse(directive.span, format!("no host in upstream \"{}\"", escape(rest))),
            Some((name, Some(_))) if self.names.is_group(name) => {
                self.refuse(directive.span, format!("upstream \"{}\" may not have a port", escape(name)));
            }
            Some(_) => {}
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
    fn upstream(&mut self, directive: &Directive, context: Contexts) {
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
            let place = super::values::place(server.first());
            if place.is_none() || (context == STREAM && place.is_some_and(|(_, port)| port.is_none())) {
                self.refuse(server.span, format!("no host or port in upstream \"{}\"", escape(server.first())));
            }
            for word in server.words.iter().skip(1) {
                let Some(at) = word.text.iter().position(|byte| *byte == b'=') else { continue };
                let value = &word.text[at + 1..];
                let right = match &word.text[..at] {
                    b"max_fails" | b"max_conns" => number(value).is_some(),
                    b"fail_timeout" | b"slow_start" => time(value, Unit::Seconds).is_some(),
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

pub(super) fn is_variable(word: &[u8]) -> bool {
    word.len() > 1 && word.starts_with(b"$")
}

/// Whether a variable is one of nginx that nothing else may set.
pub(super) fn is_fixed(word: &[u8]) -> bool {
    word.strip_prefix(b"$").is_some_and(super::names::is_fixed)
}

/// Whether a place is one in `stream`.
fn streams(context: Contexts) -> bool {
    context != ANYWHERE && context & (STREAM | STREAM_SERVER | STREAM_UPSTREAM) != 0
}
