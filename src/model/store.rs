use super::balancer::{Test, TestId};
use super::probe::meet;
use super::rule::{Action, Draft, Families, Literal, OpaqueId, Rule, RuleId, SetId, Symbol, Wide};
use crate::net::{Family, Field, Ranges, Set, State};
use foldhash::quality::RandomState;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::BuildHasher;

/// Everything that both sides of a change share: rules, sets, names and opaque conditions, each a number.
#[derive(Debug, Clone)]
pub struct Store {
    rules: Vec<Rule>,
    extras: Vec<Extra>,
    rare: Interner<Rare>,
    sets: Interner<Set>,
    symbols: Interner<Vec<u8>>,
    opaques: Interner<String>,
    tests: Interner<Test>,
    /// The numbers of conditions and questions that other configurations have, by their names.
    elsewhere: HashMap<String, Own, RandomState>,
    /// The configuration that is read.
    reading: String,
    /// How conditions are shown whose text is not for people.
    shown: HashMap<u32, String, RandomState>,
    hasher: RandomState,
}

/// The numbers that conditions and questions have in one configuration.
#[derive(Debug, Clone, Default)]
struct Own {
    opaques: HashMap<String, u32, RandomState>,
    tests: HashMap<Test, u32, RandomState>,
}

/// What few rules ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Extra {
    wide: Wide,
    /// Index of what hardly any rule asks for.
    rare: u32,
}

impl Extra {
    const NONE: Self = Self { wide: Wide::ANY, rare: 0 };
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
struct Rare {
    sets: Vec<(Field, SetId)>,
    literals: Vec<Literal>,
    comment: Option<Symbol>,
}

impl Default for Store {
    fn default() -> Self {
        let mut rare = Interner::default();
        rare.intern(Rare::default());
        Self {
            rules: Vec::new(),
            extras: vec![Extra::NONE],
            rare,
            sets: Interner::default(),
            symbols: Interner::default(),
            opaques: Interner::default(),
            tests: Interner::default(),
            elsewhere: HashMap::default(),
            reading: String::new(),
            shown: HashMap::default(),
            hasher: RandomState::default(),
        }
    }
}

/// What is otherwise in a rule that is like another ([`Store::like`]): closed ranges of a field that stand inline in both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Other {
    /// All is as in the other.
    Nothing,
    /// IPv4 addresses, of the source or else the destination.
    Ipv4(Field, u32, u32),
    /// IPv6 addresses, likewise.
    Ipv6(Field, u128, u128),
    /// Ports, likewise.
    Port(Field, u16, u16),
    /// The comment.
    Comment(Symbol),
}

impl Store {
    /// From now on a configuration of that name is read, on either side.
    ///
    /// Conditions and questions are numbered for each configuration by itself: what is said of one, and in which order,
    /// does not depend on which others are read beside it.
    pub fn begin(&mut self, configuration: &str) {
        if self.reading == configuration {
            return;
        }
        let Own { opaques, tests } = self.elsewhere.remove(configuration).unwrap_or_default();
        let own = Own {
            opaques: std::mem::replace(&mut self.opaques.numbers, opaques),
            tests: std::mem::replace(&mut self.tests.numbers, tests),
        };
        let before = std::mem::replace(&mut self.reading, configuration.to_owned());
        self.elsewhere.insert(before, own);
    }

    /// Makes room for so many more rules, which may come.
    pub fn reserve(&mut self, rules: usize) {
        self.rules.reserve(rules);
    }

