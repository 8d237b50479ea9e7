//! The files of a configuration to the instances of its resources.

use super::account;
use super::check::{self, Checked};
use super::declared::{Declared, Source};
use super::eval::{Context, Failure, Scope};
use super::json;
use super::moves::{self, Moves};
use super::overrides::{self, Overridden};
use super::parse::{self, File};
use super::settle::settled;
use super::sources;
use super::syntax::{Block, Body, Kind};
use super::world::{Module, Text, Texts, World, both, is_ignored};
use crate::formats::account::Account;
use crate::formats::cloud::{self, Instance};
use crate::formats::data::value::{Entry, Value, What};
use crate::formats::parallel::in_parallel;
use crate::formats::{Disposition, Reading, end_of};
use crate::model::{Object, Reference};
use crate::text::{SourceId, Span, escape};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;
use std::sync::Arc;

const TWO_PROGRAMS: &str = "OpenTofu reads this file and Terraform does not: what is there depends on which of them is used; \
    a folder holds either `.tf` files or `.tofu` files";

/// Bytes of stack for computing values.
const STACK: usize = 256 << 20;
/// How many instances a configuration may have.
const MOST_INSTANCES: usize = 2_000_000;

/// The files of a configuration, by what they are.
#[derive(Default)]
struct Parsed {
    /// `*.tf`
    modules: Vec<(SourceId, Arc<File>)>,
    /// `override.tf` and `*_override.tf`
    overrides: Vec<(SourceId, Arc<File>)>,
    /// `*.tfvars`
    values: Vec<(SourceId, Arc<File>)>,
}

/// What the names of files end with.
pub(super) const NAMES: [&str; 6] = [".tf", ".tf.json", ".tofu", ".tofu.json", ".tfvars", ".tfvars.json"];

/// What a file is by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Notation {
    /// Whether it holds values for variables, and no configuration.
    values: bool,
    json: bool,
    /// Whether only OpenTofu reads it.
    tofu: bool,
}

impl Notation {
    fn of(name: &str) -> Option<Self> {
        let (name, json) = name.strip_suffix(".json").map_or((name, false), |name| (name, true));
        let (values, tofu) = (name.ends_with(".tfvars"), name.ends_with(".tofu"));
        (values || tofu || name.ends_with(".tf")).then_some(Self { values, json, tofu })
    }

    /// Whether a file of that name is part of its folder: neither program reads hidden ones.
    fn counts(self, name: &str) -> bool {
        self.values || !file_name(name).starts_with('.')
    }

    fn parse(self, file: SourceId, text: &[u8]) -> Result<File, Vec<parse::Refused>> {
        match self {
            Self { values: _, json: false, tofu: _ } => parse::file(file, text),
            Self { values: false, json: true, tofu: _ } => json::file(file, text),
            Self { values: true, json: true, tofu: _ } => json::values(file, text),
        }
    }
}

/// Reads a configuration.
pub(super) fn read(reading: &mut Reading<'_>) {
    let files = files(reading.files(), reading);
    let Understood { out, undefined, mut account, syntax } = with_room(|| understood(&files, reading));
    for (file, syntax) in syntax {
        reading.keep(file, syntax);
    }
    let Out { instances, objects, there: _ } = out;
    reading.configuration.declares = true;
    reading.configuration.undefined.extend(undefined);
    reading.configuration.objects.extend(objects);
    cloud::lower(&instances, reading, &mut account);
    reading.configuration.undefined.sort_by(|a, b| (a.origin, &a.address).cmp(&(b.origin, &b.address)));
    reading.configuration.undefined.dedup();
    account.close(reading);
}

/// The resources that files declare, whatever else is to be said of those.
pub(super) fn instances(files: &[SourceId], reading: &Reading<'_>) -> Vec<Instance> {
    let files = self::files(files, reading);
    if files.is_empty() {
        return Vec::new();
    }
    with_room(|| understood(&files, reading)).out.instances
}

