//! Expressions: operators, concatenations, ranges, lists, maps.

use super::super::lex::{Kind, Sign};
use super::super::syntax::{Binary, Expression, Kind as Expressed, Name};
use super::{Defined, Parsed, Parser, Refusal};
use crate::text::Span;
use std::rc::Rc;

/// Where an expression stands, which decides what a word can mean there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// What is looked at: selectors.
    Left,
    /// What it is compared with: constants.
    Right,
    /// The operand of a statement: either.
    Statement,
}

/// Binary operators, loosest first.
const OPERATORS: [&[(Sign, Binary)]; 4] = [
    &[(Sign::Or, Binary::Or)],
    &[(Sign::Xor, Binary::Xor)],
    &[(Sign::And, Binary::And)],
    &[(Sign::ShiftLeft, Binary::ShiftLeft), (Sign::ShiftRight, Binary::ShiftRight)],
];

impl<'t> Parser<'_, 't> {
    /// `a . b . c`.
    pub(super) fn concatenation(&mut self, side: Side) -> Parsed<Expression<'t>> {
        let start = self.here();
        let first = self.interval(side)?;
        if !self.is_sign(Sign::Dot) {
            return Ok(first);
        }
        let mut parts = vec![first];
        while self.take_sign(Sign::Dot) {
            parts.push(self.interval(side)?);
        }
        Ok(Expression { at: self.since(start), kind: Expressed::Concatenation(parts) })
    }

    /// A value, a range of them or a prefix; selectors have only the first.
    fn interval(&mut self, side: Side) -> Parsed<Expression<'t>> {
        let start = self.here();
        let low = self.basic(side)?;
        if side == Side::Left {
            return Ok(low);
        }
        if self.is_sign(Sign::Dash) {
            self.advance();
            let high = self.basic(side)?;
            return Ok(Expression { at: self.since(start), kind: Expressed::Range(Box::new(low), Box::new(high)) });
        }
        if self.is_sign(Sign::Slash) {
            let second = self.peek_second();
            if second.kind == Kind::Number {
                self.advance();
                let length = self.primary(Side::Right)?;
                let kind = Expressed::Prefix(Box::new(low), Box::new(length));
                return Ok(Expression { at: self.since(start), kind });
            }
        }
        Ok(low)
    }

    /// Operators between primary expressions.
    fn basic(&mut self, side: Side) -> Parsed<Expression<'t>> {
        self.binary(side, 0)
    }

    fn binary(&mut self, side: Side, level: usize) -> Parsed<Expression<'t>> {
        let Some(operators) = OPERATORS.get(level) else { return self.primary(side) };
        let start = self.here();
        let mut left = self.binary(side, level + 1)?;
        let mut terms = 0;
        loop {
            let Kind::Sign(sign) = self.peek().kind else { return Ok(left) };
            let Some((_, operator)) = operators.iter().find(|(known, _)| *known == sign) else { return Ok(left) };
            self.advance();
            terms += 1;
            if terms > MOST_TERMS {
                return Err(self.refused(format!("more than {MOST_TERMS} operators in a row")));
            }
            // What a selector is masked with is a constant; newer versions take selectors there as well.
            let other = if side == Side::Left { Side::Statement } else { side };
            let right = self.binary(other, level + 1)?;
            let kind = Expressed::Binary(*operator, Box::new(left), Box::new(right));
            left = Expression { at: self.since(start), kind };
        }
    }

    /// The right side of a comparison: a value, a set, the reference to one.
    pub(super) fn right(&mut self) -> Parsed<Expression<'t>> {
        match self.peek().kind {
            Kind::Sign(Sign::OpenBrace) => self.set_expression(),
            Kind::Sign(Sign::At) => self.set_reference_or_variable(),
            _ => self.concatenation(Side::Right),
        }
    }

    /// The same, or several values with commas between.
    pub(super) fn right_or_list(&mut self) -> Parsed<Expression<'t>> {
        let start = self.here();
        let first = self.right()?;
        if !self.is_sign(Sign::Comma) {
            return Ok(first);
        }
        let mut members = vec![first];
        while self.take_sign(Sign::Comma) {
            members.push(self.basic(Side::Right)?);
        }
        Ok(Expression { at: self.since(start), kind: Expressed::List(members) })
    }

    /// What a variable can be defined as.
    pub(super) fn initializer(&mut self) -> Parsed<Expression<'t>> {
        let start = self.here();
        if self.is_sign(Sign::Dash) {
            self.advance();
            let number = self.number()?;
            let text = format!("-{number}").into_bytes();
            return Ok(Expression { at: self.since(start), kind: Expressed::Word(text.into()) });
        }
        if self.is_sign(Sign::OpenBrace) && self.peek_second().kind == Kind::Sign(Sign::CloseBrace) {
            self.advance();
            self.advance();
            let nothing = Expressed::Set(Box::default());
            return Ok(Expression { at: self.since(start), kind: nothing });
        }
        if let Some(verdict) = self.verdict()? {
            return Ok(Expression { at: self.since(start), kind: Expressed::Verdict(verdict) });
        }
        self.right_or_list()
    }

    /// What a statement takes: an address to translate to, a mark to set.
    pub(super) fn statement_expression(&mut self) -> Parsed<Expression<'t>> {
        self.nested(|parser| {
            let start = parser.here();
            let mut found = parser.concatenation(Side::Statement)?;
            if parser.is(b"map") {
                found = parser.map_of(found, Side::Statement)?;
            }
            if !parser.is_sign(Sign::Comma) || !parser.list_goes_on() {
                return Ok(found);
            }
            let mut members = vec![found];
            while parser.is_sign(Sign::Comma) && parser.list_goes_on() {
                parser.advance();
                members.push(parser.basic(Side::Statement)?);
            }
            Ok(Expression { at: parser.since(start), kind: Expressed::List(members) })
        })
    }

    /// Whether the word behind the comma belongs to the list (and is no flag of the statement).
    fn list_goes_on(&mut self) -> bool {
        let second = self.peek_second();
        match second.kind {
            Kind::Word => !matches!(self.text(second), b"random" | b"fully-random" | b"persistent"),
            Kind::Number | Kind::Quoted | Kind::Sign(Sign::Dollar) => true,
            Kind::Bracketed | Kind::Pattern | Kind::Newline | Kind::Sign(_) | Kind::Junk | Kind::End => false,
        }
    }

    /// `map { … }` or `map @name`, the key being read.
    pub(super) fn map_of(&mut self, key: Expression<'t>, side: Side) -> Parsed<Expression<'t>> {
        self.expect("map")?;
        let start = key.at;
        let map = match self.peek().kind {
            Kind::Sign(Sign::OpenBrace) => self.set_expression()?,
            Kind::Sign(Sign::At | Sign::Dollar) => self.set_reference_or_variable()?,
            _ if side == Side::Right => self.right()?,
            _ => return Err(self.unexpected("`{` or `@`")),
        };
        Ok(Expression { at: self.since(start), kind: Expressed::Map(Box::new(key), Box::new(map)) })
    }

    /// `{ … }`.
    pub(super) fn set_expression(&mut self) -> Parsed<Expression<'t>> {
        let start = self.here();
        let elements = self.elements()?;
        Ok(Expression { at: self.since(start), kind: Expressed::Set(Box::new(elements)) })
    }

    /// `@name` or `$name`.
    pub(super) fn set_reference_or_variable(&mut self) -> Parsed<Expression<'t>> {
        if self.is_sign(Sign::Dollar) {
            return self.variable();
        }
        let start = self.here();
        self.expect_sign(Sign::At, "`{`, `@` or `$`")?;
        let name = self.name()?;
        let at = self.since(start);
        Ok(Expression { at, kind: Expressed::SetReference(Name { text: name.text, at }) })
    }

    /// `$name`, with what it is defined as.
    pub(super) fn variable(&mut self) -> Parsed<Expression<'t>> {
        let start = self.here();
        self.expect_sign(Sign::Dollar, "`$`")?;
        let name = self.name()?;
        let Some(Defined { value, depth, size }) = self.defined(&name.text) else {
            let known: Vec<_> = self.scopes.iter().flatten().map(|(known, _)| crate::text::escape(known)).collect();
            let known: Vec<_> = known.iter().map(String::as_str).collect();
            let near = crate::text::suggest(&name.show(), &known);
            let near = if near.starts_with("did you mean") { format!("; {near}") } else { String::new() };
            let reason = format!("unknown identifier '{}'{near}", name.show());
            return Err(Box::new(Refusal { at: name.at, reason }));
        };
        let used = (self.used.0.max(*depth), self.used.1.saturating_add(*size));
        let kind = Expressed::Variable(name.text, Rc::clone(value));
        self.used = used;
        Ok(Expression { at: self.since(start), kind })
    }

    /// A variable that stands for a name.
    pub(super) fn variable_name(&mut self, otherwise: &str) -> Parsed<Name<'t>> {
        let variable = self.variable()?;
        let at: Span = variable.at;
        match &variable.resolved().kind {
            Expressed::Word(text) | Expressed::Quoted(text) => Ok(Name { text: text.clone(), at }),
            Expressed::SetReference(name) => Ok(Name { text: name.text.clone(), at }),
            _ => Err(Box::new(Refusal { at, reason: format!("the variable is {otherwise}") })),
        }
    }
}

/// So many terms may be joined by operators; the tree that they make is as deep.
const MOST_TERMS: usize = 64;
