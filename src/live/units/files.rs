//! Systemd's unit files as they lie on disk: each with its drop-ins, and those that boot starts.

use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::path::{Component, Path, PathBuf};

/// Where unit files are, those that count first. What is below `/run` does not outlive a reboot.
const FOLDERS: [&str; 6] = [
    "etc/systemd/system.control",
    "etc/systemd/system",
    "etc/systemd/system.attached",
    "usr/local/lib/systemd/system",
    "usr/lib/systemd/system",
    "lib/systemd/system",
];
/// What each of them starts wherever there is a systemd.
const STARTS: [(&str, &str); 4] = [
    ("graphical.target", "multi-user.target"),
    ("multi-user.target", "basic.target"),
    ("basic.target", "sysinit.target"),
    ("rescue.target", "sysinit.target"),
];
/// Settings that start other units.
const PULLS: [&str; 7] = ["Wants", "Requires", "BindsTo", "Upholds", "Unit", "Service", "Sockets"];
/// How many links may lead to a file.
const LINKS: usize = 16;

/// The unit files below a root.
pub(super) struct Units<'r> {
    root: &'r Path,
    places: BTreeMap<String, Place>,
    /// What the folders `NAME.wants` and the like hold.
    wanted: BTreeMap<String, BTreeSet<String>>,
    /// The drop-ins in a folder of that number and name.
    drops: BTreeMap<(usize, String), Vec<PathBuf>>,
}

/// Where a unit is.
enum Place {
    File(PathBuf),
    /// It is linked to `/dev/null`.
    Masked,
    /// It is another name of that one.
    Alias(String),
}

/// A unit with its drop-ins.
#[derive(Default)]
pub(super) struct Unit {
    /// Nothing starts it.
    pub(super) masked: bool,
    pub(super) settings: Vec<Setting>,
}

/// A line of a unit.
pub(super) struct Setting {
    pub(super) section: String,
    pub(super) key: String,
    pub(super) value: String,
    /// The file and the line.
    pub(super) at: String,
}

impl<'r> Units<'r> {
    /// Looks what there is.
    pub(super) fn below(root: &'r Path) -> Result<Self, String> {
        let mut units = Self { root, places: BTreeMap::new(), wanted: BTreeMap::new(), drops: BTreeMap::new() };
        for (number, folder) in FOLDERS.into_iter().enumerate() {
            for path in entries(&root.join(folder))? {
                let name = name_of(&path);
                match name.rsplit_once('.') {
                    Some((unit, "wants" | "requires" | "upholds")) => {
                        let links = entries(&path)?.into_iter().filter(|link| !is_masked(link));
                        units.wanted.entry(unit.to_owned()).or_default().extend(links.map(|link| name_of(&link)));
                    }
                    Some((_, "d")) => {
                        let drops = entries(&path)?.into_iter();
                        let drops = drops.filter(|path| path.extension().is_some_and(|ending| ending == "conf"));
                        units.drops.insert((number, name), drops.collect());
                    }
                    Some(_) if !units.places.contains_key(&name) => {
                        if let Some(place) = units.place(&path, &name) {
                            units.places.insert(name, place);
                        }
                    }
                    Some(_) | None => {}
                }
            }
        }
        Ok(units)
    }

    /// Where a file leads; `None`: nowhere.
    fn place(&self, path: &Path, name: &str) -> Option<Place> {
        if is_masked(path) {
            return Some(Place::Masked);
        }
        if let Ok(link) = path.read_link() {
            let target = name_of(&link);
            if target != name {
                return Some(Place::Alias(target));
            }
        }
        self.resolved(path).map(Place::File)
    }

    /// A path whose last part is no link: what a link names lies below the root.
    fn resolved(&self, path: &Path) -> Option<PathBuf> {
        let mut path = path.to_owned();
        for _ in 0..LINKS {
            let Ok(link) = path.read_link() else { return path.is_file().then_some(path) };
            path = if link.is_absolute() {
                let parts = link.components().filter(|part| !matches!(part, Component::RootDir));
                self.root.join(parts.collect::<PathBuf>())
            } else {
                path.parent()?.join(link)
            };
        }
        None
    }

