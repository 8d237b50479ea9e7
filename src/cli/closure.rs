//! What main files include, fetched from the side that they are of, until nothing is missing.

use super::judge;
use crate::decision::{Cause, Doubt};
use crate::formats::{self, Include, Input};
use crate::record::{Artifact, Closure as Bound};
use crate::source::{Claims, Side, Sides};
use crate::text::{Linked, SourceId, SourceMap, escape};
use std::collections::{BTreeSet, HashMap};

/// What a plan is called in a record.
const PLAN: &str = "plan.json";

/// Fetches what the files of both sides include. What another one includes is no main file of its own any more.
pub(super) fn of_sides(
    sides: &Sides,
    (base, head): &mut judge::Inputs,
    sources: &mut SourceMap,
) -> Result<(), Vec<Doubt>> {
    of_side(&sides.base, base, sources)?;
    of_side(&sides.head, head, sources)
}

/// Fetches what the files of a side include.
pub(super) fn of_side(side: &Side, inputs: &mut Vec<Input>, sources: &mut SourceMap) -> Result<(), Vec<Doubt>> {
    let around = side.around();
    let (side, path) = match &around {
        Some((around, path)) => (around, Some(escape(path))),
        None => (side, None),
    };
    let mains = inputs.iter().flat_map(|input| input.files.iter().copied()).collect();
    let mut closure = Closure { side, sources, known: HashMap::new(), mains, fetched: HashMap::new(), path };
    for file in inputs.iter().flat_map(|input| &input.files) {
        closure.known.insert(closure.path(*file), *file);
    }
    for input in inputs.iter() {
        if let Some(format) = formats::format_of(input, closure.sources) {
            for main in &input.files {
                closure.follow(format, *main)?;
            }
        }
    }
    let mut included = BTreeSet::new();
    for input in inputs.iter() {
        for main in input.files.iter().filter(|main| !included.contains(*main)).collect::<Vec<_>>() {
            included.extend(sources.included(*main).filter(|file| file != main));
        }
    }
    for input in inputs.iter_mut() {
        input.files.retain(|file| !included.contains(file));
    }
    inputs.retain(|input| !input.files.is_empty());
    Ok(())
}

/// Every file that is opened where those configurations are put into force: their own, and all that these include.
pub(super) fn opened(inputs: &[Input], sources: &SourceMap) -> Vec<SourceId> {
    let mains = inputs.iter().flat_map(|input| input.files.iter().copied());
    let all: BTreeSet<SourceId> = mains.flat_map(|main| sources.included(main).chain([main])).collect();
    all.into_iter().collect()
}

/// What a record binds of files. A plan is the one that is applied, whatever its file is called.
pub(super) fn bound(artifact: Artifact, opened: &[SourceId], sources: &SourceMap) -> Result<Bound, Vec<Doubt>> {
    let mut bound = Bound::default();
    for file in opened {
        let (name, executable) = match artifact {
            Artifact::Plan => (PLAN, false),
            Artifact::Tree => (sources.name(*file), sources.is_executable(*file)),
        };
        if name.contains('\\') {
            let message = format!("the name `{name}` has a character that cannot be seen");
            let help = "rename the file: a record has to say which files it is of".to_owned();
            return Err(vec![Doubt { cause: Cause::Source, message, help, at: None }]);
        }
        bound.add(name.as_bytes(), executable, sources.bytes(*file));
    }
    Ok(bound)
}

struct Closure<'a> {
    side: &'a Side,
    sources: &'a mut SourceMap,
    /// The files that were read, by their paths as they are shown.
    known: HashMap<String, SourceId>,
    /// The main files of all configurations.
    mains: BTreeSet<SourceId>,
    /// What was fetched, by places and whether they are patterns.
    fetched: HashMap<(Vec<Vec<u8>>, bool), Vec<SourceId>>,
    /// Where the main file is in the side, if it is a single one.
    path: Option<String>,
}

impl Closure<'_> {
    /// The path of a main file in the side.
    fn path(&self, file: SourceId) -> String {
        self.path.clone().unwrap_or_else(|| self.sources.name(file).to_owned())
    }

    fn follow(&mut self, format: &dyn formats::Format, main: SourceId) -> Result<(), Vec<Doubt>> {
        let path = self.path(main);
        let mut pending = vec![main];
        while let Some(file) = pending.pop() {
            for include in format.includes(&path, &self.path(file), self.sources.bytes(file)) {
                if self.sources.linked(main, &include.name).is_some() {
                    continue;
                }
                let texts = if include.beside { self.beside(&include)? } else { self.fetch(&include)? };
                pending.extend(&texts);
                let within = !texts.is_empty() || !include.name.starts_with(b"/") && !include.places.is_empty();
                self.sources.link(main, &include.name, Linked { texts, within });
            }
        }
        Ok(())
    }

    /// The files that belong to one because of its folder.
    fn beside(&mut self, include: &Include) -> Result<Vec<SourceId>, Vec<Doubt>> {
        // Whoever names a single file means it.
        if self.path.is_some() {
            return Ok(Vec::new());
        }
        let mut found = self.fetch(include)?;
        found.retain(|file| !self.mains.contains(file));
        Ok(found)
    }

    /// The files that a name leads to, in the order in which they are included.
    fn fetch(&mut self, include: &Include) -> Result<Vec<SourceId>, Vec<Doubt>> {
        let place = (include.places.clone(), include.pattern);
        if let Some(fetched) = self.fetched.get(&place) {
            return Ok(fetched.clone());
        }
        let files = self.side.files(&Named(include)).map_err(judge::source_doubts)?;
        let mut found: Vec<_> =
            files.into_iter().filter_map(|file| Some((include.place_of(&file.path)?, file))).collect();
        found.sort_by(|(left, a), (right, b)| (left, &a.path).cmp(&(right, &b.path)));
        if !include.pattern {
            found.truncate(1);
        }
        let mut texts = Vec::with_capacity(found.len());
        for (_, file) in found {
            let shown = escape(&file.path);
            let id = match self.known.get(&shown) {
                Some(id) => *id,
                None => judge::add(self.sources, file)?,
            };
            self.known.insert(shown, id);
            texts.push(id);
        }
        self.fetched.insert(place, texts.clone());
        Ok(texts)
    }
}

/// The files that a name may lead to.
struct Named<'i>(&'i Include);

impl Claims for Named<'_> {
    fn file(&self, path: &[u8]) -> bool {
        self.0.place_of(path).is_some()
    }
    fn below(&self, folder: &[u8]) -> bool {
        self.0.is_below(folder)
    }
}
