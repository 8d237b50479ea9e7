//! What lines name that has to be there: tables, proxies, servers, sections and what is loaded (manual, 4.2, 5.2 and 7.3).
//! HAProxy refuses a file that names another.

use super::lex::{Line, Word};
use super::proxies::Proxy;
use super::samples::arguments_of;
use super::sections::{Kind, Section};
use crate::formats::account::Account;
use crate::text::Span;
use std::collections::{BTreeMap, BTreeSet};

/// Something that has to be there.
#[derive(Debug, Clone)]
pub(super) struct Needed {
    what: What,
    /// `None`: the proxy's own.
    proxy: Option<String>,
    at: Span,
}

#[derive(Debug, Clone)]
enum What {
    Table,
    Frontend,
    Backend,
    Server(String),
    /// A server whose state another one takes over, which is named first.
    Tracked(String, String),
    /// A section of such a kind.
    Section(&'static str),
    /// What is tracked under such a number.
    Counter(u32),
    /// What is captured under such a number, of requests or of answers.
    Slot(usize, &'static str),
    /// One of these keywords in `global`.
    Loaded(&'static [&'static str]),
    /// A service of that name.
    Service(String),
    /// What is said in the same proxy.
    Said(String),
}

/// A keyword, the word before a name, the place from which on it counts, and the kind of section that is named.
const SECTIONS: &[(&str, &str, usize, &str)] = &[
    ("default-server", "resolvers", 2, "resolvers"),
    ("email-alert", "mailers", 2, "mailers"),
    ("errorfiles", "errorfiles", 1, "http-errors"),
    ("filter", "cache", 2, "cache"),
    ("filter", "fcgi-app", 2, "fcgi-app"),
    ("http-error", "errorfiles", 2, "http-errors"),
    ("http-request", "cache-use", 2, "cache"),
    ("http-request", "errorfiles", 3, "http-errors"),
    ("http-response", "cache-store", 2, "cache"),
    ("http-response", "errorfiles", 3, "http-errors"),
    ("server", "resolvers", 4, "resolvers"),
    ("server-template", "resolvers", 5, "resolvers"),
    ("stick-table", "peers", 2, "peers"),
    ("use-fcgi-app", "use-fcgi-app", 1, "fcgi-app"),
];

const SCRIPTS: &[&str] = &["lua-load", "lua-load-per-thread"];

/// Actions that have to be allowed.
const EXPERIMENTAL: &[&str] = &["normalize-uri"];

/// What a line names, in such a section.
pub(super) fn of(line: &Line, kind: Kind) -> Vec<Needed> {
    let mut out = Vec::new();
    let known = |word: &&Word| !word.unknown && !word.text.contains(['%', '$']);
    let first = line.text(0);
    let is_rules = ["-request", "-response"].iter().any(|end| first.ends_with(end));
    if first == "option" && line.text(1) == "external-check" && kind.is_back() {
        let mut need = |what| out.push(Needed { what, proxy: None, at: line.at });
        need(What::Loaded(&["external-check"]));
        need(What::Said("external-check command".to_owned()));
    }
    for (at, word) in line.words.iter().enumerate().filter(|(_, word)| known(word)) {
        let before = at.checked_sub(1).map_or("", |at| line.text(at));
        let mut need = |what, proxy: Option<&str>| {
            out.push(Needed { what, proxy: proxy.map(str::to_owned), at: word.at });
        };
        let tracks = at < 4 && is_rules && word.text.starts_with("track-sc");
        if tracks || (first == "stick" && at == 0 && kind.is_back()) {
            let named = line.words.iter().skip(at).position(|word| word.text == "table");
            let proxy = named.and_then(|behind| line.words.get(at + behind + 1)).map(|word| word.text.as_str());
            need(What::Table, proxy);
        }
        let names = SECTIONS.iter().find(|entry| (entry.0, entry.1) == (first, before) && at >= entry.2);
        if let Some(&(.., kind)) = names {
            need(What::Section(kind), Some(&word.text));
        }
        if tracks || (at < 4 && word.text.starts_with("sc-") && first.contains("-re")) {
            let number = word.text.strip_prefix("track-sc").or_else(|| {
                let (_, inner) = word.text.split_once('(')?;
                inner.strip_suffix(')')?.rsplit(',').next()
            });
            if let Some(number) = number.and_then(|number| number.trim().parse().ok()) {
                need(What::Counter(number), None);
            }
        }
        if is_rules && at < 4 {
            if word.text.starts_with("lua.") {
                need(What::Loaded(SCRIPTS), None);
            }
            if before == "use-service" && !word.text.starts_with("lua.") {
                need(What::Service(word.text.clone()), None);
            }
            if EXPERIMENTAL.contains(&word.text.as_str()) {
                need(What::Loaded(&["expose-experimental-directives"]), None);
            }
            if before == "send-spoe-group" {
                need(What::Said(format!("engine {}", word.text)), None);
            }
            let resolvers = word.text.strip_prefix("do-resolve(").and_then(|inner| inner.split([',', ')']).nth(1));
            if let Some(resolvers) = resolvers.map(str::trim).filter(|resolvers| !resolvers.is_empty()) {
                need(What::Section("resolvers"), Some(resolvers));
            }
        }
        if is_rules
            && before == "id"
            && line.words.iter().take(at).any(|word| word.text == "capture")
            && kind.is_front()
        {
            let whose = if first.ends_with("-response") { "response" } else { "request" };
            if let Ok(number) = word.text.parse() {
                need(What::Slot(number, whose), None);
            }
        }
        if before == "track"
            && matches!(first, "server" | "server-template" | "default-server")
            && let Some((proxy, name)) = server(&word.text)
        {
            need(What::Server(name.to_owned()), proxy);
            need(What::Tracked(line.text(1).to_owned(), name.to_owned()), proxy);
        }
        if first == "use-server"
            && at == 1
            && let Some((proxy, name)) = server(&word.text)
        {
            need(What::Server(name.to_owned()), proxy);
        }
        for (name, arguments) in calls(&word.text) {
            let letters = arguments_of(name);
            for (letter, argument) in letters.chars().zip(arguments.iter().filter(|_| !letters.is_empty())) {
                let proxy = Some(*argument).filter(|argument| !argument.is_empty());
                match (letter, proxy) {
                    ('b', Some(_)) => need(What::Backend, proxy),
                    ('f', Some(_)) => need(What::Frontend, proxy),
                    ('u', Some(_)) => need(What::Section("userlist"), proxy),
                    ('t' | 'T', Some(_)) => need(What::Table, proxy),
                    ('s', Some(text)) => {
                        if let Some((proxy, name)) = server(text) {
                            need(What::Server(name.to_owned()), proxy);
                        }
                    }
                    (_, _) => {}
                }
            }
            let own = letters.find('T').is_some_and(|at| arguments.get(at).is_none_or(|text| text.is_empty()));
            if own {
                need(What::Table, None);
            }
        }
    }
    out
}

/// Lines that name what has to be there for each section that takes them from `defaults`.
pub(super) fn counts_where_inherited(line: &Line) -> bool {
    line.text(0) == "errorfiles"
        || (line.text(0), line.text(1)) == ("option", "external-check")
        || (line.text(0), line.text(1)) == ("email-alert", "mailers")
}

/// What a line is about: its first words, and what it declares.
pub(super) fn said(line: &Line) -> Vec<String> {
    let (first, second) = (line.text(0), line.text(1));
    let mut out = vec![format!("{first} {second}")];
    if (first, second) == ("filter", "spoe") {
        out.extend(line.from(2).iter().map(|word| format!("engine {}", word.text)));
    }
    let has = |word: &str| line.words.iter().any(|other| other.text == word);
    let captures = first == "declare" && second == "capture" || first == "capture" || has("capture") && has("len");
    if captures {
        let whose = if first.ends_with("-response") || has("response") { "response" } else { "request" };
        out.push(format!("slot {whose}"));
    }
    out
}

/// `s1`, `backend/s1`.
fn server(text: &str) -> Option<(Option<&str>, &str)> {
    let (proxy, name) = text.split_once('/').map_or((None, text), |(proxy, name)| (Some(proxy), name));
    (!name.is_empty()).then_some((proxy, name))
}

/// The names in a text, and the arguments in parentheses behind them.
fn calls(text: &str) -> impl Iterator<Item = (&str, Vec<&str>)> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._".contains(c);
    let opened = text.match_indices('(').map(move |(at, _)| {
        let (before, behind) = (&text[..at], &text[at + 1..]);
        let start = before.rfind(|c: char| !plain(c)).map_or(0, |at| at + 1);
        let inner = behind.split(')').next().unwrap_or_default();
        (&before[start..], inner.split(',').map(str::trim).collect())
    });
    // Where an expression begins, and behind each comma in it.
    let bare = text.split([',', '[']).map(str::trim).filter(move |part| !part.is_empty() && part.chars().all(plain));
    opened.chain(bare.map(|name| (name, Vec::new())))
}

