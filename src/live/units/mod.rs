//! Whether the rules that are kept in files are loaded at boot, before the network: systemd's unit files, read as they lie
//! on disk.
//!
//! A unit loads them if nothing that it says is other than what is known not to keep it from that, and not to undo it.

mod files;
#[cfg(test)]
mod tests;

use super::host::Target;
use crate::text::escape;
use files::{Setting, Unit, Units};
use std::collections::BTreeMap;
use std::path::Path;

/// What loads rules of its own.
const OTHERS: [&str; 5] =
    ["nftables.service", "netfilter-persistent.service", "firewalld.service", "ufw.service", "shorewall.service"];
/// What has to be there before any interface is.
const BEFORE: &str = "network-pre.target";
/// Programs that change rules, whoever runs them.
const TOOLS: [&str; 16] = [
    "nft",
    "iptables",
    "ip6tables",
    "iptables-restore",
    "ip6tables-restore",
    "iptables-apply",
    "ipset",
    "ebtables",
    "arptables",
    "ufw",
    "ufw-init",
    "firewalld",
    "firewall-cmd",
    "shorewall",
    "ferm",
    "netfilter-persistent",
];
const OFF: [&str; 6] = ["no", "false", "off", "0", "n", "f"];
/// What is known of a setting.
enum Known {
    /// It does nothing to the rules.
    Harmless,
    /// Neither do these values.
    Values(&'static [&'static str]),
    /// Neither do any of these words.
    Words(&'static [&'static str]),
}
const EITHER: Known =
    Known::Values(&["yes", "true", "on", "1", "y", "t", "no", "false", "off", "0", "n", "f", "full", "strict"]);
/// The settings of a unit that keep it from nothing; each is judged by its last value, or by all where they add up.
const KNOWN: [(&str, &str, Known); 34] = [
    ("Unit", "Description", Known::Harmless),
    ("Unit", "Documentation", Known::Harmless),
    ("Unit", "SourcePath", Known::Harmless),
    ("Unit", "Wants", Known::Harmless),
    ("Unit", "DefaultDependencies", EITHER),
    ("Unit", "Conflicts", Known::Words(&["shutdown.target"])),
    (
        "Unit",
        "Before",
        Known::Words(&[
            "network-pre.target",
            "network.target",
            "network-online.target",
            "networking.service",
            "NetworkManager.service",
            "systemd-networkd.service",
            "multi-user.target",
            "shutdown.target",
            "docker.service",
            "containerd.service",
            "fail2ban.service",
            "libvirtd.service",
            "ssh.service",
            "sshd.service",
            "portcullis-recover.service",
        ]),
    ),
    (
        "Unit",
        "After",
        Known::Words(&[
            "local-fs-pre.target",
            "local-fs.target",
            "systemd-modules-load.service",
            "systemd-sysctl.service",
            "systemd-remount-fs.service",
            "systemd-tmpfiles-setup.service",
            "systemd-journald.socket",
            "systemd-udevd.service",
            "apparmor.service",
            "syslog.target",
        ]),
    ),
    ("Service", "Type", Known::Values(&["oneshot"])),
    ("Service", "RemainAfterExit", EITHER),
    ("Service", "ExecStart", Known::Harmless),
    ("Service", "ExecReload", Known::Harmless),
    ("Service", "ExecStop", Known::Harmless),
    ("Service", "ExecStopPost", Known::Harmless),
    ("Service", "StandardInput", Known::Values(&["null"])),
    ("Service", "StandardOutput", Known::Values(&["journal", "null", "inherit", "kmsg", "syslog", "journal+console"])),
    ("Service", "StandardError", Known::Values(&["journal", "null", "inherit", "kmsg", "syslog", "journal+console"])),
    ("Service", "SyslogIdentifier", Known::Harmless),
    ("Service", "SuccessExitStatus", Known::Harmless),
    ("Service", "ProtectSystem", EITHER),
    ("Service", "ProtectHome", EITHER),
    ("Service", "NoNewPrivileges", EITHER),
    ("Service", "PrivateTmp", EITHER),
    ("Service", "PrivateNetwork", Known::Values(&OFF)),
    ("Service", "PrivateUsers", Known::Values(&OFF)),
    ("Service", "DynamicUser", Known::Values(&OFF)),
    ("Service", "User", Known::Values(&["root", "0"])),
    ("Service", "Group", Known::Values(&["root", "0"])),
    ("Service", "TimeoutSec", Known::Values(&["infinity", "0"])),
    ("Service", "TimeoutStartSec", Known::Values(&["infinity", "0"])),
    ("Service", "TimeoutStopSec", Known::Harmless),
    ("Service", "TimeoutStopFailureMode", Known::Harmless),
    ("Service", "Restart", Known::Values(&["no", "on-failure", "on-abnormal", "on-abort"])),
    ("Service", "RestartSec", Known::Harmless),
];
/// Settings that what `netfilter-persistent` loads does not depend on.
const PERSISTENT: [&str; 6] = [
    "FLUSH_ON_STOP",
    "IPTABLES_SKIP_SAVE",
    "IP6TABLES_SKIP_SAVE",
    "IPSET_SKIP_SAVE",
    "IPTABLES_TEST_RULESET",
    "IP6TABLES_TEST_RULESET",
];
/// What an error in reading calls for.
const UNREAD: &str = "nobody knows what a reboot would load until it can be read";

