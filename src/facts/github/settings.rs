//! What protects a branch: rulesets, classic branch protection, environments, and what workflows may do.

use super::client::{Client, part, parts};
use super::fault::Fault;
use super::{Condition, Holds, Protection, ProtectionQuestion};
use crate::facts::MissingFact;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeSet;

pub(super) fn protection(question: &ProtectionQuestion) -> Result<Protection, MissingFact> {
    let what = format!("what protects {}", question.repository);
    let ask = async |client: &Client| Examination { question, client }.all().await;
    super::asking(&question.api, question.token.as_ref(), question.limits, &what, ask)
}

struct Examination<'e> {
    question: &'e ProtectionQuestion,
    client: &'e Client,
}

/// What was read, or why it was not.
type Read<T> = Result<T, Fault>;

/// Everything that was read.
struct Seen {
    rules: Read<Rules>,
    /// `None`: the branch has no protection of the classic kind.
    classic: Read<Option<Classic>>,
    /// Of every ruleset that a rule comes from, who may go around it.
    rulesets: Vec<(u64, Read<Ruleset>)>,
    environments: Read<Environments>,
    workflows: Read<Workflows>,
    /// `None`: no file names owners.
    owners: Read<Option<Owners>>,
}

impl Examination<'_> {
    async fn all(&self) -> Result<Protection, Fault> {
        let repository = parts(&self.question.repository);
        let root = format!("/repos/{repository}");
        let Repository { default_branch } = self.client.one(&root).await?;
        let branch = self.question.branch.clone().unwrap_or(default_branch);
        let at = part(&branch);
        let Branch { protected } = self.client.one(&format!("{root}/branches/{at}")).await?;
        let classic = match protected {
            false => Ok(None),
            true => self.client.one(&format!("{root}/branches/{at}/protection")).await.map(Some),
        };
        let rules = self.client.list(&format!("{root}/rules/branches/{at}"), |_: &Rule| None).await;
        let rules = rules.and_then(Rules::new);
        let mut rulesets = Vec::new();
        for id in rules.iter().flat_map(|rules| &rules.sources) {
            rulesets.push((*id, self.client.one(&format!("{root}/rulesets/{id}")).await));
        }
        let seen = Seen {
            rules,
            classic,
            rulesets,
            environments: self.client.one(&format!("{root}/environments?per_page=100")).await,
            workflows: self.client.one(&format!("{root}/actions/permissions/workflow")).await,
            owners: self.client.found(&format!("{root}/codeowners/errors?ref={at}")).await,
        };
        let conditions = seen.conditions(&branch, self.question.context.as_deref());
        Ok(Protection { repository: self.question.repository.clone(), branch, conditions })
    }
}

/// Whether something holds, and what was seen.
type Answer = (Holds, String);

