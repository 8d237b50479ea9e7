//! What becomes of requests in a server or location: first what the rewrite module says (`return`, `if`, `rewrite`), then who
//! may ask (`allow`, `deny`, `auth_basic`), then who answers (`proxy_pass`, `try_files`, files).

use super::Lowering;
use super::http::{block, is_tls_setting};
use super::locations::under;
use super::syntax::{Directive, called};
use super::variables::{anew, everything, known, variables};
use super::words::is_pass;
use crate::formats::balancers;
use crate::model::{Condition, Outcome, Subject, Test};
use crate::net::{Family, Field, Pattern, Set, parse_addresses};
use crate::text::{Span, escape};
use std::collections::BTreeMap;

/// One decision.
#[derive(Debug, Clone)]
pub(super) struct Piece {
    pub(super) condition: Condition,
    pub(super) outcome: Outcome,
    pub(super) at: Span,
}

/// How many times nginx goes on to another location before it gives up (`NGX_HTTP_MAX_URI_CHANGES`).
const MOST_NAMED: usize = 10;

/// What a block inherits from those around it.
#[derive(Debug, Clone, Default)]
pub(super) struct Scope {
    /// The addresses that are denied, and where that is said; `None`: none.
    denied: Option<((Set, Set), Span)>,
    /// The header from which the address of a client is taken.
    real_ip: Option<String>,
    /// Whose credentials are asked for.
    credentials: Option<(String, Span)>,
    /// Which users there are.
    users: String,
    /// Whether one of address and credentials is enough.
    any: bool,
    /// Where files are.
    files: String,
    /// Which files stand for a folder.
    tries: Option<Directive>,
    /// How many locations were asked by name on the way here.
    named: usize,
}

/// What the whole of a server says.
pub(super) struct Context<'c> {
    /// Whether TLS is spoken.
    tls: bool,
    /// How variables come about, by name.
    pub(super) definitions: &'c BTreeMap<Vec<u8>, String>,
    /// The locations that can be asked by name only.
    named: BTreeMap<&'c [u8], &'c Directive>,
    /// All that the server says, for what is decided anew.
    pub(super) all: String,
}

/// Whether a directive is read as part of a [`Scope`].
pub(super) fn is_of_scope(name: &[u8]) -> bool {
    matches!(
        name,
        b"allow"
            | b"deny"
            | b"auth_basic"
            | b"auth_basic_user_file"
            | b"satisfy"
            | b"real_ip_header"
            | b"root"
            | b"alias"
            | b"ssl"
            | b"ssl_certificate"
            | b"try_files"
            | b"auth_request"
            | b"auth_jwt"
            | b"auth_jwt_key_file"
    ) || is_tls_setting(name)
}

impl Scope {
    /// What holds inside of a block.
    pub(super) fn inside(&self, lowering: &mut Lowering<'_, '_>, block: &[Directive]) -> Self {
        let mut inner = self.clone();
        inner.enter(lowering, block);
        inner
    }

    pub(super) fn enter(&mut self, lowering: &mut Lowering<'_, '_>, block: &[Directive]) {
        let access: Vec<&Directive> = block.iter().filter(|d| d.is("allow") || d.is("deny")).collect();
        if let Some(first) = access.first() {
            let (mut ipv4, mut ipv6) = (Set::empty(), Set::empty());
            for directive in access.iter().rev() {
                let Some((four, six)) = lowering.addresses(directive) else { continue };
                let deny = directive.is("deny");
                ipv4 = if deny { ipv4.union(&four) } else { ipv4.difference(&four) };
                ipv6 = if deny { ipv6.union(&six) } else { ipv6.difference(&six) };
            }
            self.denied = (!ipv4.is_empty() || !ipv6.is_empty()).then_some(((ipv4, ipv6), first.span));
        }
        for directive in block {
            match &directive.name[..] {
                b"real_ip_header" => self.real_ip = Some(escape(directive.first())),
                b"auth_basic" | b"auth_jwt" | b"auth_request" if directive.first() == b"off" => self.credentials = None,
                b"auth_basic" | b"auth_jwt" | b"auth_request" => {
                    self.credentials =
                        Some((format!("{} {}", escape(&directive.name), directive.said()), directive.span));
                }
                b"auth_basic_user_file" | b"auth_jwt_key_file" => {
                    self.users = format!(", {} {}", escape(&directive.name), directive.said());
                }
                b"satisfy" => self.any = directive.first() == b"any",
                b"root" | b"alias" => self.files = format!("{} {}", escape(&directive.name), directive.said()),
                b"try_files" => self.tries = Some(directive.clone()),
                _ => {}
            }
        }
    }
}

