//! Programs that lie about what they load, and others that write meanwhile.

use crate::apply::{Notation, Site};
use crate::tally::Tally;
use std::fs;

impl Site {
    /// Puts something else into the place of `nft`: `body` runs with the real one as `$NFT`; `$here` says whether it is in the
    /// namespace of the host.
    fn fake(&self, body: &str) -> Result<String, String> {
        let host = fs::read_link("/proc/self/ns/net").map_err(|why| why.to_string())?;
        let here = self.folder.path().display();
        if self.notation == Notation::Iptables {
            let fakes = ["iptables-restore", "ip6tables-restore", "iptables-save", "ip6tables-save"];
            for name in fakes {
                // Each is called by its name; the real ones are those of the kernel's newer interface.
                let real = name.replace("tables-", "tables-nft-");
                let text = format!(
                    "#!/bin/sh\nD={here}\nREAL=/usr/sbin/{real}\nNAME={name}\nhere=\n\
                     [ \"$(readlink /proc/self/ns/net)\" = '{}' ] && here=yes\n\
                     case \"$NAME $*\" in *-save*) way=list ;; *forth-*) way=forth ;; *back-*) way=back ;; *) way= ;; esac\n\
                     {body}\nexec \"$REAL\" \"$@\"\n",
                    host.display()
                );
                fs::write(self.path(&format!("fake/{name}")), text).map_err(|why| why.to_string())?;
            }
            self.sh("[ -d sbin ] || cp -a /usr/sbin sbin\ncd fake\nfor f in ip*; do rm -f ../sbin/$f; cp $f ../sbin/$f; chmod 755 ../sbin/$f; done")?;
            return Ok(format!("mount --bind {here}/sbin /usr/sbin"));
        }
        let text = format!(
            "#!/bin/sh\nD={here}\nNFT=$D/fake/real\nhere=\n[ \"$(readlink /proc/self/ns/net)\" = '{}' ] && here=yes\n\
             case \"$*\" in *forth*) way=forth ;; *back*) way=back ;; *list*) way=list ;; *) way= ;; esac\n{body}\n\
             exec \"$NFT\" \"$@\"\n",
            host.display()
        );
        fs::write(self.path("fake/nft"), text).map_err(|why| why.to_string())?;
        self.sh("chmod 755 fake/nft; cp -L \"$(command -v nft)\" fake/real")?;
        Ok(format!("mount --bind {here}/fake/nft /usr/sbin/nft"))
    }

    /// Programs that answer anything.
    pub(crate) fn e13_e20_liars(&self, tally: &mut Tally) -> Result<(), String> {
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
            "[ \"$here$way\" = yesforth ] && exec \"$NFT\" insert rule inet filter input udp dport 9999 accept\n\
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

    /// Programs of iptables that answer anything, of one family or of both.
    pub(crate) fn e13_families(&self, tally: &mut Tally) -> Result<(), String> {
        let mut bodies = Vec::new();
        for family in ["ip", "ip6", "ip*"] {
            for (what, does) in [
                ("answers success and does nothing", "exit 0"),
                ("does it and says that it failed", "{ \"$REAL\" \"$@\"; exit 1; }"),
                ("fails", "exit 1"),
                ("is killed", "kill -9 $$"),
                ("answers success and does half", "{ \"$REAL\" \"$@\"; \"${REAL%-restore}\" -D INPUT 3; exit 0; }"),
            ] {
                let body =
                    format!("case $NAME in {family}tables-restore) [ \"$here$way\" = yesforth ] && {does} ;; esac");
                bodies.push((format!("{family}tables-restore {what}"), body));
            }
        }
        for (what, body) in bodies {
            let fake = self.fake(&body)?;
            let left = self.apply(&fake, "")?;
            self.judge(&what, &left, &[4], tally);
            tally.add("apply/runs with a program that lies", 1);
        }
        let fake = self.fake("case $NAME in ip6tables-restore) [ \"$here$way\" = yesforth ] && sleep 1000 ;; esac")?;
        let mut left = self.apply(&fake, "--limit 3s")?;
        self.settle(&mut left)?;
        left.code = Some(4);
        self.judge("ip6tables-restore hangs", &left, &[4], tally);
        tally.add("apply/runs with a program that lies", 1);
        Ok(())
    }

    /// Somebody else writes before each call of the programs that read and load rules.
    pub(crate) fn e11_writers(&self, tally: &mut Tally) -> Result<(), String> {
        let count = self.fake("echo x >> $D/calls")?;
        self.sh("rm -f calls")?;
        self.apply(&count, "")?;
        let calls = fs::read_to_string(self.path("calls")).map_err(|why| why.to_string())?.lines().count();
        let theirs = match self.notation {
            Notation::Nft => "\"$NFT\" insert rule inet filter input tcp dport 9999 accept",
            Notation::Iptables => "iptables-nft -A INPUT -p tcp -m tcp --dport 9999 -j ACCEPT",
        };
        for call in 1..=calls {
            let fake = self.fake(&format!(
                "echo x >> $D/calls\n[ $(wc -l < $D/calls) = {call} ] && nsenter --net=/proc/{}/ns/net {theirs}",
                std::process::id()
            ))?;
            self.sh("rm -f calls")?;
            let mut left = self.apply(&fake, "")?;
            // Without theirs, it is one of the two.
            let other = left.rules.contains("9999");
            left.rules = left.rules.replace("\t\ttcp dport 9999 accept\n", "");
            left.rules = left.rules.replace("-A INPUT -p tcp -m tcp --dport 9999 -j ACCEPT\n", "");
            // Nothing of ours may be lost, and nothing of theirs may be called ours.
            // Before the last two calls, which read the other family, theirs was read for the last time.
            let late = self.notation == Notation::Iptables && call + 2 > calls;
            if other && left.code == Some(0) && !late {
                left.code = Some(99);
            }
            self.judge(&format!("somebody else writes before call {call} of {calls}"), &left, &[0, 3, 4], tally);
            tally.add("apply/runs with another writer", 1);
        }
        Ok(())
    }
}
