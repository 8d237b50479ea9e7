//! Addresses that were others before (Terraform language: refactoring).
//!
//! What `moved` blocks of the side after say is done with the addresses of the side before, so that what is only
//! called otherwise is the same on both sides. A resource that gets or loses its `count` is moved without a word: to
//! `[0]`, or from there. Nothing is moved to where something is already; a move that Terraform would not make is not
//! made here, which leaves a deletion and an addition to be judged.

use super::declared::{Declared, Source};
use super::eval::{Failure, address_of_key};
use super::syntax::{Block, Expr, Kind, Start, Step};
use crate::formats::data::value::Value;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::{self, Display};
use std::sync::Arc;

/// A name with the key of an instance: `["a"]`, `[0]`, nothing.
type Instance = (Arc<str>, Arc<str>);

/// The address of a resource, or of a module.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct Address {
    /// The calls that lead there.
    pub(super) modules: Vec<Instance>,
    /// Its type, and its name; `None`: it is the last of the modules.
    pub(super) resource: Option<(Arc<str>, Instance)>,
}

/// A `moved` block, as it is in one place of the tree of modules.
#[derive(Debug)]
struct Statement {
    /// The names of the calls that lead to the module that says it.
    within: Vec<Arc<str>>,
    from: Address,
    to: Address,
}

/// What the addresses of the other side have become, by the folders of the roots.
#[derive(Debug, Default)]
pub(super) struct Moves(BTreeMap<String, Tree>);

/// Of the tree of modules below one root.
#[derive(Debug, Default)]
struct Tree {
    statements: Vec<Statement>,
    /// What repeats the resources, by the names of the calls and their own.
    repeats: HashMap<Resource, Repeats>,
}

/// The names of the calls that lead to a resource, its type and its name.
type Resource = (Vec<Arc<str>>, Arc<str>, Arc<str>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Repeats {
    Not,
    Count,
    ForEach,
}

impl Repeats {
    fn of(block: &Block) -> Self {
        match (block.body.argument("count"), block.body.argument("for_each")) {
            (None, None) => Self::Not,
            (Some(_), _) => Self::Count,
            (None, Some(_)) => Self::ForEach,
        }
    }

    /// Whether an instance of the block may have that key.
    fn allows(self, key: &str) -> bool {
        match self {
            Self::Not => key.is_empty(),
            Self::Count => key.starts_with('[') && !key.starts_with("[\""),
            Self::ForEach => key.starts_with("[\""),
        }
    }
}

impl Moves {
    /// What the modules of the side after say.
    pub(super) fn of(modules: &BTreeMap<String, Declared<'_>>, roots: &BTreeSet<String>) -> Self {
        let mut moves = Self::default();
        for root in roots {
            let mut tree = Tree::default();
            walk(modules, root, &mut Vec::new(), &mut Vec::new(), &mut |within, declared| {
                for block in &declared.moved {
                    if let Ok((from, to)) = ends(block) {
                        tree.statements.push(Statement { within: within.to_vec(), from, to });
                    }
                }
                for ((kind, name), block) in &declared.resources {
                    let key = (within.to_vec(), Arc::from(*kind), Arc::from(*name));
                    tree.repeats.insert(key, Repeats::of(block));
                }
            });
            moves.0.insert(root.clone(), tree);
        }
        moves
    }

    /// What an address below that root is on the side after. `modules` are those of its own side.
    pub(super) fn now(&self, root: &str, address: Address, modules: &BTreeMap<String, Declared<'_>>) -> Address {
        let Some(tree) = self.0.get(root) else { return address };
        let is_free = |to: &Address| !is_declared(to, root, modules);
        let mut address = address;
        let mut used = BTreeSet::new();
        let mut explicit = false;
        while let Some((n, to)) = tree.statements.iter().enumerate().find_map(|(n, statement)| {
            let to = statement.applied(&address).filter(|_| !used.contains(&n))?;
            Some((n, to))
        }) {
            used.insert(n);
            explicit = true;
            if is_free(&to) {
                address = to;
            }
        }
        match tree.implied(&address) {
            Some(to) if !explicit && is_free(&to) => to,
            Some(_) | None => address,
        }
    }
}

impl Tree {
    /// "When you add `count` to an existing resource … Terraform automatically proposes to move the original object to
    /// instance zero, unless you write a `moved` block that explicitly mentions that resource."
    fn implied(&self, address: &Address) -> Option<Address> {
        let (kind, (name, key)) = address.resource.as_ref()?;
        let within: Vec<Arc<str>> = address.modules.iter().map(|(name, _)| Arc::clone(name)).collect();
        let repeats = self.repeats.get(&(within, Arc::clone(kind), Arc::clone(name)))?;
        let to = match (repeats, &**key) {
            (Repeats::Count, "") => "[0]",
            (Repeats::Not, "[0]") => "",
            (Repeats::Not | Repeats::Count | Repeats::ForEach, _) => return None,
        };
        if self.statements.iter().any(|statement| statement.mentions(address)) {
            return None;
        }
        let resource = Some((Arc::clone(kind), (Arc::clone(name), to.into())));
        Some(Address { modules: address.modules.clone(), resource })
    }
}

impl Statement {
    /// Where an address is moved to; `None`: it is not what the statement is about.
    fn applied(&self, address: &Address) -> Option<Address> {
        let Self { within, from, to } = self;
        let (outer, inner) = self.split(address)?;
        let whole = self.is_whole();
        let moved = |from: &Instance, to: &Instance, is: &Instance| {
            let same = from.0 == is.0 && (whole || from.1 == is.1);
            same.then(|| (Arc::clone(&to.0), Arc::clone(if whole { &is.1 } else { &to.1 })))
        };
        let mut now = Address { modules: outer.to_vec(), resource: None };
        match (&from.resource, &to.resource) {
            (Some((kind, from_name)), Some((to_kind, to_name))) if kind == to_kind => {
                let (is_kind, is_name) = address.resource.as_ref()?;
                if inner != from.modules || is_kind != kind {
                    return None;
                }
                now.modules.extend(to.modules.iter().cloned());
                now.resource = Some((Arc::clone(kind), moved(from_name, to_name, is_name)?));
            }
            (None, None) => {
                let (from_last, from_first) = from.modules.split_last()?;
                let (to_last, to_first) = to.modules.split_last()?;
                let (first, rest) = inner.split_at_checked(from_first.len())?;
                let (is_last, rest) = rest.split_first()?;
                if first != from_first {
                    return None;
                }
                now.modules.extend(to_first.iter().cloned());
                now.modules.push(moved(from_last, to_last, is_last)?);
                now.modules.extend(rest.iter().cloned());
                now.resource.clone_from(&address.resource);
            }
            // Another type is another thing, and so is a module.
            (Some(_) | None, _) => return None,
        }
        debug_assert!(now.modules.len() >= within.len(), "a module is moved within the one that says so");
        Some(now)
    }

    /// The calls that lead to the module that says it, and those behind.
    fn split<'a>(&self, address: &'a Address) -> Option<(&'a [Instance], &'a [Instance])> {
        let (outer, inner) = address.modules.split_at_checked(self.within.len())?;
        outer.iter().map(|(name, _)| name).eq(&self.within).then_some((outer, inner))
    }

    /// "If neither address has an instance key, all instances are moved"; otherwise the one is, which may have none.
    fn is_whole(&self) -> bool {
        let key = |address: &Address| match &address.resource {
            Some((_, (_, key))) => key.is_empty(),
            None => address.modules.last().is_some_and(|(_, key)| key.is_empty()),
        };
        key(&self.from) && key(&self.to)
    }

    /// Whether it is about the resource of that address, from or to.
    fn mentions(&self, address: &Address) -> bool {
        let Some((_, inner)) = self.split(address) else { return false };
        let names = |(kind, (name, _)): &(Arc<str>, Instance)| (Arc::clone(kind), Arc::clone(name));
        [&self.from, &self.to].into_iter().any(|end| {
            end.resource.is_some()
                && end.modules == inner
                && end.resource.as_ref().map(names) == address.resource.as_ref().map(names)
        })
    }
}

