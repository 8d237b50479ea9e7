//! Dumps of hosts: whose they are, and how old.

use super::judge;
use crate::decision::{Cause, Doubt};
use crate::facts::{self, Age};
use crate::live;
use crate::source::File;
use crate::text::escape;
use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::Duration;

/// A host and its dump.
pub(super) struct Dump {
    pub(super) host: String,
    /// The path of it, or why there is none.
    pub(super) path: Result<String, Doubt>,
}

/// What is wrong with an inventory, and what to do.
type Usage = (String, String);

/// The dump of each host of an inventory, then those that belong to none.
pub(super) fn of_fleet(folder: &Path, inventory: &Path) -> Result<Vec<Dump>, Usage> {
    let hosts = hosts(inventory)?;
    let help = "name the folder that holds one dump a host: HOST, HOST.nft, HOST.rules, or a folder HOST";
    let listed = std::fs::read_dir(folder).and_then(Iterator::collect::<std::io::Result<Vec<_>>>);
    let entries = listed.map_err(|why| (format!("`{}` cannot be read: {why}", folder.display()), help.to_owned()))?;
    let names: BTreeSet<String> = entries.iter().map(|entry| escape(entry.file_name().as_encoded_bytes())).collect();
    let mut of: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut nobodys = Vec::new();
    for name in &names {
        // The longest: `db.example.nft` is of `db.example`, also where there is a host `db`.
        match hosts.iter().filter(|host| belongs(host, name.as_bytes())).max_by_key(|host| host.len()) {
            Some(host) => of.entry(host).or_default().push(name),
            None => nobodys.push(name),
        }
    }
    let path = |name: &str| folder.join(name).display().to_string();
    let doubt = |message: String, help: &str| Doubt { cause: Cause::Source, message, help: help.to_owned(), at: None };
    let dump = |host: &String| {
        let path = match of.get(host.as_str()).map(Vec::as_slice).unwrap_or_default() {
            [name] => Ok(path(name)),
            [] => Err(doubt(
                format!("there is no dump of it in `{}`", folder.display()),
                "a host that did not answer is not verified; find out why",
            )),
            several => Err(doubt(
                format!("there are several dumps of it: {}", several.join(", ")),
                "keep one; what belongs together (IPv4 and IPv6) goes into a folder with the name of the host",
            )),
        };
        Dump { host: host.clone(), path }
    };
    let mut dumps: Vec<Dump> = hosts.iter().map(dump).collect();
    dumps.extend(nobodys.into_iter().map(|name| {
        let path = Err(doubt(
            "the inventory names no such host".to_owned(),
            "add it to the inventory, or find out why it has left a dump",
        ));
        Dump { host: name.clone(), path }
    }));
    Ok(dumps)
}

/// The names of an inventory, one a line; `#` begins a comment.
fn hosts(inventory: &Path) -> Result<Vec<String>, Usage> {
    let help = "an inventory has the name of a host on each line; `#` begins a comment";
    let refuse = |why: String| (format!("the inventory `{}` {why}", inventory.display()), help.to_owned());
    let text = std::fs::read_to_string(inventory).map_err(|why| refuse(format!("cannot be read: {why}")))?;
    let mut hosts: Vec<String> = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.split('#').next().unwrap_or_default().trim();
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        match line {
            "" => {}
            _ if !line.chars().all(plain) || line.starts_with('.') => {
                return Err(refuse(format!("has no name of a host in line {}: `{line}`", number + 1)));
            }
            _ if hosts.iter().any(|host| host == line) => return Err(refuse(format!("names `{line}` twice"))),
            _ => hosts.push(line.to_owned()),
        }
    }
    if hosts.is_empty() { Err(refuse("names no host".to_owned())) } else { Ok(hosts) }
}

/// Whether a path is of that host: `HOST`, `HOST.nft`, or below a folder `HOST`.
pub(super) fn belongs(host: &str, path: &[u8]) -> bool {
    let mut parts = path.splitn(2, |byte| *byte == b'/');
    let (first, inside) = (parts.next().unwrap_or_default(), parts.next().is_some());
    let rest = first.strip_prefix(host.as_bytes());
    let ending =
        |rest: &[u8]| rest.strip_prefix(b".").is_some_and(|ending| !ending.is_empty() && !ending.contains(&b'.'));
    rest.is_some_and(|rest| rest.is_empty() || (!inside && ending(rest)))
}

/// A dump that is too old, or does not say how old it is, shows what was so once.
pub(super) fn young(path: &Path, files: &[File], most: Duration) -> Result<(), Doubt> {
    /// The farthest that clocks of hosts are behind UTC: a dump does not say in which zone its time is.
    const ZONES: Duration = Duration::from_secs(12 * 3600);
    let refuse = |message: String| {
        let help = "take it anew: what was in force then may have changed since".to_owned();
        Err(Doubt { cause: Cause::Source, message, help, at: None })
    };
    let show = |age| facts::show_age(age);
    let old = |age: Duration| format!("the dump is {} old; at most {} are allowed", show(age), show(most));
    let mut paths = vec![path.to_owned()];
    if path.is_dir() {
        let listed = std::fs::read_dir(path).and_then(Iterator::collect::<std::io::Result<Vec<_>>>);
        paths = listed.map_err(|why| judge_unreadable(path, &why))?.iter().map(std::fs::DirEntry::path).collect();
    }
    for path in &paths {
        let metadata = match path.metadata() {
            Ok(metadata) => metadata,
            Err(_) => return refuse(format!("it is not known how old `{}` is: it is no file here", path.display())),
        };
        match facts::age_at(metadata.mtime()) {
            Some(Age::Past(age)) if age <= most => {}
            Some(Age::Past(age)) => return refuse(old(age)),
            Some(Age::Future) => return refuse("the dump is of the future: a clock is wrong".to_owned()),
            None => return refuse("it is not known how old the dump is".to_owned()),
        }
    }
    for file in files {
        if let Some(made) = live::stamped(&file.bytes) {
            match facts::age(&made) {
                Some(Age::Past(age)) if age.saturating_sub(ZONES) <= most => {}
                Some(Age::Past(age)) => return refuse(format!("{}, as it says itself", old(age))),
                // In the zone of the host that may be now.
                Some(Age::Future) => {}
                None => return refuse(format!("it cannot be read when the dump was made: {made}")),
            }
        }
    }
    Ok(())
}

fn judge_unreadable(path: &Path, why: &std::io::Error) -> Doubt {
    let problem = crate::source::Problem::Unreadable { path: path.display().to_string(), why: why.to_string() };
    judge::doubt(Cause::Source, &problem)
}
