use super::arguments::{Judging, Reporting};
use super::notice::Notice;
use clap::{Args, Subcommand};
use std::path::PathBuf;
use std::time::Duration;

/// Judge a change like check, and sign a record of it if it passes
#[derive(Debug, Args)]
#[command(after_help = "\
The record says what was reviewed, down to the last byte of every file that is opened where it is put into force; there
`portcullis gate` refuses everything else. It is made only if the change passes, approvals included; the exit code is
that of the decision, as of check. The key is Ed25519: PKCS#8 (`openssl genpkey -algorithm ed25519`), or of OpenSSH.

Examples:
  portcullis attest --base HEAD~1 --repository github.com/acme/network --target-ref refs/heads/main \\
      --environment production --sequence 42 --key gate.pem --record review.json
  portcullis attest --signed-bytes review.json > review.pae          somebody else signs it as well, with any tool of SSH
  ssh-keygen -Y sign -n portcullis -f ~/.ssh/id_ed25519 review.pae
  portcullis attest --add-signature review.pae.sig --record review.json")]
pub(super) struct Attest {
    #[command(flatten)]
    pub(super) judging: Judging,
    #[command(flatten)]
    pub(super) about: About,
    /// The record: the file to write, or the one to add a signature to
    #[arg(long, value_name = "FILE", required_unless_present = "signed_bytes")]
    pub(super) record: Option<PathBuf>,
    /// For how long it holds: 90m, 24h, 30d
    #[arg(long, value_name = "AGE", default_value = "30d", value_parser = crate::policy::parse_age)]
    pub(super) expires: Duration,
    /// What was put into force without a review in this incident is reviewed with it; repeatable
    #[arg(long, value_name = "INCIDENT")]
    pub(super) settles: Vec<String>,
    /// Add this signature, made by `ssh-keygen -Y sign -n portcullis`, to the record
    #[arg(long, value_name = "FILE", conflicts_with_all = ["key", "signed_bytes"])]
    pub(super) add_signature: Option<PathBuf>,
    /// Print the bytes of this record that signatures are over
    #[arg(long, value_name = "FILE", conflicts_with_all = ["key", "record"])]
    pub(super) signed_bytes: Option<PathBuf>,
    #[command(flatten)]
    pub(super) reporting: Reporting,
}

/// What a record is about, and by whom. All of it has to be given where one is made.
#[derive(Debug, Args)]
pub(super) struct About {
    /// The private key that signs it
    #[arg(long, value_name = "FILE")]
    pub(super) key: Option<PathBuf>,
    /// The repository, as the roots of trust call it
    #[arg(long, value_name = "NAME")]
    pub(super) repository: Option<String>,
    /// The branch that the change is for: refs/heads/main
    #[arg(long, value_name = "REF")]
    pub(super) target_ref: Option<String>,
    /// Where it may be put into force
    #[arg(long, value_name = "NAME")]
    pub(super) environment: Option<String>,
    /// Its number, which has to grow from record to record of an environment, e.g. that of the pipeline's run
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(super) sequence: Option<u64>,
    #[command(flatten)]
    pub(super) log: Log,
    #[command(flatten)]
    pub(super) notice: Notice,
}

/// Sign that a change cannot wait for its review
#[derive(Debug, Args)]
#[command(after_help = "\
The change is judged all the same, and the record says what came of that; findings, freezes and missing approvals do not
keep it from being made. It is for one exact state of the files and one environment, for 4 hours at most, and for one
use. Wherever it was used, `portcullis gate` puts nothing else into force until that state, or a newer one, has been reviewed:
`portcullis attest --settles INCIDENT`. Exits 0 when the record is written.

Example:
  portcullis break-glass --base origin/main --incident INC-2041 --reason 'customers cannot reach the API' \\
      --repository github.com/acme/network --target-ref refs/heads/main --environment production \\
      --sequence 43 --key oncall.pem --record emergency.json")]
pub(super) struct BreakGlassArguments {
    #[command(flatten)]
    pub(super) judging: Judging,
    #[command(flatten)]
    pub(super) about: About,
    /// The file to write
    #[arg(long, value_name = "FILE")]
    pub(super) record: PathBuf,
    /// The number of the incident
    #[arg(long, value_name = "ID", value_parser = said::<3>)]
    pub(super) incident: String,
    /// Why it cannot wait, in 20 characters or more
    #[arg(long, value_name = "TEXT", value_parser = said::<20>)]
    pub(super) reason: String,
    /// For how long it holds, at most 4h
    #[arg(long, value_name = "AGE", default_value = "1h", value_parser = crate::policy::parse_age)]
    pub(super) expires: Duration,
    #[command(flatten)]
    pub(super) reporting: Reporting,
}

/// Let through what was reviewed, and nothing else: where it is put into force, without a network
#[derive(Debug, Args)]
#[command(after_help = "\
Verifies, in this order: signatures by enough people that the roots of trust name, what the record is, that it is for this
repository, branch and environment, that the files are byte for byte those that were reviewed (none differs, is missing or
extra), that neither it nor a later one was used here, that it holds, and that the change passed. Then it is used up.
Exits 0 when it may be put into force, 1 when it is refused, 2 for an error of usage or of the roots of trust, 3 when
something could not be found out (no state, files that cannot be read).

