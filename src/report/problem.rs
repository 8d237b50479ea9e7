//! Errors of the policy's author and of callers, with the lines they are about.

use super::Style;
use crate::text::{SourceMap, Span, escape, lines};
use miette::{
    Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, MietteError, MietteSpanContents, Severity,
    SourceCode, SourceSpan, SpanContents,
};
use std::fmt;

/// An error with the places it is about, the main one first, each with a word on it.
///
/// Only the lines around a place are looked at, so that many errors in a large file do not scan it again and again;
/// what they hold is escaped.
#[must_use]
pub fn render(error: &dyn Diagnostic, places: &[(Span, &str)], sources: &SourceMap, style: Style) -> String {
    let mut shown = places.iter().map(|(span, word)| Excerpt::new(sources, *span, word));
    let first = shown.next();
    let problem = Problem { error: Some(error), excerpt: first, related: shown.map(Problem::place).collect() };
    let theme = if style.colour { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
    let handler = GraphicalReportHandler::new_themed(theme).with_width(style.width.max(40)).with_links(false);
    let mut out = String::new();
    handler.render_report(&mut out, &problem).expect("writing to a String");
    out
}

/// What miette is shown: texts are escaped, and the source is the lines of one place.
struct Problem<'e> {
    error: Option<&'e dyn Diagnostic>,
    excerpt: Option<Excerpt>,
    related: Vec<Problem<'e>>,
}

impl Problem<'_> {
    const fn place(excerpt: Excerpt) -> Self {
        Self { error: None, excerpt: Some(excerpt), related: Vec::new() }
    }
}

impl fmt::Display for Problem<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.error, &self.excerpt) {
            (Some(error), _) => f.write_str(&escape(error.to_string().as_bytes())),
            (None, Some(excerpt)) => f.write_str(&excerpt.word),
            (None, None) => Ok(()),
        }
    }
}

impl fmt::Debug for Problem<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Problem<'_> {}

impl Diagnostic for Problem<'_> {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.error.and_then(Diagnostic::code)
    }

    fn severity(&self) -> Option<Severity> {
        Some(self.error.map_or(Severity::Advice, |error| error.severity().unwrap_or(Severity::Error)))
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        let help = self.error.and_then(Diagnostic::help)?;
        Some(Box::new(escape(help.to_string().as_bytes())))
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.excerpt.as_ref().map(|excerpt| excerpt as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let excerpt = self.excerpt.as_ref()?;
        let word = Some(excerpt.word.clone()).filter(|word| !word.is_empty() && self.error.is_some());
        Some(Box::new(std::iter::once(LabeledSpan::new_primary_with_span(word, excerpt.label))))
    }

    fn related<'a>(&'a self) -> Option<Box<dyn Iterator<Item = &'a dyn Diagnostic> + 'a>> {
        Some(Box::new(self.related.iter().map(|problem| problem as &dyn Diagnostic)))
    }
}

/// The line of a span and its neighbours, escaped, as a source of its own that knows where it is from.
struct Excerpt {
    name: String,
    text: String,
    /// The number of its first line, from 0.
    line: usize,
    label: SourceSpan,
    word: String,
}

impl Excerpt {
    fn new(sources: &SourceMap, span: Span, word: &str) -> Self {
        let place = sources.locate(span);
        let (start, line) = sources.line_of(span);
        let bytes = sources.bytes(span.source);
        let (start, line_number) = (start as usize, place.line as usize - 1);
        let (mut text, mut first) = (String::new(), line_number);
        if start > 0 {
            let before = bytes.get(..start - 1).unwrap_or_default();
            let from = memchr::memrchr(b'\n', before).map_or(0, |n| n + 1);
            text = shown(before.get(from..).unwrap_or_default()) + "\n";
            first -= 1;
        }
        let at = |offset: u32| (offset as usize).saturating_sub(start).min(line.len());
        let (from, to) = (at(span.start), at(span.end));
        let part = |from: usize, to: usize| shown(line.get(from..to).unwrap_or_default());
        let (before, inside) = (part(0, from), part(from, to));
        let label = SourceSpan::new((text.len() + before.len()).into(), inside.len());
        text.extend([before, inside, part(to, line.len())]);
        if let Some((_, next)) = lines(bytes.get(start..).unwrap_or_default()).nth(1) {
            text.extend(["\n", &shown(next)]);
        }
        Self { name: place.path, text, line: first, label, word: escape(word.as_bytes()) }
    }
}

/// A line, escaped; tabs are blanks.
fn shown(line: &[u8]) -> String {
    line.split(|byte| *byte == b'\t').map(escape).collect::<Vec<_>>().join("    ")
}

impl SourceCode for Excerpt {
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        before: usize,
        after: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let inner = self.text.as_str().read_span(span, before, after)?;
        Ok(Box::new(MietteSpanContents::new_named(
            self.name.clone(),
            inner.data(),
            *inner.span(),
            inner.line() + self.line,
            inner.column(),
            inner.line_count(),
        )))
    }
}
