//! Who is at the other end: selectors, decided on the namespaces and workloads of the tree.
//!
//! A selector that selects something in the tree means what it selects there: that the tree has all pods with these labels, if
//! it has any, is assumed, unless a change is about just that (`sides`). One value of a label that nothing there has stays a
//! condition of its own, the same wherever the same requirement stands, and so does one that is asked of a namespace
//! without workloads. "All pods", of all namespaces or of one, is never
//! broken up: it is meant of pods that nobody has declared, too.

use super::fields::Labels;
use super::selector::{Known, NAME, Selector, Selects};
use super::syntax::{Cluster, Direction, Namespaces, Peer, Pods, Workload};
use crate::net::{Family, Set};
use crate::text::escape;
use std::collections::BTreeMap;
use std::fmt::{self, Display};
use std::sync::Arc;

/// Where things of the tree are.
pub(super) struct Index<'c> {
    pub(super) cluster: &'c Cluster,
    /// All workloads, by their numbers.
    all: Vec<usize>,
    /// The workloads of each namespace, by their numbers.
    pub(super) by_namespace: BTreeMap<Arc<str>, Vec<usize>>,
    /// How each workload is called: `default/web`.
    pub(super) names: Vec<String>,
    /// The labels of namespaces, as far as they are known, and whether that is all of them.
    namespaces: BTreeMap<Arc<str>, (Labels, bool)>,
}

/// Some of those at the other end.
#[derive(Debug, Clone, Default)]
pub(super) struct Alternative {
    /// What must be true.
    pub(super) conditions: Vec<String>,
    /// The addresses they have; none: any.
    pub(super) addresses: Vec<(Family, Set)>,
    /// Which pods these are, as far as it is known.
    pub(super) whose: Whose,
}

/// Which pods some are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) enum Whose {
    /// Pods and others.
    #[default]
    Anyone,
    /// Not pods.
    Others,
    /// All pods, or those of a namespace.
    All(Option<Arc<str>>),
    /// Those of a workload.
    Of(usize),
    /// Some that the tree does not have.
    Unknown,
}

impl<'c> Index<'c> {
    pub(super) fn of(cluster: &'c Cluster) -> Self {
        let mut by_namespace: BTreeMap<Arc<str>, Vec<usize>> = BTreeMap::new();
        let mut called: BTreeMap<(&str, &str), usize> = BTreeMap::new();
        for (n, workload) in cluster.workloads.iter().enumerate() {
            by_namespace.entry(Arc::clone(&workload.namespace)).or_default().push(n);
            *called.entry((&workload.namespace, &workload.name)).or_default() += 1;
        }
        let name = |workload: &Workload| {
            let (namespace, name) = (escape(workload.namespace.as_bytes()), escape(workload.name.as_bytes()));
            match called.get(&(&*workload.namespace, &*workload.name)) {
                Some(1) | None => format!("{namespace}/{name}"),
                Some(_) => format!("{namespace}/{name}[{}]", workload.kind),
            }
        };
        let names = cluster.workloads.iter().map(name).collect();
        let declared = cluster.namespaces.iter().map(|(name, labels)| (Arc::clone(name), (labels.clone(), true)));
        let mut namespaces: BTreeMap<Arc<str>, (Labels, bool)> = declared.collect();
        for name in by_namespace.keys() {
            let only_name = || (Labels::from([(NAME.into(), Arc::clone(name))]), false);
            namespaces.entry(Arc::clone(name)).or_insert_with(only_name);
        }
        let all = (0..cluster.workloads.len()).collect();
        Self { cluster, all, by_namespace, names, namespaces }
    }

    /// Whether a selector of namespaces selects the one of that name.
    pub(super) fn selects(&self, selector: &Selector, namespace: &Arc<str>) -> Selects {
        match self.namespaces.get(namespace) {
            Some((labels, all)) => selector.selects(Known { labels, all: *all }),
            None => {
                let labels = Labels::from([(NAME.into(), Arc::clone(namespace))]);
                selector.selects(Known { labels: &labels, all: false })
            }
        }
    }

