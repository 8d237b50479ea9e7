//! ACLs and what stands behind `if` and `unless` (manual, chapter 7).

use super::ask::address;
use super::lex::Word;
use super::samples::{Kind, Sample, alias};
use crate::text::Span;

/// One line of an ACL, or an ACL without a name: what is looked at and what it is compared to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Question {
    pub(super) sample: Sample,
    pub(super) matching: Matching,
    pub(super) ignore_case: bool,
    pub(super) patterns: Vec<Word>,
    /// Files with one pattern a line.
    pub(super) files: Vec<Word>,
    pub(super) at: Span,
}

/// How values are compared to patterns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Matching {
    Found,
    Truth,
    Number,
    Address,
    Binary,
    Length,
    Exact,
    Beginning,
    Part,
    Directory,
    Domain,
    End,
    Expression,
    Method,
    /// As HAProxy compares values of a kind that is not known here.
    Unknown,
}

impl Matching {
    /// By the word behind `-m`.
    pub(super) fn named(word: &str) -> Option<Self> {
        Some(match word {
            "found" => Self::Found,
            "bool" => Self::Truth,
            "int" => Self::Number,
            "ip" => Self::Address,
            "bin" => Self::Binary,
            "len" => Self::Length,
            "str" => Self::Exact,
            "beg" => Self::Beginning,
            "sub" => Self::Part,
            "dir" => Self::Directory,
            "dom" => Self::Domain,
            "end" => Self::End,
            "reg" => Self::Expression,
            _ => return None,
        })
    }

    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Found => "found",
            Self::Truth => "bool",
            Self::Number => "int",
            Self::Address => "ip",
            Self::Binary => "bin",
            Self::Length => "len",
            Self::Exact | Self::Method => "str",
            Self::Beginning => "beg",
            Self::Part => "sub",
            Self::Directory => "dir",
            Self::Domain => "dom",
            Self::End => "end",
            Self::Expression => "reg",
            Self::Unknown => "?",
        }
    }
}

impl Question {
    /// Reads the expression, flags and patterns of an ACL.
    ///
    /// # Errors
    /// Why HAProxy refuses it, and where.
    pub(super) fn read(words: &[Word], around: Span) -> Result<Self, (Span, String)> {
        let Some(first) = words.first() else { return Err((around, "an ACL needs an expression".to_owned())) };
        let fail = |why: String| (first.at, why);
        let name_end = first.text.find(['(', ',']).unwrap_or(first.text.len());
        let (name, rest) = first.text.split_at(name_end);
        let (sample, known) = match alias(name) {
            Some((fetch, matching)) => {
                (Sample::whole(&format!("{fetch}{rest}")).map_err(fail)?, Matching::named(matching))
            }
            None => (Sample::whole(&first.text).map_err(fail)?, None),
        };
        let kind = sample.kind();
        let mut matching = match (known, kind) {
            (_, Kind::Method) => Matching::Method,
            // The word decides only for the value itself.
            (Some(known), _) if sample.converters.is_empty() || known != Matching::Exact => known,
            (_, Kind::Bool) => Matching::Truth,
            (_, Kind::Number) => Matching::Number,
            (_, Kind::Address) => Matching::Address,
            (_, Kind::Text) => Matching::Exact,
            (_, Kind::Shapeless) => Matching::Binary,
            (_, Kind::Unknown) => Matching::Unknown,
        };
        let mut chosen = known.is_some() || kind != Kind::Shapeless;
        let (mut ignore_case, mut files, mut at) = (false, Vec::new(), 1);
        while let Some(word) = words.get(at) {
            let value =
                || words.get(at + 1).ok_or_else(|| (word.at, format!("`{}` is followed by nothing", word.text)));
            match word.text.as_str() {
                "-i" => ignore_case = true,
                "-n" => {}
                "-M" => {}
                "-f" => {
                    files.push(value()?.clone());
                    at += 1;
                }
                "-u" => {
                    let id = value()?;
                    if id.text.parse::<u32>().is_err() {
                        return Err((id.at, "the number of an ACL is expected".to_owned()));
                    }
                    at += 1;
                }
                "-m" => {
                    chosen = true;
                    let way = value()?;
                    let found = Matching::named(&way.text);
                    matching = found.ok_or_else(|| (way.at, format!("unknown matching method `{}`", way.text)))?;
                    at += 1;
                }
                "--" => {
                    at += 1;
                    break;
                }
                other if other.starts_with('-') && matching != Matching::Number => {
                    return Err((word.at, format!("`{other}` is not a valid flag; `--` stands before patterns")));
                }
                _ => break,
            }
            at += 1;
        }
        if NOT_COMPARED.iter().any(|(other, ways)| *other == kind && ways.contains(&matching)) {
            let why = format!("`{}` is not compared by `-m {}`: HAProxy refuses the file", first.text, matching.word());
            return Err(fail(why));
        }
        if !chosen {
            let why = format!("`{}` is nothing that is compared without `-m`: HAProxy refuses the file", first.text);
            return Err(fail(why));
        }
        let mut patterns: Vec<Word> = words.get(at..).unwrap_or_default().to_vec();
        if matching == Matching::Truth {
            // The value alone decides (`pat_match_nothing`), whatever stands behind it.
            let odd = |word: &&Word| number_range(&word.text).is_none() && !matches!(&*word.text, "true" | "false");
            if let Some(word) = patterns.iter().find(odd) {
                return Err((word.at, format!("`{}` is behind a truth, which HAProxy compares to nothing", word.text)));
            }
            patterns.clear();
        }
        let span = Span { end: words.last().unwrap_or(first).at.end, ..first.at };
        let question = Self { sample, matching, ignore_case, patterns, files, at: span };
        question.check()?;
        Ok(question)
    }

