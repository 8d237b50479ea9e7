//! Portcullis: a gate for firewall and load-balancer changes.
//!
//! # Floor plan
//!
//! ```text
//! source -> formats -> model -> diff -> checks -> decision -> report -> cli
//!    └─ text ─┘    └──── net ────┘       └ policy, facts ┘  └ record ┘
//! ```
//! The table of who may import whom is `tests/it/architecture.rs`, which fails when it is broken.

pub mod checks;
pub mod cli;
pub mod decision;
pub mod diff;
pub mod facts;
pub mod formats;
pub mod live;
pub mod model;
pub mod mutants;
pub mod net;
pub mod notify;
pub mod policy;
pub mod record;
pub mod report;
pub mod source;
pub mod text;
