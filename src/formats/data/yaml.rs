//! YAML as values: several documents, anchors, merge keys, and plain words as Kubernetes and CloudFormation read them.
//!
//! yaml.org, "Language-Independent Types for YAML 1.1" (`bool`, `int`, `merge`), as far as the YAML to JSON conversion of
//! Kubernetes follows it: `yes` and `on` are truths, `0x16` and `026` are numbers, `22:22` and dates are texts.

use super::json::Json;
use super::number::Number;
use super::tree::value_of;
use super::value::{Entry, Value, What};
use crate::text::{NotYaml, SourceId, Span, YamlDocument, YamlKind, YamlManner, YamlNode, YamlTag, escape, yaml};
use std::collections::HashMap;
use std::ops::Range;

/// How many values aliases and merge keys may add to a text.
const MOST_REPEATED: usize = 100_000;
/// How deep values may stand in one another once aliases are followed.
const DEEPEST: usize = 128;
/// From so many keys on, names that stand twice are searched for by hashing.
const FEW: usize = 16;
/// What the tags of YAML itself begin with.
const CORE: &str = "tag:yaml.org,2002:";

/// What a tag of a configuration language makes of a value: `!Ref web` is an object of one name. Handed over are the tag
/// in full, its place, and the value; a tagged scalar is always a text. `None`: there is no such tag.
pub(in crate::formats) type Tags<'a> = &'a dyn Fn(&str, Span, Value) -> Option<Value>;

/// One document of a text.
#[derive(Debug, Clone)]
pub(in crate::formats) struct Document {
    /// From its `---`, or else its first byte, to its last.
    pub(in crate::formats) at: Span,
    /// What it says: nothing, if it has only comments.
    pub(in crate::formats) value: Value,
}

/// Why a text cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::formats) struct Problem {
    /// Where.
    pub(in crate::formats) at: Span,
    /// One sentence part.
    pub(in crate::formats) reason: String,
}

/// For languages without tags of their own.
pub(in crate::formats) fn no_tags(_tag: &str, _at: Span, _value: Value) -> Option<Value> {
    None
}

/// The documents of a text, which may be JSON. Names are different in every object.
///
/// # Errors
/// All that is wrong: what is no YAML, a key that stands twice, an unknown tag, an alias of nothing or of too much.
pub(in crate::formats) fn documents(
    source: SourceId,
    bytes: &[u8],
    tags: Tags<'_>,
) -> Result<Vec<Document>, Vec<Problem>> {
    if matches!(bytes.trim_ascii_start().first(), Some(b'{' | b'['))
        && let Ok(json) = Json::read(bytes)
    {
        let value = value_of(source, json.root());
        return Ok(vec![Document { at: value.at, value }]);
    }
    let written = yaml(bytes, YamlManner::Lenient).map_err(|NotYaml { at, reason }| {
        vec![Problem { at: span(source, &at), reason: format!("not YAML: {reason}") }]
    })?;
    let mut reader = Reader { source, tags, anchors: HashMap::new(), repeated: 0, problems: Vec::new() };
    let mut out = Vec::with_capacity(written.len());
    for YamlDocument { begins, root } in written {
        let start = if begins.is_empty() { root.at.start } else { begins.start.min(root.at.start) };
        let at = span(source, &(start..root.at.end.max(begins.end)));
        out.push(Document { at, value: reader.node(root).value });
    }
    if reader.problems.is_empty() { Ok(out) } else { Err(reader.problems) }
}

/// A value, and how much it is once aliases are followed.
#[derive(Debug, Clone)]
struct Sized {
    value: Value,
    count: usize,
    depth: usize,
}

struct Reader<'a> {
    source: SourceId,
    tags: Tags<'a>,
    anchors: HashMap<usize, Sized>,
    repeated: usize,
    problems: Vec<Problem>,
}

