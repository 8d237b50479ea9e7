//! Real files of cloud firewalls, beside the project: what of them is modelled, unknown or a gap. Every byte of each is accounted for.

#![expect(clippy::print_stderr, reason = "a skipped or summarised corpus is told")]

use crate::corpus::{Real, real};
use portcullis::formats::{self, Aspect, Disposition, Input};
use portcullis::model::{Configuration, Store};
use portcullis::text::SourceMap;
use std::collections::BTreeMap;
use std::fmt::Write as _;

#[derive(Default)]
struct Table {
    files: usize,
    whole: usize,
    filters: usize,
    rules: usize,
    resources: BTreeMap<&'static str, usize>,
    inert: BTreeMap<&'static str, usize>,
    unknown: BTreeMap<String, usize>,
    gaps: BTreeMap<String, usize>,
    wrong: Vec<String>,
}

impl Table {
    fn of(kind: &str, format: &str) -> Option<Self> {
        let mut table = Self::default();
        for Real { path, bytes, verdict: _ } in real(kind)? {
            table.files += 1;
            for aspect in [Aspect::Before, Aspect::After] {
                table.add(&path, format, bytes.clone(), aspect);
            }
        }
        eprintln!("{kind}\n{table}");
        Some(table)
    }

    fn add(&mut self, path: &str, format: &str, bytes: Vec<u8>, aspect: Aspect) {
        let mut sources = SourceMap::default();
        let file = sources.add(path.as_bytes(), bytes).expect("small");
        let mut store = Store::default();
        let input = Input { name: "aws".into(), format: formats::format(format), files: vec![file] };
        let (snapshot, _, notes) = formats::read_before(aspect, &[input], &[], &sources, &mut store);
        let unexplained =
            snapshot.gaps().iter().filter(|gap| gap.reason == "not understood" || gap.reason.contains("a bug"));
        for gap in unexplained {
            let at = sources.locate(gap.origin);
            self.wrong.push(format!("{path}:{}:{}: {}", at.line, at.column, gap.reason));
        }
        if aspect == Aspect::Before {
            return;
        }
        self.whole += usize::from(snapshot.gaps().is_empty());
        for configuration in snapshot.configurations() {
            self.filters += configuration.filters.len();
            self.rules += Configuration::rule_count(configuration);
            for object in &configuration.objects {
                *self.resources.entry(object.kind).or_default() += 1;
            }
            for (opaque, _) in &configuration.opaques {
                *self
                    .unknown
                    .entry(store.opaque_text(*opaque).split(' ').take(5).collect::<Vec<_>>().join(" "))
                    .or_default() += 1;
            }
        }
        for note in notes {
            match note.disposition {
                Disposition::Modelled => {}
                Disposition::Inert(why) | Disposition::Opaque(why) => *self.inert.entry(why).or_default() += 1,
            }
        }
        for gap in snapshot.gaps() {
            let parts = gap.reason.split('`').enumerate();
            let reason: String = parts.map(|(n, part)| if n % 2 == 0 { part } else { "…" }).collect();
            if std::env::var_os("PORTCULLIS_GAPS").is_some() {
                let at = sources.locate(gap.origin);
                let text: String = sources.show(gap.origin).chars().take(100).collect();
                eprintln!("{path}:{}: {}: {text}", at.line, gap.reason);
            }
            *self.gaps.entry(reason).or_default() += 1;
        }
    }
}

impl std::fmt::Display for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { files, whole, filters, rules, resources, inert, unknown, gaps, wrong: _ } = self;
        writeln!(f, "{files} files, {whole} without a gap, {filters} filters, {rules} rules")?;
        writeln!(f, "resources: {}", listed(resources))?;
        writeln!(f, "inert: {}", listed(inert))?;
        writeln!(f, "unknown: {}", listed(unknown))?;
        writeln!(f, "gaps: {}", listed(gaps))
    }
}

/// The most frequent first.
pub(crate) fn listed<K: std::fmt::Display>(counts: &BTreeMap<K, usize>) -> String {
    let mut all: Vec<(&K, &usize)> = counts.iter().collect();
    all.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    let mut out = all.iter().map(|(_, count)| **count).sum::<usize>().to_string();
    for (what, count) in all.iter().take(40) {
        write!(out, "\n  {count:>6} {what}").expect("writing to a String");
    }
    out
}

/// Eleven are not whole: one is no JSON, one is not finished, one has no version, six hold what another program added, and two give
/// one priority to several rules of a group, which Azure refuses.
#[test]
fn real_plans_are_read() {
    let Some(table) = Table::of("terraform-plan", "terraform") else { return };
    assert!(table.wrong.is_empty(), "{}", table.wrong.join("\n"));
    assert_eq!((table.files, table.whole, table.rules), (149, 138, 151), "{table}");
}

/// Twenty-four are manifests and pages of documentation; five are examples that Cloud Foundry refuses, or of no group.
#[test]
fn real_security_groups_of_cloud_foundry_are_read() {
    let Some(table) = Table::of("cf-asg", "cf-asg") else { return };
    assert!(table.wrong.is_empty(), "{}", table.wrong.join("\n"));
    assert_eq!((table.files, table.whole, table.rules), (36, 7, 12), "{table}");
}

/// Eleven are of load balancers.
#[test]
fn real_answers_of_ec2_are_read() {
    let Some(table) = Table::of("aws-api-json", "aws-api") else { return };
    assert!(table.wrong.is_empty(), "{}", table.wrong.join("\n"));
    assert_eq!((table.files, table.whole, table.rules), (49, 38, 198), "{table}");
}

/// Two are of rules with priorities that Azure refuses, four are of machines and networks.
#[test]
fn real_answers_of_azure_are_read() {
    let Some(table) = Table::of("azure-api-json", "azure-api") else { return };
    assert!(table.wrong.is_empty(), "{}", table.wrong.join("\n"));
    assert_eq!((table.files, table.whole, table.rules), (7, 1, 11), "{table}");
}
