use crate::text::Span;

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spanned<T> {
    /// The value.
    pub value: T,
    /// Its bytes.
    pub span: Span,
}

/// A value of a policy file before it is known what it should be, with its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Its bytes.
    pub span: Span,
    /// What it is.
    pub kind: Kind,
}

/// What a value is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// Keys and values in the order of the file; no key stands twice.
    Map(Vec<(Spanned<String>, Node)>),
    /// Values in order.
    List(Vec<Node>),
    /// A text.
    Scalar {
        /// What it says, without quotes and escapes.
        text: String,
        /// Whether it stands there without quotes, so that it could be a number, a truth or nothing.
        plain: bool,
    },
}

impl Node {
    /// The value of a key, if this is a map that has it.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Self> {
        match &self.kind {
            Kind::Map(entries) => entries.iter().find(|(name, _)| name.value == key).map(|(_, node)| node),
            Kind::List(_) | Kind::Scalar { .. } => None,
        }
    }

    /// Whether it says nothing: `~`, `null` or an empty place.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        match &self.kind {
            Kind::Scalar { text, plain } => *plain && matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL"),
            Kind::Map(_) | Kind::List(_) => false,
        }
    }

    /// The value in one line, in flow style, whatever its layout: equal values read the same.
    #[must_use]
    pub fn show(&self) -> String {
        match &self.kind {
            Kind::Map(entries) => {
                let entries: Vec<_> =
                    entries.iter().map(|(key, node)| format!("{}: {}", key.value, node.show())).collect();
                format!("{{{}}}", entries.join(", "))
            }
            Kind::List(items) => {
                let items: Vec<_> = items.iter().map(Self::show).collect();
                format!("[{}]", items.join(", "))
            }
            Kind::Scalar { text, plain: true } => text.clone(),
            Kind::Scalar { text, plain: false } => format!("{text:?}"),
        }
    }
}
