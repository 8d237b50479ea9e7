//! The command lines of those who write policies.

use clap::{Args, Subcommand, ValueEnum};
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub(super) enum PolicyCommand {
    Lint(PolicyLint),
    Coverage(PolicyCoverage),
    Try(PolicyTry),
}

/// A policy and the state that it is held against.
#[derive(Debug, Args)]
pub(super) struct PolicySubject {
    /// Look at this commit, branch or tag instead of the work tree
    #[arg(long, value_name = "REV", conflicts_with = "path")]
    pub(super) rev: Option<String>,
    /// Look at this folder, without git
    #[arg(long, value_name = "FOLDER")]
    pub(super) path: Option<PathBuf>,
    /// The policy: a path in the side that is looked at; with --path a file [default: its portcullis.yaml]
    #[arg(long, value_name = "FILE")]
    pub(super) policy: Option<PathBuf>,
    /// How to answer
    #[arg(long, short, value_enum, default_value_t = PolicyOutput::Text)]
    pub(super) output: PolicyOutput,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum PolicyOutput {
    /// For people
    Text,
    /// For programs
    Json,
}

/// Say what a policy demands, what is wrong with it, and what in it does nothing
#[derive(Debug, Args)]
#[command(after_help = "\
Errors are what no change could be judged with. Warnings are what is well-formed and has no effect: patterns that match
nothing, checks that can never see anything, configurations that no check sees, networks, services and teams that nothing
uses, waivers that ended or accept nothing, approvals that nobody could give, entries that look as if they weakened others.
Exits 0 when there is neither, 1 for warnings, 2 for errors or where there is no policy, 3 when a file could not be read or
is not understood, so that nobody knows.

Examples:
  portcullis policy lint                      the work tree, with its portcullis.yaml
  portcullis policy lint --rev origin/main
  portcullis policy lint --path hosts/ --policy draft.yaml --output json")]
pub(super) struct PolicyLint {
    #[command(flatten)]
    pub(super) subject: PolicySubject,
}

/// Say of every file which configuration claims it, and which checks see that
#[derive(Debug, Args)]
#[command(after_help = "\
Of a work tree the files that git knows count, and those that the policy claims. Named first is what nobody judges: files
that look like a configuration and that no configuration of the policy claims, and patterns that match nothing.
Exits 0 when there are none of those, 1 when there are, 2 for an error of usage or policy, 3 when a file could not be read.

Examples:
  portcullis policy coverage
  portcullis policy coverage --except 'examples/**' --except 'tests/**'
  portcullis policy coverage --rev origin/main --output json")]
pub(super) struct PolicyCoverage {
    #[command(flatten)]
    pub(super) subject: PolicySubject,
    /// These files need not be claimed, though they look like a configuration; repeatable, as in `files` of the policy
    #[arg(long, value_name = "PATTERN")]
    pub(super) except: Vec<String>,
}

/// Say what a policy would have said of the last merges
#[derive(Debug, Args)]
#[command(after_help = "\
Judges every commit of the branch against its first parent, the newest first, by one policy: merges, squashed or not, and
what was committed to it directly. Nobody is asked who approved what, freezes and waivers count as they do today, and
patterns that matched nothing then are undecided.
Exits 0 when all were judged, whatever was decided; 2 for an error of usage or policy; 3 when the history cannot be read.

Examples:
  portcullis policy try                                the last 100, by the portcullis.yaml of the work tree
  portcullis policy try --last 20 --policy draft.yaml
  portcullis policy try --rev origin/main --output json")]
pub(super) struct PolicyTry {
    /// How many
    #[arg(long, value_name = "COUNT", default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub(super) last: u16,
    /// The branch, or the commit to begin with
    #[arg(long, value_name = "REV", default_value = "HEAD")]
    pub(super) rev: String,
    /// The policy: a file [default: portcullis.yaml of the work tree]
    #[arg(long, value_name = "FILE")]
    pub(super) policy: Option<PathBuf>,
    /// How to answer
    #[arg(long, short, value_enum, default_value_t = PolicyOutput::Text)]
    pub(super) output: PolicyOutput,
}

/// Write the pages for man
#[derive(Debug, Args)]
#[command(after_help = "\
A page for every command, as packagers install them; without a folder the page of portcullis itself is printed.

Examples:
  portcullis man | man -l -
  portcullis man /usr/local/share/man/man1")]
pub(super) struct Man {
    /// The folder to write all pages into; it is made where it is not there
    #[arg(value_name = "DIR")]
    pub(super) folder: Option<PathBuf>,
}

/// Write a first policy, of what is there: configurations, networks, critical ports, and what has to stay shut
#[derive(Debug, Args)]
#[command(after_help = "\
Looks at every file that git knows (with --path: every file of the folder), finds those that are configuration, and
proposes a commented portcullis.yaml. Before it is written it is held against the present state: `check`, `lint` and
`policy lint` pass with it, or nothing is written. What could not be read is named, with the reason. Asks nothing.
Exits 0 when it is written (or printed), 2 when there is one already, 3 when there is nothing to judge or it does not pass.

Examples:
  portcullis init
  portcullis init --print                    only show it
  portcullis init --path /etc/nftables --print
  portcullis init --force                    write it anew, in place of the one that is there")]
pub(super) struct Init {
    /// Look at this folder, without git
    #[arg(long, value_name = "FOLDER")]
    pub(super) path: Option<PathBuf>,
    /// Replace a policy that is there
    #[arg(long)]
    pub(super) force: bool,
    /// Print the policy instead of writing it
    #[arg(long, conflicts_with = "force")]
    pub(super) print: bool,
}
