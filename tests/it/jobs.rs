//! What a job of continuous integration compares, by what it says of itself.

use crate::git::{FILE, OLD};
use crate::repo::Repo;
use portcullis::source::{Side, Sides, SourceError, Variables};

struct Environment(&'static [(&'static str, String)]);

impl Variables for Environment {
    fn get(&self, name: &str) -> Option<String> {
        self.0.iter().find(|(key, _)| *key == name).map(|(_, value)| value.clone())
    }
}

fn environment(pairs: &[(&'static str, &str)]) -> Environment {
    Environment(pairs.iter().map(|(key, value)| (*key, (*value).to_owned())).collect::<Vec<_>>().leak())
}

fn revisions(sides: Result<Option<Sides>, SourceError>) -> Result<(String, String), SourceError> {
    let sides = sides?.expect("a job");
    let id = |side: &Side| side.revision().unwrap_or_default().to_owned();
    Ok((id(&sides.base), id(&sides.head)))
}

#[test]
fn in_a_pull_request_the_tested_merge_is_compared_with_what_it_was_merged_into() {
    let repo = Repo::new();
    let root = repo.commit(&[], &[OLD]);
    let branch = repo.commit(&[root], &[OLD]);
    let tip = repo.commit(&[root], &[OLD, (b"fw/a.rules", FILE, b"")]);
    let merge = repo.commit(&[tip, branch], &[OLD]);
    let job = |sha: &str| {
        let pairs = [
            ("GITHUB_ACTIONS", "true"),
            ("GITHUB_EVENT_NAME", "pull_request"),
            ("GITHUB_BASE_REF", "main"),
            ("GITHUB_REF", "refs/pull/7/merge"),
            ("GITHUB_SHA", sha),
        ];
        revisions(Sides::of_job(&repo.place(), &environment(&pairs)))
    };
    assert_eq!(job(&merge.to_string()), Ok((tip.to_string(), merge.to_string())));
    // The author checks out a merge of his own, whose first parent he chose: it is held against the branch itself.
    let evil = repo.commit(&[branch, tip], &[]);
    let wanted = "refs/remotes/origin/main".to_owned();
    let found = job(&merge.to_string());
    assert!(matches!(&found, Err(SourceError::NoRevision { revision, .. }) if *revision == wanted), "{found:?}");
    repo.git.reference("refs/remotes/origin/main", tip, true, "").expect("a branch");
    assert_eq!(job(&merge.to_string()), Ok((tip.to_string(), evil.to_string())));
    // The branch itself is checked out: nothing of the change is there, and nothing is no change that passes.
    repo.git.reference("refs/remotes/origin/main", evil, true, "").expect("a branch");
    let found = job(&merge.to_string());
    assert!(matches!(&found, Err(SourceError::Job { why }) if why.contains("origin/main itself")), "{found:?}");
    repo.git.reference("refs/remotes/origin/main", tip, true, "").expect("a branch");
    // Not up to date with the branch.
    repo.commit(&[root], &[OLD]);
    let diverged = SourceError::Diverged { base: "origin/main".to_owned(), head: "HEAD".to_owned() };
    assert_eq!(job(&merge.to_string()), Err(diverged));
}

#[test]
fn in_a_detached_merge_request_the_author_s_merge_commit_is_not_believed() {
    let repo = Repo::new();
    let root = repo.commit(&[], &[OLD]);
    let evil = repo.commit(&[root], &[]);
    let head = repo.commit(&[evil, root], &[]).to_string();
    let common =
        [("GITLAB_CI", "true"), ("CI_MERGE_REQUEST_TARGET_BRANCH_NAME", "main"), ("CI_COMMIT_SHA", head.as_str())];
    let found = revisions(Sides::of_job(&repo.place(), &environment(&common)));
    assert!(matches!(found, Err(SourceError::NoRevision { .. })), "{found:?}");
    let tip = root.to_string();
    let merged = [&common[..], &[("CI_MERGE_REQUEST_TARGET_BRANCH_SHA", tip.as_str())]].concat();
    let found = revisions(Sides::of_job(&repo.place(), &environment(&merged)));
    assert!(matches!(found, Err(SourceError::NoRevision { .. })), "{found:?}");
    repo.git.reference("refs/remotes/origin/main", root, true, "").expect("a branch");
    assert_eq!(revisions(Sides::of_job(&repo.place(), &environment(&common))), Ok((tip, head)));
}

#[test]
fn an_unknown_job_is_an_error_and_never_an_empty_change() {
    let repo = Repo::new();
    repo.commit(&[], &[OLD]);
    for pairs in [
        &[("CI", "true")][..],
        &[("GITHUB_ACTIONS", "true"), ("GITHUB_EVENT_NAME", "workflow_dispatch")],
        &[("GITHUB_ACTIONS", "true"), ("GITHUB_EVENT_NAME", "pull_request_target")],
        &[("GITLAB_CI", "true"), ("CI_COMMIT_BEFORE_SHA", "0000000000000000000000000000000000000000")],
    ] {
        let found = revisions(Sides::of_job(&repo.place(), &environment(pairs)));
        assert!(matches!(found, Err(SourceError::Job { .. })), "{found:?}");
    }
    assert!(matches!(Sides::of_job(&repo.place(), &environment(&[])), Ok(None)));
}
