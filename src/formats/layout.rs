//! Which files are probably one configuration: for whoever writes the first policy.

use super::FORMATS;
use std::collections::{BTreeMap, BTreeSet};

/// Files that are read together, or each for itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// What it may be called: a letter, then letters, digits, `_`, `.` and `-`.
    pub name: String,
    /// The format of its files.
    pub format: &'static str,
    /// Whether every file is a configuration of its own.
    pub each: bool,
    /// Its files, sorted.
    pub files: Vec<String>,
    /// A pattern of policies that names these files and no other one of those that there are; `None`: there is none that
    /// is simple.
    pub pattern: Option<String>,
}

/// Groups the files of a side that a format recognises, by path (escaped) and text. What another one includes is no main
/// file. Guesses by folders and names: whoever uses it looks at what reading the groups gives.
#[must_use]
pub fn layout(all: &[(&str, &[u8])]) -> Vec<Group> {
    let mut known: Vec<(&str, &'static str, &[u8])> = Vec::new();
    for (path, text) in all {
        if let Some(format) = FORMATS.iter().find(|format| format.recognises(path, text)) {
            known.push((path, format.id(), text));
        }
    }
    let included = included(&known);
    let mains: Vec<(&str, &'static str)> = known
        .iter()
        .filter(|(path, format, _)| {
            !included.contains(path)
                && (*format != "terraform" || [".tf", ".tofu"].iter().any(|end| path.ends_with(end)))
        })
        .map(|(path, format, _)| (*path, *format))
        .collect();
    let mut groups = Vec::new();
    for format in FORMATS.iter().map(|format| format.id()) {
        let mine: Vec<&str> = mains.iter().filter(|(_, known)| *known == format).map(|(path, _)| *path).collect();
        groups.extend(match format {
            "terraform" => by(&mine, folder).into_iter().map(|(at, files)| whole(at, format, files)).collect(),
            "kubernetes" => {
                let top = |path: &str| path.split_once('/').map_or("", |(top, _)| top).to_owned();
                let groups = by(&mine, |path| top(path)).into_iter();
                groups.map(|(at, files)| whole(at, format, files)).collect()
            }
            _ => single(format, &mine),
        });
    }
    let paths: BTreeSet<&str> = all.iter().map(|(path, _)| *path).collect();
    for group in &mut groups {
        // Files that are included may match as well: they are read where they are included.
        group.pattern = pattern(group, &paths, &included);
    }
    groups.sort_by(|a, b| a.files.cmp(&b.files));
    named(groups)
}

/// The files that others include.
fn included<'f>(known: &[(&'f str, &'static str, &'f [u8])]) -> BTreeSet<&'f str> {
    let mut out = BTreeSet::new();
    for (path, id, text) in known {
        let includes = super::format(id).map(|format| format.includes(path, path, text)).unwrap_or_default();
        for include in includes.iter().filter(|include| !include.beside) {
            let others = known.iter().filter(|(other, ..)| other != path);
            out.extend(
                others.filter(|(other, ..)| include.place_of(other.as_bytes()).is_some()).map(|(other, ..)| *other),
            );
        }
    }
    out
}

fn by<'p>(paths: &[&'p str], key: impl Fn(&str) -> String) -> BTreeMap<String, Vec<&'p str>> {
    let mut out: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for path in paths {
        out.entry(key(path)).or_default().push(path);
    }
    out
}

/// All files of a folder as one configuration.
fn whole(at: String, format: &'static str, files: Vec<&str>) -> Group {
    let name = if at.is_empty() { format.to_owned() } else { at };
    Group { name, format, each: false, files: owned(files), pattern: None }
}

