//! Rules: statements and a comment.

use super::super::lex::{Kind, Sign};
use super::super::runs;
use super::super::syntax::{ChainPath, Command, Jump, Rule, Statement, StatementKind, Verb, Verdict};
use super::{MOST_ELEMENTS, MOST_LINES, Parsed, Parser, Refusal, span};
use crate::formats::Disposition;
use crate::text::Span;

impl<'t> Parser<'_, 't> {
    /// The rule of a chain that is next, and those in the lines behind it as far as their shapes are known. `begun`: where the
    /// command begins that stands before the rule, and before each in the lines behind it.
    pub(super) fn rules(
        &mut self,
        begun: Option<Span>,
        path: &ChainPath<'t>,
        commands: &mut Vec<Command<'t>>,
    ) -> Parsed<()> {
        let start = self.here();
        if self.runs(begun, path, commands) {
            return Ok(());
        }
        self.claim_to_here(start.start as usize, start.source);
        let before = self.account.claims.len();
        let rule = self.rule()?;
        let text = self.files.last().filter(|file| file.source == start.source).map(|file| file.text);
        let rule = match text {
            Some(text) if self.prefix(begun, start).is_some() => match self.shapes.learn(text, rule) {
                Ok(()) => {
                    // Read as the first of its shape: what became of it is said with the others.
                    self.account.claims.truncate(before);
                    self.ahead = None;
                    if let Some(file) = self.files.last_mut() {
                        file.at = start.start as usize;
                    }
                    assert!(self.runs(begun, path, commands), "a rule is of its own shape");
                    return Ok(());
                }
                Err(rule) => rule,
            },
            Some(_) | None => rule,
        };
        let at = begun.map_or(rule.at, |begun| self.since(begun));
        commands.push(Command { at, verb: Verb::AddRule(path.clone(), None, rule) });
        Ok(())
    }

    /// Takes lines of known shapes; whether there was one.
    fn runs(&mut self, begun: Option<Span>, path: &ChainPath<'t>, commands: &mut Vec<Command<'t>>) -> bool {
        let start = self.here();
        let most = MOST_LINES - self.lines;
        let Some(prefix) = self.prefix(begun, start) else { return false };
        let Some(file) = self.files.last_mut().filter(|_| self.fixed.is_none()) else { return false };
        let from = runs::Start { source: file.source, text: file.text, at: start.start as usize, prefix };
        let mut comments = Vec::new();
        let found = runs::runs(&from, self.shapes, file.earlier.as_mut(), most, &mut comments);
        let Some(end) = found.last().map(|run| run.at.end as usize) else { return false };
        self.claim_to_here(from.at, from.source);
        for comment in comments {
            self.account.claim(span(from.source, comment.start, comment.end), runs::COMMENT);
        }
        if !prefix.is_empty() {
            for place in found.iter().flat_map(runs::Run::places).skip(1) {
                let start = place.start as usize;
                self.account.claim(span(from.source, start - prefix.len(), start), Disposition::Modelled);
            }
        }
        if let Some(file) = self.files.last_mut() {
            (file.at, file.claimed) = (end, end);
        }
        self.ahead = None;
        self.last = span(from.source, end - 1, end);
        self.lines += found.iter().map(runs::Run::len).sum::<usize>().min(most);
        commands.extend(found.into_iter().map(|run| {
            let path = if prefix.is_empty() { path.clone() } else { path.moved(run.at.start - start.start) };
            Command { at: run.at, verb: Verb::AddRun(path, run) }
        }));
        true
    }

    /// What stands before a rule, if it means the same wherever it stands.
    fn prefix(&self, begun: Option<Span>, start: Span) -> Option<&'t [u8]> {
        let Some(begun) = begun else { return Some(b"") };
        let file = self.files.last().filter(|file| file.source == start.source && begun.source == start.source)?;
        let prefix = file.text.get(begun.start as usize..start.start as usize)?;
        let plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b' ' | b'\t' | b'_' | b'-' | b'.');
        prefix.iter().all(plain).then_some(prefix)
    }

    pub(super) fn rule(&mut self) -> Parsed<Rule<'t>> {
        self.count_tree()?;
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
