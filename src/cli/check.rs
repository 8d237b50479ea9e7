use super::arguments::{Check, Judging};
use super::audience;
use super::audit;
use super::judge::{self, Judged, Outside, PolicyPath};
use super::notice;
use super::output::Streams;
use super::planned::PlanFile;
use super::progress::Progress;
use super::review::Inquiry;
use super::shard::{self, Shard};
use super::surroundings::Surroundings;
use crate::decision::{Decision, Outcome};
use crate::notify::Message;
use crate::policy::Visibility;
use crate::record::AuditEvent;
use crate::source::{Side, Sides, SourceError};
use crate::text::SourceMap;

/// The name of the policy file at the root of a side.
pub(super) const POLICY: &str = "portcullis.yaml";

pub(super) fn run(check: &Check, surroundings: &Surroundings, streams: &mut Streams<'_>) -> u8 {
    if let (Some(_), Some(variable)) = (check.now, surroundings.job()) {
        let help = "leave --now out: it is for tests of a policy, by hand";
        return streams.error(
            &format!("a gate tells the time by its own clock, and {variable} says that this is one"),
            Some(help),
            2,
        );
    }
    let webhook = match notice::webhook(&check.notice, surroundings, streams) {
        Ok(webhook) => webhook,
        Err(code) => return code,
    };
    let webhook = webhook.filter(|_| check.shard.is_none());
    // At a terminal the names in commits are those of whoever asks; a gate cannot know who wrote them.
    let hearsay = surroundings.job().is_some();
    let (decision, sources, visibility) = match check.shard {
        Some(shard) => judged_part(check, shard, hearsay, surroundings, streams),
        None => {
            let Judged { decision, sources, subject: _, visibility } =
                judged(&check.judging, check.now, hearsay, surroundings, streams);
            (decision, sources, visibility)
        }
    };
    let report = decision.report();
    let code = match decision.outcome() {
        Outcome::NeedsApproval if check.approvals_later => 0,
        Outcome::Pass | Outcome::NeedsApproval | Outcome::Blocked | Outcome::Undecided | Outcome::PolicyError => {
            decision.exit_code()
        }
    };
    let code = audience::answer(&check.reporting, code, report, &sources, visibility, surroundings, streams);
    let event = AuditEvent { event: "check".to_owned(), ..audit::of_report(report) };
    let code = audit::note(&check.log, event, code, surroundings, streams);
    notice::tell(webhook.as_ref(), Message::of("check", report), streams);
    code
}

/// Judges a part of what the command line names.
fn judged_part(
    Check { judging, now, .. }: &Check,
    shard: Shard,
    hearsay: bool,
    surroundings: &Surroundings,
    streams: &Streams<'_>,
) -> (Decision, SourceMap, Option<Visibility>) {
    let progress = Progress::new(streams.stderr_is_terminal && !streams.quiet);
    match sides(judging, surroundings) {
        Ok(sides) => {
            let outside = outside(judging, *now, hearsay, surroundings);
            shard::judge(&sides, &policy(judging, surroundings), shard, &outside, &progress)
        }
        Err(why) => {
            let Judged { decision, sources, subject: _, visibility } = judge::refuse(&why);
            (decision, sources, visibility)
        }
    }
}

fn outside(judging: &Judging, pretended: Option<u64>, hearsay: bool, surroundings: &Surroundings) -> Outside {
    Outside {
        inquiry: Inquiry::new(judging.pull_request, &judging.forge, surroundings),
        now: pretended.unwrap_or_else(|| surroundings.now()),
        pretended: pretended.is_some(),
        hearsay,
        state: judging.state.as_ref().map(|path| surroundings.folder.join(path)),
    }
}

/// Judges what the command line names. `hearsay`: the names in commits are no proof of who made them.
pub(super) fn judged(
    judging: &Judging,
    pretended: Option<u64>,
    hearsay: bool,
    surroundings: &Surroundings,
    streams: &Streams<'_>,
) -> Judged {
    let progress = Progress::new(streams.stderr_is_terminal && !streams.quiet);
    match sides(judging, surroundings) {
        Ok(sides) => {
            let plan = judging.plan.as_ref().map(|path| PlanFile {
                path: surroundings.folder.join(path),
                configuration: judging.configuration.clone(),
                max_age: judging.max_age,
            });
            let outside = outside(judging, pretended, hearsay, surroundings);
            judge::judge(&sides, &policy(judging, surroundings), plan.as_ref(), &outside, &progress)
        }
        Err(why) => judge::refuse(&why),
    }
}

fn sides(judging: &Judging, surroundings: &Surroundings) -> Result<Sides, SourceError> {
    let place = surroundings.place();
    if let (Some(old), Some(new)) = (&judging.old, &judging.new) {
        return Sides::paths(&surroundings.folder.join(old), &surroundings.folder.join(new));
    }
    if let (Some(plan), Some(_)) = (&judging.plan, &judging.policy) {
        // What was in force before it is not at hand; what it was made of may be in the present folder.
        let folder = surroundings.place().folder;
        let (base, head) = (Side::path(&surroundings.folder.join(plan))?, Side::path(&folder)?);
        return Ok(Sides { base, head, authors: None });
    }
    let (staged, base, head) = (judging.sides.staged, &judging.sides.base, &judging.sides.head);
    match base {
        Some(base) => Sides::revisions(&place, base, head.as_deref().unwrap_or("HEAD")),
        None if staged => Sides::staged(&place),
        None => match Sides::of_job(&place, surroundings)? {
            Some(sides) => Ok(sides),
            None => Sides::work_tree(&place, "HEAD"),
        },
    }
}

fn policy(judging: &Judging, surroundings: &Surroundings) -> PolicyPath {
    match (&judging.policy, judging.old.as_ref().or(judging.plan.as_ref())) {
        (Some(path), Some(_)) => PolicyPath::File(surroundings.folder.join(path)),
        (Some(path), None) => {
            let path = path.strip_prefix("./").unwrap_or(path);
            PolicyPath::InBase(path.display().to_string())
        }
        (None, _) => PolicyPath::InBase(POLICY.to_owned()),
    }
}