/// Says what is named and is not there.
pub(super) fn check(proxies: &[Proxy], sections: &[Section], account: &mut Account) {
    applications(proxies, account);
    for section in sections.iter().filter(|section| section.kind == Kind::Other("log-forward")) {
        if let Some(name) = section.name().filter(|name| proxies.iter().any(|proxy| proxy.name == name.text)) {
            account.gap(name.at, format!("a proxy is called `{}` too: HAProxy refuses the file", name.text));
        }
    }
    let global = || sections.iter().filter(|section| section.kind == Kind::Global).flat_map(|section| &section.entries);
    let told = global().rfind(|entry| entry.line.text(0) == "tune.stick-counters");
    let counters: u32 = told.map_or(Some(3), |entry| entry.line.text(1).parse().ok()).unwrap_or(u32::MAX);
    let loaded = |keywords: &[&str]| global().any(|entry| keywords.contains(&entry.line.text(0)));
    let mut by_name: BTreeMap<&str, Vec<&Proxy>> = BTreeMap::new();
    for proxy in proxies {
        by_name.entry(&proxy.name).or_default().push(proxy);
    }
    let followed = followed(proxies);
    let mut told_already = BTreeSet::new();
    for (proxy, needed) in proxies.iter().flat_map(|proxy| proxy.needed.iter().map(move |needed| (proxy, needed))) {
        let Needed { what, proxy: named, at } = needed;
        let name = named.as_deref().unwrap_or(&proxy.name);
        // Sections of `peers` have tables too.
        if name.contains('/') {
            continue;
        }
        let mut those = by_name.get(name).into_iter().flatten().copied();
        let missing = match what {
            What::Table => (!those.any(has_table)).then(|| format!("`{name}` has no table")),
            What::Backend => {
                (!those.any(|other| other.kind.is_back())).then(|| format!("there is no backend `{name}`"))
            }
            What::Frontend => {
                (!those.any(|other| other.kind.is_front())).then(|| format!("there is no frontend `{name}`"))
            }
            What::Loaded(keywords) if keywords.contains(&"external-check") && !checks_outside(proxy) => None,
            What::Loaded(keywords) => {
                (!loaded(keywords)).then(|| format!("`global` has no `{}`", keywords.join("`, `")))
            }
            What::Service(service) => {
                (service != "prometheus-exporter").then(|| format!("there is no service `{service}`"))
            }
            What::Said(text) if text == "external-check command" && !checks_outside(proxy) => None,
            What::Said(text) => {
                (!proxy.said.contains(text)).then(|| format!("there is no `{text}` in `{}`", proxy.name))
            }
            What::Slot(number, whose) => {
                let slots = proxy.said.iter().filter(|said| **said == format!("slot {whose}")).count();
                (*number >= slots).then(|| format!("nothing is captured under the number {number}"))
            }
            What::Tracked(by, server) if in_circle(&followed, (&proxy.name, by)) => {
                Some(format!("`{by}` takes over the state of `{server}`, which takes over its own"))
            }
            What::Tracked(_, server) => {
                let told = those.find_map(|other| other.servers.told.get(server));
                told.is_some_and(|told| !told.has_state && !told.unknown)
                    .then(|| format!("`{name}/{server}` is not checked"))
            }
            // Messages that are told too little are not sent.
            What::Section("mailers")
                if !["from", "to"].iter().all(|end| proxy.said.contains(&format!("email-alert {end}"))) =>
            {
                None
            }
            What::Section(kind) => {
                let is = |section: &Section| {
                    section.kind == Kind::Other(kind)
                        && section.name().is_some_and(|word| word.unknown || word.text == name)
                };
                // These resolvers are there without a section.
                let given = (*kind, name) == ("resolvers", "default");
                (!given && !sections.iter().any(is)).then(|| format!("there is no section `{kind} {name}`"))
            }
            What::Counter(number) => {
                (*number >= counters).then(|| format!("nothing is tracked under the number {number}"))
            }
            What::Server(server) => {
                let has = |other: &Proxy| {
                    let own = &other.servers;
                    own.open.is_some()
                        || own.servers.iter().any(|known| known.name == *server || known.name.contains('$'))
                };
                (!those.any(|other| other.kind.is_back() && has(other)))
                    .then(|| format!("there is no server `{server}` in `{name}`"))
            }
        };
        if let Some(missing) = missing
            && told_already.insert((*at, missing.clone()))
        {
            account.gap(*at, format!("{missing}: HAProxy refuses the file"));
        }
    }
}

