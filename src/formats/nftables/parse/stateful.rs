//! Statements that count: in rules, elements, sets and objects.

use super::super::lex::{Kind, Sign};
use super::super::syntax::{Limit, LimitUnit, Quota, Statement, StatementKind};
use super::values::{bytes_in, rate_unit};
use super::{Parsed, Parser};

impl<'t> Parser<'_, 't> {
    /// `counter`, `limit`, `quota`, `last` and `ct count`, if one of them is next.
    pub(super) fn stateful(&mut self) -> Parsed<Option<StatementKind<'t>>> {
        let statement = match self.word() {
            b"counter" => {
                self.advance();
                if self.take(b"name") {
                    StatementKind::CounterReference(self.statement_expression()?)
                } else {
                    let (packets, bytes) = self.counts()?;
                    StatementKind::Counter { packets, bytes }
                }
            }
            b"limit" => {
                self.advance();
                if self.take(b"name") {
                    StatementKind::LimitReference(self.statement_expression()?)
                } else {
                    self.expect("rate")?;
                    StatementKind::Limit(self.limit()?)
                }
            }
            b"quota" => {
                self.advance();
                if self.take(b"name") {
                    StatementKind::QuotaReference(self.statement_expression()?)
                } else {
                    StatementKind::Quota(self.quota()?)
                }
            }
            b"last" => {
                self.advance();
                let used = self.take(b"used");
                let never = used && self.take(b"never");
                StatementKind::Last(if used && !never { Some(self.time()?) } else { None })
            }
            b"ct" => {
                let second = self.peek_second();
                if self.text(second) != b"count" {
                    return Ok(None);
                }
                self.advance();
                self.advance();
                let over = self.take(b"over");
                StatementKind::ConnectionLimit { over, count: self.number32()? }
            }
            _ => return Ok(None),
        };
        Ok(Some(statement))
    }

    /// Those that follow, one behind the other.
    pub(super) fn stateful_list(&mut self) -> Parsed<Vec<Statement<'t>>> {
        let mut found = Vec::new();
        loop {
            let start = self.here();
            let Some(kind) = self.stateful()? else { return Ok(found) };
            found.push(Statement { at: self.since(start), kind });
        }
    }

    /// The statements before the brace that ends a meter or a set statement.
    pub(super) fn inner_statements(&mut self) -> Parsed<Vec<Statement<'t>>> {
        let mut found = Vec::new();
        while !matches!(self.peek().kind, Kind::Sign(Sign::CloseBrace | Sign::Colon)) {
            let start = self.here();
            let kind = self.nested(Self::statement)?;
            found.push(Statement { at: self.since(start), kind });
        }
        Ok(found)
    }

    /// `packets 5 bytes 300`, as far as it is there.
    pub(super) fn counts(&mut self) -> Parsed<(u64, u64)> {
        let (mut packets, mut bytes) = (0, 0);
        loop {
            if self.take(b"packets") {
                packets = self.number()?;
            } else if self.take(b"bytes") {
                bytes = self.number()?;
            } else {
                return Ok((packets, bytes));
            }
        }
    }

    /// What follows `rate`.
    pub(super) fn limit(&mut self) -> Parsed<Limit> {
        let over = self.take(b"over");
        if !over {
            self.take(b"until");
        }
        let rate = self.number()?;
        if self.take_sign(Sign::Slash) {
            let per = self.limit_unit()?;
            let mut burst = None;
            if self.take(b"burst") {
                let packets = self.number()?;
                self.expect("packets")?;
                if packets == 0 {
                    return Err(self.refused("packet limit burst must be > 0".to_owned()));
                }
                burst = Some(packets);
            }
            return Ok(Limit { over, rate, bytes: false, per, burst });
        }
        // `10 mbytes/second` is two words and a unit, `10 mbytes/second` written as one word another.
        let word = self.unit()?;
        let (factor, per) = match rate_unit(word) {
            Some(found) => found,
            None => {
                let Some(factor) = bytes_in(word) else {
                    return Err(self.refused(format!("wrong unit {}", crate::text::escape(word))));
                };
                self.expect_sign(Sign::Slash, "`/`")?;
                (factor, self.limit_unit()?)
            }
        };
        let burst = if self.take(b"burst") { Some(self.byte_count()?) } else { None };
        Ok(Limit { over, rate: self.times(rate, factor)?, bytes: true, per, burst })
    }

    fn limit_unit(&mut self) -> Parsed<LimitUnit> {
        let Some(unit) = LimitUnit::from_keyword(self.word()) else {
            return Err(self.unexpected("`second`, `minute`, `hour`, `day` or `week`"));
        };
        self.advance();
        Ok(unit)
    }

    /// What follows `quota`.
    pub(super) fn quota(&mut self) -> Parsed<Quota> {
        let over = self.take(b"over");
        if !over {
            self.take(b"until");
        }
        let bytes = self.byte_count()?;
        let used = if self.take(b"used") { self.byte_count()? } else { 0 };
        Ok(Quota { over, bytes, used })
    }

    /// `10 mbytes`.
    fn byte_count(&mut self) -> Parsed<u64> {
        let number = self.number()?;
        let word = self.unit()?;
        let Some(factor) = bytes_in(word) else {
            return Err(self.refused(format!("wrong unit {}", crate::text::escape(word))));
        };
        self.times(number, factor)
    }

    fn unit(&mut self) -> Parsed<&'t [u8]> {
        let token = self.peek();
        if token.kind != Kind::Word {
            return Err(self.unexpected("a unit such as `bytes` or `mbytes/second`"));
        }
        self.advance();
        Ok(self.text(token))
    }

    fn times(&self, number: u64, factor: u64) -> Parsed<u64> {
        number.checked_mul(factor).ok_or_else(|| self.refused("the number is too large".to_owned()))
    }
}
