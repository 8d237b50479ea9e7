//! What a running HAProxy does, read through its socket: servers, listeners, the patterns of its ACLs and maps, and
//! certificates. Which rules it routes by it does not say; those are in the files that it was started with, as long as
//! nobody has touched them since.

mod process;
mod socket;

use super::error::NotRead;
use super::host::Ruleset;
use super::tool::{self, Around};
use crate::formats;
use crate::source::File;
use process::Process;
use sha1::{Digest as _, Sha1};
use socket::Socket;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// What the texts are written in.
pub(super) const FORMAT: &str = "haproxy";

/// Reads what the process behind a socket does. `started_with`: the files that it was started with, where somebody vouches
/// for that; none: those that it says itself.
///
/// # Errors
/// Nobody answers, or not all that was asked.
pub(super) fn read(path: &Path, started_with: &[PathBuf]) -> Result<Ruleset, NotRead> {
    let socket = Socket::at(path)?;
    let before = Process::of(&socket)?;
    const SERVERS: &str = "show servers state";
    let servers = socket.ask(SERVERS)?;
    if !formats::format(FORMAT).is_some_and(|format| format.recognises("", servers.as_bytes())) {
        return Err(socket.failed(SERVERS, &format!("the answer is no `{SERVERS}`")));
    }
    let (acls, maps) = (Lists::of(&socket, "acl")?, Lists::of(&socket, "map")?);
    let mut unseen = Vec::new();
    names(&servers, &mut unseen);
    certificates(&socket, &mut unseen)?;
    let mut said = servers;
    for more in [socket.ask("show stat")?, acls.anonymous.clone()] {
        said.push('\n');
        said.push_str(&more);
    }
    let mains = if started_with.is_empty() { before.files(&socket) } else { declared(started_with, &socket) };
    let (mut files, mut included) = (Vec::new(), Vec::new());
    match mains {
        Ok(mains) => {
            for main in &mains {
                include(main, &before, &[&acls, &maps], &mut included, &mut unseen);
            }
            files = mains;
        }
        Err(why) => unseen.push(format!("which rules it routes by cannot be read from its socket, and {why}")),
    }
    let rest_as_expected = files.is_empty();
    if rest_as_expected {
        // The patterns are those of lines of files that are not known.
        said.truncate(said.len() - acls.anonymous.len());
    }
    let name = format!("live:haproxy:{}", path.display()).into_bytes();
    files.push(File { path: name.clone(), name, bytes: said.into_bytes(), executable: false });
    if Process::of(&socket)? != before {
        return Err(socket.failed("show info", "another process answers than before: it was reloaded meanwhile"));
    }
    Ok(Ruleset { files, beside: Vec::new(), included, unseen, rest_as_expected })
}

/// Files for which somebody vouches that the process was started with them. They are called as the process calls them, if it
/// says so.
fn declared(paths: &[PathBuf], socket: &Socket) -> Result<Vec<File>, String> {
    let names = process::started_with(socket).ok().filter(|names| names.len() == paths.len());
    let mut files = Vec::new();
    for (number, path) in paths.iter().enumerate() {
        let bytes = std::fs::read(path).map_err(|why| format!("{}: {why}", path.display()))?;
        let called = names.as_ref().and_then(|names| names.get(number)).cloned();
        let name = called.unwrap_or_else(|| path.display().to_string()).into_bytes();
        files.push(File { path: name.clone(), name, bytes, executable: false });
    }
    Ok(files)
}

/// What a main file includes, as the process has it: patterns as it says them, the rest from files that are older than it.
fn include(
    main: &File,
    process: &Process,
    lists: &[&Lists],
    included: &mut Vec<(Vec<u8>, File)>,
    unseen: &mut Vec<String>,
) {
    let Some(format) = formats::format(FORMAT) else { return };
    let shown = String::from_utf8_lossy(&main.name).into_owned();
    for include in format.includes(&shown, &shown, &main.bytes) {
        let name = String::from_utf8_lossy(&include.name).into_owned();
        if included.iter().any(|(known, _)| *known == include.name) || name.starts_with("module ") {
            continue;
        }
        let listed = lists.iter().find_map(|lists| lists.files.get(&name));
        let text = match listed {
            Some(text) => Ok(text.clone().into_bytes()),
            None if name.starts_with('/') => process.file(Path::new(&name)),
            None => Err(format!("`{name}` is no absolute path: which file that was is not known")),
        };
        match text {
            Ok(bytes) => {
                let name = include.name;
                included.push((name.clone(), File { path: name.clone(), name, bytes, executable: false }));
            }
            Err(why) => unseen.push(why),
        }
    }
}

/// Lists of patterns, of ACLs or of maps.
struct Lists {
    /// Those of files, as a file would have them, by the names of the files.
    files: BTreeMap<String, String>,
    /// Those that stand in the configuration, each below what is said of it.
    anonymous: String,
}

