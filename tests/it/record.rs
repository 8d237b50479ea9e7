//! Records of reviews: envelopes as published, and nothing that was touched since it was signed.

use crate::signed::{
    HOLDERS, Holder, NOW, admit, closure, gate, line, pem, record, review, roots, roots_json, signed_payload, signer,
    state, step,
};
use crate::tools::every;
use base64ct::{Base64, Encoding as _};
use p256::ecdsa::signature::Verifier as _;
use portcullis::record::{Envelope, PAYLOAD_TYPE, PublicKey, Roots, Signer, digest, pae};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;
use std::process::{Command, Stdio};

/// protocol.md of github.com/secure-systems-lab/dsse: an ECDSA key signs the encoding, not the text.
#[test]
fn the_example_of_dsse_verifies_over_its_encoding_and_not_over_its_text() {
    let encoded = pae(b"http://example.com/HelloWorld", b"hello world");
    assert_eq!(encoded, b"DSSEv1 29 http://example.com/HelloWorld 11 hello world");
    let x = "67cd390f77aa359cb08c2235f652270493a9ed832b0abcc01f70954c0390d238";
    let y = "0c782bd54e269125a44f4433aff1432ce94e12bca73aa67ac80cea12608ddf74";
    let point: Vec<u8> = format!("04{x}{y}")
        .as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).expect("digits"), 16).expect("a byte"))
        .collect();
    let key = p256::ecdsa::VerifyingKey::from_sec1_bytes(&point).expect("a point");
    let sig = "A3JqsQGtVsJ2O2xqrI5IcnXip5GToJ3F+FnZ+O88SjtR6rDAajabZKciJTfUiHqJPcIAriEGAHTVeCUjW2JIZA==";
    let envelope = json!({"payload": "aGVsbG8gd29ybGQ=", "payloadType": "http://example.com/HelloWorld", "signatures": [{"sig": sig}]});
    let envelope: Envelope = serde_json::from_value(envelope).expect("an envelope");
    assert_eq!(envelope.signed_bytes().as_deref(), Some(encoded.as_slice()));
    let signature = p256::ecdsa::Signature::from_slice(&Base64::decode_vec(sig).expect("base64")).expect("a signature");
    assert!(key.verify(&encoded, &signature).is_ok());
    assert!(key.verify(b"hello world", &signature).is_err());
}

/// The keys of RFC 8032, section 7.1, tests 1 and 2, by which the vectors of DSSE are signed.
fn published() -> [PublicKey; 2] {
    [
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
    ]
    .map(|hex| {
        let bytes: Vec<u8> = (0..32).map(|n| u8::from_str_radix(&hex[2 * n..2 * n + 2], 16).expect("a byte")).collect();
        let key = ssh_key::public::Ed25519PublicKey(bytes.try_into().expect("32 bytes"));
        let line = ssh_key::PublicKey::new(ssh_key::public::KeyData::Ed25519(key), "").to_openssh().expect("a line");
        PublicKey::read(&line).expect("a key")
    })
}

