//! Lines of a page: wrapped, coloured, and with nothing in them that a terminal or a CI log would obey.

use crate::decision::{Location, LocationSide};
use crate::report::Style;
use crate::text::{SourceMap, Span, escape};
use anstyle::{AnsiColor, Style as Ink};

pub(super) const PLAIN: Ink = Ink::new();
pub(super) const BOLD: Ink = Ink::new().bold();
pub(super) const DIM: Ink = Ink::new().dimmed();
pub(super) const RED: Ink = AnsiColor::Red.on_default().bold();
pub(super) const GREEN: Ink = AnsiColor::Green.on_default().bold();
pub(super) const YELLOW: Ink = AnsiColor::Yellow.on_default().bold();
pub(super) const CYAN: Ink = AnsiColor::Cyan.on_default();

/// Lines are never wrapped to less than this, however narrow the terminal is.
const NARROWEST: usize = 40;
/// How many items of a list separated by commas are shown.
const ITEMS: usize = 5;

/// What the two sides are called, and the two ways in which they differ.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sides {
    pub(super) base: &'static str,
    pub(super) head: &'static str,
    pub(super) denied: &'static str,
    pub(super) allowed: &'static str,
}

impl Sides {
    /// Those of a change.
    const CHANGE: Self = Self { base: "base", head: "head", denied: "newly denied", allowed: "newly allowed" };

    /// Columns for the longest label of a witness, and two blanks.
    pub(super) fn column(self) -> usize {
        ["packet", self.base, self.head].map(str::len).into_iter().max().unwrap_or_default() + 2
    }
}

/// A text being written for a reader.
pub(super) struct Page<'s> {
    out: String,
    sources: &'s SourceMap,
    style: Style,
    pub(super) sides: Sides,
}

impl<'s> Page<'s> {
    /// A page about a change.
    pub(super) const fn new(sources: &'s SourceMap, style: Style) -> Self {
        Self::of(sources, style, Sides::CHANGE)
    }

    pub(super) const fn of(sources: &'s SourceMap, style: Style, sides: Sides) -> Self {
        Self { out: String::new(), sources, style, sides }
    }

    /// A page about other sides, to be taken in with [`Page::take`].
    pub(super) const fn beside(&self, sides: Sides) -> Self {
        Self::of(self.sources, self.style, sides)
    }

    /// Goes on with what another page says.
    pub(super) fn take(&mut self, other: Self) {
        self.out.push_str(&other.out);
    }

