use super::arguments::Test;
use super::judge;
use super::lint::{Read, alone};
use super::output::Streams;
use super::surroundings::Surroundings;
use super::wanted::Everything;
use crate::checks::{self, Configured};
use crate::decision::{Cause, Doubt, Expectation};
use crate::policy;
use crate::source::{Claims, File, Side};
use crate::text::SourceMap;
use std::path::Path;

/// The end of the name of a file of expectations.
const EXPECTATIONS: &str = "flows.yaml";

pub(super) fn run(arguments: &Test, surroundings: &Surroundings, streams: &mut Streams<'_>) -> u8 {
    let Test { files: _, subject, reporting } = arguments;
    alone(subject, None, reporting, surroundings, streams, &|read, side, sources, talk| {
        let files = files(arguments, surroundings, side)?;
        expected(read, files, sources, talk)
    })
}

/// Each file is one expectation or more.
fn expected(
    read: &mut Read,
    files: Vec<File>,
    sources: &mut SourceMap,
    talk: &mut Vec<String>,
) -> Result<Vec<Configured>, Vec<Doubt>> {
    let policy = &read.policy;
    let (mut all, count) = (Vec::new(), files.len());
    for file in files {
        let id = judge::add(sources, file)?;
        let entries = policy::expectations(policy::parse(id, sources), &policy.names).map_err(judge::policy_doubts)?;
        all.extend(checks::configure_more(&entries, policy).map_err(judge::policy_doubts)?);
        let name = |entry: &policy::Entry| entry.name.as_ref().map(|name| name.value.clone());
        read.expectations.extend(entries.iter().map(|entry| Expectation { name: name(entry), at: entry.node.span }));
    }
    let s = |n: usize| if n == 1 { "" } else { "s" };
    let (expectations, files) = (all.len(), count);
    talk.push(format!("note: {expectations} expectation{} in {files} file{}", s(expectations), s(files)));
    Ok(all)
}

/// The files that are named, or all of the side.
fn files(arguments: &Test, surroundings: &Surroundings, side: &Side) -> Result<Vec<File>, Vec<Doubt>> {
    let Test { files, subject, reporting: _ } = arguments;
    let missing = |message: String| {
        let help = format!("write what is expected into a file called {EXPECTATIONS}; see `portcullis test --help`");
        vec![Doubt { cause: Cause::MatchesNothing, message, help, at: None }]
    };
    let mut found = Vec::new();
    for path in files {
        let file = match &subject.path {
            Some(_) => alone_on_disk(&surroundings.folder.join(path))?,
            None => {
                let path = path.strip_prefix("./").unwrap_or(path).display().to_string();
                side.file(&path).map_err(judge::source_doubts)?
            }
        };
        let none = || missing(format!("there is no file `{}` in {}", path.display(), side.describe()));
        found.push(file.ok_or_else(none)?);
    }
    if files.is_empty() {
        found = side.files(&Expectations).map_err(judge::source_doubts)?;
    }
    if found.is_empty() {
        return Err(missing(format!("nothing is expected: there is no file {EXPECTATIONS} in {}", side.describe())));
    }
    Ok(found)
}

/// A file outside of the side; `None`: there is a folder of that name.
fn alone_on_disk(path: &Path) -> Result<Option<File>, Vec<Doubt>> {
    let side = Side::path(path).map_err(|why| vec![judge::doubt(Cause::Source, &why)])?;
    let mut files = side.files(&Everything).map_err(judge::source_doubts)?;
    Ok(files.pop().filter(|_| files.is_empty() && path.is_file()))
}

/// Files of expectations, in every folder.
pub(super) struct Expectations;

impl Claims for Expectations {
    fn file(&self, path: &[u8]) -> bool {
        let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or(path);
        name.strip_suffix(EXPECTATIONS.as_bytes()).is_some_and(|rest| rest.is_empty() || rest.ends_with(b"."))
    }
    fn below(&self, _: &[u8]) -> bool {
        true
    }
}
