//! What the gate can demand: one file a check, and one page a check in `policies/`.
//!
//! A check is pure: it reads a change, the policy and facts, and says what is wrong, why and what to do.
//! Knows nothing of formats, reports, files or networks.

mod balancers;
mod deletions;
mod effects;
mod looked_up;
mod news;
mod open;
mod questions;
mod remarks;
mod rules;
mod schema;
mod scope;
mod spans;
mod stable;
mod things;

pub use crate::policy::Level;
pub use open::{Opened, Reached, closed, left_beside, opened, reached};
pub use remarks::{Described, Remark, described, remarks, watchers};
pub use schema::{schema, settings};
pub use scope::Scope;
pub use spans::{Spans, spans};

use crate::diff::balancers::RequestDelta;
use crate::diff::{Change, Difference, Side, Witness};
use crate::facts::{Facts, MissingFact};
use crate::model::Literal;
use crate::net::Region;
use crate::policy::{
    ApprovalKeys, COMMON_KEYS, Entry, FeedDoubt, Feeds, Node, Parsed, Plan, Policy, PolicyError, Proposal, Reader,
    Waiver, WaiverScope, sorted,
};
use crate::text::{SourceMap, Span};
use std::time::Duration;

/// Declares the checks: one line each, which is both the module and the registration.
macro_rules! checks {
    ($($module:ident),* $(,)?) => {
        $(mod $module;)*
        /// Every check, sorted by id.
        pub static CHECKS: &[&Declaration] = &[$(&$module::DECLARATION),*];
    };
}

checks! {
    any_any_rules,
    backend_consistency,
    certificate_references,
    critical_ports,
    default_action,
    deletion_limit,
    duplicate_rules,
    empty_input,
    expected_flows,
    expired_rules,
    exposed_ports,
    family_gap,
    freeze_window,
    hard_coded_indexes,
    health_checks,
    listener_changes,
    policy_changes,
    pool_capacity,
    protected_ranges,
    protected_rules,
    redundant_rules,
    required_approvals,
    required_coverage,
    route_changes,
    rule_reason,
    separate_flush,
    shadowed_rules,
    undefined_references,
    unreadable,
    unused_objects,
}

/// Declares one check: its id is the file's name, its page is `policies/<id>.md`.
macro_rules! declare_check {
    (id: $id:literal, since: $since:literal, level: $level:ident, settings: $settings:ty $(, always: $always:literal)? $(, alone: $alone:ident)? $(, sees: $sees:ident)? $(, waivable: $waivable:literal)? $(, counted: $counted:literal)? $(,)?) => {
        pub(super) static DECLARATION: $crate::checks::Declaration = $crate::checks::Declaration {
            id: $id,
            since: $since,
            level: $crate::checks::Level::$level,
            always: false $(|| $always)?,
            waivable: true $(&& $waivable)?,
            counted: false $(|| $counted)?,
            alone: [$($crate::checks::Alone::$alone,)? $crate::checks::Alone::Never][0],
            sees: [$($crate::checks::Sees::$sees,)? $crate::checks::Sees::Anything][0],
            page: include_str!(concat!("../../policies/", $id, ".md")),
            configure: |node, reader| {
                <$settings as $crate::policy::Read>::read(node, reader)
                    .map(|check| Box::new(check) as Box<dyn $crate::checks::Check>)
            },
            schema: |generator| {
                <$settings as schemars::JsonSchema>::json_schema(generator)
            },
        };
    };
}
pub(crate) use declare_check;

/// What is known of a check before it is configured.
pub struct Declaration {
    /// Its id, in policies and reports.
    pub id: &'static str,
    /// The version of the program that brought it.
    pub since: &'static str,
    /// Its level where the policy gives none.
    pub level: Level,
    /// Whether it runs even where no policy names it; then its level can only be raised.
    pub always: bool,
    /// Whether a waiver can accept its findings.
    pub waivable: bool,
    /// Whether its findings say how many objects go, so that a waiver has to say it as well.
    pub counted: bool,
    /// Whether it can be asked about one side.
    pub alone: Alone,
    /// What it looks at.
    pub sees: Sees,
    /// Its page.
    pub page: &'static str,
    /// Reads its settings.
    pub configure: fn(&Node, &mut Reader<'_>) -> Option<Box<dyn Check>>,
    /// The schema of its settings.
    pub schema: fn(&mut schemars::SchemaGenerator) -> schemars::Schema,
}

impl Declaration {
    /// What it reports: the sentence that its page begins with.
    #[must_use]
    pub fn summary(&self) -> &'static str {
        self.page.lines().find(|line| !line.is_empty() && !line.starts_with('#')).unwrap_or_default()
    }
}

