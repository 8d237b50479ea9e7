//! nftables beside its own JSON and beside iptables: pairs that say the same in two notations, held against each other
//! by meaning.

#![expect(clippy::print_stderr, reason = "a skipped or summarised corpus is told")]

use portcullis::diff::{self, Change};
use portcullis::formats::{self, Input};
use portcullis::model::{Snapshot, Store};
use portcullis::net::Family;
use portcullis::text::SourceMap;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Twins of text and JSON that differ, and why that is right.
const JSON_OTHERWISE: &[(&str, &str)] = &[];

/// Files of iptables whose translation by `iptables-restore-translate` differs, even if what it says it cannot translate
/// is left out; and why that is right.
const TRANSLATED_OTHERWISE: &[(&str, &str)] = &[
    ("configs_ipv6_server__mailserver", "an IPv6 routing header is one condition for iptables, two for nftables"),
    ("configs_ipv6_server__nat64-router-userspace", "likewise"),
    (
        "PvJScorebot+Scorebot-Sysconfig/etc__iptables__iptables.rules",
        "nftables takes what a later fragment begins with for the header, and iptables does not look at it; `-f` tells them \
         apart",
    ),
    ("sns.ias.edu__eduroam_iptables-save", "likewise"),
    ("iDigitalFlame+Arch-Sysconfig/etc__iptables__iptables.rules", "likewise"),
];

/// Twins of nftables and iptables that differ, and why that is right.
const TWINS_OTHERWISE: &[(&str, &str)] = &[(
    "hairpin-false_internal-true_icc-true",
    "Docker tells the packets of an internal network by its addresses for iptables, by its interface for nftables",
)];

#[test]
fn text_and_json_of_a_ruleset_are_the_same() {
    let Some(folder) = corpus() else { return };
    let (mut count, mut wrong, mut excused) = (0, Vec::new(), Excused::new(JSON_OTHERWISE));
    for [text, json] in oracles(&folder, "json-vs-text") {
        count += 1;
        let found = compare(&load(&folder, &text), &load(&folder, &json));
        if !found.same() && !excused.is(&text) {
            wrong.push(format!("{text}\n{found}"));
        }
    }
    eprintln!("{count} rulesets in both notations");
    wrong.extend(excused.unused());
    assert!(wrong.is_empty(), "{} of {count}\n{}", wrong.len(), wrong.join("\n"));
    assert!(count >= 60, "the corpus was read");
}

#[test]
fn docker_writes_the_same_filters_for_iptables_and_nftables() {
    let Some(folder) = corpus() else { return };
    let (mut count, mut wrong, mut excused) = (0, Vec::new(), Excused::new(TWINS_OTHERWISE));
    for [nftables, iptables] in oracles(&folder, "nft-vs-iptables") {
        count += 1;
        let found = compare(&load(&folder, &iptables), &load(&folder, &nftables));
        if !found.same_filters() && !excused.is(&nftables) {
            wrong.push(format!("{nftables}\n{found}"));
        }
    }
    eprintln!("{count} twins of iptables and nftables");
    wrong.extend(excused.unused());
    assert!(wrong.is_empty(), "{} of {count}\n{}", wrong.len(), wrong.join("\n"));
    assert!(count >= 8, "the corpus was read");
}