/// Expressions may stand in one another, and values be computed from one another, as deep as `hcl_edit` and `eval` allow, for
/// which there is room in a thread of its own.
fn with_room<T: Send>(compute: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(STACK).spawn_scoped(scope, compute);
        let thread = thread.expect("the system has room for a thread");
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// What files come to.
struct Understood {
    out: Out,
    undefined: Vec<Reference>,
    account: Account,
    /// Of the texts that were parsed for it, of the side after among them.
    syntax: Vec<(SourceId, Arc<File>)>,
}

fn understood(files: &[SourceId], reading: &Reading<'_>) -> Understood {
    let mut account = Account::default();
    let by_path: HashMap<&str, SourceId> = files.iter().map(|file| (reading.name(*file), *file)).collect();
    let (mut parsed, mut syntax) = parse_all(reading, files, &mut account);
    let moves = moves(reading, &mut syntax);
    let mut refused = Vec::new();
    override_all(reading, &mut parsed, &mut refused, &mut account);
    let parsed = parsed;
    let mut modules = declared(reading, &parsed.modules, &mut refused);
    let roots = roots(&modules);
    moves::refused(&modules, &roots, &mut refused);
    assign(reading, &parsed.values, &roots, &mut modules, &mut refused, &mut account);
    hide(reading, &modules);
    let mut checked = Checked { refused, ..Checked::default() };
    for (folder, declared) in &modules {
        let bodies = parsed.modules.iter().filter(|(file, _)| folder_of(reading.name(*file)) == folder);
        check::module(declared, bodies.map(|(_, file)| &file.body), &modules, &mut checked);
    }
    let mut texts = Texts::new();
    for (path, source) in by_path {
        // What is not UTF-8 is no text to Terraform either.
        if let Ok(text) = std::str::from_utf8(reading.text(source)) {
            texts.insert(path, Text::new(source, text));
        }
    }
    let names: Vec<&str> = parsed.modules.iter().map(|(file, _)| reading.name(*file)).collect();
    let world = World::new(&modules, &texts, &moves);
    let (out, mut found) = computed(&world, &modules, &roots, &parsed.modules, &names, &checked.refused);
    found.append(account);
    Understood { out, undefined: checked.undefined, account: found, syntax }
}

/// What the files of each folder declare.
fn declared<'p>(
    reading: &Reading<'_>,
    files: &'p [(SourceId, Arc<File>)],
    refused: &mut Vec<Failure>,
) -> BTreeMap<String, Declared<'p>> {
    let mut folders: BTreeMap<&str, Vec<&Body>> = BTreeMap::new();
    for (file, syntax) in files {
        folders.entry(folder_of(reading.name(*file))).or_default().push(&syntax.body);
    }
    let declared = |(folder, bodies): (&str, Vec<&'p Body>)| {
        (folder.to_owned(), Declared::of(folder, bodies.into_iter(), refused))
    };
    folders.into_iter().map(declared).collect()
}

/// What the side after says that the addresses of this one have become. What it parses of it for that is added to `syntax`.
fn moves(reading: &Reading<'_>, syntax: &mut Vec<(SourceId, Arc<File>)>) -> Moves {
    let files = files(reading.after(), reading);
    let is_module = |file: &SourceId| {
        let name = reading.name(*file);
        Notation::of(name).is_some_and(|notation| !notation.values && notation.counts(name))
    };
    let mine: HashMap<&str, (SourceId, Arc<File>)> =
        syntax.iter().map(|(file, syntax)| (reading.name(*file), (*file, Arc::clone(syntax)))).collect();
    let (mut after, mut others) = (Vec::new(), Vec::new());
    for file in files.into_iter().filter(is_module) {
        match mine.get(reading.name(file)).filter(|(same, _)| reading.text(*same) == reading.text(file)) {
            Some((_, syntax)) => after.push((file, Arc::clone(syntax))),
            None => others.push(file),
        }
    }
    for (file, found) in parse_some(reading, &others) {
        // What cannot be read of that side is told where that is read.
        if let Ok(found) = found {
            syntax.push((file, Arc::clone(&found)));
            after.push((file, found));
        }
    }
    let modules = declared(reading, &after, &mut Vec::new());
    Moves::of(&modules, &roots(&modules))
}