    pub(super) const fn side(&self, side: LocationSide) -> &'static str {
        match side {
            LocationSide::Base => self.sides.base,
            LocationSide::Head => self.sides.head,
            LocationSide::Policy => "policy",
        }
    }

    pub(super) fn finish(self) -> String {
        self.out
    }

    pub(super) fn blank(&mut self) {
        if !self.out.is_empty() {
            self.out.push('\n');
        }
    }

    /// One line of pieces, not wrapped.
    pub(super) fn line(&mut self, indent: usize, pieces: &[(Ink, &str)]) {
        self.out.extend(std::iter::repeat_n(' ', indent));
        let mut start = true;
        for (ink, text) in pieces {
            let text = harmless(text, start);
            start = start && text.trim().is_empty();
            if self.style.colour && *ink != PLAIN {
                self.out.push_str(&format!("{ink}{text}{ink:#}"));
            } else {
                self.out.push_str(&text);
            }
        }
        let end = self.out.trim_end_matches(' ').len();
        self.out.truncate(end);
        self.out.push('\n');
    }

    /// A label and a text that is wrapped beside it.
    pub(super) fn entry(&mut self, indent: usize, label: (Ink, &str), column: usize, text: &str) {
        let text = escape(shorten(text).as_bytes());
        let room = self.style.width.max(NARROWEST).saturating_sub(column).max(NARROWEST / 2);
        let mut lines = wrap(&text, room).into_iter();
        let head = format!("{:width$}", label.1, width = column.saturating_sub(indent));
        self.line(indent, &[(label.0, &head), (PLAIN, &lines.next().unwrap_or_default())]);
        for line in lines {
            self.line(column, &[(PLAIN, &line)]);
        }
    }

    /// A changed line: its sign, its place and what it says.
    pub(super) fn cause(&mut self, indent: usize, sign: (Ink, &str), location: &Location) {
        let width = self.style.width.max(NARROWEST);
        let place = format!(" {}:{}  ", ending(&location.path, width / 3), location.line);
        let room = width.saturating_sub(indent + 1 + place.chars().count());
        let text = location.span.map(|span| show(&self.sources.line_of(span).1)).unwrap_or_default();
        let (text, _, _) = cut("", text.trim(), "", room.max(NARROWEST / 2));
        self.line(indent, &[sign, (DIM, &place), (PLAIN, &text)]);
    }

    /// The line of a span, with its number; what is only part of it is underlined.
    pub(super) fn excerpt(&mut self, indent: usize, line: u32, span: Span) {
        let (start, bytes) = self.sources.line_of(span);
        let at = |offset: u32| (offset.saturating_sub(start) as usize).min(bytes.len());
        let from = at(span.start);
        let to = at(span.end).max(from);
        let (before, inside, behind) = (show(&bytes[..from]), show(&bytes[from..to]), show(&bytes[to..]));
        let gutter = format!("{line:>5} | ");
        let room = self.style.width.max(NARROWEST).saturating_sub(indent + gutter.len()).max(NARROWEST / 2);
        let alone = before.trim().is_empty() && behind.trim().is_empty();
        let (text, from, length) = cut(&before, &inside, &behind, room);
        self.line(indent, &[(DIM, &gutter), (PLAIN, &text)]);
        if !alone && !inside.trim().is_empty() {
            let blank = format!("{:>width$}", "| ", width = gutter.len());
            let carets = "^".repeat(length.max(1));
            self.line(indent, &[(DIM, &blank), (PLAIN, &" ".repeat(from)), (CYAN, &carets)]);
        }
    }
}

/// The end of a long path.
fn ending(path: &str, room: usize) -> String {
    let length = path.chars().count();
    if length <= room {
        path.to_owned()
    } else {
        format!("…{}", path.chars().skip(length - room + 1).collect::<String>())
    }
}

/// A part of a source line as it is shown.
fn show(bytes: &[u8]) -> String {
    bytes.split(|byte| *byte == b'\t').map(escape).collect::<Vec<_>>().join("    ")
}

/// The middle with as much around it as there is room for; where the middle begins then, and how long it is.
fn cut(before: &str, inside: &str, behind: &str, room: usize) -> (String, usize, usize) {
    let before: Vec<char> = before.chars().collect();
    let inside: Vec<char> = inside.chars().collect();
    let behind: Vec<char> = behind.chars().collect();
    if before.len() + inside.len() + behind.len() <= room {
        let text = before.iter().chain(&inside).chain(&behind).collect();
        return (text, before.len(), inside.len());
    }
    let spare = room.saturating_sub(inside.len().min(room) + 2);
    let left = before.len().min(spare.saturating_sub(behind.len().min(spare / 2)));
    let skipped = before.len() - left;
    let mut text: Vec<char> = Vec::new();
    if skipped > 0 {
        text.push('…');
    }
    let from = text.len() + left;
    text.extend(&before[skipped..]);
    text.extend(inside.iter().chain(&behind));
    if text.len() > room {
        text.truncate(room.saturating_sub(1));
        text.push('…');
    }
    let length = inside.len().min(text.len().saturating_sub(from));
    (text.into_iter().collect(), from, length)
}

/// Text that cannot move a cursor and is no command to a runner: GitHub's obeys `::…::` at the start of a line, even
/// behind blanks, and `##[…]` anywhere.
fn harmless(text: &str, starts_line: bool) -> String {
    let text = escape(text.as_bytes()).replace("##[", "\\x23#[");
    let trimmed = text.trim_start();
    if starts_line && trimmed.starts_with("::") {
        let blanks = text.len() - trimmed.len();
        return format!("{}\\x3a{}", &text[..blanks], &trimmed[1..]);
    }
    text
}

