//! Ways past the gate where a change is put into force: each is refused. The numbers are those of the list of threats.

use crate::audit::{lines, log, shows};
use crate::signed::{
    HOLDERS, NOW, POLICY, SHUT, Site, admit, closure, gate, record, refusal, review, roots, roots_json, signed_payload,
    signer, state, step,
};
use base64ct::{Base64, Encoding as _};
use portcullis::facts::show_instant;
use portcullis::record::{BreakGlass, Closure, Debt, Envelope, PAYLOAD_TYPE, Review, State, open, pae, verify_log};
use serde_json::json;
use std::fs;

#[test]
fn a13_a_commit_that_was_reverted_later_was_never_reviewed() {
    let open = SHUT.replace("-s 198.51.100.0/24 ", "");
    let site = Site::new(
        &[("portcullis.yaml", POLICY), ("fw/web.rules", SHUT)],
        &[("portcullis.yaml", POLICY), ("fw/web.rules", &open)],
    );
    let bad = site.repo.git.head().and_then(|head| head.peel_to_commit()).expect("a commit").id();
    site.repo.commit(
        &[bad],
        &[(b"portcullis.yaml", "100644", POLICY.as_bytes()), (b"fw/web.rules", "100644", SHUT.as_bytes())],
    );
    let ran = site.sign(&["attest", "--base", "HEAD~2"], "@1.pem", "1", &[]);
    assert_eq!(ran.code, 0, "{}", ran.out);
    // The work tree is still the bad commit's.
    let ran = site.gate(&["--new-state"]);
    assert_eq!((ran.code, refusal(&ran.out)), (1, "REFUSED portcullis::record::closure"));
    site.repo.checkout();
    assert_eq!(site.gate(&["--new-state"]).code, 0);
}

#[test]
fn a18_what_git_does_not_show_is_hashed_all_the_same() {
    let site = Site::usual();
    assert_eq!(site.attest("1", &[]).code, 0);
    let mut index = site.repo.git.index().expect("an index");
    let mut entry = index.get_path(std::path::Path::new("fw/web.rules"), 0).expect("an entry");
    entry.flags |= 0x8000;
    index.add(&entry).expect("assume-unchanged");
    index.write().expect("written");
    site.repo.write("fw/web.rules", SHUT);
    let ran = site.gate(&["--new-state"]);
    assert_eq!((ran.code, refusal(&ran.out)), (1, "REFUSED portcullis::record::closure"));
}

#[test]
fn a25_a_file_is_known_by_its_content_and_not_by_its_id_in_git() {
    let digest = |text: &[u8]| {
        let mut closure = Closure::default();
        closure.add(b"a", false, text);
        closure.digest()
    };
    // Two texts of the same length; the digest is SHA-256 of them, with no SHA-1 between.
    assert_ne!(digest(b"one"), digest(b"two"));
    let mut other = review();
    other.files[0].sha256 = portcullis::record::digest(b"other");
    assert_eq!(step(gate(&record(&other, &[1, 2]))), "closure");
}

#[test]
fn b12_a_record_by_an_earlier_generation_of_the_policy_is_refused() {
    let by = |epoch| {
        let mut review = review();
        review.policy.epoch = epoch;
        record(&review, &[1, 2])
    };
    assert_eq!(step(gate(&by(6))), "epoch");
    assert_eq!(step(gate(&by(7))), "pass");
    // The host remembers a later one than its roots of trust say.
    let state = State { epoch: 9, ..state() };
    assert_eq!(step(admit(&by(8), &roots(&roots_json(HOLDERS, 1)), &state, &closure())), "epoch");
    assert_eq!(step(admit(&by(9), &roots(&roots_json(HOLDERS, 1)), &state, &closure())), "pass");
    // And the text of the policy is the one that was signed.
    let mut other = review();
    other.policy.text = "version: 1\nepoch: 7\n".to_owned();
    assert_eq!(step(gate(&record(&other, &[1, 2]))), "statement");
}

