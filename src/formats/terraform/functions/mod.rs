//! The built-in functions of Terraform (Terraform language: functions).
//!
//! What is computed from something unknown is unknown under the name of the call, unless the function says more. A
//! function that is not known here gives an unknown value of that name, too.

mod collections;
mod encoding;
mod network;
mod numbers;
mod sets;
mod texts;

use super::eval::{Context, Evaluated, Failure, LONGEST_TEXT, show, unknown_of};
use crate::formats::data::Number;
use crate::formats::data::value::{List, Object, Value, What};
use crate::text::Span;
use std::sync::Arc;

/// How many items a function makes at most.
const MOST_ITEMS: usize = 1_000_000;

/// A call with its arguments.
pub(super) struct Arguments<'a, 'c, 'm> {
    context: &'a Context<'c, 'm>,
    name: &'a str,
    values: &'a [Value],
    at: Span,
}

/// Why a function gives no value.
pub(super) enum Stop {
    /// Something that it needs is not known.
    Unknown,
    /// Terraform refuses the call.
    Refused(Failure),
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Refused(failure)
    }
}

type Found = Result<What, Stop>;

/// Calls a function.
///
/// # Errors
/// Terraform refuses the call.
pub(super) fn call(context: &Context<'_, '_>, name: &str, values: &[Value], at: Span) -> Evaluated {
    let plain = name.strip_prefix("core::").unwrap_or(name);
    let arguments = Arguments { context, name: plain, values, at };
    let hidden = values.iter().any(|value| value.sensitive);
    let found = match plain {
        "sensitive" => arguments.one().map(|value| value.what.clone()),
        "nonsensitive" => {
            return Ok(Value { sensitive: false, at, ..arguments.one().map_err(|stop| stop.failure(at))?.clone() });
        }
        _ => find(plain, &arguments),
    };
    let too_much = match &found {
        Ok(What::Text(text)) => text.len() > LONGEST_TEXT,
        Ok(What::List(list)) => list.items.len() > MOST_ITEMS,
        Ok(What::Null | What::Truth(_) | What::Number(_) | What::Object(_) | What::Unknown(_)) | Err(_) => false,
    };
    match found {
        Ok(_) if too_much => Err(Failure::limit(at, format!("`{name}`: more than can be computed"))),
        Ok(what) => Ok(arguments.traced(Value::new(what, at).hidden(hidden || plain == "sensitive"))),
        Err(Stop::Refused(failure)) => Err(failure),
        Err(Stop::Unknown) => {
            if encoding::READERS.contains(&plain) {
                context.missing(plain, values.first(), at);
            }
            let shown: Vec<String> = values.iter().map(show).collect();
            let used: Vec<&Value> = values.iter().collect();
            Ok(arguments.traced(unknown_of(&format!("{name}({})", shown.join(", ")), &used, at)))
        }
    }
}

impl Stop {
    fn failure(self, at: Span) -> Failure {
        match self {
            Self::Refused(failure) => failure,
            Self::Unknown => Failure::new(at, "an argument is missing"),
        }
    }
}

fn find(name: &str, arguments: &Arguments<'_, '_, '_>) -> Found {
    collections::call(name, arguments)
        .or_else(|| sets::call(name, arguments))
        .or_else(|| texts::call(name, arguments))
        .or_else(|| numbers::call(name, arguments))
        .or_else(|| network::call(name, arguments))
        .or_else(|| encoding::call(name, arguments))
        .unwrap_or(Err(Stop::Unknown))
}

impl<'a> Arguments<'a, '_, '_> {
    /// The value of the call with what it was taken out of.
    fn traced(&self, value: Value) -> Value {
        match (self.name, self.values) {
            ("element", [list, index]) => value.taken_from(list, &[index], &format!("[{}]", show(index)), self.at),
            ("slice", [list, from, to]) => {
                let part = format!("slice(…, {}, {})", show(from), show(to));
                value.taken_from(list, &[from, to], &part, self.at)
            }
            ("file", [path]) => match path.text() {
                Some(path) => value.growing(path).computed_from(self.values),
                None => value.computed_from(self.values),
            },
            _ => {
                // Lists that are written out hold what they were made of.
                let items = self.values.iter().filter_map(Value::list).flat_map(|list| &list.items);
                value.computed_from(self.values.iter().chain(items))
            }
        }
    }