/// Whether something is loaded at boot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Boot {
    /// It is, by that unit.
    Loaded(String),
    /// It is not; why, and what to do.
    Not(String, String),
    /// That cannot be told; why, and what to do.
    Unknown(String, String),
}

/// Whether what a target keeps in files below `root` is loaded at boot, before the network, and by nothing else.
#[must_use]
pub fn boot(target: Target, root: &Path) -> Boot {
    look(target, root).unwrap_or_else(|why| Boot::Unknown(why, UNREAD.to_owned()))
}

fn look(target: Target, root: &Path) -> Result<Boot, String> {
    let name = match target {
        Target::Nftables => "nftables.service",
        Target::Iptables => "netfilter-persistent.service",
    };
    let units = Units::below(root)?;
    let Some(unit) = units.unit(name)? else {
        let why = format!("there is no unit {name}: nothing loads the rules at boot");
        return Ok(Boot::Not(why, format!("install what has {name}")));
    };
    let started = units.started()?;
    let canonical = units.canonical(name);
    if let Some((why, help)) = missing(name, &unit, &units.wanting(&canonical), started.contains_key(&canonical)) {
        return Ok(Boot::Not(why, help));
    }
    let not = |why: String, help: String| Ok(Boot::Not(why, help));
    let before = unit.values("Unit", "Before");
    if !before.iter().any(|setting| setting.value.split_whitespace().any(|target| target == BEFORE)) {
        let why = format!("{name} is not ordered before {BEFORE}: the network is up before the rules are");
        return not(why, format!("add a drop-in with `[Unit]`, `Wants={BEFORE}` and `Before={BEFORE}`"));
    }
    if !started.contains_key(BEFORE) {
        let why = format!(
            "nothing starts {BEFORE}, so that nothing waits for {name}: the network is up before the rules are"
        );
        return not(why, format!("add a drop-in with `[Unit]` and `Wants={BEFORE}`"));
    }
    let starts = unit.values("Service", "ExecStart");
    if !starts.iter().any(|start| loads(target, &start.value)) {
        let shown: Vec<&str> = starts.iter().map(|start| start.value.as_str()).collect();
        let files: Vec<String> = target.kept().iter().map(|(_, _, file)| format!("/{file}")).collect();
        let shown = escape(shown.join("; ").as_bytes());
        let why = format!("{name} does not load {}: it runs `{shown}`", files.join(" and "));
        return not(why, format!("let it load what is verified, by `{}`", command(target)));
    }
    if unit.value("Service", "Type") != Some("oneshot") {
        let why = format!("{name} is not of `Type=oneshot`: the network does not wait until the rules are loaded");
        return not(why, "add a drop-in with `[Service]` and `Type=oneshot`".to_owned());
    }
    let stops = unit.values("Service", "ExecStop").into_iter().chain(unit.values("Service", "ExecStopPost")).next();
    let stays =
        unit.value("Service", "RemainAfterExit").is_some_and(|value| matches!(value, "yes" | "true" | "on" | "1"));
    if let Some(stop) = stops.filter(|_| !stays) {
        let why = format!("{name} ends as soon as it has loaded the rules, and then runs {}", shown(stop));
        return not(why, "add a drop-in with `[Service]` and `RemainAfterExit=yes`".to_owned());
    }
    if target == Target::Iptables
        && let Some((why, help)) = unplugged(root)
    {
        return not(why, help);
    }
    for other in OTHERS.into_iter().filter(|other| *other != name && units.canonical(other) != canonical) {
        let there = || units.unit(other).map(|unit| unit.is_some_and(|unit| !unit.masked));
        if started.contains_key(&units.canonical(other)) && there()? {
            let why = format!("{other} is enabled too, and loads rules of its own");
            return not(why, format!("systemctl disable {other}, if {name} is the one that counts"));
        }
    }
    let unknown = unknown(target, &unit, root);
    if !unknown.is_empty() {
        let why = format!(
            "whether {name} loads the rules and leaves them is not known, with {}",
            unknown.into_iter().map(shown).collect::<Vec<_>>().join(", ")
        );
        let help = format!(
            "take it out of the unit, or what it does into the files that are verified; `systemctl revert {name}` restores what the package has"
        );
        return Ok(Boot::Unknown(why, help));
    }
    if target == Target::Iptables {
        let path = "etc/default/netfilter-persistent";
        if let Some(line) = unusual(root, path)? {
            let why = format!("whether {name} loads the rules is not known: /{path} has `{}`", escape(line.as_bytes()));
            return Ok(Boot::Unknown(why, "take the line out".to_owned()));
        }
    }
    let others = others(&canonical, &started, &units);
    if !others.is_empty() {
        let why = format!("boot starts what may change the rules that {name} has loaded: {}", others.join("; "));
        let help = "disable it (`systemctl disable`), or take what it does into the files that are verified".to_owned();
        return Ok(Boot::Unknown(why, help));
    }
    Ok(Boot::Loaded(name.to_owned()))
}

