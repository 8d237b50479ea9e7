//! The modules of a configuration, each as often as it is called, and what is known of them so far.
//!
//! Nothing is computed before something asks for it, and nothing twice.

pub(super) use super::copies::{Copy, Expansion, Repetition};
use super::declared::{Declared, Source};
use super::eval::{Context, Evaluated, Failure, ITEM, Item, MOST, Scope, items_of, more};
use super::moves::{Address, Moves};
use super::parse::{self, Piece, Place};
use super::syntax::{Argument, Block, Body, Part};
use super::types;
use crate::formats::data::value::{Entry, List, Object, Value, What};
use crate::text::{SourceId, Span, escape};
use std::cell::{Cell, OnceCell, RefCell};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::rc::Rc;
use std::sync::Arc;

/// How many instances a block may have.
const MOST_INSTANCES: i128 = 100_000;
/// How many modules there may be, each as often as it is called.
const MOST_MODULES: usize = 20_000;

/// The texts that there are, by their paths from the root of the side.
pub(super) type Texts<'m> = HashMap<&'m str, Text<'m>>;

/// A text that functions may read.
#[derive(Debug)]
pub(super) struct Text<'m> {
    source: SourceId,
    pub(super) text: &'m str,
    template: OnceCell<Result<Vec<Part>, String>>,
}

impl<'m> Text<'m> {
    pub(super) const fn new(source: SourceId, text: &'m str) -> Self {
        Self { source, text, template: OnceCell::new() }
    }

    /// It as a template; otherwise why it is none.
    pub(super) fn template(&self) -> Result<&[Part], &str> {
        let read = || {
            let text = self.text.strip_prefix('\u{feff}').unwrap_or(self.text);
            let place = Place::From(self.text.len() - text.len());
            let found = parse::parts(Piece { source: self.source, text, place });
            found.map_err(|all| all.into_iter().map(|refused| refused.reason).collect::<Vec<_>>().join("; "))
        };
        self.template.get_or_init(read).as_deref().map_err(String::as_str)
    }
}

/// All modules of a configuration.
pub(super) struct World<'m> {
    pub(super) depth: Cell<u32>,
    /// What was computed so far.
    spent: Cell<u64>,
    /// By their folders.
    folders: &'m BTreeMap<String, Declared<'m>>,
    texts: &'m Texts<'m>,
    /// What becomes of the addresses on the side after, if this is the one before.
    moves: &'m Moves,
    modules: RefCell<Vec<Rc<Module<'m>>>>,
    /// What Terraform refuses.
    failures: RefCell<BTreeSet<(Span, String)>>,
    /// The declarations that something asked for.
    used: RefCell<HashSet<Span>>,
    /// The data sources that something asked for, by address.
    data: RefCell<BTreeMap<String, (usize, &'m Block)>>,
}

/// A module as it is called once.
pub(super) struct Module<'m> {
    id: usize,
    pub(super) declared: &'m Declared<'m>,
    /// The calls that lead to it, with the keys of their instances.
    path: Vec<(Arc<str>, Arc<str>)>,
    /// What the addresses of its resources begin with, after all moves: `module.vpc[0].`, nothing for the root.
    pub(super) address: String,
    /// The folder of the root module, where paths in expressions begin.
    pub(super) root: &'m str,
    /// How it is called; `None`: it is the root.
    call: Option<Call<'m>>,
    /// The condition under which it is there, if it is not known whether it is.
    pub(super) existence: Option<Arc<str>>,
    known: RefCell<HashMap<(Span, Arc<str>), Memo>>,
    expansions: RefCell<HashMap<Span, Result<Rc<Expansion>, Failure>>>,
    children: RefCell<HashMap<(Span, Arc<str>), usize>>,
    /// What tells the arguments of resources from others.
    pub(super) marks: RefCell<Marks>,
}

