use super::{Reader, escape};
use crate::formats::data::{Kind as Value, Node};
use crate::formats::nftables::syntax::{
    CtDirection, CtKey, Element, ElementOption, Elements, Expression, ExtensionField, FibFlag, FibResult, Field, Form,
    Header, IpOptionField, IpsecKey, Jump, Kind, MetaKey, Plain, RtKey, SctpField, SocketKey, Statement,
    TcpOptionField, Verdict,
};
use std::net::{Ipv4Addr, Ipv6Addr};

/// What an element may carry besides.
const ELEMENT_STATEMENTS: &[&str] = &["counter", "limit", "quota", "ct count", "last"];

impl<'j> Reader<'j, '_> {
    /// An expression. One that is not understood has a gap, and stands as its text.
    pub(super) fn expression(&mut self, node: Node<'j>) -> Expression<'j> {
        let at = self.span(node);
        let kind = match node.kind() {
            Value::Text => self.word(node),
            Value::Number => self.digits(node).map(Kind::Word),
            Value::Truth => node.truth().map(Kind::Exists),
            Value::List => {
                let items = node.list().into_iter().flatten();
                Some(Kind::List(items.map(|item| self.expression(item)).collect()))
            }
            Value::Object => match node.only() {
                Some((key, value)) => self.kind(key, value),
                None => {
                    self.gap(node, "an expression is expected: an object with one key");
                    None
                }
            },
            Value::Null => {
                self.gap(node, "an expression is expected");
                None
            }
        };
        Expression { at, kind: kind.unwrap_or_else(|| Kind::Other(node.written().as_bytes().into())) }
    }

    /// `"@name"` is a set, `"*"` everything, and any other text a word.
    fn word(&mut self, node: Node<'j>) -> Option<Kind<'j>> {
        let text = self.text(node)?;
        if text == "*" {
            return Some(Kind::Wildcard);
        }
        match text.strip_prefix('@') {
            Some(name) => {
                let at = self.span(node);
                Some(Kind::SetReference(crate::formats::nftables::syntax::Name { text: name.as_bytes().into(), at }))
            }
            None => Some(Kind::Word(text.as_bytes().into())),
        }
    }

    fn kind(&mut self, key: &'j str, value: Node<'j>) -> Option<Kind<'j>> {
        if let Some(operator) = Self::operator(key) {
            let mut parts = value.list().into_iter().flatten().map(|part| self.expression(part));
            let (first, second) = (parts.next(), parts.next());
            let (Some(first), Some(second)) = (first, second) else {
                drop(parts);
                self.gap(value, "two or more expressions are expected");
                return None;
            };
            let both = Kind::Binary(operator, Box::new(first), Box::new(second));
            let parts: Vec<Expression<'j>> = parts.collect();
            let at = self.span(value);
            // Newer versions of nft write `a | b | c` as one list.
            let join = |left, right| Kind::Binary(operator, Box::new(Expression { at, kind: left }), Box::new(right));
            return Some(parts.into_iter().fold(both, join));
        }
        if let Some(verdict) = self.verdict(key, value) {
            return verdict.map(Kind::Verdict);
        }
        match key {
            "concat" => self.concatenation(value),
            "set" => Some(Kind::Set(Box::new(self.elements(value)))),
            "map" => {
                let [key, data] = self.two_boxed(value, "key", "data")?;
                Some(Kind::Map(key, data))
            }
            "prefix" => {
                let [address, length] = self.two_boxed(value, "addr", "len")?;
                Some(Kind::Prefix(address, length))
            }
            "range" => self.range(value),
            "elem" => {
                self.gap(value, "an element is not expected here");
                None
            }
            "payload" => self.payload(value),
            "exthdr" => self.extension(value),
            "tcp option" => self.tcp_option(value),
            "ip option" => self.ip_option(value),
            "sctp chunk" => self.sctp_chunk(value),
            "dccp option" => {
                let mut object = self.object(value)?;
                let option = self.required(&mut object, "type");
                self.close(object);
                self.narrow(option?).map(Kind::DccpOption)
            }
            "meta" => {
                let mut object = self.object(value)?;
                let key = self.required(&mut object, "key");
                self.close(object);
                self.keyword(key?, MetaKey::find).map(Kind::Meta)
            }
            "ct" => self.ct(value),
            "rt" => self.rt(value),
            "socket" => {
                let mut object = self.object(value)?;
                let key = self.required(&mut object, "key");
                let level = object.take("level").and_then(|level| self.narrow(level));
                self.close(object);
                Some(Kind::Socket(self.keyword(key?, SocketKey::from_keyword)?, level))
            }
            "osf" => self.osf(value),
            "fib" => self.fib(value),
            "numgen" => self.numgen(value),
            "jhash" => self.jhash(value),
            "symhash" => {
                let mut object = self.object(value)?;
                let modulus = self.required(&mut object, "mod").and_then(|modulus| self.natural(modulus));
                let offset = self.offset(&mut object);
                self.close(object);
                Some(Kind::Symhash { modulus: modulus?, offset })
            }
            "ipsec" => self.ipsec(value),
            _ => {
                self.gap(value, format!("the expression `{}` is not known", escape(key)));
                None
            }
        }
    }

    /// `None`: it is no verdict. `Some(None)`: it is one, and wrong.
    pub(super) fn verdict(&mut self, key: &str, value: Node<'j>) -> Option<Option<Verdict<'j>>> {
        let plain = match key {
            "accept" => Verdict::Accept,
            "drop" => Verdict::Drop,
            "continue" => Verdict::Continue,
            "return" => Verdict::Return,
            "jump" | "goto" => return Some(self.jump(key, value)),
            _ => return None,
        };
        if value.kind() != Value::Null {
            self.gap(value, "`null` is expected");
        }
        Some(Some(plain))
    }

    fn jump(&mut self, key: &str, value: Node<'j>) -> Option<Verdict<'j>> {
        let mut object = self.object(value)?;
        let target = self.required(&mut object, "target");
        self.close(object);
        let target = Jump::Chain(self.name(target?)?);
        Some(if key == "jump" { Verdict::Jump(target) } else { Verdict::Goto(target) })
    }

    fn concatenation(&mut self, node: Node<'j>) -> Option<Kind<'j>> {
        let parts: Vec<_> = node.list().into_iter().flatten().map(|part| self.expression(part)).collect();
        if parts.len() < 2 {
            self.gap(node, "two or more expressions are expected");
            return None;
        }
        Some(Kind::Concatenation(parts))
    }

    fn two_boxed(&mut self, node: Node<'j>, first: &str, second: &str) -> Option<[Box<Expression<'j>>; 2]> {
        self.two(node, first, second).map(|pair| pair.map(Box::new))
    }

    fn range(&mut self, node: Node<'j>) -> Option<Kind<'j>> {
        let [first, last] = pair(node).or_else(|| {
            self.gap(node, "two expressions are expected");
            None
        })?;
        Some(Kind::Range(Box::new(self.expression(first)), Box::new(self.expression(last))))
    }

    fn payload(&mut self, node: Node<'j>) -> Option<Kind<'j>> {
        let mut object = self.object(node)?;
        let kind = if let Some(base) = object.take("base") {
            let mut number = |key| self.required(&mut object, key).and_then(|number| self.narrow(number));
            let (offset, length) = (number("offset"), number("len"));
            let base = self.text(base)?.as_bytes().into();
            Kind::RawPayload { base, offset: offset?, length: length? }
        } else {
            let header = self.required(&mut object, "protocol");
            let name = self.required(&mut object, "field");
            let header = self.keyword(header?, Header::from_keyword)?;
            Kind::Payload(self.keyword(name?, |name| Field::find(header, name))?)
        };
        let tunnel = object.take("tunnel");
        self.close(object);
        let Some(tunnel) = tunnel else { return Some(kind) };
        let header = self.keyword(tunnel, |word| {
            ["vxlan", "geneve", "gre", "gretap"].into_iter().find(|known| known.as_bytes() == word)
        })?;
        let at = self.span(node);
        Some(Kind::Inner(header, Box::new(Expression { at, kind })))
    }

    fn extension(&mut self, node: Node<'j>) -> Option<Kind<'j>> {
        let mut object = self.object(node)?;
        let header = self.required(&mut object, "name");
        let name = object.take("field");
        let index = object.take("offset").and_then(|index| self.narrow(index));
        self.close(object);
        let header = self.text(header?)?;
        match name {
            Some(name) => {
                let field = self.keyword(name, |name| ExtensionField::find(header.as_bytes(), name))?;
                Some(Kind::Extension(field, index))
            }
            None => Some(Kind::ExtensionHeader(header.as_bytes().into())),
        }
    }

    fn tcp_option(&mut self, node: Node<'j>) -> Option<Kind<'j>> {
        let mut object = self.object(node)?;
        if let Some(option) = object.take("base") {
            let mut number = |key| self.required(&mut object, key).and_then(|number| self.narrow(number));
            let (offset, length) = (number("offset"), number("len"));
            self.close(object);
            return Some(Kind::RawTcpOption { option: self.narrow(option)?, offset: offset?, length: length? });
        }
        let option = self.required(&mut object, "name");
        let name = object.take("field");
        self.close(object);
        let option = self.text(option?)?.as_bytes().into();
        let field = match name {
            Some(name) => Some(self.keyword(name, TcpOptionField::from_keyword)?),
            None => None,
        };
        Some(Kind::TcpOption { option, field })
    }

    fn ip_option(&mut self, node: Node<'j>) -> Option<Kind<'j>> {
        let mut object = self.object(node)?;
        let option = self.required(&mut object, "name");
        let name = object.take("field");
        self.close(object);
        let option = self.text(option?)?.as_bytes().into();
        let field = match name {
            Some(name) => Some(self.keyword(name, IpOptionField::from_keyword)?),
            None => None,
        };
        Some(Kind::IpOption { option, field })
    }

    fn sctp_chunk(&mut self, node: Node<'j>) -> Option<Kind<'j>> {
        let mut object = self.object(node)?;
        let chunk = self.required(&mut object, "name");
        let name = object.take("field");
        self.close(object);
        let chunk = self.text(chunk?)?.as_bytes().into();
        let field = match name {
            Some(name) => Some(self.keyword(name, SctpField::from_keyword)?),
            None => None,
        };
        Some(Kind::SctpChunk { chunk, field })
    }

    /// A keyword that may have a family before it, which is a key of its own here.
    fn with_family<T>(
        &mut self,
        key: Node<'j>,
        family: Option<Node<'j>>,
        find: impl FnOnce(&[u8]) -> Option<T>,
    ) -> Option<T> {
        let Some(family) = family else { return self.keyword(key, find) };
        let family = self.family_of(family)?.keyword();
        self.keyword(key, |word| find(&[family.as_bytes(), b" ", word].concat()))
    }

    fn ct(&mut self, node: Node<'j>) -> Option<Kind<'j>> {
        let mut object = self.object(node)?;
        let key = self.required(&mut object, "key");
        let family = object.take("family");
        let direction = object.take("dir");
        self.close(object);
        let key = self.with_family(key?, family, CtKey::from_keyword)?;
        let direction = match direction {
            Some(direction) => Some(self.keyword(direction, CtDirection::from_keyword)?),
            None => None,
        };
        Some(Kind::Ct(key, direction))
    }

    fn rt(&mut self, node: Node<'j>) -> Option<Kind<'j>> {
        let mut object = self.object(node)?;
        let key = self.required(&mut object, "key");
        let family = object.take("family");
        self.close(object);
        self.with_family(key?, family, RtKey::from_keyword).map(Kind::Rt)
    }

    fn osf(&mut self, node: Node<'j>) -> Option<Kind<'j>> {
        let mut object = self.object(node)?;
        let key = self.required(&mut object, "key");
        let ttl = object.take("ttl").and_then(|ttl| self.text(ttl)).map(|ttl| ttl.as_bytes().into());
        self.close(object);
        let version = self.keyword(key?, |word| match word {
            b"name" => Some(false),
            b"version" => Some(true),
            _ => None,
        })?;
        Some(Kind::Osf { version, ttl })
    }

    fn fib(&mut self, node: Node<'j>) -> Option<Kind<'j>> {
        let mut object = self.object(node)?;
        let result = self.required(&mut object, "result");
        let flags = self.flags(&mut object, "flags", FibFlag::from_keyword);
        self.close(object);
        Some(Kind::Fib { flags, result: self.keyword(result?, FibResult::from_keyword)? })
    }

    fn numgen(&mut self, node: Node<'j>) -> Option<Kind<'j>> {
        let mut object = self.object(node)?;
        let mode = self.required(&mut object, "mode");
        let modulus = self.required(&mut object, "mod").and_then(|modulus| self.natural(modulus));
        let offset = self.offset(&mut object);
        self.close(object);
        let incremental = self.keyword(mode?, |word| match word {
            b"inc" => Some(true),
            b"random" => Some(false),
            _ => None,
        })?;
        Some(Kind::Numgen { incremental, modulus: modulus?, offset })
    }

    fn jhash(&mut self, node: Node<'j>) -> Option<Kind<'j>> {
        let mut object = self.object(node)?;
        let key = self.required(&mut object, "expr").map(|key| self.expression(key));
        let modulus = self.required(&mut object, "mod").and_then(|modulus| self.natural(modulus));
        let seed = object.take("seed").and_then(|seed| self.natural(seed));
        let offset = self.offset(&mut object);
        self.close(object);
        Some(Kind::Jhash { key: Box::new(key?), modulus: modulus?, seed, offset })
    }

    fn offset(&mut self, object: &mut crate::formats::data::Object<'j>) -> u64 {
        object.take("offset").and_then(|offset| self.natural(offset)).unwrap_or_default()
    }

    fn ipsec(&mut self, node: Node<'j>) -> Option<Kind<'j>> {
        let mut object = self.object(node)?;
        let key = self.required(&mut object, "key");
        let family = object.take("family");
        let direction = self.required(&mut object, "dir");
        let number = object.take("spnum").map_or(Some(0), |number| self.narrow(number));
        self.close(object);
        let inbound = self.keyword(direction?, |word| match word {
            b"in" => Some(true),
            b"out" => Some(false),
            _ => None,
        })?;
        Some(Kind::Ipsec { inbound, number: number?, key: self.with_family(key?, family, IpsecKey::from_keyword)? })
    }
}

/// Sets, maps and what is in them.
impl<'j> Reader<'j, '_> {
    /// What is in a set: a list, or one element. In a map each is a list of two.
    pub(super) fn elements(&mut self, node: Node<'j>) -> Elements<'j> {
        let mut out = Elements::default();
        let Some(items) = node.list() else {
            self.element(node, &mut out);
            return out;
        };
        for item in items {
            self.element(item, &mut out);
        }
        out
    }

    fn element(&mut self, node: Node<'j>, out: &mut Elements<'j>) {
        if put_plain(node, out) {
            return;
        }
        let at = self.span(node);
        let (key, value) = match node.list() {
            Some(_) => match pair(node) {
                Some([key, value]) => (key, Some(self.expression(value))),
                None => return self.gap(node, "a key and what it is mapped to are expected"),
            },
            None => (node, None),
        };
        let (key, options) = self.element_key(key);
        out.others.push(Element { at, key, options, value });
    }

    /// The key of an element and what it carries: `{"elem": {"val": …, "timeout": …}}`, or the key alone.
    pub(super) fn element_key(&mut self, node: Node<'j>) -> (Expression<'j>, Vec<ElementOption<'j>>) {
        let Some(("elem", value)) = node.only() else { return (self.expression(node), Vec::new()) };
        let Some(mut object) = self.object(value) else { return (self.expression(node), Vec::new()) };
        let key = self.required(&mut object, "val").map(|key| self.expression(key));
        let at = self.span(node);
        let key = key.unwrap_or_else(|| Expression { at, kind: Kind::Other(node.written().as_bytes().into()) });
        let mut options = Vec::new();
        options.extend(
            object
                .take("timeout")
                .and_then(|node| self.milliseconds(node))
                .map(|time| ElementOption::Timeout(Some(time))),
        );
        options.extend(object.take("expires").and_then(|node| self.milliseconds(node)).map(ElementOption::Expires));
        options.extend(object.take("comment").and_then(|comment| self.name(comment)).map(ElementOption::Comment));
        for word in ELEMENT_STATEMENTS {
            let Some(entry) = object.take_entry(word) else { continue };
            let at = self.entry(&entry);
            let kind = self.statement_kind(entry.name, entry.value);
            options.extend(kind.map(|kind| ElementOption::Statement(Statement { at, kind })));
        }
        self.close(object);
        (key, options)
    }
}

/// Keeps an element that is an interval of addresses or numbers as such. It has no gaps.
fn put_plain(node: Node<'_>, out: &mut Elements<'_>) -> bool {
    let (at, end) = node.place();
    let Ok(length) = u16::try_from(end - at) else { return false };
    let ipv4 = |node: Node<'_>| node.text()?.parse::<Ipv4Addr>().ok().map(u32::from);
    let ipv6 = |node: Node<'_>| node.text()?.parse::<Ipv6Addr>().ok().map(u128::from);
    match node.kind() {
        Value::Number => {
            let Some(n) = node.natural() else { return false };
            out.numbers.push(Plain { first: n, last: n, at, length, form: Form::Single });
        }
        Value::Text => {
            if let Some(n) = ipv4(node) {
                out.ipv4.push(Plain { first: n, last: n, at, length, form: Form::Single });
            } else if let Some(n) = ipv6(node) {
                out.ipv6.push(Plain { first: n, last: n, at, length, form: Form::Single });
            } else {
                return false;
            }
        }
        Value::Object => match node.only() {
            Some(("range", ends)) => {
                let Some([first, last]) = pair(ends) else { return false };
                let form = Form::Range;
                if let (Some(first), Some(last)) = (ipv4(first), ipv4(last)) {
                    out.ipv4.push(Plain { first, last, at, length, form });
                } else if let (Some(first), Some(last)) = (ipv6(first), ipv6(last)) {
                    out.ipv6.push(Plain { first, last, at, length, form });
                } else if let (Some(first), Some(last)) = (first.natural(), last.natural()) {
                    out.numbers.push(Plain { first, last, at, length, form });
                } else {
                    return false;
                }
            }
            Some(("prefix", prefix)) => {
                let Some([address, bits]) = prefix.both("addr", "len") else { return false };
                let Some(bits) = bits.natural().and_then(|bits| u8::try_from(bits).ok()) else { return false };
                let form = Form::Prefix(bits);
                if let Some(n) = ipv4(address).filter(|_| bits <= 32) {
                    let host = u32::MAX.checked_shr(u32::from(bits)).unwrap_or_default();
                    out.ipv4.push(Plain { first: n & !host, last: n | host, at, length, form });
                } else if let Some(n) = ipv6(address).filter(|_| bits <= 128) {
                    let host = u128::MAX.checked_shr(u32::from(bits)).unwrap_or_default();
                    out.ipv6.push(Plain { first: n & !host, last: n | host, at, length, form });
                } else {
                    return false;
                }
            }
            Some(_) | None => return false,
        },
        Value::Null | Value::Truth | Value::List => return false,
    }
    true
}

fn pair(node: Node<'_>) -> Option<[Node<'_>; 2]> {
    let mut items = node.list()?;
    match (items.next(), items.next(), items.next()) {
        (Some(first), Some(second), None) => Some([first, second]),
        _ => None,
    }
}
