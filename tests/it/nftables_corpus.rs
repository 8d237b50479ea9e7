//! Real nftables rulesets of others, beside the project: what of them is modelled, inert, opaque or a gap. Every byte of
//! each is accounted for.

#![expect(clippy::print_stderr, reason = "a skipped or summarised corpus is told")]

use crate::corpus::{Real, real};
use portcullis::formats::{self, Disposition, Input};
use portcullis::model::Store;
use portcullis::text::SourceMap;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// The corpus in figures: files, those that nft loads, those among them that have gaps (they include what is below `/etc`).
/// Where a change moves them, look why before writing the new ones.
const TEXT: Figures = Figures { files: 598, loaded: 394, with_gaps: 21 };
const JSON: Figures = Figures { files: 67, loaded: 65, with_gaps: 0 };

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Figures {
    files: usize,
    loaded: usize,
    with_gaps: usize,
}

#[test]
fn real_rulesets_in_text_are_read() {
    let Some(table) = Table::of("nftables") else { return };
    eprintln!("{table}");
    assert!(table.wrong.is_empty(), "{}", table.wrong.join("\n"));
    assert_eq!(table.figures, TEXT, "{}", table.unread.join("\n"));
}

#[test]
fn real_rulesets_in_json_are_read() {
    let Some(table) = Table::of("nftables-json") else { return };
    eprintln!("{table}");
    assert!(table.wrong.is_empty(), "{}", table.wrong.join("\n"));
    assert_eq!(table.figures, JSON, "{}", table.unread.join("\n"));
}

#[derive(Default)]
struct Table {
    figures: Figures,
    rules: usize,
    /// Files without any gap.
    whole: usize,
    /// How often each reason is given, by kind.
    inert: BTreeMap<&'static str, usize>,
    opaque: BTreeMap<&'static str, usize>,
    gaps: BTreeMap<String, usize>,
    objects: BTreeMap<&'static str, usize>,
    /// What is never right.
    wrong: Vec<String>,
    /// What nft loads and has gaps.
    unread: Vec<String>,
}

impl Table {
    fn of(kind: &str) -> Option<Self> {
        let mut table = Self::default();
        for Real { path, bytes, verdict } in real(kind)? {
            table.add(&path, bytes, verdict == "ok");
        }
        Some(table)
    }

    fn add(&mut self, path: &str, bytes: Vec<u8>, loads: bool) {
        let mut sources = SourceMap::default();
        let file = sources.add(path.as_bytes(), bytes).expect("small");
        let mut store = Store::default();
        let input = Input { name: "host".into(), format: formats::format("nftables"), files: vec![file] };
        let (snapshot, _, notes) = formats::read(&[input], &sources, &mut store, None);
        self.figures.files += 1;
        self.figures.loaded += usize::from(loads);
        self.rules += snapshot.configurations().iter().map(|configuration| configuration.rule_count()).sum::<usize>();
        self.whole += usize::from(snapshot.gaps().is_empty());
        for note in notes {
            match note.disposition {
                Disposition::Modelled => {}
                Disposition::Inert(why) => *self.inert.entry(why).or_default() += 1,
                Disposition::Opaque(what) => *self.opaque.entry(what).or_default() += 1,
            }
        }
        for object in snapshot.configurations().iter().flat_map(|c| &c.objects) {
            *self.objects.entry(object.kind).or_default() += 1;
        }
        // What follows an error may be left over; by itself nothing is.
        let unexplained = snapshot.gaps().iter().all(|gap| gap.reason == "not understood");
        for gap in snapshot.gaps() {
            let at = sources.locate(gap.origin);
            let line =
                format!("{path}:{}:{}: {}: {}", at.line, at.column, gap.reason, short(&sources.show(gap.origin)));
            if unexplained || gap.reason.contains("a bug") {
                self.wrong.push(line.clone());
            }
            if loads {
                self.unread.push(line);
            }
            *self.gaps.entry(without_quoted(&gap.reason)).or_default() += 1;
        }
        self.figures.with_gaps += usize::from(loads && !snapshot.gaps().is_empty());
    }
}

impl std::fmt::Display for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (Figures { files, loaded, with_gaps }, rules) = (self.figures, self.rules);
        writeln!(
            f,
            "{files} files, {rules} rules; {} files without a gap; of {loaded} that nft loads, {with_gaps} have gaps",
            self.whole
        )?;
        writeln!(f, "objects: {}", listed(&self.objects))?;
        writeln!(f, "inert: {}", listed(&self.inert))?;
        writeln!(f, "opaque: {}", listed(&self.opaque))?;
        writeln!(f, "gaps: {}", listed(&self.gaps))
    }
}

/// The most frequent first.
fn listed<K: std::fmt::Display>(counts: &BTreeMap<K, usize>) -> String {
    let mut all: Vec<(&K, &usize)> = counts.iter().collect();
    all.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    let mut out = all.iter().map(|(_, count)| **count).sum::<usize>().to_string();
    for (what, count) in all {
        write!(out, "\n  {count:>6} {what}").expect("writing to a String");
    }
    out
}

/// A reason without the words of the file, so that equal reasons are counted together.
fn without_quoted(reason: &str) -> String {
    let parts = reason.split('`').enumerate();
    parts.map(|(n, part)| if n % 2 == 0 { part } else { "…" }).collect()
}

fn short(text: &str) -> String {
    text.chars().take(100).collect()
}
