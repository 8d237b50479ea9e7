//! Who made and who reviewed a change: the forge is asked what it alone knows, the repository at hand everything else.

use super::arguments::ForgeArguments;
use super::closure;
use super::judge::{self, PolicyPath};
use super::surroundings::Surroundings;
use super::wanted::Policed;
use crate::facts::github::{self, Api, Made, Objects, Question, Subject, Token};
use crate::facts::{MissingFact, Reviewed};
use crate::policy::{Feeds, Policy};
use crate::source::{CommitText, History, Place, Side, Sides, SourceError, Variables, event_number, merge_group};
use crate::text::{SourceMap, escape};
use std::collections::{BTreeMap, BTreeSet};

/// Whom to ask about a change, found out before anything is asked.
pub(super) struct Inquiry {
    place: Place,
    api: Result<Api, MissingFact>,
    token: Result<Option<Token>, MissingFact>,
    limits: github::Limits,
    repository: Result<String, MissingFact>,
    subject: Result<Subject, MissingFact>,
}

impl Inquiry {
    /// What the arguments and a continuous-integration job say; `None`: there is no pull request here.
    pub(super) fn new(number: Option<u64>, arguments: &ForgeArguments, surroundings: &Surroundings) -> Option<Self> {
        let job = surroundings.get("GITHUB_ACTIONS").is_some_and(|value| value == "true");
        let event = surroundings.get("GITHUB_EVENT_NAME").filter(|_| job);
        let subject = match (number, event.as_deref()) {
            (Some(number), _) => Ok(Subject::PullRequest(number)),
            (None, Some("pull_request" | "pull_request_review")) => event_number(surroundings)
                .map(Subject::PullRequest)
                .map_err(|why| unknown("which pull request it is", &why)),
            (None, Some("merge_group")) => match merge_group(surroundings) {
                Ok((branch, name)) => Ok(Subject::Group { branch, name }),
                Err(why) => Err(unknown("which merge group it is", &why)),
            },
            (None, _) => return None,
        };
        let Forge { api, token, repository } = forge(arguments, surroundings);
        Some(Self { place: surroundings.place(), api, token, limits: surroundings.limits, repository, subject })
    }

    /// Asks.
    pub(super) fn ask(&self, sides: &Sides, policy: &Policy, path: &PolicyPath, feeds: &Feeds) -> Reviewed {
        let teams = policy.roster().forge_teams().into_iter().map(ToOwned::to_owned).collect();
        match self.question(sides, teams) {
            Ok(question) => match Local::open(&self.place, policy, path, feeds) {
                Ok(local) => github::review(&question, &local),
                Err(why) => Reviewed::Unknown(unknown("who made the change", &why)),
            },
            Err(missing) => Reviewed::Unknown(missing),
        }
    }

    fn question(&self, sides: &Sides, teams: BTreeSet<String>) -> Result<Question, MissingFact> {
        let commit = |side: &Side, what: &str| {
            side.commit_id().map(ToOwned::to_owned).ok_or_else(|| MissingFact {
                what: format!("which commit is {what}"),
                help: "approvals are for commits: judge two of them (`--base REV --head REV`)".to_owned(),
            })
        };
        Ok(Question {
            base: commit(&sides.base, "in force")?,
            head: commit(&sides.head, "proposed")?,
            api: self.api.clone()?,
            token: self.token.clone()?,
            limits: self.limits,
            repository: self.repository.clone()?,
            subject: self.subject.clone()?,
            teams,
        })
    }
}

/// Where a forge is, and on whose behalf it is asked.
pub(super) struct Forge {
    pub(super) api: Result<Api, MissingFact>,
    pub(super) token: Result<Option<Token>, MissingFact>,
    pub(super) repository: Result<String, MissingFact>,
}

