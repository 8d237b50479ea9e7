//! Every way past a gate that the list of threats names is a test called after it, or stands here with what is missing.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Threats without a test of their own name: what answers them, or that nothing does.
const ELSEWHERE: &[(&str, &str)] = &[];

#[test]
#[expect(clippy::print_stdout, clippy::print_stderr, reason = "totals, and what is skipped, are read in the log")]
fn every_threat_is_a_test_or_is_accounted_for() {
    let Ok(list) = std::fs::read_to_string("../shared/threats.md") else {
        eprintln!("SKIPPED: ../shared/threats.md is not there, so the list of threats is not compared");
        return;
    };
    let ids: BTreeSet<&str> =
        list.lines().filter_map(|line| line.strip_prefix("| ")?.split(' ').next()).filter(|id| is_id(id)).collect();
    assert_eq!(ids.len(), 146, "the list has 146 cases");
    let mut tested: BTreeSet<String> = BTreeSet::new();
    collect(Path::new("tests"), &mut tested);
    collect(Path::new("src"), &mut tested);
    let strangers: Vec<&String> = tested.iter().filter(|id| !ids.contains(id.as_str())).collect();
    assert_eq!(strangers, Vec::<&String>::new(), "tests of threats that the list does not have");
    let elsewhere: BTreeMap<&str, &str> = ELSEWHERE.iter().copied().collect();
    let twice: Vec<&str> = elsewhere.keys().copied().filter(|id| tested.contains(*id)).collect();
    assert_eq!(twice, Vec::<&str>::new(), "these have tests now: take them off the list");
    let missing: Vec<&str> =
        ids.iter().copied().filter(|id| !tested.contains(*id) && !elsewhere.contains_key(id)).collect();
    assert_eq!(missing, Vec::<&str>::new(), "neither a test nor a reason");
    let other = ids.iter().filter(|id| !tested.contains(**id)).count();
    println!("{} threats: {} have tests of their name, {other} are accounted for", ids.len(), ids.len() - other);
}

fn is_id(text: &str) -> bool {
    matches!(text.as_bytes(), [b'A'..=b'I', b'0'..=b'9', b'0'..=b'9'])
}

/// The ids that names of functions begin with: `fn c11_c12_words_are_no_approval`.
fn collect(folder: &Path, out: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            collect(&path, out);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).expect("text");
            for name in
                text.lines().filter_map(|line| line.trim_start().trim_start_matches("pub(crate) ").strip_prefix("fn "))
            {
                let parts = name.split(['_', '(']).map(str::to_ascii_uppercase);
                out.extend(parts.take_while(|part| is_id(part)));
            }
        }
    }
}
