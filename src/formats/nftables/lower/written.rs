//! What rules write and other rules' conditions read: marks, sets, buckets, the hop limit, the service byte, other bytes of the packet.
//!
//! Such a condition is the same on both sides of a change only if its writers are. So its text carries a digest of them: when
//! they changed, the condition is another one there, and the answer widens instead of being wrongly exact.
//! - Marks and bytes belong to the packet: the digest covers the writers and all that can keep a packet from them, which are the
//!   rules before a writer and before the calls that lead there, and the chains that those lead to; where the base chains with
//!   writers stand among those with readers; and what is read there in turn.
//! - Buckets (limits and quotas of a name, and those in the elements of sets) are emptied by all that ask them: where there
//!   are several, the digest covers them and all that can keep a packet from them.
//! - Sets outlive the packet, and what came before is not known anyway. The digest covers the writers, the calls that lead
//!   there, the base chains that those are in, the rules before a writer in its own chain unless that is a base chain, and what
//!   the set itself asks of elements. Other rules that end before a writer or a call is reached are not covered, or every change
//!   of a host with a dynamic set would be undecided: it is assumed that what they keep from the writer on one side only
//!   was not what filled the set, nor what would have.

use super::hooks::is_dormant;
use super::order;
use super::survey::{Survey, Ways};
use super::terms::Truth;
use crate::formats::nftables::ruleset::{Ruleset, Table};
use crate::net::Ranges;
use crate::text::hex;
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write as _;

/// The digests of one side, by what is written.
#[derive(Debug, Default)]
pub(super) struct Digests(BTreeMap<Truth, String>);

/// What a rule says: in one way of writing, with what the sets hold that it names, and what it reads of what rules write.
#[derive(Debug, Default)]
pub(super) struct Said {
    pub(super) text: String,
    pub(super) reads: BTreeSet<Truth>,
}

impl Digests {
    /// Of everything that is written. `said` gives the rule of that table, chain and number, and `asked` what a set asks of its
    /// elements.
    pub(super) fn of(
        ruleset: &Ruleset<'_>,
        survey: &Survey,
        mut said: impl FnMut(usize, usize, usize) -> Said,
        asked: impl Fn(usize, &str) -> Option<String>,
    ) -> Self {
        let writes = || survey.tables.iter().flatten().flat_map(|seen| &seen.writes);
        let truths: BTreeSet<&Truth> = writes().map(|(truth, _)| truth).collect();
        let mut known: HashMap<(usize, usize, usize), Said> = HashMap::new();
        let mut own: BTreeMap<&Truth, (String, BTreeSet<Truth>)> = BTreeMap::new();
        for truth in truths {
            let outlives = match truth {
                Truth::Set(_) => true,
                // Who takes from it alone shares it with nobody, as where it has no name.
                Truth::Bucket(_) if writes().filter(|(written, _)| written == truth).count() < 2 => continue,
                Truth::Bucket(_) => false,
                Truth::Packet | Truth::Occurrence | Truth::Marks | Truth::Hops | Truth::Service => false,
                Truth::Payload | Truth::Options | Truth::Class => false,
            };
            let (mut parts, mut reads) = (Vec::new(), BTreeSet::new());
            let mut through = Vec::with_capacity(ruleset.tables.len());
            for (number, (table, chains)) in ruleset.tables.iter().zip(&survey.tables).enumerate() {
                if let Truth::Set(set) | Truth::Bucket(set) = truth {
                    parts.extend(asked(number, set));
                }
                let of = |(chain, seen): (usize, &super::survey::Seen)| {
                    let mine = seen.writes.iter().filter(|(written, _)| written == truth);
                    mine.map(|(_, rule)| (chain, *rule)).collect::<Vec<_>>()
                };
                let holders: Vec<(usize, usize)> = chains.iter().enumerate().flat_map(of).collect();
                let ways = survey.ways(table, number, &holders);
                through.push((0..chains.len()).map(|chain| ways.through(chain)).collect());
                for (chain, wanted) in wanted(table, &ways, &holders, outlives).into_iter().enumerate() {
                    if wanted.is_empty() {
                        continue;
                    }
                    let mut part = place(table, chain);
                    for rule in wanted {
                        let said = known.entry((number, chain, rule)).or_insert_with(|| said(number, chain, rule));
                        write!(part, "\n{}", said.text).expect("writing to a String");
                        reads.extend(said.reads.iter().filter(|read| *read != truth).cloned());
                    }
                    parts.push(part);
                }
            }
            parts.sort_unstable();
            if !outlives {
                parts.extend(in_order(ruleset, survey, truth, &through));
            }
            own.insert(truth, (short_digest(&parts.join("\n")), reads));
        }
        let whole = |truth: &Truth| {
            let (mut seen, mut todo) = (BTreeSet::from([truth]), vec![truth]);
            while let Some(truth) = todo.pop() {
                let reads = own.get(truth).map(|(_, reads)| reads);
                todo.extend(reads.into_iter().flatten().filter(|read| seen.insert(read)));
            }
            seen.remove(truth);
            let (digest, _) = own.get(truth).cloned().unwrap_or_default();
            let others: Vec<&str> = seen.into_iter().filter_map(|read| Some(own.get(read)?.0.as_str())).collect();
            if others.is_empty() { digest } else { short_digest(&format!("{digest} {}", others.join(" "))) }
        };
        Self(own.keys().map(|truth| ((*truth).clone(), whole(truth))).collect())
    }

