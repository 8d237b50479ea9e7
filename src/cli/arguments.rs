use super::apply_arguments::{Apply, Confirm, DeadMan, Recover};
use super::merge::Merge;
use super::notice::Notice;
use super::record_arguments::{Attest, AuditCommand, BreakGlassArguments, Gate, Log, RootsCommand, Whom};
use super::shard::{Shard, shard};
use super::simulate::Simulate;
use super::start_arguments::{Init, Man, PolicyCommand};
use crate::report::{self, Output};
use clap::{Args, Parser, Subcommand, ValueEnum};
use miette::Diagnostic as _;
use std::path::PathBuf;

/// A gate for firewall changes: it computes exactly what a change does to packets, and holds that against a policy.
#[derive(Debug, Parser)]
#[command(name = "portcullis", version, max_term_width = 100, arg_required_else_help = true, propagate_version = true)]
#[command(after_help = "\
Exit codes: 0 pass, 1 blocked or approval missing, 2 usage or policy error, 3 undecided,
4 what is in force is not what is expected (apply: rolled back), 5 a rollback failed.

Examples:
  portcullis demo                              replay known incidents and see how they are stopped
  portcullis check                             judge what you are about to commit
  portcullis lint --path rules.v4              find rules that never apply, and the like
  portcullis diff old.rules new.rules          see exactly what differs, in packets
  portcullis trace rules.v4/input 'tcp 203.0.113.9 -> 192.0.2.1:22'
  portcullis verify --expected HEAD:hosts/web1.nft --live live:nft")]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub(super) command: Command,
    /// Say nothing on standard error but errors.
    #[arg(long, short, global = true)]
    pub(super) quiet: bool,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    Check(Check),
    Merge(Merge),
    Lint(Lint),
    Test(Test),
    Simulate(Simulate),
    Diff(Diff),
    Trace(Trace),
    Verify(Verify),
    Parse(Parse),
    Attest(Attest),
    BreakGlass(BreakGlassArguments),
    Gate(Gate),
    Apply(Apply),
    Confirm(Confirm),
    Recover(Recover),
    #[command(hide = true)]
    DeadMan(DeadMan),
    /// Look after the log of what was decided
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Replace the roots of trust of a host by others that those whom it trusts have signed
    #[command(subcommand)]
    Roots(RootsCommand),
    Doctor(Doctor),
    Init(Init),
    /// Look after the policy itself
    #[command(subcommand)]
    Policy(PolicyCommand),
    /// Look after the published lists of addresses that the policy refers to
    #[command(subcommand)]
    Feed(FeedCommand),
    /// Show what a check demands, why, and how it is set
    #[command(
        after_help = "Examples:\n  portcullis explain                   all checks, a line each\n  portcullis explain critical-ports    the page of one check"
    )]
    Explain {
        /// The id of the check; without it, all are listed
        #[arg(value_name = "CHECK")]
        check: Option<String>,
    },
    /// Replay real incidents and show what their authors would have seen
    #[command(
        after_help = "Needs no files and no network. Exits 0 when every incident is stopped as expected, else 1.\n\nExample:\n  portcullis demo"
    )]
    Demo,
    /// Print the JSON Schema of the policy file, or of the report
    #[command(
        after_help = "Examples:\n  portcullis schema > schema.json\n  portcullis schema report\n\nIn portcullis.yaml, editors use it by a first line such as\n  # yaml-language-server: $schema=./schema.json"
    )]
    Schema {
        /// What to describe
        #[arg(value_enum, default_value_t = Shape::Policy)]
        of: Shape,
    },
    Man(Man),
    /// Print a completion script for a shell
    #[command(
        after_help = "Example:\n  portcullis completions bash > ~/.local/share/bash-completion/completions/portcullis"
    )]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

