//! Real rulesets of nftables, where the folder with them lies beside the project.

use super::aim::Aimer;
use super::scan::Scan;
use crate::case::{Case, Loader};
use crate::random::Random;
use crate::world::{INTERFACES, World};
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// A file of the collection.
#[derive(Debug, Clone)]
pub(crate) struct Real {
    /// Its path in the collection.
    pub(crate) name: String,
    pub(crate) path: PathBuf,
    /// What those who collected it say of it: `ok`, `template`, `fragment:…`.
    pub(crate) known: String,
}

/// The folder of a kind, if it is there.
pub(crate) fn folder(kind: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus").join(kind);
    path.is_dir().then_some(path)
}

/// Every file of a kind, sorted.
pub(crate) fn files(kind: &str) -> Result<Vec<Real>, String> {
    let Some(folder) = folder(kind) else { return Ok(Vec::new()) };
    let manifest = folder.join("../MANIFEST.tsv");
    let manifest = std::fs::read_to_string(&manifest).map_err(|error| format!("{}: {error}", manifest.display()))?;
    let known: HashMap<_, _> = manifest
        .lines()
        .filter_map(|line| {
            let mut columns = line.split('\t');
            Some((columns.next()?, columns.nth(5)?))
        })
        .collect();
    let mut files = Vec::new();
    let mut open = vec![folder.clone()];
    while let Some(path) = open.pop() {
        let entries = std::fs::read_dir(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        for entry in entries {
            let path = entry.map_err(|error| error.to_string())?.path();
            if path.is_dir() {
                open.push(path);
                continue;
            }
            let below = path.strip_prefix(&folder).map_err(|error| error.to_string())?;
            let name = format!("{kind}/{}", below.display());
            let known = known.get(name.as_str()).map_or("not in the manifest", |known| known).to_owned();
            files.push(Real { name, path, known });
        }
    }
    files.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(files)
}

/// The text of a file; bytes that are not UTF-8 are replaced, for kernel and model alike.
pub(crate) fn text(path: &Path) -> Result<String, String> {
    let bytes = std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Makes the interfaces that the rules need; those of the world that they name come first.
///
/// # Errors
/// When the world does not work.
pub(crate) fn furnish(world: &mut World, random: &mut Random, rules: &str) -> Result<Vec<String>, String> {
    let scan = Scan::of(rules);
    let needed: Vec<_> = scan.interfaces(&["iif", "oif"]).into_iter().filter(usable).collect();
    let named: Vec<_> = scan.interfaces(&["iifname", "oifname"]).into_iter().filter(usable).collect();
    let spare = (0..INTERFACES).map(|n| format!("spare{n}")).filter(|name| !rules.contains(name));
    let mut names: Vec<String> = Vec::new();
    for name in needed.iter().chain(&named).cloned().chain(spare) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let rest = names.split_off(INTERFACES.min(names.len()));
    // One interface that no rule names, if there is room.
    let last = random.below(INTERFACES);
    names.swap(last, INTERFACES - 1);
    world.remove_bridges()?;
    world.rename(&names)?;
    for name in rest.iter().filter(|name| needed.contains(name)).chain(&scan.devices) {
        if usable(name) && !names.contains(name) {
            world.add_bridge(name)?;
        }
    }
    Ok(names)
}

fn usable(name: &String) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b'@');
    let first = |name: &str| name.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_');
    name != "lo" && name != "all" && name != "default" && name.len() < 16 && name.bytes().all(plain) && first(name)
}

/// A file with packets aimed at its rules, on interfaces that it names.
pub(crate) fn case(name: String, rules: String, names: &[String], random: &mut Random, packets: usize) -> Case {
    let aimer = Aimer::new(names, false, &rules);
    let case = Case {
        name,
        loader: Loader::Nftables,
        tracking: true,
        names: names.to_vec(),
        rules: rules.clone(),
        seeds: Vec::new(),
        probes: Vec::new(),
    };
    case.aimed(random, packets, |random| aimer.probe(random))
}
