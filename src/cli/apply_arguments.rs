use super::notice::Notice;
use super::record_arguments::{Log, Trust};
use clap::Args;
use std::path::PathBuf;
use std::time::Duration;

/// Where journals are kept.
const JOURNAL: &str = "/var/lib/portcullis/apply";

/// Put rules into force on this host as one change, which ends in the new state or in the old one
#[derive(Debug, Args)]
#[command(after_help = "\
What happens: the lock is taken; what is proposed is loaded into a network namespace of its own and held against the files by
meaning; the way there and back is rehearsed there; what the change does to what is in force *now* is held against the
policy; the files for the next boot are laid beside those in /etc; a process of its own begins to watch; the rules are
replaced in one transaction and read back; --probe runs; --confirm waits for `portcullis confirm` from a new connection; the
files are replaced, and loaded as a reboot would. Whatever fails, hangs or dies on the way, the old rules and files are put
back, and that is verified.

Exits 0 when what was proposed is in force, verified by meaning, and a reboot loads it; 4 when it was rolled back and the old
rules are in force, verified; 5 when the rollback failed: the message says what is in force. Nothing was changed with
1 (the policy or the record refuses it), 2 (usage, policy, roots of trust) and 3 (something could not be found out).

The policy is that of the record, or a file of this host. Approvals are those of the record; without one nobody has approved.
nftables: all tables are replaced, but for those of others (--foreign, --foreign-first); with --owned, only those named.
iptables: rules.v4 and rules.v6, all tables of both families.

Examples:
  portcullis apply --live live:nft --record review.json --tree /srv/network --proposed hosts/web1.nft
  portcullis apply --live live:nft --policy /etc/portcullis/policy.yaml --proposed web1.nft --confirm 60s
  portcullis apply --live live:iptables --record review.json --tree . --proposed web1/rules.v4 --proposed web1/rules.v6
  portcullis apply --policy lb.yaml --proposed haproxy.cfg --read 'cat /etc/haproxy/haproxy.cfg' \\
      --test 'haproxy -c -f \"$PORTCULLIS_FILE\"' \\
      --write 'cp \"$PORTCULLIS_FILE\" /etc/haproxy/haproxy.cfg && systemctl reload haproxy'")]
pub(super) struct Apply {
    /// What is replaced
    #[arg(long, value_name = "live:nft|live:iptables", required_unless_present = "write", conflicts_with = "write")]
    pub(super) live: Option<String>,
    /// The file to put into force, below --tree; repeatable (rules.v4 and rules.v6)
    #[arg(long, value_name = "PATH", required = true)]
    pub(super) proposed: Vec<String>,
    /// What it is part of: a folder, or a commit, branch or tag
    #[arg(long, value_name = "FOLDER|REV", default_value = ".")]
    pub(super) tree: String,
    /// The record of the review: nothing is put into force that is not byte for byte what was reviewed
    #[arg(long, value_name = "FILE", required_unless_present = "policy", conflicts_with = "policy")]
    pub(super) record: Option<PathBuf>,
    /// Without a record, the policy: a file that is no part of the change
    #[arg(long, value_name = "FILE")]
    pub(super) policy: Option<PathBuf>,
    #[command(flatten)]
    pub(super) trust: Trust,
    /// Replace this table alone; repeatable, `*` for anything [default: all]
    #[arg(long, value_name = "TABLE")]
    pub(super) owned: Vec<String>,
    /// Leave this table of another program alone, which decides nothing first; repeatable, `*` for anything
    #[arg(long, value_name = "TABLE")]
    pub(super) foreign: Vec<String>,
    /// Leave this table of another program alone, which may decide first; repeatable, `*` for anything
    #[arg(long, value_name = "TABLE")]
    pub(super) foreign_first: Vec<String>,
    /// Change the rules of this network namespace [default: the host's, and only there]
    #[arg(long, value_name = "NAME|FILE")]
    pub(super) netns: Option<PathBuf>,
    /// Where /etc with the files for the next boot is
    #[arg(long, value_name = "DIR", default_value = "/")]
    pub(super) root: PathBuf,
    /// Something else than nftables.service or netfilter-persistent.service loads those files at boot
    #[arg(long)]
    pub(super) no_unit: bool,
    /// Run this once the new rules are in force; if it fails they are rolled back
    #[arg(long, value_name = "COMMAND")]
    pub(super) probe: Option<String>,
    /// Roll back unless `portcullis confirm` says within this time that all is well
    #[arg(long, value_name = "AGE", value_parser = crate::policy::parse_age)]
    pub(super) confirm: Option<Duration>,
    /// Roll back if all of it, but for the wait for --confirm, takes longer
    #[arg(long, value_name = "AGE", default_value = "2m", value_parser = crate::policy::parse_age)]
    pub(super) limit: Duration,
    /// Change what is no firewall of this host: a command that prints what is in force
    #[arg(long, value_name = "COMMAND", requires = "write")]
    pub(super) read: Option<String>,
    /// A command that puts the file PORTCULLIS_FILE into force
    #[arg(long, value_name = "COMMAND", requires = "read")]
    pub(super) write: Option<String>,
    /// A command that puts the file PORTCULLIS_FILE, what --read printed before, back into force [default: that of --write]
    #[arg(long, value_name = "COMMAND", requires = "write")]
    pub(super) rollback: Option<String>,
    /// A command that refuses the file PORTCULLIS_FILE if it is no good; it is asked of the old and of the new one
    #[arg(long, value_name = "COMMAND", requires = "write")]
    pub(super) test: Option<String>,
    /// Find out everything that can be found out before, and change nothing
    #[arg(long)]
    pub(super) dry_run: bool,
    #[command(flatten)]
    pub(super) journal: JournalFolder,
    #[command(flatten)]
    pub(super) log: Log,
    #[command(flatten)]
    pub(super) notice: Notice,
}

/// Say from a new connection that what `apply --confirm` put into force lets you in
#[derive(Debug, Args)]
#[command(after_help = "\
Log in anew first: that is what it shows, and over the connection from which `apply` was called it is refused. It waits for the change to come to its end; if the connection of `apply` was cut,
it finishes the change itself. Exits 0 when what was proposed is in force, 3 when nothing waits or the connection
is that of apply, 4 and 5 as apply.

Example:
  ssh web1 portcullis confirm")]
pub(super) struct Confirm {
    #[command(flatten)]
    pub(super) journal: JournalFolder,
}

/// Take back a change that did not come to its end: after a crash, at boot
#[derive(Debug, Args)]
#[command(after_help = "\
Exits 0 when there is nothing to take back, or the change was done; 4 when the old rules and files are back, verified;
5 when that failed: the message says what is in force; 3 when a change is under way, or the journal cannot be read.

Example:
  portcullis recover")]
pub(super) struct Recover {
    #[command(flatten)]
    pub(super) journal: JournalFolder,
}

/// Take a change back when the process that makes it has died or takes too long; `apply` starts it
#[derive(Debug, Args)]
pub(super) struct DeadMan {
    #[command(flatten)]
    pub(super) journal: JournalFolder,
    /// Which change
    #[arg(long)]
    pub(super) id: String,
    /// How many seconds it may take
    #[arg(long)]
    pub(super) seconds: u64,
}

#[derive(Debug, Args)]
pub(super) struct JournalFolder {
    /// Where the journal is kept
    #[arg(long = "journal", value_name = "FOLDER", default_value = JOURNAL)]
    pub(super) folder: PathBuf,
}
