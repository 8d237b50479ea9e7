//! Keys, records and hosts for the tests of the gate.

use crate::cli::{Ran, portcullis};
use crate::repo::{Item, Repo};
use ed25519_dalek::SigningKey;
use ed25519_dalek::pkcs8::EncodePrivateKey as _;
use portcullis::facts::show_instant;
use portcullis::record::{
    Admission, Artifact, Closure, DifferenceDigest, Envelope, PAYLOAD_TYPE, PolicyText, Refusal, Review, Roots, Signer,
    State, Tool, digest, open,
};
use serde_json::json;
use ssh_key::public::{Ed25519PublicKey, KeyData};
use std::fs;
use std::path::PathBuf;
use tempfile::TempDir;

/// When the records of these tests are judged.
pub(crate) const NOW: u64 = 1_800_000_000;
pub(crate) const REPOSITORY: &str = "github.com/acme/network";

/// The `n`th key, as PKCS#8.
pub(crate) fn pem(n: u8) -> String {
    SigningKey::from_bytes(&[n; 32]).to_pkcs8_pem(Default::default()).expect("a key").to_string()
}

pub(crate) fn signer(n: u8) -> Signer {
    Signer::read(&pem(n)).expect("a key")
}

/// The public half of the `n`th key, as OpenSSH has it.
pub(crate) fn line(n: u8) -> String {
    let key = KeyData::Ed25519(Ed25519PublicKey(SigningKey::from_bytes(&[n; 32]).verifying_key().to_bytes()));
    ssh_key::PublicKey::new(key, "").to_openssh().expect("a line")
}

/// Who has which key, and as what.
pub(crate) type Holder<'a> = (&'a str, &'a str, u8);

