//! Lists and maps (functions: collection functions, type conversion functions).

use super::{Arguments, Found, MOST_ITEMS, Stop, count, list, text, truth};
use crate::formats::data::value::{Entry, List, More, Object, Value, What};
use crate::formats::terraform::eval::{equal, more, show};
use crate::formats::terraform::types::set_of;
use std::collections::HashMap;
use std::sync::Arc;

pub(super) fn call(name: &str, arguments: &Arguments<'_, '_, '_>) -> Option<Found> {
    Some(match name {
        "chunklist" => chunks(arguments),
        "coalesce" => coalesce(arguments),
        "coalescelist" => coalesce_list(arguments),
        "compact" => compact(arguments),
        "concat" => concat(arguments),
        "contains" => contains(arguments),
        "distinct" => distinct(arguments),
        "element" => element(arguments),
        "flatten" => flatten(arguments),
        "index" => index(arguments),
        "keys" => keys(arguments),
        "length" => length(arguments),
        "list" => list(arguments.all().to_vec()),
        "lookup" => lookup(arguments),
        "map" => map(arguments),
        "matchkeys" => match_keys(arguments),
        "merge" => merge(arguments),
        "one" => one(arguments),
        "range" => range(arguments),
        "reverse" => reverse(arguments),
        "slice" => slice(arguments),
        "sort" => sort(arguments),
        "tolist" => to_list(arguments),
        "tomap" => to_map(arguments),
        "tostring" => to_text(arguments),
        "tonumber" => to_number(arguments),
        "tobool" => to_truth(arguments),
        "transpose" => transpose(arguments),
        "values" => values(arguments),
        "zipmap" => zipmap(arguments),
        "alltrue" => all_true(arguments),
        "anytrue" => any_true(arguments),
        _ => return None,
    })
}

fn whole(items: Vec<Value>, more: Vec<More>) -> Found {
    Ok(What::List(Arc::new(List { items, more, is_set: false })))
}

/// Items of one type: all texts if one of them is.
fn unified(items: impl Iterator<Item = Value>) -> Vec<Value> {
    let items: Vec<Value> = items.collect();
    let is_text = |item: &Value| matches!(item.what, What::Text(_));
    if !items.iter().any(is_text) {
        return items;
    }
    let one = |item: Value| match item.as_text() {
        Some(text) => Value { what: What::Text(text), ..item },
        None => item,
    };
    items.into_iter().map(one).collect()
}

fn chunks(arguments: &Arguments<'_, '_, '_>) -> Found {
    arguments.at_most(2)?;
    let (items, size) = (arguments.items(0)?, arguments.integer(1)?);
    let Ok(size) = usize::try_from(size) else { return arguments.refuse("a size below zero") };
    if size == 0 {
        return list(vec![Value::of_list(items.to_vec(), arguments.at)]);
    }
    list(items.chunks(size).map(|chunk| Value::of_list(chunk.to_vec(), arguments.at)).collect())
}

fn coalesce(arguments: &Arguments<'_, '_, '_>) -> Found {
    let as_text = arguments.all().iter().any(|value| matches!(value.what, What::Text(_)));
    for value in arguments.all() {
        match &value.what {
            What::Null => {}
            What::Text(text) if text.is_empty() => {}
            What::Unknown(_) => return Err(Stop::Unknown),
            What::Text(_) | What::Truth(_) | What::Number(_) | What::List(_) | What::Object(_) => {
                return Ok(value.as_text().filter(|_| as_text).map_or_else(|| value.what.clone(), What::Text));
            }
        }
    }
    arguments.refuse("every argument is null or empty")
}

fn coalesce_list(arguments: &Arguments<'_, '_, '_>) -> Found {
    for value in arguments.all() {
        if value.is_null() {
            continue;
        }
        let list = arguments.list_of(value)?;
        if !list.items.is_empty() {
            return Ok(value.what.clone());
        }
        if !list.more.is_empty() {
            return Err(Stop::Unknown);
        }
    }
    arguments.refuse("every list is empty")
}

