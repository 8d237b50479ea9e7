//! Whether the rules that are kept in files are loaded at boot, before the network: systemd's unit files, read as they lie
//! on disk.

use super::host::Target;
use crate::text::escape;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Where unit files are, those that count first.
const FOLDERS: [&str; 4] = ["etc/systemd/system", "run/systemd/system", "usr/lib/systemd/system", "lib/systemd/system"];
/// What loads rules of its own.
const OTHERS: [&str; 5] =
    ["nftables.service", "netfilter-persistent.service", "firewalld.service", "ufw.service", "shorewall.service"];
/// What has to be there before any interface is.
const BEFORE: &str = "network-pre.target";

/// Whether something is loaded at boot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Boot {
    /// It is, by that unit.
    Loaded(String),
    /// It is not; why, and what to do.
    Not(String, String),
    /// That cannot be told.
    Unknown(String),
}

/// Whether what a target keeps in files below `root` is loaded at boot, before the network, and by nothing else.
#[must_use]
pub fn boot(target: Target, root: &Path) -> Boot {
    let (unit, file) = match target {
        Target::Nftables => ("nftables.service", Some("/etc/nftables.conf")),
        Target::Iptables => ("netfilter-persistent.service", None),
    };
    match look(unit, file, root) {
        Ok(boot) => boot,
        Err(why) => Boot::Unknown(why),
    }
}

fn look(unit: &str, file: Option<&str>, root: &Path) -> Result<Boot, String> {
    let not = |why: String, help: String| Ok(Boot::Not(why, help));
    let Some(text) = unit_text(unit, root)? else {
        return not(
            format!("there is no unit {unit}: nothing loads the rules at boot"),
            format!("install what has {unit}"),
        );
    };
    if text.trim().is_empty() {
        return not(format!("{unit} is masked: nothing loads the rules at boot"), format!("systemctl unmask {unit}"));
    }
    if !enabled(unit, root)? {
        return not(
            format!("{unit} is not enabled: nothing loads the rules at boot"),
            format!("systemctl enable {unit}"),
        );
    }
    let before = values(&text, "Unit", "Before");
    if !before.iter().any(|value| value.split_whitespace().any(|target| target == BEFORE)) {
        let why = format!("{unit} is not ordered before {BEFORE}: the network is up before the rules are");
        return not(why, format!("add a drop-in with `[Unit]`, `Wants={BEFORE}` and `Before={BEFORE}`"));
    }
    let starts = values(&text, "Service", "ExecStart");
    let loads = |start: &String| file.is_none_or(|file| start.split_whitespace().any(|word| word == file));
    if !starts.iter().any(loads) {
        let shown = escape(starts.join("; ").as_bytes());
        let why = format!("{unit} does not load {}: it runs `{shown}`", file.unwrap_or_default());
        return not(why, "let it load the file that is verified".to_owned());
    }
    for other in OTHERS.into_iter().filter(|other| *other != unit) {
        if enabled(other, root)? && unit_text(other, root)?.is_some_and(|text| !text.trim().is_empty()) {
            let why = format!("{other} is enabled too, and loads rules of its own");
            return not(why, format!("systemctl disable {other}, if {unit} is the one that counts"));
        }
    }
    Ok(Boot::Loaded(unit.to_owned()))
}

/// The text of a unit with its drop-ins; empty where it is masked, `None` where there is none.
fn unit_text(unit: &str, root: &Path) -> Result<Option<String>, String> {
    let mut text = None;
    for folder in FOLDERS {
        let path = root.join(folder).join(unit);
        match path.symlink_metadata() {
            Ok(metadata) if metadata.is_symlink() && path.read_link().is_ok_and(|to| to == Path::new("/dev/null")) => {
                return Ok(Some(String::new()));
            }
            Ok(_) => {
                text = Some(read(&path)?);
                break;
            }
            Err(why) if why.kind() == ErrorKind::NotFound => {}
            Err(why) => return Err(format!("{}: {why}", path.display())),
        }
    }
    let Some(mut text) = text else { return Ok(None) };
    if text.trim().is_empty() {
        return Ok(Some(text));
    }
    // Drop-ins count in the order of their names, wherever they lie.
    let mut drops: Vec<PathBuf> = Vec::new();
    for folder in FOLDERS {
        for path in entries(&root.join(folder).join(format!("{unit}.d")))? {
            let known = drops.iter().any(|drop| drop.file_name() == path.file_name());
            if path.extension().is_some_and(|ending| ending == "conf") && !known {
                drops.push(path);
            }
        }
    }
    drops.sort_by_key(|path| path.file_name().map(ToOwned::to_owned));
    for path in drops {
        text.push('\n');
        text.push_str(&read(&path)?);
    }
    Ok(Some(text))
}

