//! The policy file is read strictly: what is not exactly right is refused, with its place and what to do.

use crate::tools::worked;
use portcullis::checks;
use portcullis::net::{Family, Naming, Set};
use portcullis::policy::{self, Feeds, Policy, PolicyError};
use portcullis::text::SourceMap;
use proptest::prelude::*;
use std::time::Duration;

/// A policy that uses every key.
const FULL: &str = r#"version: 1
extends: [baseline]
configurations:
  edge: {files: ["edge/*.rules"]}
  hosts: {files: ["hosts/*.rules"], each: true, format: iptables-save}
networks:
  office: [198.51.100.0/24, "2001:db8:1::/48"]
  overlay: 10.255.0.0/16
  trusted: [office, overlay]
services:
  internal-api: [tcp/8443, tcp/9090-9099]
  internal-web: [internal-api, https, icmp/8]
checks:
  - check: critical-ports
    name: internal-apis
    level: block
    in: ["edge/input", hosts]
    from: overlay
    to: any
    services: [internal-api]
    always: false
  - check: exposed-ports
    from: any
    to: [trusted, 10.0.0.0-10.0.0.9]
    services: [ssh, rdp, tcp/5432]
    except: [office, "tcp 203.0.113.0/24 -> 10.0.0.5:22"]
    level: warn
  - check: protected-ranges
    ranges: overlay
    services: any
    level: approve
    approvals: {count: 2, from: [netsec, alice]}
  - check: protected-rules
    objects: [edge/input, {comment: "overlay*"}, {text: "*8472*"}]
    from: any
    to: any
    services: udp/4789
  - check: deletion-limit
    count: 10
    percent: 30
    per: configuration
    kinds: [rule, chain]
    automation: {count: 3, percent: 5}
  - check: empty-input
    kinds: [chain]
    shrink: 40
    allow: ["edge/filter/SCRATCH"]
  - check: default-action
    filters: ["edge/*"]
    must_be: deny
  - check: policy-changes
    level: block
  - check: unreadable
people:
  alice: {github: {login: alice, id: 1001}, keys: ["ssh-ed25519 AAAA"]}
  bob: {}
teams:
  netsec: {people: [alice, bob]}
  sre: {github: acme/sre}
bots: ["renovate[bot]"]
approvals: {count: 2, from: [netsec, sre], distinct_teams: 2}
policy_owners: [netsec, alice]
environments: {production: ["edge", "hosts/*"]}
epoch: 7
min_version: 0.1.0
max_waiver_days: 30
waivers:
  - id: W-1
    check: critical-ports
    name: internal-apis
    flow: "tcp 198.51.100.0/24 -> 10.0.0.5:22"
    owner: alice
    reason: "a reason that is long enough"
    ticket: NET-1
    created: 2026-11-25
    expires: 2026-12-20
    zone: Europe/Paris
freeze:
  - {name: year end, from: "2026-12-20T00:00", to: "2027-01-03T00:00", zone: Europe/Paris, in: [edge]}
"#;

fn read(text: &[u8]) -> Result<(Policy, SourceMap), Vec<String>> {
    let mut sources = SourceMap::default();
    let source = sources.add(b"portcullis.yaml", text.to_vec()).expect("small");
    match checks::load(policy::parse(source, &sources), &mut sources, &["iptables-save"], &Feeds::default()) {
        Ok((policy, _)) => Ok((policy, sources)),
        Err(problems) => Err(problems.iter().map(|problem| show(problem, &sources)).collect()),
    }
}

/// `2:5: there is no key …; did you mean …`.
fn show(problem: &PolicyError, sources: &SourceMap) -> String {
    let place = sources.locate(problem.at());
    let help = miette::Diagnostic::help(problem).map(|help| format!("; {help}")).unwrap_or_default();
    format!("{}:{}: {problem}{help}", place.line, place.column)
}

