//! Source text to the model. One folder a format; two formats never know one another.
//!
//! A format claims every byte it reads in a [`Ledger`]; what nobody claims becomes a gap by itself.
//! Knows nothing of git, policy, differences or checks.

mod account;
mod balancers;
mod cloud;
mod code;
mod data;
mod declared;
mod describe;
mod glob;
mod layout;
mod ledger;
mod parallel;
mod places;

pub use declared::Texts;
pub use describe::describe;
pub use layout::{Group, is_plain, layout};
pub use ledger::{Disposition, Ledger, Note};

use crate::model::{Configuration, Declaration, Gap, RuleId, Snapshot, Store};
use crate::text::{Linked, SourceId, SourceMap, Span};
use std::any::Any;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

/// Declares the formats: one line each, which is both the module and the registration.
macro_rules! formats {
    ($($module:ident),* $(,)?) => {
        $(mod $module;)*
        /// Every format, in the order in which they are asked whether a file is theirs.
        pub static FORMATS: &[&dyn Format] = &[$(&$module::FORMAT),*];
    };
}

formats! {
    aws_api,
    azure_api,
    balancer_inventory,
    cf_asg,
    cloudformation,
    envoy,
    haproxy,
    iptables_save,
    kubernetes,
    nginx,
    nftables,
    terraform,
}

/// A configuration language.
pub trait Format: Sync {
    /// The name used in policy files and reports, e.g. `nftables`.
    fn id(&self) -> &'static str;

    /// Whether a file of that name (escaped) with that text is probably written in it. Asked only where the
    /// policy does not name the format.
    fn recognises(&self, name: &str, text: &[u8]) -> bool;

    /// What the text of a file includes, given the names of the main file that is read and of the file itself (their
    /// paths, escaped). Names that are not really included do no harm.
    fn includes(&self, _main: &str, _file: &str, _text: &[u8]) -> Vec<Include> {
        Vec::new()
    }

    /// What a configuration that was read declares and nobody else can use.
    fn declarations(&self, _configuration: &Configuration, _texts: &Texts<'_>) -> Vec<Declaration> {
        Vec::new()
    }

    /// Reads the files of one configuration. What it does not claim in the ledgers becomes a gap.
    fn read(&self, reading: &mut Reading<'_>);
}

/// The format of that id.
#[must_use]
pub fn format(id: &str) -> Option<&'static dyn Format> {
    FORMATS.iter().find(|format| format.id() == id).copied()
}

/// A name that a text includes, and where it may lead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Include {
    /// As it is written.
    pub name: Vec<u8>,
    /// Paths from the root of a side, the most likely first.
    pub places: Vec<Vec<u8>>,
    /// Whether they are patterns: then the files of all places count, otherwise the first that exists.
    pub pattern: bool,
    /// Whether nothing in the text says so: files of one folder belong together. One that is a main file itself, of
    /// whichever configuration, stays that, and a file that somebody names alone has none beside it.
    pub beside: bool,
}

impl Include {
    /// The first place that a file of that path is at.
    #[must_use]
    pub fn place_of(&self, path: &[u8]) -> Option<usize> {
        self.places.iter().position(|place| glob::matches(place, path, self.pattern))
    }

    /// Whether a place is below that folder.
    #[must_use]
    pub fn is_below(&self, folder: &[u8]) -> bool {
        self.places.iter().any(|place| glob::is_below(place, folder, self.pattern))
    }
}

/// A configuration to read: its name and its files in the order in which they count.
#[derive(Clone)]
pub struct Input {
    /// Its name in reports.
    pub name: String,
    /// Its format; `None`: the one that recognises its files.
    pub format: Option<&'static dyn Format>,
    /// Its files.
    pub files: Vec<SourceId>,
}

/// Which side a text is read as. Most texts are of one side only, and read the same whichever it is; a Terraform plan
/// says what is there before and what after.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Aspect {
    /// What is in force before the change that the text is about.
    Before,
    /// What is in force after it.
    After,
}

/// What is handed to a format: the texts of one configuration, and where the model of it is put.
pub struct Reading<'a> {
    /// Where rules, names and opaque conditions are kept; shared by both sides.
    pub store: &'a mut Store,
    /// The configuration in the making.
    pub configuration: Configuration,
    /// Which side is read of texts that hold both.
    pub aspect: Aspect,
    sources: &'a SourceMap,
    files: &'a [SourceId],
    after: &'a [SourceId],
    earlier: Option<&'a Memo>,
    memo: Memo,
    gaps: Vec<Gap>,
    notes: Vec<Note>,
}

