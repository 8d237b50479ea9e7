use super::arguments::FormatId;
use super::closure;
use super::planned::{self, PlanFile};
use super::progress::Progress;
use super::review::Inquiry;
use super::wanted::{Everything, Policed};
use crate::checks::{self, Configured, Context, Finding, Level, Watched};
use crate::decision::{
    Case, Cause, Decision, Doubt, FeedOrigin, LocationSide, Origin, PolicyOrigin, PublicationReport, decide,
};
use crate::diff::{self, Change, Difference};
use crate::facts::{Facts, MissingFact, Reviewed, Seen};
use crate::formats::{self, Aspect, FORMATS, Input};
use crate::model::{Snapshot, Store};
use crate::net::NoNames;
use crate::policy::{self, FeedFile, Feeds, Parsed, Plan, Policy, PolicyError, Proposal, Publication, Visibility};
use crate::record::{self, Artifact, Observed};
use crate::source::{File, Files, Problem, Side, Sides, SourceError};
use crate::text::{SourceId, SourceMap, escape, hex};
use miette::Diagnostic;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeSet;
use std::path::PathBuf;

/// Where the policy is.
#[derive(Debug, Clone)]
pub(super) enum PolicyPath {
    /// At a path in the base side.
    InBase(String),
    /// In a file that is part of neither side.
    File(PathBuf),
}

/// What is true outside of what is judged, and where it is found out.
#[derive(Default)]
pub(super) struct Outside {
    /// Whom to ask who reviewed the change; `None`: there is nobody.
    pub(super) inquiry: Option<Inquiry>,
    /// The present instant in seconds since 1970.
    pub(super) now: u64,
    /// Whether that was only given.
    pub(super) pretended: bool,
    /// Whether somebody else than who asks may have written the names in commits.
    pub(super) hearsay: bool,
    /// The file in which it is kept how often removals were seen.
    pub(super) state: Option<PathBuf>,
}

impl Outside {
    /// What is known of a change without asking anybody.
    pub(super) fn facts(&self, sides: &Sides) -> Facts {
        let Self { inquiry: _, now, pretended, hearsay, state: _ } = self;
        Facts {
            authors: sides.authors.clone(),
            hearsay: *hearsay,
            reviewed: Reviewed::Unasked,
            now: Some(*now),
            pretended: *pretended,
            seen: Seen::Unasked,
        }
    }

    /// Notes what is seen now, and tells how often it was.
    fn seen(&self, watched: Vec<Watched>) -> Seen {
        let Some(path) = &self.state else { return Seen::Unasked };
        let watched = watched.into_iter().map(|Watched { removal, over }| (removal, over)).collect();
        match record::observe(path, &watched, self.now) {
            Ok(Observed { removals, begun }) => Seen::Known { removals, begun },
            Err(why) => Seen::Unknown(MissingFact {
                what: format!("how often the removal was seen ({why})"),
                help: why.help().map(|help| help.to_string()).unwrap_or_default(),
            }),
        }
    }
}

/// A change that has been judged.
pub(super) struct Judged {
    pub(super) decision: Decision,
    pub(super) sources: SourceMap,
    /// What was judged; `None`: it could not be read.
    pub(super) subject: Option<Subject>,
    /// How much the policy wants to be told; `None`: it does not say, or could not be read.
    pub(super) visibility: Option<Visibility>,
}

/// What was judged: what a record of it is bound to.
pub(super) struct Subject {
    pub(super) policy: SourceId,
    pub(super) epoch: u64,
    /// The tree of head, where there is one.
    pub(super) tree: Option<String>,
    pub(super) artifact: Artifact,
    /// Every file that is opened where head is put into force.
    pub(super) opened: Vec<SourceId>,
    /// Whether head is a single file, which has no place in a tree.
    pub(super) is_file: bool,
}

/// Everything that is read before anything is computed.
pub(super) struct Read {
    pub(super) policy: Policy,
    pub(super) feeds: Feeds,
    pub(super) checks: Vec<Configured>,
    pub(super) proposal: Proposal,
    pub(super) plan: Plan,
    pub(super) change: Change,
    pub(super) opened: Vec<SourceId>,
}

/// What is decided about, beside what was read.
pub(super) struct Matter<'m> {
    pub(super) difference: &'m Difference,
    pub(super) base: Origin,
    pub(super) head: Origin,
    pub(super) used: Option<PolicyOrigin>,
    /// What is known without asking anybody.
    pub(super) facts: Facts,
}

