//! A pull request from its opening to its approval, and a group in a merge queue: a repository at hand, GitHub, and the
//! command line.

use super::commits::{POLICY, SHUT, file, open, queue};
use super::{ANN, BOB, BOT, CY, Fault, REPOSITORY, Server, TOKEN, World};
use crate::cli::{Ran, portcullis};
use crate::repo::{Item, Repo};
use crate::signed::{HOLDERS, pem, refusal, roots_json};
use git2::Oid;
use portcullis::facts::{now, show_instant};
use portcullis::record::Envelope;
use serde_json::json;

/// A repository with a pull request, and GitHub.
struct Site {
    repo: Repo,
    base: Oid,
    head: Oid,
    server: Server,
}

impl Site {
    fn new() -> Self {
        Self::of(POLICY, &open(8443))
    }

    /// Judged by that policy, with those rules on head.
    fn of(policy: &str, rules: &str) -> Self {
        Self::between(policy, SHUT, rules)
    }

    /// The same with those rules on base.
    fn between(policy: &str, before: &str, rules: &str) -> Self {
        let repo = Repo::new();
        let base = repo.commit(&[], &[file("portcullis.yaml", policy), file("fw/web.rules", before)]);
        let head = repo.commit(&[base], &[file("portcullis.yaml", policy), file("fw/web.rules", rules)]);
        let mut world = World::new();
        world.branches.insert("main".to_owned(), base.to_string());
        world.open(7, ANN, "feature", &[&head.to_string()]);
        Self { repo, base, head, server: Server::start(world, "") }
    }