pub(crate) fn problems(text: impl AsRef<[u8]>) -> Vec<String> {
    read(text.as_ref()).err().unwrap_or_default()
}

/// A policy that is right but for what is put behind it.
pub(crate) fn with(rest: &str) -> String {
    let tail = if rest.contains("checks:") { "" } else { "extends: [baseline]\n" };
    format!("version: 1\nconfigurations: {{edge: {{files: [edge.rules]}}}}\n{tail}{rest}")
}

#[test]
fn every_key_of_the_language_is_read() {
    assert_eq!(problems(FULL), Vec::<String>::new());
}

#[test]
fn b06_a_policy_that_says_nothing_is_refused() {
    for empty in ["", "\n", "# only a comment\n", "---\n", "~", "null", "{}", "--- # x\n"] {
        let problems = problems(empty);
        assert_eq!(
            problems,
            ["1:1: the policy is empty; begin with `version: 1`; an empty policy would let everything pass"],
            "{empty:?}"
        );
    }
    assert_eq!(problems("[]"), ["1:1: a map is needed here, not a list"]);
    assert_eq!(
        problems("version: 1\n"),
        [
            "1:1: the policy names no configuration; name what is to be judged: `configurations: {edge: {files: [\"edge/*.rules\"]}}`",
            "1:1: the policy has no checks; add `extends: [baseline]`, or `checks:`; a policy without checks lets everything pass",
        ]
    );
}

#[test]
fn b11_the_version_comes_first() {
    let help = "this program reads version 1; an older program must not guess what a newer policy means";
    for (text, found, at) in [
        ("version: 2\n", "2", "1:10"),
        ("version: \"1\"\n", "\"1\"", "1:10"),
        ("version: 1.0\n", "1.0", "1:10"),
        ("version: 01\n", "01", "1:10"),
    ] {
        assert_eq!(problems(text), [format!("{at}: policy version {found} is not known to this program; {help}")]);
    }
    assert_eq!(problems("checks: []\nfoo: 1\n"), ["1:1: the key `version` is missing"]);
}

#[test]
fn mistakes_are_collected_and_placed() {
    let text = with(
        "bots: [x]\nchecks:\n  - check: critical-port\n  - {check: critical-ports, service: [ssh], levl: block}\n  - {check: exposed-ports, services: [shs, tcp/70000], from: offfice}\n",
    );
    assert_eq!(
        problems(text),
        [
            "5:12: there is no check `critical-port`; did you mean `critical-ports`?",
            "6:5: the key `services` is missing",
            "6:29: there is no key `service` here; did you mean `services`?",
            "6:45: there is no key `levl` here; did you mean `level`?",
            "7:39: there is no service `shs`; did you mean `ssh`?",
            "7:44: `70000` is no port or range of ports of `tcp`; write `tcp/443`, `tcp/8000-8099`, `udp/53`, `tcp`, `icmp` or `icmp/8`",
            "7:62: there is no network `offfice`; there are: any",
        ]
    );
}

#[test]
fn what_a_feed_cannot_be_asked_is_refused() {
    let feed = |keys: &str| problems(with(&format!("networks: {{s3: {{feed: a.json, {keys}}}}}\n")));
    assert_eq!(feed("servce: S3"), ["4:31: there is no key `servce` here; did you mean `service`?"]);
    let beside = "4:16: `pointer` cannot stand beside them; `service`, `region` and `since` are of AWS \
                  ip-ranges.json, `pointer` is of other JSON";
    assert_eq!(feed("pointer: /a, region: eu-west-1"), [beside]);
    assert_eq!(feed("since: last year"), ["4:16: `since` is not a day; write it as \"2024-08-29\""]);
    let digest = "4:16: `sha256` is not a SHA-256; write 64 hexadecimal digits, as sha256sum prints them";
    assert_eq!(feed("sha256: abc"), [digest]);
}

