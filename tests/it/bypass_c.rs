//! Ways past approvals, by the ids of the list of threats.

use crate::policy::problems;
use crate::policy::with;
use crate::tools::often;
use portcullis::facts::{
    Account, AccountKind, CoAuthor, Commit, MissingFact, PullRequest, Review, ReviewState, Reviewed, Role, Tally,
    Uncounted, Verdict, judge,
};
use portcullis::policy::{self, ApprovalKeys, Feeds, Policy, Spanned};
use portcullis::text::{SourceMap, Span};
use proptest::prelude::*;

const ANN: u64 = 1;
const BOB: u64 = 2;
const CID: u64 = 3;
const DAN: u64 = 4;

fn account(id: u64) -> Account {
    let login = ["nobody", "ann", "bob", "cid", "dan", "eve"][id as usize].to_owned();
    Account { id, login, kind: AccountKind::User }
}

fn commit(id: &str, by: u64) -> Commit {
    Commit { id: id.to_owned(), author: Some(account(by)), committer: Some(account(by)), co_authors: Vec::new() }
}

/// Ann proposes `head1`; everybody may write; the team net is Bob and Cid, sec is Cid and Dan.
fn pull() -> PullRequest {
    PullRequest {
        repository: 1,
        number: 7,
        base_ref: "main".to_owned(),
        base: "base".to_owned(),
        head: "head1".to_owned(),
        draft: false,
        author: account(ANN),
        last_pusher: Ok(account(ANN)),
        commits: vec![commit("head1", ANN)],
        reviews: Vec::new(),
        same_result: [].into(),
        roles: (1..=5).map(|id| (id, Ok(Role::Write))).collect(),
        teams: [("acme/net".to_owned(), Ok([BOB, CID].into())), ("acme/sec".to_owned(), Ok([CID, DAN].into()))].into(),
    }
}

/// Somebody says something of what is proposed now.
fn says(pull: &mut PullRequest, id: u64, state: ReviewState) {
    let review = Review {
        id: pull.reviews.len() as u64,
        by: Some(account(id)),
        state,
        commit: Some(pull.head.clone()),
        base_ref: Some(pull.base_ref.clone()),
        submitted: "2026-11-20T08:00:00Z".to_owned(),
    };
    pull.reviews.push(review);
}

fn approves(pull: &mut PullRequest, id: u64) {
    says(pull, id, ReviewState::Approved);
}

fn push(pull: &mut PullRequest, id: &str, by: u64) {
    pull.commits.push(commit(id, by));
    pull.head = id.to_owned();
    pull.last_pusher = Ok(account(by));
}

fn approved_by(ids: &[u64]) -> PullRequest {
    let mut pull = pull();
    ids.iter().for_each(|id| approves(&mut pull, *id));
    pull
}

fn people() -> Policy {
    let text = with(
        "people: {cid: {github: {login: cid, id: 3}}, zoe: {github: {login: zoe, id: 26}}}\nteams: {net: {github: acme/net}, sec: {github: acme/sec}, duo: {people: [cid, zoe]}}\nbots: [EVE]\n",
    );
    let mut sources = SourceMap::default();
    let source = sources.add(b"portcullis.yaml", text.into_bytes()).expect("small");
    policy::load(policy::parse(source, &sources), &mut sources, &[], &Feeds::default()).expect("a policy")
}

fn demand(count: usize, from: &[&str], teams: Option<usize>) -> ApprovalKeys {
    let source = SourceMap::default().add(b"", Vec::new()).expect("small");
    let span = Span { source, start: 0, end: 0 };
    let name = |name: &&str| Spanned { value: (*name).to_owned(), span };
    let from: Vec<_> = from.iter().map(name).collect();
    ApprovalKeys { count, from: (!from.is_empty()).then_some(from), distinct_teams: teams }
}

fn tally(pull: &PullRequest, demand: &ApprovalKeys) -> Tally {
    judge(demand, &Reviewed::Known(vec![pull.clone()]), people().roster())
}

fn verdict(pull: &PullRequest, demand: &ApprovalKeys) -> Verdict {
    tally(pull, demand).verdict
}

/// Whether one approval of anybody is there.
fn passes(pull: &PullRequest) -> bool {
    verdict(pull, &demand(1, &[], None)) == Verdict::Satisfied
}

/// Why the only opinion does not count.
fn why(pull: &PullRequest) -> String {
    match &tally(pull, &demand(1, &[], None)).not_counted[..] {
        [Uncounted { who: _, why }] => why.clone(),
        other => unreachable!("{other:?}"),
    }
}

