//! What a running process says of itself through its socket (management guide, 9.3): `show servers state`, `show stat` and
//! the patterns of its ACLs. It lies over what the files say that the process was started with: servers can be disabled,
//! moved, added and removed, listeners be stopped, and patterns be added, all without a word in a file.

use super::conditions::{Matching, PREDEFINED, Question};
use super::lex::{Line, Word};
use super::proxies::Proxy;
use super::sections::Section;
use super::servers::Told;
use crate::formats::account::Account;
use crate::formats::{Disposition, Reading};
use crate::model::Server;
use crate::net::{format_address, parse_address};
use crate::text::{SourceId, Span, escape, lines};
use std::collections::{BTreeMap, BTreeSet};

/// What the answer to `show servers state` begins with, behind the number of its version.
const SERVERS: &str = "# be_id be_name srv_id srv_name ";
/// What the answer to `show stat` begins with.
const STATISTICS: &str = "# pxname,svname,";
/// What the answer to `show acl` begins with. The patterns stand below each list here.
const LISTS: &str = "# id (file) description";

/// Forced maintenance, and that of the server that it follows (`srv_admin_state`, management guide).
const MAINTENANCE: u32 = 0x01 | 0x02;
/// Draining, likewise.
const DRAIN: u32 = 0x08 | 0x10;
/// A check that is configured, and one that is enabled.
const CONFIGURED: u32 = 0x02;
const ENABLED: u32 = 0x04;

/// Whether a text is what a running process says.
pub(super) fn is_state(text: &[u8]) -> bool {
    let mut lines = lines(text).map(|(_, line)| line.trim_ascii()).filter(|line| !line.is_empty());
    let first = lines.next().unwrap_or_default();
    let mut second = || lines.next().unwrap_or_default().starts_with(SERVERS.as_bytes());
    first.starts_with(STATISTICS.as_bytes()) || first.starts_with(LISTS.as_bytes()) || (first == b"1" && second())
}

/// What a process says.
#[derive(Default)]
struct State<'t> {
    servers: Option<Rows<'t>>,
    /// Proxies, whether they are asked as frontends, and how they are.
    proxies: Option<Vec<(&'t str, bool, &'t str, Span)>>,
    /// Which servers are a reserve.
    reserve: BTreeSet<(&'t str, &'t str)>,
    lists: Vec<List<'t>>,
}

/// The values of a line by their names.
type Row<'t> = BTreeMap<&'t str, &'t str>;

/// Such lines by backend and server, and where they stand.
type Rows<'t> = BTreeMap<(&'t str, &'t str), (Row<'t>, Span)>;

/// The patterns of a line that are in no file of their own.
struct List<'t> {
    file: &'t str,
    line: usize,
    count: usize,
    patterns: Vec<&'t str>,
    at: Span,
}

/// Lays what a process says over proxies.
pub(super) fn overlay(
    reading: &Reading<'_>,
    file: SourceId,
    sections: &[Section],
    proxies: &mut [Proxy],
    account: &mut Account,
) {
    let state = read(file, reading.text(file), account);
    if let Some(rows) = &state.servers {
        for proxy in proxies.iter_mut().filter(|proxy| proxy.kind.is_back() && !proxy.disabled) {
            servers(proxy, rows, &state.reserve, account);
        }
        let known: BTreeSet<&str> = backends(proxies);
        for ((backend, server), (_, at)) in rows.iter().filter(|((backend, _), _)| !known.contains(backend)) {
            account.gap(*at, format!("the files have no backend `{backend}` for `{server}`: {OTHERS}"));
        }
    }
    if let Some(rows) = &state.proxies {
        listeners(proxies, rows, account);
    }
    patterns(reading, sections, &state.lists, account);
}

const OTHERS: &str = "the process was started with other files";

fn backends(proxies: &[Proxy]) -> BTreeSet<&str> {
    let back = proxies.iter().filter(|proxy| proxy.kind.is_back() && !proxy.disabled);
    back.map(|proxy| proxy.name.as_str()).collect()
}

