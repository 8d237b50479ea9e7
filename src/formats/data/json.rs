use std::ops::Range;

/// How deep lists and objects may stand in one another.
const DEEPEST: u32 = 128;
/// From so many keys on, an object is searched for a key that stands twice by sorting.
const FEW: usize = 16;

/// A JSON text (RFC 8259) that has been read as a whole.
#[derive(Debug)]
pub(in crate::formats) struct Json<'t> {
    text: &'t str,
    /// Every value and key, each before what is in it.
    parts: Vec<Part>,
    /// The texts that are written with escapes, by their parts, without them.
    unescaped: Vec<(u32, String)>,
}

/// Why a text is not JSON, or not JSON that has one meaning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::formats) struct Refused {
    /// The bytes it is about.
    pub(in crate::formats) at: Range<usize>,
    /// One sentence part.
    pub(in crate::formats) reason: String,
}

#[derive(Debug, Clone, Copy)]
struct Part {
    kind: Kind,
    start: u32,
    end: u32,
    /// The part after it and all that is in it.
    next: u32,
}

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::formats) enum Kind {
    /// `null`
    Null,
    /// `true` or `false`
    Truth,
    /// A number.
    Number,
    /// A text between quotes.
    Text,
    /// `[…]`
    List,
    /// `{…}`
    Object,
}

/// A value and where it stands.
#[derive(Clone, Copy)]
pub(in crate::formats) struct Node<'j> {
    json: &'j Json<'j>,
    part: u32,
}

impl<'t> Json<'t> {
    /// Reads a text.
    ///
    /// # Errors
    /// The first byte at which it is not JSON, or a key that stands twice in one object.
    pub(in crate::formats) fn read(bytes: &'t [u8]) -> Result<Self, Refused> {
        let text = std::str::from_utf8(bytes).map_err(|error| {
            let at = error.valid_up_to();
            let end = error.error_len().map_or(bytes.len(), |length| at + length);
            Refused { at: at..end, reason: "not UTF-8, which JSON has to be".to_owned() }
        })?;
        let parts = Vec::with_capacity(bytes.len() / 12);
        let mut reader = Reader { json: Self { text, parts, unescaped: Vec::new() }, bytes, at: 0, keys: Vec::new() };
        if text.starts_with('\u{feff}') {
            return Err(reader.refuse(0..3, "a byte order mark, which JSON must not have"));
        }
        reader.blank();
        reader.value(0)?;
        reader.blank();
        if reader.at < bytes.len() {
            return Err(reader.refuse_here("the text goes on after its end"));
        }
        let Reader { json, bytes: _, at: _, keys: _ } = reader;
        Ok(json)
    }

    /// The text that a part is, without quotes and escapes.
    fn plain(&self, part: u32) -> &str {
        if let Ok(n) = self.unescaped.binary_search_by_key(&part, |(escaped, _)| *escaped) {
            return &self.unescaped[n].1;
        }
        let Part { kind: _, start, end, next: _ } = *self.part(part);
        &self.text[start as usize + 1..end as usize - 1]
    }

    fn part(&self, part: u32) -> &Part {
        self.parts.get(part as usize).expect("nodes are made of parts that are there")
    }

    /// The outermost value.
    pub(in crate::formats) const fn root(&self) -> Node<'_> {
        Node { json: self, part: 0 }
    }
}

impl<'j> Node<'j> {
    /// What it is.
    pub(in crate::formats) fn kind(self) -> Kind {
        self.part().kind
    }

    /// Its first byte, and the one after its last.
    pub(in crate::formats) fn place(self) -> (u32, u32) {
        let Part { kind: _, start, end, next: _ } = *self.part();
        (start, end)
    }