    /// The name under which a unit has its file.
    pub(super) fn canonical(&self, name: &str) -> String {
        let mut name = name.to_owned();
        for _ in 0..LINKS {
            match self.places.get(&name) {
                Some(Place::Alias(target)) => name = target.clone(),
                Some(Place::File(_) | Place::Masked) | None => break,
            }
        }
        name
    }

    /// A unit with its drop-ins; `None` where there is none.
    pub(super) fn unit(&self, name: &str) -> Result<Option<Unit>, String> {
        let name = self.canonical(name);
        let template = template(&name);
        let place = self.places.get(&name).or_else(|| self.places.get(template.as_deref()?));
        let path = match place {
            Some(Place::File(path)) => path,
            Some(Place::Masked) => return Ok(Some(Unit { masked: true, settings: Vec::new() })),
            Some(Place::Alias(_)) | None => return Ok(None),
        };
        let text = read(path)?;
        if text.trim().is_empty() {
            return Ok(Some(Unit { masked: true, settings: Vec::new() }));
        }
        let mut unit = Unit { masked: false, settings: self.settings(&text, path) };
        // Drop-ins count in the order of their names, wherever they lie; of those with the same name the first one.
        let mut drops: Vec<&PathBuf> = Vec::new();
        for number in 0..FOLDERS.len() {
            for folder in self.drop_folders(&name) {
                for path in self.drops.get(&(number, folder)).into_iter().flatten() {
                    if !drops.iter().any(|drop| drop.file_name() == path.file_name()) {
                        drops.push(path);
                    }
                }
            }
        }
        drops.sort_by_key(|path| path.file_name());
        for path in drops.into_iter().filter(|path| !is_masked(path)) {
            let Some(file) = self.resolved(path) else {
                return Err(format!("{}: it is no file", path.display()));
            };
            unit.settings.extend(self.settings(&read(&file)?, path));
        }
        Ok(Some(unit))
    }

    /// The names of the folders in which a unit's drop-ins lie: its own, those of its other names, of the names that
    /// its own begins with, and of all units of its kind.
    fn drop_folders(&self, name: &str) -> Vec<String> {
        let aliases = self.places.keys().filter(|alias| alias.as_str() != name && self.canonical(alias) == name);
        let mut names: Vec<String> = [name.to_owned()].into_iter().chain(aliases.cloned()).collect();
        names.extend(template(name));
        if let Some((stem, kind)) = name.rsplit_once('.') {
            let dashes = stem.match_indices('-').map(|(at, _)| at).rev();
            names.extend(dashes.filter_map(|at| Some(format!("{}.{kind}", stem.get(..=at)?))));
            names.push(kind.to_owned());
        }
        names.into_iter().map(|name| format!("{name}.d")).collect()
    }

    /// The units that boot starts.
    pub(super) fn started(&self) -> Result<BTreeMap<String, Unit>, String> {
        let default = self.canonical("default.target");
        let first = if default == "default.target" { "multi-user.target".to_owned() } else { default };
        let mut started = BTreeMap::new();
        let mut left = vec![first];
        while let Some(name) = left.pop() {
            let name = self.canonical(&name);
            if started.contains_key(&name) {
                continue;
            }
            let unit = self.unit(&name)?.unwrap_or_default();
            if !unit.masked {
                left.extend(STARTS.iter().filter(|(from, _)| *from == name).map(|(_, to)| (*to).to_owned()));
                let names = [Some(name.clone()), template(&name)];
                let wanted = names.iter().flatten().filter_map(|name| self.wanted.get(name));
                left.extend(wanted.flatten().cloned());
                let pulls = unit.settings.iter().filter(|setting| PULLS.contains(&setting.key.as_str()));
                left.extend(pulls.flat_map(|setting| setting.value.split_whitespace()).map(str::to_owned));
                if let Some((stem, "timer" | "path" | "socket")) = name.rsplit_once('.') {
                    left.push(format!("{stem}.service"));
                }
            }
            started.insert(name, unit);
        }
        Ok(started)
    }

