//! What a resource says besides its rules, in words that are equal exactly if nothing of it changed.

use crate::formats::data::value::{Entry, List, More, Object, Value, What};
use crate::text::escape;
use std::sync::Arc;

/// What a provider fills in by itself, and what is said elsewhere in the model.
const COMPUTED: &[&str] = &[
    "arn",
    "id",
    "owner_id",
    "tags_all",
    "region",
    "self_link",
    "creation_timestamp",
    "timeouts",
    "effective_labels",
    "terraform_labels",
    "all_tags",
    "created_at",
    "updated_at",
];

/// The arguments of a resource, without those of its rules (`without`), those that nobody wrote, and those that say
/// what is so anyway.
pub(super) fn of(body: &Value, without: &[&str]) -> String {
    let Some(object) = body.object() else { return show(body) };
    let mut parts: Vec<String> = object
        .entries
        .iter()
        .filter(|entry| !without.contains(&&*entry.name) && !COMPUTED.contains(&&*entry.name) && says(&entry.value))
        .map(|Entry { name, at: _, value }| format!("{} = {}", escape(name.as_bytes()), show(value)))
        .collect();
    parts.extend(object.more.iter().map(more));
    parts.sort();
    parts.join(", ")
}

/// What a resource says of where filters stand: the arguments of these names, wherever they are in it; `None`: nothing.
pub(super) fn attached(body: &Value, named: &dyn Fn(&str) -> bool) -> Option<String> {
    let mut parts = Vec::new();
    places(body, "", named, &mut |path, entry| parts.push(format!("{path} = {}", any_order(&entry.value))));
    parts.sort();
    (!parts.is_empty()).then(|| parts.join(", "))
}

/// The arguments of these names that say anything, each with the names that lead to it.
pub(super) fn places<'v>(
    value: &'v Value,
    path: &str,
    named: &dyn Fn(&str) -> bool,
    visit: &mut dyn FnMut(&str, &'v Entry),
) {
    match &value.what {
        What::Object(object) => {
            for entry in object.entries.iter().filter(|entry| says(&entry.value)) {
                let name = escape(entry.name.as_bytes());
                let path = if path.is_empty() { name } else { format!("{path}.{name}") };
                if named(&entry.name) {
                    visit(&path, entry);
                } else {
                    places(&entry.value, &path, named, visit);
                }
            }
            object
                .more
                .iter()
                .for_each(|more| places(&more.like, &format!("{path}.{}", show_name(more)), named, visit));
        }
        What::List(list) => {
            list.items.iter().for_each(|item| places(item, path, named, visit));
            list.more.iter().for_each(|more| places(&more.like, &format!("{path} {}", show_name(more)), named, visit));
        }
        What::Null | What::Truth(_) | What::Number(_) | What::Text(_) | What::Unknown(_) => {}
    }
}

fn show_name(more: &More) -> String {
    escape(more.name.0.as_bytes())
}

/// A value in words, the order of its items left out.
fn any_order(value: &Value) -> String {
    let Some(list) = value.list().filter(|_| !value.sensitive) else { return show(value) };
    let set = List { is_set: true, ..List::clone(list) };
    show(&Value { what: What::List(Arc::new(set)), ..value.clone() })
}

/// Whether a value says anything: null, nothing in a list and `false` are what is so anyway.
pub(super) fn says(value: &Value) -> bool {
    match &value.what {
        What::Null | What::Truth(false) => false,
        What::Text(text) => !text.is_empty() || value.sensitive,
        What::Truth(true) | What::Number(_) | What::Unknown(_) => true,
        What::List(list) => !list.items.is_empty() || !list.more.is_empty(),
        What::Object(object) => !object.entries.is_empty() || !object.more.is_empty(),
    }
}

/// A value in words.
pub(super) fn show(value: &Value) -> String {
    if value.sensitive {
        return "(sensitive)".to_owned();
    }
    match &value.what {
        What::Null => "null".to_owned(),
        What::Truth(truth) => truth.to_string(),
        What::Number(_) => value.as_text().map_or_else(|| "a number".to_owned(), |text| text.to_string()),
        What::Text(text) => format!("\"{}\"", escape(text.as_bytes())),
        What::Unknown(unknown) => format!("unknown {}", escape(unknown.0.as_bytes())),
        What::List(list) => {
            let List { items, more, is_set } = &**list;
            let mut parts: Vec<String> = items.iter().map(show).collect();
            if *is_set {
                parts.sort();
            }
            parts.extend(more.iter().map(self::more));
            format!("[{}]", parts.join(", "))
        }
        What::Object(object) => {
            let Object { entries, more } = &**object;
            let mut parts: Vec<String> = entries
                .iter()
                .filter(|entry| !entry.value.is_null())
                .map(|entry| format!("{} = {}", escape(entry.name.as_bytes()), show(&entry.value)))
                .collect();
            parts.sort();
            parts.extend(more.iter().map(self::more));
            format!("{{{}}}", parts.join(", "))
        }
    }
}

fn more(More { name, like }: &More) -> String {
    format!("…{}: {}", escape(name.0.as_bytes()), show(like))
}

/// Whose a resource is: what its tag or label `owner` says, in any case, or else `project`; or else the project that it is in.
pub(super) fn owner(body: &Value) -> Option<String> {
    let body = body.object()?;
    let tags = || ["tags", "labels", "tags_all"].into_iter().filter_map(|key| body.get(key));
    let tagged = |name: &str| tags().find_map(|tags| tag(tags, name));
    let project = || ["project_id", "project"].into_iter().filter_map(|key| body.get(key)).find_map(shown);
    tagged("owner").or_else(|| tagged("project")).or_else(project)
}

/// What to say where it is declared no more, though it is kept.
pub(super) fn stays(body: &Value) -> Option<&'static str> {
    let policy = body.object()?.get("deletion_policy").and_then(Value::as_text)?;
    let kept = ["Retain", "RetainExceptOnCreate"].contains(&&*policy);
    kept.then_some(
        "CloudFormation keeps it (`DeletionPolicy`): it stays in force, and nothing here manages it any more",
    )
}

fn shown(value: &Value) -> Option<String> {
    value.as_text().filter(|text| !value.sensitive && !text.is_empty()).map(|text| escape(text.as_bytes()))
}

fn tag(tags: &Value, name: &str) -> Option<String> {
    let named = |text: &str| text.eq_ignore_ascii_case(name);
    match &tags.what {
        What::Object(tags) => {
            tags.entries.iter().find(|entry| named(&entry.name)).and_then(|entry| shown(&entry.value))
        }
        What::List(tags) => tags.items.iter().find_map(|item| match &item.what {
            // As interfaces list them: `{"Key": "owner", "Value": "netsec"}`.
            What::Object(tag) => {
                let key = tag.get("Key").and_then(Value::text).is_some_and(named);
                tag.get("Value").filter(|_| key).and_then(shown)
            }
            // Where tags are words: `owner=netsec`.
            What::Text(text) if !item.sensitive => {
                let (key, value) = text.split_once(['=', ':'])?;
                (named(key.trim()) && !value.trim().is_empty()).then(|| escape(value.trim().as_bytes()))
            }
            What::Null | What::Truth(_) | What::Number(_) | What::Text(_) | What::List(_) | What::Unknown(_) => None,
        }),
        What::Null | What::Truth(_) | What::Number(_) | What::Text(_) | What::Unknown(_) => None,
    }
}