    /// As it is written.
    pub(in crate::formats) fn written(self) -> &'j str {
        {
            let (start, end) = self.place();
            &self.json.text[start as usize..end as usize]
        }
    }

    /// The text that it is, without quotes and escapes.
    pub(in crate::formats) fn text(self) -> Option<&'j str> {
        (self.kind() == Kind::Text).then(|| self.json.plain(self.part))
    }

    /// The whole number from 0 on that it is: written so, without fraction and exponent.
    pub(in crate::formats) fn natural(self) -> Option<u64> {
        (self.kind() == Kind::Number).then(|| self.written().parse().ok()).flatten()
    }

    /// The whole number that it is.
    pub(in crate::formats) fn integer(self) -> Option<i64> {
        (self.kind() == Kind::Number).then(|| self.written().parse().ok()).flatten()
    }

    /// The truth that it is.
    pub(in crate::formats) fn truth(self) -> Option<bool> {
        (self.kind() == Kind::Truth).then(|| self.written() == "true")
    }

    /// Its values, if it is a list.
    pub(in crate::formats) fn list(self) -> Option<Values<'j>> {
        let inside = Values { json: self.json, at: self.part + 1, end: self.part().next };
        (self.kind() == Kind::List).then_some(inside)
    }

    /// Its keys and values, if it is an object.
    pub(in crate::formats) fn object(self) -> Option<Object<'j>> {
        if self.kind() != Kind::Object {
            return None;
        }
        let mut parts = Values { json: self.json, at: self.part + 1, end: self.part().next };
        let mut entries = Vec::new();
        while let (Some(key), Some(value)) = (parts.next(), parts.next()) {
            entries.push(Entry { name: self.json.plain(key.part), key, value });
        }
        Some(Object { at: self, entries })
    }

    /// The only key of an object and its value.
    pub(in crate::formats) fn only(self) -> Option<(&'j str, Self)> {
        if self.kind() != Kind::Object {
            return None;
        }
        let mut parts = Values { json: self.json, at: self.part + 1, end: self.part().next };
        match (parts.next(), parts.next(), parts.next()) {
            (Some(key), Some(value), None) => Some((self.json.plain(key.part), value)),
            _ => None,
        }
    }

    /// The values of the two keys of an object that has no other.
    pub(in crate::formats) fn both(self, first: &str, second: &str) -> Option<[Self; 2]> {
        if self.kind() != Kind::Object {
            return None;
        }
        let mut parts = Values { json: self.json, at: self.part + 1, end: self.part().next };
        let (a, b) = ((parts.next()?, parts.next()?), (parts.next()?, parts.next()?));
        let named = |key: Self, name: &str| self.json.plain(key.part) == name;
        match parts.next() {
            None if named(a.0, first) && named(b.0, second) => Some([a.1, b.1]),
            None if named(a.0, second) && named(b.0, first) => Some([b.1, a.1]),
            Some(_) | None => None,
        }
    }

    fn part(self) -> &'j Part {
        self.json.part(self.part)
    }
}

impl std::fmt::Debug for Node<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.written())
    }
}

/// The values of a list, in order.
#[derive(Debug, Clone, Copy)]
pub(in crate::formats) struct Values<'j> {
    json: &'j Json<'j>,
    at: u32,
    end: u32,
}

impl<'j> Iterator for Values<'j> {
    type Item = Node<'j>;

    fn next(&mut self) -> Option<Node<'j>> {
        if self.at >= self.end {
            return None;
        }
        let node = Node { json: self.json, part: self.at };
        self.at = node.part().next;
        Some(node)
    }
}

/// An object that is being emptied: take what has a meaning, name what is inert, then close it to see what is left.
#[derive(Debug)]
pub(in crate::formats) struct Object<'j> {
    /// The object.
    pub(in crate::formats) at: Node<'j>,
    entries: Vec<Entry<'j>>,
}

/// A key and its value.
#[derive(Debug, Clone)]
pub(in crate::formats) struct Entry<'j> {
    /// The key, without quotes and escapes.
    pub(in crate::formats) name: &'j str,
    /// Where the key stands.
    pub(in crate::formats) key: Node<'j>,
    /// The value.
    pub(in crate::formats) value: Node<'j>,
}

