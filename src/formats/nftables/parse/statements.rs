//! One statement of a rule.

use super::super::lex::{Kind, Sign};
use super::super::syntax::{
    Binary, Expression, Family, Kind as Expressed, Log, MetaKey, Name, Nat, NatFlag, NatKind, QueueFlag, Reject,
    Relation, SetAction, StatementKind, Synproxy,
};
use super::expressions::Side;
use super::{Parsed, Parser, Refusal, words};
use crate::text::Span;
use std::borrow::Cow;

impl<'t> Parser<'_, 't> {
    pub(super) fn statement(&mut self) -> Parsed<StatementKind<'t>> {
        if let Some(verdict) = self.verdict_statement()? {
            return Ok(verdict);
        }
        if let Some(stateful) = self.stateful()? {
            return Ok(stateful);
        }
        match self.word() {
            b"log" => self.log(),
            b"reject" => self.reject(),
            b"snat" => self.nat(NatKind::Snat),
            b"dnat" => self.nat(NatKind::Dnat),
            b"masquerade" => self.nat(NatKind::Masquerade),
            b"redirect" => self.nat(NatKind::Redirect),
            b"tproxy" => self.tproxy(),
            b"synproxy" => self.synproxy(),
            b"queue" => self.queue(),
            b"dup" => self.dup(),
            b"fwd" => self.forward(),
            b"notrack" => {
                self.advance();
                Ok(StatementKind::Notrack)
            }
            b"flow" => self.flow(),
            b"meter" => self.meter(),
            b"add" | b"update" | b"delete" => self.set_statement(),
            b"set" => self.old_set_statement(),
            b"reset" => {
                self.advance();
                if !self.is(b"tcp") {
                    return Err(self.unexpected("`tcp option`"));
                }
                Ok(StatementKind::ResetOption(self.primary(Side::Left)?))
            }
            b"xt" => {
                self.advance();
                let kind = self.name()?;
                Ok(StatementKind::Xt(kind.text, self.string()?))
            }
            b"ct" => self.ct_statement(),
            _ => self.match_or_set(),
        }
    }

    fn ct_statement(&mut self) -> Parsed<StatementKind<'t>> {
        let second = self.peek_second();
        let third = self.token_at(second.end);
        let sets = self.text(third) == b"set";
        let object: fn(Expression<'t>) -> StatementKind<'t> = match self.text(second) {
            b"helper" if sets => StatementKind::CtHelper,
            b"timeout" if sets => StatementKind::CtTimeout,
            b"expectation" if sets => StatementKind::CtExpectation,
            _ => return self.match_or_set(),
        };
        self.advance();
        self.advance();
        self.advance();
        self.statement_expression().map(object)
    }

    /// What begins with an expression: a comparison, a verdict map, or the setting of a value.
    fn match_or_set(&mut self) -> Parsed<StatementKind<'t>> {
        let word = self.word();
        if !word.is_empty() && !words::is_reserved(word) && !self.begins_selector() {
            let reason = format!("`{}` is no statement or expression that nft knows", crate::text::escape(word));
            return Err(Box::new(Refusal { at: self.here(), reason: format!("syntax error: {reason}") }));
        }
        let mut left = self.concatenation(Side::Left)?;
        match self.word() {
            b"vmap" => {
                self.advance();
                let map = if self.is_sign(Sign::OpenBrace) {
                    self.set_expression()?
                } else {
                    self.set_reference_or_variable()?
                };
                return Ok(StatementKind::VerdictMap(left, map));
            }
            b"set" => {
                self.advance();
                let value = self.statement_expression()?;
                let from_ct = matches!(value.resolved().kind, Expressed::Ct(..));
                return Ok(match left.kind {
                    Expressed::Meta(MetaKey::Secmark) if !from_ct => StatementKind::Secmark(value),
                    Expressed::Meta(_)
                    | Expressed::Ct(..)
                    | Expressed::Payload(_)
                    | Expressed::RawPayload { .. }
                    | Expressed::TcpOption { .. }
                    | Expressed::RawTcpOption { .. }
                    | Expressed::IpOption { .. }
                    | Expressed::Inner(..)
                    | Expressed::Extension(..) => StatementKind::Set(left, value),
                    _ => return Err(Box::new(Refusal { at: left.at, reason: "this cannot be set".to_owned() })),
                });
            }
            b"map" => left = self.map_of(left, Side::Right)?,
            _ => {}
        }
        self.relation(left)
    }

    fn relation(&mut self, left: Expression<'t>) -> Parsed<StatementKind<'t>> {
        let relation = match self.peek().kind {
            Kind::Sign(Sign::Equal) => Relation::Equal,
            Kind::Sign(Sign::NotEqual) => Relation::NotEqual,
            Kind::Sign(Sign::Less) => Relation::Less,
            Kind::Sign(Sign::LessOrEqual) => Relation::LessOrEqual,
            Kind::Sign(Sign::Greater) => Relation::Greater,
            Kind::Sign(Sign::GreaterOrEqual) => Relation::GreaterOrEqual,
            Kind::Sign(Sign::Not) => Relation::NoneOf,
            _ => Relation::Implicit,
        };
        if relation != Relation::Implicit {
            self.advance();
        }
        let right = self.right_or_list()?;
        if !self.take_sign(Sign::Slash) {
            return Ok(StatementKind::Match(relation, left, right));
        }
        // `tcp flags syn / fin,syn,rst`: the flags behind the stroke are those that are looked at.
        let relation = if relation == Relation::Implicit { Relation::Equal } else { relation };
        let mask = self.right_or_list()?;
        let at = Span { end: left.at.end.max(left.at.start), ..left.at };
        let masked = Expressed::Binary(Binary::And, Box::new(left), Box::new(joined(mask)));
        Ok(StatementKind::Match(relation, Expression { at, kind: masked }, joined(right)))
    }

    fn log(&mut self) -> Parsed<StatementKind<'t>> {
        self.advance();
        let mut log = Log::default();
        loop {
            match self.word() {
                b"prefix" => {
                    self.advance();
                    let prefix = self.string()?;
                    log.prefix = Some(self.with_variables(prefix)?);
                }
                b"group" => {
                    self.advance();
                    log.group = Some(self.number32()?);
                }
                b"snaplen" => {
                    self.advance();
                    log.snaplen = Some(self.number32()?);
                }
                b"queue-threshold" => {
                    self.advance();
                    log.queue_threshold = Some(self.number32()?);
                }
                b"level" => {
                    self.advance();
                    let level = self.string()?;
                    let known =
                        [&b"emerg"[..], b"alert", b"crit", b"err", b"warn", b"notice", b"info", b"debug", b"audit"];
                    if !known.contains(&&*level.text) {
                        return Err(self.refused("invalid log level".to_owned()));
                    }
                    log.level = Some(level);
                }
                b"flags" => {
                    self.advance();
                    self.log_flags(&mut log)?;
                }
                _ => return Ok(StatementKind::Log(log)),
            }
        }
    }

    fn log_flags(&mut self, log: &mut Log<'t>) -> Parsed<()> {
        let start = self.here();
        match self.word() {
            b"tcp" => {
                self.advance();
                loop {
                    if !(self.take(b"sequence") || self.take(b"options")) {
                        return Err(self.unexpected("`sequence` or `options`"));
                    }
                    if !self.take_sign(Sign::Comma) {
                        break;
                    }
                }
            }
            b"ip" => {
                self.advance();
                self.expect("options")?;
            }
            b"skuid" | b"ether" | b"all" => {
                self.advance();
            }
            _ => return Err(self.unexpected("`tcp`, `ip options`, `skuid`, `ether` or `all`")),
        }
        let at = self.since(start);
        let text = self.slice(at);
        log.flags.push(Name { text: text.into(), at });
        Ok(())
    }

    fn slice(&self, at: Span) -> &'t [u8] {
        let file = self.files.last().filter(|file| file.source == at.source);
        file.and_then(|file| file.text.get(at.start as usize..at.end as usize)).unwrap_or_default()
    }

    /// Puts what is defined in place of `$name` in the prefix of a log.
    fn with_variables(&self, text: Name<'t>) -> Parsed<Name<'t>> {
        if memchr::memchr(b'$', &text.text).is_none() {
            return Ok(text);
        }
        let mut out = Vec::with_capacity(text.text.len());
        let mut pieces = text.text.split(|byte| *byte == b'$');
        out.extend_from_slice(pieces.next().unwrap_or_default());
        for piece in pieces {
            let end = piece.iter().position(|byte| !(byte.is_ascii_alphanumeric() || *byte == b'_'));
            let (name, rest) = piece.split_at(end.unwrap_or(piece.len()));
            let refused = |reason: String| Box::new(Refusal { at: text.at, reason });
            let shown = crate::text::escape(name);
            let value = self.defined(name).ok_or_else(|| refused(format!("unknown identifier '{shown}'")))?;
            match &value.value.resolved().kind {
                Expressed::Word(word) | Expressed::Quoted(word) => out.extend_from_slice(word),
                _ => return Err(refused(format!("'{shown}' is no text"))),
            }
            out.extend_from_slice(rest);
        }
        Ok(Name { text: Cow::Owned(out), at: text.at })
    }

    fn reject(&mut self) -> Parsed<StatementKind<'t>> {
        self.advance();
        if !self.take(b"with") {
            return Ok(StatementKind::Reject(Reject::Default));
        }
        let wrap: fn(Expression<'t>) -> Reject<'t> = match self.word() {
            b"icmp" => Reject::Icmp,
            b"icmpv6" => Reject::Icmpv6,
            b"icmpx" => Reject::Icmpx,
            b"tcp" => {
                self.advance();
                self.expect("reset")?;
                return Ok(StatementKind::Reject(Reject::TcpReset));
            }
            _ => return Err(self.unexpected("`icmp`, `icmpv6`, `icmpx` or `tcp`")),
        };
        self.advance();
        self.take(b"type");
        let token = self.peek();
        if !matches!(token.kind, Kind::Word | Kind::Number | Kind::Sign(Sign::Dollar)) {
            return Err(self.unexpected("the type of the message"));
        }
        Ok(StatementKind::Reject(wrap(self.primary(Side::Right)?)))
    }

    fn nat(&mut self, kind: NatKind) -> Parsed<StatementKind<'t>> {
        self.advance();
        let mut nat = Nat { kind, family: None, address: None, port: None, flags: Vec::new(), netmap: false };
        let only_port = matches!(kind, NatKind::Masquerade | NatKind::Redirect);
        let mut concatenated = false;
        if !only_port {
            if let Some(family) = self.family_before_to() {
                nat.family = Some(family);
            }
            match self.word() {
                b"addr" => {
                    self.advance();
                    self.expect_sign(Sign::Dot, "`.`")?;
                    self.expect("port")?;
                    concatenated = true;
                }
                b"interval" => {
                    self.advance();
                }
                b"prefix" => {
                    self.advance();
                    nat.netmap = true;
                }
                _ => {}
            }
        }
        let to = self.take(b"to");
        if !to && (nat.family.is_some() || nat.netmap || concatenated) {
            return Err(self.unexpected("`to`"));
        }
        if to || (!only_port && !self.nat_ends()) {
            if self.take_sign(Sign::Colon) {
                nat.port = Some(self.statement_expression()?);
            } else {
                let found = self.statement_expression()?;
                if only_port {
                    nat.port = Some(found);
                } else {
                    nat.address = Some(found);
                    if self.take_sign(Sign::Colon) {
                        nat.port = Some(self.statement_expression()?);
                    }
                }
            }
        }
        while let Some(flag) = NatFlag::from_keyword(self.word()) {
            self.advance();
            nat.flags.push(flag);
            if !self.take_sign(Sign::Comma) {
                break;
            }
        }
        if !only_port && nat.address.is_none() && nat.port.is_none() {
            return Err(self.unexpected("what to translate to"));
        }
        Ok(StatementKind::Nat(nat))
    }

    fn nat_ends(&mut self) -> bool {
        let flag = NatFlag::from_keyword(self.word()).is_some();
        flag || matches!(self.peek().kind, Kind::End | Kind::Newline | Kind::Sign(Sign::Semicolon | Sign::CloseBrace))
    }

    /// `ip` or `ip6` before `to` and the words that may precede it.
    fn family_before_to(&mut self) -> Option<Family> {
        let family = match self.word() {
            b"ip" => Family::Ip,
            b"ip6" => Family::Ip6,
            _ => return None,
        };
        let second = self.peek_second();
        if !matches!(self.text(second), b"to" | b"addr" | b"interval" | b"prefix") {
            return None;
        }
        self.advance();
        Some(family)
    }

    fn tproxy(&mut self) -> Parsed<StatementKind<'t>> {
        self.advance();
        let family = self.family_before_to();
        self.expect("to")?;
        let (mut address, mut port) = (None, None);
        if self.take_sign(Sign::Colon) {
            port = Some(self.statement_expression()?);
        } else {
            address = Some(self.statement_expression()?);
            if self.take_sign(Sign::Colon) {
                port = Some(self.statement_expression()?);
            }
        }
        Ok(StatementKind::Tproxy { family, address, port })
    }

    fn synproxy(&mut self) -> Parsed<StatementKind<'t>> {
        self.advance();
        if self.take(b"name") {
            return Ok(StatementKind::SynproxyReference(self.statement_expression()?));
        }
        Ok(StatementKind::Synproxy(self.synproxy_options()?))
    }

    /// `mss 1460 wscale 7 timestamp sack-perm`.
    fn synproxy_options(&mut self) -> Parsed<Synproxy> {
        let mut synproxy = Synproxy::default();
        loop {
            match self.word() {
                b"mss" | b"maxseg" => {
                    self.advance();
                    synproxy.mss = Some(self.number32()?);
                }
                b"wscale" => {
                    self.advance();
                    synproxy.wscale = Some(self.number32()?);
                }
                b"timestamp" => {
                    self.advance();
                    synproxy.timestamp = true;
                }
                b"sack-perm" | b"sack-permitted" => {
                    self.advance();
                    synproxy.sack_perm = true;
                }
                _ => return Ok(synproxy),
            }
        }
    }

    fn queue(&mut self) -> Parsed<StatementKind<'t>> {
        self.advance();
        let (mut number, mut flags) = (None, Vec::new());
        loop {
            match self.word() {
                b"num" => {
                    self.advance();
                    let found = self.statement_expression()?;
                    if !matches!(found.kind, Expressed::Word(_) | Expressed::Range(..) | Expressed::Variable(..)) {
                        return Err(self.unexpected("a number or a range before it"));
                    }
                    number = Some(found);
                }
                b"to" => {
                    self.advance();
                    let found = self.statement_expression()?;
                    if let Expressed::Meta(_) = found.kind {
                        return Err(self.unexpected("`.` or `map`"));
                    }
                    number = Some(found);
                }
                b"flags" => {
                    self.advance();
                    if QueueFlag::from_keyword(self.word()).is_none() {
                        return Err(self.unexpected("`bypass` or `fanout`"));
                    }
                }
                word => {
                    let Some(flag) = QueueFlag::from_keyword(word) else { break };
                    self.advance();
                    flags.push(flag);
                    if self.take_sign(Sign::Comma) && QueueFlag::from_keyword(self.word()).is_none() {
                        return Err(self.unexpected("`bypass` or `fanout`"));
                    }
                }
            }
        }
        Ok(StatementKind::Queue { number, flags })
    }

    fn dup(&mut self) -> Parsed<StatementKind<'t>> {
        self.advance();
        self.expect("to")?;
        let to = Some(self.statement_expression()?);
        let device = if self.take(b"device") { Some(self.statement_expression()?) } else { None };
        Ok(StatementKind::Dup { to, device })
    }

    fn forward(&mut self) -> Parsed<StatementKind<'t>> {
        self.advance();
        let family = self.family_before_to();
        self.expect("to")?;
        let found = self.statement_expression()?;
        if family.is_none() {
            return Ok(StatementKind::Forward { family, to: None, device: found });
        }
        self.expect("device")?;
        let device = self.statement_expression()?;
        Ok(StatementKind::Forward { family, to: Some(found), device })
    }

    fn flow(&mut self) -> Parsed<StatementKind<'t>> {
        self.advance();
        if !(self.take(b"add") || self.take(b"offload")) {
            return Err(self.unexpected("`add` or `offload`"));
        }
        self.expect_sign(Sign::At, "`@`")?;
        Ok(StatementKind::FlowOffload(self.string()?))
    }

    fn meter(&mut self) -> Parsed<StatementKind<'t>> {
        self.advance();
        let name = self.name()?;
        let size = if self.take(b"size") { Some(self.number32()?) } else { None };
        self.expect_sign(Sign::OpenBrace, "`{`")?;
        let key = self.concatenation(Side::Left)?;
        let options = self.element_options(false)?;
        let statements = self.inner_statements()?;
        self.expect_sign(Sign::CloseBrace, "`}`")?;
        Ok(StatementKind::Meter { name, size, key, options, statements })
    }

    /// `add @set { … }`.
    fn set_statement(&mut self) -> Parsed<StatementKind<'t>> {
        let action = self.set_action()?;
        let set = self.set_name()?;
        self.expect_sign(Sign::OpenBrace, "`{`")?;
        let key = self.concatenation(Side::Left)?;
        let options = self.element_options(false)?;
        let statements = self.inner_statements()?;
        let value = if self.take_sign(Sign::Colon) { Some(self.map_value()?) } else { None };
        self.expect_sign(Sign::CloseBrace, "`}`")?;
        Ok(StatementKind::SetStatement { action, set, key, options, value, statements })
    }

    fn map_value(&mut self) -> Parsed<Expression<'t>> {
        let start = self.here();
        match self.verdict()? {
            Some(verdict) => Ok(Expression { at: self.since(start), kind: Expressed::Verdict(verdict) }),
            None => self.statement_expression(),
        }
    }

    /// `set add ip saddr @s`.
    fn old_set_statement(&mut self) -> Parsed<StatementKind<'t>> {
        self.advance();
        let action = self.set_action()?;
        let key = self.concatenation(Side::Left)?;
        let options = self.element_options(false)?;
        let set = self.set_name()?;
        Ok(StatementKind::SetStatement { action, set, key, options, value: None, statements: Vec::new() })
    }

    fn set_action(&mut self) -> Parsed<SetAction> {
        let Some(action) = SetAction::from_keyword(self.word()) else {
            return Err(self.unexpected("`add`, `update` or `delete`"));
        };
        self.advance();
        Ok(action)
    }

    fn set_name(&mut self) -> Parsed<Name<'t>> {
        if self.is_sign(Sign::Dollar) {
            return self.variable_name("no set");
        }
        let start = self.here();
        self.expect_sign(Sign::At, "`@`")?;
        let name = self.name()?;
        Ok(Name { text: name.text, at: self.since(start) })
    }
}

/// Flags that are listed, as one value.
fn joined(list: Expression<'_>) -> Expression<'_> {
    let Expression { at, kind } = list;
    let Expressed::List(members) = kind else { return Expression { at, kind } };
    let whole = members.into_iter().reduce(|left, right| {
        let at = Span { end: right.at.end, ..left.at };
        Expression { at, kind: Expressed::Binary(Binary::Or, Box::new(left), Box::new(right)) }
    });
    whole.unwrap_or(Expression { at, kind: Expressed::List(Vec::new()) })
}
