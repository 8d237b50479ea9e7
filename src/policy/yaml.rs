//! YAML text to nodes.

use super::error::PolicyError;
use super::node::{Kind, Node, Spanned};
use crate::text::{NotYaml, SourceId, Span, YamlKind, YamlManner, YamlNode, yaml};
use std::collections::HashMap;

/// The largest policy, in bytes.
pub(super) const MAX_BYTES: usize = 8 << 20;

/// Reads one document, and collects what is wrong with it. `None`: there is nothing to go on with.
pub(super) fn parse(source: SourceId, bytes: &[u8], problems: &mut Vec<PolicyError>) -> Option<Node> {
    let whole = span(source, 0, bytes.len().min(MAX_BYTES));
    if bytes.len() > MAX_BYTES {
        problems.push(PolicyError::TooLarge { limit: MAX_BYTES, at: whole });
        return None;
    }
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let at = span(source, error.valid_up_to(), error.valid_up_to() + 1);
            problems.push(PolicyError::Syntax { message: "it is not UTF-8".to_owned(), at });
            return None;
        }
    };
    let before = problems.len();
    problems.extend(invisible(text).map(|(at, c)| PolicyError::Invisible {
        name: format!("U+{:04X}", u32::from(c)),
        at: span(source, at, at + c.len_utf8()),
    }));
    if problems.len() > before {
        return None;
    }
    let documents = match yaml(bytes, YamlManner::Strict) {
        Ok(documents) => documents,
        Err(NotYaml { at, reason: message }) => {
            problems.push(PolicyError::Syntax { message, at: span(source, at.start, at.end) });
            return None;
        }
    };
    if let Some(second) = documents.get(1) {
        problems.push(PolicyError::Documents { at: span(source, second.begins.start, second.begins.end) });
        return None;
    }
    let nothing = Node { span: whole, kind: Kind::Scalar { text: String::new(), plain: true } };
    let mut reader = Reader { source, problems };
    let root = documents.into_iter().next().map_or(nothing, |document| reader.node(document.root));
    let empty = match &root.kind {
        Kind::Map(entries) => entries.is_empty(),
        Kind::List(_) | Kind::Scalar { .. } => root.is_nothing(),
    };
    if empty {
        problems.push(PolicyError::Empty { at: whole });
        return None;
    }
    Some(root)
}

/// Characters that do not show, that change the order in which others show, or that end a line for some programs only.
fn invisible(text: &str) -> impl Iterator<Item = (usize, char)> {
    let mut chars = text.char_indices().peekable();
    std::iter::from_fn(move || {
        loop {
            let (at, c) = chars.next()?;
            let alone = c == '\r' && chars.peek().is_none_or(|(_, next)| *next != '\n');
            if alone || is_invisible(c) {
                return Some((at, c));
            }
        }
    })
}

/// Control characters but tab and line ending, soft hyphen, zero-width and bidirectional characters, fillers, line
/// separators, annotation and tag characters, private line breaks.
fn is_invisible(c: char) -> bool {
    (c.is_control() && !matches!(c, '\t' | '\n' | '\r'))
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

struct Reader<'p> {
    source: SourceId,
    problems: &'p mut Vec<PolicyError>,
}

impl Reader<'_> {
    fn node(&mut self, node: YamlNode<'_>) -> Node {
        let YamlNode { at, tag, anchor, kind } = node;
        let at = span(self.source, at.start, at.end);
        if anchor.is_some() {
            self.problems.push(PolicyError::Indirection { what: "anchors", at });
        }
        if let Some(tag) = tag {
            let at = span(self.source, tag.at.start, tag.at.end);
            self.problems.push(PolicyError::Indirection { what: "tags", at });
        }
        let kind = match kind {
            YamlKind::Scalar { text, plain } => {
                if let Some((_, c)) = invisible(&text).next() {
                    self.problems.push(PolicyError::Invisible { name: format!("U+{:04X}", u32::from(c)), at });
                }
                Kind::Scalar { text: text.into_owned(), plain }
            }
            YamlKind::List(items) => Kind::List(items.into_iter().map(|item| self.node(item)).collect()),
            YamlKind::Map(entries) => Kind::Map(self.entries(entries)),
            YamlKind::Alias(_) => {
                self.problems.push(PolicyError::Indirection { what: "aliases", at });
                Kind::Scalar { text: String::new(), plain: true }
            }
        };
        Node { span: at, kind }
    }

    fn entries(&mut self, entries: Vec<(YamlNode<'_>, YamlNode<'_>)>) -> Vec<(Spanned<String>, Node)> {
        let mut seen: HashMap<String, Span> = HashMap::new();
        let mut out = Vec::with_capacity(entries.len());
        for (key, value) in entries {
            let key = self.key(key);
            let value = self.node(value);
            match seen.get(&key.value) {
                Some(first) => {
                    self.problems.push(PolicyError::DuplicateKey { key: key.value, at: key.span, first: *first });
                }
                None => {
                    seen.insert(key.value.clone(), key.span);
                    out.push((key, value));
                }
            }
        }
        out
    }

    fn key(&mut self, key: YamlNode<'_>) -> Spanned<String> {
        let Node { span, kind } = self.node(key);
        let value = match kind {
            Kind::Scalar { text, plain: true } if text == "<<" => {
                self.problems.push(PolicyError::Indirection { what: "merge keys", at: span });
                text
            }
            Kind::Scalar { text, .. } => text,
            Kind::Map(_) | Kind::List(_) => {
                let found = "a list or map".to_owned();
                self.problems.push(PolicyError::WrongKind { wanted: "a key", found, at: span });
                String::new()
            }
        };
        Spanned { value, span }
    }
}

fn span(source: SourceId, start: usize, end: usize) -> Span {
    let narrow = |n| u32::try_from(n).expect("sources are smaller than 4 GiB");
    Span { source, start: narrow(start), end: narrow(end) }
}
