//! Nodes to values, strictly: every key is known or an error, every value is of its kind or an error, and all
//! errors are collected.

use super::error::PolicyError;
use super::feed::FeedDoubt;
use super::names::Names;
use super::node::{Kind, Node, Spanned};
use crate::text::{Span, suggest};

/// What reading needs, and what is wrong so far.
pub struct Reader<'n> {
    /// The names that the policy defines.
    pub names: &'n Names,
    /// What is wrong so far.
    pub problems: Vec<PolicyError>,
    /// Keys that may also stand in the next map that is opened, and are read elsewhere.
    pub elsewhere: &'static [&'static str],
    /// Why it is not known what some networks are that were read.
    pub doubts: Vec<FeedDoubt>,
}

impl<'n> Reader<'n> {
    /// A reader that has found nothing wrong yet.
    #[must_use]
    pub const fn new(names: &'n Names) -> Self {
        Self { names, problems: Vec::new(), elsewhere: &[], doubts: Vec::new() }
    }

    /// Reports a value that cannot be.
    pub fn refuse(&mut self, at: Span, message: impl Into<String>, help: impl Into<String>) {
        self.problems.push(PolicyError::Value { message: message.into(), help: help.into(), at });
    }

    /// Reports a name that nothing has.
    pub fn unknown(&mut self, kind: &'static str, name: &str, known: &[&str], at: Span) {
        let help = suggest(name, known);
        self.problems.push(PolicyError::UnknownName { kind, name: name.to_owned(), help, at });
    }

    pub(super) fn wrong_kind(&mut self, wanted: &'static str, node: &Node) {
        let found = match &node.kind {
            Kind::Map(_) => "a map".to_owned(),
            Kind::List(_) => "a list".to_owned(),
            Kind::Scalar { .. } if node.is_nothing() => "nothing".to_owned(),
            Kind::Scalar { text, .. } => format!("`{text}`"),
        };
        self.problems.push(PolicyError::WrongKind { wanted, found, at: node.span });
    }

    /// A text in or without quotes; a word without quotes that another program would read as something else is
    /// refused.
    pub(super) fn text<'t>(&mut self, node: &'t Node, wanted: &'static str) -> Option<&'t str> {
        match &node.kind {
            Kind::Scalar { text, plain } if !node.is_nothing() => {
                if let Some(reads) = plain.then(|| other_reading(text)).flatten() {
                    self.problems.push(PolicyError::Ambiguous { text: text.clone(), reads, at: node.span });
                    return None;
                }
                Some(text)
            }
            Kind::Scalar { .. } | Kind::Map(_) | Kind::List(_) => {
                self.wrong_kind(wanted, node);
                None
            }
        }
    }
}

/// How a word without quotes reads besides being a text, in YAML 1.1 or 1.2.
fn other_reading(text: &str) -> Option<&'static str> {
    let lower = text.to_ascii_lowercase();
    if matches!(lower.as_str(), "y" | "n" | "yes" | "no" | "on" | "off" | "true" | "false") {
        return Some("a truth in some versions of YAML");
    }
    let digits = lower.trim_start_matches(['+', '-']);
    if !digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return None;
    }
    if digits.contains(':') && digits.chars().all(|c| c.is_ascii_digit() || matches!(c, ':' | '_' | '.')) {
        return Some("a number to base 60 in YAML 1.1");
    }
    if digits.len() > 1 && digits.starts_with('0') && digits.bytes().all(|b| b.is_ascii_digit() || b == b'_') {
        return Some("octal in YAML 1.1 and decimal in YAML 1.2");
    }
    let number = digits.strip_prefix("0x").map_or_else(
        || digits.replace('_', "").parse::<f64>().is_ok(),
        |hex| !hex.is_empty() && hex.bytes().all(|b| b.is_ascii_hexdigit() || b == b'_'),
    );
    let octal = digits.strip_prefix("0o").or(digits.strip_prefix("0b"));
    let date = digits.len() == 10
        && digits.bytes().enumerate().all(|(n, b)| if n == 4 || n == 7 { b == b'-' } else { b.is_ascii_digit() });
    if number || octal.is_some() {
        Some("a number")
    } else if date {
        Some("a date in YAML 1.1")
    } else {
        None
    }
}

/// A value that can be read from a node.
pub trait Read: Sized {
    /// Reads it; `None` when something is wrong, which is then among the reader's problems.
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self>;

