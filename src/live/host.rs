//! Reads the rulesets that are in force.

use super::error::NotRead;
use super::haproxy;
use super::pieces;
use super::programs;
use super::shown;
use super::tool::{self, Around};
use crate::source::File;
use crate::text::suggest;
use serde::{Deserialize, Serialize};
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// What can be read of a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Target {
    /// All tables of nftables.
    Nftables,
    /// The tables of `iptables` and `ip6tables`.
    Iptables,
}

/// What stands before the name of a target.
const PREFIX: &str = "live:";

/// What a text names that is in force on a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Named {
    /// Its rules.
    Rules(Target),
    /// What the HAProxy does that listens at that socket.
    Haproxy(PathBuf),
}

impl Named {
    /// What has that name (`live:nft`); `None`: the text names something else than a host.
    ///
    /// # Errors
    /// There is none of that name.
    pub fn of(text: &str) -> Option<Result<Self, NotRead>> {
        let name = text.strip_prefix(PREFIX)?;
        Some(match name.split_once(':') {
            None if name == "nft" => Ok(Self::Rules(Target::Nftables)),
            None if name == "iptables" => Ok(Self::Rules(Target::Iptables)),
            Some(("haproxy", socket)) if socket.starts_with('/') => Ok(Self::Haproxy(socket.into())),
            None | Some(_) => {
                let help = if name.starts_with("haproxy") {
                    "name the socket by its whole path: live:haproxy:/run/haproxy/admin.sock".to_owned()
                } else {
                    suggest(text, &["live:nft", "live:iptables", "live:haproxy:/path/to/socket"])
                };
                Err(NotRead::Target { text: text.to_owned(), help })
            }
        })
    }

    /// The id of the format that it is read in.
    #[must_use]
    pub const fn format(&self) -> &'static str {
        match self {
            Self::Rules(target) => target.format(),
            Self::Haproxy(_) => haproxy::FORMAT,
        }
    }

    /// Reads what is in force. `netns`: of rules, the network namespace; `started_with`: of HAProxy, the files that it was
    /// started with, where it cannot be believed to know.
    ///
    /// # Errors
    /// Anything that leaves it open what is in force.
    pub fn read(&self, netns: Option<&Path>, started_with: &[PathBuf]) -> Result<Ruleset, NotRead> {
        match self {
            Self::Rules(target) => Host::here(netns)?.examine(*target),
            Self::Haproxy(socket) => haproxy::read(socket, started_with),
        }
    }
}

impl Target {
    /// How it is named.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Nftables => "live:nft",
            Self::Iptables => "live:iptables",
        }
    }
}

impl Target {
    /// The id of the format that it is read in.
    #[must_use]
    pub const fn format(self) -> &'static str {
        match self {
            Self::Nftables => "nftables",
            Self::Iptables => "iptables-save",
        }
    }

    /// What loads the files that are kept for the next boot, and where those are below the root.
    pub(super) const fn kept(self) -> &'static [(&'static str, &'static [&'static str], &'static str)] {
        match self {
            Self::Nftables => &[("nft", &["-f"], "etc/nftables.conf")],
            Self::Iptables => &[
                ("iptables-restore", &[], "etc/iptables/rules.v4"),
                ("ip6tables-restore", &[], "etc/iptables/rules.v6"),
            ],
        }
    }
}

/// A ruleset, or a configuration, that is in force.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ruleset {
    /// As it was asked for. Empty: there is no table.
    pub files: Vec<File>,
    /// What else decides packets there, and is not shown in `files`.
    pub beside: Vec<Beside>,
    /// What the files include, by the names by which they do.
    pub included: Vec<(Vec<u8>, File)>,
    /// What of it cannot be seen, in sentences: with any, nobody knows that it is what is expected.
    pub unseen: Vec<String>,
    /// The files lie over others that could not be read: only what they say themselves can be found to differ.
    pub rest_as_expected: bool,
}

/// A ruleset that another tool shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beside {
    /// What it is: `nftables`, `iptables-legacy`.
    pub name: &'static str,
    /// What it says.
    pub files: Vec<File>,
}

/// Where rulesets are read.
#[derive(Debug, Clone)]
pub struct Host {
    /// The network namespace to enter; `None`: the one of this process.
    enter: Option<PathBuf>,
}

