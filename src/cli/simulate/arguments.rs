use clap::{Args, ValueEnum};
use std::path::PathBuf;

/// Make mistakes in the configuration and see which of them the policy would let through
#[derive(Debug, Args)]
#[command(after_help = "\
Every mistake is judged as `check` judges a change from what is there: a rule that is deleted, a prefix that is wider,
neighbours that are swapped, lists and chains that are emptied or cut off, files that are empty, cut off or lost, and of
balancers servers that are gone or get no requests, and routes that are gone. Mistakes that are proved to have no effect
do not count. For each that would pass it says what it does, and a check that would stop it, proved by judging again.
What asks for an approval does not pass; --approved shows what only approvals stand against.

Nothing is written anywhere. The same configuration and policy give the same answer.
Exits 0 when no more mistakes than --allow would pass, 1 when more would, 2 for an error of usage or policy, 3 when what
is there cannot be read or does not pass its own policy.

Examples:
  portcullis simulate
  portcullis simulate --rev origin/main --limit 200 --kind deleted-rule --kind lost-file
  portcullis simulate --approved --output json > simulation.json")]
pub(in crate::cli) struct Simulate {
    /// Look at this commit, branch or tag instead of the work tree
    #[arg(long, value_name = "REV", conflicts_with = "path")]
    pub(in crate::cli) rev: Option<String>,
    /// Look at this folder, without git
    #[arg(long, value_name = "FOLDER", requires = "policy")]
    pub(in crate::cli) path: Option<PathBuf>,
    /// The policy: a path in the side that is looked at; with --path a file
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) policy: Option<PathBuf>,
    /// How many mistakes are judged at most: each kind has its share, spread over all places
    #[arg(long, value_name = "NUMBER", default_value_t = 1000)]
    pub(in crate::cli) limit: usize,
    /// Only mistakes of this kind; repeatable
    #[arg(long = "kind", value_name = "KIND", value_parser = kind_named)]
    pub(in crate::cli) kinds: Vec<MistakeKind>,
    /// Let what only an approval stands against count as passed
    #[arg(long)]
    pub(in crate::cli) approved: bool,
    /// How many mistakes may pass
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    pub(in crate::cli) allow: usize,
    /// How to answer
    #[arg(long, short, value_enum, default_value_t = SimulateOutput::Text)]
    pub(in crate::cli) output: SimulateOutput,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum SimulateOutput {
    /// For people
    Text,
    /// For programs
    Json,
}

/// A kind of mistake that exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) struct MistakeKind(pub(super) crate::mutants::Kind);

fn kind_named(text: &str) -> Result<MistakeKind, String> {
    let kinds = crate::mutants::Kind::ALL;
    match kinds.into_iter().find(|kind| kind.name() == text) {
        Some(kind) => Ok(MistakeKind(kind)),
        None => {
            let known = kinds.map(crate::mutants::Kind::name);
            Err(format!("there is no kind of mistake `{text}`; {}", crate::text::suggest(text, &known)))
        }
    }
}
