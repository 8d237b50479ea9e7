//! A first policy of what is there. It is judged before it is written.

use super::arguments::Subject;
use super::check::POLICY;
use super::expect::Expectations;
use super::judge::{self, Outside, PolicyPath};
use super::lint;
use super::output::Streams;
use super::policy_lint::Looked;
use super::present::{self, Present, Unknown};
use super::progress::Progress;
use super::proposal;
use super::start_arguments::Init;
use super::surroundings::Surroundings;
use super::wanted::{Everything, Known};
use crate::checks::{Finding, Level};
use crate::decision::{Cause, Consequence, Doubt, Outcome};
use crate::facts;
use crate::formats::{self, Group};
use crate::policy::{Draft, DraftConfiguration};
use crate::source::{Claims as _, File, Problem, Side, Sides};
use crate::text::{SourceMap, escape};
use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;

/// How often a proposal is corrected after it was judged.
const ROUNDS: usize = 6;
pub(super) fn run(init: &Init, surroundings: &Surroundings, streams: &mut Streams<'_>) -> u8 {
    let progress = Progress::new(streams.stderr_is_terminal && !streams.quiet);
    let subject = Subject { rev: None, path: init.path.clone(), policy: None, format: None };
    let side = match lint::side(&subject, surroundings) {
        Ok(side) => side,
        Err(why) => {
            drop(progress);
            return streams.doubts(&[judge::doubt(Cause::Source, &why)], &SourceMap::default());
        }
    };
    let Some(folder) = side.folder().filter(|_| !side.is_file()) else {
        drop(progress);
        return streams.error("a policy is written for a folder", Some("name the folder with --path"), 2);
    };
    let target = folder.join(POLICY);
    if !init.print && !init.force && target.symlink_metadata().is_ok() {
        drop(progress);
        let message = format!("there is a policy already: {}", target.display());
        return streams.error(&message, Some("--force writes it anew, --print only shows what would be written"), 2);
    }
    let found = proposed(&side, &progress);
    drop(progress);
    match found {
        Ok(proposal) => answer(init, &target, &proposal, streams),
        Err(doubts) => streams.doubts(&doubts, &SourceMap::default()),
    }
}

/// A policy that passes.
struct Proposal {
    text: String,
    draft: Draft,
    problems: Vec<String>,
}

fn answer(init: &Init, target: &Path, Proposal { text, draft, problems }: &Proposal, streams: &mut Streams<'_>) -> u8 {
    let s = |n: usize| if n == 1 { "" } else { "s" };
    let code = if init.print {
        streams.data(text, 0)
    } else {
        if let Err(why) = write(target, text, init.force) {
            return streams.error(&format!("{} cannot be written: {why}", target.display()), None, 3);
        }
        0
    };
    let (configurations, left) = (draft.configurations.len(), draft.left.len());
    let verb = if init.print { "would judge" } else { "written; it judges" };
    streams.say(&format!(
        "{POLICY} {verb} {configurations} configuration{}, and passes on the present state",
        s(configurations)
    ));
    if left > 0 {
        streams.say(&format!(
            "note: {left} file{} left out, because not all of it is understood: see its comments",
            s(left)
        ));
    }
    for problem in problems {
        streams.say(&format!("note: not looked at: {problem}"));
    }
    if !init.print {
        for line in NEXT {
            streams.say(line);
        }
    }
    code
}

/// What to do with it.
const NEXT: &[&str] = &[
    "",
    "Next: read it, then commit it: a change is judged by the policy that is in force before it.",
    "  git add portcullis.yaml && git commit -m 'A policy for firewall changes'",
    "  portcullis check",
    "Before every commit, in .pre-commit-config.yaml:",
    "  repos:",
    concat!("  - repo: ", env!("CARGO_PKG_REPOSITORY")),
    concat!("    rev: v", env!("CARGO_PKG_VERSION")),
    "    hooks: [{id: portcullis}]",
    "or without pre-commit, in .git/hooks/pre-commit:",
    "  exec portcullis check --staged --approvals-later",
    "On pull requests, in .github/workflows/portcullis.yml:",
    concat!(
        "  see ",
        env!("CARGO_PKG_REPOSITORY"),
        "/blob/v",
        env!("CARGO_PKG_VERSION"),
        "/examples/github/portcullis.yml"
    ),
];

/// Writes it where nothing is, or in place of a plain file.
fn write(target: &Path, text: &str, force: bool) -> std::io::Result<()> {
    if !force {
        let mut file = std::fs::OpenOptions::new().write(true).create_new(true).open(target)?;
        return file.write_all(text.as_bytes());
    }
    if target.symlink_metadata().is_ok_and(|there| !there.is_file()) {
        return Err(std::io::Error::other("it is not a plain file"));
    }
    std::fs::write(target, text)
}

