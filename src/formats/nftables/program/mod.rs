//! Carries out commands on a ruleset, in order, and refuses what nft and the kernel refuse at this level: names that are not
//! there or are there already, base chains that cannot be, jumps that lead nowhere or too deep.
//!
//! A file is one transaction: if anything in it is refused, nothing of it is done. So each refusal is a gap.

mod bases;
mod flushes;
mod jumps;
mod objects;
mod references;

use super::account::Account;
use super::ruleset::{Chain, Change, ChangeAction, Placed, Ruleset, Set, Table};
use super::runs::Run;
use super::syntax::{
    self, Command, Declaration, Elements, Family, Found, Listed, Name, Path, Place, Rule, TableFlag, Verb,
};
use crate::formats::Disposition;
use crate::model::Reference;
use crate::text::{Span, escape};
use flushes::{Emptied, Flushes};
use references::Used;
use std::collections::HashSet;

/// A command that nft or the kernel refuses: where, and why.
type Done = Result<(), (Span, String)>;

/// Carries out transactions one after the other.
pub(super) fn run<'t>(transactions: Vec<Vec<Command<'t>>>, ruleset: &mut Ruleset<'t>, account: &mut Account) {
    let mut program =
        Program { ruleset, account, flushes: Flushes::default(), added: Vec::new(), runs: false, removes: false };
    for commands in transactions {
        for command in commands {
            let whole = command.at;
            if let Err((at, reason)) = program.command(whole, command.verb) {
                program.refuse(whole, at, reason);
            }
        }
        program.flushes.end_transaction();
    }
    program.claim_removed();
    let Program { ruleset, account, flushes, added: _, runs: _, removes: _ } = program;
    ruleset.flushes.extend(flushes.into_list());
    for table in &ruleset.tables {
        jumps::check(table, &ruleset.shapes, account);
    }
}

struct Program<'r, 't> {
    ruleset: &'r mut Ruleset<'t>,
    account: &'r mut Account,
    flushes: Flushes,
    /// Where every rule stands that was added at some time.
    added: Vec<Span>,
    /// Whether there are runs.
    runs: bool,
    /// Whether something was taken away, or refused.
    removes: bool,
}