/// Judge a change: pass, blocked, approval needed, or undecided
#[derive(Debug, Args)]
#[command(after_help = "\
The policy is portcullis.yaml at the root of the base side: what is in force judges what is proposed.
In GitHub Actions and GitLab CI the sides are found: the tested merge result against the target branch.

Examples:
  portcullis check                                   the work tree against HEAD
  portcullis check --staged                          what `git commit` would record, e.g. in a hook
  portcullis check --base origin/main                HEAD against a branch
  portcullis check --base v1 --head v2               two commits
  portcullis check --old before/ --new after/        two folders, with before/portcullis.yaml
  portcullis check --plan plan.json                  a Terraform plan (`terraform show -json`), which has both sides
  portcullis check --base origin/main --shard 2/8 --output json=2.json   the second of eight parts, see merge
  portcullis check --output text --output json=report.json")]
pub(super) struct Check {
    #[command(flatten)]
    pub(super) judging: Judging,
    /// Exit with 0 where nothing is missing but approvals: for hooks, which run before anybody can have reviewed
    #[arg(long, requires = "staged")]
    pub(super) approvals_later: bool,
    /// Judge as if it were then, such as 2026-12-24T12:00:00Z: for tests of freezes and waivers. The report says so; refused
    /// where it could open a gate: in continuous integration, with --pull-request, --state or --audit
    #[arg(long, value_name = "TIME", value_parser = instant, conflicts_with_all = ["pull_request", "state", "audit"])]
    pub(super) now: Option<u64>,
    /// Judge only this part of the configurations, such as 2/8, for `portcullis merge` to join. What it says is no pass: the
    /// exit code is 3, or 1 where something blocks
    #[arg(long, value_name = "K/N", value_parser = shard, conflicts_with_all = ["plan", "state", "approvals_later"])]
    pub(super) shard: Option<Shard>,
    #[command(flatten)]
    pub(super) log: Log,
    #[command(flatten)]
    pub(super) notice: Notice,
    #[command(flatten)]
    pub(super) reporting: Reporting,
}

/// What is judged, and by what.
#[derive(Debug, Args)]
pub(super) struct Judging {
    #[command(flatten)]
    pub(super) sides: SideArguments,
    /// What is in force: a file or folder, without git
    #[arg(long, value_name = "PATH", requires = "new", conflicts_with_all = ["staged", "base"])]
    pub(super) old: Option<PathBuf>,
    /// What is proposed: a file or folder, without git
    #[arg(long, value_name = "PATH", requires = "old")]
    pub(super) new: Option<PathBuf>,
    /// A Terraform plan as JSON: what is there before and after it. The policy comes from git, or is given by --policy
    #[arg(long, value_name = "FILE", conflicts_with_all = ["old", "staged"])]
    pub(super) plan: Option<PathBuf>,
    /// Which configuration of the policy the plan is of, where several are Terraform
    #[arg(long, value_name = "NAME", requires = "plan")]
    pub(super) configuration: Option<String>,
    /// How old the plan may be: 90m, 24h, 7d; an older one, or one that does not say, is undecided. Where the policy says
    /// less (`plan: {max_age: 24h}`), that holds
    #[arg(long, value_name = "AGE", requires = "plan", value_parser = crate::policy::parse_age)]
    pub(super) max_age: Option<std::time::Duration>,
    /// The policy: a path in the base side; with --old and --new, or --plan, a file
    #[arg(long, value_name = "FILE")]
    pub(super) policy: Option<PathBuf>,
    /// The pull request whose approvals count [default in GitHub Actions: that of the event]
    #[arg(long, value_name = "NUMBER", conflicts_with_all = ["staged", "old"])]
    pub(super) pull_request: Option<u64>,
    /// The file in which it is kept how often removals were seen (`stable` of deletion-limit); made where there is none
    #[arg(long, value_name = "FILE")]
    pub(super) state: Option<PathBuf>,
    #[command(flatten)]
    pub(super) forge: ForgeArguments,
}

