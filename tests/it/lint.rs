//! `portcullis lint`: one side, with and without a policy.

use crate::cli::portcullis;
use crate::folder::folder;
use crate::repo::Repo;
use std::fs;

const SHADOWED: &str = "*filter\n:INPUT DROP [0:0]\n:FORWARD DROP [0:0]\n:OUTPUT ACCEPT [0:0]\n\
    -A INPUT -p tcp -m tcp --dport 22 -j ACCEPT\n-A INPUT -s 10.0.0.0/8 -p tcp -m tcp --dport 22 -j DROP\nCOMMIT\n";
const CLEAN: &str = "*filter\n:INPUT DROP [0:0]\n:FORWARD DROP [0:0]\n:OUTPUT ACCEPT [0:0]\n\
    -A INPUT -p tcp -m tcp --dport 22 -j ACCEPT\nCOMMIT\n";
const POLICY: &str = "version: 1\nconfigurations: {web: {files: [\"fw/*.rules\"]}}\nchecks:\n  \
    - {check: exposed-ports, services: ssh}\n  - {check: deletion-limit}\n  - {check: shadowed-rules, level: off}\n";

#[test]
fn a_file_needs_no_policy_and_warnings_do_not_fail() {
    let folder = folder(&[("web.rules", SHADOWED)]);
    let ran = portcullis(folder.path(), &[], &["lint", "--path", "web.rules"]);
    let name = folder.path().join("web.rules").display().to_string();
    let expected = format!(
        "PASS: 1 finding warns, 1 configuration looked at\n\nwarning  shadowed-rules\n  a rule of `web.rules/filter/INPUT` \
         never applies: what stands before it takes all its packets\n  head    {name}:6:1\n              6 | -A INPUT -s \
         10.0.0.0/8 -p tcp -m tcp --dport 22 -j DROP\n  by      {name}:5:1\n              5 | -A INPUT -p tcp -m tcp --dport \
         22 -j ACCEPT\n  to do   remove it; if it is meant to apply, move it before what takes its packets, or narrow \
         that\n\nfiles {name}; no policy\n"
    );
    assert_eq!((ran.code, ran.out, ran.talk), (0, expected, String::new()));
    assert_eq!(portcullis(folder.path(), &[], &["lint", "--path", "web.rules", "--deny-warnings"]).code, 1);
}

#[test]
fn a_clean_file_passes_and_a_gap_is_undecided() {
    let gap = CLEAN.replace("-j ACCEPT\nCOMMIT", "-j NOWHERE\nCOMMIT");
    let folder = folder(&[("clean.rules", CLEAN), ("gap.rules", &gap), ("notes.txt", "nothing")]);
    let clean = portcullis(folder.path(), &[], &["lint", "--path", "clean.rules"]);
    assert_eq!((clean.code, clean.out.lines().next()), (0, Some("PASS: no finding, 1 configuration looked at")));
    let ran = portcullis(folder.path(), &[], &["lint", "--path", "gap.rules"]);
    assert_eq!(ran.code, 1, "{}", ran.out);
    assert!(ran.out.contains("uses the chain `filter/NOWHERE`, and nothing declares it"), "{}", ran.out);
    let all = portcullis(folder.path(), &[], &["lint", "--path", "."]);
    assert_eq!((all.code, all.talk.as_str()), (1, "note: left out, of no known format: notes.txt\n"));
}

#[test]
fn the_policy_of_the_side_says_what_is_asked() {
    let repo = Repo::new();
    let items: [(&[u8], &str, &[u8]); 2] =
        [(b"portcullis.yaml", "100644", POLICY.as_bytes()), (b"fw/web.rules", "100644", SHADOWED.as_bytes())];
    repo.commit(&[], &items);
    repo.checkout();
    for arguments in [&["lint"][..], &["lint", "--rev", "HEAD"]] {
        let ran = portcullis(repo.folder.path(), &[], arguments);
        assert_eq!(ran.code, 1, "{}", ran.out);
        assert!(ran.out.starts_with("BLOCKED: 2 findings block, 1 configuration looked at\n"), "{}", ran.out);
        assert!(ran.out.contains("forbidden traffic passes `web/input`"), "{}", ran.out);
        assert!(!ran.out.contains("base"), "{}", ran.out);
        assert_eq!(
            ran.talk,
            "note: not asked, because they are about changes: deletion-limit, freeze-window, policy-changes, required-approvals\n"
        );
    }
}