    /// Ann pushes what those files are then.
    fn push(&mut self, files: &[Item<'_>]) {
        let head = self.repo.commit(&[self.head], files);
        self.head = head;
        self.server.change(move |world| world.push(7, ANN, ANN, &[&head.to_string()]));
    }

    /// What the job says that GitHub starts for the pull request: it tests the merge.
    fn check(&self, token: &str, arguments: &[&str]) -> Ran {
        self.job(token, &[&["check"], arguments].concat())
    }

    /// The same with another command.
    fn job(&self, token: &str, arguments: &[&str]) -> Ran {
        let tree = self.repo.git.find_commit(self.head).and_then(|head| head.tree()).expect("a tree").id();
        let merge = self.repo.commit_by("GitHub", tree, &[self.base, self.head]).to_string();
        let tested = merge.clone();
        self.server.change(|world| world.pulls.get_mut(&7).expect("a pull request").merge = Some(tested));
        let url = self.server.url();
        let variables = [
            ("GITHUB_ACTIONS", "true"),
            ("GITHUB_EVENT_NAME", "pull_request"),
            ("GITHUB_REF", "refs/pull/7/merge"),
            ("GITHUB_SHA", &merge),
            ("GITHUB_BASE_REF", "main"),
            ("GITHUB_REPOSITORY", REPOSITORY),
            ("GITHUB_TOKEN", token),
            ("GITHUB_API_URL", &url),
        ];
        portcullis(self.repo.folder.path(), &variables, arguments)
    }
}

#[test]
fn a_pull_request_needs_an_approval_has_it_and_needs_another_after_a_push() {
    let mut site = Site::new();
    let opened = site.check(TOKEN, &[]);
    assert!(opened.code == 1 && opened.out.starts_with("NEEDS APPROVAL"), "{}", opened.out);
    site.server.change(|world| assert!(world.review(7, BOB, "APPROVED") > 0));
    let approved = site.check(TOKEN, &[]);
    assert!(approved.code == 0 && approved.out.starts_with("PASS"), "{}", approved.out);
    // What does not touch the configuration does not touch the approval.
    let web = open(8443);
    site.push(&[file("README", "why\n"), file("fw/web.rules", &web), file("portcullis.yaml", POLICY)]);
    let carried = site.check(TOKEN, &[]);
    assert_eq!(carried.code, 0, "{}", carried.out);
    site.push(&[file("portcullis.yaml", POLICY), file("fw/web.rules", &open(9443))]);
    let pushed = site.check(TOKEN, &[]);
    assert!(pushed.code == 1 && pushed.out.starts_with("NEEDS APPROVAL"), "{}", pushed.out);
    for ran in [opened, approved, carried, pushed] {
        assert!(!ran.out.contains(TOKEN) && !ran.talk.contains(TOKEN), "the token is shown");
    }
}

#[test]
fn i01_no_token_is_shown_whatever_the_forge_says() {
    let site = Site::new();
    for (token, fault) in
        [(TOKEN, Fault::Type(TOKEN)), (TOKEN, Fault::Body(format!("\"{TOKEN}\""))), ("ghp bad", Fault::Reset)]
    {
        site.server.fail("/repos/acme/net/pulls/7", fault, usize::MAX);
        let ran = site.check(token, &["--output", "json"]);
        assert_eq!(ran.code, 3, "{}", ran.out);
        assert!(!format!("{ran:?}").contains(TOKEN) && !ran.out.contains("ghp bad"), "{}", ran.out);
    }
}

#[test]
fn nothing_is_asked_where_no_approval_is_needed() {
    let mut site = Site::new();
    site.push(&[file("portcullis.yaml", POLICY), file("fw/web.rules", SHUT)]);
    let ran = site.check(TOKEN, &[]);
    assert_eq!((ran.code, site.server.asked()), (0, vec![]), "{}", ran.out);
}

#[test]
fn d13_without_a_token_a_job_is_undecided_and_says_what_it_needs() {
    let ran = Site::new().check("", &[]);
    assert_eq!(ran.code, 3, "{}", ran.out);
    assert!(ran.out.contains("GITHUB_TOKEN or PORTCULLIS_TOKEN"), "{}", ran.out);
}

#[test]
fn c27_every_pull_request_of_a_group_is_approved_for_itself() {
    let repo = Repo::new();
    let (base, [web, db], last) = queue(&repo, "");
    repo.git.reference("refs/remotes/origin/main", base, true, "").expect("a branch");
    let mut world = World::new();
    world.branches.insert("main".to_owned(), base.to_string());
    world.open(7, ANN, "web", &[&web.to_string()]);
    world.open(8, BOB, "db", &[&db.to_string()]);
    let server = Server::start(world, "/api/v3");
    repo.write("event.json", "{\"merge_group\":{\"base_ref\":\"refs/heads/main\"}}");
    let event = repo.folder.path().join("event.json").display().to_string();
    let (name, url) = (format!("refs/heads/gh-readonly-queue/main/pr-8-{base}"), server.url());
    let variables = [
        ("GITHUB_ACTIONS", "true"),
        ("GITHUB_EVENT_NAME", "merge_group"),
        ("GITHUB_EVENT_PATH", &event),
        ("GITHUB_REF", &name),
        ("GITHUB_REPOSITORY", REPOSITORY),
        ("PORTCULLIS_TOKEN", TOKEN),
        ("GITHUB_API_URL", &url),
    ];
    let check = || portcullis(repo.folder.path(), &variables, &["check"]);
    server.change(|world| assert!(world.review(8, ANN, "APPROVED") > 0));
    let one = check();
    assert!(one.code == 1 && one.out.starts_with("NEEDS APPROVAL"), "{last}: {}", one.out);
    server.change(|world| assert!(world.review(7, BOB, "APPROVED") > 0));
    let both = check();
    assert_eq!(both.code, 0, "{}", both.out);
}

#[test]
fn a_waiver_and_an_approval_go_from_the_report_into_the_record_and_are_accepted_where_it_is_put_into_force() {
    let day = |days: u64| show_instant(now() + days * 86400)[..10].to_owned();
    let policy = POLICY.replace("version: 1\n", "version: 1\nepoch: 7\n")
        + &format!(
            "people: {{bob: {{github: {{login: bob, id: {BOB}}}}}}}\nwaivers:\n  - {{id: W-1, check: exposed-ports, flow: \"tcp \
             192.0.2.0/24 -> any:3389\", owner: bob, reason: \"until the tunnel to the office is there\", ticket: NET-1, \
             created: {}, expires: {}}}\n",
            day(0),
            day(20)
        );
    let site = Site::of(&policy, &open(3389));
    let host = tempfile::TempDir::new().expect("a folder");
    let at = |name: &str| host.path().join(name).display().to_string();
    let write = |name: &str, text: &str| std::fs::write(host.path().join(name), text).expect("written");
    write("ci.pem", &pem(1));
    let (key, record, report, log) = (at("ci.pem"), at("record.json"), at("report.json"), at("audit.jsonl"));
    let output = format!("json={report}");
    let attest = [
        "attest",
        "--repository",
        "github.com/acme/network",
        "--target-ref",
        "refs/heads/main",
        "--environment",
        "production",
        "--sequence",
        "1",
        "--key",
        &key,
        "--record",
        &record,
        "--output",
        &output,
        "--audit",
        &log,
    ];
    // Nobody has approved it: no record.
    let ran = site.job(TOKEN, &attest);
    assert_eq!((ran.code, std::path::Path::new(&record).exists()), (1, false), "{}", ran.talk);
    site.server.change(|world| assert!(world.review(7, BOB, "APPROVED") > 0));
    let ran = site.job(TOKEN, &attest);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.talk);
    let json = |text: &str| -> serde_json::Value { serde_json::from_str(text).expect("JSON") };
    let report = json(&std::fs::read_to_string(&report).expect("a report"));
    let outcomes = |name: &str| -> Vec<&str> {
        let all = report["findings"].as_array().expect("findings").iter().filter(|it| it["check"] == name);
        all.filter_map(|it| it["outcome"].as_str()).collect()
    };
    assert_eq!((report["decision"].as_str(), outcomes("exposed-ports")), (Some("pass"), vec!["waived"]));
    assert_eq!(outcomes("required-approvals"), ["approved"]);
    let bytes = std::fs::read(&record).expect("a record");
    let payload = Envelope::read(&bytes).expect("a record").payload().expect("base64");
    let predicate = json(&String::from_utf8(payload).expect("UTF-8"))["predicate"].clone();
    assert_eq!((&predicate["waivers"], &predicate["approvals"]), (&json!(["W-1"]), &json!(["bob"])), "{predicate}");
    // Addresses of people are nowhere (the policy's text has none).
    assert!(!report.to_string().contains('@') && !std::fs::read_to_string(&log).expect("a log").contains('@'));
    let gate = |revoked: &[&str]| {
        let mut roots = roots_json(HOLDERS, 0);
        roots["revoked"]["people"] = json!(revoked);
        write("roots.json", &roots.to_string());
        let merge = site.repo.git.head().and_then(|head| head.peel_to_commit()).expect("a commit").id().to_string();
        let (roots, state) = (at("roots.json"), at("state.json"));
        let gate = ["gate", "--record", &record, "--roots", &roots, "--state", &state, "--environment", "production"];
        let more = ["--tree", &merge, "--new-state", "--dry-run"];
        portcullis(site.repo.folder.path(), &[], &[&gate[..], &more].concat())
    };
    let ran = gate(&[]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.talk);
    // Whoever approved it is not trusted any more.
    let ran = gate(&["bob"]);
    assert_eq!((ran.code, refusal(&ran.out)), (1, "REFUSED portcullis::record::revoked"));
    // A byte of what is put into force is another.
    let head = site.repo.git.head().and_then(|head| head.peel_to_commit()).expect("a commit").id();
    site.repo.commit(&[head], &[file("portcullis.yaml", &policy), file("fw/web.rules", &open(3390))]);
    let ran = gate(&[]);
    assert_eq!((ran.code, refusal(&ran.out)), (1, "REFUSED portcullis::record::closure"));
}

