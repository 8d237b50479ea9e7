//! The list of threats, group D (faults of the forge), and those of group C that are about what the forge says. What
//! follows from the facts is judged elsewhere.

use crate::github::{ANN, BOB, CY, Fault, Line, READER, REPOSITORY, SHORT, Server, TOKEN, World, question, sha, world};
use portcullis::facts::github::{Limits, Question, Subject, review};
use portcullis::facts::{MissingFact, PullRequest, ReviewState, Reviewed, Role};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

const PULL: &str = "/repos/acme/net/pulls/7";
const REVIEWS: &str = "/repos/acme/net/pulls/7/reviews";
const TEAM: &str = "/orgs/acme/teams/sec";

/// The one pull request, or what is not known.
fn asked(question: &Question, line: &Line) -> Result<PullRequest, String> {
    match review(question, line) {
        Reviewed::Known(mut pulls) if pulls.len() == 1 => Ok(pulls.remove(0)),
        Reviewed::Unknown(MissingFact { what, .. }) => Err(what),
        other @ (Reviewed::Unasked | Reviewed::Known(_)) => Err(format!("{other:?}")),
    }
}

/// What is found out of a world, and what it is asked for.
fn known(more: impl FnOnce(&mut World)) -> PullRequest {
    let (world, line) = team(more);
    let head = world.pulls[&7].head.clone();
    let server = Server::start(world, "");
    asked(&question(&server, &head, Limits::default()), &line).expect("nothing goes wrong")
}

/// What is found out when a call goes wrong that often, and how often it was made.
fn failing(path: &str, fault: Fault, times: usize) -> (Result<PullRequest, String>, usize) {
    let (world, line) = team(|world| assert!(world.review(7, BOB, "APPROVED") > 0));
    let head = world.pulls[&7].head.clone();
    let server = Server::start(world, "");
    server.fail(path, fault, times);
    let found = asked(&question(&server, &head, SHORT), &line);
    let calls = server.asked().iter().filter(|(asked, _)| asked == path).count();
    (found, calls)
}

/// Why it is undecided when a call always goes wrong.
fn undecided(path: &str, fault: Fault) -> String {
    failing(path, fault, usize::MAX).0.expect_err("it is undecided")
}

fn team(more: impl FnOnce(&mut World)) -> (World, Line) {
    world(|world| {
        world.teams.insert("acme/sec".to_owned(), BTreeMap::from([(BOB, "active"), (CY, "pending")]));
        more(world);
    })
}

fn of_pull(why: &str) -> String {
    format!("what GitHub says of pull request #7 ({why})")
}

#[test]
fn d01_a_change_request_on_the_third_page_is_seen() {
    let pull = known(|world| {
        world.review(7, BOB, "APPROVED");
        for _ in 0..199 {
            world.review(7, READER, "COMMENTED");
        }
        world.review(7, CY, "CHANGES_REQUESTED");
    });
    assert_eq!(pull.reviews.len(), 201);
    assert_eq!(pull.reviews.last().map(|review| review.state), Some(ReviewState::ChangesRequested));
}

#[test]
fn d01_a_full_page_without_a_link_to_the_next_is_not_the_end() {
    let (world, line) = team(|world| {
        for _ in 0..100 {
            world.review(7, READER, "COMMENTED");
        }
        world.review(7, CY, "CHANGES_REQUESTED");
    });
    let server = Server::start(world, "");
    server.fail(REVIEWS, Fault::NoNext, usize::MAX);
    let found = asked(&question(&server, &sha('1'), SHORT), &line);
    let why = "the pages of the list do not follow one another: page 2 is there, and was not to follow";
    assert_eq!(found.expect_err("undecided"), of_pull(why));
}

#[test]
fn d02_an_empty_page_before_another_is_undecided() {
    let why = "the pages of the list do not follow one another: page 1 is empty, and others follow";
    assert_eq!(undecided(REVIEWS, Fault::EmptyPage), of_pull(why));
}