#[test]
fn b08_a_key_stands_once_at_every_level() {
    for (text, at, key) in [
        ("version: 1\nversion: 1\n".to_owned(), "2:1", "version"),
        (with("networks: {a: any, b: any, a: 10.0.0.0/8}\n"), "4:28", "a"),
        (
            with("checks:\n  - check: critical-ports\n    services: [ssh]\n    level: block\n    level: warn\n"),
            "7:5",
            "level",
        ),
        (with("checks: [{check: deletion-limit, automation: {count: 1, \"count\": 9}}]\n"), "3:57", "count"),
    ] {
        let wanted = format!("{at}: `{key}` stands twice; keep one of them");
        assert!(problems(&text).contains(&wanted), "{text}: {:?}", problems(&text));
    }
}

#[test]
fn b10_anchors_aliases_tags_and_merge_keys_are_refused() {
    for (rest, what) in [
        ("bots: &b [x]\n", "anchors"),
        ("bots: *b\n", "aliases"),
        ("bots: !!seq [x]\n", "tags"),
        ("bots: !x [x]\n", "tags"),
        ("networks: {<<: {a: any}}\n", "merge keys"),
        ("bots: [x, &a y, *a]\n", "anchors"),
    ] {
        let found = problems(with(rest));
        let wanted =
            format!("{what} are not allowed in a policy; write the value out; programs disagree on what this means");
        assert!(found.iter().any(|problem| problem.ends_with(&wanted)), "{rest}: {found:?}");
    }
}

#[test]
fn a_second_document_is_refused() {
    let text = format!("{}---\nversion: 1\n", with(""));
    assert_eq!(problems(text), ["4:1: the policy has a second document; a policy is one document: remove the `---`"]);
    assert_eq!(problems(format!("%YAML 1.1\n---\n{}", with(""))).len(), 1);
}

#[test]
fn b09_what_a_reviewer_does_not_see_is_refused() {
    let hidden = [
        '\u{85}',
        '\u{2028}',
        '\u{2029}',
        '\u{202a}',
        '\u{202e}',
        '\u{2066}',
        '\u{2069}',
        '\u{200b}',
        '\u{200d}',
        '\u{200e}',
        '\u{feff}',
        '\u{ad}',
        '\u{1}',
        '\u{1b}',
        '\u{7f}',
        '\u{9b}',
        '\u{61c}',
        '\u{2060}',
        '\u{e0041}',
        '\0',
        '\u{b}',
        '\u{c}',
    ];
    for c in hidden {
        // In a comment, in a value, as the first and as the last character.
        for text in [
            with(&format!("# x{c}y\n")),
            with(&format!("bots: [\"a{c}b\"]\n")),
            format!("{c}{}", with("")),
            format!("{}{c}", with("")),
        ] {
            let found = problems(&text);
            let wanted = format!("the policy has an invisible character: U+{:04X}", u32::from(c));
            assert!(found.iter().any(|problem| problem.contains(&wanted)), "{c:?} in {text:?}: {found:?}");
        }
    }
    // Written as an escape it gets into the value all the same.
    let found = problems(with("bots: [\"a\\u2028b\"]\n"));
    assert_eq!(
        found,
        [
            "4:8: the policy has an invisible character: U+2028; delete it: what a reviewer cannot see must not decide anything"
        ]
    );
    // A carriage return alone ends a line for YAML and for few else.
    let found = problems(with("bots: [x] # y\rextends: [nothing]\n"));
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(problems(with("").replace('\n', "\r\n")), Vec::<String>::new());
    assert_eq!(problems(b"version: 1 # \xff\n"), ["1:14: the policy is not readable: it is not UTF-8"]);
}

