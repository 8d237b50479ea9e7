//! The present state as a policy sees it: the same files on both sides.

use super::arguments::Subject;
use super::check::POLICY;
use super::closure;
use super::expect::Expectations;
use super::judge::{self, PolicyPath};
use super::lint;
use super::start_arguments::PolicySubject;
use super::surroundings::Surroundings;
use super::wanted::Policed;
use crate::checks::{self, Configured, Context, Finding};
use crate::decision::{Case, Cause, Decision, Doubt, Origin, PolicyOrigin, WaiverState, decide};
use crate::diff::{self, Change, Difference};
use crate::facts::{self, Facts};
use crate::formats::{self, Input};
use crate::model::Store;
use crate::policy::{self, Expected, Feeds, Plan, Policy, PolicyError, Proposal};
use crate::source::{File, Side};
use crate::text::{SourceId, SourceMap};
use std::collections::BTreeSet;

/// The present state and its policy.
pub(super) struct Present {
    pub(super) policy: Policy,
    pub(super) checks: Vec<Configured>,
    pub(super) feeds: Feeds,
    pub(super) plan: Plan,
    pub(super) change: Change,
    /// The main files of each configuration, as they were read.
    pub(super) inputs: Vec<Input>,
    pub(super) expected: Vec<Expected>,
    facts: Facts,
    difference: Difference,
}

/// Why it is not known.
pub(super) enum Unknown {
    /// The policy is in error.
    Policy(Vec<PolicyError>),
    /// There is none, or files cannot be read.
    Doubts(Vec<Doubt>),
}

impl From<Vec<Doubt>> for Unknown {
    fn from(doubts: Vec<Doubt>) -> Self {
        Self::Doubts(doubts)
    }
}

impl Present {
    pub(super) fn context<'c>(&'c self, sources: &'c SourceMap) -> Context<'c> {
        Context {
            change: &self.change,
            difference: &self.difference,
            policy: &self.policy,
            proposal: &Proposal::Unchanged,
            plan: &self.plan,
            facts: &self.facts,
            sources,
        }
    }

    /// What the checks say of a change that changes nothing.
    pub(super) fn findings(&self, sources: &SourceMap) -> Vec<Finding> {
        checks::run(&self.checks, &self.context(sources))
    }

    /// The waivers that accept something of what is there, whatever changes.
    pub(super) fn accepted(&self, sources: &SourceMap) -> Result<BTreeSet<String>, Unknown> {
        if self.policy.waivers.list.is_empty() {
            return Ok(BTreeSet::new());
        }
        let (decision, _) = self.alone(sources)?;
        let used = decision.report().waivers.iter().filter(|waiver| waiver.state == WaiverState::Used);
        Ok(used.map(|waiver| waiver.id.clone()).collect())
    }

    /// What is said of one side for itself, as by `lint`.
    pub(super) fn alone(&self, sources: &SourceMap) -> Result<(Decision, Vec<Finding>), Unknown> {
        let mut store = Store::default();
        let (head, _, _) = formats::read(&self.inputs, sources, &mut store, None);
        let (change, difference) = (Change::alone(head, store), Difference::default());
        let all = checks::configure(&self.policy).map_err(Unknown::Policy)?;
        let (one_sided, _) = checks::alone(all, &self.policy);
        let context = Context { change: &change, difference: &difference, ..self.context(sources) };
        let findings = checks::run(&one_sided, &context);
        let case = Case {
            change: &change,
            difference: &difference,
            findings: findings.clone(),
            doubts: Vec::new(),
            base: Origin::none(),
            head: Origin::default(),
            policy: None,
            names: &self.policy,
            judging: Some((&self.policy, &self.facts)),
            spanning: &[],
            proposed: None,
        };
        Ok((decide(case, sources), findings))
    }
}

/// The side that is named, and where its policy is.
pub(super) fn side(subject: &PolicySubject, surroundings: &Surroundings) -> Result<(Side, PolicyPath), Unknown> {
    let PolicySubject { rev, path, policy, output: _ } = subject;
    let whole = Subject { rev: rev.clone(), path: path.clone(), policy: None, format: None };
    let side = lint::side(&whole, surroundings).map_err(|why| vec![judge::doubt(Cause::Source, &why)])?;
    let policy = match (path, policy) {
        (Some(_), Some(file)) => PolicyPath::File(surroundings.folder.join(file)),
        (None, Some(file)) => PolicyPath::InBase(file.strip_prefix("./").unwrap_or(file).display().to_string()),
        (_, None) => PolicyPath::InBase(POLICY.to_owned()),
    };
    Ok((side, policy))
}

/// The policy of a side.
pub(super) fn policy_of(side: &Side, path: &PolicyPath) -> Result<(File, PolicyOrigin), Unknown> {
    let file = match path {
        PolicyPath::File(_) => judge::policy_file(side, path)?,
        PolicyPath::InBase(name) => side.file(name).map_err(judge::source_doubts)?.ok_or_else(|| {
            let message = format!("there is no policy: no file `{name}` in {}", side.describe());
            let help = "`portcullis init` writes one; if it is called otherwise, name it with --policy".to_owned();
            vec![Doubt { cause: Cause::Policy, message, help, at: None }]
        })?,
    };
    let origin = judge::policy_origin(&file, side, path);
    Ok((file, origin))
}

/// Reads a side as its policy sees it.
pub(super) fn read(side: &Side, policy: SourceId, sources: &mut SourceMap) -> Result<Present, Unknown> {
    let parsed = policy::parse(policy, sources);
    let feeds = judge::feeds([&parsed].into_iter(), side, side)?;
    let (policy, checks) = checks::load(parsed, sources, &judge::format_ids(), &feeds).map_err(Unknown::Policy)?;
    let files = side.files(&Policed(&policy)).map_err(judge::source_doubts)?;
    let mut named = Vec::new();
    for file in files {
        named.push((file.path.clone(), judge::add(sources, file)?));
    }
    let named: Vec<(&[u8], SourceId)> = named.iter().map(|(path, id)| (path.as_slice(), *id)).collect();
    let plan = policy.plan(&named, &named);
    let (_, mut inputs) = judge::inputs(&plan);
    closure::of_side(side, &mut inputs, sources)?;
    let both = (inputs.clone(), inputs);
    let change = judge::both(&both, sources);
    let (_, inputs) = both;
    let difference = diff::compare(&change);
    let facts = Facts { now: Some(facts::now()), ..Facts::default() };
    let mut expected = Vec::new();
    // Which names are used is all that is asked of them: what cannot be read uses none.
    for file in side.readable(&Expectations).0 {
        let id = judge::add(sources, file)?;
        expected.extend(policy::parse(id, sources).expected());
    }
    Ok(Present { policy, checks, feeds, plan, change, inputs, expected, facts, difference })
}
