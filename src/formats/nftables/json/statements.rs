use super::{Reader, escape};
use crate::formats::data::{Kind, Node, Object as Fields, Values};
use crate::formats::nftables::parse;
use crate::formats::nftables::syntax;
use crate::formats::nftables::syntax::{
    Binary, Expression, Limit, LimitUnit, Log, Name, Nat, NatFlag, NatKind, QueueFlag, Quota, Reject, Relation,
    SetAction, Statement, StatementKind,
};

impl<'j> Reader<'j, '_> {
    /// The statements of a rule.
    pub(super) fn statements(&mut self, nodes: Values<'j>) -> Vec<Statement<'j>> {
        let mut out = Vec::new();
        for node in nodes {
            let before = out.len();
            match node.text() {
                Some(text) => self.written_as_text(node, text, &mut out),
                None => out.extend(self.statement(node)),
            }
            if out.len() > before {
                self.left_to_meaning(node);
            }
        }
        out
    }

    /// Statements in a statement or set, which accounts for them.
    pub(super) fn hidden_statements(&mut self, list: Node<'j>) -> Vec<Statement<'j>> {
        self.several(list).into_iter().filter_map(|node| self.statement(node)).collect()
    }

    /// What nft's JSON has no words for, such as chains without a name, it writes as in a file.
    fn written_as_text(&mut self, node: Node<'j>, text: &'j str, out: &mut Vec<Statement<'j>>) {
        match parse::statements(text.as_bytes(), self.span(node)) {
            Ok(statements) => out.extend(statements),
            Err(refusal) => self.gap(node, format!("`{}`: {}", escape(text), refusal.reason)),
        }
    }

    fn statement(&mut self, node: Node<'j>) -> Option<Statement<'j>> {
        let Some((key, value)) = node.only() else {
            self.gap(node, "a statement is expected: an object with one key");
            return None;
        };
        let at = self.span(node);
        let kind = self.statement_kind(key, value)?;
        Some(Statement { at, kind })
    }

    pub(super) fn statement_kind(&mut self, key: &'j str, value: Node<'j>) -> Option<StatementKind<'j>> {
        if let Some(verdict) = self.verdict(key, value) {
            return verdict.map(StatementKind::Verdict);
        }
        match key {
            "match" => self.relation(value),
            "vmap" => {
                let [key, data] = self.two(value, "key", "data")?;
                Some(StatementKind::VerdictMap(key, data))
            }
            "counter" => self.counter(value),
            "limit" => self.object_or_reference(
                value,
                "rate",
                Self::limit,
                StatementKind::Limit,
                StatementKind::LimitReference,
            ),
            "quota" => {
                self.object_or_reference(value, "val", Self::quota, StatementKind::Quota, StatementKind::QuotaReference)
            }
            "synproxy" => self.synproxy_statement(value),
            "ct count" => {
                let mut object = self.object(value)?;
                let count = self.required(&mut object, "val").and_then(|count| self.narrow(count));
                let over = self.inverted(&mut object);
                self.close(object);
                Some(StatementKind::ConnectionLimit { over, count: count? })
            }
            "last" => self.last(value),
            "log" => self.log(value).map(StatementKind::Log),
            "reject" => self.reject(value).map(StatementKind::Reject),
            "tproxy" => self.tproxy(value),
            "queue" => self.queue(value),
            "dup" => {
                let mut object = self.object(value)?;
                let to = object.take("addr").map(|to| self.expression(to));
                let device = object.take("dev").map(|device| self.expression(device));
                self.close(object);
                Some(StatementKind::Dup { to, device })
            }
            "fwd" => {
                let mut object = self.object(value)?;
                let device = self.required(&mut object, "dev").map(|device| self.expression(device));
                let family = object.take("family").and_then(|family| self.family_of(family));
                let to = object.take("addr").map(|to| self.expression(to));
                self.close(object);
                Some(StatementKind::Forward { family, to, device: device? })
            }
            "mangle" => {
                let [key, value] = self.two(value, "key", "value")?;
                Some(StatementKind::Set(key, value))
            }
            "reset" => Some(StatementKind::ResetOption(self.expression(value))),
            "ct helper" => Some(StatementKind::CtHelper(self.expression(value))),
            "ct timeout" => Some(StatementKind::CtTimeout(self.expression(value))),
            "ct expectation" => Some(StatementKind::CtExpectation(self.expression(value))),
            "secmark" => Some(StatementKind::Secmark(self.expression(value))),
            "notrack" => self.nothing(value, StatementKind::Notrack),
            "flow" => self.flow(value),
            "set" => self.set_statement(value, "set"),
            "map" => self.set_statement(value, "map"),
            "meter" => self.meter(value),
            "xt" => self.xt(value),
            _ => match NatKind::from_keyword(key.as_bytes()) {
                Some(kind) => self.nat(kind, value).map(StatementKind::Nat),
                None => {
                    self.gap(value, format!("the statement `{}` is not known", escape(key)));
                    None
                }
            },
        }
    }

    /// `{"match": {"op": …, "left": …, "right": …}}`.
    fn relation(&mut self, node: Node<'j>) -> Option<StatementKind<'j>> {
        let mut object = self.object(node)?;
        let operator = self.required(&mut object, "op");
        let left = self.required(&mut object, "left").map(|left| self.expression(left));
        let right = self.required(&mut object, "right").map(|right| self.expression(right));
        self.close(object);
        let relation = self.keyword(operator?, |word| {
            Some(match word {
                b"==" => Relation::Equal,
                b"!=" => Relation::NotEqual,
                b"<" => Relation::Less,
                b"<=" => Relation::LessOrEqual,
                b">" => Relation::Greater,
                b">=" => Relation::GreaterOrEqual,
                b"in" => Relation::Implicit,
                b"!" => Relation::NoneOf,
                _ => return None,
            })
        })?;
        let (left, right) = (left?, right?);
        // `ct state established,related` is printed as a list, whatever the operator says.
        let flags = relation == Relation::Equal && matches!(right.kind, syntax::Kind::List(_));
        Some(StatementKind::Match(if flags { Relation::Implicit } else { relation }, left, right))
    }

    fn counter(&mut self, node: Node<'j>) -> Option<StatementKind<'j>> {
        match node.kind() {
            Kind::Null => Some(StatementKind::Counter { packets: 0, bytes: 0 }),
            Kind::Object if !self.has(node, "map") => {
                let mut object = self.object(node)?;
                let (packets, bytes) = self.counted(&mut object);
                self.close(object);
                Some(StatementKind::Counter { packets, bytes })
            }
            Kind::Text | Kind::Object | Kind::Truth | Kind::Number | Kind::List => {
                Some(StatementKind::CounterReference(self.expression(node)))
            }
        }
    }

    pub(super) fn counted(&mut self, object: &mut Fields<'j>) -> (u64, u64) {
        let mut count = |key| object.take(key).and_then(|count| self.natural(count)).unwrap_or_default();
        (count("packets"), count("bytes"))
    }

    /// An object that has `key` describes it; anything else names an object of the table.
    fn object_or_reference<T>(
        &mut self,
        node: Node<'j>,
        key: &str,
        read: impl FnOnce(&mut Self, &mut Fields<'j>) -> Option<T>,
        described: impl FnOnce(T) -> StatementKind<'j>,
        named: impl FnOnce(Expression<'j>) -> StatementKind<'j>,
    ) -> Option<StatementKind<'j>> {
        if !self.has(node, key) {
            return Some(named(self.expression(node)));
        }
        let mut object = self.object(node)?;
        let found = read(self, &mut object);
        self.close(object);
        found.map(described)
    }

    /// The keys of a statement and those of a named limit.
    pub(super) fn limit(&mut self, object: &mut Fields<'j>) -> Option<Limit> {
        let rate = self.required(object, "rate").and_then(|rate| self.natural(rate));
        let unit = object.take("rate_unit").or_else(|| object.take("unit"));
        let unit = unit.map_or(Some(Unit::Packets), |unit| self.keyword(unit, Unit::find));
        let per = object.take("per").map_or(Some(LimitUnit::Second), |per| {
            self.keyword(per, |word| LimitUnit::from_keyword(word.strip_suffix(b"s").unwrap_or(word)))
        });
        let burst = object.take("burst").and_then(|burst| self.natural(burst)).filter(|burst| *burst > 0);
        let burst_unit = object.take("burst_unit");
        let burst_unit = burst_unit.map_or(Some(Unit::Bytes(1)), |unit| self.keyword(unit, Unit::find));
        let over = self.inverted(object);
        let (rate, unit, per, burst_unit) = (rate?, unit?, per?, burst_unit?);
        let scaled = |number: u64, unit: Unit| number.checked_mul(unit.factor());
        let burst = match unit {
            Unit::Packets => burst,
            Unit::Bytes(_) => burst.and_then(|burst| scaled(burst, burst_unit)),
        };
        let Some(rate) = scaled(rate, unit) else {
            self.gap(object.at, "the number is too large");
            return None;
        };
        Some(Limit { over, rate, bytes: unit != Unit::Packets, per, burst })
    }

    /// The keys of a statement and those of a named quota.
    pub(super) fn quota(&mut self, object: &mut Fields<'j>) -> Option<Quota> {
        let mut amount = |number: [&str; 2], unit: &str| {
            let number = object.take(number[0]).or_else(|| object.take(number[1]));
            let number = number.map(|number| self.natural(number));
            let unit = object.take(unit).map_or(Some(Unit::Bytes(1)), |unit| self.keyword(unit, Unit::find));
            match number {
                Some(number) => number.zip(unit).and_then(|(number, unit)| number.checked_mul(unit.factor())),
                None => Some(0),
            }
        };
        let bytes = amount(["val", "bytes"], "val_unit");
        let used = amount(["used", "used"], "used_unit");
        let over = self.inverted(object);
        if bytes.is_none() || used.is_none() {
            self.gap(object.at, "a quota needs numbers of bytes");
        }
        Some(Quota { over, bytes: bytes?, used: used? })
    }

    fn inverted(&mut self, object: &mut Fields<'j>) -> bool {
        object.take("inv").and_then(|inverted| self.truth(inverted)).unwrap_or_default()
    }

    fn synproxy_statement(&mut self, node: Node<'j>) -> Option<StatementKind<'j>> {
        match node.kind() {
            Kind::Null => Some(StatementKind::Synproxy(syntax::Synproxy::default())),
            Kind::Object if !self.has(node, "map") => {
                let mut object = self.object(node)?;
                let synproxy = self.synproxy(&mut object);
                self.close(object);
                Some(StatementKind::Synproxy(synproxy))
            }
            Kind::Text | Kind::Object | Kind::Truth | Kind::Number | Kind::List => {
                Some(StatementKind::SynproxyReference(self.expression(node)))
            }
        }
    }

    fn last(&mut self, node: Node<'j>) -> Option<StatementKind<'j>> {
        if node.kind() == Kind::Null {
            return Some(StatementKind::Last(None));
        }
        let mut object = self.object(node)?;
        let used = object.take("used").and_then(|used| self.natural(used));
        self.close(object);
        Some(StatementKind::Last(used))
    }

    fn log(&mut self, node: Node<'j>) -> Option<Log<'j>> {
        if node.kind() == Kind::Null {
            return Some(Log::default());
        }
        let mut object = self.object(node)?;
        let mut number = |key| object.take(key).and_then(|number| self.narrow(number));
        let (group, snaplen, queue_threshold) = (number("group"), number("snaplen"), number("queue-threshold"));
        let mut name = |key| object.take(key).and_then(|name| self.name(name));
        let (prefix, level) = (name("prefix"), name("level"));
        let flags = object.take("flags").map(|flags| self.several(flags)).unwrap_or_default();
        let flags: Vec<Name<'j>> = flags.into_iter().filter_map(|flag| self.name(flag)).collect();
        self.close(object);
        Some(Log { prefix, group, snaplen, queue_threshold, level, flags })
    }

    fn reject(&mut self, node: Node<'j>) -> Option<Reject<'j>> {
        if node.kind() == Kind::Null {
            return Some(Reject::Default);
        }
        let mut object = self.object(node)?;
        let kind = object.take("type");
        let code = object.take("expr");
        self.close(object);
        let Some(kind) = kind else {
            if let Some(code) = code {
                self.gap(code, "a code without a `type` of rejection");
            }
            return Some(Reject::Default);
        };
        let word = self.text(kind)?;
        match (word, code) {
            ("tcp reset", None) => Some(Reject::TcpReset),
            ("icmp", Some(code)) => Some(Reject::Icmp(self.expression(code))),
            ("icmpv6", Some(code)) => Some(Reject::Icmpv6(self.expression(code))),
            ("icmpx", Some(code)) => Some(Reject::Icmpx(self.expression(code))),
            // Port unreachable, which is what nothing says as well.
            ("icmp" | "icmpv6" | "icmpx", None) => Some(Reject::Default),
            _ => {
                self.gap(node, "not a way to reject that is known");
                None
            }
        }
    }

    fn nat(&mut self, kind: NatKind, node: Node<'j>) -> Option<Nat<'j>> {
        let plain = Nat { kind, family: None, address: None, port: None, flags: Vec::new(), netmap: false };
        if node.kind() == Kind::Null {
            return Some(plain);
        }
        let mut object = self.object(node)?;
        let family = object.take("family").and_then(|family| self.family_of(family));
        let address = object.take("addr").map(|address| self.expression(address));
        let port = object.take("port").map(|port| self.expression(port));
        let flags = self.flags(&mut object, "flags", NatFlag::from_keyword);
        let forms = self.flags(&mut object, "type_flags", |word| match word {
            b"interval" | b"prefix" => Some(true),
            b"concat" => Some(false),
            _ => None,
        });
        self.close(object);
        Some(Nat { family, address, port, flags, netmap: forms.contains(&true), ..plain })
    }

    fn tproxy(&mut self, node: Node<'j>) -> Option<StatementKind<'j>> {
        let mut object = self.object(node)?;
        let family = object.take("family").and_then(|family| self.family_of(family));
        let address = object.take("addr").map(|address| self.expression(address));
        let port = object.take("port").map(|port| self.expression(port));
        self.close(object);
        Some(StatementKind::Tproxy { family, address, port })
    }

    fn queue(&mut self, node: Node<'j>) -> Option<StatementKind<'j>> {
        if node.kind() == Kind::Null {
            return Some(StatementKind::Queue { number: None, flags: Vec::new() });
        }
        let mut object = self.object(node)?;
        let number = object.take("num").map(|number| self.expression(number));
        let flags = self.flags(&mut object, "flags", QueueFlag::from_keyword);
        self.close(object);
        Some(StatementKind::Queue { number, flags })
    }

    fn flow(&mut self, node: Node<'j>) -> Option<StatementKind<'j>> {
        let mut object = self.object(node)?;
        let operator = self.required(&mut object, "op");
        let table = self.required(&mut object, "flowtable");
        self.close(object);
        self.keyword(operator?, |word| (word == b"add").then_some(()))?;
        self.reference(table?).map(StatementKind::FlowOffload)
    }

    /// `"@name"`.
    fn reference(&mut self, node: Node<'j>) -> Option<Name<'j>> {
        let at = self.span(node);
        let text = self.text(node)?;
        let Some(name) = text.strip_prefix('@') else {
            self.gap(node, "the name of a set, with `@` before it, is expected");
            return None;
        };
        Some(Name { text: name.as_bytes().into(), at })
    }

    /// `{"set": {"op": "add", "elem": …, "set": "@s"}}`, and the same of maps.
    fn set_statement(&mut self, node: Node<'j>, which: &str) -> Option<StatementKind<'j>> {
        let mut object = self.object(node)?;
        let action = self.required(&mut object, "op");
        let element = self.required(&mut object, "elem").map(|element| self.element_key(element));
        let value = object.take("data").map(|data| self.expression(data));
        let set = self.required(&mut object, which);
        let statements = object.take("stmt").map(|list| self.hidden_statements(list)).unwrap_or_default();
        self.close(object);
        let action = self.keyword(action?, SetAction::from_keyword)?;
        let (key, options) = element?;
        Some(StatementKind::SetStatement { action, set: self.reference(set?)?, key, options, value, statements })
    }

    fn meter(&mut self, node: Node<'j>) -> Option<StatementKind<'j>> {
        let mut object = self.object(node)?;
        let name = self.required(&mut object, "name");
        let size = object.take("size").and_then(|size| self.narrow(size));
        let element = self.required(&mut object, "key").map(|key| self.element_key(key));
        let statements = self.required(&mut object, "stmt").map(|list| self.hidden_statements(list));
        self.close(object);
        let (name, (key, options)) = (self.name(name?)?, element?);
        Some(StatementKind::Meter { name, size, key, options, statements: statements? })
    }

    fn xt(&mut self, node: Node<'j>) -> Option<StatementKind<'j>> {
        let mut object = self.object(node)?;
        let kind = self.required(&mut object, "type");
        let name = self.required(&mut object, "name");
        self.close(object);
        let kind = self.text(kind?)?;
        Some(StatementKind::Xt(kind.as_bytes().into(), self.name(name?)?))
    }

    fn nothing(&mut self, node: Node<'j>, kind: StatementKind<'j>) -> Option<StatementKind<'j>> {
        if node.kind() != Kind::Null {
            self.gap(node, "`null` is expected");
        }
        Some(kind)
    }

    /// Two expressions under two keys.
    pub(super) fn two(&mut self, node: Node<'j>, first: &str, second: &str) -> Option<[Expression<'j>; 2]> {
        let mut object = self.object(node)?;
        let first = self.required(&mut object, first).map(|node| self.expression(node));
        let second = self.required(&mut object, second).map(|node| self.expression(node));
        self.close(object);
        Some([first?, second?])
    }

    pub(super) const fn operator(key: &str) -> Option<Binary> {
        match key.as_bytes() {
            b"&" => Some(Binary::And),
            b"|" => Some(Binary::Or),
            b"^" => Some(Binary::Xor),
            b"<<" => Some(Binary::ShiftLeft),
            b">>" => Some(Binary::ShiftRight),
            _ => None,
        }
    }
}

/// What rates and quotas are counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Packets,
    /// Bytes, and how many one is.
    Bytes(u64),
}

impl Unit {
    fn find(word: &[u8]) -> Option<Self> {
        match word {
            b"packets" => Some(Self::Packets),
            b"bytes" => Some(Self::Bytes(1)),
            b"kbytes" => Some(Self::Bytes(1 << 10)),
            b"mbytes" => Some(Self::Bytes(1 << 20)),
            _ => None,
        }
    }

    const fn factor(self) -> u64 {
        match self {
            Self::Packets => 1,
            Self::Bytes(bytes) => bytes,
        }
    }
}