impl Lowering<'_, '_> {
    /// What becomes of the requests to a server; the last piece is for all that are left.
    pub(super) fn server(
        &mut self,
        server: &Directive,
        outer: &Scope,
        tls: bool,
        definitions: &BTreeMap<Vec<u8>, String>,
    ) -> Vec<Piece> {
        let list = block(server);
        let scope = outer.inside(self, list);
        let named = called(list, "location").filter(|d| d.first().starts_with(b"@")).map(|d| (d.first(), d)).collect();
        let mut all = String::new();
        everything(list, &mut all);
        let cx = Context { tls, definitions, named, all };
        let (mut out, ended) = self.rewrites(list, &cx, true);
        if !ended {
            out.extend(self.locations(list, &scope, &cx));
            out.extend(self.access(&scope, None));
            out.extend(self.files(&scope, &cx, server.head));
        }
        for directive in list {
            match &directive.name[..] {
                b"listen" | b"server_name" | b"location" | b"return" | b"rewrite" | b"if" | b"break" | b"internal" => {}
                name if is_of_scope(name) => {}
                _ => self.other(directive),
            }
        }
        out
    }

    /// What becomes of requests at a location; the last piece is for all that are left.
    pub(super) fn handler(&mut self, location: &Directive, outer: &Scope, cx: &Context<'_>) -> Vec<Piece> {
        let list = block(location);
        let scope = outer.inside(self, list);
        for directive in list {
            match &directive.name[..] {
                b"location" | b"return" | b"rewrite" | b"if" | b"break" | b"internal" | b"limit_except"
                | b"limit_req" | b"limit_conn" => {}
                name if is_of_scope(name) || is_content(name) => {}
                _ => self.other(directive),
            }
        }
        if let Some(internal) = called(list, "internal").next() {
            let outcome = Outcome::Refused("404: for requests of nginx itself only".to_owned());
            return vec![Piece { condition: Condition::Always, outcome, at: internal.span }];
        }
        let (mut out, ended) = self.rewrites(list, cx, false);
        if ended {
            return out;
        }
        out.extend(self.access(&scope, None));
        for except in called(list, "limit_except") {
            for word in except.words.iter().filter(|word| !METHODS.contains(&&word.text[..])) {
                let reason = format!("nginx refuses it: invalid method \"{}\"", escape(&word.text));
                self.account.gap(word.span, reason);
            }
            let mut methods: Vec<Pattern> = except.words.iter().map(|word| Pattern::exact(word.text.clone())).collect();
            if except.words.iter().any(|word| word.text == b"GET") {
                methods.push(Pattern::exact("HEAD"));
            }
            let others = self.test(Subject::Method, methods).negated();
            let inner = Scope { real_ip: scope.real_ip.clone(), ..Scope::default() }.inside(self, block(except));
            out.extend(under(&others, self.access(&inner, Some(except.span))));
        }
        // What an `if` block says of who answers counts instead of what stands around it; the last one wins.
        for branch in called(list, "if").rev() {
            let Some(content) = block(branch).iter().find(|directive| is_content(&directive.name)) else { continue };
            let condition = self.asked_if(branch, cx);
            out.extend(under(&condition, self.content(content, &scope, cx, location.head)));
        }
        let contents: Vec<&Directive> = list.iter().filter(|directive| is_content(&directive.name)).collect();
        match contents[..] {
            [] => out.extend(self.files(&scope, cx, location.head)),
            [content] => out.extend(self.content(content, &scope, cx, location.head)),
            [one, other] if one.is("try_files") != other.is("try_files") => {
                // Files that are there are handed to the other.
                let other = if one.is("try_files") { other } else { one };
                let answer = self.content(other, &scope, cx, location.head).pop();
                let mut tried = self.files(&scope, cx, location.head);
                if let (Some(there), Some(Piece { condition: _, outcome, at })) = (tried.first_mut(), answer) {
                    (there.outcome, there.at) = (outcome, at);
                }
                out.extend(tried);
            }
            [first, ..] => {
                // How they work together is not known; whether they are the same is.
                let said = contents.iter().map(|d| format!("{} {}", escape(&d.name), known(d.said().as_bytes(), cx)));
                let outcome = Outcome::Computed(said.collect::<Vec<_>>().join("; "));
                out.push(Piece { condition: Condition::Always, outcome, at: first.span });
            }
        }
        out
    }