/// What the arguments and the environment say of the forge.
pub(super) fn forge(arguments: &ForgeArguments, surroundings: &Surroundings) -> Forge {
    let address = arguments.api_url.clone().or_else(|| surroundings.get("GITHUB_API_URL"));
    let api = Api::parse(address.as_deref().unwrap_or(Api::GITHUB)).map_err(|why| MissingFact {
        what: "what GitHub says of the change".to_owned(),
        help: format!("{why} (GITHUB_API_URL, --api-url)"),
    });
    let token = surroundings.get("PORTCULLIS_TOKEN").or_else(|| surroundings.get("GITHUB_TOKEN"));
    let token = token.map(|text| Token::new(&text)).transpose().map_err(|why| MissingFact {
        what: "who made and who approved the change".to_owned(),
        help: format!("{why} (PORTCULLIS_TOKEN, GITHUB_TOKEN)"),
    });
    let repository = arguments.github.clone().or_else(|| surroundings.get("GITHUB_REPOSITORY"));
    let repository = repository.filter(|name| is_repository(name)).ok_or_else(|| MissingFact {
        what: "which repository it is".to_owned(),
        help: "name it: `--github OWNER/NAME`".to_owned(),
    });
    Forge { api, token, repository }
}

fn is_repository(name: &str) -> bool {
    let is_name = |part: &str| {
        let plain = part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte));
        plain && !part.is_empty() && !part.bytes().all(|byte| byte == b'.')
    };
    name.split_once('/').is_some_and(|(owner, name)| is_name(owner) && is_name(name))
}

fn unknown(what: &str, why: &SourceError) -> MissingFact {
    let help = miette::Diagnostic::help(why).map(|help| help.to_string()).unwrap_or_default();
    MissingFact { what: format!("{what} ({why})"), help }
}

/// The repository at hand.
struct Local<'l> {
    place: &'l Place,
    history: History,
    policy: &'l Policy,
    /// What is read beside configurations: the policy itself and the lists that it refers to.
    beside: Vec<String>,
}

impl<'l> Local<'l> {
    fn open(place: &'l Place, policy: &'l Policy, path: &PolicyPath, feeds: &Feeds) -> Result<Self, SourceError> {
        let mut beside: Vec<String> = feeds.files().into_iter().map(|feed| feed.path).collect();
        match path {
            PolicyPath::InBase(path) => beside.push(path.clone()),
            PolicyPath::File(_) => {}
        }
        Ok(Self { place, history: History::open(place)?, policy, beside })
    }

    /// What the configurations of the merge of two commits are made of, by path, with whether it may be executed; `None`:
    /// that cannot be told.
    fn result(&self, base: &str, head: &str) -> Option<BTreeMap<String, (Vec<u8>, bool)>> {
        let side = Sides::revisions(self.place, base, head).ok()?.head;
        let mut sources = SourceMap::default();
        let files = side.files(&Policed(self.policy)).ok()?;
        let plan = judge::plan(self.policy, Vec::new(), files.clone(), &mut sources).ok()?;
        let (_, mut inputs) = judge::inputs(&plan);
        closure::of_side(&side, &mut inputs, &mut sources).ok()?;
        let opened = closure::opened(&inputs, &sources);
        let content = |id| (sources.name(id).to_owned(), (sources.bytes(id).to_vec(), sources.is_executable(id)));
        let mut all: BTreeMap<_, _> = opened.into_iter().map(content).collect();
        // Files that only say how others are read, and those beside configurations.
        let mut rest = files;
        for path in &self.beside {
            rest.extend(side.file(path).ok()?);
        }
        all.extend(rest.into_iter().map(|file| (escape(&file.name), (file.bytes, file.executable))));
        Some(all)
    }
}

impl Objects for Local<'_> {
    fn commits(&self, base: &str, head: &str) -> Result<Vec<Made>, String> {
        let commits = self.history.commits(base, head).map_err(|why| why.to_string())?;
        Ok(commits.into_iter().map(made).collect())
    }

    fn is_result(&self, base: &str, head: &str, judged: &str, forge: bool) -> Result<bool, String> {
        self.history.is_result(base, head, judged, forge).map_err(|why| why.to_string())
    }

    fn same_result(&self, base: &str, head: &str, others: &BTreeSet<String>) -> BTreeSet<String> {
        let Some(result) = self.result(base, head) else { return BTreeSet::new() };
        let same = |other: &&String| self.result(base, other).is_some_and(|other| other == result);
        others.iter().filter(same).cloned().collect()
    }

    fn queued(&self, base: &str, judged: &str, heads: &BTreeMap<u64, String>) -> Result<BTreeSet<u64>, String> {
        self.history.queued(base, judged, heads).map_err(|why| why.to_string())
    }
}

fn made(commit: CommitText) -> Made {
    let (co_authors, numbers) = (commit.co_authors(), commit.numbers());
    let CommitText { id, parents, author, committer, message: _ } = commit;
    Made { id, parents, author, committer, co_authors, numbers }
}
