//! The facts of pull requests, read so that they belong together: what is proposed and what it is to be merged into are
//! looked at first and last.

use super::client::{Client, parts};
use super::fault::Fault;
use super::people::{Makers, People};
use super::queue;
use super::shapes::{CommitItem, Event, Instant, Pull, PullState, Reference, ReviewItem, Sha};
use super::{Made, Objects, Question, Subject};
use crate::facts::{Account, PullRequest, Review, ReviewState, Reviewed};
use std::collections::{BTreeMap, BTreeSet};

/// GitHub tells no more of the commits of a pull request.
const MOST_COMMITS: usize = 250;

pub(super) fn review(question: &Question, objects: &dyn Objects) -> Reviewed {
    let what = match &question.subject {
        Subject::PullRequest(number) => format!("what GitHub says of pull request #{number}"),
        Subject::Group { .. } => "what GitHub says of the pull requests of this group".to_owned(),
    };
    let ask = async |client: &Client| Gathering { question, objects, client }.all().await;
    match super::asking(&question.api, question.token.as_ref(), question.limits, &what, ask) {
        Ok(pulls) => Reviewed::Known(pulls),
        Err(missing) => Reviewed::Unknown(missing),
    }
}

struct Gathering<'g> {
    question: &'g Question,
    objects: &'g dyn Objects,
    client: &'g Client,
}

/// What must not move while the rest is read.
#[derive(PartialEq, Eq)]
struct State {
    pull: Pull,
    tip: Sha,
}

