use super::arguments::Reporting;
use super::judge;
use super::notice::{self, Notice};
use super::output::Streams;
use super::record_arguments::Log;
use super::surroundings::Surroundings;
use super::{audience, audit};
use crate::decision::{self, Cause, Doubt, Joined, Origin, Report};
use crate::notify::Message;
use crate::record::AuditEvent;
use crate::report::json;
use crate::source::{MAX_FILE_BYTES, read_at_most};
use crate::text::SourceMap;
use clap::Args;
use std::path::PathBuf;

/// Join the reports of all parts of one run into one, and decide
#[derive(Debug, Args)]
#[command(after_help = "\
The report is the one that `check` without --shard would have given. It passes only if every part is there, once, of the
same revisions, policy and files, written by this version of the program and not changed since.
Exit codes are those of check; 3 where the parts do not make a whole.

Examples:
  portcullis check --base origin/main --shard 1/2 --output json=1.json   on one machine, whatever its exit code
  portcullis check --base origin/main --shard 2/2 --output json=2.json   on another one
  portcullis merge 1.json 2.json
  portcullis merge reports/*.json --output text --output sarif=report.sarif --output html=report.html")]
pub(super) struct Merge {
    /// The JSON reports of all parts
    #[arg(value_name = "REPORT", required = true)]
    reports: Vec<PathBuf>,
    #[command(flatten)]
    log: Log,
    #[command(flatten)]
    notice: Notice,
    #[command(flatten)]
    reporting: Reporting,
}

pub(super) fn run(merge: &Merge, surroundings: &Surroundings, streams: &mut Streams<'_>) -> u8 {
    let webhook = match notice::webhook(&merge.notice, surroundings, streams) {
        Ok(webhook) => webhook,
        Err(code) => return code,
    };
    let joined = read(merge, surroundings).and_then(decision::merge);
    let (decision, sources, visibility) = match joined {
        Ok(Joined { decision, sources, visibility }) => (decision, sources, visibility),
        Err(doubts) => {
            let sources = SourceMap::default();
            (judge::undecided(doubts, Origin::default(), Origin::default(), None, &sources), sources, None)
        }
    };
    let report = decision.report();
    let code = decision.exit_code();
    let code = audience::answer(&merge.reporting, code, report, &sources, visibility, surroundings, streams);
    let event = AuditEvent { event: "merge".to_owned(), ..audit::of_report(report) };
    let code = audit::note(&merge.log, event, code, surroundings, streams);
    notice::tell(webhook.as_ref(), Message::of("merge", report), streams);
    code
}

fn read(merge: &Merge, surroundings: &Surroundings) -> Result<Vec<(String, Report)>, Vec<Doubt>> {
    let mut reports = Vec::new();
    let mut doubts = Vec::new();
    for path in &merge.reports {
        let name = path.display().to_string();
        // One that is larger is cut, and no report any more.
        let report = read_at_most(&surroundings.folder.join(path), MAX_FILE_BYTES)
            .map_err(|why| format!("`{name}` cannot be read: {why}"))
            .and_then(|text| json::read(&text).map_err(|why| format!("`{name}` cannot be joined: {why}")));
        match report {
            Ok(report) => reports.push((name, report)),
            Err(message) => {
                let help = "judge this part again, and hand over the file as it is".to_owned();
                doubts.push(Doubt { cause: Cause::Incomplete, message, help, at: None });
            }
        }
    }
    if doubts.is_empty() { Ok(reports) } else { Err(doubts) }
}