The roots of trust, /etc/portcullis/roots.json, belong to the host:
  {\"version\": 1, \"serial\": 1, \"expires\": \"2027-06-01T00:00:00Z\",
   \"repository\": \"github.com/acme/network\", \"targetRef\": \"refs/heads/main\",
   \"keys\": [{\"person\": \"ci\", \"role\": \"gate\", \"key\": \"ssh-ed25519 AAAA…\"},
            {\"person\": \"alice\", \"role\": \"reviewer\", \"key\": \"ssh-ed25519 AAAA…\"},
            {\"person\": \"bob\", \"role\": \"break_glass\", \"key\": \"sk-ssh-ed25519@openssh.com AAAA…\"}],
   \"tiers\": [{\"name\": \"critical\", \"gate\": 1, \"reviewer\": 1, \"breakGlass\": 1}],
   \"environments\": [{\"name\": \"production\", \"tier\": \"critical\", \"minEpoch\": 0}],
   \"revoked\": {\"keys\": [], \"people\": []}}

Examples:
  portcullis gate --record review.json --tree /srv/network --environment production
  portcullis gate --record review.json --tree . --new-state                the first time on this host
  portcullis gate --record review.json --tree . --copy-to /run/reviewed && nft -f /run/reviewed/edge/main.nft")]
pub(super) struct Gate {
    /// The record
    #[arg(long, value_name = "FILE")]
    pub(super) record: PathBuf,
    /// What is to be put into force: a folder, or a commit, branch or tag
    #[arg(long, value_name = "FOLDER|REV", required_unless_present = "plan", conflicts_with = "plan")]
    pub(super) tree: Option<String>,
    /// What is to be put into force: a Terraform plan as JSON, `terraform show -json` of the plan that is applied
    #[arg(long, value_name = "FILE")]
    pub(super) plan: Option<PathBuf>,
    #[command(flatten)]
    pub(super) trust: Trust,
    /// Write the verified files into this new folder, from the same bytes: use those, and nobody can swap one in between
    #[arg(long, value_name = "FOLDER")]
    pub(super) copy_to: Option<PathBuf>,
    /// Verify everything and use nothing up
    #[arg(long)]
    pub(super) dry_run: bool,
    #[command(flatten)]
    pub(super) log: Log,
    #[command(flatten)]
    pub(super) notice: Notice,
}

/// What this host holds a record against.
#[derive(Debug, Args)]
pub(super) struct Trust {
    #[command(flatten)]
    pub(super) whom: Whom,
    /// What was put into force here last
    #[arg(long, value_name = "FILE", default_value = "/var/lib/portcullis/state.json")]
    pub(super) state: PathBuf,
    /// Nothing was ever put into force here: begin a state
    #[arg(long)]
    pub(super) new_state: bool,
}

/// Whose records count.
#[derive(Debug, Args)]
pub(super) struct Whom {
    /// Whom this host trusts
    #[arg(long, value_name = "FILE", default_value = "/etc/portcullis/roots.json")]
    pub(super) roots: PathBuf,
    /// Where this is; may be left out where the roots of trust know one environment
    #[arg(long, value_name = "NAME")]
    pub(super) environment: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct Log {
    /// Write down what was decided, in this chained log
    #[arg(long, value_name = "FILE")]
    pub(super) audit: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(super) enum RootsCommand {
    Sign(RootsSign),
    Accept(RootsAccept),
}

/// Sign roots of trust that are to take the place of others
#[derive(Debug, Args)]
#[command(after_help = "\
The envelope is made, or gets one signature more. People with keys of SSH sign it as they sign records.

Examples:
  portcullis roots sign --new roots.json --key alice.pem --envelope roots.signed.json
  portcullis attest --signed-bytes roots.signed.json > roots.pae
  ssh-keygen -Y sign -n portcullis -f ~/.ssh/id_ed25519 roots.pae
  portcullis attest --add-signature roots.pae.sig --record roots.signed.json")]
pub(super) struct RootsSign {
    /// The new roots
    #[arg(long, value_name = "FILE")]
    pub(super) new: PathBuf,
    /// The private key
    #[arg(long, value_name = "FILE")]
    pub(super) key: PathBuf,
    /// Where they are with their signatures
    #[arg(long, value_name = "FILE")]
    pub(super) envelope: PathBuf,
}

/// Let roots of trust take the place of those of this host
#[derive(Debug, Args)]
#[command(after_help = "\
So many people as `threshold` says have to have signed with keys of the role `root`: of the present roots, and of the new ones.
The serial has to be higher. Exits 0 when they have taken their place, 1 when they may not, 2 when the present ones are wrong, 3 when
something cannot be read or written; but for 0, nothing has changed.

Example:
  portcullis roots accept --roots /etc/portcullis/roots.json --envelope roots.signed.json")]
pub(super) struct RootsAccept {
    /// The roots of this host
    #[arg(long, value_name = "FILE")]
    pub(super) roots: PathBuf,
    /// The new ones with their signatures
    #[arg(long, value_name = "FILE")]
    pub(super) envelope: PathBuf,
}

#[derive(Debug, Subcommand)]
pub(super) enum AuditCommand {
    Verify(AuditVerify),
}

/// Look whether an audit log follows from its beginning
#[derive(Debug, Args)]
#[command(after_help = "\
Finds lines that were edited, removed from its middle, or moved. That lines are gone from its end is found with a head
that the log once had, which every record of a review names (`auditHead`).
Exits 0 when it follows, 1 when it does not, 3 when it cannot be read.

Examples:
  portcullis audit verify audit.jsonl
  portcullis audit verify audit.jsonl --expect-head 4fd2…")]
pub(super) struct AuditVerify {
    /// The log
    #[arg(value_name = "FILE")]
    pub(super) log: PathBuf,
    /// A head that it has had; repeatable
    #[arg(long, value_name = "HASH")]
    pub(super) expect_head: Vec<String>,
}

/// A text that says something.
fn said<const LEAST: usize>(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.chars().count() >= LEAST {
        Ok(text.to_owned())
    } else {
        Err(format!("say it in {LEAST} characters or more"))
    }
}
