//! What a block inherits from those around it, and who may ask: `allow`, `deny`, `auth_basic`, `auth_jwt`, `auth_request`.

use super::Lowering;
use super::handlers::{Context, Piece};
use super::http::is_tls_setting;
use super::locations::answering;
use super::settings::whole;
use super::syntax::{Directive, called};
use super::values::{is_network, plain};
use super::variables::{anew, variables};
use crate::formats::balancers;
use crate::model::{Condition, Outcome};
use crate::net::{Family, Field, Set, format_addresses, parse_addresses};
use crate::text::{Span, escape};

/// What a block inherits from those around it.
#[derive(Debug, Clone, Default)]
pub(super) struct Scope {
    /// The addresses that are denied and those that are allowed, and where that is said; `None`: nothing is said.
    access: Option<Access>,
    /// From whom another address of a client is believed, and how that is found.
    pub(super) believed: Believed,
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
    pub(super) files: String,
    /// Which files stand for a folder.
    pub(super) tries: Option<Directive>,
    /// How many locations were asked by name on the way here.
    pub(super) named: usize,
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

/// Addresses of both families.
type Both = (Set, Set);

/// What lists deny and allow together, of which the first that says something counts.
fn first_counts(lists: &[(Both, Both)]) -> (Both, Both) {
    let mut out = lists.first().cloned().unwrap_or_default();
    for (denied, allowed) in lists.iter().skip(1) {
        let more = |of: &Both, but: &Both| (of.0.difference(&but.0), of.1.difference(&but.1));
        let (denied, allowed) = (more(denied, &out.1), more(allowed, &out.0));
        out.0 = (out.0.0.union(&denied.0), out.0.1.union(&denied.1));
        out.1 = (out.1.0.union(&allowed.0), out.1.1.union(&allowed.1));
    }
    out
}

impl Scope {
    /// What holds inside of a block.
    pub(super) fn inside(&self, lowering: &mut Lowering<'_, '_>, block: &[Directive]) -> Self {
        let mut inner = self.clone();
        inner.enter(lowering, block);
        inner
    }

    /// The same where no files are tried.
    pub(super) fn without_tries(self) -> Self {
        Self { tries: None, ..self }
    }

    pub(super) fn enter(&mut self, lowering: &mut Lowering<'_, '_>, block: &[Directive]) {
        let access: Vec<&Directive> = block.iter().filter(|d| d.is("allow") || d.is("deny")).collect();
        if let Some(first) = access.first() {
            let mut rest: Vec<(Both, Both)> = Vec::new();
            for directive in &access {
                let Some(these) = lowering.addresses(directive) else { continue };
                let none = (Set::empty(), Set::empty());
                rest.push(if directive.is("deny") { (these, none) } else { (none, these) });
            }
            // Neighbours are put together, so that long lists cost little more than short ones.
            while rest.len() > 1 {
                rest = rest.chunks(2).map(first_counts).collect();
            }
            let (denied, allowed) = rest.pop().unwrap_or_default();
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
    pub(super) fn access(&mut self, scope: &Scope, at: Option<Span>, cx: &Context<'_>) -> Vec<Piece> {
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
            _ if !is_network(directive.first()) => {
                let shown = escape(directive.first());
                self.account.gap(directive.span, format!("nginx refuses it: invalid parameter \"{shown}\""));
                None
            }
            other => match parse_addresses(&plain(directive.first()).unwrap_or_else(|| other.to_owned())) {
                Some((Family::Ipv4, set)) => Some((set, Set::empty())),
                Some((Family::Ipv6, set)) => Some((Set::empty(), set)),
                None => {
                    self.account.gap(directive.span, "how this address is written is not known here");
                    None
                }
            },
        }
    }
}