/// Reads the answers, one after another.
fn read<'t>(file: SourceId, text: &'t [u8], account: &mut Account) -> State<'t> {
    let narrow = |n: usize| u32::try_from(n).expect("sources are smaller than 4 GiB");
    let mut state = State::default();
    let mut columns: (&str, Vec<&str>) = ("", Vec::new());
    for (offset, bytes) in lines(text) {
        let trimmed = bytes.trim_ascii_end();
        let at = Span { source: file, start: narrow(offset), end: narrow(offset + trimmed.len()) };
        let Ok(line) = std::str::from_utf8(trimmed) else {
            account.gap(at, "bytes that are no UTF-8 are not read here");
            continue;
        };
        if line.is_empty() {
            continue;
        }
        account.claim(at, Disposition::Modelled);
        if line.starts_with(SERVERS) {
            columns = (SERVERS, line.trim_start_matches("# ").split(' ').collect());
            state.servers.get_or_insert_default();
        } else if line.starts_with(STATISTICS) {
            columns = (STATISTICS, line.trim_start_matches("# ").split(',').collect());
            state.proxies.get_or_insert_default();
        } else if line == LISTS {
            columns = (LISTS, Vec::new());
        } else if line == "1" && columns.0.is_empty() {
            // The version of the notation that follows.
        } else if !state.line(columns.0, &columns.1, line, at) {
            account.gap(at, format!("`{}` is nothing that a running HAProxy is known to say", escape(trimmed)));
        }
    }
    for list in &state.lists {
        if list.count != list.patterns.len() {
            account.gap(list.at, "not all of its patterns are told: ask for them by `show acl #NUMBER`");
        }
    }
    state
}

impl<'t> State<'t> {
    /// Takes a line in; whether it is understood.
    fn line(&mut self, answer: &str, columns: &[&'t str], line: &'t str, at: Span) -> bool {
        match answer {
            SERVERS => {
                let values: Vec<&str> = line.split(' ').collect();
                let row: Row<'t> = columns.iter().copied().zip(values.iter().copied()).collect();
                let (Some(backend), Some(server)) = (row.get("be_name"), row.get("srv_name")) else { return false };
                let key = (*backend, *server);
                let rows = self.servers.get_or_insert_default();
                values.len() == columns.len() && rows.insert(key, (row, at)).is_none()
            }
            STATISTICS => {
                let row: Row<'t> = columns.iter().copied().zip(line.split(',')).collect();
                let (Some(proxy), Some(server), Some(status)) =
                    (row.get("pxname"), row.get("svname"), row.get("status"))
                else {
                    return false;
                };
                match *server {
                    "FRONTEND" | "BACKEND" => {
                        self.proxies.get_or_insert_default().push((proxy, *server == "FRONTEND", status, at));
                    }
                    server if row.get("bck") == Some(&"1") => drop(self.reserve.insert((proxy, server))),
                    _ => {}
                }
                true
            }
            LISTS if line.starts_with("0x") => {
                let Some(((_, pattern), list)) = line.split_once(' ').zip(self.lists.last_mut()) else { return false };
                list.patterns.push(pattern);
                true
            }
            LISTS => list(line, at).map(|list| self.lists.push(list)).is_some(),
            _ => false,
        }
    }
}

/// `0 () acl 'src' file '/etc/haproxy/haproxy.cfg' line 10. curr_ver=0 next_ver=0 entry_cnt=2`
fn list<'t>(line: &'t str, at: Span) -> Option<List<'t>> {
    let (_, said) = line.split_once(" () acl '")?;
    let (_, said) = said.split_once("' file '")?;
    let (file, said) = said.rsplit_once("' line ")?;
    let (number, said) = said.split_once('.')?;
    let (_, count) = said.rsplit_once("entry_cnt=")?;
    Some(List { file, line: number.parse().ok()?, count: count.parse().ok()?, patterns: Vec::new(), at })
}

