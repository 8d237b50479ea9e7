//! What rules write and other rules' conditions read: marks, `recent` lists, buckets, counters, sets, the hop limit, the
//! service byte.
//!
//! Such a condition is the same on both sides of a change only if its writers are. So its text carries a digest of them: when
//! they changed, the condition is another one there, and the answer widens instead of being wrongly exact.
//! - Marks, hop limits, service and other bytes belong to the packet: the digest covers all rules of the chains that hold a
//!   writer, of the chains that lead there, and of those to which these lead, since any of them can keep a packet from the writer.
//! - Lists, buckets, counters and sets outlive the packet, so what is in them is not known anyway: the digest covers the writers themselves and the
//!   rules that lead to their chains. That the same packets come to those is assumed. (Which do would be the whole ruleset: every
//!   change would be two lists, and no answer about a host with a `recent` rule would be exact.)
//! - Who takes from a bucket is a writer of it. Where that is one rule alone, nothing but itself is read by it.

use super::extensions::Truth;
use super::meaning::Term;
use super::normal;
use super::parse;
use super::ruleset::{Ruleset, Tab, TableKind};
use crate::formats::Reading;
use crate::model::{Action, Chain, Origins, RuleId, Symbol};
use crate::net::Family;
use crate::text::{Span, escape, hex};
use foldhash::quality::RandomState;
use sha2::{Digest as _, Sha256};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fmt::Write as _;

/// The digests of one side, by family, kind of state and name.
pub(super) struct Written(BTreeMap<Key, String>);

/// A family, a kind of state and a name.
type Key = (Family, Truth, String);

impl Written {
    /// Of everything that is written; nothing if no condition waits for it.
    pub(super) fn of(reading: &Reading<'_>, ruleset: &Ruleset<'_>) -> Self {
        let mut own: BTreeMap<Key, (String, BTreeSet<Key>)> = BTreeMap::new();
        let waits = ruleset.tabs.iter().flat_map(|tab| &tab.more).any(|more| !more.reads.is_empty());
        if waits {
            let known = besides(ruleset);
            for tab in &ruleset.tabs {
                for (truth, of, _) in tab.more.iter().flat_map(|more| &more.writes) {
                    let key = key(tab.family, *truth, of);
                    if *truth == Truth::Buckets && writers(ruleset, &key).nth(1).is_none() {
                        continue;
                    }
                    own.entry(key).or_insert_with_key(|key| digest(reading, ruleset, &known, key));
                }
            }
        }
        // What is written may depend on what is written elsewhere.
        let whole = |key: &Key| {
            let (mut seen, mut todo) = (BTreeSet::from([key]), vec![key]);
            while let Some(key) = todo.pop() {
                let reads = own.get(key).into_iter().flat_map(|(_, reads)| reads);
                todo.extend(reads.filter(|read| own.contains_key(read) && seen.insert(read)));
            }
            let digests: Vec<&str> = seen.into_iter().map(|key| own[key].0.as_str()).collect();
            if let [digest] = digests[..] { digest.to_owned() } else { short_digest(&digests.concat()) }
        };
        Self(own.keys().map(|key| (key.clone(), whole(key))).collect())
    }

    /// What becomes of all that conditions read, in a text.
    pub(super) fn of_all(&self, family: Family, reads: &BTreeSet<(Truth, String)>) -> String {
        let digests = reads.iter().filter_map(|(truth, of)| {
            let digest = self.0.get(&key(family, *truth, of))?;
            Some(format!("[{} {of} {digest}]\n", word(*truth)))
        });
        digests.collect()
    }