#[test]
fn d03_a_next_page_that_loops_is_undecided() {
    let fault = Fault::Next("{own}?per_page=100&page={page}".to_owned());
    let (found, calls) = failing(REVIEWS, fault, usize::MAX);
    let why = "the pages of the list do not follow one another: after page 1, the next is not the one after it";
    assert_eq!((found, calls), (Err(of_pull(why)), 1));
}

#[test]
fn d03_a_list_without_end_is_undecided() {
    let (world, line) = team(|world| {
        for _ in 0..600 {
            world.review(7, READER, "COMMENTED");
        }
    });
    let server = Server::start(world, "");
    let found = asked(&question(&server, &sha('1'), SHORT), &line);
    let why = "the pages of the list do not follow one another: there are more than 5";
    assert_eq!(found, Err(of_pull(why)));
}

#[test]
fn d04_nobody_else_is_asked() {
    let elsewhere = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    elsewhere.set_nonblocking(true).expect("a setting");
    let next = Fault::Next("http://{elsewhere}/?page=2".to_owned());
    for fault in [next, Fault::Redirect(301), Fault::Redirect(302), Fault::Redirect(307)] {
        let (world, line) = team(|world| assert!(world.review(7, BOB, "APPROVED") > 0));
        let server = Server::start(world, "");
        server.lead_to(elsewhere.local_addr().expect("an address"));
        server.fail(REVIEWS, fault, usize::MAX);
        assert!(asked(&question(&server, &sha('1'), SHORT), &line).is_err());
        assert!(elsewhere.accept().is_err(), "somebody else was asked");
    }
}

#[test]
fn d05_silence_is_undecided() {
    assert_eq!(undecided(PULL, Fault::Hang), of_pull("no answer within 500ms"));
    let (world, line) = team(|_| {});
    let server = Server::start(world, "");
    server.fail(PULL, Fault::Hang, usize::MAX);
    let limits = Limits { run: Duration::from_millis(50), ..SHORT };
    assert_eq!(
        asked(&question(&server, &sha('1'), limits), &line),
        Err(of_pull("it took longer than 50ms altogether"))
    );
}

#[test]
fn d06_what_fails_once_is_asked_again_and_what_fails_always_is_undecided() {
    for status in [500, 502, 503, 504, 429] {
        let (found, calls) = failing(PULL, Fault::Status(status, vec![]), 1);
        assert!(found.is_ok(), "{status}: {found:?}");
        assert_eq!(calls, 3, "once more, and last");
        let (found, calls) = failing(PULL, Fault::Status(status, vec![]), usize::MAX);
        assert_eq!((found.is_err(), calls), (true, 2), "{status}");
    }
    for status in [400, 401, 403, 404, 409, 410, 418, 422, 451, 204, 304] {
        let (found, calls) = failing(PULL, Fault::Status(status, vec![]), usize::MAX);
        assert_eq!((found, calls), (Err(of_pull(&format!("the answer has status {status}"))), 1));
    }
    for fault in [Fault::Reset, Fault::Truncated] {
        assert!(failing(PULL, fault.clone(), 1).0.is_ok(), "{fault:?}");
        assert!(failing(PULL, fault.clone(), usize::MAX).0.is_err(), "{fault:?}");
    }
}

#[test]
fn d06_a_limit_is_waited_for_only_within_the_time_there_is() {
    let limited = |seconds: &str| Fault::Status(403, vec![("Retry-After", seconds.to_owned())]);
    assert!(failing(PULL, limited("0"), 1).0.is_ok());
    let (found, calls) = failing(PULL, limited("1000000000"), 1);
    let why = "the rate limit is used up for another 1000000000 s";
    assert_eq!((found, calls), (Err(of_pull(why)), 1));
}

