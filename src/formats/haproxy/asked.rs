//! What is asked of servers beside their addresses: in which order they stand, and what their names and numbers are.

use super::lex::Line;
use super::proxies::Proxy;
use super::sections::Kind;
use super::servers::shown;
use crate::model::Server;
use std::collections::HashSet;

/// A line asks for the names of servers, or for their numbers.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Asked {
    /// Of that backend; `None`: of the one where it stands, or that requests go to.
    backend: Option<String>,
    number: bool,
}

/// What a line asks for: by expressions such as `srv_is_up(a/s1)` and `srv_name` (manual, 7.3), by `%s` (8.2.6), and by
/// keywords that name servers.
pub(super) fn by(line: &Line) -> Vec<Asked> {
    let mut out = Vec::new();
    let first = line.text(0);
    if first.starts_with("log-format") || first == "error-log-format" {
        return out;
    }
    let of = |name: &str| name.split_once('/').map(|(backend, _)| backend.trim().to_owned());
    if first == "http-send-name-header" || (first == "use-server" && line.text(1).contains('%')) {
        out.push(Asked { backend: None, number: false });
    }
    for (at, word) in line.words.iter().enumerate() {
        let before = at.checked_sub(1).map_or("", |at| line.text(at));
        if matches!(before, "track" | "attach-srv") {
            out.push(Asked { backend: of(&word.text), number: false });
        }
        let alone = |rest: &str| !rest.starts_with(|c: char| c.is_ascii_alphanumeric());
        if word.text.split("%s").skip(1).any(alone) {
            out.push(Asked { backend: None, number: false });
        }
        for rest in word.text.split("srv_").skip(1) {
            let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(rest.len());
            let (name, behind) = rest.split_at(end);
            let inner = behind.strip_prefix('(').and_then(|inner| inner.split([')', ',']).next());
            out.push(Asked { backend: inner.and_then(of), number: name == "id" });
        }
    }
    out
}

/// What is asked of the servers of a backend: their names, their numbers.
pub(super) fn of(proxy: &Proxy, proxies: &[Proxy]) -> (bool, bool) {
    let mut out = (false, false);
    for other in proxies {
        for Asked { backend, number } in &other.asked {
            let here = match backend {
                Some(name) => *name == proxy.name,
                None => other.kind == Kind::Frontend || other.name == proxy.name,
            };
            out.0 |= here && !number;
            out.1 |= here && *number;
        }
    }
    out
}

/// The order of servers, where it decides which of them is asked (manual, 4.2: `balance`, `hash-type`, `option allbackups`).
pub(super) fn order(proxy: &Proxy, servers: &[Server]) -> Vec<String> {
    let said = |key: &str| proxy.back.single.get(key).map_or("", String::as_str);
    let algorithm = |known: &[&str]| {
        let mut words = said("balance").split_ascii_whitespace().map(|word| word.split('(').next().unwrap_or_default());
        words.any(|word| known.contains(&word))
    };
    let text = |server: &Server| {
        let Server { name: _, address: _, port: _, weight, enabled, backup, check, settings, origin: _ } = server;
        let weight = weight.map_or_else(|| "?".to_owned(), |weight| weight.to_string());
        let state = if *enabled == Some(false) { " disabled" } else { "" };
        let backup = if *backup { " backup" } else { "" };
        let check = if check.is_some() { " checked" } else { "" };
        format!("{} weight {weight}{state}{backup}{check} {settings}", shown(server)).trim_end().to_owned()
    };
    let mut out = Vec::new();
    let hashed = algorithm(&["source", "uri", "url_param", "hdr", "rdp-cookie", "hash"]);
    if servers.len() > 1 && (algorithm(&["first"]) || (hashed && said("hash-type").contains("consistent"))) {
        let mut numbered: Vec<(u32, String)> =
            numbers(proxy, servers).into_iter().zip(servers.iter().map(text)).collect();
        numbered.sort();
        let all: Vec<String> = numbered.iter().map(|(number, text)| format!("{number} is {text}")).collect();
        out.push(format!("of servers {}", all.join(", ")));
    } else if servers.len() > 1 && hashed {
        out.push(format!("servers in order: {}", servers.iter().map(text).collect::<Vec<_>>().join(", ")));
    }
    let backups: Vec<String> = servers.iter().filter(|server| server.backup).map(text).collect();
    if backups.len() > 1 && said("option allbackups").is_empty() {
        out.push(format!("the first of: {}", backups.join(", ")));
    }
    out
}

/// The numbers of servers: those that are given, and the next ones that are free for others, in order (manual, 5.2: `id`).
pub(super) fn numbers(proxy: &Proxy, servers: &[Server]) -> Vec<u32> {
    let taken: HashSet<u32> = proxy.servers.numbers.values().map(|(number, _)| *number).collect();
    let mut next = 0;
    let mut free = || loop {
        next += 1;
        if !taken.contains(&next) {
            return next;
        }
    };
    servers.iter().map(|server| proxy.servers.numbers.get(&server.name).map_or_else(&mut free, |(n, _)| *n)).collect()
}

/// Adds what is asked of servers to what is compared of them; whether their numbers are.
pub(super) fn add(proxy: &Proxy, proxies: &[Proxy], servers: &mut [Server], settings: &mut Vec<String>) -> bool {
    let order = order(proxy, servers);
    let (names, wanted) = of(proxy, proxies);
    let numbers = numbers(proxy, servers);
    for (server, number) in servers.iter_mut().zip(numbers) {
        let called = if names || wanted { format!(" called {}", server.name) } else { String::new() };
        let number = if wanted { format!(" number {number}") } else { String::new() };
        server.settings = format!("{}{called}{number}", server.settings).trim_start().to_owned();
    }
    let numbered = wanted || order.iter().any(|text| text.starts_with("of servers"));
    settings.extend(order);
    numbered
}
