//! Roots of trust that take the place of others.

use crate::cli::{Ran, portcullis};
use crate::signed::{HOLDERS, Holder, pem, record, review, roots_json, signer};
use portcullis::record::{Envelope, PAYLOAD_TYPE, ROOTS_TYPE};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use tempfile::TempDir;

/// Alice, Bob and Olga may replace the roots, two of them together; Alice has two keys.
const ROOTS: &[Holder<'_>] = &[("alice", "root", 11), ("alice", "root", 12), ("bob", "root", 13), ("olga", "root", 14)];

fn with(roots: &[Holder<'_>], serial: u64, threshold: usize) -> Value {
    let mut json = roots_json(&[HOLDERS, roots].concat(), 1);
    json["serial"] = json!(serial);
    json["threshold"] = json!(threshold);
    json
}

fn envelope(payload_type: &str, payload: &Value, keys: &[u8]) -> Vec<u8> {
    let mut envelope = Envelope::new(payload_type, payload.to_string().as_bytes());
    for key in keys {
        envelope.sign(&signer(*key)).expect("signed");
    }
    envelope.to_bytes()
}

/// What becomes of the roots of a host that has these: the code, and whether they are others now.
fn accept(present: &Value, signed: &[u8]) -> (u8, bool) {
    let folder = TempDir::new().expect("a folder");
    let before = present.to_string();
    fs::write(folder.path().join("roots.json"), &before).expect("written");
    fs::write(folder.path().join("signed.json"), signed).expect("written");
    let ran = run(folder.path(), &["roots", "accept", "--roots", "roots.json", "--envelope", "signed.json"]);
    (ran.code, fs::read_to_string(folder.path().join("roots.json")).expect("roots") != before)
}

fn run(folder: &Path, arguments: &[&str]) -> Ran {
    portcullis(folder, &[], arguments)
}

const TAKEN: (u8, bool) = (0, true);
const REFUSED: (u8, bool) = (1, false);

#[test]
fn e08_roots_are_replaced_by_as_many_people_as_the_present_ones_say() {
    let (old, new) = (with(ROOTS, 5, 2), with(ROOTS, 6, 2));
    let by = |keys: &[u8]| accept(&old, &envelope(ROOTS_TYPE, &new, keys));
    assert_eq!(by(&[11, 13]), TAKEN);
    assert_eq!(by(&[12, 14]), TAKEN);
    assert_eq!(by(&[11, 12, 13, 14]), TAKEN);
    // One person twice, keys of other roles, nobody.
    for keys in [&[][..], &[11], &[11, 12], &[11, 11], &[1, 2, 3, 4], &[11, 2, 3], &[21, 22]] {
        assert_eq!(by(keys), REFUSED, "{keys:?}");
    }
    // One more signature never takes anything away, and one fewer never gives.
    for set in 0_u8..16 {
        let keys: Vec<u8> = (0..4).filter(|n| set >> n & 1 == 1).map(|n| 11 + n).collect();
        let people = [set & 3 != 0, set & 4 != 0, set & 8 != 0].iter().filter(|has| **has).count();
        assert_eq!(by(&keys), if people >= 2 { TAKEN } else { REFUSED }, "{keys:?}");
    }
}

#[test]
fn roots_are_newer_of_the_same_repository_and_signed_by_those_who_are_trusted_next() {
    let old = with(ROOTS, 5, 2);
    let of = |new: &Value, keys: &[u8]| accept(&old, &envelope(ROOTS_TYPE, new, keys));
    for serial in [0, 4, 5] {
        assert_eq!(of(&with(ROOTS, serial, 2), &[11, 13]), REFUSED, "{serial}");
    }
    // A host that was off while its roots expired takes the new ones all the same; those that it takes have to be in date.
    let mut late = with(ROOTS, 5, 2);
    late["expires"] = json!("2020-01-01T00:00:00Z");
    assert_eq!(accept(&late, &envelope(ROOTS_TYPE, &with(ROOTS, 6, 2), &[11, 13])), TAKEN);
    assert_eq!(accept(&late, &envelope(ROOTS_TYPE, &with(ROOTS, 6, 2), &[11])), REFUSED);
    assert_eq!(accept(&late, &envelope(ROOTS_TYPE, &with(ROOTS, 5, 2), &[11, 13])), REFUSED);
    let mut both = late.clone();
    both["serial"] = json!(6);
    assert_eq!(accept(&late, &envelope(ROOTS_TYPE, &both, &[11, 13])), REFUSED);
    let mut other = with(ROOTS, 6, 2);
    other["repository"] = json!("github.com/acme/other");
    assert_eq!(of(&other, &[11, 13]), REFUSED);
    let mut expired = with(ROOTS, 6, 2);
    expired["expires"] = json!("2020-01-01T00:00:00Z");
    assert_eq!(of(&expired, &[11, 13]), REFUSED);
    // Cid and Dan come instead of all the others: both the old and the new have to sign.
    let next: &[Holder<'_>] = &[("cid", "root", 15), ("dan", "root", 16)];
    assert_eq!(of(&with(next, 6, 2), &[11, 13]), REFUSED);
    assert_eq!(of(&with(next, 6, 2), &[15, 16]), REFUSED);
    assert_eq!(of(&with(next, 6, 2), &[11, 13, 15]), REFUSED);
    assert_eq!(of(&with(next, 6, 2), &[11, 13, 15, 16]), TAKEN);
    // Roots that nobody could ever replace are not taken, nor do present ones without a threshold give way.
    let mut none = with(ROOTS, 6, 2);
    none.as_object_mut().expect("a map").remove("threshold");
    assert_eq!(of(&none, &[11, 13]), REFUSED);
    none["serial"] = json!(5);
    assert_eq!(accept(&none, &envelope(ROOTS_TYPE, &with(ROOTS, 6, 2), &[11, 13])), REFUSED);
    // Whoever is revoked has no say.
    let mut revoked = with(ROOTS, 5, 2);
    revoked["revoked"] = json!({"keys": [], "people": ["bob"]});
    assert_eq!(accept(&revoked, &envelope(ROOTS_TYPE, &with(ROOTS, 6, 2), &[11, 13])), REFUSED);
    assert_eq!(accept(&revoked, &envelope(ROOTS_TYPE, &with(ROOTS, 6, 2), &[11, 14])), TAKEN);
    for threshold in [0, 4] {
        assert_eq!(
            accept(&with(ROOTS, 5, threshold), &envelope(ROOTS_TYPE, &with(ROOTS, 6, 2), &[11, 13, 14])),
            (2, false)
        );
    }
}

#[test]
fn a_record_is_no_roots_and_roots_are_no_record() {
    let (old, new) = (with(ROOTS, 5, 2), with(ROOTS, 6, 2));
    assert_eq!(accept(&old, &envelope(PAYLOAD_TYPE, &new, &[11, 13])), REFUSED);
    assert_eq!(accept(&old, &record(&review(), &[11, 13])), REFUSED);
    let signed = envelope(ROOTS_TYPE, &new, &[11, 13]);
    assert_eq!(accept(&old, &signed), TAKEN);
    // Every byte counts: of the payload, the type and the signatures.
    let mut taken = 0;
    for n in (0..signed.len()).step_by(7) {
        let mut flipped = signed.clone();
        flipped[n] ^= 1;
        // A hint about a key may be anything.
        taken += usize::from(accept(&old, &flipped) != REFUSED);
        assert_ne!(accept(&old, &signed[..n]), TAKEN, "cut at {n}");
    }
    assert_eq!(taken, 0);
}

#[test]
fn two_people_sign_and_a_host_accepts_on_the_command_line() {
    let folder = TempDir::new().expect("a folder");
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).expect("written");
    write("roots.json", &with(ROOTS, 5, 2).to_string());
    write("new.json", &with(ROOTS, 6, 2).to_string());
    for n in [11, 13] {
        write(&format!("{n}.pem"), &pem(n));
    }
    let sign = |key: &str| {
        run(folder.path(), &["roots", "sign", "--new", "new.json", "--key", key, "--envelope", "signed.json"]).code
    };
    let accept = || run(folder.path(), &["roots", "accept", "--roots", "roots.json", "--envelope", "signed.json"]);
    assert_eq!(accept().code, 3);
    assert_eq!(sign("11.pem"), 0);
    let one = accept();
    assert_eq!(
        (one.code, one.talk.lines().next()),
        (1, Some("error: alice of the present roots has signed, and 2 people have to"))
    );
    assert_eq!(sign("13.pem"), 0);
    let both = accept();
    assert_eq!(
        (both.code, both.out.as_str()),
        (0, "roots.json: the roots 6 have taken the place of 5\n"),
        "{}",
        both.talk
    );
    let read = |name: &str| fs::read(folder.path().join(name)).expect("a file");
    assert_eq!(read("roots.json"), read("new.json"));
    // Once more they are not newer; and other roots are not signed under old signatures.
    assert_eq!(accept().code, 1);
    write("new.json", &with(ROOTS, 7, 2).to_string());
    assert_eq!(sign("11.pem"), 1);
    write("new.json", "{}");
    assert_eq!(sign("11.pem"), 2);
}
