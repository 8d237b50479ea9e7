//! `server`, `server-template`, `default-server` and `dispatch` (manual, chapter 5.2).

use super::lex::{Line, Word, joined};
use super::places::{Ports, arity, written};
use super::proxies::{Reader, needed};
use super::{forms, values, words};
use crate::formats::Disposition;
use crate::model::Server;
use crate::net::{Family, Set};
use crate::text::Span;
use std::collections::BTreeMap;

type Fault = (Span, String);

/// The servers of a backend.
#[derive(Debug, Clone, Default)]
pub(super) struct Servers {
    pub(super) servers: Vec<Server>,
    /// Why there may be more.
    pub(super) open: Option<String>,
    /// Addresses that some of them are asked from.
    pub(super) sources: Vec<Option<(Set, Set)>>,
    /// The numbers that they are given, by their names, and where.
    pub(super) numbers: BTreeMap<String, (u32, Vec<Span>)>,
    /// What else their lines say, by their names.
    pub(super) told: BTreeMap<String, Told>,
    /// What `default-server` says.
    default: Parameters,
}

/// What a line tells its servers that a running process can be told otherwise.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Told {
    /// It is spoken to over TLS.
    pub(super) tls: bool,
    /// It is checked by itself, not as another one is.
    pub(super) check: bool,
    /// The check goes to another address.
    pub(super) checked_elsewhere: bool,
    /// Its state is found out in one way or another.
    pub(super) has_state: bool,
    /// It is asked for its weight and state.
    pub(super) agent: bool,
    /// Which addresses there are, and perhaps how many servers, is looked up at run time.
    pub(super) template: bool,
    /// Something of it comes from the environment.
    pub(super) unknown: bool,
}

/// The servers of one line.
pub(super) struct ServerLine {
    servers: Vec<Server>,
    open: Option<String>,
    source: Option<Option<(Set, Set)>>,
}

impl Servers {
    pub(super) fn add(&mut self, ServerLine { servers, open, source }: ServerLine) {
        self.sources.extend(source);
        self.servers.extend(servers);
        self.open = self.open.take().or(open);
    }
}

/// What servers are told.
#[derive(Debug, Clone, Default)]
struct Parameters {
    weight: Option<Option<u32>>,
    disabled: bool,
    backup: bool,
    check: bool,
    track: bool,
    port: Option<u16>,
    others: BTreeMap<String, String>,
    source: Option<Vec<Word>>,
    number: Option<(u32, Vec<Span>)>,
    /// What it is called for people.
    inert: Vec<Span>,
}

/// A server template makes no more servers than this one by one.
const MOST: u32 = 1000;

