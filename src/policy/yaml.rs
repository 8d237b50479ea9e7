//! YAML text to nodes. The only file that knows the parser.

use super::error::PolicyError;
use super::node::{Kind, Node, Spanned};
use crate::text::{SourceId, Span};
use granit_parser::{Event, Parser, StructureStyle};
use std::collections::HashMap;

/// The largest policy, in bytes.
pub(super) const MAX_BYTES: usize = 8 << 20;
/// The deepest nesting of lists and maps.
const MAX_DEPTH: usize = 128;

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
    let root = Builder { source, text, frames: Vec::new(), root: None, documents: 0, problems }.build()?;
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

/// A list or map that is not closed yet.
enum Frame {
    List {
        start: usize,
        items: Vec<Node>,
        flow: bool,
    },
    Map {
        start: usize,
        entries: Vec<(Spanned<String>, Node)>,
        seen: HashMap<String, Span>,
        key: Option<Spanned<String>>,
        flow: bool,
    },
}

struct Builder<'t, 'p> {
    source: SourceId,
    text: &'t str,
    frames: Vec<Frame>,
    root: Option<Node>,
    documents: usize,
    problems: &'p mut Vec<PolicyError>,
}

impl<'t> Builder<'t, '_> {
    fn build(mut self) -> Option<Node> {
        let options = granit_parser::options! {
            strict_indentation: true,
            disallow_directives: true,
            emit_comments: false,
            emit_unresolved_aliases: true,
            flow_nesting_limit: MAX_DEPTH,
            block_nesting_limit: MAX_DEPTH,
        };
        for next in Parser::new_from_str_with_options(self.text, options) {
            match next {
                Ok((event, at)) => {
                    let (start, end) = self.range(at);
                    if !self.event(event, start, end, at.tag_span().map(|tag| self.range(tag))) {
                        return None;
                    }
                }
                Err(error) => {
                    let start = error.marker().byte_offset().unwrap_or(self.text.len()).min(self.text.len());
                    let at = span(self.source, start, (start + 1).min(self.text.len()));
                    self.problems.push(PolicyError::Syntax { message: error.info(), at });
                    return None;
                }
            }
        }
        let whole = span(self.source, 0, self.text.len());
        let nothing = Node { span: whole, kind: Kind::Scalar { text: String::new(), plain: true } };
        Some(self.root.unwrap_or(nothing))
    }

    /// Byte offsets; the parser gives them for every text that is read from a `str`.
    fn range(&self, at: granit_parser::Span) -> (usize, usize) {
        at.byte_range().map_or((0, self.text.len()), |range| (range.start, range.end))
    }

    /// Takes in one event; `false`: there is no sense in going on.
    #[expect(clippy::wildcard_enum_match_arm, reason = "the parser may come to report more, which is refused")]
    fn event(&mut self, event: Event<'t>, start: usize, end: usize, tag: Option<(usize, usize)>) -> bool {
        match event {
            Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
            Event::DocumentStart(..) => {
                self.documents += 1;
                if self.documents > 1 {
                    self.problems.push(PolicyError::Documents { at: span(self.source, start, end) });
                    return false;
                }
            }
            Event::Scalar(text, style, anchor, tagged) => {
                self.indirection(anchor, tagged.is_some(), start, end, tag);
                let plain = style == granit_parser::ScalarStyle::Plain;
                let text = text.into_owned();
                if let Some((_, c)) = invisible(&text).next() {
                    let name = format!("U+{:04X}", u32::from(c));
                    self.problems.push(PolicyError::Invisible { name, at: span(self.source, start, end) });
                }
                self.put(Node { span: span(self.source, start, end), kind: Kind::Scalar { text, plain } });
            }
            Event::SequenceStart(style, anchor, tagged) => {
                self.indirection(anchor, tagged.is_some(), start, end, tag);
                self.frames.push(Frame::List { start, items: Vec::new(), flow: style == StructureStyle::Flow });
            }
            Event::MappingStart(style, anchor, tagged) => {
                self.indirection(anchor, tagged.is_some(), start, end, tag);
                let flow = style == StructureStyle::Flow;
                self.frames.push(Frame::Map { start, entries: Vec::new(), seen: HashMap::new(), key: None, flow });
            }
            Event::SequenceEnd | Event::MappingEnd => return self.close(end),
            Event::Alias(_) | Event::UnresolvedAlias(_) => {
                let at = span(self.source, start, end);
                self.problems.push(PolicyError::Indirection { what: "aliases", at });
                self.put(Node { span: at, kind: Kind::Scalar { text: String::new(), plain: true } });
            }
            event => return self.unexpected(&event, start, end),
        }
        true
    }

    /// The parser has been told not to report this, or a later version of it reports more.
    fn unexpected(&mut self, event: &Event<'_>, start: usize, end: usize) -> bool {
        let message = format!("the parser reports {event:?}");
        self.problems.push(PolicyError::Syntax { message, at: span(self.source, start, end) });
        false
    }

    fn indirection(&mut self, anchor: usize, tagged: bool, start: usize, end: usize, tag: Option<(usize, usize)>) {
        if anchor != 0 {
            let at = span(self.source, start, end);
            self.problems.push(PolicyError::Indirection { what: "anchors", at });
        }
        if tagged {
            let (start, end) = tag.unwrap_or((start, end));
            let at = span(self.source, start, end);
            self.problems.push(PolicyError::Indirection { what: "tags", at });
        }
    }

    fn close(&mut self, end: usize) -> bool {
        let (start, end, kind) = match self.frames.pop() {
            Some(Frame::List { start, items, flow }) => {
                let last = items.last().map_or(start, |node| node.span.end as usize);
                (start, if flow { end } else { last }, Kind::List(items))
            }
            Some(Frame::Map { start, entries, seen: _, key: None, flow }) => {
                let first = entries.first().map_or(start, |(key, _)| key.span.start as usize);
                let last = entries.last().map_or(start, |(_, node)| node.span.end as usize);
                (if flow { start } else { first }, if flow { end } else { last }, Kind::Map(entries))
            }
            Some(Frame::Map { .. }) | None => {
                let message = "a list or map ends where none began".to_owned();
                self.problems.push(PolicyError::Syntax { message, at: span(self.source, end, end) });
                return false;
            }
        };
        self.put(Node { span: span(self.source, start, end.max(start)), kind });
        true
    }

    fn put(&mut self, node: Node) {
        match self.frames.last_mut() {
            None => self.root = Some(node),
            Some(Frame::List { items, .. }) => items.push(node),
            Some(Frame::Map { entries, seen, key, .. }) => match key.take() {
                Some(key) => match seen.get(&key.value) {
                    Some(first) => {
                        self.problems.push(PolicyError::DuplicateKey { key: key.value, at: key.span, first: *first })
                    }
                    None => {
                        seen.insert(key.value.clone(), key.span);
                        entries.push((key, node));
                    }
                },
                None => {
                    let text = match node.kind {
                        Kind::Scalar { text, plain: true } if text == "<<" => {
                            self.problems.push(PolicyError::Indirection { what: "merge keys", at: node.span });
                            text
                        }
                        Kind::Scalar { text, .. } => text,
                        Kind::Map(_) | Kind::List(_) => {
                            let found = "a list or map".to_owned();
                            self.problems.push(PolicyError::WrongKind { wanted: "a key", found, at: node.span });
                            String::new()
                        }
                    };
                    *key = Some(Spanned { value: text, span: node.span });
                }
            },
        }
    }
}

fn span(source: SourceId, start: usize, end: usize) -> Span {
    let narrow = |n| u32::try_from(n).expect("sources are smaller than 4 GiB");
    Span { source, start: narrow(start), end: narrow(end) }
}
