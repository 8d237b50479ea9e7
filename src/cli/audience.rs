//! How much of a report is shown to whoever reads the outputs.

use super::arguments::{Reporting, Target};
use super::output::Streams;
use super::surroundings::Surroundings;
use crate::decision::Report;
use crate::policy::Visibility;
use crate::report::minimal;
use crate::source::{Readers, readers};
use crate::text::SourceMap;

/// Writes a report in every way that was asked for, and gives the exit code. Where strangers read it, the outputs have what
/// strangers may know; the files of `--full-output` have everything.
pub(super) fn answer(
    Reporting { outputs, full }: &Reporting,
    code: u8,
    report: &Report,
    sources: &SourceMap,
    visibility: Option<Visibility>,
    surroundings: &Surroundings,
    streams: &mut Streams<'_>,
) -> u8 {
    let code = match strangers(visibility, surroundings) {
        None => streams.answer(outputs, code, &|output, style| (output.report)(report, sources, style)),
        Some(why) => {
            let (report, nothing) = (minimal(report, &why), SourceMap::default());
            streams.answer(outputs, code, &|output, style| (output.report)(&report, &nothing, style))
        }
    };
    full.iter().fold(code, |code, Target { output, file }| match file {
        None => code,
        Some(file) => streams.private(file, &(output.report)(report, sources, crate::report::Style::PLAIN), code),
    })
}

/// Why strangers may read what is written; `None`: only those do who may know everything. A policy that cannot be read says
/// nothing of it.
fn strangers(visibility: Option<Visibility>, surroundings: &Surroundings) -> Option<String> {
    match visibility {
        Some(Visibility::Full) => return None,
        Some(Visibility::Minimal) => return Some("the policy says so".to_owned()),
        None => {}
    }
    match readers(surroundings) {
        Some(Readers::Members) => None,
        Some(Readers::Strangers(why)) => Some(why),
        // At a terminal it is read by those who have the sources.
        None => surroundings
            .job()
            .map(|name| format!("{name} says that this is a job, and nothing who can read what it writes")),
    }
}
