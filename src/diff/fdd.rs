//! Decision diagrams over ranks: canonical forms of functions from packets to what a chain does with them.
//!
//! A level is a field whose values were compressed to ranks (every interval between two endpoints that any rule
//! mentions is one rank), or an opaque condition with the ranks 0 (false) and 1 (true). A node is a sorted list
//! of intervals of ranks, each with a child; nodes are shared, so equal functions are equal numbers.
//! Every construction has a budget: a diagram can grow with the product of the rules, a gate's run time may not.

use super::products::{ANY, Products};
use foldhash::quality::RandomState;
use std::collections::{HashMap, HashSet};
use std::hash::BuildHasher;
use std::rc::Rc;

/// A function; below [`TERMINALS`] a constant.
pub(super) type Node = u32;

/// No rule decides.
pub(super) const UNDECIDED: Node = 0;
/// The packet passes the base chain.
pub(super) const ACCEPT: Node = 1;
/// The packet is dropped.
pub(super) const DENY: Node = 2;
/// Back to the caller.
pub(super) const RETURN: Node = 3;
const TERMINALS: u32 = 4;

/// Whether a function is the same for every packet.
pub(super) const fn is_constant(node: Node) -> bool {
    node < TERMINALS
}

/// The outcome of [`Op::Compare`] where both do the same.
pub(super) const SAME: Node = 0;
/// … where the first denies and the second accepts.
pub(super) const GAINED: Node = 1;
/// … where the first accepts and the second denies.
pub(super) const LOST: Node = 2;
/// … where partial functions differ otherwise.
pub(super) const OTHER: Node = 3;

/// How two functions are combined, packet by packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Op {
    /// The first where it decides, else the second.
    Then,
    /// The second where the first is ACCEPT (a match), else undecided.
    Within,
    /// What comes out of a called chain: RETURN is undecided for the caller.
    Called,
    /// What comes out of a chain that took over (goto): undecided goes back to the caller's caller.
    TakenOver,
    /// The second (a terminal) where the first is undecided or returns.
    Otherwise,
    /// Base chains in a row: DENY is final, ACCEPT goes on to the second. Partial functions stay undecided.
    Next,
    /// The second where the first is undecided, else undecided.
    Unless,
    /// Where the second decides: the first if that decides, else the second.
    Over,
    /// ACCEPT where both decide, and not the same.
    Clash,
    /// Where two functions differ.
    Compare,
}

/// The budget is spent: the diagram would be too large.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Exhausted;

#[derive(Clone, Copy)]
struct Inner {
    level: u32,
    first_edge: u32,
    edges: u32,
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct Edge {
    /// The last rank of the interval.
    last: u32,
    child: Node,
}

#[derive(Clone, Copy)]
struct Remembered {
    op: u8,
    first: Node,
    second: Node,
    result: Node,
}

/// A set of ranks: sorted, disjoint, non-adjacent closed intervals.
pub(super) type Ranks = Vec<(u32, u32)>;

pub(super) struct Diagram {
    inner: Vec<Inner>,
    edges: Vec<Edge>,
    unique: Vec<u32>,
    memo: Vec<Remembered>,
    scratch: Vec<Edge>,
    hasher: RandomState,
    /// The last rank of each level.
    last: Vec<u32>,
    budget: usize,
}

impl Diagram {
    /// `last` is the last rank of each level, from the top; `budget` the most edges that may be made.
    pub(super) fn new(last: Vec<u32>, budget: usize, expected: usize) -> Self {
        let slots = expected.clamp(1 << 8, 1 << 16).next_power_of_two();
        let empty = Remembered { op: u8::MAX, first: 0, second: 0, result: 0 };
        Self {
            inner: Vec::new(),
            edges: Vec::new(),
            unique: vec![0; slots],
            memo: vec![empty; slots],
            scratch: Vec::new(),
            hasher: RandomState::default(),
            last,
            budget,
        }
    }

