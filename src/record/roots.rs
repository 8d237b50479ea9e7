use super::error::RootsError;
use super::keys::PublicKey;
use super::statement::unhex;
use crate::facts::{seconds, show_instant};
use crate::text::suggest;
use serde::Deserialize;
use std::collections::BTreeSet;

/// Whom a host trusts, and with what. It stands on the host, not in the repository: whoever changes the one cannot change
/// the other.
#[derive(Debug, Clone)]
pub struct Roots {
    /// Which edition it is. A host never goes back to an earlier one.
    pub serial: u64,
    /// The repository whose changes are put into force.
    pub repository: String,
    /// The branch that they have to be reviewed for.
    pub target_ref: String,
    /// Whose signatures count.
    pub keys: Vec<RootsKey>,
    /// How many people with the role `root` have to sign the roots that take their place; `None`: none do, and they are replaced by
    /// hand alone.
    pub threshold: Option<usize>,
    tiers: Vec<Tier>,
    environments: Vec<Environment>,
    revoked_keys: BTreeSet<String>,
    revoked_people: BTreeSet<String>,
}

/// A key, who has it, and what it is trusted to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RootsKey {
    /// Who has it. A person, or a machine; several keys of one count once.
    pub person: String,
    /// What it is trusted to say.
    pub role: Role,
    /// The key.
    pub key: PublicKey,
}

/// What a key is trusted to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// That the change passed: the key of the pipeline.
    Gate,
    /// That a person has looked at the record.
    Reviewer,
    /// That it cannot wait for a review.
    BreakGlass,
    /// That other roots of trust take the place of these.
    Root,
}

impl Role {
    /// As the roots of trust write it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Gate => "gate",
            Self::Reviewer => "reviewer",
            Self::BreakGlass => "break_glass",
            Self::Root => "root",
        }
    }
}

/// How many have to sign.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Tier {
    /// What it is called.
    pub name: String,
    /// How many pipelines; at least 1.
    pub gate: usize,
    /// How many people besides.
    pub reviewer: usize,
    /// How many people have to break the glass; at least 1.
    pub break_glass: usize,
}

