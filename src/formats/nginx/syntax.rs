//! What a file says: directives, with their words and blocks.

use crate::text::Span;

/// A directive.
#[derive(Debug, Clone)]
pub(super) struct Directive {
    /// Its name.
    pub(super) name: Vec<u8>,
    /// Its words after the name.
    pub(super) words: Vec<Word>,
    /// What stands in its braces, if it has any.
    pub(super) block: Option<Vec<Self>>,
    /// From its name to its last word.
    pub(super) head: Span,
    /// All of it.
    pub(super) span: Span,
}

/// A word, without its quotes.
#[derive(Debug, Clone)]
pub(super) struct Word {
    pub(super) text: Vec<u8>,
    pub(super) span: Span,
}

impl Directive {
    /// Whether it is called so.
    pub(super) fn is(&self, name: &str) -> bool {
        self.name == name.as_bytes()
    }

    /// Its first word; empty if there is none.
    pub(super) fn first(&self) -> &[u8] {
        self.words.first().map_or(b"", |word| &word.text)
    }

    /// Its words in one text.
    pub(super) fn said(&self) -> String {
        let words: Vec<String> = self.words.iter().map(|word| crate::text::escape(&word.text)).collect();
        words.join(" ")
    }
}

/// The directives of a list that are called so.
pub(super) fn called<'d>(list: &'d [Directive], name: &'static str) -> impl DoubleEndedIterator<Item = &'d Directive> {
    list.iter().filter(move |directive| directive.is(name))
}
