//! Whether `verify` notices what changes in a kernel: each command that changes what is meant is seen, and none that does
//! not. And what it says where it cannot see: in another namespace, as nobody, without the tool or with another one.

use crate::options::Share;
use crate::random::Random;
use crate::tally::Tally;
use crate::unlisted;
use crate::world::{run, tool};
use portcullis::cli::{self, Surroundings};
use serde_json::Value;
use std::path::Path;
use tempfile::TempDir;

/// The network namespace that is meant.
pub(crate) const HERE: [&str; 2] = ["--netns", "/proc/self/ns/net"];

/// Runs rulesets of their own until so many have been through every command.
pub(crate) fn proof(share: &Share, tally: &mut Tally) -> Result<(), String> {
    run("ip", &["link", "set", "lo", "up"], "")?;
    if share.first == 0 {
        // First: an older iptables that was ever asked in a namespace has tables there from then on.
        blind(tally)?;
        persisted(tally)?;
        filled(tally)?;
        disguised(tally)?;
        unlisted::proof(tally)?;
        incident(tally)?;
    }
    for number in share.first..share.first + share.count {
        let mut random = Random::new(share.seed + number);
        nftables(&mut random, tally)?;
        iptables(&mut random, tally)?;
    }
    Ok(())
}

/// Takes back what was done by the older iptables.
const OLDER: &str = "for tool in iptables-legacy ip6tables-legacy; do $tool -F; $tool -P FORWARD ACCEPT; done";

/// What is done to the kernel, and whether it means something else afterwards.
struct Mutant {
    kind: &'static str,
    changes: bool,
    script: String,
}

fn mutant(kind: &'static str, script: impl Into<String>) -> Mutant {
    Mutant { kind, changes: true, script: script.into() }
}

fn harmless(kind: &'static str, script: impl Into<String>) -> Mutant {
    Mutant { kind, changes: false, script: script.into() }
}

/// A host: what is expected of it, and how that is loaded.
struct Host<'h> {
    notation: &'static str,
    folder: &'h Path,
    arguments: &'h [&'h str],
    load: &'h str,
}

impl Host<'_> {
    fn verify(&self) -> (u8, String) {
        verify(self.folder, self.arguments)
    }

    /// Lets each mutant loose on a kernel that is as expected.
    fn withstand(&self, mutants: &[Mutant], tally: &mut Tally) -> Result<(), String> {
        for Mutant { kind, changes, script } in mutants {
            sh(self.folder, self.load)?;
            let (code, text) = self.verify();
            if code != 0 {
                return Err(format!("what was just loaded is not what is expected, {code}:\n{text}"));
            }
            sh(self.folder, script)?;
            let (code, text) = self.verify();
            let right = code == if *changes { 4 } else { 0 };
            let what = if *changes { "changes" } else { "that change nothing" };
            tally.add(if right { "passed" } else { "failed" }, 1);
            let told = if code == 0 { "not reported" } else { "reported" };
            tally.add(&format!("verify/{} {what}, {told}: {kind}", self.notation), 1);
            if !right {
                println!("FAILED: {} {kind}: exit code {code} after\n{script}\n{text}", self.notation);
            }
        }
        sh(self.folder, "nft flush ruleset")
    }
}

pub(crate) fn verify(folder: &Path, arguments: &[&str]) -> (u8, String) {
    let surroundings = Surroundings { folder: folder.to_owned(), ..Surroundings::default() };
    let (mut out, mut talk) = (Vec::new(), Vec::new());
    let arguments = ["portcullis", "verify"].iter().chain(arguments).map(std::ffi::OsString::from);
    let code = cli::run(&surroundings, arguments, &mut out, &mut talk);
    (code, String::from_utf8_lossy(&[out, talk].concat()).into_owned())
}

pub(crate) fn sh(folder: &Path, script: &str) -> Result<(), String> {
    let script = format!("cd '{}'\n{script}", folder.display());
    run("sh", &["-eu"], &script).map(drop).map_err(|why| format!("{script}\n{why}"))
}