/// The servers of a backend, as they are.
fn servers(proxy: &mut Proxy, rows: &Rows<'_>, reserve: &BTreeSet<(&str, &str)>, account: &mut Account) {
    let name = proxy.name.clone();
    let mine: BTreeMap<&str, &(Row<'_>, Span)> =
        rows.iter().filter(|((backend, _), _)| *backend == name).map(|((_, server), row)| (*server, row)).collect();
    let (servers, told) = (&mut proxy.servers.servers, &proxy.servers.told);
    servers.retain(|server| server.settings == "dispatch" || mine.contains_key(server.name.as_str()));
    for server in servers.iter_mut() {
        let Some((row, at)) = mine.get(server.name.as_str()) else { continue };
        let told = told.get(&server.name).copied().unwrap_or_default();
        if told.unknown {
            account.gap(*at, format!("what the files say of `{}` comes from the environment", server.name));
        } else if let Err(why) = one(server, told, row) {
            account.gap(*at, why);
        }
    }
    for (added, (row, at)) in &mine {
        if servers.iter().any(|server| server.name == *added) {
            continue;
        }
        let value = |column: &str| row.get(column).copied().unwrap_or("-");
        let port = value("srv_port").parse().ok().filter(|port| *port > 0);
        let mut server = Server::new((*added).to_owned(), value("srv_addr").to_owned(), port, *at);
        server.backup = reserve.contains(&(name.as_str(), *added));
        // What else it was told is not said.
        "added at run time".clone_into(&mut server.settings);
        let check = number(row, "srv_check_state").is_ok_and(|state| state & CONFIGURED != 0);
        let told = Told { check, has_state: true, template: true, tls: value("srv_use_ssl") == "1", ..Told::default() };
        if let Err(why) = one(&mut server, told, row) {
            account.gap(*at, why);
        }
        servers.push(server);
    }
}

fn number(row: &Row<'_>, column: &str) -> Result<u32, String> {
    let value = row.get(column).copied().unwrap_or_default();
    value.parse().map_err(|_| format!("there is no number in the column {column}, but `{value}`"))
}

/// One server, as it is.
fn one(server: &mut Server, told: Told, row: &Row<'_>) -> Result<(), String> {
    let admin = number(row, "srv_admin_state")?;
    if admin & MAINTENANCE != 0 {
        server.enabled = Some(false);
    } else if !told.template {
        server.enabled = Some(true);
    }
    if !told.agent {
        server.weight = Some(number(row, "srv_uweight")?);
    }
    if admin & DRAIN != 0 {
        server.weight = Some(0);
    }
    if !told.template {
        place(server, row)?;
    }
    let state = number(row, "srv_check_state")?;
    if told.check && state & CONFIGURED != 0 {
        let own = number(row, "srv_check_port")?;
        server.check = (state & ENABLED != 0).then(|| u16::try_from(own).ok().filter(|port| *port > 0));
    }
    let mut changed = Vec::new();
    if told.agent && number(row, "srv_agent_state")? & ENABLED == 0 {
        changed.push("it is not asked for its state any more".to_owned());
    }
    let at = row.get("srv_check_addr").copied().unwrap_or("-");
    if !told.checked_elsewhere && at != "-" {
        changed.push(format!("it is checked at {at}"));
    }
    // Versions before 2.4 do not say it.
    if row.contains_key("srv_use_ssl") && (number(row, "srv_use_ssl")? != 0) != told.tls {
        changed.push(if told.tls { "TLS is off" } else { "TLS is on" }.to_owned());
    }
    for change in changed {
        server.settings.push_str(&format!(" ({change}, at run time)"));
    }
    Ok(())
}

/// Where a server is. One that is written by its name keeps it: which address that has is not in a file.
fn place(server: &mut Server, row: &Row<'_>) -> Result<(), String> {
    let value = |column: &str| row.get(column).copied().unwrap_or("-");
    let (address, name, port) = (value("srv_addr"), value("srv_fqdn"), number(row, "srv_port")?);
    let port = u16::try_from(port).map_err(|_| format!("{port} is no port"))?;
    let shown = match parse_address(address) {
        Some((_, 0)) if server.address == "any" => "any".to_owned(),
        Some((family, point)) => format_address(family, point),
        None => address.to_owned(),
    };
    let (host, offset) = match server.address.rsplit_once(":+").or_else(|| server.address.rsplit_once(":-")) {
        Some((host, offset)) if server.port.is_none() => (host.to_owned(), offset.parse::<u16>().ok()),
        Some(_) | None => (server.address.clone(), None),
    };
    let written = parse_address(host.trim_start_matches("udp ")).is_some() || host == "any";
    let socket = host.starts_with(['/', '@']);
    let same = match () {
        () if written => host.trim_start_matches("udp ") == shown,
        () if socket => address == "-",
        // The name is what the file says, or nobody has changed it.
        () => name == host || name == "-",
    };
    if !same {
        server.address = if written || socket { shown } else { name.to_owned() };
    }
    match offset {
        // Whether it is added or taken away is not shown.
        Some(offset) if port == offset || port == offset.wrapping_neg() => {}
        _ if socket && address == "-" => {}
        _ => server.port = (port > 0).then_some(port),
    }
    Ok(())
}

/// Which frontends take connections, and whether these are the proxies of the files.
fn listeners(proxies: &mut [Proxy], rows: &[(&str, bool, &str, Span)], account: &mut Account) {
    for proxy in proxies.iter_mut().filter(|proxy| !proxy.disabled) {
        let row = |front: bool| rows.iter().find(|(name, is, ..)| *name == proxy.name && *is == front);
        let sides = [(proxy.kind.is_front(), true), (proxy.kind.is_back(), false)];
        if let Some((_, front)) = sides.into_iter().find(|(has, front)| *has && row(*front).is_none()) {
            let what = if front { "frontend" } else { "backend" };
            account.gap(proxy.at, format!("the process has no {what} `{}`: {OTHERS}", proxy.name));
        }
        if let Some((_, _, status, _)) = row(true).filter(|(_, _, status, _)| !matches!(*status, "OPEN" | "FULL"))
            && !status.is_empty()
        {
            proxy.binds.clear();
        }
    }
    for (name, front, _, at) in rows {
        let known = proxies.iter().any(|proxy| {
            let side = if *front { proxy.kind.is_front() } else { proxy.kind.is_back() };
            proxy.name == *name && side && !proxy.disabled
        });
        if !known {
            account.gap(*at, format!("the files have no proxy `{name}`: {OTHERS}"));
        }
    }
}

/// Whether the patterns of conditions are those that the files say.
fn patterns(reading: &Reading<'_>, sections: &[Section], lists: &[List<'_>], account: &mut Account) {
    let mut by_line: BTreeMap<(&str, usize), Vec<&List<'_>>> = BTreeMap::new();
    for list in lists.iter().filter(|list| !(list.line == 0 || list.file.is_empty())) {
        by_line.entry((list.file, list.line)).or_default().push(list);
    }
    let mut written: BTreeMap<(String, usize), &Line> = BTreeMap::new();
    for entry in sections.iter().flat_map(|section| &section.entries) {
        let at = entry.line.at;
        let before = reading.text(at.source).get(..at.start as usize).unwrap_or_default();
        let number = memchr::memchr_iter(b'\n', before).count() + 1;
        written.insert((reading.name(at.source).to_owned(), number), &entry.line);
    }
    for ((file, number), lists) in by_line {
        let Some(at) = lists.first().map(|list| list.at) else { continue };
        let now: Vec<&str> = lists.iter().flat_map(|list| list.patterns.iter().copied()).collect();
        let Some(line) = written.get(&(escape(file.as_bytes()), number)) else {
            account.gap(at, format!("there is no line {number} with a condition in `{file}`: {OTHERS}"));
            continue;
        };
        let said = [true, false].map(|predefined| asked(line, predefined));
        let same = |said: &Result<Vec<String>, String>| said.as_ref().is_ok_and(|said| *said == now);
        if !said.iter().any(same) {
            let why =
                "the process compares with other patterns than its file says: somebody has changed them at run time";
            account.gap(at, format!("line {number} of `{file}`: {why}"));
        }
    }
}

