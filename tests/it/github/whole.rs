//! The whole way of a change, with a bare repository in the place of the forge's and one clone for each who has a part in it.

use super::commits::{POLICY, SHUT, open};
use super::{ANN, BOB, REPOSITORY, Server, TOKEN, World};
use crate::cli::{Ran, portcullis};
use crate::signed::{HOLDERS, pem, refusal, roots_json};
use crate::tools::git;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

struct Everybody {
    folder: TempDir,
    server: Server,
}

impl Everybody {
    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn clone(&self, name: &str) -> PathBuf {
        git(self.folder.path(), &["clone", "-q", "forge.git", name]);
        for (key, value) in [("user.name", name), ("user.email", "somebody@example.org"), ("commit.gpgsign", "false")] {
            git(&self.at(name), &["config", key, value]);
        }
        self.at(name)
    }

    /// Ann pushes those rules to her branch; the forge merges it into main, so that it can be tested.
    fn push(&self, rules: &str) {
        let (ann, forge) = (self.at("ann"), self.at("forge"));
        fs::write(ann.join("fw/web.rules"), rules).expect("written");
        git(&ann, &["commit", "-q", "-am", "Let them in"]);
        git(&ann, &["push", "-q", "origin", "feature"]);
        git(&forge, &["fetch", "-q", "origin"]);
        git(&forge, &["checkout", "-q", "--detach", "origin/main"]);
        git(&forge, &["merge", "-q", "--no-ff", "--no-edit", "origin/feature"]);
        git(&forge, &["push", "-q", "--force", "origin", "HEAD:refs/pull/7/merge"]);
    }

    /// What a job does that the forge starts for the pull request: in a fresh clone, with what was merged checked out.
    fn job(&self, arguments: &[&str]) -> Ran {
        let runner = TempDir::new_in(self.folder.path()).expect("a folder");
        let name = runner.path().file_name().and_then(|name| name.to_str()).expect("a name").to_owned();
        let place = self.clone(&format!("{name}/net"));
        git(&place, &["fetch", "-q", "origin", "refs/pull/7/merge"]);
        git(&place, &["checkout", "-q", "--detach", "FETCH_HEAD"]);
        let merge = revision(&place, "HEAD");
        let tested = merge.clone();
        self.server.change(|world| world.pulls.get_mut(&7).expect("a pull request").merge = Some(tested));
        let event = self.at("event.json").display().to_string();
        let url = self.server.url();
        let variables = [
            ("GITHUB_ACTIONS", "true"),
            ("GITHUB_EVENT_NAME", "pull_request"),
            ("GITHUB_EVENT_PATH", event.as_str()),
            ("GITHUB_REF", "refs/pull/7/merge"),
            ("GITHUB_SHA", &merge),
            ("GITHUB_BASE_REF", "main"),
            ("GITHUB_REPOSITORY", REPOSITORY),
            ("GITHUB_TOKEN", TOKEN),
            ("GITHUB_API_URL", &url),
        ];
        portcullis(&place, &variables, arguments)
    }
}

fn revision(place: &Path, name: &str) -> String {
    let output = Command::new("git").args(["rev-parse", name]).current_dir(place).output().expect("git");
    assert!(output.status.success(), "{name}");
    String::from_utf8(output.stdout).expect("UTF-8").trim().to_owned()
}

