//! What is there, read once, and what a mistake makes of it.

use crate::checks::{self, Configured};
use crate::cli::closure;
use crate::cli::judge::{self, Asked, Matter, PolicyPath, Read};
use crate::cli::wanted::Policed;
use crate::decision::{ChangeKind, Decision, Doubt, LocationSide, Origin, PolicyOrigin, Report};
use crate::diff::{self, Change, Difference};
use crate::facts::{Facts, Seen};
use crate::formats::{self, Input, Memo};
use crate::model::{Snapshot, Store};
use crate::mutants::{self, Edit, Site};
use crate::policy::{self, Feeds, Plan, Policy, Proposal};
use crate::source::{File, Side};
use crate::text::{SourceId, SourceMap};
use std::collections::{BTreeMap, BTreeSet};

/// Who makes the changes: somebody, and no program.
const AUTHOR: &str = "portcullis simulate";

/// What is there.
pub(super) struct Ground {
    pub(super) sources: SourceMap,
    pub(super) used: PolicyOrigin,
    policy: SourceId,
    proposal: Proposal,
    /// The lists that the policy refers to.
    feeds: BTreeMap<String, SourceId>,
    /// What the policy names, and what that includes.
    files: BTreeMap<SourceId, File>,
    /// Those that the policy names.
    claimed: Vec<SourceId>,
    inputs: Vec<Input>,
    /// Configurations that share files are of one group.
    groups: Vec<Group>,
    snapshot: Snapshot,
    store: Store,
    memo: Memo,
    /// The same on both sides.
    identity: Read,
    /// The present instant, the same for all.
    now: u64,
}

/// Configurations, and the files that no other one has.
#[derive(Default)]
struct Group {
    names: BTreeSet<String>,
    files: BTreeSet<SourceId>,
}

/// What a mistake makes of it.
pub(super) struct Mutated {
    pub(super) decision: Decision,
    /// `None`: it cannot even be read.
    pub(super) read: Option<(Read, Difference)>,
    pub(super) sources: SourceMap,
    /// The file in which the mistake is.
    pub(super) file: SourceId,
    /// Whether that is one of the configurations, and no list of the policy.
    configured: bool,
}

impl Ground {
    /// Reads a side.
    pub(super) fn read(side: &Side, path: &PolicyPath, now: u64, shown: &mut SourceMap) -> Result<Self, Vec<Doubt>> {
        let mut sources = SourceMap::default();
        let read = Self::of(side, path, &mut sources);
        // What is wrong is told by the texts that it is wrong in.
        *shown = sources.fork();
        let (mut ground, plan) = read?;
        let (base, head, store) = (ground.snapshot.clone(), ground.snapshot.clone(), ground.store.clone());
        ground.identity.change = Change::new(base, head, store);
        ground.identity.plan = plan;
        ground.sources = sources;
        ground.now = now;
        Ok(ground)
    }

