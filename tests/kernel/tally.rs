//! What a run counts. A part of it that runs in a process of its own hands its counts over as lines.

use std::collections::BTreeMap;

/// Counts by name.
#[derive(Debug, Default)]
pub(crate) struct Tally(BTreeMap<String, u64>);

/// Begins a line that hands over a count.
const PREFIX: &str = "count ";

impl Tally {
    pub(crate) fn add(&mut self, name: &str, count: u64) {
        *self.0.entry(name.to_owned()).or_default() += count;
    }

    pub(crate) fn get(&self, name: &str) -> u64 {
        self.0.get(name).copied().unwrap_or(0)
    }

    /// Takes a line of another process's output; `false` if it is not a count.
    pub(crate) fn take(&mut self, line: &str) -> bool {
        let count = line.strip_prefix(PREFIX).and_then(|rest| rest.split_once(' '));
        match count.and_then(|(count, name)| Some((count.parse().ok()?, name))) {
            Some((count, name)) => {
                self.add(name, count);
                true
            }
            None => false,
        }
    }

    /// The counts as lines for [`Tally::take`].
    pub(crate) fn lines(&self) -> String {
        self.0.iter().map(|(name, count)| format!("{PREFIX}{count} {name}\n")).collect()
    }

    /// The counts whose names begin with `prefix`, the rest of the name first.
    pub(crate) fn under<'t>(&'t self, prefix: &'t str) -> impl Iterator<Item = (&'t str, u64)> {
        self.0.iter().filter_map(move |(name, count)| Some((name.strip_prefix(prefix)?, *count)))
    }
}