/// The resources, and what became of the text of the modules.
fn computed<'m>(
    world: &World<'m>,
    modules: &'m BTreeMap<String, Declared<'m>>,
    roots: &BTreeSet<String>,
    parsed: &'m [(SourceId, Arc<File>)],
    names: &[&str],
    refused: &[Failure],
) -> (Out, Account) {
    let mut account = Account::default();
    let mut out = Out::default();
    let roots: BTreeMap<&str, Rc<Module<'_>>> = roots
        .iter()
        .filter_map(|folder| modules.get(folder).map(|declared| (folder.as_str(), world.root(declared))))
        .collect();
    for root in roots.values() {
        out.module(world, root, &mut account);
    }
    for failure in refused {
        world.refuse(failure);
    }
    out.objects.extend(sources::objects(world));
    for ((_, file), name) in parsed.iter().zip(names) {
        account::claim(file, world, roots.contains_key(folder_of(name)), &out.there, &mut account);
    }
    for (at, reason) in world.failures() {
        account.gap(at, reason);
    }
    // What a root gives out others use: nothing else of the model depends on it, so it is computed last.
    for root in roots.values() {
        for name in root.declared.outputs.keys() {
            if let Some(Ok(value)) = root.output(world, name) {
                let mut picks = Vec::new();
                value.all_picks(&mut picks);
                account.picks.extend(picks.into_iter().filter(|pick| holds_addresses(&pick.list)));
            }
        }
    }
    (out, account)
}

/// Whether a list is of addresses, as far as its name tells.
fn holds_addresses(list: &str) -> bool {
    let last = list.rsplit(['.', '/']).next().unwrap_or(list);
    ["cidr", "prefix", "range", "address"].iter().any(|word| last.contains(word)) || last.ends_with("_ips")
}

/// Some files and what they include, each once.
fn files(main: &[SourceId], reading: &Reading<'_>) -> Vec<SourceId> {
    let mut known = BTreeSet::new();
    let mut names = BTreeSet::new();
    let all = main.iter().flat_map(|file| [*file].into_iter().chain(reading.included(*file)));
    all.filter(|file| known.insert(*file) && names.insert(reading.name(*file))).collect()
}

fn folder_of(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

fn file_name(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(_, name)| name)
}

/// The files by what they are, and all of them.
fn parse_all(reading: &Reading<'_>, files: &[SourceId], account: &mut Account) -> (Parsed, Vec<(SourceId, Arc<File>)>) {
    let (mut parsed, mut all) = (Parsed::default(), Vec::new());
    let mut wanted = Vec::new();
    let main: BTreeSet<SourceId> = reading.files().iter().copied().collect();
    let is_of = |file: &&SourceId, tofu: bool| {
        let name = reading.name(**file);
        Notation::of(name).is_some_and(|known| !known.values && known.tofu == tofu && known.counts(name))
    };
    let folders = |tofu: bool| -> BTreeSet<&str> {
        files.iter().filter(|file| is_of(file, tofu)).map(|file| folder_of(reading.name(*file))).collect()
    };
    let (plain, tofu) = (folders(false), folders(true));
    let both: BTreeSet<&str> = plain.intersection(&tofu).copied().collect();
    for file in files {
        let text = reading.text(*file);
        let whole = Span { source: *file, start: 0, end: end_of(text) };
        let Some(notation) = Notation::of(reading.name(*file)) else {
            // A file that a function reads is part of what the function gives.
            if main.contains(file) {
                account.gap(whole, "only `.tf`, `.tofu` and `.tfvars` files are read, and those in JSON");
            }
            continue;
        };
        if !notation.counts(reading.name(*file)) {
            account.claim(whole, Disposition::Inert("a hidden file, which terraform does not read"));
            continue;
        }
        if notation.tofu && both.contains(folder_of(reading.name(*file))) {
            account.claim(whole, Disposition::Inert("not read"));
            account.gap(whole, TWO_PROGRAMS);
            continue;
        }
        if !notation.json && text.starts_with(parse::BYTE_ORDER_MARK) {
            account.claim(Span { end: 3, ..whole }, Disposition::Inert("byte order mark"));
        }
        wanted.push(*file);
    }
    for (file, found) in parse_some(reading, &wanted) {
        let name = reading.name(file);
        let is_values = Notation::of(name).is_some_and(|notation| notation.values);
        match found {
            Ok(found) => {
                all.push((file, Arc::clone(&found)));
                let kind = match (is_values, overrides::is_override(file_name(name))) {
                    (true, _) => &mut parsed.values,
                    (false, true) => &mut parsed.overrides,
                    (false, false) => &mut parsed.modules,
                };
                kind.push((file, found));
            }
            Err(refused) => {
                let end = end_of(reading.text(file));
                account.claim(Span { source: file, start: 0, end }, Disposition::Inert("not read"));
                for parse::Refused { at, reason } in refused {
                    account.gap(at, reason);
                }
            }
        }
    }
    (parsed, all)
}