pub(crate) fn write(folder: &Path, name: &str, text: &str) -> Result<(), String> {
    std::fs::write(folder.join(name), text).map_err(|why| format!("{name}: {why}"))
}

/// Different ports, in the order in which they were drawn.
fn ports(random: &mut Random, count: usize) -> Vec<usize> {
    let mut ports = Vec::new();
    while ports.len() < count {
        let port = 1024 + random.below(30_000);
        if !ports.contains(&port) {
            ports.push(port);
        }
    }
    ports
}

fn nftables(random: &mut Random, tally: &mut Tally) -> Result<(), String> {
    let folder = TempDir::new().map_err(|why| why.to_string())?;
    let ports = ports(random, 8);
    let [a, b, c, d, e, f, free, other] = ports.as_slice() else { return Err("too few ports".to_owned()) };
    let net = random.below(200);
    let ruleset = format!(
        "flush ruleset
table inet early {{
	chain pre {{
		type filter hook prerouting priority mangle; policy accept;
		ct state invalid counter drop
	}}
}}
table inet filter {{
	set allow {{
		type ipv4_addr
		flags interval
		elements = {{ 10.{net}.0.0/16, 192.0.2.7, 198.51.100.0-198.51.100.9 }}
	}}
	map ways {{
		type inet_service : verdict
		elements = {{ {c} : accept, {d} : jump more }}
	}}
	chain input {{
		type filter hook input priority filter; policy drop;
		ct state established,related counter accept
		iif lo counter accept
		tcp dport {a} ip saddr @allow accept
		tcp dport {b} ip saddr 203.0.113.{net} drop
		tcp dport {b} accept
		udp dport vmap @ways
	}}
	chain more {{
		ip saddr 10.0.{net}.0/24 accept
		ip6 saddr 2001:db8:{net}::/48 accept
	}}
	chain forward {{
		type filter hook forward priority filter; policy drop;
		tcp dport {{ {e}, {f} }} ct state new counter accept
	}}
}}
"
    );
    write(folder.path(), "web.nft", &ruleset)?;
    let arguments = [&["--expected", "web.nft", "--live", "live:nft"][..], &HERE].concat();
    let host = Host {
        notation: "nft",
        folder: folder.path(),
        arguments: &arguments,
        load: &format!("{OLDER}\nnft -f web.nft"),
    };
    sh(folder.path(), "nft -f web.nft")?;
    let mut mutants = Vec::new();
    for (table, chain, handle) in rules()? {
        let at = format!("{table} {chain} handle {handle}");
        let new = format!("tcp dport {free} accept");
        let new = match chain.as_str() {
            "more" => "accept",
            "pre" => "tcp dport 1 drop",
            _ => &new,
        };
        mutants.push(mutant("delete", format!("nft delete rule {at}")));
        mutants.push(mutant("insert", format!("nft insert rule {at} {new}")));
        mutants.push(mutant("add", format!("nft add rule {at} {new}")));
        mutants.push(mutant("replace", format!("nft replace rule {at} {new}")));
        mutants.push(harmless(
            "a rule that comes and goes",
            format!("nft insert rule {table} {chain} {new}\nnft delete rule {table} {chain} handle $(nft -a list chain {table} {chain} | sed -n 's/.* # handle //p' | sed -n 2p)"),
        ));
    }
    let chains = [("inet early", "pre"), ("inet filter", "input"), ("inet filter", "forward")];
    for (table, chain) in chains {
        let policy = if chain == "pre" { "drop" } else { "accept" };
        mutants.push(mutant("policy", format!("nft chain {table} {chain} '{{ policy {policy}; }}'")));
        mutants.push(mutant("flush", format!("nft flush chain {table} {chain}")));
        mutants.push(mutant(
            "delete a chain",
            format!("nft flush chain {table} {chain}\nnft delete chain {table} {chain}"),
        ));
    }
    for (kind, script) in [
        ("flush", "nft flush chain inet filter more".to_owned()),
        ("flush", "nft flush table inet filter".to_owned()),
        ("flush", "nft flush ruleset".to_owned()),
        ("flush", "nft flush set inet filter allow".to_owned()),
        ("flush", "nft flush map inet filter ways".to_owned()),
        ("delete a table", "nft delete table inet filter".to_owned()),
        ("delete a table", "nft delete table inet early".to_owned()),
        ("set element", "nft delete element inet filter allow '{ 192.0.2.7 }'".to_owned()),
        ("set element", format!("nft delete element inet filter allow '{{ 10.{net}.0.0/16 }}'")),
        ("set element", "nft add element inet filter allow '{ 192.0.2.8 }'".to_owned()),
        ("set element", "nft add element inet filter allow '{ 0.0.0.0/8 }'".to_owned()),
        ("map element", format!("nft delete element inet filter ways '{{ {c} }}'")),
        ("map element", format!("nft add element inet filter ways '{{ {free} : accept }}'")),
        (
            "map element",
            format!("nft delete element inet filter ways '{{ {d} }}'\nnft add element inet filter ways '{{ {d} : drop }}'"),
        ),
        ("reorder", moved("insert", &format!("tcp dport {b} accept"))),
        ("reorder", moved("add", &format!("tcp dport {b} ip saddr 203.0.113.{net} drop"))),
        (
            "priority",
            "nft delete chain inet early pre\nnft add chain inet early pre '{ type filter hook prerouting priority raw; }'\n\
             nft add rule inet early pre ct state invalid counter drop"
                .to_owned(),
        ),
        (
            "hook",
            "nft delete chain inet early pre\nnft add chain inet early pre '{ type filter hook output priority mangle; }'\n\
             nft add rule inet early pre ct state invalid counter drop"
                .to_owned(),
        ),
        ("foreign table", "nft add table ip docker".to_owned()),
        ("foreign table", foreign("ip", "input", "-300", &format!("tcp dport {a} drop"))),
        ("foreign table", foreign("inet", "prerouting", "-400", "meta nfproto ipv6 drop")),
        ("foreign table", foreign("ip6", "forward", "200", "counter")),
        ("foreign table", foreign("bridge", "forward", "0", "drop")),
        ("dormant table", "nft -f - <<'X'\nadd table inet filter { flags dormant; }\nX".to_owned()),
        ("rules of the older iptables", format!("iptables-legacy -A INPUT -p tcp --dport {other} -j DROP")),
    ] {
        mutants.push(mutant(kind, script));
    }
    let swapped = format!("10.{net}.0.0/16, 192.0.2.7, 198.51.100.0-198.51.100.9");
    for (kind, script) in [
        ("reload", "nft -f web.nft".to_owned()),
        ("handles", "nft -f web.nft\nnft -f web.nft\nnft -f web.nft".to_owned()),
        ("counters", "bash -c 'echo x > /dev/udp/127.0.0.1/9'".to_owned()),
        ("counters", "nft reset counters > /dev/null".to_owned()),
        (
            "order of elements",
            format!(
                "nft flush set inet filter allow\nnft add element inet filter allow '{{ 198.51.100.0-198.51.100.9 }}'\nnft add element inet filter allow '{{ {swapped} }}'"
            ),
        ),
        (
            "an element that goes and comes",
            format!(
                "nft delete element inet filter ways '{{ {c} }}'\nnft add element inet filter ways '{{ {c} : accept }}'"
            ),
        ),
        ("an empty legacy table", "iptables-legacy -L -n > /dev/null".to_owned()),
    ] {
        mutants.push(harmless(kind, script));
    }
    host.withstand(&mutants, tally)
}

