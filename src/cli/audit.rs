use super::output::Streams;
use super::record_arguments::{AuditCommand, AuditVerify, Log};
use super::surroundings::Surroundings;
use crate::decision::{Outcome, Report};
use crate::record::{self, Audit, AuditError, AuditEvent, Torn};
use crate::source::Variables as _;
use miette::Diagnostic;

pub(super) fn run(
    AuditCommand::Verify(arguments): &AuditCommand,
    surroundings: &Surroundings,
    streams: &mut Streams<'_>,
) -> u8 {
    let AuditVerify { log, expect_head } = arguments;
    let bytes = match std::fs::read(surroundings.folder.join(log)) {
        Ok(bytes) => bytes,
        Err(why) => {
            let help = "name the file that --audit named";
            return streams.error(&format!("`{}` cannot be read: {why}", log.display()), Some(help), 3);
        }
    };
    let audited = match record::verify_log(&bytes) {
        Ok(audited) => audited,
        Err(why) => return refused(&why, 1, streams),
    };
    for head in expect_head {
        if let Err(why) = audited.expect(head) {
            return refused(&why, 1, streams);
        }
    }
    let torn =
        |Torn { bytes, sha256: _ }: &Torn| format!("torn: {bytes} bytes were not written to the end of their line\n");
    let torn: String =
        audited.entries.iter().filter_map(|entry| entry.torn.as_ref()).chain(&audited.torn).map(torn).collect();
    let text = format!(
        "{torn}{} entries, each follows from the one before it\nhead {}\n",
        audited.entries.len(),
        audited.head()
    );
    streams.data(&text, 0)
}

/// Takes hold of the log, if there is to be one.
pub(super) fn open(Log { audit }: &Log, surroundings: &Surroundings) -> Result<Option<Audit>, AuditError> {
    audit.as_ref().map(|path| Audit::open(&surroundings.folder.join(path))).transpose()
}

/// Writes an event down, if there is to be a log, and gives the exit code: nothing passes that is not written down.
pub(super) fn note(
    log: &Log,
    event: AuditEvent,
    code: u8,
    surroundings: &Surroundings,
    streams: &mut Streams<'_>,
) -> u8 {
    match open(log, surroundings) {
        Ok(log) => append(log, event, code, surroundings, streams),
        Err(why) => unwritten(&why, code, streams),
    }
}

/// The same for a log that is at hand.
pub(super) fn append(
    log: Option<Audit>,
    event: AuditEvent,
    code: u8,
    surroundings: &Surroundings,
    streams: &mut Streams<'_>,
) -> u8 {
    let Some(log) = log else { return code };
    match log.append(AuditEvent { host: host(surroundings), actor: actor(surroundings), ..event }) {
        Ok(_) => code,
        Err(why) => unwritten(&why, code, streams),
    }
}

/// Says that something could not be written down.
pub(super) fn unwritten(why: &AuditError, code: u8, streams: &mut Streams<'_>) -> u8 {
    refused(why, if code == 0 { 3 } else { code }, streams)
}

/// What a report says, as an event.
pub(super) fn of_report(report: &Report) -> AuditEvent {
    AuditEvent {
        outcome: record::word(report.decision).to_owned(),
        why: why(report),
        policy: report.policy.as_ref().map(|policy| policy.sha256.clone()),
        report: Some(record::digest(crate::report::json::render(report).as_bytes())),
        ..AuditEvent::default()
    }
}

/// The first reason that stands against a pass.
fn why(report: &Report) -> Option<String> {
    if report.decision == Outcome::Pass {
        return None;
    }
    let finding = report.findings.iter().find(|finding| finding.outcome >= crate::decision::Consequence::NeedsApproval);
    let finding = finding.map(|finding| format!("{}: {}", finding.check, finding.message));
    let doubt = report.doubts.first().map(|doubt| doubt.message.clone());
    finding.or(doubt).or_else(|| report.gaps.first().map(|gap| gap.reason.clone()))
}

fn refused(why: &AuditError, code: u8, streams: &mut Streams<'_>) -> u8 {
    streams.error(&why.to_string(), why.help().map(|help| help.to_string()).as_deref(), code)
}

fn host(surroundings: &Surroundings) -> String {
    let kernel = || std::fs::read_to_string("/proc/sys/kernel/hostname").map(|name| name.trim().to_owned());
    let names = ["HOSTNAME", "COMPUTERNAME"].iter().find_map(|name| surroundings.get(name));
    names.or_else(|| kernel().ok()).unwrap_or_else(|| "unknown".to_owned())
}

fn actor(surroundings: &Surroundings) -> String {
    let names = ["GITHUB_ACTOR", "GITLAB_USER_LOGIN", "SUDO_USER", "USER", "USERNAME"];
    names.iter().find_map(|name| surroundings.get(name)).unwrap_or_else(|| "unknown".to_owned())
}
