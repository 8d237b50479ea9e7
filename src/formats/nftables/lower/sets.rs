//! What sets and maps hold, and what nft and the kernel refuse about it.

use super::arguments::of_types;
use super::declared::{Declared, data_kinds, decides, kinds, shown_value};
use super::overlaps::Boxes;
use super::statements::asked_by;
use super::values::{Values, values};
use super::written::{digest_of_ranges, short_digest};
use crate::formats::Disposition;
use crate::formats::nftables::account::Account;
use crate::formats::nftables::ruleset::{self, ChangeAction};
use crate::formats::nftables::syntax::{Element, ElementOption, Elements, Expression, Form, Kind, SetKey};
use crate::formats::nftables::types::Type;
use crate::net::Set;
use crate::text::Span;
use std::collections::{BTreeMap, HashMap, hash_map};

/// What is in a set or map.
#[derive(Debug, Default)]
pub(super) struct Contents<'r, 't> {
    pub(super) kinds: Vec<Type>,
    /// Of a set with keys of one part: those that are there for certain …
    pub(super) sure: Values,
    /// … and those that time out or are limited.
    pub(super) unsure: Values,
    /// Of a set with keys of several parts: the parts, and whether it is there for certain.
    pub(super) boxes: Vec<(Vec<Values>, bool)>,
    /// Of a map: each key with its value.
    pub(super) entries: Vec<Entry<'r, 't>>,
    pub(super) count: usize,
    /// What the set asks of packets that meet an element, and what elements ask instead.
    asked: Option<String>,
    limits: Vec<String>,
    /// How each element reads, sorted: the same for every way of writing it.
    pub(super) shown: Vec<String>,
}

/// An element of a map.
#[derive(Debug, Clone)]
pub(super) struct Entry<'r, 't> {
    pub(super) key: Vec<Values>,
    pub(super) sure: bool,
    /// It stands for every key that no other element has.
    pub(super) rest: bool,
    pub(super) value: &'r Expression<'t>,
    pub(super) at: Span,
}

impl<'r, 't> Contents<'r, 't> {
    /// What a named set holds after everything that was done to it.
    pub(super) fn of_set(set: &'r ruleset::Set<'t>, account: &mut Account) -> Self {
        let declared = Declared::of(set);
        let kinds = match kinds(set) {
            Ok(kinds) => kinds,
            // The declaration is refused, and so is said already, unless it is about what a type is read from.
            Err(reason) => {
                if matches!(set.head.key, Some(SetKey::TypeOf(_))) {
                    account.gap(set.head.path.name.at, format!("{reason}: nft refuses the file"));
                }
                return Self::default();
            }
        };
        let mut contents = Self { kinds, asked: asked_by(&set.head), ..Self::default() };
        let data = data_kinds(set);
        let mut reading = Reader { contents: &mut contents, declared, data, seen: Some(Seen::default()), account };
        for change in &set.changes {
            reading.account.claim(change.at, Disposition::Modelled);
            match change.action {
                ChangeAction::Add | ChangeAction::Create => reading.add(&change.elements, change.at),
                ChangeAction::Delete | ChangeAction::Destroy => {
                    reading.delete(&change.elements, change.action == ChangeAction::Delete, change.at);
                }
            }
        }
        reading.check_size(set.head.path.name.at);
        contents.finish();
        if let ([_], false) = (&contents.kinds[..], declared.map) {
            // As the kernel would list them.
            let sets = [&contents.sure, &contents.unsure];
            let names: usize = sets.iter().map(|values| values.names.len()).sum();
            if !declared.interval {
                let values = sets.iter().fold(0u128, |sum, values| sum.saturating_add(values.set.len()));
                contents.count = usize::try_from(values).unwrap_or(usize::MAX).saturating_add(names);
            } else if declared.auto_merge {
                contents.count = sets.iter().map(|values| values.set.ranges().len()).sum::<usize>() + names;
            }
        }
        contents
    }

    /// What stands between the braces of a rule.
    pub(super) fn anonymous(
        elements: &'r Elements<'t>,
        kinds: Vec<Type>,
        map: bool,
        at: Span,
        account: &mut Account,
    ) -> Self {
        let mut contents = Self { kinds, ..Self::default() };
        let declared = Declared { map, auto_merge: !map, ..Declared::ANONYMOUS };
        Reader { contents: &mut contents, declared, data: Vec::new(), seen: Some(Seen::default()), account }
            .add(elements, at);
        contents.finish();
        contents
    }