impl Gathering<'_> {
    async fn all(&self) -> Result<Vec<PullRequest>, Fault> {
        for _ in 0..2 {
            let numbers = match &self.question.subject {
                Subject::PullRequest(number) => BTreeSet::from([*number]),
                Subject::Group { branch, name } => {
                    queue::numbers(self.question, self.client, self.objects, branch, name.as_deref()).await?
                }
            };
            let before = self.states(&numbers).await?;
            let people = People::new(self.client, &self.question.repository);
            let mut pulls = Vec::with_capacity(before.len());
            for state in &before {
                pulls.push(self.pull(state, &people).await?);
            }
            if self.states(&numbers).await? == before {
                return Ok(pulls);
            }
        }
        Err(Fault::Differs("it moved twice while it was read".to_owned()))
    }

    async fn states(&self, numbers: &BTreeSet<u64>) -> Result<Vec<State>, Fault> {
        let mut states = Vec::with_capacity(numbers.len());
        let mut tips: BTreeMap<String, Sha> = BTreeMap::new();
        for number in numbers {
            let pull = pull(self.client, &self.question.repository, *number).await?;
            let tip = match tips.get(&pull.base.branch) {
                Some(tip) => tip.clone(),
                None => self.tip(&pull.base.branch).await?,
            };
            tips.insert(pull.base.branch.clone(), tip.clone());
            states.push(State { pull, tip });
        }
        Ok(states)
    }

    async fn tip(&self, branch: &str) -> Result<Sha, Fault> {
        let path = format!("/repos/{}/git/ref/heads/{}", parts(&self.question.repository), parts(branch));
        let Reference { name, object } = self.client.one(&path).await?;
        if name == format!("refs/heads/{branch}") {
            Ok(object.sha)
        } else {
            Err(Fault::Form("it is of another branch".to_owned()))
        }
    }

    async fn pull(&self, State { pull, tip }: &State, people: &People<'_>) -> Result<PullRequest, Fault> {
        let Question { repository, subject, teams, base, head, .. } = self.question;
        let Pull { number, state, draft, user, head: proposed, base: into, merge_commit_sha } = pull;
        let differs = |why: String| Err(Fault::Differs(why));
        let Some(found) = into.repo.as_ref().filter(|found| found.full_name.eq_ignore_ascii_case(repository)) else {
            return differs(format!("it is a pull request of another repository than {repository}"));
        };
        if *state == PullState::Closed {
            return differs("it is closed".to_owned());
        }
        let branch = &into.branch;
        if tip.0 != *base {
            return differs(format!("`{branch}` is at {} now, and what is judged is a change to {base}", tip.0));
        }
        let local = |why| Fault::Local(why);
        match subject {
            Subject::Group { branch: wanted, name: _ } if wanted != branch => {
                return differs(format!("it is to be merged into `{branch}`"));
            }
            Subject::Group { .. } => {}
            Subject::PullRequest(_) => {
                let forge = merge_commit_sha.as_ref().is_some_and(|merge| merge.0 == *head);
                if !self.objects.is_result(base, &proposed.sha.0, head, forge).map_err(local)? {
                    let proposed = &proposed.sha.0;
                    return differs(format!(
                        "it proposes {proposed} now, and {head} is judged, which is something else"
                    ));
                }
            }
        }
        let commits = self.objects.commits(base, &proposed.sha.0).map_err(local)?;
        let commits = self.commits(*number, commits, people).await?;
        let reviews = self.reviews(*number, branch).await?;
        let weighty = |review: &&Review| matches!(review.state, ReviewState::Approved | ReviewState::ChangesRequested);
        let reviewers: BTreeSet<Account> =
            reviews.iter().filter(weighty).filter_map(|review| review.by.clone()).collect();
        let mut roles = BTreeMap::new();
        for account in &reviewers {
            roles.insert(account.id, people.role(account).await);
        }
        let mut members = BTreeMap::new();
        for team in teams {
            members.insert(team.clone(), people.members(team, &reviewers).await);
        }
        let others = reviews.iter().filter_map(|review| review.commit.clone());
        let others: BTreeSet<String> = others.filter(|commit| *commit != proposed.sha.0).collect();
        let same_result = match others.is_empty() {
            true => BTreeSet::new(),
            false => self.objects.same_result(base, &proposed.sha.0, &others),
        };
        Ok(PullRequest {
            repository: found.id,
            number: *number,
            base_ref: branch.clone(),
            base: base.clone(),
            head: proposed.sha.0.clone(),
            draft: *draft,
            author: user.clone().into(),
            last_pusher: people.last_pusher(proposed).await,
            commits,
            reviews,
            same_result,
            roles,
            teams: members,
        })
    }

    /// Adds to the commits, which are those of the objects at hand, whose work they are.
    async fn commits(
        &self,
        number: u64,
        commits: Vec<Made>,
        people: &People<'_>,
    ) -> Result<Vec<crate::facts::Commit>, Fault> {
        if commits.len() > MOST_COMMITS {
            let count = commits.len();
            return Err(Fault::Withheld(format!("it has {count} commits, and GitHub tells of {MOST_COMMITS}")));
        }
        let repository = parts(&self.question.repository);
        let listed: Vec<CommitItem> = self
            .client
            .list(&format!("/repos/{repository}/pulls/{number}/commits"), |item: &CommitItem| Some(item.sha.0.clone()))
            .await?;
        let makers = |CommitItem { sha, author, committer }: CommitItem| -> (Sha, Makers) {
            (sha, (author.0.map(Account::from), committer.0.map(Account::from)))
        };
        let mut known: BTreeMap<Sha, Makers> = listed.into_iter().map(makers).collect();
        for made in &commits {
            if !known.contains_key(&Sha(made.id.clone())) {
                // What is beside the accounts, the files, is not wanted: as few as can be.
                let path = format!("/repos/{repository}/commits/{}?per_page=1", made.id);
                let item: CommitItem = self.client.one(&path).await?;
                let (sha, makers) = makers(item);
                if sha.0 != made.id {
                    return Err(Fault::Form("it is of another commit".to_owned()));
                }
                known.insert(sha, makers);
            }
        }
        let mut addresses = BTreeMap::new();
        for made in &commits {
            if let Some((author, committer)) = known.get(&Sha(made.id.clone())) {
                for (address, account) in [(&made.author, author), (&made.committer, committer)] {
                    if let Some(account) = account {
                        addresses.insert(address.to_ascii_lowercase(), account.clone());
                    }
                }
            }
        }
        let mut all = Vec::with_capacity(commits.len());
        for made in commits {
            let makers = known.get(&Sha(made.id.clone())).cloned().unwrap_or_default();
            all.push(people.commit(made, &makers, &addresses).await?);
        }
        Ok(all)
    }

    async fn reviews(&self, number: u64, branch: &str) -> Result<Vec<Review>, Fault> {
        let repository = parts(&self.question.repository);
        let path = format!("/repos/{repository}/pulls/{number}/reviews");
        let items: Vec<ReviewItem> = self.client.list(&path, |item: &ReviewItem| Some(item.id.to_string())).await?;
        if items.is_empty() {
            return Ok(Vec::new());
        }
        let history = self.history(number).await?;
        let review = |item: ReviewItem| {
            let ReviewItem { id, user, state, commit_id, submitted_at, pull_request_url } = item;
            if !pull_request_url.ends_with(&format!("/pulls/{number}")) {
                return Err(Fault::Form("it is a review of another pull request".to_owned()));
            }
            let submitted = match (state, submitted_at) {
                (_, Some(Instant(instant))) => instant,
                (ReviewState::Pending, None) => String::new(),
                _ => return Err(Fault::Form("a review does not say when it was given".to_owned())),
            };
            // A history that does not even have the review tells nothing of what came after it.
            let told = state == ReviewState::Pending || history.reviews.contains(&id);
            let moved = !told || history.moves.iter().any(|at| at.as_ref().is_none_or(|Instant(at)| *at >= submitted));
            let base_ref = (!moved).then(|| branch.to_owned());
            Ok(Review {
                id,
                by: user.map(Account::from),
                state,
                commit: commit_id.map(|Sha(id)| id),
                base_ref,
                submitted,
            })
        };
        items.into_iter().map(review).collect()
    }

    /// What has happened to a pull request, as far as it is about reviews and branches.
    async fn history(&self, number: u64) -> Result<History, Fault> {
        let path = format!("/repos/{}/issues/{number}/timeline", parts(&self.question.repository));
        let key = |event: &Event| Some(format!("{} {}", event.event.as_deref()?, event.id?));
        let events: Vec<Event> = self.client.list(&path, key).await?;
        let mut history = History { reviews: BTreeSet::new(), moves: Vec::new() };
        for Event { event, id, created_at } in events {
            match event.as_deref() {
                Some("reviewed") => history.reviews.extend(id),
                Some(name) if HARMLESS.contains(&name) => {}
                Some(_) | None => history.moves.push(created_at),
            }
        }
        Ok(history)
    }
}