/// Whether a check can be asked about one side, without a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alone {
    /// It is about changes.
    Never,
    /// Where a policy names it.
    Named,
    /// Whether a policy names it or not.
    Always,
}

/// What a check looks at: where there is none of it, the check never has anything to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sees {
    /// The points at which packets are decided.
    Filters,
    /// Listeners, routes, backends and servers.
    Balancers,
    /// Whatever a configuration declares.
    Anything,
}

/// A configured check. Pure: it reads the context and nothing else.
pub trait Check: std::fmt::Debug + Send + Sync {
    /// Looks at the change, and reports.
    ///
    /// # Errors
    /// A fact is needed that is not known.
    fn run(&self, cx: &Context<'_>, report: &mut Report<'_>) -> Result<(), MissingFact>;

    /// Whether what it says of one configuration depends on nothing but that configuration.
    fn spans(&self, _: &Policy) -> Spans {
        Spans::Nothing
    }

    /// What of the change, in that scope, has to be seen several times before it counts.
    fn watched(&self, _: &Context<'_>, _: &Scope) -> Option<Watched> {
        None
    }

    /// Whether it makes a difference to it, in that scope, who made the change.
    fn depends_on_maker(&self, _: &Context<'_>, _: &Scope) -> bool {
        false
    }
}

/// Something that a change does and that has to be seen several times before it counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watched {
    /// The SHA-256, in hexadecimal, of what it does, by meaning.
    pub removal: String,
    /// For how long it has to be seen.
    pub over: Duration,
}

/// What a check sees.
#[derive(Clone, Copy)]
pub struct Context<'c> {
    /// Both sides.
    pub change: &'c Change,
    /// What the change does, as it is shown. Answers come from [`crate::diff::ask`], not from here.
    pub difference: &'c Difference,
    /// The policy that judges, and its names for sets.
    pub policy: &'c Policy,
    /// What the change does to the policy.
    pub proposal: &'c Proposal,
    /// Which files make up which configuration.
    pub plan: &'c Plan,
    /// What is true outside the configuration.
    pub facts: &'c Facts,
    /// The texts that spans point into.
    pub sources: &'c SourceMap,
}

/// Something a check has to say.
#[derive(Debug, Clone)]
pub struct Finding {
    /// Which of the configured checks it is of, from 0.
    pub entry: usize,
    /// The check's id.
    pub check: &'static str,
    /// The name of this instance in the policy.
    pub name: Option<String>,
    /// Its level in the policy.
    pub level: Level,
    /// Whether it only says that a setting is about nothing.
    pub idle: bool,
    /// Set when the check could not find out what it has to: whatever the level, the decision is then undecided
    /// unless something worse holds. Never a pass.
    pub undecided: Option<Undecided>,
    /// What is wrong, one sentence without a full stop.
    pub message: String,
    /// What to do.
    pub help: String,
    /// The configuration.
    pub configuration: Option<String>,
    /// The filter.
    pub filter: Option<String>,
    /// The packets, and the conditions under which it is so.
    pub flow: Option<(Region, Vec<Literal>)>,
    /// One of them on both sides.
    pub witness: Option<Witness>,
    /// How many more flows it is about that are not shown.
    pub unlisted: usize,
    /// How many objects go, of all that the check counts, where a waiver has to say that.
    pub removes: Option<usize>,
    /// The requests.
    pub request: Option<RequestDelta>,
    /// Where it is to be seen.
    pub location: Option<(Side, Span)>,
    /// Other places that have to do with it, the weightiest first, and what each is to it: `by`, `instead` …
    pub related: Vec<(&'static str, Side, Span)>,
    /// The line of the policy that demands it.
    pub policy: Option<Span>,
    /// The approvals that it needs at level [`Level::Approve`], all of them; none: what the policy asks for by default.
    pub approvals: Vec<ApprovalKeys>,
}

impl Finding {
    /// Whether it says of all configurations that none is what a setting is about: so it holds only where it is said of
    /// every part of them.
    #[must_use]
    pub fn everywhere(&self) -> bool {
        self.idle || self.undecided == Some(Undecided::MatchesNothing)
    }
}

/// Why a check could not find out what it has to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Undecided {
    /// A question was too hard for its budget.
    TooHard,
    /// A fact is not known.
    MissingFact,
    /// A pattern of the policy names nothing, so that nothing was judged.
    MatchesNothing,
    /// Input is not understood, or its effect is not computed.
    Unreadable,
    /// Two computations of the same disagree: an error of this program.
    Internal,
}