/// A rule of the chain `input` at its beginning or end, and not where it was.
fn moved(how: &str, rule: &str) -> String {
    let handle = format!("nft -a list chain inet filter input | sed -n 's/.*{rule} # handle //p' | head -1");
    format!("old=$({handle})\nnft {how} rule inet filter input {rule}\nnft delete rule inet filter input handle $old")
}

fn foreign(family: &str, hook: &str, priority: &str, rule: &str) -> String {
    format!(
        "nft -f - <<'X'\ntable {family} theirs {{\n\tchain c {{\n\t\ttype filter hook {hook} priority {priority}; policy accept;\n\
         \t\t{rule}\n\t}}\n}}\nX"
    )
}

/// Table, chain and handle of every rule that is in force.
fn rules() -> Result<Vec<(String, String, u64)>, String> {
    let listing = run("nft", &["-j", "-a", "list", "ruleset"], "")?;
    let listing: Value = serde_json::from_str(&listing).map_err(|why| why.to_string())?;
    let items = listing["nftables"].as_array().ok_or("no listing")?;
    let rule = |item: &Value| {
        let rule = item.get("rule")?;
        let table = format!("{} {}", rule["family"].as_str()?, rule["table"].as_str()?);
        Some((table, rule["chain"].as_str()?.to_owned(), rule["handle"].as_u64()?))
    };
    Ok(items.iter().filter_map(rule).collect())
}