fn fact(what: &str) -> MissingFact {
    MissingFact { what: what.to_owned(), help: String::new() }
}

fn missing(what: &str) -> Verdict {
    Verdict::Missing(vec![what.to_owned()])
}

#[test]
fn somebody_else_s_approval_of_what_is_proposed_counts() {
    let pull = approved_by(&[BOB]);
    let counted = Tally { have: vec!["bob".to_owned()], not_counted: Vec::new(), verdict: Verdict::Satisfied };
    assert_eq!(tally(&pull, &demand(1, &[], None)), counted);
    assert_eq!(verdict(&pull, &demand(2, &[], None)), missing("1 approval is missing"));
    assert_eq!(judge(&demand(1, &[], None), &Reviewed::Unasked, people().roster()).verdict, Verdict::Unasked);
}

#[test]
fn c01_the_author_does_not_approve_his_own_change() {
    let mut pull = approved_by(&[ANN]);
    assert_eq!(why(&pull), "opened the pull request");
    // Whose commits they are does not matter then.
    pull.commits = vec![commit("head1", BOB)];
    assert_eq!(why(&pull), "opened the pull request");
}

#[test]
fn c02_nobody_approves_what_he_wrote_committed_or_wrote_with_others() {
    let mut pull = approved_by(&[BOB]);
    pull.commits[0].committer = Some(account(BOB));
    assert_eq!(why(&pull), "committed head1, which is part of the change");
    pull.commits[0].author = Some(account(BOB));
    assert_eq!(why(&pull), "is the author of head1, which is part of the change");
    pull.commits[0] = commit("head1", ANN);
    pull.commits[0].co_authors = vec![CoAuthor { name: "Bob".to_owned(), account: Some(account(BOB)) }];
    assert_eq!(why(&pull), "is a co-author of head1, which is part of the change");
}

#[test]
fn c03_it_does_not_matter_by_which_parent_a_commit_is_reached() {
    let mut pull = approved_by(&[BOB]);
    pull.commits.insert(0, commit("side", BOB));
    assert!(!passes(&pull));
}

#[test]
fn c04_what_nobody_is_known_to_have_written_blocks() {
    let help = "have it made again with an address that is known to the forge";
    let blocked = |change: fn(&mut Commit)| {
        let mut pull = approved_by(&[BOB, CID]);
        change(&mut pull.commits[0]);
        match verdict(&pull, &demand(1, &[], None)) {
            Verdict::Blocked(why) => why.join("; ").replace(help, "…"),
            Verdict::Unasked | Verdict::Satisfied | Verdict::Missing(_) | Verdict::Unknown(_) => {
                unreachable!("it blocks")
            }
        }
    };
    assert_eq!(blocked(|commit| commit.author = None), "the author of commit head1 belongs to no account: …");
    assert_eq!(blocked(|commit| commit.committer = None), "the committer of commit head1 belongs to no account: …");
    let stranger =
        |commit: &mut Commit| commit.co_authors = vec![CoAuthor { name: "X <x@y>".to_owned(), account: None }];
    assert_eq!(blocked(stranger), "`X <x@y>`, a co-author of commit head1, belongs to no account: …");
}

#[test]
fn c05_what_a_commit_says_of_people_only_ever_restricts() {
    let mut pull = approved_by(&[BOB, CID]);
    pull.commits[0].co_authors = vec![CoAuthor { name: "Bob".to_owned(), account: Some(account(BOB)) }];
    assert_eq!(tally(&pull, &demand(1, &[], None)).have, ["cid"]);
    // Nor does it make anybody an approver.
    pull.reviews.clear();
    assert!(!passes(&pull));
}

#[test]
fn c06_approve_then_push_is_no_approval() {
    let mut pull = approved_by(&[BOB]);
    push(&mut pull, "head2", ANN);
    assert_eq!(why(&pull), "approved head1, and what would be merged is something else now");
    approves(&mut pull, BOB);
    assert!(passes(&pull));
}

#[test]
fn c07_an_approval_is_for_a_commit_and_not_for_a_moment() {
    let mut pull = approved_by(&[BOB]);
    let first = pull.clone();
    push(&mut pull, "head2", ANN);
    assert!(!passes(&pull));
    // The first commit again, byte for byte.
    let reviews = pull.reviews.clone();
    assert!(passes(&PullRequest { reviews, ..first }));
}

#[test]
fn c08_a_merge_of_main_keeps_an_approval_only_if_the_result_is_the_same() {
    let mut pull = approved_by(&[BOB]);
    push(&mut pull, "merge", ANN);
    assert!(!passes(&pull));
    pull.same_result.insert("head1".to_owned());
    assert!(passes(&pull));
    // Whoever merged had a hand in it.
    pull.last_pusher = Ok(account(BOB));
    assert_eq!(why(&pull), "pushed what is proposed now");
}