/// Whether a target wants or requires the unit.
fn enabled(unit: &str, root: &Path) -> Result<bool, String> {
    for folder in FOLDERS {
        for path in entries(&root.join(folder))? {
            let wants = path.extension().is_some_and(|ending| ending == "wants" || ending == "requires");
            if wants && path.join(unit).symlink_metadata().is_ok() {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// What a folder holds; nothing where there is none.
fn entries(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let read = match std::fs::read_dir(folder) {
        Ok(read) => read,
        Err(why) if why.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(why) => return Err(format!("{}: {why}", folder.display())),
    };
    let paths = read.map(|entry| entry.map(|entry| entry.path()).map_err(|why| format!("{}: {why}", folder.display())));
    paths.collect()
}

fn read(path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|why| format!("{}: {why}", path.display()))
}

/// The values of a key in a section, in order; an empty one takes back those before it (systemd.syntax(7)).
fn values(text: &str, section: &str, key: &str) -> Vec<String> {
    let mut values = Vec::new();
    let (mut here, mut line) = (false, String::new());
    for part in text.lines() {
        if line.is_empty() && part.trim_start().starts_with(['#', ';']) {
            continue;
        }
        line.push_str(part.trim_end_matches('\\'));
        if part.ends_with('\\') {
            line.push(' ');
            continue;
        }
        let whole = std::mem::take(&mut line);
        let whole = whole.trim();
        if whole.starts_with('[') {
            here = whole == format!("[{section}]");
        } else if let Some((_, value)) = whole.split_once('=').filter(|(name, _)| here && name.trim() == key) {
            match value.trim() {
                "" => values.clear(),
                value => values.push(value.to_owned()),
            }
        }
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;
    use tempfile::TempDir;

    const UNIT: &str = "[Unit]\nWants=network-pre.target\nBefore=network-pre.target shutdown.target\n\n[Service]\n\
        ExecStart=/usr/sbin/nft -f /etc/nftables.conf\nExecStop=/usr/sbin/nft flush ruleset\n";
    const WANTS: &str = "etc/systemd/system/sysinit.target.wants/nftables.service";

    fn host(files: &[(&str, &str)]) -> TempDir {
        let root = TempDir::new().expect("a folder");
        for (path, text) in files {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            match text.strip_prefix("-> ") {
                Some(target) => symlink(target, path).expect("a link"),
                None => std::fs::write(path, text).expect("written"),
            }
        }
        root
    }

    fn says(files: &[(&str, &str)]) -> String {
        match boot(Target::Nftables, host(files).path()) {
            Boot::Loaded(unit) => format!("loaded by {unit}"),
            Boot::Not(why, _) => why,
            Boot::Unknown(why) => format!("unknown: {why}"),
        }
    }

    #[test]
    fn e19_a_unit_that_is_not_enabled_or_not_first_loads_nothing_in_time() {
        let unit = ("usr/lib/systemd/system/nftables.service", UNIT);
        let wants = (WANTS, "-> /usr/lib/systemd/system/nftables.service");
        assert_eq!(says(&[unit, wants]), "loaded by nftables.service");
        assert_eq!(says(&[]), "there is no unit nftables.service: nothing loads the rules at boot");
        assert_eq!(says(&[unit]), "nftables.service is not enabled: nothing loads the rules at boot");
        let masked = ("etc/systemd/system/nftables.service", "-> /dev/null");
        assert_eq!(says(&[unit, wants, masked]), "nftables.service is masked: nothing loads the rules at boot");
        let late = UNIT.replace("network-pre.target shutdown", "multi-user.target shutdown");
        let why = "nftables.service is not ordered before network-pre.target: the network is up before the rules are";
        assert_eq!(says(&[(unit.0, &late), wants]), why);
        let drop = ("etc/systemd/system/nftables.service.d/x.conf", "[Unit]\nBefore=\n");
        assert_eq!(says(&[unit, wants, drop]), why, "a drop-in takes it back");
        let early = ("etc/systemd/system/nftables.service.d/x.conf", "[Unit]\nBefore= \\\n network-pre.target\n");
        assert_eq!(says(&[(unit.0, &late), wants, early]), "loaded by nftables.service");
        let other = UNIT.replace("/etc/nftables.conf", "/etc/other.conf");
        assert!(says(&[(unit.0, &other), wants]).starts_with("nftables.service does not load /etc/nftables.conf"));
        let second = [
            ("lib/systemd/system/firewalld.service", "[Unit]\n"),
            (
                "etc/systemd/system/multi-user.target.wants/firewalld.service",
                "-> /lib/systemd/system/firewalld.service",
            ),
        ];
        let both = [&[unit, wants][..], &second].concat();
        assert_eq!(says(&both), "firewalld.service is enabled too, and loads rules of its own");
    }
}