fn compact(arguments: &Arguments<'_, '_, '_>) -> Found {
    arguments.at_most(1)?;
    let all = arguments.list(0)?;
    let (mut items, mut further) = (Vec::new(), all.more.clone());
    for item in &all.items {
        match (item.as_text(), &item.what) {
            (Some(text), _) if text.is_empty() => {}
            (Some(text), _) => items.push(Value { what: What::Text(text), ..item.clone() }),
            (None, What::Null) => {}
            // It may be empty.
            (None, What::Unknown(_) | What::Number(_)) => {
                further.push(more(&format!("compact({})", show(item)), item.clone()));
            }
            (None, What::Truth(_) | What::Text(_) | What::List(_) | What::Object(_)) => {
                return arguments.refuse("a list of texts is expected");
            }
        }
    }
    whole(items, further)
}

fn concat(arguments: &Arguments<'_, '_, '_>) -> Found {
    arguments.get(0)?;
    let (mut items, mut further) = (Vec::new(), Vec::new());
    for value in arguments.all() {
        let hide = |item: &Value| item.clone().hidden(value.sensitive);
        match &value.what {
            What::List(list) => {
                items.extend(list.items.iter().map(hide));
                further.extend(list.more.iter().cloned());
            }
            What::Unknown(unknown) => {
                let name = format!("{}[*]", unknown.0);
                further.push(more(&name, Value::unknown(&name, value.at).hidden(value.sensitive)));
            }
            What::Null | What::Truth(_) | What::Number(_) | What::Text(_) | What::Object(_) => {
                return arguments.refuse("lists are expected");
            }
        }
    }
    whole(items, further)
}

fn contains(arguments: &Arguments<'_, '_, '_>) -> Found {
    arguments.at_most(2)?;
    let (all, wanted) = (arguments.list(0)?, arguments.get(1)?);
    if wanted.is_null() {
        return arguments.refuse("nothing is in no list");
    }
    let mut sure = all.more.is_empty();
    for item in &all.items {
        match equal(item, wanted) {
            Some(true) => return truth(true),
            Some(false) => {}
            None => sure = false,
        }
    }
    if sure { truth(false) } else { Err(Stop::Unknown) }
}

fn distinct(arguments: &Arguments<'_, '_, '_>) -> Found {
    arguments.at_most(1)?;
    let all = arguments.list(0)?;
    let mut known: HashMap<Arc<str>, Vec<usize>> = HashMap::new();
    let mut items: Vec<Value> = Vec::new();
    for item in unified(all.items.iter().cloned()) {
        let same = known.entry(item.as_text().unwrap_or_default()).or_default();
        if !same.iter().any(|n| items.get(*n) == Some(&item)) {
            same.push(items.len());
            items.push(item);
        }
    }
    // Unknown ones may be equal to others, and then are not there a second time.
    let (known, unknown): (Vec<_>, Vec<_>) = items.into_iter().partition(Value::is_known);
    if unknown.len() + known.len() == 1 || unknown.is_empty() {
        return whole(known.into_iter().chain(unknown).collect(), all.more.clone());
    }
    let each = unknown.into_iter().map(|item| more(&show(&item), item));
    whole(known, each.chain(all.more.iter().cloned()).collect())
}

fn element(arguments: &Arguments<'_, '_, '_>) -> Found {
    arguments.at_most(2)?;
    let (items, number) = (arguments.items(0)?, arguments.integer(1)?);
    let length = i128::try_from(items.len()).unwrap_or(i128::MAX);
    if length == 0 {
        return arguments.refuse("the list is empty");
    }
    if number < 0 {
        // Refused by versions before 1.13, from the end since.
        return Err(Stop::Unknown);
    }
    let found = usize::try_from(number.rem_euclid(length)).ok().and_then(|n| items.get(n));
    found.map(|item| item.what.clone()).ok_or(Stop::Unknown)
}

fn flatten(arguments: &Arguments<'_, '_, '_>) -> Found {
    arguments.at_most(1)?;
    let mut out = List::default();
    flatten_into(arguments.list(0)?, &mut out);
    whole(out.items, out.more)
}

