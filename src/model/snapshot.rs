use super::balancer::{Backend, LISTENERS, Listener};
use super::object::Object;
use super::origins::{Origins, make_room};
use super::reference::{Declaration, Flush, Pick, Reference};
use super::rule::{Action, Families, RuleId, Symbol};
use super::store::Store;
use crate::net::Region;
use crate::text::Span;
use foldhash::quality::RandomState;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// One side of a change: every configuration as the model states it, and what the model does not state.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// Those that are the same on several sides are kept once.
    configurations: Vec<Arc<Configuration>>,
    gaps: Vec<Gap>,
}

impl Snapshot {
    /// Only `formats::read` builds a snapshot, and it cannot build one without stating the gaps.
    pub(crate) const fn new(configurations: Vec<Arc<Configuration>>, gaps: Vec<Gap>) -> Self {
        Self { configurations, gaps }
    }

    /// The configurations, sorted by name.
    #[must_use]
    pub fn configurations(&self) -> &[Arc<Configuration>] {
        &self.configurations
    }

    /// Everything in the input that the model does not state. Empty means: all of it was understood.
    #[must_use]
    pub fn gaps(&self) -> &[Gap] {
        &self.gaps
    }
}

/// A named set of files of one format that is evaluated together.
#[derive(Debug, Default)]
pub struct Configuration {
    /// The name in the policy; for `each: true`, name and file (`hosts/web1`).
    pub name: String,
    /// The id of its format.
    pub format: &'static str,
    /// Where chains live and jumps are resolved.
    pub tables: Vec<Table>,
    /// The points at which packets are decided, sorted by id.
    pub filters: Vec<Filter>,
    /// What else it declares: chains, sets, translations … (rules are counted from the chains).
    pub objects: Vec<Object>,
    /// Where clients meet its balancers, in order.
    pub listeners: Vec<Listener>,
    /// The servers behind them, in order.
    pub backends: Vec<Backend>,
    /// The conditions of which nothing is known but their text, for the report: where the first stands.
    pub opaques: Vec<(super::OpaqueId, Span)>,
    /// Commands that empty something, in order, for `separate-flush`.
    pub flushes: Vec<Flush>,
    /// Every use of a name that nothing declares, in order, for `undefined-references`.
    pub undefined: Vec<Reference>,
    /// The fixed numbers of elements that it takes out of lists that grow, sorted, for `hard-coded-indexes`.
    pub picks: Vec<Pick>,
    /// What it declares that only it can use, in order, for `unused-objects`.
    pub declarations: Vec<Declaration>,
    /// Whether a file of it may hold no rule and still say something: declarations, values.
    pub declares: bool,
}

/// An index into [`Configuration::tables`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TableId(pub u32);

/// An index into [`Table::chains`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ChainId(pub u32);

/// A name space of chains.
#[derive(Debug, Default)]
pub struct Table {
    /// Its name as users write it: `filter`, `inet filter`.
    pub name: String,
    /// Its chains, in the order of the file.
    pub chains: Vec<Chain>,
    /// Whether its rules are those of something that stands for several tables (a policy, for the pods of each workload):
    /// such a rule is one, in however many tables it stands.
    pub shared: bool,
    by_name: HashMap<Symbol, ChainId, RandomState>,
}

impl Table {
    /// An empty table.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), ..Self::default() }
    }

    /// The chain of that name, made if it is not there.
    pub fn chain(&mut self, name: Symbol) -> ChainId {
        let next = ChainId(u32::try_from(self.chains.len()).expect("fewer than 2^32 chains"));
        *self.by_name.entry(name).or_insert_with(|| {
            self.chains.push(Chain { name, declared: None, rules: Vec::new(), origins: Origins::default() });
            next
        })
    }

    /// The chain of that name.
    #[must_use]
    pub fn find(&self, name: Symbol) -> Option<ChainId> {
        self.by_name.get(&name).copied()
    }

    /// A chain of this table.
    #[must_use]
    pub fn get(&self, id: ChainId) -> &Chain {
        &self.chains[id.0 as usize]
    }
}

