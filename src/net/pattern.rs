use regex_automata::dfa::{Automaton, StartKind, dense};
use regex_automata::nfa::thompson;
use regex_automata::util::primitives::StateID;
use regex_automata::{Anchored, MatchKind, util::start};
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap, VecDeque};
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
        (means_the_same(text) && syntax(false).parse(&pattern.expression()).is_ok()).then_some(pattern)
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

/// Texts that answer some tests alike, and one of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Class {
    /// The numbers of the tests that hold, in order; the others do not.
    pub holds: Vec<u32>,
    /// One of the texts.
    pub witness: Vec<u8>,
}

/// Which texts there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Texts {
    /// Names of hosts, which may be empty.
    Hosts,
    /// Paths of requests, decoded or not: they begin with a slash. Those with a line end (`%0A`) are left out.
    Paths,
    /// Paths of requests as they are sent.
    SentPaths {
        /// Whether none has a part `.` or `..`.
        resolved: bool,
        /// Whether none has two slashes in a row.
        merged: bool,
    },
    /// Paths of requests with nothing encoded any more and no part `.` or `..`, those with a line end left out.
    DecodedPaths {
        /// Whether none has two slashes in a row.
        merged: bool,
    },
    /// Methods: not empty.
    Methods,
    /// Any, without a line end.
    Any,
}

impl Texts {
    /// Texts that people expect, in the order in which they are offered.
    const fn usual(self) -> &'static [&'static str] {
        match self {
            Self::Hosts => &["www.example.com", "example.net", "host.invalid"],
            Self::Paths | Self::SentPaths { .. } | Self::DecodedPaths { .. } => &["/", "/index.html", "/other"],
            Self::Methods => &["GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH"],
            Self::Any => &["", "x"],
        }
    }

    /// Bytes that people expect in them, the first ones first.
    const fn nice(self) -> &'static [u8] {
        match self {
            Self::Hosts => b"abcdefghijklmnopqrstuvwxyz0123456789.-",
            Self::Paths | Self::SentPaths { .. } | Self::DecodedPaths { .. } => {
                b"abcdefghijklmnopqrstuvwxyz0123456789/.-_ABCDEFGHIJKLMNOPQRSTUVWXYZ~+=,:;@!$&'()*%"
            }
            Self::Methods => b"ABCDEFGHIJKLMNOPQRSTUVWXYZ",
            Self::Any => b"abcdefghijklmnopqrstuvwxyz0123456789/.-_ABCDEFGHIJKLMNOPQRSTUVWXYZ~+=,:;@!$&'()*% ",
        }
    }

    /// Whether they may hold a byte at all.
    const fn may_hold(self, byte: u8) -> bool {
        match self {
            Self::Hosts | Self::Methods => byte > b' ' && byte != 0x7f,
            Self::Paths | Self::DecodedPaths { .. } => byte != 0 && byte != b'\n',
            Self::SentPaths { .. } => byte.is_ascii_graphic() && byte != b'?' && byte != b'#',
            Self::Any => byte != 0 && byte != b'\n' && byte != b'\r',
        }
    }

    /// With what they begin.
    const fn start(self) -> &'static [u8] {
        match self {
            Self::Paths | Self::SentPaths { .. } | Self::DecodedPaths { .. } => b"/",
            Self::Hosts | Self::Methods | Self::Any => b"",
        }
    }

    const fn may_be_empty(self) -> bool {
        match self {
            Self::Hosts | Self::Any => true,
            Self::Paths | Self::SentPaths { .. } | Self::DecodedPaths { .. } | Self::Methods => false,
        }
    }

    /// Where a text stands with one more byte; `None`: no such text goes on like that.
    const fn after(self, place: Part, byte: u8) -> Option<Part> {
        let (resolved, merged) = match self {
            Self::SentPaths { resolved, merged } => (resolved, merged),
            Self::DecodedPaths { merged } => (true, merged),
            Self::Hosts | Self::Paths | Self::Methods | Self::Any => return Some(Part::Other),
        };
        match (place, byte) {
            (Part::Slash, b'/') if merged => None,
            (Part::Dot | Part::DotDot, b'/') if resolved => None,
            (_, b'/') if merged || resolved => Some(Part::Slash),
            (Part::Slash, b'.') if resolved => Some(Part::Dot),
            (Part::Dot, b'.') => Some(Part::DotDot),
            (_, _) => Some(Part::Other),
        }
    }
}

/// What stands behind the last slash of a path so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Part {
    Slash,
    Dot,
    DotDot,
    Other,
}