fn flatten_into(all: &List, out: &mut List) {
    for item in &all.items {
        match &item.what {
            What::List(inner) if item.sensitive => {
                let mut hidden = List::default();
                flatten_into(inner, &mut hidden);
                out.items.extend(hidden.items.into_iter().map(|item| item.hidden(true)));
                out.more.extend(hidden.more);
            }
            What::List(inner) => flatten_into(inner, out),
            // It may be a list itself, of which then the items count.
            What::Unknown(unknown) => {
                let name = format!("flatten({})[*]", unknown.0);
                out.more.push(more(&name, Value::unknown(&name, item.at).hidden(item.sensitive)));
            }
            What::Null | What::Truth(_) | What::Number(_) | What::Text(_) | What::Object(_) => {
                out.items.push(item.clone());
            }
        }
    }
    for further in &all.more {
        match &further.like.what {
            What::List(inner) => {
                let mut each = List::default();
                flatten_into(inner, &mut each);
                let named = each.items.into_iter().map(|item| {
                    let name = format!("{} for {}", show(&item), further.name.0);
                    more(&name, item)
                });
                out.more.extend(named);
                let named = each.more.into_iter().map(|inner| {
                    let name = format!("{} for {}", inner.name.0, further.name.0);
                    more(&name, inner.like)
                });
                out.more.extend(named);
            }
            What::Unknown(unknown) => {
                let like = Value::unknown(&format!("flatten({})[*]", unknown.0), further.like.at);
                out.more.push(more(&format!("flatten({})", further.name.0), like.hidden(further.like.sensitive)));
            }
            What::Null | What::Truth(_) | What::Number(_) | What::Text(_) | What::Object(_) => {
                out.more.push(further.clone());
            }
        }
    }
}

fn index(arguments: &Arguments<'_, '_, '_>) -> Found {
    arguments.at_most(2)?;
    let (items, wanted) = (arguments.items(0)?, arguments.get(1)?);
    for (n, item) in items.iter().enumerate() {
        match equal(item, wanted) {
            Some(true) => return count(n),
            Some(false) => {}
            None => return Err(Stop::Unknown),
        }
    }
    arguments.refuse("the item is not in the list")
}

fn sorted(object: &Object) -> Vec<&Entry> {
    let mut entries: Vec<&Entry> = object.entries.iter().collect();
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    entries
}

fn keys(arguments: &Arguments<'_, '_, '_>) -> Found {
    arguments.at_most(1)?;
    let object = arguments.object(0)?;
    let key = |entry: &Entry| Value::new(What::Text(Arc::clone(&entry.name)), entry.at);
    let further = object.more.iter().map(|further| {
        let name = format!("keys({})[*]", further.name.0);
        more(&name, Value::unknown(&name, arguments.at))
    });
    whole(sorted(object).into_iter().map(key).collect(), further.collect())
}

fn values(arguments: &Arguments<'_, '_, '_>) -> Found {
    arguments.at_most(1)?;
    let object = arguments.object(0)?;
    whole(sorted(object).into_iter().map(|entry| entry.value.clone()).collect(), object.more.clone())
}

fn length(arguments: &Arguments<'_, '_, '_>) -> Found {
    let value = arguments.one()?;
    match &value.what {
        What::List(all) if !all.more.is_empty() => Err(Stop::Unknown),
        // Unknown items of a set may be the same.
        What::List(all) if all.is_set && all.items.len() > 1 && !value.is_known() => Err(Stop::Unknown),
        What::List(all) => count(all.items.len()),
        What::Object(object) if object.more.is_empty() => count(object.entries.len()),
        What::Object(_) | What::Unknown(_) => Err(Stop::Unknown),
        What::Text(text) => super::texts::length(text),
        What::Null | What::Truth(_) | What::Number(_) => arguments.refuse("this has no length"),
    }
}

