//! What becomes of requests in a server or location: first what the rewrite module says (`return`, `if`, `rewrite`), then who
//! may ask (`allow`, `deny`, `auth_basic`), then who answers (`proxy_pass`, `try_files`, files).

use super::Lowering;
use super::http::{block, is_tls_setting};
use super::locations::{answering, under};
use super::settings::whole;
use super::syntax::{Directive, called};
use super::variables::{Definitions, anew, everything, grouped, known, variables};
use super::words::is_pass;
use crate::formats::balancers;
use crate::model::{Condition, Outcome, Subject};
use crate::net::{Family, Field, Pattern, Set, format_addresses, parse_addresses};
use crate::text::{Span, escape};
use std::collections::BTreeMap;

/// One decision.
#[derive(Debug, Clone)]
pub(super) struct Piece {
    pub(super) condition: Condition,
    pub(super) outcome: Outcome,
    pub(super) at: Span,
}

/// What the rewrite module makes of a block.
struct Rewritten<'d> {
    pieces: Vec<Piece>,
    /// Whether nothing is left after it.
    ended: bool,
    /// Of which requests it goes on to look at what comes after the block.
    going: Condition,
    /// The blocks of `if`, and for which requests they hold.
    branches: Vec<(Condition, &'d Directive)>,
}

/// How many times nginx goes on to another location before it gives up (`NGX_HTTP_MAX_URI_CHANGES`).
const MOST_NAMED: usize = 10;

/// What a block inherits from those around it.
#[derive(Debug, Clone, Default)]
pub(super) struct Scope {
    /// The addresses that are denied and those that are allowed, and where that is said; `None`: nothing is said.
    access: Option<Access>,
    /// From whom another address of a client is believed, and how that is found.
    believed: Believed,
    /// Whose credentials are asked for (`auth_basic`).
    credentials: Option<(String, Span)>,
    /// Which users there are.
    users: String,
    /// Whose tokens are asked for (`auth_jwt`).
    tokens: Option<(String, Span)>,
    /// With which keys those are made.
    keys: String,
    /// Who else is asked whether a request may pass (`auth_request`).
    asks: Option<Directive>,
    /// Whether one of address and credentials is enough.
    any: bool,
    /// Where files are.
    files: String,
    /// Which files stand for a folder.
    tries: Option<Directive>,
    /// How many locations were asked by name on the way here.
    named: usize,
}

/// `allow` and `deny`.
#[derive(Debug, Clone)]
struct Access {
    denied: (Set, Set),
    allowed: (Set, Set),
    at: Span,
}

/// `set_real_ip_from`, `real_ip_header`, `real_ip_recursive`.
#[derive(Debug, Clone, Default)]
pub(super) struct Believed {
    from: Vec<Directive>,
    header: Option<String>,
    recursive: bool,
}

impl Believed {
    /// What a block says of it.
    pub(super) fn enter(&mut self, block: &[Directive]) {
        let from: Vec<Directive> = called(block, "set_real_ip_from").cloned().collect();
        if !from.is_empty() {
            self.from = from;
        }
        for directive in block {
            match &directive.name[..] {
                b"real_ip_header" => self.header = Some(escape(directive.first())),
                b"real_ip_recursive" => self.recursive = directive.first() == b"on",
                _ => {}
            }
        }
    }

    /// Who is believed, if that is known, and where the address is; `None`: nobody is.
    fn text(&self) -> Option<(Option<(Set, Set)>, String)> {
        self.from.first()?;
        let mut known = Some((Set::empty(), Set::empty()));
        for directive in &self.from {
            let text = String::from_utf8_lossy(directive.first());
            known = match (known, parse_addresses(&text)) {
                (Some((four, six)), Some((Family::Ipv4, set))) => Some((four.union(&set), six)),
                (Some((four, six)), Some((Family::Ipv6, set))) => Some((four, six.union(&set))),
                // Who comes through a socket of the file system has no address.
                (known, None) if directive.first() == b"unix:" => known,
                (_, _) => None,
            };
        }
        let header = self.header.as_deref().unwrap_or("X-Real-IP");
        let from = || self.from.iter().map(Directive::said).collect::<Vec<_>>().join(", ");
        let more = match (&known, self.recursive) {
            (Some(_), false) => String::new(),
            (_, true) => format!(", recursive, from {}", from()),
            (None, false) => format!(", from {}", from()),
        };
        Some((known, format!("{header}{more}")))
    }
}