#[test]
fn c26_what_expired_or_was_signed_or_approved_by_somebody_revoked_is_refused() {
    let until = |from: u64, to: u64| {
        let (time_verified, not_after) = (show_instant(from), show_instant(to));
        record(&Review { time_verified, not_after, ..review() }, &[1, 2])
    };
    assert_eq!(step(gate(&until(NOW - 86400, NOW))), "expired");
    assert_eq!(step(gate(&until(NOW - 86400, NOW + 1))), "pass");
    assert_eq!(step(gate(&until(NOW + 301, NOW + 86400))), "future");
    assert_eq!(step(gate(&until(NOW + 300, NOW + 86400))), "pass");
    let revoked = |keys: &[String], people: &[&str]| {
        let mut roots_json = roots_json(HOLDERS, 1);
        roots_json["revoked"] = json!({"keys": keys, "people": people});
        roots(&roots_json)
    };
    let id = |n| signer(n).public().id();
    let bytes = record(&review(), &[1, 2]);
    assert_eq!(step(admit(&bytes, &revoked(&[id(2)], &[]), &state(), &closure())), "revoked");
    assert_eq!(step(admit(&bytes, &revoked(&[id(1)], &["alice"]), &state(), &closure())), "revoked");
    assert_eq!(step(admit(&bytes, &revoked(&[id(3)], &["bob"]), &state(), &closure())), "pass");
    // Bob has signed, but it was alice who approved.
    assert_eq!(step(admit(&record(&review(), &[1, 3]), &revoked(&[], &["alice"]), &state(), &closure())), "revoked");
}

#[test]
fn c29_a_squashed_change_is_known_by_its_files() {
    let site = Site::usual();
    assert_eq!(site.attest("1", &[]).code, 0);
    let head = site.repo.git.head().and_then(|head| head.peel_to_commit()).expect("a commit");
    let tree = head.tree_id();
    let squashed = site.repo.commit_by("merge button", tree, &[head.parent_id(0).expect("a parent")]);
    assert_ne!(squashed, head.id());
    let ran = site.gate(&["--new-state"]);
    assert_eq!(ran.code, 0, "{}", ran.out);
    let site = Site::usual();
    assert_eq!(site.attest("1", &[]).code, 0);
    site.repo.write("fw/web.rules", SHUT);
    assert_eq!(site.gate(&["--new-state"]).code, 1);
}

#[test]
fn c30_a_review_for_another_branch_is_not_carried_over() {
    let other = Review { target_ref: "refs/heads/release".to_owned(), ..review() };
    assert_eq!(step(gate(&record(&other, &[1, 2]))), "target_ref");
}

#[test]
fn e01_what_was_never_reviewed_is_refused_whatever_is_shown_for_it() {
    assert_eq!(
        step(admit(&record(&review(), &[1, 2]), &roots(&roots_json(HOLDERS, 1)), &state(), &Closure::default())),
        "closure"
    );
    assert_eq!(step(gate(b"")), "malformed");
    assert_eq!(step(gate(b"{}\n")), "malformed");
    let site = Site::usual();
    site.write("record.json", b"{}\n");
    let ran = site.gate(&["--new-state"]);
    assert_eq!((ran.code, refusal(&ran.out)), (1, "REFUSED portcullis::record::malformed"));
}