/// Files that are each a configuration: those of a folder under one name, and so are files of one name in folders beside
/// one another. The two families of iptables are one host.
fn single(format: &'static str, mine: &[&str]) -> Vec<Group> {
    let mut groups = Vec::new();
    let mut alone: Vec<&str> = Vec::new();
    for (at, files) in by(mine, |path| format!("{}\n{}", folder(path), extension(path))) {
        match files.as_slice() {
            [file] => alone.push(file),
            _ => {
                let at = at.split('\n').next().unwrap_or_default();
                let name = if at.is_empty() { format.to_owned() } else { at.to_owned() };
                groups.push(Group { name, format, each: true, files: owned(files), pattern: None });
            }
        }
    }
    if format == "iptables-save" {
        for (at, files) in by(&alone.clone(), folder) {
            let mut ends: Vec<&str> = files.iter().map(|path| extension(path)).collect();
            ends.sort_unstable();
            if ends == ["v4", "v6"] {
                alone.retain(|path| !files.contains(path));
                groups.push(whole(at, format, files));
            }
        }
    }
    let beside = |path: &str| match folder(path).rsplit_once('/') {
        Some((above, _)) => format!("{above}\n{}", file_name(path)),
        None => format!("\n{path}"),
    };
    for (at, files) in by(&alone, beside) {
        let above = at.split('\n').next().unwrap_or_default().to_owned();
        let name = match files.as_slice() {
            [file] => {
                let stem = file_name(file).split('.').next().unwrap_or_default();
                if folder(file).is_empty() || !["rules", "main", "index"].contains(&stem) {
                    stem.to_owned()
                } else {
                    folder(file)
                }
            }
            _ => above,
        };
        groups.push(Group { name, format, each: files.len() > 1, files: owned(files), pattern: None });
    }
    groups
}

fn owned(files: Vec<&str>) -> Vec<String> {
    let mut files: Vec<String> = files.into_iter().map(str::to_owned).collect();
    files.sort();
    files
}

/// Whether a path is one of those that a pattern is to name.
type Fits = Box<dyn Fn(&str) -> bool>;

/// The simplest pattern that names these files and no others.
fn pattern(group: &Group, paths: &BTreeSet<&str>, included: &BTreeSet<&str>) -> Option<String> {
    if let [file] = group.files.as_slice() {
        return is_plain(file).then(|| file.clone());
    }
    let first = group.files.first()?;
    let (at, end) = (folder(first), extension(first));
    let below = |folder: &str, rest: &str| if folder.is_empty() { rest.to_owned() } else { format!("{folder}/{rest}") };
    let above = at.rsplit_once('/').map_or("", |(above, _)| above).to_owned();
    let top = at.split('/').next().unwrap_or_default();
    // Where nothing tells them from other files, all files are meant.
    let ended = if end.is_empty() { "*".to_owned() } else { format!("*.{end}") };
    let ends = |path: &str, end: &str| end.is_empty() || extension(path) == end;
    let fits: [(String, Fits); 3] = [
        (below(&at, &ended), {
            let (at, end) = (at.clone(), end.to_owned());
            Box::new(move |path| folder(path) == at && ends(path, &end))
        }),
        (below(&above, &format!("*/{}", file_name(first))), {
            let (above, name) = (above.clone(), file_name(first).to_owned());
            Box::new(move |path| {
                file_name(path) == name
                    && folder(path).rsplit_once('/').map_or("", |(a, _)| a) == above
                    && !folder(path).is_empty()
            })
        }),
        (below(top, &format!("**/{ended}")), {
            let (top, end) = (format!("{top}/"), end.to_owned());
            Box::new(move |path| ends(path, &end) && (top == "/" || path.starts_with(&top)))
        }),
    ];
    let named = |fits: &dyn Fn(&str) -> bool| -> Vec<&str> {
        paths.iter().filter(|path| fits(path) && !included.contains(*path)).copied().collect()
    };
    let wanted: Vec<&str> = group.files.iter().map(String::as_str).collect();
    fits.into_iter()
        .find(|(pattern, fits)| is_plain_pattern(pattern) && named(fits) == wanted)
        .map(|(pattern, _)| pattern)
}

/// Whether a path means itself as a pattern.
#[must_use]
pub fn is_plain(path: &str) -> bool {
    !path.contains(['*', '?', '[', ']', '{', '}', '\\'])
}

fn is_plain_pattern(pattern: &str) -> bool {
    is_plain(&pattern.replace('*', ""))
}