#[test]
fn a_waiver_that_comes_with_the_change_counts_once_an_owner_of_the_policy_has_approved_it() {
    let day = |days: u64| show_instant(now() + days * 86400)[..10].to_owned();
    let people =
        format!("people: {{bob: {{github: {{login: bob, id: {BOB}}}}}, cy: {{github: {{login: cy, id: {CY}}}}}}}\n");
    let waiver = format!(
        "waivers:\n  - {{id: W-1, check: exposed-ports, flow: \"tcp 192.0.2.0/24 -> any:3389\", owner: bob, reason: \"until the \
         tunnel to the office is there\", ticket: NET-1, created: {}, expires: {}}}\n",
        day(0),
        day(20)
    );
    let judged = |owners: &str, approver: Option<u64>| {
        let policy = POLICY.replace("extends: [baseline]\n", "");
        let check = "checks:\n  - {check: exposed-ports, from: any, services: [tcp/3389], level: block}\n";
        let before = format!("{policy}{people}{owners}{check}");
        let mut site = Site::of(&before, SHUT);
        let after = format!("{before}{waiver}");
        site.push(&[file("portcullis.yaml", &after), file("fw/web.rules", &open(3389))]);
        site.server.change(|world| assert!(approver.is_none_or(|who| world.review(7, who, "APPROVED") > 0)));
        let ran = site.check(TOKEN, &["--output", "json"]);
        let report: serde_json::Value = serde_json::from_str(&ran.out).expect("JSON");
        let exposed =
            report["findings"].as_array().and_then(|all| all.iter().find(|it| it["check"] == "exposed-ports"));
        let outcome = exposed.map(|it| it["outcome"].clone()).expect("a finding");
        (ran.code, outcome, report["waivers"][0]["state"].clone())
    };
    let owners = "policy_owners: [bob]\n";
    assert_eq!(judged(owners, None), (1, json!("blocked"), json!("proposed")));
    assert_eq!(judged(owners, Some(CY)), (1, json!("blocked"), json!("proposed")));
    assert_eq!(judged(owners, Some(BOB)), (0, json!("waived"), json!("used")));
    // Nobody answers for the policy: a waiver counts from the next change on.
    assert_eq!(judged("", Some(BOB)), (1, json!("blocked"), json!("proposed")));
}

