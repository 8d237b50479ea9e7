use super::apply_arguments::{Apply, Confirm, DeadMan, JournalFolder, Recover};
use super::audit;
use super::effect::{self, Replaced};
use super::gate::{self, Passed, Stop, Trail};
use super::notice::{self, Notice};
use super::output::Streams;
use super::record_arguments::Log;
use super::surroundings::Surroundings;
use super::tree::Tree;
use super::verify;
use crate::decision::{HostReport, Origin, Outcome, Sameness};
use crate::facts::now;
use crate::formats;
use crate::live::{
    self, Boot, Ended, Expected, Folder, Journal, Lock, Named, NotApplied, Place, Prepared, Ruleset, Scope, Target,
    Transaction,
};
use crate::notify::Message;
use crate::record::{self, AuditEvent};
use crate::report;
use crate::source::File;
use crate::text::{SourceId, SourceMap, escape};
use miette::Diagnostic as _;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long `confirm` waits for the change to come to its end.
const CONFIRMED: Duration = Duration::from_secs(120);

/// What is known of a change to whoever ends it, which may be another process than the one that began it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Note {
    what: String,
    trail: Trail,
    audit: Option<PathBuf>,
    notify: Option<String>,
}

/// What came of it before anything was changed.
enum Early {
    /// It is refused, or cannot be judged.
    Stop(Stop),
    /// The policy is against it: the report, and the exit code.
    Judged(String, u8),
    /// Whoever asks for it does not say what is to be done.
    Usage(NotApplied),
}

/// What is known once nothing more can be found out without a change.
struct Ready {
    prepared: Prepared,
    /// What is told of the record.
    says: String,
    /// The state of the gate afterwards. It is held as long as this is there.
    passed: Option<Passed>,
    what: String,
}

pub(super) fn run(arguments: &Apply, surroundings: &Surroundings, streams: &mut Streams<'_>) -> u8 {
    let mut trail = Trail::default();
    let mut sources = SourceMap::default();
    let job = Job { arguments, surroundings };
    let begun = job.folder().and_then(|folder| {
        let lock = folder.lock(Duration::from_secs(1))?;
        folder.is_clear()?;
        Ok((folder, lock))
    });
    let (folder, lock) = match begun {
        Ok(begun) => begun,
        Err(why) => return gate::stopped(&diagnosed(why, 3), &sources, streams),
    };
    let ready = match job.ready(&folder, &lock, &mut trail, &mut sources) {
        Ok(ready) => ready,
        Err(early) => return job.early(&early, trail, &sources, streams),
    };
    let Ready { prepared, says, passed, what } = ready;
    if arguments.dry_run {
        return streams.data(&format!("READY {what}: {says}nothing was changed (--dry-run)\n"), 0);
    }
    let note = Note {
        what,
        trail: trail.clone(),
        audit: arguments.log.audit.as_ref().map(|path| absolute(surroundings, path)),
        notify: arguments.notice.address(surroundings),
    };
    // Whoever looks after a crash finds that it began.
    let code = audit::note(&arguments.log, event("apply", "begun", None, trail), 0, surroundings, streams);
    if code != 0 {
        return code;
    }
    let also =
        passed.as_ref().map(|passed| (absolute(surroundings, passed.held.path()), passed.admission.next.to_bytes()));
    let ended = match job.begin(&folder, lock, prepared, &note, also) {
        Ok(transaction) => job.carry_out(transaction, streams),
        Err(why) => Err(why),
    };
    match ended {
        Ok(ended) => tell("apply", &ended, &note, &says, surroundings, streams),
        Err(why) => job.early(&Early::Stop(diagnosed(why, 3)), note.trail, &sources, streams),
    }
}

struct Job<'a> {
    arguments: &'a Apply,
    surroundings: &'a Surroundings,
}

