//! What came from input, made harmless for each language that a report is written in. The one place that knows how.

use crate::text::escape;
use std::fmt::Write as _;

/// Text on one line in which no terminal and no runner sees a command: GitHub's obeys `##[…]` anywhere in a line.
pub(super) fn plain(text: &str) -> String {
    escape(text.as_bytes()).replace("##[", "\\x23#[")
}

/// The same as text or attribute of XML or HTML. What XML 1.0 cannot hold is escaped.
pub(super) fn markup(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in plain(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\u{fffe}' | '\u{ffff}' => write!(out, "\\u{{{:x}}}", u32::from(c)).expect("writing to a String"),
            c => out.push(c),
        }
    }
    out
}

/// The same within HTML that GitHub reads as Markdown: nobody is mentioned, and nothing is linked.
pub(super) fn summary(text: &str) -> String {
    unlinked(&markup(text))
}

/// Text of which Markdown makes nothing else: nobody is mentioned, nothing is linked, loaded or emphasised. What stands
/// between backticks is a code span.
pub(super) fn prose(text: &str) -> String {
    let text = plain(text);
    let parts: Vec<&str> = text.split('`').collect();
    if parts.len().is_multiple_of(2) {
        return words(&text);
    }
    parts.iter().enumerate().map(|(n, part)| if n % 2 == 0 { words(part) } else { code(part) }).collect()
}

fn words(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\\' | '`' | '*' | '_' | '{' | '}' | '[' | ']' | '(' | ')' | '!' | '|' | '~' | '$' | '^' | '=' => {
                out.extend(['\\', c]);
            }
            c => out.push(c),
        }
    }
    unlinked(&out)
}

/// Breaks what GitHub makes mentions, references and links of: `@team`, `#1`, `https://…`, `www.…`.
fn unlinked(text: &str) -> String {
    const BREAK: char = '\u{200b}';
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let marks = ["://", "@", "#", "www.", "GH-", "gh-"];
        let found = marks.iter().find(|mark| rest.starts_with(**mark) && !(**mark == "#" && out.ends_with('&')));
        let taken = found.map_or(c.len_utf8(), |mark| mark.len());
        let (piece, after) = rest.split_at(taken);
        match found {
            Some(mark) if *mark == "@" || *mark == "#" => out.extend([piece, "\u{200b}"]),
            Some(_) => {
                let (first, last) = piece.split_at(piece.len() - 1);
                out.push_str(first);
                out.push(BREAK);
                out.push_str(last);
            }
            None => out.push_str(piece),
        }
        rest = after;
    }
    out
}

/// A code span of Markdown.
pub(super) fn code(text: &str) -> String {
    let text = plain(text);
    if text.trim().is_empty() {
        return "` `".to_owned();
    }
    let fence = "`".repeat(longest_run(&text, '`') + 1);
    let pad = if text.starts_with('`') || text.ends_with('`') { " " } else { "" };
    format!("{fence}{pad}{text}{pad}{fence}")
}

/// A code block of Markdown. Its lines are shown as they are.
pub(super) fn block(lines: &str) -> String {
    let fence = "`".repeat(longest_run(lines, '`').max(2) + 1);
    format!("{fence}text\n{}\n{fence}\n", lines.trim_end())
}

