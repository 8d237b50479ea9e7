//! What commits say of a change, and what a merge queue has made: of a repository at hand.

use crate::repo::{Item, Repo};
use git2::Oid;
use portcullis::source::{History, SourceError};
use std::collections::{BTreeMap, BTreeSet};

pub(super) const POLICY: &str = "version: 1\nextends: [baseline]\nconfigurations:\n  web: {files: [\"fw/*.rules\"], each: true}\n\
    approvals: {count: 1}\n";
pub(super) const SHUT: &str = "*filter\n:INPUT DROP [0:0]\n:FORWARD DROP [0:0]\n:OUTPUT ACCEPT [0:0]\n\
    -A INPUT -s 198.51.100.0/24 -p tcp -m tcp --dport 22 -j ACCEPT\nCOMMIT\n";

pub(super) fn open(port: u16) -> String {
    SHUT.replace("COMMIT", &format!("-A INPUT -s 192.0.2.0/24 -p tcp -m tcp --dport {port} -j ACCEPT\nCOMMIT"))
}

pub(super) fn file<'a>(path: &'a str, text: &'a str) -> Item<'a> {
    (path.as_bytes(), "100644", text.as_bytes())
}

/// Two pull requests that a queue has merged one after another, and with `extra` in the last merge.
pub(super) fn queue(repo: &Repo, extra: &str) -> (Oid, [Oid; 2], Oid) {
    let policy = file("portcullis.yaml", POLICY);
    let base = repo.commit(&[], &[policy, file("fw/db.rules", SHUT), file("fw/web.rules", SHUT)]);
    let (web, db) = (open(8443), open(5432));
    let heads = [
        repo.commit(&[base], &[policy, file("fw/db.rules", SHUT), file("fw/web.rules", &web)]),
        repo.commit(&[base], &[policy, file("fw/db.rules", &db), file("fw/web.rules", SHUT)]),
    ];
    let first = repo.commit(&[base, heads[0]], &[policy, file("fw/db.rules", SHUT), file("fw/web.rules", &web)]);
    let db = format!("{db}{extra}");
    let last = repo.commit(&[first, heads[1]], &[policy, file("fw/db.rules", &db), file("fw/web.rules", &web)]);
    (base, heads, last)
}

#[test]
fn c27_a_group_is_what_its_pull_requests_give_and_nothing_else() {
    let queued = |extra: &str, known: &[u64]| {
        let repo = Repo::new();
        let (base, [web, db], last) = queue(&repo, extra);
        let heads = [(7, web), (8, db)].map(|(number, head)| (number, head.to_string()));
        let heads: BTreeMap<u64, String> = heads.into_iter().filter(|(number, _)| known.contains(number)).collect();
        let history = History::open(&repo.place()).expect("a repository");
        let found = history.queued(&base.to_string(), &last.to_string(), &heads);
        found.map_err(|why| matches!(why, SourceError::Queue { .. }))
    };
    assert_eq!(queued("", &[7, 8]), Ok(BTreeSet::from([7, 8])));
    assert_eq!(queued("", &[8]), Err(true));
    assert_eq!(queued("", &[7]), Err(true));
    assert_eq!(queued("# and more\n", &[7, 8]), Err(true));
}

#[test]
fn c03_commits_behind_a_second_parent_are_commits_of_the_change() {
    let repo = Repo::new();
    let (base, [web, db], last) = queue(&repo, "");
    let history = History::open(&repo.place()).expect("a repository");
    let commits = history.commits(&base.to_string(), &last.to_string()).expect("commits");
    let ids: BTreeSet<String> = commits.into_iter().map(|commit| commit.id).collect();
    assert_eq!(ids.len(), 4);
    assert!(ids.contains(&web.to_string()) && ids.contains(&db.to_string()) && !ids.contains(&base.to_string()));
}

#[test]
fn a_merge_is_the_result_only_if_nothing_was_added_to_it() {
    let repo = Repo::new();
    let (base, [web, db], last) = queue(&repo, "");
    let parent = repo.git.find_commit(last).and_then(|last| last.parent(0)).expect("a parent").id();
    let history = History::open(&repo.place()).expect("a repository");
    let is = |base: Oid, head: Oid, judged: Oid, trusted| {
        history.is_result(&base.to_string(), &head.to_string(), &judged.to_string(), trusted).expect("commits")
    };
    assert!(is(base, web, web, false), "the head itself");
    assert!(is(parent, db, last, false), "what merging gives");
    assert!(!is(base, db, last, true), "a merge of something else");
    let evil = repo.commit(&[parent, db], &[file("portcullis.yaml", POLICY)]);
    assert!(!is(parent, db, evil, false), "a merge with something else in it");
    assert!(is(parent, db, evil, true), "somebody vouches for it");
}