#[test]
fn c09_a_dismissal_brings_nothing_back() {
    let mut pull = approved_by(&[BOB]);
    says(&mut pull, BOB, ReviewState::Dismissed);
    assert_eq!(why(&pull), "the review was dismissed; an earlier one does not count again");
    approves(&mut pull, BOB);
    assert!(passes(&pull));
}

#[test]
fn c10_a_request_for_changes_holds_up_until_its_author_reviews_again() {
    let mut pull = pull();
    says(&mut pull, DAN, ReviewState::ChangesRequested);
    approves(&mut pull, BOB);
    approves(&mut pull, CID);
    push(&mut pull, "head2", ANN);
    approves(&mut pull, BOB);
    says(&mut pull, DAN, ReviewState::Commented);
    let blocked = Verdict::Blocked(vec!["dan asks for changes, and has not reviewed again".to_owned()]);
    assert_eq!(verdict(&pull, &demand(1, &[], None)), blocked);
    pull.roles.insert(DAN, Ok(Role::Read));
    assert!(passes(&pull));
    assert_eq!(verdict(&pull, &demand(1, &["net", "sec"], None)), blocked);
    pull.roles.insert(DAN, Err(fact("a role")));
    assert_eq!(verdict(&pull, &demand(1, &[], None)), Verdict::Unknown(fact("a role")));
    approves(&mut pull, DAN);
    assert!(passes(&pull));
}

#[test]
fn c11_c12_words_are_no_approval() {
    let mut pull = pull();
    says(&mut pull, BOB, ReviewState::Commented);
    says(&mut pull, CID, ReviewState::Pending);
    assert_eq!(verdict(&pull, &demand(1, &[], None)), missing("1 approval is missing"));
}

#[test]
fn c13_programs_do_not_approve() {
    let mut pull = approved_by(&[BOB]);
    let kind = |pull: &mut PullRequest, kind| pull.reviews[0].by = Some(Account { kind, ..account(BOB) });
    kind(&mut pull, AccountKind::Bot);
    assert_eq!(why(&pull), "is a program");
    kind(&mut pull, AccountKind::Other);
    assert_eq!(why(&pull), "is not the account of a person");
    assert_eq!(why(&approved_by(&[5])), "is one of `bots`");
}

#[test]
fn c14_whoever_may_only_read_does_not_approve() {
    let mut pull = approved_by(&[BOB]);
    for (role, name) in [(Role::None, "no role"), (Role::Read, "role read"), (Role::Triage, "role triage")] {
        pull.roles.insert(BOB, Ok(role));
        assert_eq!(why(&pull), format!("may not write to the repository ({name})"));
    }
    for role in [Role::Write, Role::Maintain, Role::Admin] {
        pull.roles.insert(BOB, Ok(role));
        assert!(passes(&pull));
    }
    pull.roles.insert(BOB, Err(fact("a role")));
    assert_eq!(verdict(&pull, &demand(1, &[], None)), Verdict::Unknown(fact("a role")));
    pull.roles.clear();
    assert!(matches!(verdict(&pull, &demand(1, &[], None)), Verdict::Unknown(_)));
}

#[test]
fn c15_a_team_that_cannot_be_read_is_not_an_empty_one() {
    let of_net = demand(1, &["net"], None);
    let mut pull = approved_by(&[BOB]);
    assert_eq!(verdict(&pull, &of_net), Verdict::Satisfied);
    pull.teams.insert("acme/net".to_owned(), Ok([CID].into()));
    assert_eq!(verdict(&pull, &of_net), missing("1 approval is missing"));
    pull.teams.insert("acme/net".to_owned(), Err(fact("the team")));
    assert_eq!(verdict(&pull, &of_net), Verdict::Unknown(fact("the team")));
    pull.teams.clear();
    assert!(matches!(verdict(&pull, &of_net), Verdict::Unknown(_)));
    // Who is not needed need not be known.
    approves(&mut pull, CID);
    assert_eq!(verdict(&pull, &demand(1, &["net", "cid"], None)), Verdict::Satisfied);
    assert_eq!(verdict(&pull, &demand(1, &["duo"], None)), Verdict::Satisfied);
}

