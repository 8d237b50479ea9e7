//! What it takes to put rules into force and to take them back, rehearsed in a network namespace of its own.

use super::Same;
use super::error::NotApplied;
use super::guard::{self, Guarded};
use super::journal::Folder;
use super::system::{Step, System, only, same_text};
use crate::live::host::{Host, Ruleset, Target};
use crate::live::pieces::{self, Piece};
use crate::live::scope::Scope;
use crate::live::scratch::Scratch;
use crate::live::tool::Around;
use crate::source::File;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Where rules are put into force.
#[derive(Debug, Clone, Copy)]
pub struct Place<'p> {
    /// What is replaced.
    pub target: Target,
    /// The network namespace, if it is not the host's.
    pub netns: Option<&'p Path>,
    /// Whose tables are whose.
    pub scope: &'p Scope,
    /// Below it are the files that a reboot loads.
    pub root: &'p Path,
}

/// A change that can be made: every text that it takes.
#[derive(Debug)]
pub struct Prepared {
    /// What is in force.
    pub before: Ruleset,
    /// What will be.
    pub after: Ruleset,
    /// The part of it that is put into force, as the kernel shows it.
    pub new: Vec<File>,
    pub(super) system: System,
    pub(super) old: Vec<File>,
    pub(super) forth: Vec<Script>,
    pub(super) back: Vec<Script>,
    pub(super) kept: Vec<(PathBuf, Vec<u8>)>,
}

/// A step and the text that it needs.
#[derive(Debug)]
pub(super) struct Script {
    pub(super) step: Step,
    pub(super) bytes: Vec<u8>,
}

/// The tables of iptables with their chains (iptables(8)).
const TABLES: [(&str, &[&str]); 5] = [
    ("raw", &["PREROUTING", "OUTPUT"]),
    ("mangle", &["PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"]),
    ("nat", &["PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"]),
    ("filter", &["INPUT", "FORWARD", "OUTPUT"]),
    ("security", &["INPUT", "FORWARD", "OUTPUT"]),
];
/// What restores each family, and what its listing is called.
const FAMILIES: [(&str, &str); 2] = [("iptables-restore", "rules.v4"), ("ip6tables-restore", "rules.v6")];

/// What rules are once a kernel has them: loaded from files below a folder into a network namespace of its own, and
/// listed. `texts`: all that may name an interface.
///
/// # Errors
/// They do not load.
pub fn loaded(place: &Place<'_>, folder: &Path, mains: &[PathBuf], texts: &[&[u8]]) -> Result<Ruleset, NotApplied> {
    let scratch = Scratch::like(&Host::here(place.netns)?, texts)?;
    let refused = |why: crate::live::NotRead| NotApplied::Rehearsal {
        what: "what is proposed does not load",
        why: why.to_string(),
    };
    match place.target {
        Target::Nftables => {
            for main in mains {
                let path = folder.join(main);
                let beside = path.parent().unwrap_or(folder);
                let (path, near, root) = (show(&path), show(beside), show(folder));
                let around = Around { folder: Some(beside), ..Around::default() };
                let arguments = ["-I", near.as_str(), "-I", root.as_str(), "-f", path.as_str()];
                scratch.host().change("nft", &arguments, around).map_err(refused)?;
            }
        }
        Target::Iptables => {
            for ((program, _), main) in FAMILIES.iter().zip(by_family(mains)?) {
                scratch.host().change(program, &[&show(&folder.join(main))], Around::default()).map_err(refused)?;
            }
        }
    }
    Ok(scratch.host().read(place.target)?)
}

/// Whether the names of files of iptables say which is that of which family.
///
/// # Errors
/// They do not.
pub fn families(mains: &[PathBuf]) -> Result<(), NotApplied> {
    by_family(mains).map(drop)
}

/// The file of each family, IPv4 first.
fn by_family(mains: &[PathBuf]) -> Result<[&PathBuf; 2], NotApplied> {
    let newer = |path: &&PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
        name.contains("v6") || name.contains("ip6")
    };
    let (six, four): (Vec<&PathBuf>, Vec<&PathBuf>) = mains.iter().partition(newer);
    match (four.as_slice(), six.as_slice()) {
        ([four], [six]) => Ok([four, six]),
        _ => Err(NotApplied::Families { count: mains.len() }),
    }
}

/// Finds out what it takes to put rules into force that a kernel has listed.
///
/// # Errors
/// What is in force cannot be read, is not all that is replaced, or cannot be put back.
pub fn prepare(place: &Place<'_>, folder: &Folder, new: Vec<File>, same: Same<'_>) -> Result<Prepared, NotApplied> {
    let host = Host::here(place.netns)?;
    let before = host.read(place.target)?;
    let prepared = match place.target {
        Target::Nftables => nftables(place, before, &new)?,
        Target::Iptables => iptables(place, before, new)?,
    };
    rehearse(&host, place.target, &prepared, folder, same)?;
    Ok(prepared)
}