#[test]
fn e02_a_file_that_is_extra_missing_or_executable_in_the_folder_is_named() {
    const NFT: &str = "version: 1\nepoch: 7\nchecks:\n  - {check: undefined-references}\nconfigurations:\n  edge: {files: [edge/main.nft]}\n";
    const MAIN: &str = "table inet filter {\n  chain input {\n    type filter hook input priority 0; policy drop;\n    include \"rules.d/*.nft\"\n  }\n}\n";
    let files =
        [("portcullis.yaml", NFT), ("edge/main.nft", MAIN), ("edge/rules.d/10-a.nft", "tcp dport 443 accept\n")];
    let main = format!("# reviewed\n{MAIN}");
    let head = [files[0], ("edge/main.nft", main.as_str()), files[2]];
    let site = Site::new(&files, &head);
    let ran = site.attest("1", &[]);
    assert_eq!(ran.code, 0, "{}", ran.out);
    assert_eq!(site.gate(&["--new-state", "--dry-run"]).code, 0);
    site.repo.write("edge/rules.d/99-x.nft", "tcp dport 22 accept\n");
    let sentence = |says: &str| {
        format!("REFUSED portcullis::record::closure: these are not the files that were reviewed: {says}\n")
    };
    let refused = |says: &str| {
        let ran = site.gate(&["--new-state"]);
        assert_eq!((ran.code, ran.out), (1, sentence(says)));
    };
    refused("edge/rules.d/99-x.nft is extra");
    let at = |path: &str| site.repo.folder.path().join(path);
    fs::remove_file(at("edge/rules.d/10-a.nft")).expect("removed");
    refused("edge/rules.d/10-a.nft is missing, edge/rules.d/99-x.nft is extra");
    fs::remove_file(at("edge/rules.d/99-x.nft")).expect("removed");
    site.repo.write("edge/rules.d/10-a.nft", "tcp dport 443 accept\n");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = |mode| fs::set_permissions(at("edge/main.nft"), fs::Permissions::from_mode(mode)).expect("a mode");
        mode(0o755);
        refused("edge/main.nft has the mode 100755 and had 100644");
        mode(0o644);
        fs::remove_file(at("edge/rules.d/10-a.nft")).expect("removed");
        std::os::unix::fs::symlink("../main.nft", at("edge/rules.d/10-a.nft")).expect("a link");
        assert_eq!(site.gate(&["--new-state"]).code, 3);
    }
}

#[test]
fn e03_the_verified_bytes_can_be_used_whatever_becomes_of_the_files() {
    let site = Site::usual();
    assert_eq!(site.attest("1", &[]).code, 0);
    assert_eq!(site.gate(&["--new-state", "--copy-to", "@reviewed"]).code, 0);
    let reviewed = fs::read_to_string(site.repo.folder.path().join("fw/web.rules")).expect("a file");
    site.repo.write("fw/web.rules", "swapped");
    assert_eq!(fs::read_to_string(site.path("reviewed").join("fw/web.rules")).expect("a file"), reviewed);
    // A folder that is there could have been prepared.
    let site = Site::usual();
    assert_eq!(site.attest("1", &[]).code, 0);
    fs::create_dir(site.path("reviewed")).expect("a folder");
    let ran = site.gate(&["--new-state", "--copy-to", "@reviewed"]);
    assert_eq!(
        (ran.code, refusal(&ran.out), site.path("state.json").exists()),
        (3, "UNDECIDED portcullis::record::unreadable", false)
    );
}

#[test]
fn e04_an_old_record_is_refused_and_so_is_one_that_was_used() {
    let numbered = |sequence| record(&Review { sequence, ..review() }, &[1, 2]);
    assert_eq!(step(gate(&numbered(40))), "replayed");
    assert_eq!(step(gate(&numbered(41))), "replayed");
    let admission = gate(&numbered(42)).expect("a pass");
    assert_eq!((admission.next.sequence, admission.next.closure), (42, Some(closure().digest())));
    let again =
        admit(&numbered(42), &roots(&roots_json(HOLDERS, 1)), &gate(&numbered(42)).expect("a pass").next, &closure());
    assert_eq!(step(again), "replayed");
}

#[test]
fn e05_a_record_for_staging_is_refused_in_production() {
    let other = Review { environment: "staging".to_owned(), ..review() };
    assert_eq!(step(gate(&record(&other, &[1, 2]))), "environment");
    let other = Review { repository: "github.com/acme/other".to_owned(), ..review() };
    assert_eq!(step(gate(&record(&other, &[1, 2]))), "repository");
    let site = Site::usual();
    assert_eq!(site.attest("1", &[]).code, 0);
    let ran = site.gate_to("staging", &["--tree", ".", "--new-state"]);
    assert_eq!((ran.code, refusal(&ran.out)), (1, "REFUSED portcullis::record::environment"));
}

