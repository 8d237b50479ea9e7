//! Real incidents, replayed. `BLESS=1` writes the expected reports anew; read them in `git diff`.

use portcullis::cli::{DRIFTS, Drift, INCIDENTS};
use portcullis::formats::{self, Input};
use portcullis::model::Store;
use portcullis::report::Style;
use portcullis::text::SourceMap;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

fn folder(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/incidents").join(name)
}

#[test]
fn every_incident_is_stopped_and_its_author_sees_the_expected_report() {
    for incident in INCIDENTS {
        let replay = incident.replay(Style::PLAIN);
        crate::blessed::compare(&folder(incident.name).join("expected.txt"), &replay.text);
        crate::blessed::compare(&folder(incident.name).join("expected.json"), &replay.json);
        assert!(replay.stopped, "{} was not stopped by {:?}", incident.name, incident.stopped_by);
    }
    for drift in DRIFTS {
        let replay = drift.replay(Style::PLAIN);
        crate::blessed::compare(&folder(drift.name).join("expected.txt"), &replay.text);
        crate::blessed::compare(&folder(drift.name).join("expected.json"), &replay.json);
        assert!(replay.stopped, "{} was not stopped", drift.name);
    }
}

#[test]
fn a_host_that_has_what_is_expected_is_equal() {
    for drift in DRIFTS {
        let loaded = Drift { live: (drift.live.0, drift.expected.1), ..*drift };
        let replay = loaded.replay(Style::PLAIN);
        assert!(!replay.stopped && replay.text.starts_with("EQUAL"), "{}:\n{}", drift.name, replay.text);
    }
}

#[test]
fn an_incident_that_is_taken_back_passes() {
    for incident in INCIDENTS {
        let undone = portcullis::cli::Incident { head: incident.base, ..*incident };
        let replay = undone.replay(Style::PLAIN);
        assert!(!replay.stopped && replay.text.starts_with("PASS"), "{}:\n{}", incident.name, replay.text);
    }
}

#[test]
fn the_program_carries_every_file_of_every_incident() {
    let on_disk: BTreeSet<String> = fs::read_dir(folder(""))
        .expect("the incidents")
        .map(|entry| entry.expect("a folder").file_name().into_string().expect("a name"))
        .collect();
    let changes = INCIDENTS.iter().map(|incident| incident.name.to_owned());
    let known: BTreeSet<String> = changes.chain(DRIFTS.iter().map(|drift| drift.name.to_owned())).collect();
    assert_eq!(known, on_disk);
    for incident in INCIDENTS {
        for (side, embedded) in [("base", incident.base), ("head", incident.head)] {
            let root = folder(incident.name).join(side);
            let known: BTreeSet<String> = embedded.iter().map(|(path, _)| (*path).to_owned()).collect();
            assert_eq!(known, files(&root, ""), "{} {side}", incident.name);
        }
    }
}

fn files(root: &Path, below: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(root.join(below)).expect("a folder") {
        let entry = entry.expect("an entry");
        let name = entry.file_name().into_string().expect("a name");
        let path = if below.is_empty() { name } else { format!("{below}/{name}") };
        if entry.path().is_dir() {
            found.extend(files(root, &path));
        } else {
            found.insert(path);
        }
    }
    found
}

/// A folder of the corpus; says so where there is none.
#[expect(clippy::print_stderr, reason = "a test that could not be run says so")]
fn corpus(path: &str) -> Option<std::path::PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus");
    if folder.is_dir() {
        return Some(folder.join(path));
    }
    eprintln!("SKIPPED: ../shared/corpus is not beside this folder");
    None
}