impl Seen {
    fn conditions(&self, branch: &str, context: Option<&str>) -> Vec<Condition> {
        let gate = context.map_or_else(|| "the gate".to_owned(), |name| format!("`{name}`"));
        let by_reviews = |classic: &Classic, of: fn(&ClassicReviews) -> bool| {
            classic.required_pull_request_reviews.as_ref().is_some_and(of)
        };
        let condition =
            |id, sentence: String, (holds, seen): Answer, help| Condition { id, sentence, holds, seen, help };
        vec![
            condition(
                "approvals",
                format!("`{branch}` changes by pull requests alone that somebody has approved"),
                self.either(
                    |rules| rules.pulls.iter().any(|rule| rule.required_approving_review_count >= 1),
                    |classic| {
                        by_reviews(classic, |reviews| reviews.required_approving_review_count.is_some_and(|n| n >= 1))
                    },
                ),
                "add a ruleset with `Require a pull request before merging` and at least 1 approval",
            ),
            condition(
                "stale-approvals",
                "a push takes approvals back".to_owned(),
                self.either(
                    |rules| rules.pulls.iter().any(|rule| rule.dismiss_stale_reviews_on_push),
                    |classic| by_reviews(classic, |reviews| reviews.dismiss_stale_reviews),
                ),
                "turn on `Dismiss stale pull request approvals when new commits are pushed`",
            ),
            condition(
                "last-push",
                "whoever pushed last cannot be the one who approves".to_owned(),
                self.either(
                    |rules| rules.pulls.iter().any(|rule| rule.require_last_push_approval),
                    |classic| by_reviews(classic, |reviews| reviews.require_last_push_approval.unwrap_or(false)),
                ),
                "turn on `Require approval of the most recent reviewable push`",
            ),
            condition(
                "code-owners",
                "owners of files approve what touches them".to_owned(),
                self.either(
                    |rules| rules.pulls.iter().any(|rule| rule.require_code_owner_review),
                    |classic| by_reviews(classic, |reviews| reviews.require_code_owner_reviews),
                ),
                "turn on `Require review from Code Owners`, and own portcullis.yaml and the workflow of the gate",
            ),
            condition(
                "conversations",
                "what reviewers ask is answered before the merge".to_owned(),
                self.either(
                    |rules| rules.pulls.iter().any(|rule| rule.required_review_thread_resolution),
                    |classic| enabled(classic.required_conversation_resolution),
                ),
                "turn on `Require conversation resolution before merging`",
            ),
            condition(
                "required-check",
                format!("{gate} must pass before the merge"),
                self.either(
                    |rules| rules.checks.iter().any(|check| is_gate(&check.context, context)),
                    |classic| classic.checks().any(|check| is_gate(&check.context, context)),
                ),
                "add it under `Require status checks to pass`",
            ),
            condition(
                "check-source",
                format!("nobody else can report {gate} as passed"),
                self.either(
                    |rules| {
                        let bound =
                            |check: &RuleCheck| is_gate(&check.context, context) && check.integration_id.is_some();
                        rules.checks.iter().any(bound)
                    },
                    |classic| {
                        let mut checks = classic.checks();
                        checks.any(|check| is_gate(&check.context, context) && check.app_id.is_some_and(|id| id > 0))
                    },
                ),
                "bind the required check to the app that reports it (GitHub Actions, or one of your own)",
            ),
            condition(
                "required-workflow",
                "a pull request cannot change the workflow that judges it".to_owned(),
                self.either(|rules| rules.workflows > 0, |_| false),
                "require the workflow by a ruleset of the organisation, from a repository of its own",
            ),
            condition(
                "up-to-date",
                "what is merged was judged on top of the newest state".to_owned(),
                self.either(
                    |rules| rules.strict || !rules.queues.is_empty(),
                    |classic| {
                        classic.required_status_checks.as_ref().is_some_and(|checks| checks.strict.unwrap_or(false))
                    },
                ),
                "turn on `Require branches to be up to date before merging`, or use a merge queue",
            ),
            condition(
                "merge-queue",
                "of a merge queue every pull request is judged, not only the last of a group".to_owned(),
                self.queue(),
                "set the queue to `Require all queue entries to pass required checks`",
            ),
            condition(
                "force-pushes",
                format!("the history of `{branch}` cannot be rewritten"),
                self.either(|rules| rules.no_force, |classic| !enabled(classic.allow_force_pushes)),
                "turn on `Block force pushes`",
            ),
            condition(
                "deletions",
                format!("`{branch}` cannot be deleted"),
                self.either(|rules| rules.no_deletion, |classic| !enabled(classic.allow_deletions)),
                "turn on `Restrict deletions`",
            ),
            condition(
                "bypass",
                "nobody goes around all this".to_owned(),
                self.bypass(),
                "empty the bypass lists (or allow it for pull requests only), and include administrators",
            ),
            condition(
                "actions-approve",
                "workflows cannot approve pull requests".to_owned(),
                known(&self.workflows, |workflows| match workflows.can_approve_pull_request_reviews {
                    false => (Holds::Yes, "they may not".to_owned()),
                    true => (Holds::No, "they may".to_owned()),
                }),
                "turn off `Allow GitHub Actions to create and approve pull requests`",
            ),
            condition(
                "environments",
                "nobody approves a deployment of their own, administrators neither".to_owned(),
                known(&self.environments, environments),
                "give every environment required reviewers, `Prevent self-review`, and no bypass for administrators",
            ),
            condition(
                "owners-file",
                "the file that names owners has no errors".to_owned(),
                known(&self.owners, |owners| match owners {
                    // Nothing that may be seen: it need not be so that there is none.
                    None => (Holds::Unknown, "none is seen".to_owned()),
                    Some(Owners { errors }) if errors.is_empty() => (Holds::Yes, "it has none".to_owned()),
                    Some(Owners { errors }) => (Holds::No, format!("it has {}", errors.len())),
                }),
                "mend CODEOWNERS; lines with errors own nothing",
            ),
        ]
    }

