//! What `apply` leaves behind when it is killed at every step, when disks are full or read-only, when somebody else
//! writes, and when the programs that load rules lie: the old state or the new one, and an exit code that says which.
//! Packets flow all the while: none is lost that both states let in, and none comes in that neither does.

use crate::hosts;
use crate::options::Share;
use crate::stream::{Flowed, Pace, Stream};
use crate::tally::Tally;
use crate::world::{run, tool};
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// What is counted as a place to be killed at: the calls by which the state of anything changes.
const CALLS: &str =
    "trace=write,fsync,rename,link,linkat,unlink,unlinkat,clone,clone3,vfork,flock,mkdir,kill,wait4,fchmod";
/// How long a change may take to be taken back.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs the faults of a share.
pub(crate) fn proof(share: &Share, tally: &mut Tally) -> Result<(), String> {
    run("ip", &["link", "set", "lo", "up"], "")?;
    // From the first packet on there are rules.
    run("nft", &["-f", "-"], OLD)?;
    if share.first == 0 {
        // A program that flushes and says that it did not opens the host until that is seen and taken back.
        let stream = Stream::start(Pace::Steady)?;
        Site::new(Notation::Nft)?.e13_e20_liars(tally)?;
        let Flowed { sent, lost, leaked } = stream.end()?;
        tally.add("apply/packets that had to pass while programs lied", sent);
        tally.add("apply/of them lost until that was seen and taken back", lost);
        tally.add("apply/packets that came in until then and must not", leaked);
        // It goes by itself with the namespace of the sender, sooner or later.
        drop(run("ip", &["link", "del", "h0"], ""));
    }
    if share.first == 1 {
        hosts::proof(tally)?;
    }
    withstand(Notation::Nft, share, tally)?;
    // It goes by itself with the namespace of the sender, sooner or later.
    drop(run("ip", &["link", "del", "h0"], ""));
    run("nft", &["flush", "ruleset"], "")?;
    withstand(Notation::Iptables, share, tally)
}

/// Everything that goes wrong without anybody lying, while packets flow.
fn withstand(notation: Notation, share: &Share, tally: &mut Tally) -> Result<(), String> {
    if notation == Notation::Iptables {
        let old = SAVED.replace("RULES", RULES[0]);
        run("iptables-restore", &[], &old)?;
        run("ip6tables-restore", &[], &old)?;
    }
    if share.first == 1 {
        flooded(notation, share, tally)?;
    }
    let stream = Stream::start(Pace::Steady)?;
    let site = Site::new(notation)?;
    if share.first == 0 {
        site.usual(tally)?;
        site.faults(share, tally)?;
        site.e11_writers(tally)?;
    }
    if share.first == 1 && notation == Notation::Iptables {
        site.e13_families(tally)?;
    }
    site.e21_killed(share, tally)?;
    let Flowed { sent, lost, leaked } = stream.end()?;
    tally.add("apply/packets that had to pass", sent);
    tally.add("apply/of them lost", lost);
    tally.add("apply/packets that came in and must not", leaked);
    tally.add(if lost == 0 && leaked == 0 { "passed" } else { "failed" }, 1);
    if lost + leaked > 0 {
        println!("FAILED: apply: of {sent} packets {lost} were lost, and {leaked} came in that must not");
    }
    Ok(())
}

/// While as many packets are sent as this machine can, of which none may come in, a change comes and goes.
fn flooded(notation: Notation, share: &Share, tally: &mut Tally) -> Result<(), String> {
    let stream = Stream::start(Pace::Flood)?;
    let site = Site::new(notation)?;
    for _ in 0..if share.long { 20 } else { 6 } {
        let left = site.apply("", "--probe false")?;
        site.judge("in a flood", &left, &[4], tally);
    }
    let Flowed { sent, lost: _, leaked } = stream.end()?;
    tally.add("apply/packets of a flood that must not come in", sent);
    tally.add("apply/of them came in", leaked);
    tally.add(if leaked == 0 { "passed" } else { "failed" }, 1);
    if leaked > 0 {
        println!("FAILED: apply: of a flood of {sent} packets {leaked} came in that must not");
    }
    // It goes by itself with the namespace of the sender, sooner or later.
    drop(run("ip", &["link", "del", "h0"], ""));
    Ok(())
}

