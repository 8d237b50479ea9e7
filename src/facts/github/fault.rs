use super::Token;
use crate::facts::MissingFact;
use crate::text::{beginning, escape};
use std::time::Duration;

/// Why something was not found out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Fault {
    /// The network, or the other end.
    #[error("no connection: {0}")]
    Unreachable(String),
    /// The other end.
    #[error("no answer within {0:?}")]
    Silent(Duration),
    /// All answers together took too long.
    #[error("it took longer than {0:?} altogether")]
    OutOfTime(Duration),
    /// The change is larger than what is looked at.
    #[error("it takes more than {0} requests")]
    TooManyRequests(u32),
    /// The other end.
    #[error("the answer has more than {0} bytes")]
    TooLarge(usize),
    /// The other end.
    #[error("the answer was cut short: {0}")]
    Cut(String),
    /// The answer is something else than what was asked for.
    #[error("the answer has status {0}")]
    Status(u16),
    /// Somebody has asked too often.
    #[error("the rate limit is used up{0}")]
    RateLimit(String),
    /// A proxy or a page to log in.
    #[error("the answer is not JSON but `{0}`")]
    NotJson(String),
    /// The answer does not have the form that is published, or says what is not known.
    #[error("the answer has another form than it should: {0}")]
    Form(String),
    /// A list whose end cannot be trusted.
    #[error("the pages of the list do not follow one another: {0}")]
    Pages(String),
    /// What is judged and what the forge has are two things.
    #[error("{0}")]
    Differs(String),
    /// Something is not in the repository that is at hand.
    #[error("{0}")]
    Local(String),
    /// The answer is that it may not be known, or that it is not there.
    #[error("{0}")]
    Withheld(String),
}

impl Fault {
    /// What to do.
    fn help(&self) -> &'static str {
        match self {
            Self::Unreachable(_) | Self::Silent(_) | Self::OutOfTime(_) | Self::Cut(_) => {
                "see whether GitHub can be reached from here and answers (https://www.githubstatus.com), then run again"
            }
            Self::TooManyRequests(_) | Self::TooLarge(_) => "make the change in several pull requests",
            Self::Status(401) => "the token is not valid (any more); give another in GITHUB_TOKEN or PORTCULLIS_TOKEN",
            Self::Status(403 | 404) => {
                "the token must be one that may read contents, pull requests and metadata of the repository (in GitHub \
                 Actions: `permissions: {contents: read, pull-requests: read}`)"
            }
            Self::Status(300..=399) => "the repository has moved, or the address is wrong; give its new name",
            Self::Status(_) => "run again; if it stays so, see https://www.githubstatus.com",
            Self::RateLimit(_) => "run again later, or with a token of its own in PORTCULLIS_TOKEN",
            Self::NotJson(_) | Self::Form(_) | Self::Pages(_) => {
                "see what answers at that address: a proxy may, or a version of GitHub that this program does not know"
            }
            Self::Differs(_) => {
                "run again on the newest state of the pull request (in GitHub Actions, check out \
                 `refs/pull/NUMBER/merge` with `fetch-depth: 0`)"
            }
            Self::Local(_) => "fetch what is missing (`fetch-depth: 0`, `git fetch origin pull/NUMBER/head`)",
            Self::Withheld(_) => {
                "give a token in PORTCULLIS_TOKEN that may read it (for teams: members of the organisation), or list \
                 `people` in the policy"
            }
        }
    }

    /// The fact that is missing because of it.
    pub(super) fn missing(&self, what: &str, token: &Token) -> MissingFact {
        let text = token.redact(&format!("{what} ({})", beginning(&self.to_string(), 300)));
        MissingFact { what: escape(text.as_bytes()), help: self.help().to_owned() }
    }
}
