//! What `nginx -t` refuses because of what stands beside it or around it: words that exclude one another, names that are
//! defined twice or too late, sizes that do not fit together, certificates without keys.

use super::http::block;
use super::syntax::{Directive, called};
use super::values::{number, size};
use crate::formats::account::Account;
use crate::text::{Span, escape};
use std::collections::{BTreeMap, BTreeSet};

/// Reports it for a list. `whole`: all of the configuration is in it.
pub(super) fn check(list: &[Directive], whole: bool, account: &mut Account) {
    let mut checker = Checker { account, told: BTreeSet::new() };
    checker.beside(list);
    if !whole {
        return;
    }
    checker.modules(list);
    checker.zones(list, &mut BTreeMap::new());
    for http in called(list, "http") {
        checker.formats(block(http), &mut BTreeSet::from([b"combined".to_vec()]));
        for family in FAMILIES {
            checker.buffers(block(http), family, &Sizes::default(), false);
        }
        for server in called(block(http), "server") {
            checker.certificates(block(server), block(http));
            checker.headers(block(server), block(http));
        }
    }
    for stream in called(list, "stream") {
        checker.formats(block(stream), &mut BTreeSet::new());
        for server in called(block(stream), "server") {
            checker.of_stream(server, block(stream));
        }
    }
}

struct Checker<'a> {
    account: &'a mut Account,
    /// Where something was said already: blocks inherit what is wrong.
    told: BTreeSet<Span>,
}

/// Directives that stand alone in their block when they have this word.
const ALONE: &[(&str, &str)] = &[
    ("mirror", "off"),
    ("proxy_cookie_domain", "off"),
    ("proxy_cookie_flags", "off"),
    ("proxy_cookie_path", "off"),
    ("proxy_redirect", "off"),
];

/// Directives that cannot be beside one another in a block, unless one is `off`.
const APART: &[(&str, &str)] = &[
    ("fastcgi_store", "fastcgi_cache"),
    ("proxy_store", "proxy_cache"),
    ("scgi_store", "scgi_cache"),
    ("secure_link_secret", "secure_link"),
    ("secure_link_secret", "secure_link_md5"),
    ("uwsgi_store", "uwsgi_cache"),
];

/// Directives that name something once in a block, and the beginning of the word that names it.
const NAMED_ONCE: &[(&str, &[u8])] = &[("limit_conn", b""), ("limit_req", b"zone=")];

/// Directives of which the zones are of one kind: what they count or keep. The first define a zone, the others use it.
const KINDS: &[(&str, &[&str], &[&str])] = &[
    ("FastCGI", &["fastcgi_cache_path"], &["fastcgi_cache"]),
    ("SCGI", &["scgi_cache_path"], &["scgi_cache"]),
    ("connections", &["limit_conn_zone"], &["limit_conn"]),
    ("groups", &[], &["zone"]),
    ("proxies", &["proxy_cache_path"], &["proxy_cache"]),
    ("requests", &["limit_req_zone"], &["limit_req"]),
    ("sessions", &[], &["ssl_session_cache"]),
    ("uWSGI", &["uwsgi_cache_path"], &["uwsgi_cache"]),
];

/// Who asks servers and keeps answers in buffers.
const FAMILIES: &[&str] = &["fastcgi", "proxy", "scgi", "uwsgi"];

/// What a block says of buffers, or inherits; `None`: nothing is said.
#[derive(Debug, Clone, Default)]
struct Sizes<'d> {
    one: Option<(u64, Span)>,
    many: Option<((u64, u64), Span)>,
    busy: Option<(u64, Span)>,
    written: Option<(u64, Span)>,
    most: Option<(u64, Span)>,
    last: Option<&'d Directive>,
}