impl Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, key) in &self.modules {
            write!(f, "module.{name}{key}.")?;
        }
        match &self.resource {
            Some((kind, (name, key))) => write!(f, "{kind}.{name}{key}"),
            None => Ok(()),
        }
    }
}

/// What Terraform refuses of the `moved` blocks of a side.
pub(super) fn refused(modules: &BTreeMap<String, Declared<'_>>, roots: &BTreeSet<String>, refused: &mut Vec<Failure>) {
    for root in roots {
        let mut known: Vec<(Statement, &Block)> = Vec::new();
        let mut found = Vec::new();
        walk(modules, root, &mut Vec::new(), &mut Vec::new(), &mut |within, declared| {
            for block in &declared.moved {
                match ends(block) {
                    Ok((from, to)) => found.push((Statement { within: within.to_vec(), from, to }, *block)),
                    Err(failure) => refused.push(failure),
                }
            }
        });
        for (statement, block) in found {
            let Statement { within, from, to } = &statement;
            let mut refuse = |reason: String| refused.push(Failure::new(block.kind_at, reason));
            let outer = || within.iter().map(|name| (Arc::clone(name), Arc::from("")));
            let whole = Address { modules: outer().chain(from.modules.clone()).collect(), ..from.clone() };
            if names_a_block(&whole, statement.is_whole(), root, modules) {
                refuse(format!("`{from}` is still declared: terraform refuses to move it"));
            }
            let twice = |other: &Statement| other.within == *within && (other.from == *from || other.to == *to);
            if known.iter().any(|(other, at)| twice(other) && at.at != block.at) {
                refuse(format!("`{from}` to `{to}`: another `moved` block is about the same address"));
            }
            known.push((statement, block));
        }
    }
}

