//! The vendor-independent model: what every format is turned into and everything later reads.
//!
//! Rules live in one [`Store`] that both sides of a change share: a rule is a number there, so that two sides
//! that hold the same rule hold the same number. A [`Snapshot`] is one side: its configurations, their
//! tables, chains and filters, and the gaps, i.e. what the input says and the model does not.

mod balancer;
mod object;
mod origins;
mod paths;
mod probe;
mod reference;
mod rule;
mod snapshot;
mod store;

pub use balancer::{
    Backend, Condition, Endpoint, LISTENERS, Listener, Outcome, Protocol, Route, Server, Subject, Test, TestId, Tls,
};
pub use object::{Address, Members, Object};
pub use origins::Origins;
pub use paths::Paths;
pub use probe::{PLAIN, PlainBox, Probe};
pub use reference::{Declaration, Flush, Pick, Reference, Refill};
pub use rule::{Action, Draft, Families, Literal, OpaqueId, Rule, RuleId, Symbol};
pub use snapshot::{Chain, ChainId, Configuration, Filter, Gap, Snapshot, Stage, Table, TableId};
pub use store::{Other, Store};