    /// Finishes a rule.
    pub fn rule(&mut self, draft: Draft, action: Action) -> RuleId {
        let Draft { mut rule, mut wide, sets, mut literals, comment } = draft;
        rule.action = action;
        let mut rare = Rare { sets: Vec::new(), literals: Vec::new(), comment };
        for (field, mut set) in sets {
            let beside = wide.of(field);
            if beside != Wide::ALL {
                set = set.intersection(&Set::range(beside.0, beside.1));
                if set.is_empty() {
                    rule.families = Families::NONE;
                }
                let merged = if field == Field::Source { &mut wide.source } else { &mut wide.destination };
                *merged = Wide::ALL;
            }
            rare.sets.push((field, SetId(self.sets.intern(set))));
        }
        rare.sets.sort_unstable();
        literals.sort_unstable();
        rare.literals = literals;
        let rare = if rare == Rare::default() { 0 } else { self.rare.intern(rare) };
        rule.extra = self.extra(Extra { wide, rare });
        self.add(rule)
    }

    /// A rule for IPv4 packets that asks for nothing but closed ranges: of addresses (source, destination), of
    /// protocols and of ports (source, destination).
    #[inline]
    pub fn ipv4_rule(
        &mut self,
        addresses: [(u32, u32); 2],
        protocol: (u8, u8),
        ports: [(u16, u16); 2],
        action: Action,
    ) -> RuleId {
        let [source, destination] = addresses;
        let [source_port, destination_port] = ports;
        let any = Rule::any(Families::only(Family::Ipv4));
        self.add(Rule { source, destination, protocol, source_port, destination_port, action, ..any })
    }

    /// Another rule that is as `like`, but for the IPv4 addresses that are given: closed ranges.
    pub fn like_ipv4(&mut self, like: RuleId, source: Option<(u32, u32)>, destination: Option<(u32, u32)>) -> RuleId {
        let like = *self.get(like);
        self.add(Rule {
            source: source.unwrap_or(like.source),
            destination: destination.unwrap_or(like.destination),
            ..like
        })
    }

    /// Another rule that is as `like`, but for the IPv6 addresses that are given: closed ranges.
    pub fn like_ipv6(
        &mut self,
        like: RuleId,
        source: Option<(u128, u128)>,
        destination: Option<(u128, u128)>,
    ) -> RuleId {
        let like = *self.get(like);
        let Extra { wide, rare } = self.extras[like.extra as usize];
        let source = source.unwrap_or(wide.source);
        let destination = destination.unwrap_or(wide.destination);
        let extra = self.extra(Extra { wide: Wide { source, destination }, rare });
        self.add(Rule { extra, ..like })
    }

    /// Another rule that is as `like`, but for these.
    pub fn like(&mut self, like: RuleId, others: &[Other]) -> RuleId {
        let mut rule = *self.get(like);
        let mut extra = self.extras[rule.extra as usize];
        for other in others {
            match *other {
                Other::Nothing => {}
                Other::Ipv4(Field::Source, first, last) => rule.source = (first, last),
                Other::Ipv4(_, first, last) => rule.destination = (first, last),
                Other::Ipv6(Field::Source, first, last) => extra.wide.source = (first, last),
                Other::Ipv6(_, first, last) => extra.wide.destination = (first, last),
                Other::Port(Field::SourcePort, first, last) => rule.source_port = (first, last),
                Other::Port(_, first, last) => rule.destination_port = (first, last),
                Other::Comment(comment) => {
                    let rare = Rare { comment: Some(comment), ..self.rare.get(extra.rare).clone() };
                    extra.rare = self.rare.intern(rare);
                }
            }
        }
        if extra != self.extras[rule.extra as usize] {
            rule.extra = self.extra(extra);
        }
        self.add(rule)
    }

    fn extra(&mut self, extra: Extra) -> u32 {
        if extra == Extra::NONE {
            return 0;
        }
        self.extras.push(extra);
        narrow(self.extras.len() - 1)
    }

    fn add(&mut self, rule: Rule) -> RuleId {
        let id = self.next();
        self.rules.push(rule);
        id
    }

    /// The rule of that number.
    #[must_use]
    pub fn get(&self, id: RuleId) -> &Rule {
        &self.rules[id.0 as usize]
    }

    /// The number that the next rule will have.
    #[must_use]
    pub fn next(&self) -> RuleId {
        RuleId(narrow(self.rules.len()))
    }

