//! What an independent analyser says of the same manifests: which pods reach which, and what a change does to that.
//!
//! The oracles are lists of connections and differences of netpol-analyzer, beside the project. Ours are computed from the
//! rules of the model alone, for one pair of pods after the other; where both differ, a table says why, and is held against
//! what was read.

#![expect(clippy::print_stderr, reason = "a skipped corpus and the figures are told")]

use portcullis::diff::{Change, compare};
use portcullis::formats::{self, Input};
use portcullis::model::{Action, ChainId, Configuration, Snapshot, Store, TableId};
use portcullis::net::{Family, Field, Set};
use portcullis::text::{SourceId, SourceMap};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Why an answer of ours is another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reason {
    /// Pods are in networks of their own, which is not modelled, and said so: a gap.
    OwnNetworks,
    /// A block of IPv6 holds what pods may have there, which the analyser does not read; pods that have addresses of IPv4
    /// are as it says.
    Ipv6Block,
    /// The manifests of the pods are not among the files: the policies alone are.
    NoPods,
}

/// The oracles that differ from ours, and why; every other one is the same.
const EXPLAINED: &[(&str, Reason)] = &[
    ("connlist__anp_and_banp_using_networks_with_ipv6_test_connlist_output.txt", Reason::Ipv6Block),
    ("connlist__cudn_test_4_connlist_output.txt", Reason::OwnNetworks),
    ("connlist__nad_test_16_connlist_output.txt", Reason::OwnNetworks),
    ("connlist__nad_test_4_connlist_output.txt", Reason::OwnNetworks),
    ("connlist__nad_test_8_connlist_output.txt", Reason::OwnNetworks),
    ("connlist__udn_and_vms_test_2_connlist_output.txt", Reason::OwnNetworks),
    ("connlist__udn_test_2_connlist_output.txt", Reason::OwnNetworks),
    ("connlist__udn_with_vm_and_ingress_controller_connlist_output.txt", Reason::OwnNetworks),
    ("diff_between_udn_test_1_and_only_pods_test.txt", Reason::OwnNetworks),
    ("connlist__semanticDiff-same-topologies-new2_connlist_output.txt", Reason::NoPods),
    ("connlist__test_with_named_ports_changed_netpol_connlist_output.txt", Reason::NoPods),
    ("diff_between_semanticDiff-same-topologies-new2_and_semanticDiff-same-topologies-old2.txt", Reason::NoPods),
    ("diff_between_test_with_named_ports_changed_netpol_and_test_with_named_ports.txt", Reason::NoPods),
];

/// The connections between pods, and between pods and addresses: by protocol, the ports from 1 on.
type Ports = BTreeMap<u128, Set>;

/// Pods by their names, `default/web[Deployment]`; `None`: addresses of no pod.
type Pair = (Option<String>, Option<String>);

/// What may pass, for pairs of pods; and for pods and addresses, which addresses for which ports.
#[derive(Debug, Default, PartialEq, Eq)]
struct Reached {
    pods: BTreeMap<Pair, String>,
    outside: BTreeMap<Pair, BTreeMap<String, Set>>,
}

const PROTOCOLS: [(u128, &str); 3] = [(132, "SCTP"), (6, "TCP"), (17, "UDP")];
const NONE: &str = "No Connections";

struct Tree {
    snapshot: Snapshot,
    gaps: Vec<String>,
}

fn files_below(folder: &Path, out: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files_below(&path, out);
        } else if path.extension().is_some_and(|ending| ["yaml", "yml", "json"].iter().any(|known| ending == *known)) {
            out.push(path);
        }
    }
    out.sort();
}

fn read(folder: &Path, sources: &mut SourceMap, store: &mut Store) -> Tree {
    let mut paths = Vec::new();
    files_below(folder, &mut paths);
    let add = |path: &PathBuf| {
        let name = path.strip_prefix(folder).expect("below").to_string_lossy().into_owned();
        sources.add(name.as_bytes(), std::fs::read(path).expect("a file")).expect("small")
    };
    let files: Vec<SourceId> = paths.iter().map(add).collect();
    let input = Input { name: "k".into(), format: formats::format("kubernetes"), files };
    let (snapshot, _, _) = formats::read(&[input], sources, store, None);
    let gaps = snapshot.gaps().iter().map(|gap| gap.reason.clone()).collect();
    Tree { snapshot, gaps }
}