    fn finish(&mut self) {
        // Elements whose other parts are the same are one with several values in the last.
        let mut merged: Vec<(Vec<Values>, bool)> = Vec::with_capacity(self.boxes.len());
        let mut places: std::collections::HashMap<(Vec<String>, bool), usize> = std::collections::HashMap::new();
        for (mut parts, sure) in std::mem::take(&mut self.boxes) {
            let others = parts.iter().zip(&self.kinds).take(parts.len().saturating_sub(1));
            let key = (others.map(|(values, kind)| values.show(*kind)).collect(), sure);
            match places.get(&key) {
                Some(place) => {
                    if let (Some(last), Some(into)) = (parts.pop(), merged[*place].0.last_mut()) {
                        into.add(last);
                    }
                }
                None => {
                    places.insert(key, merged.len());
                    merged.push((parts, sure));
                }
            }
        }
        self.boxes = merged;
        self.shown.sort_unstable();
        self.shown.dedup();
        self.limits.sort_unstable();
        self.limits.dedup();
    }

    /// A digest of all of it.
    pub(super) fn digest(&self) -> String {
        let Self { kinds: _, sure, unsure, boxes: _, entries: _, count: _, asked, limits, shown } = self;
        let mut parts = Vec::new();
        for values in [sure, unsure] {
            let mut names = values.names.clone();
            names.sort_unstable();
            parts.push(format!("{} {}", digest_of_ranges(values.set.ranges()), names.join(", ")));
        }
        parts.extend(asked.clone());
        parts.extend([limits, shown].map(|texts| texts.join(", ")));
        short_digest(&parts.join("\n"))
    }

    /// The condition that those of its elements are in it that are not always.
    pub(super) fn there(&self, set: Option<&str>, otherwise: &str) -> String {
        let set = set.unwrap_or(otherwise);
        match (&self.asked, self.limits.as_slice()) {
            (None, []) => format!("the elements of {set} that time out are in it"),
            (Some(limit), []) => format!("the elements of {set} that time out or ask for more are in it ({limit})"),
            (asked, limits) => {
                let digest = short_digest(&format!("{asked:?} {}", limits.join("\n")));
                format!("the elements of {set} that time out or ask for more are in it [{digest}]")
            }
        }
    }

    /// Whether its elements ask more of packets than their keys.
    pub(super) fn asks(&self) -> bool {
        self.asked.is_some() || !self.limits.is_empty()
    }

    /// Whether one of its elements is only there for a time.
    pub(super) fn has_unsure(&self) -> bool {
        self.unsure != Values::default()
            || self.boxes.iter().any(|(_, sure)| !sure)
            || self.entries.iter().any(|entry| !entry.sure)
    }
}

pub(super) struct Reader<'c, 'r, 't> {
    pub(super) contents: &'c mut Contents<'r, 't>,
    pub(super) declared: Declared,
    /// What a map maps to, if that is known.
    data: Vec<Type>,
    /// `None`: it has to be made again from what is left.
    seen: Option<Seen>,
    account: &'c mut Account,
}

/// Elements that were added, to tell which of later ones conflict with them.
#[derive(Default)]
struct Seen {
    /// Keys of several parts.
    boxes: Boxes,
    /// Keys of a map, and what they are mapped to.
    values: HashMap<Vec<Values>, String>,
    /// Keys of one part of a map: first and last value, none of which overlap.
    intervals: BTreeMap<u128, u128>,
}

/// Why an element of a map is refused.
const OTHER_VALUE: &str = "Could not process rule: File exists: the key has another value";
const OVERLAP: &str = "Could not process rule: File exists: it overlaps another element";

impl Seen {
    fn of(contents: &Contents<'_, '_>) -> Self {
        let mut seen = Self::default();
        // What conflicts among them was said when it was added.
        for (key, _) in &contents.boxes {
            seen.boxes.insert(key);
        }
        for entry in &contents.entries {
            let (Ok(()) | Err(_)) = seen.entry(entry);
        }
        seen
    }

