//! What a mistake makes of a text.

use super::{Kind, Site, With, scan};
use crate::text::{SourceId, SourceMap, Span};
use regex::bytes::Regex;
use std::sync::LazyLock;

/// What becomes of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Edit {
    /// It is not there any more.
    Lost(SourceId),
    /// It says this instead.
    Text(SourceId, Vec<u8>),
}

impl Edit {
    /// The file.
    #[must_use]
    pub const fn file(&self) -> SourceId {
        match self {
            Self::Lost(file) | Self::Text(file, _) => *file,
        }
    }
}

/// The ways to make a mistake, the likeliest to leave a text of the format first. None leaves the text as it is.
#[must_use]
pub fn attempts(site: &Site, sources: &SourceMap) -> Vec<Edit> {
    let Site { kind, at, with } = site;
    let text = sources.bytes(at.source);
    let (start, end) = (at.start as usize, at.end as usize);
    let inner = sources.slice(*at);
    let texts: Vec<Vec<Piece>> = match (kind, with) {
        (Kind::LostFile, _) => return vec![Edit::Lost(at.source)],
        (Kind::EmptiedFile, _) => vec![vec![Piece::gone(0, text.len())]],
        (Kind::TruncatedFile, _) => {
            scan::half(text).map(|half| vec![Piece::gone(half, text.len())]).into_iter().collect()
        }
        (Kind::DeletedRule | Kind::RemovedServer | Kind::RemovedRoute, _) => removals(text, start, end),
        (Kind::WidenedPrefix, _) => {
            scan::wider(inner).map(|wider| vec![Piece::new(start, end, wider)]).into_iter().collect()
        }
        (Kind::SwappedOrder, With::Next(next)) => {
            let other = Piece::new(start, end, sources.slice(*next).to_vec());
            vec![vec![other, Piece::new(next.start as usize, next.end as usize, inner.to_vec())]]
        }
        (Kind::EmptiedList | Kind::TruncatedList, With::Entries(entries)) => together(text, entries),
        (Kind::EmptiedList, _) => emptied(text, start, end),
        (Kind::TruncatedList, _) => truncated(inner, start, end),
        (Kind::ZeroWeight, _) => weightless(inner, start, end),
        (Kind::SwappedOrder, With::Alone | With::Entries(_)) => Vec::new(),
    };
    let mut out: Vec<Edit> = Vec::new();
    for pieces in texts {
        let edit = Edit::Text(at.source, replaced(text, pieces));
        if edit != Edit::Text(at.source, text.to_vec()) && !out.contains(&edit) {
            out.push(edit);
        }
    }
    out
}

/// Bytes that are replaced.
struct Piece {
    start: usize,
    end: usize,
    by: Vec<u8>,
}

impl Piece {
    fn new(start: usize, end: usize, by: impl Into<Vec<u8>>) -> Self {
        Self { start, end, by: by.into() }
    }

    const fn gone(start: usize, end: usize) -> Self {
        Self { start, end, by: Vec::new() }
    }
}

fn replaced(text: &[u8], mut pieces: Vec<Piece>) -> Vec<u8> {
    pieces.sort_by_key(|piece| piece.start);
    let (mut out, mut at) = (Vec::with_capacity(text.len()), 0);
    for Piece { start, end, by } in pieces {
        out.extend_from_slice(text.get(at..start.max(at)).unwrap_or_default());
        out.extend(by);
        at = end.max(at);
    }
    out.extend_from_slice(text.get(at..).unwrap_or_default());
    out
}

/// The ways to take something out: as an entry of a list, by whole lines, as a statement, or alone.
fn removals(text: &[u8], start: usize, end: usize) -> Vec<Vec<Piece>> {
    let mut out = Vec::new();
    let before = text.get(..start).unwrap_or_default();
    let after = text.get(end..).unwrap_or_default();
    let next = after.iter().position(|byte| !byte.is_ascii_whitespace());
    let last = before.iter().rposition(|byte| !byte.is_ascii_whitespace());
    let next_byte = next.and_then(|n| after.get(n));
    let last_byte = last.and_then(|n| before.get(n));
    if let (Some(n), Some(b',')) = (next, next_byte) {
        out.push(vec![Piece::gone(start, end + n + 1)]);
    } else if let (Some(n), Some(b','), Some(b']' | b'}')) = (last, last_byte, next_byte) {
        out.push(vec![Piece::gone(n, end)]);
    }
    let (first, rest) = whole_lines(text, start, end);
    if let Some(first) = first {
        out.push(vec![Piece::gone(first, rest)]);
    }
    if let (Some(n), Some(b';')) = (next, next_byte) {
        out.push(vec![Piece::gone(start, end + n + 1)]);
    }
    out.push(vec![Piece::gone(start, end)]);
    out
}

