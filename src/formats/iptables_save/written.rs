//! What rules write and other rules' conditions read: marks, `recent` lists, sets, the hop limit, the service byte.
//!
//! Such a condition is the same on both sides of a change only if its writers are. So its text carries a digest of them: when
//! they changed, the condition is another one there, and the answer widens instead of being wrongly exact.
//! - Marks, hop limits, service and other bytes belong to the packet: the digest covers all rules of the chains that hold a
//!   writer, of the chains that lead there, and of those to which these lead, since any of them can keep a packet from the writer.
//! - Lists and sets outlive the packet, so what is in them is not known anyway: the digest covers the writers themselves and the
//!   rules that lead to their chains. That the same packets come to those is assumed. (Which do would be the whole ruleset: every
//!   change would be two lists, and no answer about a host with a `recent` rule would be exact.)

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
                    let key = (tab.family, *truth, of.clone());
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
            let digest = self.0.get(&(family, *truth, of.clone()))?;
            Some(format!("[{} {of} {digest}]\n", word(*truth)))
        });
        digests.collect()
    }

    /// The same conditions, those that read what is written under their full names.
    pub(super) fn resolve(&self, family: Family, conditions: &[Vec<Term>]) -> Vec<Vec<Term>> {
        let mut conditions = conditions.to_vec();
        for term in conditions.iter_mut().flatten() {
            let Term::Opaque(unknown) = term else { continue };
            let written = self.0.get(&(family, unknown.truth, unknown.of.clone()));
            if written.is_some() || unknown.truth == Truth::Recent {
                unknown.text.push_str(&unknown.place);
            }
            if let Some(written) = written {
                write!(unknown.text, " [{} {written}]", word(unknown.truth)).expect("writing to a String");
            }
        }
        conditions
    }
}

const fn word(truth: Truth) -> &'static str {
    match truth {
        Truth::Packet | Truth::Occurrence => "written",
        Truth::Marks => "marks",
        Truth::Recent => "list",
        Truth::Sets => "set",
        Truth::Hops => "hop limits",
        Truth::Service => "service bytes",
        Truth::Bytes => "bytes",
    }
}

/// The digest of what is written there, and what the rules in it read.
fn digest(reading: &Reading<'_>, ruleset: &Ruleset<'_>, known: &Known<'_>, key: &Key) -> (String, BTreeSet<Key>) {
    let (family, truth, of) = key;
    let (mut parts, mut reads): (Vec<String>, _) = (Vec::new(), BTreeSet::new());
    for tab in ruleset.tabs.iter().filter(|tab| tab.family == *family) {
        let writes = |chain: usize| tab.more[chain].writes.iter().filter(|(t, o, _)| t == truth && o == of);
        let holders: Vec<usize> = (0..tab.more.len()).filter(|chain| writes(*chain).next().is_some()).collect();
        let outlives = match truth {
            Truth::Marks | Truth::Hops | Truth::Service | Truth::Bytes => false,
            Truth::Packet | Truth::Occurrence | Truth::Recent | Truth::Sets => true,
        };
        let leading = leading_to(tab, &holders);
        let names: HashSet<Symbol, RandomState> = leading.iter().map(|chain| tab.model.chains[*chain].name).collect();
        for chain in if outlives { leading } else { around(tab, leading) } {
            let Chain { name, rules, origins, .. } = &tab.model.chains[chain];
            let mut text = format!("{}/{}\n", tab.model.name, escape(reading.store.name(*name)));
            // The model has none of the rules of `nat`.
            let leads = |rule: RuleId| {
                tab.kind == TableKind::Nat
                    || match (tab.more[chain].later.get(&rule), reading.store.get(rule).action()) {
                        (Some(later), _) => later.chain(reading.store).is_some_and(|name| names.contains(&name)),
                        (None, Action::Jump(name) | Action::Goto(name)) => names.contains(&name),
                        (None, Action::Accept | Action::Deny | Action::Return | Action::Continue) => false,
                    }
            };
            for (at, of) in origins.lines() {
                if !outlives || leads(rules[of.start]) || writes(chain).any(|(_, _, written)| *written == at) {
                    text.extend([&*rule_text(reading, at, known), "\n"]);
                }
            }
            parts.push(text);
            reads.extend(tab.more[chain].reads.iter().map(|(truth, of)| (*family, *truth, of.clone())));
        }
    }
    parts.sort_unstable();
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
pub(super) fn rules_text(reading: &Reading<'_>, lines: &Origins, known: &Known<'_>) -> String {
    lines.lines().flat_map(|(at, _)| [rule_text(reading, at, known), Cow::Borrowed("\n")]).collect()
}

fn rule_text<'r>(reading: &Reading<'_>, at: Span, known: &Known<'r>) -> Cow<'r, str> {
    match known.get(&at) {
        Some(rule) => Cow::Borrowed(rule),
        None => {
            let command = parse::command(reading.text(at.source), at.start as usize, at.end as usize);
            Cow::Owned(normal::rule(&command))
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
fn leading_to(tab: &Tab<'_>, holders: &[usize]) -> Vec<usize> {
    if holders.is_empty() {
        return Vec::new();
    }
    let mut callers: HashMap<Symbol, Vec<usize>, RandomState> = HashMap::default();
    for (chain, more) in tab.more.iter().enumerate() {
        for (name, _) in &more.calls {
            callers.entry(*name).or_default().push(chain);
        }
    }
    let mut seen: Vec<bool> = vec![false; tab.more.len()];
    let mut todo = holders.to_vec();
    let mut out = Vec::new();
    while let Some(chain) = todo.pop() {
        if std::mem::replace(&mut seen[chain], true) {
            continue;
        }
        out.push(chain);
        todo.extend(callers.get(&tab.model.chains[chain].name).into_iter().flatten());
    }
    out.sort_unstable();
    out
}