    fn of(side: &Side, path: &PolicyPath, sources: &mut SourceMap) -> Result<(Self, Plan), Vec<Doubt>> {
        let file = judge::policy_file(side, path)?;
        let mut used = judge::policy_origin(&file, side, path);
        let source = judge::add(sources, file)?;
        let proposal = match path {
            PolicyPath::InBase(_) => Proposal::Unchanged,
            PolicyPath::File(_) => Proposal::Outside,
        };
        let parsed = policy::parse(source, sources);
        let mut files = BTreeMap::new();
        let mut feeds = BTreeMap::new();
        let mut known: BTreeMap<Vec<u8>, SourceId> = BTreeMap::new();
        for feed in parsed.feeds() {
            if let Some(file) = side.file(&feed.path).map_err(judge::source_doubts)? {
                let id = match known.get(&file.path) {
                    Some(id) => *id,
                    None => judge::add(sources, file.clone())?,
                };
                known.insert(file.path, id);
                feeds.insert(feed.path, id);
            }
        }
        let mut published = Feeds::default();
        for feed in parsed.feeds() {
            let text = feeds.get(&feed.path).map(|id| sources.bytes(*id));
            published.add(&feed.path, text, text);
        }
        used.feeds = judge::published(&published);
        let loaded = checks::load(parsed, sources, &judge::format_ids(), &published);
        let (policy, checks) = loaded.map_err(judge::policy_doubts)?;
        let mut claimed = Vec::new();
        for file in side.files(&Policed(&policy)).map_err(judge::source_doubts)? {
            // The text is kept once, with the others.
            let File { path, name, bytes: _, executable } = &file;
            let bare = File { path: path.clone(), name: name.clone(), bytes: Vec::new(), executable: *executable };
            let id = match known.get(&file.path) {
                Some(id) => *id,
                None => judge::add(sources, file)?,
            };
            claimed.push(id);
            files.insert(id, bare);
        }
        let named = named(&claimed, &files);
        let plan = policy.plan(&named, &named);
        let mut inputs = judge::inputs(&plan).1;
        let mut groups: Vec<Group> = inputs
            .iter()
            .map(|Input { name, format: _, files }| Group {
                names: BTreeSet::from([name.clone()]),
                files: files.iter().copied().collect(),
            })
            .collect();
        closure::of_side(side, &mut inputs, sources)?;
        for group in &mut groups {
            let included: Vec<SourceId> = group.files.iter().flat_map(|main| sources.included(*main)).collect();
            group.files.extend(included);
        }
        for file in groups.iter().flat_map(|group| &group.files) {
            // Their names are their paths: only a single file is called otherwise.
            let name = sources.name(*file).as_bytes().to_vec();
            let executable = sources.is_executable(*file);
            files.entry(*file).or_insert_with(|| File { path: name.clone(), name, bytes: Vec::new(), executable });
        }
        let mut store = Store::default();
        let (snapshot, memo, _) = formats::read(&inputs, sources, &mut store, None);
        let identity = Read {
            policy,
            feeds: published,
            checks,
            proposal: proposal.clone(),
            plan: Plan::default(),
            change: Change::default(),
            opened: Vec::new(),
        };
        let groups = together(groups);
        let ground = Self {
            sources: SourceMap::default(),
            used,
            policy: source,
            proposal,
            feeds,
            files,
            claimed,
            inputs,
            groups,
            snapshot,
            store,
            memo,
            identity,
            now: 0,
        };
        Ok((ground, plan))
    }

    /// Where mistakes can be made.
    pub(super) fn sites(&self) -> Vec<Site> {
        let mut files: BTreeSet<SourceId> = self.groups.iter().flat_map(|group| group.files.iter().copied()).collect();
        files.extend(self.feeds.values());
        let files: Vec<SourceId> = files.into_iter().collect();
        let configurations = self.snapshot.configurations().iter().map(|configuration| &**configuration);
        mutants::sites(configurations, &files, &self.store, &self.sources)
    }

    /// What the policy says of no change at all.
    pub(super) fn unchanged(&self) -> Decision {
        let difference = diff::compare(&self.identity.change);
        self.conclude(&self.identity, &self.identity.checks, &difference, &self.sources)
    }

    /// Whether a check has nothing to say of no change at all.
    pub(super) fn is_content(&self, checks: &[Configured], sources: &SourceMap) -> bool {
        let difference = diff::compare(&self.identity.change);
        let decision = self.conclude(&self.identity, checks, &difference, sources);
        let Report { findings, doubts, .. } = decision.report();
        findings.is_empty() && doubts.is_empty()
    }

    /// The gaps that are there without any mistake.
    fn gaps(&self) -> usize {
        self.snapshot.gaps().len()
    }

    /// Judges as `check` does: what is there is base, and what the mistake makes of it is head.
    pub(super) fn conclude(
        &self,
        read: &Read,
        checks: &[Configured],
        difference: &Difference,
        sources: &SourceMap,
    ) -> Decision {
        let origin = || Origin { source: "files".to_owned(), revision: None };
        let used = Some(self.used.clone());
        let facts = Facts { authors: Some(vec![AUTHOR.to_owned()]), now: Some(self.now), ..Facts::default() };
        let matter = Matter { difference, base: origin(), head: origin(), used, facts };
        let nobody = Asked { seen: &|_| Seen::Unasked, reviewed: &|| None };
        judge::conclude(read, checks, matter, &nobody, sources)
    }

    /// Makes a mistake and judges it.
    pub(super) fn mutated(&self, edit: &Edit) -> Mutated {
        let mut sources = self.sources.fork();
        let file = edit.file();
        let configured = self.files.contains_key(&file);
        match self.read_mutated(edit, &mut sources) {
            Ok(read) => {
                let difference = diff::compare(&read.change);
                let decision = self.conclude(&read, &read.checks, &difference, &sources);
                Mutated { decision, read: Some((read, difference)), sources, file, configured }
            }
            Err(doubts) => {
                let origin = Origin { source: "files".to_owned(), revision: None };
                let used = Some(self.used.clone());
                let decision = judge::undecided(doubts, origin.clone(), origin, used, &sources);
                Mutated { decision, read: None, sources, file, configured }
            }
        }
    }