const POLICY: &str = "version: 1\nconfigurations:\n  web: {files: [\"web.nft\"]}\nchecks:\n  - {check: default-action, filters: [\"web/input\"], must_be: deny}\n";
/// The last rule says what the policy says, since `nft` itself loads it: Linux enforces the policy of a chain that is made anew a
/// moment after its rules.
const OLD: &str = "table inet filter {
	chain input {
		type filter hook input priority filter; policy drop;
		iif \"lo\" accept
		udp dport 7000 accept
		tcp dport 22 accept
		drop
	}
}
";
const NEW: &str = "flush ruleset
define web = { 80, 443 }
include \"common.nft\"
table inet filter {
	chain input {
		type filter hook input priority filter; policy drop;
		iif \"lo\" accept
		iif \"h0\" udp dport 7000 accept
		tcp dport $web ip saddr @office accept
	}
}
";
const COMMON: &str = "table inet filter {
	set office {
		type ipv4_addr
		flags interval
		elements = { 192.0.2.0/24, 198.51.100.0/25 }
	}
}
";

const POLICY_IPTABLES: &str = "version: 1\nconfigurations:\n  web: {files: [\"rules.v4\", \"rules.v6\"]}\nchecks:\n  - {check: default-action, filters: [\"web/input\"], must_be: deny}\n";
/// What lets the packets in, of which none may be lost, in either state. The old one ends as `OLD` does, and why.
const RULES: [&str; 2] = [
    "-A INPUT -i lo -j ACCEPT\n-A INPUT -p udp -m udp --dport 7000 -j ACCEPT\n-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT\n\
     -A INPUT -j DROP\n",
    "-A INPUT -i lo -j ACCEPT\n-A INPUT -i h0 -p udp -m udp --dport 7000 -j ACCEPT\n-A INPUT -p tcp -m multiport --dports 80,443 -j ACCEPT\n",
];
const SAVED: &str = "*filter\n:INPUT DROP [0:0]\n:FORWARD DROP [0:0]\n:OUTPUT ACCEPT [0:0]\nRULESCOMMIT\n";

/// What the rules of a host are written in.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Notation {
    Nft,
    Iptables,
}

/// A host in this namespace.
pub(crate) struct Site {
    pub(crate) notation: Notation,
    pub(crate) folder: TempDir,
    /// The listing of each state, and the file that a reboot loads.
    old: (String, String),
    new: (String, String),
}

/// What a run left behind.
pub(crate) struct Left {
    pub(crate) code: Option<i32>,
    pub(crate) said: String,
    pub(crate) rules: String,
    pub(crate) kept: String,
}

impl Site {
    fn new(notation: Notation) -> Result<Self, String> {
        let folder = TempDir::new().map_err(|why| why.to_string())?;
        let mut site = Self { notation, folder, old: Default::default(), new: Default::default() };
        for path in ["tree", "root/etc", "fake"] {
            fs::create_dir_all(site.path(path)).map_err(|why| why.to_string())?;
        }
        let [old, new] = RULES.map(|rules| SAVED.replace("RULES", rules));
        let files: &[(&str, &str)] = match notation {
            Notation::Nft => {
                &[("policy.yaml", POLICY), ("tree/web.nft", NEW), ("tree/common.nft", COMMON), ("old.nft", OLD)]
            }
            Notation::Iptables => &[
                ("policy.yaml", POLICY_IPTABLES),
                ("tree/rules.v4", &new),
                ("tree/rules.v6", &new),
                ("old.rules", &old),
            ],
        };
        for (path, text) in files {
            fs::write(site.path(path), text).map_err(|why| why.to_string())?;
        }
        site.reset()?;
        site.old = (site.rules()?, site.kept()?);
        let left = site.apply("", "")?;
        site.new = (site.rules()?, site.kept()?);
        if left.code != Some(0) || site.old == site.new {
            return Err(format!("apply does not work here, {:?}: {}", left.code, left.said));
        }
        Ok(site)
    }

