use super::closure::Closure;
use super::envelope::{Envelope, PAYLOAD_TYPE};
use super::error::Refusal;
use super::roots::{Environment, Role, Roots, RootsKey};
use super::state::{Debt, State};
use super::statement::{BREAK_GLASS_LIMIT, Review, digest};
use crate::facts::{seconds, show_instant};
use std::collections::BTreeSet;

/// How far the clock of whoever made a record may be ahead, in seconds.
const SKEW: u64 = 300;

/// A record that enough people who are trusted have signed, for this place. It opens nothing yet: what is to be put into
/// force has to be what it is of.
#[derive(Debug)]
pub struct Opened<'r> {
    review: Review,
    digest: String,
    environment: &'r Environment,
    signers: Vec<&'r RootsKey>,
}

/// What may be put into force, and what is then the state of the place.
#[derive(Debug)]
pub struct Admission {
    /// The state once it is in force.
    pub next: State,
    /// The emergencies that it settles.
    pub settled: Vec<String>,
}

/// Takes a record in: the steps of verification that need neither files nor state, each before anything later is believed.
///
/// # Errors
/// The first step that fails.
pub fn open<'r>(record: &[u8], roots: &'r Roots, environment: &'r Environment) -> Result<Opened<'r>, Refusal> {
    let envelope = Envelope::read(record)?;
    let signed = |keys: &mut dyn Iterator<Item = &'r RootsKey>| -> Vec<&'r RootsKey> {
        let keys: Vec<&RootsKey> = keys.collect();
        let by = envelope.signers(keys.iter().map(|key| &key.key));
        keys.into_iter().filter(|key| by.contains(&&key.key)).collect()
    };
    let signers = signed(&mut roots.keys.iter().filter(|key| !roots.is_revoked(key)));
    let revoked = signed(&mut roots.keys.iter().filter(|key| roots.is_revoked(key)));
    match (signers.is_empty(), revoked.first()) {
        (true, None) => return Err(Refusal::Unsigned),
        (true, Some(key)) => return Err(revoked_key(key)),
        (false, _) => {}
    }
    if envelope.payload_type() != PAYLOAD_TYPE {
        return Err(Refusal::PayloadType { found: crate::text::escape(envelope.payload_type().as_bytes()) });
    }
    // These bytes, and no others, are what has been verified.
    let payload = envelope.payload().ok_or(Refusal::Unsigned)?;
    let review = Review::read(&payload)?;
    let needed = needed(&review, roots, environment);
    if !suffices(&signers, &needed) {
        return Err(match revoked.first() {
            Some(key) => revoked_key(key),
            None => Refusal::Signers {
                have: people(&signers),
                environment: environment.name.clone(),
                needed: demand(&needed),
            },
        });
    }
    here(&review, roots, environment)?;
    Ok(Opened { review, digest: digest(record), environment, signers })
}

impl Opened<'_> {
    /// What it says. That somebody said it is all that is known so far.
    #[must_use]
    pub const fn review(&self) -> &Review {
        &self.review
    }

    /// The SHA-256 of the record.
    #[must_use]
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// Whose signatures count: `alice (reviewer), ci (gate)`.
    #[must_use]
    pub fn signers(&self) -> String {
        people(&self.signers)
    }

    /// Holds it against files alone: byte for byte those that were reviewed, none of them missing or extra.
    ///
    /// # Errors
    /// They are not.
    pub fn is_of(&self, files: &Closure) -> Result<(), Refusal> {
        let reviewed = self.review.closure();
        if files.digest() == reviewed.digest() {
            Ok(())
        } else {
            Err(Refusal::Closure { differences: reviewed.differences(files) })
        }
    }

    /// Holds it against the files that are to be put into force, and against what was put into force before.
    ///
    /// # Errors
    /// The first step that fails.
    pub fn admit(&self, files: &Closure, roots: &Roots, state: &State, now: u64) -> Result<Admission, Refusal> {
        let review = &self.review;
        self.is_of(files)?;
        let minimum = self.environment.min_epoch.max(state.epoch);
        if review.policy.epoch < minimum {
            return Err(Refusal::Epoch { found: review.policy.epoch, minimum });
        }
        if review.sequence <= state.sequence {
            return Err(Refusal::Replayed { found: review.sequence, last: state.sequence });
        }
        self.timely(now)?;
        if let Some(name) = review.approvals.iter().find(|name| roots.is_revoked_person(name)) {
            return Err(Refusal::Revoked { what: format!("the approval of {name}") });
        }
        let (debts, settled) = match &review.break_glass {
            None if review.decision != "pass" => return Err(Refusal::NotPassed { found: review.decision.clone() }),
            None => self.settle(state)?,
            Some(broken) => {
                let debt = Debt {
                    incident: broken.incident.clone(),
                    closure: files.digest(),
                    sequence: review.sequence,
                    at: show_instant(now),
                };
                (state.debts.iter().cloned().chain([debt]).collect(), Vec::new())
            }
        };
        let next = State {
            roots_serial: roots.serial,
            sequence: review.sequence,
            epoch: review.policy.epoch,
            closure: Some(files.digest()),
            record: Some(self.digest.clone()),
            at: show_instant(now),
            debts,
            ..state.clone()
        };
        Ok(Admission { next, settled })
    }

    fn timely(&self, now: u64) -> Result<(), Refusal> {
        let Review { time_verified, not_after, break_glass, .. } = &self.review;
        // `Review::read` lets nothing else through.
        let instant =
            |text: &str| seconds(text).ok_or_else(|| Refusal::Statement { why: format!("`{text}` is no instant") });
        let (from, to) = (instant(time_verified)?, instant(not_after)?);
        if from > now.saturating_add(SKEW) {
            return Err(Refusal::Future { at: time_verified.clone() });
        }
        if to <= now {
            return Err(Refusal::Expired { at: not_after.clone() });
        }
        if break_glass.is_some() && to.saturating_sub(from) > BREAK_GLASS_LIMIT {
            return Err(Refusal::TooLong { from: time_verified.clone(), to: not_after.clone() });
        }
        Ok(())
    }

    /// What was put into force in an emergency is settled by a review of the very state that is in force, or by one that was made
    /// since and says that it is of it too.
    fn settle(&self, state: &State) -> Result<(Vec<Debt>, Vec<String>), Refusal> {
        let review = &self.review;
        let same = state.closure == Some(review.closure().digest());
        let since = |debt: &Debt| seconds(&review.time_verified) >= seconds(&debt.at);
        let settles = |debt: &Debt| same || review.settles.contains(&debt.incident) && since(debt);
        let incidents = |debts: &mut dyn Iterator<Item = &Debt>| debts.map(|debt| debt.incident.clone()).collect();
        let open: Vec<String> = incidents(&mut state.debts.iter().filter(|debt| !settles(debt)));
        if open.is_empty() {
            Ok((Vec::new(), incidents(&mut state.debts.iter())))
        } else {
            Err(Refusal::Debt { incidents: open })
        }
    }
}

