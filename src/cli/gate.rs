use super::audit;
use super::closure;
use super::judge;
use super::notice;
use super::output::Streams;
use super::record_arguments::Gate;
use super::surroundings::Surroundings;
use super::wanted::{Everything, Policed};
use crate::decision::{Cause, Doubt};
use crate::facts::now;
use crate::notify::Message;
use crate::record::{
    self, Admission, Artifact, AuditEvent, Closure, Environment, Held, Opened, Review, Roots, RootsError, State,
};
use crate::source::{File, Side};
use crate::text::{SourceId, SourceMap, escape};
use miette::Diagnostic;
use std::path::Path;

/// Why nothing is put into force.
enum Stop {
    /// The first step that failed, and the exit code.
    Diagnosed(Box<dyn Diagnostic>, u8),
    /// Files could not be read.
    Doubts(Vec<Doubt>, SourceMap),
    /// Something else could not be read or written.
    Message(String),
}

/// What was found out on the way.
#[derive(Default)]
struct Trail {
    environment: Option<String>,
    policy: Option<String>,
    report: Option<String>,
    closure: Option<String>,
    record: Option<String>,
}

pub(super) fn run(gate: &Gate, surroundings: &Surroundings, streams: &mut Streams<'_>) -> u8 {
    let webhook = match notice::webhook(&gate.notice, surroundings, streams) {
        Ok(webhook) => webhook,
        Err(code) => return code,
    };
    let mut message = None;
    let code = decide(gate, surroundings, streams, &mut message);
    notice::tell(webhook.as_ref(), message, streams);
    code
}

/// Decides, writes that down, and says what people have to be told.
fn decide(gate: &Gate, surroundings: &Surroundings, streams: &mut Streams<'_>, message: &mut Option<Message>) -> u8 {
    let mut trail = Trail::default();
    // The log is held first: two gates write down what they did in the order in which they did it.
    let log = match audit::open(&gate.log, surroundings) {
        Ok(log) => log,
        Err(why) => return audit::unwritten(&why, 3, streams),
    };
    let passed = pass(gate, surroundings, &mut trail);
    let (outcome, why) = match &passed {
        Ok(_) => ("pass", None),
        Err(Stop::Diagnosed(why, code)) => (if *code == 1 { "refused" } else { "undecided" }, Some(why.to_string())),
        Err(Stop::Doubts(doubts, _)) => ("undecided", doubts.first().map(|doubt| doubt.message.clone())),
        Err(Stop::Message(why)) => ("undecided", Some(why.clone())),
    };
    let Trail { environment, policy, report, closure, record } = trail;
    let event = if gate.dry_run { "gate --dry-run" } else { "gate" }.to_owned();
    let debts = passed.iter().flat_map(|passed| &passed.admission.next.debts).map(|debt| debt.incident.as_str());
    let debts: Vec<&str> = debts.collect();
    let sentence = match &why {
        Some(why) => Some(why.clone()),
        None if debts.is_empty() => None,
        None => Some(format!("put into force without a review: {}", debts.join(", "))),
    };
    *message = sentence.map(|sentence| Message::sentence("gate", outcome, environment.as_deref(), &sentence));
    let outcome = outcome.to_owned();
    let event =
        AuditEvent { event, outcome, why, environment, policy, report, closure, record, ..AuditEvent::default() };
    match passed {
        Ok(Passed { held, admission, says }) => {
            // It is used up before anybody may act on it.
            if !gate.dry_run
                && let Err(why) = held.replace(&admission.next)
            {
                return stopped(&Stop::Diagnosed(Box::new(why), 3), streams);
            }
            let code = audit::append(log, event, 0, surroundings, streams);
            if code == 0 { streams.data(&says, 0) } else { code }
        }
        Err(stop) => {
            let code = stopped(&stop, streams);
            audit::append(log, event, code, surroundings, streams)
        }
    }
}

struct Passed {
    held: Held,
    admission: Admission,
    says: String,
}