/// A check as the policy configures it.
#[derive(Debug)]
pub struct Configured {
    declaration: &'static Declaration,
    check: Box<dyn Check>,
    level: Level,
    name: Option<String>,
    within: Scope,
    approvals: Option<ApprovalKeys>,
    /// Why it is not known what it demands.
    doubts: Vec<FeedDoubt>,
    /// `None`: no policy names it.
    at: Option<Span>,
}

impl std::fmt::Debug for Declaration {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.id)
    }
}

/// The check of that id.
#[must_use]
pub fn find(id: &str) -> Option<&'static Declaration> {
    CHECKS.iter().find(|declaration| declaration.id == id).copied()
}

/// Reads a policy and configures its checks; see [`crate::policy::load`].
///
/// # Errors
/// Everything that is wrong with either.
pub fn load(
    parsed: Parsed,
    sources: &mut SourceMap,
    formats: &[&str],
    feeds: &Feeds,
) -> Result<(Policy, Vec<Configured>), Vec<PolicyError>> {
    let (policy, mut problems) = crate::policy::read(parsed, sources, formats, feeds);
    let Some(policy) = policy else { return Err(sorted(problems)) };
    match configure(&policy) {
        Ok(checks) if problems.is_empty() => return Ok((policy, checks)),
        Ok(_) => {}
        Err(more) => problems.extend(more),
    }
    Err(sorted(problems))
}

/// Turns the entries of a policy into checks. Those that always run are among them whether they are named or not.
///
/// # Errors
/// Every check, key, level or value that does not exist.
pub fn configure(policy: &Policy) -> Result<Vec<Configured>, Vec<PolicyError>> {
    let mut reader = Reader::new(&policy.names);
    let mut configured: Vec<_> = policy.entries.iter().filter_map(|entry| one(entry, &mut reader)).collect();
    for declaration in CHECKS.iter().filter(|declaration| declaration.always) {
        // An entry for some configurations leaves the others.
        let everywhere = |check: &Configured| check.declaration.id == declaration.id && check.within.is_everything();
        if !configured.iter().any(everywhere) {
            let empty = Node { span: policy.root.span, kind: crate::policy::Kind::Map(Vec::new()) };
            configured.extend(unnamed(declaration, &empty, &mut reader));
        }
    }
    waivers(policy, &mut reader);
    if reader.problems.is_empty() { Ok(configured) } else { Err(sorted(reader.problems)) }
}

/// Of some checks those that can be asked about one side, those that need no policy added; and the ids of the others.
#[must_use]
pub fn alone(mut configured: Vec<Configured>, policy: &Policy) -> (Vec<Configured>, Vec<&'static str>) {
    let left: Vec<_> = configured.extract_if(.., |check| check.declaration.alone == Alone::Never).collect();
    let mut left: Vec<&'static str> = left.iter().map(|check| check.declaration.id).collect();
    left.sort_unstable();
    left.dedup();
    let mut reader = Reader::new(&policy.names);
    let empty = Node { span: policy.root.span, kind: crate::policy::Kind::Map(Vec::new()) };
    for declaration in CHECKS.iter().filter(|declaration| declaration.alone == Alone::Always) {
        if configured.iter().all(|check| check.declaration.id != declaration.id) {
            configured.extend(unnamed(declaration, &empty, &mut reader));
        }
    }
    (configured, left)
}

/// Turns entries that stand outside of the policy into checks, with its names.
///
/// # Errors
/// As [`configure`].
pub fn configure_more(entries: &[Entry], policy: &Policy) -> Result<Vec<Configured>, Vec<PolicyError>> {
    let mut reader = Reader::new(&policy.names);
    let configured: Vec<_> = entries.iter().filter_map(|entry| one(entry, &mut reader)).collect();
    if reader.problems.is_empty() { Ok(configured) } else { Err(sorted(reader.problems)) }
}

