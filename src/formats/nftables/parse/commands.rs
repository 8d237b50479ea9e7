//! Lines of a file: commands, definitions and includes.

use super::super::include::Led;
use super::super::lex::{Kind, Sign};
use super::super::syntax::{
    Chain, Command, Declaration, Elements, Family, Found, Kind as Expressed, Listed, Name, ObjectKind, Path, Place,
    Verb,
};
use super::{
    Defined, MOST_ELEMENTS, MOST_ERRORS, MOST_INCLUDED, MOST_INCLUDES, MOST_LINES, MOST_NESTED, MOST_PASSED,
    MOST_TREES, Parsed, Parser, Refusal, unquoted,
};
use crate::formats::Disposition;
use crate::text::Span;
use std::rc::Rc;

impl<'t> Parser<'_, 't> {
    /// All lines.
    pub(super) fn file(&mut self) {
        loop {
            let start = self.here();
            match self.peek().kind {
                Kind::End => break,
                Kind::Newline | Kind::Sign(Sign::Semicolon) => {
                    self.advance();
                }
                _ => {
                    if let Err(refusal) = self.line() {
                        self.report(start, *refusal);
                    }
                }
            }
        }
        while let Some(file) = self.files.last() {
            self.claim_to(file.text.len(), Disposition::Modelled);
            self.files.pop();
        }
    }

    fn line(&mut self) -> Parsed<()> {
        if self.common()? {
            return Ok(());
        }
        self.count_tree()?;
        self.command()?;
        match self.peek().kind {
            Kind::End | Kind::Newline | Kind::Sign(Sign::Semicolon) => Ok(()),
            _ => Err(self.unexpected("the end of the line or `;`")),
        }
    }

    /// Notes what is wrong and goes on behind the next separator.
    pub(super) fn report(&mut self, start: Span, refusal: Refusal) {
        let Refusal { at, reason } = refusal;
        // At the end of the file every block that is open says so.
        if self.errors >= MOST_ERRORS || self.ended.replace(at) == Some(at) && self.peek().kind == Kind::End {
            return;
        }
        self.errors += 1;
        let mut passed = 0;
        while passed < MOST_PASSED
            && !matches!(self.peek().kind, Kind::Newline | Kind::Sign(Sign::Semicolon) | Kind::End)
        {
            self.advance();
            passed += 1;
        }
        self.claim_to_here(start.start as usize, start.source);
        if start.source == at.source && start.start < at.start {
            self.account.claim(Span { end: at.start, ..start }, Disposition::Modelled);
        }
        let end = if self.last.source == at.source { at.end.max(self.last.end) } else { at.end };
        self.account.gap(Span { end, ..at }, reason);
        self.leave(at);
        if self.errors == MOST_ERRORS || passed == MOST_PASSED {
            self.errors = MOST_ERRORS;
            self.give_up();
        }
    }

    /// Refuses to read on where a text has no end of commands or rules.
    pub(super) fn count_tree(&mut self) -> Parsed<()> {
        self.trees += 1;
        if self.trees <= MOST_TREES && self.lines < MOST_LINES {
            return Ok(());
        }
        self.endless = true;
        if self.errors < MOST_ERRORS {
            self.errors = MOST_ERRORS;
            self.give_up();
        }
        Err(Box::new(Refusal { at: self.here(), reason: "no end of commands or rules".to_owned() }))
    }

    /// Reads nothing more.
    fn give_up(&mut self) {
        self.ahead = None;
        while self.files.len() > 1 {
            self.claim_to(self.files.last().map_or(0, |file| file.text.len()), Disposition::Modelled);
            self.files.pop();
        }
        if let Some(file) = self.files.last_mut() {
            let (start, end) = (file.at.max(file.claimed), file.text.len());
            (file.at, file.claimed, file.commented) = (end, end, end);
            if start < end {
                let at = super::span(file.source, start, end);
                self.account.gap(at, format!("not read: nft gives up after {MOST_ERRORS} errors"));
            }
        }
    }

    /// What may stand in any block: definitions and includes.
    pub(super) fn common(&mut self) -> Parsed<bool> {
        let start = self.here();
        match self.word() {
            b"include" => {
                self.advance();
                let token = self.peek();
                if token.kind != Kind::Quoted {
                    return Err(self.unexpected("a file name in quotes"));
                }
                let name = unquoted(self.text(token));
                self.advance();
                let at = self.since(start);
                self.separator()?;
                self.include(at, name);
            }
            b"define" => {
                self.advance();
                let name = self.name()?;
                self.expect_sign(Sign::Assign, "`=`")?;
                let value = self.definition()?;
                if self.scopes.last().is_some_and(|scope| scope.contains_key(&name.text)) {
                    let reason = format!("redefinition of symbol '{}'", name.show());
                    return Err(Box::new(Refusal { at: name.at, reason }));
                }
                self.separator()?;
                self.define(name, value);
            }
            b"redefine" => {
                self.advance();
                let name = self.name()?;
                self.expect_sign(Sign::Assign, "`=`")?;
                let value = self.definition()?;
                self.separator()?;
                self.define(name, value);
            }
            b"undefine" => {
                self.advance();
                let name = self.name()?;
                let removed = self.scopes.last_mut().and_then(|scope| scope.remove(&name.text));
                if removed.is_none() {
                    let reason = format!("undefined symbol '{}'", name.show());
                    return Err(Box::new(Refusal { at: name.at, reason }));
                }
                self.separator()?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// What a variable is to stand for. Definitions in one another must not get too deep or, doubled often, too large.
    fn definition(&mut self) -> Parsed<Defined<'t>> {
        let start = self.here();
        self.used = (0, 0);
        let value = self.initializer()?;
        let own = if let Expressed::Set(elements) = &value.kind { elements.len() } else { 1 };
        let (depth, size) = (self.used.0 + 1, self.used.1.saturating_add(own));
        if depth > MOST_NESTED || size > MOST_ELEMENTS {
            let reason = "the definitions in this one are too deep or too many".to_owned();
            return Err(Box::new(Refusal { at: self.since(start), reason }));
        }
        Ok(Defined { value: Rc::new(value), depth, size })
    }

    fn define(&mut self, name: Name<'t>, value: Defined<'t>) {
        if let Some(scope) = self.scopes.last_mut() {
            scope.insert(name.text, value);
        }
    }

    /// A newline or a semicolon.
    pub(super) fn separator(&mut self) -> Parsed<()> {
        match self.peek().kind {
            Kind::Newline | Kind::Sign(Sign::Semicolon) => {
                self.advance();
                Ok(())
            }
            _ => Err(self.unexpected("the end of the line or `;`")),
        }
    }

    /// Goes on in the files that a name leads to. What is behind the directive is read in any case.
    fn include(&mut self, at: Span, name: &[u8]) {
        let found = if self.files.len() >= MOST_INCLUDED {
            Err(format!("include nested too deeply, max {MOST_INCLUDED} levels"))
        } else if self.included >= MOST_INCLUDES {
            Err(format!("more than {MOST_INCLUDES} files are included"))
        } else {
            self.includes.find(name)
        };
        match found {
            Ok(Led::Files(files)) => {
                self.included += files.len();
                // The last on the stack is the first to be read.
                for file in files.into_iter().rev() {
                    self.push(file);
                }
            }
            Ok(Led::Nowhere) => self.account.claim(at, Disposition::Inert("no file matches")),
            Err(reason) => {
                self.account.gap(at, reason);
                self.errors += 1;
                if self.errors == MOST_ERRORS {
                    self.give_up();
                }
            }
        }
    }

    fn command(&mut self) -> Parsed<()> {
        let start = self.here();
        match self.word() {
            b"add" => {
                self.advance();
                self.add(start, false)
            }
            b"create" => {
                self.advance();
                match self.word() {
                    b"table" | b"chain" | b"set" | b"map" | b"element" | b"flowtable" | b"counter" | b"quota"
                    | b"ct" | b"limit" | b"secmark" | b"synproxy" => self.add(start, true),
                    _ => Err(self.unexpected("what to create")),
                }
            }
            b"insert" => {
                self.advance();
                self.expect("rule")?;
                let (path, place) = self.rule_place()?;
                let rule = self.rule()?;
                self.push_command(start, Verb::InsertRule(path, place, rule));
                Ok(())
            }
            b"replace" => {
                self.advance();
                self.expect("rule")?;
                let path = self.path()?;
                self.expect("handle")?;
                let handle = self.number()?;
                let rule = self.rule()?;
                self.push_command(start, Verb::ReplaceRule(path, handle, rule));
                Ok(())
            }
            b"delete" | b"destroy" => {
                let must_exist = self.advance_is(b"delete");
                self.delete(start, must_exist)
            }
            b"flush" => {
                self.advance();
                let listed = self.flushed()?;
                self.push_command(start, Verb::Flush(listed));
                Ok(())
            }
            b"rename" => {
                self.advance();
                self.expect("chain")?;
                let path = self.path()?;
                let name = self.name()?;
                self.push_command(start, Verb::RenameChain(path, name));
                Ok(())
            }
            word @ (b"list" | b"get" | b"reset" | b"monitor" | b"export" | b"import" | b"describe") => {
                self.advance();
                while !matches!(self.peek().kind, Kind::Newline | Kind::End | Kind::Sign(Sign::Semicolon)) {
                    self.advance();
                }
                match word {
                    b"reset" => self.push_command(start, Verb::Reset(Listed::Other)),
                    b"import" => return Err(self.refused("nft does not import".to_owned())),
                    _ => self.push_command(start, Verb::Show),
                }
                self.claim_since(start, Disposition::Inert("changes nothing"));
                Ok(())
            }
            _ => self.add(start, false),
        }
    }

    fn advance_is(&mut self, word: &[u8]) -> bool {
        let token = self.advance();
        self.text(token) == word
    }

    pub(super) fn push_command(&mut self, start: Span, verb: Verb<'t>) {
        let at = self.since(start);
        self.commands.push(Command { at, verb });
    }

    /// What follows `add`, `create` or nothing.
    fn add(&mut self, start: Span, create: bool) -> Parsed<()> {
        let wrap = |declaration| if create { Verb::Create(declaration) } else { Verb::Add(declaration) };
        match self.word() {
            b"table" => {
                self.advance();
                self.table(start, create)
            }
            b"chain" => {
                self.advance();
                let path = self.path()?;
                let chain = Chain { path, base: None, policy: None, comment: None, handle: None };
                let (chain, rules) =
                    if self.is_sign(Sign::OpenBrace) { self.chain_block(chain)? } else { (chain, vec![]) };
                self.push_command(start, wrap(Declaration::Chain(chain)));
                self.commands.extend(rules);
                Ok(())
            }
            b"rule" => {
                self.advance();
                self.add_rule(start)
            }
            b"set" | b"map" => {
                let map = self.advance_is(b"map");
                let path = self.path()?;
                let (set, elements) = self.set_block(start, path.clone(), map)?;
                self.push_command(start, wrap(Declaration::Set(Box::new(set))));
                if let Some((elements, elements_at)) = elements {
                    let elements = Declaration::Elements { set: path, elements, elements_at };
                    self.push_command(elements_at, Verb::Add(elements));
                }
                Ok(())
            }
            b"element" => {
                self.advance();
                let set = self.path()?;
                let (elements, elements_at) = self.element_block()?;
                self.push_command(start, wrap(Declaration::Elements { set, elements, elements_at }));
                Ok(())
            }
            b"flowtable" => {
                self.advance();
                let path = self.path()?;
                let flowtable = self.flowtable_block(start, path)?;
                self.push_command(start, wrap(Declaration::Flowtable(flowtable)));
                Ok(())
            }
            _ => {
                if let Some(kind) = self.object_kind() {
                    let path = self.path()?;
                    let object = self.object(start, kind, path, false)?;
                    self.push_command(start, wrap(Declaration::Object(object)));
                    return Ok(());
                }
                self.add_rule(start)
            }
        }
    }

    fn add_rule(&mut self, start: Span) -> Parsed<()> {
        let (path, place) = self.rule_place()?;
        if place.is_none() {
            let mut rules = Vec::new();
            let found = self.rules(Some(start), &path, &mut rules);
            self.commands.extend(rules);
            return found;
        }
        let rule = self.rule()?;
        self.push_command(start, Verb::AddRule(path, place, rule));
        Ok(())
    }

    /// `counter`, `ct helper` and so on; nothing is taken unless it is one of them.
    pub(super) fn object_kind(&mut self) -> Option<ObjectKind> {
        let kind = match self.word() {
            b"counter" => ObjectKind::Counter,
            b"quota" => ObjectKind::Quota,
            b"limit" => ObjectKind::Limit,
            b"secmark" => ObjectKind::Secmark,
            b"synproxy" => ObjectKind::Synproxy,
            b"tunnel" => ObjectKind::Tunnel,
            b"ct" => {
                let second = self.peek_second();
                let kind = match self.text(second) {
                    b"helper" => ObjectKind::CtHelper,
                    b"timeout" => ObjectKind::CtTimeout,
                    b"expectation" => ObjectKind::CtExpectation,
                    _ => return None,
                };
                self.advance();
                kind
            }
            _ => return None,
        };
        self.advance();
        Some(kind)
    }

    fn delete(&mut self, start: Span, must_exist: bool) -> Parsed<()> {
        let word = self.word();
        let found = match word {
            b"table" => {
                self.advance();
                let family = self.family();
                match self.handle()? {
                    Some(handle) => Found::TableHandle(family, handle),
                    None => Found::Table(family, self.name()?),
                }
            }
            b"chain" | b"set" | b"flowtable" => {
                self.advance();
                let (family, table) = (self.family(), self.name()?);
                match (word, self.handle()?) {
                    (b"chain", Some(handle)) => Found::ChainHandle(family, table, handle),
                    (b"set", Some(handle)) => Found::SetHandle(family, table, handle),
                    (_, Some(handle)) => Found::FlowtableHandle(family, table, handle),
                    (_, None) => {
                        let path = Path { family, table, name: self.name()? };
                        let block = self.is_sign(Sign::OpenBrace);
                        match word {
                            b"chain" if block => {
                                let chain = Chain { path, base: None, policy: None, comment: None, handle: None };
                                Found::ChainDevices(self.chain_block(chain)?.0)
                            }
                            b"chain" => Found::Chain(path),
                            b"set" => Found::Set(path),
                            _ if block => Found::FlowtableDevices(self.flowtable_block(start, path)?),
                            _ => Found::Flowtable(path),
                        }
                    }
                }
            }
            b"map" => {
                self.advance();
                Found::Set(self.path()?)
            }
            b"rule" => {
                self.advance();
                let path = self.path()?;
                match self.handle()? {
                    Some(handle) => Found::Rule(path, Place::Handle(handle)),
                    None if self.take(b"index") => Found::Rule(path, Place::Index(self.number()?)),
                    None => return Err(self.unexpected("`handle`")),
                }
            }
            b"element" => {
                self.advance();
                let set = self.path()?;
                let (elements, elements_at) = self.element_block()?;
                self.push_command(start, Verb::DeleteElements { set, elements, elements_at, must_exist });
                return Ok(());
            }
            _ => {
                let Some(kind) = self.object_kind() else { return Err(self.unexpected("what to delete")) };
                let (family, table) = (self.family(), self.name()?);
                match self.handle()? {
                    Some(handle) => Found::ObjectHandle(kind, family, table, handle),
                    None => Found::Object(kind, Path { family, table, name: self.name()? }),
                }
            }
        };
        self.push_command(start, Verb::Delete { found, must_exist });
        Ok(())
    }

    fn flushed(&mut self) -> Parsed<Listed<'t>> {
        match self.word() {
            b"ruleset" => {
                self.advance();
                Ok(Listed::Ruleset(self.explicit_family()))
            }
            b"table" => {
                self.advance();
                let family = self.family();
                Ok(Listed::Table(family, self.name()?))
            }
            b"chain" => {
                self.advance();
                Ok(Listed::Chain(self.path()?))
            }
            b"set" | b"map" | b"meter" => {
                self.advance();
                Ok(Listed::Set(self.path()?))
            }
            b"flow" => {
                self.advance();
                self.expect("table")?;
                Ok(Listed::Set(self.path()?))
            }
            _ => Err(self.unexpected("what to flush")),
        }
    }

    fn handle(&mut self) -> Parsed<Option<u64>> {
        if self.take(b"handle") { self.number().map(Some) } else { Ok(None) }
    }

    /// `ip` where nothing is said.
    pub(super) fn family(&mut self) -> Family {
        self.explicit_family().unwrap_or(Family::Ip)
    }

    fn explicit_family(&mut self) -> Option<Family> {
        let family = Family::from_keyword(self.word());
        if family.is_some() {
            self.advance();
        }
        family
    }

    /// Family, table and name.
    pub(super) fn path(&mut self) -> Parsed<Path<'t>> {
        let family = self.family();
        Ok(Path { family, table: self.name()?, name: self.name()? })
    }

    /// A chain and a place in it.
    fn rule_place(&mut self) -> Parsed<(Path<'t>, Option<Place>)> {
        let path = self.path()?;
        let place = match self.word() {
            b"handle" | b"position" => {
                self.advance();
                Some(Place::Handle(self.number()?))
            }
            b"index" => {
                self.advance();
                Some(Place::Index(self.number()?))
            }
            _ => None,
        };
        Ok((path, place))
    }

    /// The braces behind `elements =` or `add element …`, or a variable that stands for them.
    pub(super) fn element_block(&mut self) -> Parsed<(Elements<'t>, Span)> {
        let start = self.here();
        self.claim_to_here(start.start as usize, start.source);
        let found = if self.is_sign(Sign::Dollar) {
            let variable = self.variable()?;
            match &variable.resolved().kind {
                Expressed::Set(elements) => (**elements).clone(),
                _ => {
                    let element = super::super::syntax::Element {
                        at: variable.at,
                        key: variable,
                        options: Vec::new(),
                        value: None,
                    };
                    Elements { others: vec![element], ..Elements::default() }
                }
            }
        } else {
            self.elements()?
        };
        self.leave(start);
        Ok((found, self.since(start)))
    }
}
