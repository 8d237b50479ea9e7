//! Configurations with one mistake in them, as texts: what a person who slips, a script that got an empty answer or a
//! file that was cut off would leave behind.
//!
//! Where mistakes can be made is known from the model, which says where everything stands; what they make of the text is
//! up to the text alone, so that every format has them and its reader is what judges. Knows nothing of policies.

mod edits;
mod scan;

pub use edits::{Edit, attempts};

use crate::model::{Action, Chain, Configuration, LISTENERS, Store};
use crate::text::{SourceId, SourceMap, Span};
use std::collections::BTreeSet;

/// A kind of mistake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// A rule is not there any more.
    DeletedRule,
    /// A prefix is wider, or a single address is a prefix.
    WidenedPrefix,
    /// Two neighbouring rules stand in the other order.
    SwappedOrder,
    /// A list, or a chain, is empty.
    EmptiedList,
    /// Only the first half of a list, or of a chain, is there.
    TruncatedList,
    /// A file is there and empty.
    EmptiedFile,
    /// Only the first half of the lines of a file is there.
    TruncatedFile,
    /// A file is not there any more.
    LostFile,
    /// A server is not in its backend any more.
    RemovedServer,
    /// A server gets no more requests.
    ZeroWeight,
    /// A route is not there any more.
    RemovedRoute,
}

impl Kind {
    /// All of them, in the order in which they are reported.
    pub const ALL: [Self; 11] = [
        Self::DeletedRule,
        Self::WidenedPrefix,
        Self::SwappedOrder,
        Self::EmptiedList,
        Self::TruncatedList,
        Self::EmptiedFile,
        Self::TruncatedFile,
        Self::LostFile,
        Self::RemovedServer,
        Self::ZeroWeight,
        Self::RemovedRoute,
    ];

    /// Its name on command lines and in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::DeletedRule => "deleted-rule",
            Self::WidenedPrefix => "widened-prefix",
            Self::SwappedOrder => "swapped-order",
            Self::EmptiedList => "emptied-list",
            Self::TruncatedList => "truncated-list",
            Self::EmptiedFile => "emptied-file",
            Self::TruncatedFile => "truncated-file",
            Self::LostFile => "lost-file",
            Self::RemovedServer => "removed-server",
            Self::ZeroWeight => "zero-weight",
            Self::RemovedRoute => "removed-route",
        }
    }

    /// Whether what it leaves behind is still a text of its format. What it leaves of files may be none, as in life.
    #[must_use]
    pub const fn keeps_form(self) -> bool {
        match self {
            Self::DeletedRule
            | Self::WidenedPrefix
            | Self::SwappedOrder
            | Self::EmptiedList
            | Self::TruncatedList
            | Self::RemovedServer
            | Self::ZeroWeight
            | Self::RemovedRoute => true,
            Self::EmptiedFile | Self::TruncatedFile | Self::LostFile => false,
        }
    }
}

/// A place at which a mistake can be made.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Site {
    /// Which one.
    pub kind: Kind,
    /// Where: the rule, the prefix, what is in a list, the whole file.
    pub at: Span,
    /// What it is made with.
    pub with: With,
}

/// What else belongs to the place of a mistake.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum With {
    /// Nothing.
    Alone,
    /// The rule that it is swapped with, which stands behind it.
    Next(Span),
    /// The entries that go, which stand apart: the rules of a chain.
    Entries(Vec<Span>),
}

/// Every place at which a mistake can be made in some configurations and in lists of theirs, in order.
///
/// `files` are all that is read: those of the configurations, what these include, and the lists that a policy refers to.
#[must_use]
pub fn sites<'c>(
    configurations: impl Iterator<Item = &'c Configuration>,
    files: &[SourceId],
    store: &Store,
    sources: &SourceMap,
) -> Vec<Site> {
    let mut sites = BTreeSet::new();
    for configuration in configurations {
        rules(configuration, store, sources, &mut sites);
        balancers(configuration, &mut sites);
    }
    for file in files {
        of_file(*file, sources, &mut sites);
    }
    sites.into_iter().collect()
}

/// At most `limit` of them, so that each kind has its share and the places of a kind are spread over all of them.
#[must_use]
pub fn chosen(sites: Vec<Site>, limit: usize) -> Vec<Site> {
    if sites.len() <= limit {
        return sites;
    }
    let count = |kind: Kind| sites.iter().filter(|site| site.kind == kind).count();
    let mut kinds: Vec<(usize, Kind)> = Kind::ALL.into_iter().map(|kind| (count(kind), kind)).collect();
    // Kinds with few places leave room for the others.
    kinds.sort_unstable();
    let (mut left, mut wanted) = (limit, BTreeSet::new());
    for (n, (count, kind)) in kinds.iter().enumerate() {
        let share = (left / (kinds.len() - n)).min(*count);
        left -= share;
        wanted.extend((0..share).map(|place| (*kind, place * count / share)));
    }
    let (mut seen, mut last) = (0, None);
    let mut keep = |site: &Site| {
        seen = if last == Some(site.kind) { seen + 1 } else { 0 };
        last = Some(site.kind);
        wanted.contains(&(site.kind, seen))
    };
    sites.into_iter().filter(|site| keep(site)).collect()
}