#[test]
fn i04_what_a_forge_tells_of_people_is_not_in_the_report() {
    let site = Site::new();
    site.server.change(|world| assert!(world.review(7, BOB, "APPROVED") > 0));
    for output in ["json", "text", "markdown", "html", "sarif", "junit", "gitlab", "github"] {
        let ran = site.check(TOKEN, &["--output", output]);
        assert_eq!(ran.code, 0, "{}", ran.out);
        let address = ran.out.split_whitespace().find(|word| word.contains("@example") || word.contains("noreply"));
        assert_eq!(address, None, "{output}");
    }
}

/// Commits say a person made them: what GitHub says of the accounts counts.
#[test]
fn limits_for_programs_go_by_accounts_and_names_in_commits_only_add_to_them() {
    let policy = "version: 1\nreport: {visibility: full}\nbots: [Cy, sync]\nconfigurations: {web: {files: [\"fw/*.rules\"], each: true}}\nchecks:\n  \
        - {check: deletion-limit, kinds: [rule], count: 5, automation: {count: 1}}\n";
    let rules = |count: usize| {
        let rule = |n| format!("-A INPUT -s 10.0.{n}.0/24 -p tcp -m tcp --dport 443 -j ACCEPT\n");
        format!("*filter\n:INPUT DROP [0:0]\n{}COMMIT\n", (0..count).map(rule).collect::<String>())
    };
    let judged = |change: &dyn Fn(&mut World, String), fault: Option<Fault>, token: &str| {
        let site = Site::between(policy, &rules(9), &rules(6));
        let head = site.head.to_string();
        site.server.change(|world| change(world, head));
        if let Some(fault) = fault {
            site.server.fail("/repos/acme/net/pulls/7", fault, usize::MAX);
        }
        let ran = site.check(token, &[]);
        let why = [" by automation", " where it is not known that a person made the change"];
        let why =
            why.into_iter().find(|why| ran.out.split_whitespace().collect::<Vec<_>>().join(" ").contains(why.trim()));
        (ran.code, why.map(str::trim))
    };
    let (program, unknown) = (Some("by automation"), Some("where it is not known that a person made the change"));
    let of = |change: &dyn Fn(&mut World, String)| judged(change, None, TOKEN);
    assert_eq!(of(&|_, _| {}), (0, None), "Ann, in all of it");
    assert_eq!(of(&|world, head| drop(world.commits.insert(head, (Some(BOB), Some(ANN), vec![7])))), (0, None));
    assert_eq!(of(&|world, head| drop(world.commits.insert(head, (Some(BOT), Some(ANN), vec![7])))), (1, program));
    assert_eq!(of(&|world, head| drop(world.commits.insert(head, (Some(ANN), Some(BOT), vec![7])))), (1, program));
    assert_eq!(
        of(&|world, head| drop(world.commits.insert(head, (Some(ANN), Some(CY), vec![7])))),
        (1, program),
        "by name"
    );
    assert_eq!(of(&|world, head| drop(world.commits.insert(head, (None, Some(ANN), vec![7])))), (1, unknown));
    assert_eq!(of(&|world, head| drop(world.commits.insert(head, (Some(ANN), None, vec![7])))), (1, unknown));
    assert_eq!(of(&|world, _| world.pulls.get_mut(&7).expect("it").author = BOT), (1, program), "opened");
    assert_eq!(of(&|world, _| world.pushes.iter_mut().for_each(|push| push.2 = Some(BOT))), (1, program), "pushed");
    assert_eq!(of(&|world, _| world.pushes.clear()), (1, unknown), "nobody knows who pushed");
    // What is not found out is no person.
    assert_eq!(judged(&|_, _| {}, Some(Fault::Reset), TOKEN), (1, unknown));
    assert_eq!(judged(&|_, _| {}, None, ""), (1, unknown));
    // A program's name in a commit counts whatever GitHub says; a person's does not where nobody is asked.
    let site = Site::between(policy, &rules(9), &rules(6));
    let place = site.repo.folder.path();
    let check = |variables: &[(&str, &str)]| {
        let (base, head) = (site.base.to_string(), site.head.to_string());
        portcullis(place, variables, &["check", "--base", &base, "--head", &head]).code
    };
    assert_eq!([check(&[]), check(&[("GITLAB_CI", "true")]), check(&[("JENKINS_URL", "http://ci")])], [0, 1, 1]);
    let mut named = Site::between(policy, &rules(9), &rules(6));
    let tree = named.repo.git.find_commit(named.head).and_then(|head| head.tree()).expect("a tree").id();
    named.head = named.repo.commit_by("Sync", tree, &[named.base]);
    let head = named.head.to_string();
    named.server.change(|world| world.push(7, ANN, ANN, &[&head]));
    assert_eq!(named.check(TOKEN, &[]).code, 1);
}

#[test]
fn h04_an_answer_without_end_is_undecided() {
    let site = Site::new();
    for deep in
        ["[".repeat(100_000), "[".repeat(200) + &"]".repeat(200), "{\"a\":".repeat(200) + "1" + &"}".repeat(200)]
    {
        site.server.fail("/repos/acme/net/pulls/7", Fault::Body(deep), usize::MAX);
        let ran = site.check(TOKEN, &[]);
        assert_eq!(ran.code, 3, "{}", ran.out);
    }
}
