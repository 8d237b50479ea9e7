//! What GitHub knows of a change (github.com, and GitHub Enterprise Server at `/api/v3`).
//!
//! Whatever cannot be found out within the [`Limits`] is a missing fact, never an empty answer: an answer counts only if
//! it has the form that is published, a list only if every page of it was seen. Nothing is asked of any other place
//! than the one that is configured, and the token goes nowhere else.
//!
//! Another forge (GitLab) would be a second module beside this one that fills the same [`Reviewed`]; there is none yet.

#[cfg(feature = "github")]
mod client;
#[cfg(feature = "github")]
mod fault;
#[cfg(feature = "github")]
mod gather;
#[cfg(feature = "github")]
mod pages;
#[cfg(feature = "github")]
mod people;
#[cfg(feature = "github")]
mod queue;
#[cfg(feature = "github")]
mod settings;
#[cfg(feature = "github")]
mod shapes;

mod place;
mod protection;

pub use place::{Api, BadApi, BadToken, Limits, Token};
pub use protection::{Condition, Holds, Protection};

use super::{MissingFact, Reviewed};
use std::collections::{BTreeMap, BTreeSet};

/// What is asked about a change.
#[derive(Debug)]
pub struct Question {
    /// Where.
    pub api: Api,
    /// On whose behalf; `None`: nobody's, and then nothing is asked.
    pub token: Option<Token>,
    /// How long and how much.
    pub limits: Limits,
    /// The repository: `owner/name`.
    pub repository: String,
    /// Which pull requests.
    pub subject: Subject,
    /// The teams whose members count, as `organisation/team`.
    pub teams: BTreeSet<String>,
    /// The commit that is judged as what is in force.
    pub base: String,
    /// The commit that is judged as what is proposed.
    pub head: String,
}

/// Which pull requests make up a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// The one of that number.
    PullRequest(u64),
    /// Those that a merge queue has put together.
    Group {
        /// The branch that they are to be merged into: `main`.
        branch: String,
        /// The name of the branch that the queue made, as far as it is known. It names the last of them.
        name: Option<String>,
    },
}

/// What is found out of the objects of the repository that is at hand, not asked of the forge.
pub trait Objects {
    /// Every commit that is in `head` and not in `base`, whatever parent it is reached by.
    ///
    /// # Errors
    /// One is not at hand.
    fn commits(&self, base: &str, head: &str) -> Result<Vec<Made>, String>;

    /// Whether `judged` is `head`, or what merging `head` into `base` gives. `forge` tells that the forge itself says
    /// so of `judged`; then it is enough that its parents are those two.
    ///
    /// # Errors
    /// One is not at hand.
    fn is_result(&self, base: &str, head: &str, judged: &str, forge: bool) -> Result<bool, String>;

    /// Those of `others` whose merge into `base` gives what the merge of `head` gives, in all that the configurations are
    /// made of. What cannot be told is not among them.
    fn same_result(&self, base: &str, head: &str, others: &BTreeSet<String>) -> BTreeSet<String>;

    /// Which of the pull requests of those heads `judged` is made of, on top of `base`.
    ///
    /// # Errors
    /// `judged` holds something else as well, or one is not at hand.
    fn queued(&self, base: &str, judged: &str, heads: &BTreeMap<u64, String>) -> Result<BTreeSet<u64>, String>;
}

/// A commit as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// Its id.
    pub id: String,
    /// The parents' ids.
    pub parents: Vec<String>,
    /// The address of its author.
    pub author: String,
    /// The address of its committer.
    pub committer: String,
    /// The values of its `Co-authored-by` trailers.
    pub co_authors: Vec<String>,
    /// The numbers that its first line names: `Close the port (#12)`. Anybody can write any.
    pub numbers: Vec<u64>,
}

/// Finds out who made and who reviewed a change.
#[must_use]
pub fn review(question: &Question, objects: &dyn Objects) -> Reviewed {
    if question.token.is_none() {
        return Reviewed::Unknown(no_token());
    }
    #[cfg(feature = "github")]
    return gather::review(question, objects);
    #[cfg(not(feature = "github"))]
    return without(objects);
}

/// Finds out what protects a branch.
///
/// # Errors
/// Nothing could be asked at all.
pub fn protection(question: &ProtectionQuestion) -> Result<Protection, MissingFact> {
    if question.token.is_none() {
        return Err(no_token());
    }
    #[cfg(feature = "github")]
    return settings::protection(question);
    #[cfg(not(feature = "github"))]
    return Err(not_built());
}

/// What is asked about the settings of a repository.
#[derive(Debug)]
pub struct ProtectionQuestion {
    /// Where.
    pub api: Api,
    /// On whose behalf.
    pub token: Option<Token>,
    /// How long and how much.
    pub limits: Limits,
    /// The repository: `owner/name`.
    pub repository: String,
    /// The branch; `None`: the default branch.
    pub branch: Option<String>,
    /// The name of the required check that runs this program; `None`: any.
    pub context: Option<String>,
}

/// Asks within a runtime of its own.
#[cfg(feature = "github")]
fn asking<T>(
    api: &Api,
    token: Option<&Token>,
    limits: Limits,
    what: &str,
    ask: impl AsyncFnOnce(&client::Client) -> Result<T, fault::Fault>,
) -> Result<T, MissingFact> {
    let token = token.ok_or_else(no_token)?;
    let missing = |fault: fault::Fault| fault.missing(what, token);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|why| missing(fault::Fault::Unreachable(why.to_string())))?;
    let answer = runtime.block_on(async {
        let client = client::Client::new(api, token, limits)?;
        ask(&client).await
    });
    // A name that is still being looked up is not waited for.
    runtime.shutdown_background();
    answer.map_err(missing)
}

fn no_token() -> MissingFact {
    MissingFact {
        what: "who made and who approved the change".to_owned(),
        help: "give a token in GITHUB_TOKEN or PORTCULLIS_TOKEN that may read contents and pull requests; where the \
               policy names teams of the forge, members of the organisation as well"
            .to_owned(),
    }
}

#[cfg(not(feature = "github"))]
fn without(_: &dyn Objects) -> Reviewed {
    Reviewed::Unknown(not_built())
}

#[cfg(not(feature = "github"))]
fn not_built() -> MissingFact {
    MissingFact {
        what: "what GitHub knows of the change".to_owned(),
        help: "this program was built without the feature `github`; install one that was built with it".to_owned(),
    }
}
