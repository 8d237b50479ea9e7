//! Whether what is in force is what is expected.

use super::host::Beside;
use super::pieces::{self, NotSplit};
use super::runtime::Filled;
use super::scope::{self, Scope, Whose};
use crate::diff::{self, Change, Difference, FilterDifference};
use crate::formats::{self, Disposition, Format, Input};
use crate::model::{Action, Configuration, Snapshot, Stage, Store};
use crate::source::File;
use crate::text::{Linked, SourceId, SourceMap, Span, escape};
use std::collections::BTreeSet;
use std::ops::Range;

/// Some of the tables of a text: each with its name, and where it stands there.
type Tables = fn(&Text) -> &[(String, Range<usize>)];

/// What should be in force.
#[derive(Clone)]
pub struct Expected {
    /// The main files, in the order in which they count.
    pub files: Vec<SourceId>,
    /// Their format; `None`: the one that recognises them.
    pub format: Option<&'static dyn Format>,
}

/// What is in force.
#[derive(Clone, Copy)]
pub struct Live<'l> {
    /// The ruleset. Empty: there is none.
    pub files: &'l [File],
    /// What else decides packets there.
    pub beside: &'l [Beside],
    /// What the files include, by the names by which they do.
    pub included: &'l [(Vec<u8>, File)],
    /// The files lie over those that are expected.
    pub rest_as_expected: bool,
}

/// What is in force, held against what is expected.
#[derive(Debug)]
pub struct Verified {
    /// What is expected as base, what is in force as head, without the tables of others that may be there.
    pub change: Change,
    /// What differs.
    pub difference: Difference,
    /// How many rules are expected.
    pub expected_rules: usize,
    /// How many are in force.
    pub live_rules: usize,
    /// Whether nothing at all decides packets there.
    pub nothing: bool,
    /// What the listing only names and is kept elsewhere, such as `set`.
    pub elsewhere: Vec<&'static str>,
    /// Which of the files in force there are not what is expected, in sentences, whether or not anything depends on them.
    pub unexpected: Vec<String>,
    /// The sets of which elements are not compared: packets have put them there.
    pub runtime: Vec<String>,
    /// What the tables of others do.
    pub foreign: Vec<Foreign>,
}

/// What some tables of others do.
#[derive(Debug)]
pub struct Foreign {
    /// Their names.
    pub tables: Vec<String>,
    /// Whether they may decide first.
    pub may_decide_first: bool,
    /// Whether some do.
    pub decides_first: bool,
    /// What they write and the others read, such as a condition on marks.
    pub writes: Vec<String>,
    /// Whether part of them is not understood.
    pub unread: bool,
    /// What is in force without them as base, with them as head.
    pub change: Change,
    /// What they do.
    pub difference: Difference,
}

/// A part of a text that belongs to others: its name, and where it stands.
type Part = (String, Range<usize>);
/// A text of the host, and what it is without the tables of others.
struct Text {
    ours: Option<SourceId>,
    /// With those of others that may decide first.
    with_first: Option<SourceId>,
    whole: SourceId,
    /// Where tables of others stand that may not decide first, and those that may.
    foreign: Vec<Part>,
    first: Vec<Part>,
    /// Whether parts of tables can be those of others.
    by_chain: bool,
}

