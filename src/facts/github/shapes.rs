//! What answers look like, as far as it is looked at. A field that is missing is an error, and so is a word that is not
//! known; null is taken where the published description has it.

use crate::facts::{Account, AccountKind, ReviewState};
use serde::{Deserialize, Deserializer};

/// Null or a value; missing is an error.
fn nullable<'d, T: Deserialize<'d>, D: Deserializer<'d>>(from: D) -> Result<Option<T>, D::Error> {
    Option::deserialize(from)
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct User {
    pub(super) id: u64,
    pub(super) login: String,
    #[serde(rename = "type")]
    kind: UserKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
enum UserKind {
    User,
    Bot,
    Organization,
    Mannequin,
}

impl From<User> for Account {
    fn from(User { id, login, kind }: User) -> Self {
        let kind = match kind {
            UserKind::User => AccountKind::User,
            UserKind::Bot => AccountKind::Bot,
            UserKind::Organization | UserKind::Mannequin => AccountKind::Other,
        };
        Self { id, login, kind }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Pull {
    pub(super) number: u64,
    pub(super) state: PullState,
    pub(super) draft: bool,
    pub(super) user: User,
    pub(super) head: Tip,
    pub(super) base: Tip,
    /// The merge that GitHub has tried.
    #[serde(deserialize_with = "nullable")]
    pub(super) merge_commit_sha: Option<Sha>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum PullState {
    Open,
    Closed,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Tip {
    #[serde(rename = "ref")]
    pub(super) branch: String,
    pub(super) sha: Sha,
    /// Null: the repository is deleted.
    #[serde(deserialize_with = "nullable")]
    pub(super) repo: Option<Repository>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Repository {
    pub(super) id: u64,
    pub(super) full_name: String,
}

/// A pull request in a list.
#[derive(Debug, Deserialize)]
pub(super) struct Listed {
    pub(super) number: u64,
    pub(super) base: ListedTip,
}

#[derive(Debug, Deserialize)]
pub(super) struct ListedTip {
    #[serde(rename = "ref")]
    pub(super) branch: String,
}

/// The id of a commit: 40 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Sha(pub(super) String);

impl TryFrom<String> for Sha {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let right = text.len() == 40 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if right { Ok(Self(text)) } else { Err("the id of a commit has 40 hexadecimal digits") }
    }
}

/// An instant in UTC: `2026-11-20T08:00:00Z`. Of two the later one is the greater text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Instant(pub(super) String);

impl TryFrom<String> for Instant {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let form = b"0000-00-00T00:00:00Z";
        let right = text.len() == form.len()
            && text.bytes().zip(form).all(
                |(byte, like)| {
                    if *like == b'0' { byte.is_ascii_digit() } else { byte == *like }
                },
            );
        if right { Ok(Self(text)) } else { Err("an instant is written like 2026-11-20T08:00:00Z") }
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct ReviewItem {
    pub(super) id: u64,
    #[serde(deserialize_with = "nullable")]
    pub(super) user: Option<User>,
    #[serde(deserialize_with = "state")]
    pub(super) state: ReviewState,
    #[serde(deserialize_with = "nullable")]
    pub(super) commit_id: Option<Sha>,
    /// Missing as long as it is not given.
    pub(super) submitted_at: Option<Instant>,
    pub(super) pull_request_url: String,
}

fn state<'d, D: Deserializer<'d>>(from: D) -> Result<ReviewState, D::Error> {
    #[derive(Deserialize)]
    #[serde(rename_all = "SCREAMING_SNAKE_CASE")]
    enum State {
        Approved,
        ChangesRequested,
        Commented,
        Dismissed,
        Pending,
    }
    Ok(match State::deserialize(from)? {
        State::Approved => ReviewState::Approved,
        State::ChangesRequested => ReviewState::ChangesRequested,
        State::Commented => ReviewState::Commented,
        State::Dismissed => ReviewState::Dismissed,
        State::Pending => ReviewState::Pending,
    })
}

/// Something that happened to a pull request. Kinds come and go, so what is not known is taken for the worst.
#[derive(Debug, Deserialize)]
pub(super) struct Event {
    pub(super) event: Option<String>,
    pub(super) id: Option<u64>,
    pub(super) created_at: Option<Instant>,
}

#[derive(Debug, Deserialize)]
pub(super) struct CommitItem {
    pub(super) sha: Sha,
    pub(super) author: Maybe,
    pub(super) committer: Maybe,
}

/// An account, or none: null, or an object without anything, as the description has it.
#[derive(Debug, Clone)]
pub(super) struct Maybe(pub(super) Option<User>);

impl<'d> Deserialize<'d> for Maybe {
    fn deserialize<D: Deserializer<'d>>(from: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Fields {
            id: Option<u64>,
            login: Option<String>,
            #[serde(rename = "type")]
            kind: Option<UserKind>,
        }
        let missing = |name| Err(serde::de::Error::missing_field(name));
        match Option::deserialize(from)? {
            None | Some(Fields { id: None, login: None, kind: None }) => Ok(Self(None)),
            Some(Fields { id: Some(id), login: Some(login), kind: Some(kind) }) => {
                Ok(Self(Some(User { id, login, kind })))
            }
            Some(Fields { id: None, .. }) => missing("id"),
            Some(Fields { login: None, .. }) => missing("login"),
            Some(Fields { kind: None, .. }) => missing("type"),
        }
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct Activity {
    #[serde(rename = "ref")]
    pub(super) reference: String,
    pub(super) after: Sha,
    /// Only so that a word that is not known is an error.
    #[serde(rename = "activity_type")]
    _kind: ActivityKind,
    #[serde(deserialize_with = "nullable")]
    pub(super) actor: Option<User>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ActivityKind {
    Push,
    ForcePush,
    BranchDeletion,
    BranchCreation,
    PrMerge,
    MergeQueueMerge,
}

#[derive(Debug, Deserialize)]
pub(super) struct Permission {
    pub(super) permission: PermissionWord,
    pub(super) role_name: String,
    #[serde(deserialize_with = "nullable")]
    pub(super) user: Option<Numbered>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum PermissionWord {
    None,
    Read,
    Write,
    Admin,
}

#[derive(Debug, Deserialize)]
pub(super) struct Numbered {
    pub(super) id: u64,
}

#[derive(Debug, Deserialize)]
pub(super) struct Team {
    pub(super) slug: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct Membership {
    pub(super) state: MembershipState,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum MembershipState {
    Active,
    Pending,
}

#[derive(Debug, Deserialize)]
pub(super) struct Reference {
    #[serde(rename = "ref")]
    pub(super) name: String,
    pub(super) object: Object,
}

#[derive(Debug, Deserialize)]
pub(super) struct Object {
    pub(super) sha: Sha,
}
