//! Questions of ACLs as conditions of the model: what is decided exactly, and what is opaque and why.

use super::conditions::{Asked, Matching, PREDEFINED, Question, Term, When, number_range};
use super::lex::{Environment, Word, line};
use super::order;
use super::rewrites::{Part, Rewrites, parts_of};
use super::samples::{Call, Sample};
use crate::model::{Condition, Store, Subject, Test};
use crate::net::{Family, Pattern, Set, parse_addresses};
use crate::text::Span;
use std::cell::Cell;
use std::collections::{BTreeMap, HashMap};

/// The patterns of a file: key and value of each line.
pub(super) type Lines = Vec<(String, String)>;

/// A file of patterns that is at hand.
pub(super) struct Listed {
    pub(super) lines: Lines,
    pub(super) digest: String,
    /// Whether rules change them in memory, so that they are not what the file says for long.
    pub(super) written: bool,
}

/// The files of patterns that are at hand, by name.
pub(super) type Files = HashMap<String, Listed>;

/// A text with what is in the files of patterns and maps that it names.
pub(super) fn with_files(mut text: String, files: &Files) -> String {
    let named: BTreeMap<_, _> = files.iter().filter(|(name, _)| text.contains(name.as_str())).collect();
    for (name, Listed { digest, .. }) in named {
        text.push_str(&format!("; {name} with {digest}"));
    }
    text
}

/// What is known where a request has come in.
#[derive(Debug, Clone, Default)]
pub(super) struct Place {
    /// Whether HTTP is spoken.
    pub(super) http: bool,
    /// Whether TLS is.
    pub(super) tls: bool,
    /// The ports; `None`: not known.
    pub(super) ports: Option<(u16, u16)>,
    /// Whether the source is what another proxy says that it is.
    pub(super) proxied: bool,
    /// Whether the TLS handshake is waited for before anything is decided.
    pub(super) inspected: bool,
}

/// What conditions ask about the place.
#[derive(Debug, Default)]
pub(super) struct Looked {
    pub(super) tls: Cell<bool>,
    pub(super) ports: Cell<bool>,
    pub(super) source: Cell<bool>,
}

/// Turns questions into conditions.
pub(super) struct Asking<'a> {
    pub(super) store: &'a mut Store,
    pub(super) place: &'a Place,
    pub(super) looked: &'a Looked,
    pub(super) files: &'a Files,
}

/// More patterns than this without a known meaning are one condition.
const MOST_APART: usize = 4;

/// The ACLs of a proxy.
pub(super) type Named = BTreeMap<String, Vec<Question>>;