/// testvectors/vectors.json of the same, with the number of unique trusted keys that have signed each.
#[test]
fn the_vectors_of_dsse_have_the_signers_that_they_say() {
    const STATEMENT: &str = "eyJfdHlwZSI6Imh0dHBzOi8vaW4tdG90by5pby9TdGF0ZW1lbnQvdjEifQ==";
    const A: &str = "2WAfaHm5jluo0w+0rk8uVkluELJYWjSmU9x7EUzx+AyteDGJ4/nqyJXfmAUVFIAoQafWm7AxBZNw5M9ixNHiCA==";
    const B: &str = "c1+67/aT0yqEpwx8PsVY3MLHsj9D0CZ014/Fv/QlG59P+9CobUZ7xECJ/V3USG0Ob9CiE5LjReEZUzNF2l7eBw==";
    let keys = published();
    let signers = |payload: &str, kind: &str, signatures: &[&str]| {
        let signatures: Vec<Value> = signatures.iter().map(|sig| json!({"sig": sig})).collect();
        let envelope = json!({"payload": payload, "payloadType": kind, "signatures": signatures});
        let envelope: Envelope = serde_json::from_value(envelope).expect("an envelope");
        envelope.signers(&keys).len()
    };
    assert_eq!(signers(STATEMENT, PAYLOAD_TYPE, &[A]), 1, "single-signature");
    let url_safe = "P-_KHICeR7tI6S_YyejJTRtrXhcQyQ2LYPaL8h90KjC9qN8HU_svOQ6TuDOT1HIrsGW886DbWNWcCmX5twLrAw==";
    assert_eq!(signers("-_-_Pj8=", PAYLOAD_TYPE, &[url_safe]), 1, "url-safe-base64");
    assert_eq!(signers(STATEMENT, "application/vnd.example.other+json", &[A]), 0, "payload-type-swapped");
    let wide = "xmSk/ug66ysT7ayhkCIjhAq42zgZXSsEWuzUaNL7w2eGAdF/NU6/fRXPtmfN+5DNSAs5/i2lUnHjbbjPsu0tAw==";
    assert_eq!(signers(STATEMENT, "application/vnd.exämple+json", &[wide]), 1, "non-ascii-payload-type");
    let empty = "gSggCAaTLTYyRH6FIDBem6meyIynsYy8RTHVzwx9tnTb7Bg/1jMWnuVgI/gffqmbsC2VX5/jHfkkDqsj7CDbDg==";
    assert_eq!(signers("", PAYLOAD_TYPE, &[empty]), 1, "empty-payload");
    assert_eq!(signers(STATEMENT, PAYLOAD_TYPE, &[A, B]), 2, "threshold-two-without-keyids");
    assert_eq!(signers(STATEMENT, PAYLOAD_TYPE, &[A, A]), 1, "threshold-two-one-key-twice");
}

#[test]
fn a_record_in_order_passes_and_a_reader_of_json_finds_the_statement_in_it() {
    let bytes = record(&review(), &[1, 2]);
    assert_eq!(step(gate(&bytes)), "pass");
    let envelope: Value = serde_json::from_slice(&bytes).expect("JSON");
    let payload = Base64::decode_vec(envelope["payload"].as_str().expect("a text")).expect("base64");
    let statement: Value = serde_json::from_slice(&payload).expect("JSON");
    assert_eq!(statement["_type"], "https://in-toto.io/Statement/v1");
    assert_eq!(statement["predicateType"], "https://portcullis.dev/attestation/change-review/v1");
    assert_eq!(statement["subject"][0], json!({"name": "closure", "digest": {"sha256": closure().digest()}}));
    assert_eq!(statement["subject"][2], json!({"name": "commit", "digest": {"gitCommit": "b".repeat(40)}}));
    assert_eq!(statement["predicate"]["policy"]["epoch"], 7);
}

/// The record needs both of its signatures, so whatever is touched has to close the gate.
#[test]
#[expect(clippy::print_stdout, reason = "a figure to publish")]
fn a_record_of_which_any_byte_is_another_is_refused() {
    let bytes = record(&review(), &[1, 2]);
    let mut tried = 0;
    for at in 0..bytes.len() {
        let (before, after) = bytes.split_at(at);
        let other = |change: u8| [before, &[after[0] ^ change], &after[1..]].concat();
        let mutants = [
            ("another lowest bit", other(1)),
            ("another case", other(0x20)),
            ("another highest bit", other(0x80)),
            ("none", [before, &after[1..]].concat()),
            ("a blank before it", [before, b" ", after].concat()),
            ("the end", before.to_vec()),
        ];
        for (what, mutant) in mutants.iter().skip(at % every(3)).step_by(every(3)) {
            assert_ne!(step(gate(mutant)), "pass", "byte {at}: {what}");
            tried += 1;
        }
    }
    println!("{tried} mutants of {} bytes, none accepted", bytes.len());
}