fn proposed(side: &Side, progress: &Progress) -> Result<Proposal, Vec<Doubt>> {
    let tracked = side.tracked();
    let (files, problems) = match &tracked {
        Some(paths) => side.readable(&Known(paths)),
        None => side.readable(&Everything),
    };
    let state = State { files: files.into_iter().filter(|file| file.path != POLICY.as_bytes()).collect() };
    let is_link = |problem: &&Problem| matches!(problem, Problem::Symlink { .. } | Problem::Submodule { .. });
    let problems: Vec<String> = problems.iter().filter(|problem| !is_link(problem)).map(ToString::to_string).collect();
    let candidates = state.files.iter().filter(|file| !is_ours(&file.path));
    let shown: Vec<(String, &[u8])> = candidates.map(|file| (escape(&file.path), file.bytes.as_slice())).collect();
    let shown: Vec<(&str, &[u8])> = shown.iter().map(|(path, bytes)| (path.as_str(), *bytes)).collect();
    let groups = formats::layout(&shown);
    progress.stage("reading what is there");
    let (configurations, mut left) = understood(groups, &state)?;
    left.sort();
    if configurations.is_empty() {
        let help = if tracked.is_some() {
            "only files that git knows count: `git add` the rules of your hosts, or what your cloud is made of, and ask again"
        } else {
            "put the rules of your hosts, or what your cloud is made of, into the folder, and ask again"
        };
        let message = "there is nothing to judge: no file is in a known format and understood";
        let mut doubts = vec![doubt(message.to_owned(), help)];
        doubts.extend(
            left.iter()
                .map(|(path, why)| doubt(format!("{path}: {why}"), "correct it, or see `portcullis parse FILE`")),
        );
        return Err(doubts);
    }
    progress.stage("looking at what is open");
    let mut draft = Draft {
        extends: vec![("baseline", "what every repository should demand".to_owned())],
        configurations,
        left,
        ..Draft::default()
    };
    let (present, sources) = state.present(&draft.text())?;
    proposal::compose(&mut draft, &present, &sources);
    progress.stage("judging what is there by it");
    let mut last = Vec::new();
    for _ in 0..ROUNDS {
        let text = draft.text();
        let Judged { doubts, findings, filters, names } = state.judged(&text)?;
        if doubts.is_empty() && findings.is_empty() {
            return Ok(Proposal { text, draft, problems });
        }
        last = doubts;
        last.extend(findings.iter().map(|found| doubt(format!("{}: {}", found.check, found.message), &found.help)));
        if !proposal::adapt(&mut draft, &findings, &filters, &names) {
            break;
        }
    }
    last.insert(
        0,
        doubt(
            "no policy was found that passes on the present state, so none is written".to_owned(),
            "correct what is named below, or write portcullis.yaml yourself: the README has one to begin with",
        ),
    );
    Err(last)
}

/// What is about judging, and not judged.
fn is_ours(path: &[u8]) -> bool {
    path.starts_with(b".github/") || Expectations.file(path)
}

fn doubt(message: String, help: &str) -> Doubt {
    Doubt { cause: Cause::Source, message, help: help.to_owned(), at: None }
}

/// The present state.
struct State {
    files: Vec<File>,
}

/// What stands against a proposal.
struct Judged {
    doubts: Vec<Doubt>,
    findings: Vec<Finding>,
    /// Every filter, by id.
    filters: Vec<String>,
    /// Every configuration, by name.
    names: Vec<String>,
}

impl State {
    /// As a side in which the policy is.
    fn side(&self, policy: &str) -> Side {
        let path = POLICY.as_bytes().to_vec();
        let policy = File { name: path.clone(), path, bytes: policy.as_bytes().to_vec(), executable: false };
        Side::given(self.files.iter().cloned().chain([policy]).collect())
    }

    fn present(&self, policy: &str) -> Result<(Present, SourceMap), Vec<Doubt>> {
        let mut sources = SourceMap::default();
        let side = self.side(policy);
        let read = present::policy_of(&side, &PolicyPath::InBase(POLICY.to_owned())).and_then(|(file, _)| {
            let id = judge::add(&mut sources, file)?;
            present::read(&side, id, &mut sources)
        });
        match read {
            Ok(present) => Ok((present, sources)),
            Err(Unknown::Doubts(doubts)) => Err(doubts),
            Err(Unknown::Policy(errors)) => {
                let help = "this is an error of the program: please report it";
                Err(errors
                    .iter()
                    .map(|error| doubt(format!("the proposed policy is refused: {error}"), help))
                    .collect())
            }
        }
    }

