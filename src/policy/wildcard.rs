use super::node::Node;
use super::reader::{Read, Reader};
use crate::text::Span;
use regex::bytes::{Regex, RegexBuilder};

/// A text in which `*` stands for anything: `overlay*`.
#[derive(Debug, Clone)]
pub struct Wildcard {
    /// As it is written.
    pub text: String,
    /// Where.
    pub span: Span,
    regex: Regex,
}

impl Wildcard {
    /// Whether it reads so, from end to end.
    #[must_use]
    pub fn matches(&self, text: &[u8]) -> bool {
        self.regex.is_match(text)
    }
}

impl Read for Wildcard {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let text = String::read(node, reader)?;
        let parts: Vec<_> = text.split('*').map(regex::escape).collect();
        let pattern = format!(r"(?s-u)\A{}\z", parts.join(".*"));
        match RegexBuilder::new(&pattern).size_limit(1 << 20).dfa_size_limit(1 << 20).build() {
            Ok(regex) => Some(Self { text, span: node.span, regex }),
            Err(_) => {
                reader.refuse(node.span, "the text is too long to look for", "shorten it with `*`");
                None
            }
        }
    }
}