    /// The value where the key is missing; `None`: it must be there.
    #[must_use]
    fn absent() -> Option<Self> {
        None
    }
}

impl Read for String {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let text = reader.text(node, "a text")?;
        if text.trim().is_empty() {
            reader.wrong_kind("a text that is not empty", node);
            return None;
        }
        Some(text.to_owned())
    }
}

impl Read for bool {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        match &node.kind {
            Kind::Scalar { text, plain: true } if text == "true" => Some(true),
            Kind::Scalar { text, plain: true } if text == "false" => Some(false),
            Kind::Scalar { .. } | Kind::Map(_) | Kind::List(_) => {
                reader.wrong_kind("`true` or `false`", node);
                None
            }
        }
    }
}

impl Read for u64 {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        if let Kind::Scalar { text, plain: true } = &node.kind {
            let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
            if digits
                && (text == "0" || !text.starts_with('0'))
                && let Ok(number) = text.parse()
            {
                return Some(number);
            }
            if digits {
                let reads = "octal in YAML 1.1 and decimal in YAML 1.2, or too large";
                reader.problems.push(PolicyError::Ambiguous { text: text.clone(), reads, at: node.span });
                return None;
            }
        }
        reader.wrong_kind("a number", node);
        None
    }
}

impl Read for usize {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let number = Self::try_from(u64::read(node, reader)?);
        if number.is_err() {
            reader.wrong_kind("a smaller number", node);
        }
        number.ok()
    }
}

impl<T: Read> Read for Option<T> {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        T::read(node, reader).map(Some)
    }

    fn absent() -> Option<Self> {
        Some(None)
    }
}

impl<T: Read> Read for Spanned<T> {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        T::read(node, reader).map(|value| Self { value, span: node.span })
    }
}

impl<T: Read> Read for Vec<T> {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let Kind::List(items) = &node.kind else {
            reader.wrong_kind("a list", node);
            return None;
        };
        if items.is_empty() {
            reader.refuse(node.span, "the list is empty", "remove the key, or say what it is about");
            return None;
        }
        let read: Vec<_> = items.iter().map(|item| T::read(item, reader)).collect();
        read.into_iter().collect()
    }
}

/// A map from names to values, in the order of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named<T>(pub Vec<(Spanned<String>, T)>);

impl<T: Read> Read for Named<T> {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let Kind::Map(entries) = &node.kind else {
            reader.wrong_kind("a map of names", node);
            return None;
        };
        if entries.is_empty() {
            reader.refuse(node.span, "the map is empty", "remove the key, or define something");
            return None;
        }
        let read: Vec<_> = entries
            .iter()
            .map(|(name, node)| (name_is_plain(name, reader), T::read(node, reader)))
            .zip(entries)
            .map(|((fine, value), (name, _))| value.filter(|_| fine).map(|value| (name.clone(), value)))
            .collect();
        read.into_iter().collect::<Option<_>>().map(Self)
    }

    fn absent() -> Option<Self> {
        Some(Self(Vec::new()))
    }
}

/// Names are words: letters, digits, `-`, `_`, `.`; so they never look like an address, a port or a pattern.
fn name_is_plain(name: &Spanned<String>, reader: &mut Reader<'_>) -> bool {
    let plain = name.value.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.value.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
    if !plain {
        let help = "begin with a letter; then letters, digits, `-`, `_` and `.`";
        reader.refuse(name.span, format!("`{}` cannot be a name", name.value), help);
    }
    plain
}

/// A map that is being read key by key.
pub struct Object<'t> {
    span: Span,
    entries: &'t [(Spanned<String>, Node)],
    known: Vec<&'static str>,
    elsewhere: &'static [&'static str],
}

impl<'t> Object<'t> {
    /// Opens a map.
    pub fn open(node: &'t Node, reader: &mut Reader<'_>) -> Option<Self> {
        let elsewhere = std::mem::take(&mut reader.elsewhere);
        match &node.kind {
            Kind::Map(entries) => Some(Self { span: node.span, entries, known: Vec::new(), elsewhere }),
            Kind::List(_) | Kind::Scalar { .. } => {
                reader.wrong_kind("a map", node);
                None
            }
        }
    }