impl Checker<'_> {
    fn refuse(&mut self, at: Span, reason: impl std::fmt::Display) {
        if self.told.insert(at) {
            self.account.gap(at, format!("nginx refuses it: {reason}"));
        }
    }

    /// What stands beside one another, in all blocks.
    fn beside(&mut self, list: &[Directive]) {
        for (name, word) in ALONE {
            let all = list.iter().filter(|d| d.is(name)).collect::<Vec<_>>();
            if let Some(second) = all.get(1).filter(|_| all.iter().any(|d| d.first() == word.as_bytes())) {
                self.refuse(second.span, format!("\"{name}\" directive is duplicate"));
            }
        }
        for (one, other) in APART {
            let said = |name: &str| list.iter().find(|d| d.is(name) && d.first() != b"off");
            if let (Some(first), Some(second)) = (said(one), said(other)) {
                let at = first.span.max(second.span);
                self.refuse(at, format!("\"{one}\" directive is incompatible with \"{other}\""));
            }
        }
        for (name, start) in NAMED_ONCE {
            let mut seen = BTreeSet::new();
            for directive in list.iter().filter(|d| d.is(name)) {
                let named = directive.words.iter().find_map(|word| word.text.strip_prefix(*start));
                if named.is_some_and(|named| !seen.insert(named.to_ascii_lowercase())) {
                    self.refuse(directive.span, format!("\"{name}\" directive is duplicate"));
                }
            }
        }
        let mut asked = None;
        for directive in list {
            if directive.is("proxy_pass") {
                asked = Some(directive.first().contains(&b'$'));
            } else if directive.is("proxy_redirect") && directive.words.len() == 1 && directive.first() == b"default" {
                match asked {
                    Some(false) => {}
                    Some(true) => self.refuse(
                        directive.span,
                        "\"proxy_redirect default\" cannot be used with \"proxy_pass\" directive with variables",
                    ),
                    None => self.refuse(
                        directive.span,
                        "\"proxy_redirect default\" should be placed after the \"proxy_pass\" directive",
                    ),
                }
            }
            self.beside(block(directive));
        }
    }

    /// Modules are loaded before anything is said to them.
    fn modules(&mut self, list: &[Directive]) {
        let begun = list.iter().position(|directive| directive.block.is_some());
        for late in begun.map_or(&[][..], |at| &list[at..]).iter().filter(|directive| directive.is("load_module")) {
            self.refuse(late.span, "\"load_module\" directive is specified too late");
        }
    }

    /// A zone is of one kind, of one size, and defined once.
    fn zones(&mut self, list: &[Directive], known: &mut BTreeMap<Vec<u8>, (&'static str, Option<u64>)>) {
        for directive in list {
            let fits = |names: &&[&str]| names.iter().any(|name| directive.is(name));
            let kind = KINDS.iter().find(|(_, define, using)| fits(define) || fits(using));
            if let Some((kind, defines, _)) = kind
                && let Some((name, size)) = zone(directive)
            {
                let shown = escape(&name);
                match known.get(&name).copied() {
                    None => drop(known.insert(name, (*kind, size))),
                    Some((other, _)) if other != *kind => self.refuse(
                        directive.span,
                        format!("the shared memory zone \"{shown}\" is already declared for a different use"),
                    ),
                    Some((_, Some(other))) if size.is_some_and(|size| size != other) => {
                        let reason =
                            format!("the size of shared memory zone \"{shown}\" conflicts with its other size");
                        self.refuse(directive.span, reason);
                    }
                    Some((_, Some(_))) if fits(defines) => {
                        self.refuse(directive.span, format!("duplicate zone \"{shown}\""));
                    }
                    Some((_, before)) => drop(known.insert(name, (*kind, before.or(size)))),
                }
            }
            self.zones(block(directive), known);
        }
    }

    /// Formats are known from where they are defined on.
    fn formats(&mut self, list: &[Directive], known: &mut BTreeSet<Vec<u8>>) {
        for directive in list {
            let named = directive.words.get(1).map_or(&b"combined"[..], |word| &word.text);
            if directive.is("log_format") && !known.insert(directive.first().to_vec()) {
                let name = escape(directive.first());
                self.refuse(directive.span, format!("duplicate \"log_format\" name \"{name}\""));
            }
            if directive.is("access_log") && directive.first() != b"off" && !known.contains(named) {
                self.refuse(directive.span, format!("unknown log format \"{}\"", escape(named)));
            }
            self.formats(block(directive), known);
        }
    }

    /// What buffers of answers have to do with one another (`ngx_http_proxy_merge_loc_conf`). Where nothing is said they are
    /// as large as a page of memory, which is 4k or 8k: refused is what does not fit for both.
    fn buffers<'d>(&mut self, list: &'d [Directive], family: &str, around: &Sizes<'d>, merged: bool) {
        let mut sizes = around.clone();
        for directive in list {
            let Some(name) = directive.name.strip_prefix(family.as_bytes()) else { continue };
            let first = size(directive.first()).map(|size| (size, directive.span));
            let place = match name {
                b"_buffer_size" => &mut sizes.one,
                b"_busy_buffers_size" => &mut sizes.busy,
                b"_temp_file_write_size" => &mut sizes.written,
                b"_max_temp_file_size" => &mut sizes.most,
                b"_buffers" => {
                    let each = directive.words.get(1).and_then(|word| size(&word.text));
                    sizes.many = number(directive.first()).zip(each).map(|many| (many, directive.span));
                    sizes.last = Some(directive);
                    continue;
                }
                _ => continue,
            };
            *place = first;
            sizes.last = Some(directive);
        }
        if let Some(last) = sizes.last.filter(|_| merged)
            && let (Some((at, reason)), Some(_)) = (sizes.wrong(4096), sizes.wrong(8192))
        {
            let reason = reason.replace("P_", &format!("{family}_"));
            self.refuse(at.map_or(last.span, |(_, at)| at), reason);
        }
        for inner in list.iter().filter(|inner| inner.is("server") || inner.is("location")) {
            self.buffers(block(inner), family, &sizes, true);
        }
    }

    /// A request has to fit where it is read.
    fn headers(&mut self, server: &[Directive], around: &[Directive]) {
        let said = |name: &'static str| called(server, name).chain(called(around, name)).next();
        let Some(large) = said("large_client_header_buffers") else { return };
        let pool = match said("connection_pool_size") {
            Some(pool) => size(pool.first()),
            // 256 where addresses are short.
            None => Some(256),
        };
        let each = large.words.get(1).and_then(|word| size(&word.text));
        if matches!((each, pool), (Some(each), Some(pool)) if each < pool) {
            let reason =
                "the \"large_client_header_buffers\" size must be equal to or greater than \"connection_pool_size\"";
            self.refuse(large.span, reason);
        }
    }

    /// Each certificate has a key, and who asks clients for theirs knows who signs those.
    fn certificates(&mut self, server: &[Directive], around: &[Directive]) {
        let said = |name: &'static str| {
            let own: Vec<&Directive> = called(server, name).collect();
            if own.is_empty() { called(around, name).collect() } else { own }
        };
        let (certificates, keys) = (said("ssl_certificate"), said("ssl_certificate_key"));
        if let Some(bare) = certificates.get(keys.len()) {
            let name = escape(bare.first());
            self.refuse(bare.span, format!("no \"ssl_certificate_key\" is defined for certificate \"{name}\""));
        }
        let asks = said("ssl_verify_client").into_iter().find(|d| matches!(d.first(), b"on" | b"optional"));
        let signers = [said("ssl_client_certificate"), said("ssl_trusted_certificate")].concat();
        if let Some(asks) = asks.filter(|_| signers.is_empty() && !certificates.is_empty()) {
            self.refuse(asks.span, "no ssl_client_certificate for ssl_verify_client");
        }
    }

    /// A server of `stream` listens and does something with connections.
    fn of_stream(&mut self, server: &Directive, around: &[Directive]) {
        const HANDLERS: &[&str] = &["proxy_pass", "return", "pass"];
        /// What a socket of datagrams has not.
        const OF_TCP: &[&str] = &["ssl", "so_keepalive", "backlog", "proxy_protocol"];
        let list = block(server);
        let known = list.iter().all(|directive| !super::directives::rows(&directive.name).is_empty());
        if called(list, "listen").next().is_none() {
            self.refuse(server.head, "no \"listen\" is defined for server");
        }
        if known && !list.iter().any(|directive| HANDLERS.iter().any(|name| directive.is(name))) {
            self.refuse(server.head, "no handler for server");
        }
        let rejects = |list: &[Directive]| called(list, "ssl_reject_handshake").any(|d| d.first() == b"on");
        let bare = |name: &'static str| called(list, name).chain(called(around, name)).next().is_none();
        let mut places = BTreeSet::new();
        for listen in called(list, "listen") {
            let udp = listen.words.iter().any(|word| word.text == b"udp");
            if !places.insert((listen.first(), udp)) {
                self.refuse(listen.span, "a duplicate listen");
            }
            let has = |name: &str| {
                let named = |text: &[u8]| text.split(|byte| *byte == b'=').next() == Some(name.as_bytes());
                listen.words.iter().skip(1).any(|word| named(&word.text))
            };
            if let Some(name) = OF_TCP.iter().find(|name| has("udp") && has(name)) {
                self.refuse(listen.span, format!("\"{name}\" parameter is incompatible with \"udp\""));
            } else if has("ssl") && bare("ssl_certificate") && !rejects(list) && !rejects(around) {
                let reason = "no \"ssl_certificate\" is defined for the \"listen ... ssl\" directive";
                self.refuse(listen.span, reason);
            }
        }
        self.certificates(list, around);
    }
}

