//! HAProxy configurations: real ones, against the program itself.

use crate::corpus;
use portcullis::formats::{self, Disposition, Input};
use portcullis::model::Store;
use portcullis::text::SourceMap;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

/// What became of the files of the corpus.
#[derive(Default)]
struct Table {
    files: usize,
    whole: usize,
    listeners: usize,
    routes: usize,
    backends: usize,
    servers: usize,
    inert: BTreeMap<String, usize>,
    opaque: BTreeMap<String, usize>,
    gaps: BTreeMap<String, usize>,
}

impl Table {
    fn add(&mut self, path: &str, text: &[u8]) {
        let mut sources = SourceMap::default();
        let file = sources.add(path.as_bytes(), text.to_vec()).expect("small");
        let input = Input { name: "lb".into(), format: formats::format("haproxy"), files: vec![file] };
        let mut store = Store::default();
        let (snapshot, _, notes) = formats::read(&[input], &sources, &mut store, None);
        self.files += 1;
        self.whole += usize::from(snapshot.gaps().is_empty());
        for configuration in snapshot.configurations() {
            self.listeners += configuration.listeners.len();
            self.routes += configuration.listeners.iter().map(|listener| listener.routes.len()).sum::<usize>();
            self.backends += configuration.backends.len();
            self.servers += configuration.backends.iter().map(|backend| backend.servers.len()).sum::<usize>();
        }
        for note in notes {
            match note.disposition {
                Disposition::Modelled => {}
                Disposition::Inert(why) => *self.inert.entry(why.to_owned()).or_default() += 1,
                Disposition::Opaque(why) => *self.opaque.entry(why.to_owned()).or_default() += 1,
            }
        }
        for gap in snapshot.gaps() {
            if std::env::var_os("PORTCULLIS_GAPS").is_some() {
                let at = sources.locate(gap.origin);
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
        let Self { files, whole, listeners, routes, backends, servers, inert, opaque, gaps } = self;
        writeln!(f, "{files} files, {whole} without a gap")?;
        writeln!(f, "{listeners} listeners, {routes} routes, {backends} backends, {servers} servers")?;
        for (what, counts) in [("inert", inert), ("opaque", opaque), ("gaps", gaps)] {
            let mut all: Vec<(&String, &usize)> = counts.iter().collect();
            all.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
            let mut out = String::new();
            for (reason, count) in all.iter().take(60) {
                write!(out, "\n  {count:>6} {reason}").expect("writing to a String");
            }
            writeln!(f, "{what}: {}{out}", counts.values().sum::<usize>())?;
        }
        Ok(())
    }
}

#[test]
fn real_configurations_are_read() {
    let Some(files) = corpus::files("haproxy") else { return };
    let mut table = Table::default();
    for (path, text) in &files {
        table.add(path, text);
    }
    eprintln!("{table}");
}