/// The pods of a configuration: the name in its filters, and the one that oracles use.
fn pods(configuration: &Configuration) -> BTreeMap<String, String> {
    let mut kinds: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for object in &configuration.objects {
        if let Some((kind, rest)) = object.address.split_once('/').filter(|(kind, _)| *kind == object.kind) {
            kinds.entry(rest.to_owned()).or_default().push(kind);
        }
    }
    let own = configuration.filters.iter().filter(|filter| !filter.absent);
    let names = own.filter_map(|filter| filter.id.strip_prefix("k/")?.strip_suffix("/ingress"));
    let called = |name: &str| {
        let workload = |kind: &&&str| !["NetworkPolicy", "Service"].contains(*kind);
        let kind = kinds.get(name).and_then(|kinds| kinds.iter().find(workload));
        kind.map_or_else(|| name.to_owned(), |kind| format!("{name}[{kind}]"))
    };
    names.map(|name| (name.to_owned(), called(name))).collect()
}

/// Who is at the other end of a packet, and with which address.
struct Other<'p> {
    pod: Option<&'p str>,
    family: Family,
    address: u128,
}

impl Other<'_> {
    /// Whether a condition holds of it. What the manifests do not tell is not so.
    fn holds(&self, condition: &str) -> bool {
        let about = condition.strip_prefix("source is ").or_else(|| condition.strip_prefix("destination is "));
        let (Some(pod), Some(about)) = (self.pod, about) else { return false };
        match about.strip_prefix("in namespace ") {
            Some(namespace) => pod.split('/').next() == Some(namespace),
            None => about == "a pod" || about == pod,
        }
    }
}

/// An evaluation of the rules of one filter for packets from or to one other.
struct Walk<'a> {
    configuration: &'a Configuration,
    store: &'a Store,
    other: &'a Other<'a>,
    end: Field,
    /// Whether what no rule decides may pass.
    accepts: bool,
    allowed: Ports,
}

impl Walk<'_> {
    fn chain(&mut self, table: TableId, chain: ChainId, mut left: Ports) -> Ports {
        let table_of = self.configuration.table(table);
        for rule in &table_of.get(chain).rules {
            let found = self.matched(*rule, &left);
            match self.store.get(*rule).action() {
                Action::Accept => {
                    take(&mut left, &found);
                    for (protocol, ports) in found {
                        let all = self.allowed.entry(protocol).or_default();
                        *all = all.union(&ports);
                    }
                }
                Action::Deny => take(&mut left, &found),
                Action::Goto(name) => {
                    take(&mut left, &found);
                    let next = table_of.find(name).expect("a chain that is there");
                    // What that chain does not decide is for the end of the base chain.
                    let rest = self.chain(table, next, found);
                    self.otherwise(rest);
                }
                action @ (Action::Return | Action::Jump(_) | Action::Continue) => unreachable!("{action:?}"),
            }
        }
        left
    }

    fn otherwise(&mut self, rest: Ports) {
        for (protocol, ports) in rest.into_iter().filter(|_| self.accepts) {
            let all = self.allowed.entry(protocol).or_default();
            *all = all.union(&ports);
        }
    }

    fn matched(&self, rule: portcullis::model::RuleId, left: &Ports) -> Ports {
        let Self { store, other, end, .. } = self;
        let literals = store.literals(rule).iter();
        let mut true_ones = literals.filter(|l| other.holds(store.opaque_text(l.opaque)) == l.holds);
        let all_true = true_ones.by_ref().count() == store.literals(rule).len();
        if !all_true || !store.get(rule).families().contains(other.family) {
            return Ports::new();
        }
        let mut found = left.clone();
        for (field, ranges) in store.ranges(rule, other.family) {
            if field == Field::Protocol {
                found.retain(|protocol, _| ranges.contains(*protocol));
            } else if field == Field::DestinationPort {
                let set = Set::from_ranges(ranges.iter());
                found.values_mut().for_each(|ports| *ports = ports.intersection(&set));
            } else {
                assert_eq!(field, *end, "rules ask for nothing else");
                if !ranges.contains(other.address) {
                    return Ports::new();
                }
            }
        }
        found.retain(|_, ports| !ports.is_empty());
        found
    }
}