/// Holds what is in force against what is expected, as the configuration of that name.
///
/// # Errors
/// The tables of a text cannot be told apart.
pub fn verify(
    name: &str,
    expected: &Expected,
    live: Live<'_>,
    scope: &Scope,
    sources: &mut SourceMap,
) -> Result<Verified, NotSplit> {
    let Live { files, beside, included, rest_as_expected } = live;
    let expected = &awake(expected, sources)?;
    let known = expected_names(expected, scope, sources)?;
    let mut runtime = BTreeSet::new();
    let now = settled(files, expected, sources, &mut runtime);
    let mut groups = vec![(name.to_owned(), texts(&now, scope, &known, sources)?)];
    for Beside { name: what, files } in beside {
        let now = settled(files, expected, sources, &mut runtime);
        groups.push((format!("{name} ({what})"), texts(&now, scope, &known, sources)?));
    }
    let side = |of: fn(&Text) -> Option<SourceId>| -> Vec<Input> {
        let inputs = groups.iter().map(|(name, texts)| Input {
            name: name.clone(),
            format: None,
            files: texts.iter().filter_map(of).collect(),
        });
        inputs
            .enumerate()
            .filter(|(number, input)| *number == 0 || !input.files.is_empty())
            .map(|(_, input)| input)
            .collect()
    };
    let (ours, with_first, whole) =
        (side(|text| text.ours), side(|text| text.with_first), side(|text| Some(text.whole)));
    let base = Input { name: name.to_owned(), format: expected.format, files: expected.files.clone() };
    let unexpected = link(&groups, expected, included, sources)?;
    let (mut ours, mut with_first, mut whole) = (ours, with_first, whole);
    for input in [&mut ours, &mut with_first, &mut whole].into_iter().flat_map(|side| side.first_mut()) {
        if rest_as_expected {
            input.files.splice(0..0, expected.files.iter().copied());
        }
        if input.files.is_empty() {
            // Where there is nothing, it is nothing of what is expected.
            input.format = formats::format_of(&base, sources);
        }
    }
    let (change, named) = read(&[base], &ours, sources);
    let difference = diff::compare(&change);
    let mut foreign = Vec::new();
    let lists: [(bool, &[Input], &[Input], Tables); 2] =
        [(true, &ours, &with_first, |text| &text.first), (false, &with_first, &whole, |text| &text.foreign)];
    for (may_decide_first, without, with, list) in lists {
        let texts = || groups.iter().flat_map(|(_, texts)| texts);
        let tables: BTreeSet<String> = texts().flat_map(list).map(|(name, _)| name.clone()).collect();
        if tables.is_empty() {
            continue;
        }
        let (change, theirs) = read(without, with, sources);
        let difference = diff::compare(&change);
        let there =
            Places { list: texts().flat_map(|text| list(text).iter().map(move |(_, at)| (text, at))).collect() };
        let decides_first = difference.configurations.iter().any(|configuration| {
            let objects = &configuration.objects;
            let computed = objects.added.iter().chain(&objects.modified).all(|object| object.uncomputed.is_none());
            let all = change.head.configurations();
            let head = all.iter().find(|head| head.name == configuration.name).map(|head| &**head);
            !computed || configuration.filters.iter().any(|filter| there.comes_first(filter, head))
        });
        let more = change.head.gaps().len() > change.base.gaps().len();
        let unread = more || theirs.len() > named_in(without, sources).len();
        let (tables, writes) = (tables.into_iter().collect(), there.writes(&change, sources));
        foreign.push(Foreign { tables, may_decide_first, decides_first, writes, unread, change, difference });
    }
    let rules = |side: &Snapshot| side.configurations().iter().map(|configuration| configuration.rule_count()).sum();
    let denies = change.head.configurations().iter().flat_map(|configuration| &configuration.filters);
    let nothing = denies.flat_map(|filter| &filter.stages).all(|stage| stage.otherwise != Action::Deny);
    let (expected_rules, live_rules) = (rules(&change.base), rules(&change.head));
    let nothing = nothing && live_rules == 0 && change.head.gaps().is_empty();
    let runtime = runtime.into_iter().collect();
    let elsewhere = named.into_iter().collect::<BTreeSet<_>>().into_iter().collect();
    Ok(Verified { change, difference, expected_rules, live_rules, nothing, elsewhere, unexpected, runtime, foreign })
}

/// The files of a host without what packets have put into sets that expected rules add to, unless it is named anywhere in
/// what is expected; the names of those sets are noted.
fn settled(files: &[File], expected: &Expected, sources: &SourceMap, runtime: &mut BTreeSet<String>) -> Vec<File> {
    let mains = expected.files.iter().flat_map(|main| sources.included(*main).chain([*main]));
    let texts: Vec<&[u8]> = mains.map(|text| sources.bytes(text)).collect();
    let named = |key: &[u8]| texts.iter().any(|text| memchr::memmem::find(text, key).is_some());
    let filled = Filled::by(texts.iter().copied());
    let settled = files.iter().map(|file| {
        let (bytes, names) = filled.settled(&file.bytes, named);
        runtime.extend(names);
        File { bytes, ..file.clone() }
    });
    settled.collect()
}

/// Lets the files of the host include what those do that are expected; what else is in force there.
fn link(
    groups: &[(String, Vec<Text>)],
    expected: &Expected,
    included: &[(Vec<u8>, File)],
    sources: &mut SourceMap,
) -> Result<Vec<String>, NotSplit> {
    let mut unexpected = Vec::new();
    for (name, file) in included {
        let known = expected.files.iter().filter_map(|main| sources.linked(*main, name));
        let Some(known) = known.flat_map(|linked| &linked.texts).next() else {
            unexpected.push(format!("`{}` is in force, and in no file that is expected", escape(name)));
            continue;
        };
        // Not every file decides where requests go.
        if entries(sources.bytes(*known)) != entries(&file.bytes) {
            unexpected.push(format!("`{}` does not say what is expected of it", escape(name)));
        }
        let text = sources.add(&file.name, file.bytes.clone()).map_err(|_| NotSplit::too_large())?;
        for main in groups.iter().flat_map(|(_, texts)| texts).map(|text| text.whole) {
            sources.link(main, name, Linked { texts: vec![text], within: true });
        }
    }
    Ok(unexpected)
}