    fn check(&self) -> Result<(), (Span, String)> {
        let mut operator = false;
        for Word { text, unknown, at } in &self.patterns {
            let refuse = |why: &str| Err((*at, format!("`{text}` is {why}: HAProxy refuses the file")));
            match self.matching {
                _ if *unknown => {}
                Matching::Number | Matching::Length => {
                    if matches!(text.as_str(), "eq" | "gt" | "ge" | "lt" | "le") {
                        operator = true;
                        continue;
                    }
                    operator = false;
                    let version = self.sample.fetch.name.ends_with("ssl_ver");
                    // Versions differ in what they make of these.
                    if text == "ne" || text.split_once('-').is_some_and(|(first, _)| !first.is_empty()) && !version {
                        return Err((*at, format!("`{text}` is not a number or a range of them as the manual has it")));
                    }
                    if number_range(text).is_none_or(|(first, last)| first > last) && !version {
                        return refuse("not a number");
                    }
                }
                Matching::Expression if text.is_empty() => {}
                Matching::Expression if !is_balanced(text) => return refuse("no regular expression"),
                Matching::Address if !is_network(text) && !is_host(text) => return refuse("no network"),
                Matching::Binary if text.len() % 2 == 1 || !text.bytes().all(|b| b.is_ascii_hexdigit()) => {
                    return refuse("no hexadecimal string");
                }
                Matching::Found
                | Matching::Truth
                | Matching::Address
                | Matching::Binary
                | Matching::Exact
                | Matching::Beginning
                | Matching::Part
                | Matching::Directory
                | Matching::Domain
                | Matching::End
                | Matching::Expression
                | Matching::Method
                | Matching::Unknown => {}
            }
        }
        if operator {
            return Err((self.at, "an operator is followed by a number".to_owned()));
        }
        Ok(())
    }