fn longest_run(text: &str, of: char) -> usize {
    let mut longest = 0;
    let mut run = 0;
    for c in text.chars() {
        run = if c == of { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    longest
}

/// The message of a command to GitHub's runner: https://github.com/actions/toolkit, `escapeData`.
pub(super) fn command_data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// A property of a command to GitHub's runner: `escapeProperty`.
pub(super) fn command_property(text: &str) -> String {
    command_data(&plain(text)).replace(':', "%3A").replace(',', "%2C")
}

/// JSON that says the same and in which nothing is hidden or obeyed: what escapes would do to its texts, in its own words.
pub(super) fn json(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.replace("##[", "#\\u0023[").chars() {
        let hidden =
            c != '\n' && !matches!(c, ' '..='~') && escape(c.encode_utf8(&mut [0; 4]).as_bytes()).starts_with('\\');
        if hidden {
            write!(out, "\\u{:04x}", u32::from(c)).expect("writing to a String");
        } else {
            out.push(c);
        }
    }
    out
}

/// A message of SARIF, of which nobody makes a link.
pub(super) fn message(text: &str) -> String {
    plain(text).replace("](", "] (")
}

/// A path as a relative reference that leads nowhere else: percent-encoded, not from a root, not upwards.
pub(super) fn uri(path: &str) -> String {
    let segments = path.split('/').filter(|segment| !segment.is_empty() && *segment != ".");
    let encoded: Vec<String> =
        segments.map(|segment| if segment == ".." { "__".into() } else { encoded(segment) }).collect();
    encoded.join("/")
}

fn encoded(segment: &str) -> String {
    let mut out = String::with_capacity(segment.len());
    for byte in segment.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~@+,=".contains(&byte) {
            out.push(char::from(byte));
        } else {
            write!(out, "%{byte:02X}").expect("writing to a String");
        }
    }
    out
}

/// The text, or as much of it as there is room for and how much that is.
pub(super) fn cut(text: &str, most: usize) -> String {
    let length = text.chars().count();
    if length <= most {
        return text.to_owned();
    }
    let note = |shown: usize| format!("… ({shown} of {length} characters shown)");
    let shown = most.saturating_sub(note(most).chars().count());
    text.chars().take(shown).chain(note(shown).chars()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn g01_nothing_ends_a_command_to_a_runner() {
        assert_eq!(command_data("100% of\r\n::error::x"), "100%25 of%0D%0A::error::x");
        assert_eq!(command_property("a:b,c%\n##[x"), "a%3Ab%2Cc%25\\n\\x23#[x");
    }

    #[test]
    fn g04_markdown_makes_nothing_of_a_name() {
        assert_eq!(prose("see `a|b` of @team #1"), "see `a|b` of @\u{200b}team #\u{200b}1");
        assert_eq!(prose("a ` b"), "a \\` b");
        assert_eq!(
            prose("![x](https://x.y) <!-- m --> www.x.y"),
            "\\!\\[x\\]\\(https:/\u{200b}/x.y\\) &lt;\\!-- m --&gt; www\u{200b}.x.y"
        );
        assert_eq!((code("a``b"), code("`"), code("")), ("```a``b```".into(), "`` ` ``".into(), "` `".into()));
        assert_eq!(block("x\n````\n"), "`````text\nx\n````\n`````\n");
        assert_eq!(summary("<b> @a & #1"), "&lt;b&gt; @\u{200b}a &amp; #\u{200b}1");
    }

    #[test]
    fn g06_markup_and_addresses_hold_what_they_can() {
        assert_eq!(markup("a]]>\u{1b}\u{ffff}'\""), "a]]&gt;\\x1b\\u{ffff}&#39;&quot;");
        assert_eq!(uri("/../a b/ü#?.nft"), "__/a%20b/%C3%BC%23%3F.nft");
        assert_eq!(message("[x](https://y)"), "[x] (https://y)");
    }

    #[test]
    fn g01_g05_json_means_the_same_and_hides_nothing() {
        let value = "a ##[error]b \u{202e}c \u{7f} ü \\u0023#[ \u{1b}";
        let text = json(&serde_json::to_string(value).expect("a text"));
        assert_eq!(text, r##""a #\u0023[error]b \u202ec \u007f ü \\u0023#[ \u001b""##);
        assert_eq!(serde_json::from_str::<String>(&text).ok().as_deref(), Some(value));
    }

    #[test]
    fn what_is_cut_says_how_much_is_there() {
        assert_eq!(cut("short", 5), "short");
        let long = cut(&"x".repeat(100), 50);
        assert_eq!(long, format!("{}… (20 of 100 characters shown)", "x".repeat(20)));
    }
}
