//! One report, many renderings. Decides nothing, escapes everything, and knows no more than the report says.

mod entries;
mod escaping;
pub mod github;
pub mod gitlab;
pub mod html;
pub mod json;
pub mod junit;
pub mod markdown;
mod minimal;
pub mod problem;
pub mod sarif;
pub mod text;

pub use minimal::minimal;

use crate::decision::{Comparison, Outcome, Report, Walk, WithheldReport};
use crate::text::{SourceMap, suggest};
use text::counts;

/// How to write for a reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// Whether colours may be used.
    pub colour: bool,
    /// Columns of a line.
    pub width: usize,
}

impl Style {
    /// Without colour, 100 columns: for files and logs.
    pub const PLAIN: Self = Self { colour: false, width: 100 };
}

/// How many conditions of a witness are written out.
const MOST_SUPPOSED: usize = 4;

/// What is supposed for a witness, behind it: a few conditions, what has to hold before what must not, and how many more.
fn supposing(assumed: &[String]) -> String {
    if assumed.len() <= MOST_SUPPOSED {
        return assumed
            .iter()
            .enumerate()
            .map(|(n, one)| format!("{}{one}", if n == 0 { " " } else { ", " }))
            .collect();
    }
    let (hold, fail): (Vec<&String>, Vec<&String>) = assumed.iter().partition(|one| one.starts_with("if "));
    let first: Vec<&str> = hold.into_iter().chain(fail).take(MOST_SUPPOSED - 1).map(String::as_str).collect();
    format!(" {}, and {} more conditions (--output json lists them)", first.join(", "), assumed.len() - first.len())
}

/// That a report is a minimal one, why, and where the rest is.
fn told_to_strangers(report: &Report) -> Option<String> {
    report.withheld.as_ref().map(|why| {
        format!(
            "a minimal report, because {why}: packets, addresses, names and texts are left out; the decision is the same. \
             Everything is in what `--full-output FORMAT=FILE` writes, or shown with `report: {{visibility: full}}` in the policy"
        )
    })
}

/// How much of a configuration differs, where it is not told what.
fn how_much(withheld: &WithheldReport) -> String {
    let WithheldReport { filters, newly_allowed, newly_denied, complete, balancers, added, removed, modified } =
        withheld;
    let mut parts = Vec::new();
    if *filters > 0 {
        let more = if *complete { "" } else { ", and more" };
        parts.push(format!(
            "{} newly denied and {} newly allowed in {}{more}",
            text::count(*newly_denied, "flow"),
            text::count(*newly_allowed, "flow"),
            text::count(*filters, "filter")
        ));
    }
    if *balancers > 0 {
        parts.push(format!("{} of balancers changed", text::count(*balancers, "part")));
    }
    for (number, word) in [(removed, "removed"), (added, "added"), (modified, "modified")] {
        if *number > 0 {
            parts.push(format!("{} {word}", text::count(*number, "object")));
        }
    }
    if parts.is_empty() { "nothing that is counted".to_owned() } else { parts.join("; ") }
}

/// Writes one kind of answer.
pub type Write<T> = fn(&T, &SourceMap, Style) -> String;

/// A way to write answers.
#[derive(Debug)]
pub struct Output {
    /// Its name on the command line.
    pub name: &'static str,
    /// Writes the report of a check.
    pub report: Write<Report>,
    /// Writes a difference without a policy, where it has a form for that.
    pub comparison: Option<Write<Comparison>>,
    /// Writes the way of a packet, where it has a form for that.
    pub walk: Option<Write<Walk>>,
}

/// Every way to write answers, the usual one first.
pub static OUTPUTS: &[Output] = &[
    Output {
        name: "text",
        report: text::render,
        comparison: Some(text::render_comparison),
        walk: Some(text::render_walk),
    },
    Output {
        name: "json",
        report: |report, _, _| json::render(report),
        comparison: Some(|comparison, _, _| json::render_comparison(comparison)),
        walk: Some(|walk, _, _| json::render_walk(walk)),
    },
    Output { name: "sarif", report: |report, _, _| sarif::render(report), comparison: None, walk: None },
    Output { name: "github", report: |report, _, _| github::render(report), comparison: None, walk: None },
    Output {
        name: "markdown",
        report: |report, sources, _| markdown::render(report, sources),
        comparison: Some(|comparison, sources, _| markdown::render_comparison(comparison, sources)),
        walk: Some(|walk, sources, _| markdown::render_walk(walk, sources)),
    },
    Output { name: "junit", report: |report, _, _| junit::render(report), comparison: None, walk: None },
    Output { name: "gitlab", report: |report, _, _| gitlab::render(report), comparison: None, walk: None },
    Output {
        name: "html",
        report: |report, sources, _| html::render(report, sources),
        comparison: Some(|comparison, sources, _| html::render_comparison(comparison, sources)),
        walk: None,
    },
];

/// There is no rendering of that name. The caller's error.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, miette::Diagnostic)]
#[error("there is no output `{name}`")]
#[diagnostic(code(portcullis::report::unknown_output))]
pub struct UnknownOutput {
    name: String,
    #[help]
    help: String,
}

/// The rendering of that name.
///
/// # Errors
/// There is none: nothing is written rather than something else.
pub fn output(name: &str) -> Result<&'static Output, UnknownOutput> {
    OUTPUTS.iter().find(|output| output.name == name).ok_or_else(|| {
        let known: Vec<_> = OUTPUTS.iter().map(|output| output.name).collect();
        UnknownOutput { name: name.to_owned(), help: suggest(name, &known) }
    })
}

/// A decision in a word, as it stands at the top of a report.
const fn word(decision: Outcome) -> &'static str {
    match decision {
        Outcome::Pass => "PASS",
        Outcome::NeedsApproval => "NEEDS APPROVAL",
        Outcome::Blocked => "BLOCKED",
        Outcome::Undecided => "UNDECIDED",
        Outcome::PolicyError => "POLICY ERROR",
    }
}

#[cfg(test)]
mod tests {
    use super::supposing;

    #[test]
    fn a_witness_with_many_conditions_stays_short() {
        let all = |count: usize| -> Vec<String> {
            let unless = (1..count).map(|n| format!("unless source is a member of lb{n}"));
            unless.chain(["if source is a member of lb0".to_owned()]).collect()
        };
        assert_eq!(supposing(&[]), "");
        assert_eq!(supposing(&all(2)), " unless source is a member of lb1, if source is a member of lb0");
        assert_eq!(
            supposing(&all(800)),
            " if source is a member of lb0, unless source is a member of lb1, unless source is a member of lb2, \
             and 797 more conditions (--output json lists them)"
        );
    }
}