impl Lists {
    fn of(socket: &Socket, kind: &str) -> Result<Self, NotRead> {
        let all = socket.ask(&format!("show {kind}"))?;
        let mut lists = Self { files: BTreeMap::new(), anonymous: String::new() };
        for line in all.lines().filter(|line| !line.trim().is_empty()) {
            if line.starts_with('#') {
                lists.anonymous.push_str(line);
                lists.anonymous.push('\n');
                continue;
            }
            let not_understood = || socket.failed(&format!("show {kind}"), &format!("`{line}` is not understood"));
            let (number, said) = line.split_once(" (").ok_or_else(not_understood)?;
            let (file, _) = said.split_once(") ").ok_or_else(not_understood)?;
            // Its own client of HTTP asks what no file says.
            if file.is_empty() && said.contains(" line 0. ") {
                continue;
            }
            let (_, count) = said.rsplit_once("entry_cnt=").ok_or_else(not_understood)?;
            let count: usize = count.trim().parse().map_err(|_| not_understood())?;
            let entries = if count == 0 { String::new() } else { socket.ask(&format!("show {kind} #{number}"))? };
            let entries: Vec<&str> = entries.lines().filter(|line| !line.trim().is_empty()).collect();
            if entries.len() != count || entries.iter().any(|entry| !entry.starts_with("0x")) {
                let says = format!("{count} entries are announced, and {} told", entries.len());
                return Err(socket.failed(&format!("show {kind} #{number}"), &says));
            }
            if file.is_empty() {
                lists.anonymous.push_str(&format!("{line}\n{}\n", entries.join("\n")));
            } else {
                let bare = entries.iter().filter_map(|entry| entry.split_once(' '));
                let text = bare.map(|(_, entry)| format!("{entry}\n")).collect();
                lists.files.insert(file.to_owned(), text);
            }
        }
        Ok(lists)
    }
}

/// Servers that are written by name have an address that the name has now.
fn names(servers: &str, unseen: &mut Vec<String>) {
    let mut lines = servers.lines().skip_while(|line| !line.starts_with("# "));
    let columns: Vec<&str> = lines.next().unwrap_or_default().trim_start_matches("# ").split(' ').collect();
    let mut known: BTreeMap<String, Result<BTreeSet<String>, String>> = BTreeMap::new();
    for line in lines {
        let row: BTreeMap<&str, &str> = columns.iter().copied().zip(line.split(' ')).collect();
        let value = |column: &str| row.get(column).copied().unwrap_or("-");
        let (name, address) = (value("srv_fqdn"), value("srv_addr"));
        if name == "-" || address == "-" {
            continue;
        }
        let server = format!("`{}/{}` is at `{name}`", value("be_name"), value("srv_name"));
        match known.entry(name.to_owned()).or_insert_with(|| addresses(name)) {
            Ok(addresses) if addresses.contains(address) => {}
            Ok(addresses) => {
                let now = addresses.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
                unseen.push(format!("{server}, which is {now} now, and {address} is in force"));
            }
            Err(why) => unseen.push(format!("{server}, and whether that is {address} is not known: {why}")),
        }
    }
}

/// The addresses that a name has now.
fn addresses(name: &str) -> Result<BTreeSet<String>, String> {
    let getent = tool::find("getent", "install libc-bin").map_err(|why| why.to_string())?;
    let mut all = BTreeSet::new();
    for family in ["ahostsv4", "ahostsv6"] {
        let answer = tool::run(&getent, &[family, name], Around::default()).map_err(|why| why.to_string())?;
        let text = String::from_utf8_lossy(&answer.stdout).into_owned();
        let first = text.lines().filter_map(|line| line.split_whitespace().next());
        all.extend(first.map(|address| address.trim_start_matches("::ffff:").to_owned()));
    }
    if all.is_empty() { Err("the name has no address here".to_owned()) } else { Ok(all) }
}

/// Certificates are those of their files: the process keeps them, and can be given others.
fn certificates(socket: &Socket, unseen: &mut Vec<String>) -> Result<(), NotRead> {
    for (kind, all) in [("cert", false), ("ca-file", true)] {
        let Some(list) = socket.ask_if_known(&format!("show ssl {kind}"))? else { continue };
        for line in list.lines().filter(|line| !line.starts_with(['#', '*']) && !line.trim().is_empty()) {
            let name = line.split(" - ").next().unwrap_or(line).trim();
            if name.starts_with('@') {
                continue;
            }
            let said = socket.ask(&format!("show ssl {kind} {name}"))?;
            let in_force = said.lines().filter_map(|line| line.strip_prefix("SHA1 FingerPrint: ")).map(str::to_owned);
            let kept = fingerprints(Path::new(name), all);
            match kept {
                Ok(kept) if kept == in_force.collect::<Vec<_>>() => {}
                Ok(_) => {
                    unseen.push(format!("the certificate in force is not that of `{name}`: a reload would change it"))
                }
                Err(why) => {
                    unseen.push(format!("whether the certificate in force is that of `{name}` is not known: {why}"))
                }
            }
        }
    }
    for kind in ["crl-file", "crt-list"] {
        let list = match socket.ask_if_known(&format!("show ssl {kind}")) {
            Ok(list) => list.unwrap_or_default(),
            Err(why @ NotRead::NotPermitted { .. }) => {
                unseen.push(why.to_string());
                continue;
            }
            Err(why) => return Err(why),
        };
        for name in list.lines().filter(|line| !line.starts_with(['#', '*']) && !line.trim().is_empty()) {
            unseen.push(format!("what the {kind} `{name}` holds can be changed at run time, and is not compared"));
        }
    }
    Ok(())
}

/// The SHA-1 of each certificate of a file, or of the first alone.
fn fingerprints(path: &Path, all: bool) -> Result<Vec<String>, String> {
    use base64ct::{Base64, Encoding as _};
    const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
    let text = std::fs::read(path).map_err(|why| why.to_string())?;
    let text = String::from_utf8_lossy(&text).into_owned();
    let mut out = Vec::new();
    for part in text.split(BEGIN).skip(1).take(if all { usize::MAX } else { 1 }) {
        let body = part.split("-----END").next().unwrap_or_default();
        let body: String = body.chars().filter(|c| !c.is_ascii_whitespace()).collect();
        let bytes = Base64::decode_vec(&body).map_err(|why| format!("it is damaged: {why}"))?;
        out.push(crate::text::hex(&Sha1::digest(bytes)).to_ascii_uppercase());
    }
    if out.is_empty() { Err("it holds no certificate".to_owned()) } else { Ok(out) }
}