impl Part {
    /// Whether a text may end there.
    const fn may_end(self) -> bool {
        matches!(self, Self::Slash | Self::Other)
    }
}

/// Every combination of answers that a text can give to some tests, each test being some patterns of which one has to
/// match. `None`: there are too many to find out.
#[must_use]
pub fn classes(texts: Texts, tests: &[&[Pattern]]) -> Option<Vec<Class>> {
    let automaton = Numbered::new(tests)?;
    let mut found: BTreeMap<Vec<u32>, Vec<u8>> = BTreeMap::new();
    for text in texts.usual() {
        let state = text.bytes().fold(automaton.start, |state, byte| automaton.dfa.next_state(state, byte));
        found.entry(automaton.answers(state)).or_insert_with(|| text.as_bytes().to_vec());
    }
    let all: Vec<u8> = (0..=u8::MAX).filter(|byte| texts.may_hold(*byte)).collect();
    automaton.walk(texts, texts.nice(), false, &mut found);
    automaton.walk(texts, &all, texts.may_be_empty(), &mut found);
    if found.len() > MOST_CLASSES {
        return None;
    }
    Some(found.into_iter().map(|(holds, witness)| Class { holds, witness }).collect())
}

/// One automaton for many tests, whose states know which of them hold.
struct Numbered {
    dfa: dense::DFA<Vec<u32>>,
    start: StateID,
    /// The test that a pattern of the automaton belongs to.
    test: Vec<u32>,
}

/// An automaton larger than this many bytes is not built: one that is many times larger than the patterns are grows with
/// the product of them.
const LARGEST: usize = 1 << 28;
const LARGE: usize = 1 << 25;
/// How many bytes there may be for each state that a pattern asks for.
const BYTES: usize = 1 << 11;
/// More classes than this are not gone through.
const MOST_CLASSES: usize = 1 << 17;

impl Numbered {
    fn new(tests: &[&[Pattern]]) -> Option<Self> {
        let (mut expressions, mut test) = (Vec::new(), Vec::new());
        for (number, patterns) in tests.iter().enumerate() {
            for pattern in *patterns {
                expressions.push(syntax(pattern.ignore_case).parse(&pattern.expression()).ok()?);
                test.push(u32::try_from(number).ok()?);
            }
        }
        let nfa = thompson::Compiler::new()
            .configure(
                thompson::Config::new()
                    .utf8(false)
                    .shrink(false)
                    .which_captures(thompson::WhichCaptures::None)
                    .nfa_size_limit(Some(LARGEST)),
            )
            .build_many_from_hir(&expressions)
            .ok()?;
        let limit = nfa.states().len().saturating_mul(BYTES).clamp(LARGE, LARGEST);
        let dfa = dense::Builder::new()
            .configure(
                dense::Config::new()
                    .start_kind(StartKind::Anchored)
                    .match_kind(MatchKind::All)
                    .dfa_size_limit(Some(limit))
                    .determinize_size_limit(Some(limit.saturating_mul(2))),
            )
            .build_from_nfa(&nfa)
            .ok()?;
        let start = dfa.start_state(&start::Config::new().anchored(Anchored::Yes)).ok()?;
        Some(Self { dfa, start, test })
    }

    /// The tests that hold of the text that leads to a state.
    fn answers(&self, state: StateID) -> Vec<u32> {
        let end = self.dfa.next_eoi_state(state);
        if !self.dfa.is_match_state(end) {
            return Vec::new();
        }
        let matching = (0..self.dfa.match_len(end)).map(|index| self.dfa.match_pattern(end, index));
        let mut holds: Vec<u32> = matching.map(|pattern| self.test[pattern.as_usize()]).collect();
        holds.sort_unstable();
        holds.dedup();
        holds
    }