/// An ordered list of rules.
#[derive(Debug)]
pub struct Chain {
    /// Its name.
    pub name: Symbol,
    /// Where it is declared, if it is.
    pub declared: Option<Span>,
    /// Its rules in order. One line of a file may be several (alternatives), with the same origin.
    pub rules: Vec<RuleId>,
    /// Where each rule stands; as long as `rules`.
    pub origins: Origins,
}

impl Chain {
    /// Adds a rule at the end.
    #[inline]
    pub fn push(&mut self, rule: RuleId, origin: Span) {
        self.rules.push(rule);
        self.origins.push(origin);
    }

    /// Adds rules at the end whose places are added by themselves.
    #[inline]
    pub fn extend_rules(&mut self, rules: impl Iterator<Item = RuleId>) {
        let more = rules.size_hint().0;
        if self.rules.capacity() - self.rules.len() < more {
            make_room(&mut self.rules, more);
        }
        self.rules.extend(rules);
    }

    /// Puts rules before the one of that number.
    pub fn insert(&mut self, index: usize, rules: impl IntoIterator<Item = (RuleId, Span)>) {
        let (rules, origins): (Vec<_>, Vec<_>) = rules.into_iter().unzip();
        self.rules.splice(index..index, rules);
        self.origins.insert(index, origins);
    }
}

/// A decision point: what one hook, group or policy does with the packets that come to it.
#[derive(Debug)]
pub struct Filter {
    /// `<configuration>/<hook>`: `edge/input`.
    pub id: String,
    /// The packets that can come to it; those of other families never do. Usually one region a family.
    pub domain: Vec<Region>,
    /// The base chains in the order in which they run. A packet that one accepts goes on to the next; a denied
    /// one is gone; what all accept passes.
    pub stages: Vec<Stage>,
    /// Whether packets pass where this filter does not exist.
    pub absent: bool,
}

/// A base chain at a hook.
#[derive(Debug, Clone, Copy)]
pub struct Stage {
    /// The table of the chain.
    pub table: TableId,
    /// The chain.
    pub chain: ChainId,
    /// The families whose packets run through it.
    pub families: Families,
    /// What happens to a packet that no rule decides.
    pub otherwise: Action,
    /// Where that is said.
    pub otherwise_at: Option<Span>,
}

impl Configuration {
    /// A table of this configuration.
    #[must_use]
    pub fn table(&self, id: TableId) -> &Table {
        &self.tables[id.0 as usize]
    }

    /// The filter of that id.
    #[must_use]
    pub fn filter(&self, id: &str) -> Option<&Filter> {
        self.filters.iter().find(|filter| filter.id == id)
    }

    /// Its backends by their names.
    #[must_use]
    pub fn backends_by_name(&self) -> BTreeMap<&str, &Backend> {
        self.backends.iter().map(|backend| (backend.name.as_str(), backend)).collect()
    }

    /// How many rules its chains hold (lines, not alternatives). What listeners take is no rule, and one that stands in
    /// several tables is one.
    #[must_use]
    pub fn rule_count(&self) -> usize {
        let tables = self.tables.iter().filter(|table| table.name != LISTENERS);
        let (shared, own): (Vec<&Table>, Vec<&Table>) = tables.partition(|table| table.shared);
        let own = own.iter().flat_map(|table| &table.chains).map(|chain| chain.origins.line_count());
        let shared = shared.iter().flat_map(|table| &table.chains).flat_map(|chain| chain.origins.lines());
        own.sum::<usize>() + shared.map(|(origin, _)| origin).collect::<BTreeSet<Span>>().len()
    }

    /// The name of a chain, safe to print.
    #[must_use]
    pub fn chain_name(&self, store: &Store, table: TableId, chain: ChainId) -> String {
        crate::text::escape(store.name(self.table(table).get(chain).name))
    }
}

/// A piece of the input whose effect the model cannot bound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// The configuration it is in.
    pub configuration: String,
    /// Where.
    pub origin: Span,
    /// Why: a sentence part such as "the target `FOO` is not known".
    pub reason: String,
}
