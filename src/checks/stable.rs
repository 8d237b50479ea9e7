//! Removals that count only when they were seen several times without having changed: what a program takes away because its
//! input was empty for a moment is back when it looks again.

use super::deletions::{Count, Group};
use super::{Context, Report, Watched};
use crate::diff::Side;
use crate::facts::{MissingFact, Seen, Sightings, show_age};
use crate::policy::{Age, Node, Read, Reader, Spanned, keys};
use crate::text::hex;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use sha2::{Digest as _, Sha256};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

keys! {
    /// How often, and for how long, a removal has to be seen.
    struct StableKeys {
        /// How often, at least 2.
        observations: Spanned<usize>,
        /// How long it is at least between the first time and the last: 30s, 10m, 2h.
        over: Spanned<Age>,
        /// Only where more than so many objects go. Default: 0.
        above: Option<usize>,
    }
}

/// How often, and for how long, a removal has to be seen.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stable {
    observations: usize,
    over: Duration,
    above: usize,
}

impl JsonSchema for Stable {
    fn schema_name() -> Cow<'static, str> {
        StableKeys::schema_name()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        StableKeys::json_schema(generator)
    }
}

impl Read for Stable {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let StableKeys { observations, over, above } = StableKeys::read(node, reader)?;
        let before = reader.problems.len();
        if observations.value < 2 {
            let help = "write at least 2: once is how often everything is seen";
            reader.refuse(observations.span, "what is seen once is not stable yet", help);
        }
        let Age(duration) = over.value;
        if duration.is_zero() {
            reader.refuse(over.span, "no time at all is not long enough to tell", "write for example 10m");
        }
        (reader.problems.len() == before).then_some(Self {
            observations: observations.value,
            over: duration,
            above: above.unwrap_or(0),
        })
    }
}

impl Stable {
    /// What has to be seen several times, if anything: by what it means, so that neither order nor wording counts.
    pub(super) fn watch(&self, groups: &BTreeMap<(Group, &'static str), Count>) -> Option<Watched> {
        let mut gone: Vec<&str> = groups.values().flat_map(|count| &count.gone).map(String::as_str).collect();
        if gone.len() <= self.above {
            return None;
        }
        gone.sort_unstable();
        let mut hash = Sha256::new();
        hash.update(b"portcullis-removal-v1\0");
        for what in gone {
            hash.update(u64::try_from(what.len()).unwrap_or(u64::MAX).to_be_bytes());
            hash.update(what);
        }
        Some(Watched { removal: hex(&hash.finalize()), over: self.over })
    }

    /// Reports a removal that was not seen often enough yet.
    pub(super) fn judge(
        &self,
        Watched { removal, over: _ }: &Watched,
        groups: &BTreeMap<(Group, &'static str), Count>,
        cx: &Context<'_>,
        report: &mut Report<'_>,
    ) -> Result<(), MissingFact> {
        let removed: usize = groups.values().map(Count::removed).sum();
        let objects = if removed == 1 { "1 object".to_owned() } else { format!("{removed} objects") };
        let (seen, begun) = match &cx.facts.seen {
            Seen::Unknown(missing) => return Err(missing.clone()),
            Seen::Unasked => {
                return Err(MissingFact {
                    what: format!("whether the removal of {objects} was seen before"),
                    help: "name the file in which that is kept: `--state FILE`, the same one in every run".to_owned(),
                });
            }
            Seen::Known { removals, begun } => (removals.get(removal), begun),
        };
        let none = Sightings { observations: 0, over: Duration::ZERO };
        let Sightings { observations, over } = *seen.unwrap_or(&none);
        if observations >= self.observations && over >= self.over {
            return Ok(());
        }
        let begun =
            begun.as_ref().map(|why| format!(" (what was seen before does not count: {why})")).unwrap_or_default();
        let message = format!(
            "the removal of {objects} was seen {observations} of {} times without having changed, over {} of {}{begun}",
            self.observations,
            show_age(over),
            show_age(self.over),
        );
        let help = "look again later with the same --state: it counts once it was seen so often, and for so long, without \
                    having changed; if it is not meant, find out why the input of the program was incomplete";
        let finding = report.finding(message, help);
        finding.location = groups.values().find_map(|count| count.first).map(|span| (Side::Base, span));
        Ok(())
    }
}