fn iptables(random: &mut Random, tally: &mut Tally) -> Result<(), String> {
    let folder = TempDir::new().map_err(|why| why.to_string())?;
    let ports = ports(random, 5);
    let [a, b, c, free, other] = ports.as_slice() else { return Err("too few ports".to_owned()) };
    let rules = |host: &str, net: &str| {
        format!(
            "*filter\n:INPUT DROP [0:0]\n:FORWARD DROP [0:0]\n:OUTPUT ACCEPT [0:0]\n:MORE - [0:0]\n\
             -A INPUT -i lo -j ACCEPT\n-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\n\
             -A INPUT -s {host} -p tcp -m tcp --dport {a} -j DROP\n-A INPUT -p tcp -m tcp --dport {a} -j ACCEPT\n\
             -A INPUT -p udp -m multiport --dports {b},{c} -j MORE\n-A FORWARD -p tcp -m tcp --dport {b} -j ACCEPT\n\
             -A MORE -s {net} -j ACCEPT\nCOMMIT\n"
        )
    };
    write(folder.path(), "rules.v4", &rules("203.0.113.7/32", "10.0.0.0/8"))?;
    write(folder.path(), "rules.v6", &rules("2001:db8::7/128", "2001:db8:1::/48"))?;
    let expected = ["--expected", "rules.v4", "--expected", "rules.v6", "--live", "live:iptables"];
    let arguments = [&expected[..], &HERE].concat();
    let load = &format!("{OLDER}\nnft flush ruleset\niptables-restore rules.v4\nip6tables-restore rules.v6");
    let host = Host { notation: "iptables", folder: folder.path(), arguments: &arguments, load };
    let mut mutants = Vec::new();
    for (program, address) in [("iptables", "203.0.113.7/32"), ("ip6tables", "2001:db8::7/128")] {
        for (chain, count) in [("INPUT", 5), ("FORWARD", 1), ("MORE", 1)] {
            let new = if chain == "MORE" { "-j ACCEPT".to_owned() } else { format!("-p tcp --dport {free} -j ACCEPT") };
            for number in 1..=count {
                mutants.push(mutant("delete", format!("{program} -D {chain} {number}")));
                mutants.push(mutant("insert", format!("{program} -I {chain} {number} {new}")));
                mutants.push(mutant("replace", format!("{program} -R {chain} {number} {new}")));
            }
            mutants.push(mutant("add", format!("{program} -A {chain} {new}")));
            mutants.push(mutant("flush", format!("{program} -F {chain}")));
            mutants.push(harmless(
                "a rule that comes and goes",
                format!("{program} -I {chain} {new}\n{program} -D {chain} 1"),
            ));
        }
        let drop = format!("-s {address} -p tcp --dport {a} -j DROP");
        for (kind, script) in [
            ("policy", format!("{program} -P INPUT ACCEPT")),
            ("policy", format!("{program} -P FORWARD ACCEPT")),
            ("policy", format!("{program} -P OUTPUT DROP")),
            ("flush", format!("{program} -F")),
            ("reorder", format!("{program} -D INPUT {drop}\n{program} -A INPUT {drop}")),
            ("another table", format!("{program} -t raw -A PREROUTING -p tcp --dport {other} -j DROP")),
            ("another table", format!("{program} -t mangle -A INPUT -p tcp --dport {a} -j DROP")),
            ("a chain of others", format!("{program} -N DOCKER\n{program} -I INPUT -j DOCKER")),
            ("rules of the older iptables", format!("{program}-legacy -P FORWARD DROP")),
        ] {
            mutants.push(mutant(kind, script));
        }
        for (kind, script) in [
            ("reload", format!("{program}-restore rules.v{}", if program == "iptables" { 4 } else { 6 })),
            ("reload", format!("{program}-save > saved\n{program}-restore saved")),
            ("counters", format!("{program} -Z")),
        ] {
            mutants.push(harmless(kind, script));
        }
    }
    for (kind, script) in [
        ("flush", "nft flush ruleset".to_owned()),
        ("foreign table", "nft add table inet theirs".to_owned()),
        ("foreign table", foreign("inet", "input", "-300", &format!("tcp dport {a} drop"))),
        ("foreign table", foreign("ip", "forward", "10", "drop")),
    ] {
        mutants.push(mutant(kind, script));
    }
    mutants.push(harmless("counters", "bash -c 'echo x > /dev/udp/127.0.0.1/9'"));
    host.withstand(&mutants, tally)
}