fn pass(gate: &Gate, surroundings: &Surroundings, trail: &mut Trail) -> Result<Passed, Stop> {
    let at = |path: &Path| surroundings.folder.join(path);
    let now = now();
    let roots = read_limited(&at(&gate.roots)).map_err(|why| {
        let why = format!("`{}` cannot be read: {why}", gate.roots.display());
        diagnosed(RootsError::Malformed { why }, 2)
    })?;
    let roots = Roots::read(&roots, now).map_err(|why| diagnosed(why, 2))?;
    let environment = roots.environment(gate.environment.as_deref()).map_err(|why| diagnosed(why, 2))?;
    trail.environment = Some(environment.name.clone());
    let bytes = read_limited(&at(&gate.record))
        .map_err(|why| Stop::Message(format!("the record `{}` cannot be read: {why}", gate.record.display())))?;
    trail.record = Some(record::digest(&bytes));
    let opened = record::open(&bytes, &roots, environment).map_err(|why| diagnosed(why, 1))?;
    trail.policy = Some(opened.review().policy.sha256.clone());
    trail.report = Some(opened.review().report_sha256.clone());
    let state = State::new(&roots.repository, &environment.name, now);
    let held = Held::take(&at(&gate.state), state, gate.new_state).map_err(|why| diagnosed(why, 3))?;
    if roots.serial < held.state().roots_serial {
        let (found, last) = (roots.serial, held.state().roots_serial);
        return Err(diagnosed(RootsError::Older { found, last }, 2));
    }
    let mut sources = SourceMap::default();
    let files = files(gate, surroundings, opened.review(), &mut sources);
    let bound = |files: Vec<SourceId>| {
        let bound = closure::bound(opened.review().artifact, &files, &sources)?;
        Ok((bound, files))
    };
    let (closure, files): (Closure, Vec<SourceId>) = match files.and_then(bound) {
        Ok(bound) => bound,
        Err(doubts) => return Err(Stop::Doubts(doubts, sources)),
    };
    trail.closure = Some(closure.digest());
    let admission = opened.admit(&closure, &roots, held.state(), now).map_err(|why| diagnosed(why, 1))?;
    if let Some(folder) = &gate.copy_to {
        copy(&at(folder), &files, &sources)
            .map_err(|why| Stop::Message(format!("`{}` cannot be written: {why}", folder.display())))?;
    }
    let says = says(gate, environment, &opened, &admission);
    Ok(Passed { held, admission, says })
}

/// The files that are to be put into force, found in the same way as when they were reviewed.
fn files(
    gate: &Gate,
    surroundings: &Surroundings,
    review: &Review,
    sources: &mut SourceMap,
) -> Result<Vec<SourceId>, Vec<Doubt>> {
    let refuse = |message: &str, help: &str| {
        Err(vec![Doubt { cause: Cause::Source, message: message.to_owned(), help: help.to_owned(), at: None }])
    };
    let refused = |why: crate::source::SourceError| vec![judge::doubt(Cause::Source, &why)];
    match (review.artifact, &gate.tree, &gate.plan) {
        (Artifact::Tree, Some(tree), _) => {
            let path = surroundings.folder.join(tree);
            let side = if path.symlink_metadata().is_ok() {
                Side::path(&path)
            } else {
                Side::revision_of(&surroundings.place(), tree)
            };
            let side = side.map_err(refused)?;
            if side.is_file() {
                return refuse(
                    "the record is of a tree, and --tree names a file",
                    "name the folder that the files are in",
                );
            }
            let (path, bytes) = (review.policy.path.as_bytes(), review.policy.text.as_bytes());
            let policy = File { path: path.to_vec(), name: path.to_vec(), bytes: bytes.to_vec(), executable: false };
            let policy = judge::load(policy, sources)?;
            let files = side.files(&Policed(&policy)).map_err(judge::source_doubts)?;
            let (_, mut inputs) = judge::inputs(&judge::plan(&policy, Vec::new(), files, sources)?);
            closure::of_side(&side, &mut inputs, sources)?;
            Ok(closure::opened(&inputs, sources))
        }
        (Artifact::Plan, _, Some(plan)) => {
            let side = Side::path(&surroundings.folder.join(plan)).map_err(refused)?;
            if !side.is_file() {
                return refuse("--plan names a folder", "name the file that `terraform show -json` printed");
            }
            side.files(&Everything)
                .map_err(judge::source_doubts)?
                .into_iter()
                .map(|file| judge::add(sources, file))
                .collect()
        }
        (Artifact::Tree, None, _) => refuse("the record is of a tree", "name it with --tree"),
        (Artifact::Plan, _, None) => refuse("the record is of a Terraform plan", "name its JSON with --plan"),
    }
}