    /// Takes an element of a map in.
    fn entry(&mut self, entry: &Entry<'_, '_>) -> Result<(), &'static str> {
        if entry.rest {
            return Ok(());
        }
        let value = super::text::expression(entry.value);
        match self.values.entry(entry.key.clone()) {
            hash_map::Entry::Occupied(known) => return if *known.get() == value { Ok(()) } else { Err(OTHER_VALUE) },
            hash_map::Entry::Vacant(place) => drop(place.insert(value)),
        }
        let [part] = entry.key.as_slice() else {
            return if self.boxes.insert(&entry.key) { Ok(()) } else { Err(OVERLAP) };
        };
        if !part.set.ranges().iter().all(|range| self.is_free(range)) {
            return Err("conflicting intervals specified");
        }
        self.intervals.extend(part.set.ranges());
        Ok(())
    }

    fn is_free(&self, (first, last): (u128, u128)) -> bool {
        self.intervals.range(..=last).next_back().is_none_or(|(_, end)| *end < first)
    }
}

impl<'r, 't> Reader<'_, 'r, 't> {
    pub(super) fn refuse(&mut self, at: Span, reason: impl std::fmt::Display) {
        self.account.gap(at, format!("{reason}: nft refuses the file"));
    }

    fn add(&mut self, elements: &'r Elements<'t>, at: Span) {
        self.contents.count += elements.len();
        if self.declared.map {
            self.plain_without_value(elements, at);
            return elements.others.iter().for_each(|element| self.element(element));
        }
        let [kind] = self.contents.kinds[..] else {
            self.plain_refused(elements, at);
            return elements.others.iter().for_each(|element| self.element(element));
        };
        let ranges = self.plain(elements, kind, at);
        let sure = self.declared.timeout.is_none() && !self.declared.limited;
        let into = if sure { &mut self.contents.sure } else { &mut self.contents.unsure };
        into.add(Values::of(ranges));
        elements.others.iter().for_each(|element| self.element(element));
    }

    /// Elements that carry nothing carry no value.
    fn plain_without_value(&mut self, elements: &Elements<'_>, at: Span) {
        let Elements { long: _, ipv4: _, ipv6, numbers, others: _ } = elements;
        let ipv4 = elements.all_ipv4();
        let places = ipv4.iter().map(|one| (one.at, one.length)).chain(ipv6.iter().map(|one| (one.at, one.length)));
        let first = places.chain(numbers.iter().map(|one| (one.at, one.length))).min();
        if let Some((start, length)) = first {
            let at = Span { source: at.source, start, end: start + u32::from(length) };
            self.refuse(at, NO_VALUE);
        }
    }

    /// Numbers and addresses cannot be keys of several parts.
    fn plain_refused(&mut self, elements: &Elements<'_>, at: Span) {
        if elements.len() != elements.others.len() {
            let reason = format!("datatype mismatch, expected a concatenation of {} values", self.contents.kinds.len());
            self.refuse(at, reason);
        }
    }

    fn element(&mut self, element: &'r Element<'t>) {
        let Element { at, key, options, value } = element;
        let mut sure = self.declared.timeout.is_none() && !self.declared.limited;
        let mut time = None;
        let mut limits = Vec::new();
        for option in options {
            match option {
                ElementOption::Timeout(Some(_)) if !self.declared.may_time_out => {
                    self.refuse(*at, "Could not process rule: the set has no `flags timeout`");
                }
                ElementOption::Timeout(Some(given)) => {
                    sure = false;
                    time = Some(*given).filter(|_| self.declared.timeout != Some(*given));
                }
                ElementOption::Expires(_) => sure = false,
                ElementOption::Timeout(None) => sure = !self.declared.limited,
                ElementOption::Comment(_) => {}
                ElementOption::Statement(statement) if decides(&statement.kind) => {
                    sure = false;
                    limits.push(super::statements::text(statement));
                }
                ElementOption::Statement(_) => {}
            }
        }
        let rest = matches!(key.resolved().kind, Kind::Wildcard);
        let parts = match self.parts(key, *at) {
            Ok(parts) => parts,
            Err(reason) => return self.refuse(*at, reason),
        };
        let shown: Vec<String> = parts.iter().zip(&self.contents.kinds).map(|(part, kind)| part.show(*kind)).collect();
        let mut shown = shown.join(" . ");
        // The kernel gives each element what the set asks, and lists it so.
        let limits = Some(limits.join(" ")).filter(|own| self.contents.asked.as_ref() != Some(own)).unwrap_or_default();
        if !limits.is_empty() {
            shown.push_str(&format!(" {limits}"));
            self.contents.limits.push(shown.clone());
        }
        if let Some(value) = value {
            shown.push_str(" : ");
            shown.push_str(&shown_value(value, &self.data));
        }
        if let Some(time) = time {
            shown.push_str(&format!(" timeout {time}ms"));
        } else if !sure {
            shown.push_str(" (for a time)");
        }
        match (value, self.declared.map) {
            (Some(value), true) => {
                if !self.data.is_empty()
                    && let Err((at, reason)) = of_types(value, &self.data, self.declared.to_intervals)
                {
                    self.refuse(at, reason);
                }
                let entry = Entry { key: parts.clone(), sure, rest, value, at: *at };
                self.check_entry(&entry);
                self.contents.shown.push(shown);
                self.contents.entries.push(entry);
            }
            (None, false) => {
                if let [kind] = self.contents.kinds[..] {
                    let Some(values) = parts.into_iter().next() else { return };
                    self.check_single(key, &values, kind, *at);
                    if time.is_some() || !limits.is_empty() {
                        self.contents.shown.push(shown);
                    }
                    let into = if sure { &mut self.contents.sure } else { &mut self.contents.unsure };
                    into.add(values);
                } else {
                    self.check_box(&parts, *at);
                    self.contents.shown.push(shown);
                    self.contents.boxes.push((parts, sure));
                }
            }
            (Some(_), false) => self.refuse(*at, "a value in a set that is no map"),
            (None, true) => self.refuse(*at, NO_VALUE),
        }
    }

    /// The parts of a key, each with its type.
    fn parts(&mut self, key: &Expression<'_>, at: Span) -> Result<Vec<Values>, String> {
        let key = key.resolved();
        let parts = match &key.kind {
            Kind::Concatenation(parts) => parts.as_slice(),
            _ => std::slice::from_ref(key),
        };
        if matches!(key.kind, Kind::Wildcard) {
            return Ok(self.contents.kinds.iter().map(|kind| Values::of(Set::range(0, kind.largest()))).collect());
        }
        if parts.len() != self.contents.kinds.len() {
            let (has, wants) = (parts.len(), self.contents.kinds.len());
            return Err(format!("datatype mismatch, expected a concatenation of {wants} values, and this has {has}"));
        }
        let found: Vec<Values> =
            parts.iter().zip(&self.contents.kinds).map(|(part, kind)| values(part, *kind)).collect::<Result<_, _>>()?;
        if !self.declared.interval {
            for (part, found) in parts.iter().zip(&found) {
                let form = match &part.resolved().kind {
                    Kind::Prefix(_, _) => Form::Prefix(0),
                    Kind::Range(_, _) => Form::Range,
                    _ if found.set.len() > 1 => Form::Prefix(0),
                    _ => continue,
                };
                self.refuse(at, needs_interval(form));
            }
        }
        Ok(found)
    }

    fn check_single(&mut self, key: &Expression<'_>, values: &Values, kind: Type, at: Span) {
        let before = [&self.contents.sure.set, &self.contents.unsure.set];
        let strict = self.declared.interval && !self.declared.auto_merge && !matches!(key.kind, Kind::Wildcard);
        let Some((first, last)) = values.set.ranges().single() else { return };
        // The range that is there at or behind the first value.
        let meets = |set: &Set| {
            let ranges = set.ranges();
            ranges.get(ranges.partition_point(|range| range.1 < first)).filter(|range| range.0 <= last)
        };
        let mut there = before.iter().filter_map(|set| meets(set)).peekable();
        if strict && first < last && there.peek().is_some() && there.all(|range| range != (first, last)) {
            let shown = values.show(kind);
            self.refuse(at, format!("conflicting intervals specified: `{shown}` overlaps another element"));
        }
    }

    fn check_box(&mut self, parts: &[Values], at: Span) {
        if self.declared.interval && !self.seen().boxes.insert(parts) {
            self.refuse(at, OVERLAP);
        }
    }

    fn check_entry(&mut self, entry: &Entry<'_, '_>) {
        if let Err(reason) = self.seen().entry(entry) {
            self.refuse(entry.at, reason);
        }
    }

    fn seen(&mut self) -> &mut Seen {
        let contents = &*self.contents;
        self.seen.get_or_insert_with(|| Seen::of(contents))
    }

    fn delete(&mut self, elements: &'r Elements<'t>, must_be_there: bool, at: Span) {
        self.seen = None;
        let mut gone = Contents { kinds: self.contents.kinds.clone(), ..Contents::default() };
        let declared = Declared { auto_merge: true, interval: true, may_time_out: true, ..self.declared };
        if self.declared.map {
            // The values need not be said.
            return self.delete_entries(elements, must_be_there, at);
        }
        let seen = Some(Seen::default());
        Reader { contents: &mut gone, declared, data: Vec::new(), seen, account: self.account }.add(elements, at);
        gone.sure.add(std::mem::take(&mut gone.unsure));
        let here = self.contents.sure.set.union(&self.contents.unsure.set);
        let names = gone.sure.names.iter().all(|name| self.contents.sure.names.contains(name));
        let boxes = gone.boxes.iter().all(|(key, _)| self.contents.boxes.iter().any(|(other, _)| key == other));
        if must_be_there && !(here.includes(&gone.sure.set) && names && boxes) {
            self.refuse(at, "Could not process rule: No such file or directory: an element is not in the set");
        }
        for values in [&mut self.contents.sure, &mut self.contents.unsure] {
            values.set = values.set.difference(&gone.sure.set);
            values.names.retain(|name| !gone.sure.names.contains(name));
        }
        self.contents.boxes.retain(|(key, _)| gone.boxes.iter().all(|(other, _)| key != other));
        self.contents.shown.retain(|shown| !gone.shown.contains(shown));
        self.contents.count = self.contents.count.saturating_sub(gone.count);
    }

    fn delete_entries(&mut self, elements: &'r Elements<'t>, must_be_there: bool, at: Span) {
        let mut keys: Vec<Vec<Values>> = Vec::new();
        if let [kind] = self.contents.kinds[..] {
            let ipv4 = elements.all_ipv4();
            let plain = ipv4.iter().map(|p| (p.first.into(), p.last.into()));
            let plain = plain.chain(elements.ipv6.iter().map(|p| (p.first, p.last)));
            let plain = plain.chain(elements.numbers.iter().map(|p| (p.first.into(), p.last.into())));
            keys.extend(plain.map(|(first, last)| vec![Values::of(Set::range(first, last))]));
            let _ = kind;
        }
        for element in &elements.others {
            match self.parts(&element.key, element.at) {
                Ok(parts) => keys.push(parts),
                Err(reason) => self.refuse(element.at, reason),
            }
        }
        let before = self.contents.entries.len();
        let kinds = self.contents.kinds.clone();
        self.contents.entries.retain(|entry| !keys.contains(&entry.key));
        let shown = |key: &Vec<Values>| {
            let parts: Vec<String> = key.iter().zip(&kinds).map(|(part, kind)| part.show(*kind)).collect();
            format!("{} : ", parts.join(" . "))
        };
        let gone: Vec<String> = keys.iter().map(shown).collect();
        self.contents.shown.retain(|text| !gone.iter().any(|key| text.starts_with(key)));
        if must_be_there && before - self.contents.entries.len() < keys.len() {
            self.refuse(at, "Could not process rule: No such file or directory: an element is not in the map");
        }
        self.contents.count = self.contents.entries.len();
    }

    fn check_size(&mut self, at: Span) {
        if let Some(size) = self.declared.size.filter(|_| !self.declared.interval) {
            let held = self.contents.sure.set.len().saturating_add(self.contents.unsure.set.len());
            if held > u128::from(size) {
                self.account
                    .gap(at, "Could not process rule: Too many open files in system: more elements than `size`");
            }
        }
    }
}

pub(super) fn needs_interval(form: Form) -> String {
    let what = if form == Form::Range { "range" } else { "prefix" };
    format!("You must add 'flags interval' to your set declaration if you want to add {what} elements")
}

const NO_VALUE: &str = "Could not process rule: Invalid argument: an element of a map without a value";
