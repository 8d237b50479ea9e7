//! Published lists as they really were, and as they really broke.

use crate::tools;
use std::path::{Path, PathBuf};

const POLICY: &str = "version: 1
configurations: {asg: {files: [asg.json]}}
networks: {s3: {feed: feeds/ip-ranges.json, service: S3, region: us-gov-west-1, family: ipv4}}
checks:
  - {check: required-coverage, direction: egress, networks: s3, services: [tcp/443]}
";

const TWO: &str = r#"[
  {"protocol": "tcp", "destination": "108.175.56.0/22", "ports": "443"},
  {"protocol": "tcp", "destination": "108.175.48.0/22", "ports": "443"}
]"#;

/// A file of the corpus; says so where there is none.
#[expect(clippy::print_stderr, reason = "a test that could not be run says so")]
fn corpus(path: &str) -> Option<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus");
    if folder.is_dir() {
        return Some(std::fs::read(folder.join(path)).expect("a file of the corpus"));
    }
    eprintln!("SKIPPED: ../shared/corpus is not beside this folder");
    None
}

/// What `check` says of one security group under two lists: exit code and report.
fn judged(base: Option<&[u8]>, head: Option<&[u8]>, asg: &str) -> (i32, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let side = |name: &str, feed: Option<&[u8]>| -> PathBuf {
        let root = folder.path().join(name);
        std::fs::create_dir_all(root.join("feeds")).expect("a folder");
        std::fs::write(root.join("portcullis.yaml"), POLICY).expect("a file");
        std::fs::write(root.join("asg.json"), asg).expect("a file");
        if let Some(feed) = feed {
            std::fs::write(root.join("feeds/ip-ranges.json"), feed).expect("a file");
        }
        root
    };
    let (old, new) = (side("old", base), side("new", head));
    let mut command = tools::this_program();
    let out = command.arg("check").arg("--old").arg(old).arg("--new").arg(new).output().expect("it runs");
    let text = String::from_utf8(out.stdout).expect("text");
    (out.status.code().expect("a code"), text.split_whitespace().collect::<Vec<_>>().join(" "))
}

const MARCH_2021: &str = "ip-feed/seligman+aws-ip-ranges/ip-ranges@20210316.bcb88216.json";
const AUGUST_2024: &str = "ip-feed/seligman+aws-ip-ranges/ip-ranges@20240829.80735eb3.json";

#[test]
fn two_prefixes_cover_the_list_of_2021() {
    let Some(feed) = corpus(MARCH_2021) else { return };
    let (code, text) = judged(Some(&feed), Some(&feed), TWO);
    assert!(code == 0 && text.starts_with("PASS: no finding"), "{text}");
}

#[test]
fn e15_a_new_list_alone_is_a_reason_to_block() {
    let (Some(base), Some(head)) = (corpus(MARCH_2021), corpus(AUGUST_2024)) else { return };
    let (code, text) = judged(Some(&base), Some(&head), TWO);
    let why = "`asg/group/egress` does not let all of s3 pass for [tcp/443]: any -> 136.18.0.0/23, 15.200.176.128/28, \
               15.200.28.240/28 (3 of 5 published prefixes)";
    assert!(code == 1 && text.contains(why), "{text}");
}

#[test]
fn an_older_list_judges_nobody() {
    let (Some(base), Some(head)) = (corpus(AUGUST_2024), corpus(MARCH_2021)) else { return };
    let (code, text) = judged(Some(&base), Some(&head), TWO);
    let why = "the feed `feeds/ip-ranges.json` is older than the one in force: of 2021-03-16, not of 2024-08-29";
    assert!(code == 3 && text.contains(why), "{text}");
}