    /// How many rules there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rules.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Whether two rules mean and say the same, whatever their numbers.
    #[must_use]
    pub fn same(&self, a: RuleId, b: RuleId) -> bool {
        let (x, y) = (self.get(a), self.get(b));
        a == b || self.content(x) == self.content(y)
    }

    /// A number that equal rules share ([`Store::same`]); unequal ones hardly ever do.
    #[must_use]
    pub fn digest(&self, id: RuleId) -> u64 {
        self.hasher.hash_one(self.content(self.get(id)))
    }

    /// A rule without numbers that equal rules need not share.
    fn content(&self, rule: &Rule) -> (Rule, Wide, &Rare) {
        (Rule { extra: 0, ..*rule }, self.wide(rule), self.rare(rule))
    }

    /// The fields that a rule constrains for packets of `family`, and the values each may have. Nothing for a
    /// field means any value. Ask [`Rule::families`] first whether it can match that family at all.
    pub fn ranges(&self, id: RuleId, family: Family) -> impl Iterator<Item = (Field, Ranges<'_>)> {
        let rule = self.get(id);
        let wide = |(first, last): (u32, u32), max: u32| (first != 0 || last != max).then_some((first, last));
        let one = |field, range: Option<(u32, u32)>| range.map(|(a, b)| (field, Ranges::One(a.into(), b.into())));
        let long = self.wide(rule);
        let address = |field, range, long: (u128, u128)| match family {
            Family::Ipv4 => one(field, wide(range, u32::MAX)),
            Family::Ipv6 => (long != Wide::ALL).then_some((field, Ranges::One(long.0, long.1))),
        };
        let port = |field, (a, b): (u16, u16)| one(field, wide((a.into(), b.into()), u16::MAX.into()));
        let states =
            (rule.states + 1 != 1 << State::ALL.len()).then(|| (Field::State, Ranges::Wide(state_ranges(rule.states))));
        [
            address(Field::Source, rule.source, long.source),
            address(Field::Destination, rule.destination, long.destination),
            one(Field::Protocol, wide((rule.protocol.0.into(), rule.protocol.1.into()), u8::MAX.into())),
            port(Field::SourcePort, rule.source_port),
            port(Field::DestinationPort, rule.destination_port),
            states,
        ]
        .into_iter()
        .flatten()
        .chain(self.rare(rule).sets.iter().map(|(field, id)| (*field, self.sets.get(id.0).ranges())))
    }

    /// Whether the inline conditions of two rules leave room for a packet that both match. `false` is certain.
    #[must_use]
    pub fn meet(&self, a: RuleId, b: RuleId) -> bool {
        let (a, b) = (self.get(a), self.get(b));
        meet(a.destination, b.destination)
            && meet(a.source, b.source)
            && meet(a.destination_port, b.destination_port)
            && meet(a.protocol, b.protocol)
            && meet(a.source_port, b.source_port)
            && a.states & b.states != 0
            && a.families.and(b.families) != Families::NONE
    }

    /// The opaque conditions of a rule, sorted.
    #[must_use]
    pub fn literals(&self, id: RuleId) -> &[Literal] {
        &self.rare(self.get(id)).literals
    }

    /// The comment on a rule.
    #[must_use]
    pub fn comment(&self, id: RuleId) -> Option<&[u8]> {
        self.rare(self.get(id)).comment.map(|symbol| self.name(symbol))
    }

    /// The number of a name.
    pub fn symbol(&mut self, name: &[u8]) -> Symbol {
        Symbol(self.symbols.intern_ref(name))
    }

    /// The number of a name, if anything has been called so.
    #[must_use]
    pub fn find_symbol(&self, name: &[u8]) -> Option<Symbol> {
        self.symbols.find(name).map(Symbol)
    }

    /// The name of a number.
    #[must_use]
    pub fn name(&self, symbol: Symbol) -> &[u8] {
        self.symbols.get(symbol.0)
    }

