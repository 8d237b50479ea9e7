use super::*;
use std::os::unix::fs::symlink;
use tempfile::TempDir;

/// As Debian has it.
const UNIT: &str = "[Unit]\nDescription=nftables\nDocumentation=man:nft(8) http://wiki.nftables.org\n\
    Wants=network-pre.target\nBefore=network-pre.target shutdown.target\nConflicts=shutdown.target\n\
    DefaultDependencies=no\n\n[Service]\nType=oneshot\nRemainAfterExit=yes\nStandardInput=null\n\
    ProtectSystem=full\nProtectHome=true\nExecStart=/usr/sbin/nft -f /etc/nftables.conf\n\
    ExecReload=/usr/sbin/nft -f /etc/nftables.conf\nExecStop=/usr/sbin/nft flush ruleset\n\n\
    [Install]\nWantedBy=sysinit.target\n";
const PERSISTENT_UNIT: &str = "[Unit]\nDescription=netfilter persistent configuration\nDefaultDependencies=no\n\
    Wants=network-pre.target systemd-modules-load.service local-fs.target\n\
    Before=network-pre.target shutdown.target\nAfter=systemd-modules-load.service local-fs.target\n\
    Conflicts=shutdown.target\nDocumentation=man:netfilter-persistent(8)\n\n[Service]\nType=oneshot\n\
    RemainAfterExit=yes\nExecStart=/usr/sbin/netfilter-persistent start\n\
    ExecStop=/usr/sbin/netfilter-persistent stop\n\n[Install]\nWantedBy=multi-user.target\n";
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
    of(Target::Nftables, files)
}

fn of(target: Target, files: &[(&str, &str)]) -> String {
    match boot(target, host(files).path()) {
        Boot::Loaded(unit) => format!("loaded by {unit}"),
        Boot::Not(why, _) => why,
        Boot::Unknown(why, _) => format!("unknown: {why}"),
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
        ("etc/systemd/system/multi-user.target.wants/firewalld.service", "-> /lib/systemd/system/firewalld.service"),
    ];
    let both = [&[unit, wants][..], &second].concat();
    assert_eq!(says(&both), "firewalld.service is enabled too, and loads rules of its own");
}
const LIB: &str = "usr/lib/systemd/system/nftables.service";
const DROP: &str = "etc/systemd/system/nftables.service.d/x.conf";

/// What is said of the unit of the distribution with more files.
fn with(more: &[(&str, &str)]) -> String {
    let stock = [(LIB, UNIT), (WANTS, "-> /usr/lib/systemd/system/nftables.service")];
    says(&[&stock[..], more].concat())
}

#[test]
fn e19_a_drop_in_that_is_not_known_to_be_harmless_leaves_it_open_what_is_loaded() {
    for (setting, section) in [
        ("ExecStartPost=/usr/sbin/nft flush ruleset", "Service"),
        ("ExecStart=/usr/sbin/nft flush ruleset", "Service"),
        ("ExecStart=/usr/sbin/nft -f /etc/nftables.conf", "Service"),
        ("ExecCondition=/bin/false", "Service"),
        ("ExecStartPre=/bin/false", "Service"),
        ("PrivateNetwork=yes", "Service"),
        ("NetworkNamespacePath=/run/netns/x", "Service"),
        ("RootDirectory=/srv", "Service"),
        ("BindReadOnlyPaths=/tmp/x:/etc/nftables.conf", "Service"),
        ("User=nobody", "Service"),
        ("TimeoutStartSec=1ms", "Service"),
        ("CapabilityBoundingSet=CAP_CHOWN", "Service"),
        ("ConditionPathExists=/nonexistent", "Unit"),
        ("AssertPathExists=/nonexistent", "Unit"),
        ("After=network.target", "Unit"),
        ("Requires=other.service", "Unit"),
        ("Conflicts=other.service", "Unit"),
    ] {
        let text = format!("# why\n[{section}]\n{setting}\n");
        let said = |file: &str| {
            let why = "unknown: whether nftables.service loads the rules and leaves them is not known, with";
            format!("{why} `{setting}` (/{file}:3)")
        };
        for file in [DROP, "lib/systemd/system/service.d/x.conf", "etc/systemd/system.control/service.d/y.conf"] {
            assert_eq!(with(&[(file, &text)]), said(file));
        }
    }
    for (harmless, section) in [
        ("ConditionPathExists=/nonexistent\nConditionUser=\n", "Unit"),
        ("ConditionPathExists=!/nonexistent\n[Unit]\nConditionPathExists=", "Unit"),
        ("User=nobody\nUser=", "Service"),
        ("PrivateNetwork=yes\nPrivateNetwork=no", "Service"),
        ("TimeoutStopFailureMode=abort", "Service"),
        ("Nonsense=1", "Install"),
        ("ExecStart=\nExecStart=-/sbin/nft -f \\\n# a comment\n  /etc/nftables.conf", "Service"),
    ] {
        assert_eq!(with(&[(DROP, &format!("[{section}]\n{harmless}\n"))]), "loaded by nftables.service", "{harmless}");
    }
    let off = [
        ("usr/lib/systemd/system/service.d/x.conf", "[Unit]\nConditionPathExists=/nonexistent\n"),
        ("etc/systemd/system/service.d/x.conf", "-> /dev/null"),
    ];
    assert_eq!(with(&off), "loaded by nftables.service");
    assert!(with(&[("etc/systemd/system/service.d/x.conf", "[Service]\nUser=nobody \\")]).starts_with("unknown"));
}

