//! The rules of a side as a diagram, inside one region.

use super::Sided;
use super::fdd::{ACCEPT, DENY, Diagram, Exhausted, Node, Op, RETURN, UNDECIDED, is_constant};
use super::ranks::{Constraint, Levels};
use super::slice::{Place, Slice};
use crate::model::{Action, Families, RuleId, Store, TableId};
use crate::net::{Field, Region};
use foldhash::quality::RandomState;
use std::collections::HashMap;
use std::collections::hash_map::Entry;

/// Compiles programs that share rules into one diagram.
pub(super) struct Compiler<'c> {
    store: &'c Store,
    region: &'c Region,
    pub(super) levels: Levels,
    pub(super) diagram: Diagram,
    /// Rules with what they do.
    leaves: HashMap<(RuleId, Node), Node, RandomState>,
    /// Lists of the same functions are compiled once.
    lists: HashMap<Vec<Node>, Node, RandomState>,
}

impl<'c> Compiler<'c> {
    /// `rules` are all that will be compiled; `order` lists every field.
    pub(super) fn new(
        store: &'c Store,
        region: &'c Region,
        rules: impl Iterator<Item = RuleId> + Clone,
        order: &[Field],
        budget: usize,
    ) -> Self {
        let expected = rules.clone().count() * 8;
        let levels = Levels::new(store, region, rules, order);
        let last = levels.iter().map(super::ranks::Level::last_rank).collect();
        Self {
            store,
            region,
            diagram: Diagram::new(last, budget, expected),
            levels,
            leaves: HashMap::default(),
            lists: HashMap::default(),
        }
    }

    /// What a side does with each packet of the region: ACCEPT or DENY.
    pub(super) fn program(&mut self, sided: Sided<'_>, slice: &Slice) -> Result<Node, Exhausted> {
        let mut all = ACCEPT;
        for stage in &sided.filter.stages {
            if !stage.families.contains(self.region.family()) {
                continue;
            }
            let chain = self.chain(sided, slice, (stage.table, stage.chain))?;
            let otherwise = if stage.otherwise == Action::Deny { DENY } else { ACCEPT };
            let stage = self.diagram.apply(Op::Otherwise, chain, otherwise)?;
            all = self.diagram.apply(Op::Next, all, stage)?;
        }
        Ok(all)
    }

    /// What a list of rules of one chain does, as a partial function.
    pub(super) fn rules(
        &mut self,
        sided: Sided<'_>,
        slice: &Slice,
        table: TableId,
        rules: &[RuleId],
    ) -> Result<Node, Exhausted> {
        let mut done = Done::default();
        for rule in rules {
            if let Some(callee) = self.callee(sided, table, *rule) {
                self.chain_into(sided, slice, callee, &mut done)?;
            }
        }
        let family = Families::only(self.region.family());
        let rules = rules.iter().copied().filter(|rule| self.store.get(*rule).families().and(family) == family);
        let rules: Vec<RuleId> = rules.collect();
        self.list(sided, table, &rules, &done)
    }

    fn chain(&mut self, sided: Sided<'_>, slice: &Slice, place: Place) -> Result<Node, Exhausted> {
        let mut done = Done::default();
        self.chain_into(sided, slice, place, &mut done)?;
        Ok(done.get(&place).copied().flatten().unwrap_or(UNDECIDED))
    }

    /// What a chain does, chains that it calls included. Does not recurse: chains may call one another
    /// thousands of levels deep. `done` holds `None` for chains that are being looked at.
    fn chain_into(&mut self, sided: Sided<'_>, slice: &Slice, place: Place, done: &mut Done) -> Result<(), Exhausted> {
        let mut stack = vec![place];
        while let Some(place) = stack.last().copied() {
            let rules = slice.rules(place);
            if let Entry::Vacant(entry) = done.entry(place) {
                entry.insert(None);
                let before = stack.len();
                let callees = rules.iter().filter_map(|(_, rule)| self.callee(sided, place.0, *rule));
                stack.extend(callees.filter(|callee| !done.contains_key(callee)));
                if stack.len() > before {
                    continue;
                }
            }
            stack.pop();
            if done.get(&place).copied().flatten().is_none() {
                let rules: Vec<RuleId> = rules.iter().map(|(_, rule)| *rule).collect();
                let node = self.list(sided, place.0, &rules, done)?;
                done.insert(place, Some(node));
            }
        }
        Ok(())
    }

    pub(super) fn callee(&self, sided: Sided<'_>, table: TableId, rule: RuleId) -> Option<Place> {
        match self.store.get(rule).action() {
            Action::Jump(name) | Action::Goto(name) => sided.configuration.table(table).find(name).map(|c| (table, c)),
            Action::Accept | Action::Deny | Action::Return | Action::Continue => None,
        }
    }

    /// What a rule does with the packets that it matches, given what the chains do that it may call.
    pub(super) fn inside(
        &mut self,
        sided: Sided<'_>,
        table: TableId,
        rule: RuleId,
        done: &Done,
    ) -> Result<Node, Exhausted> {
        let called = self.callee(sided, table, rule).and_then(|callee| done.get(&callee).copied().flatten());
        match self.store.get(rule).action() {
            Action::Accept => Ok(ACCEPT),
            Action::Deny => Ok(DENY),
            Action::Return => Ok(RETURN),
            Action::Continue => Ok(UNDECIDED),
            Action::Jump(_) => self.diagram.apply(Op::Called, called.unwrap_or(UNDECIDED), UNDECIDED),
            Action::Goto(_) => match called {
                Some(called) => self.diagram.apply(Op::TakenOver, called, UNDECIDED),
                None => Ok(UNDECIDED),
            },
        }
    }

    /// What rules of one chain do in a row, given what the chains do that they may call.
    pub(super) fn list(
        &mut self,
        sided: Sided<'_>,
        table: TableId,
        rules: &[RuleId],
        done: &Done,
    ) -> Result<Node, Exhausted> {
        let mut leaves = Vec::with_capacity(rules.len());
        for rule in rules {
            let inside = self.inside(sided, table, *rule, done)?;
            if inside != UNDECIDED {
                leaves.push(self.leaf(*rule, inside)?);
            }
        }
        if let Some(known) = self.lists.get(&leaves) {
            return Ok(*known);
        }
        let node = self.diagram.chain(leaves.clone())?;
        self.lists.insert(leaves, node);
        Ok(node)
    }

    /// `inside` where the rule matches.
    pub(super) fn leaf(&mut self, rule: RuleId, inside: Node) -> Result<Node, Exhausted> {
        if let Some(known) = self.leaves.get(&(rule, inside)) {
            return Ok(*known);
        }
        let node = match self.levels.constraints(self.store, self.region, rule) {
            None => UNDECIDED,
            Some(constraints) if is_constant(inside) => self.path(&constraints, inside)?,
            Some(constraints) => {
                let matches = self.path(&constraints, ACCEPT)?;
                self.diagram.apply(Op::Within, matches, inside)?
            }
        };
        self.leaves.insert((rule, inside), node);
        Ok(node)
    }

    fn path(&mut self, constraints: &[Constraint], inside: Node) -> Result<Node, Exhausted> {
        let mut node = inside;
        for (level, ranks) in constraints.iter().rev() {
            node = self.diagram.test(*level, ranks, node)?;
        }
        Ok(node)
    }
}

pub(super) type Done = HashMap<Place, Option<Node>, RandomState>;
