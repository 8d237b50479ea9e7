use super::node::Node;
use super::read::{Read, Reader};
use crate::text::Span;
use globset::GlobBuilder;
use regex::bytes::{Regex, RegexBuilder};

/// A pattern of names in which `/` separates: anchored at both ends, `*` and `?` stay between two slashes, `**`
/// goes across.
#[derive(Debug, Clone)]
pub struct Pattern {
    /// As it is written.
    pub text: String,
    /// Where.
    pub span: Span,
    regex: Regex,
}

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// A sentence saying what is wrong with it.
    pub fn new(text: &str, span: Span) -> Result<Self, String> {
        if text.starts_with('/') || text.ends_with('/') || text.contains("//") {
            return Err("a pattern is relative to the root and names files, not folders: no `/` at an end".to_owned());
        }
        if text.split('/').any(|part| part == "." || part == "..") {
            return Err("a pattern goes down from the root: no `.` or `..`".to_owned());
        }
        if text.contains('\\') {
            return Err("a pattern is written with `/`, and there is nothing to escape with `\\`".to_owned());
        }
        let glob = GlobBuilder::new(text).literal_separator(true).build().map_err(|e| e.kind().to_string())?;
        // Names are bytes and need not be UTF-8; globset's own matcher takes only what the system calls a path.
        let regex = RegexBuilder::new(glob.regex()).size_limit(1 << 20).dfa_size_limit(1 << 20).build();
        let regex = regex.map_err(|_| "the pattern is too large".to_owned())?;
        Ok(Self { text: text.to_owned(), span, regex })
    }

    /// Whether it is the pattern of this name.
    #[must_use]
    pub fn matches(&self, name: &[u8]) -> bool {
        self.regex.is_match(name)
    }

    /// Whether it is the pattern of this name or of a folder that the name is in: `edge` for `edge/input`.
    #[must_use]
    pub fn covers(&self, name: &str) -> bool {
        let ends = name.bytes().enumerate().filter(|(_, b)| *b == b'/').map(|(at, _)| at);
        ends.chain([name.len()]).any(|end| self.matches(&name.as_bytes()[..end]))
    }

    /// The folders before the first part that is not fixed: `hosts/` of `hosts/*.rules`.
    pub(super) fn fixed(&self) -> &str {
        let special = self.text.find(['*', '?', '[', '{']).unwrap_or(self.text.len());
        self.text[..special].rfind('/').map_or("", |slash| &self.text[..=slash])
    }
}

impl Read for Pattern {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let text = String::read(node, reader)?;
        Self::new(&text, node.span)
            .map_err(|message| {
                let help = "for example `edge/*.rules`, `hosts/**/rules.v4`";
                reader.refuse(node.span, format!("`{text}` is no pattern: {message}"), help);
            })
            .ok()
    }
}
