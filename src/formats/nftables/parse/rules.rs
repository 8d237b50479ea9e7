//! Rules: statements and a comment.

use super::super::lex::{Kind, Sign};
use super::super::syntax::{Jump, Rule, Statement, StatementKind, Verdict};
use super::{MOST_ELEMENTS, Parsed, Parser, Refusal};
use crate::formats::Disposition;

impl<'t> Parser<'_, 't> {
    pub(super) fn rule(&mut self) -> Parsed<Rule<'t>> {
        let start = self.here();
        self.used = (0, 0);
        let statements = self.statement_list()?;
        if self.used.1 > MOST_ELEMENTS {
            let reason = format!("the variables in this rule stand for more than {MOST_ELEMENTS} elements");
            return Err(Box::new(Refusal { at: self.since(start), reason }));
        }
        let mut comment = None;
        if self.is(b"comment") {
            let at = self.here();
            self.advance();
            comment = Some(self.comment_text()?);
            self.claim_since(at, Disposition::Inert("comment"));
        }
        Ok(Rule { at: self.since(start), statements, comment, handle: None })
    }

    /// At least one statement.
    pub(super) fn statement_list(&mut self) -> Parsed<Vec<Statement<'t>>> {
        let mut found = Vec::with_capacity(4);
        loop {
            let start = self.here();
            if self.fixed.is_none() {
                self.claim_to_here(start.start as usize, start.source);
            }
            let kind = self.statement()?;
            self.leave(start);
            found.push(Statement { at: self.since(start), kind });
            match self.peek().kind {
                Kind::End | Kind::Newline | Kind::Sign(Sign::Semicolon | Sign::CloseBrace) => return Ok(found),
                Kind::Word if self.is(b"comment") => return Ok(found),
                _ => {}
            }
        }
    }

    /// What follows `jump` or `goto`: a chain, a variable that is one, or a chain without a name.
    pub(super) fn jump(&mut self) -> Parsed<Jump<'t>> {
        if self.is_sign(Sign::Dollar) {
            return self.variable_name("no chain").map(Jump::Chain);
        }
        if !self.is_sign(Sign::OpenBrace) {
            return self.name().map(Jump::Chain);
        }
        let brace = self.here();
        self.advance();
        let within = std::mem::replace(&mut self.unnamed, true);
        let rules = self.unnamed_chain();
        self.unnamed = within;
        if within {
            // It is read nevertheless, so that what follows it is.
            self.account.gap(brace, "too many levels of nesting");
        }
        rules.map(Jump::Block)
    }

    /// What is in the braces of a chain without a name.
    fn unnamed_chain(&mut self) -> Parsed<Vec<Rule<'t>>> {
        let mut rules = Vec::new();
        let claims = self.fixed.is_none();
        self.nested(|parser| {
            loop {
                match parser.peek().kind {
                    Kind::Newline | Kind::Sign(Sign::Semicolon) => {
                        parser.advance();
                    }
                    Kind::Sign(Sign::CloseBrace) => {
                        parser.advance();
                        return Ok(());
                    }
                    Kind::End => return Err(parser.unexpected("`}`")),
                    _ => {
                        rules.push(parser.rule()?);
                        if claims || !parser.is_sign(Sign::CloseBrace) {
                            parser.separator()?;
                        }
                    }
                }
            }
        })?;
        Ok(rules)
    }

    /// The verdict that is next, if it is one.
    pub(super) fn verdict(&mut self) -> Parsed<Option<Verdict<'t>>> {
        let verdict = match self.word() {
            b"accept" => Verdict::Accept,
            b"drop" => Verdict::Drop,
            b"continue" => Verdict::Continue,
            b"return" => Verdict::Return,
            b"jump" => {
                self.advance();
                return self.jump().map(|to| Some(Verdict::Jump(to)));
            }
            b"goto" => {
                self.advance();
                return self.jump().map(|to| Some(Verdict::Goto(to)));
            }
            _ => return Ok(None),
        };
        self.advance();
        Ok(Some(verdict))
    }

    pub(super) fn verdict_statement(&mut self) -> Parsed<Option<StatementKind<'t>>> {
        Ok(self.verdict()?.map(StatementKind::Verdict))
    }
}
