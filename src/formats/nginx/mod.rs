//! nginx: the `http` and `stream` parts of a configuration with the files that it includes, pieces of those (a file with
//! `server` and `upstream` blocks alone), and the output of `nginx -T`.
//!
//! nginx.org, "How nginx processes a request", "Server names", and the reference of each module.

mod code;
mod directives;
mod dump;
mod entries;
mod expressions;
mod forms;
mod handlers;
mod hosts;
mod http;
mod include;
mod later_directives;
mod locations;
mod names;
mod parse;
mod relations;
mod rewrites;
mod scope;
mod settings;
mod shapes;
mod stream;
mod stream_directives;
mod syntax;
mod upstreams;
mod values;
mod variables;
mod words;
mod zones;

use super::account::Account;
use super::{Disposition, Format, Include, Reading, Texts, declared};
use crate::model::{Configuration, Declaration, Reference};
use crate::text::{SourceId, Span, escape};
use regex::bytes::Regex;
use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;
use syntax::Directive;

pub(super) static FORMAT: Nginx = Nginx;

pub(super) struct Nginx;

impl Format for Nginx {
    fn id(&self) -> &'static str {
        "nginx"
    }

    fn recognises(&self, name: &str, text: &[u8]) -> bool {
        words::is_nginx(name, text)
    }

    fn includes(&self, main: &str, _file: &str, text: &[u8]) -> Vec<Include> {
        include::names(main, text)
    }

    fn declarations(&self, configuration: &Configuration, texts: &Texts<'_>) -> Vec<Declaration> {
        static UPSTREAM: LazyLock<Regex> =
            LazyLock::new(|| Regex::new(r"(?m-u)^[ \t]*upstream[ \t]+([^\s{]+)").expect("it is well-formed"));
        if declared::computes_backends(configuration) {
            return Vec::new();
        }
        texts.words("upstream", &UPSTREAM, |name| vec![name.to_owned()])
    }

    fn read(&self, reading: &mut Reading<'_>) {
        // A file may hold anything: types, upstreams, a map.
        reading.configuration.declares = true;
        let mut account = Account::default();
        let mut lists: Vec<(SourceId, Vec<Directive>)> = Vec::new();
        let mut complete = true;
        for file in reading.files() {
            let text = reading.text(*file);
            if dump::is_one(text) {
                lists.extend(dumped(*file, text, &mut account, &mut complete).map(|list| (*file, list)));
            } else if let Some(directives) = parsed(*file, text, &mut account) {
                let of_host = is_of_host(reading, *file, &directives);
                let (within, account) = (vec![*file], &mut account);
                let complete = &mut complete;
                let mut files = Files { reading, account, main: *file, of_host, within, read: 0, complete };
                lists.push((*file, files.expand(directives)));
            } else {
                complete = false;
            }
        }
        forms::check(&lists, complete, &mut account);
        code::attach(reading, &mut account, &mut lists);
        zones::attach(&mut lists);
        let mut lowering =
            Lowering { reading, account: &mut account, backends: HashSet::new(), groups: HashMap::new() };
        lowering.configuration(lists.iter().map(|(_, list)| list));
        reading.configuration.objects.sort_by(|a, b| (a.kind, &a.address).cmp(&(b.kind, &b.address)));
        super::balancers::finish(reading);
        account.close(reading);
    }
}

/// The directives of a text; `None`: it is none, which is a gap.
fn parsed(file: SourceId, text: &[u8], account: &mut Account) -> Option<Vec<Directive>> {
    let whole = Span { source: file, start: 0, end: super::end_of(text) };
    if text.trim_ascii().is_empty() {
        account.gap(whole, "the file is empty: nothing listens");
        return None;
    }
    account.claim(whole, Disposition::Modelled);
    match parse::parse(file, text, 0) {
        Ok((directives, comments)) => {
            for comment in comments {
                account.claim(comment, Disposition::Inert("comment"));
            }
            counted(&directives, account);
            Some(directives)
        }
        Err(parse::Refused { at, reason }) => {
            account.gap(at, format!("nginx refuses it: {reason}"));
            None
        }
    }
}

/// Reports what includes nothing, or more than one name; other words are looked at once all files are in their places.
fn counted(directives: &[Directive], account: &mut Account) {
    for directive in directives {
        if directive.is("include") && directive.words.len() != 1 {
            account.gap(directive.head, "nginx refuses it: invalid number of arguments in \"include\" directive");
        }
        counted(directive.block.as_deref().unwrap_or_default(), account);
    }
}

