//! Published lists as they really were, and as they really broke.

use std::path::{Path, PathBuf};
use std::process::Command;

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
    let mut command = Command::new(env!("CARGO_BIN_EXE_portcullis"));
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
fn a_new_list_alone_is_a_reason_to_block() {
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
