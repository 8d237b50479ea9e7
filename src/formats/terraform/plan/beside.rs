//! The configuration that a plan was made of, where it is beside it: findings then point into it, and it says what the plan
//! does not.

use super::merge::RULES;
use crate::formats::cloud::Instance;
use crate::formats::data::value::{Entry, List, Object, Value, What};
use crate::text::Span;
use std::collections::HashMap;
use std::sync::Arc;

/// The resources of a configuration by their addresses; `None`: there are several of that address, in several roots.
#[derive(Debug, Default)]
pub(super) struct Beside(HashMap<Arc<str>, Option<Instance>>);

impl Beside {
    /// Those that are surely there.
    pub(super) fn of(instances: Vec<Instance>) -> Self {
        let mut known = HashMap::new();
        for instance in instances.into_iter().filter(|instance| instance.existence.is_none()) {
            known.entry(Arc::clone(&instance.address)).and_modify(|known| *known = None).or_insert(Some(instance));
        }
        Self(known)
    }

    /// A resource of the plan with the places of the configuration, and what must not be printed of those.
    ///
    /// Of a resource that is `new` the plan does not tell whether the rules that it leaves open are none; the configuration does.
    pub(super) fn place(&self, mut instance: Instance, new: bool, hidden: &mut Vec<Span>) -> Instance {
        let Some(Some(source)) = self
            .0
            .get(&instance.address)
            .filter(|source| source.as_ref().is_some_and(|source| source.kind == instance.kind))
        else {
            return instance;
        };
        if let (true, What::Object(object)) = (new, &mut instance.body.what) {
            told(Arc::make_mut(object), source.body.object());
        }
        instance.body = placed(&instance.body, Some(&source.body), source.origin, hidden);
        instance.origin = source.origin;
        instance
    }
}

/// Rules that the plan leaves open as the configuration has them.
fn told(object: &mut Object, source: Option<&Object>) {
    let Some(source) = source.filter(|source| source.more.is_empty()) else { return };
    object.entries.retain_mut(|entry| {
        if !RULES.contains(&&*entry.name) || entry.value.name_of_unknown().is_none() {
            return true;
        }
        match source.get(&entry.name) {
            Some(rules) => {
                entry.value = rules.clone().hidden(entry.value.sensitive);
                true
            }
            None => false,
        }
    });
}

/// A value of the plan at the place of the same value in the configuration; what has none there is at `otherwise`.
fn placed(value: &Value, source: Option<&Value>, otherwise: Span, hidden: &mut Vec<Span>) -> Value {
    let at = source.map_or(otherwise, |source| source.at);
    let what = match &value.what {
        What::Object(object) => {
            let source = source.and_then(Value::object);
            let entry = |entry: &Entry| {
                let known = source.and_then(|source| source.entry(&entry.name));
                let name_at = known.map_or(at, |known| known.at);
                let value = placed(&entry.value, known.map(|known| &known.value), at, hidden);
                Entry { name: Arc::clone(&entry.name), at: name_at, value }
            };
            let entries = object.entries.iter().map(entry).collect();
            What::Object(Arc::new(Object { entries, more: object.more.clone() }))
        }
        What::List(list) => {
            let known = source.and_then(Value::list).map_or(&[][..], |list| &list.items);
            let item = |item: &Value| placed(item, only_fitting(item, known), at, hidden);
            let items = list.items.iter().map(item).collect();
            What::List(Arc::new(List { items, more: list.more.clone(), is_set: list.is_set }))
        }
        What::Null | What::Truth(_) | What::Number(_) | What::Text(_) | What::Unknown(_) => value.what.clone(),
    };
    if value.sensitive {
        hidden.push(at);
    }
    Value { what, at, sensitive: value.sensitive, provenance: None, either: None }
}

/// The item of the configuration that one of the plan was made of. Where it could be several, that is not told: it is in the list.
fn only_fitting<'v>(item: &Value, known: &'v [Value]) -> Option<&'v Value> {
    let said = known.iter().filter(|known| known.name_of_unknown().is_none());
    for some in [said.collect::<Vec<_>>(), known.iter().collect()] {
        let mut fitting = some.into_iter().filter(|known| fits(item, known));
        match (fitting.next(), fitting.next()) {
            (Some(only), None) => return Some(only),
            (Some(_), Some(_)) => return None,
            (None, _) => {}
        }
    }
    None
}

/// Whether a value of the plan can be what the configuration says there: all that is known of that is the same.
fn fits(value: &Value, source: &Value) -> bool {
    match (&value.what, &source.what) {
        (_, What::Unknown(_)) => true,
        (What::Object(object), What::Object(source)) => source.entries.iter().all(|entry| {
            entry.value.is_null() || object.get(&entry.name).is_some_and(|value| fits(value, &entry.value))
        }),
        (What::List(list), What::List(source)) => {
            source.items.iter().all(|source| list.items.iter().any(|item| fits(item, source)))
        }
        _ => value.as_text().is_some_and(|text| source.as_text() == Some(text)),
    }
}
