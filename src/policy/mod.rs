//! The user's policy file: strict reading, with the place of every value. Gives the configurations, the names of
//! sets, and the entries of `checks` with settings that are not read yet.
//!
//! Knows nothing of checks: each reads its own settings with [`Read`]. Reads no files.
//!
//! Composition only ever tightens: the entries of presets and those of the file all run, each on its own, so that
//! an entry can add a finding and never take one away.

mod age;
mod draft;
mod error;
mod expectations;
mod expression;
mod feed;
mod file;
mod foreign;
mod freeze;
mod moment;
mod names;
mod node;
mod pattern;
mod people;
mod plan;
mod presets;
mod proposal;
mod reader;
mod schema;
mod services;
mod terms;
mod unused;
mod waiver;
mod wildcard;
mod yaml;

pub use age::{Age, parse_age};
pub use draft::{Draft, DraftCheck, DraftConfiguration, DraftNetwork, DraftValue};
pub use error::PolicyError;
pub use expectations::{EXPECTED, Expected, expectations, more_checks};
pub use expression::Expression;
pub use feed::{FeedDoubt, FeedFile, FeedUse, Feeds, Publication};
pub use file::{COMMON_KEYS, ConfigurationKeys, Entry, Level, Visibility};
pub use foreign::ForeignTable;
pub use freeze::{Freeze, FreezeWindow};
pub use moment::{Day, Zone, is_over};
pub use names::Names;
pub use node::{Kind, Node, Spanned};
pub use pattern::Pattern;
pub use people::{AccountKeys, ApprovalKeys, PersonKeys, Roster, TeamKeys, most_pairs};
pub use plan::{Attributes, Plan, Planned, Unmatched};
pub use presets::{PRESETS, is_of_preset};
pub use proposal::{KeyChange, Proposal, changes};
pub use reader::{Named, Object, Read, Reader};
pub(crate) use reader::{key, keys, words};
pub use schema::{common, schema};
pub use services::WELL_KNOWN;
pub use terms::{Exceptions, Flow, Flows, Networks, Services};
pub use unused::Unused;
pub use waiver::{Validity, Waiver, WaiverScope, Waivers};
pub use wildcard::Wildcard;

use crate::net::{Family, Naming, Set};
use crate::text::{SourceId, SourceMap, Span};
use file::{File, PlanKeys, ReportKeys};
use std::collections::BTreeSet;
use std::time::Duration;

/// A policy that is well-formed; its checks are configured by the room of the checks.
#[derive(Debug, Clone)]
pub struct Policy {
    /// The file.
    pub source: SourceId,
    /// The configurations in the order of the file.
    pub configurations: Vec<PolicyConfiguration>,
    /// The names of sets.
    pub names: Names,
    /// The entries of `checks`, those of presets first.
    pub entries: Vec<Entry>,
    /// What a change with an effect needs where no rule says it.
    pub approvals: Option<ApprovalKeys>,
    /// The people and teams who answer for the policy; empty: it does not say.
    pub policy_owners: Vec<Spanned<String>>,
    /// Environments, each with the configurations that are in it.
    pub environments: Vec<(Spanned<String>, Vec<Pattern>)>,
    /// Which generation of the policy it is. It only ever grows: where a change is put into force, a review by an earlier
    /// generation than the last one is refused.
    pub epoch: u64,
    /// Findings that somebody answers for.
    pub waivers: Waivers,
    /// How old a plan may be that is judged; `None`: of any age.
    pub max_age: Option<Duration>,
    /// When nothing may change.
    pub freeze: Freeze,
    /// Tables on hosts that other programs own.
    pub foreign_tables: Vec<ForeignTable>,
    /// How much reports tell; `None`: that depends on who reads them.
    pub visibility: Option<Visibility>,
    /// The file as a tree.
    pub root: Node,
}

/// An entry of `configurations`.
#[derive(Debug, Clone)]
pub struct PolicyConfiguration {
    /// Its name.
    pub name: String,
    /// Where the name stands.
    pub at: Span,
    /// Its files.
    pub files: Vec<Pattern>,
    /// Those with the values of its variables, in order.
    pub variables: Vec<Pattern>,
    /// Whether every file is a configuration of its own.
    pub each: bool,
    /// Its format, if given.
    pub format: Option<String>,
}

impl Policy {
    /// The policy of those who have none: it names nothing and demands nothing. `source` is an empty text.
    #[must_use]
    pub fn none(source: SourceId) -> Self {
        let root = Node { span: Span { source, start: 0, end: 0 }, kind: Kind::Map(Vec::new()) };
        Self {
            source,
            configurations: Vec::new(),
            names: Names::default(),
            entries: Vec::new(),
            approvals: None,
            policy_owners: Vec::new(),
            environments: Vec::new(),
            epoch: 0,
            waivers: Waivers::default(),
            max_age: None,
            freeze: Freeze::Never,
            foreign_tables: Vec::new(),
            visibility: None,
            root,
        }
    }

    /// What those have to approve who answer for the policy, if it says who they are.
    #[must_use]
    pub fn owned(&self) -> Option<ApprovalKeys> {
        let from = Some(self.policy_owners.clone()).filter(|owners| !owners.is_empty());
        from.map(|from| ApprovalKeys { count: 1, from: Some(from), distinct_teams: None })
    }