#[test]
fn a_list_that_lost_its_end_judges_nobody() {
    let lines = |names: &[&str]| names.join("\n");
    let run = |base: &str, head: &str, pinned: bool| {
        let folder = tempfile::tempdir().expect("a folder");
        let digest = portcullis::text::hex(&<sha2::Sha256 as sha2::Digest>::digest(head));
        let pin = if pinned { format!(", sha256: {digest}") } else { String::new() };
        for (side, feed) in [("old", base), ("new", head)] {
            let root = folder.path().join(side);
            std::fs::create_dir_all(&root).expect("a folder");
            let policy = format!(
                "version: 1\nconfigurations: {{asg: {{files: [asg.json]}}}}\nnetworks: {{store: {{feed: store.txt{pin}}}}}\n\
                 checks:\n  - {{check: required-coverage, direction: egress, networks: store}}\n"
            );
            std::fs::write(root.join("portcullis.yaml"), policy).expect("a file");
            std::fs::write(root.join("asg.json"), r#"[{"protocol": "all", "destination": "10.0.0.0/8"}]"#)
                .expect("a file");
            std::fs::write(root.join("store.txt"), feed).expect("a file");
        }
        let mut command = tools::this_program();
        let out =
            command.current_dir(&folder).args(["check", "--old", "old", "--new", "new"]).output().expect("it runs");
        let text = String::from_utf8(out.stdout).expect("text");
        (out.status.code().expect("a code"), text.split_whitespace().collect::<Vec<_>>().join(" "))
    };
    let all = ["10.1.0.0/16", "10.2.0.0/16", "10.3.0.0/16", "10.4.0.0/16", "10.5.0.0/16"];
    let why = |lost: usize| format!("lacks {lost} of the 5 prefixes that the one in force has: it may be cut short");
    // The beginning of the list, and lists that lost more than a third of it.
    for (head, lost) in [(&all[..4], 1), (&all[2..], 2), (&["10.1.0.0/16", "10.9.0.0/16"], 4)] {
        let (code, text) = run(&lines(&all), &lines(head), false);
        assert!(code == 3 && text.contains(&why(lost)), "{text}");
        // Somebody has looked at it.
        let (code, text) = run(&lines(&all), &lines(head), true);
        assert!(code == 0, "{text}");
    }
    // One withdrawn, one written in two halves, and one more.
    for head in
        [&all[1..], &["10.0.0.0/14", "10.4.0.0/15"], &["10.1.0.0/16", "10.2.0.0/15", "10.4.0.0/15", "10.9.0.0/16"]]
    {
        let (code, text) = run(&lines(&all), &lines(head), false);
        assert!(code == 0, "{text}");
    }
}

#[test]
fn lists_that_really_broke_judge_nobody() {
    let folder = "ip-feed-broken/joetek+aws-ip-ranges-json";
    let Some(base) = corpus(MARCH_2021) else { return };
    for (name, why) in [
        ("ip-ranges@2017-07-24.c295cc65.json", "trailing characters"),
        ("ip-ranges@2017-07-27.1132e05b.json", "trailing characters"),
        ("ip-ranges@2025-02-19.3a11859b.json", "is empty"),
    ] {
        let broken = corpus(&format!("{folder}/{name}")).expect("it is there as the others are");
        let (code, text) = judged(Some(&base), Some(&broken), TWO);
        assert!(code == 3 && text.contains(why), "{name}: {text}");
    }
}

#[test]
fn no_list_judges_nobody_and_the_first_one_counts() {
    let Some(feed) = corpus(MARCH_2021) else { return };
    let (code, text) = judged(Some(&feed), None, TWO);
    assert!(code == 3 && text.contains("head has no feed `feeds/ip-ranges.json`"), "{text}");
    let (code, text) = judged(None, Some(&feed), TWO);
    assert!(code == 0 && text.starts_with("PASS"), "{text}");
}

#[test]
fn a_selection_that_is_empty_judges_nobody() {
    let feed = br#"{"syncToken": "1", "createDate": "2024-08-29-13-43-10", "prefixes": [
        {"ip_prefix": "10.0.0.0/8", "region": "us-gov-west-2", "service": "S3", "network_border_group": "x"}]}"#;
    let (code, text) = judged(Some(feed), Some(feed), TWO);
    let why = "has no prefix of service `S3` in region `us-gov-west-1`";
    assert!(code == 3 && text.contains(why) && text.contains("did you mean `us-gov-west-2`?"), "{text}");
}

/// The lists of 2021 and 2024 in a few words.
const OLD: &str = r#"{"syncToken": "1615926851", "createDate": "2021-03-16-20-34-11", "prefixes": [
  {"ip_prefix": "108.175.56.0/22", "region": "us-gov-west-1", "service": "S3", "network_border_group": "x"},
  {"ip_prefix": "108.175.48.0/22", "region": "us-gov-west-1", "service": "S3", "network_border_group": "x"}
]}"#;
pub(crate) const NEW: &str = r#"{"syncToken": "1724938990", "createDate": "2024-08-29-13-43-10", "prefixes": [
  {"ip_prefix": "108.175.56.0/22", "region": "us-gov-west-1", "service": "S3", "network_border_group": "x"},
  {"ip_prefix": "136.18.0.0/23", "region": "us-gov-west-1", "service": "S3", "network_border_group": "x"}
]}"#;

fn sha256(text: &str) -> String {
    use sha2::Digest as _;
    portcullis::text::hex(&sha2::Sha256::digest(text.as_bytes()))
}

/// A folder with a list, a policy that pins it, and a group that lets all of it pass.
pub(crate) fn pinned() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let pin = format!("family: ipv4, sha256: \"{}\"}}", sha256(OLD));
    let files = [
        ("portcullis.yaml", POLICY.replace("family: ipv4}", &pin)),
        ("asg.json", TWO.to_owned()),
        ("feeds/ip-ranges.json", OLD.to_owned()),
        ("new.json", NEW.to_owned()),
    ];
    std::fs::create_dir(folder.path().join("feeds")).expect("a folder");
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).expect("written");
    }
    folder
}