/// The members of every object in a JSON text: from the quote before a key to the end of its value.
fn members(text: &str) -> Vec<std::ops::Range<usize>> {
    let bytes = text.as_bytes();
    let end_of_string = |start: usize| {
        let mut at = start + 1;
        while bytes[at] != b'"' {
            at += if bytes[at] == b'\\' { 2 } else { 1 };
        }
        at + 1
    };
    let end_of_value = |start: usize| {
        let (mut at, mut depth) = (start, 0);
        loop {
            match bytes[at] {
                b'"' => at = end_of_string(at) - 1,
                b'{' | b'[' => depth += 1,
                b'}' | b']' if depth == 0 => return at,
                b'}' | b']' => depth -= 1,
                b',' if depth == 0 => return at,
                _ => {}
            }
            at += 1;
        }
    };
    let (mut at, mut found) = (0, Vec::new());
    while at < bytes.len() {
        if bytes[at] == b'"' {
            let end = end_of_string(at);
            if bytes.get(end) == Some(&b':') {
                found.push(at..end_of_value(end + 1));
            }
            at = end;
        } else {
            at += 1;
        }
    }
    found
}

/// The text without a member, and a comma less.
fn without(text: &str, member: &std::ops::Range<usize>) -> String {
    let (before, after) = (&text[..member.start], &text[member.end..]);
    match after.strip_prefix(',') {
        Some(after) => format!("{before}{after}"),
        None => format!("{}{after}", before.strip_suffix(',').unwrap_or(before)),
    }
}

/// Even when the keys that are trusted sign it: one of them may have been stolen, or another program have one.
#[test]
fn a_statement_of_which_a_field_is_missing_or_there_twice_is_refused() {
    let mut review = review();
    review.feeds = vec![portcullis::record::Feed { path: "f.json".to_owned(), sha256: digest(b"f"), made: None }];
    let payload = String::from_utf8(review.to_payload()).expect("UTF-8");
    assert_eq!(step(gate(&signed_payload(payload.as_bytes(), &[1, 2]))), "pass");
    let members = members(&payload);
    assert!(members.len() > 50, "{}", members.len());
    for member in &members {
        let field = &payload[member.clone()];
        let mut wrong = vec![without(&payload, member)];
        let (before, after) = payload.split_at(member.end);
        wrong.push(format!("{before},{field}{after}"));
        let (before, after) = payload.split_at(member.start);
        wrong.push(format!("{before}\"other\":0,{after}"));
        wrong.push(format!("{before} {after}"));
        for payload in wrong {
            let step = step(gate(&signed_payload(payload.as_bytes(), &[1, 2])));
            assert!(step == "statement" || step == "statement_type", "{step}: {field}");
        }
    }
}

#[test]
fn an_envelope_of_which_a_field_is_missing_or_there_twice_is_refused() {
    let text = String::from_utf8(record(&review(), &[1, 2])).expect("UTF-8");
    let members = members(&text);
    assert_eq!(members.len(), 7);
    for member in &members {
        let (before, after) = text.split_at(member.end);
        for wrong in [without(&text, member), format!("{before},{}{after}", &text[member.clone()])] {
            assert_eq!(step(gate(wrong.as_bytes())), "malformed", "{}", &text[member.clone()]);
        }
    }
    let unsigned = Envelope::new(PAYLOAD_TYPE, &review().to_payload()).to_bytes();
    assert_eq!(step(gate(&unsigned)), "unsigned");
    let pretty = serde_json::to_vec_pretty(&serde_json::from_str::<Value>(&text).expect("JSON")).expect("JSON");
    assert_eq!(step(gate(&pretty)), "malformed");
    assert_eq!(step(gate(&record(&review(), &[[1; 32], [2; 32]].concat()))), "pass");
    assert_eq!(step(gate(&record(&review(), &[[1; 33], [2; 33]].concat()))), "malformed");
    let huge = vec![b' '; 16 * 1024 * 1024 + 1];
    assert_eq!(step(gate(&huge)), "too_large");
}