/// The directives of `nginx -T`, what the first file includes in its place.
fn dumped(file: SourceId, text: &[u8], account: &mut Account, complete: &mut bool) -> Option<Vec<Directive>> {
    let whole = Span { source: file, start: 0, end: super::end_of(text) };
    account.claim(whole, Disposition::Modelled);
    let mut parts = Vec::new();
    for (name, range) in dump::parts(text) {
        match parse::parse(file, &text[..range.end], range.start) {
            Ok((directives, comments)) => {
                for comment in comments {
                    account.claim(comment, Disposition::Inert("comment"));
                }
                counted(&directives, account);
                parts.push((name, directives));
            }
            Err(parse::Refused { at, reason }) => {
                *complete = false;
                account.gap(at, format!("nginx refuses it: {reason}"));
            }
        }
    }
    let (main, first) = parts.first()?;
    Some(Dump { main, parts: &parts, account, within: vec![main], read: 0, complete }.expand(first))
}

/// How many files may be in one another.
const DEEPEST: usize = 30;
/// How many directives includes may bring in all.
const MOST: usize = 2_000_000;

/// A file of `nginx -T`: its name and its directives.
type Part = (Vec<u8>, Vec<Directive>);

struct Dump<'a> {
    main: &'a [u8],
    parts: &'a [Part],
    account: &'a mut Account,
    within: Vec<&'a [u8]>,
    read: usize,
    complete: &'a mut bool,
}

impl Dump<'_> {
    /// Directives with those of included files in their places.
    fn expand(&mut self, directives: &[Directive]) -> Vec<Directive> {
        let mut out = Vec::new();
        for directive in directives {
            if directive.is("include") {
                self.include(directive, &mut out);
            } else {
                let block = directive.block.as_ref().map(|block| self.expand(block));
                out.push(Directive { block, ..directive.clone() });
            }
        }
        out
    }

    fn include(&mut self, directive: &Directive, out: &mut Vec<Directive>) {
        let found = include::in_dump(directive.first(), self.main, self.parts);
        if found.is_empty() && is_data(directive.first()) {
            self.account.claim(directive.span, Disposition::Inert("a file of the package"));
        } else if found.is_empty() && !super::places::is_pattern(directive.first()) {
            *self.complete = false;
            self.account.gap(directive.span, "the file that it includes is not in the dump");
        }
        for (name, directives) in found {
            self.read += directives.len() + 1;
            if self.within.contains(&name.as_slice()) || self.within.len() > DEEPEST || self.read > MOST {
                self.account
                    .gap(directive.span, "it includes itself, or files are too deep in one another, or too many");
                return;
            }
            self.within.push(name);
            out.extend(self.expand(directives));
            self.within.pop();
        }
    }
}

/// Files that come with the package: types, character sets, and what servers are told in the usual way. Nothing in them
/// decides where a request goes.
const PACKAGED: &[&[u8]] = &[
    b"mime.types",
    b"fastcgi_params",
    b"fastcgi.conf",
    b"uwsgi_params",
    b"scgi_params",
    b"proxy_params",
    b"koi-utf",
    b"koi-win",
    b"win-utf",
];

/// Whether a name is that of a file that comes with the package.
fn is_data(name: &[u8]) -> bool {
    PACKAGED.contains(&name.rsplit(|byte| *byte == b'/').next().unwrap_or(name))
}

/// Whether the folder of a main file is that of the host's configuration: a name below `/etc/nginx` leads to a file in it.
fn is_of_host(reading: &Reading<'_>, main: SourceId, directives: &[Directive]) -> bool {
    directives.iter().any(|directive| {
        let leads = || reading.linked(main, directive.first()).is_some_and(|linked| !linked.texts.is_empty());
        (directive.is("include") && include::of_folder(directive.first()).is_some() && leads())
            || is_of_host(reading, main, directive.block.as_deref().unwrap_or_default())
    })
}

struct Files<'a, 'r> {
    /// Whether all that is included was there so far.
    complete: &'a mut bool,
    reading: &'a Reading<'r>,
    account: &'a mut Account,
    main: SourceId,
    /// Whether all of the host's folder is beside the main file.
    of_host: bool,
    within: Vec<SourceId>,
    read: usize,
}

impl Files<'_, '_> {
    /// Directives with those of included files in their places.
    fn expand(&mut self, directives: Vec<Directive>) -> Vec<Directive> {
        let mut out = Vec::new();
        for mut directive in directives {
            if directive.is("include") {
                out.extend(self.included(&directive));
            } else {
                directive.block = directive.block.map(|block| self.expand(block));
                out.push(directive);
            }
        }
        out
    }