fn update(folder: &Path, more: &[&str]) -> crate::cli::Ran {
    crate::cli::portcullis(folder, &[], &[&["feed", "update"], more, &["--path", "."]].concat())
}

#[test]
fn an_update_tells_prefixes_digests_and_what_lacks_them_and_writes_nothing() {
    let folder = pinned();
    let ran = update(folder.path(), &["s3", "--from", "new.json"]);
    let (old, new) = (sha256(OLD), sha256(NEW));
    let expected = format!(
        "feeds/ip-ranges.json
  made    2021-03-16 -> 2024-08-29
  sha256  {old}
       -> {new}
network `s3`: 2 -> 2 prefixes
  + 136.18.0.0/23
  - 108.175.48.0/22

What `required-coverage` says with that list

BLOCKED: 1 finding blocks, 1 configuration looked at

blocked  required-coverage
  `asg/group/egress` does not let all of s3 pass for [tcp/443]: any -> 136.18.0.0/23 (1 of 2
  published prefixes)
"
    );
    assert!(ran.code == 1 && ran.out.starts_with(&expected), "{}{}", ran.talk, ran.out);
    let end = format!(
        "Nothing is written without --write feed or --write policy.\n\
         The policy pins another digest: let it pin {new} first, in a change before that of the list.\n"
    );
    assert!(ran.out.ends_with(&end), "{}", ran.out);
    let present = std::fs::read_to_string(folder.path().join("feeds/ip-ranges.json")).expect("a file");
    assert_eq!(present, OLD);
}

#[test]
fn what_is_asked_for_is_written() {
    let folder = pinned();
    let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).expect("a file");
    let before = read("portcullis.yaml");
    update(folder.path(), &["feeds/ip-ranges.json", "--from", "new.json", "--write", "policy"]);
    assert_eq!(read("portcullis.yaml"), before.replace(&sha256(OLD), &sha256(NEW)));
    assert_eq!(read("feeds/ip-ranges.json"), OLD);
    update(folder.path(), &["s3", "--from", "new.json", "--write", "feed"]);
    assert_eq!(read("feeds/ip-ranges.json"), NEW);
}

#[test]
fn a_list_that_is_none_or_older_or_not_there_is_no_update() {
    let folder = pinned();
    std::fs::write(folder.path().join("cut.json"), &NEW[..200]).expect("written");
    std::fs::write(folder.path().join("empty.json"), "").expect("written");
    std::fs::write(folder.path().join("older.json"), OLD.replace("1615926851", "1")).expect("written");
    for (file, why) in [
        ("cut.json", "is not AWS ip-ranges.json"),
        ("empty.json", "is empty"),
        ("older.json", "is older than the one in force"),
        ("none.json", "none.json"),
    ] {
        let ran = update(folder.path(), &["s3", "--from", file, "--write", "feed"]);
        assert!(ran.code == 3 && ran.talk.contains(why), "{file}: {} {}", ran.talk, ran.out);
    }
    let ran = update(folder.path(), &["s4", "--from", "new.json"]);
    assert!(ran.code == 2 && ran.talk.contains("did you mean `s3`?"), "{}", ran.talk);
    let present = std::fs::read_to_string(folder.path().join("feeds/ip-ranges.json")).expect("a file");
    assert_eq!(present, OLD);
}

#[test]
fn a_key_that_stands_twice_in_a_list_judges_nobody() {
    let folder = pinned();
    let policy = POLICY.replace("service: S3, region: us-gov-west-1, family: ipv4", "pointer: /data/prefixes");
    std::fs::write(folder.path().join("portcullis.yaml"), policy).expect("written");
    let feed = r#"{"data": {"prefixes": ["108.175.56.0/22"], "prefixes": []}}"#;
    std::fs::write(folder.path().join("feeds/ip-ranges.json"), feed).expect("written");
    let ran = crate::cli::portcullis(folder.path(), &[], &["check", "--old", ".", "--new", "."]);
    let said = ran.out.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(ran.code == 3 && said.contains("is not JSON: the key `prefixes` stands twice"), "{}", ran.out);
}

#[test]
fn the_report_tells_which_lists_were_used() {
    let folder = pinned();
    let arguments = ["check", "--old", ".", "--new", ".", "--output", "json"];
    let ran = crate::cli::portcullis(folder.path(), &[], &arguments);
    let report: serde_json::Value = serde_json::from_str(&ran.out).expect("JSON");
    let side = serde_json::json!({"sha256": sha256(OLD), "made": "2021-03-16"});
    let feeds = serde_json::json!([{"path": "feeds/ip-ranges.json", "base": side, "head": side}]);
    assert_eq!(report.pointer("/policy/feeds"), Some(&feeds), "{}", ran.out);
}
