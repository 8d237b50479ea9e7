//! Real Terraform files of others, beside the project: each reads without a crash, and what is refused is listed.

#![expect(clippy::print_stderr, reason = "a skipped or summarised corpus is told")]

use portcullis::formats::{self, Disposition, Input};
use portcullis::model::Store;
use portcullis::text::SourceMap;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// Files that are no HCL: a fixture that is broken by intention, and versions of a file that were.
const NOT_HCL: usize = 2;

#[test]
fn real_files_are_read() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus/terraform");
    if !root.is_dir() {
        eprintln!("skipped: {} is not there", root.display());
        return;
    }
    let mut table = Table::default();
    for (name, files) in configurations(&root) {
        table.read(&name, &files);
    }
    eprintln!("{table}");
    assert!(table.wrong.is_empty(), "{}", table.wrong.join("\n"));
    assert_eq!(table.not_hcl.len(), NOT_HCL, "{}", table.not_hcl.join("\n"));
}

/// Whole folders that were kept as they are, and every other file as a configuration of its own.
fn configurations(root: &Path) -> Vec<(String, Vec<PathBuf>)> {
    let mut found = Vec::new();
    for source in sorted(root) {
        for entry in sorted(&source) {
            let name = entry.strip_prefix(root).expect("it is below").display().to_string();
            if entry.is_dir() {
                let mut files = Vec::new();
                below(&entry, &mut files);
                found.push((name, files));
            } else if is_module(&entry) {
                found.push((name, vec![entry]));
            }
        }
    }
    found
}

fn below(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in sorted(folder) {
        if entry.is_dir() {
            below(&entry, files);
        } else if is_module(&entry) {
            files.push(entry);
        }
    }
}

fn sorted(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("a folder");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    paths
}

fn is_module(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "tf")
}

#[derive(Default)]
struct Table {
    configurations: usize,
    files: usize,
    filters: usize,
    rules: usize,
    opaques: usize,
    whole: usize,
    objects: BTreeMap<&'static str, usize>,
    /// Those whose effect is not computed.
    uncomputed: BTreeMap<String, usize>,
    listeners: usize,
    backends: usize,
    gaps: BTreeMap<String, BTreeSet<String>>,
    inert: BTreeMap<&'static str, usize>,
    opaque: BTreeMap<&'static str, usize>,
    not_hcl: Vec<String>,
    wrong: Vec<String>,
}

impl Table {
    fn read(&mut self, name: &str, paths: &[PathBuf]) {
        let mut sources = SourceMap::default();
        let mut files = Vec::new();
        for path in paths {
            let bytes = std::fs::read(path).expect("a file");
            files.push(sources.add(path.display().to_string().as_bytes(), bytes).expect("small"));
        }
        self.configurations += 1;
        self.files += files.len();
        let mut store = Store::default();
        let input = Input { name: "corpus".into(), format: formats::format("terraform"), files };
        let (snapshot, _, notes) = formats::read(&[input], &sources, &mut store, None);
        self.whole += usize::from(snapshot.gaps().is_empty());
        for gap in snapshot.gaps() {
            let place = sources.locate(gap.origin);
            let shown = format!("{name}:{}: {}", place.line, gap.reason);
            if gap.reason.starts_with("not HCL") {
                self.not_hcl.push(shown.clone());
            }
            if gap.reason == "not understood" || gap.reason.contains("a bug in the reader") {
                self.wrong.push(shown.clone());
            }
            self.gaps.entry(kind_of(&gap.reason)).or_default().insert(shown);
        }
        for note in &notes {
            match note.disposition {
                Disposition::Modelled => {}
                Disposition::Inert(why) => *self.inert.entry(why).or_default() += 1,
                Disposition::Opaque(why) => *self.opaque.entry(why).or_default() += 1,
            }
        }
        for configuration in snapshot.configurations() {
            self.filters += configuration.filters.len();
            self.rules += configuration.rule_count();
            self.opaques += configuration.opaques.len();
            for object in &configuration.objects {
                *self.objects.entry(object.kind).or_default() += 1;
                if object.uncomputed.is_some() {
                    // Types that are known by a part of their names say in their content which they are.
                    let kind = if object.kind == "resource" { object.content.split(':').next() } else { None };
                    *self.uncomputed.entry(kind.unwrap_or(object.kind).to_owned()).or_default() += 1;
                }
            }
            self.listeners += configuration.listeners.len();
            self.backends += configuration.backends.len();
        }
    }
}

/// A reason without the names in it.
fn kind_of(reason: &str) -> String {
    let mut out = String::new();
    for (n, piece) in reason.split('`').enumerate() {
        out.push_str(if n % 2 == 0 { piece } else { "`…`" });
    }
    out
}

impl std::fmt::Display for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { configurations, files, filters, rules, opaques, whole, listeners, backends, .. } = self;
        let mut out = format!(
            "{files} files in {configurations} configurations, {whole} of them without a gap: {filters} filters, \
             {rules} rules, {listeners} listeners, {backends} backends, {opaques} opaque conditions\n"
        );
        for (kind, count) in &self.uncomputed {
            writeln!(out, "  not computed {count:6} {kind}")?;
        }
        for (title, words) in [("inert", &self.inert), ("opaque", &self.opaque), ("objects", &self.objects)] {
            for (word, count) in words {
                writeln!(out, "  {title} {count:6} {word}")?;
            }
        }
        for (reason, places) in &self.gaps {
            writeln!(out, "  gap {:6} {reason}", places.len())?;
            let most = if reason.contains("not declared") { 2 } else { 12 };
            for place in places.iter().take(most) {
                writeln!(out, "               {place}")?;
            }
        }
        f.write_str(&out)
    }
}