fn take(left: &mut Ports, found: &Ports) {
    for (protocol, ports) in found {
        if let Some(all) = left.get_mut(protocol) {
            *all = all.difference(ports);
        }
    }
}

/// What a filter lets pass from or to one other.
fn allowed(configuration: &Configuration, store: &Store, id: &str, end: Field, other: &Other<'_>) -> Ports {
    let filter = configuration.filter(id).expect("a filter of each pod");
    let [stage] = filter.stages.as_slice() else { unreachable!("one stage") };
    let everything: Ports = PROTOCOLS.iter().map(|(number, _)| (*number, Set::range(1, 65535))).collect();
    let accepts = stage.otherwise == Action::Accept;
    let mut walk = Walk { configuration, store, other, end, accepts, allowed: Ports::new() };
    let rest = walk.chain(stage.table, stage.chain, everything);
    walk.otherwise(rest);
    walk.allowed.retain(|_, ports| !ports.is_empty());
    walk.allowed
}

/// As the oracles have it.
fn shown(ports: &Ports) -> String {
    let all = Set::range(1, 65535);
    if PROTOCOLS.iter().all(|(number, _)| ports.get(number) == Some(&all)) {
        return "All Connections".to_owned();
    }
    let range = |(a, b): (u128, u128)| if a == b { a.to_string() } else { format!("{a}-{b}") };
    let one = |(number, name): &(u128, &str)| {
        let set = ports.get(number)?;
        Some(format!("{name} {}", set.ranges().iter().map(range).collect::<Vec<_>>().join(",")))
    };
    let shown: Vec<String> = PROTOCOLS.iter().filter_map(one).collect();
    if shown.is_empty() { NONE.to_owned() } else { shown.join(",") }
}

/// The addresses at which rules of a filter begin to match or end to.
fn borders(configuration: &Configuration, store: &Store, id: &str, end: Field) -> BTreeSet<u128> {
    let filter = configuration.filter(id).expect("a filter of each pod");
    let mut out = BTreeSet::from([0]);
    for stage in &filter.stages {
        for rule in configuration.table(stage.table).chains.iter().flat_map(|chain| &chain.rules) {
            for (_, ranges) in store.ranges(*rule, Family::Ipv4).filter(|(field, _)| *field == end) {
                for (first, last) in ranges.iter() {
                    out.extend([first, last + 1]);
                }
            }
        }
    }
    out.retain(|address| *address <= u128::from(u32::MAX));
    out
}

/// Where pods are that no block is meant of: blocks are of addresses outside of the cluster.
const POD: (Family, u128) = (Family::Ipv6, 0xfc99 << 112 | 1);
/// 192.168.213.77
const POD_OF_IPV4: (Family, u128) = (Family::Ipv4, 0xc0a8_d54d);

