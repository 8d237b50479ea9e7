//! Which requests two listeners decide differently, exactly.
//!
//! A listener is a list of routes whose conditions ask a request about its host, path, source and so on. The texts of one
//! subject fall into classes that answer every test alike ([`crate::net::classes`]); so, one subject after another, each
//! class of it simplifies both lists, until both sides have decided. Lists that have become equal are left at once.

use super::{RequestDelta, RouteAnswer};
use crate::model::{
    Backend, Condition, Configuration, Listener, Literal, OpaqueId, Outcome, Paths, Store, Subject, Test, TestId,
};
use crate::net::{Class, Family, Field, Pattern, Request, Spoken, classes, show_source};
use crate::text::Span;
use foldhash::quality::RandomState;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::rc::Rc;

/// A listener and the configuration it is in.
#[derive(Debug, Clone, Copy)]
pub struct Party<'c> {
    /// Where its backends are.
    pub configuration: &'c Configuration,
    /// The listener.
    pub listener: &'c Listener,
}

/// How many conditions may be simplified before the search gives up.
const MOST_WORK: u64 = 10_000_000;
/// What it costs to find the classes of one pattern, in conditions.
const PATTERN_WORK: u64 = 50;
/// How many opaque conditions in a row may be supposed.
const MOST_SUPPOSED: usize = 40;
/// How many kinds of requests a difference looks at for its list.
const MOST_TOLD: usize = 1000;
/// How many descriptions of requests a difference lists.
const MOST_LISTED: usize = 8;

/// The requests that two listeners decide differently, those with the same lines and outcomes together; and whether
/// these are all. `spoken` and `via` are for the witnesses.
pub(super) fn compare(
    store: &Store,
    base: Party<'_>,
    head: Party<'_>,
    spoken: Spoken,
    via: Option<(String, u16)>,
    families: &[Family],
) -> (Vec<RequestDelta>, bool) {
    let outcomes = Outcomes::of(base, head);
    if alike(&outcomes, base.listener, head.listener) {
        return (Vec::new(), true);
    }
    let mut search = Search {
        store,
        outcomes: &outcomes,
        paths: base.listener.paths.common(&head.listener.paths),
        families,
        witness: Request { what: spoken, via, ..Request::default() },
        known: Vec::new(),
        supposed: Vec::new(),
        work: 0,
        complete: true,
        found: BTreeMap::new(),
    };
    let lists = [List::of(base.listener), List::of(head.listener)];
    search.decide(&lists);
    let Search { found, complete, .. } = search;
    let mut deltas: Vec<RequestDelta> = found.into_values().collect();
    deltas.sort_by_key(|delta| (std::cmp::Reverse(delta.conditions.is_empty()), std::cmp::Reverse(delta.classes)));
    (deltas, complete)
}

/// Whether both decide alike because they differ in nothing but the order of lines of one outcome.
fn alike(outcomes: &Outcomes<'_>, base: &Listener, head: &Listener) -> bool {
    let runs = |listener: &'_ Listener| -> Vec<(Outcome, HashSet<Condition, RandomState>)> {
        let mut out: Vec<(Outcome, HashSet<Condition, RandomState>)> = Vec::new();
        for route in &listener.routes {
            match out.last_mut().filter(|(outcome, _)| *outcome == route.outcome) {
                Some((_, conditions)) => drop(conditions.insert(route.condition.clone())),
                None => out.push((route.outcome.clone(), [route.condition.clone()].into_iter().collect())),
            }
        }
        out.push((listener.otherwise.clone(), HashSet::default()));
        out
    };
    let (base, head) = (runs(base), runs(head));
    base.len() == head.len()
        && base.iter().zip(&head).all(|((old, mine), (new, its))| mine == its && outcomes.same(old, new))
}

/// What is left of a listener: the conditions that may still hold, in order, the last one being always true.
#[derive(Debug, Clone, PartialEq)]
struct List<'c>(Vec<Entry<'c>>);

#[derive(Debug, Clone, PartialEq)]
struct Entry<'c> {
    condition: Condition,
    outcome: &'c Outcome,
    at: Option<Span>,
}