/// Files that are cut off, and such that lack a piece, are refused or read, and nothing else.
#[test]
fn pieces_of_real_files_are_read() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus/terraform");
    if !root.is_dir() {
        eprintln!("skipped: {} is not there", root.display());
        return;
    }
    let mut random = 0x9e37_79b9_u64;
    let mut next = |below: usize| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(random >> 33).expect("31 bits") % below.max(1)
    };
    let (mut read, mut refused) = (0, 0);
    for (_, paths) in configurations(&root).into_iter().step_by(5) {
        let Some(path) = paths.first() else { continue };
        let whole = std::fs::read(path).expect("a file");
        for _ in 0..6 {
            let (start, length) = (next(whole.len()), next(40));
            let mut piece = whole.clone();
            piece.drain(start..(start + length).min(whole.len()));
            for text in [piece, whole[..start].to_vec()] {
                let mut sources = SourceMap::default();
                let file = sources.add(b"a.tf", text).expect("small");
                let input = Input { name: "corpus".into(), format: formats::format("terraform"), files: vec![file] };
                let (snapshot, _, _) = formats::read(&[input], &sources, &mut Store::default(), None);
                read += 1;
                refused += usize::from(!snapshot.gaps().is_empty());
            }
        }
    }
    eprintln!("{read} pieces, {refused} with gaps");
    assert!(refused > read / 2, "{refused} of {read}");
}

/// Configurations beside the plans that were made of them: the rules of each chain are the same.
#[test]
fn configurations_and_their_plans_have_the_same_rules() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus");
    let Ok(oracles) = std::fs::read_to_string(root.join("ORACLES.tsv")) else {
        eprintln!("skipped: {} is not there", root.display());
        return;
    };
    let mut twins: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for line in oracles.lines() {
        let mut columns = line.split('\t');
        if let (Some("hcl-vs-plan"), Some(file), Some(plan)) = (columns.next(), columns.next(), columns.next()) {
            twins.entry(plan).or_default().push(file);
        }
    }
    let (mut different, mut rules) = (Vec::new(), 0);
    for (plan, files) in &twins {
        // The folders of a file stand in its name, behind those of its plan.
        let (_, plan_name) = plan.rsplit_once('/').expect("a folder");
        let folder = plan_name.rsplit_once("__").map_or("", |(folder, _)| folder);
        let named = |file: &&str| {
            let (_, name) = file.rsplit_once('/').expect("a folder");
            let name = name.strip_prefix(folder).unwrap_or(name).trim_start_matches('_').replace("__", "/");
            (name, root.join(file))
        };
        let configuration = chains(&files.iter().map(named).collect::<Vec<_>>());
        let mut planned = chains(&[("plan.json".to_owned(), root.join(plan))]);
        if folder.ends_with("test_issue-127") {
            // This plan was made when there were another group and a balancer, which the source lost since.
            planned.retain(|chain, _| !chain.starts_with("aws_security_group.elb/") && chain != "listeners/listeners");
        }
        // A plan does not say whether a new group has no rules or ones that are not known: there may be any.
        for rules in planned.values_mut() {
            rules.retain(|rule| !rule.contains(" has one of "));
        }
        rules += configuration.values().map(BTreeSet::len).sum::<usize>();
        if configuration != planned {
            different.push(format!("{folder}\n  configuration {configuration:#?}\n  plan {planned:#?}"));
        }
    }
    eprintln!("{} plans with {rules} rules in their configurations", twins.len());
    assert!(different.is_empty(), "{} differ:\n{}", different.len(), different.join("\n"));
}

/// What the rules of each chain say.
fn chains(files: &[(String, PathBuf)]) -> BTreeMap<String, BTreeSet<String>> {
    let mut sources = SourceMap::default();
    let add = |(name, path): &(String, PathBuf)| {
        sources.add(name.as_bytes(), std::fs::read(path).expect("a file")).expect("small")
    };
    let files = files.iter().map(add).collect();
    let mut store = Store::default();
    let input = Input { name: "corpus".into(), format: formats::format("terraform"), files };
    let (snapshot, _, _) = formats::read(&[input], &sources, &mut store, None);
    let page = formats::describe(&snapshot, &[], &sources, &store);
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut chain = None;
    for line in page.lines() {
        if let Some(rest) = line.strip_prefix("chain ") {
            let name = rest.split(" (").next().unwrap_or(rest).to_owned();
            found.entry(name.clone()).or_default();
            chain = Some(name);
        } else if let Some((_, rule)) = line.split_once("  accept  ")
            && let Some(name) = &chain
        {
            let rule = rule.split("  #").next().unwrap_or(rule).to_owned();
            found.entry(name.clone()).or_default().insert(rule);
        }
    }
    found
}
