//! What rules write and other rules' conditions read: marks, sets, the hop limit, the service byte.
//!
//! Such a condition is the same on both sides of a change only if its writers are. So its text carries a digest of them: when
//! they changed, the condition is another one there, and the answer widens instead of being wrongly exact.
//! - Marks, hop limits and service bytes belong to the packet: the digest covers all rules of the chains that hold a writer and of
//!   the chains that lead there, since any of them can keep a packet from the writer.
//! - Sets outlive the packet, so what was added to them is not known anyway and is assumed to be the same on both sides: the
//!   digest covers the writers themselves.

use super::survey::Survey;
use super::terms::Truth;
use crate::formats::nftables::ruleset::Ruleset;
use crate::net::Ranges;
use crate::text::hex;
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// The digests of one side, by what is written.
#[derive(Debug, Default)]
pub(super) struct Digests(BTreeMap<Truth, String>);

impl Digests {
    /// Of everything that is written. `text` gives the rule of that table, chain and number in one way of writing.
    pub(super) fn of(
        ruleset: &Ruleset<'_>,
        survey: &Survey,
        mut text: impl FnMut(usize, usize, usize) -> String,
    ) -> Self {
        let writes = || survey.tables.iter().flatten().flat_map(|seen| &seen.writes);
        let truths: BTreeSet<&Truth> = writes().map(|(truth, _)| truth).collect();
        let mut digests = BTreeMap::new();
        for truth in truths {
            let outlives = match truth {
                Truth::Set(_) => true,
                Truth::Packet | Truth::Occurrence | Truth::Marks | Truth::Hops | Truth::Service => false,
            };
            let mut parts = Vec::new();
            for (number, (table, chains)) in ruleset.tables.iter().zip(&survey.tables).enumerate() {
                let rules = |chain: usize| {
                    let seen = chains.get(chain).map_or(&[][..], |seen| seen.writes.as_slice());
                    seen.iter().filter(|(written, _)| written == truth).map(|(_, rule)| *rule).collect::<Vec<_>>()
                };
                let holders: Vec<usize> = (0..chains.len()).filter(|chain| !rules(*chain).is_empty()).collect();
                let leading = survey.leading_to(table, number, &holders);
                for (chain, model) in table.chains.iter().enumerate() {
                    let wanted: Vec<usize> = if outlives {
                        rules(chain)
                    } else if leading.get(chain) == Some(&true) {
                        (0..model.rules.len()).collect()
                    } else {
                        continue;
                    };
                    if wanted.is_empty() {
                        continue;
                    }
                    let mut part = super::names::in_table(table, &model.name.text);
                    for rule in wanted {
                        write!(part, "\n{}", text(number, chain, rule)).expect("writing to a String");
                    }
                    parts.push(part);
                }
            }
            parts.sort_unstable();
            digests.insert(truth.clone(), short_digest(&parts.join("\n")));
        }
        Self(digests)
    }

    /// What the text of a condition of that truth ends with; `None`: nothing writes what it reads.
    pub(super) fn of_truth(&self, truth: &Truth) -> Option<String> {
        let word = match truth {
            Truth::Packet | Truth::Occurrence => return None,
            Truth::Marks => "marks",
            Truth::Hops => "hop limits",
            Truth::Service => "service bytes",
            Truth::Set(_) => "set",
        };
        self.0.get(truth).map(|digest| format!(" [{word} {digest}]"))
    }
}

/// 64 bits of a digest, in hexadecimal.
pub(super) fn short_digest(text: &str) -> String {
    hex(&Sha256::digest(text)[..8])
}

/// The same of many intervals.
pub(super) fn digest_of_ranges(ranges: Ranges<'_>) -> String {
    const MANY: usize = 1 << 11;
    let mut hash = Sha256::new();
    let mut bytes = Vec::with_capacity(MANY * size_of::<[u128; 2]>());
    let mut at = 0;
    while at < ranges.len() {
        let end = ranges.len().min(at + MANY);
        bytes.clear();
        match ranges.slice(at, end) {
            // Narrow numbers are hashed narrow: there may be a million.
            Ranges::Narrow(list) => {
                let both = |(first, last): &(u32, u32)| u64::from(*first) << 32 | u64::from(*last);
                list.iter().for_each(|range| bytes.extend_from_slice(&both(range).to_be_bytes()));
            }
            list @ (Ranges::One(..) | Ranges::Wide(_)) => {
                let ends = list.iter().flat_map(|(first, last)| [first, last]);
                ends.for_each(|end| bytes.extend_from_slice(&end.to_be_bytes()));
            }
        }
        hash.update(&bytes);
        at = end;
    }
    hex(&hash.finalize()[..8])
}
