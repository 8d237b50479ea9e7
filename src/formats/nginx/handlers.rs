//! What becomes of requests in a server or location: first what the rewrite module says (`return`, `if`, `rewrite`), then who
//! may ask (`allow`, `deny`, `auth_basic`), then who answers (`proxy_pass`, `try_files`, files).

use super::Lowering;
use super::http::block;
use super::locations::under;
use super::rewrites::Rewritten;
use super::scope::{Scope, is_of_scope};
use super::syntax::{Directive, called};
use super::variables::{Definitions, anew, everything, grouped, known, variables};
use super::words::is_pass;
use crate::model::{Condition, Outcome, Subject};
use crate::net::Pattern;
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
        // Of two with one name the first is asked.
        let named = called(list, "location").rev().filter(|d| d.first().starts_with(b"@"));
        let named = named.map(|d| (d.first(), d)).collect();
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
            let mut named: Vec<Pattern> = Vec::new();
            for word in &except.words {
                let method = word.text.to_ascii_uppercase();
                if !METHODS.contains(&&method[..]) {
                    let reason = format!("nginx refuses it: invalid method \"{}\"", escape(&word.text));
                    self.account.gap(word.span, reason);
                }
                if method == b"GET" {
                    named.push(Pattern::exact("HEAD"));
                }
                named.push(Pattern::exact(method));
            }
            methods = self.test(Subject::Method, named);
            let inner = scope.inside(self, block(except)).without_tries();
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
            let inner = scope.inside(self, block(branch)).without_tries();
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
                let scheme = &scheme.to_ascii_lowercase()[..];
                let otherwise = match (name, scheme) {
                    (b"proxy_pass", "https") | (b"grpc_pass", "grpcs") => 443,
                    (_, _) => 80,
                };
                let place = match rest.strip_prefix("unix:") {
                    Some(path) => format!("unix:{}", path.split(':').next().unwrap_or(path)),
                    None => rest.split(['/', '?']).next().unwrap_or(rest).to_owned(),
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
                let mut scope = scope.clone().without_tries();
                scope.named += 1;
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
pub(super) fn is_content(name: &[u8]) -> bool {
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
