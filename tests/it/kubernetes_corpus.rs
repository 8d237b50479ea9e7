//! Real manifests, beside the project: what of them is modelled, unknown or a gap. Every byte of each is accounted for.

#![expect(clippy::print_stderr, reason = "a skipped or summarised corpus is told")]

use crate::cloud_corpus::listed;
use portcullis::formats::{self, Disposition, Input};
use portcullis::model::{Configuration, Store};
use portcullis::text::SourceMap;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The folders of the corpus, one a source, and the manifests in them.
fn manifests(kind: &str) -> Option<Vec<(String, Vec<u8>)>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus");
    let Ok(manifest) = std::fs::read_to_string(folder.join("MANIFEST.tsv")) else {
        eprintln!("SKIPPED: there is no corpus in {}", folder.display());
        return None;
    };
    let paths = manifest.lines().filter_map(|row| {
        let mut fields = row.split('\t');
        let path = fields.next()?;
        (fields.next()? == kind).then_some(path)
    });
    let read = |path: &str| {
        let place: PathBuf = folder.join(path);
        (path.to_owned(), std::fs::read(place).expect("a file that the manifest names"))
    };
    Some(paths.map(read).collect())
}

#[derive(Default)]
struct Table {
    files: usize,
    whole: usize,
    filters: usize,
    rules: usize,
    unknown: usize,
    listeners: usize,
    routes: usize,
    backends: usize,
    undefined: BTreeMap<&'static str, usize>,
    resources: BTreeMap<&'static str, usize>,
    inert: BTreeMap<&'static str, usize>,
    gaps: BTreeMap<String, usize>,
    wrong: Vec<String>,
}

impl Table {
    fn add(&mut self, path: &str, bytes: Vec<u8>) {
        let mut sources = SourceMap::default();
        let file = sources.add(path.as_bytes(), bytes).expect("small");
        let mut store = Store::default();
        let input = Input { name: "k".into(), format: formats::format("kubernetes"), files: vec![file] };
        let (snapshot, _, notes) = formats::read(&[input], &sources, &mut store, None);
        self.files += 1;
        self.whole += usize::from(snapshot.gaps().is_empty());
        for configuration in snapshot.configurations() {
            self.filters += configuration.filters.len();
            self.rules += Configuration::rule_count(configuration);
            self.unknown += configuration.opaques.len();
            self.listeners += configuration.listeners.len();
            self.routes += configuration.listeners.iter().map(|listener| listener.routes.len()).sum::<usize>();
            self.backends += configuration.backends.len();
            for reference in &configuration.undefined {
                *self.undefined.entry(reference.kind).or_default() += 1;
            }
            for object in &configuration.objects {
                *self.resources.entry(object.kind).or_default() += 1;
            }
        }
        for note in notes {
            match note.disposition {
                Disposition::Modelled => {}
                Disposition::Inert(why) | Disposition::Opaque(why) => *self.inert.entry(why).or_default() += 1,
            }
        }
        for gap in snapshot.gaps() {
            let at = sources.locate(gap.origin);
            if gap.reason == "not understood" || gap.reason.contains("a bug") {
                self.wrong.push(format!("{path}:{}:{}: {}", at.line, at.column, gap.reason));
            }
            if std::env::var_os("PORTCULLIS_GAPS").is_some() {
                let text: String = sources.show(gap.origin).chars().take(100).collect();
                eprintln!("{path}:{}: {}: {text}", at.line, gap.reason);
            }
            let parts = gap.reason.split('`').enumerate();
            let reason: String = parts.map(|(n, part)| if n % 2 == 0 { part } else { "…" }).collect();
            *self.gaps.entry(reason).or_default() += 1;
        }
    }
}

impl std::fmt::Display for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { files, whole, filters, rules, unknown, listeners, routes, backends, .. } = self;
        let Self { undefined, resources, inert, gaps, .. } = self;
        writeln!(f, "{files} files, {whole} without a gap, {filters} filters, {rules} rules, {unknown} conditions")?;
        writeln!(f, "{listeners} listeners, {routes} routes, {backends} backends; undefined: {}", listed(undefined))?;
        writeln!(f, "resources: {}", listed(resources))?;
        writeln!(f, "not in the model: {}", listed(inert))?;
        writeln!(f, "gaps: {}", listed(gaps))
    }
}

/// Those with gaps are of Cilium, of networks beside that of the pods, or examples that the API server refuses.
#[test]
fn real_manifests_are_read() {
    let Some(table) = read("k8s-networkpolicy") else { return };
    assert_eq!((table.files, table.whole, table.rules), (494, 408, 1116), "{table}");
}

/// Those with gaps are templates, examples that the API server refuses, or routes of meshes and of ListenerSets, and filters
/// of one maker.
#[test]
fn real_services_ingresses_and_gateways_are_read() {
    let Some(table) = read("k8s-lb") else { return };
    assert_eq!((table.files, table.whole, table.listeners, table.routes), (317, 278, 505, 511), "{table}");
}

fn read(kind: &str) -> Option<Table> {
    let mut table = Table::default();
    for (path, bytes) in manifests(kind)? {
        table.add(&path, bytes);
    }
    eprintln!("{kind}\n{table}");
    assert!(table.wrong.is_empty(), "{}", table.wrong.join("\n"));
    Some(table)
}

/// Whatever is cut out of a manifest, doubled or changed: it is read, or refused, and nothing that was a policy is lost
/// without a word.
#[test]
fn damaged_manifests_are_read_or_refused() {
    let (Some(mut manifests), Some(others)) = (manifests("k8s-networkpolicy"), manifests("k8s-lb")) else { return };
    manifests.extend(others);
    let (mut mutants, mut table) = (0, Table::default());
    for (n, (path, bytes)) in manifests.iter().enumerate() {
        let lines: Vec<&[u8]> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
        // Another part of each file is damaged in each way: all of them together cover every kind of line.
        for (way, at) in [(0, n * 7), (1, n * 13), (2, n * 29), (3, n * 31), (4, n * 37)] {
            if lines.is_empty() || bytes.len() > 40_000 {
                continue;
            }
            let at = at % lines.len();
            let mut damaged: Vec<Vec<u8>> = lines.iter().map(|line| line.to_vec()).collect();
            match way {
                0 => drop(damaged.remove(at)),
                1 => damaged.insert(at, lines[at].to_vec()),
                2 => damaged[at].insert(0, b' '),
                3 => damaged[at].truncate(lines[at].len() / 2),
                _ => {
                    let middle = lines[at].len() / 2;
                    damaged[at].insert(middle, 0xff);
                }
            }
            table.add(path, damaged.concat());
            mutants += 1;
        }
    }
    eprintln!("{mutants} damaged manifests, {} of them without a gap", table.whole);
    assert!(table.wrong.is_empty(), "{}", table.wrong.join("\n"));
}