#[test]
fn words_that_yaml_reads_in_two_ways_are_refused() {
    for (word, reads) in [
        ("yes", "a truth in some versions of YAML"),
        ("off", "a truth in some versions of YAML"),
        ("022", "octal in YAML 1.1 and decimal in YAML 1.2"),
        ("1:30", "a number to base 60 in YAML 1.1"),
        ("22", "a number"),
        ("1e3", "a number"),
        ("0x1F", "a number"),
        ("1_000", "a number"),
        ("2026-12-20", "a date in YAML 1.1"),
    ] {
        let found = problems(with(&format!("bots: [{word}]\n")));
        assert_eq!(found, [format!("4:8: `{word}` is {reads}; put it in quotes if it is a text")]);
    }
    let count = |value: &str| problems(with(&format!("checks: [{{check: deletion-limit, count: {value}}}]\n")));
    assert_eq!(count("10"), Vec::<String>::new());
    assert_eq!(
        count("010"),
        ["3:41: `010` is octal in YAML 1.1 and decimal in YAML 1.2, or too large; put it in quotes if it is a text"]
    );
    for wrong in ["\"10\"", "1e1", "-1", "1.0", "1_0", "0x10", "yes", "~", "[1]"] {
        assert_eq!(count(wrong).len(), 1, "{wrong}: {:?}", count(wrong));
    }
    let always =
        |value: &str| problems(with(&format!("checks: [{{check: critical-ports, services: ssh, always: {value}}}]\n")));
    assert_eq!(always("true"), Vec::<String>::new());
    for wrong in ["yes", "True", "1", "on", "\"true\"", "~"] {
        assert_eq!(always(wrong).len(), 1, "{wrong}: {:?}", always(wrong));
    }
}

#[test]
fn definitions_may_refer_to_one_another_but_not_in_a_circle() {
    let (policy, _) =
        read(with("networks:\n  all: [b, a]\n  b: 10.1.0.0/16\n  a: [10.0.0.0/16, \"::1\"]\n").as_bytes())
            .expect("a policy");
    let all = policy.names.find_network("all").expect("defined");
    assert_eq!(*all.addresses(Family::Ipv4), Set::range(0x0a00_0000, 0x0a01_ffff));
    assert_eq!(*all.addresses(Family::Ipv6), Set::point(1));
    assert_eq!(
        problems(with("networks: {a: [b], b: [c, any], c: a}\n")),
        ["4:36: `a` is defined by itself; break the circle: one of its names must be written out"]
    );
    assert_eq!(
        problems(with("services: {a: a}\n")),
        ["4:15: `a` is defined by itself; break the circle: one of its names must be written out"]
    );
    assert_eq!(
        problems(with("services: {ssh: tcp/2222}\n")),
        ["4:12: `ssh` has a meaning already; choose another name: to redefine it would change what other checks mean"]
    );
    assert_eq!(
        problems(with("networks: {a: 10.0.0.1/8}\n")),
        [
            "4:15: `10.0.0.1/8` has bits behind the prefix length; write the first address of the prefix, or the single address without a length"
        ]
    );
}

#[test]
fn the_most_specific_name_is_shown() {
    let text = with(
        "networks: {both: [10.0.0.0/8, \"fd00::/8\"], mine: 10.0.0.0/8, same: 10.0.0.0/8}\nservices: {web: [tcp/80, tcp/443], all: [web, udp/443]}\n",
    );
    let (policy, _) = read(text.as_bytes()).expect("a policy");
    assert_eq!(policy.network(Family::Ipv4, &Set::range(0x0a00_0000, 0x0aff_ffff)), Some("mine"));
    assert_eq!(policy.network(Family::Ipv6, &Set::range(0xfd << 120, (0xfe << 120) - 1)), Some("both"));
    assert_eq!(policy.network(Family::Ipv4, &Set::range(0x0a00_0000, 0x0aff_fffe)), None);
    assert_eq!(policy.service(6, &Set::from_iter([80, 443])), Some("web"));
    assert_eq!(policy.service(17, &Set::point(443)), Some("all"));
    assert_eq!(policy.service(6, &Set::point(80)), None);
}