/// Of some checks those of that id.
#[must_use]
pub fn only(mut configured: Vec<Configured>, id: &str) -> Vec<Configured> {
    configured.retain(|check| check.declaration.id == id);
    configured
}

/// What only warns blocks.
pub fn deny_warnings(configured: &mut [Configured]) {
    for check in configured.iter_mut().filter(|check| check.level == Level::Warn) {
        check.level = Level::Block;
    }
}

/// Waivers are of checks that exist and whose findings somebody can answer for.
fn waivers(policy: &Policy, reader: &mut Reader<'_>) {
    for Waiver { id, check, name, scope, .. } in &policy.waivers.list {
        match find(&check.value) {
            None => {
                let known: Vec<&str> = CHECKS.iter().map(|declaration| declaration.id).collect();
                reader.unknown("check", &check.value, &known, check.span);
            }
            Some(declaration) if !declaration.waivable => {
                let message = format!("`{}` cannot be waived (`{}`)", check.value, id.value);
                reader.refuse(
                    check.span,
                    message,
                    "what it stands for is not a matter of one finding: correct the change",
                );
            }
            Some(declaration) if declaration.counted != matches!(scope, WaiverScope::Deletions(_)) => {
                let (message, help) = if declaration.counted {
                    (
                        format!("`{}` does not say how many objects may go", id.value),
                        "write `expect_deletions: 12` alone: the number that the report gives, and that whoever approves it \
                         has seen",
                    )
                } else {
                    let message = format!("findings of `{}` do not count what goes (`{}`)", check.value, id.value);
                    (message, "write one of `flow`, `object` and `fingerprint`: what exactly is accepted")
                };
                reader.refuse(check.span, message, help);
            }
            Some(_) => {}
        }
        if let Some(name) = name {
            let mine = policy.entries.iter().filter(|entry| entry.check.value == check.value);
            let names: Vec<&str> = mine.filter_map(|entry| Some(entry.name.as_ref()?.value.as_str())).collect();
            if !names.contains(&name.value.as_str()) {
                reader.unknown("entry called", &name.value, &names, name.span);
            }
        }
    }
}

/// A check as it is where no policy names it.
fn unnamed(declaration: &'static Declaration, empty: &Node, reader: &mut Reader<'_>) -> Option<Configured> {
    let check = (declaration.configure)(empty, reader)?;
    let (level, within) = (declaration.level, Scope::everything());
    Some(Configured { declaration, check, level, name: None, within, approvals: None, doubts: Vec::new(), at: None })
}

fn one(entry: &Entry, reader: &mut Reader<'_>) -> Option<Configured> {
    let Entry { check, name, level, within, approvals, node: _ } = entry;
    let Some(declaration) = find(&check.value) else {
        let known: Vec<&str> = CHECKS.iter().map(|declaration| declaration.id).collect();
        reader.unknown("check", &check.value, &known, check.span);
        return None;
    };
    reader.elsewhere = COMMON_KEYS;
    let settings = (declaration.configure)(&entry.settings(), reader);
    let wanted = level.as_ref().map_or(declaration.level, |level| level.value);
    if let Some(level) = level
        && declaration.always
        && wanted < declaration.level
    {
        let message = format!("`{}` cannot be lowered to `{wanted}`", check.value);
        let help = format!("its level is at least `{}`; remove the key", declaration.level);
        reader.refuse(level.span, message, help);
    }
    if approvals.is_some() && wanted != Level::Approve {
        let help = "write `level: approve`, or remove `approvals`";
        reader.refuse(check.span, "`approvals` has a meaning only at level `approve`", help);
    }
    Some(Configured {
        declaration,
        check: settings?,
        level: wanted,
        name: name.as_ref().map(|name| name.value.clone()),
        within: Scope::of(within.as_deref()),
        approvals: approvals.clone(),
        doubts: std::mem::take(&mut reader.doubts),
        at: Some(check.span),
    })
}