/// The lines of a list, without those that say nothing.
fn entries(text: &[u8]) -> Vec<&[u8]> {
    let lines = crate::text::lines(text).map(|(_, line)| line.trim_ascii());
    lines.filter(|line| !line.is_empty() && line.first() != Some(&b'#')).collect()
}

/// What is expected, without tables of iptables that do nothing.
fn awake(expected: &Expected, sources: &mut SourceMap) -> Result<Expected, NotSplit> {
    let Expected { files, format } = expected;
    let mut kept = Vec::new();
    for file in files {
        match pieces::awake(sources.bytes(*file)) {
            None => kept.push(*file),
            Some(text) if pieces::has_tables(&text) => {
                let name = sources.name(*file).as_bytes().to_vec();
                kept.push(sources.add(&name, text).map_err(|_| NotSplit::too_large())?);
            }
            Some(_) => {}
        }
    }
    Ok(Expected { files: kept, format: *format })
}

/// Conditions that a listing only names: what they say is kept elsewhere, so that equal texts may mean different things.
const ELSEWHERE: [&str; 3] = ["bpf", "set", "xt"];

/// What a side only names.
fn named_in(side: &[Input], sources: &SourceMap) -> Vec<&'static str> {
    read(&[], side, sources).1
}

/// Reads both sides, and what the host's only names.
fn read(base: &[Input], head: &[Input], sources: &SourceMap) -> (Change, Vec<&'static str>) {
    let mut store = Store::default();
    let (base, memo, _) = formats::read(base, sources, &mut store, None);
    let (head, _, notes) = formats::read(head, sources, &mut store, Some(&memo));
    let named = notes.iter().filter_map(|note| match note.disposition {
        Disposition::Opaque(what) => ELSEWHERE.contains(&what).then_some(what),
        Disposition::Modelled | Disposition::Inert(_) => None,
    });
    (Change::new(base, head, store), named.collect())
}

/// The names of the tables and chains that are expected. A text whose parts cannot be told apart names none, which
/// makes more a difference and not less; only where tables of others are declared does it matter.
fn expected_names(expected: &Expected, scope: &Scope, sources: &SourceMap) -> Result<BTreeSet<String>, NotSplit> {
    let Scope { owned: _, foreign, first } = scope;
    let mut names = BTreeSet::new();
    if foreign.is_empty() && first.is_empty() {
        return Ok(names);
    }
    for main in &expected.files {
        names.extend(scope::names(sources.bytes(*main))?);
        for included in sources.included(*main) {
            names.extend(scope::names(sources.bytes(included))?);
        }
    }
    Ok(names)
}

/// Takes the texts of the host in.
fn texts(
    files: &[File],
    scope: &Scope,
    expected: &BTreeSet<String>,
    sources: &mut SourceMap,
) -> Result<Vec<Text>, NotSplit> {
    let mut texts = Vec::new();
    let Scope { owned: _, foreign, first } = scope;
    for file in files {
        let awake = pieces::awake(&file.bytes).map(|bytes| File { bytes, ..file.clone() });
        if awake.as_ref().is_some_and(|file| !pieces::has_tables(&file.bytes)) {
            continue;
        }
        let file = awake.as_ref().unwrap_or(file);
        let mut add = |bytes: Vec<u8>| sources.add(&file.name, bytes).map_err(|_| NotSplit::too_large());
        if foreign.is_empty() && first.is_empty() {
            let whole = add(file.bytes.clone())?;
            let (foreign, first, by_chain) = (Vec::new(), Vec::new(), false);
            texts.push(Text { ours: Some(whole), with_first: Some(whole), whole, foreign, first, by_chain });
            continue;
        }
        let all = pieces::pieces(&file.bytes)?;
        let of = |whose| {
            let mine = all.iter().filter(|piece| scope.whose(piece, expected) == whose);
            mine.map(|piece| (piece.name(), piece.at.clone())).collect::<Vec<_>>()
        };
        let (foreign, first) = (of(Whose::Foreign), of(Whose::First));
        let whole = add(file.bytes.clone())?;
        let mut left = |unwanted: &[Whose]| -> Result<Option<SourceId>, NotSplit> {
            if !all.iter().any(|piece| unwanted.contains(&scope.whose(piece, expected))) {
                return Ok(Some(whole));
            }
            let text = pieces::without(&file.bytes, |piece| unwanted.contains(&scope.whose(piece, expected)))?;
            if pieces::has_tables(&text) { add(text).map(Some) } else { Ok(None) }
        };
        let (ours, with_first) = (left(&[Whose::Foreign, Whose::First])?, left(&[Whose::Foreign])?);
        let by_chain = all.iter().any(|piece| piece.chain.is_some());
        texts.push(Text { ours, with_first, whole, foreign, first, by_chain });
    }
    Ok(texts)
}

