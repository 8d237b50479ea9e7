//! YAML text to trees. The only file that knows the parser; what tags, anchors and plain words mean, others say.

use granit_parser::{Event, Parser, ScalarStyle, StructureStyle};
use std::borrow::Cow;
use std::ops::Range;

/// The deepest nesting of lists and maps.
const MAX_DEPTH: usize = 128;

/// How much of YAML a text may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// No directives, and what the specification says of indentation.
    Strict,
    /// What the widespread readers take.
    Lenient,
}

/// One of the documents of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document<'t> {
    /// The `---` that it begins with; no bytes if it has none.
    pub begins: Range<usize>,
    /// What it says; an empty text if it says nothing.
    pub root: Node<'t>,
}

/// A value as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node<'t> {
    /// Its bytes, without anchor and tag.
    pub at: Range<usize>,
    /// Its tag, if it has one.
    pub tag: Option<Box<Tag>>,
    /// The number of its anchor, if it has one; they are different in the whole text.
    pub anchor: Option<usize>,
    /// What it is.
    pub kind: Kind<'t>,
}

/// A tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tag {
    /// In full: `!Ref`, `tag:yaml.org,2002:str`.
    pub name: String,
    /// Its bytes.
    pub at: Range<usize>,
}

/// What a value is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind<'t> {
    /// A text.
    Scalar {
        /// What it says, without quotes and escapes.
        text: Cow<'t, str>,
        /// Whether it stands there without quotes, so that it could be a number, a truth or nothing.
        plain: bool,
    },
    /// Values in order.
    List(Vec<Node<'t>>),
    /// Keys and values in order; a key may stand several times, and be anything.
    Map(Vec<(Node<'t>, Node<'t>)>),
    /// What the node with that anchor is; `None`: there is none before it in its document.
    Alias(Option<usize>),
}

/// Why a text is not YAML.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotYaml {
    /// The bytes it is about.
    pub at: Range<usize>,
    /// One sentence part.
    pub reason: String,
}

/// The documents of a text: none for one that has only comments.
///
/// # Errors
/// The first place at which it is not YAML, or nested too deeply.
pub fn yaml(bytes: &[u8], manner: Manner) -> Result<Vec<Document<'_>>, NotYaml> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let at = error.valid_up_to();
        NotYaml { at: at..at + 1, reason: "it is not UTF-8".to_owned() }
    })?;
    let strict = manner == Manner::Strict;
    let options = granit_parser::options! {
        strict_indentation: strict,
        disallow_directives: strict,
        emit_comments: false,
        emit_unresolved_aliases: true,
        flow_nesting_limit: MAX_DEPTH,
        block_nesting_limit: MAX_DEPTH,
    };
    let mut builder = Builder { text, frames: Vec::new(), begins: 0..0, documents: Vec::new() };
    for next in Parser::new_from_str_with_options(text, options) {
        let (event, at) = next.map_err(|error| {
            let start = error.marker().byte_offset().unwrap_or(text.len()).min(text.len());
            NotYaml { at: start..(start + 1).min(text.len()), reason: error.info() }
        })?;
        let tag = at.tag_span().map(|tag| builder.range(tag));
        let at = builder.range(at);
        builder.event(event, at, tag)?;
    }
    Ok(builder.documents)
}

/// A list or map that is not closed yet.
struct Frame<'t> {
    start: Range<usize>,
    tag: Option<Box<Tag>>,
    anchor: Option<usize>,
    is_flow: bool,
    what: Open<'t>,
}

enum Open<'t> {
    List(Vec<Node<'t>>),
    Map { entries: Vec<(Node<'t>, Node<'t>)>, key: Option<Node<'t>> },
}

struct Builder<'t> {
    text: &'t str,
    frames: Vec<Frame<'t>>,
    begins: Range<usize>,
    documents: Vec<Document<'t>>,
}

impl<'t> Builder<'t> {
    /// Byte offsets; the parser gives them for every text that is read from a `str`.
    fn range(&self, at: granit_parser::Span) -> Range<usize> {
        at.byte_range().unwrap_or(0..self.text.len())
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "the parser may come to report more, which is refused")]
    fn event(&mut self, event: Event<'t>, at: Range<usize>, tag_at: Option<Range<usize>>) -> Result<(), NotYaml> {
        let tagged = |tag: Option<Cow<'t, granit_parser::Tag>>| {
            let at = tag_at.unwrap_or_else(|| at.clone());
            tag.map(|tag| Box::new(Tag { name: format!("{}{}", tag.handle(), tag.suffix()), at }))
        };
        match event {
            Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
            Event::DocumentStart(..) => self.begins = at,
            Event::Scalar(text, style, anchor, tag) => {
                let kind = Kind::Scalar { text, plain: style == ScalarStyle::Plain };
                let tag = tagged(tag);
                self.put(Node { at, tag, anchor: number(anchor), kind });
            }
            Event::SequenceStart(style, anchor, tag) => {
                self.open(at.clone(), tagged(tag), anchor, style, Open::List(Vec::new()));
            }
            Event::MappingStart(style, anchor, tag) => {
                let map = Open::Map { entries: Vec::new(), key: None };
                self.open(at.clone(), tagged(tag), anchor, style, map);
            }
            Event::SequenceEnd | Event::MappingEnd => return self.close(at.end),
            Event::Alias(anchor) => self.put(Node { at, tag: None, anchor: None, kind: Kind::Alias(number(anchor)) }),
            Event::UnresolvedAlias(_) => self.put(Node { at, tag: None, anchor: None, kind: Kind::Alias(None) }),
            // The parser has been told not to report this, or a later version of it reports more.
            event => return Err(NotYaml { at, reason: format!("the parser reports {event:?}") }),
        }
        Ok(())
    }

    fn open(
        &mut self,
        start: Range<usize>,
        tag: Option<Box<Tag>>,
        anchor: usize,
        style: StructureStyle,
        what: Open<'t>,
    ) {
        let is_flow = style == StructureStyle::Flow;
        self.frames.push(Frame { start, tag, anchor: number(anchor), is_flow, what });
    }

    fn close(&mut self, end: usize) -> Result<(), NotYaml> {
        let unbalanced = NotYaml { at: end..end, reason: "a list or map ends where none began".to_owned() };
        let Frame { start, tag, anchor, is_flow, what } = self.frames.pop().ok_or_else(|| unbalanced.clone())?;
        let (first, last, kind) = match what {
            Open::List(items) => (start.start, items.last().map(|node| node.at.end), Kind::List(items)),
            Open::Map { entries, key: None } => {
                let first = entries.first().map_or(start.start, |(key, _)| key.at.start);
                (first, entries.last().map(|(_, node)| node.at.end), Kind::Map(entries))
            }
            Open::Map { entries: _, key: Some(_) } => return Err(unbalanced),
        };
        // The parser lets a block end where the next thing begins, and a map where its first colon stands.
        let at = if is_flow { start.start..end } else { first..last.unwrap_or(first).max(first) };
        self.put(Node { at, tag, anchor, kind });
        Ok(())
    }

    fn put(&mut self, node: Node<'t>) {
        match self.frames.last_mut().map(|frame| &mut frame.what) {
            None => self.documents.push(Document { begins: self.begins.clone(), root: node }),
            Some(Open::List(items)) => items.push(node),
            Some(Open::Map { entries, key }) => match key.take() {
                Some(key) => entries.push((key, node)),
                None => *key = Some(node),
            },
        }
    }
}

/// The parser says 0 where there is no anchor.
const fn number(anchor: usize) -> Option<usize> {
    if anchor == 0 { None } else { Some(anchor) }
}
