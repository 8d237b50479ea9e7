//! The ruleset that the commands leave behind: what the kernel would hold.

use super::syntax::{self, Base, Elements, Family, Flowtable, Name, Object, Policy, Rule, Table as TableHead};
use crate::text::Span;
use std::collections::HashMap;

/// Everything, in the order in which it was made.
#[derive(Debug, Default)]
pub(super) struct Ruleset<'t> {
    pub(super) tables: Vec<Table<'t>>,
}

/// A table and what is in it.
#[derive(Debug)]
pub(super) struct Table<'t> {
    /// Family, name, flags, comment, as first declared; flags of later declarations are added.
    pub(super) head: TableHead<'t>,
    pub(super) at: Span,
    pub(super) chains: Vec<Chain<'t>>,
    pub(super) sets: Vec<Set<'t>>,
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
    pub(super) comment: Option<Name<'t>>,
    /// Base chains of equal priority run in the order of these numbers.
    pub(super) registered: u64,
    pub(super) handle: u64,
    pub(super) rules: Vec<Placed<'t>>,
}

/// A rule in its chain.
#[derive(Debug)]
pub(super) struct Placed<'t> {
    pub(super) handle: u64,
    pub(super) rule: Rule<'t>,
}

/// A set or map and what was done to its elements since it was made or flushed.
#[derive(Debug)]
pub(super) struct Set<'t> {
    pub(super) head: syntax::Set<'t>,
    /// In order; later ones may take away what earlier ones added.
    pub(super) changes: Vec<Change<'t>>,
    pub(super) handle: u64,
}

/// What was done to the elements of a set.
#[derive(Debug)]
pub(super) struct Change<'t> {
    pub(super) action: ChangeAction,
    /// Between the braces, and they.
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

impl<'t> Ruleset<'t> {
    /// The table of that family and name.
    pub(super) fn table(&self, family: Family, name: &[u8]) -> Option<&Table<'t>> {
        self.tables.iter().find(|table| table.head.family == family && *table.head.name.text == *name)
    }
}

impl<'t> Table<'t> {
    pub(super) fn chain(&self, name: &[u8]) -> Option<&Chain<'t>> {
        self.chains.iter().find(|chain| *chain.name.text == *name)
    }

    pub(super) fn set(&self, name: &[u8]) -> Option<&Set<'t>> {
        self.sets.iter().find(|set| *set.head.path.name.text == *name)
    }
}
