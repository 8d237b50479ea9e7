//! Real changes of real firewalls: the exact difference is held against the naive walker, packet by packet.

#![expect(clippy::print_stderr, reason = "a skipped or summarised corpus is told")]

use crate::cli::portcullis;
use portcullis::diff::{self, Change, FilterPair, Found, Question, Sided};
use portcullis::formats::{self, Input};
use portcullis::model::{Literal, RuleId, Store};
use portcullis::net::{Field, Packet, Region};
use portcullis::text::SourceMap;
use std::collections::BTreeMap;
use std::path::Path;

/// Packets for each pair; `PORTCULLIS_PROBES` sets another number (100000 takes minutes in a release build).
const PROBES: usize = 1500;

/// Real changes of real balancers; of one of them, what a person reads.
#[test]
fn real_changes_of_balancers_are_told_as_requests() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus");
    let Ok(pairs) = std::fs::read_to_string(folder.join("PAIRS.tsv")) else {
        eprintln!("SKIPPED: there is no corpus in {}", folder.display());
        return;
    };
    let mut totals: BTreeMap<(&str, u8), usize> = BTreeMap::new();
    for row in pairs.lines() {
        let fields: Vec<&str> = row.split('\t').collect();
        let [name, format @ ("haproxy" | "nginx" | "envoy"), "file", _, before, after, ..] = fields.as_slice() else {
            continue;
        };
        let ran = portcullis(&folder, &[], &["diff", before, after]);
        assert!([0, 1, 3].contains(&ran.code), "{name}: {} {}", ran.code, ran.talk);
        *totals.entry((format, ran.code)).or_default() += 1;
        if *name == "P1070" {
            let told = ran.out.lines().map(str::trim).collect::<Vec<_>>().join("\n");
            for line in [
                "answered otherwise: 1 kind of request\npath /_api/_utils",
                "request GET https://www.example.com/_api/_utils from 203.0.113.9 via :443\nbase    goes to backend couchdb,",
                "51 |     use_backend couchdb if api\nhead    is answered (redirect 302 to scheme https append-slash),",
            ] {
                assert!(told.contains(line), "{told}");
            }
        }
    }
    eprintln!("pairs of balancers by format and exit code: {totals:?}");
    assert!(totals.values().sum::<usize>() > 100, "{totals:?}");
}

#[test]
fn the_difference_of_real_pairs_is_where_the_walker_differs() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus");
    let Ok(pairs) = std::fs::read_to_string(folder.join("PAIRS.tsv")) else {
        eprintln!("SKIPPED: there is no corpus in {}", folder.display());
        return;
    };
    let probes = match std::env::var("PORTCULLIS_PROBES") {
        Ok(number) => number.parse().expect("PORTCULLIS_PROBES is a number"),
        Err(_) => PROBES,
    };
    let (mut count, mut packets, mut differing, mut equal) = (0, 0, 0, 0);
    let mut cut: Vec<String> = Vec::new();
    for row in pairs.lines() {
        let fields: Vec<&str> = row.split('\t').collect();
        let [name, "iptables-save", "file", _, before, after, ..] = fields.as_slice() else { continue };
        let read = |path: &str| std::fs::read(folder.join(path)).expect("a file that the list of pairs names");
        let mut sources = SourceMap::default();
        let old = sources.add(b"rules", read(before)).expect("small");
        let new = sources.add(b"rules", read(after)).expect("small");
        let mut store = Store::default();
        let input =
            |file| vec![Input { name: "host".into(), format: formats::format("iptables-save"), files: vec![file] }];
        let (base, memo, _) = formats::read(&input(old), &sources, &mut store, None);
        let (head, _, _) = formats::read(&input(new), &sources, &mut store, Some(&memo));
        let change = Change::new(base, head, store);
        let difference = diff::compare(&change);
        count += 1;
        let filters = change.filters();
        for (n, pair) in filters.iter().enumerate() {
            let found = difference.configurations.iter().flat_map(|c| &c.filters).find(|f| f.id == pair.id);
            let none = Found::NONE;
            let (gained, lost) = found.map_or((&none, &none), |f| (&f.newly_allowed, &f.newly_denied));
            for found in [gained, lost].into_iter().filter(|found| !found.complete) {
                assert!(!found.deltas.is_empty(), "{name} {}: too hard", pair.id);
                cut.push(format!("{name} {}", pair.id));
            }
            equal += usize::from(found.is_none());
            let mut probe = Probe::new(&change, pair, [gained, lost], 0x9e37_79b9 + n as u64);
            for _ in 0..probes / filters.len() {
                let Some((packet, truths)) = probe.next() else { break };
                let allowed = |sided: Option<Sided<'_>>| match sided {
                    Some(s) if s.filter.domain.iter().any(|d| d.family() == packet.family) => {
                        diff::trace(&change.store, s, &packet, &truths).answer.allowed
                    }
                    Some(_) | None => pair.absent(),
                };
                let (base, head) = (allowed(pair.base), allowed(pair.head));
                packets += 1;
                differing += usize::from(base != head);
                for (found, differs) in [(gained, !base && head), (lost, base && !head)] {
                    let listed = has(found, &packet, &truths);
                    let right = if found.complete { listed == differs } else { differs || !listed };
                    assert!(right, "{name} {}: listed {listed}, differs {differs}: {packet:?}", pair.id);
                }
            }
            for (found, question) in [(gained, Question::NewlyAllowed), (lost, Question::NewlyDenied)] {
                for delta in found.deltas.iter().take(50) {
                    assert!(diff::witness(&change, pair, delta, question).is_some(), "{name} {}: {delta:?}", pair.id);
                }
            }
        }
    }
    eprintln!(
        "{count} pairs, {packets} packets, {differing} of them decided differently, {equal} filters proved equal; not all listed: {cut:?}"
    );
    assert!(cut.len() <= 4, "{cut:?}");
    assert!(count > 50 && differing > 1000, "the corpus was read");
}