    /// What the text of a condition of that truth ends with; `None`: nothing writes what it reads.
    pub(super) fn of_truth(&self, truth: &Truth) -> Option<String> {
        let word = match truth {
            Truth::Packet | Truth::Occurrence => return None,
            Truth::Marks => "marks",
            Truth::Hops => "hop limits",
            Truth::Service => "service bytes",
            Truth::Payload => "bytes",
            Truth::Options => "tcp options",
            Truth::Class => "priorities and kinds",
            Truth::Set(_) => "set",
            Truth::Bucket(_) => "bucket",
        };
        self.0.get(truth).map(|digest| format!(" [{word} {digest}]"))
    }
}

/// The rules of each chain that a digest covers.
fn wanted(table: &Table<'_>, ways: &Ways, holders: &[(usize, usize)], outlives: bool) -> Vec<Vec<usize>> {
    if !outlives {
        return ways.before().into_iter().map(|count| (0..count).collect()).collect();
    }
    let mut wanted = ways.rules.clone();
    for (chain, rule) in holders.iter().filter(|(chain, _)| table.chains[*chain].base.is_none()) {
        wanted[*chain].extend(0..*rule);
    }
    wanted.into_iter().map(|rules| rules.into_iter().collect()).collect()
}

/// A chain, and where its rules come to stand.
pub(super) fn place(table: &Table<'_>, chain: usize) -> String {
    let chain = &table.chains[chain];
    let dormant = if is_dormant(table) { " dormant" } else { "" };
    let base = chain.base.as_ref().map(|base| super::objects::exact_text(table, chain, base)).unwrap_or_default();
    format!("{} {base}{dormant}", super::names::in_table(table, &chain.name.text))
}

/// The base chains of the hooks where something is written, as far as they write or read it; `through`: whether packets come to
/// a writer through that chain of that table.
fn in_order(ruleset: &Ruleset<'_>, survey: &Survey, truth: &Truth, through: &[Vec<bool>]) -> Vec<String> {
    let writes = |base: &order::Base| through[base.table].get(base.chain) == Some(&true);
    let reads = |base: &order::Base| {
        let reached = base.reached(ruleset, survey);
        survey.tables[base.table].iter().zip(reached).any(|(seen, reached)| reached && seen.reads.contains(truth))
    };
    let one = |(hook, bases): (&str, Vec<order::Base>)| {
        if !bases.iter().any(writes) {
            return None;
        }
        let bases: Vec<String> =
            bases.iter().filter(|base| writes(base) || reads(base)).map(|base| base.name(ruleset)).collect();
        (bases.len() > 1).then(|| format!("{hook}: {}", bases.join(", ")))
    };
    order::bases(ruleset).into_iter().filter_map(one).collect()
}

/// 64 bits of a digest, in hexadecimal.
pub(super) fn short_digest(text: &str) -> String {
    hex(&Sha256::digest(text)[..8])
}

fn narrow((first, last): (u32, u32)) -> [u8; 8] {
    (u64::from(first) << 32 | u64::from(last)).to_be_bytes()
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
            Ranges::Narrow(list) => list.iter().for_each(|range| bytes.extend_from_slice(&narrow(*range))),
            Ranges::One(first, last) if let (Ok(first), Ok(last)) = (u32::try_from(first), u32::try_from(last)) => {
                bytes.extend_from_slice(&narrow((first, last)));
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
