use super::arguments::{Lint, Reporting, Subject};
use super::audience;
use super::check::POLICY;
use super::closure;
use super::judge;
use super::output::Streams;
use super::progress::Progress;
use super::surroundings::Surroundings;
use super::wanted::{Everything, Policed};
use crate::checks::{self, Configured, Context, Finding};
use crate::decision::{
    Case, Cause, Decision, Doubt, Expectation, FeedOrigin, Origin, PolicyOrigin, decide, fingerprint,
};
use crate::diff::{Change, Difference};
use crate::facts::Facts;
use crate::formats;
use crate::model::{Snapshot, Store};
use crate::policy::{self, Plan, Policy, Proposal};
use crate::source::{File, Files, Side, SourceError};
use crate::text::SourceMap;
use std::collections::BTreeMap;

pub(super) fn run(arguments: &Lint, surroundings: &Surroundings, streams: &mut Streams<'_>) -> u8 {
    let Lint { subject, deny_warnings, only_new, base, reporting } = arguments;
    let known = only_new.then(|| base.as_deref().unwrap_or("HEAD"));
    alone(subject, known, reporting, surroundings, streams, &|read, _, _, talk| {
        let (mut checks, left) = checks::alone(std::mem::take(&mut read.checks), &read.policy);
        if *deny_warnings {
            checks::deny_warnings(&mut checks);
        }
        if !left.is_empty() {
            talk.push(format!("note: not asked, because they are about changes: {}", left.join(", ")));
        }
        Ok(checks)
    })
}

/// Looks at one side: reads it, makes the checks, runs them and answers. What they say of the revision `known` too, if
/// there is one, is left out.
pub(super) fn alone(
    subject: &Subject,
    known: Option<&str>,
    reporting: &Reporting,
    surroundings: &Surroundings,
    streams: &mut Streams<'_>,
    checks: &Checks<'_>,
) -> u8 {
    let mut sources = SourceMap::default();
    let progress = Progress::new(streams.stderr_is_terminal && !streams.quiet);
    let side = side(subject, surroundings).map_err(|why| vec![judge::doubt(Cause::Source, &why)]);
    let head = side.as_ref().map_or_else(|_| Origin::default(), judge::origin);
    let mut talk = Vec::new();
    let (mut used, mut visibility) = (None, None);
    let read = side.and_then(|side| {
        let mut read = read(subject, surroundings, &side, &mut sources, &mut used, &mut talk)?;
        visibility = read.policy.visibility;
        let checks = checks(&mut read, &side, &mut sources, &mut talk)?;
        let known = match known {
            Some(revision) => Some(fingerprints(&read, &checks, revision, surroundings, &mut sources)?),
            None => None,
        };
        Ok((read, checks, known))
    });
    let decision = match read {
        Ok((read, checks, known)) => {
            progress.stage("checking");
            let (decision, left) = judged(&read, &checks, known, facts(surroundings), head, used, &sources);
            if left > 0 {
                let s = if left == 1 { "" } else { "s" };
                talk.push(format!(
                    "note: {left} finding{s} that base has too {} not shown",
                    if left == 1 { "is" } else { "are" }
                ));
            }
            if read.expectations.is_empty() { decision } else { decision.expecting(&read.expectations, &sources) }
        }
        Err(doubts) => {
            let (change, difference, findings) =
                (Change::alone(Snapshot::default(), Store::default()), Difference::default(), Vec::new());
            let policy = Policy::none(judge::nothing(&mut sources));
            let case = Case {
                change: &change,
                difference: &difference,
                findings,
                doubts,
                base: Origin::none(),
                head,
                policy: used,
                names: &policy,
                judging: None,
                spanning: &[],
                proposed: None,
            };
            decide(case, &sources)
        }
    };
    drop(progress);
    for note in talk {
        streams.say(&note);
    }
    let report = decision.report();
    audience::answer(reporting, decision.exit_code(), report, &sources, visibility, surroundings, streams)
}

/// Everything that is read before anything is asked.
pub(super) struct Read {
    pub(super) policy: Policy,
    pub(super) checks: Vec<Configured>,
    /// What is expected, for `test`.
    pub(super) expectations: Vec<Expectation>,
    plan: Plan,
    change: Change,
}

/// Makes the checks that are asked of what was read, which may take more files in, and say something.
pub(super) type Checks<'c> =
    dyn Fn(&mut Read, &Side, &mut SourceMap, &mut Vec<String>) -> Result<Vec<Configured>, Vec<Doubt>> + 'c;

/// The side that is looked at.
pub(super) fn side(arguments: &Subject, surroundings: &Surroundings) -> Result<Side, SourceError> {
    let place = surroundings.place();
    match (&arguments.path, &arguments.rev) {
        (Some(path), _) => Side::path(&surroundings.folder.join(path)),
        (None, Some(revision)) => Side::revision_of(&place, revision),
        (None, None) => Side::work_tree(&place),
    }
}