#[test]
fn keys_that_are_swapped_or_named_for_one_another_do_not_count() {
    let bytes = record(&review(), &[1, 2]);
    let swapped = |a: &str, b: &str| {
        let text = String::from_utf8(bytes.clone()).expect("UTF-8");
        text.replace(a, "\0").replace(b, a).replace('\0', b).into_bytes()
    };
    let id = |n| PublicKey::read(&line(n)).expect("a key").id();
    assert_eq!(step(gate(&swapped(&id(1), &id(2)))), "unsigned");
    assert_eq!(step(gate(&record(&review(), &[5, 6]))), "unsigned");
    assert_eq!(step(gate(&record(&review(), &[1, 5]))), "signers");
    let same = json!([["ci", "gate", 2], ["alice", "reviewer", 1]]);
    let holders: Vec<(String, String, u8)> = serde_json::from_value(same).expect("holders");
    let holders: Vec<Holder<'_>> = holders.iter().map(|(who, role, n)| (who.as_str(), role.as_str(), *n)).collect();
    assert_eq!(step(admit(&bytes, &roots(&roots_json(&holders, 1)), &state(), &closure())), "pass");
    let other = [("ci", "gate", 3), ("alice", "reviewer", 2)];
    assert_eq!(step(admit(&bytes, &roots(&roots_json(&other, 1)), &state(), &closure())), "signers");
}

/// Every set of signatures under every set of roots, against a count of its own.
#[test]
fn nothing_that_is_taken_away_opens_the_gate() {
    let all: &[Holder<'_>] = &[
        ("ci", "gate", 1),
        ("alice", "reviewer", 2),
        ("alice", "reviewer", 3),
        ("bob", "reviewer", 4),
        ("bob", "gate", 5),
    ];
    let subsets = 1_usize << all.len();
    let chosen =
        |set: usize| all.iter().enumerate().filter(move |(n, _)| set & (1 << n) != 0).map(|(_, holder)| *holder);
    let records: Vec<Vec<u8>> =
        (0..subsets).map(|set| record(&review(), &chosen(set).map(|(_, _, n)| n).collect::<Vec<_>>())).collect();
    let row = |trusted: usize| -> Vec<bool> {
        if trusted == 0 {
            // Roots of trust without a key are none.
            return vec![false; subsets];
        }
        let roots = roots(&roots_json(&chosen(trusted).collect::<Vec<_>>(), 2));
        let passes = |(signed, record): (usize, &Vec<u8>)| {
            let pass = step(admit(record, &roots, &state(), &closure())) == "pass";
            let counted: Vec<Holder<'_>> = chosen(signed & trusted).collect();
            let people = |role| counted.iter().filter(|h| h.1 == role).map(|h| h.0).collect::<BTreeSet<_>>();
            // Two reviewers are alice and bob, so that only ci is left for the gate.
            let expected = people("reviewer").len() == 2 && people("gate").contains("ci");
            assert_eq!(pass, expected, "signed {signed:b}, trusted {trusted:b}");
            pass
        };
        records.iter().enumerate().map(passes).collect()
    };
    let passed: Vec<Vec<bool>> = (0..subsets).map(row).collect();
    for (trusted, row) in passed.iter().enumerate() {
        for (signed, pass) in row.iter().enumerate().filter(|(_, pass)| !**pass) {
            for bit in (0..all.len()).map(|n| 1 << n) {
                assert!(
                    !passed[trusted & !bit][signed] && !passed[trusted][signed & !bit],
                    "{pass} {trusted:b} {signed:b}"
                );
            }
        }
    }
}