/// Who is asked for what is not known yet, where it matters.
pub(super) struct Asked<'a> {
    /// How often removals were seen, these now among them.
    pub(super) seen: &'a dyn Fn(Vec<Watched>) -> Seen,
    /// Who reviewed the change; `None`: nobody knows.
    pub(super) reviewed: &'a dyn Fn() -> Option<Reviewed>,
}

/// Judges a change. What cannot be read becomes a doubt of the decision, never a missing part.
///
/// With a Terraform plan, that is what is judged: both sides are in it, and `sides` are where the policy comes from.
///
/// A forge is asked who made and reviewed the change only if `inquiry` says whom to ask, and if that makes a difference:
/// to limits for programs, or to a finding that asks for an approval.
pub(super) fn judge(
    sides: &Sides,
    path: &PolicyPath,
    plan: Option<&PlanFile>,
    outside: &Outside,
    progress: &Progress,
) -> Judged {
    let mut sources = SourceMap::default();
    let (base, head) = match plan {
        None => (origin(&sides.base), origin(&sides.head)),
        Some(_) => (planned::origin(), planned::origin()),
    };
    let (mut used, mut visibility) = (None, None);
    let (artifact, tree) = match plan {
        None => (Artifact::Tree, sides.head.tree()),
        Some(_) => (Artifact::Plan, None),
    };
    let is_file = sides.head.is_file();
    let mut subject = None;
    let decision = match read(sides, path, plan, &mut sources, &mut used, &mut visibility) {
        Ok(read) => {
            let (policy, opened) = (&read.policy, read.opened.clone());
            subject = Some(Subject { policy: policy.source, epoch: policy.epoch, tree, artifact, opened, is_file });
            progress.stage("comparing");
            let difference = diff::compare(&read.change);
            progress.stage("checking");
            let facts = outside.facts(sides);
            let asked = Asked {
                seen: &|watched| outside.seen(watched),
                reviewed: &|| {
                    let inquiry = outside.inquiry.as_ref()?;
                    progress.stage("asking who approved it");
                    Some(inquiry.ask(sides, policy, path, &read.feeds))
                },
            };
            let matter = Matter { difference: &difference, base, head, used, facts };
            conclude(&read, &read.checks, matter, &asked, &sources)
        }
        Err(doubts) => undecided(doubts, base, head, used, &sources),
    };
    Judged { decision, sources, subject, visibility }
}

/// Asks the checks and decides.
pub(super) fn conclude(
    read: &Read,
    checks: &[Configured],
    matter: Matter<'_>,
    asked: &Asked<'_>,
    sources: &SourceMap,
) -> Decision {
    let Read { policy, feeds: _, checks: _, proposal, plan, change, opened: _ } = read;
    let Matter { difference, base, head, used, facts: mut unseen } = matter;
    let depends = checks::depend_on_maker(
        checks,
        &Context { change, difference, policy, proposal, plan, facts: &unseen, sources },
    );
    if depends && let Some(reviewed) = (asked.reviewed)() {
        unseen.reviewed = reviewed;
    }
    let context = Context { change, difference, policy, proposal, plan, facts: &unseen, sources };
    let seen = (asked.seen)(checks::watched(checks, &context));
    let mut facts = Facts { seen, ..unseen.clone() };
    let findings = checks::run(checks, &Context { facts: &facts, ..context });
    if awaits_review(&findings, proposal, &facts)
        && let Some(reviewed) = (asked.reviewed)()
    {
        facts.reviewed = reviewed;
    }
    let (doubts, judging) = (Vec::new(), Some((policy, &facts)));
    let proposed = proposal.policy();
    let case = Case {
        change,
        difference,
        findings,
        doubts,
        base,
        head,
        policy: used,
        names: policy,
        judging,
        proposed,
        spanning: &[],
    };
    decide(case, sources)
}

/// Whether it makes a difference who reviewed the change, and nobody was asked yet: a finding asks for an approval, or the
/// change brings waivers, which count once owners of the policy have approved them.
pub(super) fn awaits_review(findings: &[Finding], proposal: &Proposal, facts: &Facts) -> bool {
    let brings_waivers = || proposal.policy().is_some_and(|policy| !policy.waivers.list.is_empty());
    matches!(facts.reviewed, Reviewed::Unasked)
        && (findings.iter().any(|finding| finding.level == Level::Approve) || brings_waivers())
}