fn reached(tree: &Tree, store: &Store, pod: (Family, u128)) -> Reached {
    let [configuration] = tree.snapshot.configurations() else { unreachable!("one configuration") };
    let pods = pods(configuration);
    let mut out = Reached::default();
    let ingress = |name: &str| format!("k/{name}/ingress");
    let egress = |name: &str| format!("k/{name}/egress");
    for (name, called) in &pods {
        for (id, end) in [(ingress(name), Field::Source), (egress(name), Field::Destination)] {
            let borders: Vec<u128> = borders(configuration, store, &id, end).into_iter().collect();
            let own = Some(called.clone());
            let pair = if end == Field::Source { (None, own) } else { (own, None) };
            for (n, first) in borders.iter().enumerate() {
                let last = borders.get(n + 1).map_or(u128::from(u32::MAX), |next| next - 1);
                let other = Other { pod: None, family: Family::Ipv4, address: *first };
                let ports = shown(&allowed(configuration, store, &id, end, &other));
                if ports != NONE {
                    let all = out.outside.entry(pair.clone()).or_default().entry(ports).or_default();
                    *all = all.union(&Set::range(*first, last));
                }
            }
        }
        for (to, also_called) in pods.iter().filter(|(to, _)| *to != name) {
            let end = |name| Other { pod: Some(name), family: pod.0, address: pod.1 };
            let sent = allowed(configuration, store, &egress(name), Field::Destination, &end(to));
            let taken = allowed(configuration, store, &ingress(to), Field::Source, &end(name));
            let both: Ports = sent
                .iter()
                .filter_map(|(protocol, ports)| Some((*protocol, ports.intersection(taken.get(protocol)?))))
                .filter(|(_, ports)| !ports.is_empty())
                .collect();
            let ports = shown(&both);
            if ports != NONE {
                out.pods.insert((Some(called.clone()), Some(also_called.clone())), ports);
            }
        }
    }
    out
}

/// One end as an oracle has it: a pod, or addresses.
fn end(text: &str) -> (Option<String>, Option<Set>) {
    match text.strip_suffix("[External]") {
        None => (Some(text.to_owned()), None),
        Some(range) => {
            let (_, set) = portcullis::net::parse_addresses(range).expect("addresses");
            (None, Some(set))
        }
    }
}

/// Controllers of requests are of load balancers, which are not computed.
fn is_balancing(line: &str) -> bool {
    line.contains("{ingress-controller}")
}

fn listed(text: &str) -> Reached {
    let mut out = Reached::default();
    for line in text.lines().filter(|line| !is_balancing(line)) {
        let Some((ends, ports)) = line.split_once(" : ") else { continue };
        let Some((from, to)) = ends.split_once(" => ") else { continue };
        let ((from, of), (to, also)) = (end(from), end(to));
        match of.or(also) {
            None => {
                out.pods.insert((from, to), ports.to_owned());
            }
            Some(set) => {
                let all = out.outside.entry((from, to)).or_default().entry(ports.to_owned()).or_default();
                *all = all.union(&set);
            }
        }
    }
    out
}

/// What differs, as oracles tell it: before and after.
#[derive(Debug, Default, PartialEq, Eq)]
struct Differs {
    pods: BTreeMap<Pair, (String, String)>,
    outside: BTreeMap<Pair, BTreeMap<(String, String), Set>>,
}

fn told(text: &str) -> Differs {
    let mut out = Differs::default();
    for line in text.lines().filter(|line| !is_balancing(line)) {
        let field = |name: &str| -> Option<&str> {
            let rest = line.split_once(&format!("{name}: "))?.1;
            let ends = [", destination:", ", ref1:", ", ref2:", ", workloads-diff-info:"];
            Some(
                ends.iter()
                    .filter_map(|end| rest.split_once(end))
                    .map(|(part, _)| part)
                    .min_by_key(|part| part.len())
                    .unwrap_or(rest),
            )
        };
        let (Some(from), Some(to)) = (field("source"), field("destination")) else { continue };
        let refs = (field("ref1").expect("both sides").to_owned(), field("ref2").expect("both sides").to_owned());
        let ((from, of), (to, also)) = (end(from), end(to));
        match of.or(also) {
            None => {
                out.pods.insert((from, to), refs);
            }
            Some(set) => {
                let all = out.outside.entry((from, to)).or_default().entry(refs).or_default();
                *all = all.union(&set);
            }
        }
    }
    out
}