/// Where nothing can be seen, nothing is verified.
fn blind(tally: &mut Tally) -> Result<(), String> {
    let folder = TempDir::new().map_err(|why| why.to_string())?;
    write(
        folder.path(),
        "web.nft",
        "table inet filter {\n\tchain input {\n\t\ttype filter hook input priority 0; policy drop;\n\t}\n}\n",
    )?;
    sh(folder.path(), "chmod 755 . && nft -f web.nft")?;
    let me = env!("CARGO_BIN_EXE_portcullis");
    let expected = format!("{me} verify --expected web.nft --live live:nft");
    let here = format!("{expected} --netns /proc/self/ns/net");
    let hidden = |what: &str| format!("unshare --mount sh -c 'mount -t tmpfs -o mode=755 none /usr/sbin && {what}'");
    let fake = "printf \"#!/bin/sh\\nexit 0\\n\" > /usr/sbin/nft && chmod 755 /usr/sbin/nft";
    for (what, script, code) in [
        ("the host's own namespace", here.clone(), 0),
        ("another network namespace", expected, 3),
        ("an empty network namespace", format!("unshare --net {here}"), 4),
        ("as nobody", format!("setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps=-all {here}"), 3),
        ("without the tool", hidden(&here), 3),
        (
            "a tool in the path",
            format!(
                "mkdir -p bin && printf '#!/bin/sh\\nexit 0\\n' > bin/nft && chmod 755 bin/nft && PATH=$PWD/bin:$PATH {here}"
            ),
            0,
        ),
        ("a tool that answers success and shows nothing", hidden(&format!("{fake} && {here}")), 4),
        ("a tool that others can write", hidden(&format!("{fake} && chmod 777 /usr/sbin/nft && {here}")), 3),
        ("a tool of another user", hidden(&format!("{fake} && chown 65534 /usr/sbin/nft && {here}")), 3),
    ] {
        let ended = ended(folder.path(), &script)?;
        tally.add(if ended.0 == Some(code) { "passed" } else { "failed" }, 1);
        tally.add("verify/situations in which little or nothing can be seen", 1);
        if ended.0 != Some(code) {
            println!("FAILED: verify {what}: {:?} instead of {code}: {}", ended.0, ended.1);
        }
    }
    sh(folder.path(), "nft flush ruleset")
}