impl<'a> Reading<'a> {
    /// The files, in order.
    #[must_use]
    pub const fn files(&self) -> &'a [SourceId] {
        self.files
    }

    /// The files of the same configuration on the side after, if this is the one before.
    #[must_use]
    pub const fn after(&self) -> &'a [SourceId] {
        self.after
    }

    /// The text of a file.
    #[must_use]
    pub fn text(&self, file: SourceId) -> &'a [u8] {
        self.sources.bytes(file)
    }

    /// What a name leads to that a main file or one that it includes has in an include; `None`: nobody has looked.
    #[must_use]
    pub fn linked(&self, main: SourceId, name: &[u8]) -> Option<&'a Linked> {
        self.sources.linked(main, name)
    }

    /// The files that a main file includes.
    pub fn included(&self, main: SourceId) -> impl Iterator<Item = SourceId> + use<'a> {
        self.sources.included(main)
    }

    /// The name of a file, escaped.
    #[must_use]
    pub fn name(&self, file: SourceId) -> &'a str {
        self.sources.name(file)
    }

    /// What stands there must not be printed.
    pub fn hide(&self, span: Span) {
        self.sources.hide(span);
    }

    /// Opens the account of a file. Close it with [`Reading::close`].
    #[must_use]
    pub fn ledger(&self, file: SourceId) -> Ledger<'a> {
        Ledger::new(file, self.sources.bytes(file))
    }

    /// Closes the account of a file: what is unclaimed becomes a gap.
    pub fn close(&mut self, ledger: Ledger<'a>) {
        let source = ledger.source();
        let (mut notes, gaps) = ledger.close();
        let first = self.notes.len();
        append(&mut self.notes, &mut notes);
        let mine = self.memo.lines.get_mut(&self.configuration.name);
        if let Some(left) = mine.and_then(|files| files.get_mut(self.sources.name(source))) {
            left.notes = first..self.notes.len();
        }
        for (origin, reason) in gaps {
            self.gap(origin, reason);
        }
    }

    /// The text is not in the format, or says something whose effect cannot be bounded.
    pub fn gap(&mut self, origin: Span, reason: impl Into<String>) {
        let configuration = self.configuration.name.clone();
        self.gaps.push(Gap { configuration, origin, reason: reason.into() });
    }

    /// What reading the file of the same name on the other side left behind. Where each side is a single file, that is
    /// the one, whatever it is called.
    #[must_use]
    pub fn earlier(&self, file: SourceId) -> Option<Earlier<'a>> {
        let earlier = self.earlier?;
        let left = earlier.lines.get(&self.configuration.name)?;
        let whole = earlier.configurations.get(&self.configuration.name)?;
        let only = || left.values().next().filter(|_| left.len() == 1 && self.files.len() == 1);
        let Left { source, lines, ends, marked, notes } = left.get(self.sources.name(file)).or_else(only)?;
        let notes = whole.notes.get(notes.clone())?;
        Some(Earlier { text: self.sources.bytes(*source), lines, ends, marked, notes })
    }

    /// What was kept of a file, on either side, or of one of the same name with the same text on the other: which one, and
    /// what.
    #[must_use]
    pub fn kept<T: Any + Send + Sync>(&self, file: SourceId) -> Option<(SourceId, Arc<T>)> {
        let memos = [Some(&self.memo), self.earlier];
        let mut known = memos.into_iter().flatten().filter_map(|memo| memo.kept.get(self.sources.name(file))).flatten();
        let (same, kept) =
            known.find(|(same, _)| *same == file || self.sources.bytes(*same) == self.sources.bytes(file))?;
        let kept = Arc::clone(kept).downcast().expect("each format keeps one kind of thing, and a file has one format");
        Some((*same, kept))
    }

    /// Keeps what a text was parsed to, of either side, so that it need not be parsed again.
    pub fn keep<T: Any + Send + Sync>(&mut self, file: SourceId, kept: Arc<T>) {
        self.memo.kept.entry(self.sources.name(file).to_owned()).or_default().push((file, kept));
    }

    /// What reading the side before has told of this configuration; `None`: nothing of that kind, as it may be in another
    /// format there.
    #[must_use]
    pub fn told<T: Any + Send + Sync>(&self) -> Option<Arc<T>> {
        let told = Arc::clone(self.earlier?.told.get(&self.configuration.name)?);
        told.downcast().ok()
    }

    /// Tells something to whoever reads this configuration of the side after.
    pub fn tell<T: Any + Send + Sync>(&mut self, told: Arc<T>) {
        self.memo.told.insert(self.configuration.name.clone(), told);
    }

    /// Leaves behind which rules the lines of a file are, for reading the other side.
    pub fn remember(&mut self, ledger: &Ledger<'a>, taken: Taken) {
        let source = ledger.source();
        let Taken { lines, ends, marked } = taken;
        let mine = self.memo.lines.entry(self.configuration.name.clone()).or_default();
        mine.insert(self.sources.name(source).to_owned(), Left { source, lines, ends, marked, notes: 0..0 });
    }
}