/// There are no sides to judge.
pub(super) fn refuse(why: &SourceError) -> Judged {
    let sources = SourceMap::default();
    let doubt = doubt(Cause::Source, why);
    let decision = undecided(vec![doubt], Origin::default(), Origin::default(), None, &sources);
    Judged { decision, sources, subject: None, visibility: None }
}

pub(super) fn undecided(
    doubts: Vec<Doubt>,
    base: Origin,
    head: Origin,
    policy: Option<PolicyOrigin>,
    sources: &SourceMap,
) -> Decision {
    decide(unread(&Change::default(), &Difference::default(), doubts, (base, head), policy), sources)
}

/// A case of which nothing was compared.
pub(super) fn unread<'c>(
    change: &'c Change,
    difference: &'c Difference,
    doubts: Vec<Doubt>,
    (base, head): (Origin, Origin),
    policy: Option<PolicyOrigin>,
) -> Case<'c> {
    Case {
        change,
        difference,
        findings: Vec::new(),
        doubts,
        base,
        head,
        policy,
        names: &NoNames,
        judging: None,
        proposed: None,
        spanning: &[],
    }
}

/// The policy, and what the change does to it.
pub(super) struct Demands {
    pub(super) policy: Policy,
    pub(super) feeds: Feeds,
    pub(super) checks: Vec<Configured>,
    pub(super) proposal: Proposal,
}

fn read(
    sides: &Sides,
    path: &PolicyPath,
    plan: Option<&PlanFile>,
    sources: &mut SourceMap,
    used: &mut Option<PolicyOrigin>,
    visibility: &mut Option<Visibility>,
) -> Result<Read, Vec<Doubt>> {
    let Demands { policy, feeds, checks, proposal } = demands(sides, path, sources, used, visibility)?;
    if let Some(plan) = plan {
        let (judged, plan, change) = plan.read(&policy, sides, sources)?;
        return Ok(Read { policy, feeds, checks, proposal, plan, change, opened: vec![judged] });
    }
    let (plan, inputs) = planned_inputs(&policy, sides, sources)?;
    let change = both(&inputs, sources);
    let opened = closure::opened(&inputs.1, sources);
    Ok(Read { policy, feeds, checks, proposal, plan, change, opened })
}

/// The configurations of both sides, and what is to be read of each, with all that they include.
pub(super) fn planned_inputs(
    policy: &Policy,
    sides: &Sides,
    sources: &mut SourceMap,
) -> Result<(Plan, Inputs), Vec<Doubt>> {
    let Files { base, head } = sides.files(&Policed(policy)).map_err(source_doubts)?;
    let plan = self::plan(policy, base, head, sources)?;
    let mut inputs = inputs(&plan);
    closure::of_sides(sides, &mut inputs, sources)?;
    Ok((plan, inputs))
}

/// Reads the policy.
pub(super) fn demands(
    sides: &Sides,
    path: &PolicyPath,
    sources: &mut SourceMap,
    used: &mut Option<PolicyOrigin>,
    visibility: &mut Option<Visibility>,
) -> Result<Demands, Vec<Doubt>> {
    let file = policy_file(&sides.base, path)?;
    *used = Some(policy_origin(&file, &sides.base, path));
    let id = add(sources, file)?;
    let proposed = match path {
        PolicyPath::File(_) => None,
        PolicyPath::InBase(path) => Some(sides.head.file(path).map_err(source_doubts)?),
    };
    let parsed = policy::parse(id, sources);
    let proposed = match proposed {
        None => None,
        Some(head) => {
            let head = head.map(|file| add(sources, file)).transpose()?;
            Some(head.map(|id| policy::parse(id, sources)))
        }
    };
    let parsed_both = [Some(&parsed), proposed.iter().flatten().next()];
    let feeds = feeds(parsed_both.into_iter().flatten(), &sides.base, &sides.head)?;
    if let Some(used) = used {
        used.feeds = published(&feeds);
    }
    let (policy, checks) = checks::load(parsed, sources, &format_ids(), &feeds).map_err(policy_doubts)?;
    *visibility = policy.visibility;
    let proposal = match proposed {
        None => Proposal::Outside,
        Some(head) => Proposal::read(&policy, head, sources, &format_ids(), &feeds),
    };
    Ok(Demands { policy, feeds, checks, proposal })
}

