//! A change on its way: judged, recorded, and put into force where it was reviewed for, by the command line.

use crate::signed::{HOLDERS, POLICY, SHUT, Site, refusal, roots_json};
use portcullis::record::{Envelope, State};
use serde_json::json;
use std::fs;

/// What the record on a host states.
fn statement(site: &Site) -> serde_json::Value {
    let record = Envelope::read(&fs::read(site.path("record.json")).expect("a record")).expect("a record");
    serde_json::from_slice(&record.payload().expect("base64")).expect("JSON")
}

#[test]
fn a_review_passes_once_and_only_for_the_bytes_that_it_is_of() {
    let site = Site::usual();
    let ran = site.attest("1", &[]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.talk);
    let ran = site.gate(&["--new-state"]);
    assert_eq!(
        (ran.code, ran.out.as_str()),
        (0, "PASS production: 1 file as reviewed, number 1, signed by ci (gate)\n")
    );
    // Once more.
    let ran = site.gate(&[]);
    let replayed = "REFUSED portcullis::record::replayed: the record has the number 1, and number 1 has been put into force already\n";
    assert_eq!((ran.code, ran.out.as_str()), (1, replayed));
    // The next one, of which one byte is another.
    assert_eq!(site.attest("2", &[]).code, 0);
    let text = fs::read_to_string(site.repo.folder.path().join("fw/web.rules")).expect("a file");
    site.repo.write("fw/web.rules", &text.replace("198.51.100.0", "198.51.101.0"));
    let ran = site.gate(&[]);
    let differs =
        "REFUSED portcullis::record::closure: these are not the files that were reviewed: fw/web.rules differs\n";
    assert_eq!((ran.code, ran.out.as_str()), (1, differs));
    // What was committed is what was reviewed.
    let ran = site.gate_to("production", &["--tree", "HEAD", "--dry-run"]);
    assert_eq!((ran.code, ran.out.ends_with("nothing was used up (--dry-run)\n")), (0, true), "{}", ran.out);
    site.repo.write("fw/web.rules", &text);
    assert_eq!(site.gate(&[]).code, 0);
    let state: State = serde_json::from_slice(&fs::read(site.path("state.json")).expect("a state")).expect("JSON");
    assert_eq!((state.sequence, state.epoch, state.roots_serial), (2, 7, 5));
}

#[test]
fn no_record_is_made_of_what_does_not_pass() {
    let open = SHUT.replace("-s 198.51.100.0/24 ", "");
    let site = Site::new(
        &[("portcullis.yaml", POLICY), ("fw/web.rules", SHUT)],
        &[("portcullis.yaml", POLICY), ("fw/web.rules", &open)],
    );
    let ran = site.attest("1", &[]);
    assert_eq!((ran.code, site.path("record.json").exists()), (1, false), "{}", ran.out);
    assert_eq!(ran.talk, "no record is made: the decision is `needs-approval`\n");
    let ran = site.run(&["attest", "--record", "@record.json", "--key", "@1.pem", "--sequence", "1"]);
    let missing = "error: a record cannot be made without --repository, --target-ref, --environment\n";
    assert_eq!((ran.code, ran.talk.starts_with(missing)), (2, true), "{}", ran.talk);
    // A policy that cannot be read, a base that is not there, a report that cannot be written.
    assert_eq!((site.attest("1", &["--policy", "other.yaml"]).code, site.path("record.json").exists()), (2, false));
    let site = Site::usual();
    assert_eq!(
        (site.attest("1", &["--output", "text=/nowhere/x"]).code, site.path("record.json").exists()),
        (3, false)
    );
}