/// The patterns of the conditions of a line, as a process shows them; those of ACLs that need no declaration too, or not:
/// where such a one was used before they are not shown again.
fn asked(line: &Line, predefined: bool) -> Result<Vec<String>, String> {
    let mut out = Vec::new();
    let mut add = |words: &[Word]| -> Result<(), String> {
        let question = Question::read(words, line.at).map_err(|(_, why)| why)?;
        out.extend(shown(&question)?);
        Ok(())
    };
    if line.text(0) == "acl" {
        add(line.from(2))?;
        return Ok(out);
    }
    let (mut at, mut conditions) = (0, false);
    while let Some(word) = line.words.get(at) {
        at += 1;
        let bare = word.text.trim_start_matches('!');
        if bare == "{" {
            let rest = line.from(at);
            let end = rest.iter().position(|word| word.text == "}").unwrap_or(rest.len());
            add(rest.get(..end).unwrap_or_default())?;
            at += end + 1;
        } else if matches!(bare, "if" | "unless") {
            conditions = true;
        } else if let Some((_, text)) = PREDEFINED.iter().find(|(name, _)| *name == bare)
            && conditions
            && predefined
        {
            let word = |text: &str| Word { text: text.to_owned(), unknown: false, at: word.at };
            add(&text.split(' ').map(word).collect::<Vec<_>>())?;
        }
    }
    Ok(out)
}

/// The patterns of a condition, as a process shows them: those of numbers with the operators put into ranges.
fn shown(question: &Question) -> Result<Vec<String>, String> {
    if question.patterns.iter().any(|word| word.unknown) {
        return Err("a pattern comes from the environment".to_owned());
    }
    if question.matching == Matching::Unknown {
        return Err(format!("how the value of {} is compared is not known here", question.sample));
    }
    if !matches!(question.matching, Matching::Number | Matching::Length) {
        return Ok(question.patterns.iter().map(|word| word.text.clone()).collect());
    }
    let (mut out, mut operator) = (Vec::new(), "eq");
    for Word { text, .. } in &question.patterns {
        let number = || text.parse::<i64>().map_err(|why| format!("{text}: {why}"));
        match (text.as_str(), operator) {
            ("eq" | "gt" | "ge" | "lt" | "le", _) => operator = text,
            (_, "gt") => out.push(format!("{}:", number()?.saturating_add(1))),
            (_, "ge") => out.push(format!("{}:", number()?)),
            (_, "lt") => out.push(format!(":{}", number()?.saturating_sub(1))),
            (_, "le") => out.push(format!(":{}", number()?)),
            (_, _) => out.push(text.clone()),
        }
    }
    Ok(out)
}