/// Reads `server` and `server-template`. `sure`: whether the line counts for certain.
pub(super) fn read(line: &Line, reader: &mut Reader<'_>, sure: bool) -> Result<ServerLine, Fault> {
    let template = line.text(0) == "server-template";
    let name = needed(line, 1)?;
    let bad = name.text.chars().find(|c| !(c.is_ascii_alphanumeric() || "_-.:".contains(*c)));
    if let Some(bad) = bad.filter(|_| !name.unknown) {
        return Err((name.at, format!("`{bad}` is not permitted in the name of a server: HAProxy refuses the file")));
    }
    let (numbers, at) = if template { (numbers(needed(line, 2)?)?, 3) } else { ((1, 1), 2) };
    let address = needed(line, at)?;
    let mut parameters = reader.proxy.servers.default.clone();
    parameters.read(line.from(at + 1))?;
    let written = written(&address.text, address.unknown)
        .map_err(|why| (address.at, format!("{why}: HAProxy refuses the file")))?;
    let (port, mut host) = match written.ports {
        Ports::Range(first, last) if first == last => (Some(first), written.host),
        Ports::Range(..) => {
            return Err((address.at, "a range of ports is not allowed here: HAProxy refuses the file".to_owned()));
        }
        Ports::Offset(offset) => (None, format!("{}:{offset}", written.host)),
        Ports::Unknown => (None, address.text.clone()),
        Ports::None => (None, written.host),
    };
    if host.is_empty() {
        "any".clone_into(&mut host);
    }
    if written.udp {
        host = format!("udp {host}");
    }
    let Parameters { weight, disabled, backup, check, track, port: check_port, others, source, number, inert } =
        parameters;
    for at in inert {
        reader.claim(at, Disposition::Inert("name"));
    }
    if others.contains_key("agent-check") && !others.contains_key("agent-port") {
        return Err((line.at, "`agent-check` needs `agent-port`: HAProxy refuses the file".to_owned()));
    }
    let told = Told {
        tls: others.contains_key("ssl"),
        check,
        checked_elsewhere: others.contains_key("addr"),
        has_state: check || track || others.contains_key("agent-check"),
        agent: others.contains_key("agent-check"),
        template,
        unknown: line.words.iter().any(|word| word.unknown) || weight == Some(None),
    };
    // A template of names has servers as far as these are found; one of an address has all of them.
    let looked_up = template && crate::net::parse_address(&host).is_none();
    let settings = others.into_values().filter(|text| !text.is_empty()).collect::<Vec<_>>().join(" ");
    let server = |name: String| Server {
        name,
        address: host.clone(),
        port,
        weight: weight.unwrap_or(Some(1)),
        enabled: if disabled { Some(false) } else { (sure && !looked_up).then_some(true) },
        backup,
        check: (check || track).then_some(check_port),
        settings: settings.clone(),
        origin: line.at,
    };
    let (servers, open) = if !template {
        (vec![server(name.text.clone())], None)
    } else if numbers.1 - numbers.0 < MOST {
        let each = (numbers.0..=numbers.1).map(|n| server(format!("{}{n}", name.text))).collect();
        (each, looked_up.then(|| format!("{} is looked up at run time", address.text)))
    } else {
        (Vec::new(), Some(format!("{} servers {} are looked up at run time", joined(line.from(2)), name.text)))
    };
    if let Some(number) = number.filter(|_| !template) {
        let numbers = &mut reader.proxy.servers.numbers;
        let taken = number.0 == 0 || numbers.values().any(|(other, _)| *other == number.0);
        let at = number.1.first().copied().filter(|_| taken);
        numbers.insert(name.text.clone(), number);
        if let Some(at) = at {
            reader.gap(at, "the number of a server is above 0, and its own: HAProxy refuses the file");
        }
    }
    let mut taken = |server: &&Server| reader.proxy.servers.told.insert(server.name.clone(), told).is_none();
    let twice = servers.iter().find(|server| !taken(server) && !server.name.contains('$'));
    if let Some(twice) = twice {
        reader.gap(name.at, format!("another server is called `{}` already: HAProxy refuses the file", twice.name));
    }
    let source = source.map(|words| sources(&words));
    Ok(ServerLine { servers, open, source })
}

/// Whether HAProxy takes parameters of a server.
pub(super) fn check(words: &[Word]) -> Result<(), Fault> {
    Parameters::default().read(words)
}

/// Reads `default-server`.
pub(super) fn defaults(line: &Line, reader: &mut Reader<'_>) -> Result<(), Fault> {
    reader.proxy.servers.default.read(line.from(1))
}

/// The server of `dispatch`.
pub(super) fn dispatch(address: &Word) -> ServerLine {
    let host = address.text.rsplit_once(':').map_or(address.text.as_str(), |(host, _)| host).to_owned();
    let port = address.text.rsplit_once(':').and_then(|(_, port)| port.parse().ok());
    let server =
        Server { settings: "dispatch".to_owned(), ..Server::new(address.text.clone(), host, port, address.at) };
    ServerLine { servers: vec![server], open: None, source: None }
}

/// `5` or `2-7`.
fn numbers(word: &Word) -> Result<(u32, u32), Fault> {
    let (first, last) = word.text.split_once('-').unwrap_or(("1", &word.text));
    let range = first.parse().ok().zip(last.parse().ok()).filter(|(first, last)| first <= last && *last > 0);
    range.ok_or_else(|| (word.at, format!("`{}` is no number of servers: HAProxy refuses the file", word.text)))
}

impl Parameters {
    fn read(&mut self, words: &[Word]) -> Result<(), Fault> {
        let mut at = 0;
        while let Some(word) = words.get(at) {
            let name = word.text.as_str();
            // One that takes a number in parentheses.
            let bare = if name.starts_with("set-proxy-v2-tlv-fmt(") { "set-proxy-v2-tlv-fmt" } else { name };
            let known = arity(words::SERVER, bare).or_else(|| arity(words::NEWER_SERVER, bare));
            let Some(mut values) = known else {
                return Err((word.at, format!("`server` is not known to take `{name}`")));
            };
            let follows =
                |n: usize, known: &[&str]| words.get(at + n).is_some_and(|w| known.contains(&w.text.as_str()));
            match name {
                "usesrc" => {
                    return Err((word.at, "`usesrc` stands behind `source`: HAProxy refuses the file".to_owned()));
                }
                "source" => {
                    values = 1;
                    while follows(values + 1, &["usesrc", "interface"]) {
                        values += 2;
                    }
                }
                "set-proxy-v2-tlv-fmt" => values = 1,
                _ => {}
            }
            let given = words.get(at + 1..at + 1 + values).unwrap_or_default();
            if given.len() < values {
                return Err((word.at, format!("`{name}` is followed by nothing")));
            }
            self.one(word, given)?;
            at += 1 + values;
        }
        Ok(())
    }