fn lookup(arguments: &Arguments<'_, '_, '_>) -> Found {
    arguments.at_most(3)?;
    let (object, name) = (arguments.object(0)?, arguments.text(1)?);
    match (object.get(&name), arguments.has(2)) {
        (Some(value), _) => Ok(value.what.clone()),
        (None, _) if !object.more.is_empty() => Err(Stop::Unknown),
        (None, true) => Ok(arguments.get(2)?.what.clone()),
        (None, false) => arguments.refuse(format!("there is no `{name}` in the map")),
    }
}

/// Removed from Terraform, but still written.
fn map(arguments: &Arguments<'_, '_, '_>) -> Found {
    let mut object = Object::default();
    for n in (0..arguments.all().len()).step_by(2) {
        let (name, value) = (arguments.text(n)?, arguments.get(n + 1)?.clone());
        object.put(Entry { name, at: arguments.at, value });
    }
    Ok(What::Object(Arc::new(object)))
}

fn match_keys(arguments: &Arguments<'_, '_, '_>) -> Found {
    arguments.at_most(3)?;
    let (values, keys, wanted) = (arguments.items(0)?, arguments.items(1)?, arguments.items(2)?);
    if values.len() != keys.len() {
        return arguments.refuse("the lists are of different lengths");
    }
    let mut out = Vec::new();
    for (value, key) in values.iter().zip(keys) {
        let found: Vec<Option<bool>> = wanted.iter().map(|wanted| equal(key, wanted)).collect();
        if found.contains(&Some(true)) {
            out.push(value.clone());
        } else if found.contains(&None) {
            return Err(Stop::Unknown);
        }
    }
    list(out)
}

/// The last of equal keys counts; null is as good as an empty map.
fn merge(arguments: &Arguments<'_, '_, '_>) -> Found {
    let mut object = Object::default();
    let mut places: HashMap<Arc<str>, usize> = HashMap::new();
    for value in arguments.all() {
        let further: Vec<More> = match &value.what {
            What::Null => continue,
            What::Object(next) => {
                // What further ones there were may have these names: these count.
                for entry in &next.entries {
                    let entry = Entry { value: entry.value.clone().hidden(value.sensitive), ..entry.clone() };
                    match places.get(&entry.name).and_then(|n| object.entries.get_mut(*n)) {
                        Some(known) => *known = entry,
                        None => {
                            places.insert(Arc::clone(&entry.name), object.entries.len());
                            object.entries.push(entry);
                        }
                    }
                }
                next.more.clone()
            }
            What::Unknown(unknown) => {
                let like = Value::unknown(&format!("{}[*]", unknown.0), value.at).hidden(value.sensitive);
                vec![More { name: unknown.clone(), like }]
            }
            What::Truth(_) | What::Number(_) | What::Text(_) | What::List(_) => {
                return arguments.refuse("maps are expected");
            }
        };
        let own: Vec<&Arc<str>> = match &value.what {
            What::Object(next) => next.entries.iter().map(|entry| &entry.name).collect(),
            What::Null | What::Truth(_) | What::Number(_) | What::Text(_) | What::List(_) | What::Unknown(_) => {
                Vec::new()
            }
        };
        for further in further {
            // It may say something else of every name before.
            for entry in object.entries.iter_mut().filter(|entry| !own.contains(&&entry.name)) {
                let name = format!("merge({}, {}).{}", show(&entry.value), further.name.0, entry.name);
                entry.value = crate::formats::terraform::eval::unknown_of(&name, &[&entry.value], entry.value.at);
            }
            object.more.push(further);
        }
    }
    Ok(What::Object(Arc::new(object)))
}

fn one(arguments: &Arguments<'_, '_, '_>) -> Found {
    arguments.at_most(1)?;
    match arguments.items(0)? {
        [] => Ok(What::Null),
        [one] => Ok(one.what.clone()),
        _ => arguments.refuse("there are several"),
    }
}

