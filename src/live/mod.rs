//! What is in force on a host: its rulesets read from the kernel, and whether they are the ones that are expected.
//!
//! Tools are found in fixed folders and not by the environment, which they do not get; an answer that may not be the host's
//! is none. Knows nothing of policies or checks.

mod apply;
mod error;
mod haproxy;
mod host;
mod pieces;
mod process;
mod programs;
mod runtime;
mod scope;
mod scratch;
mod shown;
mod stamp;
mod tool;
mod units;
mod verify;

pub use apply::{
    Ended, Folder, Journal, Last, Lock, NotApplied, Phase, Place, Prepared, Same, Transaction, commands, confirm,
    connection, families, loaded, prepare, probe, recover, watch,
};
pub use error::NotRead;
pub use host::{Beside, Host, Named, Ruleset, Target};
pub use pieces::NotSplit;
pub use scope::Scope;
pub use scratch::Scratch;
pub use stamp::stamped;
pub use units::{Boot, boot};
pub use verify::{Expected, Foreign, Live, Verified, verify};
