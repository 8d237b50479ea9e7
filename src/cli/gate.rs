use super::audit;
use super::closure;
use super::judge;
use super::notice;
use super::output::Streams;
use super::record_arguments::{Gate, Trust, Whom};
use super::surroundings::Surroundings;
use super::tree::Tree;
use super::wanted::Everything;
use crate::decision::{Cause, Doubt};
use crate::facts::now;
use crate::notify::Message;
use crate::record::{
    self, Admission, Artifact, AuditEvent, Closure, Environment, Held, Opened, Refusal, Review, Roots, RootsError,
    State,
};
use crate::source::{File, Side, read_at_most};
use crate::text::{SourceId, SourceMap, escape};
use miette::Diagnostic;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Why nothing is put into force.
pub(super) enum Stop {
    /// The first step that failed, and the exit code.
    Diagnosed(Box<dyn Diagnostic>, u8),
    /// Files could not be read.
    Doubts(Vec<Doubt>),
    /// Something else could not be read or written.
    Message(String),
}

impl Stop {
    /// The same as doubts, where nothing is decided by an exit code of its own.
    pub(super) fn doubts(self) -> Vec<Doubt> {
        let one = |message: String, help: String| vec![Doubt { cause: Cause::Source, message, help, at: None }];
        match self {
            Self::Diagnosed(why, _) => {
                one(why.to_string(), why.help().map(|help| help.to_string()).unwrap_or_default())
            }
            Self::Doubts(doubts) => doubts,
            Self::Message(why) => one(why, String::new()),
        }
    }

    /// The outcome for the log, and why.
    pub(super) fn event(&self) -> (&'static str, Option<String>) {
        match self {
            Self::Diagnosed(why, code) => (if *code == 1 { "refused" } else { "undecided" }, Some(why.to_string())),
            Self::Doubts(doubts) => ("undecided", doubts.first().map(|doubt| doubt.message.clone())),
            Self::Message(why) => ("undecided", Some(why.clone())),
        }
    }
}

/// What was found out on the way.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Trail {
    pub(super) environment: Option<String>,
    pub(super) policy: Option<String>,
    pub(super) report: Option<String>,
    pub(super) closure: Option<String>,
    pub(super) record: Option<String>,
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
    let mut sources = SourceMap::default();
    let passed = pass(gate, surroundings, &mut trail, &mut sources);
    let (outcome, why) = match &passed {
        Ok(_) => ("pass", None),
        Err(stop) => stop.event(),
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
        Ok(Passed { held, admission, says, .. }) => {
            // It is used up before anybody may act on it.
            if !gate.dry_run
                && let Err(why) = held.replace(&admission.next)
            {
                return stopped(&Stop::Diagnosed(Box::new(why), 3), &sources, streams);
            }
            let code = audit::append(log, event, 0, surroundings, streams);
            if code == 0 { streams.data(&says, 0) } else { code }
        }
        Err(stop) => {
            let code = stopped(&stop, &sources, streams);
            audit::append(log, event, code, surroundings, streams)
        }
    }
}

/// What may be put into force.
pub(super) struct Passed {
    /// The state, which nobody else can use meanwhile.
    pub(super) held: Held,
    pub(super) admission: Admission,
    /// What is told of it.
    pub(super) says: String,
    /// Every file that is opened.
    pub(super) files: Vec<SourceId>,
    /// The tree, unless it is a plan.
    pub(super) tree: Option<Tree>,
}

/// What is to be put into force.
#[derive(Clone, Copy)]
pub(super) struct Subject<'g> {
    pub(super) record: &'g Path,
    pub(super) tree: Option<&'g str>,
    pub(super) plan: Option<&'g Path>,
}

fn pass(gate: &Gate, surroundings: &Surroundings, trail: &mut Trail, sources: &mut SourceMap) -> Result<Passed, Stop> {
    let subject = Subject { record: &gate.record, tree: gate.tree.as_deref(), plan: gate.plan.as_deref() };
    let mut passed = admit(subject, &gate.trust, surroundings, trail, sources)?;
    if let Some(folder) = &gate.copy_to {
        copy(&surroundings.folder.join(folder), &passed.files, sources)
            .map_err(|why| Stop::Message(format!("`{}` cannot be written: {why}", folder.display())))?;
    }
    if gate.dry_run {
        passed.says.push_str("nothing was used up (--dry-run)\n");
    }
    Ok(passed)
}

/// Verifies that the files are those that were reviewed, for here and for now.
pub(super) fn admit(
    subject: Subject<'_>,
    trust: &Trust,
    surroundings: &Surroundings,
    trail: &mut Trail,
    sources: &mut SourceMap,
) -> Result<Passed, Stop> {
    let at = |path: &Path| surroundings.folder.join(path);
    let now = now();
    let roots = roots(&trust.whom, surroundings)?;
    let environment = roots.environment(trust.whom.environment.as_deref()).map_err(|why| diagnosed(why, 2))?;
    trail.environment = Some(environment.name.clone());
    let bytes = bytes(subject.record, surroundings)?;
    trail.record = Some(record::digest(&bytes));
    let opened = record::open(&bytes, &roots, environment).map_err(|why| diagnosed(why, 1))?;
    trail.policy = Some(opened.review().policy.sha256.clone());
    trail.report = Some(opened.review().report_sha256.clone());
    let state = State::new(&roots.repository, &environment.name, now);
    let held = Held::take(&at(&trust.state), state, trust.new_state).map_err(|why| diagnosed(why, 3))?;
    if roots.serial < held.state().roots_serial {
        let (found, last) = (roots.serial, held.state().roots_serial);
        return Err(diagnosed(RootsError::Older { found, last }, 2));
    }
    let (files, tree) = files(subject, surroundings, opened.review(), sources).map_err(Stop::Doubts)?;
    let closure: Closure = closure::bound(opened.review().artifact, &files, sources).map_err(Stop::Doubts)?;
    trail.closure = Some(closure.digest());
    let admission = opened.admit(&closure, &roots, held.state(), now).map_err(|why| diagnosed(why, 1))?;
    let says = says(environment, &opened, &admission);
    Ok(Passed { held, admission, says, files, tree })
}