    fn one(&mut self, word: &Word, given: &[Word]) -> Result<(), Fault> {
        let name = word.text.as_str();
        let value = given.first();
        let unknown = given.iter().any(|word| word.unknown);
        let number = |most: u32| -> Result<Option<u32>, Fault> {
            let Some(value) = value else { return Ok(None) };
            if unknown {
                return Ok(None);
            }
            let number = value.text.parse::<u32>().ok().filter(|number| *number <= most);
            // What is no number at all HAProxy takes for 0, and only weights are measured.
            number.map(Some).ok_or_else(|| {
                let refused = if value.text.parse::<i64>().is_ok() && name == "weight" {
                    ": HAProxy refuses the file"
                } else {
                    ""
                };
                (value.at, format!("`{}` is not from 0 to {most}{refused}", value.text))
            })
        };
        let text = || format!("{name} {}", joined(given)).trim_end().to_owned();
        forms::check(&format!("server {name}"), given)?;
        match name {
            "check" => self.check = true,
            "no-check" => self.check = false,
            "backup" => self.backup = true,
            "no-backup" => self.backup = false,
            "disabled" => self.disabled = true,
            "enabled" => self.disabled = false,
            "weight" => self.weight = Some(number(256)?),
            "port" => match number(u32::from(u16::MAX))? {
                Some(port) => self.port = u16::try_from(port).ok(),
                None => drop(self.others.insert(name.to_owned(), text())),
            },
            "inter" | "fastinter" | "downinter" | "slowstart" | "agent-inter" | "pool-purge-delay" | "tcp-ut" => {
                if let Some(value) = value.filter(|word| !word.unknown) {
                    values::time(value)?;
                    self.others.insert(name.to_owned(), format!("{name} {}", values::plain_time(&value.text)));
                } else {
                    self.others.insert(name.to_owned(), text());
                }
            }
            "id" | "guid" => {
                let places = [word.at].into_iter().chain(given.iter().map(|word| word.at));
                if name == "guid" {
                    self.inert.extend(places);
                } else if let Some(number) = number(u32::MAX)? {
                    self.number = Some((number, places.collect()));
                } else {
                    self.others.insert(name.to_owned(), text());
                }
            }
            "source" => {
                values::source(given)?;
                self.source = Some(given.to_vec());
                self.others.insert(name.to_owned(), text());
            }
            "rise" | "fall" | "maxconn" | "minconn" | "maxqueue" | "error-limit" | "pool-low-conn" => {
                number(u32::MAX)?;
                self.others.insert(name.to_owned(), text());
            }
            "track" => {
                self.track = true;
                self.others.insert(name.to_owned(), text());
            }
            "verify" if !unknown && value.is_some_and(|v| !["none", "required"].contains(&v.text.as_str())) => {
                return Err((
                    word.at,
                    "`verify` is followed by `none` or `required`: HAProxy refuses the file".to_owned(),
                ));
            }
            _ => {
                let opposite = name.strip_prefix("no-").map_or_else(|| format!("no-{name}"), str::to_owned);
                self.others.remove(&opposite);
                self.others.insert(name.to_owned(), text());
            }
        }
        Ok(())
    }
}

/// The addresses that `source` names; `None`: they are not in the file.
pub(super) fn sources(words: &[Word]) -> Option<(Set, Set)> {
    if words.iter().any(|word| word.text == "usesrc" || word.unknown) {
        return None;
    }
    let written = written(&words.first()?.text, false).ok()?;
    match written.address? {
        (Family::Ipv4, address) => Some((Set::point(address), Set::empty())),
        (Family::Ipv6, address) => Some((Set::empty(), Set::point(address))),
    }
}

/// An address as text.
pub(super) fn shown(server: &Server) -> String {
    let port = server.port.map_or_else(String::new, |port| format!(":{port}"));
    format!("{}{port}", server.address)
}