/// The files that policies refer to as feeds.
pub(super) fn feeds<'f>(
    policies: impl Iterator<Item = &'f Parsed>,
    base: &Side,
    head: &Side,
) -> Result<Feeds, Vec<Doubt>> {
    let mut feeds = Feeds::default();
    let paths: BTreeSet<String> = policies.flat_map(Parsed::feeds).map(|feed| feed.path).collect();
    for path in paths {
        let of = |side: &Side| side.file(&path).map_err(source_doubts);
        let (base, head) = (of(base)?, of(head)?);
        let [base, head] = [&base, &head].map(|file| file.as_ref().map(|file| file.bytes.as_slice()));
        feeds.add(&path, base, head);
    }
    Ok(feeds)
}

/// Reads a policy for its names and configurations alone.
pub(super) fn load(file: File, sources: &mut SourceMap) -> Result<Policy, Vec<Doubt>> {
    let id = add(sources, file)?;
    policy::load(policy::parse(id, sources), sources, &format_ids(), &Feeds::default()).map_err(policy_doubts)
}

pub(super) fn format_ids() -> Vec<&'static str> {
    FORMATS.iter().map(|format| format.id()).collect()
}

/// What is to be read of base and of head.
pub(super) type Inputs = (Vec<Input>, Vec<Input>);

/// Takes the files in and assigns them to configurations.
pub(super) fn plan(
    policy: &Policy,
    base: Vec<File>,
    head: Vec<File>,
    sources: &mut SourceMap,
) -> Result<Plan, Vec<Doubt>> {
    let mut added = |file: File| Ok((file.path.clone(), add(sources, file)?));
    let mut all = |files: Vec<File>| files.into_iter().map(&mut added).collect::<Result<Vec<_>, Vec<Doubt>>>();
    let (base, head) = (all(base)?, all(head)?);
    Ok(policy.plan(&named(&base), &named(&head)))
}

fn named(files: &[(Vec<u8>, SourceId)]) -> Vec<(&[u8], SourceId)> {
    files.iter().map(|(path, id)| (path.as_slice(), *id)).collect()
}

/// The configurations of a plan.
pub(super) fn inputs(plan: &Plan) -> Inputs {
    let (mut base, mut head) = (Vec::new(), Vec::new());
    for planned in &plan.configurations {
        let format = planned.format.as_deref().and_then(formats::format);
        let input = |files: &Vec<SourceId>| Input { name: planned.name.clone(), format, files: files.clone() };
        base.extend(planned.base.as_ref().map(input));
        head.extend(planned.head.as_ref().map(input));
    }
    (base, head)
}

/// Every file as a configuration of its own, called after it; and the files that no format recognises on either side.
pub(super) fn by_file(
    Files { base, head }: Files,
    given: Option<FormatId>,
    sources: &mut SourceMap,
) -> Result<(Inputs, Vec<String>), Vec<Doubt>> {
    let given = given.and_then(|FormatId(id)| formats::format(id));
    // Whoever names a single file means it.
    let alone = base.len() <= 1 && head.len() <= 1;
    let known = |file: &&File| {
        given.is_some() || alone || FORMATS.iter().any(|format| format.recognises(&escape(&file.path), &file.bytes))
    };
    // A file that one side has in a known format counts on the other side whatever it has become there.
    let wanted: BTreeSet<Vec<u8>> = base.iter().chain(&head).filter(known).map(|file| file.path.clone()).collect();
    let is_wanted = |file: &File| wanted.contains(&file.path);
    let left: BTreeSet<String> =
        base.iter().chain(&head).filter(|file| !is_wanted(file)).map(|file| escape(&file.path)).collect();
    let mut side = |files: Vec<File>| -> Result<Vec<Input>, Vec<Doubt>> {
        let input =
            |file: File| Ok(Input { name: escape(&file.path), format: given, files: vec![add(sources, file)?] });
        files.into_iter().filter(is_wanted).map(input).collect()
    };
    Ok(((side(base)?, side(head)?), left.into_iter().collect()))
}

/// Reads both sides.
pub(super) fn both(inputs: &Inputs, sources: &SourceMap) -> Change {
    both_as(Aspect::After, inputs, sources)
}

/// The same where the texts of base hold both sides: that one is read of them.
pub(super) fn both_as(aspect: Aspect, (base, head): &Inputs, sources: &SourceMap) -> Change {
    let mut store = Store::default();
    let (base, memo, _): (Snapshot, _, _) = formats::read_before(aspect, base, head, sources, &mut store);
    let (head, _, _) = formats::read(head, sources, &mut store, Some(&memo));
    Change::new(base, head, store)
}

