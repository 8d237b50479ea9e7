//! What `apply` leaves behind when it is killed at every step, when disks are full or read-only, when somebody else
//! writes, and when the programs that load rules lie: the old state or the new one, and an exit code that says which.
//! Packets flow all the while: none is lost that both states let in, and none comes in that neither does.

use crate::hosts;
use crate::options::Share;
use crate::stream::{Flowed, Stream};
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
        let stream = Stream::start()?;
        Site::new()?.e13_e20_liars(tally)?;
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
    let stream = Stream::start()?;
    let site = Site::new()?;
    if share.first == 0 {
        site.usual(tally)?;
        site.faults(tally)?;
        site.e11_writers(tally)?;
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

const POLICY: &str = "version: 1\nconfigurations:\n  web: {files: [\"web.nft\"]}\nchecks:\n  - {check: default-action, filters: [\"web/input\"], must_be: deny}\n";
const OLD: &str = "table inet filter {
	chain input {
		type filter hook input priority filter; policy drop;
		iif \"lo\" accept
		udp dport 7000 accept
		tcp dport 22 accept
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

/// A host in this namespace.
struct Site {
    folder: TempDir,
    /// The listing of each state, and the file that a reboot loads.
    old: (String, String),
    new: (String, String),
}

/// What a run left behind.
struct Left {
    code: Option<i32>,
    said: String,
    rules: String,
    kept: String,
}

impl Site {
    fn new() -> Result<Self, String> {
        let folder = TempDir::new().map_err(|why| why.to_string())?;
        let mut site = Self { folder, old: Default::default(), new: Default::default() };
        for path in ["tree", "root/etc", "fake"] {
            fs::create_dir_all(site.path(path)).map_err(|why| why.to_string())?;
        }
        for (path, text) in
            [("policy.yaml", POLICY), ("tree/web.nft", NEW), ("tree/common.nft", COMMON), ("old.nft", OLD)]
        {
            fs::write(site.path(path), text).map_err(|why| why.to_string())?;
        }
        site.reset()?;
        site.old = (rules()?, site.kept()?);
        let left = site.apply("", "")?;
        site.new = (rules()?, site.kept()?);
        if left.code != Some(0) || site.old == site.new {
            return Err(format!("apply does not work here, {:?}: {}", left.code, left.said));
        }
        Ok(site)
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    fn kept(&self) -> Result<String, String> {
        fs::read_to_string(self.path("root/etc/nftables.conf")).map_err(|why| why.to_string())
    }

    /// The old state, and nothing of a change before.
    fn reset(&self) -> Result<(), String> {
        self.sh(
            "rm -rf journal root/etc; mkdir -p root/etc\nprintf 'flush ruleset\\n' | cat - old.nft > root/etc/nftables.conf\n\
             nft -f root/etc/nftables.conf",
        )
    }

    fn sh(&self, script: &str) -> Result<(), String> {
        let script = format!("cd '{}'\n{script}", self.folder.path().display());
        run("sh", &["-eu"], &script).map(drop).map_err(|why| format!("{script}\n{why}"))
    }

    fn command(&self) -> String {
        let me = env!("CARGO_BIN_EXE_portcullis");
        format!(
            "{me} apply --live live:nft --policy policy.yaml --tree tree --proposed web.nft --netns /proc/self/ns/net \
             --root root --no-unit --journal journal --audit audit.jsonl"
        )
    }

    /// Runs it from the old state, in a mount namespace in which `before` has been run, with more arguments.
    fn apply(&self, before: &str, arguments: &str) -> Result<Left, String> {
        self.reset()?;
        self.left(&format!("{before}\n{} {arguments}", self.command()))
    }

    /// Runs a script, and waits until nothing is under way any more.
    fn left(&self, script: &str) -> Result<Left, String> {
        let output = tool("unshare")
            .args(["--mount", "--propagation", "private", "--", "sh", "-c", script])
            .current_dir(self.folder.path())
            .env("HOST_NS", "/proc/self/ns/net")
            .output()
            .map_err(|why| why.to_string())?;
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        Ok(Left { code: output.status.code(), said, rules: rules()?, kept: self.kept().unwrap_or_default() })
    }

    /// Counts a run, and says whether the state is one of those that the code stands for.
    fn judge(&self, what: &str, left: &Left, codes: &[i32], tally: &mut Tally) {
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
    fn is_clear(&self) -> bool {
        let left = fs::read_dir(self.path("root/etc")).map(Iterator::count);
        !self.path("journal/journal.json").exists() && left.is_ok_and(|count| count == 1)
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
        for (what, script) in [
            ("somebody confirms", format!("{} --confirm 50s & a=$!\n{wait}\n{confirm} && wait $a", self.command())),
            (
                "the connection is cut, and somebody confirms",
                format!("{} --confirm 50s & a=$!\n{wait}\nkill -9 $a\n{confirm}", self.command()),
            ),
        ] {
            self.reset()?;
            let left = self.left(&script)?;
            self.judge(what, &left, &[0], tally);
            tally.add("apply/runs in which nothing is broken", 1);
        }
        Ok(())
    }

    fn faults(&self, tally: &mut Tally) -> Result<(), String> {
        let small = |folder: &str, kib: u64| {
            format!(
                "mkdir -p {folder} && cp -a {folder} copy.$$ && mount -t tmpfs -o size={kib}k,mode=700 none {folder} && \
                 {{ cp -a copy.$$/. {folder}/; rm -rf copy.$$; }}"
            )
        };
        for kib in (4..=64).step_by(4) {
            let mut left = self.apply(&small("journal", kib), "")?;
            // The journal is gone with its disk; a change that is done does not need it any more.
            self.judge(&format!("{kib} KiB for the journal"), &left, &[0, 3, 4], tally);
            tally.add("apply/runs with a full disk", 1);
            // What is in /etc is looked at from within: it is gone with its disk too.
            self.reset()?;
            let script = format!(
                "{}\n{}\ncode=$?\ncat root/etc/nftables.conf > kept.seen; exit $code",
                small("root/etc", kib),
                self.command()
            );
            left = self.left(&script)?;
            left.kept = fs::read_to_string(self.path("kept.seen")).unwrap_or_default();
            self.judge(&format!("{kib} KiB for /etc"), &left, &[0, 3, 4], tally);
            tally.add("apply/runs with a full disk", 1);
        }
        let read_only = "mount --bind root/etc root/etc && mount -o remount,ro,bind root/etc";
        let left = self.apply(read_only, "")?;
        self.judge("/etc is read-only", &left, &[3], tally);
        let left =
            self.apply("mount --bind root/etc root/etc", "--probe \"mount -o remount,ro,bind $PWD/root/etc\"")?;
        // The second name of the old file cannot be removed there; the next change does.
        self.sh("rm -f root/etc/*.portcullis-*")?;
        self.judge("/etc becomes read-only", &left, &[4], tally);
        let left = self.apply("mkdir -p journal && mount -t tmpfs -o ro none journal", "")?;
        self.judge("the journal is read-only", &left, &[3], tally);
        tally.add("apply/runs with a read-only file system", 3);
        Ok(())
    }

    /// Puts something else into the place of `nft`: `body` runs with the real one as `$NFT`; `$here` says whether it is in the
    /// namespace of the host.
    fn fake(&self, body: &str) -> Result<String, String> {
        let host = fs::read_link("/proc/self/ns/net").map_err(|why| why.to_string())?;
        let here = self.folder.path().display();
        let text = format!(
            "#!/bin/sh\nD={here}\nNFT=$D/fake/real\nhere=\n[ \"$(readlink /proc/self/ns/net)\" = '{}' ] && here=yes\n\
             case \"$*\" in *forth) way=forth ;; *back) way=back ;; *list*) way=list ;; *) way= ;; esac\n{body}\n\
             exec \"$NFT\" \"$@\"\n",
            host.display()
        );
        fs::write(self.path("fake/nft"), text).map_err(|why| why.to_string())?;
        self.sh("chmod 755 fake/nft; cp -L \"$(command -v nft)\" fake/real")?;
        Ok(format!("mount --bind {here}/fake/nft /usr/sbin/nft"))
    }

    /// Programs that answer anything.
    fn e13_e20_liars(&self, tally: &mut Tally) -> Result<(), String> {
        for (what, body) in [
            ("nft answers success and does nothing", "[ \"$here$way\" = yesforth ] && exit 0"),
            (
                "nft answers success and does half",
                "[ \"$here$way\" = yesforth ] && { \"$NFT\" -f \"$2\"; exec \"$NFT\" flush chain inet filter input; }",
            ),
            ("nft answers success and flushes all", "[ \"$here$way\" = yesforth ] && exec \"$NFT\" flush ruleset"),
            ("nft does it and says that it failed", "[ \"$here$way\" = yesforth ] && { \"$NFT\" \"$@\"; exit 1; }"),
            ("nft fails", "[ \"$here$way\" = yesforth ] && exit 1"),
            ("nft is killed", "[ \"$here$way\" = yesforth ] && kill -9 $$"),
            (
                "nft shows nothing afterwards",
                "[ \"$here$way\" = yesforth ] && { touch $D/gone; exec \"$NFT\" \"$@\"; }\n\
                 [ \"$here$way\" = yesback ] && rm -f $D/gone\n[ -n \"$here\" ] && [ $way = list ] && [ -e $D/gone ] && exit 0",
            ),
        ] {
            let fake = self.fake(body)?;
            let left = self.apply(&fake, "")?;
            self.judge(what, &left, &[4], tally);
            tally.add("apply/runs with a program that lies", 1);
        }
        // It hangs, and everything with it: the watcher ends it.
        let fake = self.fake("[ \"$here$way\" = yesforth ] && sleep 1000")?;
        let mut left = self.apply(&fake, "--limit 3s")?;
        self.settle(&mut left)?;
        let ended = left.code;
        left.code = Some(4);
        self.judge("nft hangs", &left, &[4], tally);
        tally.add("apply/runs with a program that lies", 1);
        tally.add(if ended == Some(137) { "passed" } else { "failed" }, 1);
        // It does half, and the way back is barred: there is no way to be in one of the two, and it says so.
        let fake = self.fake(
            "[ \"$here$way\" = yesforth ] && exec \"$NFT\" add rule inet filter input udp dport 9999 accept\n\
             [ \"$here$way\" = yesback ] && exit 1",
        )?;
        let left = self.apply(&fake, "")?;
        let said = left.said.contains("neither what was proposed nor what was there before is in force");
        let right = left.code == Some(5) && said && self.path("journal/journal.json").exists();
        tally.add(if right { "passed" } else { "failed" }, 1);
        tally.add("apply/rollbacks that fail, and say what is in force", 1);
        if !right {
            println!("FAILED: apply, the way back is barred: {:?}\n{}", left.code, left.said);
        }
        let next = self.left(&self.command())?;
        tally.add(if next.code == Some(3) { "passed" } else { "failed" }, 1);
        let left = self.left(&format!("{} recover --journal journal", env!("CARGO_BIN_EXE_portcullis")))?;
        self.judge("recovered once nft works again", &left, &[4], tally);
        Ok(())
    }

    /// Somebody else writes before each call of `nft`.
    fn e11_writers(&self, tally: &mut Tally) -> Result<(), String> {
        let count = self.fake("echo x >> $D/calls")?;
        self.sh("rm -f calls")?;
        self.apply(&count, "")?;
        let calls = fs::read_to_string(self.path("calls")).map_err(|why| why.to_string())?.lines().count();
        let theirs = "add rule inet filter input tcp dport 9999 accept";
        for call in 1..=calls {
            let fake = self.fake(&format!(
                "echo x >> $D/calls\n[ $(wc -l < $D/calls) = {call} ] && nsenter --net=/proc/{}/ns/net \"$NFT\" {theirs}",
                std::process::id()
            ))?;
            self.sh("rm -f calls")?;
            let mut left = self.apply(&fake, "")?;
            // Theirs is the last rule; without it, it is one of the two.
            let other = left.rules.contains("9999");
            left.rules = left.rules.replace("\t\ttcp dport 9999 accept\n", "");
            // Nothing of ours may be lost, and nothing of theirs may be called ours.
            if other && left.code == Some(0) {
                left.code = Some(99);
            }
            self.judge(&format!("somebody else writes before call {call} of nft"), &left, &[0, 3, 4], tally);
            tally.add("apply/runs with another writer", 1);
        }
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
        let shares = if share.long { 1 } else { 6 };
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
    fn settle(&self, left: &mut Left) -> Result<(), String> {
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
            self.sh("rm -f root/etc/*.portcullis-*")?;
        }
        Ok(Left { said: left.said + &after.said, ..after })
    }
}

fn name(text: &str, old: &str, new: &str) -> String {
    match text {
        _ if text == old => "old".to_owned(),
        _ if text == new => "new".to_owned(),
        _ => format!("of neither state:\n{text}"),
    }
}

fn rules() -> Result<String, String> {
    run("nft", &["-s", "list", "ruleset"], "")
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