    /// The same conditions, those that read what is written under their full names.
    pub(super) fn resolve(&self, family: Family, conditions: &[Vec<Term>]) -> Vec<Vec<Term>> {
        let mut conditions = conditions.to_vec();
        for term in conditions.iter_mut().flatten() {
            let Term::Opaque(unknown) = term else { continue };
            let written = unknown.of.iter().filter_map(|of| self.0.get(&key(family, unknown.truth, of)));
            let written: Vec<_> = written.collect();
            if !written.is_empty() || matches!(unknown.truth, Truth::Recent | Truth::Buckets | Truth::Counters) {
                unknown.text.push_str(&unknown.place);
            }
            for written in written {
                write!(unknown.text, " [{} {written}]", word(unknown.truth)).expect("writing to a String");
            }
        }
        conditions
    }
}

/// Sets and counters are of no family.
fn key(family: Family, truth: Truth, of: &str) -> Key {
    let family = if is_shared(truth) { Family::Ipv4 } else { family };
    (family, truth, of.to_owned())
}

const fn is_shared(truth: Truth) -> bool {
    matches!(truth, Truth::Sets | Truth::Counters)
}

/// The tables with rules that can write it.
fn tabs<'r, 't>(ruleset: &'r Ruleset<'t>, (family, truth, _): &Key) -> impl Iterator<Item = &'r Tab<'t>> {
    ruleset.tabs.iter().filter(move |tab| tab.family == *family || is_shared(*truth))
}

/// Where it is written.
fn writers<'r>(ruleset: &'r Ruleset<'_>, key: &'r Key) -> impl Iterator<Item = Span> {
    let written = tabs(ruleset, key).flat_map(|tab| &tab.more).flat_map(|more| &more.writes);
    written.filter(|(truth, of, _)| *truth == key.1 && *of == key.2).map(|(_, _, at)| *at)
}

const fn word(truth: Truth) -> &'static str {
    match truth {
        Truth::Packet | Truth::Occurrence => "written",
        Truth::Marks => "marks",
        Truth::Recent => "list",
        Truth::Buckets => "buckets",
        Truth::Counters => "counters",
        Truth::Sets => "set",
        Truth::Hops => "hop limits",
        Truth::Service => "service bytes",
        Truth::Bytes => "bytes",
    }
}

/// The digest of what is written there, and what the rules in it read.
fn digest(reading: &Reading<'_>, ruleset: &Ruleset<'_>, known: &Known<'_>, key: &Key) -> (String, BTreeSet<Key>) {
    let (_, truth, of) = key;
    let (mut parts, mut reads): (Vec<String>, _) = (Vec::new(), BTreeSet::new());
    for tab in tabs(ruleset, key) {
        let writes = |chain: usize| tab.more[chain].writes.iter().filter(|(t, o, _)| t == truth && o == of);
        let holders: Vec<usize> = (0..tab.more.len()).filter(|chain| writes(*chain).next().is_some()).collect();
        let outlives = match truth {
            Truth::Marks | Truth::Hops | Truth::Service | Truth::Bytes => false,
            Truth::Packet | Truth::Occurrence | Truth::Recent | Truth::Buckets | Truth::Counters | Truth::Sets => true,
        };
        let leading = leading_to(tab, &holders);
        let names: HashSet<Symbol, RandomState> = leading.iter().map(|chain| tab.model.chains[*chain].name).collect();
        for chain in if outlives { leading } else { around(tab, leading) } {
            let Chain { name, rules, origins, .. } = &tab.model.chains[chain];
            let mut text = format!("{}/{}\n", tab.model.name, escape(reading.store.name(*name)));
            let later = &tab.more[chain].later;
            // The model has none of the rules of `nat`; those that are made later continue until then.
            let leads = |rule: RuleId| {
                tab.kind == TableKind::Nat
                    || match reading.store.get(rule).action() {
                        Action::Jump(name) | Action::Goto(name) => names.contains(&name),
                        Action::Continue => later
                            .get(&rule)
                            .and_then(|later| later.chain(reading.store))
                            .is_some_and(|name| names.contains(&name)),
                        Action::Accept | Action::Deny | Action::Return => false,
                    }
            };
            let written: Vec<Span> = writes(chain).map(|(_, _, at)| *at).collect();
            for (at, of) in origins.lines() {
                if !outlives || leads(rules[of.start]) || written.contains(&at) {
                    text.extend([&*rule_text(reading, tab.family, at, known), "\n"]);
                }
            }
            parts.push(text);
            reads.extend(tab.more[chain].reads.iter().map(|(truth, of)| self::key(tab.family, *truth, of)));
        }
    }
    parts.sort_unstable();
    if *truth == Truth::Buckets {
        // The first rule of a name makes its buckets (xt_hashlimit.c, `htable_find_get`).
        let first = writers(ruleset, key).min_by_key(|at| (at.source, at.start));
        parts.extend(first.map(|at| rule_text(reading, key.0, at, known).into_owned()));
    }
    (short_digest(&parts.concat()), reads)
}