#[test]
fn a_state_that_is_gone_broken_in_use_or_of_somewhere_else_decides_nothing() {
    let site = Site::usual();
    assert_eq!(site.attest("1", &[]).code, 0);
    let ran = site.gate(&[]);
    assert_eq!((ran.code, refusal(&ran.out)), (3, "UNDECIDED portcullis::record::no_state"));
    assert_eq!(site.gate(&["--new-state"]).code, 0);
    let ran = site.gate(&["--new-state"]);
    assert_eq!((ran.code, refusal(&ran.out)), (3, "UNDECIDED portcullis::record::old_state"));
    let whole = fs::read(site.path("state.json")).expect("a state");
    for cut in [0, 1, whole.len() / 2, whole.len() - 1] {
        site.write("state.json", &whole[..cut]);
        let ran = site.gate(&[]);
        assert_eq!((ran.code, refusal(&ran.out)), (3, "UNDECIDED portcullis::record::state"), "cut at {cut}");
    }
    let other = String::from_utf8(whole.clone()).expect("UTF-8").replace("production", "staging");
    site.write("state.json", other.as_bytes());
    let ran = site.gate(&[]);
    assert_eq!((ran.code, refusal(&ran.out)), (3, "UNDECIDED portcullis::record::other_state"));
    site.write("state.json", &whole);
    let lock = fs::File::create(site.path("state.json.lock")).expect("a lock");
    lock.lock().expect("locked");
    let ran = site.gate(&[]);
    assert_eq!((ran.code, refusal(&ran.out)), (3, "UNDECIDED portcullis::record::locked"));
    lock.unlock().expect("unlocked");
    // Roots of trust are never older than those that were used before.
    let mut older = roots_json(HOLDERS, 0);
    older["serial"] = json!(4);
    site.write("roots.json", older.to_string().as_bytes());
    let ran = site.gate(&[]);
    assert_eq!((ran.code, refusal(&ran.out)), (2, "CONFIG portcullis::record::roots_older"));
    site.write("roots.json", b"{}");
    assert_eq!(site.gate(&[]).code, 2);
    let site = Site::usual();
    assert_eq!(site.gate(&["--new-state"]).code, 3);
}

#[test]
fn a_merge_that_nobody_has_made_yet_is_recorded_by_its_tree() {
    let site = Site::usual();
    let theirs = site.repo.git.head().and_then(|head| head.peel_to_commit()).expect("a commit");
    let first = theirs.parent_id(0).expect("a parent");
    let files = |web: &'static [u8]| {
        site.repo.tree(&[
            (b"portcullis.yaml", "100644", POLICY.as_bytes()),
            (b"fw/db.rules", "100644", SHUT.as_bytes()),
            (b"fw/web.rules", "100644", web),
        ])
    };
    let ours = site.repo.commit_tree(files(SHUT.as_bytes()), &[first]);
    let merged = {
        let ours = site.repo.git.find_commit(ours).expect("a commit");
        let mut index = site.repo.git.merge_commits(&ours, &theirs, None).expect("a merge");
        index.write_tree_to(&site.repo.git).expect("a tree")
    };
    let (ours, theirs) = (ours.to_string(), theirs.id());
    let ran = site.sign(&["attest", "--base", &ours, "--head", &theirs.to_string()], "@1.pem", "1", &[]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.talk);
    let predicate = &statement(&site)["predicate"];
    assert_eq!(predicate["mergeTree"].as_str(), Some(merged.to_string().as_str()));
    assert_eq!(predicate["baseCommit"].as_str(), Some(ours.as_str()));
    assert_eq!(predicate["files"].as_array().map(Vec::len), Some(2));
    // The branch alone lacks a file of it; what was merged has both.
    assert_eq!(site.gate(&["--new-state"]).code, 1);
    site.repo.commit_by("merge button", merged, &[theirs]);
    site.repo.checkout();
    assert_eq!(site.gate(&["--new-state"]).code, 0);
}

#[test]
fn the_lists_of_a_policy_are_named_in_the_record_and_not_needed_on_the_host() {
    const LISTED: &str = "version: 1\nepoch: 7\nconfigurations:\n  web: {files: [\"fw/*.rules\"], each: true}\n\
        networks: {office: {feed: feeds/office.txt}}\n\
        checks:\n  - {check: required-coverage, in: [\"web/web/input\"], direction: ingress, networks: office, services: [tcp/22]}\n";
    const LIST: &str = "198.51.100.0/24\n";
    let after = format!("# reviewed\n{SHUT}");
    let files = [("portcullis.yaml", LISTED), ("fw/web.rules", SHUT), ("feeds/office.txt", LIST)];
    let site = Site::new(&files, &[files[0], ("fw/web.rules", &after), files[2]]);
    let ran = site.attest("1", &[]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.talk);
    let feed =
        json!([{"path": "feeds/office.txt", "sha256": portcullis::record::digest(LIST.as_bytes()), "made": null}]);
    assert_eq!(statement(&site)["predicate"]["feeds"], feed);
    fs::remove_file(site.repo.folder.path().join("feeds/office.txt")).expect("removed");
    fs::remove_file(site.repo.folder.path().join("portcullis.yaml")).expect("removed");
    let ran = site.gate(&["--new-state"]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.talk);
}