/// Goes through the modules below a root, as often as they are called.
fn walk<'m, 'd>(
    modules: &'m BTreeMap<String, Declared<'d>>,
    folder: &str,
    names: &mut Vec<Arc<str>>,
    folders: &mut Vec<String>,
    visit: &mut dyn FnMut(&[Arc<str>], &'m Declared<'d>),
) {
    // Modules that call themselves are refused elsewhere.
    let Some(declared) = modules.get(folder).filter(|_| !folders.iter().any(|known| known == folder)) else { return };
    visit(names, declared);
    folders.push(folder.to_owned());
    for (name, block) in &declared.modules {
        if let Source::Local(folder) = declared.source_of(block) {
            names.push(Arc::from(*name));
            walk(modules, &folder, names, folders, visit);
            names.pop();
        }
    }
    folders.pop();
}

/// Whether the configuration may have something of that address.
fn is_declared(address: &Address, root: &str, modules: &BTreeMap<String, Declared<'_>>) -> bool {
    let mut declared = modules.get(root);
    for (n, (name, key)) in address.modules.iter().enumerate() {
        let Some(here) = declared else { return true };
        let Some(block) = here.modules.get(&**name) else { return false };
        if !Repeats::of(block).allows(key) {
            return false;
        }
        if n + 1 == address.modules.len() && address.resource.is_none() {
            return true;
        }
        declared = match here.source_of(block) {
            Source::Local(folder) => modules.get(&folder),
            // What is in there nobody knows.
            Source::Remote(_) | Source::Unsaid => None,
        };
    }
    let (Some(declared), Some((kind, (name, key)))) = (declared, &address.resource) else { return true };
    declared.resources.get(&(&**kind, &**name)).is_some_and(|block| Repeats::of(block).allows(key))
}

/// Whether what a statement moves away is there still, as far as the blocks tell: which instances `count` and `for_each` give
/// is not asked.
fn names_a_block(address: &Address, whole: bool, root: &str, modules: &BTreeMap<String, Declared<'_>>) -> bool {
    let mut declared = modules.get(root);
    let last = address.modules.len();
    for (n, (name, key)) in address.modules.iter().enumerate() {
        let Some(block) = declared.and_then(|declared| declared.modules.get(&**name)) else { return false };
        if n + 1 == last && address.resource.is_none() {
            return whole || Repeats::of(block) == Repeats::Not && key.is_empty();
        }
        declared = declared.and_then(|declared| match declared.source_of(block) {
            Source::Local(folder) => modules.get(&folder),
            Source::Remote(_) | Source::Unsaid => None,
        });
    }
    let (Some(declared), Some((kind, (name, key)))) = (declared, &address.resource) else { return false };
    let block = declared.resources.get(&(&**kind, &**name));
    block.is_some_and(|block| whole || Repeats::of(block) == Repeats::Not && key.is_empty())
}

/// The two addresses of a `moved` block.
fn ends(block: &Block) -> Result<(Address, Address), Failure> {
    let end = |name: &str| {
        let argument = block.body.argument(name);
        let argument = argument.ok_or_else(|| Failure::new(block.kind_at, format!("`moved` without `{name}`")))?;
        let wrong = || Failure::new(argument.value.at, "the address of a resource or of a module is expected");
        address(&argument.value).ok_or_else(wrong)
    };
    let (from, to) = (end("from")?, end("to")?);
    if from.resource.is_some() != to.resource.is_some() {
        return Err(Failure::new(
            block.kind_at,
            "a resource and a module: terraform refuses to move the one to the other",
        ));
    }
    Ok((from, to))
}

/// The address that an expression is.
fn address(expr: &Expr) -> Option<Address> {
    let Kind::Path(start, steps) = &expr.kind else { return None };
    let Start::Name(first) = &**start else { return None };
    // Each name with the key behind it.
    let mut parts: Vec<Instance> = vec![(Arc::clone(first), "".into())];
    for step in steps {
        match step {
            Step::Attribute(name) => parts.push((Arc::clone(name), "".into())),
            Step::Index(Expr { kind: Kind::Literal(key), .. }) => {
                let last = parts.last_mut().filter(|(_, known)| known.is_empty())?;
                last.1 = key_of(key)?;
            }
            Step::Index(_) | Step::AttributeSplat | Step::FullSplat => return None,
        }
    }
    let mut address = Address::default();
    let mut rest = &parts[..];
    while let [(module, none), called, behind @ ..] = rest
        && &**module == "module"
        && none.is_empty()
    {
        address.modules.push(called.clone());
        rest = behind;
    }
    match rest {
        [] => {}
        [(kind, none), name] if none.is_empty() && !matches!(&**kind, "data" | "var" | "local" | "module") => {
            address.resource = Some((Arc::clone(kind), name.clone()));
        }
        _ => return None,
    }
    Some(address)
}

fn key_of(key: &Value) -> Option<Arc<str>> {
    (key.text().is_some() || key.as_integer().is_some()).then(|| address_of_key(key))
}
