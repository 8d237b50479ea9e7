//! Maps: verdicts and values by key.

use super::conditions::{Part, Wanted, boxes, settle};
use super::declared::kinds_of;
use super::relations::{MOST_EXCLUDED, disposition};
use super::rules::{Condition, Lowered, Lowering, MOST_ALTERNATIVES, Outcome, Verdict};
use super::selectors::{Reads, has_connection};
use super::sets::{Contents, Entry};
use super::terms::{All, Any, Term, Truth, Unknown, always, and};
use super::text;
use super::values::Values;
use crate::formats::nftables::syntax::{self, CtKey, Expression, Jump, Kind, Name, ObjectKind};
use crate::net::Set;
use crate::text::Span;
use std::collections::HashMap;

impl<'r, 't> Lowering<'_, '_, 'r, 't> {
    /// Each element of a map with the packets that it is for; `rest` for those that no other has.
    fn map_entries<'m>(
        &self,
        parts: &[Part],
        entries: &'m [Entry<'r, 't>],
        (set, unsure): (Option<&str>, &Term),
        at: Span,
    ) -> Vec<(Any, &'m Entry<'r, 't>)> {
        let there = |entry: &Entry<'_, '_>, any: Any| {
            if entry.sure {
                return any;
            }
            and(any, std::slice::from_ref(unsure))
        };
        if let [part] = parts
            && let Some(alternatives) = exhaustive(part, entries, at)
        {
            return alternatives;
        }
        let others: Vec<Vec<Values>> =
            entries.iter().filter(|entry| !entry.rest).map(|entry| entry.key.clone()).collect();
        let one = |entry: &'m Entry<'r, 't>| {
            let any = match (parts, entry.rest) {
                ([part], true) => {
                    let mut values = Values::default();
                    others.iter().flatten().cloned().for_each(|one| values.add(one));
                    part.is(&Wanted { values, negated: true }, at)
                }
                (_, true) => boxes(parts, &others, true, MOST_EXCLUDED, at).unwrap_or_else(|| {
                    let key = format!("no other element of {}", set.unwrap_or("the map"));
                    vec![vec![Term::opaque(key, true, Truth::Packet, at)]]
                }),
                (_, false) => {
                    boxes(parts, std::slice::from_ref(&entry.key), false, MOST_ALTERNATIVES, at).unwrap_or_else(always)
                }
            };
            (any, entry)
        };
        let mut all: Vec<_> = entries.iter().map(one).collect();
        if parts.iter().any(|part| matches!(part.selector.reads, Reads::Opaque { .. }) && part.selector.drawn.is_none())
        {
            let shown = |entry: &Entry<'_, '_>| {
                let parts = entry.key.iter().zip(parts).map(|(values, part)| values.show(part.selector.kind));
                parts.collect::<Vec<_>>()
            };
            all.sort_by_cached_key(|(_, entry)| (entry.rest, shown(entry)));
            if let [part] = parts {
                exclude(part, &mut all);
            }
        }
        all.into_iter().map(|(any, entry)| (there(entry, any), entry)).collect()
    }

    pub(super) fn verdict_map(&mut self, key: &'r Expression<'t>, map: &'r Expression<'t>, at: Span) -> Lowered {
        let parts = Part::all_of(key, &self.context)?;
        let map = map.resolved();
        let made;
        let (contents, name): (&Contents<'r, 't>, Option<&Name<'t>>) = match &map.kind {
            Kind::Set(elements) => {
                made = Contents::anonymous(elements, kinds_of(&parts), true, map.at, self.account);
                (&made, None)
            }
            Kind::SetReference(name) => (self.named(name, &parts)?, Some(name)),
            _ => return Err(format!("`{}` is no map", text::expression(map))),
        };
        let left: Vec<String> = parts.iter().map(Part::text).collect();
        let left = left.join(" . ");
        let set = name.map(|name| super::names::in_table(self.env.table, &name.text));
        let mut seen = Any::new();
        let mut goes_on = Any::new();
        let mut shown = Vec::new();
        for entry in &contents.entries {
            let Kind::Verdict(verdict) = &entry.value.resolved().kind else {
                return Err(format!("`{}` is no verdict", text::expression(entry.value)));
            };
            if name.is_none() {
                shown.push(format!("{} : {}", shown_key(contents, &entry.key), text::verdict(verdict)));
            }
        }
        let grouped = grouped(&parts, &contents.entries);
        let truth = self.there(set.as_deref(), contents);
        let unsure = Term::opaque(contents.there(set.as_deref(), "the map"), true, truth, at);
        for (any, entry) in self.map_entries(&parts, &grouped, (set.as_deref(), &unsure), at) {
            let Kind::Verdict(verdict) = &entry.value.resolved().kind else { continue };
            let text = format!("{left} {}", shown_key(contents, &entry.key));
            seen.extend(any.iter().cloned());
            match self.verdict(verdict)? {
                Some(verdict) => {
                    let mut conditions = self.conditions.clone();
                    conditions.push(Condition { any, text, at: entry.at });
                    self.outcomes.push(Outcome { conditions, verdict });
                }
                None => goes_on.extend(any),
            }
        }
        shown.sort_unstable();
        let target = name.map_or_else(|| format!("{{ {} }}", shown.join(", ")), |name| format!("@{}", name.show()));
        self.effects.push(format!("{left} vmap {target}"));
        if let Some(set) = set.filter(|set| self.env.dynamic.contains(set)) {
            let key = format!("{left} @{} was added", name.map_or_else(String::new, |name| name.show()));
            let mut conditions = self.conditions.clone();
            let added = Term::opaque(key.clone(), true, self.added(set), at);
            conditions.push(Condition { any: vec![vec![added]], text: key.clone(), at });
            self.outcomes.push(Outcome { conditions, verdict: Verdict::Any(key) });
        }
        settle(key, &mut self.context);
        let disposition = disposition(&seen, key);
        self.demand(goes_on, String::new(), at);
        Ok(disposition)
    }

    /// A value that is computed: what must be so for it to be there.
    pub(super) fn value(&mut self, value: &'r Expression<'t>) -> Result<(), String> {
        let at = value.at;
        match &value.kind {
            Kind::Variable(_, value) => self.value(value),
            Kind::Map(key, map) => {
                let parts = Part::all_of(key, &self.context)?;
                self.values_read(&parts);
                let map = map.resolved();
                let left: Vec<String> = parts.iter().map(Part::text).collect();
                let left = left.join(" . ");
                let mut shown = format!("{left} map");
                let any = match &map.kind {
                    Kind::Set(elements) => {
                        let contents = Contents::anonymous(elements, kinds_of(&parts), true, map.at, self.account);
                        if let [part] = parts.as_slice()
                            && exhaustive(part, &contents.entries, at).is_some()
                        {
                            always()
                        } else {
                            self.contained(&parts, &contents, false, None, &left, at)
                        }
                    }
                    Kind::SetReference(name) => {
                        let contents = self.named(name, &parts)?;
                        shown = format!("{left} @{}", name.show());
                        self.contained(&parts, contents, false, Some(name), &shown, at)
                    }
                    _ => return Err(format!("`{}` is no map", text::expression(map))),
                };
                settle(key, &mut self.context);
                self.demand(any, shown, at);
                Ok(())
            }
            Kind::Concatenation(parts) => parts.iter().try_for_each(|part| self.value(part)),
            Kind::Binary(_, left, right) => {
                self.value(left)?;
                self.value(right)
            }
            Kind::Prefix(base, _) => self.value(base),
            Kind::Range(low, high) => {
                self.value(low)?;
                self.value(high)
            }
            Kind::Ct(CtKey::State, _) => Ok(()),
            Kind::Ct(_, _) => {
                self.values_read(&Part::all_of(value, &self.context).unwrap_or_default());
                self.demand(vec![has_connection(&self.context, at)], String::new(), at);
                Ok(())
            }
            Kind::Payload(_) => {
                let parts = Part::all_of(value, &self.context)?;
                self.values_read(&parts);
                for part in parts {
                    self.demand(vec![part.selector.needs.clone()], String::new(), at);
                }
                settle(value, &mut self.context);
                Ok(())
            }
            Kind::Jhash { key, .. } => {
                self.values_read(&Part::all_of(key, &self.context).unwrap_or_default());
                Ok(())
            }
            _ => {
                self.values_read(&Part::all_of(value, &self.context).unwrap_or_default());
                Ok(())
            }
        }
    }

    /// Notes what a value is made of that rules write.
    fn values_read(&mut self, parts: &[Part]) {
        for part in parts {
            if let Reads::Opaque { truth, absent: _ } = &part.selector.reads
                && !matches!(truth, Truth::Packet | Truth::Occurrence)
            {
                self.valued.insert(truth.clone());
            }
        }
    }

    /// The name of an object, or a map to one.
    pub(super) fn reference(&mut self, name: &'r Expression<'t>) -> Result<(), String> {
        self.value(name)
    }

    /// What an object says of that kind and name, or of whatever name a map gives: another object is another condition.
    pub(super) fn definition(&self, kind: ObjectKind, name: &Expression<'t>) -> String {
        let objects = || self.env.table.objects.iter().filter(|object| object.data.kind() == kind);
        let data = |object: &syntax::Object<'_>| super::objects::data_text(self.env.table, &object.data);
        if let Kind::Word(word) | Kind::Quoted(word) = &name.resolved().kind {
            let found = objects().find(|object| *object.path.name.text == **word);
            return found.map_or_else(String::new, |object| format!(" ({})", data(object)));
        }
        let mut all: Vec<String> =
            objects().map(|object| format!("{} {}", object.path.name.show(), data(object))).collect();
        all.sort_unstable();
        if let Kind::Map(_, map) = &name.resolved().kind
            && let Kind::SetReference(map) = &map.resolved().kind
            && let Some(contents) = self.env.sets.get(&*map.text)
        {
            all.push(contents.digest());
        }
        format!(" [{}]", super::written::short_digest(&all.join("\n")))
    }
}