impl Asking<'_> {
    /// When a rule counts.
    pub(super) fn when(&mut self, when: Option<&When>, acls: &Named, rewrites: &Rewrites) -> Condition {
        let Some(When { unless, alternatives }) = when else { return Condition::Always };
        let mut out = Vec::new();
        for terms in alternatives {
            let all: Vec<Condition> = terms.iter().map(|term| self.term(term, acls, rewrites)).collect();
            out.push(Condition::all(all));
        }
        let any = Condition::any(out);
        if *unless { any.negated() } else { any }
    }

    fn term(&mut self, Term { negated, asked }: &Term, acls: &Named, rewrites: &Rewrites) -> Condition {
        let condition = match asked {
            Asked::Inline(question) => self.question(question, rewrites),
            Asked::Named(word) => match acls.get(&word.text) {
                Some(questions) => {
                    let any: Vec<Condition> = questions.iter().map(|q| self.question(q, rewrites)).collect();
                    Condition::any(any)
                }
                None => match predefined(&word.text, word.at) {
                    Some(question) => self.question(&question, rewrites),
                    // It is said elsewhere that it is not declared.
                    None => self.opaque(&format!("acl {}", word.text)),
                },
            },
        };
        if *negated { condition.negated() } else { condition }
    }

    /// An opaque condition.
    pub(super) fn opaque(&mut self, text: &str) -> Condition {
        Condition::Opaque(self.store.opaque(text))
    }

    /// Whether one of the patterns fits.
    pub(super) fn question(&mut self, question: &Question, rewrites: &Rewrites) -> Condition {
        if let Some((sample, then)) = rewrites.variable(&question.sample) {
            let question = Question { sample, ..question.clone() };
            return self.question(&question, &then);
        }
        let lists = question.files.iter().map(|file| Part::List(file.text.clone()));
        let after = rewrites.of(parts_of(&question.sample).map(|parts| parts.into_iter().chain(lists).collect()));
        let unknown = question.patterns.iter().any(|word| word.unknown);
        let at_hand = question.files.iter().all(|file| self.files.get(&file.text).is_some_and(|f| !f.written));
        if after.is_empty() && !unknown && at_hand {
            let mut patterns: Vec<String> = question.patterns.iter().map(|word| word.text.clone()).collect();
            for file in &question.files {
                let lines = self.files.get(&file.text).into_iter().flat_map(|listed| &listed.lines);
                patterns.extend(lines.map(|(key, value)| format!("{key} {value}").trim_end().to_owned()));
            }
            if let Some(condition) = self.exactly(question, &patterns) {
                return condition;
            }
        }
        let suffix = order::after(&after);
        let apart = question.files.is_empty() && (2..=MOST_APART).contains(&question.patterns.len());
        if apart && !matches!(question.matching, Matching::Number | Matching::Length | Matching::Unknown) {
            let each =
                question.patterns.iter().map(|word| Question { patterns: vec![word.clone()], ..question.clone() });
            let texts: Vec<String> = each.map(|question| question.text()).collect();
            let any: Vec<Condition> = texts.iter().map(|text| self.named(text, &suffix)).collect();
            return Condition::any(any);
        }
        self.named(&question.text(), &suffix)
    }

    /// An opaque condition, with what the files say that it names.
    fn named(&mut self, text: &str, suffix: &str) -> Condition {
        let text = with_files(text.to_owned(), self.files);
        self.opaque(&format!("{text}{suffix}"))
    }

    /// The condition, where the model can say it.
    fn exactly(&mut self, question: &Question, patterns: &[String]) -> Option<Condition> {
        let Question { sample, matching, ignore_case, .. } = question;
        let place = self.place;
        let truth = |holds: bool| Some(if holds { Condition::Always } else { Condition::Never });
        let plain = sample.converters.is_empty();
        match sample.fetch.name.as_str() {
            "always_true" | "wait_end" if plain && *matching == Matching::Truth => truth(true),
            "always_false" if plain && *matching == Matching::Truth => truth(false),
            "req.proto_http" if plain && *matching == Matching::Truth && place.http => truth(true),
            "ssl_fc" if plain && *matching == Matching::Truth => {
                self.looked.tls.set(true);
                truth(place.tls)
            }
            "dst_port" if plain && *matching == Matching::Number => {
                self.looked.ports.set(true);
                let (first, last) = place.ports.filter(|_| !place.proxied)?;
                let holds = |port: u16| any_number(patterns, port.into());
                let all: Option<Vec<bool>> =
                    if last - first < 2000 { (first..=last).map(holds).collect() } else { None };
                let all = all?;
                let one = *all.first()?;
                all.iter().all(|other| *other == one).then_some(())?;
                truth(one)
            }
            "src" if plain && *matching == Matching::Address => {
                self.looked.source.set(true);
                if place.proxied {
                    return None;
                }
                let (mut ipv4, mut ipv6) = (Set::empty(), Set::empty());
                for pattern in patterns {
                    let (family, set) = address(pattern)?;
                    match family {
                        Family::Ipv4 => ipv4 = ipv4.union(&set),
                        Family::Ipv6 => ipv6 = ipv6.union(&set),
                    }
                }
                Some(self.test(Test::Source { ipv4, ipv6 }))
            }
            "base" if place.http => {
                let fold = *ignore_case || folds(sample, patterns, *matching)?;
                let each: Option<Vec<Condition>> = patterns.iter().map(|p| self.base(p, *matching, fold)).collect();
                Some(Condition::any(each?))
            }
            "method" if place.http && plain && *matching == Matching::Method => {
                let each: Vec<Condition> = patterns.iter().map(|p| self.method(p, *ignore_case)).collect();
                Some(Condition::any(each))
            }
            _ => {
                let subject = self.subject(&sample.fetch)?;
                let fold = *ignore_case || folds(sample, patterns, *matching)?;
                if *matching == Matching::Found {
                    return (subject == Subject::Host && patterns.is_empty()).then(|| self.named_at_all(subject));
                }
                let mut found = Vec::new();
                for pattern in patterns {
                    for pattern in text_patterns(sample, *matching, pattern)? {
                        found.push(if fold { pattern.ignoring_case() } else { pattern });
                    }
                }
                Some(self.texts(subject, found))
            }
        }
    }

    /// The part of a request that a fetch is.
    fn subject(&self, fetch: &Call) -> Option<Subject> {
        let place = self.place;
        let host = fetch.arguments.first().is_some_and(|name| name == "host") && fetch.arguments.len() == 1;
        match fetch.name.as_str() {
            "path" if place.http && fetch.arguments.is_empty() => Some(Subject::Path),
            "query" if place.http => Some(Subject::Query),
            "method" if place.http => Some(Subject::Method),
            "req.hdr" | "req.fhdr" if place.http && host => Some(Subject::Host),
            "ssl_fc_sni" => {
                self.looked.tls.set(true);
                place.tls.then_some(Subject::ServerName)
            }
            "req.ssl_sni" => {
                self.looked.tls.set(true);
                (!place.tls && !place.http && place.inspected).then_some(Subject::ServerName)
            }
            _ => None,
        }
    }

    fn test(&mut self, test: Test) -> Condition {
        Condition::Test(self.store.test(test))
    }

    /// One of the patterns; a text that is not there matches none.
    fn texts(&mut self, subject: Subject, mut patterns: Vec<Pattern>) -> Condition {
        if patterns.is_empty() {
            return Condition::Never;
        }
        patterns.sort();
        patterns.dedup();
        let of_nothing = patterns.iter().any(|pattern| pattern.matches(b""));
        let test = self.test(Test::Text(subject, patterns));
        match subject {
            Subject::Host | Subject::ServerName if of_nothing => Condition::all([test, self.named_at_all(subject)]),
            Subject::Host
            | Subject::HostName
            | Subject::ServerName
            | Subject::Path
            | Subject::Query
            | Subject::Method
            | Subject::Source => test,
        }
    }

    fn named_at_all(&mut self, subject: Subject) -> Condition {
        self.test(Test::Text(subject, vec![Pattern::exact("")])).negated()
    }

    /// A method. Those that HAProxy knows are numbers to it, whatever `-i` says (`pat_match_meth`).
    fn method(&mut self, pattern: &str, ignore_case: bool) -> Condition {
        const KNOWN: [&str; 8] = ["OPTIONS", "GET", "HEAD", "POST", "PUT", "DELETE", "TRACE", "CONNECT"];
        let exact = |text: &str| vec![Pattern::exact(text)];
        if KNOWN.contains(&pattern) || !ignore_case {
            return self.texts(Subject::Method, exact(pattern));
        }
        let any_case = self.texts(Subject::Method, vec![Pattern::exact(pattern).ignoring_case()]);
        match KNOWN.iter().find(|known| known.eq_ignore_ascii_case(pattern)) {
            Some(known) => Condition::all([any_case, self.texts(Subject::Method, exact(known)).negated()]),
            None => any_case,
        }
    }

    /// Host and path in one text: the first slash is where the path begins.
    fn base(&mut self, pattern: &str, matching: Matching, fold: bool) -> Option<Condition> {
        let folded = |pattern: Pattern| if fold { pattern.ignoring_case() } else { pattern };
        let cut = pattern.find('/').map(|at| pattern.split_at(at));
        let mut host = |pattern| self.texts(Subject::Host, vec![folded(pattern)]);
        let out = match (matching, cut) {
            (_, _) if pattern.is_empty() => return None,
            (Matching::Exact, Some((name, path))) => Condition::all([
                host(Pattern::exact(name)),
                self.texts(Subject::Path, vec![folded(Pattern::exact(path))]),
            ]),
            (Matching::Exact, None) => Condition::Never,
            (Matching::Beginning, Some((name, path))) => {
                let name = host(Pattern::exact(name));
                Condition::all([name, self.texts(Subject::Path, vec![folded(Pattern::prefix(path))])])
            }
            (Matching::Beginning, None) => host(Pattern::prefix(pattern)),
            (Matching::End, Some((name, path))) if !name.is_empty() => {
                let name = host(Pattern::suffix(name));
                let whole = self.texts(Subject::Path, vec![folded(Pattern::exact(path))]);
                let inside = self.texts(Subject::Path, vec![folded(Pattern::suffix(pattern))]);
                Condition::any([inside, Condition::all([name, whole])])
            }
            (Matching::End, _) => self.texts(Subject::Path, vec![folded(Pattern::suffix(pattern))]),
            (Matching::Part, Some((name, path))) if !name.is_empty() => {
                let name = host(Pattern::suffix(name));
                let whole = self.texts(Subject::Path, vec![folded(Pattern::prefix(path))]);
                let inside = self.texts(Subject::Path, vec![folded(Pattern::contains(pattern))]);
                Condition::any([inside, Condition::all([name, whole])])
            }
            (Matching::Part, Some(_)) => self.texts(Subject::Path, vec![folded(Pattern::contains(pattern))]),
            (Matching::Part, None) => {
                let name = host(Pattern::contains(pattern));
                Condition::any([name, self.texts(Subject::Path, vec![folded(Pattern::contains(pattern))])])
            }
            (
                Matching::Found
                | Matching::Truth
                | Matching::Number
                | Matching::Address
                | Matching::Binary
                | Matching::Length
                | Matching::Directory
                | Matching::Domain
                | Matching::Expression
                | Matching::Method
                | Matching::Unknown,
                _,
            ) => return None,
        };
        Some(out)
    }
}