#[test]
fn d07_forbidden_is_never_an_answer_about_members() {
    let membership = "/orgs/acme/teams/sec/memberships/bob";
    let of = |path: &str, fault: Fault| {
        failing(path, fault, usize::MAX).0.expect("the rest is known").teams["acme/sec"].clone()
    };
    let none: BTreeSet<u64> = BTreeSet::new();
    assert_eq!(of(membership, Fault::Status(404, vec![])), Ok(none));
    for (path, status) in [(membership, 403), (membership, 401), (TEAM, 403), (TEAM, 404)] {
        assert!(of(path, Fault::Status(status, vec![])).is_err(), "{path} {status}");
    }
    let limit = vec![("X-RateLimit-Remaining", "0".to_owned())];
    assert!(of(membership, Fault::Status(403, limit)).is_err());
}

#[test]
fn d08_only_a_list_is_a_list() {
    let body = |text: &str| undecided(REVIEWS, Fault::Body(text.to_owned()));
    for text in ["<html>", "null", "{}", "{\"items\":[]}", "[null]", "[{}]", "", "[", "\"\"", "0"] {
        assert!(body(text).starts_with("what GitHub says of pull request #7 (the answer has another form"), "{text}");
    }
    let why = undecided(REVIEWS, Fault::Type("text/html; charset=utf-8"));
    assert_eq!(why, of_pull("the answer is not JSON but `text/html; charset=utf-8`"));
    assert_eq!(undecided(REVIEWS, Fault::Huge), of_pull("the answer has more than 1048576 bytes"));
}

#[test]
fn d09_null_is_taken_where_it_is_published_and_new_words_are_undecided() {
    let (found, _) = failing(REVIEWS, Fault::Null("/0/user/gravatar_id".to_owned()), usize::MAX);
    assert!(found.is_ok(), "{found:?}");
    for fault in [
        Fault::Word("/0/state".to_owned()),
        Fault::Removed("/0/state".to_owned()),
        Fault::Null("/0/state".to_owned()),
        Fault::Word("/0/user/type".to_owned()),
        Fault::Removed("/0/commit_id".to_owned()),
        Fault::Removed("/0/user".to_owned()),
        Fault::Removed("/0/submitted_at".to_owned()),
        Fault::Word("/0/submitted_at".to_owned()),
        Fault::Word("/0/id".to_owned()),
    ] {
        assert!(failing(REVIEWS, fault.clone(), usize::MAX).0.is_err(), "{fault:?}");
    }
}

#[test]
fn d10_nobody_asks_the_forge_which_files_changed() {
    let (world, line) = team(|world| assert!(world.review(7, BOB, "APPROVED") > 0));
    let server = Server::start(world, "");
    assert!(asked(&question(&server, &sha('1'), Limits::default()), &line).is_ok());
    let mut calls: Vec<&str> = server.asked().into_iter().map(|(_, call)| call).collect();
    calls.sort_unstable();
    calls.dedup();
    let expected = [
        "/orgs/{org}/teams/{team_slug}",
        "/orgs/{org}/teams/{team_slug}/memberships/{username}",
        "/repos/{owner}/{repo}/activity",
        "/repos/{owner}/{repo}/collaborators/{username}/permission",
        "/repos/{owner}/{repo}/git/ref/{ref}",
        "/repos/{owner}/{repo}/issues/{issue_number}/timeline",
        "/repos/{owner}/{repo}/pulls/{pull_number}",
        "/repos/{owner}/{repo}/pulls/{pull_number}/commits",
        "/repos/{owner}/{repo}/pulls/{pull_number}/reviews",
    ];
    assert_eq!(calls, expected);
}