/// The syntax of a file, or why it has none.
type MaybeParsed = Result<Arc<File>, Vec<parse::Refused>>;

/// Parses files that are no mere texts, several at a time. What is parsed already, as this text or as an equal one of the
/// other side, is not parsed again.
fn parse_some(reading: &Reading<'_>, files: &[SourceId]) -> Vec<(SourceId, MaybeParsed)> {
    in_parallel(files, STACK, |file| {
        let parsed = match (reading.kept::<File>(*file), Notation::of(reading.name(*file))) {
            (Some((same, syntax)), _) if same == *file => Ok(syntax),
            (Some((_, syntax)), _) => Ok(Arc::new(settled(&syntax, *file))),
            (None, Some(notation)) => notation.parse(*file, reading.text(*file)).map(Arc::new),
            (None, None) => Ok(Arc::default()),
        };
        (*file, parsed)
    })
}

/// Has the files that change others do so.
fn override_all(reading: &Reading<'_>, parsed: &mut Parsed, refused: &mut Vec<Failure>, account: &mut Account) {
    let mut overrides = std::mem::take(&mut parsed.overrides);
    overrides.sort_by_key(|(file, _)| reading.name(*file));
    let mut overridden = Overridden::default();
    for (source, file) in overrides {
        let folder = folder_of(reading.name(source));
        let mine = parsed.modules.iter_mut().filter(|(other, _)| folder_of(reading.name(*other)) == folder);
        let mut mine: Vec<&mut File> = mine.map(|(_, file)| Arc::make_mut(file)).collect();
        overrides::merge(Arc::unwrap_or_clone(file), &mut mine, &mut overridden, refused);
    }
    let Overridden { replaced, merged, comments } = overridden;
    let claims = [
        (replaced, Disposition::Inert("an override file says otherwise")),
        (merged, Disposition::Modelled),
        (comments, Disposition::Inert("comment")),
    ];
    for (spans, disposition) in claims {
        spans.into_iter().for_each(|at| account.claim(at, disposition));
    }
}

/// The folders that no module calls.
fn roots(modules: &BTreeMap<String, Declared<'_>>) -> BTreeSet<String> {
    let mut called = BTreeSet::new();
    for declared in modules.values() {
        for block in declared.modules.values() {
            if let Source::Local(folder) = declared.source_of(block)
                && folder != declared.folder
            {
                called.insert(folder);
            }
        }
    }
    let mut roots: BTreeSet<String> = modules.keys().filter(|folder| !called.contains(*folder)).cloned().collect();
    // Modules that call one another in a circle are refused where they are called.
    if roots.is_empty() {
        roots.extend(modules.keys().cloned());
    }
    roots
}

