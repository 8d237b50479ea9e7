//! Sets, maps, flowtables, counters and the other objects of a table.

use super::super::lex::{Kind, Sign};
use super::super::syntax::{
    CtExpectation, CtTimeout, Elements, Family, Flowtable, Name, Object, ObjectData, ObjectKind, Path, Set, SetData,
    SetFlag, SetKey, Synproxy,
};
use super::expressions::Side;
use super::{Parsed, Parser};
use crate::formats::Disposition;
use crate::text::Span;

/// A set and the elements that it begins with.
type Filled<'t> = (Set<'t>, Option<(Elements<'t>, Span)>);

impl<'t> Parser<'_, 't> {
    /// The braces of a set or map.
    pub(super) fn set_block(&mut self, start: Span, path: Path<'t>, map: bool) -> Parsed<Filled<'t>> {
        let at = self.since(start);
        let mut set = Set {
            at,
            path,
            key: None,
            data: None,
            map,
            flags: Vec::new(),
            timeout: None,
            gc_interval: None,
            size: None,
            policy: None,
            auto_merge: false,
            listed: false,
            comment: None,
            statements: Vec::new(),
            handle: None,
        };
        let mut elements = None;
        self.expect_sign(Sign::OpenBrace, "`{`")?;
        self.block(false, |parser| parser.set_item(&mut set, &mut elements))?;
        Ok((set, elements))
    }

    fn set_item(&mut self, set: &mut Set<'t>, elements: &mut Option<(Elements<'t>, Span)>) -> Parsed<()> {
        let start = self.here();
        match self.word() {
            b"type" => {
                self.advance();
                set.key = Some(SetKey::Types(self.types()?));
                if set.map {
                    self.expect_sign(Sign::Colon, "`:`")?;
                    let interval = self.take(b"interval");
                    set.data = Some(match self.map_object()? {
                        Some(kind) => SetData::Objects(kind),
                        None => SetData::Types(self.types()?, interval),
                    });
                }
            }
            b"typeof" => {
                self.advance();
                set.key = Some(SetKey::TypeOf(self.concatenation(Side::Left)?));
                if set.map {
                    self.expect_sign(Sign::Colon, "`:`")?;
                    let interval = self.take(b"interval");
                    set.data = Some(match self.map_object()? {
                        Some(kind) => SetData::Objects(kind),
                        None if self.is(b"verdict") => SetData::Types(self.types()?, interval),
                        None => SetData::TypeOf(self.concatenation(Side::Left)?, interval),
                    });
                }
            }
            b"flags" => {
                self.advance();
                loop {
                    let Some(flag) = SetFlag::from_keyword(self.word()) else {
                        return Err(self.unexpected("`constant`, `interval`, `timeout` or `dynamic`"));
                    };
                    self.advance();
                    set.flags.push(flag);
                    if !self.take_sign(Sign::Comma) {
                        break;
                    }
                }
            }
            b"timeout" => {
                self.advance();
                set.timeout = Some(self.time()?);
            }
            b"gc-interval" => {
                self.advance();
                set.gc_interval = Some(self.time()?);
            }
            b"elements" => {
                self.advance();
                self.expect_sign(Sign::Assign, "`=`")?;
                *elements = Some(self.element_block()?);
                return Ok(());
            }
            b"auto-merge" if !set.map => {
                self.advance();
                set.auto_merge = true;
                return Ok(());
            }
            b"policy" => {
                self.advance();
                let word = self.word();
                if !matches!(word, b"performance" | b"memory") {
                    return Err(self.unexpected("`performance` or `memory`"));
                }
                self.advance();
                set.policy = Some(Name { text: word.into(), at: self.last });
                self.claim_since(start, Disposition::Inert("how it is stored"));
            }
            b"size" => {
                self.advance();
                set.size = Some(self.number()?);
            }
            b"comment" => self.comment(start, &mut set.comment)?,
            _ => {
                let statements = self.stateful_list()?;
                if statements.is_empty() {
                    return Err(self.unexpected("`type`, `flags`, `elements` or what else a set holds"));
                }
                self.claim_since(start, Disposition::Inert("what elements count"));
                set.statements.extend(statements);
            }
        }
        self.separator()
    }

    /// `ipv4_addr . inet_service`.
    fn types(&mut self) -> Parsed<Vec<Name<'t>>> {
        let mut types = vec![self.type_name()?];
        while self.take_sign(Sign::Dot) {
            types.push(self.type_name()?);
        }
        Ok(types)
    }

    fn type_name(&mut self) -> Parsed<Name<'t>> {
        let word = self.word();
        if matches!(word, b"mark" | b"ecn" | b"time" | b"day" | b"hour" | b"dscp" | b"classid") {
            self.advance();
            return Ok(Name { text: word.into(), at: self.last });
        }
        self.name()
    }

    /// The kind of objects that a map maps to.
    fn map_object(&mut self) -> Parsed<Option<ObjectKind>> {
        let word = self.word();
        Ok(match word {
            b"counter" | b"quota" | b"limit" | b"secmark" | b"synproxy" | b"tunnel" => {
                self.advance();
                ObjectKind::from_keyword(word)
            }
            b"ct" => {
                let second = self.peek_second();
                let kind = match self.text(second) {
                    b"helper" => Some(ObjectKind::CtHelper),
                    b"timeout" => Some(ObjectKind::CtTimeout),
                    b"expectation" => Some(ObjectKind::CtExpectation),
                    _ => None,
                };
                if kind.is_some() {
                    self.advance();
                    self.advance();
                }
                kind
            }
            _ => None,
        })
    }

    /// The braces of a flowtable.
    pub(super) fn flowtable_block(&mut self, start: Span, path: Path<'t>) -> Parsed<Flowtable<'t>> {
        let at = self.since(start);
        let mut table =
            Flowtable { at, path, hook: None, devices: Vec::new(), offload: false, counter: false, handle: None };
        self.expect_sign(Sign::OpenBrace, "`{`")?;
        self.block(false, |parser| {
            match parser.word() {
                b"hook" => {
                    parser.advance();
                    let hook = parser.hook()?;
                    parser.expect("priority")?;
                    table.hook = Some((hook, parser.priority()?));
                }
                b"devices" => {
                    parser.advance();
                    parser.expect_sign(Sign::Assign, "`=`")?;
                    table.devices = parser.device_list()?;
                }
                b"counter" => {
                    parser.advance();
                    table.counter = true;
                    return Ok(());
                }
                b"flags" => {
                    parser.advance();
                    parser.expect("offload")?;
                    table.offload = true;
                }
                _ => return Err(parser.unexpected("`hook`, `devices`, `counter` or `flags`")),
            }
            parser.separator()
        })?;
        Ok(table)
    }

    /// What follows the name of an object: its braces, or, outside of tables' blocks, what they would hold.
    pub(super) fn object(&mut self, start: Span, kind: ObjectKind, path: Path<'t>, block: bool) -> Parsed<Object<'t>> {
        let at = self.since(start);
        let mut comment = None;
        let mut data = self.nothing(kind)?;
        if self.take_sign(Sign::OpenBrace) {
            self.block(false, |parser| {
                let start = parser.here();
                if parser.is(b"comment") {
                    return parser.comment(start, &mut comment);
                }
                parser.object_item(&mut data)
            })?;
        } else if block || matches!(kind, ObjectKind::CtHelper | ObjectKind::CtTimeout | ObjectKind::CtExpectation) {
            return Err(self.unexpected("`{`"));
        } else if kind != ObjectKind::Counter || self.is(b"packets") || self.is(b"bytes") {
            self.object_item(&mut data)?;
        }
        Ok(Object { at, path, data, comment, handle: None })
    }

    fn nothing(&mut self, kind: ObjectKind) -> Parsed<ObjectData<'t>> {
        Ok(match kind {
            ObjectKind::Counter => ObjectData::Counter { packets: 0, bytes: 0 },
            ObjectKind::Quota => ObjectData::Quota(None),
            ObjectKind::Limit => ObjectData::Limit(None),
            ObjectKind::CtHelper => ObjectData::CtHelper { kind: None, protocol: None, l3proto: None },
            ObjectKind::CtTimeout => ObjectData::CtTimeout(CtTimeout::default()),
            ObjectKind::CtExpectation => ObjectData::CtExpectation(CtExpectation::default()),
            ObjectKind::Secmark => ObjectData::Secmark(None),
            ObjectKind::Synproxy => ObjectData::Synproxy(Synproxy::default()),
            ObjectKind::Tunnel => return Err(self.refused("tunnels are not read".to_owned())),
        })
    }

    /// One line of an object.
    fn object_item(&mut self, data: &mut ObjectData<'t>) -> Parsed<()> {
        match data {
            ObjectData::Counter { packets, bytes } => {
                if !(self.is(b"packets") || self.is(b"bytes")) {
                    return Err(self.unexpected("`packets`"));
                }
                (*packets, *bytes) = self.counts()?;
            }
            ObjectData::Quota(quota) => *quota = Some(self.quota()?),
            ObjectData::Limit(limit) => {
                self.expect("rate")?;
                *limit = Some(self.limit()?);
            }
            ObjectData::CtHelper { kind, protocol, l3proto } => match self.word() {
                b"type" => {
                    self.advance();
                    if self.peek().kind != Kind::Quoted {
                        return Err(self.unexpected("the name of a helper in quotes"));
                    }
                    *kind = Some(self.string()?);
                    self.expect("protocol")?;
                    *protocol = Some(self.transport()?);
                    self.separator()?;
                }
                _ => *l3proto = Some(self.l3proto()?),
            },
            ObjectData::CtTimeout(timeout) => match self.word() {
                b"protocol" => {
                    self.advance();
                    timeout.protocol = Some(self.transport()?);
                    self.separator()?;
                }
                b"policy" => {
                    self.advance();
                    self.expect_sign(Sign::Assign, "`=`")?;
                    timeout.policy = self.timeouts()?;
                    self.separator()?;
                }
                _ => timeout.l3proto = Some(self.l3proto()?),
            },
            ObjectData::CtExpectation(expectation) => match self.word() {
                b"protocol" => {
                    self.advance();
                    expectation.protocol = Some(self.transport()?);
                    self.separator()?;
                }
                b"dport" => {
                    self.advance();
                    expectation.dport = Some(self.primary(Side::Right)?);
                    self.separator()?;
                }
                b"timeout" => {
                    self.advance();
                    expectation.timeout = Some(self.time()?);
                    self.separator()?;
                }
                b"size" => {
                    self.advance();
                    expectation.size = Some(self.number()?);
                    self.separator()?;
                }
                _ => expectation.l3proto = Some(self.l3proto()?),
            },
            ObjectData::Secmark(context) => *context = Some(self.string()?),
            ObjectData::Synproxy(synproxy) => {
                *synproxy = self.synproxy_block()?;
            }
        }
        Ok(())
    }

    /// `mss 1460; wscale 7; timestamp sack-perm`, in this order, with line ends between or without.
    fn synproxy_block(&mut self) -> Parsed<Synproxy> {
        let mut synproxy = Synproxy::default();
        self.expect("mss")?;
        synproxy.mss = Some(self.number32()?);
        self.pass_separators();
        self.expect("wscale")?;
        synproxy.wscale = Some(self.number32()?);
        self.pass_separators();
        synproxy.timestamp = self.take(b"timestamp");
        synproxy.sack_perm = self.take(b"sack-perm") || self.take(b"sack-permitted");
        Ok(synproxy)
    }

    fn pass_separators(&mut self) {
        while matches!(self.peek().kind, Kind::Newline | Kind::Sign(Sign::Semicolon)) {
            self.advance();
        }
    }

    fn transport(&mut self) -> Parsed<Name<'t>> {
        let word = self.word();
        if !matches!(word, b"tcp" | b"udp") {
            return Err(self.unexpected("`tcp` or `udp`"));
        }
        self.advance();
        Ok(Name { text: word.into(), at: self.last })
    }

    fn l3proto(&mut self) -> Parsed<Name<'t>> {
        if !self.take(b"l3proto") {
            return Err(self.unexpected("`l3proto` or what else the object holds"));
        }
        let word = self.word();
        if Family::from_keyword(word).is_none() {
            return Err(self.unexpected("`ip`, `ip6` or `inet`"));
        }
        self.advance();
        let name = Name { text: word.into(), at: self.last };
        self.separator()?;
        Ok(name)
    }

    /// `{ established: 100, close: 4s }`.
    fn timeouts(&mut self) -> Parsed<Vec<(Name<'t>, u64)>> {
        let mut states = Vec::new();
        self.listed(|parser| {
            let state = parser.name()?;
            parser.expect_sign(Sign::Colon, "`:`")?;
            states.push((state, parser.time_or_seconds()?));
            Ok(())
        })?;
        Ok(states)
    }
}
