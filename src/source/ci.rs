//! Which sides a continuous-integration job is about. What is judged is the tested result: the commit that is
//! checked out, which contains the tip of the target branch. The event's payload is only a hint, since it can be
//! older than what is tested.

use super::error::SourceError;
use super::{Place, Sides, git};
use git2::{Oid, Repository};

/// The environment.
pub trait Variables {
    /// The value of a variable; `None` if it is not set or empty.
    fn get(&self, name: &str) -> Option<String>;
}

pub(super) fn sides(place: &Place, variables: &dyn Variables) -> Result<Option<Sides>, SourceError> {
    let is = |name: &str| variables.get(name).is_some_and(|value| value == "true" || value == "1");
    let base = if is("GITHUB_ACTIONS") {
        github(place, variables)?
    } else if is("GITLAB_CI") {
        gitlab(place, variables)?
    } else if is("CI") {
        // A fresh checkout never differs from its HEAD: that would pass everything.
        return Err(job("this is a CI system of which nothing is known but that it sets CI"));
    } else {
        return Ok(None);
    };
    Sides::revisions(place, &base, "HEAD").map(Some)
}

fn github(place: &Place, variables: &dyn Variables) -> Result<String, SourceError> {
    let event = required(variables, "GITHUB_EVENT_NAME")?;
    match event.as_str() {
        "pull_request" | "pull_request_review" => {
            // Set for `pull_request` alone.
            let branch = match variables.get("GITHUB_BASE_REF") {
                Some(branch) => branch,
                None if event == "pull_request" => return Err(job("GITHUB_BASE_REF is not set")),
                None => hint(variables, &["pull_request", "base", "ref"])?,
            };
            let is_merge = variables.get("GITHUB_REF").is_some_and(|name| name.ends_with("/merge"));
            match variables.get("GITHUB_SHA").filter(|_| is_merge) {
                Some(tested) => merged_into(place, &tested, None, &branch),
                None => on_top_of(place, &branch),
            }
        }
        "merge_group" => on_top_of(place, &merge_group(variables)?.0),
        "push" => before(hint(variables, &["before"])?),
        _ => Err(job(&format!(
            "the event is `{event}`; known are pull_request, pull_request_review, merge_group and push"
        ))),
    }
}

/// The number of the pull request that a job at GitHub is about. Whoever uses it has to see whether it is so.
///
/// # Errors
/// The job does not say.
pub fn event_number(variables: &dyn Variables) -> Result<u64, SourceError> {
    let reference = variables.get("GITHUB_REF");
    let number = reference.as_deref().and_then(|name| name.strip_prefix("refs/pull/")?.split('/').next()?.parse().ok());
    match number {
        Some(number) => Ok(number),
        None => payload(variables, &["pull_request", "number"])?
            .as_u64()
            .ok_or_else(|| job("the number of the pull request is no number")),
    }
}

/// The branch that a merge group at GitHub is to go into, and the name of the branch that the queue made for it.
/// Whoever uses it has to see whether it is so.
///
/// # Errors
/// The job does not say.
pub fn merge_group(variables: &dyn Variables) -> Result<(String, Option<String>), SourceError> {
    let branch = hint(variables, &["merge_group", "base_ref"])?;
    let name = variables.get("GITHUB_REF").filter(|name| name.contains("/gh-readonly-queue/"));
    Ok((branch.strip_prefix("refs/heads/").unwrap_or(&branch).to_owned(), name))
}

fn gitlab(place: &Place, variables: &dyn Variables) -> Result<String, SourceError> {
    let Some(branch) = variables.get("CI_MERGE_REQUEST_TARGET_BRANCH_NAME") else {
        return before(required(variables, "CI_COMMIT_BEFORE_SHA")?);
    };
    // Set in pipelines of merged results and merge trains only; in others the author makes the commit.
    match variables.get("CI_MERGE_REQUEST_TARGET_BRANCH_SHA") {
        Some(tip) => merged_into(place, &required(variables, "CI_COMMIT_SHA")?, Some(&tip), &branch),
        None => on_top_of(place, &branch),
    }
}

