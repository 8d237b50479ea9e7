//! Type constraints of input variables, and values made to fit them (Terraform language: type constraints, conversion).

use super::eval::{Context, Evaluated, Failure, show_all};
use super::marks::mark_of;
use super::syntax::{Call, Expr, Key, Kind};
use crate::formats::data::value::{Entry, List, More, Object, Unknown, Value, What};
use crate::text::Span;
use std::collections::HashSet;
use std::sync::Arc;

/// A type constraint.
#[derive(Debug)]
pub(super) enum Type<'m> {
    Any,
    Text,
    Number,
    Truth,
    List(Box<Self>),
    Set(Box<Self>),
    Map(Box<Self>),
    Tuple(Vec<Self>),
    Object(Vec<Attribute<'m>>),
}

/// An attribute of an object type.
#[derive(Debug)]
pub(super) struct Attribute<'m> {
    name: Arc<str>,
    kind: Type<'m>,
    optional: bool,
    default: Option<&'m Expr>,
}

/// Reads a type constraint.
///
/// # Errors
/// It is none.
pub(super) fn read(expr: &Expr) -> Result<Type<'_>, Failure> {
    let wrong = || Failure::new(expr.at, "this is no type");
    if let Some(name) = expr.as_name().or_else(|| expr.literal_text()) {
        // In quotes as it once was.
        return named(name).ok_or_else(wrong);
    }
    let Kind::Call(call) = &expr.kind else { return Err(wrong()) };
    let Call { name, arguments, spread: _ } = &**call;
    let [argument] = &arguments[..] else { return Err(wrong()) };
    match &**name {
        "list" => Ok(Type::List(Box::new(read(argument)?))),
        "set" => Ok(Type::Set(Box::new(read(argument)?))),
        "map" => Ok(Type::Map(Box::new(read(argument)?))),
        "tuple" => {
            let items = argument.tuple().ok_or_else(wrong)?;
            Ok(Type::Tuple(items.iter().map(read).collect::<Result<_, _>>()?))
        }
        "object" => {
            let items = argument.object().ok_or_else(wrong)?;
            Ok(Type::Object(items.iter().map(attribute).collect::<Result<_, _>>()?))
        }
        _ => Err(wrong()),
    }
}

fn named(name: &str) -> Option<Type<'static>> {
    Some(match name {
        "any" => Type::Any,
        "string" => Type::Text,
        "number" => Type::Number,
        "bool" => Type::Truth,
        "list" => Type::List(Box::new(Type::Any)),
        "set" => Type::Set(Box::new(Type::Any)),
        "map" => Type::Map(Box::new(Type::Any)),
        _ => return None,
    })
}

fn attribute((key, expr): &(Key, Expr)) -> Result<Attribute<'_>, Failure> {
    let Key::Name(name, _) = key else { return Err(Failure::new(key.at(), "the name of an attribute is written out")) };
    let name = Arc::clone(name);
    if let Kind::Call(call) = &expr.kind
        && call.name == "optional"
    {
        return match &call.arguments[..] {
            [kind] => Ok(Attribute { name, kind: read(kind)?, optional: true, default: None }),
            [kind, default] => Ok(Attribute { name, kind: read(kind)?, optional: true, default: Some(default) }),
            _ => Err(Failure::new(expr.at, "`optional` takes a type and perhaps a default")),
        };
    }
    Ok(Attribute { name, kind: read(expr)?, optional: false, default: None })
}

/// A value as a type has it.
///
/// # Errors
/// It cannot be.
pub(super) fn convert<'m>(context: &Context<'_, 'm>, value: Value, kind: &Type<'m>) -> Evaluated {
    let (at, sensitive) = (value.at, value.sensitive);
    let wrong = |wanted: &str| Err(Failure::new(at, format!("{wanted} is expected")));
    if let What::Unknown(unknown) = &value.what {
        // Of what it leaves out the type says what it is.
        let mut filled = String::new();
        defaults(context, kind, &mut filled)?;
        if !filled.is_empty() {
            let name = format!("{}{}", unknown.0, mark_of(&filled));
            return Ok(Value { what: What::Unknown(Unknown(name.into())), ..value });
        }
    }
    if matches!(value.what, What::Null | What::Unknown(_)) || matches!(kind, Type::Any) {
        return Ok(value);
    }
    let what = match kind {
        Type::Any => return Ok(value),
        Type::Text => match value.as_text() {
            Some(text) => What::Text(text),
            None if matches!(value.what, What::Number(_)) => {
                return Ok(Value::unknown(&super::eval::show(&value), at).hidden(sensitive).computed_from([&value]));
            }
            None => return wrong("a text"),
        },
        Type::Number => match value.as_number() {
            Some(number) => What::Number(number),
            None => return wrong("a number"),
        },
        Type::Truth => match value.as_truth() {
            Some(truth) => What::Truth(truth),
            None => return wrong("`true` or `false`"),
        },
        Type::List(of) | Type::Set(of) => {
            let Some(list) = value.list() else { return wrong("a list") };
            let is_set = matches!(kind, Type::Set(_));
            let items = list.items.iter().map(|item| convert(context, item.clone(), of));
            let items = items.collect::<Result<Vec<_>, _>>()?;
            let more = all_more(context, &list.more, of)?;
            if is_set { set_of(items, more) } else { What::List(Arc::new(List { items, more, is_set: false })) }
        }
        Type::Map(of) => {
            let Some(object) = value.object() else { return wrong("a map") };
            let mut entries = Vec::with_capacity(object.entries.len());
            for Entry { name, at, value } in &object.entries {
                let value = convert(context, value.clone(), of)?;
                entries.push(Entry { name: Arc::clone(name), at: *at, value });
            }
            What::Object(Arc::new(Object { entries, more: all_more(context, &object.more, of)? }))
        }
        Type::Tuple(kinds) => {
            let Some(list) = value.list().filter(|list| list.items.len() == kinds.len() || !list.more.is_empty())
            else {
                return wrong("a tuple of another length");
            };
            if !list.more.is_empty() {
                return Ok(value);
            }
            let items = list.items.iter().zip(kinds).map(|(item, kind)| convert(context, item.clone(), kind));
            let items = items.collect::<Result<Vec<_>, _>>()?;
            What::List(Arc::new(List { items, more: Vec::new(), is_set: false }))
        }
        Type::Object(attributes) => {
            let Some(object) = value.object() else { return wrong("an object") };
            return Ok(fit(context, object, attributes, at)?.hidden(sensitive).computed_from([&value]));
        }
    };
    Ok(Value { what, ..value })
}