/// What has happened to a pull request.
struct History {
    /// The numbers of its reviews.
    reviews: BTreeSet<u64>,
    /// When it may have got another branch to be merged into; `None`: nobody knows when.
    moves: Vec<Option<Instant>>,
}

/// A pull request as it is now.
pub(super) async fn pull(client: &Client, repository: &str, number: u64) -> Result<Pull, Fault> {
    let pull: Pull = client.one(&format!("/repos/{}/pulls/{number}", parts(repository))).await?;
    if pull.number == number { Ok(pull) } else { Err(Fault::Form("it is of another pull request".to_owned())) }
}

/// What can happen to a pull request without its being merged into another branch than before
/// (https://docs.github.com/rest/using-the-rest-api/issue-event-types). What is not here (`base_ref_changed`,
/// `automatic_base_change_succeeded`, what is new) makes the branch of every review before it unknown.
const HARMLESS: &[&str] = &[
    "added_to_merge_queue",
    "added_to_project",
    "added_to_project_v2",
    "assigned",
    "auto_merge_disabled",
    "auto_merge_enabled",
    "auto_rebase_enabled",
    "auto_squash_enabled",
    "automatic_base_change_failed",
    "base_ref_force_pushed",
    "closed",
    "comment_deleted",
    "commented",
    "commit-commented",
    "committed",
    "connected",
    "convert_to_draft",
    "converted_from_draft",
    "cross-referenced",
    "demilestoned",
    "deployed",
    "deployment_environment_changed",
    "disconnected",
    "head_ref_deleted",
    "head_ref_force_pushed",
    "head_ref_restored",
    "labeled",
    "line-commented",
    "locked",
    "marked_as_duplicate",
    "mentioned",
    "merged",
    "milestoned",
    "moved_columns_in_project",
    "pinned",
    "project_v2_item_status_changed",
    "ready_for_review",
    "referenced",
    "removed_from_merge_queue",
    "removed_from_project",
    "removed_from_project_v2",
    "renamed",
    "reopened",
    "review_dismissed",
    "review_request_removed",
    "review_requested",
    "subscribed",
    "unassigned",
    "unlabeled",
    "unlocked",
    "unmarked_as_duplicate",
    "unmilestoned",
    "unpinned",
    "unsubscribed",
    "user_blocked",
];
