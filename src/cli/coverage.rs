use super::expect::Expectations;
use super::judge;
use super::output::Streams;
use super::present::{self, Present, Unknown};
use super::start_arguments::{PolicyCoverage, PolicyOutput};
use super::surroundings::Surroundings;
use super::wanted::Tracked;
use crate::checks;
use crate::decision::{Cause, Doubt};
use crate::formats::FORMATS;
use crate::policy::{Pattern, Unmatched};
use crate::source::{Claims as _, File, Problem, Side};
use crate::text::{SourceMap, Span, escape};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// A file and who looks at it.
struct Covered {
    path: String,
    role: Role,
    format: Option<&'static str>,
    checks: Vec<String>,
}

/// What a file is to the policy.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Role {
    /// Nobody claims it, and it looks like a configuration.
    Missed,
    /// It is part of a configuration.
    Claimed(Vec<String>),
    /// A file of a configuration includes it.
    Included(Vec<String>),
    /// It is the policy, or something that the policy refers to.
    Policy,
    /// It need not be claimed.
    Excepted,
    /// Nobody claims it, and no format knows it.
    Other,
}

/// What is known of a side.
struct Coverage {
    files: Vec<Covered>,
    unmatched: Vec<(String, String, Span)>,
    /// Links and the like, which are no files.
    beside: Vec<String>,
}

pub(super) fn run(coverage: &PolicyCoverage, surroundings: &Surroundings, streams: &mut Streams<'_>) -> u8 {
    let mut sources = SourceMap::default();
    let output = coverage.subject.output;
    match covered(coverage, surroundings, &mut sources) {
        Ok(found) => {
            let text = match output {
                PolicyOutput::Text => text(&found, &sources),
                PolicyOutput::Json => json(&found, &sources),
            };
            let missed = found.files.iter().any(|file| file.role == Role::Missed);
            streams.data(&text, u8::from(missed || !found.unmatched.is_empty()))
        }
        Err(Unknown::Policy(errors)) => streams.doubts(&judge::policy_doubts(errors), &sources),
        Err(Unknown::Doubts(doubts)) => streams.doubts(&doubts, &sources),
    }
}

fn covered(
    PolicyCoverage { subject, except }: &PolicyCoverage,
    surroundings: &Surroundings,
    sources: &mut SourceMap,
) -> Result<Coverage, Unknown> {
    let (side, path) = present::side(subject, surroundings)?;
    let (policy, _) = present::policy_of(&side, &path)?;
    let own = policy.path.clone();
    let id = judge::add(sources, policy)?;
    let except = patterns(except, sources)?;
    let present = present::read(&side, id, sources)?;
    let tracked = side.tracked();
    let (files, problems) = side.readable(&Tracked { paths: tracked.as_ref(), policy: &present.policy });
    // What the policy claims could be read: what could not is beside it, and no file, or nobody knows what it is.
    let (beside, unreadable): (Vec<Problem>, Vec<Problem>) = problems.into_iter().partition(is_no_file);
    if !unreadable.is_empty() {
        return Err(judge::source_doubts(unreadable).into());
    }
    let roles = roles(&present, &side, sources);
    let context = present.context(sources);
    let mut watched: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for planned in &present.plan.configurations {
        let watchers = checks::watchers(&present.checks, &planned.name, &context);
        let titles: BTreeSet<String> = watchers.into_iter().map(|check| checks::described(check).title()).collect();
        watched.insert(&planned.name, titles.into_iter().collect());
    }
    let one = |file: &File| {
        let path = escape(&file.path);
        let recognised =
            || FORMATS.iter().find(|format| format.recognises(&path, &file.bytes)).map(|format| format.id());
        let role = roles.get(&path).cloned().unwrap_or_else(|| {
            if file.path == own || Expectations.file(&file.path) {
                Role::Policy
            } else if except.iter().any(|pattern| pattern.matches(&file.path)) {
                Role::Excepted
            } else if recognised().is_some() {
                Role::Missed
            } else {
                Role::Other
            }
        });
        let (format, names) = match &role {
            Role::Claimed(names) | Role::Included(names) => {
                let all = present.change.head.configurations().iter();
                (all.filter(|known| names.contains(&known.name)).map(|known| known.format).next(), names.as_slice())
            }
            Role::Missed => (recognised(), [].as_slice()),
            Role::Policy | Role::Excepted | Role::Other => (None, [].as_slice()),
        };
        let seen: BTreeSet<&String> = names.iter().filter_map(|name| watched.get(name.as_str())).flatten().collect();
        Covered { path, role, format, checks: seen.into_iter().cloned().collect() }
    };
    let files = files.iter().map(one).collect();
    let unmatched = present.plan.unmatched.iter();
    let unmatched = unmatched
        .map(|Unmatched { configuration, pattern, at, on_base: _ }| (configuration.clone(), pattern.clone(), *at));
    Ok(Coverage { files, unmatched: unmatched.collect(), beside: beside.iter().map(ToString::to_string).collect() })
}

/// The patterns of the command line.
fn patterns(texts: &[String], sources: &mut SourceMap) -> Result<Vec<Pattern>, Unknown> {
    let source = judge::nothing(sources);
    let at = Span { source, start: 0, end: 0 };
    let pattern = |text: &String| {
        Pattern::new(text, at).map_err(|why| {
            let help = "for example `examples/**`, `tests/*.rules`".to_owned();
            let message = format!("`{text}` is no pattern: {why}");
            vec![Doubt { cause: Cause::Policy, message, help, at: None }]
        })
    };
    Ok(texts.iter().map(pattern).collect::<Result<_, _>>()?)
}

/// Something that has no content of its own here.
const fn is_no_file(problem: &Problem) -> bool {
    matches!(problem, Problem::Symlink { .. } | Problem::Submodule { .. })
}