/// The call of a module.
struct Call<'m> {
    caller: Rc<Module<'m>>,
    block: &'m Block,
    names: Vec<(&'static str, Value)>,
}

/// By their blocks and keys.
type Marks = HashMap<(Span, Arc<str>), Arc<str>>;

enum Memo {
    Busy,
    Done(Evaluated),
}

impl<'m> World<'m> {
    pub(super) fn new(folders: &'m BTreeMap<String, Declared<'m>>, texts: &'m Texts<'m>, moves: &'m Moves) -> Self {
        Self {
            depth: Cell::new(0),
            spent: Cell::new(0),
            folders,
            texts,
            moves,
            modules: RefCell::default(),
            failures: RefCell::default(),
            used: RefCell::default(),
            data: RefCell::default(),
        }
    }

    /// The root module in that folder.
    pub(super) fn root(&self, declared: &'m Declared<'m>) -> Rc<Module<'m>> {
        self.add(declared, Vec::new(), &declared.folder, None, None)
    }

    fn add(
        &self,
        declared: &'m Declared<'m>,
        path: Vec<(Arc<str>, Arc<str>)>,
        root: &'m str,
        call: Option<Call<'m>>,
        existence: Option<Arc<str>>,
    ) -> Rc<Module<'m>> {
        let address = self.moves.now(root, Address { modules: path.clone(), resource: None }, self.folders).to_string();
        let mut modules = self.modules.borrow_mut();
        let module = Rc::new(Module {
            id: modules.len(),
            declared,
            path,
            address,
            root,
            call,
            existence,
            known: RefCell::default(),
            expansions: RefCell::default(),
            children: RefCell::default(),
            marks: RefCell::default(),
        });
        modules.push(Rc::clone(&module));
        module
    }

    /// The text of a file, by its path from the root of the side.
    pub(super) fn file(&self, path: &str) -> Option<&'m Text<'m>> {
        self.texts.get(path)
    }

    /// The address of an instance of a resource that a block of a module declares, after all moves.
    pub(super) fn address(&self, module: &Module<'m>, block: &Block, key: &Arc<str>) -> String {
        let [(kind, _), (name, _)] = &block.labels[..] else { return module.address.clone() };
        let resource = Some((Arc::clone(kind), (Arc::clone(name), Arc::clone(key))));
        self.moves.now(module.root, Address { modules: module.path.clone(), resource }, self.folders).to_string()
    }

    /// So much more is computed.
    ///
    /// # Errors
    /// It is more than is computed of one configuration.
    pub(super) fn charge(&self, at: Span, amount: u64) -> Result<(), Failure> {
        let before = self.spent.get();
        self.spent.set(before.saturating_add(amount));
        if self.spent.get() <= MOST {
            return Ok(());
        }
        let failure = Failure::limit(at, "the values of the configuration are more than can be computed");
        // Once is enough: whatever comes of it, it is told.
        if before <= MOST {
            self.refuse(&failure);
        }
        Err(failure)
    }

    /// Terraform refuses the configuration for that.
    pub(super) fn refuse(&self, failure: &Failure) {
        self.failures.borrow_mut().insert((failure.at(), failure.reason().to_owned()));
    }

    /// Everything that is refused.
    pub(super) fn failures(&self) -> BTreeSet<(Span, String)> {
        self.failures.borrow().clone()
    }

    /// Something asked for the value of that declaration.
    pub(super) fn uses(&self, at: Span) {
        self.used.borrow_mut().insert(at);
    }

    /// Something asked for what a data source finds.
    pub(super) fn asks(&self, address: &str, module: &Module<'m>, block: &'m Block) {
        self.uses(block.at);
        if !self.data.borrow().contains_key(address) {
            self.data.borrow_mut().insert(address.to_owned(), (module.id, block));
        }
    }

    /// The data sources that something asked for, with their modules.
    pub(super) fn data(&self) -> Vec<(String, Rc<Module<'m>>, &'m Block)> {
        let modules = self.modules.borrow();
        let known = self.data.borrow();
        let with_module = |(address, (id, block)): (&String, &(usize, &'m Block))| {
            modules.get(*id).map(|module| (address.clone(), Rc::clone(module), *block))
        };
        known.iter().filter_map(with_module).collect()
    }

    /// The modules of the same root, of those that something asked for.
    pub(super) fn beside(&self, module: &Module<'m>) -> Vec<Rc<Module<'m>>> {
        self.modules.borrow().iter().filter(|other| other.root == module.root).cloned().collect()
    }

    /// Whether something did.
    pub(super) fn is_used(&self, at: Span) -> bool {
        self.used.borrow().contains(&at)
    }
}

impl<'m> Module<'m> {
    fn memo(&self, at: Span, key: &Arc<str>, compute: impl FnOnce() -> Evaluated) -> Evaluated {
        let id = (at, Arc::clone(key));
        match self.known.borrow().get(&id) {
            Some(Memo::Done(known)) => return known.clone(),
            Some(Memo::Busy) => return Err(Failure::new(at, "it depends on itself")),
            None => {}
        }
        self.known.borrow_mut().insert(id.clone(), Memo::Busy);
        let found = compute();
        self.known.borrow_mut().insert(id, Memo::Done(found.clone()));
        found
    }

    /// Whether it is the module of a folder, or is called by that.
    fn is_within(&self, folder: &str) -> bool {
        self.declared.folder == folder || self.call.as_ref().is_some_and(|call| call.caller.is_within(folder))
    }

    fn none() -> Arc<str> {
        "".into()
    }

    /// The value of an input variable; `None`: there is none of that name.
    pub(super) fn variable(&self, world: &World<'m>, name: &str, at: Span) -> Option<Evaluated> {
        let variable = self.declared.variables.get(name)?;
        let block = variable.block;
        world.uses(block.at);
        Some(self.memo(block.kind_at, &Self::none(), || {
            let context = Context { world, module: self, scope: &Scope::NONE };
            let given = match &self.call {
                Some(call) => match call.block.body.argument(name) {
                    Some(argument) => {
                        let scope = Scope { names: &call.names, outer: None };
                        let caller = Context { world, module: &call.caller, scope: &scope };
                        Some(caller.eval(&argument.value)?)
                    }
                    None => None,
                },
                None => self.declared.assigned.get(name).cloned(),
            };
            let given = given.filter(|value| !value.is_null() || variable.nullable);
            let default = || {
                let default = block.body.argument("default");
                default.map(|default| {
                    world.uses(default.at);
                    context.eval(&default.value)
                })
            };
            let value = match given {
                Some(value) => value,
                None => match default().transpose()? {
                    Some(value) => value,
                    None => Value::unknown(&format!("{}var.{name}", self.address), at),
                },
            };
            let value = match &variable.kind {
                Some(kind) => types::convert(&context, value, kind)?,
                None => value,
            };
            Ok(value.hidden(variable.sensitive))
        }))
    }

    /// A local value; `None`: there is none of that name.
    pub(super) fn local(&self, world: &World<'m>, name: &str) -> Option<Evaluated> {
        let argument = *self.declared.locals.get(name)?;
        world.uses(argument.at);
        Some(self.memo(argument.name_at, &Self::none(), || {
            Context { world, module: self, scope: &Scope::NONE }.eval(&argument.value)
        }))
    }

    /// An output value; `None`: there is none of that name.
    pub(super) fn output(&self, world: &World<'m>, name: &str) -> Option<Evaluated> {
        let block = *self.declared.outputs.get(name)?;
        world.uses(block.at);
        let context = Context { world, module: self, scope: &Scope::NONE };
        let sensitive = block
            .body
            .argument("sensitive")
            .is_some_and(|argument| context.eval(&argument.value).is_ok_and(|value| value.as_truth() != Some(false)));
        let argument = block.body.argument("value")?;
        Some(
            self.memo(block.kind_at, &Self::none(), || context.eval(&argument.value))
                .map(|value| value.hidden(sensitive)),
        )
    }

    /// How often a block is there, with what names.
    ///
    /// # Errors
    /// Terraform refuses its `count` or `for_each`.
    pub(super) fn expansion(&self, world: &World<'m>, block: &'m Block) -> Result<Rc<Expansion>, Failure> {
        if let Some(known) = self.expansions.borrow().get(&block.kind_at) {
            return known.clone();
        }
        // While it is computed: what asks for it then depends on itself.
        let busy = Err(Failure::new(block.kind_at, "how often it is there depends on itself"));
        self.expansions.borrow_mut().insert(block.kind_at, busy);
        let found = self.expand(world, block).map(Rc::new);
        self.expansions.borrow_mut().insert(block.kind_at, found.clone());
        found
    }

    fn expand(&self, world: &World<'m>, block: &'m Block) -> Result<Expansion, Failure> {
        let context = Context { world, module: self, scope: &Scope::NONE };
        if let Some(count) = block.body.argument("count") {
            let value = context.eval(&count.value)?;
            let copies = match (value.as_integer(), value.name_of_unknown()) {
                (Some(count), _) if (0..=MOST_INSTANCES).contains(&count) => {
                    {
                        // How far they count depends on what `count` does.
                        let index = |n| Value::of_number(n, value.at).computed_from([&value]);
                        (0..count).map(|n| Copy::counted(index(n), None)).collect()
                    }
                }
                (Some(_), _) => return Err(Failure::new(count.value.at, "`count` is out of range")),
                (None, Some(name)) => {
                    let index = Value::unknown(&format!("count.index below {name}"), value.at);
                    vec![Copy {
                        key: "[count.index]".into(),
                        ..Copy::counted(index, Some(format!("count = {name}").into()))
                    }]
                }
                (None, None) => return Err(Failure::new(count.value.at, "`count` has to be a whole number")),
            };
            return Ok(Expansion { kind: Repetition::Count, copies });
        }
        let Some(each) = block.body.argument("for_each") else {
            return Ok(Expansion { kind: Repetition::Single, copies: vec![Copy::single()] });
        };
        let value = context.eval(&each.value)?;
        if value.list().is_some_and(|list| !(list.is_set || list.items.is_empty() && list.more.is_empty())) {
            return Err(Failure::new(each.value.at, "`for_each` takes a map or a set of texts, not a list"));
        }
        let mut copies = Vec::new();
        for Item { key, value, name } in items_of(&value, each.value.at)? {
            if name.is_none() && key.as_text().is_none() && key.name_of_unknown().is_none() {
                return Err(Failure::new(each.value.at, "`for_each` takes a map or a set of texts"));
            }
            // An element that is surely there under a key that is not known is an instance all the same.
            let existence = name.map(|name| format!("for_each = {name}").into());
            copies.push(Copy::keyed(key, value, existence));
        }
        Ok(Expansion { kind: Repetition::ForEach, copies })
    }

    /// The module that a block calls, for one instance of the block.
    ///
    /// # Errors
    /// It is not at hand, or called without end.
    pub(super) fn child(&self, world: &World<'m>, block: &'m Block, copy: &Copy) -> Result<Rc<Self>, Failure> {
        let refuse = |reason: &str| Err(Failure::new(block.kind_at, reason));
        let id = (block.kind_at, Arc::clone(&copy.key));
        if let Some(child) =
            self.children.borrow().get(&id).and_then(|child| world.modules.borrow().get(*child).cloned())
        {
            return Ok(child);
        }
        let name = block.labels.first().map_or("", |(name, _)| name);
        let declared = match self.declared.source_of(block) {
            Source::Local(folder) => world.folders.get(&folder),
            Source::Remote(_) | Source::Unsaid => None,
        };
        let caller = world.modules.borrow().get(self.id).cloned();
        let (Some(declared), Some(caller)) = (declared, caller) else {
            return refuse(&format!("the files of the module `{}` are not at hand", escape(name.as_bytes())));
        };
        if self.is_within(&declared.folder) {
            return refuse("the module calls itself: terraform refuses it");
        }
        if world.modules.borrow().len() >= MOST_MODULES {
            return refuse("more modules than can be computed");
        }
        let path = self.path.iter().cloned().chain([(name.into(), Arc::clone(&copy.key))]).collect();
        let existence = both(self.existence.as_ref(), copy.existence.as_ref());
        let call = Call { caller, block, names: copy.names.clone() };
        let child = world.add(declared, path, self.root, Some(call), existence);
        self.children.borrow_mut().insert(id, child.id);
        Ok(child)
    }

    /// The argument of an instance of a resource, or its blocks of that kind; `None`: its configuration does not say.
    pub(super) fn argument_of(
        &self,
        world: &World<'m>,
        block: &'m Block,
        copy: &Copy,
        name: &str,
    ) -> Option<Evaluated> {
        let context_names = Scope { names: &copy.names, outer: None };
        let context = Context { world, module: self, scope: &context_names };
        if is_meta_argument(name) || is_ignored(&block.body, name) {
            return None;
        }
        if let Some(argument) = block.body.argument(name) {
            return Some(self.memo(argument.name_at, &copy.key, || context.eval(&argument.value)));
        }
        let first = blocks_named(&block.body, name).next()?;
        Some(self.memo(first.kind_at, &copy.key, || {
            context.blocks(&block.body, name).map(|list| Value::new(What::List(Arc::new(list)), first.at))
        }))
    }

    /// An instance of a resource as an object: what its configuration says, and that there is more.
    pub(super) fn whole(&self, world: &World<'m>, block: &'m Block, copy: &Copy, address: &str) -> Evaluated {
        let mut object = Object::default();
        let mut names: Vec<&str> = block.body.arguments.iter().map(|argument| &*argument.name).collect();
        names.extend(block.body.blocks.iter().filter_map(block_name));
        names.dedup();
        for name in names {
            if object.get(name).is_none()
                && let Some(value) = self.argument_of(world, block, copy, name)
            {
                let value = value?;
                if !value.is_null() {
                    object.entries.push(Entry { name: name.into(), at: value.at, value });
                }
            }
        }
        let mark = self.mark(world, block, copy);
        object.more.push(more(address, Value::unknown(&format!("{address}.*{mark}"), block.at)));
        Ok(Value::new(What::Object(Arc::new(object)), block.at))
    }
}

impl<'m> Context<'_, 'm> {
    /// What a block says: its arguments by name, and its blocks, of which those of one kind are a list.
    ///
    /// A mistake in one argument is refused and makes it unknown. `only`: those of these names.
    pub(super) fn body(&self, body: &'m Body, is_resource: bool, only: Option<&[&str]>) -> Object {
        let mut object = Object::default();
        let wanted = |name: &str| only.is_none_or(|only| only.contains(&name));
        for Argument { name, name_at, value, at: _ } in &body.arguments {
            if is_resource && is_meta_argument(name) || !wanted(name) {
                continue;
            }
            let at = value.at;
            let value = if is_resource && is_ignored(body, name) {
                Value::unknown(&format!("{name} (ignore_changes)"), at)
            } else {
                self.eval(value).unwrap_or_else(|failure| self.refused(&failure, at))
            };
            object.entries.push(Entry { name: Arc::clone(name), at: *name_at, value: Value { at, ..value } });
        }
        for block in &body.blocks {
            let Some(name) = block_name(block) else { continue };
            if is_resource && is_meta_block(name) || object.get(name).is_some() || !wanted(name) {
                continue;
            }
            let value = if is_resource && is_ignored(body, name) {
                Value::unknown(&format!("{name} (ignore_changes)"), block.at)
            } else {
                match self.blocks(body, name) {
                    Ok(list) => Value::new(What::List(Arc::new(list)), block.at),
                    Err(failure) => self.refused(&failure, block.at),
                }
            };
            object.entries.push(Entry { name: name.into(), at: block.kind_at, value });
        }
        object
    }

    /// Says that a value is refused; what stands in its place.
    fn refused(&self, failure: &Failure, at: Span) -> Value {
        self.world.refuse(failure);
        Value::unknown("what terraform refuses", at)
    }

    /// The blocks of one kind, those that `dynamic` makes among them (Terraform language: dynamic blocks).
    fn blocks(&self, body: &'m Body, name: &str) -> Result<List, Failure> {
        let mut list = List::default();
        for block in blocks_named(body, name) {
            if &*block.kind != "dynamic" {
                let object = self.body(&block.body, false, None);
                list.items.push(Value::new(What::Object(Arc::new(object)), block.at));
                continue;
            }
            let (Some(each), Some(content)) = (block.body.argument("for_each"), block.body.blocks_of("content").next())
            else {
                // It is refused where all blocks are looked at.
                continue;
            };
            let iterator = block.body.argument("iterator").and_then(|argument| argument.value.as_name());
            let iterator = iterator.unwrap_or(name);
            let collection = self.eval(&each.value)?;
            for Item { key, value, name: together } in items_of(&collection, each.value.at)? {
                self.world.charge(each.value.at, ITEM)?;
                let at = each.value.at;
                let entries =
                    vec![Entry { name: "key".into(), at, value: key }, Entry { name: "value".into(), at, value }];
                let names = [(iterator, Value::of_entries(entries, at))];
                let scope = Scope { names: &names, outer: Some(self.scope) };
                let inner = Context { world: self.world, module: self.module, scope: &scope };
                let object = inner.body(&content.body, false, None);
                let value = Value::new(What::Object(Arc::new(object)), block.at).hidden(collection.sensitive);
                self.world.uses(block.at);
                match together {
                    None => list.items.push(value),
                    Some(together) => list.more.push(more(&together, value)),
                }
            }
        }
        Ok(list)
    }
}