fn has(found: &Found, packet: &Packet, truths: &[Literal]) -> bool {
    let holds = |delta: &diff::Delta| delta.conditions.iter().all(|literal| truths.contains(literal));
    found.deltas.iter().any(|delta| delta.region.contains(packet) && holds(delta))
}

/// Makes packets at the boundaries of rules and of the difference, and truths of the opaque conditions.
struct Probe<'p> {
    change: &'p Change,
    domain: Vec<Region>,
    rules: Vec<RuleId>,
    regions: Vec<&'p Region>,
    opaques: Vec<Literal>,
    state: u64,
}

impl<'p> Probe<'p> {
    fn new(change: &'p Change, pair: &FilterPair<'p>, found: [&'p Found; 2], seed: u64) -> Self {
        let sides: Vec<Sided<'p>> = [pair.base, pair.head].into_iter().flatten().collect();
        let tables = sides.iter().flat_map(|s| s.filter.stages.iter().map(|stage| s.configuration.table(stage.table)));
        let rules = tables.flat_map(|table| &table.chains).flat_map(|chain| chain.rules.iter().copied()).collect();
        let opaque = sides.iter().flat_map(|s| &s.configuration.opaques).map(|(opaque, _)| *opaque);
        let mut opaques: Vec<Literal> = opaque.map(|opaque| Literal { opaque, holds: false }).collect();
        opaques.sort_unstable();
        opaques.dedup();
        let domain = sides.iter().flat_map(|s| s.filter.domain.iter().cloned()).collect();
        let regions = found.iter().flat_map(|f| &f.deltas).map(|delta| &delta.region).collect();
        Self { change, domain, rules, regions, opaques, state: seed | 1 }
    }

    fn random(&mut self, below: usize) -> usize {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        usize::try_from(self.state % below.max(1) as u64).expect("below a usize")
    }

    fn next(&mut self) -> Option<(Packet, Vec<Literal>)> {
        let n = self.random(self.domain.len());
        let domain = self.domain.get(n)?.clone();
        let family = domain.family();
        let mut packet = domain.witness()?;
        let put = |packet: Packet, field: Field, value: u128| {
            let fits = value <= field.max(family) && domain.get(field).is_none_or(|set| set.contains(value));
            if fits { packet.with(field, value) } else { packet }
        };
        let some: Vec<&Region> = self.regions.iter().copied().filter(|r| r.family() == family).collect();
        if !some.is_empty() && self.random(3) == 0 {
            let n = self.random(some.len());
            for (field, set) in some[n].sets() {
                let n = self.random(set.ranges().len());
                let (first, last) = set.ranges().get(n).expect("below the length");
                packet = put(packet, *field, [first, last][self.random(2)]);
            }
        }
        for _ in 0..=self.random(3) {
            let n = self.random(self.rules.len());
            let Some(rule) = self.rules.get(n).copied() else { break };
            let ranges: Vec<(Field, Vec<(u128, u128)>)> = self
                .change
                .store
                .ranges(rule, family)
                .map(|(field, ranges)| (field, ranges.iter().collect()))
                .collect();
            for (field, ranges) in ranges {
                let n = self.random(ranges.len());
                let Some((first, last)) = ranges.get(n).copied() else { continue };
                let ends = [first, last, first.saturating_sub(1), last.saturating_add(1)];
                packet = put(packet, field, ends[[0, 0, 1, 1, 2, 3][self.random(6)]]);
            }
        }
        if self.random(4) == 0 {
            let field = Field::ALL[self.random(Field::COUNT)];
            let value = self.random(70_000) as u128;
            packet = put(packet, field, value);
        }
        let mut truths = self.opaques.clone();
        for literal in &mut truths {
            literal.holds = self.random(3) == 0;
        }
        Some((packet, truths))
    }
}