#[test]
fn d11_what_moves_while_it_is_read_is_read_again_and_then_undecided() {
    let moved = |change: fn(&mut World)| {
        let (world, line) = team(|world| assert!(world.review(7, BOB, "APPROVED") > 0));
        let server = Server::start(world, "");
        server.after(3, change);
        (asked(&question(&server, &sha('1'), Limits::default()), &line), server.asked().len())
    };
    let (still, calls) = moved(|_| {});
    assert!(still.is_ok_and(|pull| !pull.draft));
    let (draft, more) = moved(|world| world.pulls.get_mut(&7).expect("a pull request").draft = true);
    assert!(draft.is_ok_and(|pull| pull.draft));
    assert_eq!(more, 2 * calls);
    let (pushed, _) = moved(|world| world.push(7, ANN, ANN, &[&sha('2')]));
    let why = format!("it proposes {} now, and {} is judged, which is something else", sha('2'), sha('1'));
    assert_eq!(pushed, Err(of_pull(&why)));
    let (merged, _) = moved(|world| drop(world.branches.insert("main".to_owned(), sha('c'))));
    let why = format!("`main` is at {} now, and what is judged is a change to {}", sha('c'), sha('b'));
    assert_eq!(merged, Err(of_pull(&why)));
}

#[test]
fn d12_a_server_of_ones_own_has_its_own_paths() {
    let (world, line) = team(|world| {
        for _ in 0..201 {
            world.review(7, READER, "COMMENTED");
        }
    });
    let of = |base| {
        let server = Server::start(world.clone(), base);
        asked(&question(&server, &sha('1'), Limits::default()), &line).expect("nothing goes wrong")
    };
    assert_eq!(of("/api/v3"), of(""));
}

#[test]
fn d13_without_a_token_nothing_is_asked_and_the_scope_is_named() {
    let (world, line) = team(|_| {});
    let server = Server::start(world, "");
    let question = Question { token: None, ..question(&server, &sha('1'), SHORT) };
    let Reviewed::Unknown(missing) = review(&question, &line) else { unreachable!("it is not known") };
    assert!(missing.help.contains("may read contents and pull requests"), "{}", missing.help);
    assert_eq!(server.asked(), []);
    let (found, _) = failing(TEAM, Fault::Status(404, vec![]), usize::MAX);
    let missing = found.expect("the rest is known").teams["acme/sec"].clone().expect_err("a team that is not seen");
    let what = "who is in the team acme/sec (there is no such team, or the token may not see it)";
    assert_eq!(missing.what, what);
    assert!(missing.help.contains("for teams: members of the organisation"), "{}", missing.help);
}

#[test]
fn d14_an_event_only_names_a_number() {
    let (mut world, line) = team(|_| {});
    world.open(8, BOB, "other", &[&sha('3')]);
    world.review(8, CY, "APPROVED");
    let server = Server::start(world, "");
    // The event says that it is about the pull request that is approved; what is judged is the other one.
    let question = Question { subject: Subject::PullRequest(8), ..question(&server, &sha('1'), SHORT) };
    let why = format!("it proposes {} now, and {} is judged, which is something else", sha('3'), sha('1'));
    assert_eq!(asked(&question, &line), Err(of_pull(&why).replace("#7", "#8")));
}

#[test]
fn d15_a_clock_that_is_wrong_gives_no_time() {
    let header = |name, value: &str| (name, value.to_owned());
    let past = vec![header("X-RateLimit-Remaining", "0"), header("X-RateLimit-Reset", "1")];
    assert_eq!(undecided(PULL, Fault::Status(403, past)), of_pull("the rate limit is used up for another 1 s"));
}

#[test]
fn i01_the_token_goes_to_one_place_and_is_never_shown() {
    let (world, line) = team(|_| {});
    let server = Server::start(world, "");
    server.fail(PULL, Fault::Type(TOKEN), usize::MAX);
    let found = review(&question(&server, &sha('1'), SHORT), &line);
    assert!(!format!("{found:?}").contains(TOKEN), "{found:?}");
    let Reviewed::Unknown(missing) = found else { unreachable!("it is not known") };
    assert_eq!(missing.what, of_pull("the answer is not JSON but `(the token)`"));
    assert_eq!(server.tokens(), [format!("Bearer {TOKEN}")]);
}