/// Both conditions.
pub(super) fn both(one: Option<&Arc<str>>, other: Option<&Arc<str>>) -> Option<Arc<str>> {
    match (one, other) {
        (Some(one), Some(other)) => Some(format!("{one} and {other}").into()),
        (one, other) => one.or(other).cloned(),
    }
}

/// The arguments that every resource may have and that are not of its type (Terraform language: meta-arguments).
pub(super) fn is_meta_argument(name: &str) -> bool {
    matches!(name, "count" | "for_each" | "provider" | "depends_on")
}

/// Likewise the blocks.
pub(super) fn is_meta_block(name: &str) -> bool {
    matches!(name, "lifecycle" | "provisioner" | "connection")
}

/// Whether `lifecycle` says that changes of an argument are not applied: what it then is nobody knows.
pub(super) fn is_ignored(body: &Body, name: &str) -> bool {
    let ignores = body.blocks_of("lifecycle").filter_map(|block| block.body.argument("ignore_changes"));
    ignores
        .into_iter()
        .any(|argument| argument.value.names().iter().any(|ignored| &**ignored == name || &**ignored == "all"))
}

/// The kind of a block, or of those that a `dynamic` block makes.
pub(super) fn block_name(block: &Block) -> Option<&str> {
    if &*block.kind == "dynamic" { block.labels.first().map(|(label, _)| &**label) } else { Some(&block.kind) }
}

fn blocks_named<'b>(body: &'b Body, name: &str) -> impl Iterator<Item = &'b Block> {
    body.blocks.iter().filter(move |block| block_name(block) == Some(name))
}