#[test]
fn roots_of_trust_are_read_strictly() {
    let good = roots_json(HOLDERS, 1);
    let read = |json: &Value| Roots::read(json.to_string().as_bytes(), NOW).map(|_| ()).map_err(|why| why.to_string());
    assert_eq!(read(&good), Ok(()));
    for key in good.as_object().expect("an object").keys() {
        let mut wrong = good.clone();
        wrong.as_object_mut().expect("an object").remove(key);
        assert!(read(&wrong).is_err(), "without {key}");
    }
    let refused = |change: &dyn Fn(&mut Value)| {
        let mut wrong = good.clone();
        change(&mut wrong);
        let why = read(&wrong).expect_err("refused");
        why.strip_prefix("the roots of trust cannot be used: ").unwrap_or(&why).to_owned()
    };
    assert_eq!(refused(&|r| r["version"] = json!(2)), "they are of version 2, and this program knows version 1");
    assert_eq!(
        refused(&|r| r["expires"] = json!("2027-01-15T08:00:00Z")),
        "the roots of trust have expired at 2027-01-15T08:00:00Z"
    );
    assert_eq!(refused(&|r| r["expires"] = json!("never")), "`never` is not an instant such as 2027-01-01T00:00:00Z");
    assert_eq!(
        refused(&|r| r["keys"][1]["key"] = r["keys"][0]["key"].clone()),
        format!("the key {} is there twice, for ci and alice", PublicKey::read(&line(1)).expect("a key").id())
    );
    assert_eq!(
        refused(&|r| r["tiers"][0]["gate"] = json!(0)),
        "the tier `critical` asks for no signature: `gate` and `breakGlass` are 1 at least"
    );
    assert_eq!(
        refused(&|r| r["environments"][1]["name"] = json!("production")),
        "the environment `production` is there twice"
    );
    assert_eq!(
        refused(&|r| r["environments"][1]["tier"] = json!("x")),
        "the environment `staging` has the tier `x`, which is not there"
    );
    assert_eq!(
        refused(&|r| r["targetRef"] = json!("main")),
        "the repository has to be named, and the branch in full: refs/heads/main"
    );
    assert!(
        refused(&|r| r["keys"][0]["key"] = json!("ssh-ed25519 AAAA"))
            .starts_with("`ssh-ed25519 AAAA` is not a public key")
    );
    assert!(refused(&|r| r["keys"][0]["role"] = json!("admin")).starts_with("unknown variant `admin`"));
    assert!(refused(&|r| r["other"] = json!(1)).starts_with("unknown field `other`"));
    let twice = good.to_string().replacen("{", "{\"serial\":1,", 1);
    assert!(Roots::read(twice.as_bytes(), NOW).is_err());
    // The point of small order by which anything is signed.
    let weak = ssh_key::public::Ed25519PublicKey(std::array::from_fn(|n| u8::from(n == 0)));
    let weak = ssh_key::PublicKey::new(ssh_key::public::KeyData::Ed25519(weak), "").to_openssh().expect("a line");
    assert!(
        PublicKey::read(&weak)
            .expect_err("refused")
            .to_string()
            .ends_with("it is a weak key, by which anything is signed")
    );
}

/// The digest is that of the sentence that defines it, computed here once more.
#[test]
fn the_digest_of_a_closure_is_of_paths_modes_and_contents() {
    use sha2::{Digest as _, Sha256};
    let mut closure = portcullis::record::Closure::default();
    closure.add(b"b", true, b"2");
    closure.add(b"a/c", false, b"1");
    let mut all = b"portcullis-closure-v1\0".to_vec();
    for (path, mode, text) in [(&b"a/c"[..], 0o100_644_u32, &b"1"[..]), (b"b", 0o100_755, b"2")] {
        all.extend((path.len() as u64).to_be_bytes());
        all.extend(path);
        all.extend(mode.to_be_bytes());
        all.extend(Sha256::digest(text));
    }
    assert_eq!(closure.digest(), digest(&all));
    let mut other = portcullis::record::Closure::default();
    other.add(b"b", false, b"2");
    other.add(b"d", false, b"1");
    assert_eq!(closure.differences(&other), ["a/c is missing", "b has the mode 100644 and had 100755", "d is extra"]);
}