/// What is in force is one thing, what a reboot would load another.
fn persisted(tally: &mut Tally) -> Result<(), String> {
    let folder = TempDir::new().map_err(|why| why.to_string())?;
    let rules = "table inet filter {\n\tchain input {\n\t\ttype filter hook input priority 0; policy drop;\n\t\ttcp dport 22 accept\n\t}\n}\n";
    write(folder.path(), "web.nft", rules)?;
    let unit = |command: &str| {
        let unit = "[Unit]\nWants=network-pre.target\nBefore=network-pre.target\n[Service]\nType=oneshot\nExecStart=";
        format!("{unit}{command}\n")
    };
    write(folder.path(), "nft.unit", &unit("/usr/sbin/nft -f /etc/nftables.conf"))?;
    write(folder.path(), "iptables.unit", &unit("/usr/sbin/netfilter-persistent start"))?;
    sh(
        folder.path(),
        "mkdir -p etc/systemd/system/sysinit.target.wants lib/systemd/system etc/iptables\n\
         cp nft.unit lib/systemd/system/nftables.service\n\
         cp iptables.unit lib/systemd/system/netfilter-persistent.service\n\
         mkdir -p usr/share/netfilter-persistent/plugins.d etc/systemd/system/nftables.service.d\n\
         touch usr/share/netfilter-persistent/plugins.d/15-ip4tables usr/share/netfilter-persistent/plugins.d/25-ip6tables\n\
         ln -s /lib/systemd/system/nftables.service etc/systemd/system/sysinit.target.wants/\n\
         nft -f web.nft",
    )?;
    let save = "{ echo 'flush ruleset'; nft list ruleset; } > etc/nftables.conf";
    let nft = [&["--expected", "web.nft", "--live", "live:nft", "--persisted", "--root", "."][..], &HERE].concat();
    for (what, script, code) in [
        ("nothing was kept", "", 4),
        ("what was kept is what is expected", save, 0),
        ("what was kept is old", "sed -i 's/dport 22/dport 23/' etc/nftables.conf", 4),
        ("what was kept does not load", "echo 'table inet {' > etc/nftables.conf", 3),
        ("what was kept is empty", ": > etc/nftables.conf", 4),
        (
            "what was kept includes the rest",
            "cp web.nft etc/more.nft\necho \"include \\\"$PWD/etc/more.nft\\\"\" > etc/nftables.conf",
            0,
        ),
        (
            "the unit flushes them afterwards",
            "printf '[Service]\\nExecStartPost=/usr/sbin/nft flush ruleset\\n' > etc/systemd/system/nftables.service.d/x.conf",
            3,
        ),
        (
            "the unit only checks them",
            "printf '[Service]\\nExecStart=\\nExecStart=/usr/sbin/nft -c -f /etc/nftables.conf\\n' > etc/systemd/system/nftables.service.d/x.conf",
            4,
        ),
        ("the unit is as it was", "rm etc/systemd/system/nftables.service.d/x.conf", 0),
        ("the unit is not enabled", "rm etc/systemd/system/sysinit.target.wants/*", 4),
    ] {
        sh(folder.path(), script)?;
        expect(what, verify(folder.path(), &nft), code, tally);
    }
    let saved = "*filter\n:INPUT DROP [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT\nCOMMIT\n";
    write(folder.path(), "rules.v4", saved)?;
    write(folder.path(), "rules.v6", saved)?;
    let both =
        ["--expected", "rules.v4", "--expected", "rules.v6", "--live", "live:iptables", "--persisted", "--root", "."];
    let both = [&both[..], &HERE].concat();
    for (what, script, code) in [
        (
            "only one family was kept",
            "nft flush ruleset\niptables-restore rules.v4\nip6tables-restore rules.v6\ncp rules.v4 etc/iptables/\n\
             ln -s /lib/systemd/system/netfilter-persistent.service etc/systemd/system/sysinit.target.wants/",
            4,
        ),
        ("both were kept", "cp rules.v6 etc/iptables/", 0),
    ] {
        sh(folder.path(), script)?;
        expect(what, verify(folder.path(), &both), code, tally);
    }
    sh(folder.path(), "nft flush ruleset")
}