    /// The people, teams and programs that it knows.
    #[must_use]
    pub const fn roster(&self) -> &Roster {
        &self.names.roster
    }

    /// The people that some names of people and teams mean, as far as the policy says who they are; `None`: there may be any number.
    #[must_use]
    pub fn approvers(&self, from: &[Spanned<String>]) -> Option<BTreeSet<&str>> {
        self.names.roster.reachable(from)
    }

    /// The environments that a configuration is in.
    pub fn environments_of<'p>(&'p self, configuration: &str) -> impl Iterator<Item = &'p str> {
        let inside = move |patterns: &[Pattern]| patterns.iter().any(|pattern| pattern.covers(configuration));
        self.environments.iter().filter(move |(_, patterns)| inside(patterns)).map(|(name, _)| name.value.as_str())
    }
}

impl Naming for Policy {
    fn network(&self, family: Family, set: &Set) -> Option<&str> {
        self.names.network(family, set)
    }

    fn service(&self, protocol: u8, ports: &Set) -> Option<&str> {
        self.names.service(protocol, ports)
    }

    fn addresses(&self, name: &str, family: Family) -> Option<Set> {
        self.names.addresses(name, family)
    }

    fn ports(&self, name: &str, protocol: u8) -> Option<Set> {
        self.names.ports(name, protocol)
    }
}

/// The text of a policy as a tree: what it refers to can be fetched before it is read.
#[derive(Debug, Clone)]
pub struct Parsed {
    source: SourceId,
    root: Option<Node>,
    problems: Vec<PolicyError>,
}

/// Makes a tree of the text of a policy.
#[must_use]
pub fn parse(source: SourceId, sources: &SourceMap) -> Parsed {
    let mut problems = Vec::new();
    let root = yaml::parse(source, sources.bytes(source), &mut problems);
    Parsed { source, root, problems }
}

impl Parsed {
    /// The file.
    #[must_use]
    pub const fn source(&self) -> SourceId {
        self.source
    }

    /// It as a file of expectations, of which it is only asked which names it uses.
    #[must_use]
    pub fn expected(&self) -> Option<Expected> {
        self.root.clone().map(Expected)
    }

    /// Every place in which it refers to a feed.
    #[must_use]
    pub fn feeds(&self) -> Vec<FeedUse> {
        self.root.as_ref().map(feed::uses).unwrap_or_default()
    }
}

/// Reads a policy. `formats` are the ids that `format:` may name, `feeds` the files that [`Parsed::feeds`] names. The texts
/// of the presets that it extends are added to `sources`, so that findings can point at them.
///
/// # Errors
/// Everything that is wrong with it.
pub fn load(
    parsed: Parsed,
    sources: &mut SourceMap,
    formats: &[&str],
    feeds: &Feeds,
) -> Result<Policy, Vec<PolicyError>> {
    match read(parsed, sources, formats, feeds) {
        (Some(policy), problems) if problems.is_empty() => Ok(policy),
        (Some(_) | None, problems) => Err(sorted(problems)),
    }
}

/// The same, with what could be read where not everything could: so that more mistakes can be found in it.
pub(crate) fn read(
    parsed: Parsed,
    sources: &mut SourceMap,
    formats: &[&str],
    feeds: &Feeds,
) -> (Option<Policy>, Vec<PolicyError>) {
    let Parsed { source, root, mut problems } = parsed;
    let policy = root.and_then(|root| build(source, root, sources, formats, feeds, &mut problems));
    (policy, problems)
}

/// Problems in the order in which a reader of the file meets them.
pub(crate) fn sorted(mut problems: Vec<PolicyError>) -> Vec<PolicyError> {
    problems.sort_by_key(|problem| (problem.at().source, problem.at().start));
    problems
}