    /// Whether a rule or classic protection says it. What neither says does not hold if both could be seen.
    fn either(&self, of_rules: impl Fn(&Rules) -> bool, of_classic: impl Fn(&Classic) -> bool) -> Answer {
        if self.rules.as_ref().is_ok_and(&of_rules) {
            return (Holds::Yes, "a ruleset says so".to_owned());
        }
        match (&self.rules, &self.classic) {
            (_, Ok(Some(classic))) if of_classic(classic) => (Holds::Yes, "the branch protection says so".to_owned()),
            (Ok(_), Ok(None)) => (Holds::No, "no ruleset says so, and there is no branch protection".to_owned()),
            (Ok(_), Ok(Some(_))) => (Holds::No, "neither a ruleset nor the branch protection says so".to_owned()),
            (Err(why), _) => (Holds::Unknown, format!("rules cannot be read: {why}")),
            (_, Err(why)) => {
                (Holds::Unknown, format!("no ruleset says so; the branch protection cannot be read: {why}"))
            }
        }
    }

    fn queue(&self) -> Answer {
        known(&self.rules, |rules| {
            if rules.queues.is_empty() {
                (Holds::Yes, "there is no queue".to_owned())
            } else if rules.queues.iter().all(|grouping| *grouping == Grouping::AllGreen) {
                (Holds::Yes, "all entries of a group must pass".to_owned())
            } else {
                (Holds::No, "only the last entry of a group must pass".to_owned())
            }
        })
    }

    fn bypass(&self) -> Answer {
        let (mut holds, mut seen) = (Holds::Yes, Vec::new());
        let mut note = |found: Holds, text: String| {
            holds = match (holds, found) {
                (Holds::No, _) | (_, Holds::No) => Holds::No,
                (Holds::Unknown, _) | (_, Holds::Unknown) => Holds::Unknown,
                (Holds::Yes, Holds::Yes) => Holds::Yes,
            };
            seen.push(text);
        };
        if let Err(why) = &self.rules {
            note(Holds::Unknown, format!("rules cannot be read: {why}"));
        }
        for (id, ruleset) in &self.rulesets {
            match ruleset.as_ref().map(|ruleset| ruleset.bypass_actors.as_deref()) {
                Err(why) => note(Holds::Unknown, format!("ruleset {id} cannot be read: {why}")),
                Ok(None) => note(Holds::Unknown, format!("who may go around ruleset {id} is not shown to this token")),
                Ok(Some(actors)) => {
                    match actors.iter().filter(|actor| actor.bypass_mode != BypassMode::PullRequest).count() {
                        0 => note(Holds::Yes, format!("nobody goes around ruleset {id}")),
                        more => note(Holds::No, format!("{more} may go around ruleset {id}")),
                    }
                }
            }
        }
        match &self.classic {
            Ok(None) if self.rules.is_ok() && self.rulesets.is_empty() => {
                note(Holds::No, "nothing is protected".to_owned())
            }
            Ok(None) => {}
            Ok(Some(classic)) => {
                match enabled(classic.enforce_admins) {
                    true => note(Holds::Yes, "branch protection binds administrators".to_owned()),
                    false => note(Holds::No, "branch protection does not bind administrators".to_owned()),
                }
                let reviews = classic.required_pull_request_reviews.as_ref();
                let allowed = reviews.and_then(|reviews| reviews.bypass_pull_request_allowances.as_ref());
                let count = allowed.map_or(0, |Allowances { users, teams, apps }| {
                    [users, teams, apps].into_iter().flatten().map(Vec::len).sum()
                });
                if count > 0 {
                    note(Holds::No, format!("{count} may go around pull requests"));
                }
            }
            Err(why) => note(Holds::Unknown, format!("the branch protection cannot be read: {why}")),
        }
        (holds, seen.join("; "))
    }
}