/// What a type fills in, in words.
fn defaults<'m>(context: &Context<'_, 'm>, kind: &Type<'m>, out: &mut String) -> Result<(), Failure> {
    match kind {
        Type::Any | Type::Text | Type::Number | Type::Truth => Ok(()),
        Type::List(of) | Type::Set(of) | Type::Map(of) => defaults(context, of, out),
        Type::Tuple(kinds) => kinds.iter().try_for_each(|kind| defaults(context, kind, out)),
        Type::Object(attributes) => attributes.iter().try_for_each(|Attribute { name, kind, optional: _, default }| {
            if let Some(default) = default {
                out.push_str(name);
                out.push_str(" = ");
                out.push_str(&show_all(&context.eval(default)?));
                out.push_str(", ");
            }
            defaults(context, kind, out)
        }),
    }
}

/// An object with exactly these attributes; further ones are dropped, optional ones filled in.
fn fit<'m>(context: &Context<'_, 'm>, object: &Object, attributes: &[Attribute<'m>], at: Span) -> Evaluated {
    let mut entries = Vec::with_capacity(attributes.len());
    for Attribute { name, kind, optional, default } in attributes {
        let given = object.get(name).cloned();
        let (given, name_at) = match (given, &object.more[..]) {
            (Some(value), _) => (Some(value), object.entry(name).map_or(at, |entry| entry.at)),
            (None, []) => (None, at),
            (None, [one, ..]) => {
                let filled = default.map(|default| context.eval(default)).transpose()?;
                let mark = filled.map_or_else(String::new, |value| mark_of(&show_all(&value)));
                (Some(Value::unknown(&format!("{}.{name}{mark}", one.name.0), at)), at)
            }
        };
        let value = match (given.filter(|value| !(*optional && value.is_null())), optional, default) {
            (Some(value), _, _) => convert(context, value, kind)?,
            (None, true, Some(default)) => convert(context, context.eval(default)?, kind)?,
            (None, true, None) => Value::new(What::Null, at),
            (None, false, _) => return Err(Failure::new(at, format!("the attribute `{name}` is missing"))),
        };
        entries.push(Entry { name: Arc::clone(name), at: name_at, value });
    }
    Ok(Value::of_entries(entries, at))
}

fn all_more<'m>(context: &Context<'_, 'm>, more: &[More], of: &Type<'m>) -> Result<Vec<More>, Failure> {
    let one = |more: &More| {
        let like = convert(context, more.like.clone(), of)?;
        Ok(More { name: more.name.clone(), like })
    };
    more.iter().map(one).collect()
}

/// A set: each value once, in order; texts of one type if they are of several (Terraform language: `toset`).
pub(super) fn set_of(items: Vec<Value>, more: Vec<More>) -> What {
    let is_text = |value: &Value| matches!(value.what, What::Text(_));
    let mixed = items.iter().any(is_text) && !items.iter().all(is_text);
    let mut known = HashSet::new();
    let mut rest: Vec<Value> = Vec::new();
    let mut texts = Vec::new();
    let mut numbers = Vec::new();
    for item in items {
        let item = match item.as_text() {
            Some(text) if mixed => Value { what: What::Text(text), ..item },
            Some(_) | None => item,
        };
        match &item.what {
            What::Text(text) => {
                if known.insert(Arc::clone(text)) {
                    texts.push(item);
                }
            }
            What::Number(_) => {
                if !numbers.contains(&item) {
                    numbers.push(item);
                }
            }
            What::Null | What::Truth(_) | What::List(_) | What::Object(_) | What::Unknown(_) => {
                if !rest.contains(&item) {
                    rest.push(item);
                }
            }
        }
    }
    texts.sort_by(|a, b| a.text().cmp(&b.text()));
    numbers.sort_by(|a, b| match (a.as_number(), b.as_number()) {
        (Some(a), Some(b)) => a.compare(b).unwrap_or(std::cmp::Ordering::Equal),
        _ => std::cmp::Ordering::Equal,
    });
    let items = texts.into_iter().chain(numbers).chain(rest).collect();
    What::List(Arc::new(List { items, more, is_set: true }))
}