#[test]
fn e06_another_type_or_a_signature_over_the_text_alone_is_refused() {
    let payload = review().to_payload();
    let text = String::from_utf8(payload.clone()).expect("UTF-8");
    let typed = |from: &str, to: &str| step(gate(&signed_payload(text.replacen(from, to, 1).as_bytes(), &[1, 2])));
    assert_eq!(typed("Statement/v1", "Statement/v0.1"), "statement_type");
    assert_eq!(typed("change-review/v1", "change-review/v2"), "statement_type");
    assert_eq!(typed("change-review/v1", "break-glass/v1"), "statement_type");
    let mut envelope = Envelope::new("application/json", &payload);
    envelope.sign(&signer(1)).expect("signed");
    envelope.sign(&signer(2)).expect("signed");
    assert_eq!(step(gate(&envelope.to_bytes())), "payload_type");
    // Over the text, and over the encoding as another type.
    let raw = |bytes: &[u8]| {
        let signatures: Vec<_> = [1, 2]
            .map(|n| json!({"keyid": signer(n).public().id(), "sig": Base64::encode_string(&signer(n).sign(bytes))}))
            .to_vec();
        let envelope =
            json!({"payload": Base64::encode_string(&payload), "payloadType": PAYLOAD_TYPE, "signatures": signatures});
        let envelope: Envelope = serde_json::from_value(envelope).expect("an envelope");
        step(gate(&envelope.to_bytes()))
    };
    assert_eq!(raw(&payload), "unsigned");
    assert_eq!(raw(&pae(b"application/json", &payload)), "unsigned");
    assert_eq!(raw(&pae(PAYLOAD_TYPE.as_bytes(), &payload)), "pass");
}

#[test]
fn e07_what_is_used_is_what_was_verified() {
    let bytes = record(&review(), &[1, 2]);
    let text = String::from_utf8(bytes).expect("UTF-8");
    let other = Base64::encode_string(&Review { sequence: 99, ..review() }.to_payload());
    for twice in [
        text.replacen('{', &format!("{{\"payload\":\"{other}\","), 1),
        text.replacen(",\"payloadType\"", &format!(",\"payload\":\"{other}\",\"payloadType\""), 1),
    ] {
        assert_eq!(step(gate(twice.as_bytes())), "malformed");
    }
    let payload = String::from_utf8(review().to_payload()).expect("UTF-8");
    let twice = payload.replacen("\"decision\":\"pass\"", "\"decision\":\"blocked\",\"decision\":\"pass\"", 1);
    assert_eq!(step(gate(&signed_payload(twice.as_bytes(), &[1, 2]))), "statement");
    let blocked = Review { decision: "blocked".to_owned(), ..review() };
    assert_eq!(step(gate(&record(&blocked, &[1, 2]))), "decision");
}

#[test]
fn e08_the_key_of_the_pipeline_is_not_enough_and_nobody_counts_twice() {
    assert_eq!(step(gate(&record(&review(), &[1]))), "signers");
    assert_eq!(step(gate(&record(&review(), &[2, 3]))), "signers");
    assert_eq!(step(gate(&record(&review(), &[1, 4]))), "signers");
    let two = roots(&roots_json(HOLDERS, 2));
    let signed = |keys: &[u8]| step(admit(&record(&review(), keys), &two, &state(), &closure()));
    assert_eq!(signed(&[1, 2, 3]), "pass");
    assert_eq!(signed(&[1, 2]), "signers");
    assert_eq!(signed(&[1, 2, 2]), "signers");
    let one_person = [("ci", "gate", 1), ("alice", "reviewer", 2), ("alice", "reviewer", 3)];
    let two_keys = roots(&roots_json(&one_person, 2));
    assert_eq!(step(admit(&record(&review(), &[1, 2, 3]), &two_keys, &state(), &closure())), "signers");
    let two_roles = roots(&roots_json(&[("alice", "gate", 1), ("alice", "reviewer", 2)], 1));
    assert_eq!(step(admit(&record(&review(), &[1, 2]), &two_roles, &state(), &closure())), "signers");
    let environment = two.environment(Some("production")).expect("production");
    let why = open(&record(&review(), &[1, 2]), &two, environment).expect_err("refused").to_string();
    assert_eq!(
        why,
        "the record is signed by alice (reviewer), ci (gate); for `production` it takes 1 of gate and 2 of reviewer"
    );
}