#[test]
fn e19_a_command_that_only_names_the_file_loads_nothing() {
    for command in [
        "/usr/sbin/nft -c -f /etc/nftables.conf",
        "/bin/echo /etc/nftables.conf",
        "/usr/local/bin/nft -f /etc/nftables.conf",
        "/usr/sbin/nft -f /etc/nftables.conf ; /usr/sbin/nft flush ruleset",
        "@/usr/sbin/nft -f /etc/nftables.conf",
        "",
    ] {
        let drop = format!("[Service]\nExecStart=\nExecStart={command}\n");
        let why = format!("nftables.service does not load /etc/nftables.conf: it runs `{command}`");
        assert_eq!(with(&[(DROP, &drop)]), why);
    }
    let simple = "nftables.service is not of `Type=oneshot`: the network does not wait until the rules are loaded";
    assert_eq!(with(&[(DROP, "[Service]\nType=simple\n")]), simple);
    let stopped = "nftables.service ends as soon as it has loaded the rules, and then runs \
        `ExecStop=/usr/sbin/nft flush ruleset` (/usr/lib/systemd/system/nftables.service:17)";
    assert_eq!(with(&[(DROP, "[Service]\nRemainAfterExit=no\n")]), stopped);
}

#[test]
fn e19_what_boot_does_not_start_loads_nothing() {
    let unit = (LIB, UNIT);
    let link = "-> /usr/lib/systemd/system/nftables.service";
    let foo = ("etc/systemd/system/foo.target.wants/nftables.service", link);
    let why = "nftables.service is enabled for foo.target, which boot does not start: nothing loads the rules";
    assert_eq!(says(&[unit, foo]), why);
    let pulled = ("etc/systemd/system/multi-user.target.wants/foo.target", "-> /lib/systemd/system/foo.target");
    assert_eq!(says(&[unit, foo, pulled]), "loaded by nftables.service");
    let runtime = ("run/systemd/system/sysinit.target.wants/nftables.service", link);
    assert_eq!(says(&[unit, runtime]), "nftables.service is not enabled: nothing loads the rules at boot");
    let many = ("etc/systemd/system/multi-user.target.wants/nftables.service", link);
    assert_eq!(says(&[unit, many]), "loaded by nftables.service");
    let rescue = ("etc/systemd/system/default.target", "-> /lib/systemd/system/rescue.target");
    let why = "nftables.service is enabled for multi-user.target, which boot does not start: nothing loads the rules";
    assert_eq!(says(&[unit, many, rescue]), why);
    let alone = UNIT.replace("Wants=network-pre.target\n", "");
    let why = "nothing starts network-pre.target, so that nothing waits for nftables.service: \
        the network is up before the rules are";
    assert_eq!(says(&[(LIB, &alone), many]), why);
}