/// Which repository at GitHub. The token comes from PORTCULLIS_TOKEN or GITHUB_TOKEN
#[derive(Debug, Args)]
pub(super) struct ForgeArguments {
    /// The repository at GitHub [default: GITHUB_REPOSITORY]
    #[arg(long, value_name = "OWNER/NAME")]
    pub(super) github: Option<String>,
    /// Where GitHub's interface is, such as https://HOST/api/v3 [default: GITHUB_API_URL, else https://api.github.com]
    #[arg(long, value_name = "URL")]
    pub(super) api_url: Option<String>,
}

/// See whether the settings at GitHub let anybody around the gate
#[derive(Debug, Args)]
#[command(after_help = "\
Reads rulesets, branch protection, environments and what workflows may do, and changes nothing. What the token may not
see is unknown, never taken to hold; most of it needs a token that may administer the repository.
Exits 0 when all holds, 1 when something does not, 3 when something is unknown.

Examples:
  GITHUB_TOKEN=… portcullis doctor --github acme/firewalls
  portcullis doctor --github acme/firewalls --branch main --check-name portcullis --output json")]
pub(super) struct Doctor {
    /// The branch [default: the default branch]
    #[arg(long, value_name = "BRANCH")]
    pub(super) branch: Option<String>,
    /// The required check that runs the gate [default: any]
    #[arg(long, value_name = "NAME")]
    pub(super) check_name: Option<String>,
    /// How to answer
    #[arg(long, short, value_enum, default_value_t = DoctorOutput::Text)]
    pub(super) output: DoctorOutput,
    #[command(flatten)]
    pub(super) forge: ForgeArguments,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum DoctorOutput {
    /// For people
    Text,
    /// For programs
    Json,
}

#[derive(Debug, Args)]
pub(super) struct SideArguments {
    /// Judge the index, i.e. what the next commit will hold
    #[arg(long, conflicts_with_all = ["base"])]
    pub(super) staged: bool,
    /// What is in force: a commit, branch or tag
    #[arg(long, value_name = "REV")]
    pub(super) base: Option<String>,
    /// What is proposed: a commit, branch or tag [default with --base: HEAD]
    #[arg(long, value_name = "REV", requires = "base")]
    pub(super) head: Option<String>,
}

/// Look for what is wrong on one side alone: rules that never apply, names that nothing declares and so on
#[derive(Debug, Args)]
#[command(after_help = "\
Every check that needs no change to look at is asked: those of the policy that can be, and those that always apply
(shadowed-rules, redundant-rules, separate-flush, undefined-references, unreadable). Exits 0 when nothing blocks,
1 when something does, 2 for an error of usage or policy, 3 when something could not be found out.

Examples:
  portcullis lint                               the work tree, with its portcullis.yaml
  portcullis lint --rev origin/main             a commit, branch or tag
  portcullis lint --path rules.v4               one file, without git and policy
  portcullis lint --path hosts/ --output json   every file of a folder
  portcullis lint --deny-warnings               also warnings end in exit code 1
  portcullis lint --only-new --base origin/main what a branch brings")]
pub(super) struct Lint {
    #[command(flatten)]
    pub(super) subject: Subject,
    /// Let findings block that only warn
    #[arg(long)]
    pub(super) deny_warnings: bool,
    /// Only findings that base does not have, by their fingerprints: as often as it has one, it is known
    #[arg(long, conflicts_with = "path")]
    pub(super) only_new: bool,
    /// What is known already: a commit, branch or tag, looked at by the same policy [default: HEAD]
    #[arg(long, value_name = "REV", requires = "only_new")]
    pub(super) base: Option<String>,
    #[command(flatten)]
    pub(super) reporting: Reporting,
}

/// One side to look at.
#[derive(Debug, Args)]
pub(super) struct Subject {
    /// Look at this commit, branch or tag instead of the work tree
    #[arg(long, value_name = "REV", conflicts_with = "path")]
    pub(super) rev: Option<String>,
    /// Look at this file or folder, without git
    #[arg(long, value_name = "FILE|FOLDER")]
    pub(super) path: Option<PathBuf>,
    /// The policy: a path in the side that is looked at; with --path a file [default with --path: none]
    #[arg(long, value_name = "FILE")]
    pub(super) policy: Option<PathBuf>,
    /// The format of the files, where it cannot be told from them
    #[arg(long, value_name = "FORMAT", value_parser = format_named, requires = "path", conflicts_with = "policy")]
    pub(super) format: Option<FormatId>,
}

/// Hold what is expected of packets and requests against a configuration: each flow is a set, and all of it must pass
/// or be stopped
#[derive(Debug, Args)]
#[command(after_help = "\
Expectations stand in files called flows.yaml or NAME.flows.yaml beside the configuration, or in FILEs:

  version: 1
  expectations:
    - name: the interface within                   # may be left out
      in: [edge/input]                             # configurations, filters or listeners; all if left out
      allow: [\"tcp 10.255.0.0/16 -> any:8443\"]
      deny: [\"tcp any -> any:22\"]
    - in: [lb]
      requests: {\"GET https://example.org/api/x\": backend api, \"GET https://example.org/admin\": refused}

Names of networks are those of the policy. `portcullis explain expected-flows` tells what exactly is held.
Exits 0 when every expectation holds, 1 when one does not, 2 for an error in a file or the policy, 3 when it could not
be found out, or there is no expectation.

Examples:
  portcullis test                                       the work tree, with its portcullis.yaml
  portcullis test edge/edge.flows.yaml
  portcullis test --path rules.v4 expected.flows.yaml   one file, without git and policy
  portcullis test --output text --output json=flows.json")]
pub(super) struct Test {
    /// Files of expectations [default: every flows.yaml and *.flows.yaml]
    #[arg(value_name = "FILE")]
    pub(super) files: Vec<PathBuf>,
    #[command(flatten)]
    pub(super) subject: Subject,
    #[command(flatten)]
    pub(super) reporting: Reporting,
}

/// Show exactly what differs between two configurations, in packets
#[derive(Debug, Args)]
#[command(after_help = "\
Exits 0 when no packet is treated differently, 1 when some are, 3 when that could not be found out.

Examples:
  portcullis diff old.rules new.rules
  portcullis diff HEAD:hosts/web1.rules hosts/web1.rules
  portcullis diff main:hosts feature:hosts
  portcullis diff hosts/web1.nft live:nft
  portcullis diff <(ssh web1 iptables-save) hosts/web1.rules --output json")]
pub(super) struct Diff {
    /// What is in force: a file, a folder, REV:PATH in git, live:nft or live:iptables (a folder of rules.v4 and rules.v6)
    pub(super) old: String,
    /// What is proposed
    pub(super) new: String,
    /// Configurations and names of networks and services from this policy
    #[arg(long, value_name = "FILE")]
    pub(super) policy: Option<PathBuf>,
    /// The format of the files, where it cannot be told from them
    #[arg(long, value_name = "FORMAT", value_parser = format_named)]
    pub(super) format: Option<FormatId>,
    /// Read what is in force in this network namespace [default: the host's, and only there]
    #[arg(long, value_name = "NAME|FILE")]
    pub(super) netns: Option<PathBuf>,
    #[command(flatten)]
    pub(super) outputs: Outputs,
}

/// Verify that what is in force on hosts is what is expected, by meaning
#[derive(Debug, Args)]
#[command(after_help = "\
Reads what is in force on this host, or dumps of it, and never believes that an empty answer means that all is well.
Exits 0 when what is in force is what is expected, proved for every packet, 4 when it is not, 3 when that is not known
(no tool, no permission, another network namespace, an old dump, something that is not understood), 2 for an error of usage.

Tables that are expected by nobody are a difference. Those of other programs are declared: --foreign for tables that may
be there as long as they decide nothing first, --foreign-first for those that may do that too. In iptables the chains of
others are named TABLE/CHAIN.

Examples:
  portcullis verify --expected HEAD:hosts/web1.nft --live live:nft
  portcullis verify --expected HEAD:hosts/web1.nft --live live:nft --persisted
  portcullis verify --record review.json --tree /srv/network --expected hosts/web1.nft --live live:nft --persisted
  portcullis verify --expected /etc/nftables.conf --live live:nft --foreign-first 'ip docker*'
  portcullis verify --expected rules.v4 --expected rules.v6 --live live:iptables --foreign-first '*/DOCKER*'
  portcullis verify --expected HEAD:lb/haproxy.cfg --live live:haproxy:/run/haproxy/admin.sock
  portcullis verify --expected hosts/web1.rules --live web1.dump --max-age 10m
  portcullis verify --expected hosts/ --fleet dumps/ --inventory hosts.txt --output json")]
pub(super) struct Verify {
    /// What should be in force: a file, a folder, or REV:PATH in git; with --record, a path below --tree; repeatable
    /// (rules.v4 and rules.v6)
    #[arg(long, value_name = "REV:PATH|PATH", required = true)]
    pub(super) expected: Vec<String>,
    /// Expect what was reviewed: the files of --tree have to be byte for byte those that this record is of
    #[arg(long, value_name = "FILE", requires = "tree", conflicts_with_all = ["fleet", "format", "owned"])]
    pub(super) record: Option<PathBuf>,
    /// What the expected files are part of: a folder, or a commit, branch or tag
    #[arg(long, value_name = "FOLDER|REV", requires = "record")]
    pub(super) tree: Option<String>,
    #[command(flatten)]
    pub(super) whom: Whom,
    /// What is in force: live:nft, live:iptables, live:haproxy:SOCKET, or a dump of one host
    #[arg(long, value_name = "live:nft|live:iptables|live:haproxy:SOCKET|PATH", conflicts_with = "fleet")]
    pub(super) live: Option<String>,
    /// The file that HAProxy was started with, where the process cannot say it or the file was written since; repeatable
    #[arg(long, value_name = "FILE", requires = "live")]
    pub(super) started_with: Vec<PathBuf>,
    /// A folder with one dump a host: HOST, HOST.nft, HOST.rules, or a folder HOST. In a folder, what is expected of each
    /// is called likewise
    #[arg(long, value_name = "DIR", requires = "inventory")]
    pub(super) fleet: Option<PathBuf>,
    /// The hosts that there are, one on each line; one without a dump is not verified
    #[arg(long, value_name = "FILE", requires = "fleet")]
    pub(super) inventory: Option<PathBuf>,
    /// Of what is expected only this table counts; repeatable [default: all]
    #[arg(long, value_name = "TABLE")]
    pub(super) owned: Vec<String>,
    /// This table of another program may be there, as long as it decides nothing first; repeatable, `*` for anything
    #[arg(long, value_name = "TABLE")]
    pub(super) foreign: Vec<String>,
    /// This table of another program may be there, and decide first; repeatable, `*` for anything
    #[arg(long, value_name = "TABLE")]
    pub(super) foreign_first: Vec<String>,
    /// The policy that names tables of others (`foreign_tables`), besides those that are named here
    #[arg(long, value_name = "FILE|REV:PATH")]
    pub(super) policy: Option<String>,
    /// How old a dump may be: 90s, 10m, 24h
    #[arg(long, value_name = "AGE", value_parser = crate::policy::parse_age)]
    pub(super) max_age: Option<std::time::Duration>,
    /// Read the rules of this network namespace [default: the host's, and only there]
    #[arg(long, value_name = "NAME|FILE")]
    pub(super) netns: Option<PathBuf>,
    /// Verify too what a reboot would load: /etc/nftables.conf or /etc/iptables/rules.v4 and rules.v6, loaded into a network
    /// namespace of its own, and the unit that loads them: enabled, before the network, and the only one
    #[arg(long, requires = "live")]
    pub(super) persisted: bool,
    /// Where those files and units are [default: /]
    #[arg(long, value_name = "DIR", requires = "persisted")]
    pub(super) root: Option<PathBuf>,
    /// The format of what is expected, where it cannot be told from it
    #[arg(long, value_name = "FORMAT", value_parser = format_named)]
    pub(super) format: Option<FormatId>,
    /// How to answer
    #[arg(long, short, value_name = "FORMAT", value_enum, default_value_t = VerifyOutput::Text)]
    pub(super) output: VerifyOutput,
}

/// How to answer whether hosts are what they should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum VerifyOutput {
    /// For people
    Text,
    /// For programs
    Json,
}

/// Show which rule decides a packet, or which route a request, hop by hop
#[derive(Debug, Args)]
#[command(after_help = "\
A packet is PROTOCOL SOURCE -> DESTINATION:PORT; state, interfaces and the rest may follow. What is left out is
usual: source port 40000, state new, interfaces that can occur. A request to a balancer is METHOD URL; `from ADDRESS`,
`via ADDRESS:PORT` (where it goes) and `sni NAME` may follow.

Examples:
  portcullis trace rules.v4/input 'tcp 203.0.113.9 -> 192.0.2.1:22'
  portcullis trace rules.v4 'udp 10.0.0.7:53 -> 10.0.0.1:53 established in eth1' --filter input
  portcullis trace hosts/web1 'icmp 10.0.0.7 -> 10.0.0.1 type 8/0' --filter input --base origin/main
  portcullis trace rules.v4/input 'tcp 203.0.113.9 -> 192.0.2.1:22' --assume '-m recent --rcheck'
  portcullis trace haproxy.cfg 'GET https://example.org/api/x from 203.0.113.9'")]
pub(super) struct Trace {
    /// A file, REV:PATH, live:nft, live:iptables, or a configuration of the policy, with or without /FILTER
    #[arg(value_name = "CONFIG")]
    pub(super) configuration: String,
    /// The packet or request
    pub(super) packet: String,
    /// The filter or listener, where there are several
    #[arg(long, value_name = "FILTER")]
    pub(super) filter: Option<String>,
    /// Take this condition, of which the file does not say whether it holds, to hold
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    pub(super) assume: Vec<String>,
    /// Take this condition not to hold
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    pub(super) assume_not: Vec<String>,
    /// Show this revision as well, as what is in force
    #[arg(long, value_name = "REV")]
    pub(super) base: Option<String>,
    /// The format of the file, where it cannot be told from it
    #[arg(long, value_name = "FORMAT", value_parser = format_named)]
    pub(super) format: Option<FormatId>,
    /// Read what is in force in this network namespace [default: the host's, and only there]
    #[arg(long, value_name = "NAME|FILE")]
    pub(super) netns: Option<PathBuf>,
    #[command(flatten)]
    pub(super) outputs: Outputs,
}

/// Show how a file is understood: its filters, chains and rules, and what is not understood
#[derive(Debug, Args)]
#[command(
    after_help = "Exits 0 when all of it is understood, else 3.\n\nExamples:\n  portcullis parse rules.v4\n  portcullis parse main:hosts/web1.rules"
)]
pub(super) struct Parse {
    /// A file, or REV:PATH in git
    pub(super) file: String,
    /// The format of the file, where it cannot be told from it
    #[arg(long, value_name = "FORMAT", value_parser = format_named)]
    pub(super) format: Option<FormatId>,
}

#[derive(Debug, Subcommand)]
pub(super) enum FeedCommand {
    Update(FeedUpdate),
}

/// Show what a newer list would change: its prefixes, its digest, and which filters would lack some of them
#[derive(Debug, Args)]
#[command(after_help = "\
Nothing is fetched: the newer list is a file. Nothing is written without --write.
Exits 0 when every filter would let all of the new list pass that has to, 1 when one would not, 2 for an error of usage
or policy, 3 when the new list cannot be read as one (empty, cut short, older).

Examples:
  curl -sSo new.json https://ip-ranges.amazonaws.com/ip-ranges.json
  portcullis feed update s3 --from new.json
  portcullis feed update s3 --from new.json --write policy    first, in a change of its own, where a digest is pinned
  portcullis feed update s3 --from new.json --write feed")]
pub(super) struct FeedUpdate {
    /// The network of the policy that the list is part of, or the path of the list
    #[arg(value_name = "NAME")]
    pub(super) name: String,
    /// The newer list
    #[arg(long, value_name = "FILE")]
    pub(super) from: PathBuf,
    /// The policy: a path in the work tree, or in the folder of --path
    #[arg(long, value_name = "FILE")]
    pub(super) policy: Option<PathBuf>,
    /// Look at this folder, without git
    #[arg(long, value_name = "FOLDER")]
    pub(super) path: Option<PathBuf>,
    /// What to write: the list, or the policy with the new digest; repeatable
    #[arg(long, value_name = "WHAT")]
    pub(super) write: Vec<FeedPart>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum FeedPart {
    /// The list
    Feed,
    /// The digests that the policy pins of it
    Policy,
}

#[derive(Debug, Args)]
pub(super) struct Outputs {
    /// How to answer: text, json, sarif, github, markdown, junit, gitlab or html, to standard output or =FILE; repeatable
    /// [default: text]
    #[arg(long = "output", short, value_name = "FORMAT[=FILE]", value_parser = output_named)]
    pub(super) outputs: Vec<Target>,
}

/// How a report is written.
#[derive(Debug, Args)]
pub(super) struct Reporting {
    #[command(flatten)]
    pub(super) outputs: Outputs,
    /// Write everything to a file that only its owner may read, also where the outputs leave out what strangers must not
    /// see (`report: {visibility}` of the policy); repeatable
    #[arg(long = "full-output", value_name = "FORMAT=FILE", value_parser = output_in_file)]
    pub(super) full: Vec<Target>,
}

/// One way to answer, and where it goes.
#[derive(Debug, Clone)]
pub(super) struct Target {
    pub(super) output: &'static Output,
    /// `None`: standard output.
    pub(super) file: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Shape {
    /// The policy file, portcullis.yaml
    Policy,
    /// What --output json prints
    Report,
}

/// The id of a format that exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FormatId(pub(super) &'static str);

fn instant(text: &str) -> Result<u64, String> {
    crate::facts::seconds(text)
        .ok_or_else(|| format!("`{text}` is no instant: write it in UTC, such as 2026-12-24T12:00:00Z"))
}

fn output_named(text: &str) -> Result<Target, String> {
    let (name, file) = match text.split_once('=') {
        Some((_, "")) => return Err("a file name is missing after `=`".to_owned()),
        Some((name, file)) => (name, Some(PathBuf::from(file))),
        None => (text, None),
    };
    let output = report::output(name).map_err(|unknown| match unknown.help() {
        Some(help) => format!("{unknown}; {help}"),
        None => unknown.to_string(),
    })?;
    Ok(Target { output, file })
}

fn output_in_file(text: &str) -> Result<Target, String> {
    let target = output_named(text)?;
    match target.file {
        Some(_) => Ok(target),
        None => Err(format!("a file is missing: write {text}=FILE")),
    }
}

fn format_named(text: &str) -> Result<FormatId, String> {
    let known: Vec<&str> = crate::formats::FORMATS.iter().map(|format| format.id()).collect();
    match crate::formats::format(text) {
        Some(format) => Ok(FormatId(format.id())),
        None => Err(format!("there is no format `{text}`; {}", crate::text::suggest(text, &known))),
    }
}