/// Everything that has to be seen several times before it counts: what [`Facts::seen`] has to be known of.
#[must_use]
pub fn watched(checks: &[Configured], cx: &Context<'_>) -> Vec<Watched> {
    let on = checks.iter().filter(|configured| configured.level != Level::Off);
    on.filter_map(|configured| configured.check.watched(cx, &configured.within)).collect()
}

/// Whether it makes a difference who made the change: what [`Facts::maker`] has to be known for.
#[must_use]
pub fn depend_on_maker(checks: &[Configured], cx: &Context<'_>) -> bool {
    let mut on = checks.iter().filter(|configured| configured.level != Level::Off);
    on.any(|configured| configured.check.depends_on_maker(cx, &configured.within))
}

/// Runs the checks. A check that needs a fact which is not known reports that it could not find out.
#[must_use]
pub fn run(checks: &[Configured], cx: &Context<'_>) -> Vec<Finding> {
    run_those(checks, cx, |_| true)
}

/// Runs those of the checks that span so much.
#[must_use]
pub fn run_those(checks: &[Configured], cx: &Context<'_>, wanted: impl Fn(Spans) -> bool) -> Vec<Finding> {
    let mut all = Vec::new();
    let spans = spans(checks, cx.policy).into_iter();
    let on = checks.iter().zip(spans).enumerate().filter(|(_, (configured, _))| configured.level != Level::Off);
    for (entry, (configured, spans)) in on.filter(|(_, (_, spans))| wanted(*spans)) {
        let mut findings = one_of(configured, entry, cx);
        if spans == Spans::Nothing {
            findings.sort_by(|a, b| a.configuration.cmp(&b.configuration));
        }
        all.append(&mut findings);
    }
    all
}

/// What one check finds.
fn one_of(configured: &Configured, entry: usize, cx: &Context<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut report = Report { configured, entry, focus: None, findings: &mut findings };
    configured.within.report_idle(cx, &mut report);
    for FeedDoubt { message, help, at } in &configured.doubts {
        report.undecided(Undecided::MissingFact, message, help).policy = Some(*at);
    }
    if configured.doubts.is_empty()
        && let Err(missing) = configured.check.run(cx, &mut report)
    {
        let message = format!("it cannot be checked: {missing}");
        report.undecided(Undecided::MissingFact, message, missing.help);
    }
    findings
}

/// Where a check puts what it has to say.
pub struct Report<'r> {
    configured: &'r Configured,
    entry: usize,
    focus: Option<Span>,
    findings: &'r mut Vec<Finding>,
}

impl Report<'_> {
    /// Which configurations and filters the check is about.
    pub(crate) fn scope(&self) -> &Scope {
        &self.configured.within
    }

    /// Where the policy names the check.
    pub(crate) fn at(&self) -> Option<Span> {
        self.configured.at
    }

    /// From now on findings are about this line of the policy.
    pub(crate) fn focus(&mut self, span: Span) {
        self.focus = Some(span);
    }

    /// A finding at the level of the policy. Add to what is returned where it is and what it is about.
    pub(crate) fn finding(&mut self, message: impl Into<String>, help: impl Into<String>) -> &mut Finding {
        let Configured { declaration, check: _, level, name, within: _, approvals, doubts: _, at } = self.configured;
        self.findings.push(Finding {
            entry: self.entry,
            check: declaration.id,
            name: name.clone(),
            level: *level,
            idle: false,
            undecided: None,
            message: message.into(),
            help: help.into(),
            configuration: None,
            filter: None,
            flow: None,
            witness: None,
            unlisted: 0,
            removes: None,
            request: None,
            location: None,
            related: Vec::new(),
            policy: self.focus.or(*at),
            approvals: approvals.iter().cloned().collect(),
        });
        self.findings.last_mut().expect("one has just been added")
    }

    /// Says that the check could not find out what it has to.
    pub(crate) fn undecided(
        &mut self,
        why: Undecided,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> &mut Finding {
        let finding = self.finding(message, help);
        finding.undecided = Some(why);
        finding
    }

    /// Says that a setting is about nothing: what it demands cannot be broken, and is not held either.
    pub(crate) fn idle(&mut self, message: impl Into<String>, at: Option<Span>) {
        let help = "correct the policy, or remove the entry: as it stands it protects nothing";
        let finding = self.finding(message, help);
        finding.policy = at.or(finding.policy);
        finding.idle = true;
    }
}
