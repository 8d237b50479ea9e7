use super::arguments::Diff;
use super::closure;
use super::judge::{self, PolicyPath};
use super::output::Streams;
use super::progress::Progress;
use super::sided;
use super::surroundings::Surroundings;
use super::wanted::{Everything, Policed};
use crate::decision::{self, Cause, Comparison, Doubt};
use crate::diff;
use crate::net::{Naming, NoNames};
use crate::report::Output;
use crate::source::{Claims, Files, Sides};
use crate::text::SourceMap;

pub(super) fn run(arguments: &Diff, surroundings: &Surroundings, streams: &mut Streams<'_>) -> u8 {
    let has_form = |output: &Output| output.comparison.is_some();
    if let Some(code) = streams.refused(&arguments.outputs, "a difference without a policy", &has_form) {
        return code;
    }
    let mut sources = SourceMap::default();
    let progress = Progress::new(streams.stderr_is_terminal && !streams.quiet);
    let compared = compare(arguments, surroundings, &mut sources, &progress);
    drop(progress);
    let (comparison, left) = match compared {
        Ok(compared) => compared,
        Err(doubts) => {
            let code = streams.doubts(&doubts, &sources);
            if arguments.outputs.outputs.is_empty() {
                return code;
            }
            let nothing = decision::incomparable(doubts, &sources);
            return streams.answer(&arguments.outputs, code, &|output, style| {
                output.comparison.map(|write| write(&nothing, &sources, style)).unwrap_or_default()
            });
        }
    };
    if let Some(note) = judge::left_out(&left) {
        streams.say(&note);
    }
    let code = comparison.exit_code();
    streams.answer(&arguments.outputs, code, &|output, style| {
        output.comparison.map(|write| write(&comparison, &sources, style)).unwrap_or_default()
    })
}

fn compare(
    arguments: &Diff,
    surroundings: &Surroundings,
    sources: &mut SourceMap,
    progress: &Progress,
) -> Result<(Comparison, Vec<String>), Vec<Doubt>> {
    let Diff { old, new, policy, format, netns, outputs: _ } = arguments;
    let side = |text: &str| sided::side(surroundings, text, netns.as_deref()).map_err(|doubt| vec![doubt]);
    let sides = Sides::of(side(old)?, side(new)?).map_err(|why| vec![judge::doubt(Cause::Source, &why)])?;
    let policy = match policy {
        Some(path) => {
            let path = PolicyPath::File(surroundings.folder.join(path));
            Some(judge::load(judge::policy_file(&sides.base, &path)?, sources)?)
        }
        None => None,
    };
    let files = |claims: &dyn Claims| sides.files(claims).map_err(judge::source_doubts);
    let (mut inputs, left) = match &policy {
        Some(policy) => {
            let Files { base, head } = files(&Policed(policy))?;
            (judge::inputs(&judge::plan(policy, base, head, sources)?), Vec::new())
        }
        None => judge::by_file(files(&Everything)?, format.clone(), sources)?,
    };
    if inputs.0.is_empty() && inputs.1.is_empty() {
        let message = "there is nothing to compare: no file is in a known format".to_owned();
        let help = "name files that are configuration, or say their format with --format".to_owned();
        return Err(vec![Doubt { cause: Cause::MatchesNothing, message, help, at: None }]);
    }
    closure::of_sides(&sides, &mut inputs, sources)?;
    let change = judge::both(&inputs, sources);
    progress.stage("comparing");
    let difference = diff::compare(&change);
    let names: &dyn Naming = match &policy {
        Some(policy) => policy,
        None => &NoNames,
    };
    let (base, head) = (judge::origin(&sides.base), judge::origin(&sides.head));
    Ok((decision::compare(&change, &difference, base, head, names, sources), left))
}