#[test]
fn what_is_not_there_is_said() {
    let empty = folder(&[("notes.txt", "nothing"), ("README", "nothing")]);
    let code = |arguments: &[&str]| portcullis(empty.path(), &[], arguments).code;
    assert_eq!(code(&["lint", "--path", "none.rules"]), 3);
    assert_eq!(code(&["lint", "--path", "."]), 3);
    assert_eq!(code(&["lint"]), 3);
    assert_eq!(code(&["lint", "--path", ".", "--rev", "HEAD"]), 2);
    let repo = Repo::new();
    repo.commit(&[], &[(b"fw/web.rules", "100644", SHADOWED.as_bytes())]);
    repo.checkout();
    let ran = portcullis(repo.folder.path(), &[], &["lint"]);
    assert_eq!(ran.code, 2, "{}", ran.out);
    assert!(ran.out.contains("there is no policy: no file `portcullis.yaml` in work-tree"), "{}", ran.out);
}

#[test]
fn as_json_the_places_are_related() {
    let folder = folder(&[("web.rules", SHADOWED)]);
    let ran = portcullis(folder.path(), &[], &["lint", "--path", "web.rules", "--output", "json"]);
    let report: serde_json::Value = serde_json::from_str(&ran.out).expect("JSON");
    assert_eq!(report["base"]["source"], "none");
    let finding = &report["findings"][0];
    assert_eq!(finding["check"], "shadowed-rules");
    assert_eq!(finding["flow"], "tcp 10.0.0.0/8 -> any:22");
    assert_eq!((&finding["related"][0]["what"], &finding["related"][0]["location"]["line"]), (&"by".into(), &5.into()));
}

#[test]
fn only_what_base_does_not_have_is_told() {
    let policy = POLICY.replace("services: ssh", "services: [ssh, http]");
    let repo = Repo::new();
    let items: [(&[u8], &str, &[u8]); 2] =
        [(b"portcullis.yaml", "100644", policy.as_bytes()), (b"fw/web.rules", "100644", SHADOWED.as_bytes())];
    repo.commit(&[], &items);
    repo.checkout();
    let lint = |arguments: &[&str]| portcullis(repo.folder.path(), &[], &[&["lint"], arguments].concat());
    let findings = |out: &str| out.lines().filter(|line| line.starts_with("blocked  ")).count();
    let (all, none) = (lint(&[]), lint(&["--only-new"]));
    assert_eq!((all.code, none.code, findings(&none.out)), (1, 0, 0), "{}", none.out);
    assert!(none.talk.contains(&format!("note: {} findings that base has too are not shown\n", findings(&all.out))));
    // A line moves and a second one of the same kind comes: that one is new, the first is not.
    let more = SHADOWED.replace(
        "COMMIT",
        "-A INPUT -p tcp -m tcp --dport 80 -j ACCEPT\n-A INPUT -s 10.0.0.0/8 -p tcp -m tcp --dport 22 -j DROP\nCOMMIT",
    );
    fs::write(repo.folder.path().join("fw/web.rules"), format!("# moved\n{more}")).expect("written");
    let new = lint(&["--only-new", "--base", "HEAD", "--output", "json"]);
    let report: serde_json::Value = serde_json::from_str(&new.out).expect("JSON");
    let shown = report["findings"].as_array().expect("a list").iter();
    let flows: Vec<&str> = shown.map(|finding| finding["flow"].as_str().expect("text")).collect();
    assert!(new.code == 1 && !flows.is_empty() && flows.iter().all(|flow| flow.contains("80")), "{}", new.out);
    assert_eq!(lint(&["--only-new", "--base", "nothing"]).code, 3);
    assert_eq!(lint(&["--only-new", "--path", "."]).code, 2);
    assert_eq!(lint(&["--base", "HEAD"]).code, 2);
}
