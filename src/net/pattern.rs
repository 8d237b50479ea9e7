use std::fmt;

/// A set of texts (of bytes): what a condition on a host, a path or a server name asks for.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Pattern {
    kind: Kind,
    /// As it is written.
    text: Vec<u8>,
    ignore_case: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Kind {
    Exact,
    Prefix,
    Suffix,
    Contains,
    /// `*` stands for any bytes and `?` for one.
    Glob,
    Regex,
}

impl Pattern {
    /// This text only.
    #[must_use]
    pub fn exact(text: impl Into<Vec<u8>>) -> Self {
        Self::new(Kind::Exact, text)
    }

    /// Texts that begin with it.
    #[must_use]
    pub fn prefix(text: impl Into<Vec<u8>>) -> Self {
        Self::new(Kind::Prefix, text)
    }

    /// Texts that end with it.
    #[must_use]
    pub fn suffix(text: impl Into<Vec<u8>>) -> Self {
        Self::new(Kind::Suffix, text)
    }

    /// Texts that contain it.
    #[must_use]
    pub fn contains(text: impl Into<Vec<u8>>) -> Self {
        Self::new(Kind::Contains, text)
    }

    /// Texts that it matches whole, `*` standing for any bytes, `?` for one.
    #[must_use]
    pub fn glob(text: impl Into<Vec<u8>>) -> Self {
        Self::new(Kind::Glob, text)
    }

    /// Texts in which a Perl-compatible regular expression matches somewhere. `None` if it is not regular, or not one
    /// that means the same here: then nothing is known of it.
    #[must_use]
    pub fn regex(text: &str) -> Option<Self> {
        let pattern = Self::new(Kind::Regex, text);
        (means_the_same(text) && pattern.parsed().is_some()).then_some(pattern)
    }

    fn new(kind: Kind, text: impl Into<Vec<u8>>) -> Self {
        Self { kind, text: text.into(), ignore_case: false }
    }

    /// The same, whatever the case of ASCII letters is.
    #[must_use]
    pub fn ignoring_case(mut self) -> Self {
        self.ignore_case = true;
        if self.kind != Kind::Regex {
            self.text.make_ascii_lowercase();
        }
        self
    }

    /// Whether it is one text only.
    #[must_use]
    pub fn is_exact(&self) -> bool {
        self.kind == Kind::Exact
    }

    /// Whether a text is one of them.
    #[must_use]
    pub fn matches(&self, text: &[u8]) -> bool {
        let folded: Vec<u8>;
        let text = if self.ignore_case && self.kind != Kind::Regex {
            folded = text.to_ascii_lowercase();
            &folded[..]
        } else {
            text
        };
        match self.kind {
            Kind::Exact => text == self.text,
            Kind::Prefix => text.starts_with(&self.text),
            Kind::Suffix => text.ends_with(&self.text),
            Kind::Contains => memchr::memmem::find(text, &self.text).is_some(),
            Kind::Glob | Kind::Regex => {
                let builder = regex_automata::meta::Regex::builder()
                    .syntax(syntax_of(self.ignore_case))
                    .build(&self.expression());
                builder.is_ok_and(|regex| regex.is_match(text))
            }
        }
    }

    /// As an expression whose syntax is known.
    pub(super) fn parsed(&self) -> Option<regex_syntax::hir::Hir> {
        syntax(self.ignore_case).parse(&self.expression()).ok()
    }

    /// A regular expression for the whole text.
    fn expression(&self) -> String {
        let mut out = String::from(r"\A(?:");
        match self.kind {
            Kind::Exact => escape(&self.text, &mut out),
            Kind::Prefix => {
                escape(&self.text, &mut out);
                out.push_str(ANY);
            }
            Kind::Suffix => {
                out.push_str(ANY);
                escape(&self.text, &mut out);
            }
            Kind::Contains => {
                out.push_str(ANY);
                escape(&self.text, &mut out);
                out.push_str(ANY);
            }
            Kind::Glob => {
                for byte in &self.text {
                    match byte {
                        b'*' => out.push_str(ANY),
                        b'?' => out.push_str("(?s:.)"),
                        other => escape(&[*other], &mut out),
                    }
                }
            }
            Kind::Regex => {
                out.push_str(ANY);
                out.push_str("(?:");
                out.push_str(&with_line_end(&String::from_utf8_lossy(&self.text)));
                out.push(')');
                out.push_str(ANY);
            }
        }
        out.push_str(r")\z");
        out
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = String::from_utf8_lossy(&self.text);
        match self.kind {
            Kind::Exact if text.is_empty() || text.contains(['*', '?', ' ', '~']) => write!(f, "\"{text}\""),
            Kind::Exact | Kind::Glob => write!(f, "{text}"),
            Kind::Prefix => write!(f, "{text}*"),
            Kind::Suffix => write!(f, "*{text}"),
            Kind::Contains => write!(f, "*{text}*"),
            Kind::Regex if self.ignore_case => write!(f, "~* {text}"),
            Kind::Regex => write!(f, "~ {text}"),
        }
    }
}

