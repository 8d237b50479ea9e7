//! Puts something into force as one change: it ends in the new state or in the old one, and says in which.
//!
//! Everything that can be found out before is found out before: both ways are rehearsed in a namespace of their own, all
//! texts lie in the journal's folder, and the files for the next boot beside those that they replace. Then a process of its
//! own watches: it takes the change back once this one has died, or takes too long. What a program answers is never proof:
//! after each way the state is read, and held by meaning against what it has to be.

mod connection;
mod error;
mod guard;
mod journal;
mod kept;
mod prepare;
mod system;
mod transaction;
mod watch;

pub use connection::connection;
pub use error::NotApplied;
pub use journal::{Folder, Journal, Last, Lock, Phase};
pub use prepare::{Place, Prepared, families, loaded, prepare};
pub use transaction::{Ended, Transaction, commands, confirm, probe, recover};
pub use watch::watch;

use super::host::Ruleset;
use super::scope::Scope;
use crate::source::File;

/// Whether what is in force means what is expected, in that scope; if not, why, in a sentence.
pub type Same<'s> = &'s dyn Fn(&[File], &Ruleset, &Scope) -> Result<(), String>;