#[test]
fn c16_how_many_must_be_said() {
    assert_eq!(problems(with("approvals: {from: [x]}\n")), ["4:12: the key `count` is missing"]);
    let rules = |rule: &str| {
        let text = format!(
            "checks:\n  - check: required-approvals\n    rules: [{{name: x, when: {{any_effect: true}}{rule}}}]\n"
        );
        problems(with(&text))
    };
    let help = "write `count`, at least 1, or `none: {because: \"…\"}` and nothing else";
    assert_eq!(rules(""), [format!("5:20: it is not said how many approvals `x` asks for; {help}")]);
    assert_eq!(rules(", count: 0"), ["5:20: a count of 0 approvals is none; write at least `count: 1`"]);
    assert_eq!(rules(", none: {because: \"it is only a test\"}"), Vec::<String>::new());
    assert_eq!(rules(", none: {}").len(), 1);
}

#[test]
fn c18_nobody_counts_twice() {
    let two = demand(2, &["net", "sec"], Some(2));
    let teams = |ids: &[u64]| verdict(&approved_by(ids), &two);
    assert_eq!(teams(&[CID]), missing("1 approval is missing, and nobody of 1 more team has approved"));
    assert_eq!(teams(&[BOB, CID]), Verdict::Satisfied);
    assert_eq!(teams(&[CID, DAN]), Verdict::Satisfied);
    let mut pull = approved_by(&[BOB, CID, BOB]);
    pull.teams.insert("acme/sec".to_owned(), Ok([DAN].into()));
    assert_eq!(verdict(&pull, &two), missing("nobody of 1 more team has approved"));
    assert_eq!(tally(&pull, &two).have, ["cid", "bob"]);
    pull.teams.insert("acme/sec".to_owned(), Err(fact("the team")));
    assert_eq!(verdict(&pull, &two), Verdict::Unknown(fact("the team")));
}

#[test]
fn c20_an_approval_is_for_a_branch() {
    let mut pull = approved_by(&[BOB]);
    pull.base_ref = "release".to_owned();
    assert_eq!(why(&pull), "approved a merge into `main`, and not into `release`");
    pull.reviews[0].base_ref = None;
    assert_eq!(why(&pull), "it is not known into which branch the approved change was to be merged");
}

#[test]
fn c21_what_is_forgotten_does_not_count() {
    let mut pull = approved_by(&[BOB]);
    pull.reviews[0].commit = None;
    assert_eq!(why(&pull), "what was approved is not known any more");
    pull.reviews[0].by = None;
    assert_eq!(why(&pull), "the account is deleted");
    pull.reviews[0].state = ReviewState::ChangesRequested;
    approves(&mut pull, CID);
    assert!(matches!(verdict(&pull, &demand(1, &[], None)), Verdict::Blocked(_)));
}

#[test]
fn c22_a_name_that_has_changed_hands_is_an_error() {
    let mut pull = approved_by(&[BOB]);
    assert!(passes(&pull));
    pull.reviews[0].by = Some(Account { login: "Zoe".to_owned(), ..account(BOB) });
    let Verdict::Unknown(fact) = verdict(&pull, &demand(1, &[], None)) else { unreachable!("a stranger is no error") };
    assert_eq!(
        (fact.what.as_str(), fact.help.as_str()),
        (
            "who the account `Zoe` of pull request #7 is",
            "`people` says of zoe that it is number 26, and it is 2 now: the name has changed hands, or the number is mistyped; correct the policy"
        )
    );
    // A person who is called otherwise now is the same person.
    pull.reviews[0].by = Some(Account { login: "cid-of-acme".to_owned(), ..account(CID) });
    assert_eq!(verdict(&pull, &demand(1, &["cid"], None)), Verdict::Satisfied);
}

#[test]
fn c24_a_draft_is_not_approved() {
    let mut pull = approved_by(&[BOB]);
    pull.draft = true;
    assert_eq!(why(&pull), "the pull request is still a draft");
}

#[test]
fn c25_whoever_pushed_last_does_not_approve() {
    let mut pull = approved_by(&[BOB]);
    pull.last_pusher = Ok(account(BOB));
    assert_eq!(why(&pull), "pushed what is proposed now");
    pull.last_pusher = Err(fact("who pushed"));
    assert_eq!(verdict(&pull, &demand(1, &[], None)), Verdict::Unknown(fact("who pushed")));
}

