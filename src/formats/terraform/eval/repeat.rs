//! `for` (Terraform language: for expressions), and what a collection gives to be gone through.

use super::operators::truth_of;
use super::show::{more, show, unknown_of};
use super::{Context, Evaluated, Failure, ITEM};
use crate::formats::data::value::{Entry, List, Object, Value, What};
use crate::formats::terraform::syntax::For;
use crate::text::Span;
use std::collections::HashMap;
use std::sync::Arc;

/// One turn of a `for`, a `for_each` or a `dynamic` block.
pub(in super::super) struct Item {
    pub(in super::super) key: Value,
    pub(in super::super) value: Value,
    /// Set if it is any number of turns: what they are called together.
    pub(in super::super) name: Option<Arc<str>>,
}

/// What there is to go through: of an object in the order of its keys.
///
/// # Errors
/// It is no collection.
pub(in super::super) fn items_of(collection: &Value, at: Span) -> Result<Vec<Item>, Failure> {
    let hidden = collection.sensitive;
    let further = |further: &crate::formats::data::value::More| Item {
        key: Value::unknown(&format!("key of {}", further.name.0), at).hidden(hidden),
        value: further.like.clone().hidden(hidden).item_of(collection),
        name: Some(Arc::clone(&further.name.0)),
    };
    match &collection.what {
        What::List(list) => {
            let whole = list.more.is_empty();
            let known = list.items.iter().enumerate().map(|(n, item)| {
                let value = item.clone().hidden(hidden).item_of(collection);
                let key = match (list.is_set, whole) {
                    (true, _) => value.clone(),
                    // How many numbers there are depends on the list.
                    (false, true) => {
                        Value::of_number(i128::try_from(n).unwrap_or(i128::MAX), item.at).computed_from([collection])
                    }
                    (false, false) => unknown_of(&format!("index of {} in {}", show(item), show(collection)), &[], at),
                };
                Item { key, value, name: None }
            });
            Ok(known.chain(list.more.iter().map(further)).collect())
        }
        What::Object(object) => {
            let mut entries: Vec<&Entry> = object.entries.iter().collect();
            entries.sort_by(|a, b| a.name.cmp(&b.name));
            let known = entries.into_iter().map(|entry| Item {
                key: Value::new(What::Text(Arc::clone(&entry.name)), entry.at).hidden(hidden),
                value: entry.value.clone().hidden(hidden).item_of(collection),
                name: None,
            });
            Ok(known.chain(object.more.iter().map(further)).collect())
        }
        What::Unknown(unknown) => {
            let name: Arc<str> = format!("{}[*]", unknown.0).into();
            let key = Value::unknown(&format!("key of {name}"), at).hidden(hidden);
            let value = Value::unknown(&name, at).hidden(hidden).item_of(collection);
            Ok(vec![Item { key, value, name: Some(name) }])
        }
        What::Null | What::Truth(_) | What::Number(_) | What::Text(_) => {
            Err(Failure::new(at, "a list, a set or a map is expected"))
        }
    }
}

impl<'m> Context<'_, 'm> {
    pub(super) fn repeated(&self, of: &'m For, at: Span) -> Evaluated {
        let collection = self.eval(&of.collection)?;
        let mut list = List::default();
        let mut object = Object::default();
        let mut known: HashMap<Arc<str>, usize> = HashMap::new();
        let mut groups: Vec<Vec<Value>> = Vec::new();
        let mut hidden = collection.sensitive;
        for Item { key, value, name } in items_of(&collection, of.collection.at)? {
            self.world.charge(at, ITEM)?;
            let named = of.key.as_deref().map(|name| (name, key));
            let names: Vec<(&str, Value)> = named.into_iter().chain([(&*of.value, value)]).collect();
            let scope = self.scope.with(&names);
            let inner = self.with(&scope);
            let mut condition = None;
            if let Some(expr) = &of.condition {
                let value = inner.eval(expr)?;
                hidden |= value.sensitive;
                match truth_of(&value)? {
                    Some(true) => {}
                    Some(false) => continue,
                    None => condition = Some(value),
                }
            }
            let result = inner.eval(&of.to)?;
            let key = of.to_key.as_ref().map(|key| inner.eval(key)).transpose()?;
            hidden |= key.as_ref().is_some_and(|key| key.sensitive);
            let label = match &key {
                Some(key) => {
                    let text = key.as_text();
                    if text.is_none() && key.name_of_unknown().is_none() {
                        return Err(Failure::new(key.at, "the key of an object has to be a text"));
                    }
                    text
                }
                None => None,
            };
            let sure = name.is_none() && condition.is_none() && (key.is_none() || label.is_some());
            if !sure {
                let key = key.as_ref().map(|key| format!("{} => ", show(key))).unwrap_or_default();
                let each = name.map(|name| format!(" for {name}")).unwrap_or_default();
                let only = condition.map(|condition| format!(" if {}", show(&condition))).unwrap_or_default();
                let together = more(&format!("{key}{}{each}{only}", show(&result)), result);
                if of.to_key.is_some() {
                    object.more.push(together)
                } else {
                    list.more.push(together)
                }
                continue;
            }
            let (Some(label), Some(key)) = (label, key) else {
                list.items.push(result);
                continue;
            };
            match known.get(&label) {
                Some(n) if of.grouping => groups[*n].push(result),
                Some(_) => {
                    let shown = if key.sensitive { "a sensitive one".to_owned() } else { format!("`{label}`") };
                    return Err(Failure::new(at, format!("two results have the same key: {shown}")));
                }
                None => {
                    known.insert(Arc::clone(&label), object.entries.len());
                    if of.grouping {
                        groups.push(vec![result]);
                        object.entries.push(Entry { name: label, at: key.at, value: Value::new(What::Null, at) });
                    } else {
                        object.entries.push(Entry { name: label, at: key.at, value: result });
                    }
                }
            }
        }
        if of.to_key.is_none() {
            return Ok(Value::new(What::List(Arc::new(list)), at).hidden(hidden).computed_from([&collection]));
        }
        for (entry, group) in object.entries.iter_mut().zip(groups) {
            // What may have any key may be in any group.
            let list = List { items: group, more: object.more.clone(), is_set: false };
            entry.value = Value::new(What::List(Arc::new(list)), at);
        }
        if of.grouping {
            for further in &mut object.more {
                let list = List { items: Vec::new(), more: vec![further.clone()], is_set: false };
                further.like = Value::new(What::List(Arc::new(list)), at);
            }
        }
        Ok(Value::new(What::Object(Arc::new(object)), at).hidden(hidden).computed_from([&collection]))
    }
}