/// Gives the variables of the roots the values that files assign to them.
fn assign<'p>(
    reading: &Reading<'_>,
    values: &'p [(SourceId, Arc<File>)],
    roots: &BTreeSet<String>,
    modules: &mut BTreeMap<String, Declared<'p>>,
    refused: &mut Vec<Failure>,
    account: &mut Account,
) {
    let place = |file: &SourceId| {
        let path = reading.name(*file);
        let (folder, name) = (folder_of(path), file_name(path));
        let order = match name {
            "terraform.tfvars" => 0,
            "terraform.tfvars.json" => 1,
            name if name.ends_with(".auto.tfvars") || name.ends_with(".auto.tfvars.json") => 2,
            _ => 3,
        };
        (order, folder, name)
    };
    // Automatic ones in the order of their names, then the others in the order in which they are given.
    let mut ordered: Vec<&(SourceId, Arc<File>)> = values.iter().collect();
    ordered.sort_by_key(|(file, _)| {
        let (order, folder, name) = place(file);
        (order, if order < 3 { (folder, name) } else { ("", "") })
    });
    let mut used = BTreeSet::new();
    for (file, syntax) in &ordered {
        let File { body, comments, marks } = &**syntax;
        let (order, folder, _) = place(file);
        if let Some(at) = marks {
            account.claim(*at, Disposition::Modelled);
        }
        for comment in comments {
            account.claim(*comment, Disposition::Inert("comment"));
        }
        for block in &body.blocks {
            refused.push(Failure::new(block.at, "files of values have no blocks"));
        }
        for argument in &body.arguments {
            let Kind::Literal(value) = &argument.value.kind else {
                refused.push(Failure::new(argument.at, "files of values hold values that are written out"));
                continue;
            };
            for root in roots.iter().filter(|root| order == 3 || **root == folder) {
                let Some(declared) = modules.get_mut(root) else { continue };
                if let Some((name, _)) = declared.variables.get_key_value(&*argument.name) {
                    let name = *name;
                    let sensitive = declared.variables.get(name).is_some_and(|variable| variable.sensitive);
                    if sensitive {
                        reading.hide(value.at);
                    }
                    declared.assigned.insert(name, value.clone());
                    used.insert(argument.at);
                }
            }
        }
    }
    for (_, syntax) in ordered {
        for argument in &syntax.body.arguments {
            let inert = Disposition::Inert("no variable of that name");
            account.claim(argument.at, if used.contains(&argument.at) { Disposition::Modelled } else { inert });
        }
    }
}

/// What sensitive variables are given in the files must not be printed.
fn hide(reading: &Reading<'_>, modules: &BTreeMap<String, Declared<'_>>) {
    for declared in modules.values() {
        for variable in declared.variables.values().filter(|variable| variable.sensitive) {
            if let Some(default) = variable.block.body.argument("default") {
                reading.hide(default.value.at);
            }
        }
        for block in declared.modules.values() {
            let Source::Local(folder) = declared.source_of(block) else { continue };
            let Some(called) = modules.get(&folder) else { continue };
            for argument in &block.body.arguments {
                if called.variables.get(&*argument.name).is_some_and(|variable| variable.sensitive) {
                    reading.hide(argument.value.at);
                }
            }
        }
    }
}

/// What the modules come to.
#[derive(Default)]
struct Out {
    instances: Vec<Instance>,
    objects: Vec<Object>,
    /// The resources of which there are instances.
    there: BTreeSet<Span>,
}