fn known<T>(read: &Read<T>, judge: impl FnOnce(&T) -> Answer) -> Answer {
    match read {
        Ok(read) => judge(read),
        Err(why) => (Holds::Unknown, format!("it cannot be read: {why}")),
    }
}

/// Without a name any required check may be the gate.
fn is_gate(context: &str, wanted: Option<&str>) -> bool {
    wanted.is_none_or(|wanted| wanted == context)
}

fn enabled(switch: Option<Switch>) -> bool {
    switch.is_some_and(|Switch { enabled }| enabled)
}

fn environments(Environments { total_count, environments }: &Environments) -> Answer {
    if *total_count > environments.len() {
        return (Holds::Unknown, format!("there are {total_count}, and {} were shown", environments.len()));
    }
    let (mut weak, mut unseen) = (Vec::new(), Vec::new());
    for Environment { name, can_admins_bypass, protection_rules } in environments {
        let guarded = protection_rules
            .iter()
            .flatten()
            .any(|rule| rule.kind == "required_reviewers" && rule.prevent_self_review == Some(true));
        match (guarded, can_admins_bypass) {
            (false, _) | (_, Some(true)) => weak.push(name.as_str()),
            (true, None) => unseen.push(name.as_str()),
            (true, Some(false)) => {}
        }
    }
    if !weak.is_empty() {
        (Holds::No, format!("not so in {}", weak.join(", ")))
    } else if !unseen.is_empty() {
        (Holds::Unknown, format!("whether administrators may is not shown for {}", unseen.join(", ")))
    } else if environments.is_empty() {
        (Holds::Yes, "there are none".to_owned())
    } else {
        (Holds::Yes, format!("so in all {}", environments.len()))
    }
}

#[derive(Deserialize)]
struct Repository {
    default_branch: String,
}

#[derive(Deserialize)]
struct Branch {
    protected: bool,
}

/// A rule that is in force.
#[derive(Deserialize)]
struct Rule {
    #[serde(rename = "type")]
    kind: String,
    parameters: Option<Value>,
    ruleset_id: Option<u64>,
}

/// All rules that are in force, as far as they matter here.
#[derive(Default)]
struct Rules {
    pulls: Vec<PullRules>,
    checks: Vec<RuleCheck>,
    strict: bool,
    workflows: usize,
    queues: Vec<Grouping>,
    no_force: bool,
    no_deletion: bool,
    sources: BTreeSet<u64>,
}

impl Rules {
    fn new(all: Vec<Rule>) -> Read<Self> {
        fn of<T: serde::de::DeserializeOwned>(parameters: Option<Value>) -> Read<T> {
            let parameters = parameters.ok_or_else(|| Fault::Form("a rule has no parameters".to_owned()))?;
            serde_json::from_value(parameters).map_err(|why| Fault::Form(why.to_string()))
        }
        let mut rules = Self::default();
        for Rule { kind, parameters, ruleset_id } in all {
            rules.sources.extend(ruleset_id);
            match kind.as_str() {
                "pull_request" => rules.pulls.push(of(parameters)?),
                "required_status_checks" => {
                    let StatusRules { required_status_checks, strict_required_status_checks_policy } = of(parameters)?;
                    rules.strict |= strict_required_status_checks_policy && !required_status_checks.is_empty();
                    rules.checks.extend(required_status_checks);
                }
                "merge_queue" => rules.queues.push(of::<QueueRules>(parameters)?.grouping_strategy),
                "workflows" => rules.workflows += of::<WorkflowRules>(parameters)?.workflows.len(),
                "non_fast_forward" => rules.no_force = true,
                "deletion" => rules.no_deletion = true,
                // Others only forbid more.
                _ => {}
            }
        }
        Ok(rules)
    }
}