/// What the files are that the policy has to do with, by their names.
fn roles(present: &Present, side: &Side, sources: &SourceMap) -> BTreeMap<String, Role> {
    let mut roles: BTreeMap<String, Role> = BTreeMap::new();
    for input in &present.inputs {
        for main in &input.files {
            for file in sources.included(*main) {
                let role = roles.entry(sources.name(file).to_owned()).or_insert_with(|| Role::Included(Vec::new()));
                add(role, &input.name);
            }
        }
    }
    for planned in &present.plan.configurations {
        for file in planned.head.iter().flatten() {
            let role = roles.entry(sources.name(*file).to_owned()).or_insert_with(|| Role::Claimed(Vec::new()));
            if let Role::Included(names) = role {
                *role = Role::Claimed(std::mem::take(names));
            }
            add(role, &planned.name);
        }
    }
    let feeds = present.feeds.files().into_iter().map(|feed| escape(feed.path.as_bytes()));
    let attributes =
        present.plan.attributes.iter().filter_map(|found| found.head).map(|id| sources.name(id).to_owned());
    for path in feeds.chain(attributes) {
        roles.entry(path).or_insert(Role::Policy);
    }
    debug_assert!(!side.is_file() || roles.len() <= 1, "a side of one file has one");
    roles
}

fn add(role: &mut Role, name: &str) {
    match role {
        Role::Claimed(names) | Role::Included(names) => {
            if !names.iter().any(|known| known == name) {
                names.push(name.to_owned());
            }
        }
        Role::Missed | Role::Policy | Role::Excepted | Role::Other => {}
    }
}

/// How many files that nobody knows are listed.
const LISTED: usize = 20;

fn text(Coverage { files, unmatched, beside }: &Coverage, sources: &SourceMap) -> String {
    let mut out = String::new();
    let mut line = |text: std::fmt::Arguments<'_>| writeln!(out, "{text}").expect("writing to a String");
    let of = |wanted: fn(&Role) -> bool| -> Vec<&Covered> { files.iter().filter(|file| wanted(&file.role)).collect() };
    let missed = of(|role| *role == Role::Missed);
    if !missed.is_empty() {
        line(format_args!("Looks like configuration, and nobody judges it:"));
        for file in &missed {
            line(format_args!("  {}  {}", file.path, file.format.unwrap_or_default()));
        }
        line(format_args!("  help: add it to `files` of a configuration, or name it with --except\n"));
    }
    if !unmatched.is_empty() {
        line(format_args!("Patterns that match nothing:"));
        for (configuration, pattern, at) in unmatched {
            let at = sources.locate(*at);
            line(format_args!("  {}:{}:{}  `{pattern}` of `{configuration}`", at.path, at.line, at.column));
        }
        line(format_args!("  help: correct or remove them: as long as they stand no change is judged\n"));
    }
    let claimed = of(|role| matches!(role, Role::Claimed(_) | Role::Included(_)));
    if !claimed.is_empty() {
        line(format_args!("Judged:"));
    }
    for Covered { path, role, format, checks } in &claimed {
        let (names, how) = match role {
            Role::Included(names) => (names, ", included"),
            Role::Claimed(names) => (names, ""),
            Role::Missed | Role::Policy | Role::Excepted | Role::Other => continue,
        };
        line(format_args!("  {path}  {} ({}{how})", names.join(", "), format.unwrap_or_default()));
        line(format_args!("    seen by {}", checks.join(", ")));
    }
    for (title, found) in [
        ("The policy, and what it refers to", of(|role| *role == Role::Policy)),
        ("Not judged, as --except says", of(|role| *role == Role::Excepted)),
        ("Not judged, of no known format", of(|role| *role == Role::Other)),
    ] {
        if !found.is_empty() {
            let names: Vec<&str> = found.iter().take(LISTED).map(|file| file.path.as_str()).collect();
            let more = found.len().saturating_sub(LISTED);
            let more = if more == 0 { String::new() } else { format!(" and {more} more (--output json has all)") };
            line(format_args!("{title}: {}{more}", names.join(", ")));
        }
    }
    for problem in beside {
        line(format_args!("Not followed: {problem}"));
    }
    let (all, judged) = (files.len(), claimed.len());
    line(format_args!(
        "{judged} of {all} files are judged; {} look like configuration and are not; {} patterns match nothing",
        missed.len(),
        unmatched.len()
    ));
    out
}

fn json(Coverage { files, unmatched, beside }: &Coverage, sources: &SourceMap) -> String {
    let file = |Covered { path, role, format, checks }: &Covered| {
        let (word, configurations) = match role {
            Role::Missed => ("missed", [].as_slice()),
            Role::Claimed(names) => ("claimed", names.as_slice()),
            Role::Included(names) => ("included", names.as_slice()),
            Role::Policy => ("policy", [].as_slice()),
            Role::Excepted => ("excepted", [].as_slice()),
            Role::Other => ("other", [].as_slice()),
        };
        json!({"path": path, "role": word, "configurations": configurations, "format": format, "checks": checks})
    };
    let mut all: Vec<&Covered> = files.iter().collect();
    all.sort_by_key(|file| (file.role != Role::Missed, &file.path));
    let all: Vec<Value> = all.into_iter().map(file).collect();
    let pattern = |(configuration, pattern, at): &(String, String, Span)| {
        let at = sources.locate(*at);
        let location = json!({"path": at.path, "line": at.line, "column": at.column});
        json!({"configuration": configuration, "pattern": pattern, "location": location})
    };
    let unmatched: Vec<Value> = unmatched.iter().map(pattern).collect();
    let report = json!({"version": 1, "files": all, "unmatched": unmatched, "not_followed": beside});
    format!("{report:#}\n")
}