impl Job<'_> {
    fn folder(&self) -> Result<Folder, NotApplied> {
        folder(&self.arguments.journal, self.surroundings)
    }

    /// Says why nothing was changed.
    fn early(&self, early: &Early, trail: Trail, sources: &SourceMap, streams: &mut Streams<'_>) -> u8 {
        let (code, (outcome, why)) = match early {
            Early::Stop(stop) => (gate::stopped(stop, sources, streams), stop.event()),
            Early::Judged(text, code) => {
                let code = streams.data(text, *code);
                (code, ("refused", Some("the policy is against what it does to what is in force".to_owned())))
            }
            Early::Usage(why) => {
                let help = why.help().map(|help| help.to_string());
                (streams.error(&why.to_string(), help.as_deref(), 2), ("undecided", Some(why.to_string())))
            }
        };
        streams.say("nothing was changed");
        let event = event("apply", outcome, why.clone(), trail);
        let code = audit::note(&self.arguments.log, event, code, self.surroundings, streams);
        if let Some(why) = why {
            self.notify(outcome, &why, streams);
        }
        code
    }

    fn notify(&self, outcome: &str, why: &str, streams: &mut Streams<'_>) {
        if let Ok(webhook) = notice::webhook(&self.arguments.notice, self.surroundings, streams) {
            let environment = self.arguments.trust.whom.environment.as_deref();
            notice::tell(webhook.as_ref(), Some(Message::sentence("apply", outcome, environment, why)), streams);
        }
    }

    /// Finds out all that can be found out before.
    fn ready(&self, folder: &Folder, lock: &Lock, trail: &mut Trail, sources: &mut SourceMap) -> Result<Ready, Early> {
        let arguments = self.arguments;
        let stop = |why: NotApplied| Early::Stop(diagnosed(why, 3));
        let target = match arguments.live.as_deref().map(Named::of) {
            None => None,
            Some(Some(Ok(Named::Rules(target)))) => Some(target),
            Some(Some(Ok(Named::Haproxy(_)))) => {
                let why = "a configuration of HAProxy is put into force by commands: name --read, --test and --write";
                return Err(Early::Stop(Stop::Message(why.to_owned())));
            }
            Some(Some(Err(why))) => return Err(Early::Stop(Stop::Diagnosed(Box::new(why), 2))),
            Some(None) => {
                let why = "--live names what is replaced: live:nft or live:iptables".to_owned();
                return Err(Early::Stop(Stop::Message(why)));
            }
        };
        let (tree, passed, says) = self.tree(trail, sources)?;
        let mains = tree.mains(&arguments.proposed, sources).map_err(|doubts| Early::Stop(Stop::Doubts(doubts)))?;
        if target == Some(Target::Iptables) {
            live::families(&mains.iter().map(|main| PathBuf::from(sources.name(*main))).collect::<Vec<_>>())
                .map_err(Early::Usage)?;
        }
        let scope = Scope {
            owned: arguments.owned.clone(),
            foreign: arguments.foreign.clone(),
            first: arguments.foreign_first.clone(),
        };
        let root = absolute(self.surroundings, &arguments.root);
        let prepared = match target {
            Some(target) => {
                if !arguments.no_unit {
                    boots(target, &root)?;
                }
                let place = Place { target, netns: arguments.netns.as_deref(), scope: &scope, root: &root };
                self.rules(&place, folder, &mains, sources)?
            }
            None => self.by_commands(folder, lock, &mains, sources)?,
        };
        let judge = same(target.map(Target::format));
        // What would be found afterwards is found now.
        judge(&prepared.new, &prepared.after, &scope)
            .map_err(|why| stop(NotApplied::Rehearsal { what: "it would not be what is in force afterwards", why }))?;
        let replaced = Replaced {
            mains: &mains,
            before: &prepared.before.files,
            after: &prepared.after.files,
            target,
            reviewed: passed.is_some(),
        };
        let decision = effect::judge(&tree, &replaced, sources).map_err(|doubts| Early::Stop(Stop::Doubts(doubts)))?;
        let passes = match decision.outcome() {
            Outcome::Pass => true,
            // Whoever had to has approved the very state that is put into force.
            Outcome::NeedsApproval => passed.is_some(),
            Outcome::Blocked | Outcome::Undecided | Outcome::PolicyError => false,
        };
        if !passes {
            let text = report::text::render(decision.report(), sources, report::Style::PLAIN);
            return Err(Early::Judged(text, decision.exit_code()));
        }
        let what = arguments.live.clone().unwrap_or_else(|| arguments.proposed.join(", "));
        Ok(Ready { prepared, says, passed, what })
    }

    /// The tree, verified by its record if there is one.
    fn tree(&self, trail: &mut Trail, sources: &mut SourceMap) -> Result<(Tree, Option<Passed>, String), Early> {
        let arguments = self.arguments;
        let doubts = |doubts| Early::Stop(Stop::Doubts(doubts));
        if let Some(record) = &arguments.record {
            let subject = gate::Subject { record, tree: Some(&arguments.tree), plan: None };
            let mut passed =
                gate::admit(subject, &arguments.trust, self.surroundings, trail, sources).map_err(Early::Stop)?;
            let Some(tree) = passed.tree.take() else {
                let why = "the record is of a Terraform plan, which is put into force by terraform".to_owned();
                return Err(Early::Stop(Stop::Message(why)));
            };
            let says = passed.says.clone();
            return Ok((tree, Some(passed), says));
        }
        let path = arguments.policy.as_deref().unwrap_or(Path::new(super::check::POLICY));
        let path = super::judge::PolicyPath::File(self.surroundings.folder.join(path));
        let nothing = crate::source::Side::given(Vec::new());
        let file = super::judge::policy_file(&nothing, &path).map_err(doubts)?;
        trail.policy = Some(record::digest(&file.bytes));
        let tree = Tree::read(self.surroundings, &arguments.tree, file, sources).map_err(doubts)?;
        Ok((tree, None, String::new()))
    }

    /// Rules: loaded where they harm nobody, held against the files by meaning, and rehearsed.
    fn rules(
        &self,
        place: &Place<'_>,
        folder: &Folder,
        mains: &[SourceId],
        sources: &mut SourceMap,
    ) -> Result<Prepared, Early> {
        let stop = |why: NotApplied| Early::Stop(diagnosed(why, 3));
        let mut opened: Vec<SourceId> = mains.to_vec();
        opened.extend(mains.iter().flat_map(|main| sources.included(*main)));
        opened.sort_unstable();
        opened.dedup();
        let copy = folder.path("proposed");
        let copied = match std::fs::remove_dir_all(&copy) {
            Err(why) if why.kind() != std::io::ErrorKind::NotFound => Err(why),
            Ok(()) | Err(_) => gate::copy(&copy, &opened, sources),
        };
        copied.map_err(|why| stop(NotApplied::Journal { path: copy.display().to_string(), why: why.to_string() }))?;
        let paths: Vec<PathBuf> = mains.iter().map(|main| PathBuf::from(sources.name(*main))).collect();
        let texts: Vec<&[u8]> = opened.iter().map(|file| sources.bytes(*file)).collect();
        let loaded = live::loaded(place, &copy, &paths, &texts).map_err(stop)?;
        let expected = Expected { files: mains.to_vec(), format: formats::format(place.target.format()) };
        let scope = Scope::default();
        held(&expected, &loaded, &scope, sources).map_err(|why| stop(NotApplied::NotAsProposed { why }))?;
        let Ruleset { files, .. } = loaded;
        live::prepare(place, folder, files, &same(Some(place.target.format()))).map_err(stop)
    }

    fn by_commands(
        &self,
        folder: &Folder,
        lock: &Lock,
        mains: &[SourceId],
        sources: &SourceMap,
    ) -> Result<Prepared, Early> {
        let Apply { read, write, rollback, test, .. } = self.arguments;
        let (Some(read), Some(write), [main]) = (read, write, mains) else {
            let why = "commands put one file into force: name one --proposed, --read and --write".to_owned();
            return Err(Early::Stop(Stop::Message(why)));
        };
        let name = sources.name(*main).as_bytes().to_vec();
        let new = File { path: name.clone(), name, bytes: sources.bytes(*main).to_vec(), executable: false };
        let rollback = rollback.as_ref().unwrap_or(write);
        live::commands(folder, lock, new, read, write, rollback, test.as_deref())
            .map_err(|why| Early::Stop(diagnosed(why, 3)))
    }

    fn begin<'f>(
        &self,
        folder: &'f Folder,
        lock: Lock,
        prepared: Prepared,
        note: &Note,
        also: Option<(PathBuf, Vec<u8>)>,
    ) -> Result<Transaction<'f>, NotApplied> {
        let id = format!("{}-{}", now(), std::process::id());
        let note = serde_json::to_string(note).expect("texts have a JSON form");
        let confirm = self.arguments.confirm.unwrap_or_default();
        let transaction = Transaction::begin(folder, lock, prepared, &id, confirm, &note, also)?;
        let seconds = self.arguments.limit.as_secs().to_string();
        let journal = folder.path("").display().to_string();
        let watch = ["dead-man", "--journal", &journal, "--id", &id, "--seconds", &seconds].map(str::to_owned);
        let armed = match &self.surroundings.program {
            Some(program) => transaction.arm(program, &watch),
            None => Err(NotApplied::Unarmed { why: "it is not known which program this is".to_owned() }),
        };
        match armed {
            Ok(()) => Ok(transaction),
            Err(why) => transaction.abandon().and(Err(why)),
        }
    }

    /// From here on it ends in the new state, or is taken back.
    fn carry_out(&self, mut transaction: Transaction<'_>, streams: &mut Streams<'_>) -> Result<Ended, NotApplied> {
        let judge = same(transaction.journal().target().map(Target::format));
        let done = match transaction.put_into_force(&judge) {
            Err(why @ NotApplied::Changed) => return transaction.abandon().and(Err(why)),
            done => done,
        };
        let done = done.and_then(|()| self.arguments.probe.as_deref().map_or(Ok(()), live::probe));
        let done = done.and_then(|()| match self.arguments.confirm {
            None => Ok(()),
            Some(confirm) => {
                streams.say(&format!(
                    "in force: log in anew and run `portcullis confirm` within {} seconds, or it is rolled back",
                    confirm.as_secs()
                ));
                transaction.wait()
            }
        });
        Ok(match done.and_then(|()| transaction.keep(&judge)) {
            Ok(()) => finished(transaction, streams),
            Err(why) => transaction.roll_back(&why.to_string(), &judge),
        })
    }
}