/// What of a real tree is wanted: its gaps, and which fixed parts of lists it takes.
fn read(tree: &str) -> Option<(Vec<String>, Vec<String>)> {
    let root = corpus(tree)?;
    let text = |name: String| {
        let text = fs::read(root.join(&name)).expect("a file of the corpus");
        (name, text)
    };
    let files: Vec<(String, Vec<u8>)> = files(&root, "").into_iter().map(text).collect();
    let mut sources = SourceMap::default();
    let add = |(name, text): (String, Vec<u8>)| sources.add(name.as_bytes(), text).expect("small");
    let files = files.into_iter().map(add).collect();
    let input = Input { name: "cf".into(), format: formats::format("terraform"), files };
    let (snapshot, _, _) = formats::read(&[input], &sources, &mut Store::default(), None);
    let place = |at| {
        let place = sources.locate(at);
        format!("{}:{}", place.path, place.line)
    };
    let gaps = snapshot.gaps().iter().map(|gap| format!("{}  {}", place(gap.origin), gap.reason)).collect();
    let picks = snapshot.configurations().iter().flat_map(|configuration| &configuration.picks);
    let picks = picks.map(|pick| format!("{}  {} of {}", place(pick.origin), pick.part, pick.list)).collect();
    Some((gaps, picks))
}

const MISSING: &str =
    "apps.tf:1  the module `test_cdn` is not in these files: what `../modules/test_cdn` declares is not known";

#[test]
fn the_real_trees_of_the_platform_lack_one_module_which_is_named() {
    let folder = "terraform/cloud-gov+cg-deploy-cf/incident-s3-";
    for tree in ["1@20240827.2427220f", "1@20240903.62210d7f", "3@20240903.36151dd3", "whole@20240903.151fa15c"] {
        let Some((gaps, picks)) = read(&format!("{folder}{tree}")) else { return };
        assert_eq!((gaps, picks), (vec![MISSING.to_owned()], Vec::new()), "{tree}");
    }
}

#[test]
fn the_repair_that_terraform_refused_is_refused() {
    let Some((gaps, _)) = read("terraform/cloud-gov+cg-deploy-cf/incident-s3-2-broken@20240903.c748597c") else {
        return;
    };
    let without: Vec<&String> = gaps.iter().filter(|gap| gap.contains("without `content`")).collect();
    let refused = |line| format!("asg.tf:{line}  a `dynamic` block without `content`: terraform refuses it");
    assert_eq!(without, [&refused(184), &refused(267)]);
    assert_eq!(gaps.first().map(String::as_str), Some(MISSING));
    let side = |commit| corpus(&format!("terraform/cloud-gov+cg-deploy-cf/incident-s3-2-broken@20240903.{commit}"));
    let side = |commit| side(commit).expect("it is there").display().to_string();
    let folder = tempfile::tempdir().expect("a folder");
    let policy = "version: 1\nconfigurations: {cf: {files: [\"*.tf\"], format: terraform}}\nchecks: [{check: hard-coded-indexes}]\n";
    fs::write(folder.path().join("policy.yaml"), policy).expect("written");
    let arguments = ["check", "--old", &side("62210d7f"), "--new", &side("c748597c"), "--policy", "policy.yaml"];
    let ran = crate::cli::portcullis(folder.path(), &[], &arguments);
    assert_eq!(ran.code, 3, "{}", ran.out);
}

#[test]
fn the_real_code_took_the_first_two_prefixes_and_then_all_of_them() {
    let folder = "terraform/cloud-gov+cg-provision/incident-s3-outputs@";
    let Some((_, before)) = read(&format!("{folder}20240829.a2ef00d0")) else { return };
    let pick = |line, part| format!("outputs.tf:{line}  {part} of data.aws_prefix_list.s3_gw_cidrs.cidr_blocks");
    let taken: Vec<String> = before.into_iter().filter(|pick| pick.contains("s3_gw_cidrs")).collect();
    assert_eq!(taken, [pick(400, "[0]"), pick(404, "[1]")]);
    let (_, after) = read(&format!("{folder}20240903.548acce4")).expect("it is there as the other is");
    assert_eq!(after.into_iter().filter(|pick| pick.contains("s3_gw_cidrs")).count(), 0);
}