impl<'j> Object<'j> {
    /// Takes the value of a key out.
    pub(in crate::formats) fn take(&mut self, key: &str) -> Option<Node<'j>> {
        self.take_entry(key).map(|entry| entry.value)
    }

    /// Takes a key and its value out.
    pub(in crate::formats) fn take_entry(&mut self, key: &str) -> Option<Entry<'j>> {
        let n = self.entries.iter().position(|entry| entry.name == key)?;
        Some(self.entries.remove(n))
    }

    /// What nobody took, in the order in which it stands.
    pub(in crate::formats) fn close(self) -> Vec<Entry<'j>> {
        self.entries
    }
}

struct Reader<'t> {
    json: Json<'t>,
    bytes: &'t [u8],
    at: usize,
    /// The keys of the objects that are open, as parts.
    keys: Vec<u32>,
}

impl Reader<'_> {
    fn value(&mut self, depth: u32) -> Result<(), Refused> {
        match self.peek() {
            Some(b'"') => self.string().map(|_| ()),
            Some(b'{') => self.object(depth),
            Some(b'[') => self.list(depth),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b'n') => self.word("null", Kind::Null),
            Some(b't') => self.word("true", Kind::Truth),
            Some(b'f') => self.word("false", Kind::Truth),
            Some(_) | None => Err(self.refuse_here("a value is expected")),
        }
    }

    fn object(&mut self, depth: u32) -> Result<(), Refused> {
        let part = self.open(Kind::Object, depth)?;
        let first_key = self.keys.len();
        self.blank();
        while self.peek() != Some(b'}') {
            if self.peek() != Some(b'"') {
                return Err(self.refuse_here("a key between quotes is expected"));
            }
            let key = self.string()?;
            self.keys.push(key);
            self.blank();
            self.expect(b':', "`:` is expected after a key")?;
            self.blank();
            self.value(depth + 1)?;
            self.separator(b'}', "`,` or `}` is expected")?;
        }
        self.no_key_twice(first_key)?;
        self.keys.truncate(first_key);
        self.close(part);
        Ok(())
    }

    fn list(&mut self, depth: u32) -> Result<(), Refused> {
        let part = self.open(Kind::List, depth)?;
        self.blank();
        while self.peek() != Some(b']') {
            self.value(depth + 1)?;
            self.separator(b']', "`,` or `]` is expected")?;
        }
        self.close(part);
        Ok(())
    }

    /// After a value: a comma and another one, or the end.
    fn separator(&mut self, end: u8, reason: &str) -> Result<(), Refused> {
        self.blank();
        if self.peek() == Some(end) {
            return Ok(());
        }
        self.expect(b',', reason)?;
        self.blank();
        if self.peek() == Some(end) { Err(self.refuse_here("a comma before the end")) } else { Ok(()) }
    }

    fn open(&mut self, kind: Kind, depth: u32) -> Result<usize, Refused> {
        if depth >= DEEPEST {
            return Err(self.refuse_here(format!("more than {DEEPEST} lists and objects in one another")));
        }
        self.json.parts.push(Part { kind, start: narrow(self.at), end: 0, next: 0 });
        self.at += 1;
        Ok(self.json.parts.len() - 1)
    }

    fn close(&mut self, part: usize) {
        self.at += 1;
        let next = narrow(self.json.parts.len());
        let part = self.json.parts.get_mut(part).expect("it has been opened");
        part.end = narrow(self.at);
        part.next = next;
    }

    fn leaf(&mut self, kind: Kind, start: usize) -> u32 {
        let part = narrow(self.json.parts.len());
        self.json.parts.push(Part { kind, start: narrow(start), end: narrow(self.at), next: part + 1 });
        part
    }

    fn string(&mut self) -> Result<u32, Refused> {
        let start = self.at;
        // Without escapes up to here.
        let (mut plain, mut done) = (None::<String>, start + 1);
        self.at += 1;
        loop {
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => {
                    let Some((c, length)) = self.bytes.get(self.at..).and_then(escape) else {
                        return Err(self.refuse_here("an escape that JSON does not know"));
                    };
                    if c == '\0' {
                        return Err(self.refuse(self.at..self.at + length, "a NUL character"));
                    }
                    let plain = plain.get_or_insert_default();
                    plain.push_str(&self.json.text[done..self.at]);
                    plain.push(c);
                    self.at += length;
                    done = self.at;
                }
                Some(0..0x20) => return Err(self.refuse_here("a control character in a text, which must be escaped")),
                Some(_) => self.at += 1,
                None => return Err(self.refuse(start..self.at, "a text without its closing quote")),
            }
        }
        let end = self.at;
        self.at += 1;
        let part = self.leaf(Kind::Text, start);
        if let Some(mut plain) = plain {
            plain.push_str(&self.json.text[done..end]);
            self.json.unescaped.push((part, plain));
        }
        Ok(part)
    }

    fn number(&mut self) -> Result<(), Refused> {
        let start = self.at;
        self.at += usize::from(self.peek() == Some(b'-'));
        let first = self.at;
        let whole = self.digits();
        let mut right = whole == 1 || whole > 1 && self.bytes.get(first) != Some(&b'0');
        if self.peek() == Some(b'.') {
            self.at += 1;
            right &= self.digits() > 0;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            self.at += usize::from(matches!(self.peek(), Some(b'+' | b'-')));
            right &= self.digits() > 0;
        }
        if !right {
            return Err(self.refuse(start..self.at, "not a number as JSON writes it"));
        }
        self.leaf(Kind::Number, start);
        Ok(())
    }

    fn digits(&mut self) -> usize {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let count = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.at += count;
        count
    }

    fn word(&mut self, word: &str, kind: Kind) -> Result<(), Refused> {
        let start = self.at;
        if !self.bytes.get(start..).is_some_and(|rest| rest.starts_with(word.as_bytes())) {
            return Err(self.refuse_here("a value is expected"));
        }
        self.at += word.len();
        self.leaf(kind, start);
        Ok(())
    }

    fn no_key_twice(&self, first_key: usize) -> Result<(), Refused> {
        let keys = self.keys.get(first_key..).unwrap_or_default();
        let twice = if keys.len() > FEW {
            let mut names: Vec<(&str, u32)> = keys.iter().map(|key| (self.json.plain(*key), *key)).collect();
            names.sort_unstable();
            let mut pairs = names.windows(2).filter(|pair| pair[0].0 == pair[1].0);
            pairs.next().map(|pair| pair[1].1)
        } else {
            let before = |n: usize| keys.iter().take(n);
            let again = |(n, key): &(usize, &u32)| before(*n).any(|o| self.json.plain(*o) == self.json.plain(**key));
            keys.iter().enumerate().find(again).map(|(_, key)| *key)
        };
        let Some(key) = twice else { return Ok(()) };
        let Part { kind: _, start, end, next: _ } = *self.json.part(key);
        Err(self.refuse(start as usize..end as usize, "the key stands twice in one object"))
    }

    fn expect(&mut self, byte: u8, reason: &str) -> Result<(), Refused> {
        if self.peek() != Some(byte) {
            return Err(self.refuse_here(reason));
        }
        self.at += 1;
        Ok(())
    }

    fn blank(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn refuse_here(&self, reason: impl Into<String>) -> Refused {
        if self.at >= self.bytes.len() {
            return self.refuse(self.at..self.at, format!("the text ends too early: {}", reason.into()));
        }
        let width = self.json.text.get(self.at..).and_then(|rest| rest.chars().next()).map_or(1, char::len_utf8);
        self.refuse(self.at..self.at + width, reason)
    }

    #[expect(clippy::unused_self, reason = "reads as the others do")]
    fn refuse(&self, at: Range<usize>, reason: impl Into<String>) -> Refused {
        Refused { at, reason: reason.into() }
    }
}