impl Reader<'_> {
    fn node(&mut self, node: YamlNode<'_>) -> Sized {
        let YamlNode { at, tag, anchor, kind } = node;
        let bytes = at;
        let at = span(self.source, &bytes);
        let mut read = match kind {
            YamlKind::Alias(target) => return self.alias(target, at),
            YamlKind::Scalar { text, plain } => {
                let what = match &tag {
                    None if plain => self.plain(&text, at),
                    None => What::Text(text.as_ref().into()),
                    Some(tag) => self.tagged_scalar(tag, &text, at),
                };
                Sized { value: Value::new(what, at), count: 1, depth: 1 }
            }
            YamlKind::List(items) => {
                self.collection_tag(tag.as_deref(), "seq");
                let items: Vec<Sized> = items.into_iter().map(|item| self.node(item)).collect();
                let (count, depth) = measure(&items);
                Sized { value: Value::of_list(items.into_iter().map(|item| item.value).collect(), at), count, depth }
            }
            YamlKind::Map(entries) => {
                self.collection_tag(tag.as_deref(), "map");
                self.map(entries, at)
            }
        };
        if let Some(tag) = tag.filter(|tag| !is_core(&tag.name)) {
            let tag_at = span(self.source, &tag.at);
            let whole = span(self.source, &(tag.at.start.min(bytes.start)..bytes.end.max(tag.at.end)));
            match (self.tags)(&tag.name, tag_at, Value { at: whole, ..read.value.clone() }) {
                Some(value) => read = Sized { value, count: read.count + 1, depth: read.depth + 1 },
                None => self.problem(tag_at, format!("the tag `{}` is not known here", escape(tag.name.as_bytes()))),
            }
        }
        if read.depth > DEEPEST {
            self.problem(at, format!("values stand in one another more than {DEEPEST} deep"));
            read = Sized { value: Value::new(What::Null, at), count: 1, depth: 1 };
        }
        if let Some(anchor) = anchor {
            self.anchors.insert(anchor, read.clone());
        }
        read
    }

    fn alias(&mut self, target: Option<usize>, at: Span) -> Sized {
        let nothing = Sized { value: Value::new(What::Null, at), count: 1, depth: 1 };
        let Some(found) = target.and_then(|target| self.anchors.get(&target)).cloned() else {
            let reason = match target {
                None => "an alias of an anchor that does not stand before it",
                Some(_) => "an alias of what it is itself part of",
            };
            self.problem(at, reason);
            return nothing;
        };
        let before = self.repeated;
        self.repeated = before.saturating_add(found.count);
        if self.repeated > MOST_REPEATED {
            // Said once: all that follow are too many as well.
            if before <= MOST_REPEATED {
                self.problem(at, format!("aliases repeat more than {MOST_REPEATED} values"));
            }
            return nothing;
        }
        found
    }

    fn map(&mut self, written: Vec<(YamlNode<'_>, YamlNode<'_>)>, at: Span) -> Sized {
        let mut entries: Vec<Entry> = Vec::with_capacity(written.len());
        let mut merged: Option<(Vec<Value>, Span)> = None;
        let (mut count, mut depth) = (1_usize, 1);
        let mut before_merge = 0;
        for (key, value) in written {
            let key_at = span(self.source, &key.at);
            if is_merge(&key) {
                before_merge = entries.len();
                let several = matches!(value.kind, YamlKind::List(_));
                let found = self.node(value);
                (count, depth) = (count + found.count, depth.max(found.depth));
                let parts = self.merged(found.value, several);
                match &merged {
                    None => merged = Some((parts, key_at)),
                    Some(_) => self.problem(key_at, "the key `<<` stands twice"),
                }
                continue;
            }
            let name = self.name(key, key_at);
            let value = self.node(value);
            (count, depth) = (count + value.count, depth.max(value.depth + 1));
            entries.push(Entry { name, at: key_at, value: value.value });
        }
        self.distinct(&entries);
        if let Some((parts, at)) = merged {
            for part in &parts {
                for entry in part.object().into_iter().flat_map(|object| &object.entries) {
                    match entries.iter().position(|known| known.name == entry.name) {
                        // Readers differ in whether the merge or what stands before it counts.
                        Some(known) if known < before_merge => self.problem(
                            at,
                            format!("`{}` stands before the merge that has it too", escape(entry.name.as_bytes())),
                        ),
                        // What stands there itself counts, and after it what is merged first.
                        Some(_) => {}
                        None => entries.push(entry.clone()),
                    }
                }
            }
        }
        Sized { value: Value::of_entries(entries, at), count, depth }
    }

    /// The objects that a merge key takes in, the one that counts first.
    fn merged(&mut self, found: Value, several: bool) -> Vec<Value> {
        let at = found.at;
        let parts = match found.list() {
            Some(list) if several => list.items.clone(),
            Some(_) | None => vec![found],
        };
        if parts.iter().any(|part| part.object().is_none()) {
            self.problem(at, "`<<` takes an object, or a list of objects");
            return Vec::new();
        }
        parts
    }

    fn distinct(&mut self, entries: &[Entry]) {
        let twice = |at: Span, name: &str| Problem {
            at,
            reason: format!("the key `{}` stands twice", escape(name.as_bytes())),
        };
        if entries.len() <= FEW {
            for (n, entry) in entries.iter().enumerate() {
                if entries.iter().take(n).any(|other| other.name == entry.name) {
                    self.problems.push(twice(entry.at, &entry.name));
                }
            }
            return;
        }
        let mut seen = std::collections::HashSet::with_capacity(entries.len());
        for entry in entries {
            if !seen.insert(&entry.name) {
                self.problems.push(twice(entry.at, &entry.name));
            }
        }
    }

    fn name(&mut self, key: YamlNode<'_>, at: Span) -> std::sync::Arc<str> {
        let plain = match &key {
            YamlNode { at: _, tag: None, anchor: None, kind: YamlKind::Scalar { text, plain } } => {
                // Most keys: no word that could be anything else.
                let word =
                    text.bytes().next().is_some_and(|first| first.is_ascii_alphabetic()) && truth(text).is_none();
                (!*plain || (word && !is_null(text))).then(|| text.as_ref().into())
            }
            YamlNode { .. } => None,
        };
        if let Some(name) = plain {
            return name;
        }
        match self.node(key).value.as_text() {
            Some(name) => name,
            None => {
                self.problem(at, "a key is expected: a text");
                "".into()
            }
        }
    }

    /// What a word without quotes is.
    fn plain(&mut self, text: &str, at: Span) -> What {
        if is_null(text) {
            return What::Null;
        }
        if let Some(truth) = truth(text) {
            return What::Truth(truth);
        }
        match text.as_bytes().first() {
            Some(b'0'..=b'9' | b'-' | b'+' | b'.') => match number(text) {
                Some(number) => What::Number(number),
                None if is_infinite(text) => {
                    self.problem(at, "not a number that could be counted with");
                    What::Null
                }
                None => What::Text(text.into()),
            },
            Some(_) | None => What::Text(text.into()),
        }
    }

    fn tagged_scalar(&mut self, tag: &YamlTag, text: &str, at: Span) -> What {
        let Some(core) = tag.name.strip_prefix(CORE) else { return What::Text(text.into()) };
        let what = match core {
            "str" => Some(What::Text(text.into())),
            "null" => is_null(text).then_some(What::Null),
            "bool" => truth(text).map(What::Truth),
            "int" => number(text).filter(|number| number.integer().is_some()).map(What::Number),
            "float" => number(text).map(What::Number),
            _ => {
                let tag_at = span(self.source, &tag.at);
                self.problem(tag_at, format!("the tag `!!{}` is not known here", escape(core.as_bytes())));
                return What::Null;
            }
        };
        what.unwrap_or_else(|| {
            self.problem(at, format!("this is no `!!{core}`"));
            What::Null
        })
    }

    fn collection_tag(&mut self, tag: Option<&YamlTag>, expected: &str) {
        let Some(tag) = tag else { return };
        let Some(core) = tag.name.strip_prefix(CORE) else { return };
        if core != expected {
            let at = span(self.source, &tag.at);
            self.problem(at, format!("the tag `!!{}` is not known here", escape(core.as_bytes())));
        }
    }

    fn problem(&mut self, at: Span, reason: impl Into<String>) {
        self.problems.push(Problem { at, reason: reason.into() });
    }
}