pub(super) fn confirm(arguments: &Confirm, surroundings: &Surroundings, streams: &mut Streams<'_>) -> u8 {
    let confirmed = folder(&arguments.journal, surroundings).and_then(|folder| {
        let waiting = folder.journal()?.filter(|journal| journal.phase == live::Phase::Waiting);
        let Journal { id, note, connection, .. } = waiting.ok_or(NotApplied::NothingToConfirm)?;
        if connection.is_some() && connection == live::connection() {
            return Err(NotApplied::SameConnection);
        }
        folder.set_confirmed(&id)?;
        let note = noted(&note, streams);
        let until = std::time::Instant::now() + CONFIRMED;
        loop {
            match folder.last()?.filter(|last| last.id == id) {
                Some(last) => return Ok(streams.data(&format!("{}\n", escape(last.message.as_bytes())), last.code)),
                None if std::time::Instant::now() > until => {
                    return Err(NotApplied::Busy { path: folder.path("lock").display().to_string() });
                }
                None => {}
            }
            match live::confirm(&folder, &id) {
                Ok(Some(mut transaction)) => {
                    let judge = same(transaction.journal().target().map(Target::format));
                    let ended = match transaction.keep(&judge) {
                        Ok(()) => finished(transaction, streams),
                        Err(why) => transaction.roll_back(&why.to_string(), &judge),
                    };
                    return Ok(tell("confirm", &ended, &note, "", surroundings, streams));
                }
                // It ended between two looks.
                Ok(None) | Err(NotApplied::NothingToConfirm) => std::thread::sleep(Duration::from_millis(50)),
                Err(why) => return Err(why),
            }
        }
    });
    confirmed.unwrap_or_else(|why| gate::stopped(&diagnosed(why, 3), &SourceMap::default(), streams))
}