    /// What the rewrite module decides, and whether nothing is left after it.
    fn rewrites(&mut self, list: &[Directive], cx: &Context<'_>, of_server: bool) -> (Vec<Piece>, bool) {
        let mut out = Vec::new();
        let mut going = Condition::Always;
        for directive in list {
            match &directive.name[..] {
                b"return" => {
                    let outcome = returned(directive, cx);
                    let condition = going.clone();
                    out.push(Piece { condition, outcome, at: directive.span });
                    if going == Condition::Always {
                        return (out, true);
                    }
                }
                b"break" => return (out, false),
                b"rewrite" => {
                    if let Some(piece) = self.rewritten(directive, cx, of_server) {
                        out.extend(under(&going, vec![piece]));
                    }
                }
                b"if" => {
                    let condition = self.asked_if(directive, cx);
                    let (inner, _) = self.rewrites(block(directive), cx, of_server);
                    out.extend(under(&Condition::all([going.clone(), condition.clone()]), inner));
                    if block(directive).iter().any(|inner| inner.is("break")) {
                        going = Condition::all([going, condition.negated()]);
                    }
                    for inner in block(directive) {
                        match &inner.name[..] {
                            b"return" | b"break" | b"rewrite" | b"if" => {}
                            name if is_content(name) || is_of_scope(name) => {}
                            _ => self.other(inner),
                        }
                    }
                }
                _ => {}
            }
        }
        (out, false)
    }

    /// A redirect, or another path with which a location is looked for anew; `None`: the location stays.
    fn rewritten(&mut self, directive: &Directive, cx: &Context<'_>, of_server: bool) -> Option<Piece> {
        let [expression, to, rest @ ..] = &directive.words[..] else {
            self.account.gap(directive.span, "nginx refuses it: invalid number of arguments in \"rewrite\"");
            return None;
        };
        let flag = rest.first().map_or(&b""[..], |word| &word.text);
        let away = [&b"http://"[..], b"https://", b"$scheme"].iter().any(|start| to.text.starts_with(start));
        let outcome = match flag {
            b"redirect" | b"permanent" => Outcome::Answered(format!("redirect to {}", known(&to.text, cx))),
            _ if away => Outcome::Answered(format!("redirect to {}", known(&to.text, cx))),
            b"break" if !of_server => return None,
            b"last" | b"break" | b"" => Outcome::Computed(anew(&escape(&to.text), cx)),
            other => {
                self.account.gap(directive.span, format!("nginx refuses it: invalid parameter \"{}\"", escape(other)));
                return None;
            }
        };
        let condition = self.expression(Subject::Path, &expression.text, false);
        Some(Piece { condition, outcome, at: directive.span })
    }