/// Of a list: how many values it is with all in it, and how deep.
fn measure(items: &[Sized]) -> (usize, usize) {
    let count = items.iter().map(|item| item.count).sum::<usize>();
    (count.saturating_add(1), items.iter().map(|item| item.depth).max().unwrap_or(0) + 1)
}

fn is_merge(key: &YamlNode<'_>) -> bool {
    let YamlNode { at: _, tag, anchor: _, kind } = key;
    match (kind, tag) {
        (YamlKind::Scalar { text, plain: true }, None) => text == "<<",
        (YamlKind::Scalar { .. }, Some(tag)) => tag.name.strip_prefix(CORE) == Some("merge"),
        (YamlKind::Scalar { .. } | YamlKind::List(_) | YamlKind::Map(_) | YamlKind::Alias(_), _) => false,
    }
}

/// Whether a tag says what YAML itself knows, or only that a scalar is a text (`!`).
fn is_core(tag: &str) -> bool {
    tag.starts_with(CORE) || tag == "!"
}

fn is_null(text: &str) -> bool {
    matches!(text, "" | "~" | "null" | "Null" | "NULL")
}

fn truth(text: &str) -> Option<bool> {
    match text {
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => Some(true),
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => Some(false),
        _ => None,
    }
}

fn is_infinite(text: &str) -> bool {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    matches!(unsigned, ".inf" | ".Inf" | ".INF") || matches!(text, ".nan" | ".NaN" | ".NAN")
}

