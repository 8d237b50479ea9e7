//! What was reviewed, signed, so that the place where it is put into force can refuse everything else: envelopes,
//! statements, keys, the roots of trust, the state of a host, and the log of what was decided.
//!
//! What opens a gate is evidence that is there: a record that cannot be read, or that anything of is missing, refuses.
//! Knows nothing of formats, models and policies, and of a decision no more than its report. Reads and writes files of its own alone: records, roots, state, log.

mod audit;
mod build;
mod closure;
mod envelope;
mod error;
mod gate;
mod keys;
mod removals;
mod roots;
mod state;
mod statement;
mod succession;

pub use audit::{Audit, AuditEntry, AuditError, AuditEvent, Audited, Head, Torn, verify_log};
pub use build::{Circumstances, word};
pub use closure::{Closure, ClosureFile};
pub use envelope::{Envelope, MAX_RECORD_BYTES, PAYLOAD_TYPE, Signature, pae};
pub use error::{Refusal, RemovalsError, RootsError, StateError, SuccessionError};
pub use gate::{Admission, Opened, open};
pub use keys::{KeyError, NAMESPACE, PublicKey, Signer};
pub use removals::{Observed, observe};
pub use roots::{Environment, Role, Roots, RootsKey, Tier};
pub use state::{Debt, Held, State};
pub use statement::{
    Artifact, BREAK_GLASS_LIMIT, BREAK_GLASS_TYPE, BreakGlass, DifferenceDigest, Feed, PolicyText, REVIEW_TYPE, Review,
    ReviewedFile, Tool, digest,
};
pub use succession::{ROOTS_TYPE, sign_roots, succeed};