#[test]
fn e09_another_plan_than_the_reviewed_one_is_refused() {
    const POLICY: &str = "version: 1\nepoch: 7\nconfigurations:\n  aws: {files: [\"*.tf\"], format: terraform}\n\
        checks:\n  - {check: exposed-ports, from: internet, services: [ssh]}\nnetworks: {internet: any}\n";
    let plan = |serial: &str| {
        let group = r#"{"id": "sg-1", "ingress": [{"protocol": "tcp", "from_port": 22, "to_port": 22, "cidr_blocks": ["10.0.0.0/8"]}]}"#;
        format!(
            r#"{{"format_version": "1.2", "timestamp": "{serial}", "resource_changes": [{{"address": "aws_security_group.web", "mode":
            "managed", "type": "aws_security_group", "name": "web", "change": {{"actions": ["no-op"], "before": {group}, "after":
            {group}, "after_unknown": {{}}}}}}]}}"#
        )
    };
    let site = Site::usual();
    site.write("p.yaml", POLICY.as_bytes());
    site.write("plan.json", plan("2026-11-20T08:00:00Z").as_bytes());
    site.write("other.json", plan("2026-11-20T09:00:00Z").as_bytes());
    let ran = site.sign(&["attest", "--plan", "@plan.json", "--policy", "@p.yaml"], "@1.pem", "1", &[]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.talk);
    let gate = |plan: &str| site.gate_to("production", &["--new-state", "--plan", plan]);
    let ran = gate("@other.json");
    let differs =
        "REFUSED portcullis::record::closure: these are not the files that were reviewed: plan.json differs\n";
    assert_eq!((ran.code, ran.out.as_str()), (1, differs));
    // A record of a plan is of no tree, and the other way round.
    assert_eq!(site.gate(&["--new-state"]).code, 3);
    let ran = gate("@plan.json");
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.talk);
}

#[test]
fn e10_a_file_that_is_changed_on_the_way_is_not_what_was_reviewed() {
    let site = Site::usual();
    assert_eq!(site.attest("1", &[]).code, 0);
    let path = site.repo.folder.path().join("fw/web.rules");
    let sed = fs::read_to_string(&path).expect("a file").replace("DROP", "ACCEPT");
    fs::write(&path, sed).expect("written");
    let ran = site.gate(&["--new-state"]);
    assert_eq!((ran.code, refusal(&ran.out)), (1, "REFUSED portcullis::record::closure"));
}

#[test]
fn e23_glass_that_was_broken_is_a_debt_that_a_review_has_to_settle() {
    let broken = |sequence: u64, hours: u64| {
        let break_glass =
            Some(BreakGlass { incident: "INC-1".to_owned(), reason: "customers cannot reach the API".to_owned() });
        let not_after = show_instant(NOW - 60 + hours * 3600);
        Review { break_glass, not_after, sequence, decision: "needs-approval".to_owned(), ..review() }
    };
    let trust = roots(&roots_json(HOLDERS, 1));
    let put = |review: &Review, keys: &[u8], state: &State| admit(&record(review, keys), &trust, state, &closure());
    // It takes its own key, holds for four hours, and is of these very files, here.
    assert_eq!(step(put(&broken(42, 4), &[1, 2], &state())), "signers");
    assert_eq!(step(put(&broken(42, 5), &[4], &state())), "break_glass");
    assert_eq!(step(admit(&record(&broken(42, 4), &[4]), &trust, &state(), &Closure::default())), "closure");
    let elsewhere = Review { environment: "staging".to_owned(), ..broken(42, 4) };
    assert_eq!(step(put(&elsewhere, &[4], &state())), "environment");
    assert_eq!(step(put(&Review { break_glass: None, ..broken(42, 4) }, &[4], &state())), "signers");
    let after = put(&broken(42, 4), &[4], &state()).expect("a pass").next;
    let debt = Debt { incident: "INC-1".to_owned(), closure: closure().digest(), sequence: 42, at: show_instant(NOW) };
    assert_eq!(after.debts, [debt]);
    assert_eq!(step(put(&broken(42, 4), &[4], &after)), "replayed");

    // Another state of the files has to say that the incident was reviewed with it, and to be from after it.
    let mut newer = Review { sequence: 43, time_verified: show_instant(NOW), ..review() };
    let mut files = Closure::default();
    files.add(b"edge/main.nft", false, b"newer");
    newer.files = Review::files_of(&files).expect("UTF-8");
    let next = |review: &Review| admit(&record(review, &[1, 2]), &trust, &after, &files);
    assert_eq!(step(next(&newer)), "debt");
    newer.settles = vec!["INC-2".to_owned()];
    assert_eq!(step(next(&newer)), "debt");
    newer.settles = vec!["INC-1".to_owned()];
    assert_eq!(step(next(&Review { time_verified: show_instant(NOW - 1), ..newer.clone() })), "debt");
    let settled = next(&newer).expect("a pass");
    assert_eq!((settled.next.debts, settled.settled), (Vec::new(), vec!["INC-1".to_owned()]));
    // A review of the very state that is in force.
    let same = put(&Review { sequence: 43, ..review() }, &[1, 2], &after).expect("a pass");
    assert_eq!((same.next.debts, same.settled), (Vec::new(), vec!["INC-1".to_owned()]));
    // In a second emergency there are two debts.
    let twice = put(&broken(43, 4), &[4], &after).expect("a pass");
    assert_eq!(twice.next.debts.len(), 2);
}

