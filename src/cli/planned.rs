//! A Terraform plan as what is judged: one file in which both sides are.

use super::closure;
use super::judge;
use super::wanted::{Everything, Policed};
use crate::decision::{Cause, Doubt, Origin};
use crate::diff::Change;
use crate::facts::{self, Age};
use crate::formats::{self, Aspect};
use crate::policy::{Plan, Planned, Policy};
use crate::source::{Files, Side, Sides};
use crate::text::{SourceId, SourceMap};
use std::path::PathBuf;
use std::time::Duration;

/// The format of plans.
const FORMAT: &str = "terraform";
/// What the configuration of a plan is called where the policy has none of that format.
const NAME: &str = "plan";

/// A plan on a command line.
pub(super) struct PlanFile {
    /// The file.
    pub(super) path: PathBuf,
    /// The configuration of the policy that it is of.
    pub(super) configuration: Option<String>,
    /// How old it may be.
    pub(super) max_age: Option<Duration>,
}

/// Where both sides come from.
pub(super) fn origin() -> Origin {
    Origin { source: "plan".to_owned(), revision: None }
}

impl PlanFile {
    /// Reads both sides, as the one configuration that the plan is of, and gives the plan itself as well.
    ///
    /// Behind the plan stand the files of that configuration as both sides have them: findings point into those.
    pub(super) fn read(
        &self,
        policy: &Policy,
        sides: &Sides,
        sources: &mut SourceMap,
    ) -> Result<(SourceId, Plan, Change), Vec<Doubt>> {
        let Self { path, configuration: _, max_age } = self;
        let max_age = [*max_age, policy.max_age].into_iter().flatten().min();
        let name = self.name(policy)?;
        let side = Side::path(path).map_err(|why| vec![judge::doubt(Cause::Source, &why)])?;
        let mut files = side.files(&Everything).map_err(judge::source_doubts)?;
        let (Some(file), None) = (files.pop(), files.pop()) else {
            let help = "name the one file that `terraform show -json` printed";
            return Err(refuse(format!("`{}` is not a file", path.display()), help));
        };
        if !formats::holds_both_sides(&file.bytes) {
            let help = "give what `terraform show -json` prints of a plan that was saved with -out";
            return Err(refuse(format!("`{}` is not the JSON of a plan", path.display()), help));
        }
        if let Some(most) = max_age {
            young(&file.bytes, most)?;
        }
        let id = judge::add(sources, file)?;
        let (base, head) = beside(policy, &name, sides, sources)?;
        let there = |files: Vec<SourceId>| Some([id].into_iter().chain(files).collect());
        let planned = Planned { name, format: Some(FORMAT.to_owned()), base: there(base), head: there(head) };
        let plan = Plan { configurations: vec![planned], ..Plan::default() };
        let mut inputs = judge::inputs(&plan);
        closure::of_sides(sides, &mut inputs, sources)?;
        let change = judge::both_as(Aspect::Before, &inputs, sources);
        Ok((id, plan, change))
    }

    /// The configuration of the policy that the plan is of.
    fn name(&self, policy: &Policy) -> Result<String, Vec<Doubt>> {
        let all = policy.configurations.iter();
        let mine: Vec<&str> = match &self.configuration {
            Some(wanted) => all.map(|c| c.name.as_str()).filter(|name| name == wanted).collect(),
            None => all.filter(|c| c.format.as_deref() == Some(FORMAT)).map(|c| c.name.as_str()).collect(),
        };
        match (mine.as_slice(), &self.configuration) {
            ([one], _) => Ok((*one).to_owned()),
            ([], None) => Ok(NAME.to_owned()),
            (_, Some(wanted)) => {
                let known: Vec<&str> = policy.configurations.iter().map(|c| c.name.as_str()).collect();
                let message = format!("the policy has no configuration `{wanted}`");
                Err(refuse(message, &crate::text::suggest(wanted, &known)))
            }
            (several, None) => {
                let message = format!("it is not said which configuration the plan is of: {}", several.join(", "));
                Err(refuse(message, "name it with --configuration"))
            }
        }
    }
}

/// The files of a configuration as both sides have them.
fn beside(
    policy: &Policy,
    name: &str,
    sides: &Sides,
    sources: &mut SourceMap,
) -> Result<(Vec<SourceId>, Vec<SourceId>), Vec<Doubt>> {
    let Files { base, head } = sides.files(&Policed(policy)).map_err(judge::source_doubts)?;
    let plan = judge::plan(policy, base, head, sources)?;
    let mine = plan.configurations.into_iter().find(|planned| planned.name == name);
    let (base, head) = mine.map_or((None, None), |planned| (planned.base, planned.head));
    // A plan among them is the one that is judged, or another one.
    let written = |files: Option<Vec<SourceId>>, sources: &SourceMap| -> Vec<SourceId> {
        files.into_iter().flatten().filter(|file| !formats::holds_both_sides(sources.bytes(*file))).collect()
    };
    Ok((written(base, sources), written(head, sources)))
}

/// A plan that is too old, or does not say how old it is, shows what was so once.
fn young(text: &[u8], most: Duration) -> Result<(), Vec<Doubt>> {
    let help = "make a new plan: what was there when this one was made may have changed since";
    match formats::made_at(text).map(|made| facts::age(&made)) {
        Some(Some(Age::Past(age))) if age <= most => Ok(()),
        Some(Some(Age::Past(age))) => {
            let message =
                format!("the plan is {} old; at most {} are allowed", facts::show_age(age), facts::show_age(most));
            Err(refuse(message, help))
        }
        Some(Some(Age::Future)) => Err(refuse("the plan was made in the future: a clock is wrong".to_owned(), help)),
        Some(None) => Err(refuse("it cannot be read when the plan was made".to_owned(), help)),
        None => Err(refuse("the plan does not say when it was made".to_owned(), "plans of Terraform 1.5 and later do")),
    }
}

fn refuse(message: String, help: &str) -> Vec<Doubt> {
    vec![Doubt { cause: Cause::Source, message, help: help.to_owned(), at: None }]
}
