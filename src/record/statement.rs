use super::closure::{Closure, ClosureFile};
use super::error::Refusal;
use crate::facts::{seconds, show_instant};
use crate::text::hex;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

const STATEMENT_TYPE: &str = "https://in-toto.io/Statement/v1";
const CLOSURE: &str = "closure";
/// What a record of a review says of itself.
pub const REVIEW_TYPE: &str = "https://portcullis.dev/attestation/change-review/v1";
/// What a record says of itself that stands in for a review in an emergency.
pub const BREAK_GLASS_TYPE: &str = "https://portcullis.dev/attestation/break-glass/v1";
/// How long what stands in for a review may hold, in seconds.
pub const BREAK_GLASS_LIMIT: u64 = 4 * 3600;

/// What was reviewed, and by what: the predicate of a record. Everything in it is always there; what is not known is null.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Review {
    /// The repository, as the roots of trust call it.
    pub repository: String,
    /// The branch that the change was reviewed for: `refs/heads/main`.
    pub target_ref: String,
    /// Where it may be put into force.
    pub environment: String,
    /// The commit that was in force.
    pub base_commit: Option<String>,
    /// The commit that was proposed.
    pub head_commit: Option<String>,
    /// The tree that was judged: what merging gives.
    pub merge_tree: Option<String>,
    /// The policy that it was held against.
    pub policy: PolicyText,
    /// What judged.
    pub tool: Tool,
    /// The decision: `pass`, unless it stands in for a review.
    pub decision: String,
    /// The SHA-256 of the report as `--output json` prints it.
    pub report_sha256: String,
    /// What the change does.
    pub difference: DifferenceDigest,
    /// The waivers that were used.
    pub waivers: Vec<String>,
    /// Who approved, as far as it counts.
    pub approvals: Vec<String>,
    /// The published lists that the policy refers to.
    pub feeds: Vec<Feed>,
    /// What the closure is of.
    pub artifact: Artifact,
    /// The files of the closure, sorted by path.
    pub files: Vec<ReviewedFile>,
    /// The emergency that it stands in for a review in.
    pub break_glass: Option<BreakGlass>,
    /// The emergencies whose changes were reviewed with it.
    pub settles: Vec<String>,
    /// Grows with every record of an environment; none is put into force twice, and no earlier one after a later one.
    pub sequence: u64,
    /// When it was judged.
    pub time_verified: String,
    /// When it ceases to hold.
    pub not_after: String,
    /// The head of the audit log when it was made.
    pub audit_head: Option<String>,
}

/// A policy, whole: the files of a configuration can be found by it where it is put into force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyText {
    /// Its path.
    pub path: String,
    /// Its generation.
    pub epoch: u64,
    /// The SHA-256 of its text.
    pub sha256: String,
    /// Its text.
    pub text: String,
}

/// A program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tool {
    /// What it is called.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// What a change does, in numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct DifferenceDigest {
    /// The SHA-256 of what the report says of the configurations.
    pub sha256: String,
    /// Newly allowed flows.
    pub newly_allowed: u64,
    /// Newly denied flows.
    pub newly_denied: u64,
    /// Objects that are new.
    pub added: u64,
    /// Objects that are gone.
    pub removed: u64,
    /// Objects that differ.
    pub modified: u64,
}

/// A published list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Feed {
    /// Its path.
    pub path: String,
    /// The SHA-256 of the file.
    pub sha256: String,
    /// The day on which it was made, if it says so.
    pub made: Option<String>,
}

/// What was reviewed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Artifact {
    /// The files of a tree that the policy names, and all that they include.
    Tree,
    /// A plan of Terraform as JSON.
    Plan,
}

/// A file that was reviewed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReviewedFile {
    /// Its path.
    pub path: String,
    /// Its mode as git has it.
    pub mode: u32,
    /// The SHA-256 of its content.
    pub sha256: String,
}

/// Why there is no review.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BreakGlass {
    /// The number of the incident.
    pub incident: String,
    /// Why it could not wait.
    pub reason: String,
}

/// A statement of in-toto, version 1 (github.com/in-toto/attestation).
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Statement {
    #[serde(rename = "_type")]
    kind: String,
    subject: Vec<Subject>,
    predicate_type: String,
    predicate: Review,
}

