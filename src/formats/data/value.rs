//! Values of configuration languages that are computed: known, unknown, or known in part.
//!
//! What is not known has a name, and equal names stand for the same value wherever they are, on either side of a change.

use super::number::Number;
use super::provenance::Provenance;
use crate::text::Span;
use std::sync::Arc;

/// A value and where it comes from. Cheap to clone.
#[derive(Debug, Clone)]
pub(in crate::formats) struct Value {
    /// What it is.
    pub(in crate::formats) what: What,
    /// The expression, block or line that it was first written as.
    pub(in crate::formats) at: Span,
    /// Whether it must not be printed, nor anything that tells what it is. Then neither must what is in it.
    pub(in crate::formats) sensitive: bool,
    /// What it was taken out of, where that matters.
    pub(in crate::formats) provenance: Option<Arc<Provenance>>,
    /// Of what is not known: the condition that chooses between two known values, and those.
    pub(in crate::formats) either: Option<Arc<(String, [Self; 2])>>,
}

/// What a value is. A value of an object, or an argument of a block, that is null is as good as absent.
#[derive(Debug, Clone)]
pub(in crate::formats) enum What {
    /// Nothing.
    Null,
    /// `true` or `false`
    Truth(bool),
    /// A number.
    Number(Number),
    /// A text.
    Text(Arc<str>),
    /// Values in order, or a set of values. Nested blocks of one name are a list of objects, too.
    List(Arc<List>),
    /// Values by name.
    Object(Arc<Object>),
    /// Something that is not written down.
    Unknown(Unknown),
}

/// The name of what is not known: `var.office`, `data.aws_vpc.main.cidr_block`, `cidrhost(var.office, 1)`. Not escaped.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(in crate::formats) struct Unknown(pub(in crate::formats) Arc<str>);

/// Several values.
#[derive(Debug, Clone, Default)]
pub(in crate::formats) struct List {
    /// Those that are surely there.
    pub(in crate::formats) items: Vec<Value>,
    /// Further ones; where in the order is not known. Empty for a list that is known as a whole.
    pub(in crate::formats) more: Vec<More>,
    /// Whether it is a set: the order means nothing, and no value is there twice.
    pub(in crate::formats) is_set: bool,
}

/// Values by name.
#[derive(Debug, Clone, Default)]
pub(in crate::formats) struct Object {
    /// Those that are surely there, with different names, in the order of the text.
    pub(in crate::formats) entries: Vec<Entry>,
    /// Further ones under names that are not known and not among the entries, as in [`List::more`].
    pub(in crate::formats) more: Vec<More>,
}

/// Any number of values, none among them.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::formats) struct More {
    /// What they are called together: equal names stand for the same values, and as many.
    pub(in crate::formats) name: Unknown,
    /// What is known of each of them.
    pub(in crate::formats) like: Value,
}

/// A value by its name.
#[derive(Debug, Clone)]
pub(in crate::formats) struct Entry {
    /// The name.
    pub(in crate::formats) name: Arc<str>,
    /// Where the name stands.
    pub(in crate::formats) at: Span,
    /// The value.
    pub(in crate::formats) value: Value,
}

impl Value {
    /// A value that may be printed.
    pub(in crate::formats) const fn new(what: What, at: Span) -> Self {
        Self { what, at, sensitive: false, provenance: None, either: None }
    }

    /// A text.
    pub(in crate::formats) fn of_text(text: &str, at: Span) -> Self {
        Self::new(What::Text(text.into()), at)
    }

    /// A whole number.
    pub(in crate::formats) const fn of_number(number: i128, at: Span) -> Self {
        Self::new(What::Number(Number::whole(number)), at)
    }

    /// A list that is known as a whole.
    pub(in crate::formats) fn of_list(items: Vec<Self>, at: Span) -> Self {
        Self::new(What::List(Arc::new(List { items, more: Vec::new(), is_set: false })), at)
    }

    /// An object that is known as a whole; the names must be different.
    pub(in crate::formats) fn of_entries(entries: Vec<Entry>, at: Span) -> Self {
        Self::new(What::Object(Arc::new(Object { entries, more: Vec::new() })), at)
    }

    /// Something that is not known.
    pub(in crate::formats) fn unknown(name: &str, at: Span) -> Self {
        Self::new(What::Unknown(Unknown(name.into())), at)
    }

    /// Whether it is nothing.
    pub(in crate::formats) const fn is_null(&self) -> bool {
        matches!(self.what, What::Null)
    }

    /// The name of what it is, if it is not known at all.
    pub(in crate::formats) fn name_of_unknown(&self) -> Option<&str> {
        if let What::Unknown(Unknown(name)) = &self.what { Some(name) } else { None }
    }

    /// The text that it is.
    pub(in crate::formats) fn text(&self) -> Option<&str> {
        if let What::Text(text) = &self.what { Some(text) } else { None }
    }

    /// The list that it is.
    pub(in crate::formats) fn list(&self) -> Option<&List> {
        if let What::List(list) = &self.what { Some(list) } else { None }
    }

    /// The object that it is.
    pub(in crate::formats) fn object(&self) -> Option<&Object> {
        if let What::Object(object) = &self.what { Some(object) } else { None }
    }

