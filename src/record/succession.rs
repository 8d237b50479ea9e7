//! Roots of trust that take the place of others: signed by so many of those who are trusted with that, in the old ones and in
//! the new ones.

use super::envelope::Envelope;
use super::error::{Refusal, SuccessionError};
use super::keys::Signer;
use super::roots::Roots;
use std::collections::BTreeSet;

/// What an envelope with roots of trust says that it holds. A signature of a review is none of roots, nor the other way round.
pub const ROOTS_TYPE: &str = "application/vnd.portcullis.roots+json";

/// Puts roots of trust into an envelope and signs it, or adds a signature to an envelope that holds the very same.
///
/// # Errors
/// The envelope holds something else, or cannot be signed.
pub fn sign_roots(roots: &[u8], before: Option<Envelope>, signer: &Signer) -> Result<Envelope, Refusal> {
    let mut envelope = before.unwrap_or_else(|| Envelope::new(ROOTS_TYPE, roots));
    if envelope.payload_type() != ROOTS_TYPE || envelope.payload().as_deref() != Some(roots) {
        return Err(Refusal::Malformed { why: "it holds other roots of trust".to_owned() });
    }
    envelope.sign(signer)?;
    Ok(envelope)
}

/// The roots that an envelope has take the place of these: as they are to be written, and read.
///
/// # Errors
/// The first step that fails.
pub fn succeed(current: &Roots, envelope: &[u8], now: u64) -> Result<(Vec<u8>, Roots), SuccessionError> {
    let envelope = Envelope::read(envelope).map_err(SuccessionError::Envelope)?;
    let needed = current.threshold.ok_or(SuccessionError::NoThreshold)?;
    signed(&envelope, current, needed, "the present roots")?;
    if envelope.payload_type() != ROOTS_TYPE {
        return Err(SuccessionError::Envelope(Refusal::PayloadType {
            found: crate::text::escape(envelope.payload_type().as_bytes()),
        }));
    }
    // These bytes, and no others, are what has been verified.
    let payload = envelope.payload().ok_or(SuccessionError::Envelope(Refusal::Unsigned))?;
    let next = Roots::read(&payload, now).map_err(SuccessionError::Roots)?;
    if next.serial <= current.serial {
        return Err(SuccessionError::Older { found: next.serial, last: current.serial });
    }
    if next.repository != current.repository {
        return Err(SuccessionError::Repository { found: next.repository, wanted: current.repository.clone() });
    }
    // Whoever is to be trusted next has signed as well: roots that nobody can replace are no accident then.
    signed(&envelope, &next, next.threshold.ok_or(SuccessionError::NoThreshold)?, "the new roots")?;
    Ok((payload, next))
}

/// Whether so many different people have signed who are trusted with that.
fn signed(envelope: &Envelope, roots: &Roots, needed: usize, whose: &'static str) -> Result<(), SuccessionError> {
    let keys = || roots.keys.iter().filter(|key| roots.is_root(key));
    let by = envelope.signers(keys().map(|key| &key.key));
    let people: BTreeSet<&str> = keys().filter(|key| by.contains(&&key.key)).map(|key| key.person.as_str()).collect();
    if people.len() >= needed {
        return Ok(());
    }
    let have = if people.is_empty() { "nobody".to_owned() } else { people.into_iter().collect::<Vec<_>>().join(", ") };
    Err(SuccessionError::Signers { whose, have: crate::text::escape(have.as_bytes()), needed })
}
