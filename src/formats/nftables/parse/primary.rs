//! Primary expressions: selectors, constants, parentheses.

use super::super::lex::{Kind, Sign};
use super::super::syntax::{
    CtDirection, CtKey, Expression, ExtensionField, FibFlag, FibResult, Field, Header, IpOptionField, IpsecKey,
    Kind as Expressed, MetaKey, RtKey, SctpField, SocketKey, TcpOptionField,
};
use super::expressions::Side;
use super::values::decimal;
use super::{Parsed, Parser, Refusal, unquoted, words};
use crate::text::escape;

impl<'t> Parser<'_, 't> {
    /// One operand.
    pub(super) fn primary(&mut self, side: Side) -> Parsed<Expression<'t>> {
        let start = self.here();
        let token = self.peek();
        let text = self.text(token);
        let kind = match token.kind {
            Kind::Number => {
                self.advance();
                let number = decimal(text).ok_or_else(|| self.refused("the number is too large".to_owned()))?;
                let kept = if number == text { text.into() } else { number.into() };
                Expressed::Word(kept)
            }
            Kind::Quoted => {
                self.advance();
                Expressed::Quoted(unquoted(text).into())
            }
            Kind::Pattern => {
                self.advance();
                Expressed::Word(text.into())
            }
            Kind::Bracketed => {
                self.advance();
                Expressed::Word(unquoted(text).into())
            }
            Kind::Sign(Sign::Dollar) => return self.variable(),
            Kind::Sign(Sign::OpenParen) => {
                self.advance();
                let inner = self.nested(|parser| {
                    let found = parser.concatenation(if side == Side::Left { Side::Left } else { side })?;
                    parser.expect_sign(Sign::CloseParen, "`)`")?;
                    Ok(found)
                })?;
                return Ok(Expression { at: self.since(start), kind: inner.kind });
            }
            Kind::Sign(Sign::At) if side != Side::Right => self.raw_payload()?,
            Kind::Word => self.word_expression(side, text)?,
            Kind::Newline | Kind::Sign(_) | Kind::Junk | Kind::End => return Err(self.unexpected("an expression")),
        };
        Ok(Expression { at: self.since(start), kind })
    }

    fn word_expression(&mut self, side: Side, word: &'t [u8]) -> Parsed<Expressed<'t>> {
        if matches!(word, b"exists" | b"missing") {
            self.advance();
            return Ok(Expressed::Exists(word == b"exists"));
        }
        if side != Side::Right && self.begins_selector() && (side == Side::Left || self.selects(word)) {
            return self.selector(word);
        }
        if words::is_reserved(word) && (side == Side::Left || !words::is_value(word)) {
            return Err(self.unexpected("an expression"));
        }
        self.advance();
        Ok(Expressed::Word(word.into()))
    }

    /// Whether the next word begins a selector.
    pub(super) fn begins_selector(&mut self) -> bool {
        let word = self.word();
        match word {
            b"meta" | b"ct" | b"fib" | b"rt" | b"socket" | b"osf" | b"numgen" | b"jhash" | b"symhash" | b"ipsec"
            | b"exthdr" | b"gretap" => true,
            _ => {
                MetaKey::find(word).is_some_and(MetaKey::stands_alone)
                    || Header::from_keyword(word).is_some()
                    || ExtensionField::ALL.iter().any(|field| field.header().as_bytes() == word)
            }
        }
    }

    /// Whether the word, which may also be a value, is followed by what makes it a selector.
    fn selects(&mut self, word: &[u8]) -> bool {
        let second = self.peek_second();
        let next = self.text(second);
        if !words::is_value(word) && Header::from_keyword(word).is_none() {
            return true;
        }
        match Header::from_keyword(word) {
            Some(header) => {
                Field::find(header, next).is_some()
                    || matches!(next, b"option" | b"chunk" | b"hdrversion" | b"saddr" | b"daddr")
            }
            None => false,
        }
    }

    fn selector(&mut self, word: &'t [u8]) -> Parsed<Expressed<'t>> {
        self.advance();
        match word {
            b"meta" => {
                let key = self.word();
                let Some(found) = MetaKey::find(key) else {
                    let known: Vec<_> = MetaKey::ALL.iter().map(|key| key.keyword()).collect();
                    return Err(self.unexpected(&format!("one of {}", known.join(", "))));
                };
                self.advance();
                Ok(Expressed::Meta(found))
            }
            b"ct" => self.ct(),
            b"fib" => self.fib(),
            b"rt" => self.rt(),
            b"socket" => {
                let Some(key) = SocketKey::from_keyword(self.word()) else {
                    return Err(self.unexpected("`transparent`, `mark`, `wildcard` or `cgroupv2`"));
                };
                self.advance();
                let mut level = None;
                if key == SocketKey::Cgroupv2 {
                    self.expect("level")?;
                    level = Some(self.number32()?);
                }
                Ok(Expressed::Socket(key, level))
            }
            b"osf" => self.osf(),
            b"numgen" => {
                let incremental = self.take(b"inc");
                if !incremental {
                    self.expect("random")?;
                }
                self.expect("mod")?;
                let modulus = self.number()?;
                Ok(Expressed::Numgen { incremental, modulus, offset: self.offset()? })
            }
            b"jhash" => {
                let key = Box::new(self.nested(|parser| parser.concatenation(Side::Left))?);
                self.expect("mod")?;
                let modulus = self.number()?;
                let seed = if self.take(b"seed") { Some(self.number()?) } else { None };
                Ok(Expressed::Jhash { key, modulus, seed, offset: self.offset()? })
            }
            b"symhash" => {
                self.expect("mod")?;
                let modulus = self.number()?;
                Ok(Expressed::Symhash { modulus, offset: self.offset()? })
            }
            b"ipsec" if self.is(b"in") || self.is(b"out") => self.ipsec(),
            b"exthdr" => {
                let name = self.word();
                if !matches!(name, b"hbh" | b"frag" | b"rt" | b"dst" | b"mh" | b"srh" | b"rt0" | b"rt2") {
                    return Err(self.unexpected("an extension header"));
                }
                self.advance();
                Ok(Expressed::ExtensionHeader(name.into()))
            }
            _ => {
                if let Some(key) = MetaKey::find(word).filter(|key| key.stands_alone()) {
                    return Ok(Expressed::Meta(key));
                }
                match Header::from_keyword(word) {
                    Some(header) => self.header(header),
                    None if word == b"gretap" => Ok(Expressed::Inner("gretap", Box::new(self.primary(Side::Left)?))),
                    None => self.extension(word),
                }
            }
        }
    }

    fn header(&mut self, header: Header) -> Parsed<Expressed<'t>> {
        match (header, self.word()) {
            (Header::Tcp, b"option") => {
                self.advance();
                return self.tcp_option();
            }
            (Header::Ip, b"option") => {
                self.advance();
                let option = self.option_name()?;
                let field = IpOptionField::from_keyword(self.word());
                if field.is_some() {
                    self.advance();
                }
                return Ok(Expressed::IpOption { option: option.into(), field });
            }
            (Header::Sctp, b"chunk") => {
                self.advance();
                let chunk = self.option_name()?;
                let field = SctpField::from_keyword(self.word());
                if field.is_some() {
                    self.advance();
                }
                return Ok(Expressed::SctpChunk { chunk: chunk.into(), field });
            }
            (Header::Dccp, b"option") => {
                self.advance();
                return Ok(Expressed::DccpOption(self.number32()?));
            }
            (Header::Arp, b"saddr" | b"daddr") => {
                let side = self.word();
                self.advance();
                let field = match (side, self.word()) {
                    (b"saddr", b"ip") => Field::ArpSaddrIp,
                    (b"saddr", b"ether") => Field::ArpSaddrEther,
                    (_, b"ip") => Field::ArpDaddrIp,
                    (_, b"ether") => Field::ArpDaddrEther,
                    _ => return Err(self.unexpected("`ip` or `ether`")),
                };
                self.advance();
                return Ok(Expressed::Payload(field));
            }
            (Header::Geneve | Header::Vxlan | Header::Gre, inner)
                if Field::find(header, inner).is_none() && self.begins_selector() =>
            {
                let inner = self.nested(|parser| parser.primary(Side::Left))?;
                return Ok(Expressed::Inner(header.keyword(), Box::new(inner)));
            }
            (Header::Icmpv6, b"param-problem") => {
                self.advance();
                return Ok(Expressed::Payload(Field::Icmpv6ParameterProblem));
            }
            (Header::Icmpv6, b"mtu") => {
                self.advance();
                return Ok(Expressed::Payload(Field::Icmpv6PacketTooBig));
            }
            _ => {}
        }
        let Some(field) = Field::find(header, self.word()) else {
            let of = Field::ALL.iter().filter(|field| field.header() == header);
            let known: Vec<_> = of.map(|field| field.name()).collect();
            return Err(self.unexpected(&format!("a field of {}: {}", header.keyword(), known.join(", "))));
        };
        self.advance();
        Ok(Expressed::Payload(field))
    }

    fn option_name(&mut self) -> Parsed<&'t [u8]> {
        let token = self.peek();
        if !matches!(token.kind, Kind::Word | Kind::Number) {
            return Err(self.unexpected("an option"));
        }
        self.advance();
        Ok(self.text(token))
    }

    fn tcp_option(&mut self) -> Parsed<Expressed<'t>> {
        if self.take_sign(Sign::At) {
            let option = self.number32()?;
            self.expect_sign(Sign::Comma, "`,`")?;
            let offset = self.number32()?;
            self.expect_sign(Sign::Comma, "`,`")?;
            return Ok(Expressed::RawTcpOption { option, offset, length: self.number32()? });
        }
        let start = self.here();
        let option = self.option_name()?;
        let known = match option {
            b"mss" => &b"maxseg"[..],
            b"noop" => b"nop",
            b"sack-permitted" => b"sack-perm",
            b"echo" | b"eol" | b"maxseg" | b"nop" | b"sack" | b"sack0" | b"sack1" | b"sack2" | b"sack3"
            | b"sack-perm" | b"timestamp" | b"fastopen" | b"mptcp" | b"md5sig" | b"window" => option,
            number if number.iter().all(u8::is_ascii_digit) => option,
            _ => {
                let reason = format!("`{}` is no TCP option that nft knows", escape(option));
                return Err(Box::new(Refusal { at: start, reason }));
            }
        };
        let field = TcpOptionField::from_keyword(self.word());
        // `size` and `length` may also belong to what follows, but no statement begins with them.
        if field.is_some() {
            self.advance();
        }
        Ok(Expressed::TcpOption { option: known.into(), field })
    }

    fn ct(&mut self) -> Parsed<Expressed<'t>> {
        let direction = CtDirection::from_keyword(self.word());
        if direction.is_some() {
            self.advance();
        }
        let word = self.word();
        if direction.is_some() && matches!(word, b"ip" | b"ip6") {
            self.advance();
            let key = match (word, self.word()) {
                (b"ip", b"saddr") => CtKey::IpSaddr,
                (b"ip", b"daddr") => CtKey::IpDaddr,
                (_, b"saddr") => CtKey::Ip6Saddr,
                (_, b"daddr") => CtKey::Ip6Daddr,
                _ => return Err(self.unexpected("`saddr` or `daddr`")),
            };
            self.advance();
            return Ok(Expressed::Ct(key, direction));
        }
        let Some(key) = CtKey::from_keyword(word) else {
            let one_word = CtKey::ALL.iter().map(|key| key.keyword()).filter(|word| !word.contains(' '));
            let known: Vec<_> = one_word.collect();
            return Err(self.unexpected(&format!("one of {}", known.join(", "))));
        };
        self.advance();
        Ok(Expressed::Ct(key, direction))
    }

    fn fib(&mut self) -> Parsed<Expressed<'t>> {
        let start = self.here();
        let mut flags = Vec::new();
        loop {
            let Some(flag) = FibFlag::from_keyword(self.word()) else {
                return Err(self.unexpected("`saddr`, `daddr`, `mark`, `iif` or `oif`"));
            };
            self.advance();
            flags.push(flag);
            if !self.take_sign(Sign::Dot) {
                break;
            }
        }
        let at = self.since(start);
        let has = |flag| flags.contains(&flag);
        let wrong = match (has(FibFlag::Saddr), has(FibFlag::Daddr), has(FibFlag::Iif) && has(FibFlag::Oif)) {
            (false, false, _) => Some("fib: need either saddr or daddr"),
            (true, true, _) => Some("fib: saddr and daddr are mutually exclusive"),
            (_, _, true) => Some("fib: iif and oif are mutually exclusive"),
            _ => None,
        };
        if let Some(reason) = wrong {
            return Err(Box::new(Refusal { at, reason: reason.to_owned() }));
        }
        let Some(result) = FibResult::from_keyword(self.word()) else {
            return Err(self.unexpected("`oif`, `oifname` or `type`"));
        };
        self.advance();
        Ok(Expressed::Fib { flags, result })
    }

    fn rt(&mut self) -> Parsed<Expressed<'t>> {
        let word = self.word();
        if let Some(field) = ExtensionField::find(b"rt", word) {
            self.advance();
            return Ok(Expressed::Extension(field, None));
        }
        let key = match word {
            b"ip" | b"ip6" => {
                self.advance();
                match (word, self.word()) {
                    (b"ip", b"nexthop") => Some(RtKey::IpNexthop),
                    (_, b"nexthop") => Some(RtKey::Ip6Nexthop),
                    (_, other) => RtKey::from_keyword(other),
                }
            }
            _ => RtKey::from_keyword(word),
        };
        let Some(key) = key else { return Err(self.unexpected("`classid`, `nexthop`, `mtu` or `ipsec`")) };
        self.advance();
        Ok(Expressed::Rt(key))
    }

    fn osf(&mut self) -> Parsed<Expressed<'t>> {
        let mut ttl = None;
        if self.take(b"ttl") {
            let word = self.word();
            if !matches!(word, b"loose" | b"skip") {
                return Err(self.unexpected("`loose` or `skip`"));
            }
            self.advance();
            ttl = Some(word.into());
        }
        let version = self.take(b"version");
        if !version {
            self.expect("name")?;
        }
        Ok(Expressed::Osf { version, ttl })
    }

    fn ipsec(&mut self) -> Parsed<Expressed<'t>> {
        let inbound = self.take(b"in");
        if !inbound {
            self.expect("out")?;
        }
        let number = if self.take(b"spnum") { self.number32()? } else { 0 };
        if number > 255 {
            return Err(self.refused("value too large".to_owned()));
        }
        let word = self.word();
        let key = match word {
            b"ip" | b"ip6" => {
                self.advance();
                match (word, self.word()) {
                    (b"ip", b"saddr") => Some(IpsecKey::IpSaddr),
                    (b"ip", b"daddr") => Some(IpsecKey::IpDaddr),
                    (_, b"saddr") => Some(IpsecKey::Ip6Saddr),
                    (_, b"daddr") => Some(IpsecKey::Ip6Daddr),
                    _ => None,
                }
            }
            _ => IpsecKey::from_keyword(word),
        };
        let Some(key) = key else { return Err(self.unexpected("`reqid`, `spi`, or an address")) };
        self.advance();
        Ok(Expressed::Ipsec { inbound, number, key })
    }

    fn extension(&mut self, header: &'t [u8]) -> Parsed<Expressed<'t>> {
        let Some(field) = ExtensionField::find(header, self.word()) else {
            let of = ExtensionField::ALL.iter().filter(|field| field.header().as_bytes() == header);
            let known: Vec<_> = of.map(|field| field.name()).collect();
            return Err(self.unexpected(&format!("a field of {}: {}", escape(header), known.join(", "))));
        };
        self.advance();
        let mut index = None;
        if self.take_sign(Sign::OpenBracket) {
            index = Some(self.number32()?);
            self.expect_sign(Sign::CloseBracket, "`]`")?;
        }
        Ok(Expressed::Extension(field, index))
    }

    /// `@th,16,16`.
    fn raw_payload(&mut self) -> Parsed<Expressed<'t>> {
        self.expect_sign(Sign::At, "`@`")?;
        let base = self.word();
        if !matches!(base, b"ll" | b"nh" | b"th" | b"ih") {
            return Err(self.unexpected("`ll`, `nh`, `th` or `ih`"));
        }
        self.advance();
        self.expect_sign(Sign::Comma, "`,`")?;
        let offset = self.number32()?;
        self.expect_sign(Sign::Comma, "`,`")?;
        let length = self.number32()?;
        Ok(Expressed::RawPayload { base: base.into(), offset, length })
    }

    fn offset(&mut self) -> Parsed<u64> {
        if self.take(b"offset") { self.number() } else { Ok(0) }
    }
}