#[derive(Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "that is what GitHub says")]
struct PullRules {
    dismiss_stale_reviews_on_push: bool,
    require_code_owner_review: bool,
    require_last_push_approval: bool,
    required_approving_review_count: u64,
    required_review_thread_resolution: bool,
}

#[derive(Deserialize)]
struct StatusRules {
    required_status_checks: Vec<RuleCheck>,
    strict_required_status_checks_policy: bool,
}

#[derive(Deserialize)]
struct RuleCheck {
    context: String,
    integration_id: Option<u64>,
}

#[derive(Deserialize)]
struct QueueRules {
    grouping_strategy: Grouping,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
enum Grouping {
    #[serde(rename = "ALLGREEN")]
    AllGreen,
    #[serde(rename = "HEADGREEN")]
    HeadGreen,
}

#[derive(Deserialize)]
struct WorkflowRules {
    workflows: Vec<Value>,
}

#[derive(Deserialize)]
struct Ruleset {
    /// Missing: this token may not see it.
    bypass_actors: Option<Vec<BypassActor>>,
}

#[derive(Deserialize)]
struct BypassActor {
    #[serde(default)]
    bypass_mode: BypassMode,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum BypassMode {
    #[default]
    Always,
    PullRequest,
    Exempt,
}

#[derive(Deserialize)]
struct Classic {
    required_pull_request_reviews: Option<ClassicReviews>,
    required_status_checks: Option<ClassicStatus>,
    enforce_admins: Option<Switch>,
    allow_force_pushes: Option<Switch>,
    allow_deletions: Option<Switch>,
    required_conversation_resolution: Option<Switch>,
}

impl Classic {
    fn checks(&self) -> impl Iterator<Item = &ClassicCheck> {
        self.required_status_checks.iter().flat_map(|status| &status.checks)
    }
}

#[derive(Clone, Copy, Deserialize)]
struct Switch {
    enabled: bool,
}

#[derive(Deserialize)]
struct ClassicReviews {
    dismiss_stale_reviews: bool,
    require_code_owner_reviews: bool,
    require_last_push_approval: Option<bool>,
    required_approving_review_count: Option<u64>,
    bypass_pull_request_allowances: Option<Allowances>,
}

#[derive(Deserialize)]
struct Allowances {
    users: Option<Vec<Value>>,
    teams: Option<Vec<Value>>,
    apps: Option<Vec<Value>>,
}

#[derive(Deserialize)]
struct ClassicStatus {
    strict: Option<bool>,
    checks: Vec<ClassicCheck>,
}

#[derive(Deserialize)]
struct ClassicCheck {
    context: String,
    app_id: Option<i64>,
}

#[derive(Deserialize)]
struct Environments {
    total_count: usize,
    environments: Vec<Environment>,
}

#[derive(Deserialize)]
struct Environment {
    name: String,
    can_admins_bypass: Option<bool>,
    protection_rules: Option<Vec<EnvironmentRule>>,
}

#[derive(Deserialize)]
struct EnvironmentRule {
    #[serde(rename = "type")]
    kind: String,
    prevent_self_review: Option<bool>,
}

#[derive(Deserialize)]
struct Workflows {
    can_approve_pull_request_reviews: bool,
}

#[derive(Deserialize)]
struct Owners {
    errors: Vec<Value>,
}
