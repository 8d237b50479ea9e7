//! The ruleset that the commands leave behind: what the kernel would hold.

use super::runs::{Run, Shapes};
use super::syntax::{
    self, Base, Elements, Family, Flowtable, Name, Object, ObjectKind, Policy, Rule, Table as TableHead,
};
use crate::model::{Flush, Reference};
use crate::text::Span;
use std::collections::{HashMap, VecDeque};

/// Everything, in the order in which it was made.
#[derive(Debug, Default)]
pub(super) struct Ruleset<'t> {
    pub(super) tables: Vec<Table<'t>>,
    /// What the runs of the chains are written in.
    pub(super) shapes: Shapes<'t>,
    /// What was emptied on the way.
    pub(super) flushes: Vec<Flush>,
    /// Names that were used and not declared; each is a gap as well.
    pub(super) undefined: Vec<Reference>,
    /// How many base chains were registered.
    pub(super) registered: u64,
}

/// A table and what is in it.
#[derive(Debug)]
pub(super) struct Table<'t> {
    /// Family, name, flags, comment, as first declared; flags of later declarations are added.
    pub(super) head: TableHead<'t>,
    pub(super) at: Span,
    pub(super) chains: Named<Chain<'t>>,
    pub(super) sets: Named<Set<'t>>,
    pub(super) objects: Vec<Object<'t>>,
    pub(super) flowtables: Vec<Flowtable<'t>>,
}

/// A chain and its rules.
#[derive(Debug)]
pub(super) struct Chain<'t> {
    pub(super) name: Name<'t>,
    /// Where it is declared.
    pub(super) at: Span,
    pub(super) base: Option<Base<'t>>,
    pub(super) policy: Option<Policy>,
    /// Base chains of equal priority run in the order of these numbers.
    pub(super) registered: u64,
    pub(super) rules: VecDeque<Placed<'t>>,
}

/// What stands in a chain.
#[derive(Debug)]
pub(super) enum Placed<'t> {
    /// A rule, and its handle as a listing gives it; what the kernel would give a new rule is not known.
    Rule(Option<u64>, Rule<'t>),
    /// Several, none with a handle.
    Run(Run<'t>),
}

/// A set or map and what was done to its elements since it was made or flushed.
#[derive(Debug)]
pub(super) struct Set<'t> {
    pub(super) head: syntax::Set<'t>,
    /// In order; later ones may take away what earlier ones added.
    pub(super) changes: Vec<Change<'t>>,
}

/// What was done to the elements of a set.
#[derive(Debug)]
pub(super) struct Change<'t> {
    pub(super) action: ChangeAction,
    /// The braces and what is between them.
    pub(super) at: Span,
    pub(super) elements: Elements<'t>,
}

/// How elements were changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ChangeAction {
    /// What is there already stays as it is.
    Add,
    /// It is an error if one is there.
    Create,
    /// It is an error if one is not there.
    Delete,
    /// Those that are there go.
    Destroy,
}

/// Things in the order in which they were made, which are found by name.
#[derive(Debug)]
pub(super) struct Named<T> {
    items: Vec<T>,
    by_name: HashMap<Vec<u8>, usize>,
}

impl<T> Default for Named<T> {
    fn default() -> Self {
        Self { items: Vec::new(), by_name: HashMap::new() }
    }
}

impl<T> Named<T> {
    pub(super) fn find(&self, name: &[u8]) -> Option<&T> {
        self.items.get(*self.by_name.get(name)?)
    }

    pub(super) fn find_mut(&mut self, name: &[u8]) -> Option<&mut T> {
        self.items.get_mut(*self.by_name.get(name)?)
    }

    pub(super) fn iter_mut(&mut self) -> std::slice::IterMut<'_, T> {
        self.items.iter_mut()
    }

    pub(super) fn push(&mut self, name: &[u8], item: T) {
        self.by_name.insert(name.to_vec(), self.items.len());
        self.items.push(item);
    }

    pub(super) fn remove(&mut self, name: &[u8]) -> Option<T> {
        let index = self.by_name.remove(name)?;
        for later in self.by_name.values_mut().filter(|later| **later > index) {
            *later -= 1;
        }
        Some(self.items.remove(index))
    }

    pub(super) fn rename(&mut self, old: &[u8], new: &[u8]) {
        if let Some(index) = self.by_name.remove(old) {
            self.by_name.insert(new.to_vec(), index);
        }
    }
}

impl<T> std::ops::Deref for Named<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.items
    }
}

impl<'i, T> IntoIterator for &'i Named<T> {
    type Item = &'i T;
    type IntoIter = std::slice::Iter<'i, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.items.iter()
    }
}

impl<'t> Ruleset<'t> {
    /// The table of that family and name.
    pub(super) fn table(&self, family: Family, name: &[u8]) -> Option<&Table<'t>> {
        self.tables.iter().find(|table| table.head.family == family && *table.head.name.text == *name)
    }

    pub(super) fn table_mut(&mut self, family: Family, name: &[u8]) -> Option<&mut Table<'t>> {
        self.tables.iter_mut().find(|table| table.head.family == family && *table.head.name.text == *name)
    }
}

impl<'t> Table<'t> {
    pub(super) fn chain(&self, name: &[u8]) -> Option<&Chain<'t>> {
        self.chains.find(name)
    }

    pub(super) fn set(&self, name: &[u8]) -> Option<&Set<'t>> {
        self.sets.find(name)
    }

    pub(super) fn object(&self, kind: ObjectKind, name: &[u8]) -> Option<&Object<'t>> {
        self.objects.iter().find(|object| object.data.kind() == kind && *object.path.name.text == *name)
    }

    pub(super) fn flowtable(&self, name: &[u8]) -> Option<&Flowtable<'t>> {
        self.flowtables.iter().find(|table| *table.path.name.text == *name)
    }
}