/// A tree that is byte for byte what a record is of, whether or not that was used since or holds no more.
pub(super) fn reviewed(
    subject: Subject<'_>,
    whom: &Whom,
    surroundings: &Surroundings,
    sources: &mut SourceMap,
) -> Result<Tree, Stop> {
    let roots = roots(whom, surroundings)?;
    let environment = roots.environment(whom.environment.as_deref()).map_err(|why| diagnosed(why, 2))?;
    let bytes = bytes(subject.record, surroundings)?;
    let opened = record::open(&bytes, &roots, environment).map_err(|why| diagnosed(why, 1))?;
    let review = opened.review();
    let (files, tree) = files(subject, surroundings, review, sources).map_err(Stop::Doubts)?;
    let closure = closure::bound(review.artifact, &files, sources).map_err(Stop::Doubts)?;
    opened.is_of(&closure).map_err(|why| diagnosed(why, 1))?;
    if review.decision != "pass" && review.break_glass.is_none() {
        return Err(diagnosed(Refusal::NotPassed { found: review.decision.clone() }, 1));
    }
    tree.ok_or_else(|| Stop::Message("the record is of a Terraform plan, and not of files of a host".to_owned()))
}

fn roots(whom: &Whom, surroundings: &Surroundings) -> Result<Roots, Stop> {
    let roots = read_at_most(&surroundings.folder.join(&whom.roots), record::MAX_RECORD_BYTES).map_err(|why| {
        let why = format!("`{}` cannot be read: {why}", whom.roots.display());
        diagnosed(RootsError::Malformed { why }, 2)
    })?;
    Roots::read(&roots, now()).map_err(|why| diagnosed(why, 2))
}

fn bytes(record: &Path, surroundings: &Surroundings) -> Result<Vec<u8>, Stop> {
    read_at_most(&surroundings.folder.join(record), record::MAX_RECORD_BYTES)
        .map_err(|why| Stop::Message(format!("the record `{}` cannot be read: {why}", record.display())))
}

/// The files that are to be put into force, found in the same way as when they were reviewed.
fn files(
    subject: Subject<'_>,
    surroundings: &Surroundings,
    review: &Review,
    sources: &mut SourceMap,
) -> Result<(Vec<SourceId>, Option<Tree>), Vec<Doubt>> {
    let refuse = |message: &str, help: &str| {
        Err(vec![Doubt { cause: Cause::Source, message: message.to_owned(), help: help.to_owned(), at: None }])
    };
    let refused = |why: crate::source::SourceError| vec![judge::doubt(Cause::Source, &why)];
    match (review.artifact, subject.tree, subject.plan) {
        (Artifact::Tree, Some(tree), _) => {
            let (path, bytes) = (review.policy.path.as_bytes(), review.policy.text.as_bytes());
            let policy = File { path: path.to_vec(), name: path.to_vec(), bytes: bytes.to_vec(), executable: false };
            let tree = Tree::read(surroundings, tree, policy, sources)?;
            Ok((closure::opened(&tree.inputs, sources), Some(tree)))
        }
        (Artifact::Plan, _, Some(plan)) => {
            let side = Side::path(&surroundings.folder.join(plan)).map_err(refused)?;
            if !side.is_file() {
                return refuse("--plan names a folder", "name the file that `terraform show -json` printed");
            }
            let files = side.files(&Everything).map_err(judge::source_doubts)?;
            let files = files.into_iter().map(|file| judge::add(sources, file)).collect::<Result<_, _>>()?;
            Ok((files, None))
        }
        (Artifact::Tree, None, _) => refuse("the record is of a tree", "name it with --tree"),
        (Artifact::Plan, _, None) => refuse("the record is of a Terraform plan", "name its JSON with --plan"),
    }
}

/// Writes the verified files into a folder that was not there and that nobody else may enter.
pub(super) fn copy(folder: &Path, files: &[SourceId], sources: &SourceMap) -> std::io::Result<()> {
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

fn says(environment: &Environment, opened: &Opened<'_>, admission: &Admission) -> String {
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
    text
}

/// Says why, and gives the exit code.
pub(super) fn stopped(stop: &Stop, sources: &SourceMap, streams: &mut Streams<'_>) -> u8 {
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
        Stop::Doubts(doubts) => {
            let code = streams.doubts(doubts, sources);
            let word = if code == 2 { "CONFIG" } else { "UNDECIDED" };
            streams.data(&format!("{word} portcullis::record::files: the files cannot be read\n"), code)
        }
        Stop::Message(message) => {
            streams.data(&format!("UNDECIDED portcullis::record::unreadable: {}\n", escape(message.as_bytes())), 3)
        }
    }
}

fn diagnosed(why: impl Diagnostic + 'static, code: u8) -> Stop {
    Stop::Diagnosed(Box::new(why), code)
}