/// How many prefixes of a place are widened.
enum Most {
    All,
    /// The first, one in the middle and the last.
    Some,
}

fn rules(configuration: &Configuration, store: &Store, sources: &SourceMap, sites: &mut BTreeSet<Site>) {
    for table in configuration.tables.iter().filter(|table| table.name != LISTENERS) {
        for chain in &table.chains {
            let lines: Vec<_> = chain.origins.lines().filter(|(at, _)| is_written(chain, *at)).collect();
            for (at, _) in &lines {
                sites.insert(Site { kind: Kind::DeletedRule, at: *at, with: With::Alone });
                prefixes(*at, sources, Most::All, sites);
            }
            for ((first, mine), (second, others)) in lines.iter().zip(lines.iter().skip(1)) {
                let decide = |rules: &std::ops::Range<usize>, action| {
                    chain
                        .rules
                        .get(rules.clone())
                        .is_some_and(|all| all.iter().all(|id| store.get(*id).action() == action))
                };
                // What decides alike may stand in any order.
                let alike = |action| decide(mine, action) && decide(others, action);
                if first.source == second.source
                    && first.end <= second.start
                    && !alike(Action::Accept)
                    && !alike(Action::Deny)
                {
                    sites.insert(Site { kind: Kind::SwappedOrder, at: *first, with: With::Next(*second) });
                }
            }
            let places: Vec<Span> = lines.iter().map(|(at, _)| *at).collect();
            let apart = places.is_sorted_by(|a, b| a.source == b.source && a.end <= b.start);
            if let ([first, _, ..], true) = (places.as_slice(), apart) {
                let second_half = places.iter().skip(places.len().div_ceil(2)).copied().collect();
                sites.insert(Site { kind: Kind::EmptiedList, at: *first, with: With::Entries(places.clone()) });
                sites.insert(Site { kind: Kind::TruncatedList, at: *first, with: With::Entries(second_half) });
            }
        }
    }
}

/// Whether a line is one that somebody wrote: what a reader adds by itself stands where a chain is declared.
fn is_written(chain: &Chain, at: Span) -> bool {
    chain.declared != Some(at) && at.start < at.end
}

fn balancers(configuration: &Configuration, sites: &mut BTreeSet<Site>) {
    let mut add = |kind, at: Span| {
        if at.start < at.end {
            sites.insert(Site { kind, at, with: With::Alone });
        }
    };
    for server in configuration.backends.iter().flat_map(|backend| &backend.servers) {
        add(Kind::RemovedServer, server.origin);
        if server.serves() != Some(false) {
            add(Kind::ZeroWeight, server.origin);
        }
    }
    for route in configuration.listeners.iter().flat_map(|listener| &listener.routes) {
        add(Kind::RemovedRoute, route.origin);
    }
}

fn prefixes(within: Span, sources: &SourceMap, most: Most, sites: &mut BTreeSet<Site>) {
    let found = scan::prefixes(sources.slice(within));
    let wanted = |n: usize| match most {
        Most::All => true,
        Most::Some => n == 0 || n == found.len() / 2 || n + 1 == found.len(),
    };
    for (_, range) in found.iter().enumerate().filter(|(n, _)| wanted(*n)) {
        let at = Span { source: within.source, start: within.start + range.0, end: within.start + range.1 };
        sites.insert(Site { kind: Kind::WidenedPrefix, at, with: With::Alone });
    }
}

fn of_file(file: SourceId, sources: &SourceMap, sites: &mut BTreeSet<Site>) {
    let text = sources.bytes(file);
    let end = u32::try_from(text.len()).expect("sources are smaller than 4 GiB");
    let at = Span { source: file, start: 0, end };
    sites.insert(Site { kind: Kind::LostFile, at, with: With::Alone });
    if text.trim_ascii().is_empty() {
        return;
    }
    sites.insert(Site { kind: Kind::EmptiedFile, at, with: With::Alone });
    if scan::half(text).is_some() {
        sites.insert(Site { kind: Kind::TruncatedFile, at, with: With::Alone });
    }
    for (start, end) in scan::lists(text) {
        let at = Span { source: file, start, end };
        sites.insert(Site { kind: Kind::EmptiedList, at, with: With::Alone });
        sites.insert(Site { kind: Kind::TruncatedList, at, with: With::Alone });
        prefixes(at, sources, Most::Some, sites);
    }
}