/// The files in which older tables are listed, and what shows them.
const LEGACY: [(&str, &str, &str); 2] = [
    ("/proc/net/ip_tables_names", "iptables-legacy-save", "rules.v4"),
    ("/proc/net/ip6_tables_names", "ip6tables-legacy-save", "rules.v6"),
];
/// The network namespace of this process.
const OWN: &str = "/proc/self/ns/net";
/// Where `ip netns` keeps those with a name.
const NAMED: &str = "/run/netns";
const INSTALL_NFT: &str =
    "install nftables: only `nft` shows the tables that iptables does not, and each of them decides packets too";

impl Host {
    /// The host that this process runs on; with a namespace, whatever that is: a file (`/proc/self/ns/net`) or a name
    /// that `ip netns` lists.
    ///
    /// # Errors
    /// The process is in another network namespace than the host's, or that cannot be told, or there is no such one.
    pub fn here(namespace: Option<&Path>) -> Result<Self, NotRead> {
        let Some(namespace) = namespace else { return Self::of_process_one() };
        let path = if namespace.components().count() == 1 && !namespace.exists() {
            Path::new(NAMED).join(namespace)
        } else {
            namespace.to_owned()
        };
        let identity = |path: &Path| {
            let metadata = path.metadata().map_err(|why| unknown(path, &why))?;
            Ok((metadata.dev(), metadata.ino()))
        };
        let enter = identity(&path)? != identity(Path::new(OWN))?;
        Ok(Self { enter: enter.then_some(path) })
    }

    fn of_process_one() -> Result<Self, NotRead> {
        let read = |path: &str| {
            let link = std::fs::read_link(path).map_err(|why| unknown(Path::new(path), &why))?;
            Ok(link.display().to_string())
        };
        let (own, host) = (read(OWN)?, read("/proc/1/ns/net")?);
        if own == host { Ok(Self { enter: None }) } else { Err(NotRead::OtherNamespace { own, host }) }
    }

    /// Whether it is another namespace than that of this process.
    pub(super) const fn is_elsewhere(&self) -> bool {
        self.enter.is_some()
    }

    /// Runs a program that changes what is in force.
    pub(super) fn change(&self, program: &str, arguments: &[&str], around: Around<'_>) -> Result<(), NotRead> {
        self.answer_around(program, arguments, "the rules cannot be loaded without it", around).map(drop)
    }

    /// Reads what is in force, and finds out what of it is not shown.
    ///
    /// # Errors
    /// As for [`Self::read`].
    pub fn examine(&self, target: Target) -> Result<Ruleset, NotRead> {
        let mut ruleset = self.read(target)?;
        let unseen = match target {
            Target::Nftables => programs::reworded(self, &mut ruleset),
            Target::Iptables => shown::hidden(self, &ruleset),
        };
        ruleset.unseen.extend(unseen);
        Ok(ruleset)
    }

    /// Reads what is in force.
    ///
    /// # Errors
    /// Anything that leaves it open what is in force, or whether what was read is all of it.
    pub fn read(&self, target: Target) -> Result<Ruleset, NotRead> {
        match target {
            Target::Nftables => {
                let listing = self.tables()?;
                let files = Vec::from_iter((!listing.trim_ascii().is_empty()).then(|| file("live:nft", listing)));
                Ok(Ruleset { files, beside: self.older()?.into_iter().collect(), ..Ruleset::default() })
            }
            Target::Iptables => self.iptables(),
        }
    }

    /// What `nft` lists.
    pub(super) fn tables(&self) -> Result<Vec<u8>, NotRead> {
        self.answer("nft", &["-s", "list", "ruleset"], INSTALL_NFT)
    }

    fn iptables(&self) -> Result<Ruleset, NotRead> {
        let (mut files, mut beside) = (Vec::new(), Vec::new());
        let help = "install iptables, or verify with `--live live:nft`";
        let mut newer = false;
        for (program, path) in [("iptables-save", "rules.v4"), ("ip6tables-save", "rules.v6")] {
            let version = self.answer(program, &["-V"], help)?;
            newer |= String::from_utf8_lossy(&version).contains("nf_tables");
            let text = self.answer(program, &[], help)?;
            incomplete(program, &text)?;
            if !text.trim_ascii().is_empty() {
                files.push(File { path: path.into(), name: program.into(), bytes: text, executable: false });
            }
        }
        let mut listing = self.tables()?;
        if newer {
            beside.extend(self.older()?);
            listing = pieces::without(&listing, |piece| is_of_iptables(&piece.table))
                .map_err(|why| NotRead::Incomplete { tool: "nft -s list ruleset".to_owned(), says: why.to_string() })?;
        }
        if pieces::has_tables(&listing) {
            beside.push(Beside { name: "nftables", files: vec![file("nft list ruleset", listing)] });
        }
        Ok(Ruleset { files, beside, ..Ruleset::default() })
    }

