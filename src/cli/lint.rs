use super::arguments::{Lint, Outputs, Subject};
use super::check::POLICY;
use super::closure;
use super::judge;
use super::output::Streams;
use super::progress::Progress;
use super::surroundings::Surroundings;
use super::wanted::{Everything, Policed};
use crate::checks::{self, Configured, Context};
use crate::decision::{Case, Cause, Decision, Doubt, FeedOrigin, Origin, PolicyOrigin, decide};
use crate::diff::{Change, Difference};
use crate::facts::{self, Facts};
use crate::formats;
use crate::model::{Snapshot, Store};
use crate::policy::{self, Plan, Policy, Proposal};
use crate::source::{File, Files, Side, SourceError};
use crate::text::SourceMap;

pub(super) fn run(arguments: &Lint, surroundings: &Surroundings, streams: &mut Streams<'_>) -> u8 {
    let Lint { subject, deny_warnings, outputs } = arguments;
    alone(subject, outputs, surroundings, streams, &|read, _, _, talk| {
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

/// Looks at one side: reads it, makes the checks, runs them and answers.
pub(super) fn alone(
    subject: &Subject,
    outputs: &Outputs,
    surroundings: &Surroundings,
    streams: &mut Streams<'_>,
    checks: &Checks<'_>,
) -> u8 {
    let mut sources = SourceMap::default();
    let progress = Progress::new(streams.stderr_is_terminal && !streams.quiet);
    let side = side(subject, surroundings).map_err(|why| vec![judge::doubt(Cause::Source, &why)]);
    let head = side.as_ref().map_or_else(|_| Origin::default(), judge::origin);
    let mut talk = Vec::new();
    let mut used = None;
    let read = side.and_then(|side| {
        let mut read = read(subject, surroundings, &side, &mut sources, &mut used, &mut talk)?;
        let checks = checks(&mut read, &side, &mut sources, &mut talk)?;
        Ok((read, checks))
    });
    let decision = match read {
        Ok((read, checks)) => {
            progress.stage("checking");
            judged(&read, &checks, head, used, &sources)
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
            };
            decide(case, &sources)
        }
    };
    drop(progress);
    for note in talk {
        streams.say(&note);
    }
    let report = decision.report();
    streams.answer(outputs, decision.exit_code(), &|output, style| (output.report)(report, &sources, style))
}

/// Everything that is read before anything is asked.
pub(super) struct Read {
    pub(super) policy: Policy,
    pub(super) checks: Vec<Configured>,
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
        let ((_, inputs), left) = judge::by_file(files, arguments.format.clone(), sources)?;
        talk.extend(judge::left_out(&left));
        if inputs.is_empty() {
            let message = "there is nothing to look at: no file is in a known format".to_owned();
            let help = "name a file that is configuration, or say its format with --format".to_owned();
            return Err(vec![Doubt { cause: Cause::MatchesNothing, message, help, at: None }]);
        }
        let change = one_sided(&inputs, sources);
        return Ok(Read { policy, checks: Vec::new(), plan: Plan::default(), change });
    };
    let id = judge::add(sources, file)?;
    let parsed = policy::parse(id, sources);
    let feeds = judge::feeds([&parsed].into_iter(), side, side)?;
    // One side is looked at alone.
    let published = judge::published(&feeds).into_iter().map(|feed| FeedOrigin { base: None, ..feed });
    *used = Some(PolicyOrigin { feeds: published.collect(), ..origin });
    let (policy, checks) = checks::load(parsed, sources, &judge::format_ids(), &feeds).map_err(judge::policy_doubts)?;
    let files = side.files(&Policed(&policy)).map_err(judge::source_doubts)?;
    let plan = judge::plan(&policy, Vec::new(), files, sources)?;
    let (_, mut inputs) = judge::inputs(&plan);
    closure::of_side(side, &mut inputs, sources)?;
    let change = one_sided(&inputs, sources);
    Ok(Read { policy, checks, plan, change })
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

fn judged(
    Read { policy, checks: _, plan, change }: &Read,
    checks: &[Configured],
    head: Origin,
    used: Option<PolicyOrigin>,
    sources: &SourceMap,
) -> Decision {
    let difference = Difference::default();
    let facts = Facts { now: Some(facts::now()), ..Facts::default() };
    let context =
        Context { change, difference: &difference, policy, proposal: &Proposal::Outside, plan, facts: &facts, sources };
    let findings = checks::run(checks, &context);
    let (base, doubts) = (Origin::none(), Vec::new());
    let judging = Some((policy, &facts));
    let case =
        Case { change, difference: &difference, findings, doubts, base, head, policy: used, names: policy, judging };
    decide(case, sources)
}