/// Why boot does not start a unit.
fn missing(name: &str, unit: &Unit, wanting: &[&str], started: bool) -> Option<(String, String)> {
    if unit.masked {
        let why = format!("{name} is masked: nothing loads the rules at boot");
        return Some((why, format!("systemctl unmask {name}")));
    }
    if started {
        return None;
    }
    if wanting.is_empty() {
        let why = format!("{name} is not enabled: nothing loads the rules at boot");
        return Some((why, format!("systemctl enable {name}")));
    }
    let why =
        format!("{name} is enabled for {}, which boot does not start: nothing loads the rules", wanting.join(", "));
    Some((
        why,
        format!("add a drop-in with `[Install]` and `WantedBy=sysinit.target`, and run `systemctl reenable {name}`"),
    ))
}

/// The command that loads what a target keeps.
const fn command(target: Target) -> &'static str {
    match target {
        Target::Nftables => "/usr/sbin/nft -f /etc/nftables.conf",
        Target::Iptables => "/usr/sbin/netfilter-persistent start",
    }
}

/// Whether a command loads what a target keeps, and does nothing else.
fn loads(target: Target, start: &str) -> bool {
    // Its failure may be ignored, and it may have all privileges.
    let start = start.trim_start_matches(['-', '+']);
    let mut words = start.split_whitespace();
    let Some((folder, program)) = words.next().and_then(|path| path.rsplit_once('/')) else { return false };
    let known = matches!(folder, "/usr/sbin" | "/sbin" | "/usr/bin" | "/bin");
    let rest: Vec<&str> = words.collect();
    known
        && match target {
            Target::Nftables => program == "nft" && matches!(rest[..], ["-f" | "--file", "/etc/nftables.conf"]),
            Target::Iptables => program == "netfilter-persistent" && rest == ["start"],
        }
}