/// What a format leaves behind of a file that it has read.
#[derive(Debug, Default)]
pub struct Taken {
    /// The lines that may be taken over, in order.
    pub lines: Vec<Lines>,
    /// Where each single one of them ends, if the format wants to know.
    pub ends: Vec<u32>,
    /// Where those begin that the format has marked.
    pub marked: Vec<u32>,
}

/// Neighbouring lines of a file that is read already, for formats in which a line means the same wherever it stands in
/// one context (a table).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lines {
    /// The first byte of the first.
    pub start: u32,
    /// One past the last byte of the last, without the line ending.
    pub end: u32,
    /// What the format needs to know besides the text: equal contexts and equal texts mean equal rules.
    pub context: u32,
    /// How many lines they are.
    pub count: u32,
    /// The first of their rules; they have consecutive numbers.
    pub rule: RuleId,
    /// How many rules they are: one a line, or several of a single line.
    pub rules: u32,
}

/// A file of the other side, and what was made of it.
#[derive(Debug, Clone, Copy)]
pub struct Earlier<'a> {
    /// Its text.
    pub text: &'a [u8],
    /// Its lines, in order, as far as they may be taken over.
    pub lines: &'a [Lines],
    /// Where each of them ends, if the format has said so.
    pub ends: &'a [u32],
    /// Where lines begin that the format has marked, in order.
    pub marked: &'a [u32],
    /// The pieces of it that are not in the model, in order.
    pub notes: &'a [Note],
}

/// What a text was parsed to, as its format has it.
type Kept = Arc<dyn Any + Send + Sync>;

/// What reading one side leaves behind for reading the other.
#[derive(Debug, Default)]
pub struct Memo {
    /// By the names of the configurations, and of their files: rules are those of one configuration.
    lines: BTreeMap<String, BTreeMap<String, Left>>,
    /// By the names of the files.
    kept: BTreeMap<String, Vec<(SourceId, Kept)>>,
    /// By the names of the configurations.
    told: BTreeMap<String, Kept>,
    /// By their names.
    configurations: BTreeMap<String, Whole>,
}

/// A configuration that was read, and of what.
#[derive(Debug)]
struct Whole {
    format: Option<&'static str>,
    aspect: Aspect,
    files: Vec<SourceId>,
    configuration: Arc<Configuration>,
    gaps: Vec<Gap>,
    notes: Vec<Note>,
}

impl Whole {
    /// Whether reading that input would give the same again.
    fn is_of(&self, input: &Input, aspect: Aspect, sources: &SourceMap) -> bool {
        let Self { format, aspect: mine, files, configuration: _, gaps: _, notes: _ } = self;
        let same = |(a, b): (&SourceId, &SourceId)| sources.same(*a, *b);
        *format == input.format.map(Format::id)
            && *mine == aspect
            && files.len() == input.files.len()
            && files.iter().zip(&input.files).all(same)
    }
}

#[derive(Debug)]
struct Left {
    source: SourceId,
    lines: Vec<Lines>,
    ends: Vec<u32>,
    marked: Vec<u32>,
    /// Which of the notes on the configuration are on it.
    notes: Range<usize>,
}

/// Reads one side of a change. The only way to a [`Snapshot`].
///
/// `earlier` is what reading the other side left behind; configurations whose texts are equal there are not read again,
/// and of the others lines that are equal are not.
#[must_use]
pub fn read(
    inputs: &[Input],
    sources: &SourceMap,
    store: &mut Store,
    earlier: Option<&Memo>,
) -> (Snapshot, Memo, Vec<Note>) {
    read_side(Aspect::After, inputs, &[], sources, store, earlier)
}

/// Reads the side before a change, to which that one says what has become of what is called otherwise there. Of texts that may
/// hold both sides, that one is read.
#[must_use]
pub fn read_before(
    aspect: Aspect,
    inputs: &[Input],
    after: &[Input],
    sources: &SourceMap,
    store: &mut Store,
) -> (Snapshot, Memo, Vec<Note>) {
    read_side(aspect, inputs, after, sources, store, None)
}