#[test]
fn private_keys_are_read_in_both_forms_and_others_are_refused_with_a_sentence() {
    assert_eq!(Signer::read(&pem(1)).expect("a key").public(), &PublicKey::read(&line(1)).expect("a key"));
    assert!(
        Signer::read("hello")
            .expect_err("refused")
            .to_string()
            .starts_with("this is not a private key that can be used")
    );
}

fn keygen(arguments: &[&str], input: Option<&[u8]>) -> Option<std::process::Output> {
    use std::io::Write as _;
    let stdin = if input.is_some() { Stdio::piped() } else { Stdio::null() };
    let child =
        Command::new("ssh-keygen").args(arguments).stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = child.ok()?;
    if let (Some(mut stdin), Some(input)) = (child.stdin.take(), input) {
        stdin.write_all(input).expect("written");
    }
    child.wait_with_output().ok()
}

/// OpenSSH is the judge: what it signs counts here, and what is signed here counts there.
#[test]
#[expect(clippy::print_stderr, reason = "a test that could not be run says so")]
fn ssh_keygen_and_this_program_accept_the_signatures_of_one_another() {
    let folder = tempfile::TempDir::new().expect("a folder");
    let at = |name: &str| folder.path().join(name).display().to_string();
    let Some(made) = keygen(&["-q", "-t", "ed25519", "-N", "", "-C", "alice", "-f", &at("id")], None) else {
        eprintln!("SKIPPED: ssh-keygen is not installed, so its signatures are not tried");
        return;
    };
    assert!(made.status.success(), "{made:?}");
    let text = |name: &str| fs::read_to_string(at(name)).expect("a file");
    let mut envelope = Envelope::read(&record(&review(), &[1])).expect("a record");
    fs::write(at("signed"), envelope.signed_bytes().expect("base64")).expect("written");
    assert!(
        keygen(&["-Y", "sign", "-q", "-n", "portcullis", "-f", &at("id"), &at("signed")], None)
            .expect("run")
            .status
            .success()
    );
    let key = envelope.add(text("signed.sig").as_bytes()).expect("a signature");
    assert_eq!(key, PublicKey::read(&text("id.pub")).expect("a key"));
    let mut roots = roots_json(HOLDERS, 1);
    roots["keys"][1]["key"] = json!(text("id.pub").trim());
    let roots = self::roots(&roots);
    assert_eq!(step(admit(&envelope.to_bytes(), &roots, &state(), &closure())), "pass");

    // Any byte of an SSH signature is as fixed as one of another.
    let signed = envelope.to_bytes();
    for at in 0..signed.len() {
        let mut touched = signed.clone();
        touched[at] ^= 1;
        assert_ne!(step(admit(&touched, &roots, &state(), &closure())), "pass", "byte {at}");
    }

    // For another purpose, and over the text alone.
    for (namespace, bytes) in [("file", envelope.signed_bytes()), ("portcullis", envelope.payload())] {
        fs::remove_file(at("signed.sig")).expect("removed");
        fs::write(at("signed"), bytes.expect("base64")).expect("written");
        assert!(
            keygen(&["-Y", "sign", "-q", "-n", namespace, "-f", &at("id"), &at("signed")], None)
                .expect("run")
                .status
                .success()
        );
        let why = envelope.clone().add(text("signed.sig").as_bytes()).expect_err("refused").to_string();
        assert!(why.ends_with("is not over the bytes of this record, or not for `portcullis`"), "{why}");
    }

    // The other way round.
    let mut envelope = Envelope::new(PAYLOAD_TYPE, &review().to_payload());
    envelope.sign(&Signer::read(&text("id")).expect("a key")).expect("signed");
    fs::write(at("made.sig"), Base64::decode_vec(&envelope.signatures()[0].sig).expect("base64")).expect("written");
    fs::write(at("allowed"), format!("alice {}", text("id.pub"))).expect("written");
    let bytes = envelope.signed_bytes().expect("base64");
    let verify = ["-Y", "verify", "-n", "portcullis", "-I", "alice", "-f", &at("allowed"), "-s", &at("made.sig")];
    assert!(keygen(&verify, Some(&bytes)).expect("run").status.success());
    assert!(!keygen(&verify, Some(b"something else")).expect("run").status.success());

    // A key that a passphrase protects is not asked for it.
    assert!(keygen(&["-q", "-t", "ed25519", "-N", "secret", "-f", &at("locked")], None).expect("run").status.success());
    assert_eq!(
        Signer::read(&text("locked")).expect_err("refused").to_string(),
        "this is not a private key that can be used: a passphrase protects it"
    );
    assert_eq!(signer(1).public().id().len(), 50);
}