/// Which types a text claims, before anything else of it is believed.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Types {
    #[serde(rename = "_type")]
    kind: String,
    predicate_type: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Subject {
    name: String,
    digest: SubjectDigest,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct SubjectDigest {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sha256: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    git_tree: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    git_commit: Option<String>,
}

impl Review {
    /// The statement as it is signed.
    #[must_use]
    pub fn to_payload(&self) -> Vec<u8> {
        let closure = SubjectDigest { sha256: Some(self.closure().digest()), ..SubjectDigest::default() };
        let mut subject = vec![Subject { name: CLOSURE.to_owned(), digest: closure }];
        let mut also = |name: &str, digest| subject.push(Subject { name: name.to_owned(), digest });
        if let Some(tree) = &self.merge_tree {
            also("tree", SubjectDigest { git_tree: Some(tree.clone()), ..SubjectDigest::default() });
        }
        if let Some(commit) = &self.head_commit {
            also("commit", SubjectDigest { git_commit: Some(commit.clone()), ..SubjectDigest::default() });
        }
        let statement = Statement {
            kind: STATEMENT_TYPE.to_owned(),
            subject,
            predicate_type: self.predicate_type().to_owned(),
            predicate: self.clone(),
        };
        serde_json::to_vec(&statement).expect("texts and numbers have a JSON form")
    }

    /// Reads a statement of which the signatures have been verified.
    ///
    /// # Errors
    /// It is not byte for byte what [`Review::to_payload`] writes of some review: a field that is unknown, missing or there
    /// twice, a subject that is not the closure of the files, or another type.
    pub fn read(payload: &[u8]) -> Result<Self, Refusal> {
        let statement = |why: String| Refusal::Statement { why };
        let types: Types = serde_json::from_slice(payload).map_err(|why| statement(why.to_string()))?;
        if types.kind != STATEMENT_TYPE {
            return Err(Refusal::Type { found: types.kind, wanted: STATEMENT_TYPE });
        }
        if types.predicate_type != REVIEW_TYPE && types.predicate_type != BREAK_GLASS_TYPE {
            return Err(Refusal::Type { found: types.predicate_type, wanted: REVIEW_TYPE });
        }
        let read: Statement = serde_json::from_slice(payload).map_err(|why| statement(why.to_string()))?;
        let review = read.predicate;
        if types.predicate_type != review.predicate_type() {
            return Err(Refusal::Type { found: types.predicate_type, wanted: review.predicate_type() });
        }
        if review.to_payload() != payload {
            let why = "it is laid out otherwise than statements are written, or its subject is not its files";
            return Err(statement(why.to_owned()));
        }
        if review.files.is_empty() || Self::files_of(&review.closure()).as_ref() != Ok(&review.files) {
            return Err(statement(
                "its files are none, or not a list of paths with their modes and digests".to_owned(),
            ));
        }
        if digest(review.policy.text.as_bytes()) != review.policy.sha256 {
            return Err(statement("the text of its policy is not the one that its digest is of".to_owned()));
        }
        for instant in [&review.time_verified, &review.not_after] {
            if seconds(instant).is_none_or(|seconds| show_instant(seconds) != *instant) {
                return Err(statement(format!("`{}` is not an instant", crate::text::escape(instant.as_bytes()))));
            }
        }
        Ok(review)
    }

    /// What its statement says of itself.
    #[must_use]
    pub const fn predicate_type(&self) -> &'static str {
        if self.break_glass.is_some() { BREAK_GLASS_TYPE } else { REVIEW_TYPE }
    }

    /// The closure of its files, as far as they are a list of digests; [`Review::read`] refuses any other.
    #[must_use]
    pub fn closure(&self) -> Closure {
        let file = |ReviewedFile { path, mode, sha256 }: &ReviewedFile| {
            Some((path.clone().into_bytes(), ClosureFile { mode: *mode, sha256: unhex(sha256)? }))
        };
        self.files.iter().map_while(file).collect()
    }

    /// The files of a closure as a record lists them; the path that no record can hold.
    ///
    /// # Errors
    /// A path is not UTF-8.
    pub fn files_of(closure: &Closure) -> Result<Vec<ReviewedFile>, Vec<u8>> {
        let file = |(path, ClosureFile { mode, sha256 }): (&[u8], ClosureFile)| {
            let path = String::from_utf8(path.to_vec()).map_err(|_| path.to_vec())?;
            Ok(ReviewedFile { path, mode, sha256: hex(&sha256) })
        };
        closure.files().map(file).collect()
    }
}

/// The SHA-256 of a text, in hexadecimal.
#[must_use]
pub fn digest(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// 32 bytes of hexadecimal digits as they are always written.
pub(super) fn unhex(text: &str) -> Option<[u8; 32]> {
    let digits = text.as_bytes();
    let lower = |digit: &u8| matches!(digit, b'0'..=b'9' | b'a'..=b'f');
    if digits.len() != 64 || !digits.iter().all(lower) {
        return None;
    }
    let mut out = [0; 32];
    for (byte, pair) in out.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(out)
}