fn read_side(
    aspect: Aspect,
    inputs: &[Input],
    after: &[Input],
    sources: &SourceMap,
    store: &mut Store,
    earlier: Option<&Memo>,
) -> (Snapshot, Memo, Vec<Note>) {
    let (mut configurations, mut gaps, mut memo, mut notes) = (Vec::new(), Vec::new(), Memo::default(), Vec::new());
    for input in inputs {
        let Input { name, format, files } = input;
        let whole = earlier.and_then(|earlier| earlier.configurations.get(name));
        if let Some(whole) = whole.filter(|whole| whole.is_of(input, aspect, sources)) {
            configurations.push(Arc::clone(&whole.configuration));
            gaps.extend(whole.gaps.iter().cloned());
            notes.extend(whole.notes.iter().cloned());
            continue;
        }
        store.begin(name);
        let configuration = Configuration { name: name.clone(), ..Configuration::default() };
        let mut reading = Reading {
            store,
            configuration,
            aspect,
            sources,
            files,
            after: after.iter().find(|after| after.name == *name).map_or(&[], |after| &after.files),
            earlier,
            memo: Memo::default(),
            gaps: Vec::new(),
            notes: Vec::new(),
        };
        match format.or_else(|| detect(files, sources)) {
            Some(format) => {
                reading.configuration.format = format.id();
                format.read(&mut reading);
                let declared = format.declarations(&reading.configuration, &Texts::of(files, sources));
                reading.configuration.declarations = declared;
            }
            None => {
                for file in files {
                    let all = Span { source: *file, start: 0, end: end_of(sources.bytes(*file)) };
                    let reason = if sources.bytes(*file).trim_ascii().is_empty() {
                        "the file is empty"
                    } else {
                        "no format recognises this file; name it in the policy with `format:`"
                    };
                    reading.gap(all, reason);
                }
            }
        }
        let Reading {
            store: _,
            configuration,
            aspect: _,
            sources: _,
            files: _,
            after: _,
            earlier: _,
            memo: Memo { lines: mut left, kept, mut told, configurations: _ },
            gaps: found,
            notes: mut noted,
        } = reading;
        let configuration = Arc::new(configuration);
        // Of the second side nobody reads a third one.
        if earlier.is_none() {
            let whole = Whole {
                format: format.map(Format::id),
                aspect,
                files: files.clone(),
                configuration: Arc::clone(&configuration),
                gaps: found.clone(),
                notes: noted.clone(),
            };
            memo.configurations.insert(name.clone(), whole);
        }
        configurations.push(configuration);
        memo.lines.append(&mut left);
        for (name, kept) in kept {
            memo.kept.entry(name).or_default().extend(kept);
        }
        memo.told.append(&mut told);
        gaps.extend(found);
        append(&mut notes, &mut noted);
    }
    configurations.sort_by(|a, b| a.name.cmp(&b.name));
    (Snapshot::new(configurations, gaps), memo, notes)
}

/// Whether a text holds both sides of a change, as a plan of Terraform does.
#[must_use]
pub fn holds_both_sides(text: &[u8]) -> bool {
    terraform::is_plan(text)
}

/// When a text says that it was made, as it says it: plans of Terraform do.
#[must_use]
pub fn made_at(text: &[u8]) -> Option<String> {
    terraform::made_at(text)
}

/// The format of an input, if it is given or one recognises its files.
#[must_use]
pub fn format_of(input: &Input, sources: &SourceMap) -> Option<&'static dyn Format> {
    input.format.or_else(|| detect(&input.files, sources))
}

/// The format of a configuration's files: the first that recognises every one that is not empty.
fn detect(files: &[SourceId], sources: &SourceMap) -> Option<&'static dyn Format> {
    let mut full = files.iter().filter(|file| !sources.bytes(**file).trim_ascii().is_empty()).peekable();
    full.peek()?;
    let full: Vec<_> = full.collect();
    FORMATS
        .iter()
        .find(|format| full.iter().all(|file| format.recognises(sources.name(**file), sources.bytes(**file))))
        .copied()
}

/// Moves all to the end of others; the first are not copied.
fn append<T>(all: &mut Vec<T>, more: &mut Vec<T>) {
    if all.is_empty() {
        std::mem::swap(all, more);
    } else {
        all.append(more);
    }
}

fn end_of(text: &[u8]) -> u32 {
    u32::try_from(text.len()).expect("sources are smaller than 4 GiB")
}
