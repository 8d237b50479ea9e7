use crate::live::{NotRead, NotSplit};
use miette::Diagnostic;
use thiserror::Error;

/// Why something is not put into force, or not left so.
#[derive(Debug, Clone, PartialEq, Eq, Error, Diagnostic)]
pub enum NotApplied {
    /// A program or file of the host does not do what it should.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Host(#[from] NotRead),
    /// Somebody else changes the same host.
    #[error("another change of this host is under way: `{path}` is locked")]
    #[diagnostic(
        code(portcullis::live::busy),
        help("wait for it to end; what a command of --write left running holds the lock too: `fuser` names it")
    )]
    Busy {
        /// The lock.
        path: String,
    },
    /// The last change was killed before it came to an end.
    #[error("the last change of this host did not come to its end: `{path}` says how far it came")]
    #[diagnostic(
        code(portcullis::live::interrupted),
        help("run `portcullis recover`, which takes it back and says what is in force")
    )]
    Interrupted {
        /// The journal.
        path: String,
    },
    /// The folder of the journal cannot be used.
    #[error("`{path}` cannot be used for the journal: {why}")]
    #[diagnostic(
        code(portcullis::live::journal),
        help("without a journal a change cannot be taken back after a crash; make room, or name another --journal")
    )]
    Journal {
        /// What.
        path: String,
        /// Why not.
        why: String,
    },
    /// Not both families are given.
    #[error(
        "of iptables the files of both families are put into force together, and {}",
        if *count == 1 { "only one is proposed" } else { "the names of those that are proposed do not say which is which" }
    )]
    #[diagnostic(
        code(portcullis::live::families),
        help("name both, and say by their names which is which: --proposed rules.v4 --proposed rules.v6")
    )]
    Families {
        /// How many files there are.
        count: usize,
    },
    /// Tables can be kept apart in nftables alone.
    #[error("the tables and chains of iptables are put into force together")]
    #[diagnostic(
        code(portcullis::live::whole_iptables),
        help(
            "leave --owned out, and declare no chain of iptables as that of others: restoring a table replaces it whole"
        )
    )]
    Whole,
    /// Rules are in force that are not part of what is replaced.
    #[error("rules of {names} decide packets here too")]
    #[diagnostic(
        code(portcullis::live::beside),
        help("remove them first: they are not seen and not replaced by `nft`")
    )]
    Beside {
        /// Of what.
        names: String,
    },
    /// Whose a table is cannot be told.
    #[error("the tables of a listing cannot be told apart: {why}")]
    #[diagnostic(code(portcullis::live::split), help("this is not known to happen: please report it"))]
    Split {
        /// Why.
        why: String,
    },
    /// What was rehearsed in a namespace of its own did not go as it should.
    #[error("{what}, rehearsed in a network namespace of its own: {why}")]
    #[diagnostic(code(portcullis::live::rehearsal), help("nothing was changed on the host; see what it says"))]
    Rehearsal {
        /// What was tried.
        what: &'static str,
        /// What came of it.
        why: String,
    },
    /// A kernel makes something else of the rules than what they are understood to be.
    #[error("what the kernel makes of it is not what is proposed, rehearsed in a network namespace of its own: {why}")]
    #[diagnostic(
        code(portcullis::live::not_as_proposed),
        help(
            "nothing was changed on the host; write into the file what the kernel lists once it is loaded \
             (`unshare --net sh -c 'nft -f FILE; nft list ruleset'`), and if both mean the same, report it"
        )
    )]
    NotAsProposed {
        /// What differs first.
        why: String,
    },
    /// Somebody else changed the rules.
    #[error("what is in force was changed by somebody else since it was looked at")]
    #[diagnostic(
        code(portcullis::live::changed),
        help("nothing was changed by this; find out who did (`nft monitor` tells), and begin again")
    )]
    Changed,
    /// What was put into force is not what is in force.
    #[error("what is in force is not what was to be put into force: {why}")]
    #[diagnostic(
        code(portcullis::live::not_in_force),
        help("whatever the program that loads rules answered, this is what the kernel says")
    )]
    NotInForce {
        /// What differs.
        why: String,
    },
    /// A file for the next boot cannot be replaced.
    #[error("`{path}` cannot be replaced: {why}")]
    #[diagnostic(
        code(portcullis::live::kept),
        help("what a reboot would load has to become what is in force, whole or not at all")
    )]
    Kept {
        /// The file.
        path: String,
        /// Why not.
        why: String,
    },
    /// Nothing would take the change back.
    #[error("nothing watches over the change: {why}")]
    #[diagnostic(
        code(portcullis::live::unarmed),
        help("nothing was changed: it would not be taken back after a crash")
    )]
    Unarmed {
        /// Why.
        why: String,
    },
    /// The command that tries the new rules failed.
    #[error("the probe does not succeed: {why}")]
    #[diagnostic(code(portcullis::live::probe), help("run it by hand with the old rules first"))]
    Probe {
        /// What it says.
        why: String,
    },
    /// Nobody confirmed.
    #[error("nobody confirmed it within {seconds} seconds")]
    #[diagnostic(
        code(portcullis::live::unconfirmed),
        help("`portcullis confirm` from a new connection shows that the new rules let one in")
    )]
    Unconfirmed {
        /// How long there was.
        seconds: u64,
    },
    /// There is nothing to confirm.
    #[error("nothing waits to be confirmed")]
    #[diagnostic(
        code(portcullis::live::nothing_to_confirm),
        help("either nothing was put into force with --confirm, or it was taken back already")
    )]
    NothingToConfirm,
    /// Who confirms is logged in by the connection that was there before.
    #[error("this is the connection by which the change was begun: that it goes on shows nothing of new ones")]
    #[diagnostic(
        code(portcullis::live::same_connection),
        help("log in anew, not through a connection that is shared (`ssh -o ControlPath=none`), and confirm there")
    )]
    SameConnection,
}

impl From<NotSplit> for NotApplied {
    fn from(why: NotSplit) -> Self {
        Self::Split { why: why.to_string() }
    }
}