    /// How many edges were made.
    pub(super) fn spent(&self) -> usize {
        self.edges.len()
    }

    /// So many edges more may be made.
    pub(super) fn allow(&mut self, more: usize) {
        self.budget = self.edges.len().saturating_add(more);
    }

    /// The function that is `inside` where the rank of `level` is in `ranks`, else undecided. `level` must be above
    /// every level of `inside`; `ranks` are sorted and disjoint.
    pub(super) fn test(&mut self, level: u32, ranks: &[(u32, u32)], inside: Node) -> Result<Node, Exhausted> {
        if inside == UNDECIDED {
            return Ok(UNDECIDED);
        }
        let base = self.scratch.len();
        let mut next = 0;
        for (first, last) in ranks {
            if *first > next {
                self.scratch.push(Edge { last: first - 1, child: UNDECIDED });
            }
            self.scratch.push(Edge { last: *last, child: inside });
            next = last + 1;
        }
        if next <= self.last[level as usize] {
            self.scratch.push(Edge { last: self.last[level as usize], child: UNDECIDED });
        }
        self.make(level, base)
    }

    /// Combines two functions.
    pub(super) fn apply(&mut self, op: Op, first: Node, second: Node) -> Result<Node, Exhausted> {
        if let Some(result) = shortcut(op, first, second) {
            return Ok(result);
        }
        let slot = self.slot(op, first, second);
        let seen = self.memo[slot];
        if seen.op == op as u8 && seen.first == first && seen.second == second {
            return Ok(seen.result);
        }
        let (f, g) = (self.at(first), self.at(second));
        let level = f.level.min(g.level);
        let base = self.scratch.len();
        let (mut i, mut j) = (0, 0);
        loop {
            let (f_last, f_child) = if f.level == level { self.edge(f, i) } else { (u32::MAX, first) };
            let (g_last, g_child) = if g.level == level { self.edge(g, j) } else { (u32::MAX, second) };
            let child = self.apply(op, f_child, g_child)?;
            let last = f_last.min(g_last);
            match self.scratch[base..].last_mut() {
                Some(previous) if previous.child == child => previous.last = last,
                Some(_) | None => self.scratch.push(Edge { last, child }),
            }
            if last == self.last[level as usize] {
                break;
            }
            i += u32::from(f_last == last);
            j += u32::from(g_last == last);
        }
        let result = self.make(level, base)?;
        self.memo[slot] = Remembered { op: op as u8, first, second, result };
        Ok(result)
    }

    /// `fold(Then)` of functions in order, as a balanced tree whose cuts depend on the functions themselves: two
    /// lists that are mostly the same share most of the tree.
    pub(super) fn chain(&mut self, leaves: Vec<Node>) -> Result<Node, Exhausted> {
        let mut row = leaves;
        while row.len() > 1 {
            let mut next = Vec::with_capacity(row.len() / 2 + 1);
            let mut rest = row.as_slice();
            while let [one, more @ ..] = rest {
                let mut group = *one;
                rest = more;
                let mut size = 1;
                while let [one, more @ ..] = rest
                    && size < 6
                    && (size < 2 || !ends_group(*one))
                {
                    group = self.apply(Op::Then, group, *one)?;
                    rest = more;
                    size += 1;
                }
                next.push(group);
            }
            row = next;
        }
        Ok(row.first().copied().unwrap_or(UNDECIDED))
    }

    /// The products of ranks that lead from `root` to `wanted`, disjoint, at most `most` of them; `false` with
    /// them if there are more.
    pub(super) fn products(&self, root: Node, wanted: Node, most: usize) -> (Products, bool) {
        let mut listing = Listing {
            diagram: self,
            wanted,
            most,
            groups: HashMap::default(),
            row: vec![ANY; self.last.len()],
            out: Products::new(self.last.clone()),
        };
        let complete = !listing.leads(root) || listing.list(root);
        (listing.out, complete)
    }

