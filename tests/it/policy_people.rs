//! Who may approve, when nothing may change, and what is accepted for a time: read strictly.

use crate::policy::{problems, with};
use portcullis::policy::{self, Feeds, Freeze};
use portcullis::text::SourceMap;

const PEOPLE: &str = "people: {ann: {}, bob: {}}\n";

#[test]
fn approvals_that_nobody_could_give_are_refused() {
    let asked = |demand: &str| {
        let text = format!(
            "people: {{ann: {{}}, bob: {{}}, eve: {{}}}}\nteams: {{net: {{people: [ann, bob]}}, sec: {{people: [bob]}}, sre: {{github: acme/sre}}}}\napprovals: {demand}\n"
        );
        problems(with(&text))
    };
    assert_eq!(asked("{count: 2, from: [net]}"), Vec::<String>::new());
    assert_eq!(asked("{count: 9, from: [sre]}"), Vec::<String>::new());
    assert_eq!(asked("{count: 2, from: [net, sec], distinct_teams: 2}"), Vec::<String>::new());
    assert_eq!(asked("{count: 2, distinct_teams: 3}"), Vec::<String>::new());
    assert_eq!(
        asked("{count: 3, from: [net, bob]}"),
        [
            "6:12: 3 approvals are asked for, and `from` has 2 people; nobody could ever approve: lower `count`, or add people or teams to `from`"
        ]
    );
    let teams =
        "name more teams in `from`, with different people in them; people who stand there themselves are no team";
    assert_eq!(
        asked("{count: 1, from: [sec, bob, ann], distinct_teams: 2}"),
        [format!("6:12: approvals of 2 different teams are asked for, and at most 1 could be had; {teams}")]
    );
    assert_eq!(asked("{from: [net]}"), ["6:12: the key `count` is missing"]);
    assert_eq!(asked("{count: 0}"), ["6:12: a count of 0 approvals is none; write at least `count: 1`"]);
    assert_eq!(asked("{count: 1, from: [nett]}"), ["6:30: there is no person or team `nett`; did you mean `net`?"]);
}

#[test]
fn a_human_is_one_person() {
    let text = with(
        "people:\n  ann: {github: {login: ann, id: 1}, keys: [\"ssh-ed25519 AAAA ann@work\"]}\n  bob: {github: {login: Ann, id: 1}, keys: [\"ssh-ed25519 AAAA bob\"]}\nteams: {ann: {people: [bob, eve]}, empty: {}, odd: {github: sre}}\n",
    );
    let help = "a person stands here once: two names would count as two people";
    assert_eq!(
        problems(text),
        [
            format!("6:34: `bob` and `ann` have the same account 1; {help}"),
            format!("6:34: `bob` and `ann` have the same login ann; {help}"),
            format!("6:45: `bob` and `ann` have the same key ssh-ed25519 AAAA; {help}"),
            "7:9: `ann` is a person and a team; give one of them another name: `from` could mean either".to_owned(),
            "7:29: there is no person `eve`; there are: ann, bob".to_owned(),
            "7:36: the team `empty` has no members; list its `people`, or name its `github: organisation/team`"
                .to_owned(),
            "7:61: `sre` is no team at GitHub; write `organisation/team`, as in the team's address".to_owned(),
        ]
    );
}

#[test]
fn b11_an_older_program_refuses_a_newer_policy() {
    let help = "install the newer program: this one cannot know what the policy demands";
    assert_eq!(
        problems("version: 1\nmin_version: 99.0.0\nnew_key: 1\n"),
        [format!("2:14: the policy needs portcullis 99.0.0 or newer; this is {}; {help}", env!("CARGO_PKG_VERSION"))]
    );
    assert_eq!(problems(with("min_version: 0.1\n")), ["4:14: `0.1` is a number; put it in quotes if it is a text"]);
    assert_eq!(problems(with("min_version: \"0.1\"\n")), ["4:14: `0.1` is no version; three numbers, as in 0.1.0"]);
    assert_eq!(problems(with("epoch: -1\n")), ["4:8: a number is needed here, not `-1`"]);
}

