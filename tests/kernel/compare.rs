//! Holds what the kernel did against what the model says.

use crate::observe::{Point, Sightings};
use crate::probe::{Body, Hook, Probe};
use portcullis::diff::{Sided, trace};
use portcullis::formats::{self, Input, Note};
use portcullis::model::{Configuration, Literal, Snapshot, Store};
use portcullis::net::{Family, Packet, Region, State};
use portcullis::text::{Linked, Place, SourceMap};

/// A ruleset as the model reads it.
pub(crate) struct Model {
    sources: SourceMap,
    store: Store,
    snapshot: Snapshot,
    notes: Vec<Note>,
}

/// The answers the model leaves possible, over all truths of the conditions that it does not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Answers {
    pub(crate) allowed: bool,
    pub(crate) denied: bool,
}

impl Answers {
    pub(crate) const fn depend(self) -> bool {
        self.allowed && self.denied
    }

    const fn admit(self, passed: bool) -> bool {
        if passed { self.allowed } else { self.denied }
    }
}

/// One packet of which kernel and model say different things.
#[derive(Debug, Clone)]
pub(crate) struct Mismatch {
    /// Its index in the run.
    pub(crate) probe: usize,
    pub(crate) hook: Hook,
    pub(crate) state: State,
    /// Whether the kernel let it pass.
    pub(crate) passed: bool,
}

/// How a run compares.
#[derive(Debug, Default)]
pub(crate) struct Comparison {
    /// Packets at hooks that were compared.
    pub(crate) compared: u64,
    /// Those of them at which the answer depends on a condition that the model does not know.
    pub(crate) depending: u64,
    /// Those of them that the kernel dropped.
    pub(crate) dropped: u64,
    /// Packets at hooks that the model says never come there, which is not compared.
    pub(crate) outside: u64,
    /// Packets at hooks whose connection is translated, which is not compared.
    pub(crate) translated: u64,
    /// By [`State`].
    pub(crate) states: [u64; State::ALL.len()],
    /// By [`Hook`].
    pub(crate) hooks: [u64; Hook::ALL.len()],
    pub(crate) mismatches: Vec<Mismatch>,
}

const NAME: &str = "host";

/// Reads rules on a host that has no files to include.
pub(crate) fn read(sources: &mut SourceMap, store: &mut Store, rules: &str, format: &str) -> (Snapshot, Vec<Note>) {
    let file = sources.add(b"rules", rules.into()).expect("rules are smaller than 4 GiB");
    let format = formats::format(format);
    for include in format.map(|format| format.includes("rules", "rules", rules.as_bytes())).unwrap_or_default() {
        sources.link(file, &include.name, Linked { texts: Vec::new(), within: true });
    }
    let input = Input { name: NAME.to_owned(), format, files: vec![file] };
    let (snapshot, _, notes) = formats::read(&[input], sources, store, None);
    (snapshot, notes)
}

impl Model {
    pub(crate) fn read(rules: &str, format: &str) -> Self {
        let mut sources = SourceMap::default();
        let mut store = Store::default();
        let (snapshot, notes) = read(&mut sources, &mut store, rules, format);
        Self { sources, store, snapshot, notes }
    }

    /// What of the input the model does not state, with the text.
    pub(crate) fn gaps(&self) -> Vec<(Place, String, String)> {
        let gap = |gap: &portcullis::model::Gap| {
            (self.sources.locate(gap.origin), gap.reason.clone(), self.sources.show(gap.origin))
        };
        self.snapshot.gaps().iter().map(gap).collect()
    }

    /// Whether the line, counted from 1, has a part of which the model says nothing exact.
    pub(crate) fn is_open(&self, line: usize) -> bool {
        self.notes.iter().any(|note| usize::try_from(self.sources.locate(note.origin).line) == Ok(line))
    }

    /// The family for which the rules are read, if there are any rules.
    pub(crate) fn family(&self) -> Option<Family> {
        let filter = self.snapshot.configurations().first()?.filters.first()?;
        filter.domain.first().map(Region::family)
    }

    fn translates(&self) -> bool {
        let mut objects = self.snapshot.configurations().iter().flat_map(|configuration| &configuration.objects);
        objects.any(|object| object.kind == "translation")
    }

