//! The judge of approvals against another one, over every short history: the judge sees what a forge would tell at the
//! end, the other reads the history itself.

use portcullis::facts::{
    Account, AccountKind, CoAuthor, Commit, MissingFact, PullRequest, Review, ReviewState, Reviewed, Role, Verdict,
    judge,
};
use portcullis::policy::{self, ApprovalKeys, Feeds, Policy, Spanned};
use portcullis::text::{SourceMap, Span};
use std::collections::{BTreeMap, BTreeSet};

/// Ann opened the pull request; Rob may only read; Eve is a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Who {
    Ann,
    Bob,
    Cid,
    Dan,
    Rob,
    Eve,
}

use Who::{Ann, Bob, Cid, Dan, Eve, Rob};

const ALL: [Who; 6] = [Ann, Bob, Cid, Dan, Rob, Eve];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Event {
    Push(Who),
    /// A commit by Ann that Dan wrote with her.
    PushTogether,
    /// A commit whose author nobody knows, pushed by Ann.
    PushUnknown,
    Approve(Who),
    Ask(Who),
    Dismiss(Who),
    Retarget,
    Leave(Who),
    /// Main is merged into the branch, and what would be merged stays the same.
    Clean(Who),
    /// The same with edits.
    Dirty(Who),
    /// The forge does not tell what somebody may do.
    Hide(Who),
}

use Event::{Approve, Ask, Clean, Dirty, Dismiss, Hide, Leave, Push, PushTogether, PushUnknown, Retarget};

const EVENTS: [Event; 18] = [
    Push(Ann),
    Push(Bob),
    PushTogether,
    PushUnknown,
    Approve(Bob),
    Approve(Cid),
    Approve(Dan),
    Approve(Rob),
    Approve(Eve),
    Ask(Cid),
    Ask(Rob),
    Dismiss(Bob),
    Retarget,
    Leave(Bob),
    Leave(Cid),
    Clean(Cid),
    Dirty(Ann),
    Hide(Cid),
];

/// Net is Bob, Cid and Rob at first, sec is Cid and Dan.
const NET: [Who; 3] = [Bob, Cid, Rob];
const SEC: [Who; 2] = [Cid, Dan];

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Answer {
    Yes,
    No,
    Never,
    Unknown,
}

#[test]
#[expect(clippy::print_stdout, reason = "totals are read in the log")]
fn the_judge_and_another_one_agree_on_every_short_history() {
    let policy = people();
    let demands = demands(&policy);
    let (mut histories, mut judged) = (0_u64, 0_u64);
    let mut answers: BTreeMap<Answer, u64> = BTreeMap::new();
    let mut history = Vec::new();
    each(&mut history, 4, &mut |history| {
        histories += 1;
        let reviewed = Reviewed::Known(vec![told(history)]);
        for (demand, meant) in &demands {
            judged += 1;
            let answer = match judge(demand, &reviewed, policy.roster()).verdict {
                Verdict::Satisfied => Answer::Yes,
                Verdict::Missing(_) => Answer::No,
                Verdict::Blocked(_) => Answer::Never,
                Verdict::Unknown(_) => Answer::Unknown,
                Verdict::Unasked => unreachable!("somebody was asked"),
            };
            *answers.entry(answer).or_default() += 1;
            assert_eq!(answer, other(history, meant), "{history:?} {meant:?}");
        }
    });
    println!("{histories} histories, {judged} judgements, 0 differences: {answers:?}");
    assert!(histories >= 100_000);
    assert_eq!(answers.len(), 4, "every answer occurs");
}

/// Every history of at most so many events.
fn each(history: &mut Vec<Event>, left: usize, look: &mut impl FnMut(&[Event])) {
    look(history);
    if left == 0 {
        return;
    }
    for event in EVENTS {
        history.push(event);
        each(history, left - 1, look);
        history.pop();
    }
}