#[test]
fn e23_glass_is_broken_on_the_command_line_and_reviewed_afterwards() {
    let open = SHUT.replace("-s 198.51.100.0/24 ", "");
    let site = Site::new(
        &[("portcullis.yaml", POLICY), ("fw/web.rules", SHUT)],
        &[("portcullis.yaml", POLICY), ("fw/web.rules", &open)],
    );
    let glass = |more: &[&str]| {
        let command = ["break-glass", "--base", "HEAD~1", "--incident", "INC-1"];
        site.sign(&command, "@4.pem", "1", more)
    };
    assert_eq!(glass(&["--reason", "because"]).code, 2);
    assert_eq!(glass(&["--reason", "customers cannot reach the API", "--expires", "5h"]).code, 2);
    assert!(!site.path("record.json").exists());
    let ran = glass(&["--reason", "customers cannot reach the API"]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.talk);
    let ran = site.gate(&["--new-state"]);
    let says = "PASS production: 1 file without a review (INC-1: customers cannot reach the API), number 1, signed by olga \
        (break_glass)\nto be reviewed before anything else is put into force: INC-1\n";
    assert_eq!((ran.code, ran.out.as_str()), (0, says));
    // A harmless change on top.
    let head = site.repo.git.head().and_then(|head| head.peel_to_commit()).expect("a commit").id();
    let text = format!("# reviewed\n{open}");
    site.repo.commit(
        &[head],
        &[(b"portcullis.yaml", "100644", POLICY.as_bytes()), (b"fw/web.rules", "100644", text.as_bytes())],
    );
    site.repo.checkout();
    assert_eq!(site.attest("2", &[]).code, 0);
    let ran = site.gate(&[]);
    assert_eq!((ran.code, refusal(&ran.out)), (1, "REFUSED portcullis::record::debt"));
    assert_eq!(site.attest("3", &["--settles", "INC-1"]).code, 0);
    let ran = site.gate(&[]);
    let says = "PASS production: 1 file as reviewed, number 3, signed by ci (gate)\nreviewed now: INC-1\n";
    assert_eq!((ran.code, ran.out.as_str()), (0, says));
}

#[test]
fn e26_an_edited_shortened_or_reordered_log_is_found_out() {
    let log = log(4);
    let head = verify_log(&log).expect("in order").head();
    for at in 0..log.len() {
        for change in [1, 0x20] {
            let mut edited = log.clone();
            edited[at] ^= change;
            assert!(shows(&edited, &head), "byte {at} ^ {change:#x}");
        }
        // A log that lost its end, and one whose last line lost its end.
        assert_eq!(shows(&log[..at], &head), at != log.len() - 1, "cut at {at}");
    }
    let lines = lines(&log);
    for n in 0..lines.len() {
        let mut fewer = lines.clone();
        fewer.remove(n);
        assert!(shows(&fewer.concat(), &head), "without line {n}");
        for m in 0..n {
            let mut moved = lines.clone();
            moved.swap(n, m);
            assert!(shows(&moved.concat(), &head), "lines {m} and {n} swapped");
        }
        let mut doubled = lines.clone();
        doubled.insert(n, lines[n].clone());
        assert!(shows(&doubled.concat(), &head), "line {n} twice");
    }
    // Without a head that it had, a log that lost its end is one that has not gone on.
    assert!(verify_log(&lines[..2].concat()).is_ok());
}