pub(super) fn recover(arguments: &Recover, surroundings: &Surroundings, streams: &mut Streams<'_>) -> u8 {
    let recovered = folder(&arguments.journal, surroundings).and_then(|folder| {
        let target = folder.journal()?.and_then(|journal| journal.target());
        live::recover(&folder, "it did not come to its end", &same(target.map(Target::format)))
    });
    match recovered {
        Ok(None) => streams.data("there is nothing to take back\n", 0),
        Ok(Some((ended, note))) => {
            let note = noted(&note, streams);
            tell("recover", &ended, &note, "", surroundings, streams)
        }
        Err(why) => gate::stopped(&diagnosed(why, 3), &SourceMap::default(), streams),
    }
}

pub(super) fn dead_man(arguments: &DeadMan, surroundings: &Surroundings, streams: &mut Streams<'_>) -> u8 {
    let watched = folder(&arguments.journal, surroundings).and_then(|folder| {
        let target = folder.journal()?.and_then(|journal| journal.target());
        let limit = Duration::from_secs(arguments.seconds);
        let mut armed = || {
            let _code = streams.data("armed\n", 0);
        };
        live::watch(&folder, &arguments.id, limit, &mut armed, &same(target.map(Target::format)))
    });
    match watched {
        Ok(None) => 0,
        Ok(Some((ended, note))) => {
            let note = noted(&note, streams);
            tell("dead-man", &ended, &note, "", surroundings, streams)
        }
        Err(why) => gate::stopped(&diagnosed(why, 3), &SourceMap::default(), streams),
    }
}