impl Out {
    fn module<'m>(&mut self, world: &World<'m>, module: &Rc<Module<'m>>, account: &mut Account) {
        for block in module.declared.in_order.iter().copied() {
            self.resource(world, module, block);
        }
        for (name, block) in &module.declared.modules {
            match module.declared.source_of(block) {
                Source::Local(_) | Source::Unsaid => {}
                Source::Remote(source) => {
                    let shown = escape(source.as_bytes());
                    let reason =
                        format!("the module `{name}` is not in these files: what `{shown}` declares is not known");
                    account.gap(block.at, reason);
                    self.there.insert(block.at);
                    continue;
                }
            }
            let expansion = match module.expansion(world, block) {
                Ok(expansion) => expansion,
                Err(failure) => {
                    world.refuse(&failure);
                    continue;
                }
            };
            for copy in &expansion.copies {
                match module.child(world, block, copy) {
                    Ok(child) => {
                        self.there.insert(block.at);
                        self.module(world, &child, account);
                    }
                    Err(failure) => {
                        self.there.insert(block.at);
                        world.refuse(&failure);
                    }
                }
            }
        }
    }

    fn resource<'m>(&mut self, world: &World<'m>, module: &Module<'m>, block: &'m Block) {
        let [(kind, _), _] = &block.labels[..] else { return };
        let mut attaching = account::attaching(kind, &block.body);
        let arguments = cloud::arguments(kind);
        attaching.extend(arguments.into_iter().flatten());
        let only = (!cloud::matters(kind) || arguments.is_some()).then_some(&attaching[..]);
        if only.is_some_and(<[_]>::is_empty) {
            return;
        }
        let expansion = match module.expansion(world, block) {
            Ok(expansion) => expansion,
            Err(failure) => {
                world.refuse(&failure);
                return;
            }
        };
        for copy in &expansion.copies {
            if self.instances.len() >= MOST_INSTANCES {
                world.refuse(&Failure::new(block.at, "more instances of resources than can be computed"));
                return;
            }
            let scope = Scope { names: &copy.names, outer: None };
            let context = Context { world, module, scope: &scope };
            let mut object = context.body(&block.body, true, only);
            if let Some(name) = cloud::count_of(kind).filter(|name| object.get(name).is_none())
                && is_ignored(&block.body, name)
            {
                let value = Value::unknown(&format!("{name} (ignore_changes)"), block.at);
                object.entries.push(Entry { name: name.into(), at: block.at, value });
            }
            self.there.insert(block.at);
            self.instances.push(Instance {
                kind: Arc::clone(kind),
                address: world.address(module, block, &copy.key).into(),
                body: Value::new(What::Object(Arc::new(object)), block.at),
                origin: block.at,
                existence: both(module.existence.as_ref(), copy.existence.as_ref()),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{File, SourceId};
    use crate::formats::{self, Input, Memo};
    use crate::model::Store;
    use crate::text::SourceMap;
    use std::any::Any;
    use std::sync::Arc;

    /// How many filters a text comes to if an equal one of that name was parsed to nothing.
    fn filters(name: &str, text: &str) -> usize {
        const TEXT: &str = "resource \"aws_security_group\" \"a\" {}\n";
        let mut sources = SourceMap::default();
        let mut add = |name: &str, text: &str| sources.add(name.as_bytes(), text.into()).expect("small");
        let (before, after): (SourceId, SourceId) = (add("a.tf", TEXT), add(name, text));
        let nothing: Arc<dyn Any + Send + Sync> = Arc::new(File::default());
        let memo = Memo { kept: [("a.tf".to_owned(), vec![(before, nothing)])].into(), ..Memo::default() };
        let input = Input { name: "aws".into(), format: formats::format("terraform"), files: vec![after] };
        let (side, _, _) = formats::read(&[input], &sources, &mut Store::default(), Some(&memo));
        side.configurations().iter().map(|configuration| configuration.filters.len()).sum()
    }

    #[test]
    fn what_one_side_has_parsed_the_other_does_not_parse_again() {
        assert_eq!(filters("a.tf", "resource \"aws_security_group\" \"a\" {}\n"), 0);
        assert_eq!(filters("a.tf", "resource \"aws_security_group\" \"b\" {}\n"), 2);
        assert_eq!(filters("b.tf", "resource \"aws_security_group\" \"a\" {}\n"), 2);
    }
}