    /// The condition of an `if`.
    fn asked_if(&mut self, directive: &Directive, cx: &Context<'_>) -> Condition {
        let mut words: Vec<Vec<u8>> = directive.words.iter().map(|word| word.text.clone()).collect();
        let opens =
            words.first_mut().is_some_and(|word| word.first() == Some(&b'(') && !word.drain(..1).as_slice().is_empty());
        let closes = words.last_mut().is_some_and(|word| word.pop() == Some(b')'));
        if !opens || !closes {
            self.account.gap(directive.head, "nginx refuses it: invalid condition");
            return Condition::Opaque(self.reading.store.opaque(&directive.said()));
        }
        words.retain(|word| !word.is_empty());
        let unknown = |this: &mut Self, text: String| Condition::Opaque(this.reading.store.opaque(&text));
        match &words[..] {
            [variable] => {
                let text = format!("{} is set", known(variable, cx));
                unknown(self, text)
            }
            [variable, operator, value] => {
                let (negated, operator) = match &operator[..] {
                    b"=" => (false, Operator::Is),
                    b"!=" => (true, Operator::Is),
                    b"~" => (false, Operator::Matches(false)),
                    b"~*" => (false, Operator::Matches(true)),
                    b"!~" => (true, Operator::Matches(false)),
                    b"!~*" => (true, Operator::Matches(true)),
                    _ => {
                        self.account.gap(directive.head, "nginx refuses it: invalid condition");
                        (false, Operator::Is)
                    }
                };
                let condition = self.compared(variable, operator, value, cx);
                if negated { condition.negated() } else { condition }
            }
            [test, file] if test.starts_with(b"-") || test.starts_with(b"!-") => {
                let (negated, test) = test.strip_prefix(b"!").map_or((false, &test[..]), |test| (true, test));
                let text = format!("{} {} holds", escape(test), known(file, cx));
                let condition = unknown(self, text);
                if negated { condition.negated() } else { condition }
            }
            _ => {
                self.account.gap(directive.head, "nginx refuses it: invalid condition");
                unknown(self, directive.said())
            }
        }
    }

    fn compared(&mut self, variable: &[u8], operator: Operator, value: &[u8], cx: &Context<'_>) -> Condition {
        let subject = match variable {
            _ if value.contains(&b'$') && operator == Operator::Is => None,
            b"$host" => Some((Subject::HostName, true)),
            b"$http_host" => Some((Subject::Host, false)),
            b"$request_method" => Some((Subject::Method, false)),
            b"$uri" | b"$document_uri" => Some((Subject::Path, false)),
            b"$args" | b"$query_string" => Some((Subject::Query, false)),
            b"$ssl_server_name" => Some((Subject::ServerName, false)),
            b"$scheme" => {
                let scheme = if cx.tls { "https" } else { "http" };
                let pattern = match operator {
                    Operator::Is => Some(Pattern::exact(value)),
                    Operator::Matches(fold) => std::str::from_utf8(value)
                        .ok()
                        .and_then(Pattern::regex)
                        .map(|pattern| if fold { pattern.ignoring_case() } else { pattern }),
                };
                if let Some(pattern) = pattern {
                    return if pattern.matches(scheme.as_bytes()) { Condition::Always } else { Condition::Never };
                }
                None
            }
            b"$remote_addr" if operator == Operator::Is => {
                let text = String::from_utf8_lossy(value);
                if let Some((family, set)) = parse_addresses(&text) {
                    let (ipv4, ipv6) = match family {
                        Family::Ipv4 => (set, Set::empty()),
                        Family::Ipv6 => (Set::empty(), set),
                    };
                    return balancers::source(self.reading.store, ipv4, ipv6);
                }
                None
            }
            _ => None,
        };
        match (subject, operator) {
            (Some((subject, fold)), Operator::Is) => {
                let pattern = Pattern::exact(value);
                self.test(subject, vec![if fold { pattern.ignoring_case() } else { pattern }])
            }
            (Some((subject, fold)), Operator::Matches(ignore)) => self.expression(subject, value, ignore || fold),
            (None, operator) => {
                let sign = match operator {
                    Operator::Is => "=",
                    Operator::Matches(true) => "~*",
                    Operator::Matches(false) => "~",
                };
                let text = format!("{} {sign} {}", known(variable, cx), escape(value));
                Condition::Opaque(self.reading.store.opaque(&text))
            }
        }
    }