/// What the whole of a server says.
#[derive(Clone, Copy)]
pub(super) struct Context<'c> {
    /// Whether TLS is spoken.
    pub(super) tls: bool,
    /// How variables come about, by name.
    pub(super) definitions: &'c Definitions<'c>,
    /// The locations that can be asked by name only.
    pub(super) named: &'c BTreeMap<&'c [u8], &'c Directive>,
    /// All directives of the server.
    pub(super) list: &'c [Directive],
    /// All that the server says, for what is decided anew.
    pub(super) all: &'c str,
    /// The directives of the block that come after the one that is looked at.
    pub(super) later: &'c [Directive],
    /// The expressions that `$1` may be a part of.
    pub(super) captured: &'c str,
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
            | b"root"
            | b"alias"
            | b"ssl"
            | b"ssl_certificate"
            | b"try_files"
            | b"auth_request"
            | b"auth_jwt"
            | b"auth_jwt_key_file"
            | b"auth_jwt_key_request"
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
            let (mut denied, mut allowed) = ((Set::empty(), Set::empty()), (Set::empty(), Set::empty()));
            for directive in access.iter().rev() {
                let Some((four, six)) = lowering.addresses(directive) else { continue };
                let (to, from) =
                    if directive.is("deny") { (&mut denied, &mut allowed) } else { (&mut allowed, &mut denied) };
                *to = (to.0.union(&four), to.1.union(&six));
                *from = (from.0.difference(&four), from.1.difference(&six));
            }
            self.access = Some(Access { denied, allowed, at: first.span });
        }
        self.believed.enter(block);
        let said = |directive: &Directive| {
            let off = directive.first() == b"off";
            (!off).then(|| (format!("{} {}", escape(&directive.name), directive.said()), directive.span))
        };
        for directive in block {
            match &directive.name[..] {
                b"auth_basic" => self.credentials = said(directive),
                b"auth_jwt" => self.tokens = said(directive),
                b"auth_request" => self.asks = Some(directive.clone()).filter(|d| d.first() != b"off"),
                b"auth_basic_user_file" => self.users = format!(", {} {}", escape(&directive.name), directive.said()),
                b"auth_jwt_key_file" | b"auth_jwt_key_request" => {
                    self.keys = format!(", {} {}", escape(&directive.name), directive.said());
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
        definitions: &Definitions<'_>,
    ) -> Vec<Piece> {
        let list = block(server);
        let scope = outer.inside(self, list);
        let named = called(list, "location").filter(|d| d.first().starts_with(b"@")).map(|d| (d.first(), d)).collect();
        let mut all = String::new();
        everything(list, &mut all);
        let definitions = Definitions::new(list.iter(), Some(definitions));
        let captured = grouped(list);
        let cx =
            Context { tls, definitions: &definitions, named: &named, list, all: &all, later: &[], captured: &captured };
        let Rewritten { pieces: mut out, ended, .. } = self.rewrites(list, &scope, &cx, true);
        if !ended {
            out.extend(self.locations(list, &scope, &cx));
        }
        // What locations leave over, if they leave anything.
        if !out.iter().any(|piece| piece.condition == Condition::Always) {
            out.extend(self.access(&scope, None, &cx));
            out.extend(self.files(&scope, &cx, server.head));
        }
        for directive in list {
            match &directive.name[..] {
                b"listen" | b"server_name" | b"location" | b"return" | b"rewrite" | b"if" | b"break" | b"internal" => {}
                name if is_of_scope(name) => {}
                _ => self.beside(directive),
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
                b"location" | b"return" | b"rewrite" | b"if" | b"break" | b"internal" | b"limit_except" => {}
                name if is_of_scope(name) || is_content(name) => {}
                _ => self.beside(directive),
            }
        }
        if let Some(internal) = called(list, "internal").next() {
            let outcome = Outcome::Refused("404: for requests of nginx itself only".to_owned());
            return vec![Piece { condition: Condition::Always, outcome, at: internal.span }];
        }
        let mut captured = super::locations::expression_of(location).unwrap_or_else(|| cx.captured.to_owned());
        let own = grouped(list);
        if !own.is_empty() {
            captured = format!("{captured}; {own}");
        }
        let cx = &Context { captured: &captured, ..*cx };
        // Other methods than those that `limit_except` names are of its block: the rewrite module says nothing to them, its
        // access rules count instead of those around it, if it has any, and only servers are asked as outside of it.
        let excepts: Vec<&Directive> = called(list, "limit_except").collect();
        let rewrites = |d: &Directive| matches!(&d.name[..], b"return" | b"rewrite" | b"if" | b"break");
        let apart = scope.tries.is_some()
            || list.iter().any(|d| rewrites(d) || (is_content(&d.name) && !is_pass(&d.name)))
            || excepts.iter().any(|except| block(except).iter().any(|d| is_content(&d.name)));
        let (mut out, mut methods) = (Vec::new(), Condition::Always);
        for except in excepts {
            for word in except.words.iter().filter(|word| !METHODS.contains(&&word.text[..])) {
                let reason = format!("nginx refuses it: invalid method \"{}\"", escape(&word.text));
                self.account.gap(word.span, reason);
            }
            let mut named: Vec<Pattern> = except.words.iter().map(|word| Pattern::exact(word.text.clone())).collect();
            if except.words.iter().any(|word| word.text == b"GET") {
                named.push(Pattern::exact("HEAD"));
            }
            methods = self.test(Subject::Method, named);
            let inner = Scope { tries: None, ..scope.inside(self, block(except)) };
            let has_own = block(except).iter().any(|d| d.is("allow") || d.is("deny"));
            let mut others = self.access(&inner, has_own.then_some(except.span), cx);
            if apart && !others.iter().any(|piece| piece.condition == Condition::Always) {
                let own = block(except).iter().find(|directive| is_content(&directive.name));
                others.extend(match own {
                    Some(content) => self.content(content, &inner, cx, location.head),
                    None => {
                        let asked: Vec<Directive> = list.iter().filter(|d| is_pass(&d.name)).cloned().collect();
                        self.contents(&asked, &inner, cx, location.head)
                    }
                });
            }
            out.extend(under(&methods.clone().negated(), others));
        }
        let Rewritten { pieces, ended, branches, .. } = self.rewrites(list, &scope, cx, false);
        out.extend(pieces);
        if ended {
            return out;
        }
        let denied = self.access(&scope, None, cx);
        out.extend(if apart { denied } else { under(&methods, denied) });
        // Requests for which an `if` holds are those of its block from there on, and the last one counts. It has the
        // access rules and the servers of the location unless it says others, but not its `try_files`.
        let says = |list: &[Directive]| list.iter().any(|d| is_content(&d.name) || d.is("root") || d.is("alias"));
        let other = branches.iter().any(|(_, branch)| says(block(branch)));
        for (condition, branch) in branches.iter().rev().filter(|_| other || scope.tries.is_some()) {
            let inner = Scope { tries: None, ..scope.inside(self, block(branch)) };
            let pieces = match block(branch).iter().find(|directive| is_content(&directive.name)) {
                Some(content) => self.content(content, &inner, cx, location.head),
                None => {
                    let rest: Vec<Directive> = list.iter().filter(|d| !d.is("try_files")).cloned().collect();
                    self.contents(&rest, &inner, cx, location.head)
                }
            };
            out.extend(under(condition, pieces));
        }
        out.extend(self.contents(list, &scope, cx, location.head));
        out
    }

    /// Who answers, at a location or in a block of it.
    fn contents(&mut self, list: &[Directive], scope: &Scope, cx: &Context<'_>, at: Span) -> Vec<Piece> {
        let mut out = Vec::new();
        let contents: Vec<&Directive> = list.iter().filter(|directive| is_content(&directive.name)).collect();
        match contents[..] {
            [] => out.extend(self.files(scope, cx, at)),
            [content] => out.extend(self.content(content, scope, cx, at)),
            [one, other] if one.is("try_files") != other.is("try_files") => {
                // Files that are there are handed to the other.
                let other = if one.is("try_files") { other } else { one };
                let answer = self.content(other, scope, cx, at).pop();
                let mut tried = self.files(scope, cx, at);
                if let (Some(there), Some(Piece { condition: _, outcome, at: answered })) = (tried.first_mut(), answer)
                {
                    (there.outcome, there.at) = (outcome, answered);
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
    fn rewrites<'d>(
        &mut self,
        list: &'d [Directive],
        scope: &Scope,
        cx: &Context<'_>,
        of_server: bool,
    ) -> Rewritten<'d> {
        let (mut pieces, mut branches) = (Vec::new(), Vec::new());
        let mut going = Condition::Always;
        for (at, directive) in list.iter().enumerate() {
            let cx = &Context { later: list.get(at + 1..).unwrap_or_default(), ..*cx };
            match &directive.name[..] {
                b"return" => {
                    let outcome = returned(directive, cx);
                    let condition = going.clone();
                    pieces.push(Piece { condition, outcome, at: directive.span });
                    if going == Condition::Always {
                        return Rewritten { pieces, ended: true, going: Condition::Never, branches };
                    }
                    break;
                }
                b"break" => return Rewritten { pieces, ended: false, going: Condition::Never, branches },
                b"rewrite" => {
                    if let Some(piece) = self.rewritten(directive, cx, of_server) {
                        pieces.extend(under(&going, vec![piece]));
                    } else if let [expression, _, flag] = &directive.words[..]
                        && flag.text == b"break"
                    {
                        // No directive of this module is looked at after it.
                        let fits = self.expression(Subject::Path, &expression.text, false);
                        going = Condition::all([going, fits.negated()]);
                    }
                }
                b"if" => {
                    let condition = self.asked_if(directive, scope, cx);
                    let captured = grouped(std::slice::from_ref(directive));
                    let captured = if captured.is_empty() { cx.captured } else { &captured };
                    let inside = Context { captured, ..*cx };
                    let inner = self.rewrites(block(directive), scope, &inside, of_server);
                    let holds = Condition::all([going.clone(), condition.clone()]);
                    pieces.extend(under(&holds, inner.pieces));
                    if !inner.ended && !goes_away(block(directive)) {
                        branches.push((holds, directive));
                    }
                    if inner.going != Condition::Always && !inner.ended {
                        going = Condition::all([going, Condition::any([condition.negated(), inner.going])]);
                    }
                    for inner in block(directive) {
                        match &inner.name[..] {
                            b"return" | b"break" | b"rewrite" | b"if" => {}
                            name if is_content(name) || is_of_scope(name) => {}
                            _ => self.beside(inner),
                        }
                    }
                }
                _ => {}
            }
        }
        Rewritten { pieces, ended: false, going, branches }
    }

    /// A redirect, or another path with which a location is looked for anew; `None`: the location stays.
    fn rewritten(&mut self, directive: &Directive, cx: &Context<'_>, of_server: bool) -> Option<Piece> {
        let [expression, to, rest @ ..] = &directive.words[..] else {
            self.account.gap(directive.span, "nginx refuses it: invalid number of arguments in \"rewrite\"");
            return None;
        };
        let flag = rest.first().map_or(&b""[..], |word| &word.text);
        // A redirect is another one where `$1` is a part of another expression.
        let captured = grouped(std::slice::from_ref(directive));
        let own = Context { captured: if captured.is_empty() { cx.captured } else { &captured }, ..*cx };
        let away = [&b"http://"[..], b"https://", b"$scheme"].iter().any(|start| to.text.starts_with(start));
        let outcome = match flag {
            b"redirect" | b"permanent" => Outcome::Answered(format!("redirect to {}", known(&to.text, &own))),
            _ if away => Outcome::Answered(format!("redirect to {}", known(&to.text, &own))),
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
    fn asked_if(&mut self, directive: &Directive, scope: &Scope, cx: &Context<'_>) -> Condition {
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
                let condition = self.compared(variable, (operator, value), scope, cx);
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

    fn compared(
        &mut self,
        variable: &[u8],
        (operator, value): (Operator, &[u8]),
        scope: &Scope,
        cx: &Context<'_>,
    ) -> Condition {
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
                // It is a text that is compared: no address reads like a network.
                if let Some((family, set)) = parse_addresses(&text).filter(|_| !text.contains(['/', '-'])) {
                    let (ipv4, ipv6) = match family {
                        Family::Ipv4 => (set, Set::empty()),
                        Family::Ipv6 => (Set::empty(), set),
                    };
                    return self.client(ipv4, ipv6, &scope.believed);
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

    /// Whether the address of a client is one of these. Of those who are believed it is another one.
    pub(super) fn client(&mut self, ipv4: Set, ipv6: Set, believed: &Believed) -> Condition {
        let own = balancers::source(self.reading.store, ipv4.clone(), ipv6.clone());
        let Some((trusted, header)) = believed.text().filter(|_| matches!(own, Condition::Test(_))) else {
            return own;
        };
        let ranges = |family, set: &Set| -> Vec<String> {
            set.ranges().iter().map(|(from, to)| format_addresses(family, from, to)).collect()
        };
        let shown = [ranges(Family::Ipv4, &ipv4), ranges(Family::Ipv6, &ipv6)].concat().join(",");
        let said = self.reading.store.opaque(&format!("the address in {header} is of {shown}"));
        let Some((four, six)) = trusted else { return Condition::Opaque(said) };
        let own = balancers::source(self.reading.store, ipv4.difference(&four), ipv6.difference(&six));
        let trusted = balancers::source(self.reading.store, four, six);
        Condition::any([own, Condition::all([trusted, Condition::Opaque(said)])])
    }

    /// Who may not ask.
    fn access(&mut self, scope: &Scope, at: Option<Span>, cx: &Context<'_>) -> Vec<Piece> {
        let mut strangers = Vec::new();
        for (asked, more) in [(&scope.credentials, &scope.users), (&scope.tokens, &scope.keys)] {
            if let Some((text, span)) = asked {
                let text = format!("the credentials are accepted: {text}{more}");
                strangers.push((text, at.unwrap_or(*span)));
            }
        }
        if let Some(directive) = &scope.asks {
            let path = directive.first();
            let asked = match answering(path, cx.list) {
                Some(location) => {
                    // nginx asks it as if it were a request: what the server says to all of them is asked first.
                    let first = |d: &&Directive| d.is("if") || d.is("return") || d.is("set") || d.is("break");
                    let mut asked: Vec<Directive> = cx.list.iter().filter(first).cloned().collect();
                    asked.push(location.clone());
                    let text = format!("{} {}", escape(path), whole(&asked));
                    format!("{text}{}", variables(&text, cx))
                }
                None => anew(&escape(path), cx),
            };
            strangers.push((format!("the request is accepted: auth_request {asked}"), at.unwrap_or(directive.span)));
        }
        let strangers =
            strangers.into_iter().map(|(text, at)| (Condition::Opaque(self.reading.store.opaque(&text)).negated(), at));
        let strangers: Vec<(Condition, Span)> = strangers.collect();
        let refused = |how: &str| Outcome::Refused(how.to_owned());
        let piece = |(condition, at): (Condition, Span), how| Piece { condition, outcome: refused(how), at };
        let mut out = Vec::new();
        if let (true, Some((_, first))) = (scope.any, strangers.first()) {
            // Whoever is allowed need not say who it is, and one of those who are asked is enough.
            let mut parts = Vec::new();
            let mut place = *first;
            if let Some(Access { denied: _, allowed, at: said }) = &scope.access {
                let (ipv4, ipv6) = balancers::every();
                let (ipv4, ipv6) = (ipv4.difference(&allowed.0), ipv6.difference(&allowed.1));
                parts.push(self.client(ipv4, ipv6, &scope.believed));
                place = at.unwrap_or(*said);
            }
            parts.extend(strangers.into_iter().map(|(stranger, _)| stranger));
            out.push(piece((Condition::all(parts), place), "401"));
        } else {
            if let Some(Access { denied, allowed: _, at: said }) = &scope.access {
                let condition = self.client(denied.0.clone(), denied.1.clone(), &scope.believed);
                out.push(piece((condition, at.unwrap_or(*said)), "403"));
            }
            out.extend(strangers.into_iter().map(|stranger| piece(stranger, "401")));
        }
        out.retain(|piece| piece.condition != Condition::Never);
        out
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

/// Whether a block sends every request elsewhere.
fn goes_away(list: &[Directive]) -> bool {
    const ANY: &[&[u8]] =
        &[b"^", b".*", b"^.*", b"^.*$", b"(.*)", b"^(.*)$", b"^/(.*)$", b"^/(.*)", b"^/.*$", b"^(.*)", b"/"];
    let away = |d: &Directive| ANY.contains(&d.first()) && d.words.get(2).is_some_and(|flag| flag.text != b"break");
    called(list, "rewrite").any(away)
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
