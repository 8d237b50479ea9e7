//! Checks from outside: what pages do not show.

use portcullis::checks::{self, Context, Finding, Level, Undecided};
use portcullis::diff::{self, Change};
use portcullis::facts::Facts;
use portcullis::formats::{self, Input};
use portcullis::model::Store;
use portcullis::policy::{self, Feeds, Planned, Proposal};
use portcullis::text::{SourceId, SourceMap};
use proptest::prelude::*;
use std::path::Path;

/// What a policy has to say of two files called `edge.rules`.
fn findings(policy: &str, base: &str, head: &str) -> Vec<Finding> {
    judge(policy, &[("edge.rules", base)], &[("edge.rules", head)], Facts::default())
}

fn judge(policy: &str, base: &[(&str, &str)], head: &[(&str, &str)], facts: Facts) -> Vec<Finding> {
    let mut sources = SourceMap::default();
    let policy = sources.add(b"portcullis.yaml", policy.into()).expect("small");
    let formats: Vec<&str> = formats::FORMATS.iter().map(|format| format.id()).collect();
    let (policy, checks) =
        checks::load(policy::parse(policy, &sources), &mut sources, &formats, &Feeds::default()).expect("a policy");
    let mut side = |files: &[(&'static str, &str)]| -> Vec<(&'static [u8], SourceId)> {
        let add = |(name, text): &(&'static str, &str)| {
            (name.as_bytes(), sources.add(name.as_bytes(), (*text).into()).expect("small"))
        };
        files.iter().map(add).collect()
    };
    fn known(files: &[(&str, &str)]) -> Vec<(&'static str, String)> {
        let names = ["edge.rules", "other.rules"];
        files
            .iter()
            .map(|(name, text)| (*names.iter().find(|known| *known == name).expect("a known name"), (*text).to_owned()))
            .collect()
    }
    let (base, head) = (known(base), known(head));
    let base: Vec<_> = base.iter().map(|(name, text)| (*name, text.as_str())).collect();
    let head: Vec<_> = head.iter().map(|(name, text)| (*name, text.as_str())).collect();
    let (base, head) = (side(&base), side(&head));
    let plan = policy.plan(&base, &head);
    let inputs = |side: fn(&Planned) -> Option<&Vec<SourceId>>| -> Vec<Input> {
        let input = |planned: &Planned| {
            side(planned).map(|files| Input { name: planned.name.clone(), format: None, files: files.clone() })
        };
        plan.configurations.iter().filter_map(input).collect()
    };
    let mut store = Store::default();
    let (base, memo, _) = formats::read(&inputs(|planned| planned.base.as_ref()), &sources, &mut store, None);
    let (head, _, _) = formats::read(&inputs(|planned| planned.head.as_ref()), &sources, &mut store, Some(&memo));
    let change = Change::new(base, head, store);
    let difference = diff::compare(&change);
    let cx = Context {
        change: &change,
        difference: &difference,
        policy: &policy,
        proposal: &Proposal::Unchanged,
        plan: &plan,
        facts: &facts,
        sources: &sources,
    };
    checks::run(&checks, &cx)
}

/// `check: message` of each finding.
fn said(findings: &[Finding]) -> Vec<String> {
    findings.iter().map(|finding| format!("{}: {}", finding.check, finding.message)).collect()
}

fn policy(checks: &str) -> String {
    format!("version: 1\nconfigurations: {{edge: {{files: [edge.rules]}}}}\nchecks:\n{checks}\n")
}

fn rules(lines: &[&str]) -> String {
    format!("*filter\n:INPUT DROP [0:0]\n:FORWARD DROP [0:0]\n:OUTPUT ACCEPT [0:0]\n{}\nCOMMIT\n", lines.join("\n"))
}

const API: &str = "-A INPUT -s 10.255.0.0/16 -p tcp -m tcp --dport 8443 -j ACCEPT";
const ESTABLISHED: &str = "-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT";

#[test]
fn the_schema_is_up_to_date() {
    let text = serde_json::to_string_pretty(&checks::schema()).expect("JSON") + "\n";
    crate::blessed::compare(&Path::new(env!("CARGO_MANIFEST_DIR")).join("policies/schema.json"), &text);
}

#[test]
fn nothing_is_said_of_a_change_that_does_nothing() {
    let all = policy(
        "  - {check: critical-ports, services: any}\n  - {check: exposed-ports}\n  - {check: protected-ranges, ranges: any}\n  \
         - {check: protected-rules, objects: [edge]}\n  - {check: deletion-limit, count: 0}\n  - {check: empty-input, shrink: 1}",
    );
    let base = rules(&[ESTABLISHED, API]);
    assert_eq!(said(&findings(&all, &base, &base)), Vec::<String>::new());
    let moved = format!("# saved\n{}", rules(&[API, ESTABLISHED]).replace("[0:0]", "[7:9]"));
    assert_eq!(said(&findings(&all, &base, &moved)), Vec::<String>::new());
}

#[test]
fn every_named_thing_that_is_not_there_is_reported() {
    let text = policy(
        "  - {check: critical-ports, services: ssh, in: [egde]}\n  - {check: default-action, filters: [edge/inptu]}\n  \
         - {check: deletion-limit, kinds: [rulez]}\n  - {check: empty-input, kinds: [chian]}\n  \
         - {check: protected-rules, objects: [edge/filter/NONE, {comment: x}, {text: z}]}\n  \
         - {check: protected-rules, services: udp/9, in: [edge/input]}\n  - {check: exposed-ports, except: any}",
    );
    let base = rules(&[API]);
    assert_eq!(
        said(&findings(&text, &base, &base)),
        [
            "critical-ports: `egde` names no configuration and no filter of either side",
            "default-action: `edge/inptu` names no filter of either side",
            "deletion-limit: there is nothing of the kind `rulez` on either side",
            "empty-input: nothing of the kind `chian` holds entries on base",
            "protected-rules: `edge/filter/NONE` names no rule or object of base",
            "protected-rules: the comment `x` names no rule or object of base",
            "protected-rules: the text `z` names no rule or object of base",
            "protected-rules: no filter of base lets a packet of the protected flows pass",
            "exposed-ports: the exceptions leave nothing that would be forbidden",
        ]
    );
}

#[test]
fn a_pattern_that_names_no_file_is_never_a_pass() {
    let text = policy("  - {check: unreadable}");
    let gone = judge(&text, &[("edge.rules", "")], &[], Facts::default());
    assert!(gone.iter().any(|finding| finding.undecided == Some(Undecided::MatchesNothing)), "{:?}", said(&gone));
    let never = judge(&text, &[], &[], Facts::default());
    assert!(never.iter().any(|finding| finding.undecided == Some(Undecided::MatchesNothing)), "{:?}", said(&never));
    // It runs without being named.
    let unnamed = judge(&policy("  - {check: deletion-limit}"), &[], &[], Facts::default());
    assert!(unnamed.iter().any(|finding| finding.check == "unreadable"), "{:?}", said(&unnamed));
}

#[test]
fn a_filter_that_appears_or_vanishes_is_compared_with_what_its_absence_means() {
    let exposed = policy("  - {check: exposed-ports, services: ssh, in: [edge/input]}");
    let open = rules(&["-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT"]);
    let new = judge(&exposed, &[], &[("edge.rules", &open)], Facts::default());
    assert!(
        said(&new).iter().any(|said| said.starts_with("exposed-ports: forbidden traffic passes the new filter")),
        "{:?}",
        said(&new)
    );
    // A host without rules lets everything pass.
    let closed = rules(&[ESTABLISHED]);
    let gone = judge(&exposed, &[("edge.rules", &closed)], &[], Facts::default());
    assert!(
        said(&gone).iter().any(|said| said.starts_with("exposed-ports: forbidden traffic can newly pass")),
        "{:?}",
        said(&gone)
    );
    let critical = policy("  - {check: critical-ports, services: ssh, in: [edge/input]}");
    let came = judge(&critical, &[], &[("edge.rules", &closed)], Facts::default());
    assert!(
        said(&came).iter().any(|said| said.starts_with("critical-ports: critical traffic can no longer pass")),
        "{:?}",
        said(&came)
    );
}

#[test]
fn limits_hold_at_their_edge() {
    let lines: Vec<String> = (0..10).map(|n| format!("-A INPUT -s 10.0.{n}.0/24 -j ACCEPT")).collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let removed = |setting: &str, n: usize| {
        let text = policy(&format!("  - {{check: deletion-limit, kinds: [rule], {setting}}}"));
        findings(&text, &rules(&lines), &rules(&lines[n..])).iter().filter(|f| f.check == "deletion-limit").count()
    };
    assert_eq!([removed("count: 3", 3), removed("count: 3", 4)], [0, 1]);
    assert_eq!([removed("percent: 30", 3), removed("percent: 30", 4)], [0, 1]);
    assert_eq!([removed("count: 0", 0), removed("count: 0", 1)], [0, 1]);
    assert_eq!(
        [removed("count: 9, automation: {count: 2}", 2), removed("count: 9, automation: {count: 2}", 3)],
        [0, 1]
    );
    // Automation never has more room than a person.
    assert_eq!(removed("count: 1, automation: {count: 9}", 2), 1);
    let shrunk = |n: usize| {
        let text = policy("  - {check: empty-input, kinds: [chain], shrink: 40}");
        findings(&text, &rules(&lines), &rules(&lines[n..])).iter().filter(|f| f.check == "empty-input").count()
    };
    assert_eq!([shrunk(3), shrunk(4), shrunk(10)], [0, 1, 1]);
}

#[test]
fn who_made_a_change_matters_only_where_all_of_them_are_known() {
    let text = "version: 1\nconfigurations: {edge: {files: [edge.rules]}}\nbots: [renovate]\nchecks:\n  - {check: deletion-limit, kinds: [rule], count: 9, automation: {count: 0}}\n";
    let (base, head) = (rules(&[ESTABLISHED, API]), rules(&[ESTABLISHED]));
    let by = |authors: Option<&[&str]>| {
        let authors = authors.map(|names| names.iter().map(|name| (*name).to_owned()).collect());
        judge(text, &[("edge.rules", &base)], &[("edge.rules", &head)], Facts { authors, ..Facts::default() }).len()
    };
    assert_eq!([by(None), by(Some(&[])), by(Some(&["renovate"])), by(Some(&["alice", "renovate"]))], [1, 1, 1, 1]);
    assert_eq!(by(Some(&["alice"])), 0);
}

#[test]
fn hardening_that_leaves_connections_alone_is_no_harm_to_critical_ports() {
    let text = policy("  - {check: critical-ports, services: tcp/8443}");
    let head = rules(&[
        "-A INPUT -p tcp -m tcp ! --tcp-flags FIN,SYN,RST,ACK SYN -m conntrack --ctstate NEW -j DROP",
        "-A INPUT -p tcp -m tcp --tcp-flags FIN,SYN,RST,PSH,ACK,URG NONE -m conntrack --ctstate NEW -j DROP",
        "-A INPUT -m conntrack --ctstate INVALID -j DROP",
        ESTABLISHED,
        API,
    ]);
    assert_eq!(said(&findings(&text, &rules(&[ESTABLISHED, API]), &head)), Vec::<String>::new());
}

#[test]
fn a_protected_rule_that_loses_its_mark_is_not_protected_any_more() {
    let text = policy("  - {check: protected-rules, objects: [{comment: \"keep*\"}]}");
    let mark = |mark: &str| format!("-A INPUT -s 10.1.0.0/16 -m comment --comment {mark} -j ACCEPT");
    let (one, other) = (mark("keep-1"), "-A INPUT -s 10.2.0.0/16 -m comment --comment keep-2 -j ACCEPT");
    let base = rules(&[&one, other]);
    assert_eq!(said(&findings(&text, &base, &rules(&[other, &mark("keep-9")]))), Vec::<String>::new());
    let found = said(&findings(&text, &base, &rules(&[&mark("gone"), other])));
    assert_eq!(
        found,
        ["protected-rules: a protected rule is gone, though its packets are decided as before: \
        `-A INPUT -s 10.1.0.0/16 -m comment --comment keep-1 -j ACCEPT`"]
    );
}

#[test]
fn rules_in_chains_are_protected_for_the_packets_that_come_there() {
    let text = policy("  - {check: protected-rules, objects: [edge/filter/A]}");
    let with = |first: &str| {
        let lines = [first, "-A INPUT -i eth0 -j A", "-A A -p tcp -m tcp --dport 22 -j ACCEPT"];
        rules(&lines).replace(":OUTPUT", ":A - [0:0]\n:OUTPUT")
    };
    let base = with("-A INPUT -i lo -j ACCEPT");
    let beside = with("-A INPUT -i eth1 -p tcp -m tcp --dport 22 -j DROP");
    assert_eq!(said(&findings(&text, &base, &beside)), Vec::<String>::new());
    let above = findings(&text, &base, &with("-A INPUT -i eth0 -s 10.0.0.0/8 -j DROP"));
    assert_eq!(above.len(), 1, "{:?}", said(&above));
    let unhooked = findings(&text, &base, &base.replace("-A INPUT -i eth0 -j A\n", ""));
    assert_eq!(unhooked.len(), 1, "{:?}", said(&unhooked));
}

#[test]
fn a_default_that_is_said_by_a_rule_counts() {
    let text = policy("  - {check: default-action, filters: [edge/input]}");
    let accept =
        |lines: &[&str]| rules(lines).replace(":INPUT DROP", ":INPUT ACCEPT").replace(":OUTPUT", ":A - [0:0]\n:OUTPUT");
    let denied = |lines: &[&str]| findings(&text, &accept(lines), &accept(lines)).is_empty();
    assert!(denied(&["-A INPUT -j DROP"]));
    assert!(denied(&["-A INPUT -j A", "-A A -j REJECT --reject-with icmp-port-unreachable"]));
    assert!(denied(&["-A INPUT -g A", "-A A -j DROP"]));
    assert!(denied(&["-A INPUT -j A", "-A INPUT -j DROP", "-A A -s 10.0.0.0/8 -j RETURN"]));
    assert!(!denied(&["-A INPUT -j A", "-A A -s 10.0.0.0/8 -j RETURN", "-A A -j DROP"]));
    assert!(!denied(&["-A INPUT -s 10.0.0.0/8 -j RETURN", "-A INPUT -j DROP"]));
    assert!(!denied(&["-A INPUT -s 10.0.0.0/8 -g A", "-A INPUT -j DROP"]));
    assert!(!denied(&["-A INPUT -p tcp -j DROP"]));
    assert!(!denied(&["-A INPUT -m limit --limit 5/sec -j DROP"]));
}

/// One entry of a policy.
fn entries() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        "{check: critical-ports, services: any}",
        "{check: critical-ports, services: tcp/8443, level: warn}",
        "{check: critical-ports, services: tcp/8443, always: true, in: [edge/input]}",
        "{check: exposed-ports, services: [ssh, http]}",
        "{check: exposed-ports, level: approve}",
        "{check: protected-ranges, ranges: 10.255.0.0/16}",
        "{check: protected-rules, objects: [edge/input]}",
        "{check: deletion-limit, count: 0}",
        "{check: deletion-limit, level: off}",
        "{check: empty-input, shrink: 50}",
        "{check: empty-input, allow: [\"**\"]}",
        "{check: default-action}",
        "{check: policy-changes, level: block}",
        "{check: unreadable}",
    ])
    .prop_map(str::to_owned)
}