/// What the journal says of whom to tell. The change comes to its end even where that cannot be read.
fn noted(note: &str, streams: &mut Streams<'_>) -> Note {
    serde_json::from_str(note).unwrap_or_else(|why| {
        let told = "neither an audit log nor a webhook is told";
        streams.say(&format!("note: the journal does not say whom to tell how it ends, so {told}: {why}"));
        Note::default()
    })
}

/// Clears away after a change that is in force.
fn finished(transaction: Transaction<'_>, streams: &mut Streams<'_>) -> Ended {
    if let Err(why) = transaction.finish() {
        streams.say(&format!("note: it is done, and not all of its journal could be cleared away: {why}"));
    }
    Ended::New
}

/// Says how it ended, to whoever has to know.
fn tell(
    command: &str,
    ended: &Ended,
    note: &Note,
    says: &str,
    surroundings: &Surroundings,
    streams: &mut Streams<'_>,
) -> u8 {
    let (word, outcome) = match ended {
        Ended::New => ("APPLIED", "applied"),
        Ended::Old(_) => ("ROLLED BACK", "rolled-back"),
        Ended::Unknown(_) => ("FAILED", "rollback-failed"),
    };
    let Note { what, trail, audit, notify } = note;
    let message = escape(ended.message().as_bytes());
    let code = streams.data(&format!("{word} {}: {message}\n{says}", escape(what.as_bytes())), ended.code());
    let why = (*ended != Ended::New).then(|| ended.message());
    let log = Log { audit: audit.clone() };
    let code = audit::note(&log, event(command, outcome, why.clone(), trail.clone()), code, surroundings, streams);
    if let (Some(why), Ok(webhook)) = (why, notice::webhook(&Notice::of(notify.clone()), surroundings, streams)) {
        let message = Message::sentence(command, outcome, trail.environment.as_deref(), &why);
        notice::tell(webhook.as_ref(), Some(message), streams);
    }
    code
}

fn event(command: &str, outcome: &str, why: Option<String>, trail: Trail) -> AuditEvent {
    let Trail { environment, policy, report, closure, record } = trail;
    let (event, outcome) = (command.to_owned(), outcome.to_owned());
    AuditEvent { event, outcome, why, environment, policy, report, closure, record, ..AuditEvent::default() }
}

fn folder(JournalFolder { folder }: &JournalFolder, surroundings: &Surroundings) -> Result<Folder, NotApplied> {
    Folder::open(&absolute(surroundings, folder))
}

fn absolute(surroundings: &Surroundings, path: &Path) -> PathBuf {
    let path = surroundings.folder.join(path);
    std::path::absolute(&path).unwrap_or(path)
}