/// The ACL of that name that needs no declaration.
pub(super) fn predefined(name: &str, at: Span) -> Option<Question> {
    let (_, text) = PREDEFINED.iter().find(|(known, _)| *known == name)?;
    let cut = line(at.source, 0, text.as_bytes(), &Environment::default());
    let words: Vec<Word> = cut.words.into_iter().map(|word| Word { at, ..word }).collect();
    Question::read(&words, at).ok()
}

/// An address or network, as HAProxy writes them: also `10.0.0.0/255.0.0.0`.
pub(super) fn address(text: &str) -> Option<(Family, Set)> {
    if let Some((net, mask)) = text.split_once('/') {
        if let Ok(mask) = mask.parse::<std::net::Ipv4Addr>() {
            let mask = u32::from(mask);
            let length = mask.leading_ones();
            return (mask.count_ones() == length).then(|| parse_addresses(&format!("{net}/{length}"))).flatten();
        }
    } else if text.contains('-') {
        return None;
    }
    parse_addresses(text)
}

/// Whether one of the numbers or ranges has a number in it; `None`: one is none.
fn any_number(patterns: &[String], number: i64) -> Option<bool> {
    let (mut operator, mut found) = ("eq", false);
    for pattern in patterns {
        match pattern.as_str() {
            "eq" | "gt" | "ge" | "lt" | "le" => operator = pattern,
            text => {
                let (first, last) = number_range(text)?;
                found |= match operator {
                    "gt" => number > last,
                    "ge" => number >= first,
                    "lt" => number < first,
                    "le" => number <= last,
                    _ => first <= number && number <= last,
                };
            }
        }
    }
    Some(found)
}