    /// Reads the value of a key. Outer `None`: something is wrong.
    pub fn take<T: Read>(&mut self, key: &'static str, reader: &mut Reader<'_>) -> Option<T> {
        match self.node(key) {
            Some(node) => T::read(node, reader),
            None => T::absent().or_else(|| {
                reader.problems.push(PolicyError::MissingKey { key, at: self.span });
                None
            }),
        }
    }

    /// The same as [`Object::take`], in a chain.
    pub fn with<T: Read>(mut self, key: &'static str, reader: &mut Reader<'_>) -> (Self, Option<T>) {
        let value = self.take(key, reader);
        (self, value)
    }

    /// The value of a key as it stands.
    pub fn node(&mut self, key: &'static str) -> Option<&'t Node> {
        self.known.push(key);
        self.entries.iter().find(|(name, _)| name.value == key).map(|(_, node)| node)
    }

    /// Reports keys that are probably meant to be `wanted`, where the others cannot be told right from wrong.
    pub(super) fn mistyped(&self, wanted: &'static str, reader: &mut Reader<'_>) {
        let near = |key: &str| strsim::damerau_levenshtein(key, wanted) <= 1 + wanted.len() / 4;
        for (key, _) in self.entries.iter().filter(|(key, _)| key.value != wanted && near(&key.value)) {
            let help = suggest(&key.value, &[wanted]);
            reader.problems.push(PolicyError::UnknownKey { key: key.value.clone(), help, at: key.span });
        }
    }

    /// Reports every key that has not been asked for.
    pub fn close(self, reader: &mut Reader<'_>) {
        let mut known: Vec<_> = self.known.iter().chain(self.elsewhere).copied().collect();
        known.sort_unstable();
        for (key, _) in self.entries.iter().filter(|(key, _)| !known.contains(&key.value.as_str())) {
            let help = suggest(&key.value, &known);
            reader.problems.push(PolicyError::UnknownKey { key: key.value.clone(), help, at: key.span });
        }
    }
}

/// Declares a map of the policy language: a struct whose fields are the keys, with its reader and its schema.
/// `Option` fields may be missing.
macro_rules! keys {
    ($(#[$meta:meta])* $vis:vis struct $name:ident {
        $($(#[$field_meta:meta])* $field:ident : $type:ty),* $(,)?
    }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, schemars::JsonSchema)]
        #[schemars(deny_unknown_fields)]
        $vis struct $name {
            $($(#[$field_meta])* $vis $field: $type,)*
        }

        impl $crate::policy::Read for $name {
            fn read(node: &$crate::policy::Node, reader: &mut $crate::policy::Reader<'_>) -> Option<Self> {
                let object = $crate::policy::Object::open(node, reader)?;
                $(let (object, $field) = object.with($crate::policy::key(stringify!($field)), reader);)*
                object.close(reader);
                Some(Self { $($field: $field?,)* })
            }
        }
    };
}
pub(crate) use keys;

/// The key of a field: a word of Rust is written `r#in`.
pub(crate) fn key(field: &'static str) -> &'static str {
    field.strip_prefix("r#").unwrap_or(field)
}

/// Declares a choice of words: an enum with its reader and its schema. The words are the variants in kebab-case.
macro_rules! words {
    ($(#[$meta:meta])* $vis:vis enum $name:ident as $kind:literal {
        $($(#[$variant_meta:meta])* $variant:ident = $word:literal),* $(,)?
    }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, schemars::JsonSchema)]
        $vis enum $name {
            $($(#[$variant_meta])* #[schemars(rename = $word)] $variant,)*
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(match self {
                    $(Self::$variant => $word,)*
                })
            }
        }

        impl $crate::policy::Read for $name {
            fn read(node: &$crate::policy::Node, reader: &mut $crate::policy::Reader<'_>) -> Option<Self> {
                let word = reader.word(node)?;
                match word {
                    $($word => Some(Self::$variant),)*
                    other => {
                        reader.unknown($kind, other, &[$($word),*], node.span);
                        None
                    }
                }
            }
        }
    };
}
pub(crate) use words;

impl Reader<'_> {
    /// One word of a choice; `off` is a word here and no truth.
    pub(crate) fn word<'t>(&mut self, node: &'t Node) -> Option<&'t str> {
        match &node.kind {
            Kind::Scalar { text, .. } if !node.is_nothing() => Some(text),
            Kind::Scalar { .. } | Kind::Map(_) | Kind::List(_) => {
                self.wrong_kind("a word", node);
                None
            }
        }
    }
}
