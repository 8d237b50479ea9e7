//! What a change does to what is in force now, held against the policy that the change was reviewed with.

use super::judge;
use super::tree::Tree;
use crate::checks::{self, Context};
use crate::decision::{Case, Cause, Decision, Doubt, Origin, decide};
use crate::diff;
use crate::facts::{self, Facts, Reviewed};
use crate::formats::{self, Input};
use crate::live::Target;
use crate::policy::{self, Proposal};
use crate::source::File;
use crate::text::{SourceId, SourceMap};

/// What is replaced: files of a tree by what a host shows.
pub(super) struct Replaced<'r> {
    /// The main files.
    pub(super) mains: &'r [SourceId],
    /// What is in force now.
    pub(super) before: &'r [File],
    /// What will be.
    pub(super) after: &'r [File],
    /// The target, unless it is something that commands change.
    pub(super) target: Option<Target>,
    /// Whether a review of the files has taken who made them into account.
    pub(super) reviewed: bool,
}

/// Judges it: the tree as it is, but for one configuration, which is what is in force now on base, and what will be on head.
pub(super) fn judge(tree: &Tree, replaced: &Replaced<'_>, sources: &mut SourceMap) -> Result<Decision, Vec<Doubt>> {
    let Replaced { mains, before, after, target, reviewed } = replaced;
    let mut plan = tree.plan.clone();
    let name = configuration(tree, mains, sources)?;
    let mut ids =
        |files: &[File]| files.iter().map(|file| judge::add(sources, file.clone())).collect::<Result<Vec<_>, _>>();
    let (base, head) = (ids(before)?, ids(after)?);
    for planned in &mut plan.configurations {
        if planned.name == name {
            (planned.base, planned.head) = (Some(base.clone()), Some(head.clone()));
        } else {
            planned.base.clone_from(&planned.head);
        }
    }
    let side = |files: &[SourceId]| -> Vec<Input> {
        let replace = |input: &Input| {
            let given = target.and_then(|target| formats::format(target.format()));
            let ours = Input { name: name.clone(), format: given.or(input.format), files: files.to_vec() };
            if input.name == name { ours } else { input.clone() }
        };
        tree.inputs.iter().map(replace).collect()
    };
    let change = judge::both(&(side(&base), side(&head)), sources);
    let id = judge::add(sources, tree.file.clone())?;
    let parsed = policy::parse(id, sources);
    let feeds = judge::feeds([&parsed].into_iter(), &tree.side, &tree.side)?;
    let (policy, checks) = checks::load(parsed, sources, &judge::format_ids(), &feeds).map_err(judge::policy_doubts)?;
    let difference = diff::compare(&change);
    // Limits for programs were held when it was reviewed; without a review nobody knows who made it.
    let authors = reviewed.then(|| vec!["a review".to_owned()]);
    let facts = Facts { authors, reviewed: Reviewed::Unasked, now: Some(facts::now()), ..Facts::default() };
    let context = Context {
        change: &change,
        difference: &difference,
        policy: &policy,
        proposal: &Proposal::Outside,
        plan: &plan,
        facts: &facts,
        sources,
    };
    let findings = checks::run(&checks, &context);
    let origin = |what: &str| Origin { source: "live".to_owned(), revision: Some(what.to_owned()) };
    let path = judge::PolicyPath::File(std::path::PathBuf::new());
    Ok(decide(
        Case {
            change: &change,
            difference: &difference,
            findings,
            doubts: Vec::new(),
            base: origin("what is in force now"),
            head: origin("what will be in force"),
            policy: Some(judge::policy_origin(&tree.file, &tree.side, &path)),
            names: &policy,
            judging: Some((&policy, &facts)),
            spanning: &[],
            proposed: None,
        },
        sources,
    ))
}

/// The configuration that the files are, all of them.
fn configuration(tree: &Tree, mains: &[SourceId], sources: &SourceMap) -> Result<String, Vec<Doubt>> {
    let doubt = |message: String, help: &str| {
        Err(vec![Doubt { cause: Cause::Source, message, help: help.to_owned(), at: None }])
    };
    let names = |files: &[SourceId]| -> Vec<&str> {
        let mut names: Vec<&str> = files.iter().map(|file| sources.name(*file)).collect();
        names.sort_unstable();
        names
    };
    let wanted = names(mains);
    match tree.inputs.iter().find(|input| input.files.iter().any(|file| mains.contains(file))) {
        Some(input) if names(&input.files) == wanted => Ok(input.name.clone()),
        Some(input) => doubt(
            format!(
                "the configuration `{}` of the policy is {}, and {} is proposed",
                input.name,
                names(&input.files).join(", "),
                wanted.join(", ")
            ),
            "propose all files of a host, and no others; `each: true` makes every file a configuration of its own",
        ),
        None => doubt(
            format!("{} is in no configuration of the policy", wanted.join(", ")),
            "the policy has to say what it is before it can judge what it does",
        ),
    }
}