fn differs(old: &Reached, new: &Reached) -> Differs {
    let mut out = Differs::default();
    let none = || NONE.to_owned();
    for pair in old.pods.keys().chain(new.pods.keys()) {
        let of = |side: &Reached| side.pods.get(pair).cloned().unwrap_or_else(none);
        let refs = (of(old), of(new));
        if refs.0 != refs.1 {
            out.pods.insert(pair.clone(), refs);
        }
    }
    for pair in old.outside.keys().chain(new.outside.keys()) {
        let all = Set::range(0, u128::from(u32::MAX));
        let of = |side: &Reached| {
            let mut parts = side.outside.get(pair).cloned().unwrap_or_default();
            let open = parts.values().fold(Set::empty(), |all, set| all.union(set));
            parts.insert(none(), all.difference(&open));
            parts
        };
        for (ports, set) in of(old) {
            for (others, also) in of(new) {
                let both = set.intersection(&also);
                if ports != others && !both.is_empty() {
                    out.outside.entry(pair.clone()).or_default().insert((ports.clone(), others), both);
                }
            }
        }
    }
    out
}

fn corpus() -> Option<(PathBuf, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus");
    match std::fs::read_to_string(folder.join("ORACLES.tsv")) {
        Ok(oracles) => Some((folder, oracles)),
        Err(_) => {
            eprintln!("SKIPPED: there is no corpus in {}", folder.display());
            None
        }
    }
}

fn rows<'o>(oracles: &'o str, kind: &'o str) -> impl Iterator<Item = (&'o str, &'o str)> {
    oracles.lines().filter_map(move |row| {
        let mut fields = row.split('\t');
        (fields.next()? == kind).then_some(())?;
        Some((fields.next()?, fields.next()?))
    })
}

/// Whether a reason is true of what was read.
fn holds(reason: Reason, trees: &[&Tree], with_ipv4: impl FnOnce() -> bool) -> bool {
    match reason {
        Reason::Ipv6Block => with_ipv4(),
        Reason::NoPods => trees.iter().all(|tree| {
            let filters = tree.snapshot.configurations().iter().flat_map(|configuration| &configuration.filters);
            filters.into_iter().all(|filter| filter.absent)
        }),
        Reason::OwnNetworks => {
            let words = ["UserDefinedNetwork", "NetworkAttachmentDefinition"];
            let gaps = trees.iter().flat_map(|tree| &tree.gaps);
            gaps.into_iter().any(|gap| words.iter().any(|word| gap.contains(word)))
        }
    }
}

#[derive(Default)]
struct Tally {
    same: usize,
    explained: usize,
    with_gaps: usize,
    connections: usize,
    wrong: Vec<String>,
}

impl Tally {
    fn add(
        &mut self,
        oracle: &str,
        same: bool,
        trees: &[&Tree],
        with_ipv4: impl FnOnce() -> bool,
        difference: impl FnOnce() -> String,
    ) {
        let name = oracle.rsplit('/').next().expect("a path");
        self.with_gaps += usize::from(trees.iter().any(|tree| !tree.gaps.is_empty()));
        match (same, EXPLAINED.iter().find(|(known, _)| *known == name)) {
            (true, None) => self.same += 1,
            (true, Some(_)) => self.wrong.push(format!("{name} is the same, and has an explanation")),
            (false, Some((_, reason))) if holds(*reason, trees, with_ipv4) => self.explained += 1,
            (false, Some((_, reason))) => self.wrong.push(format!("{name}: {reason:?} is not so")),
            (false, None) => {
                let gaps: BTreeSet<&String> = trees.iter().flat_map(|tree| &tree.gaps).collect();
                self.wrong.push(format!("{name}: {}\n  gaps {gaps:?}", difference()));
            }
        }
    }
}