fn sides() -> impl Strategy<Value = String> {
    let line = prop::sample::select(vec![
        ESTABLISHED,
        API,
        "-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT",
        "-A INPUT -p tcp -m tcp --dport 8000:8999 -j DROP",
        "-A INPUT -s 10.0.0.0/8 -j ACCEPT",
        "-A INPUT -m limit --limit 1/sec -j ACCEPT",
        "-A INPUT -j FROBNICATE",
        "-A FORWARD -j ACCEPT",
    ]);
    prop::collection::vec(line, 0..6).prop_map(|lines| rules(&lines))
}

/// How bad the findings are: pass, approval, undecided, blocked.
fn weight(findings: &[Finding]) -> usize {
    let of = |finding: &Finding| match (finding.undecided, finding.level) {
        (Some(_), _) => 2,
        (None, Level::Block) => 3,
        (None, Level::Approve) => 1,
        (None, Level::Warn | Level::Off) => 0,
    };
    findings.iter().map(of).max().unwrap_or(0)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever is added to a policy, be it a preset, a weaker twin or a check that is off: what was stopped stays
    /// stopped, and each finding stays.
    #[test]
    fn adding_to_a_policy_never_makes_anything_better(
        few in prop::collection::vec(entries(), 1..4),
        more in prop::collection::vec(entries(), 0..4),
        preset in any::<bool>(),
        front in any::<bool>(),
        base in sides(),
        head in sides(),
    ) {
        let text = |entries: &[String], preset: bool| {
            let checks: String = entries.iter().map(|entry| format!("  - {entry}\n")).collect();
            let extends = if preset { "extends: [baseline]\n" } else { "" };
            format!("{extends}{}", policy(&checks)).replacen("version: 1\n", "", 1)
        };
        let text = |entries: &[String], preset: bool| format!("version: 1\n{}", text(entries, preset));
        let mut all = if front { [more.clone(), few.clone()].concat() } else { [few.clone(), more].concat() };
        all.dedup();
        let one = findings(&text(&few, false), &base, &head);
        let both = findings(&text(&all, preset), &base, &head);
        prop_assert!(weight(&both) >= weight(&one), "{:?} and then {:?}", said(&one), said(&both));
        let both = said(&both);
        for said in said(&one) {
            prop_assert!(both.contains(&said), "{said} is gone");
        }
    }
}