    fn workload(&self, number: usize) -> &'c Workload {
        self.cluster.workloads.get(number).expect("numbers are of workloads that are there")
    }

    /// Whether the tree surely has some of these pods.
    pub(super) fn declares(&self, pods: &Pods) -> bool {
        let Pods { namespaces, pods } = pods;
        let is_one = |number: &usize| pods.matches(&self.workload(*number).labels);
        match namespaces {
            Namespaces::Named(name) => self.by_namespace.get(name).into_iter().flatten().any(is_one),
            Namespaces::With(selector) => {
                let mut places =
                    self.by_namespace.iter().filter(|(name, _)| self.selects(selector, name) == Selects::Yes);
                places.any(|(_, numbers)| numbers.iter().any(is_one))
            }
        }
    }

    /// Those that a peer is, each alternative of the others; `beyond`: and those that the tree does not have, where it has
    /// some.
    pub(super) fn alternatives(&self, peer: &Peer, direction: Direction, beyond: bool) -> Vec<Alternative> {
        let end = direction.peer();
        match peer {
            Peer::Block(family, set) => {
                let addresses = vec![(*family, set.clone())];
                vec![Alternative { addresses, whose: Whose::Others, ..Alternative::default() }]
            }
            Peer::If(what) => {
                let conditions = vec![format!("{end} is {what}")];
                vec![Alternative { conditions, whose: Whose::Others, ..Alternative::default() }]
            }
            Peer::Pods(pods, _) => self.pods(pods, end, beyond),
        }
    }

    fn pods(&self, pods: &Pods, end: &str, beyond: bool) -> Vec<Alternative> {
        let Pods { namespaces, pods } = pods;
        let mut places = self.places(namespaces, end, beyond);
        for place in &mut places {
            place.conditions.insert(0, format!("{end} is a pod"));
            place.addresses = private();
        }
        if pods.is_empty() {
            return places;
        }
        let mut found = Vec::new();
        for part in pods.parts() {
            let known = found.len();
            for place in &places {
                let of_part = |number: &&usize| part.matches(&self.workload(**number).labels);
                for number in self.workloads(&place.whose).iter().filter(of_part) {
                    let mut one = place.clone();
                    if place.whose == Whose::All(None) {
                        one.conditions.push(in_namespace(end, &self.workload(*number).namespace));
                    }
                    one.conditions.push(self.is(end, *number));
                    one.whose = Whose::Of(*number);
                    found.push(one);
                }
            }
            let nowhere = found.len() == known;
            for place in &places {
                if nowhere || beyond || self.workloads(&place.whose).is_empty() {
                    let mut one = place.clone();
                    one.conditions.extend(part.each().map(|wanted| format!("{end} has {wanted}")));
                    one.whose = Whose::Unknown;
                    found.push(one);
                }
            }
        }
        found
    }

    /// The workloads of a place, by their numbers.
    fn workloads(&self, whose: &Whose) -> &[usize] {
        match whose {
            Whose::All(None) => &self.all,
            Whose::All(Some(namespace)) => self.by_namespace.get(namespace).map_or(&[], Vec::as_slice),
            Whose::Anyone | Whose::Others | Whose::Of(_) | Whose::Unknown => &[],
        }
    }

    /// All pods of the namespaces that are meant.
    fn places(&self, namespaces: &Namespaces, end: &str, beyond: bool) -> Vec<Alternative> {
        let one = |namespace: &Arc<str>, condition: Option<String>| Alternative {
            conditions: [Some(in_namespace(end, namespace)), condition].into_iter().flatten().collect(),
            addresses: Vec::new(),
            whose: Whose::All(Some(Arc::clone(namespace))),
        };
        let selector = match namespaces {
            Namespaces::Named(namespace) => return vec![one(namespace, None)],
            Namespaces::With(selector) if selector.is_empty() => {
                return vec![Alternative { whose: Whose::All(None), ..Alternative::default() }];
            }
            Namespaces::With(selector) => selector,
        };
        if let Some(names) = selector.only(NAME) {
            return names.iter().map(|name| one(name, None)).collect();
        }
        let mut found = Vec::new();
        for part in selector.parts() {
            let mut surely = false;
            for namespace in self.namespaces.keys() {
                match self.selects(&part, namespace) {
                    Selects::Yes => {
                        surely = true;
                        found.push(one(namespace, None));
                    }
                    Selects::Maybe => found.push(one(namespace, Some(has(namespace, &part)))),
                    Selects::No => {}
                }
            }
            if !surely || beyond {
                let conditions = part.each().map(|wanted| format!("the namespace of {end} has {wanted}")).collect();
                found.push(Alternative { conditions, whose: Whose::Unknown, ..Alternative::default() });
            }
        }
        found
    }

    /// The condition that one end is a pod of a workload.
    pub(super) fn is(&self, end: &str, number: usize) -> String {
        format!("{end} is {}", self.names.get(number).expect("numbers are of workloads that are there"))
    }

    /// The pods of an alternative that are known one by one: in place of it, where a port is called by a name.
    pub(super) fn each(&self, alternative: &Alternative, end: &str) -> Vec<(usize, Alternative)> {
        let numbers: Vec<usize> = match &alternative.whose {
            Whose::Of(number) => return vec![(*number, alternative.clone())],
            Whose::Anyone => self.all.clone(),
            Whose::All(_) => self.workloads(&alternative.whose).to_vec(),
            Whose::Others | Whose::Unknown => Vec::new(),
        };
        let named = numbers.into_iter().map(|number| {
            let mut one = alternative.clone();
            if alternative.whose == Whose::Anyone {
                one.conditions.push(format!("{end} is a pod"));
                one.addresses = private();
            }
            if !matches!(alternative.whose, Whose::All(Some(_))) {
                one.conditions.push(in_namespace(end, &self.workload(number).namespace));
            }
            one.conditions.push(self.is(end, number));
            one.whose = Whose::Of(number);
            (number, one)
        });
        named.collect()
    }
}

