//! A pull request from its opening to its approval, and a group in a merge queue: a repository at hand, GitHub, and the
//! command line.

use super::commits::{POLICY, SHUT, file, open, queue};
use super::{ANN, BOB, Fault, REPOSITORY, Server, TOKEN, World};
use crate::cli::{Ran, portcullis};
use crate::git::{Item, Repo};
use git2::Oid;

/// A repository with a pull request, and GitHub.
struct Site {
    repo: Repo,
    base: Oid,
    head: Oid,
    server: Server,
}

impl Site {
    fn new() -> Self {
        let repo = Repo::new();
        let base = repo.commit(&[], &[file("portcullis.yaml", POLICY), file("fw/web.rules", SHUT)]);
        let head = repo.commit(&[base], &[file("portcullis.yaml", POLICY), file("fw/web.rules", &open(8443))]);
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
        portcullis(self.repo.folder.path(), &variables, &[&["check"], arguments].concat())
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