    pub(crate) fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    /// The files that a reboot loads.
    const fn files(&self) -> &'static [&'static str] {
        match self.notation {
            Notation::Nft => &["root/etc/nftables.conf"],
            Notation::Iptables => &["root/etc/iptables/rules.v4", "root/etc/iptables/rules.v6"],
        }
    }

    /// The folder that they are in.
    const fn etc(&self) -> &'static str {
        match self.notation {
            Notation::Nft => "root/etc",
            Notation::Iptables => "root/etc/iptables",
        }
    }

    fn kept(&self) -> Result<String, String> {
        let read =
            |file: &&str| fs::read_to_string(self.path(file)).map(|text| undated(&text)).map_err(|why| why.to_string());
        self.files().iter().map(read).collect()
    }

    /// What is in force.
    fn rules(&self) -> Result<String, String> {
        match self.notation {
            Notation::Nft => run("nft", &["-s", "list", "ruleset"], ""),
            Notation::Iptables => {
                let both = [run("iptables-save", &[], "")?, run("ip6tables-save", &[], "")?].concat();
                let said = both.lines().filter(|line| !line.starts_with('#'));
                let uncounted = said.map(|line| line.split(" [").next().unwrap_or(line));
                Ok(uncounted.collect::<Vec<_>>().join("\n"))
            }
        }
    }

    /// The old state, and nothing of a change before.
    fn reset(&self) -> Result<(), String> {
        self.sh(match self.notation {
            Notation::Nft => {
                "rm -rf journal root/etc; mkdir -p root/etc\n\
                 printf 'flush ruleset\\n' | cat - old.nft > root/etc/nftables.conf\nnft -f root/etc/nftables.conf"
            }
            Notation::Iptables => {
                "rm -rf journal root/etc; mkdir -p root/etc/iptables\n\
                 for v in 4 6; do cp old.rules root/etc/iptables/rules.v$v; done\n\
                 iptables-restore old.rules\nip6tables-restore old.rules"
            }
        })
    }

    pub(crate) fn sh(&self, script: &str) -> Result<(), String> {
        let script = format!("cd '{}'\n{script}", self.folder.path().display());
        run("sh", &["-eu"], &script).map(drop).map_err(|why| format!("{script}\n{why}"))
    }

    pub(crate) fn command(&self) -> String {
        let me = env!("CARGO_BIN_EXE_portcullis");
        let what = match self.notation {
            Notation::Nft => "--live live:nft --proposed web.nft",
            Notation::Iptables => "--live live:iptables --proposed rules.v4 --proposed rules.v6",
        };
        format!(
            "{me} apply {what} --policy policy.yaml --tree tree --netns /proc/self/ns/net --root root --no-unit \
             --journal journal --audit audit.jsonl"
        )
    }

    /// Runs it from the old state, in a mount namespace in which `before` has been run, with more arguments.
    pub(crate) fn apply(&self, before: &str, arguments: &str) -> Result<Left, String> {
        self.reset()?;
        self.left(&format!("{before}\n{} {arguments}", self.command()))
    }

    /// Runs a script, and waits until nothing is under way any more.
    pub(crate) fn left(&self, script: &str) -> Result<Left, String> {
        let output = tool("unshare")
            .args(["--mount", "--propagation", "private", "--", "sh", "-c", script])
            .current_dir(self.folder.path())
            .env("HOST_NS", "/proc/self/ns/net")
            .output()
            .map_err(|why| why.to_string())?;
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        Ok(Left { code: output.status.code(), said, rules: self.rules()?, kept: self.kept().unwrap_or_default() })
    }

    /// Counts a run, and says whether the state is one of those that the code stands for.
    pub(crate) fn judge(&self, what: &str, left: &Left, codes: &[i32], tally: &mut Tally) {
        let state = (left.rules.clone(), left.kept.clone());
        let expected = match left.code {
            Some(0) => state == self.new,
            _ => state == self.old,
        };
        let right = expected && left.code.is_some_and(|code| codes.contains(&code)) && self.is_clear();
        tally.add(if right { "passed" } else { "failed" }, 1);
        let known = state == self.old || state == self.new;
        tally.add("apply/states that are neither the old nor the new one", u64::from(!known));
        if !right {
            println!(
                "FAILED: apply, {what}: exit code {:?} of {codes:?}, rules {}, files {}\n{}",
                left.code,
                name(&left.rules, &self.old.0, &self.new.0),
                name(&left.kept, &self.old.1, &self.new.1),
                left.said
            );
        }
    }

    /// Nothing is left that a next change would stumble over.
    pub(crate) fn is_clear(&self) -> bool {
        let left = fs::read_dir(self.path(self.etc())).map(Iterator::count);
        !self.path("journal/journal.json").exists() && left.is_ok_and(|count| count == self.files().len())
    }

    fn usual(&self, tally: &mut Tally) -> Result<(), String> {
        for (what, before, arguments, codes) in [
            ("nothing goes wrong", "", "", [0]),
            ("nothing is to be changed", "", "--dry-run", [0]),
            ("the probe succeeds", "", "--probe true", [0]),
            ("the probe fails", "", "--probe false", [4]),
            ("nobody confirms", "", "--confirm 1s", [4]),
            ("the policy is not there", "rm -f journal/x", "--policy nowhere.yaml", [2]),
        ] {
            let arguments = if arguments.contains("--policy") { "" } else { arguments };
            let script = if what.starts_with("the policy") {
                self.command().replace("policy.yaml", "nowhere.yaml")
            } else {
                format!("{before}\n{} {arguments}", self.command())
            };
            self.reset()?;
            let mut left = self.left(&script)?;
            if what.starts_with("nothing is to be") || what.starts_with("the policy") {
                // Nothing was changed, whatever the code.
                left.code = left.code.map(|code| if code == codes[0] { 3 } else { 99 });
                self.judge(what, &left, &[3], tally);
            } else {
                self.judge(what, &left, &codes, tally);
            }
            tally.add("apply/runs in which nothing is broken", 1);
        }
        // Somebody confirms from another process, also once the first one is gone.
        let confirm = format!("{} confirm --journal journal", env!("CARGO_BIN_EXE_portcullis"));
        let wait = "while ! grep -q waiting journal/journal.json 2> /dev/null; do sleep 0.05; done";
        // What is called sshd stands for the server: whatever it starts is of one connection.
        self.sh("mkdir -p bin; cp \"$(command -v sh)\" bin/sshd")?;
        let begun = |time: &str| format!("{} --confirm {time} & a=$!\necho $a > began\n", self.command());
        let over_a_connection = |script: &str| format!("bin/sshd -c '{script}\nexit $?'");
        let apart = format!("{} & b=$!\n{wait}", over_a_connection(&format!("{}wait $a", begun("50s"))));
        let refused = format!("{confirm} 2>&1 | grep -q \"by which the change was begun\" && touch refused");
        let same = over_a_connection(&format!("{}{wait}\n{refused}\nwait $a", begun("3s")));
        for (what, script, code) in [
            ("somebody confirms", format!("{apart}\n{confirm} && wait $b"), 0),
            ("the connection is cut, and somebody confirms", format!("{apart}\nkill -9 $(cat began)\n{confirm}"), 0),
            (
                "somebody confirms from another connection",
                format!("{apart}\n{} && wait $b", over_a_connection(&confirm)),
                0,
            ),
            ("somebody confirms from the same connection", format!("{same}; code=$?\n[ -e refused ] && exit $code"), 4),
        ] {
            self.reset()?;
            let left = self.left(&script)?;
            self.judge(what, &left, &[code], tally);
            tally.add("apply/runs in which nothing is broken", 1);
        }
        Ok(())
    }

    fn faults(&self, share: &Share, tally: &mut Tally) -> Result<(), String> {
        let small = |folder: &str, kib: u64| {
            format!(
                "mkdir -p {folder} && cp -a {folder} copy.$$ && mount -t tmpfs -o size={kib}k,mode=700 none {folder} && \
                 {{ cp -a copy.$$/. {folder}/; rm -rf copy.$$; }}"
            )
        };
        // What was there has to fit: a page for each file.
        for kib in (4 * self.files().len() as u64..=64).step_by(if share.long { 4 } else { 12 }) {
            let mut left = self.apply(&small("journal", kib), "")?;
            // The journal is gone with its disk; a change that is done does not need it any more.
            self.judge(&format!("{kib} KiB for the journal"), &left, &[0, 3, 4], tally);
            tally.add("apply/runs with a full disk", 1);
            // What is in /etc is looked at from within: it is gone with its disk too.
            self.reset()?;
            let script = format!(
                "{}\n{}\ncode=$?\ncat {} > kept.seen; exit $code",
                small(self.etc(), kib),
                self.command(),
                self.files().join(" ")
            );
            left = self.left(&script)?;
            left.kept = undated(&fs::read_to_string(self.path("kept.seen")).unwrap_or_default());
            self.judge(&format!("{kib} KiB for /etc"), &left, &[0, 3, 4], tally);
            tally.add("apply/runs with a full disk", 1);
        }
        let etc = self.etc();
        let read_only = format!("mount --bind {etc} {etc} && mount -o remount,ro,bind {etc}");
        let left = self.apply(&read_only, "")?;
        self.judge("/etc is read-only", &left, &[3], tally);
        let probe = format!("--probe \"mount -o remount,ro,bind $PWD/{etc}\"");
        let left = self.apply(&format!("mount --bind {etc} {etc}"), &probe)?;
        // The second name of the old file cannot be removed there; the next change does.
        self.sh(&format!("rm -f {etc}/*.portcullis-*"))?;
        self.judge("/etc becomes read-only", &left, &[4], tally);
        let left = self.apply("mkdir -p journal && mount -t tmpfs -o ro none journal", "")?;
        self.judge("the journal is read-only", &left, &[3], tally);
        tally.add("apply/runs with a read-only file system", 3);
        Ok(())
    }

    /// Killed at every call that changes something.
    fn e21_killed(&self, share: &Share, tally: &mut Tally) -> Result<(), String> {
        if run("strace", &["-o", "/dev/null", "true"], "").is_err() {
            println!("apply IS NOT KILLED: there is no strace that may trace");
            tally.add("skipped", 1);
            return Ok(());
        }
        self.reset()?;
        let trace = format!("strace -o {}/calls -e {CALLS}", self.folder.path().display());
        let left = self.left(&format!("{trace} {}", self.command()))?;
        self.judge("traced", &left, &[0], tally);
        let calls = fs::read_to_string(self.path("calls")).map_err(|why| why.to_string())?;
        let calls = u64::try_from(calls.lines().count()).map_err(|why| why.to_string())?;
        let shares = if share.long { 1 } else { 12 };
        for call in (1..calls).filter(|call| call % (share.shares * shares) == share.first) {
            for both in [false, true] {
                self.reset()?;
                let kill = format!("strace -o /dev/null -e {CALLS} -e inject={}:signal=KILL:when={call}", &CALLS[6..]);
                let mut left = self.left(&format!("exec {kill} {}", self.command()))?;
                let what = if both { "and so is the watcher" } else { "the watcher lives" };
                if both {
                    end_watchers(&self.path("journal"))?;
                    left = self.recovered(left)?;
                } else {
                    self.settle(&mut left)?;
                }
                // By now it is clear which one it is: what a change that is done leaves behind is cleared away.
                let new = (left.rules.clone(), left.kept.clone()) == self.new;
                left.code = Some(if new { 0 } else { 4 });
                self.judge(&format!("killed at call {call} of {calls}, {what}"), &left, &[0, 4], tally);
                tally.add("apply/runs that were killed", 1);
            }
            tally.add("apply/places at which they were", 1);
        }
        Ok(())
    }

    /// Waits until the watcher has done its work; where there was none yet, that is what `recover` is for.
    pub(crate) fn settle(&self, left: &mut Left) -> Result<(), String> {
        let until = Instant::now() + PATIENCE;
        let watched = || watchers(&self.path("journal")).map(|pids| !pids.is_empty());
        while watched()? {
            if Instant::now() > until {
                return Err("the watcher does not come to an end".to_owned());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let code = left.code;
        *left = self.recovered(Left { code, said: left.said.clone(), rules: String::new(), kept: String::new() })?;
        left.code = code;
        Ok(())
    }

    fn recovered(&self, left: Left) -> Result<Left, String> {
        let recover = format!("{} recover --journal journal", env!("CARGO_BIN_EXE_portcullis"));
        let after = self.left(&recover)?;
        // Files that were laid beside before there was a journal are no state of anything; the next change removes them.
        if !self.path("journal/journal.json").exists() {
            self.sh(&format!("rm -f {}/*.portcullis-*", self.etc()))?;
        }
        Ok(Left { said: left.said + &after.said, ..after })
    }
}

/// A text without when it was made.
fn undated(text: &str) -> String {
    let dated = |line: &&str| line.starts_with("# Generated by ") || line.starts_with("# Completed on ");
    text.lines().filter(|line| !dated(line)).map(|line| format!("{line}\n")).collect()
}

fn name(text: &str, old: &str, new: &str) -> String {
    match text {
        _ if text == old => "old".to_owned(),
        _ if text == new => "new".to_owned(),
        _ => format!("of neither state:\n{text}"),
    }
}

/// The watchers of a journal.
fn watchers(journal: &Path) -> Result<Vec<u32>, String> {
    let mut found = Vec::new();
    for process in fs::read_dir("/proc").map_err(|why| why.to_string())?.flatten() {
        let Some(pid) = process.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        let line = fs::read(process.path().join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        if line.contains(" dead-man ") && line.contains(&journal.display().to_string()) {
            found.push(pid);
        }
    }
    Ok(found)
}

fn end_watchers(journal: &Path) -> Result<(), String> {
    for pid in watchers(journal)? {
        // It may have ended by itself.
        drop(run("kill", &["-9", &pid.to_string()], ""));
    }
    let until = Instant::now() + PATIENCE;
    while !watchers(journal)?.is_empty() && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}
