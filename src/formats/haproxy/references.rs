//! What lines name that has to be there: tables, backends and servers (manual, 4.2, 5.2 and 7.3). HAProxy refuses a file that
//! names another.

use super::lex::{Line, Word};
use super::proxies::Proxy;
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
}

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
        if before == "track" && matches!(first, "server" | "server-template" | "default-server") {
            out.extend(server(&word.text, word.at));
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
pub(super) fn check(proxies: &[Proxy], account: &mut Account) {
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