/// The tip of the target branch that the forge merged the change into, where what is checked out is its merge;
/// else what was fetched of the branch.
fn merged_into(place: &Place, tested: &str, tip: Option<&str>, branch: &str) -> Result<String, SourceError> {
    let repository = git::open(&place.folder)?;
    let head = commit(&repository, "HEAD")?;
    // Only the forge's own merge counts: the author of a change can make a commit with any parents.
    if head.id().to_string() == tested {
        match head.parent_ids().collect::<Vec<Oid>>().as_slice() {
            [first, _] if tip.is_none_or(|tip| first.to_string() == tip) => {
                let fetched = repository.revparse_single(&format!("refs/remotes/origin/{branch}"));
                // With the branch at hand, what was merged into must be of it.
                let is_of_branch = match fetched.and_then(|tip| tip.peel_to_commit()) {
                    Ok(tip) => tip.id() == *first || descends(&repository, tip.id(), *first)?,
                    Err(_) => true,
                };
                if is_of_branch {
                    return Ok(first.to_string());
                }
            }
            [] if repository.is_shallow() => return Err(SourceError::Shallow { revision: format!("{tested}^1") }),
            _ => {}
        }
    }
    on_top_of(place, branch)
}

/// The tip of a branch as it was fetched, which `HEAD` must contain, and more: nothing of a change is in the branch itself.
fn on_top_of(place: &Place, branch: &str) -> Result<String, SourceError> {
    let repository = git::open(&place.folder)?;
    let name = format!("origin/{branch}");
    let (head, tip) = (commit(&repository, "HEAD")?.id(), commit(&repository, &format!("refs/remotes/{name}"))?.id());
    if head == tip {
        Err(job(&format!(
            "what is checked out is {name} itself, with nothing of the change; check out what is to be merged"
        )))
    } else if descends(&repository, head, tip)? {
        Ok(tip.to_string())
    } else if repository.is_shallow() {
        Err(SourceError::Shallow { revision: format!("the history between {name} and HEAD") })
    } else {
        Err(SourceError::Diverged { base: name, head: "HEAD".to_owned() })
    }
}

fn descends(repository: &Repository, commit: Oid, ancestor: Oid) -> Result<bool, SourceError> {
    repository.graph_descendant_of(commit, ancestor).map_err(|why| git::damaged(&why))
}

fn before(id: String) -> Result<String, SourceError> {
    if id.bytes().all(|byte| byte == b'0') {
        Err(job("the branch is new, so there is no state before the push"))
    } else {
        Ok(id)
    }
}

fn commit<'r>(repository: &'r Repository, revision: &str) -> Result<git2::Commit<'r>, SourceError> {
    let missing = |why: git2::Error| {
        let revision = revision.to_owned();
        if repository.is_shallow() {
            SourceError::Shallow { revision }
        } else {
            SourceError::NoRevision { revision, why: why.message().to_owned() }
        }
    };
    repository.revparse_single(revision).and_then(|object| object.peel_to_commit()).map_err(missing)
}

fn required(variables: &dyn Variables, name: &str) -> Result<String, SourceError> {
    variables.get(name).ok_or_else(|| job(&format!("{name} is not set")))
}

/// A text in the event's payload.
fn hint(variables: &dyn Variables, keys: &[&str]) -> Result<String, SourceError> {
    let value = payload(variables, keys)?;
    value.as_str().map(ToOwned::to_owned).ok_or_else(|| job(&format!("there is no text at {}", keys.join("."))))
}

/// Something in the event's payload; all of it without keys.
pub(super) fn payload(variables: &dyn Variables, keys: &[&str]) -> Result<serde_json::Value, SourceError> {
    let path = required(variables, "GITHUB_EVENT_PATH")?;
    let unreadable = |why: &dyn std::fmt::Display| job(&format!("{path}: {why}"));
    let text = std::fs::read(&path).map_err(|why| unreadable(&why))?;
    let payload: serde_json::Value = serde_json::from_slice(&text).map_err(|why| unreadable(&why))?;
    let value = keys.iter().try_fold(&payload, |value, key| value.get(key));
    value.cloned().ok_or_else(|| unreadable(&format!("there is nothing at {}", keys.join("."))))
}

fn job(why: &str) -> SourceError {
    SourceError::Job { why: why.to_owned() }
}