#[test]
fn c08_an_approval_names_the_commit_that_it_is_of() {
    let (mut world, mut line) = team(|world| assert!(world.review(7, BOB, "APPROVED") > 0));
    world.push(7, ANN, ANN, &[&sha('2')]);
    line.commits.push((sha('2'), Vec::new()));
    let of = |line: &Line| {
        let server = Server::start(world.clone(), "");
        let pull = asked(&question(&server, &sha('2'), Limits::default()), line).expect("nothing goes wrong");
        (pull.head, pull.reviews[0].commit.clone(), pull.same_result)
    };
    assert_eq!(of(&line), (sha('2'), Some(sha('1')), BTreeSet::new()));
    line.same_result.insert(sha('1'));
    assert_eq!(of(&line).2, BTreeSet::from([sha('1')]));
}

#[test]
fn c15_only_active_members_are_members() {
    let pull = known(|world| {
        world.review(7, BOB, "APPROVED");
        world.review(7, CY, "APPROVED");
        world.review(7, READER, "APPROVED");
    });
    assert_eq!(pull.teams, BTreeMap::from([("acme/sec".to_owned(), Ok(BTreeSet::from([BOB])))]));
    let roles = BTreeMap::from([(BOB, Ok(Role::Write)), (CY, Ok(Role::Write)), (READER, Ok(Role::Read))]);
    assert_eq!(pull.roles, roles);
}

#[test]
fn c15_members_are_those_of_now() {
    let (world, line) = team(|world| assert!(world.review(7, BOB, "APPROVED") > 0));
    let server = Server::start(world, "");
    let now =
        || asked(&question(&server, &sha('1'), SHORT), &line).expect("the rest is known").teams["acme/sec"].clone();
    assert_eq!(now(), Ok(BTreeSet::from([BOB])));
    server.change(|world| drop(world.teams.insert("acme/sec".to_owned(), BTreeMap::new())));
    assert_eq!(now(), Ok(BTreeSet::new()));
    server.change(|world| world.teams.clear());
    assert!(now().is_err());
}

#[test]
fn c14_roles_of_the_organisation_are_what_they_include() {
    let of = |permission, role| {
        let role = known(|world| {
            world.review(7, BOB, "APPROVED");
            world.roles.insert(BOB, (permission, role));
        });
        role.roles[&BOB].clone().ok()
    };
    assert_eq!(of("write", "maintain"), Some(Role::Maintain));
    assert_eq!(of("read", "triage"), Some(Role::Triage));
    assert_eq!(of("read", "release-manager"), Some(Role::Read));
    assert_eq!(of("write", "release-manager"), Some(Role::Write));
    assert_eq!(of("none", ""), Some(Role::None));
    assert_eq!(of("read", "admin"), None);
}

#[test]
fn c19_an_approval_of_another_pull_request_is_not_of_this_one() {
    let pull = known(|world| {
        world.open(8, ANN, "feature", &[&sha('1')]);
        world.review(8, BOB, "APPROVED");
    });
    assert_eq!((pull.number, pull.reviews.len()), (7, 0));
    let other = Fault::Body(
        serde_json::json!([{"id": 1, "user": null, "state": "APPROVED", "commit_id": null,
            "submitted_at": "2026-11-20T08:00:00Z", "pull_request_url": "https://api.github.com/repos/acme/net/pulls/8"}])
        .to_string(),
    );
    assert_eq!(
        undecided(REVIEWS, other),
        of_pull("the answer has another form than it should: it is a review of another pull request")
    );
}

#[test]
fn c20_a_review_before_the_branch_was_changed_is_of_no_branch() {
    let pull = known(|world| {
        world.review(7, CY, "APPROVED");
        world.retarget(7, "playground");
        world.review(7, BOB, "APPROVED");
        world.retarget(7, "main");
        world.review(7, BOB, "APPROVED");
    });
    let branches: Vec<Option<&str>> = pull.reviews.iter().map(|review| review.base_ref.as_deref()).collect();
    assert_eq!(branches, [None, None, Some("main")]);
    // A history without the review tells nothing, and what is new may have been a change of the branch.
    let (found, _) = failing("/repos/acme/net/issues/7/timeline", Fault::Body("[]".to_owned()), usize::MAX);
    assert_eq!(found.expect("known").reviews[0].base_ref, None);
    let (found, _) = failing("/repos/acme/net/issues/7/timeline", Fault::Word("/1/event".to_owned()), usize::MAX);
    assert_eq!(found.expect("known").reviews[0].base_ref, None);
}