/// Rules whose normalised text is known, by their places.
type Known<'r> = HashMap<Span, &'r str, RandomState>;

/// The rules that are objects too.
pub(super) fn besides<'r>(ruleset: &'r Ruleset<'_>) -> Known<'r> {
    ruleset
        .objects
        .iter()
        .filter(|object| object.kind != "set")
        .map(|object| (object.origin, &*object.content))
        .collect()
}

/// The rules at these places in their normalised text, one a line.
pub(super) fn rules_text(reading: &Reading<'_>, family: Family, lines: &Origins, known: &Known<'_>) -> String {
    lines.lines().flat_map(|(at, _)| [rule_text(reading, family, at, known), Cow::Borrowed("\n")]).collect()
}

fn rule_text<'r>(reading: &Reading<'_>, family: Family, at: Span, known: &Known<'r>) -> Cow<'r, str> {
    match known.get(&at) {
        Some(rule) => Cow::Borrowed(rule),
        None => {
            let command = parse::command(reading.text(at.source), at.start as usize, at.end as usize);
            Cow::Owned(normal::rule(&command, family))
        }
    }
}

/// 64 bits of a digest, in hexadecimal.
pub(super) fn short_digest(text: &str) -> String {
    hex(&Sha256::digest(text)[..8])
}

/// These chains, all from which one of them can be reached, and all that those lead to, sorted: any of them can keep a packet
/// from these.
pub(super) fn ways_to(tab: &Tab<'_>, holders: &[usize]) -> Vec<usize> {
    around(tab, leading_to(tab, holders))
}

/// These chains and all that they lead to, sorted.
fn around(tab: &Tab<'_>, leading: Vec<usize>) -> Vec<usize> {
    let mut seen: BTreeSet<usize> = BTreeSet::new();
    let mut todo = leading;
    while let Some(chain) = todo.pop() {
        if seen.insert(chain) {
            let called = tab.more[chain].calls.iter().filter_map(|(name, _)| tab.model.find(*name));
            todo.extend(called.map(|id| id.0 as usize));
        }
    }
    seen.into_iter().collect()
}

/// These chains and all from which one of them can be reached.
pub(super) fn leading_to(tab: &Tab<'_>, holders: &[usize]) -> Vec<usize> {
    if holders.is_empty() {
        return Vec::new();
    }
    let mut callers: Vec<(Symbol, usize)> = Vec::new();
    for (chain, more) in tab.more.iter().enumerate() {
        callers.extend(more.calls.iter().map(|(name, _)| (*name, chain)));
    }
    callers.sort_unstable();
    let mut seen: Vec<bool> = vec![false; tab.more.len()];
    let mut todo = holders.to_vec();
    let mut out = Vec::new();
    while let Some(chain) = todo.pop() {
        if std::mem::replace(&mut seen[chain], true) {
            continue;
        }
        out.push(chain);
        let name = tab.model.chains[chain].name;
        let calling = &callers[callers.partition_point(|(called, _)| *called < name)..];
        todo.extend(calling.iter().take_while(|(called, _)| *called == name).map(|(_, caller)| *caller));
    }
    out.sort_unstable();
    out
}
