use super::MissingFact;
use std::collections::BTreeMap;
use std::time::Duration;

/// How often removals were seen without having changed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Seen {
    /// Nobody keeps it.
    #[default]
    Unasked,
    /// It cannot be said.
    Unknown(MissingFact),
    /// It is known.
    Known {
        /// Each that is seen now, by the SHA-256 of what it removes.
        removals: BTreeMap<String, Sightings>,
        /// Why nothing that was seen before counts; `None`: it does, or there was nothing.
        begun: Option<String>,
    },
}

/// How often one removal was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sightings {
    /// How many times, with the present one.
    pub observations: usize,
    /// How long it is since the first.
    pub over: Duration,
}
