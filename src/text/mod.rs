//! Source text: which file, which bytes, which line. Knows nothing of firewalls or the file system.

mod brief;
mod escape;
mod hex;
mod lines;
mod same;
mod suggest;
mod yaml;

pub use brief::{beginning, few, first_of};
pub use escape::{escape, escaped};
pub use hex::hex;
pub use lines::{LineIndex, lines};
pub use same::{behind, same};
pub use suggest::suggest;
pub use yaml::{
    Document as YamlDocument, Kind as YamlKind, Manner as YamlManner, Node as YamlNode, NotYaml, Tag as YamlTag, yaml,
};

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// Names one source text of one side of a change. Opaque: there is no way from here to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SourceId(u32);

/// A range of bytes in one source text; `end` is exclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Span {
    /// The text.
    pub source: SourceId,
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

/// A span as people read it: lines and columns count from 1, columns in characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The name of the source, escaped for display.
    pub path: String,
    /// Line of the first byte.
    pub line: u32,
    /// Column of the first byte.
    pub column: u32,
    /// Line of the last byte.
    pub end_line: u32,
    /// Column after the last byte.
    pub end_column: u32,
}

/// Cheap to copy: the text is kept once.
#[derive(Clone)]
struct Source {
    name: Arc<str>,
    bytes: Arc<Vec<u8>>,
    executable: bool,
    index: Arc<OnceLock<LineIndex>>,
}

/// The largest text that is taken in, 1 GiB: positions are 32 bits wide.
pub const MAX_TEXT_BYTES: u32 = 1 << 30;

/// Owns every source text of a run, and knows what names in it lead to which other texts.
#[derive(Default)]
pub struct SourceMap {
    sources: Vec<Source>,
    links: BTreeMap<(SourceId, Vec<u8>), Linked>,
    /// What must not be printed. Known only once the texts are read, which is after they were taken in.
    hidden: Mutex<BTreeMap<SourceId, Vec<(u32, u32)>>>,
}

/// What a name leads to that a text includes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Linked {
    /// The texts, in the order in which they are included.
    pub texts: Vec<SourceId>,
    /// Whether the place that the name says is among what is looked at; if not, there may be texts elsewhere.
    pub within: bool,
}

impl SourceMap {
    /// Adds a text under the name it is shown with (control characters are escaped here, once).
    ///
    /// # Errors
    /// Gives the bytes back where they are more than [`MAX_TEXT_BYTES`].
    pub fn add(&mut self, name: &[u8], bytes: Vec<u8>) -> Result<SourceId, Vec<u8>> {
        if bytes.len() > MAX_TEXT_BYTES as usize {
            return Err(bytes);
        }
        let id = u32::try_from(self.sources.len()).expect("fewer than 2^32 sources");
        let (name, bytes, index) = (escape(name).into(), Arc::new(bytes), Arc::default());
        self.sources.push(Source { name, bytes, executable: false, index });
        Ok(SourceId(id))
    }

    /// Notes that the text is of a file that may be executed, which git keeps beside its bytes.
    pub fn set_executable(&mut self, id: SourceId) {
        self.sources.get_mut(id.0 as usize).expect("a SourceId is only made by this map").executable = true;
    }

    /// Whether the text is of a file that may be executed.
    #[must_use]
    pub fn is_executable(&self, id: SourceId) -> bool {
        self.source(id).executable
    }

    /// Notes what a name leads to in a main text and in all that it includes.
    pub fn link(&mut self, main: SourceId, name: &[u8], linked: Linked) {
        self.links.insert((main, name.to_vec()), linked);
    }

    /// What a name leads to; `None`: nobody has looked.
    #[must_use]
    pub fn linked(&self, main: SourceId, name: &[u8]) -> Option<&Linked> {
        self.links.get(&(main, name.to_vec()))
    }

    /// The texts that a main text includes.
    pub fn included(&self, main: SourceId) -> impl Iterator<Item = SourceId> {
        let all = (main, Vec::new())..;
        let links = self.links.range(all).take_while(move |((of, _), _)| *of == main);
        links.flat_map(|(_, linked)| linked.texts.iter().copied())
    }

    /// The same texts, to which others can be added; what is hidden now is hidden there too.
    #[must_use]
    pub fn fork(&self) -> Self {
        let hidden = self.hidden.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Self { sources: self.sources.clone(), links: self.links.clone(), hidden: Mutex::new(hidden) }
    }

    /// Whether two texts are of the same name and say the same, and all that they include as well.
    #[must_use]
    pub fn same(&self, a: SourceId, b: SourceId) -> bool {
        let one = |(a, b): (&SourceId, &SourceId)| {
            let (a, b) = (self.source(*a), self.source(*b));
            a.name == b.name && a.executable == b.executable && a.bytes == b.bytes
        };
        let links = |main: SourceId| {
            let mine = self.links.range((main, Vec::new())..).take_while(move |((of, _), _)| *of == main);
            mine.map(|((_, name), linked)| (name, linked))
        };
        let linked = |(a, b): (&Linked, &Linked)| {
            a.within == b.within && a.texts.len() == b.texts.len() && a.texts.iter().zip(&b.texts).all(one)
        };
        a == b
            || one((&a, &b))
                && (links(a).count() == links(b).count()
                    && links(a).zip(links(b)).all(|((name, a), (other, b))| name == other && linked((a, b))))
    }