#[test]
fn which_pods_reach_which_is_as_an_independent_analyser_says() {
    let Some((folder, oracles)) = corpus() else { return };
    let mut tally = Tally::default();
    for (input, oracle) in rows(&oracles, "connectivity") {
        let (mut sources, mut store) = (SourceMap::default(), Store::default());
        let tree = read(&folder.join(input), &mut sources, &mut store);
        let (ours, theirs) =
            (reached(&tree, &store, POD), listed(&std::fs::read_to_string(folder.join(oracle)).expect("text")));
        tally.connections += theirs.pods.len() + theirs.outside.len();
        let with_ipv4 = || reached(&tree, &store, POD_OF_IPV4) == theirs;
        tally.add(oracle, ours == theirs, &[&tree], with_ipv4, || {
            let mut out = String::new();
            for (pair, ports) in ours.pods.iter().filter(|(pair, ports)| theirs.pods.get(*pair) != Some(ports)) {
                out += &format!("\n  ours   {pair:?} {ports}");
            }
            for (pair, ports) in theirs.pods.iter().filter(|(pair, ports)| ours.pods.get(*pair) != Some(ports)) {
                out += &format!("\n  theirs {pair:?} {ports}");
            }
            for (pair, parts) in ours.outside.iter().filter(|(pair, parts)| theirs.outside.get(*pair) != Some(parts)) {
                out += &format!("\n  ours   {pair:?} {parts:?}");
            }
            for (pair, parts) in theirs.outside.iter().filter(|(pair, parts)| ours.outside.get(*pair) != Some(parts)) {
                out += &format!("\n  theirs {pair:?} {parts:?}");
            }
            out
        });
    }
    let Tally { same, explained, with_gaps, connections, wrong } = tally;
    eprintln!(
        "connectivity: {same} lists the same ({connections} connections in all), {explained} explained, {with_gaps} with gaps"
    );
    assert!(wrong.is_empty(), "{} differ\n{}", wrong.len(), wrong.join("\n"));
    assert_eq!(same + explained, 40);
}

#[test]
fn what_a_change_does_is_as_an_independent_analyser_says() {
    let Some((folder, oracles)) = corpus() else { return };
    let mut tally = Tally::default();
    for (input, oracle) in rows(&oracles, "semantic-diff") {
        let (old, new) = input.split_once(" -> ").expect("before and after");
        let (mut sources, mut store) = (SourceMap::default(), Store::default());
        let base = read(&folder.join(old), &mut sources, &mut store);
        let head = read(&folder.join(new), &mut sources, &mut store);
        let theirs = told(&std::fs::read_to_string(folder.join(oracle)).expect("text"));
        let (before, after) = (reached(&base, &store, POD), reached(&head, &store, POD));
        let ours = differs(&before, &after);
        tally.connections += theirs.pods.len() + theirs.outside.len();
        tally.add(
            oracle,
            ours == theirs,
            &[&base, &head],
            || false,
            || {
                let mut out = String::new();
                for (pair, refs) in ours.pods.iter().filter(|(pair, refs)| theirs.pods.get(*pair) != Some(refs)) {
                    out += &format!("\n  ours   {pair:?} {refs:?}");
                }
                for (pair, refs) in theirs.pods.iter().filter(|(pair, refs)| ours.pods.get(*pair) != Some(refs)) {
                    out += &format!("\n  theirs {pair:?} {refs:?}");
                }
                for (pair, parts) in
                    ours.outside.iter().filter(|(pair, parts)| theirs.outside.get(*pair) != Some(parts))
                {
                    out += &format!("\n  ours   {pair:?} {parts:?}");
                }
                for (pair, parts) in
                    theirs.outside.iter().filter(|(pair, parts)| ours.outside.get(*pair) != Some(parts))
                {
                    out += &format!("\n  theirs {pair:?} {parts:?}");
                }
                out
            },
        );
        // The program itself sees a change wherever there is one.
        let Tree { snapshot: base, .. } = base;
        let Tree { snapshot: head, .. } = head;
        let change = Change::new(base, head, store);
        let difference = compare(&change);
        let changed = difference.configurations.iter().any(|configuration| !configuration.filters.is_empty());
        if !changed && (!ours.pods.is_empty() || !ours.outside.is_empty()) {
            tally.wrong.push(format!("{oracle}: the program sees no change"));
        }
    }
    let Tally { same, explained, with_gaps, connections, wrong } = tally;
    eprintln!(
        "semantic-diff: {same} differences the same ({connections} connections in all), {explained} explained, {with_gaps} with gaps"
    );
    assert!(wrong.is_empty(), "{} differ\n{}", wrong.len(), wrong.join("\n"));
    assert_eq!(same + explained, 24);
}
