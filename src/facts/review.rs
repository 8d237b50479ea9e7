//! What a forge knows of a change that is proposed: who made it, and who said what of it. Plain facts, as they were
//! told: nothing here decides who counts.

use super::{Maker, MissingFact};
use crate::policy::Roster;
use std::collections::{BTreeMap, BTreeSet};

/// What is known of the review of a change.
#[derive(Debug, Clone, Default)]
pub enum Reviewed {
    /// Nobody was asked: there is no forge at hand, as in a run on an engineer's machine.
    #[default]
    Unasked,
    /// The pull requests that make up the change: one, or those of a merge group. Each is approved for itself.
    Known(Vec<PullRequest>),
    /// It could not be found out.
    Unknown(MissingFact),
}

/// One pull request at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PullRequest {
    /// The number of the repository that it is to be merged into.
    pub repository: u64,
    /// Its number there.
    pub number: u64,
    /// The branch that it is to be merged into: `main`.
    pub base_ref: String,
    /// The tip of that branch.
    pub base: String,
    /// The commit that is proposed.
    pub head: String,
    /// Whether it is still a draft.
    pub draft: bool,
    /// Who opened it.
    pub author: Account,
    /// Who pushed what is proposed now.
    pub last_pusher: Result<Account, MissingFact>,
    /// Every commit that is in `head` and not in `base`, whatever parent it is reached by.
    pub commits: Vec<Commit>,
    /// Every review of this pull request, the oldest first.
    pub reviews: Vec<Review>,
    /// The commits, of those that reviews are about, whose merge into `base` gives byte for byte what the merge of `head`
    /// gives, in all that the configurations are made of. Found out from the objects, not asked of the forge.
    pub same_result: BTreeSet<String>,
    /// What everybody who approved or asked for changes may do in the repository, by the number of the account.
    /// What others may do is unknown.
    pub roles: BTreeMap<u64, Result<Role, MissingFact>>,
    /// Which of those are active members of each team that the policy names, by `organisation/team`: numbers of accounts.
    pub teams: BTreeMap<String, Result<BTreeSet<u64>, MissingFact>>,
}

impl PullRequest {
    /// Who made it: whoever opened it, pushed it, or has a commit in it.
    pub(super) fn maker(&self, roster: &Roster) -> Maker {
        let Self { author, last_pusher, commits, .. } = self;
        let of = |account: &Option<Account>| account.as_ref().map_or(Maker::Unknown, |account| account.maker(roster));
        let pushed = last_pusher.as_ref().map_or(Maker::Unknown, |account| account.maker(roster));
        let made = commits.iter().flat_map(|Commit { id: _, author, committer, co_authors }| {
            [of(author), of(committer)].into_iter().chain(co_authors.iter().map(|co| of(&co.account)))
        });
        let made = made.max().unwrap_or(Maker::Unknown);
        author.maker(roster).max(pushed).max(made)
    }
}

impl Account {
    fn maker(&self, roster: &Roster) -> Maker {
        match self.kind {
            AccountKind::User if !roster.is_bot(&self.login) => Maker::Person,
            AccountKind::User | AccountKind::Bot => Maker::Program,
            AccountKind::Other => Maker::Unknown,
        }
    }
}

/// An account at a forge. The number is who it is: names change hands.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Account {
    /// Its number.
    pub id: u64,
    /// Its name.
    pub login: String,
    /// Whether a person or a program has it.
    pub kind: AccountKind,
}

/// Who has an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum AccountKind {
    /// A person, as far as the forge knows.
    User,
    /// A program.
    Bot,
    /// Something else: an organisation, a mannequin.
    Other,
}

/// A commit and those who made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// Its id.
    pub id: String,
    /// Whose work it is; `None`: its address belongs to no account.
    pub author: Option<Account>,
    /// Who committed it; `None`: its address belongs to no account.
    pub committer: Option<Account>,
    /// Those whom its message names as co-authors, each with the account that the address belongs to.
    pub co_authors: Vec<CoAuthor>,
}

/// Somebody whom a `Co-authored-by` trailer names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CoAuthor {
    /// The trailer's value: `Ann <ann@example.org>`.
    pub name: String,
    /// The account; `None`: it is not known whose the address is.
    pub account: Option<Account>,
}

/// One review.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Review {
    /// Its number.
    pub id: u64,
    /// Whose it is; `None`: the account is deleted.
    pub by: Option<Account>,
    /// What it says.
    pub state: ReviewState,
    /// The commit that was proposed when it was given; `None`: the forge does not know any more.
    pub commit: Option<String>,
    /// The branch that the pull request was to be merged into when it was given; `None`: that cannot be told.
    pub base_ref: Option<String>,
    /// When, in UTC as RFC 3339 has it.
    pub submitted: String,
}

/// What a review says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ReviewState {
    /// The change may go on.
    Approved,
    /// It may not.
    ChangesRequested,
    /// Neither.
    Commented,
    /// It was taken back by somebody. The reviewer has no opinion then, not even an earlier one.
    Dismissed,
    /// It is not given yet.
    Pending,
}

/// What an account may do in a repository, the least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Nothing beyond what everybody may.
    None,
    /// Read.
    Read,
    /// Read, and sort issues.
    Triage,
    /// Write.
    Write,
    /// Write, and settings that are not about safety.
    Maintain,
    /// Everything.
    Admin,
}
