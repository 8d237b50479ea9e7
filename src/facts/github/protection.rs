//! What protects a branch, as far as it can be seen.

/// Whether something holds. What cannot be seen is not known, never taken to hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holds {
    /// It does.
    Yes,
    /// It does not.
    No,
    /// The token may not see it, or it could not be read.
    Unknown,
}

/// One thing that should hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// A name for programs: `required-check`.
    pub id: &'static str,
    /// What should hold, as a sentence.
    pub sentence: String,
    /// Whether it does.
    pub holds: Holds,
    /// What was seen, or why nothing was.
    pub seen: String,
    /// What to do about it.
    pub help: &'static str,
}

/// What protects a branch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Protection {
    /// The repository.
    pub repository: String,
    /// The branch.
    pub branch: String,
    /// What should hold.
    pub conditions: Vec<Condition>,
}