    fn sided(&self, hook: Hook) -> Option<Sided<'_>> {
        let configuration: &Configuration = self.snapshot.configurations().first()?;
        let filter = configuration.filter(&format!("{NAME}/{}", hook.name()))?;
        Some(Sided { configuration, filter })
    }

    /// What may happen to a packet at a hook. A hook without rules lets everything pass.
    pub(crate) fn answers(&self, hook: Hook, packet: &Packet) -> Answers {
        let Some(sided) = self.sided(hook) else { return Answers { allowed: true, denied: false } };
        let mut answers = Answers::default();
        let mut open: Vec<Vec<Literal>> = vec![Vec::new()];
        let mut walks = 0;
        while let Some(assumed) = open.pop() {
            walks += 1;
            if walks > 256 {
                return Answers { allowed: true, denied: true };
            }
            let walk = trace(&self.store, sided, packet, &assumed);
            match walk.unknown.first() {
                None if walk.answer.allowed => answers.allowed = true,
                None => answers.denied = true,
                Some(_) if answers.depend() => break,
                Some(unknown) => {
                    for holds in [false, true] {
                        let literal = Literal { opaque: unknown.opaque, holds };
                        open.push(assumed.iter().copied().chain([literal]).collect());
                    }
                }
            }
        }
        answers
    }

    /// The way of a packet through a hook, a line a hop.
    pub(crate) fn explain(&self, hook: Hook, packet: &Packet) -> Vec<String> {
        let Some(sided) = self.sided(hook) else { return vec!["the model has no rules at this hook".to_owned()] };
        let walk = trace(&self.store, sided, packet, &[]);
        let hop = |hop: &portcullis::diff::Hop| {
            let text = hop.at.map_or_else(String::new, |at| self.sources.show(at));
            format!("{}{} {:?}: {text}", "  ".repeat(hop.depth), hop.chain, hop.what)
        };
        let unknown = walk.unknown.iter().map(|l| format!("unknown: {}", self.store.opaque_text(l.opaque)));
        let answer = format!("model: {}", if walk.answer.allowed { "passes" } else { "is dropped" });
        walk.hops.iter().map(hop).chain(unknown).chain([answer]).collect()
    }

    /// Compares every packet at every hook to which it came.
    pub(crate) fn compare(&self, probes: &[Probe], seen: &Sightings, names: &[String]) -> Comparison {
        let mut out = Comparison::default();
        let translates = self.translates();
        for ((index, probe), id) in probes.iter().enumerate().zip(1u16..) {
            for (hook, n) in Hook::ALL.into_iter().zip(0..) {
                let Some((state, passed)) = outcome(hook, seen, id) else { continue };
                let point = probe.point(hook, state, names);
                // Two connections that would become one cannot both be translated.
                let collides = !passed && translates && state == State::New;
                if seen.is_translated(id) || collides && matches!(probe.body, Body::Other(_)) {
                    out.translated += 1;
                    continue;
                }
                if self
                    .sided(hook)
                    .is_some_and(|sided| sided.filter.domain.iter().all(|region| !region.contains(&point)))
                {
                    out.outside += 1;
                    continue;
                }
                let answers = self.answers(hook, &point);
                out.compared += 1;
                out.depending += u64::from(answers.depend());
                out.dropped += u64::from(!passed);
                out.states[state as usize] += 1;
                let count: &mut u64 = &mut out.hooks[n];
                *count += 1;
                if !answers.admit(passed) {
                    out.mismatches.push(Mismatch { probe: index, hook, state, passed });
                }
            }
        }
        out
    }
}

/// The state of a packet at a hook and whether it came out; `None` if it did not come there.
pub(crate) fn outcome(hook: Hook, seen: &Sightings, id: u16) -> Option<(State, bool)> {
    match hook {
        Hook::Input | Hook::Forward | Hook::Postrouting => {
            let came = seen.at(hook, Point::Tracked, id);
            came.then(|| (seen.state(hook, id).unwrap_or(State::New), seen.at(hook, Point::After, id)))
        }
        Hook::Prerouting | Hook::Output => {
            if !seen.at(hook, Point::Before, id) {
                return None;
            }
            if !seen.at(hook, Point::Raw, id) {
                // Dropped in `raw`, where every packet is without a connection.
                return Some((State::Invalid, false));
            }
            // What connection tracking itself drops was not dropped by a rule.
            seen.at(hook, Point::Tracked, id)
                .then(|| (seen.state(hook, id).unwrap_or(State::New), seen.at(hook, Point::After, id)))
        }
    }
}