    /// Every text, in the order in which they were taken in.
    pub fn all(&self) -> impl Iterator<Item = SourceId> + use<> {
        (0..u32::try_from(self.sources.len()).expect("fewer than 2^32 sources")).map(SourceId)
    }

    /// The whole text.
    #[must_use]
    pub fn bytes(&self, id: SourceId) -> &[u8] {
        &self.source(id).bytes
    }

    /// The name, safe to print.
    #[must_use]
    pub fn name(&self, id: SourceId) -> &str {
        &self.source(id).name
    }

    /// From now on the bytes of a span are printed as stars.
    pub fn hide(&self, span: Span) {
        let mut hidden = self.hidden.lock().unwrap_or_else(PoisonError::into_inner);
        hidden.entry(span.source).or_default().push((span.start, span.end));
    }

    /// The bytes of a span as they may be printed.
    #[must_use]
    pub fn printable(&self, span: Span) -> Cow<'_, [u8]> {
        let bytes = self.slice(span);
        let hidden = self.hidden.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(ranges) = hidden.get(&span.source) else { return Cow::Borrowed(bytes) };
        let mut out = Cow::Borrowed(bytes);
        for (start, end) in ranges {
            let (start, end) = ((*start).max(span.start), (*end).min(span.end));
            if start < end {
                let (start, end) = ((start - span.start) as usize, (end - span.start) as usize);
                out.to_mut().get_mut(start..end).into_iter().flatten().for_each(|byte| *byte = b'*');
            }
        }
        out
    }

    /// The bytes of a span.
    #[must_use]
    pub fn slice(&self, span: Span) -> &[u8] {
        self.bytes(span.source).get(span.start as usize..span.end as usize).unwrap_or_default()
    }

    /// The span's text on one line, safe to print.
    #[must_use]
    pub fn show(&self, span: Span) -> String {
        escape(&self.printable(span))
    }

    /// The whole line in which a span starts, without its line ending, as it may be printed, and where it starts.
    #[must_use]
    pub fn line_of(&self, span: Span) -> (u32, Cow<'_, [u8]>) {
        let bytes = self.bytes(span.source);
        let at = (span.start as usize).min(bytes.len());
        let start = memchr::memrchr(b'\n', &bytes[..at]).map_or(0, |n| n + 1);
        let end = memchr::memchr(b'\n', &bytes[at..]).map_or(bytes.len(), |n| at + n);
        let end = if bytes[start..end].ends_with(b"\r") { end - 1 } else { end };
        let narrow = |n| u32::try_from(n).expect("sources are smaller than 4 GiB");
        (narrow(start), self.printable(Span { source: span.source, start: narrow(start), end: narrow(end) }))
    }

    /// Line and column of a span. The first call for a source scans it once.
    #[must_use]
    pub fn locate(&self, span: Span) -> Place {
        let source = self.source(span.source);
        let index = source.index.get_or_init(|| LineIndex::new(&source.bytes));
        let (line, column) = index.position(&source.bytes, span.start);
        let (end_line, end_column) = index.position(&source.bytes, span.end);
        Place { path: source.name.to_string(), line, column, end_line, end_column }
    }

    fn source(&self, id: SourceId) -> &Source {
        self.sources.get(id.0 as usize).expect("a SourceId is only made by this map")
    }
}

impl std::fmt::Debug for SourceMap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.sources.iter().map(|s| &s.name)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_count_from_one_and_columns_in_characters() {
        let mut map = SourceMap::default();
        let id = map.add(b"a\nb", "x\näöü here\n".into()).expect("small");
        let at = Span { source: id, start: 9, end: 13 };
        assert_eq!(map.slice(at), b"here");
        let place = map.locate(at);
        assert_eq!((place.path.as_str(), place.line, place.column), ("a\\nb", 2, 5));
        assert_eq!((place.end_line, place.end_column), (2, 9));
        assert_eq!(map.line_of(at), (2, "äöü here".as_bytes().into()));
    }

    #[test]
    fn what_is_hidden_is_not_printed() {
        let mut map = SourceMap::default();
        let id = map.add(b"plan", "a = secret\nb".into()).expect("small");
        let at = |start, end| Span { source: id, start, end };
        map.hide(at(4, 10));
        assert_eq!(map.show(at(0, 12)), "a = ******\\nb");
        assert_eq!(map.line_of(at(0, 1)), (0, b"a = ******".into()));
        assert_eq!((map.show(at(5, 7)).as_str(), map.show(at(11, 12)).as_str()), ("**", "b"));
        assert_eq!(map.slice(at(4, 10)), b"secret");
    }
}