    /// Who may not ask.
    fn access(&mut self, scope: &Scope, at: Option<Span>) -> Vec<Piece> {
        let denied = scope.denied.as_ref().map(|((ipv4, ipv6), span)| {
            let condition = match &scope.real_ip {
                None => balancers::source(self.reading.store, ipv4.clone(), ipv6.clone()),
                Some(header) => {
                    let test = Test::Source { ipv4: ipv4.clone(), ipv6: ipv6.clone() };
                    let text = format!("the address in {header} is denied: {test:?}");
                    Condition::Opaque(self.reading.store.opaque(&text))
                }
            };
            (condition, at.unwrap_or(*span))
        });
        let stranger = scope.credentials.as_ref().map(|(text, span)| {
            let accepted = self.reading.store.opaque(&format!("the credentials are accepted: {text}{}", scope.users));
            (Condition::Opaque(accepted).negated(), at.unwrap_or(*span))
        });
        let refused = |how: &str| Outcome::Refused(how.to_owned());
        let piece = |(condition, at): (Condition, Span), how| Piece { condition, outcome: refused(how), at };
        match (denied, stranger) {
            (Some(denied), Some(stranger)) if scope.any => {
                vec![piece((Condition::all([denied.0, stranger.0]), denied.1), "401")]
            }
            (denied, stranger) => {
                denied.map(|denied| piece(denied, "403")).into_iter().chain(stranger.map(|s| piece(s, "401"))).collect()
            }
        }
    }

    /// The addresses of `allow` and `deny`.
    pub(super) fn addresses(&mut self, directive: &Directive) -> Option<(Set, Set)> {
        let text = String::from_utf8_lossy(directive.first()).into_owned();
        let every = || (Field::Source.all(Family::Ipv4), Field::Source.all(Family::Ipv6));
        match text.as_str() {
            "all" => Some(every()),
            "unix:" => None,
            other => match parse_addresses(other) {
                Some((Family::Ipv4, set)) => Some((set, Set::empty())),
                Some((Family::Ipv6, set)) => Some((Set::empty(), set)),
                None => {
                    self.account.gap(
                        directive.span,
                        format!("nginx refuses it: invalid parameter \"{}\"", escape(directive.first())),
                    );
                    None
                }
            },
        }
    }

    /// Who answers.
    fn content(&mut self, content: &Directive, scope: &Scope, cx: &Context<'_>, at: Span) -> Vec<Piece> {
        let written = escape(content.first());
        let piece = |outcome| vec![Piece { condition: Condition::Always, outcome, at: content.span }];
        match &content.name[..] {
            b"try_files" => self.files(scope, cx, at),
            b"empty_gif" | b"stub_status" | b"status" | b"api" | b"flv" | b"mp4" | b"hls" | b"dav_methods" => {
                piece(Outcome::Answered(escape(&content.name)))
            }
            name if !is_pass(name) => {
                piece(Outcome::Computed(format!("{} {}", escape(name), content.said()).trim_end().to_owned()))
            }
            _ if written.contains('$') => {
                let names = variables(&written, cx);
                piece(Outcome::Computed(format!("{written}{names}")))
            }
            name => {
                let (scheme, rest) = written.split_once("://").unwrap_or(("", &written));
                let otherwise = match (name, scheme) {
                    (b"proxy_pass", "https") | (b"grpc_pass", "grpcs") => 443,
                    (_, _) => 80,
                };
                let place = match rest.strip_prefix("unix:") {
                    Some(path) => format!("unix:{}", path.split(':').next().unwrap_or(path)),
                    None => rest.split('/').next().unwrap_or(rest).to_owned(),
                };
                if name == b"proxy_pass" && scheme != "http" && scheme != "https" {
                    self.account.gap(content.span, "nginx refuses it: invalid URL prefix");
                }
                piece(Outcome::Backend(self.asked(&place, content.span, otherwise)))
            }
        }
    }