    fn refuse<T>(&self, reason: impl std::fmt::Display) -> Result<T, Stop> {
        Err(Stop::Refused(Failure::new(self.at, format!("`{}`: {reason}", self.name))))
    }

    fn all(&self) -> &'a [Value] {
        self.values
    }

    fn get(&self, n: usize) -> Result<&'a Value, Stop> {
        match self.values.get(n) {
            Some(value) => Ok(value),
            None => self.refuse("an argument is missing"),
        }
    }

    fn has(&self, n: usize) -> bool {
        n < self.values.len()
    }

    /// No more arguments than these.
    fn at_most(&self, count: usize) -> Result<(), Stop> {
        if self.values.len() > count { self.refuse("too many arguments") } else { Ok(()) }
    }

    fn one(&self) -> Result<&'a Value, Stop> {
        self.at_most(1)?;
        self.get(0)
    }

    fn text(&self, n: usize) -> Result<Arc<str>, Stop> {
        let value = self.get(n)?;
        match (value.as_text(), &value.what) {
            (Some(text), _) => Ok(text),
            (None, What::Unknown(_) | What::Number(_)) => Err(Stop::Unknown),
            (None, What::Null | What::Truth(_) | What::Text(_) | What::List(_) | What::Object(_)) => {
                self.refuse("a text is expected")
            }
        }
    }

    fn number(&self, n: usize) -> Result<Number, Stop> {
        let value = self.get(n)?;
        match (value.as_number(), value.name_of_unknown()) {
            (Some(number), _) => Ok(number),
            (None, Some(_)) => Err(Stop::Unknown),
            (None, None) => self.refuse("a number is expected"),
        }
    }

    fn integer(&self, n: usize) -> Result<i128, Stop> {
        match self.number(n)?.integer() {
            Some(integer) => Ok(integer),
            None => self.refuse("a whole number is expected"),
        }
    }

    /// A list, set or tuple, perhaps known in part.
    fn list(&self, n: usize) -> Result<&'a List, Stop> {
        self.list_of(self.get(n)?)
    }

    fn list_of<'v>(&self, value: &'v Value) -> Result<&'v List, Stop> {
        match &value.what {
            What::List(list) => Ok(list),
            What::Unknown(_) => Err(Stop::Unknown),
            What::Null | What::Truth(_) | What::Number(_) | What::Text(_) | What::Object(_) => {
                self.refuse("a list is expected")
            }
        }
    }

    /// The items of a list that is known to have exactly these.
    fn items(&self, n: usize) -> Result<&'a [Value], Stop> {
        let list = self.list(n)?;
        if list.more.is_empty() { Ok(&list.items) } else { Err(Stop::Unknown) }
    }

    /// A map or object, perhaps known in part.
    fn object(&self, n: usize) -> Result<&'a Object, Stop> {
        let value = self.get(n)?;
        match &value.what {
            What::Object(object) => Ok(object),
            What::Unknown(_) => Err(Stop::Unknown),
            What::Null | What::Truth(_) | What::Number(_) | What::Text(_) | What::List(_) => {
                self.refuse("a map is expected")
            }
        }
    }
}

fn text(text: impl AsRef<str>) -> Found {
    Ok(What::Text(text.as_ref().into()))
}

const fn number(number: i128) -> Found {
    Ok(What::Number(Number::whole(number)))
}

fn count(count: usize) -> Found {
    number(i128::try_from(count).unwrap_or(i128::MAX))
}

const fn truth(truth: bool) -> Found {
    Ok(What::Truth(truth))
}

fn list(items: Vec<Value>) -> Found {
    Ok(What::List(Arc::new(List { items, more: Vec::new(), is_set: false })))
}

#[cfg(test)]
mod tests;