pub(crate) fn expect(what: &str, (ended, text): (u8, String), code: u8, tally: &mut Tally) {
    tally.add(if ended == code { "passed" } else { "failed" }, 1);
    tally.add("verify/states of what is kept for the next boot", 1);
    if ended != code {
        println!("FAILED: verify where {what}: exit code {ended} instead of {code}:\n{text}");
    }
}

/// The incident as it was: the agent says success, and the kernel has no rule.
fn incident(tally: &mut Tally) -> Result<(), String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/incidents/wayscloud");
    let expected = ["--expected", "expected/redis.rules", "--live", "live:iptables"];
    let arguments = [&expected[..], &HERE].concat();
    let agent = || run("bash", &[&folder.join("agent/agent.sh").display().to_string()], "");
    let answer = std::fs::read_to_string(folder.join("agent/answer.json")).map_err(|why| why.to_string())?;
    sh(&folder, "nft flush ruleset")?;
    for (with, code) in [("", 4), ("iptables -A INPUT -p tcp --dport 6379 -m comment --comment redis-allow -j DROP", 0)]
    {
        sh(&folder, with)?;
        let said = agent()?;
        let (ended, text) = verify(&folder, &arguments);
        let right = said == answer && ended == code;
        tally.add(if right { "passed" } else { "failed" }, 1);
        tally.add("verify/runs of an agent that always answers success", 1);
        if !right {
            println!("FAILED: verify of an agent that says {said}: exit code {ended} instead of {code}:\n{text}");
        }
    }
    sh(&folder, "nft flush ruleset")?;
    // The demonstration: as root live, and the rules here are not touched; otherwise as it was recorded.
    let me = env!("CARGO_BIN_EXE_portcullis");
    let live = "live in a network namespace of its own";
    for (script, how) in [
        (format!("{me} demo"), live),
        (format!("setpriv --reuid=65534 --clear-groups -- {me} demo"), "a recorded run (nothing is touched here: "),
        (
            format!("setpriv --bounding-set=-sys_admin --inh-caps=-sys_admin -- {me} demo"),
            "a recorded run (nothing is touched here: ",
        ),
        (
            format!("mount -t tmpfs none /usr/sbin\n{me} demo"),
            "a recorded run (nothing is touched here: there is no `nft`",
        ),
    ] {
        let script = format!("unshare --mount --propagation private -- sh -euc '{script}'\nnft list ruleset");
        let (code, said) = ended(&folder, &script)?;
        let end = "11 of 11 replays of 5 incidents stopped.\n";
        let right =
            code == Some(0) && said.contains(how) && said.ends_with(end) && (how == live) == said.contains(live);
        tally.add(if right { "passed" } else { "failed" }, 1);
        tally.add("verify/demonstrations, live and recorded", 1);
        if !right {
            println!("FAILED: {script}: {code:?}\n{said}");
        }
    }
    Ok(())
}

