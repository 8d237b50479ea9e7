//! Several demands at once: every combination of how each of them fares, against tables that are written down here.

use crate::judged::{account, decided, pull, says};
use portcullis::decision::Outcome;
use portcullis::facts::{Facts, MissingFact, PullRequest, ReviewState, Reviewed, Role};
use std::collections::BTreeSet;

const HEADER: &str = "version: 1\nconfigurations: {edge: {files: [edge.rules]}}\n\
    teams: {net: {github: acme/net}, sec: {github: acme/sec}}\n";
const SHUT: &str = "*filter\n:INPUT DROP [0:0]\n-A INPUT -s 10.0.0.1/32 -p tcp -m tcp --dport 22 -j ACCEPT\nCOMMIT\n";
const OTHER: &str = "*filter\n:INPUT DROP [0:0]\n-A INPUT -s 10.0.0.2/32 -p tcp -m tcp --dport 22 -j ACCEPT\nCOMMIT\n";

/// One host is let in instead of another.
fn outcome(policy: &str, pull: &PullRequest) -> Outcome {
    let facts = Facts { reviewed: Reviewed::Known(vec![pull.clone()]), ..Facts::default() };
    let policy = format!("{HEADER}{policy}");
    decided(&policy, None, &[("edge.rules", SHUT)], &[("edge.rules", OTHER)], &facts).expect("a policy").outcome()
}

/// How the demand on one team fares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fares {
    Approved,
    Missing,
    Unknown,
    Asked,
}

const FARES: [Fares; 4] = [Fares::Approved, Fares::Missing, Fares::Unknown, Fares::Asked];

/// Brings a team to fare so: Bob is of net alone, Dan of sec alone. Both may read only, where they ask for changes, so that what
/// they ask counts for their team and for no other.
fn bring(pull: &mut PullRequest, (team, member): (&str, usize), fares: Fares) {
    match fares {
        Fares::Approved => says(pull, member, ReviewState::Approved),
        Fares::Missing => {}
        Fares::Unknown => {
            says(pull, member, ReviewState::Approved);
            let missing = MissingFact { what: format!("who is in {team}"), help: String::new() };
            pull.teams.insert(team.to_owned(), Err(missing));
        }
        Fares::Asked => {
            says(pull, member, ReviewState::ChangesRequested);
            pull.roles.insert(account(member).id, Ok(Role::Read));
        }
    }
}

#[test]
#[expect(clippy::print_stdout, reason = "totals are read in the log")]
fn c17_what_one_demand_lacks_no_other_makes_up_for() {
    let rules = [
        "{name: opening, when: {opens: {from: any}}, count: 1, from: [net]}",
        "{name: closing, when: {closes: {from: any}}, count: 1, from: [sec]}",
    ];
    let both = |a: &str, b: &str| format!("checks:\n  - {{check: required-approvals, rules: [{a}, {b}]}}\n");
    let separate = |a: &str, b: &str| {
        format!(
            "checks:\n  - {{check: required-approvals, rules: [{a}]}}\n  - {{check: required-approvals, rules: [{b}]}}\n"
        )
    };
    let mut rows = 0;
    for net in FARES {
        for sec in FARES {
            let mut pull = pull();
            bring(&mut pull, ("acme/net", 1), net);
            bring(&mut pull, ("acme/sec", 3), sec);
            // The gravest of the two, whichever rule stands first.
            let expected = alone(net.max(sec));
            for policy in [both(rules[0], rules[1]), both(rules[1], rules[0])] {
                assert_eq!(outcome(&policy, &pull), expected, "{net:?} {sec:?} {policy}");
                rows += 1;
            }
            // In entries of their own, what one rule is about no rule of the other is: that blocks.
            assert_eq!(outcome(&separate(rules[0], rules[1]), &pull), Outcome::Blocked, "{net:?} {sec:?}");
            // A rule that asks for nothing takes nothing away from one that asks.
            let free = "{name: free, when: {any_effect: true}, none: {because: \"it is asked for elsewhere\"}}";
            assert_eq!(outcome(&both(free, rules[0]), &pull), alone(net), "{net:?} {sec:?}");
            rows += 2;
        }
    }
    // Rules that match nothing ask for nothing, and leave what the change does to nobody.
    let elsewhere = "{name: elsewhere, when: {opens: {from: 192.0.2.0/24}}, count: 1}";
    assert_eq!(outcome(&both(elsewhere, elsewhere.replace("elsewhere", "too").as_str()), &pull()), Outcome::Blocked);
    println!("{rows} rows of two demands");
}

/// What the demand on net alone comes to. Who is of sec does not matter, nor what a reader of sec asks for.
fn alone(net: Fares) -> Outcome {
    match net {
        Fares::Approved => Outcome::Pass,
        Fares::Missing => Outcome::NeedsApproval,
        Fares::Unknown => Outcome::Undecided,
        Fares::Asked => Outcome::Blocked,
    }
}

#[test]
#[expect(clippy::print_stdout, reason = "totals are read in the log")]
fn c17_teams_that_have_to_be_different_are_given_different_people() {
    let mut rows = 0;
    for (count, distinct) in [(1, 1), (2, 1), (2, 2), (3, 1), (3, 2)] {
        let policy = format!(
            "checks:\n  - check: required-approvals\n    rules: [{{name: all, when: {{any_effect: true}}, count: {count}, \
             from: [net, sec], distinct_teams: {distinct}}}]\n"
        );
        // Everybody of Bob (net), Cid (both), Dan (sec), Eve (neither) and Rob (reads) approves, asks for changes, or is silent.
        for case in 0..3_usize.pow(5) {
            let said: Vec<usize> = (0..5).map(|n| case / 3_usize.pow(n) % 3).collect();
            let mut pull = pull();
            for (n, said) in said.iter().enumerate() {
                match said {
                    1 => says(&mut pull, n + 1, ReviewState::Approved),
                    2 => says(&mut pull, n + 1, ReviewState::ChangesRequested),
                    _ => {}
                }
            }
            let asked = said.iter().take(4).any(|said| *said == 2);
            let teams: [&[usize]; 5] = [&[0], &[0, 1], &[1], &[], &[]];
            let approvers: Vec<&[usize]> = (0..3).filter(|n| said[*n] == 1).map(|n| teams[n]).collect();
            let expected = if asked {
                Outcome::Blocked
            } else if approvers.len() >= count && different(&approvers) >= distinct {
                Outcome::Pass
            } else {
                Outcome::NeedsApproval
            };
            assert_eq!(outcome(&policy, &pull), expected, "{count} of {distinct}: {said:?}");
            rows += 1;
        }
    }
    println!("{rows} rows of people and teams");
}

/// The most different teams that so many people can stand for, one each: tried out.
fn different(people: &[&[usize]]) -> usize {
    fn try_out(people: &[&[usize]], taken: &BTreeSet<usize>) -> usize {
        let Some((first, rest)) = people.split_first() else { return taken.len() };
        let free = first.iter().filter(|team| !taken.contains(team));
        let with = free.map(|team| try_out(rest, &taken.iter().copied().chain([*team]).collect()));
        with.chain([try_out(rest, taken)]).max().unwrap_or(0)
    }
    try_out(people, &BTreeSet::new())
}