/// A number: decimal, hexadecimal (`0x`), octal (`0o`, `0`) or binary (`0b`), with `_` anywhere between digits.
fn number(text: &str) -> Option<Number> {
    let text = text.replace('_', "");
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, text.get(1..)?),
        b'+' => (false, text.get(1..)?),
        _ => (false, text.as_str()),
    };
    let lower = digits.to_ascii_lowercase();
    let based = [("0x", 16), ("0o", 8), ("0b", 2), ("0", 8)].into_iter().find_map(|(prefix, base)| {
        let rest = lower.strip_prefix(prefix).filter(|rest| !rest.is_empty() && !rest.starts_with(['-', '+']))?;
        i128::from_str_radix(rest, base).ok().map(Number::whole)
    });
    // As the rest of YAML has it: `08` is no octal number, so it is a decimal one; `.5` and `5.` are numbers.
    let decimal = || {
        let (mantissa, exponent) = lower.split_once('e').map_or((lower.as_str(), None), |(m, e)| (m, Some(e)));
        let (whole, after) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        if whole.is_empty() && after.is_empty() {
            return None;
        }
        let whole = if whole.is_empty() { "0" } else { whole };
        let mantissa = if after.is_empty() { whole.to_owned() } else { format!("{whole}.{after}") };
        Number::parse(&exponent.map_or_else(|| mantissa.clone(), |exponent| format!("{mantissa}e{exponent}")))
    };
    let number = based.or_else(decimal)?;
    if negative { number.negative() } else { Some(number) }
}

fn span(source: SourceId, at: &Range<usize>) -> Span {
    let narrow = |n| u32::try_from(n).expect("sources are smaller than 4 GiB");
    Span { source, start: narrow(at.start), end: narrow(at.end) }
}

#[cfg(test)]
mod tests {
    use super::{Document, Problem, documents, no_tags};
    use crate::formats::data::value::{Entry, Value, What};
    use crate::text::{SourceMap, Span};

    fn read(text: &str) -> Result<String, String> {
        let mut sources = SourceMap::default();
        let source = sources.add(b"a.yaml", text.as_bytes().to_vec()).expect("small");
        let tags = |tag: &str, at: Span, value: Value| {
            let name = tag.strip_prefix('!').filter(|name| *name == "Ref")?;
            let whole = value.at;
            Some(Value::of_entries(vec![Entry { name: name.into(), at, value }], whole))
        };
        match documents(source, text.as_bytes(), &tags) {
            Ok(found) => {
                let shown = found.iter().map(|Document { at: _, value }| show(value));
                Ok(shown.collect::<Vec<_>>().join(" | "))
            }
            Err(problems) => {
                let one = |Problem { at, reason }: &Problem| format!("{}..{} {reason}", at.start, at.end);
                Err(problems.iter().map(one).collect::<Vec<_>>().join("; "))
            }
        }
    }

    fn show(value: &Value) -> String {
        match &value.what {
            What::Null => "null".to_owned(),
            What::Truth(truth) => truth.to_string(),
            What::Number(number) => number.to_string(),
            What::Text(text) => format!("'{text}'"),
            What::List(list) => format!("[{}]", list.items.iter().map(show).collect::<Vec<_>>().join(", ")),
            What::Object(object) => {
                let one = |Entry { name, at: _, value }: &Entry| format!("{name}: {}", show(value));
                format!("{{{}}}", object.entries.iter().map(one).collect::<Vec<_>>().join(", "))
            }
            What::Unknown(_) => "unknown".to_owned(),
        }
    }

    fn read_as(text: &str, expected: &str) {
        assert_eq!(read(text).as_deref(), Ok(expected), "{text}");
    }

    fn refused(text: &str, expected: &str) {
        assert_eq!(read(text).expect_err(text), expected, "{text}");
    }

    #[test]
    fn words_are_what_kubernetes_reads_them_as() {
        read_as("[yes, On, n, 'yes', True, nope]", "[true, true, false, 'yes', true, 'nope']");
        read_as("[~, null, '', nul]", "[null, null, '', 'nul']");
        read_as("[80, 0x16, 026, 0o26, 0b11, 1_000, 08, -5, +5]", "[80, 22, 22, 22, 3, 1000, 8, -5, 5]");
        read_as("[1.50, .5, 5., 1e3, -1.5e-1]", "[1.5, 0.5, 5, 1000, -0.15]");
        read_as(
            "[10.0.0.0/8, 22:22, 2001-01-01, 1.2.3, '80', e5]",
            "['10.0.0.0/8', '22:22', '2001-01-01', '1.2.3', '80', 'e5']",
        );
        read_as("{80: a, yes: b, 'no': c}", "{80: 'a', true: 'b', no: 'c'}");
        refused("a: .inf", "3..7 not a number that could be counted with");
    }