#[test]
fn a_change_goes_from_a_pull_request_into_force_and_nothing_else_does() {
    let folder = TempDir::new().expect("a folder");
    git(folder.path(), &["init", "-q", "--bare", "-b", "main", "forge.git"]);
    let all = Everybody { server: Server::start(World::new(), "/api/v3"), folder };
    let ann = all.clone("ann");
    fs::create_dir(ann.join("fw")).expect("made");
    fs::write(ann.join("portcullis.yaml"), POLICY.replace("version: 1\n", "version: 1\nepoch: 7\n")).expect("written");
    fs::write(ann.join("fw/web.rules"), SHUT).expect("written");
    git(&ann, &["add", "-A"]);
    git(&ann, &["commit", "-q", "-m", "What is in force"]);
    git(&ann, &["push", "-q", "origin", "HEAD:main"]);
    git(&ann, &["switch", "-q", "-c", "feature"]);
    all.clone("forge");
    let event = r#"{"repository": {"private": true}, "pull_request": {"number": 7, "head": {"repo": {"id": 1}}, "base": {"repo": {"id": 1}}}}"#;
    fs::write(all.at("event.json"), event).expect("written");
    // The pull request is opened, and needs an approval; her own is none.
    all.push(&open(8443));
    let (base, head) = (revision(&ann, "origin/main"), revision(&ann, "HEAD"));
    all.server.change(|world| {
        world.branches.insert("main".to_owned(), base);
        world.open(7, ANN, "feature", &[&head]);
    });
    let outcome = |ran: &Ran| (ran.code, ran.out.split(':').next().unwrap_or_default().to_owned());
    let (needs, pass) = ((1, "NEEDS APPROVAL".to_owned()), (0, "PASS".to_owned()));
    let opened = all.job(&["check"]);
    assert_eq!(outcome(&opened), needs, "{}{}", opened.out, opened.talk);
    assert!(opened.out.contains("opens tcp 192.0.2.0/24 -> any:8443"), "{}", opened.out);
    all.server.change(|world| assert!(world.review(7, ANN, "APPROVED") > 0));
    let own = all.job(&["check"]);
    assert_eq!(outcome(&own), needs);
    assert!(own.out.contains("ann: opened the pull request"), "{}", own.out);
    all.server.change(|world| assert!(world.review(7, BOB, "APPROVED") > 0));
    assert_eq!(outcome(&all.job(&["check"])), pass);
    // Something else is pushed.
    all.push(&open(9443));
    let head = revision(&ann, "HEAD");
    all.server.change(|world| world.push(7, ANN, ANN, &[&head]));
    assert_eq!(outcome(&all.job(&["check"])), needs);
    let [key, record, roots, state] =
        ["ci.pem", "record.json", "roots.json", "state.json"].map(|name| all.at(name).display().to_string());
    fs::write(&key, pem(1)).expect("written");
    fs::write(&roots, roots_json(HOLDERS, 0).to_string()).expect("written");
    let about =
        ["--repository", "github.com/acme/network", "--target-ref", "refs/heads/main", "--environment", "production"];
    let attest = [&["attest", "--sequence", "1", "--key", &key, "--record", &record][..], &about].concat();
    let early = all.job(&attest);
    assert_eq!((early.code, Path::new(&record).exists()), (1, false), "{}", early.talk);
    // It is approved as it is now, recorded, and merged.
    all.server.change(|world| assert!(world.review(7, BOB, "APPROVED") > 0));
    assert_eq!(outcome(&all.job(&["check"])), pass);
    let attested = all.job(&attest);
    assert_eq!((attested.code, Path::new(&record).exists()), (0, true), "{}{}", attested.out, attested.talk);
    git(&all.at("forge"), &["push", "-q", "origin", "HEAD:main"]);
    // Where it is put into force: what was merged passes, once.
    let host = all.clone("host");
    let gate = |more: &[&str]| {
        let gate = [
            "gate",
            "--record",
            &record,
            "--roots",
            &roots,
            "--state",
            &state,
            "--environment",
            "production",
            "--tree",
            ".",
        ];
        let ran = portcullis(&host, &[], &[&gate[..], more].concat());
        (ran.code, refusal(&ran.out).to_owned())
    };
    let refused = |why: &str| (1, format!("REFUSED portcullis::record::{why}"));
    let reviewed = fs::read_to_string(host.join("fw/web.rules")).expect("rules");
    for tampered in [reviewed.replace("9443", "9444"), format!("{reviewed}\n"), SHUT.to_owned(), String::new()] {
        fs::write(host.join("fw/web.rules"), tampered).expect("written");
        assert_eq!(gate(&["--new-state"]), refused("closure"));
    }
    fs::remove_file(host.join("fw/web.rules")).expect("removed");
    assert_eq!(gate(&["--new-state"]), refused("closure"));
    fs::write(host.join("fw/web.rules"), &reviewed).expect("written");
    fs::write(host.join("fw/more.rules"), SHUT).expect("written");
    assert_eq!(gate(&["--new-state"]), refused("closure"), "one more");
    fs::remove_file(host.join("fw/more.rules")).expect("removed");
    let (code, said) = gate(&["--new-state"]);
    assert_eq!(code, 0, "{said}");
    assert_eq!(gate(&[]), refused("replayed"));
    // The branch as it was approved at first was never recorded.
    git(&host, &["checkout", "-q", "--detach", "HEAD^2~1"]);
    assert_eq!(gate(&["--dry-run"]).0, 1);
}