/// Whether the letters' case does not matter because the value is in lower case. `None`: there is a converter whose
/// effect is not known here, or a pattern that no such value has.
fn folds(sample: &Sample, patterns: &[String], matching: Matching) -> Option<bool> {
    // The second one lowers letters too (`sample_conv_host_only`).
    let lowers = |converter: &Call| matches!(converter.name.as_str(), "lower" | "host_only");
    let lower = sample.converters.iter().any(lowers);
    if !lower {
        return Some(false);
    }
    let fits = |pattern: &String| {
        let mut escaped = false;
        pattern.bytes().all(|byte| {
            let plain = !byte.is_ascii_uppercase()
                || (matching == Matching::Expression && escaped && matches!(byte, b'S' | b'W' | b'D'));
            escaped = byte == b'\\' && !escaped;
            plain
        })
    };
    let ranges_fit = matching != Matching::Expression || patterns.iter().all(|p| !odd_range(p));
    (patterns.iter().all(fits) && ranges_fit).then_some(true)
}

/// Whether a class has a range that is not one of letters or digits.
fn odd_range(expression: &str) -> bool {
    expression.as_bytes().windows(3).any(|window| match window {
        [first, b'-', last] => {
            let plain = |byte: &u8| byte.is_ascii_alphanumeric();
            plain(first) != plain(last) && *first != b'[' && *last != b']'
        }
        _ => false,
    })
}