#[test]
fn h01_h02_h03_h05_h07_hostile_texts_end_fast() {
    let deep = |open: &str, times: usize| format!("version: 1\nbots: {}", open.repeat(times));
    let laughs: String = (1..10).fold("a0: &a0 [x]\n".to_owned(), |text, n| {
        text + &format!("a{n}: &a{n} [{}]\n", vec![format!("*a{}", n - 1); 9].join(", "))
    });
    let many: String = (0..200_000).map(|n| format!("k{n}: 1\n")).collect();
    let chain: String = (0..20_000).map(|n| format!("  n{n}: n{}\n", n + 1)).collect();
    for (what, text) in [
        ("400 KB of [", deep("[", 400_000)),
        ("400 KB of {a:", deep("{a: ", 100_000)),
        ("block lists", format!("version: 1\nbots:\n  {}", "- ".repeat(200_000))),
        ("quotes", format!("version: 1\nbots: [\"{}\"]", "[".repeat(400_000))),
        ("laughs", format!("version: 1\n{laughs}")),
        ("200,000 keys", format!("version: 1\n{many}")),
        ("a chain of names", with(&format!("networks:\n{chain}"))),
        ("20 MB", format!("version: 1\n# {}", "x".repeat(20 << 20))),
        (
            "a long pattern",
            with(&format!("checks: [{{check: empty-input, allow: [\"{}\"]}}]\n", "{a,b}*".repeat(5000))),
        ),
        ("open braces", with(&format!("checks: [{{check: empty-input, allow: [\"{}\"]}}]\n", "{".repeat(5000)))),
    ] {
        let start = worked();
        let found = problems(&text);
        assert!(!found.is_empty() || what == "a long pattern", "{what} is accepted");
        let took = worked() - start;
        assert!(took < Duration::from_secs(10), "{what} takes {took:?} of work");
    }
}

#[test]
fn b18_a_layer_adds_checks_and_takes_none_away() {
    let alone = read(with("checks: [{check: deletion-limit, count: 1}]\n").as_bytes()).expect("a policy").0;
    let layered = read(with("extends: [baseline]\nchecks: [{check: deletion-limit, count: 1}]\n").as_bytes())
        .expect("a policy")
        .0;
    let ids = |policy: &Policy| -> Vec<String> { policy.entries.iter().map(|entry| entry.node.show()).collect() };
    let (alone, layered) = (ids(&alone), ids(&layered));
    assert!(layered.ends_with(&alone) && layered.len() > alone.len(), "{layered:?}");
    assert_eq!(
        problems(with("checks: [{check: unreadable, level: warn}]\n")),
        ["3:37: `unreadable` cannot be lowered to `warn`; its level is at least `block`; remove the key"]
    );
    assert_eq!(problems(with("checks: [{check: policy-changes, level: off}]\n")).len(), 1);
}

#[test]
fn names_people_and_levels_exist() {
    assert_eq!(
        problems(with("checks:\n  - {check: empty-input, level: approve, approvals: {count: 1, from: [netsec]}}\n")),
        ["4:71: there is no person or team `netsec`; none is defined"]
    );
    assert_eq!(problems(with("checks: [{check: unreadable, name: a}, {check: unreadable, name: a}]\n")).len(), 1);
}