/// The usual ones.
pub(crate) const HOLDERS: &[Holder<'_>] =
    &[("ci", "gate", 1), ("alice", "reviewer", 2), ("bob", "reviewer", 3), ("olga", "break_glass", 4)];

/// Roots of trust as JSON, in which `critical` takes a pipeline and so many reviewers.
pub(crate) fn roots_json(holders: &[Holder<'_>], reviewers: usize) -> serde_json::Value {
    let keys: Vec<_> =
        holders.iter().map(|(who, role, n)| json!({"person": who, "role": role, "key": line(*n)})).collect();
    json!({
        "version": 1, "serial": 5, "expires": "2099-01-01T00:00:00Z",
        "repository": REPOSITORY, "targetRef": "refs/heads/main", "keys": keys,
        "tiers": [{"name": "critical", "gate": 1, "reviewer": reviewers, "breakGlass": 1}],
        "environments": [
            {"name": "production", "tier": "critical", "minEpoch": 7},
            {"name": "staging", "tier": "critical", "minEpoch": 0},
        ],
        "revoked": {"keys": [], "people": []},
    })
}

pub(crate) fn roots(json: &serde_json::Value) -> Roots {
    Roots::read(json.to_string().as_bytes(), NOW).expect("roots of trust")
}

/// The files that are reviewed.
pub(crate) fn closure() -> Closure {
    let mut closure = Closure::default();
    closure.add(b"edge/main.nft", false, b"table inet filter {}\n");
    closure.add(b"edge/rules.d/10-a.nft", false, b"add rule inet filter input accept\n");
    closure
}

/// A review of those files that passes everywhere it should.
pub(crate) fn review() -> Review {
    let text = "version: 1\n".to_owned();
    Review {
        repository: REPOSITORY.to_owned(),
        target_ref: "refs/heads/main".to_owned(),
        environment: "production".to_owned(),
        base_commit: Some("a".repeat(40)),
        head_commit: Some("b".repeat(40)),
        merge_tree: Some("c".repeat(40)),
        policy: PolicyText { path: "portcullis.yaml".to_owned(), epoch: 7, sha256: digest(text.as_bytes()), text },
        tool: Tool { name: "portcullis".to_owned(), version: "0.1.0".to_owned() },
        decision: "pass".to_owned(),
        report_sha256: digest(b"report"),
        difference: DifferenceDigest { sha256: digest(b"difference"), ..DifferenceDigest::default() },
        waivers: vec!["W-1".to_owned()],
        approvals: vec!["alice".to_owned()],
        feeds: Vec::new(),
        artifact: Artifact::Tree,
        files: Review::files_of(&closure()).expect("UTF-8"),
        break_glass: None,
        settles: Vec::new(),
        sequence: 42,
        time_verified: show_instant(NOW - 60),
        not_after: show_instant(NOW + 86400),
        audit_head: None,
    }
}

/// A record of some payload, signed by some keys.
pub(crate) fn signed_payload(payload: &[u8], keys: &[u8]) -> Vec<u8> {
    let mut envelope = Envelope::new(PAYLOAD_TYPE, payload);
    for key in keys {
        envelope.sign(&signer(*key)).expect("signed");
    }
    envelope.to_bytes()
}

/// A record of a review, signed by some keys.
pub(crate) fn record(review: &Review, keys: &[u8]) -> Vec<u8> {
    signed_payload(&review.to_payload(), keys)
}

pub(crate) fn state() -> State {
    State { sequence: 41, epoch: 7, ..State::new(REPOSITORY, "production", NOW) }
}

/// Puts a record through the gate of production.
pub(crate) fn admit(record: &[u8], roots: &Roots, state: &State, closure: &Closure) -> Result<Admission, Refusal> {
    let environment = roots.environment(Some("production")).expect("production");
    open(record, roots, environment)?.admit(closure, roots, state, NOW)
}

/// The same with everything else as usual: one reviewer.
pub(crate) fn gate(record: &[u8]) -> Result<Admission, Refusal> {
    admit(record, &roots(&roots_json(HOLDERS, 1)), &state(), &closure())
}

/// The id of the step at which a record is refused.
pub(crate) fn step(refused: Result<Admission, Refusal>) -> String {
    match refused {
        Ok(_) => "pass".to_owned(),
        Err(why) => miette::Diagnostic::code(&why).expect("an id").to_string().replace("portcullis::record::", ""),
    }
}

pub(crate) const POLICY: &str =
    "version: 1\nepoch: 7\nextends: [baseline]\nconfigurations:\n  web: {files: [\"fw/*.rules\"], each: true}\n";
pub(crate) const SHUT: &str = "*filter\n:INPUT DROP [0:0]\n:FORWARD DROP [0:0]\n:OUTPUT ACCEPT [0:0]\n\
    -A INPUT -s 198.51.100.0/24 -p tcp -m tcp --dport 22 -j ACCEPT\nCOMMIT\n";

/// A repository with a change on top of its first commit, and a host beside it with roots of trust and keys.
pub(crate) struct Site {
    pub(crate) repo: Repo,
    pub(crate) host: TempDir,
}

impl Site {
    /// With those files before and after the change.
    pub(crate) fn new(base: &[(&str, &str)], head: &[(&str, &str)]) -> Self {
        let repo = Repo::new();
        fn items<'a>(files: &'a [(&str, &str)]) -> Vec<Item<'a>> {
            files.iter().map(|(path, text)| (path.as_bytes(), "100644", text.as_bytes())).collect()
        }
        let first = repo.commit(&[], &items(base));
        repo.commit(&[first], &items(head));
        repo.checkout();
        let host = TempDir::new().expect("a folder");
        let site = Self { repo, host };
        site.write("roots.json", roots_json(HOLDERS, 0).to_string().as_bytes());
        for n in 1..=4 {
            site.write(&format!("{n}.pem"), pem(n).as_bytes());
        }
        site
    }

    /// Of one host, in which a comment is added.
    pub(crate) fn usual() -> Self {
        let after: &'static str = Box::leak(format!("# reviewed\n{SHUT}").into_boxed_str());
        Self::new(
            &[("portcullis.yaml", POLICY), ("fw/web.rules", SHUT)],
            &[("portcullis.yaml", POLICY), ("fw/web.rules", after)],
        )
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.host.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, bytes: &[u8]) {
        fs::write(self.path(name), bytes).expect("written");
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        let at = |name: &str| self.path(name).display().to_string();
        let given: Vec<String> =
            arguments.iter().map(|text| text.strip_prefix('@').map_or_else(|| (*text).to_owned(), at)).collect();
        let given: Vec<&str> = given.iter().map(String::as_str).collect();
        portcullis(self.repo.folder.path(), &[("USER", "jo"), ("HOSTNAME", "edge1")], &given)
    }

    /// Attests the change with the number `n` into `record.json`.
    pub(crate) fn attest(&self, n: &str, more: &[&str]) -> Ran {
        self.sign(&["attest", "--base", "HEAD~1"], "@1.pem", n, more)
    }

    /// Signs with a key what a command names, with the number `n`, into `record.json`.
    pub(crate) fn sign(&self, command: &[&str], key: &str, n: &str, more: &[&str]) -> Ran {
        let usual = [
            "--repository",
            REPOSITORY,
            "--target-ref",
            "refs/heads/main",
            "--environment",
            "production",
            "--key",
            key,
            "--record",
            "@record.json",
            "--sequence",
            n,
        ];
        self.run(&[command, &usual, more].concat())
    }

    /// Puts `record.json` through the gate, with the work tree.
    pub(crate) fn gate(&self, more: &[&str]) -> Ran {
        self.gate_to("production", &[&["--tree", "."], more].concat())
    }

    /// Puts `record.json` through the gate of an environment.
    pub(crate) fn gate_to(&self, environment: &str, more: &[&str]) -> Ran {
        let usual = [
            "gate",
            "--record",
            "@record.json",
            "--roots",
            "@roots.json",
            "--state",
            "@state.json",
            "--environment",
            environment,
        ];
        self.run(&[&usual, more].concat())
    }
}

/// What the first line of a run says, without what is said behind the id.
pub(crate) fn refusal(out: &str) -> &str {
    out.split(": ").next().unwrap_or_default()
}