    /// Rules of the older kernel interface, which `nft` does not show.
    fn older(&self) -> Result<Option<Beside>, NotRead> {
        let mut files = Vec::new();
        for (list, program, path) in LEGACY {
            if self.names(list)?.trim_ascii().is_empty() {
                continue;
            }
            let help = "the older iptables has tables in force, which only this program shows";
            let text = self.answer(program, &[], help)?;
            incomplete(program, &text)?;
            if pieces::decides(&text) {
                files.push(File { path: path.into(), name: program.into(), bytes: text, executable: false });
            }
        }
        Ok((!files.is_empty()).then_some(Beside { name: "iptables-legacy", files }))
    }

    /// The interfaces and their numbers.
    pub(super) fn interfaces(&self) -> Result<Vec<(String, u32)>, NotRead> {
        let listing = self.answer("ip", &["-o", "link", "show"], "install iproute2")?;
        let listing = String::from_utf8_lossy(&listing).into_owned();
        let interface = |line: &str| {
            let (number, rest) = line.split_once(": ")?;
            let name = rest.split([':', '@']).next()?;
            Some((name.to_owned(), number.parse().ok()?))
        };
        let incomplete = |line: &str| NotRead::Incomplete { tool: "ip -o link show".to_owned(), says: line.to_owned() };
        listing.lines().map(|line| interface(line).ok_or_else(|| incomplete(line))).collect()
    }

    /// The names of the older tables of a family; empty where the kernel has none.
    fn names(&self, list: &str) -> Result<Vec<u8>, NotRead> {
        if self.enter.is_some() {
            // Which tables this file names depends on who reads it.
            let help = "it is part of every system";
            return match self.answer("cat", &[list], help) {
                Err(NotRead::Failed { says, .. }) if says.contains("No such file") => Ok(Vec::new()),
                other => other,
            };
        }
        match std::fs::read(list) {
            Ok(names) => Ok(names),
            Err(why) if why.kind() == ErrorKind::NotFound => Ok(Vec::new()),
            Err(why) => Err(NotRead::NotPermitted { tool: list.to_owned(), says: why.to_string() }),
        }
    }

    /// What a program answers in the namespace of this host.
    pub(super) fn answer(&self, program: &str, arguments: &[&str], help: &str) -> Result<Vec<u8>, NotRead> {
        self.answer_around(program, arguments, help, Around::default())
    }

    fn answer_around(
        &self,
        program: &str,
        arguments: &[&str],
        help: &str,
        around: Around<'_>,
    ) -> Result<Vec<u8>, NotRead> {
        let path = tool::find(program, help)?;
        let Some(namespace) = &self.enter else { return tool::answer(&path, arguments, around) };
        let enter = tool::find("nsenter", "install util-linux, or run it inside of the namespace")?;
        let place = format!("--net={}", namespace.display());
        let path = path.display().to_string();
        tool::answer(&enter, &[&[place.as_str(), "--", &path], arguments].concat(), around)
    }
}

fn file(name: &str, bytes: Vec<u8>) -> File {
    File { path: name.into(), name: name.into(), bytes, executable: false }
}

fn unknown(path: &Path, why: &std::io::Error) -> NotRead {
    NotRead::UnknownNamespace { why: format!("{}: {why}", path.display()) }
}

/// Tables that `iptables-save` and `ip6tables-save` show.
pub(super) fn is_of_iptables(table: &str) -> bool {
    let name = table.strip_prefix("ip ").or_else(|| table.strip_prefix("ip6 "));
    name.is_some_and(|name| matches!(name, "filter" | "nat" | "mangle" | "raw" | "security"))
}

/// `iptables-save` ends well although it leaves tables out; a comment says so.
fn incomplete(program: &str, text: &[u8]) -> Result<(), NotRead> {
    let mut lines = crate::text::lines(text).map(|(_, line)| line).filter(|line| line.starts_with(b"#"));
    match lines.find(|line| memchr::memmem::find(line, b"incompatible").is_some()) {
        Some(line) => Err(NotRead::Incomplete { tool: program.to_owned(), says: crate::text::escape(line) }),
        None => Ok(()),
    }
}