/// What a reboot loads is loaded by something.
fn boots(target: Target, root: &Path) -> Result<(), Early> {
    match live::boot(target, root) {
        Boot::Loaded(_) => Ok(()),
        Boot::Not(why, help) => {
            let message = format!("{why} ({help}; or say with --no-unit that something else does)");
            Err(Early::Stop(Stop::Message(message)))
        }
        Boot::Unknown(why, help) => {
            let message = format!("it is not known what a reboot loads: {why} ({help})");
            Err(Early::Stop(Stop::Message(message)))
        }
    }
}

/// Whether what is in force means what is expected.
fn same(format: Option<&'static str>) -> impl Fn(&[File], &Ruleset, &Scope) -> Result<(), String> {
    move |expected, now, scope| {
        let mut sources = SourceMap::default();
        let ids =
            expected.iter().map(|file| super::judge::add(&mut sources, file.clone())).collect::<Result<Vec<_>, _>>();
        let files =
            ids.map_err(|doubts| doubts.into_iter().map(|doubt| doubt.message).collect::<Vec<_>>().join("; "))?;
        let expected = Expected { files, format: format.and_then(formats::format) };
        held(&expected, now, scope, &mut sources)
    }
}

fn held(expected: &Expected, now: &Ruleset, scope: &Scope, sources: &mut SourceMap) -> Result<(), String> {
    let origin = |what: &str| Origin { source: "live".to_owned(), revision: Some(what.to_owned()) };
    let held = verify::hold("host", expected, origin("expected"), now, origin("in force"), scope, sources);
    let report = match held {
        Ok(held) => HostReport::of("host".to_owned(), held),
        Err(doubts) => return Err(doubts.into_iter().map(|doubt| doubt.message).collect::<Vec<_>>().join("; ")),
    };
    match report.outcome {
        Sameness::Equal => Ok(()),
        Sameness::NotVerified | Sameness::Differs => Err(match report.first() {
            Some(first) => format!("{}: {first}", report.message),
            None => report.message,
        }),
    }
}

fn diagnosed(why: NotApplied, code: u8) -> Stop {
    Stop::Diagnosed(Box::new(why), code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_as_it_should_be_is_told_with_the_first_difference() {
        let rules = |set: &str, rule: &str| {
            let chain = format!("chain input {{\ntype filter hook input priority 0; policy drop;\n{rule}\n}}\n");
            format!("table inet f {{\nset s {{\ntype ipv4_addr\n{set}}}\n{chain}}}\n")
        };
        let file = |name: &str, text: &str| {
            let name = name.as_bytes().to_vec();
            File { path: name.clone(), name, bytes: text.as_bytes().to_vec(), executable: false }
        };
        let says = |wanted: &str, now: &str| {
            let now = Ruleset { files: vec![file("live:nft", now)], ..Ruleset::default() };
            same(Some("nftables"))(&[file("web.nft", wanted)], &now, &Scope::default())
        };
        let expected = rules("", "tcp dport 22 accept");
        assert_eq!(says(&expected, &expected), Ok(()));
        let differs = "what is in force is not what is expected: ";
        let packet =
            "tcp 192.0.2.1:1024 -> 192.0.2.2:22 new in eth0 is expected to be allowed by web.nft:7, and is denied by";
        let denied = says(&expected, &rules("", "tcp dport 23 accept"));
        assert!(denied.as_ref().is_err_and(|why| why.starts_with(differs)), "{denied:?}");
        let denied = says(&expected, &rules("", "counter"));
        assert_eq!(denied, Err(format!("{differs}{packet} live:nft:6")));
        let set = says(&expected, &rules("elements = { 10.0.0.1 }\n", "tcp dport 22 accept"));
        let object = "set `inet f/s` is another one than is expected (web.nft:2, live:nft:2)";
        assert_eq!(set, Err(format!("{differs}{object}")));
        let gap = says(&expected, &rules("", "frobnicate"));
        assert!(
            gap.as_ref().is_err_and(|why| why.starts_with("what was read is not all understood: live:nft:7: ")),
            "{gap:?}"
        );
    }
}
