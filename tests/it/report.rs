//! What a reader of a report sees.

use crate::blessed::compare;
use crate::tools::worked;
use portcullis::checks::{self, Context, Finding};
use portcullis::decision::{self, Case, Cause, Decision, Doubt, Origin, Outcome, PolicyOrigin};
use portcullis::diff::{self, Change, Difference, Side};
use portcullis::facts::Facts;
use portcullis::formats::{self, Input};
use portcullis::net::{NoNames, parse_packet};
use portcullis::policy::{self, Feeds, Proposal};
use portcullis::report::{self, Style, json, problem, text};
use portcullis::text::{SourceId, SourceMap, Span};
use std::path::Path;

const POLICY: &str = r#"version: 1
configurations:
  edge: {files: ["edge.rules"]}
networks:
  overlay: [10.255.0.0/16]
services:
  internal-api: [tcp/8443]
checks:
  - check: critical-ports
    name: internal-apis
    from: overlay
    services: [internal-api]
"#;

/// Runs the gate on one file of each side.
fn judge(policy: &str, base: &str, head: &str, doubts: Vec<Doubt>) -> (Decision, SourceMap) {
    let mut sources = SourceMap::default();
    let mut add = |name: &str, text: &str| sources.add(name.as_bytes(), text.into()).expect("small");
    let (at, base, head) = (add("portcullis.yaml", policy), add("edge.rules", base), add("edge.rules", head));
    let policy = policy::load(policy::parse(at, &sources), &mut sources, &["iptables-save"], &Feeds::default())
        .expect("a policy");
    let plan = policy.plan(&[(b"edge.rules", base)], &[(b"edge.rules", head)]);
    let change = read_both(base, head, &sources);
    let difference = diff::compare(&change);
    let (proposal, facts) = (Proposal::Unchanged, Facts { authors: Some(vec!["alice".into()]), ..Facts::default() });
    let configured = checks::configure(&policy).expect("checks");
    let (change, difference) = (&change, &difference);
    let cx = Context {
        change,
        difference,
        policy: &policy,
        proposal: &proposal,
        plan: &plan,
        facts: &facts,
        sources: &sources,
    };
    let findings = checks::run(&configured, &cx);
    let origin =
        |source: &str, revision: Option<&str>| Origin { source: source.into(), revision: revision.map(str::to_owned) };
    let case = Case {
        change,
        difference,
        findings,
        doubts,
        base: origin("git", Some("0123456789abcdef0123456789abcdef01234567")),
        head: origin("work-tree", None),
        policy: Some(PolicyOrigin {
            path: "portcullis.yaml".into(),
            revision: Some("main".into()),
            sha256: "00".repeat(32),
            feeds: Vec::new(),
        }),
        names: &policy,
        judging: Some((&policy, &facts)),
        proposed: None,
        spanning: &[],
    };
    (decision::decide(case, &sources), sources)
}

/// Both sides of one file.
fn change(base: &str, head: &str) -> (Change, SourceMap) {
    let mut sources = SourceMap::default();
    let mut add = |text: &str| sources.add(b"edge.rules", text.into()).expect("small");
    let (base, head) = (add(base), add(head));
    (read_both(base, head, &sources), sources)
}

fn read_both(base: SourceId, head: SourceId, sources: &SourceMap) -> Change {
    let mut change = Change::default();
    let input = |file| [Input { name: "edge".into(), format: None, files: vec![file] }];
    let (base, memo, _) = formats::read(&input(base), sources, &mut change.store, None);
    let (head, _, _) = formats::read(&input(head), sources, &mut change.store, Some(&memo));
    (change.base, change.head) = (base, head);
    change
}

fn read(policy: &str, base: &str, head: &str) -> String {
    let (decision, sources) = judge(policy, base, head, Vec::new());
    text::render(decision.report(), &sources, Style::PLAIN)
}