impl<'c> List<'c> {
    fn of(listener: &'c Listener) -> Self {
        let mut list = Self(Vec::with_capacity(listener.routes.len() + 1));
        let routes = listener.routes.iter().map(|route| (route.condition.clone(), &route.outcome, Some(route.origin)));
        let last = (Condition::Always, &listener.otherwise, listener.otherwise_at);
        for (condition, outcome, at) in routes.chain([last]) {
            if !list.push(Entry { condition, outcome, at }) {
                break;
            }
        }
        list
    }

    /// Adds an entry; `false` if nothing can come after it.
    fn push(&mut self, entry: Entry<'c>) -> bool {
        match entry.condition {
            Condition::Never => true,
            Condition::Always => {
                self.0.push(entry);
                false
            }
            Condition::Test(_) | Condition::Opaque(_) | Condition::Not(_) | Condition::All(_) | Condition::Any(_) => {
                self.0.push(entry);
                true
            }
        }
    }

    /// The tests that it asks, by number of entry.
    fn tests(&self) -> Vec<(TestId, usize)> {
        let mut out = Vec::new();
        for (index, entry) in self.0.iter().enumerate() {
            entry.condition.visit(&mut |test| out.push((test, index)), &mut |_| {});
        }
        out
    }

    /// The first that it asks of an entry that may decide.
    fn first(&self) -> Option<Asked> {
        let mut asked = None;
        self.0.first()?.condition.visit(
            &mut |test| {
                asked.get_or_insert(Asked::Test(test));
            },
            &mut |_| {},
        );
        if asked.is_none() {
            self.0.first()?.condition.visit(&mut |_| {}, &mut |opaque| {
                asked.get_or_insert(Asked::Opaque(opaque));
            });
        }
        asked
    }
}

enum Asked {
    Test(TestId),
    Opaque(OpaqueId),
}

/// When outcomes of both sides are the same.
struct Outcomes<'c> {
    base: HashMap<&'c str, &'c Backend, RandomState>,
    head: HashMap<&'c str, &'c Backend, RandomState>,
}

impl<'c> Outcomes<'c> {
    fn of(base: Party<'c>, head: Party<'c>) -> Self {
        let by_name = |party: Party<'c>| party.configuration.backends.iter().map(|b| (b.name.as_str(), b)).collect();
        Self { base: by_name(base), head: by_name(head) }
    }

    /// Whether a request that has one on base and the other on head is not any the worse: a backend is the same if it is
    /// called the same on both sides (what becomes of its servers is told apart), or if its servers are the same.
    fn same(&self, base: &Outcome, head: &Outcome) -> bool {
        match (base, head) {
            (Outcome::Backend(old), Outcome::Backend(new)) if old != new => {
                match (self.base.get(old.as_str()), self.head.get(new.as_str())) {
                    (Some(old), Some(new)) => old.same(new),
                    (Some(_) | None, None) | (None, Some(_)) => false,
                }
            }
            (
                Outcome::Backend(_) | Outcome::Refused(_) | Outcome::Answered(_) | Outcome::Computed(_),
                Outcome::Backend(_) | Outcome::Refused(_) | Outcome::Answered(_) | Outcome::Computed(_),
            ) => base == head,
        }
    }
}

struct Search<'s, 'c> {
    store: &'s Store,
    outcomes: &'s Outcomes<'c>,
    /// How paths are read.
    paths: Paths,
    /// Of which addresses clients are.
    families: &'s [Family],
    /// A request, its path as it is read.
    witness: Request,
    /// What was decided of each subject so far.
    known: Vec<Known>,
    supposed: Vec<Literal>,
    work: u64,
    complete: bool,
    found: BTreeMap<Key, RequestDelta>,
}

/// What is supposed of one subject: which of the tests hold, and a text or address of which that is so.
struct Known {
    subject: Subject,
    tests: Rc<[TestId]>,
    holds: Vec<u32>,
    family: Family,
    witness: Vec<u8>,
}

/// The lines that decide, and what they say.
type Key = (Option<Span>, Option<Span>, String, String);