    /// Files, and what is asked where there is none.
    fn files(&mut self, scope: &Scope, cx: &Context<'_>, at: Span) -> Vec<Piece> {
        let shown = if scope.files.is_empty() { "files".to_owned() } else { format!("files: {}", scope.files) };
        let Some(tries) = &scope.tries else {
            return vec![Piece { condition: Condition::Always, outcome: Outcome::Answered(shown), at }];
        };
        let Some((last, first)) = tries.words.split_last() else { return Vec::new() };
        let tried: Vec<String> = first.iter().map(|word| escape(&word.text)).collect();
        let there = self.reading.store.opaque(&format!("one of {} is there, {}", tried.join(", "), scope.files));
        let mut out =
            vec![Piece { condition: Condition::Opaque(there), outcome: Outcome::Answered(shown), at: tries.span }];
        let fallback = match cx.named.get(&last.text[..]) {
            Some(location) if scope.named < MOST_NAMED => {
                let scope = Scope { tries: None, named: scope.named + 1, ..scope.clone() };
                out.extend(self.handler(location, &scope, cx));
                return out;
            }
            Some(_) => Outcome::Refused("500: locations lead to one another".to_owned()),
            None => match &last.text[..] {
                [b'=', code @ ..] => Outcome::Refused(escape(code)),
                [b'@', ..] => {
                    self.undefined("location", &escape(&last.text), last.span);
                    Outcome::Refused(format!("500: no location {}", escape(&last.text)))
                }
                path => Outcome::Computed(anew(&escape(path), cx)),
            },
        };
        out.push(Piece { condition: Condition::Always, outcome: fallback, at: tries.span });
        out
    }
}

fn returned(directive: &Directive, cx: &Context<'_>) -> Outcome {
    let said = directive.said();
    let said = format!("{said}{}", variables(&said, cx));
    match directive.first() {
        b"200" | b"204" | b"201" | b"202" => Outcome::Answered(format!("return {said}")),
        b"301" | b"302" | b"303" | b"307" | b"308" => Outcome::Answered(format!("redirect {said}")),
        code if code.iter().all(u8::is_ascii_digit) && code.len() == 3 && code[0] >= b'4' => Outcome::Refused(said),
        code if code.iter().all(u8::is_ascii_digit) => Outcome::Answered(format!("return {said}")),
        _ => Outcome::Answered(format!("redirect {said}")),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Is,
    /// `true`: whatever the case is.
    Matches(bool),
}

/// The methods that `limit_except` takes.
const METHODS: &[&[u8]] = &[
    b"GET",
    b"HEAD",
    b"POST",
    b"PUT",
    b"DELETE",
    b"MKCOL",
    b"COPY",
    b"MOVE",
    b"OPTIONS",
    b"PROPFIND",
    b"PROPPATCH",
    b"LOCK",
    b"UNLOCK",
    b"PATCH",
];

/// Whether a directive says who answers.
fn is_content(name: &[u8]) -> bool {
    is_pass(name)
        || name.starts_with(b"content_by_lua")
        || name.starts_with(b"rewrite_by_lua")
        || name.starts_with(b"access_by_lua")
        || matches!(
            name,
            b"try_files"
                | b"empty_gif"
                | b"stub_status"
                | b"status"
                | b"api"
                | b"flv"
                | b"mp4"
                | b"hls"
                | b"dav_methods"
                | b"js_content"
                | b"perl"
                | b"upstream_conf"
        )
}