/// Where changes are put into force.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Environment {
    /// What it is called.
    pub name: String,
    /// Its tier.
    pub tier: String,
    /// The least generation of the policy that counts.
    pub min_epoch: u64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct File {
    version: u64,
    serial: u64,
    expires: String,
    repository: String,
    target_ref: String,
    keys: Vec<KeyEntry>,
    #[serde(default)]
    threshold: Option<usize>,
    tiers: Vec<Tier>,
    environments: Vec<Environment>,
    revoked: Revoked,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyEntry {
    person: String,
    role: Role,
    key: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Revoked {
    keys: Vec<String>,
    people: Vec<String>,
}

impl Roots {
    /// Reads the roots of trust. Every key of the file but `threshold` has to be there; none may be there twice, or be unknown.
    ///
    /// # Errors
    /// What is wrong with them, or they have expired.
    pub fn read(bytes: &[u8], now: u64) -> Result<Self, RootsError> {
        let (roots, end) = Self::parse(bytes)?;
        if end <= now { Err(RootsError::Expired { at: show_instant(end) }) } else { Ok(roots) }
    }

    /// Reads roots of trust that others are to take the place of. They may have expired: their keys then say nothing any more
    /// but who is trusted next, so that a host that was off for long is not replaced by hand (as in TUF, where only the newest
    /// edition has to be in date).
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn to_be_replaced(bytes: &[u8]) -> Result<Self, RootsError> {
        Self::parse(bytes).map(|(roots, _)| roots)
    }

    /// The roots, and when they end.
    fn parse(bytes: &[u8]) -> Result<(Self, u64), RootsError> {
        let malformed = |why: String| RootsError::Malformed { why };
        let file: File = serde_json::from_slice(bytes).map_err(|why| malformed(why.to_string()))?;
        let File { version, serial, expires, repository, target_ref, keys, threshold, tiers, environments, revoked } =
            file;
        if version != 1 {
            return Err(malformed(format!("they are of version {version}, and this program knows version 1")));
        }
        let end = seconds(&expires).filter(|seconds| show_instant(*seconds) == expires);
        let end =
            end.ok_or_else(|| malformed(format!("`{expires}` is not an instant such as 2027-01-01T00:00:00Z")))?;
        if repository.is_empty() || !target_ref.starts_with("refs/") {
            let why = "the repository has to be named, and the branch in full: refs/heads/main";
            return Err(malformed(why.to_owned()));
        }
        let Revoked { keys: revoked_keys, people: revoked_people } = revoked;
        if let Some(wrong) = revoked_keys.iter().find(|key| !key.starts_with("SHA256:") || unhex(key).is_some()) {
            return Err(malformed(format!("the revoked key `{wrong}` is not a fingerprint: `ssh-keygen -l -f KEY`")));
        }
        let keys = keys.into_iter().map(key).collect::<Result<Vec<_>, _>>()?;
        let roots = Self {
            serial,
            repository,
            target_ref,
            keys,
            threshold,
            tiers,
            environments,
            revoked_keys: revoked_keys.into_iter().collect(),
            revoked_people: revoked_people.into_iter().collect(),
        };
        roots.whole().map_err(malformed)?;
        Ok((roots, end))
    }

    fn whole(&self) -> Result<(), String> {
        for (n, key) in self.keys.iter().enumerate() {
            let same =
                |other: &&RootsKey| other.key == key.key && (other.person != key.person || other.role == key.role);
            if let Some(other) = self.keys.iter().take(n).find(same) {
                return Err(format!("the key {} is there twice, for {} and {}", key.key, other.person, key.person));
            }
        }
        for (n, tier) in self.tiers.iter().enumerate() {
            if self.tiers.iter().take(n).any(|other| other.name == tier.name) {
                return Err(format!("the tier `{}` is there twice", tier.name));
            }
            if tier.gate == 0 || tier.break_glass == 0 {
                return Err(format!(
                    "the tier `{}` asks for no signature: `gate` and `breakGlass` are 1 at least",
                    tier.name
                ));
            }
        }
        for (n, environment) in self.environments.iter().enumerate() {
            if self.environments.iter().take(n).any(|other| other.name == environment.name) {
                return Err(format!("the environment `{}` is there twice", environment.name));
            }
            if self.tier(environment).is_none() {
                return Err(format!(
                    "the environment `{}` has the tier `{}`, which is not there",
                    environment.name, environment.tier
                ));
            }
        }
        if let Some(threshold) = self.threshold {
            let people: BTreeSet<&str> =
                self.keys.iter().filter(|key| self.is_root(key)).map(|key| key.person.as_str()).collect();
            if threshold == 0 || people.len() < threshold {
                let have = people.len();
                return Err(format!(
                    "`threshold` is {threshold}, and {have} people have a key of the role `root` that holds"
                ));
            }
        }
        if self.keys.is_empty() || self.environments.is_empty() {
            return Err("they name no key, or no environment".to_owned());
        }
        Ok(())
    }

    /// The environment of that name; without a name the only one.
    ///
    /// # Errors
    /// There is none, or there are several.
    pub fn environment(&self, name: Option<&str>) -> Result<&Environment, RootsError> {
        let known: Vec<&str> = self.environments.iter().map(|environment| environment.name.as_str()).collect();
        match (name, self.environments.as_slice()) {
            (None, [only]) => Ok(only),
            (None, _) => {
                let message = "it is not said which environment this is".to_owned();
                Err(RootsError::NoEnvironment { message, help: format!("add --environment: {}", known.join(", ")) })
            }
            (Some(name), all) => all.iter().find(|environment| environment.name == name).ok_or_else(|| {
                let message = format!("the roots of trust know no environment `{name}`");
                RootsError::NoEnvironment { message, help: suggest(name, &known) }
            }),
        }
    }

    /// The tier of an environment.
    #[must_use]
    pub fn tier(&self, environment: &Environment) -> Option<&Tier> {
        self.tiers.iter().find(|tier| tier.name == environment.tier)
    }

    /// Whether a key is not trusted any more, by itself or with whoever has it.
    #[must_use]
    pub fn is_revoked(&self, key: &RootsKey) -> bool {
        self.revoked_keys.contains(&key.key.id()) || self.is_revoked_person(&key.person)
    }

    /// Whether a key may say which roots take the place of these.
    pub(super) fn is_root(&self, key: &RootsKey) -> bool {
        key.role == Role::Root && !self.is_revoked(key)
    }

    /// Whether somebody is not trusted any more.
    #[must_use]
    pub fn is_revoked_person(&self, person: &str) -> bool {
        self.revoked_people.contains(person)
    }
}

fn key(KeyEntry { person, role, key }: KeyEntry) -> Result<RootsKey, RootsError> {
    if person.is_empty() {
        return Err(RootsError::Malformed { why: "a key is nobody's: `person` is empty".to_owned() });
    }
    let key = PublicKey::read(&key).map_err(|why| RootsError::Malformed { why: why.to_string() })?;
    Ok(RootsKey { person, role, key })
}