/// The character that an escape at the start of `bytes` stands for, and its length.
fn escape(bytes: &[u8]) -> Option<(char, usize)> {
    let c = match bytes.get(1)? {
        b'"' => '"',
        b'\\' => '\\',
        b'/' => '/',
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'u' => return unicode(bytes),
        _ => return None,
    };
    Some((c, 2))
}

fn unicode(bytes: &[u8]) -> Option<(char, usize)> {
    let high = hex(bytes.get(2..6)?)?;
    if !(0xd800..0xdc00).contains(&high) {
        return Some((char::from_u32(high)?, 6));
    }
    let low = bytes.get(6..8).filter(|sign| *sign == b"\\u").and_then(|_| hex(bytes.get(8..12)?))?;
    let low = low.checked_sub(0xdc00).filter(|low| *low < 0x400)?;
    Some((char::from_u32(0x1_0000 + ((high - 0xd800) << 10) + low)?, 12))
}

fn hex(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0, |value, digit| Some(value * 16 + char::from(*digit).to_digit(16)?))
}

fn narrow(n: usize) -> u32 {
    u32::try_from(n).expect("sources are smaller than 4 GiB")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        let Refused { at, reason } = Json::read(text.as_bytes()).expect_err("not JSON");
        format!("{}..{} {reason}", at.start, at.end)
    }

    #[test]
    fn values_know_where_they_stand() {
        let text = r#" {"a": [1, -2.5e3, true, null], "b\u0022": "x\ny", "c": {}} "#;
        let json = Json::read(text.as_bytes()).expect("JSON");
        let mut object = json.root().object().expect("an object");
        let list: Vec<Node<'_>> = object.take("a").and_then(Node::list).expect("a list").collect();
        assert_eq!(format!("{list:?}"), "[1, -2.5e3, true, null]");
        assert_eq!((list[0].natural(), list[1].integer(), list[2].truth()), (Some(1), None, Some(true)));
        assert_eq!(list[1].place(), (11, 17));
        assert_eq!(object.take("b\"").and_then(Node::text), Some("x\ny"));
        let left = object.close();
        assert_eq!((left.len(), left[0].name, left[0].value.kind()), (1, "c", Kind::Object));
    }

    #[test]
    fn what_is_not_json_is_refused_where_it_ends_to_be() {
        assert_eq!(refused(""), "0..0 the text ends too early: a value is expected");
        assert_eq!(refused("{\"a\": 1,}"), "8..9 a comma before the end");
        assert_eq!(refused("[1 2]"), "3..4 `,` or `]` is expected");
        assert_eq!(refused("[01]"), "1..3 not a number as JSON writes it");
        assert_eq!(refused("[1.]"), "1..3 not a number as JSON writes it");
        assert_eq!(refused("[\"a"), "1..3 a text without its closing quote");
        assert_eq!(refused("[\"\u{1}\"]"), "2..3 a control character in a text, which must be escaped");
        assert_eq!(refused(r#"["\ud800"]"#), "2..3 an escape that JSON does not know");
        assert_eq!(refused(r#"["\u0000"]"#), "2..8 a NUL character");
        assert_eq!(refused("nul"), "0..1 a value is expected");
        assert_eq!(refused("1 1"), "2..3 the text goes on after its end");
        assert_eq!(refused("\u{feff}1"), "0..3 a byte order mark, which JSON must not have");
        assert_eq!(refused(r#"{"a": 1, "b": {"a": 2}, "\u0061": 3}"#), "24..32 the key stands twice in one object");
        let deep = "[".repeat(200);
        assert_eq!(refused(&deep), "128..129 more than 128 lists and objects in one another");
        let many: Vec<String> = (0..40).map(|n| format!("\"k{}\": 0", n % 39)).collect();
        assert_eq!(refused(&format!("{{{}}}", many.join(", "))), "381..385 the key stands twice in one object");
        let utf8 = Json::read(b"\"\xff\"").expect_err("not UTF-8");
        assert_eq!((utf8.at, utf8.reason.as_str()), (1..2, "not UTF-8, which JSON has to be"));
    }

    #[test]
    fn agrees_with_another_reader_on_what_is_json() {
        for text in [
            "0",
            "-0",
            "1e5",
            "-",
            "+1",
            ".5",
            "[]",
            "[,]",
            "{}",
            "{1: 2}",
            "{\"a\" 1}",
            "\"\\x\"",
            "tru",
            "[[]",
            "\"\t\"",
            "\"\\ud83d\\ude00\"",
            "{\"a\":1}x",
        ] {
            let other = serde_json::from_str::<serde_json::Value>(text).is_ok();
            assert_eq!(Json::read(text.as_bytes()).is_ok(), other, "{text}");
        }
    }
}