    /// How it reads, whatever it is called and in which order its patterns stand.
    pub(super) fn text(&self) -> String {
        let Self { sample, matching, ignore_case, patterns, files, at: _ } = self;
        let mut text = sample.to_string();
        match matching {
            Matching::Truth if sample.kind() == Kind::Bool => {}
            Matching::Found
            | Matching::Truth
            | Matching::Number
            | Matching::Address
            | Matching::Binary
            | Matching::Length
            | Matching::Exact
            | Matching::Beginning
            | Matching::Part
            | Matching::Directory
            | Matching::Domain
            | Matching::End
            | Matching::Expression
            | Matching::Method
            | Matching::Unknown => text.push_str(&format!(" -m {}", matching.word())),
        }
        if *ignore_case {
            text.push_str(" -i");
        }
        for file in files {
            text.push_str(&format!(" -f {}", file.text));
        }
        let mut patterns: Vec<String> =
            patterns.iter().map(|word| super::lex::joined(std::slice::from_ref(word))).collect();
        // Where an operator may stand among them, their order counts.
        if !matches!(matching, Matching::Number | Matching::Length | Matching::Unknown) {
            patterns.sort();
            patterns.dedup();
        }
        for pattern in patterns {
            text.push_str(&format!(" {pattern}"));
        }
        text
    }
}

/// Whether a text is an address, or one with a mask, which may have holes.
pub(super) fn is_network(text: &str) -> bool {
    let (host, mask) = text.split_once('/').unwrap_or((text, "32"));
    address(text).is_some()
        || (host.parse::<std::net::Ipv4Addr>().is_ok() && mask.parse::<std::net::Ipv4Addr>().is_ok())
}

/// Whether a text may be the name of a host, perhaps with a mask. The library that looks names up takes up to three numbers
/// for an address, and no name ends with a number.
fn is_host(text: &str) -> bool {
    let (host, mask) = text.split_once('/').unwrap_or((text, "32"));
    let labels: Vec<&str> = host.split('.').collect();
    let plain = |label: &&str| label.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
    let numbers = labels.iter().all(|label| !label.is_empty() && label.bytes().all(|b| b.is_ascii_digit()));
    let last = labels.last().copied().unwrap_or_default();
    !host.is_empty()
        && !host.starts_with('-')
        && labels.iter().all(plain)
        && (if numbers { labels.len() < 4 } else { !last.starts_with(|c: char| c.is_ascii_digit()) })
        && mask.parse::<u8>().is_ok_and(|bits| bits <= 128)
}

/// Kinds of values, and the ways in which they are not compared.
const NOT_COMPARED: &[(Kind, &[Matching])] =
    &[(Kind::Bool, &[Matching::Address]), (Kind::Method, &[Matching::Truth, Matching::Number, Matching::Address])];

/// Whether the parentheses and brackets of a regular expression fit, and it repeats something.
pub(super) fn is_balanced(text: &str) -> bool {
    let (mut depth, mut class, mut bytes) = (0_usize, None, text.bytes().enumerate());
    while let Some((at, byte)) = bytes.next() {
        match (byte, class) {
            (b'\\', _) => {
                if bytes.next().is_none() {
                    return false;
                }
            }
            // A bracket that comes first in a class is one of its characters.
            (b']', Some(start)) if at > start && !(at == start + 1 && text.as_bytes()[start] == b'^') => class = None,
            (_, Some(_)) => {}
            (b'[', None) => class = Some(at + 1),
            (b'(', None) => depth += 1,
            (b')', None) => match depth.checked_sub(1) {
                Some(less) => depth = less,
                None => return false,
            },
            (_, None) => {}
        }
    }
    depth == 0 && class.is_none() && !text.starts_with(['*', '+', '?'])
}

/// `5`, `5:9`, `5:`, `:9`.
pub(super) fn number_range(text: &str) -> Option<(i64, i64)> {
    let number = |text: &str, otherwise: i64| if text.is_empty() { Some(otherwise) } else { text.parse().ok() };
    match text.split_once(':') {
        Some((first, last)) if !(first.is_empty() && last.is_empty()) => {
            Some((number(first, i64::MIN)?, number(last, i64::MAX)?))
        }
        Some(_) => None,
        None => text.parse().ok().map(|n| (n, n)),
    }
}