    /// A point of `set` at which `function` is `wanted`, as a rank for each level; `None`: there is none, or it was not
    /// found in `steps`. `next` gives numbers below another one, by which it is chosen.
    pub(super) fn find(
        &self,
        (set, function, wanted): (Node, Node, Node),
        steps: usize,
        next: &mut dyn FnMut(u32) -> u32,
    ) -> Option<Vec<u32>> {
        let mut point: Vec<u32> = self.last.iter().map(|last| next(last.saturating_add(1))).collect();
        let mut without = HashSet::default();
        self.find_in(set, function, wanted, &mut Finding { point: &mut point, without: &mut without, steps, next })
            .then_some(point)
    }

    fn find_in(&self, set: Node, function: Node, wanted: Node, finding: &mut Finding<'_>) -> bool {
        if set == UNDECIDED || is_constant(function) && function != wanted {
            return false;
        }
        let (f, g) = (self.at(set), self.at(function));
        let level = f.level.min(g.level);
        if level == u32::MAX {
            return true;
        }
        if finding.without.len() >= finding.steps || finding.without.contains(&(set, function)) {
            return false;
        }
        let mut parts: Vec<(u32, u32, Node, Node)> = Vec::new();
        let (mut i, mut j, mut first) = (0, 0, 0);
        loop {
            let (f_last, f_child) = if f.level == level { self.edge(f, i) } else { (u32::MAX, set) };
            let (g_last, g_child) = if g.level == level { self.edge(g, j) } else { (u32::MAX, function) };
            let last = f_last.min(g_last);
            if f_child != UNDECIDED {
                parts.push((first, last, f_child, g_child));
            }
            if last == self.last[level as usize] {
                break;
            }
            first = last + 1;
            i += u32::from(f_last == last);
            j += u32::from(g_last == last);
        }
        let start = (finding.next)(u32::try_from(parts.len()).unwrap_or(u32::MAX)) as usize;
        for n in (start..parts.len()).chain(0..start.min(parts.len())) {
            let (first, last, set, function) = parts[n];
            if self.find_in(set, function, wanted, finding) {
                finding.point[level as usize] = first + (finding.next)(last - first + 1);
                return true;
            }
        }
        finding.without.insert((set, function));
        false
    }

    /// How many points, of all there are, a function is decided for; `weights` are the shares that each rank has of its
    /// level, summed up from the first.
    pub(super) fn share(&self, root: Node, weights: &[Vec<f64>]) -> f64 {
        let mut known: HashMap<Node, f64, RandomState> = HashMap::default();
        self.share_of(root, weights, &mut known)
    }

    fn share_of(&self, node: Node, weights: &[Vec<f64>], known: &mut HashMap<Node, f64, RandomState>) -> f64 {
        if is_constant(node) {
            return if node == UNDECIDED { 0.0 } else { 1.0 };
        }
        if let Some(share) = known.get(&node) {
            return *share;
        }
        let level = self.at(node).level as usize;
        let (mut sum, mut before) = (0.0, 0.0);
        for edge in self.edges_of(node) {
            let up_to = weights[level][edge.last as usize];
            sum += (up_to - before) * self.share_of(edge.child, weights, known);
            before = up_to;
        }
        known.insert(node, sum);
        sum
    }

    fn at(&self, node: Node) -> Inner {
        match node.checked_sub(TERMINALS) {
            Some(n) => self.inner[n as usize],
            None => Inner { level: u32::MAX, first_edge: 0, edges: 0 },
        }
    }

    fn edge(&self, inner: Inner, n: u32) -> (u32, Node) {
        let edge = self.edges[(inner.first_edge + n) as usize];
        (edge.last, edge.child)
    }

    fn edges_of(&self, node: Node) -> &[Edge] {
        let inner = self.at(node);
        &self.edges[inner.first_edge as usize..(inner.first_edge + inner.edges) as usize]
    }