fn nftables(place: &Place<'_>, before: Ruleset, new: &[File]) -> Result<Prepared, NotApplied> {
    if !before.beside.is_empty() {
        let names: Vec<&str> = before.beside.iter().map(|beside| beside.name).collect();
        return Err(NotApplied::Beside { names: names.join(", ") });
    }
    let Scope { owned, foreign, first } = place.scope;
    let listing = joined(&before.files);
    let mut wanted = Vec::new();
    for file in new {
        wanted.extend(place.scope.owned(&file.bytes)?);
    }
    let names = |text: &[u8]| -> Result<BTreeSet<String>, NotApplied> {
        Ok(pieces::pieces(text)?.into_iter().map(|piece: Piece| piece.table).collect())
    };
    let wanted_names = names(&wanted)?;
    let whole = owned.is_empty() && foreign.is_empty() && first.is_empty();
    let mut tables = wanted_names.clone();
    tables.extend(names(&listing)?.into_iter().filter(|name| place.scope.replaces(name, &wanted_names)));
    let tables = (!whole).then_some(tables);
    let part = |text: &[u8], outside: bool| match &tables {
        Some(tables) => pieces::without(text, |piece| tables.contains(&piece.table) == outside),
        None if outside => Ok(Vec::new()),
        None => Ok(text.to_vec()),
    };
    let (old, others) = (part(&listing, false)?, part(&listing, true)?);
    let script = |way: &str, text: &[u8]| {
        let empty: String = match &tables {
            None => "flush ruleset\n".to_owned(),
            Some(tables) => tables.iter().map(|table| format!("table {table}\ndelete table {table}\n")).collect(),
        };
        let (text, settle) = guard::nftables(text);
        let guarded = ([empty.as_bytes(), &text, b"\n"].concat(), settle);
        scripts(way.to_owned(), guarded, |file, _| Step::Tool {
            program: "nft".into(),
            arguments: vec!["-f".into()],
            file,
        })
    };
    let after = [others.as_slice(), b"\n", wanted.as_slice()].concat();
    let name = place.target.name();
    let after = Vec::from_iter(pieces::has_tables(&after).then(|| file(name, after)));
    let path = place.root.join("etc/nftables.conf");
    let booted = others_at_boot(place, tables.as_ref(), &path)?;
    let head: &[u8] = b"#!/usr/sbin/nft -f\n# What `portcullis apply` has put into force.\nflush ruleset\n\n";
    let kept = vec![(path, [head, booted.as_slice(), b"\n", wanted.as_slice()].concat())];
    let system = System::Rules {
        target: place.target,
        netns: place.netns.map(Path::to_owned),
        tables: tables.clone(),
        scope: place.scope.clone(),
        root: place.root.to_owned(),
    };
    Ok(Prepared {
        forth: script("forth", &wanted),
        back: script("back", &old),
        before,
        after: Ruleset { files: after, ..Ruleset::default() },
        new: listed(name, wanted),
        old: listed(name, old),
        system,
        kept,
    })
}

/// The script that loads a text, and the one that takes away what guards it meanwhile. `step`: what runs a file of that name,
/// and whether it takes away.
fn scripts(name: String, guarded: Guarded, step: impl Fn(String, bool) -> Step) -> Vec<Script> {
    let (bytes, settle) = guarded;
    let settle = settle.map(|bytes| Script { step: step(format!("{name}-settle"), true), bytes });
    std::iter::once(Script { step: step(name, false), bytes }).chain(settle).collect()
}

/// What a reboot loads of tables that are not replaced: it is loaded then as it is now.
fn others_at_boot(place: &Place<'_>, tables: Option<&BTreeSet<String>>, path: &Path) -> Result<Vec<u8>, NotApplied> {
    let Some(tables) = tables else { return Ok(Vec::new()) };
    let text = match std::fs::read(path) {
        Ok(text) => text,
        Err(why) if why.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(why) => return Err(NotApplied::Kept { path: show(path), why: why.to_string() }),
    };
    let scratch = Scratch::like(&Host::here(place.netns)?, &[&text])?;
    scratch.load(place.target, place.root).map_err(|why| NotApplied::Rehearsal {
        what: "the file that a reboot loads, whose other tables are to be kept, does not load",
        why: why.to_string(),
    })?;
    let listing = joined(&scratch.host().read(place.target)?.files);
    Ok(pieces::without(&listing, |piece| tables.contains(&piece.table))?)
}

