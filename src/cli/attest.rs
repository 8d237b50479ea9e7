use super::arguments::{Judging, Reporting};
use super::audience;
use super::audit;
use super::check;
use super::closure;
use super::judge::{Judged, Subject};
use super::notice;
use super::output::Streams;
use super::record_arguments::{About, Attest, BreakGlassArguments};
use super::surroundings::Surroundings;
use crate::facts::now;
use crate::notify::Message;
use crate::record::{
    Artifact, AuditEvent, BREAK_GLASS_LIMIT, BreakGlass, Circumstances, Envelope, PAYLOAD_TYPE, PolicyText, Review,
    Signer, digest,
};
use crate::source::write_atomically;
use crate::text::{SourceMap, escape};
use miette::Diagnostic;
use std::path::Path;
use std::time::Duration;

/// What is to be recorded.
struct Recording<'a> {
    judging: &'a Judging,
    about: &'a About,
    record: &'a Path,
    reporting: &'a Reporting,
    expires: Duration,
    settles: &'a [String],
    break_glass: Option<BreakGlass>,
}

/// What has to be said of a record that is made.
#[derive(Clone, Copy)]
struct MadeFor<'a> {
    key: &'a Path,
    repository: &'a str,
    target_ref: &'a str,
    environment: &'a str,
    sequence: u64,
}

impl<'a> MadeFor<'a> {
    fn of(about: &'a About) -> Result<Self, (String, Option<String>)> {
        let About { key, repository, target_ref, environment, sequence, log: _, notice: _ } = about;
        if let (Some(key), Some(repository), Some(target_ref), Some(environment), Some(sequence)) =
            (key, repository, target_ref, environment, sequence)
        {
            return Ok(Self { key, repository, target_ref, environment, sequence: *sequence });
        }
        let missing = [
            ("--key", key.is_none()),
            ("--repository", repository.is_none()),
            ("--target-ref", target_ref.is_none()),
            ("--environment", environment.is_none()),
            ("--sequence", sequence.is_none()),
        ];
        let names: Vec<&str> = missing.into_iter().filter(|(_, missing)| *missing).map(|(name, _)| name).collect();
        let help = "a record says for what and by whom it is made: see --help".to_owned();
        Err((format!("a record cannot be made without {}", names.join(", ")), Some(help)))
    }
}

pub(super) fn run(attest: &Attest, surroundings: &Surroundings, streams: &mut Streams<'_>) -> u8 {
    let Attest { judging, about, record, expires, settles, add_signature, signed_bytes, reporting } = attest;
    match (signed_bytes, record, add_signature) {
        (Some(record), _, _) => signed(record, surroundings, streams),
        (None, Some(record), Some(signature)) => add(record, signature, surroundings, streams),
        (None, Some(record), None) => {
            let (expires, break_glass) = (*expires, None);
            make(&Recording { judging, about, record, reporting, expires, settles, break_glass }, surroundings, streams)
        }
        (None, None, _) => streams.error("it is not said where the record goes", Some("add --record FILE"), 2),
    }
}

pub(super) fn break_glass(
    arguments: &BreakGlassArguments,
    surroundings: &Surroundings,
    streams: &mut Streams<'_>,
) -> u8 {
    let BreakGlassArguments { judging, about, record, incident, reason, expires, reporting } = arguments;
    if expires.as_secs() > BREAK_GLASS_LIMIT {
        return streams.error("glass is broken for 4 hours at most", Some("give less to --expires"), 2);
    }
    let break_glass = Some(BreakGlass { incident: incident.clone(), reason: reason.clone() });
    let (expires, settles) = (*expires, &[][..]);
    make(&Recording { judging, about, record, reporting, expires, settles, break_glass }, surroundings, streams)
}