    /// The node of the edges in the scratch from `base` on.
    fn make(&mut self, level: u32, base: usize) -> Result<Node, Exhausted> {
        if let [only] = self.scratch[base..] {
            self.scratch.truncate(base);
            return Ok(only.child);
        }
        let mask = self.unique.len() - 1;
        let mut slot = self.hash(level, &self.scratch[base..]) & mask;
        loop {
            match self.unique[slot] {
                0 => break,
                taken => {
                    let node = taken - 1 + TERMINALS;
                    if self.at(node).level == level && self.edges_of(node) == &self.scratch[base..] {
                        self.scratch.truncate(base);
                        return Ok(node);
                    }
                    slot = (slot + 1) & mask;
                }
            }
        }
        let count = self.scratch.len() - base;
        if self.edges.len() + count > self.budget {
            return Err(Exhausted);
        }
        let narrow = |n: usize| u32::try_from(n).expect("budgets are below 2^32 edges");
        self.inner.push(Inner { level, first_edge: narrow(self.edges.len()), edges: narrow(count) });
        self.edges.extend_from_slice(&self.scratch[base..]);
        self.scratch.truncate(base);
        self.unique[slot] = narrow(self.inner.len());
        if self.inner.len() * 2 > self.unique.len() {
            self.grow();
        }
        Ok(narrow(self.inner.len()) - 1 + TERMINALS)
    }

    fn grow(&mut self) {
        let mask = self.unique.len() * 2 - 1;
        let mut unique = vec![0; mask + 1];
        for (n, inner) in (1..).zip(&self.inner) {
            let edges = &self.edges[inner.first_edge as usize..(inner.first_edge + inner.edges) as usize];
            let mut slot = self.hash(inner.level, edges) & mask;
            while unique[slot] != 0 {
                slot = (slot + 1) & mask;
            }
            unique[slot] = n;
        }
        self.unique = unique;
        if self.memo.len() < 1 << 18 && self.memo.len() < self.unique.len() {
            let empty = Remembered { op: u8::MAX, first: 0, second: 0, result: 0 };
            let old = std::mem::replace(&mut self.memo, vec![empty; mask + 1]);
            for seen in old.into_iter().filter(|seen| seen.op != u8::MAX) {
                let slot = mix(seen.op, seen.first, seen.second) & mask;
                self.memo[slot] = seen;
            }
        }
    }

    fn slot(&self, op: Op, first: Node, second: Node) -> usize {
        mix(op as u8, first, second) & (self.memo.len() - 1)
    }

