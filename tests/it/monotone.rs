//! Evidence only ever helps: whatever is taken away of it, what did not pass does not begin to.
//!
//! Evidence is what speaks for a change: approvals, what a forge tells of people, the clock, what was seen before, waivers,
//! signatures, and the files that a judgement rests on. What speaks against one (a request for changes, a revoked key, a commit and
//! who made it) is no evidence in that sense: who may leave it out is said by the tests of those who read it.

use crate::cli::portcullis;
use crate::judged::{ALL, account, decided, pull, says};
use crate::signed::{HOLDERS, NOW, admit, closure, record, review, roots, roots_json, signed_payload, state};
use portcullis::decision::Outcome;
use portcullis::facts::{AccountKind, Facts, MissingFact, PullRequest, ReviewState, Reviewed, Seen, Sightings};
use portcullis::record::Review;
use std::collections::BTreeMap;
use std::time::Duration;
use tempfile::TempDir;

const SHUT: &str = "*filter\n:INPUT DROP [0:0]\n-A INPUT -s 10.0.0.1/32 -p tcp -m tcp --dport 443 -j ACCEPT\n\
    -A INPUT -s 10.0.0.2/32 -p tcp -m tcp --dport 443 -j ACCEPT\nCOMMIT\n";

fn open() -> String {
    SHUT.replace("10.0.0.2/32 -p tcp -m tcp --dport 443", "198.51.100.7/32 -p tcp -m tcp --dport 22")
}

const POLICY: &str = "version: 1
configurations: {edge: {files: [edge.rules]}}
people:
  bob: {github: {login: bob, id: 2}}
  cid: {github: {login: cid, id: 3}}
teams:
  net: {github: acme/net}
  sec: {people: [cid]}