    /// What `check`, `lint` and `policy lint` have against a policy.
    fn judged(&self, policy: &str) -> Result<Judged, Vec<Doubt>> {
        let (present, sources) = self.present(policy)?;
        let mut looked = Looked::default();
        let seen = looked.look(&present, &sources);
        looked.unknown(seen);
        let mut doubts = looked.doubts;
        let help = "this is an error of the program: please report it";
        doubts.extend(looked.remarks.iter().map(|remark| doubt(format!("`policy lint` would say: {remark}"), help)));
        let (decision, findings) = present.alone(&sources).map_err(|_| doubts.clone())?;
        let weighs = |finding: &Finding| finding.level >= Level::Approve || finding.undecided.is_some();
        let findings: Vec<Finding> = findings.into_iter().filter(weighs).collect();
        if decision.outcome() != Outcome::Pass && findings.is_empty() {
            let report = decision.report();
            doubts.extend(
                report.doubts.iter().map(|found| doubt(format!("`lint` would say: {}", found.message), &found.help)),
            );
        }
        let (base, head) = (self.side(policy), self.side(policy));
        let sides = Sides { base, head, authors: None };
        let outside = Outside { now: facts::now(), ..Outside::default() };
        let checked =
            judge::judge(&sides, &PolicyPath::InBase(POLICY.to_owned()), None, &outside, &Progress::new(false));
        if checked.decision.outcome() != Outcome::Pass {
            let report = checked.decision.report();
            doubts.extend(
                report.doubts.iter().map(|found| doubt(format!("`check` would say: {}", found.message), &found.help)),
            );
            let against = report.findings.iter().filter(|found| match found.outcome {
                Consequence::Blocked | Consequence::NeedsApproval => true,
                Consequence::Warned | Consequence::Waived | Consequence::Approved => false,
            });
            doubts.extend(against.map(|found| doubt(format!("`check` would say: {}", found.message), &found.help)));
        }
        let names = present.plan.configurations.iter().map(|planned| planned.name.clone()).collect();
        let all = present.change.head.configurations().iter().flat_map(|known| &known.filters);
        let filters = all.map(|filter| filter.id.clone()).collect();
        Ok(Judged { doubts, findings, filters, names })
    }
}

/// Configurations, and the files that are left out: path, and why.
type Understood = (Vec<DraftConfiguration>, Vec<(String, String)>);

/// The groups as configurations, without the files that are not understood.
fn understood(groups: Vec<Group>, state: &State) -> Result<Understood, Vec<Doubt>> {
    let mut left: BTreeMap<String, String> = BTreeMap::new();
    let mut groups = groups;
    groups.iter_mut().for_each(|group| {
        // The policy itself is none of the files.
        group.pattern.take_if(|pattern| matches!(pattern.as_str(), "*.yaml" | "**/*.yaml"));
        group.files.retain(|file| {
            let plain = formats::is_plain(file);
            if !plain {
                left.insert(file.clone(), "its name has a sign that patterns have a meaning for".to_owned());
            }
            plain
        })
    });
    for round in 0..3 {
        groups.retain(|group| !group.files.is_empty());
        if groups.is_empty() {
            break;
        }
        let draft = Draft {
            configurations: groups.iter().map(configuration).collect(),
            extends: vec![("baseline", String::new())],
            ..Draft::default()
        };
        let (present, sources) = state.present(&draft.text())?;
        let gaps = present.change.head.gaps();
        if gaps.is_empty() {
            break;
        }
        for gap in gaps {
            let at = sources.locate(gap.origin);
            if left.contains_key(&at.path) {
                continue;
            }
            let own = |group: &&mut Group| {
                gap.configuration == group.name || gap.configuration.starts_with(&format!("{}/", group.name))
            };
            let Some(group) = groups.iter_mut().find(own) else { continue };
            let why = format!("line {}: {}", at.line, gap.reason);
            // What is read together, and what another file includes, is not understood without the file either.
            let alone = group.each || group.format == "kubernetes" && round == 0;
            let out: Vec<String> =
                if alone && group.files.contains(&at.path) { vec![at.path.clone()] } else { group.files.clone() };
            let reason = |file: &String| if *file == at.path { why.clone() } else { format!("{}: {why}", at.path) };
            group.pattern = None;
            group.files.retain(|file| !out.contains(file));
            for file in out {
                left.entry(file.clone()).or_insert_with(|| reason(&file));
            }
        }
    }
    Ok((groups.iter().map(configuration).collect(), left.into_iter().collect()))
}

fn configuration(Group { name, format, each, files, pattern }: &Group) -> DraftConfiguration {
    let files = pattern.as_ref().map_or_else(|| files.clone(), |pattern| vec![pattern.clone()]);
    DraftConfiguration { name: name.clone(), files, each: *each, format }
}
