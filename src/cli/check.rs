use super::arguments::Check;
use super::judge::{self, Judged, PolicyPath};
use super::output::Streams;
use super::planned::PlanFile;
use super::progress::Progress;
use super::surroundings::Surroundings;
use crate::source::{Side, Sides, SourceError};

/// The name of the policy file at the root of a side.
pub(super) const POLICY: &str = "portcullis.yaml";

pub(super) fn run(check: &Check, surroundings: &Surroundings, streams: &mut Streams<'_>) -> u8 {
    let progress = Progress::new(streams.stderr_is_terminal && !streams.quiet);
    let Judged { decision, sources } = match sides(check, surroundings) {
        Ok(sides) => {
            let plan = check.plan.as_ref().map(|path| PlanFile {
                path: surroundings.folder.join(path),
                configuration: check.configuration.clone(),
                max_age: check.max_age,
            });
            judge::judge(&sides, &policy(check, surroundings), plan.as_ref(), &progress)
        }
        Err(why) => judge::refuse(&why),
    };
    drop(progress);
    let report = decision.report();
    streams.answer(&check.outputs, decision.exit_code(), &|output, style| (output.report)(report, &sources, style))
}

fn sides(check: &Check, surroundings: &Surroundings) -> Result<Sides, SourceError> {
    let place = surroundings.place();
    if let (Some(old), Some(new)) = (&check.old, &check.new) {
        return Sides::paths(&surroundings.folder.join(old), &surroundings.folder.join(new));
    }
    if let (Some(plan), Some(_)) = (&check.plan, &check.policy) {
        // What was in force before it is not at hand; what it was made of may be in the present folder.
        let folder = surroundings.place().folder;
        let (base, head) = (Side::path(&surroundings.folder.join(plan))?, Side::path(&folder)?);
        return Ok(Sides { base, head, authors: None });
    }
    let (staged, base, head) = (check.sides.staged, &check.sides.base, &check.sides.head);
    match base {
        Some(base) => Sides::revisions(&place, base, head.as_deref().unwrap_or("HEAD")),
        None if staged => Sides::staged(&place),
        None => match Sides::of_job(&place, surroundings)? {
            Some(sides) => Ok(sides),
            None => Sides::work_tree(&place, "HEAD"),
        },
    }
}

fn policy(check: &Check, surroundings: &Surroundings) -> PolicyPath {
    match (&check.policy, check.old.as_ref().or(check.plan.as_ref())) {
        (Some(path), Some(_)) => PolicyPath::File(surroundings.folder.join(path)),
        (Some(path), None) => {
            let path = path.strip_prefix("./").unwrap_or(path);
            PolicyPath::InBase(path.display().to_string())
        }
        (None, _) => PolicyPath::InBase(POLICY.to_owned()),
    }
}