/// PROTOCOL.u2f of OpenSSH: a security key signs what it is for, whether it was touched, and how often it has signed.
#[test]
fn a_security_key_counts_if_it_was_touched() {
    use ed25519_dalek::Signer as _;
    use sha2::{Digest as _, Sha256};
    use ssh_key::public::{Ed25519PublicKey, KeyData, SkEd25519};
    use ssh_key::{Algorithm, HashAlg, LineEnding, Signature, SshSig};
    let secret = ed25519_dalek::SigningKey::from_bytes(&[9; 32]);
    let public = KeyData::SkEd25519(SkEd25519::new(Ed25519PublicKey(secret.verifying_key().to_bytes()), "ssh:"));
    let signed = |envelope: &Envelope, flags: u8| {
        let bytes = envelope.signed_bytes().expect("base64");
        let message = SshSig::signed_data("portcullis", HashAlg::Sha512, &bytes).expect("bytes");
        let tail = [&[flags][..], &7_u32.to_be_bytes()].concat();
        let whole = [&Sha256::digest("ssh:")[..], &tail, &Sha256::digest(message)].concat();
        let signature = [&secret.sign(&whole).to_bytes()[..], &tail].concat();
        let signature = Signature::new(Algorithm::SkEd25519, signature).expect("a signature");
        let signature = SshSig::new(public.clone(), "portcullis", HashAlg::Sha512, signature).expect("a signature");
        signature.to_pem(LineEnding::LF).expect("PEM")
    };
    let mut envelope = Envelope::read(&record(&review(), &[1])).expect("a record");
    assert!(envelope.add(signed(&envelope, 0).as_bytes()).is_err());
    let key = envelope.add(signed(&envelope, 1).as_bytes()).expect("a signature");
    let mut roots = roots_json(HOLDERS, 1);
    roots["keys"][1]["key"] = json!(ssh_key::PublicKey::new(public, "").to_openssh().expect("a line"));
    let trust = self::roots(&roots);
    assert_eq!(trust.keys[1].key, key);
    assert_eq!(step(admit(&envelope.to_bytes(), &trust, &state(), &closure())), "pass");
    // The same secret without the key around it is another key.
    assert_eq!(step(admit(&record(&review(), &[1, 9]), &trust, &state(), &closure())), "signers");
}

#[test]
fn the_roots_of_trust_that_help_shows_can_be_read() {
    let help = crate::cli::portcullis(std::path::Path::new("."), &[], &["gate", "--help"]).out;
    let start = help.find("{\"version\"").expect("roots of trust");
    let end = start + help[start..].find("}}").expect("their end") + 2;
    let mut shown = help[start..end].to_owned();
    for (n, key) in [(1, "ssh-ed25519 AAAA…"), (2, "ssh-ed25519 AAAA…"), (3, "sk-ssh-ed25519@openssh.com AAAA…")]
    {
        shown = shown.replacen(key, &line(n), 1);
    }
    let roots = Roots::read(shown.as_bytes(), NOW).expect("roots of trust");
    assert_eq!(roots.environment(None).expect("one").name, "production");
}
