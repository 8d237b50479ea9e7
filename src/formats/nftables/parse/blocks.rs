//! Tables and chains with what is between their braces.

use super::super::lex::{Kind, Sign};
use super::super::syntax::{
    Base, Chain, Command, Declaration, Family, Kind as Expressed, Name, Path, Policy, Priority, Table, TableFlag, Verb,
};
use super::{Parsed, Parser, Refusal};
use crate::formats::Disposition;
use crate::text::Span;
use std::borrow::Cow;
use std::collections::HashMap;

/// What a table's block declares, to be carried out kind by kind, as nft does.
#[derive(Default)]
struct Block<'t> {
    chains: Vec<Command<'t>>,
    objects: Vec<Command<'t>>,
    sets: Vec<Command<'t>>,
    flowtables: Vec<Command<'t>>,
    elements: Vec<Command<'t>>,
    rules: Vec<Command<'t>>,
}

impl<'t> Parser<'_, 't> {
    /// What follows `table`.
    pub(super) fn table(&mut self, start: Span, create: bool) -> Parsed<()> {
        let family = self.family();
        let name = self.name()?;
        let mut table = Table { family, name, flags: Vec::new(), comment: None, handle: None };
        let at = self.since(start);
        let mut block = Block::default();
        let found = if self.take_sign(Sign::OpenBrace) { self.table_block(&mut table, &mut block) } else { Ok(()) };
        let declaration = Declaration::Table(table);
        let verb = if create { Verb::Create(declaration) } else { Verb::Add(declaration) };
        self.commands.push(Command { at, verb });
        let Block { chains, objects, sets, flowtables, elements, rules } = block;
        for commands in [chains, objects, sets, flowtables, elements, rules] {
            self.commands.extend(commands);
        }
        found
    }

    fn table_block(&mut self, table: &mut Table<'t>, block: &mut Block<'t>) -> Parsed<()> {
        self.block(true, |parser| parser.table_item(table, block))
    }

    /// Whether all of the file could stand in a table.
    pub(super) fn inside_table(&mut self) -> bool {
        let nowhere = self.last;
        let name = || Name { text: Cow::Borrowed(&b"t"[..]), at: nowhere };
        let mut table = Table { family: Family::Inet, name: name(), flags: Vec::new(), comment: None, handle: None };
        let mut block = Block::default();
        self.inside(|parser| parser.table_item(&mut table, &mut block))
    }

    /// Whether all of the file could stand in a chain.
    pub(super) fn inside_chain(&mut self) -> bool {
        let nowhere = self.last;
        let name = || Name { text: Cow::Borrowed(&b"t"[..]), at: nowhere };
        let path = Path { family: Family::Inet, table: name(), name: name() };
        let mut chain = Chain { path, base: None, policy: None, comment: None, handle: None };
        let mut rules = Vec::new();
        self.inside(|parser| parser.chain_item(&mut chain, &mut rules))
    }

    fn inside(&mut self, mut item: impl FnMut(&mut Self) -> Parsed<()>) -> bool {
        loop {
            match self.peek().kind {
                Kind::End => return true,
                Kind::Newline | Kind::Sign(Sign::Semicolon) => {
                    self.advance();
                }
                _ => {
                    let found = self.common().and_then(|common| if common { Ok(()) } else { item(self) });
                    if found.is_err() || self.errors > 0 {
                        return false;
                    }
                }
            }
        }
    }

    /// What is between braces, item by item, to the closing one.
    pub(super) fn block(&mut self, scope: bool, mut item: impl FnMut(&mut Self) -> Parsed<()>) -> Parsed<()> {
        if scope {
            self.scopes.push(HashMap::new());
        }
        let outside = self.nested;
        let entered = self.enter();
        let found = entered.and_then(|()| {
            loop {
                let start = self.here();
                match self.peek().kind {
                    Kind::Sign(Sign::CloseBrace) => {
                        self.advance();
                        return Ok(());
                    }
                    Kind::Newline | Kind::Sign(Sign::Semicolon) => {
                        self.advance();
                    }
                    Kind::End => return Err(self.unexpected("`}`")),
                    _ => {
                        let done = match self.common() {
                            Ok(false) => item(self),
                            Ok(true) => Ok(()),
                            Err(refusal) => Err(refusal),
                        };
                        if let Err(refusal) = done {
                            self.report(start, *refusal);
                        }
                    }
                }
            }
        });
        self.nested = outside;
        if scope {
            self.scopes.pop();
        }
        found
    }

    fn table_item(&mut self, table: &mut Table<'t>, block: &mut Block<'t>) -> Parsed<()> {
        self.count_tree()?;
        let start = self.here();
        let within = |name: Name<'t>| Path { family: table.family, table: table.name.clone(), name };
        match self.word() {
            b"chain" => {
                self.advance();
                let path = within(self.name()?);
                let chain = Chain { path, base: None, policy: None, comment: None, handle: None };
                let at = self.since(start);
                let (chain, rules) = self.chain_block(chain)?;
                block.chains.push(Command { at, verb: Verb::Add(Declaration::Chain(chain)) });
                block.rules.extend(rules);
            }
            word @ (b"set" | b"map") => {
                self.advance();
                let path = within(self.name()?);
                let (set, elements) = self.set_block(start, path.clone(), word == b"map")?;
                block.sets.push(Command { at: set.at, verb: Verb::Add(Declaration::Set(Box::new(set))) });
                if let Some((elements, elements_at)) = elements {
                    let verb = Verb::Add(Declaration::Elements { set: path, elements, elements_at });
                    block.elements.push(Command { at: elements_at, verb });
                }
            }
            b"flowtable" => {
                self.advance();
                let path = within(self.name()?);
                let flowtable = self.flowtable_block(start, path)?;
                block.flowtables.push(Command { at: flowtable.at, verb: Verb::Add(Declaration::Flowtable(flowtable)) });
            }
            b"flags" => {
                self.advance();
                loop {
                    let name = self.name()?;
                    let Some(flag) = TableFlag::from_keyword(&name.text) else {
                        return Err(self.refused(format!("unknown table option {}", name.show())));
                    };
                    table.flags.push(flag);
                    if !self.take_sign(Sign::Comma) {
                        break;
                    }
                }
            }
            b"comment" => self.comment(start, &mut table.comment)?,
            _ => match self.object_kind() {
                Some(kind) => {
                    let path = within(self.name()?);
                    let object = self.object(start, kind, path, true)?;
                    block.objects.push(Command { at: object.at, verb: Verb::Add(Declaration::Object(object)) });
                }
                None => return Err(self.unexpected("`chain`, `set`, `map` or what else a table holds")),
            },
        }
        self.separator()
    }

    /// `comment "…"`, once.
    pub(super) fn comment(&mut self, start: Span, slot: &mut Option<Name<'t>>) -> Parsed<()> {
        self.expect("comment")?;
        let text = self.comment_text()?;
        if slot.is_some() {
            let reason = "You can only specify this once. This statement is duplicated.".to_owned();
            return Err(Box::new(Refusal { at: self.since(start), reason }));
        }
        self.claim_since(start, Disposition::Inert("comment"));
        *slot = Some(text);
        Ok(())
    }

    pub(super) fn comment_text(&mut self) -> Parsed<Name<'t>> {
        const LONGEST: usize = 128;
        let text = self.string()?;
        if text.text.len() > LONGEST {
            return Err(self.refused(format!("comment too long, {LONGEST} characters maximum allowed")));
        }
        Ok(text)
    }

    /// The braces of a chain; what adds its rules is told beside it.
    pub(super) fn chain_block(&mut self, mut chain: Chain<'t>) -> Parsed<(Chain<'t>, Vec<Command<'t>>)> {
        self.expect_sign(Sign::OpenBrace, "`{`")?;
        let mut rules = Vec::new();
        self.block(true, |parser| parser.chain_item(&mut chain, &mut rules))?;
        Ok((chain, rules))
    }

    fn chain_item(&mut self, chain: &mut Chain<'t>, rules: &mut Vec<Command<'t>>) -> Parsed<()> {
        let start = self.here();
        match self.word() {
            b"type" => {
                self.advance();
                let base = self.base(start)?;
                let offload = chain.base.as_ref().is_some_and(|base| base.offload);
                chain.base = Some(Base { offload: offload || base.offload, ..base });
            }
            b"policy" => {
                self.advance();
                let accept = self.policy()?;
                let at = self.since(start);
                if chain.policy.is_some() {
                    return Err(Box::new(Refusal { at, reason: "you cannot set chain policy twice".to_owned() }));
                }
                chain.policy = Some(Policy { accept, at });
            }
            b"flags" => {
                self.advance();
                self.expect("offload")?;
                if let Some(base) = &mut chain.base {
                    base.offload = true;
                }
            }
            b"devices" => {
                self.advance();
                self.expect_sign(Sign::Assign, "`=`")?;
                let devices = self.device_list()?;
                if let Some(base) = &mut chain.base {
                    base.devices.extend(devices);
                }
            }
            b"comment" => self.comment(start, &mut chain.comment)?,
            _ => self.rules(None, &chain.path, rules)?,
        }
        self.separator()
    }

    fn policy(&mut self) -> Parsed<bool> {
        let variable = if self.is_sign(Sign::Dollar) { Some(self.variable()?) } else { None };
        let word: &[u8] = match variable.as_ref().map(|variable| &variable.resolved().kind) {
            Some(Expressed::Word(word) | Expressed::Quoted(word)) => word,
            Some(Expressed::Verdict(super::super::syntax::Verdict::Accept)) => b"accept",
            Some(Expressed::Verdict(super::super::syntax::Verdict::Drop)) => b"drop",
            Some(_) => return Err(self.refused("the variable is no chain policy".to_owned())),
            None => {
                let word = self.word();
                if !matches!(word, b"accept" | b"drop") {
                    return Err(self.unexpected("`accept` or `drop`"));
                }
                self.advance();
                word
            }
        };
        match word {
            b"accept" => Ok(true),
            b"drop" => Ok(false),
            _ => Err(self.refused(format!("invalid chain policy {}", crate::text::escape(word)))),
        }
    }

    /// What follows `type` in a chain.
    fn base(&mut self, start: Span) -> Parsed<Base<'t>> {
        let kind = self.name()?;
        if !matches!(&*kind.text, b"filter" | b"nat" | b"route") {
            return Err(Box::new(Refusal { at: kind.at, reason: "unknown chain type".to_owned() }));
        }
        self.expect("hook")?;
        let hook = self.hook()?;
        let devices = self.devices()?;
        self.expect("priority")?;
        let priority = self.priority()?;
        Ok(Base { at: self.since(start), kind, hook, devices, priority, offload: false })
    }

    pub(super) fn hook(&mut self) -> Parsed<Name<'t>> {
        let hook = self.name()?;
        let known = [&b"ingress"[..], b"egress", b"prerouting", b"input", b"forward", b"postrouting", b"output"];
        if !known.contains(&&*hook.text) {
            return Err(Box::new(Refusal { at: hook.at, reason: "unknown chain hook".to_owned() }));
        }
        Ok(hook)
    }

    fn devices(&mut self) -> Parsed<Vec<Name<'t>>> {
        if self.take(b"device") {
            if self.is_sign(Sign::Dollar) {
                let variable = self.variable()?;
                return self.device_names(&variable);
            }
            return Ok(vec![self.string()?]);
        }
        if self.take(b"devices") {
            self.expect_sign(Sign::Assign, "`=`")?;
            return self.device_list();
        }
        Ok(Vec::new())
    }

    /// `{ eth0, eth1 }` or a variable.
    pub(super) fn device_list(&mut self) -> Parsed<Vec<Name<'t>>> {
        if self.is_sign(Sign::Dollar) {
            let variable = self.variable()?;
            return self.device_names(&variable);
        }
        let mut devices = Vec::new();
        self.listed(|parser| {
            if parser.is_sign(Sign::Dollar) {
                let variable = parser.variable()?;
                devices.extend(parser.device_names(&variable)?);
            } else {
                devices.push(parser.string()?);
            }
            Ok(())
        })?;
        Ok(devices)
    }

    /// Items between braces with commas between, the last of which may be followed by one.
    pub(super) fn listed(&mut self, mut item: impl FnMut(&mut Self) -> Parsed<()>) -> Parsed<()> {
        self.expect_sign(Sign::OpenBrace, "`{`")?;
        loop {
            self.pass_newlines();
            item(self)?;
            self.pass_newlines();
            let more = self.take_sign(Sign::Comma);
            self.pass_newlines();
            if self.take_sign(Sign::CloseBrace) {
                return Ok(());
            }
            if !more {
                return Err(self.unexpected("`,` or `}`"));
            }
        }
    }

    /// The names of interfaces that a variable stands for.
    fn device_names(&self, variable: &super::super::syntax::Expression<'t>) -> Parsed<Vec<Name<'t>>> {
        let at = variable.at;
        let refused = || Box::new(Refusal { at, reason: "the variable is no name of an interface".to_owned() });
        match &variable.resolved().kind {
            Expressed::Word(text) | Expressed::Quoted(text) => Ok(vec![Name { text: text.clone(), at }]),
            Expressed::Set(elements) => {
                if elements.len() != elements.others.len() {
                    return Err(refused());
                }
                let names = elements.others.iter().map(|element| match &element.key.resolved().kind {
                    Expressed::Word(text) | Expressed::Quoted(text) => Ok(Name { text: text.clone(), at }),
                    _ => Err(refused()),
                });
                names.collect()
            }
            _ => Err(refused()),
        }
    }

    /// `filter - 10`, `-150`, `$prio`.
    pub(super) fn priority(&mut self) -> Parsed<Priority<'t>> {
        let start = self.here();
        if self.is_sign(Sign::Dollar) {
            let variable = self.variable()?;
            let at = self.since(start);
            let refused = || Box::new(Refusal { at, reason: "the variable is no priority".to_owned() });
            return match &variable.resolved().kind {
                Expressed::Word(text) | Expressed::Quoted(text) => {
                    let (name, offset) = priority_of(text).ok_or_else(refused)?;
                    Ok(Priority { at, name, offset })
                }
                _ => Err(refused()),
            };
        }
        if self.take_sign(Sign::Dash) {
            let offset = self.signed(true)?;
            return Ok(Priority { at: self.since(start), name: None, offset });
        }
        if self.peek().kind == Kind::Number {
            let offset = self.signed(false)?;
            return Ok(Priority { at: self.since(start), name: None, offset });
        }
        let name = self.name()?.text;
        let offset = if self.take_sign(Sign::Plus) {
            self.signed(false)?
        } else if self.take_sign(Sign::Dash) {
            self.signed(true)?
        } else {
            0
        };
        Ok(Priority { at: self.since(start), name: Some(name), offset })
    }

    fn signed(&mut self, negative: bool) -> Parsed<i64> {
        let number = self.number()?;
        let number = i64::try_from(number).map_err(|_| self.refused("invalid priority".to_owned()))?;
        Ok(if negative { -number } else { number })
    }
}

/// The priority that the text of a variable says: a number, a name, or a name and a number.
fn priority_of<'t>(text: &Cow<'t, [u8]>) -> Option<(Option<Cow<'t, [u8]>>, i64)> {
    let shown = std::str::from_utf8(text).ok()?;
    if let Ok(number) = shown.parse::<i64>() {
        return Some((None, number));
    }
    let mut words = shown.split_ascii_whitespace();
    let name = words.next()?.as_bytes().to_vec();
    let offset = match (words.next(), words.next()) {
        (None, _) => 0,
        (Some("+"), Some(number)) => number.parse().ok()?,
        (Some("-"), Some(number)) => -number.parse::<i64>().ok()?,
        _ => return None,
    };
    words.next().is_none().then_some((Some(Cow::Owned(name)), offset))
}