fn has_table(proxy: &Proxy) -> bool {
    proxy.front.single.contains_key("stick-table") || proxy.back.single.contains_key("stick-table")
}

/// Says which backends speak FastCGI without an application, or have one and no such server.
fn applications(proxies: &[Proxy], account: &mut Account) {
    for proxy in proxies.iter().filter(|proxy| proxy.kind.is_back()) {
        if proxy.servers.told.values().any(|told| told.unknown) {
            continue;
        }
        let servers = &proxy.servers.servers;
        let speaks = servers.iter().find(|server| server.settings.contains("proto fcgi"));
        let has = proxy.back.single.contains_key("use-fcgi-app");
        match (speaks, has) {
            (Some(server), false) => {
                account.gap(server.origin, "a server of FastCGI needs `use-fcgi-app`: HAProxy refuses the file");
            }
            (None, true) if proxy.servers.open.is_none() => {
                account.gap(proxy.at, "`use-fcgi-app` needs a server with `proto fcgi`: HAProxy refuses the file");
            }
            (Some(_), true) | (None, _) => {}
        }
    }
}

/// Whether a program checks its servers.
fn checks_outside(proxy: &Proxy) -> bool {
    proxy.check.as_deref() == Some("option external-check")
}

/// A server by the names of its proxy and its own.
type Path<'p> = (&'p str, &'p str);

/// Which servers take over the state of which.
fn followed(proxies: &[Proxy]) -> BTreeMap<Path<'_>, Path<'_>> {
    let mut next = BTreeMap::new();
    for own in proxies {
        for needed in &own.needed {
            if let What::Tracked(by, server) = &needed.what {
                let there = needed.proxy.as_deref().unwrap_or(&own.name);
                next.insert((own.name.as_str(), by.as_str()), (there, server.as_str()));
            }
        }
    }
    next
}

/// Whether a server takes over its own state, by way of others or not.
fn in_circle(next: &BTreeMap<Path<'_>, Path<'_>>, server: Path<'_>) -> bool {
    let mut at = server;
    for _ in 0..=next.len() {
        match next.get(&at) {
            Some(other) if *other == server => return true,
            Some(other) => at = *other,
            None => return false,
        }
    }
    false
}