#[test]
fn c27_every_pull_request_of_a_group_is_approved_for_itself() {
    let group = |pulls: Vec<PullRequest>| judge(&demand(1, &[], None), &Reviewed::Known(pulls), people().roster());
    let second = |ids: &[u64]| PullRequest { number: 8, ..approved_by(ids) };
    let both = group(vec![approved_by(&[BOB]), second(&[CID])]);
    assert_eq!((both.have, both.verdict), (vec!["#7: bob".to_owned(), "#8: cid".to_owned()], Verdict::Satisfied));
    assert_eq!(group(vec![approved_by(&[BOB]), second(&[])]).verdict, missing("#8: 1 approval is missing"));
    // Nothing that is in no pull request is approved.
    let nobody = missing("no pull request brings the change, so nobody can have approved it");
    assert_eq!(group(Vec::new()).verdict, nobody);
}

#[test]
fn commits_that_do_not_end_in_what_is_proposed_are_not_all_of_them() {
    let mut pull = approved_by(&[BOB]);
    pull.commits = vec![commit("other", ANN)];
    assert!(matches!(verdict(&pull, &demand(1, &[], None)), Verdict::Unknown(_)));
    pull.commits.clear();
    assert!(matches!(verdict(&pull, &demand(1, &[], None)), Verdict::Unknown(_)));
}

/// One piece of evidence less. Requests for changes are left alone, and with them the teams whose members make them weigh.
fn less(pull: &PullRequest) -> Vec<PullRequest> {
    let mut out = Vec::new();
    let mut without = |change: &dyn Fn(&mut PullRequest)| {
        let mut less = pull.clone();
        change(&mut less);
        out.push(less);
    };
    let asks = |review: &Review| review.state == ReviewState::ChangesRequested;
    for n in 0..pull.reviews.len() {
        if pull.reviews[n].state == ReviewState::Approved {
            let mine = |other: &Review| other.by == pull.reviews[n].by && asks(other);
            // Whoever takes back what came behind a request for changes asks for them again, or has no opinion.
            without(&|pull| pull.reviews[n].state = ReviewState::Dismissed);
            if !pull.reviews.iter().any(mine) {
                without(&|pull| drop(pull.reviews.remove(n)));
            }
            without(&|pull| pull.reviews[n].commit = None);
            without(&|pull| pull.reviews[n].base_ref = None);
        }
    }
    for n in 0..pull.commits.len() {
        without(&|pull| pull.commits[n].author = None);
        without(&|pull| pull.commits[n].committer = None);
        for m in 0..pull.commits[n].co_authors.len() {
            without(&|pull| pull.commits[n].co_authors[m].account = None);
        }
    }
    without(&|pull| pull.commits.clear());
    without(&|pull| pull.last_pusher = Err(fact("who pushed")));
    without(&|pull| pull.same_result.clear());
    without(&|pull| pull.draft = true);
    for id in pull.roles.keys() {
        without(&|pull| drop(pull.roles.remove(id)));
        without(&|pull| drop(pull.roles.insert(*id, Err(fact("a role")))));
    }
    for (name, members) in &pull.teams {
        without(&|pull| drop(pull.teams.remove(name)));
        without(&|pull| drop(pull.teams.insert(name.clone(), Err(fact("a team")))));
        for member in members.iter().flatten() {
            let asks = pull.reviews.iter().any(|r| asks(r) && r.by.as_ref().is_some_and(|by| by.id == *member));
            if !asks {
                without(&|pull| {
                    if let Some(Ok(all)) = pull.teams.get_mut(name) {
                        all.remove(member);
                    }
                });
            }
        }
    }
    out
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(often(300)))]

    #[test]
    fn less_evidence_never_opens_the_gate(
        steps in proptest::collection::vec((0_u8..7, 1_u64..6), 0..8),
        (count, which, teams) in (1_usize..3, 0_usize..4, 0_usize..3),
    ) {
        let mut world = pull();
        for (n, (step, who)) in steps.into_iter().enumerate() {
            match step {
                0 => push(&mut world, &format!("head{}", n + 2), who),
                1 => says(&mut world, who, ReviewState::ChangesRequested),
                2 => says(&mut world, who, ReviewState::Dismissed),
                3 => {
                    let old = world.head.clone();
                    world.same_result.insert(old);
                    push(&mut world, &format!("head{}", n + 2), ANN);
                }
                4 => world.commits[0].co_authors.push(CoAuthor { name: String::new(), account: Some(account(who)) }),
                _ => approves(&mut world, who),
            }
        }
        let from: &[&str] = [&[][..], &["net"], &["net", "sec"], &["cid", "net", "duo"]][which];
        let demand = demand(count, from, (teams > 0 && which > 1).then_some(teams));
        if verdict(&world, &demand) != Verdict::Satisfied {
            for less in less(&world) {
                prop_assert_ne!(verdict(&less, &demand), Verdict::Satisfied, "{:?}\nof {:?}", less, world);
            }
        }
    }
}