/// When a rule counts: one of these, all of whose terms hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct When {
    /// Whether the rest has not to hold (`unless`).
    pub(super) unless: bool,
    pub(super) alternatives: Vec<Vec<Term>>,
}

/// An ACL that holds or does not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Term {
    pub(super) negated: bool,
    pub(super) asked: Asked,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Asked {
    /// By its name.
    Named(Word),
    /// In braces.
    Inline(Box<Question>),
}

impl When {
    /// Reads `if …` or `unless …`; nothing at all is `None`.
    ///
    /// # Errors
    /// Why HAProxy refuses it, and where.
    pub(super) fn read(words: &[Word]) -> Result<Option<Self>, (Span, String)> {
        let Some(first) = words.first() else { return Ok(None) };
        let unless = match first.text.as_str() {
            "if" => false,
            "unless" => true,
            other => return Err((first.at, format!("`if` or `unless` is expected, not `{other}`"))),
        };
        let (mut alternatives, mut terms, mut negated, mut at) = (Vec::new(), Vec::new(), false, 1);
        while let Some(word) = words.get(at) {
            at += 1;
            let bare = word.text.trim_start_matches('!');
            negated ^= (word.text.len() - bare.len()) % 2 == 1;
            if bare.is_empty() {
                continue;
            }
            if bare.eq_ignore_ascii_case("or") || bare == "||" {
                alternatives.push(std::mem::take(&mut terms));
                negated = false;
                continue;
            }
            let asked = if bare == "{" {
                let rest = words.get(at..).unwrap_or_default();
                let end = rest.iter().position(|word| word.text == "}");
                let end = end.ok_or_else(|| (word.at, "missing closing brace: HAProxy refuses the file".to_owned()))?;
                at += end + 1;
                Asked::Inline(Box::new(Question::read(&rest[..end], word.at)?))
            } else {
                Asked::Named(Word { text: bare.to_owned(), ..word.clone() })
            };
            terms.push(Term { negated: std::mem::take(&mut negated), asked });
        }
        alternatives.push(terms);
        // Nothing that is asked never holds.
        alternatives.retain(|terms| !terms.is_empty());
        Ok(Some(Self { unless, alternatives }))
    }
}

/// ACLs that need no declaration (manual, 7.4), and their expressions.
pub(super) const PREDEFINED: &[(&str, &str)] = &[
    ("FALSE", "always_false"),
    ("HTTP", "req.proto_http"),
    ("HTTP_1.0", "req.ver 1.0"),
    ("HTTP_1.1", "req.ver 1.1"),
    ("HTTP_2.0", "req.ver 2.0"),
    ("HTTP_3.0", "req.ver 3.0"),
    ("HTTP_CONTENT", "req.hdr_val(content-length) gt 0"),
    ("HTTP_URL_ABS", "url_reg ^[^/:]*://"),
    ("HTTP_URL_SLASH", "url_beg /"),
    ("HTTP_URL_STAR", "url *"),
    ("LOCALHOST", "src 127.0.0.1/8 ::1"),
    ("METH_CONNECT", "method CONNECT"),
    ("METH_DELETE", "method DELETE"),
    ("METH_GET", "method GET HEAD"),
    ("METH_HEAD", "method HEAD"),
    ("METH_OPTIONS", "method OPTIONS"),
    ("METH_POST", "method POST"),
    ("METH_PUT", "method PUT"),
    ("METH_TRACE", "method TRACE"),
    ("RDP_COOKIE", "req.rdp_cookie_cnt gt 0"),
    ("REQ_CONTENT", "req.len gt 0"),
    ("TRUE", "always_true"),
    ("WAIT_END", "wait_end"),
];