#[test]
fn b13_patterns_are_anchored_and_stay_below_the_root() {
    for wrong in ["/edge", "edge/", "../x", "a/./b", "a//b", "a\\b", "[", "{a"] {
        let text = format!("version: 1\nextends: [baseline]\nconfigurations: {{edge: {{files: ['{wrong}']}}}}\n");
        assert_eq!(problems(&text).len(), 1, "{wrong}: {:?}", problems(&text));
    }
    let text = "version: 1\nextends: [baseline]\nconfigurations:\n  a: {files: [\"staging/*.rules\"]}\n  b: {files: [\"hosts/**/*.rules\"], each: true}\n";
    let (policy, mut sources) = read(text.as_bytes()).expect("a policy");
    let mut id = |name: &'static [u8]| (name, sources.add(name, Vec::new()).expect("small"));
    let base = [id(b"staging/x.rules"), id(b"prod/staging/x.rules"), id(b"staging/y/x.rules")];
    let head =
        [id(b"hosts/web1.rules"), id(b"hosts/eu/web1.rules"), id(b"hosts/eu/web1.v6.rules"), id(b"hosts/\xff.rules")];
    let plan = policy.plan(&base, &head);
    let shown: Vec<_> = plan
        .configurations
        .iter()
        .map(|planned| {
            (planned.name.as_str(), planned.base.as_ref().map(Vec::len), planned.head.as_ref().map(Vec::len))
        })
        .collect();
    assert_eq!(
        shown,
        [
            ("a", Some(1), None),
            ("b/\\xff", None, Some(1)),
            ("b/eu/web1", None, Some(1)),
            ("b/eu/web1.v6", None, Some(1)),
            ("b/web1", None, Some(1)),
        ]
    );
    assert_eq!(plan.unmatched.len(), 1);
    assert!(plan.unmatched[0].on_base);
}

/// Where the keys of a text stand.
fn keys(text: &str) -> Vec<std::ops::Range<usize>> {
    let pattern = regex::Regex::new(r"(?m)(?:^ *(?:- )?|[{,] ?)([a-z_]+):").expect("a pattern");
    pattern.captures_iter(text).filter_map(|found| found.get(1).map(|key| key.range())).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    /// One edit in a key makes another key: never a policy that is accepted.
    #[test]
    fn b07_a_key_with_one_edit_is_refused(which in any::<prop::sample::Index>(), at in any::<prop::sample::Index>(), edit in 0..3, letter in "[a-z_]") {
        let keys = keys(FULL);
        let key = keys[which.index(keys.len())].clone();
        let name = &FULL[key.clone()];
        let at = at.index(name.len());
        let mutant = match edit {
            0 => format!("{}{}", &name[..at], &name[at + 1..]),
            1 => format!("{}{letter}{}", &name[..at], &name[at..]),
            _ => format!("{}{letter}{}", &name[..at], &name[at + 1..]),
        };
        let line = FULL[..key.start].rsplit('\n').next().unwrap_or_default();
        // Names are the user's own: another name is another definition.
        let own = ["edge", "hosts", "office", "overlay", "trusted", "alice", "bob", "netsec", "sre", "production"].contains(&name);
        prop_assume!(mutant != name && !mutant.is_empty() && !own);
        let text = format!("{}{mutant}{}", &FULL[..key.start], &FULL[key.end..]);
        let found = problems(&text);
        prop_assert!(!found.is_empty(), "`{}` for `{}` behind `{}` is accepted", mutant, name, line);
        // Within a map the mistake itself is named, with what was meant.
        let meant = format!("did you mean `{name}`?");
        let said = found.iter().any(|problem| problem.contains(&format!("`{mutant}`")) || problem.contains("version"));
        prop_assert!(said, "{}: {:?}", mutant, found);
        if name.len() > 3 && name != "version" {
            let others = found.iter().any(|problem| problem.contains("did you mean"));
            prop_assert!(found.iter().any(|problem| problem.contains(&meant)) || others, "{}: {:?}", mutant, found);
        }
    }

    /// No text makes the reader panic or hang, and none that is cut or garbled is read as something else silently.
    #[test]
    fn garbled_text_is_an_error_or_a_policy(cut in any::<prop::sample::Index>(), noise in "\\PC{0,6}") {
        let mut at = cut.index(FULL.len());
        while !FULL.is_char_boundary(at) { at -= 1; }
        let text = format!("{}{noise}{}", &FULL[..at], &FULL[at..]);
        let _ = problems(&text);
        let _ = problems(&FULL[..at]);
    }
}