/// Judges, and writes a record if it may.
fn make(recording: &Recording<'_>, surroundings: &Surroundings, streams: &mut Streams<'_>) -> u8 {
    let Recording { judging, about, record, reporting, expires: _, settles: _, break_glass } = recording;
    let (signer, made_for) = match MadeFor::of(about).and_then(|made| Ok((signer(made.key, surroundings)?, made))) {
        Ok(both) => both,
        Err((message, help)) => return streams.error(&message, help.as_deref(), 2),
    };
    let webhook = match notice::webhook(&about.notice, surroundings, streams) {
        Ok(webhook) => webhook,
        Err(code) => return code,
    };
    let Judged { decision, sources, subject, visibility } = check::judged(judging, None, true, surroundings, streams);
    let report = decision.report();
    let code = decision.exit_code();
    let answered = audience::answer(reporting, code, report, &sources, visibility, surroundings, streams);
    let name = if break_glass.is_some() { "break-glass" } else { "attest" };
    let message = match break_glass {
        None => Message::of(name, report),
        Some(BreakGlass { incident, reason }) => {
            let sentence = format!("{incident}: {reason}");
            Some(Message::sentence(name, crate::record::word(report.decision), Some(made_for.environment), &sentence))
        }
    };
    notice::tell(webhook.as_ref(), message, streams);
    let mut log = match audit::open(&about.log, surroundings) {
        Ok(log) => log,
        Err(why) => return audit::unwritten(&why, code, streams),
    };
    let event =
        AuditEvent { event: name.to_owned(), environment: about.environment.clone(), ..audit::of_report(report) };
    let head = log.as_ref().map(crate::record::Audit::head);
    let circumstances = subject.map(|subject| circumstances(recording, made_for, subject, head, &sources)).transpose();
    let review = match circumstances {
        Ok(circumstances) => {
            let json = crate::report::json::render(report);
            circumstances.and_then(|circumstances| Review::of(report, &json, circumstances))
        }
        Err((message, help)) => return streams.error(&message, Some(&help), 3),
    };
    let Some(review) = review else {
        streams.say(&format!("no record is made: the decision is `{}`", crate::record::word(report.decision)));
        let code = if answered == 0 { 3 } else { answered };
        return audit::append(log.take(), event, code, surroundings, streams);
    };
    // Of a change that passed but that nobody could be told of there is none either.
    if break_glass.is_none() && answered != 0 {
        return audit::append(log.take(), event, answered, surroundings, streams);
    }
    let mut envelope = Envelope::new(PAYLOAD_TYPE, &review.to_payload());
    if let Err(why) = envelope.sign(&signer) {
        return streams.error(&why.to_string(), None, 3);
    }
    let bytes = envelope.to_bytes();
    let closure = review.closure().digest();
    let event = AuditEvent { closure: Some(closure.clone()), record: Some(digest(&bytes)), ..event };
    let code = audit::append(log.take(), event, 0, surroundings, streams);
    if code != 0 {
        return code;
    }
    if let Err(why) = write_atomically(&surroundings.folder.join(record), &bytes) {
        return streams.error(&format!("the record `{}` cannot be written: {why}", record.display()), None, 3);
    }
    let what = if break_glass.is_some() { "instead of a review" } else { "of the review" };
    streams.say(&format!(
        "{}: the record {what} of {} files, number {}, for {} until {}, signed by {}",
        record.display(),
        review.files.len(),
        review.sequence,
        review.environment,
        review.not_after,
        signer.public()
    ));
    0
}