/// That a namespace has such labels, of which it is not known.
pub(super) fn has(namespace: &str, selector: &Selector) -> String {
    format!("namespace {} has {selector}", escape(namespace.as_bytes()))
}

fn in_namespace(end: &str, namespace: &str) -> String {
    format!("{end} is in namespace {}", escape(namespace.as_bytes()))
}

/// The addresses that pods have: which of them, the configuration does not say. Networks of clusters are private ones
/// (RFC 1918, RFC 6598, RFC 4193), so that what is let in from a pod is not let in from the internet.
pub(super) fn private() -> Vec<(Family, Set)> {
    const IPV4: [(u128, u128); 4] = [
        (0x0a00_0000, 0x0aff_ffff),
        (0x6440_0000, 0x647f_ffff),
        (0xac10_0000, 0xac1f_ffff),
        (0xc0a8_0000, 0xc0a8_ffff),
    ];
    let ipv6 = (0xfc00 << 112, (0xfe00 << 112) - 1);
    vec![(Family::Ipv4, Set::from_ranges(IPV4)), (Family::Ipv6, Set::from_ranges([ipv6]))]
}

/// `pods of default with app=web`.
impl Display for Pods {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.namespaces {
            Namespaces::Named(name) => write!(f, "pods of {}", escape(name.as_bytes()))?,
            Namespaces::With(selector) if selector.is_empty() => f.write_str("pods")?,
            Namespaces::With(selector) => write!(f, "pods of namespaces with {selector}")?,
        }
        if self.pods.is_empty() { Ok(()) } else { write!(f, " with {}", self.pods) }
    }
}

/// The name of the pods in the ids of filters: what cannot be the name of a workload stands in parentheses.
pub(super) fn name(pods: &Pods) -> String {
    let Pods { namespaces, pods } = pods;
    let namespaces = match namespaces {
        Namespaces::Named(name) => escape(name.as_bytes()),
        Namespaces::With(selector) if selector.is_empty() => "(all)".to_owned(),
        Namespaces::With(selector) => format!("({selector})"),
    };
    if pods.is_empty() { format!("{namespaces}/(all)") } else { format!("{namespaces}/({pods})") }
}