    fn read_mutated(&self, edit: &Edit, sources: &mut SourceMap) -> Result<Read, Vec<Doubt>> {
        let file = edit.file();
        let text = |id: SourceId| match edit {
            Edit::Lost(_) if id == file => None,
            Edit::Text(_, text) if id == file => Some(text.as_slice()),
            Edit::Lost(_) | Edit::Text(..) => Some(self.sources.bytes(id)),
        };
        let mut feeds = Feeds::default();
        for (path, id) in &self.feeds {
            feeds.add(path, Some(self.sources.bytes(*id)), text(*id));
        }
        let parsed = policy::parse(self.policy, sources);
        let loaded = checks::load(parsed, sources, &judge::format_ids(), &feeds);
        let (policy, checks) = loaded.map_err(judge::policy_doubts)?;
        // Everything that shares files with what is changed is read again; the rest is as it was read.
        let nothing = Group::default();
        let group = self.groups.iter().find(|group| group.files.contains(&file)).unwrap_or(&nothing);
        let (mut ids, mut around) = (BTreeMap::new(), Vec::new());
        for id in &group.files {
            let Some(text) = text(*id) else { continue };
            let Some(known) = self.files.get(id) else { continue };
            let file = File { bytes: text.to_vec(), ..known.clone() };
            ids.insert(*id, judge::add(sources, file.clone())?);
            around.push(file);
        }
        let head: Vec<(&[u8], SourceId)> = named(&self.claimed, &self.files)
            .into_iter()
            .zip(&self.claimed)
            .filter_map(|((path, _), id)| match group.files.contains(id) {
                true => ids.get(id).map(|id| (path, *id)),
                false => Some((path, *id)),
            })
            .collect();
        let plan = policy.plan(&named(&self.claimed, &self.files), &head);
        let (mut again, mut inputs) = (Vec::new(), Vec::new());
        for input in judge::inputs(&plan).1 {
            if group.names.contains(&input.name) {
                again.push(input);
            } else {
                inputs.extend(self.inputs.iter().find(|known| known.name == input.name).cloned());
            }
        }
        closure::of_side(&Side::given(around), &mut again, sources)?;
        inputs.append(&mut again);
        let mut store = self.store.clone();
        let (snapshot, _, _) = formats::read(&inputs, sources, &mut store, Some(&self.memo));
        let change = Change::new(self.snapshot.clone(), snapshot, store);
        Ok(Read { policy, feeds, checks, proposal: self.proposal.clone(), plan, change, opened: Vec::new() })
    }

    /// The policy that judges.
    pub(super) fn policy(&self) -> &Policy {
        &self.identity.policy
    }
}

impl Mutated {
    /// Whether less of it is understood than was before.
    pub(super) fn is_less_readable(&self, ground: &Ground) -> bool {
        let report = self.decision.report();
        self.read.is_none() || report.gaps.iter().filter(|gap| gap.side == LocationSide::Head).count() > ground.gaps()
    }

    /// Whether it is proved that every packet and every request fares as before.
    pub(super) fn has_no_effect(&self, ground: &Ground) -> bool {
        let same = |change: &ChangeKind| matches!(change, ChangeKind::Unchanged | ChangeKind::Equivalent);
        self.configured
            && !ground.feeds.values().any(|feed| *feed == self.file)
            && !self.is_less_readable(ground)
            && self.decision.report().configurations.iter().all(|configuration| same(&configuration.change))
    }
}

/// Groups that share a file are one.
fn together(groups: Vec<Group>) -> Vec<Group> {
    let mut out: Vec<Group> = Vec::new();
    for mut group in groups {
        let shares = |other: &mut Group| !other.files.is_disjoint(&group.files);
        let shared: Vec<Group> = out.extract_if(.., shares).collect();
        for other in shared {
            group.names.extend(other.names);
            group.files.extend(other.files);
        }
        out.push(group);
    }
    out
}

fn named<'f>(claimed: &[SourceId], files: &'f BTreeMap<SourceId, File>) -> Vec<(&'f [u8], SourceId)> {
    claimed.iter().filter_map(|id| Some((files.get(id)?.path.as_slice(), *id))).collect()
}