/// The lines of a span with their last line ending, if there is nothing else on them but what belongs to it: the dash of
/// an entry, a semicolon, a comment.
fn whole_lines(text: &[u8], start: usize, end: usize) -> (Option<usize>, usize) {
    let first = text.get(..start).and_then(|before| memchr::memrchr(b'\n', before)).map_or(0, |n| n + 1);
    let rest = text.get(end..).unwrap_or_default();
    // A span may end with its line ending.
    let ended = end > start && text.get(end - 1) == Some(&b'\n');
    let line = if ended { 0 } else { memchr::memchr(b'\n', rest).map_or(rest.len(), |n| n + 1) };
    let lead = text.get(first..start).unwrap_or_default();
    let trail = rest.get(..line).unwrap_or_default().trim_ascii();
    let trail = trail.strip_prefix(b";").unwrap_or(trail).trim_ascii_start();
    let plain = lead.iter().all(|byte| byte.is_ascii_whitespace() || *byte == b'-');
    ((plain && (trail.is_empty() || trail.starts_with(b"#"))).then_some(first), end + line)
}

/// Several entries that stand apart go together.
fn together(text: &[u8], entries: &[Span]) -> Vec<Vec<Piece>> {
    let places = || entries.iter().map(|at| (at.start as usize, at.end as usize));
    let lines: Option<Vec<Piece>> = places()
        .map(|(start, end)| {
            let (first, rest) = whole_lines(text, start, end);
            first.map(|first| Piece::gone(first, rest))
        })
        .collect();
    let alone = || places().map(|(start, end)| Piece::gone(start, end)).collect();
    let statement = |(start, end): (usize, usize)| {
        let semicolon = text.get(end..).unwrap_or_default().iter().position(|byte| !byte.is_ascii_whitespace());
        let semicolon = semicolon.filter(|n| matches!(text.get(end + n), Some(b';' | b',')));
        Piece::gone(start, semicolon.map_or(end, |n| end + n + 1))
    };
    lines.into_iter().chain([places().map(statement).collect(), alone()]).collect()
}

/// A list without entries: with its brackets, or, where those may not be empty, without the assignment around it.
fn emptied(text: &[u8], start: usize, end: usize) -> Vec<Vec<Piece>> {
    if is_dashed(text, start) {
        let key = text.get(..start).unwrap_or_default().trim_ascii_end().len();
        let lines = vec![Piece::gone(start, end)];
        return vec![vec![Piece::new(key, key, *b" []"), Piece::gone(start, end)], lines];
    }
    let mut out = vec![vec![Piece::gone(start, end)]];
    static ASSIGNED: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"(?-u)[A-Za-z0-9_]+\s*=\s*[\[{]$").expect("it is well-formed"));
    if let Some(found) = ASSIGNED.find(text.get(..start).unwrap_or_default()) {
        let after = text.get(end + 1..).unwrap_or_default();
        let semicolon = usize::from(after.first() == Some(&b';'));
        out.push(vec![Piece::gone(found.start(), end + 1 + semicolon)]);
    }
    out
}

/// The first half of a list.
fn truncated(inner: &[u8], start: usize, end: usize) -> Vec<Vec<Piece>> {
    let half = |entries: Vec<(usize, usize)>| {
        let kept = entries.len().div_ceil(2);
        entries.get(kept.checked_sub(1)?).copied().filter(|_| kept < entries.len())
    };
    let dashed = scan::dashed(inner);
    let (entries, trail) = if dashed.is_empty() { (scan::entries(inner), true) } else { (dashed, false) };
    let Some((_, cut)) = half(entries) else { return Vec::new() };
    // What separates the last entry from the bracket stays.
    let space = inner.len() - if trail { inner.trim_ascii_end().len() } else { inner.len() };
    vec![vec![Piece::gone(start + cut, end - space)]]
}

fn is_dashed(text: &[u8], start: usize) -> bool {
    let line = text.get(start..).unwrap_or_default();
    let at_line = start == 0 || text.get(start - 1) == Some(&b'\n');
    at_line && line.iter().find(|byte| **byte != b' ') == Some(&b'-')
}

/// A server that gets no requests, as formats write it.
fn weightless(inner: &[u8], start: usize, end: usize) -> Vec<Vec<Piece>> {
    static WEIGHT: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r#"(?-u)weight["']?[ \t]*[=: \t][ \t]*"?([0-9]+)"#).expect("it is well-formed"));
    let mut out = Vec::new();
    if let Some(number) = WEIGHT.captures(inner).and_then(|found| found.get(1)) {
        out.push(vec![Piece::new(start + number.start(), start + number.end(), *b"0")]);
    }
    let said = inner.trim_ascii_end();
    let said = said.strip_suffix(b";").unwrap_or(said).trim_ascii_end();
    let at = start + said.len();
    debug_assert!(at <= end, "what is said is within the span");
    out.push(vec![Piece::new(at, at, *b" weight 0")]);
    out.push(vec![Piece::new(at, at, *b" down")]);
    out
}