fn shown_key(contents: &Contents<'_, '_>, key: &[Values]) -> String {
    let parts: Vec<String> = key.iter().zip(&contents.kinds).map(|(values, kind)| values.show(*kind)).collect();
    parts.join(" . ")
}

/// The entries of a map, those with one verdict as one. (Keys of several parts stay as they are, and so do numbers that are
/// drawn, whose order counts.)
fn grouped<'r, 't>(parts: &[Part], entries: &[Entry<'r, 't>]) -> Vec<Entry<'r, 't>> {
    let single = matches!(parts, [part] if part.selector.drawn.is_none());
    let mut out: Vec<Entry<'r, 't>> = Vec::with_capacity(entries.len());
    let mut ranges: Vec<Vec<(u128, u128)>> = Vec::new();
    let mut places: HashMap<(String, bool), usize> = HashMap::new();
    for entry in entries {
        let verdict = match &entry.value.resolved().kind {
            Kind::Verdict(syntax::Verdict::Jump(Jump::Block(_)) | syntax::Verdict::Goto(Jump::Block(_))) => None,
            Kind::Verdict(verdict) => Some(text::verdict(verdict)),
            _ => None,
        };
        let mergeable = verdict.filter(|_| single && !entry.rest && entry.key.iter().all(|key| key.names.is_empty()));
        let own: Vec<_> = entry.key.iter().flat_map(|key| key.set.ranges()).collect();
        if let Some(verdict) = mergeable {
            match places.get(&(verdict.clone(), entry.sure)) {
                Some(place) => {
                    ranges[*place].extend(own);
                    continue;
                }
                None => {
                    places.insert((verdict, entry.sure), out.len());
                }
            }
        }
        ranges.push(own);
        out.push(entry.clone());
    }
    for ((_, _), place) in places {
        out[place].key = vec![Values::of(Set::from_ranges(ranges[place].iter().copied()))];
    }
    out
}