policy_owners: [sec]
approvals: {count: 1}
freeze:
  - {name: night, from: \"2026-11-20T00:00\", to: \"2026-11-20T06:00\", zone: UTC}
checks:
  - check: exposed-ports
    from: any
    services: [ssh]
  - check: deletion-limit
    count: 2
    stable: {observations: 3, over: 10m}
  - check: required-approvals
    rules:
      - {name: opens, when: {opens: {from: any}}, count: 2, from: [net, sec], distinct_teams: 2}
      - {name: the rest, when: {any_effect: true}, count: 1}
waivers:
  - id: W-1
    check: exposed-ports
    flow: tcp 198.51.100.7 -> any:22
    owner: cid
    reason: the office needs it until the tunnel is there
    ticket: NET-1
    created: 2026-11-01
    expires: 2026-12-01
";

/// 2026-11-20T08:00:00Z, after the freeze.
const MORNING: u64 = 1_795_161_600;

fn outcome(policy: &str, proposed: Option<&str>, facts: &Facts) -> Option<Outcome> {
    let open = open();
    decided(policy, proposed, &[("edge.rules", SHUT)], &[("edge.rules", &open)], facts).map(|it| it.outcome())
}

/// The facts under which the change passes: Bob and Cid approve, and the removal was seen often enough.
fn good() -> Facts {
    let mut pull = pull();
    says(&mut pull, 1, ReviewState::Approved);
    says(&mut pull, 2, ReviewState::Approved);
    let unseen = Facts { authors: Some(vec!["ann".to_owned()]), now: Some(MORNING), ..Facts::default() };
    Facts { reviewed: Reviewed::Known(vec![pull]), ..unseen }
}

type Change = (&'static str, fn(&mut Facts));

fn of_pull(facts: &mut Facts, change: impl FnOnce(&mut PullRequest)) {
    if let Reviewed::Known(pulls) = &mut facts.reviewed
        && let Some(pull) = pulls.first_mut()
    {
        change(pull);
    }
}

fn unknown() -> MissingFact {
    MissingFact { what: "this".to_owned(), help: String::new() }
}

/// Which of the reviews are approvals.
fn approvals(pull: &PullRequest) -> std::vec::IntoIter<usize> {
    let all = pull.reviews.iter().enumerate().filter(|(_, review)| review.state == ReviewState::Approved);
    all.map(|(n, _)| n).collect::<Vec<_>>().into_iter()
}

/// What can be taken away of the facts, one at a time.
const LOSSES: &[Change] = &[
    ("everything that was said", |facts| facts.reviewed = Reviewed::Unasked),
    ("what was said is not known", |facts| facts.reviewed = Reviewed::Unknown(unknown())),
    ("the pull request", |facts| facts.reviewed = Reviewed::Known(Vec::new())),
    ("the first approval", |facts| of_pull(facts, |pull| drop(approvals(pull).next().map(|n| pull.reviews.remove(n))))),
    ("the last approval", |facts| of_pull(facts, |pull| drop(approvals(pull).last().map(|n| pull.reviews.remove(n))))),
    ("which commit the first is of", |facts| {
        of_pull(facts, |pull| pull.reviews.iter_mut().take(1).for_each(|r| r.commit = None))
    }),
    ("which commit the last is of", |facts| {
        of_pull(facts, |pull| pull.reviews.iter_mut().rev().take(1).for_each(|r| r.commit = None))
    }),
    ("which branch they are of", |facts| {
        of_pull(facts, |pull| pull.reviews.iter_mut().for_each(|r| r.base_ref = None))
    }),
    ("who said the first", |facts| of_pull(facts, |pull| pull.reviews.iter_mut().take(1).for_each(|r| r.by = None))),
    ("that the first is a person", |facts| {
        of_pull(facts, |pull| {
            pull.reviews.iter_mut().take(1).filter_map(|r| r.by.as_mut()).for_each(|by| by.kind = AccountKind::Other);
        });
    }),
    ("that the approvals were not taken back", |facts| {
        of_pull(facts, |pull| approvals(pull).for_each(|n| pull.reviews[n].state = ReviewState::Dismissed));
    }),
    ("that they are approvals", |facts| {
        of_pull(facts, |pull| approvals(pull).for_each(|n| pull.reviews[n].state = ReviewState::Commented));
    }),
    ("what anybody may do", |facts| of_pull(facts, |pull| pull.roles.clear())),
    ("what Bob may do", |facts| of_pull(facts, |pull| drop(pull.roles.remove(&account(1).id)))),
    ("what Cid may do is not known", |facts| {
        of_pull(facts, |pull| drop(pull.roles.insert(account(2).id, Err(unknown()))))
    }),
    ("who is in the teams", |facts| of_pull(facts, |pull| pull.teams.clear())),
    ("who is in net is not known", |facts| {
        of_pull(facts, |pull| drop(pull.teams.insert("acme/net".to_owned(), Err(unknown()))))
    }),
    ("that anybody is in net", |facts| {
        of_pull(facts, |pull| drop(pull.teams.insert("acme/net".to_owned(), Ok([].into()))))
    }),
    ("who pushed last", |facts| of_pull(facts, |pull| pull.last_pusher = Err(unknown()))),
    ("who made the commits", |facts| {
        of_pull(facts, |pull| pull.commits.iter_mut().for_each(|commit| commit.author = None))
    }),
    ("who committed", |facts| {
        of_pull(facts, |pull| pull.commits.iter_mut().for_each(|commit| commit.committer = None))
    }),
    ("the commits", |facts| of_pull(facts, |pull| pull.commits.clear())),
    ("that it is ready", |facts| of_pull(facts, |pull| pull.draft = true)),
    ("what gives the same result", |facts| of_pull(facts, |pull| pull.same_result.clear())),
    ("the clock", |facts| facts.now = None),
    ("that the clock is right", |facts| facts.pretended = true),
    ("who made the change", |facts| facts.authors = None),
    ("that anybody made it", |facts| facts.authors = Some(Vec::new())),
    ("what was seen before", |facts| facts.seen = Seen::Unasked),
    ("what was seen is not known", |facts| facts.seen = Seen::Unknown(unknown())),
    ("one of the times", |facts| {
        if let Seen::Known { removals, begun: _ } = &mut facts.seen {
            removals
                .values_mut()
                .for_each(|sightings| sightings.observations = sightings.observations.saturating_sub(1));
        }
    }),
];

/// Facts from which something is missing already, or against which something stands.
fn worlds() -> Vec<Facts> {
    let mut out = vec![good()];
    let carried = |facts: &mut Facts| {
        of_pull(facts, |pull| {
            let old = "c".repeat(40);
            pull.reviews.iter_mut().for_each(|review| review.commit = Some(old.clone()));
            pull.same_result.insert(old);
        });
    };
    let more: [fn(&mut Facts); 6] = [
        |facts| of_pull(facts, |pull| drop(pull.reviews.pop())),
        |facts| of_pull(facts, |pull| says(pull, 3, ReviewState::ChangesRequested)),
        |facts| of_pull(facts, |pull| pull.author = account(1)),
        |facts| facts.now = Some(MORNING - 3 * 3600),
        |facts| facts.now = Some(MORNING + 30 * 86400),
        |facts| facts.authors = Some(vec!["renovate".to_owned()]),
    ];
    out.extend(more.iter().map(|change| {
        let mut facts = good();
        change(&mut facts);
        facts
    }));
    let mut facts = good();
    carried(&mut facts);
    out.push(facts);
    out
}

/// What a program removes, seen so often.
fn seen(observations: usize) -> Facts {
    let mut facts = Facts { authors: None, ..good() };
    let sightings = Sightings { observations, over: Duration::from_secs(600) };
    let removals = BTreeMap::from([(ALL.to_owned(), sightings)]);
    facts.seen = Seen::Known { removals, begun: None };
    facts
}

#[test]
#[expect(clippy::print_stdout, reason = "totals are read in the log")]
fn what_is_taken_away_of_the_facts_never_opens_the_gate() {
    assert_eq!(outcome(POLICY, None, &good()), Some(Outcome::Pass));
    assert_eq!(outcome(POLICY, None, &seen(3)), Some(Outcome::Pass));
    assert_eq!(outcome(POLICY, None, &seen(2)), Some(Outcome::Blocked));
    let (mut tried, mut closed) = (0, 0);
    for world in worlds().into_iter().chain([seen(3), seen(2)]) {
        let before = outcome(POLICY, None, &world);
        for (first, lose) in LOSSES {
            let mut once = world.clone();
            lose(&mut once);
            let after = outcome(POLICY, None, &once);
            assert!(after != Some(Outcome::Pass) || before == Some(Outcome::Pass), "{first}: {before:?} -> {after:?}");
            closed += usize::from(after != Some(Outcome::Pass) && before == Some(Outcome::Pass));
            tried += 1;
        }
    }
    // And two at a time of what passes.
    for (n, (first, lose)) in LOSSES.iter().enumerate() {
        let mut once = good();
        lose(&mut once);
        let before = outcome(POLICY, None, &once);
        for (second, lose) in &LOSSES[n + 1..] {
            let mut twice = once.clone();
            lose(&mut twice);
            let after = outcome(POLICY, None, &twice);
            assert!(after != Some(Outcome::Pass) || before == Some(Outcome::Pass), "{first}, {second}: {after:?}");
            tried += 1;
        }
    }
    println!("{tried} losses of facts, of which {closed} alone closed the gate; opened: 0");
    assert!(closed > 40, "{closed}");
}

#[test]
#[expect(clippy::print_stdout, reason = "totals are read in the log")]
fn a_policy_that_the_change_shortens_never_opens_the_gate() {
    let lines: Vec<&str> = POLICY.lines().collect();
    let without = |n: usize| -> String {
        lines.iter().enumerate().filter(|(at, _)| *at != n).map(|(_, line)| format!("{line}\n")).collect()
    };
    let (mut tried, mut asked) = (0, 0);
    for world in worlds() {
        let before = outcome(POLICY, None, &world);
        for n in 0..lines.len() {
            let after = outcome(POLICY, Some(&without(n)), &world);
            assert!(after != Some(Outcome::Pass) || before == Some(Outcome::Pass), "line {n}: {before:?} -> {after:?}");
            asked += usize::from(after != before);
            tried += 1;
        }
    }
    // The very lines that speak for the change, gone from the policy that judges it.
    for block in ["people:", "teams:", "waivers:", "approvals:"] {
        let from = lines.iter().position(|line| line.starts_with(block)).expect("a block");
        let to = lines[from + 1..].iter().position(|line| !line.starts_with(' ')).map_or(lines.len(), |n| from + 1 + n);
        for n in from..to {
            for shortened in [without(n), format!("{}\n{}\n", lines[..from].join("\n"), lines[to..].join("\n"))] {
                for world in worlds() {
                    let (before, after) = (outcome(POLICY, None, &world), outcome(&shortened, None, &world));
                    assert!(after != Some(Outcome::Pass) || before == Some(Outcome::Pass), "line {n}: {after:?}");
                    tried += 1;
                }
            }
        }
    }
    println!("{tried} policies without a line, of which {asked} changed the answer; opened: 0");
}

#[test]
#[expect(clippy::print_stdout, reason = "totals are read in the log")]
fn a_file_that_is_gone_never_opens_the_gate() {
    let main = "table inet t {\n chain input {\n  type filter hook input priority 0; policy drop;\n  include \"./edge/rules.d/*.nft\"\n  include \"./edge/one.nft\"\n }\n}\n";
    let policy = "version: 1\napprovals: {count: 1}\nconfigurations: {edge: {files: [edge/main.nft]}, web: {files: [web.rules]}}\n\
        networks: {s3: {feed: feeds/list.json, service: S3}}\nchecks:\n  - {check: required-coverage, direction: ingress, networks: s3, services: tcp/443, in: [edge]}\n";
    let list = "{\"syncToken\": \"1\", \"createDate\": \"2024-08-29-13-43-10\", \"prefixes\": [{\"ip_prefix\": \"10.0.0.0/8\", \
        \"region\": \"x\", \"service\": \"S3\", \"network_border_group\": \"x\"}]}";
    let files = [
        ("portcullis.yaml", policy),
        ("feeds/list.json", list),
        ("web.rules", SHUT),
        ("edge/main.nft", main),
        ("edge/one.nft", "tcp dport 80 accept\n"),
        ("edge/rules.d/a.nft", "ip saddr 10.0.0.0/8 tcp dport 443 accept\n"),
    ];
    let code = |left_out: Option<(&str, &str)>| {
        let folder = TempDir::new().expect("a folder");
        for side in ["old", "new"] {
            for (name, text) in files.iter().filter(|(name, _)| left_out != Some((side, *name))) {
                let path = folder.path().join(side).join(name);
                std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
                let more = if (side, *name) == ("new", "edge/rules.d/a.nft") { "tcp dport 22 accept\n" } else { "" };
                std::fs::write(path, format!("{text}{more}")).expect("written");
            }
        }
        portcullis(folder.path(), &[], &["check", "--old", "old", "--new", "new"]).code
    };
    assert_eq!(code(None), 1);
    let mut tried = Vec::new();
    for (name, _) in files {
        tried.extend(["old", "new"].map(|side| (side, name, code(Some((side, name))))));
    }
    assert!(tried.iter().all(|(_, _, code)| *code != 0), "{tried:?}");
    println!("{} files taken away; opened: 0", tried.len());
}

#[test]
#[expect(clippy::print_stdout, reason = "totals are read in the log")]
fn signatures_and_fields_of_a_record_only_ever_help() {
    let mut tried = 0;
    // Every set of signatures, for every number of reviewers: the fewer, the less.
    for reviewers in 0..3 {
        let roots = roots(&roots_json(HOLDERS, reviewers));
        let passes = |set: u8| {
            let keys: Vec<u8> = (1..=4).filter(|key| set >> key & 1 == 1).collect();
            admit(&record(&review(), &keys), &roots, &state(), &closure()).is_ok()
        };
        for set in (0..32).step_by(2) {
            for key in (1..=4).filter(|key| set >> key & 1 == 1) {
                assert!(!passes(set & !(1 << key)) || passes(set), "{reviewers} {set:b} without {key}");
                tried += 1;
            }
        }
    }
    // Every field, of records that are refused for another reason each.
    let refused: [fn(&mut Review); 8] = [
        |review| review.environment = "staging".to_owned(),
        |review| review.repository = "github.com/acme/other".to_owned(),
        |review| review.target_ref = "refs/heads/other".to_owned(),
        |review| review.decision = "blocked".to_owned(),
        |review| review.sequence = 41,
        |review| review.policy.epoch = 6,
        |review| review.not_after = portcullis::facts::show_instant(NOW),
        |review| review.files[0].sha256 = portcullis::record::digest(b"other"),
    ];
    let roots = roots(&roots_json(HOLDERS, 1));
    let passes = |payload: &serde_json::Value| {
        admit(&signed_payload(payload.to_string().as_bytes(), &[1, 2]), &roots, &state(), &closure()).is_ok()
    };
    for change in refused {
        let mut review = review();
        change(&mut review);
        let payload: serde_json::Value = serde_json::from_slice(&review.to_payload()).expect("JSON");
        assert!(!passes(&payload));
        for path in paths(&payload, "") {
            let mut shorter = payload.clone();
            let (parent, key) = path.rsplit_once('/').expect("a path");
            match shorter.pointer_mut(parent) {
                Some(serde_json::Value::Object(map)) => drop(map.remove(key)),
                Some(serde_json::Value::Array(list)) => drop(list.remove(key.parse().expect("a number"))),
                other => unreachable!("{path}: {other:?}"),
            }
            assert!(!passes(&shorter), "without {path}");
            tried += 1;
        }
    }
    println!("{tried} signatures and fields taken away; opened: 0");
    assert!(tried > 300, "{tried}");
}

/// Where every value of a document is.
fn paths(value: &serde_json::Value, at: &str) -> Vec<String> {
    let below = |key: String, value| {
        let path = format!("{at}/{}", key.replace('~', "~0").replace('/', "~1"));
        [vec![path.clone()], paths(value, &path)].concat()
    };
    match value {
        serde_json::Value::Object(map) => map.iter().flat_map(|(key, value)| below(key.clone(), value)).collect(),
        serde_json::Value::Array(list) => {
            list.iter().enumerate().flat_map(|(n, value)| below(n.to_string(), value)).collect()
        }
        serde_json::Value::Null
        | serde_json::Value::Bool(_)
        | serde_json::Value::Number(_)
        | serde_json::Value::String(_) => Vec::new(),
    }
}