#[test]
fn e19_another_unit_that_changes_rules_leaves_it_open_what_is_loaded() {
    let wants = ("etc/systemd/system/multi-user.target.wants/x.service", "-> /etc/systemd/system/x.service");
    let other = |text: &str| with(&[wants, ("etc/systemd/system/x.service", text)]);
    let said = |setting: &str| {
        let why = "unknown: boot starts what may change the rules that nftables.service has loaded: x.service has";
        format!("{why} `{setting}` (/etc/systemd/system/x.service:2)")
    };
    for setting in [
        "ExecStart=/usr/sbin/nft flush ruleset",
        "ExecStartPost=-/bin/sh -c 'iptables-legacy-restore <x'",
        "ExecStopPost=/sbin/ipset destroy",
    ] {
        assert_eq!(other(&format!("[Service]\n{setting}\n")), said(setting));
    }
    assert_eq!(other("[Unit]\nConflicts=nftables.service\n"), said("Conflicts=nftables.service"));
    for harmless in ["ExecStart=/usr/bin/portcullis verify --live live:nft", "ExecStart=/usr/bin/nftmon"] {
        assert_eq!(other(&format!("[Service]\n{harmless}\n")), "loaded by nftables.service");
    }
    let timer = [
        ("etc/systemd/system/timers.target.wants/y.timer", "-> /etc/systemd/system/y.timer"),
        ("etc/systemd/system/y.timer", "[Timer]\nOnBootSec=1\n"),
        ("etc/systemd/system/basic.target.wants/timers.target", "-> /lib/systemd/system/timers.target"),
        ("etc/systemd/system/y.service", "[Service]\nExecStart=nft flush ruleset\n"),
    ];
    assert!(with(&timer).ends_with(" y.service has `ExecStart=nft flush ruleset` (/etc/systemd/system/y.service:2)"));
}

#[test]
fn e19_what_loads_the_rules_of_iptables_is_looked_at_too() {
    let plugins = "usr/share/netfilter-persistent/plugins.d";
    let (four, six) = (format!("{plugins}/15-ip4tables"), format!("{plugins}/25-ip6tables"));
    let stock = [
        ("lib/systemd/system/netfilter-persistent.service", PERSISTENT_UNIT),
        (
            "etc/systemd/system/multi-user.target.wants/netfilter-persistent.service",
            "-> /lib/systemd/system/netfilter-persistent.service",
        ),
        (
            "lib/systemd/system/netfilter-persistent.service.d/iptables.conf",
            "[Install]\nAlias=iptables.service ip6tables.service\n",
        ),
        ("etc/systemd/system/iptables.service", "-> /lib/systemd/system/netfilter-persistent.service"),
        ("etc/default/netfilter-persistent", "# none\nFLUSH_ON_STOP=0\n\nIPTABLES_TEST_RULESET=yes\n"),
        (&four, "#!/bin/sh\n"),
    ];
    let says = |more: &[(&str, &str)]| of(Target::Iptables, &[&stock[..], more].concat());
    let six = (six.as_str(), "#!/bin/sh\n");
    assert_eq!(says(&[six]), "loaded by netfilter-persistent.service");
    assert_eq!(says(&[]), format!("netfilter-persistent.service loads nothing of one family: there is no /{}", six.0));
    let drop = "etc/systemd/system/iptables.service.d/x.conf";
    let runs = says(&[six, (drop, "[Service]\nExecStart=\nExecStart=/bin/true\n")]);
    let why = "netfilter-persistent.service does not load /etc/iptables/rules.v4 and /etc/iptables/rules.v6: \
        it runs `/bin/true`";
    assert_eq!(runs, why);
    let prefix = "etc/systemd/system/netfilter-.service.d/x.conf";
    assert!(says(&[six, (prefix, "[Service]\nPrivateNetwork=yes\n")]).starts_with("unknown"));
    let settings = ("etc/default/netfilter-persistent", "PLUGINS=/none\n");
    let why = "unknown: whether netfilter-persistent.service loads the rules is not known: \
        /etc/default/netfilter-persistent has `PLUGINS=/none`";
    assert_eq!(says(&[six, settings]), why);
}