fn range(arguments: &Arguments<'_, '_, '_>) -> Found {
    use crate::formats::data::Number;
    arguments.at_most(3)?;
    let first = arguments.number(0)?;
    let (start, limit) = if arguments.has(1) { (first, arguments.number(1)?) } else { (Number::whole(0), first) };
    let order = |a: Number, b: Number| a.compare(b).ok_or(Stop::Unknown);
    let falls = order(limit, start)?.is_lt();
    let step = if arguments.has(2) { arguments.number(2)? } else { Number::whole(if falls { -1 } else { 1 }) };
    let step_falls = order(step, Number::whole(0))?;
    if step_falls.is_eq() || (step_falls.is_lt() != falls && !order(limit, start)?.is_eq()) {
        return arguments.refuse("it never comes to an end");
    }
    let mut items = Vec::new();
    let mut next = start;
    while if falls { order(next, limit)?.is_gt() } else { order(next, limit)?.is_lt() } {
        if items.len() >= 1024 {
            return arguments.refuse("more than 1024 numbers");
        }
        items.push(Value::new(What::Number(next), arguments.at));
        next = next.plus(step).ok_or(Stop::Unknown)?;
    }
    list(items)
}

fn reverse(arguments: &Arguments<'_, '_, '_>) -> Found {
    arguments.at_most(1)?;
    list(arguments.items(0)?.iter().rev().cloned().collect())
}

fn slice(arguments: &Arguments<'_, '_, '_>) -> Found {
    arguments.at_most(3)?;
    let (items, start, end) = (arguments.items(0)?, arguments.integer(1)?, arguments.integer(2)?);
    let range = usize::try_from(start).ok().zip(usize::try_from(end).ok());
    match range.and_then(|(start, end)| items.get(start..end)) {
        Some(items) => list(items.to_vec()),
        None => arguments.refuse("the list is not so long"),
    }
}

fn sort(arguments: &Arguments<'_, '_, '_>) -> Found {
    arguments.at_most(1)?;
    let all = arguments.list(0)?;
    let mut texts = Vec::new();
    for item in &all.items {
        match (item.as_text(), item.name_of_unknown()) {
            (Some(text), _) => texts.push((text, item)),
            // Where it comes in the order is not known; that it is there is.
            (None, Some(_)) => {
                return whole(
                    all.items.clone(),
                    vec![more(&format!("order of {}", show(arguments.get(0)?)), item.clone())],
                );
            }
            (None, None) => return arguments.refuse("a list of texts is expected"),
        }
    }
    texts.sort_by(|(a, _), (b, _)| a.cmp(b));
    let one = |(text, item): (Arc<str>, &Value)| Value { what: What::Text(text), ..item.clone() };
    whole(texts.into_iter().map(one).collect(), all.more.clone())
}

fn to_list(arguments: &Arguments<'_, '_, '_>) -> Found {
    let value = arguments.one()?;
    if value.is_null() {
        return Ok(What::Null);
    }
    let all = arguments.list(0)?;
    whole(unified(all.items.iter().cloned()), all.more.clone())
}

/// `toset`, which keeps each value once.
pub(super) fn to_set(arguments: &Arguments<'_, '_, '_>) -> Found {
    let value = arguments.one()?;
    if value.is_null() {
        return Ok(What::Null);
    }
    let all = arguments.list(0)?;
    Ok(set_of(all.items.clone(), all.more.clone()))
}

fn to_map(arguments: &Arguments<'_, '_, '_>) -> Found {
    let value = arguments.one()?;
    if value.is_null() {
        return Ok(What::Null);
    }
    let object = arguments.object(0)?;
    let values = unified(object.entries.iter().map(|entry| entry.value.clone()));
    let entries = object.entries.iter().zip(values).map(|(entry, value)| Entry { value, ..entry.clone() });
    Ok(What::Object(Arc::new(Object { entries: entries.collect(), more: object.more.clone() })))
}

fn to_text(arguments: &Arguments<'_, '_, '_>) -> Found {
    if arguments.one()?.is_null() { Ok(What::Null) } else { text(arguments.text(0)?) }
}

fn to_number(arguments: &Arguments<'_, '_, '_>) -> Found {
    if arguments.one()?.is_null() { Ok(What::Null) } else { Ok(What::Number(arguments.number(0)?)) }
}