const ANY: &str = "(?s:.)*";

fn escape(text: &[u8], out: &mut String) {
    for byte in text {
        if byte.is_ascii_alphanumeric() {
            out.push(char::from(*byte));
        } else {
            out.push_str(&format!(r"\x{byte:02X}"));
        }
    }
}

/// Whether an expression that is understood here means what PCRE means by it.
///
/// What is refused here (look-around, references, `\h`) need not be told; this is about what both accept and read in two
/// ways: possessive quantifiers, set operations in classes, `\b{…}` and `(?R)`, `(?u)`; see pcre2pattern(3).
fn means_the_same(text: &str) -> bool {
    let bytes = text.as_bytes();
    let (mut at, mut in_class) = (0, false);
    while let Some(&byte) = bytes.get(at) {
        let rest = &bytes[at..];
        match byte {
            b'\\' => {
                let next = rest.get(1);
                if matches!(next, Some(b'p' | b'P' | b'b' | b'B' | b'<' | b'>')) && rest.get(2) == Some(&b'{') {
                    return false;
                }
                if matches!(next, Some(b'<' | b'>' | b'u' | b'U' | b'p' | b'P')) {
                    return false;
                }
                at += 1;
            }
            b'[' if in_class && rest.starts_with(b"[:") => {}
            b'[' if in_class => return false,
            b'[' => {
                in_class = true;
                at += usize::from(rest.get(1) == Some(&b'^'));
                at += usize::from(bytes.get(at + 1) == Some(&b']'));
            }
            b']' if in_class && bytes.get(at.wrapping_sub(1)) != Some(&b':') => in_class = false,
            b'&' | b'-' | b'~' if in_class && rest.get(1) == Some(&byte) => return false,
            b'+' if !in_class
                && at > 0
                && matches!(bytes[at - 1], b'+' | b'*' | b'?' | b'}')
                && !escaped(bytes, at - 1) =>
            {
                return false;
            }
            b'(' if !in_class
                && (rest.starts_with(b"(?u")
                    || rest.starts_with(b"(?-u")
                    || rest.starts_with(b"(?R")
                    || rest.starts_with(b"(?U")
                    || rest.starts_with(b"(?x")
                    || rest.starts_with(b"(?m")) =>
            {
                return false;
            }
            _ => {}
        }
        at += 1;
    }
    true
}

/// An expression whose `$` holds before a line end that is the last byte as well, as PCRE means it (pcre2pattern(3), "Circumflex
/// and dollar").
fn with_line_end(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let (mut class, mut escaped) = (None, false);
    for (at, c) in text.char_indices() {
        match (c, class) {
            _ if escaped => escaped = false,
            ('\\', _) => escaped = true,
            ('[', None) => class = Some(at + 1),
            (']', Some(open)) if !matches!(&text[open..at], "" | "^") && !text[..at].ends_with(':') => class = None,
            ('$', None) => {
                out.push_str(r"(?:\x0A?\z)");
                continue;
            }
            (_, _) => {}
        }
        out.push(c);
    }
    out
}

/// Whether the byte there follows an odd number of backslashes.
fn escaped(bytes: &[u8], at: usize) -> bool {
    bytes[..at].iter().rev().take_while(|byte| **byte == b'\\').count() % 2 == 1
}

fn syntax_of(ignore_case: bool) -> regex_automata::util::syntax::Config {
    regex_automata::util::syntax::Config::new().unicode(false).utf8(false).case_insensitive(ignore_case).octal(false)
}

fn syntax(ignore_case: bool) -> regex_syntax::Parser {
    regex_syntax::ParserBuilder::new().unicode(false).utf8(false).case_insensitive(ignore_case).octal(false).build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dollar_holds_before_a_last_line_end() {
        let matches =
            |expression: &str, text: &str| Pattern::regex(expression).expect("regular").matches(text.as_bytes());
        assert!(matches(r"\.php$", "/x.php\n") && matches("^/(a|b$)", "/b\n") && !matches("^/a$", "/a\nb"));
        assert!(!matches(r"\.php\z", "/x.php\n") && matches(r"[]$]x\$", "$x$") && !matches(r"x\$$", "x"));
    }

    #[test]
    fn expressions_that_others_read_in_another_way_are_not_read() {
        for text in ["a++", "[a&&b]", "[a[b]", r"(?=x)y", r"(a)\1", r"\bx", "x(?m)$", r"\<x", "[a--b]", r"\h"] {
            let expected = text == r"\bx";
            assert_eq!(Pattern::regex(text).is_some(), expected, "{text}");
        }
        for text in [r"^/(a|b)/\d+$", "[[:alpha:]]+x", "[^]x]", r"\.(?:jpe?g|png)$", r"a\++", "[a-z-]"] {
            assert!(Pattern::regex(text).is_some(), "{text}");
        }
    }
}