fn people() -> Policy {
    let text = "version: 1\nconfigurations: {edge: {files: [edge.rules]}}\nextends: [baseline]\npeople: {dan: {github: {login: Dan, id: 4}}}\nteams: {net: {github: acme/net}, sec: {github: acme/sec}}\nbots: [eve]\n";
    let mut sources = SourceMap::default();
    let source = sources.add(b"portcullis.yaml", text.into()).expect("small");
    policy::load(policy::parse(source, &sources), &mut sources, &[], &Feeds::default()).expect("a policy")
}

/// What is demanded, for the other judge.
#[derive(Debug)]
struct Meant {
    count: usize,
    from: Option<&'static [&'static str]>,
    teams: usize,
}

fn demands(policy: &Policy) -> Vec<(ApprovalKeys, Meant)> {
    let span = Span { source: policy.source, start: 0, end: 0 };
    let meant = |count, from, teams| Meant { count, from, teams };
    let list = [
        meant(1, None, 0),
        meant(2, None, 0),
        meant(1, Some(&["net"][..]), 0),
        meant(2, Some(&["net", "sec"][..]), 0),
        meant(2, Some(&["net", "sec"][..]), 2),
        meant(1, Some(&["dan", "net"][..]), 0),
    ];
    list.into_iter()
        .map(|meant| {
            let name = |name: &&str| Spanned { value: (*name).to_owned(), span };
            let keys = ApprovalKeys {
                count: meant.count,
                from: meant.from.map(|from| from.iter().map(name).collect()),
                distinct_teams: (meant.teams > 0).then_some(meant.teams),
            };
            (keys, meant)
        })
        .collect()
}

fn id(who: Who) -> u64 {
    who as u64 + 1
}

fn account(who: Who) -> Account {
    let kind = if who == Eve { AccountKind::Bot } else { AccountKind::User };
    Account { id: id(who), login: format!("{who:?}"), kind }
}

/// What a forge tells at the end of a history.
fn told(history: &[Event]) -> PullRequest {
    let commit = |number: usize, by: Option<Who>, committer: Who, together: Option<Who>| Commit {
        id: format!("commit{number}"),
        author: by.map(account),
        committer: Some(account(committer)),
        co_authors: together
            .map(|who| CoAuthor { name: format!("{who:?}"), account: Some(account(who)) })
            .into_iter()
            .collect(),
    };
    let members = |team: &[Who]| team.iter().map(|who| id(*who)).collect::<BTreeSet<u64>>();
    let mut pull = PullRequest {
        repository: 1,
        number: 7,
        base_ref: "main".to_owned(),
        base: "base".to_owned(),
        head: "commit0".to_owned(),
        draft: false,
        author: account(Ann),
        last_pusher: Ok(account(Ann)),
        commits: vec![commit(0, Some(Ann), Ann, None)],
        reviews: Vec::new(),
        same_result: BTreeSet::new(),
        roles: ALL.iter().map(|who| (id(*who), Ok(if *who == Rob { Role::Read } else { Role::Write }))).collect(),
        teams: [("acme/net".to_owned(), Ok(members(&NET))), ("acme/sec".to_owned(), Ok(members(&SEC)))].into(),
    };
    for event in history {
        let number = pull.commits.len();
        let push = |pull: &mut PullRequest, new: Commit, pusher: Who, same: bool| {
            if same {
                pull.same_result.insert(pull.head.clone());
            } else {
                pull.same_result.clear();
            }
            pull.head.clone_from(&new.id);
            pull.commits.push(new);
            pull.last_pusher = Ok(account(pusher));
        };
        let review = |pull: &mut PullRequest, who: Who, state| {
            let review = Review {
                id: pull.reviews.len() as u64,
                by: Some(account(who)),
                state,
                commit: Some(pull.head.clone()),
                base_ref: Some(pull.base_ref.clone()),
                submitted: String::new(),
            };
            pull.reviews.push(review);
        };
        match *event {
            Push(who) => push(&mut pull, commit(number, Some(who), who, None), who, false),
            PushTogether => push(&mut pull, commit(number, Some(Ann), Ann, Some(Dan)), Ann, false),
            PushUnknown => push(&mut pull, commit(number, None, Ann, None), Ann, false),
            Clean(who) => push(&mut pull, commit(number, Some(who), who, None), who, true),
            Dirty(who) => push(&mut pull, commit(number, Some(who), who, None), who, false),
            Approve(who) => review(&mut pull, who, ReviewState::Approved),
            Ask(who) => review(&mut pull, who, ReviewState::ChangesRequested),
            Dismiss(who) => {
                let open = |review: &&mut Review| {
                    review.by.as_ref().is_some_and(|by| by.id == id(who)) && review.state != ReviewState::Dismissed
                };
                if let Some(review) = pull.reviews.iter_mut().rev().find(open) {
                    review.state = ReviewState::Dismissed;
                }
            }
            Retarget => pull.base_ref = if pull.base_ref == "main" { "next".to_owned() } else { "main".to_owned() },
            Leave(who) => {
                for team in pull.teams.values_mut().flatten() {
                    team.remove(&id(who));
                }
            }
            Hide(who) => {
                let what = "a role".to_owned();
                pull.roles.insert(id(who), Err(MissingFact { what, help: String::new() }));
            }
        }
    }
    pull
}