fn to_truth(arguments: &Arguments<'_, '_, '_>) -> Found {
    let value = arguments.one()?;
    match (value.as_truth(), &value.what) {
        (Some(known), _) => truth(known),
        (None, What::Null) => Ok(What::Null),
        (None, What::Unknown(_)) => Err(Stop::Unknown),
        (None, What::Truth(_) | What::Number(_) | What::Text(_) | What::List(_) | What::Object(_)) => {
            arguments.refuse("`true` or `false` is expected")
        }
    }
}

fn transpose(arguments: &Arguments<'_, '_, '_>) -> Found {
    arguments.at_most(1)?;
    let object = arguments.object(0)?;
    if !arguments.one()?.is_known() {
        return Err(Stop::Unknown);
    }
    let mut out: std::collections::BTreeMap<Arc<str>, Vec<Value>> = std::collections::BTreeMap::new();
    for entry in sorted(object) {
        for item in &arguments.list_of(&entry.value)?.items {
            let Some(name) = item.as_text() else { return arguments.refuse("lists of texts are expected") };
            let key = Value::new(What::Text(Arc::clone(&entry.name)), entry.at);
            out.entry(name).or_default().push(key);
        }
    }
    let at = arguments.at;
    let entries = out.into_iter().map(|(name, items)| Entry { name, at, value: Value::of_list(items, at) });
    Ok(Value::of_entries(entries.collect(), at).what)
}

fn zipmap(arguments: &Arguments<'_, '_, '_>) -> Found {
    arguments.at_most(2)?;
    let (keys, values) = (arguments.items(0)?, arguments.items(1)?);
    if keys.len() != values.len() {
        return arguments.refuse("the lists are of different lengths");
    }
    let mut object = Object::default();
    for (key, value) in keys.iter().zip(values) {
        match (key.as_text(), key.name_of_unknown()) {
            (Some(name), _) => object.put(Entry { name, at: key.at, value: value.clone() }),
            (None, Some(_)) => object.more.push(more(&format!("{} = {}", show(key), show(value)), value.clone())),
            (None, None) => return arguments.refuse("keys are texts"),
        }
    }
    Ok(What::Object(Arc::new(object)))
}

fn all_true(arguments: &Arguments<'_, '_, '_>) -> Found {
    decided(arguments, false)
}

fn any_true(arguments: &Arguments<'_, '_, '_>) -> Found {
    decided(arguments, true)
}

/// Whether one of the items is decisive; null is false.
fn decided(arguments: &Arguments<'_, '_, '_>, decisive: bool) -> Found {
    arguments.at_most(1)?;
    let all = arguments.list(0)?;
    let mut sure = all.more.is_empty();
    for item in &all.items {
        match (item.as_truth(), &item.what) {
            (Some(known), _) if known == decisive => return truth(decisive),
            (Some(_), _) => {}
            (None, What::Null) if !decisive => return truth(false),
            (None, What::Null) => {}
            (None, What::Unknown(_)) => sure = false,
            (None, What::Truth(_) | What::Number(_) | What::Text(_) | What::List(_) | What::Object(_)) => {
                return arguments.refuse("a list of truths is expected");
            }
        }
    }
    if sure { truth(!decisive) } else { Err(Stop::Unknown) }
}

/// Every combination of one item of each list, as lists.
pub(super) fn product(arguments: &Arguments<'_, '_, '_>) -> Found {
    arguments.get(1)?;
    let mut rows: Vec<Vec<Value>> = vec![Vec::new()];
    let mut set = true;
    for n in 0..arguments.all().len() {
        let items = arguments.items(n)?;
        set &= arguments.list(n)?.is_set;
        if rows.len() * items.len() > MOST_ITEMS {
            return Err(Stop::Unknown);
        }
        rows = rows
            .iter()
            .flat_map(|row| items.iter().map(move |item| row.iter().cloned().chain([item.clone()]).collect()))
            .collect();
    }
    let rows: Vec<Value> = rows.into_iter().map(|row| Value::of_list(row, arguments.at)).collect();
    if set { Ok(set_of(rows, Vec::new())) } else { list(rows) }
}
