//! What lines name that has to be there: tables, backends and servers (manual, 4.2, 5.2 and 7.3). HAProxy refuses a file that
//! names another.

use super::lex::{Line, Word};
use super::proxies::Proxy;
use super::sections::{Kind, Section};
use crate::formats::account::Account;
use crate::text::Span;

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
    Backend,
    Server(String),
    /// A server whose state another one takes over.
    Tracked(String),
    /// A section of such a kind.
    Section(&'static str),
    /// What is tracked under such a number.
    Counter(u32),
}

/// A keyword, the word before a name, the place from which on it counts, and the kind of section that is named.
const SECTIONS: &[(&str, &str, usize, &str)] = &[
    ("default-server", "resolvers", 2, "resolvers"),
    ("errorfiles", "errorfiles", 1, "http-errors"),
    ("filter", "cache", 2, "cache"),
    ("http-request", "cache-use", 2, "cache"),
    ("http-response", "cache-store", 2, "cache"),
    ("server", "resolvers", 4, "resolvers"),
    ("server-template", "resolvers", 5, "resolvers"),
    ("stick-table", "peers", 2, "peers"),
    ("use-fcgi-app", "use-fcgi-app", 1, "fcgi-app"),
];

/// What a line names.
pub(super) fn of(line: &Line) -> Vec<Needed> {
    let mut out = Vec::new();
    let known = |word: &&Word| !word.unknown && !word.text.contains(['%', '$']);
    let first = line.text(0);
    for (at, word) in line.words.iter().enumerate().filter(|(_, word)| known(word)) {
        let before = at.checked_sub(1).map_or("", |at| line.text(at));
        let tracks = at < 4 && first.ends_with("-request") && word.text.starts_with("track-sc");
        if tracks || (first == "stick" && at == 0) {
            let named = line.words.iter().skip(at).position(|word| word.text == "table");
            let proxy = named.and_then(|behind| line.words.get(at + behind + 1)).map(|word| word.text.clone());
            out.push(Needed { what: What::Table, proxy, at: word.at });
        }
        let names = SECTIONS.iter().find(|entry| (entry.0, entry.1) == (first, before) && at >= entry.2);
        if let Some(&(.., kind)) = names {
            out.push(Needed { what: What::Section(kind), proxy: Some(word.text.clone()), at: word.at });
        }
        if tracks || (at < 4 && word.text.starts_with("sc-") && first.contains("-re")) {
            let number = word.text.strip_prefix("track-sc").or_else(|| {
                let (_, inner) = word.text.split_once('(')?;
                inner.strip_suffix(')')?.rsplit(',').next()
            });
            let number = number.and_then(|number| number.trim().parse().ok());
            out.extend(number.map(|number| Needed { what: What::Counter(number), proxy: None, at: word.at }));
        }
        if before == "track" && matches!(first, "server" | "server-template" | "default-server") {
            out.extend(server(&word.text, word.at));
            out.extend(server(&word.text, word.at).map(|needed| match needed.what {
                What::Server(name) => Needed { what: What::Tracked(name), ..needed },
                What::Table | What::Backend | What::Tracked(_) | What::Section(_) | What::Counter(_) => needed,
            }));
        }
        if first == "use-server" && at == 1 {
            out.extend(server(&word.text, word.at));
        }
        for (name, argument) in calls(&word.text) {
            let proxy = Some(argument.to_owned());
            match name {
                "nbsrv" | "be_conn" | "be_sess_rate" | "queue" | "avg_queue" | "connslots" | "srv_count" => {
                    out.push(Needed { what: What::Backend, proxy, at: word.at });
                }
                "http_auth" | "http_auth_group" => {
                    out.push(Needed { what: What::Section("userlist"), proxy, at: word.at });
                }
                "src_port" | "src_is_local" => {}
                _ if name.starts_with("src_") => out.push(Needed { what: What::Table, proxy, at: word.at }),
                _ if name.starts_with("srv_") => out.extend(server(argument, word.at)),
                _ => {}
            }
        }
    }
    out
}

/// `s1`, `backend/s1`.
fn server(text: &str, at: Span) -> Option<Needed> {
    let (proxy, name) = text.split_once('/').map_or((None, text), |(proxy, name)| (Some(proxy.to_owned()), name));
    (!name.is_empty()).then(|| Needed { what: What::Server(name.to_owned()), proxy, at })
}

/// The names in a text before a parenthesis, and the first argument behind it.
fn calls(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.match_indices('(').filter_map(|(at, _)| {
        let (before, behind) = (&text[..at], &text[at + 1..]);
        let start = before.rfind(|c: char| !(c.is_ascii_alphanumeric() || "._".contains(c))).map_or(0, |at| at + 1);
        let argument = behind.split([')', ',']).next().map(str::trim).filter(|argument| !argument.is_empty())?;
        Some((&before[start..], argument))
    })
}

/// Says what is named and is not there.
pub(super) fn check(proxies: &[Proxy], sections: &[Section], account: &mut Account) {
    let mut global =
        sections.iter().filter(|section| section.kind == Kind::Global).flat_map(|section| &section.entries);
    let told = global.rfind(|entry| entry.line.text(0) == "tune.stick-counters");
    let counters: u32 = told.map_or(Some(3), |entry| entry.line.text(1).parse().ok()).unwrap_or(u32::MAX);
    for (proxy, needed) in proxies.iter().flat_map(|proxy| proxy.needed.iter().map(move |needed| (proxy, needed))) {
        let Needed { what, proxy: named, at } = needed;
        let name = named.as_deref().unwrap_or(&proxy.name);
        // Sections of `peers` have tables too.
        if name.contains('/') {
            continue;
        }
        let mut those = proxies.iter().filter(|other| other.name == name);
        let missing = match what {
            What::Table => (!those.any(has_table)).then(|| format!("`{name}` has no table")),
            What::Backend => {
                (!those.any(|other| other.kind.is_back())).then(|| format!("there is no backend `{name}`"))
            }
            What::Tracked(server) => {
                let told = those.find_map(|other| other.servers.told.get(server));
                told.is_some_and(|told| !told.has_state && !told.unknown)
                    .then(|| format!("`{name}/{server}` is not checked"))
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
        if let Some(missing) = missing {
            account.gap(*at, format!("{missing}: HAProxy refuses the file"));
        }
    }
}

fn has_table(proxy: &Proxy) -> bool {
    proxy.front.single.contains_key("stick-table") || proxy.back.single.contains_key("stick-table")
}