/// The settings of a unit of which it is not known that they let it load the rules and leave them.
fn unknown<'u>(target: Target, unit: &'u Unit, root: &Path) -> Vec<&'u Setting> {
    let mut unknown: Vec<&Setting> = Vec::new();
    let counts = |setting: &Setting| matches!(setting.section.as_str(), "Unit" | "Service");
    for setting in unit.settings.iter().filter(|setting| counts(setting)) {
        let Setting { section, key, value, at: _ } = setting;
        if key.starts_with("X-") {
            continue;
        }
        if value.is_empty() {
            // Dependencies cannot be taken back; any condition that is empty takes all of them back.
            let list = ["Condition", "Assert"].into_iter().find(|list| key.starts_with(list));
            if section != "Unit" || list.is_some() {
                let taken = |other: &str| list.map_or(other == key, |list| other.starts_with(list));
                unknown.retain(|other| !(other.section == *section && taken(&other.key)));
            }
            continue;
        }
        let known = KNOWN.iter().find(|(of, name, _)| of == section && name == key);
        let harmless = match known {
            Some((_, _, Known::Harmless)) => true,
            Some((_, _, Known::Values(values))) => {
                unknown.retain(|other| !(other.section == *section && other.key == *key));
                values.contains(&value.as_str())
            }
            Some((_, _, Known::Words(words))) => value.split_whitespace().all(|word| words.contains(&word)),
            None => {
                let kept = |(_, _, file): &(&str, &[&str], &str)| {
                    value.strip_prefix('/') == Some(file) && root.join(file).is_file()
                };
                matches!(key.as_str(), "ConditionPathExists" | "AssertPathExists") && target.kept().iter().all(kept)
            }
        };
        if !harmless {
            unknown.push(setting);
        }
    }
    let starts = unit.values("Service", "ExecStart");
    let mut loading = starts.iter().filter(|start| loads(target, &start.value));
    let first = loading.next().map(|start| start.at.as_str());
    unknown.extend(starts.into_iter().filter(|start| Some(start.at.as_str()) != first));
    unknown
}

fn shown(setting: &Setting) -> String {
    let Setting { section: _, key, value, at } = setting;
    format!("`{}` ({})", escape(format!("{key}={value}").as_bytes()), escape(at.as_bytes()))
}

/// What else boot starts that changes rules, or stops what loads them.
fn others(name: &str, started: &BTreeMap<String, Unit>, units: &Units<'_>) -> Vec<String> {
    let mut others = Vec::new();
    for (other, unit) in started.iter().filter(|(other, _)| *other != name) {
        for setting in &unit.settings {
            let Setting { section: _, key, value, at: _ } = setting;
            let stops = key == "Conflicts" && value.split_whitespace().any(|word| units.canonical(word) == name);
            let runs = key.starts_with("Exec") && key != "ExecReload" && runs_tool(value);
            if stops || runs {
                others.push(format!("{} has {}", escape(other.as_bytes()), shown(setting)));
            }
        }
    }
    others
}

/// Whether a command names a program that changes rules, be it within what a shell is told.
fn runs_tool(command: &str) -> bool {
    let mut words = command.split_whitespace();
    let program = words.next().and_then(|path| path.rsplit('/').next());
    if program == Some("portcullis") && matches!(words.next(), Some("verify" | "recover")) {
        // It changes nothing, or takes back a change that a crash has cut short.
        return false;
    }
    let part_of_name = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '.');
    command.split(|letter| !part_of_name(letter)).any(|word| {
        let word = word.trim_start_matches('-').replace("-legacy", "").replace("-nft", "");
        TOOLS.contains(&word.as_str())
    })
}

/// What `netfilter-persistent` lacks to load both families.
fn unplugged(root: &Path) -> Option<(String, String)> {
    const PLUGINS: [&str; 2] = [
        "usr/share/netfilter-persistent/plugins.d/15-ip4tables",
        "usr/share/netfilter-persistent/plugins.d/25-ip6tables",
    ];
    let plugin = PLUGINS.into_iter().find(|plugin| !root.join(plugin).is_file())?;
    let why = format!("netfilter-persistent.service loads nothing of one family: there is no /{plugin}");
    Some((why, "install iptables-persistent".to_owned()))
}

/// The first line of the settings of `netfilter-persistent` that what it loads may depend on.
fn unusual(root: &Path, path: &str) -> Result<Option<String>, String> {
    let path = root.join(path);
    let bytes = match std::fs::read(&path) {
        Ok(bytes) => bytes,
        Err(why) if why.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(why) => return Err(format!("{}: {why}", path.display())),
    };
    let text = String::from_utf8_lossy(&bytes);
    let usual = |line: &&str| {
        let value = |value: &str| value.chars().all(|letter| letter.is_ascii_alphanumeric());
        line.is_empty()
            || line.starts_with('#')
            || line.split_once('=').is_some_and(|(key, text)| PERSISTENT.contains(&key) && value(text))
    };
    Ok(text.lines().map(str::trim).find(|line| !usual(line)).map(str::to_owned))
}