    #[test]
    fn a_text_may_hold_several_documents_and_be_json() {
        read_as("# first\n---\na: 1\n---\n# nothing\n---\nb: 2\n", "{a: 1} | null | {b: 2}");
        read_as("# nothing\n", "");
        read_as("{\"a\": [1, true, null, \"yes\"]}", "{a: [1, true, null, 'yes']}");
        read_as("{a: [1, yes]}", "{a: [1, true]}");
    }

    #[test]
    fn anchors_and_merges_are_followed() {
        read_as("a: &x [1, 2]\nb: *x", "{a: [1, 2], b: [1, 2]}");
        read_as("a: &x {p: 1, q: 2}\nb: {<<: *x, q: 3}", "{a: {p: 1, q: 2}, b: {q: 3, p: 1}}");
        read_as(
            "a: &x {p: 1}\nb: &y {p: 2, r: 3}\nc:\n  <<: [*x, *y]\n  s: 4",
            "{a: {p: 1}, b: {p: 2, r: 3}, c: {s: 4, p: 1, r: 3}}",
        );
        refused("a: &x {p: 1}\nb: {p: 2, <<: *x}", "23..25 `p` stands before the merge that has it too");
        refused("a: {<<: 5}", "8..9 `<<` takes an object, or a list of objects");
        refused("a: *x", "3..5 an alias of an anchor that does not stand before it");
        refused("a: &x [*x]", "7..9 an alias of what it is itself part of");
    }

    #[test]
    fn a_text_that_grows_without_bound_is_refused() {
        let mut text = "l0: &l0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for n in 1..20 {
            let items = vec![format!("*l{}", n - 1); 10].join(", ");
            text += &format!("l{n}: &l{n} [{items}]\n");
        }
        assert!(read(&text).expect_err("too much").contains("aliases repeat more than 100000 values"));
        let mut text = "l0: &l0 [x]\n".to_owned();
        for n in 1..400 {
            text += &format!("l{n}: &l{n} [*l{}]\n", n - 1);
        }
        assert!(read(&text).expect_err("too deep").contains("values stand in one another more than 128 deep"));
        assert!(read(&"[".repeat(100_000)).is_err());
        assert!(read(&"- ".repeat(100_000)).is_err());
    }

    #[test]
    fn tags_are_objects_of_the_language_or_refused() {
        read_as("a: !Ref yes", "{a: {Ref: 'yes'}}");
        read_as("a: !Ref [b, 5]", "{a: {Ref: ['b', 5]}}");
        read_as("[!!str 5, !!int '5', !!bool yes, ! 5, !!null ~]", "['5', 5, true, '5', null]");
        refused("a: !Sub b", "3..7 the tag `!Sub` is not known here");
        refused("a: !!binary b", "3..11 the tag `!!binary` is not known here");
        refused("a: !!int b", "9..10 this is no `!!int`");
        refused("a: !!map [b]", "3..8 the tag `!!map` is not known here");
        let mut sources = SourceMap::default();
        let source = sources.add(b"a.yaml", Vec::new()).expect("small");
        assert!(documents(source, b"a: !Ref b", &no_tags).is_err());
    }

    #[test]
    fn what_could_mean_two_things_is_refused() {
        refused("a: 1\nb: 2\na: 3", "10..11 the key `a` stands twice");
        refused("{yes: 1, true: 2}", "9..13 the key `true` stands twice");
        refused("{\"a\": 1, \"a\": 2}", "9..12 the key `a` stands twice");
        refused("[a, b]: c", "0..6 a key is expected: a text");
        assert!(read("a: [").is_err());
        assert!(read("a: b: c").is_err());
    }

    #[test]
    fn values_know_where_they_stand() {
        let text = "---\na:\n  - b: 1\n    c: 'two'\n";
        let mut sources = SourceMap::default();
        let source = sources.add(b"a.yaml", text.as_bytes().to_vec()).expect("small");
        let found = documents(source, text.as_bytes(), &no_tags).expect("YAML");
        let at = |span: Span| text.get(span.start as usize..span.end as usize).expect("within");
        let [Document { at: whole, value }] = &*found else { unreachable!("one document") };
        assert_eq!(at(*whole), text.trim_end());
        let entry = value.object().and_then(|object| object.entry("a")).expect("there");
        assert_eq!((at(entry.at), at(entry.value.at)), ("a", "- b: 1\n    c: 'two'"));
    }
}
