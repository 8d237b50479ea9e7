//! Who can read what a continuous-integration job writes, as far as the job itself is told. It decides nothing but how much a
//! report tells, so what a job says of itself is enough for it; what it does not say counts as everybody.

use super::ci::{Variables, payload};
use serde_json::Value;

/// Who can read what a job writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Readers {
    /// Those who can read the repository, which is not everybody, and the change is by one of them.
    Members,
    /// Others as well, or nobody knows; why.
    Strangers(String),
}

/// Who can read what this job writes; `None`: this is no job of a system that says it.
#[must_use]
pub fn readers(variables: &dyn Variables) -> Option<Readers> {
    let is = |name: &str| variables.get(name).is_some_and(|value| value == "true" || value == "1");
    let strangers = if is("GITHUB_ACTIONS") {
        github(variables)
    } else if is("GITLAB_CI") {
        gitlab(variables)
    } else {
        return None;
    };
    Some(strangers.map_or(Readers::Members, |why| Readers::Strangers(why.to_owned())))
}

const PUBLIC: &str = "the repository is public";
const FORK: &str = "the change is of a fork";
const UNKNOWN: &str = "the job does not say who can read it";

/// `repository` and `pull_request` of the event (<https://docs.github.com/webhooks/webhook-events-and-payloads>).
fn github(variables: &dyn Variables) -> Option<&'static str> {
    let Ok(event) = payload(variables, &[]) else { return Some(UNKNOWN) };
    let repository = event.get("repository");
    let of = |key: &str| repository.and_then(|repository| repository.get(key));
    match (of("visibility").map(Value::as_str), of("private").map(Value::as_bool)) {
        (Some(Some("public")), _) | (_, Some(Some(false))) => return Some(PUBLIC),
        (None | Some(Some("private" | "internal")), Some(Some(true))) | (Some(Some("private" | "internal")), None) => {}
        (_, _) => return Some(UNKNOWN),
    }
    let Some(pull) = event.get("pull_request") else {
        let about_one = variables.get("GITHUB_EVENT_NAME").is_none_or(|name| name.starts_with("pull_request"));
        return about_one.then_some(UNKNOWN);
    };
    let repository_of = |side: &str| pull.get(side)?.get("repo")?.get("id")?.as_u64();
    match (repository_of("head"), repository_of("base")) {
        (Some(head), Some(base)) if head == base => None,
        (Some(_), Some(_)) => Some(FORK),
        (_, _) => Some(UNKNOWN),
    }
}

/// <https://docs.gitlab.com/ci/variables/predefined_variables/>
fn gitlab(variables: &dyn Variables) -> Option<&'static str> {
    match variables.get("CI_PROJECT_VISIBILITY").as_deref() {
        Some("private" | "internal") => {}
        Some("public") => return Some(PUBLIC),
        Some(_) | None => return Some(UNKNOWN),
    }
    variables.get("CI_MERGE_REQUEST_IID")?;
    let project = |name: &str| variables.get(name);
    match (project("CI_MERGE_REQUEST_SOURCE_PROJECT_ID"), project("CI_MERGE_REQUEST_PROJECT_ID")) {
        (Some(head), Some(base)) if head == base => None,
        (Some(_), Some(_)) => Some(FORK),
        (_, _) => Some(UNKNOWN),
    }
}