impl<'c> Search<'_, 'c> {
    fn decide(&mut self, lists: &[List<'c>; 2]) {
        let [base, head] = lists;
        if self.equal(base, head) {
            return;
        }
        let Some(asked) = base.first().or_else(|| head.first()) else {
            return self.decided(base, head);
        };
        self.work = self.work.saturating_add((base.0.len() + head.0.len()) as u64);
        if self.work > MOST_WORK {
            self.complete = false;
            return;
        }
        match asked {
            Asked::Test(test) => match self.store.get_test(test).subject() {
                Subject::Source => self.by_source(lists),
                subject @ (Subject::Host
                | Subject::HostName
                | Subject::Path
                | Subject::Query
                | Subject::Method
                | Subject::ServerName) => self.by_text(subject, lists),
            },
            Asked::Opaque(opaque) => self.by_supposing(opaque, lists),
        }
    }

    /// Whether both decide alike whatever is asked.
    fn equal(&self, base: &List<'c>, head: &List<'c>) -> bool {
        base.0.len() == head.0.len()
            && base
                .0
                .iter()
                .zip(&head.0)
                .all(|(old, new)| old.condition == new.condition && self.outcomes.same(old.outcome, new.outcome))
    }

    fn by_supposing(&mut self, opaque: OpaqueId, lists: &[List<'c>; 2]) {
        if self.supposed.len() >= MOST_SUPPOSED {
            self.complete = false;
            return;
        }
        for holds in [true, false] {
            let truth = |id| (id == opaque).then_some(holds);
            let next = lists.each_ref().map(|list| {
                let mut out = List(Vec::new());
                for entry in &list.0 {
                    let condition = entry.condition.given(&|_| None, &truth);
                    if !out.push(Entry { condition, ..entry.clone() }) {
                        break;
                    }
                }
                out
            });
            self.supposed.push(Literal { opaque, holds });
            self.decide(&next);
            self.supposed.pop();
        }
    }

    fn by_text(&mut self, subject: Subject, lists: &[List<'c>; 2]) {
        let tests = self.tests_of(subject, lists);
        let patterns: Vec<&[Pattern]> = tests
            .iter()
            .map(|id| match self.store.get_test(*id) {
                Test::Text(_, patterns) => patterns.as_slice(),
                Test::Source { .. } => &[],
            })
            .collect();
        let texts = if subject == Subject::Path { self.paths.texts() } else { subject.texts() };
        let cost = patterns.iter().map(|patterns| patterns.len() as u64 * PATTERN_WORK).sum::<u64>();
        self.work = self.work.saturating_add(cost);
        let Some(classes) = classes(texts, &patterns) else {
            self.complete = false;
            return;
        };
        let kept = self.witness.clone();
        self.each(subject, lists, &tests, classes.into_iter(), |request, witness| match subject {
            Subject::Host | Subject::HostName => request.host = witness.to_vec(),
            Subject::Path => request.path = witness.to_vec(),
            Subject::Query => request.query = witness.to_vec(),
            Subject::Method => request.method = witness.to_vec(),
            Subject::ServerName => request.server_name = Some(witness.to_vec()),
            Subject::Source => {}
        });
        self.witness = kept;
    }

    fn by_source(&mut self, lists: &[List<'c>; 2]) {
        let tests = self.tests_of(Subject::Source, lists);
        let kept = self.witness.clone();
        for family in self.families.iter().copied() {
            let classes = sources(self.store, &tests, family);
            self.each(Subject::Source, lists, &tests, classes.into_iter(), |request, witness| {
                let bytes = witness.try_into().unwrap_or([0; 16]);
                request.source = (family, u128::from_be_bytes(bytes));
            });
        }
        self.witness = kept;
    }

    /// The tests of a subject that are asked, in order.
    fn tests_of(&self, subject: Subject, lists: &[List<'c>; 2]) -> Vec<TestId> {
        let asked: BTreeSet<TestId> = lists.iter().flat_map(List::tests).map(|(test, _)| test).collect();
        asked.into_iter().filter(|id| self.store.get_test(*id).subject() == subject).collect()
    }

    /// Goes on with each class of a subject.
    fn each(
        &mut self,
        subject: Subject,
        lists: &[List<'c>; 2],
        tests: &[TestId],
        classes: impl Iterator<Item = Class>,
        set: impl Fn(&mut Request, &[u8]),
    ) {
        let number: HashMap<TestId, u32, RandomState> = tests.iter().copied().zip(0..).collect();
        let reduced = lists.each_ref().map(|list| Reduced::of(list, &number));
        let tests: Rc<[TestId]> = tests.into();
        for Class { holds, witness } in classes {
            if self.work > MOST_WORK {
                self.complete = false;
                return;
            }
            let mut work = 0;
            let next = reduced.each_ref().map(|list| list.given(&holds, &number, &mut work));
            self.work += work;
            let [base, head] = &next;
            if self.equal(base, head) {
                continue;
            }
            set(&mut self.witness, &witness);
            let family = self.witness.source.0;
            self.known.push(Known { subject, tests: Rc::clone(&tests), holds, family, witness });
            self.decide(&next);
            self.known.pop();
        }
    }

    /// How requests of a class read.
    fn describe(&self, Known { subject, tests, holds, family, witness }: &Known) -> String {
        if *subject == Subject::Source {
            return format!("source {}", self.addresses(tests, holds, *family));
        }
        let mut parts: Vec<String> = Vec::new();
        for number in holds {
            let Some(id) = tests.get(*number as usize) else { continue };
            match self.store.get_test(*id) {
                Test::Text(_, patterns) => {
                    // The only one matches, since the test holds; to ask it may cost more than the rest.
                    let matching = patterns.iter().filter(|pattern| patterns.len() == 1 || pattern.matches(witness));
                    if let Some(pattern) = matching.min_by_key(|pattern| !pattern.is_exact()) {
                        if pattern.is_exact() {
                            parts = vec![pattern.to_string()];
                            break;
                        }
                        let text = pattern.to_string();
                        if !parts.contains(&text) {
                            parts.push(text);
                        }
                    }
                }
                Test::Source { .. } => {}
            }
        }
        if parts.is_empty() { format!("any other {subject}") } else { format!("{subject} {}", parts.join(" and ")) }
    }

    /// The addresses of a family of which just these tests hold.
    fn addresses(&self, tests: &[TestId], holds: &[u32], family: Family) -> String {
        let every = Field::Source.all(family);
        let mut left = every.clone();
        for (number, id) in (0..).zip(tests) {
            let Test::Source { ipv4, ipv6 } = self.store.get_test(*id) else { continue };
            let set = match family {
                Family::Ipv4 => ipv4,
                Family::Ipv6 => ipv6,
            };
            left = if holds.contains(&number) { left.intersection(set) } else { left.difference(set) };
        }
        show_source(family, &left)
    }

    fn decided(&mut self, base: &List<'c>, head: &List<'c>) {
        let (Some(old), Some(new)) = (base.0.first(), head.0.first()) else { return };
        if self.outcomes.same(old.outcome, new.outcome) {
            return;
        }
        let key = (old.at, new.at, format!("{:?}", old.outcome), format!("{:?}", new.outcome));
        let mut witness = Request { path: self.paths.sent(&self.witness.path), ..self.witness.clone() };
        if witness.server_name.as_ref() == Some(&witness.host) {
            witness.server_name = None;
        }
        let supposed = self.supposed.clone();
        let listed =
            self.found.get(&key).is_none_or(|delta| delta.what.len() < MOST_LISTED && delta.classes < MOST_TOLD);
        let what = listed.then(|| {
            let parts: Vec<String> = self.known.iter().map(|known| self.describe(known)).collect();
            if parts.is_empty() { "any request".to_owned() } else { parts.join(", ") }
        });
        let delta = self.found.entry(key).or_insert_with(|| RequestDelta {
            what: Vec::new(),
            classes: 0,
            conditions: supposed.clone(),
            base: RouteAnswer { outcome: old.outcome.clone(), by: old.at },
            head: RouteAnswer { outcome: new.outcome.clone(), by: new.at },
            witness: witness.clone(),
        });
        delta.classes += 1;
        delta.what.extend(what.filter(|what| !delta.what.contains(what)));
        if supposed.len() < delta.conditions.len() {
            delta.conditions = supposed;
            delta.witness = witness;
        }
    }
}

/// A list prepared for the classes of one subject: what is left of it where no test of the subject holds, and which
/// entries a test that holds brings back.
struct Reduced<'l, 'c> {
    list: &'l List<'c>,
    /// The number and condition of the entries that are left.
    rest: Vec<(usize, Condition)>,
    /// By number of test: the entries that ask it.
    asking: HashMap<u32, Vec<usize>, RandomState>,
}

impl<'l, 'c> Reduced<'l, 'c> {
    fn of(list: &'l List<'c>, number: &HashMap<TestId, u32, RandomState>) -> Self {
        let none = |id: TestId| number.contains_key(&id).then_some(false);
        let conditions = list.0.iter().map(|entry| entry.condition.given(&none, &|_| None)).enumerate();
        let rest = conditions.filter(|(_, condition)| *condition != Condition::Never).collect();
        let mut asking: HashMap<u32, Vec<usize>, RandomState> = HashMap::default();
        for (test, index) in list.tests() {
            if let Some(number) = number.get(&test) {
                let entries = asking.entry(*number).or_default();
                if entries.last() != Some(&index) {
                    entries.push(index);
                }
            }
        }
        Self { list, rest, asking }
    }

    fn given(&self, holds: &[u32], number: &HashMap<TestId, u32, RandomState>, work: &mut u64) -> List<'c> {
        let mut touched: Vec<usize> =
            holds.iter().flat_map(|n| self.asking.get(n).into_iter().flatten()).copied().collect();
        touched.sort_unstable();
        touched.dedup();
        let truth = |id: TestId| number.get(&id).map(|n| holds.binary_search(n).is_ok());
        let mut out = List(Vec::new());
        let (mut rest, mut touched) = (self.rest.iter().peekable(), touched.into_iter().peekable());
        loop {
            let (index, condition) = match (rest.peek(), touched.peek()) {
                (Some((left, condition)), other) if other.is_none_or(|other| left < other) => {
                    rest.next();
                    (*left, condition.clone())
                }
                (_, Some(index)) => {
                    let index = *index;
                    touched.next();
                    rest.next_if(|(left, _)| *left == index);
                    (index, self.list.0[index].condition.given(&truth, &|_| None))
                }
                (_, None) => return out,
            };
            *work += 1;
            if !out.push(Entry { condition, ..self.list.0[index].clone() }) {
                return out;
            }
        }
    }
}

/// The classes of the addresses of a family.
fn sources(store: &Store, tests: &[TestId], family: Family) -> Vec<Class> {
    let last = match family {
        Family::Ipv4 => u128::from(u32::MAX),
        Family::Ipv6 => u128::MAX,
    };
    let usual = match family {
        Family::Ipv4 => 0xcb00_7109,
        Family::Ipv6 => 0x2001_0db8_0000_0000_0000_0000_0000_0009,
    };
    let mut starts = BTreeSet::from([0, usual]);
    for id in tests {
        let (Test::Source { ipv4, ipv6 }, family) = (store.get_test(*id), family) else { continue };
        let set = match family {
            Family::Ipv4 => ipv4,
            Family::Ipv6 => ipv6,
        };
        for (from, to) in set.ranges() {
            starts.insert(from);
            if to < last {
                starts.insert(to + 1);
            }
        }
    }
    let mut found: BTreeMap<Vec<u32>, u128> = BTreeMap::new();
    for address in std::iter::once(usual).chain(starts) {
        let holds = (0..).zip(tests).filter(|(_, id)| store.get_test(**id).holds_of_source(family, address));
        found.entry(holds.map(|(number, _)| number).collect()).or_insert(address);
    }
    let class = |(holds, address): (Vec<u32>, u128)| Class { holds, witness: address.to_be_bytes().to_vec() };
    found.into_iter().map(class).collect()
}