impl Sizes<'_> {
    /// What does not fit, where a page of memory is that large: the size that is said to be wrong, if it is said, and why.
    fn wrong(&self, page: u64) -> Option<(Option<(u64, Span)>, &'static str)> {
        let one = self.one.map_or(page, |(size, _)| size);
        let (count, each) = self.many.map_or((8, page), |(many, _)| many);
        let largest = one.max(each);
        let twice = largest.saturating_mul(2);
        let busy = self.busy.map_or(twice, |(size, _)| size);
        let written = self.written.map_or(twice, |(size, _)| size);
        if count < 2 {
            Some((self.busy, "there must be at least 2 \"P_buffers\""))
        } else if busy < largest {
            Some((
                self.busy,
                "\"P_busy_buffers_size\" must be equal to or greater than the maximum of the value of \"P_buffer_size\" and \
                 one of the \"P_buffers\"",
            ))
        } else if busy > (count - 1).saturating_mul(each) {
            let reason = "\"P_busy_buffers_size\" must be less than the size of all \"P_buffers\" minus one buffer";
            Some((self.busy, reason))
        } else if written < largest {
            Some((
                self.written,
                "\"P_temp_file_write_size\" must be equal to or greater than the maximum of the value of \"P_buffer_size\" \
                 and one of the \"P_buffers\"",
            ))
        } else if self.most.is_some_and(|(most, _)| most != 0 && most < largest) {
            Some((
                self.most,
                "\"P_max_temp_file_size\" must be equal to zero or to or greater than the maximum of the value of \
                 \"P_buffer_size\" and one of the \"P_buffers\"",
            ))
        } else {
            None
        }
    }
}

/// The zone that a directive defines or uses, and how large it is if that is said.
fn zone(directive: &Directive) -> Option<(Vec<u8>, Option<u64>)> {
    let word = match &directive.name[..] {
        b"limit_conn" | b"zone" => directive.first(),
        name if name.ends_with(b"_cache") && name != b"ssl_session_cache" => match directive.first() {
            b"off" => return None,
            computed if computed.contains(&b'$') => return None,
            zone => zone,
        },
        name => {
            let key: &[u8] = match name {
                b"ssl_session_cache" => b"shared:",
                _ if name.ends_with(b"_cache_path") => b"keys_zone=",
                _ => b"zone=",
            };
            directive.words.iter().find_map(|word| word.text.strip_prefix(key))?
        }
    };
    if directive.is("zone") {
        return Some((word.to_vec(), directive.words.get(1).and_then(|word| size(&word.text))));
    }
    let at = word.iter().position(|byte| *byte == b':').unwrap_or(word.len());
    Some((word[..at].to_vec(), word.get(at + 1..).and_then(size)))
}
