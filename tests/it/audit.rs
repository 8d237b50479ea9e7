//! The log of what was decided: whatever is done to it shows.

use crate::signed::Site;
use portcullis::record::{Audit, AuditError, AuditEvent, verify_log};
use proptest::prelude::*;
use std::fs;
use std::path::Path;
use tempfile::TempDir;

fn event(outcome: &str) -> AuditEvent {
    AuditEvent {
        host: "edge1".to_owned(),
        actor: "jo".to_owned(),
        event: "gate".to_owned(),
        outcome: outcome.to_owned(),
        ..AuditEvent::default()
    }
}

/// A log of `n` entries.
pub(crate) fn log(n: usize) -> Vec<u8> {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("audit.jsonl");
    for n in 0..n {
        Audit::open(&path).and_then(|log| log.append(event(&format!("pass {n}")))).expect("written");
    }
    fs::read(path).expect("a log")
}

pub(crate) fn lines(log: &[u8]) -> Vec<Vec<u8>> {
    log.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect()
}

/// Whether what was done to a log that had this head shows.
pub(crate) fn shows(log: &[u8], head: &str) -> bool {
    verify_log(log).and_then(|audited| audited.expect(head)).is_err()
}

#[test]
fn a_log_follows_from_its_beginning_and_names_its_head() {
    let log = log(3);
    let audited = verify_log(&log).expect("in order");
    assert_eq!(audited.entries.iter().map(|entry| entry.seq).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(
        audited.entries.iter().map(|entry| entry.outcome.as_str()).collect::<Vec<_>>(),
        ["pass 0", "pass 1", "pass 2"]
    );
    assert_eq!(verify_log(b"").expect("in order").head(), "0".repeat(64));
    let line: serde_json::Value = serde_json::from_slice(&lines(&log)[1]).expect("JSON");
    assert_eq!(line["prev"].as_str(), Some(audited.hashes[0].as_str()));
    assert_eq!(line["hash"].as_str(), Some(audited.hashes[1].as_str()));
}

/// The digest is that of the sentence that defines it, computed here once more.
#[test]
fn the_digest_of_an_entry_is_of_the_one_before_and_of_its_text() {
    use sha2::{Digest as _, Sha256};
    let first = lines(&log(1)).remove(0);
    let text = String::from_utf8(first).expect("UTF-8");
    let body = format!("{}}}", text.split(",\"prev\":").next().expect("a body"));
    let mut all = b"portcullis-audit-v1\0".to_vec();
    all.extend([0; 32]);
    all.extend((body.len() as u64).to_be_bytes());
    all.extend(body.as_bytes());
    let hash: String = Sha256::digest(&all).iter().map(|byte| format!("{byte:02x}")).collect();
    assert!(text.ends_with(&format!("\"hash\":\"{hash}\"}}\n")), "{text}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn no_selection_of_its_lines_in_any_order_passes_for_a_log(order in proptest::collection::vec(0_usize..6, 0..8)) {
        let log = log(6);
        let audited = verify_log(&log).expect("in order");
        let lines = lines(&log);
        let chosen: Vec<u8> = order.iter().flat_map(|n| lines[*n].clone()).collect();
        let is_beginning = order.iter().enumerate().all(|(n, line)| n == *line);
        prop_assert_eq!(verify_log(&chosen).is_ok(), is_beginning);
        prop_assert_eq!(shows(&chosen, &audited.head()), order != [0, 1, 2, 3, 4, 5]);
    }
}

#[test]
fn a_line_that_was_not_written_to_its_end_is_tolerated_and_written_down() {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("audit.jsonl");
    let whole = log(2);
    let torn = whole.len() - 20;
    fs::write(&path, &whole[..torn]).expect("written");
    let before = verify_log(&whole[..torn]).expect("in order");
    assert_eq!(
        (before.entries.len(), before.torn.as_ref().map(|torn| torn.bytes)),
        (1, Some(torn as u64 - lines(&whole)[0].len() as u64))
    );
    Audit::open(&path).and_then(|log| log.append(event("pass"))).expect("written");
    let log = fs::read(&path).expect("a log");
    let after = verify_log(&log).expect("in order");
    assert_eq!((after.entries.len(), &after.torn, &after.entries[1].torn), (2, &None, &before.torn));
    // It is tolerated as it was, and nowhere else.
    let mut lines = lines(&log);
    lines[1][3] ^= 1;
    assert!(verify_log(&lines.concat()).is_err());
    lines.remove(1);
    assert!(verify_log(&lines.concat()).is_err());
    // Only the line break was lost.
    fs::write(&path, &whole[..whole.len() - 1]).expect("written");
    Audit::open(&path).and_then(|log| log.append(event("pass"))).expect("written");
    assert_eq!(verify_log(&fs::read(&path).expect("a log")).expect("in order").entries.len(), 3);
}

#[test]
fn a_log_that_was_touched_is_not_written_on() {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("audit.jsonl");
    let mut log = log(2);
    log[10] ^= 1;
    fs::write(&path, &log).expect("written");
    assert!(matches!(Audit::open(&path), Err(AuditError::Broken { line: 1, .. })));
    assert_eq!(fs::read(&path).expect("a log"), log);
    assert!(matches!(Audit::open(Path::new("/nowhere/audit.jsonl")), Err(AuditError::Unusable { .. })));
}

#[test]
fn what_check_attest_and_gate_decide_is_written_down_and_the_head_goes_into_the_record() {
    let site = Site::usual();
    let log = ["--audit", "@audit.jsonl"];
    assert_eq!(site.run(&[&["check", "--base", "HEAD~1"][..], &log].concat()).code, 0);
    let head = verify_log(&fs::read(site.path("audit.jsonl")).expect("a log")).expect("in order").head();
    assert_eq!(site.attest("1", &log).code, 0);
    assert_eq!(site.gate(&[&["--new-state"][..], &log].concat()).code, 0);
    assert_eq!(site.gate(&log).code, 1);
    let audited = verify_log(&fs::read(site.path("audit.jsonl")).expect("a log")).expect("in order");
    let told: Vec<_> =
        audited.entries.iter().map(|e| format!("{} {} by {} on {}", e.event, e.outcome, e.actor, e.host)).collect();
    assert_eq!(
        told,
        [
            "check pass by jo on edge1",
            "attest pass by jo on edge1",
            "gate pass by jo on edge1",
            "gate refused by jo on edge1"
        ]
    );
    let (attested, gated, refused) = (&audited.entries[1], &audited.entries[2], &audited.entries[3]);
    assert!(attested.record.is_some() && attested.record == gated.record && attested.closure == gated.closure);
    assert_eq!(
        refused.why.as_deref(),
        Some("the record has the number 1, and number 1 has been put into force already")
    );
    let payload =
        portcullis::record::Envelope::read(&fs::read(site.path("record.json")).expect("a record")).expect("a record");
    let statement: serde_json::Value = serde_json::from_slice(&payload.payload().expect("base64")).expect("JSON");
    assert_eq!(statement["predicate"]["auditHead"].as_str(), Some(head.as_str()));

    let verify = |more: &[&str]| site.run(&[&["audit", "verify", "@audit.jsonl"], more].concat());
    let ran = verify(&["--expect-head", &head]);
    assert_eq!(
        (ran.code, ran.out),
        (0, format!("4 entries, each follows from the one before it\nhead {}\n", audited.head()))
    );
    assert_eq!(verify(&["--expect-head", &"1".repeat(64)]).code, 1);
    let lines = lines(&fs::read(site.path("audit.jsonl")).expect("a log"));
    site.write("audit.jsonl", &lines[1..].concat());
    let ran = verify(&[]);
    assert_eq!(ran.code, 1);
    assert!(
        ran.talk.starts_with("error: line 1 of the audit log does not follow from what stands before it"),
        "{}",
        ran.talk
    );
    // Nothing passes that cannot be written down.
    assert_eq!(site.run(&[&["check", "--base", "HEAD~1"][..], &log].concat()).code, 3);
    assert_eq!(site.run(&["audit", "verify", "@nothing"]).code, 3);
}