    fn hash(&self, level: u32, edges: &[Edge]) -> usize {
        // Node numbers come from the input only through the order of construction: a fast mix is enough, seeded
        // once a diagram.
        let mut hash = self.hasher.hash_one(level);
        for edge in edges {
            hash = (hash.rotate_left(23) ^ (u64::from(edge.last) << 32 | u64::from(edge.child)))
                .wrapping_mul(0x9e37_79b9_7f4a_7c15);
        }
        (hash >> 20) as usize
    }
}

fn mix(op: u8, first: Node, second: Node) -> usize {
    let key = (u64::from(first) << 32 | u64::from(second)).wrapping_add(u64::from(op) << 59);
    (key.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 24) as usize
}

/// Whether a function is the last of its group in [`Diagram::chain`].
fn ends_group(node: Node) -> bool {
    node.wrapping_mul(0x9e37_79b9) >> 30 == 0
}

fn shortcut(op: Op, first: Node, second: Node) -> Option<Node> {
    match op {
        Op::Then => match first {
            UNDECIDED => Some(second),
            ACCEPT | DENY | RETURN => Some(first),
            _ => (second == UNDECIDED).then_some(first),
        },
        Op::Within => match first {
            ACCEPT => Some(second),
            UNDECIDED | DENY | RETURN => Some(UNDECIDED),
            _ => (second == UNDECIDED).then_some(UNDECIDED),
        },
        Op::Called => is_constant(first).then_some(if first == RETURN { UNDECIDED } else { first }),
        Op::TakenOver => is_constant(first).then_some(if first == UNDECIDED { RETURN } else { first }),
        Op::Otherwise => is_constant(first).then_some(if matches!(first, UNDECIDED | RETURN) { second } else { first }),
        Op::Next => match first {
            DENY | UNDECIDED | RETURN => Some(first),
            ACCEPT => Some(second),
            _ => (second == ACCEPT).then_some(first),
        },
        Op::Unless => match (first, second) {
            (UNDECIDED, _) => Some(second),
            (ACCEPT | DENY | RETURN, _) | (_, UNDECIDED) => Some(UNDECIDED),
            _ => None,
        },
        Op::Over => match (first, second) {
            (UNDECIDED, _) => Some(second),
            (_, UNDECIDED) => Some(UNDECIDED),
            (_, ACCEPT | DENY | RETURN) if is_constant(first) => Some(first),
            _ => None,
        },
        Op::Clash => match (first, second) {
            (UNDECIDED, _) | (_, UNDECIDED) => Some(UNDECIDED),
            (a, b) if a == b => Some(UNDECIDED),
            (a, b) => (is_constant(a) && is_constant(b)).then_some(ACCEPT),
        },
        Op::Compare => match (first, second) {
            (a, b) if a == b => Some(SAME),
            (DENY, ACCEPT) => Some(GAINED),
            (ACCEPT, DENY) => Some(LOST),
            (a, b) => (a < TERMINALS && b < TERMINALS).then_some(OTHER),
        },
    }
}

/// A search for a point.
struct Finding<'f> {
    point: &'f mut [u32],
    /// Pairs of functions that have none.
    without: &'f mut HashSet<(Node, Node), RandomState>,
    steps: usize,
    next: &'f mut dyn FnMut(u32) -> u32,
}

/// A walk over all paths to one terminal, children that are equal taken together.
struct Listing<'d> {
    diagram: &'d Diagram,
    wanted: Node,
    most: usize,
    /// For each node the children that lead to the terminal, each with the number of its set of ranks.
    groups: HashMap<Node, Rc<[(Node, u32)]>, RandomState>,
    row: Vec<u32>,
    out: Products,
}

impl Listing<'_> {
    fn leads(&mut self, node: Node) -> bool {
        if node < TERMINALS { node == self.wanted } else { !self.groups(node).is_empty() }
    }

    fn groups(&mut self, node: Node) -> Rc<[(Node, u32)]> {
        if let Some(known) = self.groups.get(&node) {
            return Rc::clone(known);
        }
        let diagram = self.diagram;
        let mut groups: Vec<(Node, Ranks)> = Vec::new();
        let mut index: HashMap<Node, Option<usize>, RandomState> = HashMap::default();
        let mut first = 0;
        for edge in diagram.edges_of(node) {
            let group = match index.get(&edge.child) {
                Some(group) => *group,
                None => {
                    let group = self.leads(edge.child).then(|| {
                        groups.push((edge.child, Vec::new()));
                        groups.len() - 1
                    });
                    index.insert(edge.child, group);
                    group
                }
            };
            if let Some(group) = group {
                groups[group].1.push((first, edge.last));
            }
            first = edge.last.wrapping_add(1);
        }
        let level = diagram.at(node).level;
        let groups: Rc<[_]> = groups.into_iter().map(|(child, ranks)| (child, self.out.set(level, ranks))).collect();
        self.groups.insert(node, Rc::clone(&groups));
        groups
    }

    /// `false` when there are more than wanted.
    fn list(&mut self, node: Node) -> bool {
        if node < TERMINALS {
            if self.out.len() == self.most {
                return false;
            }
            self.out.push(&self.row);
            return true;
        }
        let level = self.diagram.at(node).level as usize;
        for (child, set) in self.groups(node).iter() {
            self.row[level] = *set;
            let complete = self.list(*child);
            self.row[level] = ANY;
            if !complete {
                return false;
            }
        }
        true
    }
}