pub(super) fn origin(side: &Side) -> Origin {
    Origin { source: side.kind().to_owned(), revision: side.revision().map(ToOwned::to_owned) }
}

/// The policy file.
pub(super) fn policy_file(base: &Side, path: &PolicyPath) -> Result<File, Vec<Doubt>> {
    match path {
        PolicyPath::InBase(path) => base.file(path).map_err(source_doubts)?.ok_or_else(|| {
            let message = format!("there is no policy: base has no file `{path}` ({})", base.describe());
            let help =
                "`portcullis init` writes a first one; commit it in a change of its own, because what is in force \
                        judges what is proposed; if it is called otherwise, name it with --policy"
                    .to_owned();
            vec![Doubt { cause: Cause::Policy, message, help, at: None }]
        }),
        PolicyPath::File(path) => {
            let refused = |why: &dyn Diagnostic| vec![doubt(Cause::Policy, why)];
            let side = Side::path(path).map_err(|why| refused(&why))?;
            let mut files = side.files(&Everything).map_err(source_doubts)?;
            match (files.pop(), files.pop()) {
                (Some(file), None) => Ok(file),
                _ => {
                    let message = format!("there is no policy: `{}` is not a file", path.display());
                    let help = "name the policy file itself, such as portcullis.yaml".to_owned();
                    Err(vec![Doubt { cause: Cause::Policy, message, help, at: None }])
                }
            }
        }
    }
}

pub(super) fn policy_origin(file: &File, base: &Side, path: &PolicyPath) -> PolicyOrigin {
    let revision = match path {
        PolicyPath::InBase(_) => base.revision().map(ToOwned::to_owned),
        PolicyPath::File(_) => None,
    };
    let sha256 = hex(&Sha256::digest(&file.bytes));
    PolicyOrigin { path: escape(&file.name), revision, sha256, feeds: Vec::new() }
}

/// The lists that a policy refers to, for the report.
pub(super) fn published(feeds: &Feeds) -> Vec<FeedOrigin> {
    let publication = |Publication { sha256, made }| PublicationReport { sha256, made };
    let feed = |FeedFile { path, base, head }| FeedOrigin {
        path: escape(String::as_bytes(&path)),
        base: base.map(publication),
        head: head.map(publication),
    };
    feeds.files().into_iter().map(feed).collect()
}

/// An empty text, for what has no file.
pub(super) fn nothing(sources: &mut SourceMap) -> SourceId {
    sources.add(b"", Vec::new()).expect("nothing is not too large")
}

/// Says which files were left out.
pub(super) fn left_out(left: &[String]) -> Option<String> {
    let more = if left.len() > 5 { " …" } else { "" };
    let names: Vec<&str> = left.iter().map(String::as_str).take(5).collect();
    (!left.is_empty()).then(|| format!("note: left out, of no known format: {}{more}", names.join(", ")))
}

/// Takes a file in.
pub(super) fn add(sources: &mut SourceMap, file: File) -> Result<SourceId, Vec<Doubt>> {
    let File { path: _, name, bytes, executable } = file;
    let id = sources.add(&name, bytes).map_err(|bytes| {
        let why = Problem::TooLarge {
            path: escape(&name),
            bytes: u64::try_from(bytes.len()).unwrap_or(u64::MAX),
            limit: crate::source::MAX_FILE_BYTES,
        };
        source_doubts(vec![why])
    })?;
    if executable {
        sources.set_executable(id);
    }
    Ok(id)
}

pub(super) fn policy_doubts(errors: Vec<PolicyError>) -> Vec<Doubt> {
    let doubt =
        |error: &PolicyError| Doubt { at: Some((LocationSide::Policy, error.at())), ..doubt(Cause::Policy, error) };
    errors.iter().map(doubt).collect()
}

pub(super) fn source_doubts(problems: Vec<Problem>) -> Vec<Doubt> {
    problems.iter().map(|problem| doubt(Cause::Source, problem)).collect()
}

pub(super) fn doubt(cause: Cause, why: &dyn Diagnostic) -> Doubt {
    let help = why.help().map(|help| help.to_string()).unwrap_or_default();
    Doubt { cause, message: why.to_string(), help, at: None }
}