/// The other judge. It believes what it does not know to be so and not to be so, and says what is the same in both worlds.
fn other(history: &[Event], meant: &Meant) -> Answer {
    let hidden = history.contains(&Hide(Cid));
    let worlds: BTreeSet<Answer> = if hidden {
        [true, false].into_iter().map(|writes| in_world(history, meant, writes)).collect()
    } else {
        [in_world(history, meant, true)].into()
    };
    match worlds.into_iter().collect::<Vec<_>>()[..] {
        [one] => one,
        _ => Answer::Unknown,
    }
}

fn in_world(history: &[Event], meant: &Meant, cid_writes: bool) -> Answer {
    let writes = |who: Who| who != Rob && (who != Cid || cid_writes);
    let in_team = |team: &str, who: Who| {
        let first = match team {
            "net" => NET.contains(&who),
            "sec" => SEC.contains(&who),
            person => person == "dan" && who == Dan,
        };
        first && (team == "dan" || !history.contains(&Leave(who)))
    };
    let named = |who: Who| meant.from.is_none_or(|from| from.iter().any(|team| in_team(team, who)));
    let opinion = |event: &Event, who: Who| [Approve(who), Ask(who), Dismiss(who)].contains(event);
    let asks = |who: &Who| {
        history.iter().rev().find(|event| opinion(event, *who)) == Some(&Ask(*who))
            && (writes(*who) || (meant.from.is_some() && named(*who)))
    };
    if history.contains(&PushUnknown) || ALL.iter().any(asks) {
        return Answer::Never;
    }
    let had_a_hand = |who: Who| {
        who == Ann
            || history.iter().any(|event| match event {
                Push(by) | Clean(by) | Dirty(by) => *by == who,
                PushTogether => who == Dan,
                PushUnknown | Approve(_) | Ask(_) | Dismiss(_) | Retarget | Leave(_) | Hide(_) => false,
            })
    };
    let approves = |who: Who| {
        let Some(at) = history.iter().rposition(|event| opinion(event, who)) else { return false };
        let since = &history[at..];
        let changed = since.iter().any(|event| matches!(event, Push(_) | PushTogether | Dirty(_)));
        let turns = since.iter().filter(|event| **event == Retarget).count();
        history[at] == Approve(who)
            && !changed
            && turns % 2 == 0
            && !had_a_hand(who)
            && who != Eve
            && writes(who)
            && named(who)
    };
    let approvers: Vec<Who> = ALL.into_iter().filter(|who| approves(*who)).collect();
    let teams: Vec<&str> = meant.from.unwrap_or(&[]).iter().copied().filter(|team| *team != "dan").collect();
    // Every choice of approvers for the teams in every order.
    let fits = meant.teams == 0
        || teams.iter().any(|first| {
            let second = teams.iter().find(|team| *team != first);
            approvers.iter().any(|a| {
                approvers.iter().any(|b| a != b && in_team(first, *a) && second.is_some_and(|team| in_team(team, *b)))
            })
        });
    if approvers.len() >= meant.count && fits { Answer::Yes } else { Answer::No }
}
