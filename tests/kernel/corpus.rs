//! Real rulesets, where the folder with them lies beside the project.

use crate::aim::Aimer;
use crate::case::{Case, Loader, fragments};
use crate::random::Random;
use crate::world::{Backend, INTERFACES, World};
use portcullis::net::Family;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The folder, if it is there.
pub(crate) fn folder() -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus/iptables-save");
    path.is_dir().then_some(path)
}

/// Every file of it, sorted.
pub(crate) fn files() -> Result<Vec<PathBuf>, String> {
    let mut files = Vec::new();
    let mut open: Vec<_> = folder().into_iter().collect();
    while let Some(path) = open.pop() {
        let entries = std::fs::read_dir(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        for entry in entries {
            let path = entry.map_err(|error| error.to_string())?.path();
            if path.is_dir() { open.push(path) } else { files.push(path) }
        }
    }
    files.sort();
    Ok(files)
}

/// The text of a file; bytes that are not UTF-8 are replaced, for kernel and model alike.
pub(crate) fn text(path: &Path) -> Result<String, String> {
    let bytes = std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// How the rules are loaded, `None` if neither family nor backend takes them.
pub(crate) fn loading(world: &mut World, path: &Path, rules: &str) -> Result<Option<(Family, Backend)>, String> {
    let named_ipv6 =
        rules.contains("ip6tables-save") || path.file_name().is_some_and(|name| name.to_string_lossy().contains('6'));
    let families = if named_ipv6 { [Family::Ipv6, Family::Ipv4] } else { Family::ALL };
    for family in families {
        world.reset(family, true)?;
        for backend in [Backend::Nft, Backend::Legacy] {
            if world.restore(family, backend, rules).is_ok() {
                return Ok(Some((family, backend)));
            }
        }
    }
    Ok(None)
}

/// A file with packets aimed at its rules, on interfaces that it names.
pub(crate) fn case(path: &Path, rules: String, (family, backend): (Family, Backend), seed: u64, long: bool) -> Case {
    let name = folder().and_then(|folder| path.strip_prefix(folder).ok().map(Path::to_path_buf));
    let name = name.unwrap_or_else(|| path.to_path_buf()).display().to_string();
    let mut random = Random::new(seed);
    let names = interfaces(&mut random, &rules);
    let count = rules.lines().count() * if long { 20 } else { 2 };
    let packets = count.clamp(300, if long { 20_000 } else { 2_000 });
    let aimer = Aimer::new(family, &names, fragments(backend, true), &rules);
    let case = Case {
        name,
        loader: Loader::Iptables(family, backend),
        tracking: true,
        names: names.clone(),
        rules: rules.clone(),
        seeds: Vec::new(),
        probes: Vec::new(),
    };
    case.aimed(&mut random, packets, |random| aimer.probe(random))
}

fn interfaces(random: &mut Random, rules: &str) -> Vec<String> {
    let words: Vec<_> = rules.split_ascii_whitespace().collect();
    let named = words.windows(2).filter_map(|pair| match pair {
        ["-i" | "-o", name] => Some(name.replace('+', "0")),
        _ => None,
    });
    let usable = |name: &String| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
        name != "lo" && !name.is_empty() && name.len() < 16 && name.bytes().all(plain) && !name.starts_with(['.', '-'])
    };
    let mut pool: Vec<_> = named.filter(usable).collect::<BTreeSet<_>>().into_iter().collect();
    pool.extend((0..INTERFACES).map(|n| format!("spare{n}")).filter(|name| !rules.contains(name)));
    // One interface that no rule names, if there is room.
    let mut names = Vec::new();
    while names.len() < INTERFACES {
        let first = pool.len().saturating_sub(INTERFACES).max(1).min(pool.len());
        names.push(pool.swap_remove(random.below(first)));
    }
    names
}