fn circumstances(
    recording: &Recording<'_>,
    made_for: MadeFor<'_>,
    subject: Subject,
    audit_head: Option<String>,
    sources: &SourceMap,
) -> Result<Circumstances, (String, String)> {
    let Recording { judging: _, about: _, record: _, reporting: _, expires, settles, break_glass } = recording;
    let MadeFor { key: _, repository, target_ref, environment, sequence } = made_for;
    let Subject { policy, epoch, tree, artifact, opened, is_file } = subject;
    if artifact == Artifact::Tree && is_file {
        let help = "give folders to --old and --new: where it is put into force, files have to be found by their paths";
        return Err(("a record is of a tree, not of a single file".to_owned(), help.to_owned()));
    }
    let closure = closure::bound(artifact, &opened, sources).map_err(|doubts| {
        let doubt = doubts.into_iter().next();
        doubt.map_or_else(|| ("files cannot be bound".to_owned(), String::new()), |doubt| (doubt.message, doubt.help))
    })?;
    if closure.is_empty() {
        return Err((
            "a record of no file cannot be made".to_owned(),
            "the policy names no file that is there".to_owned(),
        ));
    }
    let text = std::str::from_utf8(sources.bytes(policy))
        .map_err(|_| ("the policy is not UTF-8".to_owned(), "write it again".to_owned()))?;
    let files = Review::files_of(&closure)
        .map_err(|path| (format!("the name `{}` is not UTF-8", escape(&path)), "rename the file".to_owned()))?;
    Ok(Circumstances {
        repository: repository.to_owned(),
        target_ref: target_ref.to_owned(),
        environment: environment.to_owned(),
        merge_tree: tree,
        policy: PolicyText {
            path: sources.name(policy).to_owned(),
            epoch,
            sha256: digest(text.as_bytes()),
            text: text.to_owned(),
        },
        artifact,
        files,
        break_glass: break_glass.clone(),
        settles: settles.to_vec(),
        sequence,
        now: now(),
        expires: expires.as_secs(),
        audit_head,
    })
}

pub(super) fn signer(key: &Path, surroundings: &Surroundings) -> Result<Signer, (String, Option<String>)> {
    let text = std::fs::read_to_string(surroundings.folder.join(key))
        .map_err(|why| (format!("the key `{}` cannot be read: {why}", key.display()), None))?;
    Signer::read(&text).map_err(|why| {
        let message = format!("`{}`: {why}", key.display());
        (message, why.help().map(|help| help.to_string()))
    })
}

/// Prints what signatures of a record are over.
fn signed(record: &Path, surroundings: &Surroundings, streams: &mut Streams<'_>) -> u8 {
    let envelope = match envelope(record, surroundings, streams) {
        Ok(envelope) => envelope,
        Err(code) => return code,
    };
    match envelope.signed_bytes() {
        Some(bytes) => streams.bytes(&bytes, 0),
        None => streams.error(&format!("`{}` is not a record", record.display()), None, 1),
    }
}

/// Adds a signature that was made by `ssh-keygen`.
fn add(record: &Path, signature: &Path, surroundings: &Surroundings, streams: &mut Streams<'_>) -> u8 {
    let mut envelope = match envelope(record, surroundings, streams) {
        Ok(envelope) => envelope,
        Err(code) => return code,
    };
    let bytes = match std::fs::read(surroundings.folder.join(signature)) {
        Ok(bytes) => bytes,
        Err(why) => return streams.error(&format!("`{}` cannot be read: {why}", signature.display()), None, 3),
    };
    let key = match envelope.add(&bytes) {
        Ok(key) => key,
        Err(why) => {
            let help =
                "sign what `portcullis attest --signed-bytes RECORD` prints, with `ssh-keygen -Y sign -n portcullis`";
            return streams.error(&why.to_string(), Some(help), 1);
        }
    };
    match write_atomically(&surroundings.folder.join(record), &envelope.to_bytes()) {
        Ok(()) => {
            streams.say(&format!("{}: signed by {key} as well", record.display()));
            0
        }
        Err(why) => streams.error(&format!("the record `{}` cannot be written: {why}", record.display()), None, 3),
    }
}

fn envelope(record: &Path, surroundings: &Surroundings, streams: &mut Streams<'_>) -> Result<Envelope, u8> {
    let bytes = std::fs::read(surroundings.folder.join(record))
        .map_err(|why| streams.error(&format!("the record `{}` cannot be read: {why}", record.display()), None, 3))?;
    Envelope::read(&bytes)
        .map_err(|why| streams.error(&why.to_string(), why.help().map(|help| help.to_string()).as_deref(), 1))
}
