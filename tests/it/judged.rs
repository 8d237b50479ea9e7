//! A change judged by a policy with facts that a test makes up: the whole way but the reading of them.

use portcullis::checks::{self, Context};
use portcullis::decision::{self, Case, Decision, Origin, PolicyOrigin};
use portcullis::diff::{self, Change};
use portcullis::facts::{Account, AccountKind, Commit, Facts, PullRequest, Review, ReviewState, Role, Seen};
use portcullis::formats::{self, Input};
use portcullis::model::Store;
use portcullis::policy::{self, Feeds, Planned, Proposal};
use portcullis::text::{SourceId, SourceMap};

/// What stands for every removal where it is told how often one was seen.
pub(crate) const ALL: &str = "*";

/// Files of a side: path and text.
pub(crate) type Files<'a> = &'a [(&'a str, &'a str)];

/// Judges; `proposed`: the policy of head, if it is another one. A policy that is wrong judges nothing.
pub(crate) fn decided(
    policy: &str,
    proposed: Option<&str>,
    base: Files<'_>,
    head: Files<'_>,
    facts: &Facts,
) -> Option<Decision> {
    let mut sources = SourceMap::default();
    let ids: Vec<&str> = formats::FORMATS.iter().map(|format| format.id()).collect();
    let at = sources.add(b"portcullis.yaml", policy.into()).expect("small");
    let feeds = Feeds::default();
    let (policy, checks) = checks::load(policy::parse(at, &sources), &mut sources, &ids, &feeds).ok()?;
    let proposal = match proposed {
        None => Proposal::Unchanged,
        Some(text) => {
            let id = sources.add(b"portcullis.yaml", text.into()).expect("small");
            let parsed = policy::parse(id, &sources);
            Proposal::read(&policy, Some(parsed), &mut sources, &ids, &feeds)
        }
    };
    let mut side = |files: Files<'_>| -> Vec<SourceId> {
        files.iter().map(|(name, text)| sources.add(name.as_bytes(), (*text).into()).expect("small")).collect()
    };
    let (base_ids, head_ids) = (side(base), side(head));
    fn named<'a>(files: Files<'a>, ids: &[SourceId]) -> Vec<(&'a [u8], SourceId)> {
        files.iter().zip(ids).map(|((name, _), id)| (name.as_bytes(), *id)).collect()
    }
    let plan = policy.plan(&named(base, &base_ids), &named(head, &head_ids));
    let inputs = |side: fn(&Planned) -> Option<&Vec<SourceId>>| -> Vec<Input> {
        let format = |planned: &Planned| planned.format.as_deref().and_then(formats::format);
        let input = |planned: &Planned| {
            side(planned).map(|files| Input {
                name: planned.name.clone(),
                format: format(planned),
                files: files.clone(),
            })
        };
        plan.configurations.iter().filter_map(input).collect()
    };
    let mut store = Store::default();
    let (old, memo, _) = formats::read(&inputs(|planned| planned.base.as_ref()), &sources, &mut store, None);
    let (new, _, _) = formats::read(&inputs(|planned| planned.head.as_ref()), &sources, &mut store, Some(&memo));
    let change = Change::new(old, new, store);
    let difference = diff::compare(&change);
    let (change, difference, names) = (&change, &difference, &policy);
    let cx = Context { change, difference, policy: names, proposal: &proposal, plan: &plan, facts, sources: &sources };
    let mut facts = facts.clone();
    if let Seen::Known { removals, begun: _ } = &mut facts.seen
        && let Some(sightings) = removals.get(ALL).copied()
    {
        removals.extend(checks::watched(&checks, &cx).into_iter().map(|watched| (watched.removal, sightings)));
    }
    let facts = &facts;
    let findings = checks::run(&checks, &Context { facts, ..cx });
    let files = || Origin { source: "files".to_owned(), revision: None };
    let used =
        PolicyOrigin { path: "portcullis.yaml".to_owned(), revision: None, sha256: String::new(), feeds: Vec::new() };
    let (policy, judging, doubts) = (Some(used), Some((names, facts)), Vec::new());
    let case = Case {
        change,
        difference,
        findings,
        doubts,
        base: files(),
        head: files(),
        policy,
        names,
        judging,
        proposed: None,
        spanning: &[],
    };
    Some(decision::decide(case, &sources))
}

pub(crate) const PEOPLE: [&str; 6] = ["ann", "bob", "cid", "dan", "eve", "rob"];

/// Somebody of [`PEOPLE`], by number.
pub(crate) fn account(n: usize) -> Account {
    Account { id: n as u64 + 1, login: PEOPLE[n].to_owned(), kind: AccountKind::User }
}

/// Ann's pull request, which nobody has looked at. Rob may read, the others write; net is Bob and Cid, sec Cid and Dan.
pub(crate) fn pull() -> PullRequest {
    let by = || Some(account(0));
    PullRequest {
        repository: 1,
        number: 7,
        base_ref: "main".to_owned(),
        base: "b".repeat(40),
        head: "a".repeat(40),
        draft: false,
        author: account(0),
        last_pusher: Ok(account(0)),
        commits: vec![Commit { id: "a".repeat(40), author: by(), committer: by(), co_authors: Vec::new() }],
        reviews: Vec::new(),
        same_result: [].into(),
        roles: (0..6).map(|n| (account(n).id, Ok(if n == 5 { Role::Read } else { Role::Write }))).collect(),
        teams: [("acme/net".to_owned(), Ok([2, 3].into())), ("acme/sec".to_owned(), Ok([3, 4].into()))].into(),
    }
}

/// Somebody says something of what is proposed.
pub(crate) fn says(pull: &mut PullRequest, n: usize, state: ReviewState) {
    let review = Review {
        id: pull.reviews.len() as u64,
        by: Some(account(n)),
        state,
        commit: Some(pull.head.clone()),
        base_ref: Some(pull.base_ref.clone()),
        submitted: "2026-11-20T08:00:00Z".to_owned(),
    };
    pull.reviews.push(review);
}