impl<'t> Program<'_, 't> {
    fn refuse(&mut self, whole: Span, at: Span, reason: String) {
        // It is said once what became of the command.
        self.account.claim(whole, Disposition::Modelled);
        self.account.gap(at, reason);
        self.removes = true;
    }

    fn command(&mut self, at: Span, verb: Verb<'t>) -> Done {
        match verb {
            Verb::Add(declaration) => self.declare(at, declaration, false),
            Verb::Create(declaration) => self.declare(at, declaration, true),
            Verb::AddRule(path, place, rule) => self.add_rule(&path, place, rule, false),
            Verb::AddRun(path, run) => self.add_run(&path, run),
            Verb::InsertRule(path, place, rule) => self.add_rule(&path, place, rule, true),
            Verb::ReplaceRule(path, handle, rule) => {
                self.removes = true;
                self.dissolve();
                self.check_rule(&path, &rule);
                let chain = self.chain(&path)?;
                let index = index_of(chain, Place::Handle(handle), path.name.at)?;
                if let Some(placed) = chain.rules.get_mut(index) {
                    *placed = Placed::Rule(Some(handle), rule);
                }
                Ok(())
            }
            Verb::Delete { found, must_exist } => self.delete(at, found, must_exist),
            Verb::DeleteElements { set, elements, elements_at, must_exist } => {
                let action = if must_exist { ChangeAction::Delete } else { ChangeAction::Destroy };
                self.account.claim(elements_at, Disposition::Modelled);
                self.set(&set)?.changes.push(Change { action, at: elements_at, elements });
                Ok(())
            }
            Verb::Flush(listed) => self.flush(at, listed),
            Verb::RenameChain(path, name) => {
                let table = self.table(path.family, &path.table)?;
                if table.chain(&name.text).is_some() {
                    return Err((name.at, exists("chain", &name)));
                }
                let Some(chain) = table.chains.find_mut(&path.name.text) else { return Err(missing("chain", &path)) };
                chain.name = name.clone();
                table.chains.rename(&path.name.text, &name.text);
                Ok(())
            }
            Verb::Reset(_) | Verb::Show => Ok(()),
        }
    }

    fn declare(&mut self, at: Span, declaration: Declaration<'t>, create: bool) -> Done {
        match declaration {
            Declaration::Table(head) => self.declare_table(at, head, create),
            Declaration::Chain(chain) => self.declare_chain(at, chain, create),
            Declaration::Set(set) => {
                let path = &set.path;
                let table = self.table(path.family, &path.table)?;
                if let Some(known) = table.set(&path.name.text) {
                    let same = known.head.map == set.map && same_key(&known.head, &set);
                    return if create || !same { Err((path.name.at, exists("set", &path.name))) } else { Ok(()) };
                }
                let name = path.name.text.to_vec();
                table.sets.push(&name, Set { head: *set, changes: Vec::new() });
                Ok(())
            }
            Declaration::Elements { set, elements, elements_at } => {
                self.check_elements(&set, &elements);
                let action = if create { ChangeAction::Create } else { ChangeAction::Add };
                self.flushes.filled(&set, true, elements_at);
                self.account.claim(elements_at, Disposition::Modelled);
                self.set(&set)?.changes.push(Change { action, at: elements_at, elements });
                Ok(())
            }
            Declaration::Flowtable(flowtable) => {
                objects::check_flowtable(&flowtable)?;
                let path = &flowtable.path;
                let table = self.table(path.family, &path.table)?;
                if let Some(known) = table.flowtables.iter_mut().find(|known| known.path.name.text == path.name.text) {
                    if create {
                        return Err((path.name.at, exists("flowtable", &path.name)));
                    }
                    for device in &flowtable.devices {
                        if !known.devices.iter().any(|known| known.text == device.text) {
                            known.devices.push(device.clone());
                        }
                    }
                    return Ok(());
                }
                table.flowtables.push(flowtable);
                Ok(())
            }
            Declaration::Object(object) => {
                objects::check(&object)?;
                let path = &object.path;
                let table = self.table(path.family, &path.table)?;
                if table.object(object.data.kind(), &path.name.text).is_some() {
                    let kind = object.data.kind().keyword();
                    return if create { Err((path.name.at, exists(kind, &path.name))) } else { Ok(()) };
                }
                table.objects.push(object);
                Ok(())
            }
        }
    }

    fn declare_table(&mut self, at: Span, head: syntax::Table<'t>, create: bool) -> Done {
        if let Some(known) = self.ruleset.table_mut(head.family, &head.name.text) {
            if create {
                return Err((head.name.at, exists("table", &head.name)));
            }
            // What is declared last says whether the table sleeps.
            known.head.flags.retain(|flag| *flag != TableFlag::Dormant);
            known.head.flags.extend(head.flags);
            return Ok(());
        }
        self.ruleset.tables.push(Table {
            head,
            at,
            chains: super::ruleset::Named::default(),
            sets: super::ruleset::Named::default(),
            objects: Vec::new(),
            flowtables: Vec::new(),
        });
        Ok(())
    }

    fn declare_chain(&mut self, at: Span, chain: syntax::Chain<'t>, create: bool) -> Done {
        let syntax::Chain { path, base, policy, comment: _, handle: _ } = chain;
        bases::check(path.family, base.as_ref())?;
        let registered = self.ruleset.registered;
        let table = self.table(path.family, &path.table)?;
        if let Some(known) = table.chains.find_mut(&path.name.text) {
            if create {
                return Err((path.name.at, exists("chain", &path.name)));
            }
            if let Some(base) = &base {
                let same = known.base.as_ref().is_some_and(|known| bases::same(path.family, known, base));
                if !same {
                    let reason = "the chain exists with another type, hook or priority: nft refuses the file";
                    return Err((path.name.at, reason.to_owned()));
                }
            }
            if let Some(policy) = policy {
                if known.base.is_none() {
                    return Err((policy.at, NO_BASE.to_owned()));
                }
                known.policy = Some(policy);
            }
            return Ok(());
        }
        if let (None, Some(policy)) = (&base, policy) {
            return Err((policy.at, NO_BASE.to_owned()));
        }
        let is_base = base.is_some();
        let name = path.name;
        let key = name.text.to_vec();
        let rules = std::collections::VecDeque::new();
        table.chains.push(&key, Chain { name, at, base, policy, registered, rules });
        self.ruleset.registered += u64::from(is_base);
        Ok(())
    }

    fn add_rule(&mut self, path: &Path<'t>, place: Option<Place>, rule: Rule<'t>, before: bool) -> Done {
        if place.is_some() {
            self.dissolve();
        }
        self.check_rule(path, &rule);
        self.flushes.filled(path, false, rule.at);
        let chain = self.chain(path)?;
        let placed = Placed::Rule(rule.handle, rule);
        match place {
            None if before => chain.rules.push_front(placed),
            None => chain.rules.push_back(placed),
            Some(place) => {
                let index = index_of(chain, place, path.name.at)?;
                chain.rules.insert(if before { index } else { index + 1 }, placed);
            }
        }
        Ok(())
    }

    fn add_run(&mut self, path: &Path<'t>, run: Run<'t>) -> Done {
        let Ruleset { shapes, .. } = &*self.ruleset;
        let Some(table) = self.ruleset.table(path.family, &path.table.text) else {
            return self.add_one_by_one(path, &run);
        };
        let mut wrong = false;
        for shape in &run.shapes {
            let rule = &shapes.get(*shape).rule;
            references::of_rule(rule, &mut |used| wrong |= check(table, path, used).is_some());
            wrong |= references::after_the_end(rule).is_some();
        }
        if wrong || table.chain(&path.name.text).is_none() {
            // What is wrong is said of each rule.
            return self.add_one_by_one(path, &run);
        }
        self.flushes.filled(path, false, run.places().next().unwrap_or(run.at));
        self.runs = true;
        self.chain(path)?.rules.push_back(Placed::Run(run));
        Ok(())
    }

    fn add_one_by_one(&mut self, path: &Path<'t>, run: &Run<'t>) -> Done {
        let mut done = Vec::new();
        run.rules(|rule| {
            let at = rule.at;
            let path = if run.prefix.is_empty() { path.clone() } else { path.moved(at.start - run.at.start) };
            if let Err((place, reason)) = self.add_rule(&path, None, rule, false) {
                done.push((at, place, reason));
            }
        });
        for (at, place, reason) in done {
            self.refuse(at, place, reason);
        }
        Ok(())
    }

    /// Turns all runs into rules, since something is to be done to single ones.
    fn dissolve(&mut self) {
        if !std::mem::take(&mut self.runs) {
            return;
        }
        let added = &mut self.added;
        for chain in self.ruleset.tables.iter_mut().flat_map(|table| table.chains.iter_mut()) {
            for placed in std::mem::take(&mut chain.rules) {
                match placed {
                    Placed::Rule(..) => chain.rules.push_back(placed),
                    Placed::Run(run) => run.rules(|rule| {
                        added.push(rule.at);
                        chain.rules.push_back(Placed::Rule(rule.handle, rule));
                    }),
                }
            }
        }
    }

    /// What is not in the ruleset at the end has no meaning; the rest is claimed where its meaning is found.
    fn claim_removed(&mut self) {
        if !self.removes {
            return;
        }
        let chains = self.ruleset.tables.iter().flat_map(|table| table.chains.iter());
        let rules = chains.flat_map(|chain| chain.rules.iter()).filter_map(|placed| match placed {
            Placed::Rule(_, rule) => Some(rule.at),
            Placed::Run(_) => None,
        });
        let there: HashSet<Span> = rules.collect();
        for at in self.added.iter().filter(|at| !there.contains(at)) {
            self.account.claim(*at, Disposition::Inert("not in the ruleset at the end"));
        }
    }

    /// Notes what a rule uses and nothing declares.
    fn check_rule(&mut self, path: &Path<'t>, rule: &Rule<'t>) {
        self.added.push(rule.at);
        let mut wrong = Vec::new();
        match self.ruleset.table(path.family, &path.table.text) {
            Some(table) => references::of_rule(rule, &mut |used| wrong.extend(check(table, path, used))),
            // The command itself is refused.
            None => return,
        }
        if let Some(statement) = references::after_the_end(rule) {
            self.account.gap(statement.at, "statement after terminal statement has no effect: nft refuses the file");
        }
        self.note(wrong);
    }

    fn check_elements(&mut self, path: &Path<'t>, elements: &Elements<'t>) {
        let mut wrong = Vec::new();
        if let Some(table) = self.ruleset.table(path.family, &path.table.text) {
            let mut note = |used: Used<'_, '_>| wrong.extend(check(table, path, used));
            references::of_elements(elements, &mut note);
            if let Some(set) = table.set(&path.name.text)
                && let Some(syntax::SetData::Objects(kind)) = set.head.data
            {
                references::of_objects(kind, elements, &mut note);
            }
        }
        self.note(wrong);
    }

    fn note(&mut self, wrong: Vec<(Option<Reference>, Span, String)>) {
        for (reference, at, reason) in wrong {
            self.account.gap(at, reason);
            self.ruleset.undefined.extend(reference);
        }
    }

    fn delete(&mut self, at: Span, found: Found<'t>, must_exist: bool) -> Done {
        self.removes = true;
        self.dissolve();
        let unless = |result: Done| if must_exist { result } else { Ok(()) };
        match found {
            Found::Table(family, name) => {
                let tables = &mut self.ruleset.tables;
                let before = tables.len();
                tables.retain(|table| table.head.family != family || table.head.name.text != name.text);
                let gone = tables.len() < before;
                unless(if gone { Ok(()) } else { Err((name.at, no_table(family, &name))) })
            }
            Found::Chain(path) => {
                let table = self.table(path.family, &path.table)?;
                if table.chain(&path.name.text).is_none() {
                    return unless(Err(missing("chain", &path)));
                }
                if uses(table, &path.name.text, |used, name| matches!(used, Used::Chain(chain) if *chain.text == *name))
                {
                    return Err((path.name.at, busy("chain", &path.name)));
                }
                table.chains.remove(&path.name.text);
                Ok(())
            }
            Found::Rule(path, place) => {
                let chain = self.chain(&path)?;
                let index = index_of(chain, place, path.name.at)?;
                chain.rules.remove(index);
                Ok(())
            }
            Found::Set(path) => {
                let table = self.table(path.family, &path.table)?;
                if table.set(&path.name.text).is_none() {
                    return unless(Err(missing("set", &path)));
                }
                if uses(table, b"", |used, _| matches!(used, Used::Set(set) if set.text == path.name.text)) {
                    return Err((path.name.at, busy("set", &path.name)));
                }
                table.sets.remove(&path.name.text);
                Ok(())
            }
            Found::Flowtable(path) => {
                let table = self.table(path.family, &path.table)?;
                if table.flowtable(&path.name.text).is_none() {
                    return unless(Err(missing("flowtable", &path)));
                }
                if uses(table, b"", |used, _| matches!(used, Used::Flowtable(known) if known.text == path.name.text)) {
                    return Err((path.name.at, busy("flowtable", &path.name)));
                }
                table.flowtables.retain(|known| known.path.name.text != path.name.text);
                Ok(())
            }
            Found::Object(kind, path) => {
                let table = self.table(path.family, &path.table)?;
                if table.object(kind, &path.name.text).is_none() {
                    return unless(Err(missing(kind.keyword(), &path)));
                }
                let used = |used: Used<'_, '_>, name: &[u8]| matches!(used, Used::Object(other, known, _) if other == kind && *known == *name);
                if uses(table, &path.name.text, used) {
                    return Err((path.name.at, busy(kind.keyword(), &path.name)));
                }
                table.objects.retain(|object| object.data.kind() != kind || object.path.name.text != path.name.text);
                Ok(())
            }
            Found::ChainDevices(chain) => {
                let known = self.chain(&chain.path)?;
                let devices = chain.base.map(|base| base.devices).unwrap_or_default();
                if let Some(base) = &mut known.base {
                    base.devices.retain(|known| devices.iter().all(|device| device.text != known.text));
                }
                Ok(())
            }
            Found::FlowtableDevices(flowtable) => {
                let path = flowtable.path;
                let table = self.table(path.family, &path.table)?;
                let known = table.flowtables.iter_mut().find(|known| known.path.name.text == path.name.text);
                let Some(known) = known else { return unless(Err(missing("flowtable", &path))) };
                known.devices.retain(|known| flowtable.devices.iter().all(|device| device.text != known.text));
                Ok(())
            }
            Found::TableHandle(_, handle)
            | Found::ChainHandle(_, _, handle)
            | Found::SetHandle(_, _, handle)
            | Found::FlowtableHandle(_, _, handle)
            | Found::ObjectHandle(_, _, _, handle) => Err((at, unknown_handle(handle))),
        }
    }

    fn flush(&mut self, at: Span, listed: Listed<'t>) -> Done {
        self.removes |= !self.ruleset.tables.is_empty();
        self.dissolve();
        match listed {
            Listed::Ruleset(family) => {
                self.ruleset.tables.retain(|table| family.is_some_and(|family| table.head.family != family));
                self.flushes.emptied(Emptied::Ruleset(family), at);
            }
            Listed::Table(family, name) => {
                for chain in self.table(family, &name)?.chains.iter_mut() {
                    chain.rules.clear();
                }
                self.flushes.emptied(Emptied::Table(family, name.text.to_vec()), at);
            }
            Listed::Chain(path) => {
                self.chain(&path)?.rules.clear();
                let chain = Emptied::Chain(path.family, path.table.text.to_vec(), path.name.text.to_vec());
                self.flushes.emptied(chain, at);
            }
            Listed::Set(path) => {
                let set = self.set(&path)?;
                set.changes.clear();
                let map = set.head.map;
                let set = Emptied::Set(path.family, path.table.text.to_vec(), path.name.text.to_vec(), map);
                self.flushes.emptied(set, at);
            }
            Listed::Other => {}
        }
        Ok(())
    }

    fn table(&mut self, family: Family, name: &Name<'t>) -> Result<&mut Table<'t>, (Span, String)> {
        self.ruleset.table_mut(family, &name.text).ok_or_else(|| (name.at, no_table(family, name)))
    }

    fn chain(&mut self, path: &Path<'t>) -> Result<&mut Chain<'t>, (Span, String)> {
        let table = self.table(path.family, &path.table)?;
        table.chains.find_mut(&path.name.text).ok_or_else(|| missing("chain", path))
    }

    fn set(&mut self, path: &Path<'t>) -> Result<&mut Set<'t>, (Span, String)> {
        let table = self.table(path.family, &path.table)?;
        table.sets.find_mut(&path.name.text).ok_or_else(|| missing("set", path))
    }
}

/// Whether what a rule means does not depend on what else is declared, but for the chains that it leads to.
pub(super) fn shares_text(rule: &Rule<'_>) -> bool {
    let mut shares = true;
    references::of_rule(rule, &mut |used| shares &= matches!(used, Used::Chain(_)));
    shares
}

const NO_BASE: &str = "only a base chain, with type, hook and priority, has a policy: nft refuses the file";

/// What is wrong with the use of a name.
fn check(table: &Table<'_>, path: &Path<'_>, used: Used<'_, '_>) -> Option<(Option<Reference>, Span, String)> {
    let (kind, name, at) = match used {
        Used::Chain(name) => match table.chain(&name.text) {
            Some(chain) if chain.base.is_some() => {
                let reason = format!("`{}` is a base chain; nothing can jump to it: nft refuses the file", name.show());
                return Some((None, name.at, reason));
            }
            Some(_) => return None,
            None => ("chain", &*name.text, name.at),
        },
        Used::Set(name) if table.set(&name.text).is_some() => return None,
        Used::Set(name) => ("set", &*name.text, name.at),
        Used::Flowtable(name) if table.flowtable(&name.text).is_some() => return None,
        Used::Flowtable(name) => ("flowtable", &*name.text, name.at),
        Used::Object(kind, name, _) if table.object(kind, name).is_some() => return None,
        Used::Object(kind, name, at) => (kind.keyword(), name, at),
    };
    let address = format!("{} {}/{}", path.family.keyword(), path.table.show(), escape(name));
    let reason = format!("there is no {kind} `{}` in the table here: nft refuses the file", escape(name));
    Some((Some(Reference { kind, address, origin: at }), at, reason))
}

/// Whether a rule or element of the table uses the name.
fn uses(table: &Table<'_>, name: &[u8], is: impl Fn(Used<'_, '_>, &[u8]) -> bool) -> bool {
    let mut found = false;
    for placed in table.chains.iter().flat_map(|chain| &chain.rules) {
        match placed {
            Placed::Rule(_, rule) => references::of_rule(rule, &mut |used| found |= is(used, name)),
            // Before anything is deleted they are dissolved.
            Placed::Run(_) => found = true,
        }
        if found {
            return true;
        }
    }
    for change in table.sets.iter().flat_map(|set| &set.changes) {
        references::of_elements(&change.elements, &mut |used| found |= is(used, name));
    }
    found
}

/// Where a rule is that a command names.
fn index_of(chain: &Chain<'_>, place: Place, at: Span) -> Result<usize, (Span, String)> {
    match place {
        Place::Index(index) => {
            let index = usize::try_from(index).ok().filter(|index| *index < chain.rules.len());
            index.ok_or_else(|| (at, "the chain has no rule of that index: nft refuses the file".to_owned()))
        }
        Place::Handle(handle) => {
            let index = chain.rules.iter().position(|placed| match placed {
                Placed::Rule(known, _) => *known == Some(handle),
                Placed::Run(_) => false,
            });
            index.ok_or_else(|| (at, unknown_handle(handle)))
        }
    }
}

fn same_key(known: &syntax::Set<'_>, set: &syntax::Set<'_>) -> bool {
    use syntax::{SetData, SetKey};
    let texts = |names: &[Name<'_>]| names.iter().map(|name| name.text.to_vec()).collect::<Vec<_>>();
    let keys = match (&known.key, &set.key) {
        (Some(SetKey::Types(left)), Some(SetKey::Types(right))) => texts(left) == texts(right),
        // Whether two expressions are of one type is not for here to say.
        _ => true,
    };
    keys && match (&known.data, &set.data) {
        (Some(SetData::Types(left, _)), Some(SetData::Types(right, _))) => texts(left) == texts(right),
        (Some(SetData::Objects(left)), Some(SetData::Objects(right))) => left == right,
        (Some(SetData::Objects(_)), _) | (_, Some(SetData::Objects(_))) => false,
        _ => true,
    }
}

fn no_table(family: Family, name: &Name<'_>) -> String {
    format!("there is no table `{} {}` here: nft refuses the file", family.keyword(), name.show())
}

fn missing(kind: &str, path: &Path<'_>) -> (Span, String) {
    let Path { family, table, name } = path;
    let table = format!("{} {}", family.keyword(), table.show());
    (name.at, format!("there is no {kind} `{}` in the table `{table}` here: nft refuses the file", name.show()))
}

fn exists(kind: &str, name: &Name<'_>) -> String {
    format!("the {kind} `{}` exists already: nft refuses the file", name.show())
}

fn busy(kind: &str, name: &Name<'_>) -> String {
    format!("the {kind} `{}` is still used: nft refuses to delete it", name.show())
}

fn unknown_handle(handle: u64) -> String {
    format!("handles are given by the kernel; what {handle} is cannot be known from the files")
}