#[test]
fn a_waiver_says_what_who_why_and_until_when() {
    let waiver = |keys: &str| {
        let text = format!("{PEOPLE}waivers:\n  - {{id: W-1, check: exposed-ports, ticket: T-1, {keys}}}\n");
        problems(with(&text))
    };
    let usual = "owner: ann, reason: \"it is only for the tests\", expires: 2026-12-20";
    assert_eq!(waiver(&format!("{usual}, flow: \"tcp any -> any:22\"")), Vec::<String>::new());
    assert_eq!(waiver(&format!("{usual}, object: edge/input")), Vec::<String>::new());
    let which = "write one of `flow`, `object`, `fingerprint` and `expect_deletions`: what exactly is accepted";
    assert_eq!(waiver(usual), [format!("6:10: it is not said what `W-1` accepts, or twice; {which}")]);
    assert_eq!(
        waiver("owner: eve, reason: \"because\", expires: 2026-12-20, object: x"),
        [
            "6:57: there is no person or team `eve`; there are: ann, bob",
            "6:70: that is no reason; write at least 20 characters: whoever reads it next year was not there",
        ]
    );
    assert_eq!(
        waiver(&format!("{usual}, object: x, created: 2026-09-01")),
        [
            "6:107: `W-1` holds for 110 days; at most 90 are allowed; let it expire earlier, and renew it when somebody has looked again (`max_waiver_days`)"
        ]
    );
    assert_eq!(
        waiver("owner: ann, reason: \"it is only for the tests\", expires: 2026-02-30, object: x"),
        ["6:107: a day such as 2026-12-20 is needed here, not `2026-02-30`"]
    );
    assert_eq!(
        waiver("owner: ann, reason: \"it is only for the tests\", object: x"),
        ["6:5: the key `expires` is missing"]
    );
}

/// When a window begins and ends, in UTC.
fn window(zone: &str, from: &str, to: &str) -> (String, String) {
    let text = with(&format!("freeze: [{{name: x, from: \"{from}\", to: \"{to}\", zone: {zone}}}]\n"));
    let mut sources = SourceMap::default();
    let source = sources.add(b"portcullis.yaml", text.into_bytes()).expect("small");
    let parsed = policy::parse(source, &sources);
    match policy::load(parsed, &mut sources, &[], &Feeds::default()).expect("a policy").freeze {
        Freeze::Windows(windows) => (windows[0].from.to_string(), windows[0].to.to_string()),
        other @ (Freeze::Never | Freeze::Now { .. }) => unreachable!("{other:?}"),
    }
}

#[test]
fn e22_a_time_that_clocks_skip_or_show_twice_makes_the_window_longer() {
    let cases = [
        // Clocks go from 02:00 to 03:00 on 2026-03-29 and from 03:00 to 02:00 on 2026-10-25.
        ("Europe/Paris", "2026-03-29T02:30", "2026-10-25T02:30", "2026-03-29T00:30:00Z", "2026-10-25T01:30:00Z"),
        ("Europe/Paris", "2026-10-25T02:30", "2026-10-25T02:30", "2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z"),
        ("Europe/Paris", "2026-03-29T02:30", "2026-03-29T02:30", "2026-03-29T00:30:00Z", "2026-03-29T01:30:00Z"),
        // By half an hour, on 2026-04-05 and 2026-10-04.
        ("Australia/Lord_Howe", "2026-04-05T01:45", "2026-10-04T02:15", "2026-04-04T14:45:00Z", "2026-10-03T15:45:00Z"),
        // 2011-12-30 did not take place.
        ("Pacific/Apia", "2011-12-30T12:00", "2011-12-30T12:00", "2011-12-29T22:00:00Z", "2011-12-30T22:00:00Z"),
        // Summer time is not kept in Ramadan: 2026-02-15 to 2026-03-22.
        ("Africa/Casablanca", "2026-02-15T02:30", "2026-03-22T02:30", "2026-02-15T01:30:00Z", "2026-03-22T02:30:00Z"),
        ("UTC", "2026-01-01T00:00", "2026-01-02T00:00:30", "2026-01-01T00:00:00Z", "2026-01-02T00:00:30Z"),
    ];
    for (zone, from, to, begins, ends) in cases {
        assert_eq!(window(zone, from, to), (begins.to_owned(), ends.to_owned()), "{zone} {from} {to}");
    }
}

#[test]
fn a_window_that_cannot_be_is_refused() {
    let window = |keys: &str| problems(with(&format!("freeze: [{{name: x, {keys}}}]\n")));
    let utc = "to: \"2026-12-01T00:00\", zone: UTC";
    assert_eq!(
        window(&format!("from: \"2026-12-02T00:00\", {utc}")),
        ["4:26: `x` is over before it begins; `from` comes before `to`"]
    );
    assert_eq!(
        window(&format!("from: 2026-11-02, {utc}")),
        ["4:26: a day and a time such as \"2026-12-20T00:00\", without an offset is needed here, not `2026-11-02`"]
    );
    assert_eq!(
        window("from: \"2026-11-02T00:00\", to: \"2026-12-01T00:00\", zone: europe/paris"),
        ["4:76: there is no time zone `europe/paris`; did you mean `Europe/Paris`?"]
    );
    assert_eq!(
        problems(with("freeze: {name: x}\n")),
        ["4:9: `true`, `false`, a reason, or a list of windows is needed here, not a map"]
    );
}