    /// The number that it is, or that its text says, for arguments that take a number.
    pub(in crate::formats) fn as_number(&self) -> Option<Number> {
        match &self.what {
            What::Number(number) => Some(*number),
            What::Text(text) => Number::parse(text),
            What::Null | What::Truth(_) | What::List(_) | What::Object(_) | What::Unknown(_) => None,
        }
    }

    /// The whole number that it is, or that its text says.
    pub(in crate::formats) fn as_integer(&self) -> Option<i128> {
        self.as_number()?.integer()
    }

    /// The truth that it is, or that its text says, for arguments that take one.
    pub(in crate::formats) fn as_truth(&self) -> Option<bool> {
        match &self.what {
            What::Truth(truth) => Some(*truth),
            What::Text(text) => match &**text {
                "true" | "1" => Some(true),
                "false" | "0" => Some(false),
                _ => None,
            },
            What::Null | What::Number(_) | What::List(_) | What::Object(_) | What::Unknown(_) => None,
        }
    }

    /// The text that it is, or that its number or truth is written as, for arguments that take a text.
    pub(in crate::formats) fn as_text(&self) -> Option<Arc<str>> {
        match &self.what {
            What::Text(text) => Some(Arc::clone(text)),
            What::Truth(true) => Some("true".into()),
            What::Truth(false) => Some("false".into()),
            What::Number(number) => number.decimal().map(Into::into),
            What::Null | What::List(_) | What::Object(_) | What::Unknown(_) => None,
        }
    }

    /// Whether all of it is known, whatever is in it.
    pub(in crate::formats) fn is_known(&self) -> bool {
        match &self.what {
            What::Null | What::Truth(_) | What::Number(_) | What::Text(_) => true,
            What::Unknown(_) => false,
            What::List(list) => list.more.is_empty() && list.items.iter().all(Self::is_known),
            What::Object(object) => object.more.is_empty() && object.entries.iter().all(|entry| entry.value.is_known()),
        }
    }

    /// The same, not to be printed if `sensitive`, nor anything that is in it.
    #[must_use]
    pub(in crate::formats) fn hidden(mut self, sensitive: bool) -> Self {
        if sensitive && !self.sensitive {
            self.hide();
        }
        self
    }

    fn hide(&mut self) {
        self.sensitive = true;
        let hide_more = |more: &mut Vec<More>| more.iter_mut().for_each(|more| more.like.hide());
        match &mut self.what {
            What::Null | What::Truth(_) | What::Number(_) | What::Text(_) | What::Unknown(_) => {}
            What::List(list) => {
                let List { items, more, is_set: _ } = Arc::make_mut(list);
                items.iter_mut().for_each(Self::hide);
                hide_more(more);
            }
            What::Object(object) => {
                let Object { entries, more } = Arc::make_mut(object);
                entries.iter_mut().for_each(|entry| entry.value.hide());
                hide_more(more);
            }
        }
    }
}

/// Equal are values that are the same, wherever they stand; unknown ones by their names.
impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        self.what == other.what
    }
}

impl PartialEq for What {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Truth(a), Self::Truth(b)) => a == b,
            (Self::Number(a), Self::Number(b)) => a == b,
            (Self::Text(a), Self::Text(b)) => a == b,
            (Self::List(a), Self::List(b)) => Arc::ptr_eq(a, b) || a == b,
            (Self::Object(a), Self::Object(b)) => Arc::ptr_eq(a, b) || a == b,
            (Self::Unknown(a), Self::Unknown(b)) => a == b,
            (
                Self::Null
                | Self::Truth(_)
                | Self::Number(_)
                | Self::Text(_)
                | Self::List(_)
                | Self::Object(_)
                | Self::Unknown(_),
                _,
            ) => false,
        }
    }
}

/// The order counts, but not in sets.
impl PartialEq for List {
    fn eq(&self, other: &Self) -> bool {
        let Self { items, more, is_set } = self;
        let items = if *is_set { same(items, &other.items) } else { *items == other.items };
        *is_set == other.is_set && items && same(more, &other.more)
    }
}

fn same<T: PartialEq>(a: &[T], b: &[T]) -> bool {
    a.len() == b.len() && a.iter().all(|value| b.contains(value)) && b.iter().all(|value| a.contains(value))
}

/// The order of the entries means nothing.
impl PartialEq for Object {
    fn eq(&self, other: &Self) -> bool {
        let Self { entries, more } = self;
        entries.len() == other.entries.len()
            && same(more, &other.more)
            && entries.iter().all(|entry| other.get(&entry.name) == Some(&entry.value))
    }
}

impl Object {
    /// The value of that name, if it is surely there.
    pub(in crate::formats) fn get(&self, name: &str) -> Option<&Value> {
        self.entry(name).map(|entry| &entry.value)
    }

    /// The value of that name with the name.
    pub(in crate::formats) fn entry(&self, name: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| &*entry.name == name)
    }

    /// Gives a name a value; the last one counts.
    pub(in crate::formats) fn put(&mut self, entry: Entry) {
        match self.entries.iter_mut().find(|known| known.name == entry.name) {
            Some(known) => *known = entry,
            None => self.entries.push(entry),
        }
    }
}
