//! `portcullis simulate`: mistakes that a policy would let through.

mod advice;
mod arguments;
mod ground;
mod show;

pub(in crate::cli) use arguments::Simulate;

use super::judge;
use super::output::Streams;
use super::progress::Progress;
use super::surroundings::Surroundings;
use crate::decision::{Cause, Doubt, Outcome};
use crate::mutants::{self, Site};
use crate::source::Side;
use crate::text::SourceMap;
use arguments::SimulateOutput;
use ground::Ground;
use show::{Fate, MutantReport, Simulation};
use std::num::NonZero;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

pub(super) fn run(arguments: &Simulate, surroundings: &Surroundings, streams: &mut Streams<'_>) -> u8 {
    let progress = Progress::new(streams.stderr_is_terminal && !streams.quiet);
    let mut sources = SourceMap::default();
    let simulated = simulate(arguments, surroundings, &progress, &mut sources);
    drop(progress);
    match simulated {
        Ok(simulation) => {
            if simulation.cut() {
                streams.say(&format!(
                    "note: {} of {} places were mutated; --limit says how many",
                    simulation.judged, simulation.places
                ));
            }
            let code = u8::from(simulation.passed > arguments.allow);
            let text = match arguments.output {
                SimulateOutput::Text => show::text(&simulation, arguments.allow),
                SimulateOutput::Json => show::json(&simulation),
            };
            streams.data(&text, code)
        }
        Err(doubts) => streams.doubts(&doubts, &sources),
    }
}

fn simulate(
    arguments: &Simulate,
    surroundings: &Surroundings,
    progress: &Progress,
    sources: &mut SourceMap,
) -> Result<Simulation, Vec<Doubt>> {
    let Simulate { rev, path, policy, limit, kinds, approved, allow: _, output: _ } = arguments;
    let place = surroundings.place();
    let side = match (path, rev) {
        (Some(path), _) => Side::path(&surroundings.folder.join(path)),
        (None, Some(revision)) => Side::revision_of(&place, revision),
        (None, None) => Side::work_tree(&place),
    };
    let side = side.map_err(|why| vec![judge::doubt(Cause::Source, &why)])?;
    if side.is_file() {
        let help = "name the folder that it is in, with a policy that says which files are judged";
        let message = format!("{} is a file", side.describe());
        return Err(vec![Doubt { cause: Cause::Source, message, help: help.to_owned(), at: None }]);
    }
    let policy = match (path, policy) {
        (Some(_), Some(file)) => judge::PolicyPath::File(surroundings.folder.join(file)),
        (None, Some(file)) => judge::PolicyPath::InBase(file.strip_prefix("./").unwrap_or(file).display().to_string()),
        (_, None) => judge::PolicyPath::InBase(super::check::POLICY.to_owned()),
    };
    let ground = Ground::read(&side, &policy, surroundings.now(), sources)?;
    progress.stage("judging what is there");
    sound(&ground)?;
    let mut sites = ground.sites();
    if !kinds.is_empty() {
        sites.retain(|site| kinds.iter().any(|kind| kind.0 == site.kind));
    }
    let places = sites.len();
    let sites = mutants::chosen(sites, *limit);
    let mutants = in_parallel(&sites, progress, |site| mutant(&ground, site, *approved));
    Ok(Simulation::new(judge::origin(&side), ground.used.clone(), places, *limit, *approved, mutants))
}

/// What is there has to pass: where it does not, no mistake would, and nothing could be learnt from that.
fn sound(ground: &Ground) -> Result<(), Vec<Doubt>> {
    let decision = ground.unchanged();
    if decision.outcome() == Outcome::Pass {
        return Ok(());
    }
    let report = decision.report();
    let mut why: Vec<String> = report.doubts.iter().map(|doubt| doubt.message.clone()).collect();
    why.extend(report.findings.iter().map(|finding| format!("{}: {}", finding.check, finding.message)));
    why.extend(report.gaps.iter().map(|gap| format!("{}:{}: {}", gap.location.path, gap.location.line, gap.reason)));
    why.dedup();
    let more = if why.len() > 3 { format!(" and {} more", why.len() - 3) } else { String::new() };
    let why = why.iter().take(3).cloned().collect::<Vec<_>>().join("; ");
    let message = format!("what is there does not pass its own policy, so that no mistake would either: {why}{more}");
    let help = "run `portcullis lint`, correct what it says, and simulate then".to_owned();
    Err(vec![Doubt { cause: Cause::MatchesNothing, message, help, at: None }])
}

/// Makes a mistake and judges what it leaves behind.
fn mutant(ground: &Ground, site: &Site, approved: bool) -> MutantReport {
    let mut fate = Fate::Unreadable;
    for edit in mutants::attempts(site, &ground.sources) {
        let mutated = ground.mutated(&edit);
        if site.kind.keeps_form() && mutated.is_less_readable(ground) {
            continue;
        }
        if mutated.has_no_effect(ground) {
            fate = Fate::Equivalent;
            continue;
        }
        let outcome = mutated.decision.outcome();
        let passes = outcome == Outcome::Pass || (approved && outcome == Outcome::NeedsApproval);
        fate = if passes {
            Fate::Passed(advice::survived(ground, &mutated, approved))
        } else {
            Fate::stopped(&mutated.decision)
        };
        break;
    }
    MutantReport::new(site, fate, &ground.sources)
}

/// What becomes of each item, in their order, whichever thread has it.
fn in_parallel<T: Sync, R: Send>(items: &[T], progress: &Progress, one: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let threads = thread::available_parallelism().map_or(1, NonZero::get).min(items.len().max(1));
    let (next, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let results = Mutex::new(Vec::with_capacity(items.len()));
    let work = || {
        while let Some((n, item)) = {
            let n = next.fetch_add(1, Ordering::Relaxed);
            items.get(n).map(|item| (n, item))
        } {
            let result = one(item);
            results.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push((n, result));
            progress.step("judging mistakes", done.fetch_add(1, Ordering::Relaxed) + 1, items.len());
        }
    };
    thread::scope(|scope| {
        for _ in 1..threads {
            scope.spawn(work);
        }
        work();
    });
    let mut results = results.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    results.sort_by_key(|(n, _)| *n);
    results.into_iter().map(|(_, result)| result).collect()
}
