//! `portcullis test`: what is expected of packets and requests, beside the configuration.

use crate::cli::portcullis;
use crate::repo::Repo;
use std::fs;
use tempfile::TempDir;

const RULES: &str = "*filter\n:INPUT DROP [0:0]\n:FORWARD DROP [0:0]\n:OUTPUT ACCEPT [0:0]\n\
    -A INPUT -m conntrack --ctstate ESTABLISHED -j ACCEPT\n-A INPUT -s 10.0.0.0/8 -p tcp -m tcp --dport 22 -j ACCEPT\nCOMMIT\n";
const POLICY: &str = "version: 1\nconfigurations: {web: {files: [\"fw/*.rules\"]}}\nnetworks: {office: [10.1.0.0/16]}\nextends: [baseline]\n";

fn expecting(text: &str) -> (u8, String, String) {
    let folder = TempDir::new().expect("a folder");
    fs::write(folder.path().join("web.rules"), RULES).expect("written");
    fs::write(folder.path().join("my.yaml"), text).expect("written");
    let ran = portcullis(folder.path(), &[], &["test", "my.yaml", "--path", "web.rules"]);
    (ran.code, ran.out, ran.talk)
}

#[test]
fn all_of_a_set_must_pass_and_all_of_another_be_stopped() {
    let (code, out, talk) = expecting(
        "version: 1\nexpectations:\n  - {name: ssh, in: [\"**/input\"], allow: [\"tcp 10.1.0.0/16 -> any:22\"], \
         deny: [\"udp any -> any\", \"tcp 11.0.0.0/8 -> any\"]}\n",
    );
    assert_eq!((code, out.lines().next()), (0, Some("PASS: no finding, 1 configuration looked at")), "{talk}");
    assert_eq!(talk, "note: 1 expectation in 1 file\n");
}

#[test]
fn a_packet_of_the_set_is_shown_that_is_not_as_expected() {
    let (code, out, _) = expecting(
        "version: 1\nexpectations:\n  - {in: [\"**/input\"], allow: [\"tcp 10.0.0.0/7 -> any:22\"]}\n  \
         - {in: [\"**/input\"], deny: [\"tcp 10.0.0.0/7 -> any:22\"]}\n",
    );
    let said: Vec<&str> = out
        .lines()
        .filter(|line| line.contains("expected to"))
        .map(|line| line.rsplit_once(": ").expect("a flow").1)
        .collect();
    assert_eq!((code, said), (1, vec!["tcp 11.0.0.0/8 -> any:22 new", "tcp 10.0.0.0/8 -> any:22"]), "{out}");
}

#[test]
fn nothing_expected_is_no_pass() {
    for (text, wanted) in [
        ("", 2),
        ("version: 1\n", 2),
        ("version: 1\nexpectations: []\n", 2),
        ("version: 1\nexpectations: [{name: empty}]\n", 2),
        ("version: 1\nexpectations: [{alow: [\"tcp any -> any:22\"]}]\n", 2),
        ("version: 1\nexpectations: [{level: warn, deny: [\"tcp any -> any:22\"]}]\n", 2),
        ("version: 2\nexpectations: [{deny: [\"tcp any -> any:23\"]}]\n", 2),
        ("version: 1\nexpectations: [{in: [nowhere], deny: [\"tcp any -> any:23\"]}]\n", 1),
        ("version: 1\nexpectations: [{requests: {\"GET http://example.org/\": refused}}]\n", 1),
    ] {
        let (code, out, talk) = expecting(text);
        assert_eq!(code, wanted, "{text}{out}{talk}");
    }
    let folder = TempDir::new().expect("a folder");
    fs::write(folder.path().join("web.rules"), RULES).expect("written");
    assert_eq!(portcullis(folder.path(), &[], &["test", "--path", "web.rules"]).code, 3);
}

#[test]
fn expectations_of_a_tree_are_found_and_use_the_names_of_its_policy() {
    let repo = Repo::new();
    let flows = "version: 1\nexpectations:\n  - {in: [web/input], allow: [\"tcp office -> any:22\"]}\n";
    let items: [(&[u8], &str, &[u8]); 3] = [
        (b"portcullis.yaml", "100644", POLICY.as_bytes()),
        (b"fw/web.rules", "100644", RULES.as_bytes()),
        (b"fw/web.flows.yaml", "100644", flows.as_bytes()),
    ];
    repo.commit(&[], &items);
    repo.checkout();
    let ran = portcullis(repo.folder.path(), &[], &["test"]);
    assert_eq!((ran.code, ran.talk.as_str()), (0, "note: 1 expectation in 1 file\n"), "{}", ran.out);
    fs::write(repo.folder.path().join("fw/web.rules"), RULES.replace("10.0.0.0/8", "10.2.0.0/16")).expect("written");
    assert_eq!(portcullis(repo.folder.path(), &[], &["test"]).code, 1);
    assert_eq!(portcullis(repo.folder.path(), &[], &["test", "--rev", "HEAD"]).code, 0);
    assert_eq!(portcullis(repo.folder.path(), &[], &["test", "fw/none.yaml"]).code, 3);
}

#[test]
fn in_junit_each_expectation_is_a_case() {
    let folder = TempDir::new().expect("a folder");
    fs::write(folder.path().join("web.rules"), RULES).expect("written");
    let flows = "version: 1\nexpectations:\n  - {name: ssh <within>, in: [\"**/input\"], allow: [\"tcp 10.0.0.0/8 -> any:22\"]}\n  \
        - {in: [\"**/input\"], deny: [\"tcp 10.0.0.0/7 -> any:22\"]}\n";
    fs::write(folder.path().join("my.yaml"), flows).expect("written");
    let ran = portcullis(folder.path(), &[], &["test", "my.yaml", "--path", "web.rules", "--output", "junit"]);
    let here = format!("{}/", folder.path().display());
    let cases: Vec<String> =
        ran.out.lines().filter(|line| line.contains("test")).map(|line| line.trim().replace(&here, "")).collect();
    assert_eq!(
        cases,
        [
            "<testsuites name=\"portcullis\" tests=\"3\" failures=\"2\" errors=\"0\" time=\"0\">",
            "<testsuite name=\"portcullis\" tests=\"3\" failures=\"2\" errors=\"0\" skipped=\"0\" time=\"0\">",
            "<testcase classname=\"portcullis\" name=\"decision\" time=\"0\">",
            "</testcase>",
            "<testcase classname=\"expected-flows\" name=\"ssh &lt;within&gt; (my.yaml:3)\" file=\"my.yaml\" line=\"3\" time=\"0\"/>",
            "<testcase classname=\"expected-flows\" name=\"my.yaml:4\" file=\"my.yaml\" line=\"4\" time=\"0\">",
            "</testcase>",
            "</testsuite>",
            "</testsuites>",
        ],
        "{}",
        ran.out
    );
    assert_eq!(ran.code, 1);
}