    fn included(&mut self, directive: &Directive) -> Vec<Directive> {
        let name = directive.first();
        let shown = escape(name);
        if is_data(name) && self.reading.linked(self.main, name).is_none_or(|linked| linked.texts.is_empty()) {
            self.account.claim(
                directive.span,
                Disposition::Inert("a file of the package: types of content, or how servers are asked"),
            );
            return Vec::new();
        }
        let Some(linked) = self.reading.linked(self.main, name) else {
            *self.complete = false;
            self.account.gap(directive.span, format!("what `{shown}` includes is not at hand"));
            return Vec::new();
        };
        if linked.texts.is_empty() {
            // A pattern may lead to nothing, and git keeps no empty folder.
            if self.of_host && super::places::is_pattern(name) && include::of_folder(name).is_some() {
                return Vec::new();
            }
            *self.complete &= linked.within && super::places::is_pattern(name);
            if !linked.within {
                let reason = format!("`{shown}` is outside of what is compared: what it includes is not known");
                self.account.gap(directive.span, reason);
            } else if !super::places::is_pattern(name) {
                self.account.gap(directive.span, format!("nginx refuses it: there is no file {shown}"));
            }
            return Vec::new();
        }
        if self.within.len() > DEEPEST {
            self.account.gap(directive.span, "files include one another too deep");
            return Vec::new();
        }
        let mut out = Vec::new();
        for file in linked.texts.clone() {
            if self.within.contains(&file) {
                self.account.gap(directive.span, format!("nginx refuses it: `{shown}` includes itself"));
                continue;
            }
            let text = self.reading.text(file);
            if text.trim_ascii().is_empty() {
                continue;
            }
            let Some(directives) = parsed(file, text, self.account) else {
                *self.complete = false;
                continue;
            };
            self.read += directives.len();
            if self.read > MOST {
                self.account.gap(directive.span, "includes bring in too much");
                return out;
            }
            self.within.push(file);
            out.extend(self.expand(directives));
            self.within.pop();
        }
        out
    }
}

/// The model in the making.
struct Lowering<'a, 'r> {
    reading: &'a mut Reading<'r>,
    account: &'a mut Account,
    /// The names of the backends so far.
    backends: HashSet<String>,
    /// The names of the groups among them, by what they are in small letters.
    groups: HashMap<String, String>,
}

impl Lowering<'_, '_> {
    /// Each list is a main file, or pieces that main files include.
    fn configuration<'d>(&mut self, lists: impl Iterator<Item = &'d Vec<Directive>>) {
        let mut http: Vec<&Directive> = Vec::new();
        let mut streams: Vec<&Directive> = Vec::new();
        for list in lists {
            let pieces = !list.iter().any(|d| d.is("http") || d.is("stream") || d.is("events") || d.is("mail"));
            for directive in list {
                match (&directive.name[..], &directive.block) {
                    (b"http", Some(block)) => http.extend(block),
                    (b"stream", Some(block)) => streams.extend(block),
                    (b"events", Some(block)) => {
                        for inner in block.iter().filter(|inner| directives::rows(&inner.name).is_empty()) {
                            self.other(inner);
                        }
                        self.inert(directive, "how connections are processed");
                    }
                    (b"mail", Some(_)) => {
                        self.account.gap(directive.head, "proxies of mail are not read");
                    }
                    _ if pieces && is_of_stream(directive) => streams.push(directive),
                    (b"location" | b"proxy_pass" | b"fastcgi_pass" | b"return" | b"try_files", _) if pieces => {
                        let reason = "a piece of a server, without the server: name the main file that includes it";
                        self.account.gap(directive.head, reason);
                    }
                    _ if pieces => http.push(directive),
                    _ => self.other(directive),
                }
            }
        }
        self.http(&http);
        self.stream(&streams);
    }

    /// A directive that decides nothing about requests, or is not known.
    fn other(&mut self, directive: &Directive) {
        match words::inert(&directive.name) {
            Some(reason) => self.inert(directive, reason),
            None => {
                let name = escape(&directive.name);
                self.account.gap(directive.head, format!("the directive `{name}` is not known here"));
            }
        }
    }

    /// The same for what belongs to the settings of listeners where it can matter: see [`settings`].
    fn beside(&mut self, directive: &Directive) {
        if !words::is_setting(&directive.name) {
            self.other(directive);
        }
    }

    fn inert(&mut self, directive: &Directive, reason: &'static str) {
        self.account.claim(directive.span, Disposition::Inert(reason));
    }

    fn undefined(&mut self, kind: &'static str, name: &str, origin: Span) {
        let address = escape(name.as_bytes());
        self.reading.configuration.undefined.push(Reference { kind, address, origin });
    }
}

/// Whether a piece can only stand in `stream`.
fn is_of_stream(directive: &Directive) -> bool {
    let Some(block) = directive.block.as_deref().filter(|_| directive.is("server")) else { return false };
    block.iter().any(|inner| inner.is("proxy_pass") || inner.is("ssl_preread"))
        && !block.iter().any(|inner| inner.is("location"))
}