/// Writes the verified files into a folder that was not there and that nobody else may enter.
fn copy(folder: &Path, files: &[SourceId], sources: &SourceMap) -> std::io::Result<()> {
    create(folder)?;
    for file in files {
        let path = folder.join(sources.name(*file));
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        std::fs::write(&path, sources.bytes(*file))?;
        if sources.is_executable(*file) {
            executable(&path)?;
        }
    }
    Ok(())
}

#[cfg(unix)]
fn create(folder: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new().mode(0o700).create(folder)
}

#[cfg(unix)]
fn executable(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755))
}

#[cfg(not(unix))]
fn create(folder: &Path) -> std::io::Result<()> {
    std::fs::create_dir(folder)
}

#[cfg(not(unix))]
const fn executable(_: &Path) -> std::io::Result<()> {
    Ok(())
}

fn says(gate: &Gate, environment: &Environment, opened: &Opened<'_>, admission: &Admission) -> String {
    let review = opened.review();
    let number = review.files.len();
    let files = if number == 1 { "1 file".to_owned() } else { format!("{number} files") };
    let as_reviewed = match &review.break_glass {
        None => format!("{files} as reviewed"),
        Some(broken) => format!(
            "{files} without a review ({}: {})",
            escape(broken.incident.as_bytes()),
            escape(broken.reason.as_bytes())
        ),
    };
    let mut text = format!(
        "PASS {}: {as_reviewed}, number {}, signed by {}\n",
        environment.name,
        review.sequence,
        opened.signers()
    );
    if !admission.settled.is_empty() {
        text.push_str(&format!("reviewed now: {}\n", escape(admission.settled.join(", ").as_bytes())));
    }
    for debt in &admission.next.debts {
        let incident = escape(debt.incident.as_bytes());
        text.push_str(&format!("to be reviewed before anything else is put into force: {incident}\n"));
    }
    if gate.dry_run {
        text.push_str("nothing was used up (--dry-run)\n");
    }
    text
}

fn stopped(stop: &Stop, streams: &mut Streams<'_>) -> u8 {
    match stop {
        Stop::Diagnosed(why, code) => {
            let word = match code {
                1 => "REFUSED",
                2 => "CONFIG",
                _ => "UNDECIDED",
            };
            let id = why.code().map(|code| code.to_string()).unwrap_or_default();
            let text = format!("{word} {id}: {}\n", escape(why.to_string().as_bytes()));
            streams.data(&text, *code);
            if let Some(help) = why.help() {
                streams.say(&format!(" help: {}", escape(help.to_string().as_bytes())));
            }
            *code
        }
        Stop::Doubts(doubts, sources) => {
            streams.doubts(doubts, sources);
            streams.data("UNDECIDED portcullis::record::files: the files cannot be read\n", 3)
        }
        Stop::Message(message) => {
            streams.data(&format!("UNDECIDED portcullis::record::unreadable: {}\n", escape(message.as_bytes())), 3)
        }
    }
}

fn diagnosed(why: impl Diagnostic + 'static, code: u8) -> Stop {
    Stop::Diagnosed(Box::new(why), code)
}

/// A file, as far as one that is larger than any record is of interest.
fn read_limited(path: &Path) -> std::io::Result<Vec<u8>> {
    use std::io::Read as _;
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(record::MAX_RECORD_BYTES + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}