/// `iptables-restore-translate` leaves what it cannot translate as comments. Without those rules the translation says
/// the same as the original; and where it left out any, comparing with the whole original tells.
#[test]
fn what_iptables_translate_translates_stays_the_same() {
    let Some(folder) = corpus() else { return };
    let manifest = std::fs::read_to_string(folder.join("MANIFEST.tsv")).expect("the list of the corpus");
    let (mut equal, mut unreadable, mut untranslated, mut told, mut lost) = (0, 0, 0, 0, 0);
    let mut refused: BTreeMap<String, usize> = BTreeMap::new();
    let (mut wrong, mut excused) = (Vec::new(), Excused::new(TRANSLATED_OTHERWISE));
    for row in manifest.lines() {
        let fields: Vec<&str> = row.split('\t').collect();
        let [path, "iptables-save", ..] = fields.as_slice() else { continue };
        let original = load(&folder, path);
        let families = families(&original);
        if families.is_empty() {
            unreadable += 1;
            continue;
        }
        let mut translation = String::new();
        for program in families {
            let Ok(output) = Command::new(program).arg("-f").arg(folder.join(path)).output() else {
                eprintln!("SKIPPED: {program} is not installed");
                return;
            };
            if output.status.success() {
                translation.push_str(&String::from_utf8(output.stdout).expect("text"));
            }
        }
        if translation.is_empty() {
            untranslated += 1;
            continue;
        }
        let (kept, left_out) = translated_part(&original.text, &translation);
        let translation = File { name: "translated.nft".to_owned(), text: translation };
        if left_out > 0 {
            lost += 1;
            told += usize::from(!compare(&original, &translation).same_filters());
        }
        let found = compare(&File { name: original.name.clone(), text: kept }, &translation);
        if found.same_filters() {
            equal += 1;
        } else if let Some(gap) = found.gaps.first() {
            // The original has none, so nft would not load the translation.
            *refused.entry(gap.split(": ").nth(1).unwrap_or_default().to_owned()).or_default() += 1;
        } else if !excused.is(path) {
            wrong.push(format!("{path} ({left_out} rules left out)\n{found}"));
        }
    }
    eprintln!(
        "{equal} translations say the same; {unreadable} files cannot be read, {untranslated} not translated; of {lost} \
         translations that lost rules, {told} differ for a packet"
    );
    for (reason, count) in &refused {
        eprintln!("{count} translations that nft refuses: {reason}");
    }
    wrong.extend(excused.unused());
    assert!(wrong.is_empty(), "{} differ\n{}", wrong.len(), wrong.join("\n"));
    assert!(equal > 100, "the corpus was read");
}

/// The rules of an iptables file that the translation has not left as comments, and how many it has.
fn translated_part(original: &str, translation: &str) -> (String, usize) {
    let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let answers: Vec<&str> = translation
        .lines()
        .filter(|line| line.starts_with("add rule ") || line.starts_with("insert rule ") || line.starts_with("# -t "))
        .collect();
    let comments = answers.iter().filter_map(|line| line.strip_prefix("# -t "));
    let comments: HashSet<Vec<String>> = comments.map(|line| words(line).split_off(1)).collect();
    let is_rule = |line: &&str| line.starts_with("-A ") || line.starts_with('[') || line.starts_with("-I ");
    let in_order = original.lines().filter(is_rule).count() == answers.len();
    let mut answers = answers.into_iter();
    let (mut kept, mut left_out) = (String::new(), 0);
    for line in original.lines() {
        // Comments have the options in an order of their own, so where rules and answers are as many, their order tells.
        let lost = if in_order && is_rule(&line) {
            answers.next().is_some_and(|answer| answer.starts_with('#'))
        } else {
            comments.contains(&words(line))
        };
        if lost {
            left_out += 1;
        } else {
            writeln!(kept, "{line}").expect("writing to a String");
        }
    }
    (kept, left_out)
}

struct File {
    name: String,
    text: String,
}

/// What comes of holding two files against each other.
struct Found {
    gaps: Vec<String>,
    filters: Vec<String>,
    objects: Vec<String>,
}

impl Found {
    fn same_filters(&self) -> bool {
        self.gaps.is_empty() && self.filters.is_empty()
    }

    fn same(&self) -> bool {
        self.same_filters() && self.objects.is_empty()
    }
}

impl std::fmt::Display for Found {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for line in self.gaps.iter().take(5).chain(self.filters.iter().take(6)).chain(self.objects.iter().take(4)) {
            writeln!(f, "    {line}")?;
        }
        Ok(())
    }
}