/// Sets that rules add to hold what packets have brought: that is no difference, and anything else is.
fn filled(tally: &mut Tally) -> Result<(), String> {
    let folder = TempDir::new().map_err(|why| why.to_string())?;
    let rules = "table inet filter {\n\tset seen {\n\t\ttype inet_service\n\t\tsize 1000\n\t\tflags dynamic,timeout\n\t\ttimeout 1m\n\
        \t}\n\tset idle {\n\t\ttype inet_service\n\t\tflags dynamic\n\t}\n\tset fixed {\n\t\ttype inet_service\n\t\telements = { 22 }\n\t}\n\tchain input {\n\
        \t\ttype filter hook input priority 0; policy drop;\n\t\tiif lo udp dport 9 add @seen { udp sport } accept\n\
        \t\tudp sport @seen accept\n\t\ttcp dport @fixed accept\n\t\ttcp sport @idle accept\n\t}\n}\n";
    write(folder.path(), "web.nft", rules)?;
    let arguments = [&["--expected", "web.nft", "--live", "live:nft"][..], &HERE].concat();
    let brought = "bash -c 'for n in 1 2 3; do echo x > /dev/udp/127.0.0.1/9; done'\n\
        nft list set inet filter seen | grep -q elements";
    for (what, script, code) in [
        ("what packets bring", brought, 0),
        ("an element of a set that no rule adds to", "nft add element inet filter fixed '{ 23 }'", 4),
        ("a set that lost an element", "nft flush set inet filter fixed", 4),
        (
            "an element of a set that packets could fill, and no rule adds to",
            "nft add element inet filter idle '{ 23 }'",
            4,
        ),
    ] {
        sh(folder.path(), &format!("nft flush ruleset\nnft -f web.nft\n{script}"))?;
        expect(what, verify(folder.path(), &arguments), code, tally);
        sh(folder.path(), "nft -j list ruleset > dump.json")?;
        let dumped = ["--expected", "web.nft", "--live", "dump.json"];
        expect(&format!("{what}, in JSON"), verify(folder.path(), &dumped), code, tally);
    }
    write(folder.path(), "marks.nft", &rules.replace("tcp dport @fixed", "meta mark 5"))?;
    let arguments = [&["--expected", "marks.nft", "--live", "live:nft", "--foreign", "ip d"][..], &HERE].concat();
    for (what, rule, code) in [("counts", "counter", 0), ("sets the marks that are read", "meta mark set 5", 4)] {
        let table = format!("table ip d {{ chain p {{ type filter hook prerouting priority -300; {rule}; }}; }}");
        sh(folder.path(), &format!("nft flush ruleset\nnft -f marks.nft\nnft '{table}'"))?;
        expect(&format!("a table of others {what}"), verify(folder.path(), &arguments), code, tally);
    }
    sh(folder.path(), "nft flush ruleset")
}

/// `iptables-save` shows rules that `nft` has made as something else than they are.
fn disguised(tally: &mut Tally) -> Result<(), String> {
    let folder = TempDir::new().map_err(|why| why.to_string())?;
    let rules = "*filter\n:INPUT DROP [0:0]\n:FORWARD DROP [0:0]\n:OUTPUT ACCEPT [0:0]\n:USER - [0:0]\n\
        -A INPUT -p tcp -m tcp --dport 22 -j ACCEPT\n-A INPUT -m comment --comment \"to the rest\" -j USER\n\
        -A USER -m limit --limit 3/second -j ACCEPT\nCOMMIT\n";
    write(folder.path(), "rules.v4", rules)?;
    write(folder.path(), "rules.v6", &rules.replace("22", "23"))?;
    let both = ["--expected", "rules.v4", "--expected", "rules.v6", "--live", "live:iptables"];
    let arguments = [&both[..], &HERE].concat();
    let load = "nft flush ruleset\niptables-restore rules.v4\nip6tables-restore rules.v6";
    let instead = |rule: &str| format!("iptables -D INPUT 1\nnft 'insert rule ip filter INPUT {rule}'");
    for (what, script, code) in [
        ("is what iptables has made", String::new(), 0),
        ("is the same, made by nft", instead("tcp dport 22 accept"), 0),
        ("has a condition that is not shown", instead("tcp dport 22 tcp sequence 7 accept"), 3),
        ("has a raw condition that is not shown", instead("@ll,0,8 3 tcp dport 22 accept"), 3),
    ] {
        sh(folder.path(), &format!("{load}\n{script}"))?;
        expect(&format!("a rule of iptables {what}"), verify(folder.path(), &arguments), code, tally);
    }
    sh(folder.path(), "nft flush ruleset")
}

/// How a script ends, and what it says.
fn ended(folder: &Path, script: &str) -> Result<(Option<u8>, String), String> {
    let output = tool("sh").args(["-c", script]).current_dir(folder).output().map_err(|why| why.to_string())?;
    let code = output.status.code().and_then(|code| u8::try_from(code).ok());
    Ok((code, String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()))
}