/// Gives every group a name of its own.
fn named(mut groups: Vec<Group>) -> Vec<Group> {
    let mut taken: BTreeSet<String> = BTreeSet::new();
    for group in &mut groups {
        let parts: Vec<String> = group.name.split('/').map(word).filter(|part| !part.is_empty()).collect();
        let long =
            |count: usize| parts.iter().skip(parts.len().saturating_sub(count)).cloned().collect::<Vec<_>>().join("-");
        let numbered = (2..).map(|n| format!("{}-{n}", group.format));
        let candidates = (1..=parts.len()).map(long).chain([group.format.to_owned()]).chain(numbered);
        let begins = |name: &String| name.starts_with(|c: char| c.is_ascii_alphabetic());
        let mut free = candidates.filter(|name| begins(name) && !taken.contains(name));
        if let Some(name) = free.next() {
            taken.insert(name.clone());
            group.name = name;
        }
    }
    groups
}

fn word(part: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.') { c } else { '-' };
    part.chars().map(plain).collect::<String>().trim_matches(['-', '.']).to_owned()
}

fn folder(path: &str) -> String {
    path.rsplit_once('/').map_or("", |(folder, _)| folder).to_owned()
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

fn extension(path: &str) -> &str {
    file_name(path).rsplit_once('.').map_or("", |(_, end)| end)
}

#[cfg(test)]
mod tests {
    use super::layout;

    fn grouped(paths: &[(&str, &str)]) -> Vec<String> {
        let files: Vec<(&str, &[u8])> = paths.iter().map(|(path, text)| (*path, text.as_bytes())).collect();
        let show = |group: super::Group| {
            let each = if group.each { " each" } else { "" };
            format!("{} {}{each}: {}", group.name, group.format, group.pattern.unwrap_or_else(|| group.files.join(" ")))
        };
        layout(&files).into_iter().map(show).collect()
    }

    const SAVED: &str = "*filter\nCOMMIT\n";
    const NFT: &str = "table ip x {\n}\n";

    #[test]
    fn files_of_a_folder_are_hosts_and_a_file_alone_is_one() {
        let paths = [("hosts/a.rules", SAVED), ("hosts/b.rules", SAVED), ("edge/gw.nft", NFT), ("README.md", "# x")];
        assert_eq!(grouped(&paths), ["gw nftables: edge/gw.nft", "hosts iptables-save each: hosts/*.rules"]);
        let paths = [("hosts/a.rules", SAVED), ("hosts/b.rules", SAVED), ("hosts/c.rules", "no rules")];
        assert_eq!(grouped(&paths), ["hosts iptables-save each: hosts/a.rules hosts/b.rules"]);
    }

    #[test]
    fn families_and_folders_of_hosts_are_told() {
        let paths = [("etc/rules.v4", SAVED), ("etc/rules.v6", SAVED)];
        assert_eq!(grouped(&paths), ["etc iptables-save: etc/rules.v4 etc/rules.v6"]);
        let paths = [("hosts/a/fw.nft", NFT), ("hosts/b/fw.nft", NFT)];
        assert_eq!(grouped(&paths), ["hosts nftables each: hosts/*/fw.nft"]);
    }

    #[test]
    fn modules_and_included_files_are_no_configurations() {
        let paths = [
            ("prod/main.tf", "module \"m\" {\n  source = \"../modules/m\"\n}\n"),
            ("prod/more.tf", "# nothing\n"),
            ("modules/m/main.tf", "# nothing\n"),
            ("a/main.nft", "include \"./sets.nft\"\n"),
            ("a/sets.nft", "define x = 1\n"),
        ];
        assert_eq!(grouped(&paths), ["a nftables: a/main.nft", "prod terraform: prod/*.tf"]);
    }

    #[test]
    fn manifests_of_a_folder_are_one_cluster() {
        let manifest = "apiVersion: v1\nkind: Namespace\n";
        let paths = [("k8s/a/x.yaml", manifest), ("k8s/b/y.yaml", manifest), (".github/x.yaml", "on: push\n")];
        assert_eq!(grouped(&paths), ["k8s kubernetes: k8s/**/*.yaml"]);
    }
}