/// Long lists without their tails: `1,2,3,4,5,…(94-more)`.
fn shorten(text: &str) -> String {
    let word = |word: &str| {
        let addresses = word
            .rfind([']', ')'])
            .map(|n| n + 1)
            .or_else(|| (word.matches(':').count() == 1).then(|| word.find(':'))?);
        let (addresses, ports) = word.split_at(addresses.unwrap_or(word.len()));
        tail_off(addresses) + &tail_off(ports)
    };
    text.split(' ').map(word).collect::<Vec<_>>().join(" ")
}

/// A list without its tail; what closes it is kept.
fn tail_off(list: &str) -> String {
    let (items, close) = list.split_at(list.trim_end_matches([']', ')']).len());
    let items: Vec<&str> = items.split(',').collect();
    match items.get(..ITEMS) {
        Some(first) if items.len() > ITEMS + 1 => {
            format!("{},…({}-more){close}", first.join(","), items.len() - ITEMS)
        }
        Some(_) | None => list.to_owned(),
    }
}

/// Lines of at most `room` characters, broken at blanks, and in words that are longer than a line at commas.
fn wrap(text: &str, room: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut used = 0;
    for word in text.split(' ') {
        let long = word.chars().count() > room;
        let parts: Vec<&str> = if long { word.split_inclusive(',').collect() } else { vec![word] };
        for (n, part) in parts.into_iter().enumerate() {
            let length = part.chars().count();
            let blank = usize::from(n == 0);
            match lines.last_mut() {
                Some(line) if used + blank + length <= room => {
                    line.push_str(if n == 0 { " " } else { "" });
                    line.push_str(part);
                    used += blank + length;
                }
                Some(_) | None => {
                    lines.push(part.to_owned());
                    used = length;
                }
            }
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_line_is_a_command_to_a_runner() {
        assert_eq!(harmless("::error::x", true), "\\x3a:error::x");
        assert_eq!(harmless("  ::/0 -> any", true), "  \\x3a:/0 -> any");
        assert_eq!(harmless("::/0 -> any", false), "::/0 -> any");
        assert_eq!(harmless("a ##[group]\x1b[2J", false), "a \\x23#[group]\\x1b[2J");
    }

    #[test]
    fn long_lists_lose_their_tails_and_say_so() {
        assert_eq!(shorten("tcp any -> any:1,2,3,4,5,6 new"), "tcp any -> any:1,2,3,4,5,6 new");
        assert_eq!(shorten("tcp any -> any:1,2,3,4,5,6,7 new"), "tcp any -> any:1,2,3,4,5,…(2-more) new");
        assert_eq!(shorten("tcp (1,2,3,4,5,6,7):22,80 -> any"), "tcp (1,2,3,4,5,…(2-more)):22,80 -> any");
        assert_eq!(
            shorten("tcp [::1,::2,::3,::4,::5,::6,::7]:1 -> 1.1.1.1,2.2.2.2,3,4,5,6,7,8:22"),
            "tcp [::1,::2,::3,::4,::5,…(2-more)]:1 -> 1.1.1.1,2.2.2.2,3,4,5,…(3-more):22"
        );
    }

    #[test]
    fn words_longer_than_a_line_are_broken_at_commas() {
        assert_eq!(wrap("tcp 10.0.0.1,10.0.0.2,10.0.0.3 new", 20), ["tcp 10.0.0.1,", "10.0.0.2,10.0.0.3", "new"]);
    }

    #[test]
    fn a_long_line_is_cut_around_what_it_is_shown_for() {
        let (text, from, length) = cut(&"a".repeat(50), "HERE", &"b".repeat(50), 20);
        assert_eq!((text.as_str(), from, length), ("…aaaaaaaHERE bbbbbbb…".replace(' ', "").as_str(), 8, 4));
        assert_eq!(cut("", &"x".repeat(50), "", 20).0, format!("{}…", "x".repeat(19)));
    }
}