fn compare(old: &File, new: &File) -> Found {
    let mut sources = SourceMap::default();
    let mut store = Store::default();
    let mut read = |file: &File| -> Snapshot {
        let id = sources.add(file.name.as_bytes(), file.text.clone().into()).expect("small");
        let input = Input { name: "host".into(), format: None, files: vec![id] };
        formats::read(&[input], &sources, &mut store, None).0
    };
    let (base, head) = (read(old), read(new));
    let gaps = [&base, &head].into_iter().flat_map(Snapshot::gaps).map(|gap| {
        let at = sources.locate(gap.origin);
        format!("gap {}:{}: {}: {}", at.path, at.line, gap.reason, cut(&sources.show(gap.origin)))
    });
    let gaps: Vec<String> = gaps.collect();
    let change = Change::new(base, head, store);
    let difference = diff::compare(&change);
    let (mut filters, mut objects) = (Vec::new(), Vec::new());
    for configuration in &difference.configurations {
        for filter in &configuration.filters {
            for (what, found) in [("allowed", &filter.newly_allowed), ("denied", &filter.newly_denied)] {
                for delta in found.deltas.iter().take(2) {
                    let conditions: Vec<String> = delta
                        .conditions
                        .iter()
                        .map(|l| format!("{}{}", if l.holds { "" } else { "not " }, change.store.opaque_text(l.opaque)))
                        .collect();
                    filters.push(format!(
                        "{} {what}: {} if {conditions:?}",
                        filter.id,
                        cut(&format!("{:?}", delta.region))
                    ));
                }
            }
        }
        let changes = &configuration.objects;
        for (what, list) in [("added", &changes.added), ("removed", &changes.removed), ("modified", &changes.modified)]
        {
            objects.extend(list.iter().map(|object| format!("{what} {} {}", object.kind, object.address)));
        }
    }
    Found { gaps, filters, objects }
}

fn cut(text: &str) -> String {
    text.chars().take(240).collect()
}

/// The programs that translate an iptables file: one for each family that it speaks of. None if it cannot be read.
fn families(file: &File) -> BTreeSet<&'static str> {
    let mut sources = SourceMap::default();
    let id = sources.add(file.name.as_bytes(), file.text.clone().into()).expect("small");
    let input = Input { name: "host".into(), format: formats::format("iptables-save"), files: vec![id] };
    let (snapshot, _, _) = formats::read(&[input], &sources, &mut Store::default(), None);
    if !snapshot.gaps().is_empty() {
        return BTreeSet::new();
    }
    let domains = snapshot.configurations().iter().flat_map(|c| &c.filters).flat_map(|f| &f.domain);
    let program = |domain: &portcullis::net::Region| match domain.family() {
        Family::Ipv4 => "iptables-restore-translate",
        Family::Ipv6 => "ip6tables-restore-translate",
    };
    domains.map(program).collect()
}

fn corpus() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus");
    if !folder.is_dir() {
        eprintln!("SKIPPED: there is no corpus in {}", folder.display());
        return None;
    }
    Some(folder)
}

/// The pairs of that kind.
fn oracles(folder: &Path, kind: &str) -> Vec<[String; 2]> {
    let list = std::fs::read_to_string(folder.join("ORACLES.tsv")).expect("the list of pairs");
    let pair = |row: &str| match row.split('\t').collect::<Vec<_>>().as_slice() {
        [found, one, other, ..] if *found == kind => Some([(*one).to_owned(), (*other).to_owned()]),
        _ => None,
    };
    list.lines().filter_map(pair).collect()
}

fn load(folder: &Path, path: &str) -> File {
    let bytes = std::fs::read(folder.join(path)).expect("a file that a list of the corpus names");
    File { name: path.to_owned(), text: String::from_utf8_lossy(&bytes).into_owned() }
}

/// A list of exceptions, each of which must be needed.
struct Excused(Vec<(&'static str, bool)>);

impl Excused {
    fn new(list: &[(&'static str, &'static str)]) -> Self {
        Self(list.iter().map(|(part, _)| (*part, false)).collect())
    }

    fn is(&mut self, path: &str) -> bool {
        let found = self.0.iter_mut().find(|(part, _)| path.contains(part));
        found.map(|(_, used)| *used = true).is_some()
    }

    fn unused(self) -> impl Iterator<Item = String> {
        self.0.into_iter().filter(|(_, used)| !used).map(|(part, _)| format!("{part}: no such exception"))
    }
}