    /// The units that want or require one.
    pub(super) fn wanting(&self, name: &str) -> Vec<&str> {
        let wanting = self.wanted.iter();
        let wanting = wanting.filter(|(_, names)| names.iter().any(|wanted| self.canonical(wanted) == name));
        wanting.map(|(unit, _)| unit.as_str()).collect()
    }

    /// The lines of a file of a unit (systemd.syntax(7)).
    fn settings(&self, text: &str, path: &Path) -> Vec<Setting> {
        let file = path.strip_prefix(self.root).unwrap_or(path).display().to_string();
        let mut settings = Vec::new();
        let (mut section, mut whole, mut first) = (String::new(), String::new(), None);
        let mut end = |whole: &str, number: usize| {
            let whole = whole.trim();
            let at = format!("/{file}:{number}");
            let name = whole.strip_prefix('[').map(|name| name.strip_suffix(']'));
            match (name, whole.split_once('=')) {
                (Some(Some(name)), _) => name.clone_into(&mut section),
                (Some(None), _) => {
                    let (section, key) = ("Unit".to_owned(), "a section that does not end".to_owned());
                    settings.push(Setting { section, key, value: whole.to_owned(), at });
                }
                (None, Some((key, value))) => {
                    let (key, value) = (key.trim().to_owned(), value.trim().to_owned());
                    settings.push(Setting { section: section.clone(), key, value, at });
                }
                (None, None) => {}
            }
        };
        for (number, line) in text.lines().enumerate() {
            if line.trim_start().starts_with(['#', ';']) {
                continue;
            }
            let number = *first.get_or_insert(number + 1);
            let slashes = line.len() - line.trim_end_matches('\\').len();
            if slashes % 2 == 1 {
                whole.push_str(line.strip_suffix('\\').unwrap_or(line));
                whole.push(' ');
                continue;
            }
            whole.push_str(line);
            end(&std::mem::take(&mut whole), number);
            first = None;
        }
        end(&whole, first.unwrap_or_default());
        settings
    }
}

impl Unit {
    /// What counts of a key: an empty value takes back those before it.
    pub(super) fn values(&self, section: &str, key: &str) -> Vec<&Setting> {
        let all = self.settings.iter().filter(|setting| setting.section == section && setting.key == key);
        let mut values = Vec::new();
        for setting in all {
            if setting.value.is_empty() { values.clear() } else { values.push(setting) }
        }
        values
    }

    /// The one value that counts of a key that has only one.
    pub(super) fn value(&self, section: &str, key: &str) -> Option<&str> {
        self.values(section, key).last().map(|setting| setting.value.as_str())
    }
}

/// `getty@.service` of `getty@tty1.service`.
fn template(name: &str) -> Option<String> {
    let (stem, kind) = name.rsplit_once('.')?;
    let (stem, _) = stem.split_once('@')?;
    Some(format!("{stem}@.{kind}")).filter(|template| template != name)
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn is_masked(path: &Path) -> bool {
    path.read_link().is_ok_and(|to| to == Path::new("/dev/null"))
}

/// What a folder holds, in the order of names; nothing where there is none.
fn entries(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let read = match std::fs::read_dir(folder) {
        Ok(read) => read,
        Err(why) if why.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(why) => return Err(format!("{}: {why}", folder.display())),
    };
    let paths = read.map(|entry| entry.map(|entry| entry.path()).map_err(|why| format!("{}: {why}", folder.display())));
    let mut paths = paths.collect::<Result<Vec<_>, _>>()?;
    paths.sort();
    Ok(paths)
}

fn read(path: &Path) -> Result<String, String> {
    let bytes = std::fs::read(path).map_err(|why| format!("{}: {why}", path.display()))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