fn build(
    source: SourceId,
    root: Node,
    sources: &mut SourceMap,
    formats: &[&str],
    feeds: &Feeds,
    problems: &mut Vec<PolicyError>,
) -> Option<Policy> {
    version(&root, problems)?;
    let nameless = Names::default();
    let mut reader = Reader::new(&nameless);
    let file = File::read(&root, &mut reader);
    problems.append(&mut reader.problems);
    let File {
        extends,
        configurations,
        networks,
        services,
        checks,
        checked,
        people,
        teams,
        bots,
        approvals,
        policy_owners,
        environments,
        epoch,
        waivers,
        max_waiver_days,
        plan,
        freeze,
        foreign_tables,
        report,
    } = file?;

    let mut names = Names::default();
    names.feeds = feeds.clone();
    for (name, _) in &networks.0 {
        names::reserved(name, false, problems);
    }
    for (name, _) in &services.0 {
        let builtin =
            services::well_known(&name.value).is_some() || !matches!(services::literal(&name.value), Ok(None));
        names::reserved(name, builtin, problems);
    }
    names.define(&networks, &services, problems);
    let nameless = Names::default();
    let mut reader = Reader::new(&nameless);
    let roster = Roster::new(people, teams, bots.unwrap_or_default(), &mut reader);
    problems.append(&mut reader.problems);
    names.roster = roster;
    names.environments = environments.0.iter().map(|(name, _)| name.value.clone()).collect();

    let mut entries = presets::entries(&extends.unwrap_or_default(), sources, problems);
    let mut reader = Reader::new(&names);
    let own: Vec<_> = checks.iter().flatten().filter_map(|node| Entry::read(node, &mut reader)).collect();
    if configurations.as_ref().is_some_and(|named| named.0.is_empty()) {
        let help = "name what is to be judged: `configurations: {edge: {files: [\"edge/*.rules\"]}}`";
        reader.refuse(root.span, "the policy names no configuration", help);
    }
    if checked && checks.is_none() && entries.is_empty() {
        let help = "add `extends: [baseline]`, or `checks:`; a policy without checks lets everything pass";
        reader.refuse(root.span, "the policy has no checks", help);
    }
    twins(&own, &mut reader);
    let approvals = approvals.and_then(|node| ApprovalKeys::read(&node, &mut reader));
    let policy_owners = policy_owners.unwrap_or_default();
    names.roster.know(&policy_owners, &mut reader);
    let waivers = Waivers::read(waivers.as_ref(), max_waiver_days.as_ref(), &mut reader);
    let configurations = configured(configurations.unwrap_or(Named(Vec::new())), formats, &mut reader);
    problems.append(&mut reader.problems);
    entries.extend(own);
    let max_age = plan.and_then(|PlanKeys { max_age }| max_age).map(|Age(most)| most);
    Some(Policy {
        source,
        configurations,
        names,
        entries,
        approvals,
        policy_owners,
        environments: environments.0,
        epoch: epoch.unwrap_or_default(),
        waivers,
        max_age,
        freeze,
        foreign_tables,
        visibility: report.and_then(|ReportKeys { visibility }| visibility),
        root,
    })
}

/// `version: 1` comes before anything else is looked at: another version may mean other things by the same words.
fn version(root: &Node, problems: &mut Vec<PolicyError>) -> Option<()> {
    let names = Names::default();
    let mut reader = Reader::new(&names);
    let mut object = Object::open(root, &mut reader);
    let node = object.as_mut().and_then(|object| object.node("version"));
    let least = object.as_mut().and_then(|object| object.node("min_version"));
    let new_enough = least.is_none_or(|node| new_enough(node, &mut reader));
    problems.append(&mut reader.problems);
    new_enough.then_some(())?;
    object?;
    let at = root.span;
    match node {
        None => problems.push(PolicyError::MissingKey { key: "version", at }),
        Some(Node { kind: Kind::Scalar { text, plain: true }, .. }) if text == "1" => return Some(()),
        Some(node) => problems.push(PolicyError::Version { found: node.show(), at: node.span }),
    }
    None
}

/// Whether this program is as new as the policy needs it: an older one may not guess what a newer policy means.
fn new_enough(node: &Node, reader: &mut Reader<'_>) -> bool {
    let numbers = |text: &str| -> Option<[u64; 3]> {
        let digits = |part: &&str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        let parts: Vec<&str> = text.split('.').collect();
        let numbers: Option<Vec<u64>> = parts.iter().map(|part| digits(part).then(|| part.parse())?.ok()).collect();
        numbers?.try_into().ok()
    };
    let have = env!("CARGO_PKG_VERSION");
    let Some(text) = String::read(node, reader) else { return false };
    match (numbers(&text), numbers(have)) {
        (Some(wanted), Some(mine)) if wanted <= mine => true,
        (Some(_), Some(_)) => {
            reader.problems.push(PolicyError::TooOld { wanted: text, have, at: node.span });
            false
        }
        (None, _) | (_, None) => {
            reader.refuse(node.span, format!("`{text}` is no version"), format!("three numbers, as in {have}"));
            false
        }
    }
}

/// Two entries of one check may not have one name: a waiver or a reader could not tell them apart.
fn twins(entries: &[Entry], reader: &mut Reader<'_>) {
    for (n, entry) in entries.iter().enumerate() {
        let Some(name) = &entry.name else { continue };
        let twin = |other: &Entry| {
            other.check.value == entry.check.value && other.name.as_ref().is_some_and(|other| other.value == name.value)
        };
        if entries.iter().take(n).any(twin) {
            let message = format!("there are two `{}` called `{}`", entry.check.value, name.value);
            reader.refuse(name.span, message, "give one of them another name");
        }
    }
}

fn configured(named: Named<ConfigurationKeys>, formats: &[&str], reader: &mut Reader<'_>) -> Vec<PolicyConfiguration> {
    named
        .0
        .into_iter()
        .map(|(name, keys)| {
            let ConfigurationKeys { files, each, variables, format } = keys;
            if let Some(format) = &format
                && !formats.contains(&format.value.as_str())
            {
                reader.unknown("format", &format.value, formats, format.span);
            }
            PolicyConfiguration {
                name: name.value,
                at: name.span,
                files,
                variables: variables.unwrap_or_default(),
                each: each.unwrap_or(false),
                format: format.map(|format| format.value),
            }
        })
        .collect()
}