#[test]
fn c21_what_is_deleted_is_nobodys() {
    let pull = known(|world| {
        world.review(7, BOB, "APPROVED");
        let pull = world.pulls.get_mut(&7).expect("a pull request");
        pull.reviews[0].by = None;
        pull.reviews[0].commit = None;
    });
    assert_eq!((&pull.reviews[0].by, &pull.reviews[0].commit), (&None, &None));
}

#[test]
fn c04_a_commit_of_nobody_is_of_nobody() {
    let pull = known(|world| drop(world.commits.insert(sha('1'), (None, Some(ANN), vec![7]))));
    assert_eq!(pull.commits[0].author, None);
    assert_eq!(pull.commits[0].committer.as_ref().map(|account| account.id), Some(ANN));
}

#[test]
fn c02_co_authors_are_the_accounts_of_their_addresses() {
    let (world, mut line) = team(|_| {});
    let names = [
        format!("Bob <{BOB}+old-name@users.noreply.127.0.0.1>"),
        "Dora <dora@example.org>".to_owned(),
        format!("Eve <{BOB}+bob@users.noreply.127.0.0.1.example.org>"),
    ];
    line.commits[0].1 = names.to_vec();
    let server = Server::start(world, "");
    let pull = asked(&question(&server, &sha('1'), Limits::default()), &line).expect("nothing goes wrong");
    let accounts: Vec<_> = pull.commits[0]
        .co_authors
        .iter()
        .map(|one| one.account.as_ref().map(|account| account.login.as_str()))
        .collect();
    assert_eq!(accounts, [Some("bob"), None, None]);
}

#[test]
fn c25_the_last_pusher_is_who_pushed() {
    let pull = known(|world| world.push(7, BOB, ANN, &[&sha('2')]));
    assert_eq!(pull.last_pusher.map(|account| account.id), Ok(BOB));
    // Somebody whom nobody knows any more, or a push that is not the last one.
    for actor in [None, Some(CY)] {
        let (mut world, line) = team(|_| {});
        let head = if actor.is_some() { sha('9') } else { sha('1') };
        world.pushes.push(("feature".to_owned(), head, actor));
        let server = Server::start(world, "");
        let pull = asked(&question(&server, &sha('1'), Limits::default()), &line).expect("the rest is known");
        assert!(pull.last_pusher.is_err(), "{actor:?}");
    }
}

#[test]
fn a24_more_commits_than_are_told_of_are_undecided() {
    let (mut world, mut line) = team(|_| {});
    let more: Vec<String> = (0..250).map(|n| format!("{n:040x}")).collect();
    let more: Vec<&str> = more.iter().map(String::as_str).collect();
    world.push(7, ANN, ANN, &more);
    line.commits.extend(more.iter().map(|id| ((*id).to_owned(), Vec::new())));
    let server = Server::start(world, "");
    let found = asked(&question(&server, more.last().expect("a commit"), Limits::default()), &line);
    assert_eq!(found, Err(of_pull("it has 251 commits, and GitHub tells of 250")));
}

#[test]
fn c22_a_login_that_has_changed_hands_is_nobody() {
    let path = format!("/repos/{REPOSITORY}/collaborators/bob/permission");
    let other = "{\"permission\":\"write\",\"role_name\":\"write\",\"user\":{\"id\":4711}}".to_owned();
    let (found, _) = failing(&path, Fault::Body(other), usize::MAX);
    let missing = found.expect("the rest is known").roles[&BOB].clone().expect_err("another account");
    assert!(missing.what.contains("the name bob belongs to another account now"), "{}", missing.what);
}