const BASE: &str = "*filter
:INPUT ACCEPT [0:0]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
:API - [0:0]
-A FORWARD -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT
-A FORWARD -j API
-A API -s 10.255.0.0/16 -p tcp -m tcp --dport 8443 -j ACCEPT
-A API -p tcp -m tcp --dport 22 -j ACCEPT
COMMIT
";

/// Compares with `tests/it/reports/<name>`.
fn shows(name: &str, actual: &str) {
    compare(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/reports").join(name), actual);
}

fn without(line: &str) -> String {
    BASE.replace(&format!("{line}\n"), "")
}

const API: &str = "-A API -s 10.255.0.0/16 -p tcp -m tcp --dport 8443 -j ACCEPT";

#[test]
fn a_blocked_change_says_why_and_what_to_do() {
    shows("blocked.txt", &read(POLICY, BASE, &without(API)));
}

#[test]
fn the_same_report_is_json_with_every_field() {
    let (decision, _) = judge(POLICY, BASE, &without(API), Vec::new());
    shows("blocked.json", &json::render(decision.report()));
}

#[test]
fn what_needs_approval_says_whose() {
    let policy = POLICY.replace(
        "    services: [internal-api]\n",
        "    services: [internal-api]\n    level: approve\n    approvals: {count: 2}\n",
    );
    let (decision, sources) = judge(&policy, BASE, &without(API), Vec::new());
    assert_eq!((decision.outcome(), decision.exit_code()), (Outcome::NeedsApproval, 1));
    shows("needs-approval.txt", &text::render(decision.report(), &sources, Style { colour: false, width: 60 }));
}

#[test]
fn a_change_of_order_alone_is_proved_to_do_nothing() {
    let second = "-A API -p tcp -m tcp --dport 22 -j ACCEPT";
    let head = without(API).replace(second, &format!("{second}\n{API}"));
    let (decision, sources) = judge(POLICY, BASE, &head, Vec::new());
    assert_eq!((decision.outcome(), decision.exit_code()), (Outcome::Pass, 0));
    shows("equivalent.txt", &text::render(decision.report(), &sources, Style::PLAIN));
}

#[test]
fn a_gap_on_head_leaves_the_decision_open() {
    let head = BASE.replace(API, &format!("{API}\n-A API -j NOWHERE"));
    let (decision, sources) = judge(POLICY, BASE, &head, Vec::new());
    assert_eq!((decision.outcome(), decision.exit_code()), (Outcome::Undecided, 3));
    shows("undecided.txt", &text::render(decision.report(), &sources, Style::PLAIN));
}

#[test]
fn many_flows_are_shown_by_destination_and_service() {
    let rules =
        |n: u32| format!("-A API -s 192.0.2.{n}/32 -d 198.51.100.{}/32 -p tcp --dport {} -j ACCEPT\n", n % 3, 80 + n);
    let many: String = (1..60).map(rules).collect();
    shows("many.txt", &read(POLICY, BASE, &BASE.replace("COMMIT", &format!("{many}COMMIT"))));
}

/// When several hold, the first of policy error, blocked, undecided, approval needed and pass is the decision.
#[test]
fn the_gravest_reason_decides() {
    let doubt = |cause| Doubt { cause, message: "m".into(), help: "h".into(), at: None };
    let approve =
        POLICY.replace("    services: [internal-api]\n", "    services: [internal-api]\n    level: approve\n");
    let decided = |policy: &str, head: &str, doubts| judge(policy, BASE, head, doubts).0.outcome();
    let gap = without(API).replace("COMMIT", "-A API -j NOWHERE\nCOMMIT");
    assert_eq!(decided(POLICY, &gap, vec![doubt(Cause::Policy)]), Outcome::PolicyError);
    assert_eq!(decided(POLICY, &gap, vec![doubt(Cause::Source)]), Outcome::Blocked);
    assert_eq!(decided(&approve, &gap, Vec::new()), Outcome::Undecided);
    assert_eq!(decided(&approve, &without(API), vec![doubt(Cause::MissingFact)]), Outcome::Undecided);
    assert_eq!(decided(&approve, &without(API), Vec::new()), Outcome::NeedsApproval);
    assert_eq!(decided(POLICY, BASE, Vec::new()), Outcome::Pass);
}

#[test]
fn a_fingerprint_outlives_moved_lines_and_renamed_networks_but_not_other_packets() {
    let fingerprint = |policy: &str, base: &str, head: &str| {
        let (decision, _) = judge(policy, base, head, Vec::new());
        let all: Vec<_> = decision.report().findings.iter().map(|finding| finding.fingerprint.clone()).collect();
        all.join(" ")
    };
    let first = fingerprint(POLICY, BASE, &without(API));
    assert_eq!(first.len(), 64);
    let comment = |text: &str| text.replace("*filter", "# a line more\n*filter");
    assert_eq!(fingerprint(POLICY, &comment(BASE), &comment(&without(API))), first);
    assert_eq!(fingerprint(&POLICY.replace("overlay", "mesh"), BASE, &without(API)), first);
    let narrow = |text: &str| text.replace("10.255.0.0/16", "10.255.0.0/17");
    assert_ne!(fingerprint(POLICY, &narrow(BASE), &narrow(&without(API))), first);
}

#[test]
fn nothing_in_the_input_reaches_a_terminal_or_a_runner() {
    let head = BASE.replace(API, "-A API -m comment --comment \"\x1b[2J ##[error]x\" -p tcp -j ACCEPT\n::error::x");
    let shown = read(POLICY, BASE, &head);
    assert!(!shown.contains('\x1b') && !shown.contains("##["), "{shown}");
    assert!(shown.lines().all(|line| !line.trim_start().starts_with("::")), "{shown}");
    assert!(shown.contains("\\x1b[2J \\x23#[error]x"), "{shown}");
}

#[test]
fn colours_change_nothing_but_the_colour() {
    let (decision, sources) = judge(POLICY, BASE, &without(API), Vec::new());
    let plain = text::render(decision.report(), &sources, Style::PLAIN);
    let coloured = text::render(decision.report(), &sources, Style { colour: true, ..Style::PLAIN });
    assert_ne!(coloured, plain);
    assert_eq!(anstream::adapter::strip_str(&coloured).to_string(), plain);
}

#[test]
fn a_thousand_findings_in_a_large_file_take_no_time() {
    let mut sources = SourceMap::default();
    let line = "-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT\n";
    let source = sources.add(b"large.rules", line.repeat(120_000).into()).expect("small");
    let finding = |n: u32| {
        let start = n * 100 * u32::try_from(line.len()).expect("short");
        Finding {
            entry: 0,
            check: "critical-ports",
            name: None,
            level: checks::Level::Block,
            idle: false,
            undecided: None,
            message: format!("number {n}"),
            help: "none".into(),
            configuration: None,
            filter: None,
            flow: None,
            witness: None,
            request: None,
            location: Some((Side::Head, Span { source, start, end: start + 40 })),
            related: Vec::new(),
            policy: None,
            approvals: Vec::new(),
            unlisted: 0,
            removes: None,
        }
    };
    let (change, difference) = (Change::default(), Difference::default());
    let case = Case {
        change: &change,
        difference: &difference,
        findings: (0..1_000).map(finding).collect(),
        doubts: Vec::new(),
        base: Origin::default(),
        head: Origin::default(),
        policy: None,
        names: &NoNames,
        judging: None,
        proposed: None,
        spanning: &[],
    };
    let start = worked();
    let decision = decision::decide(case, &sources);
    let shown = text::render(decision.report(), &sources, Style::PLAIN);
    let took = worked() - start;
    assert!(took.as_millis() < 1_500, "{took:?} of work");
    let end = "980 more of critical-ports (--output json lists them)\n\nbase: unknown; head: unknown; no policy\n";
    assert!(shown.contains("not answered") && shown.contains("number 19\n"), "{shown}");
    assert!(shown.ends_with(end), "{shown}");
}

#[test]
fn a_packet_is_followed_hop_by_hop_on_both_sides() {
    let (change, sources) = change(BASE, &without(API));
    let pairs = change.filters();
    let pair = pairs.iter().find(|pair| pair.id == "edge/forward").expect("the filter");
    let typed = parse_packet("tcp 10.255.0.1 -> 10.0.0.5:8443", &NoNames).expect("a packet");
    let packet = typed.within(&pair.base.expect("on base").filter.domain).expect("it can come to the filter");
    let walk = decision::walk(
        &packet,
        pair,
        &[Side::Base, Side::Head],
        |sided| diff::trace(&change.store, sided, &packet, &[]),
        &change.store,
        &sources,
    );
    shows("walk.txt", &text::render_walk(&walk, &sources, Style::PLAIN));
}

#[test]
fn a_difference_alone_has_its_own_headline() {
    let (change, sources) = change(BASE, &without(API));
    let comparison =
        decision::compare(&change, &diff::compare(&change), Origin::default(), Origin::default(), &NoNames, &sources);
    assert_eq!(comparison.exit_code(), 1);
    shows("difference.txt", &text::render_comparison(&comparison, &sources, Style::PLAIN));
    let (same, sources) = self::change(BASE, BASE);
    let comparison =
        decision::compare(&same, &diff::compare(&same), Origin::default(), Origin::default(), &NoNames, &sources);
    assert_eq!(comparison.exit_code(), 0);
    assert_eq!(
        text::render_comparison(&comparison, &sources, Style::PLAIN),
        "No semantic change, proved for 1 configuration\n\n1 configuration unchanged\n"
    );
}

#[test]
fn an_error_of_the_policy_shows_its_lines() {
    let mut sources = SourceMap::default();
    let text = "version: 1\nconfigurations:\n  edge: {files: [\"edge.rules\"]}\nchecks:\n\t- chek: \x1b[2J\n  - check: critical-port\n    services: [ssh]\n";
    let at = sources.add(b"portcullis.yaml", text.replace('\t', "  ").into()).expect("small");
    let errors = policy::load(policy::parse(at, &sources), &mut sources, &["iptables-save"], &Feeds::default())
        .expect_err("an error");
    let shown: String =
        errors.iter().map(|error| problem::render(error, &[(error.at(), "here")], &sources, Style::PLAIN)).collect();
    shows("policy-error.txt", &shown);
}

#[test]
fn an_unknown_output_is_an_error_with_a_suggestion() {
    assert_eq!(report::output("json").expect("it exists").name, "json");
    let error = report::output("jsno").map(|output| output.name).expect_err("there is none");
    assert_eq!(error.to_string(), "there is no output `jsno`");
    assert_eq!(miette::Diagnostic::help(&error).expect("help").to_string(), "did you mean `json`?");
}

/// `policies/report.schema.json` is generated: `BLESS=1` rewrites it.
#[test]
fn every_field_of_the_report_is_described() {
    let actual = json::schema();
    compare(&Path::new(env!("CARGO_MANIFEST_DIR")).join("policies/report.schema.json"), &actual);
    let schema: serde_json::Value = serde_json::from_str(&actual).expect("JSON");
    let mut bare = Vec::new();
    undescribed(&schema, "", &mut bare);
    assert_eq!(bare, Vec::<String>::new());
}

/// The properties that have no description.
fn undescribed(value: &serde_json::Value, path: &str, out: &mut Vec<String>) {
    if let Some(properties) = value.get("properties").and_then(|p| p.as_object()) {
        for (name, property) in properties {
            if property.get("description").is_none() {
                out.push(format!("{path}/{name}"));
            }
        }
    }
    if let Some(map) = value.as_object() {
        map.iter().for_each(|(key, value)| undescribed(value, &format!("{path}/{key}"), out));
    }
    if let Some(items) = value.as_array() {
        items.iter().for_each(|value| undescribed(value, path, out));
    }
}