/// Whose signatures it takes: so many of each role.
fn needed(review: &Review, roots: &Roots, environment: &Environment) -> Vec<(Role, usize)> {
    let Some(tier) = roots.tier(environment) else { return vec![(Role::Gate, usize::MAX)] };
    if review.break_glass.is_some() {
        vec![(Role::BreakGlass, tier.break_glass)]
    } else {
        vec![(Role::Gate, tier.gate), (Role::Reviewer, tier.reviewer)]
    }
}

fn demand(needed: &[(Role, usize)]) -> String {
    let words: Vec<String> = needed
        .iter()
        .filter(|(_, count)| *count > 0)
        .map(|(role, count)| format!("{count} of {}", role.word()))
        .collect();
    words.join(" and ")
}

fn people(signers: &[&RootsKey]) -> String {
    let all: BTreeSet<String> = signers.iter().map(|key| format!("{} ({})", key.person, key.role.word())).collect();
    if all.is_empty() { "nobody".to_owned() } else { all.into_iter().collect::<Vec<_>>().join(", ") }
}

fn revoked_key(key: &RootsKey) -> Refusal {
    Refusal::Revoked { what: format!("the key {} of {}", key.key, key.person) }
}

/// Whether every place can be given to somebody who has that role, and nobody gets two: places that are taken are passed
/// on as long as that frees one.
fn suffices(signers: &[&RootsKey], needed: &[(Role, usize)]) -> bool {
    let places: Vec<Role> =
        needed.iter().flat_map(|(role, count)| std::iter::repeat_n(*role, (*count).min(signers.len() + 1))).collect();
    let mut holders: Vec<Option<&str>> = vec![None; places.len()];
    let people: BTreeSet<&str> = signers.iter().map(|key| key.person.as_str()).collect();
    let has = |person: &str, role: Role| signers.iter().any(|key| key.person == person && key.role == role);
    people.into_iter().filter(|person| seat(person, &places, &mut holders, &mut BTreeSet::new(), &has)).count()
        == places.len()
}

fn seat<'p>(
    person: &'p str,
    places: &[Role],
    holders: &mut Vec<Option<&'p str>>,
    tried: &mut BTreeSet<usize>,
    has: &dyn Fn(&str, Role) -> bool,
) -> bool {
    for (place, role) in places.iter().enumerate() {
        if !has(person, *role) || !tried.insert(place) {
            continue;
        }
        let holder = holders.get(place).copied().flatten();
        if holder.is_none_or(|holder| seat(holder, places, holders, tried, has)) {
            if let Some(held) = holders.get_mut(place) {
                *held = Some(person);
            }
            return true;
        }
    }
    false
}

fn here(review: &Review, roots: &Roots, environment: &Environment) -> Result<(), Refusal> {
    let shown = |text: &str| crate::text::escape(text.as_bytes());
    let (found, wanted) = (shown(&review.repository), roots.repository.clone());
    if review.repository != wanted {
        return Err(Refusal::Repository { found, wanted });
    }
    let (found, wanted) = (shown(&review.target_ref), roots.target_ref.clone());
    if review.target_ref != wanted {
        return Err(Refusal::TargetRef { found, wanted });
    }
    let (found, wanted) = (shown(&review.environment), environment.name.clone());
    if review.environment != wanted {
        return Err(Refusal::Environment { found, wanted });
    }
    Ok(())
}