fn read(
    arguments: &Subject,
    surroundings: &Surroundings,
    side: &Side,
    sources: &mut SourceMap,
    used: &mut Option<PolicyOrigin>,
    talk: &mut Vec<String>,
) -> Result<Read, Vec<Doubt>> {
    let Some((file, origin)) = policy_file(arguments, surroundings, side)? else {
        let policy = Policy::none(judge::nothing(sources));
        let files = Files { base: Vec::new(), head: side.files(&Everything).map_err(judge::source_doubts)? };
        let ((_, mut inputs), left) = judge::by_file(files, arguments.format.clone(), sources)?;
        talk.extend(judge::left_out(&left));
        if inputs.is_empty() {
            let message = "there is nothing to look at: no file is in a known format".to_owned();
            let help = "name a file that is configuration, or say its format with --format".to_owned();
            return Err(vec![Doubt { cause: Cause::MatchesNothing, message, help, at: None }]);
        }
        closure::of_side(side, &mut inputs, sources)?;
        let change = one_sided(&inputs, sources);
        let (checks, expectations) = (Vec::new(), Vec::new());
        return Ok(Read { policy, checks, expectations, plan: Plan::default(), change });
    };
    let id = judge::add(sources, file)?;
    let parsed = policy::parse(id, sources);
    let feeds = judge::feeds([&parsed].into_iter(), side, side)?;
    // One side is looked at alone.
    let published = judge::published(&feeds).into_iter().map(|feed| FeedOrigin { base: None, ..feed });
    *used = Some(PolicyOrigin { feeds: published.collect(), ..origin });
    let (policy, checks) = checks::load(parsed, sources, &judge::format_ids(), &feeds).map_err(judge::policy_doubts)?;
    let (plan, change) = policed(&policy, side, sources)?;
    Ok(Read { policy, checks, expectations: Vec::new(), plan, change })
}

/// What a policy is about on a side.
fn policed(policy: &Policy, side: &Side, sources: &mut SourceMap) -> Result<(Plan, Change), Vec<Doubt>> {
    let files = side.files(&Policed(policy)).map_err(judge::source_doubts)?;
    let plan = judge::plan(policy, Vec::new(), files, sources)?;
    let (_, mut inputs) = judge::inputs(&plan);
    closure::of_side(side, &mut inputs, sources)?;
    let change = one_sided(&inputs, sources);
    Ok((plan, change))
}

/// How often a finding is there, by its fingerprint.
type Known = BTreeMap<String, usize>;

/// What the same checks say of a revision.
fn fingerprints(
    Read { policy, checks: _, expectations: _, plan: _, change: _ }: &Read,
    checks: &[Configured],
    revision: &str,
    surroundings: &Surroundings,
    sources: &mut SourceMap,
) -> Result<Known, Vec<Doubt>> {
    let side = Side::revision_of(&surroundings.place(), revision);
    let side = side.map_err(|why| vec![judge::doubt(Cause::Source, &why)])?;
    let (plan, change) = policed(policy, &side, sources)?;
    let mut known = Known::new();
    for finding in found(policy, checks, &plan, &change, &facts(surroundings), sources) {
        *known.entry(fingerprint(&finding, &change.store)).or_default() += 1;
    }
    Ok(known)
}

fn facts(surroundings: &Surroundings) -> Facts {
    Facts { now: Some(surroundings.now()), ..Facts::default() }
}

fn found(
    policy: &Policy,
    checks: &[Configured],
    plan: &Plan,
    change: &Change,
    facts: &Facts,
    sources: &SourceMap,
) -> Vec<Finding> {
    let (difference, proposal) = (&Difference::default(), &Proposal::Outside);
    checks::run(checks, &Context { change, difference, policy, proposal, plan, facts, sources })
}

/// The policy, if there is to be one.
fn policy_file(
    arguments: &Subject,
    surroundings: &Surroundings,
    side: &Side,
) -> Result<Option<(File, PolicyOrigin)>, Vec<Doubt>> {
    let path = match (&arguments.path, &arguments.policy) {
        (Some(_), None) => return Ok(None),
        (Some(_), Some(file)) => judge::PolicyPath::File(surroundings.folder.join(file)),
        (None, policy) => {
            let path = policy.as_deref().map(|path| path.strip_prefix("./").unwrap_or(path).display().to_string());
            let path = path.unwrap_or_else(|| POLICY.to_owned());
            if side.file(&path).map_err(judge::source_doubts)?.is_none() {
                let message = format!("there is no policy: no file `{path}` in {}", side.describe());
                let help = "name it with --policy; to look at files without one, use --path FILE or --path FOLDER";
                return Err(vec![Doubt { cause: Cause::Policy, message, help: help.to_owned(), at: None }]);
            }
            judge::PolicyPath::InBase(path)
        }
    };
    let file = judge::policy_file(side, &path)?;
    let origin = judge::policy_origin(&file, side, &path);
    Ok(Some((file, origin)))
}

fn one_sided(inputs: &[formats::Input], sources: &SourceMap) -> Change {
    let mut store = Store::default();
    let (head, _, _) = formats::read(inputs, sources, &mut store, None);
    Change::alone(head, store)
}

/// The decision, without what is known, and how much that is. What could not be found out is told again.
fn judged(
    Read { policy, checks: _, expectations: _, plan, change }: &Read,
    checks: &[Configured],
    known: Option<Known>,
    facts: Facts,
    head: Origin,
    used: Option<PolicyOrigin>,
    sources: &SourceMap,
) -> (Decision, usize) {
    let difference = Difference::default();
    let mut findings = found(policy, checks, plan, change, &facts, sources);
    let all = findings.len();
    if let Some(mut known) = known {
        findings.retain(|finding| match known.get_mut(&fingerprint(finding, &change.store)) {
            Some(left) if *left > 0 && finding.undecided.is_none() => {
                *left -= 1;
                false
            }
            Some(_) | None => true,
        });
    }
    let left = all - findings.len();
    let (base, doubts) = (Origin::none(), Vec::new());
    let judging = Some((policy, &facts));
    let case = Case {
        change,
        difference: &difference,
        findings,
        doubts,
        base,
        head,
        policy: used,
        names: policy,
        judging,
        spanning: &[],
        proposed: None,
    };
    (decide(case, sources), left)
}