/// Where the tables of others stand.
struct Places<'t> {
    list: Vec<(&'t Text, &'t Range<usize>)>,
}

impl Places<'_> {
    /// Whether a filter decides otherwise because of a chain of others that runs before one that is not theirs.
    fn comes_first(&self, filter: &FilterDifference, configuration: Option<&Configuration>) -> bool {
        let Some(configuration) = configuration else { return true };
        if self.list.iter().any(|(text, _)| text.by_chain) {
            // Their rules stand among the others.
            return true;
        }
        let hook = |id: &str| id.rsplit_once('/').map_or_else(|| id.to_owned(), |(_, hook)| hook.to_owned());
        let here = hook(&filter.id);
        let stages = |of: &str| -> Vec<bool> {
            let filters = configuration.filters.iter().filter(|filter| hook(&filter.id) == of);
            filters.flat_map(|filter| &filter.stages).map(|stage| self.is_foreign(stage, configuration)).collect()
        };
        let mine = stages(&here);
        let first = mine.iter().position(|foreign| *foreign);
        let last = mine.iter().rposition(|foreign| !*foreign);
        let before = first.zip(last).is_some_and(|(theirs, ours)| theirs < ours);
        let later: &[&str] = match here.as_str() {
            "prerouting" => &["input", "forward", "postrouting"],
            "forward" | "output" => &["postrouting"],
            _ => &[],
        };
        before || later.iter().any(|hook| stages(hook).contains(&false))
    }

    fn is_foreign(&self, stage: &Stage, configuration: &Configuration) -> bool {
        let chain = configuration.table(stage.table).get(stage.chain);
        chain.declared.or(stage.otherwise_at).is_none_or(|at| self.hold(at))
    }

    fn hold(&self, at: Span) -> bool {
        let holds = |text: &Text, range: &Range<usize>| {
            let same = [Some(text.whole), text.with_first, text.ours].contains(&Some(at.source));
            same && range.contains(&(at.start as usize))
        };
        self.list.iter().any(|(text, range)| holds(text, range))
    }

    /// What is written there and read elsewhere. A condition on what rules write is another one where other rules write it;
    /// of what is no filter, the texts have to do.
    fn writes(&self, change: &Change, sources: &SourceMap) -> Vec<String> {
        let rules = |configuration: &'_ Configuration| {
            let chains = configuration.tables.iter().flat_map(|table| &table.chains);
            let rules = chains.flat_map(|chain| chain.rules.iter().copied().zip(chain.origins.iter()));
            rules.collect::<Vec<_>>()
        };
        let written = self.list.iter().any(|(text, range)| {
            let bytes = sources.bytes(text.whole).get((*range).clone()).unwrap_or_default();
            WRITES.iter().any(|word| memchr::memmem::find(bytes, word).is_some())
        });
        let mut writes = BTreeSet::new();
        for configuration in change.head.configurations() {
            let before = change.base.configurations().iter().filter(|before| before.name == configuration.name);
            let before = before.flat_map(|before| rules(before)).flat_map(|(rule, _)| change.store.literals(rule));
            let before: BTreeSet<_> = before.map(|literal| literal.opaque).collect();
            let others = rules(configuration).into_iter().filter(|(_, at)| !self.hold(*at));
            let read = others.flat_map(|(rule, _)| change.store.literals(rule)).map(|literal| literal.opaque);
            for opaque in read.filter(|opaque| !before.contains(opaque)) {
                let text = change.store.opaque_text(opaque);
                writes.insert(text.split_once(" [").map_or(text, |(text, _)| text).to_owned());
            }
            let others = configuration.objects.iter().filter(|object| written && !self.hold(object.origin));
            let read = others.filter(|object| object.uncomputed.is_some());
            let read = read.filter(|object| READS.iter().any(|word| object.content.contains(word)));
            writes.extend(read.map(|object| object.content.clone()));
        }
        writes.into_iter().collect()
    }
}

/// What there is in any text whose rules write into packets or connections.
const WRITES: [&[u8]; 8] = [b" set ", b"\"mangle\"", b"MARK", b"TOS", b"DSCP", b"TTL", b" HL ", b"SET"];
/// What there is in any text that reads what rules can write.
const READS: [&str; 8] = ["mark", "label", "ttl", "hoplimit", "dscp", "ecn", "tos", "hl "];