fn iptables(place: &Place<'_>, before: Ruleset, new: Vec<File>) -> Result<Prepared, NotApplied> {
    let Scope { owned, foreign, first } = place.scope;
    let chains = foreign.iter().chain(first).any(|name| name.contains('/'));
    if !owned.is_empty() || chains {
        return Err(NotApplied::Whole);
    }
    let of = |files: &[File], name: &str| -> Vec<u8> {
        files.iter().find(|file| file.path == name.as_bytes()).map(|file| file.bytes.clone()).unwrap_or_default()
    };
    let (mut forth, mut back, mut kept) = (Vec::new(), Vec::new(), Vec::new());
    for (program, name) in FAMILIES {
        let (old, new) = (of(&before.files, name), of(&new, name));
        let script = |way: &str, text: &[u8], other: &[u8]| -> Result<Vec<Script>, NotApplied> {
            let guarded = guard::iptables(&emptying(text, other)?);
            Ok(scripts(format!("{way}-{name}"), guarded, |file, settling| {
                let more = settling.then(|| "--noflush".to_owned());
                let arguments = std::iter::once("--wait=10".to_owned()).chain(more).collect();
                Step::Tool { program: program.to_owned(), arguments, file }
            }))
        };
        forth.extend(script("forth", &new, &old)?);
        back.extend(script("back", &old, &new)?);
        kept.push((
            place.root.join("etc/iptables").join(name),
            [b"# What `portcullis apply` has put into force.\n", &*new].concat(),
        ));
    }
    let system = System::Rules {
        target: place.target,
        netns: place.netns.map(Path::to_owned),
        tables: None,
        scope: place.scope.clone(),
        root: place.root.to_owned(),
    };
    let after = Ruleset { files: new.clone(), beside: before.beside.clone(), ..Ruleset::default() };
    let old = before.files.clone();
    Ok(Prepared { before, after, new, system, old, forth, back, kept })
}

/// A text that restores what it says, and empties the tables that only the other one has.
fn emptying(text: &[u8], other: &[u8]) -> Result<Vec<u8>, NotApplied> {
    let names = |text: &[u8]| -> Result<BTreeSet<String>, NotApplied> {
        Ok(pieces::pieces(text)?.into_iter().map(|piece: Piece| piece.table).collect())
    };
    let mut all = text.to_vec();
    for table in names(other)?.difference(&names(text)?) {
        let Some((_, chains)) = TABLES.iter().find(|(name, _)| name == table) else {
            return Err(NotApplied::Split { why: format!("there is no table `{table}`") });
        };
        let chains: String = chains.iter().map(|chain| format!(":{chain} ACCEPT [0:0]\n")).collect();
        all.extend(format!("*{table}\n{chains}COMMIT\n").into_bytes());
    }
    Ok(all)
}

/// Goes all the way there and back where nobody is harmed.
fn rehearse(
    host: &Host,
    target: Target,
    prepared: &Prepared,
    folder: &Folder,
    same: Same<'_>,
) -> Result<(), NotApplied> {
    let texts: Vec<&[u8]> = prepared.forth.iter().chain(&prepared.back).map(|script| script.bytes.as_slice()).collect();
    let scratch = Scratch::like(host, &texts)?;
    let stages = [
        ("what is in force now cannot be put back", &prepared.back, &prepared.old),
        ("what is proposed cannot be put into force", &prepared.forth, &prepared.new),
        ("what is in force now cannot be put back afterwards", &prepared.back, &prepared.old),
    ];
    for (what, scripts, wanted) in stages {
        let failed = |why: String| NotApplied::Rehearsal { what, why };
        for Script { step, bytes } in scripts {
            let Step::Tool { program, arguments, file } = step else {
                return Err(failed("it is done by a command".to_owned()));
            };
            folder.write(file, bytes)?;
            let path = show(&folder.path(file));
            let arguments: Vec<&str> = arguments.iter().map(String::as_str).chain([path.as_str()]).collect();
            scratch.host().change(program, &arguments, Around::default()).map_err(|why| failed(why.to_string()))?;
        }
        let now = scratch.host().read(target)?;
        if !same_text(wanted, &now.files) {
            same(wanted, &now, &Scope::default()).map_err(failed)?;
        }
    }
    Ok(())
}

/// Holds what the files load that are kept for the next boot against what is in force.
pub(super) fn rehearse_boot(system: &System, new: &[File], same: Same<'_>) -> Result<(), NotApplied> {
    let System::Rules { target, netns, tables, scope, root } = system else { return Ok(()) };
    let what = "a reboot would not load what is in force";
    let failed = |why: String| NotApplied::Rehearsal { what, why };
    let texts: Vec<&[u8]> = new.iter().map(|file| file.bytes.as_slice()).collect();
    let scratch = Scratch::like(&Host::here(netns.as_deref())?, &texts)?;
    scratch.load(*target, root).map_err(|why| failed(why.to_string()))?;
    let booted = scratch.host().read(*target)?;
    let part = match tables {
        Some(tables) => only(&booted.files, tables)?,
        None => booted.files.clone(),
    };
    if same_text(new, &part) { Ok(()) } else { same(new, &booted, scope).map_err(failed) }
}

fn joined(files: &[File]) -> Vec<u8> {
    files.iter().flat_map(|file| file.bytes.iter().copied()).collect()
}

fn listed(name: &str, text: Vec<u8>) -> Vec<File> {
    Vec::from_iter(pieces::has_tables(&text).then(|| file(name, text)))
}

fn file(name: &str, bytes: Vec<u8>) -> File {
    File { path: name.into(), name: name.into(), bytes, executable: false }
}

fn show(path: &Path) -> String {
    path.display().to_string()
}