#[test]
fn thousands_of_chains_that_call_one_another_are_judged() {
    let mut head = "*filter\n:INPUT DROP [0:0]\n".to_owned();
    for n in 0..10_000 {
        head += &format!(":c{n} - [0:0]\n");
    }
    head += "-A INPUT -j c0\n";
    for n in 1..10_000 {
        head += &format!("-A c{} -j c{n}\n-A c{} -g c{n}\n", n - 1, n - 1);
    }
    head += "-A c9999 -p tcp -m tcp --dport 22 -j ACCEPT\nCOMMIT\n";
    let base = "*filter\n:INPUT DROP [0:0]\nCOMMIT\n";
    let policy = "version: 1\nconfigurations: {edge: {files: [edge.rules]}}\nchecks:\n  - check: default-action\n    filters: [edge/input]\n    must_be: deny\n  - check: exposed-ports\n    from: any\n    services: [ssh]\n";
    let found: Vec<&str> = findings(policy, base, &head).iter().map(|finding| finding.check).collect();
    assert_eq!(found, ["exposed-ports"]);
}

#[test]
fn a_shadowed_rule_is_the_doing_of_the_change_that_brings_it_or_what_shadows_it() {
    let rule = "-A INPUT -s 10.0.0.0/8 -p tcp -m tcp --dport 22 -j ACCEPT";
    let broad = "-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT";
    let told = |keys: &str, base: &[&str], head: &[&str]| {
        let text = policy(&format!("  - {{check: shadowed-rules{keys}}}"));
        findings(&text, &rules(base), &rules(head)).len()
    };
    assert_eq!(told("", &[broad], &[broad, rule]), 1);
    assert_eq!(told("", &[rule], &[broad, rule]), 1);
    assert_eq!(told("", &[broad, rule], &[API, broad, rule]), 0);
    assert_eq!(told("", &[broad, rule], &[broad, rule, rule]), 1);
    assert_eq!(told(", all: true", &[broad, rule], &[broad, rule]), 1);
    assert_eq!(told(", in: [edge/forward]", &[broad], &[broad, rule]), 0);
}