    /// The opaque condition that reads so once normalised.
    pub fn opaque(&mut self, text: &str) -> OpaqueId {
        OpaqueId(self.opaques.intern_ref(text))
    }

    /// The same for one that a format words in its own way: `text` tells it from others in every format, `shown` is what
    /// people read unless the other wording came first.
    pub fn opaque_shown(&mut self, text: &str, shown: &str) -> OpaqueId {
        let known = self.opaques.find(text).is_some();
        let id = self.opaque(text);
        if !known && text != shown {
            self.shown.insert(id.0, shown.to_owned());
        }
        id
    }

    /// What an opaque condition reads.
    #[must_use]
    pub fn opaque_text(&self, id: OpaqueId) -> &str {
        self.shown.get(&id.0).map_or_else(|| self.opaques.get(id.0).as_str(), String::as_str)
    }

    /// The number of a question to requests.
    pub fn test(&mut self, test: Test) -> TestId {
        TestId(self.tests.intern(test))
    }

    /// The question of a number.
    #[must_use]
    pub fn get_test(&self, id: TestId) -> &Test {
        self.tests.get(id.0)
    }

    fn wide(&self, rule: &Rule) -> Wide {
        self.extras[rule.extra as usize].wide
    }

    fn rare(&self, rule: &Rule) -> &Rare {
        self.rare.get(self.extras[rule.extra as usize].rare)
    }
}

/// The states of a mask as intervals.
fn state_ranges(mask: u8) -> &'static [(u128, u128)] {
    const COUNT: usize = 1 << State::ALL.len();
    const fn table() -> [([(u128, u128); 3], usize); COUNT] {
        let mut out = [([(0, 0); 3], 0); COUNT];
        let mut mask = 0;
        while mask < COUNT {
            let (mut bit, mut n) = (0, 0);
            while bit < State::ALL.len() {
                if mask >> bit & 1 == 1 {
                    let first = bit;
                    while bit + 1 < State::ALL.len() && mask >> (bit + 1) & 1 == 1 {
                        bit += 1;
                    }
                    out[mask].0[n] = (first as u128, bit as u128);
                    n += 1;
                }
                bit += 1;
            }
            out[mask].1 = n;
            mask += 1;
        }
        out
    }
    static TABLE: [([(u128, u128); 3], usize); COUNT] = table();
    let (ranges, n) = &TABLE[mask as usize];
    &ranges[..*n]
}

/// Values to numbers and back. Keyed with a random seed: the input may be hostile.
#[derive(Debug, Clone)]
struct Interner<T> {
    values: Vec<T>,
    numbers: HashMap<T, u32, RandomState>,
}

impl<T> Default for Interner<T> {
    fn default() -> Self {
        Self { values: Vec::new(), numbers: HashMap::default() }
    }
}

impl<T: Clone + Eq + std::hash::Hash> Interner<T> {
    fn intern(&mut self, value: T) -> u32 {
        match self.numbers.entry(value) {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(new) => {
                let number = narrow(self.values.len());
                self.values.push(new.key().clone());
                *new.insert(number)
            }
        }
    }

    fn intern_ref<Q>(&mut self, value: &Q) -> u32
    where
        T: std::borrow::Borrow<Q>,
        Q: Eq + std::hash::Hash + ToOwned<Owned = T> + ?Sized,
    {
        match self.find(value) {
            Some(number) => number,
            None => self.intern(value.to_owned()),
        }
    }

    fn find<Q>(&self, value: &Q) -> Option<u32>
    where
        T: std::borrow::Borrow<Q>,
        Q: Eq + std::hash::Hash + ?Sized,
    {
        self.numbers.get(value).copied()
    }

    fn get(&self, number: u32) -> &T {
        &self.values[number as usize]
    }
}

fn narrow(n: usize) -> u32 {
    u32::try_from(n).expect("fewer than 2^32: sources are smaller than 4 GiB")
}