/// What has one value has no other: each element of a map is for what none before it is for.
fn exclude(part: &Part, entries: &mut [(Any, &Entry<'_, '_>)]) {
    /// Of more, it has to do that the first that holds counts.
    const MOST: usize = 64;
    let needs = &part.selector.needs;
    let is_needed = |key: &str| needs.iter().any(|term| matches!(term, Term::Opaque(need) if need.key == key));
    let mut before: All = Vec::new();
    for (any, _) in entries.iter_mut().filter(|(_, entry)| !entry.rest) {
        let mut own = Vec::new();
        for all in any.iter() {
            let mut asked = all.iter().filter_map(|term| match term {
                Term::Opaque(unknown) if !is_needed(&unknown.key) => Some(unknown),
                Term::Opaque(_) | Term::Families(_) | Term::Field(..) | Term::Address(..) => None,
            });
            if let (Some(one), None) = (asked.next(), asked.next()) {
                own.push(Term::Opaque(Unknown { holds: !one.holds, ..one.clone() }));
            }
        }
        *any = and(std::mem::take(any), &before);
        before.extend(own);
        if before.len() > MOST {
            return;
        }
    }
}

/// A map that has something for each number that is drawn: exactly one of its elements is meant.
fn exhaustive<'m, 'r, 't>(
    part: &Part,
    entries: &'m [Entry<'r, 't>],
    at: Span,
) -> Option<Vec<(Any, &'m Entry<'r, 't>)>> {
    let (modulus, offset) = part.selector.drawn?;
    let last = offset.checked_add(modulus)?.checked_sub(1)?;
    let mut all = Set::empty();
    for entry in entries {
        all = all.union(&entry.key.first()?.set);
    }
    if !all.includes(&Set::range(offset.into(), last.into())) || entries.iter().any(|entry| !entry.sure) {
        return None;
    }
    let mut before: All = Vec::new();
    let mut out = Vec::with_capacity(entries.len());
    for (number, entry) in entries.iter().enumerate() {
        let shown = entry.key.first()?.show(part.selector.kind);
        let key = format!("{} {shown}", part.text());
        let truth = if part.text().starts_with("numgen") { Truth::Occurrence } else { Truth::Packet };
        let mut all = before.clone();
        if number + 1 < entries.len() {
            all.push(Term::opaque(key.clone(), true, truth.clone(), at));
        }
        before.push(Term::opaque(key, false, truth, at));
        out.push((vec![all], entry));
    }
    Some(out)
}