    /// Adds what texts of these bytes answer, the shortest text first.
    fn walk(&self, texts: Texts, bytes: &[u8], empty: bool, found: &mut BTreeMap<Vec<u32>, Vec<u8>>) {
        // Bytes that the automaton does not tell apart count once, but for those that texts tell apart themselves.
        let mut seen_class = [false; 256];
        let classes = self.dfa.byte_classes();
        let fresh = |byte: &&u8| {
            matches!(byte, b'/' | b'.') || !std::mem::replace(&mut seen_class[usize::from(classes.get(**byte))], true)
        };
        let bytes: Vec<u8> = bytes.iter().filter(fresh).copied().collect();
        let begin = texts.start().iter().try_fold((self.start, Part::Other), |(state, part), byte| {
            Some((self.dfa.next_state(state, *byte), texts.after(part, *byte)?))
        });
        let Some(first) = begin else { return };
        type Place = (StateID, Part);
        let mut from: HashMap<Place, Option<(Place, u8)>, foldhash::quality::RandomState> = HashMap::default();
        from.insert(first, None);
        let mut queue = VecDeque::from([first]);
        if empty || !texts.start().is_empty() {
            found.entry(self.answers(first.0)).or_insert_with(|| texts.start().to_vec());
        }
        while let Some(place) = queue.pop_front().filter(|_| found.len() <= MOST_CLASSES) {
            for byte in &bytes {
                let Some(part) = texts.after(place.1, *byte) else { continue };
                let next = (self.dfa.next_state(place.0, *byte), part);
                match from.entry(next) {
                    // The way back to the first state is no text of its own, but may be the only one that is not empty.
                    Entry::Occupied(_) if next != first || empty => continue,
                    Entry::Occupied(_) => {}
                    Entry::Vacant(new) => {
                        new.insert(Some((place, *byte)));
                        queue.push_back(next);
                    }
                }
                if !part.may_end() {
                    continue;
                }
                found.entry(self.answers(next.0)).or_insert_with(|| {
                    let mut text = vec![*byte];
                    let mut at = place;
                    while let Some(Some((before, byte))) = from.get(&at) {
                        text.push(*byte);
                        at = *before;
                    }
                    text.extend(texts.start().iter().rev());
                    text.reverse();
                    text
                });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shown(texts: Texts, tests: &[&[Pattern]]) -> Vec<(Vec<u32>, String)> {
        let classes = classes(texts, tests).expect("small");
        classes.into_iter().map(|class| (class.holds, String::from_utf8(class.witness).expect("text"))).collect()
    }

    #[test]
    fn every_combination_of_answers_has_a_text() {
        let tests: [&[Pattern]; 3] = [
            &[Pattern::prefix("/api/")],
            &[Pattern::regex(r"\.php$").expect("regular")],
            &[Pattern::exact("/api/v1"), Pattern::exact("/")],
        ];
        let expected = [
            (vec![], "/index.html"),
            (vec![0], "/api/"),
            (vec![0, 1], "/api/.php"),
            (vec![0, 2], "/api/v1"),
            (vec![1], "/.php"),
            (vec![2], "/"),
        ];
        let expected: Vec<(Vec<u32>, String)> = expected.into_iter().map(|(n, text)| (n, text.to_owned())).collect();
        assert_eq!(shown(Texts::Paths, &tests), expected);
    }

    #[test]
    fn what_is_covered_by_others_leaves_no_text() {
        let tests: [&[Pattern]; 2] = [
            &[Pattern::regex("^(a|b)$").expect("regular")],
            &[Pattern::exact("a"), Pattern::exact("b").ignoring_case()],
        ];
        assert_eq!(
            shown(Texts::Hosts, &tests),
            [(vec![], "www.example.com".to_owned()), (vec![0, 1], "a".to_owned()), (vec![1], "B".to_owned())]
        );
    }

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

    proptest! {
        /// Every text falls into the class whose tests hold of it.
        #[test]
        fn each_text_is_in_a_class(
            words in prop::collection::vec(("[ab/.]{0,3}", 0_u8..5, any::<bool>()), 1..6),
            text in "[abAB/.]{0,6}",
        ) {
            let patterns: Vec<Vec<Pattern>> = words.iter().map(|(word, kind, fold)| {
                let pattern = match kind {
                    0 => Pattern::exact(word.as_str()),
                    1 => Pattern::prefix(word.as_str()),
                    2 => Pattern::suffix(word.as_str()),
                    3 => Pattern::contains(word.as_str()),
                    _ => Pattern::glob(format!("{word}*?")),
                };
                vec![if *fold { pattern.ignoring_case() } else { pattern }]
            }).collect();
            let tests: Vec<&[Pattern]> = patterns.iter().map(Vec::as_slice).collect();
            let classes = classes(Texts::Any, &tests).expect("small");
            let holding = |text: &[u8]| -> Vec<u32> {
                (0..).zip(&patterns).filter(|(_, test)| test[0].matches(text)).map(|(n, _)| n).collect()
            };
            prop_assert!(classes.iter().any(|class| class.holds == holding(text.as_bytes())));
            for class in &classes {
                prop_assert_eq!(&class.holds, &holding(&class.witness));
            }
        }
    }
}