/// What a pattern is for the text itself, before it is put through converters.
pub(super) fn text_patterns(sample: &Sample, matching: Matching, pattern: &str) -> Option<Vec<Pattern>> {
    let mut cut = false;
    for Call { name, arguments } in &sample.converters {
        match (name.as_str(), arguments.as_slice()) {
            ("lower", []) => {}
            ("host_only", []) => cut = true,
            ("field", [number, mark]) if number == "1" && mark == ":" => cut = true,
            (_, _) => return None,
        }
    }
    if cut {
        // Only what stands before the port is compared.
        if pattern.contains(':') || pattern.is_empty() {
            return None;
        }
        let escaped = escape(pattern);
        return match matching {
            Matching::Exact => Some(vec![Pattern::exact(pattern), Pattern::regex(&format!("^{escaped}:[^:]*$"))?]),
            Matching::Beginning => Some(vec![Pattern::prefix(pattern)]),
            Matching::End => Some(vec![Pattern::regex(&format!("^[^:]*{escaped}(?::[^:]*)?$"))?]),
            Matching::Domain
            | Matching::Found
            | Matching::Truth
            | Matching::Number
            | Matching::Address
            | Matching::Binary
            | Matching::Length
            | Matching::Part
            | Matching::Directory
            | Matching::Expression
            | Matching::Method
            | Matching::Unknown => None,
        };
    }
    Some(vec![match matching {
        Matching::Exact | Matching::Method => Pattern::exact(pattern),
        Matching::Beginning => Pattern::prefix(pattern),
        Matching::End => Pattern::suffix(pattern),
        Matching::Part => Pattern::contains(pattern),
        Matching::Expression => Pattern::regex(pattern)?,
        Matching::Directory => delimited(pattern, "/?")?,
        Matching::Domain => delimited(pattern, "/?.:")?,
        Matching::Found
        | Matching::Truth
        | Matching::Number
        | Matching::Address
        | Matching::Binary
        | Matching::Length
        | Matching::Unknown => return None,
    }])
}

/// Texts in which the pattern stands between two of the delimiters or ends.
fn delimited(pattern: &str, delimiters: &str) -> Option<Pattern> {
    let inner = pattern.trim_matches(|c| delimiters.contains(c));
    if inner.is_empty() {
        return None;
    }
    let class = escape(delimiters);
    Pattern::regex(&format!("(?:^|[{class}]){}(?:$|[{class}])", escape(inner)))
}

fn escape(text: &str) -> String {
    let byte =
        |byte: u8| if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("\\x{byte:02X}") };
    text.bytes().map(byte).collect()
}
